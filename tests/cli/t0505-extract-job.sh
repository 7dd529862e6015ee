#!/bin/sh
test_description='extract-load: what a job may say of sequences, trailers, histories in the lake and shards'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
  prod: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML
fresh () {
	rm -rf lake drop state w.duckdb* && mkdir drop
}

# ---- the job of the manual, and tables that nobody named

cat >orders.yaml <<\YAML
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
  lines:
    member: "LINES_*.csv"
    key: [order_id, line_no]
    columns: { order_id: string, line_no: integer, sku: string }
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
orders () {
	{ echo order_id,placed,total,op && printf '%s\n' "$@"; } >ORDERS_1.csv
}
lines () {
	{ echo order_id,line_no,sku && printf '%s\n' "$@"; } >LINES_1.csv
}
pack () {
	"$make_zip" --pack drop/"$1" $(ls ORDERS_1.csv LINES_1.csv 2>/dev/null) && rm -f ORDERS_1.csv LINES_1.csv
}

test_expect_success 'a history keeps the tables that the job names nowhere, and --check says so' '
	fresh && sed "s|s3://drop/ext-|drop/ext-|" orders.yaml >job.yaml &&
	river extract-load job.yaml --check >out &&
	grep "orders: loads/.*merged into the table dw.orders$" out && grep "^lake $PWD/lake, profile prod$" out &&
	grep "lines: loads/.*merged into the table orders.lines, kept for documents$" out
'

test_expect_success 'a profile that is not there: the job is named, not an option' '
	sed "s/^profile: prod/profile: none/" orders.yaml >slip.yaml &&
	test_expect_code 3 river extract-load slip.yaml --check 2>err &&
	grep "profile of slip.yaml: no profile none in $PWD/river.yaml" err &&
	test_expect_code 3 river --profile nowhere extract-load slip.yaml --check 2>err && grep -e "--profile: no profile nowhere" err
'

test_expect_success 'a table of a history without a key: one error, at the table' '
	sed "/key: \[order_id, line_no\]/d" orders.yaml >slip.yaml &&
	test_expect_code 3 river extract-load slip.yaml --check 2>err &&
	grep "slip.yaml:12:3" err && grep "tables.lines: documents.order is made of its newest rows, and it has no key" err &&
	grep "write key:" err &&
	sed "s/key: \[order_id, line_no\]/&\n    mode: append/" orders.yaml >slip.yaml &&
	test_expect_code 3 river extract-load slip.yaml --check 2>err &&
	grep "slip.yaml:12:3" err && grep "and it is appended" err
'

# ---- documents of a history in the lake

test_expect_success 'the same job with its documents in the lake' '
	sed "s|s3://drop/ext-|drop/ext-|; s|target: {.*|target: { lake: true }|; /^deadline/d" orders.yaml >lake.yaml
