//! From coded pictures to findings: faults are found, good scenes are left alone.

use crate::{
    Test, pool,
    samples::{Frame, HEIGHT, WIDTH, coded, scene, with_clock},
    wait_at_most, wait_for,
};
use fleet::{CameraId, Cause, Codec, Mono, Now, Wall};
use picture::{CameraSettings, Diagnosis, DiagnosisConfig, Features, Learned, MeasureKind, Pool, Verdict};
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("faults::good_scenes_have_none", good),
    ("faults::each_fault_is_found_after_agreement", each_fault),
    ("faults::between_dark_and_black_it_is_told_as_dark", border),
    ("faults::one_bad_picture_is_not_a_fault", one_bad),
    ("faults::frozen_needs_time_and_identical_pictures", frozen),
    ("faults::a_moved_scene_is_found_against_the_baseline", moved),
    ("faults::what_was_learned_in_five_minutes_is_doubted", young),
    ("faults::infrared_night_is_not_a_fault", night),
    ("faults::a_whole_day_has_no_finding_but_the_real_fault_in_it", whole_day),
    ("faults::twins_are_found", twins),
    ("faults::limits_and_classes_are_one_cameras_own", own_limits),
    ("faults::baselines_outlive_a_restart", restart),
    ("faults::a_false_alarm_is_not_told_until_its_time_is_over", false_alarm),
];

const CAMERA: CameraId = CameraId(1);

fn at(seconds: u64) -> Now {
    Now { mono: Mono::default() + Duration::from_secs(1000 + seconds), wall: Wall(0) }
}

async fn measured(pool: &Pool, frames: &[Frame]) -> Vec<Features> {
    let mut all = Vec::new();
    for data in coded(frames) {
        all.push(pool.assess(CAMERA, Codec::H264, data).await.unwrap().features);
    }
    all
}

/// Pictures of a place, `fault` done to what the sensor sees, the clock burned in afterwards.
async fn pictures(
    pool: &Pool,
    place: u64,
    numbers: std::ops::Range<u64>,
    fault: impl Fn(&mut Frame, u64),
) -> Vec<Features> {
    let frame = |n| {
        let mut frame = scene(place, n);
        fault(&mut frame, n);
        with_clock(frame, n)
    };
    measured(pool, &numbers.map(frame).collect::<Vec<_>>()).await
}

fn nothing(_: &mut Frame, _: u64) {}

fn causes(verdict: &Verdict) -> Vec<Cause> {
    verdict.findings.iter().map(|f| f.cause).collect()
}

/// What is found picture after picture, a minute apart.
fn judge(diagnosis: &mut Diagnosis, pictures: &[Features], clock: &mut u64) -> Vec<Vec<Cause>> {
    let mut found = Vec::new();
    for features in pictures {
        *clock += 60;
        found.push(causes(&diagnosis.judge(CAMERA, features, at(*clock))));
    }
    found
}

fn good() {
    wait_for(async {
        let pool = pool(|_| {});
        for place in 0..6 {
            let mut diagnosis = Diagnosis::new(DiagnosisConfig::default());
            for (n, features) in pictures(&pool, place, 0..8, nothing).await.iter().enumerate() {
                let verdict = diagnosis.judge(CAMERA, features, at(n as u64 * 60));
                assert_eq!(verdict, Verdict::default(), "place {place}, picture {n}: {}", figures(features));
            }
        }
    });
}

fn map(samples: &mut [u8], change: impl Fn(f32) -> f32) {
    for sample in samples {
        *sample = change(f32::from(*sample)).clamp(0.0, 255.0) as u8;
    }
}

fn blur(frame: &mut Frame, radius: usize) {
    for (step, along, lines, stride) in [(1, WIDTH, HEIGHT, WIDTH), (WIDTH, HEIGHT, WIDTH, 1)] {
        for line in 0..lines {
            let old: Vec<u32> = (0..along).map(|i| u32::from(frame.y[line * stride + i * step])).collect();
            for i in 0..along {
                let window = &old[i.saturating_sub(radius)..(i + radius + 1).min(along)];
                frame.y[line * stride + i * step] = (window.iter().sum::<u32>() / window.len() as u32) as u8;
            }
        }
    }
}

type Fault = fn(&mut Frame, u64);

