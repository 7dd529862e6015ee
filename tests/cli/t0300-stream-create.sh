#!/bin/sh
test_description='stream create: from flags and files, once, and refused with a reason'
. "$(dirname "$0")/../lib/test-lib.sh"
test_lazy_prereq MANDOC "command -v mandoc"

cat >river.yaml <<\EOF
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
EOF

lake_files () {
	(cd lake 2>/dev/null && find . -type f | sort)
}

test_expect_success 'a stream is created, and the same again is unchanged' '
	river stream create web/clicks --key event_id >out 2>err &&
	test_must_be_empty err &&
	echo "web/clicks: created" >expected &&
	test_cmp expected out &&
	test_path_is_file lake/_river/streams/web/clicks.json &&
	test_path_is_file lake/_river/format.json &&
	cp lake/_river/streams/web/clicks.json before &&
	river stream create web/clicks --key event_id >out &&
	echo "web/clicks: unchanged" >expected &&
	test_cmp expected out &&
	test_cmp before lake/_river/streams/web/clicks.json
'

test_expect_success '174: another definition exits 6 and says the difference' '
	test_expect_code 6 river stream create web/clicks --key event_id,part >out 2>err &&
	test_must_be_empty out &&
	test_grep "key: \[event_id\] -> \[event_id, part\]" err &&
	test_grep "stream apply -f" err &&
	test_cmp before lake/_river/streams/web/clicks.json
'

test_expect_success 'json: the result is an object a line, the error too' '
	river stream create web/clicks --key event_id --output json >out &&
	test_grep "^{\"v\":1,\"stream\":\"web/clicks\",\"action\":\"unchanged\",\"id\":\"[0-9a-z]*\"}\$" out &&
	test_expect_code 6 river stream create web/clicks --output json 2>err &&
	test_line_count = 1 err &&
	test_grep "\"error\":\"RV_CONFLICT\",\"code\":6" err
'

test_expect_success 'a plain name is of the business main' '
	river stream create plain >out &&
	echo "main/plain: created" >expected &&
	test_cmp expected out &&
	river stream create main/plain >out &&
	test_grep unchanged out
'

test_expect_success '177: names that are refused' '
	for name in Web/clicks web/page-views web/ /a a/b/c "" ../x river/x temp/x system/x \
		information_schema/x pg_catalog/x a_clean b/a_latest b/a_refused 9a
	do
		test_expect_code 2 river stream create "$name" >out 2>err || return 1
		test_grep "^hint: " err || return 1
	done &&
	test_expect_code 2 river stream create Web/Page-Views 2>err &&
	test_grep "did you mean web/page_views" err
'

test_expect_success 'every flag says the same as the file' '
	cat >all.yaml <<-\YAML &&
	stream: shop/orders
	csv: { delimiter: ";", quote: "'\''", header: false, names: [a, b], null: ["", NULL] }
	key: [id]
	order_by: at
	dedup: [id, total]
	delete_when: { column: gone, equals: true }
	layers: [raw, clean, latest]
	columns:
	  at: { type: timestamp, format: "%d.%m.%Y %H:%M", timezone: "+02:00" }
	  total: { type: "decimal(18,2)", from: payload.total, required: true }
	  gone: boolean
	contract: reject
	cluster_by: [date(at), id]
	grants: { read: [r1, r2], push: [p], admin: [a] }
	mask: [id]
	retention: { warehouse: 3 months }
	monitor: { freshness: 2h }
	batch: { size: 1MiB, records: 100, age: 1500ms }
	compression: gzip
	stamp: none
	pipe: notify
	YAML
	river stream create -f all.yaml &&
	river stream create shop/orders --format csv --csv-delimiter ";" --csv-quote "'\''" \
		--csv-no-header --csv-names a,b --csv-null "" --csv-null NULL --key id --order-by at \
		--dedup id,total --delete-when gone=true --layers raw,clean,latest \
		--column "at=timestamp format %d.%m.%Y %H:%M timezone +02:00" \
		--column "total=decimal(18, 2) from payload.total required" --column gone=boolean \
		--contract reject --cluster-by "date(at),id" --grant-read r1,r2 --grant-push p \
		--grant-admin a --mask id --retention "3 months" --freshness 2h --batch-size 1MiB \
		--batch-records 100 --batch-age 1500ms --compression gzip --stamp none --pipe notify >out 2>err &&
	echo "shop/orders: unchanged" >expected &&
	test_cmp expected out
'

