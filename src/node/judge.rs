//! Judging pictures: the diagnosis with what people said, published for the pages, its baselines kept.

#[cfg(test)]
mod tests;

use super::{recorder::Recorder, shelf::Shelf};
use fleet::{CameraId, Cause, Now, Registry, Wall};
use health::Failure;
use picture::{CameraSettings, Diagnosis, DiagnosisConfig, Features, Finding, Level};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use store::{BaselineChange, BaselineRecord, Fact, FaultLevel, FindingRecord, Store};
use web::{Held, Judged, PictureOrder, Verdicts};

/// Held by the owner of the fleet.
pub(super) struct Judge {
    diagnosis: Diagnosis,
    verdicts: Arc<Verdicts>,
    shelf: Shelf,
    recorder: Recorder,
    kept: HashMap<CameraId, Kept>,
    /// Cameras whose picture is not judged now: what was found on it is neither confirmed nor refuted.
    unseen: HashSet<CameraId>,
    /// What had been found before the restart.
    before: HashMap<CameraId, Before>,
}

/// What had been found on a camera's picture before the restart, until its first pictures say whether it goes on.
#[derive(Default)]
struct Before {
    /// Each with its end should it not go on.
    open: Vec<FindingRecord>,
    /// Classes with an exception, since when the verdict held that it is about.
    excepted: Vec<(Cause, Wall)>,
    /// Pictures that left nothing undecided and did not show it.
    good: u8,
}

/// So many pictures that show none of it end what was found before the restart, as they end what is found now.
const GOOD_PICTURES: u8 = 2;
/// A snapshot is of the light of the last judged picture if that is no older.
const SAME_LIGHT_MS: i64 = 120_000;
/// How often the archive is asked whether it still holds a camera's reference.
const CHECK_REFERENCE_MS: i64 = 3_600_000;

/// What a picture came to.
pub(super) struct Outcome {
    pub(super) fault: Option<Failure>,
    /// When another picture would help.
    pub(super) look_again: Option<Duration>,
    /// A camera of which one of the same seconds would help.
    pub(super) look_also_at: Option<CameraId>,
}

/// What is stored beside a baseline.
#[derive(Clone, Default)]
struct Kept {
    /// By [`picture::Light`].
    references: [Option<String>; 3],
    accepted: Option<(String, Wall)>,
    /// When the archive was last asked for a reference.
    checked: Option<Wall>,
}

impl Judge {
    /// Takes back what was learned and said before the restart. A baseline that cannot be read is learned anew; one
    /// of a camera that left the register is dropped.
    pub(super) async fn resume(
        config: DiagnosisConfig,
        store: &dyn Store,
        registry: &Registry,
        verdicts: Arc<Verdicts>,
        (shelf, recorder): (Shelf, Recorder),
        now: Wall,
    ) -> store::Result<Judge> {
        let mut judge = Judge {
            diagnosis: Diagnosis::new(config),
            verdicts,
            shelf,
            recorder,
            kept: HashMap::new(),
            unseen: HashSet::new(),
            before: HashMap::new(),
        };
        for record in store.open_findings().await? {
            if registry.camera(record.camera).is_some() {
                judge.before.entry(record.camera).or_default().open.push(record);
            } else {
                judge.recorder.record(Fact::Finding(record));
            }
        }
        for setting in store.diagnosis_settings().await? {
            let off = setting.classes.iter().filter(|c| c.off).map(|c| c.cause).collect();
            let limits = setting.classes.iter().filter_map(|c| Some((c.cause, c.limit?))).collect();
            if registry.camera(setting.camera).is_some() {
                judge.diagnosis.set(setting.camera, CameraSettings { off, limits });
                judge.publish(setting.camera, None);
            }
        }
        for BaselineRecord { camera, data, references, accepted, .. } in store.baselines().await? {
            if registry.camera(camera).is_none() {
                judge.shelf.keep(BaselineChange::Drop(camera));
                continue;
            }
            match judge.diagnosis.restore(camera, &data) {
                Ok(()) => {
                    judge.kept.insert(camera, Kept { references, accepted, checked: None });
                }
                Err(error) => {
                    tracing::warn!(%camera, %error, "what the camera usually shows cannot be read; it is learned anew");
                    judge.shelf.keep(BaselineChange::Drop(camera));
                }
            }
            judge.publish(camera, None);
        }
        for word in store.exceptions(now).await? {
            if let Some(until) = word.until {
                judge.diagnosis.except(word.camera, word.cause, until);
                judge.before.entry(word.camera).or_default().excepted.push((word.cause, word.since));
            }
        }
        Ok(judge)
    }

