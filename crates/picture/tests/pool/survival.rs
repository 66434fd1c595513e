//! Whatever a picture or a worker does, the pool answers and goes on.

use crate::{Test, pool, samples::*, wait_at_most, wait_for};
use bytes::Bytes;
use fleet::{CameraId, Cause, Codec};
use picture::{PictureError, Pool, PoolError};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    future::poll_fn,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    pin::Pin,
    process::Command,
    task::Poll,
    time::{Duration, Instant},
};

pub(crate) const TESTS: &[Test] = &[
    ("survival::mutated_keyframes_never_hurt_the_pool", mutations),
    ("survival::a_killed_worker_is_replaced", killed),
    ("survival::a_worker_killed_while_idle_blames_no_camera", killed_idle),
    ("survival::a_worker_that_cannot_work_blames_no_camera", kept_waiting),
    ("survival::repeated_killers_are_parked", parked),
    ("survival::a_full_queue_says_busy", busy),
    ("survival::shutdown_is_quick_and_complete", shutdown),
    ("survival::dropping_the_pool_ends_the_workers", dropped),
    ("survival::an_unusable_program_is_a_clear_error", unusable),
    ("survival::a_missing_decoder_is_named", missing_decoder),
    ("survival::an_impossible_configuration_is_a_clear_error", impossible),
];

const CAMERA: CameraId = CameraId(1);

