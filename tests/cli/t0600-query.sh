#!/bin/sh
test_description='query: files as tables, the warehouse, output formats, and that it only reads'
. "$(dirname "$0")/../lib/test-lib.sh"

test_expect_success 'a file is a table' '
	printf "%s\n" "{\"a\":1,\"b\":\"x\"}" "{\"a\":2,\"b\":null}" >"Page views.ndjson" &&
	river --output csv query --from "Page views.ndjson" "select a, b from page_views order by a desc" >out &&
	printf "a,b\n2,\n1,x\n" >want &&
	test_cmp want out &&
	river --output csv query --from "Page views.ndjson" "select count(*) n from t" >out &&
	printf "n\n2\n" >want &&
	test_cmp want out
'

test_expect_success 'several files, packed ones, as options and operands' '
	printf "id,name\n1,one\n2,two\n" >names.csv &&
	gzip -k names.csv && mv names.csv.gz packed.csv.gz &&
	river --output csv query --from names.csv packed.csv.gz \
		"select n.name from names n join packed p using (id) order by 1" >out &&
	printf "name\none\ntwo\n" >want &&
	test_cmp want out
'

test_expect_success 'a folder name with = is no column and changes none' '
	mkdir -p dt=2020-01-01/hr=05 &&
	printf "{\"dt\":\"mine\",\"a\":1}\n" >dt=2020-01-01/hr=05/rows.ndjson &&
	cp dt=2020-01-01/hr=05/rows.ndjson dt=2020-01-01/hr=05/one.json &&
	printf "dt,a\nmine,1\n" >dt=2020-01-01/hr=05/lines.csv &&
	river query --no-load --write "copy (select \$\$mine\$\$ dt, 1 a) to \$\$$PWD/dt=2020-01-01/hr=05/file.parquet\$\$ (format parquet)" &&
	printf "dt,a\nmine,1\n" >want &&
	for file in rows.ndjson one.json lines.csv file.parquet
	do
		river --output csv query --from dt=2020-01-01/hr=05/$file "select * from t" >out &&
		test_cmp want out || return 1
	done
'

test_expect_success 'csv quotes what needs it; null is empty, an empty text is not' '
	cat >sql <<-\EOF &&
	select * from (values ($$a,b$$, $$say "x"$$, null), ($$two
	lines$$, $$$$, 1.50)) as v(a, "b c", d)
	EOF
	river --output csv query --from names.csv -f sql >out &&
	cat >want <<-\EOF &&
	a,b c,d
	"a,b","say ""x""",
	"two
	lines","",1.50
	EOF
	test_cmp want out
'

test_expect_success 'json has every kind of value' '
	cat >sql <<-\EOF &&
	select 12345678901234567.890123::decimal(38,6) d, 170141183460469231731687303715884105727::hugeint h,
	[1,null,3] l, {a: 1, b: [true]} s, map {$$k$$: date $$2024-02-29$$} m, 0.1::float f, 1e300 e,
	$$nan$$::double n, timestamp $$1969-12-31 23:59:59.5$$ t, interval $$1 month 2 days$$ i,
	$$x$$::blob b, $${"r": 1}$$::json j, null z, -5::tinyint y, $$a$$::enum($$a$$, $$b$$) w,
	$$f47ac10b-58cc-4372-a567-0e02b2c3d479$$::uuid u
	EOF
	river --output json query --from names.csv - <sql >out &&
	cat >want <<-\EOF &&
	{"d":12345678901234567.890123,"h":170141183460469231731687303715884105727,"l":[1,null,3],"s":{"a":1,"b":[true]},"m":{"k":"2024-02-29"},"f":0.1,"e":1e+300,"n":"nan","t":"1969-12-31 23:59:59.5","i":"1 month 2 days","b":"x","j":{"r": 1},"z":null,"y":-5,"w":"a","u":"f47ac10b-58cc-4372-a567-0e02b2c3d479"}
	EOF
	test_cmp want out
'

test_expect_success 'numbers agree with the engine' '
	cat >sql <<-\EOF &&
	with n as (select (random() * pow(10, (i % 30) - 15)) v, i from range(20000) r(i))
	select count(*) bad from (select v from n) where v::varchar::double <> v
	EOF
	river --output csv query --from names.csv \
		"select (i * 7919 % 10007 - 5000) / 64.0 v, ((i * 7919 % 10007 - 5000) / 64.0)::varchar s from range(3000) r(i)" >out &&
	tail -n +2 out | awk -F, "\$1 + 0 != \$2 + 0 { print; bad = 1 } END { exit bad }"
