//! Where requests name their tenant, and what proves it.

use std::fmt;
use std::time::Duration;

use super::Config;
use crate::settings::{
    Audience, ClaimName, JwksUrl, List, OneOf, PublicKey, RequestHeader, Secret, Span, Text, Word, settings,
};

/// Where a request can name its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `tenancy.header`.
    Header,
    /// The first label of the host.
    Subdomain,
    /// A domain of the tenant's own.
    Domain,
    /// A segment of the path.
    Path,
    /// A claim of a signed token.
    Jwt,
    /// An API key.
    ApiKey,
    /// What the app has written in Rust.
    Custom,
}

impl Source {
    /// As it stands in `xcore.yaml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, source)| *source == self).map_or("", |(word, _)| word)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Word for Source {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("header", Self::Header),
        ("subdomain", Self::Subdomain),
        ("domain", Self::Domain),
        ("path", Self::Path),
        ("jwt", Self::Jwt),
        ("api_key", Self::ApiKey),
        ("custom", Self::Custom),
    ];
}

settings! {
    /// Tokens that prove a tenant, sent as `Authorization: Bearer`. Exactly one of `secret`, `public_key`, `jwks_file` and
    /// `jwks_url` is needed.
    pub struct Jwt at "tenancy.jwt" {
        /// Claim that names the tenant.
        claim: String = default ClaimName, "tenant";
        /// Secret of at least 32 bytes that tokens are signed with, for HS256.
        secret: Option<Hidden> = optional Secret;
        /// Public key of the one who signs, as PEM.
        public_key: Option<String> = optional PublicKey;
        /// File with the keys of the one who signs (a JSON Web Key Set), relative to the folder of this file.
        jwks_file: Option<String> = optional Text;
        /// URL of such a key set.
        jwks_url: Option<String> = optional JwksUrl;
        /// How often the key set is read again. For a token that names an unknown key it is read at once, at most every 10 s. While it
        /// cannot be read, the last one is used on.
        refresh: Duration = default Span, "10m";
        /// Algorithms that tokens may be signed with. Absent: `HS256` with a secret, `RS256`, `ES256` and `EdDSA` with
        /// public keys.
        algorithms: Option<Vec<Algorithm>> = optional List<OneOf<Algorithm>>;
        /// Who tokens must be issued by. Absent: anybody who has the key.
        issuer: Option<String> = optional Text;
        /// Who tokens must be for. `null`: anybody.
        audience: Option<Option<String>> = optional Audience;
        /// How far the clocks of the app and of the one who signs may be apart.
        leeway: Duration = default Span, "60s";
    }
}

settings! {
    /// API keys that prove a tenant; `tenant key create` makes them.
    pub struct ApiKey at "tenancy.api_key" {
        /// Header that carries the key. With `Authorization` it is sent as `Authorization: Bearer`.
        header: String = default RequestHeader, "X-Api-Key";
    }
}

/// A secret text, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(crate::redact::HIDDEN)
    }
}

/// How a token can be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSA with SHA-256.
    Rs256,
    /// ECDSA on the curve P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::WORDS.iter().find(|(_, algorithm)| algorithm == self).map_or("", |(word, _)| word))
    }
}

impl Word for Algorithm {
    const WORDS: &'static [(&'static str, Self)] =
        &[("HS256", Self::Hs256), ("RS256", Self::Rs256), ("ES256", Self::Es256), ("EdDSA", Self::EdDsa)];
}

impl Jwt {
    /// The algorithms in effect.
    #[must_use]
    pub fn algorithms(&self) -> Vec<Algorithm> {
        match &self.algorithms {
            Some(algorithms) => algorithms.clone(),
            None if self.secret.is_some() => vec![Algorithm::Hs256],
            None => vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        }
    }
}

impl Config {
    /// Where requests name their tenant, in the order in which they are asked: `tenancy.sources`, or what is configured of
    /// them.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        let tenancy = &self.tenancy;
        if let Some(sources) = &tenancy.sources {
            return sources.clone();
        }
        let configured = [
            (Source::Header, tenancy.header.is_some()),
            (Source::Subdomain, tenancy.subdomain),
            (Source::Path, tenancy.path.is_some()),
            (Source::Jwt, self.jwt.is_some()),
            (Source::ApiKey, self.api_key.is_some()),
        ];
        configured.into_iter().filter_map(|(source, is_used)| is_used.then_some(source)).collect()
    }
}
