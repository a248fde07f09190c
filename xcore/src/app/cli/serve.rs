//! `serve`: listens until it is told to stop.

use std::io::{self, Write};

use xcore_build::config::Loaded;

use super::failure::Failure;
use crate::app::boot::Extent;
use crate::app::serve::stop_signal;
use crate::app::{AppBuilder, Instance};

pub(super) async fn serve(builder: AppBuilder, loaded: Loaded, out: &mut impl Write) -> Result<(), Failure> {
    // Before anything is opened, so that a signal during a long start is not lost.
    let mut stop = tokio::spawn(async {
        stop_signal().await;
        // Somebody who asks twice does not want to wait.
        tokio::spawn(async {
            stop_signal().await;
            std::process::exit(1);
        });
    });
    let app = tokio::select! {
        app = builder.start(loaded, Extent::Serving) => app?,
        // Nothing was acknowledged yet, and what was begun is finished by the next start.
        _ = &mut stop => return Ok(()),
    };
    let listener = match app.listen().await {
        Ok(listener) => listener,
        Err(problem) => {
            app.shutdown().await;
            return Err(problem.into());
        }
    };
    if let Ok(address) = listener.local_addr() {
        // An app whose output nobody reads is served all the same.
        if let Err(problem) = greet(&app, &address.to_string(), out) {
            tracing::debug!(%problem, "the greeting was not written");
        }
    }
    app.serve(listener, async {
        let _ = stop.await;
    })
    .await?;
    Ok(())
}

/// Where the app is, and something to try for each tenant that `xcore.yaml` names.
fn greet(app: &Instance, address: &str, out: &mut impl Write) -> io::Result<()> {
    let config = &app.0.config.config;
    let url = config.app.url.clone().unwrap_or_else(|| format!("http://{address}"));
    writeln!(out, "{} listens on {url}", config.app.name)?;
    if let Some(folder) = config.database_folder() {
        writeln!(out, "data is in {}", folder.display())?;
    }
    let first = app.0.plugins.iter().find_map(|placed| {
        let readable = placed.facts.actions.iter().find(|spec| spec.is_plain_get())?;
        Some(crate::http::full_path(&config.app.prefix, placed.facts.path, readable))
    });
    if let (Some(path), Some(header)) = (first, crate::app::sources::greeted(config)) {
        writeln!(out, "try:")?;
        for tenant in &config.tenancy.ensure {
            writeln!(out, "  curl -H '{header}: {tenant}' {url}{path}")?;
        }
        if let (true, Some(base), Some(tenant)) =
            (config.tenancy.subdomain, &config.tenancy.base_domain, config.tenancy.ensure.first())
        {
            writeln!(out, "  curl -H 'Host: {tenant}.{base}' {url}{path}")?;
        }
    }
    writeln!(out, "stop with Ctrl-C; `routes` lists all actions, `--help` all commands")?;
    out.flush()?;
    Ok(())
}
