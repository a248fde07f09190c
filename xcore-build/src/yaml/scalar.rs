//! Numbers as a text spells them, strictly: what is read back is what was written.

/// A whole number in decimal, without leading zeros, `+`, underscores or spaces.
///
/// `0456` is none: as a number it would lose its zero, and it is more often a code than a count.
pub(crate) fn parse_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || leading_zero || text == "-0" || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    text.parse().ok()
}

/// A finite number in decimal, with or without fraction and exponent.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let starts = text.strip_prefix('-').unwrap_or(text).starts_with(|c: char| c.is_ascii_digit());
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
    if !starts || !plain {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_survives_a_round_trip_is_a_number() {
        assert_eq!(parse_integer("456"), Some(456));
        assert_eq!(parse_integer("-1"), Some(-1));
        for text in ["0456", "+1", "1_000", " 1", "", "-", "0x10", "1e3", "-0", "٣"] {
            assert_eq!(parse_integer(text), None, "{text:?}");
        }
        assert_eq!(parse_float("0.5"), Some(0.5));
        for text in [".5", "nan", "inf", "1e999", "0x1p3", ""] {
            assert_eq!(parse_float(text), None, "{text:?}");
        }
    }
}
