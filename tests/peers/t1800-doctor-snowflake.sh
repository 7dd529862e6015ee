#!/bin/sh
test_description='doctor and an account of Snowflake: what is told of each step, and of each thing that is wrong'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env
sf_start '{"default_role":"ACCOUNTADMIN"}' || test_bug 'there is no account'
emul_post bucket '{"name":"lake","region":"us-east-1"}' >/dev/null || test_bug 'there is no bucket'
sf_sql 'CREATE DATABASE RIVER' >/dev/null || test_bug 'there is no database'

connections=$HOME/.snowflake/connections.toml
mkdir -p "$HOME/.snowflake"
# connection [LINE...]: a good one, and lines that are added to it
connection () {
	cat >"$connections" <<-EOT &&
	[prod]
	account = "$sf_account"
	host = "127.0.0.1"
	port = $emul_port
	protocol = "http"
	EOT
	printf '%s\n' "$@" >>"$connections" &&
	chmod 600 "$connections"
}
by_key="authenticator = 'SNOWFLAKE_JWT'"
as_user="user = '$sf_user'"
with_key="private_key_file = '$sf_key'"

# profile [KEY: VALUE...]: its warehouse
profile () {
	cat >river.yaml <<-EOT
	default_profile: prod
	profiles:
	  prod:
	    lake: s3://lake/river
	    aws: { endpoint_url: $emul_url, region: us-east-1 }
	    warehouse: { type: snowflake, connection: prod, storage_integration: s3$* }
	EOT
}
# says RESULT CHECK TEXT [HINT]: a line of doctor's, and the one below it
says () {
	grep -F -A1 -e "$(printf '%-4s  %-14s  ' "$1" "$2")" out >lines && grep -qF -e "$3" lines &&
	{ test -z "$4" || grep -qF -e "$4" lines; } || { cat out; return 1; }
}
doctor () {
	river doctor >out 2>err || test $? = 1
}

test_expect_success 'all is well, and where it comes from is said' '
	connection "$by_key" "$as_user" "$with_key" "role = \"accountadmin\"" &&
	profile ", database: river, warehouse: wh" &&
	river doctor >out 2>err &&
	says ok snowflake "connection prod (river'"'"'s profile): account ACME-DATA (connection prod in $connections), at http://127.0.0.1:$emul_port" &&
	says ok credentials "the private key $sf_key (connection prod in $connections), fingerprint SHA256:" &&
	says ok "snowflake host" "http://127.0.0.1:$emul_port answers" &&
	says ok "token clock" "agrees with" &&
	says ok login "signed in as user $sf_user with role ACCOUNTADMIN" &&
	says ok "default role" "ACCOUNTADMIN, which Snowpipe acts as" &&
	says ok warehouse "warehouse WH is " &&
	says ok database "database RIVER is there; the first stream create fills it"
'
test_expect_success 'nothing was changed, and no warehouse was used' '
	sf_statements >statements &&
	! grep -iE "create|alter|grant|insert" statements | grep -v "CREATE DATABASE RIVER"
'
test_expect_success 'variables go before the file, and are named' '
	(SNOWFLAKE_CONNECTIONS_PROD_ROLE=public SNOWFLAKE_WAREHOUSE=other &&
	 export SNOWFLAKE_CONNECTIONS_PROD_ROLE SNOWFLAKE_WAREHOUSE && doctor) &&
	says ok snowflake "user $sf_user, role public (SNOWFLAKE_CONNECTIONS_PROD_ROLE), warehouse other (SNOWFLAKE_WAREHOUSE)" &&
	says ok login "with role PUBLIC" &&
	says warn "default role" "Snowpipe acts as the user'"'"'s default role ACCOUNTADMIN, everything else as PUBLIC" "SET DEFAULT_ROLE"
'
test_expect_success '200: no such connection; a file that others may read' '
	cp "$connections" kept &&
	printf "[dev]\n" >"$connections" &&
	doctor &&
	says fail snowflake "there is no Snowflake connection '"'prod'"' (river'"'"'s profile) in $connections" "there are: dev" &&
	cp kept "$connections" &&
	chmod 644 "$connections" &&
	doctor &&
	says fail snowflake "$connections can be read by others (mode 0644)" "chmod 600 $connections" &&
	chmod 600 "$connections"
'
test_expect_success 'a password is of no use' '
	connection "$as_user" "password = \"$test_canary\"" &&
	doctor &&
	says fail snowflake "take no password (connection prod in $connections)" "SNOWFLAKE_JWT" &&
	! grep -r $test_canary out err
'
test_expect_success '170: a key that the user does not have: its fingerprint is said, and how to register it' '
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other.p8 2>/dev/null &&
	chmod 600 other.p8 &&
	connection "$by_key" "$as_user" "private_key_file = \"$PWD/other.p8\"" &&
	doctor &&
	fingerprint=$(openssl pkey -in other.p8 -pubout -outform DER | openssl dgst -sha256 -binary | openssl base64 -A) &&
	says ok credentials "fingerprint SHA256:$fingerprint" &&
	says fail login "answers 401 390144: JWT token is invalid" "the key in use is SHA256:$fingerprint" &&
	says fail login 401 "ALTER USER \"$sf_user\" SET RSA_PUBLIC_KEY_2="
