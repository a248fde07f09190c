//! Listens until it is told to stop, then stops in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tower::Service;
use tracing::{info, warn};

use super::Instance;

/// How long the head of a request may take to arrive.
const HEAD_LIMIT: Duration = Duration::from_secs(30);

/// How long accepting rests when the process has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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

    /// Serves until `stop` is ready, then stops accepting and beginning jobs, lets what is in flight end, and
    /// [shuts down](Instance::shutdown), all within `app.shutdown_grace`.
    ///
    /// A connection whose request head does not arrive within 30 s is closed.
    ///
    /// # Errors
    /// None yet; a listener that cannot accept is tried again.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let mut stop = pin!(stop);
        let connections = GracefulShutdown::new();
        let router = self.router();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => connect(stream, peer, router.clone(), &connections),
                // The client went away before it was served.
                Err(error) if is_of_one_connection(&error) => {}
                // Out of descriptors, mostly; others may be given back meanwhile.
                Err(error) => {
                    warn!(%error, "cannot accept a connection now");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        let deadline = Instant::now() + self.0.config.config.app.shutdown_grace;
        info!("stopping: no new connections, requests in flight may end");
        let requests = tokio::time::timeout_at(deadline, connections.shutdown());
        let (requests, ()) = tokio::join!(requests, self.stop_jobs(deadline));
        if requests.is_err() {
            warn!("requests are still in flight after the grace time; leaving them");
        }
        self.shutdown_by(deadline).await;
        Ok(())
    }
}

fn connect(stream: TcpStream, peer: SocketAddr, router: Router, connections: &GracefulShutdown) {
    // An answer waits for nothing; a stream that refuses the option still works.
    let _ = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(HEAD_LIMIT));
    let service = TowerToHyperService::new(OfPeer { router, peer });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // The client broke off or spoke no HTTP.
            tracing::debug!(error, "a connection ended early");
        }
    });
}

/// The router for one connection: each request tells who has sent it, to `ConnectInfo` and to `tenancy.trusted_proxies`.
#[derive(Clone)]
struct OfPeer {
    router: Router,
    peer: SocketAddr,
}

impl Service<Request<Incoming>> for OfPeer {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.call(request)
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
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
