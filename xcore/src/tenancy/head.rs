//! The head of a request.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Up to this many headers, comparing their names is faster than hashing the one that is looked for.
const FEW: usize = 16;

/// The first value of a header. As [`HeaderMap::get`], and faster where there are few headers, as in most requests.
#[inline]
pub(crate) fn value_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    if headers.len() > FEW {
        return headers.get(name);
    }
    headers.iter().find_map(|(found, value)| (found == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_is_found_among_few_and_many_headers() {
        let wanted = HeaderName::from_static("x-tenant-id");
        for others in [0, 1, FEW - 2, FEW - 1, FEW, 3 * FEW] {
            let mut headers = HeaderMap::new();
            for number in 0..others {
                let name = HeaderName::try_from(format!("x-other-{number}")).unwrap();
                headers.append(name, HeaderValue::from_static("other"));
            }
            assert_eq!(value_of(&headers, &wanted), None, "{others}");
            headers.append(&wanted, HeaderValue::from_static("first"));
            headers.append(&wanted, HeaderValue::from_static("second"));
            assert_eq!(value_of(&headers, &wanted).unwrap(), "first", "{others}");
            assert_eq!(value_of(&headers, &wanted), headers.get(&wanted), "{others}");
        }
    }
}
