#!/bin/sh
test_description='extract-load into tables on Snowflake: the rows and documents that DuckDB has, once, whatever happens'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"
. "$RIVER_SOURCE/tests/lib/dynamodb-lib.sh"

dynamodb_need
snow_begin
dynamodb_start || test_bug 'DynamoDB does not start'
emul_env
make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR
cat >>"$TRASH_ROOT/river.yaml" <<-YAML
  local: { lake: "$PWD/lake", warehouse: { type: duckdb, path: "$PWD/w.duckdb" } }
YAML
cat >shop.yaml <<\YAML
job: JOB
profile: PROFILE
source: { path: drop, order: name }
tables:
  orders:
    member: orders.csv
    optional: true
    key: [order_id]
    mode: merge
    delete_when: { column: op, equals: D }
    columns: { order_id: string, customer: string, op: string, placed: timestamp, total: "decimal(18,2)" }
  lines:
    member: lines.csv
    optional: true
    key: [line_id]
    mode: merge
    delete_when: { column: op, equals: D }
    columns: { line_id: integer, order_id: string, sku: string, op: string }
  customers: { member: customers.csv, optional: true, key: [customer], mode: merge, columns: { customer: string, name: string } }
  log: { member: log.csv, optional: true, columns: { moment: timestamp, text: string, day: date, ratio: double, ok: boolean, amount: "decimal(38,10)", n: integer, more: json } }
loads:
  orders: { to: table dw.orders }
  lines: { to: table dw.lines }
  customers: { to: table dw.customers }
  log: { to: table dw.log }
documents:
  order:
    root: orders
    scope: history
    target: { dynamodb: TABLE, create: true }
    nest:
      who: { table: customers, on: [customer] }
      lines: { on: [order_id], many: true, order_by: [line_id] }
YAML
job=0
# the job shop_N, which has nothing to do with those before, on Snowflake and on DuckDB
fresh () {
	job=$((job + 1)) && rm -rf lake state drop w.duckdb* && mkdir drop && emul_no_script &&
	sf_sql "DROP SCHEMA IF EXISTS RIVER.DW; DROP TABLE IF EXISTS RIVER.RIVER.EXTRACTS; DROP TABLE IF EXISTS RIVER.RIVER.\"EXTRACTS\$LOCK\"" >/dev/null 2>&1
	sed "s/JOB/shop_$job/; s/PROFILE/prod/; s/TABLE/snow-$job/" shop.yaml >snow.yaml &&
	sed "s/JOB/shop_$job/; s/PROFILE/local/; s/TABLE/duck-$job/" shop.yaml >duck.yaml
}
# extract NAME: of the files that are there, which are used up
extract () {
	"$make_zip" --pack drop/$1 $(ls orders.csv lines.csv customers.csv log.csv 2>/dev/null) &&
	rm -f orders.csv lines.csv customers.csv log.csv
}
orders () {
	{ echo order_id,customer,op,placed,total && printf '%s\n' "$@"; } >orders.csv
}
lines () {
	{ echo line_id,order_id,sku,op && printf '%s\n' "$@"; } >lines.csv
}
customers () {
	{ echo customer,name && printf '%s\n' "$@"; } >customers.csv
}
run () {
	river extract-load snow.yaml "$@" >out 2>err || { cat err >&2; return 1; }
	test_must_be_empty out && test_must_be_empty err
}
both () {
	run "$@" && RIVER_STATE_DIR=$PWD/state-duck river extract-load duck.yaml "$@"
}
# rows PROFILE
rows () {
	for query in "order_id, customer, op, placed, total FROM dw.orders" "line_id, order_id, sku, op FROM dw.lines" \
		"customer, name FROM dw.customers" "moment, text, day, ratio, ok, amount, n FROM dw.log"
	do
		river --profile $1 --output csv query --no-load "SELECT $query ORDER BY 1" || return 1
	done | tr A-Z a-z
}
same () {
	rows prod >snow.rows && rows local >duck.rows && test_cmp duck.rows snow.rows &&
	dynamodb_items snow-$job | jq -cS . | sort >snow.items && dynamodb_items duck-$job | jq -cS . | sort >duck.items &&
	test_cmp duck.items snow.items
}
documents () {
	dynamodb_items snow-$job | jq -r 'select(._deleted | not) |
		.order_id.S + " " + .total.N + " " + (.who.M.name.S // "-") + " " + ([.lines.L[].M.sku.S] | join(","))' | sort
}
expect () {
	printf '%s\n' "$@" >want && documents >have && test_cmp want have
}

one () {
	fresh && orders A,c1,I,2026-01-01T00:00:00Z,1 && lines 1,A,a, 2,A,b, && customers c1,Ada && extract 1.zip
}
is_taken () {
	expect "A 1 Ada a,b" && test "$(sf_value "SELECT COUNT(*) FROM RIVER.RIVER.EXTRACTS")" = 1 &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.DW.\"LINES\$ROWS\"")" = 2
}

