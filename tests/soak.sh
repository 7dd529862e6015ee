#!/bin/sh
# soak.sh BUILD: river under load and faults for a long time, and then the books are balanced.
#
#	make soak MINUTES=60 RATE=5000 SEED=1 MODE=collect
#
# collect: a client sends RATE events a second to `river serve --collect`, half of them one a request, and
# insists until each got its 2xx. pipe: a program writes RATE records a second into `river push --run`, which
# is started again under the same name, with the same input, until it ended with 0.
# Meanwhile batches go to the lake every few seconds, the warehouse is loaded every LOAD_SECONDS, and
# every five seconds something bad happens, in an order that SEED decides. What kills the server does so in
# the first quarter and the last eighth of the time, so that one process lives long in between.
#
# At the end no record may be missing or doubled, in the lake (by a bit for each) and in the warehouse; river's
# own books have to agree; and memory and descriptors of each long life must not have grown. A table says
# so; 1 when any of it is not so. As root the spool is on a small disk of its own that gets full.
#
# Everything is below BUILD/soak (or FOLDER), and stays there when something was wrong, or with KEEP=1. FIGURES=FILE
# gets what was found, in one line: faults, records, lost, doubled, altered, to be mended by hand, codes.
set -u
. "$(dirname "$0")/lib/soak-figures.sh"
build=${1:?soak.sh BUILD}
minutes=${MINUTES:-60} rate=${RATE:-5000} seed=${SEED:-1} mode=${MODE:-collect}
load_seconds=${LOAD_SECONDS:-60} slot_seconds=${SLOT_SECONDS:-5} connections=${CONNECTIONS:-96}
folder=${FOLDER:-$build/soak}
spool_mib=${SPOOL_MIB:-2048}
case "$mode" in
collect|pipe) ;;
*) echo "soak: MODE is collect or pipe, not $mode" >&2; exit 2 ;;
esac
for tool in river tests/lib/soak_client tests/lib/http_raw tests/lib/swap_names
do
	test -x "$build/$tool" || { echo "soak: $build/$tool is not built" >&2; exit 2; }
done
for name in $(env | sed -n 's/^\(RIVER_[A-Z0-9_]*\)=.*/\1/p')
do
	unset "$name"
done
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME STATE_DIRECTORY
seconds=$(awk -v m="$minutes" 'BEGIN { printf "%d", m * 60 }')
test ! -e "$folder" || umount "$folder/state" 2>/dev/null
rm -rf "$folder" && mkdir -p "$folder/home" "$folder/state" && cd "$folder" || exit 2
folder=$PWD
HOME=$folder/home PATH=$build:$build/tests/lib:$PATH LC_ALL=C TZ=UTC
export HOME PATH LC_ALL TZ
: >faults.log

# ---- what runs beside ---------------------------------------------------------
clock () {
	cut -d . -f 1 /proc/uptime
}
began=$(clock)
after () {
	echo $(($(clock) - began))
}
log () {
	echo "$(after) $*" >>faults.log
}
others=
worker=
end_all () {
	: >stop
	for end_pid in $(cat worker.pid loader.pid 2>/dev/null) $others
	do
		kill -CONT "$end_pid" 2>/dev/null
		kill -9 "$end_pid" 2>/dev/null
	done
	test ! -e lake.away || give_lake_back
	wait
	test -z "$mounted" || umount state
}
mounted=
trap 'end_all; trap - EXIT; exit 130' INT TERM
trap 'end_all' EXIT

# The spool on a file system of its own, with real syncs where loop devices are to be had.
mount_state () {
	test "$(id -u)" = 0 || return 0
	if truncate -s "${spool_mib}M" disk && mkfs.ext4 -q -F disk && mount -o loop disk state
	then
		mounted=ext4
	elif mount -t tmpfs -o "size=${spool_mib}M" none state
	then
		mounted=tmpfs
	fi 2>/dev/null
	test -n "$mounted" || echo "soak: nothing can be mounted here, so no disk gets full"
}

