//! What is particular to the backend in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::cache::{Cache, conformance};

fn key(name: &str) -> Key<'_> {
    Key { space: "acme", name }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_backend_conforms() {
    conformance::check(Cache::memory).await;
}

#[test]
fn a_full_cache_keeps_to_its_capacity_and_takes_new_keys() {
    let memory = Memory::new(100 * 1024);
    let value = Bytes::from(vec![b'1'; 1024]);
    for number in 0..2_000 {
        let name = format!("k{number}");
        memory.set(key(&name), value.clone(), None);
        assert!(memory.live(key(&name)).is_some(), "the value that was just set must be there");
    }
    memory.entries.run_pending_tasks();
    assert!(memory.entries.weighted_size() <= 100 * 1024, "{} bytes", memory.entries.weighted_size());
}

#[test]
fn a_full_cache_takes_a_new_key_though_the_old_ones_are_popular() {
    let memory = Memory::new(50 * 700);
    let names: Vec<_> = (0..50).map(|number| format!("k{number}")).collect();
    for _ in 0..50 {
        for name in &names {
            memory.set(key(name), Bytes::from_static(b"1"), None);
            memory.live(key(name));
        }
        memory.entries.run_pending_tasks();
    }
    for number in 0..20 {
        let name = format!("new{number}");
        memory.add(key(&name), 1).unwrap();
        memory.entries.run_pending_tasks();
        assert_eq!(memory.add(key(&name), 1).unwrap(), 2, "a counter must count in a full cache");
    }
}

#[test]
fn counting_on_many_threads_loses_no_step() {
    let memory = Memory::new(1 << 20);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    memory.add(key("n"), 1).unwrap();
                }
            });
        }
    });
    assert_eq!(memory.add(key("n"), 0).unwrap(), 80_000);
}

#[test]
fn a_key_that_is_set_before_its_eviction_is_seen_to_stays_listed() {
    let memory = Memory::new(1 << 20);
    memory.set(key("k"), Bytes::from_static(b"1"), None);
    memory.index.evicted().note(StoredKey::new(key("k")));
    memory.set(key("other"), Bytes::from_static(b"1"), None);
    assert!(memory.index.take_evicted().is_empty());
    assert_eq!(memory.index.keys("acme").len(), 2);
}

#[test]
fn evicted_and_expired_keys_leave_the_index() {
    let memory = Memory::new(64 * 1024);
    for number in 0..5_000 {
        memory.set(key(&format!("k{number}")), Bytes::from_static(b"1"), Some(Duration::from_millis(5)));
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while memory.index.len() > 1 {
        assert!(Instant::now() < deadline, "{} keys stayed in the index", memory.index.len());
        memory.entries.run_pending_tasks();
        memory.set(key("last"), Bytes::from_static(b"1"), None);
        std::thread::yield_now();
    }
}

#[test]
fn a_key_that_is_set_while_it_is_evicted_stays_listed() {
    // Room for some 20 entries and 64 keys: evictions and sets of the same keys meet all the time.
    let memory = Arc::new(Memory::new(20 * 700));
    std::thread::scope(|scope| {
        for start in 0..4_usize {
            let memory = Arc::clone(&memory);
            scope.spawn(move || {
                for round in 0..20_000_usize {
                    let name = format!("k{}", (round * (start + 1)) % 64);
                    memory.set(key(&name), Bytes::from_static(b"1"), None);
                }
            });
        }
    });
    memory.entries.run_pending_tasks();
    for (entry, _) in &memory.entries {
        let listed = memory.index.keys("acme");
        assert!(listed.contains(&entry), "{entry:?} is stored and not listed");
    }
}

#[test]
fn reading_finds_a_key_without_joining_its_parts() {
    let memory = Memory::new(1 << 20);
    memory.set(Key { space: "a", name: "b:c" }, Bytes::from_static(b"1"), None);
    assert!(memory.live(Key { space: "a", name: "b:c" }).is_some());
    assert!(memory.live(Key { space: "", name: "a:b:c" }).is_none());
    assert_eq!(memory.index.keys("a").len(), 1);
}
