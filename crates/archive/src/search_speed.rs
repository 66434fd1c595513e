//! How long the first page takes among many records: `./task bench search [RECORDS]` for the long form. It makes an index
//! of ten million records once (some minutes, 1.1 GB), in `target/search/`, and asks every kind of question.

#![allow(clippy::print_stdout)]

use crate::{
    Kind, SnapshotQuery,
    folder::{Day, Folder, make_folders},
    index::Index,
    query::Cursors,
    reader::{Known, Reader},
    record::{self, About, Header, Taken},
    row::Row,
};
use fleet::{CameraId, Cause, Codec, Status, StreamChoice, Wall};
use health::SnapshotClass;
use std::time::{Duration, Instant};

const CAMERAS: u32 = 800;
const MIDNIGHT: i64 = 1_795_478_400_000;
const MINUTE: i64 = 60_000;
/// Cameras of one dark village, of which there are only gaps in the newest half.
const DARK: std::ops::Range<u32> = 700..720;
/// What a page may take.
const LIMIT: Duration = Duration::from_millis(50);

/// One camera and instant: mostly routine, here and there a gap, a fault, an incident.
fn row(camera: u32, slot: Wall, n: u64, late: bool) -> Row {
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
        converted_from: None,
        width: 1920,
        height: 1080,
        status,
        cause,
    };
    let gap = n % 50_000 == 3 || (late && DARK.contains(&camera));
    let about = if gap { About::Gap(record::Missed::one(Cause::NoAnswer)) } else { About::Snapshot(taken) };
    let sha256 = [n.to_le_bytes(); 4].concat().try_into().unwrap();
    let header = Header { segment: 1, offset: n, camera: CameraId(camera), slot, payload: 60_000, sha256, about };
    Row { header, detail: String::new() }
}

/// Puts so many records in, unless an earlier run did; hands back the last slot.
async fn filled(folder: &Folder, rows: u64) -> i64 {
    let rounds = i64::try_from(rows / u64::from(CAMERAS)).unwrap();
    // Every five minutes, as the default is; few records over some days in any case, so that a page has to go from day
    // to day.
    let step = (4 * 1440 / rounds.max(1)).max(5) * MINUTE;
    let (last, done) = (MIDNIGHT + (rounds - 1) * step, folder.root().join("done"));
    if done.exists() {
        return last;
    }
    make_folders(&folder.index()).unwrap();
    let mut index = Index::open(folder).await.unwrap();
    let began = Instant::now();
    for round in 0..rounds {
        let n = |camera: u32| round.cast_unsigned() * u64::from(CAMERAS) + u64::from(camera);
        let slot = Wall(MIDNIGHT + round * step);
        let batch: Vec<Row> = (0..CAMERAS).map(|c| row(c, slot, n(c), round > rounds / 2)).collect();
        index.put(&batch).await.unwrap();
    }
    index.close().await;
    std::fs::write(done, "").unwrap();
    println!("{rows} records put in within {:.0} s", began.elapsed().as_secs_f64());
    last
}