# random N: a number below N in $picked
random () {
	seed=$(((seed * 1103515245 + 12345) & 2147483647))
	picked=$(((seed >> 8) % $1))
}

# One life after another, as systemd would; ends when `stop` is there.
# The shell says on its standard error who was killed.
serve_on () {
	while test ! -e stop
	do
		river serve --collect web/clicks --listen "127.0.0.1:$(cat port)" >serve.out 2>>serve.err &
		echo $! >worker.pid
		wait $!
		echo "$(after) serve $!: $?" >>lives.log
		rm -f worker.pid
		test -e stop || sleep 0.2
	done
}

# The same input under the same name until it was taken; then the next piece.
push_on () {
	piece=0 piece_records=$((rate * (seconds < 60 ? 5 : 30)))
	rm -f pipe && mkfifo pipe
	while test "$(after)" -lt "$seconds"
	do
		pace=$rate
		while test "$(after)" -lt $((seconds + 300)) || return 1
		do
			soak_client lines $((piece * piece_records)) "$piece_records" "$pace" >pipe 2>>client.err &
			push_writer=$!
			river push web/clicks --run "soak-$piece" --retry-for 20s - <pipe 2>>serve.err &
			echo $! >worker.pid
			wait $!
			push_code=$?
			echo "$(after) push $! piece $piece: $push_code" >>lives.log
			rm -f worker.pid
			kill $push_writer 2>/dev/null
			wait $push_writer 2>/dev/null
			test $push_code -ne 0 || break
			# what has been sent before comes as fast as it goes
			pace=$((rate * 4))
			sleep 0.2
		done
		piece=$((piece + 1))
		echo $((piece * piece_records)) >made
	done
}

# Loads what is pending, as a cron line would.
load_once () {
	river --output csv query "select count(*) from web.clicks" >load.out 2>load.err &
	echo $! >loader.pid
	wait $!
	load_code=$?
	rm -f loader.pid
	echo "$(after) $load_code $(tail -n 1 load.out) $(head -n 1 load.err)" >>loads.log
}
load_on () {
	while test ! -e stop
	do
		load_next=$(($(clock) + load_seconds))
		load_once
		while test ! -e stop && test "$(clock)" -lt $load_next
		do
			sleep 1
		done
	done
}

# Of the process that matters: time, pid, resident KiB, descriptors, threads, KiB of the spool.
sample_on () {
	sample_step=10
	test "$seconds" -ge 300 || sample_step=2
	while test ! -e stop
	do
		sample_pid=$(cat worker.pid 2>/dev/null)
		sample_memory=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$sample_pid/status" 2>/dev/null)
		sample_files=$(ls "/proc/$sample_pid/fd" 2>/dev/null | wc -l)
		sample_threads=$(sed -n 's/^Threads:[^0-9]*//p' "/proc/$sample_pid/status" 2>/dev/null)
		test -z "$sample_memory" ||
			echo "$(after) $sample_pid $sample_memory $sample_files $sample_threads $(du -sk state 2>/dev/null | cut -f 1)" >>samples.log
		sleep $sample_step
	done
}

# ---- what happens ---------------------------------------------------------------
worker_pid () {
	worker=$(cat worker.pid 2>/dev/null) && test -n "$worker" && kill -0 "$worker" 2>/dev/null
}
take_lake_away () {
	test ! -e lake.away && : >lake.file && swap_names .river/lake lake.file && mv lake.file lake.away
}
give_lake_back () {
	swap_names .river/lake lake.away && rm -f lake.away
}
raw_bytes () {
	printf "$@" | timeout 40 http_raw "$(cat port)" --each 20 200 >/dev/null 2>&1
}
raw_at_once () {
	timeout 40 http_raw "$(cat port)" "$@" >/dev/null 2>&1
}

