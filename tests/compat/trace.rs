//! What an operation gave, in a form that can be compared.

use std::fmt::Debug;

use sea_orm::{DbErr, TransactionError};

/// The results of the operations of one run, in their order.
#[derive(Default)]
pub(crate) struct Trace {
    group: &'static str,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) result: String,
}

impl Trace {
    /// What follows belongs to this group.
    pub(crate) fn group(&mut self, group: &'static str) {
        self.group = group;
    }

    /// Notes a result, rows or error, as text that has all of it.
    pub(crate) fn step<T: Debug, E: Described>(&mut self, name: &str, result: Result<T, E>) -> Option<T> {
        let text = match &result {
            Ok(value) => format!("{value:?}"),
            Err(error) => error.describe(),
        };
        self.note(name, text);
        result.ok()
    }

    /// Notes a value.
    pub(crate) fn value(&mut self, name: &str, value: impl Debug) {
        self.note(name, format!("{value:?}"));
    }

    fn note(&mut self, name: &str, result: String) {
        let name = format!("{}/{name}", self.group);
        assert!(self.steps.iter().all(|step| step.name != name), "two steps are named {name}");
        self.steps.push(Step { name, result });
    }

    /// The differences to another run, one text for each, except those that are known to be there exactly so.
    pub(crate) fn differences(&self, other: &Self, known: &[Known]) -> Vec<String> {
        let names = |trace: &Self| trace.steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(self), names(other), "the runs did not do the same");
        let mut differences = Vec::new();
        for (bare, xcore) in self.steps.iter().zip(&other.steps) {
            let known = known.iter().find(|known| known.step == bare.name);
            let expected = known.map_or((&*bare.result, &*bare.result), |known| (known.bare, known.xcore));
            if (&*bare.result, &*xcore.result) != expected {
                let (bare, name, xcore) = (&bare.result, &bare.name, &xcore.result);
                differences.push(format!("{name}\n    bare:  {bare}\n    xcore: {xcore}"));
            }
        }
        differences
    }
}

/// A difference that is known, with what both give. One that is gone, or has become another one, fails.
pub(crate) struct Known {
    pub(crate) step: &'static str,
    pub(crate) bare: &'static str,
    pub(crate) xcore: &'static str,
}

/// An error, by its kind, what SeaORM makes of it, and its message.
pub(crate) trait Described {
    fn describe(&self) -> String;
}

impl Described for DbErr {
    fn describe(&self) -> String {
        let debug = format!("{self:?}");
        let kind = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        format!("ERROR {kind} / {:?} / {}", self.sql_err(), told(&self.to_string()))
    }
}

/// A message of the server, without the number of the prepared statement and the line of the server's own source.
fn told(message: &str) -> String {
    let mut words: Vec<&str> = message.split(' ').collect();
    if let [.., "at", "line", number] = words[..]
        && number.parse::<u32>().is_ok()
    {
        words.truncate(words.len() - 3);
    }
    for word in &mut words {
        if word.starts_with("\"sqlx_s_") {
            *word = "(a prepared statement)";
        }
    }
    words.join(" ")
}

impl<E: Debug + std::error::Error> Described for TransactionError<E> {
    fn describe(&self) -> String {
        match self {
            Self::Connection(error) => format!("CONNECTION {}", error.describe()),
            Self::Transaction(error) => format!("TRANSACTION {error:?}"),
        }
    }
}
