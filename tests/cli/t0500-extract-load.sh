#!/bin/sh
test_description='extract-load: archives of tables into the lake, tables and streams, each once'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML
cat >orders.yaml <<\YAML
source: { path: drop }
dialect: { timezone: UTC }
tables:
  orders:
    member: "ORDERS_*.csv"
    key: [order_id]
    mode: merge
    delete_when: { column: op, equals: D }
    columns: { order_id: string, op: string, placed: { type: timestamp, format: "%d.%m.%Y %H:%M" }, total: "decimal(18,2)" }
  lines:
    member: LINES.csv
    columns: { order_id: string, line_no: integer, sku: string }
loads:
  orders: { to: table dw.orders }
  lines: { to: lake, format: csv, compression: gzip }
YAML

# pack NAME: ORDERS_1.csv and LINES.csv into drop/NAME
pack () {
	mkdir -p drop &&
	"$make_zip" --pack "$1" ORDERS_1.csv LINES.csv unused.bin && mv "$1" drop/
}
fresh () {
	rm -rf lake drop state w.duckdb*
}
orders () {
	river query --output csv "SELECT order_id, op, total FROM dw.orders ORDER BY order_id"
}
first () {
	cat >ORDERS_1.csv <<-\CSV &&
	order_id,placed,total,op,other
	A1,01.02.2024 10:00,19.90,I,
	A2,01.02.2024 11:00,5,I,zz
	CSV
	cat >LINES.csv <<-\CSV &&
	order_id,line_no,sku
	A1,1,"a,""b"
	A1,2,
	CSV
	echo unused >unused.bin &&
	pack ext-1.zip
}
second () {
	cat >ORDERS_1.csv <<-\CSV &&
	order_id,placed,total,op,other
	A1,02.02.2024 10:00,29.90,U,
	A2,,,D,
	A3,02.02.2024 11:00,7,I,
	CSV
	pack ext-2.zip
}

test_expect_success '86: nothing to do says nothing' '
	fresh && mkdir drop &&
	river extract-load orders.yaml >out 2>err &&
	test_must_be_empty out && test_must_be_empty err &&
	test_path_is_missing lake
'

test_expect_success 'extracts are taken, silently' '
	fresh && first && second &&
	river extract-load orders.yaml >out 2>err &&
	test_must_be_empty out && test_must_be_empty err &&
	cat >want <<-\CSV &&
	order_id,op,total
	A1,U,29.90
	A3,I,7.00
	CSV
	orders >have && test_cmp want have &&
	cat lake/loads/orders/*/lines-0001-0001.csv.gz | gzip -dc >have &&
	printf "order_id,line_no,sku\nA1,1,\"a,\"\"b\"\nA1,2,\n" >one && cat one one >want &&
	test_cmp want have
'

test_expect_success 'the manifest lists what is there' '
	for manifest in lake/loads/orders/*/orders.manifest
	do
		object=$(sed -n "s|.*\"url\":\"file://\\([^\"]*\\)\".*|\\1|p" $manifest) &&
		size=$(sed -n "s|.*\"content_length\":\\([0-9]*\\).*|\\1|p" $manifest) &&
		test $(wc -c <"$object") = $size || return 1
	done
'

test_expect_success 'again: nothing, by what is remembered and by the ledger' '
	find lake -type f | xargs ls -l --full-time >before &&
	river extract-load orders.yaml --output json >out &&
	grep "\"taken\":0,\"known\":2" out &&
	rm -rf state/extracts &&
	river extract-load orders.yaml --output json >out &&
	grep "\"taken\":0,\"known\":2" out &&
	find lake -type f | xargs ls -l --full-time >after &&
	test_cmp before after
'

