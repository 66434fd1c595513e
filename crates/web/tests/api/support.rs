//! A small county behind a real server.

use arc_swap::ArcSwap;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use async_trait::async_trait;
use fleet::{
    Camera, CameraId, Cause, Credentials, Now, Registry, Secret, Site, SiteId, SiteKind, Status, StreamUrl, Town,
    TownId, Uplink, UplinkId, Wall,
};
use health::{Board, CameraRow, Counts, Incident};
use parking_lot::Mutex;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use store::{NewUser, RegistryChange, Role, Store, User};
use store_sqlite::SqliteStore;
use tokio::{
    net::TcpListener,
    sync::{broadcast, mpsc, oneshot},
    task::JoinHandle,
};
use web::{
    ActiveFault, Change, Command, Demo, DemoError, DemoFault, DemoTarget, Doors, Gallery, Heartbeat, Services,
    WebConfig,
};

/// The password of every user of the tests.
pub(crate) const PASSWORD: &str = "a good long password";
/// Longest wait for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) struct County {
    pub(crate) address: SocketAddr,
    pub(crate) services: Services,
    pub(crate) commands: Mutex<mpsc::Receiver<Command>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<std::io::Result<()>>>,
    _folder: tempfile::TempDir,
}

impl County {
    pub(crate) async fn start() -> County {
        County::with(|_| ()).await
    }

    pub(crate) async fn with(set: impl FnOnce(&mut Services)) -> County {
        County::behind(set, Doors::from).await
    }

