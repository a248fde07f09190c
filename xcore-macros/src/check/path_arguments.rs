//! `Path<..>` against the parameters of the route.
//!
//! axum finds a mismatch when the first request comes in, as a 500. Here both are in sight.

use syn::{GenericArgument, PathArguments, Type};

use super::signature::Arg;
use crate::sink::Sink;
use crate::suggest;

/// Types that take exactly one parameter.
const SCALARS: &[&str] = &[
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
    "u128", "usize", "String", "Uuid",
];

/// ui: action/fail/path_argument_without_parameter, action/fail/path_argument_count
pub(crate) fn check_path_arguments(path: &str, parameters: &[String], args: &[Arg], sink: &mut Sink) {
    for arg in args {
        let Some(inner) = inner_of_path(&arg.ty) else { continue };
        if parameters.is_empty() {
            sink.error(
                &arg.ty,
                format!(
                    "`Path` takes the parameters of a route, and `{path}` has none\nhelp: {}",
                    with_parameter(path, inner)
                ),
            );
            continue;
        }
        let Some(wanted) = count(inner).filter(|wanted| *wanted != parameters.len()) else { continue };
        sink.error(
            &arg.ty,
            format!(
                "this `Path` takes {wanted} {}, and `{path}` has {}: {}\nhelp: take {}",
                if wanted == 1 { "parameter" } else { "parameters" },
                parameters.len(),
                suggest::listed(parameters),
                if parameters.len() == 1 {
                    "one value: `Path<T>`".to_owned()
                } else {
                    format!("a tuple of {}", parameters.len())
                },
            ),
        );
    }
}

fn with_parameter(path: &str, inner: &Type) -> String {
    let base = path.trim_end_matches('/');
    let parameters: String = match count(inner) {
        Some(0) => return "remove this argument".to_owned(),
        Some(1) | None => "/{id}".to_owned(),
        Some(many) => ('a'..='z').take(many).map(|name| format!("/{{{name}}}")).collect(),
    };
    format!("name them in the path: `\"{base}{parameters}\"`")
}

/// `T` of `Path<T>`.
fn inner_of_path(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Path")?;
    let PathArguments::AngleBracketed(list) = &last.arguments else { return None };
    match list.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

/// How many parameters a type takes, when that can be told from its name.
fn count(ty: &Type) -> Option<usize> {
    match ty {
        Type::Tuple(tuple) => Some(tuple.elems.len()),
        Type::Path(path) => SCALARS.iter().any(|scalar| path.path.is_ident(scalar)).then_some(1),
        _ => None,
    }
}
