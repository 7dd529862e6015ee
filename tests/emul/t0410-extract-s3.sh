#!/bin/sh
test_description='extract-load: archives in a bucket, a lake on S3, and the event that names one'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
aws=/usr/bin/aws
test -x $aws || test_skip_all "no $aws: make deps-peers"
emul_start || test_bug 'the emulator does not start'
emul_env tls
make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >river.yaml <<-EOL
profiles:
  local:
    lake: s3://lake/river
    aws: { endpoint_url: "$emul_tls_url" }
    warehouse: { type: duckdb, path: ./warehouse.duckdb }
EOL
cat >job.yaml <<\EOL
source: { path: "s3://drop/in/ext-*.zip" }
tables: { t: { member: t.csv, columns: { id: integer, name: string } } }
loads: { t: { to: table dw.t } }
EOL
s3 () {
	AWS_CA_BUNDLE="$emul_ca" $aws --endpoint-url "$emul_tls_url" s3 "$@"
}
# put KEY ROW...
put () {
	key=$1
	shift
	{ echo id,name && printf '%s\n' "$@"; } >t.csv && "$make_zip" --pack x.zip t.csv && s3 cp x.zip "s3://drop/$key" >/dev/null
}
rows () {
	river query --no-load --output csv "SELECT id FROM dw.t ORDER BY id" | tail -n +2 | paste -sd' '
}

test_expect_success '83: archives of a pattern, each once; other keys are not theirs' '
	s3 mb s3://lake && s3 mb s3://drop &&
	put in/ext-1.zip 1,a && put in/ext-2.zip 2,b && put in/other.zip 9,x && put ext-3.zip 9,x &&
	put "in/ext-..zip" 3,c && put "in/ext-a b.zip" 4,d &&
	river extract-load job.yaml >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	test "$(rows)" = "1 2 3 4" &&
	river extract-load job.yaml --output json >out && grep "\"taken\":0,\"known\":4" out
'

test_expect_success 'an object that changed is another extract; the same again is not' '
	put in/ext-2.zip 5,e && river extract-load job.yaml && test "$(rows)" = "1 2 3 4 5" &&
	rm -rf state && river extract-load job.yaml --output json >out && grep "\"taken\":0,\"known\":4" out
'

test_expect_success 'manifests name the objects of the bucket' '
	s3 ls --recursive s3://lake/river/loads/ >names && grep "t.manifest" names >manifests &&
	test_line_count = 5 manifests &&
	s3 cp "s3://lake/$(awk "{ print \$4; exit }" manifests)" manifest >/dev/null &&
	grep "\"url\":\"s3://lake/river/loads/job/[0-9a-f]*/t-0001-0001.ndjson.zst\",\"mandatory\":true" manifest
'

test_expect_success 'an event of a folder that was made takes nothing of what is in it' '
	put unasked/ext-7.zip 7,g &&
	echo "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"drop\"},\"object\":{\"key\":\"unasked/\"}}}]}" >event &&
	river extract-load job.yaml --event event && test "$(rows)" = "1 2 3 4 5"
'

test_expect_success 'the one that an event names' '
	put "elsewhere/new [1].zip" 6,f && put elsewhere/new-2.zip 7,g &&
	cat >event <<-\JSON &&
	{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"drop"},"object":{"key":"elsewhere/new+%5B1%5D.zip"}}}]}
	JSON
	river extract-load job.yaml --event - <event && test "$(rows)" = "1 2 3 4 5 6"
'

test_expect_success 'a bucket that is not there' '
	sed "s/drop/nowhere/" job.yaml >slip.yaml &&
	test_expect_code 5 river extract-load slip.yaml 2>err && grep NoSuchBucket err
'

test_expect_success 'Parquet goes to S3 as it is: the objects of the manifest, with their lengths' '
	sed "s/^loads:.*/loads: { t: { to: lake, format: parquet } }/; s/^source:/job: pages\nsource:/" job.yaml >pages.yaml &&
	river extract-load pages.yaml >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	s3 cp --recursive s3://lake/river/loads/pages have >/dev/null &&
	ls have/*/*.parquet >files && test_line_count = $(ls have/*/*.manifest | wc -l) files &&
	for file in have/*/*.parquet
	do
		grep "\"url\":\"s3://lake/river/loads/pages/${file#have/}\".*\"content_length\":$(wc -c <$file),\"record_count\":1}" \
			${file%/*}/t.manifest || return 1
	done &&
	for file in have/*/*.parquet
	do
		river query --output csv --from $file "SELECT id FROM t" | tail -n +2 || return 1
	done | sort >ids && printf "%s\n" 1 3 4 5 >want && test_cmp want ids &&
	find state -type f ! -name "*.ndjson" ! -name "lock" >left && ! grep tmp left
'

test_done