test_expect_success 'river-stream(5) has every key, and its example is a definition' '
	page=$RIVER_BUILD/man/river-stream.5 &&
	sed -n "/^stream: shop/,/^\.Ed/p" "$page" | sed "\$d" >example.yaml &&
	test_line_count -gt 10 example.yaml &&
	river stream create -f example.yaml --dry-run >out && test_grep shop/lines out &&
	for key in $(sed -n "/known_in_files\[\]/,/};/p" "$RIVER_SOURCE/lib/config/definition.c" | grep -o "\"[a-z_]*\"" | tr -d "\"")
	do
		grep -E "^\.It Cm $key( |\.|\$)" "$page" >/dev/null || { echo "no $key"; return 1; }
	done &&
	for directive in $(grep -o "strchr(\"[A-Za-z%]*\"" "$RIVER_SOURCE/lib/config/definition_columns.c" | grep Ymd | cut -d "\"" -f 2 | sed "s/./& /g")
	do
		grep "^\.It.*%$directive" "$page" >/dev/null || { echo "no %$directive"; return 1; }
	done
'

test_expect_success MANDOC 'river-stream(5) renders without a complaint' '
	mandoc -Tlint -Wwarning "$RIVER_BUILD/man/river-stream.5" >complaints 2>&1 &&
	test_must_be_empty complaints
'

test_expect_success 'what flags have wrong is usage, with the key named' '
	test_expect_code 2 river stream create x --column "price=decimal(39,2)" 2>err &&
	test_grep "columns.price: a decimal has 1 to 38 digits, not 39" err &&
	test_expect_code 2 river stream create x --column price 2>err &&
	test_grep "has no type" err &&
	test_expect_code 2 river stream create x --key a --order-by when_it_happened 2>err &&
	test_grep "order_by: there is no column .when_it_happened." err &&
	test_grep -e "--column when_it_happened=string" err &&
	test_expect_code 2 river stream create x --key a --delete-when gone 2>err &&
	test_grep "is not column=value" err &&
	test_expect_code 2 river stream create x --layers raw,latest 2>err &&
	test_expect_code 2 river stream create x --batch-size 0 2>err &&
	test_grep "batch.size: must be more than 0" err &&
	test_expect_code 2 river stream create x --stamp ids 2>err && test_grep "ids" err &&
	test_expect_code 2 river stream create x --csv-delimiter ab 2>err &&
	test_expect_code 2 river stream create x --format xml 2>err &&
	test_expect_code 2 river stream create x --adopt --fresh 2>err &&
	test_expect_code 2 river stream create x y 2>err &&
	test_grep ".y. is too much" err &&
	test_expect_code 2 river stream create 2>err &&
	test_expect_code 2 river stream create x -f all.yaml 2>err &&
	test_expect_code 2 river stream create -f all.yaml --key a 2>err &&
	test_grep "(key)" err &&
	for list in key mask layers dedup cluster-by grant-read csv-names
	do
		test_expect_code 2 river stream create x --$list "" 2>err &&
		test_grep "^river: option .--$list.: the value is empty" err || return 1
	done &&
	test_expect_code 2 river stream create x --key "a,$empty,b" 2>err && test_grep "an item of .a,,b. is empty" err &&
	test_path_is_missing lake/_river/streams/main/x.json
'

test_expect_success 'what a file has wrong is named with its place' '
	printf "stream: web/x\ncolums: {}\n" >bad.yaml &&
	test_expect_code 3 river stream create -f bad.yaml 2>err &&
	test_grep "bad.yaml:2:1" err &&
	test_grep "did you mean .columns." err &&
	test_expect_code 3 river stream create -f bad.yaml --output json 2>err &&
	test_grep "\"file\":\"bad.yaml\",\"line\":2" err &&
	printf "stream: web/x\nkey: [\n" >bad.yaml &&
	test_expect_code 3 river stream create -f bad.yaml 2>err &&
	test_grep "bad.yaml" err &&
	test_expect_code 5 river stream create -f missing.yaml 2>err &&
	test_grep "missing.yaml" err &&
	: >empty.yaml &&
	test_expect_code 3 river stream create -f empty.yaml 2>err &&
	test_grep "no definition in empty.yaml" err &&
	mkdir -p empty &&
	test_expect_code 3 river stream create -f empty 2>err
'

