//! How keys are written on the server: `acme:last_order`, or `app:acme:last_order`.
//!
//! What is no entry lies where no tenant's key can be, because `xcore*` is the name of no tenant: locks below `xcore-lock:`, tags
//! below `xcore-tag:`.

use crate::cache::pattern::Pattern;
use crate::cache::space::Key;

const LOCK: &str = "xcore-lock:";
const TAG: &str = "xcore-tag:";

/// Writes names of keys.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// What stands before each key, its `:` included.
    root: String,
}

/// A part of a space on the server.
#[derive(Clone, Copy)]
pub(crate) enum Area {
    Entries,
    Locks,
    Tags,
}

impl Area {
    fn prefix(self) -> &'static str {
        match self {
            Self::Entries => "",
            Self::Locks => LOCK,
            Self::Tags => TAG,
        }
    }
}

impl Names {
    pub(crate) fn new(app: Option<&str>) -> Self {
        Self { root: app.map(|app| format!("{app}:")).unwrap_or_default() }
    }

    /// What stands before all keys of the app.
    pub(crate) fn root(&self) -> &str {
        &self.root
    }

    /// The key as the server has it.
    pub(crate) fn entry(&self, key: Key<'_>) -> String {
        self.write(Area::Entries, key)
    }

    pub(crate) fn write(&self, area: Area, key: Key<'_>) -> String {
        let mut text = self.before(area, key.space);
        text.push_str(key.name);
        text
    }

    /// What stands before the names of a space.
    pub(crate) fn before(&self, area: Area, space: &str) -> String {
        let mut text = String::with_capacity(self.root.len() + area.prefix().len() + space.len() + 1 + 64);
        text.push_str(&self.root);
        text.push_str(area.prefix());
        text.push_str(space);
        // Without isolation entries stand as they are named.
        if !space.is_empty() || !matches!(area, Area::Entries) {
            text.push(':');
        }
        text
    }

    /// The name within the space, if the key is one of its entries.
    pub(crate) fn name_of<'a>(&self, before: &str, space: &str, stored: &'a [u8]) -> Option<&'a str> {
        let name = std::str::from_utf8(stored.strip_prefix(before.as_bytes())?).ok()?;
        let is_inner = space.is_empty() && (name.starts_with(LOCK) || name.starts_with(TAG));
        (!is_inner).then_some(name)
    }

    /// The space and name of an entry, whose space is the text before the first `:` unless all share one.
    pub(crate) fn split<'a>(&self, stored: &'a [u8], isolate: bool) -> Option<Key<'a>> {
        let text = std::str::from_utf8(stored.strip_prefix(self.root.as_bytes())?).ok()?;
        if !isolate {
            return Some(Key { space: "", name: text });
        }
        let (space, name) = text.split_once(':')?;
        Some(Key { space, name })
    }

    /// What `SCAN` is asked for: at least the keys of the space that the pattern means.
    pub(crate) fn glob(&self, area: Area, space: &str, pattern: &Pattern) -> String {
        let mut glob = String::new();
        escape(&self.before(area, space), &mut glob);
        pattern.write_glob(&mut glob);
        glob
    }
}

/// Writes a text so that a glob means it itself.
pub(crate) fn escape(text: &str, glob: &mut String) {
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
            glob.push('\\');
        }
        glob.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_as_an_operator_expects() {
        let key = Key { space: "acme", name: "last_order" };
        assert_eq!(Names::new(None).entry(key), "acme:last_order");
        assert_eq!(Names::new(Some("shop")).entry(key), "shop:acme:last_order");
        assert_eq!(Names::new(None).entry(Key { space: "", name: "last_order" }), "last_order");
        assert_eq!(Names::new(None).write(Area::Locks, key), "xcore-lock:acme:last_order");
        assert_eq!(Names::new(Some("shop")).write(Area::Tags, key), "shop:xcore-tag:acme:last_order");
    }

    #[test]
    fn a_tenant_ends_at_the_first_colon() {
        let names = Names::new(Some("shop"));
        for (space, name) in [("a", "b:c"), ("a-b", "c"), ("a", ":"), ("a", "")] {
            let key = Key { space, name };
            assert_eq!(names.split(names.entry(key).as_bytes(), true), Some(key));
        }
        assert_eq!(names.split(b"other:a:b", true), None);
        assert!(crate::tenancy::TenantId::parse("a:b").is_err());
        assert!(crate::tenancy::TenantId::parse("xcore-lock").is_err());
        assert!(crate::tenancy::TenantId::parse("xcore-tag").is_err());
    }

    #[test]
    fn a_glob_means_its_own_space_only() {
        let names = Names::new(None);
        let glob = |pattern: &str| names.glob(Area::Entries, "a-b", &Pattern::parse(pattern).unwrap());
        assert_eq!(glob("x*"), "a\\-b:x*");
        assert_eq!(glob("\\*[ab]?"), "a\\-b:\\**");
        assert_eq!(glob("[x"), "a\\-b:*");
        assert_eq!(glob(&"*a".repeat(9)), "a\\-b:*a*a*a*");
    }
}
