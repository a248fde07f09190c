# nothing

!! unparsed

# a comment only
-- x
!! unparsed

# two statements
SELECT 1; SELECT 2
!! text (more than one statement)

# an empty statement
SELECT 1;;
!! text (more than one statement)

# a schema
SELECT * FROM globex.cake
!! already_qualified

# a quoted schema
SELECT * FROM "globex"."cake"
!! already_qualified

# a database
SELECT * FROM db.globex.cake
!! already_qualified

# the catalog
SELECT * FROM pg_catalog.pg_class
!! already_qualified

# the catalog by a bare name
SELECT * FROM pg_class
!! name (pg_class)

# the information schema
SELECT * FROM information_schema.tables
!! already_qualified

# public
SELECT * FROM public.cake
!! already_qualified

# a target in a schema
INSERT INTO globex.cake DEFAULT VALUES
!! already_qualified

# an update in a schema
UPDATE globex.cake SET a = 1
!! already_qualified

# a delete in a schema
DELETE FROM "globex"."cake"
!! already_qualified

# a schema in a column
SELECT globex.cake.id FROM cake
!! already_qualified

# a schema in a wildcard
SELECT globex.cake.* FROM cake
!! already_qualified

# a schema before a function
SELECT globex.f(1)
!! already_qualified

# the catalog before a function
SELECT pg_catalog.lower(a) FROM t
!! already_qualified

# an operator with a schema
SELECT 1 OPERATOR(pg_catalog.+) 2
!! operator (OPERATOR(pg_catalog.+))

# an unknown function
SELECT my_function(id) FROM cake
!! function (my_function)

# a quoted unknown function
SELECT "set_config"($1, $2, false)
!! function (set_config)

# the session's settings
SELECT set_config('search_path', 'globex', false)
!! function (set_config)

# a setting
SELECT current_setting('search_path')
!! function (current_setting)

# the path
SELECT current_schema()
!! function (current_schema)

# the path without parentheses
SELECT current_schema
!! name (current_schema)

# the path as a list
SELECT current_schemas(true)
!! function (current_schemas)

# the role
SELECT current_user
!! function (current_user)

# the database
SELECT current_database()
!! function (current_database)

# a sequence
SELECT nextval('cake_id_seq')
!! function (nextval)

# a sequence's last value
SELECT currval('cake_id_seq')
!! function (currval)

# the last value
SELECT lastval()
!! function (lastval)

# a name as text
SELECT to_regclass('cake')
!! function (to_regclass)

# a size by name
SELECT pg_table_size('cake')
!! function (pg_table_size)

# a cast to a name
SELECT 'cake'::regclass
!! type (REGCLASS)

# a cast of a table's number
SELECT tableoid::regclass FROM cake
!! type (REGCLASS)

# a literal name
SELECT regclass 'cake'
!! type (REGCLASS)

# a type by name
SELECT pg_typeof(id) FROM cake
!! function (pg_typeof)

# a query in a string
SELECT query_to_xml('select 1', true, true, '')
!! function (query_to_xml)

# another server
SELECT * FROM dblink('x', 'select 1') AS t (id int)
!! clause (types in an alias)

# a large object
SELECT lo_import('/etc/passwd')
!! function (lo_import)

# an advisory lock
SELECT pg_advisory_lock(1)
!! function (pg_advisory_lock)

# a nap
SELECT pg_sleep(1)
!! function (pg_sleep)

# a file
SELECT pg_read_file('x')
!! function (pg_read_file)

# a type of the schema
SELECT CAST($1 AS "mood")
!! type (mood)

# a bare type of the schema
SELECT $1::citext
!! type (citext)

# an array of a type of the schema
SELECT $1::mood[]
!! type (mood)

# a type with a schema
SELECT $1::acme.mood
!! already_qualified

# the catalog's type
SELECT $1::pg_catalog.int4
!! already_qualified

# a row of a table
SELECT NULL::cake
!! type (cake)