'
# every version, then what a reader makes of them
versions () {
	zstd -qdc lake/loads/orders/*/documents-order-v*.zst | sort
}
documents () {
	versions | jq -cs "group_by(.order_id)[] | max_by(._v) | select(._deleted | not) | [.order_id, .total, [.lines[].sku]]"
}

test_expect_success 'versions of what changed, with _v; lines come before their order and after it' '
	fresh && orders && lines A,1,a && pack ext-1.zip && river extract-load lake.yaml >out 2>err &&
	test_must_be_empty out && test_must_be_empty err &&
	find lake -name "documents-*" >left && test_must_be_empty left &&
	orders "A,01.02.2026 10:00,1.50,I" "B,01.02.2026 10:00,2,I" && lines B,1,x && pack ext-2.zip &&
	river extract-load lake.yaml && versions >have &&
	cat >want <<-\JSON &&
	{"order_id":"A","placed":"2026-02-01T10:00:00Z","total":1.50,"op":"I","lines":[{"line_no":1,"sku":"a"}],"_v":2}
	{"order_id":"B","placed":"2026-02-01T10:00:00Z","total":2.00,"op":"I","lines":[{"line_no":1,"sku":"x"}],"_v":2}
	JSON
	test_cmp want have &&
	grep documents-order-v000000002-0001 lake/loads/orders/*/documents-order-v000000002.manifest
'

test_expect_success 'what is deleted is marked; only what changed is written' '
	orders "B,01.02.2026 10:00,2,D" && lines A,2,b && pack ext-3.zip && river extract-load lake.yaml --output json >out &&
	jq -e ".extracts[0].documents.order | .written == 2 and .removed == 1" out &&
	versions >have && grep "{\"order_id\":\"B\",\"_v\":3,\"_deleted\":true}" have && test_line_count = 4 have &&
	documents >have && echo "[\"A\",1.5,[\"a\",\"b\"]]" >want && test_cmp want have
'

test_expect_success 'days of the first and of the last year come back from the warehouse as they were, also those that go' '
	cat >days.yaml <<-\YAML &&
	source: { path: days }
	tables:
	  days:
	    member: days.csv
	    key: [day]
	    mode: merge
	    delete_when: { column: op, equals: D }
	    columns: { day: date, moment: { type: timestamp, timezone: UTC }, op: string }
	documents: { day: { root: days, target: { lake: true } } }
	YAML
	mkdir days &&
	printf "day,moment,op\n0000-01-01,0000-01-01 00:00:00,I\n0999-12-31,0999-12-31 23:59:59,I\n9999-12-31,9999-12-31 23:59:59,I\n" >days.csv &&
	"$make_zip" --pack days/1.zip days.csv && river extract-load days.yaml &&
	printf "day,moment,op\n0000-01-01,,D\n" >days.csv && "$make_zip" --pack days/2.zip days.csv && river extract-load days.yaml &&
	zstd -qdc lake/loads/days/*/documents-day-v*.zst | grep -o "{.day.*\(_v\|_deleted\)" | sort >have &&
	cat >want <<-\JSON &&
	{"day":"0000-01-01","_v":2,"_deleted
	{"day":"0000-01-01","moment":"0000-01-01T00:00:00Z","op":"I","_v
	{"day":"0999-12-31","moment":"0999-12-31T23:59:59Z","op":"I","_v
	{"day":"9999-12-31","moment":"9999-12-31T23:59:59Z","op":"I","_v
	JSON
	sed "s/\"_v\":[0-9]*,/\"_v\":2,/" have >plain && test_cmp want plain
'

test_expect_success 'taking anew writes higher versions and removes none' '
	cp lake/loads/orders/*/documents-order-v000000002-0001.ndjson.zst before && mv drop/ext-2.zip keep &&
	orders "A,01.02.2026 10:00,7,I" && lines && pack ext-2.zip && touch -d "2026-02-01 12:00" drop/ext-2.zip &&
	river extract-load lake.yaml drop/ext-2.zip --date 2026-02-01 &&
	cmp before lake/loads/orders/*/documents-order-v000000002-0001.ndjson.zst &&
	documents >have && echo "[\"A\",7,[\"a\",\"b\"]]" >want && test_cmp want have &&
	versions >before && river extract-load lake.yaml && versions >have && test_cmp before have
'

test_expect_success 'the readers query of the manual' '
	cat >query.sql <<-\SQL &&
	SELECT order_id, total::DECIMAL(18,2) AS total, len(lines) AS n
	FROM (SELECT * EXCLUDE (_v, _deleted)
	FROM (SELECT NULL::BOOLEAN AS _deleted WHERE false
	  UNION ALL BY NAME
	  FROM read_json('\''lake/loads/orders/*/documents-order-v*.ndjson.zst'\'',
	    union_by_name = true))
	QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY _v DESC) = 1
	  AND _deleted IS NOT true)
	SQL
	river query --no-load --write --output csv "$(cat query.sql)" >have && printf "order_id,total,n\nA,7.00,2\n" >want && test_cmp want have &&
	fresh && orders "A,01.02.2026 10:00,1.50,I" && lines A,1,a && pack ext-1.zip && river extract-load lake.yaml &&
	river query --no-load --write --output csv "$(cat query.sql)" >have && printf "order_id,total,n\nA,1.50,1\n" >want &&
	test_cmp want have
'

