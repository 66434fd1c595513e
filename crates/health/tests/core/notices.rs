//! Who is told what and when: short stories, then storms at random with restarts in between.
#![allow(clippy::unwrap_used)]

use fleet::{Mono, Now, SiteId, TownId, Wall};
use health::{
    IncidentId, Severity,
    desk::{
        ChannelId, Happening, LONGEST_PAUSE, LONGEST_PAUSE_OF_REFUSED, Mark, News, Plan, Route, Teller, pause,
        pause_of_refused,
    },
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const CHANNEL: ChannelId = ChannelId(1);
/// 2023-11-15, a little past 06:13 in the county.
const START: i64 = 1_700_000_000_000;

fn at(seconds: i64) -> Wall {
    Wall(START + seconds * 1000)
}

fn happening(id: u64, opened: i64) -> Happening {
    Happening {
        id: IncidentId(id),
        opened: at(opened),
        resolved: None,
        folded: false,
        severity: Severity::Major,
        acknowledged: false,
        planned: false,
        own: false,
        places: [(TownId(1), SiteId(10))].into(),
    }
}

/// A channel, what it was told so far, and the incidents there are.
struct Story {
    route: Route,
    teller: Teller,
    all: BTreeMap<u64, Happening>,
    /// By how many seconds somebody has set the clock.
    set_by: i64,
}

impl Story {
    fn of(route: Route) -> Story {
        Story { route, teller: Teller::default(), all: BTreeMap::new(), set_by: 0 }
    }

    fn set(&mut self, h: Happening) {
        self.all.insert(h.id.0, h);
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Happening)) {
        change(self.all.get_mut(&id).unwrap());
    }

    fn now(&self, now: i64) -> Now {
        Now { mono: Mono::default() + Duration::from_secs(now.unsigned_abs()), wall: at(now + self.set_by) }
    }

    fn plan(&self, now: i64) -> Plan {
        let all: Vec<Happening> = self.all.values().cloned().collect();
        self.teller.plan([(CHANNEL, &self.route)], &all, self.now(now))
    }

    /// What is told at this second, message by message.
    fn told(&mut self, now: i64) -> Vec<Vec<(u64, News)>> {
        let plan = self.plan(now);
        self.teller.told(&plan, self.now(now));
        plan.messages.iter().map(|m| m.items.iter().map(|(i, n)| (i.0, *n)).collect()).collect()
    }
}

#[test]
fn an_incident_is_told_once_when_it_has_settled_and_once_when_it_is_over() {
    let mut s = Story::of(Route::default());
    s.set(happening(1, 0));
    assert!(s.told(29).is_empty(), "members may still fold in");
    assert_eq!(s.told(30), [[(1, News::Opened)]]);
    assert!(s.told(31).is_empty() && s.told(4000).is_empty());
    s.change(1, |h| h.resolved = Some(at(5000)));
    assert_eq!(s.told(5001), [[(1, News::Over)]]);
    assert!(s.told(5002).is_empty());
    s.change(1, |h| h.resolved = None);
    assert_eq!(s.told(5100), [[(1, News::Reopened)]]);
}

#[test]
fn what_is_over_or_folded_before_it_settled_is_never_told() {
    let mut s = Story::of(Route::default());
    s.set(Happening { resolved: Some(at(20)), ..happening(1, 0) });
    s.set(Happening { resolved: Some(at(20)), folded: true, ..happening(2, 0) });
    assert!(s.told(100).is_empty());
    // Told, then folded into the whole village's: that one speaks for it, also of its end.
    s.set(happening(3, 100));
    assert_eq!(s.told(130), [[(3, News::Opened)]]);
    s.change(3, |h| (h.folded, h.resolved) = (true, Some(at(140))));
    assert!(s.told(141).is_empty());
    assert!(s.plan(142).silent.is_empty(), "it is written down once");
}

#[test]
fn what_is_acknowledged_or_planned_is_quiet_until_that_is_over() {
    let mut s = Story::of(Route::default());
    s.set(Happening { planned: true, ..happening(1, 0) });
    s.set(Happening { acknowledged: true, ..happening(2, 0) });
    assert!(s.told(1000).is_empty());
    s.change(1, |h| h.planned = false);
    s.change(2, |h| h.acknowledged = false);
    assert_eq!(s.told(1001), [[(1, News::Opened)], [(2, News::Opened)]]);
    s.change(1, |h| h.acknowledged = true);
    assert!(s.told(1002).is_empty());
    s.change(1, |h| h.severity = Severity::Critical);
    assert!(s.told(1003).is_empty(), "acknowledged is acknowledged");
    s.change(1, |h| (h.acknowledged, h.severity) = (false, Severity::Major));
    assert_eq!(s.told(1004), [[(1, News::Still)]]);
    s.change(2, |h| h.severity = Severity::Critical);
    assert_eq!(s.told(1005), [[(2, News::Worse)]]);
}

