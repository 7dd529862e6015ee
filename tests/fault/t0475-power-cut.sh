#!/bin/sh
test_description='a power cut anywhere, on a disk that keeps no more than it was asked to: what was promised is there, once'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/power-lib.sh"
. "$RIVER_SOURCE/tests/fault/power-scenarios.sh"

# the notes are taken from within the process, and a sanitizer wants to be the first there
test_have_prereq !SANITIZER || walk_skip_all 'a build with sanitizers cannot be noted'
push_world
power_inputs

for scenario in $power_scenarios
do
	test_expect_success "3: power cut at every call: $scenario" "power_told $scenario 'power cut'"
done

test_expect_success '3: killed, done again, and then power cut: what the second run found is durable' '
	new_world &&
	walk_told push-file "KILL, power cut" \
		power_after_kills fresh "lake_holds in && again 0 push web/clicks in && all_there in" river push web/clicks in &&
	walk_told push-first "KILL, power cut" \
		power_after_kills "fresh && rm -rf w/state" "lake_holds in && again 0 push web/clicks in && all_there in" \
		river push web/clicks in &&
	walk_told stream-create "KILL, power cut" \
		power_after_kills fresh "river stream list | grep made && again 0 stream create web/made --key id" \
		river stream create web/made --key id
'

test_lazy_prereq DUCKDB 'river -c warehouse.type=duckdb -c warehouse.path=x.duckdb query "select 1"'
for scenario in $power_loads
do
	test_have_prereq DUCKDB || printf '%s\tskipped\n' "$(power_row_name $scenario)" >>"$walk_rows"
	test_expect_success DUCKDB "3: power cut at every call, with a warehouse: $scenario" "
		power_load_world && power_told $scenario 'power cut'
	"
done

test_done
