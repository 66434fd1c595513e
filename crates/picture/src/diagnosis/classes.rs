//! The classes that one picture shows, given what the camera usually shows. No history here.

use super::{
    DiagnosisConfig, Level,
    baseline::Baseline,
    compare::{self, Texture},
    limits::Limits,
    region::Region,
};
use crate::{Features, GRID_CELLS, GRID_COLUMNS};
use fleet::{CameraId, Cause};

/// One picture's sign of a fault.
#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) cause: Cause,
    pub(super) level: Level,
    pub(super) measured: f32,
    pub(super) threshold: f32,
    /// 0 at the threshold, 1 far beyond it.
    pub(super) margin: f32,
    pub(super) region: Region,
    pub(super) twin: Option<CameraId>,
    pub(super) detail: String,
}

impl Sign {
    /// A figure that passed `threshold` on its way to `extreme`; severe beyond the half way.
    fn new(cause: Cause, (measured, threshold, extreme): (f32, f32, f32), region: Region, detail: String) -> Sign {
        let margin = ((measured - threshold) / (extreme - threshold)).clamp(0.0, 1.0);
        let level = if margin >= 0.5 { Level::Severe } else { Level::Slight };
        Sign { cause, level, measured, threshold, margin, region: region.or_all(), twin: None, detail }
    }

    /// Another camera shows the same; counted by whoever met both.
    pub(super) fn same_picture(twin: CameraId) -> Sign {
        let detail = format!("the same picture as camera {twin}");
        let sign = Sign::new(Cause::SamePicture, (1.0, 1.0, 2.0), Region::ALL, detail);
        Sign { margin: 1.0, twin: Some(twin), ..sign.severe() }
    }

    fn severe(self) -> Sign {
        Sign { level: Level::Severe, ..self }
    }
}

/// All faults of the wanted classes that this picture shows by itself. Classes that explain each other away are
/// asked in order: a black picture is not also dark, covered and blurred. One that is not wanted explains nothing.
///
/// What comes slowly is learned as usual: what takes the scene away bit by bit is also held against the anchor.
pub(super) fn signs(f: &Features, lasting: &[u8], baseline: Option<&Baseline>, limits: Limits<'_>) -> Vec<Sign> {
    let anchor = baseline.and_then(|b| b.anchor.as_deref());
    let ask = |sign: Option<Sign>| sign.filter(|s| limits.wants(s.cause));
    if let Some(sign) = ask(black(f, limits)) {
        return vec![sign];
    }
    let mut found = Vec::new();
    found.extend(ask(stripes(f, baseline, limits)));
    if found.is_empty() {
        let first = ask(covered(f, baseline, limits))
            .or_else(|| ask(covered(f, Some(anchor?), limits)))
            .or_else(|| ask(too_dark(f, baseline, limits)))
            .or_else(|| ask(too_bright(f, limits)))
            .or_else(|| ask(noise(f, baseline, limits)))
            .or_else(|| ask(torn(f, baseline, limits)))
            .or_else(|| ask(blurred(f, baseline, limits)))
            .or_else(|| ask(blurred(f, Some(anchor?), limits)))
            .or_else(|| ask(moved(f, lasting, baseline, limits)))
            .or_else(|| ask(moved(f, lasting, Some(anchor?), limits)));
        found.extend(first);
    }
    // Another place has other colours.
    if found.iter().all(|sign| sign.cause != Cause::SceneMoved) {
        found.extend(ask(colour_cast(f, baseline, limits)));
    }
    found
}

/// Share of the cells on which a recorder may write.
const CAPTION: f32 = 0.05;

/// 5th, 50th, 95th, 99th percentile of luma.
fn spread(f: &Features) -> [f32; 4] {
    [1, 3, 5, 6].map(|i| f32::from(f.percentiles[i]))
}

fn luma(f: &Features, cell: usize) -> f32 {
    f32::from(f.luma.get(cell).copied().unwrap_or_default()) / 256.0
}

