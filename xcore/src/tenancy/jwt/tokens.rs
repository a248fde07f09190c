//! From a token to the tenant that it proves.

use std::path::Path;

use axum::http::HeaderValue;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};
use xcore_build::config::Jwt;

use super::key::Key;
use super::keys::{Keys, KeysError};
use super::set::Found;
use crate::tenancy::sources::parse;
use crate::tenancy::{TenancyError, TenantId};

/// As messages name it.
pub(in crate::tenancy) const TOKEN: &str = "token";

/// Checks tokens.
pub(crate) struct Tokens {
    /// The claim that names the tenant.
    claim: String,
    keys: Keys,
    validation: Validation,
    /// RFC 6750, section 3.1.
    challenge: HeaderValue,
}

impl Tokens {
    /// `folder` is the one of `xcore.yaml`.
    pub(crate) fn new(settings: &Jwt, folder: &Path, challenge: &HeaderValue) -> Result<Self, KeysError> {
        // The algorithms are those of the key, see `check`.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = settings.leeway.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        match settings.audience.as_ref().and_then(Option::as_ref) {
            Some(audience) => {
                validation.set_audience(&[audience]);
                required.push("aud");
            }
            None => validation.validate_aud = false,
        }
        if let Some(issuer) = &settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        let mut told = challenge.as_bytes().to_vec();
        told.extend_from_slice(b", error=\"invalid_token\"");
        let challenge = HeaderValue::from_bytes(&told).unwrap_or_else(|_| challenge.clone());
        Ok(Self { claim: settings.claim.clone(), keys: Keys::new(settings, folder)?, validation, challenge })
    }

    /// The tenant that a token proves.
    pub(in crate::tenancy) async fn tenant_of(&self, token: &str) -> Result<TenantId, TenancyError> {
        let refused = |reason| TenancyError::Credential {
            source_name: TOKEN,
            reason,
            challenge: self.challenge.clone(),
        };
        let claims = self.claims_of(token).await.map_err(|refusal| match refusal {
            Refusal::Token(reason) => refused(reason),
            Refusal::Keys => TenancyError::SourceUnavailable { source_name: TOKEN, source: Box::new(NoKeys) },
        })?;
        match claims.get(&self.claim) {
            Some(Value::String(name)) => parse(name.as_bytes(), TOKEN),
            // A token that proves somebody and no tenant must not leave the choice of the tenant to a header.
            Some(_) => Err(refused("its claim for the tenant is no text")),
            None => Err(refused("it has no claim for the tenant")),
        }
    }

    async fn claims_of(&self, token: &str) -> Result<Map<String, Value>, Refusal> {
        let header = decode_header(token).map_err(|error| Refusal::Token(reason(error.kind())))?;
        if header.crit.is_some() {
            // RFC 7515, section 4.1.11: what is not understood must not be accepted.
            return Err(Refusal::Token("it has critical extensions that this server does not know"));
        }
        let key = match &self.keys {
            Keys::One(key) if key.fits(header.alg) => key.clone(),
            Keys::One(_) => return Err(Refusal::Token(ALGORITHM)),
            Keys::Set(set) => match set.find(header.kid.as_deref(), header.alg).await {
                Found::Key(key) => *key,
                Found::Unknown => return Err(Refusal::Token("no key fits it")),
                Found::Unavailable => return Err(Refusal::Keys),
            },
        };
        self.check(token, &key)
    }

    fn check(&self, token: &str, key: &Key) -> Result<Map<String, Value>, Refusal> {
        let mut validation = self.validation.clone();
        validation.algorithms.clone_from(&key.algorithms);
        let decoded = decode::<Map<String, Value>>(token, &key.key, &validation);
        decoded.map(|token| token.claims).map_err(|error| Refusal::Token(reason(error.kind())))
    }
}

enum Refusal {
    /// The token proves nothing; why, for the client.
    Token(&'static str),
    /// There is nothing to check it with now.
    Keys,
}

const ALGORITHM: &str = "it is signed with an algorithm that is not allowed";

/// What a client is told. Nothing of it helps to forge a token.
fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is not for this app",
        ErrorKind::InvalidIssuer => "it was issued by somebody else",
        ErrorKind::MissingRequiredClaim(_) => "it lacks a claim that is needed (exp, aud or iss)",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm | ErrorKind::InvalidAlgorithmName => {
            ALGORITHM
        }
        _ => "it is no signed token",
    }
}

/// The key set could not be read, and nothing is known that fits the token.
#[derive(Debug, thiserror::Error)]
#[error("the keys of tokens cannot be read; see the log")]
struct NoKeys;
