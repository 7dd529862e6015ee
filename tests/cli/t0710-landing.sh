#!/bin/sh
test_description='landing process: uploads are validated, published once, removed'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML
run=01jd0000000000000000000000
waiting=lake/_river/landing/web/clicks

fresh () {
	rm -rf lake "$HOME/.local" &&
	river stream create web/clicks >/dev/null &&
	mkdir -p $waiting
}
records () {
	find lake/data -type f 2>/dev/null | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}
# Two processes, with these state folders.
both () {
	RIVER_STATE_DIR=$1 river landing process 2>err1 &
	RIVER_STATE_DIR=$2 river landing process 2>err2
	second=$?
	wait $! && test $second = 0
}
many () {
	for i in 1 2 3 4 5 6 7 8
	do
		seq 1 2000 | sed "s/.*/{\"u\":$i,\"n\":&}/" >$waiting/$run-00000$i || return 1
	done
}
empty () {
	find lake/_river/landing -type f >left && test_must_be_empty left
}

test_expect_success 'nothing waits' '
	rm -rf lake "$HOME/.local" &&
	river landing process >out && test_must_be_empty out &&
	test_expect_code 5 river landing process web/clicks 2>err &&
	fresh && river landing process web/clicks >out && test_must_be_empty out
'

test_expect_success 'an upload lands and is removed' '
	fresh &&
	printf "{\"n\":1}\n{\"n\":2}" >$waiting/$run-000001 &&
	river landing process -n >out && test_grep "$run-000001  15 B" out &&
	test_path_is_file $waiting/$run-000001 && test_path_is_missing lake/data &&
	river landing process --output json >out &&
	test_grep "\"outcome\":\"landed\",\"bytes\":15,\"accepted\":2,\"rejected\":0,\"message\":null" out &&
	records >got && printf "{\"n\":1}\n{\"n\":2}\n" >want && test_cmp want got &&
	empty &&
	find lake/data -name "$run-000001-000000-r2-*" >out && test_line_count = 1 out &&
	river status --check
'

test_expect_success 'compressed, and in the format of the stream' '
	fresh && river stream create web/rows --format csv >/dev/null &&
	mkdir -p lake/_river/landing/web/rows &&
	printf "{\"n\":1}\n" | gzip >$waiting/$run-000001 &&
	printf "{\"n\":2}\n" | zstd -q >$waiting/$run-000002 &&
	printf "a,b\n1,2\n" | gzip >lake/_river/landing/web/rows/$run-000001 &&
	river landing process && empty &&
	records | sort >got &&
	printf "%s\n" "{\"a\":\"1\",\"b\":\"2\"}" "{\"n\":1}" "{\"n\":2}" >want && test_cmp want got
'

test_expect_success 'one stream of two; plain names are of main' '
	fresh && river stream create app >/dev/null && mkdir -p lake/_river/landing/main/app &&
	echo "{\"n\":1}" >$waiting/$run-000001 &&
	echo "{\"n\":2}" >lake/_river/landing/main/app/$run-000001 &&
	river landing process app &&
	test_path_is_file $waiting/$run-000001 &&
	records >got && echo "{\"n\":2}" >want && test_cmp want got
'

test_expect_success 'a stream that is named twice is looked at once' '
	fresh && echo "{\"n\":1}" >$waiting/$run-000001 &&
	river --output json landing process web/clicks web/clicks >out && test_line_count = 1 out &&
	test_grep "\"outcome\":\"landed\"" out
'

test_expect_success 'what is no record goes to the rejects' '
	fresh &&
	printf "{\"n\":1}\nbad\n" >$waiting/$run-000001 &&
	printf "worse\n" >$waiting/$run-000002 &&
	test_expect_code 7 river landing process 2>err && empty &&
	test_grep "$run-000001: 1 of 2 records was rejected, the first: .*not a JSON object" err &&
	test_grep "2 of 2 uploads" err &&
	river rejects show web/clicks --raw >got && printf "bad\nworse\n" >want && test_cmp want got &&
	records >got && echo "{\"n\":1}" >want && test_cmp want got &&
	river status --check
