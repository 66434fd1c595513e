//! Incidents: open ones from the board, former ones from the store.

use crate::{
    api::{limit, reason},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    problem::{Body, Path, Problem, Query, Result},
    services::Command,
    views::{IncidentView, Paged},
};
use axum::{Json, extract::State, http::StatusCode};
use fleet::{CameraId, Registry, Wall};
use health::{Event, Incident};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use store::IncidentQuery;
use utoipa::{IntoParams, ToSchema};

/// Pages of the store looked through for one page of a user with a narrow scope.
const PAGES: usize = 10;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only open (true) or resolved (false) ones.
    open: Option<bool>,
    /// Only with this camera among the members.
    camera: Option<u32>,
    /// Opened at or after.
    from: Option<i64>,
    /// Opened before.
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Incidents in scope, newest first
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(Filter),
    responses((status = 200, body = Paged<IncidentView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Paged<IncidentView>>> {
    let registry = app.services.registry.load_full();
    if let Some(camera) = filter.camera {
        caller.camera(&registry, camera)?;
    }
    let limit = limit(filter.limit)?;
    if filter.open == Some(true) {
        return open_now(&app, &caller, &registry, &filter, limit).map(Json);
    }
    let mut query = IncidentQuery {
        open: filter.open,
        scope: None,
        camera: filter.camera.map(CameraId),
        from: filter.from.map(Wall),
        until: filter.until.map(Wall),
        limit,
        cursor: filter.cursor,
    };
    let mut items = Vec::new();
    for _ in 0..PAGES {
        // Never more than fit: the cursor stands behind the last one read.
        query.limit = limit - u32::try_from(items.len()).unwrap_or(limit);
        let page = app.services.store.incidents(&query).await?;
        items.extend(
            page.items
                .iter()
                .filter_map(|i| caller.scope.incident(&registry, i))
                .map(|i| IncidentView::from(i.as_ref())),
        );
        query.cursor = page.next;
        if query.cursor.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Json(Paged { items, next: query.cursor }))
}

/// The board knows of every open incident, a moment before the store does.
fn open_now(
    app: &App,
    caller: &Caller,
    registry: &Registry,
    filter: &Filter,
    limit: u32,
) -> Result<Paged<IncidentView>> {
    let before = match &filter.cursor {
        None => u64::MAX,
        Some(text) => text.parse().map_err(|_| Problem::invalid("cursor: not one of ours"))?,
    };
    let board = app.services.board.load_full();
    let mut open: Vec<&Arc<Incident>> = board
        .incidents
        .iter()
        .filter(|i| i.id.0 < before)
        .filter(|i| filter.camera.is_none_or(|c| i.members.iter().any(|m| m.camera.0 == c)))
        .filter(|i| filter.from.is_none_or(|from| i.opened.0 >= from))
        .filter(|i| filter.until.is_none_or(|until| i.opened.0 < until))
        .collect();
    open.sort_by_key(|i| std::cmp::Reverse(i.id));
    let mut seen = open.into_iter().filter_map(|i| caller.scope.incident(registry, i));
    let items: Vec<_> = seen.by_ref().take(limit as usize).collect();
    let next = items.last().map(|i| i.id.0.to_string()).filter(|_| seen.next().is_some());
    Ok(Paged { items: items.iter().map(|i| IncidentView::from(i.as_ref())).collect(), next })
}

/// One incident
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", params(("id" = u64, Path)),
    responses((status = 200, body = IncidentView), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, caller: Caller, Path(id): Path<u64>) -> Result<Json<IncidentView>> {
    let incident = app.incident(&caller, id).await?;
    Ok(Json(IncidentView::from(&incident)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acknowledge {
    /// Why it can wait.
    reason: String,
    /// Until when; open-ended if null.
    until: Option<i64>,
}

/// Say that somebody has seen it and why it can wait
#[utoipa::path(post, path = "/api/v1/incidents/{id}/acknowledge", tag = "incidents", params(("id" = u64, Path)),
    request_body = Acknowledge, responses((status = 204), (status = 400), (status = 404), (status = 409)))]
pub(crate) async fn acknowledge(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(body): Body<Acknowledge>,
) -> Result<StatusCode> {
    let incident = app.incident(&caller, id).await?;
    if !incident.is_open() {
        return Err(Problem::new(StatusCode::CONFLICT, "resolved", "this incident is over already"));
    }
    let reason = reason(&body.reason)?;
    let until = body.until.map(Wall);
    if until.is_some_and(|until| until <= Wall::read()) {
        return Err(Problem::invalid("until: expected a time to come"));
    }
    let deed = Deed::of(&caller, Action::IncidentAcknowledged).on(incident.id).because(reason.as_str());
    app.audit(deed).await?;
    let by = caller.user.name.clone();
    app.command(Command::Event(Event::Acknowledge { incident: incident.id, by, reason, until })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An incident's pictures begin so long before it and end so long after it.
const AROUND: Duration = Duration::from_secs(600);

/// When an incident's pictures were taken: from, and until where it is over.
pub(crate) fn pictured(incident: &Incident) -> (Wall, Option<Wall>) {
    let around = i64::try_from(AROUND.as_millis()).expect("ten minutes");
    let until = incident.resolved.map(|at| Wall(at.0.saturating_add(around)));
    (Wall(incident.opened.0.saturating_sub(around)), until)
}

/// An incident as far as it is in the caller's scope.
pub(crate) async fn find(app: &App, caller: &Caller, id: u64) -> Result<Incident> {
    app.incident(caller, id).await
}
