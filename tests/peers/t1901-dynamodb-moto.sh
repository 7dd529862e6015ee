#!/bin/sh
test_description='documents into another stand-in of DynamoDB, moto, where there is one'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/dynamodb-lib.sh"

test -x "$RIVER_BUILD/tests/perf/dynamodb_write" || test_skip_all 'dynamodb_write is not built: make perf'
for tool in jq curl timeout
do
	command -v $tool >/dev/null 2>&1 || test_skip_all "$tool is not installed: make deps-peers"
done
moto_server --help >/dev/null 2>&1 || test_skip_all 'moto_server is not installed (python: moto[server])'

moto_is_ready () {
	grep -q 'Running on' moto.log || ! kill -0 "$moto" 2>/dev/null
}
# ask OPERATION JSON, unsigned as far as it goes
ask () {
	curl -sS --noproxy '*' -H 'content-type: application/x-amz-json-1.0' -H "x-amz-target: DynamoDB_20120810.$1" \
		-H 'authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b' \
		--data-binary "$2" "$AWS_ENDPOINT_URL_DYNAMODB/"
}
documents () {
	awk -v v="$1" -v day="$dynamodb_day" 'BEGIN { for (i = 1; i <= 60; i++)
		printf "put %d {\"order_id\":\"o-%d\",\"big\":12345678901234567890.5,\"placed\":\"%s\",\"l\":[{\"a\":null}]}\n", v, i, day }'
}

# it ends with the script, whatever becomes of that: timeout ends it otherwise
timeout 300 moto_server -H 127.0.0.1 -p 0 </dev/null >moto.log 2>&1 3<&- 4>&- 5>&- 6>&- &
moto=$!

test_expect_success 'it starts' '
	test_wait_until 60 moto_is_ready && port=$(sed -n "s/.*127\.0\.0\.1:\([0-9]*\).*/\1/p" moto.log | head -n 1) &&
	test -n "$port"
'
AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=$test_canary AWS_REGION=us-east-1
AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:$port AWS_EC2_METADATA_DISABLED=true
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_ENDPOINT_URL_DYNAMODB AWS_EC2_METADATA_DISABLED

test_expect_success '157: a table with its time to live, items digit by digit' '
	documents 2 >in && dynamodb_write orders --create order_id --ttl expires_at:placed:9 <in >out &&
	test "$(jq .written out)" -eq 60 &&
	ask DescribeTimeToLive "{\"TableName\":\"orders\"}" >ttl &&
	test "$(jq -r .TimeToLiveDescription.AttributeName ttl)" = expires_at &&
	ask GetItem "{\"TableName\":\"orders\",\"Key\":{\"order_id\":{\"S\":\"o-2\"}}}" >item &&
	test "$(jq -r .Item.big.N item)" = 12345678901234567890.5 && test "$(jq -r .Item._v.N item)" = 2 &&
	test "$(jq -r .Item.expires_at.N item)" = "$dynamodb_due"
'
test_expect_success '156: older ones change nothing' '
	documents 1 >in && dynamodb_write orders --ttl expires_at:placed:9 <in >out &&
	test "$(jq .superseded out)" -eq 60 && test "$(jq .written out)" -eq 0 &&
	ask GetItem "{\"TableName\":\"orders\",\"Key\":{\"order_id\":{\"S\":\"o-2\"}}}" >item && test "$(jq -r .Item._v.N item)" = 2
'
test_expect_success 'exclusive: written and removed in batches' '
	documents 1 >in && dynamodb_write batches --create order_id --exclusive <in >out && test "$(jq .written out)" -eq 60 &&
	ask Scan "{\"TableName\":\"batches\",\"Select\":\"COUNT\"}" >count && test "$(jq .Count count)" -eq 60 &&
	sed "s/^put 1/remove 2/" in | dynamodb_write batches --exclusive >out && test "$(jq .removed out)" -eq 60 &&
	ask Scan "{\"TableName\":\"batches\",\"Select\":\"COUNT\"}" >count && test "$(jq .Count count)" -eq 0
'
test_expect_success 'it ends' '
	kill $moto && { wait $moto 2>/dev/null; true; }
'

test_done
