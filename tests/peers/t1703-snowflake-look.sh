#!/bin/sh
test_description='looking at Snowflake: stamps of Firehose, large results, accounts of businesses, pipes, tables made again'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"

snow_begin
day=$(date -u +%Y-%m-%d)

test_expect_success 'what Firehose delivered is proven by its stamps, and what came twice is counted' '
	emul_config "{\"creating_ms\":0}" &&
	river -c delivery.type=firehose -c delivery.role_arn=arn:aws:iam::123456789012:role/firehose \
		stream create web/clicks --column a=integer >/dev/null &&
	seq 1 50 | sed "s/.*/{\"a\":&,\"_river\":{\"id\":\"run-1-000002-&\"}}/" >stamped.ndjson &&
	folder=data/web/clicks/dt=$day/hr=00 name=river-web-clicks-1-$day-00-00-00-0a1b2c3d-4e5f-6071-8293 &&
	sed -n 1,30p stamped.ndjson | put_object $folder/$name-a4b5c6d7e8f0.ndjson &&
	sed -n "21,50p" stamped.ndjson | put_object $folder/$name-a4b5c6d7e8f1.ndjson &&
	printf "{\"v\":1,\"run\":\"run-1\",\"delivery\":\"firehose\",\"read\":50,\"accepted\":50,\"rejected\":0,\"batches\":[],\"objects\":[]}" |
		put_object "_river/receipts/web/clicks/$day/run-1-a50-x0-b1-h0000000000000000.json" &&
	river snowpipe notify web/clicks --wait --timeout 60s &&
	test "$(snow_ask "select count(*) from web.clicks")" = 60 &&
	test "$(snow_ask "select count(*) from web.clicks_clean")" = 50 &&
	river --output json status web/clicks >out &&
	test "$(jq -c "[.all_once, .stamped.arrived, .stamped.twice, .stamped.missing, .tables.duplicates]" out)" = "[true,50,10,0,10]"
'

test_expect_success 'what is missing is told by run' '
	printf "{\"v\":1,\"run\":\"run-2\",\"delivery\":\"firehose\",\"read\":5,\"accepted\":5,\"rejected\":0,\"batches\":[],\"objects\":[]}" |
		put_object "_river/receipts/web/clicks/$day/run-2-a5-x0-b1-h0000000000000000.json" &&
	river --output json status web/clicks >out &&
	test "$(jq -c "[.all_once, .stamped.missing]" out)" = "[false,5]" && test_grep "records of run run-2" out
'

test_expect_success 'a result of many partitions is printed as it comes, in little memory' '
	emul_config "{\"sf_first_rows\":1000,\"sf_partition_rows\":20000}" &&
	sql="select row_number() over (order by a.a) as n, repeat('\''x'\'', 200) as text from web.clicks_clean a, web.clicks_clean b, web.clicks c" &&
	{ "$RIVER_BUILD/river" --output csv query "$sql" >rows.csv & pid=$!; } && peak=0 &&
	while status=$(cat /proc/$pid/status 2>/dev/null) && now=$(echo "$status" | sed -n "s/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p") && test -n "$now"
	do
		peak=$now && sleep 0.1
	done && wait $pid &&
	test "$(wc -l <rows.csv)" = 150001 && test "$(sed 1d rows.csv | cut -d, -f1 | sort -n | uniq | wc -l)" = 150000 &&
	echo "# peak $peak KiB" >&6 && test "$peak" -gt 1000 && { test_have_prereq SANITIZER || test "$peak" -lt 65536; } &&
	test "$(emul_count snowflake.Poll)" -ge 7 &&
	{ river --output csv query "$sql" | head -n 2 >few; } && test_line_count = 2 few
'

test_expect_success 'values of every type are exact' '
	cat >types.sql <<-\EOS &&
	select 1 as a, 1.10::number(10,2) as b, to_date($$2026-11-20$$) as c, null as d, parse_json($${"a": [1, 2]}$$) as e,
	true as f, to_timestamp_ntz($$2026-11-20 14:58:51.123$$) as g, 1.5::float as h, $$te;xt$$ as i, to_binary($$4869$$, $$HEX$$) as j,
	12345678901234567890123456789012345678::number(38,0) as k, -0.05::number(38,20) as l
	EOS
	river --output json query -f types.sql >out &&
	test "$(jq -c "[.c, .d, .e, .f, .g, .h, .i, .j]" out)" = "[\"2026-11-20\",null,{\"a\":[1,2]},true,\"2026-11-20 14:58:51.123\",1.5,\"te;xt\",\"Hi\"]" &&
	test_grep "\"a\":1,\"b\":1.10," out &&
	test_grep "\"k\":12345678901234567890123456789012345678,\"l\":-0.05000000000000000000" out
'

