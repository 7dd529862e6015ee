#!/bin/sh
test_description='compare: tables of what commands cost'
. "$(dirname "$0")/../lib/test-lib.sh"

compare=$RIVER_BUILD/tests/bench/compare
nothing=$RIVER_BUILD/tests/bench/nothing
test -x "$compare" && test -x "$nothing" || test_bug "compare is not built: make check builds it"

test_expect_success 'each command runs in turn, one round more than asked for' '
	"$compare" -n 3 "one=echo 1 >>runs" "two=echo 2 >>runs" >out &&
	printf "%s\n" 1 2 1 2 1 2 1 2 >want && test_cmp want runs &&
	test_line_count = 4 out && test_grep "^| one | " out && test_grep "^| two | " out &&
	awk -F "|" "NF != 9 { exit 1 }" out
'

test_expect_success 'the first command is once as dear as itself, and --gb adds a column' '
	"$compare" -n 2 --json --gb 2 "a=true" "b=sleep 0.1" >out &&
	jq -s -e ".[0] | .cpu_x_first == 1 and .wall_x_first == 1 and .wall_more_s == 0" out &&
	jq -s -e ".[1].wall_s >= 0.1" out &&
	# of two rounds the median is the mean, so these agree whatever the machine was busy with
	jq -s -e "(.[1].wall_s - .[0].wall_s - .[1].wall_more_s) | fabs < 0.00001" out &&
	jq -s -e "all(.[]; .failures == 0 and .rounds == 2 and has(\"cpu_s_per_gb\"))" out
'

test_expect_success 'CPU time and memory of the whole tree count' '
	cat >burn.sh <<-\EOS &&
	sh -c "i=0; while test \$i -lt 200000; do i=\$((i + 1)); done"
	head -c 60000000 /dev/zero | tail -c 50000000 | wc -c
	EOS
	"$compare" -n 1 --json "burn=sh burn.sh" >out &&
	jq -e ".cpu_s > 0.02 and .rss_mib > 40" out
'

test_expect_success 'a command that fails is named, and is code 1' '
	test_expect_code 1 "$compare" -n 1 "good=true" "bad=exit 7" >out 2>err &&
	test_grep "bad ended with code 7" err && test_grep "bad (failed)" out &&
	test_grep ! "good (failed)" out &&
	test_expect_code 1 "$compare" -n 1 "dies=kill -9 \$\$" >out 2>err &&
	test_grep "code 137" err
'

test_expect_success '--startup runs programs without a shell' '
	"$compare" --startup -n 3 "nothing=$nothing" "touch=touch  a;b" >out &&
	test_path_is_file "a;b" && test_line_count = 4 out &&
	test_expect_code 2 "$compare" --startup -n 1 "gone=no/such/program" >out 2>err &&
	test_grep "no/such/program" err
'

test_expect_success 'a bar that is missed is code 3, and a verdict in the table and the file' '
	test_expect_code 2 "$compare" --bar "small=rss 1,2 <= 1" a=true b=true 2>err &&
	test_expect_code 3 "$compare" -n 2 --bars bars --bar "quick=wall_ms 1 < 60000" \
		--bar "longer=wall 2/1 <= 0.0001" --bar "least=rss 2/2,1 >= 2" \
		"a=true" "b=head -c 60000000 /dev/zero | tail -c 50000000" >out &&
	test_line_count = 3 bars && test_grep "^quick	.* ms	under 60000 ms	pass" bars &&
	test_grep "^longer	.* x	at most 0.0001 x	.*FAIL" bars && test_grep "^least	.*	pass" bars &&
	test_grep "^| a .* quick .*: pass |" out && test_grep "^| b .* longer .*FAIL" out &&
	test_expect_code 2 "$compare" --bar "x=wall 3 <= 1" a=true 2>err &&
	test_expect_code 2 "$compare" --bar "x=weight 1 <= 1" -n 1 a=true 2>err &&
	test_expect_code 2 "$compare" --bar "x=wall 1 == 1" a=true 2>err
'

test_expect_success '--before runs before each, and --gb holds for what follows' '
	"$compare" -n 1 --before "echo x >>before" --gb 4 "a=sleep 0.1" --gb 1 "b=sleep 0.1" \
		--json >out &&
	test_line_count = 4 before &&
	jq -s -e "(.[1].wall_x_first - 4 * .[1].wall_s / .[0].wall_s) | fabs < 0.001" out &&
	test_expect_code 2 "$compare" -n 1 --before "exit 3" a=true 2>err
'

test_expect_success 'what makes no sense is code 2' '
	test_expect_code 2 "$compare" 2>err &&
	test_expect_code 2 "$compare" nocommand 2>err &&
	test_expect_code 2 "$compare" -n 0 a=true 2>err &&
	test_expect_code 2 "$compare" --gb x a=true 2>err &&
	test_expect_code 2 "$compare" --what x a=true 2>err &&
	test_expect_code 2 "$compare" --warm absent a=true 2>err && test_grep absent err
'

test_done
