//! Makes and drops roles.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

use super::name::quoted;
use super::{Roles, handover, password};
use crate::db::postgres::schema::{self, Found, lock_key};
use crate::db::postgres::target::Target;
use crate::db::{DatabaseError, DbRole};
use crate::tenancy::TenantId;

/// `insufficient_privilege`
const REFUSED: &str = "42501";

impl Roles {
    /// Makes the tenant's schema together with its role, or brings a schema that is there to the mode. The caller holds the lock of the schema.
    pub(in crate::db::postgres) async fn settle(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
        makes: bool,
    ) -> Result<(), DatabaseError> {
        let found = schema::look(connection, id).await?;
        match found {
            Found::Foreign => return Err(DatabaseError::Odd { tenant: *id, problem: schema::FOREIGN }),
            Found::Nothing if !makes => return Err(DatabaseError::Missing { tenant: *id }),
            Found::Nothing | Found::Tenant => {}
        }
        let has_role = self.find(connection, id).await?;
        let text = match self.mode {
            DbRole::Shared if !has_role => return Ok(()),
            DbRole::Shared => self.taking_back(id),
            DbRole::SetRole | DbRole::Login => self.giving(id, has_role, found),
        };
        // One message is one transaction.
        connection.execute(AssertSqlSafe(text)).await.map_err(|error| self.refusal(error))?;
        Ok(())
    }

    /// The statements that make the tenant's role and a schema of its own; `None` where tenants have no roles.
    pub(in crate::db::postgres) async fn creation(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
    ) -> Result<Option<String>, DatabaseError> {
        if !self.are_used() {
            return Ok(None);
        }
        let has_role = self.find(connection, id).await?;
        Ok(Some(self.giving(id, has_role, Found::Nothing)))
    }

    /// The statements that make the tenant's role the owner of a schema of its name that is there; none where tenants have no roles.
    pub(in crate::db::postgres) async fn taking(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
    ) -> Result<String, DatabaseError> {
        if !self.are_used() {
            return Ok(String::new());
        }
        let has_role = self.find(connection, id).await?;
        Ok(self.giving(id, has_role, Found::Tenant))
    }

    fn giving(&self, id: &TenantId, has_role: bool, found: Found) -> String {
        let (name, group) = (self.name(id), self.group());
        let mut text = String::new();
        if !has_role {
            let mark = quoted(&self.mark(id));
            text = format!("CREATE ROLE \"{name}\"; COMMENT ON ROLE \"{name}\" IS {mark};");
        }
        // Also when it is one already: another login of the app may have been.
        text.push_str(&format!("GRANT \"{name}\" TO CURRENT_USER; GRANT \"{group}\" TO \"{name}\";"));
        text.push_str(&match &self.secret {
            Some(secret) => {
                let verifier = password::verifier(secret, &name);
                format!("ALTER ROLE \"{name}\" LOGIN INHERIT PASSWORD '{verifier}';")
            }
            None => format!("ALTER ROLE \"{name}\" NOLOGIN INHERIT PASSWORD NULL;"),
        });
        match found {
            Found::Tenant => text.push_str(&handover::to(id, &name)),
            _ => text.push_str(&schema::creation(id, Some(&name))),
        }
        text
    }

    /// What the role has becomes the app's login's own.
    fn taking_back(&self, id: &TenantId) -> String {
        let name = self.name(id);
        format!(
            "GRANT \"{name}\" TO CURRENT_USER; REASSIGN OWNED BY \"{name}\" TO CURRENT_USER; DROP OWNED BY \"{name}\"; DROP ROLE \"{name}\""
        )
    }

    /// Whether a session of the app's login sees that the schema has a role's owner: that of a mode that was used before.
    pub(in crate::db::postgres) async fn is_owner(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
    ) -> Result<bool, DatabaseError> {
        let text = format!(
            "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = '{id}' AND pg_catalog.pg_get_userbyid(nspowner) = '{}'",
            self.name(id)
        );
        Ok(connection.fetch_optional(AssertSqlSafe(text)).await?.is_some())
    }

