//! Where a user is signed in: listing and ending sessions, one's own or, for those who manage accounts, anybody's.

use crate::{
    app::{App, done},
    audit::{Action, Deed},
    caller::Caller,
    problem::{Path, Problem, Result},
    session::TokenHash,
};
use axum::{Json, extract::State, response::IntoResponse};
use fleet::Wall;
use serde::Serialize;
use store::{SessionRecord, UserId};
use utoipa::ToSchema;

/// A signed-in browser.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// Names the session; says nothing about its token.
    id: String,
    created: i64,
    used: i64,
    /// When it ends whatever happens.
    expires: i64,
    address: String,
    /// The browser, as it calls itself.
    agent: String,
    /// The one this was asked with.
    current: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Sessions {
    items: Vec<SignedIn>,
}

/// The first bytes of the token's hash: enough to tell a user's sessions apart.
fn id(token: &TokenHash) -> String {
    hex::encode(&token[..8])
}

async fn valid(app: &App, user: UserId) -> Result<Vec<SessionRecord>> {
    let now = Wall::read();
    let mut sessions = app.services.store.sessions_of(user).await?;
    sessions.retain(|s| now < s.expires);
    sessions.sort_by_key(|s| std::cmp::Reverse(s.used));
    Ok(sessions)
}

async fn listed(app: &App, user: UserId, caller: &Caller) -> Result<Json<Sessions>> {
    let items = valid(app, user).await?;
    let items = items.into_iter().map(|s| SignedIn {
        id: id(&s.token_hash),
        created: s.created.0,
        used: s.used.0,
        expires: s.expires.0,
        address: s.address,
        agent: s.agent,
        current: s.token_hash == caller.token,
    });
    Ok(Json(Sessions { items: items.collect() }))
}

async fn end(app: &App, user: UserId, session: Option<&str>) -> Result<usize> {
    let mut ended = 0;
    for record in valid(app, user).await? {
        if session.is_none_or(|wanted| wanted == id(&record.token_hash)) {
            app.grants.forget(&record.token_hash);
            app.sessions.end(&record.token_hash).await?;
            ended += 1;
        }
    }
    if session.is_some() && ended == 0 { Err(Problem::not_found()) } else { Ok(ended) }
}

/// Where one is signed in oneself, latest use first
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", responses((status = 200, body = Sessions)))]
pub(crate) async fn own(State(app): State<App>, caller: Caller) -> Result<Json<Sessions>> {
    listed(&app, caller.user.id, &caller).await
}

/// End one of one's own sessions
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn end_own(
    State(app): State<App>,
    caller: Caller,
    Path(session): Path<String>,
) -> Result<impl IntoResponse> {
    end(&app, caller.user.id, Some(&session)).await?;
    app.audit(Deed::of(&caller, Action::SessionEnded).on(caller.user.id.0).detail(session)).await?;
    Ok(done())
}

/// Where a user is signed in
#[utoipa::path(get, path = "/api/v1/users/{id}/sessions", tag = "sessions", params(("id" = u32, Path)),
    responses((status = 200, body = Sessions), (status = 404)))]
pub(crate) async fn of_user(State(app): State<App>, caller: Caller, Path(user): Path<u32>) -> Result<Json<Sessions>> {
    let user = app.services.store.user(UserId(user)).await?.ok_or_else(Problem::not_found)?;
    listed(&app, user.id, &caller).await
}

/// End every session of a user, at once
#[utoipa::path(delete, path = "/api/v1/users/{id}/sessions", tag = "sessions", params(("id" = u32, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn end_of_user(
    State(app): State<App>,
    caller: Caller,
    Path(user): Path<u32>,
) -> Result<impl IntoResponse> {
    let user = app.services.store.user(UserId(user)).await?.ok_or_else(Problem::not_found)?;
    let ended = end(&app, user.id, None).await?;
    app.audit(Deed::of(&caller, Action::SessionEnded).on(user.id.0).detail(format!("{ended} of {}", user.name)))
        .await?;
    Ok(done())
}
