//! Status history and incidents.

use super::samples::{change, incident, register};
use crate::{Fact, HistoryQuery, IncidentQuery, StatusInterval, Store};
use fleet::{CameraId, Cause, SiteId, Status, UplinkId, Wall};
use health::{Incident, IncidentId, Scope, StatusChange, Unobserved};

use Status::{Impaired, Offline, Online, Paused, Unknown};

async fn record(store: &dyn Store, changes: impl IntoIterator<Item = StatusChange>) {
    let facts: Vec<Fact> = changes.into_iter().map(Fact::Status).collect();
    store.record(&facts).await.expect("records");
}

/// A camera's whole history, oldest first, after checking that its intervals meet.
async fn history(store: &dyn Store, camera: u32) -> Vec<StatusInterval> {
    let query = HistoryQuery { camera: Some(CameraId(camera)), limit: 1000, ..HistoryQuery::default() };
    let mut items = store.history(&query).await.expect("reads").items;
    items.reverse();
    for pair in items.windows(2) {
        assert_eq!(pair[0].until, Some(pair[1].from), "a hole or an overlap in {items:?}");
        assert!(pair[0].from < pair[1].from, "an empty interval in {items:?}");
    }
    if let Some(last) = items.last() {
        assert_eq!(last.until, None, "nothing holds now in {items:?}");
    }
    items
}

fn brief(items: &[StatusInterval]) -> Vec<(i64, Status)> {
    items.iter().map(|i| (i.from.0, i.status)).collect()
}

pub(super) async fn changes_become_intervals_without_holes(store: &dyn Store) {
    record(store, [change(1, 100, Unknown), change(2, 100, Unknown), change(1, 200, Online)]).await;
    record(store, [change(1, 300, Offline)]).await;
    assert_eq!(brief(&history(store, 1).await), [(100, Unknown), (200, Online), (300, Offline)]);
    assert_eq!(brief(&history(store, 2).await), [(100, Unknown)]);
    let last = &history(store, 1).await[2];
    assert_eq!((last.layer, last.cause), (Some(Cause::NoAnswer.layer()), Some(Cause::NoAnswer)));
    assert_eq!(last.detail, "as of 300");
    for (at, expected) in [(99, None), (100, Some(100)), (199, Some(100)), (200, Some(200)), (9_999, Some(300))] {
        let found = store.status_at(CameraId(1), Wall(at)).await.expect("reads");
        assert_eq!(found.map(|i| i.from.0), expected, "what held at {at}");
    }
    assert_eq!(store.status_at(CameraId(77), Wall(500)).await.expect("reads"), None);
}

pub(super) async fn the_condition_tells_of_the_newest_write(store: &dyn Store) {
    let began = Wall::read();
    record(store, [change(1, 100, Unknown)]).await;
    let condition = store.condition();
    assert!(!condition.engine.is_empty() && condition.bytes > 0, "{condition:?}");
    let written = condition.last_write.expect("something was written");
    assert!(written.at >= began && written.took > std::time::Duration::ZERO, "{written:?}");
}

pub(super) async fn repeating_a_batch_changes_nothing(store: &dyn Store) {
    let site = incident(7, 150, Scope::Site(SiteId(3)), &[1, 2]);
    let batch = [
        Fact::Status(change(1, 100, Online)),
        Fact::Status(change(1, 150, Offline)),
        Fact::Status(change(2, 150, Offline)),
        // Two within one millisecond: neither is lost.
        Fact::Status(change(2, 150, Online)),
        Fact::Incident(site.clone()),
        Fact::Alive(Wall(160)),
    ];
    store.record(&batch).await.expect("records");
    let (one, two) = (history(store, 1).await, history(store, 2).await);
    assert_eq!(brief(&two), [(150, Offline), (151, Online)]);
    for _ in 0..3 {
        store.record(&batch).await.expect("records again");
        assert_eq!(history(store, 1).await, one);
        assert_eq!(history(store, 2).await, two);
    }
    assert_eq!(store.incident(IncidentId(7)).await.expect("reads"), Some(site));
    store.record(&[]).await.expect("nothing is a batch too");
}

