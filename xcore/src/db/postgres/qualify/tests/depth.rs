//! No text is too deep or too long.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::super::analysis::{Analysis, analyse};

/// The stack of a worker thread of tokio.
const STACK: usize = 2 * 1024 * 1024;

fn texts() -> Vec<String> {
    let nested = |open: &str, core: &str, close: &str, depth: usize| {
        format!("{}{core}{}", open.repeat(depth), close.repeat(depth))
    };
    let mut texts = Vec::new();
    for depth in [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 500, 100_000] {
        texts.push(format!("SELECT {} FROM t", nested("(", "1", ")", depth)));
        texts.push(format!("SELECT * FROM {}", nested("(", "t", ")", depth)));
        texts.push(format!("SELECT * FROM {}", nested("(", "SELECT 1", ") x", depth)));
        texts.push(format!("SELECT * FROM t WHERE a IN {}", nested("(", "SELECT 1", ")", depth)));
        texts.push(format!("SELECT * FROM t WHERE a IN {}", nested("(", "1", ")", depth)));
        texts.push(nested("(", "SELECT 1", ")", depth));
        texts.push(nested("(", "SELECT 1", "", depth));
        texts.push(nested("(SELECT 1 UNION ", "SELECT 1", ")", depth));
        texts.push(format!("SELECT {}", nested("abs(", "1", ")", depth)));
        texts.push(format!("SELECT {}", nested("CASE WHEN a THEN ", "1", " END", depth)));
        texts.push(format!("SELECT {}", nested("CASE ", "1", " WHEN a THEN 1 END", depth)));
        texts.push(format!("SELECT {}", nested("NOT ", "a", "", depth)));
        texts.push(format!("SELECT {}", nested("- ", "a", "", depth)));
        texts.push(format!("SELECT a{}", " + 1".repeat(depth)));
        texts.push(format!("SELECT a{}", " IS NULL".repeat(depth)));
        texts.push(format!("SELECT a{}", "::int".repeat(depth)));
        texts.push(format!("SELECT a{}", "[1]".repeat(depth)));
        texts.push(format!("SELECT {}", nested("ARRAY[", "1", "]", depth)));
        texts.push(format!("SELECT {}", nested("a[", "1", "]", depth)));
        texts.push(format!("SELECT {}", nested("(a + 1 + 1 + ", "1", ")", depth)));
        texts.push(format!("SELECT {}", nested("CAST(", "1", " AS int)", depth)));
        texts.push(format!("SELECT {}", nested("EXISTS(SELECT ", "1", ")", depth)));
        texts.push(format!("SELECT * FROM t WHERE {}", nested("a = ANY(SELECT ", "1", ")", depth)));
        texts.push(format!("SELECT 1 FROM a{}", " JOIN b ON true".repeat(depth)));
        texts.push(format!("SELECT 1 FROM {}a{}", "(".repeat(depth), " JOIN b ON true)".repeat(depth)));
        texts.push(format!(
            "SELECT 1 FROM a {} ON true{}",
            "JOIN b ".repeat(depth),
            " ON true".repeat(depth)
        ));
        texts.push(format!("SELECT 1{}", " UNION SELECT 1".repeat(depth)));
        texts.push(format!("SELECT 1{}", " UNION SELECT 1, 2".repeat(depth)));
        texts.push(nested("WITH a AS (", "SELECT 1", ") SELECT 1", depth));
        texts.push(format!("SELECT {}1", "interval ".repeat(depth)));
        texts.push(format!("SELECT {}1", "date ".repeat(depth)));
        texts.push(format!("SELECT a{}", " LIKE b ESCAPE 'x'".repeat(depth)));
        texts.push(format!("SELECT a{}", " BETWEEN 1 AND 2".repeat(depth)));
        texts.push(format!("SELECT a::{}", nested("int[", "", "]", depth)));
        texts.push("(".repeat(depth));
        texts.push("[".repeat(depth));
    }
    let mut insert = "INSERT INTO t (a, b) VALUES ($1, $2)".to_owned();
    for i in 0..5_000 {
        write!(insert, ", (${}, ${})", i * 2 + 3, i * 2 + 4).unwrap();
    }
    texts.push(insert);
    texts
}

#[test]
fn no_text_overflows_the_stack_or_takes_long() {
    let check = || {
        let mut slowest = (Duration::ZERO, String::new());
        for text in texts() {
            let start = Instant::now();
            let _ = analyse(&text);
            let took = start.elapsed();
            if took > slowest.0 {
                slowest = (took, text.chars().take(120).collect());
            }
        }
        slowest
    };
    let slowest = std::thread::Builder::new().stack_size(STACK).spawn(check).unwrap().join().unwrap();
    eprintln!("slowest: {slowest:?}");
    assert!(slowest.0 < Duration::from_secs(20), "{slowest:?}");
}

#[test]
fn a_long_insert_is_qualified() {
    let last = texts().pop().unwrap();
    assert!(matches!(analyse(&last), Analysis::Qualified(_)), "{:?}", analyse(&last));
}

#[test]
fn usual_depths_are_qualified() {
    let condition = format!("{}a = 1{}", "(".repeat(6), ")".repeat(6));
    for text in [
        format!("SELECT 1 FROM t WHERE {condition}"),
        format!("SELECT 1 FROM t WHERE a = 0{}", " OR a = 1".repeat(100)),
        format!("SELECT 1 FROM t{}", " UNION ALL SELECT 1 FROM t".repeat(40)),
    ] {
        assert!(matches!(analyse(&text), Analysis::Qualified(_)), "{:?}", analyse(&text));
    }
}
