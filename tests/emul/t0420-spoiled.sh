#!/bin/sh
test_description='answers of S3, Firehose and Snowflake that are lost, cut anywhere, doubled or those of another request'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"
. "$RIVER_SOURCE/tests/lib/firehose-lib.sh"
. "$RIVER_SOURCE/tests/lib/snowflake-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-proxy-lib.sh"

emul_need
checker=$RIVER_BUILD/tests/fault/checker gen_events=$RIVER_BUILD/tests/bench/gen_events
wrong_clock=$RIVER_BUILD/tests/lib/preload/wrong_clock.so
emul_start || test_bug 'the emulator does not start'
emul_env
sf_start && sf_env || test_bug 'no account'
cat >"$TRASH_ROOT/river.yaml" <<-YAML
	default_profile: direct
	profiles:
	  direct:
	    lake: s3://lake/river
	    warehouse: none
	  fire:
	    lake: s3://lake/river
	    delivery: { type: firehose, role_arn: "$firehose_role" }
	    warehouse: none
	  duck:
	    lake: s3://lake/river
	    warehouse: { type: duckdb, path: ./warehouse.duckdb }
	  snow:
	    lake: s3://snow/river
	    warehouse:
	      type: snowflake
	      database: RIVER
	      warehouse: WH
	      storage_integration: RIVER_S3
	      storage_role_arn: "arn:aws:iam::123456789012:role/river"
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG
emul_post bucket '{"name":"lake"}' >/dev/null && emul_post bucket '{"name":"snow"}' >/dev/null || test_bug 'no buckets'
"$gen_events" 30 >"$TRASH_ROOT/in" && touch -d '1 hour ago' "$TRASH_ROOT/in"
in=$TRASH_ROOT/in n=0

# The proxy takes the place of the emulator for what a command is told.
through () {
	env AWS_ENDPOINT_URL="http://127.0.0.1:$spoil_port" SNOWFLAKE_PORT="$spoil_port" timeout -s KILL 60 "$@"
}
# What is promised: a code of the contract, and a word with any that is not 0.
spoiled_code_is_known () {
	case $spoiled_code in
	0) return 0 ;;
	1|3|4|5|6|8|10) ;;
	*) echo "the code $spoiled_code is none of river's for this"; return 1 ;;
	esac
	test -s err || { echo "code $spoiled_code without a word"; return 1; }
}
landed () {
	emul_get "objects?bucket=lake&prefix=river/data/web/$1/" | jq -r .key | while read -r key
	do
		emul_get "object?bucket=lake&key=$key" | zstd -dcq || exit 1
	done
}
landed_once () {
	landed "$1" >got && "$checker" "$in" --quiet --got got
}

# spoiled RULES CHECK COMMAND...: the command under the rules, one of which was used; when it did not get through,
# again without them. 2: none was used, and with $each_varies that is no failure yet.
spoil_used () {
	sed 1d spoil.log | cut -d" " -f2 | grep -qvx -e -
}
spoiled () {
	spoil_rules=$1 spoil_check=$2
	shift 2
	spoil_start "$emul_port" $spoil_rules || return 1
	through "$@" >out 2>err <"${spoil_input:-/dev/null}"
	spoiled_code=$?
	test -z "$each_varies" || spoil_used || return 2
	spoiled_code_is_known && spoil_used && {
		test $spoiled_code -eq 0 || "$@" >again.out 2>again.err <"${spoil_input:-/dev/null}" || {
			echo "again: $?"
			cat again.err
			false
		}
	} && eval "$spoil_check" || {
		echo "$spoil_rules: code $spoiled_code: $*"
		cat err spoil.log
		return 1
	}
}

