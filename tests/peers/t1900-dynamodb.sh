#!/bin/sh
test_description='documents into DynamoDB: versioned or in batches, whatever it does, and killed at any moment'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/dynamodb-lib.sh"

dynamodb_need

# documents COUNT [VERSION]: orders with lines, numbers that a double would change
documents () {
	awk -v n="$1" -v v="${2:-1}" -v day="$dynamodb_day" 'BEGIN { for (i = 1; i <= n; i++)
		printf "put %d {\"order_id\":\"o-%05d\",\"total\":%d.10,\"big\":12345678901234567890.%d,\"v\":%d,\"placed\":\"%s\",\"note\":null,\"paid\":true,\"lines\":[{\"line_no\":1,\"text\":\"a \\\"b\\\" \\u00e9\"},{\"line_no\":2,\"text\":\"\"}]}\n", v, i, i, i, v, day }'
}
# what each order's item holds of `v`, "ID V"
versions () {
	dynamodb_items "$1" | jq -r '.order_id.S + " " + (.v.N // "-")' | sort
}
want_versions () {
	awk -v n="$1" -v v="$2" 'BEGIN { for (i = 1; i <= n; i++) printf "o-%05d %d\n", i, v }'
}
fresh=0
# fresh [OPTION...]: a table of its own
fresh () {
	fresh=$((fresh + 1)) && table=orders-$fresh && dynamodb_no_script && dynamodb_no_counts
}

test_expect_success 'the emulator starts' '
	dynamodb_start
'

test_expect_success 'a table is made, its time to live enabled, and every document is an item, digit by digit' '
	fresh && documents 3 >in &&
	dynamodb_write $table --create order_id --ttl expires_at:placed:9 <in >out &&
	test "$(jq .written out)" -eq 3 &&
	dynamodb_items $table >items && test_line_count = 3 items &&
	head -n 1 items >first &&
	test "$(jq -r .big.N first)" = 12345678901234567890.1 &&
	test "$(jq -r ".lines.L[0].M.text.S" first)" = "a \"b\" é" &&
	test "$(jq -r ".lines.L[1].M.text.S" first)" = "" &&
	test "$(jq -r .note.NULL first)" = true && test "$(jq -r .paid.BOOL first)" = true &&
	test "$(jq -r ._v.N first)" = 1 &&
	test "$(jq -r .expires_at.N first)" = "$dynamodb_due"
'

test_expect_success '156: an older extract after a newer one changes nothing' '
	fresh && documents 200 2 >newer && documents 200 1 >older &&
	dynamodb_write $table --create order_id <newer >out &&
	dynamodb_write $table <older >out && test "$(jq .superseded out)" -eq 200 && test "$(jq .written out)" -eq 0 &&
	versions $table >have && want_versions 200 2 >want && test_cmp want have
'

test_expect_success '156: a removed document does not come back with an older extract, but with a newer one' '
	fresh && documents 2 1 >in && dynamodb_write $table --create order_id <in >out &&
	echo "remove 2 {\"order_id\":\"o-00001\"}" | dynamodb_write $table >out && test "$(jq .removed out)" -eq 1 &&
	dynamodb_write $table <in >out && test "$(jq .superseded out)" -eq 1 &&
	dynamodb_items $table >items &&
	test "$(head -n 1 items)" = "{\"_deleted\":{\"N\":\"1\"},\"_v\":{\"N\":\"2\"},\"order_id\":{\"S\":\"o-00001\"}}" &&
	documents 1 3 | dynamodb_write $table >out && test "$(jq .written out)" -eq 1 &&
	versions $table >have && printf "o-00001 3\no-00002 1\n" >want && test_cmp want have
'

test_expect_success 'an item that somebody else wrote is left alone, and named' '
	fresh && documents 1 >in && dynamodb_write $table --create order_id </dev/null &&
	curl -sS --noproxy "*" -H "content-type: application/x-amz-json-1.0" -H "x-amz-target: DynamoDB_20120810.PutItem" \
		-H "x-amz-date: 20260101T000000Z" -H "authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=b" \
		--data-binary "{\"TableName\":\"$table\",\"Item\":{\"order_id\":{\"S\":\"o-00001\"}}}" "$dynamodb_bare/" &&
	dynamodb_write $table --list <in >out &&
	test_grep "^0 refused order_id o-00001: an item without _v is there, which river has not written$" out &&
	test "$(dynamodb_items $table)" = "{\"order_id\":{\"S\":\"o-00001\"}}"
'

test_expect_success 'exclusive: 25 at a time, and removals remove' '
	fresh && documents 2000 >in && dynamodb_write $table --create order_id --exclusive <in >out &&
	test "$(jq .written out)" -eq 2000 &&
	test "$(dynamodb_count PutItem requests)" -eq 0 && test "$(dynamodb_count BatchWriteItem most)" -eq 25 &&
	versions $table >have && want_versions 2000 1 >want && test_cmp want have &&
	sed "s/^put 1/remove 2/" in | dynamodb_write $table --exclusive >out && test "$(jq .removed out)" -eq 2000 &&
	dynamodb_items $table >items && test_must_be_empty items
