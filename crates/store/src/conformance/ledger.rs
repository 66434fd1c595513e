//! The availability ledger: roll-ups against the pure count, whatever changes the past.

use super::samples::{change, register};
use crate::{Fact, HistoryQuery, LedgerHistory, RollUp, RolledUp, SnapshotCount, Step, Store, StoreError};
use fleet::{CameraId, Cause, Status, Wall};
use health::Unobserved;
use health::ledger::{Calendar, DAY_MS, Excuse, ExcuseKind, HOUR_MS, Kind, Rules, Stretch, Tally, total};
use std::{ops::Range, time::Duration};

use Status::{Impaired, Offline, Online, Paused, Unknown};

/// 2026-01-01 in the county.
const NEW_YEAR: i64 = 1_767_196_800_000;

pub(super) fn hour(hours: i64) -> Wall {
    Wall(NEW_YEAR + hours * HOUR_MS)
}

pub(super) fn rules() -> Rules {
    Rules { repair_within: Duration::from_secs(5 * 3600), ..Rules::default() }
}

pub(super) async fn tell(store: &dyn Store, changes: &[(u32, i64, Status)]) {
    let facts: Vec<Fact> =
        changes.iter().map(|(camera, h, status)| Fact::Status(change(*camera, hour(*h).0, *status))).collect();
    store.record(&facts).await.expect("records");
}

async fn step(store: &dyn Store, now: Wall, rules: Rules, snapshots: Vec<SnapshotCount>) -> RolledUp {
    store.roll_up(&RollUp { now, rules, snapshots, for_good: true }).await.expect("rolls up")
}

/// Rolls up until nothing is left.
pub(super) async fn catch_up(store: &dyn Store, now: Wall, rules: Rules) -> RolledUp {
    for _ in 0..2000 {
        let done = step(store, now, rules, Vec::new()).await;
        if done.caught_up {
            return done;
        }
    }
    panic!("rolling up does not come to an end");
}

/// What the pure core counts from everything that is on record.
async fn truth(store: &dyn Store, camera: u32, range: Range<Wall>, now: Wall, rules: Rules) -> Tally {
    let all = store.ledger_history(CameraId(camera), Wall(0)..now).await.expect("reads");
    let LedgerHistory { intervals, excuses, .. } = all;
    let stretches: Vec<Stretch> =
        intervals.iter().map(|i| Stretch { from: i.from, until: i.until, status: i.status, cause: i.cause }).collect();
    total(&stretches, &excuses, &(range.start..range.end.min(now)), &rules)
}

pub(super) async fn check(store: &dyn Store, cameras: &[u32], range: Range<Wall>, now: Wall, rules: Rules) {
    let ledger = store.ledger(range.clone()).await.expect("reads");
    assert_eq!(ledger.range, range);
    for &camera in cameras {
        let line = ledger.lines.iter().find(|l| l.camera == CameraId(camera)).expect("a line of each camera");
        let mut counted = line.tally.clone();
        (counted.stored, counted.gaps) = (0, 0);
        assert_eq!(counted, truth(store, camera, range.clone(), now, rules).await, "camera {camera} in {range:?}");
    }
}

/// Three cameras over some days, with everything that can happen to them.
async fn some_days(store: &dyn Store) {
    tell(store, &[(1, 1, Unknown), (2, 1, Unknown), (3, 30, Online)]).await;
    tell(store, &[(1, 2, Online), (2, 3, Online), (1, 20, Offline), (1, 30, Online), (2, 40, Impaired)]).await;
    tell(store, &[(2, 50, Offline), (2, 51, Unknown), (2, 60, Online), (1, 70, Offline), (3, 71, Paused)]).await;
}

pub(super) async fn roll_ups_say_what_the_intervals_say(store: &dyn Store) {
    let empty = step(store, hour(10), rules(), Vec::new()).await;
    assert_eq!((empty.upto, empty.caught_up), (None, true));
    assert!(store.ledger(hour(0)..hour(24)).await.expect("reads").lines.is_empty());

    some_days(store).await;
    let now = hour(100);
    let first = step(store, now, rules(), Vec::new()).await;
    assert!(!first.caught_up, "one day at a time");
    assert_eq!(catch_up(store, now, rules()).await.upto, Some(now));
    for (from, until) in [(0, 100), (0, 24), (24, 48), (2, 77), (21, 22), (50, 52), (60, 100), (71, 96)] {
        let seen: &[u32] = if from < 29 && until < 30 { &[1, 2] } else { &[1, 2, 3] };
        check(store, seen, hour(from)..hour(until), now, rules()).await;
    }
    let kinds = store.ledger(hour(0)..hour(100)).await.expect("reads").lines;
    assert_eq!(
        kinds.iter().map(|l| l.last).collect::<Vec<_>>(),
        [Some(Kind::Offline), Some(Kind::Online), Some(Kind::Paused)]
    );

    // The running hour grows, a later day follows, other rules make everything anew.
    tell(store, &[(1, 101, Online)]).await;
    for now in [hour(101), hour(101) + Duration::from_secs(600), hour(130)] {
        catch_up(store, now, rules()).await;
        check(store, &[1, 2, 3], hour(0)..hour(130).min(Calendar::widened(&(hour(0)..now)).end), now, rules()).await;
    }
    let stricter = Rules { repair_within: Duration::from_secs(3600), ..rules() };
    catch_up(store, hour(130), stricter).await;
    check(store, &[1, 2, 3], hour(0)..hour(130), hour(130), stricter).await;
    assert_eq!(store.ledger(hour(0)..hour(1)).await.expect("reads").rules, stricter);
}

