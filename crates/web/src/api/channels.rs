//! Channels of notification: listed without their secrets, added, changed, tried out; the log of deliveries.

use crate::{
    api::{limit, mailings},
    app::{App, done},
    audit::{Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    validator,
    views::Paged,
    words::SeverityWord,
};
use axum::{Json, extract::State, http::HeaderMap, response::IntoResponse};
use fleet::{Secret, SiteId, TownId, Wall};
use health::desk::{Assignee, ChannelId, Route};
use notify::{Envelope, Language, Letter, Unreached};
use serde::{Deserialize, Serialize};
use store::{Channel, Delivery};
use utoipa::{IntoParams, ToSchema};

/// Of what a channel is told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RouteView {
    /// Only incidents at least so urgent.
    least: SeverityWord,
    /// Only of these towns and sites; of everywhere if both are empty.
    towns: Vec<u32>,
    sites: Vec<u32>,
    /// Faults of our own machine too.
    own: bool,
    /// What is over within so many seconds is not told.
    settle_s: u32,
    /// Minutes of the county's day from and until which it is told; what is not critical waits. Null: always.
    #[schema(value_type = Option<Vec<u16>>)]
    hours: Option<(u16, u16)>,
    /// Collected and told at most once in so many minutes; 0: each at once.
    digest_minutes: u32,
    /// At most so many messages an hour; the last quarter is kept for what is critical.
    per_hour: u32,
    /// Told too when it is over.
    resolved: bool,
    /// Told of work orders when they are given to somebody.
    #[serde(default)]
    #[schema(required = true)]
    orders: bool,
    /// Only of those given to these technicians and contractors; of all if none is named.
    #[serde(default)]
    #[schema(required = true)]
    technicians: Vec<u32>,
    #[serde(default)]
    #[schema(required = true)]
    contractors: Vec<String>,
}

impl From<&Route> for RouteView {
    fn from(r: &Route) -> RouteView {
        RouteView {
            least: r.least.into(),
            towns: r.towns.iter().map(|t| t.0).collect(),
            sites: r.sites.iter().map(|s| s.0).collect(),
            own: r.own,
            settle_s: r.settle_s,
            hours: r.hours,
            digest_minutes: r.digest_minutes,
            per_hour: r.per_hour,
            resolved: r.resolved,
            orders: r.orders,
            technicians: r
                .assignees
                .iter()
                .filter_map(|a| match a {
                    Assignee::Technician(user) => Some(*user),
                    Assignee::Contractor(_) => None,
                })
                .collect(),
            contractors: r
                .assignees
                .iter()
                .filter_map(|a| match a {
                    Assignee::Contractor(unit) => Some(unit.clone()),
                    Assignee::Technician(_) => None,
                })
                .collect(),
        }
    }
}

impl RouteView {
    fn route(self, app: &App) -> Result<Route> {
        let registry = app.services.registry.load();
        if self.towns.len() + self.sites.len() > 1000 {
            return Err(Problem::invalid("towns, sites: at most 1000 together"));
        }
        if self.technicians.len() + self.contractors.len() > 100
            || self.contractors.iter().any(|c| c.chars().count() > 200)
        {
            return Err(Problem::invalid("technicians, contractors: at most 100 together"));
        }
        let technicians = self.technicians.into_iter().map(Assignee::Technician);
        let contractors = self.contractors.into_iter().map(Assignee::Contractor);
        let route = Route {
            least: self.least.0,
            towns: self.towns.into_iter().map(TownId).collect(),
            sites: self.sites.into_iter().map(SiteId).collect(),
            own: self.own,
            settle_s: self.settle_s,
            hours: self.hours,
            digest_minutes: self.digest_minutes,
            per_hour: self.per_hour,
            resolved: self.resolved,
            orders: self.orders,
            assignees: technicians.chain(contractors).collect(),
        };
        let known = route.towns.iter().all(|t| registry.town(*t).is_some())
            && route.sites.iter().all(|s| registry.site(*s).is_some());
        match route.fault() {
            Some(fault) => Err(Problem::invalid(fault)),
            None if known => Ok(route),
            None => Err(Problem::invalid("towns, sites: expected those of the register")),
        }
    }
}

/// A channel. Addresses beyond the server's name, tokens and passwords never leave the service.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelView {
    id: u32,
    name: String,
    /// webhook, email, dingtalk, wecom, feishu or alertmanager.
    kind: String,
    enabled: bool,
    language: String,
    route: RouteView,
    /// What may be shown of its target.
    shown: String,
}

