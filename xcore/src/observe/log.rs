//! Sets up `tracing` once per process.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Logs to the error stream, what `RUST_LOG` asks for: by default `info` for a server and `warn` for a command. A
/// subscriber that the program installed before stays.
pub(crate) fn init_log(is_server: bool) {
    let default = if is_server { "info,tokio_cron_scheduler=off" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // An error means that there is a subscriber already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}