test_expect_success 'documents and tables that the job has only since an extract was taken keep nothing back' '
	fresh && orders "A,01.02.2026 10:00,1.50,I" && lines A,1,a && pack ext-1.zip &&
	sed "s/target: {.*/target: { dynamodb: orders }/" lake.yaml >away.yaml &&
	{ AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:1 AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_REGION=eu-west-1 \
		river --timeout 5s extract-load away.yaml 2>err; test $? = 1; } &&
	sed "s/^  order:/  renamed:/" lake.yaml >renamed.yaml && river extract-load renamed.yaml --output json >out && jq -e ".taken == 1" out &&
	orders "B,01.02.2026 10:00,2,I" && lines && pack ext-2.zip && river extract-load renamed.yaml &&
	zstd -qdc lake/loads/orders/*/documents-renamed-v*.zst | jq -r .order_id >have && echo B >want && test_cmp want have
'

test_expect_success 'the key of a root in another order is the same one; with another column it is refused before anything is read' '
	fresh && rm -rf keys && mkdir keys && cat >key.yaml <<-\YAML &&
	source: { path: keys }
	tables: { t: { member: t.csv, key: [a, b], mode: merge, delete_when: { column: op, equals: D }, columns: { a: string, b: string, c: string, op: string } } }
	documents: { d: { root: t, target: { lake: true } } }
	YAML
	printf "a,b,c,op\n1,2,x,I\n" >t.csv && "$make_zip" --pack keys/1.zip t.csv && river extract-load key.yaml &&
	sed "s/key: .a, b./key: [b, a]/" key.yaml >turned && mv turned key.yaml &&
	printf "a,b,c,op\n1,2,y,I\n" >t.csv && "$make_zip" --pack keys/2.zip t.csv && river extract-load key.yaml &&
	zstd -qdc lake/loads/key/*/documents-d-v*.zst | jq -c "[.a,.b,.c,._v,._deleted]" | sort >have &&
	printf "%s\n" "[\"1\",\"2\",\"x\",1,null]" "[\"1\",\"2\",\"y\",2,null]" >want && test_cmp want have &&
	sed "s/key: .b, a./key: [a, c]/" key.yaml >other && mv other key.yaml &&
	printf "a,b,c,op\n1,2,z,I\n" >t.csv && "$make_zip" --pack keys/3.zip t.csv &&
	test_expect_code 6 river extract-load key.yaml 2>err && grep "documents.d: its root had another key so far, without c" err && grep "another name" err &&
	sed "s/{ d: { root/{ e: { root/" key.yaml >named && mv named key.yaml && river extract-load key.yaml --since 2000-01-01 &&
	zstd -qdc lake/loads/key/*/documents-e-v*.zst | jq -r .c | sort -u >have && printf "%s\n" x y z >want && test_cmp want have
'

abc () {
	{ echo a,b,c && printf "%s\n" "$@"; } >t.csv
}
have () {
	river query --no-load --output csv "SELECT a, b, c FROM dw.t ORDER BY ALL" | tail -n +2 | paste -sd" "
}
test_expect_success 'a table whose key changes is made anew of all its versions, unless rows have no value for it' '
	fresh && cat >key.yaml <<-\YAML &&
	source: { path: drop }
	tables: { t: { member: t.csv, key: [a], mode: merge, columns: { a: string, b: string, c: string } } }
	loads: { t: { to: table dw.t } }
	YAML
	abc 1,x,1 2,x,1 && "$make_zip" --pack drop/1.zip t.csv && abc 1,y,2 && "$make_zip" --pack drop/2.zip t.csv && river extract-load key.yaml && test "$(have)" = "1,y,2 2,x,1" &&
	sed "s/key: .a./key: [b, a]/" key.yaml >both && mv both key.yaml && abc 3,z,3 && "$make_zip" --pack drop/3.zip t.csv && river extract-load key.yaml &&
	test "$(have)" = "1,x,1 1,y,2 2,x,1 3,z,3" &&
	sed "s/key: .b, a./key: [a, b]/; s/c: string/&, d: string/" key.yaml >turned && mv turned key.yaml &&
	printf "a,b,c,d\n3,z,4,q\n" >t.csv && "$make_zip" --pack drop/4.zip t.csv && river extract-load key.yaml && test "$(have)" = "1,x,1 1,y,2 2,x,1 3,z,4" &&
	sed "s/key: .a, b./key: [d]/" key.yaml >other && mv other key.yaml && printf "a,b,c,d\n3,z,4,r\n" >t.csv && "$make_zip" --pack drop/5.zip t.csv &&
	test_expect_code 6 river extract-load key.yaml 2>err && grep "dw.t was merged by a, b so far, and 4 rows in it have no value for all of d" err &&
	grep "hint: load into another table" err && test "$(have)" = "1,x,1 1,y,2 2,x,1 3,z,4" &&
	sed "s/key: .d./key: [b]/; s/, d: string//" key.yaml >last && mv last key.yaml && river extract-load key.yaml --since 1970-01-01 && test "$(have)" = "1,y,2 2,x,1 3,z,4"
'

test_expect_success 'a table that the job has in the lake is kept beside it' '
	fresh && sed "s|^loads:.*|loads: { orders: { format: csv, compression: none }, lines: { to: lake } }|" lake.yaml >job.yaml &&
	orders "A,01.02.2026 10:00,1.50,I" && lines A,1,a && pack ext-1.zip && river extract-load job.yaml &&
	ls lake/loads/orders/*/ | sort >have &&
	printf "%s\n" documents-order-v000000001-0001.ndjson.zst documents-order-v000000001.manifest lines-0001-0001.ndjson.zst \
		lines.manifest orders-0001-0001.csv orders-0001-0001.ndjson.zst orders.manifest | sort >want && test_cmp want have &&
	grep "orders-0001-0001.csv" lake/loads/orders/*/orders.manifest && ! grep "orders-0001-0001.ndjson" lake/loads/orders/*/orders.manifest &&
	river query --no-load --output csv "SELECT sku FROM orders.lines" >have && printf "sku\na\n" >want && test_cmp want have
