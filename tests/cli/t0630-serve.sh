#!/bin/sh
test_description='river serve --collect: events over HTTP, stored before they are answered'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && river stream create web/clicks >/dev/null

json="Content-Type: application/json"
event () {
	printf '{"cid":"c","z":"%s"}' "$1"
}

test_expect_success 'what it cannot serve it says' '
	test_expect_code 2 river serve web/clicks 2>err && test_grep "collect" err &&
	test_expect_code 2 river serve --collect 2>err && test_grep "one stream" err &&
	test_expect_code 5 river serve --collect web/none 2>err &&
	test_expect_code 2 river serve --collect web/clicks --listen nowhere 2>err && test_grep "no address" err &&
	test_expect_code 2 river serve --collect web/clicks --listen 127.0.0.1:99999 2>err &&
	test_expect_code 2 river -c collect.listen=nowhere serve --collect web/clicks 2>err && test_grep "no address" err &&
	test_expect_code 3 river -c collect.stage=/x serve --collect web/clicks 2>err &&
	test_expect_code 2 river -c collect.origins=shop.example serve --collect web/clicks 2>err &&
	test_grep "origin" err &&
	test_expect_code 3 river -c collect.max_body=1GiB serve --collect web/clicks 2>err &&
	test_expect_code 3 river -c collect.max_connections=2000000 serve --collect web/clicks 2>err &&
	test_expect_code 3 river -c collect.rate=2000000000 serve --collect web/clicks 2>err &&
	test_expect_code 3 river -c collect.remember=200000000 serve --collect web/clicks 2>err && test_grep "100000000 at most" err &&
	sed "s|^  local:|&\n    collect: { origins: [\"https://a\"] }|" river.yaml >list.yaml &&
	RIVER_CONFIG=$PWD/list.yaml && export RIVER_CONFIG && test_expect_code 3 river serve --collect web/clicks 2>err &&
	unset RIVER_CONFIG && test_grep "^hint: river.yaml(5)" err
'

test_expect_success 'an event is answered with 42 bytes and both fields, and is a row' '
	test_when_finished end_collector && port= &&
	start_collector && test "$url" = "http://127.0.0.1:$port/collect" &&
	says 200 send POST /collect "{\"cid\":\"c1\",\"z\":\"first\",\"price\":12.50}" "$json" &&
	test_grep "^Content-Type: image/gif" answer && test_grep "^Access-Control-Allow-Origin: \*" answer &&
	test_grep "^Cache-Control: no-store" answer && test_grep "^Content-Length: 42" answer &&
	echo 47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b >want &&
	tail -c 42 answer | od -An -tx1 -v | tr -d " \n" >got && echo >>got && test_cmp want got &&
	stop_collector &&
	echo first >want && collected >got && test_cmp want got &&
	river --output json query "select record from web.clicks" >got && test_grep "12.50" got
'

test_expect_success 'without z or cid: 400, no row, and it is kept with its reason' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 400 send POST /collect "{\"cid\":\"c1\"}" && test_grep "z is missing" body &&
	says 400 send POST /collect "{\"z\":\"1\"}" && test_grep "cid is missing" body &&
	says 400 send POST /collect "what is this" && test_grep "not a JSON object" body &&
	says 400 send POST /collect "{\"cid\":1,\"z\":[]}" && test_grep "wrong_type" body &&
	says 400 send POST /collect && says 400 send GET /collect && says 400 send GET "/collect?cid=%%4" &&
	says 400 send POST /collect "{\"cid\":\"c\",\"z\":\"2\"} x" &&
	stop_collector &&
	echo first >want && collected >got && test_cmp want got &&
	river rejects show web/clicks >got && test_grep "what is this" got && test_grep "not_object" got &&
	test_grep "POST /collect from 127.0.0.1" got && river status --check
'

