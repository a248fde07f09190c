//! Which schema a statement works on.

use super::look::LOOK;
use crate::tenancy::TenantId;

/// The schema of what the framework keeps of the tenants. `xcore*` is no name that a tenant can have.
pub(super) const DIRECTORY: &str = "xcore_directory";

/// A schema that nobody makes: the search path of a session that stands on no tenant (I4).
pub(super) const NOBODY: &str = "xcore_nobody";

/// What unqualified names mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Target {
    /// The tenant's own tables first, then the shared ones.
    Tenant(TenantId),
    /// The shared tables.
    Public,
    /// The framework's own.
    Directory,
    /// One of the two that a start makes to try a pooler with. `xcore*` is no name that a tenant can have.
    Probe(&'static str),
    /// None: only what is named in full, or is the server's own, is found.
    Nobody,
}

impl Target {
    /// The schema that unqualified names are made in.
    pub(super) fn schema(&self) -> &str {
        match self {
            Self::Tenant(id) => id.as_str(),
            Self::Public => "public",
            Self::Directory => DIRECTORY,
            Self::Probe(schema) => schema,
            Self::Nobody => NOBODY,
        }
    }

    /// The value of `search_path`. A tenant's id holds nothing that needs escaping inside double quotes.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Tenant(id) => format!("\"{id}\", public"),
            Self::Public => "public".to_owned(),
            Self::Directory => DIRECTORY.to_owned(),
            Self::Probe(schema) => format!("{schema}, public"),
            Self::Nobody => NOBODY.to_owned(),
        }
    }

    /// The statement that moves a session here. It gives a row when the schema exists, and does nothing otherwise (I5): `SET
    /// search_path` would accept any name and then read `public`. Its row begins with what the session was before.
    pub(super) fn switch(&self) -> String {
        let (path, schema) = (self.path(), self.schema());
        if matches!(self, Self::Nobody) {
            return format!("SELECT {LOOK}, pg_catalog.set_config('search_path', '{path}', false)");
        }
        format!(
            "SELECT {LOOK}, pg_catalog.set_config('search_path', '{path}', false) FROM pg_catalog.pg_namespace WHERE nspname = '{schema}'"
        )
    }

    /// How much this target wants a place of the pool: each target has an order of places of its own, which does not
    /// change when others come or go (rendezvous hashing). So a backend sees few tenants, and keeps their catalog
    /// entries and plans.
    pub(super) fn weights(&self) -> impl Fn(usize) -> u64 {
        let name = self.schema().bytes();
        let seed = name.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        move |place| mix(seed ^ mix(place as u64))
    }
}

/// The finaliser of `SplitMix64`.
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