'

# ---- shards

many () {
	seq -f "o%03g,01.02.2026 10:00,1,I" 1 50 >rows && { echo order_id,placed,total,op && cat rows; } >ORDERS_1.csv &&
	{ echo order_id,line_no,sku && seq -f "o%03g,1,a" 1 50; } >LINES_1.csv && pack ext-1.zip
}

test_expect_success 'shards: rows once, a part each, taken when all parts are written' '
	fresh && many && river extract-load lake.yaml && documents >want && test_line_count = 50 want &&
	fresh && many && river extract-load lake.yaml --shard 2/3 --output json >out &&
	jq -e ".taken == 1 and .rows == 100 and (.extracts[0] | .shard == 2 and (.whole | not))" out &&
	documents >part && test $(wc -l <part) -gt 5 && test $(wc -l <part) -lt 40 &&
	find lake -path "*_river*" -type f >left && test_must_be_empty left &&
	river extract-load lake.yaml --shard 2/3 --output json >out && jq -e ".taken == 0 and .known == 1" out &&
	river extract-load lake.yaml --shard 1/3 --output json >out && jq -e ".extracts[0] | .shard == 1 and (.whole | not)" out &&
	river extract-load lake.yaml --shard 3/3 --output json >out && jq -e ".extracts[0] | .shard == 3 and .whole" out &&
	documents >have && test_cmp want have &&
	versions | wc -l >count && echo 50 >fifty && test_cmp fifty count &&
	test $(ls lake/_river/extracts/orders/*.json | wc -l) = 1 &&
	river extract-load lake.yaml --shard 1/3 --output json >out && jq -e ".taken == 0 and .known == 1" out &&
	river query --no-load --output csv "SELECT count(*) AS n FROM dw.orders" >n && printf "n\n50\n" >want && test_cmp want n
'

test_expect_success 'shards: another division before all is written is refused' '
	fresh && many && river extract-load lake.yaml --shard 1/2 &&
	test_expect_code 6 river extract-load lake.yaml --shard 1/3 2>err && grep "divided into 2 shards" err &&
	test_expect_code 6 river extract-load lake.yaml 2>err && grep "divided into 2 shards" err && grep "shard i/2" err &&
	river extract-load lake.yaml --shard 2/2 && river extract-load lake.yaml --output json >out && jq -e ".known == 1" out
'

test_expect_success 'shards: all at once' '
	fresh && many && orders "o001,01.02.2026 10:00,5,U" && lines o002,2,b && pack ext-2.zip &&
	for i in 1 2 3 4
	do
		river extract-load lake.yaml --shard $i/4 2>err.$i & eval "pid$i=\$!" || return 1
	done &&
	wait $pid1 && wait $pid2 && wait $pid3 && wait $pid4 &&
	for i in 1 2 3 4
	do
		river extract-load lake.yaml --shard $i/4 || return 1
	done &&
	documents >have && test_line_count = 50 have && grep "\"o001\",5,\[\"a\"\]" have && grep "\"o002\",1,\[\"a\",\"b\"\]" have &&
	test $(ls lake/_river/extracts/orders/*.json | wc -l) = 2
'

test_expect_success 'shards: the same one twice, and a run without, are locked apart' '
	fresh && mkdir -p state/extracts/orders && : >state/extracts/orders/shard-1-of-2.lock && rm -f hold held && mkfifo hold held &&
	{ "$RIVER_BUILD/tests/lib/hold_lock" state/extracts/orders/shard-1-of-2.lock <hold >held & } &&
	exec 7>hold && read -r line <held &&
	test_expect_code 11 river extract-load lake.yaml --shard 1/2 2>err && grep "another run of shard 1/2" err &&
	river extract-load lake.yaml --shard 2/2 && exec 7>&- &&
	rm -f hold held && mkfifo hold held &&
	{ "$RIVER_BUILD/tests/lib/hold_lock" state/extracts/orders/shards.lock <hold >held & } &&
	exec 7>hold && read -r line <held &&
	test_expect_code 11 river extract-load lake.yaml --shard 2/2 2>err &&
	test_expect_code 11 river extract-load lake.yaml 2>err && grep "another run of the job orders works" err &&
	exec 7>&-
'

test_expect_success 'shards: one that waits for the rows of another gives up after --timeout' '
	fresh && many && mkdir -p state/extracts/orders && : >state/extracts/orders/lock && rm -f hold held && mkfifo hold held &&
	{ "$RIVER_BUILD/tests/lib/hold_lock" state/extracts/orders/lock <hold >held & } &&
	exec 7>hold && read -r line <held &&
	test_expect_code 11 river --timeout 200ms extract-load lake.yaml --shard 1/2 2>err && grep "another shard of the job orders takes an extract" err &&
	exec 7>&- && river extract-load lake.yaml --shard 1/2
'

test_expect_success 'shards on two hosts at once: one has the rows, both write their part' '
	for round in 1 2 3
	do
		fresh && many && pids= &&
		for i in 1 2
		do
			RIVER_STATE_DIR=$PWD/state.$i river extract-load lake.yaml --shard $i/2 2>err.$i & pids="$pids $!"
		done &&
		for pid in $pids
		do
			wait $pid || { cat err.*; return 1; }
		done &&
		documents >have && test_line_count = 50 have && rm -rf state.* &&
		river query --no-load --output csv "SELECT count(*) AS n FROM _river.extracts" >n && printf "n\n1\n" >want && test_cmp want n || return 1
	done
'

test_expect_success 'shards: what a killed run was replacing is for a run alone' '
	fresh && many && river extract-load lake.yaml && rm -rf state && ledger=$(echo lake/_river/extracts/orders/*.json) &&
	sed -i "s/\"status\":\"taken\"/\"status\":\"replacing\"/" $ledger &&
	test_expect_code 6 river extract-load lake.yaml --shard 1/2 2>err && grep "took it anew was killed" err && grep "without --shard" err &&
	river extract-load lake.yaml && grep "\"status\":\"taken\"" $ledger && documents >have && test_line_count = 50 have
'

test_expect_success 'rows that are there already are not read again; a ledger that says nonsense is damaged' '
	rm -rf state lake/_river && river extract-load lake.yaml --output json >out && jq -e ".taken == 1 and .rows == 100 and .objects == 0" out &&
	rm -rf state lake/_river && river query --write "UPDATE _river.extracts SET summary = '\''x'\''" &&
	test_expect_code 12 river extract-load lake.yaml 2>err && grep "the summary of .* is no JSON" err
'

test_expect_success 'documents over all extracts without a warehouse' '
	fresh && many && sed "s/warehouse: {.*/warehouse: { type: none } }/" river.yaml >none.yaml && mkdir -p without && cp none.yaml without/river.yaml &&
	sed "s|path: \"drop|path: \"../drop|" lake.yaml >without/lake.yaml &&
	test_expect_code 3 river extract-load without/lake.yaml 2>err && grep "documents over all extracts: profile prod has warehouse: none" err
