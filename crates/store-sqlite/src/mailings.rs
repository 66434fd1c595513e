//! Reports that go out by mail again and again, and each one that was due.

use crate::{
    SqliteStore,
    cursor::{Cursor, limit, page},
    error::{Fault, limited, number, word},
};
use fleet::Wall;
use sqlx::{SqliteConnection, SqlitePool};
use std::ops::Range;
use store::{DeliveryState, MOST_MAILINGS, Mailing, MailingId, MailingStore, Page, Result, Sending, StoreError, Tried};

type Done<T> = std::result::Result<T, Fault>;

#[async_trait::async_trait]
impl MailingStore for SqliteStore {
    async fn mailings(&self) -> Result<Vec<Mailing>> {
        limited(mailings(&self.reader)).await
    }

    async fn add_mailing(&self, mailing: Mailing) -> Result<Mailing> {
        self.writer.write(move |tx| Box::pin(add(tx, mailing))).await
    }

    async fn update_mailing(&self, mailing: &Mailing, seen: &Mailing) -> Result<()> {
        let (mailing, seen) = (mailing.clone(), seen.clone());
        self.writer.write(move |tx| Box::pin(update(tx, mailing, seen))).await
    }

    async fn remove_mailing(&self, id: MailingId) -> Result<()> {
        self.writer.write(move |tx| Box::pin(remove(tx, id))).await
    }

    async fn begin_sending(&self, mailing: MailingId, range: Range<Wall>, at: Wall) -> Result<bool> {
        self.writer.write(move |tx| Box::pin(begin(tx, mailing, range, at))).await
    }

    async fn due_sendings(&self, now: Wall) -> Result<Vec<Sending>> {
        limited(due(&self.reader, now)).await
    }

    async fn begin_sending_try(&self, id: u64) -> Result<()> {
        self.writer.write(move |tx| Box::pin(begin_try(tx, id))).await
    }

    async fn end_sending_try(&self, id: u64, at: Wall, tried: &Tried, left_out: &[String]) -> Result<()> {
        let (tried, left_out) = (tried.clone(), left_out.to_vec());
        self.writer.write(move |tx| Box::pin(async move { end_try(tx, id, at, &tried, &left_out).await })).await
    }

    async fn troubled_sendings(&self) -> Result<Vec<Sending>> {
        limited(troubled(&self.reader)).await
    }

    async fn sendings(&self, mailing: Option<MailingId>, limit: u32, cursor: Option<&str>) -> Result<Page<Sending>> {
        limited(sendings(&self.reader, mailing, limit, cursor)).await
    }

    async fn prune_sendings(&self, before: Wall) -> Result<()> {
        self.writer.write(move |tx| Box::pin(prune(tx, before))).await
    }
}

async fn mailings(pool: &SqlitePool) -> Done<Vec<Mailing>> {
    let rows = sqlx::query_as!(Plan, "SELECT id, name, enabled, plan, changed_ms FROM mailing ORDER BY id")
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(Plan::mailing).collect()
}

async fn add(tx: &mut SqliteConnection, mailing: Mailing) -> Done<Mailing> {
    let there = sqlx::query_scalar!("SELECT count(*) FROM mailing").fetch_one(&mut *tx).await?;
    if there >= MOST_MAILINGS as i64 {
        return Err(StoreError::Invalid(format!("there are {MOST_MAILINGS} mailings already")).into());
    }
    let (plan, changed) = (serde_json::to_string(&mailing.plan)?, mailing.changed.0);
    let added = sqlx::query!(
        "INSERT INTO mailing (name, enabled, plan, changed_ms) VALUES (?, ?, ?, ?)",
        mailing.name,
        mailing.enabled,
        plan,
        changed
    )
    .execute(tx)
    .await?;
    Ok(Mailing { id: MailingId(number(added.last_insert_rowid())?), ..mailing })
}