    /// From here on nobody logs in as the tenant, and whoever did is out. Does nothing when it has no role.
    pub(in crate::db::postgres) async fn lock_out(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
    ) -> Result<(), DatabaseError> {
        if !self.find(connection, id).await? {
            return Ok(());
        }
        let name = self.name(id);
        let text = format!("GRANT \"{name}\" TO CURRENT_USER; ALTER ROLE \"{name}\" NOLOGIN PASSWORD NULL");
        connection.execute(AssertSqlSafe(text)).await.map_err(|error| self.refusal(error))?;
        let text = format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = '{name}'"
        );
        connection.execute(AssertSqlSafe(text)).await.map_err(|error| self.refusal(error))?;
        Ok(())
    }

    /// The statements that give the tenant's role the name that belongs to another name of the tenant; none when it has no role. What is
    /// left of a role of that name is dropped before: nobody has a schema of it.
    pub(in crate::db::postgres) async fn renaming(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
        to: &TenantId,
    ) -> Result<String, DatabaseError> {
        if !self.find(connection, id).await? {
            return Ok(String::new());
        }
        self.drop_role(connection, to).await?;
        let (old, new, mark) = (self.name(id), self.name(to), quoted(&self.mark(to)));
        let mut text = format!(
            "GRANT \"{old}\" TO CURRENT_USER; ALTER ROLE \"{old}\" RENAME TO \"{new}\"; COMMENT ON ROLE \"{new}\" IS {mark}"
        );
        // A password belongs to a name.
        if let Some(secret) = &self.secret {
            let verifier = password::verifier(secret, &new);
            text.push_str(&format!("; ALTER ROLE \"{new}\" PASSWORD '{verifier}'"));
        }
        Ok(text)
    }

    /// Ends the sessions that were opened with the tenant's login.
    pub(in crate::db::postgres) async fn end_sessions(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
    ) -> Result<(), DatabaseError> {
        if self.mode == DbRole::Login {
            let name = self.name(id);
            let text = format!(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = '{name}'"
            );
            connection.execute(AssertSqlSafe(text)).await.map_err(|error| self.refusal(error))?;
        }
        Ok(())
    }

    /// Drops the tenant's role with what it still has; does nothing when there is none. The schema is gone by now.
    pub(in crate::db::postgres) async fn drop_role(
        &self,
        connection: &mut PgConnection,
        id: &TenantId,
    ) -> Result<(), DatabaseError> {
        if self.find(connection, id).await? {
            let name = self.name(id);
            let text = format!("DROP OWNED BY \"{name}\"; DROP ROLE \"{name}\"");
            connection.execute(AssertSqlSafe(text)).await.map_err(|error| self.refusal(error))?;
        }
        Ok(())
    }

    /// Whether the tenant has a role. One of its name that is somebody else's is an error.
    async fn find(&self, connection: &mut PgConnection, id: &TenantId) -> Result<bool, DatabaseError> {
        let name = self.name(id);
        match is_marked(connection, &name, &self.mark(id)).await? {
            Some(false) => Err(DatabaseError::ForeignRole { role: name }),
            found => Ok(found.is_some()),
        }
    }

    /// Makes the group, with rights to the shared tables that there are and those that this login makes later.
    ///
    /// Only once: what a migration takes from the group is not given again.
    pub(super) async fn make_group(&self, connection: &mut PgConnection) -> Result<(), DatabaseError> {
        let (group, mark) = (self.group(), self.mark_of_group());
        let found = is_marked(connection, &group, &mark).await?;
        if found == Some(false) {
            return Err(DatabaseError::ForeignRole { role: group });
        }
        let text = format!(
            "SELECT 1 FROM pg_catalog.pg_default_acl d, pg_catalog.aclexplode(d.defaclacl) a
             WHERE d.defaclrole = current_user::regrole AND d.defaclnamespace = 'public'::regnamespace
               AND pg_catalog.pg_get_userbyid(a.grantee) = '{group}'"
        );
        if found.is_some() && connection.fetch_optional(AssertSqlSafe(text)).await?.is_some() {
            return Ok(());
        }
        let text = format!(
            "SELECT pg_advisory_xact_lock({lock}); DO $xcore$ DECLARE r record; BEGIN
                IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = '{group}') THEN
                    CREATE ROLE \"{group}\" NOLOGIN;
                    COMMENT ON ROLE \"{group}\" IS {mark};
                END IF;
                -- What everybody has is not given anew: that takes the right to give it.
                IF NOT pg_catalog.has_schema_privilege('{group}', 'public', 'USAGE') THEN
                    GRANT USAGE ON SCHEMA public TO \"{group}\";
                END IF;
                IF NOT pg_catalog.has_database_privilege('{group}', pg_catalog.current_database(), 'CONNECT') THEN
                    EXECUTE pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %I', pg_catalog.current_database(), '{group}');
                END IF;
                FOR r IN SELECT c.oid::regclass AS name, c.relkind = 'S' AS is_sequence FROM pg_catalog.pg_class c
                    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
                      AND c.relname !~ '^xcore_(shared_)?migrations_' AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
                LOOP
                    IF r.is_sequence THEN
                        EXECUTE pg_catalog.format('GRANT USAGE, SELECT, UPDATE ON SEQUENCE %s TO %I', r.name, '{group}');
                    ELSE
                        EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON %s TO %I', r.name, '{group}');
                    END IF;
                END LOOP;
                ALTER DEFAULT PRIVILEGES IN SCHEMA public
                    GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON TABLES TO \"{group}\";
                ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO \"{group}\";
             END $xcore$",
            lock = lock_key(Target::Directory),
            mark = quoted(&mark),
        );
        // `regclass` must be written with its schema.
        connection.execute("SET search_path TO xcore_nobody").await?;
        connection.execute(AssertSqlSafe(text)).await.map_err(|error| self.refusal(error))?;
        Ok(())
    }

    fn refusal(&self, source: sqlx::Error) -> DatabaseError {
        if source.as_database_error().is_some_and(|error| error.code().is_some_and(|code| code == REFUSED)) {
            return DatabaseError::RoleRights { source: source.into() };
        }
        source.into()
    }
}

/// Whether the role has this mark; `None` when there is no such role.
async fn is_marked(
    connection: &mut PgConnection,
    name: &str,
    mark: &str,
) -> Result<Option<bool>, DatabaseError> {
    let text = format!(
        "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_authid') = {}, false) FROM pg_catalog.pg_roles WHERE rolname = '{name}'",
        quoted(mark)
    );
    let row = connection.fetch_optional(AssertSqlSafe(text)).await?;
    row.map(|row| Ok(row.try_get_unchecked(0)?)).transpose()
}
