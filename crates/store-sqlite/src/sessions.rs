//! Signed-in browsers, known by the hash of their token.

use crate::error::{Fault, number};
use fleet::Wall;
use sqlx::{SqliteConnection, SqlitePool};
use store::{SessionRecord, StoreError, UserId};

/// Longest description of a browser, in characters.
const AGENT: usize = 200;

/// Adds a session and forgets those that ended before it began.
pub(crate) async fn add(tx: &mut SqliteConnection, session: &SessionRecord) -> Result<(), Fault> {
    let token = &session.token_hash[..];
    let (created, used, expires) = (session.created.0, session.used.0, session.expires.0);
    let agent: String = session.agent.chars().take(AGENT).collect();
    sqlx::query!("DELETE FROM session WHERE expires_ms < ?", created).execute(&mut *tx).await?;
    sqlx::query!(
        "INSERT INTO session (token_hash, user, created_ms, used_ms, expires_ms, address, agent)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        token,
        session.user.0,
        created,
        used,
        expires,
        session.address,
        agent
    )
    .execute(tx)
    .await
    .map_err(|e| match Fault::from(e) {
        fault if fault.is_taken() => StoreError::Conflict("this session".into()).into(),
        Fault::Sql(sqlx::Error::Database(e)) if e.is_foreign_key_violation() => {
            StoreError::Missing("the user of the session".into()).into()
        }
        other => other,
    })?;
    Ok(())
}

pub(crate) async fn one(pool: &SqlitePool, token: &[u8; 32]) -> Result<Option<SessionRecord>, Fault> {
    let token = &token[..];
    let row = sqlx::query_as!(Row, "SELECT * FROM session WHERE token_hash = ?", token).fetch_optional(pool).await?;
    row.map(Row::session).transpose()
}

pub(crate) async fn of(pool: &SqlitePool, user: UserId) -> Result<Vec<SessionRecord>, Fault> {
    let rows = sqlx::query_as!(Row, "SELECT * FROM session WHERE user = ? ORDER BY created_ms, token_hash", user.0)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(Row::session).collect()
}

pub(crate) async fn touch(tx: &mut SqliteConnection, token: [u8; 32], at: Wall) -> Result<(), Fault> {
    let token = &token[..];
    sqlx::query!("UPDATE session SET used_ms = ? WHERE token_hash = ?", at.0, token).execute(tx).await?;
    Ok(())
}

pub(crate) async fn end(tx: &mut SqliteConnection, token: [u8; 32]) -> Result<(), Fault> {
    let token = &token[..];
    sqlx::query!("DELETE FROM session WHERE token_hash = ?", token).execute(tx).await?;
    Ok(())
}

/// The table's columns.
struct Row {
    token_hash: Vec<u8>,
    user: i64,
    created_ms: i64,
    used_ms: i64,
    expires_ms: i64,
    address: String,
    agent: String,
}

impl Row {
    fn session(self) -> Result<SessionRecord, Fault> {
        Ok(SessionRecord {
            token_hash: self.token_hash.try_into().map_err(|_| Fault::Damaged("a token's hash is not 32 bytes"))?,
            user: UserId(number(self.user)?),
            created: Wall(self.created_ms),
            used: Wall(self.used_ms),
            expires: Wall(self.expires_ms),
            address: self.address,
            agent: self.agent,
        })
    }
}
