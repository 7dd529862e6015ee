#!/bin/sh
test_description='loading on Snowflake: queued is not loaded, and every way a file can go is told as it went'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"

snow_begin

test_expect_success 'a stream, and a pipe that is told what to load' '
	river stream create web/clicks --column id=integer --key id --pipe notify >/dev/null &&
	push_file web/clicks 1 2 3 &&
	test "$(snow_ask "select count(*) from web.clicks")" = 0
'

test_expect_success 'what is queued is not loaded, and this is said' '
	emul_config "{\"sf_pipe_hold\":true}" &&
	river snowpipe notify web/clicks >out 2>err &&
	test_grep "1 objects are queued, not loaded" err &&
	test "$(snow_ask "select count(*) from web.clicks")" = 0 &&
	test "$(sf_value "select STATE from RIVER.RIVER.LEDGER")" = submitted &&
	river --output json snowpipe report web/clicks >out &&
	test "$(jq -r .state out)" = queued &&
	river --output json snowpipe history web/clicks >out &&
	test "$(jq -r .state out)" = queued && test "$(jq -r .submitted_at out)" != null &&
	river snowpipe status web/clicks >out && test_grep "^queued  *1 objects of these" out &&
	test_grep "^in the pipe  *1 files" out
'

test_expect_success '164: waiting for it ends with the time, and with 8' '
	# a machine that is too busy to ask within two seconds has more
	for limit in 2 8 32
	do
		river snowpipe notify web/clicks --wait --timeout ${limit}s >out 2>err
		code=$?
		test $code -ne 8 || break
	done &&
	test $code -eq 8 &&
	test_grep "the time is over, and 1 of 1 objects are not loaded yet" err
'

test_expect_success '164: so does a look that Snowflake says goes on' '
	emul_script "{\"match\":{\"service\":\"snowflake\",\"op\":\"Submit\",\"sql\":\"FULL OUTER JOIN\",\"count\":\"all\"},\"do\":\"running\",\"ms\":600000}" &&
	test_expect_code 8 river snowpipe notify web/clicks --wait --timeout 1s >out 2>err &&
	test_grep "what is to be loaded is not known yet" err && emul_fired && emul_no_script
'

test_expect_success '166: given to the pipe again it is loaded once all the same' '
	river snowpipe notify web/clicks 2>err && test_grep "1 objects are queued" err &&
	sf_load && emul_config "{\"sf_pipe_hold\":false}" &&
	test "$(snow_ask "select count(*) from web.clicks")" = 3
'

test_expect_success 'what the history shows is not submitted again' '
	requests=$(emul_count snowflake.InsertFiles) &&
	river -v snowpipe notify web/clicks 2>err && test_grep "loaded 0 objects" err &&
	test "$(emul_count snowflake.InsertFiles)" = "$requests" &&
	test "$(snow_ask "select count(*) from web.clicks")" = 3 &&
	river --output json snowpipe history web/clicks >out &&
	test "$(jq -c "[.state, .rows, .rejected]" out)" = "[\"loaded\",3,0]" &&
	test "$(sf_value "select STATE from RIVER.RIVER.LEDGER")" = loaded
'

test_expect_success '--wait returns when the rows are in the tables, layers included' '
	push_file web/clicks 4 5 &&
	river snowpipe notify web/clicks --wait --timeout 60s &&
	test "$(snow_ask "select count(*) from web.clicks")" = 5 &&
	test "$(snow_ask "select count(*) from web.clicks_clean")" = 5 &&
	test "$(snow_ask "select max(id) from web.clicks_latest")" = 5
'

test_expect_success '164: a bad line costs itself alone, and is named' '
	printf "%s\n" "{\"id\":6}" "{\"id\":" "{\"id\":7}" | put_object data/web/clicks/theirs.ndjson &&
	test_expect_code 7 river --output json snowpipe notify web/clicks theirs.ndjson --wait --timeout 60s >out &&
	test "$(jq -c "[.state, .rejected > 0, .error_line > 0]" out)" = "[\"partial\",true,true]" &&
	test_grep "line [0-9]" out &&
	test "$(snow_ask "select count(*) > 0 from web.clicks where file_name = '\''data/web/clicks/theirs.ndjson'\''")" = true &&
	requests=$(emul_count snowflake.InsertFiles) &&
	river snowpipe notify web/clicks theirs.ndjson && test "$(emul_count snowflake.InsertFiles)" = "$requests"
'

