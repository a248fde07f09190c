//! A call by name as a request: the same extractors read it as over HTTP.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::full_path;
use crate::plugin::{ActionSpec, Verb};

/// Why a call by name could not be made, before any action ran.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// No plugin has the name.
    #[error("there is no plugin `{plugin}`; `routes` lists the plugins and their actions")]
    NoPlugin {
        /// The name.
        plugin: String,
    },
    /// The plugin has no action of the name.
    #[error("plugin `{plugin}` has no action `{action}`; `routes` lists its actions")]
    NoAction {
        /// The plugin.
        plugin: String,
        /// The name.
        action: String,
    },
    /// The path of the action has a parameter that the arguments lack.
    #[error("action `{plugin}.{action}` needs the argument `{parameter}`, a text, a number or a truth value")]
    Parameter {
        /// The plugin.
        plugin: &'static str,
        /// The action.
        action: &'static str,
        /// The path parameter.
        parameter: String,
    },
    /// The arguments are no JSON object where one is needed.
    #[error(
        "action `{plugin}.{action}` takes its path and query arguments from a JSON object, such as {{\"id\": 1}}"
    )]
    NotAnObject {
        /// The plugin.
        plugin: &'static str,
        /// The action.
        action: &'static str,
    },
    /// The action belongs to no tenant, and the call names one.
    #[error(
        "action `{plugin}.{action}` belongs to no tenant; call it without one: leave out `--tenant` on the command line, use \
         `call_central` in Rust"
    )]
    OfNoTenant {
        /// The plugin.
        plugin: &'static str,
        /// The action.
        action: &'static str,
    },
    /// The action belongs to a tenant, and the call names none.
    #[error("action `{plugin}.{action}` belongs to a tenant; name the one to call it for")]
    OfTenant {
        /// The plugin.
        plugin: &'static str,
        /// The action.
        action: &'static str,
    },
    /// The arguments do not make a request.
    #[error("the arguments for `{plugin}.{action}` do not make a request")]
    Request {
        /// The plugin.
        plugin: &'static str,
        /// The action.
        action: &'static str,
        /// Why.
        #[source]
        source: axum::http::Error,
    },
}

/// The request that a call by name stands for.
///
/// Members of `arguments` that the path names fill it. The others become the query of a GET, HEAD, DELETE or OPTIONS
/// and the JSON body of every other method. Arguments that are no object are the body as they are.
pub(crate) fn request_for(
    prefix: &str,
    plugin_path: &str,
    spec: &'static ActionSpec,
    arguments: Value,
) -> Result<Request, CallError> {
    let template = full_path(prefix, plugin_path, spec);
    let has_body = !matches!(spec.verb, Verb::Get | Verb::Head | Verb::Delete | Verb::Options);
    let (path, rest) = fill(&template, spec, arguments)?;
    let target = match (&rest, has_body) {
        (Value::Object(members), false) if !members.is_empty() => format!("{path}?{}", query(members)),
        (Value::Object(_) | Value::Null, _) | (_, true) => path,
        _ => return Err(CallError::NotAnObject { plugin: spec.plugin, action: spec.name }),
    };
    let failed = |source| CallError::Request { plugin: spec.plugin, action: spec.name, source };
    let method = match spec.verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Patch => Method::PATCH,
        Verb::Delete => Method::DELETE,
        Verb::Head => Method::HEAD,
        Verb::Options => Method::OPTIONS,
    };
    let uri = Uri::try_from(target).map_err(|source| failed(source.into()))?;
    let request = Request::builder().method(method).uri(uri);
    if has_body && !rest.is_null() {
        let json = HeaderValue::from_static("application/json");
        request.header(CONTENT_TYPE, json).body(Body::from(rest.to_string())).map_err(failed)
    } else {
        request.body(Body::empty()).map_err(failed)
    }
}

fn fill(template: &str, spec: &'static ActionSpec, arguments: Value) -> Result<(String, Value), CallError> {
    if !template.contains('{') {
        return Ok((template.to_owned(), arguments));
    }
    let Value::Object(mut members) = arguments else {
        return Err(CallError::NotAnObject { plugin: spec.plugin, action: spec.name });
    };
    let mut path = String::with_capacity(template.len());
    for segment in template.split('/').skip(1) {
        path.push('/');
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            path.push_str(segment);
            continue;
        };
        let (name, keep_slashes) = name.strip_prefix('*').map_or((name, false), |name| (name, true));
        let text = match members.remove(name) {
            Some(Value::String(text)) => text,
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => {
                let parameter = name.to_owned();
                return Err(CallError::Parameter { plugin: spec.plugin, action: spec.name, parameter });
            }
        };
        encode(&text, keep_slashes, &mut path);
    }
    Ok((path, Value::Object(members)))
}

fn query(members: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in members {
        if !text.is_empty() {
            text.push('&');
        }
        encode(name, false, &mut text);
        text.push('=');
        match value {
            Value::String(value) => encode(value, false, &mut text),
            value => encode(&value.to_string(), false, &mut text),
        }
    }
    text
}

/// All but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_BUT_SLASH: &AsciiSet = &RESERVED.remove(b'/');

fn encode(text: &str, keep_slashes: bool, into: &mut String) {
    into.extend(utf8_percent_encode(text, if keep_slashes { RESERVED_BUT_SLASH } else { RESERVED }));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plugin::{Callers, Scope};

    const fn spec(verb: Verb, path: &'static str) -> ActionSpec {
        ActionSpec {
            plugin: "orders",
            name: "get",
            verb,
            path,
            scope: Scope::Tenant,
            status: None,
            timeout: None,
            internal: false,
            callers: Callers::Any,
            summary: "",
            description: "",
        }
    }

    static GET: ActionSpec = spec(Verb::Get, "/{id}");
    static PUT: ActionSpec = spec(Verb::Put, "/{id}/lines");

    #[test]
    fn members_fill_the_path_then_the_query() {
        let request = request_for("/v1", "/orders", &GET, json!({"id": "a/b c", "deep": true})).unwrap();
        assert_eq!(request.uri(), "/v1/orders/a%2Fb%20c?deep=true");
    }

    #[test]
    fn members_that_the_path_does_not_name_are_the_body() {
        let request = request_for("/v1", "/orders", &PUT, json!({"id": 7, "sku": "x"})).unwrap();
        assert_eq!(request.uri(), "/v1/orders/7/lines");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_missing_path_parameter_is_named() {
        let error = request_for("/v1", "/orders", &GET, json!({})).unwrap_err();
        assert!(error.to_string().contains("`id`"), "{error}");
    }
}
