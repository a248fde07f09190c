//! What makes a schema plain, and why.

use super::super::analysis::{Analysis, analyse};
use super::super::names;
use super::super::plain::PLAIN_SCHEMAS;
use super::server::Connection;

const SHARED: &str = "
    CREATE FUNCTION public.harmless(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION public.fixed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN 1; END';
    CREATE FUNCTION public.changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TABLE public.shared (id int);
    CREATE SCHEMA elsewhere;
    CREATE TABLE elsewhere.t (id int PRIMARY KEY);";

const TENANT: &str = "
    CREATE SCHEMA acme;
    CREATE TYPE acme.mood AS ENUM ('happy', 'sad');
    CREATE DOMAIN acme.price AS integer CHECK (VALUE >= 0);
    CREATE TABLE acme.cake (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'x' CHECK (length(name) > 0),
        code uuid DEFAULT gen_random_uuid(), made timestamptz DEFAULT now(), day date DEFAULT CURRENT_DATE,
        tags text[] DEFAULT '{}', data jsonb DEFAULT '{}', price acme.price, mood acme.mood,
        low text GENERATED ALWAYS AS (lower(name)) STORED);
    CREATE UNIQUE INDEX ON acme.cake (lower(name)) WHERE id > 0;
    CREATE TABLE acme.fruit (id int PRIMARY KEY, cake_id int REFERENCES acme.cake ON DELETE CASCADE);
    CREATE VIEW acme.cheap AS SELECT c.id, count(*) AS n FROM acme.cake c
        JOIN acme.fruit f ON f.cake_id = c.id WHERE c.price < 5 GROUP BY c.id;
    CREATE TABLE acme.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE acme.parted_1 PARTITION OF acme.parted FOR VALUES FROM (0) TO (10);";

/// `acme` and `globex` have a view, `bare` has none.
fn tables() -> String {
    let bare =
        "CREATE SCHEMA bare; CREATE TABLE bare.cake (id serial PRIMARY KEY, name text CHECK (name <> ''));";
    format!("{SHARED}{TENANT}{}{bare}", TENANT.replace("acme", "globex"))
}

/// Which of the schemas are not plain.
fn offenders(connection: &mut Connection, schemas: &[&'static str]) -> Vec<&'static str> {
    let plain =
        connection.column(&PLAIN_SCHEMAS.replace("$1", &format!("ARRAY['{}']", schemas.join("', '"))));
    assert!(plain.iter().all(|plain| schemas.contains(&plain.as_str())), "{plain:?} of {schemas:?}");
    schemas.iter().copied().filter(|schema| !plain.iter().any(|plain| plain == schema)).collect()
}

const TENANTS: &[&str] = &["acme", "globex", "bare"];

const NONE: &[&str] = &[];
const ACME: &[&str] = &["acme"];
const VIEWED: &[&str] = &["acme", "globex"];

/// What is done, and the schemas that are not plain then.
const CASES: &[(&str, &[&str])] = &[
    ("SELECT 1", NONE),
    ("CREATE FUNCTION acme.own() RETURNS int LANGUAGE sql AS 'SELECT 1'", NONE),
    ("CREATE FUNCTION public.gen_random_uuid() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'", NONE),
    ("CREATE SEQUENCE acme.s; ALTER TABLE acme.cake ALTER COLUMN id SET DEFAULT nextval('acme.s')", NONE),
    ("ALTER TABLE acme.cake ADD CHECK (regexp_replace(name, 'a', 'b') <> '' AND name ~ '.')", NONE),
    ("CREATE TABLE acme.lower (id int)", NONE),
    ("CREATE TABLE elsewhere.r (c regclass)", NONE),
    ("CREATE FUNCTION elsewhere.lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", NONE),
    ("CREATE FUNCTION acme.lower(int) RETURNS text LANGUAGE sql AS 'SELECT 1::text'", ACME),
    ("CREATE FUNCTION public.lower(int) RETURNS text LANGUAGE sql AS 'SELECT 1::text'", TENANTS),
    (
        "CREATE FUNCTION public.sum2(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE AGGREGATE public.sum(text) (SFUNC = textcat, STYPE = text)",
        TENANTS,
    ),
    (
        "CREATE FUNCTION elsewhere.eq(acme.mood, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR acme.= (LEFTARG = acme.mood, RIGHTARG = text, FUNCTION = elsewhere.eq)",
        ACME,
    ),
    (
        "CREATE FUNCTION elsewhere.eq(acme.mood, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR public.~~ (LEFTARG = acme.mood, RIGHTARG = text, FUNCTION = elsewhere.eq)",
        TENANTS,
    ),
    ("CREATE TYPE acme.lower AS ENUM ('a')", ACME),
    ("CREATE DOMAIN public.count AS text", TENANTS),
    (
        "CREATE FUNCTION elsewhere.f(acme.mood) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE CAST (acme.mood AS int) WITH FUNCTION elsewhere.f(acme.mood)",
        TENANTS,
    ),
    (
        "CREATE FUNCTION elsewhere.cmp(int, int) RETURNS int LANGUAGE sql AS 'SELECT $2 - $1';
         CREATE OPERATOR CLASS elsewhere.down FOR TYPE int USING btree AS FUNCTION 1 elsewhere.cmp(int, int)",
        TENANTS,
    ),
    ("ALTER TABLE acme.cake ALTER COLUMN id SET DEFAULT nextval('acme.s'::text)", ACME),
    ("CREATE TRIGGER t BEFORE INSERT ON acme.cake FOR EACH ROW EXECUTE FUNCTION public.changed()", ACME),
    ("CREATE RULE r AS ON DELETE TO acme.cake DO ALSO DELETE FROM shared", ACME),
    ("ALTER TABLE acme.cake ENABLE ROW LEVEL SECURITY", ACME),
    ("CREATE TABLE elsewhere.child () INHERITS (acme.fruit)", ACME),
    ("CREATE TABLE elsewhere.referring (id int REFERENCES acme.cake ON DELETE CASCADE)", ACME),
    ("ALTER TABLE acme.cake ADD COLUMN c regclass", ACME),
    ("ALTER TABLE acme.cake ADD COLUMN c regtype[]", ACME),
    ("CREATE DOMAIN elsewhere.d AS regclass; ALTER TABLE acme.cake ADD COLUMN c elsewhere.d", ACME),
    ("ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT current_schema()", ACME),
    ("ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT current_schema", ACME),
    ("ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT current_setting('search_path')", ACME),
    ("ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT 'cake'::text::regclass::text", ACME),
    ("ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT 'acme.cake'::regclass::text", ACME),
    ("ALTER TABLE acme.cake ALTER COLUMN id SET DEFAULT public.harmless(1)", ACME),
    ("ALTER TABLE acme.cake ADD CHECK (public.harmless(id) > 0)", ACME),
    ("ALTER DOMAIN acme.price ADD CHECK (current_schema() = 'acme')", TENANTS),
    ("CREATE DOMAIN acme.d AS int DEFAULT 7", NONE),
    ("CREATE DOMAIN acme.d AS int DEFAULT public.fixed(1)", TENANTS),
    ("CREATE DOMAIN acme.d AS text DEFAULT current_schema()", TENANTS),
    (
        "CREATE FUNCTION acme.gap(int, int) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1 - $2; END';
         CREATE TYPE acme.span AS RANGE (subtype = int, subtype_diff = acme.gap)",
        TENANTS,
    ),
    (
        "CREATE TABLE public.parent (id int) PARTITION BY RANGE (public.fixed(id));
         CREATE TABLE acme.part PARTITION OF public.parent FOR VALUES FROM (0) TO (10)",
        // Those with a view reach the relations of `public`.
        VIEWED,
    ),
    ("CREATE VIEW acme.v AS SELECT word FROM ts_stat('SELECT to_tsvector(name) FROM cake')", ACME),
    ("CREATE VIEW acme.v AS SELECT name FROM pg_show_all_settings()", ACME),
    ("CREATE VIEW acme.v AS SELECT current_schema()", ACME),
    ("CREATE VIEW acme.v AS SELECT to_regclass('cake')", ACME),
    ("CREATE VIEW acme.v AS SELECT public.harmless(id) FROM acme.cake", ACME),
    ("CREATE VIEW acme.v AS SELECT * FROM elsewhere.t", ACME),
    (
        "CREATE TRIGGER t BEFORE INSERT ON public.shared FOR EACH ROW EXECUTE FUNCTION public.changed()",
        VIEWED,
    ),
    ("CREATE FUNCTION globex.lower(acme.mood) RETURNS int LANGUAGE sql AS 'SELECT 1'", &["globex"]),
    ("CREATE FUNCTION acme.abs(VARIADIC int[]) RETURNS int LANGUAGE sql AS 'SELECT 1'", ACME),
    ("CREATE FUNCTION acme.abs(int, int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'", ACME),
    (
        "CREATE FUNCTION elsewhere.eq(acme.mood, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR acme.% (LEFTARG = acme.mood, RIGHTARG = text, FUNCTION = elsewhere.eq)",
        NONE,
    ),
    ("CREATE EXTENSION citext", TENANTS),
    ("CREATE EXTENSION citext SCHEMA elsewhere", NONE),
    ("CREATE EXTENSION citext SCHEMA globex", &["globex"]),
    ("CREATE EXTENSION pg_trgm", NONE),
    ("CREATE DOMAIN elsewhere.price AS int CHECK (public.harmless(VALUE) > 0)", TENANTS),
    (
        "CREATE FUNCTION elsewhere.eq(acme.mood, acme.mood) RETURNS bool LANGUAGE plpgsql
         AS 'BEGIN RETURN true; END';
         CREATE OPERATOR elsewhere.=== (LEFTARG = acme.mood, RIGHTARG = acme.mood, FUNCTION = elsewhere.eq);
         CREATE OPERATOR FAMILY elsewhere.moods USING hash;
         ALTER OPERATOR FAMILY elsewhere.moods USING hash
         ADD OPERATOR 1 elsewhere.=== (acme.mood, acme.mood)",
        TENANTS,
    ),
    ("CREATE TRIGGER t INSTEAD OF INSERT ON acme.cheap FOR EACH ROW EXECUTE FUNCTION public.changed()", ACME),
    ("CREATE TRIGGER t AFTER INSERT ON acme.parted FOR EACH ROW EXECUTE FUNCTION public.changed()", ACME),
    ("CREATE RULE r AS ON INSERT TO public.shared DO INSTEAD NOTHING", VIEWED),
    (
        "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
         CREATE FOREIGN TABLE acme.far (id int) SERVER s",
        ACME,
    ),
    ("CREATE TABLE elsewhere.parted_2 PARTITION OF acme.parted FOR VALUES FROM (10) TO (20)", ACME),
    ("CREATE TABLE acme.parted_2 PARTITION OF acme.parted FOR VALUES FROM (10) TO (20)", NONE),
    ("CREATE TABLE globex.child () INHERITS (acme.fruit)", ACME),
    ("CREATE TABLE elsewhere.child () INHERITS (public.shared)", VIEWED),
    ("CREATE TABLE acme.child () INHERITS (public.shared)", &["globex"]),
    ("CREATE TABLE public.child () INHERITS (acme.fruit)", NONE),
    ("CREATE TABLE public.child () INHERITS (bare.cake)", &["bare"]),
    ("CREATE TABLE globex.referring (id int REFERENCES acme.cake)", ACME),
    ("CREATE TABLE elsewhere.referring (id int REFERENCES acme.parted)", ACME),
    ("CREATE TABLE public.referring (id int REFERENCES acme.cake)", NONE),
    ("CREATE TABLE public.referring (id int REFERENCES bare.cake)", &["bare"]),
    ("CREATE TABLE acme.referring (id int REFERENCES elsewhere.t)", NONE),
    ("CREATE TABLE acme.tree (id int PRIMARY KEY, parent int REFERENCES acme.tree)", NONE),
    (
        "CREATE DOMAIN elsewhere.d AS regclass; CREATE DOMAIN elsewhere.e AS elsewhere.d;
         ALTER TABLE acme.cake ADD COLUMN c elsewhere.e",
        ACME,
    ),
    ("CREATE DOMAIN elsewhere.d AS regclass; ALTER TABLE acme.cake ADD COLUMN c elsewhere.d[]", ACME),
    ("CREATE TYPE acme.pair AS (a int, b regproc)", ACME),
    ("CREATE INDEX ON acme.cake ((id::oid::regclass))", ACME),
    ("ALTER TABLE public.shared ADD COLUMN c regclass", VIEWED),
    ("ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT current_user", ACME),
    ("CREATE INDEX ON acme.cake ((public.fixed(id)))", ACME),
    ("CREATE INDEX ON acme.cake (name) WHERE public.fixed(id) > 0", ACME),
    ("CREATE TABLE acme.p (id int) PARTITION BY RANGE (public.fixed(id))", ACME),
    ("CREATE TABLE acme.p (id int) PARTITION BY RANGE ((id + 1))", NONE),
    ("ALTER TABLE acme.cake ADD COLUMN g int GENERATED ALWAYS AS (public.fixed(id)) STORED", ACME),
    ("ALTER TABLE public.shared ADD CHECK (public.harmless(id) > 0)", VIEWED),
    (
        "CREATE AGGREGATE elsewhere.all_text(text) (SFUNC = textcat, STYPE = text);
         CREATE VIEW acme.v AS SELECT elsewhere.all_text(name) FROM acme.cake",
        ACME,
    ),
    (
        "CREATE AGGREGATE elsewhere.all_text(text) (SFUNC = textcat, STYPE = text);
         CREATE VIEW acme.v AS SELECT elsewhere.all_text(name) OVER () FROM acme.cake",
        ACME,
    ),
    (
        "CREATE FUNCTION elsewhere.eq(acme.mood, text) RETURNS bool LANGUAGE sql AS 'SELECT true';
         CREATE OPERATOR elsewhere.=== (LEFTARG = acme.mood, RIGHTARG = text, FUNCTION = elsewhere.eq);
         ALTER TABLE acme.cake ADD CHECK (mood OPERATOR(elsewhere.===) name)",
        ACME,
    ),
    ("CREATE VIEW acme.v AS SELECT * FROM public.shared", NONE),
    ("CREATE VIEW acme.v AS SELECT * FROM globex.cake", ACME),
    ("CREATE VIEW acme.v AS SELECT '{1}'::int[]::oid[]::regclass[]::text[]", ACME),
    ("CREATE VIEW public.v AS SELECT * FROM elsewhere.t", VIEWED),
    ("CREATE VIEW bare.v AS SELECT 1; ALTER TABLE public.shared ENABLE ROW LEVEL SECURITY", TENANTS),
    (
        "CREATE FUNCTION acme.lower(int) RETURNS text LANGUAGE sql AS 'SELECT 1::text';
         ALTER TABLE bare.cake ENABLE ROW LEVEL SECURITY",
        &["acme", "bare"],
    ),
    ("CREATE FUNCTION acme.abs(int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1'", ACME),
    (
        "CREATE FUNCTION acme.array_to_json(VARIADIC anyarray) RETURNS json LANGUAGE sql
         AS 'SELECT NULL::json'",
        ACME,
    ),
    (
        "CREATE TABLE acme.p (id int) PARTITION BY RANGE (id);
         CREATE TRIGGER t AFTER INSERT ON acme.p FOR EACH ROW EXECUTE FUNCTION public.changed()",
        ACME,
    ),
    (
        "CREATE TABLE acme.p (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE elsewhere.referring (id int REFERENCES acme.p)",
        ACME,
    ),
    ("CREATE EXTENSION pg_trgm; ALTER TABLE acme.cake ADD CHECK (public.similarity(name, 'x') < 2)", NONE),
];

#[test]
fn what_could_change_a_meaning_makes_a_schema_not_plain() {
    let mut connection = Connection::database("plain", &tables());
    for &(sql, expected) in CASES {
        connection.run(&format!("BEGIN; {sql}"));
        assert_eq!(offenders(&mut connection, TENANTS), expected, "{sql}");
        // The others that are asked for make no difference.
        for &tenant in TENANTS {
            let alone = offenders(&mut connection, &[tenant]);
            assert_eq!(!alone.is_empty(), expected.contains(&tenant), "{tenant} alone: {sql}");
        }
        connection.run("ROLLBACK");
    }
    assert_eq!(offenders(&mut connection, &["missing", "acme"]), ["missing"]);
    assert_eq!(connection.column(&PLAIN_SCHEMAS.replace("$1", "'{acme,acme,NULL}'")), ["acme"]);
    assert_eq!(connection.column(&PLAIN_SCHEMAS.replace("$1", "'{}'")), [""; 0]);
    connection.run("DROP TABLE public.shared; DROP SCHEMA public CASCADE");
    assert_eq!(offenders(&mut connection, TENANTS), NONE);
}

/// The precondition is needed: each of these gives another answer without an error.
#[test]
fn a_schema_that_is_not_plain_can_change_an_answer() {
    for (database, harmful, query) in [
        (
            "harm_function",
            "CREATE FUNCTION acme.abs(acme.mood) RETURNS int LANGUAGE sql AS 'SELECT 7';
             CREATE FUNCTION acme.length(character varying) RETURNS int LANGUAGE sql AS 'SELECT 7'",
            "SELECT length(CAST('abc' AS varchar))",
        ),
        ("harm_type", "CREATE DOMAIN acme.lower AS text", "SELECT lower('ABC')"),
        (
            "harm_default",
            "ALTER TABLE acme.cake ALTER COLUMN name SET DEFAULT current_schema()::text || 'x'",
            "INSERT INTO cake (price) VALUES (1) RETURNING coalesce(name, 'x')",
        ),
    ] {
        let mut connection = Connection::database(database, &tables());
        connection.run(harmful);
        assert_eq!(offenders(&mut connection, TENANTS), ACME, "{harmful}");
        let Analysis::Qualified(template) = analyse(query) else { panic!("{query}") };
        connection.run("SET search_path = acme, public");
        let switched = connection.ask(query);
        connection.run("SET search_path = pg_catalog");
        let neutral = connection.ask(&template.fill("acme"));
        assert_ne!(switched, neutral, "{query}");
    }
}

/// The lists are of this server, too.
#[test]
fn the_lists_fit_the_server() {
    let mut connection = Connection::open("postgres");
    let (rows, _) = connection.ask("SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'").unwrap();
    for row in rows {
        let word = row[0].clone().unwrap();
        assert!(names::is_keyword(&word), "{word}");
    }
    let (rows, _) = connection
        .ask("SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace")
        .unwrap();
    for row in rows {
        assert!(names::is_reserved_relation(row[0].as_deref().unwrap()));
    }
    let list = names::FUNCTIONS.join("','");
    // Each exists, and none takes or gives what is looked up by name, or is defined in SQL with names of its
    // own.
    assert_eq!(
        connection.one(&format!(
            "SELECT string_agg(w, ' ') FROM unnest(ARRAY['{list}']) AS w WHERE NOT EXISTS
             (SELECT 1 FROM pg_proc WHERE proname = w AND pronamespace = 'pg_catalog'::regnamespace)"
        )),
        ""
    );
    assert_eq!(
        connection.one(&format!(
            "SELECT string_agg(DISTINCT p.oid::regprocedure::text, ' ') FROM pg_proc p
             LEFT JOIN pg_type a ON a.oid = ANY (p.proargtypes::oid[] || p.prorettype)
             WHERE p.proname IN ('{list}') AND p.pronamespace = 'pg_catalog'::regnamespace
               AND (a.typname ~ '^_?(reg|cstring|internal)' AND p.prokind <> 'a')"
        )),
        ""
    );
}
