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

pub(crate) const TESTS: &[Test] = &[("hostile::answers_of_a_taken_over_worker_are_refused", answers)];

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

pub(crate) fn is_hostile(program: &str) -> bool {
    PARTS.iter().any(|(name, _)| program.ends_with(name))
}

/// The worker's side.
pub(crate) fn run(program: &str) -> ExitCode {
    let answer = PARTS.iter().find(|(name, _)| program.ends_with(name)).unwrap().1;
    let (mut input, mut output) = (std::io::stdin(), std::io::stdout());
    let mut length = [0; 4];
    let mut message = Vec::new();
    for turn in 0.. {
        if input.read_exact(&mut length).is_err() {
            break;
        }
        message.resize(u32::from_le_bytes(length) as usize, 0);
        input.read_exact(&mut message).unwrap();
        let ready = b"\x01{\"layers\":[]}";
        if turn == 0 {
            output.write_all(&u32::try_from(ready.len()).unwrap().to_le_bytes()).unwrap();
            output.write_all(ready).unwrap();
        } else {
            output.write_all(answer).unwrap();
        }
        output.flush().unwrap();
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
            assert!(matches!(error, PictureError::Crashed(_) | PictureError::TimedOut), "{name}: {error:?}");
            pool.shutdown().await;
        });
    }
}
