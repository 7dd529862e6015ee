#!/bin/sh
test_description='a lake on S3 that goes away while a pipe is pushed: what the pipe brings is kept'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env
emul_post bucket '{"name":"lake"}' >/dev/null

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: s3
profiles:
  s3:
    lake: s3://lake/l
    aws: { region: us-east-1 }
    warehouse: { type: duckdb, path: $TRASH_ROOT/w.duckdb }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

has_landed () {
	emul_get 'objects?bucket=lake' | grep -q "data/web/$1/"
}

# some of the input while the lake is there, the rest when it is not: halves NAME WORLD
halves () {
	seq 1 5000 | sed "s/.*/{\"id\":&,\"of\":\"$1\"}/" &&
	test_wait_until 30 has_landed "$1" >&2 &&
	emul_script "$2" >/dev/null &&
	seq 5001 20000 | sed "s/.*/{\"id\":&,\"of\":\"$1\"}/"
}

# goes_away NAME WORLD CODE [OPTION...]
goes_away () {
	away_name=$1 away_world=$2 away_code=$3
	shift 3
	river stream create "web/$away_name" >out || return 1
	halves "$away_name" "$away_world" >pipe &
	away_writer=$!
	river push "web/$away_name" --retry-for 0 --batch-records 1000 "$@" <pipe >out 2>err
	away_got=$?
	wait $away_writer
	cat err >&2
	test "$away_got" = "$away_code" &&
	emul_no_script &&
	river spool flush >out &&
	test "$(river --output csv query "select count(*), count(distinct record->>'id') from web.$away_name" |
		sed 1d)" = 20000,20000 &&
	river status --check "web/$away_name" >out
}

mkfifo "$TRASH_DIRECTORY/pipe"
test_expect_success 'connections are closed: accepted, kept, and complete after a flush' '
	goes_away closed "{\"match\":{\"service\":\"s3\",\"count\":\"all\"},\"do\":\"close_before_body\"}" 8
'

test_expect_success 'the keys are taken away' '
	goes_away keys "{\"match\":{\"service\":\"s3\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" 4
'

all_once () {
	test "$(river --output csv query "select count(*), count(distinct record->>'id') from web.$1" |
		sed 1d)" = 20000,20000 &&
	river status --check "web/$1" >out
}
closed='"do":"close_before_body"'

# Its batches may not be promised unasked: another host may be at the same name.
test_expect_success 'a named run holds its input up until the lake is back' '
	river stream create web/named >out &&
	{ halves named "{\"match\":{\"service\":\"s3\",\"count\":12},$closed}" >pipe & } && writer=$! &&
	river push web/named --run x --retry-for 60s --batch-records 1000 <pipe && wait $writer &&
	test "$(emul_get script | jq .fired)" = 12 && emul_no_script &&
	all_once named
'

test_expect_success 'a named run whose lake stays away: said, and the same input again lands once' '
	river stream create web/again >out &&
	{ halves again "{\"match\":{\"service\":\"s3\",\"count\":\"all\"},$closed}" >pipe & } && writer=$! &&
	test_expect_code 1 river push web/again --run x --retry-for 0 --batch-records 1000 <pipe 2>err &&
	test_grep "accepted up to byte" err && test_grep "same input again under the same name" err &&
	# whoever writes to one that has ended is ended as well
	emul_no_script && { wait $writer || :; } &&
	seq 1 20000 | sed "s/.*/{\"id\":&,\"of\":\"again\"}/" >in &&
	river push web/again --run x --batch-records 1000 <in &&
	all_once again
'

emul_stop
test_done
