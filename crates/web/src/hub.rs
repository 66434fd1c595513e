//! Numbered changes for the dashboards' event streams: collected, encoded once for everybody, kept in a bounded
//! ring so that an interrupted stream can resume.
//!
//! The hub never waits for a client. Whoever falls behind, or resumes from too long ago, is told to load anew.

use crate::{
    gallery::Gallery,
    scope::Scope,
    services::{Change, Services},
    views::{CameraState, CountsView, IncidentView, own_faults, rows},
};
use arc_swap::ArcSwap;
use bytes::Bytes;
use fleet::{CameraId, Registry, Status, Wall};
use health::{Board, Incident, IncidentId};
use parking_lot::Mutex;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

/// Changes are collected for this long.
const COLLECT: Duration = Duration::from_millis(250);
/// Events kept for resuming.
const RING: usize = 1024;
/// Bytes kept for resuming.
const RING_BYTES: usize = 8 << 20;
/// Events a client may fall behind.
const BEHIND: usize = 64;

/// One numbered event.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) seq: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// Changed rows: each encoded by itself, and all together for those who see everything.
    States {
        rows: Vec<(CameraId, String)>,
        all: Bytes,
    },
    /// Counts, and what they count.
    Counts {
        statuses: Arc<[(CameraId, Status)]>,
        all: Bytes,
    },
    Incident {
        incident: Arc<Incident>,
        all: Bytes,
    },
    Own(Bytes),
    /// The register changed: everything is to be loaded anew.
    Reset(Bytes),
}

impl Numbered {
    fn bytes(&self) -> usize {
        match &self.body {
            Body::States { rows, all } => all.len() + rows.iter().map(|(_, row)| row.len() + 32).sum::<usize>(),
            Body::Counts { statuses, .. } => statuses.len() * 8,
            Body::Incident { all, .. } | Body::Own(all) | Body::Reset(all) => all.len() * 2,
        }
    }

    /// The event as a user may see it; `None` if there is nothing in it for him.
    pub(crate) fn for_scope(&self, scope: &Scope, registry: &Registry) -> Option<Bytes> {
        let whole = scope.is_everything();
        match &self.body {
            Body::Own(all) | Body::Reset(all) => Some(all.clone()),
            Body::States { all, .. } | Body::Counts { all, .. } | Body::Incident { all, .. } if whole => {
                Some(all.clone())
            }
            Body::States { rows, .. } => {
                let rows = rows.iter().filter(|(id, _)| scope.sees_camera(registry, *id)).map(|(_, row)| row.as_str());
                states_event(self.seq, rows)
            }
            Body::Counts { statuses, .. } => {
                let seen = statuses.iter().filter(|(id, _)| scope.sees_camera(registry, *id)).map(|(_, s)| *s);
                Some(event(self.seq, "counts", &seen.collect::<CountsView>()))
            }
            Body::Incident { incident, .. } => {
                let seen = scope.incident(registry, incident)?;
                Some(event(self.seq, "incident", &IncidentView::from(seen.as_ref())))
            }
        }
    }
}

/// An event that carries no number and no data: heartbeat, reset.
pub(crate) fn unnumbered(name: &str) -> Bytes {
    format!("event: {name}\ndata: {{}}\n\n").into()
}

fn event(seq: u64, name: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).expect("views always serialize");
    format!("id: {seq}\nevent: {name}\ndata: {data}\n\n").into()
}

fn states_event<'a>(seq: u64, rows: impl Iterator<Item = &'a str>) -> Option<Bytes> {
    let mut text = format!("id: {seq}\nevent: states\ndata: {{\"cameras\":[");
    let head = text.len();
    for row in rows {
        if text.len() > head {
            text.push(',');
        }
        text.push_str(row);
    }
    let any = text.len() > head;
    text.push_str("]}\n\n");
    any.then(|| text.into())
}

