//! An implausible share of the fleet lost at once is held to be our own fault until shown otherwise.
//!
//! For a minute every such camera is `unknown` and re-checked again and again; one incident of our own says
//! why. Then whoever fails once more is believed: as one incident of the county, if no single link or line
//! terminal explains it.

use crate::{
    Evidence, Fleet, IncidentId, Joining, Scope, Shared,
    camera::{Camera, Link, is_silence},
    index::{CameraIx, GroupIx},
    joining::Weighed,
    rules::{Facts, RuleScope},
    schedule::{Key, Timer},
};
use fleet::{Cause, Mono, Status};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// Losses within this time are simultaneous.
const AT_ONCE: Duration = Duration::from_secs(10);
/// Fewer lost cameras than this are never implausible.
const FEWEST: usize = 20;
/// How long everything is re-checked before it is believed.
const DOUBT: Duration = Duration::from_secs(60);
/// The last re-check, whose outcome is believed, begins within this time.
const LAST_CHECK_WITHIN: Duration = Duration::from_secs(2);

/// Cameras that lost their video within the last seconds and have not got it back.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    lost: BTreeMap<CameraIx, Mono>,
    order: VecDeque<(Mono, CameraIx)>,
}

impl Losses {
    /// Its video is back, or it is no longer watched.
    pub(crate) fn found(&mut self, ix: CameraIx) {
        self.lost.remove(&ix);
    }

    fn note(&mut self, ix: CameraIx, now: Mono) {
        self.lost.insert(ix, now);
        self.order.push_back((now, ix));
        while let Some(&(at, old)) = self.order.front() {
            if now.since(at) < AT_ONCE {
                break;
            }
            self.order.pop_front();
            if self.lost.get(&old) == Some(&at) {
                self.lost.remove(&old);
            }
        }
    }
}

/// A doubt and how far it is.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// Its incident; the doubted are its members.
    id: IncidentId,
    /// The minute is over: the next failure of each is believed.
    settling: bool,
    /// What is said of the county, if it is the county.
    county: Option<(Facts, Evidence)>,
    /// The incident in which its members are told in the end.
    into: Option<IncidentId>,
}

/// It is unknown because too many fell silent with it.
pub(crate) fn is_doubted(camera: &Camera) -> bool {
    camera.status == Status::Unknown && camera.cause == Some(Cause::ImplausibleChange)
}

impl Fleet {
    /// Whether a failure with this cause is to be doubted, because too many came at once.
    pub(crate) fn doubts(&self, cause: Cause) -> bool {
        let checking = self.own.doubt.as_ref().is_some_and(|d| !d.settling);
        checking && (is_silence(cause) || cause == Cause::NoRtp || cause == Cause::RtspNoAnswer)
    }

    /// A camera that delivered lost its video: if too many do at once, we doubt ourselves.
    pub(crate) fn note_loss(&mut self, ix: CameraIx) {
        self.own.losses.note(ix, self.now.mono);
        let lost = &self.own.losses.lost;
        let share = lost.len() as u64 * 100 > u64::from(self.config.implausible_percent) * u64::from(self.own.in_use);
        if lost.len() < FEWEST || !share || self.own.doubt.is_some() || self.own.distrust().is_some() {
            return;
        }
        let first = lost.values().min().copied().unwrap_or(self.now.mono);
        let n = u32::try_from(lost.len()).unwrap_or(u32::MAX);
        let others: BTreeSet<CameraIx> = lost.keys().copied().filter(|&l| l != ix).collect();
        let id = self.start_own(Cause::ImplausibleChange, n, self.now.mono.since(first), "");
        self.own.doubt = Some(Doubt { id, settling: false, county: None, into: None });
        self.schedule.set(Key::Doubt, self.now.mono + DOUBT);
        for ix in others {
            let cause = self.cameras[ix.at()].failure.as_ref().map(|f| f.cause);
            if cause.is_some_and(|cause| self.doubts(cause)) && self.cameras[ix.at()].paused.is_none() {
                self.forget_incidents_of_silence(ix, id);
                self.doubt_camera(ix);
            }
        }
    }

    /// One camera becomes unknown because too many fell silent with it.
    pub(crate) fn doubt_camera(&mut self, ix: CameraIx) {
        let detail = self.cameras[ix.at()].failure.as_ref().map_or_else(String::new, |f| f.detail.clone());
        self.set_verdict(ix, Status::Unknown, Some(Cause::ImplausibleChange), detail);
        let shared = self.cameras[ix.at()].shared;
        if let Some(id) = self.own.doubt.as_ref().map(|d| d.id)
            && shared.is_none()
        {
            self.share(ix, id, Cause::ImplausibleChange);
        }
    }

