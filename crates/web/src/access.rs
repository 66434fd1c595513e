//! Which role may use which route: one table, checked in one place, closed by default.
//!
//! A route that is not in the table answers nobody, and a test compares the table with every route served.

use crate::{
    app::App,
    caller::{Caller, Peer},
    problem::Problem,
    session::{self, Signed, TokenHash, Use},
    tokens,
    users::Duties,
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::IpAddr;
use store::Role::{self, Administrator, Auditor, Operator, Security, Technician};

/// Who may use a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    /// Anybody: signing in.
    Anyone,
    /// Anybody signed in, also while the password must be changed.
    Session,
    /// Signed in, with one of these roles, a password of his own and the second factor his role must have.
    Roles(&'static [Role]),
    /// The same, and a person: what is signed with one's name.
    Signed(&'static [Role]),
    /// The same; which roles depends on whether duties are apart 三员分立.
    Duty { together: &'static [Role], apart: &'static [Role] },
}

impl Access {
    /// The roles that may; `None` if it takes no role.
    fn roles(self, duties: Duties) -> Option<&'static [Role]> {
        match self {
            Anyone | Session => None,
            Roles(roles) | Access::Signed(roles) => Some(roles),
            Duty { together, apart } => Some(if duties == Duties::Apart { apart } else { together }),
        }
    }
}

use Access::{Anyone, Duty, Roles, Session};

/// Names and words: what every page needs.
const EVERYBODY: Access = Roles(&Role::ALL);
/// The state of the county. Whoever gives rights 安全管理员 does not look.
const ALL: Access = Roles(&[Operator, Technician, Auditor, Administrator]);
const WATCH: Access = Roles(&[Operator, Technician, Administrator]);
const DESK: Access = Roles(&[Operator, Administrator]);
const SIGNED_DESK: Access = Access::Signed(&[Operator, Administrator]);
const ARCHIVE: Access = Roles(&[Operator, Auditor, Administrator]);
const EVIDENCE: Access = Duty { together: &[Auditor, Administrator], apart: &[Auditor] };
const ADMIN: Access = Roles(&[Administrator]);
/// Accounts, sessions and tokens.
const PEOPLE: Access = Duty { together: &[Administrator, Security], apart: &[Security] };

/// Method, path as registered, who.
const TABLE: &[(Method, &str, Access)] = &[
    (Method::POST, "/api/v1/session", Anyone),
    (Method::GET, "/api/v1/session", Session),
    (Method::DELETE, "/api/v1/session", Session),
    (Method::POST, "/api/v1/session/password", Session),
    (Method::GET, "/api/v1/session/second-factor", Session),
    (Method::POST, "/api/v1/session/second-factor", Session),
    (Method::PUT, "/api/v1/session/second-factor", Session),
    (Method::POST, "/api/v1/session/second-factor/removal", Session),
    (Method::GET, "/api/v1/sessions", Session),
    (Method::DELETE, "/api/v1/sessions/{id}", Session),
    (Method::GET, "/api/v1/openapi.json", EVERYBODY),
    (Method::GET, "/api/v1/vocabulary", EVERYBODY),
    (Method::GET, "/api/v1/fleet", EVERYBODY),
    (Method::GET, "/api/v1/states", ALL),
    (Method::GET, "/api/v1/events", ALL),
    (Method::GET, "/api/v1/overview", ALL),
    (Method::GET, "/api/v1/cameras/{id}", ALL),
    (Method::GET, "/api/v1/cameras/{id}/ladder", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/probe", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/climb", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/check", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/pause", DESK),
    (Method::DELETE, "/api/v1/cameras/{id}/certificate", ADMIN),
    (Method::GET, "/api/v1/cameras/{id}/history", ALL),
    (Method::GET, "/api/v1/cameras/{id}/thumbnail", WATCH),
    (Method::GET, "/api/v1/cameras/{id}/live", WATCH),
    (Method::GET, "/api/v1/cameras/{id}/picture", ALL),
    (Method::POST, "/api/v1/cameras/{id}/picture/confirm", WATCH),
    (Method::POST, "/api/v1/cameras/{id}/picture/false-alarm", DESK),
    (Method::DELETE, "/api/v1/cameras/{id}/picture/exceptions/{cause}", DESK),
    (Method::POST, "/api/v1/cameras/{id}/picture/baseline", DESK),
    (Method::PUT, "/api/v1/cameras/{id}/picture/classes", ADMIN),
    (Method::GET, "/api/v1/diagnosis/results/file", ARCHIVE),
    (Method::GET, "/api/v1/snapshots/{id}/findings", ARCHIVE),
    (Method::GET, "/api/v1/incidents", ALL),
    (Method::GET, "/api/v1/incidents/{id}", ALL),
    (Method::POST, "/api/v1/incidents/{id}/acknowledge", DESK),
    (Method::GET, "/api/v1/incidents/{id}/orders", ALL),
    (Method::GET, "/api/v1/channels", ADMIN),
    (Method::POST, "/api/v1/channels", ADMIN),
    (Method::GET, "/api/v1/channels/{id}", ADMIN),
    (Method::PUT, "/api/v1/channels/{id}", ADMIN),
    (Method::DELETE, "/api/v1/channels/{id}", ADMIN),
    (Method::POST, "/api/v1/channels/{id}/test", ADMIN),
    (Method::GET, "/api/v1/channels/deliveries", ADMIN),
    (Method::GET, "/api/v1/mailings", ADMIN),
    (Method::POST, "/api/v1/mailings", ADMIN),
    (Method::GET, "/api/v1/mailings/{id}", ADMIN),
    (Method::PUT, "/api/v1/mailings/{id}", ADMIN),
    (Method::DELETE, "/api/v1/mailings/{id}", ADMIN),
    (Method::POST, "/api/v1/mailings/{id}/test", ADMIN),
    (Method::GET, "/api/v1/mailings/sendings", ADMIN),
    (Method::GET, "/api/v1/windows", ALL),
    (Method::POST, "/api/v1/windows", DESK),
    (Method::POST, "/api/v1/windows/{id}/end", DESK),
    (Method::GET, "/api/v1/excuses", ALL),
    (Method::POST, "/api/v1/excuses", DESK),
    (Method::POST, "/api/v1/excuses/{id}/decide", SIGNED_DESK),
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
    (Method::GET, "/api/v1/users", PEOPLE),
    (Method::POST, "/api/v1/users", PEOPLE),
    (Method::GET, "/api/v1/users/{id}", PEOPLE),
    (Method::PATCH, "/api/v1/users/{id}", PEOPLE),
    (Method::POST, "/api/v1/users/{id}/password", PEOPLE),
    (Method::GET, "/api/v1/users/{id}/sessions", PEOPLE),
    (Method::DELETE, "/api/v1/users/{id}/sessions", PEOPLE),
    (Method::DELETE, "/api/v1/users/{id}/second-factor", PEOPLE),
    (Method::GET, "/api/v1/tokens", PEOPLE),
    (Method::POST, "/api/v1/tokens", PEOPLE),
    (Method::DELETE, "/api/v1/tokens/{id}", PEOPLE),
    (Method::GET, "/api/v1/audit", EVIDENCE),
    (Method::GET, "/api/v1/audit/file", EVIDENCE),
    (Method::POST, "/api/v1/import", ADMIN),
    (Method::GET, "/api/v1/register/cameras/{id}", ADMIN),
    (Method::POST, "/api/v1/register/cameras", ADMIN),
    (Method::POST, "/api/v1/register/trial", ADMIN),
    (Method::GET, "/api/v1/register/sites/{id}", ADMIN),
    (Method::PUT, "/api/v1/register/sites/{id}", ADMIN),
    (Method::GET, "/api/v1/register/uplinks/{id}", ADMIN),
    (Method::PUT, "/api/v1/register/uplinks/{id}", ADMIN),
    (Method::GET, "/api/v1/register/changes", ADMIN),
    (Method::POST, "/api/v1/register/changes/{id}/undo", ADMIN),
    (Method::GET, "/api/v1/register/file", ADMIN),
    (Method::GET, "/api/v1/reports", ALL),
    (Method::GET, "/api/v1/reports/file", ARCHIVE),
    (Method::GET, "/api/v1/reports/intervals", ARCHIVE),
    (Method::GET, "/api/v1/shift", ARCHIVE),
    (Method::GET, "/api/v1/handovers", ARCHIVE),
    (Method::POST, "/api/v1/handovers", SIGNED_DESK),
    (Method::GET, "/api/v1/handovers/{id}", ARCHIVE),
    (Method::POST, "/api/v1/handovers/{id}/take", SIGNED_DESK),
    (Method::GET, "/api/v1/self", DESK),
    (Method::GET, "/api/v1/retention", ADMIN),
    (Method::GET, "/api/v1/map", ALL),
    (Method::GET, "/api/v1/map/tiles", ALL),
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
    let Peer(address) = Peer::of(request.extensions());
    let roles = access.roles(app.services.config.duties);
    let shown = tokens::shown(request.headers()).map(tokens::hash);
    let cookie = session::token_of(request.headers()).and_then(session::hash);
    let caller = match shown {
        Some(token) => machine(app, token, address).await?,
        None => person(app, cookie, address, roles.is_some(), usage(request.headers())).await?,
    };
    match roles {
        Some(roles) if !roles.contains(&caller.user.role) => return Err(Problem::forbidden()),
        // A program has no password, no browser and no phone.
        None if caller.machine => return Err(Problem::forbidden()),
        // Evidence leaves, and accounts change, on the word of a person.
        Some(_) if caller.machine && matches!(access, Duty { .. }) && *request.method() != Method::GET => {
            return Err(Problem::forbidden());
        }
        Some(_) if caller.machine && matches!(access, Access::Signed(_)) => return Err(Problem::forbidden()),
        _ => {}
    }
    request.extensions_mut().insert(caller);
    Ok(())
}

async fn machine(app: &App, token: Option<TokenHash>, address: IpAddr) -> Result<Caller, Problem> {
    let token = token.ok_or_else(Problem::unauthenticated)?;
    let found = tokens::check(app.services.store.as_ref(), &token).await?;
    let (user, scope) = found.ok_or_else(Problem::unauthenticated)?;
    Ok(Caller { user, scope, token, machine: true, enrolled: true, address })
}

/// Whether a request shows that somebody is there: not what a page asks for by itself (`x-unattended`), nor the pictures
/// that it shows then.
fn usage(headers: &HeaderMap) -> Use {
    let picture = headers.get("sec-fetch-dest").is_some_and(|dest| dest == "image");
    if picture || headers.contains_key("x-unattended") { Use::No } else { Use::Yes }
}

/// `complete`: his password must be his own, and his second factor set up if his role must have one.
async fn person(
    app: &App,
    token: Option<TokenHash>,
    address: IpAddr,
    complete: bool,
    usage: Use,
) -> Result<Caller, Problem> {
    let token = token.ok_or_else(Problem::unauthenticated)?;
    let signed = app.sessions.look_up(&token, usage).await?.ok_or_else(Problem::unauthenticated)?;
    let first = |code, what| Err(Problem::new(StatusCode::FORBIDDEN, code, what));
    if complete && signed.user.must_change_password {
        return first("password_change_required", "choose a password of your own first");
    }
    if complete && !signed.enrolled && app.needs_second_factor(&signed.user) {
        return first("second_factor_missing", "your role must have a second factor: set it up first");
    }
    let Signed { user, scope, enrolled, .. } = signed;
    Ok(Caller { user, scope, token, machine: false, enrolled, address })
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
