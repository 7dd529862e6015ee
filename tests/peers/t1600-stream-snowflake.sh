#!/bin/sh
test_description='streams on Snowflake: made, compared, mended, planned and removed'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    warehouse: { type: snowflake, database: RIVER, storage_integration: RIVER_S3,
                 storage_role_arn: "arn:aws:iam::123456789012:role/snowflake" }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

mkdir streams
cat >streams/clicks.yaml <<YAML
stream: web/clicks
key: [event_id]
order_by: occurred_at
delete_when: { column: deleted, equals: true }
columns:
  event_id: { type: string, required: true }
  occurred_at: { type: timestamp, timezone: UTC }
  price: { type: "decimal(18,4)", from: payload.price }
  deleted: { type: boolean }
  payload: { type: json }
  email: { type: string }
cluster_by: [date(occurred_at)]
grants: { read: [analyst], push: [producer], admin: [platform] }
mask: [email, price]
YAML
cat >streams/orders.yaml <<YAML
stream: shop/orders
key: [id]
order_by: changed
columns:
  id: { type: integer }
  changed: { type: timestamp, format: epoch_ms }
  total: { type: "decimal(10,2)" }
contract: reject
stamp: id
retention: { warehouse: 3 months }
pipe: notify
YAML

cat >odd.yaml <<'YAML'
stream: select/table
key: [order, from]
order_by: group
columns:
  order: { type: string }
  from: { type: integer, from: '/a~1b/0/it''s "x" \' }
  group: { type: timestamp, timezone: "+02:00" }
  __x9: { type: json }
delete_when: { column: order, equals: 'it''s \ gone' }
cluster_by: [hour(group), order]
YAML

# Everything as at the beginning: an empty bucket, an empty account and its roles.
fresh () {
	emul_post reset "" >/dev/null && emul_no_script && emul_delete log >/dev/null &&
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null &&
	sf_start && sf_env && rm -rf .state &&
	sf_sql "CREATE ROLE ANALYST; CREATE ROLE PRODUCER; CREATE ROLE PLATFORM" >/dev/null
}
# Both streams as defined.
applied () {
	fresh && river stream apply -f streams >/dev/null && emul_delete log >/dev/null
}
# Statements of the SQL API since the log was emptied.
round_trips () {
	emul_log | grep -c "/api/v2/statements"
}
# What differs, one a line: differs TEXT...
differs () {
	test_expect_code 1 river stream diff -f streams >diff &&
	for text
	do
		test_grep "$text" diff || return 1
	done
}
# After a repair nothing differs, and one stream was changed: mended
mended () {
	river stream apply -f streams >out &&
	river stream diff -f streams >diff &&
	test_must_be_empty diff
}
ledger_is_made () {
	sf_statements | grep -q LEDGER
}
is () {
	test "$(sf_value "$1")" = "$2"
}

test_expect_success 'a stream is created with all that belongs to it, and the same again is unchanged' '
	fresh &&
	river stream create web/clicks --key event_id --order-by at --column "at=timestamp timezone UTC" >out &&
	test_grep "^web/clicks: created" out &&
	test_grep "^  table RIVER.WEB.CLICKS: made" out &&
	test_grep "^  pipe RIVER.WEB.CLICKS.PIPE: made" out &&
	changes=$(grep -c ": made" out) &&
	test $(round_trips) -le $((changes + 2)) &&
	emul_delete log >/dev/null &&
	river stream create web/clicks --key event_id --order-by at --column "at=timestamp timezone UTC" >out &&
	echo "web/clicks: unchanged" >expected &&
	test_cmp expected out &&
	test $(round_trips) -le 3
'
test_expect_success 'one more stream of a database that is there: three looks at most, and one for each object' '
	emul_delete log >/dev/null &&
	test_expect_code 6 river stream create -f streams/clicks.yaml >out 2>err &&
	test_grep "exists with another definition" err &&
	emul_delete log >/dev/null &&
	river stream create -f streams/orders.yaml >out &&
	changes=$(grep -c ": made" out) &&
	test $changes -ge 9 &&
	test $(round_trips) -le $((changes + 3))
'
test_expect_success '178: a dry run prints the SQL and changes nothing' '
	fresh &&
	river stream create -f streams/clicks.yaml --dry-run >out &&
	test_grep "CREATE TABLE IF NOT EXISTS \"RIVER\".\"WEB\".\"CLICKS\"" out &&
	test_grep "CREATE STORAGE INTEGRATION IF NOT EXISTS" out &&
	test_grep "CREATE PIPE IF NOT EXISTS" out &&
	test_grep "ON_ERROR = CONTINUE;" out &&
	test_grep "SET MASKING POLICY" out &&
	test_grep "GRANT SELECT ON VIEW .* TO ROLE \"ANALYST\"" out &&
	river --output json stream create -f streams/clicks.yaml --dry-run >json &&
	jq -s -e ".[-1].warehouse | length >= 6" json >/dev/null &&
	jq -s -e "map(select(.kind == \"warehouse\"))[0].changes[0].statements[0] | startswith(\"CREATE DATABASE\")" json >/dev/null &&
	test_expect_code 5 river stream show web/clicks 2>err &&
	test "$(sf_sql "SHOW DATABASES" | grep -c "\"RIVER\"")" = 0
