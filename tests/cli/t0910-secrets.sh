#!/bin/sh
test_description='no secret reaches a message, a trace, an argument, a child, a file or a core'
. "$(dirname "$0")/../lib/test-lib.sh"

# What is asked here does not answer, so that every message about it is seen. The library searches all that
# is left for the canary; these tests make river handle one in every way that it knows.
nobody=http://127.0.0.1:1
mkdir "$HOME/.aws"
test_holds_secret "$HOME/.aws/credentials" "$HOME/.aws/config" answer.json connections.toml token keys
cat >"$HOME/.aws/credentials" <<EOT
[default]
aws_access_key_id = AKIARIVERTEST0000001
aws_secret_access_key = $test_canary/abcdefghijklmnopqrstuvwxy
[session]
aws_access_key_id = ASIARIVERTEST0000001
aws_secret_access_key = $test_canary/abcdefghijklmnopqrstuvwxy
aws_session_token = FwoGZXIvYXdz$test_canary
EOT
cat >answer.json <<EOT
{"Version":1,"AccessKeyId":"ASIARIVERTEST0000002","SecretAccessKey":"$test_canary/zyxwvutsrqponmlkjihgfedcb",
 "SessionToken":"FwoGZXIvYXdz$test_canary","Expiration":"2036-01-01T00:00:00Z"}
EOT
cat >program.sh <<EOT
env >"$PWD/child.env"
tr '\\000' '\\n' </proc/\$PPID/cmdline >"$PWD/parent.arguments"
tr '\\000' '\\n' </proc/\$\$/cmdline >"$PWD/child.arguments"
cat "$PWD/answer.json"
EOT
cat >"$HOME/.aws/config" <<EOT
[profile program]
credential_process = sh $PWD/program.sh
[profile role]
role_arn = arn:aws:iam::123456789012:role/r
source_profile = program
[profile sso]
sso_start_url = $nobody
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = r
EOT
cat >river.yaml <<EOT
profiles:
  local:
    lake: s3://lake/river
    aws: { endpoint_url: "$nobody", region: us-east-1 }
    warehouse: { type: duckdb, path: ./warehouse.duckdb }
  snow:
    lake: s3://lake/river
    aws: { endpoint_url: "$nobody", region: us-east-1 }
    warehouse: { type: snowflake, connection: prod, database: RIVER, warehouse: WH, storage_integration: s3 }
EOT
AWS_STS_ENDPOINT=$nobody AWS_ENDPOINT_URL_STS=$nobody AWS_MAX_ATTEMPTS=1
export AWS_STS_ENDPOINT AWS_ENDPOINT_URL_STS AWS_MAX_ATTEMPTS

# fails NAME COMMAND...: as text and as JSON, with all there is to say
fails () {
	fails_name=$1
	shift
	test_must_fail "$@" -v >"$fails_name.out" 2>"$fails_name.err" &&
	test_must_fail "$@" -v --output json >"$fails_name.json.out" 2>"$fails_name.json.err" &&
	cat "$fails_name.err" "$fails_name.json.err"
}

test_expect_success 'keys of AWS: from a file, with a session, from a program, for a role' '
	for profile in default session program role sso
	do
		fails "list-$profile" env AWS_PROFILE=$profile river --timeout 30s stream list &&
		fails "push-$profile" env AWS_PROFILE=$profile river --timeout 30s push web/clicks "$HOME/.aws/none" &&
		fails "doctor-$profile" env AWS_PROFILE=$profile river --timeout 30s doctor || return 1
	done &&
	test_grep "127.0.0.1:1" list-default.err && test_grep "127.0.0.1:1" list-session.err &&
	test_grep "127.0.0.1:1" list-program.err && test -s child.env
'

test_expect_success 'from the environment, which a program of river does not have less of and not more' '
	fails list-environment env AWS_ACCESS_KEY_ID=AKIARIVERTEST0000001 \
		AWS_SECRET_ACCESS_KEY=$test_canary/abcdefghijklmnopqrstuvwxy AWS_SESSION_TOKEN=$test_canary \
		river --timeout 30s stream list
'

# strace shows the arguments and the environment of all that is executed.
test_lazy_prereq STRACE 'command -v strace && strace -o /dev/null true'
test_expect_success STRACE 'nothing that river starts is told a secret, by arguments or environment' '
	test_no_leak_check && rm -f child.env &&
	test_must_fail env AWS_PROFILE=role strace -f -v -s 1000000 -e trace=execve,execveat -e signal=none -o calls \
		river --timeout 30s stream list 2>err &&
	test_grep "execve(.*program.sh" calls && test_grep "AWS_PROFILE=role" calls &&
	test_grep "^stream$" parent.arguments && test_grep "program.sh" child.arguments && test_grep ^HOME= child.env
'

test_expect_success 'the password of a proxy' '
	for scheme in http https
	do
		fails "proxy-$scheme" env ${scheme}_proxy=http://river:$test_canary@127.0.0.1:1 all_proxy= \
			river --timeout 30s --endpoint-url $scheme://127.0.0.2:1 stream list &&
		test_grep -i proxy "proxy-$scheme.err" || return 1
	done
'

