//! What `build.rs` calls: check the configuration, report every problem, write the schema.

mod rust;
mod summary;
mod watch;

use std::path::{Path, PathBuf};

use crate::config::{Config, examine};
use crate::layer::{self, FileList, Variables, find_overlays, interpolate, merge};
use crate::problem::{Problem, Problems};
use crate::schema::Schema;
use crate::yaml::Node;

/// Checks the configuration of the package whose `build.rs` calls this, and hands its schema to the macros.
///
/// `file` is relative to the package's folder. Several files of one folder, `xcore.yaml,plugins.yaml`, are
/// laid over each other. Every overlay beside
/// the first (`xcore.production.yaml` beside `xcore.yaml`) is checked on top of them as well.
///
/// Every problem is printed as `cargo::error=xcore.yaml:LINE:COLUMN ..`, all in one build. The process then
/// still ends well: cargo fails the build because of the errors, and shows nothing but them. A missing file
/// is such a problem and says how to make one.
///
/// Written are `OUT_DIR/xcore_schema.json`, whose path rustc gets as `XCORE_SCHEMA`, and
/// `OUT_DIR/xcore_schema.rs`. A file with problems gives a permissive schema, so that an editor that goes on
/// regardless shows no second error.
#[allow(clippy::print_stdout)] // Cargo reads a build script's standard output.
pub fn compile(file: &str) {
    for line in Compile::new(file).instructions() {
        println!("{line}");
    }
}

/// What [`compile`] does, with every input replaceable.
#[derive(Debug, Clone)]
pub struct Compile {
    file: String,
    package: Option<String>,
    folder: Option<PathBuf>,
    out_dir: Option<PathBuf>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Written {
    /// `xcore_schema.json`
    pub json: PathBuf,
    /// `xcore_schema.rs`, beside it.
    pub rust: PathBuf,
    /// Files and folders after whose change the build script is to run again. All are absolute and exist:
    /// cargo runs a script with any other path again and again.
    pub watched: Vec<PathBuf>,
    /// The schema, as it is in the file.
    pub schema: Schema,
}

impl Compile {
    /// For `file`, and the rest from the variables that cargo sets for a build script.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), package: None, folder: None, out_dir: None }
    }

    /// The package that the schema is stamped with, instead of `CARGO_PKG_NAME`.
    #[must_use]
    pub fn package(mut self, package: impl Into<String>) -> Self {
        self.package = Some(package.into());
        self
    }

    /// The folder that `file` is relative to, instead of `CARGO_MANIFEST_DIR`.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Where to write, instead of `OUT_DIR`.
    #[must_use]
    pub fn out_dir(mut self, out_dir: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(out_dir.into());
        self
    }

    /// Checks, and writes the schema.
    ///
    /// # Errors
    /// All problems of the files. A permissive schema is written even then.
    pub fn write(&self) -> Result<Written, Problems> {
        let (written, problems) = self.run();
        problems.into_result(written)
    }

    /// The lines that a build script prints for cargo: errors, what to watch, and the variable that names the
    /// schema.
    #[must_use]
    pub fn instructions(&self) -> Vec<String> {
        let (written, mut problems) = self.run();
        problems.sort();
        let mut lines = Vec::new();
        for problem in &problems {
            lines.extend(problem.lines().into_iter().map(|line| format!("cargo::error={line}")));
        }
        if let Some(written) = written {
            lines.extend(
                written.watched.iter().map(|path| format!("cargo::rerun-if-changed={}", path.display())),
            );
            lines.push(format!("cargo::rustc-env=XCORE_SCHEMA={}", written.json.display()));
        }
        lines
    }

    fn run(&self) -> (Option<Written>, Problems) {
        let mut problems = Problems::default();
        let written = self.places(&mut problems).and_then(|(package, folder, out_dir)| {
            let tree = self.check(&folder, &mut problems);
            let schema = match tree {
                Some(tree) if problems.is_empty() => summary::summarise(&tree, &package, &self.file),
                _ => Schema::permissive(&package, &self.file),
            };
            let watched = watch::paths(&FileList::new(Path::new(&self.file)), &folder, &out_dir);
            write_files(schema, &out_dir, watched, &mut problems)
        });
        (written, problems)
    }

    fn places(&self, problems: &mut Problems) -> Option<(String, PathBuf, PathBuf)> {
        let mut variable = |given: Option<PathBuf>, name: &str| {
            given.or_else(|| std::env::var_os(name).map(PathBuf::from)).or_else(|| {
                let message =
                    format!("cargo did not set `{name}`; call xcore_build::compile from a build script");
                problems.push(Problem::of_file(&self.file, message));
                None
            })
        };
        let package = variable(self.package.clone().map(PathBuf::from), "CARGO_PKG_NAME");
        let folder = variable(self.folder.clone(), "CARGO_MANIFEST_DIR");
        let out_dir = variable(self.out_dir.clone(), "OUT_DIR");
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Some((package?.to_string_lossy().into_owned(), absolute(folder?), absolute(out_dir?)))
    }

    /// Checks the files by themselves and with each overlay. The tree is that of the files by themselves:
    /// what only an overlay adds is not there in every environment.
    fn check(&self, folder: &Path, problems: &mut Problems) -> Option<Node> {
        let files = FileList::new(Path::new(&self.file));
        let base = files.read(folder, problems);
        let first = files.first().unwrap_or(Path::new("")).to_owned();
        let mut checked = base.clone();
        if let Some(tree) = &mut checked {
            interpolate(tree, "", Variables::Unknown, problems);
            examine(tree.clone(), &Config::folder_of(&first), problems);
        }
        for (_, path) in find_overlays(&folder.join(&first)) {
            let name = first.with_file_name(path.file_name().unwrap_or_default()).display().to_string();
            let overlay = layer::read(&path, &name, problems);
            if let (Some(mut tree), Some(overlay)) = (base.clone(), overlay) {
                merge(&mut tree, overlay);
                interpolate(&mut tree, "", Variables::Unknown, problems);
                examine(tree, &Config::folder_of(&first), problems);
            }
        }
        checked
    }
}

fn write_files(
    schema: Schema,
    out_dir: &Path,
    watched: Vec<PathBuf>,
    problems: &mut Problems,
) -> Option<Written> {
    let (json, rust) = (out_dir.join("xcore_schema.json"), out_dir.join("xcore_schema.rs"));
    let text = match schema.to_json() {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::of_file(json.display().to_string(), error.to_string()));
            return None;
        }
    };
    for (path, text) in [(&json, text), (&rust, rust::emit(&schema))] {
        if let Err(error) = std::fs::write(path, text) {
            problems.push(Problem::of_file(
                path.display().to_string(),
                format!("cannot write the schema: {error}"),
            ));
            return None;
        }
    }
    Some(Written { json, rust, watched, schema })
}