#[test]
fn routes_choose_by_severity_place_and_own_faults() {
    let route = Route {
        least: Severity::Major,
        towns: [TownId(2)].into(),
        sites: [SiteId(10)].into(),
        own: false,
        ..Route::default()
    };
    let mut s = Story::of(route);
    s.set(Happening { severity: Severity::Minor, ..happening(1, 0) });
    s.set(happening(2, 0));
    s.set(Happening { places: [(TownId(2), SiteId(20))].into(), ..happening(3, 0) });
    s.set(Happening { places: [(TownId(1), SiteId(11))].into(), ..happening(4, 0) });
    s.set(Happening { own: true, places: [].into(), ..happening(5, 0) });
    assert_eq!(s.told(100), [[(2, News::Opened)], [(3, News::Opened)]]);
    s.change(2, |h| (h.severity, h.resolved) = (Severity::Minor, Some(at(200))));
    assert_eq!(s.told(201), [[(2, News::Over)]], "who was told of its beginning is told of its end");
}

#[test]
fn at_night_only_what_is_critical_is_told_and_the_rest_in_the_morning() {
    // Awake from 08:00 to 20:00; the story begins at 06:13.
    let mut s = Story::of(Route { hours: Some((480, 1200)), ..Route::default() });
    s.set(happening(1, 0));
    s.set(Happening { severity: Severity::Critical, ..happening(2, 0) });
    assert_eq!(s.told(60), [[(2, News::Opened)]]);
    assert!(s.told(3600).is_empty());
    assert_eq!(s.told(2 * 3600), [[(1, News::Opened)]]);
    let mut night = Story::of(Route { hours: Some((1200, 420)), ..Route::default() });
    night.set(happening(1, 0));
    assert_eq!(night.told(60).len(), 1, "06:14 lies between 20:00 and 07:00");
    night.set(happening(2, 3600));
    assert!(night.told(7200).is_empty());
}

#[test]
fn a_digest_collects_and_a_burst_is_one_message() {
    let mut s = Story::of(Route { digest_minutes: 30, ..Route::default() });
    s.set(happening(1, 0));
    assert_eq!(s.told(30), [[(1, News::Opened)]], "the first is not kept waiting");
    s.set(happening(2, 60));
    s.set(happening(3, 600));
    assert!(s.told(1000).is_empty());
    s.change(1, |h| h.resolved = Some(at(1100)));
    assert_eq!(s.told(1830), [[(1, News::Over), (2, News::Opened), (3, News::Opened)]]);
    s.set(Happening { severity: Severity::Critical, ..happening(4, 1840) });
    assert_eq!(s.told(1871), [[(4, News::Opened)]], "what is critical does not wait for a digest");
    let mut burst = Story::of(Route::default());
    (1..=9).for_each(|id| burst.set(happening(id, 0)));
    assert_eq!(burst.told(30).len(), 1);
}

#[test]
fn the_limit_delays_and_loses_nothing() {
    let mut s = Story::of(Route { per_hour: 4, ..Route::default() });
    let mut heard = Vec::new();
    for id in 1..=40 {
        s.set(happening(id, id as i64 * 60));
        // Every third is over two minutes after it began, long before there is room to tell of it.
        if id % 3 == 0 {
            s.change(id - 2, |h| h.resolved = Some(at(id as i64 * 60)));
        }
        heard.extend(s.told(id as i64 * 60 + 30).into_iter().flatten());
    }
    assert_eq!(heard, [(1, News::Opened), (2, News::Opened), (1, News::Over), (3, News::Opened)]);
    let rest = s.told(3600 + 90);
    assert_eq!(rest.len(), 1, "one digest of everything that waited");
    let passed: Vec<u64> = rest[0].iter().filter(|(_, n)| *n == News::Passed).map(|(id, _)| *id).collect();
    assert_eq!(passed, (4..=37).step_by(3).collect::<Vec<u64>>(), "what is over by now is told too");
    assert_eq!(rest[0].iter().filter(|(_, n)| *n == News::Opened).count(), 37 - passed.len());
    assert!(s.told(3600 + 92).is_empty());
}

