//! Archives that are not as they were written, or were made to deceive.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use xcore::app::{ArchiveError, TenantError};

use crate::sqlite::ROWS;
use crate::stage::{Contents, Stage, id};

/// What a forger does to a manifest.
type Alter = Box<dyn FnOnce(&mut Value)>;

fn case(
    what: &'static str,
    alter: impl FnOnce(&mut Value) + 'static,
    said: &'static str,
) -> (&'static str, Alter, &'static str) {
    (what, Box::new(alter), said)
}

/// Something is refused before anything was made.
async fn is_refused(stage: &Stage, file: &Path, why: &str) -> TenantError {
    let before = (stage.names().await, files(stage));
    let refused = stage.import(file, "victim").await.expect_err(why);
    assert_eq!((stage.names().await, files(stage)), before, "{why}: something was left");
    refused
}

fn files(stage: &Stage) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(stage.file("data/tenants")).unwrap().flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "db"));
    files.sort();
    files
}

/// Members of an archive, in order.
#[derive(Clone)]
struct Members(Vec<(String, Vec<u8>)>);

impl Members {
    fn of(file: &Path) -> Self {
        let mut archive = tar::Archive::new(std::fs::File::open(file).unwrap());
        let read = |entry: std::io::Result<tar::Entry<'_, std::fs::File>>| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            (name, bytes)
        };
        Self(archive.entries().unwrap().map(read).collect())
    }

    fn get(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.0.iter_mut().find(|(other, _)| other == name).unwrap().1
    }

    /// With a manifest that says what there is, as somebody who knows the format can write it.
    fn vouch(mut self, alter: impl FnOnce(&mut Value)) -> Self {
        let mut manifest: Value = serde_json::from_slice(self.get("manifest.json")).unwrap();
        let hex =
            |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let members = self.0.iter().filter(|(name, _)| !name.starts_with("manifest."));
        let members =
            members.map(|(name, bytes)| json!({ "name": name, "size": bytes.len(), "sha256": hex(bytes) }));
        manifest["members"] = members.collect();
        alter(&mut manifest);
        let text = serde_json::to_vec(&manifest).unwrap();
        *self.get("manifest.sha256") = format!("{}\n", hex(&text)).into_bytes();
        *self.get("manifest.json") = text;
        self
    }

    fn write(&self, file: &Path) {
        let mut tar = tar::Builder::new(std::fs::File::create(file).unwrap());
        for (name, bytes) in &self.0 {
            let mut header = tar::Header::new_ustar();
            // As bytes: the library refuses names that lead out of a folder.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            header.set_cksum();
            tar.append(&header, bytes.as_slice()).unwrap();
        }
        tar.into_inner().unwrap();
    }
}