    /// Everything was re-checked for a minute: the next failure is believed.
    pub(crate) fn end_doubt(&mut self) {
        if self.slept {
            // Nothing was re-checked while we slept.
            self.schedule.set(Key::Doubt, self.now.mono + DOUBT);
            return;
        }
        let doubted: Vec<CameraIx> =
            self.watched().into_iter().filter(|ix| is_doubted(&self.cameras[ix.at()])).collect();
        let silent: Vec<CameraIx> = doubted
            .iter()
            .copied()
            .filter(|ix| self.cameras[ix.at()].failure.as_ref().is_some_and(|f| is_silence(f.cause)))
            .collect();
        let county = self.looks_like_the_county(&silent).map(|(rule, weighed)| {
            let links: BTreeSet<GroupIx> = silent.iter().map(|ix| self.cameras[ix.at()].group).collect();
            let (links, alive) = (links.len() as u32, self.counts.online + self.counts.impaired);
            let why = weighed.evidence(rule, links, "");
            (self.facts(RuleScope::County, &silent, self.own.in_use, alive, links, String::new()), why)
        });
        let Some(doubt) = &mut self.own.doubt else { return };
        doubt.settling = true;
        doubt.county = county;
        for ix in doubted {
            let key = Key::Camera(ix, Timer::Retry);
            if self.cameras[ix.at()].link == Link::Idle && self.schedule.due(key).is_some() {
                let soon = self.now.mono + self.jitter(LAST_CHECK_WITHIN);
                self.schedule.set(key, soon);
            }
        }
        self.settle_doubt();
    }

    /// Ends the doubt when nobody is doubted any more.
    fn settle_doubt(&mut self) {
        let over = self.own.doubt.as_ref().is_some_and(|d| {
            d.settling && self.book.open(d.id).is_none_or(|i| i.members.iter().all(|m| m.left.is_some()))
        });
        if over && let Some(doubt) = self.own.doubt.take() {
            self.book.resolve(doubt.id, doubt.into, self.now);
        }
    }

    /// A member of the present doubt left it, told in `into` if anywhere; whether it was that.
    pub(crate) fn left_doubt(&mut self, id: IncidentId, into: Option<IncidentId>) -> bool {
        let Some(doubt) = self.own.doubt.as_mut().filter(|d| d.id == id) else { return false };
        doubt.into = into.or(doubt.into);
        if doubt.settling {
            self.settle_doubt();
        }
        true
    }

    /// The camera is a member of the present doubt.
    pub(crate) fn shares_doubt(&self, ix: CameraIx) -> bool {
        let doubt = self.own.doubt.as_ref().map(|d| d.id);
        doubt.is_some() && self.cameras[ix.at()].shared == doubt
    }

    /// What is to be said of the county, if a doubted camera that failed once more is told there.
    pub(crate) fn county_facts(&self, ix: CameraIx) -> Option<(Facts, Evidence)> {
        self.own.doubt.as_ref().filter(|d| Some(d.id) == self.cameras[ix.at()].shared)?.county.clone()
    }

    /// The doubt was right: our own network is at fault.
    pub(crate) fn drop_doubt(&mut self, own: IncidentId) {
        let Some(doubt) = self.own.doubt.take() else { return };
        self.schedule.clear(Key::Doubt);
        for ix in self.watched() {
            let camera = &mut self.cameras[ix.at()];
            if camera.shared == Some(doubt.id) {
                camera.shared = None;
            }
        }
        self.book.resolve(doubt.id, Some(own), self.now);
    }

    /// More than one link and more than one line terminal are silent, and a large share of the county.
    fn looks_like_the_county(&self, silent: &[CameraIx]) -> Option<(&'static Joining, Weighed)> {
        let mut parts: BTreeMap<Scope, usize> = BTreeMap::new();
        let mut towns: BTreeMap<&Scope, usize> = BTreeMap::new();
        for ix in silent {
            let group = self.cameras[ix.at()].group;
            if let Some(town) = self.groups.around(group).find(|place| matches!(place.scope, Scope::Town(_))) {
                *towns.entry(&town.scope).or_default() += 1;
            }
            let part = match self.groups.terminal_of(group) {
                Some(terminal) => terminal.scope.clone(),
                None => self.groups.get(group).scope.clone(),
            };
            *parts.entry(part).or_default() += 1;
        }
        let n = u32::try_from(silent.len()).unwrap_or(u32::MAX);
        let weighed = Weighed {
            parts: parts.len() as u32,
            silent: n,
            alive: self.own.in_use.saturating_sub(n),
            ..Weighed::default()
        };
        let largest = parts.values().chain(towns.values()).max().copied().unwrap_or(0);
        // One part, or one town, that is nearly all of it explains it alone.
        let rule = weighed.join(Shared::County).filter(|_| largest * 10 < silent.len() * 9)?;
        Some((rule, weighed))
    }
}
