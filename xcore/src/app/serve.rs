//! Listens until it is told to stop, then stops in order.

use std::io;
use std::net::SocketAddr;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{info, warn};

use super::Instance;

/// Why an app could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is not to be had.
    #[error("cannot listen on {address}; is another program there? set `app.listen` to a free address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Accepting connections failed for good.
    #[error("the server stopped accepting connections")]
    Accept {
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Instance {
    /// Takes the address of `app.listen`.
    ///
    /// # Errors
    /// When it is not to be had.
    pub async fn listen(&self) -> Result<TcpListener, ServeError> {
        let address = self.0.config.config.app.listen;
        TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
    }

    /// Serves until `stop` is ready, then stops accepting, lets requests in flight end within `app.shutdown_grace`, and
    /// [shuts down](Instance::shutdown).
    ///
    /// # Errors
    /// When accepting connections fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let grace = self.0.config.config.app.shutdown_grace;
        let (stopping, stopped) = oneshot::channel::<()>();
        let listener = listener.tap_io(|stream| {
            // An answer waits for nothing; a stream that refuses the option still works.
            let _ = stream.set_nodelay(true);
        });
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(async move {
            stop.await;
            info!("stopping: no new connections, requests in flight may end");
            let _ = stopping.send(());
        });
        let overdue = async {
            if stopped.await.is_ok() {
                tokio::time::sleep(grace).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let served = tokio::select! {
            served = server => served.map_err(|source| ServeError::Accept { source }),
            () = overdue => {
                warn!(?grace, "requests are still in flight after the grace time; leaving them");
                Ok(())
            }
        };
        self.shutdown().await;
        served
    }
}

/// Ready at SIGTERM or Ctrl-C.
pub(super) async fn stop_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
