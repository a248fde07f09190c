//! What each task does, and what a tenant's own code does unseen.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, PaginatorTrait, Statement,
    TransactionTrait,
};

use super::super::{cake, id, new};
use super::{HIDING, TENANTS, World, name_of, raw};
use crate::db::DatabaseError;

impl World {
    pub(super) async fn operate(self: Arc<Self>, kind: u64, tenant: usize) -> Result<(), DbErr> {
        let db = self.kitchen.handle(&name_of(tenant));
        match kind {
            0..=2 => {
                let rows = cake::Entity::find().all(&db).await?;
                self.look(&rows, tenant);
            }
            3..=5 => {
                let token = self.token(tenant);
                new(&token).insert(&db).await?;
                self.acknowledge([token], tenant);
            }
            6 => {
                let tokens = [self.token(tenant), self.token(tenant)];
                let transaction = db.begin().await?;
                new(&tokens[0]).insert(&transaction).await?;
                let inner = transaction.begin().await?;
                new(&tokens[1]).insert(&inner).await?;
                inner.commit().await?;
                transaction.commit().await?;
                self.acknowledge(tokens, tenant);
            }
            7 => {
                let token = self.token(tenant);
                self.undone.lock().unwrap().push(token.clone());
                let transaction = db.begin().await?;
                new(&token).insert(&transaction).await?;
                if token.ends_with(['0', '2', '4']) {
                    transaction.rollback().await?;
                }
            }
            8 => {
                let mut rows = cake::Entity::find().stream(&db).await?;
                let mut taken = Vec::new();
                while taken.len() < 5
                    && let Some(row) = rows.next().await
                {
                    taken.push(row?);
                }
                self.look(&taken, tenant);
            }
            9 => {
                let ghost = self.kitchen.handle("ghost");
                for _ in 0..4 {
                    match cake::Entity::find().count(&ghost).await.map_err(DatabaseError::of) {
                        Ok(_) => drop(self.tally.ghosts_served.fetch_add(1, Ordering::Relaxed)),
                        Err(DatabaseError::Missing { .. }) => {}
                        Err(other) => return Err(other.into()),
                    }
                }
            }
            26 => {
                // The schema of another tenant, by its name. With a role it is refused.
                let text = format!("SELECT * FROM {}.cake", name_of((tenant + 1) % TENANTS));
                if db.execute_unprepared(&text).await.is_ok() {
                    self.tally.foreign_reads.fetch_add(1, Ordering::Relaxed);
                }
            }
            10 => self.look_for_leaks(&db, tenant).await?,
            11 => {
                // A failed statement, and then an attempt to commit.
                let token = self.token(tenant);
                self.undone.lock().unwrap().push(token.clone());
                let transaction = db.begin().await?;
                new(&token).insert(&transaction).await?;
                let _ = transaction.execute_unprepared("SELECT 1 / 0").await;
                if transaction.commit().await.is_ok() {
                    self.acknowledge([token], tenant);
                }
            }
            12 => {
                // Raw SQL of the careful kind, with values.
                let token = self.token(tenant);
                let insert = "INSERT INTO cake (name, price) VALUES ($1, $2)";
                let values = [token.clone().into(), 1.into()];
                db.execute_raw(Statement::from_sql_and_values(DbBackend::Postgres, insert, values)).await?;
                self.acknowledge([token], tenant);
            }
            24 if self.kitchen.clients.is_some() => {
                // Behind a pooler there is no pinned session; a transaction that is moved, also in its savepoints.
                let tokens = [self.token(tenant), self.token(tenant)];
                let transaction = db.begin().await?;
                self.disturb(&transaction, 13 + (tenant as u64 % 3), tenant).await?;
                new(&tokens[0]).insert(&transaction).await?;
                let inner = transaction.begin().await?;
                self.disturb(&inner, 14, tenant).await?;
                self.look(&cake::Entity::find().all(&inner).await?, tenant);
                inner.rollback().await?;
                self.look(&cake::Entity::find().all(&transaction).await?, tenant);
                self.disturb(&transaction, 23, tenant).await?;
                new(&tokens[1]).insert(&transaction).await?;
                transaction.commit().await?;
                self.acknowledge(tokens, tenant);
            }
            24 => {
                // A pinned session that was moved, by itself and in a transaction.
                let session = db.session().await?;
                let token = self.token(tenant);
                let moves = [13, 14, 15, 22, 23];
                for kind in moves {
                    let _ = self.disturb(&session, kind, tenant).await;
                    self.look(&cake::Entity::find().all(&session).await?, tenant);
                }
                let transaction = session.begin().await?;
                self.disturb(&transaction, moves[token.len() % 2], tenant).await?;
                new(&token).insert(&transaction).await?;
                transaction.commit().await?;
                self.acknowledge([token], tenant);
                self.look(&cake::Entity::find().all(&session).await?, tenant);
            }
            25 => {
                // Looks like a column, and is a function.
                let tenant = tenant % HIDING;
                let db = self.kitchen.handle(&name_of(tenant));
                db.query_all_raw(raw("SELECT o.hidden FROM cake o LIMIT 1")).await?;
            }
            _ => self.disturb(&db, kind, tenant).await?,
        }
        Ok(())
    }

