#!/bin/sh
test_description='a laptop, AWS and Snowflake behave alike: the same commands, the same answers'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"
. "$RIVER_SOURCE/tests/lib/conformance-lib.sh"

river query --no-load "select 1" >/dev/null 2>&1 || test_skip_all 'no DuckDB here'
snow_begin
unset RIVER_CONFIG
conformance_data
emul_post bucket '{"name":"other"}' >/dev/null

test_expect_success 'a folder and DuckDB' '
	conformance_begin folder &&
	cat >river.yaml <<-\EOL &&
	profiles:
	  local:
	    lake: ./lake
	    warehouse: { type: duckdb, path: ./warehouse.duckdb }
	EOL
	script && cd ..
'

test_expect_success 'a bucket and DuckDB' '
	conformance_begin bucket &&
	cat >river.yaml <<-\EOL &&
	default_profile: aws
	profiles:
	  aws:
	    lake: s3://other/river
	    warehouse: { type: duckdb, path: ./warehouse.duckdb }
	EOL
	script && cd ..
'

test_expect_success 'a bucket and Snowflake' '
	conformance_begin remote &&
	sed "s/^default_profile.*//; s/prod/snow/" "$TRASH_ROOT/river.yaml" | sed "1s/^/default_profile: snow/" >river.yaml &&
	script && cd ..
'

# What a warehouse that is a service has more, what it makes for a stream, and less, set hashes; and a dry run that
# shows its statements has the stream's id in them.
alike () {
	sed -E \
		-e 's#s3://other/river#LAKE#g' -e '/^notification other: /d' \
		-e '/^ *(database|roles|schema|storage integration|stage|file format|(dynamic )?table|view|pipe) RIVER[._]?/d' \
		-e '/^    /d' -e '/^  gone/d' -e 's/"id":"RUN","created":"TIME","creator":"[^"]*",//' \
		-e 's/"loaded":\{([^}]*),"hash":("[0-9a-f]*"|null)\}/"loaded":{\1,"hash":HASH}/g'
}

test_expect_success 'say the same' '
	test "$(grep -c "^= 0" folder/log)" -gt 20 &&
	alike <folder/log >one && alike <bucket/log >two && alike <remote/log >three &&
	test_cmp one two && test_cmp one three
'

snow_end
test_done
