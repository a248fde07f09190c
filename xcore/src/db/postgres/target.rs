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
    /// The same on a replica, whose schema of this name is another one as long as it has another number: that of an earlier tenant
    /// of the name.
    Copy(TenantId, u32),
    /// The shared tables.
    Public,
    /// The framework's own.
    Directory,
    /// One of the two that a start makes to try a pooler with, or the template. `xcore*` is no name that a tenant can have.
    Probe(&'static str),
    /// None: only what is named in full, or is the server's own, is found.
    Nobody,
}

/// Whose rights a session has after a switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// It is left as it is: that of the app's login, which nothing changes without a reset.
    AsItIs,
    /// The app's login.
    None,
    /// The tenant's role, which the app's login takes on. It owns the schema.
    Tenant(String),
    /// The tenant's login, which the session was opened with. It owns the schema.
    Login(String),
}

impl Role {
    /// What a session does first, when its login may have taken on another role: the switch asks what it may do.
    pub(super) fn before_switch(&self) -> &'static str {
        if let Self::Login(_) = self { "RESET ROLE; " } else { "" }
    }

    /// What the server calls it.
    pub(super) fn setting(&self) -> &str {
        match self {
            Self::AsItIs | Self::None | Self::Login(_) => "none",
            Self::Tenant(role) => role,
        }
    }

    /// A column that sets it, with a comma before.
    pub(super) fn set(&self, is_local: bool) -> String {
        if let Self::AsItIs | Self::Login(_) = self {
            return String::new();
        }
        let role = self.setting();
        format!(", pg_catalog.set_config('role', '{role}', {is_local})")
    }

    /// The condition that it owns a schema, a row of `pg_namespace`, and may use it.
    pub(super) fn owns(&self) -> String {
        let (role, used) = match self {
            Self::AsItIs | Self::None => return String::new(),
            Self::Tenant(role) => (role, "pg_catalog.has_schema_privilege(nspowner, oid, 'USAGE')"),
            // Asked of the session's own role, which is not the owner when the tenant was deleted and made anew meanwhile.
            Self::Login(role) => (role, "pg_catalog.has_schema_privilege(oid, 'USAGE')"),
        };
        format!(" AND pg_catalog.pg_get_userbyid(nspowner) OPERATOR(pg_catalog.=) '{role}' AND {used}")
    }

    /// Gives it back to a transaction whose SQL may have changed it.
    pub(super) fn set_local(&self) -> String {
        match self {
            Self::AsItIs => String::new(),
            Self::None | Self::Login(_) => "; SET LOCAL ROLE NONE".to_owned(),
            Self::Tenant(role) => format!("; SET LOCAL ROLE \"{role}\""),
        }
    }
}

impl Target {
    /// The schema that unqualified names are made in.
    pub(super) fn schema(&self) -> &str {
        match self {
            Self::Tenant(id) | Self::Copy(id, _) => id.as_str(),
            Self::Public => "public",
            Self::Directory => DIRECTORY,
            Self::Probe(schema) => schema,
            Self::Nobody => NOBODY,
        }
    }

    /// The value of `search_path`. A tenant's id holds nothing that needs escaping inside double quotes.
    pub(super) fn path(&self) -> String {
        match self {
            Self::Tenant(id) | Self::Copy(id, _) => format!("\"{id}\", public"),
            Self::Public => "public".to_owned(),
            Self::Directory => DIRECTORY.to_owned(),
            Self::Probe(schema) => format!("{schema}, public"),
            Self::Nobody => NOBODY.to_owned(),
        }
    }

    /// The statement that moves a session here, and gives it the role. It gives a row when the schema exists, and does nothing
    /// otherwise (I5): `SET search_path` would accept any name and then read `public`. Its row begins with what the session was before.
    ///
    /// Nor may the schema be one that the role cannot use: the server leaves it out of the path without a word.
    pub(super) fn switch(&self, role: &Role) -> String {
        let (path, schema) = (self.path(), self.schema());
        let set = role.set(false);
        let set = format!("SELECT {LOOK}, pg_catalog.set_config('search_path', '{path}', false){set}");
        if matches!(self, Self::Nobody) {
            return set;
        }
        let is_copy = match self {
            Self::Copy(_, number) => format!(" AND oid = {number} AND pg_catalog.pg_is_in_recovery()"),
            _ => String::new(),
        };
        format!("{set} FROM pg_catalog.pg_namespace WHERE nspname = '{schema}'{is_copy}{}", role.owns())
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
