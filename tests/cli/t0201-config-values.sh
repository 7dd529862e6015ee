#!/bin/sh
test_description='values: precedence, origins, shapes, and what goes together'
. "$(dirname "$0")/../lib/test-lib.sh"

get () {
	river "$@" --show-origin >actual
}

# is VALUE ORIGIN
is () {
	printf '%s\t%s\n' "$1" "$2" >expected &&
	test_cmp expected actual
}

test_expect_success 'setup' '
	echo "default_profile: local" >empty.yaml &&
	cat >river.yaml <<-\YAML
	profiles:
	  local:
	    lake: ./lake
	    spool: { max: 1MiB }
	    max_memory: 64MiB
	    warehouse:
	      memory_limit: 2GiB
	      threads: 3
	YAML
'

test_expect_success '16: flag over environment over file over default, each with its origin' '
	while read -r key variable file_value line env_value flag_value
	do
		get config get $key &&
		is $file_value "file:$TRASH_DIRECTORY/river.yaml:$line" &&
		env $variable=$env_value river config get $key --show-origin >actual &&
		is $env_value "environment $variable" &&
		env $variable=$env_value river -c $key=$flag_value config get $key \
			--show-origin >actual &&
		is $flag_value -c &&
		env RIVER_CONFIG=empty.yaml river config get $key --show-origin >actual &&
		test_grep "	default$" actual || return 1
	done <<-TABLE
	lake RIVER_LAKE $TRASH_DIRECTORY/lake 3 /e /f
	spool.max RIVER_SPOOL_MAX 1MiB 4 2MiB 3MiB
	max_memory RIVER_MAX_MEMORY 64MiB 5 65MiB 66MiB
	warehouse.memory_limit RIVER_WAREHOUSE_MEMORY_LIMIT 2GiB 7 3GiB 4GiB
	warehouse.threads RIVER_WAREHOUSE_THREADS 3 8 4 5
	TABLE
'

test_expect_success '--endpoint-url stands over -c, its variable over that of the key' '
	cat >endpoint.yaml <<-\YAML &&
	profiles: { local: { lake: "s3://bucket/lake", aws: { endpoint_url: "http://file:1" } } }
	YAML
	RIVER_CONFIG=endpoint.yaml && export RIVER_CONFIG &&
	test_when_finished "unset RIVER_CONFIG" &&
	get config get aws.endpoint_url &&
	is http://file:1 "file:$TRASH_DIRECTORY/endpoint.yaml:1" &&
	for place in before behind
	do
		before= behind= && eval "$place=--endpoint-url=http://flag:5" &&
		RIVER_AWS_ENDPOINT_URL=http://key:2 RIVER_ENDPOINT_URL=http://option:3 \
			river $before -c aws.endpoint_url=http://c:4 config get aws.endpoint_url \
			--show-origin $behind >actual &&
		is http://flag:5 --endpoint-url || return 1
	done &&
	RIVER_AWS_ENDPOINT_URL=http://key:2 RIVER_ENDPOINT_URL=http://option:3 \
		river -c aws.endpoint_url=http://c:4 config get aws.endpoint_url --show-origin >actual &&
	is http://c:4 -c &&
	RIVER_AWS_ENDPOINT_URL=http://key:2 RIVER_ENDPOINT_URL=http://option:3 \
		river config get aws.endpoint_url --show-origin >actual &&
	is http://option:3 "environment RIVER_ENDPOINT_URL"
'

test_expect_success '202: an endpoint that is no URL of a host is refused, and not quoted' '
	test_holds_secret bad.yaml &&
	for url in nohost:9 http:// ftp://host http://me:$test_canary@host http://host?x=$test_canary
	do
		test_expect_code 2 river --endpoint-url $url config list 2>err &&
		test_grep "^river: --endpoint-url: the value is no URL of a host" err &&
		test_expect_code 2 river -c aws.endpoint_url=$url config list 2>>err &&
		test_expect_code 3 env RIVER_ENDPOINT_URL=$url river config list 2>>err &&
		test_grep "environment RIVER_ENDPOINT_URL" err &&
		printf "profiles: { local: { aws: { endpoint_url: \"%s\" } } }\n" $url >bad.yaml &&
		test_expect_code 3 river config check bad.yaml 2>>err &&
		test_grep "bad.yaml:1:" err &&
		! grep $test_canary err || return 1
	done
'

test_expect_success 'an empty variable is one that is not set' '
	env RIVER_SPOOL_MAX= river config get spool.max >actual &&
	echo 1MiB >expected &&
	test_cmp expected actual
'

test_expect_success 'variables that are no key are left alone' '
	env RIVER_SPOOL_MAXIMUM=x RIVER_NONSENSE=y river config list >actual
'