/// Whether the usual was learned in fog or rain: it has fewer colours and edges than what a clear day shows.
fn is_clearer(f: &Features, usual: &Baseline, config: &DiagnosisConfig) -> bool {
    f.deviation > config.clearer * usual.deviation
}

/// No light, or none of a scene: black, or the one colour that recorders show when the signal is lost.
fn black(f: &Features, limits: Limits<'_>) -> Option<Sign> {
    let [low, _, high, _] = spread(f);
    let (_, shades) = compare::shades(f);
    let threshold = limits.of(Cause::PictureBlack, limits.config.black_luma);
    if high <= threshold && high - low <= limits.config.black_spread && shades < limits.config.black_shades {
        let detail = format!("95 % of the picture is below luma {high:.0}, without structure (limit {threshold:.0})");
        return Some(Sign::new(Cause::PictureBlack, (high, threshold, 0.0), Region::ALL, detail).severe());
    }
    // No lens and no sensor gives this, whatever is before it. A recorder writes on it why there is no signal.
    let plain = compare::plain(f, CAPTION);
    let (mean, shades) = compare::shade(f, &plain);
    let mut tint = plain.iter().filter_map(|&cell| f.tint.get(cell));
    let one_tint =
        tint.next().is_some_and(|first| tint.all(|t| t[0].abs_diff(first[0]) <= 2 && t[1].abs_diff(first[1]) <= 2));
    (shades < 0.5 && f.noise < 0.15 && high - low <= 2.0 && one_tint).then(|| {
        let detail = format!("the whole picture has one colour, luma {mean:.0}: no signal");
        Sign::new(Cause::PictureBlack, (shades, 0.5, 0.0), Region::ALL, detail).severe()
    })
}

pub(super) fn dark_limit(baseline: Option<&Baseline>, limits: Limits<'_>) -> f32 {
    let config = limits.config;
    // What is dark by day already is darker still at dusk, and as it should be.
    let usual = baseline.map_or(config.dark_mean, |b| b.mean() * config.dark_share);
    limits.of(Cause::PictureTooDark, config.dark_mean.min(usual))
}

pub(super) fn too_dark(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let [_, middle, high, _] = spread(f);
    let threshold = dark_limit(baseline, limits);
    let (mean, _) = compare::shades(f);
    // Headlights or a lit window lift the mean; a picture with them at night is as it should be.
    (mean < threshold && middle < 1.2 * threshold && high < 4.0 * threshold).then(|| {
        let detail = format!("mean luma {mean:.0} (limit {threshold:.0})");
        let region = Region::of(|cell| luma(f, cell) < threshold);
        Sign::new(Cause::PictureTooDark, (mean, threshold, 0.0), region, detail)
    })
}

fn too_bright(f: &Features, limits: Limits<'_>) -> Option<Sign> {
    let [low, ..] = spread(f);
    let threshold = limits.of(Cause::PictureTooBright, limits.config.bright_mean);
    let (mean, _) = compare::shades(f);
    (mean > threshold && (low > 140.0 || f.bright > 0.5)).then(|| {
        let detail = format!("mean luma {mean:.0} (limit {threshold:.0}), {:.0} % nearly white", f.bright * 100.0);
        let region = Region::of(|cell| luma(f, cell) > threshold);
        Sign::new(Cause::PictureTooBright, (mean, threshold, 255.0), region, detail)
    })
}

