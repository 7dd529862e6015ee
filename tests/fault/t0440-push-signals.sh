#!/bin/sh
test_description='signals, closed outputs and full or read-only disks under a push'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 40 >in
"$gen_events" 20000 --start 1000 >large
"$gen_events" 9 --start 500 >small1
"$gen_events" 8 --start 600 >small2
: >nothing
touch -d '1 hour ago' in large small1 small2
push_world
walk_max=25

test_expect_success '11: a pipe that says nothing is left at once, and what it said before is kept' '
	new_world && rm -f quiet && mkfifo quiet &&
	{ river push web/clicks <quiet 2>err & pid=$!; } &&
	exec 9>quiet && cat small1 >&9 &&
	test_wait_until_read 9 &&
	kill -TERM $pid &&
	{ wait $pid; code=$?; exec 9>&-; } &&
	test $code -eq 143 &&
	test_grep "accepted up to byte $(($(wc -c <small1)))" err &&
	again_pipe 0 nothing push web/clicks && all_there small1
'

no_pipe () {
	if walk_is_early 141
	then
		again 0 push web/clicks in
	else
		test $walk_code -eq 0
	fi && all_there in
}
test_expect_success '10: a reader of stdout that went away, and SIGPIPE, cost nothing' '
	new_world &&
	river push web/clicks --output json in | : &&
	all_there in &&
	new_world &&
	walk_signals PIPE fresh no_pipe river push web/clicks in
'

test_expect_success '9: a full or closed stdout is said, and the records are there' '
	new_world &&
	test_expect_code 10 river push web/clicks --output json in >/dev/full 2>err &&
	test_grep "No space left" err && all_there in &&
	new_world &&
	test_expect_code 10 river push web/clicks --output json in >&- 2>err &&
	test -s err && all_there in
'

test_expect_success '8: all three closed' '
	new_world && keep_world &&
	river push web/clicks in <&- >&- 2>&- && all_there in
'

test_expect_success TMPFS '45: a full lake: nothing is doubled when it has room again' '
	new_world && test_small_tmpfs w/lake 256k && cp -a w.new/lake/. w/lake/ &&
	test_expect_code 10 river push web/clicks --batch-records 500 large 2>err &&
	test_grep -i "no space left" err && test_grep "w/lake" err &&
	mount -o remount,size=64m w/lake &&
	again 0 push web/clicks --batch-records 500 large && all_there large
'

test_expect_success TMPFS '46: a lake without inodes' '
	new_world && test_small_tmpfs w/lake 64m nr_inodes=24 && cp -a w.new/lake/. w/lake/ &&
	test_expect_code 10 river push web/clicks --batch-records 500 large 2>err &&
	test_grep -i "no space left" err &&
	mount -o remount,nr_inodes=10000 w/lake &&
	again 0 push web/clicks --batch-records 500 large && all_there large
'

test_expect_success TMPFS '45: a pipe into a full lake is kept in the spool, and said' '
	new_world && test_small_tmpfs w/lake 256k && cp -a w.new/lake/. w/lake/ &&
	test_expect_code 8 river push web/clicks --batch-records 500 <large 2>err &&
	test_grep "do not send them again" err &&
	mount -o remount,size=64m w/lake &&
	again_pipe 0 nothing push web/clicks && all_there large
'

test_expect_success TMPFS '45: a full state: the byte it names is the byte it kept' '
	new_world && test_small_tmpfs w/state 128k &&
	test_small_tmpfs w/lake 64k && cp -a w.new/lake/. w/lake/ &&
	test_expect_code 10 river push web/clicks --batch-records 500 <large 2>err &&
	to=$(sed -n "s/.*accepted up to byte \([0-9]*\).*/\1/p" err) && test -n "$to" &&
	mount -o remount,size=64m w/lake && mount -o remount,size=64m w/state &&
	head -c "$to" large >accepted &&
	again_pipe 0 nothing push web/clicks && all_there accepted
'

test_expect_success TMPFS '46: a state without inodes' '
	new_world && test_small_tmpfs w/state 64m nr_inodes=14 &&
	test_must_fail river push web/clicks --batch-records 500 large 2>err &&
	mount -o remount,nr_inodes=10000 w/state &&
	again 0 push web/clicks --batch-records 500 large && all_there large
'

test_expect_success TMPFS '18: a lake that became read-only' '
	new_world && test_small_tmpfs w/lake 64m && cp -a w.new/lake/. w/lake/ &&
	mount -o remount,ro w/lake &&
	test_expect_code 10 river push web/clicks in 2>err &&
	test_grep -i "read-only" err && test_grep "w/lake" err &&
	test_expect_code 8 river push web/clicks <small1 2>err &&
	mount -o remount,rw w/lake &&
	again 0 push web/clicks in && all_there in small1