/// Four months of two cameras, and ranges that begin and end wherever they like.
pub(super) async fn any_range_is_what_the_intervals_say(store: &dyn Store) {
    let order = [Online, Offline, Impaired, Online, Unknown, Paused, Offline, Online];
    let mut changes = Vec::new();
    for camera in [1, 2] {
        let (mut h, mut n) = (i64::from(camera) * 5, 0);
        while h < 60 * 24 {
            changes.push((camera, h, order[n % order.len()]));
            h += 3 + (n as i64 * 7919 + i64::from(camera) * 31) % 41;
            n += 1;
        }
    }
    changes.sort_by_key(|c| c.1);
    tell(store, &changes).await;
    let now = hour(60 * 24 + 7);
    catch_up(store, now, rules()).await;
    for n in 0..60_i64 {
        let from = 30 + (n * 104_729) % (50 * 24);
        let until = from + 1 + (n * 7919) % (60 * 24 + 7 - from);
        check(store, &[1, 2], hour(from)..hour(until), now, rules()).await;
    }
}

pub(super) async fn a_changed_past_is_counted_again(store: &dyn Store) {
    some_days(store).await;
    let now = hour(200);
    catch_up(store, now, rules()).await;
    // A change that was told late: recorded as of when it was, or right after the newest.
    tell(store, &[(2, 90, Offline), (3, 95, Online)]).await;
    let excuse = Excuse {
        camera: CameraId(1),
        from: hour(75),
        until: hour(120),
        kind: ExcuseKind::ThirdParty,
        by: "值班员".into(),
        reason: "修路断缆".into(),
        recorded: hour(190),
    };
    store.excuse(&[excuse.clone(), excuse.clone()]).await.expect("takes an excuse");
    store.excuse(std::slice::from_ref(&excuse)).await.expect("takes it again");
    assert_eq!(store.excuses(hour(0)..now).await.expect("reads"), std::slice::from_ref(&excuse));
    assert_eq!(store.excuses(hour(120)..now).await.expect("reads"), []);
    assert!(!step(store, now, rules(), Vec::new()).await.caught_up);
    catch_up(store, now, rules()).await;
    check(store, &[1, 2, 3], hour(0)..hour(200), now, rules()).await;
    let first = &store.ledger(hour(0)..hour(200)).await.expect("reads").lines[0].tally;
    assert_eq!(first.of(Kind::Excused), 45 * HOUR_MS);
    store.forget_roll_ups(hour(30)).await.expect("forgets");
    catch_up(store, now, rules()).await;
    check(store, &[1, 2, 3], hour(0)..hour(200), now, rules()).await;
    let backwards = Excuse { from: hour(5), until: hour(5), ..excuse };
    assert!(matches!(store.excuse(&[backwards]).await, Err(StoreError::Invalid(_))));
}

/// Facts wait in memory while the database is away, and a machine may be suspended: of the time since the last sign of
/// life nobody knows yet.
pub(super) async fn nothing_is_counted_that_may_still_come(store: &dyn Store) {
    tell(store, &[(1, 1, Online)]).await;
    store.record(&[Fact::Alive(hour(10))]).await.expect("records");
    assert_eq!(catch_up(store, hour(20), rules()).await.upto, Some(hour(10)));
    let line = &store.ledger(hour(0)..hour(24)).await.expect("reads").lines[0];
    assert_eq!(line.tally.recorded(), 9 * HOUR_MS);
    // The machine slept from ten to fifteen, and that is known only now.
    let gap = Unobserved { from: hour(10), until: hour(15), cause: Cause::OwnMachine, detail: "asleep".into() };
    store.record(&[Fact::Unobserved(gap), Fact::Alive(hour(20))]).await.expect("records");
    assert_eq!(catch_up(store, hour(20), rules()).await.upto, Some(hour(20)));
    check(store, &[1], hour(0)..hour(24), hour(20), rules()).await;
    let line = &store.ledger(hour(0)..hour(24)).await.expect("reads").lines[0];
    assert_eq!(line.tally.of(Kind::Unknown), 5 * HOUR_MS);
    assert_eq!(line.tally.of(Kind::Online), 14 * HOUR_MS);
    assert_eq!(line.tally.rates().online_by_duration, Some(1.0));
    // A clock that was ahead when we last lived is no reason to count what is to come.
    store.record(&[Fact::Alive(hour(90))]).await.expect("records");
    assert_eq!(catch_up(store, hour(22), rules()).await.upto, Some(hour(22)));
}

