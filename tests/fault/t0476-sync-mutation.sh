#!/bin/sh
test_description='each sync of lib/ is taken away in turn, and a power cut shows it; or tests/fault/SYNCS says why not'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/power-lib.sh"
. "$RIVER_SOURCE/tests/fault/power-scenarios.sh"

# Nothing is built anew for this: a run is noted once with who asked for each sync, and the states of the disk are
# made as if one of the callers had not asked (`power states --deaf`). What holds in all states that only then are
# possible has survived. The river that is noted calls its functions one by one (no inlining, no tail calls, where
# it matters), so that each place has a name:
#
#	lib/spool/run.c rv_run_promise append rv_fsync
#
# Functions that sync when they are told to (`carriers`) are told apart by who tells them.
#
# Without RIVER_DEEP what SYNCS lists is not tried again, and fewer states are.

test_have_prereq !SANITIZER || walk_skip_all 'a build with sanitizers cannot be noted'
command -v addr2line >/dev/null || walk_skip_all 'no addr2line here: apt-get install binutils'
plain=$RIVER_BUILD/tests/fault/plain
test -x "$plain/river" || test_bug "$plain/river is not built: make check-faults builds it"
excuses=$RIVER_SOURCE/tests/fault/SYNCS
carriers='rv_fsync rv_fsync_folder rv_fsync_parent append set_state sync_body rv_checkpoint_save save_head rv_checkpoint_note_batch'
power_path=$plain:$PATH
mutant_max=16
test -z "$test_deep" || mutant_max=$test_deep_most
# and not the scenarios that reach no place of their own
test -n "$test_deep" || {
	power_loads=load
	power_scenarios='push_file push_packed push_many push_spooled named_again set_aside follow_cut replay landing pump collect collect_resent
		intake_aside'
}
RIVER_DUCKDB=$RIVER_BUILD/lib/libduckdb.so
export RIVER_DUCKDB

push_world
power_inputs

# name_places: `callers` of the record to lines of PLACE, a tab, CALLERS; and to `lines` where they are in the source
name_places () {
	# one that has none is DuckDB's
	"$power" callers record | grep -v "^-\$" | sort -u >callers &&
	tr , '\n' <callers | sort -u >addresses &&
	addr2line -f -e "$plain/river" $(cat addresses) | paste - - | paste addresses - |
		sed 's/ (discriminator [0-9]*)$//; s,\t[^\t]*\(lib/[^\t]*\)$,\t\1,' >functions &&
	cut -f 3 functions >>lines &&
	awk -F '\t' -v carriers="$carriers" '
		BEGIN { n = split(carriers, list, " "); for (i = 1; i <= n; i++) carrier[list[i]] = 1 }
		FNR == NR { name[$1] = $2; file[$1] = $3; sub(/:.*/, "", file[$1]); next }
		{
			n = split($0, frame, ",")
			path = ""
			for (i = 1; i <= n; i++) {
				path = " " name[frame[i]] path
				if (!carrier[name[frame[i]]])
					break
			}
			if (i > n)
				i = n
			print file[frame[i]] path "\t" $0
		}' functions callers >places
}

excused () {
	grep -F -q "$1: " "$excuses"
}

# try PLACE: 0 when the check fails in a state that is only possible without that sync
try () {
	awk -F '\t' -v place="$1" '$1 == place { print $2 }' places >deaf &&
	"$power" states record --deaf deaf >deaf.states || test_bug "no states of $1"
	awk 'FNR == NR { known[$1] = 1; next } !known[$1]' all.states deaf.states |
		awk '{ print ($4 != "-" ? 0 : $3 == "strict" ? 1 : 2), $0 }' | sort -s -n -k 1,1 | cut -d " " -f 2- |
		head -n $mutant_max >mutants
	while read -r power_hash power_event power_kind power_exit power_acked power_next
	do
		power_look "$power_wanted" --deaf deaf >look.out 2>&1
		case $? in
		0) ;;
		2) cat look.out; test_bug "no state $power_event $power_kind" ;;
		*)
			printf '%s\t%s, %s before %s %s\n' "$1" "$scenario" "$power_kind" "$power_event" "$power_next" >>killed
			return 0
			;;
		esac
	done <mutants
	return 1
}

