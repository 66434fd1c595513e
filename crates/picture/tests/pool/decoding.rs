//! Good pictures come out, bad ones are told apart from them.

use crate::{Test, pool, samples::*, wait_for};
use bytes::Bytes;
use fleet::{CameraId, Cause, Codec};
use picture::PictureError;
use std::time::Duration;

pub(crate) const TESTS: &[Test] = &[
    ("decoding::a_worker_says_what_it_spends", spending),
    ("decoding::every_codec_gives_thumbnail_and_figures", every_codec),
    ("decoding::renders_full_and_scaled", renders),
    ("decoding::unusual_layouts", unusual_layouts),
    ("decoding::colours_and_range_are_right", colours),
    ("decoding::garbage_is_refused_with_evidence", garbage),
    ("decoding::a_picture_cut_short_is_refused", cut_short),
    ("decoding::impossible_sizes_are_refused", sizes),
    ("decoding::a_stream_without_its_own_parameter_sets_is_refused", foreign_sets),
    ("decoding::missing_slices_are_a_fault", missing_slices),
];

const CAMERA: CameraId = CameraId(1);

fn jpeg_size(jpeg: &[u8]) -> (u32, u32) {
    let picture = image::load_from_memory(jpeg).unwrap();
    (picture.width(), picture.height())
}

fn every_codec() {
    wait_for(async {
        let pool = pool(|_| {});
        for codec in CODECS {
            let seen = pool.assess(CAMERA, codec, lively(codec, "1280x720")).await.unwrap();
            assert_eq!((seen.width, seen.height), (1280, 720));
            assert_eq!(jpeg_size(&seen.thumbnail), (320, 180));
            let f = &seen.features;
            assert!((60.0..200.0).contains(&f.mean) && f.deviation > 20.0 && f.sharpness > 10.0, "{codec:?} {f:?}");
            assert_eq!(f.luma.len(), picture::GRID_CELLS);
            // The same picture measures the same, the decoder's state does not matter.
            let again = pool.assess(CAMERA, codec, lively(codec, "1280x720")).await.unwrap();
            assert_eq!(again, seen);
        }
        let stats = pool.stats();
        assert_eq!((stats.decoded, stats.undecodable, stats.restarts, stats.workers), (6, 0, 0, 1));
        assert!(stats.cpu.as_micros() > 0);
        assert!(pool.sandbox().missing().next().is_none());
        pool.shutdown().await;
        assert_eq!(pool.stats().workers, 0);
    });
}

fn renders() {
    wait_for(async {
        let pool = pool(|_| {});
        for codec in CODECS {
            let data = lively(codec, "640x360");
            assert_eq!(jpeg_size(&pool.render(CameraId(1), codec, data.clone(), None).await.unwrap()), (640, 360));
            assert_eq!(jpeg_size(&pool.render(CameraId(0), codec, data.clone(), Some(200)).await.unwrap()), (200, 112));
            assert_eq!(jpeg_size(&pool.render(CameraId(0), codec, data, Some(9000)).await.unwrap()), (640, 360));
        }
    });
}

fn unusual_layouts() {
    wait_for(async {
        let pool = pool(|_| {});
        let source = "testsrc2=size=320x240:rate=1";
        for (codec, format) in [
            (Codec::H264, "yuv422p"),
            (Codec::H264, "yuv444p"),
            (Codec::H264, "gray"),
            (Codec::H264, "yuv420p10le"),
            (Codec::H265, "yuv420p10le"),
            (Codec::H265, "gray"),
            (Codec::Jpeg, "yuvj422p"),
            (Codec::Jpeg, "yuvj444p"),
        ] {
            let data = keyframe(codec, source, &["-pix_fmt", format]);
            let seen = pool.assess(CAMERA, codec, data).await.unwrap_or_else(|e| panic!("{codec:?} {format}: {e}"));
            assert_eq!((seen.width, seen.height), (320, 240));
            assert!((90.0..140.0).contains(&seen.features.mean), "{codec:?} {format}: {}", seen.features.mean);
            let grey = format == "gray";
            assert_eq!(seen.features.saturation < 1.0, grey, "{codec:?} {format}: {}", seen.features.saturation);
        }
        for size in ["176x144", "352x288", "704x576", "322x182", "2560x1440"] {
            for codec in CODECS {
                let seen = pool.assess(CAMERA, codec, lively(codec, size)).await.unwrap();
                assert_eq!(format!("{}x{}", seen.width, seen.height), size);
            }
        }
    });
}

fn colours() {
    wait_for(async {
        let pool = pool(|_| {});
        for codec in CODECS {
            for (colour, expected) in
                [("black", [0, 0, 0]), ("white", [255, 255, 255]), ("red", [254, 0, 0]), ("0x4080c0", [64, 128, 192])]
            {
                let source = format!("color=c={colour}:size=320x240:rate=1");
                let data = keyframe(codec, &source, &[]);
                let jpeg = pool.render(CameraId(1), codec, data.clone(), None).await.unwrap();
                let middle = image::load_from_memory(&jpeg).unwrap().to_rgb8().get_pixel(160, 120).0;
                let off = middle.iter().zip(expected).map(|(a, b): (&u8, u8)| a.abs_diff(b)).max().unwrap();
                assert!(off <= 6, "{codec:?} {colour}: {middle:?}");
                let luma = pool.assess(CAMERA, codec, data).await.unwrap().features.mean;
                let [r, g, b] = expected.map(f32::from);
                assert!((luma - (0.299 * r + 0.587 * g + 0.114 * b)).abs() < 4.0, "{codec:?} {colour}: {luma}");
            }
        }
    });
}

