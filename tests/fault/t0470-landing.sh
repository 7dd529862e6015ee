#!/bin/sh
test_description='landing process, killed anywhere: the same command again publishes each upload once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 40 >in
"$gen_events" 12 --start 100 >other
run=01jd0000000000000000000000
waiting=w/lake/_river/landing/web/clicks

push_world

upload () {
	mkdir -p $waiting && cp "$1" "$waiting/$run-$2"
}
nothing_waits () {
	test -z "$(find w/lake/_river/landing -type f)" || { echo "something still waits"; return 1; }
}
test_expect_success '1: SIGKILL at every call' '
	new_world && upload in 000001 && gzip -c other >packed && upload packed 000002 && keep_world &&
	walk_kills fresh "again 0 landing process && nothing_waits && all_there in other" \
		river landing process &&
	test $walk_points -gt 40
'

test_expect_success '1: the same where an upload came a second time' '
	new_world && upload in 000001 && river landing process && upload in 000001 && keep_world &&
	walk_kills fresh "again 0 landing process && nothing_waits && all_there in" \
		river landing process &&
	test $walk_points -gt 20
'

test_done
