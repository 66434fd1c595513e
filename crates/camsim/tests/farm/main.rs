//! Cameras as their viewers see them: by a client of our own, and by Debian's FFmpeg.
#![allow(clippy::unwrap_used)]

mod client;
mod connection_faults;
mod control;
mod decoded;
mod protocol;
mod retina;

use camsim::{Account, Behaviour, Config, Farm, Scheme, SimCamera, SimCodec, Size};
use std::{net::SocketAddr, path::Path, time::Duration};

/// Each test has a network of its own.
fn address(network: u8, camera: u32) -> SocketAddr {
    ([127, 21, network, camera as u8], 8554).into()
}

fn camera(network: u8, id: u32) -> SimCamera {
    SimCamera {
        id,
        name: format!("村口 {id}"),
        site: id / 2,
        uplink: Some(id / 2),
        addr: address(network, id),
        main: "/Streaming/Channels/101".into(),
        sub: Some("/Streaming/Channels/102".into()),
        scene: Some(0),
        ..SimCamera::default()
    }
}

fn with_account(scheme: Scheme, camera: SimCamera) -> SimCamera {
    SimCamera { account: Some(Account { username: "admin".into(), password: "Vill@ge 1".into(), scheme }), ..camera }
}

fn in_h265(camera: SimCamera) -> SimCamera {
    SimCamera { codec: SimCodec::H265, ..camera }
}

const MAIN: &str = "/Streaming/Channels/101";
const SUB: &str = "/Streaming/Channels/102";

/// A small farm: one scene, one group of pictures.
async fn farm(cameras: Vec<SimCamera>) -> Farm {
    farm_with(cameras, Behaviour { slow_answer: Duration::from_millis(900), ..Behaviour::default() }).await
}

async fn farm_with(cameras: Vec<SimCamera>, behaviour: Behaviour) -> Farm {
    let config = Config {
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenes"),
        cameras,
        control: Some(([127, 0, 0, 1], 0).into()),
        scenes: 1,
        size: Size::Small,
        loop_gops: 1,
        workers: 1,
        behaviour,
        ..Config::default()
    };
    Farm::start(config).await.unwrap()
}
