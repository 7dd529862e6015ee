#!/bin/sh
test_description='a clock that is wrong, or set back and forward: every record once, in the folder of its day'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

! test_have_prereq SANITIZER || walk_skip_all 'a sanitizer wants to be loaded first'
wrong_clock=$RIVER_BUILD/tests/lib/preload/wrong_clock.so
make_zip=$RIVER_BUILD/tests/lib/make_zip
test -f "$wrong_clock" || test_bug 'wrong_clock is not built: make check-faults builds it'
# what river knows, and no file may hold
AWS_SECRET_ACCESS_KEY=$test_canary
export AWS_SECRET_ACCESS_KEY
hour=3600 day=86400 year=31536000

# clock STEPS COMMAND...: a minute is the most that anything here may take (timeout does not count with it)
clock () {
	clock_steps=$1
	shift
	timeout -s KILL 60 env LD_PRELOAD="$wrong_clock" WRONG_CLOCK="$clock_steps" WRONG_CLOCK_COUNT="$PWD/clock.count" "$@"
}
# at DATE COMMAND...: it is that time when it starts
at () {
	at_date=@$(date -u -d "$1" +%s) || return 1
	shift
	clock "$at_date" "$@"
}

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
river query 'select 1' >/dev/null 2>&1 || walk_skip_all 'no DuckDB here: make deps'
"$gen_events" 30 >in && touch -d '1 hour ago' in
rows () {
	river query --output csv "select count(*) from web.clicks" | tail -n 1
}
folders () {
	find w/lake/data -name '*.zst' | sed 's,.*/\(dt=[^/]*/hr=[^/]*\)/.*,\1,' | sort -u
}

test_expect_success 'the clock is what it is told' '
	test "$(at 2038-01-19T03:14:08Z date -u +%Y-%m-%dT%H)" = 2038-01-19T03 &&
	test "$(clock -$year date -u +%Y)" = "$(date -u -d "$year seconds ago" +%Y)" &&
	test "$(cat clock.count)" -gt 0 && at 2020-02-03T04:05:06Z river --output json spool list
'

test_expect_success '198: pushes on days that go back and forth: each record once, loaded, and all of it proven' '
	new_world && : >days && n=0 &&
	for off in 0 -$year $year -$hour $hour -$day 0
	do
		"$gen_events" 5 --start $((n * 5)) >more && cat more >>days && touch -d "1 minute ago" days && n=$((n + 1)) &&
		clock $off river push web/clicks days && clock $off river push web/clicks --run "day$n" <more &&
		clock $((0 - off)) river push web/clicks days || return 1
	done &&
	clock -$year river query --output csv "select count(*) from web.clicks" >out && test "$(tail -n 1 out)" = 70 &&
	test "$(rows)" = 70 && read_lake && receipts_agree && nothing_left &&
	for off in 0 -$year $year
	do
		clock $off river status --check web/clicks || return 1
	done
'

# jumps SCENARIO SECONDS CHECK COMMAND...: at every time it asks, at most $jump_max (4) without RIVER_DEEP
jumps () {
	jump_name=$1 jump_way=forward
	shift
	test "$1" -ge 0 || jump_way=back
	walk_told "$jump_name" "clock set $jump_way" jump_each "$@"
}
jump_each () {
	jump=$1 jump_check=$2 jump_most=${RIVER_DEEP:+$test_deep_most} jump_most=${jump_most:-${jump_max:-4}}
	shift 2
	fresh && clock 0 "$@" <"${walk_input:-/dev/null}" >walk.out 2>walk.err || { cat walk.err; return 1; }
	walk_total=$(cat clock.count)
	jump_step=$((walk_total / jump_most + 1))
	jump_n=1
	while test $jump_n -le $walk_total
	do
		fresh && {
			clock "0,$jump_n:$jump" "$@" <"${walk_input:-/dev/null}" >walk.out 2>walk.err || { tally_codes=1; false; }
		} && check_secrets && eval "$jump_check" || {
			echo "set by $jump at question $jump_n of $walk_total"
			cat walk.err
			return 1
		}
		walk_points=$((walk_points + 1))
		jump_n=$((jump_n + jump_step))
	done
}

test_expect_success '198: set back or forward in the middle of a push' '
	new_world &&
	for by in -$hour $hour -$year $year
	do
		unset walk_input &&
		jumps push-file $by "all_there in" river push web/clicks --batch-records 12 in && walk_input=in &&
		jumps push-pipe $by "all_there in" river push web/clicks --batch-records 12 &&
		jumps push-run $by "all_there in" river push web/clicks --batch-records 12 --run day-1 || return 1
	done && unset walk_input
'

test_expect_success '198: set back or forward in the middle of a load' '
	test_when_finished "unset jump_max" && jump_max=2 &&
	new_world && river push web/clicks --batch-records 12 in && keep_world &&
	for by in -$year $year
	do
		jumps load $by "test \"\$(rows)\" = 30 && river status --check web/clicks" river snowpipe notify web/clicks || return 1
	done
'

# DuckDB measures how long it waits for its own threads by this clock, and fails where that is less than nothing.
test_expect_success '198: set back at every question in the middle of a load' '
	new_world && river push web/clicks --batch-records 12 in && keep_world &&
	for n in 1 2 3 4 5 6
	do
		fresh && WRONG_CLOCK_BACK=1 clock 0 river snowpipe notify web/clicks && test "$(rows)" = 30 &&
		river status --check web/clicks || return 1
	done &&
	WRONG_CLOCK_BACK=1 clock 0 river query --output csv \
		"select count(*) from (select * from web.clicks order by record)" >out && test "$(tail -n 1 out)" = 30
