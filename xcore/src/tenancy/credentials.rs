//! What the directory keeps for its tenants besides their names: API keys and domains, looked up once and remembered.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::http::HeaderValue;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::directory::Outlook;
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

/// How long it may take when it was asked not long ago.
const STALE_AFTER: Duration = Duration::from_secs(1);

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
/// for what was remembered before, also not for an answer that was on its way meanwhile. So while the store is away, too, a key
/// serves that was good since the last change that was seen, and one that may have been revoked does not.
pub(crate) struct Credentials {
    store: Arc<dyn CredentialStore>,
    keys: Answers<KeyHash>,
    domains: Answers<Box<str>>,
    challenge: HeaderValue,
}

impl Credentials {
    /// Answers are fresh for `ttl`, and good enough for `stale_for` more while the store is away.
    pub(crate) fn new(
        store: Arc<dyn CredentialStore>,
        ttl: Duration,
        stale_for: Duration,
        challenge: HeaderValue,
    ) -> Self {
        Self { store, keys: Answers::new(ttl, stale_for), domains: Answers::new(ttl, stale_for), challenge }
    }

    /// Whose key it is.
    pub(super) async fn of_key(&self, key: &str, outlook: Outlook) -> Result<Owner, TenancyError> {
        let unknown = || TenancyError::Credential {
            source_name: API_KEY,
            reason: "there is no such key; it may have been revoked",
            challenge: self.challenge.clone(),
        };
        // What cannot be a key is not looked for.
        let hash = hash_of(key).ok_or_else(unknown)?;
        let asked = self.keys.get(hash, outlook, self.store.owner_of_key(&hash));
        let owner = asked.await.map_err(|source| unavailable(API_KEY, source))?;
        owner.ok_or_else(unknown)
    }

    /// Whose domain it is, if it is anybody's.
    pub(super) async fn of_domain(
        &self,
        domain: &str,
        outlook: Outlook,
    ) -> Result<Option<Owner>, TenancyError> {
        let asked = self.domains.get(domain.into(), outlook, self.store.owner_of_domain(domain));
        asked.await.map_err(|source| unavailable("domain", source))
    }
}

