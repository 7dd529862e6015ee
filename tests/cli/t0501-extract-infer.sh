#!/bin/sh
test_description='extract-load --infer: a first job file for an archive, which a run then takes'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >ORDERS_20261120.csv <<\CSV
order_id;placed;total;zip
1001;20.11.2026 10:00;19,90;01067
1002;20.11.2026 11:00;5,00;80331
CSV
cat >LINES.csv <<\CSV
order_id,line_no,sku,price
1001,1,"a,""b",1.50
1001,2,c,2
1002,1,d,3.25
CSV
echo '{ "not": "a table" }' >meta.json
mkdir drop && "$make_zip" --pack drop/ext-0001.zip ORDERS_20261120.csv LINES.csv meta.json

test_expect_success 'what is printed is a job, the same each time, and needs no configuration' '
	river extract-load --infer drop/ext-0001.zip >job.yaml 2>err &&
	test_must_be_empty err &&
	river extract-load --infer drop/ext-0001.zip >again &&
	test_cmp job.yaml again &&
	grep -q "^job: ext$" job.yaml &&
	grep -q "member: \"ORDERS_\[0-9\]\*.csv\"" job.yaml &&
	grep -q "placed: { type: timestamp, format: \"%d.%m.%Y %H:%M\" }" job.yaml &&
	grep -q "zip: string .*\"01067\" in row 1 has a leading zero" job.yaml &&
	grep -q "price: \"decimal(18,2)\" .*0 to 2 behind it" job.yaml &&
	grep -q "key: \[order_id, line_no\] .*together unique in 3 rows sampled" job.yaml &&
	grep -q "in orders.order_id" job.yaml &&
	grep -q "no table: \"meta.json\", it looks like JSON or XML" job.yaml
'

test_expect_success 'the job can be checked and run as it is' '
	echo "profiles: { local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } } }" >river.yaml &&
	river extract-load --check job.yaml >check &&
	grep -q "ext-0001.zip" check &&
	river extract-load --output json job.yaml >out &&
	grep -q "\"taken\": *1" out && grep -q "\"rows\": *5" out && grep -q "\"rejected\": *0" out
'

test_expect_success 'for programs it is one object' '
	river extract-load --infer drop/ext-0001.zip --output json >out &&
	test $(wc -l <out) = 1 && grep -q "\"job_file\":" out
'

test_expect_success 'it stands alone' '
	test_expect_code 2 river extract-load --infer drop/ext-0001.zip job.yaml 2>err &&
	grep -q "looks into its archive alone" err &&
	test_expect_code 2 river extract-load --infer drop/ext-0001.zip --date 2026-11-20 &&
	test_expect_code 2 river extract-load 2>err && grep -q -- "--infer" err
'

test_expect_success 'archives that are none, or not there, are named' '
	test_expect_code 5 river extract-load --infer drop/none.zip >out 2>err &&
	grep -q "drop/none.zip" err && test_must_be_empty out &&
	echo junk >junk.zip &&
	test_expect_code 9 river extract-load --infer junk.zip >out 2>err &&
	grep -q "junk.zip" err && test_must_be_empty out &&
	"$make_zip" 90-crc crc.zip &&
	test_expect_code 9 river extract-load --infer crc.zip >out 2>err &&
	grep -q "CRC-32" err && test_must_be_empty out &&
	test_expect_code 2 river extract-load --infer drop >out 2>err && test_must_be_empty out &&
	grep -q "drop is a folder, not an archive" err
'

test_done
