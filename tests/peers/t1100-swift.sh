#!/bin/sh
test_description='a lake on Swift, which has no conditional writes and is strict about regions'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/peer-lib.sh"

peer_need swift
peer_start swift || test_bug 'swift does not start'
gen=$RIVER_BUILD/tests/bench/gen_events

test_expect_success 'the store: objects, conditions, odd names, pages, parts' '
	peer_aws s3 mb s3://unit &&
	RIVER_PEER_URL=$peer_url RIVER_PEER_BUCKET=unit "$RIVER_BUILD/tests/unit/test_store_s3"
'

test_expect_success 'a stream, a push, a look, a query' '
	peer_lake lake river &&
	"$gen" 2000 >in.ndjson &&
	river stream create web/clicks --key event_id >out &&
	test_grep "created" out &&
	river stream create web/clicks --key event_id >out &&
	test_grep "unchanged" out &&
	test_expect_code 6 river stream create web/clicks --key n &&
	river push web/clicks in.ndjson &&
	river query --output csv "select count(*) as n from web.clicks" >out &&
	printf "n\n2000\n" >expected && test_cmp expected out &&
	river status --check web/clicks
'

test_expect_success 'that it has no conditions is written down, and asked no second time' '
	peer_aws s3 cp s3://lake/river/_river/format.json - >format &&
	test "$(jq -c "[.store, .conditional_puts]" format)" = "[\"s3\",false]" &&
	river -v push web/clicks <in.ndjson 2>err &&
	! grep " 501," err
'

test_expect_success 'others read what river wrote' '
	key=$(peer_aws s3api list-objects-v2 --bucket lake --prefix river/data/ --query "Contents[0].Key" --output text) &&
	peer_aws s3 cp "s3://lake/$key" - | zstd -dc >by-aws &&
	test_cmp in.ndjson by-aws &&
	peer_s3cmd get "s3://lake/$key" by-s3cmd.zst &&
	zstd -qdc by-s3cmd.zst >by-s3cmd &&
	test_cmp in.ndjson by-s3cmd
'

test_expect_success 'the region of the bucket is learned' '
	env AWS_REGION=eu-west-1 river -v stream list >out 2>err &&
	test_grep web/clicks out &&
	test_grep "the bucket is in us-east-1, not in eu-west-1" err
'

test_expect_success 'wrong keys, and a bucket that is not there' '
	test_expect_code 4 env AWS_SECRET_ACCESS_KEY=wrong river stream list 2>err &&
	test_grep "SignatureDoesNotMatch" err &&
	test_expect_code 5 river -c lake=s3://nobodys/x stream list 2>err &&
	test_grep "NoSuchBucket" err
'

peer_stop
test_done
