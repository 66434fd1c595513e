//! Accounts, as the command line and the API make them.

use crate::password;
use fleet::{Secret, SiteId, TownId, Wall};
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
    #[error("this is the last administrator who can sign in; make another first")]
    LastAdministrator,
    /// Hashing failed.
    #[error("the password could not be hashed: {0}")]
    Hash(String),
    /// The store failed, or the name is taken.
    #[error(transparent)]
    Store(#[from] StoreError),
}

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

/// At the first start there is nobody: makes the user `admin` with a random one-time password.
/// `None` if there is any user already.
///
/// # Errors
/// The store failed.
pub async fn first_administrator(store: &dyn Store) -> Result<Option<OneTimePassword>, AccountError> {
    if !store.users().await?.is_empty() {
        return Ok(None);
    }
    add(store, "admin", "管理员", "", Role::Administrator).await.map(Some)
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

/// Lets a user sign in, or not any more; then his sessions end.
///
/// # Errors
/// There is no such user, he is the last administrator, or the store failed.
pub async fn set_active(store: &dyn Store, name: &str, active: bool) -> Result<(), AccountError> {
    let before = find(store, name).await?;
    let after = User { active, ..before.clone() };
    change(store, &before, &after).await
}

/// Adds a user with all that describes him.
pub(crate) async fn add_person(store: &dyn Store, person: Person) -> Result<(User, OneTimePassword), AccountError> {
    check_texts(&person.name, &person.full_name, &person.unit)?;
    check_scope(person.role, &person.towns, &person.sites)?;
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
            expires: person.expires,
            created: Wall::read(),
        })
        .await?;
    let first = OneTimePassword { name: user.name.clone(), password };
    Ok((user, first))
}

/// Gives a user a new one-time password.
pub(crate) async fn reset(store: &dyn Store, user: User) -> Result<OneTimePassword, AccountError> {
    let (password, password_hash) = new_password().await?;
    let after = User { password_hash, must_change_password: true, ..user };
    store.update_user(&after).await?;
    Ok(OneTimePassword { name: after.name, password })
}

/// Replaces a user's record, unless nobody could administer any more.
pub(crate) async fn change(store: &dyn Store, before: &User, after: &User) -> Result<(), AccountError> {
    check_texts(&after.name, &after.full_name, &after.unit)?;
    check_scope(after.role, &after.towns, &after.sites)?;
    let now = Wall::read();
    let administers = |u: &User| u.role == Role::Administrator && u.active && u.expires.is_none_or(|end| end > now);
    if administers(before) && !(administers(after) && after.expires.is_none()) {
        let others = store.users().await?.iter().any(|u| u.id != before.id && administers(u));
        if !others {
            return Err(AccountError::LastAdministrator);
        }
    }
    store.update_user(after).await?;
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

fn check_scope(role: Role, towns: &[TownId], sites: &[SiteId]) -> Result<(), AccountError> {
    if role == Role::Administrator && !(towns.is_empty() && sites.is_empty()) {
        return Err(AccountError::Invalid("towns, sites: an administrator sees the whole county; leave both empty"));
    }
    if towns.len() + sites.len() > 1000 {
        return Err(AccountError::Invalid("towns, sites: at most 1000 together"));
    }
    Ok(())
}
