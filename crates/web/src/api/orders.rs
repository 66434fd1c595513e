//! Work orders: listed, opened, shown. What may be done when is decided by [`health::desk`]; here is decided who the
//! caller is to an order, and whether it exists for him.

use crate::{
    api::{limit, note},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    paging::{Rows, page},
    problem::{Body, Path, Problem, Query, Result},
    views::{IncidentView, Paged, is_of_picture},
    words::{HoldReasonWord, LikelyWord, OrderOutcomeWord, OrderStateWord, PictureKindWord, SeverityWord},
};
use axum::{Json, extract::State, http::StatusCode};
use fleet::{CameraId, Cause, Registry, TownId, Wall};
use health::{
    Incident, IncidentId,
    desk::{self, Act, Actor, Assignee, NewOrder, Order, OrderFault, OrderId, OrderState},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use store::{OrderPicture, OrderQuery, Role, Store, StoreError, User};
use utoipa::{IntoParams, ToSchema};

/// Pages of the store looked through for one page of a user with a narrow scope, and for figures.
pub(super) const PAGES: usize = 20;

/// Who is to do it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AssigneeView {
    /// technician or contractor.
    kind: &'static str,
    /// The technician's number.
    user: Option<u32>,
    /// His name, or the contractor's.
    name: String,
}

/// While it waits.
#[derive(Debug, Serialize, ToSchema)]
struct OrderHoldView {
    reason: HoldReasonWord,
    since: i64,
    until: i64,
    /// A third party is to blame and somebody approved it: the repair clock stands still.
    approved_by: Option<String>,
    third_party: bool,
}

impl From<&desk::Hold> for OrderHoldView {
    fn from(hold: &desk::Hold) -> OrderHoldView {
        OrderHoldView {
            reason: hold.reason.into(),
            since: hold.since.0,
            until: hold.until.0,
            approved_by: hold.approved_by.clone(),
            third_party: hold.reason.third_party(),
        }
    }
}

/// What the technician found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConfirmedView {
    suggested: LikelyWord,
    found: LikelyWord,
    note: String,
    by: String,
    at: i64,
}

impl From<&desk::Confirmed> for ConfirmedView {
    fn from(c: &desk::Confirmed) -> ConfirmedView {
        ConfirmedView {
            suggested: c.suggested.into(),
            found: c.found.into(),
            note: c.note.clone(),
            by: c.by.clone(),
            at: c.at.0,
        }
    }
}

/// A fresh climb of one camera's ladder.
#[derive(Debug, Serialize, ToSchema)]
struct VerificationView {
    camera: u32,
    at: i64,
    by: String,
    passed: bool,
    layer: Option<crate::words::LayerWord>,
    cause: Option<crate::words::CauseWord>,
    picture: Option<u64>,
}

/// One thing that happened to it.
#[derive(Debug, Serialize, ToSchema)]
struct OrderStepView {
    at: i64,
    by: String,
    /// A stable word such as `assign`.
    act: String,
    from: OrderStateWord,
    to: OrderStateWord,
    note: String,
}

/// A work order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderView {
    id: u64,
    /// To be sent with each act: whoever looked at an older one is refused.
    version: u32,
    incident: u64,
    cameras: Vec<u32>,
    town: Option<u32>,
    severity: SeverityWord,
    state: OrderStateWord,
    opened: i64,
    assignee: Option<AssigneeView>,
    assigned: Option<i64>,
    accepted: Option<i64>,
    response_due: Option<i64>,
    /// As approved holds have moved it on.
    repair_due: Option<i64>,
    overdue: bool,
    recovered: Option<i64>,
    /// From when on the repair may be accepted, as to the stable time.
    acceptable: Option<i64>,
    hold: Option<OrderHoldView>,
    /// Holds that ended, for which a third party may be to blame and nobody has approved it; the newest last.
    waited: Vec<OrderHoldView>,
    response_ms: Option<u64>,
    repair_ms: Option<u64>,
    closed: Option<i64>,
    outcome: Option<OrderOutcomeWord>,
    /// The order under which it is dealt with.
    parent: Option<u64>,
    /// The orders that are dealt with under this one.
    children: Vec<u64>,
    confirmed: Option<ConfirmedView>,
    /// Cameras whose ladders must be climbed before the repair is accepted.
    to_verify: Vec<u32>,
    verifications: Vec<VerificationView>,
    history: Vec<OrderStepView>,
    /// What the caller may do to it now, as to his part in it.
    mine: bool,
}

