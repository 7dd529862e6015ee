#!/bin/sh
test_description='rotated and compressed files, killed anywhere: known again, never sent twice'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"

"$gen_events" 30 >old
"$gen_events" 6 --start 100 >appended
"$gen_events" 20 --start 200 >new
cat old appended >old.whole

push_world
walk_max=30

settled () {
	touch -d '1 hour ago' "$@"
}

# The log as logrotate leaves it: renamed, or copied and cut, or compressed; and a new one. `is_pushed`
# leaves the world in which app.log was pushed up to the end of `old`.
is_pushed () {
	new_world && rm -f app.log* &&
	cp old app.log && settled app.log && river push web/clicks --batch-records 12 app.log &&
	keep_world
}

test_expect_success '1: renamed with an appended end, and a new file' '
	is_pushed &&
	cat appended >>app.log && mv app.log app.log.1 && cp new app.log && settled app.log app.log.1 &&
	walk_kills fresh "again 0 push web/clicks --batch-records 8 app.log.1 app.log && all_there old.whole new &&
			again 0 push web/clicks --shipped app.log.1 app.log" \
		river push web/clicks --batch-records 8 app.log.1 app.log
'

test_expect_success '1: copied and cut to nothing, then written anew' '
	is_pushed &&
	cat appended >>app.log && cp app.log app.log.1 && cp new new.log && cat new.log >app.log &&
	settled app.log app.log.1 &&
	walk_kills fresh "again 0 push web/clicks --batch-records 8 app.log.1 app.log && all_there old.whole new &&
			again 0 push web/clicks --shipped app.log.1 app.log" \
		river push web/clicks --batch-records 8 app.log.1 app.log
'

test_expect_success '1: the cut one first, its copy later' '
	is_pushed &&
	cat appended >>app.log && cp app.log app.log.1 && cat new >app.log && settled app.log app.log.1 &&
	walk_kills fresh "again 0 push web/clicks app.log && again 0 push web/clicks app.log.1 &&
			all_there old.whole new &&
			test -z \"\$(find w/state -path \"*/files/gone-*\")\"" \
		river push web/clicks --batch-records 8 app.log
'

test_expect_success '1: killed, and renamed before the re-run' '
	new_world &&
	walk_kills "fresh && rm -f app.log app.log.1 && cp old app.log && settled app.log" \
		"mv app.log app.log.1 && cp new app.log && settled app.log &&
			again 0 push web/clicks app.log.1 app.log && all_there old new" \
		river push web/clicks --batch-records 12 app.log
'

test_expect_success '1: killed, and copied and cut before the re-run' '
	new_world &&
	walk_kills "fresh && rm -f app.log app.log.1 && cp old app.log && settled app.log" \
		"cp app.log app.log.1 && cat new >app.log && settled app.log app.log.1 &&
			again 0 push web/clicks app.log.1 app.log && all_there old new" \
		river push web/clicks --batch-records 12 app.log
'

# left_over WALK-ARGUMENTS...: a push that meets this keeps what was promised of app.log.1
left_over () {
	test_expect_code 10 "$walk" --path app.log.1 fail "$@" 1 forever -- river push web/clicks app.log 2>err &&
	test_grep app.log.1 err && river spool list >listed && test_grep "left over" listed || {
		echo "with $*"
		return 1
	}
}
promised () {
	new_world && rm -f app.log* && cp old app.log && settled app.log &&
	test_expect_code 10 "$walk" --path /data/ fail file ENOSPC 1 forever -- river push web/clicks app.log
}

test_expect_success '8: a copy that cannot be looked at now is not taken for gone' '
	promised && cp app.log app.log.1 && cat new >app.log && settled app.log app.log.1 &&
	left_over open EMFILE && left_over open ENFILE && left_over open EIO && left_over open EACCES &&
	left_over stat EIO && left_over stat ENOMEM && left_over stat EACCES && left_over stat ELOOP &&
	left_over read EIO &&
	again 0 push web/clicks app.log && again 0 push web/clicks app.log.1 && all_there old new
'

test_expect_success '8: nor is a renamed file' '
	promised && mv app.log app.log.1 && cat new >app.log && settled app.log app.log.1 &&
	left_over open EMFILE && left_over open EIO && left_over open EACCES &&
	left_over stat EIO && left_over stat ENOMEM && left_over stat EACCES && left_over stat ELOOP &&
	left_over read EIO &&
	again 0 push web/clicks app.log && again 0 push web/clicks app.log.1 && all_there old new
'

test_expect_success '8: links that lead nowhere hide nothing' '
	promised && mv app.log app.log.1 && cat new >app.log && settled app.log app.log.1 &&
	ln -s nowhere app.log.2 && ln -s app.log.3 app.log.3 &&
	again 0 push web/clicks app.log && again 0 push web/clicks app.log.1 && all_there old new
'

# Each of 80 known files of one content is looked for: in a folder that is walked once, not 80 times.
looks_for_few () {
	"$walk" --report report count -- river push web/clicks same/new.log && all_there $same same/new.log &&
	calls=$(sed -n "s/^stat //p" report) && test "$calls" -lt 2000 || {
		echo "calls of class stat: $calls"
		return 1
	}
}

test_expect_success 'many files of one content, where they were and renamed: looked for once each' '
	new_world && rm -rf same && mkdir same && "$gen_events" 60 --start 300 >same/a.log &&
	test "$(wc -c <same/a.log)" -gt 4096 && same="same/a.log" &&
	for i in $(seq 11 89)
	do
		cp same/a.log same/$i.log && same="$same same/$i.log" || return 1
	done &&
	settled same/* && river push web/clicks $same && keep_world &&
	cp same/a.log same/new.log && settled same/new.log && looks_for_few &&
	fresh && rm same/new.log &&
	for i in $(seq 11 89)
	do
		mv same/$i.log same/$i.done || return 1
	done &&
	cp same/a.log same/new.log && same=$(echo "$same" | sed "s/\([0-9]\).log/\1.done/g") && looks_for_few &&
	: "one of them is gone: then this is it" &&
	fresh && rm same/40.done && again 0 push web/clicks same/new.log &&
	all_there $(echo "$same" | sed "s|same/40.done ||") same/new.log
'

test_expect_success '1: pushed plain, then compressed: not sent again' '
	is_pushed &&
	gzip -f app.log && settled app.log.gz &&
	walk_kills fresh "again 0 push web/clicks app.log.gz && all_there old &&
			again 0 push web/clicks --shipped app.log.gz" \
		river push web/clicks app.log.gz
'

for tool in gzip zstd
do
	test_expect_success "1: SIGKILL at every call of a push of a file of $tool" '
		new_world && rm -f old.packed &&
		$tool -c old >old.packed && settled old.packed &&
		walk_kills fresh "again 0 push web/clicks --batch-records 12 old.packed && all_there old &&
				again 0 push web/clicks old.packed && all_there old" \
			river push web/clicks --batch-records 12 old.packed
	'
done

test_expect_success '1: the same through a pipe with a name' '
	test_when_finished "unset walk_pipe" &&
	new_world &&
	zstd -qc old >old.packed && walk_pipe=old.packed &&
	walk_kills fresh "again_pipe 0 old push web/clicks --batch-records 12 --run r && all_there old" \
		river push web/clicks --batch-records 12 --run r
'

test_done
