#!/bin/sh
test_description='push --follow: what is appended, rotated, cut, removed; folders; signals; what is said'
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
	rm -rf lake "$HOME/.local" in in.* ./*.log ./*.log.* logs ev err && mkdir logs &&
	river stream create web/clicks >/dev/null
}
numbers () {
	awk "BEGIN { for (i = $1; i <= $2; i++) printf \"{\\\"n\\\":%d}\\n\", i }"
}
# All records once, each file's in order; numbers go up file by file in these tests.
has_numbers () {
	numbers "$1" "$2" >expected && landed | sort -t : -k 2n >got && test_cmp expected got
}
# What is there now, and no more.
once () {
	timeout 60 river push -F web/clicks --settle 1s --until-quiet 0s "$@"
}
# follow FILES...: in the background, in $follower; ends with stop
follow () {
	# what an earlier one said must not be read for this one's
	: >ev
	: >err
	river push -F --output json web/clicks --settle 1s --flush-after 100ms "$@" >ev 2>err &
	follower=$!
	test_when_finished "kill -KILL $follower 2>/dev/null; wait $follower 2>/dev/null; :"
}
stop () {
	kill -TERM $follower && wait $follower
}
# until CONDITION: nothing is timed, but a test that waits for ever has failed
until_true () {
	for i in $(seq 1 300)
	do
		eval "$1" && return 0
		sleep 0.1
	done
	echo "never: $1"
	cat ev err
	return 1
}
records_landed () {
	test "$(landed | wc -l)" -ge "$1"
}

test_expect_success 'what is there is pushed, and what is appended' '
	fresh && numbers 1 3 >a.log && follow a.log &&
	until_true "records_landed 3" && numbers 4 5 >>a.log &&
	until_true "records_landed 5" && stop && has_numbers 1 5 &&
	test_grep "\"event\":\"following\".*a.log" ev && test_grep "\"event\":\"delivered\"" ev &&
	test_grep "\"accepted\":5" ev && river push web/clicks --shipped a.log
'

test_expect_success 'it goes on where an earlier push ended, and a later one where it ended' '
	fresh && numbers 1 3 >a.log && river push web/clicks a.log &&
	numbers 4 6 >>a.log && once a.log && numbers 7 9 >>a.log && once a.log &&
	river push web/clicks a.log && has_numbers 1 9
'

test_expect_success 'a stop reads what is there first' '
	fresh && numbers 1 3 >a.log && follow a.log && until_true "records_landed 3" &&
	numbers 4 1000 >>a.log && stop && has_numbers 1 1000
'

test_expect_success '11: TERM ends it with 0, HUP does not end it' '
	fresh && numbers 1 3 >a.log && follow a.log && until_true "records_landed 3" &&
	kill -HUP $follower && numbers 4 5 >>a.log && until_true "records_landed 5" && stop &&
	follow a.log && until_true "test_grep following ev || test_grep nothing err" &&
	numbers 6 7 >>a.log && until_true "records_landed 7" &&
	kill -TERM $follower && wait $follower && has_numbers 1 7
'

test_expect_success 'renamed by rotation, the old one is read to its end, the new one from its start' '
	fresh && numbers 1 3 >a.log && follow a.log && until_true "records_landed 3" &&
	numbers 4 5 >>a.log && mv a.log a.log.1 && numbers 6 7 >>a.log.1 && numbers 8 9 >a.log &&
	until_true "records_landed 9" && numbers 10 11 >>a.log.1 && until_true "records_landed 11" &&
	stop && has_numbers 1 11 && test_grep "\"event\":\"rotated\"" ev
'

test_expect_success 'copied and cut, the rest of the copy is read, and nothing twice' '
	fresh && numbers 1 3 >a.log && follow a.log && until_true "records_landed 3" &&
	numbers 4 5 >>a.log && cp a.log a.log.1 && : >a.log && numbers 6 7 >>a.log &&
	until_true "records_landed 7" && stop && has_numbers 1 7 &&
	test_grep "\"event\":\"truncated\"" ev && once a.log && has_numbers 1 7
'

test_expect_success 'removed while it is open, it is read to its end' '
	fresh && numbers 1 3 >a.log && exec 8>>a.log && follow a.log && until_true "records_landed 3" &&
	numbers 4 5 >&8 && rm a.log && numbers 6 7 >&8 && exec 8>&- && numbers 8 9 >a.log &&
	until_true "records_landed 9" && stop && has_numbers 1 9
'

test_expect_success 'rotated twice while nobody followed: also what came in between' '
	fresh && numbers 100 101 >a.log.5 && touch -d "2 days ago" a.log.5 &&
	numbers 1 3 >a.log && once a.log && numbers 4 5 >>a.log &&
	mv a.log a.log.2 && numbers 6 7 >a.log.1 && numbers 8 9 >a.log &&
	once a.log && has_numbers 1 9
'

test_expect_success 'copied, cut and compressed while nobody followed' '
	fresh && numbers 1 3 >a.log && once a.log && numbers 4 5 >>a.log && gzip -c a.log >a.log.1.gz &&
	touch -d "1 hour ago" a.log.1.gz && numbers 6 8 >b && cat b >a.log &&
	once a.log && has_numbers 1 8
'

test_expect_success 'many generations at once, each record once' '
	fresh && numbers 1 10 >a.log && follow a.log && until_true "records_landed 10" &&
	for i in 1 2 3 4 5 6 7 8
	do
		rm -f a.log.8 &&
		for j in 7 6 5 4 3 2 1; do test ! -e a.log.$j || mv a.log.$j a.log.$((j + 1)); done &&
		mv a.log a.log.1 && numbers $((i * 10 + 1)) $((i * 10 + 10)) >a.log && sleep 0.2 || return 1
	done &&
	until_true "records_landed 90" && stop && has_numbers 1 90
'

test_expect_success 'a folder: files that are there, appear, are renamed; what is in folders below' '
	fresh && numbers 1 3 >logs/a.log && mkdir logs/x && numbers 4 5 >logs/x/b.log && numbers 500 501 >logs/.hidden &&
	follow logs && until_true "records_landed 5" &&
	numbers 6 7 >logs/c.log && mkdir logs/y && numbers 8 9 >logs/y/d.log && until_true "records_landed 9" &&
	mv logs/a.log logs/a.log.1 && numbers 10 11 >>logs/a.log.1 && numbers 12 13 >logs/a.log &&
	until_true "records_landed 13" && stop && has_numbers 1 13 &&
	once logs && has_numbers 1 13
'

test_expect_success 'a folder: the copy of copytruncate is no file of its own' '
	fresh && numbers 1 3 >logs/a.log && follow logs --settle 60s && until_true "records_landed 3" &&
	numbers 4 5 >>logs/a.log && cp logs/a.log logs/a.log.1 && : >logs/a.log &&
	numbers 6 7 >>logs/a.log && until_true "records_landed 7" && stop && once logs && has_numbers 1 7
'

test_expect_success 'a folder: a FIFO in the place of what was pushed keeps nobody waiting' '
	fresh && numbers 1 300 >logs/a.log && once logs &&
	: "a name like a.log would be an earlier one to the tests behind this" &&
	test_when_finished "rm moved" &&
	numbers 1 300 >in && mv logs/a.log moved && mkfifo logs/a.log && cp in logs/b.log &&
	once logs && landed >got && { numbers 1 300 | cat - in; } >expected && test_cmp expected got
'

test_expect_success 'a folder: compressed in place of the original, it is not sent again' '
	fresh && numbers 1 3 >logs/a.log && follow logs && until_true "records_landed 3" &&
	gzip logs/a.log && numbers 4 5 >logs/b.log && until_true "records_landed 5" && stop &&
	once logs && has_numbers 1 5
'

test_expect_success 'a folder of hundreds of files, with few descriptors' '
	fresh && awk "BEGIN { for (i = 1; i <= 300; i++) { f = sprintf(\"logs/%04d\", i); printf \"{\\\"n\\\":%d}\\n\", i >f; close(f) } }" &&
	(ulimit -n 60 && once logs) && has_numbers 1 300 &&
	numbers 301 301 >>logs/0007 && (ulimit -n 60 && once logs --output json >ev) &&
	test_grep "\"accepted\":1[,}]" ev && has_numbers 1 301
'

test_expect_success '44: what cannot be read is named and tried again, the others go on' '
	fresh && printf "PK\003\004zip" >logs/a.zip && numbers 1 3 >logs/b.log &&
	follow logs && until_true "records_landed 3" && until_true "grep -q \"zip archive\" err" &&
	numbers 4 5 >>logs/b.log && until_true "records_landed 5" &&
	kill -TERM $follower && { wait $follower; test $? -eq 10; } && has_numbers 1 5
'

test_expect_success 'a file that is not there yet is waited for' '
	fresh && follow a.log && until_true "grep -q \"not there yet\" err" && numbers 1 2 >a.log &&
	until_true "records_landed 2" && stop && has_numbers 1 2 &&
	test_expect_code 5 river push -F web/clicks nowhere/a.log 2>err && test_grep "no folder" err
'

test_expect_success '41: an unterminated end waits until it has one, or has settled' '
	fresh && printf "{\"n\":1}\n{\"n\":" >a.log && follow a.log --settle 1h && until_true "records_landed 1" &&
	printf "2}\n" >>a.log && until_true "records_landed 2" && stop && has_numbers 1 2 &&
	printf "{\"n\":3" >>a.log && once a.log --settle 1h && has_numbers 1 2 &&
	follow a.log && until_true "grep -q \"1 record was rejected\" err" &&
	kill -TERM $follower && { wait $follower; test $? -eq 7; }
'

test_lazy_prereq PRLIMIT "command -v prlimit"
test_expect_success PRLIMIT '8: no descriptor is left for a while: said, tried again, nothing is lost or doubled' '
	fresh && numbers 1 3 >a.log && follow a.log logs && until_true "records_landed 3" &&
	limit=$(sed -n "s/^Max open files *\([0-9]*\) .*/\1/p" /proc/$follower/limits) &&
	prlimit --pid $follower --nofile=5: && numbers 4 6 >>a.log && numbers 7 9 >logs/b.log &&
	until_true "grep -q \"Too many open files\" ev err" && numbers 10 12 >>logs/b.log &&
	prlimit --pid $follower --nofile=$limit: && until_true "records_landed 12" && stop && has_numbers 1 12
