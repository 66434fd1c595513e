//! Self-doubt: faults of our own machine, an implausible share of cameras lost at once, clocks that were set.
//!
//! While we are at fault no camera goes offline: what loses its video becomes `unknown`, one incident of our
//! own says why, and when the fault is over everything is checked again.

use crate::{
    Fleet, IncidentId, OwnPart, Scope, Severity,
    book::Draft,
    camera::is_silence,
    faults::ClockTrust,
    index::{CameraIx, GroupIx},
    rules::{Facts, RuleScope, conclude},
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
/// Cameras that went offline this long before our own network was found at fault are doubted too.
const DOUBT_BACK: Duration = Duration::from_secs(30);
/// After our own fault everything is tried again within this time, as the opener's pace allows.
const RECHECK_WITHIN: Duration = Duration::from_secs(5);
/// After a step of the wall clock, offsets of cameras are not judged before all have been read anew.
const CLOCK_GRACE: Duration = Duration::from_secs(30);

/// What we know of ourselves.
#[derive(Debug, Default)]
pub(crate) struct Own {
    faults: BTreeMap<OwnPart, String>,
    /// Cameras watched, the base of every share.
    pub(crate) in_use: u32,
    lost: BTreeMap<CameraIx, Mono>,
    order: VecDeque<(Mono, CameraIx)>,
    doubt: Option<IncidentId>,
    /// How many cameras' clocks err by how much, in steps of twice the tolerance.
    clocks: BTreeMap<i64, u32>,
    clocks_known: u32,
    clock_doubt: Option<IncidentId>,
    clock_grace: Option<Mono>,
}

impl Own {
    /// Parts at fault.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (OwnPart, &str)> {
        self.faults.iter().map(|(part, detail)| (*part, detail.as_str()))
    }

    /// Why no failure of a camera may be believed now.
    pub(crate) fn distrust(&self) -> Option<(Cause, String)> {
        [OwnPart::Network, OwnPart::Decoder]
            .into_iter()
            .find_map(|part| self.faults.get(&part).map(|detail| (cause_of(part), detail.clone())))
    }

    pub(crate) fn decoder_at_fault(&self) -> bool {
        self.faults.contains_key(&OwnPart::Decoder)
    }

    pub(crate) fn disk_fault(&self) -> Option<String> {
        self.faults.get(&OwnPart::Disk).cloned()
    }

    /// An implausible share fell silent and is being re-checked.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Its video is back.
    pub(crate) fn found(&mut self, ix: CameraIx) {
        self.lost.remove(&ix);
    }

    /// Its clock is no longer read.
    pub(crate) fn forget_clock(&mut self, bucket: Option<i64>) {
        if let Some(bucket) = bucket
            && let Some(n) = self.clocks.get_mut(&bucket)
        {
            *n -= 1;
            if *n == 0 {
                self.clocks.remove(&bucket);
            }
            self.clocks_known -= 1;
        }
    }

    pub(crate) fn forget_camera(&mut self, ix: CameraIx, bucket: Option<i64>) {
        self.lost.remove(&ix);
        self.forget_clock(bucket);
    }

    fn note_loss(&mut self, ix: CameraIx, now: Mono) -> usize {
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
        self.lost.len()
    }

    /// The wall clock of most cameras disagrees with ours by the same amount as `bucket`.
    fn most_disagree(&self, bucket: i64) -> bool {
        let near: u32 = self.clocks.range(bucket - 1..=bucket + 1).filter(|(b, _)| **b != 0).map(|(_, n)| *n).sum();
        near >= 5 && near * 2 > self.clocks_known
    }

    fn most_agree(&self) -> bool {
        self.clocks.get(&0).copied().unwrap_or(0) * 2 >= self.clocks_known
    }
}

pub(crate) fn cause_of(part: OwnPart) -> Cause {
    match part {
        OwnPart::Network => Cause::OwnNetwork,
        OwnPart::Disk => Cause::OwnDisk,
        OwnPart::Database => Cause::OwnDatabase,
        OwnPart::Decoder => Cause::OwnDecoder,
        OwnPart::Clock => Cause::OwnClock,
    }
}

impl Fleet {
    /// Whether a failure with this cause is to be doubted, because too many came at once.
    pub(crate) fn doubts(&self, cause: Cause) -> bool {
        self.own.in_doubt() && (is_silence(cause) || cause == Cause::NoRtp || cause == Cause::RtspNoAnswer)
    }