test_expect_success '187: of a batch the good ones are taken, and the bad ones are named' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 207 send POST /collect "[$(event b1),{\"cid\":1},7,$(event b2)]" "$json" &&
	test_grep "{\"accepted\":2,\"duplicates\":0,\"rejected\":\[{\"index\":1,\"code\":\"no_z\"" body &&
	test_grep "{\"index\":2,\"code\":\"not_object\"" body &&
	says 200 send POST /collect "[$(event b3), $(event b4)]" "$json" &&
	says 400 send POST /collect "[$(event b5), $(event b6)" "$json" &&
	says 400 send POST /collect "[3]" "$json" &&
	printf "%s\n%s\nx\n" "$(event b7)" "$(event b8)" >lines &&
	says 207 send POST /collect "$(cat lines)" "Content-Type: application/x-ndjson" &&
	stop_collector &&
	printf "%s\n" b1 b2 b3 b4 b7 b8 >want && collected | grep b >got && test_cmp want got
'

test_expect_success 'what beacons, forms, pixels and curl send is taken' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 200 send POST /collect "$(event t1)" "Content-Type: text/plain;charset=UTF-8" &&
	says 200 send POST /collect "$(event t2)" "Content-Type: application/x-www-form-urlencoded" &&
	says 200 send POST /collect "cid=c&z=t3&dl=http%3A%2F%2Fx%2F&dt=a+b" "Content-Type: application/x-www-form-urlencoded" &&
	says 200 send GET "/collect?cid=c&z=t4&dt=%C3%97" &&
	says 200 send POST /collect "$(event t5)" &&
	says 415 send POST /collect "$(event t6)" "Content-Type: multipart/form-data; boundary=x" &&
	says 415 send POST /collect "$(event t7)" "Content-Type: text/html" &&
	stop_collector &&
	printf "%s\n" t1 t2 t3 t4 t5 >want && collected | grep t[0-9] >got && test_cmp want got &&
	river --output json query "select record from web.clicks" >rows &&
	test_grep "u00d7" rows && test_grep "a b" rows
'

test_expect_success '186: the same event again is answered as before and stored once, also over a kill' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 200 send POST /collect "$(event again)" "$json" &&
	says 200 send POST /collect "$(event again)" "$json" &&
	says 200 send POST /collect "[ {\"cid\" : \"c\", \"z\":\"\\u0061gain\"}]" "$json" &&
	says 200 send POST /collect "{\"cid\":\"c\",\"z\":\"again\",\"more\":1}" "$json" &&
	says 2 metric duplicates_total &&
	kill_collector && start_collector &&
	says 200 send POST /collect "$(event again)" "$json" &&
	says 1 metric duplicates_total &&
	stop_collector &&
	collected | grep -c again >got && echo 2 >want && test_cmp want got
'

# has_landed N: so many came to the lake
has_landed () {
	test "$(metric delivered_total)" -ge "$1"
}

test_expect_success '186: it is known over any number of ends, also when it is in the lake long since' '
	test_when_finished "end_collector; stream=web/clicks" && port= &&
	stream=web/known && river stream create web/known --batch-age 100ms &&
	start_collector && says 200 send POST /collect "$(event known-1)" && test_wait_until 20 has_landed 1 &&
	says 200 send POST /collect "$(event known-2)" && test_wait_until 20 has_landed 2 &&
	says 200 send POST /collect "$(event known-3)" && test_wait_until 20 has_landed 3 &&
	for end in kill kill stop kill stop
	do
		${end}_collector && start_collector &&
		for i in 1 2 3
		do
			says 200 send POST /collect "$(event known-$i)" || return 1
		done &&
		says 3 metric duplicates_total || return 1
	done &&
	stop_collector && printf "known-%d\n" 1 2 3 >want && collected >got && test_cmp want got
'

test_expect_success '186: a second collector of the stream is told of, and forgets with its end' '
	test_when_finished end_collector && port= && : >collector.err &&
	start_collector && says 200 send POST /collect "$(event two-1)" && first=$collector_pid && port= &&
	start_collector && test_grep "another collector of this stream" collector.err &&
	says 200 send POST /collect "$(event two-2)" && stop_collector && kill "$first" && wait "$first"
'

