//! What the directory keeps for its tenants besides their names: API keys and domains, looked up once and remembered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::HeaderValue;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::{StoreError, TenancyError, TenantId};

/// As messages name it.
pub(super) const API_KEY: &str = "API key";

/// What every API key begins with, so that it is told from a token, and found where it has been left lying about.
pub(crate) const KEY_PREFIX: &str = "xk_";

/// Random bytes in a key, written as hexadecimal digits.
const KEY_BYTES: usize = 32;

/// How many look-ups of each kind are remembered.
const CAPACITY: u64 = 10_000;

/// How long the store may take.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// SHA-256 of a key. A key has 256 random bits, so nothing slower is needed to keep it secret.
pub(crate) type KeyHash = [u8; 32];

/// Whose key or domain it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) life: i64,
}

/// Keeps keys and domains.
#[async_trait]
pub(crate) trait CredentialStore: Send + Sync + 'static {
    async fn owner_of_key(&self, hash: &KeyHash) -> Result<Option<Owner>, StoreError>;
    /// `domain` as it is kept: ASCII, in lower case, without a dot at its end.
    async fn owner_of_domain(&self, domain: &str) -> Result<Option<Owner>, StoreError>;
}

/// Looks keys and domains up.
///
/// An answer is remembered together with the epoch of the directory that it was asked in: after a change nobody asks
/// for what was remembered before, also not for an answer that was on its way meanwhile.
pub(crate) struct Credentials {
    store: Arc<dyn CredentialStore>,
    keys: Cache<(u64, KeyHash), Option<Owner>>,
    domains: Cache<(u64, Box<str>), Option<Owner>>,
    challenge: HeaderValue,
}

impl Credentials {
    pub(crate) fn new(store: Arc<dyn CredentialStore>, ttl: Duration, challenge: HeaderValue) -> Self {
        let keys = Cache::builder().max_capacity(CAPACITY).time_to_live(ttl).build();
        let domains = Cache::builder().max_capacity(CAPACITY).time_to_live(ttl).build();
        Self { store, keys, domains, challenge }
    }

    /// Whose key it is.
    pub(super) async fn of_key(&self, key: &str, epoch: u64) -> Result<Owner, TenancyError> {
        let unknown = || TenancyError::Credential {
            source_name: API_KEY,
            reason: "there is no such key; it may have been revoked",
            challenge: self.challenge.clone(),
        };
        // What cannot be a key is not looked for.
        let hash = hash_of(key).ok_or_else(unknown)?;
        let asked = self.keys.try_get_with((epoch, hash), in_time(self.store.owner_of_key(&hash)));
        let owner = asked.await.map_err(|source| unavailable(API_KEY, source))?;
        owner.ok_or_else(unknown)
    }

    /// Whose domain it is, if it is anybody's.
    pub(super) async fn of_domain(&self, domain: &str, epoch: u64) -> Result<Option<Owner>, TenancyError> {
        let asked =
            self.domains.try_get_with((epoch, domain.into()), in_time(self.store.owner_of_domain(domain)));
        asked.await.map_err(|source| unavailable("domain", source))
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let slow = StoreError::Slow { limit: LOOKUP_LIMIT };
    tokio::time::timeout(LOOKUP_LIMIT, asked).await.unwrap_or(Err(slow))
}

fn unavailable(source_name: &'static str, source: Arc<StoreError>) -> TenancyError {
    TenancyError::SourceUnavailable { source_name, source: Box::new(source) }
}

/// The hash that a key is kept as; `None` for what is no key.
pub(crate) fn hash_of(key: &str) -> Option<KeyHash> {
    let digits = key.strip_prefix(KEY_PREFIX)?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_key = digits.len() == 2 * KEY_BYTES && digits.bytes().all(is_digit);
    is_key.then(|| Sha256::digest(key.as_bytes()).into())
}

/// A new key.
pub(crate) fn new_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{KEY_PREFIX}{}", hex(&bytes)))
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts look-ups, and answers after a turn of the scheduler.
    #[derive(Default)]
    struct Counting {
        lookups: AtomicUsize,
        owner: std::sync::Mutex<Option<Owner>>,
    }

    #[async_trait]
    impl CredentialStore for Counting {
        async fn owner_of_key(&self, _: &KeyHash) -> Result<Option<Owner>, StoreError> {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            let owner = *self.owner.lock().unwrap();
            tokio::task::yield_now().await;
            Ok(owner)
        }

        async fn owner_of_domain(&self, _: &str) -> Result<Option<Owner>, StoreError> {
            Err(StoreError::Slow { limit: LOOKUP_LIMIT })
        }
    }

    fn counting() -> (Arc<Counting>, Credentials) {
        let store = Arc::new(Counting::default());
        let challenge = HeaderValue::from_static("Bearer");
        (store.clone(), Credentials::new(store, Duration::from_secs(60), challenge))
    }

    #[test]
    fn keys_are_random_and_kept_as_hashes() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one, other);
        assert_ne!(hash_of(&one).unwrap(), hash_of(&other).unwrap());
        for bad in ["", "xk_", &one[3..], &one[..66], &format!("{one}0"), &one.to_uppercase()] {
            assert_eq!(hash_of(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_key_is_looked_up_once_in_an_epoch_and_never_remembered_beyond_it() {
        let (store, credentials) = counting();
        let key = new_key().unwrap();
        let owner = Owner { tenant: TenantId::parse("acme").unwrap(), life: 3 };
        *store.owner.lock().unwrap() = Some(owner);
        let asked = (0..50).map(|_| credentials.of_key(&key, 1));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.unwrap(), owner);
        }
        assert_eq!(store.lookups.load(Ordering::SeqCst), 1);
        // Revoked while a look-up of the epoch before was on its way.
        let (before, ()) = tokio::join!(credentials.of_key(&key, 2), async {
            *store.owner.lock().unwrap() = None;
        });
        assert_eq!(before.unwrap(), owner);
        assert!(matches!(credentials.of_key(&key, 3).await, Err(TenancyError::Credential { .. })));
        assert!(matches!(credentials.of_key("xk_no", 3).await, Err(TenancyError::Credential { .. })));
        assert_eq!(store.lookups.load(Ordering::SeqCst), 3, "what is no key is not looked for");
    }

    #[tokio::test]
    async fn a_store_that_fails_names_nobody() {
        let (_, credentials) = counting();
        let answer = credentials.of_domain("shop.example", 1).await;
        assert!(matches!(answer, Err(TenancyError::SourceUnavailable { .. })), "{answer:?}");
    }
}