'
test_expect_success 'both kinds of latest; apply again changes nothing, diff is content, show says so' '
	applied &&
	river stream apply -f streams >out &&
	printf "%s: unchanged\n" web/clicks shop/orders | sort >expected &&
	sort out >sorted && test_cmp expected sorted &&
	test $(round_trips) -le 4 &&
	river stream diff -f streams >diff && test_must_be_empty diff &&
	river stream show web/clicks >out &&
	test_grep "^# table web.clicks, and what belongs to it: as defined" out &&
	river stream show web/clicks >again.yaml && river stream diff -f again.yaml
'
test_expect_success 'drift: what was dropped by hand' '
	sf_sql "DROP VIEW RIVER.WEB.CLICKS_LATEST; DROP PIPE RIVER.WEB.\"CLICKS\$PIPE\"; DROP TASK RIVER.SHOP.\"ORDERS\$MERGE\"" >/dev/null &&
	differs "view RIVER.WEB.CLICKS_LATEST: is not there" "pipe RIVER.WEB.CLICKS.PIPE: is not there" \
		"task RIVER.SHOP.ORDERS.MERGE: is not there" &&
	river stream show web/clicks >out && test_grep "^# view RIVER.WEB.CLICKS_LATEST: is not there" out &&
	mended
'
test_expect_success 'drift: settings, suspended tables and tasks' '
	sf_sql "ALTER DYNAMIC TABLE RIVER.WEB.CLICKS_CLEAN SET TARGET_LAG = '\''1 hour'\''" >/dev/null &&
	sf_sql "ALTER DYNAMIC TABLE RIVER.WEB.\"CLICKS\$NEWEST\" SUSPEND; ALTER TASK RIVER.SHOP.\"ORDERS\$RETAIN\" SUSPEND" >/dev/null &&
	differs "CLICKS_CLEAN: its lag is" "CLICKS.NEWEST: it is suspended" "ORDERS.RETAIN: it is suspended" &&
	mended
'
test_expect_success 'drift: grants and masks' '
	sf_sql "REVOKE SELECT ON VIEW RIVER.WEB.CLICKS_LATEST FROM ROLE ANALYST; GRANT SELECT ON TABLE RIVER.WEB.CLICKS TO ROLE ANALYST" >/dev/null &&
	sf_sql "ALTER DYNAMIC TABLE RIVER.WEB.CLICKS_CLEAN MODIFY COLUMN EMAIL UNSET MASKING POLICY" >/dev/null &&
	differs "view RIVER.WEB.CLICKS_LATEST: grants differ" "table RIVER.WEB.CLICKS: grants differ" \
		"CLICKS_CLEAN: masks differ" &&
	mended
