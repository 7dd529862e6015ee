#!/bin/sh
# Fuzz targets, each for so many minutes of processor time, from its corpus and from what earlier runs have come
# to. The time of earlier runs counts: a target that had its minutes is passed over, so that a run that was
# stopped goes on where it was. What changed since is not known here: `rm -r build/fuzz/spent` begins anew. A
# line a target; exit code 1 when one has found something, which is kept and ends that target.
#
# usage: fuzz-run.sh FOLDER MINUTES JOBS TARGET...    (make fuzz-run)
folder=$1 minutes=$2 jobs=$3
shift 3
corpus=$(dirname "$0")/../fuzz/corpus
seconds=$(awk -v m="$minutes" 'BEGIN { print int(m * 60 + 0.5) }')
test "$seconds" -gt 0 || { echo "MINUTES=$minutes: a number above 0 is needed" >&2; exit 2; }
test "$jobs" -gt 0 2>/dev/null || { echo "JOBS=$jobs: a number above 0 is needed" >&2; exit 2; }
for target
do
	test -x "$folder/fuzz_$target" || { echo "there is no target $target" >&2; exit 2; }
done
if test "$jobs" -gt 1 && test $# -gt 1
then
	printf '%s\n' "$@" | xargs -n 1 -P "$jobs" sh "$0" "$folder" "$minutes" 1
	test $? = 0 && exit
	exit 1
fi

ticks=$(getconf CLK_TCK)
# The processor seconds of a process so far, all its threads; nothing, once it has ended.
used_by () {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
		awk -v ticks="$ticks" '$1 != "Z" { print int(($12 + $13) / ticks) }'
}
# What it has had so far counts.
stopped () {
	used=$(used_by "$child")
	kill "$child"
	echo $((spent + ${used:-$now})) >"$folder/spent/$target"
	exit 130
}
code=0
for target
do
	mkdir -p "$folder/found" "$folder/log" "$folder/spent" "$folder/corpus/$target" || exit 2
	log=$folder/log/$target spent=$(cat "$folder/spent/$target" 2>/dev/null || echo 0)
	if test "$spent" -ge "$seconds"
	then
		printf '%-18s had its %d s\n' "$target" "$spent"
		continue
	fi
	"$folder/fuzz_$target" -rss_limit_mb=2000 -timeout=60 -print_final_stats=1 \
		-artifact_prefix="$folder/found/$target-" "$folder/corpus/$target" "$corpus/$target" >"$log" 2>&1 &
	child=$! now=0
	trap stopped INT TERM
	while used=$(used_by "$child") && test -n "$used"
	do
		now=$used
		# libFuzzer ends by itself then, and says what it did
		test $((spent + now)) -lt "$seconds" || kill -USR1 "$child" 2>/dev/null
		sleep 1
	done
	found='nothing found'
	wait "$child" || { code=1 found="FOUND, see $log"; }
	echo $((spent + now)) >"$folder/spent/$target"
	awk -v target="$target" -v found="$found" -v spent=$((spent + now)) '
		/ cov: [0-9]+ ft: [0-9]+/ { for (i = 1; i < NF; i++) {
			if ($i == "cov:") edges = $(i + 1)
			if ($i == "ft:") features = $(i + 1)
		} }
		/^stat::number_of_executed_units:/ { runs = $2 }
		END { printf "%-18s %5d s %10d runs %6d edges %7d features  %s\n", target, spent, runs, edges, features, found }
	' "$log"
	test "$found" = 'nothing found' || grep -E '^(.*not so: |.*Assertion |SUMMARY: |==[0-9]+== ERROR)' "$log" | head -n 5
done
exit $code
