//! Validators of what the API tells (RFC 9110 §8.8, §13): an ETag on every JSON answer to GET, so that nothing is sent
//! that the client has already, and `If-Match` on changes, so that nobody undoes what he has not seen.

use crate::problem::{Problem, Result};
use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Largest answer that is looked at before it is sent, in bytes.
const LARGEST: u64 = 32 << 20;

/// The ETag of a body.
fn of_bytes(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(&Sha256::digest(body)[..16]))
}

/// Whether one of the header's tags is this one. Compression on the way makes a validator weak; it still is ours.
pub(crate) fn names(header: &HeaderValue, etag: &str) -> bool {
    let tags = header.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.into_iter().any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Whether the client has this already.
pub(crate) fn known(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|header| names(header, etag))
}

/// Refuses the change of a record that is no longer as the client saw it. Without `If-Match` he insists.
///
/// # Errors
/// 412 with the code `changed_meanwhile`.
pub(crate) fn unchanged(headers: &HeaderMap, record: &impl Serialize) -> Result<()> {
    let Some(seen) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let now = serde_json::to_vec(record).map_err(|e| Problem::internal("a record cannot be told", e))?;
    if names(seen, &of_bytes(&now)) {
        return Ok(());
    }
    Err(Problem::changed_meanwhile())
}

/// Gives every JSON answer to GET its ETag, and sends nothing to whoever has it already.
pub(crate) async fn validate(request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let asked = request.headers().clone();
    let response = next.run(request).await;
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let short = response.body().size_hint().exact().is_some_and(|length| length <= LARGEST);
    if response.status() != StatusCode::OK || !is_json || !short || response.headers().contains_key(header::ETAG) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let body = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return Problem::internal("an answer was not made", error).into_response(),
    };
    let etag = of_bytes(&body);
    if let Ok(value) = HeaderValue::from_str(&etag) {
        head.headers.insert(header::ETAG, value);
    }
    if known(&asked, &etag) {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        head.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(head, Body::empty());
    }
    Response::from_parts(head, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_alone_among_others_weakened_and_as_any() {
        let named = |text: &'static str| names(&HeaderValue::from_static(text), "\"ab\"");
        for good in ["\"ab\"", "W/\"ab\"", "\"x\", \"ab\"", "\"x\",W/\"ab\"", "*"] {
            assert!(named(good), "{good}");
        }
        for other in ["", "ab", "\"abc\"", "W/", "\"x\", \"y\"", "W/W/\"ab\""] {
            assert!(!named(other), "{other}");
        }
    }

    #[test]
    fn without_if_match_one_insists_and_with_an_old_one_is_refused() {
        let mut headers = HeaderMap::new();
        assert!(unchanged(&headers, &[1, 2]).is_ok());
        headers.insert(header::IF_MATCH, HeaderValue::from_str(&of_bytes(b"[1,2]")).unwrap());
        assert!(unchanged(&headers, &[1, 2]).is_ok());
        assert_eq!(unchanged(&headers, &[1, 3]).unwrap_err().status(), StatusCode::PRECONDITION_FAILED);
    }
}
