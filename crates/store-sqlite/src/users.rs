//! Who may sign in.

use crate::error::{Fault, number, word};
use fleet::{Secret, SiteId, TownId, Wall};
use sqlx::{SqliteConnection, SqlitePool};
use store::{NewUser, Role, StoreError, User, UserId};

pub(crate) async fn all(pool: &SqlitePool) -> Result<Vec<User>, Fault> {
    let rows = sqlx::query_as!(Row, "SELECT * FROM user ORDER BY folded").fetch_all(pool).await?;
    rows.into_iter().map(Row::user).collect()
}

pub(crate) async fn by_name(pool: &SqlitePool, name: &str) -> Result<Option<User>, Fault> {
    let folded = fold(name);
    let row = sqlx::query_as!(Row, "SELECT * FROM user WHERE folded = ?", folded).fetch_optional(pool).await?;
    row.map(Row::user).transpose()
}

pub(crate) async fn one(pool: &SqlitePool, id: UserId) -> Result<Option<User>, Fault> {
    let row = sqlx::query_as!(Row, "SELECT * FROM user WHERE id = ?", id.0).fetch_optional(pool).await?;
    row.map(Row::user).transpose()
}

pub(crate) async fn add(tx: &mut SqliteConnection, user: NewUser) -> Result<User, Fault> {
    let folded = fold(&user.name);
    let (role, password) = (user.role.code(), user.password_hash.expose());
    let (towns, sites) = (serde_json::to_string(&user.towns)?, serde_json::to_string(&user.sites)?);
    let (expires, created) = (user.expires.map(|w| w.0), user.created.0);
    let added = sqlx::query!(
        "INSERT INTO user (name, folded, full_name, unit, role, towns, sites, password_hash,
             must_change_password, active, expires_ms, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, TRUE, ?, ?)",
        user.name,
        folded,
        user.full_name,
        user.unit,
        role,
        towns,
        sites,
        password,
        user.must_change_password,
        expires,
        created
    )
    .execute(tx)
    .await
    .map_err(|e| taken(e.into(), &user.name))?;
    Ok(User {
        id: UserId(number(added.last_insert_rowid())?),
        name: user.name,
        full_name: user.full_name,
        unit: user.unit,
        role: user.role,
        towns: user.towns,
        sites: user.sites,
        password_hash: user.password_hash,
        must_change_password: user.must_change_password,
        active: true,
        expires: user.expires,
        created: user.created,
    })
}

/// Replaces what is still as it was seen.
pub(crate) async fn update(tx: &mut SqliteConnection, user: &User, seen: &User) -> Result<(), Fault> {
    let before = sqlx::query_as!(Row, "SELECT * FROM user WHERE id = ?", user.id.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| StoreError::Missing(format!("the user {}", user.name)))?
        .user()?;
    if before != *seen {
        return Err(StoreError::Changed(format!("the user {}", user.name)).into());
    }
    let folded = fold(&user.name);
    let (role, password) = (user.role.code(), user.password_hash.expose());
    let (towns, sites) = (serde_json::to_string(&user.towns)?, serde_json::to_string(&user.sites)?);
    let (expires, created) = (user.expires.map(|w| w.0), user.created.0);
    sqlx::query!(
        "UPDATE user SET name = ?, folded = ?, full_name = ?, unit = ?, role = ?, towns = ?, sites = ?,
             password_hash = ?, must_change_password = ?, active = ?, expires_ms = ?, created_ms = ?
         WHERE id = ?",
        user.name,
        folded,
        user.full_name,
        user.unit,
        role,
        towns,
        sites,
        password,
        user.must_change_password,
        user.active,
        expires,
        created,
        user.id.0
    )
    .execute(&mut *tx)
    .await
    .map_err(|e| taken(e.into(), &user.name))?;
    if before.role != user.role || before.password_hash != user.password_hash || before.active != user.active {
        sqlx::query!("DELETE FROM session WHERE user = ?", user.id.0).execute(tx).await?;
    }
    Ok(())
}

fn taken(fault: Fault, name: &str) -> Fault {
    if fault.is_taken() { StoreError::Conflict(format!("a user named {name}")).into() } else { fault }
}

fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// The table's columns.
struct Row {
    id: i64,
    name: String,
    #[allow(dead_code)] // Only the database compares by it.
    folded: String,
    full_name: String,
    unit: String,
    role: String,
    towns: String,
    sites: String,
    password_hash: String,
    must_change_password: i64,
    active: i64,
    expires_ms: Option<i64>,
    created_ms: i64,
}

impl Row {
    fn user(self) -> Result<User, Fault> {
        Ok(User {
            id: UserId(number(self.id)?),
            name: self.name,
            full_name: self.full_name,
            unit: self.unit,
            role: word(&self.role, Role::from_code)?,
            towns: serde_json::from_str::<Vec<TownId>>(&self.towns)?,
            sites: serde_json::from_str::<Vec<SiteId>>(&self.sites)?,
            password_hash: Secret::new(self.password_hash),
            must_change_password: self.must_change_password != 0,
            active: self.active != 0,
            expires: self.expires_ms.map(Wall),
            created: Wall(self.created_ms),
        })
    }
}