    /// What the newest pictures of a camera say together, and when another would help.
    pub(super) fn judge(&mut self, camera: CameraId, features: &Features, received: Now) -> Outcome {
        let verdict = self.diagnosis.judge(camera, features, received);
        let fault = verdict.fault().map(|(cause, detail)| Failure { cause, detail });
        let decided = !verdict.doubtful && verdict.look_again.is_none();
        self.keep_changed();
        self.publish(camera, Some((received.wall, verdict.findings, verdict.excepted)));
        self.went_on(camera, decided);
        self.unseen.remove(&camera);
        Outcome { fault, look_again: verdict.look_again, look_also_at: verdict.look_also_at }
    }

    /// No picture of a camera is judged any more: what was found on it is on record until it was last seen. Should a later
    /// picture show it still, it goes on.
    pub(super) fn lost(&mut self, camera: CameraId) {
        for record in self.before.get(&camera).into_iter().flat_map(|before| &before.open) {
            self.recorder.record(Fact::Finding(record.clone()));
        }
        let Some(judged) = self.verdicts.get(camera) else { return };
        if let Some(at) = judged.at
            && self.unseen.insert(camera)
        {
            self.record(camera, &judged.findings, &[], at);
        }
    }

    /// What was found before the restart either is found again, and goes on, or ends with the second picture without it.
    fn went_on(&mut self, camera: CameraId, decided: bool) {
        let Some(before) = self.before.get_mut(&camera) else { return };
        let Some(judged) = self.verdicts.get(camera) else { return };
        let told = |cause: Cause| judged.findings.iter().any(|h| h.finding.cause == cause);
        let excepted = |cause: Cause| judged.excepted.iter().any(|h| h.finding.cause == cause);
        let (past, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut before.open).into_iter().partition(|record| excepted(record.cause));
        before.open = open;
        before.open.retain(|record| !told(record.cause));
        for record in past {
            self.recorder.record(Fact::Finding(record));
        }
        before.excepted.retain(|(cause, _)| !told(*cause) && !excepted(*cause));
        before.good += u8::from(decided);
        if before.good >= GOOD_PICTURES || before.open.is_empty() && before.excepted.is_empty() {
            for record in std::mem::take(&mut before.open) {
                self.recorder.record(Fact::Finding(record));
            }
            self.before.remove(&camera);
        }
    }

    /// The reference by the present light, if the archive should be asked whether it still holds it.
    pub(super) fn reference_to_check(&mut self, camera: CameraId, now: Wall) -> Option<String> {
        let light = self.diagnosis.light(camera);
        let kept = self.kept.get_mut(&camera)?;
        let reference = kept.references[light as usize].clone()?;
        if kept.checked.is_some_and(|at| now.0 - at.0 < CHECK_REFERENCE_MS) {
            return None;
        }
        kept.checked = Some(now);
        Some(reference)
    }

    /// An archived snapshot of a camera whose picture is good becomes the one that shows its baseline by the present
    /// light, if none does any more; `gone` is one that the archive no longer holds.
    pub(super) fn archived(&mut self, camera: CameraId, snapshot: String, gone: Option<&str>, now: Wall) {
        let light = self.diagnosis.light(camera);
        let fresh = |at: Wall| now.0 - at.0 < SAME_LIGHT_MS;
        let good = self.verdicts.get(camera).is_some_and(|j| j.at.is_some_and(fresh) && j.findings.is_empty());
        let known = self.diagnosis.record(camera).is_some();
        let kept = self.kept.entry(camera).or_default();
        for reference in &mut kept.references {
            if gone.is_some() && reference.as_deref() == gone {
                *reference = None;
            }
        }
        let reference = &mut kept.references[light as usize];
        if reference.is_none() && good && known {
            *reference = Some(snapshot);
        } else if gone.is_none() {
            return;
        }
        if known {
            self.keep(camera);
        }
        self.publish(camera, None);
    }

    /// Carries out what a person decided.
    pub(super) fn order(&mut self, order: PictureOrder, now: Now) {
        let camera = order.camera();
        match order {
            PictureOrder::Accept { by, seen, features, refused, done, .. } => {
                match self.diagnosis.accept(camera, &features, now) {
                    Ok(light) => {
                        let kept = self.kept.entry(camera).or_default();
                        kept.references[light as usize] = Some(seen);
                        kept.accepted = Some((by, now.wall));
                        self.keep_now(camera, done);
                    }
                    // Whoever asked may have gone.
                    Err(why) => drop(refused.send(why)),
                }
            }
            PictureOrder::Reset { done, .. } => {
                self.diagnosis.reset(camera);
                self.kept.remove(&camera);
                self.keep_now(camera, done);
            }
            PictureOrder::Except { cause, until, .. } => self.diagnosis.except(camera, cause, until),
            PictureOrder::Set { settings, .. } => self.diagnosis.set(camera, settings),
        }
        self.publish(camera, None);
    }

