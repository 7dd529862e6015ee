#!/bin/sh
test_description='a lake on Ceph, read and written by others as well'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/peer-lib.sh"

peer_need radosgw
peer_start radosgw || test_bug 'radosgw does not start'
gen=$RIVER_BUILD/tests/bench/gen_events

test_expect_success 'the store: objects, conditions, odd names, pages, parts' '
	peer_aws s3 mb s3://unit &&
	RIVER_PEER_URL=$peer_url RIVER_PEER_BUCKET=unit "$RIVER_BUILD/tests/unit/test_store_s3"
'

test_expect_success 'a stream, a push, a look, a query' '
	peer_lake lake some/where &&
	"$gen" 5000 >in.ndjson &&
	river stream create web/clicks --key event_id >out &&
	test_grep "created" out &&
	river stream create web/clicks --key event_id >out &&
	test_grep "unchanged" out &&
	river push web/clicks in.ndjson &&
	river push web/clicks <in.ndjson &&
	river stream list >out &&
	echo web/clicks >expected && test_cmp expected out &&
	river query --output csv "select count(*) as n from web.clicks" >out &&
	printf "n\n10000\n" >expected && test_cmp expected out &&
	river status --check web/clicks >status &&
	river push --shipped web/clicks in.ndjson
'

test_expect_success 'what conditions hold is found out and written down' '
	peer_aws s3 cp s3://lake/some/where/_river/format.json - >format &&
	test "$(jq -c "[.store, .conditional_puts]" format)" = "[\"s3\",true]" &&
	peer_aws s3 ls --recursive s3://lake/some/where/_river/ >listed &&
	! grep probe listed
'

test_expect_success 'a list is one request for it, and one for the version' '
	river -v stream list >out 2>err &&
	test "$(grep -c " GET http" err)" = 2 &&
	test "$(grep -c "list-type=2" err)" = 1
'

test_expect_success 'others read what river wrote' '
	key=$(peer_aws s3api list-objects-v2 --bucket lake --prefix some/where/data/ --query "Contents[0].Key" --output text) &&
	peer_aws s3 cp "s3://lake/$key" - | zstd -dc >by-aws &&
	test_cmp in.ndjson by-aws &&
	peer_rclone copyto "peer:lake/$key" by-rclone.zst &&
	zstd -qdc by-rclone.zst >by-rclone &&
	test_cmp in.ndjson by-rclone &&
	peer_s3cmd get "s3://lake/$key" by-s3cmd.zst &&
	cmp by-rclone.zst by-s3cmd.zst
'

test_expect_success 'river reads what others wrote: a lake that was copied' '
	peer_rclone copy peer:lake/some/where copy &&
	peer_aws s3 mb s3://second &&
	peer_s3cmd put --recursive copy/_river s3://second/by/ &&
	peer_aws s3 cp --recursive copy/data s3://second/by/data &&
	mkdir second && cd second && peer_lake second by && cd .. &&
	river -C second stream list >out &&
	echo web/clicks >expected && test_cmp expected out &&
	river -C second query --output csv "select count(*) as n from web.clicks" >out &&
	printf "n\n10000\n" >expected && test_cmp expected out
'

test_expect_success 'ten at once: one creates, nobody is told otherwise' '
	pids= &&
	for i in 1 2 3 4 5 6 7 8 9 10
	do
		river stream create web/race --key id >race.$i 2>&1 & pids="$pids $!"
	done &&
	for pid in $pids
	do
		wait $pid || { cat race.*; return 1; }
	done &&
	test "$(cat race.* | grep -c created)" = 1 &&
	test "$(cat race.* | grep -c unchanged)" = 9
'

test_expect_success 'large objects go in parts, and leave none behind' '
	"$gen" 170000 >large.ndjson &&
	river stream create web/large --compression none &&
	river -v push web/large large.ndjson 2>err &&
	test_grep "partNumber=4" err &&
	peer_aws s3api list-multipart-uploads --bucket lake --query Uploads >uploads &&
	test "$(cat uploads)" = null &&
	river query --output csv "select count(*) as n from web.large" >out &&
	printf "n\n170000\n" >expected && test_cmp expected out
'

test_expect_success 'wrong keys, a bucket that is not there, nobody there' '
	test_expect_code 4 env AWS_SECRET_ACCESS_KEY=wrong river stream list 2>err &&
	test_grep "SignatureDoesNotMatch" err &&
	test_expect_code 4 env AWS_ACCESS_KEY_ID=wrong river stream list 2>err &&
	test_grep "InvalidAccessKeyId" err &&
	test_expect_code 5 river -c lake=s3://nobodys/x stream list 2>err &&
	test_grep "NoSuchBucket" err &&
	test_grep "make the bucket" err &&
	test_expect_code 1 river -c aws.endpoint_url=http://127.0.0.1:1 stream list 2>err &&
	test_grep "127.0.0.1:1" err
'

test_lazy_prereq FAKETIME 'command -v faketime'
test_expect_success FAKETIME 'a clock that is an hour off' '
	faketime -f "+1h" "$RIVER_BUILD/river" -v stream list >out 2>err &&
	test_grep web/clicks out &&
	test_grep "s ahead of that of" err
'

test_expect_success 'delete with its data' '
	river stream delete web/large --data --yes &&
	peer_aws s3 ls --recursive s3://lake/some/where/ >listed &&
	! grep web/large listed
'

peer_stop
test_done
