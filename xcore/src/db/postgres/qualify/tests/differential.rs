//! Statements give the same answers both ways.

use sea_orm::sea_query::{
    Alias, Asterisk, CaseStatement, CommonTableExpression, Cond, Expr, ExprTrait, Func, JoinType, LockType,
    OnConflict, Order, PostgresQueryBuilder, Query, SelectStatement, UnionType, WindowStatement, WithClause,
};

use super::super::analysis::{Analysis, analyse};
use super::super::mutants::Mutant;
use super::super::plain::PLAIN_SCHEMAS;
use super::server::{Answer, Connection};

pub(super) const TENANTS: &str = "
    CREATE SCHEMA acme; CREATE SCHEMA globex;
    DO $$
    DECLARE s text; k int;
    BEGIN
        FOR s, k IN VALUES ('acme', 0), ('globex', 100), ('public', 200) LOOP
            EXECUTE format('CREATE TABLE %I.cake (id int PRIMARY KEY, name text UNIQUE, price int,
                tags text[], data jsonb, code uuid)', s);
            EXECUTE format('CREATE TABLE %I.fruit (id int PRIMARY KEY, cake_id int, name text)', s);
            EXECUTE format('CREATE TABLE %I.old_cake (id int, name text)', s);
            EXECUTE format('CREATE TABLE %I.\"Odd name\" (id int, \"select\" int)', s);
            EXECUTE format('INSERT INTO %I.cake SELECT i + %s, ''cake '' || i + %s, i * 3 %% 7 + %s,
                ARRAY[''a'', ''t'' || i], jsonb_build_object(''k'', i + %s, ''l'', jsonb_build_array(i))
                FROM generate_series(1, 8) i', s, k, k, k, k);
            EXECUTE format('INSERT INTO %I.fruit SELECT i + %s, i %% 5 + %s, ''fruit '' || i + %s
                FROM generate_series(1, 12) i', s, k, k, k);
            EXECUTE format('INSERT INTO %I.\"Odd name\" SELECT i, i + %s FROM generate_series(1, 3) i', s, k);
            EXECUTE format('CREATE VIEW %I.cheap AS SELECT * FROM %I.cake WHERE price %% 2 = 0', s, s);
        END LOOP;
    END $$;";

fn a(name: &'static str) -> Alias {
    Alias::new(name)
}

fn col(table: &'static str, column: &'static str) -> Expr {
    Expr::col((a(table), a(column)))
}

/// Conditions as an entity's filters render them.
fn conditions() -> Vec<Cond> {
    vec![
        Cond::all(),
        Cond::all().add(col("cake", "id").eq(3)),
        Cond::all().add(col("cake", "id").gt(2)).add(col("cake", "price").lte(4)),
        Cond::any().add(col("cake", "name").like("cake 1%")).add(col("cake", "name").is_null()),
        Cond::all().add(col("cake", "id").is_in([1, 2, 5, 101, 202])),
        Cond::all().add(col("cake", "id").between(2, 6)).add(col("cake", "tags").is_not_null()),
        Cond::all().not().add(col("cake", "id").eq(1)).add(col("cake", "id").eq(2)),
        Cond::all().add(Expr::exists(
            Query::select()
                .expr(Expr::val(1))
                .from(a("fruit"))
                .and_where(col("fruit", "cake_id").equals((a("cake"), a("id"))))
                .take(),
        )),
        Cond::all().add(
            col("cake", "id").in_subquery(
                Query::select()
                    .column((a("fruit"), a("cake_id")))
                    .from(a("fruit"))
                    .and_where(col("fruit", "id").lt(105))
                    .take(),
            ),
        ),
        Cond::all().add(Expr::expr(Func::lower(col("cake", "name"))).eq("cake 2")),
        Cond::all().add(col("cake", "name").cast_as(a("text")).ne("x")),
    ]
}

fn selects() -> Vec<SelectStatement> {
    let base =
        || Query::select().columns([(a("cake"), a("id")), (a("cake"), a("name"))]).from(a("cake")).to_owned();
    let mut shapes: Vec<SelectStatement> = vec![
        base(),
        base().limit(3).offset(1).to_owned(),
        base().distinct().to_owned(),
        base().lock(LockType::Update).to_owned(),
        base().lock_with_tables(LockType::Share, [a("cake")]).to_owned(),
        base()
            .left_join(a("fruit"), col("fruit", "cake_id").equals((a("cake"), a("id"))))
            .expr_as(col("fruit", "id"), a("B_id"))
            .to_owned(),
        base()
            .inner_join(a("fruit"), col("fruit", "cake_id").equals((a("cake"), a("id"))))
            .column((a("fruit"), Asterisk))
            .to_owned(),
        base()
            .join_as(
                JoinType::LeftJoin,
                a("fruit"),
                a("r0"),
                col("r0", "cake_id").equals((a("cake"), a("id"))),
            )
            .column((a("r0"), a("name")))
            .to_owned(),
        base()
            .join_as(
                JoinType::InnerJoin,
                a("cake"),
                a("other"),
                col("other", "id").equals((a("cake"), a("price"))),
            )
            .to_owned(),
        base().full_outer_join(a("fruit"), col("fruit", "id").equals((a("cake"), a("id")))).to_owned(),
        base()
            .join_lateral(
                JoinType::LeftJoin,
                Query::select()
                    .expr_as(col("fruit", "id").max(), a("m"))
                    .from(a("fruit"))
                    .and_where(col("fruit", "cake_id").equals((a("cake"), a("id"))))
                    .take(),
                a("lat"),
                Expr::val(true),
            )
            .column((a("lat"), a("m")))
            .to_owned(),
        base().expr_as(Expr::case(col("cake", "price").gt(3), "dear").finally("cheap"), a("kind")).to_owned(),
        base().expr(CaseStatement::new().case(col("cake", "price").eq(0), Expr::val("free"))).to_owned(),
        base()
            .expr_window_as(
                Expr::cust("row_number()"),
                WindowStatement::partition_by((a("cake"), a("price")))
                    .order_by((a("cake"), a("id")), Order::Asc)
                    .to_owned(),
                a("n"),
            )
            .to_owned(),
        base()
            .expr_as(
                Expr::SubQuery(
                    None,
                    Box::new(Query::select().expr(Expr::col(a("id")).count()).from(a("fruit")).take().into()),
                ),
                a("fruits"),
            )
            .to_owned(),
        base()
            .expr(Func::coalesce([col("cake", "name"), Expr::val("none")]))
            .expr(Func::char_length(col("cake", "name")))
            .to_owned(),
        base().expr(Expr::cust("\"cake\".\"data\" ->> 'k'")).to_owned(),
    ];
    shapes.push(
        Query::select()
            .column((a("cake"), a("price")))
            .expr(Expr::col((a("cake"), a("id"))).count())
            .expr(Expr::col((a("cake"), a("id"))).sum())
            .from(a("cake"))
            .add_group_by([col("cake", "price")])
            .and_having(Expr::col((a("cake"), a("id"))).count().gte(1))
            .to_owned(),
    );
    shapes
}

/// Statements as SeaORM builds them with the public API of its query builder.
pub(super) fn built() -> Vec<String> {
    let mut all = Vec::new();
    for select in selects() {
        for condition in conditions() {
            let select = select.clone().cond_where(condition).to_owned();
            all.push(select.to_string(PostgresQueryBuilder));
        }
        // The paginator's count, and a query in FROM.
        all.push(
            Query::select()
                .expr_as(Expr::cust("COUNT(*)"), a("num_items"))
                .from_subquery(select.clone().clear_order_by().to_owned(), a("sub_query"))
                .to_string(PostgresQueryBuilder),
        );
    }
    for condition in conditions() {
        let by_id = Query::select().column(a("id")).from(a("cake")).cond_where(condition.clone()).to_owned();
        let fruits = Query::select().column(a("id")).from(a("fruit")).to_owned();
        for kind in [UnionType::All, UnionType::Distinct, UnionType::Intersect, UnionType::Except] {
            all.push(by_id.clone().union(kind, fruits.clone()).to_string(PostgresQueryBuilder));
        }
        // A common table expression, also one that hides a table.
        for name in ["recent", "cake", "fruit"] {
            let cte = CommonTableExpression::new()
                .query(by_id.clone())
                .column(a("id"))
                .table_name(a(name))
                .to_owned();
            let outer = Query::select()
                .column((a(name), a("id")))
                .from(a(name))
                .inner_join(a("fruit"), col(name, "id").lt(50))
                .to_owned();
            all.push(
                outer
                    .clone()
                    .with(WithClause::new().cte(cte.clone()).to_owned())
                    .to_string(PostgresQueryBuilder),
            );
            let plain = Query::select().column(Asterisk).from(a(name)).to_owned();
            all.push(plain.with(WithClause::new().cte(cte).to_owned()).to_string(PostgresQueryBuilder));
        }
        // Changes.
        let mut update = Query::update();
        update.table(a("cake")).value(a("price"), col("cake", "price").add(10)).cond_where(condition.clone());
        all.push(update.to_string(PostgresQueryBuilder));
        all.push(
            update
                .value(a("name"), "x")
                .returning(Query::returning().columns([a("id"), a("name")]))
                .to_string(PostgresQueryBuilder),
        );
        let mut delete = Query::delete();
        delete.from_table(a("cake")).cond_where(condition.clone());
        all.push(delete.to_string(PostgresQueryBuilder));
        all.push(delete.returning_all().to_string(PostgresQueryBuilder));
        let mut from = Query::update();
        from.table(a("cake"))
            .from(a("fruit"))
            .value(a("price"), col("fruit", "id"))
            .cond_where(condition.clone())
            .and_where(col("fruit", "id").equals((a("cake"), a("id"))));
        all.push(from.to_string(PostgresQueryBuilder));
        let mut insert = Query::insert();
        let source =
            Query::select().columns([a("id"), a("name")]).from(a("cake")).cond_where(condition).to_owned();
        insert.into_table(a("old_cake")).columns([a("id"), a("name")]).select_from(source).unwrap();
        all.push(insert.to_string(PostgresQueryBuilder));
    }
    for id in [1, 2, 50, 101, 201] {
        let mut insert = Query::insert();
        insert.into_table(a("cake")).columns([a("id"), a("name"), a("price")]);
        insert.values_panic([id.into(), "new".into(), 5.into()]);
        all.push(insert.to_string(PostgresQueryBuilder));
        all.push(insert.clone().returning_all().to_string(PostgresQueryBuilder));
        insert.values_panic([(id + 1000).into(), "more".into(), 6.into()]);
        all.push(
            insert
                .clone()
                .on_conflict(OnConflict::column(a("id")).do_nothing().to_owned())
                .to_string(PostgresQueryBuilder),
        );
        all.push(
            insert
                .clone()
                .on_conflict(OnConflict::column(a("id")).update_columns([a("name"), a("price")]).to_owned())
                .returning_all()
                .to_string(PostgresQueryBuilder),
        );
        let sum = OnConflict::column(a("id"))
            .value(a("price"), col("cake", "price").add(col("excluded", "price")))
            .action_and_where(col("cake", "id").lt(3))
            .to_owned();
        all.push(
            insert
                .on_conflict(sum)
                .returning(Query::returning().column(a("price")))
                .to_string(PostgresQueryBuilder),
        );
    }
    all
}

/// Statements as people write them: all cases of the file that begin with SELECT and its like, against these
/// tables.
pub(super) const RAW: &str = include_str!("raw.sql");

/// Runs one statement and looks at all tables behind it, then undoes it.
pub(super) fn outcome(connection: &mut Connection, path: &str, text: &str) -> (Answer, Vec<Answer>) {
    connection.run(&format!("BEGIN; SET LOCAL search_path = {path}"));
    let mut answer = connection.ask(text);
    if let Ok((rows, _)) = &mut answer {
        // Without ORDER BY the order is free.
        if !text.contains("ORDER BY") {
            rows.sort();
        }
    } else {
        connection.run("ROLLBACK");
        return (answer, Vec::new());
    }
    let mut tables = Vec::new();
    for schema in ["acme", "globex", "public"] {
        for table in ["cake", "fruit", "old_cake"] {
            tables.push(connection.ask(&format!("SELECT * FROM {schema}.{table} t ORDER BY t")));
        }
    }
    connection.run("ROLLBACK");
    (answer, tables)
}

/// What became of a corpus.
#[derive(Default)]
struct Tally {
    qualified: usize,
    switched: usize,
    /// Qualified, and an error both ways.
    failed: usize,
    differences: Vec<String>,
}

fn compare<'a>(connection: &mut Connection, texts: impl Iterator<Item = &'a str>) -> Tally {
    let mut tally = Tally::default();
    for text in texts {
        match analyse(text) {
            Analysis::Qualified(template) => {
                tally.qualified += 1;
                let filled = template.fill("acme");
                let expected = outcome(connection, "acme, public", text);
                let found = outcome(connection, "pg_catalog", &filled);
                if expected != found {
                    tally.differences.push(format!("{text}\n{filled}\n{:?}\n{:?}", expected.0, found.0));
                } else if expected.0.is_err() {
                    tally.failed += 1;
                }
            }
            Analysis::Switched(_) => tally.switched += 1,
        }
    }
    tally
}

fn raw() -> impl Iterator<Item = &'static str> {
    RAW.lines().filter(|line| !line.is_empty() && !line.starts_with("--"))
}

