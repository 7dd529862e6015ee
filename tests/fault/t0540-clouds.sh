#!/bin/sh
test_description='talks with emulated clouds, killed, stopped and crashed anywhere: all arrives once, and no file holds a secret'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/dynamodb-lib.sh"
. "$RIVER_SOURCE/tests/lib/cloud-scenario-lib.sh"

clouds_start

# One alone: WALK_SCENARIOS=firehose WALK_FAULTS=KILL t0540-clouds.sh -v
scenario_walk_all clouds

test_expect_success 'the emulators complained about nothing' '
	dynamodb_stop && emul_stop
'

test_done