fault_kill () { kill -9 "$worker"; }
fault_term () { kill "$worker"; }
fault_stop () {
	random 4
	kill -STOP "$worker" && sleep $((picked + 1)) && kill -CONT "$worker"
}
# It comes back some slots later; meanwhile other things go wrong too.
fault_lake_away () {
	take_lake_away || return 0
	random 3
	lake_back=$((slot + 1 + picked))
}
fault_lake_read_only () {
	if test -z "$mounted"
	then
		chmod 555 .river/lake && sleep 3 && chmod 755 .river/lake
	elif test -d .river/lake && mount --bind .river/lake .river/lake
	then
		mount -o remount,bind,ro .river/lake && sleep 3
		umount -l .river/lake
	fi
}
fault_disk_full () {
	test -n "$mounted" || return 0
	fallocate -l "$(df -k --output=avail state | tail -n 1)k" state/filler 2>/dev/null
	head -c 64m /dev/zero 2>/dev/null >>state/filler
	sleep 3
	rm -f state/filler
}
fault_slow_client () {
	raw_bytes 'POST /collect HTTP/1.1\r\nHost: h\r\nX: %0200d\r\n' 0 &
	raw_bytes 'POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{%0200d' 0 &
}
fault_half_client () {
	for half in 1 2 3 4 5
	do
		printf 'POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 40\r\n\r\n{"cid":"half","z":' |
			raw_at_once --hold 50 &
	done
}
fault_oversized_client () {
	{ printf 'POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n' && head -c 3000000 /dev/zero; } |
		raw_at_once --hold 500 &
	{ printf 'POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffff0\r\n' &&
		head -c 3000000 /dev/zero; } | raw_at_once --hold 500 &
	{ printf 'POST /collect HTTP/1.1\r\nHost: h\r\nX: ' && head -c 300000 /dev/zero | tr '\0' x; } |
		raw_at_once --hold 500 &
}
fault_garbled_client () {
	for garbled in 1 2 3 4 5
	do
		random 100000
		awk -v seed="$picked" 'BEGIN { srand(seed); for (i = 0; i < 3000; i++) printf "%c", int(rand() * 255) + 1 }' |
			raw_at_once --hold 200 &
		printf 'POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n[{"cid":7,"z":"",,,}]' |
			raw_at_once --answers 1 &
	done
}
fault_many_clients () { timeout 40 http_raw "$(cat port)" --idle 200 --hold 300 </dev/null >/dev/null 2>&1 & }
fault_reload () {
	kill -HUP "$worker"
	cp river.yaml river.yaml.good && echo "nonsense: [" >>river.yaml && kill -HUP "$worker"
	sleep 0.5
	mv river.yaml.good river.yaml && kill -HUP "$worker"
}
fault_kill_loader () {
	random 20
	kill_after=$(awk -v n="$picked" 'BEGIN { print 0.1 + n / 10 }')
	river --output csv query "select count(*) from web.clicks" >/dev/null 2>&1 &
	sleep "$kill_after"
	kill -9 $! 2>/dev/null
	kill -9 "$(cat loader.pid 2>/dev/null)" 2>/dev/null
	wait $! 2>/dev/null
}
fault_few_files () {
	few_limit=$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$worker/limits")
	random 30
	prlimit --pid "$worker" --nofile="$((picked + 5)):" 2>/dev/null || return 0
	sleep 3
	prlimit --pid "$worker" --nofile="$few_limit:" 2>/dev/null
}

quiet="stop lake_away lake_read_only disk_full kill_loader few_files"
deadly="kill kill term"
test "$mode" = pipe || quiet="$quiet slow_client half_client oversized_client garbled_client many_clients reload"
test "$mode" = collect || deadly="kill kill kill"

# may_kill: is this a part of the time for it?
may_kill () {
	kill_after=$(after)
	test $((kill_after * 4)) -lt "$seconds" || test $((kill_after * 8)) -gt $((seconds * 7)) || test "$seconds" -lt 300
}

