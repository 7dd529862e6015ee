#!/bin/sh
test_description='Firehose is away for a while, with a producer that does not stop'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
firehose_profiles
away='{"match":{"op":"PutRecordBatch","count":"all"},"do":"status","status":503,"code":"ServiceUnavailableException"}'

# Gives the rest of its input only when it is told to, by a file.
slowly () {
	head -n 1000 "$1" && while ! test -e "$TRASH_ROOT/back"
	do
		sleep 0.1
	done && tail -n +1001 "$1"
}
spooled () {
	river spool list --output json | jq -s 'map(.waiting) | add // 0'
}
are_spooled () {
	test "$(spooled)" -ge "$1"
}
until_spooled () {
	test_wait_until 60 are_spooled "$1"
}

# came RECORD-BATCH-PLACE...: what Firehose would have; a word without - is the run of those behind it
first=01k0000000 soon=01k0000001 later=01k0050000
came () {
	run=$first
	for record
	do
		case $record in
		*-*) place=${record##*-} batch=${record%-*} ;;
		*) run=$record && continue ;;
		esac
		printf '{"n":%d,"what":"x","_river":{"id":"%s-%06d-%d"}}\n' "${batch%-*}" "$run" "${batch#*-}" "$place"
	done >came
}
test_expect_success 'the check of the order notices what is amiss' '
	(
		emul_records () { cat came; }
		notices () { ! in_order 4 $cut 2>said && test_grep "$1" said; }
		cut= &&
		came 1-0-1 2-0-2 3-1-1 4-1-2 && in_order 4 &&
		came 2-0-2 1-0-1 3-1-1 4-1-2 && in_order 4 &&
		came 1-0-1 2-0-2 3-1-1 && notices "3 records, not 4" &&
		came 1-0-1 2-0-2 3-1-1 3-1-1 && notices twice &&
		came 1-0-1 2-0-2 4-1-1 3-1-2 && notices "out of order" &&
		came 3-1-1 4-1-2 1-0-1 2-0-2 && notices "out of order" &&
		came 1-0-1 2-0-2 3-1-1 4-0-3 && notices "behind a later one" &&
		came 2-0-2 3-1-1 4-1-2 1-0-1 && notices "not whole" &&
		came 1-0-1 2-0-2 $later 3-0-1 4-0-2 && in_order 4 &&
		came 1-0-1 2-0-2 $later 3-0-1 4-1-1 && in_order 4 &&
		came 1-0-1 2-0-2 $soon 3-0-1 4-0-2 && notices "another run" &&
		came $later 1-0-1 2-0-2 $first 3-0-1 4-0-2 && notices "another run" &&
		came 1-0-1 2-0-2 $later 3-0-1 4-0-2 $first 1-0-1 && notices "another run" &&
		came 2-0-2 $later 3-0-1 4-0-2 && notices "not whole" &&
		came 1-0-1 2-0-2 $later 4-0-1 3-0-2 && notices "out of order" &&
		cut=cut &&
		came 1-0-1 2-0-2 3-1-1 4-1-2 && in_order 4 cut &&
		came 1-0-1 2-0-2 1-0-1 3-1-1 4-1-2 && in_order 4 cut &&
		came 1-0-1 2-0-2 3-1-1 3-1-1 && notices "3 records, not 4" &&
		came 1-0-1 2-0-2 3-1-1 4-1-2 3-1-1 4-1-2 && in_order 4 cut &&
		came 1-0-1 2-0-2 3-1-1 1-0-1 4-1-2 && notices "behind a later one" &&
		came 1-0-1 1-0-1 3-1-1 4-1-2 && notices "out of order" &&
		came 1-0-1 2-0-2 1-0-1 3-1-1 4-1-2 3-1-1 && notices "twice in a second batch" &&
		came 1-0-1 2-0-2 $later 3-0-1 4-0-2 3-0-1 && in_order 4 cut &&
		came 1-0-1 2-0-2 1-0-1 $later 3-0-1 4-0-2 3-0-1 && notices "twice in a second batch"
	)
'

test_expect_success 'records are spooled through an outage, and delivered behind it, once and in order' '
	firehose_fresh && rm -f "$TRASH_ROOT/back" && make_records 3000 >in && emul_script "$away" &&
	{
		slowly in | river push web/clicks --batch-records 100 --retry-for 60s >out 2>err &
		pid=$!
	} &&
	until_spooled 1000 && test "$(emul_count firehose.PutRecordBatch accepted)" -eq 0 &&
	emul_no_script && touch "$TRASH_ROOT/back" &&
	wait $pid && arrived in && test "$(sent_twice)" -eq 0 && in_order 3000 &&
	test "$(spooled)" -eq 0
'

test_expect_success 'the end of the input comes first: 8 when the time is up, and nothing is lost' '
	firehose_fresh && make_records 3000 >in && emul_script "$away" &&
	test_expect_code 8 river push web/clicks --retry-for 1s <in 2>err &&
	test_grep "accepted and spooled" err && test_grep "do not send them again" err &&
	test "$(spooled)" -eq 3000 && emul_no_script && river spool flush >out &&
	arrived in && test "$(sent_twice)" -eq 0 && in_order 3000
'

test_expect_success 'a signal in an outage: it ends, and keeps what it accepted' '
	firehose_fresh && rm -f "$TRASH_ROOT/back" && make_records 3000 >in && emul_script "$away" &&
	mkfifo pipe && {
		river push web/clicks --batch-records 100 --retry-for 1h <pipe >out 2>err &
		pid=$!
	} &&
	{
		slowly in >pipe &
		producer=$!
	} &&
	until_spooled 1000 && kill -TERM $pid && test_expect_code 143 wait $pid &&
	touch "$TRASH_ROOT/back" && { wait $producer || :; } &&
	kept=$(spooled) && test "$kept" -ge 1000 && head -n "$kept" in >taken &&
	emul_no_script && river spool flush >out && arrived taken && test "$(sent_twice)" -eq 0 && in_order "$kept"
'

test_expect_success 'a backlog, and Firehose still away: new input is taken all the same' '
	firehose_fresh && make_records 200 >old && make_records 200 201 >new && emul_script "$away" &&
	test_expect_code 8 river push web/clicks --batch-records 10 <old 2>err &&
	test_expect_code 8 river push web/clicks --batch-records 10 <new 2>err &&
	test "$(spooled)" -eq 400 && emul_no_script && river push web/clicks </dev/null &&
	cat old new >in && arrived in && test "$(spooled)" -eq 0
'

test_expect_success 'a file through an outage' '
	firehose_fresh && make_records 3000 >in && fault 3 "\"do\":\"status\",\"status\":503" &&
	river push web/clicks in --settle 0s --retry-for 60s && arrived in && test "$(sent_twice)" -eq 0 && in_order 3000 &&
	firehose_fresh && emul_script "$away" &&
	test_expect_code 8 river push web/clicks in --settle 0s --again --retry-for 0s 2>err &&
	test_grep "run the same command again" err &&
	emul_no_script && river push web/clicks in --settle 0s && arrived in
'

emul_stop
test_done
