#!/bin/sh
# Measures river against what it should not be slower than, in pairs within one run, and prints one
# markdown table a section. `make bench` calls it.
#
#	run.sh [SECTION...]     all sections, or these
#
#	BENCH_MB=1024           size of the generated input
#	BENCH_ROUNDS=5          counted rounds of each comparison
#
# A section is a function bench_NAME below, listed in sections; it says skip when what it measures
# is not there. Input is generated once and kept below the build folder.
set -u

here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
build=$(cd "${RIVER_BUILD:-$here/../../build}" && pwd -P) || exit 1
mb=${BENCH_MB:-1024}
rounds=${BENCH_ROUNDS:-5}
tools=$build/tests/bench
perf=$build/tests/perf
river=$build/river
work=$build/bench
input=$work/events-$mb.ndjson
compare=$tools/compare
LC_ALL=C TZ=UTC
export LC_ALL TZ

sections='startup validator'
failed=0 skipped=0

need_input () {
	test -s "$input" && test "$input" -nt "$tools/gen_events" && return 0
	echo "generating $mb MiB of events into $input" >&2
	"$tools/gen_events" --bytes $((mb * 1048576)) >"$input.new" && mv "$input.new" "$input"
}

# Gigabytes (1e9) of the input, for CPU seconds per GB.
gigabytes () {
	awk -v n="$(wc -c <"$input")" 'BEGIN { printf "%.6f", n / 1e9 }'
}

skip () {
	echo "skipped: $*"
	skipped=$((skipped + 1))
}

bench_startup () {
	"$compare" --startup -n 40 "nothing=$tools/nothing" "river --version=$river --version"
}

bench_validator () {
	test -x "$perf/scan_lines" || { skip "scan_lines is not built"; return 0; }
	need_input || return 1
	"$compare" -n "$rounds" --gb "$(gigabytes)" --warm "$input" \
		"validator='$perf/scan_lines' '$input'" "jansson='$tools/jansson_lines' '$input'"
}

machine () {
	model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	echo "${model:-$(uname -m)}, $(nproc) processors, Linux $(uname -r), $("$river" --version)"
}

mkdir -p "$work" || exit 1
echo "# Bench: $(machine)"
for section in ${*:-$sections}
do
	case " $sections " in
	*" $section "*) ;;
	*)
		echo "run.sh: no section $section (there are: $sections)" >&2
		exit 2
		;;
	esac
	printf '\n## %s\n\n' "$section"
	"bench_$section" || { failed=$((failed + 1)); echo "FAILED: $section"; }
done
printf '\n%s sections failed, %s skipped\n' "$failed" "$skipped"
test "$failed" -eq 0
