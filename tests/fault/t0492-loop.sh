#!/bin/sh
test_description='the whole loop: a data set is pumped into a collector that is killed ten times, and every event is a row'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && river stream create web/clicks >/dev/null && river stream create web/alone >/dev/null
key=0123-$test_canary
echo "shop $key" >keys && chmod 600 keys && echo "X-Write-Key: $key" >headers && test_holds_secret keys headers
RIVER_COLLECT_KEYS=$PWD/keys
export RIVER_COLLECT_KEYS

# pump_through KILLS DATASET OPTIONS...: the collector is killed so often while that runs; with the columns of a row
pump_through () {
	left=$1 dataset=$2
	shift 2
	start_collector &&
	{ river --output json pump --to "$url" --headers headers "$@" "$dataset" >pump.out 2>pump.err & } && pump=$! &&
	test_wait_until 60 has_taken 1 &&
	while test "$left" -gt 0
	do
		sleep 0.3
		kill_collector && check_secrets && start_collector || return 1
		walk_points=$((walk_points + 1))
		left=$((left - 1))
	done &&
	{ wait $pump || { tally_codes=$((tally_codes + 1)); cat pump.err; return 1; }; } &&
	test_grep "\"retries\": *[1-9]" pump.out &&
	stop_collector && river spool flush >flush.out && check_secrets && all_are_rows
}
# A collector that is told to stop has to go; what is not in the lake by then is brought by whoever comes next. Each
# row of the data set has to be there, and none of the events under two z.
all_are_rows () {
	sed 1d "$dataset/browsing_train.csv" | cut -d , -f 6 >want && walk_total=$(($(wc -l <want))) &&
	river --output csv query "select record->'request'->'body'->>'dl', record->'request'->'body'->>'z',
		record->'request'->>'id' from $(echo $stream | tr / .)" | sed 1d >rows &&
	sed 's/.*page=\([0-9a-f]*\)[^,]*,[^,]*,[^,]*$/\1/' rows >got && check_records want --got got &&
	for column in 2 3
	do
		cut -d , -f $column rows | sort | uniq -d >twice && test_must_be_empty twice || return 1
	done
}

test_expect_success '179: 100,000 events in batches, the collector killed ten times: every z is a row, once' '
	test_when_finished end_collector && port= &&
	river pump --sample dataset --count 100000 >/dev/null 2>&1 &&
	walk_told pump-serve "KILL of its collector" pump_through 10 dataset --batch 100 --rate 20000/s
'

test_expect_success '179: and one by one' '
	test_when_finished end_collector && port= && stream=web/alone &&
	river pump --sample alone --count 5000 >/dev/null 2>&1 &&
	walk_told pump-serve "KILL of its collector" pump_through 5 alone --rate 2000/s &&
	river status --check && river spool check
'

test_done