'

test_expect_success 'a text table lines up; numbers at the right' '
	river query --from names.csv "select 5 as n, \$\$x\$\$ as text union all select 1234, \$\$yy\$\$" >out &&
	printf "   n  text\n   5  x\n1234  yy\n" >want &&
	test_cmp want out
'

test_expect_success 'only queries without --write, each statement looked at' '
	for sql in "create table x(a int)" "select 1; drop table x" "copy (select 1) to \$\$out.csv\$\$" \
		"attach \$\$other.db\$\$" "set threads = 1" "install httpfs" "load httpfs" "pragma enable_profiling" \
		"insert into names values (1)" "explain analyze insert into names values (1)"
	do
		test_must_fail river query "$sql" >out 2>err || return 1
	done &&
	test_expect_code 2 river query "select 1; create table x(a int)" >out 2>err &&
	test_grep "statement 2: CREATE is not a query" err &&
	test_must_be_empty out &&
	test_path_is_missing other.db
'

test_expect_success 'files are of no business' '
	test_expect_code 2 river query --from names.csv --business web "select 1" >out 2>err &&
	test_grep "business and --from do not go together" err &&
	test_must_be_empty out
'

test_expect_success 'a change at the end is found before anything is printed' '
	test_expect_code 2 river query "select 1; delete from x where false" >out 2>err &&
	test_must_be_empty out &&
	test_expect_code 2 river query --from names.csv "select 1; explain analyze create table x as select 1" >out 2>err &&
	test_must_be_empty out
'

test_expect_success 'queries can be explained, and nothing else' '
	river query --from names.csv "explain select * from names" >out &&
	test_grep "physical_plan" out &&
	river query --from names.csv " -- why
		/* so */ EXPLAIN ANALYZE select * from names;" >out &&
	test_grep "analyzed_plan" out &&
	river query --from names.csv "explain (format json) select * from names" >out &&
	test_grep "READ_CSV" out &&
	cp names.csv before.csv &&
	for sql in "explain analyze copy (select 1) to \$\$$PWD/names.csv\$\$" \
		"explain analyze create temp table x as select 1" \
		"explain (analyze) create temp table x as select 1" "explain select 1; select 2"
	do
		test_expect_code 2 river query --from names.csv "$sql" >out 2>err || return 1
		test_must_be_empty out &&
		test_grep "only a single SELECT can be explained" err || return 1
	done &&
	test_cmp before.csv names.csv
'

test_expect_success 'a PIVOT that needs a type says so' '
	test_expect_code 2 river query --from names.csv "pivot names on name using count(*)" 2>err &&
	test_grep "PIVOT without IN" err &&
	river --output csv query --from names.csv "pivot names on name in (one, two) using count(*) group by id order by id" >out &&
	printf "id,one,two\n1,1,0\n2,0,1\n" >want &&
	test_cmp want out
'

test_expect_success 'SQL reads no files but those given' '
	for sql in "select * from read_text(\$\$$TRASH_DIRECTORY/sql\$\$)" "select * from read_csv(\$\$packed.csv.gz\$\$)" \
		"select * from \$\$packed.csv.gz\$\$" "copy (select 1) to \$\$out.csv\$\$"
	do
		for from in "" "--from names.csv"
		do
			test_expect_code 2 river query $from "$sql" 2>err &&
			test_grep "neither reads nor writes files" err && test_grep "\-\-output csv" err ||
			return 1
		done
	done &&
	test_path_is_missing out.csv
'

test_expect_success 'mistakes are said, with their codes' '
	test_expect_code 2 river query "selec 1" 2>err &&
	test_grep "syntax error" err &&
	test_expect_code 2 river query "select nothing from nowhere" 2>err &&
	test_grep "nowhere" err &&
	test_expect_code 2 river query 2>err &&
	test_expect_code 2 river query " ; " 2>err &&
	test_expect_code 5 river query --from missing.csv "select 1" 2>err &&
	test_grep "missing.csv" err &&
	test_expect_code 2 river query --from sql "select 1" 2>err &&
	test_expect_code 5 env RIVER_DUCKDB=/nowhere/libduckdb.so river query "select 1" 2>err &&
	test_grep "make deps" err
'

test_expect_success 'a file that cannot be read is said without the view river makes of it' '
	echo "[1,{" >bad.json && test_expect_code 2 river query --from bad.json "select 1" 2>err &&
	test_grep "^river: bad.json: .*Malformed JSON" err && test_grep ! "CREATE VIEW" err &&
	test_grep "read_json" err &&
	test_expect_code 2 river query --from names.csv "select * from nope" 2>err &&
	test_grep "there is no table nope" err && test_grep "table t" err
