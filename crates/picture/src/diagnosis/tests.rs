//! Days and nights of one camera in figures: what is told, what is learned, what is looked at again.

use super::*;
use crate::{GRID_CELLS, GRID_COLUMNS, GRID_ROWS, measure, planes};

const CAMERA: CameraId = CameraId(1);

fn at(seconds: u64) -> Now {
    Now { mono: Mono::default() + Duration::from_secs(10_000 + seconds), wall: Wall(0) }
}

/// A number that looks like chance, 0 to 1.
fn chance(a: usize, b: usize) -> f32 {
    let number = (a as u64 * 1_000_003 + b as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f32 / 16_777_216.0
}

/// A place by day; `n` makes each picture another one.
fn day(n: usize) -> Features {
    let cells = 0..GRID_CELLS;
    let luma = cells.clone().map(|c| ((40.0 + 140.0 * chance(1, c) + chance(n + 10, c)) * 256.0) as u16).collect();
    let checks = cells.clone().map(|c| (chance(n + 10, c) * 1e9) as u32).collect();
    let tint =
        cells.clone().map(|c| [(chance(3, c) * 20.0 - 10.0) as i8, (chance(4, c) * 20.0 - 10.0) as i8]).collect();
    Features {
        width: 640,
        height: 360,
        mean: 110.0,
        deviation: 50.0,
        percentiles: [20, 40, 80, 110, 150, 190, 210],
        sharpness: 0.4 * 2500.0,
        noise: 1.2,
        saturation: 14.0,
        chroma_deviation: [8.0, 8.0],
        flat: 0.1,
        hash: n as u64,
        luma,
        edges: cells.clone().map(|c| (200.0 * chance(2, c)) as u8).collect(),
        detail: vec![80; GRID_CELLS],
        grain: vec![10; GRID_CELLS],
        blocks: vec![8; GRID_CELLS],
        tint,
        row_marks: vec![0; GRID_ROWS],
        column_marks: vec![0; GRID_COLUMNS],
        checks,
        ..Features::default()
    }
}

/// With less light, the same scene.
fn dim(mut f: Features, share: f32) -> Features {
    f.luma.iter_mut().for_each(|l| *l = (f32::from(*l) * share) as u16);
    f.mean *= share;
    f.deviation *= share;
    f.sharpness *= share * share;
    f.percentiles = f.percentiles.map(|p| (f32::from(p) * share) as u8);
    f
}

/// The same place in the light of sodium lamps: other shades, other edges, all of it orange.
fn sodium(n: usize) -> Features {
    let mut f = day(n);
    f.luma = (0..GRID_CELLS).map(|c| ((15.0 + 50.0 * chance(7, c) + chance(n + 10, c)) * 256.0) as u16).collect();
    f.edges = (0..GRID_CELLS).map(|c| (140.0 * chance(8, c)) as u8).collect();
    f.tint.iter_mut().for_each(|t| *t = [t[0] / 2 - 24, t[1] / 2 + 18]);
    Features {
        mean: 40.0,
        deviation: 20.0,
        sharpness: 0.3 * 400.0,
        percentiles: [15, 17, 28, 40, 52, 63, 90],
        noise: 3.0,
        saturation: 30.0,
        chroma: [-24.0, 18.0],
        ..f
    }
}

fn infrared(n: usize) -> Features {
    let mut f = dim(day(n), 0.5);
    f.edges = (0..GRID_CELLS).map(|c| (160.0 * chance(9, c)) as u8).collect();
    f.tint = vec![[0; 2]; GRID_CELLS];
    Features { saturation: 0.0, chroma_deviation: [0.0; 2], noise: 3.0, ..f }
}

/// Something dark hangs before most of the lens.
fn cover(mut f: Features) -> Features {
    for cell in 0..GRID_CELLS {
        if cell % GRID_COLUMNS < GRID_COLUMNS * 2 / 3 {
            (f.luma[cell], f.detail[cell], f.edges[cell]) = (35 * 256, 2, 0);
        }
    }
    f
}

fn causes(verdict: &Verdict) -> Vec<Cause> {
    verdict.findings.iter().map(|f| f.cause).collect()
}

struct Camera {
    diagnosis: Diagnosis,
    clock: u64,
    n: usize,
}

impl Camera {
    fn new() -> Camera {
        Camera { diagnosis: Diagnosis::new(DiagnosisConfig::default()), clock: 0, n: 0 }
    }

    fn sees(&mut self, after: u64, picture: impl Fn(usize) -> Features) -> Verdict {
        self.clock += after;
        self.n += 1;
        self.diagnosis.judge(CAMERA, &picture(self.n), at(self.clock))
    }

    /// Half a day of pictures, three an hour, without any fault.
    fn half_a_day(&mut self, what: &str, picture: impl Fn(usize) -> Features) {
        for number in 0..36 {
            let verdict = self.sees(1200, &picture);
            assert_eq!(verdict.findings, [], "{what}, picture {number}");
        }
    }

    fn dusk(&mut self) {
        for step in 1..8 {
            let share = 1.0 - 0.09 * step as f32;
            assert_eq!(self.sees(300, |n| dim(day(n), share)).findings, [], "dusk {share}");
        }
    }
}

#[test]
fn colour_nights_have_a_usual_of_their_own() {
    let mut camera = Camera::new();
    for number in 0..3 {
        camera.half_a_day(&format!("day {number}"), day);
        camera.dusk();
        camera.half_a_day(&format!("night {number}"), sodium);
    }
    let learned = camera.diagnosis.learned(CAMERA);
    assert!(learned.dark >= 60 && learned.day >= 60 && learned.infrared == 0, "{learned:?}");
    // By night a cover is found against the night.
    for _ in 0..3 {
        camera.sees(60, |n| cover(sodium(n)));
    }
    assert_eq!(causes(&camera.sees(60, |n| cover(sodium(n)))), [Cause::PictureCovered]);
    // Both are stored.
    let record = camera.diagnosis.record(CAMERA).unwrap();
    let mut again = Camera::new();
    again.diagnosis.restore(CAMERA, &record).unwrap();
    assert_eq!(again.diagnosis.learned(CAMERA), learned);
    assert_eq!(again.sees(60, sodium).findings, []);
    // By day the colour of the night is a cast, and a cover is a cover however dark it makes the picture.
    let mut camera = again;
    camera.half_a_day("the next day", day);
    let cast = |n: usize| {
        let mut f = day(n);
        f.tint.iter_mut().for_each(|t| *t = [t[0] - 24, t[1] + 18]);
        f
    };
    let covered = |n: usize| cover(day(n));
    let faults: [(Cause, &dyn Fn(usize) -> Features); 2] =
        [(Cause::PictureCovered, &covered), (Cause::PictureColourCast, &cast)];
    for (cause, fault) in faults {
        for _ in 0..3 {
            camera.sees(60, fault);
        }
        assert_eq!(causes(&camera.sees(60, fault)), [cause]);
        camera.sees(60, day);
        assert_eq!(camera.sees(60, day).findings, []);
    }
}

#[test]
fn lamps_that_come_on_at_once_are_no_cast() {
    let mut camera = Camera::new();
    camera.half_a_day("the first day", day);
    camera.half_a_day("the first night", sodium);
    let learned = camera.diagnosis.learned(CAMERA);
    assert!(learned.dark >= 30 && learned.day <= 36, "{learned:?}");
    camera.half_a_day("the second day", day);
    // A cover in the dark of a night that is known, and a cast by day, are told.
    camera.half_a_day("the second night", sodium);
    for _ in 0..3 {
        camera.sees(60, |n| cover(sodium(n)));
    }
    assert_eq!(causes(&camera.sees(60, |n| cover(sodium(n)))), [Cause::PictureCovered]);
    // What hangs before the lens by day is none of the night, though it makes the picture dark.
    let mut camera = Camera::new();
    camera.half_a_day("the first day", day);
    for _ in 0..3 {
        camera.sees(60, |n| cover(dim(day(n), 0.5)));
    }
    assert_eq!(causes(&camera.sees(60, |n| cover(dim(day(n), 0.5)))), [Cause::PictureCovered]);
}

#[test]
fn a_grey_day_teaches_nothing_of_infrared_nights() {
    let mut camera = Camera::new();
    for _ in 0..2 {
        camera.half_a_day("day", day);
        camera.half_a_day("night", infrared);
    }
    let before = camera.diagnosis.learned(CAMERA);
    // Fog: bright, little contrast, no colour left but a trace.
    let fog = |n| {
        let mut f = day(n);
        f.luma.iter_mut().for_each(|l| *l = (f32::from(*l) * 0.4) as u16 + 90 * 256);
        f.tint.iter_mut().for_each(|t| *t = [t[0] / 10, t[1] / 10]);
        Features { mean: 134.0, deviation: 20.0, sharpness: 0.4 * 400.0, saturation: 1.2, ..f }
    };
    camera.half_a_day("a day of fog", fog);
    let after = camera.diagnosis.learned(CAMERA);
    assert_eq!((after.infrared, after.dark), (before.infrared, before.dark), "{after:?}");
    assert!(after.day > before.day + 30, "{after:?}");
}

#[test]
fn one_keyframe_counts_once_and_a_fault_takes_its_time() {
    let mut camera = Camera::new();
    camera.half_a_day("day", day);
    let covered = |n| cover(day(n));
    let first = camera.sees(60, covered);
    assert_eq!((first.findings.len(), first.look_again), (0, Some(Duration::from_secs(45))));
    for _ in 0..5 {
        let again = camera.diagnosis.judge(CAMERA, &cover(day(camera.n)), at(camera.clock));
        assert_eq!(again, first, "the same picture says nothing anew");
    }
    // A lorry that waits for a minute, however often it is looked at.
    for _ in 0..8 {
        assert_eq!(camera.sees(10, covered).findings, []);
    }
    assert_eq!(causes(&camera.sees(10, covered)), [Cause::PictureCovered]);
    // Nothing that passes takes all light.
    let black = |n| Features { noise: 0.0, flat: 1.0, ..dim(day(n), 0.0) };
    let mut camera = Camera::new();
    assert_eq!(camera.sees(60, black).findings, []);
    assert_eq!(camera.sees(10, black).findings, []);
    let told = camera.sees(10, black);
    assert_eq!((causes(&told), told.look_again), (vec![Cause::PictureBlack], None));
}

#[test]
fn a_fault_ends_after_two_good_pictures() {
    let mut camera = Camera::new();
    camera.half_a_day("day", day);
    for _ in 0..3 {
        camera.sees(60, |n| cover(day(n)));
    }
    let covered = vec![Cause::PictureCovered];
    let one_good = camera.sees(60, day);
    assert_eq!((causes(&one_good), one_good.look_again), (covered.clone(), Some(SOON)));
    assert_eq!(causes(&camera.sees(5, |n| cover(day(n)))), covered, "it never ended");
    camera.sees(60, day);
    assert_eq!(camera.sees(5, day), Verdict::default());
    // What a black picture hides is over at once: what cannot be seen is not told.
    for _ in 0..4 {
        camera.sees(60, |n| cover(day(n)));
    }
    let black = |n| Features { noise: 0.0, flat: 1.0, ..dim(day(n), 0.0) };
    assert_eq!(causes(&camera.sees(60, black)), covered);
    assert_eq!(causes(&camera.sees(60, black)), [Cause::PictureBlack]);
}

#[test]
fn what_comes_slowly_is_found_in_the_end() {
    let found = |fault: &dyn Fn(usize, i32) -> Features| {
        let mut camera = Camera::new();
        for _ in 0..3 {
            camera.half_a_day("day", day);
        }
        for step in 0..1000 {
            if let Some(cause) = causes(&camera.sees(1200, |n| fault(n, step))).first() {
                return Some((*cause, step));
            }
        }
        None
    };
    // The lens gets dull: a hundredth and a half of the sharpness a picture, which is learned as fast as it goes.
    let dull = found(&|n, step| {
        let mut f = day(n);
        f.sharpness = (f.sharpness * 0.985f32.powi(step)).max(0.02 * 2500.0);
        f
    });
    assert!(matches!(dull, Some((Cause::PictureBlurred, 140..260))), "{dull:?}");
    // A plant grows before it, a column of cells in sixteen hours: that, too, is learned as fast as it goes.
    let plant = found(&|n, step| {
        let mut f = day(n);
        for cell in 0..GRID_CELLS {
            let grown = (step as f32 / 48.0 - (cell % GRID_COLUMNS) as f32).clamp(0.0, 1.0);
            f.detail[cell] = (80.0 - 78.0 * grown) as u8;
            f.luma[cell] = (f32::from(f.luma[cell]) * (1.0 - grown) + 35.0 * 256.0 * grown) as u16;
            f.edges[cell] = (f32::from(f.edges[cell]) * (1.0 - grown)) as u8;
        }
        f
    });
    assert!(matches!(plant, Some((Cause::PictureCovered, 400..700))), "{plant:?}");
}

#[test]
fn another_size_of_picture_is_learned_anew() {
    let mut camera = Camera::new();
    camera.half_a_day("day", day);
    // Twice as wide, the same scene has less detail in each sample and less noise: no fault.
    let large = |n| {
        let mut f = day(n);
        f.detail.fill(20);
        Features { width: 1280, height: 720, sharpness: 0.02 * 2500.0, noise: 0.4, ..f }
    };
    let before = camera.diagnosis.learned(CAMERA).day;
    for _ in 0..2 {
        assert_eq!(camera.sees(60, large).findings, []);
        assert_eq!(camera.diagnosis.learned(CAMERA).day, before, "one odd picture changes nothing");
    }
    assert_eq!(camera.sees(60, large).findings, []);
    assert_eq!(camera.diagnosis.learned(CAMERA).day, 1);
    assert_eq!(camera.sees(60, large).findings, []);
}

#[test]
fn a_class_that_is_switched_off_is_not_looked_for() {
    let mut camera = Camera::new();
    let still = |_| day(1);
    assert_eq!(camera.sees(60, still).look_again, None);
    assert!(camera.sees(60, still).look_again.is_some(), "it may stand still");
    let off = CameraSettings { off: vec![Cause::PictureFrozen], ..CameraSettings::default() };
    camera.diagnosis.set(CAMERA, off);
    assert_eq!(camera.sees(60, still).look_again, None);
    // Nor without end if it takes a day by a limit of its own.
    let slow = CameraSettings { off: Vec::new(), limits: vec![(Cause::PictureFrozen, 86_400.0)] };
    camera.diagnosis.set(CAMERA, slow);
    let looked = (0..40).filter(|_| camera.sees(10, still).look_again.is_some()).count();
    assert!(looked < 10, "{looked}");
}

#[test]
fn blocks_that_do_not_fit_are_borne_with_as_stripes_are() {
    let torn = |n| {
        let mut f = day(n);
        f.blocks.iter_mut().step_by(3).for_each(|b| *b = 9 * 8);
        Features { blockiness: 6.0, ..f }
    };
    let told = |limits: Vec<(Cause, f32)>| {
        let mut camera = Camera::new();
        camera.half_a_day("day", day);
        camera.diagnosis.set(CAMERA, CameraSettings { off: Vec::new(), limits });
        (0..4).map(|_| camera.sees(60, torn)).last().map(|verdict| causes(&verdict)).unwrap()
    };
    assert_eq!(told(Vec::new()), [Cause::PictureStripes]);
    assert_eq!(told(vec![(Cause::PictureStripes, 8.0)]), [Cause::PictureStripes], "the default, set by a person");
    assert_eq!(told(vec![(Cause::PictureStripes, 24.0)]), []);
}

#[test]
fn only_what_was_seen_is_accepted() {
    let mut camera = Camera::new();
    assert_eq!(camera.diagnosis.accept(CAMERA, &day(1), at(0)), Err(NotAccepted::NotJudged));
    for _ in 0..2 {
        camera.half_a_day("day", day);
        camera.half_a_day("night", infrared);
    }
    camera.half_a_day("day", day);
    let before = camera.diagnosis.learned(CAMERA);
    let moved = |n| {
        let mut f = day(n);
        f.luma.rotate_left(7 * GRID_COLUMNS + 13);
        f.edges.rotate_left(7 * GRID_COLUMNS + 13);
        f
    };
    let mut told = Verdict::default();
    for _ in 0..4 {
        told = camera.sees(60, moved);
    }
    assert_eq!(causes(&told), [Cause::SceneMoved]);
    let now = at(camera.clock);
    let mut accept = |seen: &Features| camera.diagnosis.accept(CAMERA, seen, now);
    assert_eq!(accept(&infrared(1)), Err(NotAccepted::OtherLight));
    assert_eq!(accept(&day(1)), Err(NotAccepted::Changed));
    // Of another stream of the same camera.
    assert_eq!(accept(&Features { width: 2560, height: 1440, ..moved(1) }), Ok(Light::Day));
    let after = camera.diagnosis.learned(CAMERA);
    assert_eq!((after.day, after.infrared), (1, before.infrared), "the nights stay");
    assert_eq!(camera.sees(60, moved).findings, []);
    // A picture that is black is nobody's usual.
    let black = |n| Features { noise: 0.0, flat: 1.0, ..dim(day(n), 0.0) };
    camera.sees(60, black);
    let refused = camera.diagnosis.accept(CAMERA, &black(1), at(camera.clock));
    assert!(matches!(refused, Err(NotAccepted::Fault(Cause::PictureBlack) | NotAccepted::Changed)), "{refused:?}");
}

/// What is measured on a picture drawn sample by sample, in grey.
fn measured(width: usize, height: usize, sample: impl Fn(usize, usize) -> f32) -> Features {
    let luma: Vec<u8> = (0..width * height).map(|i| sample(i % width, i / width).round() as u8).collect();
    let luma = planes::Plane::new(&luma, width, width, height).unwrap();
    measure::features(&planes::Planes { luma, chroma: None, full_range: true, bt709: false })
}

#[test]
fn a_still_scene_of_many_samples_is_not_frozen() {
    const SIZE: (usize, usize) = (2560, 1440);
    const POOL: usize = 1 << 18;
    // Irwin and Hall: the sum of three even numbers of one has half a step as its deviation.
    let even = |at| chance(31, at) + chance(32, at) + chance(33, at) - 1.5;
    let pool: Vec<f32> = (0..POOL).map(|at| 2.0 * even(at)).collect();
    let blocks: Vec<f32> = (0..70 * 50).map(|at| 60.0 + 120.0 * chance(5, at)).collect();
    for (noise, expected) in [(1.2f32, false), (0.0, true)] {
        let mut stillness = Stillness::default();
        let config = DiagnosisConfig::default();
        let (mut told, mut clock) = (false, 0);
        for n in 0..14usize {
            let picture = measured(SIZE.0, SIZE.1, |x, y| {
                // The clock runs on.
                if y < 60 && x < 200 {
                    return (n * 9) as f32;
                }
                blocks[y / 29 * 70 + x / 37] + noise * pool[(y * SIZE.0 + x * 3 + n * 104_729) % POOL]
            });
            clock += [60, 11, 7, 130][n % 4];
            let still = stillness.take(&picture, at(clock).mono);
            told |= still.sign(&picture, Limits::new(&config, None)).is_some();
        }
        assert_eq!(told, expected, "noise {noise}");
    }
}

#[test]
fn a_screen_that_says_why_there_is_no_signal_is_black() {
    let screen = |caption: bool| {
        let mut f = measured(640, 360, |x, y| {
            let written = caption && (250..390).contains(&x) && (160..200).contains(&y) && (x / 6 + y / 9) % 3 == 0;
            if written { 235.0 } else { 60.0 }
        });
        f.tint = vec![[90, -18]; GRID_CELLS];
        f
    };
    for caption in [false, true] {
        let mut camera = Camera::new();
        camera.half_a_day("day", day);
        camera.sees(60, |_| screen(caption));
        assert_eq!(causes(&camera.sees(60, |_| screen(caption))), [Cause::PictureBlack], "caption {caption}");
    }
}
