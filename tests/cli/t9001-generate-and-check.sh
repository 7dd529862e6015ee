#!/bin/sh
test_description='generated events are what they claim, and the checker counts what went wrong with them'
. "$(dirname "$0")/../lib/test-lib.sh"

gen=$RIVER_BUILD/tests/bench/gen_events
checker=$RIVER_BUILD/tests/fault/checker
test -x "$gen" && test -x "$checker" || test_bug "the tools are not built: make check builds them"

test_expect_success 'the same seed gives the same events, another one others' '
	"$gen" 5000 >a && "$gen" 5000 >b && "$gen" 5000 --seed 2 >c &&
	test_line_count = 5000 a && test_cmp a b && ! cmp -s a c &&
	sort -u a c >both && test_line_count = 10000 both
'

test_expect_success '--start goes on where another run stopped' '
	"$gen" 3000 >first && "$gen" 2000 --start 3001 >second &&
	cat first second >joined && test_cmp a joined
'

test_expect_success '--bytes ends with the record that reaches it' '
	"$gen" --bytes 1000000 >sized &&
	size=$(wc -c <sized) &&
	test $size -ge 1000000 && test $size -lt 1001000 &&
	head -n $(wc -l <sized) a >want && test_cmp want sized
'

test_expect_success 'every event is JSON, numbered, with an id of its own, of about 450 bytes' '
	jq -r "[.n, .event_id] | @tsv" a >ids &&
	cut -f 1 ids >n && seq 5000 >want && test_cmp want n &&
	cut -f 2 ids | sort -u >unique && test_line_count = 5000 unique &&
	mean=$(($(wc -c <a) / 5000)) && test $mean -ge 430 && test $mean -le 470
'

test_expect_success 'events have what makes them awkward' '
	test_grep "null" a && test_grep "true" a && test_grep "\\\\u2013" a && test_grep "\\\\ud83c" a &&
	test_grep "price\":[0-9]*\.[0-9]0," a && test_grep "e-3" a && test_grep "K.*ln" a &&
	test_grep "\\\\\\\\" a
'

test_expect_success 'CSV has a header and the same ids' '
	"$gen" 5000 --csv >csv && test_line_count = 5001 csv &&
	sed 1d csv | cut -d , -f 1 >ids.csv && cut -f 2 ids >want && test_cmp want ids.csv &&
	test_grep "\"\"" csv
'

test_expect_success 'the order does not matter' '
	sort a >sorted &&
	"$checker" a --got sorted >out &&
	echo "expected 5000 got 5000 missing 0 doubled 0 altered 0 unexplained 0" >want &&
	test_cmp want out &&
	head -n 2500 a >one && tail -n +2501 a | "$checker" a --got one - >out && test_cmp want out &&
	printf %s "$(cat a)" | "$checker" a --quiet --got - >out && test_must_be_empty out
'

counts () {
	tail -n 1 out | cut -d " " -f 5-
}

test_expect_success 'missing, doubled, altered and unexplained are told apart' '
	sed -e 10d -e 20d a >bad && test_expect_code 1 "$checker" a --got bad >out &&
	test "$(counts)" = "missing 2 doubled 0 altered 0 unexplained 0" &&
	test_grep "^# missing: a line 10$" out &&
	sed -e 30p -e 40p -e 40p a >bad && test_expect_code 1 "$checker" a --got bad >out &&
	test "$(counts)" = "missing 0 doubled 3 altered 0 unexplained 0" &&
	sed -e "50s/\"n\":50/\"n\":51/" a >bad && test_expect_code 1 "$checker" a --got bad >out &&
	test "$(counts)" = "missing 0 doubled 0 altered 1 unexplained 0" &&
	test_grep "^# altered: bad line 50$" out &&
	{ cat a && head -n 1 c && echo junk; } >bad && test_expect_code 1 "$checker" a --got bad >out &&
	test "$(counts)" = "missing 0 doubled 0 altered 0 unexplained 2" &&
	sed -e 10d -e 30p -e "50s/,/ ,/" -e "60s/^/x/" a >bad &&
	test_expect_code 1 "$checker" a --got bad >out &&
	test "$(counts)" = "missing 2 doubled 1 altered 1 unexplained 1"
'

test_expect_success 'an altered copy beside the right one is no missing record' '
	{ cat a && sed -n "70s/,/, /p" a; } >bad && test_expect_code 1 "$checker" a --got bad >out &&
	test "$(counts)" = "missing 0 doubled 0 altered 1 unexplained 0"
'

test_expect_success 'lines that differ in their last byte, or in length only, are different' '
	printf "aaaaaaaab\naaaaaaaaa\n" >x && printf "aaaaaaaaa\naaaaaaaaa\n" >y &&
	test_expect_code 1 "$checker" x --got y >out &&
	test "$(counts)" = "missing 1 doubled 1 altered 0 unexplained 0" &&
	printf "a\n" >x && printf "a\0\n" >y && test_expect_code 1 "$checker" x --got y >out &&
	test "$(counts)" = "missing 1 doubled 0 altered 0 unexplained 1"
'

test_expect_success 'equal records handed in twice have to come out twice' '
	cat a a >twice && "$checker" a a --got twice >out &&
	test_expect_code 1 "$checker" twice --got a >out &&
	test "$(counts)" = "missing 5000 doubled 0 altered 0 unexplained 0"
'

test_expect_success 'what is allowed is counted and no failure; nothing at all is missing all' '
	sed -e 10d -e 30p a >bad && "$checker" a --allow missing,doubled --got bad >out &&
	test "$(counts)" = "missing 1 doubled 1 altered 0 unexplained 0" &&
	test_expect_code 1 "$checker" a --allow doubled --got bad >out &&
	test_expect_code 1 "$checker" a --got >out &&
	test "$(counts)" = "missing 5000 doubled 0 altered 0 unexplained 0"
'

test_expect_success 'what cannot be looked at is code 2' '
	test_expect_code 2 "$checker" a --got absent 2>err && test_grep absent err &&
	test_expect_code 2 "$checker" a 2>err &&
	test_expect_code 2 "$checker" --got a 2>err &&
	test_expect_code 2 "$checker" a --allow altered --got a 2>err &&
	test_expect_code 2 "$gen" 2>err && test_expect_code 2 "$gen" x 2>err &&
	test_expect_code 1 "$gen" 100000 2>err >/dev/full
'

test_done
