CREATE DYNAMIC TABLE IF NOT EXISTS "RIVER"."WEB"."CLICKS_CLEAN"
  TARGET_LAG = '5 minutes' WAREHOUSE = "LOAD_WH"
  CLUSTER BY (TO_DATE("OCCURRED_AT"), DATE_TRUNC('HOUR', "OCCURRED_AT"), "VISITS")
  COMMENT = '{"river":1,"stream":"web/clicks","id":"01JCQ8Z5T0AAAAAAAAAAAAAAAA","shape":"557cb2141fca4639"}'
  AS WITH "FOUND" AS (SELECT "RECORD", "FILE_NAME", "FILE_ROW", "LOADED_AT",
  "RECORD"['event_id'] AS "V$1",
  "RECORD"['occurred_at'] AS "V$2",
  "RECORD"['payload']['price'] AS "V$3",
  "RECORD"['visits'] AS "V$4",
  "RECORD"['score'] AS "V$5",
  "RECORD"['deleted'] AS "V$6",
  "RECORD"['day'] AS "V$7",
  "RECORD"['payload'] AS "V$8",
  "RECORD"['email'] AS "V$9"
  FROM "RIVER"."WEB"."CLICKS"),
"TEXT" AS (SELECT *,
  CASE WHEN TYPEOF("V$1") IN ('OBJECT', 'ARRAY') THEN NULL ELSE "V$1"::VARCHAR END AS "T$1",
  CASE WHEN TYPEOF("V$2") IN ('OBJECT', 'ARRAY') THEN NULL ELSE NULLIF("V$2"::VARCHAR, '') END AS "T$2",
  CASE WHEN TYPEOF("V$3") IN ('OBJECT', 'ARRAY') THEN NULL ELSE NULLIF("V$3"::VARCHAR, '') END AS "T$3",
  CASE WHEN TYPEOF("V$4") IN ('OBJECT', 'ARRAY') THEN NULL ELSE NULLIF("V$4"::VARCHAR, '') END AS "T$4",
  CASE WHEN TYPEOF("V$5") IN ('OBJECT', 'ARRAY') THEN NULL ELSE NULLIF("V$5"::VARCHAR, '') END AS "T$5",
  CASE WHEN TYPEOF("V$6") IN ('OBJECT', 'ARRAY') THEN NULL ELSE NULLIF("V$6"::VARCHAR, '') END AS "T$6",
  CASE WHEN TYPEOF("V$7") IN ('OBJECT', 'ARRAY') THEN NULL ELSE NULLIF("V$7"::VARCHAR, '') END AS "T$7",
  CASE WHEN TYPEOF("V$9") IN ('OBJECT', 'ARRAY') THEN NULL ELSE "V$9"::VARCHAR END AS "T$9"
  FROM "FOUND"),
"PARTS" AS (SELECT *,
  CASE WHEN REGEXP_LIKE("T$2", '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|z|UTC|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$') THEN SUBSTR("T$2", 1, 10) || ' ' || SUBSTR("T$2", 12, 8) END AS "M$2",
  NULLIF(REGEXP_SUBSTR("T$2", '[.]([0-9]+)', 1, 1, 'e', 1), '') AS "U$2",
  NULLIF(REGEXP_SUBSTR(SUBSTR("T$2", 20), '(Z|z|UTC|[+-][0-9:]+)$', 1, 1, 'e', 1), '') AS "Z$2",
  CASE WHEN REGEXP_LIKE("T$7", '^[0-9]{4}-[0-9]{2}-[0-9]{2}$') THEN "T$7" || ' 00:00:00' END AS "M$7"
  FROM "TEXT"),
