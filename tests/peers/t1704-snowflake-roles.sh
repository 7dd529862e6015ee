#!/bin/sh
test_description='what the roles of a definition may do on Snowflake, by users who have no other'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"

snow_begin

# user ROLE: U_ROLE, with a key of its own and this role alone
user () {
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$TRASH_ROOT/$1.p8" 2>/dev/null &&
	chmod 600 "$TRASH_ROOT/$1.p8" &&
	jq -n --arg role "$1" --arg key "$(openssl pkey -in "$TRASH_ROOT/$1.p8" -pubout -outform DER | openssl base64 -A)" \
		'{name: ("U_" + $role), public_key: $key, default_role: $role, default_warehouse: "WH"}' |
		emul_post snowflake/user - >/dev/null &&
	sf_sql "GRANT ROLE $1 TO USER U_$1; GRANT USAGE ON WAREHOUSE WH TO ROLE $1" >/dev/null
}
# as ROLE COMMAND...: river as that user
as () {
	(SNOWFLAKE_USER=U_$1 SNOWFLAKE_ROLE=$1 SNOWFLAKE_PRIVATE_KEY_PATH=$TRASH_ROOT/$1.p8
	export SNOWFLAKE_USER SNOWFLAKE_ROLE SNOWFLAKE_PRIVATE_KEY_PATH
	shift && river "$@")
}
records=0
record () {
	records=$((records + 1))
	printf '{"id":%d,"at":"2026-11-20T10:00:00Z","email":"a@example.org"}\n' $records >record.ndjson
}

test_expect_success 'streams with roles; one has a column that is masked' '
	sf_sql "CREATE ROLE ANALYST; CREATE ROLE PRODUCER; CREATE ROLE PLATFORM; CREATE ROLE \"my-reader\"" >/dev/null &&
	cat >clicks.yaml <<-YAML &&
	stream: web/clicks
	key: [id]
	order_by: at
	pipe: notify
	columns: { id: { type: integer }, at: { type: timestamp }, email: { type: string } }
	grants: { read: [analyst, "\"my-reader\""], push: [producer], admin: [platform] }
	YAML
	sed "s/clicks/masked/" clicks.yaml >masked.yaml && echo "mask: [email]" >>masked.yaml &&
	river stream apply -f clicks.yaml -f masked.yaml >/dev/null &&
	for role in ANALYST PRODUCER PLATFORM RIVER_RO RIVER_RW; do user $role || return 1; done
'
for role in PRODUCER PLATFORM RIVER_RW
do
	test_expect_success "$role pushes, waits, notifies and looks" '
		record && as $role push web/clicks --wait loaded --again record.ndjson 2>err && test_must_be_empty err &&
		record && as $role push web/clicks --again record.ndjson &&
		as $role snowpipe notify web/clicks --wait 2>err && test_must_be_empty err &&
		as $role status web/clicks >out &&
		test_grep "^web/clicks: all $records accepted records are loaded once" out &&
		as $role snowpipe history web/clicks >out && test_line_count = $((records + 1)) out &&
		as $role snowpipe status web/clicks >out && test_grep "^loaded *$records objects" out
	'
done
for role in ANALYST RIVER_RO
do
	test_expect_success "$role reads, and changes nothing" '
		as $role --output csv query "select count(*) from web.clicks_latest" >out &&
		test "$(sed 1d out)" = $records &&
		as $role query "select * from web.clicks" >out &&
		test_expect_code 4 as $role query --write "delete from web.clicks" &&
		test_expect_code 5 as $role snowpipe notify web/clicks 2>err &&
		test_grep "^hint: .*grants.push.* let $role see" err
	'
done
test_expect_success 'of a stream with masked columns who pushes sees nothing, and is told who does' '
	record && as PRODUCER push web/masked record.ndjson &&
	test_expect_code 5 as PRODUCER snowpipe notify web/masked --wait 2>err &&
	test_grep "^hint: .*grants.admin where columns are masked, let PRODUCER see" err &&
	as PLATFORM snowpipe notify web/masked --wait &&
	as ANALYST query "select email from web.masked_clean" >out && test_grep "[*][*][*]" out &&
	! grep example.org out &&
	test_expect_code 5 as ANALYST query "select * from web.masked" &&
	test_expect_code 5 as PRODUCER query "select * from web.masked" &&
	as RIVER_RW query "select email from web.masked_clean" >out && test_grep example.org out
'
test_expect_success 'a role in double quotes is the one of that very name' '
	sf_sql "SHOW GRANTS TO ROLE \"my-reader\"" >out &&
	test_grep CLICKS_LATEST out
'
test_expect_success 'apply changes nothing any more' '
	river stream apply -f clicks.yaml -f masked.yaml >out && ! grep -v unchanged out
'
test_expect_success 'the emulator had no errors of its own' '
	snow_end
'
test_done
