//! Versions and requirements, with the meaning that Cargo gives them, while the compiler evaluates constants.
//!
//! `#[plugin]` has parsed both with the `semver` crate, so the grammar is taken for granted here; a test compares the
//! answers with that crate's.

/// A version, or the part of one that a requirement names. A part that is left out is [`ANY`].
#[derive(Clone, Copy)]
struct Parts<'a> {
    numbers: [u64; 3],
    pre: &'a [u8],
}

const ANY: u64 = u64::MAX;

/// Whether a version fits a requirement such as `^1.2, <1.9`.
pub(super) const fn fits(version: &str, wanted: &str) -> bool {
    let version = parts(strip_build(version.as_bytes()));
    let mut rest = wanted.as_bytes();
    let mut is_pre_allowed = version.pre.is_empty();
    loop {
        let (comparator, after) = cut(rest, b',');
        let comparator = strip_build(trim(comparator));
        let (operator, number) = operator(comparator);
        let wanted = parts(number);
        if !matches(operator, &wanted, &version) {
            return false;
        }
        // A pre-release is taken only where it is named.
        is_pre_allowed |= !wanted.pre.is_empty() && same_numbers(&wanted.numbers, &version.numbers);
        match after {
            Some(after) => rest = after,
            None => return is_pre_allowed,
        }
    }
}

const fn matches(operator: &[u8], wanted: &Parts<'_>, version: &Parts<'_>) -> bool {
    match operator {
        b"=" => is_exact(wanted, version),
        b">" => is_greater(wanted, version),
        b">=" => is_exact(wanted, version) || is_greater(wanted, version),
        b"<" => is_less(wanted, version),
        b"<=" => is_exact(wanted, version) || is_less(wanted, version),
        b"~" => is_tilde(wanted, version),
        _ => is_caret(wanted, version),
    }
}

/// Equal in every part that is named.
const fn is_exact(wanted: &Parts<'_>, version: &Parts<'_>) -> bool {
    let mut at = 0;
    while at < 3 {
        if wanted.numbers[at] != ANY && wanted.numbers[at] != version.numbers[at] {
            return false;
        }
        at += 1;
    }
    compare_pre(version.pre, wanted.pre) == 0
}

/// Greater in the first part that differs; a part that is not named settles it.
const fn is_greater(wanted: &Parts<'_>, version: &Parts<'_>) -> bool {
    let mut at = 0;
    while at < 3 {
        if wanted.numbers[at] == ANY {
            return false;
        }
        if wanted.numbers[at] != version.numbers[at] {
            return version.numbers[at] > wanted.numbers[at];
        }
        at += 1;
    }
    compare_pre(version.pre, wanted.pre) > 0
}

/// Less in the first part that differs; a part that is not named settles it.
const fn is_less(wanted: &Parts<'_>, version: &Parts<'_>) -> bool {
    let mut at = 0;
    while at < 3 {
        if wanted.numbers[at] == ANY {
            return false;
        }
        if wanted.numbers[at] != version.numbers[at] {
            return version.numbers[at] < wanted.numbers[at];
        }
        at += 1;
    }
    compare_pre(version.pre, wanted.pre) < 0
}

const fn is_tilde(wanted: &Parts<'_>, version: &Parts<'_>) -> bool {
    let (w, v) = (&wanted.numbers, &version.numbers);
    if w[0] != v[0] || (w[1] != ANY && w[1] != v[1]) {
        return false;
    }
    if w[2] != ANY && w[2] != v[2] {
        return v[2] > w[2];
    }
    compare_pre(version.pre, wanted.pre) >= 0
}

const fn is_caret(wanted: &Parts<'_>, version: &Parts<'_>) -> bool {
    let (w, v) = (&wanted.numbers, &version.numbers);
    if w[0] == ANY {
        return true;
    }
    if w[0] != v[0] {
        return false;
    }
    if w[1] == ANY {
        return true;
    }
    if w[2] == ANY {
        return if w[0] > 0 { v[1] >= w[1] } else { v[1] == w[1] };
    }
    if w[0] > 0 {
        if v[1] != w[1] {
            return v[1] > w[1];
        }
        if v[2] != w[2] {
            return v[2] > w[2];
        }
    } else if w[1] > 0 {
        if v[1] != w[1] {
            return false;
        }
        if v[2] != w[2] {
            return v[2] > w[2];
        }
    } else if v[1] != w[1] || v[2] != w[2] {
        return false;
    }
    compare_pre(version.pre, wanted.pre) >= 0
}

