//! What was told against what truly happened.

use super::{
    Fault, S, Time, World,
    books::claimed,
    script::{Plan, QUIET, What},
};
use fleet::{CameraId, Cause, Status, Wall};
use health::{
    IncidentId, LikelyCause, Scope,
    ledger::{Kind, Rules, Stretch, total},
};
use std::collections::{BTreeMap, BTreeSet};

/// Longest time from the loss of video to `offline`.
pub const CONFIRM: Time = 15_500 * super::MS;
/// A verdict may rest on what was seen this long ago.
const EVIDENCE: Time = 6 * S;
/// Our own faults cast their shadow this far.
const SHADOW: Time = 100 * S;

/// The figures of one run, or of many.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub seeds: u64,
    pub events: u64,
    pub hours: f64,
    /// Outages longer than the confirmation time, and of them those that nothing of ours and no maintenance hides.
    pub happened: u64,
    pub outages: u64,
    pub missed: u64,
    pub late: u64,
    pub slowest: Time,
    pub false_offline: u64,
    pub link_outages: u64,
    pub told_as_one: u64,
    pub shared: u64,
    pub unrelated: u64,
    pub incidents: u64,
    pub slots: u64,
    pub impairments: u64,
    pub impairments_missed: u64,
    pub ledger_worst: Time,
    pub books: u64,
    pub books_worst: Time,
    /// Times in which nothing of ours looked, and what the ledger claims to know of them at most.
    pub unseen: u64,
    pub claimed_worst: Time,
    pub windows: u64,
    pub nights: u64,
    pub nights_known: u64,
    /// How many disturbances of its rarest kind a county has.
    pub rarest: Option<(usize, String)>,
    pub kinds: usize,
    pub wrong: Vec<String>,
}

impl Figures {
    pub fn add(&mut self, other: Figures) {
        self.seeds += other.seeds;
        self.events += other.events;
        self.hours += other.hours;
        self.happened += other.happened;
        self.outages += other.outages;
        self.missed += other.missed;
        self.late += other.late;
        self.slowest = self.slowest.max(other.slowest);
        self.false_offline += other.false_offline;
        self.link_outages += other.link_outages;
        self.told_as_one += other.told_as_one;
        self.shared += other.shared;
        self.unrelated += other.unrelated;
        self.incidents += other.incidents;
        self.slots += other.slots;
        self.impairments += other.impairments;
        self.impairments_missed += other.impairments_missed;
        self.ledger_worst = self.ledger_worst.max(other.ledger_worst);
        self.books += other.books;
        self.books_worst = self.books_worst.max(other.books_worst);
        self.unseen += other.unseen;
        self.claimed_worst = self.claimed_worst.max(other.claimed_worst);
        self.windows += other.windows;
        self.nights += other.nights;
        self.nights_known += other.nights_known;
        self.rarest = self.rarest.take().into_iter().chain(other.rarest).min();
        self.kinds = self.kinds.max(other.kinds);
        self.wrong.extend(other.wrong);
    }
}

type Span = (Time, Time);

struct Judge<'a> {
    plan: &'a Plan,
    world: &'a World,
    /// By hour: what happens in it. Whoever asks what was going on at a time need not read the whole script.
    by_hour: Vec<Vec<usize>>,
    /// When each camera became a member of which incident.
    joins: Vec<Vec<(Time, IncidentId)>>,
    /// What the books say of each camera.
    histories: Vec<Vec<Stretch>>,
    /// Times of which something is true, merged: outages of each camera; shadows of our own faults; pauses of each
    /// camera; restarts and sleeps; times that nobody saw; while somebody had
    /// set the wall clock.
    outages: Vec<Vec<Span>>,
    ours: Vec<Span>,
    paused: Vec<Vec<Span>>,
    breaks: Vec<Span>,
    unseen: Vec<Span>,
    steps: Vec<Span>,
    /// When the wall clock leapt ahead: it may have been a suspended machine, and every suspicion began anew.
    jumps: Vec<Span>,
    figures: Figures,
}

const HOUR: Time = 3600 * S;