'

test_expect_success 'shards: what cannot be divided is refused' '
	test_expect_code 2 river extract-load lake.yaml --shard 5/4 2>err && grep "write 1/4 to 4/4" err &&
	test_expect_code 2 river extract-load lake.yaml --shard 0/4 2>err &&
	test_expect_code 2 river extract-load lake.yaml --shard 1/2 --date 2026-02-01 2>err && grep "without --shard" err &&
	sed "/^documents/,/nest:/d" lake.yaml >none.yaml && test_expect_code 2 river extract-load none.yaml --shard 1/2 2>err && grep "has none" err &&
	sed "s/scope: history.*/scope: extract\n    complete: true/" lake.yaml >extract.yaml &&
	test_expect_code 2 river extract-load extract.yaml --shard 1/2 2>err && grep "is of one" err &&
	sed "s/dynamodb: orders,/dynamodb: orders, exclusive: true,/" orders.yaml >exclusive.yaml &&
	test_expect_code 2 river extract-load exclusive.yaml --shard 1/2 2>err && grep "exclusive" err
'

# ---- sequences

cat >seq.yaml <<\YAML
source: { path: drop, sequence: "ext-{number}*.zip" }
tables: { t: { member: t.csv, key: [id], mode: merge, columns: { id: integer, n: integer } } }
loads: { t: { to: table dw.t } }
YAML
# ext NAME ID N
ext () {
	printf "id,n\n%s,%s\n" $2 $3 >t.csv && "$make_zip" --pack drop/$1 t.csv
}
rows () {
	river query --no-load --output csv "SELECT id, n FROM dw.t ORDER BY id" | tail -n +2 | paste -sd" "
}