test_expect_success 'an integration that was made for data/ alone: it is said what to do' '
	fresh && orders A,c1,I,2026-01-01T00:00:00Z,1 && extract 1.zip &&
	allow="STORAGE_ALLOWED_LOCATIONS = ('\''s3://lake/river/data/'\''"  && role="STORAGE_AWS_ROLE_ARN = '\''arn:aws:iam::1:role/r'\''" &&
	sf_sql "CREATE STORAGE INTEGRATION RIVER_S3 TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = '\''S3'\'' ENABLED = TRUE $role $allow)" >/dev/null &&
	test_expect_code 1 river extract-load snow.yaml 2>err && test_grep "^hint: let the integration read loads/" err &&
	sf_sql "ALTER STORAGE INTEGRATION RIVER_S3 SET $allow, '\''s3://lake/river/loads/'\'')" >/dev/null && run &&
	sf_sql "DROP DATABASE RIVER; DROP INTEGRATION RIVER_S3" >/dev/null
'

test_expect_success 'before the first run --check says what would be made, and nothing is' '
	fresh && orders A,c1,I,2026-01-01T00:00:00Z,1.50 && extract 1.zip &&
	river extract-load snow.yaml --check >out &&
	test_grep "^warehouse: would be changed first" out &&
	test_grep "^  CREATE TABLE IF NOT EXISTS \"RIVER\".\"DW\".\"ORDERS\$ROWS\" (" out &&
	test_grep "^  CREATE STAGE IF NOT EXISTS \"RIVER\".\"RIVER\".\"LOADS\" URL = .s3://lake/river/loads/" out &&
	sf_sql "SHOW DATABASES LIKE '\''RIVER'\''" >databases && test_must_be_empty databases &&
	run && river extract-load snow.yaml --check >out && test_grep "^warehouse: all is there" out
'

test_expect_success 'an order that would be below all that was taken is refused, until all of it is taken anew' '
	fresh && customers c1,Ada && extract 9.zip && sed "s/order: name/order: time/" snow.yaml >timed && mv timed snow.yaml && run &&
	customers c1,Bob && extract 8.zip && sed "s/order: time/order: name/" snow.yaml >named && mv named snow.yaml &&
	test_expect_code 6 river extract-load snow.yaml --check >out 2>err && test_grep "drop/8.zip would be older than 9.zip, which came by another" err &&
	test_expect_code 6 river extract-load snow.yaml 2>err && test_grep "drop/8.zip would be older than 9.zip, which came by another" err &&
	run --since 2000-01-01 && test "$(sf_value "SELECT NAME FROM RIVER.DW.CUSTOMERS")" = Ada &&
	customers c1,Cid && extract 91.zip && run && test "$(sf_value "SELECT NAME FROM RIVER.DW.CUSTOMERS")" = Cid
'

test_expect_success 'a table whose key changes is refused, before anything is read' '
	fresh && customers c1,Ada && extract 1.zip && run && sed "s/key: .customer./key: [name]/" snow.yaml >other && mv other snow.yaml &&
	customers c1,Bob && extract 2.zip && test_expect_code 6 river extract-load snow.yaml 2>err &&
	test_grep "dw.customers is merged by customer, the job says name" err && test_grep "^hint: load into another table" err &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.RIVER.EXTRACTS")" = 1
'

