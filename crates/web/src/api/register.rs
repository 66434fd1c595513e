//! The register by hand: one camera or many changed, sites and uplinks, an address tried before it is saved, and
//! changes taken back. What may be said is decided by [`fleet::import`], for a form as for a table.

use crate::{
    api::import::{ImportReport, report},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    ladder::Ladder,
    problem::{Body, Path, Problem, Result},
    services::Command,
    validator,
    words::{ChangeWord, SiteKindWord, TransportWord},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use fleet::{
    Camera, Credentials, Olt, Registry, Secret, Site, SiteId, StreamUrl, TownId, UplinkId, Wall,
    import::{self, Column, Edit},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use store::{ChangeEntry, ChangeId, ChangeKind, ChangeNote, RegistryChange};
use utoipa::ToSchema;

/// Cameras changed at once by hand; more is a table's work.
const MOST: usize = 2000;
/// Longest name, in characters.
const LONGEST_NAME: usize = 100;

/// A camera's record as the cells of the import's table. Never a password.
#[derive(Serialize, ToSchema)]
pub(crate) struct Record {
    /// By the English name of the column.
    cells: BTreeMap<&'static str, String>,
    /// It has an account.
    has_credentials: bool,
    changed: i64,
}

/// A camera's record, to be changed
#[utoipa::path(get, path = "/api/v1/register/cameras/{id}", tag = "register", params(("id" = u32, Path)),
    responses((status = 200, body = Record), (status = 404)))]