test_expect_success '80: extracts behind a missing one wait for it, and it is named' '
	fresh && ext ext-007.zip 1 7 && ext ext-008.zip 1 8 && ext ext-011.zip 1 11 && ext ext-012.zip 2 12 &&
	test_expect_code 1 river extract-load seq.yaml --output json >out 2>err &&
	grep "2 extracts wait; the first: .*ext-011.zip waits: 9 and 10 of the sequence" err && grep "allow-gaps" err &&
	jq -e ".taken == 2 and .waiting == 2 and .missing == [[9,10]]" out && test "$(rows)" = 1,8 &&
	river extract-load seq.yaml --check >out && grep "ext-011.zip: 9 and 10 before it are missing, and it would wait" out &&
	grep -c "ext-01[12].zip: would wait$" out >have && echo 2 >want && test_cmp want have && ! grep "would be taken" out &&
	river extract-load seq.yaml --check --allow-gaps >out && ! grep "would wait" out && grep "ext-012.zip: would be taken" out &&
	river extract-load seq.yaml --check --since 2000-01-01 >out && ! grep "would wait" out && grep "ext-011.zip: would be taken" out &&
	ext ext-010.zip 1 10 &&
	test_expect_code 1 river extract-load seq.yaml 2>err && grep "3 extracts wait; the first: .*ext-010.zip waits: 9 of the sequence .* is missing" err &&
	ext ext-009.zip 1 9 && river extract-load seq.yaml --output json >out && jq -e ".taken == 4 and .missing == []" out &&
	test "$(rows)" = "1,11 2,12"
'

test_expect_success '80: --allow-gaps goes on, what is missing is remembered, and the late one is merged in its place' '
	ext ext-016.zip 1 16 && test_expect_code 1 river extract-load seq.yaml 2>err &&
	river extract-load seq.yaml --allow-gaps --output json >out 2>err && jq -e ".taken == 1 and .missing == [[13,15]]" out &&
	grep "ext-016.zip is taken, and 13 to 15 before it are missing" err &&
	ext ext-017.zip 3 17 && river extract-load seq.yaml --output json >out 2>err && jq -e ".missing == [[13,15]]" out && test_must_be_empty err &&
	printf "id,n\n1,14\n4,14\n" >t.csv && "$make_zip" --pack drop/ext-014.zip t.csv &&
	river extract-load seq.yaml --output json >out && jq -e ".taken == 1 and .missing == [[13,13],[15,15]]" out &&
	test "$(rows)" = "1,16 2,12 3,17 4,14" &&
	rm -rf state && rm drop/ext-00* && river extract-load seq.yaml --output json >out && jq -e ".taken == 0 and .missing == [[13,13],[15,15]]" out
'

