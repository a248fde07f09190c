//! Compiles the cases that must be accepted, all at once, with clippy's pedantic lints.
//!
//! They are programs of small packages: one without a build script, one with `xcore.yaml`, one that has such a file and
//! mounts plugins of a library, one that knows the framework under another name, one of an older edition. The first line of a case says which: `//@ in: configured`,
//! `//@ in: renamed`, `//@ in: older`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The flags with which trybuild compiles: with the same ones, what it has compiled is not compiled again.
const FLAGS: &str = r#"["--cfg", "trybuild", "--verbose", "-A", "dead_code"]"#;

/// The lints that generated code must pass.
const LINTS: &[&str] = &[
    "-Dwarnings",
    "-Ddead_code",
    "-Dmissing_docs",
    "-Dunreachable_pub",
    "-Dmissing_debug_implementations",
    "-Drust_2018_idioms",
    "-Dunused_qualifications",
    "-Dclippy::all",
    "-Dclippy::pedantic",
    "-Dclippy::unwrap_used",
];

const MEMBERS: [&str; 5] = ["plain", "configured", "mounting", "renamed", "older"];

/// The members with a build script, and their `xcore.yaml`.
const CONFIGURED: [(&str, &str); 2] = [("configured", "accepted.yaml"), ("mounting", "mounting.yaml")];

const BUILD_SCRIPT: &str =
    "//! Tells the macros.\nfn main() {\n    xcore_build::compile(\"xcore.yaml\");\n}\n";

/// Fails with the compiler's words when a case has a warning.
pub(crate) fn check(cases: &[PathBuf]) {
    let tests = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    let root = tests.parent().unwrap().to_owned();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tests/trybuild");
    let project = target.join("xcore-ui-accepted");
    write_project(&project, &tests, &root, cases);
    let host = host();
    let output = Command::new(env::var_os("CARGO").unwrap())
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS")
        .arg("clippy")
        .args(["--workspace", "--bins", "--offline", "--keep-going", "--quiet", "--target", &host])
        .arg(format!("--config=build.rustflags={FLAGS}"))
        .arg(format!("--config=target.{host}.rustflags={FLAGS}"))
        .arg("--")
        .args(LINTS)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn write_project(project: &Path, tests: &Path, root: &Path, cases: &[PathBuf]) {
    fs::create_dir_all(project).unwrap();
    let members = format!("[workspace]\nresolver = \"3\"\nmembers = {MEMBERS:?}\n");
    fs::write(project.join("Cargo.toml"), members).unwrap();
    fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    for member in MEMBERS {
        let folder = project.join(member);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("Cargo.toml"), manifest(member, tests, root, cases)).unwrap();
    }
    for (member, yaml) in CONFIGURED {
        let folder = project.join(member);
        fs::write(folder.join("build.rs"), BUILD_SCRIPT).unwrap();
        fs::copy(tests.join("ui/yaml").join(yaml), folder.join("xcore.yaml")).unwrap();
    }
}

fn manifest(member: &str, tests: &Path, root: &Path, cases: &[PathBuf]) -> String {
    let name = if member == "renamed" { "framework" } else { "xcore" };
    let edition = if member == "older" { "2021" } else { "2024" };
    let root = root.display();
    let mut text = format!(
        "[package]\nname = \"accepted-{member}\"\nversion = \"1.2.0\"\nedition = \"{edition}\"\npublish = false\nautobins = false\n\n\
         [features]\nextra = []\nmissing = []\ndefault = [\"extra\"]\n\n\
         [dependencies]\nserde = {{ version = \"1\", features = [\"derive\"] }}\nsea-orm-migration = {{ version = \"2\", default-features = false }}\n\
         {name} = {{ package = \"xcore\", path = \"{root}/xcore\" }}\n"
    );
    if member == "mounting" {
        let _ = writeln!(text, "xcore-tests = {{ path = \"{root}/tests\", default-features = false }}");
    }
    if CONFIGURED.iter().any(|(configured, _)| *configured == member) {
        let _ = write!(text, "\n[build-dependencies]\nxcore-build = {{ path = \"{root}/xcore-build\" }}\n");
    }
    for case in
        cases.iter().filter(|case| super::header(case, "in").unwrap_or_else(|| "plain".to_owned()) == member)
    {
        let name: String = case
            .with_extension("")
            .to_string_lossy()
            .chars()
            .map(|letter| if letter.is_alphanumeric() { letter } else { '_' })
            .collect();
        let path = tests.join(case);
        let _ = write!(text, "\n[[bin]]\nname = \"{name}\"\npath = {path:?}\n");
    }
    text
}

fn host() -> String {
    let output =
        Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}
