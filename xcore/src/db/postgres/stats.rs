//! What a pool counts, and how it is told: through the facade `metrics`, to whichever recorder the app has installed.
//!
//! What happens with each statement is a plain counter, and the pool's own task tells it once a second. So a statement costs the same
//! with every recorder, and the recorder may be installed late. What takes its time anyway, to open a connection and to wait for one, is
//! told when it ends, as a histogram needs each of them. Nothing is labelled with a tenant: there may be any number of them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics::{
    SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use sqlx::postgres::PgConnectOptions;

/// The figures of one pool.
#[derive(Debug)]
pub(super) struct Stats {
    /// Which pool it is: where its connections lead to.
    pool: SharedString,
    pub(super) in_full: AtomicUsize,
    pub(super) by_path: AtomicUsize,
    pub(super) in_unit: AtomicUsize,
    /// Switches of sessions; behind a pooler, transactions that set their path.
    pub(super) switches: AtomicUsize,
    pub(super) resets: AtomicUsize,
    /// Sessions that a switch found changed by code which no statement shows.
    pub(super) changed: AtomicUsize,
    pub(super) lost: AtomicUsize,
    pub(super) timeouts: AtomicUsize,
    waiting: AtomicUsize,
    told: Mutex<[usize; COUNT]>,
}

/// How many connections are in which state.
pub(super) struct Connections {
    pub(super) active: usize,
    pub(super) idle: usize,
    pub(super) max: usize,
}

struct Counter {
    name: &'static str,
    way: Option<&'static str>,
    of: fn(&Stats) -> &AtomicUsize,
    description: &'static str,
}

impl Counter {
    const fn new(name: &'static str, of: fn(&Stats) -> &AtomicUsize, description: &'static str) -> Self {
        Self { name, way: None, of, description }
    }

    const fn statements(way: &'static str, of: fn(&Stats) -> &AtomicUsize) -> Self {
        let description =
            "Statements sent for tenants and shared tables, by the way on which they find their tables";
        Self { way: Some(way), ..Self::new("xcore_db_statements_total", of, description) }
    }
}

/// A number of its own: with optimisation the compiler finds a cycle where the type of [`Stats`] needs the counters.
const COUNT: usize = 8;

const COUNTERS: [Counter; COUNT] = [
    Counter::statements("in_full", |stats| &stats.in_full),
    Counter::statements("by_path", |stats| &stats.by_path),
    Counter::statements("in_unit", |stats| &stats.in_unit),
    Counter::new("xcore_db_switches_total", |stats| &stats.switches, "Switches of a session to a tenant"),
    Counter::new("xcore_db_resets_total", |stats| &stats.resets, "Full resets of a session"),
    Counter::new(
        "xcore_db_sessions_found_changed_total",
        |stats| &stats.changed,
        "Sessions that a switch found changed by code which no statement shows",
    ),
    Counter::new("xcore_db_connections_lost_total", |stats| &stats.lost, "Connections that broke"),
    Counter::new(
        "xcore_db_acquire_timeouts_total",
        |stats| &stats.timeouts,
        "Callers for whom no connection became free in time",
    ),
];

const FAILURES: &str = "xcore_db_connect_failures_total";
const CONNECT: &str = "xcore_db_connect_seconds";
const WAIT: &str = "xcore_db_acquire_wait_seconds";
const CONNECTIONS: &str = "xcore_db_connections";
const MAX: &str = "xcore_db_connections_max";
const WAITING: &str = "xcore_db_acquire_waiting";

impl Stats {
    pub(super) fn new(options: &PgConnectOptions) -> Self {
        for counter in COUNTERS {
            describe_counter!(counter.name, Unit::Count, counter.description);
        }
        describe_counter!(FAILURES, Unit::Count, "Attempts to open a connection that failed");
        describe_histogram!(CONNECT, Unit::Seconds, "Time to open a connection");
        describe_histogram!(
            WAIT,
            Unit::Seconds,
            "Time that callers waited for a connection, of those who had to"
        );
        describe_gauge!(CONNECTIONS, Unit::Count, "Connections, by state: active or idle");
        describe_gauge!(MAX, Unit::Count, "Connections that are allowed");
        describe_gauge!(WAITING, Unit::Count, "Callers that wait for a connection");
        Self {
            pool: name_of(options).into(),
            in_full: AtomicUsize::new(0),
            by_path: AtomicUsize::new(0),
            in_unit: AtomicUsize::new(0),
            switches: AtomicUsize::new(0),
            resets: AtomicUsize::new(0),
            changed: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            timeouts: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            told: Mutex::default(),
        }
    }

    /// Tells what has happened since it was last told. The difference, because two pools may be told as one.
    pub(super) fn tell(&self, connections: &Connections) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (counter, told) in COUNTERS.iter().zip(told.iter_mut()) {
            let now = (counter.of)(self).load(Ordering::Relaxed);
            let new = u64::try_from(now - *told).unwrap_or(u64::MAX);
            *told = now;
            match counter.way {
                Some(way) => counter!(counter.name, "pool" => self.pool.clone(), "way" => way).increment(new),
                None => counter!(counter.name, "pool" => self.pool.clone()).increment(new),
            }
        }
        let Connections { active, idle, max } = *connections;
        for (state, count) in [("active", active), ("idle", idle)] {
            gauge!(CONNECTIONS, "pool" => self.pool.clone(), "state" => state).set(exact(count));
        }
        gauge!(MAX, "pool" => self.pool.clone()).set(exact(max));
        gauge!(WAITING, "pool" => self.pool.clone()).set(exact(self.waiting.load(Ordering::Relaxed)));
    }

    pub(super) fn connected(&self, after: Duration) {
        histogram!(CONNECT, "pool" => self.pool.clone()).record(after);
    }

    pub(super) fn failed_to_connect(&self) {
        counter!(FAILURES, "pool" => self.pool.clone()).increment(1);
    }

    pub(super) fn waited(&self, time: Duration) {
        histogram!(WAIT, "pool" => self.pool.clone()).record(time);
    }

    /// Counts a caller that waits, until this is dropped.
    pub(super) fn waits(&self) -> Waiting<'_> {
        add(&self.waiting);
        Waiting(&self.waiting)
    }
}

/// One more.
pub(super) fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn exact(count: usize) -> f64 {
    // At most 10,000 connections.
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Host, port and database; no user, and no password.
fn name_of(options: &PgConnectOptions) -> String {
    let host = options.get_socket().map_or(options.get_host().into(), |socket| socket.to_string_lossy());
    format!("{host}:{}/{}", options.get_port(), options.get_database().unwrap_or_default())
}
