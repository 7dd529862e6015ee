#!/bin/sh
test_description='a pipe that loads by itself, waiting for it, and a service that is slow, busy or short of grants'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"

snow_begin
there () {
	snow_ask "select count(*) from web.views where record:id::number = $1"
}

test_expect_success 'push --wait loaded returns when a pipe has loaded it by itself' '
	river stream create web/views --column id=integer --key id >/dev/null &&
	printf "{\"id\":1}\n" >one.ndjson && river push web/views one.ndjson --wait loaded --timeout 60s &&
	test "$(there 1)" = 1 && test "$(snow_ask "select count(*) from web.views_latest")" = 1 &&
	test "$(emul_count snowflake.InsertFiles)" = 0
'

test_expect_success 'the queue that a pipe listens to is told, and missed by doctor until the bucket notifies it' '
	river snowpipe status web/views >out && test_grep "^hears of them  *arn:aws:sqs:" out &&
	channel=$(sed -n "s/^hears of them *//p" out) &&
	{ river doctor >out 2>err || :; } &&
	test_grep "^warn  pipes  *1 with pipe: auto hear of new objects through $channel" out &&
	{ river -c notify.arn="$channel" doctor >out 2>err || :; } &&
	test_grep "^ok    pipes " out && ! grep "^warn  pipes" out
'

test_expect_success 'nobody tells the pipe: the time is over, and nothing was submitted behind its back' '
	emul_config "{\"sf_auto_ingest\":\"never\"}" &&
	printf "{\"id\":2}\n" >two.ndjson &&
	test_expect_code 8 river push web/views two.ndjson --wait loaded --timeout 2s 2>err &&
	test_grep "the records are in the lake, but not all in the tables" err && test_grep "do not send them again" err &&
	test "$(there 2)" = 0 && test "$(emul_count snowflake.InsertFiles)" = 0
'

test_expect_success 'river query loads nothing first' '
	submits=$(emul_count snowflake.Submit) && river query "select 1" >/dev/null &&
	test "$(($(emul_count snowflake.Submit) - submits))" = 1
'

test_expect_success 'notify has the pipe look again' '
	river snowpipe notify web/views --wait --timeout 60s && test "$(there 2)" = 1 &&
	test "$(emul_count snowflake.InsertFiles)" = 0 &&
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER where STATE = '\''loaded'\''")" = 2
'

test_expect_success 'status: what is pending, and since when' '
	printf "{\"id\":3}\n" | river push web/views && river --output json status web/views >out &&
	test "$(jq -c "[.pending.objects, .pending.records, .loaded.rows, .all_once]" out)" = "[1,1,2,false]" &&
	emul_config "{\"sf_auto_ingest\":\"always\"}" && river snowpipe notify web/views --wait --timeout 60s &&
	river status web/views >out && test_grep "all 3 accepted records are loaded once" out
'

test_expect_success 'whoever may not look at the pipe waits for the tables alone' '
	river stream create web/clicks --column id=integer --pipe notify >/dev/null &&
	sf_post deny "{\"object\":\"RIVER.WEB.CLICKS\$PIPE\",\"privilege\":\"MONITOR\"}" >/dev/null &&
	push_file web/clicks 1 2 && river snowpipe notify web/clicks --wait --timeout 60s && sf_allow &&
	test "$(snow_ask "select count(*) from web.clicks")" = 2
'

