//! Which tenant a request is admitted to, by everything that can name one.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod credentials;
mod issuer_over_tls;
mod own;
mod proxies;
mod random;
mod scopes;
mod shape;
mod table;
mod tokens;
