//! From failures to incidents: one disturbance, told once.
//!
//! A camera that falls silent is not told at once: its siblings may be about to. A few seconds later the group
//! behind the link is looked at as a whole: who fell silent with it, who still delivers, who is undecided. The rules
//! of [`joining`](crate::joining) say what they are together: the link's incident, or that of its site, line terminal
//! or town, whichever explains the most links; otherwise each camera gets its own.

use crate::{
    Evidence, Fleet, IncidentId, Joining, Scope, Severity, Shared,
    book::Draft,
    camera::is_silence,
    groups::Place,
    index::{CameraIx, GroupIx},
    joining::{Weighed, joinings},
    rules::{Facts, RuleScope, conclude},
    schedule::Key,
};
use fleet::{Cause, Mono, Status};
use std::{collections::BTreeSet, time::Duration};

/// How long a silent camera waits for its siblings before it is told.
const GROUPING: Duration = Duration::from_secs(5);
/// How long undecided siblings are waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How often it is asked whether they are decided.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A group as it stands.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Fell silent together.
    pub(crate) recent: Vec<CameraIx>,
    /// Deliver video.
    pub(crate) alive: u32,
    /// Not decided yet.
    pub(crate) unsure: u32,
    /// In use.
    pub(crate) total: u32,
}

/// Links of one place of which nobody delivers any more, and the rule that makes one incident of it.
struct Dark {
    scope: Scope,
    rule: &'static Joining,
    weighed: Weighed,
    total: u32,
    links: Vec<(GroupIx, Vec<CameraIx>)>,
}

impl Fleet {
    /// A camera's verdict changed: its incidents follow.
    pub(crate) fn incidents_follow(&mut self, ix: CameraIx, from: Status) {
        let camera = &mut self.cameras[ix.at()];
        let cause = camera.cause;
        match camera.status {
            Status::Unknown => {
                camera.silent = None;
                camera.untold = false;
            }
            Status::Offline if cause.is_some_and(is_silence) => self.fell_silent(ix, from),
            Status::Offline | Status::Impaired => {
                camera.silent = None;
                camera.untold = false;
                self.unshare(ix);
                self.tell_camera(ix, false);
            }
            Status::Online => {
                camera.silent = None;
                camera.untold = false;
                let flapping = camera.flapping;
                self.unshare(ix);
                if !flapping {
                    self.close_own(ix, None);
                }
            }
            Status::Paused => self.forget_incidents(ix),
        }
    }

    fn fell_silent(&mut self, ix: CameraIx, from: Status) {
        let now = self.now.mono;
        let camera = &mut self.cameras[ix.at()];
        let own_silence = camera.own.and_then(|id| self.book.open(id)).is_some_and(|i| is_silence(i.cause));
        if own_silence && !matches!(from, Status::Online | Status::Impaired) {
            // Told already, and older than whatever happens now: no evidence against the link.
            camera.silent = None;
            self.tell_camera(ix, false);
            return;
        }
        camera.silent = Some(camera.silent.or(camera.lost).unwrap_or(now));
        let group = camera.group;
        if let Some((facts, why)) = self.county_facts(ix) {
            self.tell_county(ix, &facts, why);
            return;
        }
        if self.cameras[ix.at()].shared.is_some() && !self.shares_doubt(ix) {
            return;
        }
        self.cameras[ix.at()].untold = true;
        if self.schedule.due(Key::Group(group)).is_none() {
            self.groups.get_mut(group).first_sign = Some(now);
            self.schedule.set(Key::Group(group), now + GROUPING);
        }
        if self.nothing_more_can_come(group) {
            self.decide_now(group);
        }
    }

    /// Every camera that could still fall silent with this one has done so.
    fn nothing_more_can_come(&self, group: GroupIx) -> bool {
        let Some(newest) = self.newest_untold(group) else { return false };
        let done = |g: GroupIx| {
            let tally = self.tally(g, newest);
            tally.alive == 0 && tally.unsure == 0
        };
        done(group) && self.groups.around(group).all(|place| place.groups.iter().all(|&g| done(g)))
    }

    fn newest_untold(&self, group: GroupIx) -> Option<Mono> {
        let members = &self.groups.get(group).members;
        members.iter().map(|ix| &self.cameras[ix.at()]).filter(|c| c.untold).filter_map(|c| c.silent).max()
    }

