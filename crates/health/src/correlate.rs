//! From failures to incidents: one disturbance, told once.
//!
//! A camera that falls silent is not told at once: its siblings may be about to. A few seconds later the group
//! behind the link is looked at as a whole: who fell silent with it, who still delivers, who is undecided. All
//! or most of two and more make an incident of the link; several links of one line terminal make one of the
//! terminal; otherwise each camera gets its own. One silent camera alone is no evidence against its link.

use crate::{
    Fleet, IncidentId, Scope, Severity,
    book::Draft,
    camera::is_silence,
    index::{CameraIx, GroupIx},
    rules::{Facts, RuleScope, conclude},
    schedule::Key,
};
use fleet::{Cause, Mono, Status};
use std::time::Duration;

/// How long a silent camera waits for its siblings before it is told.
const GROUPING: Duration = Duration::from_secs(5);
/// How long undecided siblings are waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How often it is asked whether they are decided.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Three and more links of a terminal that lost their video this close together fell with it, even if others
/// of the terminal still deliver: one of its ports or cards failed.
const TOGETHER: Duration = Duration::from_secs(20);

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

impl Tally {
    /// All or most of two and more.
    pub(crate) fn is_down(&self) -> bool {
        let recent = self.recent.len() as u32;
        recent >= 2 && recent * 4 >= 3 * (recent + self.alive + self.unsure)
    }
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
        if let Some(facts) = self.county_facts(ix) {
            self.tell_county(ix, &facts);
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
        match self.groups.terminal_of(group) {
            None => done(group),
            Some(terminal) => done(group) && terminal.groups.iter().all(|&g| done(g)),
        }
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
        if let Some(terminal) = self.groups.terminal_of(group) {
            unsure += terminal.groups.iter().map(|&g| self.tally(g, newest).unsure).sum::<u32>();
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
        if self.tell_terminal(group, newest) {
            return;
        }
        let tally = self.tally(group, newest);
        if tally.alive == 0
            && let Some(id) = self.goes_on(group)
        {
            self.share_all(id, group, newest);
        } else if tally.is_down() {
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

    pub(crate) fn tell_link(&mut self, group: GroupIx, tally: &Tally) {
        let scope = self.groups.get(group).scope.clone();
        let facts = self.facts(RuleScope::Link, &tally.recent, tally.total, tally.alive, 1, String::new());
        let id = self.start_shared(scope, Severity::Major, &facts, &tally.recent);
        self.fill(id, group, &tally.recent);
    }

    fn tell_terminal(&mut self, group: GroupIx, newest: Mono) -> bool {
        let Some(terminal) = self.groups.terminal_of(group) else { return false };
        let name = terminal.name.clone();
        let mut down = Vec::new();
        let (mut silent, mut alive, mut unsure, mut total) = (Vec::new(), 0, 0, 0);
        for &g in &terminal.groups {
            let tally = self.tally(g, newest);
            total += tally.total;
            alive += tally.alive;
            unsure += tally.unsure;
            if !tally.recent.is_empty() && tally.alive == 0 {
                silent.extend_from_slice(&tally.recent);
                down.push((g, tally.recent));
            }
        }
        let lost = |ix: &CameraIx| self.cameras[ix.at()].silent.unwrap_or(newest);
        let spread = match (silent.iter().map(lost).min(), silent.iter().map(lost).max()) {
            (Some(first), Some(last)) => last.since(first),
            _ => Duration::ZERO,
        };
        let n = silent.len() as u32;
        let most = n * 4 >= 3 * (n + alive + unsure);
        let several = down.len() >= 2 && most || down.len() >= 3 && spread <= TOGETHER;
        if !several || !down.iter().any(|(g, _)| *g == group) {
            return false;
        }
        let links = down.len() as u32;
        let facts = self.facts(RuleScope::Olt, &silent, total, alive, links, name.0.clone());
        let id = self.start_shared(Scope::Olt(name), Severity::Critical, &facts, &silent);
        for (g, recent) in down {
            self.fill(id, g, &recent);
        }
        true
    }

    /// The whole county, or a large part of it without a common link.
    fn tell_county(&mut self, ix: CameraIx, facts: &Facts) {
        let id = self
            .book
            .find(&Scope::County, facts.cause)
            .unwrap_or_else(|| self.start_shared(Scope::County, Severity::Critical, facts, &[ix]));
        self.fill(id, self.cameras[ix.at()].group, &[ix]);
    }

    pub(crate) fn facts(
        &self,
        scope: RuleScope,
        silent: &[CameraIx],
        total: u32,
        alive: u32,
        links: u32,
        olt: String,
    ) -> Facts {
        let lost = || silent.iter().filter_map(|ix| self.cameras[ix.at()].silent);
        let spread = lost().max().zip(lost().min()).map_or(Duration::ZERO, |(last, first)| last.since(first));
        let cause = dominant(silent.iter().filter_map(|ix| self.cameras[ix.at()].cause));
        Facts {
            scope,
            cause,
            n: silent.len() as u32,
            total,
            alive,
            links,
            spread_s: spread.as_secs_f64(),
            olt,
            after_return: false,
            same_hour: 0,
            delivered: false,
        }
    }

    fn start_shared(&mut self, scope: Scope, severity: Severity, facts: &Facts, silent: &[CameraIx]) -> IncidentId {
        let began = silent.iter().filter_map(|ix| self.cameras[ix.at()].silent).min().unwrap_or(self.now.mono);
        let opened = self.wall_at(began);
        let facts = Facts { same_hour: self.book.habits().same_hour(&scope, opened), ..facts.clone() };
        let draft = Draft { scope, opened, severity, cause: facts.cause, conclusion: conclude(&facts) };
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
