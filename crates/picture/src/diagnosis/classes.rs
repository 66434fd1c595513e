//! The classes that one picture shows, given what the camera usually shows. No history here.

use super::{DiagnosisConfig, Level, baseline::Baseline};
use crate::{Features, GRID_COLUMNS, GRID_ROWS};
use fleet::Cause;

/// One picture's sign of a fault.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) cause: Cause,
    pub(super) level: Level,
    pub(super) measured: f32,
    pub(super) threshold: f32,
    /// 0 at the threshold, 1 far beyond it.
    pub(super) margin: f32,
    pub(super) detail: String,
}

impl Sign {
    /// A figure that passed `threshold` on its way to `extreme`; severe beyond the half way.
    fn new(cause: Cause, measured: f32, threshold: f32, extreme: f32, detail: String) -> Sign {
        let margin = ((measured - threshold) / (extreme - threshold)).clamp(0.0, 1.0);
        let level = if margin >= 0.5 { Level::Severe } else { Level::Slight };
        Sign { cause, level, measured, threshold, margin, detail }
    }

    fn severe(self) -> Sign {
        Sign { level: Level::Severe, ..self }
    }
}

/// All faults of the `wanted` classes that this picture shows by itself. Classes that explain each other away are
/// asked in order: a black picture is not also dark, covered and blurred. One that is not wanted explains nothing.
pub(super) fn signs(
    features: &Features,
    baseline: Option<&Baseline>,
    config: &DiagnosisConfig,
    wanted: impl Fn(Cause) -> bool,
) -> Vec<Sign> {
    let ask = |sign: Option<Sign>| sign.filter(|s| wanted(s.cause));
    if let Some(sign) = ask(black(features, config)) {
        return vec![sign];
    }
    let mut found = Vec::new();
    found.extend(ask(stripes(features, baseline, config)));
    found.extend(ask(noise(features, baseline, config)));
    if found.is_empty() {
        let first = ask(too_dark(features, config))
            .or_else(|| ask(too_bright(features, config)))
            .or_else(|| ask(covered(features, baseline, config)))
            .or_else(|| ask(blurred(features, baseline, config)));
        found.extend(first);
    }
    found.extend(ask(colour_cast(features, baseline, config)));
    if found.is_empty() {
        found.extend(ask(moved(features, baseline, config)));
    }
    found
}

/// 5th, 50th, 95th, 99th percentile of luma.
fn spread(f: &Features) -> [f32; 4] {
    [1, 3, 5, 6].map(|i| f32::from(f.percentiles[i]))
}

fn black(f: &Features, config: &DiagnosisConfig) -> Option<Sign> {
    let [low, _, high, _] = spread(f);
    (high <= config.black_luma && high - low <= config.black_spread && f.flat > 0.9).then(|| {
        let detail =
            format!("95 % of the picture is below luma {high:.0}, without structure (limit {:.0})", config.black_luma);
        Sign::new(Cause::PictureBlack, high, config.black_luma, 0.0, detail).severe()
    })
}

fn too_dark(f: &Features, config: &DiagnosisConfig) -> Option<Sign> {
    let [_, middle, high, _] = spread(f);
    // Headlights or a lit window lift the mean; a picture with them at night is as it should be.
    (f.mean < config.dark_mean && middle < config.dark_mean && high < 3.0 * config.dark_mean).then(|| {
        let detail = format!("mean luma {:.0} (limit {:.0})", f.mean, config.dark_mean);
        Sign::new(Cause::PictureTooDark, f.mean, config.dark_mean, 0.0, detail)
    })
}

fn too_bright(f: &Features, config: &DiagnosisConfig) -> Option<Sign> {
    let [low, ..] = spread(f);
    (f.mean > config.bright_mean && low > 140.0).then(|| {
        let detail = format!("mean luma {:.0} (limit {:.0}), 5 % below {low:.0}", f.mean, config.bright_mean);
        Sign::new(Cause::PictureTooBright, f.mean, config.bright_mean, 255.0, detail)
    })
}

