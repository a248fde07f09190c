//! Keys as they are stored, and the lock of a key.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use moka::Equivalent;

use crate::cache::space::Key;

/// A key in one allocation that the entries and the index share: `acme:last_order`.
///
/// A borrowed [`Key`] finds it without joining the two parts, so reading allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct StoredKey {
    text: Arc<str>,
    /// Length of the prefix without its `:`; 0 when there is none. A tenant id has at most 63 bytes.
    space: u8,
}

impl StoredKey {
    pub(super) fn new(key: Key<'_>) -> Self {
        // Prefixes are tenant ids (63 bytes at most) or a short constant, so the length always fits.
        Self { text: key.to_string().into(), space: u8::try_from(key.space.len()).unwrap_or(u8::MAX) }
    }

    pub(super) fn as_key(&self) -> Key<'_> {
        match usize::from(self.space) {
            0 => Key { space: "", name: &self.text },
            end => Key { space: &self.text[..end], name: &self.text[end + 1..] },
        }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }
}

impl PartialEq for StoredKey {
    fn eq(&self, other: &Self) -> bool {
        self.space == other.space && self.text == other.text
    }
}

impl Eq for StoredKey {}

impl Hash for StoredKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_key().hash(state);
    }
}

impl Equivalent<StoredKey> for Key<'_> {
    fn equivalent(&self, stored: &StoredKey) -> bool {
        *self == stored.as_key()
    }
}

/// One lock for each share of the keys.
pub(super) struct KeyLocks {
    locks: [Mutex<()>; 64],
    hashes: RandomState,
}

impl Default for KeyLocks {
    fn default() -> Self {
        Self { locks: std::array::from_fn(|_| Mutex::new(())), hashes: RandomState::default() }
    }
}

impl KeyLocks {
    /// Waits for the key's turn. Never held over an await or over a second lock of this kind.
    pub(super) fn lock(&self, key: Key<'_>) -> MutexGuard<'_, ()> {
        let share = self.hashes.hash_one(key) % 64;
        // Below 64, so it fits and is in range.
        self.locks[share as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