pub(crate) async fn record(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<Json<Record>> {
    let registry = app.services.registry.load_full();
    Ok(Json(Record::of(&registry, caller.camera(&registry, id)?)))
}

impl Record {
    fn of(registry: &Registry, camera: &Camera) -> Record {
        let cells = Column::ALL.iter().map(|(column, name, _)| (*name, import::cell(registry, camera, *column)));
        Record {
            cells: cells.filter(|(name, _)| *name != Column::Password.name()).collect(),
            has_credentials: camera.credentials.is_some(),
            changed: camera.changed.0,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CameraEdits {
    /// Whose records, 1 to 2000.
    cameras: Vec<u32>,
    /// New cells by the English name of the import's column; an empty one takes the value away. An account keeps its
    /// password where none is given.
    cells: BTreeMap<String, String>,
    /// Only show what would happen (the default).
    dry_run: Option<bool>,
}

/// Change cameras: some columns, the same in all of them; all or nothing
#[utoipa::path(post, path = "/api/v1/register/cameras", tag = "register", request_body = CameraEdits,
    params(("If-Match" = Option<String>, Header, description = "ETag of the record, of one camera alone, as it was looked at; with another the change is refused")),
    responses((status = 200, body = ImportReport), (status = 400), (status = 404),
        (status = 412, description = "code changed_meanwhile")))]
pub(crate) async fn edit(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Body(edits): Body<CameraEdits>,
) -> Result<Json<ImportReport>> {
    let _order = app.administration.lock().await;
    if edits.cameras.is_empty() || edits.cameras.len() > MOST {
        return Err(Problem::invalid("cameras: expected 1 to 2000"));
    }
    let cells = edits
        .cells
        .into_iter()
        .map(|(name, value)| match Column::ALL.iter().find(|(_, en, _)| *en == name) {
            Some((column, ..)) => Ok((*column, value)),
            None => Err(Problem::invalid("cells: expected the English names of the import's columns")),
        })
        .collect::<Result<BTreeMap<Column, String>>>()?;
    if cells.is_empty() {
        return Err(Problem::invalid("cells: expected what to change"));
    }
    let registry = app.services.registry.load_full();
    match edits.cameras.as_slice() {
        [one] => validator::unchanged(&headers, &Record::of(&registry, caller.camera(&registry, *one)?))?,
        _ if headers.contains_key(header::IF_MATCH) => {
            return Err(Problem::invalid("If-Match: expected with one camera only"));
        }
        _ => {}
    }
    let mut changes = Vec::new();
    for id in edits.cameras {
        let camera = caller.camera(&registry, id)?.id;
        if changes.iter().any(|e: &Edit| e.camera == camera) {
            return Err(Problem::invalid("cameras: each may be named once"));
        }
        changes.push(Edit { camera, cells: cells.clone() });
    }
    let plan = import::edit(&registry, &changes, Wall::read());
    let counts = plan.counts();
    let applied = !edits.dry_run.unwrap_or(true) && counts.rejected == 0 && counts.changed > 0;
    if applied {
        let columns: Vec<&str> = cells.keys().map(|c| c.name()).collect();
        let names: Vec<&str> = plan.rows.iter().map(|r| r.name.as_str()).take(3).collect();
        let more = if plan.rows.len() > 3 { " …" } else { "" };
        let detail = format!("{} cameras ({}{more}): {}", counts.changed, names.join(", "), columns.join(", "));
        app.change_register(&caller, &registry, plan.change().into(), ChangeKind::Edit, detail).await?;
    }
    Ok(Json(report(plan, applied)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trial {
    /// The camera whose record is being changed: its account is used where the password is left out.
    camera: Option<u32>,
    /// `rtsp://` or `rtsps://`.
    main_url: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    transport: Option<TransportWord>,
}

/// Climb the ladder of an address before it is saved
#[utoipa::path(post, path = "/api/v1/register/trial", tag = "register", request_body = Trial,
    responses((status = 200, body = Ladder), (status = 400), (status = 404), (status = 503)))]
pub(crate) async fn trial(State(app): State<App>, caller: Caller, Body(trial): Body<Trial>) -> Result<Json<Ladder>> {
    let registry = app.services.registry.load_full();
    let (main, from_url) =
        StreamUrl::parse(trial.main_url.trim()).map_err(|e| Problem::invalid(format!("main_url: {e}")))?;
    let known = trial.camera.map(|id| caller.camera(&registry, id)).transpose()?;
    let username = trial.username.trim();
    let kept = known.and_then(|c| c.credentials.clone()).filter(|c| c.username == username);
    let credentials = match kept {
        _ if username.is_empty() => from_url,
        Some(kept) if trial.password.is_empty() => Some(kept),
        _ => Some(Credentials { username: username.to_owned(), password: Secret::new(trial.password) }),
    };
    let transport = trial.transport.map(|t| t.0).or(known.map(|c| c.transport)).unwrap_or_default();
    let detail = format!("tried {main}");
    app.audit(Deed::of(&caller, Action::CameraProbed).on(known.map_or(0, |c| c.id.0)).detail(detail)).await?;
    Ok(Json(app.try_address(known, main, credentials, transport).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteEdit {
    name: String,
    kind: SiteKindWord,
    town: u32,
    /// 统计用区划代码; null or empty takes it away.
    stat_code: Option<String>,
}

/// A site as it is to be named and ordered.
#[derive(Serialize, ToSchema)]
pub(crate) struct SiteRecord {
    id: u32,
    name: String,
    kind: SiteKindWord,
    town: u32,
    stat_code: Option<String>,
}

impl From<&Site> for SiteRecord {
    fn from(s: &Site) -> SiteRecord {
        SiteRecord {
            id: s.id.0,
            name: s.name.clone(),
            kind: s.kind.into(),
            town: s.town.0,
            stat_code: s.stat_code.clone(),
        }
    }
}

/// A site's record, to be changed
#[utoipa::path(get, path = "/api/v1/register/sites/{id}", tag = "register", params(("id" = u32, Path)),
    responses((status = 200, body = SiteRecord), (status = 404)))]
pub(crate) async fn site_record(State(app): State<App>, _: Caller, Path(id): Path<u32>) -> Result<Json<SiteRecord>> {
    let registry = app.services.registry.load_full();
    Ok(Json(registry.site(SiteId(id)).ok_or_else(Problem::not_found)?.into()))
}

/// Change a site
#[utoipa::path(put, path = "/api/v1/register/sites/{id}", tag = "register", params(("id" = u32, Path), ("If-Match" = Option<String>, Header, description = "ETag of the record as it was looked at; with another the change is refused")),
    request_body = SiteEdit, responses((status = 200, body = SiteRecord), (status = 400), (status = 404),
        (status = 409, description = "the town has another site of this name"),
        (status = 412, description = "code changed_meanwhile")))]
pub(crate) async fn site(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    headers: HeaderMap,
    Body(edit): Body<SiteEdit>,
) -> Result<Json<SiteRecord>> {
    let _order = app.administration.lock().await;
    let registry = app.services.registry.load_full();
    let old = registry.site(SiteId(id)).ok_or_else(Problem::not_found)?;
    validator::unchanged(&headers, &SiteRecord::from(old))?;
    let town = TownId(edit.town);
    if registry.town(town).is_none() {
        return Err(Problem::invalid("town: there is no such town"));
    }
    let name = name(&edit.name)?;
    if registry.sites().any(|s| s.id != old.id && s.town == town && s.name == name) {
        return Err(store::StoreError::Conflict(format!("a site named {name} in this town")).into());
    }
    let site = Site { id: old.id, name, kind: edit.kind.0, town, stat_code: optional(edit.stat_code, "stat_code")? };
    if site != *old {
        let detail = format!("site {}: {} → {}", site.id, old.name, site.name);
        let change = RegistryChange { sites: vec![site.clone()], ..RegistryChange::default() };
        app.change_register(&caller, &registry, change, ChangeKind::Edit, detail).await?;
    }
    Ok(Json(SiteRecord::from(&site)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UplinkEdit {
    name: String,
    /// The OLT port it hangs on; null or empty takes it away.
    olt: Option<String>,
    /// Bandwidth for its cameras in kbit/s; null: no limit.
    budget_kbps: Option<u32>,
}

/// An uplink as it is to be named and budgeted.
#[derive(Serialize, ToSchema)]
pub(crate) struct UplinkRecord {
    id: u32,
    name: String,
    olt: Option<String>,
    budget_kbps: Option<u32>,
    cameras: usize,
}

/// An uplink's record, to be changed
#[utoipa::path(get, path = "/api/v1/register/uplinks/{id}", tag = "register", params(("id" = u32, Path)),
    responses((status = 200, body = UplinkRecord), (status = 404)))]
pub(crate) async fn uplink_record(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<u32>,
) -> Result<Json<UplinkRecord>> {
    let registry = app.services.registry.load_full();
    let uplink = registry.uplink(UplinkId(id)).ok_or_else(Problem::not_found)?;
    Ok(Json(uplink_view(&registry, uplink)))
}

fn uplink_view(registry: &Registry, uplink: &fleet::Uplink) -> UplinkRecord {
    UplinkRecord {
        id: uplink.id.0,
        name: uplink.name.clone(),
        olt: uplink.olt.as_ref().map(|o| o.0.clone()),
        budget_kbps: uplink.budget_kbps,
        cameras: registry.cameras().filter(|c| c.uplink == Some(uplink.id)).count(),
    }
}

/// Change an uplink
#[utoipa::path(put, path = "/api/v1/register/uplinks/{id}", tag = "register", params(("id" = u32, Path), ("If-Match" = Option<String>, Header, description = "ETag of the record as it was looked at; with another the change is refused")),
    request_body = UplinkEdit, responses((status = 200, body = UplinkRecord), (status = 400), (status = 404),
        (status = 409, description = "another uplink has this name"),
        (status = 412, description = "code changed_meanwhile")))]
pub(crate) async fn uplink(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    headers: HeaderMap,
    Body(edit): Body<UplinkEdit>,
) -> Result<Json<UplinkRecord>> {
    let _order = app.administration.lock().await;
    let registry = app.services.registry.load_full();
    let old = registry.uplink(UplinkId(id)).ok_or_else(Problem::not_found)?;
    validator::unchanged(&headers, &uplink_view(&registry, old))?;
    let name = name(&edit.name)?;
    if registry.uplinks().any(|u| u.id != old.id && u.name == name) {
        return Err(store::StoreError::Conflict(format!("an uplink named {name}")).into());
    }
    if edit.budget_kbps == Some(0) {
        return Err(Problem::invalid("budget_kbps: expected a whole number of kbit/s above 0, or null"));
    }
    let olt = optional(edit.olt, "olt")?.map(Olt);
    let uplink = fleet::Uplink { id: old.id, name, olt, budget_kbps: edit.budget_kbps };
    if uplink != *old {
        let detail = format!("uplink {}: {} → {}", uplink.id, old.name, uplink.name);
        let change = RegistryChange { uplinks: vec![uplink.clone()], ..RegistryChange::default() };
        app.change_register(&caller, &registry, change, ChangeKind::Edit, detail).await?;
    }
    Ok(Json(uplink_view(&registry, &uplink)))
}

/// A change of the register.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangeView {
    id: u32,
    at: i64,
    by: String,
    kind: ChangeWord,
    detail: String,
    /// Cameras that were new.
    added: u32,
    /// Records that were there and changed.
    changed: u32,
    /// The change that it took back.
    undoes: Option<u32>,
    /// The change that took it back.
    undone_by: Option<u32>,
}

