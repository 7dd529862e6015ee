CREATE STORAGE INTEGRATION IF NOT EXISTS "RIVER_S3"
  TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE
  STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::123456789012:role/snowflake'
  STORAGE_ALLOWED_LOCATIONS = ('s3://acme-lake/river/data/', 's3://acme-lake/river/loads/')
  COMMENT = '{"river":1,"shape":"2c2a337f47f5ec67"}'
