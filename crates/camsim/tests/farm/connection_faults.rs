//! Faults of link, port, protocol and flow, seen from outside; each leaves no trace when it is undone.

use crate::{
    MAIN, SUB, address, camera,
    client::{Client, Packet},
    farm, with_account,
};
use camsim::{Farm, Fault, Scheme, Target};
use std::{
    io,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_millis(1500);

async fn playing(network: u8, id: u32) -> Client {
    let mut client = Client::connect(address(network, id)).await.unwrap().with_account("admin", "Vill@ge 1");
    assert_eq!(client.play(MAIN).await.unwrap().status, 200);
    client.packet().await.unwrap();
    client
}

/// Waits until a new viewer gets video.
async fn recovers(network: u8, id: u32) {
    let end = Instant::now() + crate::client::LIMIT;
    loop {
        if let Ok(mut client) = Client::connect_within(address(network, id), SOON).await
            && client.play(MAIN).await.is_ok_and(|a| a.status == 200)
            && client.packet().await.is_ok()
        {
            return;
        }
        assert!(Instant::now() < end, "the fault was not undone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn switch(farm: &Farm, fault: Fault, on: bool) {
    farm.fault(Target::Camera(1), fault, on).unwrap();
}

#[tokio::test]
async fn without_power_nothing_answers_and_afterwards_old_connections_are_reset() {
    let farm = farm(vec![camera(20, 1)]).await;
    let mut old = playing(20, 1).await;
    switch(&farm, Fault::PowerOff, true);
    old.until_silent().await;
    let refused = Client::connect_within(address(20, 1), SOON).await.err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    switch(&farm, Fault::PowerOff, false);
    assert_eq!(old.until_end().await, io::ErrorKind::ConnectionReset);
    recovers(20, 1).await;
}

#[tokio::test]
async fn behind_a_cut_link_nothing_answers_and_afterwards_the_session_goes_on() {
    let farm = farm(vec![camera(21, 1)]).await;
    let mut old = playing(21, 1).await;
    switch(&farm, Fault::BlackHole, true);
    old.until_silent().await;
    let refused = Client::connect_within(address(21, 1), SOON).await.err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    switch(&farm, Fault::BlackHole, false);
    assert!(old.hears(crate::client::LIMIT).await.unwrap());
    recovers(21, 1).await;
}

#[tokio::test]
async fn a_closed_port_refuses_and_resets() {
    let farm = farm(vec![camera(22, 1)]).await;
    let mut old = playing(22, 1).await;
    switch(&farm, Fault::PortClosed, true);
    assert_eq!(old.until_end().await, io::ErrorKind::ConnectionReset);
    let end = Instant::now() + crate::client::LIMIT;
    while Client::connect(address(22, 1)).await.is_ok() {
        assert!(Instant::now() < end);
    }
    assert_eq!(Client::connect(address(22, 1)).await.err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    switch(&farm, Fault::PortClosed, false);
    recovers(22, 1).await;
}

/// What an opening viewer sees under each fault of the protocol: how far it gets, and the status there.
#[tokio::test]
async fn faults_of_the_protocol_show_while_a_session_is_opened() {
    let farm = farm(vec![with_account(Scheme::DigestMd5, camera(23, 1))]).await;
    for (fault, status) in
        [(Fault::WrongPassword, 401), (Fault::AccountLocked, 403), (Fault::NotFound, 404), (Fault::SessionLimit, 453)]
    {
        let mut old = playing(23, 1).await;
        switch(&farm, fault, true);
        assert_eq!(old.until_end().await, io::ErrorKind::UnexpectedEof, "{fault:?} ends running sessions");
        let mut client = Client::connect(address(23, 1)).await.unwrap().with_account("admin", "Vill@ge 1");
        assert_eq!(client.play(MAIN).await.unwrap().status, status, "{fault:?}");
        switch(&farm, fault, false);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    switch(&farm, Fault::NoVideo, true);
    let end = Instant::now() + crate::client::LIMIT;
    loop {
        // The first may meet the camera just before the fault, and is cut off then.
        let mut client = Client::connect(address(23, 1)).await.unwrap().with_account("admin", "Vill@ge 1");
        let sdp = client.ask("DESCRIBE", MAIN, "").await.map(|a| a.body).unwrap_or_default();
        if sdp.contains("m=audio") && !sdp.contains("m=video") {
            break;
        }
        assert!(Instant::now() < end, "{sdp}");
    }
}

#[tokio::test]
async fn a_slow_camera_answers_late() {
    let farm = farm(vec![camera(24, 1)]).await;
    let mut old = playing(24, 1).await;
    switch(&farm, Fault::Slow, true);
    old.until_end().await;
    let mut client = Client::connect(address(24, 1)).await.unwrap();
    let asked = Instant::now();
    assert_eq!(client.ask("OPTIONS", MAIN, "").await.unwrap().status, 200);
    assert!(asked.elapsed() >= Duration::from_millis(900), "{:?}", asked.elapsed());
}

#[tokio::test]
async fn garbage_is_not_rtsp() {
    let farm = farm(vec![camera(25, 1)]).await;
    let mut old = playing(25, 1).await;
    switch(&farm, Fault::Garbage, true);
    old.until_end().await;
    let mut client = Client::connect(address(25, 1)).await.unwrap();
    assert_eq!(client.ask("OPTIONS", MAIN, "").await.err().unwrap().to_string(), "not RTSP");
    switch(&farm, Fault::Garbage, false);
    recovers(25, 1).await;
}

#[tokio::test]
async fn a_stalled_stream_stops_and_its_connection_stays() {
    let farm = farm(vec![camera(26, 1)]).await;
    let mut old = playing(26, 1).await;
    switch(&farm, Fault::Stall, true);
    old.until_silent().await;
    assert_eq!(old.ask("GET_PARAMETER", MAIN, "").await.unwrap().status, 200);
    let mut client = Client::connect(address(26, 1)).await.unwrap();
    assert_eq!(client.play(MAIN).await.unwrap().status, 200);
    assert!(!client.hears(SOON).await.unwrap(), "a new session gets nothing either");
    switch(&farm, Fault::Stall, false);
    assert!(old.hears(crate::client::LIMIT).await.unwrap());
}

#[tokio::test]
async fn no_rtp_ends_sessions_and_opens_empty_ones() {
    let farm = farm(vec![camera(27, 1)]).await;
    let mut old = playing(27, 1).await;
    switch(&farm, Fault::NoRtp, true);
    old.until_end().await;
    let mut client = Client::connect(address(27, 1)).await.unwrap();
    assert_eq!(client.play(MAIN).await.unwrap().status, 200);
    assert!(!client.hears(SOON).await.unwrap());
}

#[tokio::test]
async fn lost_packets_leave_gaps_in_the_numbers() {
    let farm = farm(vec![camera(28, 1)]).await;
    switch(&farm, Fault::PacketLoss, true);
    let mut client = playing(28, 1).await;
    let video: Vec<u16> =
        client.packets(Duration::from_secs(4)).await.iter().filter(|p| p.channel == 0).map(Packet::seq).collect();
    let sent = f64::from(video.last().unwrap().wrapping_sub(video[0])) + 1.0;
    let lost = 1.0 - video.len() as f64 / sent;
    assert!((0.03..0.2).contains(&lost), "{lost:.3} of {sent} packets");
}

#[tokio::test]
async fn without_keyframes_only_the_rest_arrives() {
    let farm = farm(vec![camera(29, 1)]).await;
    switch(&farm, Fault::NoKeyframe, true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut client = playing(29, 1).await;
    let packets = client.packets(Duration::from_secs(3)).await;
    let kinds: Vec<u8> = packets.iter().filter(|p| p.channel == 0).map(Packet::nal).collect();
    assert!(kinds.len() > 40 && kinds.iter().all(|&kind| kind == 1), "{kinds:?}");
}

#[tokio::test]
async fn a_low_frame_rate_is_three_pictures_a_second() {
    let farm = farm(vec![camera(30, 1)]).await;
    switch(&farm, Fault::LowFrameRate, true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut client = playing(30, 1).await;
    let pictures = client.packets(Duration::from_secs(4)).await.iter().filter(|p| p.ends_picture()).count();
    assert!((10..=14).contains(&pictures), "{pictures} pictures in 4 s");
}

#[tokio::test]
async fn a_wrong_clock_is_an_hour_ahead() {
    let farm = farm(vec![camera(31, 1)]).await;
    switch(&farm, Fault::WrongClock, true);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut client = Client::connect(address(31, 1)).await.unwrap();
    client.play(SUB).await.unwrap();
    let report = loop {
        let packet = client.packet().await.unwrap();
        if packet.channel == 1 {
            break packet.data;
        }
    };
    let seconds = i64::from(u32::from_be_bytes(report[8..12].try_into().unwrap())) - 2_208_988_800;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!((3598..=3602).contains(&(seconds - now)), "{} s", seconds - now);
}