/// For a while somebody had set our clock on by a day: what happened then, and what follows, stands where it belongs.
pub(super) async fn a_clock_that_was_ahead_spoils_no_later_day(store: &dyn Store) {
    tell(store, &[(1, 1, Online), (2, 1, Online)]).await;
    store.record(&[Fact::Alive(hour(10))]).await.expect("records");
    let gap = Unobserved { from: hour(10), until: hour(34), cause: Cause::OwnClock, detail: "set".into() };
    store.record(&[Fact::Unobserved(gap), Fact::Alive(hour(34))]).await.expect("records");
    tell(store, &[(1, 35, Offline)]).await;
    catch_up(store, hour(35), rules()).await;
    // An hour later it is right again; a camera comes back and fails anew.
    store.record(&[Fact::Alive(hour(11))]).await.expect("records");
    tell(store, &[(1, 12, Online), (1, 14, Offline), (1, 15, Online)]).await;
    store.record(&[Fact::Alive(hour(20))]).await.expect("records");
    assert_eq!(catch_up(store, hour(20), rules()).await.upto, Some(hour(20)));
    check(store, &[1, 2], hour(0)..hour(24), hour(20), rules()).await;
    let lines = store.ledger(hour(0)..hour(24)).await.expect("reads").lines;
    let of = |line: usize, kind| lines[line].tally.of(kind) / HOUR_MS;
    assert_eq!([of(0, Kind::Online), of(0, Kind::Offline), of(0, Kind::Unknown)], [9 + 2 + 5, 1 + 1, 1]);
    assert_eq!([of(1, Kind::Online), of(1, Kind::Offline), of(1, Kind::Unknown)], [9 + 9, 0, 1]);
    let newest = store.history(&HistoryQuery { limit: 1, ..HistoryQuery::default() }).await.expect("reads");
    assert_eq!(newest.items[0].from, hour(15), "nothing lies in times to come");
}

pub(super) async fn snapshots_are_counted_by_hour(store: &dyn Store) {
    some_days(store).await;
    let now = hour(60);
    let count = |h, camera, stored, gaps| SnapshotCount { hour: hour(h), camera: CameraId(camera), stored, gaps };
    catch_up(store, now, rules()).await;
    let done = step(store, now, rules(), vec![count(20, 1, 10, 2), count(21, 1, 12, 0), count(21, 2, 11, 1)]).await;
    assert_eq!(done.snapshots_upto, Some(hour(21)));
    catch_up(store, now, rules()).await;
    // Counted again: replaces.
    step(store, now, rules(), vec![count(21, 1, 11, 1)]).await;
    catch_up(store, now, rules()).await;
    let lines = store.ledger(hour(0)..hour(24)).await.expect("reads").lines;
    let counts: Vec<_> = lines.iter().map(|l| (l.camera.0, l.tally.stored, l.tally.gaps)).collect();
    assert_eq!(counts, [(1, 21, 3), (2, 11, 1)]);
    let hours = store.ledger(hour(21)..hour(22)).await.expect("reads").lines;
    assert_eq!((hours[0].tally.stored, hours[0].tally.gaps), (11, 1));
    let history = store.ledger_history(CameraId(1), hour(0)..hour(24)).await.expect("reads");
    assert_eq!(history.snapshots, [count(20, 1, 10, 2), count(21, 1, 11, 1)]);
}

