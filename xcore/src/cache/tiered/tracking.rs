//! Hears from the server which keys change (`CLIENT TRACKING`, in broadcasting mode, over RESP3).
//!
//! On connections of its own, one to each primary, so that nothing has to be set up again when the connection for commands is lost.
//! When one of them ends, the near tier is closed at once, by the task that sees the end. A connection that leads nowhere is found by
//! asking it again and again, as is a cluster whose primaries change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use deadpool_redis::redis;
use redis::aio::{MultiplexedConnection, SendError};
use redis::{AsyncConnectionConfig, Client, ProtocolVersion, PushInfo, PushKind, Value, cmd};
use tokio::sync::Notify;

use super::near::Near;
use crate::cache::CacheError;
use crate::cache::redis::{Names, Nodes, RedisSettings, failed};

/// Between two questions whether a server is still there.
const BEAT: Duration = Duration::from_millis(500);

/// The same in a cluster, where a key can go to a server that is not heard yet: this is how long it may go unnoticed.
const CLUSTER_BEAT: Duration = Duration::from_millis(20);

/// Pauses between attempts to listen.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the servers say of the shape of the cluster; when it changes, all is set up again.
type Shape = Vec<String>;

/// Listens as long as the near tier is there.
pub(super) async fn follow(near: Weak<Near>, settings: RedisSettings, names: Names, isolate: bool) {
    static SESSIONS: AtomicU64 = AtomicU64::new(1);
    let nodes = Nodes::new(settings.clone());
    let mut pause = FIRST_PAUSE;
    while near.strong_count() > 0 {
        let listener = Listener {
            near: near.clone(),
            names: names.clone(),
            isolate,
            session: SESSIONS.fetch_add(1, Ordering::Relaxed),
            end: Arc::new(Notify::new()),
        };
        let begun = tokio::time::Instant::now();
        let error = listener.listen(&nodes, &settings).await.err();
        let Some(near) = near.upgrade() else { return };
        near.close(listener.session);
        drop(near);
        tracing::debug!(
            server = settings.shown(),
            error = error.as_ref().map(|error| error as &dyn std::error::Error),
            "changes of the cache are not heard; all is read from the server until they are again"
        );
        if begun.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// One session: from the first connection to the loss of any.
#[derive(Clone)]
struct Listener {
    near: Weak<Near>,
    names: Names,
    isolate: bool,
    session: u64,
    end: Arc<Notify>,
}

impl Listener {
    async fn listen(&self, nodes: &Nodes, settings: &RedisSettings) -> Result<(), CacheError> {
        let map = nodes.map().await?;
        let mut connections = Vec::new();
        for primary in &map.primaries {
            let info = nodes.info(primary);
            let protocol = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            let listener = self.clone();
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(settings.timeout))
                .set_response_timeout(Some(settings.timeout))
                .set_push_sender(move |message: PushInfo| listener.hear(&message));
            let client = Client::open(info.set_redis_settings(protocol)).map_err(failed)?;
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config).await.map_err(failed)?;
            let mut tracking = cmd("CLIENT");
            tracking.arg("TRACKING").arg("ON").arg("BCAST");
            if !self.names.root().is_empty() {
                tracking.arg("PREFIX").arg(self.names.root());
            }
            tracking.exec_async(&mut connection).await.map_err(failed)?;
            connections.push(connection);
        }
        let shape = self.ask(&mut connections, settings).await?;
        if nodes.map().await?.primaries != map.primaries {
            return Ok(());
        }
        let Some(near) = self.near.upgrade() else { return Ok(()) };
        near.open(self.session);
        drop(near);
        // Asked at once: a connection that ended just before the tier was opened has told so before.
        let beat = if settings.cluster { CLUSTER_BEAT } else { BEAT };
        let mut first = true;
        loop {
            if !std::mem::take(&mut first) {
                tokio::select! {
                    () = self.end.notified() => return Ok(()),
                    () = tokio::time::sleep(beat) => {}
                }
            }
            if self.near.strong_count() == 0 || self.ask(&mut connections, settings).await? != shape {
                return Ok(());
            }
        }
    }

    /// Asks each server for the shape of the cluster. An answer also means that all earlier messages have been heard.
    async fn ask(
        &self,
        connections: &mut [MultiplexedConnection],
        settings: &RedisSettings,
    ) -> Result<Shape, CacheError> {
        let mut shape = Vec::new();
        for connection in connections {
            if !settings.cluster {
                cmd("PING").exec_async(connection).await.map_err(failed)?;
                continue;
            }
            let info: String = cmd("CLUSTER").arg("INFO").query_async(connection).await.map_err(failed)?;
            let telling =
                ["cluster_state:", "cluster_known_nodes:", "cluster_size:", "cluster_current_epoch:"];
            let lines = info.lines().filter(|line| telling.iter().any(|key| line.starts_with(key)));
            shape.push(lines.collect::<Vec<_>>().join(" "));
        }
        Ok(shape)
    }

    /// A message, told by the task that reads the connection. It must not wait.
    fn hear(&self, message: &PushInfo) -> Result<(), SendError> {
        let near = self.near.upgrade().ok_or(SendError)?;
        match (&message.kind, message.data.first()) {
            (PushKind::Disconnection, _) => {
                near.close(self.session);
                self.end.notify_one();
            }
            (PushKind::Invalidate, Some(Value::Array(keys))) => {
                for key in keys {
                    if let Value::BulkString(key) = key
                        && let Some(key) = self.names.split(key, self.isolate)
                    {
                        near.forget(key);
                    }
                }
            }
            // All keys: the server was emptied.
            (PushKind::Invalidate, _) => near.forget_all(),
            _ => {}
        }
        Ok(())
    }
}
