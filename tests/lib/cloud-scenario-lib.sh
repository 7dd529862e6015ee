# Scenarios of runs that talk to emulated clouds: files of tests/fault/clouds, as scenario-lib.sh has them, walked over
# by tests/fault/t0540-clouds.sh. After test-lib.sh, fault-lib.sh, push-fault-lib.sh, scenario-lib.sh, emul-lib.sh and
# dynamodb-lib.sh:
#
#	clouds_start             one emulator of each kind, for all of them; a script without them ends here
#	clouds_fresh             clouds in which nothing is but the bucket lake, keys that last for an hour, a user of
#	                         Snowflake and its token; and a fresh state of river (a scenario's begin)
#	cloud_profile LINE...    ./river.yaml: a lake on S3, the state in w/state, and these lines
#	by_user                  AWS is asked with keys that last, which DynamoDB's emulator knows, and not with a session's
#	by_token                 Snowflake is asked with an OAuth token; by_key_pair: with a key
#	objects                  what objects of the lake hold, in `got`; whole_objects: and no upload was left half
#	snow_rows SQL            a query of the account's administrator, its first columns one a line
#	cloud_secrets            what the clouds were given, beside the headers, holds no secret; or it is counted
#
# All secrets that river is given hold the canary, but for the private key, which is one of its own: a secret access
# key, a session token, an OAuth token. What it makes of them (signatures, JWTs) is no file's business either.

clouds_start () {
	printf '%s\tskipped\n' "$TEST_NAME" >"$walk_rows"
	emul_need
	test -d "$emul_home/node_modules/dynalite" ||
		test_skip_all 'the packages of tests/emul are older than it is: make deps-peers'
	: >"$walk_rows"
	emul_start || test_bug 'the emulator does not start'
	dynamodb_start || test_bug 'DynamoDB does not start'
	emul_env && sf_start && sf_env || test_bug 'no account'
	cloud_key=ASIARIVERTEST0000009 cloud_secret=$test_canary/000000000000000000000009 cloud_session=FwoGZXIvYXdz$test_canary
	cloud_token=ver:3-hint:0-$test_canary
	jq -n --arg user "$sf_user" --arg key "$sf_public" \
		'{name: $user, public_key: $key, default_role: "ACCOUNTADMIN", default_warehouse: "WH"}' >"$emul_dir/user"
}

clouds_fresh () {
	rm -rf w && mkdir -p w/state &&
	emul_post reset '' &&
	emul_post keys "{\"id\":\"$cloud_key\",\"secret\":\"$cloud_secret\",\"token\":\"$cloud_session\",\"life_s\":3600}" &&
	emul_post bucket '{"name":"lake"}' && sf_post account "{\"name\":\"$sf_account\"}" &&
	emul_post snowflake/user @"$emul_dir/user" &&
	sf_post token "{\"user\":\"$sf_user\",\"kind\":\"OAUTH\",\"token\":\"$cloud_token\",\"life_s\":3600}"
} >/dev/null

cloud_profile () {
	AWS_ACCESS_KEY_ID=$cloud_key AWS_SECRET_ACCESS_KEY=$cloud_secret AWS_SESSION_TOKEN=$cloud_session
	export AWS_SESSION_TOKEN
	by_key_pair
	{
		printf 'profiles:\n  local:\n    lake: s3://lake/river\n    state: ./w/state\n'
		printf '    %s\n' "$@"
	} >river.yaml
}
by_user () {
	AWS_ACCESS_KEY_ID=$emul_access_key AWS_SECRET_ACCESS_KEY=$emul_secret_key
	unset AWS_SESSION_TOKEN
}
by_token () {
	SNOWFLAKE_AUTHENTICATOR=OAUTH SNOWFLAKE_TOKEN=$cloud_token
	export SNOWFLAKE_TOKEN
	unset SNOWFLAKE_PRIVATE_KEY_PATH
}
by_key_pair () {
	unset SNOWFLAKE_TOKEN
	sf_env
}
cloud_snowflake='warehouse: { type: snowflake, database: RIVER, warehouse: WH, storage_integration: RIVER_S3, storage_role_arn: "arn:aws:iam::123456789012:role/river" }'
cloud_firehose='delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }'

objects () {
	emul_get "objects?bucket=lake&prefix=river/data/" | jq -r '.key | @uri' >keys && : >got || return 1
	while read -r key
	do
		emul_get "object?bucket=lake&key=$key" | zstd -dqc >>got || { echo "cannot read $key"; return 1; }
	done <keys
}
whole_objects () {
	emul_get uploads >left && test_must_be_empty left
}

snow_rows () {
	sf_sql "$1" | jq -r -n 'inputs | to_entries[0].value'
}

cloud_secrets () {
	emul_get "secrets?word=$test_canary" >sent && test_must_be_empty sent || tally_secrets=$((tally_secrets + 1))
}
