#!/bin/sh
test_description='push of pipes: spooled before accepted, repeatable with --run, flushed by age'
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
fresh () {
	rm -rf lake "$HOME/.local" && river stream create web/clicks >/dev/null
}
numbers () {
	awk "BEGIN { for (i = $1; i <= $2; i++) printf \"{\\\"n\\\":%d}\\n\", i }"
}
has_batch () {
	find lake/data -name "$1" 2>/dev/null | grep -q .
}
# spool_all ARGUMENTS...: into the spool, and whatever its pace nothing of it lands yet
spool_all () {
	test_path_is_missing lake/data && echo in the way >lake/data || return 1
	river push --wait spooled web/clicks "$@"
	spool_code=$?
	rm lake/data && return $spool_code
}
spool_files () {
	find "$HOME/.local/state/river" -name '*.body'
}

test_expect_success 'a pipe lands, and the spool is empty behind it' '
	fresh && numbers 1 100 >in &&
	river push web/clicks <in >out 2>err &&
	test_must_be_empty out && test_must_be_empty err &&
	landed >got && test_cmp in got &&
	spool_files >left && test_must_be_empty left &&
	ls "$HOME"/.local/state/river/*/web/clicks/*/runs >runs && test_must_be_empty runs
'

test_expect_success 'a dash is standard input too, and cannot stand beside files' '
	fresh && numbers 1 3 >in &&
	river push web/clicks - <in && landed >got && test_cmp in got &&
	test_expect_code 2 river push web/clicks - in 2>err && test_grep "on its own" err
'

test_expect_success 'a FIFO is read like a pipe' '
	fresh && mkfifo fifo && numbers 1 10 >in &&
	{ cat in >fifo & } && river push web/clicks fifo && landed >got && test_cmp in got
'

