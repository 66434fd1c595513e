//! How long the first page takes among many records: `SHARPEYES_SEARCH_ROWS=10000000 cargo test --release -p
//! sharpeyes-archive --lib search_speed -- --nocapture` for the long form (some minutes, 2 GB beside the sources).

#![allow(clippy::print_stdout)]

use crate::{
    Kind, SnapshotQuery,
    folder::{Day, Folder, make_folders},
    index::Index,
    reader::{Known, Reader},
    record::{About, Header, Taken},
    row::Row,
};
use fleet::{CameraId, Cause, Codec, Status, StreamChoice, Wall};
use health::SnapshotClass;
use std::time::{Duration, Instant};

const CAMERAS: u32 = 800;
const MIDNIGHT: i64 = 1_795_478_400_000;
const MINUTE: i64 = 60_000;
/// What a page may take.
const LIMIT: Duration = Duration::from_millis(50);

/// One camera and minute: mostly routine, here and there a gap, a fault, an incident.
fn row(camera: u32, minute: i64, n: u64) -> Row {
    let slot = Wall(MIDNIGHT + minute * MINUTE);
    let (status, cause, class) = match n % 50_000 {
        7 => (Status::Impaired, Some(Cause::PictureBlurred), SnapshotClass::StatusChange),
        11 => (Status::Impaired, Some(Cause::PictureBlack), SnapshotClass::Incident),
        _ => (Status::Online, None, SnapshotClass::Routine),
    };
    let taken = Taken {
        class,
        stream: StreamChoice::Main,
        captured: slot,
        captured_mono: 1,
        camera_clock: None,
        codec: Codec::H265,
        width: 1920,
        height: 1080,
        status,
        cause,
    };
    let about = if n % 50_000 == 3 { About::Gap(Cause::NoAnswer) } else { About::Snapshot(taken) };
    let sha256 = [n.to_le_bytes(); 4].concat().try_into().unwrap();
    let header = Header { segment: 1, offset: n, camera: CameraId(camera), slot, payload: 60_000, sha256, about };
    Row { header, detail: String::new() }
}

#[tokio::test]
async fn the_first_page_is_quick_among_many_records() {
    let rows: u64 = std::env::var("SHARPEYES_SEARCH_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(160_000);
    let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/../../target").unwrap();
    let folder = Folder::new(root.path());
    make_folders(&folder.index()).unwrap();
    let mut index = Index::open(&folder).await.unwrap();
    let began = Instant::now();
    let minutes = i64::try_from(rows / u64::from(CAMERAS)).unwrap();
    // A few days in any case, so that a page has to go from day to day.
    let spread = (4 * 1440 / minutes.max(1)).max(1);
    for minute in 0..minutes {
        let n = |camera: u32| minute.cast_unsigned() * u64::from(CAMERAS) + u64::from(camera);
        let batch: Vec<Row> = (0..CAMERAS).map(|camera| row(camera, minute * spread, n(camera))).collect();
        index.put(&batch).await.unwrap();
    }
    let last = MIDNIGHT + (minutes - 1) * spread * MINUTE;
    index.close().await;
    let days = (Day::of(Wall(MIDNIGHT)).0..=Day::of(Wall(last)).0).map(Day).collect();
    println!("{rows} records put in within {:.1} s", began.elapsed().as_secs_f64());

    let reader = Reader::new(folder, Known { days, ..Known::default() }, None);
    let any = SnapshotQuery::default;
    let some = |n: u32| Some((0..n).map(|c| CameraId(c * 7 % CAMERAS)).collect::<Vec<_>>());
    let middle = Some(Wall(MIDNIGHT + (last - MIDNIGHT) / 2));
    let questions = [
        ("everything", any()),
        ("one camera", SnapshotQuery { cameras: some(1), ..any() }),
        ("a site of 3", SnapshotQuery { cameras: some(3), ..any() }),
        ("a town of 60", SnapshotQuery { cameras: some(60), ..any() }),
        ("one camera before the middle", SnapshotQuery { cameras: some(1), until: middle, ..any() }),
        ("gaps", SnapshotQuery { kind: Kind::Gap, ..any() }),
        ("a rare cause", SnapshotQuery { cause: Some(Cause::PictureBlurred), ..any() }),
        ("a rare status", SnapshotQuery { status: Some(Status::Impaired), ..any() }),
        ("a rare class", SnapshotQuery { class: Some(SnapshotClass::Incident), ..any() }),
        ("one camera's rare class", SnapshotQuery { class: Some(SnapshotClass::Incident), cameras: some(1), ..any() }),
    ];
    for (name, query) in questions {
        let mut best = Duration::MAX;
        let mut found = 0;
        for _ in 0..5 {
            let began = Instant::now();
            found = reader.search(&query).await.unwrap().entries.len();
            best = best.min(began.elapsed());
        }
        println!("{name:<30} {:7.2} ms, {found} entries", best.as_secs_f64() * 1e3);
        assert!(best <= LIMIT, "{name} took {best:?}");
        // The next page continues where the first ended.
        let first = reader.search(&SnapshotQuery { limit: 2, ..query.clone() }).await.unwrap();
        if let Some(next) = first.next {
            let second = reader.search(&SnapshotQuery { limit: 2, after: Some(next), ..query }).await.unwrap();
            let slots = first.entries.iter().chain(&second.entries).map(|e| (e.slot(), e.camera())).collect::<Vec<_>>();
            assert!(slots.is_sorted_by(|a, b| a > b), "{name}: {slots:?}");
        }
    }
    reader.close().await;
}
