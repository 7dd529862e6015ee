#!/bin/sh
test_description='snowpipe: objects into the warehouse, once, by list, by path, by event'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<-\EOF
default_profile: local
profiles:
  local:
    lake: ./lake
    warehouse: { type: duckdb, path: ./web.duckdb }
EOF

# put RUN SEQ [packing] <records: an object of web/clicks; prints its name
put () {
	"$RIVER_BUILD/tests/lib/lakeobject" lake web/clicks dt=2026-11-20/hr=14 "$@"
}

# ask SQL: what is loaded, without loading
ask () {
	river --output csv query --no-load "$1" | tail -n +2
}

test_expect_success 'setup' '
	river stream create web/clicks &&
	printf "%s\n" "{\"a\":1}" "{\"a\":2}" | put one 1 >one &&
	printf "%s\n" "{\"a\":3}" | put two 1 gz >two
'

test_expect_success 'status before anything is loaded' '
	river snowpipe status web/clicks >out &&
	test_grep "^pending  *2 objects" out &&
	test_grep "^oldest pending " out &&
	test_grep "^loaded  *0 objects" out &&
	test_path_is_missing web.duckdb
'

test_expect_success 'a dry run names what it would load and loads nothing' '
	river snowpipe notify web/clicks -n >out &&
	test_grep "$(cat one) *pending" out &&
	test_grep "$(cat two) *pending" out &&
	test_path_is_missing web.duckdb
'

test_expect_success '62: one path, then all the others, then nothing more' '
	below=$(sed "s,^data/web/clicks/,," one) &&
	river --output json snowpipe notify web/clicks "$below" >out &&
	test_grep "\"object\": *\"$(cat one)\", *\"state\": *\"loaded\", *\"rows\": *2" out &&
	test "$(ask "select count(*) from web.clicks")" = 2 &&
	river --output json snowpipe notify web/clicks >out &&
	test_line_count = 1 out &&
	test_grep "$(cat two)" out &&
	river snowpipe notify web/clicks >out 2>err &&
	test_must_be_empty out &&
	test_must_be_empty err &&
	test "$(ask "select count(*) from web.clicks")" = 3
'

test_expect_success 'known objects are known, whatever way they are named' '
	river --output json snowpipe notify web/clicks "$(cat one)" "$PWD/lake/$(cat two)" "$(cat one)" >out &&
	test_line_count = 2 out &&
	test_grep ! "\"loaded\", *\"rows\"" out &&
	test_grep "\"known\"" out &&
	ln -s lake link && test_when_finished "rm link" &&
	river --output json snowpipe notify web/clicks "lake/$(cat one)" "./lake/$(cat two)" "link/$(cat one)" >out &&
	test_line_count = 2 out && test_grep "\"known\"" out &&
	test "$(ask "select count(*) from web.clicks")" = 3
'

test_expect_success 'an S3 event, keys below a prefix and encoded, others ignored' '
	printf "%s\n" "{\"a\":4}" | put three 1 >three &&
	key=$(sed -e "s/=/%3D/g" three) &&
	cat >event <<-EOF &&
	{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"river/$key"}}},
	{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"river/data/web/other/x"}}},
	{"eventSource":"aws:s3","eventName":"ObjectRemoved:Delete","s3":{"bucket":{"name":"b"},"object":{"key":"river/$key"}}}]}
	EOF
	river snowpipe notify web/clicks - <event 2>err &&
	test_grep "data/web/other/x is not the stream" err &&
	test "$(ask "select count(*) from web.clicks")" = 4 &&
	river snowpipe notify web/clicks - <event &&
	test "$(ask "select count(*) from web.clicks")" = 4 &&
	echo "{\"Event\":\"s3:TestEvent\"}" >test-event &&
	river snowpipe notify web/clicks - <test-event &&
	echo "{}" >no-event &&
	test_expect_code 9 river snowpipe notify web/clicks - <no-event 2>err &&
	test_grep "not an S3 event" err
'

test_expect_success 'missing objects and wrong names' '
	test_expect_code 5 river snowpipe notify web/clicks missing.ndjson.zst 2>err &&
	test_grep "data/web/clicks/missing.ndjson.zst" err &&
	test_expect_code 2 river snowpipe notify web/clicks data/web/other/x 2>err &&
	test_expect_code 2 river snowpipe notify web/clicks ../x 2>err &&
	test_expect_code 5 river snowpipe notify web/nothing 2>err &&
	test_expect_code 2 river snowpipe notify 2>err
'

