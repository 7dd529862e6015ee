# The same commands everywhere, and what they answer without what differs from run to run. Sourced after
# test-lib.sh by the conformance tests:
#
#	conformance_data         the files that are pushed, in the folder the test begins in
#	conformance_begin DIR    a folder below it for one world; its river.yaml and lake are the caller's
#	script                   runs all commands there; `log` has their codes, outputs and complaints
#	normalise                standard input without times, runs, places

conformance_data () {
	"$RIVER_BUILD/tests/bench/gen_events" 3000 >events.ndjson || test_bug "gen_events is not built: make check-build"
	printf '{"id":1,"price":"1.10"}\n{"id":2,"price":"x"}\n{"id":1,"price":"2.20"}\nnot json\n{"id":3}\n' >orders.ndjson
	printf 'id,name\n1,"a ""b"""\n2,c\n' >people.csv
}
conformance_begin () {
	mkdir "$1" && cd "$1" && RIVER_STATE_DIR=$PWD/state && export RIVER_STATE_DIR
}

# What differs from run to run, and where the lake is; and that only a bucket has notifications.
normalise () {
	sed -E \
		-e '/^notification lake: /d' \
		-e 's/01[0-9a-z]{24}/RUN/g' \
		-e 's#s3://lake/river|'"$TRASH_DIRECTORY"'/[a-z0-9]+/lake#LAKE#g' \
		-e 's#'"$TRASH_DIRECTORY"'/[a-z0-9]+#HERE#g' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' \
		-e 's#dt=[0-9-]{10}/hr=[0-9]{2}#HOUR#g' \
		-e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}/DAY/g' \
		-e 's/"(oldest_ms|age_ms|lag_ms|last_run_ms|newest_age_ms|elapsed_ms|warehouse_lag_ms|duration_ms)":[0-9]+/"\1":N/g' \
		-e 's/ +[0-9]+(\.[0-9]+)? (ms|s)( |,|$)/ N s\3/g' \
		-e 's/ +[0-9]+m [0-9]{2}s( |,|$)/ N s\1/g' \
		-e 's/h[0-9a-f]{16}/hHASH/g'
}

# Each command with its code, its output and its complaints, in order.
run () {
	echo "\$ river $*" >>log
	river "$@" >out 2>err </dev/null
	echo "= $?" >>log
	normalise <out >>log
	normalise <err >>log
}
script () {
	cp ../events.ndjson ../orders.ndjson ../people.csv . &&
	: >log &&
	run stream list
	run stream show web/none
	run stream create web/events --key event_id --column event_id=string --column n=integer
	run stream create web/events --key event_id --column event_id=string --column n=integer
	run stream create web/events --key n --column n=integer
	run stream create shop/orders --key id --column id=integer --column 'price=decimal(10,2)' --dry-run
	run stream create shop/orders --key id --column id=integer --column 'price=decimal(10,2)'
	run stream create shop/people --compression gzip
	run stream list
	run push web/events events.ndjson
	run push web/events events.ndjson
	run push web/events events.ndjson --again
	run push --run r1 web/events events.ndjson --wait loaded
	run push shop/orders orders.ndjson --wait loaded
	run push shop/people people.csv --wait loaded
	run push shop/nobody people.csv
	run push --shipped web/events events.ndjson
	run status --output json
	run status --check web/events
	run query --output csv 'select count(*) as n, count(distinct event_id) as ids, sum(n) as total from web.events_clean'
	run query --output csv 'select id, price from shop.orders_latest order by id'
	run query 'select id, price from shop.orders_latest order by id'
	run query --output json 'select id, price, price is null as missing from shop.orders_clean order by id, price'
	run query --output csv 'select record from shop.people order by file_row'
	run query --output csv 'select column_name, reason from shop.orders_refused order by column_name, reason'
	run query 'select 1 as one; select 2 as two'
	run query 'delete from shop.orders'
	run snowpipe history shop/orders
	run snowpipe notify shop/orders
	run snowpipe notify shop/people dt=2026-11-20/hr=14/gone.ndjson
	run snowpipe report shop/orders
	run rejects list shop/orders
	run rejects show shop/orders
	run stream delete shop/people --data --yes
	run stream list --long
	run stream show shop/people
	run status --check
}
