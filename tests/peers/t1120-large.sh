#!/bin/sh
test_description='large records: over the limit of Firehose they go into the lake, under it through Firehose'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    delivery: { type: firehose, role_arn: "arn:aws:iam::123456789012:role/firehose" }
    warehouse: none
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

fresh () {
	rm -rf "$HOME/.local" &&
	emul_post reset "" >/dev/null && emul_delete log >/dev/null &&
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null &&
	river stream create web/big "$@" >/dev/null
}
# A record whose line has this many bytes, its newline included
record () {
	printf '{"s":"'
	head -c $(($1 - 9)) /dev/zero | tr '\0' x
	printf '"}\n'
}
lake_objects () {
	emul_get "objects?bucket=lake" | jq -r ".. | .key? // empty" | grep "^river/data/" | grep -v "/river-web-big-"
}
taken () {
	emul_count firehose.PutRecordBatch accepted
}

test_expect_success 'without a stamp: 1,024,000 bytes with the newline go through Firehose, one more does not' '
	fresh --stamp none &&
	record 1024000 >fits && test $(wc -c <fits) = 1024000 &&
	record 1024001 >large && record 10485760 >larger &&
	river push web/big fits && test "$(taken)" = 1 && test -z "$(lake_objects)" &&
	river push web/big large && test "$(taken)" = 1 && test "$(lake_objects | wc -l)" = 1 &&
	river push web/big larger && test "$(taken)" = 1 && test "$(lake_objects | wc -l)" = 2 &&
	cat large larger >want &&
	lake_objects | while read -r key
	do
		emul_get "object?bucket=lake&key=$key" >object && case $key in
		*.zst) zstd -qdc object ;;
		*.gz) gzip -dc object ;;
		*) cat object ;;
		esac
	done >got && test_cmp want got
'

# The longest stamp decides, not that of this run: the same input must make the same batches.
test_expect_success 'with a stamp: it counts' '
	fresh && echo "{\"s\":\"\"}" >short && river push web/big short &&
	emul_records river-web-big >line && stamp=$(($(wc -c <line) - $(wc -c <short))) && test $stamp -gt 20 &&
	record 1023800 >fits && record $((1024000 - stamp + 1)) >large &&
	river push web/big fits && test "$(taken)" = 2 && test -z "$(lake_objects)" &&
	river push web/big large && test "$(taken)" = 2 && test "$(lake_objects | wc -l)" = 1
'

test_expect_success 'among others: each its way, none lost, status counts them' '
	fresh &&
	{ seq 1 1000 | sed "s/.*/{\"n\":&}/" && record 2000000 && seq 1001 2000 | sed "s/.*/{\"n\":&}/" && record 3000000; } >in &&
	river push web/big in --receipt receipt &&
	test "$(jq .accepted receipt)" = 2002 &&
	test "$(taken)" = 2000 && test "$(lake_objects | wc -l)" -ge 1 &&
	river status web/big --output json >out && test "$(jq .accepted out)" = 2002
'

emul_stop
test_done
