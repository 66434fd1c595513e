//! Tells people: what `health::desk::Teller` plans is kept in the store together with what each channel has been told by
//! it, and only then delivered, in order, one try of a channel at a time, again and again until it arrives.
//!
//! It compares what is with what was told, so a restart or a missed change costs nothing. A crash during a try is the
//! case in which a message may arrive twice; its key is the same both times, and there is no third: if the service dies
//! during both tries, it is told anew what still lasts. What a target refuses for good steps aside for what comes after it,
//! and is tried again now and then.

use super::owner::Shared;
use fleet::{Now, Registry, Wall};
use health::{
    Incident, IncidentId, Scope, Window,
    desk::{Assignee, ChannelId, Happening, Learnt, Mark, OrderId, Plan, Teller, dispatches, pause, pause_of_refused},
};
use notify::{Courier, Envelope, Item, Letter, OrderItem, Unreached};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use store::{Channel, Delivery, Store, StoreError, Telling, Tried};
use tokio::{sync::watch, task::JoinSet};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause before the first look: time for the core to say how its cameras are.
const RETRY: Duration = Duration::from_secs(5);
/// What did not arrive in so many tries, which take about three days, is given up, and the log says so. Tries, not time:
/// somebody may set the clock.
const MOST_TRIES: u32 = 250;
/// The same for what its target refuses for good.
const MOST_REFUSALS: u32 = 11;
/// Tries that are under way when the service is stopped may end within this time.
const LAST_TRIES: Duration = Duration::from_secs(1);
/// Alertmanager forgets an alert that is not told again.
const REFRESH: Duration = Duration::from_secs(120);
/// How long the log of deliveries is kept.
const LOG_MS: i64 = 90 * 24 * 3_600_000;
const PRUNE_EVERY: Duration = Duration::from_secs(6 * 3600);
/// Marked incidents that are asked of the store at one look.
const MOST_ASKED: usize = 500;

pub(super) struct Notifier {
    pub(super) store: Arc<dyn Store>,
    pub(super) shared: Arc<Shared>,
    pub(super) courier: Courier,
}

struct Running {
    notifier: Notifier,
    teller: Teller,
    /// Incidents that some channel was told of and not that they are over.
    known: BTreeSet<IncidentId>,
    /// What is known may not be what is stored: a write failed, or was slow and counted as failed.
    stale: bool,
    trying: JoinSet<()>,
    busy: BTreeMap<tokio::task::Id, (ChannelId, u64)>,
    refreshed: tokio::time::Instant,
    pruned: Option<tokio::time::Instant>,
}

impl Notifier {
    /// Runs until stopped.
    pub(super) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut running = loop {
            match self.begin().await {
                Ok(running) => break running,
                Err(error) => tracing::warn!(%error, "cannot begin to notify; trying again"),
            }
            if stopped(&mut stop, RETRY).await {
                return;
            }
        };
        while !stopped(&mut stop, LOOK_EVERY).await {
            if let Err(error) = running.look().await {
                tracing::warn!(%error, "cannot notify; trying again");
            }
        }
        running.end().await;
    }

    async fn begin(&self) -> Result<Running, StoreError> {
        let now = Wall::read();
        for delivery in self.store.interrupted(now).await? {
            self.give_up(&delivery, now).await?;
        }
        let (teller, known) = self.remember().await?;
        Ok(Running {
            notifier: Notifier {
                store: Arc::clone(&self.store),
                shared: Arc::clone(&self.shared),
                courier: self.courier.clone(),
            },
            teller,
            known,
            stale: false,
            trying: JoinSet::new(),
            busy: BTreeMap::new(),
            refreshed: tokio::time::Instant::now(),
            pruned: None,
        })
    }

    /// Ends a message that the service died over twice. It may have arrived twice, or not at all: so what lasts of it is
    /// told as lasting.
    async fn give_up(&self, delivery: &Delivery, now: Wall) -> Result<(), StoreError> {
        let letter: Option<Letter> = serde_json::from_str(&delivery.body).ok();
        let items = letter.map(|letter| letter.items).unwrap_or_default();
        let channel = delivery.channel;
        let told = self.store.marks().await?.into_iter().filter(|(of, incident, mark)| {
            *of == channel && !mark.over && !mark.waits && items.iter().any(|item| item.incident == incident.0)
        });
        let tellings: Vec<Telling> = told
            .map(|(channel, incident, mark)| {
                let after = Mark { acknowledged: true, ..mark };
                let marks = vec![Learnt { incident, before: Some(mark), after }];
                Telling { channel, at: now, parts: Vec::new(), marks }
            })
            .collect();
        self.store.enqueue(&tellings).await?;
        let why = "the service ended twice while it was sent; it may have arrived";
        tracing::warn!(%channel, "{why}");
        self.store.end_try(delivery.id, now, &Tried::Failed(why.to_owned(), None)).await
    }

    /// What each channel was told, as it is stored; and of which incidents some channel is still to hear.
    async fn remember(&self) -> Result<(Teller, BTreeSet<IncidentId>), StoreError> {
        let now = Now::read();
        let marks = self.store.marks().await?;
        let sent = self.store.sent_since(Wall(now.wall.0 - 24 * 3_600_000)).await?;
        let known = marks.iter().filter(|(.., mark)| mark.lasts()).map(|(_, incident, _)| *incident).collect();
        Ok((Teller::new(marks, sent, now), known))
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>, within: Duration) -> bool {
    tokio::time::timeout(within, stop.wait_for(|stop| *stop)).await.is_ok()
}

