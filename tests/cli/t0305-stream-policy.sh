#!/bin/sh
test_description='stream create --print-policy: what IAM has to allow, without asking anybody'
. "$(dirname "$0")/../lib/test-lib.sh"

test_expect_success 'set up profiles' '
	cat >river.yaml <<-\YAML
	default_profile: prod
	profiles:
	  prod:
	    lake: s3://acme-lake/river
	    aws: { region: eu-west-1 }
	    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/river-firehose" }
	    notify: { arn: "arn:aws:sqs:eu-west-1:123456789012:river-loads", landing_arn: eventbridge }
	  plain:
	    lake: s3://acme-lake
	  local: {}
	YAML
'

# The whole of it, so that a change is seen for what it allows.
test_expect_success 'with Firehose, all policies' '
	river stream create web/clicks --print-policy >actual 2>err &&
	test_cmp "$RIVER_SOURCE/tests/data/policies-firehose.json" actual &&
	test_must_be_empty err &&
	river --output json stream create web/clicks --print-policy >one &&
	test_line_count = 1 one &&
	test_grep "^{\"v\":1,\"stream\":\"web/clicks\",\"policies\":{\"push\":{\"Version\":\"2012-10-17\"" one
'

test_expect_success 'for Snowflake, the role that reads the lake, unless a stage has one already' '
	snowflake="-c warehouse.type=snowflake" &&
	river $snowflake stream create web/clicks --print-policy >actual &&
	jq -c "[.policies.snowflake_role.Statement[] | [.Action, .Resource, .Condition]]" actual >statements &&
	cat >expected <<-\JSON &&
	[[["s3:GetObject","s3:GetObjectVersion"],["arn:aws:s3:::acme-lake/river/data/*","arn:aws:s3:::acme-lake/river/loads/*"],null],[["s3:GetBucketLocation"],"arn:aws:s3:::acme-lake",null],[["s3:ListBucket"],"arn:aws:s3:::acme-lake",{"StringLikeIfExists":{"s3:prefix":["river/data/*","river/loads/*"]}}]]
	JSON
	test_cmp expected statements &&
	river $snowflake -c warehouse.stage=a.b.c stream create web/clicks --print-policy >actual &&
	test_grep ! snowflake_role actual
'

test_expect_success 'a business with a lake of its own needs what that lake needs' '
	cat >businesses.yaml <<-\YAML &&
	default_profile: prod
	profiles:
	  prod:
	    lake: s3://acme-lake/river
	    aws: { region: eu-west-1 }
	    warehouse: { type: snowflake, connection: main, database: RIVER, storage_integration: RIVER_S3 }
	    businesses:
	      vista: { connection: vista, database: VISTA, lake: "s3://vista-lake/v" }
	      near: { connection: vista, database: NEAR }
	YAML
	for stream in vista/clicks near/clicks web/clicks
	do
		RIVER_CONFIG=businesses.yaml river stream create $stream --print-policy >policy || return 1
		grep -o "arn:aws:s3:::[a-z-]*" policy | sort -u
	done >buckets &&
	printf "arn:aws:s3:::%s\n" vista-lake acme-lake acme-lake >expected && test_cmp expected buckets &&
	RIVER_CONFIG=businesses.yaml river stream create vista/clicks --print-policy >policy &&
	test_grep "s3:::vista-lake/v/data/vista/clicks/" policy
'

# Neither credentials nor a network: no call that opens a socket.
test_expect_success 'nobody is asked' '
	AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=$test_canary \
	HTTPS_PROXY=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1 \
		river -c aws.endpoint_url=http://127.0.0.1:1 stream create web/clicks --print-policy >actual &&
	test_cmp "$RIVER_SOURCE/tests/data/policies-firehose.json" actual
'

test_expect_success 'direct delivery needs no Firehose, and no notification when none is set' '
	river --profile plain stream create web/clicks --print-policy >actual &&
	test_grep "arn:aws:s3:::acme-lake/data/web/clicks/\*" actual &&
	test_grep "\"data/web/clicks/\*\"" actual &&
	test_grep ! firehose actual &&
	test_grep ! PassRole actual &&
	test_grep ! BucketNotification actual
'

test_expect_success 'partitions follow the role, else the region' '
	river -c aws.region=cn-north-1 --profile plain stream create c --print-policy >actual &&
	test_grep "arn:aws-cn:s3:::acme-lake/data/main/c/" actual &&
	river -c delivery.role_arn=arn:aws-us-gov:iam::210987654321:role/x -c notify.arn=eventbridge \
		stream create c --print-policy >actual &&
	test_grep "arn:aws-us-gov:firehose:eu-west-1:210987654321:deliverystream/river-main-c" actual &&
	test_grep "\"sts:ExternalId\": \"210987654321\"" actual &&
	test_grep ! "arn:aws:" actual
'

test_expect_success 'what is not known is a star, and said' '
	river --profile plain -c delivery=firehose stream create c --print-policy >actual 2>err &&
	test_grep "\"arn:aws:firehose:\*:\*:deliverystream/river-main-c\"" actual &&
	test_grep ! ExternalId actual &&
	test_grep "account and role are not known" err &&
	test_grep "region is not known" err
'

test_expect_success 'stars in the name of a lake are no patterns' '
	river -c "lake=s3://acme-lake/a*b\$c?" stream create c --print-policy >actual &&
	test_grep -F "arn:aws:s3:::acme-lake/a\${*}b\${\$}c\${?}/data/main/c/*" actual
'

test_expect_success 'files: one object for each stream, and their mistakes' '
	printf "stream: web/a\n---\nstream: web/b\n" >two.yaml &&
	river --output json stream create -f two.yaml --print-policy >actual &&
	test_line_count = 2 actual &&
	echo "stream: web/Bad" >bad.yaml &&
	test_expect_code 3 river stream create -f bad.yaml --print-policy >actual 2>err &&
	test_must_be_empty actual &&
	test_grep "bad.yaml" err
'

test_expect_success 'a folder needs no policy' '
	test_expect_code 2 river --profile local stream create c --print-policy 2>err &&
	test_grep "nobody needs a policy" err &&
	test_path_is_missing "$HOME/.local/share/river"
'

test_done
