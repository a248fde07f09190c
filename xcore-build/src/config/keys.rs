//! Unknown keys, and sections that are none.

use super::layout::{Item, LAYOUT, sections};
use crate::problem::{Problem, Problems};
use crate::settings::{Need, Section, is_plan_name, is_plugin_name};
use crate::suggest;
use crate::yaml::{Entry, Map, Node};

/// Reports every key that the file may not have and every section that is no map.
pub(crate) fn check_keys(root: &Node, problems: &mut Problems) {
    match root.map() {
        Some(map) => check_items(map, LAYOUT, "", problems),
        None => {
            let message = format!(
                "a configuration must be a section with the keys {}, found {}",
                top_level(),
                root.describe()
            );
            problems.push(Problem::at(&root.origin, message));
        }
    }
}

fn top_level() -> String {
    suggest::list(LAYOUT.iter().map(Item::name))
}

fn check_items(map: &Map, items: &'static [Item], path: &str, problems: &mut Problems) {
    for entry in &map.entries {
        let Some(item) = items.iter().find(|item| item.name() == entry.key) else {
            unknown(entry, path, &items.iter().map(Item::name).collect::<Vec<_>>(), problems);
            continue;
        };
        let path = join(path, &entry.key);
        match item {
            Item::Section(_, section) => {
                if let Some(map) = section_of(entry, &path, true, problems) {
                    check_section(map, section, &[], &path, problems);
                }
            }
            Item::Parent(_, section, items) => {
                if let Some(map) = section_of(entry, &path, true, problems) {
                    check_section(map, section, items, &path, problems);
                    let below = map.entries.iter().filter(|entry| is_item(items, &entry.key));
                    let below = Map { entries: below.cloned().collect() };
                    check_items(&below, items, &path, problems);
                }
            }
            Item::Choice(_, section) => {
                if let Some(map) = section_of(entry, &path, false, problems) {
                    check_section(map, section, &[], &path, problems);
                }
            }
            Item::Group(_, _, items) => {
                if let Some(map) = section_of(entry, &path, true, problems) {
                    check_items(map, items, &path, problems);
                }
            }
            Item::Named(_, _, section) => {
                if let Some(map) = section_of(entry, &path, true, problems) {
                    map.entries.iter().for_each(|named| check_named(named, section, &path, problems));
                }
            }
        }
    }
}

fn check_named(entry: &Entry, section: &'static Section, path: &str, problems: &mut Problems) {
    let path = join(path, &entry.key);
    let (is_name, what): (fn(&str) -> bool, _) = match section.path {
        "plugins.*" => (is_plugin_name, "a plugin: use a-z, 0-9 and `_`"),
        _ => (is_plan_name, "a plan: use a-z, 0-9 and single `_`"),
    };
    if !is_name(&entry.key) {
        let mended = entry.key.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
        let message = format!("`{}` is no name of {what}, beginning with a letter", entry.key);
        let help = is_name(&mended).then(|| format!("write `{mended}`"));
        problems.push(Problem::at(&entry.origin, message).maybe_help(help).about(&path));
    }
    if let Some(map) = section_of(entry, &path, false, problems) {
        check_section(map, section, &[], &path, problems);
    }
}

fn is_item(items: &[Item], name: &str) -> bool {
    items.iter().any(|item| item.name() == name)
}

/// Checks the keys of a section; the sections below it are left to [`check_items`].
fn check_section(
    map: &Map,
    section: &'static Section,
    items: &'static [Item],
    path: &str,
    problems: &mut Problems,
) {
    for entry in map.entries.iter().filter(|entry| !is_item(items, &entry.key)) {
        match section.key(&entry.key) {
            None => {
                let names = section.keys.iter().map(|key| key.name).chain(items.iter().map(Item::name));
                unknown(entry, path, &names.collect::<Vec<_>>(), problems)
            }
            // `config:` with all its keys commented out says nothing, like a section.
            Some(key) if entry.node.is_null() && !key.nullable && section.path != "plugins.*" => {
                let path = join(path, &entry.key);
                let help = match key.need {
                    Need::Default(default) if !default.is_empty() => {
                        format!(
                            "remove the line to have the default `{default}`, or give it {}",
                            (key.expected)()
                        )
                    }
                    Need::Required => format!("give it {}", (key.expected)()),
                    _ => format!("remove the line, or give it {}", (key.expected)()),
                };
                problems.push(
                    Problem::at(&entry.origin, format!("`{path}` has no value")).help(help).about(path),
                );
            }
            Some(_) => {}
        }
    }
}

/// The map of a section. A name with nothing below is a section without keys where nothing else can be meant.
fn section_of<'a>(
    entry: &'a Entry,
    path: &str,
    may_be_empty: bool,
    problems: &mut Problems,
) -> Option<&'a Map> {
    if let Some(map) = entry.node.map() {
        return Some(map);
    }
    let problem = if entry.node.is_null() {
        if may_be_empty {
            return None;
        }
        Problem::at(&entry.origin, format!("`{path}` has no value"))
            .help(format!("write `{}: {{}}` to have it with its defaults, or remove the line", entry.key))
    } else {
        let message =
            format!("`{path}` must be a section (keys indented below it), found {}", entry.node.describe());
        Problem::at(&entry.node.origin, message)
    };
    problems.push(problem.about(path));
    None
}

fn unknown(entry: &Entry, path: &str, names: &[&str], problems: &mut Problems) {
    let (here, full) = match path {
        "" => ("at the top level".to_owned(), entry.key.clone()),
        path => (format!("in `{path}`"), join(path, &entry.key)),
    };
    let (message, help) = unknown_key(&entry.key, &here, names, path);
    problems.push(Problem::at(&entry.origin, message).help(help).about(full));
}

/// Message and help for a key that does not exist.
pub(crate) fn unknown_key(key: &str, here: &str, names: &[&str], path: &str) -> (String, String) {
    let help = match suggest::nearest(key, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if path.starts_with("plugins.") => {
            format!("a plugin's own keys go into its `config`: `config: {{ {key}: .. }}`")
        }
        None => match sections().find(|section| section.path != path && section.key(key).is_some()) {
            Some(section) if section.path == "plugins.*" => {
                format!("`{key}` belongs below a plugin's name in `plugins`")
            }
            Some(section) if section.path.contains('*') => {
                format!("`{key}` belongs below a plan's name in `tenancy.plans`")
            }
            Some(section) => format!("`{key}` belongs in `{}`", section.path),
            None => format!("the keys {here} are {}", suggest::list(names.iter().copied())),
        },
    };
    (format!("unknown key `{key}` {here}"), help)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