test_expect_success 'addresses that hold one are refused, and not repeated' '
	fails endpoint river --endpoint-url "http://me:$test_canary@127.0.0.1:1" stream list &&
	fails signed river pump --retry-for 1s --to "http://127.0.0.1:1/in?X-Amz-Signature=$test_canary&key=$test_canary" "$RIVER_SOURCE/VERSION.none" &&
	printf "{\"a\":1}\n" >one.ndjson &&
	fails posted river pump --retry-for 1s --to "http://127.0.0.1:1/in?key=$test_canary" one.ndjson
'

test_lazy_prereq OPENSSL 'command -v openssl'
test_expect_success OPENSSL 'keys and tokens of Snowflake, good and bad' '
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.p8 2>/dev/null && test_secret_file rsa.p8 &&
	openssl pkcs8 -topk8 -v2 aes-256-cbc -in rsa.p8 -out locked.p8 -passout pass:$test_canary && test_secret_file locked.p8 &&
	head -n 9 rsa.p8 >cut.p8 && echo "$test_canary" >token && echo "$test_canary" >words.p8 &&
	chmod 600 rsa.p8 locked.p8 cut.p8 token words.p8 && mkdir -p sf && test_holds_secret sf/connections.toml &&
	n=0 &&
	for way in "SNOWFLAKE_JWT private_key_file rsa.p8" "SNOWFLAKE_JWT private_key_file locked.p8" \
		"SNOWFLAKE_JWT private_key_file cut.p8" "SNOWFLAKE_JWT private_key_file words.p8" \
		"OAUTH token_file_path token" "PROGRAMMATIC_ACCESS_TOKEN token_file_path token" "snowflake password $test_canary" \
		"OAUTH token $test_canary" "SNOWFLAKE_JWT nonsense $test_canary" "SNOWFLAKE_JWT private_key_file locked.p8 $test_canary"
	do
		set -- $way && n=$((n + 1)) &&
		case "$2" in *_file|*_path) value=$PWD/$3 ;; *) value=$3 ;; esac &&
		printf "[prod]\naccount = \"ACME-DATA\"\nuser = \"RIVER\"\nhost = \"127.0.0.1\"\nport = 1\nprotocol = \"http\"\n" \
			>sf/connections.toml &&
		printf "authenticator = \"%s\"\n%s = \"%s\"\n" "$1" "$2" "$value" >>sf/connections.toml &&
		chmod 600 sf/connections.toml &&
		for verb in doctor "query SELECT(1)" "snowpipe status web/clicks"
		do
			fails "snow-$n-${verb%% *}" env SNOWFLAKE_HOME="$PWD/sf" PRIVATE_KEY_PASSPHRASE=$4 \
				river --timeout 1s --profile snow $verb || return 1
		done
	done &&
	test_grep "127.0.0.1:1" snow-1-query.err && test_grep "127.0.0.1:1" snow-10-query.err
'

test_expect_success 'a file of keys that is not one, of the collector and of AWS' '
	n=0 && river --profile local -c lake=./lake stream create web/clicks &&
	for text in "one $test_canary!" "ONE 0123-$test_canary" "$test_canary" "one 0123-$test_canary 2"
	do
		n=$((n + 1)) && echo "$text" >keys && chmod 600 keys &&
		fails "keys-$n" river --profile local -c lake=./lake -c collect.keys=keys serve --collect web/clicks --listen 127.0.0.1:0 ||
		return 1
	done &&
	test_grep "keys:1" keys-1.err && test_grep "keys:1" keys-4.err &&
	for text in "aws_secret_access_key $test_canary" "[default" "[default]\naws_secret_access_key = $test_canary\nx $test_canary"
	do
		n=$((n + 1)) && printf "$text\n" >keys && chmod 600 keys &&
		fails "ini-$n" env AWS_SHARED_CREDENTIALS_FILE="$PWD/keys" river --timeout 1s stream list || return 1
	done
'

# A core of another program shows that this machine leaves some, where it does.
test_expect_success 'a crash leaves no core, and what river becomes has its own limit' '
	hard=$(ulimit -H -c) && mkdir cores && cd cores && river -c lake="$PWD/lake" stream create web/clicks &&
	{ (ulimit -S -c "$hard" && exec sh -c "kill -ABRT \$\$") 2>/dev/null; cores=$(ls -d core*); rm -f core*; } &&
	mkfifo never &&
	{ (ulimit -S -c "$hard" && exec "$RIVER_BUILD/river" -c lake="$PWD/lake" push web/clicks - <never 2>err) & } &&
	pid=$! && exec 8>never && test_wait_until 20 grep -q "Max core file size *[01] " /proc/$pid/limits &&
	kill -ABRT $pid && { wait $pid; test $? -ge 1; } && exec 8>&- &&
	ls >left && { ! grep "^core" left || { echo "cores here: $cores"; false; }; } &&
	mkdir bin && printf "#!/bin/sh\nulimit -S -c\n" >bin/river-limits && chmod +x bin/river-limits &&
	test "$(PATH=$PWD/bin:$PATH && ulimit -S -c 0 && river limits)" = 0 &&
	{ test_have_prereq SANITIZER ||
	  test "$(PATH=$PWD/bin:$PATH && ulimit -S -c "$hard" && river limits)" = "$hard"; }
'

test_done
