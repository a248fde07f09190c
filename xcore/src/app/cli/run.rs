//! From the command line to a command.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use xcore_build::config::Loaded;

use super::arguments::{Arguments, CallArguments, Command};
use super::failure::Failure;
use super::{check, migrate, routes, serve, tenant};
use crate::app::boot::Extent;
use crate::app::{AppBuilder, Instance};
use crate::observe;
use crate::plugin::Scope;
use crate::tenancy::TenantId;

/// Runs the binary.
pub(in crate::app) fn run(builder: AppBuilder) -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        // Help, version and mistakes; clap knows which stream and which code.
        Err(told) => {
            let _ = told.print();
            return ExitCode::from(u8::try_from(told.exit_code()).unwrap_or(2));
        }
    };
    let is_server = matches!(arguments.command, None | Some(Command::Serve));
    observe::init_log(is_server);
    if is_server && let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        // The database says so when the limit is too low for its settings.
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::Runtime { source })
        .and_then(|runtime| runtime.block_on(execute(builder, arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn parse(words: impl Iterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let words: Vec<OsString> = words.collect();
    let name = words
        .first()
        .and_then(|path| std::path::Path::new(path).file_name()?.to_str().map(str::to_owned))
        .unwrap_or_else(|| "app".to_owned());
    let matches = Arguments::command().bin_name(&name).name(name).try_get_matches_from(words)?;
    Arguments::from_arg_matches(&matches)
}

async fn execute(mut builder: AppBuilder, arguments: Arguments) -> Result<(), Failure> {
    if let Some(file) = arguments.config {
        builder = builder.config_file(file);
    }
    if let Some(name) = arguments.env {
        builder = builder.environment(name);
    }
    let mut out = io::stdout();
    let plugins = (builder.plugins)();
    let loaded = match &arguments.command {
        // Neither needs a configuration that can be served.
        Some(Command::Schema) => return routes::schema(&plugins, &mut out),
        _ => builder.load()?,
    };
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(builder, loaded, &mut out).await,
        Command::Routes => routes::routes(&plugins, &loaded.config, &mut out),
        Command::Schema => Ok(()),
        Command::Tenant(command) => {
            let app = operate(builder, loaded).await?;
            let done = tenant::tenant(&app, command, &mut out).await;
            close(app, done).await
        }
        Command::Migrate(arguments) => {
            let app = operate(builder, loaded).await?;
            let done = migrate::migrate(&app, &arguments, &mut out).await;
            close(app, done).await
        }
        Command::Check(arguments) => {
            let app = operate(builder, loaded).await?;
            let done = check::check(&app, &arguments, &mut out).await;
            close(app, done).await
        }
        Command::Call(arguments) => {
            let app = operate(builder, loaded).await?;
            let done = call(&app, arguments, &mut out).await;
            close(app, done).await
        }
    }
}

async fn operate(builder: AppBuilder, loaded: Loaded) -> Result<Instance, Failure> {
    Ok(builder.start(loaded, Extent::Operating).await?)
}

/// Nothing was started, so no stop hook runs.
async fn close(app: Instance, done: Result<(), Failure>) -> Result<(), Failure> {
    app.close().await;
    done
}

async fn call(app: &Instance, arguments: CallArguments, out: &mut impl Write) -> Result<(), Failure> {
    let json = serde_json::from_str(&arguments.arguments).map_err(|source| Failure::Arguments { source })?;
    let (plugin, action) = (&arguments.plugin, &arguments.action);
    let (_, spec) = app.find(plugin, action).map_err(|error| Failure::Action { error })?;
    let tenant: Option<TenantId> = match &arguments.tenant {
        Some(name) => Some(tenant::parse(name)?),
        None if spec.scope == Scope::Tenant => Some(app.default_tenant().ok_or(Failure::NoTenant)?),
        None => None,
    };
    let answer = match tenant {
        Some(tenant) => app.call(plugin, action, &tenant, json).await,
        None => app.call_central(plugin, action, json).await,
    };
    let answer = answer.map_err(|error| Failure::Action { error })?;
    writeln!(out, "{answer:#}")?;
    Ok(())
}