    /// Forgets cameras that left the register.
    pub(super) fn registry(&mut self, registry: &Registry) {
        for camera in self.diagnosis.retain(|camera| registry.camera(camera).is_some()) {
            self.kept.remove(&camera);
            self.shelf.keep(BaselineChange::Drop(camera));
        }
        self.unseen.retain(|camera| registry.camera(*camera).is_some());
        self.before.retain(|camera, _| registry.camera(*camera).is_some());
        self.verdicts.retain(registry);
    }

    fn keep_changed(&mut self) {
        for camera in self.diagnosis.take_changed() {
            self.keep(camera);
        }
    }

    fn keep(&self, camera: CameraId) {
        self.shelf.keep(self.change(camera));
    }

    fn keep_now(&mut self, camera: CameraId, done: tokio::sync::mpsc::Sender<()>) {
        self.keep_changed();
        self.shelf.keep_now(self.change(camera), done);
    }

    fn change(&self, camera: CameraId) -> BaselineChange {
        let Kept { references, accepted, .. } = self.kept.get(&camera).cloned().unwrap_or_default();
        self.diagnosis.record(camera).map_or(BaselineChange::Drop(camera), |data| {
            BaselineChange::Put(BaselineRecord { camera, saved: Wall::read(), data, references, accepted })
        })
    }

    /// Publishes what the pages show; the verdict stays as it was if no new one is given.
    fn publish(&self, camera: CameraId, verdict: Option<(Wall, Vec<Finding>, Vec<Finding>)>) {
        let before = self.verdicts.get(camera).unwrap_or_default();
        let (at, findings, excepted) = match verdict {
            None => (before.at, before.findings.clone(), before.excepted.clone()),
            Some((at, findings, excepted)) => {
                // A verdict has held since its class was first found without a break, excepted or not.
                let held = |finding: Finding| {
                    let earlier = before.findings.iter().chain(&before.excepted);
                    let since = earlier.filter(|h| h.finding.cause == finding.cause).map(|h| h.since);
                    // Found before the restart, and again: the same one goes on, and what people said of it is said.
                    let cause = finding.cause;
                    let restart = self.before.get(&camera).into_iter().flat_map(move |before| {
                        let open = before.open.iter().map(|r| (r.cause, r.since));
                        open.chain(before.excepted.iter().copied()).filter(move |(c, _)| *c == cause)
                    });
                    let since = since.chain(restart.map(|(_, since)| since)).min();
                    Held { since: since.unwrap_or(at), finding }
                };
                let list = |findings: Vec<Finding>| findings.into_iter().map(held).collect::<Vec<Held>>();
                let (findings, excepted) = (list(findings), list(excepted));
                // What stood before a time in which nobody looked has ended on record.
                let open = if self.unseen.contains(&camera) { &[][..] } else { &before.findings };
                self.record(camera, open, &findings, at);
                (Some(at), findings, excepted)
            }
        };
        let Kept { references, accepted, .. } = self.kept.get(&camera).cloned().unwrap_or_default();
        let light = self.diagnosis.light(camera);
        self.verdicts.put(
            camera,
            Judged {
                at,
                findings,
                excepted,
                measures: self.diagnosis.measures(camera),
                learned: self.diagnosis.learned(camera),
                settings: self.diagnosis.settings(camera).cloned().unwrap_or_default(),
                light,
                reference: references[light as usize].clone(),
                accepted,
            },
        );
    }

    /// Records what began, became worse and ended; what merely goes on is in the store already.
    fn record(&self, camera: CameraId, before: &[Held], now: &[Held], at: Wall) {
        let same = |a: &Held, b: &Held| (a.finding.cause, a.since) == (b.finding.cause, b.since);
        for held in now {
            if !before.iter().any(|b| same(b, held) && b.finding.level >= held.finding.level) {
                self.recorder.record(Fact::Finding(record_of(camera, held, None)));
            }
        }
        for held in before.iter().filter(|b| !now.iter().any(|n| same(b, n))) {
            let until = Wall(at.0.max(held.since.0 + 1));
            self.recorder.record(Fact::Finding(record_of(camera, held, Some(until))));
        }
    }
}

fn record_of(camera: CameraId, held: &Held, until: Option<Wall>) -> FindingRecord {
    let Finding { cause, level, confidence, measured, threshold, region, twin, ref detail } = held.finding;
    let level = match level {
        Level::Slight => FaultLevel::Slight,
        Level::Severe => FaultLevel::Severe,
    };
    FindingRecord {
        camera,
        cause,
        since: held.since,
        until,
        level,
        confidence,
        measured,
        threshold,
        region: region.to_bytes(),
        twin,
        detail: detail.clone(),
    }
}
