//! The sample county: loaded into the demo's register, and handed to the simulator.

use crate::{node::Node, output::Failure};
use fleet::{Camera, Registry, Wall, import};
use std::path::PathBuf;
use store::RegistryChange;

/// The same file that a real user would fill in.
const COUNTY: &str = include_str!("../../../config/demo/cameras.csv");

/// Imports the first so many cameras of the sample county; those that are there already stay as they are.
pub(super) async fn load(node: &mut Node, cameras: u32) -> Result<(), Failure> {
    let rows: String = COUNTY.split_inclusive('\n').take(cameras as usize + 1).collect();
    let plan = import::plan(rows.as_bytes(), &node.registry(), Wall::read()).map_err(Failure::work)?;
    let counts = plan.counts();
    if counts.rejected > 0 {
        return Err(Failure::work(format!("{} rows of the sample county cannot be imported", counts.rejected)));
    }
    if counts.added > 0 {
        node.store().change_registry(RegistryChange::from(plan.change())).await.map_err(Failure::work)?;
        node.set_registry(node.store().registry().await.map_err(Failure::work)?);
    }
    Ok(())
}

/// What the simulator must do to be the cameras of the register that are on this machine.
pub(super) fn simulated(registry: &Registry, scenes: PathBuf, script: bool) -> camsim::Config {
    let cameras = registry.cameras().filter_map(camera).collect();
    camsim::Config { cache: scenes, cameras, script, ..camsim::Config::default() }
}

fn camera(camera: &Camera) -> Option<camsim::SimCamera> {
    let address = camera.main.host().parse::<std::net::IpAddr>().ok().filter(std::net::IpAddr::is_loopback)?;
    let path = camera.main.url().path();
    Some(camsim::SimCamera {
        id: camera.id.0,
        name: camera.name.clone(),
        site: camera.site.0,
        uplink: camera.uplink.map(|u| u.0),
        addr: (address, camera.main.port()).into(),
        codec: if path.contains("h265") { camsim::SimCodec::H265 } else { camsim::SimCodec::H264 },
        main: path.to_owned(),
        sub: camera.sub.as_ref().map(|s| s.url().path().to_owned()),
        account: camera.credentials.as_ref().map(|c| camsim::Account {
            username: c.username.clone(),
            password: c.password.expose().to_owned(),
            scheme: camsim::Scheme::DigestMd5,
        }),
        ..camsim::SimCamera::default()
    })
}
