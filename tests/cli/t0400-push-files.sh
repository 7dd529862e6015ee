#!/bin/sh
test_description='push of files: once, the appended part only, rotation, --again and --shipped'
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
objects () {
	find lake/data -type f | wc -l | tr -d ' '
}
fresh () {
	rm -rf lake "$HOME/.local" ./*.ndjson ./*.ndjson.* &&
	river stream create web/clicks >/dev/null
}
# Output goes through stderr notes with -v; the JSON summary is easier to check.
push_json () {
	river push --output json web/clicks "$@" >summary 2>messages
}
summary_has () {
	test_grep "\"$1\":$2[,}]" summary
}

test_expect_success 'a file is pushed, byte for byte, and silently' '
	fresh &&
	printf "%s\n" "{\"a\":1,  \"b\":\"\\u0000\"}" "{\"a\":2,\"a\":3,\"n\":1e400}" >a.ndjson &&
	river push web/clicks a.ndjson >out 2>err &&
	test_must_be_empty out && test_must_be_empty err &&
	landed >got && test_cmp a.ndjson got
'

test_expect_success 'the same file again sends nothing, and says so' '
	push_json a.ndjson &&
	summary_has accepted 0 && summary_has files_unchanged 1 &&
	river push -v web/clicks a.ndjson 2>err &&
	test_grep "nothing new since" err &&
	landed >got && test_cmp a.ndjson got
'

test_expect_success 'only what was appended is sent' '
	echo "{\"a\":4}" >>a.ndjson &&
	push_json a.ndjson && summary_has accepted 1 &&
	landed | sort >got && sort a.ndjson >expected && test_cmp expected got &&
	test "$(objects)" = 2
'

test_expect_success 'renamed, the file is known' '
	mv a.ndjson b.ndjson &&
	push_json b.ndjson && summary_has accepted 0 &&
	echo "{\"a\":5}" >>b.ndjson &&
	push_json b.ndjson && summary_has accepted 1
'

test_expect_success 'a copy whose original is gone is the rotated file' '
	cp b.ndjson b.ndjson.1 && rm b.ndjson &&
	push_json b.ndjson.1 && summary_has accepted 0 && mv b.ndjson.1 c.ndjson
'

test_expect_success 'a copy beside its original is another file' '
	cp c.ndjson d.ndjson &&
	push_json d.ndjson && summary_has accepted 4
'

test_expect_success 'two identical snapshots are two, also when the first was renamed' '
	fresh && printf "{\"n\":%d}\n" 1 2 >snap.ndjson && push_json snap.ndjson &&
	mv snap.ndjson snap.ndjson.old && cp snap.ndjson.old snap.ndjson &&
	push_json snap.ndjson && summary_has accepted 2
'

test_expect_success 'a first line that many files share does not make them one file' '
	fresh && echo "{\"start\":1}" >monday.ndjson && push_json monday.ndjson && rm monday.ndjson &&
	printf "{\"start\":1}\n{\"n\":2}\n" >tuesday.ndjson &&
	push_json tuesday.ndjson && summary_has accepted 2
'

test_expect_success 'copytruncate: the copy is known, the truncated file begins anew' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 >log.ndjson &&
	push_json log.ndjson && summary_has accepted 3 &&
	cp log.ndjson log.ndjson.1 && : >log.ndjson &&
	printf "{\"n\":%d}\n" 4 5 >>log.ndjson &&
	push_json log.ndjson log.ndjson.1 && summary_has accepted 2 &&
	landed | sort >got && printf "{\"n\":%d}\n" 1 2 3 4 5 >expected && test_cmp expected got
'

test_expect_success 'the rotated copy is known also when it is pushed first' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 >log.ndjson &&
	push_json log.ndjson &&
	cp log.ndjson log.ndjson.1 && : >log.ndjson && echo "{\"n\":4}" >>log.ndjson &&
	push_json log.ndjson.1 log.ndjson && summary_has accepted 1
'

test_expect_success '43: a file overwritten in place with another content begins anew' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 >a.ndjson && push_json a.ndjson &&
	printf "{\"m\":%d}\n" 7 8 9 10 >other && cat other >a.ndjson &&
	push_json a.ndjson && summary_has accepted 4
'

test_expect_success 'the compressed copy of a pushed file is known, and what comes behind it sent' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 >log.ndjson && printf "{\"n\":4" >>log.ndjson &&
	touch -d "1 hour ago" log.ndjson &&
	test_expect_code 7 river push web/clicks log.ndjson &&
	gzip -c log.ndjson >log.ndjson.1.gz && rm log.ndjson &&
	push_json log.ndjson.1.gz && summary_has read 0 &&
	gzip -dc log.ndjson.1.gz >plain && printf "\n{\"n\":5}\n" >>plain && rm log.ndjson.1.gz &&
	zstd -q plain -o log.zst && rm plain &&
	push_json log.zst && summary_has accepted 1
'

test_expect_success '--again sends it anew' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 >a.ndjson &&
	push_json a.ndjson && push_json --again a.ndjson && summary_has accepted 3 &&
	push_json a.ndjson && summary_has accepted 0
'

test_expect_success '--again of a file that became shorter is its new beginning' '
	fresh && printf "{\"n\":%d}\n" 1 2 3 4 5 6 >a.ndjson && push_json a.ndjson &&
	printf "{\"n\":%d}\n" 1 7 8 >b && cat b >a.ndjson &&
	push_json --again a.ndjson && summary_has accepted 3 &&
	push_json a.ndjson && summary_has accepted 0
'

test_expect_success '--again of another content leaves the first one known, where it was copied to' '
	fresh && printf "{\"n\":%d}\n" 1 2 3 >a.ndjson && push_json a.ndjson &&
	cp a.ndjson a.ndjson.1 && printf "{\"n\":%d}\n" 11 12 >b && cat b >a.ndjson &&
	push_json --again a.ndjson && summary_has accepted 2 &&
	push_json a.ndjson.1 && summary_has accepted 0 &&
	landed | sort | uniq -c | awk "{ print \$1 }" >times && printf "1\n1\n1\n1\n1\n" >expected &&
	test_cmp expected times &&
	rm "$(find lake/data -name "*-r3-*")" &&
	river push --shipped web/clicks a.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson.1
'

test_expect_success '--again of a compressed file, too' '
	fresh && printf "{\"n\":%d}\n" 1 2 3 >b && gzip <b >a.ndjson.gz && push_json a.ndjson.gz &&
	push_json --again a.ndjson.gz && summary_has accepted 3 &&
	cp a.ndjson.gz c.ndjson.gz && push_json c.ndjson.gz && summary_has accepted 3 &&
	printf "{\"n\":%d}\n" 11 12 >b && gzip <b >a.ndjson.gz &&
	push_json --again a.ndjson.gz && summary_has accepted 2 &&
	push_json a.ndjson.gz && summary_has accepted 0
'

test_expect_success '--again that was killed half way is finished by the same command' '
	fresh && awk "BEGIN { for (i = 0; i < 40; i++) printf \"{\\\"n\\\":%d}\n\", i }" >a.ndjson &&
	push_json a.ndjson &&
	test_expect_code 90 "$RIVER_BUILD/tests/fault/walk" --file-ops kill 100 -- \
		river push --again --batch-records 7 web/clicks a.ndjson >/dev/null 2>&1 &&
	river push --again --batch-records 7 web/clicks a.ndjson &&
	landed | sort | uniq -c | awk "{ print \$1 }" | sort -u >times && echo 2 >expected &&
	test_cmp expected times
'

test_expect_success 'an unterminated end stays while the file is young, and goes when it is settled' '
	fresh &&
	printf "{\"n\":1}\n{\"n\":2" >a.ndjson &&
	river push -v --output json web/clicks a.ndjson >summary 2>err &&
	summary_has accepted 1 && summary_has left_bytes 6 &&
	test_grep "have no end yet" err &&
	printf "}\n" >>a.ndjson &&
	push_json a.ndjson && summary_has accepted 1 &&
	printf "{\"n\":3" >>a.ndjson && touch -d "1 hour ago" a.ndjson &&
	test_expect_code 9 river push --output json web/clicks a.ndjson >summary 2>err &&
	summary_has rejected 1 &&
	printf "{\"n\":4}" >>b.ndjson &&
	push_json b.ndjson && summary_has accepted 1
'

test_expect_success 'many files at once, small ones share an object' '
	fresh &&
	for i in 1 2 3 4 5; do echo "{\"n\":$i}" >$i.ndjson || return 1; done &&
	push_json 1.ndjson 2.ndjson 3.ndjson 4.ndjson 5.ndjson && summary_has accepted 5 &&
	test "$(objects)" = 1 &&
	push_json 1.ndjson 2.ndjson 3.ndjson 4.ndjson 5.ndjson && summary_has accepted 0 &&
	summary_has files_unchanged 5
'

test_expect_success '44: the same file named twice is pushed once' '
	fresh &&
	echo "{\"n\":1}" >a.ndjson &&
	push_json a.ndjson a.ndjson && landed >got && test_cmp a.ndjson got
'

test_expect_success 'batches close at a number of records; names and receipt carry the counts' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 4 5 6 7 >a.ndjson &&
	push_json --batch-records 3 a.ndjson && summary_has objects 3 &&
	find lake/data -name "*-000000-r3-h*" | grep . && find lake/data -name "*-000002-r1-h*" | grep . &&
	find lake/_river/receipts -name "*-a7-x0-b3-h*.json" | grep . &&
	landed >got && test_cmp a.ndjson got
'

test_expect_success '--shipped: 0 when every byte is in the lake, 1 when not' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 >a.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "has not been pushed" err &&
	push_json a.ndjson && river push --shipped web/clicks a.ndjson &&
	echo "{\"n\":3}" >>a.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "8 of its 24 bytes" err &&
	push_json a.ndjson && river push --shipped web/clicks a.ndjson &&
	rm "$(find lake/data -type f | head -n 1)" &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "not in the lake" err
'

test_expect_success '--shipped of many: all are asked about, and the worst is told' '
	fresh && printf "{\"n\":%d}\n" 1 2 >a.ndjson && push_json a.ndjson && echo "{\"n\":9}" >new.ndjson &&
	test_expect_code 5 river push --shipped --output json web/clicks none.ndjson a.ndjson new.ndjson >out 2>err &&
	test_line_count = 3 out && test_grep "a.ndjson\",\"shipped\":true" out &&
	test_grep "new.ndjson\",\"shipped\":false" out && test_grep "no file none.ndjson" err &&
	test_expect_code 5 river push --shipped web/clicks new.ndjson a.ndjson none.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson new.ndjson a.ndjson
'

# The folder of its day is a file: a push that never got a batch through has no checkpoint, but a promise.
test_expect_success '--shipped of a push that waits says so' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 >a.ndjson &&
	mkdir -p lake/data/web/clicks && : >"lake/data/web/clicks/dt=$(date -u +%F)" &&
	test_must_fail river push --retry-for 0 web/clicks a.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "bytes 0 to 16 are accepted but not in the lake yet" err && test_grep "river spool flush" err &&
	rm lake/data/web/clicks/dt=* && river spool flush && river push --shipped web/clicks a.ndjson
'

test_expect_success '--shipped notices another content of the same length' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 >a.ndjson && push_json a.ndjson &&
	printf "{\"n\":%d}\n" 1 3 >b && cat b >a.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "other bytes" err
'

test_expect_success '--shipped reads the file whole: a change in the middle is noticed' '
	fresh && awk "BEGIN { for (i = 10000; i < 40000; i++) printf \"{\\\"n\\\":%d}\n\", i }" >a.ndjson &&
	push_json a.ndjson && river push --shipped web/clicks a.ndjson &&
	sed "s/25000/99999/" a.ndjson >b && cat b >a.ndjson && push_json a.ndjson &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err && test_grep "other" err
'

test_expect_success '--shipped: an object that is there, but not whole, is not the batch' '
	fresh && printf "{\"n\":%d}\n" 1 2 >a.ndjson && push_json a.ndjson &&
	: >"$(find lake/data -type f)" &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_expect_code 1 river push --wait landed web/clicks a.ndjson 2>err && test_grep "\-\-again" err
'

test_expect_success 'what has gone from the lake and was sent --again is shipped, unless that has gone as well' '
	fresh && printf "{\"n\":%d}\n" 1 2 3 4 5 >a.ndjson &&
	push_json --batch-records 3 a.ndjson && rm "$(find lake/data -name "*-000000-*")" &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "bytes 0 to 24 went into .*, which is not in the lake" err && test_grep "\-\-again" err &&
	push_json --again --batch-records 2 a.ndjson && summary_has accepted 5 &&
	river push --shipped web/clicks a.ndjson && river push --wait landed web/clicks a.ndjson &&
	rm "$(find lake/data -name "*-000002-r1-*")" &&
	test_expect_code 1 river push --shipped web/clicks a.ndjson 2>err &&
	test_grep "which is not in the lake" err
'

test_expect_success 'rejects are kept, exit 7, and the checkpoint goes past them' '
	fresh &&
	printf "{\"n\":1}\njunk\n{\"n\":2}\n" >a.ndjson &&
	test_expect_code 7 river push web/clicks a.ndjson 2>err &&
	test_grep "1 of 3 records" err && test_grep "a.ndjson:2: " err &&
	find lake/_river/rejects -name "*-000000-r1.ndjson" >list && test_line_count = 1 list &&
	cat "$(cat list)" >reject &&
	test_grep "\"line\":2,\"offset\":8," reject && test_grep "\"bytes\":\"anVuawo=\"" reject &&
	push_json a.ndjson && summary_has accepted 0
'

test_expect_success '--max-rejects ends it with 9 and sends nothing of the open batch' '
	fresh &&
	printf "{\"n\":1}\njunk\njunk\n{\"n\":2}\n" >a.ndjson &&
	test_expect_code 9 river push --max-rejects 1 web/clicks a.ndjson 2>err &&
	test_grep "more than 1 records" err && landed >got && test_must_be_empty got &&
	test_expect_code 7 river push --max-rejects 2 web/clicks a.ndjson
'

test_expect_success 'a .tsv is split at tabs, also when more is appended and when it is done again' '
	fresh && printf "id\ttext\n1\ta,b\n" >t.tsv && push_json t.tsv &&
	landed >got && echo "{\"id\":\"1\",\"text\":\"a,b\"}" >expected && test_cmp expected got &&
	printf "2\tc\n" >>t.tsv &&
	test_expect_code 90 "$RIVER_BUILD/tests/fault/walk" --file-ops --path data/ kill 2 -- \
		river push web/clicks t.tsv &&
	push_json t.tsv && landed | sort >got && echo "{\"id\":\"2\",\"text\":\"c\"}" >>expected &&
	test_cmp expected got
'

test_expect_success 'a .tsv is split at tabs under another name, too, and when that is done again' '
	fresh && rm -f t.tsv &&
	printf "id\ttext\n1\ta\n" >t.tsv && push_json t.tsv &&
	mv t.tsv t.done && printf "1,5\t2\n" >>t.done &&
	test_expect_code 90 "$RIVER_BUILD/tests/fault/walk" --file-ops --path data/ kill 2 -- \
		river push web/clicks t.done &&
	push_json t.done && summary_has rejected 0 &&
	mv t.done t.tsv.1 && printf "3\tc\n" >>t.tsv.1 && push_json t.tsv.1 && summary_has rejected 0 &&
	landed | sort >got &&
	printf "%s\n" "{\"id\":\"1\",\"text\":\"a\"}" "{\"id\":\"1,5\",\"text\":\"2\"}" \
		"{\"id\":\"3\",\"text\":\"c\"}" >expected && test_cmp expected got
'

test_expect_success 'a .csv that is called .tsv later is split as before' '
	fresh && printf "id,text\n1,a\n" >t.csv && push_json t.csv &&
	mv t.csv u.tsv && printf "2,b\tc\n" >>u.tsv && push_json u.tsv && summary_has rejected 0 &&
	landed | sort | tail -n 1 >got && printf "%s\n" "{\"id\":\"2\",\"text\":\"b\\tc\"}" >expected && test_cmp expected got
'

test_expect_success 'commas in a .tsv are asked about, and taken when they are asked for' '
	fresh && printf "id,text\n1,a\n" >v.tsv &&
	test_expect_code 9 river push web/clicks v.tsv 2>err &&
	test_grep "the header looks separated by ." err && test_grep "csv-delimiter .,." err &&
	push_json --csv-delimiter , v.tsv &&
	printf "2,b\n" >>v.tsv &&
	test_expect_code 90 "$RIVER_BUILD/tests/fault/walk" --file-ops --path data/ kill 2 -- \
		river push --csv-delimiter , web/clicks v.tsv &&
	push_json v.tsv && landed | sort >got &&
	printf "%s\n" "{\"id\":\"1\",\"text\":\"a\"}" "{\"id\":\"2\",\"text\":\"b\"}" >expected &&
	test_cmp expected got
'

test_expect_success 'a comma in the definition holds for a .tsv, too, and when what was shown is applied' '
	fresh && printf "id,t\n1,a\tb\n" >c.tsv && printf "id\tt\n1\ta,b\n" >t.tsv &&
	river stream create web/commas --format csv --csv-delimiter , >out &&
	river push web/commas c.tsv && test_expect_code 9 river push web/commas t.tsv &&
	river stream show web/commas >shown.yaml && test_grep "delimiter: \",\"" shown.yaml &&
	river stream diff -f shown.yaml &&
	river stream create web/plain --format csv >out && river push web/plain t.tsv &&
	river stream show web/plain >shown.yaml && test_must_fail grep delimiter shown.yaml &&
	river stream diff -f shown.yaml && test_expect_code 9 river push web/plain c.tsv &&
	landed | sort >got &&
	printf "%s\n" "{\"id\":\"1\",\"t\":\"a,b\"}" "{\"id\":\"1\",\"t\":\"a\\tb\"}" >expected &&
	test_cmp expected got
'

test_expect_success 'a format and columns that a file was not begun with are warned of, once a file' '
	fresh && printf "1,a\n" >n.csv && printf "x\n" >x.ndjson && cp n.csv m.csv && cp x.ndjson y.ndjson &&
	river push --csv-no-header web/clicks n.csv m.csv && river push --format text web/clicks x.ndjson y.ndjson &&
	river push --csv-names id,t --csv-no-header web/clicks n.csv 2>err &&
	test_grep "n.csv was pushed with the columns .*c1.* and not with id,t: .push --again. sends it anew" err &&
	printf "2,b\n" >>n.csv && printf "2,b\n" >>m.csv &&
	river push --csv-names id,t --csv-no-header web/clicks n.csv m.csv 2>err &&
	test_grep "warning: .*n.csv goes on with the columns .*c2.* and not with id,t: " err &&
	test_grep "warning: .*m.csv goes on with the columns" err && test_line_count -eq 2 err &&
	echo "{\"x\":1}" >>x.ndjson && river push --format ndjson web/clicks x.ndjson y.ndjson 2>err &&
	test_grep "warning: .*x.ndjson goes on as text, as it was begun, and not as ndjson: " err &&
	test_grep "warning: .*y.ndjson was pushed as text, as it was begun, and not as ndjson: " err &&
	test_line_count -eq 2 err &&
	echo "{\"x\":2}" >>x.ndjson &&
	river push --follow --until-quiet 1ms --format ndjson web/clicks x.ndjson 2>err &&
	test_grep "goes on as text" err && test_line_count -eq 1 err &&
	printf "id,t\n1,a\n" >h.csv && river push web/clicks h.csv && printf "2,b\n" >>h.csv &&
	river push --csv-no-header web/clicks h.csv 2>err && test_grep "and not with c1, c2 and so on" err &&
	landed | grep -c "\"c1\":\"2\",\"c2\":\"b\"" >got && echo 2 >expected && test_cmp expected got
'

test_expect_success 'a format and columns that a file was begun with are not' '
	fresh && printf "1,a\n" >n.csv && printf "x\n" >x.txt &&
	river push --csv-no-header --csv-names id,t web/clicks n.csv && river push --format text web/clicks x.txt &&
	printf "2,b\n" >>n.csv && echo x >>x.txt &&
	river push --csv-no-header --csv-names id,t web/clicks n.csv 2>err && test_must_be_empty err &&
	river push --format csv --csv-names id,t web/clicks n.csv 2>err && test_must_be_empty err &&
	river push --format text web/clicks x.txt 2>err && test_must_be_empty err &&
	river push --format auto web/clicks x.txt n.csv 2>err && test_must_be_empty err
'

test_expect_success 'columns of a changed definition are warned of where rows are read' '
	fresh && printf "1,a\n" >n.csv && echo "{ stream: web/rows, csv: { header: [id, t] } }" >rows.yaml &&
	river stream apply -f rows.yaml >out && river push web/rows n.csv &&
	echo "{ stream: web/rows, csv: { header: [id, text] } }" >rows.yaml && river stream apply -f rows.yaml >out &&
	river push web/rows n.csv 2>err && test_must_be_empty err &&
	printf "2,b\n" >>n.csv && river push web/rows n.csv 2>err && test_grep "and not with id,text" err &&
	river push --again web/rows n.csv 2>err && test_must_be_empty err &&
	printf "3,c\n" >>n.csv && river push web/rows n.csv 2>err && test_must_be_empty err
'

test_expect_success 'an array that was not closed yet goes on where it ended' '
	fresh && printf "[\n{\"a\":1},\n" >a.json &&
	test_expect_code 7 river push --settle 0s web/clicks a.json 2>err && test_grep "is not closed" err &&
	printf "{\"a\":2}\n]\n" >>a.json && push_json --settle 0s a.json && summary_has rejected 0 &&
	landed | sort >got && printf "%s\n" "{\"a\":1}" "{\"a\":2}" >expected && test_cmp expected got
'

test_expect_success 'an array goes on behind what was bad at its end, and its lost end is not asked for again' '
	fresh && printf "[\n{\"a\":1},\n{\"a\":bad},\n" >a.json &&
	test_expect_code 7 river push --settle 0s web/clicks a.json 2>err &&
	printf "{\"a\":2},\n{bad\n]\n{\"a\":3}\n" >>a.json &&
	test_expect_code 7 river push --settle 0s --output json web/clicks a.json >summary 2>err &&
	summary_has accepted 2 && summary_has rejected 1 &&
	push_json --settle 0s a.json && summary_has rejected 0 &&
	landed | sort >got && printf "{\"a\":%s}\n" 1 2 3 >expected && test_cmp expected got
'

test_expect_success 'an array is known when it is compressed, also one that was closed later' '
	fresh && printf "[\n{\"a\":1},\n" >a.json &&
	test_expect_code 7 river push --settle 0s web/clicks a.json 2>err &&
	printf "{\"a\":2}\n]\n" >>a.json && push_json --settle 0s a.json && gzip a.json &&
	test_when_finished "rm a.json.gz" &&
	push_json a.json.gz && summary_has read 0 &&
	landed | sort >got && printf "{\"a\":%s}\n" 1 2 >expected && test_cmp expected got
'

test_expect_success 'a compressed array that is not closed is sent once, also when it was touched' '
	fresh && printf "[\n{\"a\":1},\n" | gzip -n >a.json.gz &&
	test_expect_code 7 river push --settle 0s web/clicks a.json.gz 2>err &&
	touch -d "2026-01-01" a.json.gz && push_json --settle 0s a.json.gz && summary_has read 0 &&
	landed >got && echo "{\"a\":1}" >expected && test_cmp expected got
'

test_expect_success '43, 44: what cannot be pushed is named before anything is sent' '
	fresh &&
	echo "{\"n\":1}" >a.ndjson &&
	test_expect_code 5 river push web/clicks a.ndjson missing.ndjson 2>err &&
	test_grep "missing.ndjson" err &&
	test_expect_code 2 river push web/clicks a.ndjson . 2>err && test_grep "is a folder" err &&
	test_expect_code 5 river push web/click a.ndjson 2>err && test_grep "web/clicks" err &&
	test_expect_code 2 river push 2>err &&
	landed >got && test_must_be_empty got
'

test_expect_success 'an empty file is nothing to push' '
	fresh && : >a.ndjson && push_json a.ndjson && summary_has read 0 &&
	river push --shipped web/clicks a.ndjson
'

test_expect_success 'a lake that takes nothing: exit 10, and the next push finishes' '
	fresh &&
	printf "{\"n\":%d}\n" 1 2 3 >a.ndjson &&
	echo in the way >lake/data &&
	test_expect_code 10 river push web/clicks a.ndjson 2>err &&
	rm lake/data &&
	push_json a.ndjson && landed >got && test_cmp a.ndjson got
'

test_expect_success 'two pushes of one file at once land it once' '
	fresh &&
	awk "BEGIN { for (i = 0; i < 20000; i++) printf \"{\\\"n\\\":%d}\n\", i }" >a.ndjson &&
	{ river push web/clicks a.ndjson 2>err1 & } && first=$! &&
	river push web/clicks a.ndjson 2>err2 &&
	wait $first &&
	landed | sort >got && sort a.ndjson >expected && test_cmp expected got
'

test_expect_success '50: a damaged checkpoint: exit 12 until somebody wants the file again; others go on' '
	fresh && printf "{\"n\":%d}\n" 1 2 3 >a.ndjson && cp a.ndjson b.ndjson && push_json a.ndjson &&
	checkpoint=$(find "$HOME/.local/state/river" -path "*/files/*" ! -name "*.batches") &&
	sed "s/offset/offsat/" "$checkpoint" >bad && cat bad >"$checkpoint" &&
	test_expect_code 12 river push web/clicks a.ndjson 2>err &&
	test_grep "checkpoint .* is damaged" err && test_grep "\-\-again" err &&
	test_expect_code 12 river push web/clicks a.ndjson &&
	push_json b.ndjson && summary_has accepted 3 &&
	push_json --again a.ndjson && summary_has accepted 3 &&
	push_json a.ndjson && summary_has accepted 0
'

test_expect_success '18: the state folder is private whatever the umask' '
	fresh && echo "{\"n\":1}" >a.ndjson &&
	(umask 000 && river push web/clicks a.ndjson) &&
	find "$HOME/.local/state/river" -perm /077 >open && test_must_be_empty open
'

test_done
