//! The archive's folder: where each file lies, who may open it, and how its names become durable.

use crate::{ArchiveError, remote::is_far};
use fleet::Wall;
use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Highest number of a segment: a thousand years of one each second, and far from where numbers end.
pub(crate) const NUMBER_MAX: u64 = 99_999_999_999;

/// One UTC day, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) i32);

impl Day {
    pub(crate) fn of(at: Wall) -> Day {
        Day(i32::try_from(at.0.clamp(0, crate::record::SLOT_MAX) / DAY_MS).expect("bounded by the year 9999"))
    }

    /// The first instant of the day.
    pub(crate) fn start(self) -> Wall {
        Wall(i64::from(self.0) * DAY_MS)
    }

    /// The day named like `2026-11-24`.
    pub(crate) fn parse(name: &str) -> Option<Day> {
        let date: jiff::civil::Date = name.parse().ok()?;
        let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
        let day = Day::of(Wall(at));
        (day.to_string() == name).then_some(day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = jiff::Timestamp::from_millisecond(self.start().0).unwrap_or_default();
        write!(f, "{}", at.to_zoned(jiff::tz::TimeZone::UTC).date())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hours since 1970, by which segments are cut.
pub(crate) fn hour(at: Wall) -> i64 {
    at.0.div_euclid(HOUR_MS)
}

/// Knows every name in the folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Folder {
        Folder { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.root.join("node.key")
    }

    pub(crate) fn next_key(&self) -> PathBuf {
        self.root.join("node.key.next")
    }

    pub(crate) fn public_key(&self) -> PathBuf {
        self.root.join("node.pub")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    pub(crate) fn catalog(&self) -> PathBuf {
        self.index().join("catalog.db")
    }

    pub(crate) fn day_index(&self, day: Day) -> PathBuf {
        self.index().join(format!("{day}.db"))
    }

    pub(crate) fn last_check(&self) -> PathBuf {
        self.root.join("last-check.json")
    }

    pub(crate) fn remote(&self) -> PathBuf {
        self.root.join("remote.json")
    }

    pub(crate) fn upload(&self) -> PathBuf {
        self.root.join("upload.json")
    }

    pub(crate) fn holds(&self) -> PathBuf {
        self.root.join("holds.json")
    }

    pub(crate) fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    pub(crate) fn manifest(&self, day: Day) -> PathBuf {
        self.manifests().join(format!("{day}.txt"))
    }

    /// The time stamp over a day's manifest.
    pub(crate) fn stamp(&self, day: Day) -> PathBuf {
        self.manifests().join(format!("{day}.tst"))
    }

    /// Whether there is anything that a key has signed, or is to sign.
    pub(crate) fn has_signed(&self) -> Result<bool, ArchiveError> {
        Ok(!Folder::days(&self.manifests(), "txt")?.is_empty() || !self.segments()?.is_empty())
    }

    /// Where a segment begun at `at` goes.
    pub(crate) fn new_segment(&self, number: u64, at: Wall) -> PathBuf {
        let day = Day::of(at).to_string();
        let hour = at.0.rem_euclid(DAY_MS) / HOUR_MS;
        let mut path = self.root.join("segments");
        path.extend(day.split('-'));
        path.join(format!("{hour:02}-{number:010}.seg"))
    }

    /// The name of a file relative to the folder, for messages and for the catalog.
    pub(crate) fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    /// Every segment file by its number; the skeleton of one whose pictures are in the object store. While both are
    /// there, the segment itself. Files with other names are not ours and are left alone.
    pub(crate) fn segments(&self) -> Result<BTreeMap<u64, PathBuf>, ArchiveError> {
        let mut found = BTreeMap::new();
        let mut folders = vec![(self.root.join("segments"), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(ArchiveError::io("list", &folder))? {
                let entry = entry.map_err(ArchiveError::io("list", &folder))?;
                let kind = entry.file_type().map_err(ArchiveError::io("look at", entry.path()))?;
                if kind.is_dir() && depth < 3 {
                    folders.push((entry.path(), depth + 1));
                } else if kind.is_file()
                    && let Some(number) = segment_number(&entry.path())
                    && !(is_far(&entry.path()) && found.contains_key(&number))
                {
                    found.insert(number, entry.path());
                }
            }
        }
        Ok(found)
    }

    /// Every day that has a file `<day>.<extension>` in `folder`.
    pub(crate) fn days(folder: &Path, extension: &str) -> Result<Vec<Day>, ArchiveError> {
        let mut days = Vec::new();
        for entry in fs::read_dir(folder).map_err(ArchiveError::io("list", folder))? {
            let path = entry.map_err(ArchiveError::io("list", folder))?.path();
            if path.extension().is_some_and(|e| e == extension) {
                days.extend(path.file_stem().and_then(|s| s.to_str()).and_then(Day::parse));
            }
        }
        days.sort_unstable();
        Ok(days)
    }

    /// Makes the folders, if they are not there yet.
    pub(crate) fn prepare(&self) -> Result<(), ArchiveError> {
        for folder in [self.root.join("segments"), self.index(), self.manifests()] {
            make_folders(&folder).map_err(ArchiveError::io("create", &folder))?;
        }
        Ok(())
    }

    /// Free and total bytes of the disk, and the share in use in percent, as this user sees them.
    pub(crate) fn space(&self) -> Result<Space, ArchiveError> {
        let stat = rustix::fs::statvfs(&self.root).map_err(|e| ArchiveError::io("look at", &self.root)(e.into()))?;
        Ok(Space { free: stat.f_bavail * stat.f_frsize, used: (stat.f_blocks - stat.f_bfree) * stat.f_frsize })
    }
}

/// Room on the disk, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    pub(crate) free: u64,
    pub(crate) used: u64,
}

impl Space {
    /// Share in use of what this user may use, in percent.
    pub(crate) fn used_percent(self) -> u64 {
        (u128::from(self.used) * 100 / u128::from((self.used + self.free).max(1))).try_into().unwrap_or(100)
    }
}

fn segment_number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".seg").or_else(|| name.strip_suffix(".far"))?;
    let (hour, number) = stem.split_once('-')?;
    let digits = |text: &str, length: usize| text.len() >= length && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour, 2) || !digits(number, 10) {
        return None;
    }
    number.parse().ok().filter(|number| *number <= NUMBER_MAX)
}

