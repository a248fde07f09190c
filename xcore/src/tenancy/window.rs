//! Which versions of a tenant's data this program serves.
//!
//! While an app is replaced, programs of two versions serve the same tenants: the newer one has migrated some of them, and the
//! older one still gets requests. What a tenant's data has is noted in the directory, and what stands behind each note is kept
//! there too, so that a program can tell how far from its own it is, also when a later program has written it.

use std::collections::BTreeSet;

use super::{DirectoryStore, StoreError};

/// What the data of tenants has when it is up to date for one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataVersion {
    /// As the directory notes it of each tenant. What stands behind a space is whose rights the tenants have.
    pub text: String,
    /// Its migrations, as `plugin: name`.
    pub migrations: BTreeSet<String>,
}

impl DataVersion {
    /// Whose rights the tenants have: data changes hands when that changes, so two versions that differ in it have nothing in common.
    fn role(text: &str) -> &str {
        text.split_once(' ').map_or("", |(_, role)| role)
    }
}

/// What lies between the data of a tenant and what this program expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Migrations that the data has and this program does not know.
    pub(crate) newer: usize,
    /// Migrations of this program that the data has not.
    pub(crate) older: usize,
}

/// The versions that are served.
#[derive(Debug)]
pub(crate) struct Window {
    own: DataVersion,
    /// How large a gap may be (`tenancy.accept_newer` and `accept_older`).
    widest: Gap,
    /// What stands behind a note never changes. There is one for each release of the app, so they are few.
    seen: papaya::HashMap<String, Gap>,
}

impl Window {
    pub(crate) fn new(own: DataVersion, widest: Gap) -> Self {
        Self { own, widest, seen: papaya::HashMap::new() }
    }

    /// What the data of tenants has when it is up to date for this program.
    pub(crate) fn own(&self) -> &DataVersion {
        &self.own
    }

    /// The gap to what is noted of a tenant. `None` when nobody can tell: nothing is noted, or nobody has written what stands behind it.
    ///
    /// # Errors
    /// When the store cannot be asked. It is, once for each version.
    pub(crate) async fn gap(
        &self,
        store: &dyn DirectoryStore,
        noted: Option<&str>,
    ) -> Result<Option<Gap>, StoreError> {
        let Some(noted) = noted else { return Ok(None) };
        if noted == self.own.text {
            return Ok(Some(Gap { newer: 0, older: 0 }));
        }
        if DataVersion::role(noted) != DataVersion::role(&self.own.text) {
            return Ok(None);
        }
        if let Some(gap) = self.seen.pin().get(noted) {
            return Ok(Some(*gap));
        }
        let Some(other) = store.migrations_of(noted).await? else { return Ok(None) };
        let newer = other.difference(&self.own.migrations).count();
        let older = self.own.migrations.difference(&other).count();
        let gap = Gap { newer, older };
        self.seen.pin().insert(noted.to_owned(), gap);
        Ok(Some(gap))
    }

    /// Whether data that is so far away is served.
    pub(crate) fn spans(&self, gap: Option<Gap>) -> bool {
        gap.is_some_and(|gap| gap.newer <= self.widest.newer && gap.older <= self.widest.older)
    }

    /// Whether a tenant of which this is noted has to be migrated: something of this program is missing, or it cannot be served as it is.
    pub(crate) fn is_behind(&self, gap: Option<Gap>) -> bool {
        gap.is_none_or(|gap| gap.older > 0) || !self.spans(gap)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::super::{Change, State, TenantId, TenantRecord};
    use super::*;

    fn version(text: &str, migrations: &[&str]) -> DataVersion {
        DataVersion {
            text: text.to_owned(),
            migrations: migrations.iter().map(ToString::to_string).collect(),
        }
    }

    /// Knows what stands behind versions, and counts who asks.
    #[derive(Default)]
    struct Versions(BTreeMap<String, BTreeSet<String>>, AtomicUsize);

    impl Versions {
        fn of(versions: &[DataVersion]) -> Self {
            let all = versions.iter().map(|version| (version.text.clone(), version.migrations.clone()));
            Self(all.collect(), AtomicUsize::new(0))
        }
    }

    #[async_trait]
    impl DirectoryStore for Versions {
        async fn migrations_of(&self, version: &str) -> Result<Option<BTreeSet<String>>, StoreError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(self.0.get(version).cloned())
        }
        async fn find(&self, _: &TenantId) -> Result<Option<TenantRecord>, StoreError> {
            Ok(None)
        }
        async fn list(&self) -> Result<Vec<TenantRecord>, StoreError> {
            Ok(Vec::new())
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
            Ok(0)
        }
    }

    #[tokio::test]
    async fn data_is_served_that_is_no_further_away_than_allowed() {
        let own = version("2-own", &["orders: a", "orders: b"]);
        let store = Versions::of(&[
            version("2-renumbered", &["orders: a", "orders: b"]),
            version("3-next", &["orders: a", "orders: b", "orders: c"]),
            version("4-after", &["orders: a", "orders: b", "orders: c", "billing: a"]),
            version("1-before", &["orders: a"]),
            version("2-aside", &["orders: a", "orders: c"]),
            version("2-own login", &["orders: a", "orders: b"]),
        ]);
        // Noted, then whether it is served with (newer, older) of (0, 0), (1, 0), (2, 0), (0, 1), (1, 1), and whether (1, 0) migrates it.
        let rows = [
            (Some("2-own"), [true; 5], false),
            (Some("2-renumbered"), [true; 5], false),
            (Some("3-next"), [false, true, true, false, true], false),
            (Some("4-after"), [false, false, true, false, false], true),
            (Some("1-before"), [false, false, false, true, true], true),
            (Some("2-aside"), [false, false, false, false, true], true),
            (Some("2-own login"), [false; 5], true),
            (Some("9-unheard-of"), [false; 5], true),
            (None, [false; 5], true),
        ];
        for (noted, expected, is_behind) in rows {
            let widths = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)];
            for ((newer, older), expected) in widths.into_iter().zip(expected) {
                let window = Window::new(own.clone(), Gap { newer, older });
                let gap = window.gap(&store, noted).await.unwrap();
                assert_eq!(window.spans(gap), expected, "{noted:?} with {newer} newer, {older} older");
                if (newer, older) == (1, 0) {
                    assert_eq!(window.is_behind(gap), is_behind, "{noted:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_stands_behind_a_version_is_asked_once_and_that_of_its_own_never() {
        let own = version("1-own", &["a: a"]);
        let store = Versions::of(&[version("2-next", &["a: a", "a: b"])]);
        let window = Window::new(own, Gap { newer: 1, older: 0 });
        for _ in 0..3 {
            assert!(window.spans(window.gap(&store, Some("1-own")).await.unwrap()));
        }
        assert_eq!(store.1.load(Ordering::Relaxed), 0);
        for _ in 0..3 {
            assert!(window.spans(window.gap(&store, Some("2-next")).await.unwrap()));
        }
        assert_eq!(store.1.load(Ordering::Relaxed), 1);
        for asked in 2..4 {
            assert!(!window.spans(window.gap(&store, Some("later")).await.unwrap()));
            assert_eq!(store.1.load(Ordering::Relaxed), asked, "it may be written later");
        }
    }
}
