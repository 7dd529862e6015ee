# Walks over every system call of a command; for scripts in tests/fault, after test-lib.sh:
#
#	. "$(dirname "$0")/../lib/test-lib.sh"
#	. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
#
#	fresh () { rm -rf lake && mkdir lake; }
#	again () { river push web/clicks in.ndjson && checker ...; }
#	test_expect_success 'push survives a kill anywhere' '
#		walk_kills fresh again river push web/clicks in.ndjson
#	'
#
# Each walk does for N = 1, 2, 3 ...: SETUP, the command with its fault at call N, CHECK; until the
# command gets through without the fault. SETUP and CHECK are functions or words to eval; CHECK finds the
# number in $walk_n and the code of the command in $walk_code, and fails the walk by failing. What failed
# is in walk.report and walk.log, and the state the command left is still there.
#
# Without RIVER_DEEP only calls others can see are killed or signalled (walk --file-ops), and at most $walk_max of them
# (default 60), evenly spread, the first and the last one among them. With it, every call; with RIVER_DEEP=N, N of all.
#
# Variables that change a walk, to be unset again by who set them:
#	walk_input=FILE   standard input of the command
#	walk_pipe=FILE    the same, through a pipe
#	walk_path=TEXT    only calls on files whose path contains TEXT
#	walk_spare=TEXT   no calls on files whose path contains TEXT
#	walk_max=N        points to try without RIVER_DEEP
# Afterwards $walk_points says how many faults were given, and a row with that and with what was found wrong is
# in $walk_rows. tests/fault/table.sh makes a table of all rows, and is red for what is in it. Faults that walk does
# not give have rows as well:
#
#	walk_told SCENARIO FAULT COMMAND...    COMMAND counts in walk_points and walk_total, and fails by failing
#	walk_skip_all REASON                   test_skip_all, and the table says so

walk=$RIVER_BUILD/tests/fault/walk
checker=$RIVER_BUILD/tests/fault/checker
gen_events=$RIVER_BUILD/tests/bench/gen_events
for tool in "$walk" "$checker" "$gen_events"
do
	test -x "$tool" || test_bug "$tool is not built: make check-faults builds it"
done
unset tool walk_input walk_pipe walk_path walk_spare walk_max
walk_rows=$RIVER_BUILD/tests/walks/$TEST_NAME
mkdir -p "${walk_rows%/*}" && : >"$walk_rows" || test_bug "cannot write $walk_rows"
# the leak checker wants to trace the program itself
test_no_leak_check

# walk_is_early CODE: a signal ended the command while its libraries were loaded, which takes a hundred calls. Nobody
# has asked for signals by then. Of the calls that others can see none is that early.
walk_is_early () {
	test -n "$test_deep" && test $walk_n -lt 150 && test $walk_code -eq "$1"
}

# ---- what is found wrong --------------------------------------------------------------------------
# Counted over all points of a walk: records that were lost, doubled or altered (unexplained ones among them),
# points after which the same command again does not do (by hand), codes that are none of the contract, and points
# that left a secret somewhere.
tally_clear () {
	tally_lost=0 tally_doubled=0 tally_altered=0 tally_hand=0 tally_codes=0 tally_secrets=0
}
tally_clear

tally_all () {
	echo $((tally_lost + tally_doubled + tally_altered + tally_hand + tally_codes + tally_secrets))
}

