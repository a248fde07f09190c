//! Tables of every kind, for tests that copy tenants: migrations of their own, which a process has when it asks for them.

use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::DbBackend;
use sea_orm_migration::prelude::*;

/// How many of the migrations this process has; the variable `RIG_WIDE` says it for a program.
pub static WIDE: AtomicUsize = AtomicUsize::new(0);

/// The migrations.
pub(super) fn migrations() -> impl Iterator<Item = Box<dyn MigrationTrait>> {
    let said = std::env::var("RIG_WIDE").ok().and_then(|count| count.parse().ok());
    let count = said.unwrap_or_else(|| WIDE.load(Ordering::Relaxed));
    (0..count.min(NAMES.len())).map(|number| Box::new(Wide { number }) as Box<dyn MigrationTrait>)
}

const NAMES: [&str; 2] = ["m2001_wide", "m2002_later"];

struct Wide {
    number: usize,
}

impl MigrationName for Wide {
    fn name(&self) -> &str {
        NAMES[self.number]
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Wide {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let is_postgres = connection.get_database_backend() == DbBackend::Postgres;
        let text = match (self.number, is_postgres) {
            (0, true) => POSTGRES,
            (0, false) => SQLITE,
            _ => "ALTER TABLE seeded ADD COLUMN later text; UPDATE seeded SET later = 'later ' || text",
        };
        connection.execute_unprepared(text).await.map(drop)
    }
}

const POSTGRES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
CREATE DOMAIN short AS text CHECK (length(VALUE) < 40);
CREATE TYPE pair AS (number integer, word text);
CREATE TABLE wide (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    flag boolean, small smallint, int4 integer, big bigint, exact numeric(40, 10), single real, double double precision,
    name text, fixed char(5), limited varchar(20), bytes bytea, day date, at time, at_zone timetz, stamp timestamp, zoned timestamptz,
    span interval, doc json, docb jsonb, key uuid, net inet, list integer[], texts text[], mood mood, moods mood[], short short,
    span4 int4range, bits bit varying(9), cost money, pair pair,
    doubled bigint GENERATED ALWAYS AS (big * 2) STORED,
    parent bigint REFERENCES wide (id)
);
CREATE TABLE "odd ""name" (id serial PRIMARY KEY, "select" text NOT NULL DEFAULT 'x', "Ü" text);
CREATE TABLE hen (id integer PRIMARY KEY, egg integer);
CREATE TABLE egg (id integer PRIMARY KEY, hen integer NOT NULL REFERENCES hen (id) ON DELETE CASCADE);
ALTER TABLE hen ADD CONSTRAINT hen_egg FOREIGN KEY (egg) REFERENCES egg (id) DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE seeded (id integer PRIMARY KEY, text text NOT NULL, touched timestamptz);
CREATE TABLE log (id bigserial PRIMARY KEY, what text);
CREATE TABLE empty ();
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) VALUES (NEW.text); RETURN NEW; END $$;
INSERT INTO seeded (id, text) VALUES (1, 'seed');
CREATE TRIGGER seeded_logged AFTER INSERT ON seeded FOR EACH ROW EXECUTE FUNCTION note_it();
CREATE TRIGGER seeded_asleep AFTER UPDATE ON seeded FOR EACH ROW EXECUTE FUNCTION note_it();
ALTER TABLE seeded DISABLE TRIGGER seeded_asleep;
ALTER TABLE seeded ENABLE ALWAYS TRIGGER seeded_logged;
CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n FROM seeded;
CREATE SEQUENCE numbers START WITH 100 INCREMENT BY 5
"#;

const SQLITE: &str = r#"
CREATE TABLE wide (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    anything, whole INTEGER, floating REAL, name TEXT, bytes BLOB, flag BOOLEAN, stamp DATETIME, exact NUMERIC, doc JSON,
    doubled INTEGER GENERATED ALWAYS AS (whole * 2) STORED,
    next INTEGER GENERATED ALWAYS AS (whole + 1) VIRTUAL,
    parent INTEGER REFERENCES wide (id)
);
CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, "select" TEXT NOT NULL DEFAULT 'x', "Ü" TEXT);
CREATE TABLE hen (id INTEGER PRIMARY KEY, egg INTEGER REFERENCES egg (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE egg (id INTEGER PRIMARY KEY, hen INTEGER NOT NULL REFERENCES hen (id) ON DELETE CASCADE);
CREATE TABLE seeded (id INTEGER PRIMARY KEY, text TEXT NOT NULL, touched TEXT);
CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT);
CREATE TABLE keyed (key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;
CREATE TABLE strict (id INTEGER PRIMARY KEY, value ANY) STRICT;
INSERT INTO seeded (id, text) VALUES (1, 'seed');
CREATE TRIGGER seeded_logged AFTER INSERT ON seeded BEGIN INSERT INTO log (what) VALUES (NEW.text); END;
CREATE VIEW totals AS SELECT count(*) AS n FROM seeded
"#;