'

test_expect_success 'a table that is not there: which one was meant' '
	mkdir tables && cd tables &&
	cat >river.yaml <<-\EOF &&
	default_profile: local
	profiles:
	  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
	EOF
	test_expect_code 2 river query "select * from nope" 2>err &&
	test_grep "there are no streams yet" err &&
	river stream create retail/orders && river stream create retail/empty --key id --column id=integer &&
	river stream create web/clicks && echo "{}" | river push retail/orders &&
	while read -r table near
	do
		test_expect_code 2 river query "select * from $table" 2>err &&
		test_grep "there is no table $table\$" err && test_grep "did you mean $near?" err || return 1
	done <<-\EOF &&
	orders retail.orders
	retail.ordrs retail.orders
	retial.orders retail.orders
	ordrs_clean retail.orders_clean
	EOF
	for table in web.clicks Web.Clicks retail.empty
	do
		test_expect_code 2 river query "select count(*) from $table x" 2>err &&
		test_grep "/[a-z]* has nothing loaded yet" err && test_grep "river status" err || return 1
	done &&
	test_expect_code 2 river query "select * from retail.orders_latest" 2>err &&
	test_grep "retail/orders has no retail.orders_latest" err &&
	test_expect_code 2 river query "select * from something_else_wholly" 2>err &&
	test_grep "retail.empty, retail.orders, web.clicks" err &&
	test_expect_code 2 river query "select nope from retail.orders" 2>err && test_grep nope err &&
	cd ..
'

test_expect_success 'what is pending is loaded first, whatever the file is called' '
	cat >river.yaml <<-\EOF &&
	default_profile: local
	profiles:
	  local:
	    lake: ./lake
	    warehouse: { type: duckdb, path: ./web.duckdb }
	EOF
	river stream create web/clicks &&
	test_expect_code 2 river query --no-load "select count(*) n from web.clicks" &&
	printf "%s\n" "{\"a\": 1}" "{\"a\":\"\\u00e9\"}" |
	"$RIVER_BUILD/tests/lib/lakeobject" lake web/clicks dt=2026-11-20/hr=14 run1 1 >name &&
	river --output csv query "select record, file_name = \$\$$(cat name)\$\$ f, file_row from web.clicks order by 3" >out &&
	cat >want <<-\EOF &&
	record,f,file_row
	"{""a"": 1}",true,1
	"{""a"":""\u00e9""}",true,2
	EOF
	test_cmp want out &&
	river --output csv query "select count(*) n from web.clicks" >out &&
	printf "n\n2\n" >want &&
	test_cmp want out
'

test_expect_success 'an object that is not what its name says is told of, the rest is loaded, and the exit status is 7' '
	printf "%s\n" "{\"a\":3}" | "$RIVER_BUILD/tests/lib/lakeobject" lake web/clicks dt=2026-11-20/hr=14 run2 1 none >name &&
	printf "%s\n" "{\"a\":4}" >"lake/$(cat name)" &&
	printf "%s\n" "{\"a\":5}" | "$RIVER_BUILD/tests/lib/lakeobject" lake web/clicks dt=2026-11-20/hr=14 run3 1 gz >name3 &&
	test_expect_code 7 river --output csv query "select count(*) n from web.clicks" >out 2>err &&
	printf "n\n3\n" >want &&
	test_cmp want out && test_line_count = 2 err &&
	test_grep "^river: records may be missing in the result: 1 object could not be loaded; first $(cat name)" err &&
	test_grep "does not hold what its name says" err &&
	river --output csv query --no-load "select count(*) n from web.clicks" >out 2>err && test_cmp want out && test_must_be_empty err &&
	test_expect_code 7 river --output json query "select count(*) n from web.clicks" >out 2>err && test_grep "\"n\":3" out &&
	test_grep "\"code\":\"RV_PARTIAL\"\|RV_PARTIAL" err &&
	test_expect_code 2 river query "selec 1" >out 2>err && test_grep "records may be missing" err && test_grep selec err &&
	rm "lake/$(cat name)"
'

