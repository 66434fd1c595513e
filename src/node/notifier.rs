//! Tells people: what `health::desk::Teller` plans is kept in the store together with what each channel has been told by
//! it, and only then delivered, in order, one try of a channel at a time, again and again until it arrives.
//!
//! It compares what is with what was told, so a restart or a missed change costs nothing. A crash during a try is the
//! case in which a message may arrive twice; its key is the same both times, and there is no third: if the service dies
//! during both tries, it is told anew what still lasts. What a target refuses for good steps aside for what comes after it,
//! and is tried again now and then.

mod attempt;
#[cfg(test)]
mod tests;

use super::owner::Shared;
use attempt::attempt;
use fleet::{Now, Registry, Wall};
use health::{
    Incident, IncidentId, Scope, Window,
    desk::{Assignee, ChannelId, Happening, Learnt, Mark, OrderId, Plan, Teller, dispatches},
};
use notify::{Courier, Envelope, Item, Letter, OrderItem};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use store::{Channel, Delivery, Store, StoreError, Telling, Tried};
use tokio::{sync::watch, task::JoinSet};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Pause after the store has failed.
const RETRY: Duration = Duration::from_secs(5);
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
            let which = format!("{}-{}-{n}", message.channel, at.0);
            let letter = Letter { items: items.collect(), ..self.letter(&which, envelope, at) };
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
            let which = format!("{}-{}-orders", dispatch.channel, now.0);
            let letter = Letter { orders: orders.collect(), ..self.letter(&which, envelope, now) };
            told.push((dispatch, parts(envelope, letter)?));
        }
        store.enqueue_dispatches(now, &told).await
    }

    /// An empty letter; `which` makes its key unlike those of all others of this node.
    fn letter(&self, which: &str, envelope: &Envelope, at: Wall) -> Letter {
        let node = self.notifier.courier.node();
        Letter {
            key: format!("{node}-{which}"),
            at: at.0,
            language: envelope.language,
            node: node.to_owned(),
            test: false,
            items: Vec::new(),
            orders: Vec::new(),
        }
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
            let which = format!("{}-refresh-{}", channel.id, now.0);
            let letter = Letter { items, ..self.letter(&which, envelope, now) };
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
