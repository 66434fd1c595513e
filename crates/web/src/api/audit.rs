//! Reading the audit log.

use crate::{
    api::{
        limit,
        reports::{Chunk, after_heading, attachment},
    },
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    problem::{Problem, Query, Result},
    reports::{self, Language},
    views::Paged,
};
use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State},
    response::Response,
};
use bytes::Bytes;
use fleet::Wall;
use serde::{Deserialize, Serialize};
use store::{AuditQuery, AuditRecord};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::{IntoParams, ToSchema};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    who: Option<String>,
    action: Option<String>,
    /// Text in object, reason, detail or address.
    about: Option<String>,
    from: Option<i64>,
    until: Option<i64>,
    limit: Option<u32>,
    cursor: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileFilter {
    who: Option<String>,
    action: Option<String>,
    /// Text in object, reason, detail or address.
    about: Option<String>,
    from: Option<i64>,
    until: Option<i64>,
    /// zh-CN or en: of the headings.
    #[param(inline)]
    language: Option<Language>,
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

/// Who did what, newest first; users with a narrow scope see what they did themselves
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Filter),
    responses((status = 200, body = Paged<AuditView>)))]
pub(crate) async fn log(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Paged<AuditView>>> {
    let own = only_his(&caller);
    let asked = filter.who.filter(|w| !w.is_empty());
    if own.is_some() && asked.is_some() && own != asked {
        return Ok(Json(Paged { items: Vec::new(), next: None }));
    }
    let query = AuditQuery {
        who: own.or(asked),
        action: filter.action.filter(|a| !a.is_empty()),
        about: filter.about.filter(|a| !a.is_empty()),
        from: filter.from.map(Wall),
        until: filter.until.map(Wall),
        limit: limit(filter.limit)?,
        cursor: filter.cursor,
    };
    let page = app.services.store.audit_log(&query).await?;
    Ok(Json(Paged::from(page).map(Into::into)))
}

/// Whose deeds alone are told to somebody who sees a part of the county: his own.
fn only_his(caller: &Caller) -> Option<String> {
    (!caller.scope.is_everything()).then(|| caller.user.name.clone())
}

/// Records that are read from the store at once.
const TOGETHER: u32 = 1000;

/// What was found as CSV, newest first, for a spreadsheet; that it was taken out is itself logged
#[utoipa::path(get, path = "/api/v1/audit/file", tag = "audit", params(FileFilter),
    responses((status = 200, content_type = "text/csv", body = String), (status = 400)))]
pub(crate) async fn file(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<FileFilter>,
    RawQuery(asked): RawQuery,
) -> Result<Response> {
    let query = AuditQuery {
        who: only_his(&caller).or(filter.who.filter(|w| !w.is_empty())),
        action: filter.action.filter(|a| !a.is_empty()),
        about: filter.about.filter(|a| !a.is_empty()),
        from: filter.from.map(Wall),
        until: filter.until.map(Wall),
        limit: TOGETHER,
        cursor: None,
    };
    let what: String = asked.unwrap_or_default().chars().take(500).collect();
    app.audit(Deed::of(&caller, Action::AuditExported).detail(what)).await?;
    let headings = match filter.language.unwrap_or_default() {
        Language::Chinese => [
            "序号",
            "时间",
            "用户",
            "姓名与单位",
            "操作",
            "对象",
            "事由",
            "结果",
            "来源地址",
            "备注",
            "记录哈希 SHA-256",
        ],
        Language::English => [
            "No.",
            "Time",
            "User",
            "Name and unit",
            "Action",
            "Object",
            "Reason",
            "Success",
            "From",
            "Detail",
            "SHA-256",
        ],
    };
    let mut heading = String::from("\u{feff}");
    reports::csv_line(&mut heading, headings.map(str::to_owned));
    let name = format!("sharpeyes-audit-{}.csv", Wall::read().0);
    Ok(attachment(reports::CSV, &name, Body::from_stream(after_heading(heading, rows(app, query)))))
}

/// Page by page; a slow reader holds up nobody and keeps two pages in memory.
fn rows(app: App, mut query: AuditQuery) -> ReceiverStream<Chunk> {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let page = app.services.store.audit_log(&query).await;
            query.cursor = page.as_ref().ok().and_then(|page| page.next.clone());
            let chunk = page.map(|page| {
                let mut text = String::new();
                page.items.into_iter().for_each(|record| reports::csv_line(&mut text, cells(record)));
                Bytes::from(text)
            });
            if let Err(error) = &chunk {
                tracing::error!(%error, "an export of the audit log broke off");
            }
            if send.send(chunk).await.is_err() || query.cursor.is_none() {
                return;
            }
        }
    });
    ReceiverStream::new(receive)
}

fn cells(AuditRecord { seq, entry: e, hash }: AuditRecord) -> [String; 11] {
    let at = reports::local(e.at);
    let success = if e.success { "1" } else { "0" };
    [
        seq.to_string(),
        at,
        e.who,
        e.who_detail,
        e.action,
        e.object,
        e.reason,
        success.to_owned(),
        e.address,
        e.detail,
        hex::encode(hash),
    ]
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
