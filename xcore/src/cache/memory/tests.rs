//! What is particular to the backend in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::cache::{Cache, CacheSettings, Codec, conformance};

fn key(name: &str) -> Key<'_> {
    Key { space: "acme", name }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_backend_conforms() {
    conformance::check(Cache::memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_backend_conforms_in_message_pack() {
    // Text, integers and sizes are those of JSON in the suite's limits, so only what is sent through the codec is checked.
    let cache = Cache::memory(CacheSettings { codec: Codec::MessagePack, ..CacheSettings::default() });
    let acme =
        cache.tenant(&crate::tenancy::Tenant::admit(crate::tenancy::TenantId::parse("acme").unwrap(), 0));
    acme.set("list", &vec![Some("ü"), None]).await.unwrap();
    assert_eq!(
        acme.get::<Vec<Option<String>>>("list").await.unwrap(),
        Some(vec![Some("ü".to_owned()), None])
    );
    acme.set("n", &41).await.unwrap();
    assert_eq!(acme.incr("n", 1).await.unwrap(), 42);
    assert_eq!(acme.get::<u8>("n").await.unwrap(), Some(42));
    assert!(acme.compare_and_swap("list", Some(&vec![Some("ü"), None]), &Vec::new(), None).await.unwrap());
    assert_eq!(acme.get::<u32>("list").await.unwrap(), None);
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
    let (kept, counted) = memory.index.bytes();
    assert!(kept == counted && kept <= 100 * 1024 && kept > 90 * 1024, "{kept} bytes, {counted} counted");
    memory.entries.run_pending_tasks();
    assert_eq!(memory.entries.entry_count(), memory.index.len() as u64);
}

#[test]
fn a_full_cache_takes_a_new_key_though_the_old_ones_are_popular() {
    let memory = Memory::new(50 * 800);
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
    let memory = Arc::new(Memory::new(20 * 800));
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

fn of<'a>(space: &'a str, name: &'a str) -> Key<'a> {
    Key { space, name }
}

/// How many of 50 keys of 1 KB a tenant finds again and again while another writes ten times the capacity.
fn hits_beside(noisy: Option<&str>) -> usize {
    let memory = Memory::new(200 * 1024);
    let value = Bytes::from(vec![b'1'; 1024]);
    let names: Vec<_> = (0..50).map(|number| format!("k{number}")).collect();
    let mut hits = 0;
    for round in 0..20 {
        for (number, name) in names.iter().enumerate() {
            match memory.live(of("quiet", name)) {
                Some(_) => hits += 1,
                None => memory.set(of("quiet", name), value.clone(), None),
            }
            // Each round 100 KB, 2 MB in all.
            for part in 0..2 {
                if let Some(noisy) = noisy {
                    memory.set(of(noisy, &format!("{round} {number} {part}")), value.clone(), None);
                }
            }
        }
    }
    hits
}

#[test]
fn a_tenant_that_writes_ten_times_the_capacity_evicts_its_own() {
    assert_eq!(hits_beside(None), 950);
    assert_eq!(hits_beside(Some("noisy")), 950);
    // The same keys within the tenant itself: with one space for both they would evict one another.
    assert!(hits_beside(Some("quiet")) < 800, "the measure must tell a share from none");
}

#[test]
fn a_tenant_has_all_that_the_others_leave_and_gives_it_back() {
    let memory = Memory::new(100 * 1024);
    let value = Bytes::from(vec![b'1'; 324]);
    let fill = |space: &str, count: usize| {
        for number in 0..count {
            memory.set(of(space, &format!("k{number:03}")), value.clone(), None);
        }
    };
    fill("first", 1_000);
    let alone = memory.index.keys("first").len();
    assert!(alone > 90, "{alone} of about 99 entries of a kilobyte");
    fill("second", 1_000);
    let (first, second) = (memory.index.keys("first").len(), memory.index.keys("second").len());
    assert!(first.abs_diff(second) <= 10 && first + second > 90, "{first} and {second}");
    fill("third", 20);
    assert_eq!(memory.index.keys("third").len(), 20, "who has less than its share loses nothing");
    for space in ["first", "second", "third"] {
        for key in memory.index.keys(space) {
            memory.delete(key.as_key());
        }
    }
    assert_eq!((memory.index.bytes(), memory.index.ranked()), ((0, 0), 0));
}

#[test]
fn a_tenant_with_a_limit_keeps_to_it() {
    let memory = Memory::new(1 << 20);
    let fill = |space: &str| {
        for number in 0..100 {
            memory.set(of(space, &format!("k{number}")), Bytes::from_static(b"1"), None);
        }
    };
    memory.limit("small", Some(10 * 800));
    fill("small");
    fill("large");
    assert!((10..=12).contains(&memory.index.keys("small").len()), "{}", memory.index.keys("small").len());
    assert_eq!(memory.index.keys("large").len(), 100);
    memory.limit("large", Some(20 * 800));
    assert!(memory.index.keys("large").len() <= 24, "a new limit counts for what is there");
    memory.limit("small", None);
    fill("small");
    assert_eq!(memory.index.keys("small").len(), 100);
    memory.limit("small", Some(10 * 800));
    memory.retain_limits(&|space| space == "small");
    assert_eq!(memory.index.limited(), 1, "the other one is nobody's");
}

#[test]
fn what_is_used_again_and_again_outlives_what_is_not() {
    let memory = Memory::new(40 * 800);
    for number in 0..2_000 {
        memory.set(key(&format!("k{number}")), Bytes::from_static(b"1"), None);
        assert!(number == 0 || memory.live(key("hot")).is_some());
        if number == 0 {
            memory.set(key("hot"), Bytes::from_static(b"1"), None);
        }
    }
}

#[test]
fn keys_that_come_and_go_leave_no_trace() {
    let memory = Memory::new(1 << 20);
    for number in 0..10_000 {
        memory.set(key("same"), Bytes::from(number.to_string()), None);
        memory.delete(key("same"));
        memory.set(key("other"), Bytes::from(number.to_string()), None);
    }
    assert_eq!(memory.index.len(), 1);
    assert!(memory.index.in_line() < 200, "{} in line", memory.index.in_line());
}
