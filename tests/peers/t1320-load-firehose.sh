#!/bin/sh
test_description='from Firehose through the lake on S3 into DuckDB, and what status says of it'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
river query --no-load "select 1" >/dev/null 2>&1 || test_skip_all 'no DuckDB here'
emul_start || test_bug 'the emulator does not start'
emul_env

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }
    warehouse: { type: duckdb, path: $TRASH_ROOT/w.duckdb }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG
day=$(date -u +%Y-%m-%d)

# send SEQ FROM TO: these records of run1, stamped, as one PutRecordBatch signed by curl
send () {
	seq $2 $3 | sed "s/.*/{\"a\":&,\"_river\":{\"id\":\"run1-00000$1-&\"}}/" |
	jq -cR "{Data: (. + \"\n\" | @base64)}" |
	jq -cs "{DeliveryStreamName: \"river-web-clicks\", Records: .}" |
	curl -sS --noproxy "*" --fail-with-body --aws-sigv4 aws:amz:us-east-1:firehose \
		--user "$emul_access_key:$emul_secret_key" -H "Content-Type: application/x-amz-json-1.1" \
		-H "X-Amz-Target: Firehose_20150804.PutRecordBatch" --data @- "$emul_url/" >/dev/null
}
ask () {
	river --output csv query "$1" | sed 1d
}
put_object () {
	curl -sS --noproxy "*" --fail-with-body -X PUT --data-binary @- "$emul_url/_emul/object?bucket=lake&key=river/$1" >/dev/null
}

test_expect_success 'what Firehose delivered is loaded by the next query' '
	emul_config "{\"creating_ms\":0}" && emul_post bucket "{\"name\":\"lake\"}" >/dev/null &&
	river stream create web/clicks --column a=integer >/dev/null &&
	send 1 1 300 && emul_flush river-web-clicks >/dev/null &&
	emul_script "{\"match\":{\"op\":\"deliver\"},\"do\":\"duplicate\",\"fraction\":0.5}" &&
	send 1 301 500 && emul_flush river-web-clicks >/dev/null && emul_no_script &&
	test "$(ask "select count(distinct a) from web.clicks_clean")" = 500 &&
	test "$(ask "select count(*) > 500 from web.clicks")" = true &&
	test "$(ask "select count(distinct file_name) from web.clicks")" -ge 2
'

test_expect_success 'each object was read once, and asked about by lists alone' '
	objects=$(ask "select count(*) from _river.loads") &&
	emul_log >log &&
	test "$(jq -r "select(.op == \"GetObject\") | .key" log | grep -c "^river/data/")" = "$objects" &&
	test "$(jq -r "select(.op == \"HeadObject\") | .key" log | grep -c "^river/data/")" = 0
'

test_expect_success 'status proves by the stamps that all arrived' '
	printf "{\"v\":1,\"run\":\"run1\",\"delivery\":\"firehose\",\"read\":500,\"accepted\":500,\"rejected\":0,\"batches\":[],\"objects\":[]}" |
		put_object "_river/receipts/web/clicks/$day/run1-a500-x0-b1-h0000000000000000.json" &&
	emul_delete log >/dev/null &&
	river status web/clicks >out 2>err &&
	test_grep "^web/clicks: all 500 accepted records are loaded; .* came again under the same stamps" out &&
	test "$(emul_log | jq -r "select(.op == \"ListObjectsV2\") | .op" | wc -l)" -le 6 &&
	river status --check >out && test_must_be_empty out
'

test_expect_success 'an object that breaks off costs itself alone, and comes later' '
	send 2 1 10 && emul_flush river-web-clicks >/dev/null &&
	emul_script "{\"match\":{\"op\":\"GetObject\",\"key\":\"^river/data/\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" &&
	test "$(ask "select count(distinct a) from web.clicks_clean" 2>err)" = 500 &&
	test_grep "could not be loaded" err && emul_no_script &&
	test "$(ask "select count(distinct record::varchar) from web.clicks where record::varchar like \$\$%-000002-%\$\$")" = 10
'

test_done
