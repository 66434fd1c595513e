//! Live view: the running session's frames over a WebSocket, for those who may, as long as they may.

use crate::support::{County, DEADLINE, PASSWORD, code, registry, until};
use camsim::{Farm, SimCamera, SimCodec};
use fleet::{CameraId, Registry, StreamChoice, StreamUrl};
use futures::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc, time::Duration};
use store::Role;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

/// Cameras 1 (H.264) and 2 (H.265) send video; the others do not exist.
async fn filmed() -> (Farm, County) {
    let process = 140 + (std::process::id() % 100) as u8;
    static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(100);
    let net = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let config = camsim::Config {
        cache: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scenes-web"),
        scenes: 2,
        size: camsim::Size::Small,
        loop_gops: 2,
        workers: 1,
        cameras: [(1, SimCodec::H264), (2, SimCodec::H265)]
            .map(|(id, codec)| SimCamera {
                id,
                name: format!("村口 {id}"),
                site: 1,
                addr: ([127, process, net, id as u8], 8554).into(),
                codec,
                ..SimCamera::default()
            })
            .into(),
        ..camsim::Config::default()
    };
    let farm = Farm::start(config).await.unwrap();
    let county = County::with(|services| {
        let known = registry();
        let cameras = known.cameras().cloned().map(|mut camera| {
            if let Some(address) = farm.addr(camera.id.0) {
                camera.main = StreamUrl::parse(&format!("rtsp://{address}/main")).unwrap().0;
            }
            camera
        });
        let register = Arc::new(Registry::new(
            known.towns().cloned(),
            known.sites().cloned(),
            known.uplinks().cloned(),
            cameras.collect::<Vec<_>>(),
        ));
        services.registry.store(Arc::clone(&register));
        let (events, mut told) = tokio::sync::mpsc::channel(64);
        tokio::spawn(async move { while told.recv().await.is_some() {} });
        let config = ingest::Config { allow_loopback: true, ..ingest::Config::default() };
        services.ingest = ingest::Ingest::start(config, events);
        services.ingest.set_registry(register);
        for id in [1, 2] {
            services.ingest.open(CameraId(id), StreamChoice::Main, false);
        }
    })
    .await;
    (farm, county)
}

/// A new user's cookie.
pub(crate) async fn cookie(county: &County, name: &str, role: Role, towns: &[u32]) -> String {
    county.user(name, role, towns, &[]).await;
    let response = county.anybody().sign_in(name, PASSWORD).await;
    assert_eq!(response.status(), StatusCode::OK);
    let line = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    line.split(';').next().unwrap().to_owned()
}

struct Screen {
    socket: WebSocketStream<TcpStream>,
    got: u64,
}

/// What the service sent.
#[derive(Debug)]
enum Came {
    Said(Value),
    Binary(u8, usize),
    Closed(Option<u16>),
}

impl Screen {
    async fn open(county: &County, path: &str, cookie: &str, origin: Option<&str>) -> Result<Screen, Error> {
        let mut request = format!("ws://{}/api/v1/cameras/{path}", county.address).into_client_request().unwrap();
        request.headers_mut().insert("cookie", cookie.parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let stream = TcpStream::connect(county.address).await.unwrap();
        let (socket, _) = client_async(request, stream).await?;
        Ok(Screen { socket, got: 0 })
    }

    /// The next message, not acknowledged.
    async fn take(&mut self) -> Came {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.socket.next()).await.expect("a message in time");
            match message {
                Some(Ok(Message::Text(text))) => return Came::Said(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Binary(bytes))) => {
                    self.got += 1;
                    return Came::Binary(bytes[0], bytes.len());
                }
                Some(Ok(Message::Close(frame))) => return Came::Closed(frame.map(|f| f.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Came::Closed(None),
            }
        }
    }

    async fn acknowledge(&mut self) {
        let text = json!({ "got": self.got }).to_string();
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }

    /// The next message, acknowledged as a page does.
    async fn next(&mut self) -> Came {
        let came = self.take().await;
        if matches!(came, Came::Binary(..)) {
            self.acknowledge().await;
        }
        came
    }

    async fn said(&mut self, state: &str) -> Value {
        loop {
            match self.next().await {
                Came::Said(said) if said["state"] == state => return said,
                Came::Closed(code) => panic!("closed with {code:?} before {state}"),
                _ => {}
            }
        }
    }

    async fn binary(&mut self) -> u8 {
        loop {
            match self.next().await {
                Came::Binary(kind, _) => return kind,
                Came::Closed(code) => panic!("closed with {code:?}"),
                Came::Said(_) => {}
            }
        }
    }
}

