//! The tables made, filled, emptied and dumped, all through the handle itself.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, FromQueryResult, IntoActiveModel,
    JsonValue, PrimaryKeyTrait, Schema, Set, Statement, TransactionSession, TransactionTrait,
};

use crate::tables::{author, comment, follow, post, post_tag, profile, setting, staff, stamp, tag, ticket};
use crate::types::kinds;

/// Every table, those that point to others after them.
const TABLES: [&str; 12] = [
    "author", "profile", "post", "comment", "tag", "post_tag", "follow", "staff", "stamp", "setting",
    "ticket", "kinds",
];

/// Those whose ids the database counts.
const NUMBERED: [&str; 7] = ["author", "profile", "post", "comment", "tag", "staff", "ticket"];

/// Makes the tables of the entities, as `SchemaBuilder::apply` does.
pub(crate) async fn create<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let builder = Schema::new(db.get_database_backend()).builder();
    let builder = builder
        .register(author::Entity)
        .register(profile::Entity)
        .register(post::Entity)
        .register(comment::Entity)
        .register(tag::Entity)
        .register(post_tag::Entity)
        .register(follow::Entity)
        .register(staff::Entity)
        .register(stamp::Entity)
        .register(setting::Entity)
        .register(ticket::Entity)
        .register(kinds::Entity);
    builder.apply(db).await?;
    // The type of an array's items is not made for it.
    #[cfg(feature = "postgres")]
    if db.get_database_backend() == DbBackend::Postgres {
        let builder = Schema::new(DbBackend::Postgres).builder();
        builder.register(crate::types::arrays::Entity).apply(db).await?;
    }
    Ok(())
}

/// Empties the tables, so that ids begin at one, and fills them. Everything that is put in says whose it is.
pub(crate) async fn reset<C>(db: &C, whose: &str) -> Result<(), DbErr>
where
    C: ConnectionTrait + TransactionTrait,
{
    let transaction = db.begin().await?;
    let mut script = String::new();
    for table in TABLES.iter().rev() {
        script += &format!("DELETE FROM \"{table}\";");
    }
    if db.get_database_backend() == DbBackend::Postgres {
        script += "DELETE FROM arrays; SELECT setval(pg_get_serial_sequence('arrays', 'id'), 1, false);";
        for table in NUMBERED {
            script += &format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1, false);");
        }
    } else {
        script += "DELETE FROM sqlite_sequence;";
    }
    transaction.execute_unprepared(&script).await?;
    fill(&transaction, whose).await?;
    transaction.commit().await
}

async fn fill<C: ConnectionTrait>(db: &C, whose: &str) -> Result<(), DbErr> {
    for (name, age) in [("Ann", Some(41)), ("Bob", None), ("Cem", Some(29)), ("Dora", Some(41))] {
        author::ActiveModel {
            name: Set(format!("{name} of {whose}")),
            email: Set(format!("{}@{whose}", name.to_lowercase())),
            age: Set(age),
            ..Default::default()
        }
        .insert(db)
        .await?;
    }
    for author_id in [1, 3] {
        let picture = Set(format!("{author_id}.png"));
        let new = profile::ActiveModel { picture, author_id: Set(author_id), ..Default::default() };
        new.insert(db).await?;
    }
    for (author_id, title, views) in [(1, "Tea", 5), (1, "Sea", 0), (2, "Rust", 9), (3, "Birds", 5)] {
        let title = Set(title.to_owned());
        let new =
            post::ActiveModel { author_id: Set(author_id), title, views: Set(views), ..Default::default() };
        new.insert(db).await?;
    }
    for (post_id, text) in [(1, "yes"), (1, "no"), (3, "more"), (3, "less"), (3, "stop"), (4, "oh")] {
        let new =
            comment::ActiveModel { post_id: Set(post_id), text: Set(text.to_owned()), ..Default::default() };
        new.insert(db).await?;
    }
    for label in ["drink", "water", "code", "unused"] {
        tag::ActiveModel { label: Set(label.to_owned()), ..Default::default() }.insert(db).await?;
    }
    for (post_id, tag_id) in [(1, 1), (1, 2), (2, 2), (3, 3), (4, 2)] {
        post_tag::Model { post_id, tag_id }.into_active_model().insert(db).await?;
    }
    for (author_id, follower_id) in [(1, 2), (1, 3), (2, 1), (4, 1)] {
        follow::Model { author_id, follower_id }.into_active_model().insert(db).await?;
    }
    for (name, manager_id) in [("Head", None), ("Left", Some(1)), ("Right", Some(1)), ("Hand", Some(2))] {
        let (name, manager_id) = (Set(name.to_owned()), Set(manager_id));
        staff::ActiveModel { name, manager_id, ..Default::default() }.insert(db).await?;
    }
    for (series, year, number) in
        [("a", 1999, 1), ("a", 1999, 2), ("a", 2001, 1), ("b", 1999, 1), ("b", 2001, 7)]
    {
        let new = stamp::Model { series: series.to_owned(), year, number, note: Some(whose.to_owned()) };
        new.into_active_model().insert(db).await?;
    }
    let new = setting::Model { key: "owner".to_owned(), value: whose.to_owned() };
    new.into_active_model().insert(db).await?;
    Ok(())
}

/// Every row of every table, in the order of its key.
pub(crate) async fn dump<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let mut all = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT * FROM \"{table}\"");
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await?;
        for row in rows {
            all.push(format!("{table} {}", JsonValue::from_query_result(&row, "")?));
        }
    }
    all.sort();
    Ok(all)
}

/// The rows of one entity, in the order of its key, as text.
pub(crate) async fn all<E, C>(db: &C) -> Result<Vec<E::Model>, DbErr>
where
    E: EntityTrait,
    E::PrimaryKey: PrimaryKeyTrait,
    C: ConnectionTrait,
{
    E::find().order_by_id_asc().all(db).await
}
