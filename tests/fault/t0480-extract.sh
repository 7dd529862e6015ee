#!/bin/sh
test_description='extract-load, killed anywhere: the next run does it, and nothing is there twice'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip

push_world
cat >river.yaml <<\EOS
profiles:
  local:
    lake: ./w/lake
    state: ./w/state
    warehouse:
      type: duckdb
      path: ./w/warehouse.duckdb
EOS
river query 'select 1' >/dev/null 2>&1 || test_skip_all 'no DuckDB here: make deps'
cat >orders.yaml <<\EOS
source: { path: drop }
tables:
  orders:
    member: orders.csv
    key: [id]
    mode: merge
    delete_when: { column: op, equals: D }
    columns: { id: integer, op: string, total: "decimal(18,2)" }
  clicks:
    member: clicks.csv
    columns: { event_id: string, n: integer }
loads:
  orders: { to: table dw.orders }
  clicks: { to: stream web/clicks }
EOS
mkdir drop
pack () {
	"$make_zip" --pack "$1" orders.csv clicks.csv && mv "$1" drop/
}
printf 'id,op,total\n1,I,1.50\n2,I,2\n3,I,3\n' >orders.csv
printf 'event_id,n\na,1\nb,2\n' >clicks.csv
pack ext-1.zip
printf 'id,op,total\n1,U,9\n3,D,\n4,I,4\n' >orders.csv
printf 'event_id,n\nc,3\n' >clicks.csv
pack ext-2.zip

# whole ARGUMENTS...: the re-run gets through, and tables, stream, loads and ledger are those of a run that nobody
# disturbed.
whole () {
	again 0 "$@" &&
	state >have && test_cmp want have
}
state () {
	river query --no-load --output csv "SELECT * FROM dw.orders ORDER BY id" 2>ask.err &&
	river query --no-load --output csv "SELECT name, count(*) FROM _river.extracts GROUP BY name ORDER BY name" 2>ask.err &&
	river query --no-load --output csv "SELECT count(*), count(DISTINCT (\"river extract\", \"river row\")) FROM _river.\"dw.orders/rows\"" 2>ask.err &&
	read_lake && sort got &&
	(cd w/lake && find loads _river/extracts -type f | sort && find loads -type f | sort | xargs cat | cksum) &&
	find w/state/extracts -name '.tmp-*' &&
	find w/lake -name '.tmp-*'
}

walk_max=40
new_world || test_bug "no world"
test_expect_success 'a run that nobody disturbs' '
	river extract-load orders.yaml && state >want &&
	grep "^1,U,9.00$" want && grep "^4,I,4.00$" want && test_line_count -gt 10 want
'

test_expect_success '1, 84, 146: SIGKILL at every call of a run' '
	new_world &&
	walk_kills fresh "whole extract-load orders.yaml" river extract-load orders.yaml &&
	test $walk_points -gt 20
'

test_done
