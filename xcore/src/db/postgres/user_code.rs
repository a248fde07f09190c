//! Which schemas hold code of users that may change a session without being seen in the text of a statement (I3).
//!
//! A trigger runs though no statement names it, and `cake.price` may be a column or the call of a function. What such code does
//! to a session, the next tenant would find: settings, temporary tables, locks. So all functions are read (`body.rs`), and a
//! statement that goes by the path of a schema with one that is not known to be harmless leads to a reset, as SQL does that shows
//! it. So does every statement while this is not known.
//!
//! One answer is kept for all schemas. `watch.rs` renews it when functions have changed. What a tenant defines itself is doubted from
//! before it is sent; and what is defined through the handle of another tenant is noticed as soon as the server was asked.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, Row};
use tokio::sync::Notify;

use super::body::{Language, is_harmless};
use super::schema::MARK;
use super::target::Target;
use crate::tenancy::TenantId;

const USER_CODE: &str = include_str!("user_code.sql");

/// An answer that could not be confirmed for this long counts no more.
const CONFIRMED: Duration = Duration::from_secs(15);

/// What is known of the functions of users.
#[derive(Debug, Default)]
pub(super) struct UserCode {
    state: RwLock<State>,
    /// Told when something was defined.
    pub(super) wake: Notify,
    /// Of a streaming replica, where nothing can be defined, nor counted: what is known of the primary.
    primary: Option<Arc<UserCode>>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    doubts: HashMap<Target, Doubt>,
    /// Counts definitions.
    changes: u64,
    /// Up to which of them the others were told.
    announced: u64,
}

/// What a target defined, or defines, since the server was asked.
#[derive(Debug, Default)]
struct Doubt {
    under_way: usize,
    ended: u64,
}

#[derive(Debug)]
struct Known {
    found: Found,
    confirmed: Instant,
    /// The definitions that it knows of.
    changes: u64,
}

/// Schemas with code that may change a session.
#[derive(Debug, Default)]
pub(super) struct Found {
    schemas: HashSet<TenantId>,
    everywhere: bool,
}

impl UserCode {
    /// For a streaming replica.
    pub(super) fn of_copy(primary: Arc<Self>) -> Self {
        Self { primary: Some(primary), ..Self::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a statement on the path of this target may change the session unseen.
    pub(super) fn may_alter(&self, target: Target) -> bool {
        let own = match target {
            Target::Tenant(id) | Target::Copy(id, _) => Some(id),
            Target::Public => None,
            // Only statements of the framework itself.
            Target::Directory | Target::Probe(_) | Target::Nobody => return false,
        };
        // What is defined there comes here, and nobody here is told.
        let there = own.map_or(Target::Public, Target::Tenant);
        if self.primary.as_ref().is_some_and(|primary| primary.may_alter(there)) {
            return true;
        }
        let state = self.read();
        let Some(known) = &state.known else { return true };
        known.found.everywhere
            || own.is_some_and(|id| known.found.schemas.contains(&id))
            || state.doubts.contains_key(&target)
            || state.doubts.contains_key(&Target::Public)
            || known.confirmed.elapsed() > CONFIRMED
    }

    /// Something is going to be defined through this target. It is doubted until the server was asked after the end of that.
    pub(super) fn define(self: &Arc<Self>, target: Target) -> Definition {
        self.write().doubts.entry(target).or_default().under_way += 1;
        Definition { code: Arc::clone(self), target }
    }

    /// Something was defined through this target.
    pub(super) fn doubt(&self, target: Target) {
        let mut state = self.write();
        state.changes += 1;
        let changes = state.changes;
        state.doubts.entry(target).or_default().ended = changes;
        drop(state);
        self.wake.notify_one();
    }

    /// How many definitions there were, when the others do not know of all of them.
    pub(super) fn unannounced(&self) -> Option<u64> {
        let state = self.read();
        (state.changes > state.announced && self.primary.is_none()).then_some(state.changes)
    }

    pub(super) fn announced(&self, changes: u64) {
        self.write().announced = changes;
    }

    /// Whether the server is to be asked again.
    pub(super) fn is_outdated(&self) -> bool {
        let state = self.read();
        state.known.as_ref().is_none_or(|known| known.changes < state.changes) || !state.doubts.is_empty()
    }

    /// Nothing has changed on the server.
    pub(super) fn confirm(&self) {
        if let Some(known) = &mut self.write().known {
            known.confirmed = Instant::now();
        }
    }

    /// Asks the server, unless it is away.
    pub(super) async fn ask(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        // Read before the catalog is: whatever is defined from here on is asked for again.
        let changes = self.read().changes;
        let asked = Instant::now();
        let found = find(connection).await?;
        let mut state = self.write();
        state.known = Some(Known { found, confirmed: asked, changes });
        state.doubts.retain(|_, doubt| doubt.under_way > 0 || doubt.ended > changes);
        Ok(())
    }
}

/// Something that is being defined.
#[derive(Debug)]
pub(super) struct Definition {
    code: Arc<UserCode>,
    target: Target,
}

impl Drop for Definition {
    fn drop(&mut self) {
        if let Some(doubt) = self.code.write().doubts.get_mut(&self.target) {
            doubt.under_way -= 1;
        }
        self.code.doubt(self.target);
    }
}

/// A function, or several with the same text.
struct Code {
    spaces: Vec<String>,
    language: Option<String>,
    body: String,
    defaults: Option<String>,
    settings: Vec<String>,
}

async fn find(connection: &mut PgConnection) -> Result<Found, sqlx::Error> {
    let rows = sqlx::query(USER_CODE).bind(MARK).fetch_all(connection).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(Code {
            spaces: row.try_get("spaces")?,
            language: row.try_get("language")?,
            body: row.try_get::<Option<String>, _>("body")?.unwrap_or_default(),
            defaults: row.try_get("defaults")?,
            settings: row.try_get::<Option<Vec<String>>, _>("settings")?.unwrap_or_default(),
        });
    }
    let with_code: HashSet<&str> = all.iter().flat_map(|code| &code.spaces).map(String::as_str).collect();
    let mut found = Found::default();
    for code in all.iter().filter(|code| !code.is_harmless(&with_code)) {
        for space in &code.spaces {
            match TenantId::parse(space) {
                Ok(id) => drop(found.schemas.insert(id)),
                Err(_) => found.everywhere = true,
            }
        }
    }
    if found.everywhere {
        tracing::debug!(
            "a function outside of the tenants' schemas may change a session: each statement by the path is followed by a reset"
        );
    }
    Ok(found)
}

impl Code {
    fn is_harmless(&self, with_code: &HashSet<&str>) -> bool {
        let language = match self.language.as_deref() {
            Some("sql") => Language::Sql,
            Some("plpgsql") => Language::Plpgsql,
            // A finding, or a language that is not read.
            _ => return false,
        };
        // One of `BEGIN ATOMIC` has no text.
        !self.body.is_empty()
            && is_harmless(language, &self.body)
            && self
                .defaults
                .as_ref()
                .is_none_or(|defaults| is_harmless(Language::Sql, &format!("SELECT {defaults}")))
            && self.settings.iter().all(|setting| self.keeps_names(setting, with_code))
    }

    /// Whether a setting of a function leaves it with names that are known: not those of another tenant's functions.
    fn keeps_names(&self, setting: &str, with_code: &HashSet<&str>) -> bool {
        let Some(path) = setting.strip_prefix("search_path=") else { return true };
        let elements = path.split(',').map(|element| element.trim().trim_matches('"'));
        elements
            .into_iter()
            .all(|element| !with_code.contains(element) || self.spaces.iter().all(|space| space == element))
    }
}
