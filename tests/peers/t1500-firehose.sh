#!/bin/sh
test_description='push through Firehose: stamped, acknowledged record by record, within every limit'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
firehose_profiles

is_being_made () {
	test "$(emul_count firehose.CreateDeliveryStream)" -gt 0
}
is_refused () {
	test "$(emul_count firehose.PutRecordBatch failed)" -gt 0
}
# A record of exactly so many bytes with its newline.
long_record () {
	awk -v len="$1" 'BEGIN { s = "{\"n\":1,\"x\":\""; t = "\"}"; printf "%s", s
		for (i = length(s) + length(t) + 1; i < len; i++) printf "x"; print t }'
}
in_objects () {
	emul_get 'objects?prefix=river/data/' | jq -r .key
}
# What the objects below data/ hold, decompressed.
landed () {
	in_objects | while read -r key
	do
		case $key in
		*.zst) emul_get "object?bucket=lake&key=$key" | zstd -dc ;;
		*) emul_get "object?bucket=lake&key=$key&gunzip=1" ;;
		esac || exit 1
	done
}

test_expect_success 'a file: every record once, stamped, and nothing waits' '
	firehose_fresh && make_records 1203 >in &&
	river push web/clicks in >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	arrived in && test "$(sent_twice)" -eq 0 &&
	test "$(requests)" -eq 3 &&
	river spool list --output json >left && test_must_be_empty left &&
	in_objects >objects && test_must_be_empty objects &&
	head -n 1 "$TRASH_ROOT/raw" >first && test_grep "^{\"n\":[0-9]*,\"what\":\"[^\"]*\",\"_river\":{\"id\":\"[0-9a-z-]*\"" first
'

test_expect_success 'a pipe' '
	firehose_fresh && make_records 700 >in &&
	river push web/clicks <in && arrived in && test "$(sent_twice)" -eq 0 &&
	river spool list --output json >left && test_must_be_empty left
'

test_expect_success 'the same file again sends only what is new' '
	firehose_fresh && make_records 100 >in && river push web/clicks in &&
	make_records 50 101 >>in && river push web/clicks in &&
	arrived in && test "$(sent_twice)" -eq 0
'

test_expect_success 'over TLS' '
	firehose_fresh && make_records 600 >in && emul_env tls &&
	test_when_finished "emul_no_env; emul_env" &&
	river push web/clicks in && arrived in
'

test_expect_success 'packed: many lines in one record, billed as few' '
	firehose_fresh && make_records 20000 >in &&
	river --profile packed push web/clicks in && arrived in && test "$(sent_twice)" -eq 0 &&
	test "$(emul_count firehose.PutRecordBatch accepted)" -lt 40
'

# 62 bytes each and a stamp, and each is billed as 5,120.
test_expect_success 'the summary says what is billed, and what packing would save; what it says holds' '
	firehose_fresh && make_records 2000 >in && river -v --output json push web/clicks in >plain 2>err &&
	test "$(jq .billed_bytes plain)" -eq $((2000 * 5120)) &&
	test_grep "Firehose bills the [0-9.]* KiB of records as 9.77 MiB; with .delivery.packing: lines. as [0-9.]* KiB at most" err &&
	firehose_fresh && river -v --profile packed --output json push web/clicks in >packed 2>err &&
	test_grep "Firehose bills the [0-9.]* KiB of records as [0-9.]* KiB\"}$" err &&
	sent=$(jq .sent_bytes packed) && billed=$(jq .billed_bytes packed) &&
	test "$sent" -eq "$(jq .sent_bytes plain)" && test "$billed" -ge "$sent" &&
	test "$billed" -le $((sent + (2 * (sent / 250000) + 1) * 5120)) &&
	firehose_fresh && long_record 5000 >in && river -v push web/clicks in 2>err &&
	test_grep "Firehose bills the [0-9.]* KiB of records as 5.00 KiB$" err &&
	river push web/clicks in 2>err && test_must_be_empty err
'

test_expect_success 't0039 requests are full, and never over 500 records or 4 MB' '
	firehose_fresh && make_records 501 >in && river push web/clicks in && arrived in &&
	emul_log "op=PutRecordBatch" | jq .records | sort -n >sizes &&
	printf "%s\n" 1 500 >expected && test_cmp expected sizes &&
	firehose_fresh && for i in 1 2 3 4 5 6 7 8 9; do long_record 900000; done >in &&
	river push web/clicks in && arrived_count=$(emul_records $firehose_stream | wc -l) &&
	test "$arrived_count" -eq 9 &&
	test "$(emul_count firehose.PutRecordBatch failed)" -eq 0
'

# 1,024,000 bytes, of which 128 are kept for the stamp: the same input makes the same batches, however long
# the stamp of this run is.
test_expect_success 't0038 a record at the limit is sent; one byte more lands in the lake by itself' '
	firehose_fresh && make_records 3 >in && long_record $((1024000 - 128)) >>in &&
	river push web/clicks in && arrived in && in_objects >objects && test_must_be_empty objects &&
	firehose_fresh && make_records 3 >small && long_record $((1024001 - 128)) >large &&
	cat small large >in && make_records 2 4 >>in && make_records 5 >small &&
	river push web/clicks in && arrived small &&
	in_objects >objects && test_line_count = 1 objects && landed | jq -c "del(._river)" >got &&
	test_cmp large got
'

test_expect_success 't0038 without a stamp all of the limit is for the record' '
	firehose_fresh &&
	river stream create web/bare --key n --stamp none >out &&
	long_record 1024000 >in && river push web/bare in &&
	emul_records river-web-bare >got && test_cmp in got && in_objects >objects && test_must_be_empty objects &&
	long_record 1024001 >in && river push web/bare in &&
	emul_records river-web-bare | wc -l >n && echo 1 >expected && test_cmp expected n &&
	in_objects >objects && test_line_count = 1 objects
'

test_expect_success 't0040 what lands splits back into the same records' '
	firehose_fresh && printf "{\"a\":1}\r\n{\"b\":\"\\\\u0000\"}{\"c\":\"x\\\\ny\"}\n  {\"d\":[1,\n2]}\n" >in &&
	printf "{\"e\":\"no newline\"}" >>in &&
	river push --format json web/clicks in && emul_flush >/dev/null &&
	landed >lines && test_line_count = 5 lines &&
	jq -c "del(._river)" lines | sort >got &&
	cat >wanted <<-\END &&
	{"a":1}
	{"b":"\u0000"}
	{"c":"x\ny"}
	{"d":[1,2]}
	{"e":"no newline"}
	END
	test_cmp wanted got
'

test_expect_success 'a stream that is still being made is waited for' '
	firehose_fresh && emul_config "{\"creating_ms\":120000}" &&
	test_when_finished "emul_config \"{\\\"creating_ms\\\":0,\\\"clock_offset_s\\\":0}\"" &&
	river stream delete web/clicks --yes >/dev/null 2>&1 &&
	{ river stream create web/clicks --key n >/dev/null & } && create=$! &&
	test_wait_until 30 is_being_made && make_records 10 >in &&
	{ river push web/clicks in & } && push=$! &&
	test_wait_until 30 is_refused && emul_config "{\"clock_offset_s\":121}" &&
	wait $push && wait $create && arrived in
'

test_done
