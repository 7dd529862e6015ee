# What is done to a world whose power is cut, and what has to hold afterwards; after power-lib.sh. Each scenario is
# a function that ends with a power_case; power_scenarios lists them, so that several scripts can go through
# all: the states of a disk that does no more than it must, a real file system, and river without one of its
# syncs. What a scenario promises is judged by the known records alone.

make_zip=$RIVER_BUILD/tests/lib/make_zip
power_scenarios='push_file push_packed push_first push_grown push_many push_rejects push_spooled push_pipe pipe_spooled pipe_named
named_again flush set_aside follow_renamed follow_cut replay landing stream_create stream_apply pump collect collect_again collect_resent intake_aside'
power_loads='load load_later extract extract_anew'

power_inputs () {
	"$gen_events" 40 >in
	"$gen_events" 12 --start 100 >more
	"$gen_events" 6 --start 200 >appended
	"$gen_events" 20 --start 300 >new
	cat in appended >in.whole
	printf '{"bad\n' >wrong1
	printf '[1,2]\n' >wrong2
	{ head -n 3 in && cat wrong1 && tail -n +4 in && cat wrong2; } >mixed
	for wrong in wrong1 wrong2
	do
		base64 -w 0 $wrong
		echo
	done >rejects
	: >nothing
	mkdir many && split -l 1 -a 3 in many/
	printf 'id,op,total\n1,I,1.50\n2,I,2\n3,I,3\n' >orders.csv
	printf 'event_id,n\na,1\nb,2\n' >clicks.csv
	mkdir drop
	"$make_zip" --pack ext-1.zip orders.csv clicks.csv && mv ext-1.zip drop/
	printf 'id,op,total\n1,U,9\n3,D,\n4,I,4\n' >orders.csv
	printf 'event_id,n\nc,3\n' >clicks.csv
	"$make_zip" --pack ext-2.zip orders.csv clicks.csv && mv ext-2.zip drop/
	cat >orders.yaml <<-\EOS
	source: { path: drop }
	tables:
	  orders:
	    member: orders.csv
	    key: [id]
	    mode: merge
	    delete_when: { column: op, equals: D }
	    columns: { id: integer, op: string, total: "decimal(18,2)" }
	  clicks:
	    member: clicks.csv
	    columns: { event_id: string, n: integer }
	loads:
	  orders: { to: table dw.orders }
	  clicks: { to: stream web/clicks }
	EOS
	# what a stream got cannot be replaced
	{ echo "job: orders" && sed '/clicks: { to/d' orders.yaml; } >anew.yaml
	awk 'BEGIN { for (i = 0; i < 30; i++) printf "{\"s\":\"s%d\",\"n\":%d}\n", i % 7, i }' >rows.ndjson
	printf 'session: s\nfields: { s: { column: s }, n: { column: n }, z: uuid4, tm: now }\n' >map.yaml
	printf "stream: web/clicks\nkey: event_id\nbatch: { records: 5 }\n" >batch.yaml
	printf "stream: web/clicks\nkey: event_id\nbatch: { size: 1MiB }\n---\nstream: web/new\n" >both.yaml
	touch -d '1 hour ago' in more mixed many/* drop/* rows.ndjson
}

# promised RECORDS...: where river had ended with 0, they are in the lake before anybody looks after it
kept_promise () {
	test "$power_exit" = - || lake_holds "$@"
}

# ---- push ---------------------------------------------------------------------------------------

power_push_file () {
	new_world &&
	power_case fresh "kept_promise in && again 0 push web/clicks --batch-records 15 in &&
			again 0 push web/clicks --shipped in && all_there in" \
		river push web/clicks --batch-records 15 in
}
# By what it begins with it is known when it comes again, packed.
power_push_packed () {
	new_world &&
	power_case "fresh && rm -f goes* && cp -p in goes" \
		"rm -f goes* && cp -p in goes && { test \$power_exit != - || again 0 push web/clicks goes; } &&
			gzip -c goes >goes.1.gz && touch -d '1 hour ago' goes.1.gz && rm goes &&
			again 0 push web/clicks goes.1.gz && all_there in" \
		river push web/clicks goes
}
power_push_first () {
	new_world &&
	power_case "fresh && rm -rf w/state" "kept_promise in && again 0 push web/clicks in && all_there in" \
		river push web/clicks in
}
power_push_grown () {
	cp in grows && touch -d "1 hour ago" grows && new_world && river push web/clicks grows && keep_world &&
	cat appended >>grows && touch -d "1 hour ago" grows &&
	power_case fresh "kept_promise in.whole && again 0 push web/clicks grows && all_there in.whole" \
		river push web/clicks grows
}
power_push_many () {
	new_world &&
	power_case fresh "kept_promise in && again 0 push web/clicks many/* && all_there in" river push web/clicks many/*
}
# What a cut push had promised is finished by the next one, which then has no rejects of its own.
again_mixed () {
	again 0 push web/clicks --batch-records 15 mixed || test $again_got -eq 7
}
power_push_rejects () {
	new_world && power_code=7 &&
	power_case fresh "{ test \$power_exit = - || { lake_holds in && rejects_are rejects; }; } &&
			again_mixed && all_there in && rejects_are rejects" \
		river push web/clicks --batch-records 15 mixed
}
# Nobody needs the file once it is spooled.
power_push_spooled () {
	new_world && cp -p in goes &&
	power_case fresh "if test \$power_exit = -; then cp -p in goes; else rm -f goes; fi &&
			{ test ! -e goes || again 0 push web/clicks --batch-records 15 --wait spooled goes; } &&
			again_pipe 0 nothing push web/clicks && all_there in && cp -p in goes" \
		river push web/clicks --batch-records 15 --wait spooled goes
}

# What was accepted is a whole number of batches from the start; all of it, once it was said so.
pipe_is_whole () {
	again_pipe 0 nothing push web/clicks && lake_holds_start_of in && receipts_agree && nothing_left &&
	{ test "$power_exit" = - || lake_holds in; } &&
	case $(wc -l <got) in
	0|15|30|40) ;;
	*) echo "half a batch"; return 1 ;;
	esac
}
power_push_pipe () {
	new_world && walk_input=in &&
	power_case fresh "kept_promise in && pipe_is_whole" river push web/clicks --batch-records 15
}
power_pipe_spooled () {
	new_world && walk_input=in &&
	power_case fresh pipe_is_whole river push web/clicks --batch-records 15 --wait spooled
}
power_pipe_named () {
	new_world && walk_input=mixed && power_code=7 &&
	power_case fresh "kept_promise in && again_pipe 7 mixed push web/clicks --batch-records 15 --run day-1 &&
			all_there in && rejects_are rejects" \
		river push web/clicks --batch-records 15 --run day-1
}
# Another host has landed it all, and may have died before that was durable.
power_named_again () {
	new_world && river push web/clicks --batch-records 15 --run day-1 <in && rm -rf w/state && keep_world && walk_input=in &&
	power_case fresh "kept_promise in && again_pipe 0 in push web/clicks --batch-records 15 --run day-1 && all_there in" \
		river push web/clicks --batch-records 15 --run day-1
}
power_flush () {
	new_world && spool_all --batch-records 15 <in && keep_world &&
	power_case fresh "kept_promise in && again 0 spool flush && all_there in" river spool flush
}

# A batch that has changed is set aside, and its bytes are kept whatever happens; the others land.
power_set_aside () {
	new_world && spool_all --batch-records 15 <in && body=$(find w/state -name 000002.body) && printf XYZ | dd of="$body" bs=1 seek=40 conv=notrunc 2>/dev/null &&
	cp "$body" damaged.body && keep_world && power_code=12 &&
	head -n 30 in >others &&
	power_case fresh "{ again 12 spool flush || again 0 spool flush; } && lake_holds others &&
			find w/state -type f -exec cmp -s {} damaged.body \\; -print | grep damaged" \
		river spool flush
}

# ---- follow -------------------------------------------------------------------------------------

power_follow='river push -F --until-quiet 0s --settle 100ms web/clicks --batch-records 15'
again_follow () {
	again 0 push -F --until-quiet 0s --settle 100ms web/clicks app.log
}
followed () {
	rm -f app.log* && new_world && cp in app.log && river push web/clicks --batch-records 15 app.log && keep_world &&
	cat appended >>app.log
}
power_follow_renamed () {
	followed && mv app.log app.log.1 && cp new app.log &&
	power_case fresh "kept_promise in.whole new && again_follow && all_there in.whole new" $power_follow app.log
}
power_follow_cut () {
	followed && cp app.log app.log.1 && cat new >app.log &&
	power_case fresh "kept_promise in.whole new && again_follow && all_there in.whole new" $power_follow app.log
}

# ---- what else changes a lake ---------------------------------------------------------------------

power_replay () {
	new_world && test_expect_code 7 river push web/clicks --batch-records 15 --max-record 420 in && keep_world &&
	power_case fresh "kept_promise in && again 0 rejects replay web/clicks && again 0 rejects replay web/clicks &&
			all_there in" \
		river rejects replay web/clicks
}
landing_is_empty () {
	test -z "$(find w/lake/_river/landing -type f)" || { echo "something still waits"; return 1; }
}
power_landing () {
	new_world && mkdir -p w/lake/_river/landing/web/clicks &&
	cp in w/lake/_river/landing/web/clicks/01jd0000000000000000000000-000001 &&
	gzip -c more >w/lake/_river/landing/web/clicks/01jd0000000000000000000000-000002 && keep_world &&
	power_case fresh "kept_promise in more && { test \$power_exit = - || landing_is_empty; } && again 0 landing process && landing_is_empty &&
			again 0 spool flush && all_there in more" \
		river landing process
}
power_stream_create () {
	new_world &&
	power_case fresh "{ test \$power_exit = - || river stream list | grep web/made; } &&
			again 0 stream create web/made --key id && again 0 stream list &&
			test_line_count = 2 again.out && again 0 push web/clicks in && all_there in" \
		river stream create web/made --key id
}
power_stream_apply () {
	new_world &&
	power_case fresh "{ test \$power_exit = - || river stream diff -f both.yaml; } &&
			again 0 stream show web/clicks && again 0 stream apply -f both.yaml &&
			again 0 stream diff -f both.yaml && again 0 push web/clicks in && all_there in" \
		river stream apply -f both.yaml
}
# Each row once, and no id stands for two contents.
pumped () {
	read_lake && sed 's/.*"n":\([0-9]*\).*/\1/' got >numbers && seq 0 29 >expected &&
	check_records expected --got numbers &&
	sed 's/.*"z":"\([^"]*\).*/\1/' got | sort | uniq -d >twice && test_must_be_empty twice
}
power_pump () {
	new_world &&
	power_case fresh "{ test \$power_exit = - || pumped; } &&
			again 0 pump --resume --map map.yaml --to web/clicks rows.ndjson && pumped" \
		river pump --resume --map map.yaml --to web/clicks rows.ndjson
}