test_expect_success '41: an unterminated last record is still one; half a record is a reject' '
	fresh && printf "{\"n\":1}\n{\"n\":2}" | river push web/clicks &&
	test_expect_code 7 river push web/clicks <<-\IN 2>err &&
	{"n":3}
	{"n":
	IN
	test_grep "standard input:2" err &&
	landed | sort >got && printf "{\"n\":%d}\n" 1 2 3 >expected && test_cmp expected got
'

test_expect_success '42: records that trickle are flushed by age' '
	fresh && mkfifo slow && { river push --flush-after 200ms web/clicks slow & } &&
	pusher=$! &&
	exec 9>slow && echo "{\"n\":1}" >&9 &&
	test_wait_until 20 has_batch "*-000000-r1-*" &&
	echo "{\"n\":2}" >&9 && exec 9>&- && wait $pusher &&
	landed | sort >got && printf "{\"n\":%d}\n" 1 2 >expected && test_cmp expected got
'

test_expect_success '42: also when a short first line begins as a compression does' '
	for line in B "(" "BZh" P
	do
		fresh && rm -f slow && mkfifo slow &&
		{ river push --format text --flush-after 200ms web/clicks slow & } && pusher=$! &&
		exec 9>slow && printf "%s\n" "$line" >&9 &&
		test_wait_until 20 has_batch "*-000000-r1-*" && exec 9>&- && wait $pusher || return 1
	done
'

test_expect_success 'SIGTERM: what was read lands, exit 143' '
	fresh && rm -f slow && mkfifo slow && { river push web/clicks slow 2>err & } &&
	pusher=$! &&
	exec 9>slow && numbers 1 5 >&9 && test_wait_until_read 9 &&
	kill -TERM $pusher &&
	{ wait $pusher; code=$?; } && exec 9>&- &&
	test $code = 143 && test_grep "accepted up to byte" err &&
	landed >got && numbers 1 5 >expected && test_cmp expected got
'

test_expect_success 'the lake is away: exit 8, kept, and the next push delivers' '
	fresh && numbers 1 10 >in && echo in the way >lake/data &&
	test_expect_code 8 river push web/clicks <in 2>err &&
	test_grep "do not send them again" err &&
	spool_files >kept && test_line_count = 1 kept &&
	rm lake/data &&
	numbers 11 12 | river push web/clicks &&
	landed | sort >got && numbers 1 12 | sort >expected && test_cmp expected got &&
	spool_files >left && test_must_be_empty left
'

test_expect_success '--wait spooled is 0 as soon as it is kept here' '
	fresh && numbers 1 10 >in && echo in the way >lake/data &&
	river push --wait spooled web/clicks <in &&
	rm lake/data && numbers 11 11 | river push web/clicks &&
	landed | sort >got && numbers 1 11 | sort >expected && test_cmp expected got
'

test_expect_success '--wait spooled of a file moves its checkpoint: pushed once all the same' '
	fresh && numbers 1 10 >a.ndjson && echo in the way >lake/data &&
	river push --wait spooled web/clicks a.ndjson &&
	river push --wait spooled web/clicks a.ndjson &&
	rm lake/data && river push web/clicks a.ndjson &&
	landed >got && test_cmp a.ndjson got &&
	river push --shipped web/clicks a.ndjson
'

test_expect_success '--run: the same input again lands once' '
	fresh && numbers 1 10 >in &&
	river push --run nightly --batch-records 4 web/clicks <in &&
	find lake/data -type f | sort >before &&
	river push --run nightly --batch-records 3 web/clicks <in &&
	find lake/data -type f | sort >after && test_cmp before after &&
	landed >got && test_cmp in got
'

test_expect_success '--run: the same input from another state folder lands once' '
	RIVER_STATE_DIR="$PWD/other" river push --run nightly web/clicks <in &&
	landed >got && test_cmp in got
'

test_expect_success '--run: other input under a used name is 6' '
	numbers 1 9 >other_input &&
	test_expect_code 6 river push --run nightly web/clicks <other_input 2>err &&
	test_grep "nightly" err && landed >got && test_cmp in got
'

test_expect_success '--run: a prefix of the input under its name is 6 too' '
	numbers 1 8 >prefix &&
	test_expect_code 6 river push --run nightly web/clicks <prefix 2>err &&
	landed >got && test_cmp in got
'

test_expect_success '--run: more input under its name is 6, lands nothing new, and leaves nothing in the way' '
	fresh && numbers 1 10 >in && numbers 1 20 >more && numbers 1 5 >less &&
	river push --run x --batch-records 5 web/clicks <in &&
	test_expect_code 6 river push --run x web/clicks <more 2>err &&
	test_expect_code 6 river push --run x web/clicks <less 2>err &&
	test_expect_code 6 river push --run x web/clicks </dev/null 2>err &&
	landed >got && test_cmp in got &&
	river push --run x web/clicks <in && landed >got && test_cmp in got &&
	find lake/_river/receipts -name "*-open.json" >open && test_must_be_empty open
'

four_accepted () {
	river --output json spool list 2>/dev/null | grep -q "\"waiting\":4"
}
test_expect_success '--run again while the lake is away is 8: it is kept already' '
	fresh && numbers 1 10 >in && echo in the way >lake/data &&
	test_expect_code 8 river push --run x web/clicks <in &&
	test_expect_code 8 river push --run x web/clicks <in 2>err && test_grep "do not send it again" err &&
	rm lake/data && river push --run x web/clicks <in && landed >got && test_cmp in got
'

test_expect_success '--run again after a kill while the lake is away is not 8: the rest of it was never accepted' '
	fresh && numbers 1 10 >in && echo in the way >lake/data && rm -f slow && mkfifo slow &&
	{ river push --run x --batch-records 2 web/clicks <slow 2>err & pusher=$!; } && exec 8>slow && head -n 5 in >&8 &&
	test_wait_until 20 four_accepted && kill -9 $pusher && exec 8>&- && { wait $pusher || :; } 2>/dev/null &&
	test_expect_code 1 river --output json push --run x --batch-records 2 --retry-for 0 web/clicks <in >out 2>err &&
	test_grep "run x was begun before, and what it accepted then, up to byte 3[0-9], is not in the lake yet" err &&
	test_grep "send the same input again under the same name" err && test_grep "\"kept\":false" out &&
	rm lake/data && river --output json push --run x --batch-records 2 web/clicks <in >out && test_grep "\"kept\":true" out &&
	landed >got && test_cmp in got
'

test_expect_success '--run: a changed compression does not make it another input' '
	fresh && numbers 1 10 >in && river push --run x web/clicks <in &&
	printf "stream: web/clicks\ncompression: gzip\n" >s.yaml && river stream apply -f s.yaml &&
	river push --run x web/clicks <in && landed >got && test_cmp in got &&
	find lake/data -name "*.gz" >gz && test_must_be_empty gz
'

test_expect_success 'batches without a journal are set aside, not thrown away' '
	fresh && numbers 1 3 >in && echo in the way >lake/data &&
	river push --wait spooled web/clicks <in && rm lake/data &&
	: >"$(find "$HOME/.local/state/river" -name journal)" &&
	test_expect_code 12 river push web/clicks in 2>err && test_grep "set aside" err &&
	spool_files >kept && test_line_count = 1 kept
'

# Each looks into the lake, finds nothing of the other, and would put an object of the same run and number.
test_expect_success 'two inputs at once under one --run, from two hosts: the second is refused before it lands' '
	fresh && rm -rf other && numbers 1 10 >in && numbers 11 20 >more &&
	spool_all --run x --batch-records 5 <in &&
	test_expect_code 6 env RIVER_STATE_DIR="$PWD/other" "$RIVER_BUILD/river" push --run x web/clicks \
		<more 2>err &&
	test_grep "run x has sent other data as its batch 0: " err &&
	RIVER_STATE_DIR="$PWD/other" river spool flush >out &&
	RIVER_STATE_DIR="$PWD/other" river spool list --output json >left && test_must_be_empty left &&
	river spool flush >out && landed >got && test_cmp in got &&
	test_expect_code 6 env RIVER_STATE_DIR="$PWD/other" "$RIVER_BUILD/river" push --run x web/clicks \
		<more 2>err &&
	river push --run x web/clicks <in && landed >got && test_cmp in got &&
	river status --check web/clicks >out
'

test_expect_success 'two inputs at once under one --run: the one that goes on behind the end of the other' '
	fresh && rm -rf other && numbers 1 10 >in && numbers 1 5 >less &&
	spool_all --run x --batch-records 5 <in &&
	test_expect_code 6 env RIVER_STATE_DIR="$PWD/other" "$RIVER_BUILD/river" push --run x web/clicks \
		<less 2>err &&
	test_grep "run x goes on with batch 1 in another input" err &&
	river spool flush >out && landed >got && test_cmp in got && river status --check web/clicks >out
'

# The first has looked for a closed receipt before there was one.
test_expect_success 'two inputs at once under one --run: what is behind the end of the other does not land' '
	fresh && rm -rf other && numbers 1 5 >less && mkfifo two-hosts &&
	{ RIVER_STATE_DIR="$PWD/other" "$RIVER_BUILD/river" push --run x --batch-records 5 web/clicks \
		<two-hosts 2>err & } && pid=$! &&
	exec 8>two-hosts && numbers 1 5 >&8 && test_wait_until 30 has_batch "x-000000-*" &&
	river push --run x web/clicks <less &&
	numbers 6 10 >&8 && exec 8>&- && test_expect_code 6 wait $pid &&
	test_grep "run x was sent before, and ended with fewer records" err &&
	landed >got && test_cmp less got && river status --check web/clicks >out
'

test_expect_success '--run with files: no checkpoint, lands once' '
	fresh && numbers 1 5 >a.ndjson &&
	river push --run one web/clicks a.ndjson && river push --run one web/clicks a.ndjson &&
	landed >got && test_cmp a.ndjson got &&
	test_expect_code 2 river push --run "Bad Name" web/clicks a.ndjson 2>err &&
	test_expect_code 2 river push --run one --again web/clicks a.ndjson
'

test_expect_success '--run with a file that ends early: nothing of another input takes its name, and the whole lands once' '
	fresh && numbers 1 2000 >a.ndjson && numbers 2001 2005 >b.ndjson && cat a.ndjson b.ndjson >both &&
	gzip -k a.ndjson && cp a.ndjson.gz whole.gz && head -c 3000 whole.gz >a.ndjson.gz &&
	test_expect_code 10 river push --run one --batch-records 100 web/clicks a.ndjson.gz b.ndjson 2>err &&
	test_grep "a.ndjson.gz: the gzip stream ends early" err && landed >got &&
	test_line_count -gt 0 got && test_line_count -lt 2000 got &&
	cp whole.gz a.ndjson.gz && river push --run one web/clicks a.ndjson.gz b.ndjson && landed >got && test_cmp both got &&
	head -c 3000 whole.gz >a.ndjson.gz && test_expect_code 9 river push --run two web/clicks a.ndjson.gz 2>err &&
	cp whole.gz a.ndjson.gz && river push --run two web/clicks a.ndjson.gz && landed >got && test_line_count = 4005 got
'

test_expect_success '47: a full spool stops the reading, with the byte it came to' '
	fresh && numbers 1 200 >in && echo in the way >lake/data &&
	test_expect_code 10 river push -c spool.max=100 --batch-records 50 web/clicks <in 2>err &&
	test_grep "the spool is full" err && test_grep "accepted up to byte" err &&
	byte=$(sed -n "s/.*accepted up to byte \([0-9]*\).*/\1/p" err) &&
	rm lake/data &&
	tail -c +$((byte + 1)) in | river push web/clicks &&
	landed | sort >got && sort in >expected && test_cmp expected got
'

test_expect_success '47: rejects fill the spool as records do' '
	fresh && numbers 1 200 >good && awk "{ print; print \"bad\" NR }" good >in && echo in the way >lake/data &&
	test_expect_code 10 river push -c spool.max=10KiB --batch-records 20 web/clicks <in 2>err &&
	test_grep "the spool is full" err &&
	byte=$(sed -n "s/.*accepted up to byte \([0-9]*\).*/\1/p" err) && rm lake/data &&
	tail -c +$((byte + 1)) in >rest && test_expect_code 7 river push web/clicks <rest &&
	landed | sort >got && sort good >expected && test_cmp expected got &&
	river rejects show web/clicks >out && grep "(not_object)" out >rejects && test_line_count = 200 rejects
'

test_expect_success 'a stream whose records still wait in the spool is not deleted' '
	fresh && numbers 1 5 >in && echo in the way >lake/data &&
	river push --wait spooled web/clicks <in && rm lake/data &&
	test_expect_code 6 river stream delete --yes web/clicks 2>err && test_grep "5 accepted records" err &&
	river spool flush && river stream delete --yes web/clicks
'

test_expect_success 'a lake reached through a link is the same lake' '
	fresh && numbers 1 5 >a.ndjson && river push web/clicks a.ndjson && ln -s "$PWD/lake" link &&
	river push -c lake="$PWD/link" --output json web/clicks a.ndjson >summary &&
	test_grep "\"accepted\":0" summary && rm link &&
	test_expect_code 3 env RIVER_STATE_DIR=here river push web/clicks a.ndjson 2>err &&
	test_grep "absolute" err
'

test_expect_success 'the JSON summary and --receipt say the same' '
	fresh && numbers 1 3 | river push --output json --receipt r.json web/clicks >out &&
	test_grep "\"accepted\":3" out && test_grep "\"accepted\":3" r.json &&
	test_grep "\"accepted_to_byte\":24" r.json
'

test_expect_success 'a receipt that cannot be written is said, whatever else there is to say' '
	fresh && numbers 1 3 >in && test_expect_code 8 river push --receipt none/r.json web/clicks <in 2>err &&
	test_grep "the receipt was not written" err && echo bad >>in &&
	test_expect_code 7 river push --receipt none/r.json web/clicks <in 2>err &&
	test_grep "the receipt was not written" err
'

test_expect_success 'an empty pipe is nothing to push' '
	fresh && river push web/clicks </dev/null && test_path_is_missing lake/data
'

test_expect_success 'an array that is cut short is said, also between two elements' '
	fresh && printf "[{\"a\":1},\n{\"a\":2}" >in &&
	test_expect_code 7 river push web/clicks <in 2>err &&
	test_grep "the array is not closed" err &&
	printf "{\"a\":1}\n{\"a\":2}\n" >expected && landed >got && test_cmp expected got &&
	echo "]" >>in && fresh && river push web/clicks <in && landed >got && test_cmp expected got
'

test_done
