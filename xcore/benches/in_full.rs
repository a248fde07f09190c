//! What it costs the client to name the tenant's schema in a statement of SeaORM's, in CPU time for each statement.
//!
//! Three ways, in turns, the medians of rounds: to render the statement and nothing else; to look its template up by the rendered text and
//! fill it, as xcore does; and to render a statement whose tables carry the schema already, which is what an own backend of sea-query
//! would cost at least. Reading a text for the first time is measured apart.
//!
//! ```text
//! cargo bench -p xcore --features postgres --bench in_full
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench")]

#[allow(dead_code, unreachable_pub, unused_imports, reason = "a part of the library, which uses all of it")]
#[path = "../src/db/postgres/qualify/mod.rs"]
mod qualify;

use std::hash::BuildHasher;
use std::hint::black_box;
use std::time::Duration;

use sea_orm::sea_query::{
    self, Alias, Expr, ExprTrait, Iden, InsertStatement, IntoTableRef, Order, Query, SelectStatement,
    TableRef, UpdateStatement,
};
use sea_orm::{DbBackend, Statement};

use qualify::{Analysis, Templates};

const ROUNDS: usize = 9;
const STATEMENTS: usize = 100_000;
/// How many texts are read for the first time.
const TEXTS: usize = 1_000;

#[derive(Iden)]
enum Cake {
    Table,
    Id,
    Name,
    Price,
    BakeryId,
}

#[derive(Iden)]
enum Bakery {
    Table,
    Id,
    Name,
    CityId,
}

#[derive(Iden)]
enum City {
    Table,
    Id,
    Name,
}

/// A table, in a schema if there is one.
fn table(schema: Option<&str>, name: impl Iden + 'static) -> TableRef {
    match schema {
        Some(schema) => (Alias::new(schema), name).into_table_ref(),
        None => name.into_table_ref(),
    }
}

fn by_id(schema: Option<&str>) -> SelectStatement {
    let columns = [Cake::Id, Cake::Name, Cake::Price, Cake::BakeryId].map(|column| (Cake::Table, column));
    let mut select = Query::select();
    select.columns(columns).from(table(schema, Cake::Table));
    select.and_where(Expr::col((Cake::Table, Cake::Id)).eq(7)).limit(1);
    select
}

fn joined(schema: Option<&str>) -> SelectStatement {
    let mut select = Query::select();
    select
        .columns([(Cake::Table, Cake::Id), (Cake::Table, Cake::Name)])
        .column((Bakery::Table, Bakery::Name))
        .column((City::Table, City::Name))
        .from(table(schema, Cake::Table))
        .inner_join(
            table(schema, Bakery::Table),
            Expr::col((Cake::Table, Cake::BakeryId)).equals((Bakery::Table, Bakery::Id)),
        )
        .left_join(
            table(schema, City::Table),
            Expr::col((Bakery::Table, Bakery::CityId)).equals((City::Table, City::Id)),
        )
        .and_where(Expr::col((Cake::Table, Cake::Price)).gt(100))
        .and_where(Expr::col((City::Table, City::Name)).is_in(["Ghent", "Jena", "Bari"]))
        .order_by((Cake::Table, Cake::Name), Order::Asc)
        .limit(50)
        .offset(100);
    select
}

fn insert(schema: Option<&str>) -> InsertStatement {
    let mut insert = Query::insert();
    insert.into_table(table(schema, Cake::Table)).columns([Cake::Name, Cake::Price, Cake::BakeryId]);
    insert.values_panic(["pie".into(), 100.into(), 7.into()]).returning_all();
    insert
}

fn update(schema: Option<&str>) -> UpdateStatement {
    let mut update = Query::update();
    update.table(table(schema, Cake::Table)).value(Cake::Price, 120);
    update.and_where(Expr::col((Cake::Table, Cake::Id)).eq(7));
    update
}

/// How long this thread has had a processor. Unlike the time that passes, it does not count who else works on the machine.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|field| field.parse().ok()).unwrap())
}

/// Nanoseconds for each of so many times.
fn time<T>(times: usize, mut run: impl FnMut(usize) -> T) -> f64 {
    let begin = processor_time();
    for number in 0..times {
        black_box(run(number));
    }
    (processor_time() - begin).as_nanos() as f64 / times as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// What xcore does with a statement that was rendered.
struct Filler {
    templates: Templates,
    hasher: foldhash::fast::RandomState,
}

impl Filler {
    fn fill(&self, statement: Statement, schema: &str) -> Statement {
        let analysis = self.templates.get(&statement.sql);
        // Asked for in what is known of the schema.
        black_box(self.hasher.hash_one(&statement.sql));
        let Analysis::Qualified(template) = &*analysis else { panic!("it is not understood: {statement}") };
        // The values are kept for another try.
        Statement {
            sql: template.fill(schema),
            values: statement.values.clone(),
            db_backend: statement.db_backend,
        }
    }
}

fn line<S: sea_orm::StatementBuilder>(name: &str, made: fn(Option<&str>) -> S, tenants: &[String]) {
    let filler = Filler { templates: Templates::default(), hasher: foldhash::fast::RandomState::default() };
    let (bare, named): (S, Vec<S>) = (made(None), tenants.iter().map(|name| made(Some(name))).collect());
    let tenant = |number: usize| number % tenants.len();
    let build = |statement: &S| DbBackend::Postgres.build(statement);
    for (number, named) in named.iter().enumerate() {
        let filled = filler.fill(build(&bare), &tenants[number]);
        assert_eq!(filled, build(named), "both ways give the same statement");
    }
    let (mut rendered, mut filled, mut own) = (Vec::new(), Vec::new(), Vec::new());
    let text = build(&bare).sql;
    // Spaces at the end make a text another one.
    let texts: Vec<String> = (0..TEXTS)
        .map(|number| format!("{text}{}", " ".repeat(number % 100) + &"\n".repeat(number / 100)))
        .collect();
    let mut first = Vec::new();
    for _ in 0..ROUNDS {
        rendered.push(time(STATEMENTS, |_| build(&bare)));
        filled.push(time(STATEMENTS, |number| filler.fill(build(&bare), &tenants[tenant(number)])));
        own.push(time(STATEMENTS, |number| build(&named[tenant(number)])));
        let templates = Templates::default();
        first.push(time(TEXTS, |number| templates.get(&texts[number])));
    }
    let [rendered, filled, own, first] = [rendered, filled, own, first].map(median);
    println!(
        "{name:<24} {:>6} {rendered:>10.0} {filled:>10.0} {own:>10.0} {:>10.0} {first:>10.0}",
        text.len(),
        filled - own
    );
}

fn main() {
    let tenants: Vec<String> = (0..100).map(|number| format!("tenant-{number}")).collect();
    println!(
        "{:<24} {:>6} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "ns for each statement", "bytes", "rendered", "filled", "own", "difference", "read once"
    );
    line("select by id", by_id, &tenants);
    line("select with two joins", joined, &tenants);
    line("insert returning", insert, &tenants);
    line("update", update, &tenants);
}
