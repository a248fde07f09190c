use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;

use super::super::refused::CAPACITY;
use super::super::{CacheRoom, Change, DataVersion, Gap, Plan, Plans, Profile};
use super::*;

/// Counts lookups and answers after a turn of the scheduler, so that lookups overlap.
#[derive(Default)]
struct Slow {
    lookups: AtomicUsize,
    state: std::sync::Mutex<Option<State>>,
    listed: std::sync::Mutex<Vec<TenantRecord>>,
    revision: AtomicI64,
    is_away: AtomicBool,
    /// It tells that there was a change, and not which.
    tells_revision_only: AtomicBool,
    version: std::sync::Mutex<Option<String>>,
}

#[async_trait]
impl DirectoryStore for Slow {
    async fn find(&self, id: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        if self.is_away.load(Ordering::SeqCst) || self.tells_revision_only.load(Ordering::SeqCst) {
            return Err(StoreError::Away);
        }
        let state = *self.state.lock().unwrap();
        let reason = state.filter(|state| *state == State::Suspended).map(|_| "why".to_owned());
        let version = self.version.lock().unwrap().clone();
        Ok(state.map(|state| TenantRecord { state, reason, version, ..TenantRecord::active(*id) }))
    }

    async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
        if self.is_away.load(Ordering::SeqCst) || self.tells_revision_only.load(Ordering::SeqCst) {
            return Err(StoreError::Away);
        }
        let listed = self.listed.lock().unwrap().clone();
        tokio::task::yield_now().await;
        Ok(listed)
    }

    fn is_managed(&self) -> bool {
        true
    }

    async fn insert(&self, _: &TenantId, _: &[Arc<str>]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn advance_because(
        &self,
        _: &TenantId,
        _: i64,
        _: State,
        _: State,
        _: Option<&str>,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn change(&self, _: &TenantId, _: &Change<'_>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn migrations_of(&self, version: &str) -> Result<Option<BTreeSet<String>>, StoreError> {
        let migrations = version.split('+').map(str::to_owned).collect();
        Ok((version != "unheard of").then_some(migrations))
    }

    async fn soft_delete(
        &self,
        _: &TenantId,
        _: i64,
        _: State,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn restore(&self, _: &TenantId, _: i64) -> Result<Option<State>, StoreError> {
        Ok(None)
    }

    async fn end_soft_deletion(
        &self,
        _: &TenantId,
        _: i64,
        _: chrono::DateTime<chrono::Utc>,
    ) -> Result<bool, StoreError> {
        Ok(true)
    }

    async fn remove(&self, _: &TenantId, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn revision(&self) -> Result<i64, StoreError> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(StoreError::Away);
        }
        Ok(7 + self.revision.load(Ordering::SeqCst))
    }
}

fn slow(state: Option<State>) -> (Arc<Slow>, Directory) {
    let store = Arc::new(Slow { state: std::sync::Mutex::new(state), ..Slow::default() });
    let settings = DirectorySettings {
        ttl: Duration::from_secs(60),
        stale_for: Duration::from_secs(600),
        capacity: 1000,
        plugins: 1,
        ..DirectorySettings::default()
    };
    let directory = Directory::new(store.clone(), settings);
    (store, directory)
}

#[tokio::test]
async fn many_requests_for_one_tenant_ask_the_store_once() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    let asked = (0..100).map(|_| directory.admit(&acme));
    for answer in futures_util::future::join_all(asked).await {
        assert_eq!(*answer.unwrap().id(), acme);
    }
    assert_eq!(store.lookups.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_an_active_tenant_is_admitted() {
    for state in [None, Some(State::Provisioning), Some(State::Deleting), Some(State::Failed)] {
        let (_, directory) = slow(state);
        let answer = directory.admit(&TenantId::parse("acme").unwrap()).await;
        assert!(matches!(answer, Err(TenancyError::Unknown)), "{state:?}");
    }
}

#[tokio::test]
async fn a_tenant_that_is_held_is_refused_for_as_long_as_there_is_one() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    directory.admit(&acme).await.unwrap();
    directory.hold(&acme);
    assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Held)));
    for state in [Some(State::Deleting), None] {
        *store.state.lock().unwrap() = state;
        directory.forget(&acme);
        assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Unknown)), "{state:?}");
    }
    *store.state.lock().unwrap() = Some(State::Active);
    directory.release(&acme);
    assert!(directory.admit(&acme).await.is_ok());
}