/// Where a stream begins.
pub(crate) struct Start {
    /// What it missed.
    pub(crate) missed: Vec<Arc<Numbered>>,
    /// It missed more than is kept.
    pub(crate) lost: bool,
    /// What comes.
    pub(crate) live: broadcast::Receiver<Arc<Numbered>>,
}

/// The ring and its clients.
pub(crate) struct Hub {
    ring: Mutex<Ring>,
    live: broadcast::Sender<Arc<Numbered>>,
}

struct Ring {
    seq: u64,
    events: VecDeque<Arc<Numbered>>,
    bytes: usize,
}

impl Hub {
    /// Numbers begin with the time of the start, so that a number of an earlier run is never taken for ours
    /// (and stay below 2^53, the last integer that every JavaScript program can count).
    pub(crate) fn new(started: Wall) -> Hub {
        let seq = u64::try_from(started.0).unwrap_or(0) * 1000;
        Hub { ring: Mutex::new(Ring { seq, events: VecDeque::new(), bytes: 0 }), live: broadcast::channel(BEHIND).0 }
    }

    /// The number of the newest event.
    pub(crate) fn seq(&self) -> u64 {
        self.ring.lock().seq
    }

    /// Begins a stream, after the event with this number if one is given.
    pub(crate) fn join(&self, after: Option<u64>) -> Start {
        let ring = self.ring.lock();
        let live = self.live.subscribe();
        let Some(after) = after else { return Start { missed: Vec::new(), lost: false, live } };
        let oldest = ring.events.front().map_or(ring.seq + 1, |e| e.seq);
        if after > ring.seq || after + 1 < oldest {
            return Start { missed: Vec::new(), lost: true, live };
        }
        let missed = ring.events.iter().filter(|e| e.seq > after).cloned().collect();
        Start { missed, lost: false, live }
    }

    fn publish(&self, body: impl FnOnce(u64) -> Body) {
        let mut ring = self.ring.lock();
        ring.seq += 1;
        let event = Arc::new(Numbered { seq: ring.seq, body: body(ring.seq) });
        ring.bytes += event.bytes();
        ring.events.push_back(Arc::clone(&event));
        while ring.events.len() > RING || ring.bytes > RING_BYTES {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes -= oldest.bytes();
        }
        // Sent under the lock, so that `join` sees each event exactly once. Nobody listening is fine.
        let _ = self.live.send(event);
    }
}

/// Collects changes and publishes them until stopped.
pub(crate) async fn run(hub: Arc<Hub>, services: Services, stop: CancellationToken) {
    let mut changes = services.changes.subscribe();
    let mut desk = Desk {
        hub,
        board: services.board,
        registry: services.registry,
        gallery: services.gallery,
        cameras: BTreeSet::new(),
        incidents: BTreeMap::new(),
        own: false,
        reset: false,
        counted: Arc::from([]),
        known: None,
    };
    // The hub's own sender would keep the channel open for ever; the node's is what counts.
    drop(services.changes);
    let mut flush = tokio::time::interval(COLLECT);
    flush.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = flush.tick() => desk.flush(),
            change = changes.recv() => match change {
                Ok(change) => desk.take(change),
                // More than we could take: what the board says counts, so everybody loads it.
                Err(broadcast::error::RecvError::Lagged(_)) => desk.reset = true,
                Err(broadcast::error::RecvError::Closed) => break,
            },
        }
    }
}

struct Desk {
    hub: Arc<Hub>,
    board: Arc<ArcSwap<Board>>,
    registry: Arc<ArcSwap<Registry>>,
    gallery: Arc<Gallery>,
    cameras: BTreeSet<CameraId>,
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    own: bool,
    reset: bool,
    /// What was counted last.
    counted: Arc<[(CameraId, Status)]>,
    known: Option<Arc<Registry>>,
}

