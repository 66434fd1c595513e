//! Work orders: the whole as JSON, with the columns that find it; their pictures; what was found.

use crate::{
    SqliteStore,
    cursor::{Cursor, limit, page},
    error::{Fault, limited, number},
    incidents,
    ledger::decided,
};
use fleet::{CameraId, Wall};
use health::{
    IncidentId,
    desk::{Assignee, Confirmed, NewOrder, Order, OrderId},
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{SqliteConnection, SqlitePool};
use store::{
    NewOrderPicture, OrderPicture, OrderQuery, OrderStore, Page, PictureKind, Result, StoreError, orders::check_picture,
};

type Done<T> = std::result::Result<T, Fault>;

#[async_trait::async_trait]
impl OrderStore for SqliteStore {
    async fn add_order(&self, order: NewOrder) -> Result<Order> {
        self.writer.write(move |tx| Box::pin(add(tx, order))).await
    }

    async fn update_order(&self, order: &Order) -> Result<()> {
        let order = order.clone();
        self.writer.write(move |tx| Box::pin(async move { update(tx, &order).await })).await
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>> {
        limited(one(&self.reader, id)).await
    }

    async fn orders(&self, query: &OrderQuery) -> Result<Page<Order>> {
        limited(list(&self.reader, query)).await
    }

    async fn open_orders(&self) -> Result<Vec<Order>> {
        limited(open(&self.reader)).await
    }

    async fn orders_of(&self, incident: IncidentId) -> Result<Vec<Order>> {
        limited(of(&self.reader, incident)).await
    }

    async fn add_order_picture(&self, picture: NewOrderPicture) -> Result<OrderPicture> {
        self.writer.write(move |tx| Box::pin(add_picture(tx, picture))).await
    }

    async fn order_pictures(&self, order: OrderId) -> Result<Vec<OrderPicture>> {
        limited(pictures(&self.reader, order)).await
    }

    async fn order_picture(&self, order: OrderId, id: u64) -> Result<Option<Vec<u8>>> {
        limited(picture(&self.reader, order, id)).await
    }

    async fn confirmed_cause(&self, incident: IncidentId) -> Result<Option<Confirmed>> {
        limited(confirmed(&self.reader, incident)).await
    }
}

async fn add(tx: &mut SqliteConnection, new: NewOrder) -> Done<Order> {
    let incident = incidents::key(new.incident)?;
    let open = sqlx::query_scalar!("SELECT id FROM work_order WHERE incident = ? AND closed_ms IS NULL", incident)
        .fetch_optional(&mut *tx)
        .await?;
    if let Some(open) = open {
        return Err(StoreError::Conflict(format!("an open order of {} (G{open})", new.incident)).into());
    }
    let (state, opened) = (code(&new.state)?, new.at.0);
    let added = sqlx::query!(
        "INSERT INTO work_order (version, incident, state, opened_ms, body) VALUES (1, ?, ?, ?, '')",
        incident,
        state,
        opened
    )
    .execute(&mut *tx)
    .await?;
    let id = added.last_insert_rowid();
    let order = Order::new(OrderId(u64::try_from(id).map_err(|_| Fault::Damaged("a number is out of range"))?), new);
    let body = serde_json::to_string(&order)?;
    sqlx::query!("UPDATE work_order SET body = ? WHERE id = ?", body, id).execute(tx).await?;
    Ok(order)
}

async fn update(tx: &mut SqliteConnection, order: &Order) -> Done<()> {
    let id = key(order.id)?;
    let (version, before) = (i64::from(order.version), i64::from(order.version) - 1);
    let (state, closed) = (code(&order.state)?, order.closed.map(|w| w.0));
    let (technician, contractor) = match &order.assignee {
        Some(Assignee::Technician(user)) => (Some(i64::from(*user)), None),
        Some(Assignee::Contractor(unit)) => (None, Some(unit)),
        None => (None, None),
    };
    let body = serde_json::to_string(order)?;
    let changed = sqlx::query!(
        "UPDATE work_order SET version = ?, state = ?, closed_ms = ?, technician = ?, contractor = ?, body = ?
         WHERE id = ? AND version = ?",
        version,
        state,
        closed,
        technician,
        contractor,
        body,
        id,
        before
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(StoreError::Conflict(format!("a newer version of the order {}", order.id)).into());
    }
    if let Some(confirmed) = &order.confirmed {
        let incident = incidents::key(confirmed.incident)?;
        let (suggested, found, at) = (code(&confirmed.suggested)?, code(&confirmed.found)?, confirmed.at.0);
        sqlx::query!(
            "INSERT INTO confirmed_cause (incident, suggested, found, note, by_name, at_ms) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT (incident) DO UPDATE SET
                 suggested = excluded.suggested, found = excluded.found, note = excluded.note,
                 by_name = excluded.by_name, at_ms = excluded.at_ms
             WHERE excluded.at_ms >= at_ms",
            incident,
            suggested,
            found,
            confirmed.note,
            confirmed.by,
            at
        )
        .execute(&mut *tx)
        .await?;
    }
    decided::order_changed(tx, order).await
}

async fn one(pool: &SqlitePool, id: OrderId) -> Done<Option<Order>> {
    let Ok(id) = key(id) else { return Ok(None) };
    let body = sqlx::query_scalar!("SELECT body FROM work_order WHERE id = ?", id).fetch_optional(pool).await?;
    Ok(body.as_deref().map(serde_json::from_str).transpose()?)
}

async fn list(pool: &SqlitePool, query: &OrderQuery) -> Done<Page<Order>> {
    let limit = limit(query.limit);
    let read = limit + 1;
    let after = Cursor::parse(query.cursor.as_deref())?;
    let from = query.from.map_or(i64::MIN, |w| w.0);
    let until = query.until.map_or(i64::MAX, |w| w.0);
    let state = query.state.as_ref().map(code).transpose()?;
    let anybody = query.assignees.is_empty();
    let (mut users, mut units) = (Vec::new(), Vec::new());
    for assignee in &query.assignees {
        match assignee {
            Assignee::Technician(user) => users.push(*user),
            Assignee::Contractor(unit) => units.push(unit),
        }
    }
    let (users, units) = (serde_json::to_string(&users)?, serde_json::to_string(&units)?);
    let bodies = sqlx::query_scalar!(
        "SELECT body FROM work_order
         WHERE opened_ms >= ?1 AND opened_ms < ?2 AND (opened_ms, id) < (?3, ?4)
           AND (?5 IS NULL OR (closed_ms IS NULL) = ?5)
           AND (?6 IS NULL OR state = ?6)
           AND (?7 OR technician IN (SELECT value FROM json_each(?8)) OR contractor IN (SELECT value FROM json_each(?9)))
         ORDER BY opened_ms DESC, id DESC LIMIT ?10",
        from,
        until,
        after.major,
        after.minor,
        query.open,
        state,
        anybody,
        users,
        units,
        read
    )
    .fetch_all(pool)
    .await?;
    Ok(page(parse(&bodies)?, limit, |o| Cursor { major: o.opened.0, minor: key(o.id).unwrap_or(i64::MAX) }))
}

async fn open(pool: &SqlitePool) -> Done<Vec<Order>> {
    let bodies = sqlx::query_scalar!("SELECT body FROM work_order WHERE closed_ms IS NULL ORDER BY opened_ms, id")
        .fetch_all(pool)
        .await?;
    parse(&bodies)
}

async fn of(pool: &SqlitePool, incident: IncidentId) -> Done<Vec<Order>> {
    let Ok(incident) = incidents::key(incident) else { return Ok(Vec::new()) };
    let bodies = sqlx::query_scalar!("SELECT body FROM work_order WHERE incident = ? ORDER BY id", incident)
        .fetch_all(pool)
        .await?;
    parse(&bodies)
}

async fn add_picture(tx: &mut SqliteConnection, new: NewOrderPicture) -> Done<OrderPicture> {
    let order = key(new.order)?;
    let known = sqlx::query_scalar!("SELECT id FROM work_order WHERE id = ?", order).fetch_optional(&mut *tx).await?;
    if known.is_none() {
        return Err(StoreError::Missing(format!("the order {}", new.order)).into());
    }
    let kept = sqlx::query_scalar!("SELECT count(*) FROM order_picture WHERE work_order = ?", order)
        .fetch_one(&mut *tx)
        .await?;
    check_picture(&new, usize::try_from(kept).unwrap_or(usize::MAX))?;
    let (kind, camera, at) = (new.kind.code(), new.camera.map(|c| i64::from(c.0)), new.at.0);
    let added = sqlx::query!(
        "INSERT INTO order_picture (work_order, kind, camera, at_ms, by_name, note, jpeg) VALUES (?, ?, ?, ?, ?, ?, ?)",
        order,
        kind,
        camera,
        at,
        new.by,
        new.note,
        new.jpeg
    )
    .execute(tx)
    .await?;
    let NewOrderPicture { order, kind, camera, at, by, note, .. } = new;
    let id = u64::try_from(added.last_insert_rowid()).map_err(|_| Fault::Damaged("a number is out of range"))?;
    Ok(OrderPicture { id, order, kind, camera, at, by, note })
}

async fn pictures(pool: &SqlitePool, order: OrderId) -> Done<Vec<OrderPicture>> {
    let Ok(id) = key(order) else { return Ok(Vec::new()) };
    let rows = sqlx::query!(
        "SELECT id, kind, camera, at_ms, by_name, note FROM order_picture WHERE work_order = ? ORDER BY id",
        id
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OrderPicture {
                id: u64::try_from(row.id).map_err(|_| Fault::Damaged("a number is out of range"))?,
                order,
                kind: PictureKind::from_code(&row.kind).ok_or(Fault::Damaged("an unknown code word"))?,
                camera: row.camera.map(|c| number(c).map(CameraId)).transpose()?,
                at: Wall(row.at_ms),
                by: row.by_name,
                note: row.note,
            })
        })
        .collect()
}