test_expect_success '164: what the pipe failed on is told, and loaded by COPY the next time' '
	push_file web/clicks 8 9 &&
	sf_post outcome "{\"path\":\"01.*zst\",\"status\":\"LOAD_FAILED\",\"error\":\"no such luck\",\"line\":2}" >/dev/null &&
	test_expect_code 12 river snowpipe notify web/clicks --wait --timeout 60s >out 2>err &&
	test_grep "1 of 1 objects were not loaded" err && test_grep "line 2.*no such luck" err &&
	river --output json snowpipe history web/clicks >out &&
	test "$(jq -r "select(.state == \"failed\") | .message" out)" = "line 2, character 1: no such luck" &&
	requests=$(emul_count snowflake.InsertFiles) &&
	river -v snowpipe notify web/clicks 2>err && test_grep "loaded 1 objects, 2 rows" err &&
	test "$(emul_count snowflake.InsertFiles)" = "$requests" &&
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER where VIA = '\''copy'\'' and STATE = '\''loaded'\''")" = 1 &&
	test "$(snow_ask "select count(*) from web.clicks_clean where id in (8, 9)")" = 2
'

test_expect_success 'a second COPY finds nothing to do' '
	sf_sql "update RIVER.RIVER.LEDGER set STATE = '\''failed'\'', ROWS_LOADED = null where VIA = '\''copy'\''" >/dev/null &&
	river snowpipe notify web/clicks &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number in (8, 9)")" = 2 &&
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER where STATE <> '\''loaded'\'' and STATE <> '\''partial'\''")" = 0
'

test_expect_success 'one file that COPY does not stand costs itself alone' '
	push_file web/clicks 80 && push_file web/clicks 81 && push_file web/clicks 82 &&
	sf_post outcome "{\"path\":\"zst\",\"status\":\"LOAD_FAILED\",\"error\":\"no such luck\",\"times\":3}" >/dev/null &&
	test_expect_code 12 river snowpipe notify web/clicks --wait --timeout 60s &&
	copies=$(sf_statements | grep -c "COPY INTO") &&
	emul_script "[{\"match\":{\"op\":\"Submit\",\"sql\":\"COPY INTO\",\"nth\":1,\"count\":2},\"do\":\"status\",\"status\":422,\"code\":\"100069\",\"message\":\"Error parsing JSON\",
		\"body\":\"{\\\"code\\\":\\\"100069\\\",\\\"sqlState\\\":\\\"22P02\\\",\\\"message\\\":\\\"Error parsing JSON\\\",\\\"statementHandle\\\":\\\"01\\\"}\"}]" &&
	test_expect_code 12 river snowpipe notify web/clicks >out 2>err && emul_no_script &&
	test_grep "1 of 3 objects were not loaded" err && test_grep "Error parsing JSON" err &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number in (80, 81, 82)")" = 2 &&
	river snowpipe notify web/clicks &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number in (80, 81, 82)")" = 3
'

test_expect_success '172: a path that the pipe heard of too early is loaded all the same' '
	name=data/web/clicks/dt=2026-11-20/hr=14/early-000000-r1-h0000000000000000.ndjson &&
	sf_insert "web.clicks\$pipe" "${name#data/web/clicks/}" >/dev/null && sf_load &&
	echo "{\"id\":10}" | put_object $name &&
	river snowpipe notify web/clicks --wait --timeout 60s &&
	test "$(snow_ask "select count(*) from web.clicks_clean where id = 10")" = 1 &&
	emul_delete "object?bucket=lake&key=river/$name" >/dev/null &&
	sf_sql "delete from RIVER.WEB.CLICKS where FILE_NAME = '\''$name'\''" >/dev/null &&
	sf_sql "delete from RIVER.RIVER.LEDGER where FILE_NAME = '\''$name'\''" >/dev/null
'

test_expect_success 'events of S3: the keys of the stream, and those that are there' '
	push_file web/clicks 11 && object=$(newest_object web/clicks) && push_file web/clicks 12 &&
	requests=$(emul_count snowflake.InsertFiles) &&
	s3_event "river/$object" river/data/web/views/x.ndjson.zst other/data/web/click/x |
	river snowpipe notify web/clicks - --wait --timeout 60s 2>err &&
	test_grep "is not the stream.s: ignored" err &&
	test "$(snow_ask "select count(*) from web.clicks_clean where id = 11")" = 1 &&
	test "$(snow_ask "select count(*) from web.clicks_clean where id = 12")" = 0 &&
	test "$(($(emul_count snowflake.InsertFiles) - requests))" = 1
'

