//! The ledger against a second computation that is too simple to be wrong: minute by minute, with booleans.
#![allow(clippy::unwrap_used)]

use fleet::{CameraId, Cause, Layer, Status, Wall};
use health::ledger::{
    Calendar, Carry, DAY_MS, Excuse, ExcuseKind, Kind, Moment, Rules, Stretch, Tally, hours, pieces, total,
};
use proptest::prelude::*;
use std::{ops::Range, time::Duration};

const MINUTE: i64 = 60_000;

const CAUSES: [(Status, Option<Cause>); 9] = [
    (Status::Online, None),
    (Status::Impaired, Some(Cause::PictureBlack)),
    (Status::Impaired, Some(Cause::DecodeFailed)),
    (Status::Impaired, Some(Cause::PacketLoss)),
    (Status::Offline, Some(Cause::NoAnswer)),
    (Status::Offline, Some(Cause::PasswordRefused)),
    (Status::Unknown, Some(Cause::OwnNetwork)),
    (Status::Paused, Some(Cause::Maintenance)),
    (Status::Paused, Some(Cause::OutOfUse)),
];

fn at(minute: i64) -> Wall {
    Wall(minute * MINUTE)
}

fn excuse(from: i64, until: i64) -> Excuse {
    Excuse {
        camera: CameraId(1),
        from: at(from),
        until: at(until),
        kind: ExcuseKind::Planned,
        by: "值班员".into(),
        reason: "线路迁改".into(),
        recorded: at(until),
    }
}

#[derive(Clone, Debug)]
struct Case {
    history: Vec<Stretch>,
    excuses: Vec<Excuse>,
    range: Range<Wall>,
    rules: Rules,
}

prop_compose! {
    /// About ten days of a camera; times in minutes; the last interval may be open; the range cuts wherever it likes.
    fn case()(
        begin in 0_i64..2000,
        parts in prop::collection::vec((1_i64..900, 0..CAUSES.len()), 1..40),
        open: bool,
        excused in prop::collection::vec((0_i64..15_000, 1_i64..1500, 0_usize..3), 0..6),
        (from, length) in (0_i64..14_000, 1_i64..9_000),
        (within, again) in (1_u64..1500, 1_u64..4000),
    ) -> Case {
        let mut minute = begin;
        let mut history = Vec::new();
        for (length, which) in parts {
            let (status, cause) = CAUSES[which];
            history.push(Stretch { from: at(minute), until: Some(at(minute + length)), status, cause });
            minute += length;
        }
        if open {
            history.last_mut().unwrap().until = None;
        }
        Case {
            history,
            excuses: excused
                .into_iter()
                .map(|(from, length, kind)| Excuse {
                    kind: [ExcuseKind::Planned, ExcuseKind::ThirdParty, ExcuseKind::Counted][kind],
                    ..excuse(from, from + length)
                })
                .collect(),
            range: at(from)..at(from + length),
            rules: Rules {
                repair_within: Duration::from_secs(within * 60),
                repeat_within: Duration::from_secs(again * 60),
            },
        }
    }
}

/// What a minute counts as, what was seen and why; nothing before the first record and after the last.
fn minute_of(case: &Case, minute: i64) -> Option<(Kind, Status, Option<Cause>)> {
    let when = at(minute);
    let one = case.history.iter().find(|s| s.from <= when && s.until.is_none_or(|u| when < u))?;
    let decided =
        |kinds: &[ExcuseKind]| case.excuses.iter().any(|e| e.from <= when && when < e.until && kinds.contains(&e.kind));
    let kind = if one.cause == Some(Cause::OutOfUse) {
        Kind::Paused
    } else if decided(&[ExcuseKind::Planned, ExcuseKind::ThirdParty]) {
        Kind::Excused
    } else if one.status == Status::Paused && decided(&[ExcuseKind::Counted]) {
        Kind::Offline
    } else {
        one.status.into()
    };
    Some((kind, one.status, one.cause))
}