    pub(crate) fn own_part(&mut self, part: OwnPart, fault: Option<String>) {
        match fault {
            Some(detail) => {
                if self.own.faults.insert(part, detail).is_some() {
                    return;
                }
                let id = self.start_own(cause_of(part), 0, Duration::ZERO);
                if part == OwnPart::Network {
                    self.doubt_the_recent(id);
                }
            }
            None => {
                if self.own.faults.remove(&part).is_none() {
                    return;
                }
                if let Some(id) = self.book.find(&Scope::Own, cause_of(part)) {
                    self.book.resolve(id, None, self.now);
                }
                if self.own.distrust().is_none() {
                    self.check_again();
                }
            }
        }
    }

    fn start_own(&mut self, cause: Cause, n: u32, spread: Duration) -> IncidentId {
        let facts = Facts {
            scope: RuleScope::Own,
            cause,
            n,
            total: self.own.in_use,
            alive: self.own.in_use.saturating_sub(n),
            links: 0,
            spread_s: spread.as_secs_f64(),
            olt: String::new(),
            after_return: false,
        };
        let opened = self.wall_at(Mono(self.now.mono.0.saturating_sub(u64::try_from(spread.as_nanos()).unwrap_or(0))));
        let draft =
            Draft { scope: Scope::Own, opened, severity: Severity::Critical, cause, conclusion: conclude(&facts) };
        self.book.start(draft, self.now)
    }

    /// Our network is at fault: what went offline just before it was noticed went offline because of it.
    fn doubt_the_recent(&mut self, own: IncidentId) {
        let detail = self.own.faults.get(&OwnPart::Network).cloned().unwrap_or_default();
        if let Some(doubt) = self.own.doubt.take() {
            self.schedule.clear(Key::Doubt);
            self.close_doubt(doubt, Some(own));
        }
        for ix in self.watched() {
            let camera = &self.cameras[ix.at()];
            let recent = camera.status == Status::Offline
                && self.now.mono.since(camera.changed) < DOUBT_BACK
                && camera.cause.is_some_and(is_silence);
            if recent {
                self.forget_incidents_of_silence(ix, own);
            }
            if recent || camera_doubted(&self.cameras[ix.at()]) {
                self.set_verdict(ix, Status::Unknown, Some(Cause::OwnNetwork), detail.clone());
            }
        }
    }

    /// Our fault is over: whoever was lost meanwhile is checked as if for the first time.
    fn check_again(&mut self) {
        for ix in self.watched() {
            let camera = &mut self.cameras[ix.at()];
            let ours =
                camera.status == Status::Unknown && matches!(camera.cause, Some(Cause::OwnNetwork | Cause::OwnDecoder));
            if !ours {
                continue;
            }
            if let Some(failure) = camera.failure.as_deref().filter(|_| camera.parked).cloned() {
                self.set_verdict(ix, Status::Offline, Some(failure.cause), failure.detail);
                continue;
            }
            camera.failures = 0;
            camera.failure = None;
            camera.lost = None;
            if camera.is_running() {
                self.ask_verdict(ix);
            } else if self.schedule.due(Key::Camera(ix, Timer::Retry)).is_some() {
                let soon = self.now.mono + self.jitter(RECHECK_WITHIN);
                self.schedule.set(Key::Camera(ix, Timer::Retry), soon);
            }
        }
    }

