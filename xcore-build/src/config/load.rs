//! Loading at start: files, overlay, environment, variables, checks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Config, examine};
use crate::layer::{
    self, FileList, Variables, apply_overrides, find_overlays, interpolate, is_environment, merge,
    overlay_path,
};
use crate::problem::{Problem, Problems};
use crate::suggest;
use crate::yaml::Node;

/// What to load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// The configuration file. Several of one folder, `conf/xcore.yaml,plugins.yaml`, are laid over each
    /// other, the later over the earlier.
    pub file: PathBuf,
    /// The environment whose overlay is laid over the file: `production` for `xcore.production.yaml`. It must
    /// exist when it is named.
    pub overlay: Option<String>,
    /// The environment variables, for `${VAR}` and for overrides.
    pub env: BTreeMap<String, String>,
}

/// A configuration and where it came from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What was read, lowest layer first: files, the overlay, and the names of variables that override keys.
    pub sources: Vec<String>,
    /// The environment whose overlay was asked for, `production` for example.
    pub environment: Option<String>,
}

impl Loaded {
    /// Whether the environment says that real customers are served: `prod`, `production`, or a name that begins so.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.environment.as_deref().is_some_and(|name| name.to_ascii_lowercase().starts_with("prod"))
    }
}

impl LoadOptions {
    /// The file with this process's environment; `XCORE_ENV`, when it is set and not empty, chooses the
    /// overlay.
    ///
    /// Variables that are not UTF-8 are left out, and so reported as not set where a value needs them.
    #[must_use]
    pub fn from_environment(file: impl Into<PathBuf>) -> Self {
        Self::from_variables(file, std::env::vars_os())
    }

    fn from_variables(
        file: impl Into<PathBuf>,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let env: BTreeMap<String, String> = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let overlay = env.get("XCORE_ENV").filter(|name| !name.is_empty()).cloned();
        Self { file: file.into(), overlay, env }
    }
}

impl Config {
    /// Loads, layers and checks a configuration.
    ///
    /// The layers, each over the one before: defaults, the files, the overlay, `XCORE__SECTION__KEY`
    /// variables. Then `${VAR}` is resolved in what the files say, and everything is checked with the same
    /// code that checked it at build.
    ///
    /// # Errors
    /// Everything that is wrong, at once: unreadable files, unknown keys, wrong types, unset variables,
    /// contradictions.
    pub fn load(options: &LoadOptions) -> Result<Loaded, Problems> {
        let mut problems = Problems::default();
        let files = FileList::new(&options.file);
        let tree = files.read(Path::new(""), &mut problems);
        let mut sources: Vec<String> = files.paths().iter().map(|path| path.display().to_string()).collect();
        let first = files.first().map(Path::to_owned).unwrap_or_default();
        let overlay =
            options.overlay.as_deref().map(|name| read_overlay(&first, name, &mut sources, &mut problems));
        let Some(mut tree) = tree else { return problems.into_result(None) };
        if let Some(Some(overlay)) = overlay {
            merge(&mut tree, overlay);
        }
        sources.extend(options.env.keys().filter(|name| name.starts_with(layer::PREFIX)).cloned());
        let config = finish(tree, &options.env, &Self::folder_of(&first), &mut problems);
        let environment = options.overlay.clone();
        problems.into_result(config.map(|config| Loaded { config, sources, environment }))
    }

    /// Checks a text as if it were `xcore.yaml` in `folder`, for tests and tools. `env` as in
    /// [`LoadOptions`].
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(text: &str, folder: &Path, env: &BTreeMap<String, String>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let tree = layer::from_text("xcore.yaml", text, &mut problems);
        let config = tree.and_then(|tree| finish(tree, env, folder, &mut problems));
        problems.into_result(config)
    }
}

fn finish(
    mut tree: Node,
    env: &BTreeMap<String, String>,
    folder: &Path,
    problems: &mut Problems,
) -> Option<Config> {
    apply_overrides(&mut tree, env, problems);
    interpolate(&mut tree, "", Variables::Known(env), problems);
    examine(tree, folder, problems)
}

fn read_overlay(
    file: &Path,
    environment: &str,
    sources: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Node> {
    if !is_environment(environment) {
        let message =
            format!("`{environment}` is no name of an environment: use letters, digits, `_` and `-`");
        problems.push(Problem::of_file("environment variable XCORE_ENV", message));
        return None;
    }
    let path = overlay_path(file, environment);
    let name = path.display().to_string();
    if path.exists() {
        sources.push(name.clone());
        return layer::read(&path, &name, problems);
    }
    let there = find_overlays(file);
    let names = || there.iter().map(|(name, _)| name.as_str());
    let message = format!("the environment is `{environment}`, and there is no {name}");
    let help = match suggest::nearest(environment, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if there.is_empty() => format!("unset XCORE_ENV, or make {name} (it may be empty)"),
        None => format!(
            "there are overlays for {}; an empty {name} says that nothing differs",
            suggest::list(names())
        ),
    };
    problems.push(Problem::of_file("environment variable XCORE_ENV", message).help(help));
    None
}
