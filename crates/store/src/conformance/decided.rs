//! Maintenance windows and third-party holds of work orders, as the availability ledger takes them in.

use super::{
    ledger::{catch_up, check, hour, rules, tell},
    samples::register,
};
use crate::{RegistryChange, Store, StoreError};
use fleet::{CameraId, SiteId, Status, Wall};
use health::{
    IncidentId, NewWindow, Scope, Severity,
    desk::{
        Act, Actor, Assignee, Desk, ExcuseDecision, ExcuseId, HoldReason, NewExcuseRequest, NewOrder, Order, OrderState,
    },
    ledger::{Calendar, DAY_MS, ExcuseKind, HOUR_MS, Kind, Tally},
};
use std::ops::Range;

use Status::{Offline, Online, Paused};

/// The register's cameras: one of site 10, one of site 11.
const ONE: u32 = 1;
const OTHER: u32 = u32::MAX;

fn window(scope: Scope, from: i64, until: i64, excused: bool) -> NewWindow {
    NewWindow {
        scope,
        from: hour(from),
        until: hour(until),
        reason: "换杆".into(),
        by: "值班员".into(),
        excused,
        created: hour(2),
    }
}

async fn tally(store: &dyn Store, camera: u32, range: Range<Wall>) -> Tally {
    let lines = store.ledger(range).await.expect("reads").lines;
    lines.into_iter().find(|l| l.camera == CameraId(camera)).map(|l| l.tally).unwrap_or_default()
}

pub(super) async fn windows_are_excused_or_count_as_time_without_video(store: &dyn Store) {
    store.change_registry(register()).await.expect("takes a register");
    tell(store, &[(ONE, 0, Online), (OTHER, 0, Online)]).await;
    let excused = store.add_window(window(Scope::Site(SiteId(10)), 10, 30, true)).await.expect("planned");
    store.add_window(window(Scope::Site(SiteId(11)), 10, 20, false)).await.expect("planned");
    let off = store.add_window(window(Scope::County, 40, 60, true)).await.expect("planned");
    catch_up(store, hour(9), rules()).await;
    assert_eq!(store.excuses(hour(0)..hour(90)).await.expect("reads"), [], "nothing before it begins");

    tell(store, &[(ONE, 10, Paused), (OTHER, 10, Paused)]).await;
    catch_up(store, hour(15), rules()).await;
    let lines = store.ledger(hour(0)..hour(15)).await.expect("reads").lines;
    assert_eq!(lines.iter().map(|l| l.last).collect::<Vec<_>>(), [Some(Kind::Excused), Some(Kind::Offline)]);

    // Ended early, and another called off before it began.
    store.end_window(excused.id, hour(18), "li").await.expect("ended");
    store.end_window(off.id, hour(35), "li").await.expect("called off");
    tell(store, &[(ONE, 18, Online), (OTHER, 20, Online)]).await;
    catch_up(store, hour(90), rules()).await;
    check(store, &[ONE, OTHER], hour(0)..hour(90), hour(90), rules()).await;
    let one = tally(store, ONE, hour(0)..hour(90)).await;
    assert_eq!((one.of(Kind::Excused), one.of(Kind::Paused)), (8 * HOUR_MS, 0));
    assert_eq!((one.rates().online_by_duration, one.rates().excused), (Some(1.0), Some(8.0 / 90.0)));
    let other = tally(store, OTHER, hour(0)..hour(90)).await;
    assert_eq!(other.rates().online_by_duration, Some(80.0 / 90.0), "not excused: time without video");
    assert_eq!((other.began, other.due, other.samples[5]), (0, 0, 0), "and no outage");
    let told = store.excuses(hour(0)..hour(90)).await.expect("reads");
    let told: Vec<_> = told.iter().map(|e| (e.camera.0, e.from, e.until, e.by.as_str())).collect();
    assert_eq!(told, [(ONE, hour(10), hour(18), "值班员"), (OTHER, hour(10), hour(20), "值班员")]);

    // The beginning of a window is no excuse for what was before it was planned.
    tell(store, &[(ONE, 100, Offline)]).await;
    let late = NewWindow { created: hour(104), ..window(Scope::Camera(CameraId(ONE)), 96, 110, true) };
    store.add_window(late).await.expect("planned");
    tell(store, &[(ONE, 104, Paused), (ONE, 110, Online)]).await;
    catch_up(store, hour(110), rules()).await;
    assert_eq!(tally(store, ONE, hour(96)..hour(110)).await.rates().online_by_duration, Some(4.0 / 8.0));
}