'

# lands_in DATE FOLDER
lands_in () {
	fresh && at "$1" river push web/clicks in && all_there in && echo "$2" >want && folders >have && test_cmp want have &&
	at "$1" river query --output csv "select count(*), left(min(loaded_at)::varchar, 10) from web.clicks" >out &&
	test "$(tail -n 1 out)" = "30,${1%T*}"
}
test_expect_success '198: leap days, the last hour of a year, and the ends of clocks of 32 bits' '
	new_world &&
	lands_in 2027-12-31T23:30:00Z dt=2027-12-31/hr=23 && lands_in 2028-02-29T12:00:00Z dt=2028-02-29/hr=12 &&
	lands_in 2100-02-28T23:30:00Z dt=2100-02-28/hr=23 && lands_in 2100-03-01T00:00:00Z dt=2100-03-01/hr=00 &&
	lands_in 2038-01-19T03:14:00Z dt=2038-01-19/hr=03 && lands_in 2038-01-19T03:14:08Z dt=2038-01-19/hr=03 &&
	lands_in 2106-02-07T06:28:16Z dt=2106-02-07/hr=06 && lands_in 1970-01-01T00:00:00Z dt=1970-01-01/hr=00
'

# No end, and a time that has not come yet: it is not waited for until then.
test_expect_success '198: files of the future: what has no end is not held back for a year' '
	new_world && printf "{\"a\":1}\n{\"a\":2}" >late && touch -d "+1 year" late && river push web/clicks late &&
	all_there late && printf "\n{\"a\":3}\n" >>late && touch -d "+2 years" late && river push web/clicks late && all_there late
'

cat >orders.yaml <<\EOS
source: { path: drop, order: name }
tables:
  orders: { member: orders.csv, key: [id], mode: merge, columns: { id: integer, total: "decimal(18,2)" } }
loads:
  orders: { to: table dw.orders }
EOS
mkdir drop
pack () {
	{ echo id,total && printf '%s\n' "$2" "$3"; } >orders.csv && "$make_zip" --pack "drop/$1" orders.csv
}
totals () {
	river query --no-load --output csv "SELECT * FROM dw.orders ORDER BY id" | tail -n +2 | paste -sd' '
}
test_expect_success '198: extracts are known by what is in them, whatever the clock says' '
	new_world && pack ext-1.zip 1,1.00 2,2.00 && touch -d "+1 year" drop/ext-1.zip &&
	clock $year river extract-load orders.yaml && pack ext-2.zip 2,3.00 3,3.00 &&
	clock -$year river extract-load orders.yaml && test "$(totals)" = "1,1.00 2,3.00 3,3.00" &&
	for off in 0 -$year $year
	do
		clock $off river extract-load --output json orders.yaml >out && test_grep "\"taken\":0,\"known\":2" out || return 1
	done &&
	test_when_finished "unset jump_max" && jump_max=2 && new_world &&
	for by in -$year $year
	do
		jumps extract-tables $by "test \"\$(totals)\" = \"1,1.00 2,3.00 3,3.00\"" river extract-load orders.yaml || return 1
	done
'

test_expect_success '198: what waits in the spool is sent, whenever that was' '
	new_world &&
	# killed where it first touches the lake, if it gets there: whatever its pace, all waits
	{
		clock $year "$walk" --file-ops --path /w/lake/data kill 1 -- river push web/clicks --wait spooled <in
		waits=$?
	} && { test $waits -eq 0 || test $waits -eq 90; } && clock -$year river spool list >out &&
	test_line_count -gt 1 out && clock -$year river spool flush && all_there in
'

# The pace and the rounds go by the other clock; an event that is sent again is known again.
clock_of_a_collector () {
	collector_env="LD_PRELOAD=$wrong_clock WRONG_CLOCK=0,20:-$hour,60:$hour,120:$year,200:-$year,300:0" && start_collector &&
	for again in no yes
	do
		"$collect_client" "$port" /collect 400 4 --key "$key" --start 1000 >client.out && test_grep "acknowledged=400 " client.out ||
		return 1
	done &&
	walk_points=5 walk_total=800 && stop_collector && check_secrets && river spool flush && read_lake &&
	sed "s/.*\"z\": *\"z-\([0-9]*\)\".*/\1/" got >have && seq 1000 1399 >want && check_records want --got have &&
	receipts_agree
}
test_expect_success '198: a collector whose clock is set back and forward under load' '
	test_when_finished "end_collector; collector_env=; unset RIVER_COLLECT_KEYS" && key=0123-$test_canary &&
	echo "shop $key" >keys && chmod 600 keys && test_holds_secret keys && RIVER_COLLECT_KEYS=$PWD/keys && export RIVER_COLLECT_KEYS &&
	new_world && walk_told collect "clock set, under load" clock_of_a_collector
'

test_expect_success '198: doctor says that the clocks of this host and of the lake differ' '
	new_world && clock $day river doctor >out 2>&1 && test_grep "times of files in .*lake are 1d 0h behind the clock" out
'

test_done
