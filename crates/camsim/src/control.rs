//! Faults switched over HTTP, from this machine only.

use crate::{Fault, SimError, Target, farm::County};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, sync::Arc};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    target: Target,
    fault: Fault,
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    on: bool,
}

#[derive(Serialize)]
struct Whole {
    cameras: usize,
    script: bool,
    active: Vec<Active>,
    truth: Vec<Truth>,
}

#[derive(Serialize)]
struct Active {
    target: Target,
    fault: Fault,
}

#[derive(Serialize)]
struct Truth {
    camera: u32,
    faults: Vec<Fault>,
}

#[derive(Serialize)]
struct Word {
    code: &'static str,
    zh: &'static str,
    en: &'static str,
}

/// Serves until the county ends; gives the address it got.
pub(crate) async fn serve(county: Arc<County>, addr: SocketAddr) -> Result<SocketAddr, SimError> {
    let failed = |source| SimError::Control { addr, source };
    let listener = tokio::net::TcpListener::bind(addr).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let stop = county.shared.stop.clone();
    let routes = Router::new()
        .route("/state", get(state))
        .route("/faults", get(faults))
        .route("/fault", post(fault))
        .route("/script", post(script))
        .layer(DefaultBodyLimit::max(4096))
        .with_state(county);
    tokio::spawn(async move {
        let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::warn!(%error, "the control address is no longer served");
        }
    });
    Ok(bound)
}

async fn state(State(county): State<Arc<County>>) -> Json<Whole> {
    Json(Whole {
        cameras: county.config.cameras.len(),
        script: county.script_runs(),
        active: county.active().into_iter().map(|(target, fault)| Active { target, fault }).collect(),
        truth: county.truth().into_iter().map(|(camera, faults)| Truth { camera, faults }).collect(),
    })
}

async fn faults() -> Json<Vec<Word>> {
    let word = |fault: &Fault| {
        let (zh, en) = fault.text();
        Word { code: fault.code(), zh, en }
    };
    Json(Fault::ALL.iter().map(word).collect())
}

async fn fault(
    State(county): State<Arc<County>>,
    Json(asked): Json<Switch>,
) -> Result<StatusCode, (StatusCode, String)> {
    county
        .fault(asked.target, asked.fault, asked.on)
        .map(|()| StatusCode::NO_CONTENT)
        .map_err(|error| (StatusCode::NOT_FOUND, error.to_string()))
}

async fn script(State(county): State<Arc<County>>, Json(asked): Json<Script>) -> StatusCode {
    county.play_script(asked.on);
    StatusCode::NO_CONTENT
}
