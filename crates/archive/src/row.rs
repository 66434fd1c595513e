//! A row of a day index: what a record's header says, and where the record lies.

use crate::{
    Entry, Gap, SnapshotId, SnapshotRef,
    record::{
        About, Header, Missed, Taken, class_number, class_of, codec_number, codec_of, status_number, status_of,
        stream_number, stream_of,
    },
};
use fleet::{CameraClock, CameraId, Cause, Wall};
use sqlx::{QueryBuilder, Row as _, Sqlite, query_builder::Separated, sqlite::SqliteRow};

/// A snapshot's row says 1, a gap's 2.
pub(crate) const SNAPSHOT: i64 = 1;
/// See [`SNAPSHOT`].
pub(crate) const GAP: i64 = 2;

/// The columns in the order in which [`Row::bind`] and [`Row::read`] go through them.
pub(crate) const COLUMNS: &str = "slot, camera, kind, class, status, cause, stream, captured, captured_mono, camera_clock, clock_within, codec, width, \
     height, bytes, sha256, segment, at, detail, slots, \
     every, last";

/// Columns of a row, as many as [`COLUMNS`] names.
pub(crate) const WIDTH: usize = 22;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Row {
    pub(crate) header: Header,
    pub(crate) detail: String,
}

/// A row's codec is that of the picture and so many times that of what the camera had sent, if that was another.
const CONVERTED: u8 = 16;

fn coding(taken: &Taken) -> i64 {
    i64::from(codec_number(taken.codec) + CONVERTED * taken.converted_from.map_or(0, codec_number))
}

/// What a record is known by: the instant it was wanted for, and the camera.
pub(crate) type Key = (i64, u32);

impl Row {
    pub(crate) fn key(&self) -> Key {
        (self.header.slot.0, self.header.camera.0)
    }

    pub(crate) fn is_gap(&self) -> bool {
        matches!(self.header.about, About::Gap(_))
    }

    /// Where the record lies.
    pub(crate) fn place(&self) -> (u64, u64) {
        (self.header.segment, self.header.offset)
    }

    pub(crate) fn bind(&self, values: &mut Separated<'_, Sqlite, &'static str>) {
        let h = &self.header;
        let (taken, cause, many) = match &h.about {
            About::Snapshot(taken) => (Some(taken), taken.cause, None),
            About::Gap(missed) => (None, Some(missed.cause), Some(missed).filter(|missed| missed.slots > 1)),
        };
        values
            .push_bind(h.slot.0)
            .push_bind(i64::from(h.camera.0))
            .push_bind(if taken.is_some() { SNAPSHOT } else { GAP })
            .push_bind(taken.map(|t| i64::from(class_number(t.class))))
            .push_bind(taken.map(|t| i64::from(status_number(t.status))))
            .push_bind(cause.map(Cause::code))
            .push_bind(taken.map(|t| i64::from(stream_number(t.stream))))
            .push_bind(taken.map(|t| t.captured.0))
            .push_bind(taken.map(|t| t.captured_mono.cast_signed()))
            .push_bind(taken.and_then(|t| t.camera_clock).map(|c| c.at.0))
            .push_bind(taken.and_then(|t| t.camera_clock).map(|c| i64::from(c.uncertainty_ms)))
            .push_bind(taken.map(coding))
            .push_bind(taken.map(|t| i64::from(t.width)))
            .push_bind(taken.map(|t| i64::from(t.height)))
            .push_bind(i64::from(h.payload))
            .push_bind(h.sha256.to_vec())
            .push_bind(h.segment.cast_signed())
            .push_bind(h.offset.cast_signed())
            .push_bind((!self.detail.is_empty()).then(|| self.detail.clone()))
            .push_bind(many.map(|missed| i64::from(missed.slots)))
            .push_bind(many.map(|missed| i64::from(missed.every_ms)))
            .push_bind(many.map(|missed| missed.last(h.slot).0));
    }

