//! Counties to simulate: links with their cameras, some below a common line terminal.

use fleet::{
    Camera, CameraId, Credentials, Device, LifeCycle, Olt, Place, Registry, Secret, Site, SiteId, SiteKind, StreamUrl,
    Town, TownId, Transport, Upkeep, Uplink, UplinkId, Wall,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// One link and how many cameras stand behind it.
#[derive(Clone, Debug)]
pub struct Link {
    pub olt: Option<usize>,
    pub cameras: usize,
}

#[derive(Clone, Debug)]
pub struct County {
    pub links: Vec<Link>,
    pub olts: usize,
    /// Cameras have a sub stream.
    pub subs: bool,
    /// What may be asked of each link, in kbit/s, given the number of its cameras.
    pub budget: Option<fn(usize) -> u32>,
}

impl County {
    /// Links with so many cameras each, without terminals.
    pub fn of(cameras: &[usize]) -> County {
        County {
            links: cameras.iter().map(|&cameras| Link { olt: None, cameras }).collect(),
            olts: 0,
            subs: false,
            budget: None,
        }
    }

    /// Terminals, each with links of so many cameras.
    pub fn with_olts(olts: &[&[usize]]) -> County {
        let links = olts
            .iter()
            .enumerate()
            .flat_map(|(olt, links)| links.iter().map(move |&cameras| Link { olt: Some(olt), cameras }))
            .collect();
        County { links, olts: olts.len(), subs: false, budget: None }
    }

    /// About `cameras` of them: villages with one to three, now and then a central area with ten.
    pub fn random(cameras: usize, rng: &mut ChaCha8Rng) -> County {
        let mut links = Vec::new();
        let mut n = 0;
        while n < cameras {
            let here = if rng.random_bool(0.08) { rng.random_range(6..=10) } else { rng.random_range(1..=3) };
            links.push(Link { olt: None, cameras: here });
            n += here;
        }
        let olts = (links.len() / 8).max(1);
        for link in &mut links {
            link.olt = rng.random_bool(0.8).then(|| rng.random_range(0..olts));
        }
        County { links, olts, subs: false, budget: None }
    }

    /// The link of each camera in turn.
    pub fn cameras(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        self.links.iter().enumerate().flat_map(|(i, l)| std::iter::repeat_n(Some(i), l.cameras))
    }

    /// The register; `versions` tells how often a camera's password was corrected, and when last.
    pub fn registry(&self, versions: &BTreeMap<usize, (u32, Wall)>) -> Registry {
        let uplinks = self.links.iter().enumerate().map(|(i, l)| Uplink {
            id: UplinkId(i as u32 + 1),
            name: format!("link {i}"),
            olt: l.olt.map(|o| Olt(format!("olt {o}"))),
            budget_kbps: self.budget.map(|budget| budget(l.cameras)),
        });
        let sites = self.links.iter().enumerate().map(|(i, _)| Site {
            id: SiteId(i as u32 + 1),
            name: format!("village {i}"),
            kind: SiteKind::Village,
            town: TownId(1),
            stat_code: None,
        });
        let cameras = self.cameras().enumerate().map(|(i, link)| Camera {
            id: CameraId(i as u32 + 1),
            name: format!("camera {i}"),
            site: SiteId(link.unwrap_or(0) as u32 + 1),
            uplink: link.map(|l| UplinkId(l as u32 + 1)),
            gb_code: None,
            main: StreamUrl::parse(&format!("rtsp://10.0.{}.{}/main", i / 250, i % 250 + 1)).unwrap().0,
            sub: self
                .subs
                .then(|| StreamUrl::parse(&format!("rtsp://10.0.{}.{}/sub", i / 250, i % 250 + 1)).unwrap().0),
            credentials: Some(Credentials {
                username: "admin".into(),
                password: Secret::new(format!("pass{}", versions.get(&i).map_or(0, |v| v.0))),
            }),
            transport: Transport::Tcp,
            life_cycle: LifeCycle::InUse,
            place: Place::default(),
            device: Device::default(),
            upkeep: Upkeep::default(),
            changed: versions.get(&i).map_or(Wall(0), |v| v.1),
        });
        Registry::new([Town { id: TownId(1), name: "town".into() }], sites, uplinks, cameras)
    }
}
