//! Reports: figures of a period, as JSON, as a file, and the intervals they are counted from.

use crate::{
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    problem::{Problem, Query, Result},
    reports::{self, Figures, Group, GroupRow, Language, Member, Period, Place, Sheet, Span},
    scope::Scope,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use fleet::{CameraId, Registry, SiteId, TownId, Wall};
use health::ledger::{Calendar, DAY_MS, HOUR_MS, Rules, Tally};
use serde::{Deserialize, Serialize};
use std::{ops::Range, sync::Arc};
use store::{Ledger, LedgerLine, Step, StoreError};
use utoipa::{IntoParams, ToSchema};

/// Trends of at most so many days are told by hour, and by day.
const BY_HOUR_MS: i64 = 2 * DAY_MS;
const BY_DAY_MS: i64 = 92 * DAY_MS;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Question {
    /// day, week or month with `date`; range with `from` and `until`.
    #[param(inline)]
    period: Option<Period>,
    /// A day within the period, on the county's calendar: 2026-01-31.
    date: Option<String>,
    /// Begin of a range; rounded down to the hour.
    from: Option<i64>,
    /// End of a range (exclusive); rounded up to the hour.
    until: Option<i64>,
    /// By what the lines are grouped; town unless told.
    #[param(inline)]
    group: Option<Group>,
    /// Only cameras of this town.
    town: Option<u32>,
    /// Only cameras of this site.
    site: Option<u32>,
    /// Only cameras of this contractor, as named in the register; empty for cameras without one.
    contractor: Option<String>,
    /// Only this camera.
    camera: Option<u32>,
    /// Language of a file: zh-CN or en.
    #[param(inline)]
    language: Option<Language>,
    /// csv or xlsx; only for files.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Csv,
    Xlsx,
}

/// Figures of a period.
#[derive(Serialize, ToSchema)]
pub(crate) struct Report {
    period: Period,
    from: i64,
    until: i64,
    /// Counted so far; null if nothing is.
    as_of: Option<i64>,
    /// Set if this is a month that was frozen: its figures never change.
    frozen: Option<FrozenView>,
    /// An outage is repaired in time within so long.
    repair_within_ms: u64,
    /// An outage repeats the one before within so long.
    repeat_within_ms: u64,
    group: Group,
    cameras: u32,
    total: Figures,
    before_from: i64,
    before_until: i64,
    before: Option<Figures>,
    groups: Vec<GroupRow>,
    trend_step: TrendStep,
    trend: Vec<TrendPoint>,
}

#[derive(Serialize, ToSchema)]
struct FrozenView {
    at: i64,
    /// SHA-256 over the month before's hash and this month's figures, in hexadecimal.
    hash: String,
}

#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TrendStep {
    Hour,
    Day,
    Month,
}

#[derive(Serialize, ToSchema)]
struct TrendPoint {
    at: i64,
    online_by_duration: Option<f64>,
    intact: Option<f64>,
    picture_fault: Option<f64>,
    completeness: Option<f64>,
    unknown: Option<f64>,
    outages: u32,
    offline_ms: i64,
}

/// Figures of a day, week, month or any range, in scope
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports", params(Question),
    responses((status = 200, body = Report), (status = 400), (status = 404)))]
pub(crate) async fn report(
    State(app): State<App>,
    caller: Caller,
    Query(question): Query<Question>,
) -> Result<Json<Report>> {
    Ok(Json(make(&app, &caller.scope, &question).await?))
}

/// The same as a file for a spreadsheet
#[utoipa::path(get, path = "/api/v1/reports/file", tag = "reports", params(Question),
    responses((status = 200, content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), (status = 400), (status = 404)))]
pub(crate) async fn file(State(app): State<App>, caller: Caller, Query(question): Query<Question>) -> Result<Response> {
    let format = question.format.ok_or_else(|| Problem::invalid("format: expected csv or xlsx"))?;
    let language = question.language.unwrap_or_default();
    let report = make(&app, &caller.scope, &question).await?;
    let name = file_name(&report, format);
    app.audit(Deed::of(&caller, Action::ReportExported).on(&name)).await?;
    let sheet = sheet(&report, language);
    let (kind, bytes) = match format {
        Format::Csv => (reports::CSV, Bytes::from(reports::csv(&sheet))),
        Format::Xlsx => (reports::XLSX, Bytes::from(workbook(sheet).await?)),
    };
    Ok(attachment(kind, &name, Body::from(bytes)))
}

