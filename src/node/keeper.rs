//! Looks after work orders: what recovers goes to acceptance, what relapses goes back to work, a hold whose time is
//! over ends; and, where the config says so, an incident that lasts gets an order of its own.
//!
//! It works from what is stored, not from what it has heard: a restart or a lost message delays it, nothing more. Two
//! changes of one order at once are settled by its version; who comes second looks again at the next turn.

use super::owner::Shared;
use crate::config::Desk as Settings;
use fleet::Wall;
use health::{
    Incident, IncidentId, Scope, Severity,
    desk::{Actor, Desk, NewOrder, Order, OrderState},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use store::{IncidentQuery, Store, StoreError};
use tokio::sync::{broadcast, watch};

/// Looks at all orders at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After news of an incident: time for it to reach the store.
const AFTER_NEWS: Duration = Duration::from_millis(700);
/// Pages of incidents that are looked through for one order.
const PAGES: usize = 20;
/// An incident is told within another, and that within another, at most so deep.
const DEEPEST_FOLD: usize = 8;

pub(super) struct Keeper {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
    desk: Desk,
    order_after: Option<Duration>,
    /// Incidents that have, or once had, an order; asked of the store once.
    ordered: BTreeSet<IncidentId>,
}

impl Keeper {
    pub(super) fn new(store: Arc<dyn Store>, shared: &Arc<Shared>, settings: &Settings) -> Keeper {
        Keeper {
            store,
            shared: Arc::clone(shared),
            desk: settings.agreed(),
            order_after: settings.order_after.map(|span| span.0),
            ordered: BTreeSet::new(),
        }
    }

    /// Runs until stopped.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut changes = self.shared.changes.subscribe();
        loop {
            let turn = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => Turn::Stop,
                () = tokio::time::sleep(LOOK_EVERY) => Turn::Look,
                () = news(&mut changes) => Turn::News,
            };
            match turn {
                Turn::Stop => return,
                Turn::Look => {}
                Turn::News => tokio::time::sleep(AFTER_NEWS).await,
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "cannot look after work orders; trying again");
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        for order in self.store.open_orders().await? {
            self.follow(&order).await?;
        }
        self.open_for_what_lasts().await
    }

    async fn follow(&self, order: &Order) -> Result<(), StoreError> {
        let now = Wall::read();
        let over = self.well_since(order).await?;
        let Some(act) = order.follow(over, now) else { return Ok(()) };
        let word = act.word();
        match self.desk.act(order, Actor::System, "system", act, now) {
            Ok(next) => match self.store.update_order(&next).await {
                Ok(()) => {
                    tracing::info!(order = %order.id, what = word, "work order moved on by itself");
                    Ok(())
                }
                // Somebody was quicker; the next turn looks at what he made of it.
                Err(StoreError::Conflict(_)) => Ok(()),
                Err(error) => Err(error),
            },
            Err(fault) => {
                tracing::warn!(order = %order.id, what = word, %fault, "work order cannot be moved on");
                Ok(())
            }
        }
    }

    /// Since when every camera of an order has been well; `None` while one is not. Any incident of theirs counts, not only
    /// the one that the order is about: a camera that failed anew is not repaired.
    async fn well_since(&self, order: &Order) -> Result<Option<Wall>, StoreError> {
        let Some(mut since) = self.over(order.incident).await? else { return Ok(None) };
        for child in &order.children {
            let Some(child) = self.store.order(*child).await? else { continue };
            match self.over(child.incident).await? {
                Some(over) => since = since.max(over),
                None => return Ok(None),
            }
        }
        let board = self.shared.board.load_full();
        let ill = |i: &Incident| i.members.iter().any(|m| m.left.is_none() && order.cameras.contains(&m.camera));
        if board.incidents.iter().any(|i| i.scope != Scope::Own && ill(i)) {
            return Ok(None);
        }
        // What came and went since, between two looks.
        let mut query = IncidentQuery { from: Some(since), limit: 1000, ..IncidentQuery::default() };
        for _ in 0..PAGES {
            let page = self.store.incidents(&query).await?;
            for incident in page.items.iter().filter(|i| i.scope != Scope::Own && i.folded_into.is_none()) {
                for member in incident.members.iter().filter(|m| order.cameras.contains(&m.camera)) {
                    match member.left.or(incident.resolved) {
                        Some(well) => since = since.max(well),
                        None => return Ok(None),
                    }
                }
            }
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(Some(since))
    }

    /// Since when an incident, or the one it is told in, has been over; `None` while it lasts.
    async fn over(&self, mut id: IncidentId) -> Result<Option<Wall>, StoreError> {
        for _ in 0..DEEPEST_FOLD {
            let Some(incident) = self.store.incident(id).await? else { return Ok(None) };
            match incident.folded_into {
                Some(into) => id = into,
                None => return Ok(incident.resolved),
            }
        }
        Ok(None)
    }

    /// An order, to be confirmed by somebody, for each serious incident that has lasted long enough.
    async fn open_for_what_lasts(&mut self) -> Result<(), StoreError> {
        let Some(after) = self.order_after else { return Ok(()) };
        let now = Wall::read();
        let board = self.shared.board.load_full();
        for incident in board.incidents.iter().filter(|i| i.severity >= Severity::Major && i.scope != Scope::Own) {
            if incident.opened + after > now || self.ordered.contains(&incident.id) {
                continue;
            }
            if self.store.orders_of(incident.id).await?.is_empty() {
                match self.store.add_order(self.order_for(incident, now)).await {
                    Ok(order) => tracing::info!(order = %order.id, incident = %incident.id, "work order opened"),
                    Err(StoreError::Conflict(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            self.ordered.insert(incident.id);
        }
        self.ordered.retain(|id| board.incidents.iter().any(|i| i.id == *id));
        Ok(())
    }

    fn order_for(&self, incident: &Incident, at: Wall) -> NewOrder {
        let registry = self.shared.registry.load_full();
        let first = incident.members.first().and_then(|m| registry.camera(m.camera));
        NewOrder {
            incident: incident.id,
            cameras: incident.members.iter().filter(|m| m.left.is_none()).map(|m| m.camera).collect(),
            town: first.and_then(|c| registry.site(c.site)).map(|s| s.town),
            severity: incident.severity,
            by: "system".to_owned(),
            at,
            state: OrderState::Reported,
            note: String::new(),
        }
    }
}

/// Why it looks.
enum Turn {
    Stop,
    Look,
    News,
}

/// Returns when something happened to an incident.
async fn news(changes: &mut broadcast::Receiver<web::Change>) {
    loop {
        match changes.recv().await {
            Ok(web::Change::Incident(_)) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            // The node ends; the stop signal says so too.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::samples::{incident, shared};
    use fleet::CameraId;
    use health::desk::{Act, OrderId};
    use store::Fact;
    use store_sqlite::SqliteStore;

    const MINUTE: i64 = 60_000;

    struct Desktop {
        _folder: tempfile::TempDir,
        store: Arc<dyn Store>,
        now: Wall,
    }

    impl Desktop {
        async fn new() -> Desktop {
            let folder = tempfile::tempdir().unwrap();
            let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path()).await.unwrap());
            Desktop { _folder: folder, store, now: Wall::read() }
        }

        /// An incident of the camera between two minutes ago; it lasts if it has no end.
        async fn incident(&self, id: u64, from: i64, until: Option<i64>) -> Incident {
            let at = |minutes: i64| Wall(self.now.0 - minutes * MINUTE);
            let mut told = incident(false);
            (told.id, told.opened, told.resolved) = (IncidentId(id), at(from), until.map(at));
            (told.members[0].joined, told.members[0].left) = (told.opened, told.resolved);
            self.store.record(&[Fact::Incident(told.clone())]).await.unwrap();
            told
        }

        async fn order(&self, incident: u64) -> OrderId {
            let new = NewOrder {
                incident: IncidentId(incident),
                cameras: vec![CameraId(1)],
                town: None,
                severity: Severity::Major,
                by: "op".into(),
                at: Wall(self.now.0 - 60 * MINUTE),
                state: OrderState::Confirmed,
                note: String::new(),
            };
            self.store.add_order(new).await.unwrap().id
        }

        /// What the keeper makes of an order while these incidents are open.
        async fn kept(&self, order: OrderId, open: Vec<Incident>) -> Order {
            let settings = Settings::default();
            let keeper = Keeper::new(Arc::clone(&self.store), &shared(open), &settings);
            keeper.follow(&self.store.order(order).await.unwrap().unwrap()).await.unwrap();
            self.store.order(order).await.unwrap().unwrap()
        }

        fn ago(&self, minutes: i64) -> Option<Wall> {
            Some(Wall(self.now.0 - minutes * MINUTE))
        }
    }

    #[tokio::test]
    async fn a_repair_counts_from_when_its_cameras_last_failed_of_whatever_incident() {
        let desk = Desktop::new().await;
        desk.incident(7, 60, Some(40)).await;
        let order = desk.order(7).await;
        let repaired = desk.kept(order, Vec::new()).await;
        assert_eq!((repaired.state, repaired.recovered), (OrderState::Repaired, desk.ago(40)));
        // It failed anew, for another reason, and came back.
        desk.incident(8, 30, Some(20)).await;
        assert_eq!(desk.kept(order, Vec::new()).await.recovered, desk.ago(20));
        // And again: this lasts.
        let lasting = desk.incident(9, 10, None).await;
        let relapsed = desk.kept(order, vec![lasting]).await;
        assert_eq!((relapsed.state, relapsed.recovered), (OrderState::Confirmed, None));
    }

    #[tokio::test]
    async fn an_order_waits_for_what_was_merged_into_it() {
        let desk = Desktop::new().await;
        desk.incident(7, 60, Some(40)).await;
        desk.incident(8, 50, None).await;
        let (order, child) = (desk.order(7).await, desk.order(8).await);
        let parent = absorbed(&desk, order, child).await;
        assert_eq!(desk.kept(parent, Vec::new()).await.state, OrderState::Confirmed, "the other one lasts");
        desk.incident(8, 50, Some(5)).await;
        assert_eq!(desk.kept(parent, Vec::new()).await.recovered, desk.ago(5));
    }

    async fn absorbed(desk: &Desktop, order: OrderId, child: OrderId) -> OrderId {
        let before = desk.store.order(order).await.unwrap().unwrap();
        let act = Act::Absorb(child, vec![CameraId(2)]);
        let after = Desk::default().act(&before, Actor::Desk, "op", act, desk.now).unwrap();
        desk.store.update_order(&after).await.unwrap();
        order
    }
}
