//! What an operator reads: `messages/SITUATION.yaml` gives `messages/SITUATION.txt`.
//!
//! A first line `# env: NAME=value NAME=value` sets variables. `XCORE_BLESS=1` writes the texts anew; read
//! them as someone who is tired and did not write the file.

use std::path::Path;

use crate::read;

#[test]
fn every_mistake_is_explained_at_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/messages");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() > 25, "the situations were not found");
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let variables: Vec<(&str, &str)> = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# env: "))
            .map(|line| line.split(' ').map(|pair| pair.split_once('=').unwrap()).collect())
            .unwrap_or_default();
        let found = match read(&text, &variables) {
            Ok(_) => "no problem\n".to_owned(),
            Err(problems) => format!("{problems}\n"),
        };
        let golden = file.with_extension("txt");
        if std::env::var_os("XCORE_BLESS").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        if std::fs::read_to_string(&golden).unwrap_or_default() != found {
            wrong.push(format!("{}:\n{found}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "messages differ:\n{}", wrong.join("\n"));
}
