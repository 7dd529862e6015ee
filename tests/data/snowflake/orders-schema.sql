CREATE SCHEMA IF NOT EXISTS "my ""odd"" db"."SHOP" COMMENT = '{"river":1,"shape":"55c34a259403d31a"}'
