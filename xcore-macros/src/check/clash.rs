//! Two actions of one plugin on one route.
//!
//! The same rule is proved again across plugins at `app!`, by constant evaluation in the runtime crate.

use proc_macro2::Span;

use crate::model::cfgs::Cfgs;
use crate::sink::Sink;

/// A route of a plugin and where it is written.
pub(crate) struct Routed {
    pub(crate) action: String,
    pub(crate) verb: &'static str,
    pub(crate) path: String,
    pub(crate) cfgs: Cfgs,
    /// The path, or the name of the method when it has none.
    pub(crate) span: Span,
}

/// How two routes get in each other's way.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Clash {
    /// The same method and path.
    Same,
    /// The same requests, but the parameters have other names.
    Renamed,
    /// A parameter and a rest at one place.
    Rest,
}

/// Reports each route that an earlier action of the plugin has already. Whether it is kept comes back, in order.
///
/// Two actions with different `#[cfg]`s may never meet, so those are left to constant evaluation, which sees what is
/// compiled in.
///
/// ui: action/fail/route_twice, action/fail/route_renamed_parameter, action/fail/route_rest_and_parameter
pub(crate) fn check_clashes(routes: &[Routed], sink: &mut Sink) -> Vec<bool> {
    let mut kept = Vec::with_capacity(routes.len());
    for (at, route) in routes.iter().enumerate() {
        let clash = routes[..at]
            .iter()
            .zip(&kept)
            .filter(|(earlier, kept)| **kept && earlier.cfgs == route.cfgs)
            .find_map(|(earlier, _)| Some((earlier, clash(earlier, route)?)));
        kept.push(clash.is_none());
        if let Some((earlier, clash)) = clash {
            sink.error_at(route.span, message(earlier, route, clash));
        }
    }
    kept
}

fn message(earlier: &Routed, route: &Routed, clash: Clash) -> String {
    let (verb, path) = (route.verb.to_uppercase(), &route.path);
    let (first, first_path) = (&earlier.action, &earlier.path);
    match clash {
        Clash::Same => format!(
            "`{verb} {path}` is the route of action `{first}` already\nhelp: give `{}` another path or method",
            route.action
        ),
        Clash::Renamed => format!(
            "`{path}` and `{first_path}` of action `{first}` match the same requests\nhelp: write `{first_path}` here too: a path has one set of parameter names"
        ),
        Clash::Rest => format!(
            "`{path}` and `{first_path}` of action `{first}` have a parameter and a rest at one place\nhelp: put a fixed segment before one of them"
        ),
    }
}

fn clash(a: &Routed, b: &Routed) -> Option<Clash> {
    if a.path == b.path {
        return (a.verb == b.verb).then_some(Clash::Same);
    }
    shapes_clash(&a.path, &b.path)
}

/// Whether two different paths cannot both be in one router. They differ in a name, or in the kind of parameter at the
/// first place where they differ.
pub(crate) fn shapes_clash(a: &str, b: &str) -> Option<Clash> {
    let (mut a, mut b) = (pieces(a), pieces(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Some(Clash::Renamed),
            (Some(Piece::Rest), Some(Piece::Rest)) => return Some(Clash::Renamed),
            (Some(Piece::Rest), Some(Piece::Parameter)) | (Some(Piece::Parameter), Some(Piece::Rest)) => {
                return Some(Clash::Rest);
            }
            (Some(a), Some(b)) if a == b => {}
            _ => return None,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Parameter,
    Rest,
}

/// A path as the router sees it: parameters have no names.
fn pieces(path: &str) -> impl Iterator<Item = Piece> {
    let mut rest = path;
    std::iter::from_fn(move || {
        let first = *rest.as_bytes().first()?;
        let (piece, length) = match (first, rest.find('}')) {
            (b'{', Some(end)) if rest.starts_with("{*") => (Piece::Rest, end + 1),
            (b'{', Some(end)) => (Piece::Parameter, end + 1),
            _ => (Piece::Byte(first), 1),
        };
        // Every cut is after an ASCII byte or inside a text that the check found to be ASCII.
        rest = rest.get(length..).unwrap_or_default();
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_no_names_for_a_router() {
        assert_eq!(shapes_clash("/a/{id}", "/a/{name}"), Some(Clash::Renamed));
        assert_eq!(shapes_clash("/a/{id}/x", "/a/{name}"), None);
        assert_eq!(shapes_clash("/a/{id}", "/a/{*rest}"), Some(Clash::Rest));
        assert_eq!(shapes_clash("/{*a}", "/{*b}"), Some(Clash::Renamed));
        assert_eq!(shapes_clash("/a/{id}", "/a/open"), None);
    }
}
