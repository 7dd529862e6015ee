# Answers that are spoiled on their way (tests/lib/fault_proxy.c has what of them), for shell tests. Sourced after
# test-lib.sh:
#
#	spoil_start PORT [--port N] [--only TEXT] [RULE...]
#	                                            a proxy in front of PORT: $spoil_port; what went through is in spoil.log
#	spoil_stop                                  ends it
#	spoil_requests                              how many requests went through
#
# One at a time; it ends with the script.
fault_proxy=$RIVER_BUILD/tests/lib/fault_proxy
test -x "$fault_proxy" || test_bug 'fault_proxy is not built: make check-faults builds it'
spoil_pid=

spoil_start () {
	spoil_stop
	: >spoil.log
	# 4 and 5 are the script's own TAP and messages: who holds them open keeps prove waiting
	"$fault_proxy" "$@" >spoil.log 2>&1 4>&- 5>&- 6>&- &
	spoil_pid=$!
	test_wait_until 20 test -s spoil.log && spoil_port=$(head -n 1 spoil.log)
}

spoil_stop () {
	test -n "$spoil_pid" || return 0
	kill "$spoil_pid" 2>/dev/null
	wait "$spoil_pid" 2>/dev/null
	spoil_pid=
}
test_atexit spoil_stop

spoil_requests () {
	sed 1d spoil.log | wc -l
}

# What is not carried out, and what is, with arguments: each once somewhere
# (not "other": another answer of 200 to a POST is all that can be said of it)
spoil_kinds='unread shut nothing tls redirect lose lose-reset cut:0 cut:17 cut:-1 cut-reset:60 stall:30 drip late:120
	longer:3 shorter:1 chunks unended interim:40 interim:4000 headers:3000 headers:200000 twice twice-late leave leave:5
	slow:100'