pub(super) async fn a_camera_is_in_a_window_while_it_belongs_there(store: &dyn Store) {
    store.change_registry(register()).await.expect("takes a register");
    tell(store, &[(ONE, 0, Paused), (OTHER, 0, Paused)]).await;
    store.add_window(window(Scope::Site(SiteId(10)), 5, 30, true)).await.expect("planned");
    catch_up(store, hour(10), rules()).await;
    let [mut one, mut other]: [_; 2] = register().cameras.try_into().expect("two cameras");
    (one.site, other.site) = (SiteId(11), SiteId(10));
    store
        .change_registry(RegistryChange { cameras: vec![one, other], ..RegistryChange::default() })
        .await
        .expect("takes a register");
    catch_up(store, hour(20), rules()).await;
    catch_up(store, hour(40), rules()).await;
    check(store, &[ONE, OTHER], hour(0)..hour(40), hour(40), rules()).await;
    assert_eq!(tally(store, ONE, hour(0)..hour(40)).await.of(Kind::Excused), 15 * HOUR_MS);
    // Seen to be there at the turn of hour 20; it counts from the turn before.
    assert_eq!(tally(store, OTHER, hour(0)..hour(40)).await.of(Kind::Excused), 20 * HOUR_MS);
}

async fn act(store: &dyn Store, order: &Order, actor: Actor, act: Act, at: Wall) -> Order {
    let next = Desk::default().act(order, actor, "op", act, at).expect("allowed");
    store.update_order(&next).await.expect("updated");
    next
}

/// An order of the first camera that somebody works on.
async fn worked_on(store: &dyn Store, at: Wall) -> Order {
    let new = NewOrder {
        incident: IncidentId(7),
        cameras: vec![CameraId(ONE)],
        town: None,
        severity: Severity::Major,
        by: "op".into(),
        at,
        state: OrderState::Confirmed,
        note: String::new(),
    };
    let order = store.add_order(new).await.expect("added");
    let order = act(store, &order, Actor::Desk, Act::Assign(Assignee::Technician(4), None), at).await;
    let order = act(store, &order, Actor::Assigned, Act::Accept, at).await;
    act(store, &order, Actor::Assigned, Act::Start, at).await
}

pub(super) async fn an_approved_hold_is_out_of_the_figures(store: &dyn Store) {
    store.change_registry(register()).await.expect("takes a register");
    tell(store, &[(ONE, 0, Online), (ONE, 20, Offline)]).await;
    let order = worked_on(store, hour(30)).await;
    let held = Act::Hold(HoldReason::PowerCut, hour(60), String::new());
    let order = act(store, &order, Actor::Assigned, held, hour(30)).await;
    catch_up(store, hour(40), rules()).await;
    assert_eq!(tally(store, ONE, hour(0)..hour(40)).await.rates().online_by_duration, Some(0.5), "not approved");

    let order = act(store, &order, Actor::Desk, Act::ApproveHold, hour(40)).await;
    catch_up(store, hour(45), rules()).await;
    assert_eq!(tally(store, ONE, hour(0)..hour(40)).await.rates().online_by_duration, Some(20.0 / 30.0));
    let order = act(store, &order, Actor::Assigned, Act::Resume, hour(50)).await;
    act(store, &order, Actor::Assigned, Act::Finish("送电".into()), hour(55)).await;
    tell(store, &[(ONE, 56, Online)]).await;
    catch_up(store, hour(80), rules()).await;
    check(store, &[ONE], hour(0)..hour(80), hour(80), rules()).await;
    let counted = tally(store, ONE, hour(0)..hour(80)).await;
    assert_eq!((counted.of(Kind::Excused), counted.of(Kind::Offline)), (20 * HOUR_MS, 16 * HOUR_MS));
    assert_eq!(counted.rates().mttr_ms, Some((16 * HOUR_MS) as f64), "the repair clock stood still");
    let told = store.excuses(hour(0)..hour(80)).await.expect("reads");
    assert_eq!((told.len(), told[0].reason.as_str(), told[0].by.as_str()), (1, "停电（工单 G1）", "op"));
}

