//! Passwords that are known to be guessed, from a file of the county's choice. Kept as short hashes in memory.

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

/// Most entries that are kept: 160 MB.
const MOST: usize = 20_000_000;

/// A list of passwords nobody may choose.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Breached {
    /// Of passwords in lower case, sorted.
    words: Vec<u64>,
    /// Of SHA-1 hashes as the well-known breach collections have them, sorted.
    hashes: Vec<u64>,
}

impl Breached {
    /// Reads a list: one password a line, or its SHA-1 in hexadecimal, with or without a count behind a colon.
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8 or has more than twenty million lines.
    pub fn read(path: &Path) -> io::Result<Breached> {
        let mut list = Breached::default();
        for line in BufReader::new(File::open(path)?).lines() {
            list.add(line?.trim());
            if list.words.len() + list.hashes.len() > MOST {
                return Err(io::Error::other("more than twenty million lines"));
            }
        }
        for part in [&mut list.words, &mut list.hashes] {
            part.sort_unstable();
            part.dedup();
            part.shrink_to_fit();
        }
        Ok(list)
    }

    fn add(&mut self, line: &str) {
        let hash = line.split(':').next().unwrap_or_default();
        match (hash.len(), hex::decode(hash)) {
            (40, Ok(bytes)) => self.hashes.push(short(&bytes)),
            _ if line.is_empty() => {}
            _ => self.words.push(short(&Sha256::digest(line.to_lowercase().as_bytes()))),
        }
    }

    /// Whether the password is on the list.
    #[must_use]
    pub fn contains(&self, password: &str) -> bool {
        let word = short(&Sha256::digest(password.to_lowercase().as_bytes()));
        let hash = short(&Sha1::digest(password.as_bytes()));
        self.words.binary_search(&word).is_ok() || self.hashes.binary_search(&hash).is_ok()
    }
}

/// The first eight bytes: with twenty million entries, one good password in some hundred billion is refused for nothing.
fn short(hash: &[u8]) -> u64 {
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_their_hashes_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list.txt");
        // The second line is the SHA-1 of "village lantern".
        let sha1 = hex::encode_upper(Sha1::digest(b"village lantern"));
        std::fs::write(&file, format!("Qwertyuiop1234\n{sha1}:57\n\n")).unwrap();
        let list = Breached::read(&file).unwrap();
        assert!(list.contains("qwertyUIOP1234") && list.contains("village lantern"));
        assert!(!list.contains("Village lantern") && !list.contains("") && !list.contains("57"));
        assert!(Breached::read(&folder.path().join("none")).is_err());
    }
}