'
test_expect_success '166: drift: a pipe that copies otherwise is made again, when the ledger knows what it loaded' '
	sf_sql "CREATE OR REPLACE PIPE RIVER.SHOP.\"ORDERS\$PIPE\" COMMENT = '\''$(sf_sql "SHOW PIPES IN SCHEMA RIVER.SHOP" | jq -r .comment)'\'' AS COPY INTO RIVER.SHOP.ORDERS (\"RECORD\", \"FILE_NAME\", \"FILE_ROW\", \"LOADED_AT\") FROM (SELECT \$1, METADATA\$FILENAME, METADATA\$FILE_ROW_NUMBER, METADATA\$START_SCAN_TIME FROM @RIVER.RIVER.LAKE/shop/orders/) FILE_FORMAT = (FORMAT_NAME = RIVER.RIVER.NDJSON)" >/dev/null &&
	sf_sql "INSERT INTO RIVER.SHOP.ORDERS SELECT PARSE_JSON('\''{}'\''), '\''data/shop/orders/dt=2026-11-20/hr=14/a.ndjson'\'', 1, CURRENT_TIMESTAMP()" >/dev/null &&
	differs "pipe RIVER.SHOP.ORDERS.PIPE: copies otherwise" &&
	mended &&
	is "SELECT COUNT(*) FROM RIVER.RIVER.LEDGER WHERE FILE_NAME LIKE '\''%a.ndjson'\'' AND STATE = '\''loaded'\''" 1 &&
	sf_statements | jq -r .sql | grep -q "PIPE_EXECUTION_PAUSED = TRUE"
'
test_expect_success 'drift that is nobody'\''s to mend is named: a column, and the rest stays' '
	sf_sql "ALTER TABLE RIVER.WEB.CLICKS ADD COLUMN NOTE VARCHAR" >/dev/null &&
	differs "table RIVER.WEB.CLICKS: column NOTE is not river" &&
	river stream apply -f streams >out &&
	test_grep "^web/clicks: unchanged" out &&
	sf_sql "ALTER TABLE RIVER.WEB.CLICKS DROP COLUMN NOTE" >/dev/null &&
	river stream diff -f streams
'
test_expect_success 'another definition: derived tables are made again, roles are taken back, columns added' '
	cp -r streams later &&
	sed "s/analyst/reader/; s/decimal(18,4)/decimal(18,2)/; s/, price\\]/]/" streams/clicks.yaml >later/clicks.yaml &&
	sed "s/^contract/  note: { type: string }\\ncontract/" streams/orders.yaml >later/orders.yaml &&
	sf_sql "CREATE ROLE READER" >/dev/null &&
	test_expect_code 6 river stream create -f later >out 2>err &&
	river stream apply -f later >out &&
	test_grep "^  dynamic table RIVER.WEB.CLICKS_CLEAN: replaced" out &&
	test_grep "^  table RIVER.SHOP.ORDERS.NEWEST: altered, column NOTE is not there" out &&
	river stream diff -f later >diff && test_must_be_empty diff &&
	sf_sql "SHOW GRANTS TO ROLE ANALYST" >grants &&
	! grep -q CLICKS grants &&
	sf_sql "SHOW GRANTS TO ROLE READER" >grants &&
	grep -q CLICKS_LATEST grants
'
test_expect_success 'layers that are wanted no more go; what stands there and is not river'\''s is a conflict' '
	printf "stream: web/clicks\nlayers: [raw]\n" >later/clicks.yaml &&
	river stream apply -f later >out &&
	test_grep "^  view RIVER.WEB.CLICKS_LATEST: removed" out &&
	test_grep "^  dynamic table RIVER.WEB.CLICKS_CLEAN: removed" out &&
	river stream diff -f later &&
	sf_sql "CREATE TABLE RIVER.WEB.CLICKS_CLEAN (A NUMBER)" >/dev/null &&
	test_expect_code 6 river stream apply -f streams/clicks.yaml >out 2>err &&
	test_grep "RIVER.WEB.CLICKS_CLEAN is there and not river" err &&
	test_grep "nothing was changed" err
'
test_expect_success 'names that differ in case alone are a conflict, and named' '
	fresh &&
	sf_sql "CREATE DATABASE RIVER; CREATE SCHEMA RIVER.\"web\"" >/dev/null &&
	test_expect_code 6 river stream create web/clicks >out 2>err &&
	test_grep "schema RIVER.WEB collides with RIVER.web, which differs in case alone" err &&
	sf_sql "DROP SCHEMA RIVER.\"web\"; CREATE SCHEMA RIVER.WEB; CREATE TABLE RIVER.WEB.\"Clicks\" (A NUMBER)" >/dev/null &&
	test_expect_code 6 river stream create web/clicks >out 2>err &&
	test_grep "RIVER.WEB.CLICKS collides with RIVER.WEB.Clicks, which differs in case alone" err &&
	test_expect_code 5 river stream show web/clicks
