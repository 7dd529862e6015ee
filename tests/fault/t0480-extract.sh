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
# what a stream got cannot be replaced
{ echo "job: orders" && sed '/clicks: { to/d' orders.yaml; } >anew.yaml
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
	river query --no-load --output csv "SELECT * FROM dw.orders ORDER BY id;
		SELECT name, count(*) FROM _river.extracts GROUP BY name ORDER BY name;
		SELECT count(*), count(DISTINCT (\"river extract\", \"river row\"))
			FROM _river.\"dw.orders/rows\"" 2>ask.err &&
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

# What a kill has left beside a row of the ledger goes when the next one is written there.
whole_and_anew () {
	again 0 extract-load orders.yaml && state >have && sed "/\.tmp-/d" have >have.rows && test_cmp want have.rows &&
	whole extract-load anew.yaml --since 2020-01-01
}
test_expect_success '1: SIGKILL at every call of taking them anew, and then cron' '
	new_world && river extract-load orders.yaml && keep_world && walk_max=12 &&
	walk_kills fresh whole_and_anew \
		river extract-load anew.yaml --since 2020-01-01 &&
	test $walk_points -gt 5
'

# An hour old: one that is refused is not taken for one that is on its way.
printf 'id,op,total\n1,U,8\n4,I,5\n' >orders.csv
printf 'event_id,n\nd,4\n' >clicks.csv
mkdir other
"$make_zip" --pack corrected.zip orders.csv clicks.csv
touch -d '1 hour ago' corrected.zip

test_expect_success '1, 79: SIGKILL at every call of replacing one by a corrected one' '
	test_when_finished "rm drop/ext-2.zip; mv other/ext-2.zip drop/" &&
	new_world && river extract-load orders.yaml && keep_world && state >want.first &&
	mv drop/ext-2.zip other/ && cp -p corrected.zip drop/ext-2.zip &&
	river extract-load anew.yaml --since 2020-01-01 && mv want want.kept && state >want &&
	grep "^1,U,8.00$" want && grep "^3,I,3.00$" want && walk_max=8 &&
	walk_kills fresh "whole extract-load anew.yaml --since 2020-01-01" \
		river extract-load anew.yaml --since 2020-01-01 &&
	mv want.kept want
'

sed 's/^loads:/loads: { orders: { format: parquet }, clicks: { format: parquet, compression: snappy } }/; /^  orders: { to/d; /^  clicks: { to/d
	s/^source:/job: pages\nsource:/' orders.yaml >pages.yaml

# pages_whole: the re-run gets through, and objects, manifests and ledger are, byte by byte, those of a run that
# nobody disturbed
pages_whole () {
	again 0 extract-load pages.yaml && pages_state >have && test_cmp want.pages have
}
pages_state () {
	(cd w/lake && find loads _river/extracts -type f | sort && find loads -type f | sort | xargs cat | cksum) &&
	find w/state/extracts -name '.tmp-*' &&
	find w/lake -name '.tmp-*'
}

test_expect_success '1, 132: Parquet, SIGKILL at every call of a run' '
	new_world && river extract-load pages.yaml && pages_state >want.pages && grep -c "parquet$" want.pages >n &&
	echo 4 >four && test_cmp four n && new_world && walk_max=16 &&
	walk_kills fresh pages_whole river extract-load pages.yaml && test $walk_points -gt 8
'

test_expect_success '5, 45: Parquet, EIO and no space at any write or fsync' '
	new_world && walk_max=4 && test_when_finished "unset walk_path" &&
	walk_path=/w/ &&
	for how in "write ENOSPC" "write EIO" "fsync EIO" "rename EDQUOT"
	do
		walk_fails $how once fresh "code_is_known && pages_whole" river extract-load pages.yaml &&
		walk_fails $how forever fresh "code_is_known && pages_whole" river extract-load pages.yaml || return 1
	done
'

test_expect_success '11: Parquet, SIGTERM at every call of a run' '
	new_world && walk_max=6 &&
	walk_signals TERM fresh pages_whole river extract-load pages.yaml
'

test_expect_success '76: ten runs at once: one works, the others say so' '
	new_world && pids= &&
	for one in 1 2 3 4 5 6 7 8 9 10
	do
		river extract-load orders.yaml >out.$one 2>&1 & pids="$pids $!"
	done &&
	work_or_wait $pids && whole extract-load orders.yaml
'

test_expect_success '78: two hosts at once' '
	for i in 1 2 3
	do
		new_world && pids= &&
		for host in 1 2
		do
			RIVER_STATE_DIR=$PWD/w/state.$host river extract-load orders.yaml >out.$host 2>&1 &
			pids="$pids $!"
		done &&
		for pid in $pids
		do
			# the one that comes second may find the tables or the run taken
			wait $pid
			case $? in
			0|6|11) ;;
			*) cat out.*; return 1 ;;
			esac
		done &&
		whole extract-load orders.yaml || { cat out.*; return 1; }
	done
