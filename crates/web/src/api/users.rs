//! Accounts: listing, adding, changing, giving one-time passwords.

use crate::{
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    users::{self, AccountError, Duties, Person},
    validator,
    views::Paged,
    words::RoleWord,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use fleet::{SiteId, TownId, Wall};
use serde::{Deserialize, Deserializer, Serialize};
use store::{User, UserId};
use utoipa::ToSchema;

/// A user. Password hashes never leave the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserView {
    id: u32,
    name: String,
    full_name: String,
    unit: String,
    role: RoleWord,
    /// Only cameras of these towns and sites; all if both lists are empty.
    towns: Vec<u32>,
    sites: Vec<u32>,
    active: bool,
    expires: Option<i64>,
    must_change_password: bool,
    /// He must show a one-time code, too.
    second_factor: bool,
    created: i64,
}

impl UserView {
    pub(crate) fn of(u: &User, second_factor: bool) -> UserView {
        UserView {
            id: u.id.0,
            name: u.name.clone(),
            full_name: u.full_name.clone(),
            unit: u.unit.clone(),
            role: u.role.into(),
            towns: u.towns.iter().map(|t| t.0).collect(),
            sites: u.sites.iter().map(|s| s.0).collect(),
            active: u.active,
            expires: u.expires.map(|t| t.0),
            must_change_password: u.must_change_password,
            second_factor,
            created: u.created.0,
        }
    }
}

/// Every user, by name
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(Rows),
    responses((status = 200, body = Paged<UserView>), (status = 400)))]
pub(crate) async fn list(State(app): State<App>, _: Caller, Query(rows): Query<Rows>) -> Result<Json<Paged<UserView>>> {
    let users = app.services.store.users().await?;
    let enrolled = app.services.store.second_factors().await?;
    let users = users.iter().map(|u| UserView::of(u, enrolled.contains(&u.id))).collect();
    Ok(Json(page(users, &rows, |u| (u.name.to_lowercase(), u.id))?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    name: String,
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    unit: String,
    role: RoleWord,
    #[serde(default)]
    towns: Vec<u32>,
    #[serde(default)]
    sites: Vec<u32>,
    #[serde(default)]
    expires: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Added {
    user: UserView,
    /// To be used once; shown only here.
    password: String,
}

/// Add a user
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser,
    responses((status = 200, body = Added), (status = 400), (status = 409, description = "the name is taken")))]
pub(crate) async fn add(State(app): State<App>, caller: Caller, Body(new): Body<NewUser>) -> Result<Json<Added>> {
    let _order = app.administration.lock().await;
    let person = Person {
        name: new.name,
        full_name: new.full_name,
        unit: new.unit,
        role: new.role.0,
        towns: towns(&app, new.towns)?,
        sites: sites(&app, new.sites)?,
        expires: new.expires.map(Wall),
    };
    let detail = format!("{} {}", person.name, person.role.code());
    let (user, first) = users::add_person(app.services.store.as_ref(), person).await?;
    app.audit(Deed::of(&caller, Action::UserAdded).on(user.id.0).detail(detail)).await?;
    Ok(Json(Added { user: UserView::of(&user, false), password: first.password.expose().to_owned() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    full_name: Option<String>,
    unit: Option<String>,
    role: Option<RoleWord>,
    towns: Option<Vec<u32>>,
    sites: Option<Vec<u32>>,
    /// Null: no end.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    expires: Option<Option<i64>>,
    active: Option<bool>,
}

/// A field that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// One user, to be changed
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = u32, Path)),
    responses((status = 200, body = UserView), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, _: Caller, Path(id): Path<u32>) -> Result<Json<UserView>> {
    let user = app.services.store.user(UserId(id)).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(view(&app, &user).await?))
}

async fn view(app: &App, user: &User) -> Result<UserView> {
    Ok(UserView::of(user, app.services.store.second_factor(user.id).await?.is_some()))
}

/// Change a user; fields left out stay. His sessions end if role or activity changed
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users",
    params(("id" = u32, Path), ("If-Match" = Option<String>, Header, description = "ETag of the record as it was looked at; with another the change is refused")),
    request_body = UserChange, responses((status = 200, body = UserView), (status = 400), (status = 404),
        (status = 409, description = "code last_administrator"),
        (status = 412, description = "code changed_meanwhile")))]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    headers: HeaderMap,
    Body(change): Body<UserChange>,
) -> Result<Json<UserView>> {
    let _order = app.administration.lock().await;
    let before = app.services.store.user(UserId(id)).await?.ok_or_else(Problem::not_found)?;
    let mut after = before.clone();
    if let Some(text) = change.full_name {
        after.full_name = text;
    }
    if let Some(text) = change.unit {
        after.unit = text;
    }
    if let Some(role) = change.role {
        after.role = role.0;
    }
    if let Some(ids) = change.towns {
        after.towns = towns(&app, ids)?;
    }
    if let Some(ids) = change.sites {
        after.sites = sites(&app, ids)?;
    }
    if let Some(expires) = change.expires {
        after.expires = expires.map(Wall);
    }
    if let Some(active) = change.active {
        after.active = active;
    }
    validator::unchanged(&headers, &view(&app, &before).await?)?;
    let duties = app.services.config.duties;
    let own = (after.role != before.role || after.towns != before.towns || after.sites != before.sites)
        && before.id == caller.user.id;
    if own && duties == Duties::Apart {
        return Err(Problem::new(StatusCode::CONFLICT, "own_account", "nobody changes his own role or scope"));
    }
    users::change(app.services.store.as_ref(), &before, &after, duties).await?;
    app.sessions.forget_user(after.id);
    let detail = format!(
        "{}: {} → {}, active {} → {}, {} towns, {} sites",
        after.name,
        before.role.code(),
        after.role.code(),
        before.active,
        after.active,
        after.towns.len(),
        after.sites.len()
    );
    app.audit(Deed::of(&caller, Action::UserChanged).on(id).detail(detail)).await?;
    Ok(Json(view(&app, &after).await?))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OneTime {
    /// To be used once; shown only here.
    password: String,
}

/// Give a user a one-time password; his sessions end
#[utoipa::path(post, path = "/api/v1/users/{id}/password", tag = "users", params(("id" = u32, Path)),
    responses((status = 200, body = OneTime), (status = 404)))]
