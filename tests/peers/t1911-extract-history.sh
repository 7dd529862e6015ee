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

test_expect_success '158: DynamoDB is away: the rows are there, and the next run writes the documents' '
	fresh && orders A,c1,I,2026-01-01T00:00:00Z,1 && lines 1,A,a, && extract 1.zip &&
	{ AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1 river --timeout 5s extract-load job.yaml 2>err; test $? != 0; } &&
	river query --no-load --output csv "SELECT count(*) AS n FROM dw.orders" >have && printf "n\n1\n" >want && test_cmp want have &&
	run && expect "A 1 - a"
'

test_expect_success '84: killed at any moment, the next run leaves what an undisturbed one does' '
	for ms in 20 60 100 140 180 220 260 300 350 400 500 700
	do
		fresh && orders $(seq -f "o%03g,c1,I,2026-01-01T00:00:00Z,1" 1 60) && lines $(seq 1 60 | sed "s/\$/,o001,a,/") &&
		extract 1.zip &&
		{ river extract-load job.yaml 2>killed.err & killed=$!; } &&
		sleep $(awk -v ms=$ms "BEGIN { print ms / 1000 }") && { kill -9 $killed 2>/dev/null || :; } &&
		{ wait $killed || :; } &&
		run && dynamodb_items $table >items && test_line_count = 60 items &&
		documents | head -n 1 >have && printf "o001 1 - %s\n" $(yes a | head -n 60 | paste -sd,) >want && test_cmp want have || return 1
	done
'

test_expect_success 'the emulator ends' '
	dynamodb_stop
'

test_done
