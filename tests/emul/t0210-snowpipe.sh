#!/bin/sh
test_description='the emulated Snowflake loads files: stages, COPY INTO, pipes and their REST endpoints'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'

test_expect_success 'COPY INTO: what it remembers for 64 days, and what an error costs' '
	emul_case snowpipe copyInto
'
test_expect_success 'a pipe queues, remembers paths for 14 days, can be paused' '
	emul_case snowpipe pipesRemember
'
test_expect_success 'the limits of insertFiles, and who may call it' '
	emul_case snowpipe limits
'
test_expect_success 'insertReport, loadHistoryScan and COPY_HISTORY by pages and by time' '
	emul_case snowpipe reports
'
test_expect_success 'files that fail, or load in part' '
	emul_case snowpipe outcomes
'
test_expect_success 'AUTO_INGEST, and what a pipe refuses' '
	emul_case snowpipe autoIngest
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