impl From<ChangeEntry> for ChangeView {
    fn from(e: ChangeEntry) -> ChangeView {
        ChangeView {
            id: e.id.0,
            at: e.note.at.0,
            by: e.note.by,
            kind: e.note.kind.into(),
            detail: e.note.detail,
            added: e.added,
            changed: e.changed,
            undoes: e.undoes.map(|c| c.0),
            undone_by: e.undone_by.map(|c| c.0),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Changes {
    items: Vec<ChangeView>,
}

/// The latest changes of the register, newest first
#[utoipa::path(get, path = "/api/v1/register/changes", tag = "register", responses((status = 200, body = Changes)))]
pub(crate) async fn changes(State(app): State<App>, _: Caller) -> Result<Json<Changes>> {
    let entries = app.services.store.register_changes().await?;
    Ok(Json(Changes { items: entries.into_iter().map(ChangeView::from).collect() }))
}

/// Take a change back
///
/// What was there before is there again, accounts included. Cameras that it added become dismantled 拆除: their numbers
/// and what was recorded of them stay.
#[utoipa::path(post, path = "/api/v1/register/changes/{id}/undo", tag = "register", params(("id" = u32, Path)),
    responses((status = 204), (status = 404),
        (status = 409, description = "it was taken back already, or a later change stands on it")))]
pub(crate) async fn undo(State(app): State<App>, caller: Caller, Path(id): Path<u32>) -> Result<impl IntoResponse> {
    let _order = app.administration.lock().await;
    let note = note(&caller, ChangeKind::Undo, format!("change {id}"));
    app.services.store.undo_change(ChangeId(id), note).await?;
    app.audit(Deed::of(&caller, Action::RegisterChangeUndone).on(id)).await?;
    app.reload_register().await?;
    Ok(crate::app::done())
}

/// The whole register as a table that can be imported again; without passwords
#[utoipa::path(get, path = "/api/v1/register/file", tag = "register",
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(crate) async fn file(State(app): State<App>, caller: Caller) -> Result<Response> {
    app.audit(Deed::of(&caller, Action::RegisterExported)).await?;
    let registry = app.services.registry.load_full();
    let csv = tokio::task::spawn_blocking(move || import::to_csv(&registry)).await;
    let csv = csv.map_err(|e| Problem::internal("the register could not be written", e))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"cameras.csv\""),
    ];
    Ok((headers, csv).into_response())
}

