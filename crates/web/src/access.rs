//! Which role may use which route: one table, checked in one place, closed by default.
//!
//! A route that is not in the table answers nobody, and a test compares the table with every route served.

use crate::{
    app::App,
    caller::{Caller, Peer},
    problem::Problem,
    session,
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use store::Role::{self, Administrator, Auditor, Operator, Technician};

/// Who may use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// Anybody: signing in.
    Anyone,
    /// Anybody signed in, also while the password must be changed.
    Session,
    /// Signed in, with one of these roles and a password of his own.
    Roles(&'static [Role]),
}

use Access::{Anyone, Roles, Session};

const ALL: Access = Roles(&[Operator, Technician, Auditor, Administrator]);
const WATCH: Access = Roles(&[Operator, Technician, Administrator]);
const DESK: Access = Roles(&[Operator, Administrator]);
const ARCHIVE: Access = Roles(&[Operator, Auditor, Administrator]);
const EVIDENCE: Access = Roles(&[Auditor, Administrator]);
const ADMIN: Access = Roles(&[Administrator]);

/// Method, path as registered, who.
const TABLE: &[(Method, &str, Access)] = &[
    (Method::POST, "/api/v1/session", Anyone),
    (Method::GET, "/api/v1/session", Session),
    (Method::DELETE, "/api/v1/session", Session),
    (Method::POST, "/api/v1/session/password", Session),
    (Method::GET, "/api/v1/openapi.json", ALL),
    (Method::GET, "/api/v1/vocabulary", ALL),
    (Method::GET, "/api/v1/fleet", ALL),
    (Method::GET, "/api/v1/states", ALL),
    (Method::GET, "/api/v1/events", ALL),
    (Method::GET, "/api/v1/overview", ALL),
    (Method::GET, "/api/v1/cameras/{id}", ALL),
    (Method::GET, "/api/v1/cameras/{id}/ladder", ALL),
    (Method::POST, "/api/v1/cameras/{id}/probe", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/climb", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/check", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/pause", DESK),
    (Method::GET, "/api/v1/cameras/{id}/history", ALL),
    (Method::GET, "/api/v1/cameras/{id}/thumbnail", ALL),
    (Method::GET, "/api/v1/cameras/{id}/live", WATCH),
    (Method::GET, "/api/v1/cameras/{id}/picture", ALL),
    (Method::POST, "/api/v1/cameras/{id}/picture/confirm", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/picture/false-alarm", DESK),
    (Method::DELETE, "/api/v1/cameras/{id}/picture/exceptions/{cause}", DESK),
    (Method::POST, "/api/v1/cameras/{id}/picture/baseline", DESK),
    (Method::GET, "/api/v1/incidents", ALL),
    (Method::GET, "/api/v1/incidents/{id}", ALL),
    (Method::POST, "/api/v1/incidents/{id}/acknowledge", DESK),
    (Method::GET, "/api/v1/incidents/{id}/orders", ALL),
    (Method::GET, "/api/v1/channels", ADMIN),
    (Method::POST, "/api/v1/channels", ADMIN),
    (Method::PUT, "/api/v1/channels/{id}", ADMIN),
    (Method::DELETE, "/api/v1/channels/{id}", ADMIN),
    (Method::POST, "/api/v1/channels/{id}/test", ADMIN),
    (Method::GET, "/api/v1/channels/deliveries", ADMIN),
    (Method::GET, "/api/v1/windows", ALL),
    (Method::POST, "/api/v1/windows", DESK),
    (Method::POST, "/api/v1/windows/{id}/end", DESK),
    (Method::GET, "/api/v1/orders", ALL),
    (Method::POST, "/api/v1/orders", DESK),
    (Method::GET, "/api/v1/orders/figures", ARCHIVE),
    (Method::GET, "/api/v1/orders/assignees", DESK),
    (Method::GET, "/api/v1/orders/{id}", ALL),
    (Method::POST, "/api/v1/orders/{id}/act", WATCH),
    (Method::POST, "/api/v1/orders/{id}/verify", WATCH),
    (Method::POST, "/api/v1/orders/{id}/pictures", WATCH),
    (Method::GET, "/api/v1/orders/{id}/pictures/{picture}", ALL),
    (Method::GET, "/api/v1/snapshots", ARCHIVE),
    (Method::GET, "/api/v1/snapshots/{id}", ARCHIVE),
    (Method::GET, "/api/v1/snapshots/{id}/picture", ARCHIVE),
    (Method::GET, "/api/v1/snapshots/{id}/original", EVIDENCE),
    (Method::GET, "/api/v1/snapshots/{id}/proof", ARCHIVE),
    (Method::GET, "/api/v1/snapshots/nearest", ARCHIVE),
    (Method::GET, "/api/v1/holds", EVIDENCE),
    (Method::POST, "/api/v1/holds", EVIDENCE),
    (Method::POST, "/api/v1/holds/{id}/release", EVIDENCE),
    (Method::GET, "/api/v1/audit/verification", EVIDENCE),
    (Method::POST, "/api/v1/exports", EVIDENCE),
    (Method::GET, "/api/v1/exports", EVIDENCE),
    (Method::GET, "/api/v1/exports/verifier", EVIDENCE),
    (Method::GET, "/api/v1/exports/{id}", EVIDENCE),
    (Method::DELETE, "/api/v1/exports/{id}", EVIDENCE),
    (Method::POST, "/api/v1/exports/{id}/decision", EVIDENCE),
    (Method::GET, "/api/v1/exports/{id}/file", EVIDENCE),
    (Method::GET, "/api/v1/users", ADMIN),
    (Method::POST, "/api/v1/users", ADMIN),
    (Method::PATCH, "/api/v1/users/{id}", ADMIN),
    (Method::POST, "/api/v1/users/{id}/password", ADMIN),
    (Method::GET, "/api/v1/audit", EVIDENCE),
    (Method::POST, "/api/v1/import", ADMIN),
    (Method::GET, "/api/v1/reports", ALL),
    (Method::GET, "/api/v1/reports/file", ARCHIVE),
    (Method::GET, "/api/v1/reports/intervals", ARCHIVE),
    (Method::GET, "/api/v1/self", DESK),
    (Method::GET, "/api/v1/demo", ALL),
    (Method::POST, "/api/v1/demo/fault", DESK),
];

fn rule(method: &Method, path: &str) -> Option<Access> {
    // HEAD is answered by the handler of GET.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(m, p, _)| m == method && *p == path).map(|(.., access)| *access)
}

/// The check before every handler of the API.
pub(crate) async fn check(State(app): State<App>, mut request: Request, next: Next) -> Response {
    match admit(&app, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn admit(app: &App, request: &mut Request) -> Result<(), Problem> {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let Some(access) = rule(request.method(), path) else {
        if TABLE.iter().any(|(_, p, _)| *p == path) {
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this method does not exist here"));
        }
        tracing::error!(path, "a route without an access rule was asked for");
        return Err(Problem::forbidden());
    };
    if access == Anyone {
        return Ok(());
    }
    let token = session::token_of(request.headers()).and_then(session::hash).ok_or_else(Problem::unauthenticated)?;
    let signed = app.sessions.check(&token).await?.ok_or_else(Problem::unauthenticated)?;
    if let Roles(roles) = access {
        if signed.user.must_change_password {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "password_change_required",
                "choose a password of your own first",
            ));
        }
        if !roles.contains(&signed.user.role) {
            return Err(Problem::forbidden());
        }
    }
    let Peer(address) = Peer::of(request.extensions());
    request.extensions_mut().insert(Caller { user: signed.user, scope: signed.scope, token, address });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_names_exactly_the_routes_that_are_documented() {
        let served: BTreeSet<(String, String)> = crate::api::documented()
            .paths
            .paths
            .iter()
            .flat_map(|(path, item)| {
                [
                    ("GET", item.get.is_some()),
                    ("POST", item.post.is_some()),
                    ("PATCH", item.patch.is_some()),
                    ("PUT", item.put.is_some()),
                    ("DELETE", item.delete.is_some()),
                ]
                .into_iter()
                .filter(|(_, there)| *there)
                .map(|(method, _)| (method.to_owned(), path.clone()))
            })
            .collect();
        let ruled: BTreeSet<(String, String)> =
            TABLE.iter().map(|(m, p, _)| (m.to_string(), (*p).to_owned())).collect();
        assert_eq!(ruled.len(), TABLE.len(), "a route has two rules");
        assert_eq!(served, ruled);
    }
}
