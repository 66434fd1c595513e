//! Everything that is sent: scenes encoded once, variants of them under a fault, clocks and bands.

use crate::{
    Config, Fault, Layout, SimCamera, SimCodec, SimError,
    cache::{self, Takes},
    clip::{Clip, CodedPicture, Kit, Recorder, Take, Which},
    code::{Encoder, GOP, Slice},
    scene::{self, Font, Light, Picture, SceneId, Stage},
};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Counts up when scenes or encoder settings change, so that older files are not used.
const DRAWING: u32 = 1;
/// From so many cameras on, their bands are encoded beforehand and kept.
const MANY: usize = 50;
/// Clock lines that are kept: a second or two of all kinds.
const LINES: usize = 96;

/// Which loop of coded pictures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ClipKey {
    pub(crate) scene: SceneId,
    pub(crate) codec: SimCodec,
    pub(crate) which: Which,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct LineKey {
    codec: SimCodec,
    which: Which,
    light: Light,
    fault: Option<Fault>,
    /// Seconds since 1970 by the camera's clock.
    second: i64,
}

/// What cameras show. Shared by all workers.
pub(crate) struct Library {
    scenes: u32,
    loop_ticks: u32,
    main: Layout,
    font: Font,
    kits: HashMap<(SimCodec, Which), Kit>,
    clips: HashMap<ClipKey, Arc<Clip>>,
    variants: Mutex<HashMap<(ClipKey, Fault), Weak<Clip>>>,
    bands: Mutex<HashMap<(u32, Which), Arc<Slice>>>,
    lines: Mutex<Lines>,
}

/// Encoders that are opened when first needed.
type Encoders = HashMap<(SimCodec, Which), Encoder>;

#[derive(Default)]
struct Lines {
    encoders: Encoders,
    kept: HashMap<LineKey, Arc<Slice>>,
    order: VecDeque<LineKey>,
}

