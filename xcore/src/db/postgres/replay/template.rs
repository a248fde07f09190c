//! Makes the template.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use tokio::sync::OwnedSemaphorePermit;

use crate::db::postgres::connection::Connection;
use crate::db::postgres::target::Target;
use crate::db::postgres::{Postgres, claim, dropping, migrate, schema};
use crate::db::{DatabaseError, Migrations, template};

/// `xcore*` is no name that a tenant can have.
pub(super) const TEMPLATE: &str = "xcore_template";

/// Begins the comment of the schema; what follows says which migrations made it, and which program.
const MARK: &str = "a template of xcore, ";

/// The template, which nobody changes as long as this is held.
pub(in crate::db::postgres) struct Template {
    pub(super) session: Connection,
    _permit: OwnedSemaphorePermit,
}

impl Template {
    pub(in crate::db::postgres) async fn close(self) {
        self.session.close().await;
    }
}

impl Postgres {
    /// The template of this program, made anew when it is another program's.
    pub(in crate::db::postgres) async fn template(
        &self,
        migrations: &[Migrations],
    ) -> Result<Template, DatabaseError> {
        let (mut session, permit) = self.operator().await?;
        // Given free with the session.
        claim::wait_for(session.raw(), schema::template_key()).await?;
        let made = self.make(session.raw(), migrations).await;
        finish(Template { session, _permit: permit }, made).await
    }

    /// The same, unless another one makes or reads it now. With `only_present` it is not made.
    pub(super) async fn template_now(
        &self,
        migrations: &[Migrations],
        only_present: bool,
    ) -> Result<Option<Template>, DatabaseError> {
        let (mut session, permit) = self.operator().await?;
        let is_free = claim::wait_for_at_most(session.raw(), schema::template_key(), Duration::ZERO).await?;
        let is_wanted = is_free && (!only_present || mark(session.raw()).await? == Some(mark_of(migrations)));
        let template = Template { session, _permit: permit };
        if !is_wanted {
            template.close().await;
            return Ok(None);
        }
        let mut template = template;
        let made = self.make(template.session.raw(), migrations).await;
        finish(template, made).await.map(Some)
    }

    async fn make(&self, session: &mut PgConnection, migrations: &[Migrations]) -> Result<(), DatabaseError> {
        let (found, mark) = (mark(session).await?, mark_of(migrations));
        match found {
            Some(found) if found == mark => return Ok(()),
            Some(found) if !found.starts_with(MARK) => {
                return Err(DatabaseError::ForeignTemplate { schema: TEMPLATE });
            }
            Some(_) => dropping::drop_schema(session, TEMPLATE).await?,
            None => {}
        }
        template::check(migrations)?;
        let text = format!("CREATE SCHEMA {TEMPLATE}; COMMENT ON SCHEMA {TEMPLATE} IS '{MARK}unfinished'");
        session.execute(AssertSqlSafe(text)).await?;
        let target = Target::Probe(TEMPLATE);
        migrate::migrate_template(&self.options, &self.roles, target, migrations).await?;
        session.execute(AssertSqlSafe(format!("COMMENT ON SCHEMA {TEMPLATE} IS '{mark}'"))).await?;
        Ok(())
    }
}

/// Held on, or given free.
async fn finish(template: Template, made: Result<(), DatabaseError>) -> Result<Template, DatabaseError> {
    match made {
        Ok(()) => Ok(template),
        Err(problem) => {
            template.close().await;
            Err(problem)
        }
    }
}

/// The comment of the template that this program makes.
fn mark_of(migrations: &[Migrations]) -> String {
    format!("{MARK}{}", template::version(migrations))
}

/// The comment of the one that is there.
async fn mark(session: &mut PgConnection) -> Result<Option<String>, DatabaseError> {
    let text = format!(
        "SELECT coalesce(pg_catalog.obj_description(oid, 'pg_namespace'), '') FROM pg_catalog.pg_namespace WHERE nspname = '{TEMPLATE}'"
    );
    let found = session.fetch_optional(AssertSqlSafe(text)).await?;
    Ok(found.map(|row| row.try_get_unchecked(0)).transpose()?)
}