pub(crate) async fn reset_password(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
) -> Result<Json<OneTime>> {
    let _order = app.administration.lock().await;
    let user = app.services.store.user(UserId(id)).await?.ok_or_else(Problem::not_found)?;
    let name = user.name.clone();
    let first = users::reset(app.services.store.as_ref(), user).await?;
    app.sessions.forget_user(UserId(id));
    app.audit(Deed::of(&caller, Action::PasswordReset).on(id).detail(name)).await?;
    Ok(Json(OneTime { password: first.password.expose().to_owned() }))
}

pub(crate) fn towns(app: &App, ids: Vec<u32>) -> Result<Vec<TownId>> {
    let registry = app.services.registry.load();
    let ids: Vec<TownId> = ids.into_iter().map(TownId).collect();
    match ids.iter().find(|id| registry.town(**id).is_none()) {
        Some(id) => Err(Problem::invalid(format!("towns: there is no town {}", id.0))),
        None => Ok(ids),
    }
}

pub(crate) fn sites(app: &App, ids: Vec<u32>) -> Result<Vec<SiteId>> {
    let registry = app.services.registry.load();
    let ids: Vec<SiteId> = ids.into_iter().map(SiteId).collect();
    match ids.iter().find(|id| registry.site(**id).is_none()) {
        Some(id) => Err(Problem::invalid(format!("sites: there is no site {}", id.0))),
        None => Ok(ids),
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Problem {
        match error {
            AccountError::Invalid(what) => Problem::invalid(what),
            AccountError::Missing(_) => Problem::not_found(),
            AccountError::LastAdministrator => {
                Problem::new(StatusCode::CONFLICT, "last_administrator", error.to_string())
            }
            AccountError::Hash(why) => Problem::internal("a password could not be hashed", why),
            AccountError::Store(error) => error.into(),
        }
    }
}