impl Library {
    /// Loads the scenes, encoding what the cache lacks on all cores; `progress` is told how many of how many are ready
    /// whenever one had to be encoded.
    pub(crate) fn open(config: &Config, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Library, SimError> {
        let refused = |source| SimError::Cache { path: config.cache.clone(), source };
        std::fs::create_dir_all(&config.cache).map_err(refused)?;
        let mut kits = HashMap::new();
        for which in [Which::Main, Which::Sub] {
            for codec in [SimCodec::H264, SimCodec::H265] {
                kits.insert((codec, which), Kit::new(codec, layout(config, which))?);
            }
        }
        let mut library = Library {
            scenes: config.scenes,
            loop_ticks: config.loop_gops * GOP,
            main: layout(config, Which::Main),
            font: Font::find(),
            kits,
            clips: HashMap::new(),
            variants: Mutex::default(),
            bands: Mutex::default(),
            lines: Mutex::default(),
        };
        library.clips = library.load_all(&config.cache, progress)?;
        if config.cameras.len() >= MANY {
            library.load_bands(&config.cache, &config.cameras)?;
        }
        Ok(library)
    }

    /// Loads the bands of all cameras, encoding them on all cores at the first start.
    fn load_bands(&self, folder: &Path, cameras: &[SimCamera]) -> Result<(), SimError> {
        let mut all: Vec<(&SimCamera, Which)> = cameras.iter().map(|c| (c, Which::Main)).collect();
        all.extend(cameras.iter().filter(|c| c.sub.is_some()).map(|c| (c, Which::Sub)));
        let mut digest = Sha256::new();
        for (camera, which) in &all {
            let key = self.key(camera, *which);
            let settings = self.kit(key.codec, *which).settings();
            digest.update(format!("{DRAWING} {:?} {key:?} {} {} {settings}\n", self.main, camera.id, camera.name));
        }
        let path = folder.join(format!("bands-{}.bin", &hex::encode(digest.finalize())[..16]));
        let takes = match cache::load(&path) {
            Some(takes) => takes,
            None => {
                let share = all.len().div_ceil(cores()).max(1);
                let work = |share: &[(&SimCamera, Which)]| -> Result<Takes, SimError> {
                    let mut encoders = Encoders::new();
                    share.iter().map(|(camera, which)| self.record_band(&mut encoders, camera, *which)).collect()
                };
                let takes: Takes = std::thread::scope(|scope| {
                    let threads: Vec<_> = all.chunks(share).map(|share| scope.spawn(move || work(share))).collect();
                    threads.into_iter().map(joined).collect::<Result<Vec<_>, _>>()
                })?
                .into_iter()
                .flatten()
                .collect();
                cache::save(&path, &takes).map_err(|source| SimError::Cache { path, source })?;
                takes
            }
        };
        let mut bands = self.bands.lock();
        for ((camera, which), ((codec, _), take)) in all.into_iter().zip(takes) {
            for picture in take.pictures.iter().flatten() {
                let band = self.kit(codec, which).placer.take(&picture.slice)?.1;
                bands.insert((camera.id, which), Arc::new(band));
            }
        }
        Ok(())
    }

    fn record_band(
        &self,
        encoders: &mut Encoders,
        camera: &SimCamera,
        which: Which,
    ) -> Result<((SimCodec, Which), Take), SimError> {
        let key = self.key(camera, which);
        let kit = self.kit(key.codec, which);
        let units =
            opened(encoders, kit, which, kit.layout.band)?.encode(&self.draw_band(camera, which, None), true)?;
        kit.check(&units)?;
        Ok(((key.codec, which), Take { pictures: vec![Some(CodedPicture { key: true, slice: units.slice })] }))
    }

    fn draw_band(&self, camera: &SimCamera, which: Which, fault: Option<Fault>) -> Picture {
        let key = self.key(camera, which);
        let own = u64::from(camera.id) << 20 ^ 0x5eed;
        scene::band(&self.font, self.kit(key.codec, which).layout, key.scene, own, fault, &camera.name)
    }

    fn load_all(
        &self,
        folder: &Path,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<HashMap<ClipKey, Arc<Clip>>, SimError> {
        let total = self.scenes as usize;
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || -> Result<Vec<(ClipKey, Arc<Clip>)>, SimError> {
            let mut clips = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    return Ok(clips);
                }
                let scene = SceneId(number as u32);
                let path = self.path(folder, scene);
                let (takes, fresh) = match cache::load(&path) {
                    Some(takes) => (takes, false),
                    None => (self.record(scene)?, true),
                };
                if fresh {
                    cache::save(&path, &takes).map_err(|source| SimError::Cache { path, source })?;
                }
                for ((codec, which), take) in &takes {
                    let clip = Clip::assemble(self.kit(*codec, *which), take, false)?;
                    clips.push((ClipKey { scene, codec: *codec, which: *which }, Arc::new(clip)));
                }
                let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                if fresh {
                    progress(done, total);
                }
            }
        };
        let found: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(joined).collect::<Result<Vec<_>, _>>()
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Encodes a scene in every codec and size it is offered in.
    fn record(&self, scene: SceneId) -> Result<Takes, SimError> {
        let stage = Stage::new(scene, None, self.main, self.loop_ticks);
        let mut recorders = Vec::new();
        for which in [Which::Main, Which::Sub] {
            for codec in [SimCodec::H264, SimCodec::H265] {
                if codec == SimCodec::H264 || scene.in_h265() {
                    recorders.push(((codec, which), Recorder::new(self.kit(codec, which))?));
                }
            }
        }
        let shrink = self.kit(SimCodec::H264, Which::Sub).layout.shrink as usize;
        for tick in 0..self.loop_ticks {
            let picture = stage.draw(tick);
            let small = picture.shrunk(shrink);
            for ((_, which), recorder) in &mut recorders {
                recorder.add(if *which == Which::Main { &picture } else { &small }, tick % GOP == 0)?;
            }
        }
        Ok(recorders.into_iter().map(|(key, recorder)| (key, recorder.finish())).collect())
    }

    fn path(&self, folder: &Path, scene: SceneId) -> PathBuf {
        let settings: Vec<String> =
            [SimCodec::H264, SimCodec::H265].map(|codec| self.kit(codec, Which::Main).settings()).into();
        let what = format!("{DRAWING} {:?} {scene:?} {} {settings:?}", self.main, self.loop_ticks);
        folder.join(format!("scene-{:02}-{}.bin", scene.0, &hex::encode(Sha256::digest(what))[..16]))
    }

    pub(crate) fn kit(&self, codec: SimCodec, which: Which) -> &Kit {
        self.kits.get(&(codec, which)).expect("a kit is made for every codec and stream")
    }

    /// Which loop a camera shows.
    pub(crate) fn key(&self, camera: &SimCamera, which: Which) -> ClipKey {
        // Neighbours see different places.
        let wanted = camera.scene.unwrap_or(camera.id.wrapping_mul(7).wrapping_add(camera.site)) % self.scenes;
        let number = match camera.codec {
            SimCodec::H264 => wanted,
            // The next scene that is made in H.265 too; the first one always is.
            SimCodec::H265 => (wanted / 4) * 4,
        };
        ClipKey { scene: SceneId(number), codec: camera.codec, which }
    }

    /// A scene's loop, without a fault or, if it was made, under one.
    pub(crate) fn clip(&self, key: ClipKey, fault: Option<Fault>) -> Option<Arc<Clip>> {
        match fault {
            None => self.clips.get(&key).cloned(),
            Some(fault) => self.variants.lock().get(&(key, fault)).and_then(Weak::upgrade),
        }
    }

    /// Makes a scene's loop under a fault, one group of pictures long. Takes about a second.
    pub(crate) fn make_clip(&self, key: ClipKey, fault: Fault) -> Result<Arc<Clip>, SimError> {
        if let Some(clip) = self.clip(key, Some(fault)) {
            return Ok(clip);
        }
        let kit = self.kit(key.codec, key.which);
        let seen = (!matches!(fault, Fault::Corrupt | Fault::LowFrameRate)).then_some(fault);
        let stage = Stage::new(key.scene, seen, self.main, GOP);
        let take = Take::record(kit, &stage, GOP, GOP, Some(fault))?;
        let clip = Arc::new(Clip::assemble(kit, &take, fault == Fault::Corrupt)?);
        let mut variants = self.variants.lock();
        variants.retain(|_, clip| clip.strong_count() > 0);
        variants.insert((key, fault), Arc::downgrade(&clip));
        Ok(clip)
    }

    /// The band of a camera. Takes some milliseconds unless it was asked for before.
    pub(crate) fn band(&self, camera: &SimCamera, which: Which, fault: Option<Fault>) -> Result<Arc<Slice>, SimError> {
        let fault = fault.filter(|f| !matches!(f, Fault::Corrupt | Fault::LowFrameRate | Fault::Frozen));
        if fault.is_none()
            && let Some(band) = self.bands.lock().get(&(camera.id, which))
        {
            return Ok(Arc::clone(band));
        }
        let key = self.key(camera, which);
        let kit = self.kit(key.codec, which);
        let picture = self.draw_band(camera, which, fault);
        let band = Arc::new(kit.strip(&mut kit.strip_encoder(kit.layout.band)?, &picture)?);
        if fault.is_none() {
            self.bands.lock().insert((camera.id, which), Arc::clone(&band));
        }
        Ok(band)
    }

    /// The line that shows a camera's clock, at so many seconds since 1970.
    pub(crate) fn line(&self, clip: ClipKey, fault: Option<Fault>, second: i64) -> Result<Arc<Slice>, SimError> {
        let fault = fault.filter(|f| {
            matches!(f, Fault::Black | Fault::TooDark | Fault::TooBright | Fault::Covered | Fault::ColourCast)
        });
        let key = LineKey { codec: clip.codec, which: clip.which, light: clip.scene.light(), fault, second };
        let kit = self.kit(key.codec, key.which);
        let mut lines = self.lines.lock();
        if let Some(line) = lines.kept.get(&key) {
            return Ok(Arc::clone(line));
        }
        let picture = scene::line(&self.font, kit.layout, key.light, fault, &clock_text(second));
        let encoder = opened(&mut lines.encoders, kit, key.which, kit.layout.line)?;
        let line = Arc::new(kit.strip(encoder, &picture)?);
        lines.kept.insert(key, Arc::clone(&line));
        lines.order.push_back(key);
        if lines.order.len() > LINES
            && let Some(old) = lines.order.pop_front()
        {
            lines.kept.remove(&old);
        }
        Ok(line)
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, SimError>>) -> Result<T, SimError> {
    thread.join().unwrap_or_else(|_| Err(SimError::Encode("the encoder panicked".into())))
}

/// The encoder of a strip.
fn opened<'a>(encoders: &'a mut Encoders, kit: &Kit, which: Which, height: u32) -> Result<&'a mut Encoder, SimError> {
    match encoders.entry((kit.codec, which)) {
        Entry::Occupied(entry) => Ok(entry.into_mut()),
        Entry::Vacant(entry) => Ok(entry.insert(kit.strip_encoder(height)?)),
    }
}

fn layout(config: &Config, which: Which) -> Layout {
    match which {
        Which::Main => Layout::main(config.size),
        Which::Sub => Layout::sub(config.size),
    }
}

/// As the cameras of the county write it, in their own time zone.
fn clock_text(second: i64) -> String {
    const DAYS: [&str; 7] = ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"];
    let shown = jiff::Timestamp::from_second(second).unwrap_or_default().to_zoned(jiff::tz::offset(8).to_time_zone());
    let day = DAYS[shown.weekday().to_monday_zero_offset() as usize];
    format!("{} {day} {}", shown.strftime("%Y-%m-%d"), shown.strftime("%H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_china_time() {
        assert_eq!(clock_text(1_795_489_357), "2026-11-24 星期二 11:02:37");
    }
}
