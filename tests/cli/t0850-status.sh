#!/bin/sh
test_description='status: counts per hop, and finding what was lost, added or changed'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML
test_lazy_prereq DUCKDB 'river query --no-load "select 1"'

numbers () {
	awk "BEGIN { for (i = $1; i <= $2; i++) printf \"{\\\"n\\\":%d}\\n\", i }"
}
# fresh [option...]: a lake with one stream of 1,000 records in four objects of one run, which no hour ends
fresh () {
	for try in 1 2
	do
		chmod -R u+w lake 2>/dev/null
		rm -rf lake w.duckdb* "$HOME/.local" &&
		river stream create web/clicks "$@" >/dev/null &&
		numbers 1 1000 | river push web/clicks --batch-records 300 || return 1
		test "$(find lake/data -name "hr=*" | wc -l)" -ne 1 || return 0
	done
	return 1
}
# the N-th object by name
object () {
	find lake/data/web/clicks -type f | sort | sed -n "$1p"
}
# hop NAME: its counts, from the file out
hop () {
	sed -n "s/^$1  *//p" out | tr -s " " | sed "s/ *$//"
}
without_engine () {
	env RIVER_DUCKDB=/nowhere/libduckdb.so river "$@"
}
# finds CODE WHAT: --check says so and exits 1
finds () {
	test_expect_code 1 river status --check --no-load >found 2>err &&
	test_grep "^web/clicks: [a-z]*: $1: .*$2" found &&
	test_grep "finding" err &&
	river status web/clicks --no-load >out &&
	test_grep "^  [a-z]*: $1: " out &&
	test_grep ! "records are loaded once" out
}

test_expect_success 'no streams' '
	river status --no-load >out 2>err && test_grep "is not there yet" err &&
	test_expect_code 5 river status --check --no-load >out 2>err && test_must_be_empty out &&
	test_expect_code 5 river status web/clicks 2>err && test_grep "is not there" err
'

test_expect_success 'wrong options' '
	test_expect_code 2 river status --since yesterday 2>err && test_grep "7d" err
'

test_expect_success 'without an engine, what landed is shown, and why the rest is not' '
	fresh && without_engine status web/clicks >out 2>err &&
	test_grep "all 1,000 accepted records have landed once; the warehouse was not looked at" out &&
	test_grep "cannot open DuckDB" err &&
	hop landed >got && test_grep "^4 1,000 " got &&
	without_engine status >out 2>err && test_grep "^web/clicks .*1,000 .* - .* landed" out &&
	test_expect_code 5 without_engine status --check 2>err && test_grep "cannot open DuckDB" err &&
	test_path_is_missing w.duckdb
'

test_expect_success 'a profile without a warehouse says what landed' '
	fresh && river -c warehouse=none status web/clicks >out 2>err &&
	test_grep "all 1,000 accepted records have landed once$" out &&
	test_must_be_empty err && river -c warehouse=none status --check >out && test_must_be_empty out
'

test_expect_success DUCKDB 'what is pending is shown, then loaded, and all arrived once' '
	fresh && river status web/clicks --no-load >out &&
	test_grep "noted: pending: 4 objects with 1,000 records" out &&
	test_grep "of 1,000 accepted records 0 are loaded, 1,000 are pending" out &&
	river status --check --no-load >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	river status web/clicks >out 2>err && test_must_be_empty err &&
	test_grep "^web/clicks: all 1,000 accepted records are loaded once$" out &&
	hop accepted >got && echo "4 1,000 1 run closed" >want && test_cmp want got &&
	hop loaded >got && test_grep "^4 1,000 set hash [0-9a-f]*$" got &&
	hop raw >got && echo 1,000 >want && test_cmp want got &&
	river status --check >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	river status --verify --check --since all -v >out && test_grep "all 1,000" out
'

test_expect_success DUCKDB 'the overview has a line for each stream' '
	fresh && river stream create web/other && river status >out &&
	test_grep "^web/clicks  *1,000 .* loaded$" out && test_grep "^web/other  *0 .* empty$" out &&
	test_line_count = 3 out
'

