//! Hooks that do what a test tells them: nothing, fail, add a job, or stay stuck.
//!
//! What they are told is in files, so that it lasts over a restart of the app and can be changed while a hook runs.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::Duration;

use xcore::prelude::*;

/// The section of `xcore.yaml`.
#[derive(Deserialize, xcore::PluginConfig)]
pub struct ProbeConfig {
    /// The folder with one file a hook, `HOOK.TENANT`, that says what it does; empty for none. The hooks write a line each
    /// to the file `log` there.
    folder: String,
}

/// Has hooks, and nothing else.
#[xcore::plugin(services(scheduler), config = ProbeConfig)]
pub struct Probe;

impl ProbeConfig {
    /// Does what the hook is told; says whether it shall add a job.
    async fn obey(&self, hook: &str, whose: &str) -> Result<bool> {
        if self.folder.is_empty() {
            return Ok(false);
        }
        let folder = Path::new(&self.folder);
        let mut log = OpenOptions::new().append(true).create(true).open(folder.join("log"))?;
        writeln!(log, "probe {hook} {whose}")?;
        let told = folder.join(format!("{hook}.{whose}"));
        let what = match fs::read_to_string(&told) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            what => what?,
        };
        match what.as_str() {
            "add a job" => Ok(true),
            "fail" => Err(Error::internal(std::io::Error::other("told to fail"))),
            // Until the file is gone.
            "stay" => {
                while told.exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Ok(false)
            }
            unknown => Err(Error::bad_request(format!("{hook}.{whose} says {unknown:?}"))),
        }
    }
}

#[xcore::plugin]
impl Probe {
    /// For the hook of a tenant that is created.
    #[job]
    async fn welcome(&self, _ctx: &ProbeContext) {}

    /// Says when it begins and when it ends, a fifth of a second later.
    #[job]
    async fn nap(&self, ctx: &ProbeContext) -> Result<()> {
        let whose = ctx.tenant.id().as_str();
        ctx.config.obey("nap", whose).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        ctx.config.obey("woke", whose).await.map(drop)
    }

    #[on(stop)]
    async fn stopped(&self, app: &AppContext<Probe>) -> Result<()> {
        app.config().obey("stop", "app").await.map(drop)
    }

    #[on(tenant_created)]
    async fn created(&self, ctx: &ProbeContext) -> Result<()> {
        if ctx.config.obey("created", ctx.tenant.id().as_str()).await? {
            ctx.scheduler.every("welcome", Duration::from_secs(3_600), ProbeJobs::welcome()).await?;
        }
        Ok(())
    }

    #[on(tenant_deleted)]
    async fn deleted(&self, ctx: &ProbeContext) -> Result<()> {
        ctx.config.obey("deleted", ctx.tenant.id().as_str()).await.map(drop)
    }
}
