#!/bin/sh
test_description='every fuzz target lives through its corpus'
. "$(dirname "$0")/../lib/test-lib.sh"

for source in "$RIVER_SOURCE"/tests/fuzz/fuzz_*.c
do
	target=$(basename "$source" .c)
	corpus=$RIVER_SOURCE/tests/fuzz/corpus/${target#fuzz_}

	test_expect_success "$target" '
		ls "$corpus" >inputs &&
		test_line_count -gt 0 inputs &&
		"$RIVER_BUILD/tests/fuzz/$target" "$corpus" >out &&
		test_line_count -gt $(wc -l <inputs) out
	'

	test_expect_success "$target survives no input, and junk" '
		: >empty &&
		printf "\000\377\376{[\"\\\\\r\n" >junk &&
		"$RIVER_BUILD/tests/fuzz/$target" empty junk
	'
done

# What make fuzz-run says, of targets that are scripts: it needs no clang.
fake_target () {
	cat >"fuzz/fuzz_$1" <<-EOF &&
	#!/bin/sh
	echo "#2	NEW    cov: 5 ft: 7 corp: 1/1b" >&2
	echo "#9	DONE   cov: 50 ft: 70 corp: 2/9b" >&2
	echo "stat::number_of_executed_units: 9" >&2
	$2
	EOF
	chmod +x "fuzz/fuzz_$1"
}

test_expect_success 'a run of targets says a line for each' '
	mkdir -p fuzz && fake_target one "exit 0" && fake_target two "exit 0" &&
	sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 0.1 1 one two >out &&
	test_line_count = 2 out && grep "^one  *0 s  *9 runs  *50 edges  *70 features  nothing found" out
'

test_expect_success 'a run goes on behind what finds something, and is red' '
	fake_target one "echo \"x.c:1: not so: 1 == 2\" >&2; exit 77" &&
	test_expect_code 1 sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 0.1 1 one two >out &&
	grep "^one .*FOUND, see fuzz/log/one" out && grep "not so: 1 == 2" out && grep "^two .*nothing found" out
'

test_expect_success 'a run goes by processor time, counts what was before, and does two at a time' '
	fake_target slow "trap \"exit 0\" USR1; while :; do :; done" && fake_target busy "trap \"exit 0\" USR1; while :; do :; done" &&
	sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 0.02 2 slow busy >out &&
	grep "^slow  *[1-9][0-9]* s  *9 runs.*nothing found" out && grep "^busy  *[1-9][0-9]* s  *9 runs.*nothing found" out &&
	sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 0.02 1 slow >out &&
	grep "^slow  *had its [1-9]" out &&
	fake_target slow "exit 77" &&
	test_expect_code 1 sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 99 2 slow two >out && grep "^slow .*FOUND" out
'

busy_for_2_s () {
	test -s busy.pid && sed "s/.*) //" "/proc/$(cat busy.pid)/stat" |
		awk -v ticks="$(getconf CLK_TCK)" "{ exit \$12 + \$13 < 2 * ticks }"
}
test_expect_success 'a run that is stopped counts for the next one' '
	fake_target busy "echo \$\$ >busy.pid; while :; do :; done" && rm -f fuzz/spent/busy &&
	{ sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 99 1 busy >out & } && run=$! &&
	test_when_finished "kill $run \$(cat busy.pid) 2>/dev/null || :" &&
	test_wait_until 60 busy_for_2_s && kill $run && test_expect_code 130 wait $run &&
	test "$(cat fuzz/spent/busy)" -ge 2
'

test_expect_success 'a run of what is not there, or for no time, is none' '
	test_expect_code 2 sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 0.1 1 three 2>err && grep "no target three" err &&
	test_expect_code 2 sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 0 1 one 2>err && grep MINUTES err &&
	test_expect_code 2 sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz soon 1 one 2>err &&
	test_expect_code 2 sh "$RIVER_SOURCE/tests/lib/fuzz-run.sh" fuzz 1 no one 2>err && grep JOBS err
'

test_done
