#!/bin/sh
test_description='pump: rows to events, counted and printed; maps; synthetic data'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML

# field KEY: the value of a key that is a string, of each line
field () {
	sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}
keys () {
	sed 's/"\([a-z0-9]*\)":\("[^"]*"\|[0-9.]*\)/\1/g; s/[{}]//g; s/,/ /g'
}

test_expect_success 'a sample is the same bytes each time, and never written over' '
	river pump --sample one --count 5000 >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	river pump --sample two --count 5000 && test_cmp one/browsing_train.csv two/browsing_train.csv &&
	test_cmp one/sku_to_content.csv two/sku_to_content.csv &&
	test_line_count = 5001 one/browsing_train.csv &&
	test_expect_code 6 river pump --sample one 2>err && test_grep "is there already" err
'

test_expect_success 'a sample has the oddities of the real data' '
	river pump --sample odd --count 60000 && awk -F, "
		NR > 1 {
			n[\$2 \"/\" \$3]++
			if (\$1 == session && \$5 < before) out_of_order++
			if (\$1 == session && \$5 == before) ties++
			if (\$0 == line) twice++
			session = \$1; before = \$5; line = \$0
		}
		END {
			if (n[\"pageview/\"] < 40000 || n[\"event_product/detail\"] < 14000) exit 1
			if (n[\"event_product/purchase\"] < 50 || n[\"event_product/remove\"] < 300) exit 1
			if (!out_of_order || ties < 10000 || !twice) exit 1
		}" odd/browsing_train.csv &&
	grep -q ",,,," odd/sku_to_content.csv && grep -q ",\"\[[-0-9., ]*\]\"," odd/sku_to_content.csv
'

test_expect_success '--check counts what awk counts' '
	river pump --dry-run --check one >out && awk -F, "
		NR > 1 { kind = \$3 == \"\" ? \$2 : \$3; n[kind]++; s[\$1] = 1 }
		END { for (k in n) print k, n[k]; print length(s), \"sessions\" }" one/browsing_train.csv >counted &&
	tr -d , <out | awk "\$2 ~ /^[0-9]+\$/ { print \$1, \$2 }" | sort >kinds &&
	grep -v sessions counted | sort >expected && test_cmp expected kinds &&
	tr -d , <out | grep -q "5000 rows $(grep sessions counted)" &&
	river --output json pump --dry-run --check one >json && test_grep "\"sessions\": *$(sed -n "s/ sessions//p" counted)" json &&
	test_grep "\"rows\": *5000" json
'

test_expect_success 'events have the keys of the pumper, in its order' '
	river pump -n one >events && test_line_count = 5000 events &&
	keys <events | sed "s/ pr1id.*/ P/; s/ ti tr / T /" | sort -u >shapes &&
	cat >expected <<-\EOS &&
	dl tm z sr sd ul ua de tid cid t
	dl tm z sr sd ul ua de tid cid t pa P
	dl tm z sr sd ul ua de tid cid t pa T P
	EOS
	sed "s/(.*Safari[^ ]*//" shapes >/dev/null &&
	field z <events | sort -u >ids && test_line_count = 5000 ids &&
	! grep -qv "^[0-9a-f]\{8\}-[0-9a-f]\{4\}-4[0-9a-f]\{3\}-[89ab][0-9a-f]\{3\}-[0-9a-f]\{12\}\$" ids
'

test_expect_success 'ids of clients are of the sessions, ids of events are new each time' '
	river pump -n one >again && field z <again | sort >ids2 && comm -12 ids ids2 >both &&
	test_must_be_empty both &&
	field cid <events >cids && field cid <again >cids2 && test_cmp cids cids2 &&
	tail -n +2 one/browsing_train.csv | cut -d, -f1 | sort -u >sessions &&
	sort -u cids >distinct && test_line_count = $(wc -l <sessions) distinct
'

test_expect_success 'golden: the id of a session' '
	mkdir -p golden && a=$(printf "%064d" 0 | tr 0 a) &&
	head -n 1 one/browsing_train.csv >golden/browsing_train.csv &&
	echo "$a,pageview,,,1550885210881,$a" >>golden/browsing_train.csv && cp one/sku_to_content.csv golden/ &&
	river pump -n golden >event && test_grep "\"cid\":\"efd9d9de-780b-5e83-a3e7-30a408967cf8\"" event &&
	river pump -n --replay-time golden >event && test_grep "\"tm\":1550885210881," event &&
	cp event first && river pump -n --replay-time golden >event && test_cmp first event
'

test_expect_success '68: replayed times give the same ids, times of now give new ones' '
	river pump -n --replay-time --count 100 one >a && river pump -n --replay-time --count 100 one >b &&
	test_cmp a b && river pump -n --count 100 one >c && field z <a >za && field z <c | sort >zc &&
	sort za | comm -12 - zc >both && test_must_be_empty both
'

test_expect_success 'what is not in the catalog, and what is in it without a price' '
	head -n 1 one/browsing_train.csv >golden/browsing_train.csv &&
	known=$(sed -n "s/^\([0-9a-f]*\),.*\.0\$/\1/p" one/sku_to_content.csv | head -n 1) &&
	bare=$(sed -n "s/^\([0-9a-f]*\),,,,\$/\1/p" one/sku_to_content.csv | head -n 1) &&
	for sku in $known $bare nowhere
	do
		echo "s,event_product,purchase,$sku,1550885210881,u" || return 1
	done >>golden/browsing_train.csv &&
	river pump -n golden >events && sed "s/.*\"pa\"/\"pa\"/; s/\"ti\":\"[^\"]*\",//" events >tails &&
	price=$(sed -n "s/^$known.*,\([0-9.]*\)\$/\1/p" one/sku_to_content.csv) &&
	test_grep "^\"pa\":\"purchase\",\"tr\":$price,\"pr1id\":\"$known\",\"pr1pr\":\"$price\",\"pr1ca\":\"[0-9a-f]*/" tails &&
	test_grep "^\"pa\":\"purchase\",\"tr\":0.0,\"pr1id\":\"$bare\",\"pr1pr\":\"\",\"pr1ca\":\"\"}" tails &&
	test_grep "^\"pa\":\"purchase\",\"tr\":0.0,\"pr1id\":\"nowhere\",\"pr1pr\":\"0.0\",\"pr1ca\":\"NOCAT\"}" tails
'

test_expect_success 'a row that is none costs itself: exit 7, named; all of them: 9' '
	{ head -n 3 one/browsing_train.csv && echo "s,event_product,click,p,1,u" && echo "too,few" &&
	  echo "s,search,,,1,u"; } >golden/browsing_train.csv &&
	test_expect_code 7 river pump -n golden >out 2>err && test_line_count = 2 out &&
	test_grep "browsing_train.csv:4: it is of no kind" err && test_grep "browsing_train.csv:5: " err &&
	test_grep "3 of 5 rows are rejected" err &&
	test_expect_code 9 river pump -n --max-rejects 1 golden >out 2>err && test_grep "more than 1 row" err &&
	printf "n,q\n1,2\n2,x\n" >q.csv && echo "fields: { q: { column: q, as: number } }" >q.yaml &&
	test_expect_code 7 river pump -n --map q.yaml q.csv >out 2>err &&
	test_grep "1 of 2 rows is rejected, the first: q.csv:3: q: " err && test_grep "warning: q.csv:3: " err &&
	sed -i 2,3d golden/browsing_train.csv && test_expect_code 9 river pump -n golden >out 2>err
'

test_expect_success 'any csv or NDJSON, with a map' '
	cat >map.yaml <<-\YAML &&
	input: { delimiter: ";" }
	lookup: { p: { file: products.csv, key: sku, by: product } }
	kinds: { sale: { type: [order, reorder] }, return: { type: return } }
	others: skip
	fields:
	  id: { uuid5: "{customer}/{no}", namespace: url }
	  what: { switch: type, cases: { order: sale, reorder: sale }, absent: other }
	  price: { lookup: p.price, as: number, empty: "0", kinds: [sale] }
	  name: { lookup: p.name }
	  n: { column: no, as: number }
	  text: "{{{no}}} of {customer}"
	YAML
	printf "sku,price,name\nA,1.50,\"Apple \"\"red\"\"\"\nB,,Pear\n" >products.csv &&
	printf "no;type;customer;product\n1;order;c\"1;A\n2;return;c2;B\n3;visit;c3;A\n4;reorder;c4;B\n" >rows.csv &&
	river pump -n --map map.yaml rows.csv >events &&
	cat >expected <<-\EOS &&
	{"id":"ID","what":"sale","price":1.50,"name":"Apple \"red\"","n":1,"text":"{1} of c\"1"}
	{"id":"ID","what":"other","name":"Pear","n":2,"text":"{2} of c2"}
	{"id":"ID","what":"sale","price":0,"name":"Pear","n":4,"text":"{4} of c4"}
	EOS
	sed "s/\"id\":\"[-0-9a-f]*\"/\"id\":\"ID\"/" events >actual && test_cmp expected actual &&
	printf "%s\n" "{\"no\":1,\"type\":\"order\",\"customer\":\"c\\\"1\",\"product\":\"A\"}" >rows.ndjson &&
	river pump -n --map map.yaml rows.ndjson >events2 && head -n 1 events >expected && test_cmp expected events2 &&
	river pump -n --map map.yaml - <rows.ndjson >events2 && test_cmp expected events2 &&
	test_expect_code 9 river pump -n - <rows.csv >out 2>err && test_grep "the first: standard input:1: " err
'

test_expect_success 'without a map a row is sent as it is' '
	printf "%s\n" "{\"a\": 1.50,  \"b\":\"\\u00d7\"}" "{\"b\":2}{\"c\":3}" >as-is.ndjson &&
	river pump -n as-is.ndjson >out &&
	printf "%s\n" "{\"a\": 1.50,  \"b\":\"\\u00d7\"}" "{\"b\":2}" "{\"c\":3}" >expected && test_cmp expected out
'

test_expect_success 'a reader that went away ends it, also where the data goes round for ever' '
	mkfifo gone && { head -n 3 gone >got & } && river pump -n --loop 0 as-is.ndjson >gone && wait $! && test_line_count = 3 got
'

test_expect_success 'the built-in map is a map' '
	river pump --print-map >coveo.yaml && river pump -n --replay-time --map coveo.yaml one >a &&
	river pump -n --replay-time one >b && test_cmp a b
'

test_expect_success 'slips in a map or a command are named before anything is sent' '
	sed "s/customer\}\/{no/custmer}\/{no/" map.yaml >wrong.yaml &&
	test_expect_code 3 river pump -n --map wrong.yaml rows.csv 2>err && test_grep "no column .custmer" err &&
	test_grep "did you mean .customer" err &&
	sed "s/fields:/feilds:/" map.yaml >wrong.yaml &&
	test_expect_code 3 river pump -n --map wrong.yaml rows.csv 2>err && test_grep "wrong.yaml:5" err &&
	echo "fields: { a: { switch: no, cases: {} } }" >wrong.yaml &&
	test_expect_code 3 river pump -n --map wrong.yaml rows.csv 2>err && test_grep "fields.a: no cases" err &&
	test_expect_code 5 river pump -n --map none.yaml rows.csv &&
	test_expect_code 5 river pump -n none.csv 2>err && test_grep "none.csv" err &&
	rm products.csv && test_expect_code 5 river pump -n --map map.yaml rows.csv 2>err && test_grep "lookup p" err &&
	test_expect_code 2 river pump -n && test_expect_code 2 river pump one &&
	test_expect_code 2 river pump --to http://x/ --check one && test_expect_code 2 river pump -n --rate fast one &&
	test_expect_code 2 river pump -n --rate 5 --speed 2 one && test_expect_code 2 river pump -n --speed 2 as-is.ndjson 2>err &&
	test_grep "own time" err &&
	test_expect_code 2 river pump --to http://user:$test_canary@x/ one 2>err && ! grep $test_canary err &&
	test_expect_code 2 river pump -n --resume one && test_expect_code 2 river pump --to x/y --batch 5 one &&
	test_expect_code 2 river pump --to ftp://x/y one 2>err && test_grep "begins with http" err &&
	mkdir -p bare && test_expect_code 5 river pump -n bare 2>err && test_grep "no file bare/browsing_train.csv" err &&
	test_grep "^hint: .*name the files" err
'

test_expect_success '71: data is not read from addresses, and half a file is an error' '
	test_expect_code 2 river pump -n http://127.0.0.1:1/data.csv 2>err && test_grep "files and standard input" err
'

test_expect_success '72: gzip of several members is read whole; cut short or with trailing junk it is an error' '
	{ head -n 100 as-is.ndjson | gzip; printf "{\"n\":1}\n" | gzip; } >two.ndjson.gz &&
	river pump -n two.ndjson.gz >out && test_line_count = 4 out &&
	gzip <one/browsing_train.csv >g.gz && head -c 20000 g.gz >short.csv.gz &&
	test_expect_code 9 river pump -n short.csv.gz >out 2>err && test_grep "short.csv.gz.*byte" err &&
	{ cat two.ndjson.gz && echo junk; } >junk.ndjson.gz &&
	test_expect_code 9 river pump -n junk.ndjson.gz >out 2>err
'

test_expect_success '73: what does not fit into memory is streamed' '
	river pump --print-map >coveo.yaml && cp one/sku_to_content.csv . &&
	rows () {
		head -n 1 one/browsing_train.csv && i=0 &&
		while test $i -lt 200
		do
			tail -n +2 one/browsing_train.csv && i=$((i + 1)) || return 1
		done
	} &&
	(rows | { test_have_prereq SANITIZER || ulimit -v 100000; river pump -n --check --map coveo.yaml - >out; }) &&
	tr -d , <out >plain && test_grep "1000000 rows" plain
'

test_done