/// Each figure by its definition.
fn naive(case: &Case) -> Tally {
    let mut sum = Tally::default();
    let mut days: std::collections::BTreeMap<Wall, Tally> = std::collections::BTreeMap::new();
    let within = case.rules.repair_within.as_secs() as i64 / 60;
    let again = case.rules.repeat_within.as_secs() as i64 / 60;
    let (mut lasts, mut down, mut came_back) = (false, 0_i64, None::<i64>);
    for minute in 0..case.range.end.0 / MINUTE {
        let when = at(minute);
        let counts = case.range.contains(&when);
        if when == case.range.start {
            sum.standing = u32::from(lasts);
        }
        let Some((kind, status, cause)) = minute_of(case, minute) else { continue };
        let which = Kind::ALL.iter().position(|k| *k == kind).unwrap();
        if counts {
            sum.millis[which] += MINUTE;
            if let Some(cause) = cause
                && kind == Kind::Impaired
                && [Layer::Decode, Layer::Picture].contains(&cause.layer())
            {
                *sum.picture.entry(cause).or_default() += MINUTE;
            }
            if minute % 60 == 0 {
                sum.samples[which] += 1;
                days.entry(Calendar::day(when)).or_default().samples[which] += 1;
            }
        }
        if kind == Kind::Offline && status == Status::Offline {
            if !lasts {
                (lasts, down) = (true, 0);
                if counts {
                    sum.began += 1;
                    sum.repeats += u32::from(came_back.is_some_and(|m| minute - m <= again));
                }
            }
            if down == within && counts {
                sum.due += 1;
            }
            down += 1;
        } else if lasts && [Status::Online, Status::Impaired].contains(&status) {
            lasts = false;
            came_back = Some(minute);
            if counts {
                sum.ended += 1;
                sum.repair_ms += down * MINUTE;
                if down <= within {
                    sum.due += 1;
                    sum.in_time += 1;
                }
            }
        }
    }
    for day in days.values() {
        let [online, impaired, offline, unknown, paused, excused] = day.samples;
        if online + impaired + offline + paused + excused < 24 || unknown > 0 {
            sum.days_incomplete += 1;
        } else if online + impaired + offline > 0 {
            sum.days_complete += 1;
            sum.day_up += online + impaired;
            sum.day_judged += online + impaired + offline;
        }
    }
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn every_figure_is_what_a_count_of_minutes_says(case in case()) {
        let counted = total(&case.history, &case.excuses, &case.range, &case.rules);
        prop_assert_eq!(&counted, &naive(&case));
        let rates = counted.rates();
        for rate in [rates.online_by_duration, rates.online_by_samples, rates.intact, rates.picture_fault,
            rates.repaired_in_time, rates.repeated, rates.unknown] {
            prop_assert!(rate.is_none_or(|r| (0.0..=1.0).contains(&r)), "{:?}", rates);
        }
    }

    /// Whole days counted hour by hour, each knowing of the time before only what is carried, are the same.
    #[test]
    fn hours_add_up(mut case in case()) {
        case.range = Calendar::day(case.range.start)..Wall(Calendar::day(case.range.end).0 + DAY_MS);
        let mut carry = Carry::default();
        let mut sum = Tally::default();
        let mut day = Calendar::day(Wall(0));
        while day < case.range.end {
            let end = Wall(day.0 + DAY_MS);
            let mut whole = Tally::default();
            let seen: Vec<Stretch> = case.history.iter().filter(|s| s.from < end && s.until.is_none_or(|u| u > day)).copied().collect();
            for (_, tally) in hours(&pieces(&seen, &case.excuses, &(day..end)), day, end, &mut carry, &case.rules) {
                whole.follow(&tally);
            }
            whole.judge_day();
            if day >= case.range.start {
                sum.follow(&whole);
            }
            day = end;
        }
        prop_assert_eq!(sum, total(&case.history, &case.excuses, &case.range, &case.rules));
    }

    /// Wherever a range is cut, nothing is lost and nothing counted twice.
    #[test]
    fn a_cut_changes_no_sum(case in case(), cut in 0_i64..9_000) {
        let cut = Wall((case.range.start.0 + cut * MINUTE).min(case.range.end.0));
        let count = |range| total(&case.history, &case.excuses, &range, &case.rules);
        let mut two = count(case.range.start..cut);
        two.follow(&count(cut..case.range.end));
        let one = count(case.range.clone());
        prop_assert_eq!((two.millis, two.samples, two.picture), (one.millis, one.samples, one.picture));
        prop_assert_eq!(
            (two.began, two.repeats, two.ended, two.repair_ms, two.due, two.in_time),
            (one.began, one.repeats, one.ended, one.repair_ms, one.due, one.in_time)
        );
    }

    /// Intervals that a broken clock left in disorder are never counted twice, and nothing panics.
    #[test]
    fn disorder_is_not_counted_twice(
        parts in prop::collection::vec((any::<i32>(), any::<i32>(), 0..CAUSES.len()), 0..20),
        from: i32, length: u16,
    ) {
        let mut history: Vec<Stretch> = parts.into_iter().map(|(from, until, which)| {
            let (status, cause) = CAUSES[which];
            Stretch { from: Wall(from.into()), until: Some(Wall(until.into())), status, cause }
        }).collect();
        history.sort_by_key(|s| s.from);
        let range = Wall(from.into())..Wall(i64::from(from) + i64::from(length));
        let counted = total(&history, &[], &range, &Rules::default());
        prop_assert!(counted.recorded() <= i64::from(length));
    }
}

