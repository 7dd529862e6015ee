#!/bin/sh
test_description='objects of the emulated Snowflake, privileges, what SHOW tells, and the official driver'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'

test_expect_success 'tables, views, schemas, databases, integrations: made, altered, dropped' '
	emul_case snowflake-objects makingAndDropping
'
test_expect_success 'who may do what; warehouses; accounts' '
	emul_case snowflake-objects whoMayWhat
'
test_expect_success 'masking policies' '
	emul_case snowflake-objects masks
'
test_expect_success 'dynamic tables, streams, tasks, merges' '
	emul_case snowflake-objects derivedTables
'
test_expect_success 'SHOW, DESCRIBE and INFORMATION_SCHEMA' '
	emul_case snowflake-objects whatIsTold
'
test_expect_success 'the official driver logs in with a key and queries' '
	SNOWFLAKE_DISABLE_PLATFORM_DETECTION=true emul_case snowflake-objects officialDriver
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
