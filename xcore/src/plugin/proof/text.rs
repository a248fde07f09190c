//! Text that is built while the compiler evaluates constants: no allocation, no formatting.

/// How long a message can be. What is beyond is cut off.
const CAPACITY: usize = 2048;

/// A message in the making.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Text {
    /// Nothing to say.
    pub(super) const EMPTY: Self = Self { bytes: [0; CAPACITY], length: 0 };

    /// Whether there is nothing to say.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(text) => text,
            Err(_) => "the message is too long to show",
        }
    }

    /// Puts texts together.
    pub(super) const fn of(parts: &[&str]) -> Self {
        Self::EMPTY.and(parts)
    }

    /// Appends texts.
    pub(super) const fn and(mut self, parts: &[&str]) -> Self {
        let mut at = 0;
        while at < parts.len() {
            self = self.push(parts[at].as_bytes());
            at += 1;
        }
        self
    }

    /// Appends a number.
    pub(super) const fn number(self, number: i128) -> Self {
        let mut digits = [0; 40];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let text = if number < 0 { self.and(&["-"]) } else { self };
        text.push(digits.split_at(at).1)
    }

    /// Appends `xcore.yaml:12:3`.
    pub(super) const fn place(self, file: &str, line: u32, column: u32) -> Self {
        self.and(&[file, ":"]).number(line as i128).and(&[":"]).number(column as i128)
    }

    const fn push(mut self, bytes: &[u8]) -> Self {
        let mut at = 0;
        while at < bytes.len() && self.length < CAPACITY {
            self.bytes[self.length] = bytes[at];
            self.length += 1;
            at += 1;
        }
        self
    }
}

/// Whether two texts are the same.
pub(super) const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Whether a text is in a list.
pub(super) const fn is_among(text: &str, list: &[&str]) -> bool {
    let mut at = 0;
    while at < list.len() {
        if same(text, list[at]) {
            return true;
        }
        at += 1;
    }
    false
}

/// Longest word that is compared letter by letter.
const WORD: usize = 48;

/// Whether two words are one slip apart, as far as a third of their letters can differ (Levenshtein distance).
pub(super) const fn is_near(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() > WORD || b.len() > WORD {
        return false;
    }
    let longer = if a.len() > b.len() { a.len() } else { b.len() };
    let tolerance = if longer < 6 {
        1
    } else if longer < 9 {
        2
    } else {
        3
    };
    distance(a, b) <= tolerance
}

const fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row = [0; WORD + 1];
    let mut column = 0;
    while column <= b.len() {
        row[column] = column;
        column += 1;
    }
    let mut line = 0;
    while line < a.len() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        let mut column = 0;
        while column < b.len() {
            let replaced = diagonal + (a[line] != b[column]) as usize;
            let shifted = 1 + if row[column] < row[column + 1] { row[column] } else { row[column + 1] };
            diagonal = row[column + 1];
            row[column + 1] = if replaced < shifted { replaced } else { shifted };
            column += 1;
        }
        line += 1;
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_put_together() {
        let text = Text::of(&["a", "bc"]).number(-120).and(&[" "]).place("x.yaml", 12, 3);
        assert_eq!(text.as_str(), "abc-120 x.yaml:12:3");
        assert_eq!(Text::EMPTY.number(i128::MIN).as_str(), i128::MIN.to_string());
    }

    #[test]
    fn a_message_that_is_too_long_is_cut() {
        let text = Text::of(&[&"x".repeat(5000)]);
        assert_eq!(text.as_str().len(), CAPACITY);
    }

    #[test]
    fn a_slip_is_near() {
        assert!(is_near("orders", "ordres"));
        assert!(is_near("db", "dbb"));
        assert!(!is_near("orders", "billing"));
        assert!(!is_near(&"x".repeat(60), &"x".repeat(60)));
    }
}
