#!/bin/sh
test_description='statements on Snowflake when the network, a gateway or the service misbehave'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env
sf_start '{"default_role":"ACCOUNTADMIN"}' || test_bug 'there is no account'
sf_sql 'CREATE DATABASE RIVER; CREATE TABLE RIVER.PUBLIC.T (A NUMBER)' >/dev/null || test_bug 'there is no table'

mkdir -p "$HOME/.snowflake"
connection () {
	cat >"$HOME/.snowflake/connections.toml" <<-EOT &&
	[default]
	account = "$sf_account"
	user = "$sf_user"
	host = "127.0.0.1"
	port = $emul_port
	protocol = "http"
	$1
	EOT
	chmod 600 "$HOME/.snowflake/connections.toml"
}
connection "private_key_file = '$sf_key'"
cat >river.yaml <<-EOT
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    aws: { endpoint_url: $emul_url, region: us-east-1 }
    warehouse: { type: snowflake, database: river, warehouse: wh, storage_integration: s3 }
EOT

# fault KIND [FIELDS]: what becomes of the next submitted statement
fault () {
	emul_script "{\"match\":{\"service\":\"snowflake\",\"op\":\"${3:-Submit}\",\"count\":${4:-1}},\"do\":\"$1\"${2:+,$2}}"
}
insert () {
	river query --write "INSERT INTO RIVER.PUBLIC.T VALUES ($1)" >out 2>err
}
# how often the statement with this value was carried out
carried_out () {
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.PUBLIC.T WHERE A = $1")" = "$2"
}

is_polled () {
	test "$(emul_count snowflake.Poll)" -gt "$polls"
}

n=0
for kind in reset_before_body reset_in_body read_body_then_close short_body chunked_trailers late no_content_length \
	http10 informational connection_close
do
	n=$((n + 1))
	test_expect_success "$kind: the statement is carried out, once" "
		emul_no_script && fault $kind &&
		insert $n && emul_fired &&
		carried_out $n 1
	"
done
for kind in 'status "status":503' 'status "status":429' 'status "status":500,"code":"390001","message":"x"' html200 \
	garbage garbage_body empty200 'redirect307 "location":"http://127.0.0.1:1/"'
do
	n=$((n + 1))
	set -- $kind
	what=$1
	shift
	case $what in
	redirect307)
		test_expect_success "$what: nobody follows it" "
			emul_no_script && fault $what '$*' &&
			test_expect_code 3 river query --write 'INSERT INTO RIVER.PUBLIC.T VALUES ($n)' && emul_fired &&
			carried_out $n 0
		" ;;
	*)
		test_expect_success "$what $*: once, after it" "
			emul_no_script && fault $what '$*' &&
			insert $n && emul_fired &&
			carried_out $n 1
		" ;;
	esac
done
emul_no_script

test_expect_success 'answered with 202, and polled for' '
	fault running "\"polls\":3" &&
	insert 100 &&
	carried_out 100 1 &&
	emul_fired && emul_no_script
