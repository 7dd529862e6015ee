#!/bin/sh
test_description='the contract on Snowflake takes and refuses what the contract on a laptop does'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
test -e "$RIVER_BUILD/lib/libduckdb.so" || test_skip_all 'libduckdb.so is not there: make deps'
emul_start || test_bug 'the emulator does not start'
emul_env

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: cloud
profiles:
  cloud:
    lake: s3://lake/river
    warehouse: { type: snowflake, database: RIVER, storage_integration: RIVER_S3,
                 storage_role_arn: "arn:aws:iam::123456789012:role/snowflake" }
  laptop:
    lake: $TRASH_ROOT/lake
    warehouse: { type: duckdb, path: $TRASH_ROOT/w.duckdb }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

cat >edge.yaml <<'YAML'
stream: web/edge
key: [n]
columns:
  n: { type: integer, required: true }
  s: { type: string }
  i: { type: integer }
  d: { type: "decimal(9,2)" }
  w: { type: "decimal(38,0)" }
  x: { type: double }
  b: { type: boolean }
  day: { type: date }
  at: { type: timestamp }
  here: { type: timestamp, timezone: "+02:00" }
  eu: { type: timestamp, format: "%d.%m.%Y %H:%M", timezone: UTC }
  web: { type: timestamp, format: "%d/%b/%Y:%H:%M:%S %z" }
  noon: { type: timestamp, format: "%I:%M %p %F", timezone: UTC }
  nth: { type: timestamp, format: "%Y-%jT%T", timezone: UTC }
  short: { type: date, format: "100%% %e.%m.%y" }
  packed: { type: date, format: "%Y%m%d" }
  half: { type: timestamp, format: "%F %I%M%p", timezone: UTC }
  sec: { type: timestamp, format: "%s" }
  es: { type: timestamp, format: epoch_s }
  ems: { type: timestamp, format: epoch_ms }
  eus: { type: timestamp, format: epoch_us }
  eday: { type: date, format: epoch_ms }
  j: { type: json }
  deep: { type: string, from: "/a/1/b.c~1d" }
YAML

# column, then values as they stand in a record, one record for each
cat >values <<'VALUES'
s	"text"	""	"it's \"q\" \\ \u00fc"	12	true	null	{"a":1}	[1]
i	1	-1	"42"	"+7"	"007"	1.0	1.5	"1.000"	9223372036854775807	9223372036854775808	-9223372036854775808	-9223372036854775809	"x"	""	" 1"	true	null	[]	"99999999999999999999999999999999999999"	"100000000000000000000000000000000000000"	1e3	"1e3"	"15e-1"	"0x10"	"15e0"	"1500e-2"	"1501e-2"	"0e-9"	"1e-400"
d	1	1.1	1.10	"1.10"	"1.100"	1.101	"1.101"	9999999.99	10000000	"10000000.00"	-0.5	"0.5"	".5"	"1."	"-"	"1,5"	"nan"	"1e400"	"1.5e1"	1.5e1	"00012"	"12345678.1"	false	"1.555e1"	"1.555e0"	"155500e-3"	"155.5e-3"	"-0.0e-9"	"1e-400"
w	99999999999999999999999999999999999999	"99999999999999999999999999999999999999"	"100000000000000000000000000000000000000"	12345678901234567890123456789	0.5	"0.0"
x	1	1.5	"2.5"	"-1e-7"	"1e400"	"x"	"1e308"	0.1
b	true	false	"true"	"True"	"TRUE"	"1"	1	0	"yes"	"tRUE"	""	2	null
day	"2024-02-29"	"2023-02-29"	"2024-13-01"	"2024-2-1"	"2024-02-01T00:00:00Z"	20240201	true	""	"0001-01-01"	"9999-12-31"
at	"2024-05-01T00:00:00.007Z"	"2024-05-01T02:00:00+02:00"	"2024-05-01 02:00:00-0330"	"1969-12-31T23:59:59.5Z"	"2024-05-01T00:00:00"	"2024-05-01t00:00:00z"	"2024-02-30T00:00:00Z"	"2024-02-29T24:00:00Z"	"2024-02-29T00:00:60Z"	"2024-05-01T00:00:00.123456Z"	"2024-05-01T00:00:00.123456000Z"	"2024-05-01T00:00:00.123456789Z"	"2024-05-01"	"2024-05-01T00:00:00Zjunk"	"2024-05-01T00:00:00UTC"	"2024-05-01T00:00:00+24:00"	"2024-05-01T00:00:00+02"	1700000000	false	{}
here	"2024-05-01T00:00:00"	"2024-05-01T00:00:00Z"	"2024-05-01T00:00:00-01:30"	"x"
eu	"20.11.2026 16:58"	"1.2.2026 3:04"	"31.02.2026 00:00"	"20.11.2026 25:00"	"20-11-2026 16:58"	20
web	"01/Dec/2010:08:26:00 +0000"	"01/dec/2010:08:26:00 -0330"	"01/Foo/2010:08:26:00 +0000"	"01/Dec/2010:08:26:00"
noon	"12:30 am 2024-01-01"	"12:30 PM 2024-01-01"	"1:05 pm 2024-01-01"	"13:05 pm 2024-01-01"
nth	"2024-366T01:02:03"	"2023-366T01:02:03"	"2024-000T00:00:00"	"2024-001T00:00:00"
short	"100%  1.02.24"	"100% 31.12.69"	"100% 31.02.24"	"99% 1.02.24"
packed	"20241105"	"202411"	"2024115"	"2024-11-05"	"20240230"
half	"2024-01-01 0130pm"	"2024-01-01 130pm"	"2024-01-01 1230AM"
sec	"1700000000"	"1700000000.25"	"-1"	"-1.5"	1700000000	"x"	"1.1234567"	"253402300799"	"253402300800"	"999999999999"	"-62135596801"
es	"1700000000"	1700000000.25	"1700000000.25"	1700000000007	"yesterday"	"1 "	1.1234567	""	"12345678901234567890123456789012345678901"	"1.7e9"	1.7e9	"17E+8"	"1.700000000123456e9"	"1.7000000001234567e9"	"1.70000000012345601e9"	"1.5e-7"	1.5e-7	"1500000e-6"	"0e-9"	"1e400"	"1e-400"	"-1.7e9"
ems	1700000000007	"1700000000007"	-1	1.700000000007e12	"1.5"	"1.5555"	"1.7000000000075555e12"	"1.700000000007555e12"	"1e-4"
eus	"1700000000007000.000"	1700000000007000	"1.5"	"-99999999999999999999999999999999999999"	"1.7e15"	"15e-1"	"150e-1"
eday	1700000000007	-1	"x"	"1.7e12"	"1e-4"
j	{"a":[true,null,"x"],"b":1}	null	[]	"text"	12	""
VALUES
awk -F '\t' '{ for (k = 2; k <= NF; k++) printf "{\"n\":%d,\"%s\":%s}\n", ++n, $1, $k }
END { printf "{\"n\":null}\n{\"n\":\"\"}\n{\"s\":\"x\"}\n{\"n\":1000,\"a\":[0,{\"b.c/d\":\"deep\"}]}\n{\"n\":1001,\"a\":{\"1\":{\"b.c/d\":\"object\"}}}\n{\"n\":1002,\"a\":[1]}\n" }' values >edge.ndjson

