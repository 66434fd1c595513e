//! Tells people: what `health::desk::Teller` plans is kept in the store together with what each channel has been told by
//! it, and only then delivered, in order, one try of a channel at a time, again and again until it arrives.
//!
//! It compares what is with what was told, so a restart or a missed change costs nothing. A crash during a try is the one
//! case in which a message may arrive twice; its key is the same both times.

use super::owner::Shared;
use fleet::{Registry, Wall};
use health::{
    Incident, IncidentId, Scope, Window,
    desk::{Assignee, ChannelId, Happening, OrderId, Plan, Teller, dispatches, pause},
};
use notify::{Courier, Envelope, Item, Letter, OrderItem, Unreached};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use store::{Channel, Delivery, NewDelivery, Store, StoreError, Tried};
use tokio::{sync::watch, task::JoinSet};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause before the first look: time for the core to say how its cameras are.
const RETRY: Duration = Duration::from_secs(5);
/// What did not arrive within this time is given up, and the log says so.
const GIVE_UP_MS: i64 = 72 * 3_600_000;
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
    trying: JoinSet<ChannelId>,
    busy: BTreeSet<ChannelId>,
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
    }

    async fn begin(&self) -> Result<Running, StoreError> {
        let now = Wall::read();
        let marks = self.store.marks().await?;
        let sent = self.store.sent_since(Wall(now.0 - 24 * 3_600_000)).await?;
        let known = marks.iter().filter(|(.., mark)| !mark.over).map(|(_, incident, _)| *incident).collect();
        Ok(Running {
            notifier: Notifier {
                store: Arc::clone(&self.store),
                shared: Arc::clone(&self.shared),
                courier: self.courier.clone(),
            },
            teller: Teller::new(marks, sent),
            known,
            trying: JoinSet::new(),
            busy: BTreeSet::new(),
            refreshed: tokio::time::Instant::now(),
            pruned: None,
        })
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>, within: Duration) -> bool {
    tokio::time::timeout(within, stop.wait_for(|stop| *stop)).await.is_ok()
}