'

# stalled COMMAND...: the run has opened ext-1.zip and waits for the warehouse while this is done
stalled () {
	new_world && river query "select 1" >/dev/null &&
	rm -f hold held && mkfifo hold held &&
	: >>w/warehouse.duckdb.lock &&
	{ "$RIVER_BUILD/tests/lib/hold_lock" w/warehouse.duckdb.lock <hold >held & } &&
	exec 7>hold && read -r line <held &&
	# what an earlier one said must not be read for this one's
	: >err &&
	{ river -v extract-load orders.yaml >out 2>err 7>&- & } && run=$! &&
	test_wait_until 60 grep -q "waiting for .*warehouse.duckdb" err &&
	{ ls -l /proc/$run/fd | grep -q "ext-1.zip" || { cat err; return 1; }; } &&
	"$@" && exec 7>&- && wait $run
}
another () {
	cp -p corrected.zip new.zip && mv new.zip drop/ext-1.zip
}
in_place () {
	cat corrected.zip >drop/ext-1.zip
}
cut_short () {
	: >drop/ext-1.zip
}
cp -p drop/ext-1.zip ext-1.kept

test_expect_success '82: an archive that is removed while it is read is loaded' '
	test_when_finished "cp -p ext-1.kept drop/ext-1.zip" &&
	stalled rm drop/ext-1.zip && state >have && test_cmp want have
'

test_expect_success '82: one that is replaced while it is read is loaded, and then the other one' '
	test_when_finished "cp -p ext-1.kept drop/ext-1.zip" &&
	stalled another && state >have && test_cmp want have &&
	river extract-load orders.yaml --output json >out && grep "\"taken\":1,\"known\":1" out &&
	read_lake && grep "\"d\"" got
'

test_expect_success '82, 131: one that is overwritten or cut while it is read is refused, then taken' '
	for how in in_place cut_short
	do
		cp -p ext-1.kept drop/ext-1.zip &&
		test_expect_code 9 stalled $how && test_grep "ext-1.zip" err &&
		river query --no-load --output csv "SELECT count(*) FROM _river.extracts" >have &&
		printf "count_star()\n1\n" >one && test_cmp one have &&
		cp -p ext-1.kept drop/ext-1.zip && whole extract-load orders.yaml || return 1
	done
'

test_expect_success '129, 158, 159: what does not fit is said before anything is there' '
	new_world &&
	sed "s|stream web/clicks|stream web/nothing|" orders.yaml >bad.yaml &&
	test_expect_code 5 river extract-load bad.yaml 2>err && test_grep "web/nothing" err &&
	test_path_is_missing w/lake/loads &&
	river extract-load orders.yaml && cp -a w/lake before.lake &&
	test_when_finished "rm -rf before.lake" &&
	sed "s/id: integer/id: string/" orders.yaml >bad.yaml &&
	test_expect_code 6 river extract-load bad.yaml 2>err && test_grep "the job says VARCHAR" err &&
	diff -r before.lake w/lake
'

test_expect_success '11, 85: refused ones at the head and in the middle, stopped anywhere' '
	test_when_finished "rm -f drop/ext-0.zip drop/ext-15.zip" &&
	head -c 60 drop/ext-2.zip >drop/ext-0.zip && "$make_zip" 90-crc drop/ext-15.zip &&
	touch -d "1 hour ago" drop/ext-0.zip drop/ext-15.zip &&
	new_world && walk_max=6 &&
	walk_signals TERM fresh "again 9 extract-load orders.yaml && state >have && test_cmp want have" \
		river extract-load orders.yaml
'

test_done