/// Compares a finished run with its plan.
pub fn judge(plan: &Plan, world: &World) -> Figures {
    let n = world.cams.len();
    let mut spans: Vec<Vec<Span>> = vec![Vec::new(); n];
    let mut paused = vec![Vec::new(); n];
    let mut ours: Vec<Span> = world.log.breaks.clone();
    for item in &plan.items {
        for camera in item.what.silences(&plan.county) {
            spans[camera].push((item.from, item.until));
        }
        if item.what.is_ours() {
            ours.push((item.from, item.until));
        }
        for camera in item.what.pauses(&plan.county) {
            let spans = match item.what {
                What::Window(_) => plan.kept(item.from, item.until),
                _ => vec![(item.from, item.until)],
            };
            paused[camera].extend(spans.into_iter().map(|(from, until)| (from, until + 60 * S)));
        }
    }
    // Doubt about ourselves withholds verdicts for a minute.
    ours.extend(world.log.doubts.iter().map(|t| (t.saturating_sub(15 * S), t + 60 * S)));
    let figures = Figures {
        seeds: 1,
        events: world.log.events,
        hours: plan.end as f64 / (3600.0 * S as f64),
        incidents: world.top_level().len() as u64,
        slots: world.log.slots.iter().map(|s| s.len() as u64).sum::<u64>()
            + world.log.past_slots.iter().map(|p| p.count).sum::<u64>(),
        rarest: plan.kinds.iter().map(|(kind, n)| (*n, kind.clone())).min(),
        kinds: plan.kinds.len(),
        wrong: world.log.faults.clone(),
        ..Figures::default()
    };
    let mut judge = Judge {
        plan,
        world,
        by_hour: by_hour(plan),
        joins: joins(world),
        histories: (0..n).map(|camera| world.books.stretches(camera)).collect(),
        outages: spans.into_iter().map(merge).collect(),
        ours: merge(ours),
        paused: paused.into_iter().map(merge).collect(),
        breaks: merge(world.log.breaks.clone()),
        unseen: merge(world.log.unseen.clone()),
        steps: merge(plan.steps().into_iter().map(|(from, until, _)| (from, until)).collect()),
        jumps: merge(
            plan.steps()
                .into_iter()
                .map(|(from, until, ms)| if ms > 0 { (from, from) } else { (until, until) })
                .collect(),
        ),
        figures,
    };
    judge.missed();
    judge.false_offline();
    judge.links();
    judge.unrelated();
    judge.impairments();
    judge.unseen();
    judge.windows();
    judge.nights();
    judge.slots();
    judge.end();
    judge.figures
}

fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (from, until) in spans {
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    merged
}

/// Whether any of these spans, which were merged, touches this time.
fn overlap(spans: &[Span], from: Time, until: Time) -> bool {
    spans.get(spans.partition_point(|&(_, b)| b < from)).is_some_and(|&(a, _)| a <= until)
}

fn by_hour(plan: &Plan) -> Vec<Vec<usize>> {
    let mut hours = vec![Vec::new(); (plan.end / HOUR + 1) as usize];
    for (i, item) in plan.items.iter().enumerate() {
        for hour in &mut hours[(item.from / HOUR) as usize..=(item.until.min(plan.end) / HOUR) as usize] {
            hour.push(i);
        }
    }
    hours
}

fn joins(world: &World) -> Vec<Vec<(Time, IncidentId)>> {
    let mut joins = vec![Vec::new(); world.cams.len()];
    for (incident, versions) in &world.log.incidents {
        let mut before: BTreeSet<CameraId> = BTreeSet::new();
        for (t, version) in versions {
            let members: BTreeSet<CameraId> =
                version.members.iter().filter(|m| m.left.is_none()).map(|m| m.camera).collect();
            for camera in members.difference(&before) {
                joins[camera.0 as usize - 1].push((*t, *incident));
            }
            before = members;
        }
    }
    joins.iter_mut().for_each(|j| j.sort_unstable());
    joins
}

