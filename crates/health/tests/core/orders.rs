//! The life of a work order, told as short stories and then at random.
#![allow(clippy::unwrap_used)]

use fleet::{CameraId, Cause, Layer, TownId, Wall};
use health::{
    IncidentId, LikelyCause, Severity,
    desk::{
        Act, Actor, Assignee, Desk, HoldReason, NewOrder, Order, OrderFault, OrderId, OrderState, Outcome,
        Verification, figures,
    },
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

const MINUTE: i64 = 60_000;

fn order() -> Order {
    let new = NewOrder {
        incident: IncidentId(7),
        cameras: vec![CameraId(1), CameraId(2)],
        town: Some(TownId(3)),
        severity: Severity::Major,
        by: "op".into(),
        at: Wall(0),
        state: OrderState::Reported,
        note: "整村中断".into(),
    };
    Order::new(OrderId(1), new)
}

fn climb(camera: u32, at: i64, layer: Option<Layer>, picture: Option<u64>) -> Act {
    Act::Verify(Verification {
        camera: CameraId(camera),
        at: Wall(at * MINUTE),
        by: "tech".into(),
        layer,
        cause: layer.map(|_| Cause::NoAnswer),
        picture,
    })
}

/// Does several things, each at its minute; panics at the first that is refused.
fn after(acts: &[(i64, Actor, Act)]) -> Order {
    acts.iter().fold(order(), |order, (minute, actor, act)| {
        let done = Desk::default().act(&order, *actor, "x", act.clone(), Wall(minute * MINUTE));
        done.unwrap_or_else(|fault| panic!("{act:?} in {:?}: {fault}", order.state))
    })
}

fn refused(order: &Order, actor: Actor, act: Act, minute: i64) -> OrderFault {
    Desk::default().act(order, actor, "x", act, Wall(minute * MINUTE)).unwrap_err()
}

fn given() -> Vec<(i64, Actor, Act)> {
    vec![
        (1, Actor::Desk, Act::Confirm),
        (2, Actor::Desk, Act::Assign(Assignee::Contractor("电信".into()), None)),
        (12, Actor::Assigned, Act::Accept),
        (20, Actor::Assigned, Act::Start),
    ]
}

fn with(mut acts: Vec<(i64, Actor, Act)>, more: Vec<(i64, Actor, Act)>) -> Vec<(i64, Actor, Act)> {
    acts.extend(more);
    acts
}

#[test]
fn an_ordinary_life_ends_with_a_verified_repair() {
    let order = after(&with(
        given(),
        vec![
            (60, Actor::Assigned, Act::Diagnose(LikelyCause::Camera, LikelyCause::PowerOrFibre, "跳线松动".into())),
            (90, Actor::Assigned, Act::Finish("更换跳线".into())),
            (95, Actor::System, Act::Recovered(Wall(92 * MINUTE))),
            (100, Actor::Assigned, climb(1, 100, None, Some(11))),
            (101, Actor::Assigned, climb(2, 101, None, Some(12))),
            (125, Actor::Desk, Act::AcceptRepair),
        ],
    ));
    assert_eq!((order.state, order.outcome), (OrderState::Closed, Some(Outcome::Accepted)));
    assert_eq!(order.response_time(Wall(0)).unwrap(), Duration::from_secs(600));
    assert_eq!(order.repair_time(Wall(0)).unwrap(), Duration::from_secs(90 * 60), "from giving it to the recovery");
    assert_eq!(order.within_time(Wall(0)), Some(true));
    let words: Vec<&str> = order.history.iter().map(|s| s.act.as_str()).collect();
    assert_eq!(
        words,
        [
            "open",
            "confirm",
            "assign",
            "accept",
            "start",
            "diagnose",
            "finish",
            "recovered",
            "verify",
            "verify",
            "accept_repair"
        ]
    );
    assert_eq!(order.version, 11);
    assert_eq!(order.confirmed.unwrap().found, LikelyCause::Camera);
}

#[test]
fn everybody_may_do_what_is_his_and_nothing_else() {
    let assigned = after(&given()[..2]);
    assert_eq!(refused(&order(), Actor::Assigned, Act::Confirm, 1), OrderFault::NotYours);
    assert_eq!(refused(&assigned, Actor::Desk, Act::Accept, 3), OrderFault::NotYours, "nobody accepts for another");
    assert_eq!(refused(&assigned, Actor::Technician, Act::Accept, 3), OrderFault::NotYours);
    assert_eq!(refused(&assigned, Actor::Technician, Act::Note("x".into()), 3), OrderFault::NotYours);
    assert_eq!(refused(&assigned, Actor::Desk, Act::Recovered(Wall(0)), 3), OrderFault::NotYours);
    let working = after(&given());
    for act in [Act::AcceptRepair, Act::Reject("x".into()), Act::FalseAlarm("x".into()), Act::Merge(OrderId(9))] {
        assert_eq!(refused(&working, Actor::Assigned, act, 30), OrderFault::NotYours);
    }
}

#[test]
fn what_must_be_said_must_be_said_and_no_more_than_fits() {
    let assigned = after(&given()[..2]);
    for note in ["", "  \n ", &"长".repeat(1001)] {
        assert_eq!(refused(&assigned, Actor::Assigned, Act::Decline(note.into()), 3), OrderFault::Note);
    }
    let given_back = after(&with(given()[..2].to_vec(), vec![(3, Actor::Assigned, Act::Decline("不在本区".into()))]));
    assert_eq!((given_back.state, given_back.assignee), (OrderState::Confirmed, None));
}

#[test]
fn a_recovery_moves_an_order_to_acceptance_and_never_closes_it() {
    for acts in 0..=given().len() {
        let order =
            after(&with(given()[..acts].to_vec(), vec![(50, Actor::System, Act::Recovered(Wall(49 * MINUTE)))]));
        assert_eq!(order.state, OrderState::Repaired);
        assert_eq!(refused(&order, Actor::Desk, Act::AcceptRepair, 60), OrderFault::NotStable(30));
        assert_eq!(refused(&order, Actor::Desk, Act::AcceptRepair, 90), OrderFault::NotVerified(CameraId(1)));
    }
}

#[test]
fn a_repair_is_accepted_only_on_fresh_and_whole_evidence() {
    let repaired = |more: Vec<(i64, Actor, Act)>| {
        after(&with(given(), with(vec![(50, Actor::System, Act::Recovered(Wall(50 * MINUTE)))], more)))
    };
    let both = |at, layer, picture| {
        vec![(at, Actor::Desk, climb(1, at, None, Some(1))), (at, Actor::Desk, climb(2, at, layer, picture))]
    };
    let accept =
        |order: &Order, at| Desk::default().act(order, Actor::Desk, "op", Act::AcceptRepair, Wall(at * MINUTE));
    let unverified = Err(OrderFault::NotVerified(CameraId(2)));
    assert!(accept(&repaired(both(70, None, Some(2))), 80).is_ok());
    assert_eq!(accept(&repaired(both(70, None, Some(2))), 131), Err(OrderFault::NotVerified(CameraId(1))), "too old");
    assert_eq!(accept(&repaired(both(70, Some(Layer::Network), Some(2))), 81), unverified, "it failed");
    assert_eq!(accept(&repaired(both(70, None, None)), 81), Err(OrderFault::NoPicture(CameraId(2))));
    assert_eq!(accept(&repaired(both(70, None, Some(2))[..1].to_vec()), 81), unverified, "one is missing");
    let before =
        with(given(), with(both(40, None, Some(2)), vec![(50, Actor::System, Act::Recovered(Wall(50 * MINUTE)))]));
    assert_eq!(accept(&after(&before), 81), Err(OrderFault::NotVerified(CameraId(1))), "from before the recovery");
}

#[test]
fn only_an_approved_third_party_stops_the_repair_clock() {
    let held = |reason, approve: bool| {
        let mut acts = given();
        acts.push((30, Actor::Assigned, Act::Hold(reason, Wall(600 * MINUTE), "等待".into())));
        if approve {
            acts.push((200, Actor::Desk, Act::ApproveHold));
        }
        acts.push((330, Actor::Assigned, Act::Resume));
        acts.push((402, Actor::System, Act::Recovered(Wall(402 * MINUTE))));
        after(&acts)
    };
    let minutes = |order: &Order| order.repair_time(Wall(0)).unwrap().as_secs() / 60;
    assert_eq!(minutes(&held(HoldReason::PowerCut, true)), 100, "from the hold's beginning, whenever it was approved");
    assert_eq!(minutes(&held(HoldReason::PowerCut, false)), 400);
    assert_eq!(minutes(&held(HoldReason::Parts, false)), 400);
    let parts = after(&with(
        given(),
        vec![(30, Actor::Assigned, Act::Hold(HoldReason::Parts, Wall(600 * MINUTE), String::new()))],
    ));
    assert_eq!(refused(&parts, Actor::Desk, Act::ApproveHold, 40), OrderFault::NotThirdParty);
    let held = held(HoldReason::PowerCut, true);
    assert_eq!(held.repair_due.unwrap().0, (2 + 24 * 60 + 300) * MINUTE, "the due time moved on by what stood still");
}

#[test]
fn a_hold_ends_by_itself_and_no_hold_is_for_ever() {
    let held = after(&with(
        given(),
        vec![(30, Actor::Assigned, Act::Hold(HoldReason::Weather, Wall(60 * MINUTE), String::new()))],
    ));
    assert_eq!(held.follow(None, Wall(59 * MINUTE)), None);
    assert_eq!(held.follow(None, Wall(60 * MINUTE)), Some(Act::Resume));
    let working = after(&given());
    for until in [30, 29, 30 + 91 * 24 * 60] {
        let act = Act::Hold(HoldReason::Parts, Wall(until * MINUTE), String::new());
        assert_eq!(refused(&working, Actor::Assigned, act, 30), OrderFault::Time);
    }
}

#[test]
fn what_relapses_or_is_rejected_goes_back_to_work() {
    let recovered = after(&with(given(), vec![(50, Actor::System, Act::Recovered(Wall(50 * MINUTE)))]));
    assert_eq!(recovered.follow(Some(Wall(50 * MINUTE)), Wall(60 * MINUTE)), None);
    assert_eq!(recovered.follow(None, Wall(60 * MINUTE)), Some(Act::Relapsed));
    let relapsed = Desk::default().act(&recovered, Actor::System, "system", Act::Relapsed, Wall(60 * MINUTE)).unwrap();
    assert_eq!((relapsed.state, relapsed.recovered), (OrderState::Working, None));
    // 返工: the cameras are well, but the work is not; it is not handed in again by itself.
    let rejected = after(&with(
        given(),
        vec![(50, Actor::Assigned, Act::Finish("好了".into())), (55, Actor::Desk, Act::Reject("线缆未固定".into()))],
    ));
    assert_eq!(rejected.state, OrderState::Working);
    assert_eq!(rejected.follow(Some(Wall(45 * MINUTE)), Wall(56 * MINUTE)), None);
    let again =
        Desk::default().act(&rejected, Actor::Assigned, "x", Act::Finish("已固定".into()), Wall(90 * MINUTE)).unwrap();
    assert_eq!(again.follow(Some(Wall(45 * MINUTE)), Wall(91 * MINUTE)), Some(Act::Recovered(Wall(90 * MINUTE))));
}

#[test]
fn handing_on_does_not_wind_the_clocks_back_and_overdue_is_said() {
    let order =
        after(&with(given()[..2].to_vec(), vec![(100, Actor::Desk, Act::Assign(Assignee::Technician(4), None))]));
    assert_eq!(order.response_due, Some(Wall(122 * MINUTE)));
    assert!(!order.is_overdue(Wall(121 * MINUTE)));
    assert!(order.is_overdue(Wall(123 * MINUTE)));
    let taken = Desk::default().act(&order, Actor::Assigned, "x", Act::Accept, Wall(124 * MINUTE)).unwrap();
    assert!(!taken.is_overdue(Wall(125 * MINUTE)));
    assert!(taken.is_overdue(Wall((2 + 24 * 60 + 1) * MINUTE)));
}

#[test]
fn figures_count_what_was_repaired_and_leave_out_what_was_none() {
    let good = after(&with(given(), vec![(50, Actor::System, Act::Recovered(Wall(52 * MINUTE)))]));
    let late = after(&with(given(), vec![(5000, Actor::System, Act::Recovered(Wall(5002 * MINUTE)))]));
    let none = after(&[(1, Actor::Desk, Act::FalseAlarm("误报".into()))]);
    let open = order();
    let told = figures([&good, &late, &none, &open], |_| None, Wall(6000 * MINUTE));
    assert_eq!((told.all.orders, told.all.repaired, told.all.in_time, told.all.open), (3, 2, 1, 3));
    assert_eq!(told.all.response, Some(Duration::from_secs(600)));
    assert_eq!(told.all.repair, Some(Duration::from_secs(60 * (50 + 5000) / 2)));
    assert_eq!(told.by_assignee[&Some(Assignee::Contractor("电信".into()))].orders, 2);
    assert_eq!(told.by_town[&Some(TownId(3))].orders, 3);
}

#[test]
fn evidence_from_before_a_rejection_counts_no_more() {
    let mut acts = given();
    acts.push((50, Actor::System, Act::Recovered(Wall(50 * MINUTE))));
    acts.push((60, Actor::Assigned, climb(1, 60, None, Some(1))));
    acts.push((60, Actor::Assigned, climb(2, 60, None, Some(2))));
    acts.push((81, Actor::Desk, Act::Reject("支架松动".into())));
    let rejected = after(&acts);
    assert!(rejected.is_overdue(Wall(5000 * MINUTE)), "the repair clock runs on");
    acts.push((85, Actor::Assigned, Act::Finish("已紧固".into())));
    acts.push((86, Actor::System, Act::Recovered(Wall(85 * MINUTE))));
    let again = after(&acts);
    assert_eq!(refused(&again, Actor::Desk, Act::AcceptRepair, 90), OrderFault::NotStable(30));
    assert_eq!(refused(&again, Actor::Desk, Act::AcceptRepair, 116), OrderFault::NotVerified(CameraId(1)));
    assert_eq!(again.repair_time(Wall(0)).unwrap(), Duration::from_secs(60 * 83), "until the second repair");
}

#[test]
fn a_failure_in_the_stable_time_begins_it_anew() {
    let acts = with(
        given(),
        vec![
            (50, Actor::System, Act::Recovered(Wall(50 * MINUTE))),
            (55, Actor::Assigned, climb(1, 55, None, Some(1))),
            (55, Actor::Assigned, climb(2, 55, None, Some(2))),
        ],
    );
    let repaired = after(&acts);
    // Between two looks a camera failed and came back at 70.
    let follows = repaired.follow(Some(Wall(70 * MINUTE)), Wall(71 * MINUTE));
    assert_eq!(follows, Some(Act::Recovered(Wall(70 * MINUTE))));
    let anew = Desk::default().act(&repaired, Actor::System, "system", follows.unwrap(), Wall(71 * MINUTE)).unwrap();
    assert_eq!(anew.follow(Some(Wall(70 * MINUTE)), Wall(72 * MINUTE)), None);
    assert_eq!(refused(&anew, Actor::Desk, Act::AcceptRepair, 81), OrderFault::NotStable(30));
    assert_eq!(refused(&anew, Actor::Desk, Act::AcceptRepair, 101), OrderFault::NotVerified(CameraId(1)));
}

#[test]
fn a_hold_that_is_over_can_still_be_approved() {
    for closed in [false, true] {
        let mut acts = given();
        acts.push((30, Actor::Assigned, Act::Hold(HoldReason::PowerCut, Wall(600 * MINUTE), "等待".into())));
        acts.push((330, Actor::Assigned, Act::Resume));
        acts.push((340, Actor::Assigned, Act::Hold(HoldReason::Parts, Wall(600 * MINUTE), "等待".into())));
        acts.push((350, Actor::System, Act::Recovered(Wall(345 * MINUTE))));
        if closed {
            acts.push((380, Actor::Assigned, climb(1, 380, None, Some(1))));
            acts.push((380, Actor::Assigned, climb(2, 380, None, Some(2))));
            acts.push((381, Actor::Desk, Act::AcceptRepair));
        }
        let before = after(&acts);
        assert_eq!(before.excuses(), []);
        acts.push((400, Actor::Desk, Act::ApproveHold));
        let order = after(&acts);
        assert_eq!(order.state, before.state);
        assert_eq!(order.repair_time(Wall(0)).unwrap(), Duration::from_secs(60 * (343 - 300)));
        let excuse = &order.excuses()[0];
        assert_eq!((excuse.from, excuse.until), (Wall(30 * MINUTE), Wall(330 * MINUTE)));
        let again = Desk::default().act(&order, Actor::Desk, "op", Act::ApproveHold, Wall(401 * MINUTE));
        assert!(matches!(again, Err(OrderFault::WrongState(_))), "spare parts are nobody else's fault");
    }
}

#[test]
fn a_recovery_learnt_of_late_ends_the_hold_when_it_was() {
    let order = after(&with(
        given(),
        vec![
            (30, Actor::Assigned, Act::Hold(HoldReason::PowerCut, Wall(600 * MINUTE), "等待".into())),
            (31, Actor::Desk, Act::ApproveHold),
            (300, Actor::System, Act::Recovered(Wall(120 * MINUTE))),
        ],
    ));
    assert_eq!(order.held_ms, 90 * MINUTE);
    assert_eq!(order.excuses()[0].until, Wall(120 * MINUTE));
    assert_eq!(order.repair_time(Wall(0)).unwrap(), Duration::from_secs(60 * (118 - 90)));
}

#[test]
fn who_was_handed_an_order_that_relapses_still_has_to_take_it() {
    let order = after(&with(
        given(),
        vec![
            (40, Actor::Desk, Act::Assign(Assignee::Technician(4), None)),
            (50, Actor::System, Act::Recovered(Wall(50 * MINUTE))),
            (60, Actor::System, Act::Relapsed),
        ],
    ));
    assert_eq!(order.state, OrderState::Assigned);
}

#[test]
fn each_answers_for_his_own_time() {
    let order = after(&with(
        given(),
        vec![
            (1000, Actor::Desk, Act::Assign(Assignee::Technician(4), None)),
            (1005, Actor::Assigned, Act::Accept),
            (1006, Actor::Assigned, Act::Start),
            (1030, Actor::System, Act::Recovered(Wall(1030 * MINUTE))),
        ],
    ));
    let unit = |user| (user == 4).then(|| "移动".to_owned());
    let told = figures([&order], unit, Wall(2000 * MINUTE));
    let minutes = |d: Option<Duration>| d.map(|d| d.as_secs() / 60);
    let first = &told.by_contractor[&Some("电信".into())];
    assert_eq!((first.orders, minutes(first.response), first.repair), (0, Some(10), None));
    let second = &told.by_contractor[&Some("移动".into())];
    assert_eq!((second.orders, minutes(second.response), minutes(second.repair)), (1, Some(5), Some(30)));
    assert_eq!(minutes(told.by_assignee[&Some(Assignee::Technician(4))].repair), Some(30));
    assert_eq!(minutes(told.all.repair), Some(1028), "the order as a whole");
}

#[test]
fn an_order_answers_for_the_cameras_of_those_merged_into_it() {
    let order = after(&with(given(), vec![(30, Actor::Desk, Act::Absorb(OrderId(9), vec![CameraId(2), CameraId(5)]))]));
    assert_eq!(order.cameras, [CameraId(1), CameraId(2), CameraId(5)]);
    assert_eq!((order.to_verify().len(), &order.children[..]), (3, &[OrderId(9)][..]));
    assert_eq!(refused(&order, Actor::Desk, Act::Absorb(OrderId(1), Vec::new()), 31), OrderFault::NoParent);
}

#[test]
fn whatever_is_done_the_rules_hold() {
    let desk = Desk::default();
    for seed in 0..300 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut order = order();
        let mut now = Wall(0);
        for _ in 0..120 {
            now = Wall(now.0 + rng.random_range(0..40 * MINUTE));
            let minute = now.0 / MINUTE;
            let actor = *[Actor::Desk, Actor::Assigned, Actor::Technician, Actor::System].choose(&mut rng).unwrap();
            let layer = rng.random_bool(0.2).then_some(Layer::Flow);
            let act = match rng.random_range(0..18) {
                0 => Act::Confirm,
                1 => Act::Assign(Assignee::Technician(rng.random_range(1..3)), None),
                2 => Act::Accept,
                3 if rng.random_bool(0.1) => Act::Decline("x".into()),
                4 => Act::Start,
                5 => Act::Hold(
                    *HoldReason::ALL.choose(&mut rng).unwrap(),
                    Wall(now.0 + rng.random_range(-1..200) * MINUTE),
                    String::new(),
                ),
                6 => Act::ApproveHold,
                7 => Act::Resume,
                8 => Act::Finish("x".into()),
                9 => Act::Recovered(Wall(now.0 - rng.random_range(0..10) * MINUTE)),
                10 if rng.random_bool(0.2) => Act::Relapsed,
                11..13 => climb(rng.random_range(1..3), minute, layer, rng.random_bool(0.9).then_some(1)),
                13 => Act::AcceptRepair,
                14 if rng.random_bool(0.1) => Act::Reject("x".into()),
                15 if rng.random_bool(0.02) => Act::FalseAlarm("x".into()),
                16 if rng.random_bool(0.02) => Act::Merge(OrderId(rng.random_range(1..3))),
                17 if rng.random_bool(0.1) => Act::Absorb(OrderId(rng.random_range(1..9)), vec![CameraId(2)]),
                _ => Act::Note("x".into()),
            };
            let word = act.word();
            assert!(Act::WORDS.contains(&word), "{word}");
            let Ok(next) = desk.act(&order, actor, "x", act, now) else { continue };
            assert!(order.is_open() || word == "approve_hold", "seed {seed}: {word} on a closed order");
            assert_eq!((next.version, next.history.len()), (order.version + 1, order.history.len() + 1));
            assert_eq!(next.closed.is_some(), next.state == OrderState::Closed);
            assert_eq!(next.outcome.is_some(), next.state == OrderState::Closed);
            assert_eq!(next.hold.is_some(), next.state == OrderState::OnHold);
            assert!(next.held_ms <= now.0, "seed {seed}");
            if next.outcome == Some(Outcome::Accepted) {
                let since = next.recovered.unwrap();
                assert!(now.0 - since.0 >= 30 * MINUTE);
                for camera in next.to_verify() {
                    let climb = next.verifications.iter().find(|v| v.camera == *camera).unwrap();
                    assert!(climb.layer.is_none() && climb.at >= since && climb.picture.is_some());
                }
            }
            if actor == Actor::System {
                assert_ne!(next.state, OrderState::Closed, "nothing closes by itself");
            }
            if matches!(next.state, OrderState::Accepted | OrderState::Working | OrderState::OnHold) {
                assert!(next.assignee.is_some() && next.accepted.is_some(), "seed {seed}: {word}");
            }
            order = next;
        }
    }
}
