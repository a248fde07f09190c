//! An app for one test.

use std::error::Error as StdError;
use std::net::SocketAddr;

use axum::extract::Request;
use axum::response::Response;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt;

use crate::app::{AppBuilder, Instance};
use crate::error::Result;
use crate::tenancy::{Tenant, TenantId};

/// A started app whose data lives in a temporary folder, which is removed with it.
#[derive(Debug)]
pub struct TestApp {
    instance: Instance,
    /// Dropped after the instance.
    folder: TempDir,
}

type Failure = Box<dyn StdError + Send + Sync>;

impl TestApp {
    /// Starts the app with a data folder of its own.
    ///
    /// With the feature `postgres`, `XCORE_TEST_DATABASE=postgres://USER@HOST` in the environment and a user that may create
    /// databases, the app gets an empty database on that server instead, so that the same tests run on both kinds. It is left
    /// there for the one who looks into a failure.
    ///
    /// # Errors
    /// As [`AppBuilder::build`], and when the database cannot be created.
    pub async fn start(builder: AppBuilder) -> std::result::Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let has_database = builder.load()?.config.services.database.is_some();
        let builder = if has_database {
            let url = match super::database::fresh().await? {
                Some(url) => url,
                None => format!("sqlite://{}", folder.path().display()),
            };
            builder.set("services.database.url", url)
        } else {
            builder
        };
        let instance = builder.build().await?;
        Ok(Self { instance, folder })
    }

    /// Creates a tenant.
    ///
    /// # Errors
    /// When the name is no tenant id, or the tenant exists.
    pub async fn tenant(&self, name: &str) -> std::result::Result<TenantId, Failure> {
        let id = TenantId::parse(name)?;
        self.instance.tenants().create(&id).await?;
        Ok(id)
    }

    /// Calls an action by name; see [`Instance::call`].
    ///
    /// # Errors
    /// As [`Instance::call`], and when the name is no tenant id.
    pub async fn call(&self, plugin: &str, action: &str, tenant: &str, arguments: Value) -> Result<Value> {
        self.instance.call(plugin, action, &TenantId::parse(tenant)?, arguments).await
    }

    /// Calls an action by name for no tenant; see [`Instance::call_central`].
    ///
    /// # Errors
    /// As [`Instance::call_central`].
    pub async fn call_central(&self, plugin: &str, action: &str, arguments: Value) -> Result<Value> {
        self.instance.call_central(plugin, action, arguments).await
    }

    /// The proof that a tenant is active, when the directory remembers it; `None` when it would have to ask. For benches of that.
    #[must_use]
    pub fn remembered(&self, tenant: &TenantId) -> Option<Tenant> {
        self.instance.remembered(tenant)
    }

    /// Sends a request through the router, without a socket.
    pub async fn send(&self, request: Request) -> Response {
        let Ok(response) = self.instance.router().oneshot(request).await;
        response
    }

    /// Serves on a free port of the loopback until the test ends.
    ///
    /// # Errors
    /// When no port is to be had.
    pub async fn serve(&self) -> std::result::Result<SocketAddr, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let instance = self.instance.clone();
        tokio::spawn(async move { instance.serve(listener, std::future::pending()).await });
        Ok(address)
    }

    /// The app itself.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The folder that holds its data.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}
