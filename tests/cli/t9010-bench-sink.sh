#!/bin/sh
test_description='the server of the bench: what it takes it counts, and what is no request of AWS it refuses'
. "$(dirname "$0")/../lib/test-lib.sh"

sink=$RIVER_BUILD/tests/bench/sink
test_lazy_prereq CURL 'command -v curl'

# start_sink OPTIONS: its address is $url
start_sink () {
	: >port
	"$sink" "$@" >port 2>sink.err &
	sink_pid=$!
	test_when_finished 'kill $sink_pid'
	test_wait_until 30 test -s port || return 1
	url=http://127.0.0.1:$(cat port)
}
ask () {
	curl -sS --noproxy '*' -w '%{http_code}\n' "$@"
}
batch () {
	ask -H 'X-Amz-Target: Firehose_20150804.PutRecordBatch' --data "$1" "$url/"
}
# "a\nb\n" and "c\n"
two='{"DeliveryStreamName":"s","Records":[{"Data":"YQpiCg=="},{"Data": "Ywo="}]}'

test_expect_success CURL 'records are counted, their bytes and their lines, and each has an id' '
	start_sink -l &&
	batch "$two" >out &&
	test "$(tail -n 1 out | sed "s/.*}//")" = 200 &&
	test "$(grep -o "\"RecordId\":\"[^\"]\{220\}\"" out | wc -l)" -eq 2 &&
	ask "$url/__stats" >stats &&
	test_grep "\"records\":2,\"data_bytes\":6,\"lines\":3,\"requests\":1," stats
'

test_expect_success CURL 'what is no PutRecordBatch is refused and not counted' '
	start_sink &&
	batch "{}" >out && test_grep 400 out &&
	batch "{\"Records\":[{\"Data\":\"YQo\"}]}" >out && test_grep 400 out &&
	ask --data x "$url/" >out && test_grep 400 out &&
	ask "$url/__stats" >stats &&
	test_grep "\"records\":0,\"data_bytes\":0," stats
'

test_expect_success CURL 'small objects come back, are listed, and are put once under a condition' '
	start_sink &&
	printf "hello" >body &&
	ask -T body -H "If-None-Match: *" "$url/b/x/one%20two" >out && test_grep 200 out &&
	ask -T body -H "If-None-Match: *" "$url/b/x/one%20two" >out && test_grep 412 out &&
	ask -T body "$url/b/x/y/three" >out && test_grep 200 out &&
	ask "$url/b/x/one%20two" >out && test_grep "^hello200" out &&
	ask "$url/b?list-type=2&encoding-type=url&prefix=x/&delimiter=/" >list &&
	test_grep "<Key>x/one%20two</Key>" list &&
	test_grep "<CommonPrefixes><Prefix>x/y/</Prefix></CommonPrefixes>" list &&
	ask -X DELETE "$url/b/x/one%20two" >out && test_grep 204 out &&
	ask "$url/b/x/one%20two" >out && test_grep 404 out &&
	ask "$url/__reset" >stats &&
	test_grep "\"objects\":2,\"object_bytes\":10," stats &&
	ask "$url/b?list-type=2" >list &&
	test_grep "<KeyCount>0</KeyCount>" list
'

test_expect_success CURL 'a list of more than a page goes on where it stopped' '
	start_sink &&
	seq -f "url = \"$url/b/k%04g\"" 1 1001 | sed "a upload-file = body" >config &&
	printf "x" >body &&
	curl -sS --noproxy "*" -K config >puts &&
	ask "$url/b?list-type=2" >list &&
	test_grep "<IsTruncated>true</IsTruncated><NextContinuationToken>k1000</NextContinuationToken>" list &&
	ask "$url/b?list-type=2&continuation-token=k1000" >list &&
	test_grep "<Key>k1001</Key>" list &&
	test_grep "<KeyCount>1</KeyCount>" list
'

test_expect_success CURL 'large objects, in parts or in chunks, count with their size' '
	start_sink &&
	head -c 3000000 /dev/zero >body &&
	ask -T body "$url/b/whole" >out && test_grep 200 out &&
	ask -T body -H "Transfer-Encoding: chunked" "$url/b/chunked" >out && test_grep 200 out &&
	ask -X POST "$url/b/parts?uploads" >out &&
	id=$(sed -n "s/.*<UploadId>\(.*\)<.UploadId>.*/\1/p" out) &&
	ask -T body "$url/b/parts?partNumber=1&uploadId=$id" >out && test_grep 200 out &&
	ask -T body "$url/b/parts?partNumber=2&uploadId=$id" >out && test_grep 200 out &&
	ask -X POST "$url/b/parts?uploadId=$id" >out && test_grep 200 out &&
	ask "$url/__stats" >stats &&
	test_grep "\"objects\":3,\"object_bytes\":12000000," stats
'

test_expect_success CURL 'one that is down takes definitions and no data' '
	start_sink -d &&
	printf "x" >body &&
	ask -T body "$url/b/_river/streams/a" >out && test_grep 200 out &&
	ask -T body "$url/b/data/a" >out && test_grep 503 out &&
	batch "$two" >out && test_grep 503 out &&
	ask "$url/__stats" >stats &&
	test_grep "\"records\":0,.*\"objects\":1," stats
'

test_expect_success CURL 'what is no HTTP ends the connection, and the next one is served' '
	start_sink &&
	test_must_fail curl -sS --noproxy "*" --request-target nowhere "$url/" &&
	ask "$url/__stats" >stats &&
	test_grep 200 stats
'

test_done
