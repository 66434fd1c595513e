//! Counties to simulate: links with their cameras, some below a common line terminal.

use fleet::{
    Camera, CameraId, Credentials, Device, LifeCycle, Olt, Place, Registry, Secret, Site, SiteId, SiteKind, StreamUrl,
    Town, TownId, Transport, Upkeep, Uplink, UplinkId, Wall,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

/// One link and how many cameras stand behind it.
#[derive(Clone, Debug)]
pub struct Link {
    pub olt: Option<usize>,
    pub cameras: usize,
    /// The village or central area it serves; a central area may have two.
    pub site: usize,
    pub town: usize,
}

impl Link {
    /// A link to a village of its own, which is a town of its own.
    fn alone(i: usize, olt: Option<usize>, cameras: usize) -> Link {
        Link { olt, cameras, site: i, town: i }
    }
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
            links: cameras.iter().enumerate().map(|(i, &cameras)| Link::alone(i, None, cameras)).collect(),
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
            .flat_map(|(olt, links)| links.iter().map(move |&cameras| (olt, cameras)))
            .enumerate()
            .map(|(i, (olt, cameras))| Link::alone(i, Some(olt), cameras))
            .collect();
        County { links, olts: olts.len(), subs: false, budget: None }
    }

    /// About `cameras` of them: villages with one to three, now and then a central area with ten, and one or more with
    /// two links. Neighbours are of one town, with four to seven links; lines go to terminals wherever they run.
    pub fn random(cameras: usize, rng: &mut ChaCha8Rng) -> County {
        let mut links = Vec::new();
        let (mut n, mut site) = (0, 0);
        while n < cameras || site < 6 {
            let both = links.is_empty() || rng.random_bool(0.04);
            let here = match () {
                () if both => rng.random_range(2..=5),
                () if rng.random_bool(0.08) => rng.random_range(6..=10),
                () => rng.random_range(1..=3),
            };
            links.push(Link { olt: None, cameras: here, site, town: 0 });
            if both {
                links.push(Link { olt: None, cameras: rng.random_range(1..=3), site, town: 0 });
            }
            n += links[links.len() - 1 - usize::from(both)..].iter().map(|l| l.cameras).sum::<usize>();
            site += 1;
        }
        let (sites, olts) = (site, (links.len() / 8).max(2));
        let towns = (sites / 5).max(1);
        for link in &mut links {
            link.olt = rng.random_bool(0.8).then(|| rng.random_range(0..olts));
            link.town = link.site * towns / sites;
        }
        links[0].olt = Some(0);
        County { links, olts, subs: false, budget: None }
    }

    /// Towns with at least three sites: so many may be dark for one reason.
    pub fn towns(&self) -> Vec<usize> {
        let mut sites: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for link in &self.links {
            sites.entry(link.town).or_default().insert(link.site);
        }
        sites.into_iter().filter(|(_, sites)| sites.len() >= 3).map(|(town, _)| town).collect()
    }

    /// Sites with two links.
    pub fn twofold(&self) -> Vec<usize> {
        let mut links: BTreeMap<usize, usize> = BTreeMap::new();
        for link in &self.links {
            *links.entry(link.site).or_default() += 1;
        }
        links.into_iter().filter(|(_, n)| *n >= 2).map(|(site, _)| site).collect()
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
        let sites: BTreeMap<usize, usize> = self.links.iter().map(|l| (l.site, l.town)).collect();
        let towns: BTreeSet<usize> = sites.values().copied().collect();
        let towns = towns.into_iter().map(|t| Town { id: TownId(t as u32 + 1), name: format!("town {t}") });
        let sites = sites.iter().map(|(&site, &town)| Site {
            id: SiteId(site as u32 + 1),
            name: format!("village {site}"),
            kind: SiteKind::Village,
            town: TownId(town as u32 + 1),
            stat_code: None,
        });
        let cameras = self.cameras().enumerate().map(|(i, link)| Camera {
            id: CameraId(i as u32 + 1),
            name: format!("camera {i}"),
            site: SiteId(link.map_or(0, |l| self.links[l].site) as u32 + 1),
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
        Registry::new(towns, sites, uplinks, cameras)
    }
}