'
test_expect_success '170: an encrypted key without its passphrase, and with it' '
	openssl pkcs8 -topk8 -v2 aes-256-cbc -in "$sf_key" -out secret.p8 -passout pass:$test_canary &&
	chmod 600 secret.p8 &&
	connection "$by_key" "$as_user" "private_key_file = \"$PWD/secret.p8\"" &&
	doctor &&
	says fail credentials "is encrypted, and there is no passphrase for it" "set PRIVATE_KEY_PASSPHRASE" &&
	(PRIVATE_KEY_PASSPHRASE=$test_canary && export PRIVATE_KEY_PASSPHRASE && doctor) &&
	says ok login "signed in as user $sf_user" &&
	! grep $test_canary out err
'
test_expect_success 'a programmatic access token signs in as well' '
	(umask 077 && sf_token "{\"kind\":\"PROGRAMMATIC_ACCESS_TOKEN\"}" >token) && test_holds_secret token &&
	connection "authenticator = \"PROGRAMMATIC_ACCESS_TOKEN\"" "token_file_path = \"$PWD/token\"" "$as_user" &&
	doctor &&
	says ok credentials "the token $PWD/token (connection prod in $connections)" &&
	says warn credentials "take key pairs alone" "SNOWFLAKE_JWT" &&
	says ok login "signed in as user $sf_user" &&
	! grep -F -f token out err
'
test_expect_success 'warehouse and database that are not there, or not named' '
	connection "$by_key" "$as_user" "$with_key" &&
	profile ", database: nowhere, warehouse: none" &&
	doctor &&
	says fail warehouse "there is no warehouse NONE, or role ACCOUNTADMIN may not see it" "grant USAGE on it" &&
	says warn database "there is no database NOWHERE, or role ACCOUNTADMIN may not see it" "river stream create makes it" &&
	profile "" &&
	doctor &&
	says fail warehouse "no warehouse is named" "set warehouse.warehouse" &&
	says fail database "no database is named" "set warehouse.database"
'
test_expect_success 'a warehouse that is suspended and stays so' '
	profile ", database: river, warehouse: wh" &&
	sf_post warehouse "{\"name\":\"WH\",\"state\":\"SUSPENDED\",\"auto_resume\":false}" &&
	doctor &&
	says fail warehouse "warehouse WH is suspended and does not resume by itself" "AUTO_RESUME" &&
	sf_post warehouse "{\"name\":\"WH\",\"auto_resume\":true}" &&
	doctor &&
	says ok warehouse "warehouse WH is SUSPENDED"
'
test_expect_success 'a network policy that does not let in' '
	sf_post account "{\"name\":\"$sf_account\",\"network\":[\"192.0.2.1\"]}" &&
	test_when_finished "sf_post account \"{\\\"name\\\":\\\"$sf_account\\\",\\\"network\\\":null}\"" &&
	doctor &&
	says fail login "is not allowed to access Snowflake" "a network policy of the account or of user $sf_user"
'
test_expect_success 'a host that does not answer, and one that is not Snowflake' '
	connection "$by_key" "$as_user" "$with_key" "port = 1" &&
	sed -i "/^port = $emul_port/d" "$connections" &&
	doctor &&
	says fail "snowflake host" "cannot connect to http://127.0.0.1:1" &&
	! grep -F "login" out &&
	connection "$by_key" "$as_user" "$with_key" &&
	sed -i "s/^host = .*/host = \"example.com\"/" "$connections" &&
	doctor &&
	says fail snowflake "is not a host of Snowflake: no token is sent there"
'
test_expect_success 'a business with an account of its own is told of too' '
	connection "$by_key" "$as_user" "$with_key" &&
	profile ", database: river, warehouse: wh" &&
	cat >>river.yaml <<-EOT &&
	    businesses:
	      vista: { connection: vista }
	EOT
	doctor &&
	says ok login "signed in as user $sf_user" &&
	says fail snowflake "business vista: there is no Snowflake connection '"'vista'"' (river'"'"'s profile)"
'
test_expect_success 'a lake that a business has of its own is looked at too' '
	connection "$by_key" "$as_user" "$with_key" &&
	profile ", database: river, warehouse: wh" &&
	cat >>river.yaml <<-EOT &&
	    businesses:
	      vista: { lake: "s3://theirs/v" }
	EOT
	doctor &&
	says fail bucket "s3://theirs/v: " &&
	emul_post bucket "{\"name\":\"theirs\",\"region\":\"us-east-1\"}" &&
	doctor &&
	says ok bucket "s3://theirs/v: " &&
	says ok lake "s3://theirs/v: " &&
	test "$(grep -c "^ok    bucket " out)" = 2
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