const FAULTS: &[(Cause, Fault)] = &[
    (Cause::PictureBlack, |f, _| {
        f.y.fill(16);
        f.u.fill(128);
        f.v.fill(128);
    }),
    (Cause::PictureTooDark, |f, _| {
        map(&mut f.y, |y| 16.0 + (y - 16.0) * 0.1);
        map(&mut f.u, |u| 128.0 + (u - 128.0) * 0.3);
        map(&mut f.v, |v| 128.0 + (v - 128.0) * 0.3);
    }),
    (Cause::PictureTooBright, |f, _| map(&mut f.y, |y| 235.0 - (235.0 - y) * 0.1)),
    (Cause::PictureBlurred, |f, _| {
        blur(f, 8);
        blur(f, 8);
    }),
    (Cause::PictureCovered, |f, _| {
        blur(f, 20);
        map(&mut f.y, |y| 45.0 + (y - 100.0) * 0.05);
        f.u.fill(126);
        f.v.fill(131);
    }),
    (Cause::PictureColourCast, |f, _| {
        map(&mut f.u, |u| u - 18.0);
        map(&mut f.v, |v| v + 48.0);
    }),
    (Cause::PictureNoise, |f, n| {
        let mut state = n + 1;
        map_each(&mut f.y, |y| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (y + ((state >> 40) as f32 / 16_777_216.0 - 0.5) * 160.0).clamp(16.0, 235.0)
        });
    }),
    (Cause::PictureStripes, |f, n| {
        for (row, samples) in f.y.chunks_exact_mut(WIDTH).enumerate() {
            if (row + n as usize * 3) % 20 < 10 {
                map(samples, |y| 235.0 - (y - 16.0) * 0.45);
            }
        }
    }),
];

fn map_each(samples: &mut [u8], mut change: impl FnMut(f32) -> f32) {
    for sample in samples {
        *sample = change(f32::from(*sample)) as u8;
    }
}

fn each_fault() {
    wait_for(async {
        let pool = pool(|_| {});
        let usual = pictures(&pool, 3, 0..6, nothing).await;
        for &(cause, fault) in FAULTS {
            let bad = pictures(&pool, 3, 10..13, fault).await;
            for learned in [false, true] {
                let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
                if learned {
                    judge(&mut diagnosis, &usual, &mut clock);
                }
                let needed = if cause == Cause::PictureBlack { 2 } else { 3 };
                for (n, features) in bad.iter().enumerate() {
                    clock += 60;
                    let verdict = diagnosis.judge(CAMERA, features, at(clock));
                    let expected = if n + 1 < needed { vec![] } else { vec![cause] };
                    assert_eq!(causes(&verdict), expected, "{cause} learned {learned} {n}: {}", figures(features));
                    assert_eq!(verdict.look_again.is_some(), n + 1 < needed, "{cause} {n}: {}", figures(features));
                    for finding in &verdict.findings {
                        assert!((0.6..=1.0).contains(&finding.confidence) && !finding.detail.is_empty(), "{finding:?}");
                    }
                }
                let over = judge(&mut diagnosis, &usual[..2], &mut clock);
                assert_eq!(over, [vec![cause], vec![]], "one good picture is no repair");
            }
        }
    });
}

fn figures(f: &Features) -> String {
    let f = Features { luma: vec![], edges: vec![], checks: vec![], ..f.clone() };
    format!("{f:?}")
}

fn border() {
    wait_for(async {
        let pool = pool(|_| {});
        let dark = pictures(&pool, 2, 0..2, |f, _| map(&mut f.y, |y| 16.0 + (y - 16.0) * 0.05)).await;
        let black = pictures(&pool, 2, 6..8, |f, _| f.y.fill(16)).await;
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        let in_turn = [&dark[0], &black[0], &dark[1], &black[1], &black[0]];
        let found: Vec<_> =
            in_turn.iter().map(|f| judge(&mut diagnosis, std::slice::from_ref(*f), &mut clock).remove(0)).collect();
        let (no, too_dark, all_black) = (vec![], vec![Cause::PictureTooDark], vec![Cause::PictureBlack]);
        assert_eq!(found, [no.clone(), no, too_dark.clone(), too_dark, all_black]);
    });
}

fn one_bad() {
    wait_for(async {
        let pool = pool(|_| {});
        let usual = pictures(&pool, 1, 0..8, nothing).await;
        for &(cause, fault) in FAULTS {
            let bad = pictures(&pool, 1, 20..21, fault).await;
            let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
            for pair in usual.chunks_exact(2) {
                assert_eq!(judge(&mut diagnosis, pair, &mut clock), [[], []], "{cause}");
                assert_eq!(judge(&mut diagnosis, &bad, &mut clock), [[]], "{cause}");
            }
        }
    });
}

