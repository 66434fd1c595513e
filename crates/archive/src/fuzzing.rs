//! What reads segments behind one door: for a fuzzer, and for a short run with mutations in the tests. The door panics
//! if what must hold of any file does not.
//!
//! Longer: `cd crates/archive/fuzz && cargo +nightly fuzz run segment`.

use crate::{
    check,
    record::{self, HEADER, Header, MAGIC},
    seal::{FOOTER_SHA256_AT, OPENING, SEAL, Seal},
    segment::{self, Found},
};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File},
    sync::atomic::{AtomicU64, Ordering},
};

/// The segment that the bytes are taken for.
const NUMBER: u64 = 7;

/// Any bytes as a segment file: as they are, and with the checksums put right, so that what lies behind them is reached
/// too. What is found lies within the file, in order, and reads again as the same.
pub fn segment(data: &[u8]) {
    read(data);
    let mut mended = data.to_vec();
    mend(&mut mended);
    if mended != data {
        read(&mended);
    }
}

fn read(data: &[u8]) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = format!("sharpeyes-fuzz-{}-{}.seg", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    fs::write(&path, data).expect("the folder for temporary files can be written");
    let checked = (|| {
        segment::opens_as(&path, NUMBER)?;
        segment::shelf(&path, NUMBER)?;
        if let Found::Sealed(seal, footer) = segment::look(&path, NUMBER)? {
            assert_eq!(seal.file_length(), data.len() as u64);
            assert_eq!(footer.kept.len(), seal.records as usize);
            let mut end = OPENING as u64;
            for kept in &footer.kept {
                assert!(kept.offset >= end, "one behind the other");
                end = kept.offset;
                let _ = Header::decode(&kept.header, NUMBER, kept.offset);
            }
            assert!(end <= seal.footer_at);
            check::read_through(&path, NUMBER)?;
        }
        let scan = segment::scan(&path, NUMBER)?;
        let file = File::open(&path)?;
        let mut end = OPENING as u64;
        for seen in &scan.seen {
            assert!(seen.header.offset >= end && seen.header.offset.is_multiple_of(8));
            end = seen.header.offset + seen.header.record_length();
            let again = segment::read_record(&file, NUMBER, seen.header.offset, seen.header.payload)?;
            assert_eq!(again.as_ref().map(|(header, _)| header), seen.whole.as_ref().map(|()| &seen.header));
        }
        assert!(scan.unreadable.iter().all(|range| range.start < range.end && range.end <= data.len() as u64));
        Ok::<_, std::io::Error>(())
    })();
    let _ = fs::remove_file(&path);
    checked.expect("reading a file of any bytes is no error of the disk");
    let _ = record::parse(data, NUMBER, OPENING as u64);
}

