#!/bin/sh
test_description='a destination is away while a producer makes 5,000 records a second: RIVER_DEEP=1 for ten minutes'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"

emul_need
rate=5000 away_s=6 after_s=2
test -z "$RIVER_DEEP" || away_s=600 after_s=60
away_s=${RIVER_OUTAGE_SECONDS:-$away_s}

firehose_profiles
cat >>"$TRASH_ROOT/river.yaml" <<YAML
  direct:
    lake: s3://lake/river
    warehouse: none
YAML
# a proxy that refuses connections in the first half of an outage; in the second S3 or Firehose says 503
proxy_start fault-proxy --to 127.0.0.1:$emul_port || test_bug 'the proxy does not start'
proxy_listens () {
	curl -sS --noproxy '*' --fail-with-body -X POST --data "{\"on\":$1}" "http://127.0.0.1:$proxy_control/listen" >/dev/null
}
AWS_ENDPOINT_URL=http://127.0.0.1:$proxy_port

waiting () {
	river spool list --output json | jq -s 'map(.waiting) | add // 0'
}
now_s () {
	date +%s.%N
}
# Resident KiB of process $1, twice a second, until it ends.
watch_memory () {
	while awk '/^VmRSS/ { print $2 }' "/proc/$1/status" 2>/dev/null
	do
		sleep 0.5
	done
}

# outage PROFILE SERVICE: something has to have arrived before, and the producer goes on behind it
outage () {
	mkfifo pipe && : >rss || return 1
	"$RIVER_BUILD/tests/lib/paced" $rate $((2 + away_s + after_s)) >pipe 2>paced &
	producer=$!
	river --profile "$1" push web/clicks --batch-records 5000 --retry-for 120s <pipe >out 2>err &
	push=$!
	watch_memory $push >rss &
	watcher=$!
	outage_goes_on "$2" || { kill $push $producer; return 1; }
	push_code=0
	wait $push || push_code=$?
	wait $producer && wait $watcher
	cat err paced >&2
	test "$push_code" -eq 0 && made=$(jq .records paced) &&
	test "$made" -eq $((rate * (2 + away_s + after_s)))
}
outage_goes_on () {
	test_wait_until 60 has_come >/dev/null && proxy_listens false && came_to_rest && came=$(has_come) &&
	sleep $((away_s / 2)) &&
	emul_script "{\"match\":{\"service\":\"$1\",\"count\":\"all\"},\"do\":\"status\",\"status\":503,\"code\":\"ServiceUnavailableException\"}" &&
	proxy_listens true && sleep $((away_s - away_s / 2)) &&
	test "$(has_come)" = "$came" && backlog=$(waiting) && kept_bytes=$(du -sk "$HOME" | cut -f1) &&
	test "$backlog" -gt 0 && emul_no_script && back=$(now_s) &&
	while test "$(waiting)" -gt $((2 * rate)) && kill -0 "$push" 2>/dev/null
	do
		sleep 0.2
	done && drained=$(now_s)
}

# What had come whole before the line was cut may still be taken for a moment.
came_to_rest () {
	while before=$(has_come) && sleep 0.5 && test "$(has_come)" != "$before"
	do
		:
	done
}

# Flat: what it is in the second half of the samples is no more than 8 MiB over what the first half has, and 64
# MiB are never reached.
memory_is_flat () {
	awk -v backlog="$backlog" -v disk="$kept_bytes" -v back="$back" -v drained="$drained" -v paced="$(cat paced)" '
		{ rss[NR] = $1; most = $1 > most ? $1 : most }
		END {
			for (i = 1; i <= NR / 2; i++)
				first = rss[i] > first ? rss[i] : first
			for (; i <= NR; i++)
				second = rss[i] > second ? rss[i] : second
			printf "resident KiB: %d, then %d, of %d samples; backlog %d records, %d KiB on disk, gone in %.1f s; %s\n",
				first, second, NR, backlog, disk, drained - back, paced
			exit !(NR > 4 && most < 65536 && second < first + 8192)
		}' rss >figures
	flat=$?
	cat figures >&2
	sed 's/^/# /' figures >&4
	test "$test_sanitized" = yes || return $flat
}
# a sanitizer's memory is not river's
test_sanitized=no
! nm -D "$RIVER_BUILD/river" 2>/dev/null | grep -q __asan_ || test_sanitized=yes

firehose_has () {
	firehose_n=$(emul_count firehose.PutRecordBatch accepted)
	echo "$firehose_n"
	test "$firehose_n" -gt 0
}
s3_has () {
	s3_n=$(emul_get 'objects?bucket=lake&prefix=river/data/' | wc -l)
	echo "$s3_n"
	test "$s3_n" -gt 0
}

# The lake objects of one push, by their sequence, are the input. Each hour has a folder and a run of its own.
objects_in_order () {
	emul_get 'objects?bucket=lake&prefix=river/data/web/clicks/' | jq -r .key |
		sed 's,^\(.*/\)\([^/]*\)-\([0-9]*\)-r[0-9]*-h[0-9a-f]*\.ndjson\.gz$,\1 \3 \2 &,' | sort -k1,1 -k2,2n >objects &&
	test -z "$(cut -d" " -f1,3 objects | sort -u | cut -d" " -f1 | uniq -d)" &&
	while read -r folder seq run key
	do
		curl -sS --noproxy '*' --fail-with-body -G --data-urlencode "key=$key" \
			"$emul_url/_emul/object?bucket=lake&gunzip=1" || exit 1
	done <objects | sed 's/^{"n":\([0-9]*\),.*/\1/' |
		awk -v all="$1" '$1 != NR { print "line " NR ": " $1; exit 1 } END { exit NR != all }' >&2
}

test_expect_success 'Firehose is away: nothing is lost, nothing comes twice but what the cut left open, order is kept, memory is flat' '
	firehose_fresh &&
	has_come () { firehose_has; } &&
	outage fire firehose && memory_is_flat && in_order "$made" cut &&
	test "$(waiting)" -eq 0
'

test_expect_success 'the same with a lake on S3 and no Firehose' '
	rm -rf "$HOME/.local" pipe && emul_post reset "" >/dev/null &&
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null &&
	river --profile direct stream create web/clicks --compression gzip >out &&
	has_come () { s3_has; } &&
	outage direct s3 && memory_is_flat && objects_in_order "$made" &&
	test "$(waiting)" -eq 0
'

proxy_stop
emul_stop
test_done
