//! A small county for the tests of what runs beside the owner.

use super::owner::Shared;
use arc_swap::ArcSwap;
use fleet::{Camera, CameraId, Cause, Now, Registry, Site, SiteId, SiteKind, StreamUrl, Town, TownId, Wall};
use health::{Incident, IncidentId, LikelyCause, Member, Scope, Severity};
use std::sync::Arc;

/// A county of one camera whose incidents are as given.
pub(super) fn shared(incidents: Vec<Incident>) -> Arc<Shared> {
    let camera = Camera {
        id: CameraId(1),
        name: "村口".into(),
        site: SiteId(1),
        uplink: None,
        gb_code: None,
        main: StreamUrl::parse("rtsp://10.0.0.1/").unwrap().0,
        sub: None,
        credentials: None,
        transport: fleet::Transport::default(),
        life_cycle: fleet::LifeCycle::default(),
        place: fleet::Place::default(),
        device: fleet::Device::default(),
        upkeep: fleet::Upkeep::default(),
        changed: Wall(1),
    };
    let site = Site { id: SiteId(1), name: "上村".into(), kind: SiteKind::Village, town: TownId(1), stat_code: None };
    let registry = Registry::new([Town { id: TownId(1), name: "石桥镇".into() }], [site], [], [camera]);
    let board = health::Board { incidents: incidents.into_iter().map(Arc::new).collect(), ..health::Board::default() };
    Arc::new(Shared {
        board: Arc::new(ArcSwap::from_pointee(board)),
        registry: Arc::new(ArcSwap::from_pointee(registry)),
        changes: tokio::sync::broadcast::channel(16).0,
        gallery: Arc::new(web::Gallery::default()),
        heartbeat: Arc::new(web::Heartbeat::new(Now::read().mono)),
    })
}

/// The camera does not answer, or did not until now.
pub(super) fn incident(resolved: bool) -> Incident {
    let now = Wall::read();
    Incident {
        id: IncidentId(7),
        scope: Scope::Camera(CameraId(1)),
        opened: Wall(now.0 - 60_000),
        resolved: resolved.then_some(now),
        severity: Severity::Critical,
        cause: Cause::NoAnswer,
        likely: LikelyCause::Camera,
        confidence: 80,
        evidence: Vec::new(),
        members: vec![Member { camera: CameraId(1), joined: now, left: None, cause: Cause::NoAnswer }],
        acknowledged: None,
        folded_into: None,
        reopened: Vec::new(),
    }
}