    /// SQL that alters the session in every way.
    pub(super) async fn disturb<C: ConnectionTrait>(
        &self,
        db: &C,
        kind: u64,
        tenant: usize,
    ) -> Result<(), DbErr> {
        let other = name_of((tenant + 1) % TENANTS);
        let text = match kind {
            13 => format!("SET search_path TO {other}, public"),
            14 => format!("SELECT set_config('search_path', '{other}', false)"),
            15 => "SET xcore.mark TO 'was here'".to_owned(),
            16 => "CREATE TEMP TABLE cake (id int, name text, price int); INSERT INTO pg_temp.cake VALUES (1, 'temp', 1)".to_owned(),
            17 => "LISTEN chaos".to_owned(),
            18 => "SELECT pg_try_advisory_lock(7)".to_owned(),
            19 => "PREPARE chaos AS SELECT 1".to_owned(),
            20 => "SET ROLE chaos".to_owned(),
            21 => "DECLARE chaos CURSOR WITH HOLD FOR SELECT 1".to_owned(),
            22 => {
                let token = self.token(tenant);
                self.undone.lock().unwrap().push(token.clone());
                format!("BEGIN; INSERT INTO cake (name, price) VALUES ('{token}', 1)")
            }
            _ => format!("DO $$ BEGIN PERFORM set_config('search_path', '{other}', false); END $$"),
        };
        db.execute_unprepared(&text).await.map(drop)
    }

    pub(super) async fn look_for_leaks<C: ConnectionTrait>(
        &self,
        db: &C,
        tenant: usize,
    ) -> Result<(), DbErr> {
        let text = "SELECT concat_ws(' ', nullif(current_setting('xcore.mark', true), ''), \
             (SELECT 'prepared' FROM pg_prepared_statements WHERE from_sql LIMIT 1), \
             (SELECT 'cursor' FROM pg_cursors WHERE is_holdable LIMIT 1), \
             (SELECT 'listens' FROM pg_listening_channels() LIMIT 1), \
             (SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() LIMIT 1), \
             (SELECT 'temp' FROM pg_class WHERE relnamespace = pg_my_temp_schema() LIMIT 1), \
             current_user, current_setting('search_path')) AS seen";
        let seen: String = db.query_one_raw(raw(text)).await?.unwrap().try_get("", "seen")?;
        let name = name_of(tenant);
        let roles = Arc::clone(&self.kitchen.postgres.roles);
        let user = if roles.are_used() { roles.name(&id(&name)) } else { "postgres".to_owned() };
        if seen != format!("{user} \"{name}\", public") {
            self.tally.leaked_state.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A trigger that moves the session to another tenant, and a function that leaves a table and more in it.
pub(super) fn hide(tenant: usize) -> String {
    let (own, other) = (name_of(tenant), name_of(tenant + 1));
    format!(
        "CREATE FUNCTION {own}.wanders() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM set_config('search_path', '{other}', false), set_config('xcore.mark', 'moved', false);
             RETURN NEW; END $$;
         CREATE TRIGGER wanders BEFORE INSERT ON {own}.cake FOR EACH ROW EXECUTE FUNCTION {own}.wanders();
         CREATE FUNCTION {own}.hidden(o {own}.cake) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
             CREATE TEMP TABLE IF NOT EXISTS cake AS SELECT 1 AS id, '{own}:temp'::text AS name, 1 AS price;
             LISTEN hidden; PERFORM set_config('xcore.mark', 'hidden', false), pg_try_advisory_lock(9);
             RETURN 1; END $$"
    )
}