/// Something right before the lens: what it covers has lost its texture, the rest has not. Fog takes texture too, but
/// makes bright what it takes; blur takes it from all and leaves the coarse picture.
fn covered(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let config = limits.config;
    let threshold = limits.of(Cause::PictureCovered, config.covered_share);
    let sign = |share: f32, luma: f32, region: Region| {
        let detail = format!(
            "{:.0} % of the usual scene is not to be seen (limit {:.0} %), mean luma there {luma:.0}",
            share * 100.0,
            threshold * 100.0
        );
        let sign = Sign::new(Cause::PictureCovered, (share, threshold, 1.0), region, detail);
        if share > 0.7 { sign.severe() } else { sign }
    };
    let texture = baseline.and_then(|b| Texture::of(f, b));
    let Some(baseline) = baseline.filter(|b| b.detail.len() == GRID_CELLS) else {
        // Nothing to compare with: hardly any texture left, and dark, since it keeps the light out.
        let flat = f.flat > threshold.max(0.8) && f.mean < config.covered_luma;
        return flat.then(|| sign(f.flat, f.mean, Region::of(|cell| f.detail.get(cell).is_some_and(|d| *d <= 8))));
    };
    if let Some(texture) = texture {
        let lost = texture.lost();
        let cells: Vec<usize> = (0..GRID_CELLS).filter(|&cell| lost(cell)).collect();
        let share = cells.len() as f32 / texture.cells() as f32;
        if share >= threshold && !cells.is_empty() {
            let (there, spread) = compare::shade(f, &cells);
            // Before the lens there is one thing of one shade: a scene out of focus has many.
            let one_shade = spread < config.covered_shades || spread < 0.5 * baseline.shades(&cells);
            // Fog is bright and dims what is near, too; what hangs before the lens may be bright, but leaves the rest.
            let bright = there >= config.covered_luma;
            let no_fog = !bright || texture.kept() > 0.8 || share > 0.97;
            // A dark, bright or blurred picture shows the same coarse scene; one shade alone shows none.
            let plain = spread < config.covered_shades / 2.0 && there > config.dark_mean && !bright;
            let other = plain || texture.kept() >= 0.6 || compare::coarse(f, baseline) < config.covered_coarse;
            let shadow = compare::shows_through(f, baseline, &cells) > config.covered_shadow;
            if there < 225.0 && no_fog && one_shade && other && !shadow {
                return Some(sign(share, there, Region::of(lost)));
            }
        }
    }
    // Under noise texture is hard to see; one shade where there usually are many is not.
    let (cells, there) = compare::one_shade(f, baseline)?;
    let share = cells.len() as f32 / compare::INNER.len() as f32;
    let whole_is_dark = share > 0.8 && there < config.dark_mean;
    let shadow = compare::shows_through(f, baseline, &cells) > config.covered_shadow;
    (share >= threshold && there < config.covered_luma && !whole_is_dark && !shadow)
        .then(|| sign(share, there, Region::of(|cell| cells.contains(&cell))))
}

pub(super) fn blur_limit(baseline: Option<&Baseline>, limits: Limits<'_>) -> f32 {
    let config = limits.config;
    // Above the upper bound people still call a picture sharp, whatever the camera usually delivers.
    let usual = baseline.map_or(0.0, |b| (b.acuity * config.blur_share).min(config.blur_acuity * 8.0));
    limits.of(Cause::PictureBlurred, config.blur_acuity.max(usual))
}

fn blurred(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    // Without contrast there is nothing that could be sharp: fog, plain walls, a dark night.
    let enough = baseline.map_or(18.0, |b| (b.deviation * 0.6).clamp(8.0, 18.0));
    if f.deviation < enough {
        return None;
    }
    let threshold = blur_limit(baseline, limits);
    let acuity = f.acuity();
    (acuity < threshold).then(|| {
        let usual = baseline.map_or(String::new(), |b| format!(", usually {:.3}", b.acuity));
        let detail = format!("sharpness for its contrast {acuity:.3} (limit {threshold:.3}{usual})");
        let soft = |cell: usize| {
            let then = baseline.and_then(|b| b.detail.get(cell)).copied().unwrap_or_default();
            compare::INNER.contains(&cell) && then > 16.0 && f32::from(f.detail[cell]) < then * 0.4
        };
        Sign::new(Cause::PictureBlurred, (acuity, threshold, 0.0), Region::of(soft), detail)
    })
}

