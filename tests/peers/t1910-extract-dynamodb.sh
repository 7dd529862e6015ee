#!/bin/sh
test_description='extract-load: documents of extracts into DynamoDB, once, the newest, and killed at any moment'
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
source: { path: drop, order: time }
tables:
  orders: { member: orders.csv, key: [order_id], mode: merge, columns: { order_id: string, placed: date, total: "decimal(18,2)" } }
  lines: { member: lines.csv, columns: { order_id: string, line_no: integer, sku: string } }
loads:
  orders: { to: table dw.orders }
documents:
  order:
    root: orders
    scope: extract
    complete: true
    target: { dynamodb: TABLE, create: true, ttl: { attribute: expires_at, from: placed, after: 9 months } }
    nest: { lines: { on: [order_id], many: true, order_by: [line_no] } }
YAML

fresh=0
fresh () {
	fresh=$((fresh + 1)) && table=orders-$fresh &&
	rm -rf lake state drop w.duckdb* && mkdir drop && dynamodb_no_script && dynamodb_no_counts &&
	sed "s/TABLE/$table/" shop.yaml >job.yaml
}
# extract NAME COUNT TOTAL TIME: that many orders of two lines
extract () {
	awk -v n="$2" -v t="$3" -v day="$dynamodb_day" 'BEGIN { print "order_id,placed,total"; for (i = 1; i <= n; i++) printf "o-%04d,%s,%s\n", i, day, t }' >orders.csv &&
	awk -v n="$2" 'BEGIN { print "order_id,line_no,sku"; for (i = 1; i <= n; i++) printf "o-%04d,2,b\no-%04d,1,a\n", i, i }' >lines.csv &&
	"$make_zip" --pack drop/$1 orders.csv lines.csv && touch -d "$4" drop/$1
}
totals () {
	dynamodb_items $table | jq -r '.order_id.S + " " + .total.N + " " + ([.lines.L[].M.sku.S] | join(""))' | sort
}
want_totals () {
	awk -v n="$1" -v t="$2" 'BEGIN { for (i = 1; i <= n; i++) printf "o-%04d %s ab\n", i, t }'
}

test_expect_success 'the emulator starts' '
	dynamodb_start
'

test_expect_success 'documents are items, with a time to live nine months later; again writes nothing' '
	fresh && extract 1.zip 40 1.50 "2 hours ago" &&
	river extract-load job.yaml >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	totals >have && want_totals 40 1.5 >want && test_cmp want have &&
	dynamodb_items $table | head -n 1 >first &&
	test "$(jq -r .expires_at.N first)" = "$dynamodb_due" &&
	dynamodb_no_counts && river extract-load job.yaml &&
	test $(dynamodb_count PutItem requests) = 0
'

test_expect_success '156: an older extract that comes late changes no item' '
	fresh && extract 2.zip 30 2.50 "1 hour ago" && river extract-load job.yaml &&
	extract 1.zip 40 1.50 "2 hours ago" && river extract-load job.yaml --output json >out && grep "\"taken\":1" out &&
	{ want_totals 30 2.5 && want_totals 40 1.5 | tail -n 10; } >want && totals >have && test_cmp want have
'

test_expect_success '155: a document that is too large is named, and the others go on' '
	fresh && extract 1.zip 3 1 "2 hours ago" &&
	awk "BEGIN { print \"order_id,line_no,sku\"; for (i = 0; i < 3000; i++) printf \"o-0002,%d,%0200d\\n\", i, i }" >lines.csv &&
	"$make_zip" --pack drop/1.zip orders.csv lines.csv && touch -d "2 hours ago" drop/1.zip &&
	test_expect_code 7 river extract-load job.yaml 2>err && grep "1.zip: 1 document set aside; the first: .*o-0002" err &&
	grep "1 document was set aside in " err &&
	grep "o-0002.*409,\\?600\|o-0002.*400" lake/_river/extracts/job/*.refused.ndjson &&
	dynamodb_items $table >items && test_line_count = 2 items
'

test_expect_success '154: throttled again and again, all are written' '
	fresh && extract 1.zip 60 1.50 "2 hours ago" &&
	dynamodb_script "{\"op\":\"PutItem\",\"nth\":5,\"count\":6,\"do\":\"throttle\"}" &&
	river extract-load job.yaml && totals >have && want_totals 60 1.5 >want && test_cmp want have
'

to_be_killed () {
	fresh && extract 1.zip 120 1.50 "2 hours ago"
}
test_expect_success '84, 146: killed at any moment, the next run leaves what an undisturbed one does' '
	to_be_killed && how_long river extract-load job.yaml &&
	for part in 2 10 20 30 40 50 60 70 75 80 85 90 95
	do
		killed_within $part to_be_killed "$RIVER_BUILD/river" extract-load job.yaml &&
		river extract-load job.yaml &&
		totals >have && want_totals 120 1.5 >want && test_cmp want have &&
		river query --no-load --output csv "SELECT count(*), count(DISTINCT order_id) FROM dw.orders" >rows &&
		printf "%s\n120,120\n" "$(head -n 1 rows)" >want && test_cmp want rows || return 1
	done
'

test_expect_success 'the emulator ends' '
	dynamodb_stop
'

test_done