'

test_expect_success '154: unprocessed items alone are sent again' '
	fresh && documents 500 >in && dynamodb_write $table --create order_id --exclusive </dev/null &&
	dynamodb_script "{\"op\":\"BatchWriteItem\",\"count\":10,\"do\":\"unprocessed\"}" &&
	dynamodb_write $table --exclusive <in >out &&
	again=$(jq .again out) && test "$again" -gt 0 && test "$(jq .maybe_twice out)" -eq 0 &&
	test "$(dynamodb_count BatchWriteItem items)" -eq $((500 + again)) &&
	versions $table >have && want_versions 500 1 >want && test_cmp want have
'

test_expect_success '154: all unprocessed, for ever: an end, with the rest in place' '
	fresh && documents 500 >in && dynamodb_write $table --create order_id --exclusive </dev/null &&
	dynamodb_script "{\"op\":\"BatchWriteItem\",\"count\":\"all\",\"do\":\"unprocessed\",\"only\":\"o-0007\"}" &&
	test_expect_code 1 "$RIVER_BUILD/tests/perf/dynamodb_write" $table --exclusive --give-up 3000 --list <in >out 2>err &&
	test_grep "no document was taken for .* s, and 10 are left" err &&
	test "$(grep -c " written$" out)" -eq 490 &&
	dynamodb_items $table >items && test_line_count = 490 items &&
	dynamodb_no_script && dynamodb_write $table --exclusive <in >out &&
	versions $table >have && want_versions 500 1 >want && test_cmp want have
'

