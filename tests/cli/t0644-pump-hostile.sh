#!/bin/sh
test_description='pump and what is made to hurt it: data, maps and journals; it says so, and memory stays small'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/capture-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML
cat >map.yaml <<\YAML
session: s
fields: { s: { column: s }, n: { column: n }, z: uuid4 }
YAML

# ends CODES COMMAND...: one of them, in 256 MiB, and something is said unless it is 0
ends () {
	ends_codes=$1
	shift
	(test_have_prereq SANITIZER || ulimit -v 262144; exec timeout 60 "$@") >out 2>err
	ends_code=$?
	case " $ends_codes " in
	*" $ends_code "*) ;;
	*) echo "$ends_code: $*"; head -c 1000 err; return 1 ;;
	esac
	test $ends_code -eq 0 || test -s err
}
# spread N COMMAND...: what it prints, N times
junk () {
	head -c "$1" /dev/zero | tr '\0' "$2"
}

test_expect_success '73: csv that is none: quotes without an end, a line without an end, a million columns, NULs, junk' '
	{ printf "s,n\na,\"" && junk 40000000 x; } >open.csv &&
	{ printf "s,n\n" && junk 40000000 x; } >endless.csv &&
	junk 2000000 , >wide.csv && { printf "s,n\n" && junk 2000000 ,; } >ragged.csv &&
	{ printf "s,s,n\n1,2,3\n"; } >double.csv && printf "s,n\na\000b,1\n\000\000\n" >nul.csv &&
	printf "s,n\n\377\376,\300\200\n\355\240\200,2\n" >bytes.csv && printf "s,n\r1,2\r3,4\r" >cr.csv && : >empty.csv &&
	printf "\357\273\277s,n\r\n1,2\r\n" >bom.csv && head -c 300000 "$RIVER_BUILD/river" >binary.csv &&
	for f in open endless wide ragged double nul bytes cr empty bom binary
	do
		ends "0 3 5 7 9" river pump --dry-run --check --map map.yaml $f.csv || return 1
	done &&
	ends 0 river pump --dry-run --map map.yaml bom.csv && test_grep "\"n\":\"2\"" out
'

test_expect_success '73: json that is none: depth, numbers, keys, a record without an end' '
	{ junk 3000000 "["; } >deep.json && { printf "{\"s\":" && junk 3000000 "{"; } >deep.ndjson &&
	{ printf "{\"s\":\"" && junk 40000000 y; } >long.ndjson &&
	printf "{\"s\":1e999999999,\"n\":%s}\n" "$(junk 100000 9)" >number.ndjson &&
	printf "{\"s\":\"\\\\ud800\",\"n\":\"\\\\u0000\"}\n{\"s\":1,\"s\":2}\n{\"s\":{\"s\":[]}}\nnull\n[]\n{}\n" >odd.ndjson &&
	for f in deep.json deep.ndjson long.ndjson number.ndjson odd.ndjson
	do
		ends "0 7 9" river pump --dry-run --check --map map.yaml $f || return 1
	done
'

test_expect_success 'packed data that grows, ends early, or is packed again' '
	junk 300000000 a | gzip >bomb.ndjson.gz && printf "{\"s\":1,\"n\":1}\n" | gzip >one.gz &&
	head -c 20 one.gz >cut.ndjson.gz && { cat one.gz && echo behind; } >behind.ndjson.gz && gzip <one.gz >twice.ndjson.gz &&
	for f in bomb cut behind twice
	do
		ends "0 7 9 10" river pump --dry-run --check --map map.yaml $f.ndjson.gz || return 1
	done
'

test_expect_success 'maps that are made to grow, to loop, or to lie' '
	printf "{\"s\":\"%s\",\"n\":1}\n" "$(junk 100000 z)" >row.ndjson &&
	{ printf "a: &a [x,x,x,x,x,x,x,x,x]\n" && for l in b c d e f g h; do
		printf "%s: &%s [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" $l $l; done; } >laughs.yaml &&
	{ printf "fields: { a: " && junk 5000 "["; } >deep.yaml && { printf "fields: { a: \"" && junk 2000000 x && printf "\" }\n"; } >large.yaml &&
	{ printf "fields:\n"; for i in $(seq 1001); do echo "  f$i: row"; done; } >many.yaml &&
	printf "fields: { a: \"\\\\0\" }\n" >nul.yaml && printf "fields: { a: \"\377\" }\n" >bytes.yaml &&
	printf "fields: { a: \"{../../etc/passwd}\" }\n" >path.yaml && printf "fields: { a: { value: !!binary x } }\n" >tag.yaml &&
	printf "lookup: { c: { file: /dev/zero, key: a } }\nfields: { a: { lookup: c.b } }\n" >device.yaml &&
	printf "lookup: { c: { file: map.yaml/.., key: a } }\nfields: { a: { lookup: c.b } }\n" >folder.yaml &&
	for f in laughs deep large many bytes device folder
	do
		ends "2 3 5 9 10" river pump --dry-run --map $f.yaml row.ndjson || return 1
	done &&
	for f in nul path tag
	do
		ends "0 3 7" river pump --dry-run --map $f.yaml row.ndjson || return 1
	done &&
	{ printf "fields: { a: \"" && for i in $(seq 2000); do printf "{s}"; done && printf "\" }\n"; } >grows.yaml &&
	ends "7 9" river pump --dry-run --map grows.yaml row.ndjson && test_grep "longer than 16 MiB" err
'

test_expect_success '66: a journal that is cut or changed anywhere: said, or gone on with, never other bytes under an id' '
	capture_start && awk "BEGIN { for (i = 0; i < 400; i++) printf \"{\\\"s\\\":\\\"s%d\\\",\\\"n\\\":%d}\\n\", i % 7, i }" >rows.ndjson &&
	pump="river pump --resume --map map.yaml --to $capture_url/ok rows.ndjson" && $pump --count 200 && journal=$(ls "$HOME"/.local/state/river/pump/* | grep -v lock) && cp "$journal" good &&
	size=$(wc -c <good) && refused=0 && went_on=0 &&
	for at in $(seq 0 $((size / 12 + 1)) $((size - 1))) $((size - 1))
	do
		head -c "$at" good >"$journal" && { ends "0 12" $pump || return 1; } &&
		case $ends_code in 12) refused=$((refused + 1)) ;; *) went_on=$((went_on + 1)) ;; esac &&
		{ head -c "$at" good && printf "\001" && tail -c +$((at + 2)) good; } >"$journal" && { ends "0 12" $pump || return 1; } || return 1
	done &&
	echo "refused $refused, went on $went_on" && test $went_on -gt 0 &&
	bodies | sort -u | sed "s/.*\"z\":\"\([^\"]*\).*/\1/" | sort | uniq -d >twice && test_must_be_empty twice &&
	ends 0 $pump --restart && : >"$journal" && ends "0 12" $pump && rm "$journal" && mkdir "$journal" && ends 10 $pump && rmdir "$journal" && ends 0 $pump
'

capture_stop
test_done
