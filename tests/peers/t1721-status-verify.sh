#!/bin/sh
test_description='status --verify over a network: read again what was garbled, go on behind what cannot be had'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env
emul_post bucket '{"name":"lake"}' >/dev/null

cat >"$TRASH_ROOT/river.yaml" <<YAML
profiles:
  local: { lake: "s3://lake/r", warehouse: { type: none } }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

objects () {
	emul_get "objects?bucket=lake&prefix=r/data" | jq -r ".. | .key? // empty" | sort
}
# $1 is done with reads of the object of run $2, so many times ($3).
fault () {
	emul_script "{\"match\":{\"op\":\"GetObject\",\"key\":\"/data/.*/$2-\",\"count\":$3},$1}" >/dev/null
}
refused='"do":"status","status":403,"code":"AccessDenied"'

test_expect_success 'eight objects of two streams' '
	for stream in web/clicks web/orders
	do
		river stream create $stream >out &&
		for run in run1 run2 run3 run4
		do
			seq 50 | sed "s/.*/{\"n\":&,\"run\":\"$run\"}/" | river push $stream --run $run || return 1
		done || return 1
	done &&
	objects >out && test_line_count = 8 out && river status --check --verify >out && test_must_be_empty out
'

test_expect_success 'what the network garbled is read again, and nothing is said of it' '
	fault "\"do\":\"wrong_checksum\"" run2 1 && river status --check --verify >out && test_must_be_empty out && emul_no_script &&
	fault "\"do\":\"garbage_body\"" run3 1 && river status --check --verify >out && test_must_be_empty out && emul_no_script
'

test_expect_success 'what cannot be had is named; the others are read, of all streams; the exit status says why' '
	fault "$refused" run2 "\"all\"" &&
	printf "{\"n\":1}\n" >other && key=$(objects | grep "orders/.*/run3-") &&
	emul_get "object?bucket=lake&key=$key" >kept &&
	curl -sS --noproxy "*" --fail -X PUT --data-binary @other "$emul_url/_emul/object?bucket=lake&key=$key" >/dev/null &&
	test_expect_code 4 river status web/clicks web/orders --verify >out 2>err &&
	test_grep "wrong: object_unread: data/web/clicks/.*/run2-.* could not be read" out &&
	test_grep "wrong: object_unread: data/web/orders/.*/run2-" out &&
	test_grep "wrong: object_altered: data/web/orders/.*/run3-" out &&
	test "$(grep -c "wrong: object_" out)" = 3 &&
	test_grep "^river: 2 objects could not be verified, the first: data/web/clicks/.*/run2-" err &&
	test_expect_code 1 river status --check --verify >out 2>err && test "$(grep -c "wrong: object_" out)" = 3 &&
	test_expect_code 4 river --output json status web/clicks --verify >out 2>err && test_grep "\"code\":\"object_unread\"" out &&
	emul_no_script &&
	curl -sS --noproxy "*" --fail -X PUT --data-binary @kept "$emul_url/_emul/object?bucket=lake&key=$key" >/dev/null &&
	river status --check --verify
'

test_expect_success 'when none can be had it gives up, and says how many were not read' '
	for run in run5 run6 run7 run8
	do
		echo "{\"n\":1}" | river push web/clicks --run $run || return 1
	done &&
	fault "$refused" "run." "\"all\"" && emul_delete log >/dev/null &&
	test_expect_code 4 river status web/clicks --verify >out 2>err && emul_no_script &&
	test "$(grep -c "object_unread: data/" out)" = 5 && test_grep "object_unread: 3 more objects were not read, since 5 in a row could not be" out &&
	test_grep "^river: 8 objects could not be verified" err &&
	test "$(emul_log op=GetObject | jq -r "select(.key | contains(\"/data/\")) | .key" | wc -l)" -le 10
'

test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
