//! What the writer does when the disk fails under it.

use super::*;
use crate::{
    record::Taken,
    segment::{self, Found},
};
use bytes::Bytes;
use fleet::CameraId;
use std::sync::atomic::Ordering;
use tokio::sync::{Semaphore, oneshot};

fn settings() -> Config {
    Config { segment_bytes: 1 << 20, commit_every: Duration::ZERO, reserve_bytes: 0, ..Config::default() }
}

pub(crate) fn store(camera: u32) -> (Store, oneshot::Receiver<Result<Row, ArchiveError>>) {
    let payload = Bytes::from(vec![u8::try_from(camera).unwrap(); 100]);
    let (reply, answer) = oneshot::channel();
    let taken = Taken {
        class: health::SnapshotClass::Routine,
        stream: fleet::StreamChoice::Main,
        captured: Wall(5),
        captured_mono: 5,
        camera_clock: None,
        codec: fleet::Codec::H264,
        converted_from: None,
        width: 1,
        height: 1,
        status: fleet::Status::Online,
        cause: None,
    };
    let store = Store {
        camera: CameraId(camera),
        slot: Wall(1_000),
        shelf: Shelf::default(),
        about: About::Snapshot(taken),
        sha256: record::sha256(&payload),
        payload,
        detail: String::new(),
        reply,
        permit: Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap(),
    };
    (store, answer)
}

async fn stored(writer: &mut Writer, camera: u32) -> Result<Row, ArchiveError> {
    let (store, answer) = store(camera);
    writer.commit(vec![store]).await;
    answer.await.unwrap()
}