# ---- serve ----------------------------------------------------------------------------------------

# A client that sends one event after the other; the collector ends when it is through.
collect_some () {
	rm -f collect.out && { "$@" >collect.out & } && collector=$! &&
	test_wait_until 20 grep -q listening collect.out &&
	port=$(sed -n "s/^listening on http:..[^:]*:\([0-9]*\).*/\1/p" collect.out) &&
	"$RIVER_BUILD/tests/lib/collect_client" "$port" /collect 14 1 >client.out 2>&1 &&
	kill $collector && wait $collector
}
# All that was answered with 2xx is in the lake, nothing is twice, and nothing else is there. The push has nothing to
# do but to open the state: of a state that was only begun, a flush knows nothing.
collected () {
	again 0 spool flush && again_pipe 0 nothing push web/clicks && read_lake && sed 's/.*"z-\([0-9]*\)".*/\1/' got >have && seq 0 $((power_acked - 1)) >answered &&
	seq "$power_acked" 13 >others && { sort -u have | grep -xF -f others >unanswered || :; } &&
	check_records answered unanswered --got have && receipts_agree && nothing_left &&
	{ test "$power_exit" = - || test_line_count = 14 have; }
}
power_collect () {
	new_world && river stream apply -f batch.yaml && keep_world &&
	power_case fresh collected collect_some river serve --collect web/clicks --listen 127.0.0.1:0
}
# What a killed collector left is made into batches by somebody else.
power_collect_again () {
	new_world && river stream apply -f batch.yaml &&
	collect_killed river serve --collect web/clicks --listen 127.0.0.1:0 && keep_world &&
	power_case fresh "power_acked=14 && collected" river spool flush
}
collect_killed () {
	rm -f collect.out && { "$@" >collect.out & } && collector=$! &&
	test_wait_until 20 grep -q listening collect.out &&
	port=$(sed -n "s/^listening on http:..[^:]*:\([0-9]*\).*/\1/p" collect.out) &&
	"$RIVER_BUILD/tests/lib/collect_client" "$port" /collect 14 1 >client.out 2>&1 &&
	${collect_then:-:} && kill -KILL $collector && { wait $collector || :; }
}