fn signal(pool: &Pool, signal: Signal) {
    for pid in pool.stats().pids {
        let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Keyframes of each codec: 700, or as many as `SHARPEYES_MUTATIONS` says (3,400 make the 10,000 and more in all).
fn mutations() {
    let each: u64 = std::env::var("SHARPEYES_MUTATIONS").map_or(700, |n| n.parse().unwrap());
    wait_at_most(Duration::from_secs(300 + each / 10), async move {
        let pool = pool(|c| c.workers = 2);
        let mut refused = [0u32; 3];
        for (index, codec) in CODECS.into_iter().enumerate() {
            let data = lively(codec, "320x240");
            for seed in 0..each {
                // Half of them spare the headers, so that the damage reaches the slices.
                let spare = if seed % 2 == 0 { 0 } else { 120 };
                let camera = CameraId(u32::try_from(seed).unwrap());
                match pool.assess(camera, codec, mutated(&data, seed, spare)).await {
                    Ok(seen) => assert!(seen.width > 0),
                    Err(PictureError::Undecodable(_)) => refused[index] += 1,
                    Err(other) => panic!("{codec:?} seed {seed}: {other:?}"),
                }
            }
        }
        let stats = pool.stats();
        println!(
            "refused of {each} mutated keyframes: H.264 {}, H.265 {}, JPEG {}",
            refused[0], refused[1], refused[2]
        );
        assert_eq!((stats.crashed, stats.timed_out, stats.restarts), (0, 0, 0));
        assert!(refused.iter().all(|&r| u64::from(r) > each / 2), "damage goes unnoticed: {refused:?}");
        for codec in CODECS {
            pool.assess(CAMERA, codec, lively(codec, "320x240")).await.unwrap();
        }
    });
}

/// The request, after it was put into the queue.
async fn begun<T>(request: impl Future<Output = T>) -> Pin<Box<impl Future<Output = T>>> {
    let mut request = Box::pin(request);
    let waits = poll_fn(|context| Poll::Ready(request.as_mut().poll(context).is_pending())).await;
    assert!(waits, "answered at once");
    request
}

/// Sends `data` to a worker that is stopped, and kills the worker once it has the picture at hand.
async fn kill_over(pool: &Pool, camera: CameraId, data: Bytes) -> PictureError {
    let before = pool.stats();
    signal(pool, Signal::STOP);
    let asked = begun(pool.assess(camera, Codec::H264, data)).await;
    until("the worker took it", || pool.stats().at_work == 1).await;
    signal(pool, Signal::KILL);
    let error = asked.await.unwrap_err();
    until("a new worker", || pool.stats().workers == 1 && pool.stats().pids != before.pids).await;
    error
}

fn killed() {
    wait_for(async {
        let pool = pool(|_| {});
        let data = lively(Codec::H264, "320x240");
        for round in 1..=3 {
            pool.assess(CameraId(round), Codec::H264, data.clone()).await.unwrap();
            let error = kill_over(&pool, CameraId(100 + round), mutated(&data, u64::from(round), 0)).await;
            assert!(matches!(&error, PictureError::Crashed(why) if why.contains("killed")), "{error:?}");
            assert_eq!(error.failure().0, Cause::DecoderCrashed);
        }
        assert_eq!(pool.stats().crashed, 3);
    });
}

fn killed_idle() {
    wait_for(async {
        let pool = pool(|_| {});
        let data = lively(Codec::H264, "320x240");
        pool.assess(CAMERA, Codec::H264, data.clone()).await.unwrap();
        let pid = pool.stats().pids[0];
        signal(&pool, Signal::KILL);
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        until("the worker is dead", || state().contains(") Z")).await;
        pool.assess(CAMERA, Codec::H264, data).await.unwrap();
        assert_eq!((pool.stats().crashed, pool.stats().restarts), (0, 1));
    });
}

fn kept_waiting() {
    wait_for(async {
        let pool = pool(|c| {
            c.workers = 2;
            c.time_limit = Duration::from_millis(400);
            c.kills_before_parking = 1;
        });
        let data = lively(Codec::H264, "320x240");
        until("both workers", || pool.stats().workers == 2).await;
        for round in 0..2 {
            signal(&pool, Signal::STOP);
            let begin = Instant::now();
            let both = tokio::join!(
                pool.assess(CAMERA, Codec::H264, data.clone()),
                pool.assess(CameraId(2), Codec::H264, data.clone())
            );
            // Good pictures: they had no worker that could work. Nobody is to blame, whoever asks again is served.
            assert_eq!(both, (Err(PictureError::Busy), Err(PictureError::Busy)), "round {round}");
            assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
            until("new workers", || pool.stats().workers == 2).await;
        }
        let stats = pool.stats();
        assert_eq!((stats.timed_out, stats.parked_cameras, stats.busy), (0, 0, 4));
        // A busy machine may need more than one attempt within the short limit.
        while pool.assess(CAMERA, Codec::H264, data.clone()).await.is_err() {}
    });
}

fn parked() {
    wait_for(async {
        let pool = pool(|c| c.parking = Duration::from_secs(600));
        let data = lively(Codec::H264, "320x240");
        for kill in 0..3 {
            let error = kill_over(&pool, CAMERA, mutated(&data, kill, 0)).await;
            assert!(matches!(error, PictureError::Crashed(_)), "{error:?}");
        }
        let error = pool.assess(CAMERA, Codec::H264, data.clone()).await.unwrap_err();
        assert!(matches!(error, PictureError::Parked(left) if left > Duration::from_secs(590)), "{error:?}");
        assert_eq!((pool.stats().parked_cameras, pool.stats().refused_parked), (1, 1));
        // Nor is it shown to people meanwhile: that would cost as many workers.
        let error = pool.render(CAMERA, Codec::H264, data.clone(), None).await.unwrap_err();
        assert!(matches!(error, PictureError::Parked(_)), "{error:?}");
        pool.assess(CameraId(2), Codec::H264, data).await.unwrap();
    });
}

fn busy() {
    wait_for(async {
        let pool = pool(|c| {
            c.queue = 3;
            c.time_limit = Duration::from_secs(2);
        });
        let data = lively(Codec::H264, "320x240");
        pool.assess(CAMERA, Codec::H264, data.clone()).await.unwrap();
        signal(&pool, Signal::STOP);
        let ask = |index: u32| begun(pool.assess(CameraId(index), Codec::H264, data.clone()));
        let working = ask(10).await;
        until("the worker took it", || pool.stats().at_work == 1).await;
        let mut waiting = Vec::new();
        for index in 11..14 {
            waiting.push(ask(index).await);
        }
        until("the queue is full", || pool.stats().queued == 3).await;
        assert_eq!(pool.assess(CAMERA, Codec::H264, data.clone()).await, Err(PictureError::Busy));
        assert_eq!(pool.stats().busy, 1);
        // People have a lane of their own.
        let render = begun(pool.render(CAMERA, Codec::H264, data.clone(), None)).await;
        until("rendering waits", || pool.stats().queued == 4).await;
        signal(&pool, Signal::CONT);
        assert!(working.await.is_ok());
        assert!(render.await.is_ok());
        for one in waiting {
            assert!(one.await.is_ok());
        }
    });
}

fn shutdown() {
    wait_for(async {
        let pool = pool(|c| c.workers = 2);
        let data = lively(Codec::H264, "320x240");
        until("both workers", || pool.stats().workers == 2).await;
        let pids = pool.stats().pids;
        signal(&pool, Signal::STOP);
        let hung = begun(pool.assess(CAMERA, Codec::H264, data.clone())).await;
        let begin = Instant::now();
        pool.shutdown().await;
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        assert!(matches!(hung.await, Err(PictureError::Own(_))));
        assert!(matches!(pool.assess(CAMERA, Codec::H264, data).await, Err(PictureError::Own(_))));
        assert!(pids.iter().all(|pid| !PathBuf::from(format!("/proc/{pid}")).exists()), "{pids:?}");
    });
}

fn dropped() {
    wait_for(async {
        let pool = pool(|_| {});
        let pids = pool.stats().pids;
        drop(pool);
        until("the worker is gone", || pids.iter().all(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())).await;
    });
}

fn unusable() {
    let start = |program: &str| Pool::start(picture::Config::default(), PathBuf::from(program)).err().unwrap();
    assert!(matches!(start("/nowhere/sharpeyes"), PoolError::Start { .. }));
    let error = start("/bin/true").to_string();
    assert!(error.contains("ended: exit status 0"), "{error}");
    let error = start("/bin/echo").to_string();
    assert!(error.contains("decoder process"), "{error}");
}

/// A libavcodec that was built without H.265: the function that finds decoders is replaced before the worker starts.
fn missing_decoder() {
    const SHIM: &str = r#"
        #define _GNU_SOURCE
        #include <dlfcn.h>
        const void *avcodec_find_decoder(int id) {
            const void *(*real)(int) = (const void *(*)(int))dlsym(RTLD_NEXT, "avcodec_find_decoder");
            return id == 173 /* AV_CODEC_ID_HEVC */ ? 0 : real(id);
        }
    "#;
    let folder = tempfile::tempdir().unwrap();
    let (source, shim) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
    std::fs::write(&source, SHIM).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&shim, &source]).arg("-ldl").status();
    assert!(compiled.unwrap().success());
    let worker = folder.path().join("worker");
    let program = std::env::current_exe().unwrap();
    let script = format!("#!/bin/sh\nLD_PRELOAD={} exec {} \"$@\"\n", shim.display(), program.display());
    std::fs::write(&worker, script).unwrap();
    std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = Pool::start(picture::Config::default(), worker).err().unwrap();
    assert!(matches!(error, PoolError::Unfit(_)), "{error:?}");
    assert!(error.to_string().starts_with("FFmpeg has no decoder for h265; install"), "{error}");
}

fn impossible() {
    let mut config = picture::Config { workers: 0, ..picture::Config::default() };
    let program = std::env::current_exe().unwrap();
    assert!(matches!(Pool::start(config.clone(), program.clone()), Err(PoolError::Config(_))));
    config = picture::Config { thumbnail_width: 5000, ..picture::Config::default() };
    let error = Pool::start(config, program).err().unwrap().to_string();
    assert!(error.contains("thumbnail_width"), "{error}");
}