    /// A camera that delivered lost its video: if too many do at once, we doubt ourselves.
    pub(crate) fn note_loss(&mut self, ix: CameraIx) {
        let lost = self.own.note_loss(ix, self.now.mono);
        let share = lost as u64 * 100 > u64::from(self.config.implausible_percent) * u64::from(self.own.in_use);
        if lost < FEWEST || !share || self.own.in_doubt() || self.own.distrust().is_some() {
            return;
        }
        let first = self.own.lost.values().min().copied().unwrap_or(self.now.mono);
        let n = u32::try_from(lost).unwrap_or(u32::MAX);
        let id = self.start_own(Cause::ImplausibleChange, n, self.now.mono.since(first));
        self.own.doubt = Some(id);
        self.schedule.set(Key::Doubt, self.now.mono + DOUBT);
        let lost: BTreeSet<CameraIx> = self.own.lost.keys().copied().filter(|&l| l != ix).collect();
        for ix in lost {
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
        if let Some(id) = self.own.doubt {
            self.share(ix, id, Cause::ImplausibleChange);
        }
    }

    /// Everything was re-checked for a minute: what is still silent is believed.
    pub(crate) fn end_doubt(&mut self) {
        let Some(doubt) = self.own.doubt.take() else { return };
        let believed: Vec<CameraIx> = self
            .watched()
            .into_iter()
            .filter(|ix| {
                let camera = &self.cameras[ix.at()];
                camera_doubted(camera) && camera.failures >= 2 && camera.failure.is_some()
            })
            .collect();
        let (silent, others): (Vec<CameraIx>, Vec<CameraIx>) = believed
            .into_iter()
            .partition(|ix| self.cameras[ix.at()].failure.as_ref().is_some_and(|f| is_silence(f.cause)));
        let whole = self.looks_like_the_county(&silent);
        self.told_elsewhere = whole;
        for &ix in &silent {
            let failure = self.cameras[ix.at()].failure.as_deref().cloned().expect("only cameras that failed");
            self.leave_doubt(ix, doubt);
            self.set_verdict(ix, Status::Offline, Some(failure.cause), failure.detail);
        }
        self.told_elsewhere = false;
        let within = if whole {
            Some(self.tell_county(&silent))
        } else {
            let groups: BTreeSet<GroupIx> = silent.iter().map(|ix| self.cameras[ix.at()].group).collect();
            for group in groups {
                self.decide_now(group);
            }
            silent.iter().find_map(|ix| self.cameras[ix.at()].shared)
        };
        for ix in others {
            let failure = self.cameras[ix.at()].failure.as_deref().cloned().expect("only cameras that failed");
            self.leave_doubt(ix, doubt);
            self.set_verdict(ix, Status::Offline, Some(failure.cause), failure.detail);
        }
        self.close_doubt(doubt, within);
    }

    fn leave_doubt(&mut self, ix: CameraIx, doubt: IncidentId) {
        let camera = &mut self.cameras[ix.at()];
        if camera.shared == Some(doubt) {
            camera.shared = None;
            self.book.leave(doubt, camera.id, self.now.wall);
        }
    }

    fn close_doubt(&mut self, doubt: IncidentId, into: Option<IncidentId>) {
        for ix in self.watched() {
            self.leave_doubt(ix, doubt);
        }
        self.book.resolve(doubt, into, self.now);
    }

    /// The incident of the present doubt: it ends with the doubt, not with its last member.
    pub(crate) fn is_doubt(&self, id: IncidentId) -> bool {
        self.own.doubt == Some(id)
    }

    /// More than one link and more than one line terminal are silent, and a large share of the county.
    fn looks_like_the_county(&self, silent: &[CameraIx]) -> bool {
        let mut parts: BTreeMap<Scope, usize> = BTreeMap::new();
        for ix in silent {
            let group = self.cameras[ix.at()].group;
            let part = match self.groups.terminal_of(group) {
                Some(terminal) => Scope::Olt(terminal.name.clone()),
                None => self.groups.get(group).scope.clone(),
            };
            *parts.entry(part).or_default() += 1;
        }
        let largest = parts.values().max().copied().unwrap_or(0);
        largest * 10 < silent.len() * 9
            && silent.len() as u64 * 200 > u64::from(self.config.implausible_percent) * u64::from(self.own.in_use)
    }

    fn watched(&self) -> Vec<CameraIx> {
        self.by_id.values().copied().filter(|ix| self.cameras[ix.at()].paused.is_none()).collect()
    }

    /// The wall clock was set, or we slept: offsets read against it mean nothing for a while.
    pub(crate) fn wall_stepped(&mut self) {
        self.own.clock_grace = Some(self.now.mono + CLOCK_GRACE);
    }

    /// Takes in one camera's clock error and says whether it may be judged.
    pub(crate) fn read_clock(&mut self, ix: CameraIx, offset_ms: Option<i64>) -> ClockTrust {
        let tolerance = self.config.clock_tolerance_ms.max(1);
        let Some(offset) = offset_ms else { return ClockTrust::Trusted };
        let bucket = offset.saturating_add(tolerance).div_euclid(tolerance.saturating_mul(2));
        let camera = &mut self.cameras[ix.at()];
        if camera.clock_bucket != Some(bucket) {
            self.own.forget_clock(camera.clock_bucket.replace(bucket));
            *self.own.clocks.entry(bucket).or_default() += 1;
            self.own.clocks_known += 1;
        }
        let grace = self.own.clock_grace.is_some_and(|until| self.now.mono < until);
        let ours = bucket != 0 && self.own.most_disagree(bucket);
        if ours && !grace && self.own.clock_doubt.is_none() {
            self.own.clock_doubt = Some(self.start_own(Cause::OwnClock, 0, Duration::ZERO));
        }
        if let Some(id) = self.own.clock_doubt
            && self.own.most_agree()
        {
            self.own.clock_doubt = None;
            if !self.own.faults.contains_key(&OwnPart::Clock) {
                self.book.resolve(id, None, self.now);
            }
        }
        if grace || ours || self.own.clock_doubt.is_some() || self.own.faults.contains_key(&OwnPart::Clock) {
            ClockTrust::Doubted
        } else {
            ClockTrust::Trusted
        }
    }
}

fn camera_doubted(camera: &crate::camera::Camera) -> bool {
    camera.status == Status::Unknown && camera.cause == Some(Cause::ImplausibleChange)
}
