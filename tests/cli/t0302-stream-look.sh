#!/bin/sh
test_description='stream list, show and delete'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\EOF
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
EOF

test_expect_success 'an empty lake lists nothing and is not made' '
	river stream list >out 2>err &&
	test_must_be_empty out &&
	test_must_be_empty err &&
	test_path_is_missing lake
'

test_expect_success 'names, sorted; a beginning; pages' '
	for name in web/clicks web/click web_shop/a clicks web/click_2
	do
		river stream create $name >out || return 1
	done &&
	river stream list >out &&
	printf "%s\n" main/clicks web/click web/click_2 web/clicks web_shop/a >expected &&
	test_cmp expected out &&
	river stream list web/ >out &&
	printf "%s\n" web/click web/click_2 web/clicks >expected &&
	test_cmp expected out &&
	river stream list --limit 2 >out 2>err &&
	printf "%s\n" main/clicks web/click >expected &&
	test_cmp expected out &&
	test_must_be_empty err &&
	river -v stream list --limit 2 2>err >out &&
	test_grep -e "--after web/click\$" err &&
	river stream list --limit 2 --after web/click >out &&
	printf "%s\n" web/click_2 web/clicks >expected &&
	test_cmp expected out &&
	river stream list --limit 5 -v >out 2>err &&
	test_line_count = 5 out &&
	test_grep ! after err &&
	river stream list nothing >out &&
	test_must_be_empty out &&
	river stream list --limit 0 >out &&
	test_must_be_empty out
'

test_expect_success 'long and json' '
	river stream create web/keyed --key a,b --column n=integer --format json >out &&
	river stream list web/k --long >out &&
	test_line_count = 2 out &&
	test_grep "^stream  *key  *layers  *format  *created" out &&
	test_grep "^web/keyed  *a,b  *raw,clean,latest  *json  *20.*Z" out &&
	river stream list web/k --output json >out &&
	echo "{\"v\":1,\"stream\":\"web/keyed\"}" >expected &&
	test_cmp expected out &&
	river stream list web/k --long --output json >out &&
	test_line_count = 1 out &&
	test_grep "^{\"v\":1,\"stream\":\"web/keyed\",\"id\":\"" out
'

test_expect_success 'names only: a definition that is damaged is listed all the same' '
	echo garbage >lake/_river/streams/web/damaged.json &&
	river stream list web/d >out &&
	echo web/damaged >expected &&
	test_cmp expected out &&
	test_expect_code 12 river stream list web/d --long 2>err &&
	test_grep "_river/streams/web/damaged.json" err &&
	river stream list web/ >names && test_line_count = 5 names &&
	test_expect_code 12 river stream list web/ --long >out 2>err &&
	sed 1d out | cut -d" " -f1 >long && grep -v damaged names >expected && test_cmp expected long &&
	test_grep "_river/streams/web/damaged.json" err &&
	river stream list web/ >names && test_expect_code 12 river -v stream list web/ --long --limit 4 >out 2>err &&
	test_line_count = 4 out && test_grep "web/damaged.json" err && test_grep "there are more: --after web/damaged" err &&
	test_expect_code 12 river status >out 2>err &&
	sed 1d out | cut -d" " -f1 >seen && river stream list >names && grep -v damaged names >expected &&
	test_cmp expected seen && test_grep "_river/streams/web/damaged.json" err &&
	echo "{" >lake/_river/streams/web/broken.json &&
	test_expect_code 12 river status --check >out 2>err && test_must_be_empty out &&
	test_grep "^river: stream web/broken: " err && test_grep "^river: warning: stream web/damaged: " err &&
	rm lake/_river/streams/web/broken.json &&
	test_expect_code 12 river stream show web/damaged 2>err &&
	test_grep "_river/streams/web/damaged.json" err &&
	river stream show web/click clicks >expected &&
	test_expect_code 12 river stream show web/none web/damaged web/click web/none clicks >out 2>err &&
	test_cmp expected out && test_grep "^river: stream web/damaged: " err &&
	grep -c "^river: warning: .*web/none" err >none && echo 2 >expected && test_cmp expected none &&
	test_expect_code 5 river stream show web/none web/click >out 2>err && test_grep "^stream: web/click" out &&
	test_expect_code 12 river status web/damaged web/click web/none >out 2>err &&
	test_grep "^web/click" out && test_grep "^river: stream web/damaged: " err &&
	test_grep "^river: warning: .*web/none" err &&
	river stream delete web/damaged --yes >out &&
	test_path_is_missing lake/_river/streams/web/damaged.json
'

test_expect_success 'other files in the catalog are no streams' '
	: >lake/_river/streams/web/README &&
	: >lake/_river/streams/web/Upper.json &&
	: >lake/_river/streams/stray.json &&
	river stream list >out &&
	test_line_count = 6 out
'

test_expect_success 'five thousand streams: all there, in pages too' '
	mkdir -p big/_river/streams &&
	for b in a b c d e
	do
		mkdir big/_river/streams/$b &&
		seq -f "big/_river/streams/$b/s%04g.json" 1 1000 | xargs touch || return 1
	done &&
	export RIVER_LAKE=./big &&
	test_when_finished "unset RIVER_LAKE" &&
	river stream list >all &&
	for b in a b c d e
	do
		seq -f "$b/s%04g" 1 1000
	done >expected &&
	test_cmp expected all &&
	: >pages &&
	after= &&
	while river stream list --limit 999 ${after:+--after "$after"} >page && test -s page
	do
		cat page >>pages &&
		after=$(tail -n 1 page) || return 1
	done &&
	test_cmp all pages &&
	river stream list c/ >out &&
	test_line_count = 1000 out &&
	{ river stream list --output json; echo $? >code; } | head -n 1 >out &&
	echo 0 >expected &&
	test_cmp expected code
