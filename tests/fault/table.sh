#!/bin/sh
test_description='what the walks found, in one table: all zeros, and nothing left out'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"
. "$RIVER_SOURCE/tests/lib/walk-table.sh"
. "$RIVER_SOURCE/tests/lib/power-lib.sh"
. "$RIVER_SOURCE/tests/fault/power-scenarios.sh"

# Run after the scripts of this folder, which write the rows; `make check-faults` and `check-deep` do both.
rm -f "$walk_rows"
rows=$RIVER_BUILD/tests/walks
walks=$(cd "$RIVER_SOURCE/tests/fault" && ls t[0-9]*.sh | sed 's/\.sh$//')
files=$(for script in $walks; do echo "$rows/$script"; done)

test_expect_success 'every script has rows' '
	test -n "$walks" &&
	for script in $walks
	do
		test -s "$rows/$script" || { echo "$script: no rows"; return 1; }
	done
'

for file in "$RIVER_SOURCE"/tests/fault/scenarios/* "$RIVER_SOURCE"/tests/fault/warehouse/* "$RIVER_SOURCE"/tests/fault/clouds/*
do
	scenario=${file##*/}
	case $file in
	*/clouds/*) script=t0540-clouds ;;
	*/warehouse/*) script=t0535-warehouse ;;
	*) script=t0530-scenarios ;;
	esac
	test_expect_success "$scenario: every fault was walked, nothing lost, doubled, altered or mended by hand" '
		scenario_read "$file" && walk_missing "$scenario" "$rows/$script" $faults >wrong &&
		walk_wrong "$scenario" $files >>wrong && test_must_be_empty wrong
	'
done

for script in $walks
do
	case $script in
	t0530-scenarios|t0535-warehouse|t0540-clouds) continue ;;
	esac
	test_expect_success "$script: nothing lost, doubled, altered or mended by hand" '
		test -s "$rows/$script" &&
		walk_wrong "" "$rows/$script" >wrong && test_must_be_empty wrong
	'
done

test_expect_success "the power was cut in every scenario" '
	for scenario in $power_scenarios $power_loads
	do
		walk_missing "$(power_row_name $scenario)" "$rows/t0475-power-cut" "power cut" || return 1
	done >missing && test_must_be_empty missing
'

{
	echo
	walk_table $files
	if test -n "$test_deep"
	then
		echo "at most $test_deep_most points of each, of all calls"
	else
		echo "so many points, evenly spread from the first call to the last; RIVER_DEEP=1 is every call"
	fi
} >&5
test_done
