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

emul_stop
test_done
