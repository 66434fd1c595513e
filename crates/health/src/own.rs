//! Faults of our own machine, and clocks that were set.
//!
//! One incident of our own says what is wrong, and what rests on the part at fault is `unknown` until it works again:
//!
//! | part | what rests on it | while it is at fault |
//! |---|---|---|
//! | network, machine | that a session failed | who loses its video, or is tried in vain, is `unknown` |
//! | decoder | that the picture is good, or is not | `unknown` once the last judged picture is too old |
//! | clock | that a camera's clock is wrong | such faults are neither found nor cleared |
//! | disk | the pictures | each due one is a gap of ours; the stream is judged as ever |
//! | archive | nothing new: what was archived is not as it was written | it is told, until all is read again and is well |
//! | database | the record | kept here, and written later with its true times; what is lost is `unknown` there |
//!
//! When the fault is over everything `unknown` because of it is checked again.

use crate::{
    Evidence, Fleet, IncidentId, OwnPart, Scope, Severity,
    book::Draft,
    camera::{is_late, is_silence},
    doubt::{Doubt, Losses, is_doubted},
    faults::ClockTrust,
    index::CameraIx,
    rules::{Facts, RuleScope, conclude},
    schedule::{Key, Timer},
};
use fleet::{Cause, Mono, Status};
use std::{collections::BTreeMap, time::Duration};

/// Cameras that went offline this long before our own network or machine was found at fault are doubted too.
const DOUBT_BACK: Duration = Duration::from_secs(30);
/// After our own fault everything is tried again within this time, as the opener's pace allows.
const RECHECK_WITHIN: Duration = Duration::from_secs(5);
/// After a step of the wall clock, offsets of cameras are not judged before all have been read anew.
const CLOCK_GRACE: Duration = Duration::from_secs(30);

/// The name under which an incident of our own says what was found, as the part itself tells it.
const OWN_FOUND: &str = "own_found";

/// What we know of ourselves.
#[derive(Debug, Default)]
pub(crate) struct Own {
    faults: BTreeMap<OwnPart, String>,
    /// Cameras watched, the base of every share.
    pub(crate) in_use: u32,
    pub(crate) losses: Losses,
    /// Cameras whose pictures nobody could judge for too long.
    pub(crate) blind: u32,
    pub(crate) doubt: Option<Doubt>,
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

    /// Why no failure of a camera may be believed now. Sessions rest on our network and on a machine that keeps up, and
    /// on nothing else of ours: while decoders, disk or database are at fault, a lost session is a lost session.
    pub(crate) fn distrust(&self) -> Option<(Cause, String)> {
        [OwnPart::Network, OwnPart::Machine]
            .into_iter()
            .find_map(|part| self.faults.get(&part).map(|detail| (cause_of(part), detail.clone())))
    }

    pub(crate) fn decoder_at_fault(&self) -> bool {
        self.faults.contains_key(&OwnPart::Decoder)
    }

    pub(crate) fn disk_fault(&self) -> Option<String> {
        self.faults.get(&OwnPart::Disk).cloned()
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
        self.losses.found(ix);
        self.forget_clock(bucket);
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
        OwnPart::Archive => Cause::ArchiveDamaged,
        OwnPart::Database => Cause::OwnDatabase,
        OwnPart::Decoder => Cause::OwnDecoder,
        OwnPart::Clock => Cause::OwnClock,
        OwnPart::Machine => Cause::OwnMachine,
    }
}

impl Fleet {
    pub(crate) fn own_part(&mut self, part: OwnPart, fault: Option<String>) {
        match fault {
            Some(detail) => {
                let former = self.own.faults.insert(part, detail.clone());
                if part == OwnPart::Archive {
                    // What is damaged is told by the incident, also if that is more by now.
                    if former.as_ref() != Some(&detail) {
                        self.start_archive_damaged(&detail);
                    }
                    return;
                }
                if former.is_some() {
                    return;
                }
                let id = self.start_own(cause_of(part), 0, Duration::ZERO, &detail);
                if matches!(part, OwnPart::Network | OwnPart::Machine) {
                    self.doubt_the_recent(id, part);
                }
            }
            None => {
                if self.own.faults.remove(&part).is_none() {
                    return;
                }
                if let Some(id) = self.book.find(&Scope::Own, cause_of(part)) {
                    self.book.resolve(id, None, self.now);
                }
                if part != OwnPart::Archive && (part == OwnPart::Decoder || self.own.distrust().is_none()) {
                    self.check_again();
                }
            }
        }
    }

