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
    desk::{ChannelId, Dispatch, LONGEST_PAUSE, LONGEST_PAUSE_OF_REFUSED, Mark, OrderId},
};
use sqlx::{SqliteConnection, SqlitePool};
use std::sync::Arc;
use store::{Channel, Delivery, DeliveryState, MOST_CHANNELS, NoticeStore, Page, Result, StoreError, Telling, Tried};

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

    async fn enqueue(&self, tellings: &[Telling]) -> Result<bool> {
        let tellings = tellings.to_vec();
        self.writer.write(move |tx| Box::pin(async move { enqueue(tx, &tellings).await })).await
    }

    async fn order_marks(&self) -> Result<Vec<(ChannelId, OrderId, Wall)>> {
        limited(order_marks(&self.reader)).await
    }

    async fn enqueue_dispatches(&self, at: Wall, told: &[(Dispatch, Vec<String>)]) -> Result<()> {
        let told = told.to_vec();
        self.writer.write(move |tx| Box::pin(async move { enqueue_dispatches(tx, at, &told).await })).await
    }

    async fn sent_since(&self, since: Wall) -> Result<Vec<(ChannelId, Wall)>> {
        limited(sent_since(&self.reader, since)).await
    }

    async fn due(&self, now: Wall) -> Result<Vec<Delivery>> {
        limited(due(&self.reader, now)).await
    }

    async fn begin_try(&self, id: u64) -> Result<bool> {
        self.writer.write(move |tx| Box::pin(begin_try(tx, id))).await
    }

    async fn interrupted(&self, at: Wall) -> Result<Vec<Delivery>> {
        self.writer.write(move |tx| Box::pin(interrupted(tx, at))).await
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
    update(tx, vault, channel).await?;
    if channel.target != seen.target {
        // What the former target refused or did not answer to stands in line again.
        let (refused, waiting) = (DeliveryState::Refused.code(), DeliveryState::Waiting.code());
        sqlx::query!(
            "UPDATE delivery SET refusals = 0, next_ms = at_ms, state = CASE state WHEN ? THEN ? ELSE state END
             WHERE channel = ? AND ended_ms IS NULL",
            refused,
            waiting,
            channel.id.0
        )
        .execute(tx)
        .await?;
    }
    Ok(())
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

async fn enqueue_dispatches(tx: &mut SqliteConnection, at: Wall, told: &[(Dispatch, Vec<String>)]) -> Done<()> {
    'tellings: for (dispatch, parts) in told {
        let channel = dispatch.channel;
        if !exists(&mut *tx, channel).await? {
            continue;
        }
        for (order, given) in &dispatch.orders {
            let order = order_key(*order)?;
            let known = sqlx::query_scalar!(
                "SELECT given_ms FROM order_mark WHERE channel = ? AND work_order = ?",
                channel.0,
                order
            )
            .fetch_optional(&mut *tx)
            .await?;
            if known == Some(given.0) {
                continue 'tellings;
            }
        }
        put(&mut *tx, channel, at, parts).await?;
        for (order, given) in &dispatch.orders {
            let order = order_key(*order)?;
            sqlx::query!(
                "INSERT INTO order_mark (channel, work_order, given_ms) VALUES (?, ?, ?)
                 ON CONFLICT (channel, work_order) DO UPDATE SET given_ms = excluded.given_ms",
                channel.0,
                order,
                given.0
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

fn order_key(order: OrderId) -> Done<i64> {
    i64::try_from(order.0).map_err(|_| Fault::Damaged("a number is out of range"))
}

async fn enqueue(tx: &mut SqliteConnection, tellings: &[Telling]) -> Done<bool> {
    let mut all = true;
    for telling in tellings {
        if as_before(&mut *tx, telling).await? {
            put(&mut *tx, telling.channel, telling.at, &telling.parts).await?;
            learn(&mut *tx, telling).await?;
        } else {
            all = false;
        }
    }
    Ok(all)
}

/// Whether the channel is there and knows what it is to know before.
async fn as_before(tx: &mut SqliteConnection, telling: &Telling) -> Done<bool> {
    if !exists(&mut *tx, telling.channel).await? {
        return Ok(false);
    }
    for learnt in &telling.marks {
        let incident = incidents::key(learnt.incident)?;
        let known = sqlx::query_scalar!(
            "SELECT mark FROM notice_mark WHERE channel = ? AND incident = ?",
            telling.channel.0,
            incident
        )
        .fetch_optional(&mut *tx)
        .await?;
        let known: Option<Mark> = known.map(|mark| serde_json::from_str(&mark)).transpose()?;
        if known != learnt.before {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn exists(tx: &mut SqliteConnection, channel: ChannelId) -> Done<bool> {
    let found = sqlx::query_scalar!("SELECT id FROM channel WHERE id = ?", channel.0).fetch_optional(tx).await?;
    Ok(found.is_some())
}

async fn put(tx: &mut SqliteConnection, channel: ChannelId, at: Wall, parts: &[String]) -> Done<()> {
    let waiting = DeliveryState::Waiting.code();
    for (part, body) in (0_i64..).zip(parts) {
        sqlx::query!(
            "INSERT INTO delivery (channel, at_ms, body, state, attempts, next_ms, error, part)
             VALUES (?, ?, ?, ?, 0, ?, '', ?)",
            channel.0,
            at.0,
            body,
            waiting,
            at.0,
            part
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn learn(tx: &mut SqliteConnection, telling: &Telling) -> Done<()> {
    for learnt in &telling.marks {
        let incident = incidents::key(learnt.incident)?;
        let mark = serde_json::to_string(&learnt.after)?;
        sqlx::query!(
            "INSERT INTO notice_mark (channel, incident, mark) VALUES (?, ?, ?)
             ON CONFLICT (channel, incident) DO UPDATE SET mark = excluded.mark",
            telling.channel.0,
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
    let rows =
        sqlx::query!("SELECT channel, at_ms FROM delivery WHERE at_ms >= ? AND part = 0 ORDER BY at_ms, id", since)
            .fetch_all(pool)
            .await?;
    rows.into_iter().map(|row| Ok((ChannelId(number(row.channel)?), Wall(row.at_ms)))).collect()
}

async fn due(pool: &SqlitePool, now: Wall) -> Done<Vec<Delivery>> {
    let (soonest, latest) = (now.0, (now + LONGEST_PAUSE).0);
    let mut rows = sqlx::query_as!(
        Row,
        r#"SELECT delivery.* FROM delivery
           JOIN (SELECT channel AS of, min(id) AS first FROM delivery WHERE ended_ms IS NULL AND refusals = 0
                 GROUP BY channel) AS head
             ON delivery.id = head.first
           JOIN channel ON channel.id = delivery.channel AND channel.enabled
           WHERE delivery.next_ms <= ? OR delivery.next_ms > ? ORDER BY delivery.id"#,
        soonest,
        latest
    )
    .fetch_all(pool)
    .await?;
    let latest = (now + LONGEST_PAUSE_OF_REFUSED).0;
    let refused = sqlx::query_as!(
        Row,
        r#"SELECT delivery.* FROM delivery
           JOIN (SELECT channel AS of, min(id) AS first FROM delivery WHERE ended_ms IS NULL AND refusals > 0
                 AND (next_ms <= ?1 OR next_ms > ?2) GROUP BY channel) AS aside
             ON delivery.id = aside.first
           JOIN channel ON channel.id = delivery.channel AND channel.enabled
           WHERE NOT EXISTS (SELECT 1 FROM delivery AS other
                 WHERE other.channel = delivery.channel AND other.ended_ms IS NULL AND other.refusals = 0)
           ORDER BY delivery.id"#,
        soonest,
        latest
    )
    .fetch_all(pool)
    .await?;
    rows.extend(refused);
    rows.into_iter().map(Row::delivery).collect()
}

async fn begin_try(tx: &mut SqliteConnection, id: u64) -> Done<bool> {
    let (id, trying) = (key(id)?, DeliveryState::Trying.code());
    let begun = sqlx::query!(
        "UPDATE delivery SET state = ?, attempts = attempts + 1 WHERE id = ? AND ended_ms IS NULL",
        trying,
        id
    )
    .execute(tx)
    .await?;
    Ok(begun.rows_affected() == 1)
}

async fn interrupted(tx: &mut SqliteConnection, at: Wall) -> Done<Vec<Delivery>> {
    let (trying, waiting) = (DeliveryState::Trying.code(), DeliveryState::Waiting.code());
    let again = sqlx::query_as!(
        Row,
        "SELECT * FROM delivery WHERE state = ? AND ended_ms IS NULL AND interruptions > 0 ORDER BY id",
        trying
    )
    .fetch_all(&mut *tx)
    .await?;
    sqlx::query!(
        "UPDATE delivery SET state = ?, interruptions = 1, next_ms = ?
         WHERE state = ? AND ended_ms IS NULL AND interruptions = 0",
        waiting,
        at.0,
        trying
    )
    .execute(tx)
    .await?;
    again.into_iter().map(Row::delivery).collect()
}

async fn end_try(tx: &mut SqliteConnection, id: u64, at: Wall, tried: &Tried) -> Done<()> {
    let id = key(id)?;
    let (state, error, next, ended) = match tried {
        Tried::Delivered => (DeliveryState::Delivered, "", None, Some(at.0)),
        Tried::Partly(who) => (DeliveryState::Delivered, who.as_str(), None, Some(at.0)),
        Tried::Failed(why, Some(next)) => (DeliveryState::Waiting, why.as_str(), Some(next.0), None),
        Tried::Refused(why, Some(next)) => (DeliveryState::Refused, why.as_str(), Some(next.0), None),
        Tried::Failed(why, None) | Tried::Refused(why, None) => (DeliveryState::Failed, why.as_str(), None, Some(at.0)),
    };
    let (state, refused) = (state.code(), i64::from(matches!(tried, Tried::Refused(..))));
    sqlx::query!(
        "UPDATE delivery SET state = ?, error = ?, next_ms = coalesce(?, next_ms), ended_ms = ?, refusals = refusals + ?
         WHERE id = ? AND ended_ms IS NULL",
        state,
        error,
        next,
        ended,
        refused,
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
    refusals: i64,
    #[expect(dead_code, reason = "only SQL asks for it")]
    part: i64,
    #[expect(dead_code, reason = "only SQL asks for it")]
    interruptions: i64,
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
            refusals: number(self.refusals)?,
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

#[cfg(test)]
mod tests {
    use super::*;
    use health::{
        Severity,
        desk::{Learnt, Route},
    };
    use tokio::sync::oneshot;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_asked_again_after_a_stall_of_the_disk_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
        let channel = Channel {
            id: ChannelId(0),
            name: "值班".into(),
            kind: "webhook".into(),
            enabled: true,
            route: Route::default(),
            shown: String::new(),
            target: Secret::new("{}"),
        };
        let channel = store.add_channel(channel).await.unwrap().id;
        // Whoever writes stands still for longer than anybody waits.
        let ((begin, begun), (release, released)) = (oneshot::channel(), oneshot::channel::<()>());
        let stalled = Arc::clone(&store);
        let stall = tokio::spawn(async move {
            let waiting = stalled.writer.write(move |_| {
                Box::pin(async move {
                    let _ = begin.send(());
                    let _ = released.await;
                    Ok(())
                })
            });
            waiting.await
        });
        begun.await.unwrap();
        let after = Mark { severity: Severity::Major, over: false, acknowledged: false, waits: false };
        let telling = Telling {
            channel,
            at: Wall(1),
            parts: vec!["opened".into()],
            marks: vec![Learnt { incident: IncidentId(7), before: None, after }],
        };
        assert!(store.enqueue(std::slice::from_ref(&telling)).await.is_err(), "counted as failed");
        let again = tokio::spawn({
            let (store, telling) = (Arc::clone(&store), Telling { at: Wall(2), ..telling });
            async move { store.enqueue(&[telling]).await }
        });
        release.send(()).unwrap();
        assert!(!again.await.unwrap().unwrap(), "told already");
        let log = store.deliveries(None, 10, None).await.unwrap().items;
        assert_eq!(log.iter().map(|d| d.at).collect::<Vec<_>>(), [Wall(1)]);
        assert!(stall.await.unwrap().is_err());
    }
}