/// Section 11 of Semantic Versioning 2.0.0: a pre-release is less than the release; else identifier by identifier.
const fn compare_pre(a: &[u8], b: &[u8]) -> i8 {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return 0,
        (true, false) => return 1,
        (false, true) => return -1,
        (false, false) => {}
    }
    let (mut a, mut b) = (a, b);
    loop {
        let (first_a, rest_a) = cut(a, b'.');
        let (first_b, rest_b) = cut(b, b'.');
        let order = compare_identifier(first_a, first_b);
        if order != 0 {
            return order;
        }
        match (rest_a, rest_b) {
            (None, None) => return 0,
            (None, Some(_)) => return -1,
            (Some(_), None) => return 1,
            (Some(next_a), Some(next_b)) => (a, b) = (next_a, next_b),
        }
    }
}

const fn compare_identifier(a: &[u8], b: &[u8]) -> i8 {
    match (is_number(a), is_number(b)) {
        (true, false) => return -1,
        (false, true) => return 1,
        // Without leading zeros the longer number is the greater one.
        (true, true) if a.len() != b.len() => return if a.len() < b.len() { -1 } else { 1 },
        _ => {}
    }
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return if a[at] < b[at] { -1 } else { 1 };
        }
        at += 1;
    }
    if a.len() == b.len() {
        0
    } else if a.len() < b.len() {
        -1
    } else {
        1
    }
}

const fn is_number(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            return false;
        }
        at += 1;
    }
    !text.is_empty()
}

const fn same_numbers(a: &[u64; 3], b: &[u64; 3]) -> bool {
    a[0] == b[0] && a[1] == b[1] && a[2] == b[2]
}

/// `1.2.3-beta.1`
const fn parts(text: &[u8]) -> Parts<'_> {
    let (core, pre) = cut(text, b'-');
    let mut numbers = [ANY; 3];
    let mut rest = Some(core);
    let mut at = 0;
    while let Some(text) = rest
        && at < 3
    {
        let (number, after) = cut(text, b'.');
        numbers[at] = parse(number);
        rest = after;
        at += 1;
    }
    let pre: &[u8] = match pre {
        Some(pre) => pre,
        None => b"",
    };
    Parts { numbers, pre }
}

/// `*` and nothing are any number.
const fn parse(text: &[u8]) -> u64 {
    if !is_number(text) {
        return ANY;
    }
    let mut number: u64 = 0;
    let mut at = 0;
    while at < text.len() {
        number = number.saturating_mul(10).saturating_add((text[at] - b'0') as u64);
        at += 1;
    }
    number
}

const fn operator(text: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    while end < text.len() && matches!(text[end], b'=' | b'>' | b'<' | b'~' | b'^') {
        end += 1;
    }
    let (operator, rest) = text.split_at(end);
    let number = trim(rest);
    // `1.*` without an operator takes what `=1` takes.
    if operator.is_empty() && holds_wildcard(number) { (b"=", number) } else { (operator, number) }
}

const fn holds_wildcard(text: &[u8]) -> bool {
    let (core, _) = cut(text, b'-');
    let mut at = 0;
    while at < core.len() {
        if matches!(core[at], b'*' | b'x' | b'X') {
            return true;
        }
        at += 1;
    }
    false
}

/// Without `+build`, which has no weight.
const fn strip_build(text: &[u8]) -> &[u8] {
    cut(text, b'+').0
}

const fn cut(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut end = 0;
    while end < text.len() {
        if text[end] == at {
            let (before, after) = text.split_at(end);
            return (before, Some(after.split_at(1).1));
        }
        end += 1;
    }
    (text, None)
}

const fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}
