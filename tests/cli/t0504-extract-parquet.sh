#!/bin/sh
test_description='extract-load: Parquet, field by field what the members say, or a reject'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

# no warehouse at all: the engine is not that of the profile
cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none, memory_limit: 600MiB } }
YAML
cat >job.yaml <<\YAML
job: j
source: { path: drop }
dialect: { timezone: UTC, null: ["", "\\N"] }
tables:
  t:
    member: "t*.csv"
    columns:
      id: integer
      name: string
      small: "decimal(4,2)"
      total: "decimal(18,2)"
      large: "decimal(38,10)"
      rate: double
      yes: boolean
      day: date
      at: timestamp
      doc: json
loads: { t: { to: lake, format: parquet } }
YAML
rm -f *.csv
cat >t1.csv <<\CSV
id,name,small,total,large,rate,yes,day,at,doc,other
1,plain,1.10,19.90,1.5,1.5,true,2026-11-20,2026-11-20 16:58:51,"{""a"":1.10}",x
2,"",,,,,,,,,x
3,\N,\N,\N,\N,\N,\N,\N,\N,\N,\N
4,"a ""quote"", a comma
and a line",-99.99,-9999999999999999.99,1234567890123456789012345678.0123456789,-1.7976931348623157e308,0,0001-01-01,1969-12-31 23:59:59.999999,"[1,
2]",
9223372036854775807,äöü€🎉,0,0.00,-9999999999999999999999999999.9999999999,5e-324,FALSE,9999-12-31,9999-12-31T23:59:59.999999Z,null,
-9223372036854775808,more than twelve bytes,1e-2,+7,-0.0000000001,0.30000000000000004,1,1900-02-28,1582-10-15T00:00:00+02:00,"""x""",
CSV

# pack NAME MEMBER...
pack () {
	name=$1
	shift
	mkdir -p drop && "$make_zip" --pack "$name" "$@" && mv "$name" drop/
}
fresh () {
	rm -rf lake drop state
}
ask () {
	river query --output csv --from "$@"
}

