//! Judging pictures: the diagnosis with what people said, published for the pages, its baselines kept.

use super::{recorder::Recorder, shelf::Shelf};
use fleet::{CameraId, Now, Registry, Wall};
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
}

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
    reference: Option<String>,
    accepted: Option<(String, Wall)>,
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
        store.end_findings().await?;
        let mut judge = Judge {
            diagnosis: Diagnosis::new(config),
            verdicts,
            shelf,
            recorder,
            kept: HashMap::new(),
            unseen: HashSet::new(),
        };
        for setting in store.diagnosis_settings().await? {
            let off = setting.classes.iter().filter(|c| c.off).map(|c| c.cause).collect();
            let limits = setting.classes.iter().filter_map(|c| Some((c.cause, c.limit?))).collect();
            if registry.camera(setting.camera).is_some() {
                judge.diagnosis.set(setting.camera, CameraSettings { off, limits });
                judge.publish(setting.camera, None);
            }
        }
        for BaselineRecord { camera, data, reference, accepted, .. } in store.baselines().await? {
            if registry.camera(camera).is_none() {
                judge.shelf.keep(BaselineChange::Drop(camera));
                continue;
            }
            match judge.diagnosis.restore(camera, &data) {
                Ok(()) => {
                    judge.kept.insert(camera, Kept { reference, accepted });
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
            }
        }
        Ok(judge)
    }

    /// What the newest pictures of a camera say together, and when another would help.
    pub(super) fn judge(&mut self, camera: CameraId, features: &Features, received: Now) -> Outcome {
        let verdict = self.diagnosis.judge(camera, features, received);
        let fault = verdict.fault().map(|(cause, detail)| Failure { cause, detail });
        self.keep_changed();
        self.publish(camera, Some((received.wall, verdict.findings, verdict.excepted)));
        self.unseen.remove(&camera);
        Outcome { fault, look_again: verdict.look_again, look_also_at: verdict.look_also_at }
    }

    /// No picture of a camera is judged any more: what was found on it is on record until it was last seen. Should a later
    /// picture show it still, it goes on.
    pub(super) fn lost(&mut self, camera: CameraId) {
        let Some(judged) = self.verdicts.get(camera) else { return };
        if let Some(at) = judged.at
            && self.unseen.insert(camera)
        {
            self.record(camera, &judged.findings, &[], at);
        }
    }

    /// An archived snapshot of a camera whose picture is good becomes the one that shows its baseline, if none does.
    pub(super) fn archived(&mut self, camera: CameraId, snapshot: String) {
        let good = self.verdicts.get(camera).is_some_and(|j| j.at.is_some() && j.findings.is_empty());
        let without = self.kept.get(&camera).is_none_or(|k| k.reference.is_none());
        if good && without && self.diagnosis.record(camera).is_some() {
            self.kept.entry(camera).or_default().reference = Some(snapshot);
            self.keep(camera);
            self.publish(camera, None);
        }
    }

    /// Carries out what a person decided.
    pub(super) fn order(&mut self, order: PictureOrder, now: Now) {
        let camera = order.camera();
        match order {
            PictureOrder::Accept { by, seen, done, .. } => {
                self.diagnosis.accept(camera, now);
                self.kept.insert(camera, Kept { reference: seen, accepted: Some((by, now.wall)) });
                self.keep_now(camera, done);
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
        let Kept { reference, accepted } = self.kept.get(&camera).cloned().unwrap_or_default();
        self.diagnosis.record(camera).map_or(BaselineChange::Drop(camera), |data| {
            BaselineChange::Put(BaselineRecord { camera, saved: Wall::read(), data, reference, accepted })
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
                    let since = earlier.filter(|h| h.finding.cause == finding.cause).map(|h| h.since).min();
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
        let Kept { reference, accepted } = self.kept.get(&camera).cloned().unwrap_or_default();
        self.verdicts.put(
            camera,
            Judged {
                at,
                findings,
                excepted,
                measures: self.diagnosis.measures(camera),
                learned: self.diagnosis.learned(camera),
                settings: self.diagnosis.settings(camera).cloned().unwrap_or_default(),
                reference,
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