    /// The same with other doors than one of plain HTTP.
    pub(crate) async fn behind(set: impl FnOnce(&mut Services), doors: impl FnOnce(TcpListener) -> Doors) -> County {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("store")).await.unwrap());
        let registry = registry();
        let change = RegistryChange {
            towns: registry.towns().cloned().collect(),
            sites: registry.sites().cloned().collect(),
            uplinks: registry.uplinks().cloned().collect(),
            cameras: registry.cameras().cloned().collect(),
        };
        store.change_registry(change).await.unwrap();
        let archive_config = archive::Config { commit_every: Duration::from_millis(50), ..archive::Config::default() };
        let archive = archive::Archive::open(&folder.path().join("archive"), archive_config).await.unwrap();
        let pool =
            picture::Pool::start(picture::Config { workers: 1, ..picture::Config::default() }, worker()).unwrap();
        let (events, _) = mpsc::channel(64);
        let (commands_tx, commands) = mpsc::channel(64);
        let now = Now::read();
        let mut services = Services {
            store,
            archive,
            pool,
            ingest: ingest::Ingest::start(ingest::Config::default(), events),
            courier: notify::Courier::new("node-1".into(), |ip| ip.is_loopback()),
            ingest_config: ingest::Config::default(),
            diagnosis: picture::DiagnosisConfig::default(),
            board: Arc::new(ArcSwap::from_pointee(Board::default())),
            registry: Arc::new(ArcSwap::from_pointee(registry)),
            changes: broadcast::channel(256).0,
            gallery: Arc::new(Gallery::default()),
            verdicts: Arc::default(),
            commands: commands_tx,
            demo: None,
            heartbeat: Arc::new(Heartbeat::new(now.mono)),
            clock: || Some(web::ClockState { kept: true, offset_us: -150, within_us: 12_000 }),
            started: now,
            config: WebConfig {
                heartbeat: Duration::from_millis(200),
                folders: vec![folder.path().to_owned()],
                exports_folder: folder.path().join("exports"),
                ..WebConfig::default()
            },
        };
        set(&mut services);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(web::serve(doors(listener), services.clone(), async {
            let _ = stopped.await;
        }));
        let county = County {
            address,
            services,
            commands: Mutex::new(commands),
            stop: Some(stop),
            server: Some(server),
            _folder: folder,
        };
        county.publish(&[]);
        county
    }

    /// Publishes a board on which every camera is online but those given, and tells of them.
    pub(crate) fn publish(&self, troubles: &[(u32, Cause)]) {
        self.publish_with(troubles, Vec::new());
    }

    pub(crate) fn publish_with(&self, troubles: &[(u32, Cause)], incidents: Vec<Arc<Incident>>) {
        let told: Vec<u32> = troubles.iter().map(|(id, _)| *id).collect();
        self.publish_telling(troubles, &told, incidents);
    }

    /// The same, telling of the cameras in `told` alone.
    pub(crate) fn publish_telling(&self, troubles: &[(u32, Cause)], told: &[u32], incidents: Vec<Arc<Incident>>) {
        let now = Now::read();
        let cameras: Vec<CameraRow> = self
            .services
            .registry
            .load()
            .cameras()
            .map(|c| {
                let cause = troubles.iter().find(|(id, _)| *id == c.id.0).map(|(_, cause)| *cause);
                CameraRow {
                    camera: c.id,
                    status: cause.map_or(Status::Online, Cause::status),
                    since: now.wall,
                    layer: cause.map(Cause::layer),
                    cause,
                    besides: Vec::new(),
                    detail: cause.map_or("", Cause::code).into(),
                    confirming: false,
                    flapping: false,
                    last_picture: Some(now.wall),
                    last_snapshot: None,
                    next_try: None,
                    stream: fleet::StreamChoice::Main,
                    carriage: None,
                    figures: None,
                }
            })
            .collect();
        let mut counts = Counts::default();
        for row in &cameras {
            *match row.status {
                Status::Online => &mut counts.online,
                Status::Impaired => &mut counts.impaired,
                Status::Offline => &mut counts.offline,
                Status::Unknown => &mut counts.unknown,
                Status::Paused => &mut counts.paused,
            } += 1;
        }
        let told: Vec<CameraRow> = cameras.iter().filter(|r| told.contains(&r.camera.0)).cloned().collect();
        let incidents_told = incidents.clone();
        self.services.board.store(Arc::new(Board { at: now, cameras, incidents, own_faults: Vec::new(), counts }));
        for row in told {
            let _ = self.services.changes.send(Change::Camera(row));
        }
        for incident in incidents_told {
            let _ = self.services.changes.send(Change::Incident(incident));
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds a user with [`PASSWORD`].
    pub(crate) async fn user(&self, name: &str, role: Role, towns: &[u32], sites: &[u32]) -> User {
        self.services
            .store
            .add_user(NewUser {
                name: name.to_owned(),
                full_name: format!("{name} 全名"),
                unit: "某单位".to_owned(),
                role,
                towns: towns.iter().map(|t| TownId(*t)).collect(),
                sites: sites.iter().map(|s| SiteId(*s)).collect(),
                password_hash: cheap_hash(PASSWORD),
                must_change_password: false,
                expires: None,
                created: Wall::read(),
            })
            .await
            .unwrap()
    }

    /// A browser in which this user is signed in.
    pub(crate) async fn browser(&self, name: &str) -> Browser<'_> {
        let browser = self.anybody();
        let response = browser.sign_in(name, PASSWORD).await;
        assert_eq!(response.status(), StatusCode::OK, "{name} can sign in");
        browser
    }

    /// A new user of this role, signed in.
    pub(crate) async fn signed_in(&self, role: Role) -> Browser<'_> {
        let name = format!("{}1", role.code());
        self.user(&name, role, &[], &[]).await;
        self.browser(&name).await
    }

    /// A browser in which nobody is signed in.
    pub(crate) fn anybody(&self) -> Browser<'_> {
        Browser { county: self, client: Client::builder().cookie_store(true).timeout(DEADLINE).build().unwrap() }
    }

    /// The next command the node is given.
    pub(crate) fn command(&self) -> Option<Command> {
        self.commands.lock().try_recv().ok()
    }

    /// The audit log, oldest first: action, who, success.
    pub(crate) async fn audited(&self) -> Vec<(String, String, bool)> {
        let query = store::AuditQuery { limit: 1000, ..store::AuditQuery::default() };
        let page = self.services.store.audit_log(&query).await.unwrap();
        page.items.into_iter().rev().map(|r| (r.entry.action, r.entry.who, r.entry.success)).collect()
    }

    /// Stops the web side and starts it again over the same store.
    pub(crate) async fn restart(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(DEADLINE, self.server.take().unwrap()).await.unwrap().unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        self.stop = Some(stop);
        self.server = Some(tokio::spawn(web::serve(Doors::from(listener), self.services.clone(), async {
            let _ = stopped.await;
        })));
    }

    pub(crate) async fn stop(mut self) -> Duration {
        let began = std::time::Instant::now();
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(DEADLINE, self.server.take().unwrap()).await.unwrap().unwrap().unwrap();
        began.elapsed()
    }
}