async fn picture(pool: &SqlitePool, order: OrderId, id: u64) -> Done<Option<Vec<u8>>> {
    let (Ok(order), Ok(id)) = (key(order), i64::try_from(id)) else { return Ok(None) };
    let jpeg = sqlx::query_scalar!("SELECT jpeg FROM order_picture WHERE id = ? AND work_order = ?", id, order)
        .fetch_optional(pool)
        .await?;
    Ok(jpeg)
}

async fn confirmed(pool: &SqlitePool, incident: IncidentId) -> Done<Option<Confirmed>> {
    let Ok(id) = incidents::key(incident) else { return Ok(None) };
    let row = sqlx::query!("SELECT suggested, found, note, by_name, at_ms FROM confirmed_cause WHERE incident = ?", id)
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        Ok(Confirmed {
            incident,
            suggested: uncode(&row.suggested)?,
            found: uncode(&row.found)?,
            note: row.note,
            by: row.by_name,
            at: Wall(row.at_ms),
        })
    })
    .transpose()
}

fn parse(bodies: &[String]) -> Done<Vec<Order>> {
    bodies.iter().map(|b| Ok(serde_json::from_str(b)?)).collect()
}

fn key(id: OrderId) -> Done<i64> {
    i64::try_from(id.0).map_err(|_| StoreError::Invalid(format!("{id} is no number of an order")).into())
}

/// A value of a closed list as its code word, and back.
fn code<T: Serialize>(value: &T) -> Done<String> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        _ => Err(Fault::Damaged("no code word")),
    }
}

fn uncode<T: DeserializeOwned>(word: &str) -> Done<T> {
    Ok(serde_json::from_value(serde_json::Value::String(word.to_owned()))?)
}
