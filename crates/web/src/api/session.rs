//! Signing in and out, and changing one's own password.

use crate::{
    VERSION,
    api::{second_factor, users::UserView},
    app::{App, done},
    audit::{Action, Deed},
    caller::{Caller, Peer},
    password,
    problem::{Body, Problem, Result},
    session::{cookie, hash, token_of},
    users::Duties,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{AppendHeaders, IntoResponse},
};
use fleet::{Secret, Wall};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use store::User;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    name: String,
    password: String,
    /// The second factor, where there is one: six digits, or a recovery code.
    #[serde(default)]
    code: Option<String>,
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    user: UserView,
    version: &'static str,
    demo: bool,
    now: i64,
    /// Nothing but the password can be used before it is changed.
    must_change_password: bool,
    /// The role must have a second factor and has none: nothing else can be used before.
    second_factor_missing: bool,
    /// System, security and audit administration are in different hands.
    separate_duties: bool,
}

impl SessionView {
    fn of(app: &App, user: &User, enrolled: bool) -> SessionView {
        SessionView {
            user: UserView::of(user, enrolled),
            version: VERSION,
            demo: app.services.demo.is_some(),
            now: Wall::read().0,
            must_change_password: user.must_change_password,
            second_factor_missing: !enrolled && app.needs_second_factor(user),
            separate_duties: app.services.config.duties == Duties::Apart,
        }
    }
}

/// Sign in
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = SignIn, security(()),
    responses((status = 200, body = SessionView), (status = 401, description = "name or password is wrong; code second_factor_required: they are right, a code is needed"),
        (status = 429, description = "too many failures; Retry-After says how long to wait")))]
pub(crate) async fn sign_in(
    State(app): State<App>,
    Peer(address): Peer,
    headers: HeaderMap,
    Body(SignIn { name, password, code }): Body<SignIn>,
) -> Result<impl IntoResponse> {
    // The same words whatever is wrong, so that nobody learns which names exist.
    let refused = || Problem::new(StatusCode::UNAUTHORIZED, "sign_in_refused", "name or password is wrong");
    if name.chars().count() > 64 || password.len() > 1024 || code.as_ref().is_some_and(|c| c.len() > 64) {
        return Err(refused());
    }
    if let Err(wait) = app.throttle.begin(&name, address, Instant::now()) {
        app.metrics.sign_in_refused();
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_failures",
            "too many failed sign-ins; wait a while",
        )
        .retry_after(wait));
    }
    let user = app.services.store.user_by_name(&name).await?;
    let kept = user.as_ref().map(|u| u.password_hash.clone());
    let fits = app.hasher.verify(Secret::new(password), kept).await?;
    let now = Wall::read();
    let welcome = user.as_ref().filter(|u| fits && u.active && u.expires.is_none_or(|end| now < end));
    let Some(user) = welcome else {
        app.metrics.sign_in_refused();
        app.audit(Deed::by(user.as_ref(), address, Action::SignIn).failed()).await?;
        return Err(refused());
    };
    let factor = app.services.store.second_factor(user.id).await?;
    if let Some(factor) = &factor {
        let Some(code) = code else {
            app.throttle.half_way(address);
            // Whoever stops here knows the password: that is on record.
            app.audit(Deed::by(Some(user), address, Action::SignIn).failed().detail("no one-time code was given"))
                .await?;
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "second_factor_required",
                "the password is right; the one-time code is needed, too",
            ));
        };
        if !second_factor::passes(&app, user, factor, &code).await? {
            app.metrics.sign_in_refused();
            app.audit(Deed::by(Some(user), address, Action::SignIn).failed().detail("the one-time code was wrong"))
                .await?;
            return Err(refused());
        }
    }
    app.throttle.succeeded(&name, address);
    app.audit(Deed::by(Some(user), address, Action::SignIn)).await?;
    // A browser that was signed in gets a new token; the old one is worth nothing from here on.
    if let Some(old) = token_of(&headers).and_then(hash) {
        app.grants.forget(&old);
        app.sessions.end(&old).await?;
    }
    let cookie = new_cookie(&app, user, address.to_string(), &headers).await?;
    Ok((cookie, Json(SessionView::of(&app, user, factor.is_some()))))
}

/// Who is signed in
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = SessionView)))]
pub(crate) async fn whoami(State(app): State<App>, caller: Caller) -> Json<SessionView> {
    Json(SessionView::of(&app, &caller.user, caller.enrolled))
}

/// Sign out; open event streams end at once
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub(crate) async fn sign_out(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse> {
    app.grants.forget(&caller.token);
    app.sessions.end(&caller.token).await?;
    app.audit(Deed::of(&caller, Action::SignOut)).await?;
    let gone = cookie(None, app.services.config.https, app.services.config.session_longest);
    // Pictures that the browser kept are not for whoever sits down next.
    Ok((AppendHeaders([(header::SET_COOKIE, gone)]), [("clear-site-data", "\"cache\"")], done()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    old: String,
    /// 12 characters or more.
    new: String,
}

/// Change one's own password; all other sessions of the user end
#[utoipa::path(post, path = "/api/v1/session/password", tag = "session", request_body = PasswordChange,
    responses((status = 204), (status = 400, description = "codes old_password_wrong, weak_password"), (status = 429)))]
pub(crate) async fn change_password(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(PasswordChange { old, new }): Body<PasswordChange>,
) -> Result<impl IntoResponse> {
    let name = caller.user.name.clone();
    // Whoever finds an unlocked screen must not guess here either.
    if let Err(wait) = app.throttle.begin(&name, caller.address, Instant::now()) {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_failures",
            "too many wrong passwords; wait a while",
        )
        .retry_after(wait));
    }
    let _order = app.administration.lock().await;
    let user = app.services.store.user(caller.user.id).await?.ok_or_else(Problem::unauthenticated)?;
    if !app.hasher.verify(Secret::new(old.clone()), Some(user.password_hash.clone())).await? {
        app.audit(Deed::of(&caller, Action::PasswordChanged).failed().detail("the old password was wrong")).await?;
        return Err(Problem::new(StatusCode::BAD_REQUEST, "old_password_wrong", "the old password is wrong"));
    }
    app.throttle.succeeded(&name, caller.address);
    password::check_rules(&new, &name, &old, app.services.config.breached.as_deref())?;
    let password_hash = app.hasher.hash(Secret::new(new)).await?;
    let seen = user.clone();
    let user = User { password_hash, must_change_password: false, ..user };
    app.audit(Deed::of(&caller, Action::PasswordChanged)).await?;
    // Ends every session of the user in the store.
    app.services.store.update_user(&user, &seen).await?;
    app.grants.forget(&caller.token);
    app.sessions.forget_user(user.id);
    let cookie = new_cookie(&app, &user, caller.address.to_string(), &headers).await?;
    Ok((cookie, done()))
}

/// Begins a session and puts its token into the answer's cookie.
async fn new_cookie(
    app: &App,
    user: &User,
    address: String,
    headers: &HeaderMap,
) -> Result<AppendHeaders<[(HeaderName, String); 1]>> {
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let token = app.sessions.begin(user.id, address, agent).await?;
    let config = &app.services.config;
    Ok(AppendHeaders([(header::SET_COOKIE, cookie(Some(&token), config.https, config.session_longest))]))
}
