//! The audit log: each record's hash covers the one before, and the head is sealed with our key.
//!
//! A change, a removal or an insertion anywhere shows, and so does cutting off the end. Somebody who holds database
//! and key can write another history; only a copy of a hash kept elsewhere shows that.

use crate::{
    cursor::{Cursor, limit, page},
    error::Fault,
    vault::Vault,
};
use fleet::Wall;
use sha2::{Digest, Sha256};
use sqlx::{SqliteConnection, SqlitePool};
use store::{AuditEntry, AuditLink, AuditQuery, AuditRecord, Page};

/// Longest text of an entry, in characters; what is longer is cut, because names come from sign-in forms.
const LONGEST: usize = 2000;
/// Records read at once when the chain is verified.
const STRETCH: i64 = 1000;

/// Appends an entry. The writer is one task, so no two appends see the same head.
pub(crate) async fn append(tx: &mut SqliteConnection, vault: &Vault, entry: AuditEntry) -> Result<AuditRecord, Fault> {
    let entry = cut(entry);
    let last = sqlx::query!("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetch_optional(&mut *tx).await?;
    let (seq, previous) = match last {
        Some(last) => (last.seq + 1, hash_of(last.hash)?),
        None => (1, [0; 32]),
    };
    let hash = chain(&previous, seq, &entry);
    let bytes = &hash[..];
    sqlx::query!(
        "INSERT INTO audit (seq, at_ms, who, who_detail, address, action, object, reason, success, detail, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        seq,
        entry.at.0,
        entry.who,
        entry.who_detail,
        entry.address,
        entry.action,
        entry.object,
        entry.reason,
        entry.success,
        entry.detail,
        bytes
    )
    .execute(&mut *tx)
    .await?;
    let seal = vault.vouch(&head_context(seq, &hash))?;
    sqlx::query!(
        "INSERT INTO audit_head (id, seq, seal) VALUES (1, ?, ?)
         ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, seal = excluded.seal",
        seq,
        seal
    )
    .execute(tx)
    .await?;
    record(seq, entry, hash)
}

/// A page of records, newest first.
pub(crate) async fn list(pool: &SqlitePool, query: &AuditQuery) -> Result<Page<AuditRecord>, Fault> {
    let limit = limit(query.limit);
    let read = limit + 1;
    let before = Cursor::parse(query.cursor.as_deref())?.major;
    let from = query.from.map_or(i64::MIN, |w| w.0);
    let until = query.until.map_or(i64::MAX, |w| w.0);
    let about = &query.about;
    // One statement for each way in, so that each walks its own index newest first.
    let rows = match (&query.who, &query.action) {
        (Some(who), action) => {
            sqlx::query_as!(
                Row,
                "SELECT * FROM audit WHERE who = ?1 AND seq < ?2 AND at_ms >= ?3 AND at_ms < ?4
                   AND (?5 IS NULL OR action = ?5) AND (?6 IS NULL OR (instr(object, ?6) > 0 OR instr(reason, ?6) > 0
                   OR instr(detail, ?6) > 0 OR instr(address, ?6) > 0))
                 ORDER BY seq DESC LIMIT ?7",
                who,
                before,
                from,
                until,
                action,
                about,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, Some(action)) => {
            sqlx::query_as!(
                Row,
                "SELECT * FROM audit WHERE action = ?1 AND seq < ?2 AND at_ms >= ?3 AND at_ms < ?4
                   AND (?5 IS NULL OR (instr(object, ?5) > 0 OR instr(reason, ?5) > 0
                   OR instr(detail, ?5) > 0 OR instr(address, ?5) > 0))
                 ORDER BY seq DESC LIMIT ?6",
                action,
                before,
                from,
                until,
                about,
                read
            )
            .fetch_all(pool)
            .await?
        }
        (None, None) => {
            sqlx::query_as!(
                Row,
                "SELECT * FROM audit WHERE seq < ?1 AND at_ms >= ?2 AND at_ms < ?3
                   AND (?4 IS NULL OR (instr(object, ?4) > 0 OR instr(reason, ?4) > 0
                   OR instr(detail, ?4) > 0 OR instr(address, ?4) > 0))
                 ORDER BY seq DESC LIMIT ?5",
                before,
                from,
                until,
                about,
                read
            )
            .fetch_all(pool)
            .await?
        }
    };
    let rows = rows.into_iter().map(Row::record).collect::<Result<Vec<_>, _>>()?;
    Ok(page(rows, limit, |r| Cursor { major: i64::try_from(r.seq).unwrap_or(i64::MAX), minor: 0 }))
}

/// The number of the first record that does not fit, if any.
pub(crate) async fn verify(pool: &SqlitePool, vault: &Vault) -> Result<Option<u64>, Fault> {
    // One reading transaction: records appended meanwhile neither disturb nor count.
    let mut tx = pool.begin().await?;
    let mut last = 0;
    let mut hash = [0; 32];
    loop {
        let rows = sqlx::query_as!(Row, "SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", last, STRETCH)
            .fetch_all(&mut *tx)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let found = row.record()?;
            let seq = last + 1;
            hash = chain(&hash, seq, &found.entry);
            if found.seq != count(seq)? || found.hash != hash {
                return Ok(Some(count(seq)?));
            }
            last = seq;
        }
    }
    let head = sqlx::query!("SELECT seq, seal FROM audit_head").fetch_optional(&mut *tx).await?;
    Ok(match head {
        None if last == 0 => None,
        Some(head) if head.seq == last && vault.vouches(&head.seal, &head_context(last, &hash)) => None,
        // The end was cut off, or records were added without us.
        Some(head) => Some(count(head.seq.min(last) + i64::from(head.seq != last))?),
        None => Some(1),
    })
}

/// Records on any of these objects, newest first, each with the hash before it.
pub(crate) async fn of(
    pool: &SqlitePool,
    objects: &[String],
    before: Option<u64>,
    most: u32,
) -> Result<Vec<AuditLink>, Fault> {
    let objects = serde_json::to_string(objects)?;
    let before = before.and_then(|seq| i64::try_from(seq).ok()).unwrap_or(i64::MAX);
    let most = limit(most);
    // One reading transaction: both readings see the same log.
    let mut tx = pool.begin().await?;
    let rows = sqlx::query_as!(
        Row,
        "SELECT * FROM audit WHERE object IN (SELECT value FROM json_each(?)) AND seq < ? ORDER BY seq DESC LIMIT ?",
        objects,
        before,
        most
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut links = Vec::with_capacity(rows.len());
    for row in rows {
        let record = row.record()?;
        let previous = match record.seq {
            1 => Some([0; 32]),
            seq => hash(&mut tx, seq - 1).await?,
        };
        let previous = previous.ok_or(Fault::Damaged("a record of the audit log is missing"))?;
        links.push(AuditLink { record, previous });
    }
    Ok(links)
}

/// The newest record of the log.
pub(crate) async fn head(pool: &SqlitePool) -> Result<Option<(u64, [u8; 32])>, Fault> {
    let row = sqlx::query!("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetch_optional(pool).await?;
    row.map(|row| Ok((count(row.seq)?, hash_of(row.hash)?))).transpose()
}

/// The hash of one record of the log.
pub(crate) async fn hash(connection: &mut SqliteConnection, seq: u64) -> Result<Option<[u8; 32]>, Fault> {
    let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
    let hash = sqlx::query_scalar!("SELECT hash FROM audit WHERE seq = ?", seq).fetch_optional(connection).await?;
    hash.map(hash_of).transpose()
}

/// SHA-256 over the hash before, the number and the entry.
fn chain(previous: &[u8; 32], seq: i64, entry: &AuditEntry) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"sharpeyes audit 1\n");
    hash.update(previous);
    hash.update(seq.to_be_bytes());
    hash.update(entry.canonical());
    hash.finalize().into()
}

pub(crate) fn head_context(seq: i64, hash: &[u8; 32]) -> Vec<u8> {
    [&b"sharpeyes audit head "[..], &seq.to_be_bytes(), hash].concat()
}

fn cut(mut entry: AuditEntry) -> AuditEntry {
    let AuditEntry { at: _, who, who_detail, address, action, object, reason, success: _, detail } = &mut entry;
    for text in [who, who_detail, address, action, object, reason, detail] {
        if let Some((end, _)) = text.char_indices().nth(LONGEST) {
            text.truncate(end);
        }
    }
    entry
}

fn count(seq: i64) -> Result<u64, Fault> {
    u64::try_from(seq).map_err(|_| Fault::Damaged("a negative number in the audit log"))
}

fn hash_of(bytes: Vec<u8>) -> Result<[u8; 32], Fault> {
    bytes.try_into().map_err(|_| Fault::Damaged("a hash in the audit log is not 32 bytes"))
}

fn record(seq: i64, entry: AuditEntry, hash: [u8; 32]) -> Result<AuditRecord, Fault> {
    Ok(AuditRecord { seq: count(seq)?, entry, hash })
}

/// The table's columns.
struct Row {
    seq: i64,
    at_ms: i64,
    who: String,
    who_detail: String,
    address: String,
    action: String,
    object: String,
    reason: String,
    success: i64,
    detail: String,
    hash: Vec<u8>,
}

impl Row {
    fn record(self) -> Result<AuditRecord, Fault> {
        let entry = AuditEntry {
            at: Wall(self.at_ms),
            who: self.who,
            who_detail: self.who_detail,
            address: self.address,
            action: self.action,
            object: self.object,
            reason: self.reason,
            success: self.success != 0,
            detail: self.detail,
        };
        record(self.seq, entry, hash_of(self.hash)?)
    }
}