test_expect_success DUCKDB 'json' '
	fresh && river --output json status web/clicks >out && test_line_count = 1 out &&
	test_grep "^{\"v\":1,\"stream\":\"web/clicks\",\"since\":\"2" out &&
	test_grep "\"all_once\":true,\"verdict\":\"all 1,000" out &&
	test_grep "\"accepted\":1000,\"rejected\":0" out &&
	test_grep "\"tables\":{\"raw\":1000}" out && test_grep "\"findings\":\[\],\"found\":{}}" out &&
	rm "$(object 2)" && river --output json status web/clicks >out &&
	test_grep "\"all_once\":false" out &&
	test_grep "{\"code\":\"object_missing\",\"level\":\"wrong\",\"message\":" out &&
	test_grep "\"seq\":1,\"expected\":300,\"found\":0}" out && test_grep "\"found\":{\"object_missing\":1,\"run_differs\":1}" out
'

test_expect_success DUCKDB 'layers add up' '
	fresh --key n --column "n=integer required" && numbers 1 10 | river push web/clicks &&
	echo "{\"n\":\"x\"}" | river push web/clicks &&
	river status web/clicks >out &&
	for want in raw=1,011 clean=1,000 duplicates=10 refused=1 latest=1,000 tombstones=0
	do
		hop "${want%=*}" >got && echo "${want#*=}" >want && test_cmp want got || return 1
	done &&
	test_grep "all 1,011 accepted records are loaded once" out &&
	river query --write "delete from web.clicks_clean where n = 5" && finds layers_differ "1,011"
'

test_expect_success DUCKDB 'a table that was dropped is found, and comes back the way it says' '
	fresh --key n --column "n=integer required" && echo "{}" | river push web/clicks && river status &&
	river query --write "drop table web.clicks" && finds rows_missing "--rebuild" &&
	sed -n "s/.*river \(snowpipe notify [a-z/]* --rebuild\).*/\1/p" found | head -n 1 >way &&
	river $(cat way) && river status --check >found && test_must_be_empty found
'

test_expect_success DUCKDB 'what the contract refuses is counted, and found when it is all there is' '
	fresh --key n --column "n=integer required" && numbers 1 10 | river push web/clicks &&
	printf "{\"n\":\"x%s\"}\n" 1 2 | river push web/clicks && echo "{}" | river push web/clicks &&
	river status --check >found && test_must_be_empty found && river status web/clicks >out &&
	test_grep "noted: refused: the contract refuses 3 records, mostly (2) for column n: is not a number; see" out &&
	test_grep "loaded once; the contract refuses 3 of them" out &&
	sed -n "s/.*see river query //p" out | tr -d "\047" >sql &&
	river --output csv query "$(cat sql)" >rows && test_grep "^n,is not a number,2$" rows &&
	river status >out && test_grep "^stream .* loaded  refused  pending" out &&
	test_grep "1,013        3        0 .* loaded$" out &&
	river --output json status >out && test_grep "\"refused\":3," out &&
	printf "{\"n\":\"x%s\"}\n" 3 4 | river push web/clicks &&
	test_expect_code 1 river status --check >found &&
	test_grep "^web/clicks: wrong: refused: the contract refuses all of the last load, 5 records" found &&
	numbers 11 12 | river push web/clicks && river status --check >found && test_must_be_empty found &&
	river -c warehouse=none status >out && test_grep "  -        -" out
'

test_expect_success DUCKDB 'a stream of which all is refused is not called loaded' '
	rm -rf lake w.duckdb* "$HOME/.local" && river stream create web/clicks --column "at=timestamp" &&
	echo "{\"at\":\"2026-01-01 00:00:00\"}" | river push web/clicks &&
	river status >out && test_grep " refused$" out &&
	test_expect_code 1 river status --check >found && test_grep "timezone: UTC" found
'

test_expect_success DUCKDB 'a deleted object is found, loaded or not' '
	fresh && gone=$(object 3) && rm "$gone" && finds object_missing "${gone#lake/}" &&
	test_grep "run_differs: run .* accepted 1,000 records in 4 objects, and the lake has 700 in 3" found &&
	fresh && river status --check && gone=$(object 3) && rm "$gone" &&
	finds object_missing "${gone#lake/}" && test_grep "loaded at" found
'

test_expect_success 'a receipt of any size that a push would read is none that is damaged' '
	fresh && rm "$(object 3)" && receipt=$(find lake/_river/receipts -name "*-a1000-*") &&
	head -c 70000000 /dev/zero | tr "\\0" " " >>"$receipt" &&
	finds object_missing 000002- && test_grep ! receipt_damaged found &&
	echo "}" >>"$receipt" && finds receipt_damaged "does not say what its name says"
