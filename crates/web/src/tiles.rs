//! The ground of the map: one PMTiles file (version 3) of the county, of which browsers ask the ranges they need.
//!
//! Looked at when the node starts, so that a wrong file is told of there and not by a map that stays empty.

use bytes::Bytes;
use std::{
    fs::File,
    io,
    ops::RangeInclusive,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

/// Length of the header (PMTiles 3, section 3).
const HEADER: usize = 127;
/// Most bytes told at once. Directories and tiles have some hundred kilobytes.
const MOST: u64 = 8 << 20;
const KINDS: [(u8, &str); 5] = [(1, "vector"), (2, "png"), (3, "jpeg"), (4, "webp"), (5, "avif")];

/// Why a file cannot be the ground of the map.
#[derive(Debug, thiserror::Error)]
pub enum TilesError {
    /// It cannot be read.
    #[error("cannot read {}: {why}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It is something else, or cut off.
    #[error("{} {what}", file.display())]
    Unfit {
        /// Which.
        file: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
}

/// A file of map tiles.
#[derive(Debug)]
pub struct Tiles {
    file: File,
    pub(crate) length: u64,
    pub(crate) etag: String,
    pub(crate) kind: &'static str,
    pub(crate) zooms: (u8, u8),
    /// West, south, east, north, in degrees.
    pub(crate) bounds: [f64; 4],
    pub(crate) attribution: String,
    /// Its places are shifted as Chinese maps are (GCJ-02).
    pub(crate) gcj02: bool,
}

impl PartialEq for Tiles {
    fn eq(&self, other: &Tiles) -> bool {
        (&self.etag, &self.attribution, self.gcj02) == (&other.etag, &other.attribution, other.gcj02)
    }
}

impl Tiles {
    /// Opens a PMTiles file. `attribution` is shown on the map, as most maps' licences ask.
    ///
    /// # Errors
    /// It cannot be read, is no PMTiles file of version 3, of a kind that browsers cannot show, or cut off.
    pub fn open(path: &Path, attribution: &str, gcj02: bool) -> Result<Tiles, TilesError> {
        let unreadable = |why| TilesError::Unreadable { file: path.to_owned(), why };
        let unfit = |what| TilesError::Unfit { file: path.to_owned(), what };
        let file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        if !about.is_file() {
            return Err(unfit("is no file"));
        }
        let mut head = [0; HEADER];
        if about.len() < HEADER as u64 {
            return Err(unfit("is shorter than a PMTiles header"));
        }
        file.read_exact_at(&mut head, 0).map_err(unreadable)?;
        if &head[..7] != b"PMTiles" {
            return Err(unfit("is no PMTiles file"));
        }
        if head[7] != 3 {
            return Err(unfit("is PMTiles of another version than 3; convert it with `pmtiles convert`"));
        }
        let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let degrees = |at: usize| f64::from(i32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes"))) / 1e7;
        // Offset and length of root directory, metadata, leaf directories, tiles.
        let fits = |at: &usize| long(*at).checked_add(long(at + 8)).is_some_and(|end| end <= about.len());
        if ![8, 24, 40, 56].iter().all(fits) {
            return Err(unfit("is cut off: its header tells of more bytes than it has"));
        }
        // Compression: 1 is none, 2 is gzip.
        if !matches!(head[97], 1 | 2) {
            return Err(unfit("has directories compressed otherwise than with gzip, which browsers cannot read"));
        }
        let Some((_, kind)) = KINDS.iter().find(|(code, _)| *code == head[99]) else {
            return Err(unfit("holds tiles of a kind that browsers cannot show"));
        };
        if *kind == "vector" && !matches!(head[98], 1 | 2) {
            return Err(unfit("has tiles compressed otherwise than with gzip, which browsers cannot read"));
        }
        let bounds = [102, 106, 110, 114].map(degrees);
        let sane = bounds[0] < bounds[2] && bounds[1] < bounds[3] && bounds.iter().all(|b| b.abs() <= 180.0);
        if !sane || head[100] > head[101] {
            return Err(unfit("tells bounds or zoom levels that cannot be"));
        }
        let changed = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        Ok(Tiles {
            file,
            length: about.len(),
            etag: format!("\"{:x}-{:x}\"", about.len(), changed.as_nanos()),
            kind,
            zooms: (head[100], head[101]),
            bounds,
            attribution: attribution.to_owned(),
            gcj02,
        })
    }

    /// Bytes of a range, its end cut to what there is and may be told at once; `None` if nothing of it is there.
    pub(crate) async fn read(self: &Arc<Tiles>, range: RangeInclusive<u64>) -> Option<io::Result<Bytes>> {
        let (from, last) = (*range.start(), (*range.end()).min(self.length - 1));
        if from > last {
            return None;
        }
        let length = (last - from + 1).min(MOST) as usize;
        let tiles = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length];
            tiles.file.read_exact_at(&mut bytes, from).map(|()| Bytes::from(bytes))
        });
        Some(read.await.unwrap_or_else(|e| Err(io::Error::other(e))))
    }
}

