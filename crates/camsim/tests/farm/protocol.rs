//! RTSP and RTP of healthy cameras.

use crate::{MAIN, SUB, address, camera, client::Client, farm, in_h265, with_account};
use camsim::{Scheme, SimCamera, SimError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[tokio::test]
async fn a_viewer_gets_video_from_open_to_teardown() {
    let _farm = farm(vec![camera(1, 1)]).await;
    let mut client = Client::connect(address(1, 1)).await.unwrap();
    let options = client.ask("OPTIONS", MAIN, "").await.unwrap();
    for method in ["DESCRIBE", "SETUP", "PLAY", "GET_PARAMETER", "TEARDOWN"] {
        assert!(options.headers["public"].contains(method));
    }
    let sdp = client.ask("DESCRIBE", MAIN, "Accept: application/sdp\r\n").await.unwrap().body;
    assert!(
        sdp.contains("m=video 0 RTP/AVP 96") && sdp.contains("H264/90000") && sdp.contains("sprop-parameter-sets=")
    );
    assert_eq!(client.play(MAIN).await.unwrap().status, 200);
    let packets = client.packets(Duration::from_secs(3)).await;
    let video: Vec<_> = packets.iter().filter(|p| p.channel == 0).collect();
    assert!(video.windows(2).all(|w| w[1].seq() == w[0].seq().wrapping_add(1)), "a gap");
    let kinds: Vec<u8> = video.iter().map(|p| p.nal()).collect();
    assert_eq!(kinds[..3], [7, 8, 5], "parameter sets and a keyframe come first");
    let pictures = video.iter().filter(|p| p.ends_picture()).count();
    assert!((38..=52).contains(&pictures), "{pictures} pictures in 3 s");
    assert_eq!(client.ask("GET_PARAMETER", MAIN, "").await.unwrap().status, 200);
    assert_eq!(client.ask("TEARDOWN", MAIN, "").await.unwrap().status, 200);
    assert_eq!(client.ask("PLAY", MAIN, "").await.unwrap().status, 454);
    client.until_silent().await;
}

#[tokio::test]
async fn sender_reports_tell_the_cameras_clock() {
    let ahead = SimCamera { clock_error_ms: 7_000, ..camera(2, 1) };
    let _farm = farm(vec![ahead]).await;
    let mut client = Client::connect(address(2, 1)).await.unwrap();
    assert_eq!(client.play(SUB).await.unwrap().status, 200);
    let report = loop {
        let packet = client.packet().await.unwrap();
        if packet.channel == 1 {
            break packet.data;
        }
    };
    assert_eq!(report[..4], [0x80, 200, 0, 6]);
    let seconds = i64::from(u32::from_be_bytes(report[8..12].try_into().unwrap())) - 2_208_988_800;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    assert!((6..=8).contains(&(seconds - now)), "{} s", seconds - now);
}

#[tokio::test]
async fn every_scheme_lets_in_who_knows_the_password_and_nobody_else() {
    let schemes = [Scheme::Basic, Scheme::DigestMd5, Scheme::DigestSha256];
    let cameras = (1..).zip(schemes).map(|(id, scheme)| with_account(scheme, camera(3, id))).collect();
    let _farm = farm(cameras).await;
    for id in 1..=3 {
        let mut nobody = Client::connect(address(3, id)).await.unwrap();
        assert_eq!(nobody.play(MAIN).await.unwrap().status, 401);
        let mut wrong = Client::connect(address(3, id)).await.unwrap().with_account("admin", "village 1");
        assert_eq!(wrong.play(MAIN).await.unwrap().status, 401);
        let mut right = Client::connect(address(3, id)).await.unwrap().with_account("admin", "Vill@ge 1");
        assert_eq!(right.play(MAIN).await.unwrap().status, 200);
        assert!(right.packet().await.is_ok());
    }
}

#[tokio::test]
async fn wrong_passwords_lock_the_account() {
    let strict = SimCamera { lockout: Some(3), ..with_account(Scheme::DigestMd5, camera(4, 1)) };
    let _farm = farm(vec![strict]).await;
    let mut client = Client::connect(address(4, 1)).await.unwrap().with_account("admin", "wrong");
    for _ in 0..3 {
        assert_eq!(client.ask("DESCRIBE", MAIN, "").await.unwrap().status, 401);
    }
    let locked = client.ask("DESCRIBE", MAIN, "").await.unwrap();
    assert_eq!((locked.status, locked.reason.as_str()), (403, "Forbidden: account locked"));
    let mut right = Client::connect(address(4, 1)).await.unwrap().with_account("admin", "Vill@ge 1");
    assert_eq!(right.play(MAIN).await.unwrap().status, 403);
}

#[tokio::test]
async fn a_camera_serves_no_more_sessions_than_it_can() {
    let weak = SimCamera { max_sessions: 1, ..camera(5, 1) };
    let _farm = farm(vec![weak]).await;
    let mut first = Client::connect(address(5, 1)).await.unwrap();
    assert_eq!(first.play(MAIN).await.unwrap().status, 200);
    let mut second = Client::connect(address(5, 1)).await.unwrap();
    assert_eq!(second.play(SUB).await.unwrap().status, 453);
    assert_eq!(first.ask("TEARDOWN", MAIN, "").await.unwrap().status, 200);
    assert_eq!(second.play(SUB).await.unwrap().status, 200);
    drop(second);
    // A connection that ends frees its session too.
    let end = std::time::Instant::now() + crate::client::LIMIT;
    while first.play(MAIN).await.unwrap().status != 200 {
        assert!(std::time::Instant::now() < end, "the session is not freed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_understood_is_refused() {
    let _farm = farm(vec![camera(6, 1), in_h265(camera(6, 2))]).await;
    let mut client = Client::connect(address(6, 1)).await.unwrap();
    assert_eq!(client.ask("DESCRIBE", "/nothing", "").await.unwrap().status, 404);
    assert_eq!(client.ask("RECORD", MAIN, "").await.unwrap().status, 501);
    let multicast = "Transport: RTP/AVP;multicast;client_port=5000-5001\r\n";
    assert_eq!(client.ask("SETUP", MAIN, multicast).await.unwrap().status, 461);
    assert_eq!(client.ask("PLAY", MAIN, "").await.unwrap().status, 454);
    let mut other = Client::connect(address(6, 2)).await.unwrap();
    let sdp = other.ask("DESCRIBE", MAIN, "").await.unwrap().body;
    assert!(sdp.contains("H265/90000") && sdp.contains("sprop-vps="));
}

#[tokio::test]
async fn a_reader_that_stops_reading_holds_up_nobody() {
    let _farm = farm(vec![camera(7, 1)]).await;
    let mut lazy = Client::connect(address(7, 1)).await.unwrap();
    assert_eq!(lazy.play(MAIN).await.unwrap().status, 200);
    let mut eager = Client::connect(address(7, 1)).await.unwrap();
    assert_eq!(eager.play(MAIN).await.unwrap().status, 200);
    let pictures = eager.packets(Duration::from_secs(4)).await.iter().filter(|p| p.ends_picture()).count();
    assert!(pictures >= 50, "{pictures} pictures in 4 s");
    // What the lazy one finds when it comes back is still a row of whole packets.
    for _ in 0..200 {
        lazy.packet().await.unwrap();
    }
}

#[tokio::test]
async fn a_taken_address_is_told() {
    let _farm = farm(vec![camera(8, 1)]).await;
    let config = camsim::Config { cameras: vec![camera(8, 1)], ..camsim::Config::default() };
    let Err(error) = camsim::Farm::start(config).await else { panic!("started twice") };
    assert!(matches!(error, SimError::Listen { id: 1, .. }), "{error}");
}