test_expect_success '154: throttled and broken connections, versioned' '
	fresh && documents 300 >in && dynamodb_write $table --create order_id </dev/null &&
	dynamodb_script "[{\"op\":\"PutItem\",\"nth\":5,\"count\":3,\"do\":\"throttle\"},{\"op\":\"PutItem\",\"nth\":20,\"count\":2,\"do\":\"lose\"},
		{\"op\":\"PutItem\",\"nth\":40,\"count\":2,\"do\":\"broken\"},{\"op\":\"PutItem\",\"nth\":60,\"count\":2,\"do\":\"damage\"},
		{\"op\":\"PutItem\",\"nth\":80,\"do\":\"late\",\"ms\":200},
		{\"op\":\"PutItem\",\"nth\":90,\"do\":\"fail\",\"code\":\"TransactionConflictException\"}]" &&
	dynamodb_write $table <in >out && test "$(jq .written out)" -eq 300 &&
	test "$(jq .maybe_twice out)" -eq 7 && test "$(jq .again out)" -eq 11 &&
	versions $table >have && want_versions 300 1 >want && test_cmp want have
'

test_expect_success '155: duplicate keys in a row are merged, and the last one wins' '
	fresh && for v in 1 2 3; do documents 100 $v || return 1; done | sort -t- -k2,2n -s >in &&
	dynamodb_write $table --create order_id --exclusive <in >out &&
	test "$(jq ".written + .merged" out)" -eq 300 &&
	versions $table >have && want_versions 100 3 >want && test_cmp want have
'

test_expect_success '155: what cannot be an item is named, and the others go on' '
	fresh && {
		documents 30 &&
		echo "put 1 {\"order_id\":\"long\",\"n\":123456789012345678901234567890123456789}" &&
		echo "put 1 {\"order_id\":7}" &&
		awk "BEGIN { printf \"put 1 {\\\"order_id\\\":\\\"large\\\",\\\"t\\\":\\\"\"; for (i = 0; i < 409600; i++) printf \"x\"; print \"\\\"}\" }"
	} >in &&
	dynamodb_write $table --create order_id --exclusive --list <in >out &&
	test_grep "^30 refused order_id long: n: 39 digits, and DynamoDB keeps 38$" out &&
	test_grep "^31 refused order_id 7: order_id: a number, and the table.s key is a text$" out &&
	test_grep "^32 refused order_id large: an item of 409618 bytes, and DynamoDB takes 409600$" out &&
	test "$(tail -n 1 out | jq .written)" -eq 30
'

# dynalite counts as DynamoDB does, or nearly so: what river lets through it takes
test_expect_success '155: an item of just so many bytes is taken' '
	fresh && awk "BEGIN { printf \"put 1 {\\\"order_id\\\":\\\"large\\\",\\\"t\\\":\\\"\"; for (i = 0; i < 409582; i++) printf \"x\"; print \"\\\"}\" }" >in &&
	dynamodb_write $table --create order_id <in >out && test "$(jq .written out)" -eq 1 && test "$(jq .bytes out)" -eq 409600
'

test_expect_success '157: what has expired is counted and not written; a slip in a date is refused' '
	fresh && documents 1 >in && {
		cat in && sed -e "s/o-00001/o-00002/" -e "s/$dynamodb_day/2001-01-01/" in &&
		sed -e "s/o-00001/o-00003/" -e "s/$dynamodb_day/9999-12-31/" in
	} >mixed &&
	dynamodb_write $table --create order_id --ttl expires_at:placed:9 --list <mixed >out &&
	test_grep "^1 expired$" out && test_grep "^2 refused order_id o-00003: placed: 9999-12-31T00:00:00.000Z is more than a year ahead" out &&
	versions $table >have && want_versions 1 1 >want && test_cmp want have
'

test_expect_success '157: a clock that is a year off changes nothing of it' '
	command -v faketime >/dev/null && fresh && documents 1 >in &&
	dynamodb_write $table --create order_id --ttl expires_at:placed:9 </dev/null &&
	faketime "+1 year" "$RIVER_BUILD/tests/perf/dynamodb_write" $table --ttl expires_at:placed:9 <in >out &&
	test "$(jq .written out)" -eq 1 && test "$(jq .expired out)" -eq 0 &&
	test "$(dynamodb_items $table | jq -r .expires_at.N)" = "$dynamodb_due"
'

test_expect_success '159: a table that is missing, or does not expire, is found before anything is written' '
	fresh && documents 1 >in &&
	test_expect_code 5 "$RIVER_BUILD/tests/perf/dynamodb_write" $table <in >out 2>err &&
	test_grep "look at the table $table: .* ResourceNotFoundException" err && test_grep "create: true" err &&
	dynamodb_write $table --create order_id </dev/null >out &&
	test_expect_code 6 "$RIVER_BUILD/tests/perf/dynamodb_write" $table --ttl expires_at:placed:9 <in >out 2>err &&
	test_grep "nothing in it would ever expire" err &&
	test_expect_code 6 "$RIVER_BUILD/tests/perf/dynamodb_write" $table --create other <in >out 2>err &&
	test_grep "is there with another key: order_id" err &&
	dynamodb_items $table >items && test_must_be_empty items
'

test_expect_success '159: permissions that are lost on the way end the run, and what was written was told' '
	fresh && documents 300 >in && dynamodb_write $table --create order_id </dev/null &&
	dynamodb_script "{\"op\":\"PutItem\",\"nth\":50,\"count\":\"all\",\"do\":\"fail\",\"code\":\"AccessDeniedException\"}" &&
	test_expect_code 4 "$RIVER_BUILD/tests/perf/dynamodb_write" $table --list <in >out 2>err &&
	test_grep AccessDeniedException err && grep -c " written$" out >told &&
	test "$(cat told)" -eq 49 && dynamodb_items $table >items && test_line_count = 49 items
'

test_expect_success 'the budget is kept' '
	fresh && documents 300 >in && dynamodb_write $table --create order_id </dev/null &&
	before=$(date +%s%N) && dynamodb_write $table --max-wcu 150 <in >out && after=$(date +%s%N) &&
	test "$(jq .units out)" -eq 300 && test $(((after - before) / 1000000)) -ge 900
'

# Of 901 lines 301 are merged: there are 600 requests, or 24. kill -9 while so many of them were answered and the next
# ones are not, then the whole again: what is there is what an undisturbed run leaves.
killed_at () {
	dynamodb_script "{\"op\":\"$op\",\"nth\":$((point + 1)),\"count\":\"all\",\"do\":\"hang\"}" || return 1
	"$RIVER_BUILD/tests/perf/dynamodb_write" "$@" <in >out.killed 2>/dev/null &
	killed=$!
	test_wait_until 30 enough_written && kill -9 $killed && { wait $killed; test $? -eq 137; } && dynamodb_no_script
}
enough_written () {
	test "$(dynamodb_count "$op" requests)" -gt "$point"
}

for mode in versioned exclusive
do
	option= op=PutItem points="0 1 30 100 250 400 500 590"
	test $mode = versioned || { option=--exclusive op=BatchWriteItem points="0 1 2 5 10 15 20"; }
	test_expect_success "killed at any moment of a run, $mode: after another run the table is as of an undisturbed one" '
		{ documents 600 1 && documents 300 2 && echo "remove 3 {\"order_id\":\"o-00599\"}"; } >in &&
		fresh && dynamodb_write $table --create order_id $option <in >out && dynamodb_items $table >want &&
		test_line_count -gt 500 want &&
		for point in $points
		do
			fresh && dynamodb_write $table --create order_id $option </dev/null >out &&
			killed_at $table $option --list &&
			dynamodb_write $table $option <in >out &&
			dynamodb_items $table >have && test_cmp want have || return 1
		done
	'
done

test_expect_success 'the emulator had no bugs' '
	dynamodb_stop
'

test_done
