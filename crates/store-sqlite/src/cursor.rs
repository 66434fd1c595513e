//! Where a page ended, as opaque text: two numbers that name its last row. Hostile until parsed.

use crate::error::Fault;
use store::StoreError;

/// The last row of a page by its two sort keys; the next page begins after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cursor {
    pub(crate) major: i64,
    pub(crate) minor: i64,
}

impl Cursor {
    /// Before the newest row there can be.
    pub(crate) const START: Cursor = Cursor { major: i64::MAX, minor: i64::MAX };

    pub(crate) fn parse(text: Option<&str>) -> Result<Cursor, Fault> {
        let Some(text) = text else { return Ok(Cursor::START) };
        let invalid = || Fault::Store(StoreError::Invalid("this is not a cursor from an earlier page".into()));
        if text.len() > 64 {
            return Err(invalid());
        }
        let (major, minor) = text.split_once('_').ok_or_else(invalid)?;
        Ok(Cursor { major: major.parse().map_err(|_| invalid())?, minor: minor.parse().map_err(|_| invalid())? })
    }

    pub(crate) fn text(self) -> String {
        format!("{}_{}", self.major, self.minor)
    }
}

/// Cuts rows, of which one more than asked was read, to a page.
pub(crate) fn page<T>(mut rows: Vec<T>, limit: i64, key: impl Fn(&T) -> Cursor) -> store::Page<T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|last| key(last).text());
    store::Page { items: rows, next }
}

/// How many rows to give: what was asked, within 1 to 1,000.
pub(crate) fn limit(asked: u32) -> i64 {
    i64::from(asked.clamp(1, 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_their_way_and_nothing_else_does() {
        for cursor in [Cursor::START, Cursor { major: -5, minor: 0 }, Cursor { major: i64::MIN, minor: 7 }] {
            assert_eq!(Cursor::parse(Some(&cursor.text())).unwrap(), cursor);
        }
        for hostile in ["", "_", "1", "1_", "1_2_3", "x_y", "1 _2", "99999999999999999999_1", "1_2' OR 1=1", "一_二"]
        {
            assert!(Cursor::parse(Some(hostile)).is_err(), "{hostile:?}");
        }
        assert!(Cursor::parse(Some(&"1".repeat(100_000))).is_err());
    }
}