impl Running {
    async fn look(&mut self) -> Result<(), StoreError> {
        let now = Wall::read();
        let store = Arc::clone(&self.notifier.store);
        let channels = store.channels().await?;
        let incidents = self.incidents().await?;
        let enabled: Vec<&Channel> = channels.iter().filter(|c| c.enabled).collect();
        if !enabled.is_empty() {
            let windows = store.windows(now..Wall(now.0 + 1)).await?;
            let registry = self.notifier.shared.registry.load_full();
            let happenings: Vec<Happening> =
                incidents.values().map(|i| happening(i, &registry, &windows, now)).collect();
            let plan = self.teller.plan(enabled.iter().map(|c| (c.id, &c.route)), &happenings, now);
            self.keep(&plan, &channels, &incidents, &registry, now).await?;
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
        channels: &[Channel],
        incidents: &BTreeMap<IncidentId, Arc<Incident>>,
        registry: &Registry,
        now: Wall,
    ) -> Result<(), StoreError> {
        if plan.messages.is_empty() && plan.silent.is_empty() {
            return Ok(());
        }
        let mut messages = Vec::new();
        let mut marks = plan.silent.clone();
        for (n, message) in plan.messages.iter().enumerate() {
            marks.extend(message.marks.iter().map(|(incident, mark)| (message.channel, *incident, *mark)));
            let channel = channels.iter().find(|c| c.id == message.channel);
            let Some(envelope) = channel.and_then(|c| Envelope::open(c.target.expose())) else { continue };
            let items = message.items.iter().filter_map(|(id, news)| {
                incidents.get(id).map(|incident| Item::of(incident, *news, registry, envelope.language))
            });
            let letter = Letter {
                key: format!("{}-{}-{}-{n}", self.notifier.courier.node(), message.channel, now.0),
                at: now.0,
                language: envelope.language,
                node: self.notifier.courier.node().to_owned(),
                test: false,
                items: items.collect(),
                orders: Vec::new(),
            };
            let body = serde_json::to_string(&letter).map_err(|e| StoreError::Invalid(e.to_string()))?;
            messages.push(NewDelivery { channel: message.channel, at: now, body });
        }
        self.notifier.store.enqueue(&messages, &marks).await?;
        self.teller.told(plan, now);
        for (_, incident, mark) in marks {
            if mark.over {
                self.known.remove(&incident);
            } else {
                self.known.insert(incident);
            }
        }
        Ok(())
    }

    /// Tells of work orders that were given to somebody.
    async fn dispatch(
        &self,
        channels: &[&Channel],
        incidents: &BTreeMap<IncidentId, Arc<Incident>>,
        now: Wall,
    ) -> Result<(), StoreError> {
        // Alertmanager knows alerts only.
        let for_orders: Vec<&&Channel> =
            channels.iter().filter(|c| c.route.orders && c.kind != "alertmanager").collect();
        if for_orders.is_empty() {
            return Ok(());
        }
        let store = &self.notifier.store;
        let open = store.open_orders().await?;
        let marks: BTreeMap<(ChannelId, OrderId), Wall> =
            store.order_marks().await?.into_iter().map(|(channel, order, given)| ((channel, order), given)).collect();
        let routes = for_orders.iter().map(|c| (c.id, &c.route));
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
        let mut messages = Vec::new();
        for dispatch in &news {
            let channel = channels.iter().find(|c| c.id == dispatch.channel);
            let Some(envelope) = channel.and_then(|c| Envelope::open(c.target.expose())) else { continue };
            let told = dispatch.orders.iter().filter_map(|(id, _)| open.iter().find(|o| o.id == *id));
            let orders = told.map(|order| {
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
            let body = serde_json::to_string(&letter).map_err(|e| StoreError::Invalid(e.to_string()))?;
            messages.push(NewDelivery { channel: dispatch.channel, at: now, body });
        }
        store.enqueue_dispatches(&messages, &news).await
    }

    /// Tries what is due, one message of a channel at a time; a dead channel keeps nobody waiting.
    async fn deliver(&mut self, channels: &[Channel], now: Wall) -> Result<(), StoreError> {
        while let Some(ended) = self.trying.try_join_next() {
            match ended {
                Ok(channel) => {
                    self.busy.remove(&channel);
                }
                // A panic of a try: the channel is free again, the message waits as it was.
                Err(_) => self.busy.clear(),
            }
        }
        for delivery in self.notifier.store.due(now).await? {
            let Some(channel) = channels.iter().find(|c| c.id == delivery.channel) else { continue };
            if !self.busy.insert(channel.id) {
                continue;
            }
            let (store, courier) = (Arc::clone(&self.notifier.store), self.notifier.courier.clone());
            let (id, envelope) = (channel.id, Envelope::open(channel.target.expose()));
            self.trying.spawn(async move {
                attempt(store.as_ref(), &courier, envelope, &delivery).await;
                id
            });
        }
        Ok(())
    }

    /// Tells Alertmanager again of what lasts: it forgets what nobody repeats, also when it is restarted.
    fn refresh(&mut self, channels: &[&Channel], incidents: &BTreeMap<IncidentId, Arc<Incident>>, now: Wall) {
        if self.refreshed.elapsed() < REFRESH {
            return;
        }
        self.refreshed = tokio::time::Instant::now();
        let registry = self.notifier.shared.registry.load_full();
        for channel in channels.iter().filter(|c| c.kind == "alertmanager") {
            let Some(envelope) = Envelope::open(channel.target.expose()) else { continue };
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
            let courier = self.notifier.courier.clone();
            tokio::spawn(async move {
                // The next round tells it again; a lasting failure shows with the next message.
                if let Err(error) = courier.deliver(&envelope.target, &letter).await {
                    tracing::debug!(%error, "Alertmanager was not refreshed");
                }
            });
        }
    }
}

async fn attempt(store: &dyn Store, courier: &Courier, envelope: Option<Envelope>, delivery: &Delivery) {
    if let Err(error) = store.begin_try(delivery.id).await {
        return tracing::warn!(%error, "cannot note that a message is tried");
    }
    let letter: Option<Letter> = serde_json::from_str(&delivery.body).ok();
    let done = match envelope.zip(letter) {
        Some((envelope, letter)) => courier.deliver(&envelope.target, &letter).await.map_err(|e| e.to_string()),
        None => Err("the message or its channel cannot be read".to_owned()),
    };
    let now = Wall::read();
    let tried = match done {
        Ok(unreached) if unreached.is_empty() => Tried::Delivered,
        Ok(unreached) => {
            let who = Unreached::told(&unreached);
            tracing::warn!(channel = %delivery.channel, %who, "a message did not reach everybody");
            Tried::Partly(who)
        }
        Err(why) => {
            tracing::warn!(channel = %delivery.channel, attempts = delivery.attempts + 1, %why, "a message did not arrive");
            let again = now + pause(delivery.attempts + 1, rand::random());
            Tried::Failed(why, (again.0 - delivery.at.0 < GIVE_UP_MS).then_some(again))
        }
    };
    if let Err(error) = store.end_try(delivery.id, now, &tried).await {
        tracing::warn!(%error, "cannot note how a message fared; it may be sent again");
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
    use fleet::{Camera, CameraId, Cause, Now, Secret, Site, SiteId, SiteKind, StreamUrl, Town, TownId};
    use health::{LikelyCause, Member, Severity, desk::Route};
    use notify::{Language, Target};
    use std::{net::TcpListener, path::Path};
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

    /// Takes requests until told to end; tells the text of each.
    async fn serve(listener: TcpListener, tell: tokio::sync::mpsc::UnboundedSender<String>) {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((mut peer, _)) = listener.accept().await {
            let (mut request, mut part) = (Vec::new(), [0; 4096]);
            // One request a connection: headers, then as many bytes as they say.
            loop {
                let n = peer.read(&mut part).await.unwrap_or(0);
                request.extend_from_slice(&part[..n]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length =
                        head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    body.len() >= length.unwrap_or(0usize)
                });
                if whole || n == 0 {
                    let _ = peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
                    let _ = tell.send(text);
                    break;
                }
            }
        }
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
        let target = Target::Webhook { url: format!("http://{address}/"), secret: "a long enough secret".into() };
        let envelope = Envelope { language: Language::Chinese, target };
        let first = store(folder.path()).await;
        first
            .add_channel(Channel {
                id: ChannelId(0),
                name: "值班".into(),
                kind: "webhook".into(),
                enabled: true,
                route: Route::default(),
                shown: String::new(),
                target: Secret::new(envelope.seal()),
            })
            .await
            .unwrap();
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
        let listening = tokio::spawn(serve(TcpListener::bind(address).unwrap(), tell));
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
    async fn whoever_an_order_is_given_to_is_told_once_also_over_a_crash() {
        use health::desk::{Act, Actor, Desk, NewOrder, OrderState};
        let folder = tempfile::tempdir().unwrap();
        let first = store(folder.path()).await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let target = Target::Webhook { url: format!("http://{address}/"), secret: "a long enough secret".into() };
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
            target: Secret::new(Envelope { language: Language::Chinese, target }.seal()),
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
        let listening = tokio::spawn(serve(TcpListener::bind(address).unwrap(), tell));
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
