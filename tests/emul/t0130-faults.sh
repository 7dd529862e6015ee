#!/bin/sh
test_description='the faults of the emulator, of the TCP proxy and of the HTTP proxy'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'

test_expect_success 'connections that break' '
	emul_case faults connections
'
test_expect_success 'answers that are wrong, late or endless' '
	emul_case faults answers
'
test_expect_success 'which requests a rule is for' '
	emul_case faults matching
'
test_expect_success 'checksums of S3 that are wrong or missing, and no 100 Continue' '
	emul_case faults checksumsOfS3
'

test_expect_success 'the TCP proxy' '
	proxy_start fault-proxy --to 127.0.0.1:$emul_port &&
	test_when_finished proxy_stop &&
	export PROXY_PORT=$proxy_port PROXY_CONTROL=$proxy_control &&
	emul_case faults tcpProxy
'

test_expect_success 'the HTTP proxy forwards, tunnels, and wants a password' '
	proxy_start connect-proxy --user river:$test_canary &&
	test_when_finished proxy_stop &&
	curl -sS --cacert "$emul_ca" -x "http://river:$test_canary@127.0.0.1:$proxy_port" "$emul_tls_url/_emul/ready" >tunnelled &&
	curl -sS -x "http://river:$test_canary@127.0.0.1:$proxy_port" "$emul_url/_emul/ready" >forwarded &&
	test_grep ok tunnelled &&
	test_grep ok forwarded &&
	test_expect_code 56 curl -sS --cacert "$emul_ca" -x "http://127.0.0.1:$proxy_port" "$emul_tls_url/_emul/ready" &&
	test_grep "CONNECT 127.0.0.1:$emul_tls_port 200" "$proxy_out" &&
	test_grep "CONNECT 127.0.0.1:$emul_tls_port 407" "$proxy_out"
'
test_expect_success 'the HTTP proxy refuses' '
	proxy_start connect-proxy --refuse 403 &&
	test_when_finished proxy_stop &&
	test_expect_code 56 curl -sS --cacert "$emul_ca" -x "http://127.0.0.1:$proxy_port" "$emul_tls_url/_emul/ready" 2>err &&
	test_grep 403 err
'
test_expect_success 'the HTTP proxy leads AWS names here; the certificate is checked' '
	proxy_start connect-proxy --to 127.0.0.1:$emul_tls_port &&
	test_when_finished proxy_stop &&
	for name in lake.s3.us-east-1.amazonaws.com firehose.eu-west-1.amazonaws.com
	do
		curl -sS --cacert "$emul_ca" -x "http://127.0.0.1:$proxy_port" "https://$name/_emul/ready" >out &&
		test_grep ok out || return 1
	done &&
	test_expect_code 60 curl -sS --cacert "$emul_ca" -x "http://127.0.0.1:$proxy_port" https://firehose.us-west-2.amazonaws.com/ &&
	test_expect_code 60 curl -sS --noproxy "*" --cacert "$emul_ca" "$emul_wrong_url/_emul/ready" &&
	test_expect_code 60 curl -sS --noproxy "*" "$emul_tls_url/_emul/ready"
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
