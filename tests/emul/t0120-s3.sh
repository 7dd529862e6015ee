#!/bin/sh
test_description='the emulated S3, asked by @aws-sdk/client-s3 and by hand'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'

test_expect_success 'checksums' '
	emul_case s3 checksums
'
test_expect_success 'chunked bodies, with trailers and with signatures' '
	emul_case s3 chunkedBodies
'
test_expect_success 'objects: odd keys, ranges, conditions, copies, deletes' '
	emul_case s3 objects
'
test_expect_success 'conditional writes' '
	emul_case s3 conditionalWrites
'
test_expect_success 'lists' '
	emul_case s3 lists
'
test_expect_success 'uploads in parts' '
	emul_case s3 parts
'
test_expect_success 'presigned URLs' '
	emul_case s3 presigned
'
test_expect_success 'signatures, clocks and regions that are refused' '
	emul_case s3 refused
'
test_expect_success 'notifications' '
	emul_case s3 notifications
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