/// Names of technicians by number.
pub(crate) type Names = BTreeMap<u32, String>;

impl OrderView {
    pub(crate) fn of(app: &App, caller: &Caller, names: &Names, order: &Order) -> OrderView {
        let now = Wall::read();
        let registry = app.services.registry.load_full();
        let told = |camera: CameraId| sees_camera(caller, &registry, order, camera);
        let given = actor(caller, order) == Actor::Assigned;
        let millis = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
        OrderView {
            id: order.id.0,
            version: order.version,
            incident: order.incident.0,
            cameras: order.cameras.iter().filter(|c| told(**c)).map(|c| c.0).collect(),
            town: order.town.filter(|t| given || caller.scope.sees_town(&registry, *t)).map(|t| t.0),
            severity: order.severity.into(),
            state: order.state.into(),
            opened: order.opened.0,
            assignee: order.assignee.as_ref().map(|a| assignee_view(a, names)),
            assigned: order.assigned.map(|t| t.0),
            accepted: order.accepted.map(|t| t.0),
            response_due: order.response_due.map(|t| t.0),
            repair_due: order.due(now).map(|t| t.0),
            overdue: order.is_overdue(now),
            recovered: order.recovered.map(|t| t.0),
            acceptable: order.recovered.map(|t| (t + app.services.config.desk.stable).0),
            hold: order.hold.as_ref().map(Into::into),
            waited: order.waited.iter().map(Into::into).collect(),
            response_ms: order.response_time(now).map(millis),
            repair_ms: order.repair_time(now).map(millis),
            closed: order.closed.map(|t| t.0),
            outcome: order.outcome.map(Into::into),
            parent: order.parent.map(|p| p.0),
            children: order.children.iter().map(|c| c.0).collect(),
            confirmed: order.confirmed.as_ref().map(Into::into),
            to_verify: order.to_verify().iter().filter(|c| told(**c)).map(|c| c.0).collect(),
            verifications: order
                .verifications
                .iter()
                .filter(|v| told(v.camera))
                .map(|v| VerificationView {
                    camera: v.camera.0,
                    at: v.at.0,
                    by: v.by.clone(),
                    passed: v.layer.is_none() && v.cause.is_none(),
                    layer: v.layer.map(Into::into),
                    cause: v.cause.map(Into::into),
                    picture: v.picture,
                })
                .collect(),
            history: order
                .history
                .iter()
                .map(|s| OrderStepView {
                    at: s.at.0,
                    by: s.by.clone(),
                    act: s.act.clone(),
                    from: s.from.into(),
                    to: s.to.into(),
                    note: s.note.clone(),
                })
                .collect(),
            mine: given,
        }
    }
}

pub(super) fn assignee_view(assignee: &Assignee, names: &Names) -> AssigneeView {
    match assignee {
        Assignee::Technician(user) => {
            AssigneeView { kind: "technician", user: Some(*user), name: names.get(user).cloned().unwrap_or_default() }
        }
        Assignee::Contractor(unit) => AssigneeView { kind: "contractor", user: None, name: unit.clone() },
    }
}

/// Who the caller is to an order.
pub(crate) fn actor(caller: &Caller, order: &Order) -> Actor {
    match caller.user.role {
        Role::Operator | Role::Administrator => Actor::Desk,
        // An auditor reads, and no route that changes anything admits him; the other is admitted to none at all.
        Role::Auditor | Role::Security => Actor::Technician,
        Role::Technician => match &order.assignee {
            Some(assignee) if his(&caller.user).contains(assignee) => Actor::Assigned,
            _ => Actor::Technician,
        },
    }
}

/// As whom orders may be given to a technician: himself and his unit.
fn his(user: &User) -> Vec<Assignee> {
    let mut his = vec![Assignee::Technician(user.id.0)];
    if !user.unit.trim().is_empty() {
        his.push(Assignee::Contractor(user.unit.trim().to_owned()));
    }
    his
}