test_expect_success '168, 172: what is not in the lake is never submitted' '
	requests=$(emul_count snowflake.InsertFiles) &&
	test_expect_code 5 river snowpipe notify web/clicks dt=2026-11-20/hr=14/gone.ndjson 2>err &&
	test_grep "gone.ndjson is not in the lake" err &&
	test "$(emul_count snowflake.InsertFiles)" = "$requests"
'

test_expect_success '164: a paused pipe is given nothing, and that is said' '
	requests=$(emul_count snowflake.InsertFiles) &&
	sf_sql "alter pipe RIVER.WEB.\"CLICKS\$PIPE\" set pipe_execution_paused = true" >/dev/null &&
	test_expect_code 1 river snowpipe notify web/clicks 2>err &&
	test_grep "pipe .*CLICKS.PIPE.* is paused" err && test_grep "pipe_execution_paused = false" err &&
	test "$(emul_count snowflake.InsertFiles)" = "$requests" &&
	river snowpipe status web/clicks >out && test_grep "^pipe state  *PAUSED" out &&
	sf_sql "alter pipe RIVER.WEB.\"CLICKS\$PIPE\" set pipe_execution_paused = false" >/dev/null
'

test_expect_success 'a missing grant and a network policy each have their sentence' '
	sf_post deny "{\"object\":\"RIVER.WEB.CLICKS\$PIPE\",\"privilege\":\"OPERATE\"}" >/dev/null &&
	test_expect_code 4 river snowpipe notify web/clicks 2>err && test_grep -i "operate\|grant\|privilege" err &&
	sf_allow &&
	sf_post user "{\"name\":\"$sf_user\",\"network\":[\"10.0.0.1\"]}" >/dev/null &&
	test_expect_code 4 river snowpipe notify web/clicks 2>err && test_grep -i "network policy" err &&
	sf_post user "{\"name\":\"$sf_user\",\"network\":null}" >/dev/null &&
	river snowpipe notify web/clicks --wait --timeout 60s
'

test_expect_success '166: the ledger may be lost: raw and the history tell what is loaded' '
	rows=$(snow_ask "select count(*) from web.clicks") && requests=$(emul_count snowflake.InsertFiles) &&
	sf_sql "delete from RIVER.RIVER.LEDGER" >/dev/null &&
	sf_post age "{\"days\":15}" >/dev/null &&
	river -v snowpipe notify web/clicks 2>err && test_grep "loaded 0 objects" err &&
	test "$(emul_count snowflake.InsertFiles)" = "$requests" &&
	test "$(sf_value "select count(*) from RIVER.RIVER.LEDGER where STATE = '\''loaded'\''")" -gt 3 &&
	test "$(snow_ask "select count(*) from web.clicks")" = "$rows"
'

test_expect_success '166, 169: an object older than anybody remembers is reported, and needs --force' '
	push_file web/clicks 13 && sf_post age "{\"days\":15}" >/dev/null &&
	test_expect_code 1 river snowpipe notify web/clicks 2>err &&
	test_grep "1 of 1 objects were left alone" err && test_grep -e "--force loads them" err &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 13")" = 0 &&
	river snowpipe notify web/clicks --force &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 13")" = 1 &&
	river snowpipe notify web/clicks &&
	test "$(snow_ask "select count(*) from web.clicks where record:id::number = 13")" = 1
'

test_expect_success 'status proves it, hop by hop, and raw is what its layers are' '
	emul_delete "object?bucket=lake&key=river/data/web/clicks/theirs.ndjson" >/dev/null &&
	sf_sql "delete from RIVER.WEB.CLICKS where FILE_NAME = '\''data/web/clicks/theirs.ndjson'\''" >/dev/null &&
	sf_sql "delete from RIVER.RIVER.LEDGER where FILE_NAME = '\''data/web/clicks/theirs.ndjson'\''" >/dev/null &&
	sf_sql "alter dynamic table RIVER.WEB.CLICKS_CLEAN refresh" >/dev/null &&
	river status web/clicks >out && test_grep "accepted records are loaded once" out &&
	river --output json status web/clicks >out &&
	test "$(jq -c "[.all_once, .pending.objects, .loaded.hash, (.tables.raw == .tables.clean + .tables.duplicates + .tables.refused)]" out)" = "[true,0,null,true]" &&
	sf_sql "delete from RIVER.WEB.CLICKS where RECORD:id::number = 13" >/dev/null &&
	test_expect_code 1 river status --check web/clicks >out && test_grep rows_missing out
'

snow_end
test_done
