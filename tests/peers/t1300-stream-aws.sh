#!/bin/sh
test_description='streams on AWS: delivery streams and notifications are made, compared, mended and removed'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env

queue=arn:aws:sqs:us-east-1:123456789012:loads
topic=arn:aws:sns:us-east-1:123456789012:others
lambda=arn:aws:lambda:us-east-1:123456789012:function:thumbs

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }
    warehouse: none
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

# Everything as at the beginning: an empty bucket, no streams, no rules.
fresh () {
	emul_post reset "" >/dev/null && emul_delete log >/dev/null &&
	emul_config "{\"creating_ms\":0,\"deleting_ms\":0,\"clock_offset_s\":0,\"max_streams\":5000,\"notification_destinations\":null}" &&
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null
}
# An API call, signed by curl, so that no code of river's says what is there: firehose OP JSON
firehose () {
	curl -sS --noproxy "*" --fail-with-body --aws-sigv4 aws:amz:us-east-1:firehose \
		--user "$emul_access_key:$emul_secret_key" -H "Content-Type: application/x-amz-json-1.1" \
		-H "X-Amz-Target: Firehose_20150804.$1" --data "$2" "$emul_url/"
}
described () {
	firehose DescribeDeliveryStream "{\"DeliveryStreamName\":\"$1\"}" | jq ".DeliveryStreamDescription"
}
# 22: there is none
described_code () {
	firehose DescribeDeliveryStream "{\"DeliveryStreamName\":\"$1\"}"
}
notification () {
	curl -sS --noproxy "*" --fail-with-body --aws-sigv4 aws:amz:us-east-1:s3 \
		--user "$emul_access_key:$emul_secret_key" \
		-H "x-amz-content-sha256: UNSIGNED-PAYLOAD" "$@" "$emul_url/lake?notification="
}
# It is being made, and was looked at since.
is_waited_for () {
	emul_log service=firehose | jq -r .op | sed 1,/CreateDeliveryStream/d | grep -q Describe
}
# created_later STREAM SECONDS: the same command waits on, and then Firehose is so far ahead; in out
created_later () {
	looks=$(emul_count firehose.DescribeDeliveryStream) &&
	{ river stream create "$1" >out & } && later_pid=$! &&
	test_wait_until 30 looked_since && emul_config "{\"clock_offset_s\":$2}" && wait $later_pid
}
looked_since () {
	test "$(emul_count firehose.DescribeDeliveryStream)" -ge $((looks + 2))
}
# Calls that change something, by either service.
changes () {
	emul_log | jq -r .op | grep -c -E "^(Put|Create|Delete|Update|Complete|Upload)"
}

test_expect_success 'create: the catalog, the delivery stream, ready when it says so' '
	fresh && emul_config "{\"creating_ms\":1000}" &&
	river stream create web/clicks --key event_id >out &&
	test_grep "^web/clicks: created$" out &&
	test_grep "^  firehose river-web-clicks: created$" out &&
	described river-web-clicks >stream &&
	jq -r ".DeliveryStreamStatus, .DeliveryStreamType, (.Destinations[0].ExtendedS3DestinationDescription |
		.RoleARN, .BucketARN, .Prefix, .ErrorOutputPrefix, .BufferingHints.SizeInMBs,
		.BufferingHints.IntervalInSeconds, .CompressionFormat, .FileExtension)" stream >actual &&
	cat >expected <<-\END &&
	ACTIVE
	DirectPut
	arn:aws:iam::123456789012:role/firehose
	arn:aws:s3:::lake
	river/data/web/clicks/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/
	river/_river/firehose-errors/web/clicks/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/
	64
	60
	GZIP
	.ndjson.gz
	END
	test_cmp expected actual &&
	emul_get "object?bucket=lake&key=river/_river/streams/web/clicks.json" >definition &&
	test_grep "\"stream\":\"web/clicks\"" definition
'

test_expect_success 'again: unchanged, and seen' '
	emul_delete log >/dev/null &&
	river --output json stream create web/clicks --key event_id >out &&
	test_grep "\"action\":\"unchanged\"" out &&
	test_grep "\"resources\":\[{\"kind\":\"firehose\",\"name\":\"river-web-clicks\",\"action\":\"unchanged\",\"changes\":\[\]}\]" out &&
	test "$(emul_count firehose.DescribeDeliveryStream ok)" -ge 1 &&
	test "$(changes)" = 0