'

# jumps SECONDS: the wall clock of a follower that runs with it
jumps () {
	echo "$1" >jump
}
# A file takes no time of its own from the clock that jumps: what it is, the kernel says.
test_expect_success !SANITIZER 'the wall clock jumps: nothing is lost or doubled, and a copy in the making is waited for' '
	fresh && jumps 0 && numbers 1 3 >a.log &&
	WRONG_CLOCK_FILE=$PWD/jump LD_PRELOAD=$RIVER_BUILD/tests/lib/preload/wrong_clock.so && export WRONG_CLOCK_FILE LD_PRELOAD &&
	test_when_finished "unset WRONG_CLOCK_FILE LD_PRELOAD" &&
	{ follow --settle 8s a.log logs; unset LD_PRELOAD; } && until_true "records_landed 3" &&
	jumps 7200 && numbers 4 6 >>a.log && until_true "records_landed 6" &&
	jumps -7200 && numbers 7 9 >>a.log && until_true "records_landed 9" &&
	jumps 86400 && numbers 10 12 >>a.log && head -n 4 a.log >logs/a.copy && sleep 0.5 && cp a.log logs/a.copy && : >a.log &&
	numbers 13 15 >>a.log && until_true "records_landed 15" && stop && has_numbers 1 15 &&
	test $(find lake/data -name "hr=*" | wc -l) -gt 2