fn frozen() {
    wait_for(async {
        let pool = pool(|_| {});
        let still = measured(&pool, &[with_clock(scene(2, 0), 0)]).await.remove(0);
        let other = measured(&pool, &[with_clock(scene(2, 1), 1)]).await.remove(0);
        let frozen = vec![Cause::PictureFrozen];
        let mut diagnosis = Diagnosis::new(DiagnosisConfig::default());
        // Identical pictures, but too quick; then long enough; one other picture ends it.
        for (seconds, shown, expected) in [
            (0, &still, &vec![]),
            (5, &still, &vec![]),
            (12, &still, &vec![]),
            (20, &still, &vec![]),
            (31, &still, &frozen),
            (60, &other, &vec![]),
            (90, &still, &vec![]),
        ] {
            assert_eq!(&causes(&diagnosis.judge(CAMERA, shown, at(seconds))), expected, "after {seconds} s");
        }

        // The clock runs on: only long and irregular watching decides.
        let running: Vec<Frame> = (0..60).map(|n| with_clock(scene(2, 0), n)).collect();
        let running = measured(&pool, &running).await;
        let mut clock = 200;
        let mut found = None;
        for (n, features) in running.iter().enumerate() {
            if causes(&diagnosis.judge(CAMERA, features, at(clock))) == frozen {
                // This picture was first shown at second 90.
                found = Some(clock - 90);
                break;
            }
            clock += [60, 11, 7, 13][n % 4];
        }
        assert!(found.is_some_and(|seconds| (600..900).contains(&seconds)), "{found:?}");

        // A scene that repeats itself in step with the checks is not called frozen.
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        assert!(judge(&mut diagnosis, &running, &mut clock).iter().all(Vec::is_empty));
    });
}

fn moved() {
    wait_for(async {
        let pool = pool(|_| {});
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        let usual = pictures(&pool, 4, 0..6, nothing).await;
        assert!(judge(&mut diagnosis, &usual, &mut clock).iter().all(Vec::is_empty));
        // Evening and fog change the picture, not the scene.
        for light in
            [|f: &mut Frame, _| map(&mut f.y, |y| y * 0.6), |f: &mut Frame, _| map(&mut f.y, |y| 120.0 + y * 0.35)]
        {
            let changed = pictures(&pool, 4, 10..14, light).await;
            let found = judge(&mut diagnosis, &changed, &mut clock);
            assert!(found.iter().all(Vec::is_empty), "{found:?} {}", figures(&changed[0]));
        }
        let elsewhere = pictures(&pool, 5, 20..26, nothing).await;
        // Drawn places are much alike: not every picture is a sign.
        let found = judge(&mut diagnosis, &elsewhere, &mut clock);
        assert!(found[..2].iter().all(Vec::is_empty), "{found:?}");
        assert_eq!(found.last().unwrap()[..], [Cause::SceneMoved], "{found:?}");
        assert!(judge(&mut diagnosis, &usual[..2], &mut clock)[1].is_empty());
        // A person accepts the new direction.
        judge(&mut diagnosis, &elsewhere[..1], &mut clock);
        diagnosis.accept(CAMERA, &elsewhere[1], at(clock)).unwrap();
        assert_eq!(diagnosis.learned(CAMERA).day, 1, "learning begins with the picture that was accepted");
        assert!(judge(&mut diagnosis, &elsewhere, &mut clock).iter().all(Vec::is_empty));
    });
}