test_expect_success '80: gaps: take in the job; one that is refused or taken before holds nobody' '
	sed "s/}\*.zip\"/&, gaps: take/" seq.yaml >take.yaml && fresh && ext ext-1.zip 1 1 && ext ext-3.zip 1 3 &&
	river extract-load take.yaml 2>err && grep "2 before it is missing" err &&
	fresh && ext ext-1.zip 1 1 && head -c 60 drop/ext-1.zip >drop/ext-2.zip && touch -d "1 hour ago" drop/ext-2.zip && ext ext-3.zip 1 3 &&
	test_expect_code 9 river extract-load seq.yaml --output json >out 2>err && jq -e ".taken == 2 and .missing == [[2,2]]" out &&
	fresh && sed "s/, sequence:.*zip\"//" seq.yaml >plain.yaml && cp plain.yaml seqs.yaml && ext ext-1.zip 1 1 && ext ext-2.zip 1 2 &&
	river extract-load seqs.yaml && cp seq.yaml seqs.yaml && ext ext-3.zip 1 3 &&
	river extract-load seqs.yaml --output json >out && jq -e ".taken == 1 and .missing == []" out
'

test_expect_success 'numbers: none, out of order by name, order: number' '
	fresh && ext ext-9.zip 1 9 && ext ext-10.zip 1 10 && ext other.zip 1 1 &&
	test_expect_code 3 river extract-load seq.yaml 2>err && grep "ext-10.zip comes before ext-9.zip by name" err && grep "order: number" err &&
	sed "s/drop,/drop, order: number,/" seq.yaml >number.yaml &&
	test_expect_code 9 river extract-load number.yaml 2>err && grep "other.zip has no number" err && test "$(rows)" = 1,10 &&
	test_expect_code 9 river extract-load number.yaml --check >out 2>err && grep "other.zip: would be refused" out && grep "no number" err
'

test_expect_success 'order: number, where numbers outgrew their names: what came by name is older' '
	fresh && ext ext-9.zip 1 9 && river extract-load seq.yaml && ext ext-10.zip 1 10 &&
	test_expect_code 3 river extract-load seq.yaml && mkdir -p number && sed "s/path: drop,/path: ..\/drop, order: number,/" seq.yaml >number/seq.yaml &&
	river extract-load number/seq.yaml && test "$(rows)" = 1,10 &&
	ext ext-11.zip 1 11 && ext ext-100.zip 1 100 && test_expect_code 1 river extract-load number/seq.yaml && test "$(rows)" = 1,11
'

test_expect_success 'order: time, where they went by name and then by number: what came so is older' '
	mkdir -p time && sed "s/drop, .*}/..\/drop, order: time }/" seq.yaml >time/seq.yaml && grep "order: time }" time/seq.yaml &&
	fresh && ext ext-9.zip 1 9 && river extract-load seq.yaml && ext a.zip 1 10 && river extract-load time/seq.yaml && test "$(rows)" = 1,10 &&
	fresh && ext ext-9.zip 1 9 && river extract-load number/seq.yaml && ext a.zip 1 10 && river extract-load time/seq.yaml && test "$(rows)" = 1,10
'

test_expect_success 'an order that would be below all that was taken is refused, until all of it is taken anew' '
	fresh && ext ext-9.zip 1 9 && river extract-load time/seq.yaml && ext ext-8.zip 1 10 && sed "s/, order: time//" time/seq.yaml >seq2 && mkdir -p name && mv seq2 name/seq.yaml &&
	test_expect_code 6 river extract-load name/seq.yaml 2>err && grep "ext-8.zip would be older than ext-9.zip, which came by another source.order" err && grep "since 1970-01-01" err &&
	test "$(rows)" = 1,9 && touch -d 2026-01-02 drop/ext-8.zip && touch -d 2026-01-03 drop/ext-9.zip &&
	test_expect_code 6 river extract-load name/seq.yaml --date 2026-01-02 2>err && grep "taken anew: .*ext-8.zip would be older than ext-9.zip" err && test "$(rows)" = 1,9 &&
	river extract-load name/seq.yaml --since 1970-01-01 && test "$(rows)" = 1,9 &&
	ext ext-91.zip 1 11 && river extract-load name/seq.yaml && test "$(rows)" = 1,11 &&
	ext ext-2.zip 2 2 && river extract-load name/seq.yaml && test "$(rows)" = "1,11 2,2"
'

test_expect_success 'an order that is below all that was taken does not matter where nothing is merged' '
	fresh && mkdir -p all && for how in time name; do sed "s/mode: merge, //" $how/seq.yaml >all/$how.yaml && echo "job: all" >>all/$how.yaml || return 1; done &&
	ext ext-9.zip 1 9 && river extract-load all/time.yaml && ext ext-8.zip 1 8 && river extract-load all/name.yaml && test "$(rows | tr " " "\n" | sort | paste -sd" ")" = "1,8 1,9"
