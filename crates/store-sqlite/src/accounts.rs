//! Tokens of machines, and second factors of people.

use crate::{
    SqliteStore,
    error::{Fault, limited, number, word},
    vault::Vault,
};
use fleet::{SiteId, TownId, Wall};
use sqlx::{SqliteConnection, SqlitePool};
use std::sync::Arc;
use store::{AccountStore, MachineToken, NewToken, Proof, Result, Role, SecondFactor, StoreError, TokenId, UserId};

#[async_trait::async_trait]
impl AccountStore for SqliteStore {
    async fn add_token(&self, token: NewToken) -> Result<MachineToken> {
        self.writer.write(move |tx| Box::pin(add(tx, token))).await
    }

    async fn tokens(&self) -> Result<Vec<MachineToken>> {
        limited(async {
            let rows = sqlx::query_as!(Row, "SELECT * FROM token ORDER BY id DESC").fetch_all(&self.reader).await?;
            rows.into_iter().map(Row::token).collect()
        })
        .await
    }

    async fn token(&self, hash: &[u8; 32]) -> Result<Option<MachineToken>> {
        let hash = &hash[..];
        limited(async {
            let row =
                sqlx::query_as!(Row, "SELECT * FROM token WHERE hash = ?", hash).fetch_optional(&self.reader).await?;
            row.map(Row::token).transpose()
        })
        .await
    }

    async fn touch_token(&self, id: TokenId, at: Wall) -> Result<()> {
        self.writer.write(move |tx| Box::pin(touch(tx, id, at))).await
    }

    async fn revoke_token(&self, id: TokenId, at: Wall) -> Result<()> {
        self.writer.write(move |tx| Box::pin(revoke(tx, id, at))).await
    }

    async fn second_factors(&self) -> Result<Vec<UserId>> {
        limited(async {
            let users = sqlx::query_scalar!("SELECT user FROM second_factor ORDER BY user").fetch_all(&self.reader);
            users.await?.into_iter().map(|user| Ok(UserId(number(user)?))).collect()
        })
        .await
    }

    async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>> {
        limited(factor(&self.reader, &self.vault, user)).await
    }

    async fn set_second_factor(&self, user: UserId, factor: Option<&SecondFactor>) -> Result<()> {
        let (vault, factor) = (Arc::clone(&self.vault), factor.cloned());
        self.writer.write(move |tx| Box::pin(async move { set(tx, &vault, user, factor.as_ref()).await })).await
    }

    async fn spend(&self, user: UserId, proof: Proof) -> Result<bool> {
        self.writer.write(move |tx| Box::pin(spend(tx, user, proof))).await
    }
}

async fn add(tx: &mut SqliteConnection, token: NewToken) -> std::result::Result<MachineToken, Fault> {
    let hash = &token.hash[..];
    let role = token.role.code();
    let (towns, sites) = (serde_json::to_string(&token.towns)?, serde_json::to_string(&token.sites)?);
    let added = sqlx::query!(
        "INSERT INTO token (hash, name, role, towns, sites, maker, created_ms, expires_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        hash,
        token.name,
        role,
        towns,
        sites,
        token.maker,
        token.created.0,
        token.expires.0
    )
    .execute(tx)
    .await
    .map_err(|e| match Fault::from(e) {
        fault if fault.is_taken() => StoreError::Conflict(format!("a token named {}", token.name)).into(),
        other => other,
    })?;
    Ok(MachineToken { id: TokenId(number(added.last_insert_rowid())?), token, used: None, revoked: None })
}

async fn touch(tx: &mut SqliteConnection, id: TokenId, at: Wall) -> std::result::Result<(), Fault> {
    sqlx::query!("UPDATE token SET used_ms = ? WHERE id = ?", at.0, id.0).execute(tx).await?;
    Ok(())
}

async fn revoke(tx: &mut SqliteConnection, id: TokenId, at: Wall) -> std::result::Result<(), Fault> {
    let done = sqlx::query!("UPDATE token SET revoked_ms = coalesce(revoked_ms, ?) WHERE id = ?", at.0, id.0)
        .execute(tx)
        .await?;
    if done.rows_affected() == 0 { Err(StoreError::Missing(format!("the token {}", id.0)).into()) } else { Ok(()) }
}

