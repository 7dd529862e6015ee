#!/bin/sh
test_description='a lake on S3 over TLS, and what goes wrong on the way to it'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
aws=/usr/bin/aws
test -x $aws || test_skip_all "no $aws: make deps-peers"
emul_start || test_bug 'the emulator does not start'
emul_env tls
cat >river.yaml <<-EOL
profiles:
  local:
    lake: s3://lake/river
    aws: { endpoint_url: "$emul_tls_url" }
    warehouse: { type: duckdb, path: ./warehouse.duckdb }
EOL
"$RIVER_BUILD/tests/bench/gen_events" 1000 >in.ndjson
n=0

# One push under a script: exit 0, landed once and whole.
lands () {
	n=$((n + 1))
	river stream create "web/s$n" >/dev/null &&
	emul_script "$1" &&
	river push --retry-for 30s "web/s$n" <in.ndjson &&
	{ test "$1" = "[]" || emul_fired; } &&
	emul_no_script &&
	river query --output csv "select count(*) as n from web.s$n" >out &&
	printf 'n\n1000\n' >expected &&
	test_cmp expected out &&
	river status --check "web/s$n"
}

test_expect_success 'a bucket that is not there, then one that is' '
	test_expect_code 5 river stream list 2>err &&
	test_grep "NoSuchBucket" err &&
	AWS_CA_BUNDLE="$emul_ca" $aws --endpoint-url "$emul_tls_url" s3 mb s3://lake &&
	river stream list
'

test_expect_success 'a push with nothing in its way' '
	lands "[]"
'

test_expect_success '26, 27: the body is taken and no answer comes' '
	lands "{\"match\": {\"op\": \"PutObject\", \"key\": \"/data/\"}, \"do\": \"read_body_then_close\"}"
'

# node cannot reset a connection under TLS
test_expect_success '28: reset in the middle of the body' '
	test_when_finished "unset RIVER_AWS_ENDPOINT_URL" &&
	RIVER_AWS_ENDPOINT_URL=$emul_url && export RIVER_AWS_ENDPOINT_URL &&
	lands "{\"match\": {\"op\": \"PutObject\", \"key\": \"/data/\"}, \"do\": \"reset_in_body\"}"
'

test_expect_success '29: SlowDown' '
	lands "{\"match\": {\"op\": \"PutObject\", \"key\": \"/data/\", \"count\": 2}, \"do\": \"throttle\"}"
'

test_expect_success '57: an error within a 200' '
	lands "{\"match\": {\"op\": \"PutObject\", \"key\": \"/data/\"}, \"do\": \"error_in_200\"}"
'

test_expect_success '59: a 200 before the body was read' '
	lands "{\"match\": {\"op\": \"PutObject\", \"key\": \"/data/\"}, \"do\": \"early_200\"}"
'

# A refusal is not an object: 409 is what S3 says of a race, and of a bucket that is being removed.
test_expect_success 'refused as there already, and not there: kept, and sent by the next push' '
	for refusal in "412, \"code\": \"PreconditionFailed\"" "409, \"code\": \"ConditionalRequestConflict\"" \
		"409, \"code\": \"OperationAborted\""
	do
		n=$((n + 1)) &&
		river stream create web/s$n &&
		emul_script "{\"match\": {\"op\": \"PutObject\", \"key\": \"/data/\", \"count\": \"all\"},
			\"do\": \"status\", \"status\": $refusal}" &&
		test_expect_code 8 river push web/s$n in.ndjson 2>err &&
		test_grep "does not have it\|answers 409" err &&
		emul_no_script &&
		river push web/s$n in.ndjson &&
		river query --output csv "select count(*) as n from web.s$n" >out &&
		printf "n\n1000\n" >expected && test_cmp expected out &&
		river status --check web/s$n || return 1
	done
'

