# an insert
INSERT INTO "cake" ("name", "price") VALUES ($1, $2), ($3, DEFAULT) RETURNING "id", "name"
=> INSERT INTO "acme"."cake" ("name", "price") VALUES ($1, $2), ($3, DEFAULT) RETURNING "id", "name"

# an insert of defaults
INSERT INTO cake DEFAULT VALUES RETURNING *
=> INSERT INTO "acme".cake DEFAULT VALUES RETURNING *

# an insert from a query
INSERT INTO cake (name) SELECT name FROM old_cake WHERE id = $1
=> INSERT INTO "acme".cake (name) SELECT name FROM "acme".old_cake WHERE id = $1

# a conflict that updates
INSERT INTO "cake" ("id", "name") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "name" = "excluded"."name", "price" = "cake"."price" + 1 WHERE "cake"."price" < (SELECT max(price) FROM limits)
=> INSERT INTO "acme"."cake" ("id", "name") VALUES ($1, $2) ON CONFLICT ("id") DO UPDATE SET "name" = "excluded"."name", "price" = "cake"."price" + 1 WHERE "cake"."price" < (SELECT max(price) FROM "acme".limits)

# a conflict that does nothing
INSERT INTO cake (id) VALUES (1) ON CONFLICT DO NOTHING
=> INSERT INTO "acme".cake (id) VALUES (1) ON CONFLICT DO NOTHING

# a conflict on a constraint
INSERT INTO cake (id) VALUES (1) ON CONFLICT ON CONSTRAINT cake_pkey DO NOTHING
=> INSERT INTO "acme".cake (id) VALUES (1) ON CONFLICT ON CONSTRAINT cake_pkey DO NOTHING

# an insert with an alias
INSERT INTO cake AS c (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = c.id
=> INSERT INTO "acme".cake AS c (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = c.id

# an update
UPDATE "cake" SET "name" = $1, "price" = "cake"."price" + 1 WHERE "cake"."id" = $2 RETURNING *
=> UPDATE "acme"."cake" SET "name" = $1, "price" = "cake"."price" + 1 WHERE "cake"."id" = $2 RETURNING *

# an update from others
UPDATE cake AS c SET price = f.price, (a, b) = (SELECT x, y FROM z) FROM fruit f JOIN filling ON TRUE WHERE c.id = f.cake_id
=> UPDATE "acme".cake AS c SET price = f.price, (a, b) = (SELECT x, y FROM "acme".z) FROM "acme".fruit f JOIN "acme".filling ON TRUE WHERE c.id = f.cake_id

# a delete
DELETE FROM "cake" WHERE "cake"."id" IN (SELECT cake_id FROM fruit) RETURNING "id"
=> DELETE FROM "acme"."cake" WHERE "cake"."id" IN (SELECT cake_id FROM "acme".fruit) RETURNING "id"

# a delete with others
DELETE FROM cake c USING fruit f, (SELECT * FROM filling) x WHERE c.id = f.cake_id
=> DELETE FROM "acme".cake c USING "acme".fruit f, (SELECT * FROM "acme".filling) x WHERE c.id = f.cake_id

# a target in an update of defaults
UPDATE cake SET price = DEFAULT
=> UPDATE "acme".cake SET price = DEFAULT
