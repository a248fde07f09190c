//! Which names are common table expressions, and where.
//!
//! PostgreSQL, "WITH Queries": a member sees the members before it, or with RECURSIVE all members of its
//! list; the statement that the list belongs to sees all of them; an inner list hides names of an outer one.
//! The target of INSERT, UPDATE and DELETE is always a table. But when the server sorts a recursive list it
//! takes a target for a reference to a member of that name, so such a statement fails without a schema and
//! would not with one.

use super::mutants::Mutant;

/// The common table expressions that are visible, innermost last.
#[derive(Debug, Default)]
pub(super) struct Scope {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: Box<str>,
    /// Its list is recursive.
    recursive: bool,
}

/// How far the scope reached when it was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl Scope {
    pub(super) fn open(&self) -> Mark {
        Mark(self.members.len())
    }

    pub(super) fn close(&mut self, mark: Mark) {
        if !Mutant::ScopeStaysOpen.is_on() {
            self.members.truncate(mark.0);
        }
    }

    pub(super) fn add(&mut self, name: Box<str>, recursive: bool) {
        self.members.push(Member { name, recursive });
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        !Mutant::ScopeIsEmpty.is_on() && self.members.iter().any(|member| *member.name == *name)
    }

    pub(super) fn holds_recursive(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.recursive && *member.name == *name)
    }
}
