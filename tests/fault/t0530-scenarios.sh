#!/bin/sh
test_description='every scenario under every fault: killed, stopped and failed at its calls, and then the same again'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"

# One alone, while working on it: WALK_SCENARIOS="push-file serve" WALK_FAULTS="KILL EIO:once" t0530-scenarios.sh -v
scenario_walk_all scenarios

test_done
