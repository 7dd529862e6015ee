#!/bin/sh
test_description='records at the edges: kept byte for byte, or rejected with line and offset; never altered'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, state: ./state, warehouse: { type: none } }
YAML
compare=$RIVER_BUILD/tests/bench/compare

fresh () {
	rm -rf lake state && river stream create web/clicks >/dev/null
}
landed () {
	find lake/data -name '*.ndjson.zst' 2>/dev/null | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}
# The bytes of the rejects, decoded, in order.
rejects () {
	find lake/_river/rejects -type f 2>/dev/null | sort | while read -r object
	do
		sed -n 's/.*"bytes":"\([^"]*\)".*/\1/p' "$object"
	done | while read -r line
	do
		printf %s "$line" | base64 -d || exit 1
	done
}
# field NAME: of every reject, one a line
field () {
	find lake/_river/rejects -type f | sort | while read -r object
	do
		sed -n "s/.*\"$1\":\"*\([^,\"}]*\).*/\1/p" "$object"
	done
}

# nested N: objects in one another, {"a":{"a":...1...}}, N of them
nested () {
	awk -v n="$1" 'BEGIN {
		for (i = 0; i < n; i++) printf "{\"a\":"
		printf "1"
		for (i = 0; i < n; i++) printf "}"
		print ""
	}'
}

# Neighbours on both sides, so that a reject that swallows one is seen.
good1='{"event_id":"first","n":1}'
good2='{"event_id":"last","n":2}'

# kept NAME: the file NAME, between the neighbours, lands as it is, from a file and from a pipe
kept () {
	{ echo "$good1" && cat "$1" && echo "$good2"; } >input &&
	fresh && river push web/clicks input && landed >got && test_cmp input got &&
	fresh && river push web/clicks --format ndjson <input && landed >got && test_cmp input got &&
	fresh && river push web/clicks --format json <input && landed >got && test_cmp input got
}

