#!/bin/sh
test_description='the collector, killed under load and started again: every 2xx is a row, once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && river stream create web/clicks >/dev/null
kills=10 events=8000
test -z "$RIVER_DEEP" || kills=100 events=300000
key=0123-$test_canary
echo "shop $key" >keys && chmod 600 keys && test_holds_secret keys
trap 'end_collector' EXIT

# killed_while_sending KILLS COUNT START [client options]: with the columns of a row
killed_while_sending () {
	left=$1 count=$2 first=$3
	shift 3
	rm -f client.out &&
	start_collector -c collect.keys=keys &&
	{ "$collect_client" "$port" /collect "$count" 16 --key "$key" --start "$first" "$@" >client.out 2>client.err & } &&
	client_pid=$! &&
	while test "$left" -gt 0
	do
		sleep 0.2
		kill_collector && check_secrets && start_collector -c collect.keys=keys || return 1
		walk_points=$((walk_points + 1))
		left=$((left - 1))
	done &&
	wait "$client_pid" &&
	cat client.out &&
	stop_collector && check_secrets &&
	test_grep "acknowledged=$count " client.out &&
	walk_total=$((count + $(sed "s/.*again=//" client.out))) &&
	collected_once "$first" "$count" &&
	river status --check
}

test_expect_success '179: killed ten times while events come one by one' '
	test_when_finished end_collector &&
	walk_told collect "KILL, one by one" killed_while_sending $kills $events 0
'

test_expect_success '179: and while they come in batches' '
	test_when_finished end_collector &&
	port= &&
	walk_told collect "KILL, in batches" killed_while_sending $kills $((events * 5)) 1000000 --batch 100
'

test_expect_success '179: nothing is left in the spool, and what is counted agrees' '
	river spool list >spooled && test_line_count -le 1 spooled &&
	river spool check &&
	river status --check &&
	echo $((events * 6)) >want && collected | wc -l >got && test_cmp want got
'

test_done