slot=0 lake_back=-1 faults=0
one_fault () {
	slot=$((slot + 1))
	if test "$slot" -ge "$lake_back" && test -e lake.away
	then
		give_lake_back
		log "lake is back"
		return
	fi
	fault_list=$quiet
	! may_kill || fault_list="$fault_list $deadly"
	# by hand: a pick from the list
	set -- $fault_list
	random $#
	shift "$picked"
	worker_pid || return 0
	log "$1"
	"fault_$1"
	faults=$((faults + 1))
}

# ---- the run ----------------------------------------------------------------------
{ river init && river stream create web/clicks --batch-age 5s; } >init.log 2>&1 || { cat init.log; exit 2; }
mount_state
RIVER_STATE_DIR=$folder/state/river
export RIVER_STATE_DIR
mkdir -p "$RIVER_STATE_DIR"
began=$(clock)
if test "$mode" = collect
then
	echo 0 >port
	serve_on 2>/dev/null &
	supervisor=$!
	others="$others $supervisor"
	until grep -q listening serve.out 2>/dev/null
	do
		test "$(after)" -lt 60 || { cat serve.err; exit 2; }
		sleep 0.05
	done
	sed -n 's,^listening on http://[^:]*:\([0-9]*\)/.*,\1,p' serve.out >port
	soak_client post "$(cat port)" /collect "$seconds" "$rate" "$connections" >client.log 2>client.err &
	client=$!
else
	push_on 2>/dev/null &
	client=$!
fi
others="$others $client"
sample_on &
sampler=$!
others="$others $sampler"
load_on 2>/dev/null &
loader=$!
others="$others $loader"
echo "soak: $mode, $minutes minutes at $rate records a second, spool on ${mounted:-a plain folder}, below $folder"
while test $(($(after) + slot_seconds)) -le "$seconds"
do
	slot_end=$(($(clock) + slot_seconds))
	one_fault
	while test "$(clock)" -lt $slot_end
	do
		sleep 0.2
	done
done
test ! -e lake.away || give_lake_back
log "no more faults"

# ---- the books ----------------------------------------------------------------------
bad=0
# line WHAT FIGURE ok|no: one of the table
line () {
	printf '%-44s %-34s %s\n' "$1" "$2" "$3"
	test "$3" = ok || bad=1
}
truth () {
	if "$@"; then echo ok; else echo WRONG; fi
}
wait $client
client_code=$?
: >stop
kill_code=0
if test "$mode" = collect
then
	# once each: a second signal would end it at once
	told=
	while kill -0 $supervisor 2>/dev/null
	do
		! worker_pid || test "$worker" = "$told" || { kill "$worker" && told=$worker; }
		sleep 0.2
	done
	wait $supervisor
	made=$(sed -n 's/^in all .*made=\([0-9]*\) .*/\1/p' client.log)
	echo "client: $(tail -n 1 client.log)"
	kill_code=$(tail -n 1 lives.log | sed 's/.*: //')
else
	made=$(cat made)
fi
made=${made:-0}
river spool flush >flush.log 2>&1
flush_code=$?
# a load may be under way
wait $loader $sampler
# their numbers may be others' from now on
others=
rm -f worker.pid loader.pid
# each record is taken apart once: there are many
key="record->'request'->>'id'"
test "$mode" = collect || key="record->>'z'"
river -c warehouse.memory_limit=2GiB --output csv query "select count(*), count(distinct n), coalesce(min(n), -1), coalesce(max(n), -1)
	from (select try_cast(substr($key, 3) as bigint) n from web.clicks) where n is not null" >count.out 2>count.err
want="$made,$made,0,$((made - 1))"
got=$(tail -n 1 count.out)
find .river/lake/data -name '*.zst' -exec zstd -dcq {} + | soak_client count "$made" >lake.count 2>&1
lake_code=$?
river status --check >status.log 2>&1
status_code=$?
river spool check >spool.log 2>&1
spool_code=$?

