//! Keeps notes: all three services of a tenant.

use sea_orm_migration::prelude::*;
use serde_json::{Value, json};
use xcore::prelude::*;

/// A note.
pub mod note {
    #![allow(missing_docs, reason = "columns")]
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
    #[sea_orm(table_name = "notes")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub text: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::tag::Entity")]
        Tag,
    }

    impl Related<super::tag::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Tag.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A tag of a note.
pub mod tag {
    #![allow(missing_docs, reason = "columns")]
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tags")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub note_id: i32,
        pub name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::note::Entity",
            from = "Column::NoteId",
            to = "super::note::Column::Id",
            on_delete = "Cascade"
        )]
        Note,
    }

    impl Related<super::note::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Note.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The tables of a tenant.
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let first: Box<dyn MigrationTrait> = Box::new(m0001_notes::Migration);
        std::iter::once(first).chain(super::tables::migrations()).chain(super::wide::migrations()).collect()
    }
}

mod m0001_notes {
    use sea_orm::Schema;

    use super::*;

    #[derive(DeriveMigrationName)]
    pub(super) struct Migration;

    #[async_trait::async_trait]
    impl MigrationTrait for Migration {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            let schema = Schema::new(manager.get_database_backend());
            manager.create_table(schema.create_table_from_entity(note::Entity)).await?;
            manager.create_table(schema.create_table_from_entity(tag::Entity)).await
        }
    }
}

/// The section of `xcore.yaml`.
#[derive(Deserialize, xcore::PluginConfig)]
pub struct NotesConfig {
    /// Longest note, in bytes.
    max_length: usize,
}

/// Keeps notes.
#[xcore::plugin(services(db, cache, scheduler), config = NotesConfig, migrations = Migrator)]
pub struct Notes;

/// A new note.
#[derive(Deserialize)]
pub struct NewNote {
    /// What it says.
    pub text: String,
}

/// A key and its value.
#[derive(Deserialize)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
}

#[xcore::plugin]
impl Notes {
    /// Write a note.
    #[action(post = "/", status = 201)]
    async fn write(&self, ctx: &NotesContext, Json(new): Json<NewNote>) -> Result<Json<note::Model>> {
        if new.text.len() > ctx.config.max_length {
            return Err(Error::unprocessable("the note is too long"));
        }
        let note = note::ActiveModel { text: Set(new.text), ..Default::default() };
        Ok(Json(note.insert(&ctx.db).await?))
    }

    /// All notes.
    #[action(get = "/")]
    async fn list(&self, ctx: &NotesContext) -> Result<Json<Vec<note::Model>>> {
        Ok(Json(note::Entity::find().order_by_asc(note::Column::Id).all(&ctx.db).await?))
    }

    /// One note.
    #[action(get = "/{id}")]
    async fn read(&self, ctx: &NotesContext, Path(id): Path<i32>) -> Result<Json<note::Model>> {
        let found = note::Entity::find_by_id(id).one(&ctx.db).await?;
        found.map(Json).ok_or_else(|| Error::not_found(format!("there is no note {id}")))
    }

    /// Set a cache entry.
    #[action]
    async fn remember(&self, ctx: &NotesContext, Json(entry): Json<Entry>) -> Result<StatusCode> {
        ctx.cache.set(&entry.key, &entry.value).await?;
        Ok(StatusCode::NO_CONTENT)
    }

    /// Read a cache entry.
    #[action(get = "/recall/{key}")]
    async fn recall(&self, ctx: &NotesContext, Path(key): Path<String>) -> Result<Json<Option<Value>>> {
        Ok(Json(ctx.cache.get(&key).await?))
    }

    /// The ids of the tenant's jobs.
    #[action(get = "/jobs")]
    async fn jobs(&self, ctx: &NotesContext) -> Result<Json<Vec<String>>> {
        let jobs = ctx.scheduler.list().await?;
        Ok(Json(jobs.into_iter().map(|job| job.id).collect()))
    }

