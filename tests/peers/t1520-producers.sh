#!/bin/sh
test_description='what happens to a producer: killed, stopped, without credentials, with a long backlog'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
firehose_profiles
away='{"match":{"op":"PutRecordBatch","count":"all"},"do":"status","status":503,"code":"ServiceUnavailableException"}'

spooled () {
	river spool list --output json | jq -s 'map(.waiting) | add // 0'
}
has_spooled () {
	test "$(spooled)" -ge "$1"
}
has_accepted () {
	test "$(emul_count firehose.PutRecordBatch accepted)" -ge "$1"
}
# Credentials of an instance, which live for so many seconds.
instance () {
	emul_config "{\"credentials_s\":$1}" &&
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY &&
	AWS_EC2_METADATA_DISABLED=false AWS_EC2_METADATA_SERVICE_ENDPOINT=$emul_url &&
	export AWS_EC2_METADATA_DISABLED AWS_EC2_METADATA_SERVICE_ENDPOINT
}
no_instance () {
	emul_config "{\"credentials_s\":null}" && unset AWS_EC2_METADATA_SERVICE_ENDPOINT && emul_env
}
# The keys that were handed out are over.
keys_are_over () {
	test -z "$(emul_get keys | jq "select(.expires != null and .expires > (now * 1000))")"
}

# The same input under its name until it goes through, killed at some time or other, while answers are lost
# and records refused. Reproducible as far as a clock allows: the moments are spread over the time that the input takes
# on this machine when nothing is in its way, or less when the first kill of an input comes too late.
kills=8
test -z "$test_deep" || kills=500
test_expect_success '2: SIGKILL at random times under load' '
	firehose_fresh && make_records 1500 >in && before=$(date +%s%N) && river push web/clicks <in &&
	whole_ms=$((($(date +%s%N) - before) / 1000000)) &&
	firehose_fresh && : >all && killed=0 &&
	emul_script "[{\"match\":{\"op\":\"PutRecordBatch\",\"every\":7,\"count\":\"all\"},\"do\":\"read_body_then_close\"},
		{\"match\":{\"op\":\"PutRecordBatch\",\"every\":3,\"count\":\"all\"},\"do\":\"partial\",\"fraction\":0.3}]" &&
	for i in $(seq 1 $kills)
	do
		make_records 1500 $((i * 10000)) >in && cat in >>all && first=t &&
		for delay in $(awk -v seed=$i -v whole_s=$whole_ms"e-3" \
				"BEGIN { srand(seed); for (k = 0; k < 3; k++) printf \"%.4f \", rand() * whole_s }")
		do
			"$RIVER_BUILD/river" push web/clicks --run "run$i" <in 2>>err &
			pid=$! && sleep $delay
			kill -KILL $pid 2>/dev/null
			wait $pid 2>/dev/null
			case $?,$first in
			137,*) killed=$((killed + 1)) ;;
			*,t) whole_ms=$((whole_ms * 3 / 4)) ;;
			esac
			first=
		done
		river push web/clicks --run "run$i" --retry-for 60s <in 2>>err || return 1
	done &&
	test $killed -ge $((kills / 2)) && emul_fired && emul_no_script && arrived all &&
	river spool flush >out && river spool list --output json >left && test_must_be_empty left
'

test_expect_success '13: stopped for longer than the credentials live, then continued' '
	firehose_fresh && make_records 1000 >in && mkfifo stopped &&
	instance 5 && test_when_finished "no_instance" &&
	{
		river push web/clicks --batch-records 100 --retry-for 60s <stopped 2>err &
		pid=$!
	} &&
	exec 8>stopped && head -n 500 in >&8 && test_wait_until 30 has_accepted 500 &&
	kill -STOP $pid && test_wait_until 30 keys_are_over &&
	river spool flush >out && river spool list --output json >list && test_grep "\"run\":" list &&
	kill -CONT $pid && tail -n 500 in >&8 && exec 8>&- && wait $pid &&
	arrived in && test "$(sent_twice)" -eq 0 && test "$(spooled)" -eq 0
'

# The source of the credentials fails until the file back is there; one record after another comes meanwhile.
source_has_failed () {
	test -e down && emul_fired >/dev/null 6>&1
}
trickle () {
	make_records 500 && test_wait_until 30 has_accepted 500 >&2 &&
	emul_script "{\"match\":{\"service\":\"imds\",\"count\":\"all\"},\"do\":\"status\",\"status\":500}" >&2 && : >down &&
	n=500 && while ! test -e back
	do
		n=$((n + 1)) && make_records 1 $n && sleep 0.1
	done && make_records 500 $((n + 1))
}
test_expect_success '35: the source of credentials is down: the spool grows, nothing is dropped, few words are made' '
	firehose_fresh && rm -f back down && mkfifo sourceless &&
	instance 5 && test_when_finished "no_instance; emul_no_script" &&
	{
		river push web/clicks --flush-after 100ms --retry-for 60s <sourceless 2>err &
		pid=$!
	} &&
	{
		trickle | tee in >sourceless &
		producer=$!
	} &&
	# what waits before the keys are over waits for an answer
	test_wait_until 60 source_has_failed && test_wait_until 60 keys_are_over && test_wait_until 60 has_spooled 20 &&
	emul_no_script && touch back && wait $producer && wait $pid &&
	arrived in && test "$(spooled)" -eq 0 && test $(wc -l <err) -le 2
