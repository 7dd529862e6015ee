# For tests of `river serve --collect`; after test-lib.sh.
#
#	start_collector [options...]    sets $collector_pid, $port, $base and $url; ends it at the test's end
#	stop_collector                  TERM, and its exit code has to be 0
#	kill_collector                  KILL
#	collected                       the z of every record in the lake and the spool's way there, sorted
#	has_taken N                     N events or more were stored since it was started
#	sent_again N                    the client (client.out) had to send so many or more again: what was done to the
#	                                collector so often was done while the client was not through
#	flush_collected                 brings what is left in the spool: a collector that is told to stop tries for a while only
#	collected_once START COUNT      each of these events of collect_client is one of them, once; with fault-lib.sh, where
#	                                what is not so is counted, as an exit code is of stop_collector and kill_collector
#
# $stream is the stream (web/clicks); $collector_env holds assignments for its environment.
stream=web/clicks
collect_client=$RIVER_BUILD/tests/lib/collect_client
swap_names () {
	"$RIVER_BUILD/tests/lib/swap_names" "$@"
}

start_collector () {
	rm -f collector.out &&
	{ env $collector_env river serve --collect "$stream" --listen "127.0.0.1:${port:-0}" "$@" \
		>collector.out 2>>collector.err & } &&
	collector_pid=$! &&
	collector_tries=0 &&
	while ! grep -q listening collector.out 2>/dev/null
	do
		kill -0 "$collector_pid" 2>/dev/null || { cat collector.err; return 1; }
		collector_tries=$((collector_tries + 1))
		test $collector_tries -lt 1200 || return 1
		sleep 0.05
	done &&
	url=$(sed -n "s/^listening on //p" collector.out) &&
	base=$(echo "$url" | sed "s,\(http://[^/]*\)/.*,\1,") &&
	port=${base##*:}
}

stop_collector () {
	kill "$collector_pid" && { wait "$collector_pid"; collector_code=$?; } &&
	collector_pid= &&
	collector_ended_with 0
}

# One that had ended before was not killed.
kill_collector () {
	kill -9 "$collector_pid"
	wait "$collector_pid" 2>/dev/null
	collector_code=$?
	collector_pid=
	collector_ended_with 137
}

collector_ended_with () {
	test "$collector_code" -eq "$1" || {
		tally_codes=$((${tally_codes:-0} + 1))
		echo "the collector ended with $collector_code, not $1"
		cat collector.err
		return 1
	}
}

end_collector () {
	test -z "$collector_pid" || kill -9 "$collector_pid" 2>/dev/null
	collector_pid=
	return 0
}
test_atexit end_collector

collected () {
	river --output csv query "select record->'request'->>'id' as z from $(echo "$stream" | tr / .) order by 1" |
		tail -n +2
}

flush_collected () {
	river spool flush >flush.out 2>&1 || { cat flush.out; return 1; }
}
collected_once () {
	seq "$1" $(($1 + $2 - 1)) | sed 's/^/z-/' >want && flush_collected && collected >got.all &&
	awk -v from="$1" -v to=$(($1 + $2)) '{ n = substr($0, 3) + 0 } /^z-/ && n >= from && n < to' got.all >got &&
	check_records want --got got
}

# send METHOD TARGET [BODY] [field...]: one request on a connection of its own. The whole answer is in
# `answer`, its body in `body`, its status on standard output.
http_raw=$RIVER_BUILD/tests/lib/http_raw
test_holds_secret request # may
send () {
	send_method=$1 send_target=$2 send_body=$3
	shift; shift
	test $# -eq 0 || shift
	{
		printf "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" "$send_method" "$send_target"
		test -z "$send_body" || printf "Content-Length: %d\r\n" "$(printf "%s" "$send_body" | wc -c)"
		for send_field
		do
			printf "%s\r\n" "$send_field"
		done
		printf "\r\n%s" "$send_body"
	} >request
	"$http_raw" "$port" <request >answer || return 1
	sed -e "1,/^.\$/d" answer >body
	head -n 1 answer | cut -d " " -f 2
}
# raw FORMAT [options]: bytes as printf writes them; the status of the first answer on standard output
raw () {
	raw_bytes=$1
	shift
	printf "$raw_bytes" >request && "$http_raw" "$port" "$@" <request >answer
	head -n 1 answer | cut -d " " -f 2
}
# metric NAME
metric () {
	send GET /metrics >/dev/null && sed -n "s/^river_collect_$1 //p" body
}
has_taken () {
	collector_taken=$(metric events_total 2>/dev/null) && test "${collector_taken:-0}" -ge "$1"
}
sent_again () {
	test "$(sed -n "s/.* again=//p" client.out)" -ge "$1" || { cat client.out; return 1; }
}
# says EXPECTED COMMAND...
says () {
	says_want=$1
	shift
	says_got=$("$@")
	test "$says_got" = "$says_want" || { echo "'$says_got', not '$says_want': $*"; cat answer; return 1; }
}
