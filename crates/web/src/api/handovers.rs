//! The present shift, and shifts handed over 交接班: one person tells and signs, another takes over and signs.

use crate::{
    api::{limit, note},
    app::App,
    audit::{Action, Deed, person},
    caller::Caller,
    paging::Rows,
    problem::{Body, Path, Problem, Query, Result},
    shift::{self, ShiftReport},
    views::Paged,
};
use axum::{Json, extract::State, http::StatusCode};
use fleet::Wall;
use serde::{Deserialize, Serialize};
use store::{Handover, HandoverId, HandoverQuery, NewHandover, Signature};
use utoipa::{IntoParams, ToSchema};

/// Longest shift.
const LONGEST_MS: i64 = 48 * 3600 * 1000;

/// Who, when, and what he said.
#[derive(Debug, Serialize, ToSchema)]
struct SignatureView {
    by: String,
    /// Name, full name and unit.
    by_detail: String,
    at: i64,
    note: String,
}

impl From<Signature> for SignatureView {
    fn from(s: Signature) -> SignatureView {
        SignatureView { by: s.by, by_detail: s.by_detail, at: s.at.0, note: s.note }
    }
}

/// A shift that was handed over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HandoverView {
    id: u64,
    from: i64,
    until: i64,
    given: SignatureView,
    /// Null while nobody has taken over.
    taken: Option<SignatureView>,
    /// The caller may take it over.
    may_take: bool,
}

impl HandoverView {
    fn of(caller: &Caller, handover: Handover) -> HandoverView {
        HandoverView {
            id: handover.id.0,
            from: handover.from.0,
            until: handover.until.0,
            may_take: handover.taken.is_none() && shift::may_take(caller, &handover),
            given: handover.given.into(),
            taken: handover.taken.map(Into::into),
        }
    }
}

/// A shift with its report, as it was told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HandoverPage {
    handover: HandoverView,
    #[schema(value_type = ShiftReport)]
    report: serde_json::Value,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Began {
    /// When the shift began; at the last handover, or when shifts changed last, if absent.
    from: Option<i64>,
}

/// When the shift began that is told of now.
async fn span(app: &App, caller: &Caller, from: Option<i64>) -> Result<std::ops::Range<Wall>> {
    let now = Wall::read();
    let from = match from {
        Some(from) => Wall(from),
        None => app.shift_began(caller, now).await?,
    };
    if !(1..=LONGEST_MS).contains(&now.millis_since(from)) {
        return Err(Problem::invalid("from: expected an instant within the last 48 hours"));
    }
    Ok(from..now)
}

/// What the present shift is like so far, in scope
#[utoipa::path(get, path = "/api/v1/shift", tag = "handovers", params(Began),
    responses((status = 200, body = ShiftReport), (status = 400)))]
pub(crate) async fn shift(
    State(app): State<App>,
    caller: Caller,
    Query(began): Query<Began>,
) -> Result<Json<ShiftReport>> {
    let range = span(&app, &caller, began.from).await?;
    Ok(Json(app.shift_report(&caller, range).await?))
}

/// Shifts handed over, newest first
#[utoipa::path(get, path = "/api/v1/handovers", tag = "handovers", params(Rows),
    responses((status = 200, body = Paged<HandoverView>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(rows): Query<Rows>,
) -> Result<Json<Paged<HandoverView>>> {
    let part = (!caller.scope.is_everything()).then(|| shift::part(&caller));
    let query = HandoverQuery { part, limit: limit(rows.limit)?, cursor: rows.cursor };
    let page = app.services.store.handovers(&query).await?;
    Ok(Json(Paged::from(page).map(|h| HandoverView::of(&caller, h))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Give {
    /// When the shift began, as the report said that is signed.
    from: i64,
    /// What the next shift must know.
    note: Option<String>,
}

/// Hand the shift over: its report is kept as it is now
#[utoipa::path(post, path = "/api/v1/handovers", tag = "handovers", request_body = Give,
    responses((status = 200, body = HandoverView), (status = 400),
        (status = 409, description = "it was handed over already")))]
pub(crate) async fn give(State(app): State<App>, caller: Caller, Body(give): Body<Give>) -> Result<Json<HandoverView>> {
    let note = note(give.note.as_deref())?;
    let range = span(&app, &caller, Some(give.from)).await?;
    let report = app.shift_report(&caller, range.clone()).await?;
    let report = serde_json::to_string(&report).map_err(|e| Problem::internal("a report was not made", e))?;
    let given =
        Signature { by: caller.user.name.clone(), by_detail: person(&caller.user), at: range.end, note: note.clone() };
    let new = NewHandover { from: range.start, until: range.end, part: shift::part(&caller), given, report };
    let detail = format!("{}..{}", range.start.0, range.end.0);
    app.audit(Deed::of(&caller, Action::ShiftHandedOver).because(note).detail(detail)).await?;
    let made = app.services.store.add_handover(new).await?;
    Ok(Json(HandoverView::of(&caller, made)))
}

/// One handover with its report
#[utoipa::path(get, path = "/api/v1/handovers/{id}", tag = "handovers", params(("id" = u64, Path)),
    responses((status = 200, body = HandoverPage), (status = 404)))]
pub(crate) async fn one(State(app): State<App>, caller: Caller, Path(id): Path<u64>) -> Result<Json<HandoverPage>> {
    let handover = found(&app, &caller, id).await?;
    let report = serde_json::from_str(&handover.report).map_err(|e| Problem::internal("a report cannot be read", e))?;
    Ok(Json(HandoverPage { handover: HandoverView::of(&caller, handover), report }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Take {
    note: Option<String>,
}

/// Take a shift over
#[utoipa::path(post, path = "/api/v1/handovers/{id}/take", tag = "handovers", params(("id" = u64, Path)),
    request_body = Take, responses((status = 200, body = HandoverView), (status = 400), (status = 404),
        (status = 403, description = "nobody takes over from himself"),
        (status = 409, description = "somebody has taken it over")))]
pub(crate) async fn take(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u64>,
    Body(take): Body<Take>,
) -> Result<Json<HandoverView>> {
    let note = note(take.note.as_deref())?;
    let handover = found(&app, &caller, id).await?;
    if !shift::may_take(&caller, &handover) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "own_shift", "another person must take this shift over"));
    }
    app.audit(Deed::of(&caller, Action::ShiftTakenOver).on(id).because(note.as_str())).await?;
    let taken = Signature { by: caller.user.name.clone(), by_detail: person(&caller.user), at: Wall::read(), note };
    let taken = app.services.store.take_handover(handover.id, taken).await?;
    Ok(Json(HandoverView::of(&caller, taken)))
}

async fn found(app: &App, caller: &Caller, id: u64) -> Result<Handover> {
    let handover = app.services.store.handover(HandoverId(id)).await?;
    handover.filter(|h| shift::sees(caller, h)).ok_or_else(Problem::not_found)
}
