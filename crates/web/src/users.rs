//! Accounts, as the command line and the API make them.

use crate::password;
use fleet::{Secret, SiteId, TownId, Wall};
use std::time::Duration;
use store::{NewUser, Role, Store, StoreError, User};

/// A password to be shown once; whoever signs in with it must choose another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OneTimePassword {
    /// Name to sign in with.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// Why an account could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name or another field cannot be used.
    #[error("{0}")]
    Invalid(&'static str),
    /// No user of this name.
    #[error("there is no user {0}")]
    Missing(String),
    /// Nobody could administer any more.
    #[error("this is the last one of an administrative role who can sign in; make another first")]
    LastAdministrator,
    /// Hashing failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The store failed, or the name is taken.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether the one who keeps the system running, the one who gives rights and the one who watches both may be the
/// same person (三员分立: they may not).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Duties {
    /// An administrator may also manage accounts and read the audit log.
    #[default]
    Together,
    /// Accounts are the security administrator's, the audit log the auditor's.
    Apart,
}

impl Duties {
    /// Roles without which something could not be administered any more.
    fn essential(self) -> &'static [Role] {
        match self {
            Duties::Together => &[Role::Administrator],
            Duties::Apart => &[Role::Administrator, Role::Security, Role::Auditor],
        }
    }
}

/// An account of somebody who repairs ends by itself after at most this long: contractors and their people change.
const LONGEST_TECHNICIAN: Duration = Duration::from_secs(366 * 24 * 3600);

/// What describes a person beside the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) full_name: String,
    pub(crate) unit: String,
    pub(crate) role: Role,
    pub(crate) towns: Vec<TownId>,
    pub(crate) sites: Vec<SiteId>,
    pub(crate) expires: Option<Wall>,
}

/// At the first start there is nobody: makes the user `admin` with a random one-time password. Where duties are
/// apart, also whoever is missing of security administrator and auditor, be it at a later start.
///
/// # Errors
/// The store failed.
pub async fn first_accounts(store: &dyn Store, duties: Duties) -> Result<Vec<OneTimePassword>, AccountError> {
    let users = store.users().await?;
    let mut made = Vec::new();
    for role in duties.essential() {
        let there = users.iter().any(|u| u.role == *role && u.active);
        if there || (duties == Duties::Together && !users.is_empty()) {
            continue;
        }
        let (name, full_name) = match role {
            Role::Security => ("security", "安全管理员"),
            Role::Auditor => ("audit", "审计管理员"),
            _ => ("admin", "管理员"),
        };
        // Somebody may have the name already, inactive or in another role.
        let taken = |name: &str| users.iter().any(|u| u.name.eq_ignore_ascii_case(name));
        let name = (1..)
            .map(|n| if n == 1 { name.to_owned() } else { format!("{name}{n}") })
            .find(|name| !taken(name))
            .expect("users are finite");
        made.push(add(store, &name, full_name, "", *role).await?);
    }
    Ok(made)
}

/// Adds a user who sees the whole county.
///
/// # Errors
/// The name cannot be used or is taken, or the store failed.
pub async fn add(
    store: &dyn Store,
    name: &str,
    full_name: &str,
    unit: &str,
    role: Role,
) -> Result<OneTimePassword, AccountError> {
    let person = Person {
        name: name.to_owned(),
        full_name: full_name.to_owned(),
        unit: unit.to_owned(),
        role,
        towns: Vec::new(),
        sites: Vec::new(),
        expires: None,
    };
    Ok(add_person(store, person).await?.1)
}

/// Gives a user a new one-time password and ends his sessions.
///
/// # Errors
/// There is no such user, or the store failed.
pub async fn reset_password(store: &dyn Store, name: &str) -> Result<OneTimePassword, AccountError> {
    let user = find(store, name).await?;
    reset(store, user).await
}

/// Takes a user's second factor away: his phone is lost, and his recovery codes too.
///
/// # Errors
/// There is no such user, or the store failed.
pub async fn remove_second_factor(store: &dyn Store, name: &str) -> Result<(), AccountError> {
    let user = find(store, name).await?;
    Ok(store.set_second_factor(user.id, None).await?)
}

/// Lets a user sign in, or not any more; then his sessions end.
///
/// # Errors
/// There is no such user, he is the last administrator, or the store failed.
pub async fn set_active(store: &dyn Store, name: &str, active: bool, duties: Duties) -> Result<(), AccountError> {
    let before = find(store, name).await?;
    let after = User { active, ..before.clone() };
    change(store, &before, &after, duties).await
}

