# what an entity's find renders
SELECT "cake"."id", "cake"."name" FROM "cake" WHERE "cake"."id" = $1 LIMIT $2
=> SELECT "cake"."id", "cake"."name" FROM "acme"."cake" WHERE "cake"."id" = $1 LIMIT $2

# bare names are folded
select Cake.ID from Cake where NAME = $1
=> select Cake.ID from "acme".Cake where NAME = $1

# no table at all
SELECT 1
=> SELECT 1

# a join and aliases
SELECT "a"."id" AS "A_id", "r0"."name" AS "B_name" FROM "cake" AS "a" LEFT JOIN "fruit" AS "r0" ON "a"."id" = "r0"."cake_id"
=> SELECT "a"."id" AS "A_id", "r0"."name" AS "B_name" FROM "acme"."cake" AS "a" LEFT JOIN "acme"."fruit" AS "r0" ON "a"."id" = "r0"."cake_id"

# all kinds of joins
SELECT * FROM a JOIN b USING (id) INNER JOIN c ON TRUE LEFT OUTER JOIN d ON TRUE RIGHT JOIN e ON TRUE FULL OUTER JOIN f ON TRUE CROSS JOIN g NATURAL JOIN h, i
=> SELECT * FROM "acme".a JOIN "acme".b USING (id) INNER JOIN "acme".c ON TRUE LEFT OUTER JOIN "acme".d ON TRUE RIGHT JOIN "acme".e ON TRUE FULL OUTER JOIN "acme".f ON TRUE CROSS JOIN "acme".g NATURAL JOIN "acme".h, "acme".i

# the same table twice
SELECT x.id, y.id FROM cake x, cake AS y WHERE x.id < y.id
=> SELECT x.id, y.id FROM "acme".cake x, "acme".cake AS y WHERE x.id < y.id

# an alias that is also a table
SELECT "fruit"."id" FROM "cake" AS "fruit"
=> SELECT "fruit"."id" FROM "acme"."cake" AS "fruit"

# a join in parentheses
SELECT * FROM (cake JOIN fruit ON cake.id = fruit.cake_id) LEFT JOIN filling ON TRUE
=> SELECT * FROM ("acme".cake JOIN "acme".fruit ON cake.id = fruit.cake_id) LEFT JOIN "acme".filling ON TRUE

# a subquery in FROM
SELECT COUNT(*) AS num_items FROM (SELECT "cake"."id" FROM "cake") AS "sub_query"
=> SELECT COUNT(*) AS num_items FROM (SELECT "cake"."id" FROM "acme"."cake") AS "sub_query"

# a lateral subquery
SELECT * FROM cake c CROSS JOIN LATERAL (SELECT * FROM fruit f WHERE f.cake_id = c.id LIMIT 1) x
=> SELECT * FROM "acme".cake c CROSS JOIN LATERAL (SELECT * FROM "acme".fruit f WHERE f.cake_id = c.id LIMIT 1) x

# IN, EXISTS, scalar and ANY subqueries
SELECT (SELECT max(id) FROM d) FROM a WHERE id IN (SELECT id FROM b) AND EXISTS (SELECT 1 FROM c) AND x = ANY(SELECT y FROM e) AND z > ALL (SELECT w FROM f) AND NOT EXISTS (SELECT 1 FROM g)
=> SELECT (SELECT max(id) FROM "acme".d) FROM "acme".a WHERE id IN (SELECT id FROM "acme".b) AND EXISTS (SELECT 1 FROM "acme".c) AND x = ANY(SELECT y FROM "acme".e) AND z > ALL (SELECT w FROM "acme".f) AND NOT EXISTS (SELECT 1 FROM "acme".g)

# an array as parameter
SELECT id FROM cake WHERE id = ANY($1)
=> SELECT id FROM "acme".cake WHERE id = ANY($1)

# set operations
(SELECT id FROM a) UNION ALL (SELECT id FROM b) INTERSECT SELECT id FROM c EXCEPT SELECT id FROM d ORDER BY 1
=> (SELECT id FROM "acme".a) UNION ALL (SELECT id FROM "acme".b) INTERSECT SELECT id FROM "acme".c EXCEPT SELECT id FROM "acme".d ORDER BY 1

# VALUES as a table
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (id, name) JOIN cake ON cake.id = v.id
=> SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (id, name) JOIN "acme".cake ON cake.id = v.id

# VALUES alone
VALUES (1, (SELECT max(id) FROM cake))
=> VALUES (1, (SELECT max(id) FROM "acme".cake))

# DISTINCT ON
SELECT DISTINCT ON ("name") "id" FROM "cake" ORDER BY "name" ASC NULLS LAST, "id" DESC
=> SELECT DISTINCT ON ("name") "id" FROM "acme"."cake" ORDER BY "name" ASC NULLS LAST, "id" DESC

