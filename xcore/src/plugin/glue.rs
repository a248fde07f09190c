//! What the generated glue of an action calls: extract the arguments, make a response of the result.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::AppState;
use crate::error::{Error, Result};

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut link = error.source();
    while let Some(cause) = link {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        link = cause.source();
    }
    text
}

/// An argument of an action that reads the head of the request. The words for a type that is none are at [`proof`](super::proof).
pub trait HeadArgument: Sized + Send {
    #[doc(hidden)]
    fn extract(parts: &mut Parts, state: &AppState) -> impl Future<Output = Result<Self, Response>> + Send;
}

impl<T> HeadArgument for T
where
    T: FromRequestParts<AppState> + Send,
{
    async fn extract(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        // A rejection need not be `Send`, so it becomes a response before the next await.
        match T::from_request_parts(parts, state).await.map_err(IntoResponse::into_response) {
            Ok(value) => Ok(value),
            Err(refusal) => Err(rejected(refusal).await),
        }
    }
}

/// The last argument of an action, which may read the body.
pub trait LastArgument<M>: Sized + Send {
    #[doc(hidden)]
    fn extract(request: Request, state: &AppState) -> impl Future<Output = Result<Self, Response>> + Send;
}

impl<T, M> LastArgument<M> for T
where
    T: FromRequest<AppState, M> + Send,
{
    async fn extract(request: Request, state: &AppState) -> Result<Self, Response> {
        // A rejection need not be `Send`, so it becomes a response before the next await.
        match T::from_request(request, state).await.map_err(IntoResponse::into_response) {
            Ok(value) => Ok(value),
            Err(refusal) => Err(rejected(refusal).await),
        }
    }
}

/// Extracts an argument from the head.
pub async fn extract_part<T: HeadArgument>(parts: &mut Parts, state: &AppState) -> Result<T, Response> {
    T::extract(parts, state).await
}

/// Extracts the last argument.
pub async fn extract_last<T: LastArgument<M>, M>(request: Request, state: &AppState) -> Result<T, Response> {
    T::extract(request, state).await
}

/// What a typed handle returns for the result of an action.
pub fn outcome<T, E: IntoResponse + 'static>(result: std::result::Result<T, E>) -> Result<T> {
    result.map_err(Error::from_response_like)
}

/// What a job or a hook returns: nothing, or a `Result` of nothing.
#[diagnostic::on_unimplemented(
    message = "a job or a hook cannot return `{Self}`",
    label = "expected `()` or `Result<(), E>`",
    note = "`E` is `xcore::Error` or anything that turns into it with `?`"
)]
pub trait Done {
    #[doc(hidden)]
    fn done(self) -> Result<()>;
}

impl Done for () {
    fn done(self) -> Result<()> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<Error>> Done for std::result::Result<(), E> {
    fn done(self) -> Result<()> {
        self.map_err(Into::into)
    }
}

/// Makes a result of what a job or a hook returned.
pub fn done<T: Done>(result: T) -> Result<()> {
    result.done()
}

/// What an extractor said of a mistake that is ours.
#[derive(Debug, thiserror::Error)]
#[error("an extractor cannot work here: {text}")]
struct Rejected {
    text: String,
}

/// Longest text of a rejection that becomes the detail of a problem.
const REJECTION_LIMIT: usize = 16 * 1024;

/// The refusal of an extractor as a problem document. One that has a format of its own is kept.
async fn rejected(response: Response) -> Response {
    let is_text =
        response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !is_text {
        return response;
    }
    let (parts, body) = response.into_parts();
    let detail = match to_bytes(body, REJECTION_LIMIT).await {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    };
    let mut problem = if parts.status.is_server_error() {
        // It speaks of our types, not of the client's request.
        Error::internal(Rejected { text: detail }).into_response()
    } else {
        Error::new(parts.status, detail).into_response()
    };
    for (name, value) in &parts.headers {
        if !problem.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            problem.headers_mut().append(name, value.clone());
        }
    }
    problem
}
