//! The servers one by one, on connections of their own: for scans, which a cluster answers with one server's keys only, and whose
//! long replies would hold up what the others ask for on a shared connection.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_redis::{Connection, Manager, Pool, Runtime, redis};
use redis::{AsyncConnectionConfig, ConnectionAddr, ConnectionInfo, FromRedisValue, RedisError, cmd};

use super::RedisSettings;
use super::link::failed;
use crate::cache::CacheError;

/// Keys that the server looks at for one page.
const PAGE: usize = 1000;

/// Connections to each server.
const CONNECTIONS: usize = 4;

/// How often a scan begins anew because slots move, at most.
const PASSES: u32 = 50;

/// Before a scan begins anew.
const PAUSE: Duration = Duration::from_millis(50);

/// The servers of an app's cache.
pub(crate) struct Nodes {
    settings: RedisSettings,
    pools: Mutex<HashMap<Address, Pool>>,
}

/// Host and port; `None` for the server that is configured.
type Address = Option<(String, u16)>;

/// Which primary has which slots, as each of them says itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) primaries: Vec<Address>,
    /// The id of each slot's owner; empty where nobody says that it is the owner.
    owners: Vec<Arc<str>>,
    /// Whether a slot is on its way from one to another.
    is_moving: bool,
}

/// Slots of a cluster.
const SLOTS: usize = 16_384;

impl Map {
    /// Whether no slot changed its owner twice, from an earlier map over this one to a later one.
    fn moved_once(&self, earlier: &Self, later: &Self) -> bool {
        let changes = |slot: usize| {
            usize::from(earlier.owners[slot] != self.owners[slot])
                + usize::from(self.owners[slot] != later.owners[slot])
        };
        (0..SLOTS).all(|slot| changes(slot) < 2)
    }
}

/// The cluster did not come to rest.
#[derive(Debug, thiserror::Error)]
#[error("slots of the cluster moved during each of {PASSES} attempts to list its keys")]
struct NeverAtRest;

/// A connection of its own could not be had.
#[derive(Debug, thiserror::Error)]
#[error("no connection to {server}")]
struct NoConnection {
    server: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Nodes {
    pub(crate) fn new(settings: RedisSettings) -> Self {
        Self { settings, pools: Mutex::default() }
    }

    /// How a server is reached.
    pub(crate) fn info(&self, address: &Address) -> ConnectionInfo {
        let info = self.settings.info.clone();
        let Some((host, port)) = address.clone() else { return info };
        let addr = match info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        info.set_addr(addr)
    }

    async fn connection(&self, address: &Address) -> Result<Connection, CacheError> {
        let pool = self.pool(address).map_err(failed)?;
        pool.get().await.map_err(|source| {
            let server = address
                .as_ref()
                .map_or_else(|| self.settings.shown().to_owned(), |(host, port)| format!("{host}:{port}"));
            CacheError::Unavailable { source: Box::new(NoConnection { server, source: source.into() }) }
        })
    }

    fn pool(&self, address: &Address) -> Result<Pool, RedisError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(address) {
            return Ok(pool.clone());
        }
        let timeout = Some(self.settings.timeout);
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(timeout).set_response_timeout(timeout);
        let manager = Manager::new_with_config(self.info(address), config)?;
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .create_timeout(timeout)
            .wait_timeout(timeout)
            .recycle_timeout(timeout)
            .runtime(Runtime::Tokio1)
            .build();
        // Without a runtime timeouts would be refused; there is one.
        let pool = pool.map_err(|_| {
            RedisError::from((
                redis::ErrorKind::InvalidClientConfig,
                "the pool of connections cannot be built",
            ))
        })?;
        pools.insert(address.clone(), pool.clone());
        Ok(pool)
    }

    async fn nodes_of(&self, address: &Address) -> Result<String, CacheError> {
        let mut connection = self.connection(address).await?;
        cmd("CLUSTER").arg("NODES").query_async(&mut connection).await.map_err(failed)
    }

    /// The primaries and their slots; one server, where there is no cluster.
    pub(crate) async fn map(&self) -> Result<Map, CacheError> {
        if !self.settings.cluster {
            return Ok(Map { primaries: vec![None], ..Map::default() });
        }
        let mut primaries = primaries(&self.nodes_of(&None).await?);
        primaries.sort();
        let mut map = Map { primaries, owners: vec!["".into(); SLOTS], is_moving: false };
        for primary in &map.primaries {
            let nodes = self.nodes_of(primary).await?;
            let own = nodes.lines().find(|line| line.contains("myself")).unwrap_or_default();
            let mut fields = own.split(' ');
            let id: Arc<str> = fields.next().unwrap_or_default().into();
            for slots in fields.skip(7) {
                if slots.starts_with('[') {
                    map.is_moving = true;
                    continue;
                }
                let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
                let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else { continue };
                for owner in map.owners.iter_mut().take(last.saturating_add(1)).skip(first) {
                    *owner = Arc::clone(&id);
                }
            }
        }
        Ok(map)
    }

