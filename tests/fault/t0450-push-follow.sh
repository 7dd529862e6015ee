#!/bin/sh
test_description='push --follow killed anywhere, under a writer that rotates, on full disks: once, in order'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 30 >old
"$gen_events" 6 --start 100 >appended
"$gen_events" 20 --start 200 >new
"$gen_events" 20000 --start 1000 >large
cat old appended >old.whole

push_world
walk_max=10
follow='river push -F --until-quiet 0s --settle 100ms web/clicks --batch-records 8'

is_pushed () {
	new_world && rm -rf app.log* logs && mkdir logs &&
	cp old app.log && river push web/clicks --batch-records 12 app.log && keep_world
}
again_follow () {
	again 0 push -F --until-quiet 0s --settle 100ms web/clicks "$@"
}

test_expect_success '1: copied, cut to nothing and written anew' '
	is_pushed && cat appended >>app.log && cp app.log app.log.1 && cat new >app.log &&
	walk_kills fresh "again_follow app.log && all_there old.whole new" $follow app.log
'

test_expect_success '1: a folder with a cut file, its copy, and compressed ones' '
	is_pushed && cat appended >>app.log && mv app.log logs && river push web/clicks logs/app.log && keep_world &&
	gzip -c logs/app.log >logs/app.log.1.gz && cat new >logs/app.log &&
	walk_kills fresh "again_follow logs && all_there old.whole new" $follow logs
'

