//! Values of every type, in and out, and as arguments of a filter.

use std::str::FromStr;

use sea_orm::prelude::{Date, DateTime, DateTimeUtc, DateTimeWithTimeZone, Decimal, Time, Uuid};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, JsonValue, QueryFilter,
    Set, Statement,
};
use serde_json::json;

use crate::stage::Handle;
use crate::trace::Trace;
use crate::types::{Address, Colour, Size, Tea, kinds};

fn uuid(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// Values in the middle.
fn common() -> kinds::Model {
    kinds::Model {
        id: uuid(1),
        flag: true,
        small: 300,
        int: -70_000,
        big: 5_000_000_000,
        float: 1.5,
        double: -2.25e10,
        decimal: Decimal::from_str("12345.6789").unwrap(),
        char: "grüße 🍵".to_owned(),
        text: "two\nlines, a 'quote' and \\".to_owned(),
        bytes: vec![0, 1, 254, 255],
        uuid: Some(uuid(u128::MAX)),
        date: Date::from_ymd_opt(2024, 2, 29).unwrap(),
        time: Time::from_hms_micro_opt(23, 59, 59, 123_456).unwrap(),
        date_time: DateTime::from_str("2024-02-29T01:02:03.000004").unwrap(),
        utc: DateTimeUtc::from_str("2024-02-29T01:02:03.5Z").unwrap(),
        zoned: DateTimeWithTimeZone::from_str("2024-02-29T01:02:03+05:30").unwrap(),
        json: json!({ "a": [1, null, { "b": "c" }], "é": 1.25 }),
        jsonb: Some(json!([true, {}])),
        address: Some(Address { street: "Main".to_owned(), number: 4 }),
        size: Size::Large,
        colour: Some(Colour::White),
        tea: Some(Tea::Breakfast),
    }
}

/// Nothing where there may be nothing, and the ends of the ranges.
fn extreme() -> kinds::Model {
    kinds::Model {
        id: uuid(2),
        flag: false,
        small: i16::MIN,
        int: i32::MIN,
        big: i64::MIN,
        float: f32::MAX,
        double: f64::MIN_POSITIVE,
        decimal: Decimal::from_str("-0.0001").unwrap(),
        char: String::new(),
        text: "x".repeat(70_000),
        bytes: Vec::new(),
        uuid: None,
        date: Date::from_ymd_opt(1, 1, 1).unwrap(),
        time: Time::MIN,
        date_time: DateTime::from_str("1969-12-31T23:59:59").unwrap(),
        utc: DateTimeUtc::from_str("1900-01-01T00:00:00Z").unwrap(),
        zoned: DateTimeWithTimeZone::from_str("9999-12-31T23:59:59-11:00").unwrap(),
        json: JsonValue::Null,
        jsonb: None,
        address: None,
        size: Size::Small,
        colour: None,
        tea: None,
    }
}

pub(crate) async fn run<C: Handle>(db: &C, trace: &mut Trace) {
    trace.group("values");
    for (name, model) in [("common", common()), ("extreme", extreme())] {
        let inserted = model.clone().into_active_model().insert(db).await;
        assert_eq!(inserted, Ok(model), "what was put in comes out");
        trace.step(&format!("insert, {name}"), inserted);
    }
    let third = kinds::Model { id: uuid(3), ..common() };
    trace.step(
        "exec_without_returning",
        kinds::Entity::insert(third.into_active_model()).exec_without_returning(db).await,
    );
    let all = || kinds::Entity::find().order_by_id_asc();
    trace.step("all", all().all(db).await);
    trace.step("into_json", all().into_json().all(db).await);
    let raw = Statement::from_string(db.backend(), "SELECT * FROM kinds ORDER BY id");
    let rows = db.query_all_raw(raw).await;
    trace.step(
        "raw",
        rows.map(|rows| rows.iter().map(|row| JsonValue::from_query_result(row, "")).collect::<Vec<_>>()),
    );
    filters(db, trace).await;
    let mut changed = common().into_active_model().reset_all();
    changed.json = Set(json!("text"));
    changed.jsonb = Set(None);
    changed.size = Set(Size::Small);
    changed.colour = Set(Some(Colour::Black));
    changed.tea = Set(None);
    changed.decimal = Set(Decimal::ZERO);
    trace.step("update", changed.update(db).await);
    #[cfg(feature = "postgres")]
    if db.backend() == sea_orm::DbBackend::Postgres {
        arrays(db, trace).await;
    }
}

async fn filters<C: Handle>(db: &C, trace: &mut Trace) {
    use kinds::Column as Is;
    let one = common();
    let equal = [
        ("flag", Is::Flag.eq(one.flag)),
        ("small", Is::Small.eq(one.small)),
        ("int", Is::Int.eq(one.int)),
        ("big", Is::Big.eq(one.big)),
        ("float", Is::Float.eq(one.float)),
        ("double", Is::Double.eq(one.double)),
        ("decimal", Is::Decimal.eq(one.decimal)),
        ("char", Is::Char.eq(one.char)),
        ("text", Is::Text.eq(one.text)),
        ("bytes", Is::Bytes.eq(one.bytes)),
        ("uuid", Is::Uuid.eq(one.uuid)),
        ("date", Is::Date.eq(one.date)),
        ("time", Is::Time.eq(one.time)),
        ("date_time", Is::DateTime.eq(one.date_time)),
        ("utc", Is::Utc.eq(one.utc)),
        ("zoned", Is::Zoned.eq(one.zoned)),
        ("size", Is::Size.eq(one.size)),
        ("colour", Is::Colour.eq(one.colour)),
        ("tea", Is::Tea.eq(one.tea)),
        ("teas", Is::Tea.is_in([Tea::Everyday, Tea::Breakfast])),
        ("before", Is::Utc.lt(one.utc)),
        ("less", Is::Decimal.lt(Decimal::ONE)),
    ];
    for (name, filter) in equal {
        let found = kinds::Entity::find().filter(filter).order_by_id_asc().all(db).await;
        trace
            .step(&format!("by {name}"), found.map(|rows| rows.iter().map(|row| row.id).collect::<Vec<_>>()));
    }
    trace.step("find_by_id", kinds::Entity::find_by_id(uuid(2)).one(db).await.map(|row| row.is_some()));
}

#[cfg(feature = "postgres")]
async fn arrays<C: Handle>(db: &C, trace: &mut Trace) {
    use crate::types::arrays;

    let one = common();
    let full = arrays::ActiveModel {
        id: sea_orm::NotSet,
        flags: Set(vec![true, false]),
        ints: Set(vec![1, -2, 3]),
        bigs: Set(Some(vec![i64::MAX])),
        doubles: Set(vec![0.5, -0.0]),
        texts: Set(vec!["a,b".to_owned(), "\"{}".to_owned(), String::new()]),
        uuids: Set(vec![uuid(9)]),
        dates: Set(vec![one.date]),
        instants: Set(vec![one.utc]),
        decimals: Set(vec![one.decimal, Decimal::ONE]),
        teas: Set(vec![Tea::Breakfast, Tea::Everyday]),
        colours: Set(vec![Colour::White]),
    };
    let mut empty = full.clone();
    empty.flags = Set(Vec::new());
    empty.ints = Set(Vec::new());
    empty.bigs = Set(None);
    empty.texts = Set(Vec::new());
    empty.teas = Set(Vec::new());
    trace.step("arrays, insert", full.insert(db).await);
    trace.step("arrays, empty", empty.insert(db).await);
    let all = || arrays::Entity::find().order_by_id_asc();
    trace.step("arrays, all", all().all(db).await);
    trace.step("arrays, into_json", all().select_except([arrays::Column::Teas]).into_json().all(db).await);
    use sea_orm::sea_query::Expr;
    use sea_orm::sea_query::extension::postgres::PgExpr;
    let has = Expr::col(arrays::Column::Ints).contains(vec![1, 3]);
    trace.step("arrays, contains", all().filter(has).all(db).await);
    let any = Expr::cust("3 = ANY(\"ints\")");
    trace.step("arrays, any", all().filter(any).all(db).await);
    let cast = Expr::cust_with_values("\"id\" = ANY($1)", [vec![1, 5]]);
    trace.step("arrays, as an argument", all().filter(cast).all(db).await);
}