    /// Reads a row; `None` if a value in it is not one that we write.
    pub(crate) fn read(row: &SqliteRow) -> Option<Row> {
        let int = |at: usize| row.try_get::<i64, _>(at).ok();
        let small = |at: usize| int(at).and_then(|n| u8::try_from(n).ok());
        let wide = |at: usize| int(at).and_then(|n| u32::try_from(n).ok());
        let optional = |at: usize| row.try_get::<Option<i64>, _>(at).ok();
        let cause = match row.try_get::<Option<String>, _>(5).ok()? {
            Some(code) => Some(Cause::from_code(&code)?),
            None => None,
        };
        let about = match int(2)? {
            SNAPSHOT => About::Snapshot(Taken {
                class: class_of(small(3)?)?,
                status: status_of(small(4)?)?,
                cause,
                stream: stream_of(small(6)?)?,
                captured: Wall(int(7)?),
                captured_mono: int(8)?.cast_unsigned(),
                camera_clock: match (optional(9)?, optional(10)?) {
                    (Some(at), Some(within)) => {
                        Some(CameraClock { at: Wall(at), uncertainty_ms: u32::try_from(within).ok()? })
                    }
                    (None, None) => None,
                    _ => return None,
                },
                codec: codec_of(small(11)? % CONVERTED)?,
                converted_from: match small(11)? / CONVERTED {
                    0 => None,
                    from => Some(codec_of(from)?),
                },
                width: wide(12)?,
                height: wide(13)?,
            }),
            GAP => About::Gap(match (optional(19)?, optional(20)?) {
                (None, None) => Missed::one(cause?),
                (Some(slots), Some(every)) => {
                    Missed { cause: cause?, slots: slots.try_into().ok()?, every_ms: every.try_into().ok()? }
                }
                _ => return None,
            }),
            _ => return None,
        };
        let header = Header {
            slot: Wall(int(0)?),
            camera: CameraId(wide(1)?),
            payload: wide(14)?,
            sha256: row.try_get::<Vec<u8>, _>(15).ok()?.try_into().ok()?,
            segment: int(16)?.cast_unsigned(),
            offset: int(17)?.cast_unsigned(),
            about,
        };
        Some(Row { header, detail: row.try_get::<Option<String>, _>(18).ok()?.unwrap_or_default() })
    }

    /// What callers see of it.
    pub(crate) fn entry(self) -> Entry {
        let h = self.header;
        match h.about {
            About::Snapshot(taken) => Entry::Snapshot(SnapshotRef {
                id: SnapshotId::new(h.camera, h.slot, &h.sha256),
                camera: h.camera,
                stream: taken.stream,
                slot: h.slot,
                class: taken.class,
                captured: taken.captured,
                camera_clock: taken.camera_clock,
                codec: taken.codec,
                converted_from: taken.converted_from,
                width: taken.width,
                height: taken.height,
                bytes: h.payload,
                sha256: h.sha256,
                status: taken.status,
                cause: taken.cause,
            }),
            About::Gap(Missed { cause, slots, every_ms }) => {
                Entry::Gap(Gap { camera: h.camera, slot: h.slot, slots, every_ms, cause, detail: self.detail })
            }
        }
    }
}

/// The statement that puts rows into a day index. Of two records with one key the first stays, only a snapshot takes
/// the place of a gap: so any order of writing and any rebuild lead to the same rows.
pub(crate) fn insert(rows: &[Row]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("INSERT INTO entry (");
    query.push(COLUMNS).push(") ");
    query.push_values(rows, |mut values, row| row.bind(&mut values));
    query.push(
        " ON CONFLICT (slot, camera) DO UPDATE SET kind = excluded.kind, class = excluded.class, \
         status = excluded.status, cause = excluded.cause, stream = excluded.stream, captured = excluded.captured, \
         captured_mono = excluded.captured_mono, camera_clock = excluded.camera_clock, \
         clock_within = excluded.clock_within, codec = excluded.codec, \
         width = excluded.width, height = excluded.height, bytes = excluded.bytes, sha256 = excluded.sha256, \
         segment = excluded.segment, at = excluded.at, detail = excluded.detail, slots = excluded.slots, \
         every = excluded.every, last = excluded.last \
         WHERE entry.kind = 2 AND excluded.kind = 1",
    );
    query
}
