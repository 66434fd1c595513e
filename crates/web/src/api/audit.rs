//! Reading the audit log.

use crate::{
    api::limit,
    app::App,
    caller::Caller,
    problem::{Query, Result},
    views::Paged,
};
use axum::{Json, extract::State};
use fleet::Wall;
use serde::{Deserialize, Serialize};
use store::{AuditQuery, AuditRecord};
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    who: Option<String>,
    action: Option<String>,
    from: Option<i64>,
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// One entry of the audit log.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditView {
    seq: u64,
    at: i64,
    who: String,
    who_detail: String,
    address: String,
    action: String,
    object: String,
    reason: String,
    success: bool,
    detail: String,
}

impl From<AuditRecord> for AuditView {
    fn from(AuditRecord { seq, entry: e, .. }: AuditRecord) -> AuditView {
        AuditView {
            seq,
            at: e.at.0,
            who: e.who,
            who_detail: e.who_detail,
            address: e.address,
            action: e.action,
            object: e.object,
            reason: e.reason,
            success: e.success,
            detail: e.detail,
        }
    }
}

/// Who did what, newest first
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Filter),
    responses((status = 200, body = Paged<AuditView>)))]
pub(crate) async fn log(
    State(app): State<App>,
    _: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Paged<AuditView>>> {
    let query = AuditQuery {
        who: filter.who.filter(|w| !w.is_empty()),
        action: filter.action.filter(|a| !a.is_empty()),
        from: filter.from.map(Wall),
        until: filter.until.map(Wall),
        limit: limit(filter.limit)?,
        cursor: filter.cursor,
    };
    let page = app.services.store.audit_log(&query).await?;
    Ok(Json(Paged { items: page.items.into_iter().map(Into::into).collect(), next: page.next }))
}
