//! The demo's panel: causing troubles in the simulated county. Not there outside a demo.

use crate::{
    api::vocabulary::Word,
    app::App,
    audit::{Action, Deed},
    caller::Caller,
    demo::{Demo, DemoError, DemoTarget},
    problem::{Body, Problem, Result},
};
use axum::{Json, extract::State, http::StatusCode};
use fleet::{CameraId, Registry, SiteId, UplinkId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct DemoState {
    /// Every trouble that can be caused.
    faults: Vec<Word>,
    active: Vec<ActiveView>,
}

#[derive(Serialize, ToSchema)]
struct ActiveView {
    target: TargetView,
    fault: String,
}

/// Which simulated cameras.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetView {
    kind: TargetKind,
    /// Absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TargetKind {
    Camera,
    Site,
    Uplink,
    All,
}

impl From<DemoTarget> for TargetView {
    fn from(target: DemoTarget) -> TargetView {
        let (kind, id) = match target {
            DemoTarget::Camera(id) => (TargetKind::Camera, Some(id.0)),
            DemoTarget::Site(id) => (TargetKind::Site, Some(id.0)),
            DemoTarget::Uplink(id) => (TargetKind::Uplink, Some(id.0)),
            DemoTarget::All => (TargetKind::All, None),
        };
        TargetView { kind, id }
    }
}

fn simulation(app: &App) -> Result<Arc<dyn Demo>> {
    app.services.demo.clone().ok_or_else(Problem::not_found)
}

/// Troubles that can be caused, and those going on; 404 outside a demo
#[utoipa::path(get, path = "/api/v1/demo", tag = "demo", responses((status = 200, body = DemoState), (status = 404)))]
pub(crate) async fn state(State(app): State<App>, caller: Caller) -> Result<Json<DemoState>> {
    let demo = simulation(&app)?;
    let faults = demo.faults().await;
    let mut active = demo.active().await?;
    let registry = app.services.registry.load_full();
    active.retain(|a| seen(&caller, &registry, a.target));
    Ok(Json(DemoState {
        faults: faults.into_iter().map(|f| Word { code: f.code, zh: f.zh, en: f.en }).collect(),
        active: active.into_iter().map(|a| ActiveView { target: a.target.into(), fault: a.fault }).collect(),
    }))
}

/// What a trouble is caused to has cameras in the caller's scope.
fn seen(caller: &Caller, registry: &Registry, target: DemoTarget) -> bool {
    let mine = |c: &&fleet::Camera| caller.scope.sees_site(registry, c.site);
    match target {
        DemoTarget::Camera(id) => caller.scope.sees_camera(registry, id),
        DemoTarget::Site(id) => caller.scope.sees_site(registry, id),
        DemoTarget::Uplink(id) => registry.cameras().filter(|c| c.uplink == Some(id)).any(|c| mine(&c)),
        DemoTarget::All => true,
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultRequest {
    target: TargetView,
    fault: String,
    on: bool,
}

/// Cause or end a trouble
#[utoipa::path(post, path = "/api/v1/demo/fault", tag = "demo", request_body = FaultRequest,
    responses((status = 204), (status = 400), (status = 404)))]
pub(crate) async fn fault(
    State(app): State<App>,
    caller: Caller,
    Body(FaultRequest { target, fault, on }): Body<FaultRequest>,
) -> Result<StatusCode> {
    let demo = simulation(&app)?;
    let registry = app.services.registry.load_full();
    let target = match (target.kind, target.id) {
        (TargetKind::All, None) if caller.scope.is_everything() => DemoTarget::All,
        (TargetKind::Camera, Some(id)) => DemoTarget::Camera(caller.camera(&registry, id)?.id),
        (TargetKind::Site, Some(id)) if caller.scope.sees_site(&registry, SiteId(id)) => {
            registry.site(SiteId(id)).ok_or_else(Problem::not_found)?;
            DemoTarget::Site(SiteId(id))
        }
        (TargetKind::Uplink, Some(id)) => {
            let of_it = |id| registry.cameras().filter(move |c| c.uplink == Some(id)).map(|c| c.id);
            let cameras: Vec<CameraId> = of_it(UplinkId(id)).collect();
            if cameras.is_empty() || !cameras.iter().all(|c| caller.scope.sees_camera(&registry, *c)) {
                return Err(Problem::not_found());
            }
            DemoTarget::Uplink(UplinkId(id))
        }
        (TargetKind::Site, Some(_)) => return Err(Problem::not_found()),
        _ => return Err(Problem::invalid("target: expected a kind, and an id unless it is all")),
    };
    if !demo.faults().await.iter().any(|f| f.code == fault) {
        return Err(Problem::invalid("fault: not one that can be caused"));
    }
    let object = serde_json::to_string(&target).unwrap_or_default();
    let detail = format!("{fault} {}", if on { "on" } else { "off" });
    app.audit(Deed::of(&caller, Action::DemoFault).on(object).detail(detail)).await?;
    demo.set(target, &fault, on).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<DemoError> for Problem {
    fn from(error: DemoError) -> Problem {
        match error {
            DemoError::Invalid(why) => Problem::invalid(why),
            DemoError::Failed(why) => Problem::internal("the simulation failed", why),
        }
    }
}
