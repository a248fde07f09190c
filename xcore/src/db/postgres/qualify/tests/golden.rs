//! Situations and what becomes of them, in `cases/*.sql`.
//!
//! A case is a line `# what it shows`, the text, and either `=> ` with the text for the schema `acme` or
//! `!! ` with the reason. `BLESS=1` writes the files anew; read the difference.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::super::analysis::{Analysis, analyse};

/// Both sides of a case.
struct Case {
    title: String,
    text: String,
    expected: String,
}

fn cases(content: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in content.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            cases.push(Case { title: title.to_owned(), text: String::new(), expected: String::new() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if line.starts_with("=> ") || line.starts_with("!! ") {
            case.expected = line.to_owned();
        } else if !case.expected.is_empty() {
            if !line.is_empty() {
                write!(case.expected, "\n{line}").unwrap();
            }
        } else {
            if !case.text.is_empty() {
                case.text.push('\n');
            }
            case.text.push_str(line);
        }
    }
    cases
}

fn outcome(text: &str) -> String {
    match analyse(text) {
        Analysis::Qualified(template) => format!("=> {}", template.fill("acme")),
        Analysis::Switched(reason) => format!("!! {reason}"),
    }
}

/// The folder beside this file, whose name is relative to the package or to the workspace around it.
fn folder() -> PathBuf {
    let beside = Path::new(file!()).with_file_name("cases");
    let mut roots = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    roots.find_map(|root| Some(root.join(&beside)).filter(|folder| folder.is_dir())).unwrap()
}

#[test]
fn every_situation_has_its_outcome() {
    let bless = std::env::var_os("BLESS").is_some();
    let (mut count, mut wrong) = (0, Vec::new());
    for file in std::fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let mut blessed = String::new();
        for case in cases(&std::fs::read_to_string(&path).unwrap()) {
            count += 1;
            let found = outcome(&case.text);
            write!(blessed, "# {}\n{}\n{found}\n\n", case.title, case.text).unwrap();
            if found != case.expected {
                wrong.push(format!(
                    "{}\n{}\n expected {}\n found    {found}\n",
                    case.title, case.text, case.expected
                ));
            }
        }
        if bless {
            std::fs::write(&path, blessed.trim_end().to_owned() + "\n").unwrap();
        }
    }
    assert!(count >= 80, "only {count} cases were found");
    assert!(bless || wrong.is_empty(), "{}", wrong.join("\n"));
}