test_expect_success '179: what a killed collector had accepted, any push or flush brings' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 200 send POST /collect "$(event flushed)" "$json" &&
	says 400 send POST /collect "kept aside" "$json" &&
	kill_collector &&
	river --output json spool list >listed && test_grep "\"waiting\":1," listed && test_grep "left over" listed &&
	river status --check && river status >out && river status web/clicks >out && test_grep "^spooled  *1  *1 " out &&
	river spool export web/clicks --to copies && test_grep flushed copies/*-000000.ndjson &&
	test_grep "no_z\|not_object" copies/*.rejects.ndjson &&
	test_expect_code 6 river stream delete web/clicks --yes 2>err && test_grep "^river: 1 accepted record of web/clicks is" err &&
	river spool flush &&
	collected | grep flushed >got && echo flushed >want && test_cmp want got &&
	exported=$(echo copies/*.rejects.ndjson) && name=${exported#copies/} &&
	find .river/lake/_river/rejects/web/clicks -name "${name%.rejects.ndjson}-r1.ndjson" -exec cat {} + >got &&
	test_cmp "$exported" got &&
	river rejects show web/clicks >got && test_grep "kept aside" got && river spool check
'

test_expect_success '182: a body over the limit is refused before it is read' '
	test_when_finished end_collector && port= &&
	start_collector -c collect.max_body=1000 &&
	says 413 raw "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" &&
	test_grep "presign" answer && test_grep "^Connection: close" answer &&
	says 413 raw "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999\r\nExpect: 100-continue\r\n\r\n" &&
	test_grep ! "100 Continue" answer &&
	says 413 raw "POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" &&
	says 413 raw "POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nffffffffffffffff\r\n" &&
	says 100 raw "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n" --answers 1 &&
	says 417 raw "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: tea\r\n\r\n{}" &&
	stop_collector
'

test_expect_success '182: the longest body, of what is escaped six times as long and stands there three times, is kept aside' '
	test_when_finished end_collector && port= &&
	start_collector -c collect.max_body=4MiB &&
	{ printf "{\"cid\":1,\"z\":\"" && head -c 4000000 /dev/zero | tr "\0" "\177" && printf "\"}"; } >long &&
	{ printf "POST /collect HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" $(wc -c <long) && cat long; } >request &&
	"$http_raw" "$port" <request >answer && test_grep "^HTTP/1.1 400" answer && test_grep too_large answer &&
	{ printf "{\"cid\":1,\"z\":\"" && head -c 700000 /dev/zero | tr "\0" "\177" && printf "\"}"; } >long &&
	{ printf "POST /collect HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" $(wc -c <long) && cat long; } >request &&
	"$http_raw" "$port" <request >answer && test_grep "^HTTP/1.1 200" answer &&
	stop_collector && river spool check && river status --check
'

test_expect_success '182: a small body that would become a large one is refused whole' '
	test_when_finished end_collector && port= &&
	start_collector &&
	{ printf "[" && for i in $(seq 6000); do printf "{\"cid\":1,\"z\":%d}," $i; done && printf "{}]"; } >many &&
	says 413 send POST /collect "$(cat many)" "$json" "X: $(head -c 10000 /dev/zero | tr "\0" x)" &&
	says 207 send POST /collect "$(cat many)" "$json" && test_grep "\"accepted\":6000" body &&
	says 6000 metric events_total && stop_collector
'

test_expect_success '183, 184: what could be read in two ways is refused, and nothing behind it is a request' '
	test_when_finished end_collector && port= &&
	start_collector &&
	behind="POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n{\"cid\":\"c\",\"z\":\"smuggled\"}    " &&
	for fields in "Content-Length: 2\r\nContent-Length: 2" "Content-Length: 2\r\nTransfer-Encoding: chunked" \
		"Content-Length: -1" "Content-Length: +2" "Content-Length: 0x2" "Content-Length : 2" "X: 1\n" \
		" X: 1" "X: 1\r\n 2" "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" "X\001: 1" "Host: i"
	do
		says 400 raw "POST /collect HTTP/1.1\r\nHost: h\r\n$fields\r\n\r\n{}$behind" &&
		test $(grep -c "^HTTP/" answer) -eq 1 || return 1
	done &&
	for chunks in "+2\r\n{}\r\n0\r\n\r\n" "0x2\r\n{}\r\n0\r\n\r\n" "2\r\n{}0\r\n\r\n" "2\n{}\r\n0\r\n\r\n" \
		"2\r\n{}\r\n0\r\nTrailer: x\r\n\r\n" "g\r\n"
	do
		says 400 raw "POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n$chunks$behind" &&
		test $(grep -c "^HTTP/" answer) -eq 1 || return 1
	done &&
	says 400 raw "GET /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}$behind" &&
	test $(grep -c "^HTTP/" answer) -eq 1 &&
	{ printf "GET / HTTP/1.1\r\nHost: h\r\nX: " && head -c 100000 /dev/zero | tr "\0" x; } >request &&
	{ "$http_raw" "$port" <request >answer || :; } && says 431 sed -n "1s/^[^ ]* \([0-9]*\).*/\1/p" answer &&
	{ printf "GET / HTTP/1.1\r\nHost: h\r\n" && for i in $(seq 1000); do printf "X%d: 1\r\n" $i; done &&
		printf "\r\n"; } >request &&
	{ "$http_raw" "$port" <request >answer || :; } && says 431 sed -n "1s/^[^ ]* \([0-9]*\).*/\1/p" answer &&
	says 505 raw "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" && says 400 raw "\026\003\001\n" &&
	stop_collector &&
	collected >got && test_grep ! smuggled got