'
test_expect_success 'the answer to a poll is lost, and comes late, and is cut short' '
	emul_script "[{\"match\":{\"service\":\"snowflake\",\"op\":\"Submit\",\"count\":1},\"do\":\"running\",\"polls\":2},
		{\"match\":{\"service\":\"snowflake\",\"op\":\"Poll\",\"nth\":1},\"do\":\"read_body_then_close\"},
		{\"match\":{\"service\":\"snowflake\",\"op\":\"Poll\",\"nth\":2},\"do\":\"status\",\"status\":503},
		{\"match\":{\"service\":\"snowflake\",\"op\":\"Poll\",\"nth\":3},\"do\":\"short_body\"}]" &&
	insert 101 &&
	carried_out 101 1 &&
	emul_fired && emul_no_script
'
test_expect_success 'a result that is cut off is no result' '
	fault incomplete &&
	test_expect_code 1 river query "SELECT 1 AS A" >out 2>err &&
	grep "Snowflake 391908" err &&
	emul_no_script
'
test_expect_success 'partitions: all rows, in order, also when one is cut off on the way' '
	sf_sql "CREATE TABLE RIVER.PUBLIC.R (A NUMBER); INSERT INTO RIVER.PUBLIC.R VALUES $(seq -s "), (" 0 999 | sed "s/.*/(&)/")" &&
	emul_config "{\"sf_first_rows\":10,\"sf_partition_rows\":100}" &&
	polls=$(emul_count snowflake.Poll) &&
	emul_script "[{\"match\":{\"service\":\"snowflake\",\"op\":\"Poll\",\"nth\":2},\"do\":\"short_body\"},
		{\"match\":{\"service\":\"snowflake\",\"op\":\"Poll\",\"nth\":4},\"do\":\"read_body_then_close\",\"how\":\"rst\"}]" &&
	river query --output csv "SELECT A FROM RIVER.PUBLIC.R ORDER BY A" >csv &&
	sed 1d csv >out &&
	seq 0 999 >expected &&
	test_cmp expected out &&
	test $(($(emul_count snowflake.Poll) - polls)) -ge 12 &&
	emul_fired && emul_no_script
'
test_expect_success 'a token that is refused in the middle is made anew' '
	emul_script "{\"match\":{\"service\":\"snowflake\",\"op\":\"Submit\",\"count\":1},\"do\":\"status\",\"status\":401,
		\"code\":\"390144\",\"message\":\"JWT token is invalid.\"}" &&
	insert 102 &&
	carried_out 102 1 &&
	emul_fired && emul_no_script
'
test_expect_success 'the key was rotated: the second one of the user is as good' '
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out second.p8 2>/dev/null &&
	chmod 600 second.p8 &&
	second=$(openssl pkey -in second.p8 -pubout -outform DER | openssl base64 -A) &&
	sf_post user "{\"name\":\"$sf_user\",\"public_key_2\":\"$second\"}" >/dev/null &&
	connection "private_key_file = \"$PWD/second.p8\"" &&
	insert 103 &&
	carried_out 103 1 &&
	sf_post user "{\"name\":\"$sf_user\",\"public_key_2\":null}" >/dev/null &&
	test_expect_code 4 river query "SELECT 1" 2>err &&
	grep "JWT token is invalid" err &&
	connection "private_key_file = \"$sf_key\""
'
test_expect_success 'for ever away: it is said, and how often it was tried' '
	fault status "\"status\":503" Submit "\"all\"" &&
	test_expect_code 1 river query "SELECT 1" 2>err &&
	grep "answers 503.*(8 attempts in " err &&
	emul_no_script
'
test_expect_success 'interrupted: what still runs there is cancelled' '
	fault running "\"ms\":600000" && code= &&
	polls=$(emul_count snowflake.Poll) cancels=$(emul_count snowflake.Cancel) &&
	{ river query --write "INSERT INTO RIVER.PUBLIC.T VALUES (200)" >out 2>err & } &&
	pid=$! &&
	test_wait_until 60 is_polled &&
	kill -TERM $pid &&
	{ wait $pid || code=$?; } &&
	test "$code" = 143 &&
	grep "the statement was cancelled" err &&
	test "$(emul_count snowflake.Cancel)" = $((cancels + 1)) &&
	carried_out 200 0 &&
	emul_no_script
'
test_expect_success 'a query that takes longer than --timeout is cancelled, and the answer says so' '
	cancels=$(emul_count snowflake.Cancel) &&
	# a machine that is too busy to submit it within a second has more
	for limit in 1 4 16 60
	do
		emul_no_script && fault running "\"ms\":600000" &&
		test_expect_code 1 river --timeout ${limit}s query --write "INSERT INTO RIVER.PUBLIC.T VALUES (201)" 2>err || return 1
		! grep "the time for it is over.*the statement was cancelled" err || break
	done &&
	grep "the time for it is over.*the statement was cancelled" err &&
	test "$(emul_count snowflake.Cancel)" = $((cancels + 1)) &&
	carried_out 201 0 &&
	emul_no_script &&
	river --timeout 60s query "SELECT 1" >out && test_line_count = 2 out
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