/// Holds the folder for this process. The kernel lets go of it however the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(folder: &Folder) -> Result<Lock, ArchiveError> {
        let path = folder.root().join("lock");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(ArchiveError::io("open", &path))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                let _ = file.take(32).read_to_string(&mut text);
                let holder = match text.trim().parse::<u32>() {
                    Ok(pid) => format!("process {pid}"),
                    Err(_) => "another process".to_owned(),
                };
                return Err(ArchiveError::Locked { folder: folder.root().to_owned(), holder });
            }
            Err(e) => return Err(ArchiveError::io("lock", &path)(e.into())),
        }
        // Only for the message above; that it may be stale or lost does no harm.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

/// Makes the names in a folder durable. A file's own fsync does not promise that its name is.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes a folder and those above it, each name durable.
pub(crate) fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    make_folders(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
    match fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Puts a whole file in place: after a crash there is the old one or the new one, never a part.
pub(crate) fn replace_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let parent = path.parent().unwrap_or(Path::new("."));
    let draft = path.with_extension("new");
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written.and_then(|()| sync_folder(parent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_segments_have_readable_names() {
        let at = Wall(1_795_478_400_000 + 3 * HOUR_MS + 5);
        assert_eq!(Day::of(at).to_string(), "2026-11-24");
        assert_eq!(Day::parse("2026-11-24"), Some(Day::of(at)));
        for not_a_day in ["2026-11-31", "2026-1-2", "catalog", "2026-11-24T00", ""] {
            assert_eq!(Day::parse(not_a_day), None, "{not_a_day}");
        }
        let path = Folder::new(Path::new("a")).new_segment(42, at);
        assert_eq!(path, Path::new("a/segments/2026/11/24/03-0000000042.seg"));
        assert_eq!(segment_number(&path), Some(42));
        assert_eq!(segment_number(&path.with_extension("far")), Some(42));
        for not_ours in [
            "x.seg",
            "03-42.seg",
            "03-0000000042.seg.new",
            "-0000000042.seg",
            "03-000000004x.seg",
            "00-18446744073709551615.seg",
        ] {
            assert_eq!(segment_number(Path::new(not_ours)), None, "{not_ours}");
        }
    }

    #[test]
    fn a_folder_is_held_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path());
        let first = Lock::take(&folder).unwrap();
        let second = Lock::take(&folder).unwrap_err().to_string();
        assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
        drop(first);
        Lock::take(&folder).unwrap();
    }
}