test_expect_success 'a foreign object is loaded only by name; lines that are no records are counted' '
	printf "%s\n" "{\"a\":5}" "no record" >lake/data/web/clicks/other.ndjson &&
	river snowpipe notify web/clicks 2>err &&
	test_grep "other.ndjson" err &&
	test "$(ask "select count(*) from web.clicks")" = 4 &&
	test_expect_code 7 river snowpipe notify web/clicks other.ndjson >out 2>err &&
	test_grep "line 2" out &&
	test "$(ask "select count(*) from web.clicks")" = 5 &&
	river snowpipe notify web/clicks other.ndjson &&
	test "$(ask "select count(*) from web.clicks")" = 5
'

test_expect_success 'an object that is not what its name says is refused; its neighbours load' '
	printf "%s\n" "{\"a\":6}" | put four 1 none >four &&
	printf "%s\n" "{\"a\":7}" >"lake/$(cat four)" &&
	printf "%s\n" "{\"a\":8}" | put five 1 >five &&
	test_expect_code 12 river snowpipe notify web/clicks >out 2>err &&
	test_grep "$(cat four)" err &&
	test_grep "does not hold" err &&
	test "$(ask "select count(*) from web.clicks")" = 6 &&
	river snowpipe history web/clicks >out &&
	test_grep "$(cat four)  *failed" out &&
	test_grep "$(cat five)  *loaded" out &&
	test_grep "other.ndjson  *partial" out &&
	river snowpipe status web/clicks >out &&
	test_grep "^failed  *1 objects" out &&
	printf "%s\n" "{\"a\":6}" >"lake/$(cat four)" &&
	river snowpipe notify web/clicks &&
	river snowpipe history web/clicks >out &&
	test_grep ! failed out
'

test_expect_success 'a second object of the same run and number is refused and named' '
	printf "%s\n" "{\"a\":9}" | put five 1 >twin &&
	test_expect_code 12 river snowpipe notify web/clicks 2>err &&
	test_grep "$(cat five) holds the same run and sequence number" err &&
	rm "lake/$(cat twin)"
'

test_expect_success 'an object that is gone does not keep its neighbours from being loaded' '
	printf "%s\n" "{\"a\":11}" | put near 1 >near &&
	printf "%s\n" "{\"a\":12}" | put near 2 >next &&
	test_expect_code 5 river snowpipe notify web/clicks gone.ndjson.zst "$(cat near)" away.ndjson "$(cat next)" 2>err &&
	test_grep "data/web/clicks/gone.ndjson.zst is not in the lake" err &&
	test_grep "data/web/clicks/away.ndjson is not in the lake" err &&
	test_grep "2 objects are not in the lake" err &&
	test "$(ask "select count(*) from web.clicks where file_name like \$\$%near%\$\$")" = 2
'

test_expect_success '62: report shows late loads and what is pending' '
	printf "%s\n" "{\"a\":10}" | put six 1 >six &&
	river --output json snowpipe report web/clicks --since 1h >out &&
	test_grep "$(cat six)\", *\"state\": *\"pending\"" out &&
	test_grep "$(cat one)\", *\"state\": *\"loaded\"" out &&
	river snowpipe notify web/clicks
'

test_expect_success '--rebuild makes the same tables again, from the lake, foreign objects as well' '
	ask "select file_name, file_row, record from web.clicks order by all" >before &&
	test_grep "other.ndjson" before &&
	river query --no-load --write "delete from web.clicks where file_row = 1" &&
	test_expect_code 7 river snowpipe notify web/clicks --rebuild 2>err &&
	ask "select file_name, file_row, record from web.clicks order by all" >after &&
	test_cmp before after &&
	river snowpipe notify web/clicks --rebuild -n 2>err &&
	test_grep "would be dropped" err &&
	test_expect_code 2 river snowpipe notify web/clicks --force
'

test_expect_success '--rebuild drops nothing that cannot be loaded again' '
	mv "lake/$(cat one)" kept-one && mv lake/data/web/clicks/other.ndjson kept-other &&
	cp "lake/$(cat two)" kept-two && head -c 20 kept-two >"lake/$(cat two)" &&
	cp "lake/$(cat four)" kept-four && printf "%s\n" "{\"a\":66}" >"lake/$(cat four)" &&
	test_expect_code 6 river snowpipe notify web/clicks --rebuild 2>err &&
	test_grep "4 objects with 5 rows could not be loaded again" err &&
	test_grep "$(cat one): not in the lake any more" err &&
	test_grep "other.ndjson: not in the lake any more" err &&
	test_grep "$(cat two): cannot be read to its end" err &&
	test_grep "$(cat four): does not hold what its name says" err &&
	ask "select file_name, file_row, record from web.clicks order by all" >after &&
	test_cmp before after &&
	mv kept-two "lake/$(cat two)" && mv kept-four "lake/$(cat four)" && mv kept-one "lake/$(cat one)" &&
	river snowpipe notify web/clicks --rebuild --force 2>err &&
	grep -v other.ndjson before >want &&
	ask "select file_name, file_row, record from web.clicks order by all" >after &&
	test_cmp want after
