//! Reading, checking, layering and writing of `xcore.yaml`.
#![allow(clippy::unwrap_used)] // a failed step is a failed test

mod build;
mod effective;
mod layers;
mod messages;
mod plugin_config;
mod random;

use std::collections::BTreeMap;
use std::path::Path;

use xcore_build::Problems;
use xcore_build::config::Config;

/// Environment variables.
fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Checks a text with an environment.
fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    Config::from_text(text, Path::new("/srv"), &env(variables))
}

/// The messages about a text, which must have problems.
#[track_caller]
fn problems(text: &str, variables: &[(&str, &str)]) -> String {
    match read(text, variables) {
        Ok(_) => panic!("this must not be accepted:\n{text}"),
        Err(problems) => problems.to_string(),
    }
}

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}
