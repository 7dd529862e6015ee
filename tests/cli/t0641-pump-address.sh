#!/bin/sh
test_description='pump to an address: every event once and in order, whatever the server does'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/capture-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML

# numbered rows of 20 sessions, in turn
rows () {
	awk "BEGIN { for (i = 0; i < $1; i++) printf \"{\\\"s\\\":\\\"s%d\\\",\\\"n\\\":%d}\\n\", i % 20, i }"
}
cat >map.yaml <<\YAML
session: s
fields: { s: { column: s }, n: { column: n }, z: uuid4 }
YAML

# whole N: all numbers below N came, each once, those of a session in order
whole () {
	bodies | sed 's/^\[//; s/\]$//; s/},{/}\n{/g; s/} {/}\n{/g' | sed -n 's/.*"s":"s\([0-9]*\)","n":\([0-9]*\).*/\1 \2/p' >came &&
	awk -v want="$1" '{ if ($2 <= last[$1] && seen[$1]) bad = 1; last[$1] = $2; seen[$1] = 1; n++ }
		END { exit bad || n != want }' came &&
	awk '{ print $2 }' came | sort -n >numbers && awk "BEGIN { for (i = 0; i < $1; i++) print i }" | test_cmp - numbers
}
pump () {
	: >captured && river --output json pump --map map.yaml --to "$capture_url/$@" 2>err >out
}

test_expect_success 'a server that takes everything' '
	capture_start && rows 2000 >rows.ndjson && pump ok rows.ndjson && whole 2000 &&
	test_must_be_empty err && test_grep "\"taken\": *2000" out && test_grep "\"statuses\": *{\"200\": *2000}" out &&
	test_grep "\"p99\"" out && bodies | sed "s/.*\"z\"//" | sort -u >ids && test_line_count = 2000 ids
'

test_expect_success 'the pumper on the wire: bodies in file order over one connection, ids of clients repeat' '
	river pump --sample ds --count 100 && : >captured &&
	river pump --to "$capture_url/ok" --count 20 --connections 1 ds && bodies >first && test_line_count = 20 first &&
	sed "s/.*?page=\([0-9a-f]*\).*/\1/" first >urls && sed -n 2,21p ds/browsing_train.csv | cut -d, -f6 | test_cmp - urls &&
	: >captured && river pump --to "$capture_url/ok" --count 20 --connections 1 ds && bodies >second &&
	for f in first second
	do
		sed "s/.*\"cid\":\"\([^\"]*\).*/\1/" $f >$f.cid && sed "s/.*\"z\":\"\([^\"]*\).*/\1/" $f >$f.z || return 1
	done && test_cmp first.cid second.cid && sort -u first.z second.z >ids && test_line_count = 40 ids
'

test_expect_success '64, 65: whatever an answer looks like' '
	for path in close old chunked stale-7
	do
		pump $path rows.ndjson && whole 2000 || { echo "$path"; return 1; }
	done
'

test_expect_success '64: answers that are none, or have no end, are given up' '
	for path in garbage flood
	do
		test_expect_code 10 river pump --retry-for 200ms --map map.yaml --count 3 --to "$capture_url/$path" rows.ndjson 2>err &&
		test_grep "takes no events" err || return 1
	done
'

test_expect_success 'refused for now: sent again, in order' '
	pump flaky-1-of-5 --connections 8 rows.ndjson && whole 2000 && test_grep "\"retries\": *[1-9]" out &&
	test_grep "\"maybe_twice\": *0" out
'

test_expect_success 'cut off without an answer: sent again as the same bytes' '
	pump cut-50 rows.ndjson && whole 2000 && test_grep "\"maybe_twice\": *[1-9]" out &&
	sed -n "s/^0 [0-9]* //p" captured >lost && test -s lost && bodies | sort -u >got && sort -u lost | comm -23 - got >other &&
	test_must_be_empty other
'

test_expect_success 'refused for good: counted, exit 7, the others arrive' '
	test_expect_code 7 pump reject-10 rows.ndjson && test_grep "200 of 2000 events were refused (it answers 400)" err &&
	test_grep "hint.*look at one" err &&
	bodies >got && test_line_count = 1800 got && test_grep "\"400\": *200" out
'

test_expect_success 'rows that are none, and events that are refused: both are told' '
	{ echo junk && rows 20; } >mixed.ndjson &&
	test_expect_code 7 pump reject-10 mixed.ndjson &&
	test_grep "2 of 20 events were refused (it answers 400), and: 1 of 21 rows is rejected, the first: mixed.ndjson:1: " err &&
	test_expect_code 9 pump status-400 mixed.ndjson && test_grep "20 of 20 events were refused" err
