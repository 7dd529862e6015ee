# A server that takes POSTs, for shell tests (tests/lib/capture.c says which path behaves how). Sourced
# after test-lib.sh:
#
#	capture_start [PORT]    starts one: $capture_url, $capture_port, $capture_pid; what comes is in ./captured
#	capture_stop            ends it
#	bodies [STATUS]         the bodies that were answered with it (200), one a line
#
# It ends with the script.

capture_pid=

capture_start () {
	: >captured && rm -f capture.port &&
	# 4 and 5 are the script's own TAP and messages: who holds them open keeps prove waiting
	{ "$RIVER_BUILD/tests/lib/capture" captured "$@" >capture.port 4>&- 5>&- 6>&- & } &&
	capture_pid=$! && test_wait_until 20 test -s capture.port &&
	capture_port=$(cat capture.port) && capture_url=http://127.0.0.1:$capture_port
}

capture_stop () {
	test -n "$capture_pid" || return 0
	kill "$capture_pid" 2>/dev/null
	wait "$capture_pid" 2>/dev/null
	capture_pid=
}
test_atexit capture_stop

bodies () {
	sed -n "s/^${1:-200} [0-9]* //p" captured
}
