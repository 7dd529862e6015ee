#!/bin/sh
test_description='bad worlds: which one it is, in a sentence, with the next step; doctor finds each'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    warehouse: none
  hose:
    lake: s3://lake/river
    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }
    warehouse: none
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

# told CODE TEXT HINT COMMAND...: the command ends with CODE; standard error is one message, which says
# TEXT, and its hint. In the variables of $world.
told () {
	code=$1 text=$2 hint=$3
	shift 3
	test_expect_code "$code" env $world river "$@" >out 2>err &&
	test "$(grep -c "^river: " err)" = 1 && test_grep "^river: .*$text" err &&
	test_grep "^hint: .*$hint" err
}
# doctor RESULT CHECK TEXT HINT: a line for it, and the hint below; FAIL is exit status 1
doctor () {
	expected=0
	test "$1" != fail || expected=1
	test_expect_code $expected env $world river doctor >out 2>err &&
	test_grep "^$1 *$2  .*$3" out &&
	grep -A 1 "^$1 *$2  .*$3" out >two && test_grep -e "-> .*$4" two
}
# told_all CODE TEXT HINT: whatever needs the lake
told_all () {
	told "$@" push web/clicks in &&
	told "$@" stream create web/other &&
	told "$@" stream list &&
	told "$@" landing process &&
	told "$@" push web/clicks --presign in
}
good_world () {
	emul_no_script >/dev/null &&
	emul_config "{\"region_error\":301,\"denied\":[],\"clock_offset_s\":0,\"conditional_writes\":\"yes\"}"
}
# A proxy that answers everything with this status; $proxy is its address.
proxy_start () {
	"$emul_node" "$emul_home/connect-proxy.mjs" --refuse "$1" --ready "$TRASH_ROOT/proxy" --parent $$ \
		</dev/null >"$TRASH_ROOT/proxy.log" 2>&1 3<&- 4>&- 5>&- 6>&- &
	proxy_pid=$!
	test_wait_until 30 test -s "$TRASH_ROOT/proxy" &&
	proxy=127.0.0.1:$(jq -r .port "$TRASH_ROOT/proxy")
}
# Nothing of doctor's is left.
nothing_left () {
	emul_get "objects?bucket=lake" >objects && ! grep "river/_river/probe-" objects
}

test_expect_success 'a good world' '
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null &&
	world= && echo "{\"n\":1}" >in &&
	river --profile hose stream create web/clicks >/dev/null &&
	river --profile hose doctor >out && ! grep "^fail" out && ! grep "^warn" out | grep -v " disk " &&
	test_grep "^ok *region *us-east-1 (AWS_REGION)" out &&
	test_grep "^ok *credentials *environment" out &&
	test_grep "^ok *s3 endpoint *$emul_url answers (configured)" out &&
	test_grep "^ok *aws clock " out && test_grep "^ok *bucket " out &&
	test_grep "^ok *conditions .*honoured" out && test_grep "^ok *lake " out &&
	test_grep "^ok *streams *1 of 1 have" out && nothing_left &&
	river doctor --output json >out && test_grep "{.*\"check\":\"bucket\",\"result\":\"ok\"" out
'

begin_upload () {
	curl -sS --noproxy "*" --fail-with-body --aws-sigv4 aws:amz:us-east-1:s3 --data-binary "" \
		--user "$emul_access_key:$emul_secret_key" -H "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
		"$emul_url/lake/$1?uploads=" >/dev/null
}
test_expect_success '58: uploads that a killed run left behind: said after a day, with how to remove them' '
	test_when_finished "good_world" && world= &&
	begin_upload river/data/web/clicks/x && begin_upload river/data/web/clicks/y && begin_upload elsewhere/z &&
	river doctor >out && test_grep "^ok *uploads *none was left" out &&
	emul_config "{\"clock_offset_s\":172800}" &&
	doctor warn uploads "2 unfinished uploads are older than a day below s3://lake/river/" "list-multipart-uploads --bucket lake" &&
	river doctor --output json >out && test_grep "{.*\"check\":\"uploads\",\"result\":\"warn\"" out &&
	emul_get "uploads?bucket=lake" >uploads && test_line_count = 3 uploads &&
	emul_script "{\"match\":{\"op\":\"ListMultipartUploads\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" &&
	doctor warn uploads "not known: .*AccessDenied" "print-policy" &&
	emul_no_script && emul_script "{\"match\":{\"op\":\"ListMultipartUploads\",\"count\":\"all\"},\"do\":\"status\",\"status\":501,\"code\":\"NotImplemented\"}" &&
	river doctor >out && test_grep ! " uploads " out && emul_no_script &&
	{ printf "{\"x\":\"" && head -c 68000000 /dev/zero | tr "\\0" x && printf "\"}\n"; } >large &&
	river stream create web/large --compression none >out && river push web/large --max-record 100MiB large &&
	emul_get "uploads?bucket=lake" >uploads && test_line_count = 1 uploads && test_grep elsewhere/z uploads