'

test_expect_success '35: it is still down when the input has ended: kept, said, and sent by a later flush' '
	firehose_fresh && make_records 1000 >in && instance 3600 && test_when_finished "no_instance; emul_no_script" &&
	mkfifo ended && {
		river push web/clicks --batch-records 100 --retry-for 1s <ended 2>err &
		pid=$!
	} &&
	exec 8>ended && head -n 500 in >&8 && test_wait_until 30 has_accepted 500 &&
	emul_script "[{\"match\":{\"service\":\"imds\",\"count\":\"all\"},\"do\":\"status\",\"status\":500},
		{\"match\":{\"op\":\"PutRecordBatch\",\"count\":\"all\"},\"do\":\"status\",\"status\":400,\"code\":\"ExpiredTokenException\"}]" &&
	tail -n 500 in >&8 && exec 8>&- && test_expect_code 4 wait $pid &&
	test_grep "accepted and spooled" err && test_grep "do not send them again" err &&
	emul_no_script && river spool flush >out && arrived in && test "$(spooled)" -eq 0
'

# Batches of one record each. Looking at all of them must cost neither memory nor descriptors, and the oldest
# goes first.
backlog=600
test -z "$test_deep" || backlog=10000
test_expect_success "52: a backlog of $backlog batches at the start: in order, with few descriptors, in little memory" '
	firehose_fresh && make_records $backlog >old && make_records 10 $((backlog + 1)) >new && emul_script "$away" &&
	test_expect_code 8 river push web/clicks --batch-records 1 --retry-for 0 <old 2>err &&
	test "$(spooled)" -eq $backlog && emul_no_script && mkfifo behind &&
	{
		( ulimit -n 32 && exec "$RIVER_BUILD/river" push web/clicks <behind 2>err ) &
		pid=$!
	} &&
	exec 8>behind && test_wait_until 600 has_accepted $backlog &&
	peak=$(sed -n "s/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p" /proc/$pid/status) &&
	echo "peak $peak KiB, $(ls /proc/$pid/fd | wc -l) descriptors" && test -n "$peak" &&
	{ test_have_prereq SANITIZER || test "$peak" -le 65536; } &&
	cat new >&8 && exec 8>&- && wait $pid && test "$(spooled)" -eq 0 &&
	cat old new >in && arrived in && test "$(sent_twice)" -eq 0 &&
	emul_records $firehose_stream | jq -c "del(._river)" >order && test_cmp in order
'

# A program that river starts may leave one behind that lives longer than river does. The shell that runs the
# script has some open itself, from 10 on.
test_expect_success '55: a program that gives credentials inherits neither locks nor files' '
	firehose_fresh && : >left && rm -f descriptors && mkfifo inherits &&
	test_holds_secret credentials.sh && cat >credentials.sh <<-SH &&
	ls -l /proc/\$\$/fd >>"$PWD/descriptors"
	sleep 300 >/dev/null 2>&1 &
	echo \$! >>"$PWD/left"
	printf "{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\",\"Expiration\":\"%s\"}" \
		"$emul_access_key" "$emul_secret_key" "\$(date -u -d "+3 seconds" +%Y-%m-%dT%H:%M:%SZ)"
	SH
	printf "[default]\ncredential_process = sh %s/credentials.sh\n" "$PWD" >config &&
	test_when_finished "unset AWS_CONFIG_FILE; emul_env; xargs kill <left" &&
	unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY && AWS_CONFIG_FILE=$PWD/config && export AWS_CONFIG_FILE &&
	{
		"$RIVER_BUILD/river" push web/clicks --flush-after 100ms <inherits 2>err &
		pid=$!
	} &&
	# until it has asked again, with its journal open and locked
	n=0 && exec 8>inherits && while test $(wc -l <left) -lt 2
	do
		n=$((n + 1)) && make_records 1 $n >&8 && sleep 0.1 || return 1
	done &&
	kill -KILL $pid && { wait $pid; exec 8>&-; } &&
	test_grep " 0 -> /dev/null" descriptors && ! grep -e " [3-9] -> " -e "socket:" -e "$HOME" descriptors &&
	for pid in $(cat left)
	do
		kill -0 $pid || return 1
	done &&
	river --lock=fail spool flush >out && test_grep ! "locked\|alive\|waiting" out && test "$(spooled)" -eq 0
'

emul_stop
test_done
