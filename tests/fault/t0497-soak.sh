#!/bin/sh
test_description='a short soak: load, a fault every second, and nothing lost or doubled (make soak is the long one)'
. "$(dirname "$0")/../lib/test-lib.sh"

minutes=0.15 rate=2000
test -z "$RIVER_DEEP" || minutes=5 rate=5000

# soaked MODE SEED
soaked () {
	MINUTES=$minutes RATE=$rate SEED=$2 MODE=$1 LOAD_SECONDS=5 SPOOL_MIB=256 SLOT_SECONDS=1 CONNECTIONS=16 FOLDER=$PWD/soak \
		sh "$RIVER_SOURCE/tests/soak.sh" "$RIVER_BUILD" >soak.out 2>&1 || { cat soak.out; tail -n 20 soak/*.log soak/*.err; return 1; }
	cat soak.out
}

test_expect_success '179, 180, 195, 196: serve --collect under all of it' 'soaked collect 7'
test_expect_success '1: and push from a pipe' 'soaked pipe 3'

test_done