'

test_expect_success 'show names it, its state and its ARN, and stays a definition' '
	river stream show web/clicks >show.yaml &&
	test_grep "^# firehose: river-web-clicks ACTIVE arn:aws:firehose:us-east-1:123456789012:deliverystream/river-web-clicks$" show.yaml &&
	river stream diff -f show.yaml &&
	river --output json stream show web/clicks >json &&
	test_grep "\"firehose\":{\"name\":\"river-web-clicks\",\"state\":\"ACTIVE\",\"arn\":\"arn:" json &&
	emul_script "{\"match\":{\"op\":\"DescribeDeliveryStream\",\"count\":\"all\"},\"do\":\"status\",\"status\":400,\"code\":\"AccessDeniedException\"}" &&
	river stream show web/clicks >actual 2>err &&
	test_grep "^# firehose: river-web-clicks unknown$" actual &&
	test_grep AccessDenied err &&
	emul_no_script
'

test_expect_success 'list never asks Firehose' '
	emul_delete log >/dev/null &&
	river stream list >out && test_grep web/clicks out &&
	river stream list --long >out &&
	test "$(emul_log service=firehose | wc -l)" = 0
'

test_expect_success 'drift: diff shows it, create refuses it, apply mends it' '
	test_expect_code 1 river -c delivery.buffer.size=128MiB stream diff -f show.yaml >out &&
	cat >expected <<-\END &&
	web/clicks: differs
	- firehose.buffer.size: 64MiB
	+ firehose.buffer.size: 128MiB
	END
	test_cmp expected out &&
	test_expect_code 6 river -c delivery.buffer.size=128MiB stream create web/clicks --key event_id 2>err &&
	test_grep "this would change buffer.size: 64MiB -> 128MiB" err &&
	test_grep "stream apply" err &&
	described river-web-clicks | jq -r .VersionId >version && echo 1 >expected && test_cmp expected version &&
	river -c delivery.buffer.size=128MiB -c delivery.buffer.age=0s stream apply -f show.yaml >out &&
	test_grep "^web/clicks: updated$" out &&
	test_grep "^  firehose river-web-clicks: updated$" out &&
	described river-web-clicks | jq -c ".VersionId, .Destinations[0].ExtendedS3DestinationDescription.BufferingHints" >actual &&
	test_grep "\"IntervalInSeconds\":0" actual && test_grep "\"SizeInMBs\":128" actual && test_grep "^\"2\"$" actual &&
	river -c delivery.buffer.size=128MiB -c delivery.buffer.age=0s stream apply -f show.yaml >out &&
	test_grep "^web/clicks: unchanged$" out
'

test_expect_success '178: a dry run prints each step and changes nothing' '
	fresh &&
	river -c notify.arn=$queue -c notify.landing_arn=eventbridge stream create web/a --dry-run >out &&
	cat >expected <<-END &&
	notification lake: create
	  river/data/: (absent) -> $queue
	  river/_river/landing/: (absent) -> eventbridge
	web/a: create
	  firehose river-web-a: create
	    type: DirectPut
	    role_arn: arn:aws:iam::123456789012:role/firehose
	    bucket_arn: arn:aws:s3:::lake
	    prefix: river/data/web/a/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/
	    error_prefix: river/_river/firehose-errors/web/a/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/
	    buffer.size: 64MiB
	    buffer.age: 60s
	    compression: GZIP
	    file_extension: .ndjson.gz
	  write _river/streams/web/a.json
	END
	sed 15q out >actual && test_cmp expected actual &&
	river --output json stream create web/a -n >json &&
	jq -c "select(.stream).resources[0].fields | keys" json >actual &&
	echo "[\"bucket_arn\",\"buffer.age\",\"buffer.size\",\"compression\",\"error_prefix\",\"file_extension\",\"prefix\",\"role_arn\",\"type\"]" >expected &&
	test_cmp expected actual &&
	test_grep "\"kind\":\"notification\",\"name\":\"lake\",\"action\":\"none\"" json &&
	test_grep "\"resources\":\[{\"kind\":\"firehose\",\"name\":\"river-web-a\",\"action\":\"create\"" json &&
	river stream create web/a -n >out && test_grep "notification lake: none, as notify.arn is not set" out &&
	test "$(changes)" = 0
