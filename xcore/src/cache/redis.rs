//! The backend on a Redis server or cluster.
//!
//! Commands of all tasks go through one connection ([`link`]), scans over connections of their own ([`nodes`]). What takes several
//! steps is a script on one key ([`scripts`]), so everything works on a cluster too, where keys lie in slots by their names.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis;
use futures_util::future::try_join_all;
use futures_util::stream::StreamExt;
use redis::{
    Cmd, ConnectionInfo, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, Value, cmd, pipe,
};

mod link;
mod names;
mod nodes;
mod scripts;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::link::failed;
use self::link::{Link, Request};
use self::names::Area;
pub(crate) use self::names::Names;
pub(super) use self::names::escape;
pub(crate) use self::nodes::Nodes;
use super::CacheError;
use super::backend::{CacheBackend, Fresh, Names as Pages, Operation, TimeToLive, When, Write};
use super::lock::{Grant, Owner};
use super::pattern::Pattern;
use super::space::Key;
use super::window::{Counted, Window};

/// Keys that are removed by one command.
const BATCH: usize = 500;

/// A time to live beyond this counts as none.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Where the server is, and how it is used.
#[derive(Clone)]
pub(crate) struct RedisSettings {
    pub(crate) info: ConnectionInfo,
    /// Without a password.
    shown: Arc<str>,
    /// Whether the address is one of a cluster's.
    pub(crate) cluster: bool,
    /// What stands before each key.
    pub(crate) prefix: Option<String>,
    /// Each call ends within this.
    pub(crate) timeout: Duration,
}

