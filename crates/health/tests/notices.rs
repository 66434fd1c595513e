//! Who is told what and when: short stories, then storms at random with restarts in between.
#![allow(clippy::unwrap_used)]

use fleet::{SiteId, TownId, Wall};
use health::{
    IncidentId, Severity,
    desk::{ChannelId, Happening, Mark, News, Plan, Route, Teller, pause},
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, time::Duration};

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
}

impl Story {
    fn of(route: Route) -> Story {
        Story { route, teller: Teller::default(), all: BTreeMap::new() }
    }

    fn set(&mut self, h: Happening) {
        self.all.insert(h.id.0, h);
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Happening)) {
        change(self.all.get_mut(&id).unwrap());
    }

    fn plan(&self, now: i64) -> Plan {
        let all: Vec<Happening> = self.all.values().cloned().collect();
        self.teller.plan([(CHANNEL, &self.route)], &all, at(now))
    }

    /// What is told at this second, message by message.
    fn told(&mut self, now: i64) -> Vec<Vec<(u64, News)>> {
        let plan = self.plan(now);
        self.teller.told(&plan, at(now));
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
    let mut s = Story::of(Route { per_hour: 3, ..Route::default() });
    let mut heard = Vec::new();
    for id in 1..=40 {
        s.set(happening(id, id as i64 * 60));
        heard.extend(s.told(id as i64 * 60 + 30).into_iter().flatten());
    }
    assert_eq!(heard.len(), 3);
    let rest = s.told(3600 + 90);
    assert_eq!(rest.len(), 1, "one digest of everything that waited");
    assert_eq!(rest[0].len() + heard.len(), 40);
}

#[test]
fn waits_grow_to_a_quarter_of_an_hour_and_are_never_in_step() {
    assert_eq!([1, 2, 3].map(|n| pause(n, 0.0).as_secs()), [10, 20, 40]);
    assert_eq!(pause(50, 0.0), Duration::from_secs(900));
    assert_eq!(pause(u32::MAX, 1.0), Duration::from_secs(1200));
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
                s.teller = Teller::new(
                    marks.iter().map(|(i, m)| (CHANNEL, *i, *m)),
                    sent.iter().filter(|t| at(now).0 - t.0 < 3_600_000).map(|t| (CHANNEL, *t)),
                );
            }
            let plan = s.plan(now);
            for message in &plan.messages {
                marks.extend(message.marks.iter().copied());
                sent.push(at(now));
                message.items.iter().for_each(|(i, n)| heard.entry(i.0).or_default().push(*n));
            }
            marks.extend(plan.silent.iter().map(|(_, i, m)| (*i, *m)));
            s.teller.told(&plan, at(now));
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
        }
    }
}
