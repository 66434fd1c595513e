//! The register from a table, CSV or XLSX: a dry run shows what would become of each row, and why.

use crate::{
    app::App,
    caller::Caller,
    problem::{Problem, Query, Result},
    sheet,
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
};
use fleet::{
    Wall,
    import::{self, Counts, Outcome, Plan, Row},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::ChangeKind;
use utoipa::{IntoParams, ToSchema};

const XLSX: &str = crate::reports::XLSX;
/// Largest file, in bytes.
pub(crate) const LARGEST: usize = 16 << 20;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Mode {
    /// Only show what would happen (the default).
    dry_run: Option<bool>,
    /// Import nothing if any row is rejected (the default).
    all_or_nothing: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ImportReport {
    /// Whether the register was changed.
    applied: bool,
    counts: ImportCounts,
    rows: Vec<ImportRow>,
    /// Headings that mean nothing to us; their columns are ignored.
    unknown_columns: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct ImportCounts {
    added: usize,
    changed: usize,
    unchanged: usize,
    rejected: usize,
}

impl From<Counts> for ImportCounts {
    fn from(Counts { added, changed, unchanged, rejected }: Counts) -> ImportCounts {
        ImportCounts { added, changed, unchanged, rejected }
    }
}

#[derive(Serialize, ToSchema)]
struct ImportRow {
    line: u64,
    name: String,
    /// added, changed, unchanged or rejected.
    outcome: &'static str,
    /// What changed.
    fields: Vec<&'static str>,
    /// Why it was rejected.
    faults: Vec<ImportFault>,
    warnings: Vec<String>,
}

#[derive(Serialize, ToSchema)]
struct ImportFault {
    line: u64,
    column: &'static str,
    value: String,
    expected: String,
}

/// Import cameras, sites, towns and uplinks from a table
///
/// CSV in UTF-8 or GBK, or XLSX, whose first sheet is read.
#[utoipa::path(post, path = "/api/v1/import", tag = "register", params(Mode),
    request_body(content = String, content_type = "text/csv", description = "UTF-8 or GBK, at most 16 MiB"),
    responses((status = 200, body = ImportReport), (status = 400), (status = 413), (status = 415)))]
pub(crate) async fn import(
    State(app): State<App>,
    caller: Caller,
    Query(mode): Query<Mode>,
    headers: HeaderMap,
    file: std::result::Result<Bytes, BytesRejection>,
) -> Result<Json<ImportReport>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind != "text/csv" && kind != XLSX {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "csv_expected",
            "expected a table, CSV (Content-Type text/csv) or XLSX",
        ));
    }
    let file = file.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "the file did not arrive whole or is larger than 16 MiB",
        )
    })?;
    let _order = app.administration.lock().await;
    let registry = app.services.registry.load_full();
    let before = Arc::clone(&registry);
    let planned = tokio::task::spawn_blocking(move || {
        let csv = if kind == XLSX { sheet::to_csv(&file).map_err(|e| e.to_string())? } else { file };
        import::plan(&csv, &before, Wall::read()).map_err(|e| e.to_string())
    });
    let planned = planned.await.map_err(|e| Problem::internal("the import failed", e))?;
    let plan = planned.map_err(Problem::invalid)?;
    let counts = ImportCounts::from(plan.counts());
    let refused = counts.rejected > 0 && mode.all_or_nothing.unwrap_or(true);
    let apply = !mode.dry_run.unwrap_or(true) && !refused && counts.added + counts.changed > 0;
    if apply {
        let detail = format!(
            "{} added, {} changed, {} unchanged, {} rejected",
            counts.added, counts.changed, counts.unchanged, counts.rejected
        );
        app.change_register(&caller, &registry, plan.change().into(), ChangeKind::Import, detail).await?;
    }
    Ok(Json(report(plan, apply)))
}

/// What a plan says, as the API tells it.
pub(crate) fn report(plan: Plan, applied: bool) -> ImportReport {
    ImportReport {
        applied,
        counts: plan.counts().into(),
        rows: plan.rows.into_iter().map(ImportRow::from).collect(),
        unknown_columns: plan.unknown_columns,
    }
}

impl From<Row> for ImportRow {
    fn from(row: Row) -> ImportRow {
        let (outcome, fields, faults) = match row.outcome {
            Outcome::Added => ("added", Vec::new(), Vec::new()),
            Outcome::Changed { fields } => ("changed", fields, Vec::new()),
            Outcome::Unchanged => ("unchanged", Vec::new(), Vec::new()),
            Outcome::Rejected { faults } => ("rejected", Vec::new(), faults),
        };
        ImportRow {
            line: row.line,
            name: row.name,
            outcome,
            fields,
            faults: faults
                .into_iter()
                .map(|f| ImportFault { line: f.line, column: f.column, value: f.value, expected: f.expected })
                .collect(),
            warnings: row.warnings,
        }
    }
}
