//! The second factor of one's own account: a one-time password by time beside the password.

use crate::{
    app::{App, done},
    audit::{Action, Deed},
    caller::Caller,
    problem::{Body, Path, Problem, Result},
    totp,
};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use fleet::{Secret, Wall};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use store::{Proof, SecondFactor, User, UserId};
use utoipa::ToSchema;

/// Whether one has a second factor, and must.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub(crate) struct FactorView {
    /// Since when it is asked for; null if it is not.
    since: Option<i64>,
    /// Recovery codes not used yet.
    recovery_left: usize,
    /// One's role must have it.
    required: bool,
}

/// One's own second factor
#[utoipa::path(get, path = "/api/v1/session/second-factor", tag = "session",
    responses((status = 200, body = FactorView)))]
pub(crate) async fn state(State(app): State<App>, caller: Caller) -> Result<Json<FactorView>> {
    let factor = app.services.store.second_factor(caller.user.id).await?;
    Ok(Json(FactorView {
        since: factor.as_ref().map(|f| f.since.0),
        recovery_left: factor.map_or(0, |f| f.recovery.len()),
        required: app.needs_second_factor(&caller.user),
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Password {
    /// One's password once more: an unlocked screen is not enough.
    password: String,
}

/// What the authenticator app needs; shown only here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Enrolment {
    /// The shared secret, to be typed where no camera is.
    secret: String,
    /// The same, for apps: `otpauth://`, shown as a QR code.
    address: String,
}

/// Begin to set a second factor up; it counts only once its first password was given
#[utoipa::path(post, path = "/api/v1/session/second-factor", tag = "session", request_body = Password,
    responses((status = 200, body = Enrolment), (status = 400, description = "code old_password_wrong"),
        (status = 409, description = "there is one already; take it away first"), (status = 429)))]
pub(crate) async fn begin(
    State(app): State<App>,
    caller: Caller,
    Body(Password { password }): Body<Password>,
) -> Result<Json<Enrolment>> {
    confirm(&app, &caller, password).await?;
    if app.services.store.second_factor(caller.user.id).await?.is_some() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "there is a second factor already; take it away first",
        ));
    }
    let secret = totp::new_secret()
        .ok_or_else(|| Problem::internal("no secret could be made", "the system gives no randomness"))?;
    let address = totp::address(&secret, &caller.user.name);
    app.enrolments.begin(caller.token, secret.clone(), Instant::now());
    Ok(Json(Enrolment { secret: secret.expose().to_owned(), address }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstCode {
    /// The six digits the app shows.
    code: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Recovery {
    /// For the day the phone is lost; each may be used once. Shown only here.
    codes: Vec<String>,
}

/// Finish setting it up with the app's first password
#[utoipa::path(put, path = "/api/v1/session/second-factor", tag = "session", request_body = FirstCode,
    responses((status = 200, body = Recovery), (status = 400, description = "code code_wrong"),
        (status = 409, description = "begin first")))]
pub(crate) async fn finish(
    State(app): State<App>,
    caller: Caller,
    Body(FirstCode { code }): Body<FirstCode>,
) -> Result<Json<Recovery>> {
    let secret = app.enrolments.secret(&caller.token, Instant::now()).ok_or_else(|| {
        Problem::new(StatusCode::CONFLICT, "conflict", "this took too long or was not begun; begin anew")
    })?;
    let now = Wall::read();
    let Some(step) = totp::matching_step(&secret, code.trim(), now) else {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "code_wrong",
            "this is not what the app should show now; compare the phone's clock",
        ));
    };
    let codes = totp::recovery_codes();
    let factor = SecondFactor {
        secret,
        since: now,
        used_step: step,
        recovery: codes.iter().filter_map(|c| totp::recovery_hash(c.expose())).collect(),
    };
    app.audit(Deed::of(&caller, Action::SecondFactorSet)).await?;
    app.services.store.set_second_factor(caller.user.id, Some(&factor)).await?;
    app.enrolments.forget(&caller.token);
    app.sessions.forget_user(caller.user.id);
    Ok(Json(Recovery { codes: codes.iter().map(|c| c.expose().to_owned()).collect() }))
}

/// Take one's second factor away, unless one's role must have it
#[utoipa::path(post, path = "/api/v1/session/second-factor/removal", tag = "session", request_body = Password,
    responses((status = 204), (status = 400, description = "code old_password_wrong"),
        (status = 409, description = "the role must have one"), (status = 429)))]
pub(crate) async fn remove(
    State(app): State<App>,
    caller: Caller,
    Body(Password { password }): Body<Password>,
) -> Result<impl IntoResponse> {
    confirm(&app, &caller, password).await?;
    if app.needs_second_factor(&caller.user) {
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", "your role must have a second factor"));
    }
    app.audit(Deed::of(&caller, Action::SecondFactorTakenAway).on(caller.user.id.0)).await?;
    app.services.store.set_second_factor(caller.user.id, None).await?;
    app.sessions.forget_user(caller.user.id);
    Ok(done())
}

/// Take a user's second factor away: his phone is lost, and his recovery codes too
#[utoipa::path(delete, path = "/api/v1/users/{id}/second-factor", tag = "users", params(("id" = u32, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn remove_of_user(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
) -> Result<impl IntoResponse> {
    let user = app.services.store.user(UserId(id)).await?.ok_or_else(Problem::not_found)?;
    app.audit(Deed::of(&caller, Action::SecondFactorTakenAway).on(id).detail(user.name)).await?;
    app.services.store.set_second_factor(user.id, None).await?;
    app.sessions.forget_user(user.id);
    Ok(done())
}

/// The caller's password once more, throttled like a sign-in.
async fn confirm(app: &App, caller: &Caller, password: String) -> Result<()> {
    if let Err(wait) = app.throttle.begin(&caller.user.name, caller.address, Instant::now()) {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_failures",
            "too many wrong passwords; wait a while",
        )
        .retry_after(wait));
    }
    let user = app.services.store.user(caller.user.id).await?.ok_or_else(Problem::unauthenticated)?;
    if !app.hasher.verify(Secret::new(password), Some(user.password_hash)).await? {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "old_password_wrong", "the password is wrong"));
    }
    app.throttle.succeeded(&caller.user.name, caller.address);
    Ok(())
}

/// Whether what somebody shows at sign-in is his second factor, used up from now on.
pub(crate) async fn passes(app: &App, user: &User, factor: &SecondFactor, code: &str) -> Result<bool> {
    let proof = match totp::matching_step(&factor.secret, code.trim(), Wall::read()) {
        Some(step) => Some(Proof::Step(step)),
        None => totp::recovery_hash(code).map(Proof::Recovery),
    };
    match proof {
        Some(proof) => Ok(app.services.store.spend(user.id, proof).await?),
        None => Ok(false),
    }
}