'

test_expect_success '185: pipelined requests are answered in order, half a body is no event' '
	test_when_finished end_collector && port= &&
	start_collector &&
	post="POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n" &&
	says 200 raw "$post{\"cid\":\"c\",\"z\":\"p1\"}GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n$post{\"cid\":\"c\",\"z\":\"p2\"}GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" &&
	printf "%s\n" 200 200 200 404 >want && sed -n "s/.*HTTP\/1.1 \([0-9]*\) .*/\1/p" answer >got && test_cmp want got &&
	says 200 raw "$post{\"cid\":\"c\",\"z\":\"p3\"}" --half-close &&
	says "" raw "$post{\"cid\":\"c\",\"z\"" --half-close &&
	says "" raw "$post{\"cid\":\"c\",\"z\":\"p4" --hold 10 &&
	says 200 raw "$post{\"cid\":\"c\",\"z\":\"p5\"}" --each 1 2 --answers 1 &&
	says 200 raw "POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"cid\"\r\ne;x\r\n:\"c\",\"z\":\"p6\"}\r\n0\r\n\r\n$post{\"cid\":\"c\",\"z\":\"p7\"}" --each 3 1 --answers 2 &&
	says 100 raw "POST /collect HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"cid\"\r\ne;x\r\n:\"c\",\"z\":\"p8\"}\r\n0\r\n\r\n$post{\"cid\":\"c\",\"z\":\"p9\"}" --each 1 1 --answers 3 &&
	printf "%s\n" 100 200 200 >want && sed -n "s/.*HTTP\/1.1 \([0-9]*\) .*/\1/p" answer >got && test_cmp want got &&
	{ for i in $(seq 300); do printf "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 22\r\n\r\n{\"cid\":\"c\",\"z\":\"q%03d\"}" $i; done; } >request &&
	"$http_raw" "$port" --answers 300 <request >answer && test $(grep -ac "HTTP/1.1 200 OK" answer) -eq 300 &&
	stop_collector &&
	{ printf "%s\n" p1 p2 p3 p5 p6 p7 p8 p9 && seq -f q%03g 300; } >want && collected | grep "^[pq][0-9]" >got && test_cmp want got
'

test_expect_success '185: any number of pipelined requests, also of those that nothing is stored for' '
	test_when_finished end_collector && port= &&
	start_collector &&
	{ for i in $(seq 400); do printf "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"; done; } >request &&
	"$http_raw" "$port" --answers 400 <request >answer && test $(grep -ac "HTTP/1.1 200 OK" answer) -eq 400 &&
	"$http_raw" "$port" --half-close <request >answer && test $(grep -ac "HTTP/1.1 200 OK" answer) -eq 400 &&
	{ for i in $(seq 200); do printf "POST /none HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"; done; } >request &&
	"$http_raw" "$port" --answers 200 <request >answer && test $(grep -ac "HTTP/1.1 404 " answer) -eq 200 &&
	{ for i in $(seq 5000); do printf "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"; done; } >request &&
	"$http_raw" "$port" --half-close <request >answer && test $(grep -ac "HTTP/1.1 200 OK" answer) -eq 5000 &&
	stop_collector
