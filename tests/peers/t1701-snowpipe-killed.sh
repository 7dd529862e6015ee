#!/bin/sh
test_description='loading on Snowflake, killed at every step: the same command again finishes, and nothing is loaded twice'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"

snow_begin

fired () {
	test "$(emul_get script | jq -s 'map(.fired) | add // 0')" -gt 0
}
# killed MATCH ACCEPTED: notify, killed while the request that MATCH says is not answered, carried out or not
killed () {
	emul_script "{\"match\":$1,\"do\":\"hang\",\"accept\":$2}" &&
	{ "$RIVER_BUILD/river" snowpipe notify web/clicks --wait --timeout 60s >/dev/null 2>&1 & pid=$!; } &&
	test_wait_until 30 fired && kill -9 $pid &&
	{ wait $pid 2>/dev/null; emul_no_script; }
}
# again ID...: the command once more, and each of these is there once, and in the ledger
again () {
	river snowpipe notify web/clicks --wait --timeout 60s >out 2>err || { cat err >&2; return 1; }
	for id
	do
		test "$(snow_ask "select count(*) from web.clicks where record:id::number = $id")" = 1 || return 1
	done
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER where STATE <> 'loaded'")" = 0
}

test_expect_success 'a stream' '
	river stream create web/clicks --column id=integer --pipe notify >/dev/null && push_file web/clicks 1 && again 1
'

test_expect_success 'before the ledger knows it, and after' '
	push_file web/clicks 2 && killed "{\"op\":\"Submit\",\"sql\":\"^MERGE INTO\"}" false &&
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER")" = 1 && again 2 &&
	push_file web/clicks 3 && killed "{\"op\":\"Submit\",\"sql\":\"^MERGE INTO\"}" true &&
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER where STATE = '\''submitted'\''")" = 1 && again 3
'

test_expect_success 'before the pipe has its name, and after' '
	push_file web/clicks 4 && killed "{\"op\":\"InsertFiles\"}" false &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 4")" = 0 && again 4 &&
	push_file web/clicks 5 && killed "{\"op\":\"InsertFiles\"}" true && again 5
'

test_expect_success 'while it is followed, and before the ledger learns how it ended' '
	push_file web/clicks 6 && killed "{\"op\":\"InsertReport\"}" true && again 6 &&
	push_file web/clicks 7 && killed "{\"op\":\"Submit\",\"sql\":\"^MERGE INTO\",\"nth\":2}" false && again 7
'

test_expect_success 'before COPY has loaded it, and after' '
	push_file web/clicks 8 &&
	sf_post outcome "{\"path\":\"zst\",\"status\":\"LOAD_FAILED\",\"error\":\"no such luck\"}" >/dev/null &&
	test_expect_code 12 river snowpipe notify web/clicks --wait --timeout 60s &&
	killed "{\"op\":\"Submit\",\"sql\":\"COPY INTO\"}" false &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 8")" = 0 && again 8 &&
	push_file web/clicks 9 &&
	sf_post outcome "{\"path\":\"zst\",\"status\":\"LOAD_FAILED\",\"error\":\"no such luck\"}" >/dev/null &&
	test_expect_code 12 river snowpipe notify web/clicks --wait --timeout 60s &&
	killed "{\"op\":\"Submit\",\"sql\":\"COPY INTO\"}" true && again 9
'

test_expect_success 'all of it is there once, and status says so' '
	again 1 2 3 4 5 6 7 8 9 &&
	test "$(snow_ask "select count(*) from web.clicks")" = 9 &&
	river status --check web/clicks >out && test_must_be_empty out
'

test_expect_success '166: two at once load nothing twice' '
	push_file web/clicks 10 && push_file web/clicks 11 &&
	{ river snowpipe notify web/clicks --wait --timeout 60s >/dev/null 2>one & first=$!; } &&
	river snowpipe notify web/clicks --wait --timeout 60s 2>two && wait $first && again 10 11 &&
	push_file web/clicks 12 &&
	sf_post outcome "{\"path\":\"zst\",\"status\":\"LOAD_FAILED\",\"error\":\"no such luck\"}" >/dev/null &&
	test_expect_code 12 river snowpipe notify web/clicks --wait --timeout 60s &&
	{ river snowpipe notify web/clicks >/dev/null 2>one & first=$!; } &&
	river snowpipe notify web/clicks 2>two && wait $first && again 12
'

snow_end
test_done