/// Gasparini and Schettini, "Color balancing of digital photos using simple image statistics", 2004: a cast is
/// where the mean chroma lies farther from neutral than chroma spreads. Where the camera's usual colours are known the
/// cast is what most cells are shifted by against them: sodium lamps and green fields are no fault.
fn colour_cast(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let config = limits.config;
    let known = baseline.filter(|b| b.tint.len() == GRID_CELLS && b.is_learned(config));
    let (cb, cr, distance, threshold, region) = if let Some(b) = known {
        let (cb, cr, share) = shift(f, b)?;
        let distance = cb.hypot(cr);
        let shifted = |cell: usize| {
            let (x, y) = (f32::from(f.tint[cell][0]) - b.tint[cell][0], f32::from(f.tint[cell][1]) - b.tint[cell][1]);
            (x * cb + y * cr) / distance.max(1.0) > 0.5 * distance
        };
        // All colours go the same way, not only those of a red lorry.
        let distance = if share > 0.7 && !is_clearer(f, b, config) { distance } else { 0.0 };
        (cb, cr, distance, limits.of(Cause::PictureColourCast, config.cast), Region::of(shifted))
    } else {
        let [cb, cr] = f.chroma;
        let spread = f.chroma_deviation[0].hypot(f.chroma_deviation[1]);
        let distance = cb.hypot(cr) - spread;
        let distance = if distance > 0.6 * spread { distance } else { 0.0 };
        (cb, cr, distance, limits.of(Cause::PictureColourCast, config.cast * 3.0), Region::ALL)
    };
    (distance > threshold).then(|| {
        let hue = match (cb > 0.0, cr > 0.0) {
            (true, true) => "magenta",
            (true, false) => "blue",
            (false, true) => "red or orange",
            (false, false) => "green",
        };
        let detail = format!("colours shifted to {hue} by {distance:.0} (limit {threshold:.0})");
        Sign::new(Cause::PictureColourCast, (distance, threshold, 64.0), region, detail)
    })
}

/// Whether nothing tells against a dark picture being one by lamps: it has their colour, and no fault by day but that and
/// shadows where none usually are.
pub(super) fn may_be_lamp_light(shown: &[Sign], f: &Features, day: Option<&Baseline>, limits: Limits<'_>) -> bool {
    let of_lamps = |sign: &Sign| matches!(sign.cause, Cause::PictureColourCast | Cause::SceneMoved);
    !shown.is_empty() && shown.iter().all(of_lamps) && colour_cast(f, day, limits).is_some()
}

/// By how much the colour of cells that usually have little differs from the usual, and the share of them that went
/// along at least half of it. Weather takes colour from what has it; a cast gives it to what has none.
fn shift(f: &Features, b: &Baseline) -> Option<(f32, f32, f32)> {
    // What is nearly black or white has no colour to be shifted.
    let mut cells: Vec<usize> = compare::INNER.filter(|&cell| (40.0..235.0).contains(&luma(f, cell))).collect();
    if cells.len() < GRID_CELLS / 8 {
        return None;
    }
    cells.sort_by(|x, y| b.tint[*x][0].hypot(b.tint[*x][1]).total_cmp(&b.tint[*y][0].hypot(b.tint[*y][1])));
    cells.truncate((cells.len() / 3).max(GRID_CELLS / 12));
    let by = |part: usize| -> Vec<f32> {
        cells.iter().map(|&cell| f32::from(f.tint.get(cell).map_or(0, |t| t[part])) - b.tint[cell][part]).collect()
    };
    let (cb, cr) = (by(0), by(1));
    let median = |values: &[f32]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f32::total_cmp);
        sorted[sorted.len() / 2]
    };
    let (x, y) = (median(&cb), median(&cr));
    let colour = |tint: &dyn Fn(usize) -> [f32; 2]| {
        cells.iter().map(|&cell| tint(cell)).map(|[b, r]| b.hypot(r)).sum::<f32>() / cells.len() as f32
    };
    let now = colour(&|cell| f.tint.get(cell).map_or([0.0; 2], |t| t.map(f32::from)));
    // Where all is of one colour, fog and snow take it from all.
    if now < 0.9 * colour(&|cell| b.tint[cell]) {
        return None;
    }
    let length = x.hypot(y).max(1.0);
    let along = cb.iter().zip(&cr).filter(|(b, r)| (**b * x + **r * y) / length > 0.5 * length).count();
    Some((x, y, along as f32 / cells.len() as f32))
}

