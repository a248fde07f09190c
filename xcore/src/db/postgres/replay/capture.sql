-- What makes the schema $1 anew, in the order of phases, and of oids within one. The session's path is that schema alone, so the server
-- leaves out its name. Phase 0 says why there is nothing that would. Phase 50 are queries for the rows of a table.
WITH rel AS MATERIALIZED (
    SELECT c.*, pg_catalog.quote_ident(c.relname) AS name FROM pg_catalog.pg_class c
    WHERE c.relnamespace = $1::text::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'c', 'f')
), col AS MATERIALIZED (
    SELECT a.*, r.relkind, r.name AS rel, pg_catalog.quote_ident(a.attname) AS name, t.typcollation, t.typstorage,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression
    FROM rel r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'c')
), seq AS MATERIALIZED (
    SELECT r.oid, r.name, r.relpersistence, d.deptype, o.name AS owner, a.attnum, a.attrelid, pg_catalog.quote_ident(a.attname) AS attname, q.seqtypid,
           pg_catalog.concat('INCREMENT BY ', q.seqincrement, ' MINVALUE ', q.seqmin, ' MAXVALUE ', q.seqmax, ' START WITH ', q.seqstart,
               ' CACHE ', q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END) AS options
    FROM rel r JOIN pg_catalog.pg_sequence q ON q.seqrelid = r.oid
    LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')
         AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
    LEFT JOIN rel o ON o.oid = d.refobjid LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
), fun AS MATERIALIZED (
    SELECT f.oid, f.prokind, f.proname, f.proowner, f.proacl,
           pg_catalog.concat(CASE f.prokind WHEN 'p' THEN 'PROCEDURE ' ELSE 'FUNCTION ' END, pg_catalog.quote_ident(f.proname),
               '(', pg_catalog.pg_get_function_identity_arguments(f.oid), ')') AS name,
           EXISTS (SELECT 1 FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_type t ON t.oid = d.refobjid
                   LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
                   WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_catalog.pg_type'::regclass
                     AND (t.typrelid <> 0 OR e.typrelid <> 0)) AS of_table
    FROM pg_catalog.pg_proc f WHERE f.pronamespace = $1::text::regnamespace
)
SELECT 0 AS phase, 0::bigint AS place, pg_catalog.concat('it has ', i.type, ' ', i.identity) AS text
FROM pg_catalog.pg_depend d CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS i
WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = $1::text::regnamespace
  AND d.classid NOT IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass)
UNION ALL
SELECT 0, 0, pg_catalog.concat('it has ', name, ', which is partitioned, inherits, is foreign, typed, temporary or in a tablespace of its own')
FROM rel r WHERE relkind IN ('p', 'f') OR relispartition OR reloftype <> 0 OR reltablespace <> 0 OR relpersistence = 't'
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE r.oid IN (i.inhrelid, i.inhparent))
UNION ALL
SELECT 0, 0, pg_catalog.concat('it has the unlogged sequence ', name) FROM seq WHERE relpersistence <> 'p' AND deptype IS DISTINCT FROM 'i'
UNION ALL
SELECT 0, 0, pg_catalog.concat('it has the type ', t.typname) FROM pg_catalog.pg_type t
WHERE t.typnamespace = $1::text::regnamespace AND (t.typtype IN ('r', 'm', 'p') OR (t.typtype = 'b' AND t.typelem = 0))
UNION ALL
SELECT 0, 0, pg_catalog.concat('it has the aggregate ', name) FROM fun WHERE prokind = 'a'
UNION ALL
SELECT 0, 0, pg_catalog.concat('the column ', rel, '.', name, ' has options') FROM col WHERE attoptions IS NOT NULL OR attgenerated NOT IN ('', 's')
UNION ALL
SELECT 10, t.oid::bigint, CASE t.typtype
    WHEN 'e' THEN pg_catalog.concat('CREATE TYPE ', pg_catalog.quote_ident(t.typname), ' AS ENUM (',
        (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid), ')')
    WHEN 'd' THEN pg_catalog.concat('CREATE DOMAIN ', pg_catalog.quote_ident(t.typname), ' AS ', pg_catalog.format_type(t.typbasetype, t.typtypmod),
        ' DEFAULT ' || t.typdefault,
        (SELECT pg_catalog.string_agg(pg_catalog.concat(' CONSTRAINT ', pg_catalog.quote_ident(c.conname), ' ', pg_catalog.pg_get_constraintdef(c.oid, true)), '' ORDER BY c.conname)
         FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid AND c.contype = 'c'), CASE WHEN t.typnotnull THEN ' NOT NULL' END)
    ELSE pg_catalog.concat('CREATE TYPE ', pg_catalog.quote_ident(t.typname), ' AS (',
        (SELECT pg_catalog.string_agg(pg_catalog.concat(c.name, ' ', pg_catalog.format_type(c.atttypid, c.atttypmod),
             CASE WHEN c.attcollation <> c.typcollation THEN ' COLLATE ' || c.attcollation::regcollation::text END), ', ' ORDER BY c.attnum)
         FROM col c WHERE c.attrelid = t.typrelid), ')') END
