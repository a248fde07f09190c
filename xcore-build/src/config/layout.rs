//! How the sections lie in the file.

use super::plugin::PluginSettings;
use super::{ApiKey, App, Cache, Database, Jwt, Plan, Scheduler, Tenancy};
use crate::settings::{Key, Section};

/// What a name at some level of the file stands for.
#[derive(Debug)]
pub(crate) enum Item {
    /// A section that is always there, its defaults included.
    Section(&'static str, &'static Section),
    /// A section that is always there, with sections below it beside its keys.
    Parent(&'static str, &'static Section, &'static [Item]),
    /// A section that is there only when the file names it.
    Choice(&'static str, &'static Section),
    /// Names below a name.
    Group(&'static str, &'static str, &'static [Item]),
    /// Names of the user's, each a section.
    Named(&'static str, &'static str, &'static Section),
}

/// The file from its top.
pub(crate) const LAYOUT: &[Item] = &[
    Item::Section("app", &App::SECTION),
    Item::Group(
        "services",
        "What plugins may ask for. A service that is absent is not provided.",
        &[
            Item::Choice("database", &Database::SECTION),
            Item::Choice("cache", &Cache::SECTION),
            Item::Choice("scheduler", &Scheduler::SECTION),
        ],
    ),
    Item::Parent(
        "tenancy",
        &Tenancy::SECTION,
        &[
            Item::Choice("jwt", &Jwt::SECTION),
            Item::Choice("api_key", &ApiKey::SECTION),
            Item::Named("plans", "What tenants may use, by the plan that they have.", &Plan::SECTION),
        ],
    ),
    Item::Named("plugins", "Every plugin of the app, by name.", &PluginSettings::SECTION),
];

impl Item {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Section(name, _)
            | Self::Parent(name, ..)
            | Self::Choice(name, _)
            | Self::Group(name, ..)
            | Self::Named(name, ..) => name,
        }
    }
}

/// All sections, for a search over all keys.
pub(crate) fn sections() -> impl Iterator<Item = &'static Section> {
    LAYOUT
        .iter()
        .flat_map(|item| match item {
            Item::Group(.., items) => items.iter().collect::<Vec<_>>(),
            Item::Parent(.., items) => std::iter::once(item).chain(*items).collect(),
            item => vec![item],
        })
        .filter_map(|item| match item {
            Item::Section(_, section)
            | Item::Parent(_, section, _)
            | Item::Choice(_, section)
            | Item::Named(_, _, section) => Some(*section),
            Item::Group(..) => None,
        })
}

/// The key at a dotted path, `services.cache.capacity` for example.
pub(crate) fn key_at(path: &[&str]) -> Option<&'static Key> {
    let (name, parents) = path.split_last()?;
    let parent = match parents {
        ["plugins", _] => "plugins.*".to_owned(),
        ["tenancy", "plans", _] => Plan::SECTION.path.to_owned(),
        parents => parents.join("."),
    };
    sections().find(|section| section.path == parent)?.key(name)
}