'

test_expect_success DUCKDB 'an added object is found, whatever it is called' '
	fresh && river status --check &&
	echo "{}" >"$(dirname "$(object 1)")/mine.json" && finds object_foreign mine.json &&
	rm "$(dirname "$(object 1)")/mine.json" && river status --check &&
	cp "$(object 1)" "$(object 1 | sed s/-000000-/-000007-/)" && river status >out &&
	finds object_foreign "-000007-" && rm "$(object 5)" &&
	cp "$(object 1)" "$(dirname "$(object 1)")/other-000000-$(basename "$(object 1)" | sed s/.*-000000-//)" &&
	finds object_foreign "other-000000-.* has no receipt"
'

test_expect_success DUCKDB 'the same run and number twice is found' '
	fresh && cp "$(object 1)" "$(object 1 | sed s/-r300-/-r299-/)" && finds sequence_twice "number 0"
'

test_expect_success DUCKDB 'rows removed, added and changed by hand are found' '
	fresh && river status --check && name=$(object 2) &&
	river query --write "delete from web.clicks where file_name like \$\$%-000001-%\$\$ and file_row = 7" &&
	finds rows_missing "299 of the 300 .*${name#lake/}" &&
	river query --write "insert into web.clicks select * from web.clicks where file_name like \$\$%-000001-%\$\$ and file_row < 4" &&
	finds rows_added "302 rows of ${name#lake/}" &&
	fresh && river status --check && name=$(object 2) &&
	river query --write "update web.clicks set record = \$\${\"n\":0}\$\$ where file_name like \$\$%-000001-%\$\$ and file_row = 7" &&
	river status --check &&
	test_expect_code 1 river status --check --verify >found &&
	test_grep "rows_altered: the rows of ${name#lake/}" found &&
	river query --write "delete from web.clicks" && finds rows_missing "0 of the 300" &&
	test_line_count = 4 found
'

test_expect_success DUCKDB 'an altered object is found' '
	fresh && river status --check && name=$(object 2) && zstd -qdc "$name" >plain &&
	sed 1s/1/2/ plain | zstd -q -19 >altered && chmod u+w "$name" && cp altered "$name" &&
	test_expect_code 1 river status --check --verify >found && test_grep "object_altered: ${name#lake/}" found &&
	head -c 20 altered >"$name" && finds object_altered "20 bytes" &&
	test_expect_code 1 river status --check --verify >found && test_grep "cannot be read" found
'

# nothing can land today
block () {
	mkdir -p lake/data/web/clicks && : >"lake/data/web/clicks/dt=$(date -u +%F)"
}
has_five () {
	find lake/data -name "*-r5-*" | grep -q .
}
impatient () {
	printf "stream: web/clicks\nmonitor: { freshness: 1ms }\n" >s.yaml && river stream apply -f s.yaml >/dev/null
}

test_expect_success 'a batch stuck in the spool is found, with its host, run, number and age' '
	fresh && rm -rf lake/data && impatient && block &&
	numbers 1 5 | test_expect_code 8 river push web/clicks 2>err &&
	rm -rf lake/data &&
	test_expect_code 1 river -c warehouse=none status --check >found &&
	test_grep "late: spooled: batch 0 of run [0-9a-z]* (host $(hostname), 5 records) has been waiting here for" found &&
	river -c warehouse=none status web/clicks >out &&
	hop spooled >got && test_grep "^1 5 " got && test_grep "5 wait in the spool" out &&
	river -c warehouse=none --output json status web/clicks >out &&
	test_grep "\"code\":\"spooled\",\"level\":\"late\",.*\"seq\":0,\"host\":\"$(hostname)\"" out
'

test_expect_success 'a run that was killed is open, with its host, until the next push' '
	fresh && impatient && mkfifo in && { river push web/clicks in --flush-after 100ms & pusher=$!; } &&
	exec 7>in && numbers 1 5 >&7 &&
	test_wait_until 30 has_five &&
	river -c warehouse=none status --check >found && test_must_be_empty found &&
	river -c warehouse=none status web/clicks >out &&
	test_grep "noted: run_open: run .* (its push is going on), 5 records" out &&
	kill -9 $pusher && { wait $pusher; exec 7>&-; } &&
	test_expect_code 1 river -c warehouse=none status --check >found &&
	test_grep "late: run_open: run .* of host $(hostname) is open (its push is over" found &&
	numbers 1 1 | river push web/clicks &&
	river -c warehouse=none status --check >found && test_must_be_empty found
