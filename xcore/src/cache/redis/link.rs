//! The connection that commands go through: one for all tasks, made again when it is lost.
//!
//! Commands of all tasks share it, so that a round trip carries many of them. A call that finds it lost waits for the first attempt
//! to connect again. When that fails the link is down: calls fail at once, and one task tries again with growing pauses. So a server
//! that is away costs a call nothing, and it is not met by one attempt for each call when it comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use deadpool_redis::redis;
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
};
use tokio::sync::watch;

use super::RedisSettings;
use crate::cache::CacheError;

/// Pauses between attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Commands that wait to be written. With fewer, many tasks wait for one another.
const WAITING: usize = 1024;

/// The link of an app to its server or cluster.
pub(crate) struct Link {
    inner: Arc<Inner>,
}

struct Inner {
    settings: RedisSettings,
    state: watch::Sender<State>,
    /// Answers so far: a call that waited in vain tells by it whether anybody was answered meanwhile.
    answers: AtomicU64,
}

#[derive(Clone)]
enum State {
    Connecting,
    Up(u64, Connection),
    Down(Arc<RedisError>),
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is sent together.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    One(&'a Cmd),
    /// Of one hash slot, where the server is a cluster. The answer is an array.
    Several(&'a Pipeline),
}

/// The server did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} ms (services.cache.timeout)", .timeout.as_millis())]
struct TimedOut {
    timeout: Duration,
}

impl Connection {
    async fn open(settings: &RedisSettings) -> RedisResult<Self> {
        let connection = if settings.cluster {
            let client = ClusterClient::builder([settings.info.clone()])
                .connection_timeout(settings.timeout)
                .response_timeout(settings.timeout)
                .overall_response_timeout(Some(settings.timeout))
                .min_retry_wait(5)
                .max_retry_wait(100)
                .build()?;
            Self::Cluster(client.get_async_connection().await?)
        } else {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(settings.timeout))
                // The whole call has a timeout.
                .set_response_timeout(None)
                .set_pipeline_buffer_size(WAITING);
            let client = redis::Client::open(settings.info.clone())?;
            Self::One(client.get_multiplexed_async_connection_with_config(&config).await?)
        };
        // A server that is still loading its data refuses this.
        connection.clone().send(Request::One(&redis::cmd("PING"))).await?;
        Ok(connection)
    }

    async fn send(&mut self, request: Request<'_>) -> RedisResult<Value> {
        match (self, request) {
            (Self::One(connection), Request::One(command)) => command.query_async(connection).await,
            (Self::One(connection), Request::Several(pipeline)) => pipeline.query_async(connection).await,
            (Self::Cluster(connection), Request::One(command)) => command.query_async(connection).await,
            (Self::Cluster(connection), Request::Several(pipeline)) => pipeline.query_async(connection).await,
        }
    }
}

impl Link {
    /// A link that begins to connect. Called within a runtime.
    pub(crate) fn new(settings: RedisSettings) -> Self {
        let (state, _) = watch::channel(State::Connecting);
        let inner = Arc::new(Inner { settings, state, answers: AtomicU64::new(0) });
        tokio::spawn(connect(Arc::downgrade(&inner), 1));
        Self { inner }
    }

    pub(crate) fn settings(&self) -> &RedisSettings {
        &self.inner.settings
    }

    /// Sends a command that changes something. It is sent once.
    pub(crate) async fn change(&self, request: Request<'_>) -> Result<Value, CacheError> {
        self.call(request, false).await
    }

    /// Sends a command that only reads, once more when the connection is lost meanwhile.
    pub(crate) async fn read(&self, request: Request<'_>) -> Result<Value, CacheError> {
        self.call(request, true).await
    }

    async fn call(&self, request: Request<'_>, may_repeat: bool) -> Result<Value, CacheError> {
        let timeout = self.inner.settings.timeout;
        let answered = self.inner.answers.load(Ordering::Relaxed);
        let mut used = None;
        match tokio::time::timeout(timeout, self.attempt(request, may_repeat, &mut used)).await {
            Ok(answer) => answer,
            Err(_) => {
                // Slow is one thing; when nobody was answered the connection may lead nowhere.
                if self.inner.answers.load(Ordering::Relaxed) == answered
                    && let Some(generation) = used
                {
                    Inner::lost(&self.inner, generation);
                }
                Err(CacheError::Unavailable { source: Box::new(TimedOut { timeout }) })
            }
        }
    }