    /// The incident names the damage.
    fn start_archive_damaged(&mut self, detail: &str) {
        let draft = self.draft_own(Cause::ArchiveDamaged, 0, Duration::ZERO, detail);
        self.book.start(draft, self.now);
    }

    /// Opens an incident of our own; `found` is what it rests on, if there is more to say than the cause.
    pub(crate) fn start_own(&mut self, cause: Cause, n: u32, spread: Duration, found: &str) -> IncidentId {
        let draft = self.draft_own(cause, n, spread, found);
        self.book.start(draft, self.now)
    }

    fn draft_own(&self, cause: Cause, n: u32, spread: Duration, found: &str) -> Draft {
        let facts = Facts {
            scope: RuleScope::Own,
            cause,
            n,
            total: self.own.in_use,
            alive: self.own.in_use.saturating_sub(n),
            links: 0,
            spread_s: spread.as_secs_f64(),
            place: String::new(),
            after_return: false,
            same_hour: 0,
            delivered: false,
        };
        let opened = self.wall_at(Mono(self.now.mono.0.saturating_sub(u64::try_from(spread.as_nanos()).unwrap_or(0))));
        let mut conclusion = conclude(&facts);
        if !found.is_empty() {
            let (rule, found) = (OWN_FOUND.to_owned(), found.to_owned());
            conclusion.evidence.push(Evidence { rule, weight: conclusion.confidence, zh: found.clone(), en: found });
        }
        Draft { scope: Scope::Own, opened, severity: Severity::Critical, cause, conclusion }
    }

    /// A camera that was `unknown` because nobody judged its pictures is not any more; with the last the fault is over.
    pub(crate) fn regain_sight(&mut self, ix: CameraIx) {
        if std::mem::take(&mut self.cameras[ix.at()].blind) {
            self.own.blind -= 1;
            if self.own.blind == 0
                && !self.own.decoder_at_fault()
                && let Some(id) = self.book.find(&Scope::Own, Cause::OwnDecoder)
            {
                self.book.resolve(id, None, self.now);
            }
        }
    }

    /// We did not hear well: what went offline just before it was noticed went offline because of it.
    fn doubt_the_recent(&mut self, own: IncidentId, part: OwnPart) {
        let detail = self.own.faults.get(&part).cloned().unwrap_or_default();
        self.drop_doubt(own);
        for ix in self.watched() {
            let camera = &self.cameras[ix.at()];
            let recent = camera.status == Status::Offline
                && self.now.mono.since(camera.changed) < DOUBT_BACK
                && camera.cause.is_some_and(|cause| is_silence(cause) || part == OwnPart::Machine && is_late(cause));
            if recent {
                self.forget_incidents_of_silence(ix, own);
            }
            if recent || is_doubted(&self.cameras[ix.at()]) {
                self.set_verdict(ix, Status::Unknown, Some(cause_of(part)), detail.clone());
            }
        }
    }

    /// Our fault is over: whoever was lost meanwhile is checked as if for the first time.
    fn check_again(&mut self) {
        for ix in self.watched() {
            let camera = &mut self.cameras[ix.at()];
            let ours = camera.status == Status::Unknown
                && matches!(camera.cause, Some(Cause::OwnNetwork | Cause::OwnMachine | Cause::OwnDecoder));
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

    pub(crate) fn watched(&self) -> Vec<CameraIx> {
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
            self.own.clock_doubt = Some(self.start_own(Cause::OwnClock, 0, Duration::ZERO, ""));
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