    /// A walk over all keys that match a glob.
    pub(crate) async fn walk(&self, glob: String) -> Result<Walk<'_>, CacheError> {
        let map = self.map().await?;
        let todo = map.primaries.iter().cloned().collect();
        Ok(Walk { nodes: self, glob, todo, at: None, map, earlier: None, passes: 1 })
    }
}

/// Addresses of the primaries in an answer to `CLUSTER NODES`, also of those that have no slots yet.
fn primaries(nodes: &str) -> Vec<Address> {
    let address = |line: &str| {
        let mut fields = line.split(' ');
        let (_, at, flags) = (fields.next()?, fields.next()?, fields.next()?);
        let is_primary = flags.split(',').any(|flag| flag == "master");
        let is_there = !flags.split(',').any(|flag| matches!(flag, "fail" | "noaddr" | "handshake"));
        // ip:port@busport,hostname
        let (host, port) = at.split(['@', ',']).next()?.rsplit_once(':')?;
        (is_primary && is_there && !host.is_empty()).then_some(())?;
        Some(Some((host.to_owned(), port.parse().ok()?)))
    };
    nodes.lines().filter_map(address).collect()
}

/// Goes over all keys of all primaries.
///
/// A key that is there all the time is met at least once, also when its slot moves meanwhile. One pass is enough when no slot moves.
/// Two are enough when none moves twice: a key that had left a server before the first pass came to it is met at the other one, in
/// the second pass at the latest. Passes are made until two in a row were such.
pub(crate) struct Walk<'a> {
    nodes: &'a Nodes,
    glob: String,
    todo: VecDeque<Address>,
    at: Option<(Connection, u64)>,
    map: Map,
    /// The map before the pass before.
    earlier: Option<Map>,
    passes: u32,
}

impl Walk<'_> {
    /// Some keys, as the server has them; one may be met again. `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Vec<u8>>>, CacheError> {
        loop {
            match self.page().await {
                Err(error)
                    if self.nodes.settings.cluster && error.is_unavailable() && self.passes < PASSES =>
                {
                    // A server may have left the cluster; what there is now is looked for.
                    tokio::time::sleep(PAUSE).await;
                    self.begin_again(self.nodes.map().await?);
                }
                Ok(Page::EndOfPass) => {
                    if !self.nodes.settings.cluster {
                        return Ok(None);
                    }
                    let map = self.nodes.map().await?;
                    let is_at_rest = map == self.map && !map.is_moving;
                    if is_at_rest
                        || self.earlier.as_ref().is_some_and(|earlier| self.map.moved_once(earlier, &map))
                    {
                        return Ok(None);
                    }
                    if self.passes >= PASSES {
                        return Err(CacheError::Unavailable { source: Box::new(NeverAtRest) });
                    }
                    let before = self.begin_again(map);
                    self.earlier = Some(before);
                }
                Ok(Page::Keys(keys)) => return Ok(Some(keys)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins another pass and gives the map of the one before.
    fn begin_again(&mut self, map: Map) -> Map {
        self.todo = map.primaries.iter().cloned().collect();
        self.at = None;
        self.earlier = None;
        self.passes += 1;
        std::mem::replace(&mut self.map, map)
    }

    async fn page(&mut self) -> Result<Page, CacheError> {
        if self.at.is_none() {
            let Some(address) = self.todo.pop_front() else { return Ok(Page::EndOfPass) };
            self.at = Some((self.nodes.connection(&address).await?, 0));
        }
        let Some((connection, cursor)) = &mut self.at else { return Ok(Page::EndOfPass) };
        let answer = cmd("SCAN")
            .arg(*cursor)
            .arg("MATCH")
            .arg(&self.glob)
            .arg("COUNT")
            .arg(PAGE)
            .query_async(connection)
            .await
            .map_err(failed)?;
        let (next, keys) = <(u64, Vec<Vec<u8>>)>::from_redis_value(answer)
            .map_err(|error| failed(RedisError::from(error)))?;
        *cursor = next;
        if next == 0 {
            self.at = None;
        }
        Ok(Page::Keys(keys))
    }
}

enum Page {
    Keys(Vec<Vec<u8>>),
    EndOfPass,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_are_read_from_what_a_cluster_says() {
        let nodes = "\
07c3 127.0.0.1:30004@31004,host slave e7d1 0 1426238317239 4 connected
67ed 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922
292f :30003@31003 master,noaddr - 0 1426238318243 3 disconnected
824f ::1:30005@31005 myself,master - 0 0 1 connected 0-5460 [93->-67ed]
e7d1 127.0.0.1:30001@31001 master,fail - 0 0 1 disconnected
";
        assert_eq!(
            primaries(nodes),
            [Some(("127.0.0.1".to_owned(), 30002)), Some(("::1".to_owned(), 30005))]
        );
    }
}