'

test_expect_success 'a damaged note of the sequence is told' '
	fresh && ext ext-1.zip 1 1 && river extract-load seq.yaml && echo "{}" >lake/_river/extracts/seq/sequence.json &&
	ext ext-2.zip 1 2 && test_expect_code 12 river extract-load seq.yaml 2>err && grep "sequence.json in the lake is damaged" err
'

# ---- trailers

cat >trail.yaml <<\YAML
source: { path: drop }
dialect: { delimiter: "|", trailer: "T|{count}|*" }
tables: { t: { member: t.csv, columns: { id: integer, n: integer } } }
loads: { t: { to: lake, compression: none } }
YAML
trail () {
	printf "id|n\n1|1\n2|2\n" >t.csv && printf "$1" >>t.csv && rm -rf lake state drop && mkdir drop && "$make_zip" --pack drop/ext.zip t.csv
}

test_expect_success '127: the trailer is no row, and its count is right' '
	fresh && trail "T|0002|20260101\n" && river extract-load trail.yaml >out 2>err && test_must_be_empty err &&
	printf "{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":2}\n" >want && cat lake/loads/trail/*/t-0001-0001.ndjson >have && test_cmp want have &&
	trail "T|2|" && river extract-load trail.yaml &&
	river extract-load trail.yaml --check >out && grep "the last row is T|{count}|\*" out
'

test_expect_success '127: a wrong count refuses the extract, both counts shown' '
	trail "T|3|\n" && test_expect_code 9 river extract-load trail.yaml 2>err &&
	grep "ext.zip: t.csv: its trailer says 3 rows, and 2 are there" err && find lake -name "t-*" >left && test_must_be_empty left &&
	trail "" && test_expect_code 9 river extract-load trail.yaml 2>err && grep "its last row is no trailer .T|{count}|\*.; 2 rows are there" err &&
	trail "T|2|\n3|3\n" && test_expect_code 9 river extract-load trail.yaml 2>err && grep "line 5 stands behind the trailer in line 4" err &&
	trail "x|1\nT|3|\n" && test_expect_code 7 river extract-load trail.yaml --max-rejects 1 2>err
'

test_expect_success '127: header and trailer counted too; a table without' '
	sed "s/trailer: .*}/trailer: { row: \"# {count}\", counts: all } }/" trail.yaml >all.yaml &&
	trail "# 4\n" && river extract-load all.yaml && trail "# 2\n" && test_expect_code 9 river extract-load all.yaml 2>err &&
	grep "says 2 rows, and 4 are there, with header and trailer" err &&
	sed "s/member: t.csv,/& dialect: { trailer: none },/" trail.yaml >none.yaml && trail "" && river extract-load none.yaml
'

# ---- the command line

test_expect_success '--date for a stream is refused, with what to do' '
	sed "s|to: lake, compression: none|to: stream dw/t|" trail.yaml >stream.yaml &&
	test_expect_code 2 river extract-load stream.yaml --date 2026-02-01 2>err &&
	grep "records of the stream dw/t stay" err && grep "leave the load of t out of the job file" err &&
	test_expect_code 2 river extract-load stream.yaml --since 2026-02-01 2>err
'

test_expect_success '--infer takes limits, and refuses what it would ignore' '
	trail "" && river extract-load --infer drop/ext.zip --max-bytes 1MiB --max-ratio 10 >out && grep "^tables:" out &&
	test_expect_code 9 river extract-load --infer drop/ext.zip --max-bytes 5 2>err && grep "ext.zip" err &&
	for option in --threads=2 --max-rejects=1 --deadline=1h --max-wcu=5 --retry-for=60s --max-memory=1GiB --shard=1/2 --allow-gaps --check --date=2026-01-01
	do
		test_expect_code 2 river extract-load --infer drop/ext.zip $option 2>err && grep -e "${option%%=*} is for a run" err || return 1
	done &&
	RIVER_EXTRACT_LOAD_THREADS=2 river extract-load --infer drop/ext.zip >out &&
	rm -rf lake state && test_expect_code 9 river extract-load trail.yaml drop/ext.zip --max-bytes 5 2>err &&
	test_expect_code 2 river extract-load trail.yaml --max-ratio 0 2>err
'

test_done
