#!/bin/sh
test_description='memory that runs out in a library, anywhere: nothing lost, doubled or altered, and no exit 0 that is not true'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"

! test_have_prereq SANITIZER || walk_skip_all 'a sanitizer has an allocator of its own'
starve=$RIVER_BUILD/tests/lib/preload/starve.so
make_zip=$RIVER_BUILD/tests/lib/make_zip
test -f "$starve" || test_bug 'starve is not built: make check-faults builds it'
# What river knows, and no file may hold: some of what happens here ends by abort().
AWS_SECRET_ACCESS_KEY=$test_canary key=0123-$test_canary
export AWS_SECRET_ACCESS_KEY
echo "shop $key" >keys && chmod 600 keys && test_holds_secret keys
ulimit -S -c "$(ulimit -H -c)"

# starved N FOREVER COMMAND...: leaves walk_code, out and err
starved () {
	starve_at=$1 starve_forever=$2
	shift 2
	rm -f starve.count
	env LD_PRELOAD="$starve" STARVE_COUNT="$PWD/starve.count" ${starve_at:+STARVE_AT="$starve_at"} \
		${starve_forever:+STARVE_FOREVER=1} ${starve_all:+STARVE_ALL=1} \
		timeout -s KILL 60 "$@" <"${walk_input:-/dev/null}" >walk.out 2>walk.err
	walk_code=$?
}
# what FIELD (asked 0, failed 8) says
counted () {
	od -An -t u8 -j "$1" -N 8 starve.count | tr -d ' '
}

# With 70 river says that it was memory. Threads, and the C++ of the embedded warehouse, may be left without the
# memory for saying it in their way, and are ended by their libraries; 2 is a table that could not be made. Where
# $walk_engine is set the warehouse's own code may crash as well (DuckDB 1.5.5 does, in MetaTransaction::Rollback):
# that is as good as a kill, and what is there is compared in any case.
memory_code_is_known () {
	case $walk_code in
	70|134) return 0 ;;
	139) test -n "$walk_engine" && return 0 ;;
	127) grep -q "cannot allocate memory" walk.err && return 0 ;;
	2) grep -q "could not be loaded.*Out of Memory" walk.err && return 0 ;;
	esac
	code_is_known "$@"
}

# walk_memory SCENARIO SETUP CHECK COMMAND...: at most $walk_max of them fail (all with RIVER_DEEP), each once and for
# ever; with $starve_all river's own ones too
walk_memory () {
	walk_name=$1
	shift
	walk_told "$walk_name" "${starve_all:+any }memory once" starve_each '' "$@" &&
	walk_told "$walk_name" "${starve_all:+any }memory forever" starve_each t "$@"
}
starve_each () {
	walk_forever=$1 walk_setup=$2 walk_check=$3
	shift 3
	eval "$walk_setup" || return 1
	starved '' '' "$@"
	test $walk_code -eq 0 || { echo "without a fault it ends with $walk_code"; cat walk.err; return 1; }
	walk_total=$(counted 0)
	walk_step=$((walk_total / ${walk_max:-40} + 1))
	test -z "$test_deep" || walk_step=$((walk_total / (test_deep_most < 5000 ? test_deep_most : 5000) + 1))
	walk_n=1
	while test $walk_n -le $walk_total
	do
		eval "$walk_setup" || { echo "setup of $walk_n"; return 1; }
		starved $walk_n "$walk_forever" "$@"
		check_secrets && memory_code_is_known && eval "$walk_check" || {
			echo "allocation $walk_n of $walk_total${walk_forever:+ and all behind it}: code $walk_code"
			head -c 3000 walk.out
			head -c 3000 walk.err
			return 1
		}
		test $(counted 8) -eq 0 || walk_points=$((walk_points + 1))
		walk_n=$((walk_n + walk_step))
	done
}

"$gen_events" 30 >in
touch -d '1 hour ago' in
push_world
cat >river.yaml <<\EOS
profiles:
  local:
    lake: ./w/lake
    state: ./w/state
    warehouse:
      type: duckdb
      path: ./w/warehouse.duckdb
EOS
river query 'select 1' >/dev/null 2>&1 || walk_skip_all 'no DuckDB here: make deps'

true_if_0 () {
	test $walk_code -ne 0 || "$@"
}

file_check='true_if_0 all_there in && again 0 push web/clicks --batch-records 12 in && all_there in'
test_expect_success '6: a push of a file' '
	new_world && walk_max=25 &&
	walk_memory push-file fresh "$file_check" river push web/clicks --batch-records 12 in &&
	test $walk_points -gt 6 &&
	starve_all=t walk_max=15 && test_when_finished "unset starve_all" &&
	walk_memory push-file fresh "$file_check" river push web/clicks --batch-records 12 in &&
	test $walk_points -gt 6
'

pipe_check='true_if_0 lake_holds in && again_pipe 0 in push web/clicks --batch-records 12 --run day-1 && all_there in'
test_expect_success '6: a push of a pipe' '
	new_world && walk_max=20 && walk_input=in && test_when_finished "unset walk_input" &&
	walk_memory push-run fresh "$pipe_check" river push web/clicks --batch-records 12 --run day-1 &&
	test $walk_points -gt 6