/// The range of a `Range` header: one, from an offset, `bytes=0-16383`.
pub(crate) fn range(header: &str) -> Option<RangeInclusive<u64>> {
    let (from, last) = header.trim().strip_prefix("bytes=")?.split_once('-')?;
    let from: u64 = from.trim().parse().ok()?;
    let last = if last.trim().is_empty() { u64::MAX } else { last.trim().parse().ok()? };
    (from <= last).then_some(from..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Vec<u8> {
        let mut head = vec![0; HEADER];
        head[..8].copy_from_slice(b"PMTiles\x03");
        for (at, (offset, length)) in [8, 24, 40, 56].into_iter().zip([(127u64, 5u64), (132, 2), (134, 0), (134, 6)]) {
            head[at..at + 8].copy_from_slice(&offset.to_le_bytes());
            head[at + 8..at + 16].copy_from_slice(&length.to_le_bytes());
        }
        (head[97], head[98], head[99], head[100], head[101]) = (2, 2, 1, 0, 14);
        for (at, degrees) in [(102, 112.0f64), (106, 30.0), (110, 113.0), (114, 31.0)] {
            head[at..at + 4].copy_from_slice(&((degrees * 1e7) as i32).to_le_bytes());
        }
        head.extend_from_slice(b"0123456789abc");
        head
    }

    #[test]
    fn a_file_is_known_by_its_header_and_a_wrong_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("county.pmtiles");
        let open = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Tiles::open(&path, "© OpenStreetMap", false)
        };
        let tiles = open(&header()).unwrap();
        assert_eq!((tiles.kind, tiles.zooms, tiles.length), ("vector", (0, 14), 140));
        assert_eq!(tiles.bounds, [112.0, 30.0, 113.0, 31.0]);
        let wrong = [
            (0, b'X', "no PMTiles"),
            (7, 2, "version"),
            (63, 1, "cut off"),
            (97, 4, "gzip"),
            (98, 3, "gzip"),
            (99, 0, "kind"),
            (105, 0x7f, "bounds"),
            (100, 15, "zoom"),
        ];
        for (at, value, word) in wrong {
            let mut head = header();
            head[at] = value;
            let told = open(&head).unwrap_err().to_string();
            assert!(told.contains(word), "{at}: {told}");
        }
        for length in 0..139 {
            assert!(open(&header()[..length]).is_err(), "{length}");
        }
        assert!(Tiles::open(folder.path(), "", false).is_err());
        assert!(
            Tiles::open(&folder.path().join("none"), "", false).unwrap_err().to_string().starts_with("cannot read")
        );
    }

    #[test]
    fn ranges_are_read_as_browsers_write_them() {
        assert_eq!(range("bytes=0-126"), Some(0..=126));
        assert_eq!(range("bytes=5-"), Some(5..=u64::MAX));
        for other in
            ["", "bytes=-5", "bytes=9-5", "bytes=0-1,4-5", "items=0-1", "bytes=a-b", "bytes=1-99999999999999999999"]
        {
            assert_eq!(range(other), None, "{other}");
        }
    }
}
