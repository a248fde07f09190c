//! What may not be shown: values of keys that look secret, and passwords inside URLs.

/// What stands in the place of a value that is not shown.
pub(crate) const HIDDEN: &str = "[redacted]";

/// Parts of a key's name that mark its value as a secret.
const MARKS: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "passphrase",
    "token",
    "credential",
    "private",
    "apikey",
    "api_key",
    "access_key",
    "signing_key",
    "encryption_key",
    "salt",
    "dsn",
    "cookie",
    "bearer",
];

/// Whether the value of a key with this name is a secret by its name.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    MARKS.iter().any(|mark| key.contains(mark)) || key == "key" || key.ends_with("_key") || key == "pass"
}

/// The text with the user part and the query of a URL covered, when it holds one.
pub(crate) fn mask_url(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    // A password may hold `/` or `?` unescaped; then the last `@` is behind `end` and everything before it is
    // covered.
    let (authority, tail) = match rest.rfind('@') {
        Some(at) if at >= end => (HIDDEN.to_owned() + &rest[at..], ""),
        _ => match authority.rsplit_once('@') {
            Some((_, host)) => (format!("{HIDDEN}@{host}"), tail),
            None => (authority.to_owned(), tail),
        },
    };
    let tail = match tail.split_once('?') {
        Some((path, _)) => format!("{path}?{HIDDEN}"),
        None => tail.to_owned(),
    };
    format!("{scheme}://{authority}{tail}")
}

/// A line of a file with values of secret keys and users in URLs covered by `*`, character for character, so
/// that a caret below still points at its place.
pub(crate) fn mask_line(line: &str) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    cover_secret_values(&mut chars);
    cover_url_users(&mut chars);
    chars.into_iter().collect()
}

fn cover_secret_values(chars: &mut [char]) {
    let mut position = 0;
    while let Some(colon) = (position..chars.len()).find(|&i| chars[i] == ':') {
        position = colon + 1;
        let is_key = chars.get(position).is_none_or(|next| next.is_whitespace());
        let start =
            (0..colon).rev().find(|&i| matches!(chars[i], ' ' | '{' | ',' | '\t')).map_or(0, |i| i + 1);
        let key: String = chars[start..colon].iter().filter(|c| !matches!(c, '"' | '\'')).collect();
        if !is_key || !is_secret_key(&key) {
            continue;
        }
        // In a flow map the value ends at a comma or brace, unless it is quoted. Covering too much is the
        // safe side.
        let Some(first) = (position..chars.len()).find(|&i| !chars[i].is_whitespace()) else { break };
        let end = match chars[first] {
            quote @ ('"' | '\'') => {
                (first + 1..chars.len()).rev().find(|&i| chars[i] == quote).map_or(chars.len(), |i| i + 1)
            }
            _ if chars[..start].contains(&'{') => {
                (first..chars.len()).find(|&i| matches!(chars[i], ',' | '}')).unwrap_or(chars.len())
            }
            _ => chars.len(),
        };
        let end = (first..end).rev().find(|&i| !chars[i].is_whitespace()).map_or(end, |i| i + 1);
        // A reference without a default is no secret, and its name is what the reader looks for.
        let value: String = chars[first..end].iter().collect();
        if !value.contains("${") || value.contains(":-") {
            chars[first..end].fill('*');
        }
        position = end;
    }
}

fn cover_url_users(chars: &mut [char]) {
    let mut position = 0;
    while let Some(start) =
        (position..chars.len().saturating_sub(2)).find(|&i| chars[i..i + 3] == [':', '/', '/'])
    {
        let end = (start..chars.len()).find(|&i| matches!(chars[i], ' ' | '"' | '\'')).unwrap_or(chars.len());
        if let Some(at) = (start..end).rev().find(|&i| chars[i] == '@') {
            chars[start + 3..at].fill('*');
        }
        position = end.max(start + 3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_covered_wherever_they_stand() {
        assert_eq!(mask_url("sqlite://data"), "sqlite://data");
        assert_eq!(mask_url("postgres://me:pw@db/app"), format!("postgres://{HIDDEN}@db/app"));
        assert_eq!(mask_url("postgres://me:p/w@db/app"), format!("postgres://{HIDDEN}@db/app"));
        assert_eq!(mask_url("postgres://db/app?password=x"), format!("postgres://db/app?{HIDDEN}"));
    }

    #[test]
    fn a_snippet_keeps_its_columns_and_loses_its_secrets() {
        assert_eq!(mask_line("  api_key: hunter2"), "  api_key: *******");
        assert_eq!(mask_line("a: { token: abc, max: 3 }"), "a: { token: ***, max: 3 }");
        assert_eq!(mask_line("a: { token: \"a,b\", max: 3 }"), "a: { token: *****, max: 3 }");
        assert_eq!(mask_line("url: postgres://u:p@h/db"), "url: postgres://***@h/db");
        assert_eq!(mask_line("max_lines: 3"), "max_lines: 3");
        assert_eq!(mask_line("token: ${TOKEN}"), "token: ${TOKEN}");
        assert_eq!(mask_line("token: ${TOKEN:-abc}"), "token: *************");
    }
}