/// Puts the checksums of everything that begins like a record, and of the seal, right.
fn mend(data: &mut [u8]) {
    let put = |part: &mut [u8]| {
        let at = part.len() - 4;
        let crc = crc32c::crc32c(&part[..at]);
        part[at..].copy_from_slice(&crc.to_le_bytes());
    };
    for at in (OPENING..data.len().saturating_sub(HEADER)).step_by(8) {
        if data[at..at + 8] == MAGIC {
            put(&mut data[at..at + HEADER]);
        }
    }
    if let Some(at) = data.len().checked_sub(SEAL) {
        put(&mut data[at..]);
        // The footer's hash too, so that what lies behind it is reached.
        let seal = Seal::decode(data[at..].try_into().expect("as long as a seal"));
        let from = seal.and_then(|seal| usize::try_from(seal.footer_at).ok()).filter(|from| *from <= at);
        if let Some(from) = from {
            let sha256 = <[u8; 32]>::from(Sha256::digest(&data[from..at]));
            data[at + FOOTER_SHA256_AT..][..32].copy_from_slice(&sha256);
            put(&mut data[at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mark::{MARK, Witness},
        policy::Shelf,
        record::About,
        seal::{Kept, opening},
        segment::OpenSegment,
    };
    use fleet::{CameraId, Cause, Wall};
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// A sealed segment of five gaps, and the same as a crash would have left it.
    static SEEDS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.seg");
        let witness = Witness::new(&ed25519_dalek::SigningKey::from_bytes(&[1; 32]));
        let begun = ("node", &Shelf::default(), witness);
        let mut open = OpenSegment::create(path.clone(), NUMBER, Wall(5), begun, 4096, (1024, 5)).unwrap();
        for n in 0..5_u32 {
            let payload = vec![n as u8; n as usize * 7];
            let header = Header {
                segment: NUMBER,
                offset: open.tail(),
                camera: CameraId(n),
                slot: Wall(60_000),
                payload: payload.len() as u32,
                sha256: record::sha256(&payload),
                about: About::Gap(record::Missed::one(Cause::NoAnswer)),
            };
            let mut bytes = Vec::new();
            let offset = header.offset;
            let header = header.write(&payload, &mut bytes);
            open.append(&mut bytes, vec![Kept { offset, header }]).unwrap();
        }
        let tail = open.tail() as usize;
        open.seal(1, [0; 32], Wall(9)).unwrap();
        let sealed = fs::read(&path).unwrap();
        let torn =
            [&opening(NUMBER, Wall(5), "node", &Shelf::default())[..], &sealed[OPENING..tail - MARK - 20], &[0; 64]]
                .concat();
        [sealed, torn]
    });

    #[test]
    fn the_seeds_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.seg");
        fs::write(&path, &SEEDS[0]).unwrap();
        assert!(matches!(segment::look(&path, NUMBER).unwrap(), Found::Sealed(seal, _) if seal.records == 5));
        fs::write(&path, &SEEDS[1]).unwrap();
        assert_eq!(segment::scan(&path, NUMBER).unwrap().seen.iter().filter(|s| s.whole.is_ok()).count(), 4);
    }

    #[test]
    fn a_footer_whose_records_are_out_of_order_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.seg");
        let at = SEEDS[0].len() - SEAL;
        let seal = Seal::decode(SEEDS[0][at..].try_into().unwrap()).unwrap();
        let footer = usize::try_from(seal.footer_at).unwrap();
        // The first two entries change places; the first begins nowhere; the last ends behind the records.
        let entry = 8 + HEADER;
        let mut swapped = SEEDS[0].clone();
        let (first, second) = swapped[footer..].split_at_mut(entry);
        first.swap_with_slice(&mut second[..entry]);
        let mut nowhere = SEEDS[0].clone();
        nowhere[footer..footer + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let mut behind = SEEDS[0].clone();
        let last = footer + 4 * entry;
        behind[last..last + 8].copy_from_slice(&(seal.footer_at - 8).to_le_bytes());
        for mut altered in [swapped, nowhere, behind] {
            mend(&mut altered);
            fs::write(&path, &altered).unwrap();
            assert!(matches!(segment::look(&path, NUMBER).unwrap(), Found::Open));
            check::read_through(&path, NUMBER).unwrap();
        }
    }

    /// An archive of one sealed segment, that file, its bytes, and the key.
    struct Sealed {
        folder: tempfile::TempDir,
        file: std::path::PathBuf,
        bytes: Vec<u8>,
        footer: usize,
        key: [u8; 32],
    }

    static SEALED: LazyLock<Sealed> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let settings = crate::Config {
                commit_every: std::time::Duration::from_millis(1),
                segment_bytes: 1 << 20,
                reserve_bytes: 0,
                ..crate::Config::default()
            };
            let archive = crate::Archive::open(folder.path(), settings).await.unwrap();
            for n in 0..6 {
                let gap = crate::Gap::one(CameraId(n), Wall(60_000 + i64::from(n)), Cause::NoAnswer, "无应答");
                archive.record_gap(gap).await.unwrap();
            }
            archive.close().await;
        });
        let named = crate::folder::Folder::new(folder.path());
        let file = named.segments().unwrap().into_values().next().unwrap();
        let bytes = fs::read(&file).unwrap();
        let seal = Seal::decode(bytes[bytes.len() - SEAL..].try_into().unwrap()).unwrap();
        let footer = usize::try_from(seal.footer_at).unwrap();
        let key = crate::keys::public(&named, None).unwrap();
        assert_eq!(check::folder_alone(&named, key).unwrap().damaged, []);
        Sealed { folder, file, bytes, footer, key }
    });

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]
        #[test]
        fn a_check_never_calls_a_mutated_footer_well(
            edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0..5_u8, any::<u8>()), 1..6),
            mended: bool,
        ) {
            let sealed = &*SEALED;
            let mut data = sealed.bytes.clone();
            for (at, kind, value) in edits {
                let length = data.len() - sealed.footer.min(data.len() - 1);
                let at = (sealed.footer + at.index(length)).min(data.len() - 1);
                let end = (at + usize::from(value) / 4 * 8).min(data.len());
                match kind {
                    0 => data[at] ^= 1 << (value % 8),
                    1 => data[at] = value,
                    2 => data.drain(at..end).for_each(drop),
                    3 => {
                        let piece = data[at..end].to_vec();
                        data.splice(at - at % 8..at - at % 8, piece).for_each(drop);
                    }
                    _ => data.truncate(at.max(1)),
                }
            }
            if mended {
                mend(&mut data);
            }
            prop_assume!(data != sealed.bytes);
            // One at a time: they share the folder.
            static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
            let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            fs::remove_file(&sealed.file).unwrap();
            fs::write(&sealed.file, &data).unwrap();
            let report = check::folder_alone(&crate::folder::Folder::new(sealed.folder.path()), sealed.key).unwrap();
            prop_assert!(!report.damaged.is_empty(), "{} records, and nothing is damaged", report.records);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]
        #[test]
        fn mutations_of_a_segment_break_nothing(
            seed in 0..2_usize,
            edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0..5_u8, any::<u8>()), 0..12),
        ) {
            let mut data = SEEDS[seed].clone();
            for (at, kind, value) in edits {
                let at = at.index(data.len().max(1)).min(data.len());
                // Whole words more often than not, so that records stay where records may be.
                let end = (at + usize::from(value) / 4 * 8).min(data.len());
                match kind {
                    0 => if let Some(byte) = data.get_mut(at) { *byte ^= 1 << (value % 8) },
                    1 => if let Some(byte) = data.get_mut(at) { *byte = value },
                    2 => data.drain(at..end).for_each(drop),
                    3 => {
                        let piece = data[at..end].to_vec();
                        data.splice(at - at % 8..at - at % 8, piece).for_each(drop);
                    }
                    _ => data.truncate(at.max(data.len() / 2)),
                }
            }
            segment(&data);
        }
    }
}
