#!/bin/sh
test_description='the emulator speaks what awscli speaks'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
aws=/usr/bin/aws
test -x $aws || test_skip_all "no $aws: make deps-peers"
emul_start || test_bug 'the emulator does not start'
emul_env

s3 () {
	$aws --endpoint-url "$emul_url" s3 "$@"
}
api () {
	$aws --endpoint-url "$emul_url" "$@"
}

test_expect_success 'a bucket, an object with an odd key, and its way back' '
	s3 mb s3://lake &&
	printf "{\"a\":1}\n" >in &&
	s3 cp in "s3://lake/dt=1/a b+c~(1)/é//x.json" &&
	s3 cp "s3://lake/dt=1/a b+c~(1)/é//x.json" out &&
	test_cmp in out &&
	s3 ls --recursive s3://lake >list &&
	test_grep -F "dt=1/a b+c~(1)/é//x.json" list
'

test_expect_success 'parts' '
	head -c 20000000 /dev/urandom >large &&
	s3 cp large s3://lake/large &&
	s3 cp s3://lake/large back &&
	cmp large back &&
	test "$(emul_count s3.CompleteMultipartUpload ok)" = 1 &&
	test "$(emul_count s3.UploadPart ok)" = 3
'

test_expect_success 'a stream: created, described, listed, filled, delivered' '
	api firehose create-delivery-stream --delivery-stream-name s1 --extended-s3-destination-configuration "{
		\"RoleARN\": \"arn:aws:iam::123456789012:role/f\", \"BucketARN\": \"arn:aws:s3:::lake\",
		\"Prefix\": \"d/dt=!{timestamp:yyyy-MM-dd}/\", \"ErrorOutputPrefix\": \"e/!{firehose:error-output-type}/\",
		\"CompressionFormat\": \"GZIP\"}" &&
	api firehose describe-delivery-stream --delivery-stream-name s1 >described &&
	test "$(jq -r .DeliveryStreamDescription.DeliveryStreamStatus described)" = ACTIVE &&
	api firehose list-delivery-streams >listed &&
	test "$(jq -c .DeliveryStreamNames listed)" = "[\"s1\"]" &&
	api firehose put-record-batch --delivery-stream-name s1 \
		--records "[{\"Data\":\"eyJhIjoxfQo=\"},{\"Data\":\"eyJhIjoyfQo=\"}]" >put &&
	test "$(jq -r .FailedPutCount put)" = 0 &&
	test "$(jq -r ".RequestResponses[0].RecordId | length" put)" = 220 &&
	emul_flush s1 >flushed &&
	key=$(jq -r ".[0].key" flushed) &&
	echo "$key" | grep -E "^d/dt=[0-9-]{10}/s1-1-[0-9-]{19}-[0-9a-f-]{36}\.gz$" &&
	s3 cp "s3://lake/$key" - | gzip -dc >delivered &&
	printf "{\"a\":1}\n{\"a\":2}\n" >expected &&
	test_cmp expected delivered
'

test_expect_success 'a wrong secret is refused, by the names AWS has for it' '
	test_expect_code 254 env AWS_SECRET_ACCESS_KEY=wrong $aws --endpoint-url "$emul_url" s3 ls s3://lake 2>err &&
	test_grep "(SignatureDoesNotMatch)" err &&
	test_expect_code 254 env AWS_SECRET_ACCESS_KEY=wrong $aws --endpoint-url "$emul_url" firehose list-delivery-streams 2>err &&
	test_grep "(InvalidSignatureException)" err
'

test_expect_success 'a presigned URL' '
	url=$(s3 presign s3://lake/large --expires-in 60) &&
	curl -sS --noproxy "*" --fail "$url" >got &&
	cmp large got
'

test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