/// The answers of one kind.
struct Answers<K> {
    fresh: Cache<(u64, K), Option<Owner>>,
    /// The owners that were found, for the time when nobody can be asked.
    last: Cache<(u64, K), Owner>,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Answers<K> {
    fn new(ttl: Duration, stale_for: Duration) -> Self {
        let fresh = Cache::builder().max_capacity(CAPACITY).time_to_live(ttl).build();
        let last =
            Cache::builder().max_capacity(CAPACITY).time_to_live(ttl.saturating_add(stale_for)).build();
        Self { fresh, last }
    }

    async fn get(
        &self,
        key: K,
        outlook: Outlook,
        asked: impl Future<Output = Result<Option<Owner>, StoreError>>,
    ) -> Result<Option<Owner>, Arc<StoreError>> {
        let key = (outlook.epoch, key);
        let asking = async {
            if outlook.is_away {
                return Err(StoreError::Away);
            }
            let has_stale = outlook.is_recent && self.last.contains_key(&key);
            let limit = if has_stale { STALE_AFTER } else { LOOKUP_LIMIT };
            let answer = tokio::time::timeout(limit, asked).await;
            let owner = answer.unwrap_or(Err(StoreError::Slow { limit }))?;
            if let Some(owner) = owner {
                self.last.insert(key.clone(), owner).await;
            }
            Ok(owner)
        };
        match self.fresh.try_get_with(key.clone(), asking).await {
            Err(_) if outlook.is_recent && self.last.contains_key(&key) => Ok(self.last.get(&key).await),
            answer => answer,
        }
    }
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
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    /// Counts look-ups, and answers after a turn of the scheduler.
    #[derive(Default)]
    struct Counting {
        lookups: AtomicUsize,
        owner: std::sync::Mutex<Option<Owner>>,
        is_away: AtomicBool,
    }

    #[async_trait]
    impl CredentialStore for Counting {
        async fn owner_of_key(&self, _: &KeyHash) -> Result<Option<Owner>, StoreError> {
            self.lookups.fetch_add(1, Ordering::SeqCst);
            let owner = *self.owner.lock().unwrap();
            tokio::task::yield_now().await;
            if self.is_away.load(Ordering::SeqCst) { Err(StoreError::Away) } else { Ok(owner) }
        }

        async fn owner_of_domain(&self, _: &str) -> Result<Option<Owner>, StoreError> {
            Err(StoreError::Slow { limit: LOOKUP_LIMIT })
        }
    }

    fn counting() -> (Arc<Counting>, Credentials) {
        counting_for(Duration::from_secs(60))
    }

    fn counting_for(ttl: Duration) -> (Arc<Counting>, Credentials) {
        let store = Arc::new(Counting::default());
        let challenge = HeaderValue::from_static("Bearer");
        (store.clone(), Credentials::new(store, ttl, Duration::from_secs(60), challenge))
    }

    /// A directory that answers.
    fn at(epoch: u64) -> Outlook {
        Outlook { epoch, is_away: false, is_recent: true }
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
        let asked = (0..50).map(|_| credentials.of_key(&key, at(1)));
        for answer in futures_util::future::join_all(asked).await {
            assert_eq!(answer.unwrap(), owner);
        }
        assert_eq!(store.lookups.load(Ordering::SeqCst), 1);
        // Revoked while a look-up of the epoch before was on its way.
        let (before, ()) = tokio::join!(credentials.of_key(&key, at(2)), async {
            *store.owner.lock().unwrap() = None;
        });
        assert_eq!(before.unwrap(), owner);
        assert!(matches!(credentials.of_key(&key, at(3)).await, Err(TenancyError::Credential { .. })));
        assert!(matches!(credentials.of_key("xk_no", at(3)).await, Err(TenancyError::Credential { .. })));
        assert_eq!(store.lookups.load(Ordering::SeqCst), 3, "what is no key is not looked for");
    }

    #[tokio::test]
    async fn a_store_that_fails_names_nobody() {
        let (_, credentials) = counting();
        let answer = credentials.of_domain("shop.example", at(1)).await;
        assert!(matches!(answer, Err(TenancyError::SourceUnavailable { .. })), "{answer:?}");
    }

    #[tokio::test]
    async fn a_key_that_was_good_since_the_last_change_serves_while_the_store_is_away_and_no_other() {
        let ttl = Duration::from_millis(20);
        let (store, credentials) = counting_for(ttl);
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let owner = Owner { tenant: TenantId::parse("acme").unwrap(), life: 3 };
        *store.owner.lock().unwrap() = Some(owner);
        credentials.of_key(&key, at(1)).await.unwrap();
        store.is_away.store(true, Ordering::SeqCst);
        tokio::time::sleep(ttl * 2).await;
        assert_eq!(credentials.of_key(&key, at(1)).await.unwrap(), owner, "found out by the look-up");
        let away = Outlook { is_away: true, ..at(1) };
        let asked = store.lookups.load(Ordering::SeqCst);
        assert_eq!(credentials.of_key(&key, away).await.unwrap(), owner);
        let is_refused = async |key: &str, outlook| {
            matches!(credentials.of_key(key, outlook).await, Err(TenancyError::SourceUnavailable { .. }))
        };
        assert!(is_refused(&other, away).await, "never seen");
        assert!(is_refused(&key, Outlook { is_recent: false, ..away }).await, "away for too long");
        assert!(is_refused(&key, Outlook { epoch: 2, ..away }).await, "it may have been revoked");
        assert_eq!(store.lookups.load(Ordering::SeqCst), asked, "nobody waits for a store that is away");
        store.is_away.store(false, Ordering::SeqCst);
        *store.owner.lock().unwrap() = None;
        let revoked = credentials.of_key(&key, at(3)).await;
        assert!(matches!(revoked, Err(TenancyError::Credential { .. })));
        store.is_away.store(true, Ordering::SeqCst);
        tokio::time::sleep(ttl * 2).await;
        assert!(is_refused(&key, Outlook { is_away: true, ..at(3) }).await, "it was seen to be revoked");
    }
}