/// The cameras of the open orders given to a technician or his unit.
pub(crate) async fn given_to(store: &dyn Store, user: &User) -> std::result::Result<BTreeSet<CameraId>, StoreError> {
    let mut query = OrderQuery { open: Some(true), assignees: his(user), limit: 500, ..OrderQuery::default() };
    let mut given = BTreeSet::new();
    for _ in 0..PAGES {
        let page = store.orders(&query).await?;
        given.extend(page.items.into_iter().flat_map(|order| order.cameras));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    Ok(given)
}

/// Whether an order exists for the caller: given to him, or about a camera in his scope.
pub(super) fn sees(caller: &Caller, registry: &Registry, order: &Order) -> bool {
    if caller.user.role == Role::Technician {
        return actor(caller, order) == Actor::Assigned;
    }
    caller.scope.is_everything() || order.cameras.iter().any(|c| caller.scope.sees_camera(registry, *c))
}

/// Whether a camera of an order exists for the caller: whoever was given the order is told of all of them.
pub(super) fn sees_camera(caller: &Caller, registry: &Registry, order: &Order, camera: CameraId) -> bool {
    actor(caller, order) == Actor::Assigned
        || caller.scope.is_everything()
        || caller.scope.sees_camera(registry, camera)
}

/// The causes of which a caller is not told in words what they rest on: those found in pictures that he may not see, and
/// a likeness to a camera that may be outside his part of the county.
pub(crate) struct Hiding {
    /// Whose pictures a technician sees; nothing for others.
    given: Option<BTreeSet<CameraId>>,
    everything: bool,
}

impl Hiding {
    pub(crate) fn hides(&self, camera: CameraId, cause: Cause) -> bool {
        let watches = self.given.as_ref().is_none_or(|given| given.contains(&camera));
        is_of_picture(cause) && (!watches || cause == Cause::SamePicture && !self.everything)
    }
}

impl App {
    /// Refuses a technician the picture of a camera that is in no open order given to him or his unit.
    pub(crate) async fn watches(&self, caller: &Caller, camera: CameraId) -> Result<()> {
        if caller.user.role != Role::Technician {
            return Ok(());
        }
        if given_to(self.services.store.as_ref(), &caller.user).await?.contains(&camera) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_order",
            "a technician sees pictures only of cameras in the open work orders given to him",
        ))
    }

    /// What a caller is not told in words.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn hiding(&self, caller: &Caller) -> Result<Hiding> {
        let given = match caller.user.role {
            Role::Technician => Some(given_to(self.services.store.as_ref(), &caller.user).await?),
            _ => None,
        };
        Ok(Hiding { given, everything: caller.scope.is_everything() })
    }

    /// Names of those to whom orders may be given.
    pub(crate) async fn names(&self) -> Result<Names> {
        let users = self.services.store.users().await?;
        Ok(users.into_iter().map(|u| (u.id.0, if u.full_name.is_empty() { u.name } else { u.full_name })).collect())
    }

    /// An order, if it exists for the caller.
    pub(crate) async fn order(&self, caller: &Caller, id: u64) -> Result<Order> {
        let order = self.services.store.order(OrderId(id)).await?.ok_or_else(Problem::not_found)?;
        let registry = self.services.registry.load_full();
        if sees(caller, &registry, &order) { Ok(order) } else { Err(Problem::not_found()) }
    }

    /// Does something to an order and writes it down; tries again if ourselves was quicker.
    pub(crate) async fn act(&self, caller: &Caller, order: &Order, act: Act) -> Result<Order> {
        let who = actor(caller, order);
        let word = act.word();
        let next = self.services.config.desk.act(order, who, &caller.user.name, act, Wall::read())?;
        let said = next.history.last().map(|s| s.note.clone()).unwrap_or_default();
        let detail = format!("{word}: {} → {}", crate::words::code(&order.state), crate::words::code(&next.state));
        self.audit(Deed::of(caller, Action::OrderChanged).on(order.id).because(said).detail(detail)).await?;
        self.services.store.update_order(&next).await?;
        Ok(next)
    }
}

