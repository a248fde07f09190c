//! Did-you-mean on closed sets of names.

/// The name that `typed` was most likely meant to be, when one is near enough.
pub(crate) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = typed.to_ascii_lowercase().replace('-', "_");
    names
        .into_iter()
        .filter_map(|name| {
            let other = name.to_ascii_lowercase().replace('-', "_");
            let distance = strsim::osa_distance(&folded, &other);
            // A third of the letters may be wrong; a name that continues what was typed is near as well.
            let near = distance * 3 <= folded.chars().count().max(other.chars().count());
            let continued = folded.len() >= 3 && (other.starts_with(&folded) || folded.starts_with(&other));
            (near || continued).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `` `a`, `b` and `c` ``
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_strangers_are_not() {
        let names = ["listen", "prefix", "request_timeout", "header"];
        assert_eq!(nearest("lisen", names), Some("listen"));
        assert_eq!(nearest("request-timeout", names), Some("request_timeout"));
        assert_eq!(nearest("request", names), Some("request_timeout"));
        assert_eq!(nearest("Header", names), Some("header"));
        assert_eq!(nearest("workers", names), None);
    }
}