test_expect_success '79: the same extract under another name; another one under an old name' '
	cp drop/ext-1.zip drop/ext-9.zip &&
	river extract-load orders.yaml --output json >out &&
	grep "\"taken\":0,\"known\":3" out &&
	printf "order_id,placed,total,op\nA9,02.02.2024 10:00,1,I\n" >ORDERS_1.csv && pack ext-9.zip &&
	river extract-load orders.yaml --output json >out &&
	grep "\"taken\":1,\"known\":2" out &&
	orders >have && grep "^A9,I,1.00" have
'

test_expect_success '80: one that comes late undoes nothing' '
	fresh && second && river extract-load orders.yaml && orders >want &&
	first && river extract-load orders.yaml --output json >out &&
	grep "\"taken\":1" out && orders >have && test_cmp want have
'

test_expect_success '84: the ledger of the warehouse is enough' '
	rm -rf lake/_river/extracts state/extracts &&
	river extract-load orders.yaml --output json >out &&
	grep "\"taken\":0,\"known\":2" out &&
	test $(ls lake/_river/extracts/orders/*.json | wc -l) = 2 &&
	orders >have && test_cmp want have
'

test_expect_success '--date and --since replace, never double' '
	fresh && second && mv drop/ext-2.zip drop/ext-2026-11-20.zip && first &&
	mv drop/ext-1.zip drop/ext-2026-11-19.zip &&
	river extract-load orders.yaml && orders >want &&
	river extract-load orders.yaml --date 2026-11-20 --output json >out &&
	grep "\"taken\":1" out && orders >have && test_cmp want have &&
	river extract-load orders.yaml --since 2026-11-19 --output json >out &&
	grep "\"taken\":2" out && orders >have && test_cmp want have &&
	river extract-load orders.yaml --date 2026-11-18 --output json >out &&
	grep "\"found\":0" out &&
	# a corrected one under the name
	printf "order_id,placed,total,op\nA1,02.02.2024 10:00,1,U\n" >ORDERS_1.csv &&
	pack ext-2026-11-20.zip &&
	river extract-load orders.yaml --date 2026-11-20 &&
	printf "order_id,op,total\nA1,U,1.00\nA2,I,5.00\n" >want &&
	orders >have && test_cmp want have &&
	test $(ls lake/_river/extracts/orders/*.json | wc -l) = 2 &&
	test $(ls -d lake/loads/orders/*/orders.manifest | wc -l) = 2
'

test_expect_success 'records of a stream, once, also when the ledger is lost' '
	fresh && first &&
	sed "s|orders: .*table dw.orders }|orders: { to: stream dw/orders }|" orders.yaml >stream.yaml &&
	test_expect_code 5 river extract-load stream.yaml 2>err && grep "stream dw/orders" err &&
	test_expect_code 5 river extract-load stream.yaml --check >out 2>err && grep "stream dw/orders does not exist" err &&
	grep "records of the stream dw/orders" out &&
	river stream create dw/orders >/dev/null &&
	river extract-load stream.yaml &&
	rm -rf lake/_river/extracts state/extracts &&
	river extract-load stream.yaml --output json >out && grep "\"taken\":1" out &&
	find lake/data -type f | sort | xargs zstd -qdc >have &&
	printf "{\"order_id\":\"A1\",\"op\":\"I\",\"placed\":\"2024-02-01T10:00:00Z\",\"total\":19.90}\n" >want &&
	printf "{\"order_id\":\"A2\",\"op\":\"I\",\"placed\":\"2024-02-01T11:00:00Z\",\"total\":5}\n" >>want &&
	test_cmp want have
'

test_expect_success 'rows that a stream has in another form are not sent again, and it is said what to do' '
	sed "1ijob: narrow
	s/op: string, //; /delete_when/d" stream.yaml >narrow.yaml &&
	test_expect_code 6 river extract-load narrow.yaml 2>err &&
	test_grep "has sent other data as its batch 0" err &&
	test_grep "hint: the stream has this extract.s rows of orders already" err &&
	test_grep ! "give another input another name" err
'

