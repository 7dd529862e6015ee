#!/bin/sh
test_description='the emulator speaks what rclone, s3cmd and boto3 speak'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
python=/usr/bin/python3
emul_post bucket '{"name":"lake"}' >/dev/null || test_bug 'no bucket'
head -c 12000000 /dev/urandom >large
printf '{"a":1}\n' >small

test_lazy_prereq RCLONE 'command -v rclone'
test_lazy_prereq S3CMD 'command -v s3cmd'
test_lazy_prereq BOTO3 "$python -c 'import boto3'"
test_lazy_prereq MOTO 'command -v moto_server'

test_expect_success RCLONE 'rclone copies a tree there and back, in parts' '
	test_holds_secret rclone.conf && cat >rclone.conf <<-EOF &&
	[emul]
	type = s3
	provider = Other
	access_key_id = $emul_access_key
	secret_access_key = $emul_secret_key
	region = us-east-1
	endpoint = $emul_url
	force_path_style = true
	EOF
	mkdir -p tree/"a b+c=(1)" && cp small "tree/a b+c=(1)/é.json" && cp large tree/large &&
	rclone --config rclone.conf --retries 1 --low-level-retries 1 --s3-upload-cutoff 5M --s3-chunk-size 5M copy tree emul:lake/tree &&
	rclone --config rclone.conf --retries 1 --low-level-retries 1 copy emul:lake/tree back &&
	diff -r tree back &&
	rclone --config rclone.conf --retries 1 --low-level-retries 1 check tree emul:lake/tree &&
	test "$(emul_count s3.CompleteMultipartUpload ok)" = 1 &&
	rclone --config rclone.conf --retries 1 --low-level-retries 1 purge emul:lake/tree &&
	emul_get "objects?bucket=lake" >objects &&
	test_must_be_empty objects
'

test_expect_success S3CMD 's3cmd puts, lists, gets, signs and deletes' '
	test_holds_secret s3cfg && cat >s3cfg <<-EOF &&
	[default]
	access_key = $emul_access_key
	secret_key = $emul_secret_key
	host_base = 127.0.0.1:$emul_port
	host_bucket = 127.0.0.1:$emul_port/%(bucket)
	bucket_location = us-east-1
	use_https = False
	EOF
	s3cmd -c s3cfg put small "s3://lake/a b/+.json" &&
	s3cmd -c s3cfg --multipart-chunk-size-mb=5 put large s3://lake/large &&
	s3cmd -c s3cfg ls -r s3://lake >list &&
	test_grep -F "s3://lake/a b/+.json" list &&
	s3cmd -c s3cfg get "s3://lake/a b/+.json" got &&
	s3cmd -c s3cfg get s3://lake/large large.got &&
	test_cmp small got &&
	cmp large large.got &&
	s3cmd -c s3cfg del --recursive --force s3://lake
'

cat >firehose.py <<'EOF'
import base64, os, sys, time
import boto3, botocore

client = boto3.client("firehose", endpoint_url=sys.argv[1], region_name="us-east-1",
    config=botocore.config.Config(retries={"max_attempts": 0}))

def code(call, **args):
    try:
        call(**args)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None

if len(sys.argv) < 3: # what only the emulator enforces
    print(code(client.put_record_batch, DeliveryStreamName="nothing", Records=[{"Data": b"x"}]))
client.create_delivery_stream(DeliveryStreamName="py", DeliveryStreamType="DirectPut",
    ExtendedS3DestinationConfiguration={"RoleARN": "arn:aws:iam::123456789012:role/f",
        "BucketARN": "arn:aws:s3:::lake", "Prefix": "py/", "CompressionFormat": "UNCOMPRESSED"})
description = client.describe_delivery_stream(DeliveryStreamName="py")["DeliveryStreamDescription"]
print(description["DeliveryStreamStatus"], description["Destinations"][0]["DestinationId"][:14])
print(client.list_delivery_streams()["DeliveryStreamNames"])
answer = client.put_record_batch(DeliveryStreamName="py", Records=[{"Data": b"%d\n" % i} for i in range(500)])
print(answer["FailedPutCount"], len(answer["RequestResponses"]))
if len(sys.argv) < 3:
    print(code(client.put_record_batch, DeliveryStreamName="py", Records=[{"Data": b"x"}] * 501))
    print(code(client.put_record_batch, DeliveryStreamName="py", Records=[{"Data": b"x" * 1024001}]))
    print(code(client.put_record_batch, DeliveryStreamName="py", Records=[{"Data": b"x" * 1000000}] * 5))
EOF

test_expect_success BOTO3 'boto3: a stream is made and filled, and limits are told by their names' '
	emul_env &&
	test_when_finished emul_no_env &&
	$python firehose.py "$emul_url" >out &&
	cat >expected <<-\EOF &&
	ResourceNotFoundException
	ACTIVE destinationId-
	['\''py'\'']
	0 500
	ValidationException
	ValidationException
	InvalidArgumentException
	EOF
	test_cmp expected out &&
	emul_records py >records &&
	seq 0 499 >numbers &&
	test_cmp numbers records
'

moto_start () {
	moto_server -H 127.0.0.1 -p 0 >moto.out 2>&1 3<&- 4>&- 5>&- 6>&- &
	moto_pid=$!
	test_wait_until 30 grep -q 'Running on http' moto.out &&
	moto=$(sed -n 's,.*Running on \(http://127[0-9.:]*\).*,\1,p' moto.out)
}
test_expect_success BOTO3,MOTO 'moto_server answers the same calls the same way' '
	test_when_finished emul_no_env "&& kill \$moto_pid && { wait \$moto_pid || true; }" &&
	moto_start &&
	emul_env &&
	$python -c "import boto3; boto3.client(\"s3\", endpoint_url=\"$moto\").create_bucket(Bucket=\"lake\")" &&
	$python firehose.py "$moto" moto >out &&
	printf "%s\n" "ACTIVE destinationId-" "[\"py\"]" "0 500" | tr "\"" "\047" >expected &&
	test_cmp expected out
'

test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