impl Judge<'_> {
    fn say(&mut self, at: Time, what: String) {
        self.figures.wrong.push(format!("seed {} at {:.1} s: {what}", self.plan.seed, at as f64 / S as f64));
    }

    /// What goes on at some time between two instants, in the order of the script.
    fn near(&self, from: Time, until: Time) -> BTreeSet<usize> {
        let last = self.by_hour.len() - 1;
        let (first, last) = (((from / HOUR) as usize).min(last), ((until / HOUR) as usize).min(last));
        self.by_hour[first..=last].iter().flatten().copied().collect()
    }

    fn status_at(&self, camera: usize, t: Time) -> Option<Status> {
        let log = &self.world.log.statuses[camera];
        let n = log.partition_point(|(at, _)| *at <= t);
        n.checked_sub(1).map(|i| log[i].1.status)
    }

    fn shadowed(&self, from: Time, until: Time) -> bool {
        overlap(&self.ours, from.saturating_sub(SHADOW), until)
    }

    fn missed(&mut self) {
        for camera in 0..self.outages.len() {
            for (from, until) in self.outages[camera].clone() {
                if until - from < CONFIRM {
                    continue;
                }
                self.figures.happened += 1;
                // What happens after it must have been told hides nothing of that.
                let by = from + CONFIRM;
                let jumped = overlap(&self.jumps, from, by);
                if self.shadowed(from, by) || overlap(&self.paused[camera], from, by) || jumped {
                    continue;
                }
                self.figures.outages += 1;
                let before = self.status_at(camera, from);
                let told = if before == Some(Status::Offline) {
                    Some(from)
                } else {
                    self.world.told(camera, Status::Offline, from)
                };
                match told {
                    Some(t) if t <= from + CONFIRM => {
                        self.figures.slowest = self.figures.slowest.max(t - from);
                        self.ledger(camera, from, until);
                    }
                    Some(t) if t <= until => {
                        self.figures.late += 1;
                        let took = (t - from) as f64 / S as f64;
                        self.say(from, format!("camera {camera} was told offline only after {took:.1} s"));
                    }
                    _ => {
                        self.figures.missed += 1;
                        self.say(from, format!("camera {camera} was never told offline (was {before:?})"));
                    }
                }
            }
        }
    }

    /// Offline time told for this outage against its true length.
    fn ledger(&mut self, camera: usize, from: Time, until: Time) {
        let again = self.outages[camera].iter().any(|&(a, _)| a > until && a < until + 180 * S);
        if again || self.shadowed(from, until + 100 * S) || overlap(&self.paused[camera], from, until + 100 * S) {
            return;
        }
        let back = self.world.log.statuses[camera]
            .iter()
            .find(|(t, c)| *t >= until && c.status != Status::Offline)
            .map(|(t, _)| *t);
        match back {
            Some(back) => {
                self.figures.ledger_worst = self.figures.ledger_worst.max(back - until);
                if back - until > 80 * S {
                    let took = (back - until) as f64 / S as f64;
                    self.say(until, format!("camera {camera} came back, told only after {took:.1} s"));
                }
                self.books(camera, from, until, back);
            }
            None => self.say(until, format!("camera {camera} came back and was never told")),
        }
    }

    /// What the availability ledger counts of this outage, from the intervals as the store would keep them.
    fn books(&mut self, camera: usize, from: Time, until: Time, back: Time) {
        let during = |t: Time| (from.saturating_sub(S)..=back).contains(&t);
        let steps = || self.plan.items.iter().filter(|i| matches!(i.what, What::WallStep(_)));
        let wall = |t: Time| {
            let skew = steps().filter(|i| i.from <= t && t < i.until).map(|i| match i.what {
                What::WallStep(ms) => ms,
                _ => 0,
            });
            Wall(super::WALL_START + (t / super::MS) as i64 + skew.sum::<i64>())
        };
        // The length of what lasts while the clock is set is not known by that clock, and what happens in a time that the
        // books have already, because the clock was ahead or is behind, is entered right after it.
        let been_there = |i: &super::script::Item| {
            [i.from, i.until].into_iter().any(|t| (1..=from).contains(&t) && wall(t - 1) > wall(from))
        };
        let unclear = steps().any(|i| during(i.from) || during(i.until) || been_there(i));
        if unclear || overlap(&self.unseen, from, back) {
            return;
        }
        let all = &self.histories[camera];
        // An outage is no longer than a night; what was before it and the day before is not asked for.
        let first = all.partition_point(|s| s.until.is_some_and(|end| end < wall(from.saturating_sub(86_400 * S))));
        let history = &all[first..];
        let range = wall(from.saturating_sub(S))..Wall(wall(back).0 + 1);
        let counted = total(history, &[], &range, &Rules::default());
        let differs = (counted.of(Kind::Offline) - ((until - from) / super::MS) as i64).unsigned_abs() * super::MS;
        self.figures.books += 1;
        self.figures.books_worst = self.figures.books_worst.max(differs);
        // One outage; another before it may stand still, if its end was not told yet.
        let one = counted.began <= 1 && counted.began + counted.standing >= 1;
        if differs > 80 * S || !one {
            let off = differs as f64 / S as f64;
            self.say(from, format!("camera {camera}: the ledger is off by {off:.1} s, {counted:?}"));
        }
    }

    /// Of time in which nothing of ours looked the ledger claims nothing, and of all time no more than was looked at.
    fn unseen(&mut self) {
        let unseen = self.unseen.clone();
        // While the clock was set the ledger wrote of that other time: both are told twice or not at all.
        // After it was ahead the books have the time to come already, until it is caught up with.
        let twice = self.plan.skewed().into_iter().flat_map(|(from, until, ms)| {
            let moved = |t: Time| t.saturating_add_signed(ms * super::MS as i64);
            let ahead = if ms > 0 { (from, moved(until)) } else { (moved(from), moved(until)) };
            [(from, until), ahead].map(|(a, b)| (a.saturating_sub(60 * S), b + 60 * S))
        });
        let twice = merge(twice.collect());
        let steps = self.plan.items.iter().filter(|i| matches!(i.what, What::WallStep(_) | What::Sleep)).count() as u64;
        let blank: Time = unseen.iter().map(|(from, until)| until - from).sum();
        // A time of thirty seconds without a look is within what a check leaves open.
        let most = ((self.plan.end - blank + 40 * S * (2 * steps + unseen.len() as u64)) / super::MS) as i64;
        for camera in 0..self.outages.len() {
            let history = std::mem::take(&mut self.histories[camera]);
            for &(from, until) in unseen.iter().filter(|(a, b)| !overlap(&twice, *a, *b) && b - a > 45 * S) {
                self.figures.unseen += 1;
                let claimed = claimed(&history, self.world.wall_of(from), self.world.wall_of(until));
                self.figures.claimed_worst = self.figures.claimed_worst.max(claimed as Time * super::MS);
                // Changes in one millisecond stand one after the other.
                if claimed > 3 {
                    let s = (until - from) / S;
                    self.say(from, format!("camera {camera}: nobody looked for {s} s, {claimed} ms are claimed"));
                }
            }
            let claimed = claimed(&history, Wall(i64::MIN), self.world.now().wall);
            if claimed > most {
                self.say(self.plan.end, format!("camera {camera}: {claimed} ms are claimed of {most} ms"));
            }
            self.histories[camera] = history;
        }
    }

    fn false_offline(&mut self) {
        for camera in 0..self.outages.len() {
            let mut wrong = Vec::new();
            for (t, change) in &self.world.log.statuses[camera] {
                let true_outage = overlap(&self.outages[camera], t.saturating_sub(EVIDENCE), *t);
                // A correction of the register that came while we did not run is learnt of a moment after.
                let not_told_yet = change.cause == Some(Cause::PasswordRefused) && overlap(&self.breaks, *t, *t);
                let true_outage = true_outage || not_told_yet;
                if change.status == Status::Offline && change.from != Some(Status::Offline) && !true_outage {
                    wrong.push((*t, format!("camera {camera} told offline without cause: {change:?}")));
                }
            }
            for (t, what) in wrong {
                self.figures.false_offline += 1;
                self.say(t, what);
            }
        }
    }

    /// Whole links and terminals: how many incidents told each outage.
    fn links(&mut self) {
        let plan = self.plan;
        let items = &plan.items;
        for (i, item) in items.iter().enumerate() {
            // The incidents that its cameras joined within a minute are looked at, and what hides or disturbs them.
            if !matches!(item.what, What::Link(_) | What::Olt(_) | What::Site(_) | What::Town(_) | What::Night(_))
                || item.until - item.from < 30 * S
                || self.shadowed(item.from, item.from + 65 * S)
                // What was told and never came on record, because the database and then the process were lost, is no
                // longer in the log of what was told.
                || overlap(&self.unseen, item.from, item.from + 65 * S)
            {
                continue;
            }
            let behind = item.what.silences(&self.plan.county);
            let others = self.near(item.from.saturating_sub(150 * S), item.from + 65 * S);
            let disturbed = |camera: usize| {
                // A window is kept by the wall clock, wherever that is set.
                let paused = overlap(&self.paused[camera], item.from.saturating_sub(150 * S), item.from + 65 * S);
                paused
                    || others.iter().any(|&j| {
                        let other = &items[j];
                        let near = other.from <= item.from + 65 * S && item.from.saturating_sub(150 * S) <= other.until;
                        let hits = match other.what {
                            What::Camera(c, _) => c == camera,
                            What::Pause(_) | What::Window(_) => false,
                            what => what.silences(&self.plan.county).contains(&camera),
                        };
                        j != i && near && hits
                    })
            };
            // Only outages that are not mixed up with others are counted.
            let clear: Vec<usize> = behind.iter().copied().filter(|&c| !disturbed(c)).collect();
            if clear.len() < 2 || clear.len() < behind.len() {
                continue;
            }
            self.figures.link_outages += 1;
            let told: BTreeSet<IncidentId> =
                clear.iter().flat_map(|&c| self.joined(c, item.from, item.from + 60 * S)).collect();
            let all = clear.iter().all(|&c| !self.joined(c, item.from, item.from + 60 * S).is_empty());
            if told.len() == 1 && all {
                self.figures.told_as_one += 1;
            } else {
                self.say(item.from, format!("{:?} with cameras {clear:?} told as {told:?}", item.what));
            }
        }
    }

    /// The incidents a camera became a member of within a span, by the incident they were folded into.
    fn joined(&self, camera: usize, from: Time, until: Time) -> BTreeSet<IncidentId> {
        let joins = &self.joins[camera];
        let within = joins[joins.partition_point(|(t, _)| *t < from)..].iter().take_while(|(t, _)| *t <= until);
        within.map(|(_, incident)| self.world.root_of(*incident)).collect()
    }

    /// Shared incidents whose members have no cause in common.
    fn unrelated(&mut self) {
        for incident in self.world.top_level() {
            if matches!(incident.scope, Scope::Camera(_) | Scope::Own) {
                continue;
            }
            self.figures.shared += 1;
            let mut common: Option<Vec<String>> = None;
            let versions = &self.world.log.incidents[&incident.id];
            let mut first_seen: BTreeMap<CameraId, Time> = BTreeMap::new();
            for (t, version) in versions {
                for member in &version.members {
                    first_seen.entry(member.camera).or_insert(*t);
                }
            }
            for member in &incident.members {
                let camera = member.camera.0 as usize - 1;
                let t = first_seen[&member.camera];
                let because: Vec<String> = self
                    .near(t.saturating_sub(90 * S), t)
                    .into_iter()
                    .map(|i| &self.plan.items[i])
                    .filter(|i| i.from <= t && i.until + 90 * S >= t)
                    .filter(|i| i.what.silences(&self.plan.county).contains(&camera))
                    .map(|i| match i.what {
                        What::Camera(c, _) => format!("camera {c}"),
                        what => format!("{what:?}"),
                    })
                    .collect();
                common = Some(match common {
                    None => because,
                    Some(before) => before.into_iter().filter(|b| because.contains(b)).collect(),
                });
            }
            if common.is_some_and(|c| c.is_empty()) {
                self.figures.unrelated += 1;
            }
        }
    }

    /// Faults of pictures and flow that last long enough are told.
    fn impairments(&mut self) {
        for item in self.plan.items.clone() {
            let What::Camera(camera, fault) = item.what else { continue };
            let clear = item.until - item.from > 300 * S
                && !fault.is_outage()
                && !self.shadowed(item.from, item.until)
                && !overlap(&self.outages[camera], item.from.saturating_sub(100 * S), item.until)
                && !overlap(&self.paused[camera], item.from.saturating_sub(100 * S), item.until)
                && (fault != Fault::Clock || !overlap(&self.steps, item.from.saturating_sub(100 * S), item.until));
            if !clear {
                continue;
            }
            self.figures.impairments += 1;
            let told = self.status_at(camera, item.until) == Some(Status::Impaired);
            if !told {
                self.figures.impairments_missed += 1;
                self.say(item.from, format!("camera {camera}: {fault:?} was not told"));
            }
        }
    }

    /// While a window holds its cameras are paused, and so its whole time is excused in the ledger.
    fn windows(&mut self) {
        let windows = self.plan.items.iter().filter(|i| matches!(i.what, What::Window(_)));
        let kept: Vec<(What, Span)> =
            windows.flat_map(|i| self.plan.kept(i.from, i.until).into_iter().map(|span| (i.what, span))).collect();
        for (what, (from, until)) in kept {
            if until - from < 5 * S || overlap(&self.breaks, from.saturating_sub(120 * S), until) {
                continue;
            }
            self.figures.windows += 1;
            for camera in what.pauses(&self.plan.county) {
                let log = &self.world.log.statuses[camera];
                // That somebody set the clock is seen when something is due, ten seconds later at the latest.
                let set = self.plan.steps().iter().any(|s| [s.0, s.1].contains(&from));
                let from = if set { from + 10 * S } else { from };
                if until < from + 5 * S {
                    continue;
                }
                let within = |t: &Time| from + 2 * S < *t && *t + S < until;
                let log = &log[log.partition_point(|(t, _)| *t < from)..];
                let judged = log.iter().find(|(t, c)| within(t) && c.status != Status::Paused);
                let begun = self.status_at(camera, from + 2 * S) == Some(Status::Paused);
                if let Some(what) = judged.map(|(_, c)| format!("{c:?}")).or((!begun).then(|| "not paused".into())) {
                    self.say(from, format!("camera {camera} in planned maintenance: {what}"));
                }
            }
        }
    }

    /// From the third night on, the same hour is what is told as the likely cause.
    fn nights(&mut self) {
        let nights: Vec<(usize, Time, Time)> = self
            .plan
            .items
            .iter()
            .filter_map(|i| if let What::Night(link) = i.what { Some((link, i.from, i.until)) } else { None })
            .collect();
        let day = 86_400 * S;
        for &(link, from, until) in &nights {
            let behind = What::Night(link).silences(&self.plan.county);
            let clear = |from: Time, until: Time| {
                !self.shadowed(from, from + 60 * S)
                    && !overlap(&self.steps, from.saturating_sub(400 * S), from + 60 * S)
                    && !self.near(from.saturating_sub(400 * S), from + 60 * S).into_iter().any(|i| {
                        let i = &self.plan.items[i];
                        let other = !matches!(i.what, What::Night(l) if l == link);
                        let hits = |c| {
                            i.what.silences(&self.plan.county).contains(c)
                                || i.what.pauses(&self.plan.county).contains(c)
                        };
                        other
                            && i.from < from + 60 * S
                            && from.saturating_sub(400 * S) < i.until
                            && behind.iter().any(hits)
                    })
                    && until > from
            };
            let before = nights.iter().filter(|n| n.0 == link && n.1 < from && n.1 + 2 * day + day / 2 > from);
            let known = self.plan.habits.contains(&link) || before.filter(|n| clear(n.1, n.2)).count() >= 2;
            if !known || !clear(from, until) {
                continue;
            }
            self.figures.nights += 1;
            let told: BTreeSet<IncidentId> = behind.iter().flat_map(|&c| self.joined(c, from, from + 60 * S)).collect();
            let known = told
                .iter()
                .any(|id| self.world.log.incidents[id].iter().any(|(_, i)| i.likely == LikelyCause::BorrowedPower));
            self.figures.nights_known += u64::from(known);
        }
    }

    fn slots(&mut self) {
        for wrong in self.world.slot_faults() {
            self.say(self.plan.end, wrong);
        }
        for camera in 0..self.outages.len() {
            if self.paused[camera].is_empty()
                && self.world.log.breaks.is_empty()
                && self.world.longest_without_slot(camera) > 365 * S
            {
                let longest = self.world.longest_without_slot(camera) as f64 / S as f64;
                self.say(self.plan.end, format!("camera {camera}: no slot for {longest:.0} s"));
            }
        }
    }

    /// After the quiet at the end all is well and nothing is open.
    fn end(&mut self) {
        for camera in 0..self.outages.len() {
            let (status, cause) = self.world.status(camera);
            if status != Status::Online {
                self.say(
                    self.plan.end,
                    format!("camera {camera} is {status:?} {cause:?} after {} s of quiet", QUIET / S),
                );
            }
        }
        let open: Vec<String> = self
            .world
            .incidents()
            .into_iter()
            .filter(health::Incident::is_open)
            .map(|i| format!("{} {:?} {:?} is still open", i.id, i.scope, i.cause))
            .collect();
        for what in open {
            self.say(self.plan.end, what);
        }
        if self.world.busiest_second_of_opens() > 67 {
            self.say(self.plan.end, format!("{} opens in a second", self.world.busiest_second_of_opens()));
        }
    }
}
