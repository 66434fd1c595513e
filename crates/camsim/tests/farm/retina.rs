//! What retina makes of the streams: an RTSP client that no one here wrote, made for real cameras.

use crate::{MAIN, SUB, address, camera, farm, in_h265, with_account};
use camsim::Scheme;
use futures::StreamExt;
use retina::{
    client::{Credentials, PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport},
    codec::CodecItem,
};
use std::{net::SocketAddr, time::Duration};

/// Reads so many frames and says how many of them were keyframes, and how many packets were missing.
async fn watch(addr: SocketAddr, path: &str, transport: Transport, frames: usize) -> (usize, u64) {
    let reading = async {
        let account = Credentials { username: "admin".into(), password: "Vill@ge 1".into() };
        let options = SessionOptions::default().creds(Some(account));
        let mut session = Session::describe(format!("rtsp://{addr}{path}").parse().unwrap(), options).await.unwrap();
        let video = session.streams().iter().position(|s| s.media() == "video").unwrap();
        session.setup(video, SetupOptions::default().transport(transport)).await.unwrap();
        let playing = session.play(PlayOptions::default()).await.unwrap();
        let mut items = Box::pin(playing.demuxed().unwrap());
        let (mut keyframes, mut lost, mut seen) = (0, 0, 0);
        while seen < frames {
            if let CodecItem::VideoFrame(frame) = items.next().await.unwrap().unwrap() {
                seen += 1;
                keyframes += usize::from(frame.is_random_access_point());
                lost += u64::from(frame.loss());
            }
        }
        (keyframes, lost)
    };
    tokio::time::timeout(Duration::from_secs(25), reading).await.expect("retina gets no more frames")
}

#[tokio::test]
async fn retina_reads_both_codecs_over_tcp_and_udp_with_every_account() {
    let _farm = farm(vec![
        with_account(Scheme::DigestMd5, camera(90, 1)),
        in_h265(with_account(Scheme::DigestSha256, camera(90, 2))),
        with_account(Scheme::Basic, camera(90, 3)),
    ])
    .await;
    let tcp = || Transport::Tcp(TcpTransportOptions::default());
    let udp = || Transport::Udp(Default::default());
    let seen = tokio::join!(
        watch(address(90, 1), MAIN, tcp(), 64),
        watch(address(90, 2), MAIN, tcp(), 64),
        watch(address(90, 3), SUB, tcp(), 34),
        watch(address(90, 1), SUB, udp(), 34),
    );
    for (name, (keyframes, lost)) in [("H.264", seen.0), ("H.265", seen.1), ("sub stream", seen.2), ("UDP", seen.3)] {
        assert!(keyframes > 0, "{name}: no keyframe");
        assert_eq!(lost, 0, "{name}: packets are missing");
    }
}