test_expect_success 'a reader who may not write the ledger still sees what is so' '
	push_file web/clicks 3 && emul_config "{\"sf_pipe_hold\":true}" && river snowpipe notify web/clicks 2>/dev/null &&
	sf_load && emul_config "{\"sf_pipe_hold\":false}" &&
	sf_post deny "{\"object\":\"RIVER.RIVER.LEDGER\",\"privilege\":\"UPDATE\"}" >/dev/null &&
	sf_post deny "{\"object\":\"RIVER.RIVER.LEDGER\",\"privilege\":\"INSERT\"}" >/dev/null &&
	river --output json snowpipe history web/clicks >out 2>err &&
	test "$(jq -s "map(select(.state == \"loaded\")) | length" out)" = 2 &&
	test_grep "could not be brought up to date" err && sf_allow
'

test_expect_success '165, 171: busy and broken answers are waited for' '
	push_file web/clicks 4 &&
	emul_script "[{\"match\":{\"op\":\"InsertFiles\"},\"do\":\"throttle\"},
		{\"match\":{\"op\":\"InsertReport\"},\"do\":\"status\",\"status\":503},
		{\"match\":{\"op\":\"Submit\",\"nth\":2},\"do\":\"read_body_then_close\"},
		{\"match\":{\"op\":\"Submit\",\"nth\":4},\"do\":\"throttle\"}]" &&
	river snowpipe notify web/clicks --wait --timeout 60s && emul_fired && emul_no_script &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 4")" = 1
'

test_expect_success '169: reports that are lost are looked for in the history' '
	sf_post age "{\"days\":1}" >/dev/null && push_file web/clicks 41 && emul_config "{\"sf_history_per_min\":1}" &&
	scans=$(emul_count snowflake.LoadHistoryScan) &&
	river snowpipe notify web/clicks --wait --timeout 60s && emul_config "{\"sf_history_per_min\":0}" &&
	test "$(emul_count snowflake.LoadHistoryScan)" -gt "$scans" &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 41")" = 1
'

test_expect_success '170: a token that ends in the middle is renewed' '
	push_file web/clicks 5 &&
	emul_script "{\"match\":{\"op\":\"InsertReport\"},\"do\":\"status\",\"status\":401,\"code\":\"390144\",\"message\":\"JWT token is invalid.\"}" &&
	river snowpipe notify web/clicks --wait --timeout 60s && emul_fired && emul_no_script &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 5")" = 1
'

test_expect_success 'the time is that of the whole: what Firehose took of it is not there again for the pipe' '
	firehose="-c delivery.type=firehose -c delivery.role_arn=arn:aws:iam::123456789012:role/firehose" &&
	emul_config "{\"creating_ms\":0,\"buffer_ms\":2500,\"sf_pipe_ms\":1500}" &&
	river $firehose stream create web/slow --column id=integer >/dev/null &&
	echo "{\"id\":1}" >slow.ndjson &&
	test_expect_code 8 river $firehose push web/slow slow.ndjson --wait loaded --timeout 3s 2>err &&
	test_grep "do not send them again" err && river snowpipe notify web/slow --wait --timeout 60s &&
	test "$(snow_ask "select count(*) from web.slow")" = 1 &&
	emul_config "{\"buffer_ms\":null,\"sf_pipe_ms\":0}"
'

test_expect_success 'Snowflake is away: the half of the lake is shown, and the code says why' '
	push_file web/clicks 6 &&
	sf_post user "{\"name\":\"$sf_user\",\"network\":[\"10.0.0.1\"]}" >/dev/null &&
	test_expect_code 4 river status web/clicks >out 2>err && test_grep "^landed " out &&
	test_grep "the warehouse was not looked at" err &&
	test_expect_code 4 river query "select 1" &&
	sf_post user "{\"name\":\"$sf_user\",\"network\":null}" >/dev/null &&
	river snowpipe notify web/clicks --wait --timeout 60s
'

test_expect_success 'a table that is not there, or not for everybody' '
	test_expect_code 5 river query "select * from web.clicka" 2>err && test_grep "did you mean web.clicks" err &&
	sf_sql "drop table RIVER.WEB.CLICKS" >/dev/null &&
	test_expect_code 5 river query "select * from web.clicks" 2>err &&
	test_grep "web.clicks is not in Snowflake, or the role that asks may not see it" err && test_grep "river stream apply" err &&
	test_expect_code 5 river snowpipe notify web/clicks 2>err && test_grep "river stream apply" err &&
	test_expect_code 5 river status --check web/clicks 2>err && test_grep "the warehouse was not looked at" err
'

snow_end
test_done