'
test_expect_success 'a stage that stands for another place is a conflict' '
	applied &&
	test_expect_code 6 river -c lake=s3://lake/elsewhere stream apply -f streams >out 2>err &&
	test_grep "stands for s3://lake/river/data/, and the lake.s data is in s3://lake/elsewhere/data/" err
'
test_expect_success '175: insufficient privileges on one of many: the others are made, and a re-run does the rest' '
	fresh &&
	sf_post deny "{\"object\":\"RIVER.WEB.CLICKS_CLEAN\",\"privilege\":\"CREATE\"}" >/dev/null &&
	test_expect_code 4 river stream apply -f streams >out 2>err &&
	test_grep "CLICKS_CLEAN" err &&
	test_grep "^  dynamic table RIVER.WEB.CLICKS_CLEAN: failed" out &&
	test_grep "^  view RIVER.WEB.CLICKS_REFUSED: made" out &&
	test_grep "^  pipe RIVER.WEB.CLICKS.PIPE: made" out &&
	test_grep "^  pipe RIVER.SHOP.ORDERS.PIPE: made" out &&
	sf_allow &&
	river stream apply -f streams >out &&
	test_grep "^  dynamic table RIVER.WEB.CLICKS_CLEAN: made" out &&
	test $(grep -c ": made" out) = 1 &&
	river stream diff -f streams
'
test_expect_success 'who may not make roles or integrations is told how to do without' '
	fresh &&
	sf_sql "CREATE ROLE LOADER; GRANT CREATE DATABASE ON ACCOUNT TO ROLE LOADER; GRANT USAGE ON WAREHOUSE WH TO ROLE LOADER" >/dev/null &&
	sf_post user "{\"name\":\"$sf_user\",\"roles\":[\"LOADER\"],\"default_role\":\"LOADER\"}" >/dev/null &&
	test_expect_code 4 river stream create web/clicks >out 2>err &&
	test_grep "warehouse.roles: none" err &&
	test_grep "^  table RIVER.WEB.CLICKS: " out
'
test_expect_success 'what depends on what failed is not tried, and all failures are told' '
	fresh &&
	sf_post deny "{\"object\":\"RIVER.WEB.CLICKS\",\"privilege\":\"CREATE\"}" >/dev/null &&
	sf_post deny "{\"object\":\"RIVER.SHOP.ORDERS_REFUSED\",\"privilege\":\"CREATE\"}" >/dev/null &&
	test_expect_code 4 river stream apply -f streams >out 2>err &&
	test_grep "RIVER.WEB.CLICKS:" err &&
	test_grep "RIVER.SHOP.ORDERS_REFUSED:" err &&
	test_grep "2 of .* changes failed, .* were not tried" err &&
	test_grep "^  pipe RIVER.WEB.CLICKS.PIPE: not tried" out &&
	sf_allow && mended
'
test_expect_success '173: killed half way, the same command again finishes' '
	fresh &&
	emul_script "{\"match\":{\"op\":\"Submit\",\"sql\":\"^CREATE TABLE.*LEDGER\"},\"do\":\"hang\"}" &&
	{ river stream apply -f streams >/dev/null 2>&1 & } &&
	pid=$! &&
	test_wait_until 20 emul_fired 6>/dev/null &&
	kill -9 $pid &&
	{ wait $pid; test $? = 137; } &&
	emul_no_script &&
	ledger_is_made &&
	mended
'
test_expect_success 'answers that are lost, and a service that is busy: nothing is missing, nothing is carried out twice' '
	fresh &&
	emul_script "[{\"match\":{\"service\":\"snowflake\",\"op\":\"Submit\",\"every\":4,\"count\":4},\"do\":\"read_body_then_close\"},
		{\"match\":{\"service\":\"snowflake\",\"op\":\"Submit\",\"every\":5,\"count\":3},\"do\":\"status\",\"status\":503}]" &&
	river stream apply -f streams >out &&
	emul_fired && emul_no_script &&
	sf_statements | jq -r "select(.ok) | .sql | select(startswith(\"CREATE\")) | split(\"\n\")[0]" |
		grep -v "MASKING POLICY" | sort | uniq -d >twice &&
	test_must_be_empty twice &&
	river stream diff -f streams
'
test_expect_success 'a plan that is kept is what is done' '
	fresh &&
	river stream apply -f streams --out plan.json >out &&
	test_grep "CREATE DATABASE" out &&
	jq -e ".v == 1 and (.steps | length) == 2 and (.fingerprint | length) == 32" plan.json >/dev/null &&
	test "$(sf_sql "SHOW DATABASES" | grep -c "\"RIVER\"")" = 0 &&
	river stream apply --plan plan.json >out &&
	test_grep "^web/clicks: created" out &&
	id=$(jq -r ".definitions[] | select(.stream == \"web/clicks\") | .id" plan.json) &&
	river stream show web/clicks >out && test_grep "$id" out &&
	jq -r "..|.statements? // empty | .[]" plan.json | sort >planned &&
	river stream diff -f streams