'

test_expect_success 'an address that takes nothing is left alone: 4, 5, 3, 9' '
	test_expect_code 4 pump status-401 rows.ndjson && test_grep "wants to know who you are" err &&
	test_expect_code 4 pump status-403 rows.ndjson && test_expect_code 5 pump status-404 rows.ndjson &&
	test_expect_code 3 pump status-302 rows.ndjson && test_grep "redirects are not followed" err &&
	test_expect_code 9 pump status-400 rows.ndjson && test_grep "all refused" err &&
	test $(wc -l <captured) -lt 300 &&
	test_expect_code 10 pump status-500 --retry-for 300ms rows.ndjson && test_grep "answers 500" err
'

test_expect_success 'nobody listens: 10, named, after --retry-for' '
	port=$capture_port && capture_stop &&
	test_expect_code 10 river pump --retry-for 300ms --map map.yaml --to "http://127.0.0.1:$port/" rows.ndjson 2>err &&
	test_grep "cannot connect" err && test_grep "attempts" err
'

# is_up PID: river itself, which hears a TERM
is_up () {
	test "$(cat "/proc/$1/comm" 2>/dev/null)" = river && grep -q "^SigCgt:.*[4-7c-f][0-9a-f]\{3\}\$" "/proc/$1/status"
}
test_expect_success 'nobody listens yet: it waits, and arrives' '
	{ river pump --map map.yaml --to "http://127.0.0.1:$port/ok" --count 200 rows.ndjson 2>err & } && pumper=$! &&
	test_wait_until 20 is_up $pumper && sleep 0.3 && capture_start $port && wait $pumper && whole 200
