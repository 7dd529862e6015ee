#!/bin/sh
test_description='pump --resume: the same command goes on, to an address and into a stream'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/capture-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML
cat >map.yaml <<\YAML
session: s
fields: { s: { column: s }, n: { column: n }, z: uuid4, tm: now }
YAML
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "{\"s\":\"s%d\",\"n\":%d}\n", i % 20, i }' >rows.ndjson

# Each row is there, and one that is there twice is the same bytes: no id stands for two contents.
whole () {
	sort -u "$1" >distinct && sed 's/.*"n":\([0-9]*\).*/\1/' distinct | sort -n >numbers &&
	seq 0 $(($2 - 1)) | test_cmp - numbers &&
	sed 's/.*"z":"\([^"]*\).*/\1/' distinct | sort | uniq -d >twice && test_must_be_empty twice
}
landed () {
	find lake/data -name '*.ndjson.zst' 2>/dev/null | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}

test_expect_success 'what has been sent is not sent again, and --restart sends it anew' '
	capture_start && river pump --resume --map map.yaml --to "$capture_url/ok" rows.ndjson &&
	bodies >all && test_line_count = 3000 all && whole all 3000 &&
	river -v pump --resume --map map.yaml --to "$capture_url/ok" rows.ndjson 2>err && test_grep "before" err &&
	bodies >again && test_line_count = 3000 again &&
	river pump --resume --restart --map map.yaml --to "$capture_url/ok" rows.ndjson &&
	bodies >again && test_line_count = 6000 again && sort -u again >distinct && test_line_count = 6000 distinct
'

test_expect_success 'targets that differ in their query alone are two' '
	: >captured && head -n 20 rows.ndjson >few.ndjson &&
	pump () { river -v pump --resume --map map.yaml --to "$capture_url/ok?k=$1" few.ndjson 2>err; } &&
	pump 1 && pump 2 && bodies >all && test_line_count = 40 all &&
	for key in 1 2
	do
		pump $key && test_grep "before" err && test_grep ! "k=" err || return 1
	done && bodies >all && test_line_count = 40 all
'

test_expect_success '--count, and then the rest' '
	: >captured && river pump --resume --restart --count 1000 --map map.yaml --to "$capture_url/ok" rows.ndjson &&
	bodies >all && test_line_count = 1000 all &&
	river pump --resume --map map.yaml --to "$capture_url/ok" rows.ndjson &&
	bodies >all && test_line_count = 3000 all && whole all 3000
'

test_expect_success 'more passes than it had are gone on with; into a stream they are another input' '
	head -n 20 rows.ndjson >few.ndjson && : >captured &&
	pump () { river -v pump --resume --map map.yaml --connections 1 "$@" few.ndjson 2>err; } &&
	pump --to "$capture_url/ok" && bodies >all && test_line_count = 20 all &&
	pump --to "$capture_url/ok" --loop 3 && bodies >all && test_line_count = 60 all &&
	sort -u all >distinct && test_line_count = 60 distinct &&
	for loop in 3 2 1
	do
		pump --to "$capture_url/ok" --loop $loop && test_grep "before" err || return 1
	done && bodies >all && test_line_count = 60 all &&
	river stream create web/loops >/dev/null && pump --to web/loops &&
	test_expect_code 6 pump --to web/loops --loop 2 && test_grep "fewer passes" err && test_grep "restart" err &&
	pump --to web/loops && test_grep "before" err && rm -rf lake
'

test_expect_success '66: SIGKILL anywhere, and the same command again: each row once, or twice as the same bytes' '
	for batch in 1 20
	do
		: >captured && rm -rf "$HOME/.local/state/river/pump" && before=0 killed=0 &&
		for round in 1 2 3 4
		do
			{ river pump --resume --map map.yaml --batch $batch --rate 1000/s --to "$capture_url/ok" rows.ndjson & } && pumper=$! &&
			more_came () { test $(wc -l <captured) -gt $(($before + 200 / $batch)) || ! kill -0 $pumper; } &&
			test_wait_until 20 more_came && { kill -KILL $pumper; wait $pumper || test $? -ne 137 || killed=$((killed + 1)); } &&
			before=$(wc -l <captured) || return 1
		done && test $killed -gt 0 &&
		river pump --resume --map map.yaml --batch $batch --to "$capture_url/ok" rows.ndjson &&
		bodies | sed "s/^\[//; s/\]\$//; s/},{/}\n{/g" >all && whole all 3000 &&
		test $(wc -l <all) -lt 6000 || return 1
	done
'

test_expect_success '66: csv, packed, with rows that are none: gone on with at the right row' '
	{ echo "s,n"; awk "BEGIN { for (i = 0; i < 3000; i++) print (i % 100 == 7 ? \"too,many,fields\" : \"s\" i % 9 \",\" i) }"; } | gzip >rows.csv.gz &&
	: >captured && { river pump --resume --map map.yaml --rate 1000/s --to "$capture_url/ok" rows.csv.gz 2>err & } && pumper=$! &&
	came () { test $(wc -l <captured) -gt 500; } && test_wait_until 20 came &&
	{ kill -KILL $pumper; wait $pumper; test $? -eq 137; } &&
	test_expect_code 7 river pump --resume --map map.yaml --to "$capture_url/ok" rows.csv.gz 2>err &&
	bodies | sort -u | sed "s/.*\"n\":\"\([0-9]*\).*/\1/" | sort -n >numbers && seq 0 2999 | grep -v "07\$" | grep -vx 7 >expected &&
	test_cmp expected numbers
