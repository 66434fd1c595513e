//! Every route, every role, and nobody: what is not in this list may not be served.

use crate::support::{Browser, County, code};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use store::Role::{self, Administrator, Auditor, Operator, Security, Technician};

/// Everybody who watches: all but those who only give rights.
const ALL: &[Role] = &[Operator, Technician, Auditor, Administrator];

/// What the specification says, written down apart from the code that enforces it.
pub(crate) const MAY: &[(&str, &[Role])] = &[
    ("GET /api/v1/session", &Role::ALL),
    ("DELETE /api/v1/session", &Role::ALL),
    ("POST /api/v1/session/password", &Role::ALL),
    ("GET /api/v1/openapi.json", &Role::ALL),
    ("GET /api/v1/vocabulary", &Role::ALL),
    ("GET /api/v1/fleet", &Role::ALL),
    ("GET /api/v1/states", ALL),
    ("GET /api/v1/events", ALL),
    ("GET /api/v1/overview", ALL),
    ("GET /api/v1/cameras/{id}", ALL),
    ("GET /api/v1/cameras/{id}/ladder", &[Operator, Technician, Administrator]),
    ("POST /api/v1/cameras/{id}/probe", &[Operator, Technician, Administrator]),
    ("POST /api/v1/cameras/{id}/climb", &[Operator, Technician, Administrator]),
    ("POST /api/v1/cameras/{id}/check", &[Operator, Technician, Administrator]),
    ("POST /api/v1/cameras/{id}/pause", &[Operator, Administrator]),
    ("DELETE /api/v1/cameras/{id}/certificate", &[Administrator]),
    ("GET /api/v1/cameras/{id}/history", ALL),
    ("GET /api/v1/cameras/{id}/thumbnail", &[Operator, Technician, Administrator]),
    ("GET /api/v1/cameras/{id}/live", &[Operator, Technician, Administrator]),
    ("GET /api/v1/cameras/{id}/picture", ALL),
    ("POST /api/v1/cameras/{id}/picture/confirm", &[Operator, Technician, Administrator]),
    ("POST /api/v1/cameras/{id}/picture/false-alarm", &[Operator, Administrator]),
    ("DELETE /api/v1/cameras/{id}/picture/exceptions/{cause}", &[Operator, Administrator]),
    ("POST /api/v1/cameras/{id}/picture/baseline", &[Operator, Administrator]),
    ("PUT /api/v1/cameras/{id}/picture/classes", &[Administrator]),
    ("GET /api/v1/diagnosis/results/file", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/snapshots/{id}/findings", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/incidents", ALL),
    ("GET /api/v1/incidents/{id}", ALL),
    ("POST /api/v1/incidents/{id}/acknowledge", &[Operator, Administrator]),
    ("GET /api/v1/incidents/{id}/orders", ALL),
    ("GET /api/v1/channels", &[Administrator]),
    ("POST /api/v1/channels", &[Administrator]),
    ("GET /api/v1/channels/{id}", &[Administrator]),
    ("PUT /api/v1/channels/{id}", &[Administrator]),
    ("DELETE /api/v1/channels/{id}", &[Administrator]),
    ("POST /api/v1/channels/{id}/test", &[Administrator]),
    ("GET /api/v1/channels/deliveries", &[Administrator]),
    ("GET /api/v1/mailings", &[Administrator]),
    ("POST /api/v1/mailings", &[Administrator]),
    ("GET /api/v1/mailings/{id}", &[Administrator]),
    ("PUT /api/v1/mailings/{id}", &[Administrator]),
    ("DELETE /api/v1/mailings/{id}", &[Administrator]),
    ("POST /api/v1/mailings/{id}/test", &[Administrator]),
    ("GET /api/v1/mailings/sendings", &[Administrator]),
    ("GET /api/v1/windows", ALL),
    ("POST /api/v1/windows", &[Operator, Administrator]),
    ("POST /api/v1/windows/{id}/end", &[Operator, Administrator]),
    ("GET /api/v1/excuses", ALL),
    ("POST /api/v1/excuses", &[Operator, Administrator]),
    ("POST /api/v1/excuses/{id}/decide", &[Operator, Administrator]),
    ("GET /api/v1/orders", ALL),
    ("POST /api/v1/orders", &[Operator, Administrator]),
    ("GET /api/v1/orders/figures", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/orders/assignees", &[Operator, Administrator]),
    ("GET /api/v1/orders/{id}", ALL),
    ("POST /api/v1/orders/{id}/act", &[Operator, Technician, Administrator]),
    ("POST /api/v1/orders/{id}/verify", &[Operator, Technician, Administrator]),
    ("POST /api/v1/orders/{id}/pictures", &[Operator, Technician, Administrator]),
    ("GET /api/v1/orders/{id}/pictures/{picture}", ALL),
    ("GET /api/v1/snapshots", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/snapshots/{id}", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/snapshots/{id}/picture", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/snapshots/{id}/original", &[Auditor, Administrator]),
    ("GET /api/v1/snapshots/{id}/proof", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/snapshots/nearest", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/holds", &[Auditor, Administrator]),
    ("POST /api/v1/holds", &[Auditor, Administrator]),
    ("POST /api/v1/holds/{id}/release", &[Auditor, Administrator]),
    ("GET /api/v1/audit/verification", &[Auditor, Administrator]),
    ("POST /api/v1/exports", &[Auditor, Administrator]),
    ("GET /api/v1/exports", &[Auditor, Administrator]),
    ("GET /api/v1/exports/verifier", &[Auditor, Administrator]),
    ("GET /api/v1/exports/{id}", &[Auditor, Administrator]),
    ("DELETE /api/v1/exports/{id}", &[Auditor, Administrator]),
    ("POST /api/v1/exports/{id}/decision", &[Auditor, Administrator]),
    ("GET /api/v1/exports/{id}/file", &[Auditor, Administrator]),
    ("GET /api/v1/session/second-factor", &Role::ALL),
    ("POST /api/v1/session/second-factor", &Role::ALL),
    ("PUT /api/v1/session/second-factor", &Role::ALL),
    ("POST /api/v1/session/second-factor/removal", &Role::ALL),
    ("GET /api/v1/sessions", &Role::ALL),
    ("DELETE /api/v1/sessions/{id}", &Role::ALL),
    ("GET /api/v1/users", &[Administrator, Security]),
    ("POST /api/v1/users", &[Administrator, Security]),
    ("GET /api/v1/users/{id}", &[Administrator, Security]),
    ("PATCH /api/v1/users/{id}", &[Administrator, Security]),
    ("POST /api/v1/users/{id}/password", &[Administrator, Security]),
    ("GET /api/v1/users/{id}/sessions", &[Administrator, Security]),
    ("DELETE /api/v1/users/{id}/sessions", &[Administrator, Security]),
    ("DELETE /api/v1/users/{id}/second-factor", &[Administrator, Security]),
    ("GET /api/v1/tokens", &[Administrator, Security]),
    ("POST /api/v1/tokens", &[Administrator, Security]),
    ("DELETE /api/v1/tokens/{id}", &[Administrator, Security]),
    ("GET /api/v1/audit", &[Auditor, Administrator]),
    ("GET /api/v1/audit/file", &[Auditor, Administrator]),
    ("POST /api/v1/import", &[Administrator]),
    ("GET /api/v1/register/cameras/{id}", &[Administrator]),
    ("POST /api/v1/register/cameras", &[Administrator]),
    ("POST /api/v1/register/trial", &[Administrator]),
    ("GET /api/v1/register/sites/{id}", &[Administrator]),
    ("PUT /api/v1/register/sites/{id}", &[Administrator]),
    ("GET /api/v1/register/uplinks/{id}", &[Administrator]),
    ("PUT /api/v1/register/uplinks/{id}", &[Administrator]),
    ("GET /api/v1/register/changes", &[Administrator]),
    ("POST /api/v1/register/changes/{id}/undo", &[Administrator]),
    ("GET /api/v1/register/file", &[Administrator]),
    ("GET /api/v1/reports", ALL),
    ("GET /api/v1/reports/file", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/reports/intervals", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/shift", &[Operator, Auditor, Administrator]),
    ("GET /api/v1/handovers", &[Operator, Auditor, Administrator]),
    ("POST /api/v1/handovers", &[Operator, Administrator]),
    ("GET /api/v1/handovers/{id}", &[Operator, Auditor, Administrator]),
    ("POST /api/v1/handovers/{id}/take", &[Operator, Administrator]),
    ("GET /api/v1/self", &[Operator, Administrator]),
    ("GET /api/v1/retention", &[Administrator]),
    ("GET /api/v1/map", ALL),
    ("GET /api/v1/map/tiles", ALL),
    ("GET /api/v1/demo", ALL),
    ("POST /api/v1/demo/fault", &[Operator, Administrator]),
];

/// Every documented route but signing in, as method and path.
pub(crate) fn routes() -> Vec<(Method, String)> {
    let document: Value = serde_json::to_value(web::openapi()).unwrap();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, _) in item.as_object().unwrap() {
            if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                routes.push((method.to_uppercase().parse().unwrap(), path.clone()));
            }
        }
    }
    routes.retain(|(m, p)| !(m == Method::POST && p == "/api/v1/session"));
    // Signing out comes last, the others need the session.
    routes.sort_by_key(|(m, p)| (m == Method::DELETE && p == "/api/v1/session", p.clone()));
    routes
}