test_expect_success 'the same extracts give the same rows and documents as on DuckDB' '
	fresh && lines 1,A,a, && extract 1.zip && both && same &&
	orders "A,c1,I,2026-01-01T00:00:00Z,1.50" "B,c2,I,2026-01-01 12:30:00.123456+02:00,12345678901234.99" &&
	customers c1,Ada "c2,\"Bob, it'\''s \"\"q\"\"\"" &&
	printf "moment,text,day,ratio,ok,amount,n,more\n%s\n%s\n%s\n" \
		"2026-11-20T16:58:51Z,x,2026-12-24,0.1,true,12345678901234567.890123,-9223372036854775808,\"{\"\"b\"\":1,\"\"a\"\":[1.50,null]}\"" \
		"2026-11-20T16:58:51.000001Z,\"\\ ü \"\"\",1999-01-01,-1e3,false,-0.0000000001,9223372036854775807,null" \
		"1969-12-31T23:59:59.5Z,z,,,,,," >log.csv &&
	extract 2.zip && both && same && lines 2,A,b, 3,B,c, && extract 3.zip && both && same &&
	lines 1,B,a,U && customers c1,Eve && extract 5.zip && both && same && expect "A 1.5 Eve b" "B 12345678901234.99 Bob, it'\''s \"q\" a,c" &&
	orders B,c2,D,, && extract 6.zip && both && same &&
	orders B,c2,I,2026-01-01T00:00:00Z,3 && extract 7.zip && both && same &&
	lines 1,A,z,U 9,A,late, && extract 4b.zip && both && same && expect "A 1.5 Eve b,late" "B 3 Bob, it'\''s \"q\" a,c" &&
	lines 9,A,later, && extract 4b.zip && both drop/4b.zip --since 2000-01-01 && same &&
	orders C,c1,I,2026-01-01T00:00:00Z,4 && extract 4b.zip && both drop/4b.zip --since 2000-01-01 && same &&
	both --since 2000-01-01 && same && expect "A 1.5 Eve b" "B 3 Bob, it'\''s \"q\" a,c" "C 4 Eve "
'

test_expect_success 'the last row of a key counts, and it is said; so it is after a column more' '
	lines 20,A,x, 20,A,y, && extract 8.zip && river extract-load snow.yaml 2>err &&
	test_grep "1 rows of dw.lines have a key that another row of the extract has too" err &&
	sed -i "s/sku: string, op/sku: string, size: integer, op/; s/n: integer, more/n: integer, new: string, more/" snow.yaml &&
	printf "line_id,order_id,sku,size,op\n21,A,w,7,\n" >lines.csv && printf "moment,text,day,ratio,ok,amount,n,new,more\n,,,,,,,seen,\n" >log.csv &&
	extract 9.zip && run && expect "A 1.5 Eve b,y,w" "B 3 Bob, it'\''s \"q\" a,c" "C 4 Eve " &&
	test "$(sf_value "SELECT SIZE FROM RIVER.DW.LINES WHERE LINE_ID = 21")" = 7 &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.DW.LOG WHERE NEW = '\''seen'\''")" = 1
'

test_expect_success 'only what changed is written, and a run with nothing new asks Snowflake nothing' '
	asked=$(emul_count snowflake.Submit) && dynamodb_no_counts && run &&
	test "$(emul_count snowflake.Submit)" = $asked && test $(dynamodb_count PutItem requests) = 0
'

test_expect_success 'nothing temporary is left' '
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME LIKE '\''X\$%'\''")" = 0
'

test_expect_success 'a table that is somebody else'\''s is refused before anything is read' '
	fresh && sf_sql "CREATE SCHEMA RIVER.DW; CREATE TABLE RIVER.DW.ORDERS (A NUMBER)" >/dev/null &&
	orders A,c1,I,2026-01-01T00:00:00Z,1 && extract 1.zip &&
	test_expect_code 6 river extract-load snow.yaml 2>err && test_grep "no extract was ever loaded into it" err &&
	emul_get "objects?bucket=lake&prefix=river/loads/shop_$job" >objects && test_must_be_empty objects
'