    async fn attempt(
        &self,
        request: Request<'_>,
        mut may_repeat: bool,
        used: &mut Option<u64>,
    ) -> Result<Value, CacheError> {
        loop {
            let (generation, mut connection) = self.connection().await?;
            *used = Some(generation);
            let error = match connection.send(request).await {
                Ok(value) => {
                    self.inner.answers.fetch_add(1, Ordering::Relaxed);
                    return Ok(value);
                }
                Err(error) => error,
            };
            if error.is_unrecoverable_error() || error.is_io_error() {
                Inner::lost(&self.inner, generation);
                if std::mem::take(&mut may_repeat) {
                    continue;
                }
            } else {
                self.inner.answers.fetch_add(1, Ordering::Relaxed);
            }
            return Err(failed(error));
        }
    }

    async fn connection(&self) -> Result<(u64, Connection), CacheError> {
        let known = match &*self.inner.state.borrow() {
            State::Up(generation, connection) => return Ok((*generation, connection.clone())),
            State::Down(error) => Err(away(error)),
            State::Connecting => Ok(()),
        };
        known?;
        let mut state = self.inner.state.subscribe();
        loop {
            match &*state.borrow_and_update() {
                State::Up(generation, connection) => return Ok((*generation, connection.clone())),
                State::Down(error) => return Err(away(error)),
                State::Connecting => {}
            }
            // The sender lives as long as `self`.
            let _ = state.changed().await;
        }
    }

    /// Whether commands can be sent.
    #[cfg(test)]
    pub(crate) fn is_up(&self) -> bool {
        matches!(&*self.inner.state.borrow(), State::Up(..))
    }
}

impl Inner {
    /// A call has found that this connection is lost; the first one that does has it made anew.
    fn lost(this: &Arc<Self>, generation: u64) {
        let is_first = this.state.send_if_modified(|state| {
            let is_current = matches!(state, State::Up(current, _) if *current == generation);
            if is_current {
                *state = State::Connecting;
            }
            is_current
        });
        if is_first {
            tokio::spawn(connect(Arc::downgrade(this), generation + 1));
        }
    }
}

/// Connects, again and again until it succeeds or the link is gone.
async fn connect(inner: Weak<Inner>, generation: u64) {
    let mut pause = FIRST_PAUSE;
    let mut was_told = false;
    loop {
        let Some(settings) = inner.upgrade().map(|inner| inner.settings.clone()) else { return };
        let opened = tokio::time::timeout(settings.timeout, Connection::open(&settings)).await;
        let Some(inner) = inner.upgrade() else { return };
        let error = match opened {
            Ok(Ok(connection)) => {
                if was_told {
                    tracing::info!(server = settings.shown(), "the cache is back");
                }
                inner.state.send_replace(State::Up(generation, connection));
                return;
            }
            Ok(Err(error)) => error,
            Err(_) => {
                RedisError::from((ErrorKind::Io, "the server did not answer an attempt to connect in time"))
            }
        };
        if !std::mem::replace(&mut was_told, true) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                server = settings.shown(),
                error,
                "the cache is away; it is tried again and again"
            );
        }
        inner.state.send_replace(State::Down(Arc::new(error)));
        drop(inner);
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn away(error: &Arc<RedisError>) -> CacheError {
    CacheError::Unavailable { source: Box::new(Arc::clone(error)) }
}

/// An answer of the server that will be the same again, or one that is the affair of its state.
pub(crate) fn failed(error: RedisError) -> CacheError {
    let is_refused = match error.kind() {
        ErrorKind::Server(kind) => !matches!(
            kind,
            ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
        ),
        ErrorKind::Extension => !matches!(error.code(), Some("OOM" | "MISCONF" | "NOREPLICAS" | "BUSY")),
        ErrorKind::UnexpectedReturnType | ErrorKind::InvalidClientConfig | ErrorKind::Client => true,
        _ => false,
    };
    let source = Box::new(error);
    if is_refused { CacheError::Refused { source } } else { CacheError::Unavailable { source } }
}
