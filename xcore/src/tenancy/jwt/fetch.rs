//! Where a key set is read from.

use std::fmt;
use std::path::PathBuf;

use super::KeysError;

/// A file, or a URL.
pub(super) enum Origin {
    File(PathBuf),
    #[cfg(feature = "jwks-url")]
    Url(Box<url::Url>),
}

impl Origin {
    #[cfg(feature = "jwks-url")]
    pub(super) fn url(url: &str) -> Result<Self, KeysError> {
        url::Url::new(url).map(|url| Self::Url(Box::new(url)))
    }

    #[cfg(not(feature = "jwks-url"))]
    pub(super) fn url(_: &str) -> Result<Self, KeysError> {
        Err(KeysError::NotBuilt)
    }

    /// The text of the set.
    pub(super) async fn get(&self) -> Result<Vec<u8>, KeysError> {
        match self {
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|source| KeysError::File { path: path.display().to_string(), source }),
            #[cfg(feature = "jwks-url")]
            Self::Url(url) => url.get().await,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "jwks-url")]
            Self::Url(url) => f.write_str(&url.shown),
        }
    }
}

#[cfg(feature = "jwks-url")]
mod url {
    use std::time::Duration;

    use axum::body::Bytes;
    use axum::http::header::ACCEPT;
    use axum::http::uri::Scheme;
    use axum::http::{Request, StatusCode, Uri};
    use http_body_util::{BodyExt, Empty, Limited};
    use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;

    use super::KeysError;

    /// How long an issuer may take. A request waits for it only when there are no keys yet, or its token names an unknown one.
    const LIMIT: Duration = Duration::from_secs(5);

    /// Largest key set.
    const MOST: usize = 1024 * 1024;

    /// A URL and the connections to it.
    pub(in super::super) struct Url {
        url: Uri,
        /// Without user and query, which may be secret.
        pub(super) shown: String,
        client: Connections,
    }

    enum Connections {
        Plain(Client<HttpConnector, Empty<Bytes>>),
        Tls(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>),
    }

    impl Url {
        pub(super) fn new(url: &str) -> Result<Self, KeysError> {
            let wrong =
                |problem: &str| KeysError::Fetch { url: "this URL".to_owned(), problem: problem.to_owned() };
            let url = Uri::try_from(url).map_err(|_| wrong("it is no URL"))?;
            let executor = TokioExecutor::new();
            let client = if url.scheme() == Some(&Scheme::HTTP) {
                // The configuration allows it for this machine only.
                Connections::Plain(Client::builder(executor).build_http())
            } else {
                let connector = HttpsConnectorBuilder::new()
                    .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                    .map_err(|source| KeysError::Certificates { source })?
                    .https_only()
                    .enable_http1()
                    .build();
                Connections::Tls(Client::builder(executor).build(connector))
            };
            let host = url.host().unwrap_or_default();
            let shown = format!("{}://{host}{}", url.scheme_str().unwrap_or_default(), url.path());
            Ok(Self { url, shown, client })
        }

        pub(super) async fn get(&self) -> Result<Vec<u8>, KeysError> {
            let failed = |problem: String| KeysError::Fetch { url: self.shown.clone(), problem };
            let asked = tokio::time::timeout(LIMIT, self.ask()).await;
            asked.unwrap_or_else(|_| Err(format!("no answer within {LIMIT:?}"))).map_err(failed)
        }

        async fn ask(&self) -> Result<Vec<u8>, String> {
            let request = Request::get(self.url.clone()).header(ACCEPT, "application/json");
            let request = request.body(Empty::new()).map_err(|error| error.to_string())?;
            let answer = match &self.client {
                Connections::Plain(client) => client.request(request).await,
                Connections::Tls(client) => client.request(request).await,
            };
            let answer = answer.map_err(|error| crate::plugin::chain(&error))?;
            if answer.status() != StatusCode::OK {
                // Also a redirect: keys come from where the configuration says, and from nowhere else.
                return Err(format!("the answer is {}, which must be 200", answer.status()));
            }
            let body = Limited::new(answer.into_body(), MOST).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|error| error.to_string())
        }
    }
}