test_expect_success 'what marks a deleted row is a value, of whatever type' '
	fresh && cat >typed.yaml <<-\YAML &&
	job: typed
	profile: PROFILE
	source: { path: drop }
	tables:
	  a: { member: a.csv, key: [id], mode: merge, delete_when: { column: gone, equals: "1" }, columns: { id: integer, gone: "decimal(4,2)" } }
	  b: { member: b.csv, key: [id], mode: merge, delete_when: { column: gone, equals: "1" }, columns: { id: integer, gone: double } }
	  c: { member: c.csv, key: [id], mode: merge, delete_when: { column: gone, equals: "2026-01-01 00:00:00" }, columns: { id: integer, gone: timestamp } }
	  d: { member: d.csv, key: [id], mode: merge, delete_when: { column: gone, equals: "true" }, columns: { id: integer, gone: boolean } }
	loads: { a: { to: table ty.a }, b: { to: table ty.b }, c: { to: table ty.c }, d: { to: table ty.d } }
	YAML
	printf "id,gone\n1,1.00\n2,2\n3,\n" >a.csv && sed "s/1.00/1.0/" a.csv >b.csv && sed "s/1.00/2026-01-01T00:00:00Z/; s/^2,2/2,2026-01-02T00:00:00Z/" a.csv >c.csv &&
	sed "s/1.00/true/; s/^2,2/2,false/" a.csv >d.csv && "$make_zip" --pack drop/1.zip a.csv b.csv c.csv d.csv &&
	for profile in prod local
	do
		sed "s/PROFILE/$profile/" typed.yaml >job.yaml && RIVER_STATE_DIR=$PWD/state-$profile river extract-load job.yaml &&
		river --profile $profile --output csv query --no-load "SELECT (SELECT SUM(id) FROM ty.a) AS a, (SELECT SUM(id) FROM ty.b) AS b, (SELECT SUM(id) FROM ty.c) AS c,
			(SELECT SUM(id) FROM ty.d) AS d" >rows && sed 1d rows >have && echo 5,5,5,5 >want && test_cmp want have || return 1
	done
'

test_expect_success 'shards divide the documents, and the last one has the extract taken' '
	fresh && orders $(seq -f "o%g,c1,I,2026-01-01T00:00:00Z,1" 1 20) && extract 1.zip &&
	run --shard 1/2 && dynamodb_items snow-$job >items && count=$(wc -l <items) && test $count -gt 0 && test $count -lt 20 &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.RIVER.\"SHOP_$job\$ORDER\$ROOTS\"")" = $((20 - count)) &&
	run --shard 2/2 && dynamodb_items snow-$job >items && test_line_count = 20 items &&
	asked=$(emul_count snowflake.Submit) && run && test "$(emul_count snowflake.Submit)" = $asked
'

test_expect_success 'documents in the lake are those that DuckDB makes' '
	fresh && sed -i "s/target: .*/target: { lake: true }/" snow.yaml duck.yaml && orders A,c1,I,2026-01-01T00:00:00.25Z,1.50 && lines 1,A,a, && extract 1.zip &&
	both && lines 1,A,b,U && extract 2.zip && both &&
	emul_get "objects?bucket=lake&prefix=river/loads/shop_$job" | jq -r .key | grep documents-order- | grep ndjson | sort >keys &&
	while read -r key
	do
		curl -sS --noproxy "*" "$emul_url/_emul/object?bucket=lake&key=$key" | zstd -dcq || return 1
	done <keys >snow.documents &&
	find lake/loads -name "documents-order-*.ndjson*" | sort | xargs zstd -dcq >duck.documents &&
	test_line_count = 2 snow.documents && test_cmp duck.documents snow.documents
'

test_expect_success 'streams in the same schema are in nobody'\''s way, but for the same name' '
	one && run && river stream create dw/clicks --column id=integer >out && test_grep "^dw/clicks: created" out &&
	test_expect_code 6 river stream create dw/orders --column id=integer 2>err &&
	river extract-load snow.yaml --check >out && test_grep "^warehouse: all is there" out && is_taken &&
	river stream delete dw/clicks --data --yes >out && is_taken
'

