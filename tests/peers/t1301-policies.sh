#!/bin/sh
test_description='the printed policies allow what river asks for, and little else'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env
emul_post bucket '{"name":"lake"}' >/dev/null

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/a+b
    aws: { region: us-east-1 }
    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }
    notify: { arn: "arn:aws:sqs:us-east-1:123456789012:loads" }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

# allowed POLICY [ACTION...]: what was asked since the last time is allowed by this policy; the actions are those
# that this script does not need. The look for old uploads in the whole lake is left out but for doctor: whoever
# may not have it goes on without.
allowed () {
	allowed_policy=$1 && shift &&
	emul_log | jq -c --arg policy "$allowed_policy" "select(.service != null and (\$policy != \"doctor\" and
		.op == \"ListMultipartUploads\" and .prefix == \"a+b/\" | not))" >log && emul_delete log >/dev/null &&
	test -s log &&
	"$emul_node" "$RIVER_SOURCE/tests/lib/allowed.mjs" policies.json "$allowed_policy" <log >judged || { cat judged; return 1; }
	for allowed_action in "$@"
	do
		echo "unused: $allowed_action"
	done | sort >expected &&
	sort judged >actual && test_cmp expected actual
}

test_expect_success 'create: a new lake, its first stream, again, changed, compared, shown' '
	river stream create web/clicks --key id --print-policy >policies.json &&
	emul_delete log >/dev/null &&
	river stream create web/clicks --key id >out &&
	river stream create web/clicks --key id >out &&
	river stream show web/clicks >clicks.yaml &&
	river stream list >out &&
	sed -i "s/^contract: .*/contract: reject/" clicks.yaml &&
	test_expect_code 1 river stream diff -f clicks.yaml >out &&
	river -c delivery.buffer.size=1MiB stream apply -f clicks.yaml >out &&
	allowed create firehose:DeleteDeliveryStream iam:PassRole
'

test_expect_success 'push, directly: pipes, files, rejects, named runs, objects in parts' '
	RIVER_DELIVERY=direct && export RIVER_DELIVERY && test_when_finished "unset RIVER_DELIVERY" &&
	printf "{\"id\":1}\n{\"id\":2}\n" | river push web/clicks &&
	printf "{\"id\":3}\n{\"id\":4}\n" >file.ndjson && river push web/clicks file.ndjson &&
	river push web/clicks file.ndjson &&
	printf "{\"id\":5}\n" | river push web/clicks --run again && printf "{\"id\":5}\n" | river push web/clicks --run again &&
	{ printf "junk\n{\"id\":6}\n" | test_expect_code 7 river push web/clicks 2>err; } &&
	head -c 70000000 /dev/urandom | od -An -v -tx1 -w1000 | sed "s/.*/{\"x\":\"&\"}/" >large.ndjson &&
	river -c max_memory=1GiB push web/clicks large.ndjson &&
	allowed push firehose:DescribeDeliveryStream firehose:PutRecordBatch s3:AbortMultipartUpload
'

test_expect_success 'push, through Firehose: stamped records, and large ones past it' '
	printf "{\"id\":7}\n{\"id\":8}\n" | river push web/clicks &&
	head -c 600000 /dev/urandom | od -An -v -tx1 -w600000 | tr -d " " | sed "s/.*/{\"x\":\"&\"}/" | river push web/clicks &&
	allowed push firehose:DescribeDeliveryStream s3:AbortMultipartUpload s3:ListBucket s3:ListBucketMultipartUploads
'

test_expect_success 'landing: an upload without credentials, published' '
	echo "{\"id\":9}" >upload.ndjson &&
	test_holds_secret upload.sh &&
	river -v push web/clicks --presign upload.ndjson 2>&1 >out | sed -n /^curl/p >upload.sh &&
	sh -e upload.sh 2>err && emul_delete log >/dev/null &&
	river landing process web/clicks >out &&
	allowed landing s3:AbortMultipartUpload s3:ListBucketMultipartUploads
'

test_expect_success 'doctor' '
	river doctor >out && ! grep -E "^(warn|fail)" out | grep -v " disk " &&
	emul_log >before && grep -v "\"op\":\"ListBuckets\"" before >log &&
	"$emul_node" "$RIVER_SOURCE/tests/lib/allowed.mjs" policies.json doctor <log >judged &&
	test_must_be_empty judged && emul_delete log >/dev/null
'

test_expect_success 'load: status, query, rejects' '
	river status web/clicks >out && river status >out &&
	river rejects list web/clicks >out && river rejects show web/clicks >out &&
	river query "select count(*) as n from web.clicks" >out &&
	allowed load
'

test_expect_success 'delete --data' '
	river stream delete web/clicks --data --yes >out &&
	allowed delete
'

test_expect_success 'push, through Firehose: pipes, files, rejects, a large record' '
	river stream create web/shop >out &&
	river stream create web/shop --print-policy >policies.json && emul_delete log >/dev/null &&
	printf "{\"id\":1}\n{\"id\":2}\n" | river push web/shop &&
	printf "{\"id\":3}\n{\"id\":4}\n" >shop.ndjson && river push web/shop shop.ndjson &&
	{ printf "junk\n{\"id\":6}\n" | test_expect_code 7 river push web/shop 2>err; } &&
	{ printf "{\"id\":7,\"x\":\"" && head -c 1500000 /dev/zero | tr "\\0" x && printf "\"}\n"; } | river push web/shop &&
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\"},\"do\":\"status\",\"status\":400,\"code\":\"ResourceNotFoundException\"}" &&
	printf "{\"id\":8}\n" | river push web/shop &&
	emul_no_script && emul_flush river-web-shop >/dev/null &&
	printf "{\"id\":9}\n" | river push web/shop --run last &&
	emul_flush river-web-shop >/dev/null &&
	allowed push s3:AbortMultipartUpload s3:ListBucketMultipartUploads
'

test_expect_success 'load: objects of Firehose: status, query' '
	river status web/shop >out && river status web/shop --check &&
	river query "select count(*) as n from web.shop" >out && test_grep "^ *8 *$" out &&
	allowed load
'

emul_stop
test_done
