#!/bin/sh
test_description='the whole loop: pump, a collector that is killed and started again, the lake'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML
server=
collector_start () {
	: >serve.err
	# 4 and 5 are the script's own TAP and messages: who holds them open keeps prove waiting
	{ river serve --collect --listen "127.0.0.1:$1" web/events >serve.err 2>&1 4>&- 5>&- 6>&- & }
	server=$!
	test_wait_until 20 grep -q 'listening on' serve.err
	collector=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' serve.err)
}
collector_kill () {
	test -z "$server" || kill "-$1" "$server" 2>/dev/null
	test -z "$server" || wait "$server" 2>/dev/null
	server=
}
test_atexit 'collector_kill KILL'

has_events () {
	find "$HOME/.local/state/river" -name "*.intake" -size +0 2>/dev/null | grep -q .
}
landed () {
	find lake/data -name '*.ndjson.zst' | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}

test_expect_success 'every event that was sent is there once, whatever was killed' '
	river stream create web/events >/dev/null && river pump --sample ds --count 6000 &&
	collector_start 0 && port=$(echo "$collector" | sed "s/.*:\([0-9]*\).*/\1/") &&
	{ river --output json pump --to "$collector" --rate 2000/s ds >out 2>err & } && pumper=$! &&
	test_wait_until 30 has_events &&
	for round in 1 2 3 4
	do
		sleep 0.4 && collector_kill KILL && collector_start $port || return 1
	done &&
	wait $pumper && test_grep "\"taken\": *6000" out && test_grep "\"retries\": *[1-9]" out && collector_kill TERM &&
	river spool flush web/events && landed | sed "s/.*\"request\":{\"id\":\"\([^\"]*\)\".*/\1/" >ids &&
	sort -u ids >distinct && test_line_count = 6000 distinct && test_line_count = 6000 ids
'

collector_kill KILL
test_done
