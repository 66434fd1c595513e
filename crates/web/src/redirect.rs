//! From http to https: who asks in plain HTTP is told the same address with https, and nothing else.

use axum::{
    Router,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};

const USUAL: u16 = 443;

/// Answers every request with the way to this port.
pub(crate) fn router(port: u16) -> Router {
    Router::new().fallback(lead).with_state(port)
}

async fn lead(State(port): State<u16>, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).and_then(|h| h.parse::<Authority>().ok());
    let Some(host) = host.filter(|h| !h.as_str().contains('@')) else {
        return (StatusCode::BAD_REQUEST, "this is https: write https:// before the address\n").into_response();
    };
    let port = if port == USUAL { String::new() } else { format!(":{port}") };
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    // 308: a form that was sent here is sent there.
    let to = format!("https://{}{port}{path}", host.host());
    (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, to), (header::CONNECTION, "close".to_owned())]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http::Request};
    use tower::ServiceExt;

    #[tokio::test]
    async fn the_same_address_with_https_is_told() {
        for (port, host, path, to) in [
            (8443, "10.1.2.3:8443", "/cameras/3?a=b", Some("https://10.1.2.3:8443/cameras/3?a=b")),
            (443, "eyes.county.example", "/", Some("https://eyes.county.example/")),
            (443, "[fd00::1]:80", "/", Some("https://[fd00::1]/")),
            (443, "a@b", "/", None),
            (443, "a b", "/", None),
        ] {
            let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
            let response = router(port).oneshot(request).await.unwrap();
            let told = response.headers().get("location").map(|l| l.to_str().unwrap());
            assert_eq!(told, to, "{host}{path}");
        }
    }
}
