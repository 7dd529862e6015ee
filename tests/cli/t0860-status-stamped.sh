#!/bin/sh
test_description='status of streams under Firehose: what arrived is told by stamps'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML
river query --no-load "select 1" >/dev/null 2>&1 || test_skip_all 'no DuckDB here'

day=$(date -u +%Y-%m-%d)
folder=lake/data/web/clicks/dt=$day/hr=00
base=data/web/clicks/dt=$day/hr=00

# fresh STAMP: a lake with one stream, and the receipt of a run of two batches that Firehose took
fresh () {
	stamp=$1 && shift &&
	rm -rf lake w.duckdb* &&
	river stream create web/clicks "$@" >/dev/null &&
	sed "s/\"stamp\": *\"none\"/\"stamp\":\"$stamp\"/" lake/_river/streams/web/clicks.json >new &&
	mv new lake/_river/streams/web/clicks.json &&
	mkdir -p "$folder" "lake/_river/receipts/web/clicks/$day" &&
	receipt=lake/_river/receipts/web/clicks/$day/run1-a5-x0-b2-h0000000000000005.json &&
	cat >"$receipt" <<-EOF
	{"v":1,"run":"run1","state":"closed","delivery":"firehose","read":5,"accepted":5,"rejected":0,"hash":"0000000000000005",
	"objects":[],"batches":["$base/run1-000001-r3-h0000000000000003.ndjson","$base/run1-000002-r2-h0000000000000002.ndjson"],"rejects":[]}
	EOF
}
# deliver N SEQ:NUMBER...: Firehose's N-th object, with these records of the run
deliver () {
	file=$folder/river-web-clicks-1-$day-00-0$1-00-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f$1 && shift &&
	for stamp
	do
		printf "{\"n\":%d,\"_river\":{\"id\":\"${run-run1}-%06d-%d\"}}\n" "${stamp#*:}" "${stamp%:*}" "${stamp#*:}" || return 1
	done >"$file"
}
# hop NAME: its counts, from the file out
hop () {
	sed -n "s/^$1  *//p" out | tr -s " " | sed "s/ *$//"
}

test_expect_success 'nothing has arrived: on its way, then late' '
	fresh id && river status web/clicks >out &&
	test_grep "noted: records_missing: 5 of 5 records of run run1 are on their way" out &&
	test_grep "^web/clicks: of 5 accepted records 0 have arrived, 5 have not$" out &&
	hop arrived >got && echo "0 by their stamps; 5 missing" >want && test_cmp want got &&
	river status --check >out && test_must_be_empty out &&
	river status >out && test_grep "on its way" out &&
	touch -d "1 hour ago" "$receipt" &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "late: records_missing: .*batch 1: 0 of 3 there, batch 2: 0 of 2 there" out &&
	touch -d "2 days ago" "$receipt" &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "wrong: records_missing: .*keeps none for longer than a day" out
'

test_expect_success 'some have arrived: which batches have not is named' '
	deliver 1 1:1 1:2 1:3 2:2 && touch "$receipt" &&
	river status web/clicks >out &&
	test_grep "1 of 5 records .*; batch 2: 1 of 2 there" out &&
	hop arrived >got && echo "4 by their stamps; 1 missing" >want && test_cmp want got &&
	river --output json status web/clicks >out &&
	test_grep "\"all_once\": *false" out &&
	test_grep "\"stamped\": *{\"arrived\": *4, *\"missing\": *1, *\"twice\": *0" out
'

test_expect_success 'all have arrived, once' '
	deliver 2 2:1 &&
	river status web/clicks >out 2>err && test_must_be_empty err &&
	test_grep "^web/clicks: all 5 accepted records are loaded once$" out &&
	hop landed >got && test_grep "^2 5 " got && hop raw >got && echo 5 >want && test_cmp want got &&
	river status --check >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	river status --verify --check --since all -v >out && test_grep "all 5 accepted records are loaded once" out
'

test_expect_success 'some came again: said, and not wrong' '
	deliver 3 1:2 2:1 2:2 && river status web/clicks >out &&
	test_grep "all 5 accepted records are loaded; 3 came again under the same stamps, and no layer leaves that out" out &&
	test_grep "noted: records_twice: 3 records arrived more than once" out &&
	hop twice >got && echo 3 >want && test_cmp want got &&
	river status --check >out 2>err && test_must_be_empty out &&
	river --output json status web/clicks >out && test_grep "\"all_once\": *true" out