'

test_expect_success TMPFS '18: a state that became read-only' '
	new_world && test_small_tmpfs w/state 64m && mount -o remount,ro w/state &&
	test_expect_code 10 river push web/clicks in 2>err &&
	test_grep -i "read-only" err && test_grep "w/state" err &&
	mount -o remount,rw w/state &&
	again 0 push web/clicks in && all_there in
'

test_expect_success '48: a file-size limit' '
	new_world &&
	test_expect_code 10 sh -c "ulimit -f 1 && exec river push web/clicks --batch-records 20 in" 2>err &&
	test_grep -i "file too large" err &&
	again 0 push web/clicks --batch-records 20 in && all_there in
'

# As root nothing is forbidden, so there a user without rights is asked to.
as_nobody () {
	if test "$(id -u)" -ne 0
	then
		"$@"
	else
		setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
	fi
}
test_lazy_prereq NOBODY '
	cp "$RIVER_BUILD/river" ./nobodys && as_nobody ./nobodys --version
'

test_expect_success NOBODY '18: no right to write into the lake' '
	new_world && mkdir -p w/state &&
	if test "$(id -u)" -eq 0; then chown -R 65534:65534 w/state || return 1; fi &&
	chmod -R a-w w/lake &&
	test_when_finished "chmod -R u+w w/lake; chown -R 0 w 2>/dev/null || :" &&
	cp "$RIVER_BUILD/river" nobodys &&
	test_expect_code 10 as_nobody ./nobodys push web/clicks in 2>err &&
	test_grep -i "permission denied" err && test_grep "w/lake" err
'

# ---- at once ------------------------------------------------------------------------------------
# at_once COMMAND...: runs them all and wants every one to succeed
at_once () {
	pids= &&
	for one
	do
		sh -c "$one" &
		pids="$pids $!"
	done &&
	failed= &&
	for pid in $pids
	do
		wait $pid || failed="$failed $?"
	done
	test -z "$failed" || { echo "codes:$failed"; return 1; }
}

test_expect_success '53: two pushes of one file at once: it lands once' '
	for i in 1 2 3 4 5
	do
		new_world &&
		at_once "river push web/clicks --batch-records 3 in" \
			"river push web/clicks --batch-records 3 in" && all_there in || return 1
	done
'

test_expect_success '53: ten pushes of three files at once, in other orders' '
	for i in 1 2 3
	do
		new_world &&
		at_once "river push web/clicks --batch-records 3 in small1 small2" \
			"river push web/clicks --batch-records 3 small2 small1 in" \
			"river push web/clicks --batch-records 3 small1 in" \
			"river push web/clicks --batch-records 5 small2 in" \
			"river push web/clicks in small2 small1" \
			"river push web/clicks --batch-records 3 in small1 small2" \
			"river push web/clicks --batch-records 3 small2 small1 in" \
			"river push web/clicks --batch-records 3 small1 in" \
			"river push web/clicks --batch-records 5 small2 in" \
			"river push web/clicks in small2 small1" && all_there in small1 small2 || return 1
	done
'

test_expect_success '53: two files, two pipes at once into one stream' '
	for i in 1 2 3
	do
		new_world &&
		at_once "river push web/clicks --batch-records 3 small1" \
			"river push web/clicks --batch-records 3 small2" \
			"river push web/clicks --batch-records 9 <in" \
			"cat in | river push web/clicks --batch-records 7" &&
		all_there in in small1 small2 || return 1
	done
'

test_expect_success '53: one name, five at once: it lands once' '
	for i in 1 2 3
	do
		new_world && pids= &&
		for one in 1 2 3 4 5
		do
			river push web/clicks --batch-records 9 --run day-1 <in >out.$one 2>&1 &
			pids="$pids $!"
		done &&
		work_or_wait $pids &&
		again_pipe 0 in push web/clicks --batch-records 9 --run day-1 && all_there in || return 1
	done
'

has_objects () {
	test "$(find w/lake/data -type f -name "*.zst" 2>/dev/null | wc -l)" -ge "$1"
}
test_expect_success '54: killed while others wait for its lock' '
	for objects in 1 30 60
	do
		new_world && : >err &&
		{ river push web/clicks --batch-records 50 large & first=$!; } &&
		: "it is stopped, so that it has the lock until it is killed" &&
		test_wait_until 60 has_objects $objects && kill -STOP $first &&
		{ river -v push web/clicks --batch-records 50 large 2>err & second=$!; } &&
		test_wait_until 60 grep -q "another process.*, waiting" err &&
		{ kill -KILL $first; wait $first; first_code=$?; wait $second; code=$?; } &&
		test $first_code -eq 137 && test $code -eq 0 &&
		again 0 push web/clicks large && all_there large || return 1
	done
'

test_done
