#!/bin/sh
test_description='the collector, killed under load and started again: every 2xx is a row, once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && river stream create web/clicks >/dev/null
kills=10 events=0
test -z "$RIVER_DEEP" || kills=100
key=0123-$test_canary
echo "shop $key" >keys && chmod 600 keys && test_holds_secret keys

# killed_while_sending KILLS START [client options]: with the columns of a row. The client goes on until all kills
# are done, whoever of them is the quicker one.
killed_while_sending () {
	left=$1 first=$2
	shift 2
	rm -f client.out enough &&
	start_collector -c collect.keys=keys &&
	{ "$collect_client" "$port" /collect 1000000 16 --key "$key" --start "$first" --until enough "$@" >client.out 2>client.err & } &&
	client_pid=$! &&
	while test "$left" -gt 0
	do
		test_wait_until 100 has_taken 400 || return 1
		kill_collector && check_secrets && start_collector -c collect.keys=keys || return 1
		walk_points=$((walk_points + 1))
		left=$((left - 1))
	done &&
	: >enough && wait "$client_pid" &&
	cat client.out &&
	stop_collector && check_secrets &&
	count=$(sed -n "s/^acknowledged=\([0-9]*\) .*/\1/p" client.out) && sent_again $kills && events=$((events + count)) &&
	walk_total=$((count + $(sed "s/.*again=//" client.out))) &&
	collected_once "$first" "$count" &&
	river status --check
}

test_expect_success '179: killed ten times while events come one by one' '
	test_when_finished end_collector &&
	walk_told collect "KILL, one by one" killed_while_sending $kills 0 --rate 2000
'

test_expect_success '179: and while they come in batches' '
	test_when_finished end_collector &&
	port= &&
	walk_told collect "KILL, in batches" killed_while_sending $kills 1000000 --batch 100 --rate 20000
'

test_expect_success '179: nothing is left in the spool, and what is counted agrees' '
	river spool list >spooled && test_line_count -le 1 spooled &&
	river spool check &&
	river status --check &&
	echo $events >want && collected | wc -l >got && test_cmp want got
'

test_done