impl RedisSettings {
    /// Of an address `redis://` or `rediss://`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn new(
        url: &str,
        cluster: bool,
        prefix: Option<String>,
        timeout: Duration,
    ) -> Result<Self, CacheError> {
        let info = url.into_connection_info().map_err(|_| {
            // What the crate says can hold the address, and that a password.
            let told =
                RedisError::from((ErrorKind::InvalidClientConfig, "the address of the cache cannot be read"));
            CacheError::Refused { source: Box::new(told) }
        })?;
        if url.starts_with("rediss") && rustls::crypto::CryptoProvider::get_default().is_none() {
            // The crate takes what the process has. Somebody else may have set it meanwhile, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Self { shown: info.addr().to_string().into(), info, cluster, prefix, timeout })
    }

    /// The address without user and password.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("server", &self.shown)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

/// Entries on a server.
pub(crate) struct Redis {
    link: Arc<Link>,
    nodes: Nodes,
    names: Names,
}

impl Redis {
    /// Begins to connect; calls wait for it. Called within a runtime.
    pub(crate) fn new(settings: RedisSettings) -> Self {
        let names = Names::new(settings.prefix.as_deref());
        Self { nodes: Nodes::new(settings.clone()), link: Arc::new(Link::new(settings)), names }
    }

    pub(crate) fn settings(&self) -> &RedisSettings {
        self.link.settings()
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    #[cfg(test)]
    pub(crate) fn is_up(&self) -> bool {
        self.link.is_up()
    }

    async fn read<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CacheError> {
        typed(self.link.read(Request::One(command)).await?)
    }

    async fn change<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, CacheError> {
        typed(self.link.change(Request::One(command)).await?)
    }

    async fn store(&self, key: Key<'_>, write: Write<'_>) -> Result<bool, CacheError> {
        let name = self.names.entry(key);
        let px = milliseconds(write.ttl);
        if let When::Equals(expected) = &write.when {
            let mut swap = scripts::run(scripts::SWAP, &name);
            swap.arg(&**expected).arg(&*write.value).arg(px.map_or_else(String::new, |ms| ms.to_string()));
            return self.change(&swap).await;
        }
        if px == Some(0) {
            if matches!(write.when, When::Absent) && self.exists(key).await? {
                return Ok(false);
            }
            self.change::<u64>(cmd("UNLINK").arg(&name)).await?;
            return Ok(true);
        }
        let mut set = cmd("SET");
        set.arg(&name).arg(&*write.value);
        if matches!(write.when, When::Absent) {
            set.arg("NX");
        }
        if let Some(ms) = px {
            set.arg("PX").arg(ms);
        }
        if write.tags.is_empty() {
            // `nil` when it was not stored.
            return Ok(!matches!(self.link.change(Request::One(&set)).await?, Value::Nil));
        }
        let notes = write.tags.iter().map(|tag| {
            let set_of_tag = self.names.write(Area::Tags, Key { space: key.space, name: tag });
            let mut note = scripts::run(scripts::TAG, &set_of_tag);
            note.arg(key.name).arg(px.map_or_else(String::new, |ms| ms.to_string()));
            note
        });
        let notes: Vec<Cmd> = notes.collect();
        if self.settings().cluster {
            // Before, so that no value is there without its tags; and after, because the tag may have been invalidated between.
            try_join_all(notes.iter().map(|note| self.change::<()>(note))).await?;
            let is_stored = !matches!(self.link.change(Request::One(&set)).await?, Value::Nil);
            try_join_all(notes.iter().map(|note| self.change::<()>(note))).await?;
            return Ok(is_stored);
        }
        let mut all = pipe();
        all.atomic();
        for note in notes {
            all.add_command(note).ignore();
        }
        all.add_command(set);
        let answer: Vec<Value> = typed(self.link.change(Request::Several(&all)).await?)?;
        Ok(!answer.iter().any(|value| matches!(value, Value::Nil)))
    }

    /// Removes keys as the server has them and says how many there were.
    async fn unlink(&self, keys: &[String]) -> Result<u64, CacheError> {
        let mut removed = 0;
        for batch in keys.chunks(BATCH) {
            removed += self.change::<u64>(cmd("UNLINK").arg(batch)).await?;
        }
        Ok(removed)
    }

    /// Removes what matches in an area.
    async fn clear_area(&self, area: Area, space: &str, pattern: &Pattern) -> Result<u64, CacheError> {
        let before = self.names.before(area, space);
        let mut walk = self.nodes.walk(self.names.glob(area, space, pattern)).await?;
        let mut removed = 0;
        while let Some(keys) = walk.next().await? {
            let own = |key: &Vec<u8>| {
                let name = self.names.name_of(&before, space, key)?;
                pattern.matches(name).then(|| format!("{before}{name}"))
            };
            let keys: Vec<String> = keys.iter().filter_map(own).collect();
            removed += self.unlink(&keys).await?;
        }
        Ok(removed)
    }

    async fn invalidate(&self, space: &str, tag: &str) -> Result<u64, CacheError> {
        let set_of_tag = self.names.write(Area::Tags, Key { space, name: tag });
        let before = self.names.before(Area::Entries, space);
        let mut removed = 0;
        loop {
            let mut take = cmd("ZPOPMIN");
            take.arg(&set_of_tag).arg(BATCH);
            let taken: Vec<(String, f64)> = self.change(&take).await?;
            let keys: Vec<String> = taken.iter().map(|(name, _)| format!("{before}{name}")).collect();
            removed += self.unlink(&keys).await?;
            if taken.len() < BATCH {
                return Ok(removed);
            }
        }
    }
}

/// Milliseconds of a time to live: at least 1 unless it is zero; `None` for none.
fn milliseconds(ttl: Option<Duration>) -> Option<u64> {
    let ttl = ttl.filter(|ttl| *ttl <= LONGEST)?;
    let whole = u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    Some(whole)
}

fn typed<T: FromRedisValue>(value: Value) -> Result<T, CacheError> {
    T::from_redis_value(value).map_err(|error| failed(RedisError::from(error)))
}

fn bytes(value: Value) -> Result<Option<Bytes>, CacheError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(Bytes::from(bytes))),
        Value::SimpleString(text) => Ok(Some(Bytes::from(text))),
        other => typed(other).map(|bytes: Vec<u8>| Some(Bytes::from(bytes))),
    }
}

fn left(milliseconds: i64) -> TimeToLive {
    match u64::try_from(milliseconds) {
        Ok(left) => TimeToLive::Remaining(Duration::from_millis(left)),
        Err(_) if milliseconds == -1 => TimeToLive::Unlimited,
        Err(_) => TimeToLive::Absent,
    }
}

