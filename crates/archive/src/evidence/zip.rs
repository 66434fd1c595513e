//! The one form of ZIP that an evidence package has: files stored as they are, one after the other, nothing between
//! them, no times, no comments, no extra fields.
//!
//! Any program opens it. But of all the ways in which such an archive could be written exactly one is accepted here,
//! so there is no byte in which a change could hide. Never larger than 4 GiB and 65,535 files (no ZIP64).

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Largest package, in bytes.
pub(crate) const BYTES_MAX: u64 = u32::MAX as u64;
/// Most files of a package.
pub(crate) const FILES_MAX: usize = 65_000;
/// Longest name of a file.
const NAME_MAX: usize = 200;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
/// Version 2.0 of the format, no flags (names are ASCII), stored, 1980-01-01 00:00.
const COMMON: [u8; 10] = [20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
/// Made on Unix, as a plain file of mode 0644.
const MADE_BY: [u8; 2] = [20, 3];
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// One file in the archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: u32,
    crc: u32,
    /// Where its local header begins.
    at: u32,
}

impl File {
    fn local(&self) -> Vec<u8> {
        let mut out = LOCAL.to_le_bytes().to_vec();
        out.extend(COMMON);
        self.sizes(&mut out);
        out.extend([0; 2]);
        out.extend(self.name.as_bytes());
        out
    }

    fn central(&self) -> Vec<u8> {
        let mut out = CENTRAL.to_le_bytes().to_vec();
        out.extend(MADE_BY);
        out.extend(COMMON);
        self.sizes(&mut out);
        // No extra field, no comment, disk 0, no internal attributes.
        out.extend([0; 8]);
        out.extend(ATTRIBUTES.to_le_bytes());
        out.extend(self.at.to_le_bytes());
        out.extend(self.name.as_bytes());
        out
    }

    fn sizes(&self, out: &mut Vec<u8>) {
        for number in [self.crc, self.bytes, self.bytes] {
            out.extend(number.to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).expect("names are limited").to_le_bytes());
    }

    fn data_at(&self) -> u64 {
        u64::from(self.at) + LOCAL_BYTES + self.name.len() as u64
    }

    fn end(&self) -> u64 {
        self.data_at() + u64::from(self.bytes)
    }
}

fn end_record(files: usize, directory: u64, at: u64) -> io::Result<Vec<u8>> {
    let count = u16::try_from(files).map_err(|_| too_large())?.to_le_bytes();
    let mut out = END.to_le_bytes().to_vec();
    out.extend([0; 4]);
    out.extend(count);
    out.extend(count);
    out.extend(u32::try_from(directory).map_err(|_| too_large())?.to_le_bytes());
    out.extend(u32::try_from(at).map_err(|_| too_large())?.to_le_bytes());
    out.extend([0; 2]);
    Ok(out)
}

/// What `io::Error` says when a package would get too large.
pub(crate) fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a package holds at most 4 GiB and 65,000 files")
}

/// Names are ours: plain ASCII, relative, without a step upwards.
fn is_good_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/');
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(plain)
        && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Writes a package front to back.
pub(crate) struct Writer<W> {
    out: W,
    at: u64,
    files: Vec<File>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(out: W) -> Writer<W> {
        Writer { out, at: 0, files: Vec::new() }
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.at
    }

    pub(crate) fn add(&mut self, name: &str, data: &[u8]) -> io::Result<()> {
        if !is_good_name(name) {
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, "not a name for a file of a package"));
        }
        let bytes = u32::try_from(data.len()).map_err(|_| too_large())?;
        let at = u32::try_from(self.at).map_err(|_| too_large())?;
        let file = File { name: name.to_owned(), bytes, crc: crc32fast::hash(data), at };
        if self.files.len() >= FILES_MAX || file.end() > BYTES_MAX {
            return Err(too_large());
        }
        self.out.write_all(&file.local())?;
        self.out.write_all(data)?;
        self.at = file.end();
        self.files.push(file);
        Ok(())
    }

    /// Writes the directory and hands the output back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let mut directory = Vec::new();
        for file in &self.files {
            directory.extend(file.central());
        }
        let end = end_record(self.files.len(), directory.len() as u64, self.at)?;
        self.out.write_all(&directory)?;
        self.out.write_all(&end)?;
        Ok(self.out)
    }
}

/// Why bytes are no package.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("this is not an evidence package, or its end is missing or was altered")]
    NotOurs,
    #[error("the archive's structure was altered at byte {0}")]
    Structure(u64),
    #[error("{0} was altered: its checksum is wrong")]
    Checksum(String),
}