# check_records EXPECTED... --got [FILE...]: checker, and what it finds is counted
check_records () {
	"$checker" "$@" >checker.said 2>&1
	check_code=$?
	test $check_code -ne 0 || return 0
	cat checker.said
	check_found=$(sed -n 's/^expected .* missing \([0-9]*\) doubled \([0-9]*\) altered \([0-9]*\) unexplained \([0-9]*\)$/\1 \2 \3 \4/p' checker.said)
	case $check_found in
	'') tally_hand=$((tally_hand + 1)) ;;
	*)
		tally_lost=$((tally_lost + ${check_found%% *}))
		check_found=${check_found#* }
		tally_doubled=$((tally_doubled + ${check_found%% *}))
		check_found=${check_found#* }
		tally_altered=$((tally_altered + ${check_found%% *} + ${check_found#* }))
		;;
	esac
	return 1
}

# tally_figures <FIGURES: those of tests/soak.sh
tally_figures () {
	read -r walk_points walk_total tally_lost tally_doubled tally_altered tally_hand tally_codes && test $(tally_all) -eq 0
}

# check_secrets: no file below the current folder and those of the test's environment holds one, but for those that
# were named to test_holds_secret
check_secrets () {
	walk_leaks=$(find "$PWD" "$HOME" "$TMPDIR" "$XDG_RUNTIME_DIR" -type f -exec grep -salf "$test_secrets" {} + |
		grep -vxF -f "$test_holders" | grep -vF -f "$test_holders.below")
	test -n "$walk_leaks" || return 0
	tally_secrets=$((tally_secrets + 1))
	echo "a secret is in $walk_leaks"
	return 1
}

# walk_row SCENARIO FAULT: with the counts of now
walk_row () {
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$walk_points" "$walk_total" "$tally_lost" \
		"$tally_doubled" "$tally_altered" "$tally_hand" "$tally_codes" "$tally_secrets" >>"$walk_rows"
}

# walk_told SCENARIO FAULT COMMAND...: the row of COMMAND. What a check finds that has no column of its own has to be
# looked at by hand.
walk_told () {
	told_scenario=$1 told_fault=$2
	shift 2
	tally_clear
	walk_points=0 walk_total=0
	"$@"
	walk_ret=$?
	test $walk_ret -eq 0 || test "$(tally_all)" -ne 0 || tally_hand=1
	walk_row "$told_scenario" "$told_fault"
	return $walk_ret
}
walk_counted () {
	walk_fault=$1
	shift
	walk_told "$TEST_NAME" "$walk_fault" "$@"
}

walk_skip_all () {
	printf '%s\tskipped\n' "$TEST_NAME" >>"$walk_rows"
	test_skip_all "$@"
}

# ---- walking --------------------------------------------------------------------------------------
# walk_attempt WALK...: one run under walk. A scenario may have its own, which does something beside the run; $?
# has to be walk's.
walk_attempt () {
	"$@"
}

# walk_run OPTION-AND-VERB... -- CMD...
walk_run () {
	set -- ${walk_path:+--path "$walk_path"} ${walk_spare:+--spare "$walk_spare"} "$@"
	# a class says already which calls are meant
	case " $* " in
	*" fail "*" -- "*) ;;
	*) test -n "$test_deep" || set -- --file-ops "$@" ;;
	esac
	if test -n "$walk_pipe"
	then
		cat "$walk_pipe" 2>/dev/null | walk_attempt "$walk" --report walk.report "$@"
	else
		walk_attempt "$walk" --report walk.report "$@" <"${walk_input:-/dev/null}"
	fi >walk.out 2>walk.err
	walk_code=$?
}

walk_show () {
	echo "the walk failed: $1 at call $walk_n of $walk_total (the command ended with $walk_code)"
	cat walk.report
	head -c 3000 walk.out
	head -c 3000 walk.err
}

# How many calls there are: leaves walk_total, walk_step and walk_code, and the log of a clean run.
walk_measure () {
	walk_points=0 walk_n=0 walk_total=0 walk_step=1
	eval "$walk_setup" || { walk_show "setup"; return 1; }
	walk_run --log walk.log "$@"
	walk_total=$(sed -n '1s/^[a-z-]* \([0-9]*\).*/\1/p' walk.report)
	case "$walk_total" in
	''|0) walk_show "a run without a fault"; return 1 ;;
	esac
	walk_most=${walk_max:-60}
	# not fewer than otherwise
	test -z "$test_deep" || test "$test_deep_most" -lt "$walk_most" || walk_most=$test_deep_most
	walk_step=$((walk_total / walk_most + 1))
}

# The next point; the last call of a run is never stepped over.
walk_next () {
	if test $walk_n -eq 0
	then
		walk_n=1
	elif test $walk_n -lt $walk_total && test $((walk_n + walk_step)) -gt $walk_total
	then
		walk_n=$walk_total
	else
		walk_n=$((walk_n + walk_step))
	fi
}

# 124 is a hang, 125 walk itself, 137 somebody else's SIGKILL.
walk_is_crash () {
	case $walk_code in
	124|125|137) return 0 ;;
	esac
	test_is_crash $walk_code
}

# walk_kills SETUP CHECK CMD...: SIGKILL to all of the command. Ends when it gets through, with code 0.
walk_kills () {
	walk_counted KILL walk_kills_ "$@"
}
walk_kills_ () {
	walk_setup=$1 walk_check=$2
	shift 2
	walk_measure count -- "$@" || return 1
	test $walk_code -eq 0 || { walk_show "a run without a fault"; return 1; }
	while walk_next
	do
		eval "$walk_setup" || { walk_show "setup"; return 1; }
		walk_run kill $walk_n -- "$@"
		case $walk_code in
		90) walk_points=$((walk_points + 1)) ;;
		0) ;;
		*) tally_codes=1; walk_show "an unexpected code"; return 1 ;;
		esac
		eval "$walk_check" || { walk_show "the check"; return 1; }
		test $walk_code -ne 0 || return 0
	done
}

# walk_signals SIG SETUP CHECK CMD...: the signal to the command, which may end as it likes but crash.
walk_signals () {
	walk_counted "$1" walk_signals_ "$@"
}
walk_signals_ () {
	walk_signal=$1 walk_setup=$2 walk_check=$3
	shift 3
	walk_measure count -- "$@" || return 1
	while walk_next
	do
		eval "$walk_setup" || { walk_show "setup"; return 1; }
		walk_run signal "$walk_signal" $walk_n -- "$@"
		if walk_is_crash
		then
			tally_codes=1
			walk_show "a crash or a hang"
			return 1
		fi
		eval "$walk_check" || { walk_show "the check"; return 1; }
		grep -q "^reached" walk.report || return 0
		walk_points=$((walk_points + 1))
	done
}

# walk_fails CLASS HOW WHEN SETUP CHECK CMD...: as in `walk fail`; a crash or a hang fails the walk.
walk_fails () {
	walk_counted "$2 $3" walk_fails_ "$@"
}
walk_fails_ () {
	walk_class=$1 walk_how=$2 walk_when=$3 walk_setup=$4 walk_check=$5
	shift 5
	# by its own count, as only calls of this class have numbers: one past any end is never reached
	walk_measure fail "$walk_class" "$walk_how" 1000000000 -- "$@" || return 1
	while walk_next
	do
		eval "$walk_setup" || { walk_show "setup"; return 1; }
		walk_run fail "$walk_class" "$walk_how" $walk_n "$walk_when" -- "$@"
		if walk_is_crash
		then
			tally_codes=1
			walk_show "a crash or a hang"
			return 1
		fi
		eval "$walk_check" || { walk_show "the check"; return 1; }
		grep -q "^reached" walk.report || return 0
		walk_points=$((walk_points + 1))
	done
}
