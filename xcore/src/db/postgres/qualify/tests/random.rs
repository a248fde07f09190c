//! Random statements, with few names for tables, aliases and common table expressions, so that they collide.

use proptest::prelude::*;

use super::super::analysis::{Analysis, analyse};
use super::server::{Answer, Connection};

const TENANTS: &str = "
    CREATE SCHEMA acme; CREATE SCHEMA globex;
    DO $$
    DECLARE s text; t text;
    BEGIN
        FOR s IN VALUES ('acme'), ('globex'), ('public') LOOP
            FOR t IN VALUES ('cake'), ('fruit'), ('a'), ('Cake') LOOP
                EXECUTE format('CREATE TABLE %I.%I (id int)', s, t);
            END LOOP;
        END LOOP;
        CREATE TABLE public.x (id int);
    END $$;";

const NAMES: &[&str] = &[
    "cake",
    "fruit",
    "a",
    "\"Cake\"",
    "CAKE",
    "\"cake\"",
    "A",
    "cake",
    "Fruit",
    "\"fruit\"",
    "cake",
    "fruit",
    "a",
    "x",
];

/// Makes statements out of bytes, so that a failure shrinks.
struct Maker<'a> {
    bytes: std::slice::Iter<'a, u8>,
    text: String,
}

impl Maker<'_> {
    fn pick(&mut self, of: usize) -> usize {
        self.bytes.next().map_or(of - 1, |byte| usize::from(*byte)) % of
    }

    fn say(&mut self, text: &str) {
        self.text.push_str(text);
        // White space is free: a comment is one.
        match self.pick(40) {
            0 => self.text.push_str(" /* FROM cake */ "),
            1 => self.text.push_str(" -- 'x\n"),
            2 => self.text.push_str("\n\t"),
            _ => self.text.push(' '),
        }
    }

    fn say_one(&mut self, of: &[&str]) {
        let which = self.pick(of.len());
        self.say(of[which]);
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.pick(NAMES.len())]
    }

    fn say_name(&mut self) {
        let name = self.name();
        self.say(name);
    }

    fn statement(&mut self) {
        match self.pick(6) {
            0 => {
                self.with(2);
                self.change(2);
            }
            1 => self.change(2),
            _ => self.query(3),
        }
        if self.pick(8) == 0 {
            self.say(";");
        }
    }

    fn with(&mut self, depth: usize) {
        self.say("WITH");
        if self.pick(3) == 0 {
            self.say("RECURSIVE");
        }
        for i in 0..=self.pick(3) {
            if i > 0 {
                self.say(",");
            }
            self.say_name();
            if self.pick(4) == 0 {
                self.say("(id)");
            }
            self.say_one(&["AS", "AS MATERIALIZED", "AS", "AS NOT MATERIALIZED"]);
            self.say("(");
            if self.pick(5) == 0 && depth == 3 {
                self.change(depth - 1);
            } else {
                self.query(depth - 1);
            }
            self.say(")");
        }
    }

    fn query(&mut self, depth: usize) {
        if depth > 0 && self.pick(3) == 0 {
            self.with(depth);
        }
        self.body(depth);
        if depth > 0 && self.pick(16) == 0 {
            self.say("ORDER BY (");
            self.query(depth - 1);
            self.say(")");
        }
        if depth > 0 && self.pick(8) == 0 {
            self.say("LIMIT (");
            self.query(depth - 1);
            self.say(")");
        }
        if self.pick(60) == 0 {
            self.say("FOR UPDATE");
        }
    }

    fn body(&mut self, depth: usize) {
        match self.pick(if depth == 0 { 4 } else { 8 }) {
            5 => {
                self.say("(");
                self.query(depth - 1);
                self.say(")");
            }
            6 => {
                self.body(depth - 1);
                self.say_one(&["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]);
                self.body(depth - 1);
            }
            7 => self.say("VALUES (1)"),
            _ => self.select(depth),
        }
    }

    fn select(&mut self, depth: usize) {
        self.say_one(&["SELECT 1 AS id", "SELECT count(*) AS id", "SELECT max(1) AS id", "SELECT 2 AS id"]);
        self.say("FROM");
        self.from(depth);
        self.filter(depth);
    }

    fn from(&mut self, depth: usize) {
        self.factor(depth);
        for _ in 0..self.pick(3) {
            match self.pick(4) {
                0 => {
                    self.say(",");
                    self.factor(depth);
                }
                1 => {
                    self.say("CROSS JOIN");
                    self.factor(depth);
                }
                _ => {
                    self.say_one(&["JOIN", "LEFT JOIN", "FULL OUTER JOIN"]);
                    self.factor(depth);
                    self.say("ON TRUE");
                }
            }
        }
    }

    fn alias(&mut self) {
        // Mostly one of its own, so that most statements are right.
        match self.pick(8) {
            0 => {}
            1 => {
                self.say("AS");
                self.say_name();
            }
            _ => {
                let alias = format!("AS t{}", self.text.len());
                self.say(&alias);
            }
        }
    }

    fn factor(&mut self, depth: usize) {
        match self.pick(if depth == 0 { 4 } else { 7 }) {
            4 => {
                self.say_one(&["(", "LATERAL ("]);
                self.query(depth - 1);
                self.say(")");
                let alias = format!("AS q{}", self.text.len());
                self.say(&alias);
            }
            5 => {
                self.say("(");
                self.factor(depth - 1);
                self.say("JOIN");
                self.factor(depth - 1);
                self.say("ON TRUE )");
            }
            6 => {
                self.say("generate_series(1, 3)");
                self.alias();
            }
            _ => {
                self.say_name();
                self.alias();
            }
        }
    }

    fn filter(&mut self, depth: usize) {
        if depth == 0 || self.pick(2) == 0 {
            return;
        }
        self.say("WHERE");
        self.say_one(&["EXISTS (", "NOT EXISTS (", "1 IN (", "1 = ANY (", "1 < ("]);
        self.query(depth - 1);
        self.say(")");
    }

    fn change(&mut self, depth: usize) {
        match self.pick(3) {
            0 => {
                self.say("INSERT INTO");
                self.say_name();
                self.say("(id)");
                self.query(depth);
                if self.pick(4) == 0 {
                    self.say("ON CONFLICT DO NOTHING");
                }
            }
            1 => {
                self.say("UPDATE");
                self.say_name();
                self.alias();
                self.say("SET id = (");
                self.query(depth.saturating_sub(1));
                self.say(")");
                if self.pick(3) == 0 {
                    self.say("FROM");
                    self.from(depth);
                }
                self.filter(depth);
            }
            _ => {
                self.say("DELETE FROM");
                self.say_name();
                self.alias();
                if self.pick(3) == 0 {
                    self.say("USING");
                    self.from(depth);
                }
                self.filter(depth);
            }
        }
        if self.pick(2) == 0 {
            self.say("RETURNING 1 AS id");
        }
    }
}

fn make(bytes: &[u8]) -> String {
    let mut maker = Maker { bytes: bytes.iter(), text: String::new() };
    maker.statement();
    maker.text
}

/// Words that change how a text is read, to be put anywhere.
const JUNK: &[&str] = &[
    "'",
    "\"",
    "/*",
    "*/",
    "--",
    "\n",
    "\r",
    "E'",
    "$$",
    "$a$",
    "\\",
    "(",
    ")",
    ",",
    ".",
    ";",
    "ONLY",
    "LATERAL",
    "AS",
    "WITH",
    "RECURSIVE",
    "FROM",
    "cake",
    "\"cake\"",
    "globex",
    "globex.cake",
    "public.",
    "TABLE",
    "JOIN",
    "ON",
    "USING",
    "SELECT",
    "*",
    "::",
    "U&\"",
    "$1",
    "1",
    "1e",
    "é",
    "\u{a0}",
    "SET",
    "VALUES",
    "UNION",
    "INTO",
    "IN",
    "regclass",
    "FOR UPDATE OF",
    "RETURNING",
    "NATURAL",
    "pg_class",
    "ORDER BY",
    "LIMIT",
    "END",
    "CROSS JOIN",
    "''",
    "E",
    "-",
    "+",
];

/// Puts junk in, and takes characters out.
fn spoil(text: &str, edits: &[(u16, u8, bool)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for &(at, which, cut) in edits {
        let at = usize::from(at) % (chars.len() + 1);
        if cut {
            let end = (at + usize::from(which % 9)).min(chars.len());
            chars.drain(at..end);
        } else {
            let junk = JUNK[usize::from(which) % JUNK.len()];
            chars.splice(at..at, [" ", junk, " "].concat().chars());
        }
    }
    chars.into_iter().collect()
}

fn plan(connection: &mut Connection, path: &str, text: &str) -> Answer {
    connection.run(&format!("SET search_path = {path}"));
    connection.ask(&format!("EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) {text}"))
}

/// Panics when a relation is not one of the tenant's.
fn check_schemas(value: &serde_json::Value, text: &str) {
    match value {
        serde_json::Value::Object(fields) => {
            if fields.contains_key("Relation Name") {
                assert_eq!(fields.get("Schema").and_then(|s| s.as_str()), Some("acme"), "{text}");
            }
            fields.values().for_each(|value| check_schemas(value, text));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| check_schemas(value, text)),
        _ => {}
    }
}

#[derive(Default, Debug)]
struct Tally {
    all: usize,
    qualified: usize,
    planned: usize,
    /// An error on the neutral path only, which the caller asks again on the other.
    retried: usize,
}

fn check(connection: &mut Connection, text: &str, tally: &mut Tally) {
    tally.all += 1;
    let Analysis::Qualified(template) = analyse(text) else { return };
    tally.qualified += 1;
    let filled = template.fill("acme");
    let neutral = plan(connection, "pg_catalog", &filled);
    let switched = plan(connection, "acme, public", text);
    match &neutral {
        Ok((rows, _)) => {
            tally.planned += 1;
            let json: String = rows.iter().flatten().flatten().cloned().collect();
            check_schemas(&serde_json::from_str(&json).unwrap(), &filled);
            assert!(neutral == switched, "{text}\n{filled}\n{neutral:?}\n{switched:?}");
        }
        Err(code) => {
            if switched.is_ok() {
                assert!(
                    ["42P01", "42883", "42703", "42704", "3F000"].contains(&code.as_str()),
                    "{code}: {text}"
                );
                tally.retried += 1;
            }
        }
    }
}

fn run(name: &'static str, cases: u32, strategy: impl Strategy<Value = String>) -> Tally {
    let connection = std::cell::RefCell::new(Connection::database(name, TENANTS));
    let tally = std::cell::RefCell::new(Tally::default());
    let mut runner = proptest::test_runner::TestRunner::new(config(cases));
    let outcome = runner.run(&strategy, |text| {
        check(&mut connection.borrow_mut(), &text, &mut tally.borrow_mut());
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let tally = tally.into_inner();
    eprintln!("{name}: {tally:?}");
    tally
}

/// With `PROPTEST_CASES` as many as it says.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn random_statements_have_the_same_plan_both_ways() {
    let strategy = prop::collection::vec(any::<u8>(), 20..220).prop_map(|bytes| make(&bytes));
    let tally = run("random_plans", 2_000, strategy);
    assert!(tally.qualified * 2 > tally.all, "{tally:?}");
    assert!(tally.planned * 4 > tally.all, "{tally:?}");
}

#[test]
fn spoiled_statements_never_reach_another_schema() {
    let edits = prop::collection::vec(any::<(u16, u8, bool)>(), 1..3);
    let strategy = (prop::collection::vec(any::<u8>(), 10..120), edits)
        .prop_map(|(bytes, edits)| spoil(&make(&bytes), &edits));
    let tally = run("random_spoiled", 2_000, strategy);
    assert!(tally.planned > 0, "{tally:?}");
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}", words in prop::collection::vec(0..JUNK.len(), 0..30)) {
        let _ = analyse(&text);
        let soup: Vec<&str> = words.into_iter().map(|word| JUNK[word]).collect();
        let _ = analyse(&soup.join(" "));
        let _ = analyse(&soup.concat());
    }
}
