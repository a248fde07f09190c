//! Holds the reading of SQL text against what SQLite itself does with it.

use sqlx::{AssertSqlSafe, Connection, Executor, Row, SqliteConnection};

use super::{Verdict, judge};

fn writes(text: &str) -> bool {
    judge(text).unwrap().writes
}

#[test]
fn reading_and_writing_are_told_apart() {
    for text in [
        "SELECT 1",
        " values (1)",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "EXPLAIN QUERY PLAN SELECT 1",
        "",
        "-- nothing",
        ";;",
    ] {
        assert_eq!(judge(text), Ok(Verdict::default()), "{text}");
    }
    for text in [
        "INSERT INTO a VALUES (1)",
        "with a as (select 1) insert into b select * from a",
        "WITH a AS (SELECT 1) DELETE FROM b",
        "SELECT 1; UPDATE a SET b = 1",
        "replace into a values (1)",
    ] {
        assert!(writes(text), "{text}");
    }
}

#[test]
fn a_change_of_tables_or_session_is_seen() {
    for text in ["CREATE TABLE a (b)", "drop table a", "ALTER TABLE a ADD b", "VACUUM", "REINDEX", "ANALYZE"]
    {
        let verdict = judge(text).unwrap();
        assert!(verdict.schema && !verdict.session, "{text}");
    }
    for text in [
        "CREATE TEMP TABLE a (b)",
        "create temporary view a as select 1",
        "CREATE TABLE temp.a (b)",
        "CREATE TABLE \"TEMP\".a (b)",
        "CREATE TABLE [temp].a (b)",
        "CREATE TABLE 'temp' . a (b)",
        "CREATE VIRTUAL TABLE temp.a USING fts5(b)",
        "PRAGMA foreign_keys = OFF",
        "pragma main.user_version(3)",
        "BEGIN",
        "SAVEPOINT a",
        "SELECT 1; COMMIT",
    ] {
        assert!(judge(text).unwrap().session, "{text}");
    }
    assert_eq!(judge("PRAGMA table_info(a)"), Ok(Verdict::default()));
    assert_eq!(judge("PRAGMA shared.table_info('a')"), Ok(Verdict::default()));
}

#[test]
fn a_trigger_ends_where_its_end_is() {
    let trigger =
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM b; END";
    assert!(!judge(trigger).unwrap().transaction);
    assert!(judge(&format!("{trigger}; END")).unwrap().transaction);
    assert!(judge(&format!("{trigger}; SELECT 1; COMMIT;")).unwrap().transaction);
    assert!(judge("CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; ").unwrap().session);
    assert!(judge("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; ATTACH 'x' AS y; END").is_err());
}

#[test]
fn text_that_reaches_beyond_the_file_is_refused() {
    for text in [
        "ATTACH DATABASE 'globex.db' AS other",
        "attach 'x' as y",
        "  \t\r\n\u{c}AtTaCh 'x' AS y",
        "/* a */ATTACH/**/'x'/**/AS/**/y",
        "-- a\nATTACH 'x' AS y",
        "/* -- */ -- /*\nATTACH 'x' AS y",
        "SELECT 1; ATTACH 'x' AS y",
        "SELECT ';'; ATTACH 'x' AS y",
        "SELECT 'it''s; '; ATTACH 'x' AS y",
        "SELECT \"a;\"; ATTACH 'x' AS y",
        "SELECT [a;'] FROM b; ATTACH 'x' AS y",
        "SELECT `a;'`; ATTACH 'x' AS y",
        "SELECT x'00'; ATTACH 'x' AS y",
        "SELECT $a(';'); ATTACH 'x' AS y",
        ";;ATTACH 'x' AS y",
        "\u{feff}ATTACH 'x' AS y",
        // The driver trims what SQLite takes for a name.
        "\u{3000}ATTACH 'x' AS y",
        "\u{a0}ATTACH 'x' AS y",
        "EXPLAIN ATTACH 'x' AS y",
        "EXPLAIN QUERY PLAN ATTACH 'x' AS y",
        "DETACH shared",
        "VACUUM INTO 'copy.db'",
        "VACUUM main/**/into 'copy.db'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA main.\"journal_mode\" = DELETE",
        "PRAGMA/**/locking_mode=EXCLUSIVE",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA hard_heap_limit = 1",
        "PRAGMA writable_schema = 1",
        "PRAGMA schema_version = 1",
        "PRAGMA synchronous = OFF",
        "PRAGMA nobody_knows",
        "PRAGMA",
        "SELECT 1\0; ATTACH 'x' AS y",
        "WHATEVER",
        "'ATTACH'",
        "(SELECT 1)",
    ] {
        assert!(judge(text).is_err(), "{text:?} must be refused");
    }
}

#[test]
fn words_in_strings_names_and_comments_are_no_statements() {
    for text in [
        "SELECT 'ATTACH ''x'' AS y; ATTACH'",
        "SELECT \"attach\" FROM \"detach\"",
        "SELECT 1 -- ; ATTACH 'x' AS y",
        "SELECT 1 /* ; ATTACH 'x' AS y; */",
        "SELECT 1 AS attach",
        "SELECT * FROM shared.products WHERE note = 'PRAGMA'",
        "SELECT ':'",
    ] {
        assert_eq!(judge(text), Ok(Verdict::default()), "{text}");
    }
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Whatever hides an ATTACH from us but not from SQLite shows here: pieces that open and close quotes and comments are
/// thrown together, SQLite runs the text, and a database that got attached must have been refused.
#[tokio::test]
async fn whatever_sqlite_runs_we_have_read_the_same_way() {
    const PIECES: [&str; 52] = [
        "ATTACH ':memory:' AS evil",
        "ATTACH ':memory:' AS evil;",
        ";",
        ";",
        ";",
        "SELECT 1",
        "SELECT ",
        "'",
        "''",
        "\"",
        "`",
        "[",
        "]",
        "--",
        "\n",
        "/*",
        "*/",
        "/",
        "*",
        " ",
        "x'",
        "X'41'",
        "$a(",
        ")",
        "$a::b",
        ":a",
        "@a",
        "#1",
        "?1",
        "?",
        "1.",
        "1.e5",
        "0x1",
        ".5",
        "a",
        "\u{feff}",
        "\u{a0}",
        "\u{b}",
        "\u{c}",
        "é",
        "->",
        "->>",
        "-",
        "||",
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
        "END",
        "EXPLAIN ",
        "WITH b AS (SELECT 1) ",
        "VALUES (1)",
        "1_000",
        "1e+5",
        ",",
    ];
    let mut attached = 0;
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut database = fresh().await;
    for _ in 0..25_000 {
        let mut text = String::new();
        for _ in 0..=dice.roll(9) {
            text.push_str(PIECES[dice.roll(PIECES.len())]);
        }
        let judged = judge(&text);
        // The outcome does not matter: parts of a text run before an error.
        let _ = database.execute(AssertSqlSafe(text.clone())).await;
        let rows = database.fetch_all("PRAGMA database_list").await.unwrap();
        let evil = rows.iter().any(|row| row.get::<String, _>("name") == "evil");
        if evil {
            attached += 1;
            assert!(judged.is_err(), "{text:?} attached a database and was not refused");
            database = fresh().await;
        }
    }
    assert!(attached > 400, "only {attached} texts attached anything, so little was tested");
}

async fn fresh() -> SqliteConnection {
    let mut database = SqliteConnection::connect("sqlite::memory:").await.unwrap();
    database.execute("CREATE TABLE a (b)").await.unwrap();
    database
}
