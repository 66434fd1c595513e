//! Workers that were taken over: they confine themselves and get ready like a real one, then answer as they like.
//! The program knows its part by the name of the link it is started by.

use crate::{Test, samples::*, wait_for};
use fleet::{CameraId, Codec};
use picture::{PictureError, Pool};
use std::{
    io::{Read, Write},
    os::unix::fs::symlink,
    process::ExitCode,
    time::Duration,
};

pub(crate) const TESTS: &[Test] = &[
    ("hostile::answers_of_a_taken_over_worker_are_refused", answers),
    ("hostile::a_picture_that_takes_all_the_time_is_to_blame", spins),
    ("hostile::a_worker_that_ends_after_its_answer_blames_that_picture", aftermath),
    ("hostile::a_replacement_without_a_sandbox_does_not_serve", naked),
];

/// The parts, and the first bytes of what they answer to a picture.
const PARTS: &[(&str, &[u8])] = &[
    ("hostile-length", &[0xff, 0xff, 0xff, 0xff]),
    ("hostile-empty", &[0, 0, 0, 0]),
    ("hostile-kind", &[1, 0, 0, 0, 99]),
    ("hostile-ready-again", &[2, 0, 0, 0, 1, b'{']),
    ("hostile-rendered", &[12, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd8, 0xff]),
    ("hostile-short", &[9, 0, 0, 0, 2, 1, 1, 1, 1, 1, 1, 1, 1]),
    ("hostile-half", &[200, 0, 0, 0, 2, 1]),
    ("hostile-silent", &[]),
];

/// A worker that computes without end.
const SPINS: &str = "hostile-spins";
/// One that refuses a picture and ends.
const ENDS: &str = "hostile-ends";
/// One that is confined only while the file beside it is there.
const NAKED: &str = "hostile-naked";

pub(crate) fn is_hostile(program: &str) -> bool {
    PARTS.iter().map(|(name, _)| *name).chain([SPINS, ENDS, NAKED]).any(|name| program.ends_with(name))
}

/// The worker's side.
pub(crate) fn run(program: &str) -> ExitCode {
    // Refused, after no time at all, for "no".
    let refused: &[u8] = &[11, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, b'n', b'o'];
    let answer = PARTS.iter().find(|(name, _)| program.ends_with(name)).map_or(refused, |(_, answer)| answer);
    let confined = !program.ends_with(NAKED) || std::path::Path::new(&format!("{program}.confined")).exists();
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    let mut length = [0; 4];
    let mut message = Vec::new();
    for turn in 0.. {
        if input.read_exact(&mut length).is_err() {
            break;
        }
        message.resize(u32::from_le_bytes(length) as usize, 0);
        input.read_exact(&mut message).unwrap();
        let whole: &[u8] = b"\x01{\"layers\":[]}";
        let naked: &[u8] = b"\x01{\"layers\":[{\"layer\":\"seccomp\",\"active\":false,\"detail\":\"gone\"}]}";
        let ready = if confined { whole } else { naked };
        if turn > 0 && program.ends_with(SPINS) {
            loop {
                std::hint::spin_loop();
            }
        }
        if turn == 0 {
            output.write_all(&u32::try_from(ready.len()).unwrap().to_le_bytes()).unwrap();
            output.write_all(ready).unwrap();
        } else {
            output.write_all(answer).unwrap();
        }
        output.flush().unwrap();
        if turn > 0 && (program.ends_with(ENDS) || program.ends_with(NAKED)) {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn answers() {
    let folder = tempfile::tempdir().unwrap();
    for (name, _) in PARTS {
        let program = folder.path().join(name);
        symlink(std::env::current_exe().unwrap(), &program).unwrap();
        wait_for(async {
            let config =
                picture::Config { workers: 1, time_limit: Duration::from_millis(400), ..picture::Config::default() };
            let pool = Pool::start(config, program.clone()).unwrap();
            let error = pool.assess(CameraId(1), Codec::H264, lively(Codec::H264, "176x144")).await.unwrap_err();
            assert!(matches!(error, PictureError::Crashed(_) | PictureError::Busy), "{name}: {error:?}");
            pool.shutdown().await;
        });
    }
}

/// A pool of workers that play this part.
fn playing(folder: &tempfile::TempDir, part: &str, change: impl FnOnce(&mut picture::Config)) -> Pool {
    let program = folder.path().join(part);
    symlink(std::env::current_exe().unwrap(), &program).unwrap();
    let mut config = picture::Config { workers: 1, kills_before_parking: 1, ..picture::Config::default() };
    change(&mut config);
    Pool::start(config, program).unwrap()
}

async fn ended(pid: u32) {
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    while !state().contains(") Z") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn spins() {
    let folder = tempfile::tempdir().unwrap();
    // Also on a machine so busy that one attempt proves nothing.
    wait_for(async {
        let pool = playing(&folder, SPINS, |c| c.time_limit = Duration::from_millis(100));
        let data = lively(Codec::H264, "176x144");
        loop {
            match pool.assess(CameraId(1), Codec::H264, data.clone()).await {
                Err(PictureError::Busy) => {}
                other => break assert_eq!(other, Err(PictureError::TimedOut)),
            }
        }
        assert_eq!((pool.stats().timed_out, pool.stats().parked_cameras), (1, 1));
    });
}

fn aftermath() {
    let folder = tempfile::tempdir().unwrap();
    wait_for(async {
        let pool = playing(&folder, ENDS, |_| {});
        // Until the worker is gone that gave the answer.
        let served = async |camera, codec| {
            let outcome = pool.assess(CameraId(camera), codec, lively(codec, "176x144")).await;
            if matches!(outcome, Err(PictureError::Undecodable(_))) {
                ended(pool.stats().pids[0]).await;
            }
            outcome.unwrap_err()
        };
        // Once more where the machine was so busy that the end was seen too late to blame anybody.
        let mut other = 1;
        loop {
            let refused = served(1, Codec::H264).await;
            if matches!(refused, PictureError::Parked(_)) {
                break;
            }
            assert!(matches!(refused, PictureError::Undecodable(_)), "{refused:?}");
            // The next camera is served by another worker, and the one before pays.
            other += 1;
            let refused = served(other, Codec::H265).await;
            assert!(matches!(refused, PictureError::Undecodable(_)), "{refused:?}");
        }
    });
}

fn naked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hostile-naked.confined"), "").unwrap();
    wait_for(async {
        let pool = playing(&folder, NAKED, |c| c.sandbox = picture::SandboxPolicy::Require);
        let data = lively(Codec::H264, "176x144");
        std::fs::remove_file(folder.path().join("hostile-naked.confined")).unwrap();
        // The first worker answers and ends; what would take its place is not confined.
        let pid = pool.stats().pids[0];
        assert!(matches!(pool.assess(CameraId(1), Codec::H264, data.clone()).await, Err(PictureError::Undecodable(_))));
        ended(pid).await;
        let refused = pool.assess(CameraId(2), Codec::H264, data).await.unwrap_err();
        let PictureError::Own(why) = &refused else { panic!("{refused:?}") };
        assert!(why.contains("seccomp (gone)"), "{why}");
        assert!(pool.stats().fault.is_some_and(|f| f.contains("seccomp")));
    });
}
