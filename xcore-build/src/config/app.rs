//! `app`: the program as a whole.

use std::net::SocketAddr;
use std::time::Duration;

use crate::settings::{AppName, Listen, Prefix, PublicUrl, Size, Span, settings};

settings! {
    /// The program as a whole: its name, where it listens, and its limits.
    pub struct App at "app" {
        /// Name of the app, in logs and on the command line. Letters a-z, digits and `-`, beginning with a
        /// letter.
        name: String = required AppName;
        /// IP address and port that the server listens on.
        listen: SocketAddr = default Listen, "127.0.0.1:8080";
        /// Path that all routes are below, such as `/v1`. Empty for none.
        prefix: String = default Prefix, "";
        /// URL under which clients reach the app. Printed at start; no request is refused because of it.
        url: Option<String> = optional PublicUrl;
        /// How long an action may take before it is stopped and answered with 504.
        request_timeout: Duration = default Span, "30s";
        /// How long a hook of a plugin may take.
        hook_timeout: Duration = default Span, "30s";
        /// How long requests and jobs in flight may take after the signal to stop.
        shutdown_grace: Duration = default Span, "10s";
        /// Largest body of a request, in bytes.
        body_limit: u64 = default Size, "2MiB";
    }
}