# Which lives ended as nobody meant them to: neither killed nor told to, nor waiting for a lake.
crashes=$(sed -n 's/.*: \([0-9]*\)$/\1/p' lives.log | awk '$1 >= 128 && $1 != 137 && $1 != 143' | wc -l)

# Growth within a life: the last part against the first one behind its start, by their medians. Parts are ten
# minutes, or a third of a shorter life; a life of less than two minutes says nothing.
awk -v seconds="$seconds" '
	function median(values, n,   i, j, t) {
		for (i = 2; i <= n; i++) {
			t = values[i]
			for (j = i - 1; j > 0 && values[j] > t; j--)
				values[j + 1] = values[j]
			values[j + 1] = t
		}
		return values[int((n + 1) / 2)]
	}
	function part(pid, column, from, to,   i, n, values) {
		n = 0
		for (i = 1; i <= count[pid]; i++)
			if (at[pid, i] >= from && at[pid, i] <= to)
				values[++n] = column == 1 ? memory[pid, i] : files[pid, i]
		return n ? median(values, n) : 0
	}
	{
		if (!($2 in count))
			order[++lives] = $2
		i = ++count[$2]
		at[$2, i] = $1; memory[$2, i] = $3; files[$2, i] = $4
		if ($3 > peak[$2])
			peak[$2] = $3
	}
	END {
		bad = 0
		short = 0
		for (l = 1; l <= lives; l++) {
			pid = order[l]
			from = at[pid, 1]; to = at[pid, count[pid]]
			life = to - from
			if (life < 120) {
				short++
				shortpeak = peak[pid] > shortpeak ? peak[pid] : shortpeak
				continue
			}
			from += 60
			width = (to - from) / 3
			width = width > 600 ? 600 : width
			m1 = part(pid, 1, from, from + width); m2 = part(pid, 1, to - width, to)
			f1 = part(pid, 2, from, from + width); f2 = part(pid, 2, to - width, to)
			grown = m2 > m1 * 1.1 + 8192 || f2 > f1 + 8
			bad = bad || grown
			printf "life %-9s %5d s   memory %6d -> %6d KiB (peak %6d)   files %3d -> %3d   %s\n", pid, life, m1, m2, peak[pid], f1, f2, grown ? "GREW" : "ok"
		}
		printf "lives shorter than two minutes: %d, peak of memory %d KiB\n", short, shortpeak
		exit bad
	}' samples.log >flat.log
flat_code=$?

echo
cat flat.log
echo
line "records made, and taken by river" "$made" "$(truth test "$client_code" -eq 0 -a "$made" -gt 0)"
line "faults" "$faults in $(after) s" ok
line "the server's last end" "code $kill_code" "$(truth test "$kill_code" -eq 0)"
line "ends by a signal of its own" "$crashes" "$(truth test "$crashes" -eq 0)"
line "left in the spool brought to the lake" "code $flush_code" "$(truth test "$flush_code" -eq 0)"
line "lake" "$(tail -n 1 lake.count)" "$(truth test $lake_code -eq 0)"
line "warehouse: count, distinct, first, last" "$got" "$(truth test "$got" = "$want")"
line "river status --check" "code $status_code" "$(truth test $status_code -eq 0)"
line "river spool check" "code $spool_code" "$(truth test $spool_code -eq 0)"
line "memory and descriptors" "$(grep -c ^life flat.log) long lives" "$(truth test $flat_code -eq 0)"
line "loads" "$(awk '$2 == 0' loads.log | wc -l) good, $(awk '$2 != 0' loads.log | wc -l) disturbed" ok
test -z "${FIGURES:-}" || figures >"$FIGURES"
end_all
trap - EXIT
if test $bad -ne 0
then
	echo "soak: something is wrong; all of it is in $folder"
	exit 1
fi
test -n "${KEEP:-}" || rm -rf "$folder"
exit 0
