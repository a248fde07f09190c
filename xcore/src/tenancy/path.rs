//! A tenant in the path of a request.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

use super::TenancyError;
use super::sources::parse;

/// As messages name it.
pub(super) const PATH: &str = "path";

/// The segment that was taken off the path. Only the router puts it into a request: the type is private to the crate.
#[derive(Debug, Clone)]
pub(crate) struct PathTenant(pub(crate) Box<str>);

/// Takes the first segment off a path: `/acme/v1/orders?x=1` is `acme` and `/v1/orders?x=1`. `None` for a target without a path.
///
/// The segment is not decoded: `%61cme` is no tenant id, so that one tenant has one path.
pub(crate) fn split(uri: &Uri) -> Option<(PathTenant, Uri)> {
    let target = uri.path_and_query()?;
    let path = target.path().strip_prefix('/')?;
    let (name, rest) = path.split_once('/').map_or((path, ""), |(name, rest)| (name, rest));
    let rest = match target.query() {
        Some(query) => format!("/{rest}?{query}"),
        None => format!("/{rest}"),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Some((PathTenant(name.into()), Uri::from_parts(parts).ok()?))
}

/// What a segment without a character is: no tenant.
pub(crate) fn nameless() -> Result<(), TenancyError> {
    parse(b"", PATH).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_segment_is_taken_off_and_the_rest_is_kept() {
        for (uri, expect) in [
            ("/acme/v1/orders?x=1", Some(("acme", "/v1/orders?x=1"))),
            ("http://h:1/acme/v1", Some(("acme", "http://h:1/v1"))),
            ("/acme", Some(("acme", "/"))),
            ("/acme/", Some(("acme", "/"))),
            ("/", Some(("", "/"))),
            ("//acme/x", Some(("", "/acme/x"))),
            ("/%61cme//x", Some(("%61cme", "//x"))),
            ("*", None),
        ] {
            let found = split(&uri.parse().unwrap()).map(|(PathTenant(name), uri)| (name, uri.to_string()));
            let found = found.as_ref().map(|(name, uri)| (&**name, uri.as_str()));
            assert_eq!(found, expect, "{uri}");
        }
    }
}