    pub(crate) fn tally(&self, group: GroupIx, newest: Mono) -> Tally {
        let mut tally = Tally::default();
        for &ix in &self.groups.get(group).members {
            let camera = &self.cameras[ix.at()];
            if camera.paused.is_some() {
                continue;
            }
            tally.total += 1;
            match camera.status {
                Status::Offline => {
                    // Silent for long, or for a reason of its own: it cannot testify.
                    let together = camera
                        .silent
                        .is_some_and(|at| at.since(newest).max(newest.since(at)) <= self.config.correlation_window);
                    if together {
                        tally.recent.push(ix);
                    }
                }
                Status::Online | Status::Impaired if camera.is_seen() => tally.alive += 1,
                Status::Online | Status::Impaired => tally.unsure += 1,
                Status::Unknown if matches!(camera.cause, Some(Cause::NotYetChecked | Cause::ImplausibleChange)) => {
                    tally.unsure += 1;
                }
                Status::Unknown | Status::Paused => {}
            }
        }
        tally
    }

    /// The wait for siblings is over, or looks over.
    pub(crate) fn decide(&mut self, group: GroupIx) {
        let Some(newest) = self.newest_untold(group) else {
            self.groups.get_mut(group).first_sign = None;
            return;
        };
        let mut unsure = self.tally(group, newest).unsure;
        for place in self.groups.around(group) {
            unsure += place.groups.iter().map(|&g| self.tally(g, newest).unsure).sum::<u32>();
        }
        let since = self.groups.get(group).first_sign.map_or(LONGEST_WAIT, |at| self.now.mono.since(at));
        if unsure > 0 && since < LONGEST_WAIT {
            self.schedule.set(Key::Group(group), self.now.mono + LOOK_AGAIN);
        } else {
            self.decide_now(group);
        }
    }

    /// Tells every silent camera of the group that is not told yet.
    pub(crate) fn decide_now(&mut self, group: GroupIx) {
        self.schedule.clear(Key::Group(group));
        self.groups.get_mut(group).first_sign = None;
        self.tell_shared(group);
        let untold: Vec<CameraIx> =
            self.groups.get(group).members.iter().copied().filter(|ix| self.cameras[ix.at()].untold).collect();
        for ix in untold {
            self.cameras[ix.at()].untold = false;
            self.unshare(ix);
            self.tell_camera(ix, false);
        }
    }

    /// A camera comes back before its group was told: tell the link's outage, if it was one.
    pub(crate) fn decide_before_return(&mut self, ix: CameraIx) {
        if self.cameras[ix.at()].untold {
            let group = self.cameras[ix.at()].group;
            self.tell_shared(group);
        }
    }

    /// Tells those of a group who fell silent together in one shared incident, if the evidence carries it.
    fn tell_shared(&mut self, group: GroupIx) {
        let Some(newest) = self.newest_untold(group) else { return };
        if let Some(county) = self.book.find(&Scope::County, Cause::NoAnswer)
            && self.book.began(county).is_some_and(|at| newest <= at + self.config.correlation_window)
        {
            self.share_all(county, group, newest);
            return;
        }
        if let Some(dark) = self.widest(group, newest) {
            self.tell_place(dark, newest);
            return;
        }
        let tally = self.tally(group, newest);
        if tally.alive == 0
            && let Some(id) = self.goes_on(group)
        {
            self.share_all(id, group, newest);
        } else {
            self.tell_link(group, &tally);
        }
    }

    /// The shared incident that this group's silence continues: its link's, or a wider one that is not
    /// already over for most.
    fn goes_on(&self, group: GroupIx) -> Option<IncidentId> {
        let id = self.groups.get(group).incident?;
        let incident = self.book.open(id)?;
        let same_link = incident.scope == self.groups.get(group).scope;
        (same_link || self.schedule.due(Key::Incident(id.0)).is_none()).then_some(id)
    }

    /// Tells a link's outage, if it is one.
    pub(crate) fn tell_link(&mut self, group: GroupIx, tally: &Tally) {
        let weighed = Weighed {
            parts: tally.recent.len() as u32,
            silent: tally.recent.len() as u32,
            alive: tally.alive,
            unsure: tally.unsure,
            spread: self.spread(&tally.recent),
        };
        let Some(rule) = weighed.join(Shared::Link) else { return };
        let scope = self.groups.get(group).scope.clone();
        let facts = self.facts(RuleScope::Link, &tally.recent, tally.total, tally.alive, 1, String::new());
        let why = weighed.evidence(rule, 1, "");
        let id = self.start_shared(scope, Severity::Major, &facts, why, &tally.recent);
        self.fill(id, group, &tally.recent);
    }

