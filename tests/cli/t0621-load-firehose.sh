#!/bin/sh
test_description='loading what Firehose wrote: names, packing, many records on a line, duplicates'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML
river query --no-load "select 1" >/dev/null 2>&1 || test_skip_all 'no DuckDB here'

# stamped NAME: its definition says so, as that of a stream under Firehose does
stamped () {
	file=lake/_river/streams/$1.json &&
	sed "s/\"stamp\": *\"none\"/\"stamp\":\"id\"/" "$file" >new && mv new "$file" &&
	grep -q "\"stamp\":\"id\"" "$file"
}
# object STREAM N [ENDING]: where Firehose would put its N-th object
object () {
	folder=lake/data/web/$1/dt=2026-11-20/hr=14 &&
	mkdir -p "$folder" &&
	echo "$folder/river-web-$1-1-2026-11-20-14-0$2-00-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f$2${3-}"
}
# record RUN SEQ N [MEMBERS]
record () {
	printf "{%s\"_river\":{\"id\":\"%s-%06d-%d\"}}" "${4-}" "$1" "$2" "$3"
}
ask () {
	river --output csv query "$1" | sed 1d
}

test_expect_success 'plain, gzip and members of gzip behind each other; by any of the endings' '
	river stream create web/clicks && stamped web/clicks &&
	{ record run1 0 1 "\"a\":1," && echo && record run1 0 2 "\"a\":2," && echo; } >$(object clicks 1) &&
	{ { record run1 0 3; echo; } | gzip && record run1 1 1 | gzip; } >$(object clicks 2 .ndjson.gz) &&
	{ record run1 1 2 && record run1 1 3; } | gzip >$(object clicks 3 .gz) &&
	test "$(ask "select count(*), count(distinct file_name) from web.clicks")" = 6,3 &&
	ask "select record from web.clicks where file_name like \$\$%-03-00-%\$\$ order by file_row" >out &&
	cat >want <<-\EOF &&
	"{""_river"":{""id"":""run1-000001-2""}}"
	"{""_river"":{""id"":""run1-000001-3""}}"
	EOF
	test_cmp want out &&
	river snowpipe status web/clicks >out && test_grep "^pending  *0 objects" out
'

test_expect_success 'what is not a record is counted, and costs nothing else' '
	{ record run2 0 1; printf "{\"half\":\nnot json\n"; record run2 0 2; echo; } >$(object clicks 4) &&
	test_expect_code 7 river snowpipe notify web/clicks >out 2>err &&
	test "$(ask "select count(*) from web.clicks")" = 8 &&
	river snowpipe history web/clicks >out &&
	test_grep "14-04-00.*partial" out
'

test_expect_success 'names that are nearly those of Firehose are left alone, and said' '
	record run3 0 1 >lake/data/web/clicks/dt=2026-11-20/hr=14/river-web-views-1-2026-11-20-14-05-00-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9 &&
	river snowpipe notify web/clicks 2>err &&
	test_grep "river-web-views" err &&
	test "$(ask "select count(*) from web.clicks")" = 8 &&
	rm lake/data/web/clicks/dt=2026-11-20/hr=14/river-web-views*
'

test_expect_success 'an object that is cut short is not loaded, its neighbours are; later it is' '
	{ record run4 0 1; echo; } | gzip >whole && head -c 30 whole >$(object clicks 5 .gz) &&
	{ record run4 0 2; echo; } | gzip >$(object clicks 6 .gz) &&
	test_must_fail river snowpipe notify web/clicks >out 2>err &&
	test_grep "14-05-00" err &&
	test "$(ask "select count(*) from web.clicks" 2>err)" = 9 &&
	cp whole $(object clicks 5 .gz) &&
	test "$(ask "select count(*) from web.clicks")" = 10
'

test_expect_success 'clean keeps one record of a stamp, in whichever object it comes again' '
	river stream create web/typed --column a=integer &&
	stamped web/typed &&
	{ record run1 0 1 "\"a\":1," && echo && record run1 0 2 "\"a\":1," && echo; } >$(object typed 1) &&
	{ record run1 0 2 "\"a\":1," && record run1 0 3 "\"a\":3,"; } >$(object typed 2) &&
	ask "select count(*) from web.typed" >out && echo 4 >want && test_cmp want out &&
	record run1 0 1 "\"a\":1," >$(object typed 3) &&
	test "$(ask "select a, count(*) from web.typed_clean group by a order by a" | tr "\n" " ")" = "1,2 3,1 " &&
	river --output json status web/typed >out 2>err &&
	test_grep "\"duplicates\": *2" out
'

test_expect_success 'a key makes latest of records that came twice; equal content of two records stays' '
	river stream create web/keyed --key id --column id=integer --column v=integer --order-by v &&
	stamped web/keyed &&
	{ record run1 0 1 "\"id\":1,\"v\":1," && echo && record run1 0 2 "\"id\":1,\"v\":2," && echo; } >$(object keyed 1) &&
	{ record run1 0 1 "\"id\":1,\"v\":1," && echo && record run1 0 3 "\"id\":1,\"v\":2," && echo; } >$(object keyed 2) &&
	test "$(ask "select count(*) from web.keyed_clean")" = 3 &&
	test "$(ask "select id, v from web.keyed_latest")" = 1,2
'

test_expect_success 'dedup: content looks at records without their stamps' '
	river stream create web/content --column a=integer --dedup content &&
	stamped web/content &&
	{ record run1 0 1 "\"a\":1," && echo && record run1 0 2 "\"a\":1," && echo; } >$(object content 1) &&
	{ record run2 0 1 "\"a\":1," && echo && record run2 0 2 "\"a\":2," && echo; } >$(object content 2) &&
	test "$(ask "select count(*) from web.content_clean")" = 2
'

test_expect_success 'rebuilding gives the same tables and stamps' '
	ask "select file_name, file_row, record from web.clicks order by all" >before &&
	ask "select run, seq, n_from, n_to from _river.stamps where stream = \$\$web/clicks\$\$ order by all" >stamps &&
	test_expect_code 7 river snowpipe notify web/clicks --rebuild >out 2>err &&
	ask "select file_name, file_row, record from web.clicks order by all" >after && test_cmp before after &&
	ask "select run, seq, n_from, n_to from _river.stamps where stream = \$\$web/clicks\$\$ order by all" >after &&
	test_cmp stamps after && test -s stamps
'

test_done