#[tokio::test]
async fn a_tenant_is_refused_while_another_program_has_migrated_its_data_too_far() {
    let store = slow(Some(State::Active)).0;
    let own = DataVersion {
        text: "own".to_owned(),
        migrations: ["a", "b"].into_iter().map(str::to_owned).collect(),
    };
    let window = Window::new(own, Gap { newer: 1, older: 0 });
    let settings = DirectorySettings {
        ttl: Duration::from_secs(60),
        stale_for: Duration::from_secs(600),
        capacity: 1000,
        window: Some(Arc::new(window)),
        ..DirectorySettings::default()
    };
    let directory = Directory::new(store.clone(), settings);
    let acme = TenantId::parse("acme").unwrap();
    let note = |version: Option<&str>| {
        *store.version.lock().unwrap() = version.map(str::to_owned);
        store.revision.fetch_add(1, Ordering::SeqCst);
    };
    let rows = [
        (Some("own"), true),
        (Some("a+b+c"), true),
        (Some("a+b+c+d"), false),
        (Some("own"), true),
        (Some("a"), false),
        (Some("unheard of"), false),
        (None, false),
        (Some("a+b"), true),
    ];
    for (version, is_served) in rows {
        note(version);
        assert!(directory.refresh().await.unwrap());
        let asked = store.lookups.load(Ordering::SeqCst);
        for _ in 0..3 {
            let admitted = directory.admit(&acme).await;
            let is_refused = matches!(admitted, Err(TenancyError::Held));
            assert!(admitted.is_ok() == is_served && is_refused != is_served, "{version:?}: {admitted:?}");
        }
        assert_eq!(store.lookups.load(Ordering::SeqCst), asked + 1, "{version:?}: a refusal is remembered");
    }
    // A survey refuses it as a lookup does.
    assert!(directory.remembered(&acme).is_some());
    let record =
        |version: &str| TenantRecord { version: Some(version.to_owned()), ..TenantRecord::active(acme) };
    *store.listed.lock().unwrap() = vec![record("a+b+c")];
    directory.survey().await.unwrap();
    assert!(directory.remembered(&acme).is_some());
    *store.listed.lock().unwrap() = vec![record("a+b+c+d")];
    directory.survey().await.unwrap();
    assert!(directory.remembered(&acme).is_none());
}

#[tokio::test]
async fn a_tenant_that_is_forgotten_is_looked_up_again() {
    let (store, directory) = slow(None);
    let acme = TenantId::parse("acme").unwrap();
    assert!(directory.admit(&acme).await.is_err());
    *store.state.lock().unwrap() = Some(State::Active);
    assert!(directory.admit(&acme).await.is_err(), "an unknown name is remembered for a second");
    directory.forget(&acme);
    assert!(directory.admit(&acme).await.is_ok());
}

#[tokio::test]
async fn a_change_during_a_lookup_is_not_overwritten_by_what_the_lookup_read() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    let (admitted, ()) = tokio::join!(directory.admit(&acme), async {
        *store.state.lock().unwrap() = Some(State::Active);
        directory.forget(&acme);
    });
    assert!(admitted.is_ok());
    assert!(directory.remembered(&acme).is_none(), "read before the change, so not remembered");
}

#[tokio::test]
async fn a_flood_of_made_up_names_evicts_no_tenant() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    directory.admit(&acme).await.unwrap();
    *store.state.lock().unwrap() = None;
    for number in 0..CAPACITY + 10 {
        assert!(directory.admit(&TenantId::parse(&format!("x{number}")).unwrap()).await.is_err());
    }
    assert!(directory.remembered(&acme).is_some());
    assert!(directory.unknown.len() <= CAPACITY);
}

