//! Which files a configuration has.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::problem::{Problem, Problems};
use crate::source::Source;
use crate::yaml::{self, Node};

/// The files of a configuration, the later ones laid over the earlier. They lie in one folder and are written
/// as one path whose last part has their names, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileList(Vec<PathBuf>);

impl FileList {
    /// `conf/xcore.yaml`, or `conf/xcore.yaml,plugins.yaml`. A folder may have a comma in its name.
    pub(crate) fn new(path: &Path) -> Self {
        match path.file_name().and_then(|names| names.to_str()) {
            Some(names) if names.contains(',') => {
                let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
                Self(names.map(|name| path.with_file_name(name)).collect())
            }
            _ if path.as_os_str().is_empty() => Self(Vec::new()),
            _ => Self(vec![path.to_owned()]),
        }
    }

    /// The file that overlays lie beside.
    pub(crate) fn first(&self) -> Option<&Path> {
        self.0.first().map(PathBuf::as_path)
    }

    /// Reads and merges all files, relative ones below `folder`. `None` when one of them is no YAML or not
    /// there.
    pub(crate) fn read(&self, folder: &Path, problems: &mut Problems) -> Option<Node> {
        if self.0.is_empty() {
            problems.push(
                Problem::of_file("xcore.yaml", "no configuration file is named")
                    .help("for example `xcore.yaml`"),
            );
            return None;
        }
        let mut nodes = Vec::new();
        for file in &self.0 {
            // All are read before any failure ends this, so that the problems of all are seen.
            nodes.push(read(&folder.join(file), &file.display().to_string(), problems));
        }
        nodes.into_iter().collect::<Option<Vec<_>>>()?.into_iter().reduce(|mut lower, upper| {
            super::merge(&mut lower, upper);
            lower
        })
    }

    pub(crate) fn paths(&self) -> &[PathBuf] {
        &self.0
    }
}

/// Reads one file; `name` is what problems call it.
pub(crate) fn read(path: &Path, name: &str, problems: &mut Problems) -> Option<Node> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            problems.push(missing(name));
            return None;
        }
        Err(error) => {
            problems.push(Problem::of_file(name, format!("cannot read this file: {error}")));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => yaml::parse(&Source::file(name, text), problems),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            let mut problem = Problem::of_file(name, "this line is not UTF-8").help("save the file as UTF-8");
            problem.line = u32::try_from(line).unwrap_or(u32::MAX);
            problem.column = 1;
            problems.push(problem);
            None
        }
    }
}

fn missing(name: &str) -> Problem {
    let help = format!(
        "make {name} with these lines\napp:\n  name: my-app\nservices:\n  database: {{ url: \"sqlite://data\" }}\n  cache: {{}}\n  scheduler: {{}}\nplugins: {{}}\n"
    );
    Problem::of_file(name, "there is no such file").help(help.trim_end())
}

/// `xcore.production.yaml` for `xcore.yaml` and `production`.
pub(crate) fn overlay_path(file: &Path, environment: &str) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let extension = file.extension().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}.{environment}.{extension}"))
}

/// Whether a name may stand for an environment. It becomes part of a file name, so it holds no separator.
pub(crate) fn is_environment(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// The overlays beside a file, by environment, in the order of their names.
pub(crate) fn find_overlays(file: &Path) -> Vec<(String, PathBuf)> {
    let (Some(stem), Some(extension)) =
        (file.file_stem().and_then(|s| s.to_str()), file.extension().and_then(|s| s.to_str()))
    else {
        return Vec::new();
    };
    let folder = crate::config::Config::folder_of(file);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut overlays: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let middle =
                name.strip_prefix(stem)?.strip_prefix('.')?.strip_suffix(extension)?.strip_suffix('.')?;
            is_environment(middle).then(|| (middle.to_owned(), file.with_file_name(&name)))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    overlays.sort();
    overlays
}

/// A source for what a program hands over instead of a file.
pub(crate) fn from_text(name: &str, text: &str, problems: &mut Problems) -> Option<Node> {
    yaml::parse(&Arc::new(Source::File { name: name.to_owned(), text: text.to_owned() }), problems)
}
