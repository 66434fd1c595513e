//! Switching faults: targets, overlaps, truth, and the same over HTTP.

use crate::{address, camera, client::Client, farm};
use camsim::{Fault, SimError, Target};
use std::{net::SocketAddr, time::Duration};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn overlapping_faults_are_undone_one_by_one() {
    let farm = farm((1..=4).map(|id| camera(40, id)).collect()).await;
    farm.fault(Target::Site(1), Fault::Black, true).unwrap();
    farm.fault(Target::Uplink(1), Fault::Black, true).unwrap();
    farm.fault(Target::Camera(3), Fault::PacketLoss, true).unwrap();
    assert_eq!(farm.truth(), [(2, vec![Fault::Black]), (3, vec![Fault::PacketLoss, Fault::Black])]);
    farm.fault(Target::Site(1), Fault::Black, false).unwrap();
    assert_eq!(farm.truth().len(), 2, "the uplink still has it");
    farm.fault(Target::Uplink(1), Fault::Black, false).unwrap();
    farm.fault(Target::Camera(3), Fault::PacketLoss, false).unwrap();
    assert!(farm.truth().is_empty() && farm.active().is_empty());
    farm.fault(Target::All, Fault::Stall, true).unwrap();
    assert_eq!(farm.truth().len(), 4);
    assert!(matches!(farm.fault(Target::Camera(99), Fault::Stall, true), Err(SimError::NoSuchTarget(_))));
    assert_eq!(farm.addr(2), Some(address(40, 2)));
}

#[tokio::test]
async fn a_stopped_farm_answers_no_more() {
    let farm = farm(vec![camera(41, 1)]).await;
    Client::connect(address(41, 1)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(3), farm.shutdown()).await.unwrap();
    assert!(Client::connect(address(41, 1)).await.is_err());
}

#[tokio::test]
async fn faults_are_switched_over_http() {
    let farm = farm(vec![camera(42, 1)]).await;
    let control = farm.control().unwrap();
    let on = r#"{"target":{"kind":"camera","id":1},"fault":"power_off","on":true}"#;
    assert!(http(control, "POST", "/fault", on).await.starts_with("HTTP/1.1 204"));
    assert_eq!(farm.active(), [(Target::Camera(1), Fault::PowerOff)]);
    let state = http(control, "GET", "/state", "").await;
    assert!(state.contains(r#""active":[{"target":{"kind":"camera","id":1},"fault":"power_off"}]"#), "{state}");
    let all = r#"{"target":{"kind":"all"},"fault":"stall","on":true}"#;
    assert!(http(control, "POST", "/fault", all).await.starts_with("HTTP/1.1 204"));
    let none = r#"{"target":{"kind":"site","id":77},"fault":"stall","on":true}"#;
    assert!(http(control, "POST", "/fault", none).await.starts_with("HTTP/1.1 404"));
    let unknown = r#"{"target":{"kind":"camera","id":1},"fault":"bored","on":true}"#;
    assert!(http(control, "POST", "/fault", unknown).await.starts_with("HTTP/1.1 422"));
}

async fn http(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}