'

test_expect_success 'the same upload twice lands once, and is removed' '
	fresh &&
	echo "{\"n\":1}" >$waiting/$run-000001 && river landing process &&
	echo "{\"n\":1}" >$waiting/$run-000001 && river landing process &&
	empty && records >got && echo "{\"n\":1}" >want && test_cmp want got &&
	river status --check
'

test_expect_success 'another upload under a used name goes to the rejects, whole' '
	fresh &&
	printf "%s\n" "{\"n\":1}" "{\"n\":2}" >$waiting/$run-000001 && river landing process &&
	for other in "{\"n\":3}" "{\"n\":1}" "{\"n\":1}
{\"n\":2}
{\"n\":3}"
	do
		echo "$other" >$waiting/$run-000001 &&
		test_expect_code 7 river landing process 2>err &&
		test_grep "another upload has landed" err &&
		empty || return 1
	done &&
	river rejects list web/clicks --output json >out && test_line_count = 3 out &&
	river rejects show web/clicks --output json >out && test_grep used_twice out &&
	river rejects show web/clicks --raw | sort >got &&
	printf "%s\n" "{\"n\":1}" "{\"n\":1}" "{\"n\":2}" "{\"n\":3}" "{\"n\":3}" >want &&
	test_cmp want got &&
	records >got && printf "%s\n" "{\"n\":1}" "{\"n\":2}" >want && test_cmp want got &&
	river status --check
'

test_expect_success 'deleted with its data and made again, the stream knows no name that was used' '
	fresh && echo "{\"n\":1}" >$waiting/$run-000001 && river landing process &&
	echo "{\"n\":1}" | river push --run nightly web/clicks &&
	river stream delete web/clicks --data --yes &&
	find lake/_river -path "*web/clicks*" -type f >left && test_must_be_empty left &&
	river stream create web/clicks && mkdir -p $waiting &&
	echo "{\"n\":2}" >$waiting/$run-000001 && river landing process && empty &&
	echo "{\"n\":3}" | river push --run nightly web/clicks &&
	records | sort >got && printf "%s\n" "{\"n\":2}" "{\"n\":3}" >want && test_cmp want got
'

test_expect_success 'a large one is set aside byte for byte, in pieces' '
	fresh &&
	echo "{\"n\":1}" >$waiting/$run-000001 && river landing process &&
	seq 1 300000 | sed "s/.*/{\"n\":&}/" >large &&
	cp large $waiting/$run-000001 &&
	test_expect_code 7 river landing process 2>err && empty &&
	river rejects show web/clicks --raw >got && test_cmp large got
'

test_expect_success 'a damaged one: what is before counts, the whole is kept' '
	fresh &&
	seq 1 100000 | sed "s/.*/{\"n\":&}/" | gzip >whole &&
	head -c 100000 whole >$waiting/$run-000001 && cp $waiting/$run-000001 cut &&
	test_expect_code 7 river landing process 2>err && empty &&
	test_grep "ends early" err &&
	records >got && test_grep "^{\"n\":1}$" got &&
	river rejects show web/clicks --output json >out && test_grep "\"damaged\"" out &&
	river status --check
'

test_expect_success 'what cannot be processed is told of and left; the others go on' '
	fresh && mkdir -p lake/_river/landing/web/none &&
	echo "{\"n\":1}" >$waiting/$run-000002 &&
	echo "{\"n\":2}" >$waiting/notes.txt &&
	echo "{\"n\":3}" >lake/_river/landing/web/none/$run-000001 &&
	seq 1 100 | sed "s/.*/{\"n\":&}/" >$waiting/$run-000001 &&
	test_expect_code 7 river landing process --max-size 100 2>err &&
	test_grep "$run-000001: it has 8.* more than 100 B" err &&
	test_grep "notes.txt: it is not the name of an upload" err &&
	test_grep "web/none" err &&
	test_grep "3 of 4 uploads" err &&
	find lake/_river/landing -type f >left && test_line_count = 3 left &&
	records >got && echo "{\"n\":1}" >want && test_cmp want got
'

test_expect_success 'only a stream that is not there: 5' '
	fresh && mkdir -p lake/_river/landing/web/none &&
	echo "{\"n\":3}" >lake/_river/landing/web/none/$run-000001 &&
	test_expect_code 5 river landing process 2>err &&
	test_path_is_file lake/_river/landing/web/none/$run-000001
'

test_expect_success 'an event names what to process' '
	fresh &&
	echo "{\"n\":1}" >$waiting/$run-000001 && echo "{\"n\":2}" >$waiting/$run-000002 &&
	cat >event <<-EVENT &&
	{"Records":[
	{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"p/_river/landing/web/clicks/$run-000002"}}},
	{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"p/_river/landing/web/clicks/$run-000009"}}},
	{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"data/web/clicks/x"}}}]}
	EVENT
	river landing process --event - --output json <event >out 2>err &&
	test_grep "data/web/clicks/x is no upload" err &&
	test_grep "000002\",\"outcome\":\"landed\"" out &&
	test_grep "000009\",\"outcome\":\"gone\"" out &&
	test_path_is_file $waiting/$run-000001 &&
	test_expect_code 5 river landing process --event event web/other 2>err && test_grep "stream web/other does not exist" err &&
	river stream create web/other >out && river landing process --event event web/other 2>err &&
	test_grep "is no upload of what is asked for" err && test_path_is_file $waiting/$run-000001 &&
	echo junk >event && test_expect_code 9 river landing process --event event 2>err
