//! What tokens are checked with.

use std::path::Path;
use std::sync::Arc;

use jsonwebtoken::Algorithm;
use xcore_build::config::{Algorithm as Configured, Jwt};

use super::fetch::Origin;
use super::key::Key;
use super::set::KeySet;

/// One key, or a set of them that changes.
pub(super) enum Keys {
    One(Key),
    Set(Arc<KeySet>),
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum KeysError {
    #[error(
        "`tenancy.jwt.public_key` is no public key for RS256, ES256 or EdDSA, or `algorithms` does not have its algorithm"
    )]
    Pem,
    #[error("`tenancy.jwt` has no key to check tokens with")]
    None,
    #[error("the key set {path} cannot be read")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[cfg(feature = "jwks-url")]
    #[error("the key set cannot be fetched from {url}; {problem}")]
    Fetch { url: String, problem: String },
    #[error("the key set at {origin} is no JSON Web Key Set (RFC 7517, section 5)")]
    NoSet {
        origin: String,
        #[source]
        source: serde_json::Error,
    },
    #[cfg(not(feature = "jwks-url"))]
    #[error(
        "`tenancy.jwt.jwks_url` is set, and this program is built without it; add the feature `jwks-url` to xcore in Cargo.toml"
    )]
    NotBuilt,
    #[cfg(feature = "jwks-url")]
    #[error("the certificates that this machine trusts cannot be read")]
    Certificates {
        #[source]
        source: std::io::Error,
    },
}

impl Keys {
    pub(super) fn new(settings: &Jwt, folder: &Path) -> Result<Self, KeysError> {
        let allowed: Vec<Algorithm> = settings.algorithms().into_iter().filter_map(known).collect();
        if let Some(secret) = &settings.secret {
            return Key::of_secret(secret.expose().as_bytes(), &allowed)
                .map(Self::One)
                .ok_or(KeysError::None);
        }
        if let Some(pem) = &settings.public_key {
            return Key::of_pem(pem.as_bytes(), &allowed).map(Self::One).ok_or(KeysError::Pem);
        }
        let origin = if let Some(file) = &settings.jwks_file {
            Origin::File(folder.join(file))
        } else if let Some(url) = &settings.jwks_url {
            Origin::url(url)?
        } else {
            return Err(KeysError::None);
        };
        Ok(Self::Set(Arc::new(KeySet::new(origin, allowed, settings.refresh)?)))
    }
}

fn known(algorithm: Configured) -> Option<Algorithm> {
    match algorithm {
        Configured::Hs256 => Some(Algorithm::HS256),
        Configured::Rs256 => Some(Algorithm::RS256),
        Configured::Es256 => Some(Algorithm::ES256),
        Configured::EdDsa => Some(Algorithm::EdDSA),
        // One that this version does not know is not allowed.
        _ => None,
    }
}
