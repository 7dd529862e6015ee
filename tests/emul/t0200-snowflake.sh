#!/bin/sh
test_description='the emulated Snowflake: who is let in, and the SQL API'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'

test_expect_success 'tokens of a key pair: whose, how old, signed by which key' '
	emul_case snowflake keyPairs
'
test_expect_success 'tokens of other kinds' '
	emul_case snowflake otherTokens
'
test_expect_success 'requests that are refused' '
	emul_case snowflake requests
'
test_expect_success 'a statement, its rows and its types' '
	emul_case snowflake plainStatement
'
test_expect_success 'values, as texts of the API' '
	emul_case snowflake values
'
test_expect_success 'bindings' '
	emul_case snowflake bindings
'
test_expect_success 'a result in partitions' '
	emul_case snowflake partitions
'
test_expect_success 'a request that is sent again under its id' '
	emul_case snowflake exactlyOnce
'
test_expect_success 'several statements in one request' '
	emul_case snowflake severalStatements
'
test_expect_success 'statements that take long, are cancelled or time out; answers that go wrong' '
	emul_case snowflake longStatements
'
test_expect_success 'the shell library finds its way in' '
	emul_post reset "" >/dev/null &&
	sf_start &&
	sf_sql "CREATE DATABASE D; CREATE SCHEMA D.WEB; CREATE TABLE D.WEB.T (A NUMBER); INSERT INTO D.WEB.T VALUES (1), (2); SELECT COUNT(*) AS N FROM D.WEB.T" >rows &&
	echo "{\"N\":\"2\"}" >expected &&
	test_cmp expected rows &&
	test "$(sf_value "SELECT MAX(A) FROM D.WEB.T")" = 2
'
export EMUL_GOLDEN="$RIVER_SOURCE/tests/data/snowflake"
test_expect_success 'what river says to Snowflake runs' '
	emul_case snowflake goldenRuns
'
test_expect_success 'and parses as Snowflake SQL for a parser of others' '
	emul_case snowflake goldenParses
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
