#!/bin/sh
test_description='push through Firehose while it fails: nothing lost, nothing twice under two stamps'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
firehose_profiles
make_records 3000 >"$TRASH_ROOT/in"
in=$TRASH_ROOT/in

nothing_waits () {
	river spool list --output json >"$TRASH_ROOT/left" && test_must_be_empty "$TRASH_ROOT/left"
}
has_asked () {
	test "$(requests)" -ge "$1"
}
has_spooled () {
	river spool list --output json | grep -q 3000
}
# What was accepted is in the spool, and a push or flush after the fault brings it.
kept_and_sent_later () {
	emul_no_script && river spool flush && arrived "$1" && nothing_waits
}
sent_by_a_second_push () {
	emul_no_script && river push web/clicks "$1" && arrived "$1" && nothing_waits
}

test_expect_success 't0023 a random part of each answer fails: only those are sent again' '
	firehose_fresh && fault 12 "\"do\":\"partial\",\"fraction\":0.4" &&
	river push web/clicks "$in" && arrived "$in" && test "$(sent_twice)" -eq 0 &&
	emul_log "op=PutRecordBatch" | jq .records >sizes &&
	test "$(awk "{ n += \$1 } END { print n }" sizes)" -gt 3000
'

test_expect_success 't0024 poison: the others go on, and it lands in the lake' '
	firehose_fresh && fault all "\"do\":\"partial\",\"content\":\"number 1234 \"" &&
	river --output json push web/clicks "$in" >out 2>err && test_grep "put into the lake directly" err &&
	jq -r .diverted out >why && test_grep "refused 10 times" why &&
	emul_records $firehose_stream | jq -s "map(.n) | unique | length" >n && echo 2999 >expected && test_cmp expected n &&
	emul_get "objects?prefix=river/data/" | jq -r .key >keys && test_line_count = 1 keys &&
	nothing_waits
'

for kind in '"do":"short_responses"' '"do":"long_responses"' '"do":"count_mismatch"'
do
	test_expect_success "t0025 an answer that does not add up is not believed: $kind" '
		firehose_fresh && fault 2 "$kind" && river push web/clicks "$in" && arrived "$in" &&
		test "$(sent_twice)" -gt 0 && nothing_waits
	'
done

test_expect_success 't0026 the connection is closed without an answer: sent again under the same stamps' '
	firehose_fresh && fault 3 "\"do\":\"read_body_then_close\"" &&
	river push web/clicks "$in" && arrived "$in" && test "$(sent_twice)" -gt 0 && nothing_waits
'

test_expect_success 't0026 nothing is sent again by libcurl itself' '
	firehose_fresh && fault 3 "\"do\":\"read_body_then_close\",\"accept\":false" &&
	river push -v web/clicks "$in" 2>err && arrived "$in" && test "$(sent_twice)" -eq 0 && emul_fired &&
	test "$(grep -c "POST .*" err)" -eq "$(requests)"
'

test_expect_success 't0026 a connection that was dropped while idle' '
	firehose_fresh && fault all "\"do\":\"close_after\",\"ms\":1" &&
	river push web/clicks "$in" && arrived "$in" && emul_fired
'

test_expect_success 't0027 late answers are waited for' '
	firehose_fresh && fault 3 "\"do\":\"late\",\"ms\":1500" &&
	river push web/clicks "$in" && arrived "$in" && test "$(sent_twice)" -eq 0 && emul_fired
'

test_expect_success 't0028 a reset in the middle of the body' '
	firehose_fresh && fault 4 "\"do\":\"reset_in_body\"" &&
	river push web/clicks "$in" && arrived "$in" && test "$(sent_twice)" -eq 0 && emul_fired
'

for code in ServiceUnavailableException ThrottlingException SlowDown
do
	test_expect_success "t0029 t0030 throttled with $code, then not" '
		firehose_fresh && fault 8 "\"do\":\"throttle\",\"code\":\"$code\"" &&
		river push web/clicks "$in" && arrived "$in" && test "$(sent_twice)" -eq 0 && emul_fired
	'
done

test_expect_success 't0029 Retry-After is obeyed' '
	firehose_fresh && fault 1 "\"do\":\"throttle\",\"status\":429,\"retry_after\":2" &&
	before=$(date +%s) && river push web/clicks "$in" && after=$(date +%s) &&
	arrived "$in" && test $((after - before)) -ge 2
'

test_expect_success 't0029 told to stop while throttled: all is kept' '
	firehose_fresh && fault all "\"do\":\"throttle\"" &&
	{ river push web/clicks <"$in" 2>err & } && pid=$! &&
	test_wait_until 20 has_asked 3 && kill -TERM $pid && { wait $pid; code=$?; true; } &&
	echo "$code" >code && echo 8 >expected && test_cmp expected code &&
	river spool list --output json >left && test_grep 3000 left &&
	kept_and_sent_later "$in"
'

