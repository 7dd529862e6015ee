#!/bin/sh
test_description='extract-load: documents over all extracts, in DynamoDB: what changed, and only that, in any order'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/dynamodb-lib.sh"

dynamodb_need
make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML
cat >shop.yaml <<\YAML
source: { path: drop, order: name }
tables:
  orders: { member: orders.csv, optional: true, key: [order_id], mode: merge, delete_when: { column: op, equals: D }, columns: { order_id: string, customer: string, op: string, placed: timestamp, total: "decimal(18,2)" } }
  lines: { member: lines.csv, optional: true, key: [line_id], mode: merge, delete_when: { column: op, equals: D }, columns: { line_id: integer, order_id: string, sku: string, op: string } }
  customers: { member: customers.csv, optional: true, key: [customer], mode: merge, columns: { customer: string, name: string } }
loads:
  orders: { to: table dw.orders }
  lines: { to: table dw.lines }
  customers: { to: table dw.customers }
documents:
  order:
    root: orders
    scope: history
    target: { dynamodb: TABLE, create: true }
    nest:
      who: { table: customers, on: [customer] }
      lines: { on: [order_id], many: true, order_by: [line_id] }
YAML

fresh=0
fresh () {
	fresh=$((fresh + 1)) && table=history-$fresh &&
	rm -rf lake state drop w.duckdb* && mkdir drop && dynamodb_no_script && dynamodb_no_counts &&
	sed "s/TABLE/$table/" shop.yaml >job.yaml
}
# extract NAME: of the files orders, lines and customers that are there, which are used up
extract () {
	"$make_zip" --pack drop/$1 $(ls orders.csv lines.csv customers.csv 2>/dev/null) && rm -f orders.csv lines.csv customers.csv
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
# "A 1.5 Ada a,b", one a document; those that are gone are not shown
documents () {
	dynamodb_items $table | jq -r 'select(._deleted | not) |
		.order_id.S + " " + .total.N + " " + (.who.M.name.S // "-") + " " + ([.lines.L[].M.sku.S] | join(","))' | sort
}
expect () {
	printf '%s\n' "$@" >want && documents >have && test_cmp want have
}
run () {
	river extract-load job.yaml >out 2>err && test_must_be_empty out && test_must_be_empty err
}

test_expect_success 'the emulator starts' '
	dynamodb_start
'

test_expect_success 'lines that come before their order and after it end up in it' '
	fresh && lines 1,A,a, && extract 1.zip && run && dynamodb_items $table >items && test_must_be_empty items &&
	orders A,c1,I,2026-01-01T00:00:00Z,1.50 B,c2,I,2026-01-01T00:00:00Z,2 && customers c1,Ada c2,Bob &&
	extract 2.zip && run && expect "A 1.5 Ada a" "B 2 Bob " &&
	lines 2,A,b, 3,B,c, && extract 3.zip && run && expect "A 1.5 Ada a,b" "B 2 Bob c"
'

test_expect_success 'only what changed is written' '
	dynamodb_no_counts && lines 4,B,d, && extract 4.zip && run &&
	expect "A 1.5 Ada a,b" "B 2 Bob c,d" && test $(dynamodb_count PutItem requests) = 1 &&
	dynamodb_no_counts && run && test $(dynamodb_count PutItem requests) = 0
'

test_expect_success 'a line that moves changes both orders; a name changes the documents it is in' '
	lines 1,B,a,U && extract 5.zip && run && expect "A 1.5 Ada b" "B 2 Bob a,c,d" &&
	customers c1,Eve && extract 6.zip && run && expect "A 1.5 Eve b" "B 2 Bob a,c,d"
'

test_expect_success 'lines and orders that are deleted; an order that comes back' '
	lines 2,A,b,D && extract 7.zip && run && expect "A 1.5 Eve " "B 2 Bob a,c,d" &&
	orders B,c2,D,, && extract 8.zip && run && expect "A 1.5 Eve " &&
	orders B,c2,I,2026-01-01T00:00:00Z,3 && extract 9.zip && run && expect "A 1.5 Eve " "B 3 Bob a,c,d"
'

test_expect_success '80: a late extract undoes nothing, and adds what is new' '
	lines 1,A,z,U 9,A,late, && extract 4b.zip && run && expect "A 1.5 Eve late" "B 3 Bob a,c,d"
'

test_expect_success 'a replaced extract takes what it had brought with it' '
	lines 9,A,later, && extract 4b.zip && river extract-load job.yaml drop/4b.zip --since 2000-01-01 &&
	expect "A 1.5 Eve later" "B 3 Bob a,c,d" &&
	orders C,c1,I,2026-01-01T00:00:00Z,4 && extract 4b.zip &&
	river extract-load job.yaml drop/4b.zip --since 2000-01-01 &&
	expect "A 1.5 Eve " "B 3 Bob a,c,d" "C 4 Eve " &&
	lines 9,A,later, && extract 4b.zip && river extract-load job.yaml drop/4b.zip --since 2000-01-01 &&
	expect "A 1.5 Eve later" "B 3 Bob a,c,d"
'

test_expect_success 'versions that this warehouse has not given, of the former scope: told, and the documents stay to be written' '
	fresh && mv job.yaml history && sed "s/scope: history/scope: extract\n    complete: true/" history >job.yaml &&
	orders A,c1,I,2026-01-01T00:00:00Z,1 && customers c1,Ada && extract 1.zip && river extract-load job.yaml && expect "A 1 Ada " &&
	cp history job.yaml && orders A,c1,I,2026-01-01T00:00:00Z,2 B,c1,I,2026-01-01T00:00:00Z,3 && extract 2.zip &&
	for i in 1 2
	do
		test_expect_code 6 river extract-load job.yaml 2>err && grep "1 of them is in the table $table with a version above 2" err || return 1
	done &&
	expect "A 1 Ada " "B 3 Ada "
'

test_expect_success '158: DynamoDB is away: the rows are there, and the next run writes the documents' '
	fresh && orders A,c1,I,2026-01-01T00:00:00Z,1 && lines 1,A,a, && extract 1.zip &&
	{ AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1 river --timeout 5s extract-load job.yaml 2>err; test $? != 0; } &&
	river query --no-load --output csv "SELECT count(*) AS n FROM dw.orders" >have && printf "n\n1\n" >want && test_cmp want have &&
	run && expect "A 1 - a"
'

to_be_killed () {
	fresh && orders $(seq -f "o%03g,c1,I,2026-01-01T00:00:00Z,1" 1 60) && lines $(seq 1 60 | sed "s/\$/,o001,a,/") &&
	extract 1.zip
}
test_expect_success '84: killed at any moment, the next run leaves what an undisturbed one does' '
	to_be_killed && how_long run &&
	for part in 5 15 25 35 45 55 65 72 79 85 90 95
	do
		killed_within $part to_be_killed "$RIVER_BUILD/river" extract-load job.yaml && run && dynamodb_items $table >items && test_line_count = 60 items &&
		documents | head -n 1 >have && printf "o001 1 - %s\n" $(yes a | head -n 60 | paste -sd,) >want && test_cmp want have || return 1
	done
'

test_expect_success 'what a run alone had left is not for shards' '
	fresh && orders A,c1,I,2026-01-01T00:00:00Z,1 && extract 1.zip &&
	{ AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1 river --timeout 5s extract-load job.yaml 2>err; test $? != 0; } &&
	test_expect_code 6 river extract-load job.yaml --shard 1/2 2>err && grep "not divided into shards" err && grep "without --shard" err &&
	run && expect "A 1 - "
'

test_expect_success 'shards at once write what one run does, and the rows once' '
	fresh && orders $(seq -f "o%03g,c1,I,2026-01-01T00:00:00Z,1" 1 60) && lines $(seq 1 60 | sed "s/\$/,o001,a,/") &&
	customers c1,Ada && extract 1.zip && run && documents >want && test_line_count = 60 want &&
	fresh && orders $(seq -f "o%03g,c1,I,2026-01-01T00:00:00Z,1" 1 60) && lines $(seq 1 60 | sed "s/\$/,o001,a,/") &&
	customers c1,Ada && extract 1.zip && pids= &&
	river extract-load job.yaml --shard 1/3 --output json >out && jq -e ".rows == 121 and (.extracts[0].whole | not)" out &&
	for i in 2 3
	do
		river extract-load job.yaml --shard $i/3 2>err.$i & pids="$pids $!"
	done &&
	for pid in $pids
	do
		wait $pid || { cat err.*; return 1; }
	done &&
	documents >have && test_cmp want have && test $(dynamodb_count PutItem requests) = 60 &&
	river extract-load job.yaml --shard 2/3 --output json >out && jq -e ".known == 1" out &&
	run && test $(dynamodb_count PutItem requests) = 60
'

test_expect_success 'a shard whose DynamoDB is away leaves its part, and the others go on' '
	orders o001,c1,U,2026-01-01T00:00:00Z,7 o002,c1,D,, o003,c1,U,2026-01-01T00:00:00Z,8 o004,c1,U,2026-01-01T00:00:00Z,9 && extract 2.zip &&
	{ AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1 river --timeout 5s extract-load job.yaml --shard 1/2 2>err; test $? != 0; } &&
	river extract-load job.yaml --shard 2/2 --output json >out && jq -e ".extracts[0].whole | not" out &&
	river extract-load job.yaml --shard 1/2 --output json >out && jq -e ".extracts[0].whole" out &&
	documents >have && test_line_count = 59 have && grep "^o001 7 " have && grep "^o003 8 " have && grep "^o004 9 " have && ! grep "^o002" have
'

cat >sample.yaml <<\YAML
job: orders                     # default: the file's name; names ledger and lock
profile: prod                   # cron's working directory is HOME
source: { path: "s3://drop/ext-*.zip", order: name }
dialect: { delimiter: ",", quote: '"', header: true, encoding: utf-8, null: ["", "\\N"], timezone: UTC }
tables:
  orders:
    member: "ORDERS_*.csv"
    key: [order_id]
    mode: merge                 # append
    delete_when: { column: op, equals: D }
    columns: { order_id: string, placed: { type: timestamp, format: "%d.%m.%Y %H:%M" }, total: "decimal(18,2)", op: string }
  lines: { member: "LINES_*.csv", key: [order_id, line_no], columns: { order_id: string, line_no: integer, sku: string } }
loads: { orders: { to: table dw.orders, format: ndjson } }     # or: stream dw/orders
documents:
  order:
    root: orders
    scope: history              # extract (needs complete: true)
    target: { dynamodb: orders, ttl: { attribute: expires_at, from: placed, after: 9 months } }
    nest: { lines: { table: lines, on: [order_id], many: true, order_by: [line_no] } }
limits: { max_rejects: 0, max_bytes: 200GiB, max_ratio: 200 }
deadline: 1h
YAML

test_expect_success 'a job as anybody writes it first: one load, a document over all extracts' '
	fresh && echo "  prod: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }" >>river.yaml &&
	placed=$(date -u -d yesterday "+%d.%m.%Y %H:%M") && day=$(date -u -d yesterday +%Y-%m-%dT%H) && table=orders &&
	printf "order_id,placed,total,op\n" >ORDERS_1.csv && printf "order_id,line_no,sku\nA,2,late\n" >LINES_1.csv &&
	"$make_zip" --pack drop/ext-1.zip ORDERS_1.csv LINES_1.csv &&
	sed "s/dynamodb: orders,/dynamodb: orders, create: true,/" sample.yaml >first.yaml &&
	river extract-load first.yaml drop/ext-1.zip && dynamodb_items orders >items && test_must_be_empty items &&
	printf "order_id,placed,total,op\nA,%s,1.50,I\n" "$placed" >ORDERS_1.csv && printf "order_id,line_no,sku\nA,1,b\n" >LINES_1.csv &&
	"$make_zip" --pack drop/ext-2.zip ORDERS_1.csv LINES_1.csv &&
	river extract-load sample.yaml drop/ext-2.zip >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	dynamodb_items orders | jq -c "[.order_id.S, .total.N, [.lines.L[].M | [.line_no.N, .sku.S, has(\"order_id\")]], (.expires_at.N | length)]" >have &&
	echo "[\"A\",\"1.5\",[[\"1\",\"b\",false],[\"2\",\"late\",false]],10]" >want && test_cmp want have
'

test_expect_success 'the emulator ends' '
	dynamodb_stop
'

test_done
