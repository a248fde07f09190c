//! What a place that keeps entries has to do. One file per backend implements it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::CacheError;
use super::pattern::Pattern;
use super::space::Key;

/// How long an entry has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeToLive {
    /// There is no such entry.
    Absent,
    /// The entry has no end of its own; it can still be evicted.
    Unlimited,
    /// The entry expires after this time.
    Remaining(Duration),
}

/// Keeps entries by [`Key`]. The handles above it check keys and sizes and encode values, so that a
/// backend sees valid keys and bytes only.
///
/// Rules that the conformance suite checks for every backend:
/// - Each operation on one key is atomic: two calls of `add` never lose a step.
/// - A space lists and clears its own keys, whatever the pattern says, and names come back without the
///   prefix.
/// - A time to live of zero means that the entry is already over: it is gone after the call.
/// - A value of a 64-bit integer is its decimal text, which is also its JSON.
pub(crate) trait CacheBackend: Send + Sync + 'static {
    /// The value, unless it is absent or expired.
    fn get<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Bytes>>;

    /// Stores the value in place of any earlier one and its time to live.
    fn set<'a>(&'a self, key: Key<'a>, value: Bytes, ttl: Option<Duration>) -> Operation<'a, ()>;

    /// Removes the entry and says whether there was one.
    fn delete<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool>;

    /// Whether the entry is there and not expired.
    fn exists<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool>;

    /// How long the entry has left.
    fn ttl<'a>(&'a self, key: Key<'a>) -> Operation<'a, TimeToLive>;

    /// Gives the entry a new time to live (`None`: no end) and says whether there was an entry.
    fn expire<'a>(&'a self, key: Key<'a>, ttl: Option<Duration>) -> Operation<'a, bool>;

    /// Adds to a number, which is 0 when absent, keeps its time to live and gives the sum.
    fn add<'a>(&'a self, key: Key<'a>, by: i64) -> Operation<'a, i64>;

    /// The names in a space that match, in no order.
    fn keys<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, Vec<String>>;

    /// Removes the entries of a space that match and says how many there were.
    fn clear<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, u64>;
}

/// The answer of a backend: at hand, or a future that has to wait for it.
///
/// A backend in memory answers at once, and this way pays for no allocation.
#[must_use = "an operation does nothing until it is awaited"]
pub(crate) enum Operation<'a, T> {
    /// The answer; `None` once it was taken.
    Ready(Option<Result<T, CacheError>>),
    /// Still to be waited for.
    Waiting(Pin<Box<dyn Future<Output = Result<T, CacheError>> + Send + 'a>>),
}

impl<'a, T> Operation<'a, T> {
    /// An answer that is at hand.
    pub(crate) fn ready(answer: Result<T, CacheError>) -> Self {
        Self::Ready(Some(answer))
    }

    /// An answer that takes time.
    pub(crate) fn waiting(future: impl Future<Output = Result<T, CacheError>> + Send + 'a) -> Self {
        Self::Waiting(Box::pin(future))
    }
}

// Nothing in it is ever pinned in place: the future has a box of its own.
impl<T> Unpin for Operation<'_, T> {}

impl<T> Future for Operation<'_, T> {
    type Output = Result<T, CacheError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            // A future is not polled again after it was ready, so the second arm is not reached in practice.
            Self::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            Self::Waiting(future) => future.as_mut().poll(context),
        }
    }
}
