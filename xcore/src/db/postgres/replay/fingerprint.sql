-- What the schemas $1 hold, one row for each part: the schema, the part, what it is. Nothing of it is a number that the server gave.
--
-- The name of the schema itself is left out where it stands before a name. Of definitions that is done with $2 only: an alias of a view may
-- be equal to it. Without $2 the session's path must be the one schema that is asked for, and the server leaves the name out by itself.
WITH space AS MATERIALIZED (
    SELECT n.oid, n.nspname::text AS name, pg_catalog.concat('(^|[^[:alnum:]_$".])("?)', n.nspname, '\2\.') AS own
    FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1::text[])
), rel AS MATERIALIZED (
    SELECT c.oid, c.relnamespace AS space, c.relkind, c.relowner, c.relacl, c.reloptions, c.relpersistence, c.relrowsecurity,
           c.relforcerowsecurity, c.relreplident, c.relispartition, c.relpartbound,
           pg_catalog.concat(CASE c.relkind WHEN 'v' THEN 'view ' WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence '
                                WHEN 'c' THEN 'type ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END, c.relname) AS label
    FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'c', 'f')
), item AS (
    SELECT r.space, r.label AS object,
           pg_catalog.concat_ws(', ', CASE r.relkind WHEN 'p' THEN 'partitioned by ' || pg_catalog.pg_get_partkeydef(r.oid) ELSE 'there' END,
               CASE WHEN r.relpersistence = 'u' THEN 'unlogged' END,
               CASE WHEN r.relrowsecurity THEN 'row security' END, CASE WHEN r.relforcerowsecurity THEN 'forced row security' END,
               CASE WHEN r.relreplident NOT IN ('d', 'n') THEN 'replica identity ' || r.relreplident::text END,
               CASE WHEN r.relispartition THEN pg_catalog.pg_get_expr(r.relpartbound, r.oid) END,
               'with ' || NULLIF(pg_catalog.array_to_string(ARRAY(SELECT o FROM pg_catalog.unnest(r.reloptions) o ORDER BY o COLLATE "C"), ' '), ''),
               (SELECT 'inherits ' || pg_catalog.string_agg(i.inhparent::regclass::text, ' ' ORDER BY i.inhseqno)
                FROM pg_catalog.pg_inherits i WHERE i.inhrelid = r.oid)) AS definition
    FROM rel r WHERE r.relkind IN ('r', 'p', 'f')
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': column ', a.attname),
           pg_catalog.concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
               CASE WHEN a.attcollation <> t.typcollation THEN 'collate ' || a.attcollation::regcollation::text END,
               CASE WHEN a.attnotnull THEN 'not null' END,
               CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity by default' END,
               CASE a.attgenerated WHEN 's' THEN 'generated' WHEN 'v' THEN 'generated virtual' ELSE CASE WHEN d.oid IS NOT NULL THEN 'default' END END,
               pg_catalog.pg_get_expr(d.adbin, d.adrelid),
               CASE WHEN a.attstorage <> t.typstorage THEN 'storage ' || a.attstorage::text END,
               CASE WHEN a.attcompression <> '' THEN 'compression ' || a.attcompression::text END,
               'with ' || pg_catalog.array_to_string(a.attoptions, ' '))
    FROM rel r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p', 'f', 'c')
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': order of columns'), pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum)
    FROM rel r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped AND r.relkind IN ('r', 'p', 'f', 'c') GROUP BY r.space, r.oid, r.label
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': constraint ', c.conname), pg_catalog.pg_get_constraintdef(c.oid, true)
    FROM rel r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': index ', i.relname),
           pg_catalog.concat_ws(' ', pg_catalog.pg_get_indexdef(x.indexrelid, 0, true), CASE WHEN NOT x.indisvalid THEN 'invalid' END,
               CASE WHEN x.indisclustered THEN 'clustered' END, CASE WHEN x.indisreplident THEN 'replica identity' END)
    FROM rel r JOIN pg_catalog.pg_index x ON x.indrelid = r.oid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': trigger ', g.tgname),
           pg_catalog.concat(pg_catalog.pg_get_triggerdef(g.oid, true), CASE WHEN g.tgenabled <> 'O' THEN ' enabled ' || g.tgenabled::text END)
    FROM rel r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid WHERE NOT g.tgisinternal
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': rule ', w.rulename), pg_catalog.pg_get_ruledef(w.oid, true)
    FROM rel r JOIN pg_catalog.pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT r.space, pg_catalog.concat(r.label, ': policy ', p.polname),
           pg_catalog.concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd,
               'to', (SELECT pg_catalog.string_agg(CASE u WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(u)::text END, ' ') FROM pg_catalog.unnest(p.polroles) u),
               'using ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    FROM rel r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid
    UNION ALL
    SELECT r.space, r.label,
           pg_catalog.concat_ws(' ', pg_catalog.pg_get_viewdef(r.oid, true), pg_catalog.array_to_string(r.reloptions, ' '))
    FROM rel r WHERE r.relkind IN ('v', 'm')
    UNION ALL
    SELECT r.space, r.label,
           pg_catalog.concat_ws(' ', pg_catalog.format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement, 'from', q.seqmin,
               'to', q.seqmax, 'cache', q.seqcache, CASE WHEN q.seqcycle THEN 'cycle' END, CASE WHEN r.relpersistence = 'u' THEN 'unlogged' END,
               (SELECT pg_catalog.concat('of ', d.refobjid::regclass, ' ', a.attname) FROM pg_catalog.pg_depend d
                JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
                  AND d.deptype IN ('a', 'i')))
    FROM rel r JOIN pg_catalog.pg_sequence q ON q.seqrelid = r.oid
    UNION ALL
    SELECT f.pronamespace, pg_catalog.concat('function ', f.proname, '(', pg_catalog.pg_get_function_identity_arguments(f.oid), ')'),
           CASE WHEN f.prokind = 'a' THEN 'aggregate'
                ELSE pg_catalog.regexp_replace(pg_catalog.pg_get_functiondef(f.oid), '^CREATE OR REPLACE (FUNCTION|PROCEDURE) [^(]*\(', '\1 (') END
    FROM pg_catalog.pg_proc f JOIN space s ON s.oid = f.pronamespace
    UNION ALL
    SELECT t.typnamespace, pg_catalog.concat('type ', t.typname),
           CASE t.typtype
               WHEN 'e' THEN (SELECT 'enum ' || pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                              FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
               WHEN 'd' THEN pg_catalog.concat_ws(' ', 'domain', pg_catalog.format_type(t.typbasetype, t.typtypmod),
                   CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault,
                   (SELECT pg_catalog.string_agg(pg_catalog.concat(c.conname, ' ', pg_catalog.pg_get_constraintdef(c.oid, true)), ', ' ORDER BY c.conname)
                    FROM pg_catalog.pg_constraint c WHERE c.contypid = t.oid))
               ELSE 'of kind ' || t.typtype::text END
    FROM pg_catalog.pg_type t JOIN space s ON s.oid = t.typnamespace WHERE t.typtype IN ('e', 'd', 'r', 'm')
    UNION ALL
    -- What is not looked into is there or not.
    SELECT s.oid, pg_catalog.concat(i.type, ' ', i.identity), 'there'
    FROM space s JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = s.oid
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) AS i
    WHERE d.classid NOT IN ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_type'::regclass, 'pg_catalog.pg_proc'::regclass)
    UNION ALL
    SELECT r.space, pg_catalog.concat('comment of ', r.label, ' ', a.attname), d.description
    FROM rel r JOIN pg_catalog.pg_description d ON d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_class'::regclass
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.objsubid AND d.objsubid > 0
    UNION ALL
    SELECT x.space, pg_catalog.concat('comment of ', i.type, ' ', i.identity), d.description
    FROM (SELECT 'pg_catalog.pg_proc'::regclass AS class, f.oid, f.pronamespace AS space FROM pg_catalog.pg_proc f JOIN space s ON s.oid = f.pronamespace
          UNION ALL SELECT 'pg_catalog.pg_type'::regclass, t.oid, t.typnamespace FROM pg_catalog.pg_type t JOIN space s ON s.oid = t.typnamespace
          UNION ALL SELECT 'pg_catalog.pg_class'::regclass, n.indexrelid, r.space FROM rel r JOIN pg_catalog.pg_index n ON n.indrelid = r.oid
          UNION ALL SELECT 'pg_catalog.pg_constraint'::regclass, c.oid, r.space FROM rel r JOIN pg_catalog.pg_constraint c ON c.conrelid = r.oid
          UNION ALL SELECT 'pg_catalog.pg_trigger'::regclass, g.oid, r.space FROM rel r JOIN pg_catalog.pg_trigger g ON g.tgrelid = r.oid
          UNION ALL SELECT 'pg_catalog.pg_policy'::regclass, p.oid, r.space FROM rel r JOIN pg_catalog.pg_policy p ON p.polrelid = r.oid) x
    JOIN pg_catalog.pg_description d ON d.objoid = x.oid AND d.classoid = x.class
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(x.class, x.oid, 0) AS i
    UNION ALL
    -- Rights, with the owner under that name: each tenant may have another one.
    SELECT o.space, pg_catalog.concat('rights to ', o.label),
           pg_catalog.string_agg(pg_catalog.concat(CASE a.grantee WHEN 0 THEN 'public' WHEN o.owner THEN '(owner)' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END,
               ' ', a.privilege_type, CASE WHEN a.is_grantable THEN ' grantable' END), ', '
               ORDER BY CASE a.grantee WHEN 0 THEN 'public' WHEN o.owner THEN '(owner)' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END COLLATE "C", a.privilege_type)
    FROM (SELECT r.space, r.label, r.relowner AS owner, r.relacl AS acl,
                 pg_catalog.acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner) AS usual
          FROM rel r
          UNION ALL
          SELECT f.pronamespace, pg_catalog.concat('function ', f.proname, '(', pg_catalog.pg_get_function_identity_arguments(f.oid), ')'),
                 f.proowner, f.proacl, pg_catalog.acldefault('f', f.proowner)
          FROM pg_catalog.pg_proc f JOIN space s ON s.oid = f.pronamespace
          UNION ALL
          SELECT r.space, pg_catalog.concat(r.label, ': column ', c.attname), r.relowner, c.attacl, NULL
          FROM rel r JOIN pg_catalog.pg_attribute c ON c.attrelid = r.oid WHERE c.attacl IS NOT NULL AND NOT c.attisdropped) o
    CROSS JOIN LATERAL pg_catalog.aclexplode(o.acl) AS a
    WHERE o.acl IS NOT NULL AND (o.usual IS NULL OR NOT (o.acl @> o.usual AND o.usual @> o.acl))
    GROUP BY o.space, o.label
)
SELECT s.name AS space, pg_catalog.regexp_replace(i.object, s.own, '\1', 'g') AS object,
       CASE WHEN $2::boolean THEN pg_catalog.regexp_replace(i.definition, s.own, '\1', 'g') ELSE i.definition END AS definition
FROM item i JOIN space s ON s.oid = i.space
