//! The name of a tenant, and the one grammar that every service relies on.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Longest tenant id, in bytes. PostgreSQL truncates identifiers at 63 bytes
/// (documentation, section 4.1.1), so a longer name could meet another one.
pub const MAX_LEN: usize = 63;

/// A parsed tenant name.
///
/// 1 to 63 bytes: `[a-z0-9]` first, then `[a-z0-9_-]`. ASCII upper case is folded on the way in,
/// because a host name has no case. `pg_*`, `information_schema` and `xcore*` are reserved.
///
/// Nothing but a `TenantId` ever becomes part of an SQL identifier, a file name or a cache key. The
/// grammar holds no quote, separator, dot, slash or glob character, so no trick of quoting, truncation
/// or path makes two tenants meet.
///
/// A `TenantId` says nothing about whether the tenant exists: that is what a [`Tenant`](super::Tenant)
/// proves. It is stored inline and is `Copy`; parsing does not allocate.
///
/// ```
/// use xcore::tenancy::TenantId;
///
/// assert_eq!(TenantId::parse("ACME")?.as_str(), "acme");
/// assert!(TenantId::parse("../x").is_err());
/// # Ok::<(), xcore::tenancy::InvalidTenantId>(())
/// ```
#[derive(Clone, Copy)]
pub struct TenantId {
    len: u8,
    bytes: [u8; MAX_LEN],
}

/// Why a text is no tenant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTenantId {
    /// Nothing between the quotes.
    #[error("a tenant id cannot be empty; use 1 to 63 characters of a-z, 0-9, `_` and `-`")]
    Empty,
    /// More than 63 bytes.
    #[error("a tenant id has at most 63 bytes, this one has {len}")]
    TooLong {
        /// How many bytes it has.
        len: usize,
    },
    /// A byte outside the grammar.
    #[error(
        "byte {position} of this tenant id is not allowed; use a-z, 0-9, `_` and `-`, and begin with a letter or digit"
    )]
    Byte {
        /// Its place, counted from 0.
        position: usize,
    },
    /// A name that PostgreSQL or xcore keeps for itself.
    #[error("`{id}` is a reserved name (pg_*, information_schema and xcore* are); choose another tenant id")]
    Reserved {
        /// The reserved name.
        id: String,
    },
}

impl TenantId {
    /// Parses a name.
    ///
    /// # Errors
    /// When the text is not in the grammar or is reserved.
    pub fn parse(text: &str) -> Result<Self, InvalidTenantId> {
        Self::parse_bytes(text.as_bytes())
    }

    /// Parses the bytes of a header or host label, which need not be UTF-8.
    ///
    /// # Errors
    /// As [`TenantId::parse`].
    pub fn parse_bytes(raw: &[u8]) -> Result<Self, InvalidTenantId> {
        if raw.is_empty() {
            return Err(InvalidTenantId::Empty);
        }
        if raw.len() > MAX_LEN {
            return Err(InvalidTenantId::TooLong { len: raw.len() });
        }
        let mut bytes = [0; MAX_LEN];
        for (position, (slot, byte)) in bytes.iter_mut().zip(raw).enumerate() {
            let folded = byte.to_ascii_lowercase();
            match folded {
                b'a'..=b'z' | b'0'..=b'9' => {}
                b'_' | b'-' if position > 0 => {}
                _ => return Err(InvalidTenantId::Byte { position }),
            }
            *slot = folded;
        }
        let id = Self { len: raw.len() as u8, bytes };
        if is_reserved(id.as_bytes()) {
            return Err(InvalidTenantId::Reserved { id: id.as_str().to_owned() });
        }
        Ok(id)
    }

    /// The normalised name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Every byte was checked to be ASCII when the id was made, so this never takes the fallback.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The normalised name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether this is `public`, the name whose data every tenant can read.
    ///
    /// It is allowed as the default tenant only.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.as_bytes() == b"public"
    }
}

fn is_reserved(id: &[u8]) -> bool {
    id.starts_with(b"pg_") || id.starts_with(b"xcore") || id == b"information_schema"
}

impl PartialEq for TenantId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for TenantId {}

impl Hash for TenantId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// Equal bytes are equal ids and hash alike, so that a map of ids can be asked with the bytes of a header.
impl std::borrow::Borrow<[u8]> for TenantId {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialOrd for TenantId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TenantId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({self})")
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl serde::Serialize for TenantId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_is_folded_and_the_rest_kept() {
        assert_eq!(TenantId::parse("Acme-EU_2").unwrap().as_str(), "acme-eu_2");
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for bad in ["", "../x", "a:b", "*", "a.b", "-a", "_a", "a b", "a\0", "ä", "a/b", "a\"b"] {
            assert!(TenantId::parse(bad).is_err(), "{bad:?} must be refused");
        }
        assert!(TenantId::parse_bytes(b"\xff\xfe").is_err());
    }

    #[test]
    fn sixty_three_bytes_fit_and_sixty_four_do_not() {
        assert!(TenantId::parse(&"a".repeat(63)).is_ok());
        assert_eq!(TenantId::parse(&"a".repeat(64)), Err(InvalidTenantId::TooLong { len: 64 }));
    }

    /// The build checks names of tenants before this crate is compiled, so it has the grammar a second time.
    #[test]
    fn the_build_accepts_the_same_names() {
        let mut names: Vec<String> = (0_u8..128).map(|byte| char::from(byte).to_string()).collect();
        names.extend((0_u8..128).map(|byte| format!("a{}", char::from(byte))));
        names.extend(
            ["", "-a", "_a", "a-", "pg_x", "PG_X", "pg", "xcore", "Xcore1", "information_schema", "ä"]
                .map(str::to_owned),
        );
        names.extend([62, 63, 64].map(|len| "a".repeat(len)));
        for name in names {
            let quoted = serde_json::to_string(&name).unwrap();
            let yaml = format!("app: {{ name: shop }}\ntenancy: {{ ensure: [{quoted}] }}\n");
            let config =
                xcore_build::config::Config::from_text(&yaml, std::path::Path::new("."), &Default::default());
            assert_eq!(config.is_ok(), TenantId::parse(&name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn reserved_names_are_refused_in_any_case() {
        for bad in ["pg_catalog", "PG_x", "information_schema", "xcore", "xcore_meta"] {
            assert!(matches!(TenantId::parse(bad), Err(InvalidTenantId::Reserved { .. })), "{bad}");
        }
        assert!(TenantId::parse("public").unwrap().is_public());
    }
}
