//! Pictures through the whole way: coded, decoded in the sandbox, measured, judged.

use crate::{
    camera::{self, Condition},
    faults::{self, Severity},
    frame::{Frame, coded},
    scenes::Place,
    score::{Alarms, Case, Truth},
};
use fleet::{CameraId, Cause, Codec, Mono, Now, Wall};
use picture::{Diagnosis, DiagnosisConfig, Features, Pool};
use std::{sync::Arc, time::Duration};

/// What a camera learned from before the fault, picture after picture: a day and a night in changing weather.
const A_DAY: [(Condition, u64); 7] = [
    (Condition::Day, 8),
    (Condition::Shadows, 6),
    (Condition::Rain, 4),
    (Condition::Overcast, 6),
    (Condition::Infrared, 14),
    (Condition::Headlights, 5),
    (Condition::Insects, 5),
];
/// The same of a camera that sees its nights in colour.
const A_COLOUR_DAY: [(Condition, u64); 4] =
    [(Condition::Day, 10), (Condition::Overcast, 10), (Condition::Dusk, 4), (Condition::StreetLit, 30)];
/// Seconds between them: what a learned baseline takes.
const PACE: u64 = 1200;
/// What it learned from in its first minutes, a picture a minute.
const FIRST_MINUTES: [(Condition, u64); 2] = [(Condition::Day, 5), (Condition::Infrared, 5)];
/// Pictures of a fault, a minute apart.
const FAULTY: u64 = 4;
/// Pictures of footage coded by one encoder: starting it costs more than some pictures.
const BATCH: usize = 240;
/// Pictures of a place that wait for the decoders at a time: few, since on a busy machine each waits long.
const WAITING: usize = 8;

/// The way of a picture, with what it cost.
pub(crate) struct Way {
    pub(crate) pool: Pool,
    pub(crate) judging: Duration,
    pub(crate) judged: u64,
}

impl Way {
    pub(crate) fn new(pool: Pool) -> Way {
        Way { pool, judging: Duration::ZERO, judged: 0 }
    }

    /// Adds what another way cost.
    pub(crate) fn add(&mut self, other: &Way) {
        self.judging += other.judging;
        self.judged += other.judged;
    }

    /// What is measured on each picture once it was coded and decoded.
    pub(crate) async fn measure(&self, frames: impl Iterator<Item = Frame> + Send + 'static) -> Vec<Features> {
        let pictures = tokio::task::spawn_blocking(move || coded(frames)).await.expect("the encoder thread ends");
        let mut features = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(WAITING) {
            let decoded = some.iter().cloned().map(|data| {
                let pool = self.pool.clone();
                tokio::spawn(async move { pool.assess(CameraId(1), Codec::H264, data).await })
            });
            for picture in decoded.collect::<Vec<_>>() {
                let seen = picture.await.expect("no task panics").expect("a good keyframe decodes");
                features.push(seen.features);
            }
        }
        features
    }

    fn judge(&mut self, diagnosis: &mut Diagnosis, features: &Features, second: u64) -> picture::Verdict {
        self.judge_of(diagnosis, CameraId(1), features, second)
    }

    pub(crate) fn judge_of(
        &mut self,
        diagnosis: &mut Diagnosis,
        camera: CameraId,
        features: &Features,
        second: u64,
    ) -> picture::Verdict {
        let begin = std::time::Instant::now();
        let verdict = diagnosis.judge(camera, features, at(second));
        self.judging += begin.elapsed();
        self.judged += 1;
        verdict
    }

    /// Every fault in every severity, and every good condition, at one place.
    pub(crate) async fn cases(&mut self, place: &Place, young: bool, severities: &[Severity], cases: &mut Vec<Case>) {
        let mut learned = Diagnosis::new(DiagnosisConfig::default());
        let (before, pace): (&[_], _) = if young { (&FIRST_MINUTES, 60) } else { (&A_DAY, PACE) };
        // From seven in the morning.
        let mut clock = 7 * 3600;
        let mut usual = Vec::new();
        for &(condition, count) in before {
            for _ in 0..count {
                usual.push(shot(place, condition, usual.len() as u64, clock + usual.len() as u64 * pace));
            }
        }
        for features in self.measure(usual.into_iter()).await {
            clock += pace;
            self.judge(&mut learned, &features, clock);
        }
        let mut street = Diagnosis::new(DiagnosisConfig::default());
        let mut usual = Vec::new();
        for &(condition, count) in &A_COLOUR_DAY {
            for _ in 0..count {
                usual.push(shot(place, condition, usual.len() as u64, 7 * 3600 + usual.len() as u64 * PACE));
            }
        }
        let mut seen = 7 * 3600;
        for features in self.measure(usual.into_iter()).await {
            seen += PACE;
            self.judge(&mut street, &features, seen);
        }
        clock = clock.max(seen);
        let mut wanted = Vec::new();
        for light in [Condition::Day, Condition::Infrared] {
            for &severity in severities {
                for cause in faults::OF_ONE_PICTURE {
                    // Without colour there is no cast.
                    if light == Condition::Day || cause != Cause::PictureColourCast {
                        wanted.push((Truth::Fault(cause), light, severity));
                    }
                }
                wanted.push((Truth::Fault(Cause::SceneMoved), light, severity));
                wanted.push((Truth::Fault(Cause::PictureFrozen), light, severity));
            }
        }
        wanted.extend(Condition::ALL.map(|condition| (Truth::Good(condition), condition, Severity::Slight)));
        // One encoder for many cases: starting it costs more than its pictures.
        let begin = clock + 60;
        let (mut frames, mut spans) = (Vec::new(), Vec::new());
        for &(truth, light, severity) in &wanted {
            let (more, seconds) = sequence(place, truth, light, severity, begin);
            frames.extend(more);
            spans.push(seconds);
        }
        let mut features = self.measure(frames.into_iter()).await.into_iter();
        for ((truth, light, severity), seconds) in wanted.into_iter().zip(spans) {
            let mut diagnosis = if light == Condition::StreetLit { street.clone() } else { learned.clone() };
            let (mut told, mut last) = (None, String::new());
            for (second, features) in seconds.into_iter().zip(features.by_ref()) {
                told = self.judge(&mut diagnosis, &features, second).findings.into_iter().next();
                last = figures(&features);
            }
            cases.push(Case { place: place.name.clone(), real: place.real, truth, light, severity, told, last });
        }
    }