# each_kind COUNT SETUP CHECK COMMAND...: every kind at COUNT requests of it, spread over them; all with RIVER_DEEP.
# With $each_varies it asks as often as it takes: when that was too seldom this time, the last request is the one.
each_kind () {
	each_most=${RIVER_DEEP:+1000} each_most=${each_most:-$1} each_setup=$2 each_check=$3
	shift 3
	n=$((n + 1)) && eval "$each_setup" && spoil_start "$emul_port" && eval "each_command=\"$*\"" &&
	through $each_command <"${spoil_input:-/dev/null}" || return 1
	each_total=$(spoil_requests) each_offset=0
	for kind in ${each_kinds:-$spoil_kinds} $each_more
	do
		each_step=$((each_total / each_most + 1))
		each_nth=$((each_offset % each_step + 1)) each_offset=$((each_offset + 1))
		while test $each_nth -le $each_total
		do
			n=$((n + 1)) && eval "$each_setup" && eval "each_command=\"$*\"" &&
			spoiled "$each_nth:$kind" "$each_check" $each_command
			case $? in
			0) each_nth=$((each_nth + each_step)) ;;
			2) each_total=$(spoil_requests) each_nth=$each_total && test $each_nth -gt 0 || return 1 ;;
			*) return 1 ;;
			esac
		done
	done
}

test_expect_success '26, 28, 64, 65: a push of a file to a lake on S3: once, whatever becomes of the answers' '
	each_more=other && test_when_finished "unset each_more" &&
	each_kind 2 "river stream create web/s\$n >/dev/null" "landed_once s\$n" river push web/s\$n --batch-records 12 "$in"
'

test_expect_success '26: and of a pipe with a name' '
	spoil_input=$in && test_when_finished "unset spoil_input" &&
	each_kind 1 "river stream create web/p\$n >/dev/null" "landed_once p\$n" river push web/p\$n --run day-1 --batch-records 12
'

# cut_anywhere TEXT SETUP CHECK COMMAND...: the answer to that request ends at every byte; at some without RIVER_DEEP
cut_anywhere () {
	cut_text=$1 cut_setup=$2 cut_check=$3
	shift 3
	n=$((n + 1)) && eval "$cut_setup" && spoil_start "$emul_port" --only "$cut_text" && eval "cut_command=\"$*\"" &&
	through $cut_command && cut_length=$(sed 1d spoil.log | awk "{ print \$4 }" | sort -n | tail -n 1) &&
	cut_step=$((cut_length / 10 + 1)) && cut_at=0 || return 1
	test -z "$RIVER_DEEP" || cut_step=1
	while test $cut_at -lt $cut_length
	do
		n=$((n + 1)) && eval "$cut_setup" && eval "cut_command=\"$*\"" &&
		spoiled "--only $cut_text 1:cut:$cut_at" "$cut_check" $cut_command || return 1
		cut_at=$((cut_at + cut_step))
	done
}

test_expect_success '26: the answer to an object that was put ends at any byte' '
	cut_anywhere /data/web/ "river stream create web/c\$n >/dev/null" "landed_once c\$n" river push web/c\$n "$in"
'

test_expect_success '57: an answer that was garbled on its way is read again; damaged is what is so each time' '
	n=$((n + 1)) && river stream create web/g$n >/dev/null &&
	spoil_start "$emul_port" --only /streams/ 1:shorter:1 && through river push web/g$n "$in" && landed_once g$n &&
	spoil_start "$emul_port" --only /streams/ "1+*:shorter:1" &&
	test_expect_code 12 through river stream show web/g$n 2>err && test_grep "what came has the checksum" err
'

arrived_once () {
	emul_records "river-web-$1" >raw && jq -r ._river.id raw | sort -u >ids && test_line_count = 30 ids &&
	jq -c "[._river.id, .]" raw | sort -u >pairs && test_line_count = 30 pairs &&
	jq -c "del(._river)" raw | sort -u >got && jq -c . "$in" | sort -u >wanted && test_cmp wanted got
}
test_expect_success '26, 28, 64, 65: a push through Firehose: each record under one stamp' '
	each_kind 1 "river --profile fire stream create web/f\$n >/dev/null" "arrived_once f\$n" \
		river --profile fire push web/f\$n "$in"
'

