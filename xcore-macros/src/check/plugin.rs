//! The struct of a plugin, and the options that stand alone.

use semver::{Version, VersionReq};
use syn::LitStr;

use super::services::{Declared, Service};
use crate::model::item::Data;
use crate::options::action::path_text;
use crate::options::plugin::{Migrations, Required};
use crate::sink::Sink;

/// Whether the item can be a plugin at all: a struct without parameters.
///
/// ui: plugin/fail/on_enum, plugin/fail/on_union, plugin/fail/on_generic_struct
pub(crate) fn check_item(data: &Data, sink: &mut Sink) -> bool {
    if data.keyword != "struct" {
        let keyword = &data.keyword;
        let help = format!("make it a struct: `struct {};`", data.ident);
        sink.error(
            keyword,
            format!("a plugin is a struct, this is {} {keyword}\nhelp: {help}", article(keyword)),
        );
        return false;
    }
    if data.generics.params.is_empty() {
        return true;
    }
    sink.error(
        &data.generics,
        "a plugin is one type, so its struct cannot have parameters\nhelp: name the types in the struct, or take them from `config`",
    );
    false
}

fn article(word: impl ToString) -> &'static str {
    if word.to_string() == "enum" { "an" } else { "a" }
}

/// The name of a plugin: a key of `xcore.yaml`, a part of routes and of table names.
///
/// ui: plugin/fail/name_not_snake_case
pub(crate) fn check_name(name: &LitStr, sink: &mut Sink) -> Option<String> {
    let text = name.value();
    let begins = text.starts_with(|first: char| first.is_ascii_lowercase());
    if begins
        && text.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
    {
        return Some(text);
    }
    sink.error(
        name,
        format!(
            "`{text}` is no name for a plugin\nhelp: a name begins with `a` to `z` and goes on with `a` to `z`, digits and `_`"
        ),
    );
    None
}

/// ui: plugin/fail/version_malformed
pub(crate) fn check_version(version: &LitStr, sink: &mut Sink) -> Option<String> {
    match Version::parse(&version.value()) {
        Ok(_) => Some(version.value()),
        Err(_) => {
            let text = version.value();
            sink.error(
                version,
                format!("`{text}` is no version\nhelp: write three numbers, such as `\"1.2.0\"`"),
            );
            None
        }
    }
}

/// The plugins that another one requires. One that is named twice or with a wrong version is left out.
///
/// ui: plugin/fail/requires_itself, plugin/fail/requires_twice, plugin/fail/requires_version_malformed
pub(crate) fn check_requires(required: Vec<Required>, data: &Data, sink: &mut Sink) -> Vec<Required> {
    let mut kept: Vec<Required> = Vec::new();
    for mut one in required {
        let text = path_text(&one.plugin);
        if one.plugin.is_ident(&data.ident) {
            sink.error(
                &one.plugin,
                format!("plugin `{text}` cannot require itself\nhelp: call its methods with `self`"),
            );
            continue;
        }
        if kept.iter().any(|earlier| path_text(&earlier.plugin) == text) {
            sink.error(&one.plugin, format!("plugin `{text}` is required twice\nhelp: remove one"));
            continue;
        }
        if let Some(wanted) = &one.wanted
            && VersionReq::parse(&wanted.value()).is_err()
        {
            let text = wanted.value();
            sink.error(
                wanted,
                format!("`{text}` names no versions\nhelp: write it as in Cargo.toml: `\"^1.2\"`"),
            );
            one.wanted = None;
        }
        kept.push(one);
    }
    kept
}

/// Migrations need something to migrate. Whether they have it.
///
/// ui: plugin/fail/migrations_without_db, plugin/fail/shared_migrations_without_central
pub(crate) fn check_migrations(
    tenant: Option<&Migrations>,
    shared: Option<&Migrations>,
    declared: &[Declared],
    sink: &mut Sink,
) -> bool {
    let before = sink.count();
    let has = |wanted: Service| declared.iter().any(|one| one.service == wanted);
    if let Some(Migrations { key, .. }) = tenant
        && !has(Service::Db)
    {
        sink.error(
            key,
            "`migrations` are for the database of a tenant, which this plugin does not use\nhelp: add `services(db)`",
        );
    }
    if let Some(Migrations { key, .. }) = shared
        && !has(Service::Db)
        && !has(Service::Central)
    {
        sink.error(
            key,
            "`shared_migrations` are for the shared database, which this plugin does not use\nhelp: add `services(central)`, or `services(db)` to read shared tables only",
        );
    }
    sink.count() == before
}
