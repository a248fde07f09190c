//! `routes` and `schema`: what the binary holds, without starting anything.

use std::collections::BTreeMap;
use std::io::Write;

use xcore_build::config::Config;

use super::failure::Failure;
use crate::http::full_path;
use crate::plugin::{AnyPlugin, Scope, Trigger};

pub(super) fn routes(
    plugins: &[Box<dyn AnyPlugin>],
    config: &Config,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let mut rows: Vec<[String; 5]> = Vec::new();
    for facts in plugins.iter().map(|plugin| plugin.facts()) {
        for spec in facts.actions {
            let verb = if spec.internal { "internal" } else { spec.verb.as_str() };
            rows.push([
                spec.scope.as_str().to_owned(),
                verb.to_owned(),
                full_path(&config.app.prefix, facts.path, spec),
                format!("{}.{}", facts.name, spec.name),
                spec.summary.to_owned(),
            ]);
        }
        for job in facts.jobs {
            let when = match job.trigger {
                Some(Trigger::Cron(expression)) => expression.to_owned(),
                Some(Trigger::Every(period)) => format!("every {period:?}"),
                None => "when asked".to_owned(),
            };
            let name = format!("{}.{}", facts.name, job.name);
            let scope = Scope::Tenant.as_str().to_owned();
            rows.push([scope, "job".to_owned(), when, name, job.summary.to_owned()]);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (scopes, verbs, paths, names) = (width(0), width(1), width(2), width(3));
    for [scope, verb, path, name, summary] in &rows {
        let line = format!("{scope:<scopes$}  {verb:<verbs$}  {path:<paths$}  {name:<names$}  {summary}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

pub(super) fn schema(plugins: &[Box<dyn AnyPlugin>], out: &mut impl Write) -> Result<(), Failure> {
    let sections: BTreeMap<String, serde_json::Value> =
        plugins.iter().map(|plugin| (plugin.facts().name.to_owned(), plugin.config_schema())).collect();
    writeln!(out, "{:#}", xcore_build::json_schema(&sections))?;
    Ok(())
}
