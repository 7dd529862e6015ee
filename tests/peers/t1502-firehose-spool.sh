#!/bin/sh
test_description='what waits for Firehose: the verbs of the spool, named runs from several hosts, replays'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
firehose_profiles
cat >>"$TRASH_ROOT/river.yaml" <<YAML
  elsewhere:
    lake: s3://lake/river
    delivery: { type: firehose, role_arn: "$firehose_role" }
    warehouse: none
    state: $TRASH_ROOT/elsewhere
YAML
elsewhere () {
	river --profile elsewhere "$@"
}
fresh () {
	rm -rf "$TRASH_ROOT/elsewhere" out.d && firehose_fresh
}
denied='"do":"status","status":403,"code":"AccessDeniedException"'
# Two requests are taken, and the rest of the batch waits; a large record and another batch are behind it.
half_sent () {
	fresh && make_records 3000 >in && {
		printf "{\"n\":3001,\"x\":\"" && head -c 1100000 /dev/zero | tr "\\0" x && printf "\"}\n"
	} >>in && make_records 10 3002 >>in &&
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"nth\":3,\"count\":\"all\"},$denied}" &&
	test_expect_code 4 river push web/clicks <in 2>err
}

test_expect_success 'check: what says how far a batch came is needed' '
	half_sent && river spool check >out && test_must_be_empty out
'

test_expect_success 'export: plain batches are called plain, and a large record is not' '
	half_sent && river spool export web/clicks --to out.d >out && test_line_count = 3 out &&
	cat out.d/*-000000.ndjson >copied && zstd -qdc out.d/*-000001.ndjson.zst >>copied &&
	cat out.d/*-000002.ndjson >>copied &&
	jq -c "del(._river)" copied >got && test_cmp in got
'

test_expect_success 'flush: what was taken is not sent again, and the large record lands' '
	half_sent && emul_no_script && river spool flush >out && head -n 3000 in >small && tail -n 10 in >>small &&
	arrived small && test "$(sent_twice)" -eq 0 &&
	emul_get "objects?prefix=river/data/" >objects && test_line_count = 1 objects
'

for records in 3000 60000
do
	test_expect_success "a named run that another host began, $records records: the same input ends it" '
		fresh && make_records $records >in &&
		emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"nth\":3,\"count\":\"all\"},$denied}" &&
		test_expect_code 4 river push web/clicks --run x <in 2>err && emul_no_script &&
		elsewhere push web/clicks --run x <in && arrived in && test "$(sent_twice)" -gt 0 &&
		river push web/clicks --run x <in && arrived in &&
		river spool list --output json >left && test_must_be_empty left
	'
done

# Two records under one stamp: the clean layer would keep one of them.
test_expect_success 'a named run that another host began: other input is refused, and nothing of it is sent' '
	fresh && make_records 3000 >in && make_records 3000 5 >other &&
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"nth\":3,\"count\":\"all\"},$denied}" &&
	test_expect_code 4 river push web/clicks --run x <in 2>err && emul_no_script &&
	taken=$(emul_count firehose.PutRecordBatch accepted) && test "$taken" -gt 0 &&
	test_expect_code 6 elsewhere push web/clicks --run x <other 2>err &&
	test_grep "run x has sent other data as its batch 0: .*x-000000-r3000-" err &&
		test "$(emul_count firehose.PutRecordBatch accepted)" -eq "$taken" &&
	elsewhere spool flush >out && elsewhere spool list --output json >left && test_must_be_empty left &&
		test "$(emul_count firehose.PutRecordBatch accepted)" -eq "$taken" &&
	river spool flush >out && arrived in &&
	test_expect_code 6 elsewhere push web/clicks --run x <other 2>err &&
	test_grep "run x has sent other data as its batch 0: " err
'

test_expect_success 'a replay of rejects says how many were sent' '
	fresh && printf "n\n1\n2\n{\"n\":3}\n" | test_expect_code 7 river push --format ndjson web/clicks 2>err &&
	river rejects replay --format text web/clicks >out && test_grep "3 landed, 0 rejected again" out &&
	river rejects replay --format text web/clicks >out && test_must_be_empty out &&
	emul_records $firehose_stream >raw && test_line_count = 4 raw
'

test_expect_success 'shipped: when Firehose has delivered every record, and not before' '
	fresh && make_records 700 >in && { printf "{\"n\":701,\"x\":\"" &&
		head -c 1100000 /dev/zero | tr "\\0" x && printf "\"}\n"; } >>in && river push web/clicks in &&
	test_expect_code 8 river push web/clicks --shipped in 2>err && test_grep "1 of 701 records" err &&
	echo "{}" >never && test_expect_code 1 river push web/clicks --shipped in never 2>err && test_grep never err &&
	emul_flush >/dev/null && river push web/clicks --shipped in &&
	make_records 5 702 >>in && test_expect_code 1 river push web/clicks --shipped in 2>err &&
	river push --settle 0s web/clicks in && test_expect_code 8 river push web/clicks --shipped in 2>err &&
	test_grep "701 of 706 records" err &&
	emul_flush >/dev/null && river push web/clicks --shipped in &&
	river stream create web/bare --stamp none >out && river push web/bare in && emul_flush >/dev/null &&
	test_expect_code 8 river push web/bare --shipped in 2>err && test_grep "carry no stamp" err
'

# Also from a pipe under a name, and again from another host: each record of both has a stamp of its own.
test_expect_success 't0024 a poisoned batch: what Firehose has not taken goes around it, alone; nothing twice, and proven' '
	fresh && make_records 3000 >in && fault all "\"do\":\"partial\",\"content\":\"number 1234 \"" &&
	river --output json push web/clicks in >out 2>err && test_grep "put into the lake directly" err &&
	test_grep "\"sent\":3000," out && test_grep "\"maybe_twice\":0," out &&
	emul_get "objects?prefix=river/data/" | jq -r .key >keys && test_line_count = 1 keys &&
	emul_get "object?bucket=lake&key=$(cat keys)&gunzip=1" | jq .n >n && echo 1234 >expected && test_cmp expected n &&
	elsewhere push web/clicks --run x <in 2>err && river push web/clicks --run x <in &&
	emul_no_script && emul_flush >/dev/null && river push web/clicks --shipped in &&
	warehouse="-c warehouse=duckdb -c warehouse.path=$PWD/w.duckdb" && rm -f w.duckdb* &&
	river $warehouse query --output csv "select count(*), count(distinct record) from web.clicks" >out &&
	sed 1d out >n && echo 6000,6000 >expected && test_cmp expected n &&
	river $warehouse status --check web/clicks >out && river $warehouse status --verify --check web/clicks >out
'

emul_stop
test_done