'
test_expect_success 'SIGTERM while nobody listens: said, and soon over' '
	{ river pump --map map.yaml --to "http://127.0.0.1:1/" rows.ndjson 2>err & } && pumper=$! &&
	{ http_proxy=http://127.0.0.1:1 river pump --map map.yaml --to "http://127.0.0.1:1/" rows.ndjson 2>err2 & } && other=$! &&
	test_wait_until 20 is_up $pumper && test_wait_until 20 is_up $other && sleep 0.2 && kill -TERM $pumper $other && { wait $pumper; test $? = 143; } && { wait $other; test $? = 143; } &&
	test_grep "stopped after 0 events" err && test_grep "stopped after 0 events" err2
'

test_expect_success 'a server that goes away in between' '
	{ river pump --map map.yaml --rate 1000/s --to "$capture_url/ok" rows.ndjson 2>err & } && pumper=$! &&
	test_wait_until 20 grep -q "\"n\":200," captured && capture_stop && cp captured before &&
	capture_start $port && wait $pumper && cat captured >after && test_grep ! "were taken before" err &&
	cat before after | sed -n "s/^200 [0-9]* //p" | sed -n "s/.*\"n\":\([0-9]*\).*/\1/p" | sort -nu >numbers && seq 0 1999 | test_cmp - numbers
'

test_expect_success 'a server that goes away for good: 10, and how many it had taken' '
	: >captured && { river pump --map map.yaml --loop 0 --rate 1000/s --retry-for 200ms --to "$capture_url/ok" rows.ndjson 2>err & } && pumper=$! &&
	test_wait_until 20 grep -q "\"n\":200," captured && capture_stop &&
	{ wait $pumper; test $? = 10; } && test_grep "^hint: [0-9]* events were taken before, and with --resume" err &&
	capture_start $port
'

test_expect_success 'batches: arrays, or lines, of one session in order' '
	pump ok --batch 50 rows.ndjson && whole 2000 && bodies >got && test $(wc -l <got) -lt 60 &&
	! grep -v "^\[{.*}\]\$" got && pump ok --batch 50 --batch-as lines rows.ndjson && whole 2000 &&
	pump flaky-1-of-3 --batch 100 rows.ndjson && whole 2000
'

test_expect_success 'a body that is answered before it was read: refused, once' '
	rows 20000 >many.ndjson &&
	test_expect_code 9 pump early-413 --batch 20000 --connections 1 many.ndjson &&
	test_grep "all refused" err && test_line_count = 1 captured
'

test_expect_success '70: a slow server holds up the reading, not the memory' '
	river pump --sample slow --count 300000 && : >captured &&
	{ (test_have_prereq SANITIZER || ulimit -v 100000; exec river pump --to "$capture_url/drip-20" slow 2>err) & } && pumper=$! &&
	test_wait_until 20 test -s captured && sleep 1 && kill -TERM $pumper &&
	{ wait $pumper; test $? = 143; } && test $(wc -l <captured) -lt 100000
'

test_expect_success '74: SIGTERM in the pause before an event that is far off: at once, and said' '
	printf "%s\n" "{\"t\":1,\"s\":\"a\"}" "{\"t\":900000,\"s\":\"b\"}" >far.ndjson &&
	printf "session: s\ntime: t\n" >far.yaml && : >captured &&
	{ river pump --speed 1 --resume --map far.yaml --to "$capture_url/ok" far.ndjson 2>err & } && pumper=$! &&
	test_wait_until 20 test -s captured && sleep 0.2 && kill -TERM $pumper &&
	{ wait $pumper; test $? = 143; } && test_grep "stopped after 1 event" err && test_line_count = 1 captured
'

test_expect_success 'a rate is kept' '
	: >captured && start=$(date +%s%N) && river pump --map map.yaml --rate 400/s --count 200 --to "$capture_url/ok" rows.ndjson &&
	end=$(date +%s%N) && test $(((end - start) / 1000000)) -ge 490 && whole 200
'

test_expect_success 'headers come from a file, and what is in it is not shown' '
	test_holds_secret headers captured &&
	printf "# a key\nX-Write-Key: $test_canary\n\n" >headers &&
	pump ok --headers headers --count 1 rows.ndjson &&
	printf "Content-Length: $test_canary\n" >headers && test_expect_code 3 pump ok --headers headers rows.ndjson && ! grep $test_canary err &&
	printf "$test_canary\n" >headers && test_expect_code 3 pump ok --headers headers rows.ndjson && ! grep $test_canary err &&
	test_expect_code 9 pump "status-400?key=$test_canary" rows.ndjson && ! grep $test_canary err && ! grep $test_canary out
'

test_expect_success 'an end of the terminal is no end of the data: --loop' '
	rows 20 >few.ndjson && : >captured && river pump --map map.yaml --loop 5 --to "$capture_url/ok" few.ndjson &&
	bodies >got && test_line_count = 100 got && sed "s/.*\"z\"//" got | sort -u >ids && test_line_count = 100 ids &&
	: >captured && river pump --map map.yaml --loop 0 --count 50 --to "$capture_url/ok" few.ndjson &&
	bodies >got && test_line_count = 50 got
'

test_expect_success 'through the client of lib/http, as https goes, and behind a proxy' '
	http_proxy=http://127.0.0.1:9 no_proxy=127.0.0.1 && export http_proxy no_proxy &&
	test_when_finished "unset http_proxy no_proxy" &&
	head -n 300 rows.ndjson >fewer.ndjson &&
	pump flaky-1-of-5 --connections 4 fewer.ndjson && whole 300 && test_grep "\"retries\": *[1-9]" out &&
	test_expect_code 5 pump status-404 fewer.ndjson && test_expect_code 7 pump reject-10 fewer.ndjson &&
	pump cut-50 fewer.ndjson && whole 300 && test_grep "\"maybe_twice\": *[1-9]" out &&
	test_expect_code 10 pump status-503 --retry-for 300ms fewer.ndjson
'

test_lazy_prereq OPENSSL "command -v openssl"

test_expect_success OPENSSL 'https: taken; a certificate that nobody vouches for ends it, and nothing is sent' '
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=sink \
		-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out ca.pem 2>log &&
	rm -f port && { "$RIVER_BUILD/tests/bench/sink" -l -c ca.pem -k key.pem >port 4>&- 5>&- 6>&- & } && sink=$! &&
	test_when_finished "kill $sink; wait $sink || :" && test_wait_until 20 test -s port &&
	for batch in 1 50
	do
		river --output json pump --map map.yaml --ca-file ca.pem --batch $batch --connections 3 \
			--to "https://127.0.0.1:$(cat port)/collect" rows.ndjson >out && test_grep "\"taken\": *2000" out || return 1
	done &&
	test_expect_code 3 river --output json pump --map map.yaml --to "https://127.0.0.1:$(cat port)/collect" rows.ndjson >out 2>err &&
	test_grep "\"taken\": *0" out && test_grep "certificate" err && test_grep "in --ca-file" err
'

test_expect_success 'https: nobody listens' '
	port=$capture_port && capture_stop &&
	test_expect_code 10 river pump --retry-for 300ms --map map.yaml --to "https://127.0.0.1:$port/" rows.ndjson 2>err &&
	test_grep "takes no events" err
'

capture_stop
test_done