#[test]
fn what_waits_for_a_digest_or_for_the_morning_is_told_also_if_it_is_over_by_then() {
    let mut s = Story::of(Route { digest_minutes: 30, resolved: false, ..Route::default() });
    s.set(happening(1, 0));
    assert_eq!(s.told(30), [[(1, News::Opened)]]);
    s.set(happening(2, 60));
    s.set(happening(3, 60));
    s.set(happening(4, 60));
    s.set(happening(5, 60));
    s.change(5, |h| h.resolved = Some(at(80)));
    let waiting = s.plan(100).silent;
    assert!(s.told(100).is_empty());
    // A restart in between.
    let known =
        [(CHANNEL, IncidentId(1), Mark { severity: Severity::Major, over: false, acknowledged: false, waits: false })];
    let marks = known.into_iter().chain(waiting.iter().map(|(c, l)| (*c, l.incident, l.after)));
    s.teller = Teller::new(marks, [(CHANNEL, at(30))], s.now(200));
    s.change(2, |h| h.resolved = Some(at(300)));
    s.change(3, |h| (h.resolved, h.acknowledged) = (Some(at(300)), true));
    s.change(4, |h| (h.resolved, h.folded) = (Some(at(300)), true));
    assert_eq!(s.told(1830), [[(2, News::Passed)]], "whoever acknowledged it knows; it was never due; it is another's");
    assert!(s.told(4000).is_empty(), "once");
    // Asleep until 08:00; the story begins at 06:13.
    let mut night = Story::of(Route { hours: Some((480, 1200)), ..Route::default() });
    night.set(happening(1, 0));
    assert!(night.told(60).is_empty());
    night.change(1, |h| h.resolved = Some(at(600)));
    assert!(night.told(700).is_empty());
    assert_eq!(night.told(2 * 3600), [[(1, News::Passed)]]);
}

#[test]
fn what_flaps_or_is_less_urgent_does_not_use_up_what_is_kept_for_what_is_critical() {
    let mut s = Story::of(Route::default());
    let critical = |id, opened| Happening { severity: Severity::Critical, ..happening(id, opened) };
    // A village goes and comes twice a minute for an hour, others fail once a minute.
    s.set(critical(1, 0));
    let mut heard: Vec<(i64, usize)> = Vec::new();
    for turn in 2..120_i64 {
        let now = turn * 30;
        s.change(1, |h| h.resolved = (turn % 2 == 1).then_some(at(now)));
        if turn % 2 == 0 {
            s.set(happening(100 + turn as u64, now - 40));
        }
        let told = s.told(now).into_iter().flatten().filter(|(id, _)| *id == 1).count();
        heard.push((now, told));
    }
    let flaps: usize = heard.iter().map(|(_, told)| told).sum();
    assert!((4..=7).contains(&flaps), "the village that flaps was told {flaps} times");
    // Now a whole OLT, and soon another: neither waits long, though the limit is used up.
    s.set(critical(2, 3600));
    let told = s.told(3630);
    assert_eq!(told[0][0], (2, News::Opened), "{told:?}");
    s.set(critical(3, 3700));
    let mut waited = 3730;
    while !s.told(waited).into_iter().flatten().any(|(id, _)| id == 3) {
        waited += 30;
        assert!(waited < 3730 + 3600 / 5 + 60, "the second one waits {waited}");
    }
}

#[test]
fn what_flaps_is_told_as_it_is_in_the_end() {
    let mut s = Story::of(Route::default());
    s.set(happening(1, 0));
    let mut last = None;
    for turn in 1..200_i64 {
        s.change(1, |h| h.resolved = (turn % 2 == 0).then_some(at(turn * 30)));
        last = s.told(turn * 30).into_iter().flatten().last().or(last);
    }
    s.change(1, |h| h.resolved = None);
    for turn in 200..240_i64 {
        last = s.told(turn * 30).into_iter().flatten().last().or(last);
    }
    assert_eq!(last, Some((1, News::Reopened)));
    assert_eq!(s.told(240 * 30).len(), 0);
}

#[test]
fn a_clock_that_is_set_silences_nobody() {
    for step in [-86_400, -3600, 3600, 86_400, 5 * 86_400] {
        for restart in [false, true] {
            for digest_minutes in [0, 30] {
                let mut s = Story::of(Route { digest_minutes, per_hour: 8, ..Route::default() });
                let mut sent = Vec::new();
                let mut marks = BTreeMap::new();
                let mut look = |s: &mut Story, now: i64| {
                    let plan = s.plan(now);
                    for message in &plan.messages {
                        sent.push((CHANNEL, s.now(now).wall));
                        marks.extend(message.marks.iter().map(|m| (m.incident, m.after)));
                    }
                    marks.extend(plan.silent.iter().map(|(_, m)| (m.incident, m.after)));
                    s.teller.told(&plan, s.now(now));
                    if restart {
                        let marks = marks.iter().map(|(i, m)| (CHANNEL, *i, *m));
                        s.teller = Teller::new(marks, sent.iter().copied(), s.now(now));
                    }
                    plan.messages.into_iter().flat_map(|m| m.items).collect::<Vec<_>>()
                };
                let told = format!("{step} s, restart {restart}, digest {digest_minutes}");
                s.set(happening(1, 3600));
                s.set(happening(2, 3610));
                assert_eq!(look(&mut s, 3650).len(), 2, "{told}");
                s.set(happening(3, 3655));
                s.set_by = step;
                // What began just before is told soon after, with a digest no later than without the step.
                let until = 3660 + if digest_minutes > 0 { 1800 } else { 60 };
                let mut heard = Vec::new();
                for turn in 0.. {
                    let now = 3660 + turn * 10;
                    if now > until {
                        break;
                    }
                    heard.extend(look(&mut s, now));
                }
                assert_eq!(heard, [(IncidentId(3), News::Opened)], "{told}");
            }
        }
    }
}