#[tokio::test]
async fn the_first_page_is_quick_among_many_records() {
    let rows: u64 = std::env::var("SHARPEYES_SEARCH_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(160_000);
    let target = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let short = tempfile::tempdir_in(&target).unwrap();
    // The long form's index is kept: the next run asks at once.
    let root = if rows > 1_000_000 { target.join(format!("search/{rows}")) } else { short.path().to_owned() };
    let folder = Folder::new(&root);
    let last = filled(&folder, rows).await;
    let days = (Day::of(Wall(MIDNIGHT)).0..=Day::of(Wall(last)).0).map(Day).collect();

    let cursors = Cursors::new(&ed25519_dalek::SigningKey::from_bytes(&[1; 32]));
    let reader = Reader::new(folder, Known { days, ..Known::default() }, None, cursors);
    let any = SnapshotQuery::default;
    let some = |n: u32| Some((0..n).map(|c| CameraId(c * 7 % CAMERAS)).collect::<Vec<_>>());
    let middle = Some(Wall(MIDNIGHT + (last - MIDNIGHT) / 2));
    let hour = Some(Wall(last - 3 * 86_400_000)).map(|at| (at, Wall(at.0 + 3_600_000)));
    let dark = Some(DARK.map(CameraId).collect::<Vec<_>>());
    let questions = [
        ("everything", any()),
        ("everything before the middle", SnapshotQuery { until: middle, ..any() }),
        ("one camera", SnapshotQuery { cameras: some(1), ..any() }),
        ("one camera before the middle", SnapshotQuery { cameras: some(1), until: middle, ..any() }),
        ("a site of 3", SnapshotQuery { cameras: some(3), ..any() }),
        ("an uplink of 8", SnapshotQuery { cameras: some(8), ..any() }),
        ("an uplink of 20", SnapshotQuery { cameras: some(20), ..any() }),
        ("a town of 60", SnapshotQuery { cameras: some(60), ..any() }),
        ("half the county", SnapshotQuery { cameras: some(400), ..any() }),
        ("an incident of 1, an hour", of(some(1), hour)),
        ("an incident of 60, an hour", of(some(60), hour)),
        ("a dark uplink's pictures", SnapshotQuery { cameras: dark.clone(), kind: Kind::Snapshot, ..any() }),
        ("a dark uplink's gaps", SnapshotQuery { cameras: dark, kind: Kind::Gap, ..any() }),
        ("pictures", SnapshotQuery { kind: Kind::Snapshot, ..any() }),
        ("gaps", SnapshotQuery { kind: Kind::Gap, ..any() }),
        ("a rare cause", SnapshotQuery { cause: Some(Cause::PictureBlurred), ..any() }),
        ("a cause that never was", SnapshotQuery { cause: Some(Cause::PictureStripes), ..any() }),
        ("the usual status", SnapshotQuery { status: Some(Status::Online), ..any() }),
        ("a rare status", SnapshotQuery { status: Some(Status::Impaired), ..any() }),
        ("the usual class", SnapshotQuery { class: Some(SnapshotClass::Routine), ..any() }),
        ("a rare class", SnapshotQuery { class: Some(SnapshotClass::Incident), ..any() }),
        ("one camera's rare class", SnapshotQuery { class: Some(SnapshotClass::Incident), cameras: some(1), ..any() }),
        ("a town's rare status", SnapshotQuery { status: Some(Status::Impaired), cameras: some(60), ..any() }),
    ];
    let mut slowest = (Duration::ZERO, "");
    for (name, query) in questions {
        let mut best = Duration::MAX;
        let mut found = 0;
        for tries in 1..=50 {
            let began = Instant::now();
            found = reader.search(&query).await.unwrap().entries.len();
            best = best.min(began.elapsed());
            // Somebody else may have had the processor: what counts is how long it takes when nobody has.
            if tries >= 5 && best <= LIMIT {
                break;
            }
        }
        println!("{name:<30} {:7.2} ms, {found} entries", best.as_secs_f64() * 1e3);
        slowest = slowest.max((best, name));
        // The next page continues where the first ended.
        let first = reader.search(&SnapshotQuery { limit: 2, ..query.clone() }).await.unwrap();
        if let Some(next) = first.next {
            let second = reader.search(&SnapshotQuery { limit: 2, after: Some(next), ..query }).await.unwrap();
            let slots = first.entries.iter().chain(&second.entries).map(|e| (e.slot(), e.camera())).collect::<Vec<_>>();
            assert!(slots.is_sorted_by(|a, b| a > b), "{name}: {slots:?}");
        }
    }
    reader.close().await;
    println!("slowest: {}, {:.1} ms of {:.0}", slowest.1, slowest.0.as_secs_f64() * 1e3, LIMIT.as_secs_f64() * 1e3);
    assert!(slowest.0 <= LIMIT, "{} took {:?}", slowest.1, slowest.0);
}

fn of(cameras: Option<Vec<CameraId>>, span: Option<(Wall, Wall)>) -> SnapshotQuery {
    let (from, until) = span.unzip();
    SnapshotQuery { cameras, from, until, ..SnapshotQuery::default() }
}
