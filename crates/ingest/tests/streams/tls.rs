//! RTSP over TLS: a camera with a certificate of its own making is taken, and held to that certificate.
#![allow(clippy::unwrap_used)]

use crate::common::*;
use fleet::{Cause, StreamChoice};
use health::StreamEvent;
use ingest::climb;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

/// A certificate of a camera's own making.
fn own_certificate() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["camera".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Puts TLS before a camera, with whatever certificate `acceptor` holds at the time.
async fn before(camera: SocketAddr, acceptor: Arc<Mutex<TlsAcceptor>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.lock().unwrap().clone();
            tokio::spawn(async move {
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let mut inside = TcpStream::connect(camera).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_is_held_to_its_first_certificate_until_it_is_forgotten() {
    let server = Scripted::start(|_| Reply::Good, honest).await;
    let certificate = Arc::new(Mutex::new(own_certificate()));
    let address = before(server.address, certificate.clone()).await;
    let goal = target(url(&format!("rtsps://{address}/cam")));
    let mut one = One::new(hasty(), &goal);
    one.open();
    let StreamEvent::Opened { .. } = one.next().await else { panic!("it opens") };
    let keyframe = one.ingest.next_keyframe(CAMERA, Duration::from_secs(3)).await.unwrap();
    assert_eq!((keyframe.width, keyframe.height), (640, 480));
    let transcript = one.ingest.transcript(CAMERA).unwrap();
    assert!(transcript.contains("certificate") && transcript.contains("rtsps://"), "{transcript}");
    let (camera, first) = timeout(Duration::from_secs(3), one.ingest.next_certificate()).await.unwrap();
    assert_eq!((camera, one.ingest.certificate(CAMERA)), (CAMERA, Some(first)));
    one.ingest.close(CAMERA);

    *certificate.lock().unwrap() = own_certificate();
    one.open();
    let (opened, failure) = one.ended().await;
    assert_eq!((opened, failure.cause), (false, Cause::TlsFailed), "{failure:?}");
    assert!(failure.detail.contains("another certificate"), "{failure:?}");
    one.ingest.open(CAMERA, StreamChoice::Main, true);
    let (opened, failure) = one.ended().await;
    assert_eq!((opened, failure.cause), (false, Cause::TlsFailed), "nor when a person has it checked: {failure:?}");

    // After a restart it is still the first one that counts, on a climb too.
    let mut other = One::new(hasty(), &goal);
    other.ingest.hold_to([(CAMERA, first)]);
    other.open();
    assert_eq!(other.ended().await.1.cause, Cause::TlsFailed);
    let held = ingest::Target { certificate: Some(first), ..goal.clone() };
    let climbed = climb(&held, &hasty(), &mut |_| {}).await;
    assert_eq!(climbed.failure.map(|f| f.cause), Some(Cause::TlsFailed), "{}", climbed.transcript);

    other.ingest.forget_certificate(CAMERA);
    assert_eq!(other.ingest.certificate(CAMERA), None);
    other.open();
    assert!(matches!(other.next().await, StreamEvent::Opened { .. }), "the next one is believed");
    let (_, second) = timeout(Duration::from_secs(3), other.ingest.next_certificate()).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(other.ingest.certificate(CAMERA), Some(second));

    let climbed = climb(&goal, &hasty(), &mut |_| {}).await;
    assert_eq!(climbed.failure, None, "{}", climbed.transcript);
    one.ingest.shutdown(Duration::from_secs(2)).await;
    other.ingest.shutdown(Duration::from_secs(2)).await;
}
