//! Reading typed values out of the tree, gathering what is wrong.

use super::kind::Kind;
use crate::problem::{Problem, Problems};
use crate::yaml::{Map, Node};

/// One section being read.
pub(crate) struct Reading<'a> {
    path: String,
    section: Option<&'a Map>,
    problems: &'a mut Problems,
}

impl<'a> Reading<'a> {
    /// The section at `path`. When it is no map that was reported already, and everything in it reads as
    /// unknown.
    pub(crate) fn new(root: &'a Node, path: &str, problems: &'a mut Problems) -> Self {
        Self { path: path.to_owned(), section: root.find(path).and_then(Node::map), problems }
    }

    /// A key that is required or has a default. `None` when it is missing, wrong or pending.
    pub(crate) fn needed<K: Kind>(&mut self, key: &str) -> Option<K::Value> {
        let node = self.section?.get(key)?;
        // A key without a value was reported by the check of the keys.
        if node.is_pending() || (node.is_null() && !K::NULLABLE) {
            return None;
        }
        match K::read(node) {
            Ok(value) => Some(value),
            Err(wrongs) => {
                let path = format!("{}.{key}", self.path);
                report(node, &path, wrongs, self.problems);
                None
            }
        }
    }

    /// A key that may be absent; `Some(None)` when it is.
    pub(crate) fn optional<K: Kind>(&mut self, key: &str) -> Option<Option<K::Value>> {
        match self.section?.get(key) {
            None => Some(None),
            Some(node) if node.is_null() => Some(None),
            Some(_) => self.needed::<K>(key).map(Some),
        }
    }
}

fn report(node: &Node, path: &str, wrongs: super::Wrongs, problems: &mut Problems) {
    for wrong in wrongs.0 {
        let origin = wrong.origin.as_ref().unwrap_or(&node.origin);
        problems.push(
            Problem::at(origin, format!("`{path}` {}", wrong.message)).maybe_help(wrong.help).about(path),
        );
    }
}
