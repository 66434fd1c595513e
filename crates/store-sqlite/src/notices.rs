//! Channels of notification, what each was told, and the messages on their way.

use crate::{
    SqliteStore,
    cursor::{Cursor, limit, page},
    error::{Fault, limited, number, word},
    incidents,
    vault::Vault,
};
use fleet::{Secret, Wall};
use health::{
    IncidentId,
    desk::{ChannelId, Dispatch, Mark, OrderId},
};
use sqlx::{SqliteConnection, SqlitePool};
use std::sync::Arc;
use store::{
    Channel, Delivery, DeliveryState, MOST_CHANNELS, NewDelivery, NoticeStore, Page, Result, StoreError, Tried,
};

type Done<T> = std::result::Result<T, Fault>;

#[async_trait::async_trait]
impl NoticeStore for SqliteStore {
    async fn channels(&self) -> Result<Vec<Channel>> {
        limited(channels(&self.reader, &self.vault)).await
    }

    async fn add_channel(&self, channel: Channel) -> Result<Channel> {
        let vault = Arc::clone(&self.vault);
        self.writer.write(move |tx| Box::pin(async move { add(tx, &vault, channel).await })).await
    }

    async fn update_channel(&self, channel: &Channel, seen: &Channel) -> Result<()> {
        let (vault, channel, seen) = (Arc::clone(&self.vault), channel.clone(), seen.clone());
        self.writer.write(move |tx| Box::pin(async move { replace(tx, &vault, &channel, &seen).await })).await
    }

    async fn remove_channel(&self, id: ChannelId) -> Result<()> {
        self.writer.write(move |tx| Box::pin(remove(tx, id))).await
    }

    async fn marks(&self) -> Result<Vec<(ChannelId, IncidentId, Mark)>> {
        limited(marks(&self.reader)).await
    }

    async fn enqueue(&self, messages: &[NewDelivery], marks: &[(ChannelId, IncidentId, Mark)]) -> Result<()> {
        let (messages, marks) = (messages.to_vec(), marks.to_vec());
        self.writer.write(move |tx| Box::pin(async move { enqueue(tx, &messages, &marks).await })).await
    }

    async fn order_marks(&self) -> Result<Vec<(ChannelId, OrderId, Wall)>> {
        limited(order_marks(&self.reader)).await
    }

    async fn enqueue_dispatches(&self, messages: &[NewDelivery], told: &[Dispatch]) -> Result<()> {
        let (messages, told) = (messages.to_vec(), told.to_vec());
        self.writer.write(move |tx| Box::pin(async move { enqueue_dispatches(tx, &messages, &told).await })).await
    }

    async fn sent_since(&self, since: Wall) -> Result<Vec<(ChannelId, Wall)>> {
        limited(sent_since(&self.reader, since)).await
    }

    async fn due(&self, now: Wall) -> Result<Vec<Delivery>> {
        limited(due(&self.reader, now)).await
    }

    async fn begin_try(&self, id: u64) -> Result<()> {
        self.writer.write(move |tx| Box::pin(begin_try(tx, id))).await
    }

    async fn end_try(&self, id: u64, at: Wall, tried: &Tried) -> Result<()> {
        let tried = tried.clone();
        self.writer.write(move |tx| Box::pin(async move { end_try(tx, id, at, &tried).await })).await
    }

    async fn deliveries(&self, channel: Option<ChannelId>, limit: u32, cursor: Option<&str>) -> Result<Page<Delivery>> {
        limited(deliveries(&self.reader, channel, limit, cursor)).await
    }

    async fn prune_notices(&self, before: Wall) -> Result<()> {
        self.writer.write(move |tx| Box::pin(prune(tx, before))).await
    }
}

async fn channels(pool: &SqlitePool, vault: &Vault) -> Done<Vec<Channel>> {
    let rows = sqlx::query_as!(Kept, "SELECT * FROM channel ORDER BY id").fetch_all(pool).await?;
    rows.into_iter().map(|row| row.channel(vault)).collect()
}

/// Replaces what is still as it was seen.
async fn replace(tx: &mut SqliteConnection, vault: &Vault, channel: &Channel, seen: &Channel) -> Done<()> {
    let row =
        sqlx::query_as!(Kept, "SELECT * FROM channel WHERE id = ?", channel.id.0).fetch_optional(&mut *tx).await?;
    let Some(row) = row else { return found(0, channel.id) };
    if row.channel(vault)? != *seen {
        return Err(StoreError::Changed(format!("the channel {}", channel.id)).into());
    }
    update(tx, vault, channel).await
}

async fn add(tx: &mut SqliteConnection, vault: &Vault, channel: Channel) -> Done<Channel> {
    let there = sqlx::query_scalar!("SELECT count(*) FROM channel").fetch_one(&mut *tx).await?;
    if there >= MOST_CHANNELS as i64 {
        return Err(StoreError::Invalid(format!("there are {MOST_CHANNELS} channels already")).into());
    }
    let added = sqlx::query!(
        "INSERT INTO channel (name, kind, enabled, route, shown, target) VALUES (?, ?, FALSE, '{}', '', x'')",
        channel.name,
        channel.kind
    )
    .execute(&mut *tx)
    .await?;
    // The number is bound into the sealed target, so it must be known first.
    let channel = Channel { id: ChannelId(number(added.last_insert_rowid())?), ..channel };
    update(tx, vault, &channel).await?;
    Ok(channel)
}