"CUT" AS (SELECT *,
  "T$1" AS "EVENT_ID",
  CASE WHEN TYPEOF("V$1") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$1") = 'ARRAY' THEN 'is an array' WHEN "T$1" IS NULL THEN 'is part of the key and null' ELSE NULL END AS "F$1",
  DATEADD(MINUTE, -(CASE WHEN LEFT(COALESCE("Z$2", 'UTC'), 1) NOT IN ('+', '-') THEN 0 ELSE CASE WHEN LEFT(COALESCE("Z$2", 'UTC'), 1) = '-' THEN -1 ELSE 1 END * (TRY_CAST(SUBSTR(COALESCE("Z$2", 'UTC'), 2, 2) AS INTEGER) * 60 + CASE WHEN LENGTH(COALESCE("Z$2", 'UTC')) > 3 THEN TRY_CAST(RIGHT(COALESCE("Z$2", 'UTC'), 2) AS INTEGER) ELSE 0 END) END), TRY_TO_TIMESTAMP_NTZ("M$2" || '.' || RPAD(COALESCE(LEFT("U$2", 6), ''), 6, '0'), 'YYYY-MM-DD HH24:MI:SS.FF6'))::TIMESTAMP_NTZ(6) AS "OCCURRED_AT",
  CASE WHEN TYPEOF("V$2") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$2") = 'ARRAY' THEN 'is an array' WHEN "T$2" IS NULL THEN NULL WHEN TYPEOF("V$2") = 'BOOLEAN' THEN 'is not a time' WHEN TYPEOF("V$2") <> 'VARCHAR' THEN 'is a number; if it counts from 1970, the column needs format: epoch_s, epoch_ms or epoch_us' WHEN "M$2" IS NULL THEN 'is not a time as 2026-11-20T16:58:51Z' WHEN LENGTH(RTRIM("U$2", '0')) > 6 THEN 'is finer than a microsecond' WHEN TRY_TO_DATE(LEFT("M$2", 10), 'YYYY-MM-DD') IS NULL THEN 'is no day of the calendar' WHEN SUBSTR("M$2", 12, 2) > '23' OR SUBSTR("M$2", 15, 2) > '59' OR SUBSTR("M$2", 18, 2) > '59' THEN 'is no time of day' ELSE NULL END AS "F$2",
  TRY_CAST("T$3" AS NUMBER(18,4)) AS "PRICE",
  CASE WHEN TYPEOF("V$3") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$3") = 'ARRAY' THEN 'is an array' WHEN "T$3" IS NULL THEN NULL WHEN TYPEOF("V$3") = 'DOUBLE' AND NOT REGEXP_LIKE("T$3", '^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') THEN 'has more digits than the column' WHEN LENGTH("T$3") > 4096 THEN 'is too long for a number' WHEN NOT REGEXP_LIKE("T$3", '^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') THEN 'is not a number' WHEN TYPEOF("V$3") = 'DOUBLE' AND LENGTH(TRIM(REPLACE(SPLIT_PART(LOWER("T$3"), 'e', 1), '.', ''), '+-0')) >= 15 THEN 'may have lost digits as a double' WHEN NOT CONTAINS(LOWER("T$3"), 'e') AND LENGTH(LTRIM(SPLIT_PART("T$3", '.', 1), '+-0')) > 14 THEN 'has more digits than the column' WHEN NOT CONTAINS(LOWER("T$3"), 'e') AND LENGTH(RTRIM(SPLIT_PART("T$3", '.', 2), '0')) > 4 THEN 'has more decimals than the column' WHEN TRY_CAST("T$3" AS NUMBER(18,4)) IS NULL THEN 'has more digits than the column' WHEN CONTAINS(LOWER("T$3"), 'e') AND LENGTH(TRIM(REPLACE(SPLIT_PART(LOWER("T$3"), 'e', 1), '.', ''), '+-0')) > 0 AND LENGTH(RTRIM(REPLACE(SPLIT_PART(LOWER("T$3"), 'e', 1), '.', ''), '0')) - LENGTH(SPLIT_PART(SPLIT_PART(LOWER("T$3"), 'e', 1), '.', 1)) - TRY_CAST(SPLIT_PART(LOWER("T$3"), 'e', 2) AS INTEGER) > 4 THEN 'has more decimals than the column' ELSE NULL END AS "F$3",
  TRY_CAST("T$4" AS NUMBER(19,0)) AS "VISITS",
  CASE WHEN TYPEOF("V$4") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$4") = 'ARRAY' THEN 'is an array' WHEN "T$4" IS NULL THEN CASE WHEN "V$4" IS NULL THEN 'is required and not there' ELSE 'is required and null' END WHEN TYPEOF("V$4") = 'DOUBLE' AND NOT REGEXP_LIKE("T$4", '^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') THEN 'has more digits than the column' WHEN LENGTH("T$4") > 4096 THEN 'is too long for a number' WHEN NOT REGEXP_LIKE("T$4", '^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') THEN 'is not a number' WHEN TYPEOF("V$4") = 'DOUBLE' AND LENGTH(TRIM(REPLACE(SPLIT_PART(LOWER("T$4"), 'e', 1), '.', ''), '+-0')) >= 15 THEN 'may have lost digits as a double' WHEN NOT CONTAINS(LOWER("T$4"), 'e') AND LENGTH(LTRIM(SPLIT_PART("T$4", '.', 1), '+-0')) > 38 THEN 'has more digits than the column' WHEN NOT CONTAINS(LOWER("T$4"), 'e') AND LENGTH(RTRIM(SPLIT_PART("T$4", '.', 2), '0')) > 0 THEN 'is not whole' WHEN TRY_CAST("T$4" AS NUMBER(38,0)) IS NULL THEN 'has more digits than the column' WHEN CONTAINS(LOWER("T$4"), 'e') AND LENGTH(TRIM(REPLACE(SPLIT_PART(LOWER("T$4"), 'e', 1), '.', ''), '+-0')) > 0 AND LENGTH(RTRIM(REPLACE(SPLIT_PART(LOWER("T$4"), 'e', 1), '.', ''), '0')) - LENGTH(SPLIT_PART(SPLIT_PART(LOWER("T$4"), 'e', 1), '.', 1)) - TRY_CAST(SPLIT_PART(LOWER("T$4"), 'e', 2) AS INTEGER) > 0 THEN 'is not whole' WHEN TRY_CAST("T$4" AS NUMBER(38,0)) NOT BETWEEN -9223372036854775808 AND 9223372036854775807 THEN 'does not fit into 64 bits' ELSE NULL END AS "F$4",
  TRY_CAST("T$5" AS DOUBLE) AS "SCORE",
  CASE WHEN TYPEOF("V$5") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$5") = 'ARRAY' THEN 'is an array' WHEN "T$5" IS NULL THEN NULL WHEN TYPEOF("V$5") = 'DOUBLE' AND NOT REGEXP_LIKE("T$5", '^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') THEN 'is beyond what a double holds' WHEN LENGTH("T$5") > 4096 THEN 'is too long for a number' WHEN NOT REGEXP_LIKE("T$5", '^[-+]?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$') THEN 'is not a number' WHEN COALESCE(ABS(TRY_CAST("T$5" AS DOUBLE)) > 1.7976931348623157e308, TRUE) THEN 'is beyond what a double holds' ELSE NULL END AS "F$5",
  CASE WHEN "T$6" IN ('true', 'True', 'TRUE', '1') THEN TRUE WHEN "T$6" IN ('false', 'False', 'FALSE', '0') THEN FALSE END AS "DELETED",
  CASE WHEN TYPEOF("V$6") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$6") = 'ARRAY' THEN 'is an array' WHEN "T$6" IS NULL THEN NULL WHEN "T$6" NOT IN ('true', 'True', 'TRUE', '1', 'false', 'False', 'FALSE', '0') THEN 'is neither true nor false' ELSE NULL END AS "F$6",
  TRY_TO_DATE(LEFT("M$7", 10), 'YYYY-MM-DD') AS "DAY",
  CASE WHEN TYPEOF("V$7") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$7") = 'ARRAY' THEN 'is an array' WHEN "T$7" IS NULL THEN NULL WHEN TYPEOF("V$7") = 'BOOLEAN' THEN 'is not a date' WHEN TYPEOF("V$7") <> 'VARCHAR' THEN 'is a number; if it counts from 1970, the column needs format: epoch_s, epoch_ms or epoch_us' WHEN "M$7" IS NULL THEN 'is not a date as %Y-%m-%d' WHEN TRY_TO_DATE(LEFT("M$7", 10), 'YYYY-MM-DD') IS NULL THEN 'is no day of the calendar' ELSE NULL END AS "F$7",
  CASE WHEN TYPEOF("V$8") = 'NULL_VALUE' THEN NULL ELSE "V$8" END AS "PAYLOAD",
  CASE WHEN COALESCE(TYPEOF("V$8"), 'NULL_VALUE') = 'NULL_VALUE' THEN CASE WHEN "V$8" IS NULL THEN 'is required and not there' ELSE 'is required and null' END ELSE NULL END AS "F$8",
  "T$9" AS "EMAIL",
  CASE WHEN TYPEOF("V$9") = 'OBJECT' THEN 'is an object' WHEN TYPEOF("V$9") = 'ARRAY' THEN 'is an array' WHEN "T$9" IS NULL THEN NULL ELSE NULL END AS "F$9"
  FROM "PARTS"),