test_expect_success 'a stream that cannot be loaded is warned of; the others are loaded' '
	river stream create web/broken && river stream create web/zebra &&
	river query --no-load --write "create table if not exists web.seen (a int); drop table if exists web.broken;
		create view web.broken as select 1 x" &&
	for stream in web/broken web/zebra
	do
		printf "{\"a\":1}\n" | "$RIVER_BUILD/tests/lib/lakeobject" lake $stream dt=2026-11-20/hr=14 r 1 >/dev/null || return 1
	done &&
	printf "not a definition" >lake/_river/streams/web/aaa.json &&
	test_expect_code 7 river --output csv query "select count(*) n from web.zebra" >out 2>err &&
	printf "n\n1\n" >want &&
	test_cmp want out &&
	test_grep "2 streams could not be loaded; first web/aaa: " err &&
	rm lake/_river/streams/web/aaa.json &&
	test_expect_code 7 river --output csv query "select count(*) n from web.zebra" >out 2>err &&
	test_grep "1 stream could not be loaded; first web/broken: " err &&
	rm -r lake/_river/streams/web/broken.json lake/data/web/broken
'

test_expect_success 'a warehouse that is locked: what to do' '
	mkfifo hold held && { "$RIVER_BUILD/tests/lib/hold_lock" web.duckdb.lock <hold >held & holder=$!; } &&
	exec 8>hold && read -r word <held &&
	test_expect_code 11 river --lock=skip query --no-load "select 1" 2>err && test_grep "hint: .*--lock=wait" err &&
	test_expect_code 11 river --timeout 100ms query --no-load "select 1" 2>err && test_grep "hint: .*--timeout" err &&
	exec 8>&- && wait "$holder" && rm -f hold held
'

test_expect_success '--write writes, and the next query sees it' '
	river query --write "create table web.mine as select 42 x" &&
	river --output csv query "select x from web.mine" >out &&
	printf "x\n42\n" >want &&
	test_cmp want out &&
	test_must_fail river query "insert into web.mine values (1)"
'

test_expect_success 'a reader that leaves early is no failure; a full disk is' '
	river --output csv query "select * from range(3000000)" | head -n 1 >out &&
	printf "range\n" >want &&
	test_cmp want out &&
	test_expect_code 10 river --output csv query "select * from range(300000)" >/dev/full
'

# warehouse <folder> <rest of the warehouse>: a folder with a configuration of its own
warehouse () {
	mkdir -p "$1" &&
	sed "s#path: .*#$2 }#" river.yaml >"$1/river.yaml"
}

test_expect_success 'a file that grows too large at the end of a change is a failing disk' '
	warehouse full "path: ./full.duckdb" &&
	(
		cd full &&
		river query --write "select 1" >/dev/null &&
		trap "" XFSZ && ulimit -f 4000 &&
		test_expect_code 10 river query --write \
			"create table big as select i, md5(i::varchar) m from range(600000) r(i)" 2>err &&
		test_grep "Could not write file" err
	)
'

test_expect_success 'a query that needs more memory than it may take says where that is set' '
	warehouse small "path: ./small.duckdb, memory_limit: 20MiB" &&
	(
		cd small &&
		test_expect_code 1 river query \
			"select len(list(i::varchar || repeat(\$\$x\$\$, 30))) n from range(3000000) r(i)" 2>err &&
		test_grep "hint: warehouse.memory_limit" err
	)
'

test_expect_success 'a warehouse that is no file is refused by name' '
	mkfifo pipe.duckdb && mkdir -p folder.duckdb &&
	warehouse odd1 "path: ../pipe.duckdb" && warehouse odd2 "path: ../folder.duckdb" &&
	warehouse odd3 "path: /dev/full" &&
	for odd in odd1,pipe odd2,folder odd3,device
	do
		(
			cd ${odd%,*} &&
			test_expect_code 3 timeout 20 "$RIVER_BUILD/river" query "select 1" 2>err &&
			test_grep "is a ${odd#*,}, not a file" err &&
			test_expect_code 3 timeout 20 "$RIVER_BUILD/river" query --write "select 1" 2>err &&
			test_grep "is a ${odd#*,}, not a file" err
		) || return 1
	done
'

test_expect_success '197: queries at once wait for each other and for a loader' '
	for i in 1 2 3 4
	do
		printf "{\"i\":%s}\n" "$i" | "$RIVER_BUILD/tests/lib/lakeobject" lake web/clicks dt=2026-11-20/hr=15 r$i 1 >/dev/null || return 1
		river -q --output csv query "select count(*) n from web.clicks" >out$i 2>err$i &
	done &&
	wait &&
	cat err1 err2 err3 err4 >err &&
	test_must_be_empty err &&
	river --output csv query "select count(*) n, count(distinct record::varchar) d from web.clicks" >out &&
	printf "n,d\n7,7\n" >want &&
	test_cmp want out
'

test_done
