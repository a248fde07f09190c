# a common table expression is not a table
WITH recent AS (SELECT * FROM cake) SELECT * FROM recent JOIN cake USING (id)
=> WITH recent AS (SELECT * FROM "acme".cake) SELECT * FROM recent JOIN "acme".cake USING (id)

# it hides a table, but not in itself
WITH cake AS (SELECT * FROM cake WHERE price > 1) SELECT * FROM cake
=> WITH cake AS (SELECT * FROM "acme".cake WHERE price > 1) SELECT * FROM cake

# it is seen by those behind it only
WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM a, b
=> WITH a AS (SELECT * FROM "acme".b), b AS (SELECT * FROM a) SELECT * FROM a, b

# with RECURSIVE it is seen by all
WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a
=> WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a

# a recursion
WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t
=> WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n FROM t

# it ends with its query
SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a
=> SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, "acme".a

# it ends with its half of a union
(WITH a AS (SELECT 1 AS id) SELECT id FROM a) UNION SELECT id FROM a
=> (WITH a AS (SELECT 1 AS id) SELECT id FROM a) UNION SELECT id FROM "acme".a

# it is seen in all halves of its query
WITH a AS (SELECT 1 AS id) SELECT id FROM a UNION SELECT id FROM a ORDER BY (SELECT max(id) FROM a)
=> WITH a AS (SELECT 1 AS id) SELECT id FROM a UNION SELECT id FROM a ORDER BY (SELECT max(id) FROM a)

# it is seen in subqueries
WITH a AS (SELECT 1 AS id) SELECT * FROM b WHERE id IN (SELECT id FROM a WHERE EXISTS (SELECT 1 FROM a JOIN c ON TRUE))
=> WITH a AS (SELECT 1 AS id) SELECT * FROM "acme".b WHERE id IN (SELECT id FROM a WHERE EXISTS (SELECT 1 FROM a JOIN "acme".c ON TRUE))

# an inner one hides an outer one, and goes
WITH a AS (SELECT * FROM x) SELECT * FROM (WITH a AS (SELECT * FROM a JOIN y ON TRUE) SELECT * FROM a) q, a
=> WITH a AS (SELECT * FROM "acme".x) SELECT * FROM (WITH a AS (SELECT * FROM a JOIN "acme".y ON TRUE) SELECT * FROM a) q, a

# a quoted name is another one
WITH "Cake" AS (SELECT 1) SELECT * FROM cake, "Cake"
=> WITH "Cake" AS (SELECT 1) SELECT * FROM "acme".cake, "Cake"

# a bare name is folded
WITH CAKE AS (SELECT 1) SELECT * FROM "cake", Cake, "CAKE"
=> WITH CAKE AS (SELECT 1) SELECT * FROM "cake", Cake, "acme"."CAKE"

# the target of an insert is a table
WITH cake AS (SELECT 1 AS id) INSERT INTO cake (id) SELECT id FROM cake
=> WITH cake AS (SELECT 1 AS id) INSERT INTO "acme".cake (id) SELECT id FROM cake

# the target of an update is a table
WITH cake AS (SELECT 1 AS id) UPDATE cake SET price = (SELECT max(id) FROM cake)
=> WITH cake AS (SELECT 1 AS id) UPDATE "acme".cake SET price = (SELECT max(id) FROM cake)

# the target of a delete is a table
WITH cake AS (SELECT 1 AS id) DELETE FROM cake USING cake AS c WHERE cake.id = c.id
=> WITH cake AS (SELECT 1 AS id) DELETE FROM "acme".cake USING cake AS c WHERE cake.id = c.id

# expressions that change rows
WITH gone AS (DELETE FROM cake WHERE price = 0 RETURNING id), kept AS (INSERT INTO old_cake (id) SELECT id FROM gone RETURNING id), up AS (UPDATE fruit SET cake_id = NULL FROM kept WHERE cake_id = kept.id RETURNING 1) SELECT * FROM gone, kept, up
=> WITH gone AS (DELETE FROM "acme".cake WHERE price = 0 RETURNING id), kept AS (INSERT INTO "acme".old_cake (id) SELECT id FROM gone RETURNING id), up AS (UPDATE "acme".fruit SET cake_id = NULL FROM kept WHERE cake_id = kept.id RETURNING 1) SELECT * FROM gone, kept, up

# one that belongs to the source of an insert
INSERT INTO cake WITH a AS (SELECT 1 AS id) SELECT id FROM a RETURNING (SELECT max(id) FROM a)
=> INSERT INTO "acme".cake WITH a AS (SELECT 1 AS id) SELECT id FROM a RETURNING (SELECT max(id) FROM "acme".a)

# materialized or not
WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT * FROM a) SELECT * FROM b
=> WITH a AS MATERIALIZED (SELECT 1), b AS NOT MATERIALIZED (SELECT * FROM a) SELECT * FROM b

# its own parentheses are no trouble
((WITH a AS (SELECT 1) SELECT * FROM a))
=> ((WITH a AS (SELECT 1) SELECT * FROM a))

# what stands behind it is seen from inside
(WITH a AS (SELECT 1 AS x) SELECT x FROM a) ORDER BY (SELECT max(x) FROM a)
!! clause (a clause behind a WITH in parentheses)

# also through two parentheses
((WITH a AS (SELECT 1 AS x) SELECT x FROM a)) LIMIT (SELECT max(x) FROM a)
!! clause (a clause behind a WITH in parentheses)

# an alias of an expression
WITH a AS (SELECT 1) SELECT b.* FROM a AS b, b AS c
=> WITH a AS (SELECT 1) SELECT b.* FROM a AS b, "acme".b AS c

# columns are named
WITH a (x, y) AS (SELECT 1, 2) SELECT x FROM a
=> WITH a (x, y) AS (SELECT 1, 2) SELECT x FROM a

# a target with the name of a recursive expression
WITH RECURSIVE x AS (INSERT INTO cake (id) SELECT 1 RETURNING id), cake AS (SELECT id FROM x) SELECT * FROM cake
!! clause (a target with the name of a recursive expression)