'

test_expect_success '67: data that has changed is not gone on with: 6, with what it was and what it is' '
	cp rows.ndjson data.ndjson && : >captured &&
	river pump --resume --count 100 --map map.yaml --to "$capture_url/ok" data.ndjson &&
	echo "{\"s\":\"x\",\"n\":3000}" >>data.ndjson && size=$(wc -c <data.ndjson) &&
	test_expect_code 6 river pump --resume --map map.yaml --to "$capture_url/ok" data.ndjson 2>err &&
	test_grep "data.ndjson has changed" err && test_grep "now $size bytes" err && test_grep "restart" err &&
	sed "s/tm: now/tm: { now: s }/" map.yaml >other.yaml && cp rows.ndjson data2.ndjson &&
	river pump --resume --count 100 --map map.yaml --to "$capture_url/ok" data2.ndjson &&
	test_expect_code 6 river pump --resume --map other.yaml --to "$capture_url/ok" data2.ndjson 2>err && test_grep "map is another" err &&
	test_expect_code 2 river pump --resume --replay-time --map map.yaml --to "$capture_url/ok" - <rows.ndjson &&
	river pump --resume --restart --map other.yaml --to "$capture_url/ok" data2.ndjson
'

test_expect_success 'one pump at a time' '
	: >captured && { river pump --resume --restart --map map.yaml --rate 100/s --to "$capture_url/ok" rows.ndjson & } && pumper=$! &&
	test_wait_until 20 test -s captured &&
	test_expect_code 11 river --lock fail pump --resume --map map.yaml --to "$capture_url/ok" rows.ndjson 2>err &&
	test_grep "by another process" err && kill -KILL $pumper && { wait $pumper || :; }
'

test_expect_success 'a journal that is damaged is said: 12, and --restart mends it' '
	cp rows.ndjson mine.ndjson && ls "$HOME/.local/state/river/pump" >before &&
	river pump --resume --count 10 --map map.yaml --to "$capture_url/ok" mine.ndjson &&
	journal=$HOME/.local/state/river/pump/$(ls "$HOME/.local/state/river/pump" | grep -v lock | grep -vxFf before) &&
	sed -i "1s/seed/sead/" "$journal" &&
	test_expect_code 12 river pump --resume --map map.yaml --to "$capture_url/ok" mine.ndjson 2>err &&
	test_grep "damaged" err && test_grep "restart" err &&
	river pump --resume --restart --map map.yaml --to "$capture_url/ok" mine.ndjson
'

test_expect_success 'into a stream, once' '
	river stream create web/clicks >/dev/null && river -v pump --map map.yaml --to web/clicks rows.ndjson 2>err &&
	test_grep "pumped 3,000 events" err && landed >all && test_line_count = 3000 all && whole all 3000
'

test_expect_success '66: into a stream: killed anywhere, each event lands once' '
	rm -rf lake "$HOME/.local" && river stream create web/clicks --batch-records 200 >/dev/null &&
	killed=0 &&
	for objects in 2 5 8
	do
		{ river pump --resume --map map.yaml --rate 1000/s --to web/clicks rows.ndjson & } && pumper=$! &&
		more_landed () { test $(find lake/data -name "*.zst" 2>/dev/null | wc -l) -ge $objects || ! kill -0 $pumper; } &&
		test_wait_until 30 more_landed &&
		{ kill -KILL $pumper; wait $pumper || test $? -ne 137 || killed=$((killed + 1)); } || return 1
	done && test $killed -gt 0 &&
	river pump --resume --map map.yaml --to web/clicks rows.ndjson &&
	landed >all && test_line_count = 3000 all && whole all 3000 &&
	river -v pump --resume --map map.yaml --to web/clicks rows.ndjson 2>err && test_grep "before" err &&
	river pump --resume --restart --map map.yaml --to web/clicks rows.ndjson &&
	landed >all && test_line_count = 6000 all
'

test_expect_success 'into a stream: a run is of one input, so another --count is another one' '
	river pump --resume --restart --count 10 --map map.yaml --to web/clicks rows.ndjson &&
	test_expect_code 6 river pump --resume --map map.yaml --to web/clicks rows.ndjson 2>err && test_grep "count is another" err
'

test_expect_success 'into a stream: rows that are none are counted, a stream that is not there is 5' '
	echo "not json" >bad.ndjson && head -n 3 rows.ndjson >>bad.ndjson &&
	test_expect_code 7 river pump --map map.yaml --to web/clicks bad.ndjson 2>err && test_grep "1 of 4 rows" err &&
	test_expect_code 5 river pump --map map.yaml --to web/nothing rows.ndjson
'

capture_stop
test_done