async fn exported() -> (Stage, PathBuf, Contents) {
    let stage = Stage::sqlite().await;
    stage.run("acme", ROWS).await;
    let (file, contents) = (stage.export("acme").await, stage.contents("acme").await);
    (stage, file, contents)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_bytes_are_flipped_what_is_imported_is_what_was_exported() {
    let (stage, file, acme) = exported().await;
    let bytes = std::fs::read(&file).unwrap();
    // Marsaglia's xorshift: any spread of numbers will do, the same in each run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below).unwrap()).unwrap()
    };
    let (mut refused, mut taken) = (0, 0);
    let target = stage.file("flipped.tar");
    for number in 0..400 {
        let mut flipped = bytes.clone();
        for _ in 0..=number % 3 {
            let place = random(flipped.len());
            flipped[place] ^= 1 << random(8);
        }
        std::fs::write(&target, &flipped).unwrap();
        match stage.import(&target, "victim").await {
            Ok(_) => {
                // What fills up a block, or a time that nobody reads.
                assert_eq!(stage.contents("victim").await, acme, "flip {number}");
                stage.app.tenants().purge(&id("victim")).await.unwrap();
                taken += 1;
            }
            Err(problem) => {
                assert!(matches!(problem, TenantError::Archive { .. }), "{problem:?}");
                assert!(!stage.names().await.contains(&"victim".to_owned()), "flip {number}: {problem}");
                refused += 1;
            }
        }
    }
    assert!(refused > 100, "{refused} refused, {taken} taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_member_is_checked_and_a_part_is_no_archive() {
    let (stage, file, _) = exported().await;
    let whole = Members::of(&file);
    let target = stage.file("wrong.tar");
    for (name, _) in &whole.0 {
        for change in 0..3 {
            let mut wrong = whole.clone();
            let bytes = wrong.get(name);
            match change {
                0 => *bytes.last_mut().unwrap() ^= 1,
                1 => drop(bytes.pop()),
                _ => bytes.push(b'x'),
            }
            wrong.write(&target);
            let refused = is_refused(&stage, &target, name).await;
            let is_clear = matches!(
                &refused,
                TenantError::Archive {
                    source: ArchiveError::Damaged { .. }
                        | ArchiveError::NotAnArchive { .. }
                        | ArchiveError::Format { .. }
                }
            );
            assert!(is_clear, "{name}: {refused:?}");
        }
        let mut without = whole.clone();
        without.0.retain(|(other, _)| other != name);
        without.write(&target);
        is_refused(&stage, &target, &format!("without {name}")).await;
        let mut twice = whole.clone();
        let again = twice.0.iter().find(|(other, _)| other == name).unwrap().clone();
        twice.0.push(again);
        twice.write(&target);
        is_refused(&stage, &target, &format!("{name} twice")).await;
    }
    let bytes = std::fs::read(&file).unwrap();
    // The end of a tar is 1024 bytes without meaning.
    for length in [0, 1, 511, 512, 600, bytes.len() / 2, bytes.len() - 1025, bytes.len() - 2000] {
        std::fs::write(&target, &bytes[..length]).unwrap();
        is_refused(&stage, &target, &format!("{length} bytes")).await;
    }
    std::fs::write(&target, "not a tar, but long enough to look like one ".repeat(100)).unwrap();
    let refused = is_refused(&stage, &target, "text").await;
    assert!(refused.to_string().contains("is no archive of a tenant"), "{refused}");
    is_refused(&stage, &stage.file("nowhere.tar"), "no file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_was_made_to_deceive_is_refused() {
    let (stage, file, acme) = exported().await;
    let whole = Members::of(&file);
    let target = stage.file("hostile.tar");
    // The forger's tools make what is taken, when nothing is wrong.
    whole.clone().vouch(|_| {}).write(&target);
    stage.import(&target, "victim").await.unwrap();
    assert_eq!(stage.contents("victim").await, acme);
    stage.app.tenants().purge(&id("victim")).await.unwrap();

    let tables = |manifest: &mut Value| manifest["tables"].as_array_mut().unwrap().len();
    let table = |alter: fn(&mut Value)| -> Alter {
        Box::new(move |manifest| {
            let all = manifest["tables"].as_array_mut().unwrap();
            alter(all.iter_mut().find(|table| table["table"]["name"] == "strict").unwrap());
        })
    };
    let cases: Vec<(&str, Alter, &str)> = vec![
        case("a later format", |m| m["format"] = json!(2), "another format"),
        case("a key that nobody knows", |m| m["more"] = json!(1), "unknown field"),
        case("another number of rows", table(|t| t["rows"] = json!(5)), "5 rows, of which 4 arrived"),
        case("fewer members", table(|t| t["members"] = json!(0)), "more or fewer members"),
        case("members without end", table(|t| t["members"] = json!(u64::MAX)), "more or fewer members"),
        case(
            "another table",
            table(|t| t["table"]["name"] = json!("stolen")),
            "migrations of this program do not make",
        ),
        case(
            "SQL as a name",
            table(|t| t["table"]["name"] = json!("strict; DROP TABLE wide")),
            "do not make",
        ),
        case(
            "a table of the framework",
            table(|t| t["table"]["name"] = json!("xcore_migrations_notes")),
            "do not make",
        ),
        case("a table of SQLite", table(|t| t["table"]["name"] = json!("sqlite_schema")), "do not make"),
        case(
            "a column twice",
            table(|t| t["table"]["columns"] = json!(["id", "id"])),
            "has the columns id, id",
        ),
        case(
            "another column",
            table(|t| t["table"]["columns"] = json!(["id", "value) VALUES (1, 2) --"])),
            "has the columns",
        ),
        case(
            "columns that change places",
            table(|t| t["table"]["columns"] = json!(["value", "id"])),
            "do not fit",
        ),
        case(
            "a table less",
            |m| m["tables"].as_array_mut().unwrap().retain(|t| t["rows"] != 0),
            "lacks the table",
        ),
        case(
            "a sequence of a table without one",
            |m| m["sequences"] = json!([{"name": "nothing", "last": 1, "called": true}]),
            "counts",
        ),
        case(
            "a later migration",
            |m| m["migrations"]["notes"].as_array_mut().unwrap().push(json!("m9999_later")),
            "m9999_later",
        ),
        case("another plugin", |m| m["migrations"]["ledger"] = json!(["m0001"]), "ledger"),
        case("no migrations", |m| m["migrations"] = json!({}), "do not make"),
        case(
            "a name that leads elsewhere",
            |m| m["members"][3]["name"] = json!("../../etc/passwd"),
            "none of an archive",
        ),
    ];
    assert!(tables(&mut serde_json::from_slice(whole.clone().get("manifest.json")).unwrap()) > 5);
    for (what, alter, said) in cases {
        whole.clone().vouch(alter).write(&target);
        let refused = is_refused(&stage, &target, what).await;
        let text = chain(&refused);
        assert!(text.contains(said), "{what}: {text}");
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_and_rows_that_no_export_writes_are_refused() {
    let (stage, file, _) = exported().await;
    let whole = Members::of(&file);
    let target = stage.file("hostile.tar");
    let outside = stage.file("outside");
    for name in [outside.to_str().unwrap(), "../outside", "rows/../format", "rows/000099", "rows/000001\n"] {
        let mut wrong = whole.clone();
        wrong.0[3].0 = name.to_owned();
        wrong.vouch(|_| {}).write(&target);
        is_refused(&stage, &target, name).await;
    }
    assert!(!outside.exists());
    for format in ["2", "x", "", "1 1"] {
        let mut wrong = whole.clone();
        *wrong.get("format") = format!("xcore tenant archive {format}\n").into_bytes();
        wrong.vouch(|_| {}).write(&target);
        let refused = is_refused(&stage, &target, format).await;
        assert!(refused.to_string().contains("reads format 1"), "{refused}");
    }
    // A link, and a head that promises more than there is.
    for (kind, size) in [
        (tar::EntryType::Symlink, 0),
        (tar::EntryType::GNULongName, 0),
        (tar::EntryType::Regular, u64::MAX / 2),
    ] {
        let mut bytes = std::fs::read(&file).unwrap();
        let header = tar::Header::from_byte_slice(&bytes[1024..1536]).clone();
        let mut header = header;
        header.set_entry_type(kind);
        if size > 0 {
            header.set_size(size);
        }
        header.set_cksum();
        bytes[1024..1536].copy_from_slice(header.as_bytes());
        std::fs::write(&target, bytes).unwrap();
        is_refused(&stage, &target, &format!("{kind:?}")).await;
    }
    // Rows that are cut off, of no class, or name a row that is not there; profile and jobs that cannot be had here.
    let count = whole.0.iter().filter(|(name, _)| name.starts_with("rows/")).count();
    for number in 1..=count {
        for bytes in [b"I\0".as_slice(), b"X", b"T\xff\xff\xff\xff", b"T\x01\0\0\0\xff"] {
            let mut wrong = whole.clone();
            wrong.get(&format!("rows/{number:06}")).extend_from_slice(bytes);
            wrong.vouch(|_| {}).write(&target);
            is_refused(&stage, &target, &format!("{bytes:?} in rows of table {number}")).await;
        }
    }
    let mut orphan = whole.clone();
    let eggs = orphan
        .0
        .iter_mut()
        .find(|(name, bytes)| name.starts_with("rows/") && bytes.len() == 36 && bytes[9] == b'I')
        .unwrap();
    eggs.1[10] = 99;
    orphan.vouch(|_| {}).write(&target);
    let refused = chain(&is_refused(&stage, &target, "an orphan").await);
    assert!(refused.contains("that is not there"), "{refused}");
    let jobs = json!([{ "id": "x", "call": { "plugin": "notes", "job": "nothing" }, "schedule": { "every_millis": 5000 }, "paused": false }]);
    for (member, text, why) in [
        ("jobs.json", jobs.to_string(), "notes.nothing"),
        ("jobs.json", jobs.to_string().replace("nothing", "tally").replace("5000", "1"), "every 1ms"),
        (
            "profile.json",
            json!({ "plan": null, "metadata": { "x": "x".repeat(20_000) }, "settings": {} }).to_string(),
            "at most",
        ),
        ("profile.json", "{}".to_owned(), "profile.json"),
    ] {
        let mut wrong = whole.clone();
        *wrong.get(member) = text.into_bytes();
        wrong.vouch(|_| {}).write(&target);
        let refused = chain(&is_refused(&stage, &target, why).await);
        assert!(refused.contains(why), "{refused}");
    }
}
