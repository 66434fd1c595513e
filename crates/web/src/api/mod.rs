//! The JSON API, version 1: one module per part. Handlers find a [`Caller`](crate::caller::Caller) whose role
//! allows the route; what is in his scope they check themselves.

pub(crate) mod audit;
pub(crate) mod cameras;
pub(crate) mod channels;
pub(crate) mod demo;
mod diagnosis;
pub(crate) mod excuses;
pub(crate) mod exports;
pub(crate) mod fleet;
pub(crate) mod handovers;
pub(crate) mod holds;
pub(crate) mod import;
pub(crate) mod incidents;
pub(crate) mod mailings;
pub(crate) mod map;
pub(crate) mod node;
pub(crate) mod order_acts;
pub(crate) mod order_figures;
pub(crate) mod order_pictures;
pub(crate) mod orders;
pub(crate) mod overview;
pub(crate) mod picture;
pub(crate) mod register;
pub(crate) mod reports;
pub(crate) mod retention;
pub(crate) mod second_factor;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod snapshots;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod vocabulary;
pub(crate) mod windows;

use crate::{app::App, events, live, problem::ProblemBody};
use axum::{Json, extract::DefaultBodyLimit, http::header, response::IntoResponse};
use std::sync::OnceLock;
use utoipa::{
    OpenApi,
    openapi::{
        Content, Ref, RefOr, Response,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

#[derive(OpenApi)]
#[openapi(
    info(title = "SharpEyes", description = "State, incidents and snapshots of a county's cameras. Times are milliseconds \
        since 1970-01-01 UTC; errors are RFC 9457 problems with a stable `code`; lists are paged by `cursor`."),
    components(schemas(ProblemBody)),
    security(("session" = []), ("token" = []))
)]
struct Document;

/// Every route of the API and its description, from one source.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(session::sign_in, session::whoami, session::sign_out))
        .routes(routes!(session::change_password))
        .routes(routes!(second_factor::state, second_factor::begin, second_factor::finish))
        .routes(routes!(second_factor::remove))
        .routes(routes!(sessions::own))
        .routes(routes!(sessions::end_own))
        .routes(routes!(vocabulary::vocabulary))
        .routes(routes!(openapi))
        .routes(routes!(fleet::fleet))
        .routes(routes!(fleet::states))
        .routes(routes!(events::stream))
        .routes(routes!(overview::overview))
        .routes(routes!(cameras::camera))
        .routes(routes!(cameras::ladder))
        .routes(routes!(cameras::probe))
        .routes(routes!(cameras::climb))
        .routes(routes!(cameras::check))
        .routes(routes!(cameras::pause))
        .routes(routes!(cameras::forget_certificate))
        .routes(routes!(cameras::history))
        .routes(routes!(cameras::thumbnail))
        .routes(routes!(live::live))
        .routes(routes!(picture::picture))
        .routes(routes!(picture::confirm))
        .routes(routes!(picture::false_alarm))
        .routes(routes!(picture::end_exception))
        .routes(routes!(picture::baseline))
        .routes(routes!(diagnosis::set_classes))
        .routes(routes!(diagnosis::results))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::one))
        .routes(routes!(incidents::acknowledge))
        .routes(routes!(channels::list, channels::add))
        .routes(routes!(channels::one, channels::change, channels::remove))
        .routes(routes!(channels::test))
        .routes(routes!(channels::deliveries))
        .routes(routes!(mailings::list, mailings::add))
        .routes(routes!(mailings::one, mailings::change, mailings::remove))
        .routes(routes!(mailings::test))
        .routes(routes!(mailings::sendings))
        .routes(routes!(windows::list, windows::plan))
        .routes(routes!(windows::end))
        .routes(routes!(excuses::list, excuses::ask))
        .routes(routes!(excuses::decide))
        .routes(routes!(orders::list, orders::open))
        .routes(routes!(order_figures::figures))
        .routes(routes!(order_acts::assignees))
        .routes(routes!(orders::of_incident))
        .routes(routes!(orders::one))
        .routes(routes!(order_acts::act))
        .routes(routes!(order_pictures::verify))
        .routes(routes!(order_pictures::add).layer(DefaultBodyLimit::max(order_pictures::LARGEST)))
        .routes(routes!(order_pictures::picture))
        .routes(routes!(snapshots::search))
        .routes(routes!(snapshots::one))
        .routes(routes!(snapshots::picture))
        .routes(routes!(snapshots::original))
        .routes(routes!(snapshots::proof))
        .routes(routes!(diagnosis::found))
        .routes(routes!(snapshots::nearest))
        .routes(routes!(holds::list, holds::place))
        .routes(routes!(holds::release))
        .routes(routes!(exports::ask, exports::list))
        .routes(routes!(exports::verifier))
        .routes(routes!(exports::one, exports::remove))
        .routes(routes!(exports::decide))
        .routes(routes!(exports::file))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::one, users::change))
        .routes(routes!(users::reset_password))
        .routes(routes!(sessions::of_user, sessions::end_of_user))
        .routes(routes!(second_factor::remove_of_user))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::log))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::file))
        .routes(routes!(import::import).layer(DefaultBodyLimit::max(import::LARGEST)))
        .routes(routes!(register::record))
        .routes(routes!(register::edit))
        .routes(routes!(register::trial))
        .routes(routes!(register::site_record, register::site))
        .routes(routes!(register::uplink_record, register::uplink))
        .routes(routes!(register::changes))
        .routes(routes!(register::undo))
        .routes(routes!(register::file))
        .routes(routes!(node::own))
        .routes(routes!(retention::retention))
        .routes(routes!(reports::report))
        .routes(routes!(reports::file))
        .routes(routes!(reports::intervals))
        .routes(routes!(handovers::shift))
        .routes(routes!(handovers::list, handovers::give))
        .routes(routes!(handovers::one))
        .routes(routes!(handovers::take))
        .routes(routes!(map::map))
        .routes(routes!(map::bytes))
        .routes(routes!(demo::state))
        .routes(routes!(demo::fault))
}