    /// Hours of good pictures, a check a minute: whatever is told is a false alarm.
    pub(crate) async fn footage(&mut self, place: &Arc<Place>, minutes: std::ops::Range<u64>, alarms: &mut Alarms) {
        let mut diagnosis = Diagnosis::new(DiagnosisConfig::default());
        let mut told: Vec<Cause> = Vec::new();
        let all: Vec<u64> = minutes.collect();
        for chunk in all.chunks(BATCH) {
            let (minutes, drawn) = (chunk.to_vec(), Arc::clone(place));
            let frames = minutes.into_iter().map(move |minute| {
                let still = &drawn.stills[minute as usize % drawn.stills.len()];
                let mut frame = camera::life(still, drawn.seed, minute * 60);
                frame.text(minute * 60, drawn.seed);
                frame
            });
            for (features, &minute) in self.measure(frames).await.iter().zip(chunk) {
                let verdict = self.judge(&mut diagnosis, features, minute * 60);
                let now: Vec<Cause> = verdict.findings.iter().map(|f| f.cause).collect();
                alarms.checks += 1;
                for finding in verdict.findings.iter().filter(|f| !told.contains(&f.cause)) {
                    let condition = Condition::at(place.seed, minute);
                    alarms.told.push(format!(
                        "{} day {} {:02}:{:02} {condition:?}: {} ({}) {}",
                        place.name,
                        minute / 1440,
                        minute % 1440 / 60,
                        minute % 60,
                        finding.cause.code(),
                        finding.detail,
                        figures(features)
                    ));
                }
                told = now;
            }
        }
    }
}

pub(crate) fn figures(f: &Features) -> String {
    format!(
        "mean {:.0} dev {:.0} p {:?} acuity {:.3} noise {:.1} flat {:.2} rows {:.1} columns {:.1} blocks {:.1} chroma {:.0},{:.0}±{:.0},{:.0} sat {:.0}",
        f.mean,
        f.deviation,
        f.percentiles,
        f.acuity(),
        f.noise,
        f.flat,
        f.row_stripes,
        f.column_stripes,
        f.blockiness,
        f.chroma[0],
        f.chroma[1],
        f.chroma_deviation[0],
        f.chroma_deviation[1],
        f.saturation
    )
}

fn at(second: u64) -> Now {
    Now { mono: Mono::default() + Duration::from_secs(10_000 + second), wall: Wall(0) }
}

/// A good picture with its text.
fn shot(place: &Place, condition: Condition, n: u64, second: u64) -> Frame {
    let mut frame = camera::picture(&place.stills[n as usize % place.stills.len()], condition, place.seed, second);
    frame.text(second, place.seed);
    frame
}

/// The pictures of a case and when each is taken.
fn sequence(place: &Place, truth: Truth, light: Condition, severity: Severity, begin: u64) -> (Vec<Frame>, Vec<u64>) {
    let case = place.seed << 16 | u64::from(severity as u8) << 8 | u64::from(light.is_night());
    let minutely: Vec<u64> = (0..FAULTY).map(|n| begin + n * 60).collect();
    let still = |n: u64| &place.stills[n as usize % place.stills.len()];
    let with_text = |mut frame: Frame, second: u64| {
        frame.text(second, place.seed);
        frame
    };
    match truth {
        Truth::Good(_) => {
            let frames = minutely.iter().enumerate().map(|(n, &s)| shot(place, light, 100 + n as u64, s)).collect();
            (frames, minutely)
        }
        Truth::Fault(Cause::PictureFrozen) => {
            let one = camera::picture(still(0), light, place.seed, begin);
            let clock_runs = severity != Severity::Slight;
            // As the service looks: a check a minute, and sooner while something is suspected.
            let mut second = begin;
            let mut seconds = Vec::new();
            let pictures = if clock_runs { 36 } else { 8 };
            for n in 0..pictures {
                seconds.push(second);
                second += [5, 7, 11, 13, 60][n % 5];
            }
            let frames = seconds.iter().map(|&s| with_text(one.clone(), if clock_runs { s } else { begin })).collect();
            (frames, seconds)
        }
        Truth::Fault(Cause::SceneMoved) => {
            let frames = minutely
                .iter()
                .map(|&second| {
                    let place_now = match severity {
                        Severity::Slight => &place.turned[0],
                        Severity::Middle => &place.turned[1],
                        Severity::Severe => &place.elsewhere,
                    };
                    with_text(camera::picture(place_now, light, place.seed, second), second)
                })
                .collect();
            (frames, minutely)
        }
        Truth::Fault(cause) => {
            let frames = minutely
                .iter()
                .enumerate()
                .map(|(n, &second)| {
                    let mut frame = camera::picture(still(n as u64), light, place.seed, second);
                    faults::apply(cause, severity, &mut frame, case, n as u64);
                    with_text(frame, second)
                })
                .collect();
            (frames, minutely)
        }
    }
}
