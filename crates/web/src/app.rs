//! Everything the handlers share, and the router that ties them together.

use crate::{
    Services, access, api, caller::Caller, dashboard, enrolments::Enrolments, exports, exports::Exports,
    grants::Grants, guard, hub, hub::Hub, ladder::Climbs, mailings, meter::Meter, metrics, metrics::HttpMetrics,
    password, password::Hasher, pictures::Pictures, problem::Problem, session::Sessions, tally::Tally,
    throttle::Throttle, tiles::Tiles, tls::Tls, tokens, validator,
};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse,
    routing::{any, get},
};
use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};
use store::User;
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tower_http::{
    catch_panic::CatchPanicLayer,
    compression::{CompressionLayer, DefaultPredicate, Predicate, predicate::NotForContentType},
};

/// Largest JSON body, in bytes; the import has its own limit.
const LARGEST_BODY: usize = 256 << 10;

/// Shared state of the handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) services: Services,
    pub(crate) sessions: Sessions,
    pub(crate) hasher: Hasher,
    pub(crate) throttle: Throttle,
    pub(crate) grants: Grants,
    pub(crate) enrolments: Enrolments,
    pub(crate) hub: Arc<Hub>,
    pub(crate) pictures: Pictures,
    pub(crate) climbs: Climbs,
    pub(crate) exports: Arc<Exports>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) overview: api::overview::Cache,
    pub(crate) metrics: HttpMetrics,
    pub(crate) meter: Meter,
    pub(crate) event_streams: Arc<Semaphore>,
    pub(crate) live_viewers: Arc<Semaphore>,
    /// Photographs are decoded one at a time: each may need some hundred megabytes.
    pub(crate) photographs: Semaphore,
    /// Reports are sent as try-outs one at a time.
    pub(crate) trial_mails: Semaphore,
    /// What the pages are served with, if by TLS.
    pub(crate) certificate: OnceLock<Tls>,
    pub(crate) tiles: Option<Arc<Tiles>>,
    /// Changes of users and imports happen one after the other.
    pub(crate) administration: tokio::sync::Mutex<()>,
    stop: CancellationToken,
    _stop_at_the_end: DropGuard,
}

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Starts the hub and makes ready what handlers need.
    pub(crate) fn start(services: Services) -> App {
        let config = services.config.clone();
        let stop = CancellationToken::new();
        let hub = Arc::new(Hub::new(services.started.wall));
        tokio::spawn(hub::run(Arc::clone(&hub), services.clone(), stop.clone()));
        let tally = Tally::new(services.archive.clone(), stop.clone());
        // Of a full archive it takes a while: begun before the first one asks.
        tokio::spawn({
            let tally = Arc::clone(&tally);
            async move { tally.count().await }
        });
        tokio::task::spawn_blocking(password::warm_up);
        let app = App(Arc::new(Shared {
            sessions: Sessions::new(Arc::clone(&services.store), config.session_idle, config.session_longest),
            hasher: Hasher::new(),
            throttle: Throttle::new(config.failures_per_account, config.failures_per_address, config.first_wait),
            grants: Grants::new(config.reason_holds),
            enrolments: Enrolments::default(),
            hub,
            pictures: Pictures::new(services.archive.clone(), services.pool.clone(), config.picture_cache_bytes),
            climbs: Climbs::default(),
            exports: Arc::default(),
            tally,
            overview: api::overview::Cache::default(),
            metrics: HttpMetrics::new(),
            meter: Meter::default(),
            event_streams: Arc::new(Semaphore::new(config.event_streams)),
            live_viewers: Arc::new(Semaphore::new(config.live_viewers)),
            photographs: Semaphore::new(1),
            trial_mails: Semaphore::new(1),
            certificate: OnceLock::new(),
            tiles: config.map.clone(),
            administration: tokio::sync::Mutex::default(),
            services,
            _stop_at_the_end: stop.clone().drop_guard(),
            stop,
        }));
        tokio::spawn(exports::run(Arc::downgrade(&app.0), Arc::clone(&app.exports), app.stop.clone()));
        tokio::spawn(mailings::run(Arc::downgrade(&app.0), config.mailings_every, app.stop.clone()));
        app
    }

    /// Whether the user's role must have a second factor.
    pub(crate) fn needs_second_factor(&self, user: &User) -> bool {
        self.services.config.second_factor_roles.contains(&user.role)
    }

    /// Whether what was opened for a caller may go on: his session or token holds, for the same role and scope.
    pub(crate) async fn still_holds(&self, caller: &Caller) -> bool {
        let (user, scope) = if caller.machine {
            match tokens::check(self.services.store.as_ref(), &caller.token).await {
                Ok(Some(found)) => found,
                Ok(None) | Err(_) => return false,
            }
        } else {
            match self.sessions.check_only(&caller.token).await {
                Ok(Some(signed)) => (signed.user, signed.scope),
                Ok(None) | Err(_) => return false,
            }
        };
        user.role == caller.user.role && *scope == *caller.scope && !user.must_change_password
    }

    /// Cancelled when event streams must end.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Metrics, and whether the node lives and can work.
    pub(crate) fn signs_of_life(&self) -> Router {
        Router::new()
            .route("/livez", get(metrics::livez))
            .route("/readyz", get(metrics::readyz))
            .route("/metrics", get(metrics::all))
            .route("/metrics/cameras", get(metrics::cameras))
            .layer(CompressionLayer::new().gzip(true))
            .layer(from_fn_with_state(self.clone(), guard::time_limit))
            .layer(CatchPanicLayer::custom(guard::panicked))
            .layer(from_fn_with_state(self.clone(), metrics::count))
            .layer(from_fn_with_state(self.clone(), guard::headers))
            .layer(from_fn_with_state(self.clone(), guard::behind_proxy))
            .with_state(self.clone())
    }

    /// Dashboard and API.
    pub(crate) fn router(&self) -> Router {
        let (api, _) = api::router().split_for_parts();
        let api = api
            .route_layer(from_fn_with_state(self.clone(), access::check))
            .layer(from_fn(validator::validate))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .layer(from_fn(guard::same_origin));
        Router::new()
            .merge(api)
            .route("/api", any(nothing))
            .route("/api/", any(nothing))
            .route("/api/{*rest}", any(nothing))
            .fallback(dashboard::serve)
            .method_not_allowed_fallback(async || {
                Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this method does not exist here")
            })
            .layer(CompressionLayer::new().gzip(true).compress_when(worth_compressing()))
            .layer(from_fn_with_state(self.clone(), guard::time_limit))
            .layer(CatchPanicLayer::custom(guard::panicked))
            .layer(from_fn_with_state(self.clone(), metrics::count))
            .layer(from_fn_with_state(self.clone(), guard::headers))
            .layer(from_fn_with_state(self.clone(), guard::behind_proxy))
            .with_state(self.clone())
    }
}

/// Not evidence nor map tiles: they are compressed already, and what is asked for by range must be the same bytes.
fn worth_compressing() -> impl Predicate {
    let [zip, bytes] = ["application/zip", "application/octet-stream"].map(NotForContentType::const_new);
    DefaultPredicate::new().and(zip).and(bytes)
}

/// The router alone, for whoever brings the socket; must be called within a tokio runtime.
pub fn router(services: Services) -> Router {
    let app = App::start(services);
    app.router().merge(app.signs_of_life())
}

/// What is not there; also outside the API there is no page below its addresses.
async fn nothing() -> Problem {
    Problem::not_found()
}

/// An answer without a body.
pub(crate) fn done() -> impl IntoResponse {
    StatusCode::NO_CONTENT
}