#[tokio::test]
async fn a_new_life_ends_the_one_before() {
    let (_, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    let first = directory.living(&TenantRecord { life: 1, ..TenantRecord::active(acme) });
    let same = directory.living(&TenantRecord { life: 1, ..TenantRecord::active(acme) });
    assert!(!first.has_ended());
    let second = directory.living(&TenantRecord { life: 2, ..TenantRecord::active(acme) });
    assert!(first.has_ended() && same.has_ended() && !second.has_ended());
    let record = TenantRecord { life: 2, ..TenantRecord::active(acme) };
    let moved = directory.living(&TenantRecord { server: Some("eu".into()), ..record });
    assert!(second.has_ended() && moved.server() == Some("eu"));
    directory.end(&acme);
    assert!(moved.has_ended());
}

#[tokio::test]
async fn a_context_is_made_once_per_life_of_a_tenant() {
    let (_, directory) = slow(Some(State::Active));
    let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
    let context = |id: &TenantId| directory.context(id.as_bytes(), 0, |tenant| tenant.to_string());
    assert!(context(&acme).is_none(), "nobody has been admitted");
    directory.admit(&acme).await.unwrap();
    directory.admit(&globex).await.unwrap();
    let first = context(&acme).unwrap();
    assert!(Arc::ptr_eq(&first, &context(&acme).unwrap()));
    assert_eq!((first.as_str(), context(&globex).unwrap().as_str()), ("acme", "globex"));
    directory.end(&acme);
    assert!(context(&acme).is_none());
}

#[tokio::test]
async fn what_is_remembered_ages_with_the_clock() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    directory.admit(&acme).await.unwrap();
    assert!(directory.remembered_as(b"acme").is_some() && directory.remembered_as(b"ACME").is_none());
    directory.tick(Duration::from_secs(61));
    assert!(directory.remembered(&acme).is_none());
    directory.admit(&acme).await.unwrap();
    assert_eq!(store.lookups.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn public_is_a_tenant_only_where_it_is_the_default() {
    let (_, directory) = slow(Some(State::Active));
    let public = TenantId::parse("public").unwrap();
    assert!(matches!(directory.admit(&public).await, Err(TenancyError::Unknown)));
}

/// A directory whose store can go away.
fn away() -> (Arc<Slow>, Directory, impl Fn(bool)) {
    let (store, directory) = slow(Some(State::Active));
    let switch = Arc::clone(&store);
    (store, directory, move |is_away| switch.is_away.store(is_away, Ordering::SeqCst))
}

#[tokio::test]
async fn known_tenants_are_served_for_a_while_when_the_store_is_away_and_nobody_else() {
    let (store, directory, go_away) = away();
    let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
    directory.refresh().await.unwrap();
    directory.admit(&acme).await.unwrap();
    // What is remembered is too old by now.
    directory.tick(Duration::from_secs(61));
    go_away(true);
    assert!(directory.admit(&acme).await.is_ok(), "found out by the lookup");
    assert!(matches!(directory.admit(&globex).await, Err(TenancyError::Unavailable { .. })));
    assert!(directory.refresh().await.is_err());
    let asked = store.lookups.load(Ordering::SeqCst);
    assert!(directory.admit(&acme).await.is_ok());
    let refused = directory.admit(&globex).await;
    assert!(matches!(refused, Err(TenancyError::Unavailable { source: StoreError::Away, .. })));
    assert_eq!(store.lookups.load(Ordering::SeqCst), asked, "nobody waits for a store that is away");
    directory.tick(Duration::from_secs(601));
    assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Unavailable { .. })), "too long");
    go_away(false);
    directory.refresh().await.unwrap();
    assert!(directory.admit(&acme).await.is_ok() && directory.admit(&globex).await.is_ok());
}

#[tokio::test]
async fn what_was_seen_to_be_suspended_or_deleted_is_not_served_when_the_store_is_away() {
    for seen in [Some(State::Suspended), Some(State::Deleting), Some(State::Failed), None] {
        let (store, directory, go_away) = away();
        let acme = TenantId::parse("acme").unwrap();
        directory.refresh().await.unwrap();
        directory.admit(&acme).await.unwrap();
        *store.state.lock().unwrap() = seen;
        store.revision.fetch_add(1, Ordering::SeqCst);
        assert!(directory.refresh().await.unwrap());
        assert!(directory.admit(&acme).await.is_err());
        directory.tick(Duration::from_secs(61));
        go_away(true);
        assert!(directory.refresh().await.is_err());
        if seen == Some(State::Suspended) {
            assert!(matches!(directory.admit(&acme).await, Err(TenancyError::Suspended(_))));
        }
        // The refusals are remembered for a while only, and not more of them than there is room for.
        directory.unknown.clear();
        directory.suspended.clear();
        let refused = directory.admit(&acme).await;
        assert!(matches!(refused, Err(TenancyError::Unavailable { .. })), "{seen:?}: {refused:?}");
    }
}

