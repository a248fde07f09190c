-- What could change a session without being seen in the text of a statement: users' functions, to be read by the caller, and
-- expressions that call functions of the server that are known to. $1 is the comment that marks a schema as a tenant's.
--
-- One row for each distinct function or finding: the schemas that have it, the language, the body, the arguments' defaults and the
-- settings. A schema that is not a tenant's is `*`: `public` is in everybody's path, and others are reached by name. Without a language
-- it is a finding.
WITH space AS MATERIALIZED (
    SELECT n.oid, CASE WHEN pg_catalog.obj_description(n.oid, 'pg_namespace') = $1::text THEN n.nspname::text ELSE '*' END AS name
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> 'xcore_directory'
), code AS MATERIALIZED (
    -- What an extension brings is believed, but for triggers in a language that is read.
    SELECT s.name, l.lanname::text AS language, f.prosrc, f.proconfig, f.proargdefaults, f.oid
    FROM pg_catalog.pg_proc f JOIN space s ON s.oid = f.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = f.prolang
    WHERE f.prokind <> 'a' AND f.oid >= 16384::oid
      AND ((f.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype AND l.lanname IN ('sql', 'plpgsql'))
           OR NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = f.oid AND d.deptype = 'e'))
), risky AS MATERIALIZED (
    -- Changes of settings, locks of the session, and what runs a text as a statement.
    SELECT f.oid FROM pg_catalog.pg_proc f
    WHERE f.proname ~ ('^(set_config|setseed|pg_(try_)?advisory_(lock|unlock).*|(query|cursor)_to_xml.*|ts_stat|ts_rewrite'
                       || '|pg_replication_origin_.*|dblink.*|set_limit|crosstab.*|connectby.*|xpath_table)$')
), pattern AS MATERIALIZED (
    -- How a stored expression refers to them.
    SELECT ':(funcid|aggfnoid|winfnoid|opfuncid|elemfuncid) (' || pg_catalog.string_agg(oid::text, '|') || ') ' AS p FROM risky
), operators AS MATERIALIZED (
    SELECT o.oid, o.oprnamespace FROM pg_catalog.pg_operator o WHERE o.oprcode::oid IN (SELECT oid FROM risky)
), expression AS (
    SELECT c.relnamespace AS space, e.adbin::text AS t
    FROM pg_catalog.pg_attrdef e JOIN pg_catalog.pg_class c ON c.oid = e.adrelid
    UNION ALL
    SELECT e.connamespace, e.conbin::text FROM pg_catalog.pg_constraint e WHERE e.conbin IS NOT NULL
    UNION ALL
    SELECT c.relnamespace, pg_catalog.concat(e.ev_qual::text, e.ev_action::text)
    FROM pg_catalog.pg_rewrite e JOIN pg_catalog.pg_class c ON c.oid = e.ev_class
    WHERE e.oid >= 16384::oid
    UNION ALL
    SELECT c.relnamespace, pg_catalog.concat(e.polqual::text, e.polwithcheck::text)
    FROM pg_catalog.pg_policy e JOIN pg_catalog.pg_class c ON c.oid = e.polrelid
    UNION ALL
    SELECT c.relnamespace, e.tgqual::text
    FROM pg_catalog.pg_trigger e JOIN pg_catalog.pg_class c ON c.oid = e.tgrelid WHERE e.tgqual IS NOT NULL
    UNION ALL
    SELECT c.relnamespace, pg_catalog.concat(e.indexprs::text, e.indpred::text)
    FROM pg_catalog.pg_index e JOIN pg_catalog.pg_class c ON c.oid = e.indrelid
    WHERE e.indexprs IS NOT NULL OR e.indpred IS NOT NULL
    UNION ALL
    SELECT c.relnamespace, e.partexprs::text
    FROM pg_catalog.pg_partitioned_table e JOIN pg_catalog.pg_class c ON c.oid = e.partrelid
    WHERE e.partexprs IS NOT NULL
    UNION ALL
    SELECT e.typnamespace, e.typdefaultbin::text FROM pg_catalog.pg_type e WHERE e.typdefaultbin IS NOT NULL
    UNION ALL
    SELECT e.pronamespace, e.proargdefaults::text FROM pg_catalog.pg_proc e
    WHERE e.proargdefaults IS NOT NULL AND e.oid >= 16384::oid
), calling AS MATERIALIZED (
    -- Most are constants, or the `nextval` of a serial column: these are cheap to tell.
    SELECT e.space, e.t FROM expression e
    WHERE (e.t LIKE '%:funcid %' OR e.t LIKE '%fnoid %' OR e.t LIKE '%:opno %' OR e.t LIKE '%funcid %')
      AND NOT (e.t LIKE pg_catalog.concat('{FUNCEXPR :funcid ', 'pg_catalog.nextval(pg_catalog.regclass)'::pg_catalog.regprocedure::oid::text, ' %')
               AND e.t NOT LIKE '%:funcid %:funcid %' AND e.t NOT LIKE '%:opno %' AND e.t NOT LIKE '%fnoid %'
               AND e.t NOT LIKE '%:elemfuncid %')
), finding AS MATERIALIZED (
    -- Not joined with anything before: each expression is looked at once.
    SELECT e.space FROM calling e CROSS JOIN pattern WHERE e.t ~ pattern.p
    UNION ALL
    SELECT e.space FROM calling e JOIN operators o ON e.t ~ (':opno ' || o.oid::text || ' ')
    UNION ALL
    SELECT oprnamespace FROM operators
    UNION ALL
    SELECT f.pronamespace FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc f ON f.oid = a.aggfnoid::oid
    WHERE ARRAY[a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggserialfn::oid, a.aggdeserialfn::oid,
                a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid] && ARRAY(SELECT oid FROM risky)
    UNION ALL
    -- A trigger that runs what is another tenant's.
    SELECT c.relnamespace FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
    JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid JOIN space s ON s.oid = f.pronamespace
    WHERE NOT g.tgisinternal AND f.pronamespace <> c.relnamespace AND s.name <> '*'
    UNION ALL
    -- A cast has no schema: everywhere.
    SELECT p.oid FROM pg_catalog.pg_cast k JOIN pg_catalog.pg_namespace p ON p.nspname = 'public'
    WHERE k.castfunc IN (SELECT oid FROM risky)
)
SELECT pg_catalog.array_agg(DISTINCT c.name) AS spaces, c.language, c.prosrc AS body,
       pg_catalog.pg_get_expr(c.proargdefaults, 0::oid) AS defaults, c.proconfig AS settings
FROM code c GROUP BY c.language, c.prosrc, pg_catalog.pg_get_expr(c.proargdefaults, 0::oid), c.proconfig
UNION ALL
SELECT pg_catalog.array_agg(DISTINCT s.name), NULL, NULL, NULL, NULL FROM finding f JOIN space s ON s.oid = f.space
HAVING pg_catalog.count(*) > 0