'

# What create sends to Firehose is what the dry run said.
test_expect_success 'a dry run says all that the delivery stream is then made with' '
	fresh && river --output json stream create web/a -n >json &&
	jq "select(.stream).resources[0].fields" json >said &&
	river stream create web/a >out &&
	described river-web-a | jq ".DeliveryStreamType as \$type | .Destinations[0].ExtendedS3DestinationDescription |
		{type: \$type, role_arn: .RoleARN, bucket_arn: .BucketARN, prefix: .Prefix, error_prefix: .ErrorOutputPrefix,
		\"buffer.size\": \"\(.BufferingHints.SizeInMBs)MiB\", \"buffer.age\": \"\(.BufferingHints.IntervalInSeconds)s\",
		compression: .CompressionFormat, file_extension: .FileExtension}" >made &&
	jq -S . said >expected && jq -S . made >actual && test_cmp expected actual &&
	test_grep ! fields out
'

test_expect_success '173, 175: half done: killed behind the catalog, behind Firehose, or not allowed; the same command finishes' '
	fresh &&
	emul_script "{\"match\":{\"op\":\"CreateDeliveryStream\"},\"do\":\"status\",\"status\":400,\"code\":\"AccessDeniedException\",\"message\":\"not authorized to perform: firehose:CreateDeliveryStream\"}" &&
	test_expect_code 4 river stream create web/clicks 2>err &&
	test_grep "web/clicks is in the catalog, but not ready" err &&
	test_grep "firehose:CreateDeliveryStream" err &&
	test_grep "print-policy" err &&
	river stream show web/clicks >out && test_grep "^# firehose: river-web-clicks missing" out &&
	river --output json stream create web/clicks >out &&
	test_grep "\"action\":\"finished\"" out &&
	test_grep "\"name\":\"river-web-clicks\",\"action\":\"created\"" out &&
	river stream create web/clicks >out && test_grep "^web/clicks: unchanged" out &&
	emul_config "{\"creating_ms\":120000}" &&
	test_expect_code 1 river --timeout 0s stream create web/slow 2>err &&
	test_grep "river-web-slow is still being made" err &&
	test_grep "the same command again waits on" err &&
	created_later web/slow 121 &&
	test_grep "^web/slow: finished$" out &&
	test "$(described river-web-slow | jq -r .DeliveryStreamStatus)" = ACTIVE &&
	emul_delete "object?bucket=lake&key=river/_river/streams/web/slow.json" >/dev/null &&
	river stream create web/slow >out && test_grep "^web/slow: created$" out &&
	test_grep ! "firehose" out
'

