//! The picture diagnosis 视频质量诊断: what is set for one camera, what was found when a snapshot was taken, and every
//! camera's result as a file that compares with other products'.

use crate::{
    api::{picture::AreaView, reason, reports::attachment},
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    outcome::PictureOutcome,
    problem::{Body, Path, Problem, Query, Result},
    reports::{self, Cell, Language, Sheet},
    services::Command,
    verdicts::{Judged, PictureOrder},
    views::finite,
    words::{CauseWord, LevelWord},
};
use axum::{Json, extract::State, http::StatusCode, response::Response};
use bytes::Bytes;
use fleet::{Camera, Cause, Registry, Wall};
use picture::{CLASSES, CameraSettings, Level, Region, settable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{ClassSetting, DiagnosisSetting, FaultLevel};
use utoipa::{IntoParams, ToSchema};

/// One class as it is judged on one camera.
#[derive(Serialize, ToSchema)]
pub(crate) struct ClassRule {
    cause: CauseWord,
    /// Judged on this camera.
    on: bool,
    /// Switched off for every camera in the configuration; it cannot be switched on here.
    off_for_all: bool,
    /// The limit set for this camera; null: it follows the configuration and what the camera usually shows.
    limit: Option<f32>,
    /// The configuration's limit; null for a class without one.
    usual: Option<f32>,
    /// Limits that can be set.
    lowest: Option<f32>,
    highest: Option<f32>,
}

/// Every class, as it is judged on this camera.
pub(crate) fn rules(app: &App, judged: &Judged) -> Vec<ClassRule> {
    let config = &app.services.diagnosis;
    let rule = |cause: Cause| {
        let range = settable(cause);
        let limit = judged.settings.limits.iter().find(|(c, _)| *c == cause).map(|(_, limit)| finite(*limit));
        let off_for_all = config.off.contains(&cause);
        ClassRule {
            cause: cause.into(),
            on: !off_for_all && !judged.settings.off.contains(&cause),
            off_for_all,
            limit,
            usual: config.limit(cause),
            lowest: range.as_ref().map(|r| *r.start()),
            highest: range.as_ref().map(|r| *r.end()),
        }
    };
    CLASSES.map(rule).into()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Classes {
    /// What differs from every other camera; whatever is not named is judged as everywhere.
    classes: Vec<Class>,
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Class {
    cause: CauseWord,
    /// Whether it is judged on this camera.
    on: bool,
    /// The limit that holds for this camera.
    limit: Option<f32>,
}

/// Set which classes are judged on one camera, and with which limits
#[utoipa::path(put, path = "/api/v1/cameras/{id}/picture/classes", tag = "pictures", params(("id" = u32, Path)),
    request_body = Classes, responses((status = 204), (status = 400), (status = 404)))]
pub(crate) async fn set_classes(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<u32>,
    Body(body): Body<Classes>,
) -> Result<StatusCode> {
    let camera = caller.camera(&app.services.registry.load_full(), id)?.id;
    let why = reason(&body.reason)?;
    let mut settings = CameraSettings::default();
    let mut named = BTreeSet::new();
    for class in &body.classes {
        if !named.insert(class.cause.0) {
            return Err(Problem::invalid(format!("classes: {} is named twice", class.cause.0)));
        }
        if !class.on {
            settings.off.push(class.cause.0);
        }
        settings.limits.extend(class.limit.map(|limit| (class.cause.0, limit)));
    }
    match settings.fault() {
        Some((cause, Some(range))) => {
            let (low, high) = (range.start(), range.end());
            return Err(Problem::invalid(format!("classes: the limit of {cause} must be {low} to {high}")));
        }
        Some((cause, None)) => {
            return Err(Problem::invalid(format!("classes: {cause} is no class with a setting of that kind")));
        }
        None => {}
    }
    let differs = |class: &&Class| !class.on || class.limit.is_some();
    let classes: Vec<ClassSetting> = body
        .classes
        .iter()
        .filter(differs)
        .map(|class| ClassSetting { cause: class.cause.0, off: !class.on, limit: class.limit })
        .collect();
    let words = classes.iter().map(|c| match (c.off, c.limit) {
        (true, _) => format!("{} off", c.cause),
        (false, Some(limit)) => format!("{} limit {limit}", c.cause),
        (false, None) => c.cause.to_string(),
    });
    let detail = if classes.is_empty() { "as every camera".to_owned() } else { words.collect::<Vec<_>>().join(", ") };
    app.audit(Deed::of(&caller, Action::DiagnosisSet).on(camera).because(why).detail(detail)).await?;
    let setting = DiagnosisSetting { camera, classes, who: caller.user.name.clone(), at: Wall::read() };
    app.services.store.set_diagnosis(&setting).await?;
    app.command(Command::Picture(PictureOrder::Set { camera, settings })).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was found on a camera's picture when a snapshot was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundView {
    cause: CauseWord,
    level: LevelWord,
    confidence: f32,
    measured: f32,
    threshold: f32,
    detail: String,
    since: i64,
    /// Null while it lasts.
    until: Option<i64>,
    areas: Vec<AreaView>,
    /// A camera that showed the same.
    twin: Option<u32>,
}

/// What the diagnosis had found when a snapshot was taken
#[utoipa::path(get, path = "/api/v1/snapshots/{id}/findings", tag = "snapshots", params(("id" = String, Path)),
    responses((status = 200, body = Vec<FoundView>), (status = 404)))]