/// What the server said of a number or a window.
fn named(error: CacheError, key: Key<'_>, by: i64) -> CacheError {
    let CacheError::Refused { source } = &error else { return error };
    let Some(said) = source.downcast_ref::<RedisError>() else { return error };
    let key = || key.name.to_owned();
    match (said.code(), said.detail()) {
        (Some("NOTAWINDOW"), _) => CacheError::NotAWindow { key: key() },
        (_, Some(detail)) if detail.contains("would overflow") => CacheError::Overflow { key: key(), by },
        (_, Some(detail)) if detail.contains("not an integer") => CacheError::NotAnInteger { key: key() },
        _ => error,
    }
}

impl CacheBackend for Redis {
    fn get<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Bytes>> {
        Operation::waiting(async move {
            bytes(self.link.read(Request::One(cmd("GET").arg(self.names.entry(key)))).await?)
        })
    }

    fn get_fresh<'a>(&'a self, key: Key<'a>) -> Operation<'a, Option<Fresh>> {
        Operation::waiting(async move {
            let name = self.names.entry(key);
            let mut both = pipe();
            both.cmd("GET").arg(&name).cmd("PTTL").arg(&name);
            let (value, ends): (Value, i64) = typed(self.link.read(Request::Several(&both)).await?)?;
            Ok(match (bytes(value)?, left(ends)) {
                (Some(value), TimeToLive::Unlimited) => Some((value, None)),
                (Some(value), TimeToLive::Remaining(left)) => Some((value, Some(left))),
                _ => None,
            })
        })
    }

    fn get_many<'a>(&'a self, keys: Vec<Key<'a>>) -> Operation<'a, Vec<Option<Bytes>>> {
        if keys.is_empty() {
            return Operation::ready(Ok(Vec::new()));
        }
        Operation::waiting(async move {
            // A cluster is asked slot by slot by the crate, all at once.
            let names: Vec<String> = keys.iter().map(|key| self.names.entry(*key)).collect();
            let values: Vec<Value> = self.read(cmd("MGET").arg(names)).await?;
            values.into_iter().map(bytes).collect()
        })
    }