/// The intervals that the figures are counted from, as CSV
#[utoipa::path(get, path = "/api/v1/reports/intervals", tag = "reports", params(Question),
    responses((status = 200, content_type = "text/csv", body = String), (status = 400), (status = 404)))]
pub(crate) async fn intervals(
    State(app): State<App>,
    caller: Caller,
    Query(question): Query<Question>,
) -> Result<Response> {
    let span = span(&question)?;
    let registry = app.services.registry.load_full();
    let wanted = wanted(&caller.scope, &registry, &question)?;
    let ledger = app.services.store.ledger(span.range.clone()).await?;
    let upto = ledger.upto.unwrap_or(span.range.start);
    let range = span.range.start..span.range.end.min(upto).max(span.range.start);
    let rules = ledger.frozen.map_or(ledger.rules, |f| f.rules);
    let held = ledger.lines.iter().filter(|l| wanted.holds(l, &registry));
    let cameras = held.map(|l| (l.camera, place(&registry, l))).collect();
    let name = format!("sharpeyes-intervals-{}.csv", dates(&range));
    app.audit(Deed::of(&caller, Action::ReportExported).on(&name)).await?;
    let heading = reports::intervals_heading(question.language.unwrap_or_default());
    let body = lines(app, cameras, range, rules);
    let all = after_heading(heading, body);
    Ok(attachment(reports::CSV, &name, Body::from_stream(all)))
}

pub(crate) type Chunk = std::result::Result<Bytes, StoreError>;

/// What follows the heading is sent as it comes.
pub(crate) fn after_heading(
    heading: String,
    rest: tokio_stream::wrappers::ReceiverStream<Chunk>,
) -> impl tokio_stream::Stream<Item = Chunk> {
    use tokio_stream::StreamExt;
    tokio_stream::once(Ok(Bytes::from(heading))).chain(rest)
}

/// Camera by camera; a slow reader holds up nobody and keeps two cameras' lines in memory.
fn lines(
    app: App,
    cameras: Vec<(CameraId, Place)>,
    range: Range<Wall>,
    rules: Rules,
) -> tokio_stream::wrappers::ReceiverStream<Chunk> {
    let (send, receive) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        for (camera, place) in cameras {
            let chunk = match app.services.store.ledger_history(camera, range.clone()).await {
                Ok(history) => {
                    let rows = reports::interval_rows(camera, &place, &history, &range, &rules);
                    Ok(Bytes::from(rows))
                }
                Err(error) => {
                    tracing::error!(%error, %camera, "an export of intervals broke off");
                    Err(error)
                }
            };
            let failed = chunk.is_err();
            if send.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receive)
}

/// Where a camera belongs; of a frozen month, where it belonged.
fn place(registry: &Registry, line: &LedgerLine) -> Place {
    if let Some(then) = line.place.clone() {
        return Place {
            name: then.name,
            site: then.site_name,
            town: then.town_name,
            contractor: then.contractor.unwrap_or_default(),
        };
    }
    let camera = registry.camera(line.camera);
    let site = camera.and_then(|c| registry.site(c.site));
    Place {
        name: camera.map(|c| c.name.clone()).unwrap_or_default(),
        site: site.map(|s| s.name.clone()).unwrap_or_default(),
        town: site.and_then(|s| registry.town(s.town)).map(|t| t.name.clone()).unwrap_or_default(),
        contractor: camera.and_then(|c| c.upkeep.unit.clone()).unwrap_or_default(),
    }
}

async fn workbook(sheet: Sheet) -> Result<Vec<u8>> {
    let made = tokio::task::spawn_blocking(move || reports::xlsx(&sheet)).await;
    let made = made.map_err(|e| Problem::internal("a workbook was not made", e))?;
    made.map_err(|e| Problem::internal("a workbook was not made", e))
}