fn refused(opened: Result<Screen, Error>) -> u16 {
    match opened {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_watches_what_his_browser_can_play() {
    let (farm, county) = filmed().await;
    let li = cookie(&county, "li", Role::Operator, &[]).await;
    let origin = format!("http://{}", county.address);
    let mut screen = Screen::open(&county, "1/live", &li, Some(&origin)).await.unwrap();
    let stream = screen.said("stream").await;
    assert!(stream["mime"].as_str().unwrap().starts_with("video/mp4; codecs=\"avc1."), "{stream}");
    assert!(stream["width"].as_u64().unwrap() >= 320);
    assert_eq!(screen.binary().await, 0, "the initialization segment first");
    for _ in 0..20 {
        assert_eq!(screen.binary().await, 1);
    }

    let mut capable = Screen::open(&county, "2/live?h265=true", &li, None).await.unwrap();
    assert!(capable.said("stream").await["mime"].as_str().unwrap().starts_with("video/mp4; codecs=\"hvc1."));
    drop(capable);
    let mut plain = Screen::open(&county, "2/live", &li, None).await.unwrap();
    assert_eq!(plain.said("pictures").await["codec"], "h265");
    assert_eq!(plain.binary().await, 2, "a picture of a keyframe");
    drop((screen, plain));

    until("openings and ends are in the audit log", || async {
        let audited = county.audited().await;
        let count = |word: &str| audited.iter().filter(|(action, who, _)| action == word && who == "li").count();
        count("live_opened") == 3 && count("live_closed") == 3
    })
    .await;
    let mut nobody = Screen::open(&county, "3/live", &li, None).await.unwrap();
    assert!(nobody.said("no_stream").await["cause"].is_null());
    assert_eq!(county.services.ingest.totals().opened, 2, "no camera was pulled twice");
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_watch_is_refused_before_anything_is_sent() {
    let county = County::start().await;
    let auditor = cookie(&county, "shen", Role::Auditor, &[]).await;
    assert_eq!(refused(Screen::open(&county, "1/live", &auditor, None).await), 403);
    let west = cookie(&county, "wang", Role::Technician, &[2]).await;
    assert_eq!(refused(Screen::open(&county, "1/live", &west, None).await), 404, "outside his scope");
    assert_eq!(refused(Screen::open(&county, "4/live", &west, Some("http://elsewhere.example")).await), 403);
    assert_eq!(refused(Screen::open(&county, "4/live", "sharpeyes_session=x", None).await), 401);
    let operator = county.signed_in(Role::Operator).await;
    assert_eq!(code(operator.get("/api/v1/cameras/1/live").await).await, (426, "websocket_expected".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_view_ends_at_once_with_its_session() {
    let (farm, county) = filmed().await;
    let admin = county.signed_in(Role::Administrator).await;
    let user = county.user("zhao", Role::Operator, &[], &[]).await;
    let line = county.anybody().sign_in("zhao", PASSWORD).await.headers()["set-cookie"].to_str().unwrap().to_owned();
    let mut screen = Screen::open(&county, "1/live", line.split(';').next().unwrap(), None).await.unwrap();
    screen.said("stream").await;
    let changed = admin.patch(&format!("/api/v1/users/{}", user.id.0), &json!({ "active": false })).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let began = std::time::Instant::now();
    let end = loop {
        if let Came::Closed(code) = screen.take().await {
            break code;
        }
    };
    assert_eq!(end, Some(4401));
    assert!(began.elapsed() < Duration::from_secs(2), "at once, not at the next heartbeat");
    farm.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_keep_up_is_sent_keyframes_not_the_past() {
    let (farm, county) = filmed().await;
    let li = cookie(&county, "li", Role::Operator, &[]).await;
    let mut slow = Screen::open(&county, "1/live", &li, None).await.unwrap();
    let mut quick = Screen::open(&county, "1/live", &li, None).await.unwrap();
    // The slow one acknowledges nothing: what he is sent ends, while the other goes on.
    let mut bytes = 0;
    loop {
        match tokio::time::timeout(Duration::from_secs(4), slow.take()).await {
            Ok(Came::Binary(_, size)) => bytes += size,
            Ok(Came::Closed(code)) => panic!("closed with {code:?}"),
            Ok(Came::Said(_)) => {}
            Err(_) => break,
        }
        assert!(bytes < 2 << 20, "more than a bound is on the way to somebody who takes nothing");
        if matches!(quick.next().await, Came::Closed(_)) {
            panic!("the quick one was closed");
        }
    }
    assert!(bytes >= 512 << 10);
    slow.acknowledge().await;
    assert_eq!(slow.said("skipped").await["why"], "slow");
    assert_eq!(slow.binary().await, 1, "a keyframe, and on from there");
    for _ in 0..10 {
        quick.binary().await;
    }
    farm.shutdown().await;
}
