//! Segment files: making one, appending to it, sealing it, and reading what others wrote.
//!
//! The rules that make a crash harmless:
//! * records are only ever appended, and a batch counts as written after `fdatasync` returned without error;
//! * the name of a new file is made durable before the first batch in it counts;
//! * after an error of a write or a flush nothing more is written through that file: the kernel may have dropped the
//!   dirty pages and would call a second flush a success;
//! * a batch ends with a mark, this node's word for it: see [`mark`](crate::mark);
//! * a file that was not sealed is never appended to again after a restart: it is recovered and sealed.

use crate::{
    folder::{make_folders, sync_folder},
    mark::{MAGIC, MARK, Mark, Witness},
    merkle,
    policy::Shelf,
    record::{self, Fault, HEADER, Header},
    seal::{self, Footer, Kept, OPENING, RECORDS_MAX, SEAL, Seal},
};
use fleet::Wall;
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The segment that is being written.
pub(crate) struct OpenSegment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) created: Wall,
    file: File,
    limit: u64,
    tail: u64,
    footer: Footer,
    witness: Witness,
    /// The word of the last mark.
    word: merkle::Hash,
    #[cfg(test)]
    pub(crate) fail_next_sync: bool,
}

impl OpenSegment {
    /// Creates a segment with room for `limit` bytes and at least one batch of `batch` bytes in `records` records.
    /// Nothing is left behind on an error, so a full disk is known before anything of the batch is written.
    pub(crate) fn create(
        path: PathBuf,
        number: u64,
        now: Wall,
        (node, shelf, witness): (&str, &Shelf, Witness),
        limit: u64,
        (batch, records): (u64, usize),
    ) -> io::Result<OpenSegment> {
        let parent = path.parent().unwrap_or(Path::new("."));
        make_folders(parent)?;
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let limit = limit.max((OPENING + MARK) as u64 + batch + seal::ending_length(records, 0));
        let opening = seal::opening(number, now, node, shelf);
        let ready =
            preallocate(&file, limit).and_then(|()| file.write_all_at(&opening, 0)).and_then(|()| sync_folder(parent));
        if let Err(error) = ready {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(OpenSegment {
            number,
            path,
            created: now,
            file,
            limit,
            tail: OPENING as u64,
            footer: Footer::default(),
            word: witness.opening(&opening),
            witness,
            #[cfg(test)]
            fail_next_sync: false,
        })
    }

    /// Where the next record begins.
    pub(crate) fn tail(&self) -> u64 {
        self.tail
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.footer.kept.is_empty()
    }

    /// The headers of all records in it.
    pub(crate) fn headers(&self) -> Vec<Header> {
        let decode = |k: &Kept| Header::decode(&k.header, self.number, k.offset);
        self.footer.kept.iter().map(|k| decode(k).expect("we encoded it")).collect()
    }

    /// Bytes set aside on the disk.
    pub(crate) fn reserved(&self) -> u64 {
        self.limit
    }

    /// Whether a batch still fits, with the footer that it will need.
    pub(crate) fn has_room(&self, batch: u64, records: usize) -> bool {
        let count = self.footer.kept.len() + records;
        count <= RECORDS_MAX && self.tail + batch + MARK as u64 + seal::ending_length(count, 0) <= self.limit
    }

    /// Writes whole records (`bytes`, beginning at the tail) with their mark and flushes them. After an error the segment
    /// must be given up: see the module's rules.
    pub(crate) fn append(&mut self, bytes: &mut Vec<u8>, records: Vec<Kept>) -> io::Result<()> {
        let word = self.witness.batch(&self.word, self.tail, records.iter().map(|kept| &kept.header));
        bytes.extend_from_slice(&Mark::encode(self.tail, &word));
        self.file.write_all_at(bytes, self.tail)?;
        #[cfg(test)]
        if std::mem::take(&mut self.fail_next_sync) {
            return Err(io::Error::from_raw_os_error(libc_eio()));
        }
        self.file.sync_data()?;
        self.tail += bytes.len() as u64;
        self.word = word;
        self.footer.kept.extend(records);
        Ok(())
    }

    /// Writes footer and seal, cuts what was preallocated and not used, and makes the file read-only.
    /// After an error it may be tried again: all of the ending is written anew, through a file opened anew.
    pub(crate) fn seal(&self, position: u64, previous: merkle::Hash, now: Wall) -> io::Result<Seal> {
        let file = File::options().read(true).write(true).open(&self.path)?;
        finish(&file, self.number, self.tail, &self.footer, (position, previous), now, Some(&self.witness))
    }
}

#[cfg(test)]
fn libc_eio() -> i32 {
    rustix::io::Errno::IO.raw_os_error()
}

/// Seals a segment that a crash left open: `footer` lists what is kept of it, `tail` is where that ends.
pub(crate) fn seal_recovered(
    path: &Path,
    number: u64,
    tail: u64,
    footer: &Footer,
    chain: (u64, merkle::Hash),
    now: Wall,
    witness: Option<&Witness>,
) -> io::Result<Seal> {
    let file = File::options().read(true).write(true).open(path)?;
    finish(&file, number, tail, footer, chain, now, witness)
}

fn finish(
    file: &File,
    number: u64,
    tail: u64,
    footer: &Footer,
    (position, previous): (u64, merkle::Hash),
    now: Wall,
    witness: Option<&Witness>,
) -> io::Result<Seal> {
    let mut ending = footer.encode();
    let seal = Seal {
        number,
        position,
        sealed: now,
        records: u32::try_from(footer.kept.len()).expect("at most RECORDS_MAX"),
        skipped: u32::try_from(footer.skipped.len()).expect("fewer than records"),
        footer_at: tail,
        root: merkle::root(&footer.leaves()),
        footer_sha256: Sha256::digest(&ending).into(),
        previous,
        word: [0; 32],
    };
    let seal = match witness {
        Some(witness) => seal.vouched(witness),
        None => seal,
    };
    ending.extend_from_slice(&seal.encode());
    file.write_all_at(&ending, tail)?;
    file.set_len(seal.file_length())?;
    file.set_permissions(fs::Permissions::from_mode(0o440))?;
    file.sync_all()?;
    Ok(seal)
}

/// Sets the space aside, where the file system can.
fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    use rustix::{fs::FallocateFlags, io::Errno};
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) | Ok(()) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

