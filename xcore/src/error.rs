//! The error of an action, and the problem document a client sees of it.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sea_orm::{DbErr, SqlErr, TransactionError};
use serde_json::{Map, Value};

use crate::cache::CacheError;
use crate::db::DatabaseError;
use crate::scheduler::SchedulerError;
use crate::tenancy::{InvalidTenantId, StoreError, TenancyError};

/// What an action returns: `Result<T, xcore::Error>`.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The media type of an error body (RFC 9457, section 3).
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why an action failed, in the words of [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457).
///
/// `?` turns any `std::error::Error` into one. What the framework can tell becomes the fitting status: a
/// record that was not found is a 404, a unique key that is taken is a 409, a service that is down is a 503 with
/// `Retry-After`. Everything else is a 500 whose cause is logged and *never sent*: a client sees no SQL, no path and
/// no other tenant's name. What you say yourself with [`Error::not_found`] and its siblings is sent as it is.
///
/// ```
/// use xcore::Error;
/// use axum::http::StatusCode;
///
/// let error = Error::conflict("order 7 was already paid").with_type("urn:shop:already-paid").with("order", 7);
/// assert_eq!(error.status(), StatusCode::CONFLICT);
/// ```
pub struct Error(Box<Problem>);

struct Problem {
    status: StatusCode,
    kind: Kind,
    detail: Option<String>,
    retry_after: Option<Duration>,
    /// `WWW-Authenticate`, which every 401 has to have (RFC 9110, section 15.5.2).
    challenge: Option<HeaderValue>,
    members: Map<String, Value>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// Behind a lock only because a body is not `Sync`; nobody shares it.
    response: Mutex<Option<Response>>,
}

enum Kind {
    /// `urn:xcore:problem:SLUG`, the types that this framework documents.
    Own(&'static str),
    User(String),
}

/// Left in the extensions of a response whose cause must reach the log, not the client.
#[derive(Clone)]
pub(crate) struct Cause(pub(crate) Arc<dyn StdError + Send + Sync>);

impl Error {
    /// An error with any status and a detail that the client may read.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::own(status, slug_of(status), Some(detail.into()))
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403: understood and refused.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing in this tenant.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: the state of the thing does not allow it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: well formed, but a value is not acceptable.
    pub fn unprocessable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503 with `Retry-After` (rounded up to whole seconds): try again later.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        error.0.retry_after = Some(retry_after);
        error
    }

    /// 500: the cause is logged, the client learns nothing of it.
    pub fn internal(source: impl StdError + Send + Sync + 'static) -> Self {
        let mut error = Self::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", None);
        error.0.source = Some(Arc::new(source));
        error
    }

    /// Names the problem's `type`, a URI of your own that clients can rely on.
    #[must_use]
    pub fn with_type(mut self, uri: impl Into<String>) -> Self {
        self.0.kind = Kind::User(uri.into());
        self
    }

    /// Adds a member to the problem document; the standard members keep their meaning and cannot be replaced.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let name = name.into();
        if !matches!(name.as_str(), "type" | "title" | "status" | "detail") {
            self.0.members.insert(name, value.into());
        }
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The detail for the client, when there is one.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The problem's `type`.
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.0.kind {
            Kind::Own(slug) => format!("urn:xcore:problem:{slug}"),
            Kind::User(uri) => uri.clone(),
        }
    }

    /// The cause that the log gets and the client does not.
    #[must_use]
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }

    /// It and what caused it, in one line, for the log.
    pub(crate) fn chain(&self) -> String {
        match (&self.0.detail, &self.0.source) {
            (Some(detail), Some(source)) => {
                let cause = crate::plugin::chain(source.as_ref());
                if cause.starts_with(detail.as_str()) { cause } else { format!("{detail}: {cause}") }
            }
            (None, Some(source)) => crate::plugin::chain(source.as_ref()),
            _ => self.to_string(),
        }
    }

    pub(crate) fn own(status: StatusCode, slug: &'static str, detail: Option<String>) -> Self {
        Self(Box::new(Problem {
            status,
            kind: Kind::Own(slug),
            detail,
            retry_after: None,
            challenge: None,
            members: Map::new(),
            source: None,
            response: Mutex::new(None),
        }))
    }

    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after);
        self
    }

    fn challenge(mut self, challenge: &HeaderValue) -> Self {
        self.0.challenge = Some(challenge.clone());
        self
    }

    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The error of an action whose error type is any axum response: kept as it is when it is an `Error`, and
    /// carried along as a response otherwise.
    pub(crate) fn from_response_like<E: IntoResponse + 'static>(error: E) -> Self {
        let mut error = Some(error);
        if let Some(own) = (&mut error as &mut dyn Any).downcast_mut::<Option<Self>>()
            && let Some(own) = own.take()
        {
            return own;
        }
        let response = error
            .map_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response(), IntoResponse::into_response);
        let status = response.status();
        let mut carried = Self::own(status, slug_of(status), None);
        carried.0.response = Mutex::new(Some(response));
        carried
    }
}