test_expect_success 'a lake that is typed is of where one stands, a source of where the job is' '
	fresh && first && mkdir -p jobs && mv drop jobs/ && cp orders.yaml jobs/typed.yaml &&
	river -c lake=typed -c warehouse.path=typed.duckdb extract-load jobs/typed.yaml &&
	test_path_is_dir typed/loads/typed && test_path_is_missing jobs/typed &&
	test "$(river -c lake=typed -c warehouse.path=typed.duckdb --output csv query "select count(*) from dw.orders" |
		tail -1)" = 2
'

test_expect_success 'tables that are a stream'\''s are not taken, nor dropped with it' '
	fresh && first && river stream create dw/orders >/dev/null &&
	test_expect_code 6 river extract-load orders.yaml 2>err &&
	test_grep "the table dw.orders is one of a stream" err && test_grep "to: stream dw/orders" err &&
	sed "s/table dw.orders/table dw.orders_clean/" orders.yaml >clean.yaml &&
	test_expect_code 6 river extract-load clean.yaml 2>err &&
	test_grep "the table dw.orders_clean is one of a stream" err &&
	river stream delete dw/orders --yes >/dev/null &&
	river extract-load orders.yaml && orders >before &&
	river stream create dw/orders >/dev/null && echo "{}" | river push dw/orders &&
	test_expect_code 7 river query "select 1" >out 2>err &&
	test_grep "the table dw.orders is one that extracts are loaded into" err &&
	river stream delete dw/orders --data --yes >out &&
	orders >after && test_cmp before after
'

test_expect_success 'rows as long as the job lets them be are records of a stream' '
	fresh && cat >long.yaml <<-\YAML &&
	source: { path: drop }
	tables: { t: { member: t.csv, columns: { id: integer, s: string } } }
	loads: { t: { to: stream dw/long } }
	limits: { max_row: 32MiB }
	YAML
	river stream create dw/long >/dev/null &&
	{ printf "id,s\n1," && head -c 17000000 /dev/zero | tr "\0" x && printf "\n2,y\n"; } >t.csv &&
	mkdir -p drop && "$make_zip" --pack drop/long.zip t.csv && river extract-load long.yaml 2>err && test_must_be_empty err &&
	test $(find lake/data -type f | xargs zstd -qdc | wc -c) = 17000033
'

test_expect_success 'a row that JSON makes too long for a table is refused before anything is loaded, and the lake takes it' '
	fresh && cat >long.yaml <<-\YAML &&
	source: { path: drop }
	tables: { t: { member: t.csv, columns: { id: integer, s: string } } }
	loads: { t: { to: table dw.long } }
	limits: { max_row: 32MiB }
	YAML
	{ printf "id,s\n1," && head -c 23000000 /dev/zero | tr "\0" "\1" && printf "\n"; } >t.csv &&
	mkdir -p drop && "$make_zip" --pack drop/long.zip t.csv && test_expect_code 9 river extract-load long.yaml 2>err &&
	grep "long.zip: a row of the table t has 13[0-9.]* MiB as JSON; streams and tables take 128 MiB at most" err && grep "hint: nothing of it was loaded" err &&
	find lake -name "*t-0001*" >left && test_must_be_empty left &&
	sed "s/table dw.long/lake/" long.yaml >lake.yaml && river extract-load lake.yaml
'