'

test_expect_success 'show: yaml, several, json' '
	river stream show web/keyed >out &&
	test_grep "^stream: web/keyed\$" out &&
	test_grep "^  n: { type: integer }\$" out &&
	test_grep "^batch: { size: 64MiB, records: 0, age: 60s }\$" out &&
	river stream show web/keyed clicks >out &&
	test "$(grep -c ^---\$ out)" = 1 &&
	river stream show web/keyed --output json >out &&
	test_line_count = 1 out &&
	test_grep "\"columns\":\[{\"name\":\"a\",\"type\":\"string\",\"required\":true}" out
'

test_expect_success 'a stream that is not there exits 5 and suggests' '
	test_expect_code 5 river stream show web/clock 2>err &&
	test_grep "stream web/clock does not exist" err &&
	test_grep "did you mean web/click" err &&
	test_expect_code 5 river stream show zz/qqqqqqqqqqqq 2>err &&
	test_grep "river stream create zz/qqqqqqqqqqqq" err &&
	test_expect_code 2 river stream show 2>err &&
	test_expect_code 2 river stream show Web/clicks 2>err &&
	test_expect_code 2 river stream list Web 2>err &&
	test_expect_code 2 river stream list a b 2>err
'

test_expect_success 'delete keeps data unless asked, and says so' '
	mkdir -p lake/data/web/clicks/dt=2026-01-01/hr=00 lake/data/web/clicks_more &&
	echo "{}" >lake/data/web/clicks/dt=2026-01-01/hr=00/x &&
	echo "{}" >lake/data/web/clicks_more/x &&
	mkdir -p lake/_river/receipts/web/clicks/2026-01-01 lake/_river/rejects/web/clicks &&
	echo "{}" >lake/_river/receipts/web/clicks/2026-01-01/r.json &&
	echo "{}" >lake/_river/rejects/web/clicks/r.ndjson &&
	mkdir -p lake/_river/runs/web/clicks/r && echo end >lake/_river/runs/web/clicks/r/000001 &&
	test_expect_code 2 river stream delete web/clicks </dev/null 2>err &&
	test_grep -e "needs --yes" err &&
	river stream delete web/clicks --dry-run >out &&
	test_grep "stays in the lake: 1 objects (3 B), 1 receipts (3 B), 1 rejects (3 B), 1 runs (4 B)" out &&
	river stream delete web/clicks --data --dry-run >out &&
	test_grep "goes in the lake: 1 objects" out &&
	river stream show web/clicks >out &&
	river stream delete web/clicks --yes >out &&
	test_grep "^web/clicks: deleted" out &&
	test_grep "stays in the lake: 1 objects" out &&
	test_expect_code 5 river stream show web/clicks &&
	test_path_is_file lake/data/web/clicks/dt=2026-01-01/hr=00/x &&
	test_expect_code 5 river stream delete web/clicks --yes 2>err
'

test_expect_success 'delete --data removes all of it and nothing else, also behind a deleted stream' '
	river stream delete web/clicks --data --yes --output json >out &&
	test_grep "\"action\":\"deleted\",\"dry_run\":false,\"data\":\"removed\",\"objects\":{\"count\":1,\"bytes\":3}" out &&
	find lake -path "*web/clicks*" -type f >left &&
	echo lake/data/web/clicks_more/x >expected &&
	test_cmp expected left &&
	test_expect_code 5 river stream delete web/clicks --data --yes &&
	river stream create web/clicks >out &&
	river stream delete web/clicks --data --yes >out &&
	test_expect_code 2 river stream delete 2>err &&
	test_expect_code 2 river stream delete a b --yes 2>err
'

test_lazy_prereq PTY 'command -v script && script -qec true /dev/null </dev/null'
test_expect_success PTY '176: on a terminal it asks, and takes only yes' '
	river stream create web/asked >out &&
	echo n | test_expect_code 1 script -qec "river stream delete web/asked" /dev/null >out &&
	test_grep "delete stream web/asked, but keep nothing" out &&
	test_grep "nothing was deleted" out &&
	river stream show web/asked >out &&
	echo n | test_expect_code 1 script -qec "river -q stream delete web/asked" /dev/null >out &&
	test_grep "delete stream web/asked, but keep nothing" out &&
	echo n | test_expect_code 1 script -qec "river --output json stream delete web/asked" /dev/null >out &&
	test_grep "{\"v\":1,\"question\":\"delete stream web/asked, but keep nothing? " out &&
	echo y | script -qec "river stream delete web/asked" /dev/null >out &&
	test_grep "web/asked: deleted" out &&
	test_expect_code 5 river stream show web/asked
'

test_expect_success 'a deleted and created stream is another one' '
	river stream create web/twice >out &&
	cp lake/_river/streams/web/twice.json one &&
	river stream delete web/twice --yes >out &&
	river stream create web/twice >out &&
	test_must_fail cmp -s one lake/_river/streams/web/twice.json
'

test_expect_success 'a full standard output is told' '
	test_expect_code 10 river stream list >/dev/full 2>err &&
	test_grep "standard output" err
'

test_done