#[tokio::test]
async fn after_a_failed_flush_the_segment_is_given_up_and_the_batch_goes_into_a_new_one() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    let (mut writer, _) = Writer::open(folder.clone(), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    let before = stored(&mut writer, 1).await.unwrap();
    writer.faults.store(1, Ordering::SeqCst);
    let moved = stored(&mut writer, 2).await.unwrap();
    let after = stored(&mut writer, 3).await.unwrap();
    assert_ne!(before.header.segment, moved.header.segment);
    assert_eq!(moved.header.segment, after.header.segment, "the new segment is used on");
    assert_eq!(writer.shared.stats().state, State::Ok);
    writer.finish().await;
    let files = folder.segments().unwrap();
    assert!(matches!(segment::look(&files[&before.header.segment], before.header.segment), Ok(Found::Open)));
    // The next start reads what was given up. The batch that failed there lies there too, and is passed over.
    let (writer, damaged) = Writer::open(folder.clone(), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    assert_eq!(damaged, []);
    assert_eq!(writer.shared.stats().records, 3);
    for row in [before, moved, after] {
        let found = writer.shared.reader.row(row.header.camera, row.header.slot).await.unwrap();
        assert_eq!(found, Some(row), "each is where it was acknowledged");
    }
    writer.finish().await;
}

#[tokio::test]
async fn when_the_new_segment_fails_too_the_batch_is_refused_and_the_archive_comes_back_by_itself() {
    let root = tempfile::tempdir().unwrap();
    let (mut writer, _) =
        Writer::open(Folder::new(root.path()), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    writer.faults.store(2, Ordering::SeqCst);
    let refused = stored(&mut writer, 1).await.unwrap_err();
    assert!(matches!(refused, ArchiveError::Io { .. }), "{refused}");
    assert!(matches!(writer.shared.stats().state, State::Failed(_)));
    let at_once = stored(&mut writer, 2).await.unwrap_err();
    assert!(at_once.to_string().contains("Input/output error"), "{at_once}");
    assert_eq!(writer.folder.segments().unwrap().len(), 0, "nothing is left of what failed");
    writer.retry_at = Some(Instant::now());
    writer.tick().await;
    assert_eq!(writer.shared.stats().state, State::Ok);
    stored(&mut writer, 2).await.unwrap();
    let index = writer.shared.reader.row(CameraId(1), Wall(1_000)).await.unwrap();
    assert_eq!(index, None, "what was refused is not there");
    writer.finish().await;
}

#[tokio::test]
async fn a_record_that_the_index_could_not_take_is_neither_acknowledged_nor_written_twice() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    let (mut writer, _) = Writer::open(folder, settings(), Index::Keep, Missing::Refuse).await.unwrap();
    stored(&mut writer, 1).await.unwrap();
    // As after an index transaction that failed: the records are flushed, their rows are owed.
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for camera in 2..5 {
        let (store, answer) = store(camera);
        batch.push(store);
        answers.push(answer);
    }
    let rows = writer.write(&Shelf::default(), &batch).await.unwrap();
    writer.debt = rows.clone();
    // The debt is paid first: the same records, offered again, are answered with what is already on the medium.
    writer.commit(batch).await;
    for (answer, row) in answers.into_iter().zip(rows) {
        assert_eq!(answer.await.unwrap().unwrap(), row);
    }
    assert_eq!(writer.shared.stats().records, 4);
    writer.finish().await;
}

#[tokio::test]
async fn a_segment_that_could_not_be_sealed_is_sealed_a_little_later() {
    let root = tempfile::tempdir().unwrap();
    let (mut writer, _) =
        Writer::open(Folder::new(root.path()), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    stored(&mut writer, 1).await.unwrap();
    writer.seal_faults = 1;
    writer.seal(Wall::read()).await.expect_err("whoever asked hears of it");
    assert_eq!(writer.catalog.len(), 0);
    stored(&mut writer, 2).await.expect("meanwhile others are stored");
    writer.tick().await;
    assert_eq!(writer.catalog.len(), 1);
    let sealed = writer.catalog.values().next().unwrap();
    let path = writer.folder.root().join(&sealed.file);
    assert!(matches!(segment::look(&path, sealed.number), Ok(Found::Sealed(seal, _)) if seal.records == 1));
    writer.finish().await;
}

#[tokio::test]
async fn rows_of_several_shelves_that_the_index_could_not_take_are_all_owed() {
    use sqlx::{ConnectOptions as _, Connection as _};
    let root = tempfile::tempdir().unwrap();
    let (mut writer, _) =
        Writer::open(Folder::new(root.path()), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    stored(&mut writer, 1).await.unwrap();
    // Somebody holds the day's file: it can be read, and not be written.
    let path = writer.folder.day_index(crate::folder::Day::of(Wall(1_000)));
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (mut batch, mut answers) = (Vec::new(), Vec::new());
    for camera in 2..4_u32 {
        let (mut store, answer) = store(camera);
        store.shelf = Shelf::stored(u8::try_from(camera).unwrap() - 1, "").unwrap();
        batch.push(store);
        answers.push(answer);
    }
    writer.commit(batch).await;
    for answer in answers {
        assert!(matches!(answer.await.unwrap(), Err(ArchiveError::Index { .. })));
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    writer.retry_at = None;
    stored(&mut writer, 4).await.unwrap();
    for camera in 2..4 {
        let row = writer.shared.reader.row(CameraId(camera), Wall(1_000)).await.unwrap();
        assert!(row.is_some(), "the record of camera {camera} is on the medium, and owed");
    }
    writer.finish().await;
}

/// As many sealed segments as asked, of one snapshot each, taken so many days ago.
async fn aged(writer: &mut Writer, count: u32, days: i64) {
    for camera in 0..count {
        let (mut store, answer) = store(camera);
        store.slot = Wall(Wall::read().0 - days * 86_400_000);
        writer.commit(vec![store]).await;
        answer.await.unwrap().unwrap();
        writer.seal(Wall::read()).await.unwrap();
    }
}

#[tokio::test]
async fn room_is_made_a_few_segments_at_a_time() {
    let root = tempfile::tempdir().unwrap();
    let (mut writer, _) =
        Writer::open(Folder::new(root.path()), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    aged(&mut writer, 20, 60).await;
    writer.config.high_water_percent = 1;
    retention::make_room(&mut writer, Wall::read(), 1 << 20).await.unwrap();
    assert_eq!(writer.catalog.len(), 12, "whoever stores waits for these");
    for left in [4, 0, 0] {
        retention::make_room(&mut writer, Wall::read(), 1 << 20).await.unwrap();
        assert_eq!(writer.catalog.len(), left);
    }
    writer.finish().await;
}

#[tokio::test]
async fn a_clock_that_runs_wild_drops_nothing_and_dates_no_manifest() {
    let root = tempfile::tempdir().unwrap();
    let settings = Config { retention: crate::Retention::days(40), ..settings() };
    let folder = Folder::new(root.path());
    let (mut writer, _) = Writer::open(folder.clone(), settings, Index::Keep, Missing::Refuse).await.unwrap();
    aged(&mut writer, 3, 1).await;
    let wild = Wall(4_070_908_800_000);
    let believed = writer.believed(wild);
    retention::purge_due(&mut writer, believed).await.unwrap();
    writer.config.high_water_percent = 1;
    retention::make_room(&mut writer, believed, 1 << 20).await.unwrap();
    assert_eq!(writer.catalog.len(), 3);
    // What is sealed meanwhile says what the clock said; the manifest has the day that is believed.
    stored(&mut writer, 9).await.unwrap();
    writer.seal(wild).await.unwrap();
    let days = Folder::days(&folder.manifests(), "txt").unwrap();
    assert!(days.iter().all(|day| *day <= crate::folder::Day::of(Wall::read())), "{days:?}");
    assert_eq!(writer.catalog.len(), 4);
    writer.finish().await;
}

#[tokio::test]
async fn a_segment_that_is_cut_off_while_the_check_reads_it_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    let (mut writer, _) = Writer::open(folder.clone(), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    let row = stored(&mut writer, 1).await.unwrap();
    let path = folder.segments().unwrap()[&row.header.segment].clone();
    let length = path.metadata().unwrap().len();
    let checked = |reads| {
        let _cut = segment::bad_sectors::cut_off(&path, length - 8..length, reads);
        let report = crate::check::folder_alone(&folder, [0; 32]).unwrap();
        (report.records, report.damaged.iter().map(|d| d.what.clone()).collect::<Vec<_>>())
    };
    assert_eq!(checked(0), (1, vec![]));
    assert_eq!(checked(1), (1, vec![]), "it had ended elsewhere a moment ago");
    let (records, named) = checked(u32::MAX);
    assert_eq!((records, named.len()), (0, 1), "told once: {named:?}");
    writer.finish().await;
}

/// Three snapshots in a segment that is left open, and the second one's picture lies where the disk cannot read.
#[tokio::test]
async fn a_bad_sector_costs_a_record_and_not_the_start() {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(root.path());
    let (mut writer, _) = Writer::open(folder.clone(), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    let mut rows = Vec::new();
    for camera in 1..4 {
        rows.push(stored(&mut writer, camera).await.unwrap());
    }
    drop(writer);
    let second = &rows[1].header;
    let path = folder.segments().unwrap()[&second.segment].clone();
    let picture = second.offset + record::HEADER as u64;
    let _bad = segment::bad_sectors::make(&path, picture..picture + 8);
    let (writer, damaged) = Writer::open(folder.clone(), settings(), Index::Keep, Missing::Refuse).await.unwrap();
    let named: Vec<String> = damaged.iter().map(ToString::to_string).collect();
    assert!(named.len() == 1 && named[0].contains("camera C00002") && named[0].contains("input/output"), "{named:?}");
    writer.finish().await;
    // The check names the same record, and reads the others of the segment.
    let archive = crate::Archive::open(root.path(), settings()).await.unwrap();
    let report = archive.check(|_| ()).await.unwrap();
    let named: Vec<String> = report.damaged.iter().map(ToString::to_string).collect();
    assert!(named.len() == 1 && named[0].contains("camera C00002") && named[0].contains("input/output"), "{named:?}");
    assert_eq!(report.records, 2);
    archive.close().await;
}