test_expect_success 'too many columns, too long a definition' '
	{
		printf "stream: web/wide\ncolumns:\n" &&
		seq -f "  c%g: string" 1 1001
	} >wide.yaml &&
	test_expect_code 3 river stream create -f wide.yaml 2>err &&
	test_grep "wide.yaml:1003:3.*columns: more than 1000\|columns: more than 1000" err &&
	sed 1003d wide.yaml >fits.yaml &&
	river stream create -f fits.yaml &&
	sed "s/wide/keyed/; 1akey: [c1, id]" fits.yaml >keyed.yaml &&
	test_expect_code 3 river stream create -f keyed.yaml 2>err &&
	test_grep "key: with those of the key there are 1001 columns, more than 1000" err &&
	test_grep "keyed.yaml:2:6" err &&
	sed "s/c1, id/c1/" keyed.yaml >keyed-fits.yaml &&
	river stream create -f keyed-fits.yaml && river stream show web/keyed >out &&
	path=$(printf "%0900d" 0 | tr 0 \") &&
	{
		printf "stream: web/long\ncolumns:\n" &&
		seq -f "  c%g: { type: string, from: QUOTED }" 1 900 | sed "s|QUOTED|'\''/$path'\''|"
	} >long.yaml &&
	test_expect_code 3 river stream create -f long.yaml 2>err &&
	test_grep "the definition of web/long takes [0-9]* bytes, at most 1048320 fit" err &&
	test_grep "long.yaml:1:1" err &&
	test_path_is_missing lake/_river/streams/web/long.json
'

test_expect_success 'several documents, a folder, standard input' '
	mkdir -p defs &&
	printf "stream: many/a\n---\nstream: many/b\nkey: id\n---\n" >defs/one.yaml &&
	printf "stream: many/c\n" >defs/two.yml &&
	printf "this is: not read\n" >defs/README &&
	printf "stream: many/d\n" >defs/.hidden.yaml &&
	river stream create -f defs >out &&
	printf "many/%s: created\n" a b c >expected &&
	test_cmp expected out &&
	printf "stream: many/e\n" | river stream create -f - >out &&
	echo "many/e: created" >expected &&
	test_cmp expected out &&
	test_expect_code 3 river stream create -f - </dev/null 2>err &&
	test_grep "no definition in standard input" err
'

test_expect_success 'all problems are told, and then nothing is created' '
	mkdir -p mixed &&
	printf "stream: mixed/a\n---\nstream: mixed/b\nkye: x\n" >mixed/1.yaml &&
	printf "stream: mixed/a\n" >mixed/2.yaml &&
	printf "stream: web/clicks\nkey: other\n" >mixed/3.yaml &&
	test_expect_code 3 river stream create -f mixed >out 2>err &&
	test_must_be_empty out &&
	test_grep "1.yaml:4:1" err &&
	test_grep "mixed/a is defined twice, first in .*1.yaml line 1" err &&
	test_grep "web/clicks exists with another definition" err &&
	test_path_is_missing lake/_river/streams/mixed/a.json &&
	rm mixed/2.yaml &&
	printf "stream: mixed/a\n---\nstream: mixed/b\n" >mixed/1.yaml &&
	test_expect_code 6 river stream create -f mixed >out 2>err &&
	test_must_be_empty out &&
	test_path_is_missing lake/_river/streams/mixed/a.json
'

test_expect_success 'of several problems the gravest decides, wherever it stands' '
	mkdir -p grave && test_when_finished "rm -r grave lake/_river/streams/web/zz.json" &&
	echo garbage >lake/_river/streams/web/zz.json &&
	printf "stream: web/clicks\nkey: other\n---\nstream: web/zz\n" >grave/1.yaml &&
	test_expect_code 12 river stream create -f grave 2>err && test_grep "exists with another definition" err &&
	test_grep "the definition is not JSON" err &&
	printf "stream: grave/a\nkye: x\n" >grave/2.yaml &&
	test_expect_code 12 river stream create -f grave 2>err && test_grep "2.yaml:2:1" err &&
	test_expect_code 12 river stream apply -f grave 2>err &&
	test_expect_code 12 river stream diff -f grave 2>err &&
	printf "stream: web/clicks\nkey: other\n" >grave/1.yaml &&
	test_expect_code 3 river stream create -f grave 2>err
'

test_expect_success '178: a dry run prints what would be written, and writes nothing' '
	lake_files >before &&
	river stream create web/new --key id -n >out &&
	test_grep "^web/new: create\$" out &&
	test_grep "write _river/streams/web/new.json" out &&
	test_grep "{\"v\":1,\"stream\":\"web/new\",\"format\":\"auto\",\"key\":\[\"id\"\]" out &&
	river stream create web/new --key id --dry-run --output json >out &&
	test_line_count = 1 out &&
	test_grep "\"dry_run\":true,\"object\":\"_river/streams/web/new.json\",\"definition\":{" out &&
	test_expect_code 6 river stream create web/clicks --dry-run 2>err &&
	lake_files >after &&
	test_cmp before after &&
	test_expect_code 0 env RIVER_LAKE=./nowhere river stream create a -n &&
	test_path_is_missing nowhere
'

test_expect_success 'objects that lie there already want a decision' '
	mkdir -p lake/data/old/one/dt=2020-01-01/hr=00 lake/data/old/two/dt=2020-01-01/hr=00 &&
	: >lake/data/old/one/dt=2020-01-01/hr=00/x-000001-r1-h0.ndjson &&
	: >lake/data/old/two/dt=2020-01-01/hr=00/x-000001-r1-h0.ndjson &&
	test_expect_code 6 river stream create old/one 2>err &&
	test_grep "data/old/one/ already holds objects" err &&
	test_grep -e "--adopt" err &&
	test_expect_code 6 river stream create old/one --dry-run 2>err &&
	river stream create old/one --adopt &&
	test_grep ! since lake/_river/streams/old/one.json &&
	river stream create old/two --fresh &&
	test_grep "\"since\":\"dt=20..-..-../hr=..\"" lake/_river/streams/old/two.json &&
	river stream show old/two >out &&
	test_grep "^# objects before dt=" out &&
	mkdir -p lake/data/old/three/dt=2999-01-01/hr=00 &&
	: >lake/data/old/three/dt=2999-01-01/hr=00/x-000001-r1-h0.ndjson &&
	test_expect_code 6 river stream create old/three --fresh 2>err &&
	test_grep "lie in the present hour" err &&
	test_path_is_missing lake/_river/streams/old/three.json
'

# the hour of another host, whose clock is ahead of this one
test_expect_success 'no run begins before the first hour of its stream, whatever this clock says' '
	sed "s|\"since\":\"[^\"]*\"|\"since\":\"dt=2999-01-01/hr=07\"|" lake/_river/streams/old/two.json >ahead.json &&
	test_grep "dt=2999-01-01/hr=07" ahead.json &&
	cp ahead.json lake/_river/streams/old/two.json &&
	echo "{\"n\":1}" | river push old/two &&
	echo "{\"n\":2}" | river push old/two --run again &&
	echo "{\"n\":2}" | river push old/two --run again &&
	river status old/two --no-load --output json >out &&
	test_grep "\"accepted\":2," out &&
	ls lake/data/old/two/dt=2999-01-01/hr=07 >objects &&
	test_line_count = 2 objects
'

test_expect_success '173: fifty at once: one stream, and everyone is told' '
	for i in 1 2 3 4 5 6 7 8 9 10
	do
		for j in 1 2 3 4 5
		do
			key=id
			test $((i % 2)) = 0 || key=other
			{
				river stream create race/it --key $key >out.$i.$j 2>err.$i.$j
				echo $? >code.$i.$j
			} &
		done
	done &&
	wait &&
	cat code.* | sort | uniq -c | sed "s/^ *//" >codes &&
	printf "25 0\n25 6\n" >expected &&
	test_cmp expected codes &&
	cat out.* >outs &&
	test "$(grep -c ": created" outs)" = 1 &&
	test "$(grep -c ": unchanged" outs)" = 24 &&
	cat err.* >errs &&
	test "$(grep -c "exists with another definition" errs)" = 25 &&
	lake_files >files &&
	test "$(grep -c race files)" = 1
'

test_expect_success 'names with the same letters do not mix' '
	river stream create ab/c &&
	river stream create a/b_c --key id &&
	river stream create a/bc &&
	river stream show a/b_c >out &&
	test_grep "^key: .id." out &&
	river stream show ab/c >out &&
	test_grep ! "^key" out &&
	river stream delete ab/c --yes --data &&
	river stream show a/b_c >out &&
	river stream show a/bc >out
'

test_expect_success 'a lake or a definition of a newer river is refused by name' '
	mkdir -p newer/_river &&
	echo "{\"v\":2}" >newer/_river/format.json &&
	test_expect_code 3 env RIVER_LAKE=./newer river stream create a 2>err &&
	test_grep "has format 2, this river knows up to 1" err &&
	test_expect_code 3 env RIVER_LAKE=./newer river stream list 2>err &&
	echo "{\"v\":7,\"stream\":\"web/newer\"}" >lake/_river/streams/web/newer.json &&
	test_expect_code 3 river stream show web/newer 2>err &&
	test_grep "has version 7, this river knows up to 2" err &&
	test_expect_code 3 river stream create web/newer 2>err &&
	rm lake/_river/streams/web/newer.json
'

test_expect_success !ROOT 'a lake that cannot be written to exits 10' '
	mkdir closed &&
	chmod 555 closed &&
	test_when_finished "chmod 755 closed" &&
	test_expect_code 10 env RIVER_LAKE=./closed river stream create a 2>err &&
	test_grep closed err
'

test_expect_success 'a lake that is a file exits 10' '
	: >file &&
	test_expect_code 10 env RIVER_LAKE=./file river stream create a 2>err &&
	test_grep "file is not a folder" err
'

test_done