'

test_expect_success 'two at once' '
	fresh &&
	many &&
	both "$PWD/state" "$PWD/state" &&
	empty && records >got && test_line_count = 16000 got && sort -u got >unique &&
	test_line_count = 16000 unique && river status --check
'

test_expect_success 'two at once, of two hosts' '
	fresh &&
	many &&
	both "$PWD/state1" "$PWD/state2" &&
	empty && records >got && test_line_count = 16000 got && sort -u got >unique &&
	test_line_count = 16000 unique && river status --check
'

have_landed () {
	test $(find lake/data -name "*.zst" 2>/dev/null | wc -l) -ge $objects || ! kill -0 $processor
}
# Where this shell was so slow that they were done before the second kill, there are new ones.
test_expect_success 'killed again and again, it comes to its end' '
	killed=0 tries=5 &&
	while test $killed -lt 2 && test $tries -gt 0
	do
		fresh && killed=0 tries=$((tries - 1)) &&
		for i in 1 2 3 4 5 6
		do
			seq 1 60000 | sed "s/.*/{\"u\":$i,\"n\":&}/" >$waiting/$run-00000$i || return 1
		done &&
		for objects in 0 1 2 3 4
		do
			{ river landing process 2>err & } && processor=$! &&
			test_wait_until 60 have_landed &&
			{ kill -KILL $processor; wait $processor || test $? -ne 137 || killed=$((killed + 1)); } || return 1
		done
	done && test $killed -ge 2 &&
	river landing process &&
	empty && records | sort -u >unique && test_line_count = 360000 unique &&
	records >got && test_line_count = 360000 got && river status --check
'

test_expect_success 'status: uploads wait in landing, and are late after monitor.freshness' '
	fresh && printf "{\"n\":1}\n" >$waiting/$run-000001 &&
	river status web/clicks >out && test_grep "^in landing *1 *8 B" out &&
	test_grep "noted: in_landing: 1 upload (8 B) waits" out &&
	river status --check >out && test_must_be_empty out &&
	touch -d "2 hours ago" $waiting/$run-000001 &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "web/clicks: late: in_landing: 1 upload" out &&
	river status web/clicks --output json >out &&
	test_grep "\"in_landing\":{\"objects\":1,\"bytes\":8}" out &&
	river landing process && river status --check &&
	river status web/clicks >out && ! grep "in landing" out
'

test_expect_success 'arguments' '
	test_expect_code 2 river landing process Web/Clicks 2>err &&
	test_expect_code 2 river landing process --max-record 0 2>err &&
	test_expect_code 2 river landing 2>err
'

test_done
