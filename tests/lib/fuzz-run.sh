#!/bin/sh
# Runs fuzz targets one after the other, each for so many minutes, from its corpus and from what earlier runs
# have come to. A line a target; exit code 1 when one has found something, which is kept.
#
# usage: fuzz-run.sh FOLDER MINUTES TARGET...    (make fuzz-run)
folder=$1 minutes=$2
shift 2
corpus=$(dirname "$0")/../fuzz/corpus
seconds=$(awk -v m="$minutes" 'BEGIN { print int(m * 60 + 0.5) }')
test "$seconds" -gt 0 || { echo "MINUTES=$minutes: a number above 0 is needed" >&2; exit 2; }
code=0
for target
do
	test -x "$folder/fuzz_$target" || { echo "there is no target $target" >&2; exit 2; }
	mkdir -p "$folder/found" "$folder/log" "$folder/corpus/$target" || exit 2
	log=$folder/log/$target
	if "$folder/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=2000 -timeout=20 \
		-print_final_stats=1 -artifact_prefix="$folder/found/$target-" \
		"$folder/corpus/$target" "$corpus/$target" >"$log" 2>&1
	then
		found='nothing found'
	else
		code=1
		found="FOUND, see $log"
	fi
	awk -v target="$target" -v found="$found" '
		/ cov: [0-9]+ ft: [0-9]+/ { for (i = 1; i < NF; i++) {
			if ($i == "cov:") edges = $(i + 1)
			if ($i == "ft:") features = $(i + 1)
		} }
		/^stat::number_of_executed_units:/ { runs = $2 }
		END { printf "%-18s %10d runs %6d edges %7d features  %s\n", target, runs, edges, features, found }
	' "$log"
	test "$found" = 'nothing found' || grep -E '^(.*not so: |.*Assertion |SUMMARY: |==[0-9]+== ERROR)' "$log" | head -n 5
done
exit $code