#[tokio::test]
async fn after_a_change_a_tenant_is_served_while_the_store_is_away() {
    let (store, directory, go_away) = away();
    let acme = TenantId::parse("acme").unwrap();
    directory.refresh().await.unwrap();
    directory.admit(&acme).await.unwrap();
    // Of somebody else, and then nobody can be asked any more.
    store.revision.fetch_add(1, Ordering::SeqCst);
    directory.refresh().await.unwrap();
    go_away(true);
    assert!(directory.remembered(&acme).is_none());
    assert!(directory.admit(&acme).await.is_ok());
}

#[tokio::test]
async fn what_a_change_made_doubtful_is_served_for_a_while_only() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    *store.listed.lock().unwrap() = vec![TenantRecord::active(acme)];
    directory.refresh().await.unwrap();
    directory.survey().await.unwrap();
    directory.admit(&acme).await.unwrap();
    directory.tick(Duration::from_secs(500));
    directory.refresh().await.unwrap();
    store.tells_revision_only.store(true, Ordering::SeqCst);
    store.revision.fetch_add(1, Ordering::SeqCst);
    for (second, is_served) in [(1_000, true), (1_099, true), (1_101, false)] {
        directory.tick(Duration::from_secs(second));
        directory.refresh().await.unwrap();
        assert!(directory.survey().await.is_err());
        assert_eq!(directory.admit(&acme).await.is_ok(), is_served, "at {second} s");
    }
    store.tells_revision_only.store(false, Ordering::SeqCst);
    directory.survey().await.unwrap();
    assert!(directory.admit(&acme).await.is_ok());
}

#[tokio::test]
async fn a_survey_spares_the_lookups_after_a_change() {
    let (store, directory) = slow(Some(State::Active));
    let [acme, globex] = ["acme", "globex"].map(|name| TenantId::parse(name).unwrap());
    directory.refresh().await.unwrap();
    directory.admit(&acme).await.unwrap();
    let context = directory.context(b"acme", 0, Tenant::life).unwrap();
    store.revision.fetch_add(1, Ordering::SeqCst);
    directory.refresh().await.unwrap();
    assert!(directory.remembered(&acme).is_none());
    *store.listed.lock().unwrap() = vec![TenantRecord::active(acme), TenantRecord::active(globex)];
    directory.survey().await.unwrap();
    assert!(Arc::ptr_eq(&context, &directory.context(b"acme", 0, Tenant::life).unwrap()));
    assert!(directory.remembered(&globex).is_none(), "nobody has asked for it yet");
    let suspended = TenantRecord { state: State::Suspended, ..TenantRecord::active(acme) };
    *store.listed.lock().unwrap() = vec![suspended];
    directory.survey().await.unwrap();
    assert!(directory.remembered(&acme).is_none());
}

#[tokio::test]
async fn a_tenant_that_is_created_while_all_are_read_has_not_ended() {
    let (store, directory) = slow(Some(State::Active));
    let [acme, globex, initech] = ["acme", "globex", "initech"].map(|name| TenantId::parse(name).unwrap());
    let stays = directory.living(&TenantRecord::active(acme));
    let goes = directory.living(&TenantRecord::active(globex));
    *store.listed.lock().unwrap() = vec![TenantRecord::active(acme)];
    let (survey, _made) =
        tokio::join!(directory.survey_of([]), async { directory.living(&TenantRecord::active(initech)) });
    assert_eq!(survey.unwrap().ended, [(globex, goes.life())]);
    assert_eq!(directory.survey_of([(initech, 9)]).await.unwrap().records.len(), 1);
    assert!(!stays.has_ended());
}

