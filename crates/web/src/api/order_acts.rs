//! What is done to a work order, and to whom one may be given. What may be done when is decided by [`health::desk`].

use super::orders::OrderView;
use crate::{
    api::note,
    app::App,
    caller::Caller,
    problem::{Body, Path, Problem, Result},
    words::{HoldReasonWord, LikelyWord},
};
use axum::{Json, extract::State, http::StatusCode};
use fleet::Wall;
use health::desk::{Act, Assignee, Order, OrderFault};
use serde::{Deserialize, Serialize};
use store::{Role, User, UserId};
use utoipa::ToSchema;

/// What can be done to an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OrderActWord {
    Confirm,
    Assign,
    Accept,
    Decline,
    Start,
    Hold,
    ApproveHold,
    Resume,
    Finish,
    Diagnose,
    AcceptRepair,
    Reject,
    FalseAlarm,
    Merge,
    Note,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderAct {
    act: OrderActWord,
    /// The version looked at.
    version: u32,
    note: Option<String>,
    /// assign: to this technician …
    technician: Option<u32>,
    /// … or to this contractor.
    contractor: Option<String>,
    /// assign: to be repaired by then; as agreed on for its severity if absent.
    due: Option<i64>,
    /// hold: why.
    reason: Option<HoldReasonWord>,
    /// hold: until when.
    until: Option<i64>,
    /// diagnose: what it was.
    found: Option<LikelyWord>,
    /// merge: under which order.
    parent: Option<u64>,
}

/// Do something to a work order
#[utoipa::path(post, path = "/api/v1/orders/{id}/act", tag = "orders", params(("id" = u64, Path)), request_body = OrderAct,
    responses((status = 200, body = OrderView), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "codes conflict (somebody was quicker), wrong_state, not_stable, not_verified, …")))]
pub(crate) async fn act(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(body): Body<OrderAct>,
) -> Result<Json<OrderView>> {
    let order = app.order(&caller, id).await?;
    if order.version != body.version {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "somebody has changed this order meanwhile; load it anew and see",
        ));
    }
    let act = meant(&app, &caller, &order, body).await?;
    if let Act::Merge(parent) = act {
        // First there: should we be cut off between the two, no camera is without an order.
        let parent = app.order(&caller, parent.0).await?;
        app.act(&caller, &parent, Act::Absorb(order.id, order.cameras.clone())).await?;
    }
    let assigns = matches!(act, Act::Assign(..));
    let next = app.act(&caller, &order, act).await?;
    if assigns {
        app.keep_before(&next).await;
    }
    let names = app.names().await?;
    Ok(Json(OrderView::of(&app, &caller, &names, &next)))
}

/// What the caller wants done, with everything that belongs to it.
async fn meant(app: &App, caller: &Caller, order: &Order, body: OrderAct) -> Result<Act> {
    let missing = |what: &'static str| Problem::invalid(format!("{what}: expected with this act"));
    let said = note(body.note.as_deref())?;
    Ok(match body.act {
        OrderActWord::Confirm => Act::Confirm,
        OrderActWord::Assign => Act::Assign(assignee(app, body.technician, body.contractor).await?, body.due.map(Wall)),
        OrderActWord::Accept => Act::Accept,
        OrderActWord::Decline => Act::Decline(said),
        OrderActWord::Start => Act::Start,
        OrderActWord::Hold => {
            let reason = body.reason.ok_or_else(|| missing("reason"))?.0;
            Act::Hold(reason, Wall(body.until.ok_or_else(|| missing("until"))?), said)
        }
        OrderActWord::ApproveHold => Act::ApproveHold,
        OrderActWord::Resume => Act::Resume,
        OrderActWord::Finish => Act::Finish(said),
        OrderActWord::Diagnose => {
            let found = body.found.ok_or_else(|| missing("found"))?.0;
            let incident = app.any_incident(order.incident.0).await?.ok_or_else(Problem::not_found)?;
            Act::Diagnose(found, incident.likely, said)
        }
        OrderActWord::AcceptRepair => Act::AcceptRepair,
        OrderActWord::Reject => Act::Reject(said),
        OrderActWord::FalseAlarm => Act::FalseAlarm(said),
        OrderActWord::Merge => {
            let parent = app.order(caller, body.parent.ok_or_else(|| missing("parent"))?).await?;
            if !parent.is_open() {
                return Err(OrderFault::NoParent.into());
            }
            Act::Merge(parent.id)
        }
        OrderActWord::Note => Act::Note(said),
    })
}

/// Who is meant, if he can sign in: else the order would be given to nobody. Where he may look does not matter; an order
/// shows him its cameras wherever they stand.
async fn assignee(app: &App, technician: Option<u32>, contractor: Option<String>) -> Result<Assignee> {
    let known = technicians(app).await?;
    match (technician, contractor) {
        (Some(user), None) => known
            .iter()
            .any(|u| u.id == UserId(user))
            .then_some(Assignee::Technician(user))
            .ok_or_else(|| Problem::invalid("technician: expected an active technician")),
        (None, Some(unit)) => {
            let unit = unit.trim().to_owned();
            let good = !unit.is_empty() && known.iter().any(|u| u.unit.trim() == unit);
            good.then_some(Assignee::Contractor(unit)).ok_or_else(|| {
                Problem::invalid(
                    "contractor: expected the unit of an active technician, so that somebody sees the order",
                )
            })
        }
        _ => Err(Problem::invalid("technician, contractor: expected one of both")),
    }
}

/// Technicians who can sign in.
async fn technicians(app: &App) -> Result<Vec<User>> {
    let now = Wall::read();
    let mut users = app.services.store.users().await?;
    users.retain(|u| u.role == Role::Technician && u.active && u.expires.is_none_or(|end| end > now));
    Ok(users)
}

/// A technician to whom orders may be given.
#[derive(Serialize, ToSchema)]
struct AssignableView {
    id: u32,
    name: String,
    unit: String,
    /// Open orders that he has.
    open: u32,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Assignees {
    technicians: Vec<AssignableView>,
    contractors: Vec<String>,
}

/// Those to whom work orders may be given
#[utoipa::path(get, path = "/api/v1/orders/assignees", tag = "orders", responses((status = 200, body = Assignees)))]
pub(crate) async fn assignees(State(app): State<App>, _: Caller) -> Result<Json<Assignees>> {
    let open = app.services.store.open_orders().await?;
    let users = technicians(&app).await?;
    let mut contractors: Vec<String> =
        users.iter().map(|u| u.unit.trim().to_owned()).filter(|unit| !unit.is_empty()).collect();
    contractors.sort();
    contractors.dedup();
    let technicians = users
        .iter()
        .map(|u| AssignableView {
            id: u.id.0,
            name: if u.full_name.is_empty() { u.name.clone() } else { u.full_name.clone() },
            unit: u.unit.clone(),
            open: u32::try_from(open.iter().filter(|o| o.assignee == Some(Assignee::Technician(u.id.0))).count())
                .unwrap_or(u32::MAX),
        })
        .collect();
    Ok(Json(Assignees { technicians, contractors }))
}
