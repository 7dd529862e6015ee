# What a power cut may leave of the world of push-fault-lib.sh; for scripts in tests/fault, after test-lib.sh,
# fault-lib.sh and push-fault-lib.sh. A run of river is noted once (tests/lib/preload/power.c), and every state that
# a disk may be in at any point of it is made from the notes (tests/fault/power.c), so neither root nor
# a file system of a special kind is needed:
#
#	power_case SETUP CHECK CMD...
#
# SETUP leaves the world w as it is before the run; CMD runs and has to end with $power_code (0); CHECK is asked
# with w in each of the states. It finds in $power_exit the code river had ended with before the cut, or -, in
# $power_acked how many requests it had answered with 2xx, and fails the case by failing.
#
# power_after_kills SETUP CHECK CMD...: CMD is killed at a call, done again, and only then is the power cut: what
# the second run found and relied upon need not be on the disk.
#
# With $power_path, that is where CMD's river comes from. Without RIVER_DEEP at most $power_max states (default 4)
# that are strict and as many others are looked at, evenly spread, and all after the end.
# $power_points says how many it were; of a row (walk_told), they are added to its points.

power=$RIVER_BUILD/tests/fault/power
power_shim=$RIVER_BUILD/tests/lib/preload/power.so
for tool in "$power" "$power_shim"
do
	test -x "$tool" || test_bug "$tool is not built: make check-faults builds it"
done
unset tool power_max power_ended power_path
power_code=0

# power_note CMD...: its notes are in `record`
power_note () {
	rm -rf record && mkdir record &&
	(
		# CMD may be a function
		PATH=${power_path:-$PATH}
		LD_PRELOAD=$power_shim POWER_WORLD=$PWD/w POWER_RECORD=$PWD/record
		export LD_PRELOAD POWER_WORLD POWER_RECORD
		"$@" <"${walk_input:-/dev/null}" >walk.out 2>walk.err
	)
	walk_code=$?
	test $walk_code -eq $power_code && return 0
	echo "it ended with $walk_code, not $power_code: $*"
	head -c 3000 walk.err
	return 1
}

# power_choose: of the lines of `power states`, all after the end, and of the others $power_max that are strict and
# as many that are not; with $power_ended, only those after the end
power_choose () {
	if test -n "$power_ended"
	then
		awk '$4 != "-"'
	else
		power_most=${power_max:-4}
		test -z "$test_deep" || power_most=$test_deep_most
		awk -v max="$power_most" '
			$4 != "-" { print; next }
			{ kind = $3 == "strict"; line[kind, ++count[kind]] = $0 }
			END {
				for (kind = 0; kind < 2; kind++) {
					step = count[kind] > max ? count[kind] / max : 1
					for (i = 1; i <= count[kind]; i += step) print line[kind, int(i)]
				}
			}'
	fi
}

power_show () {
	echo "power was cut before event $power_event ($power_next); the disk: $power_kind; exit: $power_exit, 2xx: $power_acked"
	(cd w && find . | sort | head -n 200)
}

# power_look CHECK [--deaf FILE]: whether it holds in the state of $power_event and $power_kind
power_look () {
	power_check=$1
	shift
	chmod -R u+rwx w 2>/dev/null
	rm -rf w && "$power" build record "$power_event" "$power_kind" w "$@" || return 2
	eval "$power_check"
}

# power_scenario NAME: that of power-scenarios.sh
power_scenario () {
	unset walk_input
	power_code=0
	"power_$1"
}
power_row_name () {
	echo "$1" | tr _ -
}
# power_told NAME FAULT: the same, with a row in the table
power_told () {
	walk_told "$(power_row_name "$1")" "$2" power_scenario "$1"
}

power_case () {
	power_setup=$1 power_wanted=$2
	shift 2
	eval "$power_setup" && power_note "$@" || return 1
	"$power" states record >all.states && power_choose <all.states >states || return 1
	power_points=$(($(wc -l <states))) power_total=$(($(wc -l <all.states)))
	walk_points=$((walk_points + power_points)) walk_total=$((walk_total + power_total))
	echo "# $power_points of $power_total states"
	while read -r power_hash power_event power_kind power_exit power_acked power_next
	do
		power_look "$power_wanted" >look.out 2>&1 && continue
		cat look.out
		power_show
		return 1
	done <states
	test $power_points -gt 1 || test -n "$power_ended"
}

power_killed () {
	"$walk" --file-ops --path /w/ --report walk.report kill "$power_kill" -- "$@"
	case $? in
	0) ;;
	90) "$@" ;;
	*) return 1 ;;
	esac
}

power_after_kills () {
	kills_setup=$1 kills_wanted=$2
	shift 2
	unset walk_input
	power_code=0
	eval "$kills_setup" && "$walk" --file-ops --path /w/ --report walk.report count -- "$@" >walk.out 2>&1 || return 1
	power_kills=$(sed -n '1s/^[a-z-]* \([0-9]*\).*/\1/p' walk.report)
	power_step=$((power_kills / ${power_max:-6} + 1))
	test -z "$test_deep" || power_step=$((power_kills / test_deep_most + 1))
	power_kill=1 power_ended=t
	while test $power_kill -le "$power_kills"
	do
		power_case "$kills_setup" "$kills_wanted" power_killed "$@" || {
			echo "after a kill at call $power_kill: $(head -n 1 walk.report)"
			unset power_ended
			return 1
		}
		power_kill=$((power_kill + power_step))
	done
	unset power_ended
}
