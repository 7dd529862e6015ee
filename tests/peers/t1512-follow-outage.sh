#!/bin/sh
test_description='push --follow while Firehose is away or refuses: rotated and removed files are held, each record once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
firehose_profiles
away='{"match":{"op":"PutRecordBatch","count":"all"},"do":"status","status":503,"code":"ServiceUnavailableException"}'
denied='{"match":{"op":"PutRecordBatch","count":"all"},"do":"status","status":403,"code":"AccessDeniedException"}'

# follow ARGUMENTS...: in the background, in $follower
follow () {
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
accepted () {
	test "$(emul_count firehose.PutRecordBatch accepted)" -ge "$1"
}
asked () {
	test "$(emul_count firehose.PutRecordBatch)" -ge "$1"
}
fresh () {
	firehose_fresh && rm -rf app.log* && make_records 10 >in && cp in app.log
}

test_expect_success '31: it is away while the file is rotated and removed: what is held open is delivered behind it' '
	fresh && follow app.log && test_wait_until 60 accepted 10 &&
	emul_script "$away" && make_records 1000 11 >part && cat part >>in && cat part >>app.log &&
	test_wait_until 60 asked 3 &&
	mv app.log app.log.1 && make_records 500 1011 >part && cat part >>in && cat part >app.log &&
	test_wait_until 60 grep -q rotated ev &&
	rm app.log.1 && mv app.log app.log.1 && make_records 500 1511 >part && cat part >>in && cat part >app.log &&
	test_wait_until 60 eval "test \$(grep -c following ev) -ge 3" &&
	emul_no_script && test_wait_until 90 accepted 2010 && ends && arrived in
'

test_expect_success '37: it refuses: that is said and tried again, and what was removed meanwhile is held' '
	fresh && follow app.log && test_wait_until 60 accepted 10 &&
	emul_script "$denied" && make_records 1000 11 >part && cat part >>in && cat part >>app.log &&
	test_wait_until 60 grep -q "trying again" err &&
	rm app.log && make_records 500 1011 >part && cat part >>in && cat part >app.log &&
	test_wait_until 60 grep -q -e removed -e rotated ev && emul_no_script &&
	test_wait_until 90 accepted 1510 && ends && arrived in
'

test_expect_success '1: killed while it is away, and copied and cut before it is started again' '
	fresh && follow app.log && test_wait_until 60 accepted 10 &&
	emul_script "$away" && make_records 1000 11 >part && cat part >>in && cat part >>app.log &&
	test_wait_until 60 asked 3 && kill -KILL $follower && { wait $follower || :; } &&
	cp app.log app.log.1 && make_records 500 1011 >part && cat part >>in && cat part >app.log &&
	emul_no_script && river push -F --until-quiet 0s web/clicks app.log && arrived in
'

test_expect_success '11: stopped while it is away: 8, and the same command goes on' '
	fresh && follow app.log && test_wait_until 60 accepted 10 &&
	emul_script "$away" && make_records 1000 11 >part && cat part >>in && cat part >>app.log &&
	test_wait_until 60 asked 3 && kill -TERM $follower && { wait $follower; test $? -eq 8; } &&
	emul_no_script && river push -F --until-quiet 0s web/clicks app.log && arrived in
'

test_expect_success '31: kept in the spool first, a removed file costs nothing even with a kill' '
	fresh && follow --wait spooled app.log && test_wait_until 60 accepted 10 &&
	emul_script "$away" && make_records 1000 11 >part && cat part >>in && cat part >>app.log &&
	test_wait_until 60 eval "test \$(river spool list --output json | jq -s \"map(.waiting) | add // 0\") -ge 1000" &&
	kill -KILL $follower && { wait $follower || :; } && rm app.log &&
	make_records 500 1011 >part && cat part >>in && cat part >app.log &&
	emul_no_script && follow app.log && test_wait_until 90 accepted 1510 && ends && arrived in
'

test_done
