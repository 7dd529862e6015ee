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

test_done
