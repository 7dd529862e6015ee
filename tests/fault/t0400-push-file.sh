#!/bin/sh
test_description='a push of files, killed anywhere: nothing lost, nothing twice'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 40 >in
"$gen_events" 13 --start 100 >more
"$gen_events" 9 --start 200 >small1
"$gen_events" 8 --start 300 >small2
"$gen_events" 7 --start 400 >small3
printf '{"bad\n' >wrong1
printf '[1,2]\n' >wrong2
{
	head -n 3 small1
	cat wrong1
	tail -n +4 small1
	cat wrong2 small2
} >mixed
for wrong in wrong1 wrong2
do
	base64 -w 0 $wrong
	echo
done >rejects
touch -d '1 hour ago' in more small1 small2 small3 mixed

push_world

# What a killed push had promised is finished by the next one, which then has no rejects of its own.
again_mixed () {
	again 0 push web/clicks --batch-records 6 mixed || test $again_got -eq 7
}

test_expect_success '1: of several files in one batch' '
	new_world &&
	walk_kills fresh "again 0 push web/clicks small1 small2 small3 &&
			all_there small1 small2 small3 && test \$(wc -l <objects) -le 3" \
		river push web/clicks small1 small2 small3 &&
	test $walk_points -gt 20
'

test_expect_success '1: of batches that begin in one file and end in the next' '
	new_world &&
	walk_kills fresh "again 0 push web/clicks --batch-records 5 small1 small2 small3 &&
			all_there small1 small2 small3" \
		river push web/clicks --batch-records 5 small1 small2 small3 &&
	test $walk_points -gt 20
'

test_expect_success '1: after the kill the whole file is shipped, and the next push sends nothing' '
	new_world &&
	walk_kills fresh "again 0 push web/clicks --batch-records 15 in &&
			again 0 push web/clicks --shipped in &&
			again 0 push web/clicks in && all_there in" \
		river push web/clicks --batch-records 15 in
'

test_expect_success '1: of a file that grew after its first push' '
	test_when_finished "rm -f grows" &&
	new_world &&
	cp in grows &&
	river push web/clicks grows &&
	keep_world &&
	cat more >>grows &&
	touch -d "1 hour ago" grows &&
	walk_kills fresh "again 0 push web/clicks --batch-records 5 grows && all_there in more &&
			again 0 push web/clicks --shipped grows" \
		river push web/clicks --batch-records 5 grows &&
	test $walk_points -gt 20
'

test_expect_success '1: of a file that grows between the kill and the re-run' '
	test_when_finished "rm -f grows" &&
	new_world &&
	walk_kills "fresh && head -c \$((\$(wc -c <in) - 40)) in >grows" \
		"cat in >grows && touch -d \"1 hour ago\" grows &&
			again 0 push web/clicks --batch-records 15 grows && all_there in" \
		river push web/clicks --batch-records 15 grows
'

test_expect_success '1: of a file with records that are rejected' '
	new_world &&
	walk_kills fresh "again_mixed && lake_holds small1 small2 && receipts_agree &&
			nothing_left && rejects_are rejects" \
		sh -c "river push web/clicks --batch-records 6 mixed; test \$? -eq 7"
'

# Killed between the name of an object and the fsync of its folder, the name may go with a power cut. The
# push that finds the object moves the checkpoint, so it must not rely on the name before it is durable.
test_expect_success '3: an object found after a kill is made durable before it counts' '
	new_world &&
	: "of the calls in that folder, as those of others depend on the pace" &&
	"$walk" --path /w/lake/data/ --log calls --report report count -- river push web/clicks in &&
	at=$(sed -n "s|^\\([0-9]*\\) [0-9]* fsync .*/w/lake/data/.*/hr=[0-9]*$|\\1|p" calls) &&
	fresh &&
	test_expect_code 90 "$walk" --path /w/lake/data/ --report report kill "$at" -- river push web/clicks in &&
	test_grep "^killed $at fsync .*/w/lake/data/.*/hr=[0-9]*$" report &&
	"$walk" --log calls --report report count -- river push web/clicks in &&
	grep -n -e "fsync .*/w/lake/data/.*/hr=[0-9]*$" -e "rename .*/files/" calls >order &&
	head -n 1 order >first &&
	test_grep "fsync .*/w/lake/data" first &&
	test_grep "rename .*/files/" order &&
	read_lake && all_there in
'

test_done