'
test_expect_success 'a plan is refused when something else would be done now, and it is said what' '
	test_expect_code 6 river stream apply --plan plan.json >out 2>err &&
	test_grep "database RIVER: planned was make (is not there, or may not be seen), now it is nothing" err &&
	test_grep "web/clicks: planned was create, now it is unchanged" err &&
	sed "s/analyst/reader/" streams/clicks.yaml >one.yaml && sf_sql "CREATE ROLE READER" >/dev/null &&
	river stream apply -f one.yaml --out plan.json >/dev/null &&
	sf_sql "DROP VIEW RIVER.WEB.CLICKS_LATEST" >/dev/null &&
	test_expect_code 6 river stream apply --plan plan.json >out 2>err &&
	test_grep "view RIVER.WEB.CLICKS_LATEST: planned was alter .*, now it is make (is not there)" err &&
	sed "s/GRANT SELECT/GRANT ALL/" plan.json >changed.json &&
	test_expect_code 3 river stream apply --plan changed.json 2>err &&
	test_grep "it was changed after it was made" err &&
	echo "{\"v\":2,\"plan\":\"river\"}" >newer.json &&
	test_expect_code 3 river stream apply --plan newer.json 2>err &&
	test_grep "version 2, this river knows 1" err &&
	test_expect_code 2 river stream apply --plan plan.json -f streams 2>err
'
test_expect_success 'delete stops what runs and keeps tables; with --data it takes what is river'\''s, and only that' '
	applied &&
	river stream delete shop/orders --yes >out &&
	test_grep "gone: pipe RIVER.SHOP.ORDERS.PIPE" out &&
	test_grep "gone: task RIVER.SHOP.ORDERS.MERGE" out &&
	sf_sql "SHOW TABLES IN SCHEMA RIVER.SHOP" >tables && grep -q "\"ORDERS\"" tables &&
	sf_sql "CREATE TABLE RIVER.WEB.MINE (A NUMBER); CREATE OR REPLACE VIEW RIVER.WEB.CLICKS_REFUSED AS SELECT 1 AS A" >/dev/null &&
	sf_sql "INSERT INTO RIVER.RIVER.LEDGER (STREAM_ID, STREAM, FILE_NAME, STATE) VALUES ('\''x'\'', '\''web/clicks'\'', '\''f'\'', '\''loaded'\''), ('\''x'\'', '\''web/other'\'', '\''f'\'', '\''loaded'\'')" >/dev/null &&
	river stream delete web/clicks --data --dry-run >out &&
	test_grep "stays: view RIVER.WEB.CLICKS_REFUSED, which is not river" out &&
	river stream delete web/clicks --data --yes >out &&
	test_grep "gone: table RIVER.WEB.CLICKS" out &&
	sf_sql "SHOW TABLES IN SCHEMA RIVER.WEB" | jq -r .name >tables &&
	echo MINE >expected && test_cmp expected tables &&
	is "SELECT COUNT(*) FROM RIVER.RIVER.LEDGER" 1 &&
	test_expect_code 5 river stream delete web/clicks --data --yes
'
test_expect_success 'a stream without a definition is pruned, its pipe with it' '
	applied &&
	mkdir -p only && cp streams/clicks.yaml only &&
	printf "stream: shop/other\n" >only/other.yaml &&
	river stream apply -f only --prune >out &&
	test_grep "^shop/orders: deleted" out &&
	test_grep "^  pipe RIVER.SHOP.ORDERS.PIPE: removed" out &&
	test "$(sf_sql "SHOW PIPES IN SCHEMA RIVER.SHOP" | jq -r .name)" = "OTHER\$PIPE"
