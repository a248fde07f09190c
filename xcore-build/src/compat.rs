//! Whether a configuration still holds what a binary was compiled against.

use crate::config::{Config, Grant};
use crate::problem::{Problem, Problems};
use crate::source::Origin;
use crate::suggest;

/// What one plugin of the binary needs, as its manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginNeeds<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// Names of the services that it declared: `database`, `cache`, `scheduler`, and `central`. `db` is the
    /// same as `database`.
    pub services: &'a [&'a str],
}

/// Compares a loaded configuration with the plugins that were compiled in. The runtime calls this before it
/// opens anything.
///
/// The configuration was checked by itself when it was loaded; here it is checked against the binary, because
/// the file may have changed since the build.
///
/// # Errors
/// For each plugin what it needs and the configuration lacks: the plugin itself, a service, a grant; and
/// plugins that the configuration lists and the binary does not have.
pub fn check_against(needs: &[PluginNeeds<'_>], config: &Config) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for plugin in needs {
        check_plugin(plugin, config, &mut problems);
    }
    for (name, plugin) in &config.plugins {
        if needs.iter().any(|plugin| plugin.name == name) {
            continue;
        }
        let message = format!("the plugin `{name}` is not in this binary");
        let help = match suggest::nearest(name, needs.iter().map(|plugin| plugin.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "remove it, or build the app with it; the plugins are {}",
                suggest::list(needs.iter().map(|plugin| plugin.name))
            ),
        };
        let origin = key_origin(config, "plugins", name).unwrap_or_else(|| plugin.origin().clone());
        problems.push(Problem::at(&origin, message).help(help).about(format!("plugins.{name}")));
    }
    problems.into_result(Some(()))
}

fn check_plugin(plugin: &PluginNeeds<'_>, config: &Config, problems: &mut Problems) {
    let name = plugin.name;
    let listed = config.plugins.get(name);
    if listed.is_none() {
        let message = format!("the plugin `{name}` is in this binary and not in the configuration");
        let help = format!("add `{name}: {{}}` below `plugins`");
        problems.push(at_section(config, "plugins", message).help(help).about(format!("plugins.{name}")));
    }
    for service in plugin.services {
        let service = if *service == "db" { "database" } else { service };
        let (is_there, example) = match service {
            "database" => (config.services.database.is_some(), "database: { url: \"sqlite://data\" }"),
            "cache" => (config.services.cache.is_some(), "cache: {}"),
            "scheduler" => (config.services.scheduler.is_some(), "scheduler: {}"),
            "central" => {
                if listed.is_some_and(|plugin| !plugin.is_granted(Grant::Central)) {
                    let origin = key_origin(config, "plugins", name);
                    let message = format!(
                        "the plugin `{name}` uses `central`, which the configuration does not grant it"
                    );
                    let problem = match origin {
                        Some(origin) => Problem::at(&origin, message),
                        None => at_section(config, "plugins", message),
                    };
                    problems.push(
                        problem
                            .help(format!("add `grants: [central]` to `plugins.{name}`"))
                            .about(format!("plugins.{name}")),
                    );
                }
                continue;
            }
            _ => (false, ""),
        };
        if !is_there {
            let message = format!(
                "the plugin `{name}` needs the service `{service}`, which the configuration does not have"
            );
            let problem = at_section(config, "services", message).about(format!("services.{service}"));
            problems.push(if example.is_empty() {
                problem
            } else {
                problem.help(format!("add `{example}` below `services`"))
            });
        }
    }
}

fn key_origin(config: &Config, section: &str, key: &str) -> Option<Origin> {
    Some(config.tree.find(section)?.map()?.entry(key)?.origin.clone())
}

fn at_section(config: &Config, section: &str, message: String) -> Problem {
    let origin = config
        .tree
        .map()
        .and_then(|map| map.entry(section))
        .map_or(&config.tree.origin, |entry| &entry.origin);
    Problem::at(origin, message)
}