fn garbage() {
    wait_for(async {
        let pool = pool(|_| {});
        let text = Bytes::from_static(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n");
        let zeros = Bytes::from(vec![0; 4096]);
        for codec in CODECS {
            let wrong = lively(if codec == Codec::H264 { Codec::H265 } else { Codec::H264 }, "320x240");
            for data in [Bytes::new(), text.clone(), zeros.clone(), wrong] {
                let error = pool.assess(CAMERA, codec, data).await.unwrap_err();
                assert!(matches!(&error, PictureError::Undecodable(why) if !why.is_empty()), "{codec:?} {error:?}");
                assert_eq!(error.failure().0, Cause::DecodeFailed);
            }
            pool.assess(CAMERA, codec, lively(codec, "320x240")).await.unwrap();
        }
        let huge = Bytes::from(vec![0; 17 << 20]);
        assert!(matches!(pool.assess(CAMERA, Codec::H264, huge).await, Err(PictureError::Undecodable(_))));
        assert_eq!(pool.stats().restarts, 0);
    });
}

/// H.265 as FFmpeg decodes it reads past the end of a slice without noticing; what is left out there is found
/// only when whole blocks are missing. The session layer knows of lost packets by their numbers.
fn cut_short() {
    wait_for(async {
        let pool = pool(|_| {});
        for codec in [Codec::H264, Codec::Jpeg] {
            let data = lively(codec, "640x360");
            for share in [20, 50, 80, 95] {
                let part = data.slice(..data.len() * share / 100);
                let error = pool.assess(CAMERA, codec, part).await.unwrap_err();
                assert!(matches!(error, PictureError::Undecodable(_)), "{codec:?} {share} %: {error:?}");
            }
        }
    });
}

fn sizes() {
    wait_for(async {
        let pool = pool(|_| {});
        // A JPEG header that declares 65,500×65,500 pixels.
        let mut jpeg = lively(Codec::Jpeg, "320x240").to_vec();
        let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        let error = pool.assess(CAMERA, Codec::Jpeg, jpeg.into()).await.unwrap_err();
        assert!(error.to_string().contains("65500"), "{error}");
        // 8,192×4,320 is beyond the limit on pixels.
        let wide = keyframe(Codec::H264, "color=size=8192x4320:rate=1", &[]);
        let error = pool.assess(CAMERA, Codec::H264, wide).await.unwrap_err();
        assert!(matches!(error, PictureError::Undecodable(_)), "{error:?}");
        let four_k = keyframe(Codec::H265, "testsrc2=size=3840x2160:rate=1", &[]);
        assert_eq!(pool.assess(CAMERA, Codec::H265, four_k).await.unwrap().width, 3840);
        assert_eq!(pool.stats().restarts, 0);
    });
}

fn foreign_sets() {
    wait_for(async {
        let pool = pool(|_| {});
        for (codec, slice_byte) in [(Codec::H264, 0x65), (Codec::H265, 0x28)] {
            let whole = lively(codec, "320x240");
            pool.assess(CAMERA, codec, whole.clone()).await.unwrap();
            let is_slice = |w: &[u8]| w[..3] == [0, 0, 1] && (w[3] == slice_byte || w[3] == 0x26);
            let at = whole.windows(4).position(is_slice).expect("a slice");
            let error = pool.assess(CameraId(2), codec, whole.slice(at..)).await.unwrap_err();
            assert!(error.to_string().contains("parameter sets"), "{codec:?} {error}");
        }
    });
}

fn missing_slices() {
    wait_for(async {
        let pool = pool(|_| {});
        for (codec, option) in
            [(Codec::H264, ["-x264-params", "slices=4"]), (Codec::H265, ["-x265-params", "slices=4:log-level=none"])]
        {
            let whole = keyframe(codec, "testsrc2=size=640x384:rate=1,noise=alls=12:all_seed=7", &option);
            pool.assess(CAMERA, codec, whole.clone()).await.unwrap();
            let starts: Vec<usize> = whole
                .windows(4)
                .enumerate()
                .filter(|(_, w)| {
                    w[..3] == [0, 0, 1] && matches!((codec, w[3]), (Codec::H264, 0x65) | (Codec::H265, 0x28 | 0x26))
                })
                .map(|(at, _)| at)
                .collect();
            assert!(starts.len() >= 3, "{codec:?} {starts:?}");
            for missing in 0..starts.len() {
                let end = starts.get(missing + 1).map_or(whole.len(), |&next| next);
                let part = [&whole[..starts[missing]], &whole[end..]].concat();
                let error = pool.assess(CAMERA, codec, part.into()).await;
                assert!(matches!(error, Err(PictureError::Undecodable(_))), "{codec:?} slice {missing}: {error:?}");
            }
        }
    });
}

/// Figures of cost rest on it. Most pictures take less than a tick of the kernel's clock.
fn spending() {
    wait_for(async {
        let pool = pool(|_| {});
        let data = lively(Codec::Jpeg, "320x240");
        let kernel = || {
            let path = format!("/proc/{}/schedstat", pool.stats().pids[0]);
            let text = std::fs::read_to_string(path).unwrap();
            Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
        };
        for _ in 0..20 {
            pool.assess(CAMERA, Codec::Jpeg, data.clone()).await.unwrap();
        }
        let (before, told) = (kernel(), pool.stats().cpu);
        for _ in 0..40 {
            pool.assess(CAMERA, Codec::Jpeg, data.clone()).await.unwrap();
        }
        let (spent, told) = (kernel() - before, pool.stats().cpu - told);
        assert!(told > spent * 7 / 10 && told < spent, "{told:?} told of {spent:?}");
    });
}