    /// The wider place that explains the most links that fell silent with this one, if a rule joins them; of two that
    /// explain as many the narrower.
    fn widest(&self, group: GroupIx, newest: Mono) -> Option<Dark> {
        let mut widest: Option<Dark> = None;
        for place in self.groups.around(group) {
            if let Some(dark) = self.dark(place, group, newest)
                && widest.as_ref().is_none_or(|w| dark.links.len() > w.links.len())
            {
                widest = Some(dark);
            }
        }
        widest
    }

    /// What of a place is dark, if this group is and a rule joins it.
    fn dark(&self, place: &Place, group: GroupIx, newest: Mono) -> Option<Dark> {
        let (mut all, mut alive, mut unsure, mut total) = (Vec::new(), 0, 0, 0);
        for &g in &place.groups {
            let tally = self.tally(g, newest);
            total += tally.total;
            alive += tally.alive;
            unsure += tally.unsure;
            if let Some(at) = tally.recent.iter().filter_map(|ix| self.cameras[ix.at()].silent).max()
                && tally.alive == 0
            {
                all.push((at, g, tally.recent));
            }
        }
        let shared = match place.scope {
            Scope::Site(_) => Shared::Site,
            Scope::Olt(_) => Shared::Olt,
            _ => Shared::Town,
        };
        let rules = joinings().iter().filter(|rule| rule.shared == shared);
        rules.into_iter().find_map(|rule| {
            let window = rule.within().unwrap_or(self.config.correlation_window);
            // A link is as late as its last camera: an earlier one may have had a fault of its own.
            let with_it = |at: Mono| at.since(newest).max(newest.since(at)) <= window;
            let together: Vec<_> = all.iter().filter(|(at, ..)| with_it(*at)).collect();
            let first = together.iter().map(|(at, ..)| *at).min()?;
            let last = together.iter().map(|(at, ..)| *at).max()?;
            let weighed = Weighed {
                parts: together.len() as u32,
                silent: together.iter().map(|(_, _, recent)| recent.len() as u32).sum(),
                alive,
                unsure,
                spread: last.since(first),
            };
            let links: Vec<(GroupIx, Vec<CameraIx>)> = together.into_iter().map(|(_, g, r)| (*g, r.clone())).collect();
            let holds = weighed.fits(rule)
                && links.iter().any(|(g, _)| *g == group)
                // What one line terminal, or one site, explains needs no town.
                && (shared != Shared::Town || !self.explained_by_less(&links));
            holds.then(|| Dark { scope: place.scope.clone(), rule, weighed, total, links })
        })
    }

    /// All of these links share a line terminal or a site.
    fn explained_by_less(&self, links: &[(GroupIx, Vec<CameraIx>)]) -> bool {
        let narrower = |g: GroupIx| -> BTreeSet<&Scope> {
            self.groups.around(g).map(|p| &p.scope).filter(|s| !matches!(s, Scope::Town(_))).collect()
        };
        let mut common: Option<BTreeSet<&Scope>> = None;
        for (g, _) in links {
            let of = narrower(*g);
            common = Some(common.map_or_else(|| of.clone(), |c| c.intersection(&of).copied().collect()));
        }
        common.is_some_and(|c| !c.is_empty())
    }

    /// Tells that a site, a line terminal or a town is dark.
    fn tell_place(&mut self, dark: Dark, newest: Mono) {
        let Dark { scope, rule, weighed, total, links } = dark;
        let silent: Vec<CameraIx> = links.iter().flat_map(|(_, recent)| recent.iter().copied()).collect();
        // Names of sites and towns are not in a field log; the incident's scope says which it is.
        let (about, name, severity) = match &scope {
            Scope::Site(_) => (RuleScope::Site, String::new(), Severity::Major),
            Scope::Olt(olt) => (RuleScope::Olt, olt.0.clone(), Severity::Critical),
            Scope::Town(_) => (RuleScope::Town, String::new(), Severity::Critical),
            other => unreachable!("{other:?} is no place with several links"),
        };
        let n = links.len() as u32;
        let why = weighed.evidence(rule, n, &name);
        let facts = self.facts(about, &silent, total, weighed.alive, n, name);
        let id = self.start_shared(scope, severity, &facts, why, &silent);
        for (g, recent) in links {
            debug_assert!(self.tally(g, newest).alive == 0, "nobody behind a dark link delivers");
            self.fill(id, g, &recent);
        }
    }

