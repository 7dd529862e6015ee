#!/bin/sh
test_description='the emulated Firehose, STS and metadata services, asked by @aws-sdk clients and by hand'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'

test_expect_success 'streams are created, described, listed, updated, deleted' '
	emul_case firehose lifeOfAStream
'
test_expect_success 'what CreateDeliveryStream refuses' '
	emul_case firehose whatCreateRefuses
'
test_expect_success 'the limits of records and batches' '
	emul_case firehose limitsOfRecords
'
test_expect_success 'prefixes, with the patterns of Java' '
	emul_case firehose prefixes
'
test_expect_success 'delivery by size, by time, on demand, twice' '
	emul_case firehose delivery
'
test_expect_success 'partial failures' '
	emul_case firehose partialFailures
'
test_expect_success 'signatures that are refused' '
	emul_case firehose refusedSignatures
'
test_expect_success 'sources of credentials, and their end' '
	emul_case firehose sourcesOfCredentials
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