#[tokio::test]
async fn a_tenant_that_was_forgotten_for_want_of_room_still_ends() {
    let store = slow(Some(State::Active)).0;
    let settings =
        DirectorySettings { ttl: Duration::from_secs(60), capacity: 16, ..DirectorySettings::default() };
    let directory = Directory::new(store, settings);
    let acme = TenantId::parse("acme").unwrap();
    let held = directory.admit(&acme).await.unwrap();
    for number in 0..200 {
        directory.admit(&TenantId::parse(&format!("t{number}")).unwrap()).await.unwrap();
    }
    assert!(directory.remembered(&acme).is_none() && !held.has_ended());
    let again = directory.admit(&acme).await.unwrap();
    assert!(again.is_same(&held), "one proof per life");
    directory.end(&acme);
    assert!(held.has_ended() && again.has_ended());
}

#[tokio::test]
async fn a_suspended_tenant_is_refused_with_its_reason_and_goes_on_in_its_life() {
    let (store, directory) = slow(Some(State::Active));
    let acme = TenantId::parse("acme").unwrap();
    let held = directory.admit(&acme).await.unwrap();
    *store.state.lock().unwrap() = Some(State::Suspended);
    directory.forget(&acme);
    for _ in 0..3 {
        let Err(TenancyError::Suspended(why)) = directory.admit(&acme).await else { panic!("admitted") };
        assert_eq!(why.reason.as_deref(), Some("why"));
    }
    assert_eq!(store.lookups.load(Ordering::SeqCst), 2, "a refusal is remembered");
    assert!(!held.has_ended());
    *store.state.lock().unwrap() = Some(State::Active);
    directory.forget(&acme);
    assert!(directory.admit(&acme).await.unwrap().is_same(&held));
}

/// What the cache was told, and whose limits it keeps.
#[derive(Default)]
struct Told {
    limits: std::sync::Mutex<std::collections::BTreeMap<String, Option<u64>>>,
}

impl CacheRoom for Told {
    fn limit(&self, tenant: &TenantId, bytes: Option<u64>) {
        self.limits.lock().unwrap().insert(tenant.to_string(), bytes);
    }

    fn retain(&self, is_somebody: &dyn Fn(&str) -> bool) {
        self.limits.lock().unwrap().retain(|name, _| is_somebody(name));
    }
}

#[tokio::test]
async fn the_cache_is_told_of_each_life_and_forgets_those_who_are_gone() {
    let told = Arc::new(Told::default());
    let plan = Arc::new(Plan { cache_bytes: Some(7), ..Plan::default() });
    let cache = Arc::clone(&told) as Arc<dyn CacheRoom>;
    let plans = Plans {
        by_name: Arc::new([("free".to_owned(), plan)].into()),
        cache: Some(cache),
        ..Plans::default()
    };
    let store = slow(Some(State::Active)).0;
    let settings = DirectorySettings {
        ttl: Duration::from_secs(60),
        capacity: 10,
        rules: SettingsRules { plans, ..SettingsRules::default() },
        ..DirectorySettings::default()
    };
    let directory = Directory::new(Arc::<Slow>::clone(&store), settings);
    let record = |name: &str, life, plan: Option<&str>| TenantRecord {
        life,
        profile: Profile { plan: plan.map(str::to_owned), ..Profile::default() },
        ..TenantRecord::active(TenantId::parse(name).unwrap())
    };
    let limits = || told.limits.lock().unwrap().clone().into_iter().collect::<Vec<_>>();
    let first = directory.living(&record("acme", 1, Some("free")));
    assert_eq!(limits(), [("acme".to_owned(), Some(7))]);
    directory.end(first.id());
    // Another tenant of the same name, without a plan.
    let second = directory.living(&record("acme", 2, None));
    assert_eq!(limits(), [("acme".to_owned(), None)]);
    // A change that a survey sees.
    *store.listed.lock().unwrap() = vec![record("acme", 2, Some("free"))];
    let coming = directory.living(&record("globex", 1, Some("free")));
    drop(directory.living(&record("gone", 1, Some("free"))));
    directory.survey().await.unwrap();
    let both = ["acme", "globex"].map(|name| (name.to_owned(), Some(7)));
    assert_eq!(limits(), both, "one that is held has come since");
    drop((second, coming));
}