pub(crate) async fn found(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<FoundView>>> {
    let known: archive::SnapshotId = id.parse().map_err(|_| Problem::not_found())?;
    let registry = app.services.registry.load_full();
    let camera = caller.camera(&registry, known.camera().0)?.id;
    let snapshot = app.archived(camera, &id).await?.ok_or_else(Problem::not_found)?;
    let found = app.services.store.findings_at(camera, Wall(snapshot.captured)).await?;
    let view = |f: store::FindingRecord| FoundView {
        cause: f.cause.into(),
        level: level(f.level).into(),
        confidence: finite(f.confidence),
        measured: finite(f.measured),
        threshold: finite(f.threshold),
        detail: f.detail,
        since: f.since.0,
        until: f.until.map(|t| t.0),
        areas: AreaView::of(Region::from_bytes(&f.region).unwrap_or(Region::ALL)),
        twin: f.twin.filter(|t| caller.scope.sees_camera(&registry, *t)).map(|t| t.0),
    };
    Ok(Json(found.into_iter().map(view).collect()))
}

fn level(level: FaultLevel) -> Level {
    match level {
        FaultLevel::Slight => Level::Slight,
        FaultLevel::Severe => Level::Severe,
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultsQuery {
    /// csv or xlsx.
    #[param(inline)]
    format: FileFormat,
    /// zh-CN or en.
    #[param(inline)]
    language: Option<Language>,
    /// Only cameras of this town.
    town: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FileFormat {
    Csv,
    Xlsx,
}

/// Every camera's newest result of the diagnosis, as a file
#[utoipa::path(get, path = "/api/v1/diagnosis/results/file", tag = "pictures", params(ResultsQuery),
    responses((status = 200, content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), (status = 400)))]
pub(crate) async fn results(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ResultsQuery>,
) -> Result<Response> {
    let registry = app.services.registry.load_full();
    let language = query.language.unwrap_or_default();
    let sheet = sheet(&app, &caller, &registry, language, query.town);
    let kind = match query.format {
        FileFormat::Csv => "csv",
        FileFormat::Xlsx => "xlsx",
    };
    let name = format!("sharpeyes-diagnosis-{}.{kind}", Wall::read().0 / 1000);
    app.audit(Deed::of(&caller, Action::ReportExported).on(&name)).await?;
    let made = match query.format {
        FileFormat::Csv => (reports::CSV, Bytes::from(reports::csv(&sheet))),
        FileFormat::Xlsx => {
            let made = tokio::task::spawn_blocking(move || reports::xlsx(&sheet)).await;
            let made = made.map_err(|e| Problem::internal("a workbook was not made", e))?;
            (reports::XLSX, Bytes::from(made.map_err(|e| Problem::internal("a workbook was not made", e))?))
        }
    };
    Ok(attachment(made.0, &name, axum::body::Body::from(made.1)))
}

/// The class as products of the field call it: Chinese, English. `../shared/facts/china-practice.md` §2.1.
fn product_name(cause: Cause) -> (&'static str, &'static str) {
    match cause {
        Cause::PictureBlack => ("信号丢失/黑屏", "signal loss, black"),
        Cause::PictureCovered => ("视频遮挡", "occlusion"),
        Cause::PictureStripes => ("条纹干扰", "stripes"),
        Cause::PictureNoise => ("雪花噪声", "snow, noise"),
        Cause::PictureTooDark => ("亮度异常（过暗）", "brightness (dark)"),
        Cause::PictureTooBright => ("亮度异常（过亮）", "brightness (bright)"),
        Cause::PictureColourCast => ("偏色", "colour cast"),
        Cause::PictureBlurred => ("清晰度异常", "blur, defocus"),
        Cause::SceneMoved => ("场景变换", "scene change"),
        Cause::PictureFrozen => ("画面冻结", "freeze"),
        Cause::SamePicture => ("画面重复", "same picture"),
        other => other.text(),
    }
}

fn sheet(app: &App, caller: &Caller, registry: &Registry, language: Language, town: Option<u32>) -> Sheet {
    let pick = |(zh, en): (&'static str, &'static str)| language.pick(zh, en);
    let board = app.services.board.load_full();
    let when = reports::local;
    let mut headings = vec![
        language.pick("编号", "number"),
        language.pick("国标编码", "GB/T 28181 code"),
        language.pick("摄像机", "camera"),
        language.pick("点位", "site"),
        language.pick("乡镇", "town"),
        language.pick("诊断结果", "result"),
    ];
    headings.extend(CLASSES.map(|class| pick(product_name(class))));
    headings.extend([language.pick("诊断时间", "judged"), language.pick("依据", "evidence")]);
    let mut counts = [0u32; 2];
    let wanted = |camera: &&Camera| {
        let site = registry.site(camera.site);
        caller.scope.sees_site(registry, camera.site) && town.is_none_or(|t| site.is_some_and(|s| s.town.0 == t))
    };
    let rows = registry.cameras().filter(wanted).map(|camera| {
        let judged = app.services.verdicts.get(camera.id);
        let outcome = PictureOutcome::of(&board, camera.id, judged.as_deref());
        counts[0] += u32::from(outcome.is_judged());
        counts[1] += u32::from(outcome == PictureOutcome::Normal);
        let site = registry.site(camera.site);
        let town = site.and_then(|s| registry.town(s.town));
        let text = |text: &str| Cell::Text(text.to_owned());
        let mut cells = vec![
            text(&camera.id.to_string()),
            text(camera.gb_code.as_ref().map_or("", |c| &c.0)),
            text(&camera.name),
            text(site.map_or("", |s| s.name.as_str())),
            text(town.map_or("", |t| t.name.as_str())),
            text(pick(outcome.text())),
        ];
        let off = |class| {
            app.services.diagnosis.off.contains(&class)
                || judged.as_ref().is_some_and(|j| j.settings.off.contains(&class))
        };
        for class in CLASSES {
            let found = judged.as_ref().and_then(|j| j.findings.iter().find(|h| h.finding.cause == class));
            let of_class = match found {
                _ if !outcome.is_judged() || off(class) => PictureOutcome::NotChecked,
                Some(held) => held.finding.level.into(),
                None => PictureOutcome::Normal,
            };
            cells.push(text(pick(of_class.text())));
        }
        let at = judged.as_ref().and_then(|j| j.at).filter(|_| outcome.is_judged());
        cells.push(Cell::Text(at.map_or_else(String::new, when)));
        let evidence = match (outcome, &judged) {
            (PictureOutcome::Slight | PictureOutcome::Severe, Some(judged)) => {
                judged.findings.iter().map(|h| h.finding.detail.as_str()).collect::<Vec<_>>().join("; ")
            }
            (PictureOutcome::Normal, _) => String::new(),
            _ => board.camera(camera.id).and_then(|row| row.cause).map_or(String::new(), |c| pick(c.text()).to_owned()),
        };
        cells.push(Cell::Text(evidence));
        cells
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let rate = if counts[0] == 0 {
        "–".to_owned()
    } else {
        format!("{:.2}%", 100.0 * f64::from(counts[1]) / f64::from(counts[0]))
    };
    Sheet {
        language,
        title: language.pick("视频质量诊断结果", "results of the picture diagnosis").to_owned(),
        about: vec![
            (language.pick("生成时间", "made"), when(Wall::read())),
            (language.pick("摄像机", "cameras"), rows.len().to_string()),
            (language.pick("已诊断", "judged"), counts[0].to_string()),
            (language.pick("画面正常率", "normal share"), rate),
        ],
        headings,
        rows,
        formulas: vec![(
            language.pick("画面正常率", "normal share"),
            language.pick(
                "结果为“正常”的摄像机数 ÷ 结果为“正常”“轻微”“严重”的摄像机数；未检测、登录失败、无视频流、无法解码不计入",
                "cameras with result normal ÷ cameras with result normal, slight or severe; not checked, login failed, no stream and not decoded do not count",
            ),
        )],
    }
}