pub(super) async fn a_clock_set_back_loses_nothing(store: &dyn Store) {
    record(store, [change(1, 5_000, Online)]).await;
    let back = [change(1, 1_000, Offline), change(1, 1_500, Online), change(1, 4_000, Impaired)];
    record(store, back.clone()).await;
    let expected = [(5_000, Online), (5_001, Offline), (5_002, Online), (5_003, Impaired)];
    assert_eq!(brief(&history(store, 1).await), expected);
    record(store, back).await;
    assert_eq!(brief(&history(store, 1).await), expected, "a repetition is recognised by the time it claims");
    record(store, [change(1, 6_000, Offline)]).await;
    assert_eq!(brief(&history(store, 1).await)[3..], [(5_003, Impaired), (6_000, Offline)]);
}

pub(super) async fn a_stop_ends_what_nobody_watched(store: &dyn Store) {
    let fresh = store.resume(Wall(50)).await.expect("resumes");
    assert!(fresh.statuses.is_empty() && fresh.incidents.is_empty() && fresh.last_incident.is_none());

    record(store, [change(1, 100, Online), change(2, 100, Offline), change(3, 100, Paused), change(4, 100, Unknown)])
        .await;
    let open = incident(5, 100, Scope::Uplink(UplinkId(1)), &[2]);
    let closed = Incident { resolved: Some(Wall(120)), ..incident(9, 110, Scope::Camera(CameraId(1)), &[1]) };
    store
        .record(&[
            Fact::Incident(open.clone()),
            Fact::Incident(closed.clone()),
            Fact::Alive(Wall(200)),
            Fact::Alive(Wall(300)),
        ])
        .await
        .expect("records");
    for _ in 0..2 {
        let resumed = store.resume(Wall(10_000)).await.expect("resumes");
        let told: Vec<_> = resumed.statuses.iter().map(|s| (s.camera.0, s.at.0, s.status, s.from)).collect();
        assert_eq!(
            told,
            [
                (1, 300, Unknown, Some(Online)),
                (2, 300, Unknown, Some(Offline)),
                (3, 100, Paused, None),
                (4, 100, Unknown, None)
            ]
        );
        assert_eq!(resumed.statuses[0].cause, Some(Cause::NotYetChecked));
        assert_eq!(resumed.incidents, std::slice::from_ref(&open));
        assert_eq!(resumed.resolved, std::slice::from_ref(&closed), "a fault that returns soon re-opens its own");
        assert_eq!(resumed.last_incident, Some(IncidentId(9)));
    }
    assert_eq!(brief(&history(store, 1).await), [(100, Online), (300, Unknown)]);
    assert_eq!(store.resume(Wall(10_000)).await.expect("resumes").refused, []);
    // A password that was refused is not sent again, however often we stop before anything else is known.
    let refused = StatusChange {
        cause: Some(Cause::PasswordRefused),
        layer: Some(Cause::PasswordRefused.layer()),
        ..change(2, 10_500, Offline)
    };
    record(store, [refused.clone(), change(2, 10_600, Paused)]).await;
    for _ in 0..2 {
        let resumed = store.resume(Wall(10_800)).await.expect("resumes");
        assert_eq!(resumed.refused, [(CameraId(2), Wall(10_500), refused.detail.clone())]);
    }

    // Without a sign of life after it, the newest change is the last that is known to have been judged.
    record(store, [change(1, 11_000, Online), change(2, 12_000, Online)]).await;
    store.resume(Wall(20_000)).await.expect("resumes");
    assert_eq!(brief(&history(store, 1).await)[2..], [(11_000, Online), (12_000, Unknown)]);
    assert_eq!(brief(&history(store, 2).await)[4..], [(12_000, Online), (12_001, Unknown)]);
    assert_eq!(store.resume(Wall(20_000)).await.expect("resumes").refused, []);

    // What the register says of a camera later counts, even if our clock was set back in between.
    let registered = register();
    let camera = registered.cameras.first().expect("one at least").id;
    record(store, [StatusChange { camera, at: Wall(30_000), ..refused }]).await;
    assert_eq!(store.resume(Wall(31_000)).await.expect("resumes").refused.len(), 1);
    store.change_registry(registered).await.expect("takes a register");
    assert_eq!(store.resume(Wall(32_000)).await.expect("resumes").refused, []);
}

