//! A verdict is one and the same over a restart, against a real database.

use super::*;
use crate::node::samples::shared;
use fleet::Mono;
use picture::{GRID_CELLS, GRID_COLUMNS, GRID_ROWS};
use store::{Said, Word};

const CAMERA: CameraId = CameraId(1);

/// No light at all, or a good picture; no two good ones are the same, or it would be looked at for being frozen.
fn seen(black: bool, n: usize) -> Features {
    let living = |cell: usize| ((cell * 13 + n * 71) % 160) as u16;
    let luma = |cell: usize| if black { 0 } else { (40 + cell * 37 % 150) as u16 * 256 + living(cell) };
    Features {
        width: 640,
        height: 360,
        mean: if black { 0.0 } else { 110.0 },
        deviation: if black { 0.0 } else { 50.0 },
        percentiles: if black { [0; 7] } else { [20, 40, 80, 110, 150, 190, 210] },
        sharpness: if black { 0.0 } else { 1000.0 },
        saturation: 14.0,
        flat: if black { 1.0 } else { 0.1 },
        luma: (0..GRID_CELLS).map(luma).collect(),
        checks: (0..GRID_CELLS).map(|cell| if black { 0 } else { (cell * 31 + n * 7 + 1) as u32 }).collect(),
        edges: (0..GRID_CELLS).map(|cell| if black { 0 } else { (cell * 31 % 200) as u8 }).collect(),
        detail: vec![if black { 0 } else { 80 }; GRID_CELLS],
        grain: vec![8; GRID_CELLS],
        blocks: vec![8; GRID_CELLS],
        tint: vec![[0; 2]; GRID_CELLS],
        row_marks: vec![0; GRID_ROWS],
        column_marks: vec![0; GRID_COLUMNS],
        ..Features::default()
    }
}

struct Life {
    judge: Judge,
    verdicts: Arc<Verdicts>,
    recorder: Recorder,
    clock: i64,
}

impl Life {
    async fn begin(store: &Arc<dyn Store>, clock: i64) -> Life {
        let registry = shared(Vec::new()).registry.load_full();
        let (verdicts, recorder) = (Arc::new(Verdicts::default()), Recorder::start(Arc::clone(store)));
        let shelf = Shelf::start(Arc::clone(store));
        let judge = Judge::resume(
            DiagnosisConfig::default(),
            store.as_ref(),
            &registry,
            Arc::clone(&verdicts),
            (shelf, recorder.clone()),
            Wall(clock),
        );
        Life { judge: judge.await.unwrap(), verdicts, recorder, clock }
    }

    /// A minute later.
    fn sees(&mut self, black: bool) {
        self.clock += 60_000;
        let mono = Mono::default() + Duration::from_millis(self.clock.unsigned_abs());
        self.judge.judge(CAMERA, &seen(black, (self.clock / 60_000) as usize), Now { mono, wall: Wall(self.clock) });
    }

    fn since(&self) -> Vec<(Cause, Wall)> {
        let judged = self.verdicts.get(CAMERA).unwrap();
        judged.findings.iter().chain(&judged.excepted).map(|h| (h.finding.cause, h.since)).collect()
    }

    /// Killed right after this was on record.
    async fn end(self) {
        self.recorder.record(Fact::Alive(Wall(self.clock)));
        self.recorder.close().await;
    }
}

#[tokio::test]
async fn a_finding_goes_on_over_a_restart_or_ends_with_two_good_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(store_sqlite::SqliteStore::open(folder.path()).await.unwrap());
    let at = async |at: i64| store.findings_at(CAMERA, Wall(at)).await.unwrap();
    let mut life = Life::begin(&store, 0).await;
    life.sees(true);
    life.sees(true);
    let black = vec![(Cause::PictureBlack, Wall(120_000))];
    assert_eq!(life.since(), black);
    life.end().await;

    // Down for an hour; it still is black: the same finding, and one row of it.
    let mut life = Life::begin(&store, 3_720_000).await;
    life.sees(true);
    life.sees(true);
    assert_eq!(life.since(), black);
    life.end().await;
    let found = at(i64::MAX).await;
    assert_eq!((found.len(), found[0].since, found[0].until), (1, Wall(120_000), None));

    // A person calls it a false alarm, which is of the same verdict after the next restart too.
    let word = Word {
        camera: CAMERA,
        cause: Cause::PictureBlack,
        since: Wall(120_000),
        said: Said::FalseAlarm,
        at: Wall(4_000_000),
        who: "zhao".into(),
        who_detail: String::new(),
        reason: "夜间停用补光".into(),
        until: Some(Wall(99_000_000)),
    };
    store.say(&word).await.unwrap();
    let mut life = Life::begin(&store, 7_200_000).await;
    life.sees(true);
    life.sees(true);
    assert_eq!(life.since(), black);
    assert_eq!(life.verdicts.get(CAMERA).unwrap().findings, [], "it is not told");
    life.end().await;

    // After the next restart it is good: ended as of when it was last known to be so.
    let mut life = Life::begin(&store, 10_800_000).await;
    life.sees(false);
    life.sees(false);
    assert_eq!(life.since(), []);
    life.sees(true);
    life.sees(true);
    assert_eq!(life.since(), [(Cause::PictureBlack, Wall(11_040_000))], "another one");
    life.end().await;
    let found = at(130_000).await;
    assert!(found[0].until.is_some_and(|until| until < Wall(10_800_000)), "{found:?}");
}

#[tokio::test]
async fn each_light_has_a_reference_and_one_that_is_gone_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(store_sqlite::SqliteStore::open(folder.path()).await.unwrap());
    let mut life = Life::begin(&store, 0).await;
    life.sees(false);
    let now = Wall(life.clock);
    let reference = |life: &Life| life.verdicts.get(CAMERA).unwrap().reference.clone();
    life.judge.archived(CAMERA, "first".into(), None, now);
    life.judge.archived(CAMERA, "second".into(), None, now);
    assert_eq!(reference(&life).as_deref(), Some("first"));
    // The archive is asked now and then; what it dropped gives way to the next good snapshot.
    assert_eq!(life.judge.reference_to_check(CAMERA, now).as_deref(), Some("first"));
    assert_eq!(life.judge.reference_to_check(CAMERA, now), None, "not at each snapshot");
    life.judge.archived(CAMERA, "third".into(), Some("first"), now);
    assert_eq!(reference(&life).as_deref(), Some("third"));
    // By infrared it is another one.
    life.clock += 60_000;
    let mono = Mono::default() + Duration::from_millis(life.clock.unsigned_abs());
    let infrared = Features { saturation: 0.0, luma: vec![50 * 256; GRID_CELLS], mean: 50.0, ..seen(false, 0) };
    for step in 0..2 {
        let at = Now { mono: mono + Duration::from_secs(step), wall: Wall(life.clock) };
        life.judge.judge(CAMERA, &infrared, at);
    }
    assert_eq!(reference(&life), None);
    life.judge.archived(CAMERA, "night".into(), None, Wall(life.clock));
    assert_eq!(reference(&life).as_deref(), Some("night"));
    life.sees(false);
    assert_eq!(reference(&life).as_deref(), Some("third"));
    // An old verdict says nothing of a snapshot's light.
    life.judge.archived(CAMERA, "later".into(), Some("third"), Wall(life.clock + 600_000));
    assert_eq!(reference(&life), None);
}
