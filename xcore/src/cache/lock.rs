//! Locks that end by themselves: leases with a fencing token.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::CacheError;
use super::scope::Scope;

/// A lock that was taken with `lock`.
///
/// It ends when it is released or dropped, and at the latest when its time is over: then somebody else may have it while this one
/// still works. What must not be written by two at once is protected by [`CacheLock::fence`]: a store that refuses a write with a
/// smaller token than it has seen is safe from a holder that overslept.
#[must_use = "a lock that is dropped is given back"]
pub struct CacheLock {
    scope: Scope,
    /// With what it is for in front.
    name: String,
    owner: Owner,
    fence: u64,
    is_held: bool,
}

/// What a lock is for. Locks of callers and those of loads never have one name.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Caller,
    Load,
}

impl Purpose {
    fn name(self, name: &str) -> String {
        let purpose = match self {
            Self::Caller => "lock",
            Self::Load => "load",
        };
        format!("{purpose}:{name}")
    }
}

/// Who holds a lock: random, so that nobody gives back what somebody else holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Owner(String);

/// What became of the wish for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// It is had, with this token: larger than all before for this lock.
    Held(u64),
    /// Somebody has it, for so long if nobody changes that.
    Taken(Duration),
}

/// Between two attempts at a lock that is held.
const PAUSE: Duration = Duration::from_millis(20);

impl Owner {
    pub(crate) fn new() -> Result<Self, CacheError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|source| CacheError::Unavailable { source: source.into() })?;
        let mut text = String::with_capacity(32);
        for byte in random {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    #[cfg(feature = "redis")]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl CacheLock {
    /// Takes a lock, or waits at most `wait` for it.
    pub(super) async fn take(
        scope: &Scope,
        purpose: Purpose,
        name: &str,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Option<Self>, CacheError> {
        scope.key(name)?;
        let (name, owner) = (purpose.name(name), Owner::new()?);
        let until = tokio::time::Instant::now().checked_add(wait);
        loop {
            // Asked for again each time: the tenant may have been deleted meanwhile.
            let key = scope.space.lock(&name)?;
            match scope.backend().acquire(key, &owner, ttl).await? {
                Grant::Held(fence) => {
                    return Ok(Some(Self { scope: scope.clone(), name, owner, fence, is_held: true }));
                }
                Grant::Taken(left) => {
                    let pause = PAUSE.min(left.max(Duration::from_millis(1)));
                    let next = tokio::time::Instant::now() + pause;
                    if until.is_some_and(|until| next > until) {
                        return Ok(None);
                    }
                    tokio::time::sleep_until(next).await;
                }
            }
        }
    }

    /// The fencing token: larger than that of everybody who had this lock before.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Lets the lock end `ttl` from now. `false`: it had ended, and somebody else may have it.
    ///
    /// # Errors
    /// When the cache is unavailable; then nothing is known of the lock.
    pub async fn extend(&self, ttl: Duration) -> Result<bool, CacheError> {
        self.scope.backend().extend(self.scope.space.lock(&self.name)?, &self.owner, ttl).await
    }

    /// Gives the lock back. `false`: it had ended before.
    ///
    /// A call that is dropped gives it back in the background.
    ///
    /// # Errors
    /// When the cache is unavailable; then the lock ends by itself.
    pub async fn release(mut self) -> Result<bool, CacheError> {
        let was_held = self.scope.backend().release(self.scope.space.lock(&self.name)?, &self.owner).await?;
        self.is_held = false;
        Ok(was_held)
    }
}

impl Drop for CacheLock {
    fn drop(&mut self) {
        if !self.is_held {
            return;
        }
        // Without a runtime nobody can wait for the answer; then it ends by its time.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (scope, name, owner) = (self.scope.clone(), std::mem::take(&mut self.name), self.owner.clone());
        runtime.spawn(async move {
            let Ok(key) = scope.space.lock(&name) else { return };
            if let Err(error) = scope.backend().release(key, &owner).await {
                tracing::debug!(%error, "a lock was not given back and ends by its time");
            }
        });
    }
}

impl fmt::Debug for CacheLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLock")
            .field("name", &self.name)
            .field("fence", &self.fence)
            .finish_non_exhaustive()
    }
}