'

test_expect_success 'wrong region' '
	test_when_finished "good_world" &&
	world="AWS_REGION=eu-west-1" &&
	told_all 3 "PermanentRedirect" "set aws.region of the profile to us-east-1" &&
	doctor fail bucket PermanentRedirect "set aws.region of the profile to us-east-1" &&
	emul_config "{\"region_error\":400}" &&
	env $world river stream list >out && test_grep web/clicks out &&
	doctor warn bucket "lake is in us-east-1, not in eu-west-1" "set aws.region of the profile to us-east-1"
'

test_expect_success 'a region that cannot be one' '
	world="AWS_REGION=EU_1" &&
	told_all 3 "EU_1. (AWS_REGION) cannot be an AWS region" "such as eu-west-1" &&
	doctor fail region "EU_1" "such as eu-west-1"
'

test_expect_success 'no region: AWS needs one, other stores are told of' '
	world="AWS_REGION= AWS_DEFAULT_REGION= AWS_ENDPOINT_URL=" &&
	told_all 3 "nothing says which AWS region" "set aws.region" &&
	doctor fail region "nothing says which AWS region" "set aws.region" &&
	world="AWS_REGION= AWS_DEFAULT_REGION=" &&
	doctor warn region "us-east-1 is signed for" "set aws.region"
'

test_expect_success 'the bucket is not there' '
	world="RIVER_LAKE=s3://nosuch/river" &&
	told_all 5 "nosuch.*NoSuchBucket" "make the bucket" &&
	doctor fail bucket "nosuch.*NoSuchBucket" "make the bucket"
'

test_expect_success 'no permission' '
	test_when_finished "good_world" &&
	world= && emul_config "{\"denied\":[\"$emul_access_key\"]}" &&
	told_all 4 AccessDenied "need permission" &&
	doctor fail bucket AccessDenied "need permission"
'

test_expect_success 'no permission to write: doctor finds it, and leaves nothing' '
	test_when_finished "good_world" &&
	emul_script "{\"match\":{\"service\":\"s3\",\"op\":\"PutObject\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" >/dev/null &&
	doctor fail lake "write into the lake.*AccessDenied" "need permission" &&
	emul_no_script >/dev/null &&
	emul_script "{\"match\":{\"service\":\"s3\",\"op\":\"GetObject\",\"key\":\"probe\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" >/dev/null &&
	doctor fail lake "read what was written.*AccessDenied" "need permission" &&
	emul_no_script >/dev/null && nothing_left &&
	emul_script "{\"match\":{\"service\":\"s3\",\"op\":\"DeleteObject\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" >/dev/null &&
	world="RIVER_LAKE=s3://lake/elsewhere" &&
	doctor fail lake "remove s3://lake/elsewhere/_river/probe-.*AccessDenied" "need permission"
'

test_expect_success '198: a skewed clock: signatures are corrected, doctor says so' '
	test_when_finished "good_world" &&
	emul_config "{\"clock_offset_s\":3600}" &&
	river stream list >out && test_grep web/clicks out &&
	river push web/clicks in &&
	doctor warn "aws clock" "behind that of .*, more than AWS takes" "set the clock" &&
	emul_config "{\"clock_offset_s\":-3600}" &&
	river stream list >out && test_grep web/clicks out &&
	doctor warn "aws clock" "ahead of that of .*, more than AWS takes" "set the clock"
'

test_expect_success 'an expired token' '
	test_holds_secret keys.json && emul_post keys "{\"life_s\":0}" >keys.json && sleep 1.1 &&
	world="AWS_ACCESS_KEY_ID=$(jq -r .id keys.json) AWS_SECRET_ACCESS_KEY=$(jq -r .secret keys.json)" &&
	world="$world AWS_SESSION_TOKEN=$(jq -r .token keys.json)" &&
	told_all 4 ExpiredToken "get new ones" &&
	doctor fail bucket ExpiredToken "get new ones"
'