'

test_expect_success 'csv and text go on with their header and lines' '
	fresh && printf "n,b\n1,x\n" >a.log.csv && follow a.log.csv && until_true "records_landed 1" &&
	printf "2,y\n" >>a.log.csv && until_true "records_landed 2" && stop &&
	landed | sort >got && printf "{\"n\":\"%s\",\"b\":\"%s\"}\n" 1 x 2 y >expected && test_cmp expected got
'

test_expect_success 'csv, tabs and text are known when they are copied and cut, also compressed' '
	fresh && test_when_finished "rm -f a.csv* a.tsv*" &&
	printf "n,b\n1,x\n" >a.csv && printf "n\tb\n2\tx\n" >a.tsv && echo one >a.log &&
	once a.csv a.tsv a.log &&
	printf "3,y\n" >>a.csv && cp a.csv a.csv-20261129 && printf "n,b\n4,z\n" >b && cat b >a.csv &&
	printf "5\ty\n" >>a.tsv && cp a.tsv a.tsv.1 && printf "n\tb\n6\tz\n" >b && cat b >a.tsv &&
	echo two >>a.log && gzip -c a.log >a.log.1.gz && echo three >b && cat b >a.log &&
	once a.csv a.tsv a.log && landed | sort >got &&
	{
		printf "{\"n\":\"%s\",\"b\":\"%s\"}\n" 1 x 2 x 3 y 4 z 5 y 6 z &&
		printf "{\"text\":\"%s\"}\n" one three two
	} >expected && test_cmp expected got
