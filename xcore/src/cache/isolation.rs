//! Random tenants, keys and patterns against a model in which each tenant has a map of its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};

use super::{Cache, CacheError, CacheSettings, MAX_KEY};
use crate::tenancy::{Tenant, TenantId};

/// Ids of which some begin with others or look like parts of keys.
const TENANTS: [&str; 5] = ["a", "a-b", "ab", "b", "public"];

#[derive(Clone, Debug)]
enum Step {
    Set(usize, String, i64),
    Get(usize, String),
    Delete(usize, String),
    Exists(usize, String),
    Incr(usize, String, i64),
    Keys(usize, String),
    Clear(usize, String),
    Many(usize, Vec<String>),
    Absent(usize, String, i64),
    Swap(usize, String, i64, i64),
    /// Takes a lock of this name for all tenants.
    Locks(String),
    Forget(usize),
}

/// Texts in which keys, patterns and prefixes are easily confused.
fn text() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "a",
        "b",
        "c",
        ":",
        "*",
        "?",
        "[",
        "]",
        "\\",
        "{",
        "}",
        "^",
        "-",
        "/",
        "ü",
        "💥",
        "\0",
        "\n",
        " ",
        "a:",
        "ab:",
        "xcore-shared:",
    ]);
    prop_oneof![
        8 => proptest::collection::vec(pieces, 0..5).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
        1 => (MAX_KEY - 1..MAX_KEY + 2).prop_map(|len| "k".repeat(len)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let tenant = 0..TENANTS.len();
    prop_oneof![
        6 => (tenant.clone(), text(), 0..9_i64).prop_map(|(tenant, key, value)| Step::Set(tenant, key, value)),
        4 => (tenant.clone(), text()).prop_map(|(tenant, key)| Step::Get(tenant, key)),
        2 => (tenant.clone(), text()).prop_map(|(tenant, key)| Step::Delete(tenant, key)),
        1 => (tenant.clone(), text()).prop_map(|(tenant, key)| Step::Exists(tenant, key)),
        2 => (tenant.clone(), text(), -9..9_i64).prop_map(|(tenant, key, by)| Step::Incr(tenant, key, by)),
        3 => (tenant.clone(), text()).prop_map(|(tenant, pattern)| Step::Keys(tenant, pattern)),
        2 => (tenant.clone(), text()).prop_map(|(tenant, pattern)| Step::Clear(tenant, pattern)),
        1 => (tenant.clone(), proptest::collection::vec(text(), 0..4)).prop_map(|(tenant, keys)| Step::Many(tenant, keys)),
        1 => (tenant.clone(), text(), 0..9_i64).prop_map(|(tenant, key, value)| Step::Absent(tenant, key, value)),
        1 => (tenant.clone(), text(), 0..3_i64, 0..9_i64).prop_map(|(tenant, key, old, new)| Step::Swap(tenant, key, old, new)),
        1 => text().prop_map(Step::Locks),
        1 => tenant.prop_map(Step::Forget),
    ]
}

/// Redis' glob once more, in the plainest way, so that the model does not rest on what it checks.
fn fits(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => (0..=name.len()).any(|skipped| fits(rest, &name[skipped..])),
        ['?', rest @ ..] => !name.is_empty() && fits(rest, &name[1..]),
        ['\\', wanted, rest @ ..] => name.first() == Some(wanted) && fits(rest, &name[1..]),
        ['[', rest @ ..] => {
            let Some(character) = name.first() else {
                return false;
            };
            let (negated, mut rest) = match rest {
                ['^', rest @ ..] => (true, rest),
                rest => (false, rest),
            };
            let mut found = false;
            loop {
                match rest {
                    [] => break,
                    [']', after @ ..] => {
                        rest = after;
                        break;
                    }
                    ['\\', escaped, after @ ..] => {
                        found |= escaped == character;
                        rest = after;
                    }
                    [low, '-', high, after @ ..] => {
                        found |= (low.min(high)..=low.max(high)).contains(&character);
                        rest = after;
                    }
                    [single, after @ ..] => {
                        found |= single == character;
                        rest = after;
                    }
                }
            }
            found != negated && fits(rest, &name[1..])
        }
        [wanted, rest @ ..] => name.first() == Some(wanted) && fits(rest, &name[1..]),
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    fits(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
}

fn limit(key: &str) -> Option<&'static str> {
    match key.len() {
        0 => Some("empty"),
        len if len > MAX_KEY => Some("long"),
        _ => None,
    }
}

fn named(error: &CacheError) -> &'static str {
    match error {
        CacheError::EmptyKey => "empty",
        CacheError::KeyTooLong { .. } => "long",
        _ => "other",
    }
}