fn slug_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "bad-request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not-found",
        405 => "method-not-allowed",
        408 => "timeout",
        409 => "conflict",
        413 => "payload-too-large",
        415 => "unsupported-media-type",
        422 => "unprocessable",
        429 => "too-many-requests",
        503 => "unavailable",
        504 => "timeout",
        500..=599 => "internal",
        _ => "error",
    }
}

impl<E> From<E> for Error
where
    E: StdError + Send + Sync + 'static,
{
    fn from(error: E) -> Self {
        let mut error = Some(error);
        let transaction = (&mut error as &mut dyn Any).downcast_mut::<Option<TransactionError<Self>>>();
        match transaction.and_then(Option::take) {
            Some(TransactionError::Transaction(inner)) => return inner,
            Some(TransactionError::Connection(inner)) => return Self::from(inner),
            None => {}
        }
        let Some(error) = error else {
            return service(false);
        };
        let answer = classify(&error);
        answer.caused_by(error)
    }
}

/// How long a client is asked to wait for a service that is down.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

fn classify(error: &(dyn StdError + 'static)) -> Error {
    let mut link = Some(error);
    while let Some(current) = link {
        if let Some(answer) = current
            .downcast_ref::<DbErr>()
            .map(classify_db)
            .or_else(|| current.downcast_ref::<TransactionError<DbErr>>().map(classify_transaction))
            .or_else(|| current.downcast_ref::<DatabaseError>().map(classify_database))
            .or_else(|| current.downcast_ref::<TenancyError>().map(classify_tenancy))
            .or_else(|| current.downcast_ref::<SchedulerError>().map(classify_scheduler))
            .or_else(|| current.downcast_ref::<StoreError>().and_then(classify_store))
            .or_else(|| current.downcast_ref::<InvalidTenantId>().map(|e| Error::bad_request(e.to_string())))
            .or_else(|| current.downcast_ref::<CacheError>().map(|e| service(e.is_unavailable())))
        {
            return answer;
        }
        link = current.source();
    }
    service(false)
}

fn classify_scheduler(error: &SchedulerError) -> Error {
    match error {
        SchedulerError::NoSuchJob { .. } => Error::not_found(error.to_string()),
        SchedulerError::TooMany { .. } => Error::conflict(error.to_string()),
        SchedulerError::Stopping => service(true),
        other => service(other.is_unavailable()),
    }
}

fn classify_store(error: &StoreError) -> Option<Error> {
    match error {
        StoreError::Exists { .. } | StoreError::DomainTaken { .. } | StoreError::Illegal { .. } => {
            Some(Error::conflict(error.to_string()))
        }
        StoreError::NotFound { .. } | StoreError::NoSuchKey { .. } | StoreError::NoSuchDomain { .. } => {
            Some(Error::not_found(error.to_string()))
        }
        StoreError::Slow { .. } | StoreError::Away => Some(service(true)),
        _ => None,
    }
}

fn classify_tenancy(error: &TenancyError) -> Error {
    let (status, slug) = match error {
        TenancyError::Malformed { .. }
        | TenancyError::MalformedHost
        | TenancyError::MalformedForwarded { .. }
        | TenancyError::Repeated { .. } => (StatusCode::BAD_REQUEST, "malformed-tenant"),
        TenancyError::Missing { .. } => (StatusCode::BAD_REQUEST, "missing-tenant"),
        TenancyError::Unexpected { .. } => (StatusCode::BAD_REQUEST, "unexpected-tenant"),
        TenancyError::Disagree { .. } => (StatusCode::FORBIDDEN, "tenants-disagree"),
        TenancyError::UntrustedPeer { .. } => (StatusCode::FORBIDDEN, "untrusted-peer"),
        TenancyError::Credential { challenge, .. } => {
            let answer =
                Error::own(StatusCode::UNAUTHORIZED, "credential-not-accepted", Some(error.to_string()));
            return answer.challenge(challenge);
        }
        TenancyError::Unverified { challenge, .. } => {
            let answer = Error::own(StatusCode::UNAUTHORIZED, "credential-missing", Some(error.to_string()));
            return answer.challenge(challenge);
        }
        TenancyError::Unknown => (StatusCode::NOT_FOUND, "unknown-tenant"),
        TenancyError::Suspended(suspended) => {
            let answer = Error::own(
                StatusCode::FORBIDDEN,
                "tenant-suspended",
                Some("the tenant is suspended".to_owned()),
            );
            return match &suspended.reason {
                Some(reason) => answer.with("reason", reason.as_str()),
                None => answer,
            };
        }
        TenancyError::Held | TenancyError::Unavailable { .. } | TenancyError::SourceUnavailable { .. } => {
            let answer = Error::own(StatusCode::SERVICE_UNAVAILABLE, "unavailable", None);
            return answer.retry_after(RETRY);
        }
    };
    Error::own(status, slug, Some(error.to_string()))
}

fn classify_transaction(error: &TransactionError<DbErr>) -> Error {
    match error {
        TransactionError::Connection(inner) | TransactionError::Transaction(inner) => classify_db(inner),
    }
}

fn classify_database(error: &DatabaseError) -> Error {
    let DatabaseError::PlanConnections { connections, .. } = error else {
        // A tenant that was admitted and has no database is being renamed or deleted; the next request is told which.
        let is_moving = matches!(error, DatabaseError::Missing { .. });
        return service(is_moving || error.is_unavailable());
    };
    // The tenant's own doing, not that of a service which is down: nobody needs to be woken for it.
    let detail = format!(
        "the tenant holds all {connections} database connections that it may, and none became free in time"
    );
    Error::own(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", Some(detail))
        .with("violated-policies", vec!["database-connections"])
        .retry_after(RETRY)
}

fn classify_db(error: &DbErr) -> Error {
    if let Some(inner) = DatabaseError::find_in(error) {
        return classify_database(inner);
    }
    match error {
        DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => {
            Error::own(StatusCode::NOT_FOUND, "not-found", Some("there is no such record".to_owned()))
        }
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => service(true),
        other => match other.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Error::own(
                StatusCode::CONFLICT,
                "conflict",
                Some("a record with this key exists already".to_owned()),
            ),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Error::own(
                StatusCode::CONFLICT,
                "conflict",
                Some("a record that this one refers to is missing, or others refer to it".to_owned()),
            ),
            _ => service(false),
        },
    }
}

fn service(unavailable: bool) -> Error {
    if unavailable {
        Error::own(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            Some("a service that this needs is not available; try again".to_owned()),
        )
        .retry_after(RETRY)
    } else {
        Error::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", None)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let kind = self.kind();
        let Problem { status, detail, retry_after, challenge, mut members, source, response, .. } = *self.0;
        let carried = response.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut response = carried.unwrap_or_else(|| {
            members.insert("type".to_owned(), kind.into());
            members.insert("status".to_owned(), status.as_u16().into());
            members.insert("title".to_owned(), status.canonical_reason().unwrap_or("Error").into());
            if let Some(detail) = detail {
                members.insert("detail".to_owned(), detail.into());
            }
            let mut response = (status, Value::Object(members).to_string()).into_response();
            response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
            response
        });
        if let Some(after) = retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
        }
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(source) = source {
            response.extensions_mut().insert(Cause(source));
        }
        response
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.detail, &self.0.source) {
            (Some(detail), Some(source)) if *detail != source.to_string() => write!(f, "{detail}: {source}"),
            (Some(detail), Some(_)) => f.write_str(detail),
            (Some(detail), None) => f.write_str(detail),
            (None, Some(source)) => source.fmt(f),
            (None, None) => write!(f, "{}", self.0.status),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("status", &self.0.status.as_u16())
            .field("type", &self.kind())
            .field("detail", &self.0.detail)
            .field("source", &self.0.source)
            .finish()
    }
}
