//! What every call goes through, whoever makes it: time limit, panic barrier, span.

use std::any::Any;
use std::cell::OnceCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tracing::level_filters::LevelFilter;
use tracing::{Span, field};

use super::{ActionSpec, JobSpec};
use crate::error::Error;
use crate::scheduler::JobRun;
use crate::tenancy::{Tenant, value_of};

/// The header that carries a request's id, in and out.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// One call: what runs, for whom, and the span that tells so.
pub(crate) struct Call {
    pub(crate) id: RequestId,
    span: Span,
}

impl Call {
    /// A call over HTTP or by name; its tenant is recorded once it is admitted.
    pub(crate) fn of_request(spec: &ActionSpec, headers: &HeaderMap) -> Self {
        let id = RequestId::of(headers);
        // The macro prepares the fields for the `log` crate even when nobody listens, which costs more than asking first.
        let span = if LevelFilter::current() >= LevelFilter::INFO {
            tracing::info_span!(
                "action",
                plugin = spec.plugin,
                action = spec.name,
                tenant = field::Empty,
                request_id = %id,
            )
        } else {
            Span::none()
        };
        Self { id, span }
    }

    /// A call from one plugin to another; the caller's span is its parent.
    pub(crate) fn of_plugin(spec: &ActionSpec, caller: &str, tenant: Option<&Tenant>) -> Self {
        let tenant = tenant.map(field::display);
        let span = tracing::info_span!("action", plugin = spec.plugin, action = spec.name, tenant, caller);
        Self { id: RequestId::default(), span }
    }

    /// A run of a job.
    pub(crate) fn of_job(spec: &JobSpec, run: &JobRun) -> Self {
        let id = RequestId::default();
        let span = tracing::info_span!(
            "job",
            plugin = spec.plugin,
            job = spec.name,
            tenant = run.tenant.as_ref().map(tracing::field::display),
            id = run.id,
            tick = %run.tick,
            attempt = run.failures.saturating_add(1),
            request_id = %id,
        );
        Self { id, span }
    }

    /// A hook.
    pub(crate) fn of_hook(plugin: &'static str, hook: &'static str) -> Self {
        Self { id: RequestId::default(), span: tracing::info_span!("hook", plugin, hook) }
    }

    pub(crate) fn tenant(&self, tenant: &Tenant) {
        Self::tell_tenant(&self.span, tenant);
    }

    /// As [`Call::tenant`], with the bytes of a name that the directory knows.
    pub(crate) fn tenant_named(&self, name: &[u8]) {
        if !self.span.is_disabled() {
            self.span.record("tenant", std::str::from_utf8(name).unwrap_or_default());
        }
    }

    pub(crate) fn tell_tenant(span: &Span, tenant: &Tenant) {
        if !span.is_disabled() {
            span.record("tenant", field::display(tenant));
        }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }
}

/// Why a call did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("it took longer than {limit:?}; make it faster, or raise its `timeout`")]
    TimedOut { limit: Duration },
    #[error("it panicked: {message}")]
    Panicked { message: String },
}

impl Stopped {
    pub(crate) fn answer(self) -> Error {
        let answer = match &self {
            Self::TimedOut { .. } => Error::own(
                StatusCode::GATEWAY_TIMEOUT,
                "timeout",
                Some("the action took too long and was stopped".to_owned()),
            ),
            Self::Panicked { .. } => Error::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", None),
        };
        answer.caused_by(self)
    }
}

/// Runs a call to its end, its time limit or its panic, inside its span.
///
/// A panic ends this call only: it never takes the process or another call with it. At the time limit the future is
/// dropped, which cancels what it was doing.
#[inline(always)] // or the work is copied once more on its way into the box
pub(crate) fn supervise<F: Future>(call: Call, limit: Option<Duration>, work: F) -> Supervised<F> {
    Supervised { work, limit, timer: None, call }
}

pin_project! {
    /// What [`supervise`] gives. Written out, because an async block for each of the three would move the work three times.
    pub(crate) struct Supervised<F> {
        #[pin]
        work: F,
        limit: Option<Duration>,
        // Made when the work first has to wait: most calls never need it.
        timer: Option<Pin<Box<Sleep>>>,
        call: Call,
    }
}

impl<F> Supervised<F> {
    pub(crate) fn call(&self) -> &Call {
        &self.call
    }
}

impl<F: Future> Future for Supervised<F> {
    type Output = Result<F::Output, Stopped>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _inside = this.call.span.enter();
        // Work that panicked is dropped and never polled again, so a broken invariant inside it cannot be seen.
        match catch_unwind(AssertUnwindSafe(|| this.work.poll(context))) {
            Ok(Poll::Ready(done)) => return Poll::Ready(Ok(done)),
            Ok(Poll::Pending) => {}
            Err(payload) => {
                let message = panic_message(payload.as_ref());
                return Poll::Ready(Err(Stopped::Panicked { message }));
            }
        }
        let Some(limit) = *this.limit else { return Poll::Pending };
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(context).map(|()| Err(Stopped::TimedOut { limit }))
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

/// The id of a request: the client's own, or one that is made here when it is first looked at. Making one allocates nothing.
#[derive(Default)]
pub(crate) struct RequestId {
    given: Option<HeaderValue>,
    made: OnceCell<u64>,
}

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let usable = |value: &&HeaderValue| value.len() <= 128 && value.to_str().is_ok();
        Self { given: value_of(headers, &X_REQUEST_ID).filter(usable).cloned(), made: OnceCell::new() }
    }

    fn made(&self) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        *self.made.get_or_init(|| NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the client sent it and so expects it back.
    pub(crate) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    pub(crate) fn to_header(&self) -> Option<HeaderValue> {
        self.given.clone().or_else(|| HeaderValue::try_from(self.to_string()).ok())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        static PROCESS: std::sync::LazyLock<u32> = std::sync::LazyLock::new(process_mark);
        match &self.given {
            // Checked to be visible ASCII when it was taken.
            Some(value) => f.write_str(value.to_str().unwrap_or_default()),
            None => write!(f, "{:08x}-{:x}", *PROCESS, self.made()),
        }
    }
}

/// Tells the ids of one process from those of another in a shared log.
fn process_mark() -> u32 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call::of_hook("orders", "start")
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_is_stopped() {
        let limit = Duration::from_secs(5);
        let ended = supervise(call(), Some(limit), std::future::pending::<()>()).await;
        assert!(matches!(ended, Err(Stopped::TimedOut { .. })));
    }

    #[tokio::test]
    async fn a_panic_ends_the_call_and_nothing_else() {
        let ended = supervise(call(), None, async { panic!("boom {}", 7) }).await;
        let Err(Stopped::Panicked { message }) = ended else { panic!("not caught") };
        assert_eq!(message, "boom 7");
    }

    #[test]
    fn a_request_id_of_the_client_is_kept_when_it_can_be_logged() {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("abc-1"));
        assert_eq!(RequestId::of(&headers).to_string(), "abc-1");
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_ne!(RequestId::of(&headers).to_string(), "");
        assert!(!RequestId::of(&headers).is_given());
    }

    #[test]
    fn a_request_id_that_is_made_stays_the_same_and_is_nobody_elses() {
        let (one, other) = (RequestId::default(), RequestId::default());
        assert_eq!(one.to_string(), one.to_string());
        assert_ne!(one.to_string(), other.to_string());
        assert_eq!(one.to_header().unwrap(), one.to_string());
    }
}