impl From<OrderFault> for Problem {
    fn from(fault: OrderFault) -> Problem {
        let text = fault.to_string();
        match fault {
            OrderFault::NotYours => Problem::new(StatusCode::FORBIDDEN, "not_yours", text),
            OrderFault::WrongState(_) => Problem::new(StatusCode::CONFLICT, "wrong_state", text),
            OrderFault::Note | OrderFault::Time => Problem::invalid(text),
            OrderFault::NotThirdParty => Problem::new(StatusCode::CONFLICT, "not_third_party", text),
            OrderFault::NotStable(_) => Problem::new(StatusCode::CONFLICT, "not_stable", text),
            OrderFault::NotVerified(_) | OrderFault::NoPicture(_) => {
                Problem::new(StatusCode::CONFLICT, "not_verified", text)
            }
            OrderFault::NoParent => Problem::new(StatusCode::CONFLICT, "no_parent", text),
            OrderFault::Full => Problem::new(StatusCode::CONFLICT, "full", text),
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only open (true) or closed (false) ones. Open ones come overdue first, then by when they are due.
    open: Option<bool>,
    /// Only in this state.
    #[param(value_type = Option<OrderStateWord>)]
    state: Option<OrderStateWord>,
    /// Only with this camera.
    camera: Option<u32>,
    /// Opened at or after.
    from: Option<i64>,
    /// Opened before.
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Work orders in scope; a technician sees those given to him or his unit
#[utoipa::path(get, path = "/api/v1/orders", tag = "orders", params(Filter),
    responses((status = 200, body = Paged<OrderView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Paged<OrderView>>> {
    let registry = app.services.registry.load_full();
    if let Some(camera) = filter.camera {
        caller.camera(&registry, camera)?;
    }
    let names = app.names().await?;
    let limit = limit(filter.limit)?;
    let about = |o: &Order| filter.camera.is_none_or(|c| o.cameras.contains(&CameraId(c)));
    if filter.open == Some(true) {
        let now = Wall::read();
        let mut open = app.services.store.open_orders().await?;
        open.retain(|o| {
            sees(&caller, &registry, o)
                && about(o)
                && filter.state.is_none_or(|s| s.0 == o.state)
                && filter.from.is_none_or(|t| o.opened.0 >= t)
                && filter.until.is_none_or(|t| o.opened.0 < t)
        });
        let rows = Rows { limit: filter.limit, cursor: filter.cursor };
        let open = page(open, &rows, |o: &Order| (!o.is_overdue(now), o.due(now).map_or(i64::MAX, |t| t.0), o.id.0))?;
        return Ok(Json(open.map(|o| OrderView::of(&app, &caller, &names, &o))));
    }
    let mut query = OrderQuery {
        open: filter.open,
        state: filter.state.map(|s| s.0),
        assignees: if caller.user.role == Role::Technician { his(&caller.user) } else { Vec::new() },
        from: filter.from.map(Wall),
        until: filter.until.map(Wall),
        limit,
        cursor: filter.cursor.clone(),
    };
    let mut items = Vec::new();
    for _ in 0..PAGES {
        query.limit = limit - u32::try_from(items.len()).unwrap_or(limit);
        let page = app.services.store.orders(&query).await?;
        let seen = page.items.iter().filter(|o| sees(&caller, &registry, o) && about(o));
        items.extend(seen.map(|o| OrderView::of(&app, &caller, &names, o)));
        query.cursor = page.next;
        if query.cursor.is_none() || items.len() >= limit as usize {
            break;
        }
    }
    Ok(Json(Paged { items, next: query.cursor }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewOrder)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenOrder {
    incident: u64,
    note: Option<String>,
    /// Not sure yet that somebody must go: it begins as 待确认.
    #[serde(default)]
    to_be_confirmed: bool,
}

/// Open a work order for an incident
#[utoipa::path(post, path = "/api/v1/orders", tag = "orders", request_body = OpenOrder,
    responses((status = 200, body = OrderView), (status = 404), (status = 409, description = "it has an open one")))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<OpenOrder>,
) -> Result<Json<OrderView>> {
    let registry = app.services.registry.load_full();
    let incident = app.incident(&caller, body.incident).await?;
    if incident.scope == health::Scope::Own {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "own",
            "this is a fault of our own machine; nobody at a pole can repair it",
        ));
    }
    let note = note(body.note.as_deref())?;
    let new = NewOrder {
        incident: incident.id,
        cameras: incident
            .members
            .iter()
            .filter(|m| m.left.is_none() || !incident.is_open())
            .map(|m| m.camera)
            .collect(),
        town: town_of(&registry, &incident),
        severity: incident.severity,
        by: caller.user.name.clone(),
        at: Wall::read(),
        state: if body.to_be_confirmed { OrderState::Reported } else { OrderState::Confirmed },
        note: note.clone(),
    };
    if new.cameras.is_empty() {
        return Err(Problem::new(StatusCode::CONFLICT, "no_cameras", "no camera of this incident is still affected"));
    }
    app.audit(Deed::of(&caller, Action::OrderOpened).on(incident.id).because(note)).await?;
    let order = app.services.store.add_order(new).await?;
    app.keep_before(&order).await;
    let names = app.names().await?;
    Ok(Json(OrderView::of(&app, &caller, &names, &order)))
}

/// The town of most members.
pub(crate) fn town_of(registry: &Registry, incident: &Incident) -> Option<TownId> {
    let mut towns: BTreeMap<TownId, usize> = BTreeMap::new();
    let sites = incident.members.iter().filter_map(|m| registry.camera(m.camera)).filter_map(|c| registry.site(c.site));
    sites.for_each(|s| *towns.entry(s.town).or_default() += 1);
    towns.into_iter().max_by_key(|(_, n)| *n).map(|(town, _)| town)
}

/// A picture of an order, without its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderPictureView {
    id: u64,
    kind: PictureKindWord,
    camera: Option<u32>,
    /// When it was taken; a photograph: when it was handed in.
    at: i64,
    by: String,
    note: String,
}

impl From<OrderPicture> for OrderPictureView {
    fn from(p: OrderPicture) -> OrderPictureView {
        OrderPictureView {
            id: p.id,
            kind: p.kind.into(),
            camera: p.camera.map(|c| c.0),
            at: p.at.0,
            by: p.by,
            note: p.note,
        }
    }
}

/// An order with what belongs to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderPage {
    order: OrderView,
    /// Null if the incident is not in the caller's scope.
    incident: Option<IncidentView>,
    pictures: Vec<OrderPictureView>,
}

/// One work order with its incident and pictures
#[utoipa::path(get, path = "/api/v1/orders/{id}", tag = "orders", params(("id" = u64, Path)),
    responses((status = 200, body = OrderPage), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, caller: Caller, Path(id): Path<u64>) -> Result<Json<OrderPage>> {
    let order = app.order(&caller, id).await?;
    let names = app.names().await?;
    let registry = app.services.registry.load_full();
    let told = |camera: CameraId| sees_camera(&caller, &registry, &order, camera);
    let mut incident = app.any_incident(order.incident.0).await?;
    if let Some(incident) = &mut incident {
        let given = actor(&caller, &order) == Actor::Assigned;
        incident.members.retain(|m| if given { order.cameras.contains(&m.camera) } else { told(m.camera) });
    }
    let mut pictures = app.services.store.order_pictures(order.id).await?;
    pictures.retain(|p| p.camera.is_none_or(told));
    Ok(Json(OrderPage {
        incident: incident.filter(|i| !i.members.is_empty()).as_ref().map(IncidentView::from),
        order: OrderView::of(&app, &caller, &names, &order),
        pictures: pictures.into_iter().map(Into::into).collect(),
    }))
}

/// What was agreed upon for an incident.
#[derive(Serialize, ToSchema)]
pub(crate) struct IncidentOrders {
    orders: Vec<OrderView>,
    /// What technicians found to be its cause.
    confirmed: Option<ConfirmedView>,
}

/// The work orders of an incident, and what was found to be its cause
#[utoipa::path(get, path = "/api/v1/incidents/{id}/orders", tag = "orders", params(("id" = u64, Path)),
    responses((status = 200, body = IncidentOrders), (status = 404)))]
