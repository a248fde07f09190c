//! What a switch sees of the session that it moves.
//!
//! SQL that may change a session leads to a reset (I3), and `user_code.rs` knows which schemas hold code that may do so unseen.
//! This is the second line, for what nobody knew of yet: some of what such code leaves behind is in sight when the session is
//! moved, at the cost of a few expressions in a statement that is sent anyway. It sees no other settings, locks, prepared statements
//! or channels.

use sqlx::Row;
use sqlx::postgres::PgRow;

/// What each switch selects first. It is evaluated from left to right, so this is the session as it was before.
pub(super) const LOOK: &str = "pg_catalog.current_setting('search_path'), pg_catalog.current_setting('role'), \
     SESSION_USER::text, pg_catalog.pg_my_temp_schema() <> 0::oid";

/// Whether the session holds temporary objects, of whatever kind. By dependencies, which have an index for it. A session that had one keeps
/// the schema for good, so this is asked only where there is one.
pub(super) const HOLDS_TEMPORARY: &str = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
     WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass::oid \
     AND d.refobjid = pg_catalog.pg_my_temp_schema())";

/// A session as a switch found it.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) path: String,
    /// The role, and as whom the session was opened.
    pub(super) who: (String, String),
    /// It has had temporary objects.
    pub(super) temporary: bool,
}

impl Look {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            path: row.try_get_unchecked(0)?,
            who: (row.try_get_unchecked(1)?, row.try_get_unchecked(2)?),
            temporary: row.try_get_unchecked(3)?,
        })
    }
}
