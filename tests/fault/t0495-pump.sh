#!/bin/sh
test_description='a pump, killed anywhere: every row arrives, and no id stands for two contents'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/capture-lib.sh"

test -x "$RIVER_BUILD/tests/lib/capture" || test_bug 'capture is not built: make check-faults builds it'
push_world
awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"s\":\"s%d\",\"n\":%d}\n", i % 7, i }' >rows.ndjson
printf 'session: s\nfields: { s: { column: s }, n: { column: n }, z: uuid4, tm: now }\n' >map.yaml
seq 0 59 >expected
walk_max=25

# whole FILE: its events are all rows, and those that are there twice are the same
whole () {
	sort -u "$1" >distinct && sed 's/.*"n":\([0-9]*\).*/\1/' distinct | sort -n >numbers &&
	test_cmp expected numbers && sed 's/.*"z":"\([^"]*\).*/\1/' distinct | sort | uniq -d >twice &&
	test_must_be_empty twice
}
begin () {
	fresh && : >captured
}

test_expect_success '66: SIGKILL at every call of a pump to an address' '
	new_world && capture_start &&
	walk_kills begin "again 0 pump --resume --map map.yaml --to $capture_url/ok rows.ndjson &&
			bodies >all && whole all" \
		river pump --resume --map map.yaml --to "$capture_url/ok" rows.ndjson &&
	capture_stop && test $walk_points -gt 10
'

test_expect_success '66: SIGKILL at every call of a pump into a stream: each event once' '
	new_world &&
	walk_kills fresh "again 0 pump --resume --map map.yaml --to web/clicks rows.ndjson &&
			read_lake && test_line_count = 60 got && whole got" \
		river pump --resume --map map.yaml --to web/clicks rows.ndjson &&
	test $walk_points -gt 20
'

capture_stop
test_done
