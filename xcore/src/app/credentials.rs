//! API keys and domains of tenants.

use std::fmt;
use std::net::IpAddr;

use super::directory_credentials::{ApiKeyRecord, DomainRecord};
use super::directory_table::DirectoryTable;
use super::{TenantError, Tenants};
use crate::tenancy::{StoreError, TenantId, TenantRecord, hash_of, new_key};

/// An API key that was made just now.
#[non_exhaustive]
pub struct NewApiKey {
    /// What it is called by: to list and to revoke it.
    pub id: String,
    /// The key itself. Nobody can show it again.
    pub key: String,
}

/// Shows no key.
impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Tenants {
    /// Makes an API key: 256 random bits, of which the directory keeps a hash. It ends with the tenant.
    ///
    /// # Errors
    /// When there is no such tenant, or the directory cannot be written.
    pub async fn create_key(&self, id: &TenantId, label: &str) -> Result<NewApiKey, TenantError> {
        let owner = self.owner(id).await?;
        let key = new_key().map_err(|source| TenantError::Random { source: Box::new(source) })?;
        let hash = hash_of(&key).ok_or_else(|| {
            let source = "what was made is no key".into();
            TenantError::Random { source }
        })?;
        let id = self.table()?.insert_key(&owner, &hash, label).await?;
        self.runtime.admission.directory.changed();
        Ok(NewApiKey { id, key })
    }

    /// The API keys of a tenant, the oldest first.
    ///
    /// # Errors
    /// When there is no such tenant, or the directory cannot be read.
    pub async fn keys(&self, id: &TenantId) -> Result<Vec<ApiKeyRecord>, TenantError> {
        let owner = self.owner(id).await?;
        Ok(self.table()?.keys_of(&owner).await?)
    }

    /// Revokes an API key. This process refuses it at once, the others within a second.
    ///
    /// # Errors
    /// When there is no such key, or the directory cannot be written.
    pub async fn revoke_key(&self, key: &str) -> Result<(), TenantError> {
        self.table()?.remove_key(key).await?;
        self.runtime.admission.directory.changed();
        Ok(())
    }

    /// Gives a tenant a domain; how it is kept, which is in ASCII. It ends with the tenant.
    ///
    /// # Errors
    /// When it is no domain, is a tenant's already, or is one that the subdomain source reads, and when there is no such tenant.
    pub async fn add_domain(&self, id: &TenantId, domain: &str) -> Result<String, TenantError> {
        let domain = normalised(domain)?;
        if self.runtime.admission.reads_subdomains_of(&domain) {
            return Err(TenantError::DomainBelowBase { domain });
        }
        let owner = self.owner(id).await?;
        self.table()?.insert_domain(&owner, &domain).await?;
        self.runtime.admission.directory.changed();
        Ok(domain)
    }

    /// Takes a domain from its tenant.
    ///
    /// # Errors
    /// When it is nobody's, or the directory cannot be written.
    pub async fn remove_domain(&self, domain: &str) -> Result<(), TenantError> {
        self.table()?.remove_domain(&normalised(domain)?).await?;
        self.runtime.admission.directory.changed();
        Ok(())
    }

    /// The domains of all tenants, sorted.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn domains(&self) -> Result<Vec<DomainRecord>, TenantError> {
        Ok(self.table()?.domains().await?)
    }

    async fn owner(&self, id: &TenantId) -> Result<TenantRecord, TenantError> {
        let found = self.store().find(id).await?;
        Ok(found.ok_or(StoreError::NotFound { id: *id })?)
    }

    fn table(&self) -> Result<DirectoryTable, TenantError> {
        let database = self.databases().filter(|_| self.store().is_managed());
        let database = database.ok_or(StoreError::ReadOnly {
            kind: "not kept in a database",
            remedy: "configure `services.database` and `directory: managed` to have keys and domains",
        })?;
        Ok(DirectoryTable::new(database.directory()))
    }
}

/// A domain as requests name it: in ASCII (RFC 5891), in lower case, without a dot at its end.
fn normalised(domain: &str) -> Result<String, TenantError> {
    let wrong = || TenantError::Domain { domain: domain.to_owned() };
    let name = domain.trim();
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = idna::domain_to_ascii_strict(name).map_err(|_| wrong())?;
    let is_address = ascii.parse::<IpAddr>().is_ok();
    if is_address || !ascii.contains('.') { Err(wrong()) } else { Ok(ascii) }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn a_domain_is_kept_as_requests_name_it() {
        for (domain, kept) in [
            ("Shop.Example.COM", "shop.example.com"),
            ("shop.example.com.", "shop.example.com"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("ｓｈｏｐ.example", "shop.example"),
        ] {
            assert_eq!(normalised(domain).unwrap(), kept, "{domain}");
        }
        for bad in [
            "",
            ".",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "a..b",
            "a.b:80",
            "http://a.b",
            "a.b/c",
            "*.a.b",
            "a b.c",
            "a_b.c",
            &format!("{}.example", "a".repeat(64)),
            "xn--a.example",
        ] {
            assert!(normalised(bad).is_err(), "{bad}");
        }
    }
}