test_expect_success 'the role of the database that may write takes extracts where all is there; readers read' '
	one && run && openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$TRASH_ROOT/rw.p8" 2>/dev/null &&
	chmod 600 "$TRASH_ROOT/rw.p8" &&
	jq -n --arg key "$(openssl pkey -in "$TRASH_ROOT/rw.p8" -pubout -outform DER | openssl base64 -A)" \
		"{name: \"CRON\", public_key: \$key, default_role: \"RIVER_RW\", default_warehouse: \"WH\"}" |
	emul_post snowflake/user - >/dev/null && sf_sql "GRANT ROLE RIVER_RW TO USER CRON" >/dev/null &&
	lines 3,A,c, && extract 2.zip &&
	(SNOWFLAKE_USER=CRON SNOWFLAKE_PRIVATE_KEY_PATH=$TRASH_ROOT/rw.p8 && export SNOWFLAKE_USER SNOWFLAKE_PRIVATE_KEY_PATH &&
	run && river query --no-load "SELECT COUNT(*) FROM dw.log" >out && lines 3,A,d, && extract 2.zip &&
	run --since 2000-01-01 drop/2.zip && SNOWFLAKE_ROLE=RIVER_RO && export SNOWFLAKE_ROLE &&
	river query --no-load "SELECT COUNT(*) FROM dw.orders" >out &&
	test_expect_code 5 river query --no-load "SELECT * FROM dw.\"ORDERS\$ROWS\"") && expect "A 1 Ada a,b,d"
'

test_expect_success 'a stage that is there already' '
	cat >>"$TRASH_ROOT/river.yaml" <<-\YAML &&
	  staged:
	    lake: s3://lake/river
	    warehouse: { type: snowflake, database: STAGED, warehouse: WH, stage: etl.public.lake, roles: none }
	YAML
	fresh && printf "job: staged\nprofile: staged\nsource: { path: drop }\ntables: { t: { member: t.csv, columns: { id: integer } } }\nloads: { t: { to: table x.t } }\n" >staged.yaml &&
	printf "id\n1\n" >t.csv && "$make_zip" --pack drop/1.zip t.csv &&
	test_expect_code 3 river extract-load staged.yaml 2>err && test_grep "^hint: .*warehouse.loads_stage" err &&
	sf_sql "CREATE DATABASE ETL; CREATE STAGE ETL.PUBLIC.LOADS URL = '\''s3://lake/river/loads/'\''" >/dev/null &&
	river -c warehouse.loads_stage=etl.public.loads extract-load staged.yaml &&
	test "$(sf_value "SELECT COUNT(*) FROM STAGED.X.T")" = 1
'

# ---- faults

fired () {
	test "$(emul_get script | jq -s 'map(.fired) | add // 0')" -gt 0
}
# the request that takes an extract
take='{"service":"snowflake","op":"Submit","sql":"^CREATE TEMPORARY TABLE[^;]*[$]R0","count":1}'
take_all=$(echo "$take" | sed 's/"count":1/"count":"all"/')
for fault in '"read_body_then_close"' '"read_body_then_close","accept":false' '"short_body"' '"status","status":503' '"status","status":429' \
	'"status","status":401,"code":"390114","message":"Authentication token has expired."' '"running","polls":3' \
	'"running","polls":2,"executed":true'
do
	test_expect_success "taken once: $fault" '
		one && emul_script "{\"match\":$take,\"do\":$fault}" && run && emul_fired && is_taken
	'
done

test_expect_success 'no answer is heard for good: what the ledger has is taken, what it has not is not' '
	one && emul_script "{\"match\":$take_all,\"do\":\"read_body_then_close\"}" && run && emul_fired && is_taken &&
	one && emul_script "{\"match\":$take_all,\"do\":\"read_body_then_close\",\"accept\":false}" &&
	test_expect_code 1 river extract-load snow.yaml 2>err &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.RIVER.EXTRACTS")" = 0 &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.DW.ORDERS")" = 0 &&
	emul_no_script && run && is_taken
'

test_expect_success 'an object that is not what was sent: nothing of the extract is there' '
	one && emul_script "{\"match\":$take,\"do\":\"running\",\"ms\":1500}" &&
	{ "$RIVER_BUILD/river" extract-load snow.yaml >/dev/null 2>err & pid=$!; } &&
	test_wait_until 30 fired &&
	key=$(emul_get "objects?bucket=lake&prefix=river/loads/shop_$job" | jq -r .key | grep lines-) &&
	echo "{\"line_id\":1,\"order_id\":\"A\"}" | curl -sS --noproxy "*" -X PUT --data-binary @- "$emul_url/_emul/object?bucket=lake&key=$key" >/dev/null &&
	{ wait $pid; test $? = 12; } && test_grep "dw.lines: 2 rows were sent, 1 are in the table" err &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.DW.ORDERS")" = 0 && run && is_taken