FROM pg_catalog.pg_type t LEFT JOIN rel r ON r.oid = t.typrelid
WHERE t.typnamespace = $1::text::regnamespace AND (t.typtype IN ('e', 'd') OR (t.typtype = 'c' AND r.relkind = 'c'))
UNION ALL
SELECT 20, oid::bigint, pg_catalog.concat('CREATE SEQUENCE ', name, ' AS ', pg_catalog.format_type(seqtypid, NULL), ' ', options)
FROM seq WHERE deptype IS DISTINCT FROM 'i'
UNION ALL
SELECT CASE WHEN of_table THEN 48 ELSE 30 END, oid::bigint,
       pg_catalog.regexp_replace(pg_catalog.pg_get_functiondef(oid), pg_catalog.concat('^(CREATE OR REPLACE (FUNCTION|PROCEDURE) )"?', $1::text, '"?\.'), '\1')
FROM fun WHERE prokind <> 'a'
UNION ALL
SELECT 40, r.oid::bigint, pg_catalog.concat('CREATE ', CASE WHEN r.relpersistence = 'u' THEN 'UNLOGGED ' END, 'TABLE ', r.name, ' (',
    (SELECT pg_catalog.string_agg(pg_catalog.concat(c.name, ' ', pg_catalog.format_type(c.atttypid, c.atttypmod),
         CASE WHEN c.attcompression <> '' THEN CASE c.attcompression WHEN 'l' THEN ' COMPRESSION lz4' ELSE ' COMPRESSION pglz' END END,
         CASE WHEN c.attcollation <> c.typcollation THEN ' COLLATE ' || c.attcollation::regcollation::text END,
         CASE WHEN c.attnotnull THEN ' NOT NULL' END,
         CASE WHEN c.attgenerated = 's' THEN pg_catalog.concat(' GENERATED ALWAYS AS (', c.expression, ') STORED')
              WHEN c.attidentity <> '' THEN (SELECT pg_catalog.concat(' GENERATED ', CASE c.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
                      ' AS IDENTITY (SEQUENCE NAME ', s.name, ' ', s.options, ')')
                  FROM seq s WHERE s.attrelid = c.attrelid AND s.attnum = c.attnum AND s.deptype = 'i')
              WHEN c.expression IS NOT NULL THEN ' DEFAULT ' || c.expression END), ', ' ORDER BY c.attnum)
     FROM col c WHERE c.attrelid = r.oid), ')', CASE WHEN r.reloptions IS NOT NULL THEN pg_catalog.concat(' WITH (', pg_catalog.array_to_string(r.reloptions, ', '), ')') END)
FROM rel r WHERE r.relkind = 'r'
UNION ALL
SELECT 41, c.attrelid::bigint, pg_catalog.concat('ALTER TABLE ', c.rel, ' ALTER COLUMN ', c.name, ' SET STORAGE ',
    CASE c.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'x' THEN 'EXTENDED' ELSE 'MAIN' END)