test_expect_success 't0031 nobody listens: kept, and sent when somebody does' '
	firehose_fresh && test_when_finished "unset AWS_ENDPOINT_URL_FIREHOSE" &&
	AWS_ENDPOINT_URL_FIREHOSE=http://127.0.0.1:1 && export AWS_ENDPOINT_URL_FIREHOSE &&
	{ river push web/clicks <"$in" 2>err & } && pid=$! &&
	test_wait_until 20 has_spooled && kill -TERM $pid && { wait $pid; code=$?; true; } &&
	echo "$code" >code && echo 8 >expected && test_cmp expected code && unset AWS_ENDPOINT_URL_FIREHOSE &&
	kept_and_sent_later "$in"
'

for kind in '"do":"html200"' '"do":"empty200"' '"do":"garbage_body"' '"do":"garbage"'
do
	test_expect_success "t0032 not success: $kind" '
		firehose_fresh && fault 3 "$kind" && river push web/clicks "$in" && arrived "$in" &&
		test "$(sent_twice)" -eq 0 && emul_fired
	'
done

test_expect_success 't0033 a redirect is not followed, and what it says is said' '
	firehose_fresh && fault all "\"do\":\"redirect301\",\"region\":\"eu-central-1\",\"early\":false" &&
	test_expect_code 3 river push web/clicks "$in" 2>err && test_grep "eu-central-1" err &&
	sent_by_a_second_push "$in" &&
	firehose_fresh && fault all "\"do\":\"redirect307\",\"location\":\"http://127.0.0.1:1/\",\"early\":false" &&
	test_expect_code 3 river push web/clicks "$in" 2>err &&
	sent_by_a_second_push "$in"
'

test_expect_success 't0034 expired in the middle: refreshed once, and the request signed again' '
	firehose_fresh && emul_post keys "{\"id\":\"ASIAEXPIRES0000001\",\"secret\":\"s1$test_canary\",\"token\":\"t1$test_canary\",\"life_s\":3}" >/dev/null &&
	test_holds_secret credentials.sh && cat >credentials.sh <<-SH &&
	echo x >>"$PWD/asked"
	n=\$(wc -l <"$PWD/asked")
	if test \$n -eq 1
	then
		printf "{\"Version\":1,\"AccessKeyId\":\"ASIAEXPIRES0000001\",\"SecretAccessKey\":\"s1$test_canary\",\"SessionToken\":\"t1$test_canary\"}"
	else
		printf "{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\"}" "$emul_access_key" "$emul_secret_key"
	fi
	SH
	printf "[default]\ncredential_process = sh %s/credentials.sh\n" "$PWD" >config &&
	test_when_finished "emul_no_env; emul_env" &&
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY && AWS_CONFIG_FILE=$PWD/config && export AWS_CONFIG_FILE &&
	test_when_finished "unset AWS_CONFIG_FILE" &&
	{ head -n 1500 "$in"; sleep 4; tail -n 1500 "$in"; } | river push --flush-after 200ms web/clicks &&
	arrived "$in" && test_line_count = 2 asked
'

test_expect_success 't0036 a clock that is off is corrected by the answer' '
	firehose_fresh && emul_config "{\"clock_offset_s\":7200}" &&
	test_when_finished "emul_config \"{\\\"clock_offset_s\\\":0}\"" &&
	river push web/clicks "$in" && arrived "$in"
'

test_expect_success 't0037 denied: fast, kept, and sent when it is allowed' '
	firehose_fresh && fault all "\"do\":\"status\",\"status\":403,\"code\":\"AccessDeniedException\"" &&
	test_expect_code 4 river push web/clicks "$in" 2>err && test_grep AccessDenied err &&
	test "$(requests)" -le 8 && sent_by_a_second_push "$in" &&
	firehose_fresh && fault all "\"do\":\"status\",\"status\":403,\"code\":\"AccessDeniedException\"" &&
	{ river push web/clicks <"$in" 2>err; code=$?; true; } && test "$code" -ne 0 &&
	test_grep AccessDenied err && test_grep "do not send them again; .* when this is mended: .*permission" err &&
	kept_and_sent_later "$in"
'

test_expect_success 't0037 the delivery stream is gone: said with the next step, and kept' '
	firehose_fresh &&
	fault all "\"do\":\"status\",\"status\":400,\"code\":\"ResourceNotFoundException\"" &&
	emul_script "{\"match\":{\"op\":\"DescribeDeliveryStream\",\"count\":\"all\"},\"do\":\"status\",\"status\":400,\"code\":\"ResourceNotFoundException\"}" &&
	test_expect_code 5 river push web/clicks "$in" 2>err &&
	test_grep "river stream create" err && test_grep "us-east-1" err &&
	sent_by_a_second_push "$in"
'

test_expect_success 'two faults on top of each other, packed' '
	firehose_fresh && fault 4 "\"do\":\"partial\",\"fraction\":0.5" && fault 3 "\"do\":\"read_body_then_close\"" &&
	make_records 30000 >many && river --profile packed push web/clicks many && arrived many && emul_fired
'

test_done
