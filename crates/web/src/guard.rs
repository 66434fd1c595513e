//! What surrounds every answer: security headers, the same-origin rule, time limits, panics caught.

use crate::{app::App, caller::brought_by, problem::Problem};
use axum::{
    body::{Body, BodyDataStream},
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream::unfold};
use std::{any::Any, net::SocketAddr};
use tokio::time::{Instant, timeout_at};

/// Everything comes from us and nothing inline runs. Style attributes (not style elements) are allowed: the
/// tooltips of the charts are written with them. Workers and pictures may be made by the page itself.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' blob: data:; media-src 'self' blob:; worker-src 'self' blob:; font-src 'self' data:; \
     connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(self)"),
];

/// Only by https from now on, for a year (RFC 6797). Browsers take no notice of it where they warned of the
/// certificate, so that one made here shuts nobody out.
const ONLY_HTTPS: &str = "max-age=31536000";

/// Adds the security headers, and forbids keeping what says nothing else.
pub(crate) async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if app.services.config.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_HTTPS));
    }
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let caching = headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if caching.to_str().is_ok_and(|caching| caching.starts_with("private")) {
        // At one browser several people sign in, one after the other: what one was shown is not another's.
        headers.append(header::VARY, HeaderValue::from_static("Cookie, Authorization"));
    }
    response
}

/// Puts the address of whoever asks in the place of the trusted proxy's that brought the request.
pub(crate) async fn behind_proxy(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let trusted = &app.services.config.trusted_proxies;
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied()
        && !trusted.is_empty()
    {
        let from = brought_by(peer.ip(), request.headers(), trusted);
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(from, peer.port())));
    }
    next.run(request).await
}

/// Refuses state-changing requests that another site's page sent.
pub(crate) async fn same_origin(request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || is_same_origin(request.headers()) {
        return next.run(request).await;
    }
    cross_origin().into_response()
}

pub(crate) fn cross_origin() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "cross_origin", "this request came from another site's page")
}

/// Browsers say where a request comes from in `Sec-Fetch-Site` (newer) or `Origin` (all, on such requests).
/// Without both it is a program, which has no cookie of somebody else to misuse.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = headers.get(header::ORIGIN);
    match (site, origin) {
        (Some(site), None) => site == b"same-origin",
        (None, None) => true,
        (site, Some(origin)) => {
            let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
            let origin = origin.to_str().ok().and_then(|o| o.parse::<Uri>().ok());
            let from_us = origin.as_ref().and_then(Uri::authority).map(Authority::as_str);
            host.is_some()
                && from_us.zip(host).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
                && site.is_none_or(|s| s == b"same-origin")
        }
    }
}

/// Gives up a request that takes too long. Reading ends with its request. A change does not: whoever asked may have gone
/// away or lost patience, but what was begun is finished, with its entry in the audit log and everybody told.
pub(crate) async fn time_limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let limit = app.services.config.request_limit * patience(request.method(), request.uri().path());
    let end = Instant::now() + limit;
    if request.method().is_safe() {
        return match timeout_at(end, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::busy("this took too long and was given up").into_response(),
        };
    }
    // What is still to come of the body may not hold it for ever.
    let request = request.map(|body| Body::from_stream(until(end, body.into_data_stream())));
    match timeout_at(end, tokio::spawn(next.run(request))).await {
        Ok(Ok(response)) => response,
        Ok(Err(crash)) if crash.is_panic() => std::panic::resume_unwind(crash.into_panic()),
        Ok(Err(_)) => Problem::busy("the service stops").into_response(),
        Err(_) => Problem::busy("this takes long and goes on by itself; see later whether it was done").into_response(),
    }
}

/// How many times the ordinary limit a request may take: a climb of the ladder, a large import and the whole audit log are
/// bounded by themselves; a photograph comes by the phone network.
fn patience(method: &Method, path: &str) -> u32 {
    const LONG: [&str; 6] = ["/probe", "/climb", "/verify", "/import", "/trial", "/audit/verification"];
    match path {
        path if method == Method::POST && path.ends_with("/pictures") => 8,
        path if LONG.iter().any(|end| path.ends_with(end)) => 4,
        _ => 1,
    }
}

/// The pieces of a body that come before `end`; then an error, so that half a body is never taken for a whole one.
fn until(end: Instant, body: BodyDataStream) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    unfold(Some(body), move |body| async move {
        let mut body = body?;
        match timeout_at(end, body.next()).await {
            Ok(piece) => piece.map(|piece| (piece, Some(body))),
            Err(late) => Some((Err(axum::Error::new(late)), None)),
        }
    })
}

/// A handler that panicked is our mistake, answered as such; the connection and everybody else live on.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word");
    Problem::internal("a handler panicked", what).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(pairs: &[(&'static str, &'static str)]) -> bool {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        is_same_origin(&headers)
    }

    #[test]
    fn only_our_own_pages_change_anything() {
        assert!(judge(&[("host", "a:80"), ("origin", "http://a:80"), ("sec-fetch-site", "same-origin")]));
        assert!(judge(&[("host", "a:80"), ("origin", "http://a:80")]));
        assert!(judge(&[("host", "a"), ("sec-fetch-site", "same-origin")]));
        assert!(judge(&[("host", "a")]), "a program");
        for bad in [
            &[("host", "a"), ("origin", "http://b")][..],
            &[("host", "a"), ("origin", "null")],
            &[("host", "a:1"), ("origin", "http://a:2")],
            &[("host", "a"), ("sec-fetch-site", "same-site")],
            &[("host", "a"), ("sec-fetch-site", "cross-site")],
            &[("host", "a"), ("sec-fetch-site", "none")],
            &[("host", "a"), ("origin", "http://a"), ("sec-fetch-site", "cross-site")],
            &[("origin", "http://a")],
        ] {
            assert!(!judge(bad), "{bad:?}");
        }
    }
}
