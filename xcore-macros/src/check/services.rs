//! `services(db, cache, scheduler, central)`

use proc_macro2::{Ident, Span};
use xcore_build::schema::Schema;

use crate::sink::Sink;
use crate::suggest;

/// What a plugin can declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Db,
    Cache,
    Scheduler,
    Central,
}

const NAMES: [&str; 4] = ["db", "cache", "scheduler", "central"];

/// Words that people try, and the service they mean.
const SYNONYMS: &[(&str, &str)] = &[
    ("database", "db"),
    ("sql", "db"),
    ("sqlite", "db"),
    ("postgres", "db"),
    ("redis", "cache"),
    ("cron", "scheduler"),
    ("jobs", "scheduler"),
    ("timer", "scheduler"),
    ("shared", "central"),
    ("global", "central"),
];

impl Service {
    pub(crate) const ALL: [Self; 4] = [Self::Db, Self::Cache, Self::Scheduler, Self::Central];

    /// As the user writes it, and as the field of the context is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Db => "db",
            Self::Cache => "cache",
            Self::Scheduler => "scheduler",
            Self::Central => "central",
        }
    }

    /// The variant of `ServiceName`, and the marker type in `services`.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Self::Db => "Db",
            Self::Cache => "Cache",
            Self::Scheduler => "Scheduler",
            Self::Central => "Central",
        }
    }

    /// The part of `xcore.yaml` that provides it, and an example of it.
    fn section(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Db => Some(("services.database", "database: { url: sqlite://data }")),
            Self::Cache => Some(("services.cache", "cache: { backend: memory }")),
            Self::Scheduler => Some(("services.scheduler", "scheduler: { timezone: UTC }")),
            Self::Central => None,
        }
    }

    fn is_configured(self, schema: &Schema) -> bool {
        match self {
            Self::Db => schema.services.database.is_some(),
            Self::Cache => schema.services.cache.is_some(),
            Self::Scheduler => schema.services.scheduler.is_some(),
            Self::Central => true,
        }
    }
}

/// A service that a plugin declares.
pub(crate) struct Declared {
    pub(crate) service: Service,
    pub(crate) ident: Ident,
    /// Whether `app!` still has to prove it. One that is reported here is not reported again there.
    pub(crate) to_prove: bool,
}

/// The services of a plugin. An unknown or repeated one is left out.
///
/// ui: plugin/fail/service_misspelt, plugin/fail/service_twice
pub(crate) fn check_services(names: &[Ident], sink: &mut Sink) -> Vec<Declared> {
    let mut declared: Vec<Declared> = Vec::new();
    for ident in names {
        let Some(service) = known(ident, sink) else { continue };
        if declared.iter().any(|earlier| earlier.service == service) {
            sink.error(ident, format!("service `{ident}` is declared twice\nhelp: remove one"));
            continue;
        }
        declared.push(Declared { service, ident: ident.clone(), to_prove: true });
    }
    declared
}

/// Adds the services that are not declared, for a plugin whose declaration is in error: the one that it uses may be
/// the one that is misspelt, and its use is no second error.
pub(crate) fn declare_the_rest(declared: &mut Vec<Declared>) {
    for service in Service::ALL {
        if !declared.iter().any(|earlier| earlier.service == service) {
            let ident = Ident::new(service.name(), Span::call_site());
            declared.push(Declared { service, ident, to_prove: false });
        }
    }
}

fn known(ident: &Ident, sink: &mut Sink) -> Option<Service> {
    let text = ident.to_string();
    let found = Service::ALL.into_iter().find(|service| service.name() == text);
    if found.is_none() {
        let help = match SYNONYMS.iter().find(|(word, _)| *word == text.to_lowercase()) {
            Some((_, meant)) => format!("help: did you mean `{meant}`?"),
            None => suggest::help(&text, &NAMES),
        };
        sink.error(ident, format!("there is no service `{text}`\n{help}"));
    }
    found
}

/// Services that `xcore.yaml` does not configure or grant, at the name of the service.
///
/// Only when the file is this package's own. A plugin in a library crate is proved by the app that mounts it.
///
/// ui: plugin/fail/service_not_configured, plugin/fail/central_not_granted
pub(crate) fn check_provided(
    declared: &mut [Declared],
    plugin: &str,
    schema: Option<&Schema>,
    sink: &mut Sink,
) {
    let Some(schema) = schema else { return };
    let file = &schema.file;
    for Declared { service, ident, to_prove } in declared.iter_mut().filter(|one| one.to_prove) {
        if let Some((section, example)) = service.section()
            && !service.is_configured(schema)
        {
            *to_prove = false;
            sink.error(
                &*ident,
                format!(
                    "service `{ident}` is not configured: {file} has no `{section}`\nhelp: add it:\n\n    services:\n      {example}"
                ),
            );
        }
        if *service == Service::Central
            && let Some(entry) = schema.plugins.get(plugin)
            && !entry.grants.iter().any(|grant| grant == "central")
        {
            *to_prove = false;
            sink.error(
                &*ident,
                format!(
                    "plugin `{plugin}` is not granted `central`, which reaches beyond its tenant\nhelp: grant it at {file}:{}:{}:\n\n    plugins:\n      {plugin}: {{ grants: [central] }}",
                    entry.place.line, entry.place.column
                ),
            );
        }
    }
}