/// Something right before the lens: hardly any texture left, and dark, since it keeps the light out. Fog takes
/// the texture too, but is bright.
fn covered(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<Sign> {
    let usual = baseline.map_or(0.0, |b| b.flat);
    // A camera that always looks at a plain wall or dark field is not covered.
    (f.flat > config.covered_flat && f.flat > usual + 0.2 && f.mean < config.covered_luma).then(|| {
        let detail = format!(
            "{:.0} % of the picture has no texture (limit {:.0} %), mean luma {:.0}",
            f.flat * 100.0,
            config.covered_flat * 100.0,
            f.mean
        );
        Sign::new(Cause::PictureCovered, f.flat, config.covered_flat, 1.0, detail).severe()
    })
}

pub(super) fn blur_limit(baseline: Option<&Baseline>, config: &DiagnosisConfig) -> f32 {
    // Above the upper bound people still call a picture sharp, whatever the camera usually delivers.
    let usual = baseline.map_or(0.0, |b| (b.acuity * config.blur_share).min(config.blur_acuity * 4.0));
    config.blur_acuity.max(usual)
}

fn blurred(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<Sign> {
    // Without contrast there is nothing that could be sharp: fog, plain walls, a dark night.
    let enough = baseline.map_or(18.0, |b| (b.deviation * 0.6).clamp(8.0, 18.0));
    if f.deviation < enough {
        return None;
    }
    let threshold = blur_limit(baseline, config);
    let acuity = f.acuity();
    (acuity < threshold).then(|| {
        let usual = baseline.map_or(String::new(), |b| format!(", usually {:.3}", b.acuity));
        let detail = format!("sharpness for its contrast {acuity:.3} (limit {threshold:.3}{usual})");
        Sign::new(Cause::PictureBlurred, acuity, threshold, 0.0, detail)
    })
}

/// Gasparini and Schettini, "Color balancing of digital photos using simple image statistics", 2004: a cast is
/// where the mean chroma lies farther from neutral than chroma spreads. Held against the camera's usual chroma:
/// sodium lamps and green fields are no fault.
fn colour_cast(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<Sign> {
    let [cb, cr] = f.chroma;
    let centre = cb.hypot(cr);
    let spread = f.chroma_deviation[0].hypot(f.chroma_deviation[1]);
    let (distance, threshold) = match baseline {
        Some(b) => ((cb - b.chroma[0]).hypot(cr - b.chroma[1]).min(centre) - spread, config.cast),
        None => (centre - spread, config.cast * 1.5),
    };
    (distance > threshold && distance > 0.6 * spread).then(|| {
        let hue = match (cb > 0.0, cr > 0.0) {
            (true, true) => "magenta",
            (true, false) => "blue",
            (false, true) => "red or orange",
            (false, false) => "green",
        };
        let detail = format!("colours shifted to {hue} by {distance:.0} (limit {threshold:.0})");
        Sign::new(Cause::PictureColourCast, distance, threshold, 64.0, detail)
    })
}

pub(super) fn noise_limit(baseline: Option<&Baseline>, config: &DiagnosisConfig) -> f32 {
    config.noise_sigma.max(baseline.map_or(0.0, |b| b.noise * 2.0))
}

/// By Immerkær's sigma where the picture is smooth; or, when the encoder smoothed the noise in some blocks and
/// kept it in others, by fine detail that outweighs the picture's whole contrast: no scene has that (white noise
/// alone has an acuity of 20, sharp scenes up to about 1); or by both figures at several times the usual.
fn noise(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<Sign> {
    let sigma_limit = noise_limit(baseline, config);
    let acuity_limit = config.noise_acuity.max(baseline.map_or(0.0, |b| b.acuity * 2.0));
    let acuity = f.acuity();
    if f.noise > sigma_limit {
        let detail = format!("noise of {:.0} luma steps (limit {sigma_limit:.0})", f.noise);
        return Some(Sign::new(Cause::PictureNoise, f.noise, sigma_limit, sigma_limit * 3.0, detail));
    }
    if let Some(usual) = baseline
        && acuity > usual.acuity * config.noise_rise
        && acuity > 1.5
        && f.noise > usual.noise * config.noise_rise
        && f.noise > 2.5
    {
        let detail = format!(
            "noise of {:.1} luma steps, usually {:.1}; fine detail {:.1} times the usual",
            f.noise,
            usual.noise,
            acuity / usual.acuity.max(0.01)
        );
        let limit = (usual.noise * config.noise_rise).max(2.5);
        return Some(Sign::new(Cause::PictureNoise, f.noise, limit, limit * 3.0, detail));
    }
    (acuity > acuity_limit && f.flat < 0.1).then(|| {
        let detail = format!("fine detail outweighs the scene {acuity:.1} times (limit {acuity_limit:.1})");
        Sign::new(Cause::PictureNoise, acuity, acuity_limit, acuity_limit * 3.0, detail)
    })
}

/// The direction that is nearer its limit, its figure and the limit.
pub(super) fn stripe_figures(
    f: &Features,
    baseline: Option<&Baseline>,
    config: &DiagnosisConfig,
) -> (&'static str, f32, f32) {
    let (rows, columns) = (f.row_stripes, f.column_stripes);
    let usual = |figure: fn(&Baseline) -> f32| baseline.map_or(0.0, |b| figure(b) * 2.0 + 4.0);
    // Fences, blinds and steps are part of the scene.
    let row_limit = config.stripe_jump.max(usual(|b| b.row_stripes));
    let column_limit = config.stripe_jump.max(usual(|b| b.column_stripes));
    if rows / row_limit >= columns / column_limit {
        ("horizontal", rows, row_limit)
    } else {
        ("vertical", columns, column_limit)
    }
}

fn stripes(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<Sign> {
    let (kind, measured, threshold) = stripe_figures(f, baseline, config);
    (measured > threshold).then(|| {
        let detail = format!("{kind} stripes of {measured:.0} luma steps (limit {threshold:.0})");
        Sign::new(Cause::PictureStripes, measured, threshold, threshold * 3.0, detail)
    })
}

/// How well the edges agree with the usual scene, and the limit; `None` if they cannot be compared.
///
/// Where the edges are does not change with light, weather and traffic as much as luma does.
pub(super) fn scene_figures(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<(f32, f32)> {
    let baseline = baseline.filter(|b| b.is_learned(config))?;
    // Fog, a dirty dome or a dark night leave too few edges to compare.
    let (now, usual) = (edge_mass(&f.edges), edge_mass(&baseline.edges_now()));
    if now < 0.5 * usual || usual < 200.0 {
        return None;
    }
    let correlation = correlation(&f.edges, &baseline.edges_now());
    // A camera whose pictures always agree well has moved when they agree less well.
    let threshold = config.moved_correlation.max((baseline.agreement - config.moved_fall).min(0.75));
    Some((correlation, threshold))
}

fn moved(f: &Features, baseline: Option<&Baseline>, config: &DiagnosisConfig) -> Option<Sign> {
    let (correlation, threshold) = scene_figures(f, baseline, config)?;
    (correlation < threshold).then(|| {
        let detail = format!(
            "edges agree with the usual scene by {:.0} % (limit {:.0} %)",
            correlation.max(0.0) * 100.0,
            threshold * 100.0
        );
        Sign::new(Cause::SceneMoved, correlation, threshold, 0.0, detail)
    })
}

/// Rows of the grid without the strips in which names and clocks are burned in.
pub(super) const INNER_ROWS: std::ops::Range<usize> = 2..GRID_ROWS - 2;

fn inner(edges: &[u8]) -> impl Iterator<Item = f32> {
    let cells = INNER_ROWS.start * GRID_COLUMNS..INNER_ROWS.end * GRID_COLUMNS;
    // Square root: a few hard edges must not outweigh the many others.
    edges.get(cells).unwrap_or_default().iter().map(|&e| f32::from(e).sqrt())
}

fn edge_mass(edges: &[u8]) -> f32 {
    inner(edges).sum()
}

/// Pearson's correlation of two edge maps.
pub(super) fn correlation(a: &[u8], b: &[u8]) -> f32 {
    let count = inner(a).count().max(1) as f32;
    let (mean_a, mean_b) = (edge_mass(a) / count, edge_mass(b) / count);
    let (mut both, mut only_a, mut only_b) = (0.0f32, 0.0f32, 0.0f32);
    for (x, y) in inner(a).zip(inner(b)) {
        both += (x - mean_a) * (y - mean_b);
        only_a += (x - mean_a) * (x - mean_a);
        only_b += (y - mean_b) * (y - mean_b);
    }
    let scale = (only_a * only_b).sqrt();
    if scale > 0.0 { both / scale } else { 0.0 }
}