pub(super) async fn time_nobody_saw_is_unknown(store: &dyn Store) {
    record(store, [change(1, 100, Online), change(2, 100, Unknown), change(3, 100, Paused), change(4, 100, Offline)])
        .await;
    record(store, [change(5, 150, Online), change(6, 250, Online)]).await;
    let gap = Unobserved { from: Wall(140), until: Wall(200), cause: Cause::OwnMachine, detail: "asleep".into() };
    let batch = [Fact::Unobserved(gap.clone()), Fact::Status(change(1, 230, Offline))];
    for _ in 0..3 {
        store.record(&batch).await.expect("records");
        let one = history(store, 1).await;
        assert_eq!(brief(&one), [(100, Online), (140, Unknown), (200, Online), (230, Offline)]);
        assert_eq!((one[1].cause, one[1].detail.as_str()), (Some(Cause::OwnMachine), "asleep"));
        assert_eq!(one[2].detail, one[0].detail, "what went on goes on");
        assert_eq!(brief(&history(store, 2).await), [(100, Unknown)]);
        assert_eq!(brief(&history(store, 3).await), [(100, Paused)]);
        let four = history(store, 4).await;
        assert_eq!(brief(&four), [(100, Offline), (140, Unknown), (200, Offline)]);
        assert_eq!(four[2].cause, four[0].cause);
        assert_eq!(brief(&history(store, 5).await), [(150, Online), (151, Unknown), (200, Online)]);
        assert_eq!(brief(&history(store, 6).await), [(250, Online)], "it is later than all of that");
    }
    // The next one finds what goes on since.
    let again = Unobserved { from: Wall(300), until: Wall(400), ..gap };
    store.record(&[Fact::Unobserved(again)]).await.expect("records");
    assert_eq!(brief(&history(store, 4).await)[2..], [(200, Offline), (300, Unknown), (400, Offline)]);
}

pub(super) async fn time_adds_up(store: &dyn Store) {
    record(store, [change(1, 1_000, Online), change(1, 3_000, Offline), change(1, 4_000, Online)]).await;
    record(store, [change(2, 2_500, Impaired), change(2, 2_600, Paused), change(2, 2_700, Unknown)]).await;
    let sums = |from: i64, until: i64| async move {
        let rows = store.status_seconds(Wall(from)..Wall(until)).await.expect("reads");
        rows.iter().map(|r| (r.camera.0, r.millis)).collect::<Vec<_>>()
    };
    assert_eq!(sums(0, 10_000).await, [(1, [8_000, 0, 1_000, 0, 0]), (2, [0, 100, 0, 7_300, 100])]);
    assert_eq!(sums(2_000, 3_500).await, [(1, [1_000, 0, 500, 0, 0]), (2, [0, 100, 0, 800, 100])]);
    assert_eq!(sums(3_000, 4_000).await, [(1, [0, 0, 1_000, 0, 0]), (2, [0, 0, 0, 1_000, 0])]);
    assert_eq!(sums(9_000, 9_500).await, [(1, [500, 0, 0, 0, 0]), (2, [0, 0, 0, 500, 0])]);
    assert_eq!(sums(0, 1_000).await, []);
    assert_eq!(sums(5_000, 5_000).await, []);
    // Nothing is counted twice or left out, wherever a range is cut.
    for cut in [1_001, 2_550, 3_000, 3_999] {
        let mut sum = [0; 5];
        for (camera, millis) in sums(1_000, cut).await.into_iter().chain(sums(cut, 5_000).await) {
            if camera == 1 {
                sum.iter_mut().zip(millis).for_each(|(s, m)| *s += m);
            }
        }
        assert_eq!(sum, [3_000, 0, 1_000, 0, 0], "cut at {cut}");
    }
}

pub(super) async fn history_pages_meet(store: &dyn Store) {
    // Many changes share an instant, as when a line fails: the page may end in the middle of them.
    for at in [100, 200, 300] {
        record(store, (1..=7).map(|c| change(c, at, if at == 200 { Offline } else { Online }))).await;
    }
    let whole = HistoryQuery { limit: 1000, ..HistoryQuery::default() };
    let whole = store.history(&whole).await.expect("reads");
    assert_eq!((whole.items.len(), whole.next), (21, None));
    assert!(whole.items.windows(2).all(|w| (w[0].from, w[0].camera) > (w[1].from, w[1].camera)), "newest first");
    for limit in [1, 4, 7, 20, 21, 22] {
        let mut query = HistoryQuery { limit, ..HistoryQuery::default() };
        let mut read = Vec::new();
        loop {
            let page = store.history(&query).await.expect("reads");
            assert!(page.items.len() <= limit as usize);
            read.extend(page.items);
            let Some(next) = page.next else { break };
            query.cursor = Some(next);
        }
        assert_eq!(read, whole.items, "pages of {limit}");
    }
    let middle = HistoryQuery {
        camera: Some(CameraId(3)),
        from: Some(Wall(200)),
        until: Some(Wall(300)),
        limit: 10,
        cursor: None,
    };
    assert_eq!(brief(&store.history(&middle).await.expect("reads").items), [(200, Offline)]);
}

