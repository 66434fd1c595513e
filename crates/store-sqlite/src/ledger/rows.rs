//! Rows of roll-ups: tallies as columns.

use crate::error::{Fault, number, word};
use fleet::{CameraId, Cause};
use health::ledger::{Carry, Tally};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, sqlite::SqliteRow};

/// Level of the rows of hours.
pub(super) const HOURS: i64 = 0;
/// Level of the rows of days.
pub(super) const DAYS: i64 = 1;
/// Level of the rows of months.
pub(super) const MONTHS: i64 = 2;

/// Rows of one statement. Few: finding a value's place takes SQLite longer the more of them a statement has.
const ROWS_AT_ONCE: usize = 32;

/// The columns of a tally, summed up; `$standing` says how the outages that stood at the beginning are.
macro_rules! sums {
    ($standing:literal) => {
        concat!(
            "sum(online), sum(impaired), sum(offline), sum(unknown), sum(paused), sum(excused), sum(s_online), \
             sum(s_impaired), sum(s_offline), sum(s_unknown), sum(s_paused), sum(s_excused), sum(day_up), \
             sum(day_judged), sum(days_complete), sum(days_incomplete), ",
            $standing,
            ", sum(began), sum(repeats), sum(ended), sum(repair_ms), sum(due), sum(in_time), sum(stored), sum(gaps)"
        )
    };
}
pub(super) use sums;

/// One row to be written.
pub(super) struct Rolled {
    pub(super) level: i64,
    pub(super) start: i64,
    pub(super) camera: i64,
    pub(super) tally: Tally,
    pub(super) carry: Option<Carry>,
}

/// Writes rows in place of those with the same keys, and the faults of their pictures, of which none may be there.
pub(super) async fn put(tx: &mut SqliteConnection, rows: &[Rolled]) -> Result<(), Fault> {
    for some in rows.chunks(ROWS_AT_ONCE) {
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new("INSERT OR REPLACE INTO ledger_roll ");
        query.push_values(some, |mut values, row| {
            values.push_bind(row.level).push_bind(row.start).push_bind(row.camera);
            for value in columns(&row.tally) {
                values.push_bind(value);
            }
            let outage = row.carry.and_then(|c| c.outage);
            values.push_bind(outage.map(|o| o.since.0)).push_bind(outage.map(|o| o.down_ms));
            values.push_bind(row.carry.and_then(|c| c.last_end).map(|e| e.0));
        });
        // Whole statements are all the same and are kept; the last one is of its own length.
        query.build().persistent(some.len() == ROWS_AT_ONCE).execute(&mut *tx).await?;
    }
    for row in rows {
        for (cause, millis) in &row.tally.picture {
            let cause = cause.code();
            sqlx::query!(
                "INSERT OR REPLACE INTO ledger_picture (level, start_ms, camera, cause, millis) VALUES (?, ?, ?, ?, ?)",
                row.level,
                row.start,
                row.camera,
                cause,
                millis
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// A tally from 25 columns that begin at `at`.
pub(super) fn tally(row: &SqliteRow, at: usize) -> Result<Tally, Fault> {
    let mut values = [0_i64; 25];
    for (i, value) in values.iter_mut().enumerate() {
        *value = row.try_get(at + i)?;
    }
    let millis = [values[0], values[1], values[2], values[3], values[4], values[5]];
    let mut samples = [0; 6];
    for (sample, value) in samples.iter_mut().zip(&values[6..12]) {
        *sample = number(*value)?;
    }
    Ok(Tally {
        millis,
        picture: std::collections::BTreeMap::new(),
        samples,
        day_up: number(values[12])?,
        day_judged: number(values[13])?,
        days_complete: number(values[14])?,
        days_incomplete: number(values[15])?,
        standing: number(values[16])?,
        began: number(values[17])?,
        repeats: number(values[18])?,
        ended: number(values[19])?,
        repair_ms: values[20],
        due: number(values[21])?,
        in_time: number(values[22])?,
        stored: number(values[23])?,
        gaps: number(values[24])?,
    })
}

/// A camera's number from a column.
pub(super) fn camera(row: &SqliteRow, at: usize) -> Result<CameraId, Fault> {
    Ok(CameraId(number(row.try_get(at)?)?))
}

/// A cause from a column.
pub(super) fn cause(row: &SqliteRow, at: usize) -> Result<Cause, Fault> {
    word(row.try_get::<&str, _>(at)?, Cause::from_code)
}

/// A tally as its columns, in the order of the table.
fn columns(t: &Tally) -> [i64; 25] {
    let [online, impaired, offline, unknown, paused, excused] = t.millis;
    let [s0, s1, s2, s3, s4, s5] = t.samples.map(i64::from);
    [
        online,
        impaired,
        offline,
        unknown,
        paused,
        excused,
        s0,
        s1,
        s2,
        s3,
        s4,
        s5,
        t.day_up.into(),
        t.day_judged.into(),
        t.days_complete.into(),
        t.days_incomplete.into(),
        t.standing.into(),
        t.began.into(),
        t.repeats.into(),
        t.ended.into(),
        t.repair_ms,
        t.due.into(),
        t.in_time.into(),
        t.stored.into(),
        t.gaps.into(),
    ]
}
