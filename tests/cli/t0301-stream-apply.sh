#!/bin/sh
test_description='stream apply and diff: all or nothing, from files'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\EOF
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
EOF

define () {
	printf "stream: web/%s\n$2" "$1" >"streams/$1.yaml"
}
mkdir streams
snapshot () {
	(cd lake/_river/streams && find . -type f | sort | xargs cat)
}

test_expect_success 'diff says what is missing, apply makes it, diff is content' '
	define clicks "key: event_id\n" &&
	define views "" &&
	test_expect_code 1 river stream diff >out &&
	printf "web/%s: not in the lake\n" clicks views >expected &&
	test_cmp expected out &&
	river stream apply -f streams >out &&
	printf "web/%s: created\n" clicks views >expected &&
	test_cmp expected out &&
	river stream diff -f streams >out &&
	test_must_be_empty out &&
	river stream apply -f streams >out &&
	printf "web/%s: unchanged\n" clicks views >expected &&
	test_cmp expected out
'

test_expect_success '-f more than once: all of them, or none' '
	mkdir more && printf "stream: more/one\n" >more/one.yaml && printf "stream: more/two\n" >two.yaml &&
	test_expect_code 1 river stream diff -f more -f two.yaml >out &&
	printf "more/%s: not in the lake\n" one two >expected && test_cmp expected out &&
	echo "stream: more/three" | river stream apply -f more/one.yaml -f two.yaml -f - >out &&
	printf "more/%s: created\n" one three two | sort >expected && sort out >got && test_cmp expected got &&
	printf "stream: more/four\n" >four.yaml && echo "key: 1" >bad.yaml &&
	test_expect_code 3 river stream apply -f four.yaml -f bad.yaml >out 2>err &&
	test_must_be_empty out &&
	test_expect_code 5 river stream apply -f four.yaml -f nosuch >out 2>err &&
	test_expect_code 3 river stream apply -f four.yaml -f four.yaml >out 2>err &&
	test_grep "defined twice" err &&
	test_expect_code 5 river stream show more/four 2>err &&
	printf "stream: more/five\n" >five.yaml &&
	river stream create -f four.yaml -f five.yaml >out && test_line_count = 2 out &&
	test_expect_code 2 river stream apply streams/ 2>err && test_grep "did you mean -f streams/?" err &&
	test_expect_code 2 river stream apply web 2>err && ! grep "did you mean" err
'

test_expect_success 'a change is shown, planned, made, and keeps the id' '
	river stream show web/views --output json >before &&
	define views "key: id\nbatch: { size: 1MiB }\n" &&
	test_expect_code 1 river stream diff -f streams >out &&
	cat >expected <<-\EOF &&
	web/views: differs
	- layers: [raw]
	+ layers: [raw, clean, latest]
	- batch.size: 64MiB
	+ batch.size: 1MiB
	+ key: [id]
	+ columns.id: { type: string, required: true }
	EOF
	test_cmp expected out &&
	snapshot >was &&
	river stream apply -f streams --dry-run >out &&
	test_grep "^web/views: update" out &&
	test_grep "  batch.size: 64MiB -> 1MiB" out &&
	test_grep "write _river/streams/web/views.json" out &&
	snapshot >is &&
	test_cmp was is &&
	river stream apply -f streams >out &&
	test_grep "^web/views: updated" out &&
	test_grep "^web/clicks: unchanged" out &&
	river stream show web/views --output json >after &&
	sed "s/.*\"id\":\"\([a-z0-9]*\)\".*/\1/" before >id.before &&
	sed "s/.*\"id\":\"\([a-z0-9]*\)\".*/\1/" after >id.after &&
	test_cmp id.before id.after
'

test_expect_success 'a change of the key says that tables are made again, a new column does not' '
	define views "key: [id, part]\nbatch: { size: 1MiB }\n" &&
	river stream apply -f streams >out &&
	test_grep "made again from raw at the next load" out &&
	define views "key: [id, part]\nbatch: { size: 1MiB }\ncolumns: { price: \"decimal(9,2)\" }\n" &&
	river stream apply -f streams >out &&
	test_grep ! "made again" out &&
	test_grep "columns.price: (absent) -> { type: \"decimal(9,2)\" }" out &&
	define views "key: [id, part]\nbatch: { size: 1MiB }\ncolumns: { price: string }\n" &&
	river stream apply -f streams --output json >out &&
	test_grep "\"action\":\"updated\".*\"changes\":\[{\"key\":\"columns.price\",\"from\":.*\"rebuild\":true" out
'

test_expect_success 'on any error nothing changes and all are listed' '
	define clicks "key: other\n" &&
	define new "" &&
	define broken1 "key: [a, a]\n" &&
	printf "stream: web/ok\n---\nstream: Web/nok\n" >streams/broken2.yaml &&
	snapshot >was &&
	test_expect_code 3 river stream apply -f streams >out 2>err &&
	test_must_be_empty out &&
	test_grep "broken1.yaml:2:" err &&
	test_grep "broken2.yaml:3:9" err &&
	test_grep "nothing was changed" err &&
	snapshot >is &&
	test_cmp was is &&
	rm streams/broken1.yaml streams/broken2.yaml &&
	mkdir -p lake/data/web/new/dt=2020-01-01/hr=00 &&
	: >lake/data/web/new/dt=2020-01-01/hr=00/x &&
	test_expect_code 6 river stream apply -f streams >out 2>err &&
	test_must_be_empty out &&
	test_grep "data/web/new/ already holds objects" err &&
	snapshot >is &&
	test_cmp was is &&
	river stream apply -f streams --adopt >out &&
	test_grep "^web/new: created" out &&
	test_grep "^web/clicks: updated" out