    /// Write a note, and have another one written in the background: both or none.
    #[action(post = "/later/{how}")]
    async fn later(
        &self,
        ctx: &NotesContext,
        Path(how): Path<String>,
        Json(new): Json<NewNote>,
    ) -> Result<StatusCode> {
        let transaction = ctx.db.begin().await?;
        note::ActiveModel { text: Set(new.text.clone()), ..Default::default() }.insert(&transaction).await?;
        let all = vec![new.text];
        ctx.enqueue(NotesJobs::append("after".to_owned(), all)).within(&transaction).await?;
        match how.as_str() {
            "commit" => transaction.commit().await?,
            "die" => {
                transaction.commit().await?;
                // No destructor runs, as with `kill -9`.
                std::process::abort();
            }
            "savepoint" => {
                let inner = transaction.begin().await?;
                ctx.enqueue(NotesJobs::append("undone".to_owned(), Vec::new())).within(&inner).await?;
                inner.rollback().await?;
                transaction.commit().await?;
            }
            _ => transaction.rollback().await?,
        }
        Ok(StatusCode::ACCEPTED)
    }

    /// Have something done that fails for good.
    #[action(post = "/spoil")]
    async fn ask_to_spoil(&self, ctx: &NotesContext, Json(new): Json<NewNote>) -> Result<StatusCode> {
        ctx.enqueue(NotesJobs::spoil(new.text)).await?;
        Ok(StatusCode::ACCEPTED)
    }

    /// The dead letters: what each said last.
    #[action(get = "/letters")]
    async fn letters(&self, ctx: &NotesContext) -> Result<Json<Vec<Value>>> {
        let letters = ctx.scheduler.dead_letters().list().await?;
        Ok(Json(letters.into_iter().map(|letter| json!([letter.id, letter.error])).collect()))
    }

    /// Do something with a dead letter; whether there was one.
    #[action(post = "/letters/{what}")]
    async fn answer(
        &self,
        ctx: &NotesContext,
        Path(what): Path<String>,
        Json(letter): Json<NewNote>,
    ) -> Result<Json<bool>> {
        let letters = ctx.scheduler.dead_letters();
        Ok(Json(match what.as_str() {
            "retry" => letters.retry(&letter.text).await?,
            _ => letters.discard(&letter.text).await?,
        }))
    }

    /// Does nothing: what the bench measures.
    #[action(get = "/ping")]
    async fn ping(&self, _ctx: &NotesContext) -> &'static str {
        "pong"
    }

    /// For the desk only.
    #[action(internal, callers = [super::desk::Desk])]
    async fn audit(&self, ctx: &NotesContext) -> Result<Json<Value>> {
        let notes = note::Entity::find().count(&ctx.db).await?;
        Ok(Json(json!({ "tenant": ctx.tenant.id().as_str(), "notes": notes })))
    }

    /// Write a note of what is given, when asked.
    #[job]
    async fn append(&self, ctx: &NotesContext, what: String, all: Vec<String>) -> Result<()> {
        let number = note::Entity::find().count(&ctx.db).await?;
        let text = format!("{} {what} {} {number}", ctx.tenant.id(), all.join(","));
        note::ActiveModel { text: Set(text), ..Default::default() }.insert(&ctx.db).await?;
        Ok(())
    }

    /// Fail, twice.
    #[job(retries = 1, backoff = "10ms")]
    async fn spoil(&self, ctx: &NotesContext, why: String) -> Result<()> {
        let number = note::Entity::find().count(&ctx.db).await?;
        let text = format!("{} tried {why} {number}", ctx.tenant.id());
        note::ActiveModel { text: Set(text), ..Default::default() }.insert(&ctx.db).await?;
        Err(Error::internal(std::io::Error::other(format!("spoiled: {why}"))))
    }

    /// Count the notes into the cache, when asked.
    #[job]
    async fn tally(&self, ctx: &NotesContext) -> Result<()> {
        let notes = note::Entity::find().count(&ctx.db).await?;
        ctx.cache.set("tally", &json!({ "tenant": ctx.tenant.id().as_str(), "notes": notes })).await?;
        Ok(())
    }

    /// Write down whose job it is, when asked.
    #[job]
    async fn jot(&self, ctx: &NotesContext) -> Result<()> {
        let before = note::Entity::find().count(&ctx.db).await?;
        let text = format!("{} {before}", ctx.tenant.id());
        note::ActiveModel { text: Set(text), ..Default::default() }.insert(&ctx.db).await?;
        Ok(())
    }

    /// Panic, when asked.
    #[job]
    async fn stumble(&self, _ctx: &NotesContext) {
        panic!("a job that panics")
    }

    /// Once a day for every tenant.
    #[job(cron = "0 0 6 * * *")]
    async fn sweep(&self, ctx: &NotesContext) -> Result<()> {
        ctx.cache.incr("sweeps", 1).await?;
        Ok(())
    }
}
