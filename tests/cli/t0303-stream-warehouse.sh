#!/bin/sh
test_description='what stream does with the warehouse: only what is asked for, and never in the way'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\EOF
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
EOF
test_lazy_prereq DUCKDB 'river stream create any -n --sql'

without_engine () {
	env RIVER_DUCKDB=/nowhere/libduckdb.so river "$@"
}

test_expect_success 'creating and changing streams needs no engine and makes no file' '
	without_engine stream create web/clicks --key id >out 2>err &&
	test_must_be_empty err &&
	printf "stream: web/clicks\nkey: id\ncolumns: { n: integer }\n" >clicks.yaml &&
	without_engine stream apply -f clicks.yaml >out 2>err &&
	test_must_be_empty err &&
	test_path_is_missing w.duckdb
'

test_expect_success 'statements are asked for: without an engine that fails, with -v it is only said' '
	test_expect_code 5 without_engine stream create web/new -n --sql >out 2>err &&
	test_grep "cannot open DuckDB" err &&
	without_engine stream create web/new -n -v >out 2>err &&
	test_grep "no statements for the warehouse" err &&
	without_engine stream create web/new -n >out 2>err &&
	test_must_be_empty err
'

test_expect_success 'where there are tables and no engine, they follow later, or stay' '
	test_when_finished "rm w.duckdb" &&
	: >w.duckdb &&
	printf "stream: web/clicks\nkey: id\n" >clicks.yaml &&
	without_engine stream apply -f clicks.yaml >out 2>err &&
	test_grep "^web/clicks: updated" out &&
	test_grep "the tables of web/clicks follow at the next load" err &&
	without_engine stream delete web/clicks --data --yes >out 2>err &&
	test_grep "^web/clicks: deleted" out &&
	test_grep "the tables in .*w.duckdb stay" err &&
	test_grep ! "gone in the warehouse" out
'

test_expect_success DUCKDB 'a dry run prints the statements and makes no file' '
	river stream create web/clicks --key id -n --sql >out &&
	test_grep "CREATE TABLE .*\"clicks\"" out &&
	river stream create web/clicks --key id -n --sql --output json >out &&
	test_grep "\"statements\":\[\"CREATE SCHEMA" out &&
	test_path_is_missing w.duckdb &&
	test_path_is_missing lake/_river/streams/web/clicks.json
'

test_expect_success DUCKDB 'apply makes tables and brings them in line, delete --data drops them' '
	printf "stream: web/clicks\nkey: id\n" >first.yaml &&
	river stream apply -f first.yaml >out 2>err &&
	test_must_be_empty err &&
	test_path_is_file w.duckdb &&
	printf "stream: web/clicks\nkey: id\nmonitor: { freshness: 1h }\n" >clicks.yaml &&
	sed "s/1h/2h/" clicks.yaml >again.yaml &&
	river stream apply -f again.yaml -n --sql >out &&
	test_grep ! "CREATE TABLE .*\"web\".\"clicks\" " out &&
	river stream delete web/clicks -n --data >out &&
	test_grep "goes in the warehouse: web.clicks" out &&
	river stream apply -f clicks.yaml >out 2>err &&
	test_must_be_empty err &&
	river stream delete web/clicks --yes >out &&
	test_grep "stays in the warehouse: web.clicks" out &&
	river stream create web/clicks --key id &&
	river stream delete web/clicks --data --yes >out &&
	test_grep "gone in the warehouse: web.clicks" out &&
	river stream create web/clicks --key id -n --sql >out &&
	test_grep "CREATE TABLE .*\"web\".\"clicks\" " out
'

test_done