fn young() {
    wait_for(async {
        let pool = pool(|_| {});
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        let scene_limit = |diagnosis: &Diagnosis| {
            let measures = diagnosis.measures(CAMERA);
            measures.iter().find(|m| m.kind == MeasureKind::Scene).and_then(|m| m.low).unwrap()
        };
        let usual = pictures(&pool, 4, 0..30, nothing).await;
        let other = pictures(&pool, 5, 50..58, nothing).await;
        judge(&mut diagnosis, &usual[..10], &mut clock);
        let Learned { day, settled, needed, .. } = diagnosis.learned(CAMERA);
        assert_eq!((day, needed), (5, 5), "ten pictures in ten minutes are one look");
        assert!(scene_limit(&diagnosis) < 0.25);
        // Another place is another place at once, but nobody is to be sure of it.
        let told = |diagnosis: &mut Diagnosis, clock: &mut u64| {
            let verdicts: Vec<Verdict> = other
                .iter()
                .map(|features| {
                    *clock += 60;
                    diagnosis.judge(CAMERA, features, at(*clock))
                })
                .collect();
            let last = verdicts.last().unwrap();
            assert_eq!(causes(last), [Cause::SceneMoved]);
            last.findings[0].confidence
        };
        let young = told(&mut diagnosis, &mut clock);
        assert!(young <= 0.6, "{young}");
        // Hours later the camera's light and weather are known.
        for n in 0.. {
            clock += 1200;
            let verdict = diagnosis.judge(CAMERA, &usual[n % usual.len()], at(clock));
            // One good picture is no repair; the second is.
            assert!(n == 0 || verdict.findings.is_empty(), "{n}: {:?}", causes(&verdict));
            if diagnosis.learned(CAMERA).day == settled {
                break;
            }
        }
        assert_eq!(scene_limit(&diagnosis), 0.35);
        let sure = told(&mut diagnosis, &mut clock);
        assert!(sure > 0.8, "{sure}");
    });
}

fn night() {
    wait_for(async {
        let pool = pool(|_| {});
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        let infrared = |f: &mut Frame, _| {
            map(&mut f.y, |y| 16.0 + (y - 16.0) * 0.35);
            f.u.fill(128);
            f.v.fill(128);
        };
        for round in 0..3 {
            for change in [nothing, infrared] {
                let seen = pictures(&pool, 2, round * 10..round * 10 + 4, change).await;
                assert!(judge(&mut diagnosis, &seen, &mut clock).iter().all(Vec::is_empty), "round {round}");
            }
        }
    });
}

/// What a camera sees at an hour of the day: light, colour, weather, vehicles.
fn hour_of_day(frame: &mut Frame, hour: f32, n: u64) {
    let mut state = n + 1;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    // Full light from 9 to 16; dark at 20 and until 5.
    let sun = ((hour - 5.0) / 4.0).min((20.0 - hour) / 4.0).clamp(0.0, 1.0);
    // The filter swings away below this.
    let infrared = sun < 0.15;
    let gain = if infrared { 0.35 } else { 0.35 + 0.65 * sun };
    map(&mut frame.y, |y| 16.0 + (y - 16.0) * gain);
    if infrared {
        frame.u.fill(128);
        frame.v.fill(128);
    } else {
        // Red in the evening, and with less colour in less light.
        map(&mut frame.u, |u| 128.0 + (u - 128.0) * (0.5 + sun / 2.0) - 4.0 * (1.0 - sun));
        map(&mut frame.v, |v| 128.0 + (v - 128.0) * (0.5 + sun / 2.0) + 5.0 * (1.0 - sun));
    }
    // The gain of the sensor brings noise, by night most.
    let noise = if infrared { 12.0 } else { 4.0 + 8.0 * (1.0 - sun) };
    map_each(&mut frame.y, |y| y + (random(1000) as f32 / 1000.0 - 0.5) * noise);
    if (13.0..16.0).contains(&hour) {
        // Rain dims the scene, takes its colour, and draws streaks.
        map(&mut frame.y, |y| 38.0 + (y - 16.0) * 0.65);
        map(&mut frame.u, |u| 128.0 + (u - 128.0) * 0.7);
        map(&mut frame.v, |v| 128.0 + (v - 128.0) * 0.7);
        for _ in 0..120 {
            let (x, y) = (random(WIDTH - 8), random(HEIGHT - 40));
            for step in 0..8 + random(24) {
                let sample = &mut frame.y[(y + step) * WIDTH + x + step / 7];
                *sample = (f32::from(*sample) * 0.7 + 57.0) as u8;
            }
        }
    }
    if infrared && n.is_multiple_of(3) {
        // A vehicle comes towards the camera.
        let (x, y) = (60 + random(WIDTH - 120), 150 + random(120));
        for row in y - 40..y + 40 {
            for column in x - 50..x + 50 {
                let far = ((row as f32 - y as f32) / 40.0).hypot((column as f32 - x as f32) / 50.0);
                let sample = &mut frame.y[row * WIDTH + column];
                *sample = (f32::from(*sample) + (1.0 - far).max(0.0) * 200.0).min(235.0) as u8;
            }
        }
    }
}

