#!/bin/sh
test_description='runs that an outage left over: one of them finds out that it goes on'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env
emul_post bucket '{"name":"lake"}' >/dev/null

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: direct
profiles:
  direct:
    lake: s3://lake/d
    aws: { region: us-east-1 }
  firehose:
    lake: s3://lake/f
    aws: { region: us-east-1 }
    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

tried () {
	emul_log op=PutObject | jq -r ".key | select(contains(\"/data/\"))" | sort -u >tried
}

test_expect_success 'S3 takes no objects: two pushes are kept, and flush tries one of them' '
	river stream create web/clicks >out &&
	emul_script "{\"match\":{\"op\":\"PutObject\",\"key\":\"/data/\",\"count\":\"all\"},\"do\":\"status\",\"status\":503}" &&
	{ echo "{\"id\":1}" | test_expect_code 8 river push web/clicks 2>err; } &&
	test_grep "1 record is accepted and spooled but not in the lake" err &&
	{ echo "{\"id\":2}" | test_expect_code 8 river push web/clicks 2>err; } &&
	river spool list >out && test_line_count = 3 out &&
	emul_delete log >/dev/null &&
	test_expect_code 8 river spool flush >out 2>err &&
	test_grep "2 runs still waiting" out &&
	tried && test_line_count = 1 tried
'

test_expect_success 'when S3 is back, flush delivers both' '
	emul_no_script &&
	river spool flush >out && test_grep "2 runs finished, 2 records delivered" out &&
	river spool list >out && test_line_count = 1 out &&
	tried && test_line_count = 2 tried
'

test_expect_success 'what Firehose refuses waits, and check finds nothing wrong with it' '
	river --profile firehose stream create web/clicks >out &&
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDeniedException\"}" &&
	{ echo "{\"id\":1}" | test_expect_code 4 river --profile firehose push web/clicks 2>err; } &&
	find "$HOME" "$PWD" -name "*.sent" >sent && test_line_count = 1 sent &&
	river --profile firehose spool check >out && test_must_be_empty out &&
	emul_no_script &&
	river --profile firehose spool flush >out && test_grep "1 run finished, 1 record delivered" out
'

# Exit status $1 stands for both: all accepted and kept, or nothing accepted. Message, hint and JSON agree on which.
says_kept () {
	{ seq 3 | sed "s/.*/{\"id\":&}/" | test_expect_code "$1" river --profile firehose push web/clicks 2>err; } &&
	test_grep "^river: 3 records are accepted and spooled but not in the lake: " err &&
	test_grep "^hint: do not send them again; " err && test_grep ! "nothing was accepted" err &&
	{ echo "{\"id\":4}" | test_expect_code "$1" river --profile firehose --output json push web/clicks --receipt receipt >out 2>err; } &&
	test "$(jq -c "[.kept, .accepted, .status]" out)" = "[true,1,\"$2\"]" && jq -e .kept receipt &&
	river --output json --profile firehose spool list | jq -s -e "map(.waiting) | add == 4"
}
says_nothing () {
	{ seq 3 | sed "s/.*/{\"id\":&}/" | test_expect_code "$1" river --profile firehose push web/clicks 2>err; } &&
	test_grep "^river: nothing was accepted: " err && test_grep ! "do not send" err && test_grep ! "accepted and spooled" err &&
	{ echo "{\"id\":4}" | test_expect_code "$1" river --profile firehose --output json push web/clicks --receipt receipt >out 2>err; } &&
	test "$(jq -c "[.kept, .accepted, .status, .accepted_to_byte]" out)" = "[false,0,\"$2\",0]" && test "$(jq .kept receipt)" = false &&
	river --output json --profile firehose spool list >out && test_must_be_empty out
}

test_expect_success 'exit 4: all is kept, or nothing was accepted, and it says which' '
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDeniedException\"}" &&
	says_kept 4 RV_AUTH && emul_no_script && river --profile firehose spool flush >out && test_grep "4 records delivered" out &&
	emul_script "{\"match\":{\"service\":\"s3\",\"op\":\"GetObject\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" &&
	says_nothing 4 RV_AUTH && emul_no_script
'

test_expect_success 'exit 5: the same' '
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"count\":\"all\"},\"do\":\"status\",\"status\":400,\"code\":\"ResourceNotFoundException\"}" &&
	says_kept 5 RV_NOT_FOUND && emul_no_script && river --profile firehose spool flush >out && test_grep "4 records delivered" out &&
	emul_script "{\"match\":{\"service\":\"s3\",\"count\":\"all\"},\"do\":\"status\",\"status\":404,\"code\":\"NoSuchBucket\"}" &&
	says_nothing 5 RV_NOT_FOUND && emul_no_script &&
	echo "{\"id\":1}" >file &&
	test_expect_code 5 river --profile firehose --output json push web/none file >out 2>err && test_grep ! "nothing was accepted" err &&
	test "$(jq -c "[.kept, .accepted]" out)" = "[false,0]"
'

emul_stop
test_done
