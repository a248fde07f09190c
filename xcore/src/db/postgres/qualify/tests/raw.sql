-- One statement a line, against the tables of the differential test.
WITH cake AS (SELECT 5 AS id) UPDATE cake SET price = 77 WHERE cake.id IN (SELECT id FROM cake) RETURNING cake.id, "cake"."price"
WITH cake AS (SELECT 55 AS id, 'n' AS name) INSERT INTO cake (id, name) SELECT * FROM cake RETURNING cake
WITH cake AS (SELECT 5 AS id) DELETE FROM cake USING cake AS c WHERE cake.id = c.id RETURNING *
WITH fruit AS (SELECT id FROM cake WHERE price > 3), cake AS (SELECT id FROM fruit) SELECT * FROM cake, fruit ORDER BY 1, 2
WITH cake AS (SELECT * FROM cake WHERE id < 3) SELECT cake.id, cake FROM cake ORDER BY 1
WITH RECURSIVE cake (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM cake WHERE n < 5) SELECT n FROM cake ORDER BY 1
WITH RECURSIVE a AS (SELECT * FROM fruit), fruit AS (SELECT 1 AS one) SELECT * FROM a
SELECT * FROM (WITH cake AS (SELECT 1 AS x) SELECT * FROM cake) q, cake ORDER BY id
(WITH cake AS (SELECT 1000 AS id) SELECT id FROM cake) UNION SELECT id FROM cake ORDER BY 1
WITH cake AS (SELECT 1000 AS id) SELECT id FROM cake UNION SELECT id FROM cake ORDER BY 1
(WITH cake AS (SELECT 1 AS id) SELECT id FROM cake) ORDER BY (SELECT max(id) FROM cake)
(WITH cake AS (SELECT id FROM cake WHERE id < 3) SELECT id FROM cake) ORDER BY 1 LIMIT (SELECT count(*) - 1 FROM cake)
WITH cake AS (SELECT 1000 AS id) SELECT id FROM fruit ORDER BY (SELECT max(id) FROM cake) + id LIMIT 3
WITH cake AS (SELECT 1 AS a) SELECT * FROM (WITH fruit AS (SELECT * FROM cake) SELECT * FROM fruit, cake) q, fruit ORDER BY id
WITH cake AS (SELECT 1 AS a) SELECT (WITH cake AS (SELECT a + 1 AS a FROM cake) SELECT a FROM cake), a FROM cake
WITH "Cake" AS (SELECT 1 AS a) SELECT * FROM cake, "Cake" ORDER BY id
WITH CAKE AS (SELECT 1 AS a) SELECT * FROM "cake", Cake c2
WITH gone AS (DELETE FROM cake WHERE price = 0 RETURNING id, name), kept AS (INSERT INTO old_cake SELECT * FROM gone RETURNING id) SELECT * FROM gone JOIN kept USING (id) JOIN cake USING (id)
INSERT INTO old_cake (id) WITH cake AS (SELECT 4242 AS id) SELECT id FROM cake RETURNING id, (SELECT max(id) FROM cake)
INSERT INTO cake AS c (id, name) VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET name = excluded.name || c.name WHERE c.id IN (SELECT id FROM cake) RETURNING c.*
INSERT INTO cake (id, name) VALUES (1, 'z') ON CONFLICT (id) DO UPDATE SET name = excluded.name || cake.name RETURNING "cake"."name"
INSERT INTO cake (id, name) VALUES (99, 'cake 1') ON CONFLICT ON CONSTRAINT cake_name_key DO UPDATE SET price = 1234
INSERT INTO old_cake DEFAULT VALUES RETURNING *
INSERT INTO old_cake VALUES (DEFAULT, 'x'), ((SELECT max(id) FROM cake), 'y') RETURNING *
UPDATE cake SET (price, name) = (SELECT id, name FROM fruit WHERE fruit.id = cake.id) WHERE cake.id < 4
UPDATE cake AS c SET price = (SELECT count(*) FROM cake WHERE cake.id < c.id) FROM fruit AS cake WHERE cake.cake_id = c.id RETURNING c.id, cake.id
UPDATE cheap SET price = 9 RETURNING *
DELETE FROM cake AS c USING fruit, LATERAL (SELECT max(id) AS m FROM cake) x WHERE c.id = fruit.cake_id AND fruit.id < x.m
SELECT cake FROM cake ORDER BY id
SELECT count(cake), row_to_json(cake) FROM cake GROUP BY cake.*
SELECT "cake"."id", cake.*, "cake" FROM "cake" ORDER BY 1
SELECT to_jsonb(c) - 'data' FROM cake AS c ORDER BY 1
SELECT fruit.id FROM cake AS fruit ORDER BY 1
SELECT cake.id, c2.id FROM cake, cake c2, LATERAL (SELECT cake.price + c2.price AS p) l WHERE l.p > 9
SELECT * FROM cake WHERE id = ANY (SELECT cake_id FROM fruit WHERE fruit.id > cake.id)
SELECT * FROM cake c WHERE EXISTS (SELECT 1 FROM cake WHERE cake.id = c.id + 1) ORDER BY id
SELECT * FROM cheap ORDER BY id
SELECT "select", "Odd name" FROM "Odd name"
SELECT * FROM Cake NATURAL JOIN FRUIT
SELECT * FROM (cake JOIN fruit ON cake.id = fruit.cake_id) LEFT JOIN "Odd name" USING (name)
SELECT * FROM (cake JOIN fruit ON cake.id = fruit.cake_id) AS j ORDER BY 1
SELECT DISTINCT ON (price) price, id FROM cake ORDER BY price, id DESC
SELECT price, count(*), sum(id) FILTER (WHERE id > 2), string_agg(name, ',' ORDER BY id DESC), array_agg(DISTINCT price) FROM cake GROUP BY ROLLUP (price) HAVING count(*) > 0 ORDER BY 1
SELECT id, rank() OVER w, lag(id, 1) OVER (ORDER BY id), sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM cake WINDOW w AS (PARTITION BY price ORDER BY id) ORDER BY id
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY price), mode() WITHIN GROUP (ORDER BY price) FROM cake
SELECT data ->> 'k', data -> 'l' -> 0, data #> '{l,0}', data #>> '{l,0}', data @> '{"k": 1}', data ? 'k', data ?| ARRAY['x'], data ?& ARRAY['k', 'l'], data @? '$.k' FROM cake ORDER BY id
SELECT tags || ARRAY['z'], tags[2], tags && ARRAY['a'], tags @> ARRAY['t1'], ARRAY(SELECT id FROM fruit ORDER BY id), cardinality(tags) FROM cake ORDER BY id
SELECT CAST(price AS text), price::numeric(10, 2), id::bigint, name::varchar(3), '2020-01-01'::date, DATE '2020-01-02', INTERVAL '1 day', ('{1,2}'::int[])[1], CAST(name AS "text") FROM cake ORDER BY id
SELECT EXTRACT(YEAR FROM DATE '2020-05-05'), SUBSTRING(name FROM 2 FOR 3), TRIM(BOTH 'c' FROM name), POSITION('k' IN name), OVERLAY(name PLACING 'X' FROM 1), CEIL(price / 2.0), COALESCE(NULLIF(price, 3), -1), GREATEST(id, price) FROM cake ORDER BY id
SELECT x.id, g.n FROM cake x JOIN generate_series(1, 3) AS g (n) ON g.n = x.id ORDER BY 1
SELECT u.i, u.n FROM unnest(ARRAY[7, 8]) WITH ORDINALITY AS u (i, n)
SELECT c.id, e.value FROM cake c, jsonb_each(c.data) AS e ORDER BY c.id
SELECT c.id, e.v FROM cake c, LATERAL jsonb_array_elements_text(c.data -> 'l') AS e (v) ORDER BY c.id
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (id, name) JOIN cake USING (id) ORDER BY 1
VALUES ((SELECT max(id) FROM cake)), (2)
SELECT id FROM cake EXCEPT (SELECT cake_id FROM fruit INTERSECT SELECT id FROM cake) ORDER BY 1
SELECT * FROM cake AS c JOIN fruit ON fruit.cake_id = c.id ORDER BY c.id, fruit.id FOR UPDATE OF c SKIP LOCKED
SELECT * FROM cake ORDER BY name COLLATE "C" DESC NULLS LAST OFFSET 2 ROWS FETCH FIRST 2 ROWS ONLY
SELECT CASE WHEN id BETWEEN 2 AND 4 THEN (SELECT max(name) FROM fruit) ELSE name END FROM cake ORDER BY id
/* who: app */ SELECT id -- globex.cake
SELECT 'FROM globex.cake', E'it\'s; FROM x', id FROM cake /* public.cake */ ORDER BY id;
SELECT name LIKE 'cake%', name NOT ILIKE '%1', name ~ '[0-9]', name SIMILAR TO '%2' FROM cake ORDER BY id
SELECT id FROM cake WHERE (id, price) > (3, 1) AND (id, price) IN ((4, 5), (5, 1)) AND ROW(id, 1) = ROW(4, 1)
SELECT a=-1, b->-1 FROM (SELECT id AS a, data -> 'l' AS b FROM cake) q
SELECT tableoid, ctid FROM cake
SELECT cake.lower FROM cake
SELECT cake.nothing FROM cake
SELECT current_schema
SELECT current_schema() FROM cake
SELECT tableoid::regclass FROM cake
SELECT * FROM globex.cake
SELECT * FROM ONLY cake
TABLE cake
SELECT to_regclass('cake')
SELECT nextval('x')
SELECT lower('ABC')
