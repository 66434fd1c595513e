//! The demo's troubles: a village goes dark, a camera freezes, somebody changes a password.
//!
//! Which troubles come, where, when and for how long follows from a seed. It never touches what a visitor caused.

use crate::{Fault, SimCamera, Target, Trouble, farm::County};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::Instant;

/// At most this share of the cameras has troubles of the script at a time, in percent.
const MAX_PERCENT: usize = 4;

/// One trouble to come.
#[derive(Clone, PartialEq, Debug)]
struct Scene {
    /// After the one before.
    wait: Duration,
    trouble: Trouble,
    lasts: Duration,
}

/// The endless script of one county.
struct Script {
    random: ChaCha8Rng,
    cameras: Vec<u32>,
    /// Places of two to five cameras, which go dark together.
    groups: Vec<Target>,
}

impl Script {
    fn new(seed: u64, cameras: &[SimCamera]) -> Script {
        let mut targets: Vec<Target> =
            cameras.iter().map(|c| c.uplink.map_or(Target::Site(c.site), Target::Uplink)).collect();
        targets.sort_unstable();
        targets.dedup();
        targets.retain(|t| (2..=5).contains(&cameras.iter().filter(|c| t.hits(c)).count()));
        Script {
            random: ChaCha8Rng::seed_from_u64(seed),
            cameras: cameras.iter().map(|c| c.id).collect(),
            groups: targets,
        }
    }

    fn next(&mut self) -> Option<Scene> {
        use Fault::*;
        const OF_ONE: [Fault; 16] = [
            Frozen,
            Black,
            WrongPassword,
            PacketLoss,
            Covered,
            Blurred,
            PowerOff,
            Stall,
            LowFrameRate,
            TooBright,
            ColourCast,
            WrongClock,
            Noise,
            PortClosed,
            SceneMoved,
            NoKeyframe,
        ];
        let random = &mut self.random;
        let wait = Duration::from_secs(random.random_range(20..=40));
        let group = if random.random_bool(0.25) { self.groups.choose(random) } else { None };
        let (trouble, lasts) = match group {
            Some(&target) => {
                let fault = if random.random_bool(0.6) { PowerOff } else { BlackHole };
                ((target, fault), random.random_range(60..=90))
            }
            None => {
                let camera = *self.cameras.choose(random)?;
                ((Target::Camera(camera), *OF_ONE.choose(random)?), random.random_range(60..=180))
            }
        };
        Some(Scene { wait, trouble, lasts: Duration::from_secs(lasts) })
    }
}

/// Plays until the county ends.
pub(crate) async fn play(county: Arc<County>) {
    let mut script = Script::new(county.config.script_seed, &county.config.cameras);
    let mut running: Vec<(Instant, Trouble)> = Vec::new();
    let Some(mut coming) = script.next() else { return };
    let mut due = Instant::now() + coming.wait;
    loop {
        tokio::select! {
            () = county.shared.stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        let now = Instant::now();
        running.retain(|(end, trouble)| {
            let over = *end <= now;
            if over {
                county.script_fault(*trouble, false);
            }
            !over
        });
        if now < due {
            continue;
        }
        if county.script_runs() && has_room(&county, coming.trouble.0) {
            county.script_fault(coming.trouble, true);
            running.push((now + coming.lasts, coming.trouble));
        }
        let Some(next) = script.next() else { return };
        coming = next;
        due = now + coming.wait;
    }
}

/// Whether this target has no trouble yet, and not too many others have.
fn has_room(county: &County, target: Target) -> bool {
    let troubled: HashSet<u32> = county.truth().into_iter().map(|(id, _)| id).collect();
    let hit: Vec<u32> = county.config.cameras.iter().filter(|c| target.hits(c)).map(|c| c.id).collect();
    let allowed = (county.config.cameras.len() * MAX_PERCENT / 100).max(1);
    !hit.iter().any(|id| troubled.contains(id)) && troubled.len() + hit.len() <= allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cameras() -> Vec<SimCamera> {
        (0..100).map(|i| SimCamera { id: i, site: i / 3, uplink: Some(i / 3), ..SimCamera::default() }).collect()
    }

    #[test]
    fn the_same_seed_plays_the_same_script() {
        let script = |seed| {
            let mut script = Script::new(seed, &cameras());
            (0..50).map(move |_| script.next().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(script(7), script(7));
        assert_ne!(script(7), script(8));
        assert!(script(7).iter().any(|s| matches!(s.trouble.0, Target::Uplink(_))));
        assert!(script(7).iter().any(|s| matches!(s.trouble.0, Target::Camera(_))));
    }
}
