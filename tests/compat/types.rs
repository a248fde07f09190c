//! A table with a column of every type that both dialects know, and on PostgreSQL one of those that only it knows.
#![allow(unreachable_pub, reason = "what the macros of SeaORM write")]

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(8))")]
pub(crate) enum Size {
    #[sea_orm(string_value = "S")]
    Small,
    #[sea_orm(string_value = "L")]
    Large,
}

#[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub(crate) enum Colour {
    #[sea_orm(num_value = 0)]
    Black,
    #[sea_orm(num_value = -7)]
    White,
}

/// A type of the database on PostgreSQL, text on SQLite.
#[derive(Clone, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Enum", enum_name = "tea")]
pub(crate) enum Tea {
    #[sea_orm(string_value = "EverydayTea")]
    Everyday,
    #[sea_orm(string_value = "BreakfastTea")]
    Breakfast,
}

/// What is kept as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Address {
    pub street: String,
    pub number: u32,
}

pub(crate) mod kinds {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
    #[sea_orm(table_name = "kinds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub flag: bool,
        pub small: i16,
        pub int: i32,
        pub big: i64,
        pub float: f32,
        pub double: f64,
        #[sea_orm(column_type = "Decimal(Some((16, 4)))")]
        pub decimal: Decimal,
        pub char: String,
        #[sea_orm(column_type = "Text")]
        pub text: String,
        pub bytes: Vec<u8>,
        pub uuid: Option<Uuid>,
        pub date: Date,
        pub time: Time,
        pub date_time: DateTime,
        pub utc: DateTimeUtc,
        pub zoned: DateTimeWithTimeZone,
        pub json: Json,
        #[sea_orm(column_type = "JsonBinary")]
        pub jsonb: Option<Json>,
        #[sea_orm(column_type = "Json")]
        pub address: Option<Address>,
        pub size: Size,
        pub colour: Option<Colour>,
        pub tea: Option<Tea>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Arrays, which SQLite has none of.
#[cfg(feature = "postgres")]
pub(crate) mod arrays {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "arrays")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub flags: Vec<bool>,
        pub ints: Vec<i32>,
        pub bigs: Option<Vec<i64>>,
        pub doubles: Vec<f64>,
        pub texts: Vec<String>,
        pub uuids: Vec<Uuid>,
        pub dates: Vec<Date>,
        pub instants: Vec<DateTimeUtc>,
        pub decimals: Vec<Decimal>,
        pub teas: Vec<Tea>,
        pub colours: Vec<Colour>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