#[test]
fn statements_give_the_same_answers_both_ways() {
    let mut connection = Connection::database("differential", TENANTS);
    assert_eq!(connection.one(&PLAIN_SCHEMAS.replace("$1", "'{acme}'")), "acme");
    let built = built();
    for (name, tally, least) in [
        ("built", compare(&mut connection, built.iter().map(String::as_str)), 98),
        ("raw", compare(&mut connection, raw()), 80),
    ] {
        let Tally { qualified, switched, failed, differences } = tally;
        let all = qualified + switched;
        eprintln!("{name}: {qualified} of {all} qualified, {switched} switched, {failed} fail both ways");
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert!(qualified * 100 >= all * least, "only {qualified} of {all} {name} ones were qualified");
        assert!(failed * 100 <= all * 8, "{failed} statements fail");
    }
    assert!(built.len() >= 300, "only {} statements were built", built.len());
}

#[test]
fn a_broken_rule_is_noticed() {
    let mut connection = Connection::database("mutants", TENANTS);
    for mutant in Mutant::ALL {
        Mutant::set(Some(mutant));
        let tally = compare(&mut connection, raw());
        Mutant::set(None);
        assert!(!tally.differences.is_empty(), "{mutant:?} was not noticed");
    }
}

#[test]
fn the_decoys_would_be_seen() {
    let mut connection = Connection::database("decoys", TENANTS);
    // A table that is not qualified, where `public` is in the path; a wrong schema; a common table expression
    // that is taken for a table.
    for (text, mutant) in [
        ("SELECT * FROM cake", "SELECT * FROM public.cake"),
        ("SELECT * FROM cake", "SELECT * FROM globex.cake"),
        ("UPDATE cake SET price = 1", "UPDATE globex.cake SET price = 1"),
        (
            "WITH cake AS (SELECT 1 AS id) SELECT id FROM cake",
            "WITH cake AS (SELECT 1 AS id) SELECT id FROM acme.cake",
        ),
    ] {
        assert_ne!(
            outcome(&mut connection, "acme, public", text),
            outcome(&mut connection, "pg_catalog", mutant)
        );
    }
}
