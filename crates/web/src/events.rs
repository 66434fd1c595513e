//! One dashboard's event stream: what it may see of the hub's events, and an end as soon as its session ends.

use crate::{
    app::App,
    caller::Caller,
    hub::{Start, unnumbered},
    problem::{Problem, Query, Result},
    scope::Scope,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

/// Events on their way to a client; beyond these it falls behind in the hub, not in our memory.
const ON_THE_WAY: usize = 16;
/// A client that takes nothing for this long is gone.
const SILENT: Duration = Duration::from_secs(60);

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// Begin after this event number, as `Last-Event-ID` does.
    after: Option<u64>,
}

/// Changes as they happen
///
/// Events: `states` {cameras}, `counts`, `incident`, `own` {own_faults}, `reset` (load everything anew),
/// `heartbeat`. A client opens the stream first and loads `/states` then: its `seq` tells which events it
/// already contains.
#[utoipa::path(get, path = "/api/v1/events", tag = "fleet", params(After, ("Last-Event-ID" = Option<u64>, Header,
    description = "The last event seen; what came after it is sent first")),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub(crate) async fn stream(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<After>,
    headers: HeaderMap,
) -> Result<Response> {
    let slot = Arc::clone(&app.event_streams)
        .try_acquire_owned()
        .map_err(|_| Problem::busy("too many dashboards are open"))?;
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).filter(|v| !v.is_empty());
    let after = match last {
        // A number we cannot read is one we do not have: the client loads anew.
        Some(text) => Some(text.trim().parse().unwrap_or(u64::MAX)),
        None => query.after,
    };
    // Listen for revocations before the session is looked at again, so that none falls between.
    let revoked = app.sessions.revocations();
    let start = app.hub.join(after);
    let (tx, rx) = mpsc::channel(ON_THE_WAY);
    let gauge = app.metrics.stream_opened();
    tokio::spawn(async move {
        Client { app, caller, tx }.run(start, revoked).await;
        drop((slot, gauge));
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, [("x-accel-buffering", "no")], Body::from_stream(ReceiverStream::new(rx))).into_response())
}

struct Client {
    app: App,
    caller: Caller,
    tx: mpsc::Sender<Result<Bytes, Infallible>>,
}

impl Client {
    /// Sends until the client goes, its session ends or the node stops.
    async fn run(self, start: Start, mut revoked: broadcast::Receiver<()>) {
        let _ = self.follow(start, &mut revoked).await;
    }

    /// `None` when it is over.
    async fn follow(&self, start: Start, revoked: &mut broadcast::Receiver<()>) -> Option<()> {
        let stop = self.app.stopping();
        let scope = &self.caller.scope;
        self.still_signed_in().await?;
        // The first line tells the browser that the stream is open.
        self.send("retry: 2000\n\n".into()).await?;
        if start.lost {
            self.send(unnumbered("reset")).await?;
        }
        for event in start.missed {
            self.pass(&event, scope).await?;
        }
        let mut live = start.live;
        let mut heartbeat = tokio::time::interval(self.app.services.config.heartbeat);
        heartbeat.reset();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = self.tx.closed() => return None,
                // Falling behind here only means that there were many revocations.
                _ = revoked.recv() => self.still_signed_in().await?,
                _ = heartbeat.tick() => {
                    self.still_signed_in().await?;
                    self.send(unnumbered("heartbeat")).await?;
                }
                event = live.recv() => match event {
                    Ok(event) => self.pass(&event, scope).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => self.send(unnumbered("reset")).await?,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }

    async fn pass(&self, event: &crate::hub::Numbered, scope: &Scope) -> Option<()> {
        let registry = self.app.services.registry.load_full();
        match event.for_scope(scope, &registry) {
            Some(bytes) => self.send(bytes).await,
            None => Some(()),
        }
    }

    async fn send(&self, bytes: Bytes) -> Option<()> {
        tokio::time::timeout(SILENT, self.tx.send(Ok(bytes))).await.ok()?.ok()
    }

    /// The session holds, for the same role and scope as at the beginning.
    async fn still_signed_in(&self) -> Option<()> {
        self.app.still_holds(&self.caller).await.then_some(())
    }
}