fn note(caller: &Caller, kind: ChangeKind, detail: String) -> ChangeNote {
    ChangeNote { at: Wall::read(), by: caller.user.name.clone(), kind, detail }
}

fn name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name: expected 1 to 100 characters on one line"));
    }
    Ok(name.to_owned())
}

fn optional(text: Option<String>, field: &str) -> Result<Option<String>> {
    let text = text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    if text.as_ref().is_some_and(|t| t.chars().count() > LONGEST_NAME || t.chars().any(char::is_control)) {
        return Err(Problem::invalid(format!("{field}: expected at most 100 characters on one line")));
    }
    Ok(text)
}

impl App {
    /// Changes the register, as it was `seen`, so that it can be taken back, writes it down and tells the node.
    pub(crate) async fn change_register(
        &self,
        caller: &Caller,
        seen: &Registry,
        change: RegistryChange,
        kind: ChangeKind,
        detail: String,
    ) -> Result<()> {
        let action = if kind == ChangeKind::Import { Action::Imported } else { Action::RegisterChanged };
        let seen = change.seen_in(seen);
        let id = self.services.store.change_register(change, seen, note(caller, kind, detail.clone())).await?;
        self.audit(Deed::of(caller, action).on(id.0).detail(detail)).await?;
        self.reload_register().await
    }

    /// The register as the store has it, for the next request at once; the node tells core and sessions.
    async fn reload_register(&self) -> Result<()> {
        let registry = Arc::new(self.services.store.registry().await?);
        self.services.registry.store(Arc::clone(&registry));
        self.command(Command::Registry(registry)).await
    }
}
