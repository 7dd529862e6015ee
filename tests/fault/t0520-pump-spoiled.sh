#!/bin/sh
test_description='between a pump and a collector answers are lost, cut, doubled and late: every event is there once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-proxy-lib.sh"

push_world
printf 'session: s\nfields: { cid: { column: s }, n: { column: n }, z: uuid4 }\n' >map.yaml
rows=20 first=0

# Rows that no other case has.
next_rows () {
	first=$((first + rows)) &&
	awk -v from=$first -v n=$rows 'BEGIN { for (i = from; i < from + n; i++) printf "{\"s\":\"s%d\",\"n\":%d}\n", i % 3, i }' >rows.ndjson
}

# A second answer that comes late is taken for that to the next event, so the last one may still be on its way when
# the pump has ended: the proxy is not to be stopped before it has passed that on.
passed_on () {
	test "$(spoil_requests)" -ge $rows
}

# pumped CODES RULE...: under the rules the pump ends with one of the codes, and then without them with 0
pumped () {
	pump_codes=" $1 "
	shift
	next_rows && spoil_start "$port" "$@" || return 1
	timeout -s KILL 60 river pump --resume --restart --connections 2 --retry-for 3s --map map.yaml \
		--to "http://127.0.0.1:$spoil_port/collect" rows.ndjson >pump.out 2>pump.err
	pump_code=$?
	case $pump_codes in
	*" $pump_code "*) ;;
	*) tally_codes=1; echo "$*: code $pump_code"; cat pump.err spoil.log; return 1 ;;
	esac
	case $pump_code,$* in
	0,*:twice-late) test_wait_until 30 passed_on || return 1 ;;
	esac
	walk_total=$((walk_total + $(spoil_requests)))
	test $pump_code -eq 0 || {
		spoil_start "$port" --port "$spoil_port" &&
		river pump --resume --connections 2 --map map.yaml --to "http://127.0.0.1:$spoil_port/collect" rows.ndjson >pump.out 2>pump.err || {
			echo "$*: again: $?"
			cat pump.err
			return 1
		}
	}
}
# A redirect is not followed: the address is wrong. What comes three times in a row may last longer than is waited.
codes_of () {
	case $1 in
	redirect) echo 3 ;;
	*) echo 0 10 ;;
	esac
}

new_world && start_collector || test_bug 'no collector'

# At the first, in the middle and every time.
spoil_each () {
	for nth in 1 7 5+3
	do
		pumped "$(codes_of "$1")" $nth:"$1" && walk_points=$((walk_points + 1)) || return 1
	done
}
# What arrived is seen when the collector has ended: until then a line of `spoiled` keeps the row of each kind.
spoil_all () {
	spoil_ret=0
	: >spoiled
	for kind in $spoil_kinds
	do
		tally_clear
		walk_points=0 walk_total=0 from=$((first + rows))
		spoil_each "$kind" || { spoil_ret=1; test "$(tally_all)" -gt 0 || tally_hand=1; }
		echo "$kind $from $((first + rows - 1)) $walk_points $walk_total $tally_hand $tally_codes" >>spoiled
		test $spoil_ret -eq 0 || break
	done
	spoil_stop
	stop_collector && river spool flush && read_lake && sed 's/.*"n": *\([0-9]*\).*/\1/' got >have || spoil_ret=1
	while read -r kind from to walk_points walk_total spoil_hand spoil_codes
	do
		tally_clear
		tally_hand=$spoil_hand tally_codes=$spoil_codes
		seq "$from" "$to" >want && awk -v from="$from" -v to="$to" '$1 >= from && $1 <= to' have >have.kind
		check_records want --got have.kind || { echo "$kind"; spoil_ret=1; }
		walk_row pump-serve "answer $kind"
	done <spoiled
	sort -n have >have.sorted && seq $rows $((first + rows - 1)) >want && test_cmp want have.sorted && return $spoil_ret
}

test_expect_success '26, 64, 65: each way an answer goes wrong, at the first, in the middle and every time' spoil_all

test_done
