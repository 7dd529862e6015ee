#!/bin/sh
test_description='the whole loop: a data set is pumped into a collector that is killed ten times, and every event is a row'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && river stream create web/clicks >/dev/null
events=100000 single=5000
trap 'end_collector' EXIT

# pump_through KILLS OPTIONS...: the collector is killed so often while that runs
pump_through () {
	left=$1
	shift
	start_collector &&
	{ river --output json pump --to "$url" "$@" dataset >pump.out 2>pump.err & } && pump=$! &&
	while test "$left" -gt 0
	do
		sleep 0.3
		kill_collector
		start_collector || return 1
		left=$((left - 1))
	done &&
	{ wait $pump || { cat pump.err; return 1; }; } && stop_collector
}
# A collector that is told to stop has to go; what is not in the lake by then is brought by whoever comes next.
count () {
	river spool flush >flush.out && river --output csv query "select count(*), count(distinct record->'request'->>'id'),
		count(distinct record->'request'->'body'->>'z') from web.clicks" | tail -n 1
}

test_expect_success '179: 100,000 events in batches, the collector killed ten times: every z is a row, once' '
	test_when_finished end_collector && port= &&
	river pump --sample dataset --count $events >/dev/null 2>&1 &&
	pump_through 10 --batch 100 &&
	echo "$events,$events,$events" >want && count >got && test_cmp want got
'

test_expect_success '179: and one by one' '
	test_when_finished end_collector && port= &&
	pump_through 5 --count $single &&
	total=$((events + single)) && echo "$total,$total,$total" >want && count >got && test_cmp want got &&
	river status --check && river spool check
'

test_done