'

test_expect_success 'an object that the ledger has forgotten is not loaded twice' '
	ask "select file_name, file_row, record from web.clicks order by all" >before &&
	river query --no-load --write "delete from _river.loads where object = \$\$$(cat two)\$\$" &&
	printf "%s\n" "{\"a\":13}" | put new 1 >new &&
	test_expect_code 12 river snowpipe notify web/clicks >out 2>err &&
	test_grep "$(cat two): the table has rows of it" err &&
	test_grep "snowpipe notify web/clicks --rebuild" err &&
	mv "lake/$(cat two)" kept-two &&
	test_expect_code 6 river snowpipe notify web/clicks --rebuild 2>err &&
	test_grep "$(cat two): not in the lake any more" err &&
	mv kept-two "lake/$(cat two)" &&
	ask "select file_name, file_row, record from web.clicks where file_name <> \$\$$(cat new)\$\$ order by all" >after &&
	test_cmp before after &&
	test "$(ask "select count(*) from web.clicks where file_name = \$\$$(cat new)\$\$")" = 1 &&
	river snowpipe notify web/clicks --rebuild &&
	ask "select file_name, file_row, record from web.clicks where file_name <> \$\$$(cat new)\$\$ order by all" >after &&
	test_cmp before after &&
	river snowpipe notify web/clicks
'

test_expect_success 'two loaders at once: neither fails, nothing doubles' '
	n=1 &&
	while test $n -le 20
	do
		printf "{\"n\":%s}\n" $n | put many $n >/dev/null || return 1
		n=$((n + 1))
	done &&
	{ river snowpipe notify web/clicks 2>err1 & } &&
	first=$! &&
	river snowpipe notify web/clicks 2>err2 &&
	wait $first &&
	test "$(ask "select count(*), count(distinct record::varchar) from web.clicks where file_name like \$\$%many%\$\$")" = 20,20
'

test_expect_success 'the business that need not be said has a schema like others' '
	river stream create events &&
	printf "{\"a\":1}\n" | "$RIVER_BUILD/tests/lib/lakeobject" lake main/events dt=2026-11-20/hr=14 r 1 >name &&
	river snowpipe notify main/events &&
	test "$(ask "select count(*) from main.events")" = 1 &&
	test "$(ask "select count(*) from events")" = 1
'

test_expect_success 'notify streams are not loaded by queries' '
	river stream create web/manual --pipe notify &&
	printf "%s\n" "{\"a\":1}" | "$RIVER_BUILD/tests/lib/lakeobject" lake web/manual dt=2026-11-20/hr=14 r 1 >name &&
	test_must_fail river query "select count(*) from web.manual" &&
	river snowpipe notify web/manual --wait &&
	test "$(ask "select count(*) from web.manual")" = 1
'

test_expect_success 'layers through a definition: typed, refused, newest' '
	cat >orders.yaml <<-\EOF &&
	stream: shop/orders
	key: [id]
	order_by: at
	delete_when: { column: gone, equals: true }
	columns:
	  id: { type: integer }
	  at: { type: timestamp }
	  total: { type: "decimal(20,6)" }
	  gone: { type: boolean }
	EOF
	river stream create -f orders.yaml &&
	cat >orders.ndjson <<-\EOF &&
	{"id":1,"at":"2026-03-29T01:59:59+01:00","total":12345678901234.890123}
	{"id":1,"at":"2026-03-29T03:00:00+02:00","total":"19.99"}
	{"id":2,"at":"2026-01-01T00:00:00Z","total":1.0000001}
	{"id":3,"at":"2026-01-01T00:00:00Z","gone":true}
	{"id":3,"at":"2025-01-01T00:00:00Z"}
	EOF
	"$RIVER_BUILD/tests/lib/lakeobject" lake shop/orders dt=2026-11-20/hr=14 r 1 <orders.ndjson &&
	river snowpipe notify shop/orders &&
	test "$(ask "select id, \"at\", total from shop.orders_latest")" = "1,2026-03-29 01:00:00,19.990000" &&
	test "$(ask "select max(total) from shop.orders_clean")" = 12345678901234.890123 &&
	test "$(ask "select file_row, column_name from shop.orders_refused")" = 3,total
'

test_done
