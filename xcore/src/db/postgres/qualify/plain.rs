//! Which schemas hold nothing that could make a qualified statement mean something else.

/// A query with one parameter, the names of schemas (`text[]`), and a row of one column (`text`) for each of
/// them that is *plain*, in any order.
///
/// It is for a connection with any search path, and is asked anew after a schema or `public` was changed:
/// after a migration, and when a tenant may run statements that define objects. A missing schema is not
/// plain. It looks at both the schema and `public`, which stands behind it in the tenant's path, whoever put
/// the objects there: one of an extension wins like any other. These make a schema not plain, and in `public`
/// every schema:
///
/// - a function with the name of one in `pg_catalog` and other arguments, such as `lower(citext)`, or an
///   operator of that kind. On the tenant's path it may fit better. (So `citext`, `hstore`, `postgis` and
///   `vector` in `public` turn the fast path off, and `pgcrypto`, `pg_trgm`, `uuid-ossp` and `unaccent` do
///   not.)
/// - a type that is not a table's, with the name of a function in `pg_catalog`: `lower('A')` would be a cast
///   to it.
///
/// These make every schema not plain, in whichever schema they are:
///
/// - a cast or a comparison (of an operator class) that is a function in SQL or a procedural language: it
///   runs with the session's path;
/// - a check of a domain that calls what a check of a table may not, see below.
///
/// And these make only the schema not plain that has them:
///
/// - on a table: a trigger, rule or policy of users, a child table or referring table in another schema, a
///   foreign table, a column of type `regclass` or its like, whose text depends on the path;
/// - a default, check, generated column, index or view that calls a function in SQL or a procedural language,
///   or asks for the path, the role or a setting, and a view of a table elsewhere. With a view the tables of
///   `public` are looked at like the schema's own.
///
/// Its cost is that of a few passes over the system catalogs, however many schemas are asked for: ask for
/// many at once. Set `jit = off` for it, as compiling the plan takes longer than running it.
pub(in super::super) const PLAIN_SCHEMAS: &str = include_str!("plain.sql");