# Whoever did not hear the answer sends all again, to a collector that was started anew.
resent () {
	collect_some river serve --collect web/clicks --listen 127.0.0.1:0 && again 0 spool flush && read_lake &&
	sed 's/.*"z-\([0-9]*\)".*/\1/' got >have && seq 0 13 >expected && check_records expected --got have
}
power_collect_resent () {
	power_ended=t && test_when_finished "unset power_ended" &&
	new_world && river stream apply -f batch.yaml && keep_world &&
	power_case fresh resent collect_some river serve --collect web/clicks --listen 127.0.0.1:0
}
# What was received and has changed is set aside as it is.
flush_and_push () {
	river spool flush
	flush_code=$?
	# a run of its own makes the removal of the other one durable
	river push web/clicks more && return $flush_code
}
power_intake_aside () {
	new_world && river stream apply -f batch.yaml &&
	collect_killed river serve --collect web/clicks --listen 127.0.0.1:0 &&
	intake=$(find w/state -name "*.intake" | sort | tail -n 1) &&
	printf XYZ | dd of="$intake" bs=1 seek=200 conv=notrunc 2>/dev/null && cp "$intake" damaged.intake && keep_world &&
	power_code=12 &&
	power_case fresh "{ again 12 spool flush || again 0 spool flush; } &&
			find w/state -type f -exec cmp -s {} damaged.intake \\; -print | grep damaged" \
		flush_and_push
}