/// A report as a mail tells it, and as the files that go with it.
pub(crate) struct Written {
    pub(crate) letter: reports::Letter,
    /// Name, media type, content.
    pub(crate) files: Vec<(String, &'static str, Vec<u8>)>,
}

impl Question {
    /// The period that ended last before a day.
    pub(crate) fn of_mailing(period: Period, date: String, plan: &store::MailingPlan) -> Question {
        Question {
            period: Some(period),
            date: Some(date),
            from: None,
            until: None,
            group: crate::words::from_code(&plan.group),
            town: plan.town,
            site: plan.site,
            contractor: plan.contractor.clone(),
            camera: None,
            language: crate::words::from_code(&plan.language),
            format: None,
        }
    }
}

/// Writes a report of any part of the county.
pub(crate) async fn write(app: &App, question: &Question) -> Result<Written> {
    let report = make(app, &Arc::default(), question).await?;
    let sheet = sheet(&report, question.language.unwrap_or_default());
    let span = dates(&(Wall(report.from)..Wall(report.until)));
    let letter = reports::letter(&sheet, &span, &report.total, report.before.as_ref());
    let csv = reports::csv(&sheet).into_bytes();
    let files = vec![
        (file_name(&report, Format::Xlsx), reports::XLSX, workbook(sheet).await?),
        (file_name(&report, Format::Csv), reports::CSV, csv),
    ];
    Ok(Written { letter, files })
}

async fn make(app: &App, scope: &Arc<Scope>, question: &Question) -> Result<Report> {
    let span = span(question)?;
    let registry = app.services.registry.load_full();
    let wanted = wanted(scope, &registry, question)?;
    let by = question.group.unwrap_or(Group::Town);
    let store = &app.services.store;
    // Each of a year takes its time: both at once.
    let (ledger, before) = tokio::try_join!(store.ledger(span.range.clone()), store.ledger(span.before.clone()))?;
    let range = ledger.range.clone();
    let (from, until) = (range.start.0, range.end.0);
    let (before_from, before_until) = (before.range.start.0, before.range.end.0);
    let Ledger { upto, frozen, rules, .. } = ledger;
    let now = wanted.members(ledger.lines, &registry);
    let cameras = u32::try_from(now.len()).unwrap_or(u32::MAX);
    let (total, total_before, groups) = reports::group(&now, &wanted.members(before.lines, &registry), by);
    let (step, trend_step) = if until - from <= BY_HOUR_MS {
        (Step::Hour, TrendStep::Hour)
    } else if until - from <= BY_DAY_MS {
        (Step::Day, TrendStep::Day)
    } else {
        (Step::Month, TrendStep::Month)
    };
    // A trend's steps are whole: begin with the one that the range begins in.
    let first = match trend_step {
        TrendStep::Hour => range.start,
        TrendStep::Day => Calendar::day(range.start),
        TrendStep::Month => Calendar::month(range.start),
    };
    let members: Vec<CameraId> = now.iter().map(|m| m.line.camera).collect();
    let steps = store.ledger_trend(first..range.end, step, (!wanted.all).then_some(&members)).await?;
    Ok(Report {
        period: span.period,
        from,
        until,
        as_of: upto.map(|u| u.0),
        frozen: frozen.map(|f| FrozenView { at: f.at.0, hash: hex::encode(f.hash) }),
        repair_within_ms: millis(rules.repair_within),
        repeat_within_ms: millis(rules.repeat_within),
        group: by,
        cameras,
        total,
        before_from,
        before_until,
        before: total_before,
        groups,
        trend_step,
        trend: steps.iter().map(|(at, tally)| point(*at, tally)).collect(),
    })
}

fn millis(length: std::time::Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn point(at: Wall, tally: &Tally) -> TrendPoint {
    let rates = tally.rates();
    TrendPoint {
        at: at.0,
        online_by_duration: rates.online_by_duration,
        intact: rates.intact,
        picture_fault: rates.picture_fault,
        completeness: rates.completeness,
        unknown: rates.unknown,
        outages: tally.began,
        offline_ms: tally.of(health::ledger::Kind::Offline),
    }
}

fn span(question: &Question) -> Result<Span> {
    match (question.period, &question.date, question.from, question.until) {
        (Some(period), Some(date), None, None) => Span::of_date(period, date),
        (None | Some(Period::Range), None, Some(from), Some(until)) => Span::of_range(from, until),
        _ => Err(Problem::invalid("expected period and date, or from and until")),
    }
}

/// The cameras a report is about.
struct Wanted {
    /// No condition and no limit of scope: everything.
    all: bool,
    scope: Arc<Scope>,
    town: Option<TownId>,
    site: Option<SiteId>,
    contractor: Option<String>,
    camera: Option<CameraId>,
}

fn wanted(scope: &Arc<Scope>, registry: &Registry, question: &Question) -> Result<Wanted> {
    if let Some(town) = question.town
        && (registry.town(TownId(town)).is_none() || !scope.sees_town(registry, TownId(town)))
    {
        return Err(Problem::not_found());
    }
    if let Some(site) = question.site
        && (registry.site(SiteId(site)).is_none() || !scope.sees_site(registry, SiteId(site)))
    {
        return Err(Problem::not_found());
    }
    if let Some(camera) = question.camera
        && !scope.sees_camera(registry, CameraId(camera))
    {
        return Err(Problem::not_found());
    }
    let Question { town, site, contractor, camera, .. } = question;
    Ok(Wanted {
        all: scope.is_everything() && town.is_none() && site.is_none() && contractor.is_none() && camera.is_none(),
        scope: Arc::clone(scope),
        town: town.map(TownId),
        site: site.map(SiteId),
        contractor: contractor.clone(),
        camera: camera.map(CameraId),
    })
}

impl Wanted {
    /// What may be seen is decided by where a camera stands now, also of the past; what is asked for, of a frozen month,
    /// by where it stood when that was frozen.
    fn holds(&self, line: &LedgerLine, registry: &Registry) -> bool {
        let camera = registry.camera(line.camera);
        let seen = self.scope.is_everything() || camera.is_some_and(|c| self.scope.sees_site(registry, c.site));
        let now = camera.map(|c| (c.site, registry.site(c.site).map(|s| s.town), c.upkeep.unit.as_deref()));
        let then = line.place.as_ref().map(|p| (SiteId(p.site), Some(TownId(p.town)), p.contractor.as_deref()));
        let Some((site, town, contractor)) = then.or(now) else { return false };
        seen && self.camera.is_none_or(|c| c == line.camera)
            && self.site.is_none_or(|s| s == site)
            && self.town.is_none_or(|t| town == Some(t))
            && self.contractor.as_deref().is_none_or(|c| contractor.unwrap_or_default() == c)
    }

    fn members(&self, lines: Vec<LedgerLine>, registry: &Registry) -> Vec<Member> {
        lines
            .into_iter()
            .filter(|line| self.holds(line, registry))
            .filter_map(|line| Member::of(line, registry))
            .collect()
    }
}

fn sheet(report: &Report, language: Language) -> Sheet {
    let pick = |zh, en| language.pick(zh, en);
    let title = match report.period {
        Period::Day => pick("雪亮工程摄像机日报", "Cameras: daily report"),
        Period::Week => pick("雪亮工程摄像机周报", "Cameras: weekly report"),
        Period::Month => pick("雪亮工程摄像机月报", "Cameras: monthly report"),
        Period::Range => pick("雪亮工程摄像机报表", "Cameras: report"),
    };
    let local = |at: i64| reports::local(Wall(at));
    let hours = |ms: u64| format!("{} h", ms as f64 / HOUR_MS as f64);
    let mut about = vec![
        (pick("开始", "from"), local(report.from)),
        (pick("结束", "until"), local(report.until)),
        (pick("统计截至", "counted up to"), report.as_of.map(local).unwrap_or_default()),
        (pick("修复限时", "to be repaired within"), hours(report.repair_within_ms)),
        (pick("重复故障判定时间", "a repeat within"), hours(report.repeat_within_ms)),
    ];
    if let Some(frozen) = &report.frozen {
        about.push((pick("已定稿", "frozen"), local(frozen.at)));
        about.push((pick("定稿校验值 SHA-256", "SHA-256 of the frozen month"), frozen.hash.clone()));
    }
    Sheet::new(language, title.to_owned(), about, report.group, (report.cameras, &report.total), &report.groups)
}

fn file_name(report: &Report, format: Format) -> String {
    let ending = match format {
        Format::Csv => "csv",
        Format::Xlsx => "xlsx",
    };
    format!("sharpeyes-report-{}.{ending}", dates(&(Wall(report.from)..Wall(report.until))))
}

/// First and last day, for the name of a file.
fn dates(range: &Range<Wall>) -> String {
    let (first, last) = (Calendar::date(range.start), Calendar::date(Wall(range.end.0 - 1)));
    if first == last { first.to_string() } else { format!("{first}_{last}") }
}

pub(crate) fn attachment(kind: &'static str, name: &str, body: Body) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    (headers, body).into_response()
}