/// A user's browser.
#[derive(Clone)]
pub(crate) struct Browser<'a> {
    county: &'a County,
    pub(crate) client: Client,
}

impl Browser<'_> {
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.county.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    /// The JSON of a path that must answer 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Response {
        self.request(Method::PATCH, path).json(body).send().await.unwrap()
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Response {
        self.post("/api/v1/session", &serde_json::json!({ "name": name, "password": password })).await
    }
}

/// The code of a problem answer.
pub(crate) async fn code(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
    assert_eq!(kind.as_deref(), Some("application/problem+json"), "status {status}");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status);
    assert!(body["type"].as_str().unwrap().starts_with("urn:"));
    assert!(body["title"].is_string() && body["detail"].is_string());
    (status, body["code"].as_str().unwrap().to_owned())
}

/// Waits until the condition holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + DEADLINE;
    while !condition().await {
        assert!(tokio::time::Instant::now() < end, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A hash that is quick to check: the tests sign in often.
pub(crate) fn cheap_hash(password: &str) -> Secret {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let salt = SaltString::from_b64("c2hhcnBleWVzdGVzdA").unwrap();
    Secret::new(argon.hash_password(password.as_bytes(), &salt).unwrap().to_string())
}

/// Two towns; town 1 has sites 1 and 2, town 2 has site 3; cameras 1–2, 3, 4–5.
pub(crate) fn registry() -> Registry {
    let town = |id, name: &str| Town { id: TownId(id), name: name.into() };
    let site = |id, name: &str, town| Site {
        id: SiteId(id),
        name: name.into(),
        kind: SiteKind::Village,
        town: TownId(town),
        stat_code: None,
    };
    let uplink = |id, name: &str| Uplink { id: UplinkId(id), name: name.into(), olt: None, budget_kbps: None };
    Registry::new(
        [town(1, "东镇"), town(2, "西镇")],
        [site(1, "东村", 1), site(2, "南村", 1), site(3, "西村", 2)],
        [uplink(1, "东村链路"), uplink(2, "西村链路")],
        [
            camera(1, 1, Some(1)),
            camera(2, 1, Some(1)),
            camera(3, 2, None),
            camera(4, 3, Some(2)),
            camera(5, 3, Some(2)),
        ],
    )
}

pub(crate) fn camera(id: u32, site: u32, uplink: Option<u32>) -> Camera {
    let (main, _) = StreamUrl::parse(&format!("rtsp://10.9.{}.{}/main", id / 256, id % 256)).unwrap();
    Camera {
        id: CameraId(id),
        name: format!("村口{id}"),
        site: SiteId(site),
        uplink: uplink.map(UplinkId),
        gb_code: None,
        main,
        sub: None,
        credentials: Some(Credentials { username: "viewer".into(), password: Secret::new("camera-secret-42") }),
        transport: fleet::Transport::default(),
        life_cycle: fleet::LifeCycle::default(),
        place: fleet::Place::default(),
        device: fleet::Device::default(),
        upkeep: fleet::Upkeep::default(),
        changed: Wall(1),
    }
}

/// The decoder process that cargo builds beside the tests.
fn worker() -> std::path::PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/decode_worker")
}

/// A simulated county that only remembers.
#[derive(Default)]
pub(crate) struct ToyDemo(pub(crate) Mutex<Vec<ActiveFault>>);

#[async_trait]
impl Demo for ToyDemo {
    async fn faults(&self) -> Vec<DemoFault> {
        vec![DemoFault { code: "power_off".into(), zh: "断电".into(), en: "power off".into() }]
    }
    async fn active(&self) -> Result<Vec<ActiveFault>, DemoError> {
        Ok(self.0.lock().clone())
    }
    async fn set(&self, target: DemoTarget, fault: &str, on: bool) -> Result<(), DemoError> {
        let mut active = self.0.lock();
        active.retain(|a| a.target != target);
        if on {
            active.push(ActiveFault { target, fault: fault.to_owned() });
        }
        Ok(())
    }
}