"JUDGED" AS (SELECT *,
  CASE WHEN COALESCE(TYPEOF("RECORD"), '') <> 'OBJECT' THEN 'record' WHEN "F$1" IS NOT NULL THEN 'event_id' WHEN "F$2" IS NOT NULL THEN 'occurred_at' WHEN "F$3" IS NOT NULL THEN 'price' WHEN "F$4" IS NOT NULL THEN 'visits' WHEN "F$5" IS NOT NULL THEN 'score' WHEN "F$6" IS NOT NULL THEN 'deleted' WHEN "F$7" IS NOT NULL THEN 'day' WHEN "F$8" IS NOT NULL THEN 'payload' WHEN "F$9" IS NOT NULL THEN 'email' ELSE NULL END AS "RIVER$COLUMN",
  CASE WHEN COALESCE(TYPEOF("RECORD"), '') <> 'OBJECT' THEN 'is not an object' WHEN "F$1" IS NOT NULL THEN "F$1" WHEN "F$2" IS NOT NULL THEN "F$2" WHEN "F$3" IS NOT NULL THEN "F$3" WHEN "F$4" IS NOT NULL THEN "F$4" WHEN "F$5" IS NOT NULL THEN "F$5" WHEN "F$6" IS NOT NULL THEN "F$6" WHEN "F$7" IS NOT NULL THEN "F$7" WHEN "F$8" IS NOT NULL THEN "F$8" WHEN "F$9" IS NOT NULL THEN "F$9" ELSE NULL END AS "RIVER$REASON"
  FROM "CUT")
SELECT "EVENT_ID", "OCCURRED_AT", "PRICE", "VISITS", "SCORE", "DELETED", "DAY", "PAYLOAD", "EMAIL", "FILE_NAME", "FILE_ROW", "LOADED_AT"
FROM "JUDGED" WHERE "RIVER$REASON" IS NULL
QUALIFY ROW_NUMBER() OVER (PARTITION BY SHA2(TO_JSON("RECORD")) ORDER BY "FILE_NAME", "FILE_ROW") = 1