test_expect_success '130, 132: rows that are not right are set aside, up to a number' '
	fresh &&
	printf "order_id,placed,total,op\nA1,x,1,I\nA2,01.02.2024 10:00,1.999,I\nA3,01.02.2024 10:00,1,I\n,,,\n" >ORDERS_1.csv &&
	pack ext-1.zip &&
	test_expect_code 9 river extract-load orders.yaml 2>err &&
	grep "ext-1.zip: ORDERS_1.csv, line 2: placed is not a time" err && ! grep "more than 0" err &&
	find lake -name "orders*" -type f >left && test_must_be_empty left &&
	test_expect_code 9 river extract-load orders.yaml --max-rejects 2 2>err && grep "more than 2 rows cannot be taken; ORDERS_1.csv, line" err &&
	test_expect_code 7 river extract-load orders.yaml --max-rejects 3 2>err &&
	grep "3 rows were set aside in $PWD/lake/_river/extracts/orders$" err && grep "hint: <extract>.rejects.ndjson" err &&
	cat lake/_river/extracts/orders/*.rejects.ndjson >rejects && test_line_count = 3 rejects &&
	grep "\"member\":\"ORDERS_1.csv\",\"table\":\"orders\",\"line\":3,\"offset\":34,\"code\":\"bad_value\",\"column\":\"total\"" rejects &&
	river query --output csv "SELECT order_id FROM dw.orders" >have && printf "order_id\nA3\n" >want &&
	test_cmp want have
'

test_expect_success 'an event that is not there is named once' '
	test_expect_code 5 river extract-load orders.yaml --event none.json 2>err &&
	echo "river: no file none.json" >want && test_cmp want err
'

test_expect_success '108: a table that is missing, one too many, one without rows' '
	fresh && first && "$make_zip" --pack drop/ext-1.zip ORDERS_1.csv &&
	test_expect_code 9 river extract-load orders.yaml 2>err &&
	grep "no member LINES.csv, which is the table lines" err &&
	sed "s|member: LINES.csv|member: LINES.csv\n    optional: true|" orders.yaml >optional.yaml &&
	river extract-load optional.yaml --check >out &&
	river -v extract-load optional.yaml 2>err &&
	printf "order_id,placed,total,op\n" >ORDERS_1.csv && echo x >note.txt &&
	"$make_zip" --pack drop/ext-2.zip ORDERS_1.csv LINES.csv note.txt &&
	river -v extract-load optional.yaml 2>err && grep "ext-2.zip: no table of the job: note.txt$" err &&
	for i in 1 2 3 4 5 6 7 8 9; do cp note.txt "note$i.txt"; done &&
	"$make_zip" --pack drop/ext-3.zip ORDERS_1.csv LINES.csv note?.txt &&
	river -v extract-load optional.yaml 2>err && test $(grep -c "no table of the job" err) = 1 &&
	grep "note1.txt, .*, note8.txt and 1 more$" err
'

test_expect_success '85: a bad extract does not keep the others back' '
	fresh && first && second &&
	head -c 100 drop/ext-2.zip >drop/ext-0.zip && touch -d "1 hour ago" drop/ext-0.zip &&
	test_expect_code 9 river extract-load orders.yaml --output json >out 2>err &&
	grep "\"taken\":2" out && grep "ext-0.zip" err && orders >have && grep "^A3" have
'

test_expect_success '81: one that is not whole yet is left, then taken' '
	fresh && first && cp drop/ext-1.zip whole && head -c 200 whole >drop/ext-1.zip &&
	cp whole drop/ext-3.zip.part &&
	river extract-load orders.yaml --output json >out && grep "\"waiting\":1" out &&
	cp whole drop/ext-1.zip &&
	river extract-load orders.yaml --output json >out && grep "\"found\":1,\"taken\":1" out
'

test_expect_success '90: a wrong CRC-32, and nothing of the archive is there' '
	fresh && mkdir drop && "$make_zip" 90-crc drop/bad.zip && touch -d "1 hour ago" drop/bad.zip &&
	cat >bad.yaml <<-\YAML &&
	source: { path: drop }
	tables:
	  a: { member: a.csv, optional: true, dialect: { names: [x], quote: none, delimiter: "|" }, columns: [x] }
	  b: { member: b.csv, dialect: { names: [x], quote: none, delimiter: "|" }, columns: [x] }
	loads: { a: {}, b: {} }
	YAML
	test_expect_code 9 river extract-load bad.yaml --max-rejects 100 2>err &&
	grep "bad.zip.*b.csv.*CRC-32" err &&
	find lake -type f >left && test_must_be_empty left
'

test_expect_success '76: a second run does not wait unless it is told to' '
	fresh && first &&
	mkdir -p state/extracts/orders &&
	: >state/extracts/orders/lock &&
	mkfifo hold held &&
	{ "$RIVER_BUILD/tests/lib/hold_lock" state/extracts/orders/lock <hold >held & } &&
	exec 7>hold && read -r line <held &&
	test_expect_code 11 river extract-load orders.yaml 2>err &&
	grep "another run of the job orders works" err &&
	river --lock skip extract-load orders.yaml &&
	exec 7>&- && river --lock wait extract-load orders.yaml --output json >out &&
	grep "\"taken\":1" out
'

test_expect_success 'the deadline' '
	fresh && first && touch -d "2 hours ago" drop/ext-1.zip &&
	test_expect_code 1 river extract-load orders.yaml --deadline 1h 2>err &&
	grep "after it was written; the deadline is 1h" err &&
	river extract-load orders.yaml --deadline 1h
'

test_expect_success '131: the order of members and the number of threads change nothing' '
	fresh && first && river extract-load orders.yaml --threads 1 &&
	(cd lake && find loads -type f | sort | xargs cat | cksum) >one &&
	rm -rf lake state w.duckdb* && river extract-load orders.yaml --threads 4 &&
	(cd lake && find loads -type f | sort | xargs cat | cksum) >two && test_cmp one two
'

test_expect_success '--check says what would be done, and does nothing' '
	fresh && first && river extract-load orders.yaml --check >out &&
	grep "merged into the table dw.orders" out && grep "ext-1.zip: would be taken" out &&
	test_path_is_missing lake &&
	river extract-load orders.yaml && river extract-load orders.yaml --check >out &&
	grep "ext-1.zip: was taken" out
'

test_expect_success 'wrong on the command line and in the job' '
	test_expect_code 2 river extract-load 2>err && grep "needs a job file" err &&
	test_expect_code 5 river extract-load none.yaml 2>err &&
	test_expect_code 2 river extract-load orders.yaml --date yesterday 2>err && grep "2026-11-20" err &&
	test_expect_code 2 river extract-load orders.yaml --date 2026-02-30 2>err &&
	test_expect_code 2 river extract-load orders.yaml --date "2026- 2- 3" 2>err &&
	test_expect_code 2 river extract-load orders.yaml --since "2026-+2-+3" 2>err &&
	test_expect_code 2 river extract-load orders.yaml --date 2026-02-20 --since 2026-02-20 2>err &&
	test_expect_code 5 river extract-load orders.yaml nowhere.zip 2>err && grep nowhere.zip err &&
	sed "s/member/membr/" orders.yaml >slip.yaml &&
	test_expect_code 3 river extract-load slip.yaml 2>err && grep "slip.yaml:5:5" err && grep "did you mean .member" err
'

test_expect_success '124: a double that a table would change is set aside, and no table is asked to guess' '
	fresh && cat >doubles.yaml <<-\YAML &&
	source: { path: drop }
	tables: { t: { member: T.csv, columns: { k: string, f: double } } }
	loads: { t: { to: table dw.doubles } }
	YAML
	printf "k,f\na,0.30000000000000004\nb,9007199254740993\nc,1e-400\nd,1e22\n" >T.csv &&
	mkdir -p drop && "$make_zip" --pack drop/d.zip T.csv &&
	test_expect_code 7 river extract-load doubles.yaml --max-rejects 2 2>err &&
	grep "line 3: f has more digits than a double holds" err &&
	grep -c "is nearer to 0 than a double can be" lake/_river/extracts/doubles/*.rejects.ndjson &&
	river query --output csv "SELECT k, f = 0.30000000000000004::double OR f = 1e22 AS same FROM dw.doubles ORDER BY k" >out &&
	printf "k,same\na,true\nd,true\n" >expected && test_cmp expected out
'

test_done