/// A segment file as found.
pub(crate) enum Found {
    Sealed(Box<Seal>, Footer),
    /// Not sealed, or its seal or footer is damaged.
    Open,
}

/// Reads seal and footer.
pub(crate) fn look(path: &Path, number: u64) -> io::Result<Found> {
    let file = File::open(path)?;
    let seal = readable(read_seal(&file))?.flatten();
    let Some(seal) = seal.filter(|seal| seal.number == number) else { return Ok(Found::Open) };
    let length = usize::try_from(seal.file_length() - SEAL as u64 - seal.footer_at).expect("bounded by RECORDS_MAX");
    let mut bytes = vec![0; length];
    if readable(read_exact(&file, &mut bytes, seal.footer_at))?.is_none() {
        return Ok(Found::Open);
    }
    Ok(Footer::decode(&bytes, &seal).map_or(Found::Open, |footer| Found::Sealed(Box::new(seal), footer)))
}

fn read_seal(file: &File) -> io::Result<Option<Seal>> {
    let length = file.metadata()?.len();
    let Some(at) = length.checked_sub(SEAL as u64) else { return Ok(None) };
    let mut bytes = [0; SEAL];
    read_exact(file, &mut bytes, at)?;
    Ok(Seal::decode(&bytes).filter(|seal| seal.file_length() == length))
}

/// Whether the file begins as segment `number` should.
pub(crate) fn opens_as(path: &Path, number: u64) -> io::Result<bool> {
    Ok(opening(path)?.is_some_and(|bytes| seal::is_opening(&bytes, number)))
}

/// The opening block, if the file has one and the disk gives it.
pub(crate) fn opening(path: &Path) -> io::Result<Option<[u8; OPENING]>> {
    let mut bytes = [0; OPENING];
    match readable(read_exact(&File::open(path)?, &mut bytes, 0)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => Ok(read?.map(|()| bytes)),
    }
}