async fn factor(pool: &SqlitePool, vault: &Vault, user: UserId) -> std::result::Result<Option<SecondFactor>, Fault> {
    // One transaction, so that a code used meanwhile cannot be missing from one of the two answers.
    let mut tx = pool.begin().await?;
    let Some(row) = sqlx::query!("SELECT secret, since_ms, used_step FROM second_factor WHERE user = ?", user.0)
        .fetch_optional(&mut *tx)
        .await?
    else {
        return Ok(None);
    };
    let codes = sqlx::query_scalar!("SELECT hash FROM recovery_code WHERE user = ? ORDER BY hash", user.0)
        .fetch_all(&mut *tx)
        .await?;
    let recovery = codes
        .into_iter()
        .map(|hash| hash.try_into().map_err(|_| Fault::Damaged("a recovery code's hash is not 32 bytes")))
        .collect::<std::result::Result<Vec<[u8; 32]>, Fault>>()?;
    let secret =
        vault.open_second_factor(user, &row.secret).ok_or(Fault::Damaged("a second factor cannot be decrypted"))?;
    Ok(Some(SecondFactor {
        secret,
        since: Wall(row.since_ms),
        used_step: u64::try_from(row.used_step).map_err(|_| Fault::Damaged("a time step is negative"))?,
        recovery,
    }))
}

async fn set(
    tx: &mut SqliteConnection,
    vault: &Vault,
    user: UserId,
    factor: Option<&SecondFactor>,
) -> std::result::Result<(), Fault> {
    sqlx::query!("DELETE FROM recovery_code WHERE user = ?", user.0).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM second_factor WHERE user = ?", user.0).execute(&mut *tx).await?;
    let Some(factor) = factor else { return Ok(()) };
    let known = sqlx::query_scalar!("SELECT id FROM user WHERE id = ?", user.0).fetch_optional(&mut *tx).await?;
    if known.is_none() {
        return Err(StoreError::Missing("the user of the second factor".into()).into());
    }
    let secret = vault.seal_second_factor(user, &factor.secret)?;
    let step =
        i64::try_from(factor.used_step).map_err(|_| StoreError::Invalid("a time step is out of range".into()))?;
    sqlx::query!(
        "INSERT INTO second_factor (user, secret, since_ms, used_step) VALUES (?, ?, ?, ?)",
        user.0,
        secret,
        factor.since.0,
        step
    )
    .execute(&mut *tx)
    .await?;
    for hash in &factor.recovery {
        let hash = &hash[..];
        sqlx::query!("INSERT INTO recovery_code (user, hash) VALUES (?, ?)", user.0, hash).execute(&mut *tx).await?;
    }
    Ok(())
}

async fn spend(tx: &mut SqliteConnection, user: UserId, proof: Proof) -> std::result::Result<bool, Fault> {
    let done = match proof {
        Proof::Step(step) => {
            let step = i64::try_from(step).map_err(|_| StoreError::Invalid("a time step is out of range".into()))?;
            sqlx::query!("UPDATE second_factor SET used_step = ? WHERE user = ? AND used_step < ?", step, user.0, step)
                .execute(tx)
                .await?
        }
        Proof::Recovery(hash) => {
            let hash = &hash[..];
            sqlx::query!("DELETE FROM recovery_code WHERE user = ? AND hash = ?", user.0, hash).execute(tx).await?
        }
    };
    Ok(done.rows_affected() == 1)
}

/// The table's columns.
struct Row {
    id: i64,
    hash: Vec<u8>,
    name: String,
    role: String,
    towns: String,
    sites: String,
    maker: String,
    created_ms: i64,
    expires_ms: i64,
    used_ms: Option<i64>,
    revoked_ms: Option<i64>,
}

impl Row {
    fn token(self) -> std::result::Result<MachineToken, Fault> {
        Ok(MachineToken {
            id: TokenId(number(self.id)?),
            token: NewToken {
                hash: self.hash.try_into().map_err(|_| Fault::Damaged("a token's hash is not 32 bytes"))?,
                name: self.name,
                role: word(&self.role, Role::from_code)?,
                towns: serde_json::from_str::<Vec<TownId>>(&self.towns)?,
                sites: serde_json::from_str::<Vec<SiteId>>(&self.sites)?,
                maker: self.maker,
                created: Wall(self.created_ms),
                expires: Wall(self.expires_ms),
            },
            used: self.used_ms.map(Wall),
            revoked: self.revoked_ms.map(Wall),
        })
    }
}