'

test_expect_success 'a damaged journal is found, before and after it is set aside' '
	fresh && rm -rf lake/data lake/_river/receipts && block &&
	numbers 1 5 | test_expect_code 8 river push web/clicks 2>err && rm -rf lake/data &&
	journal=$(find "$HOME/.local/state/river" -name journal) && printf "x\ny\n" >"$journal" &&
	test_expect_code 1 river -c warehouse=none status --check >found &&
	test_grep "run_damaged: the journal of run .* is damaged at line 1" found &&
	numbers 1 1 | test_expect_code 12 river push web/clicks 2>err &&
	test_expect_code 1 river -c warehouse=none status --check >found &&
	test_grep "run_damaged: .* was damaged and set aside" found
'

test_expect_success DUCKDB 'what is older than the window is summed' '
	fresh && river status web/clicks --since 0s >out && test_grep "all 1,000 accepted" out
'

test_expect_success 'a lake that is not there is no lake in order' '
	rm -rf lake w.duckdb* "$HOME/.local" &&
	river -c warehouse=none status 2>err && test_grep "/lake is not there yet" err &&
	test_expect_code 5 river -c warehouse=none status --check 2>err &&
	test_grep "/lake is not there" err &&
	test_expect_code 5 river -c warehouse=none status web/clicks 2>err &&
	test_grep "/lake is not there" err &&
	mkdir lake && river -c warehouse=none status --check 2>err &&
	test_grep "there are no streams yet" err
'

test_expect_success 'this host knows that there should be a lake' '
	fresh && mv lake elsewhere &&
	for option in "" --check
	do
		test_expect_code 5 river -c warehouse=none status $option 2>err &&
		test_grep "/lake is not there" err && test_grep "this host knows web/clicks" err ||
		return 1
	done &&
	mkdir lake && test_expect_code 5 river -c warehouse=none status --check 2>err &&
	test_grep "is empty" err && test_grep "mounted" err &&
	rmdir lake && mv elsewhere lake && river -c warehouse=none status --check
'

test_expect_success DUCKDB 'so does the warehouse' '
	fresh && river status && rm -rf "$HOME/.local" && mv lake elsewhere && mkdir lake &&
	test_expect_code 5 river status --check 2>err &&
	test_grep "the warehouse knows web/clicks" err &&
	rmdir lake && mv elsewhere lake && river status --check
'

test_expect_success DUCKDB 'a stream that only the warehouse knows is found, and can be mended both ways' '
	fresh && river status && river stream create web/other && river stream delete web/clicks --yes &&
	river status --check >found && test_must_be_empty found &&
	river status >out && test_grep "^web/clicks: noted: stream_unknown: the warehouse has it" out &&
	river --output json status >found &&
	test_grep "\"stream\":\"web/clicks\".*\"code\":\"stream_unknown\"" found &&
	river stream create web/clicks --adopt &&
	river status >out && test_grep ! "stream_unknown" out &&
	river stream delete web/clicks --data --yes &&
	river status --check >found && test_must_be_empty found
'

test_expect_success 'so is one that batches wait for' '
	fresh && rm -rf lake/data && block && numbers 1 5 | test_expect_code 8 river push web/clicks &&
	rm -rf lake/data lake/_river/streams && river stream create web/other &&
	test_expect_code 1 river -c warehouse=none status --check >found &&
	test_grep "stream_unknown: 5 records wait in the spool" found
'

test_expect_success 'a lake that is a file is not a folder' '
	rm -rf lake && echo x >lake &&
	test_expect_code 10 river -c warehouse=none status 2>err &&
	test_grep "/lake is not a folder" err &&
	test_expect_code 10 river -c warehouse=none status web/clicks 2>err &&
	test_grep "/lake is not a folder" err &&
	test_expect_code 10 river stream list 2>err && test_grep "/lake is not a folder" err &&
	rm -f lake
'

test_expect_success DUCKDB 'a reader that left is no failure' '
	fresh && river status | : && river --output json status web/clicks | :
'

test_done
