//! What a place that keeps entries has to do. One file or folder per backend implements it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use super::CacheError;
use super::lock::{Grant, Owner};
use super::pattern::Pattern;
use super::space::Key;
use super::window::{Counted, Window};

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

/// When a value is stored.
#[derive(Clone, Debug)]
pub(crate) enum When {
    Always,
    /// When there is no entry.
    Absent,
    /// When the entry holds exactly these bytes.
    Equals(Bytes),
}

/// A value to be stored in place of any earlier one, its time to live and its tags.
#[derive(Clone, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) value: Bytes,
    pub(crate) ttl: Option<Duration>,
    pub(crate) tags: &'a [&'a str],
    pub(crate) when: When,
}

impl Write<'_> {
    pub(crate) fn new(value: Bytes, ttl: Option<Duration>) -> Self {
        Self { value, ttl, tags: &[], when: When::Always }
    }
}

/// A value and how long it has left; `None`: it has no end.
pub(crate) type Fresh = (Bytes, Option<Duration>);

/// Names of keys, some at a time.
pub(crate) type Names<'a> = BoxStream<'a, Result<Vec<String>, CacheError>>;

/// Keeps entries by [`Key`]. The handles above it check keys and sizes and encode values, so that a
/// backend sees valid keys and bytes only.
///
/// Rules that the conformance suite checks for every backend:
/// - Each operation on one key is atomic: two calls of `add` never lose a step. Operations on several keys are not.
/// - A space lists and clears its own keys, whatever the pattern says, and names come back without the
///   prefix.
/// - A time to live of zero means that the entry is already over: it is gone after the call.
/// - A value of a 64-bit integer is its decimal text, which is also its JSON.
/// - Locks are no entries: they are not listed and not cleared, and end with their tenant.
pub(crate) trait CacheBackend: Send + Sync + 'static {
    /// Shows the value when it is known without a wait: what a hit in memory costs is mostly the handing over of the value.
    fn at_hand(&self, _key: Key<'_>, _read: &mut dyn FnMut(&[u8])) -> AtHand {
        AtHand::Unknown
    }

    /// The value, unless it is absent or expired.
    fn get<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Bytes>>;

    /// The value with what it has left.
    fn get_fresh<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Fresh>>;

    /// The values of several keys, in their order.
    fn get_many<'a>(&'a self, keys: Vec<Key<'a>>) -> Operation<'a, Vec<Option<Bytes>>>;

    /// Stores a value and says whether it did.
    fn write<'a>(&'a self, key: Key<'a>, write: Write<'a>) -> Operation<'a, bool>;

    /// Stores several values without tags.
    fn write_many<'a>(&'a self, entries: Vec<(Key<'a>, Bytes)>, ttl: Option<Duration>) -> Operation<'a, ()>;

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

    /// Counts in a sliding window, when its limit allows it. See [`Counted`] for what is stored.
    fn count<'a>(&'a self, key: Key<'a>, window: Window) -> Operation<'a, Counted>;

    /// The names in a space that match, in no order, each once.
    fn scan<'a>(&'a self, space: &'a str, pattern: Pattern) -> Names<'a>;

    /// Removes the entries of a space that match and says how many there were.
    fn clear<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, u64>;

    /// Removes the entries of a space that were stored with a tag and says how many there were.
    fn invalidate_tag<'a>(&'a self, space: &'a str, tag: &'a str) -> Operation<'a, u64>;

    /// Removes all that a space has, locks and tags too, and says how many entries there were.
    fn forget<'a>(&'a self, space: &'a str) -> Operation<'a, u64>;

    /// Takes a lock that nobody holds, for `ttl`.
    fn acquire<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, Grant>;

    /// Lets a lock that is still held by `owner` end `ttl` from now. Says whether it was.
    fn extend<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, bool>;

    /// Gives a lock back. Says whether it was still held by `owner`.
    fn release<'a>(&'a self, key: Key<'a>, owner: &'a Owner) -> Operation<'a, bool>;

    /// The most bytes that a space may have in the memory of this process; `None`: what the others leave.
    fn limit(&self, _space: &str, _bytes: Option<u64>) {}

    /// Forgets the limits of all other spaces. No limit is set meanwhile.
    fn retain_limits(&self, _is_kept: &dyn Fn(&str) -> bool) {}
}

/// What is known of a value without a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtHand {
    /// It was shown.
    Shown,
    /// There is none.
    Absent,
    /// It has to be asked for.
    Unknown,
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