FROM col c WHERE c.attstorage <> c.typstorage AND c.relkind = 'r'
UNION ALL
SELECT 45, oid::bigint, pg_catalog.concat('ALTER SEQUENCE ', name, ' OWNED BY ', owner, '.', attname) FROM seq WHERE deptype = 'a'
UNION ALL
-- The times at which migrations were applied are not copied.
SELECT 50, r.oid::bigint, pg_catalog.format('SELECT %s::bigint, %L || pg_catalog.string_agg(''('' || pg_catalog.concat_ws('', '', %s) || '')'', '', '' ORDER BY ctid) FROM ONLY %s',
    r.oid, pg_catalog.concat('INSERT INTO ', r.name, ' (', pg_catalog.string_agg(c.name, ', ' ORDER BY c.attnum), ') OVERRIDING SYSTEM VALUE VALUES '),
    pg_catalog.string_agg(pg_catalog.format('pg_catalog.quote_nullable(%I::text)', c.attname), ', ' ORDER BY c.attnum), r.name)
FROM rel r JOIN col c ON c.attrelid = r.oid
WHERE r.relkind = 'r' AND c.attgenerated = '' AND NOT (r.relname ~ '^xcore_migrations_' AND c.attname = 'applied_at')
GROUP BY r.oid, r.name
UNION ALL
SELECT 51, s.oid::bigint, pg_catalog.format('SELECT %s::bigint, CASE WHEN is_called OR last_value <> %s THEN pg_catalog.format(''SELECT pg_catalog.setval(%%L, %%s, %%L)'', %L, last_value, is_called) END FROM %s',
    s.oid, q.seqstart, s.name, s.name) FROM seq s JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid
UNION ALL
SELECT CASE c.contype WHEN 'f' THEN 62 WHEN 'c' THEN 61 ELSE 60 END, c.oid::bigint,
       pg_catalog.concat('ALTER TABLE ', r.name, ' ADD CONSTRAINT ', pg_catalog.quote_ident(c.conname), ' ', pg_catalog.pg_get_constraintdef(c.oid, true))
FROM rel r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT 70, x.indexrelid::bigint, pg_catalog.pg_get_indexdef(x.indexrelid, 0, true)
FROM rel r JOIN pg_catalog.pg_index x ON x.indrelid = r.oid
WHERE r.relkind = 'r' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 75, x.indexrelid::bigint, pg_catalog.concat('ALTER TABLE ', r.name,
    CASE WHEN x.indisclustered THEN ' CLUSTER ON ' ELSE ' REPLICA IDENTITY USING INDEX ' END, pg_catalog.quote_ident(i.relname))
FROM rel r JOIN pg_catalog.pg_index x ON x.indrelid = r.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE r.relkind = 'r' AND (x.indisclustered OR x.indisreplident)
UNION ALL
SELECT 80, r.oid::bigint, pg_catalog.concat('CREATE ', CASE r.relkind WHEN 'm' THEN 'MATERIALIZED ' END, 'VIEW ', r.name,
    CASE WHEN r.reloptions IS NOT NULL THEN pg_catalog.concat(' WITH (', pg_catalog.array_to_string(r.reloptions, ', '), ')') END, ' AS ',
    pg_catalog.rtrim(pg_catalog.pg_get_viewdef(r.oid, true), '; '), CASE WHEN r.relkind = 'm' AND NOT r.relispopulated THEN ' WITH NO DATA' END)
FROM rel r WHERE r.relkind IN ('v', 'm')
UNION ALL
SELECT 81, x.indexrelid::bigint, pg_catalog.pg_get_indexdef(x.indexrelid, 0, true)
FROM rel r JOIN pg_catalog.pg_index x ON x.indrelid = r.oid WHERE r.relkind = 'm'
UNION ALL
-- What it shows is as old as its last refresh: a remark in the script, for the proof.
SELECT 82, r.oid::bigint, pg_catalog.format('SELECT %s::bigint, %L || pg_catalog.md5(pg_catalog.string_agg(m::text, ''|'' ORDER BY m::text COLLATE "C")) FROM %s m',
    r.oid, pg_catalog.concat('-- rows of ', r.name, ': '), r.name)