async fn ask(browser: &Browser<'_>, method: &Method, path: &str) -> reqwest::Response {
    // Nothing has these ids: whoever is admitted gets a 404.
    let id = if path.contains("snapshots") { "ffffffffffffffffffffffffffffffff" } else { "4242" };
    let path = path.replace("{id}", id);
    let request = browser.request(method.clone(), &path);
    let request = if method == Method::GET || method == Method::DELETE {
        request
    } else {
        request.header("content-type", "application/json").body("{}")
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn every_route_admits_the_roles_of_the_specification_and_nobody_else() {
    let county = County::start().await;
    let routes = routes();
    assert!(routes.len() >= 30);
    for (method, path) in &routes {
        let response = ask(&county.anybody(), method, path).await;
        assert_eq!(code(response).await, (401, "not_signed_in".into()), "anonymous {method} {path}");
    }
    for role in Role::ALL {
        let browser = county.signed_in(role).await;
        for (method, path) in &routes {
            let route = format!("{method} {path}");
            let (_, may) =
                MAY.iter().find(|(r, _)| *r == route).unwrap_or_else(|| panic!("{route} is not in the matrix"));
            let status = ask(&browser, method, path).await.status();
            if may.contains(&role) {
                let refused = status == StatusCode::FORBIDDEN || status == StatusCode::UNAUTHORIZED;
                assert!(!refused && !status.is_server_error(), "{role:?} {route}: {status}");
            } else {
                assert_eq!(status, StatusCode::FORBIDDEN, "{role:?} {route}");
            }
        }
    }
    assert_eq!(MAY.len(), routes.len(), "the matrix names a route that does not exist");
}

#[tokio::test]
async fn without_a_session_only_the_page_and_the_sign_of_life_answer() {
    let county = County::start().await;
    let anybody = county.anybody();
    for path in ["/", "/cameras/3", "/livez"] {
        assert_eq!(anybody.get(path).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/api/v1/nothing", "/api", "/api/v2/states", "/assets/none.js", "/.env", "/index.php.bak"] {
        assert_eq!(anybody.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
}