/// Reads a package, accepting nothing but what [`Writer`] writes.
pub(crate) struct Reader<R> {
    input: R,
    files: Vec<File>,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads the directory and every local header.
    pub(crate) fn open(mut input: R) -> Result<Reader<R>, Fault> {
        let length = input.seek(SeekFrom::End(0))?;
        let end_at = length.checked_sub(END_BYTES as u64).filter(|_| length <= BYTES_MAX + (64 << 20));
        let end_at = end_at.ok_or(Fault::NotOurs)?;
        let end = read_at(&mut input, end_at, END_BYTES)?;
        let (count, directory_at) = (u16_at(&end, 10), u64::from(u32_at(&end, 16)));
        let directory = end_at.checked_sub(directory_at).ok_or(Fault::NotOurs)?;
        if end_record(usize::from(count), directory, directory_at).ok().as_ref() != Some(&end) {
            return Err(Fault::NotOurs);
        }
        // Bounded by the count: 65,535 entries with names of at most 200 bytes.
        if directory > u64::from(count) * (CENTRAL_BYTES + NAME_MAX) as u64 {
            return Err(Fault::NotOurs);
        }
        let bytes = read_at(&mut input, directory_at, usize::try_from(directory).map_err(|_| Fault::NotOurs)?)?;
        let (mut files, mut at, mut place) = (Vec::with_capacity(usize::from(count)), 0, 0);
        for _ in 0..count {
            let altered = || Fault::Structure(directory_at + place as u64);
            let entry = bytes.get(place..place + CENTRAL_BYTES).ok_or_else(altered)?;
            let name = usize::from(u16_at(entry, 28));
            let name = bytes.get(place + CENTRAL_BYTES..place + CENTRAL_BYTES + name).ok_or_else(altered)?;
            let name = std::str::from_utf8(name).ok().filter(|n| is_good_name(n)).ok_or_else(altered)?;
            let file = File {
                name: name.to_owned(),
                bytes: u32_at(entry, 24),
                crc: u32_at(entry, 16),
                at: u32::try_from(at).map_err(|_| altered())?,
            };
            let central = file.central();
            if bytes.get(place..place + central.len()) != Some(&central) || file.end() > directory_at {
                return Err(altered());
            }
            place += central.len();
            let local = file.local();
            if read_at(&mut input, at, local.len())? != local {
                return Err(Fault::Structure(at));
            }
            at = file.end();
            files.push(file);
        }
        if place != bytes.len() || at != directory_at {
            return Err(Fault::Structure(directory_at + place as u64));
        }
        Ok(Reader { input, files })
    }

    /// The files in their order.
    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// A whole file, checked against its checksum.
    pub(crate) fn read(&mut self, file: &File) -> Result<Vec<u8>, Fault> {
        let data = read_at(&mut self.input, file.data_at(), file.bytes as usize)?;
        if crc32fast::hash(&data) == file.crc { Ok(data) } else { Err(Fault::Checksum(file.name.clone())) }
    }
}

fn read_at<R: Read + Seek>(input: &mut R, at: u64, length: usize) -> Result<Vec<u8>, Fault> {
    input.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    // Not allocated before it is there: lengths come from the file.
    input.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(Fault::NotOurs) }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(crate::record::array_at(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    crate::record::u32_at(bytes, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn small() -> Vec<u8> {
        let mut zip = Writer::new(Vec::new());
        zip.add("a.txt", b"first").unwrap();
        zip.add("folder/empty", b"").unwrap();
        zip.add("folder/b.bin", &[0xff; 300]).unwrap();
        zip.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let mut zip = Reader::open(Cursor::new(bytes))?;
        let files = zip.files().to_vec();
        files.iter().map(|f| Ok((f.name.clone(), zip.read(f)?))).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let files = read(&small()).unwrap();
        assert_eq!(files[0], ("a.txt".to_owned(), b"first".to_vec()));
        assert_eq!((files.len(), files[2].1.len()), (3, 300));
        assert_eq!(read(&Writer::new(Vec::new()).finish().unwrap()).unwrap(), []);
    }

    #[test]
    fn no_byte_may_differ_and_nothing_may_be_before_between_or_behind() {
        let good = small();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(read(&bad).is_err(), "bit {bit} of byte {at}");
            }
            assert!(read(&good[..at]).is_err(), "cut at {at}");
            let mut longer = good.clone();
            longer.insert(at, 0);
            assert!(read(&longer).is_err(), "a byte more at {at}");
        }
        assert!(read(&[good.clone(), vec![0]].concat()).is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in
            ["", "/etc/passwd", "../x", "a//b", "a/../b", "a\\b", "名.txt", "a/", "./a", "x\0", &"n".repeat(201)]
        {
            assert!(Writer::new(Vec::new()).add(name, b"").is_err(), "{name:?}");
        }
    }
}
