-- Which of the schemas $1, each with `public` behind it in the path, are plain: one column, a row for each
-- that is.
--
-- What offends is looked for in all of them at once. A `space` is the schema that holds it, or 0 where it
-- counts for all. Each part is a pass over a catalog for many schemas, and uses its index for few. Both sides
-- of an operator have just its types, so that none of another schema in the path fits better.
WITH RECURSIVE asked AS MATERIALIZED (
    SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1::text[])
), path AS MATERIALIZED (
    SELECT oid FROM asked
    UNION
    SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public'
), rel AS MATERIALIZED (
    -- Not the sequences, which are all alike, nor the indexes, which are looked at with their tables.
    SELECT c.oid, c.relnamespace AS space, c.relkind, c.relrowsecurity
    FROM pg_catalog.pg_class c
    WHERE c.relkind NOT IN ('S', 'i', 'I') AND c.relnamespace IN (SELECT oid FROM path)
), reach AS MATERIALIZED (
    -- What a statement can reach: the schema's own relations, and those of `public` if there is a view.
    SELECT oid AS schema, oid AS space FROM asked
    UNION
    SELECT a.oid, p.oid FROM asked a CROSS JOIN pg_catalog.pg_namespace p
    WHERE p.nspname = 'public' AND a.oid IN (SELECT space FROM rel WHERE relkind = 'v')
), looked_up (oid) AS (
    -- Types whose input or output looks names up (regclass and its like), and domains of them.
    SELECT b.oid FROM pg_catalog.pg_type b
    WHERE b.typnamespace = 'pg_catalog'::regnamespace::oid
      AND (b.typname LIKE 'reg%'::text OR b.typname LIKE '\_reg%'::text)
    UNION
    SELECT d.oid FROM looked_up b JOIN pg_catalog.pg_type d ON d.typbasetype = b.oid WHERE d.typtype = 'd'
), by_name AS MATERIALIZED (
    SELECT oid FROM looked_up
    UNION
    SELECT y.typarray FROM looked_up b JOIN pg_catalog.pg_type y ON y.oid = b.oid WHERE y.typarray <> 0::oid
), expression AS (
    -- What is evaluated when a relation is changed. The checks of domains count everywhere.
    SELECT r.space, d.adbin::text AS t FROM pg_catalog.pg_attrdef d JOIN rel r ON r.oid = d.adrelid
    UNION ALL
    SELECT r.space, k.conbin::text FROM pg_catalog.pg_constraint k JOIN rel r ON r.oid = k.conrelid
    WHERE k.conbin IS NOT NULL
    UNION ALL
    SELECT 0::oid, k.conbin::text
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_type y ON y.oid = k.contypid
    WHERE k.conbin IS NOT NULL AND k.conrelid = 0::oid AND y.typtype = 'd'
      AND y.typnamespace NOT IN ('pg_catalog'::regnamespace::oid, 'information_schema'::regnamespace::oid)
    UNION ALL
    SELECT 0::oid, y.typdefaultbin::text FROM pg_catalog.pg_type y
    WHERE y.typdefaultbin IS NOT NULL AND y.typtype = 'd'
    UNION ALL
    SELECT r.space, pg_catalog.concat(i.indexprs::text, ' ', i.indpred::text)
    FROM pg_catalog.pg_index i JOIN rel r ON r.oid = i.indrelid
    WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
    UNION ALL
    SELECT r.space, p.partexprs::text FROM pg_catalog.pg_partitioned_table p JOIN rel r ON r.oid = p.partrelid
    WHERE p.partexprs IS NOT NULL
    UNION ALL
    SELECT r.space, p.partexprs::text FROM pg_catalog.pg_inherits h JOIN rel r ON r.oid = h.inhrelid
    JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = h.inhparent WHERE p.partexprs IS NOT NULL
), tree AS MATERIALIZED (
    -- Without the bytes of constants most are the same in every tenant. A constant alone calls nothing.
    SELECT pg_catalog.row_number() OVER () AS id, g.spaces, g.t
    FROM (SELECT pg_catalog.array_agg(u.space) AS spaces, u.t
          FROM (SELECT space, pg_catalog.regexp_replace(t, ' \[[- 0-9]+\]', ' []', 'g') COLLATE "C" AS t
                FROM expression WHERE t NOT LIKE '{CONST %') AS u
          GROUP BY u.t
          UNION ALL
          SELECT ARRAY[r.space], w.ev_action::text
          FROM pg_catalog.pg_rewrite w JOIN rel r ON r.oid = w.ev_class) AS g
), mention AS MATERIALIZED (
    -- What the trees refer to.
    SELECT DISTINCT tree.id, m[1] AS what, m[2]::oid AS oid
    FROM tree CROSS JOIN pg_catalog.regexp_matches(tree.t, ':(funcid|aggfnoid|winfnoid|opno|relid'
        || '|consttype|vartype|funcresulttype|resulttype) (\d+)', 'g') AS m
), bad_call AS (
    -- Expressions call what is built in, or C code of an extension, and nothing that asks for the path or
    -- role.
    SELECT x.what, x.oid
    FROM (SELECT DISTINCT n.what, n.oid, CASE WHEN n.what = 'opno' THEN o.oprcode ELSE n.oid END AS code
          FROM mention n LEFT JOIN pg_catalog.pg_operator o ON n.what = 'opno' AND o.oid = n.oid
          WHERE n.what IN ('funcid', 'aggfnoid', 'winfnoid') OR o.oid IS NOT NULL) AS x
    LEFT JOIN pg_catalog.pg_proc f ON f.oid = x.code
    LEFT JOIN pg_catalog.pg_language l ON l.oid = f.prolang
    WHERE f.oid IS NULL
       OR NOT (f.pronamespace = 'pg_catalog'::regnamespace::oid OR l.lanname = 'c')
       OR f.proname ~ ('^(current_schemas?|current_setting|set_config|setseed'
                       || '|pg_(try_)?advisory_(lock|unlock).*|to_reg.*|reg(?!exp|r_).*|.*_is_visible'
                       || '|ts_stat|ts_rewrite|pg_show_all_settings|dblink.*|crosstab.*|connectby.*|xpath_table'
                       || '|pg_get_.*|pg_typeof|pg_describe_object|pg_identify_.*|format_type'
                       || '|(query|table|schema|database|cursor)_to_.*)$')
), bad_tree AS (
    SELECT n.id FROM mention n JOIN bad_call b ON b.what = n.what AND b.oid = n.oid
    UNION
    SELECT id FROM tree WHERE t LIKE '%SQLVALUEFUNCTION %' AND t ~ 'SQLVALUEFUNCTION :op (9|1\d)'
    UNION
    SELECT n.id FROM mention n JOIN tree ON tree.id = n.id
    WHERE (tree.t LIKE '%COERCEVIAIO%' OR tree.t LIKE '%ARRAYCOERCEEXPR%')
      AND n.what IN ('consttype', 'vartype', 'funcresulttype', 'resulttype')
      AND n.oid IN (SELECT oid FROM by_name)
), outranking AS (
    -- A function that could win over one of pg_catalog. With the same arguments it cannot: pg_catalog is
    -- first.
    SELECT f.pronamespace AS space FROM pg_catalog.pg_proc f
    WHERE f.pronamespace IN (SELECT oid FROM path)
      AND EXISTS (SELECT 1 FROM pg_catalog.pg_proc b
                  WHERE b.pronamespace = 'pg_catalog'::regnamespace::oid AND b.proname = f.proname)
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_proc b
                      WHERE b.pronamespace = 'pg_catalog'::regnamespace::oid AND b.proname = f.proname
                        AND b.proargtypes = f.proargtypes
                        AND b.provariadic = 0::oid AND f.provariadic = 0::oid
                        AND f.pronargdefaults = 0 AND b.pronargdefaults = 0)
    UNION ALL
    -- The same for the operators that a qualified statement can use; those with two tildes are LIKE.
    SELECT f.oprnamespace FROM pg_catalog.pg_operator f
    WHERE f.oprnamespace IN (SELECT oid FROM path)
      AND f.oprname = ANY (ARRAY['+', '-', '*', '/', '^', '=', '<>', '<', '<=', '>', '>=', '||', '->', '->>',
          '#>', '#>>', '#-', '@>', '<@', '@?', '?', '?|', '?&', '&&', '&', '|', '#', '<<', '>>', '~', '~*',
          '!~', '!~*', '~~', '~~*', '!~~', '!~~*']::name[])
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_operator b
                      WHERE b.oprnamespace = 'pg_catalog'::regnamespace::oid AND b.oprname = f.oprname
                        AND b.oprleft = f.oprleft AND b.oprright = f.oprright)
    UNION ALL
    -- `name('literal')` is a cast where a type has the name of a function.
    SELECT y.typnamespace FROM pg_catalog.pg_type y
    WHERE y.typnamespace IN (SELECT oid FROM path) AND y.typrelid = 0::oid
      AND EXISTS (SELECT 1 FROM pg_catalog.pg_proc b
                  WHERE b.pronamespace = 'pg_catalog'::regnamespace::oid AND b.proname = y.typname)
), everywhere AS (
    -- `public` is in the path of all.
    SELECT 1 FROM outranking o JOIN pg_catalog.pg_namespace p ON p.oid = o.space WHERE p.nspname = 'public'
    UNION ALL
    SELECT 1 FROM bad_tree b JOIN tree ON tree.id = b.id WHERE 0::oid = ANY (tree.spaces)
    UNION ALL
    -- A cast, wherever it lives, whose code runs with the path of the session.
    SELECT 1 FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_proc f ON f.oid = k.castfunc
    JOIN pg_catalog.pg_language l ON l.oid = f.prolang
    WHERE k.oid >= 16384::oid AND l.lanname NOT IN ('internal', 'c')
    UNION ALL
    -- Comparisons of users' types: they too run where no statement names them.
    SELECT 1 FROM (SELECT rngsubdiff::oid AS oid FROM pg_catalog.pg_range WHERE rngtypid >= 16384::oid
                   UNION ALL
                   SELECT rngcanonical::oid FROM pg_catalog.pg_range WHERE rngtypid >= 16384::oid
                   UNION ALL
                   SELECT amproc::oid AS oid FROM pg_catalog.pg_amproc WHERE pg_amproc.oid >= 16384::oid
                   UNION ALL
                   SELECT o.oprcode FROM pg_catalog.pg_amop m
                   JOIN pg_catalog.pg_operator o ON o.oid = m.amopopr
                   WHERE m.oid >= 16384::oid) AS k
    JOIN pg_catalog.pg_proc f ON f.oid = k.oid JOIN pg_catalog.pg_language l ON l.oid = f.prolang
    WHERE l.lanname NOT IN ('internal', 'c')
), within AS MATERIALIZED (
    -- What offends wherever it is reached.
    SELECT DISTINCT u.space FROM (
        -- Users' code, and servers elsewhere.
        SELECT space FROM rel WHERE relrowsecurity OR relkind = 'f'
        UNION ALL
        SELECT r.space FROM pg_catalog.pg_trigger g JOIN rel r ON r.oid = g.tgrelid
        WHERE NOT g.tgisinternal AND r.relkind IN ('r', 'p', 'v', 'f')
        UNION ALL
        SELECT r.space FROM pg_catalog.pg_rewrite w JOIN rel r ON r.oid = w.ev_class
        WHERE w.rulename <> '_RETURN'
        UNION ALL
        -- Columns whose text depends on the path.
        SELECT r.space FROM pg_catalog.pg_attribute a JOIN rel r ON r.oid = a.attrelid
        WHERE a.attnum > 0 AND a.atttypid IN (SELECT oid FROM by_name)
        UNION ALL
        SELECT r.space FROM pg_catalog.pg_index i JOIN rel r ON r.oid = i.indrelid
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid
        WHERE i.indexprs IS NOT NULL AND a.atttypid IN (SELECT oid FROM by_name)
        UNION ALL
        SELECT pg_catalog.unnest(tree.spaces) FROM bad_tree b JOIN tree ON tree.id = b.id) AS u
), across AS MATERIALIZED (
    -- What offends unless the other schema is reached, too: children, referring tables, and what a view
    -- reads.
    SELECT DISTINCT u.space, u.other FROM (
        SELECT r.space, o.relnamespace AS other FROM pg_catalog.pg_inherits h
        JOIN rel r ON r.oid = h.inhparent LEFT JOIN pg_catalog.pg_class o ON o.oid = h.inhrelid
        UNION ALL
        -- By the dependency of a foreign key on the table that it refers to, which has an index.
        SELECT r.space, o.relnamespace
        FROM rel r JOIN pg_catalog.pg_depend d
            ON d.refclassid = 'pg_catalog.pg_class'::regclass::oid AND d.refobjid = r.oid
            AND d.classid = 'pg_catalog.pg_constraint'::regclass::oid
        JOIN pg_catalog.pg_constraint k ON k.oid = d.objid AND k.confrelid = r.oid AND k.contype = 'f'
        LEFT JOIN pg_catalog.pg_class o ON o.oid = k.conrelid
        WHERE r.relkind IN ('r', 'p')
        UNION ALL
        SELECT r.space, o.relnamespace FROM mention n
        JOIN tree ON tree.id = n.id CROSS JOIN pg_catalog.unnest(tree.spaces) AS r (space)
        LEFT JOIN pg_catalog.pg_class o ON o.oid = n.oid
        WHERE n.what = 'relid' AND n.oid <> 0::oid) AS u
    WHERE u.other IS DISTINCT FROM u.space
)
SELECT a.nspname::text FROM asked a
WHERE NOT EXISTS (SELECT 1 FROM everywhere)
  AND NOT EXISTS (SELECT 1 FROM outranking o WHERE o.space = a.oid)
  AND NOT EXISTS (SELECT 1 FROM reach s JOIN within o ON o.space = s.space WHERE s.schema = a.oid)
  AND NOT EXISTS (SELECT 1 FROM reach s JOIN across o ON o.space = s.space WHERE s.schema = a.oid
                  AND NOT EXISTS (SELECT 1 FROM reach x WHERE x.schema = a.oid AND x.space = o.other))