fn whole_day() {
    wait_at_most(Duration::from_secs(600), async {
        let pool = pool(|_| {});
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        // Six pictures an hour, from ten in the morning until ten in the next: day, rain, dusk, infrared, dawn.
        let hour = |n: u64| (10.0 + n as f32 / 6.0) % 24.0;
        let day = pictures(&pool, 2, 0..144, |frame, n| hour_of_day(frame, hour(n), n)).await;
        let mut lights = [0, 0];
        for (n, features) in day.iter().enumerate() {
            clock += 600;
            let verdict = diagnosis.judge(CAMERA, features, at(clock));
            assert_eq!(verdict.findings, [], "at {:.1} h: {}", hour(n as u64), figures(features));
            lights[usize::from(features.saturation < 3.0)] += 1;
        }
        assert!(lights[0] > 60 && lights[1] > 40, "the day has {} pictures, the night {}", lights[0], lights[1]);
        let learned = diagnosis.learned(CAMERA);
        assert!(learned.day + learned.dark > 40 && learned.infrared > 20, "{learned:?}");
        // The next day something hangs before the lens from noon to two, and again in the night from eleven to one.
        let cover = |frame: &mut Frame| {
            for (row, line) in frame.y.chunks_exact_mut(WIDTH).enumerate() {
                line[..WIDTH * 3 / 5].fill(40 + (row / 40) as u8);
            }
            frame.u.chunks_exact_mut(WIDTH / 2).for_each(|line| line[..WIDTH * 3 / 10].fill(126));
            frame.v.chunks_exact_mut(WIDTH / 2).for_each(|line| line[..WIDTH * 3 / 10].fill(130));
        };
        let covered = |n: u64| (12.0..14.0).contains(&hour(n)) || hour(n) >= 23.0 || hour(n) < 1.0;
        let next = pictures(&pool, 2, 144..288, |frame, n| {
            hour_of_day(frame, hour(n), n);
            if covered(n) {
                cover(frame);
                if hour(n) >= 23.0 || hour(n) < 1.0 {
                    frame.u.fill(128);
                    frame.v.fill(128);
                }
            }
        })
        .await;
        let (mut run, mut clear, mut told) = (0, 0, false);
        for (n, features) in (144..).zip(&next) {
            clock += 600;
            (run, clear) = if covered(n) { (run + 1, 0) } else { (0, clear + 1) };
            // Three begin it, two good ones end it.
            told = run >= 3 || told && clear < 2;
            let expected = if told { vec![Cause::PictureCovered] } else { vec![] };
            let found = causes(&diagnosis.judge(CAMERA, features, at(clock)));
            assert_eq!(found, expected, "at {:.1} h, {run} covered: {}", hour(n), figures(features));
        }
    });
}

fn twins() {
    wait_for(async {
        let pool = pool(|_| {});
        let mut diagnosis = Diagnosis::new(DiagnosisConfig::default());
        let mut found = Vec::new();
        for n in 0..6u64 {
            for (camera, place) in [(1, 0), (2, 1), (3, 0)] {
                let seen = pictures(&pool, place, n..n + 1, nothing).await.remove(0);
                let verdict = diagnosis.judge(CameraId(camera), &seen, at(n * 60 + u64::from(camera)));
                if camera == 3 && n == 0 {
                    assert_eq!(verdict.look_also_at, Some(CameraId(1)), "both are looked at again, at once");
                }
                found.extend(verdict.findings.into_iter().map(|f| (n, camera, f.cause, f.twin)));
            }
        }
        // From the fourth meeting on both are told, each with the other.
        let same = |n, camera, twin| (n, camera, Cause::SamePicture, Some(CameraId(twin)));
        assert_eq!(found, [same(3, 3, 1), same(4, 1, 3), same(4, 3, 1), same(5, 1, 3), same(5, 3, 1)]);
        // A person may have the class off for one of them.
        diagnosis.set(CameraId(3), CameraSettings { off: vec![Cause::SamePicture], ..CameraSettings::default() });
        let seen = pictures(&pool, 0, 9..10, nothing).await.remove(0);
        assert_eq!(diagnosis.judge(CameraId(3), &seen, at(600)).findings, []);
    });
}

