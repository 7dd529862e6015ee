CREATE STREAM IF NOT EXISTS "my ""odd"" db"."SHOP"."ORDERS$NEW" ON TABLE "my ""odd"" db"."SHOP"."ORDERS"
  APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE
  COMMENT = '{"river":1,"stream":"shop/orders","id":"01JCQ8Z5T0AAAAAAAAAAAAAAAA","shape":"4f0956af06d66efb"}'