/// The figures of one day, worked out by hand.
#[test]
fn a_day_by_hand() {
    let day = Calendar::day(Wall(1_772_251_200_000));
    let hour = |h: i64| Wall(day.0 + h * 3_600_000);
    let part = |from, until, status, cause| Stretch { from: hour(from), until: Some(hour(until)), status, cause };
    let history = [
        part(0, 6, Status::Online, None),
        part(6, 8, Status::Offline, Some(Cause::PasswordRefused)),
        part(8, 10, Status::Offline, Some(Cause::NoRtp)),
        part(10, 14, Status::Impaired, Some(Cause::PictureBlurred)),
        part(14, 16, Status::Impaired, Some(Cause::PacketLoss)),
        part(16, 18, Status::Paused, Some(Cause::Maintenance)),
        Stretch { from: hour(18), until: None, status: Status::Online, cause: None },
    ];
    let excused = Excuse { from: hour(20), until: hour(24), ..excuse(0, 1) };
    let rules = Rules { repair_within: Duration::from_secs(4 * 3600), ..Rules::default() };
    let counted = total(&history, &[excused], &(day..hour(24)), &rules);
    let rates = counted.rates();
    // 6 + 2 h online, 6 h impaired, 4 h offline are judged; 2 h paused and 4 h excused are not.
    assert_eq!(rates.online_by_duration, Some(14.0 / 18.0));
    assert_eq!(rates.online_by_samples, Some(14.0 / 18.0));
    assert_eq!(rates.intact, Some(8.0 / 18.0));
    // Neither the refused password, the missing stream nor lost packets are faults of the picture.
    assert_eq!(rates.picture_fault, Some(4.0 / 14.0));
    assert_eq!(rates.picture_fault_by_class.keys().collect::<Vec<_>>(), [&Cause::PictureBlurred]);
    assert_eq!((rates.paused, rates.excused, rates.unknown), (Some(2.0 / 24.0), Some(4.0 / 24.0), Some(0.0)));
    assert_eq!((counted.began, counted.ended, counted.repeats), (1, 1, 0), "two causes are one outage");
    assert_eq!(rates.mttr_ms, Some(4.0 * 3_600_000.0));
    assert_eq!(rates.mtbf_ms, Some(14.0 * 3_600_000.0));
    assert_eq!(rates.repaired_in_time, Some(1.0), "exactly within its time");
    assert_eq!(rates.completeness, None, "no snapshots are no rate");
    assert_eq!((counted.days_complete, counted.days_incomplete), (1, 0));
}

#[test]
fn an_unknown_hour_marks_the_day_incomplete() {
    let day = Calendar::day(Wall(1_772_251_200_000));
    let hour = |h: i64| Wall(day.0 + h * 3_600_000);
    let history = [
        Stretch { from: day, until: Some(hour(20)), status: Status::Online, cause: None },
        Stretch { from: hour(20), until: None, status: Status::Unknown, cause: Some(Cause::OwnNetwork) },
    ];
    let counted = total(&history, &[], &(day..hour(48)), &Rules::default());
    assert_eq!((counted.days_complete, counted.days_incomplete), (0, 2));
    assert_eq!(counted.rates().online_by_samples, None);
    assert_eq!(counted.rates().online_by_duration, Some(1.0));
}

#[test]
fn a_moment_counts_only_what_is_judged() {
    let mut moment = Moment::default();
    for kind in [Kind::Online, Kind::Online, Kind::Impaired, Kind::Offline, Kind::Unknown, Kind::Paused, Kind::Excused]
    {
        moment.add(kind);
    }
    assert_eq!(moment.online_rate(), Some(0.75));
    assert_eq!(Moment::default().online_rate(), None);
}
