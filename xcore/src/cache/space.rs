//! Whose keys a handle reaches, and how a key is written in the backend.

use std::fmt;

use super::CacheError;
use crate::tenancy::Tenant;

/// Longest key or pattern that a caller may name, in bytes.
pub const MAX_KEY: usize = 1024;

/// The prefix of keys that all tenants share while isolation is on. `xcore*` is reserved, so no tenant
/// ever has this name.
const SHARED_PREFIX: &str = "xcore-shared";

/// A set of keys that no other set can reach.
#[derive(Clone, Debug)]
pub(crate) enum Space {
    /// The keys of one admitted tenant: `acme:key`.
    Tenant(Tenant),
    /// The keys of `services(central)`: `xcore-shared:key`.
    Shared,
    /// Every key of the app, with isolation off: `key`.
    Everyone,
}

impl Space {
    /// What stands before the `:` of each key. Empty means that keys are written as they are.
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Self::Tenant(tenant) => tenant.id().as_str(),
            Self::Shared => SHARED_PREFIX,
            Self::Everyone => "",
        }
    }

    /// [`Space::prefix`], for a tenant that was not deleted since the handle was made. Another tenant may have its name by now.
    pub(crate) fn living_prefix(&self) -> Result<&str, CacheError> {
        match self {
            Self::Tenant(tenant) if tenant.has_ended() => {
                Err(CacheError::TenantDeleted { tenant: *tenant.id() })
            }
            _ => Ok(self.prefix()),
        }
    }

    /// Checks a key that a caller named and places it in this space.
    pub(crate) fn key<'a>(&'a self, name: &'a str) -> Result<Key<'a>, CacheError> {
        if name.is_empty() {
            return Err(CacheError::EmptyKey);
        }
        if name.len() > MAX_KEY {
            return Err(CacheError::KeyTooLong { len: name.len() });
        }
        Ok(Key { space: self.living_prefix()?, name })
    }
}

impl Space {
    /// Which life of its name the tenant is; 0 where there is none.
    pub(crate) fn life(&self) -> i64 {
        match self {
            Self::Tenant(tenant) => tenant.life(),
            Self::Shared | Self::Everyone => 0,
        }
    }

    /// The name of a lock, whose caller's part was checked with [`Space::key`].
    pub(crate) fn lock<'a>(&'a self, name: &'a str) -> Result<Key<'a>, CacheError> {
        Ok(Key { space: self.living_prefix()?, name })
    }
}

/// A checked key. Its two parts stay apart until a backend writes them, so that no backend has to find
/// the end of the prefix again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key<'a> {
    /// The prefix without its `:`. See [`Space::prefix`].
    pub(crate) space: &'a str,
    /// The key within the space, as the caller named it.
    pub(crate) name: &'a str,
}

impl fmt::Display for Key<'_> {
    /// The key as the backend stores it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.space.is_empty() { f.write_str(self.name) } else { write!(f, "{}:{}", self.space, self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenancy::TenantId;

    fn acme() -> Space {
        Space::Tenant(Tenant::admit(TenantId::parse("acme").unwrap(), 0))
    }

    #[test]
    fn keys_are_stored_as_tenant_colon_key() {
        assert_eq!(acme().key("a:b").unwrap().to_string(), "acme:a:b");
        assert_eq!(Space::Shared.key("a:b").unwrap().to_string(), "xcore-shared:a:b");
        assert_eq!(Space::Everyone.key("a:b").unwrap().to_string(), "a:b");
    }

    #[test]
    fn no_tenant_can_have_the_name_of_the_shared_prefix() {
        assert!(TenantId::parse(SHARED_PREFIX).is_err());
    }

    #[test]
    fn keys_outside_the_limits_are_refused() {
        assert!(matches!(acme().key(""), Err(CacheError::EmptyKey)));
        assert!(acme().key(&"k".repeat(MAX_KEY)).is_ok());
        assert!(matches!(acme().key(&"k".repeat(MAX_KEY + 1)), Err(CacheError::KeyTooLong { len: 1025 })));
    }
}