impl Running {
    /// Ends in good order: what was being tried is noted as not arrived.
    async fn end(mut self) {
        let _ = tokio::time::timeout(LAST_TRIES, async {
            while let Some(ended) = self.trying.join_next_with_id().await {
                self.busy.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
            }
        })
        .await;
        self.trying.shutdown().await;
        let now = Wall::read();
        for (_, id) in self.busy.into_values() {
            let stopped = Tried::Failed("the service was stopped during the try".to_owned(), Some(now));
            if let Err(error) = self.notifier.store.end_try(id, now, &stopped).await {
                tracing::warn!(%error, "cannot note that a try was stopped");
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        if self.stale {
            // Later than whatever still waits to be written.
            self.notifier.store.enqueue(&[]).await?;
            (self.teller, self.known) = self.notifier.remember().await?;
            self.stale = false;
        }
        let reading = Now::read();
        let now = reading.wall;
        let store = Arc::clone(&self.notifier.store);
        let channels = store.channels().await?;
        let incidents = self.incidents().await?;
        let enabled: Vec<(&Channel, Envelope)> = channels
            .iter()
            .filter(|c| c.enabled)
            .filter_map(|c| Some((c, Envelope::open(c.target.expose())?)))
            .collect();
        if !enabled.is_empty() {
            let windows = store.windows(now..Wall(now.0 + 1)).await?;
            let registry = self.notifier.shared.registry.load_full();
            let happenings: Vec<Happening> =
                incidents.values().map(|i| happening(i, &registry, &windows, now)).collect();
            let plan = self.teller.plan(enabled.iter().map(|(c, _)| (c.id, &c.route)), &happenings, reading);
            self.keep(&plan, &enabled, &incidents, &registry, reading).await?;
        }
        self.dispatch(&enabled, &incidents, now).await?;
        self.deliver(&channels, now).await?;
        self.refresh(&enabled, &incidents, now);
        if self.pruned.is_none_or(|at| at.elapsed() > PRUNE_EVERY) {
            store.prune_notices(Wall(now.0 - LOG_MS)).await?;
            self.pruned = Some(tokio::time::Instant::now());
            // What is over and neither open again nor waited for is forgotten here too.
            let known = &self.known;
            self.teller.forget(|_, incident| known.contains(&incident) || incidents.contains_key(&incident));
        }
        Ok(())
    }

    /// Open incidents, and those that some channel still takes for open.
    async fn incidents(&self) -> Result<BTreeMap<IncidentId, Arc<Incident>>, StoreError> {
        let board = self.notifier.shared.board.load_full();
        let mut all: BTreeMap<IncidentId, Arc<Incident>> =
            board.incidents.iter().map(|i| (i.id, Arc::clone(i))).collect();
        let gone: Vec<IncidentId> = self.known.iter().filter(|id| !all.contains_key(id)).copied().collect();
        for id in gone.into_iter().take(MOST_ASKED) {
            // The board comes before the store: only what is stored as over is over.
            if let Some(incident) = self.notifier.store.incident(id).await?
                && !incident.is_open()
            {
                all.insert(id, Arc::new(incident));
            }
        }
        Ok(all)
    }

    async fn keep(
        &mut self,
        plan: &Plan,
        channels: &[(&Channel, Envelope)],
        incidents: &BTreeMap<IncidentId, Arc<Incident>>,
        registry: &Registry,
        now: Now,
    ) -> Result<(), StoreError> {
        if plan.messages.is_empty() && plan.silent.is_empty() {
            return Ok(());
        }
        let at = now.wall;
        let mut tellings: Vec<Telling> = plan
            .silent
            .iter()
            .map(|(channel, learnt)| Telling { channel: *channel, at, parts: Vec::new(), marks: vec![*learnt] })
            .collect();
        for (n, message) in plan.messages.iter().enumerate() {
            let Some((_, envelope)) = channels.iter().find(|(c, _)| c.id == message.channel) else { continue };
            let items = message.items.iter().filter_map(|(id, news)| {
                incidents.get(id).map(|incident| Item::of(incident, *news, registry, envelope.language))
            });
            let letter = Letter {
                key: format!("{}-{}-{}-{n}", self.notifier.courier.node(), message.channel, at.0),
                at: at.0,
                language: envelope.language,
                node: self.notifier.courier.node().to_owned(),
                test: false,
                items: items.collect(),
                orders: Vec::new(),
            };
            let parts = parts(envelope, letter)?;
            tellings.push(Telling { channel: message.channel, at, parts, marks: message.marks.clone() });
        }
        // Until it is known what became of it.
        self.stale = true;
        if self.notifier.store.enqueue(&tellings).await? {
            self.stale = false;
            self.teller.told(plan, now);
            for learnt in tellings.iter().flat_map(|t| &t.marks) {
                if learnt.after.lasts() {
                    self.known.insert(learnt.incident);
                } else {
                    self.known.remove(&learnt.incident);
                }
            }
        }
        Ok(())
    }

    /// Tells of work orders that were given to somebody.
    async fn dispatch(
        &self,
        channels: &[(&Channel, Envelope)],
        incidents: &BTreeMap<IncidentId, Arc<Incident>>,
        now: Wall,
    ) -> Result<(), StoreError> {
        // Alertmanager knows alerts only.
        let for_orders: Vec<&(&Channel, Envelope)> =
            channels.iter().filter(|(c, _)| c.route.orders && c.kind != "alertmanager").collect();
        if for_orders.is_empty() {
            return Ok(());
        }
        let store = &self.notifier.store;
        let open = store.open_orders().await?;
        let marks: BTreeMap<(ChannelId, OrderId), Wall> =
            store.order_marks().await?.into_iter().map(|(channel, order, given)| ((channel, order), given)).collect();
        let routes = for_orders.iter().map(|(c, _)| (c.id, &c.route));
        let news = dispatches(routes, &open, |channel, order| marks.get(&(channel, order)).copied(), now);
        if news.is_empty() {
            return Ok(());
        }
        let users = store.users().await?;
        let name = |assignee: &Assignee| match assignee {
            Assignee::Contractor(unit) => unit.clone(),
            Assignee::Technician(id) => users.iter().find(|u| u.id.0 == *id).map_or_else(String::new, |u| {
                if u.full_name.is_empty() { u.name.clone() } else { u.full_name.clone() }
            }),
        };
        let registry = self.notifier.shared.registry.load_full();
        let mut told = Vec::new();
        for dispatch in news {
            let Some((_, envelope)) = channels.iter().find(|(c, _)| c.id == dispatch.channel) else { continue };
            let given = dispatch.orders.iter().filter_map(|(id, _)| open.iter().find(|o| o.id == *id));
            let orders = given.map(|order| {
                let to = order.assignee.as_ref().map(&name).unwrap_or_default();
                let incident = incidents.get(&order.incident).map(Arc::as_ref);
                OrderItem::of(order, &to, incident, &registry, envelope.language)
            });
            let letter = Letter {
                key: format!("{}-{}-{}-orders", self.notifier.courier.node(), dispatch.channel, now.0),
                at: now.0,
                language: envelope.language,
                node: self.notifier.courier.node().to_owned(),
                test: false,
                items: Vec::new(),
                orders: orders.collect(),
            };
            told.push((dispatch, parts(envelope, letter)?));
        }
        store.enqueue_dispatches(now, &told).await
    }

    /// Tries what is due, one message of a channel at a time; a dead channel keeps nobody waiting.
    async fn deliver(&mut self, channels: &[Channel], now: Wall) -> Result<(), StoreError> {
        while let Some(ended) = self.trying.try_join_next_with_id() {
            // Also after a panic of a try: the channel is free again, the message waits as it was.
            self.busy.remove(&ended.map_or_else(|error| error.id(), |(id, ())| id));
        }
        for delivery in self.notifier.store.due(now).await? {
            let Some(channel) = channels.iter().find(|c| c.id == delivery.channel) else { continue };
            if self.busy.values().any(|(busy, _)| *busy == channel.id) {
                continue;
            }
            let (store, courier) = (Arc::clone(&self.notifier.store), self.notifier.courier.clone());
            let (id, envelope) = (delivery.id, Envelope::open(channel.target.expose()));
            let trying = self.trying.spawn(async move { attempt(store.as_ref(), &courier, envelope, &delivery).await });
            self.busy.insert(trying.id(), (channel.id, id));
        }
        Ok(())
    }

    /// Tells Alertmanager again of what lasts: it forgets what nobody repeats, also when it is restarted.
    fn refresh(
        &mut self,
        channels: &[(&Channel, Envelope)],
        incidents: &BTreeMap<IncidentId, Arc<Incident>>,
        now: Wall,
    ) {
        if self.refreshed.elapsed() < REFRESH {
            return;
        }
        self.refreshed = tokio::time::Instant::now();
        let registry = self.notifier.shared.registry.load_full();
        for (channel, envelope) in channels.iter().filter(|(c, _)| c.kind == "alertmanager") {
            let items: Vec<Item> = incidents
                .values()
                .filter(|i| i.is_open() && self.teller.knows(channel.id, i.id))
                .map(|i| Item::of(i, health::desk::News::Still, &registry, envelope.language))
                .collect();
            if items.is_empty() {
                continue;
            }
            let letter = Letter {
                key: format!("{}-{}-refresh-{}", self.notifier.courier.node(), channel.id, now.0),
                at: now.0,
                language: envelope.language,
                node: self.notifier.courier.node().to_owned(),
                test: false,
                items,
                orders: Vec::new(),
            };
            let (courier, target) = (self.notifier.courier.clone(), envelope.target.clone());
            tokio::spawn(async move {
                // The next round tells it again; a lasting failure shows with the next message.
                if let Err(error) = courier.deliver(&target, &letter).await {
                    tracing::debug!(%error, "Alertmanager was not refreshed");
                }
            });
        }
    }
}

/// A letter as it is kept: in as many parts as the target takes it in.
fn parts(envelope: &Envelope, letter: Letter) -> Result<Vec<String>, StoreError> {
    let written = envelope.target.parts(letter).into_iter().map(|part| serde_json::to_string(&part));
    written.collect::<Result<_, _>>().map_err(|e| StoreError::Invalid(e.to_string()))
}

async fn attempt(store: &dyn Store, courier: &Courier, envelope: Option<Envelope>, delivery: &Delivery) {
    match store.begin_try(delivery.id).await {
        Ok(true) => {}
        // Its end was noted meanwhile.
        Ok(false) => return,
        Err(error) => return tracing::warn!(%error, "cannot note that a message is tried"),
    }
    let letter: Option<Letter> = serde_json::from_str(&delivery.body).ok();
    let done = match envelope.zip(letter) {
        Some((envelope, letter)) => {
            courier.deliver(&envelope.target, &letter).await.map_err(|e| (e.is_lasting(), e.to_string()))
        }
        None => Err((true, "the message or its channel cannot be read".to_owned())),
    };
    let now = Wall::read();
    let (attempts, refusals) = (delivery.attempts + 1, delivery.refusals + 1);
    let tried = match done {
        Ok(unreached) if unreached.is_empty() => Tried::Delivered,
        Ok(unreached) => {
            let who = Unreached::told(&unreached);
            tracing::warn!(channel = %delivery.channel, %who, "a message did not reach everybody");
            Tried::Partly(who)
        }
        Err((lasting, why)) => {
            tracing::warn!(channel = %delivery.channel, attempts, lasting, %why, "a message did not arrive");
            let chance = rand::random();
            if lasting {
                Tried::Refused(why, (refusals < MOST_REFUSALS).then(|| now + pause_of_refused(refusals, chance)))
            } else {
                Tried::Failed(why, (attempts < MOST_TRIES).then(|| now + pause(attempts, chance)))
            }
        }
    };
    // Nothing else is tried meanwhile: what arrived is not to be sent again because the disk is slow or full.
    while let Err(error) = store.end_try(delivery.id, now, &tried).await {
        tracing::warn!(%error, "cannot note how a message fared; trying again");
        tokio::time::sleep(RETRY).await;
    }
}

/// An incident as far as telling it goes.
fn happening(incident: &Incident, registry: &Registry, windows: &[Window], now: Wall) -> Happening {
    let cameras: Vec<_> = incident.members.iter().filter_map(|m| registry.camera(m.camera)).collect();
    let planned = |c: &&fleet::Camera| windows.iter().any(|w| w.holds(now) && w.covers(c, registry));
    Happening {
        id: incident.id,
        opened: incident.opened,
        resolved: incident.resolved,
        folded: incident.folded_into.is_some(),
        severity: incident.severity,
        acknowledged: incident.acknowledged.is_some(),
        planned: !cameras.is_empty() && cameras.iter().all(planned),
        own: incident.scope == Scope::Own,
        places: cameras.iter().filter_map(|c| registry.site(c.site)).map(|s| (s.town, s.id)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arc_swap::ArcSwap;
    use fleet::{Camera, CameraId, Cause, Secret, Site, SiteId, SiteKind, StreamUrl, Town, TownId};
    use health::{LikelyCause, Member, Severity, desk::Route};
    use notify::{Language, Target};
    use std::{net::TcpListener, path::Path};
    use store::DeliveryState;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// A county of one camera whose incidents are as given.
    fn shared(incidents: Vec<Incident>) -> Arc<Shared> {
        let camera = Camera {
            id: CameraId(1),
            name: "村口".into(),
            site: SiteId(1),
            uplink: None,
            gb_code: None,
            main: StreamUrl::parse("rtsp://10.0.0.1/").unwrap().0,
            sub: None,
            credentials: None,
            transport: fleet::Transport::default(),
            life_cycle: fleet::LifeCycle::default(),
            place: fleet::Place::default(),
            device: fleet::Device::default(),
            upkeep: fleet::Upkeep::default(),
            changed: Wall(1),
        };
        let site =
            Site { id: SiteId(1), name: "上村".into(), kind: SiteKind::Village, town: TownId(1), stat_code: None };
        let registry = Registry::new([Town { id: TownId(1), name: "石桥镇".into() }], [site], [], [camera]);
        let board =
            health::Board { incidents: incidents.into_iter().map(Arc::new).collect(), ..health::Board::default() };
        Arc::new(Shared {
            board: Arc::new(ArcSwap::from_pointee(board)),
            registry: Arc::new(ArcSwap::from_pointee(registry)),
            changes: tokio::sync::broadcast::channel(16).0,
            gallery: Arc::new(web::Gallery::default()),
            heartbeat: Arc::new(web::Heartbeat::new(Now::read().mono)),
        })
    }

    fn incident(resolved: bool) -> Incident {
        let now = Wall::read();
        Incident {
            id: IncidentId(7),
            scope: Scope::Camera(CameraId(1)),
            opened: Wall(now.0 - 60_000),
            resolved: resolved.then_some(now),
            severity: Severity::Critical,
            cause: Cause::NoAnswer,
            likely: LikelyCause::Camera,
            confidence: 80,
            evidence: Vec::new(),
            members: vec![Member { camera: CameraId(1), joined: now, left: None, cause: Cause::NoAnswer }],
            acknowledged: None,
            folded_into: None,
        }
    }

    /// One request a connection: headers, then as many bytes as they say.
    async fn request(peer: &mut tokio::net::TcpStream) -> String {
        let (mut request, mut part) = (Vec::new(), [0; 4096]);
        loop {
            let n = peer.read(&mut part).await.unwrap_or(0);
            request.extend_from_slice(&part[..n]);
            let text = String::from_utf8_lossy(&request).into_owned();
            let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                body.len() >= length.unwrap_or(0usize)
            });
            if whole || n == 0 {
                return text;
            }
        }
    }

    async fn answer(peer: &mut tokio::net::TcpStream, status: u16) {
        let answer = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = peer.write_all(answer.as_bytes()).await;
    }

    /// Takes requests until told to end; tells the text of each. `decide` says which status answers it, or that none does.
    async fn serve(
        listener: TcpListener,
        tell: tokio::sync::mpsc::UnboundedSender<String>,
        decide: impl Fn(&str) -> Option<u16>,
    ) {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut unanswered = Vec::new();
        while let Ok((mut peer, _)) = listener.accept().await {
            let text = request(&mut peer).await;
            match decide(&text) {
                Some(status) => answer(&mut peer, status).await,
                None => unanswered.push(peer),
            }
            let _ = tell.send(text);
        }
    }

    fn webhook(address: std::net::SocketAddr, secret: &str) -> Secret {
        let target = Target::Webhook { url: format!("http://{address}/"), secret: secret.into() };
        Secret::new(Envelope { language: Language::Chinese, target }.seal())
    }

    async fn add_channel(store: &Arc<dyn Store>, address: std::net::SocketAddr) -> Channel {
        let channel = Channel {
            id: ChannelId(0),
            name: "值班".into(),
            kind: "webhook".into(),
            enabled: true,
            route: Route::default(),
            shown: String::new(),
            target: webhook(address, "a long enough secret"),
        };
        store.add_channel(channel).await.unwrap()
    }

    async fn next(heard: &mut tokio::sync::mpsc::UnboundedReceiver<String>) -> String {
        tokio::time::timeout(Duration::from_secs(40), heard.recv()).await.unwrap().unwrap()
    }

    /// Which message it is.
    fn key(text: &str) -> String {
        text.lines().find_map(|l| l.strip_prefix("x-sharpeyes-delivery: ")).unwrap().to_owned()
    }

    async fn store(folder: &Path) -> Arc<dyn Store> {
        Arc::new(store_sqlite::SqliteStore::open(folder).await.unwrap())
    }

    fn start(store: &Arc<dyn Store>, incidents: Vec<Incident>) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let (stop, stopped) = watch::channel(false);
        let notifier = Notifier {
            store: Arc::clone(store),
            shared: shared(incidents),
            courier: Courier::new("node-1".into(), |ip| ip.is_loopback()),
        };
        (stop, tokio::spawn(notifier.run(stopped)))
    }

    async fn until(what: &str, store: &Arc<dyn Store>, good: impl Fn(&[Delivery]) -> bool) {
        let end = tokio::time::Instant::now() + Duration::from_secs(40);
        loop {
            let log = store.deliveries(None, 100, None).await.unwrap().items;
            if good(&log) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{what} did not come true: {log:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_while_the_server_is_away_nor_over_a_crash_and_nothing_is_told_twice() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let first = store(folder.path()).await;
        add_channel(&first, address).await;
        // Nobody listens: the message waits.
        let (stop, running) = start(&first, vec![incident(false)]);
        until("a failed try", &first, |log| log.iter().any(|d| d.attempts > 0 && !d.error.is_empty())).await;
        // Gone at once, as after kill -9: no goodbye to anybody.
        running.abort();
        let _ = running.await;
        drop(stop);
        first.close().await;
        drop(first);
        // Back again, with somebody who listens: it arrives, once.
        let second = store(folder.path()).await;
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let listening = tokio::spawn(serve(TcpListener::bind(address).unwrap(), tell, |_| Some(200)));
        let (_stop, running) = start(&second, vec![incident(false)]);
        until("arrival", &second, |log| log.iter().any(|d| d.ended.is_some())).await;
        let text = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
        assert!(text.contains("石桥镇 · 上村 · 村口") && text.contains("x-sharpeyes-signature"), "{text}");
        running.abort();
        let _ = running.await;
        // A third start finds nothing more to say until the incident is over.
        second.record(&[store::Fact::Incident(incident(true))]).await.unwrap();
        let (_stop, running) = start(&second, Vec::new());
        until("the end told", &second, |log| log.len() == 2 && log.iter().all(|d| d.ended.is_some())).await;
        let text = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
        assert!(text.contains("已恢复"), "{text}");
        assert!(heard.try_recv().is_err(), "each was told once");
        running.abort();
        listening.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_refused_for_good_holds_up_nobody_and_arrives_when_the_channel_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let channel = add_channel(&store, address).await;
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let mended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_mended = Arc::clone(&mended);
        let listening = tokio::spawn(serve(listener, tell, move |text| {
            let poison = text.contains("\"incident\":7,") && !is_mended.load(std::sync::atomic::Ordering::SeqCst);
            Some(if poison { 400 } else { 200 })
        }));
        let later = Incident { id: IncidentId(8), ..incident(false) };
        let (_stop, running) = start(&store, vec![incident(false), later]);
        let state = |log: &[Delivery], n: u64| log.iter().find(|d| d.id == n).map(|d| d.state);
        until("the later one's arrival", &store, |log| {
            state(log, 1) == Some(DeliveryState::Refused) && state(log, 2) == Some(DeliveryState::Delivered)
        })
        .await;
        let log = store.deliveries(None, 10, None).await.unwrap().items;
        let refused = &log[1];
        assert_eq!(
            (refused.error.as_str(), refused.ended, refused.attempts),
            ("the server refused: status 400", None, 1)
        );
        assert!(next(&mut heard).await.contains("E7") && next(&mut heard).await.contains("E8"));
        mended.store(true, std::sync::atomic::Ordering::SeqCst);
        let again = Channel { target: webhook(address, "another long enough secret"), ..channel.clone() };
        store.update_channel(&again, &channel).await.unwrap();
        until("all arrived", &store, |log| log.iter().all(|d| d.state == DeliveryState::Delivered)).await;
        assert!(next(&mut heard).await.contains("E7"));
        running.abort();
        listening.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_has_arrived_is_not_sent_again_because_the_database_is_slow() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        add_channel(&store, listener.local_addr().unwrap()).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("sharpeyes.db"));
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let listening = tokio::spawn(async move {
            loop {
                let (mut peer, _) = listener.accept().await.unwrap();
                let text = request(&mut peer).await;
                // Longer than anybody waits for the database.
                let mut lock = sqlx::ConnectOptions::connect(&options).await.unwrap();
                sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
                answer(&mut peer, 200).await;
                tell.send(text).unwrap();
                tokio::time::sleep(Duration::from_secs(8)).await;
                sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
            }
        });
        let (_stop, running) = start(&store, vec![incident(false)]);
        until("its end on record", &store, |log| log.iter().any(|d| d.state == DeliveryState::Delivered)).await;
        next(&mut heard).await;
        // Two looks later.
        let more = tokio::time::timeout(2 * LOOK_EVERY + Duration::from_secs(1), heard.recv()).await;
        assert!(more.is_err(), "sent again: {more:?}");
        assert_eq!(store.deliveries(None, 10, None).await.unwrap().items.len(), 1);
        running.abort();
        listening.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_message_that_the_service_dies_over_twice_arrives_twice_and_what_lasts_is_told_anew() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let taken = std::sync::atomic::AtomicUsize::new(0);
        let listening = tokio::spawn(serve(listener, tell, move |_| {
            (taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst) >= 2).then_some(200)
        }));
        let mut keys = Vec::new();
        for round in 0..2 {
            let store = store(folder.path()).await;
            if round == 0 {
                add_channel(&store, address).await;
            }
            let (_stop, running) = start(&store, vec![incident(false)]);
            let text = next(&mut heard).await;
            assert!(text.contains("【紧急】石桥镇"), "{text}");
            keys.push(key(&text));
            // Gone at once, between the receiver's taking it and the note of its end.
            running.abort();
            let _ = running.await;
            store.close().await;
        }
        assert_eq!(keys[0], keys[1], "the same message");
        let store = store(folder.path()).await;
        let (_stop, running) = start(&store, vec![incident(false)]);
        let text = next(&mut heard).await;
        assert!(text.contains("仍未恢复") && key(&text) != keys[0], "{text}");
        until("both at their end", &store, |log| log.len() == 2 && log.iter().all(|d| d.ended.is_some())).await;
        let log = store.deliveries(None, 10, None).await.unwrap().items;
        assert_eq!((log[1].state, log[0].state), (DeliveryState::Failed, DeliveryState::Delivered));
        assert!(log[1].error.contains("it may have arrived"));
        assert!(heard.try_recv().is_err(), "nothing else");
        running.abort();
        listening.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_service_that_is_stopped_in_good_order_knows_what_it_was_trying() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        add_channel(&store, listener.local_addr().unwrap()).await;
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let listening = tokio::spawn(serve(listener, tell, |_| None));
        for tries in 1..4 {
            let (stop, running) = start(&store, vec![incident(false)]);
            next(&mut heard).await;
            stop.send(true).unwrap();
            running.await.unwrap();
            let log = store.deliveries(None, 10, None).await.unwrap().items;
            assert_eq!((log.len(), log[0].state, log[0].attempts), (1, DeliveryState::Waiting, tries));
        }
        listening.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whoever_an_order_is_given_to_is_told_once_also_over_a_crash() {
        use health::desk::{Act, Actor, Desk, NewOrder, OrderState};
        let folder = tempfile::tempdir().unwrap();
        let first = store(folder.path()).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let unit = Assignee::Contractor("电信".into());
        // Told of nothing but the orders of one unit.
        let route = Route {
            least: Severity::Critical,
            own: false,
            orders: true,
            assignees: [unit.clone()].into(),
            ..Route::default()
        };
        let channel = Channel {
            id: ChannelId(0),
            name: "电信维护群".into(),
            kind: "webhook".into(),
            enabled: true,
            route,
            shown: String::new(),
            target: webhook(address, "a long enough secret"),
        };
        first.add_channel(channel).await.unwrap();
        let minor = || Incident { severity: Severity::Minor, ..incident(false) };
        let new = NewOrder {
            incident: IncidentId(7),
            cameras: vec![CameraId(1)],
            town: None,
            severity: Severity::Minor,
            by: "op".into(),
            at: Wall::read(),
            state: OrderState::Confirmed,
            note: String::new(),
        };
        let order = first.add_order(new).await.unwrap();
        let give = |order: &health::desk::Order, to: Assignee| {
            Desk::default().act(order, Actor::Desk, "op", Act::Assign(to, None), Wall::read()).unwrap()
        };
        let given = give(&order, unit.clone());
        first.update_order(&given).await.unwrap();
        // Nobody listens yet; then the node is gone at once, as after kill -9.
        let (stop, running) = start(&first, vec![minor()]);
        until("a failed try", &first, |log| log.iter().any(|d| d.attempts > 0 && !d.error.is_empty())).await;
        running.abort();
        let _ = running.await;
        drop(stop);
        first.close().await;
        drop(first);
        let second = store(folder.path()).await;
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let listening = tokio::spawn(serve(TcpListener::bind(address).unwrap(), tell, |_| Some(200)));
        let (_stop, running) = start(&second, vec![minor()]);
        until("arrival", &second, |log| log.len() == 1 && log[0].ended.is_some()).await;
        let text = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap();
        assert!(text.contains("【工单 G1】派给 电信：石桥镇 · 上村 · 村口，设备无应答，1 路"), "{text}");
        // To somebody else, and back: told again, once.
        let other = give(&given, Assignee::Contractor("广电".into()));
        second.update_order(&other).await.unwrap();
        second.update_order(&give(&other, unit)).await.unwrap();
        until("the second giving", &second, |log| log.len() == 2 && log.iter().all(|d| d.ended.is_some())).await;
        assert!(heard.recv().await.unwrap().contains("G1"));
        assert!(heard.try_recv().is_err(), "each was told once");
        running.abort();
        listening.abort();
    }
}