'

test_expect_success '187: a list of thousands of bad events is cut, and says so' '
	test_when_finished end_collector && port= &&
	start_collector &&
	yes 0 | head -n 30000 >lines && says 400 send POST /collect "$(cat lines)" "Content-Type: application/x-ndjson" &&
	test $(wc -c <body) -lt 70000 && test_grep "],\"unlisted\":[0-9]*}$" body &&
	listed=$(grep -o "index" body | wc -l) && unlisted=$(sed "s/.*unlisted\":\([0-9]*\)}/\1/" body) &&
	test $((listed + unlisted)) -eq 30000 && stop_collector
'

test_expect_success '181: where all places are taken by heads that do not end, an event is taken all the same' '
	test_when_finished end_collector && port= &&
	start_collector -c collect.max_connections=4 &&
	others= && for i in 1 2 3 4 5 6
	do
		{ printf "POST /collect HTTP/1.1\r\nX: y" | "$http_raw" "$port" --hold 60000 >/dev/null & } && others="$others $!"
	done &&
	test_when_finished "kill $others 2>/dev/null || :" &&
	for i in 1 2 3
	do
		says 200 send POST /collect "$(event loris-$i)" || return 1
	done &&
	stop_collector && printf "loris-%d\n" 1 2 3 >want && collected | grep loris >got && test_cmp want got
'