'

# The batches are in the spool, and the journal is read again: memory must not make damage of it.
test_expect_success '6: a flush of what was spooled' '
	new_world && spool_all --batch-records 12 <in && keep_world && walk_max=20 &&
	walk_memory flush fresh "test \$walk_code -ne 12 && true_if_0 all_there in && again 0 spool flush && all_there in" \
		river spool flush &&
	test $walk_points -gt 5
'

rows_are_there () {
	river query --no-load --output csv "select record from web.clicks" 2>ask.err | sed "1d; s/^\"//; s/\"\$//; s/\"\"/\"/g" >rows &&
	check_records in --got rows
}
test_expect_success '6: a query, which loads first' '
	new_world && river push web/clicks --batch-records 12 in && keep_world && walk_max=7 walk_engine=t &&
	test_when_finished "unset walk_engine" &&
	printf "n\n30\n" >counted &&
	walk_memory load fresh "true_if_0 test_cmp counted walk.out && again 0 snowpipe notify web/clicks && rows_are_there &&
			again 0 status web/clicks --check" \
		river query --output csv "select count(*) as n from web.clicks" &&
	test $walk_points -gt 2
'

cat >orders.yaml <<\EOS
source: { path: drop }
tables:
  orders: { member: orders.csv, key: [id], columns: { id: integer, total: "decimal(18,2)" } }
  clicks: { member: clicks.csv, columns: { event_id: string, n: integer } }
loads:
  orders: { to: table dw.orders }
  clicks: { to: stream web/clicks }
EOS
mkdir drop
printf 'id,total\n1,1.50\n2,2\n3,3\n' >orders.csv
printf 'event_id,n\na,1\nb,2\n' >clicks.csv
"$make_zip" --pack drop/ext-1.zip orders.csv clicks.csv
touch -d '1 hour ago' drop/ext-1.zip

loaded () {
	river query --no-load --output csv "SELECT * FROM dw.orders ORDER BY id" 2>ask.err >have &&
	printf "id,total\n1,1.50\n2,2.00\n3,3.00\n" >want && check_records want --got have &&
	read_lake && test_line_count = 2 got && sort -u got >have && test_line_count = 2 have &&
	find w -name ".tmp-*" >left && test_must_be_empty left
}
test_expect_success '6: an extract' '
	new_world && walk_max=7 walk_engine=t && test_when_finished "unset walk_engine" &&
	walk_memory extract-tables fresh "true_if_0 loaded && again 0 extract-load orders.yaml && loaded" \
		river extract-load orders.yaml &&
	test $walk_points -gt 2
'

# One that died is started again, as systemd would, and the client sends what was not answered.
collects () {
	: >collector.err
	{ "$collect_client" "$port" /collect 20 4 --key "$key" --start "$1" >client.out 2>client.err & } &&
	client_pid=$! &&
	while kill -0 $client_pid 2>/dev/null
	do
		kill -0 "$collector_pid" 2>/dev/null || {
			wait "$collector_pid"
			walk_code=$?
			memory_code_is_known || return 1
			collector_env= && start_collector || return 1
		}
		sleep 0.02
	done &&
	wait $client_pid && test_grep "acknowledged=20 " client.out && kill_or_stop && check_secrets &&
	river spool flush >flushed 2>&1 && read_lake &&
	sed "s/.*\"z\": *\"z-\([0-9]*\)\".*/\1/" got >have && seq "$1" $(($1 + 19)) >want && check_records want --got have
}
kill_or_stop () {
	kill "$collector_pid" 2>/dev/null
	wait "$collector_pid"
	walk_code=$?
	collector_pid=
	memory_code_is_known
}
starve_collector () {
	rm -f starve.count && collector_env="LD_PRELOAD=$starve STARVE_COUNT=$PWD/starve.count" && start_collector &&
	collects 0 && walk_total=$(counted 0) && walk_n=1 &&
	while test $walk_n -le $walk_total
	do
		fresh && rm -f starve.count &&
		collector_env="LD_PRELOAD=$starve STARVE_COUNT=$PWD/starve.count STARVE_AT=$walk_n" &&
		{ start_collector || { collector_env= && start_collector; }; } &&
		collects $((walk_n * 100)) || { echo "allocation $walk_n of $walk_total"; cat collector.err; return 1; }
		walk_points=$((walk_points + $(counted 8))) &&
		walk_n=$((walk_n + walk_total / walk_max + 1)) || return 1
	done
}
test_expect_success '6: a collector' '
	test_when_finished "end_collector; collector_env=" &&
	RIVER_COLLECT_KEYS=$PWD/keys && export RIVER_COLLECT_KEYS &&
	walk_max=${RIVER_DEEP:+$test_deep_most} && walk_max=${walk_max:-12} && new_world &&
	walk_told collect "memory once" starve_collector && test $walk_points -gt 5
'

test_done
