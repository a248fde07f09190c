//! One key that tokens can be signed with.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};

/// A key and what it may be used for.
#[derive(Clone)]
pub(super) struct Key {
    /// `kid`: how a token names it.
    pub(super) id: Option<String>,
    /// Those of the configuration that fit the key.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl Key {
    /// `None` when none of the algorithms is for this kind of key: an RSA key is never taken for a secret.
    fn new(id: Option<String>, key: DecodingKey, allowed: &[Algorithm]) -> Option<Self> {
        let fits = |algorithm: &&Algorithm| algorithm.family() == key.family();
        let algorithms: Vec<Algorithm> = allowed.iter().filter(fits).copied().collect();
        (!algorithms.is_empty()).then_some(Self { id, algorithms, key })
    }

    /// A secret that both sides know.
    pub(super) fn of_secret(secret: &[u8], allowed: &[Algorithm]) -> Option<Self> {
        Self::new(None, DecodingKey::from_secret(secret), allowed)
    }

    /// A public key as PEM.
    pub(super) fn of_pem(pem: &[u8], allowed: &[Algorithm]) -> Option<Self> {
        let kinds = [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
        let key = kinds.into_iter().find_map(|read| read(pem).ok())?;
        Self::new(None, key, allowed)
    }

    /// An entry of a key set; `None` for one that tokens of ours are not signed with.
    pub(super) fn of_jwk(jwk: &Jwk, allowed: &[Algorithm]) -> Option<Self> {
        let common = &jwk.common;
        if common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
            return None;
        }
        let is_usual = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => true,
            AlgorithmParameters::EllipticCurve(parameters) => parameters.curve == EllipticCurve::P256,
            AlgorithmParameters::OctetKeyPair(parameters) => parameters.curve == EllipticCurve::Ed25519,
            // A secret that is published is none.
            _ => false,
        };
        let key = is_usual.then(|| DecodingKey::from_jwk(jwk).ok()).flatten()?;
        if key.family() == AlgorithmFamily::Hmac {
            return None;
        }
        let mut key = Self::new(common.key_id.clone(), key, allowed)?;
        if let Some(own) = common.key_algorithm {
            let own = Algorithm::try_from(own).ok()?;
            key.algorithms.retain(|algorithm| *algorithm == own);
        }
        (!key.algorithms.is_empty()).then_some(key)
    }

    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}
