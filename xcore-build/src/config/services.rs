//! `services`: what plugins may ask for. A service that is absent is not provided.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::settings::{
    CachePrefix, Flag, List, OneOf, RedisUrl, ServerMap, ServerUrl, Size, Span, StorageUrl, TimeZone, Whole,
    Word, Wrong, settings,
};

/// The services that are configured.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Services {
    /// `services.database`
    pub database: Option<Database>,
    /// `services.cache`
    pub cache: Option<Cache>,
    /// `services.scheduler`
    pub scheduler: Option<Scheduler>,
}

settings! {
    /// Database of each tenant, and the one that all tenants share.
    pub struct Database at "services.database" {
        /// Folder that holds one SQLite file per tenant, as `sqlite://FOLDER`, relative to the folder of this
        /// file; or a server that holds one schema per tenant, as `postgres://USER:PASSWORD@HOST/DATABASE`. This or `servers`.
        url: Option<DatabaseUrl> = optional StorageUrl;
        /// PostgreSQL servers that share the tenants, by name: each an address, or a section with `url` and `replicas`. The first one
        /// holds the directory of tenants and the shared tables, so it stays the first. A new tenant is placed on the one with
        /// the least tenants. Instead of `url`.
        servers: Option<Vec<DatabaseServer>> = optional ServerMap;
        /// Streaming replicas of the PostgreSQL server at `url`, for `ctx.db.read()`. They may be behind it.
        replicas: Option<Vec<DatabaseUrl>> = optional List<ServerUrl>;
        /// What stands between this program and the PostgreSQL server: `none`, the default, or `transaction`, a pooler such as
        /// PgBouncer in transaction mode, to which `url` leads. Each statement is then a transaction of its own, and the start makes sure that two tenants
        /// are apart behind it. Not for SQLite files, nor with `servers` or `replicas`.
        pooler: Option<Pooler> = optional OneOf<Pooler>;
        /// The same server without the pooler, for `pooler: transaction`: migrations and the making and dropping of schemas need
        /// sessions that stay. As `postgres://USER:PASSWORD@HOST/DATABASE`.
        direct_url: Option<DatabaseUrl> = optional ServerUrl;
        /// How many tenants' SQLite files are open at once, 256 by default. The least recently used one is closed for
        /// another. Not for a PostgreSQL server.
        max_open: Option<u32> = optional Whole<1, 100_000>;
        /// Connections to each tenant's SQLite file, at most 64; or to each PostgreSQL server and replica for all tenants
        /// together, at most 1024 and 16 by default.
        connections: u32 = default Whole<1, 1024>, "4";
        /// How many connections to the PostgreSQL server are kept open when nobody needs them, none by default. Not for
        /// SQLite files.
        min_connections: Option<u32> = optional Whole<1, 1024>;
        /// How many of the connections to the PostgreSQL server work at once, all of them by default. With more connections than
        /// work at once, each serves fewer tenants and keeps their plans. Not for SQLite files.
        active_connections: Option<u32> = optional Whole<1, 1024>;
        /// How long a statement waits for another one's lock.
        busy_timeout: Duration = default Span, "5s";
        /// How long a statement may take on the PostgreSQL server, as long as it needs by default. Not for SQLite files, and
        /// not for migrations.
        statement_timeout: Option<Duration> = optional Span;
    }
}

settings! {
    /// Cache whose keys belong to a tenant.
    pub struct Cache at "services.cache" {
        /// What holds the entries: `memory`, that of this process; `redis`, a server that all replicas share; or `tiered`, a server with
        /// memory in front of it that is told of changes.
        backend: CacheBackend = default OneOf<CacheBackend>, "memory";
        /// Where the server is, as `redis://USER:PASSWORD@HOST:PORT/DATABASE`, or with TLS as `rediss://`. For `redis` and `tiered`.
        url: Option<DatabaseUrl> = optional RedisUrl;
        /// Whether `url` is one of the servers of a Redis cluster, from which the others are learnt. Not so by default.
        cluster: Option<bool> = optional Flag;
        /// What stands before each key on the server, as `PREFIX:TENANT:KEY`, so that several apps can share it. Nothing by default.
        prefix: Option<String> = optional CachePrefix;
        /// How values are written: `json`, which other programs read, or `messagepack`, which is smaller. Either is read.
        codec: CacheCodec = default OneOf<CacheCodec>, "json";
        /// Memory of this process for the entries of all tenants, in bytes. When it is full, the tenant that has most makes room. Not for
        /// `redis`, which has memory of its own.
        capacity: u64 = default Size, "64MiB";
        /// Largest value of one entry, in bytes.
        max_value: u64 = default Size, "1MiB";
        /// How long a call may wait for the server, `1s` by default. For `redis` and `tiered`.
        timeout: Option<Duration> = optional Span;
        /// What a call does while the server is away: `error`, the default, or `pass_through`: the cache counts as empty and keeps nothing,
        /// and tenants are created without it.
        /// For `redis` and `tiered`.
        on_failure: Option<OnFailure> = optional OneOf<OnFailure>;
    }
}