FROM rel r WHERE r.relkind = 'm' AND r.relispopulated
UNION ALL
SELECT 85, w.oid::bigint, pg_catalog.pg_get_ruledef(w.oid, true)
FROM rel r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 90, g.oid::bigint, pg_catalog.pg_get_triggerdef(g.oid, true) FROM rel r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT 91, g.oid::bigint, pg_catalog.concat('ALTER TABLE ', r.name,
    CASE g.tgenabled WHEN 'D' THEN ' DISABLE' WHEN 'A' THEN ' ENABLE ALWAYS' ELSE ' ENABLE REPLICA' END, ' TRIGGER ', pg_catalog.quote_ident(g.tgname))
FROM rel r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal AND g.tgenabled <> 'O'
UNION ALL
SELECT 92, r.oid::bigint, pg_catalog.concat('ALTER TABLE ', r.name, v.what)
FROM rel r CROSS JOIN LATERAL (VALUES (r.relrowsecurity, ' ENABLE ROW LEVEL SECURITY'), (r.relforcerowsecurity, ' FORCE ROW LEVEL SECURITY'),
    (r.relreplident = 'f', ' REPLICA IDENTITY FULL'), (r.relreplident = 'n' AND r.relkind = 'r', ' REPLICA IDENTITY NOTHING')) v (holds, what)
WHERE v.holds AND r.relkind = 'r'
UNION ALL
SELECT 93, p.oid::bigint, pg_catalog.concat('CREATE POLICY ', pg_catalog.quote_ident(p.polname), ' ON ', r.name,
    CASE WHEN p.polpermissive THEN ' AS PERMISSIVE' ELSE ' AS RESTRICTIVE' END, ' FOR ',
    CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, ' TO ',
    (SELECT pg_catalog.string_agg(CASE u WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(u)) END, ', ') FROM pg_catalog.unnest(p.polroles) u),
    ' USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')', ' WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM rel r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 96, r.oid::bigint, pg_catalog.concat('COMMENT ON ', CASE WHEN d.objsubid > 0 THEN 'COLUMN ' ELSE CASE r.relkind WHEN 'v' THEN 'VIEW '
        WHEN 'm' THEN 'MATERIALIZED VIEW ' WHEN 'S' THEN 'SEQUENCE ' WHEN 'c' THEN 'TYPE ' ELSE 'TABLE ' END END, r.name,
    CASE WHEN d.objsubid > 0 THEN pg_catalog.concat('.', pg_catalog.quote_ident(a.attname)) END, ' IS ', pg_catalog.quote_literal(d.description))
FROM rel r JOIN pg_catalog.pg_description d ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_class'::regclass
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid
UNION ALL
SELECT 96, f.oid::bigint, pg_catalog.concat('COMMENT ON ', f.name, ' IS ', pg_catalog.quote_literal(d.description))
FROM fun f JOIN pg_catalog.pg_description d ON d.objoid = f.oid AND d.classoid = 'pg_catalog.pg_proc'::regclass WHERE f.prokind <> 'a'
UNION ALL
SELECT 97, f.oid::bigint, pg_catalog.concat('REVOKE ALL ON ', f.name, ' FROM PUBLIC')
FROM fun f WHERE f.proacl IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(f.proacl) a WHERE a.grantee = 0)
UNION ALL
SELECT 98, o.oid::bigint, pg_catalog.concat('GRANT ', a.privilege_type, ' ON ', o.name, ' TO ',
    CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
FROM (SELECT oid, name, proowner AS owner, proacl AS acl FROM fun
      UNION ALL
      SELECT oid, pg_catalog.concat(CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END, name), relowner, relacl FROM rel WHERE relkind IN ('r', 'v', 'm', 'S')) o
CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) a WHERE a.grantee <> o.owner
ORDER BY 1, 2, 3