test_expect_success 'the last -c of a key wins' '
	get -c spool.max=5MiB -c spool.max=6MiB config get spool.max &&
	is 6MiB -c
'

test_expect_success 'a word stands for the type' '
	get -c warehouse=none config get warehouse.type &&
	is none -c &&
	env RIVER_WAREHOUSE=none river config get warehouse --show-origin >actual &&
	is none "environment RIVER_WAREHOUSE"
'

test_expect_success 'relative paths: of the file, or of the working folder' '
	mkdir -p sub &&
	river -C sub config get lake >actual &&
	echo "$TRASH_DIRECTORY/lake" >expected &&
	test_cmp expected actual &&
	river -C sub -c lake=../x config get lake >actual &&
	echo "$TRASH_DIRECTORY/x" >expected &&
	test_cmp expected actual &&
	river -c lake="~/x" config get lake >actual &&
	echo "$HOME/x" >expected &&
	test_cmp expected actual
'

test_expect_success 'list shows every value once, in text and json' '
	river config list --show-origin >actual &&
	test_grep "^key  *value  *origin$" actual &&
	test_grep "^spool.max  *1MiB  *file:.*river.yaml:4$" actual &&
	test_grep "^delivery.type  *direct  *default$" actual &&
	river --output json config list >json &&
	test_grep "\"v\":1,\"key\":\"spool.max\",\"value\":\"1MiB\",\"origin\":\"file:" json &&
	test $(wc -l <actual) -eq $(($(wc -l <json) + 1)) &&
	test_grep ! "aws.region" actual &&
	river config list --all >all &&
	test_grep "^aws.region .*not set" all
'

test_expect_success 'get of a key that is not set is 5, of an unknown one 2' '
	test_expect_code 5 river config get aws.region >out 2>err &&
	test_must_be_empty out &&
	test_grep "aws.region is not set" err &&
	test_expect_code 2 river config get warehouse.memroy_limit 2>err &&
	test_grep "unknown key warehouse.memroy_limit" err &&
	test_grep "did you mean warehouse.memory_limit?" err &&
	test_expect_code 2 river config get 2>err &&
	test_expect_code 2 river config get a b 2>err
'

test_expect_success 'what -c has wrong is 2, what the environment has wrong is 3' '
	test_expect_code 2 river -c lak=x config list 2>err &&
	test_grep "did you mean lake?" err &&
	test_expect_code 2 river -c lake config list 2>err &&
	test_grep "not key=value" err &&
	test_expect_code 2 river -c spool.max=lots config list 2>err &&
	test_grep "spool.max: .lots. is not a size" err &&
	test_expect_code 3 env RIVER_SPOOL_MAX=lots river config list 2>err &&
	test_grep "environment RIVER_SPOOL_MAX: .lots. is not a size" err &&
	test_expect_code 3 env RIVER_WAREHOUSE=sqlite river config list 2>err &&
	test_grep "duckdb, snowflake or none" err
'

test_expect_success 'nothing is interpolated, and what looks like it is refused' '
	test_expect_code 2 river -c "lake=\$HOME/x" config list 2>err &&
	test_grep "variables are not replaced" err &&
	river -c "lake=./\$HOME" config get lake >actual &&
	echo "$TRASH_DIRECTORY/\$HOME" >expected &&
	test_cmp expected actual
'

test_expect_success 'the documented cloud profile is understood' '
	cat >cloud.yaml <<-\YAML &&
	default_profile: prod
	profiles:
	  prod:
	    lake: s3://acme-lake/river
	    aws: { profile: data, region: eu-west-1 }
	    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/x", buffer: { size: 64MiB, age: 60s } }
	    warehouse: { type: snowflake, connection: prod, database: RIVER, warehouse: LOAD_WH, storage_integration: RIVER_S3 }
	    businesses:
	      vista: { connection: vista, database: VISTA }
	YAML
	RIVER_CONFIG=cloud.yaml && export RIVER_CONFIG &&
	test_when_finished "unset RIVER_CONFIG" &&
	river config check >out &&
	get config get businesses.vista.database &&
	is VISTA "file:$TRASH_DIRECTORY/cloud.yaml:9" &&
	get config get delivery.buffer.age &&
	is 60s "file:$TRASH_DIRECTORY/cloud.yaml:6"
'

test_expect_success 'firehose and snowflake with a folder are refused with both origins' '
	test_expect_code 3 river -c warehouse=snowflake config list 2>err &&
	test_grep "snowflake needs a lake on S3" err &&
	test_grep "river.yaml:3" err &&
	test_expect_code 3 env RIVER_DELIVERY=firehose river config list 2>err &&
	test_grep "environment RIVER_DELIVERY" err &&
	test_expect_code 3 env RIVER_DELIVERY=firehose river config check 2>err &&
	test_grep "firehose needs a lake on S3" err
'

test_done