# GROUP BY and HAVING
SELECT name, count(*), sum(price) FILTER (WHERE price > 0) FROM cake GROUP BY name HAVING count(DISTINCT id) > 1
=> SELECT name, count(*), sum(price) FILTER (WHERE price > 0) FROM "acme".cake GROUP BY name HAVING count(DISTINCT id) > 1

# grouping sets
SELECT a, b, count(*) FROM t GROUP BY ROLLUP (a, b), CUBE (a), GROUPING SETS ((a), ())
=> SELECT a, b, count(*) FROM "acme".t GROUP BY ROLLUP (a, b), CUBE (a), GROUPING SETS ((a), ())

# windows
SELECT row_number() OVER (PARTITION BY name ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), rank() OVER w FROM cake WINDOW w AS (ORDER BY price)
=> SELECT row_number() OVER (PARTITION BY name ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), rank() OVER w FROM "acme".cake WINDOW w AS (ORDER BY price)

# an aggregate with an order
SELECT string_agg(name, ',' ORDER BY name), array_agg(id), percentile_cont(0.5) WITHIN GROUP (ORDER BY price) FROM cake
=> SELECT string_agg(name, ',' ORDER BY name), array_agg(id), percentile_cont(0.5) WITHIN GROUP (ORDER BY price) FROM "acme".cake

# CASE, BETWEEN, LIKE, IS
SELECT CASE WHEN a BETWEEN 1 AND 2 THEN 'x' ELSE 'y' END, CASE b WHEN 1 THEN 2 END FROM t WHERE c LIKE $1 AND d ILIKE '%a%' ESCAPE '!' AND e IS NOT NULL AND f IS DISTINCT FROM g AND h IS TRUE AND i NOT SIMILAR TO 'a'
=> SELECT CASE WHEN a BETWEEN 1 AND 2 THEN 'x' ELSE 'y' END, CASE b WHEN 1 THEN 2 END FROM "acme".t WHERE c LIKE $1 AND d ILIKE '%a%' ESCAPE '!' AND e IS NOT NULL AND f IS DISTINCT FROM g AND h IS TRUE AND i NOT SIMILAR TO 'a'

# JSON operators
SELECT data -> 'a' ->> 'b', data #> '{a}', data #>> '{a,b}' FROM t WHERE data @> $1 AND data ? 'k' AND data ?| $2 AND data ?& $3 AND data @? '$.a' AND $4 <@ data AND data - 'x' = data #- '{y}'
=> SELECT data -> 'a' ->> 'b', data #> '{a}', data #>> '{a,b}' FROM "acme".t WHERE data @> $1 AND data ? 'k' AND data ?| $2 AND data ?& $3 AND data @? '$.a' AND $4 <@ data AND data - 'x' = data #- '{y}'

# arrays
SELECT ARRAY[1, 2] || tags, tags[1], ARRAY(SELECT id FROM b) FROM a WHERE tags && $1
=> SELECT ARRAY[1, 2] || tags, tags[1], ARRAY(SELECT id FROM "acme".b) FROM "acme".a WHERE tags && $1

# regular expressions and bits
SELECT a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x', b & 1, b | 2, b # 3, b << 1, b >> 1, ~b, b ^ 2 FROM t
=> SELECT a ~ 'x', a ~* 'x', a !~ 'x', a !~* 'x', b & 1, b | 2, b # 3, b << 1, b >> 1, ~b, b ^ 2 FROM "acme".t

# functions without parentheses
SELECT CURRENT_TIMESTAMP, current_date, LOCALTIME, CURRENT_TIMESTAMP(3) FROM t
=> SELECT CURRENT_TIMESTAMP, current_date, LOCALTIME, CURRENT_TIMESTAMP(3) FROM "acme".t

# functions with a grammar of their own
SELECT EXTRACT(YEAR FROM d), SUBSTRING(a FROM 1 FOR 2), TRIM(BOTH 'x' FROM a), POSITION('a' IN b), OVERLAY(a PLACING 'x' FROM 1), d AT TIME ZONE 'UTC', CEIL(x), FLOOR(y), COALESCE(a, b), NULLIF(a, b), GREATEST(1, 2) FROM t
=> SELECT EXTRACT(YEAR FROM d), SUBSTRING(a FROM 1 FOR 2), TRIM(BOTH 'x' FROM a), POSITION('a' IN b), OVERLAY(a PLACING 'x' FROM 1), d AT TIME ZONE 'UTC', CEIL(x), FLOOR(y), COALESCE(a, b), NULLIF(a, b), GREATEST(1, 2) FROM "acme".t