    fn write<'a>(&'a self, key: Key<'a>, write: Write<'a>) -> Operation<'a, bool> {
        Operation::waiting(self.store(key, write))
    }

    fn write_many<'a>(&'a self, entries: Vec<(Key<'a>, Bytes)>, ttl: Option<Duration>) -> Operation<'a, ()> {
        Operation::waiting(async move {
            if self.settings().cluster || milliseconds(ttl) == Some(0) {
                let all = entries.into_iter().map(|(key, value)| self.store(key, Write::new(value, ttl)));
                return try_join_all(all).await.map(drop);
            }
            if entries.is_empty() {
                return Ok(());
            }
            let mut all = pipe();
            for (key, value) in &entries {
                let set = all.cmd("SET").arg(self.names.entry(*key)).arg(&**value);
                if let Some(ms) = milliseconds(ttl) {
                    set.arg("PX").arg(ms);
                }
                set.ignore();
            }
            self.link.change(Request::Several(&all)).await.map(drop)
        })
    }

    fn delete<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool> {
        Operation::waiting(async move { self.change(cmd("UNLINK").arg(self.names.entry(key))).await })
    }

    fn exists<'a>(&'a self, key: Key<'a>) -> Operation<'a, bool> {
        Operation::waiting(async move { self.read(cmd("EXISTS").arg(self.names.entry(key))).await })
    }

    fn ttl<'a>(&'a self, key: Key<'a>) -> Operation<'a, TimeToLive> {
        Operation::waiting(async move { self.read(cmd("PTTL").arg(self.names.entry(key))).await.map(left) })
    }

    fn expire<'a>(&'a self, key: Key<'a>, ttl: Option<Duration>) -> Operation<'a, bool> {
        Operation::waiting(async move {
            let name = self.names.entry(key);
            match milliseconds(ttl) {
                Some(0) => self.change(cmd("UNLINK").arg(name)).await,
                Some(ms) => self.change(cmd("PEXPIRE").arg(name).arg(ms)).await,
                None => {
                    // `PERSIST` does not tell an absent key from one without an end.
                    let mut both = pipe();
                    both.cmd("PERSIST").arg(&name).ignore().cmd("EXISTS").arg(&name);
                    let (is_there,) = typed(self.link.change(Request::Several(&both)).await?)?;
                    Ok(is_there)
                }
            }
        })
    }

    fn add<'a>(&'a self, key: Key<'a>, by: i64) -> Operation<'a, i64> {
        Operation::waiting(async move {
            let sum = self.change(cmd("INCRBY").arg(self.names.entry(key)).arg(by)).await;
            sum.map_err(|error| named(error, key, by))
        })
    }

    fn count<'a>(&'a self, key: Key<'a>, window: Window) -> Operation<'a, Counted> {
        Operation::waiting(async move {
            let mut count = scripts::run(scripts::COUNT, &self.names.entry(key));
            count.arg(window.length).arg(window.limit).arg(window.cost);
            let answer = self.change(&count).await;
            let (allowed, now, start, current, before): (bool, u64, u64, u64, u64) =
                answer.map_err(|error| named(error, key, 0))?;
            Ok(Counted { allowed, now, start, current, before })
        })
    }

    fn scan<'a>(&'a self, space: &'a str, pattern: Pattern) -> Pages<'a> {
        let glob = self.names.glob(Area::Entries, space, &pattern);
        let before = self.names.before(Area::Entries, space);
        let pages = async move {
            let walk = self.nodes.walk(glob).await?;
            let state = (walk, HashSet::<String>::new(), before, pattern);
            let pages = futures_util::stream::try_unfold(state, move |mut state| async move {
                let (walk, seen, before, pattern) = &mut state;
                let Some(keys) = walk.next().await? else { return Ok(None) };
                let mut names = Vec::new();
                for key in keys {
                    if let Some(name) = self.names.name_of(before, space, &key)
                        && pattern.matches(name)
                        && seen.insert(name.to_owned())
                    {
                        names.push(name.to_owned());
                    }
                }
                Ok(Some((names, state)))
            });
            Ok(pages)
        };
        futures_util::TryStreamExt::try_flatten(futures_util::stream::once(pages)).boxed()
    }

    fn clear<'a>(&'a self, space: &'a str, pattern: &'a Pattern) -> Operation<'a, u64> {
        Operation::waiting(self.clear_area(Area::Entries, space, pattern))
    }

    fn invalidate_tag<'a>(&'a self, space: &'a str, tag: &'a str) -> Operation<'a, u64> {
        Operation::waiting(self.invalidate(space, tag))
    }

    fn forget<'a>(&'a self, space: &'a str) -> Operation<'a, u64> {
        Operation::waiting(async move {
            let all = Pattern::all();
            self.clear_area(Area::Tags, space, &all).await?;
            self.clear_area(Area::Locks, space, &all).await?;
            self.clear_area(Area::Entries, space, &all).await
        })
    }

    fn acquire<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, Grant> {
        Operation::waiting(async move {
            let mut acquire = scripts::run(scripts::ACQUIRE, &self.names.write(Area::Locks, key));
            acquire.arg(owner.as_str()).arg(whole(ttl));
            let (is_held, number): (bool, u64) = self.change(&acquire).await?;
            Ok(if is_held { Grant::Held(number) } else { Grant::Taken(Duration::from_millis(number)) })
        })
    }

    fn extend<'a>(&'a self, key: Key<'a>, owner: &'a Owner, ttl: Duration) -> Operation<'a, bool> {
        Operation::waiting(async move {
            let mut extend = scripts::run(scripts::EXTEND, &self.names.write(Area::Locks, key));
            extend.arg(owner.as_str()).arg(whole(ttl).max(1));
            self.change(&extend).await
        })
    }

    fn release<'a>(&'a self, key: Key<'a>, owner: &'a Owner) -> Operation<'a, bool> {
        Operation::waiting(async move {
            let mut release = scripts::run(scripts::EXTEND, &self.names.write(Area::Locks, key));
            release.arg(owner.as_str()).arg(0);
            self.change(&release).await
        })
    }
}

/// Milliseconds of a lock, which always ends.
fn whole(ttl: Duration) -> u64 {
    milliseconds(Some(ttl.min(LONGEST))).unwrap_or(0)
}