# instead of the one that looks at the states themselves
power_case () {
	power_setup=$1 power_wanted=$2
	shift 2
	eval "$power_setup" && power_note "$@" && name_places || return 1
	"$power" states record >all.states && cut -f 1 places | sort -u >here && cat here >>reached || return 1
	while read -r place <&9
	do
		! cut -f 1 killed | grep -F -q -x "$place" || continue
		test -n "$test_deep" || ! excused "$place" || continue
		try "$place" || :
	done 9<here
}

: >killed
: >reached
: >lines
for scenario in $power_scenarios
do
	test_expect_success "4: without one sync after the other: $scenario" "power_scenario $scenario"
done
test_lazy_prereq DUCKDB 'river -c warehouse.type=duckdb -c warehouse.path=x.duckdb query "select 1"'
for scenario in $power_loads
do
	test_expect_success DUCKDB "4: without one sync after the other, with a warehouse: $scenario" "
		power_load_world && power_scenario $scenario
	"
done

# Where the source asks for a sync: FILE:LINE, FILE FUNCTION CALLED
grep_syncs () {
	(cd "$RIVER_SOURCE" && awk '
		/^[a-z].*\(/ && !/;$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
		/^[ \t]*(\/?\*|\/\/)/ { next }
		/^\t/ && match($0, /(rv_fsync|rv_fsync_folder|rv_fsync_parent|fsync|fdatasync|syncfs|sync_body)\(/) {
			print FILENAME ":" FNR "\t" FILENAME " " name " " substr($0, RSTART, RLENGTH - 1); next
		}
		/^\t/ && match($0, /(append|set_state|rv_checkpoint_save)\(.*, true, (NULL, |&[a-z]*, )?err\)/) {
			called = substr($0, RSTART); sub(/\(.*/, "", called)
			print FILENAME ":" FNR "\t" FILENAME " " name " " called
		}' lib/*/*.c)
}

test_expect_success '4: every sync of the source is reached, or it is said why not' '
	grep_syncs >asked && test_line_count -gt 20 asked &&
	sort -u lines >lines.sorted &&
	awk -F "\t" "FNR == NR { reached[\$1] = 1; next } !reached[\$1] { print \$2 }" lines.sorted asked |
		sort -u >unreached &&
	while read -r place
	do
		excused "$place" || echo "$place"
	done <unreached >unexplained &&
	test_must_be_empty unexplained
'

# A place is a point; one whose loss nobody noticed is for somebody to look at.
syncs_noticed () {
	sort -u reached >places.all && cut -f 1 killed | sort -u >places.killed &&
	comm -23 places.all places.killed >survived &&
	{
		sed 's/^/killed: /; s/\t/: /' killed && sed 's/^/survived: /' survived && sed 's/^/not reached: /' unreached
	} | sed 's/^/# /' >&4 &&
	while read -r place
	do
		excused "$place" || echo "$place"
	done <survived >unexplained &&
	walk_points=$(($(wc -l <places.killed))) walk_total=$(($(wc -l <places.all))) tally_hand=$(($(wc -l <unexplained))) &&
	test_must_be_empty unexplained
}
test_expect_success '4: every sync that is taken away is noticed, or it is said why not' '
	walk_told "$TEST_NAME" "sync left out" syncs_noticed
'

test_expect_success DEEP,DUCKDB '4: what is said to make no difference makes none' '
	grep -v -e "^#" -e "^$" "$excuses" | sed "s/: .*//" >said &&
	sort survived unreached | sort -u >makes-none &&
	sort -u said | comm -23 - makes-none >untrue && test_must_be_empty untrue
'

test_done