pub(super) async fn trends_add_up(store: &dyn Store) {
    some_days(store).await;
    let now = hour(100);
    catch_up(store, now, rules()).await;
    let whole = store.ledger(hour(0)..hour(100)).await.expect("reads");
    let mut sum = Tally::default();
    whole.lines.iter().for_each(|l| sum.add(&l.tally));
    for (step, count) in [(Step::Hour, 99), (Step::Day, 5), (Step::Month, 1)] {
        let trend = store.ledger_trend(hour(0)..hour(744), step, None).await.expect("reads");
        assert_eq!(trend.len(), count, "{step:?}");
        assert!(trend.windows(2).all(|w| w[0].0 < w[1].0));
        let millis: i64 = trend.iter().map(|(_, t)| t.recorded()).sum();
        assert_eq!(millis, sum.recorded());
        assert_eq!(trend.iter().map(|(_, t)| t.picture_faults()).sum::<i64>(), sum.picture_faults());
        assert!(sum.picture_faults() > 0);
    }
    let one = store.ledger_trend(hour(0)..hour(744), Step::Month, Some(&[CameraId(3)])).await.expect("reads");
    assert_eq!(one[0].1.recorded(), 70 * HOUR_MS);
    assert!(store.ledger_trend(hour(0)..hour(744), Step::Day, Some(&[])).await.expect("reads").is_empty());
}

pub(super) async fn frozen_months_stay(store: &dyn Store) {
    store.change_registry(register()).await.expect("takes a register");
    some_days(store).await;
    let january = hour(0)..Calendar::next_month(hour(0));
    let february = january.end..Calendar::next_month(january.end);
    let before = Wall(january.end.0 + 4 * DAY_MS);
    catch_up(store, before, rules()).await;
    let open = store.ledger(january.clone()).await.expect("reads");
    assert_eq!(open.frozen, None, "there is still time for excuses");

    let ripe = Wall(january.end.0 + 6 * DAY_MS);
    catch_up(store, ripe, rules()).await;
    step(store, ripe, rules(), Vec::new()).await;
    let frozen = store.ledger(january.clone()).await.expect("reads");
    let seal = frozen.frozen.expect("the month is frozen");
    assert_eq!((seal.at, seal.rules), (ripe, rules()));
    assert_eq!(frozen.lines.len(), open.lines.len());
    for (was, is) in open.lines.iter().zip(&frozen.lines) {
        assert_eq!((was.camera, &was.tally, was.last), (is.camera, &is.tally, is.last));
    }
    let place = frozen.lines[0].place.clone().expect("where it belonged");
    assert_eq!((place.site_name.as_str(), place.contractor.as_deref()), ("上村", Some("u")));

    // Nothing reaches into it any more: no excuse, no other rules, no moved camera, no forgetting.
    let excuse = Excuse {
        camera: CameraId(1),
        from: hour(75),
        until: hour(120),
        kind: ExcuseKind::Planned,
        by: "x".into(),
        reason: "y".into(),
        recorded: ripe,
    };
    assert!(matches!(store.excuse(&[excuse]).await, Err(StoreError::Invalid(_))));
    let mut moved = register();
    moved.cameras[0].site = moved.sites[1].id;
    store.change_registry(moved).await.expect("takes a register");
    let later = Wall(february.start.0 + 10 * DAY_MS);
    let stricter = Rules { repair_within: Duration::from_secs(60), ..rules() };
    store.forget_roll_ups(Wall(0)).await.expect("forgets");
    catch_up(store, later, stricter).await;
    assert_eq!(
        store.ledger(january.clone()).await.expect("reads"),
        crate::Ledger { upto: Some(later), ..frozen.clone() }
    );
    // Longer ranges are made of the same sums.
    let both = store.ledger(january.start..february.end).await.expect("reads");
    let rest = store.ledger(february.clone()).await.expect("reads");
    let mut sum = frozen.lines[0].tally.clone();
    sum.follow(&rest.lines[0].tally);
    assert_eq!(both.lines[0].tally, sum);

    // The next month's hash covers this one's.
    let ripe = Wall(february.end.0 + 6 * DAY_MS);
    catch_up(store, ripe, stricter).await;
    step(store, ripe, stricter, Vec::new()).await;
    let next = store.ledger(february).await.expect("reads").frozen.expect("frozen");
    assert_ne!(next.hash, seal.hash);
    assert_eq!(store.ledger(january).await.expect("reads").frozen, Some(seal));
}

pub(super) async fn histories_explain_the_figures(store: &dyn Store) {
    some_days(store).await;
    catch_up(store, hour(100), rules()).await;
    let history = store.ledger_history(CameraId(1), hour(50)..hour(80)).await.expect("reads");
    assert_eq!(history.from, hour(48));
    assert_eq!(history.carry.last_end, Some(hour(30)));
    assert_eq!(history.carry.outage, None);
    let seen: Vec<_> = history.intervals.iter().map(|i| (i.from, i.status)).collect();
    assert_eq!(seen, [(hour(30), Online), (hour(70), Offline)]);
    let nobody = store.ledger_history(CameraId(77), hour(0)..hour(80)).await.expect("reads");
    assert!(nobody.intervals.is_empty() && nobody.excuses.is_empty());
}
