//! After a change of the node's key: everything in the database that the one before sealed is sealed anew, in one
//! transaction. A crash leaves all of it as it was, and the next start begins again.

use crate::{
    audit::head_context,
    error::Fault,
    notices::target_context,
    vault::{Vault, account_context, factor_context},
};
use ::vault::With;
use fleet::CameraId;
use health::desk::ChannelId;
use sqlx::{Connection as _, SqliteConnection};
use store::UserId;

pub(crate) async fn seal_anew(connection: &mut SqliteConnection, vault: &Vault, check: &[u8]) -> Result<(), Fault> {
    let mut tx = connection.begin().await?;
    let cameras = sqlx::query!(r#"SELECT id, account AS "account!" FROM camera WHERE account IS NOT NULL"#)
        .fetch_all(&mut *tx)
        .await?;
    let mut accounts = 0;
    for row in cameras {
        let id = u32::try_from(row.id).map_err(|_| Fault::Damaged("a number is out of range"))?;
        let context = account_context(CameraId(id));
        // One that no key of ours opens is damaged already; it stays as it is.
        let Some(plain) = vault.unseal(&row.account, &context) else { continue };
        let sealed = vault.seal(&plain, &context)?;
        sqlx::query!("UPDATE camera SET account = ? WHERE id = ?", sealed, row.id).execute(&mut *tx).await?;
        accounts += 1;
    }
    for row in sqlx::query!("SELECT id, target FROM channel").fetch_all(&mut *tx).await? {
        let id = u32::try_from(row.id).map_err(|_| Fault::Damaged("a number is out of range"))?;
        let context = target_context(ChannelId(id));
        let Some(plain) = vault.unseal(&row.target, &context) else { continue };
        let sealed = vault.seal(&plain, &context)?;
        sqlx::query!("UPDATE channel SET target = ? WHERE id = ?", sealed, row.id).execute(&mut *tx).await?;
    }
    for row in sqlx::query!("SELECT user, secret FROM second_factor").fetch_all(&mut *tx).await? {
        let id = u32::try_from(row.user).map_err(|_| Fault::Damaged("a number is out of range"))?;
        let context = factor_context(UserId(id));
        let Some(plain) = vault.unseal(&row.secret, &context) else { continue };
        let sealed = vault.seal(&plain, &context)?;
        sqlx::query!("UPDATE second_factor SET secret = ? WHERE user = ?", sealed, row.user).execute(&mut *tx).await?;
    }
    let head = sqlx::query!("SELECT seq, seal FROM audit_head").fetch_optional(&mut *tx).await?;
    if let Some(head) = head {
        let hash =
            sqlx::query_scalar!("SELECT hash FROM audit WHERE seq = ?", head.seq).fetch_optional(&mut *tx).await?;
        let hash: Option<[u8; 32]> = hash.and_then(|h| h.try_into().ok());
        // A head that was not right before must not become right by this.
        if let Some(hash) = hash
            && vault.vouched_with(&head.seal, &head_context(head.seq, &hash)) == Some(With::Previous)
        {
            let seal = vault.vouch(&head_context(head.seq, &hash))?;
            sqlx::query!("UPDATE audit_head SET seal = ?", seal).execute(&mut *tx).await?;
        }
    }
    let proof = vault.vouch(check)?;
    sqlx::query!("UPDATE key_check SET seal = ?", proof).execute(&mut *tx).await?;
    tx.commit().await?;
    tracing::info!(accounts, "everything sealed in the database is sealed with the new key");
    Ok(())
}
