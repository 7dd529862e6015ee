CREATE SCHEMA IF NOT EXISTS "my ""odd"" db"."SELECT" COMMENT = '{"river":1,"shape":"9627c1f56b40520a"}'