'

test_expect_success 'what may not be made or loaded is refused with the grant that is missing' '
	one && sf_post deny "{\"object\":\"RIVER.DW.ORDERS\$ROWS\",\"privilege\":\"CREATE TABLE\"}" >/dev/null &&
	test_expect_code 4 river extract-load snow.yaml 2>err &&
	test_grep "^hint: GRANT CREATE TABLE ON SCHEMA \"RIVER\".\"DW\" TO ROLE " err && sf_allow &&
	sf_post deny "{\"object\":\"RIVER.DW.ORDERS\",\"privilege\":\"INSERT\"}" >/dev/null &&
	test_expect_code 4 river extract-load snow.yaml 2>err &&
	test_grep "^hint: GRANT SELECT, INSERT, DELETE ON TABLE \"RIVER\".\"DW\".\"ORDERS\" TO ROLE " err && sf_allow &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.DW.\"ORDERS\$ROWS\"")" = 0 && run && is_taken
'

# ---- kills

# killed SQL ACCEPTED: while the request that begins so is not answered, carried out or not
killed () {
	emul_script "{\"match\":{\"service\":\"snowflake\",\"op\":\"Submit\",\"sql\":\"$1\",\"nth\":1},\"do\":\"hang\",\"accept\":$2}" &&
	{ "$RIVER_BUILD/river" extract-load snow.yaml >/dev/null 2>&1 & pid=$!; } &&
	test_wait_until 30 fired && kill -9 $pid &&
	{ wait $pid 2>/dev/null; emul_no_script; }
}
while read -r accept sql
do
	test_expect_success "84: killed at $sql, carried out: $accept" '
		one && killed "$sql" $accept && run && is_taken
	'
done <<\EOF
true ^CREATE TABLE IF NOT EXISTS .*EXTRACTS. [(]
false ^INSERT INTO .*EXTRACTS[$]LOCK
true ^CREATE TABLE IF NOT EXISTS .*ORDERS[$]ROWS
true ^CREATE VIEW
false ^CREATE TEMPORARY TABLE[^;]*[$]R0
true ^CREATE TEMPORARY TABLE[^;]*[$]R0
true ^CREATE TEMPORARY TABLE[^;]*[$]N0
false ^DELETE FROM .*ROOTS
true ^DELETE FROM .*ROOTS
EOF

test_expect_success '84: killed at any moment, the next run leaves what an undisturbed one does' '
	one && how_long run &&
	for part in 10 30 50 70 90
	do
		killed_within $part one "$RIVER_BUILD/river" extract-load snow.yaml && run && is_taken || return 1
	done
'

test_expect_success 'killed while it replaced: the next run has the new rows, and those alone' '
	one && run && lines 1,A,n, && orders A,c1,I,2026-01-01T00:00:00Z,1 && customers c1,Ada && extract 1.zip &&
	emul_script "{\"match\":$take,\"do\":\"hang\",\"accept\":true}" &&
	{ "$RIVER_BUILD/river" extract-load snow.yaml --since 2000-01-01 >/dev/null 2>&1 & pid=$!; } &&
	test_wait_until 30 fired && kill -9 $pid && { wait $pid 2>/dev/null; emul_no_script; } &&
	run --since 2000-01-01 && expect "A 1 Ada n" && test "$(sf_value "SELECT COUNT(*) FROM RIVER.RIVER.EXTRACTS")" = 1
'

test_expect_success 'two hosts at once: one takes it, the other one finds it taken' '
	one && { RIVER_STATE_DIR=$PWD/state-other river extract-load snow.yaml >/dev/null 2>other & first=$!; } &&
	run && { wait $first; } && test_must_be_empty other && is_taken
'

test_expect_success 'the emulators had no errors of their own' '
	dynamodb_stop && snow_end
'
test_done