async fn update(tx: &mut SqliteConnection, mailing: Mailing, seen: Mailing) -> Done<()> {
    let id = mailing.id;
    let row = sqlx::query_as!(Plan, "SELECT id, name, enabled, plan, changed_ms FROM mailing WHERE id = ?", id.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(|| missing(id))?;
    if row.mailing()? != seen {
        return Err(StoreError::Changed(format!("the mailing {id}")).into());
    }
    let (plan, changed) = (serde_json::to_string(&mailing.plan)?, mailing.changed.0);
    sqlx::query!(
        "UPDATE mailing SET name = ?, enabled = ?, plan = ?, changed_ms = ? WHERE id = ?",
        mailing.name,
        mailing.enabled,
        plan,
        changed,
        id.0
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn remove(tx: &mut SqliteConnection, id: MailingId) -> Done<()> {
    let gone = sqlx::query!("DELETE FROM mailing WHERE id = ?", id.0).execute(&mut *tx).await?;
    if gone.rows_affected() == 0 {
        return Err(missing(id).into());
    }
    sqlx::query!("DELETE FROM sending WHERE mailing = ? AND ended_ms IS NULL", id.0).execute(tx).await?;
    Ok(())
}

fn missing(id: MailingId) -> StoreError {
    StoreError::Missing(format!("the mailing {id}"))
}

async fn begin(tx: &mut SqliteConnection, mailing: MailingId, range: Range<Wall>, at: Wall) -> Done<bool> {
    let (from, until, at, waiting) = (range.start.0, range.end.0, at.0, DeliveryState::Waiting.code());
    let begun = sqlx::query!(
        "INSERT INTO sending (mailing, from_ms, until_ms, at_ms, state, attempts, next_ms, error)
         SELECT id, ?2, ?3, ?4, ?5, 0, ?4, '' FROM mailing WHERE id = ?1
         ON CONFLICT (mailing, from_ms, until_ms) DO NOTHING",
        mailing.0,
        from,
        until,
        at,
        waiting
    )
    .execute(tx)
    .await?;
    Ok(begun.rows_affected() > 0)
}

async fn due(pool: &SqlitePool, now: Wall) -> Done<Vec<Sending>> {
    let now = now.0;
    let rows = sqlx::query_as!(
        Row,
        "SELECT sending.* FROM sending JOIN mailing ON mailing.id = sending.mailing AND mailing.enabled
         WHERE sending.ended_ms IS NULL AND sending.next_ms <= ? ORDER BY sending.id LIMIT 1000",
        now
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::sending).collect()
}

async fn begin_try(tx: &mut SqliteConnection, id: u64) -> Done<()> {
    let (id, trying) = (key(id)?, DeliveryState::Trying.code());
    sqlx::query!("UPDATE sending SET state = ?, attempts = attempts + 1 WHERE id = ? AND ended_ms IS NULL", trying, id)
        .execute(tx)
        .await?;
    Ok(())
}

async fn end_try(tx: &mut SqliteConnection, id: u64, at: Wall, tried: &Tried, left_out: &[String]) -> Done<()> {
    let (id, left_out) = (key(id)?, serde_json::to_string(left_out)?);
    let (state, error, next, ended) = match tried {
        Tried::Delivered => (DeliveryState::Delivered, "", None, Some(at.0)),
        Tried::Partly(who) => (DeliveryState::Delivered, who.as_str(), None, Some(at.0)),
        Tried::Failed(why, Some(next)) | Tried::Refused(why, Some(next)) => {
            (DeliveryState::Waiting, why.as_str(), Some(next.0), None)
        }
        Tried::Failed(why, None) | Tried::Refused(why, None) => (DeliveryState::Failed, why.as_str(), None, Some(at.0)),
    };
    let state = state.code();
    sqlx::query!(
        "UPDATE sending SET state = ?, error = ?, next_ms = coalesce(?, next_ms), ended_ms = ?, left_out = ? WHERE id = ?",
        state,
        error,
        next,
        ended,
        left_out,
        id
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn troubled(pool: &SqlitePool) -> Done<Vec<Sending>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT sending.* FROM sending
         JOIN (SELECT mailing AS of, max(id) AS last FROM sending GROUP BY mailing) AS newest ON sending.id = newest.last
         JOIN mailing ON mailing.id = sending.mailing AND mailing.enabled
         WHERE sending.error <> '' ORDER BY sending.id"
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::sending).collect()
}

async fn sendings(
    pool: &SqlitePool,
    mailing: Option<MailingId>,
    asked: u32,
    cursor: Option<&str>,
) -> Done<Page<Sending>> {
    let limit = limit(asked);
    let read = limit + 1;
    let after = Cursor::parse(cursor)?.major;
    let mailing = mailing.map(|m| i64::from(m.0));
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM sending WHERE id < ?1 AND (?2 IS NULL OR mailing = ?2) ORDER BY id DESC LIMIT ?3",
        after,
        mailing,
        read
    )
    .fetch_all(pool)
    .await?;
    let found = rows.into_iter().map(Row::sending).collect::<Done<Vec<Sending>>>()?;
    Ok(page(found, limit, |s| Cursor { major: key(s.id).unwrap_or(i64::MAX), minor: 0 }))
}

async fn prune(tx: &mut SqliteConnection, before: Wall) -> Done<()> {
    let before = before.0;
    // The newest of each mailing stays: it says that its period was sent.
    sqlx::query!(
        "DELETE FROM sending WHERE ended_ms < ? AND id NOT IN (SELECT max(id) FROM sending GROUP BY mailing)",
        before
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn key(id: u64) -> Done<i64> {
    i64::try_from(id).map_err(|_| StoreError::Invalid("no such sending".into()).into())
}

/// The columns of a mailing.
struct Plan {
    id: i64,
    name: String,
    enabled: i64,
    plan: String,
    changed_ms: i64,
}

impl Plan {
    fn mailing(self) -> Done<Mailing> {
        Ok(Mailing {
            id: MailingId(number(self.id)?),
            name: self.name,
            enabled: self.enabled != 0,
            plan: serde_json::from_str(&self.plan)?,
            changed: Wall(self.changed_ms),
        })
    }
}

/// The columns of a sending.
struct Row {
    id: i64,
    mailing: i64,
    from_ms: i64,
    until_ms: i64,
    at_ms: i64,
    state: String,
    attempts: i64,
    next_ms: i64,
    error: String,
    ended_ms: Option<i64>,
    left_out: String,
}

impl Row {
    fn sending(self) -> Done<Sending> {
        Ok(Sending {
            id: u64::try_from(self.id).map_err(|_| Fault::Damaged("a number is out of range"))?,
            mailing: MailingId(number(self.mailing)?),
            range: Wall(self.from_ms)..Wall(self.until_ms),
            at: Wall(self.at_ms),
            state: word(&self.state, DeliveryState::from_code)?,
            attempts: number(self.attempts)?,
            next: Wall(self.next_ms),
            error: self.error,
            ended: self.ended_ms.map(Wall),
            left_out: serde_json::from_str(&self.left_out)?,
        })
    }
}
