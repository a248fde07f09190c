//! Did you mean: the nearest word of a closed set.

/// The word of `known` that `given` is most likely a slip of.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = given.to_lowercase();
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&folded, &word.to_lowercase()), word))
        .filter(|(distance, word)| *distance <= tolerance(&folded, word))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many slips still make the same word: a third of its letters.
fn tolerance(given: &str, word: &str) -> usize {
    let letters = given.chars().count().max(word.chars().count());
    (letters / 3).clamp(1, 3)
}

/// The second half of a message about an unknown word: the nearest one, or else all of them.
pub(crate) fn help(given: &str, known: &[&str]) -> String {
    match nearest(given, known.iter().copied()) {
        Some(word) => format!("help: did you mean `{word}`?"),
        None => format!("help: choose one of {}", listed(known)),
    }
}

/// Words as prose: `a`, `b` and `c`.
pub(crate) fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: &[&str] = &["db", "cache", "scheduler", "central"];

    #[test]
    fn a_slip_finds_its_word() {
        assert_eq!(nearest("cahce", SERVICES.iter().copied()), Some("cache"));
        assert_eq!(nearest("dbb", SERVICES.iter().copied()), Some("db"));
        assert_eq!(nearest("Scheduller", SERVICES.iter().copied()), Some("scheduler"));
    }

    #[test]
    fn another_word_finds_none() {
        assert_eq!(nearest("mailer", SERVICES.iter().copied()), None);
        assert_eq!(help("mailer", SERVICES), "help: choose one of `db`, `cache`, `scheduler` and `central`");
    }
}