test_expect_success 'every field comes back' '
	fresh && pack ext-1.zip t1.csv && river extract-load job.yaml >out 2>err &&
	test_must_be_empty out && test_must_be_empty err &&
	file=$(echo lake/loads/j/*/t-0001-0001.parquet) && cp "$file" t.parquet &&
	cat >want <<-\CSV &&
	id,name,small,total,large
	1,plain,1.10,19.90,1.5000000000
	2,"",,,
	3,,,,
	4,"a ""quote"", a comma
	and a line",-99.99,-9999999999999999.99,1234567890123456789012345678.0123456789
	9223372036854775807,äöü€🎉,0.00,0.00,-9999999999999999999999999999.9999999999
	-9223372036854775808,more than twelve bytes,0.01,7.00,-0.0000000001
	CSV
	ask t.parquet "SELECT id, name, small, total, large FROM t" >have && test_cmp want have &&
	cat >want <<-\CSV &&
	rate,yes,day,us,doc
	1.5,true,2026-11-20,1795193931000000,"{""a"":1.10}"
	,,,,
	,,,,
	-1.7976931348623157e+308,false,0001-01-01,-1,"[1, 2]"
	4.94065645841247e-324,false,9999-12-31,253402300799999999,null
	0.30000000000000004,true,1900-02-28,-12219300000000000,"""x"""
	CSV
	ask t.parquet "SELECT rate, yes, day, epoch_us(\"at\") AS us, doc FROM t" >have && test_cmp want have
'

test_expect_success 'field by field, against the member as DuckDB reads it' '
	awk "BEGIN {
		print \"id,name,small,total,large,rate,yes,day,at,doc\"
		for (i = 1; i <= 4000; i++)
			printf \"%d,%s,%d.%02d,%d.%02d,%d%09d%09d.%010d,%d.%d,%s,%04d-%02d-%02d,%04d-%02d-%02d %02d:%02d:%02d.%06d,{\\\"\\\"n\\\"\\\":%d}\\n\",
				i * 7919 - 9000000, i % 11 ? \"name \" i : \"\", i % 100, i % 97, i * 31, i % 100, i, i, i * 7, i, i, i % 1000,
				i % 2 ? \"true\" : \"false\", 1 + i % 9998, 1 + i % 12, 1 + i % 28, 1800 + i % 400, 1 + i % 12, 1 + i % 28,
				i % 24, i % 60, (i * 7) % 60, i, i
	}" | sed "s/,{\(.*\)}\$/,\"{\\1}\"/" >t1.csv && cp t1.csv many.csv &&
	fresh && pack ext-1.zip t1.csv && river extract-load job.yaml &&
	cp lake/loads/j/*/t-0001-0001.parquet many.parquet && mv many.csv text.csv &&
	ask text.csv many.parquet "
		WITH c AS (SELECT id::BIGINT, name, small::DECIMAL(4, 2), total::DECIMAL(18, 2), large::DECIMAL(38, 10), rate::DOUBLE,
			yes::BOOLEAN, day::DATE, epoch_us(\"at\"::TIMESTAMP), doc::VARCHAR
			FROM read_csv(\$\$$PWD/text.csv\$\$, all_varchar = true)),
		p AS (SELECT id, name, small, total, large, rate, yes, day, epoch_us(\"at\"), doc::VARCHAR FROM many)
		SELECT count(*) AS n, (SELECT count(*) FROM p) AS rows
		FROM ((FROM c EXCEPT ALL FROM p) UNION ALL (FROM p EXCEPT ALL FROM c))" >have &&
	printf "n,rows\n0,4000\n" >want && test_cmp want have
'

test_expect_success 'types, the logical ones too, and what packs the pages' '
	cat >want <<-\CSV &&
	name,type,converted_type,logical
	id,INT64,INT_64,
	name,BYTE_ARRAY,UTF8,
	small,INT32,DECIMAL,"DecimalType(scale=2, precision=4)"
	total,INT64,DECIMAL,"DecimalType(scale=2, precision=18)"
	large,FIXED_LEN_BYTE_ARRAY,DECIMAL,"DecimalType(scale=10, precision=38)"
	rate,DOUBLE,,
	yes,BOOLEAN,,
	day,INT32,DATE,
	at,INT64,TIMESTAMP_MICROS,"TimestampType(isAdjustedToUTC=1, unit=TimeUnit("
	doc,BYTE_ARRAY,JSON,JsonType()
	CSV
	ask t.parquet "SELECT name, type, converted_type, regexp_replace(logical_type, \$\$MILLIS.*\$\$, \$\$\$\$) AS logical
		FROM parquet_schema(\$\$$PWD/t.parquet\$\$) WHERE type IS NOT NULL" >have &&
	test_cmp want have
'

test_expect_success 'every packing of pages, and its name in the manifest with its length' '
	for pages in zstd snappy gzip none
	do
		fresh && pack ext-1.zip t1.csv &&
		sed "s/format: parquet/format: parquet, compression: $pages/" job.yaml >pages.yaml &&
		river extract-load pages.yaml &&
		object=$(sed -n "s|.*\"url\":\"file://\([^\"]*\)\".*|\1|p" lake/loads/j/*/t.manifest) &&
		size=$(sed -n "s|.*\"content_length\":\([0-9]*\).*|\1|p" lake/loads/j/*/t.manifest) &&
		grep "\"record_count\":4000}" lake/loads/j/*/t.manifest &&
		test $(wc -c <"$object") = $size && cp "$object" t.parquet &&
		ask t.parquet "SELECT DISTINCT compression FROM parquet_metadata(\$\$$PWD/t.parquet\$\$)" | tail -n 1 || return 1
	done >have &&
	grep -v record_count have >packings && printf "%s\n" ZSTD SNAPPY GZIP UNCOMPRESSED >want && test_cmp want packings
'

test_expect_success '129: what a type does not hold is a reject with its reason' '
	cat >t1.csv <<-\CSV &&
	id,name,small,total,large,rate,yes,day,at,doc
	1,,,,,0.1,,,,
	9223372036854775808,,,,,,,,,
	2,,1.001,,,,,,,
	3,,,,12345678901234567890123456789,,,,,
	4,,,,,1e400,,,,
	5,,,,,1e-400,,,,
	6,,,,,9007199254740993,,,,
	7,,,,,,maybe,,,
	8,,,,,,,2026-02-30,,
	9,,,,,,,,2026-11-20 16:58:51.1234567,
	10,,,,,,,,,{
	11,,,,,0.30000000000000004,,,,
	CSV
	fresh && pack ext-1.zip t1.csv &&
	test_expect_code 9 river extract-load job.yaml 2>err && find lake -type f >left && test_must_be_empty left &&
	test_expect_code 7 river extract-load job.yaml --max-rejects 10 2>err &&
	sed "s/.*\"line\":\([0-9]*\).*\"column\":\"\([a-z]*\)\",\"reason\":\"\([^\":]*\): .*/\1 \3/" lake/_river/extracts/j/*.rejects.ndjson >have &&
	cat >want <<-\EOS &&
	3 id does not fit into 64 bits
	4 small has more decimals than the column
	5 large has more digits than the column
	6 rate is beyond what a double holds
	7 rate is nearer to 0 than a double can be
	8 rate has more digits than a double holds
	9 yes is neither true nor false
	10 day is no day of the calendar
	11 at is finer than a microsecond
	12 doc is not JSON
	EOS
	test_cmp want have && cp lake/loads/j/*/t-0001-0001.parquet t.parquet &&
	printf "id,rate\n1,0.1\n11,0.30000000000000004\n" >want && ask t.parquet "SELECT id, rate FROM t" >have && test_cmp want have
'

test_expect_success '131: equal bytes, whatever the number of threads; a member without rows has its file' '
	for i in 1 2 3 4 5
	do
		{ echo id,name,small,total,large,rate,yes,day,at,doc && seq $((i * 1000)) $((i * 1500)) |
			sed "s/.*/&,name of &,1.5,&.25,&,0.5,1,2026-11-20,2026-11-20T10:00:00Z,{}/"; } >t$i.csv || return 1
	done &&
	head -n 1 t1.csv >t6.csv && fresh && pack ext-1.zip t1.csv t2.csv t3.csv t4.csv t5.csv t6.csv &&
	cp drop/ext-1.zip kept.zip &&
	for threads in 1 2 8
	do
		fresh && mkdir drop && cp kept.zip drop/ext-1.zip && river extract-load job.yaml --threads $threads &&
		(cd lake && find loads -type f | sort | xargs cksum) >sums.$threads || return 1
	done &&
	test_cmp sums.1 sums.2 && test_cmp sums.1 sums.8 && test_line_count = 7 sums.1 &&
	# taken anew: the same objects
	river extract-load job.yaml --since 2020-01-01 && (cd lake && find loads -type f | sort | xargs cksum) >again &&
	test_cmp sums.1 again && cp lake/loads/j/*/t-0006-0001.parquet none.parquet &&
	ask none.parquet "SELECT count(*) AS n, (SELECT count(*) FROM (DESCRIBE none)) AS c FROM none" >have &&
	printf "n,c\n0,10\n" >want && test_cmp want have
'

test_expect_success 'in little memory, and with less than it takes' '
	fresh && mkdir drop && cp kept.zip drop/ext-1.zip &&
	river -c warehouse.memory_limit=64MiB extract-load job.yaml && fresh && mkdir drop && cp kept.zip drop/ext-1.zip &&
	test_expect_code 1 river -c warehouse.memory_limit=1MiB extract-load job.yaml 2>err &&
	grep "write loads/j/.*parquet: Out of Memory" err && grep warehouse.memory_limit err &&
	find lake -type f >left && test_must_be_empty left
'

test_expect_success 'no libduckdb: said by --check and before anything is read; asked for by Parquet alone' '
	RIVER_DUCKDB=$PWD/none.so && export RIVER_DUCKDB && test_when_finished "unset RIVER_DUCKDB" &&
	fresh && mkdir drop && cp kept.zip drop/ext-1.zip &&
	test_expect_code 5 river extract-load job.yaml --check >out 2>err &&
	grep "Parquet is written by the embedded engine" err && grep "make deps" err && ! grep ext-1.zip out &&
	test_expect_code 5 river extract-load job.yaml 2>err && grep "make deps" err && test_path_is_missing lake &&
	sed "s/parquet/csv/" job.yaml >csv.yaml && river extract-load csv.yaml
'

test_expect_success '--check says it' '
	fresh && mkdir drop && cp kept.zip drop/ext-1.zip && river extract-load job.yaml --check >out &&
	grep "t: loads/j/<extract>/t-\*, parquet, zstd" out && test_path_is_missing lake
'

test_done