# rejected NAME REASON FAULT: its one line is set aside byte for byte, with line 2, its offset, and the
# offset of the fault from the start of the record; the neighbours land
rejected () {
	{ echo "$good1" && cat "$1" && echo "$good2"; } >input &&
	{ echo "$good1" && echo "$good2"; } >neighbours &&
	for way in file pipe
	do
		fresh &&
		if test $way = file
		then
			test_expect_code 7 river push web/clicks input 2>err
		else
			test_expect_code 7 river push web/clicks --format ndjson <input 2>err
		fi &&
		test_grep "1 of 3 records" err && test_grep -e "$2" err && test_grep ":2: " err &&
		landed >got && test_cmp neighbours got &&
		rejects >got && test_cmp "$1" got &&
		test "$(field line)" = 2 &&
		test "$(field offset)" = $((${#good1} + 1)) &&
		{ test -z "$3" || test "$(field fault)" = $((${#good1} + 1 + $3)); } || return 1
	done
}

test_expect_success 'duplicate keys are kept as they are' '
	printf "%s\n" "{\"a\":1,\"a\":2,\"a\":{\"a\":1,\"a\":null}}" >record && kept record
'

test_expect_success 'an escaped NUL is kept as it is' '
	printf "%s\n" "{\"a\":\"x\\\\u0000y\",\"\\\\u0000\":\"\\\\u0000\"}" >record &&
	test_grep -F "\\u0000" record && kept record
'

test_expect_success 'numbers beyond double, and long ones, are kept as they are' '
	printf "%s\n" "{\"a\":1e400,\"b\":-1e-400,\"c\":1.50,\"d\":-0,\"e\":12345678901234567890123456789.000}" \
		>record &&
	awk "BEGIN { printf \"{\\\"long\\\":0.\"; for (i = 0; i < 100000; i++) printf i % 10; print \"}\" }" \
		>>record &&
	kept record
'

test_expect_success 'spaces, tabs, escapes and the order of keys are kept' '
	printf "{ \"z\" :\t[ 1 , 2 ] , \"a\":\"\\\\/\\\\u00e9\\\\ud83d\\\\ude00\"  , \"\":\"\" }\n" >record &&
	kept record
'

test_expect_success 'UTF-8 to its ends is kept' '
	printf "{\"a\":\"\\302\\200\\337\\277\\340\\240\\200\\357\\277\\277\\360\\220\\200\\200\\364\\217\\277\\277\"}\n" \
		>record &&
	kept record
'

test_expect_success 'a depth of 1,024 is kept, 1,025 is rejected' '
	nested 1024 >record && kept record &&
	nested 1025 >record && rejected record "nesting too deep"
'

test_expect_success 'a depth of 10,000 and of a million is rejected, and costs no stack' '
	nested 10000 >record && rejected record "nesting too deep" &&
	awk "BEGIN { printf \"{\\\"a\\\":\"; for (i = 0; i < 1000000; i++) printf \"[\"; print \"\" }" >record &&
	rejected record "nesting too deep" &&
	awk "BEGIN { for (i = 0; i < 1000000; i++) printf \"{\\\"a\\\":\"; print \"\" }" >record &&
	rejected record "nesting too deep"
'

test_expect_success 'a raw NUL byte, inside and outside a string' '
	printf "{\"a\":\"x\\000y\"}\n" >record && rejected record "control character" 7 &&
	printf "{\"a\":1\\000}\n" >record && rejected record "" 6 &&
	printf "\\000\n" >record && rejected record "" 0
'

test_expect_success 'bytes that are not UTF-8' '
	for bytes in "\\377" "\\300\\257" "\\355\\240\\200" "\\364\\220\\200\\200" "\\342\\202" "\\200"
	do
		printf "{\"a\":\"x${bytes}y\"}\n" >record && rejected record "UTF-8" 7 || return 1
	done
'

test_expect_success 'UTF-8 that breaks off at the end of the line takes no byte of the next one' '
	printf "{\"a\":\"x\\360\\220\\200\n" >record && rejected record ""
'

test_expect_success 'lone surrogate escapes, wherever they stand' '
	cat >escapes <<-\EOS &&
	\ud800
	\udc00
	\uDBFFx
	\ud800\u0041
	\udc00\ud800
	\ud800\ud800\udc00
	EOS
	while read -r text
	do
		printf "{\"a\":\"x%s\"}\n" "$text" >record && rejected record "surrogate" 7 || return 1
	done <escapes
'

test_expect_success 'what is no object' '
	for text in "[1,2]" "1" "\"a\"" "null" "tru" "{" "}" "{\"a\":1,}" "{\"a\":01}" "{\"a\":+1}" \
		"{\"a\":.5}" "{\"a\":1.}" "{\"a\":1e}" "{\"a\":NaN}" "{a:1}" "{\"a\" 1}" "{\"a\":1} x" \
		"{\"a\":\"\\x\"}" "{\"a\":\"\\u12G4\"}" "{\"a\":1]" "{\"a\":[1}"
	do
		printf "%s\n" "$text" >record && rejected record "" || return 1
	done
'

test_expect_success 'a record at the limit is kept, one byte more is rejected' '
	awk "BEGIN { printf \"{\\\"a\\\":\\\"\"; for (i = 0; i < 992; i++) printf \"x\"; print \"\\\"}\" }" >record &&
	test $(wc -c <record) -eq 1001 &&
	{ echo "$good1" && cat record && echo "$good2"; } >input &&
	fresh && river push web/clicks --max-record 1000 input && landed >got && test_cmp input got &&
	fresh && test_expect_code 7 river push web/clicks --max-record 999 input 2>err &&
	test_grep "longer than the limit of 999 bytes" err &&
	rejects >got && test_cmp record got && landed >got && test_line_count = 2 got
'

# A line of SIZE bytes that is a record but for its length, between the neighbours, through a pipe.
long_line () {
	cat >long.sh <<-EOS &&
	{
		echo '$good1'
		printf '{"a":"'
		head -c $1 /dev/zero | tr '\\000' a
		printf '"}\\n'
		echo '$good2'
	} | river push web/clicks
	EOS
	fresh &&
	"$compare" -n 1 --json "push=sh long.sh" >figures 2>err &&
	return 1
	test_grep "1 of 3 records" err &&
	test_grep "standard input:2: longer than the limit of 16777216 bytes" err &&
	landed | sort -u >got && test_line_count = 2 got &&
	sed "s/.*\"rss_mib\":\([0-9]*\).*/\1/" figures >mib
}

# Its bytes are all kept: base64 of the line and its newline is the length of the reject.
bytes_kept () {
	find lake/_river/rejects -type f -exec sh -c "tail -c 200 \"\$1\" | sed \"s/.*\\\"length\\\"://; s/}.*//\"" \
		- {} \; >lengths &&
	echo $(($1 + 9)) >expected && sort -u lengths >got && test_cmp expected got
}

test_expect_success !SANITIZER 'a line of 200 MB: rejected with its place, kept whole, memory flat' '
	long_line 200000000 && bytes_kept 200000000 &&
	test "$(cat mib)" -lt 64
'

test_expect_success DEEP,!SANITIZER 'a line of 2 GiB: the same' '
	long_line 2147483648 && bytes_kept 2147483648 &&
	test "$(cat mib)" -lt 64
'

test_done