pub(super) async fn a_frozen_month_hears_of_no_decision(store: &dyn Store) {
    store.change_registry(register()).await.expect("takes a register");
    let january = hour(0)..Calendar::next_month(hour(0));
    let days = |d: i64| Wall(january.end.0 + d * DAY_MS);
    tell(store, &[(ONE, 0, Online), (ONE, 700, Offline)]).await;
    let order = worked_on(store, hour(710)).await;
    let held = Act::Hold(HoldReason::RoadWorks, days(20), String::new());
    let order = act(store, &order, Actor::Assigned, held, hour(720)).await;
    store.add_window(window(Scope::County, 725, 730, true)).await.expect("planned");
    catch_up(store, hour(722), rules()).await;
    // The node was away while the window held, and is back when the month is ripe.
    catch_up(store, days(6), rules()).await;
    catch_up(store, days(6), rules()).await;
    let frozen = store.ledger(january.clone()).await.expect("reads");
    assert!(frozen.frozen.is_some());
    assert_eq!(frozen.lines[0].tally.of(Kind::Excused), 5 * HOUR_MS, "the window was taken in first");

    let order = act(store, &order, Actor::Desk, Act::ApproveHold, days(8)).await;
    catch_up(store, days(9), rules()).await;
    let february = tally(store, ONE, january.end..days(9)).await;
    assert_eq!((february.of(Kind::Excused), february.of(Kind::Offline)), (9 * DAY_MS, 0));
    act(store, &order, Actor::Desk, Act::FalseAlarm("误报".into()), days(9)).await;
    catch_up(store, days(12), rules()).await;
    let february = tally(store, ONE, january.end..days(12)).await;
    assert_eq!((february.of(Kind::Excused), february.of(Kind::Offline)), (9 * DAY_MS, 3 * DAY_MS));
    let after = store.ledger(january.clone()).await.expect("reads");
    assert_eq!((after.lines, after.frozen), (frozen.lines, frozen.frozen), "what was reported stays reported");
}

pub(super) async fn what_is_asked_for_afterwards_counts_when_another_person_granted_it(store: &dyn Store) {
    store.change_registry(register()).await.expect("takes a register");
    tell(store, &[(ONE, 0, Online), (OTHER, 0, Online), (ONE, 20, Offline), (ONE, 30, Online)]).await;
    catch_up(store, hour(40), rules()).await;
    let online = async || tally(store, ONE, hour(0)..hour(40)).await.rates().online_by_duration;
    assert_eq!(online().await, Some(0.75));
    let asked = |from, until, scope| NewExcuseRequest {
        scope,
        from: hour(from),
        until: hour(until),
        kind: ExcuseKind::ThirdParty,
        reason: "台区停电".into(),
        by: "zhang".into(),
        at: hour(40),
    };
    let first = store.ask_excuse(asked(20, 30, Scope::Site(SiteId(10)))).await.expect("taken in");
    let second = store.ask_excuse(asked(0, 10, Scope::County)).await.expect("taken in");
    assert_eq!((first.id.to_string().as_str(), &first.decision), ("B1", &None));
    catch_up(store, hour(40), rules()).await;
    assert_eq!(online().await, Some(0.75), "asked for is not granted");

    let decision = |by: &str, granted| ExcuseDecision { granted, by: by.into(), at: hour(41), note: "属实".into() };
    let himself = store.decide_excuse(first.id, decision("zhang", true)).await;
    assert!(matches!(himself, Err(StoreError::Invalid(_))), "{himself:?}");
    let granted = store.decide_excuse(first.id, decision("li", true)).await.expect("granted");
    assert_eq!(granted.decision, Some(decision("li", true)));
    let again = store.decide_excuse(first.id, decision("wang", false)).await;
    assert!(matches!(again, Err(StoreError::Invalid(_))), "{again:?}");
    store.decide_excuse(second.id, decision("li", false)).await.expect("refused");
    assert!(matches!(store.decide_excuse(ExcuseId(9), decision("li", true)).await, Err(StoreError::Missing(_))));

    catch_up(store, hour(45), rules()).await;
    check(store, &[ONE, OTHER], hour(0)..hour(40), hour(45), rules()).await;
    assert_eq!(online().await, Some(1.0), "the outage is out of the figures");
    assert_eq!(tally(store, ONE, hour(0)..hour(40)).await.of(Kind::Excused), 10 * HOUR_MS);
    assert_eq!(tally(store, OTHER, hour(0)..hour(40)).await.of(Kind::Excused), 0, "not his site, and what was refused");
    let told = store.excuses(hour(0)..hour(40)).await.expect("reads");
    assert_eq!((told.len(), told[0].reason.as_str(), told[0].by.as_str()), (1, "台区停电（B1）", "zhang → li"));
    let listed = store.excuse_requests(hour(5)..hour(6)).await.expect("reads");
    assert_eq!(listed.iter().map(|r| r.id).collect::<Vec<_>>(), [second.id]);

    // A month that is frozen by the time of the decision, or of the asking, stays as it was reported.
    let late = store.ask_excuse(asked(0, 5, Scope::County)).await.expect("taken in");
    let end = Calendar::next_month(hour(0));
    for _ in 0..2 {
        catch_up(store, Wall(end.0 + 6 * DAY_MS), rules()).await;
    }
    let too_late = store.decide_excuse(late.id, decision("li", true)).await;
    assert!(matches!(&too_late, Err(StoreError::Invalid(why)) if why.contains("frozen")), "{too_late:?}");
    let never = store.ask_excuse(asked(1, 5, Scope::County)).await;
    assert!(matches!(&never, Err(StoreError::Invalid(why)) if why.contains("frozen")), "{never:?}");
    store.decide_excuse(late.id, decision("li", false)).await.expect("it can still be refused");
}