# ---- the embedded warehouse -------------------------------------------------------------------------

# For the scenarios of power_loads: a lake with 40 records in it, and a warehouse that is not there yet.
power_load_world () {
	cat >river.yaml <<-\EOS
	profiles:
	  local:
	    lake: ./w/lake
	    state: ./w/state
	    warehouse:
	      type: duckdb
	      path: ./w/warehouse.duckdb
	EOS
	new_world && river push web/clicks --batch-records 15 in && rm -f w/warehouse.duckdb* && cp -a w/. w.new/ &&
	keep_world
}
ask () {
	river query --no-load --output csv "$1" 2>ask.err | tail -n +2
}
# rows_are RECORDS...: raw holds these, byte for byte and once each, and the ledger says so
rows_are () {
	ask "select record from web.clicks" | sed "s/^\"//; s/\"\$//; s/\"\"/\"/g" >rows &&
	check_records "$@" --got rows || { cat ask.err; return 1; } &&
	number=$(cat "$@" | wc -l) && objects=$(find w/lake/data -type f | wc -l) &&
	echo "$objects,$number,$number" >expected &&
	ask "select (select count(*) from _river.loads), (select sum(record_count) from _river.loads),
		(select count(*) from web.clicks_latest)" >layers && test_cmp expected layers
}
power_load () {
	new_world &&
	power_case fresh "{ test \$power_exit = - || rows_are in; } && again 0 snowpipe notify web/clicks && rows_are in" \
		river snowpipe notify web/clicks
}
power_load_later () {
	new_world && river snowpipe notify web/clicks && keep_world &&
	power_case fresh "{ test \$power_exit = - || rows_are in more; } &&
			again 0 push web/clicks --batch-records 5 --wait loaded more &&
			again 0 snowpipe notify web/clicks && rows_are in more" \
		river push web/clicks --batch-records 5 --wait loaded more
}
extracted () {
	ask "SELECT * FROM dw.orders ORDER BY id" >have &&
	printf "1,U,9.00\n2,I,2.00\n4,I,4.00\n" >want && test_cmp want have &&
	ask "SELECT name, count(*) FROM _river.extracts GROUP BY name ORDER BY name" >have &&
	printf "ext-1.zip,1\next-2.zip,1\n" >want && test_cmp want have &&
	read_lake && sed 's/.*"event_id":"\([^"]*\)".*/\1/' got | sort >have && printf "a\nb\nc\n" >want &&
	grep -v "^[^abc]" have >mine && test_cmp want mine && find w -name ".tmp-*" >left && test_must_be_empty left
}
power_extract () {
	new_world && rm -rf w/lake/data w/lake/_river/receipts w/state && keep_world &&
	power_case fresh "{ test \$power_exit = - || extracted; } && again 0 extract-load orders.yaml && extracted" \
		river extract-load orders.yaml
}
power_extract_anew () {
	new_world && rm -rf w/lake/data w/lake/_river/receipts w/state && river extract-load orders.yaml && keep_world &&
	power_case fresh "{ test \$power_exit = - || extracted; } && again 0 extract-load anew.yaml --since 2020-01-01 && extracted" \
		river extract-load anew.yaml --since 2020-01-01
}
