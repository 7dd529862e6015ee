#!/bin/sh
test_description='a push of a pipe, killed anywhere: what was accepted lands, once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 40 >in
"$gen_events" 12 --start 100 >other
: >nothing
printf '{"bad\n' >wrong1
printf '[1,2]\n' >wrong2
{
	head -n 3 in
	cat wrong1
	tail -n +4 in
	cat wrong2
} >mixed
for wrong in wrong1 wrong2
do
	base64 -w 0 $wrong
	echo
done >rejects
touch -d '1 hour ago' in other

push_world

# What was accepted when the process died is a whole number of batches from the start; the next push
# must land exactly that, whatever that push brings itself.
accepted_lands () {
	accepted=$(promised) &&
	read_lake &&
	there=$(($(wc -l <got))) &&
	{ test "$accepted" -ne 0 || accepted=$there; } &&
	if test "$accepted" -lt "$there"
	then
		echo "$there records are in the lake, $accepted were promised"
		return 1
	fi &&
	again_pipe 0 "$1" push web/clicks &&
	head -n "$accepted" in >first &&
	all_there first "$1"
}

test_expect_success '1: and then a file is pushed, and another pipe' '
	test_when_finished "unset walk_pipe walk_max" &&
	new_world &&
	walk_pipe=in walk_max=30 &&
	walk_kills fresh "accepted_lands other" river push web/clicks --batch-records 15 &&
	walk_kills fresh "accepted=\$(promised) && again 0 push web/clicks other &&
			read_lake && head -n \$((\$(wc -l <got) - 12)) in >first &&
			test \$(wc -l <first) -ge \$accepted && all_there first other" \
		river push web/clicks --batch-records 15
'

test_expect_success '1: and again from another host, and once more' '
	test_when_finished "unset walk_pipe walk_max" &&
	new_world &&
	walk_pipe=in walk_max=30 &&
	walk_kills fresh "mkdir -p w/state && rm -rf elsewhere && mv w/state elsewhere &&
			again_pipe 0 in push web/clicks --batch-records 15 --run day-1 &&
			lake_holds in && receipts_agree && nothing_left &&
			rm -rf w/state && mv elsewhere w/state &&
			again_pipe 0 in push web/clicks --batch-records 15 --run day-1 &&
			all_there in" \
		river push web/clicks --batch-records 15 --run day-1
'

test_expect_success '1: a file under a name, and the same bytes through a pipe' '
	test_when_finished "unset walk_max" &&
	new_world &&
	walk_max=30 &&
	walk_kills fresh "again_pipe 0 in push web/clicks --batch-records 15 --run day-1 && all_there in" \
		river push web/clicks --batch-records 15 --run day-1 in
'

test_expect_success '1: rejects of a pipe are kept once' '
	test_when_finished "unset walk_pipe" &&
	new_world &&
	walk_pipe=mixed &&
	walk_kills fresh "again_pipe 7 mixed push web/clicks --batch-records 6 --run day-1 &&
			all_there in && rejects_are rejects" \
		sh -c "river push web/clicks --batch-records 6 --run day-1; test \$? -eq 7"
'

test_expect_success '1: --wait spooled: accepted means that the next push lands it' '
	test_when_finished "unset walk_pipe walk_max" &&
	new_world &&
	walk_pipe=in walk_max=40 &&
	walk_kills fresh "accepted_lands nothing" \
		river push web/clicks --batch-records 15 --wait spooled
'

test_expect_success '1: --wait spooled of a file, the file gone afterwards' '
	test_when_finished "unset walk_max" &&
	new_world &&
	walk_max=40 &&
	walk_kills "fresh && cp -p in goes" "again 0 push web/clicks --batch-records 15 --wait spooled goes &&
			rm goes && again_pipe 0 nothing push web/clicks && all_there in" \
		river push web/clicks --batch-records 15 --wait spooled goes
'

test_expect_success '1: the push that drains the spool is killed itself' '
	new_world &&
	spool_all --batch-records 15 <in &&
	test "$(promised)" -eq 40 &&
	keep_world &&
	walk_kills fresh "again 0 push web/clicks && all_there in" river push web/clicks &&
	test $walk_points -gt 20
'

test_expect_success '1: river spool flush is killed' '
	new_world &&
	spool_all --batch-records 15 <in &&
	keep_world &&
	walk_kills fresh "again 0 spool flush && all_there in" river spool flush &&
	test $walk_points -gt 20
'

test_expect_success '1: river rejects replay is killed: what it mends lands once' '
	new_world &&
	test_expect_code 7 river push web/clicks --batch-records 15 --max-record 420 in &&
	keep_world &&
	walk_kills fresh "again 0 rejects replay web/clicks &&
			again 0 rejects replay web/clicks && all_there in" \
		river rejects replay web/clicks &&
	test $walk_points -gt 20
'

test_expect_success '51: killed in the middle, and the push after it as well, and then once more' '
	test_when_finished "unset walk_max walk_pipe" &&
	walk_max=6 &&
	for at in 40 52 64 70
	do
		new_world && unset walk_pipe &&
		{ "$walk" --file-ops --report first.report kill $at -- river push web/clicks \
			--batch-records 15 in; } &&
		return 1
		keep_world &&
		walk_kills fresh "again 0 push web/clicks --batch-records 15 in && all_there in" \
			river push web/clicks --batch-records 15 in &&
		new_world && walk_pipe=in &&
		{ "$walk" --file-ops --report first.report kill $at -- river push web/clicks \
			--batch-records 15 --run day-1 <in; } &&
		return 1
		keep_world &&
		walk_kills fresh "again_pipe 0 in push web/clicks --batch-records 15 --run day-1 && all_there in" \
			river push web/clicks --batch-records 15 --run day-1 || return 1
	done
'

test_done
