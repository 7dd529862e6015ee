#!/bin/sh
test_description='spool list, flush, check and export'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML

landed () {
	find lake/data -name '*.ndjson.zst' 2>/dev/null | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}
find_body () {
	body=$(find "$HOME/.local" -path "*/runs/daily/000000.body") && test -n "$body" &&
	grep -q 000000 "${body%/*}/journal"
}
# A file where the folder of the objects should be: works as root too.
close_lake () {
	mkdir -p lake/data && mv lake/data kept && : >lake/data
}
open_lake () {
	rm lake/data && mv kept lake/data
}
fresh () {
	rm -rf lake kept out "$HOME/.local" &&
	river stream create web/clicks >/dev/null
}
# Two batches and a reject wait in the spool.
left_over () {
	fresh && close_lake &&
	printf "{\"n\":%d}\n" 1 2 3 >in && echo bad >>in &&
	test_expect_code 8 river push --batch-records 2 web/clicks <in 2>err &&
	state=$(echo "$HOME"/.local/state/river/*/web/clicks/*) &&
	run=$(echo "$state"/runs/*)
}
shows_alive () {
	river spool list >out && grep -q alive out
}
any_landed () {
	test -n "$(find lake/data -name "*.zst" 2>/dev/null)"
}
state_sum () {
	find "$HOME/.local" -type f -exec cksum {} + | sort
}
# flip FILE OFFSET: another byte there
flip () {
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ') &&
	printf "\\$(printf %o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

test_expect_success 'with no state all are content, and none is made' '
	fresh &&
	river spool list >out && printf "%s" "" >expected &&
	test_grep "^stream" out && test_line_count = 1 out &&
	river spool check >out && test_must_be_empty out &&
	river spool flush >out && test_must_be_empty out &&
	river spool export --to out.d >out && test_must_be_empty out &&
	test_path_is_missing out.d &&
	test_path_is_missing "$HOME/.local"
'

test_expect_success 'list: what waits, with counts, bytes and hash' '
	left_over &&
	river spool list >out &&
	test_line_count = 2 out &&
	test_grep "^web/clicks  *[0-9a-z]*  *left over  *20[^ ]*Z  *3  *28  *3 " out &&
	river spool list --output json >out &&
	test_line_count = 1 out &&
	test_grep "\"accepted\":3,\"accepted_bytes\":21,\"rejected\":1,\"batches\":2,\"landed_batches\":0,\"waiting_batches\":2,\"waiting\":3" out &&
	test_grep "\"accepted_to_byte\":28,\"hash\":\"[0-9a-f]\{16\}\"" out &&
	test_grep "\"state\":\"left over\"" out &&
	river spool list web/clicks >out && test_line_count = 2 out &&
	for verb in list flush check
	do
		test_expect_code 5 river spool $verb web/clickz 2>err &&
		test_grep "did you mean web/clicks" err || return 1
	done &&
	river stream create web/quiet && river spool list web/quiet >out && test_line_count = 1 out &&
	river -v spool list web/quiet 2>err >out && test_grep "nothing is waiting" err &&
	test_expect_code 2 river spool list a b 2>err &&
	test_expect_code 2 river spool list A 2>err
'

test_expect_success 'list and check change nothing, and need no right to' '
	left_over &&
	state_sum >before &&
	chmod -R a-w "$HOME/.local" &&
	test_when_finished "chmod -R u+w \"\$HOME/.local\"" &&
	river spool list >out && test_line_count = 2 out &&
	river spool check >out && test_must_be_empty out &&
	state_sum >after && test_cmp before after
'

test_expect_success 'flush: 8 and why while the lake is out of reach, 0 when all has landed' '
	left_over &&
	test_expect_code 8 river spool flush >out 2>err &&
	test_grep "1 run still waiting" out &&
	test_grep "lake/data" err && test_grep "^hint: nothing is lost" err &&
	open_lake &&
	river spool flush >out 2>err &&
	test_must_be_empty err &&
	test_grep "^web/clicks: 1 run finished, 3 records delivered" out &&
	landed >got && head -n 3 in >expected && test_cmp expected got &&
	river spool flush >out && test_must_be_empty out &&
	river spool list >out && test_line_count = 1 out &&
	river rejects list web/clicks >out && test_line_count = 2 out
'

test_expect_success 'flush in json' '
	left_over && open_lake &&
	river spool flush --output json >out &&
	test_grep "\"finished_runs\":1,\"landed_batches\":2,\"landed\":3,\"waiting_runs\":0" out
'

test_expect_success 'a run that is alive is shown, and left alone' '
	fresh &&
	mkfifo pipe &&
	{ river push --batch-records 1 --wait spooled web/clicks <pipe >pushed 2>&1 & } &&
	pid=$! &&
	exec 9>pipe &&
	printf "{\"n\":1}\n" >&9 &&
	test_wait_until 10 shows_alive &&
	river spool flush >flushed && test_must_be_empty flushed &&
	river spool check >out && test_must_be_empty out &&
	river spool export web/clicks --to out.d >out 2>err &&
	test_grep "still going on" err &&
	exec 9>&- && wait $pid &&
	rm pipe
'

test_expect_success 'export: plain files, rejects beside, nothing overwritten' '
	left_over &&
	river spool export web/clicks --to out.d >out &&
	test_when_finished "rm -rf out.d" &&
	test_line_count = 3 out &&
	zstd -qdc out.d/*.ndjson.zst >got && head -n 3 in >expected && test_cmp expected got &&
	test_grep "\"bytes\":\"YmFkCg==\"" out.d/*-000001.rejects.ndjson &&
	test_expect_code 6 river spool export web/clicks --to out.d 2>err &&
	test_grep "is there already" err &&
	river spool export --to all >out && test_when_finished "rm -rf all" &&
	find all/web/clicks -name "*.zst" >found && test_line_count = 2 found &&
	test_expect_code 5 river spool export --to none --run nosuch 2>err &&
	test_expect_code 2 river spool export 2>err &&
	test_grep -e "--to" err &&
	river spool list >out && test_line_count = 2 out
'

test_expect_success 'a stream that was deleted, and created again: kept, named, exported' '
	left_over && open_lake &&
	river stream delete web/clicks --yes --abandon-spool >out 2>&1 &&
	test_expect_code 8 river spool flush 2>err &&
	test_grep "was deleted, or whose definition has gone from the lake (id" err && test_grep "river spool export web/clicks" err &&
	river spool list >out && test_grep "stream deleted" out &&
	river stream create web/clicks >out &&
	test_expect_code 8 river spool flush 2>err &&
	test_grep "deleted and created again" err &&
	river spool list >out && test_grep "former stream" out &&
	for of in "" web/clicks
	do
		test_expect_code 1 river -c warehouse=none status --check $of >out 2>err &&
		test_grep "stream_unknown: 3 records wait in the spool for an earlier stream of this name" out || return 1
	done &&
	landed >got && test_must_be_empty got &&
	river spool export web/clicks --to out.d >out && test_when_finished "rm -rf out.d" &&
	zstd -qdc out.d/*.ndjson.zst >got && head -n 3 in >expected && test_cmp expected got &&
	rm -r "$(river -c warehouse=none status --check web/clicks 2>/dev/null | sed -n "s/.*; then remove //p")" &&
	river -c warehouse=none status --check && river spool flush
'

test_expect_success 'a stream with something that waits is deleted neither by delete nor by apply --prune' '
	left_over && open_lake && printf "stream: web/other\n" >other.yaml &&
	test_expect_code 6 river stream delete web/clicks --yes --data 2>err &&
	test_grep "3 accepted records of web/clicks are not in the lake yet" err &&
	for how in "--prune" "--prune -n" "--prune --out plan.json"
	do
		test_expect_code 6 river stream apply -f other.yaml $how >out 2>err &&
		test_grep "3 accepted records of web/clicks are not in the lake yet" err &&
		test_grep "^hint: .river spool flush. delivers them.*river stream delete web/clicks --abandon-spool" err &&
		test_grep "nothing was changed" err && test_must_be_empty out && test_path_is_missing plan.json || return 1
	done &&
	test_expect_code 1 river stream diff -f other.yaml --prune >out && test_grep "^web/clicks: not defined" out &&
	echo web/clicks >expected && river stream list >got && test_cmp expected got &&
	definition=lake/_river/streams/web/clicks.json && cp $definition kept.json && echo "{" >$definition &&
	test_expect_code 6 river stream delete web/clicks --yes 2>err && test_grep "3 accepted records of web/clicks" err &&
	mv kept.json $definition &&
	river spool flush && river stream apply -f other.yaml --prune >out &&
	echo web/other >expected && river stream list >got && test_cmp expected got && river stream delete web/other --yes >out
'

definition=lake/_river/streams/web/clicks.json
test_expect_success 'a definition that has gone: push and status say what is missing and that nothing is lost; put back, all lands' '
	left_over && open_lake && mv $definition kept.json &&
	for input in "" in
	do
		test_expect_code 5 river push web/clicks $input <in 2>err &&
		test_grep "does not exist in lake .* any more: _river/streams/web/clicks.json was deleted or has gone" err &&
		test_grep "3 accepted records of it wait on this host and are kept" err &&
		test_grep "^hint: .*put the object back.*river stream create web/clicks --adopt" err || return 1
	done &&
	test_expect_code 5 river status web/clicks 2>err && test_grep "3 accepted records of it wait on this host" err &&
	test_expect_code 1 river status --check >out 2>err &&
	test_grep "stream_unknown: 3 records wait in the spool and are kept, and _river/streams/web/clicks.json is not in the lake" out &&
	mv lake elsewhere && test_expect_code 5 river push web/clicks <in 2>err && mv elsewhere lake &&
	test_grep "in which nothing is river.s; 3 accepted records of it wait on this host and are kept" err &&
	test_grep "is it mounted" err &&
	mv kept.json $definition && test_expect_code 7 river push web/clicks <in 2>err && river spool list >out && test_line_count = 1 out &&
	landed | sort >got && { head -n 3 in && head -n 3 in; } | sort >expected && test_cmp expected got
'

test_expect_success 'made again with --adopt it is the same stream, and what waited lands in it' '
	left_over && open_lake && id=$(jq -r .id $definition) && rm $definition &&
	test_expect_code 8 river spool flush 2>err && test_grep "create web/clicks --adopt" err &&
	river stream create web/clicks --adopt >out && test "$(jq -r .id $definition)" = "$id" &&
	river spool flush >out && test_grep "3 records delivered" out &&
	landed >got && head -n 3 in >expected && test_cmp expected got && river -c warehouse=none status --check
'

# Looking costs no more than a hundredth of the time: on a slow machine some more records pass before it is seen.
test_expect_success 'a definition that goes while records are pushed: what came before is in the lake' '
	fresh && rm -f first && mkfifo first &&
	{ river push web/clicks --flush-after 50ms <first 2>err & pid=$!; } && exec 8>first && echo "{\"n\":1}" >&8 &&
	test_wait_until 20 any_landed && rm $definition &&
	(
		trap "" PIPE
		i=2
		while test $i -lt 600 && kill -0 $pid 2>/dev/null && echo "{\"n\":$i}" >&8 2>/dev/null
		do
			i=$((i + 1)) && sleep 0.1
		done
	) &&
	exec 8>&- && test_expect_code 5 wait $pid && test_grep "accepted up to byte" err &&
	test_grep "definition of stream web/clicks went while records were pushed to it: _river/streams/web/clicks.json" err &&
	landed >got && count=$(wc -l <got) && test $count -ge 1 && test $count -lt 598 &&
	seq -f "{\"n\":%g}" $count >expected && test_cmp expected got
'

test_expect_success '21, 49: a flipped bit in a spooled batch: found, set aside, the rest lands' '
	left_over &&
	flip "$run/000000.body" 20 &&
	state_sum >before &&
	test_expect_code 12 river spool check >out 2>err &&
	test_grep "damaged: .*000000.body: .* not what was promised" out &&
	test_line_count = 1 out &&
	test_expect_code 12 river spool check --output json >out 2>err &&
	test_grep "\"finding\":\"damaged\"" out &&
	state_sum >after && test_cmp before after &&
	test_expect_code 12 river spool export web/clicks --to out.d >out 2>err &&
	test_when_finished "rm -rf out.d" &&
	test_grep "000000.damaged.ndjson.zst" out && test_grep "000001.ndjson.zst" out &&
	open_lake &&
	test_expect_code 12 river spool flush >out 2>err &&
	test_grep "000000.body" err && test_grep "set aside in" err &&
	landed >got && echo "{\"n\":3}" >expected && test_cmp expected got &&
	test_path_is_file "$state"/damaged/*-000000.body &&
	river spool flush >out 2>err && test_must_be_empty err &&
	test_expect_code 12 river spool check >out 2>err && test_grep "set aside: " out &&
	river spool list >out && test_grep damaged out
'

test_expect_success '21: a flipped bit in spooled rejects is found' '
	left_over &&
	flip "$run/000001.rejects" 30 &&
	test_expect_code 12 river spool check >out 2>err &&
	test_grep "000001.rejects" out &&
	open_lake &&
	test_expect_code 12 river spool flush 2>err &&
	landed >got && head -n 2 in >expected && test_cmp expected got
'

test_expect_success '49: a spooled batch that is gone' '
	left_over &&
	rm "$run/000001.body" &&
	test_expect_code 12 river spool check >out 2>err &&
	test_grep "000001.body: the spooled batch is gone" out
'

test_expect_success '49: a damaged journal: line and byte, the run set aside whole' '
	left_over &&
	flip "$run/journal" 60 &&
	test_expect_code 12 river spool check >out 2>err &&
	test_grep "journal:1: .*line 1, from byte 0" out &&
	test_grep "journal:1" err &&
	river spool list >out && test_grep damaged out &&
	test_expect_code 12 river spool export web/clicks --to out.d >out 2>err &&
	test_when_finished "rm -rf out.d" &&
	zstd -qdc out.d/*.damaged.ndjson.zst >got && head -n 3 in >expected && test_cmp expected got &&
	open_lake &&
	test_expect_code 12 river spool flush 2>err &&
	test_path_is_file "$state"/damaged/*/journal &&
	echo "{\"n\":9}" | river push web/clicks &&
	landed >got && echo "{\"n\":9}" >expected && test_cmp expected got
'

test_expect_success 'what a damaged run accepted nobody can count: its stream is not deleted, and no number is made up' '
	left_over && open_lake && flip "$run/journal" 60 &&
	test_expect_code 6 river stream delete web/clicks --yes 2>err &&
	test_grep "^river: 1 run that cannot be read of web/clicks is not in the lake yet" err &&
	mv lake/_river/streams/web/clicks.json kept.json &&
	test_expect_code 5 river push web/clicks </dev/null 2>err &&
	test_grep "; 1 run that cannot be read of it waits on this host and is kept" err
'

test_expect_success 'a run of the same name is set aside once more, and the first one stays' '
	fresh && echo "{\"n\":1}" >a.ndjson && river push web/clicks a.ndjson &&
	state=$(echo "$HOME"/.local/state/river/*/web/clicks/*) &&
	for i in 1 2 3
	do
		mkdir "$state/runs/daily" && echo "not a journal $i" >"$state/runs/daily/journal" &&
		test_expect_code 12 river spool flush 2>err || return 1
	done &&
	test_grep "damaged/daily.3" err && test_path_is_missing "$state/runs/daily" &&
	test_grep "journal 1" "$state/damaged/daily/journal" &&
	test_grep "journal 2" "$state/damaged/daily.2/journal" &&
	test_grep "journal 3" "$state/damaged/daily.3/journal" &&
	echo "{\"n\":2}" | river push web/clicks --run daily
'

# Killed in the middle of its input, damaged, flushed; and the same once more.
test_expect_success 'nor is the batch of a named run written over: each damaged one is kept' '
	fresh && printf "{\"n\":%d}\n" 1 2 3 >in &&
	for i in 1 2
	do
		rm -f slow && mkfifo slow && close_lake &&
		{ river push --batch-records 2 --run daily web/clicks slow 2>err & } && pusher=$! &&
		exec 9>slow && cat in >&9 &&
		test_wait_until 20 find_body && kill -KILL $pusher && { wait $pusher || :; } && exec 9>&- &&
		flip "$body" $((10 + i)) && cp "$body" damaged.$i && open_lake &&
		test_expect_code 12 river spool flush 2>err && test_grep "set aside in" err || return 1
	done &&
	aside=$(echo "$HOME"/.local/state/river/*/web/clicks/*/damaged) &&
	cmp damaged.1 "$aside/daily-000000.body" && cmp damaged.2 "$aside/daily-000000.2.body" &&
	rm -rf out.d && river spool export web/clicks --to out.d --run daily >out 2>err &&
	test_grep "daily-000000.2.damaged" out && rm -rf out.d
'

test_expect_success 'the last line too: a promise is not taken for a torn one' '
	left_over &&
	flip "$run/journal" $(($(wc -c <"$run/journal") - 30)) &&
	test_expect_code 12 river spool check >out 2>err &&
	test_grep "journal" out
'

test_expect_success '49: leftovers are named and harmless' '
	fresh && echo "{\"n\":1}" >a.ndjson && river push web/clicks a.ndjson &&
	state=$(echo "$HOME"/.local/state/river/*/web/clicks/*) &&
	: >"$state/files/.tmp-abc" && mkdir "$state/runs/never" && mkdir "$state/heads/0123456789abcdef" &&
	: >"$state/heads/0123456789abcdef/x" &&
	river spool check >out && test_line_count = 3 out && test_grep ! damaged out &&
	flip "$(ls "$state"/files/* | head -n 1)" 40 &&
	test_expect_code 12 river spool check >out 2>err &&
	test_grep "damaged: .*/files/.*checkpoint .* is damaged" out
'

test_expect_success 'a file that changed under its promise is said not to be accepted' '
	fresh && close_lake &&
	# bytes that no other file here has: a copy beside would do as well
	printf "{\"u\":%d}\n" 1 2 >a.ndjson &&
	test_expect_code 10 river push web/clicks a.ndjson 2>err &&
	river spool list >out && test_grep "in the file" out &&
	river spool export web/clicks --to out.d >out 2>err &&
	test_grep "bytes 0 to 16 of .*a.ndjson" err &&
	printf "{\"m\":%d}\n" 1 2 >b && cat b >a.ndjson &&
	open_lake &&
	test_expect_code 10 river spool flush 2>err &&
	test_grep "bytes 0 to 16" err && test_grep "not accepted" err
'

test_done
