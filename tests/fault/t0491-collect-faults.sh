#!/bin/sh
test_description='the collector on a bad day: full and slow disks, slow and many clients, signals, a lake that is away'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

river init >/dev/null && cat >stream.yaml <<\EOF &&
stream: web/clicks
batch: { age: 1s }
EOF
river stream create -f stream.yaml >/dev/null
key=0123-$test_canary
echo "shop $key" >keys && chmod 600 keys && test_holds_secret keys slow never slow-body
RIVER_COLLECT_KEYS=$PWD/keys
export RIVER_COLLECT_KEYS

event () {
	printf '{"cid":"c","z":"%s"}' "$1"
}
# sends COUNT START: all of them are acknowledged in the end
sends () {
	"$collect_client" "$port" /collect "$1" 16 --key "$key" --start "$2" >client.out 2>client.err || { cat client.err; return 1; }
	walk_total=$((walk_total + $1 + $(sed "s/.*again=//" client.out)))
}
# sends_on START: the same, for as long as something is done meanwhile; sent_all ends it, and $count says how many
sends_on () {
	rm -f enough
	{ "$collect_client" "$port" /collect 1000000 16 --key "$key" --start "$1" --until enough --rate 3000 >client.out 2>client.err & } &&
	client=$!
}
sent_all () {
	: >enough && wait $client && count=$(sed -n "s/^acknowledged=\([0-9]*\) .*/\1/p" client.out) &&
	walk_total=$((walk_total + count + $(sed "s/.*again=//" client.out)))
}
# post EVENT: its status
post () {
	send POST /collect "$(event "$1")" "X-Write-Key: $key"
}
# are_rows WORD <EVENTS: of those whose z has the word each is a row, once
are_rows () {
	cat >want && flush_collected && collected >got.all && { grep -e "$1" got.all >got || :; } && check_records want --got got
}
# told FAULT COMMAND...: its row of the table, and no file holds the key
told () {
	told_fault_of_collect=$1
	shift
	walk_told collect "$told_fault_of_collect" then_no_secrets "$@"
}
then_no_secrets () {
	"$@"
	then_ret=$?
	check_secrets && return $then_ret
}
# reached: points and calls are those of walk
reached () {
	test_grep "^reached" walk.report && walk_points=$((walk_points + $(sed -n "1s/^reached \([0-9]*\) of.*/\1/p" walk.report)))
}
# under_walk WALK-ARGUMENTS...: start_collector with that fault
under_walk () {
	collector_under="$walk --report walk.report --timeout 100 --path .intake $*"
	start_walked
}
start_walked () {
	rm -f collector.out
	{ $collector_under -- river serve --collect web/clicks --listen 127.0.0.1:0 >collector.out 2>>collector.err & }
	collector_pid=$!
	test_wait_until 30 grep -q listening collector.out &&
	url=$(sed -n "s/^listening on //p" collector.out) && port=${url#http://127.0.0.1:} && port=${port%%/*}
}
# ends what runs below walk
stop_walked () {
	pkill_of=$(ps -o pid= --ppid "$collector_pid" | tr -d " ") && kill "$pkill_of" && { wait "$collector_pid"; collector_code=$?; } && collector_ended_with 0
}

eio_of_a_sync () {
	under_walk fail fsync EIO 3 && sends 100 0 && stop_walked &&
	reached && test_grep ! "again=0" client.out && test_grep "sync the intake" collector.err &&
	collected_once 0 100 && river status --check
}
test_expect_success '5: EIO from fdatasync: no 2xx for what is not on the disk, and sent again it is there once' '
	test_when_finished end_collector && told "EIO of a sync" eio_of_a_sync
'

# A kill behind it would leave batches whose promises are gone, which are set aside.
test_expect_success '1: of a run that is finished the journal goes last' '
	test_when_finished end_collector &&
	collector_under="$walk --report walk.report --log walk.log --timeout 100 --path /runs/ --file-ops count" &&
	start_walked && sends 20 900 && stop_walked && collected_once 900 20 &&
	sed -n "s,.* unlink[at]* .*/runs/[^/]*/,,p" walk.log >gone && test_grep intake gone &&
	tail -n 1 gone >last && echo journal >want && test_cmp want last
'

full_every_second_time () {
	under_walk fail write ENOSPC 2 alternate && sends 40 1000 && stop_walked &&
	reached && test_grep ! "again=0" client.out && collected_once 1000 40
}
short_every_second_time () {
	under_walk fail write short 1 alternate && sends 50 2000 && stop_walked &&
	reached && test_grep "again=0" client.out && collected_once 2000 50 && river status --check
}
test_expect_success '180: ENOSPC at every second write of the intake, and short writes' '
	test_when_finished end_collector &&
	told "ENOSPC alternate" full_every_second_time && told "short alternate" short_every_second_time
'

full_disk () {
	collector_env="RIVER_STATE_DIR=$PWD/state/river" && start_collector && collector_env= &&
	says 200 post full-1 &&
	{ head -c 1m /dev/zero >state/filler 2>/dev/null || :; } &&
	i=2 && while test $i -lt 1000 && status=$(post "full-$i") && test "$status" = 200
	do
		i=$((i + 1)) # the room that was taken ahead, and what is left of a page
	done &&
	test "$status" = 503 && test_grep "^Retry-After: " answer && walk_points=1 &&
	says 503 send GET /readyz && says 200 send GET /healthz &&
	rm state/filler &&
	says 200 post full-$i && test_wait_until 20 says 200 send GET /readyz &&
	walk_total=$((i + 1)) && stop_collector && seq -f full-%g $i | are_rows full
}
test_expect_success TMPFS '180: a disk that is full: 503 with Retry-After and no 2xx, and it goes on by itself' '
	test_when_finished end_collector && port= &&
	test_small_tmpfs state 256k && mkdir -p state/river && told "full disk" full_disk
'

lake_away () {
	start_collector -c spool.max=40KiB &&
	: >away && swap_names .river/lake away &&
	i=0 && while test $i -lt 400 && status=$(post "away-$i") && test "$status" = 200
	do
		i=$((i + 1))
	done &&
	test "$status" = 503 && test_grep "the spool is full" body && test_grep "^Retry-After" answer && walk_points=1 &&
	says 503 send GET /readyz && test $i -gt 20 &&
	swap_names .river/lake away && rm away &&
	test_wait_until 60 says 200 send GET /readyz &&
	says 200 post away-$i && walk_total=$((i + 2)) && stop_collector &&
	seq -f away-%g 0 $i | are_rows away
}
test_expect_success '180: a lake that is away: the spool takes it up to spool.max, and brings it when the lake is back' '
	test_when_finished end_collector && port= && told "lake away" lake_away
'

# are_open N: so many connections
are_open () {
	test "$(metric connections)" -ge "$1"
}

many=3000
test -z "$RIVER_DEEP" || many=9900

slow_ones () {
	start_collector &&
	: >nothing && { "$http_raw" "$port" --idle $many --hold 14000 <nothing & } && idle=$! &&
	printf "POST /collect HTTP/1.1\r\nHost: h\r\nX: %s" "$(printf %200s | tr " " x)" >slow-head &&
	{ "$http_raw" "$port" --each 1 100 <slow-head >slow-head.answer & } && slow1=$! &&
	printf "POST /collect HTTP/1.1\r\nHost: h\r\nX-Write-Key: %s\r\nContent-Length: 100000\r\n\r\n{%s" "$key" \
		"$(printf %200s | tr " " x)" >slow-body &&
	{ "$http_raw" "$port" --each 1 100 <slow-body >slow-body.answer & } && slow2=$! &&
	{ for i in $(seq 3000); do printf "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"; done; } >greedy &&
	{ "$http_raw" "$port" --hold 3000 <greedy & } && slow3=$! &&
	test_wait_until 30 are_open $many && sends 2000 3000 &&
	sed -n "s/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p" /proc/$collector_pid/status >peak &&
	wait $slow1 $slow2 && test_grep "^HTTP/1.1 408" slow-head.answer && test_grep "^HTTP/1.1 408" slow-body.answer &&
	wait $slow3 && wait $idle && stop_collector && walk_points=$((many + 3)) && walk_total=$((walk_total + walk_points)) &&
	collected_once 3000 2000 &&
	echo "peak: $(cat peak) KiB" && { test -n "$ASAN_BUILD" || test $(cat peak) -lt $((16384 + 32 * (many + 100))); }
}
test_expect_success '181: thousands of idle connections, slow heads, slow bodies and slow readers hold nobody up' '
	test_when_finished end_collector && port= && told "slow clients" slow_ones
'

term_under_load () {
	start_collector && sends_on 1000000 &&
	for i in 1 2 3
	do
		test_wait_until 60 has_taken 500 && stop_collector && check_secrets && start_collector && walk_points=$i || return 1
	done &&
	sent_all && sent_again 3 && stop_collector && collected_once 1000000 $count && river status --check
}
test_expect_success '195: TERM under load: what was acknowledged is a row, and it ends with 0' '
	test_when_finished end_collector && port= && told "TERM under load" term_under_load
'

# has_started N: so often
has_started () {
	test $(grep -c listening held.out) -ge "$1"
}

term_with_a_socket () {
	rm -f port.file &&
	{ "$RIVER_BUILD/tests/lib/listen_exec" port.file 4 river serve --collect web/clicks >held.out 2>&1 & } &&
	held=$! && test_when_finished "kill $held 2>/dev/null || :" && test_wait_until 30 test -s port.file && port=$(cat port.file) &&
	test_wait_until 30 grep -q listening held.out && test_grep "127.0.0.1:$port/collect" held.out &&
	sends_on 2000000 &&
	for i in 2 3 4
	do
		test_wait_until 60 has_taken 500 && kill $held && test_wait_until 30 has_started "$i" && walk_points=$((i - 1)) || return 1
	done &&
	sent_all && sent_again 3 && kill $held && wait $held && collected_once 2000000 $count
}
test_expect_success '195: a socket that is handed over: no connection is refused while it is started again' '
	told "TERM, handed over" term_with_a_socket
'

start_limited () {
	rm -f collector.out && { limited >collector.out 2>>collector.err & } && collector_pid=$! &&
	test_wait_until 30 grep -q listening collector.out && url=$(sed -n "s/^listening on //p" collector.out) &&
	port=${url#http://127.0.0.1:} && port=${port%%/*}
}
limited () {
	ulimit -n 60 && exec river serve --collect web/clicks --listen 127.0.0.1:0
}
idle_without_descriptors () {
	start_limited &&
	: >nothing && { "$http_raw" "$port" --idle 200 --hold 2000 <nothing & } && idle=$! &&
	are_delayed () { walk_points=$(metric connections_delayed_total) && test "${walk_points:-0}" -gt 0; } &&
	test_wait_until 30 are_delayed && sends 200 30000 && wait $idle &&
	walk_total=$((walk_total + 200)) && stop_collector && collected_once 30000 200
}
test_expect_success '196: without descriptors the idle ones give way, and nothing spins' '
	test_when_finished end_collector && port= && told "EMFILE, idle ones" idle_without_descriptors
'

fewer_than_connections () {
	start_limited &&
	mkfifo hold && { "$http_raw" "$port" --idle 100 <hold >/dev/null & } && idle=$! && exec 9>hold &&
	test_when_finished "exec 9>&-; kill $idle 2>/dev/null || :" &&
	enough () { test "$(metric connections_delayed_total)" -gt 0 || test "$(metric connections_total)" -gt 100; } &&
	test_wait_until 30 enough && says 200 post few && walk_points=1 && walk_total=101 &&
	stop_collector && echo few | are_rows few
}
test_expect_success '196: fewer descriptors than connections: what was sent is stored all the same' '
	test_when_finished end_collector && told "EMFILE, all in use" fewer_than_connections
'

greedy_one () {
	start_collector && requests () { metric requests_total; } &&
	yes x | head -n 300000 | sed "s/.*/GET \/metrics HTTP\/1.1\r\nHost: h\r\n\r/" >many &&
	{ "$http_raw" "$port" --hold 600000 <many >/dev/null 2>&1 & } && greedy=$! &&
	test_when_finished "kill $greedy 2>/dev/null || :" &&
	begun () { n=$(requests) && test "$n" -gt 50; } && before=0 && test_wait_until 30 begun &&
	while test "$n" -gt $((before + 1))
	do
		before=$n && sleep 0.3 && n=$(requests) || return 1
	done &&
	test "$n" -lt 100000 && walk_points=1 && sends 200 40000 && walk_total=$((walk_total + n)) && stop_collector &&
	collected_once 40000 200
}
test_expect_success '181: who sends requests and reads no answers is left with what fits, and costs nobody anything' '
	test_when_finished end_collector && port= && told "no reader" greedy_one
'

# raw_event WORD: a whole request with an event whose z has the three or four letters, in a file of that name
raw_event () {
	printf "POST /collect HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Write-Key: %s\r\nContent-Length: %d\r\n\r\n%s" "$key" \
		"$(event "$1" | wc -c)" "$(event "$1")"
}
# start_slow MS [option]: each sync takes so long
start_slow () {
	slow_ms=$1
	shift
	rm -f collector.out &&
	{ "$RIVER_BUILD/tests/lib/slow_sync" "$slow_ms" river "$@" serve --collect web/clicks --listen 127.0.0.1:0 \
		>collector.out 2>>collector.err & } && collector_pid=$! &&
	test_wait_until 60 grep -q listening collector.out && url=$(sed -n "s/^listening on //p" collector.out) &&
	port=${url#http://127.0.0.1:} && port=${port%%/*}
}
slow_disk () {
	start_slow 7000 &&
	says 200 send GET /readyz && raw_event slo >slow &&
	{ "$http_raw" "$port" <slow >slow.answer & } && poster=$! &&
	says 200 send GET /healthz && test_wait_until 30 says 503 send GET /readyz && test_grep "disk" body &&
	wait $poster && test_grep "^HTTP/1.1 200" slow.answer && walk_points=1 walk_total=1 &&
	stop_collector && echo slo | are_rows slo
}
test_expect_success '196: a disk that takes seconds: alive, not ready, and the event is there in the end' '
	test_when_finished end_collector && told "slow disk" slow_disk
'

clock_jumps () {
	collector_env="WRONG_CLOCK_FILE=$PWD/jump LD_PRELOAD=$RIVER_BUILD/tests/lib/preload/wrong_clock.so" && start_collector &&
	collector_env= && i=0 &&
	for jump in 7200 -7200 86400 0
	do
		echo $jump >jump && i=$((i + 1)) && says 200 post jump-$i &&
		landed () { test "$(metric delivered_total)" -ge $i; } && test_wait_until 30 landed && walk_points=$i || return 1
	done &&
	kill_collector && start_collector && says 200 post jump-1 && says 1 metric duplicates_total &&
	walk_total=$((i + 1)) && stop_collector && seq -f jump-%g 4 | are_rows jump && river status --check
}
test_expect_success !SANITIZER '195: the wall clock jumps back and forth: events go on to the lake' '
	test_when_finished end_collector && port= && echo 0 >jump && told "clock set" clock_jumps
'

hung_disk () {
	start_slow 600000 -c collect.remember=0 &&
	begun=$(metric requests_total) && asked=0 && raw_event ever >never &&
	{ "$http_raw" "$port" <never >never.answer & } && poster=$! &&
	is_taken () { asked=$((asked + 1)) && test "$(metric requests_total)" -gt $((begun + asked)); } &&
	test_wait_until 30 is_taken &&
	nobody_listens () { ! send GET /healthz >/dev/null 2>&1; } &&
	kill "$collector_pid" && test_wait_until 30 nobody_listens && kill -0 "$collector_pid" &&
	kill "$collector_pid" && { wait "$collector_pid"; collector_code=$?; } && collector_pid= && collector_ended_with 143 &&
	{ wait $poster || :; } && test_grep ! "200 OK" never.answer && walk_points=1 walk_total=2 &&
	start_collector && says 200 post ever && stop_collector && echo ever | are_rows ever
}
test_expect_success '195: a disk that never answers: a second TERM ends it, and nothing was acknowledged' '
	test_when_finished end_collector && rm -f never.answer && told "hung disk" hung_disk
'

test_done
