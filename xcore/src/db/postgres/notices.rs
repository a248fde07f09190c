//! Tells when another process has changed the directory.
//!
//! `LISTEN` belongs to a session, so there is one beside the pool. It is opened again when it is lost; what was told meanwhile is
//! lost with it, so a new session is a reason to look as well. Whoever waits here looks by himself now and then, too: a session
//! can die without a word.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use crate::db::backend::DIRECTORY_CHANNEL;

/// How long a lost session rests before it is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// An item whenever there is a reason to look.
pub(super) fn notices(options: PgConnectOptions) -> BoxStream<'static, ()> {
    let next = async |(options, mut listening): (PgConnectOptions, Option<PgListener>)| loop {
        match &mut listening {
            Some(listener) => match listener.try_recv().await {
                Ok(Some(_)) => return Some(((), (options, listening))),
                lost => {
                    tracing::debug!(error = ?lost.err(), "the session that listens for changes of the directory was lost");
                    listening = None;
                }
            },
            None => match listen(&options).await {
                Ok(listener) => return Some(((), (options, Some(listener)))),
                Err(error) => {
                    tracing::debug!(%error, "nobody listens for changes of the directory; it is asked instead");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    };
    stream::unfold((options, None), next).boxed()
}

async fn listen(options: &PgConnectOptions) -> Result<PgListener, sqlx::Error> {
    // The listener of the library takes its session from a pool; this one has no other.
    let one = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&one).await?;
    // Here it is opened again, which is noticed.
    listener.eager_reconnect(false);
    listener.ignore_pool_close_event(true);
    listener.listen(DIRECTORY_CHANNEL).await?;
    Ok(listener)
}