/// Adds a user with all that describes him.
pub(crate) async fn add_person(store: &dyn Store, person: Person) -> Result<(User, OneTimePassword), AccountError> {
    check_texts(&person.name, &person.full_name, &person.unit)?;
    check_scope(person.role, &person.towns, &person.sites)?;
    let now = Wall::read();
    let expires = person.expires.or_else(|| (person.role == Role::Technician).then(|| now + LONGEST_TECHNICIAN));
    check_end(person.role, expires, now)?;
    let (password, password_hash) = new_password().await?;
    let user = store
        .add_user(NewUser {
            name: person.name,
            full_name: person.full_name,
            unit: person.unit,
            role: person.role,
            towns: person.towns,
            sites: person.sites,
            password_hash,
            must_change_password: true,
            expires,
            created: now,
        })
        .await?;
    let first = OneTimePassword { name: user.name.clone(), password };
    Ok((user, first))
}

/// Gives a user a new one-time password.
pub(crate) async fn reset(store: &dyn Store, user: User) -> Result<OneTimePassword, AccountError> {
    let (password, password_hash) = new_password().await?;
    let after = User { password_hash, must_change_password: true, ..user.clone() };
    store.update_user(&after, &user).await?;
    Ok(OneTimePassword { name: after.name, password })
}

/// Replaces a user's record, unless nobody could administer any more.
pub(crate) async fn change(store: &dyn Store, before: &User, after: &User, duties: Duties) -> Result<(), AccountError> {
    check_texts(&after.name, &after.full_name, &after.unit)?;
    check_scope(after.role, &after.towns, &after.sites)?;
    let now = Wall::read();
    if (after.role, after.expires) != (before.role, before.expires) {
        check_end(after.role, after.expires, now)?;
    }
    for role in duties.essential() {
        let holds = |u: &User| u.role == *role && u.active && u.expires.is_none_or(|end| end > now);
        if holds(before) && !(holds(after) && after.expires.is_none()) {
            let others = store.users().await?.iter().any(|u| u.id != before.id && holds(u));
            if !others {
                return Err(AccountError::LastAdministrator);
            }
        }
    }
    store.update_user(after, before).await?;
    Ok(())
}

async fn find(store: &dyn Store, name: &str) -> Result<User, AccountError> {
    store.user_by_name(name).await?.ok_or_else(|| AccountError::Missing(name.to_owned()))
}

async fn new_password() -> Result<(Secret, Secret), AccountError> {
    let password = password::one_time();
    let kept = password.clone();
    let hash = tokio::task::spawn_blocking(move || password::hash_now(&password))
        .await
        .map_err(|e| AccountError::Hash(e.to_string()))?
        .map_err(|e| AccountError::Hash(e.to_string()))?;
    Ok((kept, hash))
}

fn check_texts(name: &str, full_name: &str, unit: &str) -> Result<(), AccountError> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
    if name.is_empty() || name.chars().count() > 64 || !name.chars().all(plain) {
        return Err(AccountError::Invalid("name: expected 1 to 64 letters, digits, dots, hyphens or underscores"));
    }
    let shown = |text: &str| text.chars().count() <= 100 && !text.chars().any(char::is_control);
    if !shown(full_name) || !shown(unit) {
        return Err(AccountError::Invalid("full_name, unit: expected at most 100 characters on one line"));
    }
    Ok(())
}

fn check_end(role: Role, expires: Option<Wall>, now: Wall) -> Result<(), AccountError> {
    if role == Role::Technician && expires.is_none_or(|end| end > now + LONGEST_TECHNICIAN) {
        return Err(AccountError::Invalid("expires: an account of a technician ends after a year at the latest"));
    }
    Ok(())
}

fn check_scope(role: Role, towns: &[TownId], sites: &[SiteId]) -> Result<(), AccountError> {
    if matches!(role, Role::Administrator | Role::Security) && !(towns.is_empty() && sites.is_empty()) {
        return Err(AccountError::Invalid("towns, sites: an administrator sees the whole county; leave both empty"));
    }
    if towns.len() + sites.len() > 1000 {
        return Err(AccountError::Invalid("towns, sites: at most 1000 together"));
    }
    Ok(())
}
