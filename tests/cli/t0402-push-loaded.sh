#!/bin/sh
test_description='push --wait loaded: exit 0 means that the rows are in the tables'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
  bare: { lake: ./lake, warehouse: { type: none } }
YAML

test_expect_success 'the rows are there, without a query loading them' '
	river stream create web/clicks &&
	printf "{\"n\":%d}\n" 1 2 3 >a.ndjson &&
	river push --wait loaded web/clicks a.ndjson &&
	river query --no-load --output csv "select count(*) as n from web.clicks" >out &&
	printf "n\n3\n" >expected && test_cmp expected out
'

test_expect_success 'nothing new is loaded already' '
	river push --wait loaded web/clicks a.ndjson
'

test_expect_success 'an object that does not load is named, and the exit is not 0' '
	rm -rf lake w.duckdb* "$HOME/.local" && river stream create web/clicks &&
	echo "not a database, and long enough not to be taken for an empty one" >w.duckdb &&
	test_must_fail river push --wait loaded web/clicks a.ndjson 2>err &&
	test_grep "are in the lake, but not all in the tables" err &&
	rm w.duckdb && river push --wait loaded web/clicks a.ndjson &&
	river query --no-load --output csv "select count(*) as n from web.clicks" >out &&
	test_cmp expected out
'

test_expect_success 'a profile without a warehouse cannot promise it' '
	echo "{\"n\":4}" >>a.ndjson &&
	test_expect_code 3 river push --profile bare --wait loaded web/clicks a.ndjson 2>err &&
	test_grep "warehouse" err
'

test_done
