#!/bin/sh
test_description='documents over all extracts in the lake, killed anywhere, with shards and without: what an undisturbed run leaves'
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
cat >shop.yaml <<\EOS
source: { path: drop, sequence: "ext-{number}.zip" }
tables:
  orders: { member: orders.csv, key: [id], delete_when: { column: op, equals: D }, mode: merge, columns: { id: integer, op: string, total: "decimal(18,2)" } }
  lines: { member: lines.csv, key: [id, no], columns: { id: integer, no: integer, sku: string } }
documents:
  order: { root: orders, target: { lake: true }, nest: { lines: { on: id, many: true } } }
EOS
mkdir drop
pack () {
	"$make_zip" --pack "$1" orders.csv lines.csv && mv "$1" drop/
}
{ echo id,op,total && seq -f "%g,I,1" 1 9; } >orders.csv
{ echo id,no,sku && seq -f "%g,1,a" 1 9; } >lines.csv
pack ext-1.zip
printf 'id,op,total\n1,U,9\n3,D,\n' >orders.csv
printf 'id,no,sku\n2,2,b\n' >lines.csv
pack ext-2.zip

# whole COMMAND...: it gets through, and what a reader finds is what it finds after a run that nobody disturbed. What
# a shard had left is written with the first extract that is not whole, so objects of documents may be others.
whole () {
	"$@" && state >have && test_cmp want have
}
state () {
	(cd w/lake && find loads _river/extracts -type f ! -name "documents-*" | sort &&
		cat $(find loads -name "documents-*.zst") | zstd -qdc | jq -cs "group_by(.id)[] | max_by(._v)") &&
	cat w/lake/_river/extracts/shop/sequence.json &&
	river query --no-load --output csv "SELECT count(*), count(DISTINCT (\"river extract\", \"river row\"))
			FROM _river.\"shop.lines/rows\";
		SELECT count(*) FROM _river.\"shop/order/roots\"" &&
	find w -name ".tmp-*"
}
# The same but for versions: a shard that comes later composes of all that is there then.
any () {
	"$@" && state >have && sed "s/,\"_v\":[0-9]*//" have >have.any && sed "s/,\"_v\":[0-9]*//" want >want.any &&
	test_cmp want.any have.any
}
rerun () {
	again 0 extract-load shop.yaml
}
shards () {
	for shard in 1/2 2/2
	do
		again 0 extract-load shop.yaml --shard $shard || return 1
	done
}

new_world || test_bug "no world"
test_expect_success 'a run that nobody disturbs' '
	river extract-load shop.yaml && state >want 2>err &&
	grep "{\"id\":3,\"_v\":2,\"_deleted\":true}" want && grep "\"total\":9.*\"_v\":2}" want &&
	test $(grep -c "\"_v\":1}" want) = 6 && test $(grep -c "\"_v\":2" want) = 3
'

test_expect_success '1, 84: SIGKILL at every call of a shard, and then both' '
	new_world && walk_max=6 &&
	walk_kills fresh "any shards" river extract-load shop.yaml --shard 1/2 && test $walk_points -gt 2
'

test_expect_success '1, 84: SIGKILL at every call of the other shard' '
	new_world && again 0 extract-load shop.yaml --shard 1/2 && keep_world && walk_max=4 &&
	walk_kills fresh "any shards" river extract-load shop.yaml --shard 2/2 && test $walk_points -gt 2
'

test_expect_success '5, 45: no space and EIO at any write or fsync' '
	new_world && walk_max=2 && walk_path=/w/ && test_when_finished "unset walk_path" &&
	for fault in "write ENOSPC" "fsync EIO" "rename ENOSPC"
	do
		walk_fails $fault once fresh "any shards" river extract-load shop.yaml --shard 1/2 || return 1
	done
'

test_done
