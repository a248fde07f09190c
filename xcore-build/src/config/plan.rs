//! `tenancy.plans`: what tenants may use, by what they have bought.

use std::collections::BTreeMap;

use crate::problem::Problems;
use crate::settings::{Reading, Size, Whole, settings};
use crate::yaml::Node;

settings! {
    /// What a tenant of this plan may use of each process of the app. What is absent has no limit.
    pub struct Plan at "tenancy.plans.*" {
        /// How many requests a second a tenant may send in the long run. More are refused with 429.
        requests_per_second: Option<u32> = optional Whole<1, 1_000_000>;
        /// How many requests may come at once after a rest. Absent: as many as `requests_per_second`.
        burst: Option<u32> = optional Whole<1, 1_000_000>;
        /// How many requests of a tenant are served at once. More are refused with 429.
        concurrent_requests: Option<u32> = optional Whole<1, 1_000_000>;
        /// How many connections to databases a tenant holds at once. What needs one more waits, for five
        /// seconds at most, and is refused with 429.
        database_connections: Option<u32> = optional Whole<1, 10_000>;
        /// Bytes that the cache entries of a tenant take in the memory of the process, keys and bookkeeping included. Over it the
        /// tenant's own entries make room. Not for `services.cache.backend: redis`, which has memory of its own.
        cache_bytes: Option<u64> = optional Size;
        /// How many jobs that were added at run time a tenant has. One more is refused.
        jobs: Option<u32> = optional Whole<0, 1_000_000>;
        /// How many runs of a tenant's jobs are under way at once. More wait for their turn.
        concurrent_jobs: Option<u32> = optional Whole<1, 10_000>;
    }
}

impl Plan {
    /// Every plan of a tree whose keys were checked. `None` when one is not readable.
    pub(super) fn read_all(root: &Node, problems: &mut Problems) -> Option<BTreeMap<String, Self>> {
        let map = root.find("tenancy.plans").and_then(Node::map);
        let read = |name: &String| {
            let path = format!("tenancy.plans.{name}");
            Some((name.clone(), Self::read(&mut Reading::new(root, &path, problems))?))
        };
        // Each is read before any of them is given up, so that all problems are found.
        let plans: Vec<_> =
            map.iter().flat_map(|map| &map.entries).map(|entry| &entry.key).map(read).collect();
        plans.into_iter().collect()
    }
}