    /// From the first to the last of them.
    fn spread(&self, silent: &[CameraIx]) -> Duration {
        let lost = || silent.iter().filter_map(|ix| self.cameras[ix.at()].silent);
        lost().max().zip(lost().min()).map_or(Duration::ZERO, |(last, first)| last.since(first))
    }

    /// The whole county, or a large part of it without a common link.
    fn tell_county(&mut self, ix: CameraIx, facts: &Facts, why: Evidence) {
        let id = self
            .book
            .find(&Scope::County, facts.cause)
            .unwrap_or_else(|| self.start_shared(Scope::County, Severity::Critical, facts, why, &[ix]));
        self.fill(id, self.cameras[ix.at()].group, &[ix]);
    }

    pub(crate) fn facts(
        &self,
        scope: RuleScope,
        silent: &[CameraIx],
        total: u32,
        alive: u32,
        links: u32,
        place: String,
    ) -> Facts {
        let cause = dominant(silent.iter().filter_map(|ix| self.cameras[ix.at()].cause));
        Facts {
            scope,
            cause,
            n: silent.len() as u32,
            total,
            alive,
            links,
            spread_s: self.spread(silent).as_secs_f64(),
            place,
            after_return: false,
            same_hour: 0,
            delivered: false,
        }
    }

    /// Opens, or goes on with, the incident of what is shared; `why` its members are one is evidence as well.
    fn start_shared(
        &mut self,
        scope: Scope,
        severity: Severity,
        facts: &Facts,
        why: Evidence,
        silent: &[CameraIx],
    ) -> IncidentId {
        let began = silent.iter().filter_map(|ix| self.cameras[ix.at()].silent).min().unwrap_or(self.now.mono);
        let opened = self.wall_at(began);
        let facts = Facts { same_hour: self.book.habits().same_hour(&scope, opened), ..facts.clone() };
        let mut conclusion = conclude(&facts);
        conclusion.evidence.push(why);
        let draft = Draft { scope, opened, severity, cause: facts.cause, conclusion };
        self.book.start(draft, self.now)
    }

    fn share_all(&mut self, id: IncidentId, group: GroupIx, newest: Mono) {
        let recent = self.tally(group, newest).recent;
        self.fill(id, group, &recent);
    }

    /// Puts cameras of one group into a shared incident and folds what was told of them before.
    fn fill(&mut self, id: IncidentId, group: GroupIx, members: &[CameraIx]) {
        let former = self.groups.get_mut(group).incident.replace(id);
        for &ix in members {
            self.cameras[ix.at()].untold = false;
            if self.cameras[ix.at()].own.is_some_and(|own| self.belongs(ix, own)) {
                self.close_own(ix, Some(id));
            }
            let camera = &self.cameras[ix.at()];
            let cause = camera.cause.unwrap_or(Cause::NoAnswer);
            if camera.shared != Some(id) {
                if let Some(other) = camera.shared {
                    self.part(ix, other, Some(id));
                }
                self.share(ix, id, cause);
            }
        }
        if let Some(former) = former.filter(|&f| f != id) {
            let emptied = self.book.open(former).is_some_and(|i| i.members.iter().all(|m| m.left.is_some()));
            if emptied {
                self.book.resolve(former, Some(id), self.now);
            }
        }
    }

    /// A camera's own incident tells of the same outage: it is silence, or began with it (a link that breaks
    /// in the middle of a try leaves other causes behind).
    fn belongs(&self, ix: CameraIx, own: IncidentId) -> bool {
        let Some(incident) = self.book.open(own) else { return false };
        let silent = self.cameras[ix.at()].silent.unwrap_or(self.now.mono);
        let with_it = self.book.began(own).is_some_and(|at| at >= silent);
        is_silence(incident.cause) || with_it && incident.cause.status() == Status::Offline
    }
}

/// The most frequent cause; the first in the list of causes if several are.
fn dominant(causes: impl Iterator<Item = Cause>) -> Cause {
    let mut counts = std::collections::BTreeMap::<Cause, u32>::new();
    for cause in causes {
        *counts.entry(cause).or_default() += 1;
    }
    counts.into_iter().rev().max_by_key(|(_, n)| *n).map_or(Cause::NoAnswer, |(cause, _)| cause)
}