'

test_expect_success 'the clean layer leaves out what came again, and says so' '
	fresh id --column n=integer && deliver 1 1:1 1:2 1:3 2:1 2:2 && deliver 2 1:3 2:2 &&
	river status web/clicks >out &&
	test_grep "2 came again under the same stamps, which the clean layer leaves out" out &&
	hop clean >got && echo 5 >want && test_cmp want got &&
	hop duplicates >got && echo 2 >want && test_cmp want got &&
	river status --check --verify >out && test_must_be_empty out
'

test_expect_success 'records of a run without a receipt are strangers' '
	fresh id && deliver 1 1:1 1:2 1:3 2:1 2:2 && run=run7 && deliver 2 1:1 1:2 && unset run &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "wrong: records_unknown: 2 records carry the stamps of run run7, which has no receipt" out
'

test_expect_success 'what others send to the delivery stream is told apart' '
	fresh id && deliver 1 1:1 1:2 1:3 2:1 2:2 && printf "{\"x\":1}{\"x\":2}\nno record\n" >>"$file" &&
	river status web/clicks >out &&
	test_grep "noted: records_unstamped: .*2 records without a stamp and 1 lines that are no records" out &&
	test_grep "all 5 accepted records are loaded once" out &&
	river status --check >out && test_must_be_empty out
'

test_expect_success 'without stamps nothing is provable, and --check does not say it is' '
	fresh none && deliver 1 && printf "{\"n\":%d}\n" 1 2 3 1 2 >"$file" &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "wrong: not_provable: .*5 records .*stamp: none" out &&
	river status web/clicks >out &&
	test_grep "^web/clicks: whether 5 of 5 accepted records have arrived cannot be proven$" out &&
	river status >out && test_grep "not provable$" out
'

test_expect_success 'without a warehouse only reading the objects tells' '
	fresh id && deliver 1 1:1 1:2 1:3 2:1 && deliver 2 2:2 1:1 &&
	test_expect_code 1 river -c warehouse=none status --check >out 2>err &&
	test_grep "not_provable: .*without a warehouse; --verify" out &&
	river -c warehouse=none status --check --verify >out 2>err && test_must_be_empty out &&
	river -c warehouse=none status --verify web/clicks >out && test_grep "all 5 accepted records have landed" out
'

test_expect_success 'a loaded object that was changed is found by reading it' '
	fresh id && deliver 1 1:1 1:2 1:3 2:1 2:2 && river status --check &&
	deliver 1 1:1 1:2 1:3 2:1 2:1 &&
	test_expect_code 1 river status --check --verify >out 2>err &&
	test_grep "object_altered: .*-00-01-00-" out
'

test_expect_success 'what is not loaded is not known to be there' '
	fresh id && deliver 1 1:1 1:2 1:3 2:1 2:2 &&
	river status --no-load web/clicks >out &&
	test_grep "noted: pending: 1 object of Firehose is not loaded yet" out &&
	test_grep "5 of 5 records of run run1 are on their way" out &&
	river status --check && river status --check --no-load
'

# With --verify the receipt is read as well: it must say what its name says.
test_expect_success 'a receipt that lost a batch is found' '
	fresh id && deliver 1 1:1 1:2 1:3 2:1 2:2 && river status --check --verify &&
	sed "s/\"batches\":\[[^,]*,/\"batches\":[/" "$receipt" >new && mv new "$receipt" &&
	test_expect_code 1 river status --check --verify >out 2>err && test_grep "receipt_damaged" out
'

test_expect_success 'without stamps, more records than Firehose was sent: wrong, and never "loaded once"' '
	fresh none && deliver 1 1:1 1:2 1:3 2:1 2:2 &&
	sed -i "s/,\"_river\":{[^}]*}//" "$file" && river status web/clicks >out &&
	test_grep "wrong: not_provable: whether 5 records" out &&
	test_must_fail grep "which arrived twice cannot be told" out &&
	fresh none && deliver 1 1:1 1:2 1:3 2:1 2:2 1:1 1:2 &&
	sed -i "s/,\"_river\":{[^}]*}//" "$file" &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "wrong: not_provable: objects of Firehose hold 7 records, and 5 were accepted for it alone" out
'

test_done