pub(crate) async fn of_incident(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
) -> Result<Json<IncidentOrders>> {
    let incident = app.incident(&caller, id).await?;
    let registry = app.services.registry.load_full();
    let names = app.names().await?;
    let orders = app.services.store.orders_of(incident.id).await?;
    let confirmed = app.services.store.confirmed_cause(incident.id).await?;
    Ok(Json(IncidentOrders {
        orders: orders
            .iter()
            .filter(|o| sees(&caller, &registry, o))
            .map(|o| OrderView::of(&app, &caller, &names, o))
            .collect(),
        confirmed: confirmed.as_ref().map(Into::into),
    }))
}

impl App {
    /// An incident as far as it is in the caller's scope.
    pub(crate) async fn incident(&self, caller: &Caller, id: u64) -> Result<Incident> {
        let registry = self.services.registry.load_full();
        let found = self.any_incident(id).await?.ok_or_else(Problem::not_found)?;
        let seen = caller.scope.incident(&registry, &found).map(std::borrow::Cow::into_owned);
        seen.ok_or_else(Problem::not_found)
    }

    /// An incident, whoever asks: from the board while it is open, from the store after that.
    pub(crate) async fn any_incident(&self, id: u64) -> Result<Option<Incident>> {
        let board = self.services.board.load_full();
        if let Some(open) = board.incidents.iter().find(|i| i.id.0 == id) {
            return Ok(Some(Incident::clone(open)));
        }
        // Numbers beyond what a database can hold name nothing.
        if i64::try_from(id).is_err() {
            return Ok(None);
        }
        Ok(self.services.store.incident(IncidentId(id)).await?)
    }
}
