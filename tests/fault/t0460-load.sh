#!/bin/sh
test_description='a load into the embedded warehouse, killed or failing anywhere: every record once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 30 >in
"$gen_events" 9 --start 100 >more
head -n 4 in >again
touch -d '1 hour ago' in more again
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
new_world
river push web/clicks --batch-records 12 in || test_bug 'no push'
cp -a w/. w.new/ && keep_world
rm -f w.new/warehouse.duckdb* && keep_world

ask () {
	river query --no-load --output csv "$1" 2>ask.err | tail -n +2
}

# rows_are RECORDS...: raw holds these, byte for byte and once each; the ledger and the layers agree, and
# so does river's own account.
rows_are () {
	ask "select record from web.clicks; select (select count(*) from _river.loads),
		(select sum(record_count) from _river.loads),
		(select count(*) from web.clicks_clean), (select count(*) from web.clicks_latest),
		(select count(distinct file_name || file_row) from web.clicks)" >answers &&
	tail -n 1 answers >layers && head -n -2 answers | sed "s/^\"//; s/\"\$//; s/\"\"/\"/g" >rows &&
	check_records "$@" --got rows || { cat ask.err; return 1; } &&
	number=$(cat "$@" | wc -l) &&
	unique=$(cat "$@" | sort -u | wc -l) &&
	objects=$(find w/lake/data -type f | wc -l) &&
	echo "$objects,$number,$unique,$unique,$number" >expected &&
	test_cmp expected layers &&
	again 0 status web/clicks --check &&
	test_path_is_missing w/warehouse.duckdb.tmp
}

walk_max=50

test_expect_success '1: of a later load, with duplicates' '
	new_world && river snowpipe notify web/clicks &&
	river push web/clicks --batch-records 5 more again && keep_world && walk_max=20 &&
	walk_kills fresh "again 0 snowpipe notify web/clicks && rows_are in more again" \
		river snowpipe notify web/clicks &&
	test $walk_points -gt 5
'

test_expect_success '1: of a query, which loads first' '
	new_world &&
	walk_max=10 &&
	walk_kills fresh "again 0 query \"select count(*) from web.clicks\" && rows_are in" \
		river query "select count(*) from web.clicks"
'

test_expect_success '1: of a push that waits for the rows' '
	new_world && walk_max=15 &&
	walk_kills fresh "again 0 push web/clicks --batch-records 5 --wait loaded more &&
			again 0 snowpipe notify web/clicks && rows_are in more" \
		river push web/clicks --batch-records 5 --wait loaded more
'

test_expect_success '1: of making the tables again from the lake' '
	new_world && river snowpipe notify web/clicks && walk_max=12 &&
	keep_world &&
	walk_kills fresh "again 0 snowpipe notify web/clicks --rebuild && rows_are in" \
		river snowpipe notify web/clicks --rebuild
'

test_expect_success '1: the load after a kill is killed as well' '
	walk_max=3 &&
	for at in 6 14 20 27
	do
		new_world &&
		test_expect_code 90 "$walk" --file-ops --report report kill $at -- \
			river snowpipe notify web/clicks &&
		keep_world &&
		walk_kills fresh "again 0 snowpipe notify web/clicks && rows_are in" \
			river snowpipe notify web/clicks || return 1
	done
'

test_expect_success TMPFS '45: the disk of the warehouse is full' '
	new_world && "$gen_events" 20000 --start 1000 >large && touch -d "1 hour ago" large &&
	river push web/clicks large &&
	cp -a w kept && test_when_finished "rm -rf kept" &&
	test_small_tmpfs w 4m && rm -rf w/* && cp -a kept/. w/ &&
	test_must_fail river snowpipe notify web/clicks 2>err && test -s err &&
	mount -o remount,size=512m w &&
	again 0 snowpipe notify web/clicks && rows_are in large
'

test_expect_success '53, 197: five loads, three queries and a push at once' '
	for i in 1 2 3
	do
		new_world &&
		pids= &&
		for one in 1 2 3 4 5
		do
			river snowpipe notify web/clicks >out.$one 2>&1 & pids="$pids $!"
			river query "select count(*) from web.clicks" >query.$one 2>&1 & pids="$pids $!"
		done &&
		{ river push web/clicks --wait loaded more & pids="$pids $!"; } &&
		for pid in $pids
		do
			wait $pid || { echo "one ended with $?"; cat out.* query.*; return 1; }
		done &&
		rows_are in more || return 1
	done
'

test_done
