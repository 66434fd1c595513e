//! Reading the audit log.

use crate::{
    api::limit,
    app::App,
    caller::Caller,
    problem::{Problem, Query, Result},
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

/// Whether the log is as it was written.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditVerification {
    /// Records in it.
    records: u64,
    /// Number of the first record that does not fit the one before; null if all do.
    first_wrong: Option<u64>,
    /// Manifests that name a record of the log.
    anchors: u32,
    /// Days whose manifest names another hash than the log has.
    anchors_wrong: Vec<String>,
    /// The newest day whose manifest names a record, and which.
    anchored_to: Option<u64>,
}

/// Compute the whole chain of the log again, and hold it against the signed manifests
#[utoipa::path(get, path = "/api/v1/audit/verification", tag = "audit",
    responses((status = 200, body = AuditVerification)))]
pub(crate) async fn verify(State(app): State<App>, _: Caller) -> Result<Json<AuditVerification>> {
    let root = app.services.archive.root().to_owned();
    let read = tokio::task::spawn_blocking(move || archive::manifests(&root)).await;
    let manifests = read
        .map_err(|e| Problem::internal("the manifests cannot be read", e))?
        .map_err(|e| Problem::internal("the manifests cannot be read", e))?;
    let store = &app.services.store;
    let (mut anchors, mut anchors_wrong, mut anchored_to) = (0, Vec::new(), None);
    for manifest in manifests {
        // One that cannot be believed vouches for nothing, and is itself a fault.
        if manifest.fault.is_some() {
            anchors_wrong.push(manifest.day);
            continue;
        }
        let Some((seq, hash)) = manifest.audit else { continue };
        anchors += 1;
        anchored_to = Some(seq);
        if store.audit_hash(seq).await?.map(hex::encode) != Some(hash) {
            anchors_wrong.push(manifest.day);
        }
    }
    Ok(Json(AuditVerification {
        records: store.audit_head().await?.map_or(0, |(seq, _)| seq),
        first_wrong: store.verify_audit().await?,
        anchors,
        anchors_wrong,
        anchored_to,
    }))
}
