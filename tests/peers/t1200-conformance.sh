#!/bin/sh
test_description='a folder and S3 behave alike: the same commands, the same answers'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/peer-lib.sh"
. "$RIVER_SOURCE/tests/lib/conformance-lib.sh"

peer_need radosgw
peer_start radosgw || test_bug 'radosgw does not start'
conformance_data

test_expect_success 'a folder' '
	conformance_begin folder &&
	cat >river.yaml <<-\EOL &&
	profiles:
	  local:
	    lake: ./lake
	    warehouse: { type: duckdb, path: ./warehouse.duckdb }
	EOL
	script && cd ..
'

test_expect_success 'a bucket' '
	conformance_begin bucket &&
	peer_lake lake river &&
	script && cd ..
'

test_expect_success 'say the same' '
	test "$(grep -c "^= 0" folder/log)" -gt 15 &&
	test_cmp folder/log bucket/log
'

test_expect_success 'and keep the same objects' '
	(cd folder/lake && find data _river -type f | grep -v "/locks/") | normalise | sort >one &&
	peer_aws s3 ls --recursive s3://lake/river/ | sed "s#.* river/##" | normalise | sort >two &&
	test_cmp one two
'

peer_stop
test_done
