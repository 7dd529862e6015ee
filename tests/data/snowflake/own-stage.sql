CREATE STAGE IF NOT EXISTS "RIVER"."RIVER"."LAKE"
  URL = 's3://acme-lake/river/data/'
  STORAGE_INTEGRATION = "RIVER_S3"
  COMMENT = '{"river":1,"shape":"53f1a1f21cb3e743"}'
