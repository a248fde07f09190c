//! Rewrites a statement so that it means the same without the tenant's search path.
//!
//! [`Templates`] reads a text and either makes a template with holes for the tenant's schema, or says why the
//! statement must go over a connection that is switched to the tenant. Nothing is printed anew: the text
//! stays byte for byte what it was, with `"<schema>".` inserted before each table.
//!
//! # What is promised
//!
//! Let `text` be [`Analysis::Qualified`], `schema` the tenant's schema, and all of the preconditions below
//! true. Then `template.fill(schema)` on a connection with `search_path = pg_catalog` gives either the same
//! result and the same changes as `text` on a connection with `search_path = "<schema>", public`, or an error
//! and no change. It never names a relation outside of `schema` and `pg_catalog`. An error must be retried on
//! a switched connection, unless a transaction is open: a table that lives in `public`, and a function or
//! type that is not in `pg_catalog`, are not found (42P01, 42883, 42704, 42703, 3F000).
//!
//! # Preconditions
//!
//! 1. *Plain schemas.* [`PLAIN_SCHEMAS`] gives the schema, and nobody has created objects in it or in
//!    `public` since. Why each part of it matters is said there. In one sentence: neither schema holds a
//!    function or operator that could win over one of `pg_catalog`, nor anything that runs user code or asks
//!    for the path while a plain statement is executed.
//! 2. *The same settings.* Both connections have the same role, `standard_conforming_strings = on`, and equal
//!    values of what changes results (`TimeZone`, `DateStyle`, `IntervalStyle`, `extra_float_digits`,
//!    `bytea_output`, ..).
//! 3. *No temporary objects.* `pg_temp` is searched first even when the path does not name it.
//! 4. *The connection's own encoding is UTF-8*, as text is read here byte by byte.
//!
//! # Known differences
//!
//! All of them are errors on the neutral connection, and an answer on the switched one: see above. The other
//! way round, a statement that fails on the tenant's path fails on the neutral one. Messages can differ, as
//! positions move by the length of what was inserted.
//!
//! # Why it holds
//!
//! - Text is read by a lexer of our own (`lexer.rs`) that knows a part of PostgreSQL's lexical rules exactly
//!   and refuses the rest. The parser of the crate `sqlparser` is handed those tokens and never sees the
//!   text, so the two cannot disagree about where a string or a comment ends.
//! - The tree is walked by exhaustive patterns without `..`: a clause that a later parser brings does not
//!   compile until somebody has thought about it.
//! - A relation that is *not* qualified by mistake is not found, or is found in `pg_catalog`, which the
//!   tenant's path searches first too. So only a name that is qualified by mistake could change a meaning:
//!   the common table expressions, which are the matter of `scope.rs`.
//! - A name that is found in `pg_catalog` first (types, collations) means the same on both paths. Functions
//!   and operators are chosen among the candidates of the whole path, hence precondition 1.
//! - Functions that take names as text, ask for the path or change the session are not on the list
//!   (`names.rs`).

mod analysis;
mod expression;
mod from;
mod lexer;
mod mutants;
mod names;
mod plain;
mod query;
mod scope;
mod statement;
mod template;
mod templates;
mod types;
mod weight;

#[cfg(test)]
mod tests;

pub(super) use analysis::Analysis;
pub(super) use plain::PLAIN_SCHEMAS;
pub(super) use template::{Template, table_key};
pub(super) use templates::Templates;