# A writer that rotates by itself, in both ways, so that not a record is written between copy and cut. Its
# records say which generation they are of, and which of its.
write_and_rotate () {
	awk -v log_="$1" -v generations="$2" -v records="$3" -v pause="$4" "
	function pad(n) { return sprintf(\"%06d\", n) }
	BEGIN {
		for (g = 1; g <= generations; g++) {
			for (n = 1; n <= records; n++) {
				print \"{\\\"event_id\\\":\\\"\" g \"-\" n \"\\\",\\\"g\\\":\" g \",\\\"n\\\":\" n \",\\\"pad\\\":\\\"\" pad(n) pad(g) pad(n) \"\\\"}\" >>log_
				if (n % 50 == 0) {
					fflush(log_)
					system(\"sleep \" pause)
				}
			}
			close(log_)
			if (g == generations)
				break
			for (i = generations; i > 0; i--)
				moves = moves \"test ! -e \" log_ \".\" i \" || mv \" log_ \".\" i \" \" log_ \".\" (i + 1) \";\"
			if (g % 2)
				system(moves \"mv \" log_ \" \" log_ \".1\")
			else
				system(moves \"cp \" log_ \" \" log_ \".1; : >\" log_)
			moves = \"\"
		}
	}"
}
expected_of () {
	for g in $(seq 1 "$1")
	do
		seq 1 "$2" | awk -v g="$g" "{ p = sprintf(\"%06d%06d%06d\", \$1, g, \$1); print \"{\\\"event_id\\\":\\\"\" g \"-\" \$1 \"\\\",\\\"g\\\":\" g \",\\\"n\\\":\" \$1 \",\\\"pad\\\":\\\"\" p \"\\\"}\" }"
	done
}
echo '{"event_id":"0-1","g":0,"n":1}' >first
# Objects are named in the order they were made: within a generation the numbers only go up.
in_order () {
	awk -F "[:,]" "{ if (\$6 + 0 <= last[\$4]) { print \"out of order: \" \$0; bad = 1 } last[\$4] = \$6 + 0 } END { exit bad }" got
}

test_expect_success '1: SIGKILL at every call while a writer writes and rotates' '
	new_world && expected_of 4 60 >expected.rotated &&
	cp first app.log && river push -F --until-quiet 0s web/clicks app.log && keep_world &&
	: "the writer of the run before may still be there; and by records, for by age their pace would say how many calls there are" &&
	walk_kills "wait && fresh && rm -f app.log* && cp first app.log && { write_and_rotate app.log 4 60 0.02 & }" \
		"wait && again_follow app.log && all_there expected.rotated first && in_order" \
		river push -F --until-quiet 2s --flush-after 50ms --batch-records 8 --settle 100ms web/clicks app.log &&
	test $walk_points -gt 5
'

# With the usual --settle: a copy that is cut a moment later must not pass for a file of its own.
for what in app.log logs
do
	test_expect_success "2: SIGKILL at random times, a writer at full speed that rotates, $what: each once, in order" '
		new_world && rm -rf app.log* logs && mkdir logs && expected_of 12 3000 >expected.rotated &&
		file=app.log && { test $what != logs || file=logs/app.log; } &&
		{ write_and_rotate $file 12 3000 0.002 & writer=$!; } &&
		for i in 1 2 3 4 5 6 7 8
		do
			river push -F web/clicks --flush-after 50ms $what 2>err &
			follower=$!
			sleep 0.$((i * 3 % 7 + 1)) && kill -KILL $follower
			wait $follower
			test $? -eq 137 || { cat err; return 1; }
		done &&
		river push -F web/clicks --flush-after 200ms --until-quiet 2s $what 2>err &&
		wait $writer && again_follow $what && all_there expected.rotated && in_order
	'
done

# in_background ARGUMENTS...: a follower, in $follower; ended by ends, or at the end of the test
in_background () {
	# what an earlier one said must not be read for this one's
	: >ev
	: >err
	river push -F --output json web/clicks --flush-after 100ms --settle 100ms "$@" >ev 2>err &
	follower=$!
	test_when_finished "kill -KILL $follower 2>/dev/null; wait $follower 2>/dev/null; :"
}
ends () {
	kill -TERM $follower && wait $follower
}
is_following () {
	grep -q following ev
}
has_records () {
	read_lake && test "$(wc -l <got)" -ge "$1"
}
# has_named N: the same by the names of the objects
has_named () {
	test "$(find w/lake/data -name "*.zst" | sed -n "s/.*-r\([0-9]*\)-h.*/\1/p" | awk "{ n += \$1 } END { print n + 0 }")" -ge "$1"
}

test_expect_success '2: rotated away and removed while it is read, under load, in one go' '
	new_world && rm -rf app.log* logs && expected_of 12 3000 >expected.rotated &&
	cp first app.log && in_background app.log && test_wait_until 30 is_following &&
	{ write_and_rotate app.log 12 3000 0.01 & writer=$!; } &&
	while kill -0 $writer 2>/dev/null
	do
		: "what is removed has been read, though it may be rotated once more until then; app.log may be empty now" &&
		now=$(sed -n "1s/.*\"g\":\([0-9]*\).*/\1/p" app.log 2>/dev/null)
		test -z "$now" || ! has_named $(((now - 2) * 3000)) || rm -f app.log.4 app.log.5 app.log.6
		sleep 0.05
	done &&
	wait $writer && ls app.log.* >rotated && test_line_count -lt 11 rotated &&
	test_wait_until 60 has_named 36001 && ends && lake_holds expected.rotated first && in_order
'

test_expect_success TMPFS '45: a full lake: it is tried again, memory stays small, and all is there when it has room' '
	new_world && test_small_tmpfs w/lake 256k && cp -a w.new/lake/. w/lake/ && cp large app.log &&
	in_background --batch-records 500 app.log &&
	test_wait_until 60 grep -q "trying" err && test_grep -i "no space left" err &&
	peak=$(sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" /proc/$follower/status) &&
	{ test "$peak" -lt 65536 || { echo "$peak KiB"; false; }; } &&
	mount -o remount,size=64m w/lake &&
	test_wait_until 90 has_records 20000 && ends && all_there large
'

test_expect_success TMPFS '45: a full state: the same' '
	new_world && test_small_tmpfs w/state 64k && cp large app.log &&
	in_background --batch-records 50 app.log &&
	test_wait_until 60 grep -q "trying" err && test_grep -i "no space left" err &&
	mount -o remount,size=64m w/state &&
	test_wait_until 90 has_records 20000 && ends && all_there large
'

test_done