# The pauses make it old enough to have to go, on any machine, and the others come first; too short they prove less.
test_expect_success '181: whose request nobody came to read yet keeps its place' '
	test_when_finished end_collector && port= && rm -f late wait && mkfifo late wait &&
	start_collector -c collect.max_connections=4 &&
	{ "$http_raw" "$port" --early --answers 1 <late >late.answer & } && late=$! && exec 8>late &&
	is_open () { test "$(metric connections)" -eq $1; } && test_wait_until 20 is_open 2 &&
	{ "$http_raw" "$port" --idle 2 <wait >/dev/null 8>&- & } && idle=$! && exec 9>wait && test_wait_until 20 is_open 4 &&
	kill -STOP $collector_pid && send_body=$(event last) &&
	printf "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s" ${#send_body} "$send_body" >last &&
	{ "$http_raw" "$port" --idle 1 --answers 1 <last >last.answer 8>&- 9>&- & } && last=$! && sleep 0.7 &&
	sed "s/last/late/" last >&8 && exec 8>&- && sleep 0.3 && kill -CONT $collector_pid &&
	wait $late && wait $last && test_grep "^HTTP/1.1 200" late.answer && test_grep "^HTTP/1.1 200" last.answer &&
	kill $idle && { wait $idle || :; } && exec 9>&- &&
	stop_collector && printf "%s\n" last late >want && collected | grep "^la[st][te]" >got && test_cmp want got
'

test_expect_success '188: compressed bodies are refused' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 415 send POST /collect "xxxx" "Content-Encoding: gzip" &&
	says 415 send POST /collect "xxxx" "Content-Encoding: br" &&
	says 200 send POST /collect "$(event identity)" "Content-Encoding: identity" &&
	stop_collector
'

test_expect_success '191, 199: keys are asked for, compared whole, and stored nowhere' '
	test_when_finished end_collector && port= &&
	test_holds_secret keys && printf "# who\nshop 0123-$test_canary\napp  fedc-$test_canary\n" >keys && chmod 644 keys &&
	test_expect_code 3 river -c collect.keys=keys serve --collect web/clicks 2>err && test_grep "read by others" err &&
	chmod 600 keys &&
	start_collector -v -c collect.keys=keys &&
	says 401 send POST /collect "$(event k0)" && test_grep "^WWW-Authenticate" answer &&
	says 401 send POST /collect "$(event k0)" "X-Write-Key: 0123-${test_canary%?}" &&
	says 401 send POST /collect "$(event k0)" "X-Write-Key: 0123-${test_canary}x" &&
	says 401 send POST "/collect?key=0123-$test_canary" "$(event k0)" &&
	says 401 send POST /collect "$(event k0)" "Authorization: Basic 0123-$test_canary" &&
	says 200 send POST /collect "$(event k1)" "X-Write-Key: 0123-$test_canary" &&
	says 200 send POST /collect "$(event k2)" "Authorization: Bearer fedc-$test_canary" &&
	says 200 send GET /readyz &&
	echo "new 0000-$test_canary" >keys && kill -HUP "$collector_pid" &&
	test_wait_until 20 grep -q "read again" collector.err &&
	says 401 send POST /collect "$(event k3)" "X-Write-Key: 0123-$test_canary" &&
	says 200 send POST /collect "$(event k4)" "X-Write-Key: 0000-$test_canary" &&
	echo "new short" >keys && kill -HUP "$collector_pid" &&
	test_wait_until 20 grep -q "stay as they were: .*/keys:1: a key has" collector.err &&
	says 200 send POST /collect "$(event k5)" "X-Write-Key: 0000-$test_canary" &&
	stop_collector &&
	printf "%s\n" k1 k2 k4 k5 >want && collected | grep "^k" >got && test_cmp want got &&
	river --output json query "select record from web.clicks" >rows && test_grep ! $test_canary rows &&
	test_grep ! $test_canary collector.err && ! grep -rq $test_canary .river
'

# flood NAME [field]: 60 events over one connection, faster than a token a second comes; the statuses
flood () {
	for i in $(seq 60)
	do
		flood_event=$(event "$1$i")
		printf "POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%b\r\n%s" ${#flood_event} "${2:+$2\r\n}" "$flood_event"
	done >request && "$http_raw" "$port" --answers 60 <request >answer &&
	sed -n "s/.*HTTP\/1.1 \([0-9]*\) .*/\1/p" answer >statuses && test_line_count = 60 statuses
}
test_expect_success '192: who floods is told to wait, and others are not' '
	test_when_finished end_collector && port= &&
	test_holds_secret keys && printf "one 1111-$test_canary\ntwo 2222-$test_canary\nthree 3333-$test_canary\n" >keys && chmod 600 keys &&
	start_collector -c collect.keys=keys -c collect.rate=1 &&
	flood r "X-Write-Key: 1111-$test_canary" && test_grep 429 statuses && test_grep 200 statuses &&
	says 200 send POST /collect "$(event r-other)" "X-Write-Key: 2222-$test_canary" &&
	flood x && test_grep 401 statuses && test_grep 429 statuses && test_grep ! 200 statuses &&
	test_grep "^Retry-After: 1" answer &&
	flood x "X-Write-Key: 0000-$test_canary" && test_grep 429 statuses && test_grep ! 200 statuses &&
	: "neither guesses nor floods of them take anything from who has a key" &&
	says 200 send POST /collect "$(event r-still)" "X-Write-Key: 3333-$test_canary" &&
	says 200 send POST /collect "$(event r-still-2)" "X-Write-Key: 3333-$test_canary" &&
	stop_collector
'

test_expect_success '193: pages are told by the list of origins, and credentials never go with *' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 204 send OPTIONS /collect "" "Origin: https://a.example" "Access-Control-Request-Method: POST" &&
	test_grep "^Access-Control-Allow-Origin: \*" answer && test_grep "^Access-Control-Allow-Methods: .*POST" answer &&
	test_grep "^Access-Control-Allow-Headers: .*Content-Type" answer &&
	test_grep ! "Allow-Credentials" answer && stop_collector && port= &&
	start_collector -c "collect.origins=https://a.example, https://b.example:8443" &&
	says 204 send OPTIONS /collect "" "Origin: https://b.example:8443" &&
	test_grep "^Access-Control-Allow-Origin: https://b.example:8443" answer &&
	test_grep "^Access-Control-Allow-Credentials: true" answer && test_grep "^Vary: Origin" answer &&
	says 204 send OPTIONS /collect "" "Origin: https://evil.example" && test_grep ! "Allow-Origin" answer &&
	says 200 send POST /collect "$(event o1)" "Origin: https://a.example" &&
	test_grep "^Access-Control-Allow-Origin: https://a.example" answer &&
	says 403 send POST /collect "$(event o2)" "Origin: https://evil.example" &&
	says 403 send POST /collect "$(event o2)" "Origin: null" &&
	says 200 send POST /collect "$(event o3)" && stop_collector
'

test_expect_success '190: nothing that is sent becomes a path, or a line of a log' '
	test_when_finished end_collector && port= &&
	rm -f collector.err && start_collector &&
	for target in /collect/../../etc/passwd /collect/ /Collect /collect%%00 //collect /../collect /
	do
		says 404 send GET "$target" || return 1
	done &&
	says 405 send DELETE /collect && test_grep "^Allow: GET, POST, OPTIONS" answer &&
	says 405 send POST /healthz && says 405 send HEAD /collect &&
	says 200 send POST /collect "$(event "../../x")" &&
	says 400 raw "GET /\r\nriver: forged HTTP/1.1\r\nHost: h\r\n\r\n" &&
	stop_collector && test_must_be_empty collector.err
'

test_expect_success 'the stage is configurable, HTTP/1.0 is spoken, HEAD has no body' '
	test_when_finished end_collector && port= &&
	start_collector -c collect.stage=rest && test "$url" = "http://127.0.0.1:$port/rest/collect" &&
	says 404 send POST /collect "$(event s1)" && says 200 send POST /rest/collect "$(event s2)" &&
	says 200 raw "POST /rest/collect HTTP/1.0\r\nContent-Length: 20\r\n\r\n{\"cid\":\"c\",\"z\":\"s3\"}" &&
	says 200 send HEAD /healthz && test_must_be_empty body &&
	stop_collector &&
	river --output json query "select record from web.clicks" >rows && test_grep "/rest/collect" rows
'

test_expect_success 'an address that is taken: 6, and what to do' '
	test_when_finished end_collector && port= &&
	start_collector &&
	test_expect_code 6 river serve --collect web/clicks --listen "127.0.0.1:$port" 2>err && test_grep "^hint: .*--listen" err &&
	stop_collector
'

test_expect_success 'a full spool and a lake that is away are said, once each, and what stays at the end' '
	test_when_finished "end_collector; stream=web/clicks; swap_names .river/lake .river/away; rm -f .river/away" &&
	port= && stream=web/soon && river stream create web/soon --batch-age 1s && : >collector.err &&
	start_collector -c spool.max=1MiB && : >.river/away && swap_names .river/lake .river/away &&
	{ printf "{\"cid\":1,\"z\":\"" && head -c 900000 /dev/zero | tr "\0" a && printf "\"}"; } >long &&
	says 200 send POST /collect "$(event f1)" &&
	for i in 1 2
	do
		{ printf "POST /collect HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" $(wc -c <long) && cat long; } >request &&
		"$http_raw" "$port" <request >answer && sed -i "s/aa/ab/" long || return 1
	done &&
	says 503 send POST /collect "$(event f2)" && says 503 send POST /collect "$(event f3)" &&
	grep -c "the spool is full" collector.err >got && echo 1 >want && test_cmp want got &&
	stop_collector && test_grep "waits in the spool, trying on" collector.err && test_grep "stay in the spool, nothing is lost" collector.err
'

test_expect_success 'what a killed collector has accepted waits, also where its stream has gone; damage of it is seen' '
	test_when_finished "end_collector; stream=web/clicks" && port= && stream=web/kill && river stream create web/kill &&
	start_collector && says 200 send POST /collect "$(event k1)" && says 200 send POST /collect "$(event k2)" &&
	kill_collector && definition=.river/lake/_river/streams/web/kill.json && mv $definition kept.json &&
	test_expect_code 1 river -c warehouse=none status --check >out &&
	test_grep "stream_unknown: 2 records wait in the spool and are kept" out && mv kept.json $definition &&
	river spool check >out && ! grep web/kill out && river -c warehouse=none status --check web/kill &&
	intake=$(find "$HOME/.local/state" -path "*/web/kill/*.intake") && cp "$intake" whole &&
	printf X | dd of="$intake" bs=1 seek=100 conv=notrunc 2>/dev/null &&
	test_expect_code 12 river spool check >out 2>err && test_grep "damaged: .*intake.* is damaged from byte 0" out &&
	test_expect_code 1 river -c warehouse=none status --check web/kill >out && test_grep "run_damaged: .*is damaged from byte 0" out &&
	cp whole "$intake" && river spool check && river spool flush >out && test_grep "2 records delivered" out &&
	river stream delete web/kill --yes --data >out
'

test_expect_success 'health, readiness and counters' '
	test_when_finished end_collector && port= &&
	start_collector &&
	says 200 send GET /healthz && says 200 send GET /readyz && test_grep "^ready" body &&
	says 207 send POST /collect "[$(event m1),$(event m2),3]" &&
	says 2 metric events_total && says 1 metric rejected_total && says 1 metric ready &&
	test $(metric spool_bytes) -gt 0 &&
	{ grep -v "^#" body | grep -Ev "^river_collect_[a-z_]+({code=\"[0-9]+\"})? [0-9.e+-]+\$" >wrong || :; } &&
	test_must_be_empty wrong &&
	stop_collector
'

test_expect_success 'all sockets that are handed over are served, and one that is not there is told' '
	test_when_finished end_collector &&
	{ "$RIVER_BUILD/tests/lib/listen_exec" -n 20 ports 1 river serve --collect web/clicks >held.out 2>&1 & } &&
	collector_pid=$! && test_wait_until 30 grep -q listening held.out && test_line_count = 20 ports &&
	for port in $(sed -n "1p;17p;20p" ports)
	do
		says 200 send POST /collect "{\"cid\":\"c\",\"z\":\"at $port\"}" "$json" || return 1
	done &&
	stop_collector &&
	test_expect_code 10 sh -c "LISTEN_PID=\$\$ LISTEN_FDS=500 exec river serve --collect web/clicks" 2>err &&
	test_grep "take over 500 sockets (LISTEN_FDS), of which descriptor [0-9]* is one: Bad file descriptor" err
'

test_expect_success 'units of systemd say what this stream needs' '
	river -c collect.listen="*:8099" serve --collect web/clicks --print-unit >unit &&
	test_grep "^ListenStream=8099" unit && test_grep "^Type=notify" unit &&
	test_grep "^ExecStart=\"$RIVER_BUILD/river\" --profile local serve --collect web/clicks" unit &&
	test_grep "^ReadWritePaths=\"$PWD/.river/lake\"" unit &&
	test_grep "^Environment=\"RIVER_CONFIG=$PWD/river.yaml\"" unit &&
	river -c collect.listen="*:8099" serve --collect web/clicks --listen 127.0.0.1:8098 --print-unit >unit &&
	test_grep "^ListenStream=127.0.0.1:8098" unit &&
	river serve --collect web/clicks --listen localhost:8098 --print-unit >unit && test_grep "^ListenStream=127.0.0.1:8098" unit &&
	river serve --collect web/clicks --listen :8098 --print-unit >unit && test_grep "^ListenStream=8098" unit
'

test_expect_success 'a unit names the file that has the profile, which need not be the nearest one' '
	mkdir -p "$HOME/.config/river" && test_when_finished "rm -r \"$HOME/.config/river\"" &&
	echo "profiles: { far: { lake: $PWD/.river/lake, warehouse: { type: none } } }" >"$HOME/.config/river/config.yaml" &&
	river --profile far serve --collect web/clicks --print-unit >unit &&
	test_grep "^Environment=\"RIVER_CONFIG=$HOME/.config/river/config.yaml\"" unit &&
	test_grep " --profile far serve --collect web/clicks" unit
'

test_expect_success 'a unit names the binary that took the place of this one' '
	cp "$RIVER_BUILD/river" replaced && exec 9<replaced && test_when_finished "exec 9<&-" && rm replaced &&
	/proc/self/fd/9 serve --collect web/clicks --print-unit >unit &&
	test_grep "^ExecStart=\"$PWD/replaced\" " unit
'

test_done