impl Desk {
    fn take(&mut self, change: Change) {
        match change {
            // The board already has this row, or a newer one.
            Change::Camera(row) => {
                self.cameras.insert(row.camera);
            }
            Change::Incident(incident) => {
                self.incidents.insert(incident.id, incident);
            }
            Change::Own(_) => self.own = true,
        }
    }

    fn flush(&mut self) {
        let board = self.board.load_full();
        let registry = self.registry.load_full();
        let same = self.known.as_ref().is_some_and(|known| Arc::ptr_eq(known, &registry));
        if !same {
            self.gallery.retain(&registry);
            self.reset |= self.known.is_some();
            self.known = Some(Arc::clone(&registry));
        }
        self.cameras.append(&mut self.gallery.take_changed());
        if std::mem::take(&mut self.reset) {
            self.cameras.clear();
            self.incidents.clear();
            self.own = false;
            self.hub.publish(|seq| Body::Reset(event(seq, "reset", &serde_json::json!({}))));
        }
        let cameras = std::mem::take(&mut self.cameras);
        if !cameras.is_empty() {
            self.states(&cameras, &board);
        }
        for incident in std::mem::take(&mut self.incidents).into_values() {
            self.hub.publish(|seq| Body::Incident {
                all: event(seq, "incident", &IncidentView::from(incident.as_ref())),
                incident,
            });
        }
        if std::mem::take(&mut self.own) {
            let faults = own_faults(&board);
            self.hub.publish(|seq| Body::Own(event(seq, "own", &serde_json::json!({ "own_faults": faults }))));
        }
        self.counts(&board, &registry);
    }

    fn states(&self, cameras: &BTreeSet<CameraId>, board: &Board) {
        let rows: Vec<(CameraId, String)> = cameras
            .iter()
            .filter_map(|id| board.camera(*id))
            .map(|row| {
                let state = CameraState::of(row, &self.gallery);
                (row.camera, serde_json::to_string(&state).expect("views always serialize"))
            })
            .collect();
        if rows.is_empty() {
            return;
        }
        self.hub.publish(|seq| Body::States {
            all: states_event(seq, rows.iter().map(|(_, row)| row.as_str())).expect("there are rows"),
            rows,
        });
    }

    fn counts(&mut self, board: &Board, registry: &Registry) {
        let statuses: Arc<[(CameraId, Status)]> = rows(board, registry).map(|r| (r.camera, r.status)).collect();
        if statuses == self.counted {
            return;
        }
        self.counted = Arc::clone(&statuses);
        self.hub.publish(|seq| {
            let counts: CountsView = statuses.iter().map(|(_, s)| *s).collect();
            Body::Counts { all: event(seq, "counts", &counts), statuses }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub_with(events: usize) -> Hub {
        let hub = Hub::new(Wall(1));
        for _ in 0..events {
            hub.publish(|seq| Body::Own(event(seq, "own", &serde_json::json!({}))));
        }
        hub
    }

    #[test]
    fn a_stream_resumes_after_the_event_it_had_last() {
        let hub = hub_with(5);
        let start = hub.join(Some(1003));
        assert!(!start.lost);
        assert_eq!(start.missed.iter().map(|e| e.seq).collect::<Vec<_>>(), [1004, 1005]);
        assert!(hub.join(Some(1005)).missed.is_empty());
        assert!(!hub.join(Some(1000)).lost, "the number before the first event is complete, too");
    }

    #[test]
    fn what_is_no_longer_kept_or_from_another_run_makes_the_client_load_anew() {
        let hub = hub_with(RING + 10);
        assert!(hub.join(Some(1001)).lost);
        assert!(hub.join(Some(999)).lost);
        assert!(hub.join(Some(u64::MAX - 1)).lost);
        assert_eq!(hub.ring.lock().events.len(), RING);
    }

    #[test]
    fn a_stream_without_a_number_begins_now() {
        let hub = hub_with(3);
        let start = hub.join(None);
        assert!(start.missed.is_empty() && !start.lost);
    }
}
