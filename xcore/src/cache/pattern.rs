//! Glob patterns over keys, with the meaning that Redis gives them.
//!
//! Written here because no glob crate has this meaning: they are made for paths. `globset` always reads
//! `{a,b}` as alternatives and `**` as folders, `glob` has no escape character and refuses `a**`, and
//! `wildmatch` has no classes. A pattern that a tenant's user typed must mean the same in every backend.

use std::iter::Peekable;
use std::str::Chars;

use super::CacheError;
use super::space::MAX_KEY;

/// A parsed pattern. Every text is one, so there is nothing to refuse but its length.
///
/// | written | matches |
/// |---|---|
/// | `*` | any characters, also none, also `:` and `/` |
/// | `?` | one character |
/// | `[abc]`, `[a-z]`, `[^a-z]` | one character in, or not in, the class |
/// | `\x` | the character `x` itself |
///
/// As in Redis, a class that is not closed ends with the pattern, an empty class matches nothing, a
/// range may be written backwards and a `\` at the end is a `\`. Unlike Redis, which counts bytes, `?`
/// and classes stand for a character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Many,
    One,
    Exactly(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// Stars in a glob for Redis.
#[cfg(feature = "redis")]
const STARS: usize = 4;

impl Pattern {
    /// Reads a pattern that a caller wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, CacheError> {
        if text.len() > MAX_KEY {
            return Err(CacheError::KeyTooLong { len: text.len() });
        }
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '*' if parts.last() == Some(&Part::Many) => {}
                '*' => parts.push(Part::Many),
                '?' => parts.push(Part::One),
                '[' => parts.push(class(&mut rest)),
                '\\' => parts.push(Part::Exactly(rest.next().unwrap_or('\\'))),
                other => parts.push(Part::Exactly(other)),
            }
        }
        Ok(Self { parts })
    }

    /// The pattern `*`.
    pub(crate) fn all() -> Self {
        Self { parts: vec![Part::Many] }
    }

    /// Writes a glob for Redis that matches all that this one does, and may match more: `?` and classes are `*` there, because Redis
    /// counts bytes, and after some stars all else is one, because it may try each of them everywhere.
    #[cfg(feature = "redis")]
    pub(crate) fn write_glob(&self, glob: &mut String) {
        let mut stars = 0;
        let mut ends_in_star = false;
        for part in &self.parts {
            if let Part::Exactly(character) = part {
                super::redis::escape(character.encode_utf8(&mut [0; 4]), glob);
                ends_in_star = false;
            } else if !ends_in_star {
                glob.push('*');
                stars += 1;
                ends_in_star = true;
                if stars == STARS {
                    return;
                }
            }
        }
    }

    /// Whether the whole name fits. Takes at most `pattern * name` steps: only the last `*` is ever
    /// tried again.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let mut rest = name;
        let mut at = 0;
        let mut retry: Option<(usize, &str)> = None;
        loop {
            match self.parts.get(at) {
                Some(Part::Many) => {
                    at += 1;
                    retry = Some((at, rest));
                    continue;
                }
                Some(part) => {
                    if let Some(after) = part.consume(rest) {
                        rest = after;
                        at += 1;
                        continue;
                    }
                }
                None if rest.is_empty() => return true,
                None => {}
            }
            let Some((after_many, start)) = retry else {
                return false;
            };
            let Some(next) = skip_one(start) else {
                return false;
            };
            retry = Some((after_many, next));
            at = after_many;
            rest = next;
        }
    }
}

impl Part {
    /// What follows the one character that this part stands for, when it fits.
    fn consume<'a>(&self, text: &'a str) -> Option<&'a str> {
        let character = text.chars().next()?;
        let fits = match self {
            Self::Many => false,
            Self::One => true,
            Self::Exactly(wanted) => *wanted == character,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
        };
        if fits { skip_one(text) } else { None }
    }
}

fn skip_one(text: &str) -> Option<&str> {
    let mut rest = text.chars();
    rest.next().map(|_| rest.as_str())
}

/// Reads a class after its `[`.
fn class(rest: &mut Peekable<Chars<'_>>) -> Part {
    let negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while let Some(character) = rest.next() {
        let low = match character {
            ']' => break,
            '\\' => {
                let escaped = rest.next().unwrap_or('\\');
                ranges.push((escaped, escaped));
                continue;
            }
            other => other,
        };
        // A `-` is a range only between two characters; at the end of the pattern it is itself.
        let mut ahead = rest.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) => {
                *rest = ahead;
                high
            }
            _ => low,
        };
        ranges.push((low.min(high), low.max(high)));
    }
    Part::Class { negated, ranges }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, fits: &[&str], misses: &[&str]) {
        let parsed = Pattern::parse(pattern).unwrap();
        for name in fits {
            assert!(parsed.matches(name), "{pattern:?} must match {name:?}");
        }
        for name in misses {
            assert!(!parsed.matches(name), "{pattern:?} must not match {name:?}");
        }
    }

    #[test]
    fn a_star_matches_any_characters() {
        check("*", &["", "a", "a:b/c", "ü"], &[]);
        check("a*c", &["ac", "abc", "abcbc"], &["ab", "bc", "acb"]);
        check("**a**", &["a", "bab"], &["", "b"]);
        check("*ab*ab", &["abab", "xabxabab"], &["ab", "abax"]);
    }

    #[test]
    fn a_question_mark_matches_one_character() {
        check("?", &["a", "ü", "?", "\0"], &["", "ab"]);
        check("a?c", &["abc", "a:c"], &["ac", "abbc"]);
    }

    #[test]
    fn a_class_matches_one_of_its_characters() {
        check("[ac]", &["a", "c"], &["b", "", "ac"]);
        check("[a-c]x", &["ax", "bx"], &["dx", "-x"]);
        check("[c-a]", &["b"], &["d"]);
        check("[^a-c]", &["d", "^"], &["a", ""]);
        check("[a\\]b]", &["]", "a"], &["\\"]);
        check("[]", &[], &["", "]", "[]"]);
        check("[^]", &["a", "]"], &[""]);
        check("[ab", &["a", "b"], &["[ab"]);
        check("[a-", &["a", "-"], &["b"]);
        check("[", &[], &["[", ""]);
    }

    #[test]
    fn a_backslash_takes_the_next_character_as_it_is() {
        check("\\*", &["*"], &["a", "\\*"]);
        check("a\\", &["a\\"], &["a"]);
        check("\\[a]", &["[a]"], &["a"]);
    }

    #[test]
    fn characters_of_other_globs_mean_themselves() {
        check("{a,b}", &["{a,b}"], &["a", "b"]);
        check("!(a)", &["!(a)"], &["b"]);
        check("[!a]", &["!", "a"], &["b"]);
        check("a**/b", &["a/b", "ax/y/b"], &["ab"]);
    }

    #[test]
    fn the_empty_pattern_matches_no_key() {
        check("", &[""], &["a"]);
    }

    #[test]
    fn a_hostile_pattern_ends_soon() {
        let pattern = "*a".repeat(MAX_KEY / 2);
        let name = "a".repeat(MAX_KEY / 2 - 1) + "b";
        check(&pattern, &[], &[&name]);
        check(&("*".repeat(MAX_KEY - 1) + "b"), &[&name], &[]);
    }

    #[test]
    fn a_pattern_over_the_limit_is_refused() {
        assert!(matches!(Pattern::parse(&"*".repeat(MAX_KEY + 1)), Err(CacheError::KeyTooLong { .. })));
    }
}
