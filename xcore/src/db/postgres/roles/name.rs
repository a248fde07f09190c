//! What the roles are called.

use sha2::{Digest, Sha256};

use super::Roles;
use crate::tenancy::TenantId;

/// `NAMEDATALEN` - 1. The server cuts what is longer, and two names could meet.
const MAX_LEN: usize = 63;

impl Roles {
    /// The role of a tenant: `xcore_1a2b3c4d_acme`, where the digits stand for the database. A tenant whose name is too long for that
    /// has `xcore_1a2b3c4d~` and a hash. No tenant's name holds a `~`, so the two kinds never meet.
    pub(in crate::db::postgres) fn name(&self, id: &TenantId) -> String {
        let realm = realm(&self.database);
        let readable = format!("xcore_{realm}_{id}");
        if readable.len() <= MAX_LEN {
            return readable;
        }
        let hash = hex(&Sha256::digest(id.as_str())[..20]);
        format!("xcore_{realm}~{hash}")
    }

    /// The group of all tenants' roles of this database. `tenants_` is no eight digits, so it is no tenant's role.
    pub(in crate::db::postgres) fn group(&self) -> String {
        format!("xcore_tenants_{}", realm(&self.database))
    }

    /// Marks a role as a tenant's, in its comment. A role of another origin is neither taken nor dropped.
    pub(super) fn mark(&self, id: &TenantId) -> String {
        format!("{}{id}", self.mark_of_all())
    }

    /// How the marks of all tenants' roles begin.
    pub(super) fn mark_of_all(&self) -> String {
        format!("a tenant of xcore in the database {}: ", self.database)
    }

    pub(super) fn mark_of_group(&self) -> String {
        format!("the tenants of xcore in the database {}", self.database)
    }
}

/// Stands for a database in names of roles. Two databases may share it; their marks differ, so the second is refused.
fn realm(database: &str) -> String {
    hex(&Sha256::digest(database)[..4])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| format!("{text}{byte:02x}"))
}

/// A text between single quotes.
pub(super) fn quoted(text: &str) -> String {
    // `E''`, so that it does not matter how the server reads a backslash.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{MAX_LEN, Roles, quoted};
    use crate::db::DbRole;
    use crate::tenancy::TenantId;

    fn roles(database: &str) -> Roles {
        Roles { mode: DbRole::SetRole, database: database.to_owned(), secret: None }
    }

    #[test]
    fn no_two_tenants_and_no_two_databases_share_a_role() {
        let long = "a".repeat(62);
        let mut names = vec!["acme".to_owned(), "tenants".to_owned(), "a".repeat(48), "a".repeat(49)];
        names.extend((b'a'..=b'z').map(|last| format!("{long}{}", char::from(last))));
        let mut seen = HashSet::new();
        for database in ["shop", "Shop", "it's"] {
            let roles = roles(database);
            assert!(seen.insert(roles.group()));
            for name in &names {
                let role = roles.name(&TenantId::parse(name).unwrap());
                assert!(role.len() <= MAX_LEN, "{role}");
                assert!(seen.insert(role), "{name} in {database}");
            }
        }
        assert_eq!(roles("shop").name(&TenantId::parse("acme").unwrap()), "xcore_8d9001d3_acme");
    }

    #[test]
    fn a_mark_is_quoted() {
        assert_eq!(quoted(r"it's \ here"), r"E'it''s \\ here'");
    }
}