test_expect_success '175: an answer that was not heard does not make two, and a role that is new is waited for' '
	fresh &&
	emul_script "[{\"match\":{\"op\":\"CreateDeliveryStream\"},\"do\":\"read_body_then_close\"},
		{\"match\":{\"op\":\"DescribeDeliveryStream\",\"nth\":2,\"count\":2},\"do\":\"status\",\"status\":400,
		 \"code\":\"ResourceNotFoundException\",\"message\":\"not seen yet\"}]" &&
	river stream create web/clicks >out && test_grep "^web/clicks: created$" out &&
	emul_fired && emul_no_script &&
	emul_script "{\"match\":{\"op\":\"CreateDeliveryStream\",\"count\":\"all\"},\"do\":\"role_not_ready\",\"s\":1}" &&
	river stream create web/b >out && test_grep "^web/b: created$" out && emul_fired
'

test_expect_success 'made in vain: the reason is told, and the same command makes it anew' '
	fresh &&
	emul_script "{\"match\":{\"op\":\"CreateDeliveryStream\"},\"do\":\"creating_failed\",\"message\":\"the key is \\u001b[31mdisabled\"}" &&
	emul_config "{\"creating_ms\":200}" &&
	test_expect_code 1 river stream create web/clicks 2>err &&
	test_grep "could not be made: .*the key is .*disabled" err &&
	test_grep "the same command again" err &&
	test_expect_code 1 river stream diff -f show.yaml >out &&
	test_grep "^- firehose.failure: .*the key is ?\[31mdisabled" out && ! grep "$(printf "\033")" out err &&
	river stream create web/clicks --dry-run >out &&
	test_grep "firehose river-web-clicks: replace" out &&
	river stream create web/clicks >out &&
	test_grep "^web/clicks: finished$" out &&
	test "$(described river-web-clicks | jq -r .DeliveryStreamStatus)" = ACTIVE
'

test_expect_success '173: many at once: one makes it, all are told the truth' '
	fresh &&
	for i in 1 2 3 4
	do
		river stream create web/clicks >out.$i 2>err.$i & pids="$pids $!"
	done &&
	for pid in $pids
	do
		wait $pid || { cat err.*; return 1; }
	done &&
	cat out.* >all &&
	test "$(grep -c "^web/clicks: created$" all)" = 1 &&
	test "$(emul_count firehose.CreateDeliveryStream ok)" = 1 &&
	river stream create web/clicks >out && test_grep "^web/clicks: unchanged$" out
'

test_expect_success 'one of another lake is not touched, neither by apply nor by delete' '
	fresh && emul_post bucket "{\"name\":\"other\"}" >/dev/null &&
	river -c lake=s3://other stream create web/clicks >out &&
	test_expect_code 6 river stream create web/clicks 2>err &&
	test_grep "river-web-clicks is another lake.s: it delivers to arn:aws:s3:::other below .data/web/clicks/dt=" err &&
	echo "stream: web/clicks" >clicks.yaml &&
	test_expect_code 6 river stream apply -f clicks.yaml 2>err &&
	test_grep "another lake" err &&
	test_grep "nothing was changed" err &&
	river stream list >out && test_must_be_empty out &&
	river -c delivery=direct stream create web/clicks >out &&
	river stream delete web/clicks --yes >out 2>err &&
	test_grep "it stays: .*another lake" err &&
	test_grep ! "gone: firehose" out &&
	described river-web-clicks >/dev/null
'

test_expect_success 'a stream from Kinesis of that name, and a missing role' '
	fresh &&
	emul_script "{\"match\":{\"op\":\"DescribeDeliveryStream\"},\"do\":\"status\",\"status\":200,\"body\":\"{\\\"DeliveryStreamDescription\\\":{\\\"DeliveryStreamStatus\\\":\\\"ACTIVE\\\",\\\"DeliveryStreamType\\\":\\\"KinesisStreamAsSource\\\",\\\"Destinations\\\":[]}}\"}" &&
	test_expect_code 6 river stream create web/clicks 2>err &&
	test_grep "none from direct puts to S3" err &&
	sed "s/, role_arn: .*}/ }/" "$RIVER_CONFIG" >norole.yaml &&
	test_expect_code 3 env RIVER_CONFIG=norole.yaml river stream create web/clicks 2>err &&
	test_grep "delivery.role_arn is not set" err &&
	test "$(changes)" = 0
'

test_expect_success 'quota, wrong region, wrong key, no permission to look: one sentence, nothing half made' '
	fresh && emul_config "{\"max_streams\":0}" &&
	test_expect_code 1 river stream create web/clicks 2>err &&
	test_grep "river-web-clicks: .*quota" err &&
	test_grep "hint: .*higher quota" err &&
	fresh &&
	test_expect_code 3 river -c aws.region=eu-west-1 stream create web/clicks 2>err &&
	test_grep "hint: set aws.region of the profile to us-east-1" err &&
	test_expect_code 4 env AWS_SECRET_ACCESS_KEY=wrong river stream create web/clicks 2>err &&
	test_grep "SignatureDoesNotMatch" err &&
	emul_script "{\"match\":{\"op\":\"DescribeDeliveryStream\",\"count\":\"all\"},\"do\":\"status\",\"status\":400,\"code\":\"AccessDeniedException\",\"message\":\"not authorized to perform: firehose:DescribeDeliveryStream\"}" &&
	test_expect_code 4 river stream create web/clicks 2>err &&
	test_grep "firehose:DescribeDeliveryStream" err &&
	test "$(changes)" = 0 &&
	emul_no_script
'

# as_if STREAM STATUS COUNT: for so many looks the stream is in this state
as_if () {
	firehose DescribeDeliveryStream "{\"DeliveryStreamName\":\"$1\"}" >real.json &&
	jq --arg status "$2" --argjson count "$3" "{match: {op: \"DescribeDeliveryStream\", count: \$count}, do: \"status\",
		status: 200, body: (.DeliveryStreamDescription.DeliveryStreamStatus = \$status |
		.DeliveryStreamDescription.FailureDescription = {Type: \"RETIRE_KMS_GRANT_FAILED\", Details: \"no\"} | tojson)}" \
		real.json >rule.json &&
	emul_script "$(cat rule.json)"
}

test_expect_success 'killed or stopped while it waits: the same command goes on' '
	fresh && emul_config "{\"creating_ms\":120000}" && ahead=0 &&
	for signal in KILL TERM
	do
		ahead=$((ahead + 121)) &&
		stream=$(echo $signal | tr A-Z a-z) && emul_delete log >/dev/null &&
		{ river stream create web/$stream >out 2>err & } && pid=$! &&
		test_wait_until 20 is_waited_for && kill -$signal $pid &&
		{ wait $pid; test $? -gt 128 || return 1; } &&
		created_later web/$stream $ahead && test_grep "^web/$stream: finished" out || return 1
	done
'

test_expect_success 'somebody else changes it at the same time: looked at again' '
	fresh && river stream create web/clicks >out && river stream show web/clicks >clicks.yaml &&
	emul_script "{\"match\":{\"op\":\"UpdateDestination\",\"count\":6},\"do\":\"status\",\"status\":400,\"code\":\"ConcurrentModificationException\"}" &&
	river -c delivery.buffer.age=90s stream apply -f clicks.yaml >out &&
	test_grep "^web/clicks: updated" out && emul_fired &&
	described river-web-clicks | grep "\"IntervalInSeconds\": 90"
'

test_expect_success 'one that could not be deleted: told, and deleted by the next delete' '
	fresh && river stream create web/clicks >out &&
	as_if river-web-clicks DELETING_FAILED 1 &&
	test_expect_code 6 river stream create web/clicks 2>err &&
	test_grep "could not be deleted: RETIRE_KMS_GRANT_FAILED: no" err &&
	test_grep "hint: .*by force: river stream delete web/clicks" err &&
	as_if river-web-clicks DELETING_FAILED 3 &&
	river stream delete web/clicks --yes >out && test_grep "gone: firehose river-web-clicks" out &&
	test_expect_code 22 described_code river-web-clicks
'

test_expect_success 'what has to be over before it is made or changed is waited for no longer than --timeout says' '
	fresh && river stream create web/clicks >out && river stream show web/clicks >clicks.yaml &&
	as_if river-web-clicks DELETING 100 &&
	test_expect_code 1 timeout 60 river --timeout 0s stream create web/clicks 2>err &&
	test_grep "river-web-clicks is still being deleted" err && emul_no_script &&
	as_if river-web-clicks CREATING 100 &&
	test_expect_code 1 timeout 60 river --timeout 0s -c delivery.buffer.age=90s stream apply -f clicks.yaml 2>err &&
	test_grep "river-web-clicks is still being made" err && emul_no_script
'

# ---- the bucket's notification -------------------------------------------------------------------

their_xml="<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">
  <TopicConfiguration><Id>theirs</Id><Topic>$topic</Topic><Event>s3:ObjectRemoved:*</Event></TopicConfiguration>
  <CloudFunctionConfiguration><Id>thumbs</Id><CloudFunction>$lambda</CloudFunction><Event>s3:ObjectCreated:*</Event>
    <Filter><S3Key><FilterRule><Name>prefix</Name><Value>images/</Value></FilterRule>
    <FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration>
  <EventBridgeConfiguration/></NotificationConfiguration>"

test_expect_success 'one notification for the lake, merged with what is there' '
	fresh &&
	printf "%s" "$their_xml" >theirs.xml && notification -X PUT --data-binary @theirs.xml &&
	notification >before &&
	river -c notify.arn=$queue stream create web/a >out &&
	cat >expected <<-END &&
	notification lake: created
	  river/data/: (absent) -> $queue
	web/a: created
	  firehose river-web-a: created
	END
	test_cmp expected out &&
	notification >after &&
	test_grep "<Id>thumbs</Id>" after && test_grep "<Id>theirs</Id>" after && test_grep EventBridge after &&
	test_grep "<Value>river/data/</Value>" after &&
	river -c notify.arn=$queue stream create web/b >out &&
	test_grep ! notification out &&
	test "$(emul_count s3.PutBucketNotificationConfiguration ok)" = 2 &&
	notification >again && test_cmp after again
'

test_expect_success 'it tells of what lands, and of nothing else of the lake' '
	emul_get "events?bucket=lake" >events && test_must_be_empty events &&
	printf "{}\n" | river -c delivery=direct -c notify.arn=$queue push web/a &&
	emul_get "events?bucket=lake" | jq -r ".Records[0].s3.object.key" >keys &&
	test_line_count = 1 keys && test_grep "^river/data/web/a/dt" keys
'

test_expect_success 'the profile names another place: diff shows it, create refuses, apply changes it' '
	river stream show web/a >a.yaml &&
	test_expect_code 1 river -c notify.arn=$topic stream diff -f a.yaml >out &&
	test_grep "^lake s3://lake/river: differs$" out &&
	test_grep "^- notification.river/data/: $queue$" out &&
	test_grep "^+ notification.river/data/: $topic$" out &&
	test_expect_code 6 river -c notify.arn=$topic stream create web/c 2>err &&
	test_grep "notification lake is there and differs" err &&
	river -c notify.arn=$topic stream apply -f a.yaml >out &&
	test_grep "^notification lake: updated$" out &&
	notification >after && test_grep ! "$queue" after && test_grep thumbs after
'

test_expect_success 'an overlap is refused by name, and nothing is made' '
	fresh &&
	echo "<NotificationConfiguration><QueueConfiguration><Id>all</Id><Queue>$topic</Queue><Event>s3:ObjectCreated:Put</Event></QueueConfiguration></NotificationConfiguration>" |
		sed "s/Queue/Topic/g" >theirs.xml && notification -X PUT --data-binary @theirs.xml &&
	emul_delete log >/dev/null &&
	test_expect_code 6 river -c notify.arn=$queue stream create web/a 2>err &&
	test_grep "bucket lake: the bucket already tells $topic of new objects below .. (notification all)" err &&
	test_grep "hint: .*eventbridge" err &&
	test "$(changes)" = 0 &&
	river -c notify.arn=eventbridge stream create web/a >out &&
	notification >after && test_grep "<Id>all</Id>" after && test_grep EventBridge after
'

test_expect_success 'a full bucket is told' '
	fresh &&
	{
		echo "<NotificationConfiguration>" &&
		for i in $(seq 100)
		do
			echo "<QueueConfiguration><Queue>$queue</Queue><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>p$i/</Value></FilterRule></S3Key></Filter></QueueConfiguration>"
		done &&
		echo "</NotificationConfiguration>"
	} >full.xml && notification -X PUT --data-binary @full.xml &&
	test_expect_code 6 river -c notify.arn=$queue stream create web/a 2>err &&
	test_grep "has 100 notification configurations" err
'

test_expect_success 'S3 that cannot reach the queue, and no permission' '
	fresh && emul_config "{\"notification_destinations\":[\"$topic\"]}" &&
	test_expect_code 1 river -c notify.arn=$queue stream create web/a 2>err &&
	test_grep "Unable to validate" err &&
	test_grep "hint: .*print-policy" err &&
	test_grep "no stream was changed" err &&
	river stream list >out && test_must_be_empty out &&
	emul_script "{\"match\":{\"op\":\"GetBucketNotificationConfiguration\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" &&
	test_expect_code 4 river -c notify.arn=$topic stream create web/a 2>err &&
	test_grep "hint: allow s3:GetBucketNotification" err &&
	river -c notify.arn=$topic stream create web/a >out
'

# The other one has read before us and writes after us.
test_expect_success 'a configuration that is overwritten at once is put again' '
	fresh &&
	emul_script "{\"match\":{\"op\":\"PutBucketNotificationConfiguration\"},\"do\":\"status\",\"accept\":false,\"status\":200,\"body\":\"\"}" &&
	river -c notify.arn=$queue stream create web/a >out &&
	notification >after && test_grep "<Value>river/data/</Value>" after &&
	test "$(emul_count s3.PutBucketNotificationConfiguration)" = 2
'

# S3 has no condition for it. Whoever is held up between the last look and the put, for as long as river waits until
# it reads its own back, undoes what another one put in between, and neither can know. Then, and only then, the same
# command again has to mend it.
held_up () {
	emul_log service=s3 | jq -s -e "map(select(.op | endswith(\"BucketNotificationConfiguration\"))) | group_by(.conn) |
		map(sort_by(.n) | [.[:-1], .[1:]] | transpose | .[] | select(.[1].op[:3] == \"Put\") | .[1].t - .[0].t - .[0].ms) |
		length >= 3 and max >= 400" >/dev/null
}
one_of_many () {
	river -c lake=s3://lake/lake$1 -c delivery=direct -c notify.arn=$queue stream create web/s$1
}
test_expect_success 'many creates at once lose no notification of each other' '
	fresh && emul_post bucket "{\"name\":\"lake\"}" >/dev/null && pids= &&
	for i in 1 2 3
	do
		one_of_many $i >out.$i 2>err.$i &
		pids="$pids $!"
	done &&
	for pid in $pids
	do
		wait $pid || { cat err.*; return 1; }
	done &&
	notification >after &&
	for i in 1 2 3
	do
		test_grep "<Value>lake$i/data/</Value>" after || { held_up && one_of_many $i; } || return 1
	done &&
	notification >after &&
	for i in 1 2 3
	do
		test_grep "<Value>lake$i/data/</Value>" after || return 1
	done
'

# ---- delete --------------------------------------------------------------------------------------

test_expect_success 'delete takes the delivery stream along, and leaves the notification' '
	fresh && emul_config "{\"deleting_ms\":300}" &&
	river -c notify.arn=$queue stream create web/a >out &&
	river -c notify.arn=$queue stream delete web/a --dry-run >out &&
	test_grep "goes: firehose river-web-a" out &&
	test_grep "stays for other streams: notification of the bucket" out &&
	described river-web-a >/dev/null &&
	river -c notify.arn=$queue stream delete web/a --yes >out &&
	test_grep "gone: firehose river-web-a" out &&
	test_expect_code 22 described_code river-web-a &&
	notification >after && test_grep "<Value>river/data/</Value>" after
'

test_expect_success 'a delete that was refused has deleted nothing; the same command goes on' '
	fresh && river stream create web/a >out &&
	emul_script "{\"match\":{\"op\":\"DeleteDeliveryStream\"},\"do\":\"status\",\"status\":400,\"code\":\"AccessDeniedException\"}" &&
	test_expect_code 4 river stream delete web/a --data --yes 2>err &&
	test_grep "nothing else was deleted yet" err &&
	river stream show web/a >out &&
	river stream delete web/a --data --yes >out &&
	river stream create web/a >out && test_grep "^web/a: created" out
'

test_expect_success 'a delivery stream whose definition is gone goes with --data' '
	fresh && river stream create web/a >out &&
	emul_delete "object?bucket=lake&key=river/_river/streams/web/a.json" >/dev/null &&
	test_expect_code 5 river stream delete web/a --yes 2>err &&
	river stream delete web/a --data --yes >out &&
	test_grep "gone: firehose river-web-a" out &&
	test_expect_code 22 described_code river-web-a &&
	test_expect_code 5 river stream delete web/a --data --yes 2>err
'

test_expect_success 'apply --prune takes it along as well' '
	fresh && river stream create web/a >out && river stream create web/b >out &&
	echo "stream: web/b" >b.yaml &&
	river stream apply -f b.yaml --prune --dry-run >out &&
	test_grep "^  firehose river-web-a: delete$" out && described river-web-a >/dev/null &&
	river --output json stream apply -f b.yaml --prune --dry-run >out &&
	test_grep "\"kind\":\"firehose\",\"name\":\"river-web-a\",\"action\":\"delete\",\"changes\":\[\]" out &&
	river stream apply -f b.yaml --prune >out &&
	test_grep "^web/a: deleted" out && test_grep "^  firehose river-web-a: deleted$" out &&
	test_expect_code 22 described_code river-web-a &&
	described river-web-b >/dev/null
'

emul_stop
test_done