pub(super) async fn incidents_are_found_by_each_filter(store: &dyn Store) {
    let all = [
        incident(1, 100, Scope::Camera(CameraId(1)), &[1]),
        Incident { resolved: Some(Wall(250)), ..incident(2, 200, Scope::Site(SiteId(3)), &[1, 2]) },
        incident(3, 200, Scope::County, &[1, 2, 3]),
        Incident { resolved: Some(Wall(900)), ..incident(4, 400, Scope::Olt(fleet::Olt("O-1".into())), &[]) },
    ];
    store.record(&all.clone().map(Fact::Incident)).await.expect("records");
    let find = |query: IncidentQuery| async move {
        let page = store.incidents(&IncidentQuery { limit: 100, ..query }).await.expect("reads");
        page.items.iter().map(|i| i.id.0).collect::<Vec<_>>()
    };
    let any = IncidentQuery::default;
    assert_eq!(find(any()).await, [4, 3, 2, 1]);
    assert_eq!(find(IncidentQuery { open: Some(true), ..any() }).await, [3, 1]);
    assert_eq!(find(IncidentQuery { open: Some(false), ..any() }).await, [4, 2]);
    assert_eq!(find(IncidentQuery { scope: Some(Scope::County), ..any() }).await, [3]);
    assert_eq!(find(IncidentQuery { scope: Some(Scope::Olt(fleet::Olt("O-1".into()))), ..any() }).await, [4]);
    assert_eq!(find(IncidentQuery { scope: Some(Scope::Site(SiteId(4))), ..any() }).await, []);
    assert_eq!(find(IncidentQuery { camera: Some(CameraId(2)), ..any() }).await, [3, 2]);
    assert_eq!(find(IncidentQuery { camera: Some(CameraId(1)), open: Some(true), ..any() }).await, [3, 1]);
    let site = Some(Scope::Site(SiteId(3)));
    assert_eq!(find(IncidentQuery { camera: Some(CameraId(1)), scope: site.clone(), ..any() }).await, [2]);
    assert_eq!(find(IncidentQuery { scope: site, open: Some(true), ..any() }).await, []);
    assert_eq!(find(IncidentQuery { from: Some(Wall(200)), until: Some(Wall(400)), ..any() }).await, [3, 2]);

    // The newest record of an incident replaces the one before, its members too.
    let moved = Incident { resolved: Some(Wall(500)), ..incident(3, 200, Scope::County, &[2, 4]) };
    store.record(&[Fact::Incident(moved.clone())]).await.expect("records");
    assert_eq!(store.incident(IncidentId(3)).await.expect("reads"), Some(moved));
    assert_eq!(find(IncidentQuery { open: Some(true), ..any() }).await, [1]);
    assert_eq!(find(IncidentQuery { camera: Some(CameraId(3)), ..any() }).await, []);
    assert_eq!(find(IncidentQuery { camera: Some(CameraId(4)), ..any() }).await, [3]);
    assert_eq!(store.incident(IncidentId(99)).await.expect("reads"), None);
    assert_eq!(store.incident(IncidentId(u64::MAX)).await.expect("reads"), None);
}

pub(super) async fn incident_pages_meet(store: &dyn Store) {
    let facts: Vec<Fact> =
        (1..=20).map(|id| Fact::Incident(incident(id, 100 + (id as i64) / 6, Scope::Own, &[1]))).collect();
    store.record(&facts).await.expect("records");
    let ways = [
        IncidentQuery::default(),
        IncidentQuery { open: Some(true), ..IncidentQuery::default() },
        IncidentQuery { scope: Some(Scope::Own), ..IncidentQuery::default() },
        IncidentQuery { camera: Some(CameraId(1)), ..IncidentQuery::default() },
    ];
    for way in ways {
        let mut query = IncidentQuery { limit: 7, ..way };
        let mut read = Vec::new();
        loop {
            let page = store.incidents(&query).await.expect("reads");
            read.extend(page.items.iter().map(|i| i.id.0));
            let Some(next) = page.next else { break };
            query.cursor = Some(next);
        }
        assert_eq!(read, (1..=20).rev().collect::<Vec<_>>(), "{query:?}");
    }
}