settings! {
    /// Jobs that run at a time or again and again, each in its tenant's context.
    pub struct Scheduler at "services.scheduler" {
        /// What holds the jobs: `memory`, the default, where each process runs all of them and those that were added while it ran are
        /// gone when it ends; or `database`, where they outlast it, and each run is one process's, of several on PostgreSQL.
        backend: SchedulerBackend = default OneOf<SchedulerBackend>, "memory";
        /// IANA time zone that cron expressions are read in, unless a job names its own.
        timezone: String = default TimeZone, "UTC";
        /// How many jobs run at once, over all tenants.
        concurrency: u32 = default Whole<1, 10_000>, "16";
        /// The time over which the runs of one tick of a `#[job]` with `cron` or `every` are spread, unless the job has a `jitter`. None by default:
        /// all begin at the tick, as many at once as `concurrency` allows.
        spread: Option<Duration> = optional Span;
        /// How long a run is left to a process that does not say that it still runs it, with `backend: database`. A process says so three
        /// times in this time. At least 3s.
        lease: Duration = default Span, "30s";
        /// How many runs of each job are remembered when they have ended, for `ctx.scheduler.history`.
        history: u32 = default Whole<1, 100_000>, "100";
        /// How many days runs that have ended are remembered.
        history_days: u32 = default Whole<1, 3_660>, "7";
    }
}

/// Where databases are, as the configuration names it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DatabaseUrl(String);

/// One of several servers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatabaseServer {
    /// What the directory calls it.
    pub name: String,
    /// Where it is.
    pub url: DatabaseUrl,
    /// Its streaming replicas.
    pub replicas: Vec<DatabaseUrl>,
}

impl DatabaseServer {
    pub(crate) fn new(name: &str, url: DatabaseUrl, replicas: Vec<DatabaseUrl>) -> Self {
        Self { name: name.to_owned(), url, replicas }
    }
}

/// What holds the cache's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheBackend {
    /// The memory of this process.
    Memory,
    /// A Redis server or cluster.
    Redis,
    /// A Redis server or cluster, and memory of this process in front of it.
    Tiered,
}

/// How values of the cache are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheCodec {
    /// JSON.
    Json,
    /// MessagePack.
    MessagePack,
}

/// What a call to a cache does whose server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnFailure {
    /// It fails.
    Error,
    /// It finds nothing and stores nothing.
    PassThrough,
}

/// What holds the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SchedulerBackend {
    /// The memory of this process.
    Memory,
    /// The database that holds the directory of tenants.
    Database,
}

/// What stands between the program and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooler {
    /// Nothing that shares sessions.
    None,
    /// A pooler that gives each transaction to any of its sessions.
    Transaction,
}

impl DatabaseUrl {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The URL as it was written, variables resolved.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder of a `sqlite://FOLDER`, as it was written; see
    /// [`Config::database_folder`](super::Config::database_folder). `None` for a server.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.0.strip_prefix("sqlite://").map(Path::new)
    }

    /// Whether it names a PostgreSQL server.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        Self::server_part(&self.0).is_some()
    }

    /// What follows the scheme of a PostgreSQL server.
    pub(crate) fn server_part(text: &str) -> Option<&str> {
        text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
    }
}

/// Shows no password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", crate::redact::mask_url(&self.0))
    }
}

/// Shows no password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::redact::mask_url(&self.0))
    }
}

impl Word for Pooler {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("transaction", Self::Transaction)];

    fn refused(word: &str) -> Option<Wrong> {
        match word {
            "session" => Some(
                Wrong::new("asks for `session`; a pooler in session mode that passes `options` on is like the server itself")
                    .help("use `none`"),
            ),
            "statement" => Some(
                Wrong::new("asks for `statement`; in that mode a pooler allows no transaction, and tenants would not be apart")
                    .help("set the pooler to transaction mode, and use `transaction`"),
            ),
            _ => None,
        }
    }
}

impl Word for SchedulerBackend {
    const WORDS: &'static [(&'static str, Self)] = &[("memory", Self::Memory), ("database", Self::Database)];

    fn refused(word: &str) -> Option<Wrong> {
        (word == "redis").then(|| {
            Wrong::new("asks for `redis`, which is not in this version")
                .help("use `database`, with PostgreSQL for several processes")
        })
    }
}

impl Word for CacheBackend {
    const WORDS: &'static [(&'static str, Self)] =
        &[("memory", Self::Memory), ("redis", Self::Redis), ("tiered", Self::Tiered)];

    fn refused(word: &str) -> Option<Wrong> {
        match word {
            "valkey" | "keydb" | "dragonfly" => Some(
                Wrong::new(format!("asks for `{word}`, which speaks the protocol of Redis"))
                    .help("use `redis`"),
            ),
            "memcached" => Some(
                Wrong::new("asks for `memcached`, which has no patterns and no tags").help("use `redis`"),
            ),
            _ => None,
        }
    }
}

impl Word for CacheCodec {
    const WORDS: &'static [(&'static str, Self)] =
        &[("json", Self::Json), ("messagepack", Self::MessagePack)];

    fn refused(word: &str) -> Option<Wrong> {
        matches!(word, "msgpack" | "message_pack")
            .then(|| Wrong::new(format!("asks for `{word}`")).help("write `messagepack`"))
    }
}

impl Word for OnFailure {
    const WORDS: &'static [(&'static str, Self)] =
        &[("error", Self::Error), ("pass_through", Self::PassThrough)];
}
