//! The whole check, the same at build and at start.

use std::path::Path;

use super::contradictions::check_contradictions;
use super::{
    ApiKey, App, Cache, Config, Database, Jwt, Plan, Plugin, Scheduler, Services, Tenancy, check_keys,
    complete,
};
use crate::problem::Problems;
use crate::settings::Reading;
use crate::yaml::Node;

/// Checks a tree of merged layers. The configuration is `None` when something is wrong (which `problems` then
/// says), or when a variable is not known yet.
pub(crate) fn examine(mut tree: Node, folder: &Path, problems: &mut Problems) -> Option<Config> {
    check_keys(&tree, problems);
    complete(&mut tree, problems);
    // Every section is read before any of them is given up, so that all problems are found.
    let app = App::read(&mut Reading::new(&tree, "app", problems));
    let services = read_services(&tree, problems);
    let tenancy = Tenancy::read(&mut Reading::new(&tree, "tenancy", problems));
    let sources = read_sources(&tree, problems);
    let plans = Plan::read_all(&tree, problems);
    let plugins = Plugin::read_all(&tree, problems);
    check_contradictions(&tree, problems);
    let plugins = plugins?.into_iter().map(|plugin| (plugin.name.clone(), plugin)).collect();
    let (jwt, api_key) = sources?;
    Some(Config {
        app: app?,
        services: services?,
        tenancy: tenancy?,
        jwt,
        api_key,
        plans: plans?,
        plugins,
        folder: folder.to_owned(),
        tree,
    })
}

fn read_sources(tree: &Node, problems: &mut Problems) -> Option<(Option<Jwt>, Option<ApiKey>)> {
    let is_there = |name: &str| tree.find(name).and_then(Node::map).is_some();
    let jwt = is_there("tenancy.jwt").then(|| Jwt::read(&mut Reading::new(tree, "tenancy.jwt", problems)));
    let api_key = is_there("tenancy.api_key")
        .then(|| ApiKey::read(&mut Reading::new(tree, "tenancy.api_key", problems)));
    Some((all_or_none(jwt)?, all_or_none(api_key)?))
}

fn read_services(tree: &Node, problems: &mut Problems) -> Option<Services> {
    let is_there = |name: &str| tree.find("services").and_then(|services| services.find(name)).is_some();
    // An absent service reads as `Some(None)`, a wrong one as `None`.
    let database =
        is_there("database").then(|| Database::read(&mut Reading::new(tree, "services.database", problems)));
    let cache = is_there("cache").then(|| Cache::read(&mut Reading::new(tree, "services.cache", problems)));
    let scheduler = is_there("scheduler")
        .then(|| Scheduler::read(&mut Reading::new(tree, "services.scheduler", problems)));
    Some(Services {
        database: all_or_none(database)?,
        cache: all_or_none(cache)?,
        scheduler: all_or_none(scheduler)?,
    })
}

/// `Some(None)` is a service that is configured and not readable: then there is no configuration.
fn all_or_none<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(Some(service)) => Some(Some(service)),
    }
}