test_expect_success 'keys that are not the right ones, and none' '
	world="AWS_SECRET_ACCESS_KEY=wrong" &&
	told_all 4 SignatureDoesNotMatch "not the right keys" &&
	doctor fail bucket SignatureDoesNotMatch "not the right keys" &&
	world="AWS_ACCESS_KEY_ID=AKIANOSUCH" &&
	told_all 4 InvalidAccessKeyId "not the right keys" &&
	world="AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=" &&
	told_all 4 "no AWS credentials: not in the environment" "aws configure" &&
	doctor fail credentials "no AWS credentials" "aws configure" &&
	world="AWS_PROFILE=nosuch AWS_ACCESS_KEY_ID= AWS_SECRET_ACCESS_KEY=" &&
	told_all 3 nosuch "aws configure" && doctor fail aws nosuch "aws configure"
'

test_expect_success 'a proxy that is not there, and one that refuses' '
	world="http_proxy=http://127.0.0.1:1" &&
	told 1 "cannot connect to proxy 127.0.0.1:1" "check the proxy variables" push web/clicks in &&
	told 1 "cannot connect to proxy 127.0.0.1:1" "check the proxy variables" stream list &&
	doctor fail "s3 endpoint" "cannot connect to proxy 127.0.0.1:1" "check the proxy variables" &&
	proxy_start 403 && test_when_finished "kill $proxy_pid" &&
	world="https_proxy=http://$proxy AWS_ENDPOINT_URL=$emul_tls_url AWS_CA_BUNDLE=$emul_ca" &&
	told_all 3 "proxy $proxy refused a connection to $emul_tls_url (403)" "check the proxy variables" &&
	doctor fail "s3 endpoint" "refused a connection" "check the proxy variables"
'

test_expect_success 'nobody there, and no such host' '
	world="AWS_ENDPOINT_URL=http://127.0.0.1:1" &&
	told 1 "cannot connect to http://127.0.0.1:1" "check the endpoint" push web/clicks in &&
	told 1 "cannot connect to http://127.0.0.1:1" "check the endpoint" stream create web/other &&
	doctor fail "s3 endpoint" "cannot connect to http://127.0.0.1:1" "check the endpoint" &&
	world="AWS_ENDPOINT_URL=http://nosuch.invalid" &&
	told 1 "cannot resolve http://nosuch.invalid" "check the endpoint" stream list &&
	doctor fail "s3 endpoint" "cannot resolve http://nosuch.invalid" "check the endpoint"
'

test_expect_success '201: TLS: not trusted, for another host, not spoken' '
	world="AWS_ENDPOINT_URL=$emul_tls_url" &&
	told_all 3 "certificate of $emul_tls_url is not trusted" "AWS_CA_BUNDLE" &&
	doctor fail "s3 endpoint" "not trusted" "AWS_CA_BUNDLE" &&
	world="AWS_ENDPOINT_URL=$emul_wrong_url AWS_CA_BUNDLE=$emul_ca" &&
	told_all 3 "$emul_wrong_url shows is for another host" "check the endpoint" &&
	doctor fail "s3 endpoint" "for another host" "check the endpoint" &&
	world="AWS_ENDPOINT_URL=https://127.0.0.1:$emul_port" &&
	told 1 "TLS handshake with https://127.0.0.1:$emul_port failed" "check the endpoint" push web/clicks in &&
	doctor fail "s3 endpoint" "TLS handshake" "check the endpoint"
'

test_expect_success 'a portal that answers with a page' '
	test_when_finished "good_world" &&
	world= &&
	emul_script "{\"match\":{\"service\":\"s3\",\"count\":\"all\"},\"do\":\"html200\"}" >/dev/null &&
	doctor fail bucket "" "proxy or portal"
'

test_expect_success 'no conditional writes, or none that are heeded' '
	test_when_finished "good_world" &&
	emul_config "{\"conditional_writes\":\"ignored\"}" &&
	doctor warn conditions "ignores If-None-Match" "use a store that has them" && nothing_left &&
	emul_config "{\"conditional_writes\":\"refused\"}" &&
	doctor warn conditions "no conditional writes (501)" "not kept apart" && nothing_left
'

test_expect_success 'Firehose: a stream without a delivery stream, and no role' '
	river stream create web/direct >/dev/null &&
	world="RIVER_PROFILE=hose" &&
	doctor fail streams "web/direct has no delivery stream river-web-direct" "river stream create web/direct" &&
	world="RIVER_PROFILE=prod RIVER_DELIVERY=firehose" &&
	doctor fail streams "web/direct" "" && test_grep "^warn *firehose role *no role" out
'

emul_stop
test_done