fn own_limits() {
    wait_for(async {
        let pool = pool(|_| {});
        let dusk = pictures(&pool, 2, 0..9, |f, _| map(&mut f.y, |y| 16.0 + (y - 16.0) * 0.35)).await;
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        assert!(judge(&mut diagnosis, &dusk[..3], &mut clock).iter().all(Vec::is_empty));
        let set =
            |off: &[Cause], limit| CameraSettings { off: off.to_vec(), limits: vec![(Cause::PictureTooDark, limit)] };
        diagnosis.set(CAMERA, set(&[], 60.0));
        assert_eq!(judge(&mut diagnosis, &dusk[3..6], &mut clock).last().unwrap()[..], [Cause::PictureTooDark]);
        assert_eq!(diagnosis.measures(CAMERA)[0].low, Some(60.0), "shown with the limit that holds");
        // Another camera keeps the limits of all.
        clock += 60;
        for features in &dusk[3..6] {
            assert_eq!(diagnosis.judge(CameraId(2), features, at(clock)).findings, []);
        }
        diagnosis.set(CAMERA, set(&[Cause::PictureTooDark], 60.0));
        assert!(judge(&mut diagnosis, &dusk[6..], &mut clock).iter().all(Vec::is_empty), "switched off");
    });
}

fn restart() {
    wait_for(async {
        let pool = pool(|_| {});
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        judge(&mut diagnosis, &pictures(&pool, 4, 0..6, nothing).await, &mut clock);
        assert_eq!(diagnosis.take_changed().len(), 1);
        let (stored, learned) = (diagnosis.record(CAMERA).unwrap(), diagnosis.learned(CAMERA));
        println!("baseline of one camera: {} bytes", stored.len());
        assert!(stored.len() < 9000 && learned.day >= 5);
        let mut diagnosis = Diagnosis::new(DiagnosisConfig::default());
        assert!(diagnosis.restore(CAMERA, &stored[1..]).is_err());
        assert_eq!(diagnosis.record(CAMERA), None, "a damaged record teaches nothing");
        diagnosis.restore(CAMERA, &stored).unwrap();
        assert_eq!(diagnosis.learned(CAMERA), learned);
        clock = 0;
        let found = judge(&mut diagnosis, &pictures(&pool, 5, 20..26, nothing).await, &mut clock);
        assert_eq!(found.last().unwrap()[..], [Cause::SceneMoved]);
    });
}

fn false_alarm() {
    wait_for(async {
        let pool = pool(|_| {});
        let (mut diagnosis, mut clock) = (Diagnosis::new(DiagnosisConfig::default()), 0);
        let dark = pictures(&pool, 2, 0..6, |f, _| map(&mut f.y, |y| 16.0 + (y - 16.0) * 0.05)).await;
        assert_eq!(judge(&mut diagnosis, &dark[..3], &mut clock).last().unwrap()[..], [Cause::PictureTooDark]);
        assert_eq!(diagnosis.learned(CAMERA).day, 0);
        // By the wall clock, which stands at 0 in these tests.
        diagnosis.except(CAMERA, Cause::PictureTooDark, Wall(1));
        clock += 60;
        let verdict = diagnosis.judge(CAMERA, &dark[3], at(clock));
        assert_eq!(verdict.fault(), None, "not told");
        assert_eq!(verdict.excepted[0].cause, Cause::PictureTooDark, "but shown");
        assert_eq!(diagnosis.measures(CAMERA)[0].low, Some(24.0));
        let nothing = |l: Learned| l.day + l.dark + l.infrared == 0;
        assert!(nothing(diagnosis.learned(CAMERA)), "else it would not be found when the exception ends");
        // Other classes are told as before.
        let black = pictures(&pool, 2, 6..9, |f, _| f.y.fill(16)).await;
        assert_eq!(judge(&mut diagnosis, &black, &mut clock).last().unwrap()[..], [Cause::PictureBlack]);
        // A false alarm is not told under the name of what it explains: a black picture is dark, too. Nor is it learned.
        diagnosis.except(CAMERA, Cause::PictureBlack, Wall(1));
        let learned = diagnosis.learned(CAMERA);
        for picture in [&black[0], &black[1], &black[2], &black[0], &black[1]] {
            clock += 60;
            let verdict = diagnosis.judge(CAMERA, picture, at(clock));
            assert_eq!(verdict.findings, [], "told by another name");
            assert_eq!(verdict.excepted[0].cause, Cause::PictureBlack);
        }
        assert_eq!(diagnosis.learned(CAMERA), learned);
        // When its time is over, it is told again.
        diagnosis.except(CAMERA, Cause::PictureTooDark, Wall(0));
        assert_eq!(judge(&mut diagnosis, &dark[3..], &mut clock).last().unwrap()[..], [Cause::PictureTooDark]);
    });
}