/// What every error is, whatever the request wanted.
const PROBLEM: &str = "application/problem+json";

/// The description of the API.
pub(crate) fn documented() -> utoipa::openapi::OpenApi {
    let (_, mut document) = router().split_for_parts();
    document.info.version = crate::VERSION.to_owned();
    let problem = Ref::from_schema_name("Problem");
    for item in document.paths.paths.values_mut() {
        let operations =
            [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete].into_iter().flatten();
        for operation in operations {
            // Handlers are named for their module; programs generated from this need names of their own.
            if let (Some(name), Some(tag)) = (&operation.operation_id, operation.tags.as_ref().and_then(|t| t.first()))
            {
                operation.operation_id = Some(format!("{tag}_{name}"));
            }
            let told = || Content::new(Some(RefOr::Ref(problem.clone())));
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                if status.starts_with('4') || status.starts_with('5') {
                    response.content.insert(PROBLEM.to_owned(), told());
                }
                // The schema of an event stream would be that of one event; ours are of several kinds.
                if let Some(events) = response.content.get_mut("text/event-stream") {
                    events.schema = None;
                }
            }
            let mut refused = Response::new("What went wrong");
            refused.content.insert(PROBLEM.to_owned(), told());
            operation.responses.responses.insert("default".to_owned(), RefOr::T(refused));
        }
    }
    let components = document.components.get_or_insert_default();
    let cookie = ApiKey::Cookie(ApiKeyValue::new(crate::session::COOKIE));
    components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document
}

/// This description
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "about",
    responses((status = 200, description = "OpenAPI 3.1 document")))]
async fn openapi() -> impl IntoResponse {
    static TEXT: OnceLock<serde_json::Value> = OnceLock::new();
    let text = Json(TEXT.get_or_init(|| serde_json::to_value(documented()).unwrap_or_default()));
    ([(header::CACHE_CONTROL, "private, no-cache")], text)
}

/// Lists are cut to this many rows.
const MOST: u32 = 1000;

/// How many rows a client wants: 100 unless told, 1 to 1,000.
pub(crate) fn limit(asked: Option<u32>) -> crate::problem::Result<u32> {
    match asked {
        None => Ok(100),
        Some(n @ 1..=MOST) => Ok(n),
        Some(_) => Err(crate::problem::Problem::invalid("limit: expected 1 to 1000")),
    }
}

/// Something said by a person in some lines, at most 1,000 characters; may be empty.
fn note(text: Option<&str>) -> crate::problem::Result<String> {
    let text = text.unwrap_or_default().trim();
    if text.chars().count() <= 1000 && !text.chars().any(|c| c.is_control() && c != '\n') {
        Ok(text.to_owned())
    } else {
        Err(crate::problem::Problem::invalid("note: expected at most 1000 characters"))
    }
}

/// A reason given by a person: one line of at most 200 characters.
fn reason(text: &str) -> crate::problem::Result<String> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control);
    if good {
        Ok(text.to_owned())
    } else {
        Err(crate::problem::Problem::invalid("reason: expected 1 to 200 characters on one line"))
    }
}