'

test_expect_success '53: a second follower of a file waits, or ends with 11' '
	fresh && numbers 1 3 >a.log && follow a.log && until_true "records_landed 3" && first=$follower &&
	test_expect_code 11 timeout 20 river push -F --lock=fail web/clicks a.log 2>err2 && test_grep "another process" err2 &&
	numbers 4 5 >>a.log &&
	test_expect_code 11 timeout 20 river push -F --lock=skip --until-quiet 0s web/clicks a.log &&
	until_true "records_landed 5" && stop && has_numbers 1 5
'

test_expect_success 'what does not go together is refused' '
	fresh && numbers 1 3 >a.log &&
	test_expect_code 2 river push -F web/clicks - 2>err && test_grep "not pipes" err &&
	test_expect_code 2 river push -F web/clicks 2>err && test_grep "needs files" err &&
	test_expect_code 2 river push -F --run r web/clicks a.log 2>err &&
	test_expect_code 2 river push -F --again web/clicks a.log 2>err &&
	test_expect_code 2 river push -F --wait loaded web/clicks a.log 2>err &&
	test_expect_code 2 river push --until-quiet 1s web/clicks a.log 2>err &&
	mkfifo fifo && test_expect_code 2 river push -F web/clicks fifo 2>err && test_grep "neither a file nor a folder" err
'

test_expect_success 'two names of one file, or the folder beside the file, are one' '
	fresh && numbers 1 3 >logs/a.log && ln -s logs/a.log a.log && ln logs/a.log logs/b.log &&
	once a.log logs/a.log logs && has_numbers 1 3
'

test_expect_success 'kept in the spool first: --wait spooled' '
	fresh && numbers 1 3 >a.log && once a.log --wait spooled && river spool flush && has_numbers 1 3 &&
	numbers 4 5 >>a.log && once a.log && has_numbers 1 5
'

test_expect_success 'receipts are closed behind it, and agree with what is there' '
	find lake/_river/receipts -name "*-open.json" >open && test_must_be_empty open &&
	find lake/_river/receipts -name "*-a*" | sed "s/.*-a\([0-9]*\)-x.*/\1/" | awk "{ n += \$1 } END { print n }" >said &&
	echo 5 >expected && test_cmp expected said
'

test_done