# a literal of a type of the schema
SELECT mood 'happy'
!! name (happy)

# a collation
SELECT name COLLATE "de_DE" FROM cake
!! type (de_DE)

# a bare collation
SELECT name COLLATE german FROM cake
!! type (german)

# a collation with a schema
SELECT name COLLATE pg_catalog."C" FROM cake
!! already_qualified

# full text search
SELECT * FROM cake WHERE to_tsvector(name) @@ $1
!! text (an operator that is not known)

# an unknown operator
SELECT a <-> b FROM t
!! text (an operator that is not known)

# an operator that ends like a comment
SELECT 1 */ 2
!! text (an operator that is not known)

# similarity
SELECT a %> b FROM t
!! text (an operator that is not known)

# an operator with a sign at its end
SELECT a @- b FROM t
!! text (an operator that is not known)

# ONLY
SELECT * FROM ONLY cake
!! name (only)

# ONLY in a delete
DELETE FROM ONLY cake
!! name (only)

# ONLY in an update
UPDATE ONLY cake SET a = 1
!! name (only)

# all children
SELECT * FROM cake *
!! unparsed

# TABLE
TABLE cake
!! unparsed

# TABLE in a union
SELECT 1 UNION TABLE cake
!! clause (TABLE)

# SELECT INTO
SELECT * INTO copy FROM cake
!! clause (SELECT INTO)

# MERGE
MERGE INTO cake USING fruit ON TRUE WHEN MATCHED THEN DELETE
!! statement

# a copy
COPY cake TO STDOUT
!! statement

# a setting of the session
SET search_path = globex
!! statement

# a transaction
BEGIN
!! statement

# a table is made
CREATE TABLE x (id int)
!! statement

# a table is made from a query
CREATE TABLE x AS SELECT 1
!! statement

# EXPLAIN
EXPLAIN SELECT * FROM cake
!! statement

# a prepared statement
PREPARE p AS SELECT 1
!! statement

# a block
DO $$ BEGIN END $$
!! text (a dollar quote)

# a call
CALL p()
!! statement

# a cursor
DECLARE c CURSOR FOR SELECT 1
!! statement

# truncation
TRUNCATE cake
!! statement

# LOCK
LOCK TABLE cake
!! statement

# a sample
SELECT * FROM cake TABLESAMPLE SYSTEM (10)
!! clause (a table with options)

# rows of functions
SELECT * FROM ROWS FROM (generate_series(1, 2)) AS x
!! unparsed

# types in an alias
SELECT * FROM jsonb_to_recordset($1) AS x (id int)
!! clause (types in an alias)

# an XML table
SELECT * FROM XMLTABLE('/a' PASSING $1 COLUMNS a int)
!! clause (FROM other than tables, queries and functions)

# the cursor of an update
UPDATE cake SET a = 1 WHERE CURRENT OF c
!! unparsed

# a field of an expression
SELECT (cake).name FROM cake
!! expression (a field or a slice)

# all fields of an expression
SELECT (cake).* FROM cake
!! unparsed

# a field that is set
UPDATE cake SET a.b = 1
!! already_qualified

# a slice
SELECT a[1:2] FROM t
!! text (a colon)

# a named argument
SELECT make_interval(days => 1)
!! text (an operator that is not known)

# weaker locks
SELECT * FROM cake FOR NO KEY UPDATE
!! unparsed

# a search order
WITH RECURSIVE a AS (SELECT 1) SEARCH DEPTH FIRST BY x SET y SELECT * FROM a
!! unparsed

# a key word as a table
SELECT * FROM user
!! name (user)

# a key word as a column
SELECT user FROM cake
!! function (user)

# a key word as an alias
SELECT id AS end FROM cake
!! name (end)

# a lateral table
SELECT * FROM LATERAL x
!! unparsed

# a remainder, which pg_trgm has too
SELECT id % 2 FROM cake
!! text (an operator that is not known)

# text behind the end of a statement
SELECT id FROM cake END FROM globex.cake
!! unparsed
