//! Records to store.

use crate::{AuditEntry, NewUser, RegistryChange, Role};
use fleet::{
    Camera, CameraId, Cause, Coordinates, Credentials, Device, GbCode, LifeCycle, Olt, Place, Power, Secret, Site,
    SiteId, SiteKind, Status, StreamUrl, Town, TownId, Transport, Upkeep, Uplink, UplinkId, Wall,
};
use health::{Acknowledgement, Evidence, Incident, IncidentId, LikelyCause, Member, Scope, Severity, StatusChange};

/// A register with everything in it that a record can hold, and a camera with nothing but what it must have.
pub(super) fn register() -> RegistryChange {
    let full = Camera {
        id: CameraId(1),
        name: "村口 \"东\"".into(),
        site: SiteId(10),
        uplink: Some(UplinkId(5)),
        gb_code: Some(GbCode("not a code".into())),
        main: url("rtsp://10.0.0.1:8554/main?x=1"),
        sub: Some(url("rtsp://10.0.0.1/sub")),
        credentials: Some(Credentials {
            username: "viewer".into(),
            password: Secret::new("p'; DROP TABLE camera;--口"),
        }),
        transport: Transport::Udp,
        life_cycle: LifeCycle::Repair,
        place: Place {
            code: Some("P-1".into()),
            address: Some("晒谷坪".into()),
            coordinates: Some(Coordinates { longitude: 113.345, latitude: -27.004, source: Some("GPS".into()) }),
            power: Power { source: Some("居民".into()), contact: Some("村委会".into()), phone: Some("0".into()) },
            onu_serial: Some("ONU1".into()),
        },
        device: Device {
            vendor: Some("v".into()),
            model: Some("m".into()),
            serial: Some("s".into()),
            mac: Some("00:11".into()),
            installed: Some("2021-11-30".into()),
            sessions: Some(1),
            quirks: "session_id=latest keepalive=none".parse().expect("policies"),
        },
        upkeep: Upkeep { unit: Some("u".into()), phone: Some("p".into()) },
        changed: Wall(1_700_000_000_000),
    };
    let bare = Camera {
        id: CameraId(u32::MAX),
        name: "b".into(),
        site: SiteId(11),
        uplink: None,
        gb_code: None,
        main: url("rtsp://[fd00::1]/"),
        sub: None,
        credentials: None,
        transport: Transport::Tcp,
        life_cycle: LifeCycle::InUse,
        place: Place::default(),
        device: Device::default(),
        upkeep: Upkeep::default(),
        changed: Wall(0),
    };
    RegistryChange {
        towns: vec![Town { id: TownId(3), name: "石桥镇".into() }],
        sites: vec![
            Site {
                id: SiteId(10),
                name: "上村".into(),
                kind: SiteKind::Village,
                town: TownId(3),
                stat_code: Some("430000000001".into()),
            },
            Site {
                id: SiteId(11), name: "中心".into(), kind: SiteKind::CentralArea, town: TownId(3), stat_code: None
            },
        ],
        uplinks: vec![
            Uplink { id: UplinkId(5), name: "L5".into(), olt: Some(Olt("O".into())), budget_kbps: Some(20_000) },
            Uplink { id: UplinkId(6), name: "L6".into(), olt: None, budget_kbps: None },
        ],
        cameras: vec![full, bare],
    }
}

fn url(text: &str) -> StreamUrl {
    StreamUrl::parse(text).expect("a usable address").0
}

/// Camera `camera` is `status` from `at` on.
pub(super) fn change(camera: u32, at: i64, status: Status) -> StatusChange {
    let cause = match status {
        Status::Online => None,
        Status::Impaired => Some(Cause::PictureBlack),
        Status::Offline => Some(Cause::NoAnswer),
        Status::Unknown => Some(Cause::OwnNetwork),
        Status::Paused => Some(Cause::Maintenance),
    };
    StatusChange {
        camera: CameraId(camera),
        at: Wall(at),
        status,
        from: None,
        layer: cause.map(Cause::layer),
        cause,
        detail: format!("as of {at}"),
    }
}

/// An open incident about a scope with these members.
pub(super) fn incident(id: u64, opened: i64, scope: Scope, members: &[u32]) -> Incident {
    Incident {
        id: IncidentId(id),
        scope,
        opened: Wall(opened),
        resolved: None,
        severity: Severity::Major,
        cause: Cause::NoAnswer,
        likely: LikelyCause::PowerOrFibre,
        confidence: 90,
        evidence: vec![Evidence {
            rule: "all_silent".into(),
            weight: 90,
            zh: "全部无应答".into(),
            en: "all silent".into(),
        }],
        members: members
            .iter()
            .map(|&camera| Member {
                camera: CameraId(camera),
                joined: Wall(opened),
                left: None,
                cause: Cause::NoAnswer,
            })
            .collect(),
        acknowledged: Some(Acknowledgement {
            by: "a".into(),
            at: Wall(opened + 1),
            reason: "r".into(),
            until: Some(Wall(opened + 2)),
        }),
        folded_into: None,
        reopened: Vec::new(),
    }
}

/// A user to be added.
pub(super) fn user(name: &str) -> NewUser {
    NewUser {
        name: name.into(),
        full_name: "值班员".into(),
        unit: "综治中心".into(),
        role: Role::Operator,
        towns: vec![TownId(1), TownId(2)],
        sites: vec![SiteId(9)],
        password_hash: Secret::new("$argon2id$…"),
        must_change_password: true,
        expires: Some(Wall(2_000_000)),
        created: Wall(1_000_000),
    }
}

/// Somebody did something.
pub(super) fn entry(at: i64, who: &str, action: &str) -> AuditEntry {
    AuditEntry {
        at: Wall(at),
        who: who.into(),
        who_detail: "某人, 某单位".into(),
        address: "10.0.0.9".into(),
        action: action.into(),
        object: "C00001".into(),
        reason: "复核".into(),
        success: at % 2 == 0,
        detail: String::new(),
    }
}
