//! Snapshots that can be told apart, and small archives to put them in.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

pub mod weed;

use archive::{Archive, Config, Entry, Gap, NewSnapshot, SnapshotQuery};
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};
use fleet::{CameraClock, CameraId, Cause, Codec, Mono, Now, Status, StreamChoice, Wall};
use health::SnapshotClass;
use sha2::{Digest as _, Sha256};
use std::{path::PathBuf, time::Duration};

/// 2026-11-24 00:00 UTC.
pub const MIDNIGHT: i64 = 1_795_478_400_000;

/// Small segments and no waiting.
pub fn config() -> Config {
    Config {
        segment_bytes: 1 << 20,
        commit_every: Duration::from_millis(2),
        reserve_bytes: 0,
        node: "test".to_owned(),
        ..Config::default()
    }
}

/// A picture that only this camera and slot have, of `length` bytes.
pub fn picture(camera: u32, slot: i64, length: usize) -> Bytes {
    let mut seed = (u64::from(camera) << 32) ^ slot.cast_unsigned() ^ 0x9e37_79b9_7f4a_7c15;
    let byte = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[0]
    };
    std::iter::repeat_with(byte).take(length).collect()
}

pub fn snapshot(camera: u32, slot: i64, length: usize) -> NewSnapshot {
    let online = !slot.cast_unsigned().is_multiple_of(3);
    NewSnapshot {
        camera: CameraId(camera),
        stream: StreamChoice::Main,
        slot: Wall(slot),
        class: if online { SnapshotClass::Routine } else { SnapshotClass::StatusChange },
        captured: Now { mono: Mono(7), wall: Wall(slot.wrapping_add(137)) },
        camera_clock: camera
            .is_multiple_of(2)
            .then_some(CameraClock { at: Wall(slot.wrapping_sub(900)), uncertainty_ms: camera + 7 }),
        codec: if camera.is_multiple_of(5) { Codec::H265 } else { Codec::H264 },
        converted_from: None,
        width: 1920,
        height: 1080,
        status: if online { Status::Online } else { Status::Impaired },
        cause: (!online).then_some(Cause::PictureBlurred),
        data: picture(camera, slot, length),
    }
}

pub fn gap(camera: u32, slot: i64) -> Gap {
    Gap::one(CameraId(camera), Wall(slot), Cause::NoAnswer, format!("无应答 {camera}"))
}

/// Every entry that a search finds, page by page.
pub async fn all(archive: &Archive, query: SnapshotQuery) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut query = query;
    loop {
        let page = archive.search(&query).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return found,
        }
    }
}

/// The segment files of an archive, in order.
pub fn segments(root: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("segments")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The key of an archive whose node has none that seals it.
pub fn signing_key(root: &std::path::Path) -> SigningKey {
    SigningKey::from_pkcs8_pem(&std::fs::read_to_string(root.join("node.key")).unwrap()).unwrap()
}

/// The manifests of an archive, oldest first.
pub fn manifest_files(root: &std::path::Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(root.join("manifests")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    files.sort();
    files
}

/// Changes what a manifest says and signs it with `key`, under the name of the day that it then says. Hands back the hash
/// that the next manifest refers to.
pub fn forge(path: &std::path::Path, key: &SigningKey, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let mut said: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    said["key"] = hex::encode(key.verifying_key().to_bytes()).into();
    change(&mut said);
    let body = serde_json::to_string(&said).unwrap();
    let signature = hex::encode(key.sign(body.as_bytes()).to_bytes());
    std::fs::remove_file(path).unwrap();
    let named = path.with_file_name(format!("{}.txt", said["day"].as_str().unwrap()));
    std::fs::write(named, format!("{body}\ned25519 {signature}\n")).unwrap();
    hex::encode(Sha256::digest(body.as_bytes()))
}

/// So many days before or after today, UTC, like `2026-11-24`.
pub fn day(from_today: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(Wall::read().0 + from_today * 86_400_000).unwrap();
    at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}