# casts to built-in types
SELECT CAST(a AS integer), b::text, c::varchar(10), d::uuid, e::jsonb, f::timestamptz, g::numeric(10, 2), h::text[], CAST(i AS "text"), j::timestamp with time zone, k::double precision, l::int8, CAST($1 AS bytea) FROM t
=> SELECT CAST(a AS integer), b::text, c::varchar(10), d::uuid, e::jsonb, f::timestamptz, g::numeric(10, 2), h::text[], CAST(i AS "text"), j::timestamp with time zone, k::double precision, l::int8, CAST($1 AS bytea) FROM "acme".t

# typed literals
SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', INTERVAL '1 day', INTERVAL '1' DAY FROM t
=> SELECT DATE '2020-01-01', TIMESTAMP '2020-01-01 00:00:00', INTERVAL '1 day', INTERVAL '1' DAY FROM "acme".t

# a table function
SELECT * FROM generate_series(1, 3) AS g (n) JOIN cake ON cake.id = g.n
=> SELECT * FROM generate_series(1, 3) AS g (n) JOIN "acme".cake ON cake.id = g.n

# unnest with ordinality
SELECT * FROM unnest($1) WITH ORDINALITY AS u (id, position_no) JOIN cake USING (id)
=> SELECT * FROM unnest($1) WITH ORDINALITY AS u (id, position_no) JOIN "acme".cake USING (id)

# unnest of several
SELECT * FROM cake, UNNEST($1, $2) AS u (a, b)
=> SELECT * FROM "acme".cake, UNNEST($1, $2) AS u (a, b)

# a lateral function
SELECT x.value FROM t, LATERAL jsonb_array_elements(t.data) AS x (value)
=> SELECT x.value FROM "acme".t, LATERAL jsonb_array_elements(t.data) AS x (value)

# locks name aliases
SELECT * FROM cake AS c JOIN fruit ON TRUE FOR UPDATE OF c SKIP LOCKED
=> SELECT * FROM "acme".cake AS c JOIN "acme".fruit ON TRUE FOR UPDATE OF c SKIP LOCKED

# locks name tables
SELECT * FROM "cake" FOR SHARE OF "cake" NOWAIT
=> SELECT * FROM "acme"."cake" FOR SHARE OF "cake" NOWAIT

# a plain lock
SELECT * FROM cake FOR UPDATE
=> SELECT * FROM "acme".cake FOR UPDATE

# LIMIT, OFFSET, FETCH
SELECT * FROM cake ORDER BY id OFFSET 5 ROWS FETCH FIRST 3 ROWS ONLY
=> SELECT * FROM "acme".cake ORDER BY id OFFSET 5 ROWS FETCH FIRST 3 ROWS ONLY

# a whole row
SELECT cake, count(cake), row_to_json(cake), cake.* FROM cake
=> SELECT cake, count(cake), row_to_json(cake), cake.* FROM "acme".cake

# a collation of the server
SELECT name FROM cake ORDER BY name COLLATE "C"
=> SELECT name FROM "acme".cake ORDER BY name COLLATE "C"

# comments stay
/* app:1 */ SELECT id -- from other
FROM /* the */ cake -- end
=> /* app:1 */ SELECT id -- from other
FROM /* the */ "acme".cake -- end

# no white space
SELECT"id"FROM"cake"WHERE"id"=$1
!! text (a word that touches a quote)

# a semicolon at the end
SELECT id FROM cake;
=> SELECT id FROM "acme".cake;

# words in strings are not tables
SELECT 'FROM other', E'it\'s FROM x', 'a''b' FROM cake
=> SELECT 'FROM other', E'it\'s FROM x', 'a''b' FROM "acme".cake

# characters beyond ASCII in strings, quoted names and comments
SELECT 'grüße', "größe" /* ü */ FROM "törtchen" AS "t", cake -- é
=> SELECT 'grüße', "größe" /* ü */ FROM "acme"."törtchen" AS "t", "acme".cake -- é

# positions are bytes
SELECT '日本語' FROM cake JOIN fruit ON 'é' = 'é'
=> SELECT '日本語' FROM "acme".cake JOIN "acme".fruit ON 'é' = 'é'

# many lines
SELECT *
FROM	cake
  JOIN
"fruit" ON true
=> SELECT *
FROM	"acme".cake
  JOIN
"acme"."fruit" ON true

# a sign after an operator
SELECT a=-1, b->-1, a*-1, a<-1 FROM t
=> SELECT a=-1, b->-1, a*-1, a<-1 FROM "acme".t

# the columns that the server adds
SELECT ctid, xmin, tableoid FROM cake
=> SELECT ctid, xmin, tableoid FROM "acme".cake

# row values
SELECT * FROM t WHERE (a, b) > ($1, $2) AND (a, b) IN ((1, 2), (3, 4)) AND ROW(a, b) = ROW(1, 2)
=> SELECT * FROM "acme".t WHERE (a, b) > ($1, $2) AND (a, b) IN ((1, 2), (3, 4)) AND ROW(a, b) = ROW(1, 2)