impl From<&Channel> for ChannelView {
    fn from(c: &Channel) -> ChannelView {
        let language = Envelope::open(c.target.expose()).map(|e| e.language).unwrap_or_default();
        ChannelView {
            id: c.id.0,
            name: c.name.clone(),
            kind: c.kind.clone(),
            enabled: c.enabled,
            language: crate::words::code(&language),
            route: RouteView::from(&c.route),
            shown: c.shown.clone(),
        }
    }
}

/// Every channel
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels", params(Rows),
    responses((status = 200, body = Paged<ChannelView>), (status = 400)))]
pub(crate) async fn list(
    State(app): State<App>,
    _: Caller,
    Query(rows): Query<Rows>,
) -> Result<Json<Paged<ChannelView>>> {
    let channels = app.services.store.channels().await?;
    Ok(Json(page(channels.iter().map(ChannelView::from).collect(), &rows, |c| c.id)?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChannelInput {
    name: String,
    enabled: bool,
    /// zh-CN or en.
    #[schema(value_type = String)]
    language: Language,
    route: RouteView,
    /// Where messages go: `kind` and what belongs to it. Null when changing: as before.
    #[schema(value_type = Option<serde_json::Value>)]
    target: Option<serde_json::Value>,
}

impl ChannelInput {
    /// The channel as it is to be, with its target new or as before.
    fn channel(self, app: &App, before: Option<&Channel>) -> Result<Channel> {
        let name = self.name.trim().to_owned();
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
            return Err(Problem::invalid("name: expected 1 to 60 characters on one line"));
        }
        let target = match (self.target, before) {
            // What is wrong with it is told in general: the value itself may be a secret.
            (Some(given), _) => serde_json::from_value(given).map_err(|_| {
                Problem::invalid("target: expected the kind (webhook, email, dingtalk, wecom, feishu, alertmanager) and its settings")
            })?,
            (None, Some(before)) => opened(before)?.target,
            (None, None) => return Err(Problem::invalid("target: expected where messages go")),
        };
        let envelope = Envelope { language: self.language, target };
        if let Some(fault) = envelope.target.fault() {
            return Err(Problem::invalid(fault));
        }
        Ok(Channel {
            id: before.map_or(ChannelId(0), |b| b.id),
            name,
            kind: envelope.target.kind().to_owned(),
            enabled: self.enabled,
            route: self.route.route(app)?,
            shown: envelope.target.shown(),
            target: Secret::new(envelope.seal()),
        })
    }
}

fn opened(channel: &Channel) -> Result<Envelope> {
    Envelope::open(channel.target.expose()).ok_or_else(|| Problem::internal("a channel cannot be read", channel.id))
}

async fn find(app: &App, id: u32) -> Result<Channel> {
    let channels = app.services.store.channels().await?;
    channels.into_iter().find(|c| c.id == ChannelId(id)).ok_or_else(Problem::not_found)
}

/// Add a channel
#[utoipa::path(post, path = "/api/v1/channels", tag = "channels", request_body = ChannelInput,
    responses((status = 200, body = ChannelView), (status = 400)))]
pub(crate) async fn add(
    State(app): State<App>,
    caller: Caller,
    Body(input): Body<ChannelInput>,
) -> Result<Json<ChannelView>> {
    let channel = input.channel(&app, None)?;
    let _order = app.administration.lock().await;
    let detail = format!("{} {} {}", channel.kind, channel.name, channel.shown);
    app.audit(Deed::of(&caller, Action::ChannelAdded).detail(detail)).await?;
    let made = app.services.store.add_channel(channel).await?;
    Ok(Json(ChannelView::from(&made)))
}

/// One channel, to be changed
#[utoipa::path(get, path = "/api/v1/channels/{id}", tag = "channels", params(("id" = u32, Path)),
    responses((status = 200, body = ChannelView), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, _: Caller, Path(id): Path<u32>) -> Result<Json<ChannelView>> {
    Ok(Json(ChannelView::from(&find(&app, id).await?)))
}