/// What the disk gives; `None` for a sector that it cannot read. Any other failure is one of the whole disk.
fn readable<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(e) if is_bad_sector(&e) => Ok(None),
        read => read.map(Some),
    }
}

/// Whether the disk cannot read this place.
pub(crate) fn is_bad_sector(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

pub(crate) fn read_exact(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(test)]
    bad_sectors::fail(file, at..at + into.len() as u64)?;
    file.read_exact_at(into, at)
}

/// Which records a segment may hold, as its opening says.
pub(crate) fn shelf(path: &Path, number: u64) -> io::Result<Shelf> {
    Ok(opening(path)?.map_or_else(Shelf::default, |bytes| seal::shelf(&bytes, number)))
}

/// One record as the scan of an unsealed segment found it.
pub(crate) struct Seen {
    pub(crate) header: Header,
    /// The payload, or why it is not whole.
    pub(crate) whole: Result<(), Fault>,
    /// A gap's detail.
    pub(crate) detail: String,
}

/// What a scan found: records in order, and the ranges between them that are none.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) seen: Vec<Seen>,
    pub(crate) unreadable: Vec<Range<u64>>,
    /// The ends of batches.
    pub(crate) marks: Vec<Mark>,
}

/// Reads a segment from its first byte, trusting no footer. Bytes that are no record are stepped over until the next
/// record, so one flipped bit costs one record.
pub(crate) fn scan(path: &Path, number: u64) -> io::Result<Scan> {
    let file = File::open(path)?;
    let end = file.metadata()?.len();
    let mut found = Scan::default();
    let mut at = OPENING as u64;
    loop {
        while let Some(mark) = read_mark(&file, at)? {
            found.marks.push(mark);
            at += MARK as u64;
        }
        let Some(start) = next_record(&file, number, at, end, &mut found.marks)? else { break };
        if start > at {
            found.unreadable.push(at..start);
        }
        let Some(header) = read_header(&file, number, start)? else { break };
        let read = read_payload(&file, &header)?;
        at = start + header.record_length();
        let detail = match (&header.about, &read) {
            (record::About::Gap(_), Ok(text)) => String::from_utf8_lossy(text).into_owned(),
            _ => String::new(),
        };
        found.seen.push(Seen { header, whole: read.map(drop), detail });
    }
    if at < end {
        found.unreadable.push(at..end);
    }
    Ok(found)
}

fn read_mark(file: &File, at: u64) -> io::Result<Option<Mark>> {
    let mut bytes = [0; MARK];
    match readable(read_exact(file, &mut bytes, at)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => Ok(read?.and_then(|()| Mark::decode(&bytes, at))),
    }
}

/// The place of the first valid header at or after `from`. Marks on the way are noted.
fn next_record(file: &File, number: u64, from: u64, end: u64, marks: &mut Vec<Mark>) -> io::Result<Option<u64>> {
    const STEP: usize = 1 << 20;
    if read_header(file, number, from)?.is_some() {
        return Ok(Some(from));
    }
    let mut at = from;
    let mut block = vec![0; STEP];
    while at + HEADER as u64 <= end {
        let length = usize::try_from((end - at).min(STEP as u64)).expect("at most STEP");
        read_over(file, &mut block[..length], at)?;
        // Records begin at multiples of eight.
        for place in (0..length.saturating_sub(7)).step_by(8) {
            let here = at + place as u64;
            if block[place..place + 8] == record::MAGIC && read_header(file, number, here)?.is_some() {
                return Ok(Some(here));
            }
            if block[place..place + 8] == MAGIC {
                marks.extend(read_mark(file, here)?);
            }
        }
        at += (length - length % 8).max(8) as u64;
    }
    Ok(None)
}

/// Reads a part of a file; what lies in sectors that the disk cannot read is zeros.
fn read_over(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    const SECTOR: usize = 4096;
    if readable(read_exact(file, into, at))?.is_some() {
        return Ok(());
    }
    let mut place = at;
    for part in into.chunks_mut(SECTOR) {
        if readable(read_exact(file, part, place))?.is_none() {
            part.fill(0);
        }
        place += part.len() as u64;
    }
    Ok(())
}

