//! Signed tokens that prove a tenant (RFC 7519), checked as RFC 8725 advises: the algorithms are those of the configuration and
//! of the key, never the token's choice.

mod fetch;
mod key;
mod keys;
mod set;
mod tokens;

pub(crate) use keys::KeysError;
pub(super) use tokens::TOKEN;
pub(crate) use tokens::Tokens;