'
test_expect_success '177: any legal name of a stream, of a column and of a database' '
	fresh &&
	river -c "warehouse.database=\"my \"\"odd\"\" db\"" stream apply -f odd.yaml >out &&
	river -c "warehouse.database=\"my \"\"odd\"\" db\"" stream diff -f odd.yaml &&
	long=b23456789012345678901234/n2345678901234567890123456789012 &&
	river stream create $long --key k >out &&
	river stream create $long --key k >out &&
	echo "$long: unchanged" >expected && test_cmp expected out
'
test_expect_success 'a business has an account and a lake of its own' '
	fresh &&
	emul_post bucket "{\"name\":\"vista\"}" >/dev/null &&
	sf_post account "{\"name\":\"VISTA-ONE\"}" >/dev/null &&
	sf_post user "{\"account\":\"VISTA-ONE\",\"name\":\"RIVER\",\"public_key\":\"$sf_public\",\"default_role\":\"ACCOUNTADMIN\",\"default_warehouse\":\"WH\"}" >/dev/null &&
	mkdir -p home && cat >home/connections.toml <<-TOML &&
	[vista]
	account = "VISTA-ONE"
	user = "RIVER"
	authenticator = "SNOWFLAKE_JWT"
	private_key_path = "$sf_key"
	host = "127.0.0.1"
	port = $emul_port
	protocol = "http"
	warehouse = "WH"
	TOML
	chmod 600 home/connections.toml &&
	cat "$TRASH_ROOT/river.yaml" >two.yaml && cat >>two.yaml <<-YAML && chmod 600 two.yaml &&
	    businesses:
	      vista: { connection: vista, database: VISTA, lake: "s3://vista/v" }
	YAML
	printf "stream: vista/clicks\n---\nstream: web/clicks\n" >both.yaml &&
	( unset SNOWFLAKE_ACCOUNT && RIVER_CONFIG=two.yaml SNOWFLAKE_HOME=$PWD/home &&
	  export RIVER_CONFIG SNOWFLAKE_HOME SNOWFLAKE_CONNECTIONS_MAIN_ACCOUNT=$sf_account &&
	  sed -i "s/database: RIVER/connection: main, database: RIVER/" two.yaml &&
	  sed "s/^.vista./[main]/; s/VISTA-ONE/$sf_account/" home/connections.toml >>home/connections.toml.new &&
	  cat home/connections.toml.new >>home/connections.toml && rm home/connections.toml.new &&
	  river stream apply -f both.yaml >out &&
	  test_grep "^  table VISTA.VISTA.CLICKS: made" out &&
	  test_grep "^  table RIVER.WEB.CLICKS: made" out &&
	  river stream diff -f both.yaml &&
	  river status >out && test_grep "^vista/clicks  *0 " out && test_grep "^web/clicks  *0 " out && test_grep ! stream_unknown out &&
	  emul_script "{\"match\":{\"bucket\":\"vista\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" &&
	  test_expect_code 4 river status >out 2>err && test_grep "^web/clicks  *0 " out && test_grep "s3://vista/v" err && emul_no_script &&
	  river stream delete vista/clicks --data --yes >out &&
	  test_grep "gone: table VISTA.VISTA.CLICKS" out ) &&
	emul_post snowflake/sql "{\"account\":\"VISTA-ONE\",\"sql\":\"SHOW SCHEMAS IN DATABASE VISTA\"}" >schemas &&
	grep -q VISTA schemas &&
	river stream list >out && echo web/clicks >expected && test_cmp expected out
'
test_expect_success 'without a way to read the lake, or with a scale that is too much, nothing is made' '
	fresh &&
	cat >bare.yaml <<-YAML && chmod 600 bare.yaml &&
	profiles: { local: { lake: "s3://lake/river", warehouse: { type: snowflake, database: RIVER } } }
	YAML
	test_expect_code 3 env RIVER_CONFIG=bare.yaml river stream create web/clicks 2>err &&
	test_grep "nothing says how Snowflake reads the lake" err &&
	test_expect_code 3 river stream create web/clicks --column "x=decimal(38,38)" 2>err &&
	test_grep "column x has scale 38, and Snowflake at most 37" err &&
	test "$(sf_sql "SHOW DATABASES" | grep -c "\"RIVER\"")" = 0
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