fn read_header(file: &File, number: u64, at: u64) -> io::Result<Option<Header>> {
    let mut bytes = [0; HEADER];
    match readable(read_exact(file, &mut bytes, at)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        read => Ok(read?.and_then(|()| Header::decode(&bytes, number, at).ok())),
    }
}

fn read_payload(file: &File, header: &Header) -> io::Result<Result<Vec<u8>, Fault>> {
    let mut record = vec![0; usize::try_from(header.record_length()).expect("payloads are limited to 32 MiB")];
    match readable(read_exact(file, &mut record, header.offset)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Err(Fault::Short)),
        Err(e) => return Err(e),
        Ok(None) => return Ok(Err(Fault::Unreadable)),
        Ok(Some(())) => {}
    }
    // The header is read again with its payload: both must be of one piece.
    Ok(record::parse(&record, header.segment, header.offset).map(|(_, payload)| payload.to_vec()))
}

/// Reads and verifies one record of a segment.
pub(crate) fn read_record(
    file: &File,
    number: u64,
    at: u64,
    payload: u32,
) -> io::Result<Result<(Header, Vec<u8>), Fault>> {
    let length = usize::try_from(record::length(payload as usize)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    match readable(read_exact(file, &mut bytes, at)) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Err(Fault::Short)),
        Err(e) => return Err(e),
        Ok(None) => return Ok(Err(Fault::Unreadable)),
        Ok(Some(())) => {}
    }
    Ok(record::parse(&bytes, number, at).map(|(header, data)| {
        let data = data.to_vec();
        (header, data)
    }))
}

/// A disk that cannot read some places, for tests.
#[cfg(test)]
pub(crate) mod bad_sectors {
    use std::{fs::File, io, ops::Range, os::unix::fs::MetadataExt as _, path::Path, sync::Mutex};

    /// A place of a file that cannot be read.
    #[derive(Clone, PartialEq)]
    struct Place {
        device: u64,
        inode: u64,
        range: Range<u64>,
    }

    /// With how many more reads find that the file ends there; without a number the disk fails, at each.
    static BAD: Mutex<Vec<(Place, Option<u32>)>> = Mutex::new(Vec::new());

    fn place(metadata: &std::fs::Metadata, range: Range<u64>) -> Place {
        Place { device: metadata.dev(), inode: metadata.ino(), range }
    }

    /// Bad until this is dropped: afterwards the inode may be another file's.
    #[must_use]
    pub(crate) struct Bad(Place);

    pub(crate) fn make(path: &Path, range: Range<u64>) -> Bad {
        add(path, range, None)
    }

    /// The file ends there, for so many reads: it is being cut off.
    pub(crate) fn cut_off(path: &Path, range: Range<u64>, reads: u32) -> Bad {
        add(path, range, Some(reads))
    }

    fn add(path: &Path, range: Range<u64>, reads: Option<u32>) -> Bad {
        let place = place(&path.metadata().unwrap(), range);
        BAD.lock().unwrap().push((place.clone(), reads));
        Bad(place)
    }

    impl Drop for Bad {
        fn drop(&mut self) {
            BAD.lock().unwrap().retain(|(place, _)| *place != self.0);
        }
    }

    pub(crate) fn fail(file: &File, range: Range<u64>) -> io::Result<()> {
        let mut bad = BAD.lock().unwrap();
        let read = if bad.is_empty() { return Ok(()) } else { place(&file.metadata()?, range) };
        let hit = |(place, reads): &&mut (Place, Option<u32>)| {
            (place.device, place.inode) == (read.device, read.inode)
                && place.range.start < read.range.end
                && read.range.start < place.range.end
                && *reads != Some(0)
        };
        match bad.iter_mut().find(hit) {
            None => Ok(()),
            Some((_, None)) => Err(io::Error::from_raw_os_error(super::libc_eio())),
            Some((_, Some(reads))) => {
                *reads -= 1;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}
