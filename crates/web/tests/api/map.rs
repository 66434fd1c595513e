//! The ground of the map: a PMTiles file told by range, to those who are signed in.

use crate::support::{County, code};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use store::Role;
use web::Tiles;

/// A header and thirteen bytes; see PMTiles 3, section 3.
fn file() -> Vec<u8> {
    let mut file = vec![0; 127];
    file[..8].copy_from_slice(b"PMTiles\x03");
    (file[97], file[98], file[99], file[101]) = (2, 2, 1, 14);
    for (at, degrees) in [(102, 112), (106, 30), (110, 113), (114, 31)] {
        file[at..at + 4].copy_from_slice(&(degrees * 10_000_000_i32).to_le_bytes());
    }
    file.extend_from_slice(b"0123456789abc");
    file
}

#[tokio::test]
async fn tiles_are_told_by_range_to_whoever_is_signed_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("county.pmtiles");
    std::fs::write(&path, file()).unwrap();
    let tiles = Arc::new(Tiles::open(&path, "© OpenStreetMap", true).unwrap());
    let county = County::with(|s| s.config.map = Some(tiles)).await;
    let technician = county.signed_in(Role::Technician).await;
    let ground = technician.json("/api/v1/map").await["ground"].clone();
    assert_eq!(
        ground,
        json!({ "kind": "vector", "least_zoom": 0, "most_zoom": 14, "bounds": [112.0, 30.0, 113.0, 31.0],
            "attribution": "© OpenStreetMap", "gcj02": true })
    );
    let asked = |range: &str| technician.request(Method::GET, "/api/v1/map/tiles").header("range", range).send();
    let some = technician.request(Method::GET, "/api/v1/map/tiles").header("accept-encoding", "gzip");
    let some = some.header("range", "bytes=127-131").send().await.unwrap();
    assert_eq!(some.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(some.headers()["content-range"], "bytes 127-131/140");
    assert!(some.headers().get("content-encoding").is_none() && some.headers().contains_key("etag"));
    assert_eq!(some.bytes().await.unwrap(), "01234");
    let end = asked("bytes=135-9999999").await.unwrap();
    assert_eq!(end.headers()["content-range"], "bytes 135-139/140");
    assert_eq!(end.bytes().await.unwrap(), "89abc");
    assert_eq!(code(asked("bytes=140-").await.unwrap()).await, (416, "no_such_range".into()));
    assert_eq!(code(technician.get("/api/v1/map/tiles").await).await, (400, "invalid".into()));
    let anybody = county.anybody().request(Method::GET, "/api/v1/map/tiles").header("range", "bytes=0-9");
    assert_eq!(code(anybody.send().await.unwrap()).await, (401, "not_signed_in".into()));
}

#[tokio::test]
async fn without_a_file_the_ground_is_plain() {
    let county = County::start().await;
    let operator = county.signed_in(Role::Operator).await;
    assert_eq!(operator.json("/api/v1/map").await, json!({ "ground": Value::Null }));
    assert_eq!(code(operator.get("/api/v1/map/tiles").await).await, (404, "not_found".into()));
}