async fn follow(cache: &Cache, steps: &[Step]) -> TestCaseResult {
    let ids = TENANTS.map(|id| TenantId::parse(id).unwrap());
    let handles = ids.map(|id| cache.tenant(&Tenant::admit(id, 0)));
    let mut model: [BTreeMap<String, i64>; TENANTS.len()] = Default::default();
    for step in steps {
        match step {
            Step::Set(at, key, value) => match handles[*at].set(key, value).await {
                Ok(()) => {
                    prop_assert_eq!(limit(key), None);
                    model[*at].insert(key.clone(), *value);
                }
                Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
            },
            Step::Get(at, key) => match handles[*at].get::<i64>(key).await {
                Ok(value) => prop_assert_eq!(value, model[*at].get(key).copied()),
                Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
            },
            Step::Delete(at, key) => match handles[*at].delete(key).await {
                Ok(was_there) => prop_assert_eq!(was_there, model[*at].remove(key).is_some()),
                Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
            },
            Step::Exists(at, key) => match handles[*at].exists(key).await {
                Ok(is_there) => prop_assert_eq!(is_there, model[*at].contains_key(key)),
                Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
            },
            Step::Incr(at, key, by) => match handles[*at].incr(key, *by).await {
                Ok(sum) => {
                    let value = model[*at].entry(key.clone()).or_default();
                    *value += by;
                    prop_assert_eq!(sum, *value);
                }
                Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
            },
            Step::Many(at, keys) => {
                let names: Vec<&str> = keys.iter().map(String::as_str).collect();
                match handles[*at].get_many::<i64>(&names).await {
                    Ok(values) => {
                        let expected: Vec<_> = keys.iter().map(|key| model[*at].get(key).copied()).collect();
                        prop_assert_eq!(values, expected);
                    }
                    Err(error) => prop_assert!(keys.iter().any(|key| limit(key) == Some(named(&error)))),
                }
            }
            Step::Absent(at, key, value) => match handles[*at].set_if_absent(key, value, None).await {
                Ok(stored) => {
                    prop_assert_eq!(stored, !model[*at].contains_key(key));
                    model[*at].entry(key.clone()).or_insert(*value);
                }
                Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
            },
            Step::Swap(at, key, old, new) => {
                match handles[*at].compare_and_swap(key, Some(old), new, None).await {
                    Ok(swapped) => {
                        prop_assert_eq!(swapped, model[*at].get(key) == Some(old));
                        if swapped {
                            model[*at].insert(key.clone(), *new);
                        }
                    }
                    Err(error) => prop_assert_eq!(limit(key), Some(named(&error))),
                }
            }
            Step::Locks(name) => {
                let mut locks = Vec::new();
                for handle in &handles {
                    match handle.lock(name, std::time::Duration::from_secs(600)).await {
                        Ok(lock) => locks.push(lock),
                        Err(error) => prop_assert_eq!(limit(name), Some(named(&error))),
                    }
                }
                // With isolation each has its own.
                prop_assert!(locks.iter().all(Option::is_some));
                for lock in locks.into_iter().flatten() {
                    prop_assert!(lock.release().await.unwrap());
                }
            }
            Step::Keys(at, pattern) if pattern.len() <= MAX_KEY => {
                let mut keys = handles[*at].keys(pattern).await.unwrap();
                keys.sort();
                let expected: Vec<_> =
                    model[*at].keys().filter(|key| matches(pattern, key)).cloned().collect();
                prop_assert_eq!(keys, expected, "pattern {:?}", pattern);
            }
            Step::Clear(at, pattern) if pattern.len() <= MAX_KEY => {
                let before = model[*at].len();
                model[*at].retain(|key, _| !matches(pattern, key));
                let removed = handles[*at].clear(pattern).await.unwrap();
                prop_assert_eq!(removed, (before - model[*at].len()) as u64, "pattern {:?}", pattern);
            }
            Step::Keys(at, pattern) => prop_assert!(handles[*at].keys(pattern).await.is_err()),
            Step::Clear(at, pattern) => prop_assert!(handles[*at].clear(pattern).await.is_err()),
            Step::Forget(at) => {
                let removed = cache.forget_tenant(&ids[*at]).await.unwrap();
                prop_assert_eq!(removed, model[*at].len() as u64);
                model[*at].clear();
            }
        }
    }
    for (handle, expected) in handles.iter().zip(&model) {
        let mut keys = handle.keys("*").await.unwrap();
        keys.sort();
        prop_assert_eq!(&keys, &expected.keys().cloned().collect::<Vec<_>>());
        for (key, value) in expected {
            prop_assert_eq!(handle.get::<i64>(key).await.unwrap(), Some(*value));
        }
    }
    Ok(())
}

fn run(cases: u32, settings: CacheSettings) -> Result<(), TestError<Vec<Step>>> {
    run_on(cases, settings, Cache::memory)
}

fn run_on(
    cases: u32,
    settings: CacheSettings,
    make: impl Fn(CacheSettings) -> Cache,
) -> Result<(), TestError<Vec<Step>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner.run(&proptest::collection::vec(step(), 1..60), |mut steps| {
        if !settings.isolate {
            // Forgetting a tenant does nothing then, by definition, and would fail without any leak.
            steps.retain(|step| !matches!(step, Step::Forget(_)));
        }
        runtime.block_on(async { follow(&make(settings), &steps).await })
    })
}

#[test]
fn no_operation_of_a_tenant_changes_or_shows_anothers() {
    if let Err(error) = run(600, CacheSettings::default()) {
        panic!("{error}");
    }
}

#[test]
fn the_property_fails_when_isolation_is_off() {
    let shared = run(600, CacheSettings { isolate: false, ..CacheSettings::default() });
    assert!(matches!(shared, Err(TestError::Fail(..))), "the property must catch shared keys");
}

#[cfg(feature = "redis")]
mod on_redis {
    use std::sync::Arc;

    use super::*;
    use crate::cache::redis::Redis;
    use crate::cache::redis::tests::Server;

    #[test]
    fn no_operation_of_a_tenant_changes_or_shows_anothers_on_redis() {
        for server in [Server::one(), Server::cluster()] {
            let make = |settings| Cache::on(Arc::new(Redis::new(server.settings())), settings);
            if let Err(error) = run_on(40, CacheSettings::default(), make) {
                panic!("{error}");
            }
        }
    }
}