async fn update(tx: &mut SqliteConnection, vault: &Vault, channel: &Channel) -> Done<()> {
    let route = serde_json::to_string(&channel.route)?;
    let target = vault.seal_target(channel.id, &channel.target)?;
    let changed = sqlx::query!(
        "UPDATE channel SET name = ?, kind = ?, enabled = ?, route = ?, shown = ?, target = ? WHERE id = ?",
        channel.name,
        channel.kind,
        channel.enabled,
        route,
        channel.shown,
        target,
        channel.id.0
    )
    .execute(tx)
    .await?;
    found(changed.rows_affected(), channel.id)
}

async fn remove(tx: &mut SqliteConnection, id: ChannelId) -> Done<()> {
    let gone = sqlx::query!("DELETE FROM channel WHERE id = ?", id.0).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM notice_mark WHERE channel = ?", id.0).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM order_mark WHERE channel = ?", id.0).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM delivery WHERE channel = ? AND ended_ms IS NULL", id.0).execute(tx).await?;
    found(gone.rows_affected(), id)
}

fn found(rows: u64, id: ChannelId) -> Done<()> {
    if rows == 0 { Err(StoreError::Missing(format!("the channel {id}")).into()) } else { Ok(()) }
}

async fn marks(pool: &SqlitePool) -> Done<Vec<(ChannelId, IncidentId, Mark)>> {
    let rows = sqlx::query!("SELECT channel, incident, mark FROM notice_mark ORDER BY channel, incident")
        .fetch_all(pool)
        .await?;
    rows.into_iter()
        .map(|row| {
            let incident = u64::try_from(row.incident).map_err(|_| Fault::Damaged("a number is out of range"))?;
            Ok((ChannelId(number(row.channel)?), IncidentId(incident), serde_json::from_str(&row.mark)?))
        })
        .collect()
}

async fn order_marks(pool: &SqlitePool) -> Done<Vec<(ChannelId, OrderId, Wall)>> {
    let rows = sqlx::query!("SELECT channel, work_order, given_ms FROM order_mark").fetch_all(pool).await?;
    rows.into_iter()
        .map(|row| {
            let order = u64::try_from(row.work_order).map_err(|_| Fault::Damaged("a number is out of range"))?;
            Ok((ChannelId(number(row.channel)?), OrderId(order), Wall(row.given_ms)))
        })
        .collect()
}