make_zip=$RIVER_BUILD/tests/lib/make_zip
printf 'id,name\n1,a\n2,b\n' >t.csv && "$make_zip" --pack ext-1.zip t.csv && emul_post bucket '{"name":"drop"}' >/dev/null &&
curl -sS --noproxy '*' --fail-with-body -X PUT --data-binary @ext-1.zip "$emul_url/_emul/object?bucket=drop&key=ext-1.zip" >/dev/null
cat >job.yaml <<\EOS
source: { path: "s3://drop/ext-*.zip" }
tables: { t: { member: t.csv, columns: { id: integer, name: string } } }
loads: { t: { to: table dw.t } }
EOS
extracted () {
	river --profile duck query --no-load --output csv "SELECT * FROM dw.t ORDER BY id" >have &&
	printf "id,name\n1,a\n2,b\n" >want && test_cmp want have
}
# What the warehouse and the lake have of it goes: a load that finds it there asks for less.
extract_fresh () {
	rm -rf "$TRASH_ROOT"/warehouse.duckdb* "$HOME/.local" &&
	for what in _river/extracts/ _river/format.json loads/
	do
		emul_get "objects?bucket=lake&prefix=river/$what" | jq -r ".key | @uri" || return 1
	done >keys && while read -r key
	do
		emul_delete "object?bucket=lake&key=$key" >/dev/null || return 1
	done <keys
}
test_expect_success '26, 28, 64, 65: an extract in a bucket: its rows once' '
	each_kind 1 extract_fresh extracted river --profile duck extract-load job.yaml
'

snow_rows () {
	test "$(sf_value "select count(*) from RIVER.WEB.\"N$1\"")" = 30 &&
	test "$(sf_value "select count(distinct file_name || file_row) from RIVER.WEB.\"N$1\"")" = 30
}
snow_stream () {
	river --profile snow stream create web/n$n --pipe notify >/dev/null && river --profile snow push web/n$n --batch-records 12 "$in"
}
test_expect_success '26, 165: a load on Snowflake: each row once' '
	each_kinds=${RIVER_DEEP:+$spoil_kinds} && each_kinds=${each_kinds:-"unread tls lose lose-reset cut:17 cut:-1 longer:3 unended interim:4000 twice leave"} &&
	each_varies=t && test_when_finished "unset each_kinds each_varies" &&
	each_kind 1 snow_stream "river --profile snow snowpipe notify web/n\$n --wait --timeout 60s && snow_rows \$n" \
		river --profile snow snowpipe notify web/n\$n --wait --timeout 60s
'

# What libcurl and OpenSSL need: each of some allocations fails, once or with all behind it.
starve=$RIVER_BUILD/tests/lib/preload/starve.so
starved () {
	rm -f starve.count
	env LD_PRELOAD="$starve" STARVE_COUNT="$PWD/starve.count" STARVE_AT="$1" ${2:+STARVE_FOREVER=1} \
		timeout -s KILL 60 river --profile "$3" push "web/$4" --batch-records 12 "$in" >out 2>err
	spoiled_code=$?
	case $spoiled_code in
	70) grep -q "out of memory" err ;;
	127) grep -q "cannot allocate memory" err ;;
	*) spoiled_code_is_known ;;
	esac || { echo "allocation $1 of $starve_total: code $spoiled_code"; cat err; return 1; }
	test $spoiled_code -eq 0 || river --profile "$3" push "web/$4" "$in"
}
test_expect_success '6: memory that runs out in what talks to S3 and to Firehose' '
	starve_most=${RIVER_DEEP:+1000} && starve_most=${starve_most:-12} &&
	for profile in direct fire
	do
		n=$((n + 1)) && river --profile $profile stream create web/m$n >/dev/null && starve_total=0 &&
		starved 0 "" $profile m$n && starve_total=$(od -An -t u8 -N 8 starve.count) && starve_at=1 || return 1
		while test $starve_at -le $starve_total
		do
			for starve_forever in "" t
			do
				n=$((n + 1)) && river --profile $profile stream create web/m$n >/dev/null &&
				starved $starve_at "$starve_forever" $profile m$n || return 1
				case $profile in
				direct) landed_once m$n ;;
				*) arrived_once m$n ;;
				esac || { echo "allocation $starve_at of $starve_total"; return 1; }
			done
			starve_at=$((starve_at + starve_total / starve_most + 1))
		done
	done
'

test_expect_success '36, 198: a clock that is off by a year: S3 and Firehose go by the clock of the service' '
	year=31536000 &&
	for off in -$year -3600 3600 $year
	do
		n=$((n + 1)) && river stream create web/k$n >/dev/null && river --profile fire stream create web/l$n >/dev/null &&
		env LD_PRELOAD="$wrong_clock" WRONG_CLOCK=$off river push web/k$n "$in" && landed_once k$n &&
		env LD_PRELOAD="$wrong_clock" WRONG_CLOCK=$off river --profile fire push web/l$n "$in" && arrived_once l$n || return 1
	done
'

test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
