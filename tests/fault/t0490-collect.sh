#!/bin/sh
test_description='the collector, killed under load and started again: every 2xx is a row, once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && river stream create web/clicks >/dev/null
kills=10 events=8000
test -z "$RIVER_DEEP" || kills=100 events=300000
trap 'end_collector' EXIT

# killed_while_sending KILLS COUNT START [client options]
killed_while_sending () {
	left=$1 count=$2 first=$3
	shift 3
	rm -f client.out &&
	start_collector &&
	{ "$collect_client" "$port" /collect "$count" 16 --start "$first" "$@" >client.out 2>client.err & } &&
	client_pid=$! &&
	while test "$left" -gt 0
	do
		sleep 0.2
		kill_collector
		start_collector || return 1
		left=$((left - 1))
	done &&
	wait "$client_pid" &&
	cat client.out
}

test_expect_success '179: killed ten times while events come one by one' '
	test_when_finished end_collector &&
	killed_while_sending $kills $events 0 &&
	stop_collector &&
	test_grep "acknowledged=$events " client.out &&
	collected >got &&
	seq 0 $((events - 1)) | sed "s/^/z-/" | sort >want &&
	sort got >got.sorted &&
	test_cmp want got.sorted
'

test_expect_success '179: and while they come in batches' '
	test_when_finished end_collector &&
	port= &&
	killed_while_sending $kills $((events * 5)) 1000000 --batch 100 &&
	stop_collector &&
	test_grep "acknowledged=$((events * 5)) " client.out &&
	collected | grep "^z-[12]......$" | sort >got &&
	seq 1000000 $((1000000 + events * 5 - 1)) | sed "s/^/z-/" >want &&
	test_cmp want got
'

test_expect_success '179: nothing is left in the spool, and what is counted agrees' '
	river spool list >spooled && test_line_count -le 1 spooled &&
	river spool check &&
	river status --check
'

test_done
