#!/bin/sh
test_description='loads and extracts under every fault: killed, stopped and failed at their calls, and then the same again'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"

# One alone, while working on it: WALK_SCENARIOS=load WALK_FAULTS="KILL EIO:once" t0535-warehouse.sh -v
scenario_walk_all warehouse

test_done