# All that a run leaves behind it in the lake: who believes the refusal has removed the only other copy.
test_expect_success 'so are receipts and rejects' '
	{ cat in.ndjson && echo junk; } >rejected.ndjson &&
	for what in "-open.json" "/receipts/.*-a1000-" "/_river/rejects/"
	do
		n=$((n + 1)) &&
		river stream create web/s$n &&
		emul_script "{\"match\": {\"op\": \"PutObject\", \"key\": \"$what\", \"count\": \"all\"},
			\"do\": \"status\", \"status\": 412, \"code\": \"PreconditionFailed\"}" &&
		test_expect_code 8 river push web/s$n rejected.ndjson 2>err &&
		test_grep "does not have it" err &&
		emul_no_script &&
		river spool flush &&
		river rejects show web/s$n >out && test_grep junk out &&
		river query --output csv "select count(*) as n from web.s$n" >out &&
		printf "n\n1000\n" >expected && test_cmp expected out &&
		river status --check web/s$n || return 1
	done
'

test_expect_success 'reading: cut short, and slowed down' '
	n=$((n + 1)) &&
	river stream create web/s$n && river push web/s$n <in.ndjson &&
	emul_script "[{\"match\": {\"op\": \"GetObject\", \"key\": \"/data/\"}, \"do\": \"short_body\"},
		{\"match\": {\"op\": \"GetObject\", \"key\": \"/data/\", \"nth\": 2}, \"do\": \"throttle\"}]" &&
	river query --output csv "select count(*) as n from web.s$n" >out &&
	emul_fired && emul_no_script &&
	printf "n\n1000\n" >expected && test_cmp expected out
'

test_expect_success '--endpoint-url goes over what the profile and the environment say, for this call' '
	env AWS_ENDPOINT_URL=http://127.0.0.1:1 RIVER_AWS_ENDPOINT_URL=http://127.0.0.1:1 \
		"$RIVER_BUILD/river" stream list --endpoint-url "$emul_url" >out &&
	test $(wc -l <out) = $n &&
	test_expect_code 1 river --endpoint-url http://127.0.0.1:1 stream list 2>err &&
	test_grep "127.0.0.1" err
'

test_expect_success 'a list with an empty page in between' '
	emul_script "{\"match\": {\"op\": \"ListObjectsV2\"}, \"do\": \"empty_page\"}" &&
	river stream list >out &&
	emul_fired && emul_no_script &&
	test $(wc -l <out) = $n
'

test_expect_success '32: a portal answers a list, a read and a put' '
	emul_script "{\"match\": {\"op\": \"ListObjectsV2\", \"count\": \"all\"}, \"do\": \"html200\"}" &&
	test_expect_code 1 river stream list 2>err &&
	test_grep "portal" err &&
	emul_no_script &&
	emul_script "{\"match\": {\"op\": \"GetObject\", \"count\": \"all\"}, \"do\": \"html200\"}" &&
	test_expect_code 1 river stream list 2>err &&
	test_grep "portal" err &&
	emul_no_script
'

test_expect_success '58: parts, with a completion that is not heard and an error within its 200' '
	"$RIVER_BUILD/tests/bench/gen_events" 160000 >large.ndjson &&
	river stream create web/large --compression none &&
	emul_script "[{\"match\": {\"op\": \"UploadPart\", \"nth\": 2}, \"do\": \"read_body_then_close\"},
		{\"match\": {\"op\": \"CompleteMultipartUpload\"}, \"do\": \"read_body_then_close\"}]" &&
	river push web/large large.ndjson &&
	emul_fired && emul_no_script &&
	test "$(emul_count s3.CompleteMultipartUpload)" -ge 1 &&
	river query --output csv "select count(*) as n from web.large" >out &&
	printf "n\n160000\n" >expected && test_cmp expected out &&
	river status --check web/large
'

# Without the signal it would be given a minute, and the exit code be 4.
test_expect_success 'a credential_process that hangs ends with a signal' '
	printf "[default]\ncredential_process = sleep 600\n" >aws.config &&
	{ env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY AWS_CONFIG_FILE="$PWD/aws.config" \
		AWS_SHARED_CREDENTIALS_FILE=/dev/null "$RIVER_BUILD/river" stream list 2>err & } &&
	pid=$! &&
	test_wait_until 30 pgrep -P $pid -x sleep &&
	kill -TERM $pid &&
	test_expect_code 143 wait $pid &&
	test_grep "stopped: sleep has not said all yet" err
'

test_expect_success 'the certificate is looked at' '
	test_expect_code 3 env AWS_CA_BUNDLE= river stream list 2>err &&
	test_grep -i "certificate" err
'

test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
