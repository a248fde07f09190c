//! Names: of the app, of tenants, of plugins and of time zones.

use std::str::FromStr;

use serde_json::{Value as Json, json};

use super::kind::{Kind, Wrong, Wrongs, text_of};
use crate::suggest;
use crate::yaml::{Node, Value};

/// `[a-z][a-z0-9-]*`
pub(crate) struct AppName;

impl Kind for AppName {
    type Value = String;

    fn expected() -> String {
        "a name of a-z, 0-9 and `-` that begins with a letter, such as `shop`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        if is_name(text, b'-') {
            return Ok(text.to_owned());
        }
        let mended: String = text.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
        let mut wrong = Wrong::expected::<Self>(node);
        if is_name(&mended, b'-') && node.variables.is_empty() {
            wrong = wrong.help(format!("write `{mended}`"));
        }
        Err(wrong.into())
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[a-z][a-z0-9-]*$" })
    }
}

/// Whether a plugin may have this name: `[a-z][a-z0-9_]*`.
pub(crate) fn is_plugin_name(text: &str) -> bool {
    is_name(text, b'_')
}

/// The name of a plan in `tenancy.plans`.
pub(crate) struct PlanName;

impl Kind for PlanName {
    type Value = String;

    fn expected() -> String {
        "the name of a plan: a-z, 0-9 and single `_`, beginning with a letter".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        if is_plan_name(text) { Ok(text.to_owned()) } else { Err(Wrong::expected::<Self>(node).into()) }
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[a-z][a-z0-9_]*$" })
    }
}

/// Whether a plan may have this name. Two underscores stand between the parts of an override.
pub(crate) fn is_plan_name(text: &str) -> bool {
    is_name(text, b'_') && !text.contains("__")
}

fn is_name(text: &str, joint: u8) -> bool {
    let rest = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == joint;
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.bytes().all(rest)
}

/// A tenant id in the grammar of the runtime. `PUBLIC` says whether the reserved tenant `public` is meant as
/// well.
pub(crate) struct TenantName<const PUBLIC: bool>;

/// PostgreSQL cuts identifiers at this length (documentation, section 4.1.1).
const MAX_TENANT: usize = 63;

/// The default tenant may be `null`: then a request that names no tenant is refused.
pub(crate) struct DefaultTenant;

impl<const PUBLIC: bool> Kind for TenantName<PUBLIC> {
    type Value = String;

    fn expected() -> String {
        "a tenant id: 1 to 63 characters of a-z, 0-9, `_` and `-`, beginning with a letter or digit"
            .to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        // The case is folded as the runtime folds it, so that `ACME` and `acme` are seen to be one tenant.
        let id = text_of::<Self>(node)?.to_ascii_lowercase();
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=MAX_TENANT).contains(&id.len())
            && id.bytes().next().is_some_and(letter)
            && id.bytes().all(|byte| letter(byte) || matches!(byte, b'_' | b'-'));
        if !fits {
            return Err(Wrong::expected::<Self>(node).into());
        }
        if id.starts_with("pg_") || id.starts_with("xcore") || id == "information_schema" {
            let wrong =
                Wrong::new("must not be a reserved name (`pg_*`, `information_schema` and `xcore*` are)");
            return Err(wrong.help("choose another tenant id").into());
        }
        if id == "public" && !PUBLIC {
            let wrong = Wrong::new("must not name `public`, whose data every tenant can read");
            return Err(wrong.help("`public` is allowed as `tenancy.default_tenant` only").into());
        }
        Ok(id)
    }

    fn json_schema() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$" })
    }
}

impl Kind for DefaultTenant {
    type Value = Option<String>;

    const NULLABLE: bool = true;

    fn expected() -> String {
        format!("{}, or `null` for none", TenantName::<true>::expected())
    }

    fn read(node: &Node) -> Result<Self::Value, Wrongs> {
        match &node.value {
            Value::Null => Ok(None),
            Value::Text(text) if node.loose && matches!(text.as_str(), "" | "null") => Ok(None),
            _ => TenantName::<true>::read(node).map(Some),
        }
    }

    fn json_schema() -> Json {
        json!({ "anyOf": [TenantName::<true>::json_schema(), { "type": "null" }] })
    }

    fn settle(_node: &Node, text: &str) -> Value {
        if matches!(text, "" | "null") { Value::Null } else { Value::Text(text.to_owned()) }
    }
}

/// A name of the IANA time zone database.
pub(crate) struct TimeZone;

impl Kind for TimeZone {
    type Value = String;

    fn expected() -> String {
        "a time zone of the IANA database such as `UTC` or `Europe/Berlin`".to_owned()
    }

    fn read(node: &Node) -> Result<String, Wrongs> {
        let text = text_of::<Self>(node)?;
        if chrono_tz::Tz::from_str(text).is_ok() {
            return Ok(text.to_owned());
        }
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let mut wrong = Wrong::expected::<Self>(node);
        if node.variables.is_empty() {
            // Most slips are a city without its continent.
            let city = text.rsplit('/').next().unwrap_or(text).replace(' ', "_");
            let same_city = names
                .clone()
                .find(|name| name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city)));
            wrong.help = same_city
                .or_else(|| suggest::nearest(text, names))
                .map(|name| format!("did you mean `{name}`?"));
        }
        Err(wrong.into())
    }

    fn json_schema() -> Json {
        json!({ "type": "string" })
    }
}
