//! A small county for tests of whole databases.
#![allow(clippy::unwrap_used)]

use fleet::{Camera, CameraId, Credentials, Secret, Site, SiteId, SiteKind, StreamUrl, Town, TownId, Wall};
use store::RegistryChange;

/// One camera with an account, on a register without anything else.
pub(crate) fn county() -> RegistryChange {
    let camera = Camera {
        id: CameraId(1),
        name: "村口".into(),
        site: SiteId(1),
        uplink: None,
        gb_code: None,
        main: StreamUrl::parse("rtsp://10.0.0.1/main").unwrap().0,
        sub: None,
        credentials: Some(Credentials { username: "watcher".into(), password: Secret::new("Xq7-plain-password") }),
        transport: fleet::Transport::Tcp,
        life_cycle: fleet::LifeCycle::InUse,
        place: fleet::Place::default(),
        device: fleet::Device::default(),
        upkeep: fleet::Upkeep::default(),
        changed: Wall(1),
    };
    let site = Site { id: SiteId(1), name: "村".into(), kind: SiteKind::Village, town: TownId(1), stat_code: None };
    RegistryChange {
        towns: vec![Town { id: TownId(1), name: "镇".into() }],
        sites: vec![site],
        uplinks: Vec::new(),
        cameras: vec![camera],
    }
}
