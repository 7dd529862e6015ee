#!/bin/sh
test_description='every exit code, from the table that river help exit-codes prints'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML

tried=
# The command must end with this code, and the code be in the help.
ends_with () {
	test_grep "^ *$1  " codes && tried="$tried $1" && test_expect_code "$@"
}

run_is_held () {
	find "$HOME/.local/state/river" -path "*runs/held/journal" -size +0 | grep -q .
}

test_expect_success 'what is documented' '
	river help exit-codes >codes && river stream create web/clicks &&
	echo "{\"n\":1}" >a.ndjson && echo "{\"n\":2}" >b.ndjson && echo junk >bad.ndjson &&
	printf "{\"n\":3}\njunk\n" >some.ndjson
'
test_expect_success '0: done' 'ends_with 0 river push web/clicks a.ndjson'
test_expect_success '1: differs' 'ends_with 1 river push --shipped web/clicks b.ndjson'
test_expect_success '2: usage' 'ends_with 2 river push --no-such-option'
test_expect_success '3: configuration' 'echo "lak: x" >wrong.yaml &&
	ends_with 3 env RIVER_CONFIG=wrong.yaml river stream list'
test_expect_success '5: not found' 'ends_with 5 river push web/clicks missing.ndjson'
test_expect_success '6: conflict' 'ends_with 6 river stream create web/clicks --key id'
test_expect_success '7: partial' 'ends_with 7 river push web/clicks some.ndjson'
test_expect_success '8: kept' 'mv lake/data data && echo in the way >lake/data &&
	ends_with 8 river push web/clicks <b.ndjson && rm lake/data && mv data lake/data'
test_expect_success '9: bad data' 'ends_with 9 river push --settle 0s web/clicks bad.ndjson'
test_expect_success '10: local input or output' 'ends_with 10 river stream list >/dev/full'
test_expect_success '11: locked' '
	mkfifo fifo && { river push --run held web/clicks fifo & } && holder=$! && exec 9>fifo &&
	echo "{\"n\":4}" >&9 && test_wait_until 20 run_is_held &&
	{ ends_with 11 river push --run held web/clicks <b.ndjson; code=$?; } &&
	exec 9>&- && wait $holder && test $code = 0
'
test_expect_success '12: damaged' '
	river push web/clicks b.ndjson &&
	for checkpoint in $(find "$HOME/.local/state/river" -path "*/files/*" ! -name "*.batches")
	do
		echo broken >"$checkpoint" || return 1
	done &&
	ends_with 12 river push web/clicks b.ndjson
'
test_expect_success '128 and the signal' '
	rm -f fifo && mkfifo fifo && { river push web/clicks fifo & } && pusher=$! && exec 9>fifo &&
	echo "{\"n\":5}" >&9 && test_wait_until_read 9 && kill -TERM $pusher && { wait $pusher; code=$?; } && exec 9>&- && test $code = 143
'
# 4 is for credentials, which a local lake does not have; 70 is a bug or memory that ran out.
test_expect_success !SANITIZER '70: memory that ran out is said and leaves nothing half done' '
	awk "BEGIN { printf \"{\\\"x\\\":\\\"\"; for (i = 0; i < 40000; i++) printf \"%01000d\", 0; print \"\\\"}\" }" >huge.ndjson &&
	tried="$tried 70" &&
	{ (ulimit -v 40000 && river push --max-record 128MiB --threads 1 web/clicks huge.ndjson) 2>err; code=$?; } &&
	test $code = 70 && test_grep "out of memory" err
'
test_expect_success 'no code of the table is left out' '
	sed -n "s/^ *\([0-9][0-9]*\)  .*/\1/p" codes | sort -n | uniq >known &&
	for code in $tried 4 70; do echo $code; done | sort -n | uniq >seen && test_cmp known seen
'

test_done
