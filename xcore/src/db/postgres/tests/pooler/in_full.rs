//! Why no statement is sent by itself behind a pooler, though it names its tables in full (ADR 12).

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use sqlx::{Executor, Row};

use super::super::bake;
use super::Behind;

/// A statement as it would be sent, in one autocommit transaction. There is no such cake.
const IN_FULL: &str = "SELECT upper(name) AS name FROM \"acme\".\"cake\" WHERE id = 2";

/// What a tenant may define for itself.
const OWN: &str = "CREATE TABLE globex.heard (what text);
     CREATE FUNCTION globex.upper(text) RETURNS text LANGUAGE sql AS 'INSERT INTO globex.heard VALUES ($1) RETURNING what';
     CREATE FUNCTION globex.same(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
     CREATE OPERATOR globex.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = globex.same);
     CREATE FUNCTION globex.leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         PERFORM set_config('search_path', 'globex, pg_catalog', false); RETURN NEW; END $$;
     CREATE TRIGGER leave BEFORE INSERT ON globex.cake FOR EACH ROW EXECUTE FUNCTION globex.leave()";

async fn by_itself(behind: &Behind, text: &'static str) -> Vec<String> {
    let mut client = behind.kitchen.pool().fresh().await;
    let rows = client.raw().fetch_all(text).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_statement_in_full_by_itself_would_meet_what_another_user_of_the_session_left() {
    let behind = Behind::new(1).await;
    let kitchen = &behind.kitchen;
    let (acme, globex) = (kitchen.tenant("acme").await, kitchen.tenant("globex").await);
    bake(&acme, "secret").await;
    kitchen.known(&["acme", "globex"], &[]).await;
    // The trigger is not noticed yet.
    let _unnoticed = kitchen.postgres.pool.watching.lock().await;
    kitchen.sql(OWN).await;
    for is_hidden in [false, true] {
        assert!(by_itself(&behind, IN_FULL).await.is_empty());
        if is_hidden {
            bake(&globex, "tart").await;
        } else {
            // Another program on the same pooler.
            by_itself(&behind, "SET search_path = globex, pg_catalog").await;
        }
        assert_eq!(by_itself(&behind, IN_FULL).await, ["secret"], "by the operator of another tenant");
        assert_eq!(by_itself(&behind, "SELECT what FROM globex.heard").await, ["secret"]);
        // As a unit it finds the session as good as new.
        let text = "SELECT upper(name) AS name FROM cake WHERE id = 2";
        let own = acme.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.unwrap();
        assert!(own.is_empty());
        assert_eq!(by_itself(&behind, "DELETE FROM globex.heard RETURNING what").await, ["secret"]);
    }
}