table=edge
# Rows of both, by their number in the file: without names of files, and with names of columns in one case.
rows () {
	river --profile "$1" --output json query "select * from web.$table$2 order by file_row" |
		jq -c --argjson drop "$3" 'with_entries(.key |= ascii_downcase) | del(.v, .file_name, .loaded_at) | delpaths($drop)'
}

test_expect_success 'both load the same records' '
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null && sf_start && sf_env &&
	for profile in cloud laptop
	do
		river --profile $profile stream apply -f edge.yaml >out &&
		river --profile $profile push web/edge edge.ndjson --wait loaded >out || return 1
	done &&
	test "$(sf_value "SELECT COUNT(*) FROM RIVER.WEB.EDGE")" = $(wc -l <edge.ndjson)
'
test_expect_success 'what is accepted has the same values' '
	rows cloud _clean "[]" >cloud && rows laptop _clean "[]" >laptop &&
	test $(wc -l <cloud) -gt 70 &&
	test_cmp laptop cloud
'
test_expect_success 'what is refused is refused for the same column and reason' '
	rows cloud _refused "[[\"record\"],[\"value\"]]" >cloud && rows laptop _refused "[[\"record\"],[\"value\"]]" >laptop &&
	test $(wc -l <cloud) -gt 60 &&
	test_cmp laptop cloud
'
test_expect_success 'the newest rows are the same, and nothing gets lost between raw, clean and refused' '
	rows cloud _latest "[]" >cloud && rows laptop _latest "[]" >laptop &&
	test_cmp laptop cloud &&
	test "$(($(rows cloud _clean "[]" | wc -l) + $(rows cloud _refused "[]" | wc -l)))" = $(wc -l <edge.ndjson)
'

# Duplicates, tombstones, late rows and fields that are not in the contract; in two files.
cat >life.yaml <<'YAML'
stream: web/life
key: [id]
order_by: at
delete_when: { column: state, equals: gone }
columns:
  id: { type: integer }
  at: { type: timestamp, format: epoch_s }
  state: { type: string }
contract: reject
YAML
cat >one.ndjson <<'JSON'
{"id":1,"at":10,"state":"new"}
{"id":1,"at":10,"state":"new"}
{"id":1,"at":20,"state":"on"}
{"id":2,"at":10,"state":"new"}
{"id":2,"at":30,"state":"gone"}
{"id":3,"state":"no time"}
{"id":3,"at":1,"state":"a time"}
{"id":4,"at":1,"state":"x","more":1}
{"id":null,"at":1}
JSON
cat >two.ndjson <<'JSON'
{"id":1,"at":15,"state":"late"}
{"id":2,"at":20,"state":"late, and does not bring it back"}
{"id":5,"at":1,"state":"on"}
{"id":5,"at":1,"state":"off"}
{"id":1,"at":20,"state":"on"}
JSON

same_life () {
	rows cloud _latest "[]" | jq -c "del(.file_row)" | sort >cloud && rows laptop _latest "[]" | jq -c "del(.file_row)" | sort >laptop &&
	test_cmp laptop cloud &&
	rows cloud _clean "[]" | jq -c "del(.file_row)" | sort >cloud && rows laptop _clean "[]" | jq -c "del(.file_row)" | sort >laptop &&
	test_cmp laptop cloud
}
# life BODY-OF-THE-DEFINITION: both profiles, file after file
life () {
	for profile in cloud laptop
	do
		river --profile $profile stream apply -f "$1" >out &&
		river --profile $profile push web/life one.ndjson --wait loaded >out 2>err &&
		river --profile $profile push web/life two.ndjson --wait loaded >out 2>err || { cat err; return 1; }
	done
}
test_expect_success 'duplicates, tombstones and late rows: derived' '
	table=life && life life.yaml && same_life &&
	for profile in cloud laptop
	do
		river --profile $profile stream delete web/life --data --yes >out || return 1
	done
'
test_expect_success 'the same, merged by tasks because raw is trimmed' '
	{ cat life.yaml && echo "retention: { warehouse: 3 months }" ; } >kept.yaml &&
	table=life && life kept.yaml && same_life &&
	river --profile cloud stream diff -f kept.yaml
'
test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