'

test_expect_success 'nothing is deleted without --prune, and no other business with it' '
	river stream create other/safe &&
	rm streams/new.yaml &&
	river stream apply -f streams >out &&
	test_grep ! "web/new" out &&
	river stream show web/new >out &&
	river stream diff -f streams &&
	test_expect_code 1 river stream diff -f streams --prune >out &&
	echo "web/new: not defined" >expected &&
	test_cmp expected out &&
	river stream apply -f streams --prune -n >out &&
	test_grep "^web/new: delete" out &&
	river stream show web/new >out &&
	river stream apply -f streams --prune >out &&
	test_grep "^web/new: deleted" out &&
	test_expect_code 5 river stream show web/new &&
	river stream show other/safe >out &&
	test_path_is_file lake/data/web/new/dt=2020-01-01/hr=00/x
'

test_expect_success 'a wrong path prunes nothing' '
	mkdir -p none &&
	test_expect_code 3 river stream apply -f none --prune 2>err &&
	test_expect_code 5 river stream apply -f nowhere --prune 2>err &&
	river stream show web/clicks >out
'

test_expect_success 'what was shown can be applied' '
	river stream show web/clicks web/views >shown.yaml &&
	river stream apply -f shown.yaml >out &&
	printf "web/%s: unchanged\n" clicks views >expected &&
	test_cmp expected out &&
	river stream diff -f - <shown.yaml
'

test_expect_success 'diff in json' '
	define views "" &&
	test_expect_code 1 river stream diff --output json >out 2>err &&
	test_must_be_empty err &&
	test_line_count = 1 out &&
	test_grep "^{\"v\":1,\"stream\":\"web/views\",\"action\":\"update\",\"changes\":\[{\"key\":\"key\"" out
'

test_expect_success 'usage' '
	test_expect_code 2 river stream apply 2>err &&
	test_grep -e "-f is needed" err &&
	test_expect_code 2 river stream apply -f streams web/clicks 2>err &&
	test_expect_code 2 river stream apply -f streams --adopt --fresh 2>err &&
	test_expect_code 2 river stream diff web/clicks 2>err &&
	printf "stream: web/x\nkye: a\n" >bad.yaml &&
	test_expect_code 3 river stream diff -f bad.yaml 2>err &&
	test_grep "bad.yaml:2:1" err
'

test_expect_success 'a plan is kept in a file, and applied exactly or not at all' '
	mkdir -p kept && printf "stream: kept/one\nkey: [a]\n" >kept/one.yaml &&
	river stream apply -f kept --out plan.json >out &&
	test_grep "^kept/one: create" out &&
	test_expect_code 5 river stream show kept/one &&
	river stream apply --plan plan.json >out &&
	echo "kept/one: created" >expected && test_cmp expected out &&
	id=$(sed -n "s/.*\"id\": *\"\([^\"]*\)\".*/\1/p" plan.json | head -n 1) &&
	river stream show kept/one >out && test_grep "$id" out &&
	test_expect_code 6 river stream apply --plan plan.json >out 2>err &&
	test_grep "kept/one: planned was create, now it is unchanged" err &&
	printf "stream: kept/one\nkey: [a]\ncompression: gzip\n" >kept/one.yaml &&
	river stream apply -f kept --prune --out plan.json >out &&
	printf "stream: kept/one\nkey: [a]\ncompression: none\n" >other.yaml &&
	river stream apply -f other.yaml >out &&
	test_expect_code 6 river stream apply --plan plan.json 2>err &&
	test_grep "nothing was changed" err &&
	river stream apply -f kept --prune --out plan.json >out && river stream apply --plan plan.json >out &&
	river stream diff -f kept
'
test_expect_success 'what is no plain file stays what it is, and gets the plan' '
	mkfifo pipe && exec 9<>pipe &&
	test_when_finished "exec 9>&-" &&
	river stream apply -f kept --out pipe >out && test -p pipe &&
	head -n 1 <&9 >got && echo "{" >expected && test_cmp expected got &&
	echo old >real.json && ln -s real.json link.json &&
	river stream apply -f kept --out link.json >out && test -h link.json &&
	test_grep fingerprint real.json && test_grep ! old real.json &&
	test_expect_code 10 river stream apply -f kept --out kept >out 2>err && test_grep "open kept: Is a directory" err
'
test_expect_success 'what is no plan is refused, and a plan goes with nothing else' '
	echo "{}" >no.json && test_expect_code 3 river stream apply --plan no.json 2>err &&
	test_grep "no.json is no plan of river" err &&
	sed "s/gzip/none/" plan.json >changed.json && test_expect_code 3 river stream apply --plan changed.json 2>err &&
	test_grep "it was changed after it was made" err &&
	test_expect_code 5 river stream apply --plan missing.json 2>err &&
	test_expect_code 2 river stream apply --plan plan.json --prune 2>err &&
	test_expect_code 10 river stream apply -f kept --out no/such/plan.json >out 2>err
'

test_done