pub(super) fn noise_limit(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> f32 {
    let config = limits.config;
    let usual = baseline.map_or(config.noise_sigma, |b| {
        // With less light than usual the camera's gain rises, and the noise with it.
        let gain = (b.mean() / compare::shades(f).0.max(1.0)).clamp(1.0, config.noise_gain);
        ((b.noise * config.noise_rise + config.noise_step) * gain).min(config.noise_sigma.max(b.noise * 2.0))
    });
    limits.of(Cause::PictureNoise, usual)
}

/// By Immerkær's sigma where the picture is smooth, against what the camera usually has by this light; or, when the
/// encoder smoothed the noise in some blocks and kept it in others, by fine detail that outweighs the picture's whole
/// contrast: no scene has that (white noise alone has an acuity of 20, sharp scenes up to about 1).
fn noise(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let sigma_limit = noise_limit(f, baseline, limits);
    let region = || Region::of(|cell| f32::from(f.grain[cell]) / 8.0 > sigma_limit);
    if f.noise > sigma_limit {
        let usual = baseline.map_or(String::new(), |b| format!(", usually {:.1}", b.noise));
        let detail = format!("noise of {:.1} luma steps (limit {sigma_limit:.1}{usual})", f.noise);
        return Some(Sign::new(Cause::PictureNoise, (f.noise, sigma_limit, sigma_limit * 3.0), region(), detail));
    }
    let acuity_limit = limits.config.noise_acuity.max(baseline.map_or(0.0, |b| b.acuity * 2.0));
    let acuity = f.acuity();
    (limits.set(Cause::PictureNoise).is_none() && acuity > acuity_limit && f.flat < 0.1).then(|| {
        let detail = format!("fine detail outweighs the scene {acuity:.1} times (limit {acuity_limit:.1})");
        Sign::new(Cause::PictureNoise, (acuity, acuity_limit, acuity_limit * 3.0), region(), detail)
    })
}

/// The direction that is nearer its limit, its figure and the limit.
pub(super) fn stripe_figures(
    f: &Features,
    baseline: Option<&Baseline>,
    limits: Limits<'_>,
) -> (&'static str, f32, f32) {
    let (rows, columns) = (f.row_stripes, f.column_stripes);
    // Fences, blinds and steps are part of the scene.
    let limit = |figure: fn(&Baseline) -> f32| {
        let usual = baseline.map_or(limits.config.stripe_jump, |b| figure(b) * 1.5 + limits.config.stripe_jump / 2.0);
        limits.of(Cause::PictureStripes, usual)
    };
    let (row_limit, column_limit) = (limit(|b| b.row_stripes), limit(|b| b.column_stripes));
    if rows / row_limit >= columns / column_limit {
        ("horizontal", rows, row_limit)
    } else {
        ("vertical", columns, column_limit)
    }
}

fn stripes(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let (kind, measured, threshold) = stripe_figures(f, baseline, limits);
    (measured > threshold).then(|| {
        let detail = format!("{kind} stripes of {measured:.0} luma steps (limit {threshold:.0})");
        let marked = |marks: &[u8], line: usize| marks.get(line).is_some_and(|m| f32::from(*m) / 8.0 > threshold / 2.0);
        let region = match kind {
            "horizontal" => Region::of(|cell| marked(&f.row_marks, cell / GRID_COLUMNS)),
            _ => Region::of(|cell| marked(&f.column_marks, cell % GRID_COLUMNS)),
        };
        Sign::new(Cause::PictureStripes, (measured, threshold, threshold * 3.0), region, detail)
    })
}

/// A damaged bitstream leaves blocks that do not fit their neighbours: steps at the borders of blocks, in many cells.
fn torn(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let threshold = limits.config.torn_share;
    // Whoever bears with more stripes on a camera bears with higher steps, by the same factor.
    let factor = limits.set(Cause::PictureStripes).map_or(1.0, |own| own / limits.config.stripe_jump.max(0.1));
    let step = limits.config.torn_step * factor;
    let usual = |cell: usize| baseline.and_then(|b| b.blocks.get(cell)).map_or(2.0, |b| b / 8.0);
    let does =
        |cell: usize| f32::from(f.blocks.get(cell).copied().unwrap_or_default()) / 8.0 > usual(cell) * 1.5 + step;
    let region = Region::of(does);
    // Another place has its steps elsewhere, but not more of them.
    let usual = baseline
        .filter(|b| !b.blocks.is_empty())
        .map_or(2.0, |b| b.blocks.iter().sum::<f32>() / 8.0 / b.blocks.len() as f32);
    (region.share() > threshold && f.blockiness > usual + step / 2.0).then(|| {
        let detail = format!(
            "{:.0} % of the picture is made of blocks that do not fit (limit {:.0} %)",
            region.share() * 100.0,
            threshold * 100.0
        );
        Sign::new(Cause::PictureStripes, (region.share(), threshold, 1.0), region, detail)
    })
}

/// How well the edges agree with the usual scene, and the limit; `None` if they cannot be compared.
///
/// Where the edges are does not change with light, weather and traffic as much as luma does.
pub(super) fn scene_figures(f: &Features, baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<(f32, f32)> {
    let config = limits.config;
    let baseline = baseline.filter(|b| b.is_learned(config))?;
    // Fog, a dirty dome or a dark night leave too few edges to compare.
    let (now, usual) = (compare::edge_mass(&f.edges), compare::edge_mass(&baseline.edges_now()));
    if now < 0.5 * usual || usual < 200.0 {
        return None;
    }
    let correlation = compare::correlation(&f.edges, &baseline.edges_now());
    // Light and weather that were never seen yet move edges, too.
    let doubt = if baseline.is_settled(config) { 1.0 } else { config.moved_young };
    Some((correlation, limits.of(Cause::SceneMoved, config.moved_correlation * doubt)))
}

/// Another scene, or the same one seen from a turned camera: its edges agree better when they are shifted back.
/// `lasting` are the edges that all pictures of the run have: snow and rain hide a scene in each, but not in all.
fn moved(f: &Features, lasting: &[u8], baseline: Option<&Baseline>, limits: Limits<'_>) -> Option<Sign> {
    let (now, threshold) = scene_figures(f, baseline, limits)?;
    let config = limits.config;
    let baseline = baseline?;
    let edges = baseline.edges_now();
    let correlation = compare::correlation(lasting, &edges).max(now);
    let apart = |cell: usize| {
        let (now, then) = (f32::from(lasting[cell]).sqrt(), f32::from(edges[cell]).sqrt());
        compare::INNER.contains(&cell) && (now - then).abs() > 0.4 * now.max(then) && now.max(then) > 5.0
    };
    let percent = |share: f32| share.max(0.0) * 100.0;
    let (now, limit) = (percent(correlation), percent(threshold));
    // In snow and rain edges are lost while the coarse picture stays.
    let coarse = || compare::coarse(f, baseline) < config.moved_coarse;
    if correlation < threshold && (correlation < 0.9 * threshold && !is_clearer(f, baseline, config) || coarse()) {
        let detail = format!("edges agree with the usual scene by {now:.0} % (limit {limit:.0} %)");
        return Some(Sign::new(Cause::SceneMoved, (correlation, threshold, 0.0), Region::of(apart), detail));
    }
    if correlation > config.moved_turned || limits.set(Cause::SceneMoved).is_some() {
        return None;
    }
    let (best, (across, down)) = compare::turned(lasting, &edges);
    let turned = (across, down) != (0, 0) && best > config.moved_turned && best > correlation + config.moved_gain;
    turned.then(|| {
        let part = |cells: isize, of: usize| cells.unsigned_abs() as f32 * 100.0 / of as f32;
        let detail = format!(
            "edges agree with the usual scene by {now:.0} %, by {:.0} % if it is shifted by {:.0} % of the width and {:.0} % of the height",
            percent(best), part(across, GRID_COLUMNS), part(down, crate::GRID_ROWS)
        );
        Sign::new(Cause::SceneMoved, (correlation, best - config.moved_gain, 0.0), Region::of(apart), detail)
    })
}