test_expect_success 'several statements share a session, and --write is needed to write' '
	test_expect_code 2 river query "create table RIVER.WEB.SCRATCH(A int)" 2>err && test_grep "CREATE is not a query" err &&
	river query --write "create table RIVER.WEB.SCRATCH(A int); begin; insert into RIVER.WEB.SCRATCH values (1), (2); commit" >/dev/null &&
	river --output csv query "use schema RIVER.WEB; select sum(A) as s from SCRATCH; select 7 as t" >out &&
	printf "%s\n" s 3 t 7 >want && tail -n 4 out >have && test_cmp want have &&
	river query --write "drop table RIVER.WEB.SCRATCH" >/dev/null
'

test_expect_success 'pipes are looked at by doctor' '
	river stream create web/views --pipe notify >/dev/null &&
	{ river doctor >out 2>err || cat out >&2; } && test_grep "^ok  *pipes  *2 of 2 run, 0 files" out &&
	sf_sql "alter pipe RIVER.WEB.\"VIEWS\$PIPE\" set pipe_execution_paused = true" >/dev/null &&
	test_expect_code 1 river doctor >out && test_grep "^fail  *pipe  *the pipe of web/views is PAUSED" out &&
	sf_sql "drop pipe RIVER.WEB.\"VIEWS\$PIPE\"" >/dev/null &&
	test_expect_code 1 river doctor >out && test_grep "river stream apply makes what is missing" out &&
	river stream create web/views --pipe notify >/dev/null
'

test_expect_success 'tables are made again from the lake' '
	push_file web/views 1 2 3 && river snowpipe notify web/views --wait --timeout 60s &&
	sf_sql "delete from RIVER.WEB.VIEWS where FILE_ROW = 2" >/dev/null &&
	test_expect_code 1 river status --check web/views >out && test_grep rows_missing out &&
	river snowpipe notify web/views --rebuild --wait --timeout 60s &&
	test "$(snow_ask "select count(*) from web.views")" = 3 && river status --check web/views >out && test_must_be_empty out
'

test_expect_success 'rows that retention took out are retired, and no loss' '
	sf_sql "update RIVER.RIVER.LEDGER set STATE = '\''retired'\'', RETIRED_ROWS = 3 where STREAM = '\''web/views'\''" >/dev/null &&
	sf_sql "delete from RIVER.WEB.VIEWS" >/dev/null &&
	river --output json status web/views >out && test "$(jq -c "[.retired, .present, .all_once]" out)" = "[3,0,true]" &&
	river snowpipe notify web/views && test "$(snow_ask "select count(*) from web.views")" = 0
'

test_expect_success 'a warehouse that is suspended, and one that may not be used' '
	sf_post warehouse "{\"name\":\"WH\",\"state\":\"SUSPENDED\",\"auto_resume\":false}" >/dev/null &&
	{ river query "select * from web.views" >out 2>err; code=$?; } && test $code -ne 0 && test $code -lt 64 &&
	test_grep "warehouse" err && test_grep "^hint: " err &&
	sf_post warehouse "{\"name\":\"WH\",\"state\":\"STARTED\",\"auto_resume\":true}" >/dev/null
'

test_expect_success 'a business is loaded and asked in an account of its own' '
	sf_post account "{\"name\":\"VISTA-DATA\"}" >/dev/null &&
	jq -n --arg key "$sf_public" "{account: \"VISTA-DATA\", name: \"RIVER\", public_key: \$key, default_role: \"ACCOUNTADMIN\", default_warehouse: \"WH\"}" |
		emul_post snowflake/user - >/dev/null &&
	sf_no_env && mkdir -p "$HOME/.snowflake" &&
	for name in prod vista
	do
		account=ACME-DATA && { test $name = prod || account=VISTA-DATA; } &&
		printf "[%s]\naccount = \"%s\"\nuser = \"RIVER\"\nhost = \"127.0.0.1\"\nport = %s\nprotocol = \"http\"\nauthenticator = \"SNOWFLAKE_JWT\"\nprivate_key_file = \"%s\"\n" \
			$name $account "$emul_port" "$sf_key" || return 1
	done >"$HOME/.snowflake/connections.toml" && chmod 600 "$HOME/.snowflake/connections.toml" &&
	sed -e "s/type: snowflake/type: snowflake\n      connection: prod/" "$TRASH_ROOT/river.yaml" >both.yaml &&
	printf "    businesses:\n      vista: { connection: vista, database: VISTA }\n" >>both.yaml &&
	RIVER_CONFIG=$PWD/both.yaml && export RIVER_CONFIG &&
	river stream create vista/orders --column id=integer --pipe notify >/dev/null &&
	push_file vista/orders 1 2 && river snowpipe notify vista/orders --wait --timeout 60s &&
	test "$(river --output csv query --business vista "select count(*) from vista.orders" | sed 1d)" = 2 &&
	test_expect_code 5 river query "select count(*) from vista.orders" 2>err &&
	test_expect_code 2 river query --business nobody "select 1" 2>err && test_grep "has nothing of its own" err &&
	river status >out && test_grep "^vista/orders .* 2 " out && test_grep "^web/clicks" out &&
	river status vista/orders >out && test_grep "all 2 accepted records are loaded once" out
'

snow_end
test_done
