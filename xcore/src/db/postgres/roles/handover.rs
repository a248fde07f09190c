//! Makes a role the owner of a schema that is there already.

use crate::tenancy::TenantId;

/// The statements that make `role` the owner of the tenant's schema and of everything in it that has an owner of its own. What belongs to an
/// extension stays as it is, and so do classes of operators, which only a superuser makes.
pub(super) fn to(id: &TenantId, role: &str) -> String {
    format!(
        "DO $xcore$ DECLARE o record; BEGIN
            IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace
                           WHERE nspname = '{id}' AND pg_catalog.pg_get_userbyid(nspowner) = '{role}') THEN
                ALTER SCHEMA \"{id}\" OWNER TO \"{role}\";
            END IF;
            FOR o IN
                SELECT CASE i.type WHEN 'composite type' THEN 'type' WHEN 'statistics object' THEN 'statistics' ELSE i.type END AS kind,
                       i.identity
                FROM pg_catalog.pg_depend d
                CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS i
                WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = '\"{id}\"'::regnamespace
                  AND i.type IN ('table', 'view', 'materialized view', 'foreign table', 'sequence', 'function', 'procedure',
                      'aggregate', 'type', 'composite type', 'domain', 'operator',
                      'collation', 'conversion', 'statistics object', 'text search dictionary',
                      'text search configuration')
                  -- A sequence of a column goes with its table, and the functions of a range are the server's. A partitioned
                  -- table depends on columns of its own.
                  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend x
                                  WHERE x.classid = d.classid AND x.objid = d.objid AND x.refobjid <> d.objid
                                    AND (x.deptype = 'e' OR (x.deptype = 'i' AND i.type <> 'type')
                                         OR (x.deptype = 'a' AND i.type = 'sequence')))
                  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_shdepend s
                                  WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
                                    AND s.classid = d.classid AND s.objid = d.objid AND s.deptype = 'o'
                                    AND s.refclassid = 'pg_catalog.pg_authid'::regclass
                                    AND s.refobjid = '\"{role}\"'::regrole)
            LOOP
                BEGIN
                    EXECUTE pg_catalog.format('ALTER %s %s OWNER TO %I', o.kind, o.identity, '{role}');
                EXCEPTION WHEN wrong_object_type THEN
                    -- A multirange goes with its range on newer servers, and not on older ones.
                    IF o.kind <> 'type' THEN RAISE; END IF;
                END;
            END LOOP;
         END $xcore$"
    )
}