async fn enqueue_dispatches(tx: &mut SqliteConnection, messages: &[NewDelivery], told: &[Dispatch]) -> Done<()> {
    enqueue(&mut *tx, messages, &[]).await?;
    for dispatch in told {
        for (order, given) in &dispatch.orders {
            let order = i64::try_from(order.0).map_err(|_| Fault::Damaged("a number is out of range"))?;
            sqlx::query!(
                "INSERT INTO order_mark (channel, work_order, given_ms) VALUES (?, ?, ?)
                 ON CONFLICT (channel, work_order) DO UPDATE SET given_ms = excluded.given_ms",
                dispatch.channel.0,
                order,
                given.0
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

async fn enqueue(
    tx: &mut SqliteConnection,
    messages: &[NewDelivery],
    marks: &[(ChannelId, IncidentId, Mark)],
) -> Done<()> {
    let waiting = DeliveryState::Waiting.code();
    for message in messages {
        let at = message.at.0;
        sqlx::query!(
            "INSERT INTO delivery (channel, at_ms, body, state, attempts, next_ms, error) VALUES (?, ?, ?, ?, 0, ?, '')",
            message.channel.0,
            at,
            message.body,
            waiting,
            at
        )
        .execute(&mut *tx)
        .await?;
    }
    for (channel, incident, mark) in marks {
        let incident = incidents::key(*incident)?;
        let mark = serde_json::to_string(mark)?;
        sqlx::query!(
            "INSERT INTO notice_mark (channel, incident, mark) VALUES (?, ?, ?)
             ON CONFLICT (channel, incident) DO UPDATE SET mark = excluded.mark",
            channel.0,
            incident,
            mark
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn sent_since(pool: &SqlitePool, since: Wall) -> Done<Vec<(ChannelId, Wall)>> {
    let since = since.0;
    let rows = sqlx::query!("SELECT channel, at_ms FROM delivery WHERE at_ms >= ? ORDER BY at_ms, id", since)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(|row| Ok((ChannelId(number(row.channel)?), Wall(row.at_ms)))).collect()
}

async fn due(pool: &SqlitePool, now: Wall) -> Done<Vec<Delivery>> {
    let now = now.0;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT delivery.* FROM delivery
           JOIN (SELECT channel AS of, min(id) AS first FROM delivery WHERE ended_ms IS NULL GROUP BY channel) AS head
             ON delivery.id = head.first
           JOIN channel ON channel.id = delivery.channel AND channel.enabled
           WHERE delivery.next_ms <= ? ORDER BY delivery.id"#,
        now
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::delivery).collect()
}

async fn begin_try(tx: &mut SqliteConnection, id: u64) -> Done<()> {
    let (id, trying) = (key(id)?, DeliveryState::Trying.code());
    sqlx::query!(
        "UPDATE delivery SET state = ?, attempts = attempts + 1 WHERE id = ? AND ended_ms IS NULL",
        trying,
        id
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn end_try(tx: &mut SqliteConnection, id: u64, at: Wall, tried: &Tried) -> Done<()> {
    let id = key(id)?;
    let (state, error, next, ended) = match tried {
        Tried::Delivered => (DeliveryState::Delivered, "", None, Some(at.0)),
        Tried::Partly(who) => (DeliveryState::Delivered, who.as_str(), None, Some(at.0)),
        Tried::Failed(why, Some(next)) => (DeliveryState::Waiting, why.as_str(), Some(next.0), None),
        Tried::Failed(why, None) => (DeliveryState::Failed, why.as_str(), None, Some(at.0)),
    };
    let state = state.code();
    sqlx::query!(
        "UPDATE delivery SET state = ?, error = ?, next_ms = coalesce(?, next_ms), ended_ms = ? WHERE id = ?",
        state,
        error,
        next,
        ended,
        id
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn deliveries(
    pool: &SqlitePool,
    channel: Option<ChannelId>,
    asked: u32,
    cursor: Option<&str>,
) -> Done<Page<Delivery>> {
    let limit = limit(asked);
    let read = limit + 1;
    let after = Cursor::parse(cursor)?.major;
    let channel = channel.map(|c| i64::from(c.0));
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM delivery WHERE id < ?1 AND (?2 IS NULL OR channel = ?2) ORDER BY id DESC LIMIT ?3",
        after,
        channel,
        read
    )
    .fetch_all(pool)
    .await?;
    let found = rows.into_iter().map(Row::delivery).collect::<Done<Vec<Delivery>>>()?;
    Ok(page(found, limit, |d| Cursor { major: key(d.id).unwrap_or(i64::MAX), minor: 0 }))
}

async fn prune(tx: &mut SqliteConnection, before: Wall) -> Done<()> {
    let before = before.0;
    sqlx::query!("DELETE FROM delivery WHERE ended_ms < ?", before).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM notice_mark WHERE incident IN (SELECT id FROM incident WHERE resolved_ms < ?)", before)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("DELETE FROM order_mark WHERE work_order IN (SELECT id FROM work_order WHERE closed_ms < ?)", before)
        .execute(tx)
        .await?;
    Ok(())
}

fn key(id: u64) -> Done<i64> {
    i64::try_from(id).map_err(|_| StoreError::Invalid("no such delivery".into()).into())
}

/// The columns of a channel.
struct Kept {
    id: i64,
    name: String,
    kind: String,
    enabled: i64,
    route: String,
    shown: String,
    target: Vec<u8>,
}

impl Kept {
    fn channel(self, vault: &Vault) -> Done<Channel> {
        let id = ChannelId(number(self.id)?);
        let target = vault.open_target(id, &self.target).ok_or(Fault::Damaged("a channel's target is not ours"))?;
        Ok(Channel {
            id,
            name: self.name,
            kind: self.kind,
            enabled: self.enabled != 0,
            route: serde_json::from_str(&self.route)?,
            shown: self.shown,
            target,
        })
    }
}

/// The columns of a delivery.
struct Row {
    id: i64,
    channel: i64,
    at_ms: i64,
    body: String,
    state: String,
    attempts: i64,
    next_ms: i64,
    error: String,
    ended_ms: Option<i64>,
}

impl Row {
    fn delivery(self) -> Done<Delivery> {
        Ok(Delivery {
            id: u64::try_from(self.id).map_err(|_| Fault::Damaged("a number is out of range"))?,
            channel: ChannelId(number(self.channel)?),
            at: Wall(self.at_ms),
            body: self.body,
            state: word(&self.state, DeliveryState::from_code)?,
            attempts: number(self.attempts)?,
            next: Wall(self.next_ms),
            error: self.error,
            ended: self.ended_ms.map(Wall),
        })
    }
}

impl Vault {
    fn seal_target(&self, channel: ChannelId, target: &Secret) -> Done<Vec<u8>> {
        self.seal(target.expose().as_bytes(), &target_context(channel))
    }

    fn open_target(&self, channel: ChannelId, sealed: &[u8]) -> Option<Secret> {
        let plain = self.unseal(sealed, &target_context(channel))?;
        String::from_utf8(plain).ok().map(Secret::new)
    }
}

pub(crate) fn target_context(channel: ChannelId) -> Vec<u8> {
    [&b"sharpeyes notification channel "[..], &channel.0.to_be_bytes()].concat()
}
