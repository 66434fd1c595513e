//! Tokens of machines: listing, making, revoking.

use crate::{
    api::users::{sites, towns},
    app::{App, done},
    audit::{Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    tokens,
    views::Paged,
    words::RoleWord,
};
use axum::{Json, extract::State, response::IntoResponse};
use fleet::Wall;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use store::{MachineToken, Role, TokenId};
use utoipa::ToSchema;

/// Longest life of a token: two years.
const LONGEST_MS: i64 = 731 * 24 * 3600 * 1000;

/// A machine's token. Neither it nor its hash ever leaves the service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub(crate) struct TokenView {
    id: u32,
    name: String,
    role: RoleWord,
    /// Only cameras of these towns and sites; all if both lists are empty.
    towns: Vec<u32>,
    sites: Vec<u32>,
    /// Who made it.
    maker: String,
    created: i64,
    expires: i64,
    /// When it was last used, to some minutes.
    used: Option<i64>,
    revoked: Option<i64>,
}

impl From<&MachineToken> for TokenView {
    fn from(t: &MachineToken) -> TokenView {
        TokenView {
            id: t.id.0,
            name: t.token.name.clone(),
            role: t.token.role.into(),
            towns: t.token.towns.iter().map(|t| t.0).collect(),
            sites: t.token.sites.iter().map(|s| s.0).collect(),
            maker: t.token.maker.clone(),
            created: t.token.created.0,
            expires: t.token.expires.0,
            used: t.used.map(|w| w.0),
            revoked: t.revoked.map(|w| w.0),
        }
    }
}

/// Every token, ended ones too, newest first
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Rows),
    responses((status = 200, body = Paged<TokenView>), (status = 400)))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller,
    Query(rows): Query<Rows>,
) -> Result<Json<Paged<TokenView>>> {
    let tokens = app.services.store.tokens().await?;
    Ok(Json(page(tokens.iter().map(TokenView::from).collect(), &rows, |t| Reverse(t.id))?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for; 1 to 64 characters, never given again.
    name: String,
    /// Operator or auditor: machines neither administer nor repair.
    role: RoleWord,
    #[serde(default)]
    towns: Vec<u32>,
    #[serde(default)]
    sites: Vec<u32>,
    /// At most two years from now.
    expires: i64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    token: TokenView,
    /// To be sent as `Authorization: Bearer`; shown only here.
    secret: String,
}

/// Make a token
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 200, body = MadeToken), (status = 400), (status = 409, description = "the name was given before")))]
pub(crate) async fn add(State(app): State<App>, caller: Caller, Body(new): Body<NewToken>) -> Result<Json<MadeToken>> {
    let name = new.name.trim();
    if name.is_empty() || name.chars().count() > 64 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name: expected 1 to 64 characters on one line"));
    }
    if !matches!(new.role.0, Role::Operator | Role::Auditor) {
        return Err(Problem::invalid(
            "role: a token is for operator or auditor; machines neither administer nor repair",
        ));
    }
    let now = Wall::read();
    if new.expires <= now.0 || new.expires > now.0 + LONGEST_MS {
        return Err(Problem::invalid("expires: expected a time within the next two years"));
    }
    let (towns, sites) = (towns(&app, new.towns)?, sites(&app, new.sites)?);
    if towns.len() + sites.len() > 1000 {
        return Err(Problem::invalid("towns, sites: at most 1000 together"));
    }
    let (secret, hash) =
        tokens::new().ok_or_else(|| Problem::internal("no token could be made", "the system gives no randomness"))?;
    let token = store::NewToken {
        hash,
        name: name.to_owned(),
        role: new.role.0,
        towns,
        sites,
        maker: caller.user.name.clone(),
        created: now,
        expires: Wall(new.expires),
    };
    let detail = format!("{} {}", token.name, token.role.code());
    let made = app.services.store.add_token(token).await?;
    app.audit(Deed::of(&caller, Action::TokenMade).on(made.id.0).detail(detail)).await?;
    Ok(Json(MadeToken { token: TokenView::from(&made), secret: secret.expose().to_owned() }))
}

/// Revoke a token, at once
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = u32, Path)),
    responses((status = 204), (status = 404)))]
pub(crate) async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<impl IntoResponse> {
    app.services.store.revoke_token(TokenId(id), Wall::read()).await?;
    app.sessions.announce();
    app.audit(Deed::of(&caller, Action::TokenRevoked).on(id)).await?;
    Ok(done())
}
