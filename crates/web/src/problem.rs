//! Errors as the API tells them: RFC 9457 problem details with a stable code word.
//! Never a secret, a path of this machine or a database error: those go to the log.

use axum::{
    extract::{
        FromRequest, FromRequestParts,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{borrow::Cow, time::Duration};
use store::StoreError;
use utoipa::ToSchema;

/// A problem detail object.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// A URN made of the code.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status in words.
    title: Cow<'static, str>,
    /// The HTTP status.
    status: u16,
    /// What happened and what to do.
    detail: Cow<'static, str>,
    /// Stable word for programs.
    code: &'static str,
}

/// An error answer.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    retry_after: Option<Duration>,
}

pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { status, code, detail: detail.into(), retry_after: None }
    }

    /// 400 with the code `invalid`.
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// 404: not there, or outside the caller's scope. The same answer for both.
    pub(crate) fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
    }

    /// 412: the record is no longer as the client saw it.
    pub(crate) fn changed_meanwhile() -> Problem {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "changed_meanwhile",
            "somebody has changed this meanwhile; load it anew and look again",
        )
    }

    /// 401.
    pub(crate) fn unauthenticated() -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", "sign in first")
    }

    /// 403.
    pub(crate) fn forbidden() -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "your role does not allow this")
    }

    /// 503: we are too busy; try again.
    pub(crate) fn busy(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).retry_after(Duration::from_secs(2))
    }

    /// 500; the reason goes to the log only.
    pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> Problem {
        tracing::error!(%error, "{what}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something failed here; the log says what")
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// What happened and what to do.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            kind: format!("urn:sharpeyes:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.detail,
            code: self.code,
        };
        let text = serde_json::to_vec(&body).expect("strings and numbers always serialize");
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Conflict(what) => {
                Problem::new(StatusCode::CONFLICT, "conflict", format!("{what} exists already"))
            }
            StoreError::Missing(_) => Problem::not_found(),
            StoreError::Changed(_) => Problem::changed_meanwhile(),
            StoreError::Invalid(what) => Problem::invalid(what),
            StoreError::Unusable(_) | StoreError::Newer { .. } | StoreError::Database(_) => {
                tracing::error!(%error, "the database failed");
                Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "own_database",
                    "our own database is at fault; the log says why",
                )
                .retry_after(Duration::from_secs(5))
            }
        }
    }
}

/// A JSON body; refusals are problems.
#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// The query string; refusals are problems.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// Parameters of the path; what does not parse names nothing we have.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct Path<T>(pub(crate) T);

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Problem {
        let code = match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "json_expected",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            _ => "invalid",
        };
        // Data of the right syntax but the wrong shape is a bad request like any other.
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            other => other,
        };
        Problem::new(status, code, cut(rejection.body_text()))
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Problem {
        Problem::invalid(cut(rejection.body_text()))
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Problem {
        Problem::not_found()
    }
}

fn cut(text: String) -> String {
    text.chars().take(300).collect()
}
