#!/bin/sh
test_description='between a pump and a collector answers are lost, cut, doubled and late: every event is there once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-proxy-lib.sh"

push_world
printf 'session: s\nfields: { cid: { column: s }, n: { column: n }, z: uuid4 }\n' >map.yaml
trap 'end_collector; spoil_stop; test_at_exit' EXIT
rows=20 first=0

# Rows that no other case has.
next_rows () {
	first=$((first + rows)) &&
	awk -v from=$first -v n=$rows 'BEGIN { for (i = from; i < from + n; i++) printf "{\"s\":\"s%d\",\"n\":%d}\n", i % 3, i }' >rows.ndjson
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
	*) echo "$*: code $pump_code"; cat pump.err spoil.log; return 1 ;;
	esac
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
all_once () {
	stop_collector && river spool flush && read_lake &&
	sed "s/.*\"n\": *\([0-9]*\).*/\1/" got | sort -n >have && seq $rows $((first + rows - 1)) >want && test_cmp want have
}

new_world && start_collector || test_bug 'no collector'

test_expect_success '26, 64, 65: each way an answer goes wrong, at the first, in the middle and every time' '
	for kind in $spoil_kinds
	do
		for nth in 1 7 5+3
		do
			pumped "$(codes_of "$kind")" $nth:$kind || return 1
		done
	done && all_once
'

test_done