#[test]
fn waits_grow_to_a_quarter_of_an_hour_and_are_never_in_step() {
    assert_eq!([1, 2, 3].map(|n| pause(n, 0.0).as_secs()), [10, 20, 40]);
    assert_eq!(pause(50, 0.0), Duration::from_secs(900));
    assert_eq!(pause(u32::MAX, 1.0), LONGEST_PAUSE);
    assert_eq!([1, 2, 3].map(|n| pause_of_refused(n, 0.0).as_secs()), [900, 1800, 3600]);
    assert_eq!(pause_of_refused(u32::MAX, 1.0), LONGEST_PAUSE_OF_REFUSED);
}

#[test]
fn in_any_storm_everything_that_lasts_is_told_once_and_restarts_change_nothing() {
    for seed in 0..400 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let route = Route {
            digest_minutes: if rng.random_bool(0.3) { 10 } else { 0 },
            per_hour: rng.random_range(2..20),
            hours: rng.random_bool(0.3).then_some((480, 1200)),
            ..Route::default()
        };
        let limit = route.per_hour as usize;
        let mut s = Story::of(route);
        let mut marks: BTreeMap<IncidentId, Mark> = BTreeMap::new();
        let mut sent: Vec<Wall> = Vec::new();
        let mut heard: BTreeMap<u64, Vec<News>> = BTreeMap::new();
        let mut owed: BTreeSet<u64> = BTreeSet::new();
        for turn in 0..600 {
            let now = turn * 30;
            if rng.random_bool(0.05) {
                let id = s.all.len() as u64 + 1;
                let severity = [Severity::Minor, Severity::Major, Severity::Critical][rng.random_range(0..3)];
                s.set(Happening { severity, ..happening(id, now) });
            }
            if !s.all.is_empty() && rng.random_bool(0.05) {
                let id = rng.random_range(1..=s.all.len() as u64);
                let over = rng.random_bool(0.5);
                s.change(id, |h| h.resolved = over.then_some(at(now)));
            }
            if rng.random_bool(0.05) {
                // Killed after storing: what is stored is what is known.
                let marks = marks.iter().map(|(i, m)| (CHANNEL, *i, *m));
                s.teller = Teller::new(marks, sent.iter().map(|t| (CHANNEL, *t)), s.now(now));
            }
            // What has settled and lasts is to be told, whatever becomes of it.
            let due = |h: &&Happening| {
                h.resolved.is_none() && h.severity >= Severity::Major && at(now).millis_since(h.opened) >= 30_000
            };
            owed.extend(s.all.values().filter(due).map(|h| h.id.0));
            let plan = s.plan(now);
            for message in &plan.messages {
                marks.extend(message.marks.iter().map(|m| (m.incident, m.after)));
                sent.push(at(now));
                message.items.iter().for_each(|(i, n)| heard.entry(i.0).or_default().push(*n));
            }
            marks.extend(plan.silent.iter().map(|(_, m)| (m.incident, m.after)));
            s.teller.told(&plan, s.now(now));
            let lately = sent.iter().filter(|t| at(now).0 - t.0 < 3_600_000).count();
            assert!(lately <= limit, "seed {seed}: {lately} messages in an hour");
        }
        // Everything calms down; half a day later all is told.
        for turn in 0..1500 {
            s.told(600 * 30 + turn * 30).into_iter().flatten().for_each(|(i, n)| heard.entry(i).or_default().push(n));
        }
        for h in s.all.values() {
            let said = heard.get(&h.id.0).cloned().unwrap_or_default();
            let begun = said.iter().filter(|n| matches!(n, News::Opened | News::Reopened)).count();
            let ended = said.iter().filter(|n| **n == News::Over).count();
            let lasts = h.resolved.is_none() && h.severity >= Severity::Major;
            assert!(!lasts || begun == ended + 1, "seed {seed}: {:?} lasts and was told {said:?}", h.id);
            assert!(lasts || begun == ended, "seed {seed}: {:?} is over and was told {said:?}", h.id);
            assert!(h.severity >= Severity::Major || said.is_empty());
            assert!(!owed.contains(&h.id.0) || !said.is_empty(), "seed {seed}: {:?} was never told", h.id);
        }
    }
}