/// Change a channel; without a target it stays what it was
#[utoipa::path(put, path = "/api/v1/channels/{id}", tag = "channels",
    params(("id" = u32, Path), ("If-Match" = Option<String>, Header, description = "ETag of the record as it was looked at; with another the change is refused")),
    request_body = ChannelInput, responses((status = 200, body = ChannelView), (status = 400), (status = 404),
        (status = 412, description = "code changed_meanwhile")))]
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    headers: HeaderMap,
    Body(input): Body<ChannelInput>,
) -> Result<Json<ChannelView>> {
    let _order = app.administration.lock().await;
    let before = find(&app, id).await?;
    let after = input.channel(&app, Some(&before))?;
    validator::unchanged(&headers, &ChannelView::from(&before))?;
    let target = if after.target == before.target { "" } else { ", target changed" };
    let detail = format!("{} {}, enabled {}{target}", after.kind, after.name, after.enabled);
    app.audit(Deed::of(&caller, Action::ChannelChanged).on(after.id).detail(detail)).await?;
    app.services.store.update_channel(&after, &before).await?;
    Ok(Json(ChannelView::from(&after)))
}

/// Remove a channel and what waits for it
#[utoipa::path(delete, path = "/api/v1/channels/{id}", tag = "channels", params(("id" = u32, Path)),
    responses((status = 204), (status = 404),
        (status = 409, description = "code mails_reports: reports go out through it")))]
pub(crate) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<impl IntoResponse> {
    let _order = app.administration.lock().await;
    let channel = find(&app, id).await?;
    mailings::not_needed(&app, channel.id).await?;
    app.audit(Deed::of(&caller, Action::ChannelRemoved).on(channel.id).detail(channel.name)).await?;
    app.services.store.remove_channel(channel.id).await?;
    Ok(done())
}

/// How a try-out went.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryTrial)]
pub(crate) struct Trial {
    /// Everybody has it.
    delivered: bool,
    /// Why not, or who has not.
    error: Option<String>,
}

impl Trial {
    pub(crate) fn of(tried: std::result::Result<Vec<Unreached>, String>) -> Trial {
        let error = match tried {
            Ok(unreached) => (!unreached.is_empty()).then(|| Unreached::told(&unreached)),
            Err(why) => Some(why),
        };
        Trial { delivered: error.is_none(), error }
    }
}

/// Send a try-out through a channel now
#[utoipa::path(post, path = "/api/v1/channels/{id}/test", tag = "channels", params(("id" = u32, Path)),
    responses((status = 200, body = Trial), (status = 404)))]
pub(crate) async fn test(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<Trial>> {
    let channel = find(&app, id).await?;
    let envelope = opened(&channel)?;
    let letter = Letter::trial(app.services.courier.node(), envelope.language, Wall::read());
    let tried = app.services.courier.deliver(&envelope.target, &letter).await;
    let deed = Deed::of(&caller, Action::ChannelTested).on(channel.id).detail(channel.name);
    app.audit(if tried.is_ok() { deed } else { deed.failed() }).await?;
    Ok(Json(Trial::of(tried.map_err(|e| e.to_string()))))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this channel.
    channel: Option<u32>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// A message on its way, or at its end.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeliveryView {
    id: u64,
    channel: u32,
    at: i64,
    title: String,
    incidents: Vec<u64>,
    /// Work orders that it tells of.
    orders: Vec<u64>,
    /// waiting, trying, refused (aside, tried again now and then), delivered or failed.
    state: String,
    attempts: u32,
    /// When it is tried next, if it waits.
    next: Option<i64>,
    error: String,
    ended: Option<i64>,
}

impl From<Delivery> for DeliveryView {
    fn from(d: Delivery) -> DeliveryView {
        let letter: Option<Letter> = serde_json::from_str(&d.body).ok();
        DeliveryView {
            id: d.id,
            channel: d.channel.0,
            at: d.at.0,
            title: letter.as_ref().map(Letter::title).unwrap_or_default(),
            incidents: letter.iter().flat_map(|l| l.items.iter().map(|i| i.incident)).collect(),
            orders: letter.iter().flat_map(|l| l.orders.iter().map(|o| o.order)).collect(),
            state: d.state.code().to_owned(),
            attempts: d.attempts,
            next: d.ended.is_none().then_some(d.next.0),
            error: d.error,
            ended: d.ended.map(|t| t.0),
        }
    }
}

/// What was sent to whom, and what was not, newest first
#[utoipa::path(get, path = "/api/v1/channels/deliveries", tag = "channels", params(Filter),
    responses((status = 200, body = Paged<DeliveryView>)))]
pub(crate) async fn deliveries(
    State(app): State<App>,
    _: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Paged<DeliveryView>>> {
    let channel = filter.channel.map(ChannelId);
    let page = app.services.store.deliveries(channel, limit(filter.limit)?, filter.cursor.as_deref()).await?;
    Ok(Json(Paged::from(page).map(Into::into)))
}
