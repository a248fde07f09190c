//! SeaORM's schema sync on the handles of this service.
//!
//! `SchemaBuilder::sync` reads what tables there are through [`sea_schema::Connection`] and makes what its entities miss through
//! [`ConnectionTrait`]. Both see what any statement of the handle sees.

use std::io;
use std::sync::Arc;

use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, RuntimeErr, Statement};

use super::backend::{DriverRow, Sql};
use super::{DatabaseError, DbSession, SharedDb, TenantDb, Transaction};

macro_rules! discovers {
    ($handle:ident) => {
        #[async_trait::async_trait]
        impl sea_schema::Connection for $handle {
            async fn query_all(&self, select: SelectStatement) -> Result<Vec<DriverRow>, sqlx::Error> {
                let dialect = self.get_database_backend();
                let asked = match of_one_schema(dialect, dialect.build(&select)) {
                    Ok(statement) => self.driver_rows(Sql::built(statement)).await,
                    Err(refused) => Err(refused.into()),
                };
                asked.map_err(driver_error)
            }

            async fn query_all_raw(&self, sql: String) -> Result<Vec<DriverRow>, sqlx::Error> {
                let dialect = self.get_database_backend();
                let asked = match of_one_schema(dialect, Statement::from_string(dialect, sql)) {
                    Ok(statement) => self.driver_rows(Sql::raw(statement)).await,
                    Err(refused) => Err(refused.into()),
                };
                asked.map_err(driver_error)
            }
        }
    };
}

discovers!(TenantDb);
discovers!(SharedDb);
discovers!(DbSession);
discovers!(Transaction);

/// A join of sea-schema's that takes equal names in two schemas for one thing. With a schema per tenant all names are equal, so a
/// tenant's sync would be misled by the tables of another tenant's version.
struct Join {
    /// What only a text with this join holds.
    sign: &'static str,
    on: &'static str,
    /// What it forgets.
    and: &'static str,
}

/// A foreign key's columns, by the name of the constraint.
const REFERENCES: Join = Join {
    sign: "constraint_column_usage",
    on: r#""referential_constraints"."constraint_name" = "constraint_column_usage"."constraint_name""#,
    and: r#"AND "referential_constraints"."constraint_schema" = "constraint_column_usage"."constraint_schema""#,
};

/// Parts of partitioned tables, which are left out by their name.
const PARTS: Join = Join {
    sign: "pg_inherits",
    on: r#""pg_inherits"."inhrelid" = "pg_class"."oid""#,
    and: r#"AND "pg_class"."relnamespace" = (SELECT "oid" FROM "pg_catalog"."pg_namespace" WHERE "nspname" = "table_schema")"#,
};

/// Why a text with such a join that is written in another way is not sent.
const UNKNOWN: &str = "this version of sea-schema asks for tables in a way that xcore does not know, which may mix the schemas of two \
     tenants; use the version of SeaORM that xcore names, and tell its maintainers";

/// The statement, asking for the tables of one schema only.
fn of_one_schema(dialect: DbBackend, statement: Statement) -> Result<Statement, DatabaseError> {
    if dialect != DbBackend::Postgres {
        return Ok(statement);
    }
    let mut text = statement.sql;
    for Join { sign, on, and } in [REFERENCES, PARTS] {
        if !text.contains(sign) {
            continue;
        }
        if !text.contains(on) {
            return Err(DatabaseError::Refused { reason: UNKNOWN });
        }
        // The names of columns are those of the tables around the join.
        let outer = if text.contains(r#""information_schema"."table_constraints""#) {
            r#""table_constraints"."table_schema""#
        } else {
            r#""tables"."table_schema""#
        };
        text = text.replace(on, &format!("{on} {}", and.replace(r#""table_schema""#, outer)));
    }
    Ok(Statement { sql: text, ..statement })
}

/// The driver's error in SeaORM's, which puts it into one of its own again. What the service says stays what it is.
fn driver_error(error: DbErr) -> sqlx::Error {
    let shared = match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => error,
        other => return sqlx::Error::Io(io::Error::other(other)),
    };
    let engine = |source| sqlx::Error::Io(io::Error::other(DatabaseError::Engine { source }));
    Arc::try_unwrap(shared).unwrap_or_else(engine)
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<String, DatabaseError> {
        let statement = Statement::from_string(DbBackend::Postgres, text.to_owned());
        of_one_schema(DbBackend::Postgres, statement).map(|statement| statement.sql)
    }

    #[test]
    fn a_join_that_is_written_in_another_way_is_not_sent() {
        assert_eq!(asked("SELECT 1").unwrap(), "SELECT 1");
        for join in [REFERENCES, PARTS] {
            assert!(asked(join.on).unwrap().starts_with(&format!("{} AND ", join.on)));
            let other = join.on.replace(" = ", " IS NOT DISTINCT FROM ");
            assert!(matches!(asked(&other), Err(DatabaseError::Refused { .. })), "{other}");
        }
    }

    #[test]
    fn what_the_service_says_is_found_below_the_error_of_a_sync() {
        let closed = || DbErr::from(DatabaseError::Closed);
        let again = |error: DbErr| DbErr::Query(RuntimeErr::SqlxError(driver_error(error).into()));
        assert!(matches!(DatabaseError::find_in(&again(closed())), Some(DatabaseError::Closed)));
        let held = closed();
        let again = again(held.clone());
        assert!(DatabaseError::is_unavailable_in(&again), "also when another holds it: {again:?}");
    }
}
