#!/bin/sh
test_description='a short soak: load, a fault every second, and nothing lost or doubled (make soak is the long one)'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"

minutes=0.15 rate=2000
test -z "$RIVER_DEEP" || minutes=5 rate=5000
# what no file may hold afterwards
AWS_SECRET_ACCESS_KEY=$test_canary
export AWS_SECRET_ACCESS_KEY

# soaked MODE SEED: with the columns of a row
soaked () {
	rm -f figures
	MINUTES=$minutes RATE=$rate SEED=$2 MODE=$1 LOAD_SECONDS=5 SPOOL_MIB=256 SLOT_SECONDS=1 CONNECTIONS=16 FOLDER=$PWD/soak \
		FIGURES=$PWD/figures KEEP=1 sh "$RIVER_SOURCE/tests/soak.sh" "$RIVER_BUILD" >soak.out 2>&1
	soak_code=$?
	cat soak.out
	test $soak_code -eq 0 || tail -n 20 soak/*.log soak/*.err
	tally_figures <figures && check_secrets && test $soak_code -eq 0 && rm -rf soak
}

test_expect_success '179, 180, 195, 196: serve --collect under all of it' 'walk_told collect soak soaked collect 7'
test_expect_success '1: and push from a pipe' 'walk_told push-run soak soaked pipe 3'

test_done
