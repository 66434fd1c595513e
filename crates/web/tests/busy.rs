//! The dashboard in headless Chromium before a big fleet that changes a hundred times a second: how fast the pages
//! come, what they cost, whether they answer. The measuring itself is `ui/e2e/busy.measure.ts`.
//!
//! `SHARPEYES_BUSY_CAMERAS=10000 cargo test -p sharpeyes-web --test busy -- --nocapture` shows ten thousand.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, dead_code)]

#[path = "api/support.rs"]
mod support;

use base64::{Engine, engine::general_purpose::STANDARD};
use fleet::{CameraId, Cause, Now, Registry, Site, SiteId, SiteKind, Town, TownId, Wall};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{collections::BTreeMap, process::Stdio, sync::Arc, time::Duration};
use store::Role;
use support::{County, PASSWORD};

/// Changes a second, published four times a second as a node does.
const CHANGES: u32 = 100;
/// What makes cameras anything but online, over and over.
const TROUBLES: [Cause; 4] = [Cause::NoAnswer, Cause::PacketLoss, Cause::PictureFrozen, Cause::PasswordRefused];

fn big(cameras: u32) -> Registry {
    let sites = cameras.div_ceil(3);
    let towns = sites.div_ceil(17);
    Registry::new(
        (1..=towns).map(|id| Town { id: TownId(id), name: format!("第{id}镇") }),
        (1..=sites).map(|id| Site {
            id: SiteId(id),
            name: format!("第{id}村"),
            kind: SiteKind::Village,
            town: TownId(id.div_ceil(17)),
            stat_code: None,
        }),
        [],
        (1..=cameras).map(|id| support::camera(id, id.div_ceil(3), None)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_bear_a_big_restless_fleet() {
    let cameras = std::env::var("SHARPEYES_BUSY_CAMERAS").map_or(800, |n| n.parse().unwrap());
    let county = Arc::new(County::with(|services| services.registry.store(Arc::new(big(cameras)))).await);
    county.user("operator", Role::Operator, &[], &[]).await;
    let jpeg = STANDARD.decode(include_str!("api/grey.jpg.b64").trim().replace('\n', "")).unwrap();
    for id in 1..=cameras {
        county.services.gallery.put(CameraId(id), jpeg.clone().into(), Wall::read());
    }
    let restless = tokio::spawn({
        let county = Arc::clone(&county);
        async move {
            let mut random = StdRng::seed_from_u64(1);
            let mut ticks = tokio::time::interval(Duration::from_millis(250));
            let mut troubled = BTreeMap::new();
            loop {
                ticks.tick().await;
                let changed: Vec<u32> = (0..CHANGES / 4).map(|_| random.random_range(1..=cameras)).collect();
                for id in &changed {
                    if troubled.remove(id).is_none() {
                        troubled.insert(*id, TROUBLES[random.random_range(0..TROUBLES.len())]);
                    }
                }
                let troubles: Vec<(u32, Cause)> = troubled.iter().map(|(id, cause)| (*id, *cause)).collect();
                county.publish_telling(&troubles, &changed, Vec::new());
                county.services.heartbeat.beat(Now::read().mono);
            }
        }
    });
    let output = tokio::process::Command::new("npx")
        .args(["playwright", "test", "--config", "e2e/busy.config.ts"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/ui"))
        .env("SHARPEYES_URL", county.url(""))
        .env("SHARPEYES_USER", "operator")
        .env("SHARPEYES_PASSWORD", PASSWORD)
        .env("SHARPEYES_CAMERAS", cameras.to_string())
        // The aims are for a machine of its own; here other tests run beside.
        .env("SHARPEYES_SLACK", std::env::var("SHARPEYES_SLACK").unwrap_or_else(|_| "8".into()))
        .stdin(Stdio::null())
        .output()
        .await
        .expect("npx is installed by ./task setup");
    restless.abort();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
