# Scenarios under faults: each is a small file of tests/fault/scenarios, and tests/fault/t0530-scenarios.sh walks
# over all of them; those of tests/fault/warehouse are t0535-warehouse.sh's, of tests/fault/clouds t0540-clouds.sh's.
# After test-lib.sh, fault-lib.sh and push-fault-lib.sh:
#
#	scenario_walk FILE [FAULT...]    a test for the undisturbed run, and one for each of its faults
#	scenario_walk_all FOLDER         so for each file of tests/fault/FOLDER, or for those of WALK_SCENARIOS alone and
#	                                 with the faults of WALK_FAULTS, where the environment has them
#
# What is done at every point: begin, the command with its fault, wants, go_on, look, tidy. Nothing may be lost,
# doubled or altered of what is wanted; the same command again has to do; the code has to be one of the contract,
# with a word that says where; a code of 0 has to be true at once; and no file may hold a secret afterwards. The row
# of every fault says how often not.
#
# A scenario works in a folder of its own. It sets
#	title      what is done, as in "a push of a file"
#	command    its words
#	wanted     files of lines: what is there in the end, each line once
# and may set
#	needs=duckdb      to be skipped where there is none
#	walk_pipe=FILE    standard input, through a pipe
#	faults            what it is walked with, by default $scenario_faults
#	stops             codes to end with after a signal; by default 0, and 128 and the signal's number
#	points            of a SIGKILL walk without RIVER_DEEP; others have a quarter of them
#	signals           of the walks with other signals, where a quarter is too few
#	secrets=FILES     where the scenario itself put $test_canary: those that may hold it. With it, what a run left is
#	                  searched before and after the same command again
#	engine=TEXT       files of the embedded engine, which is not asked to survive EINTR and to name its files;
#	                  where it gives up by itself on a failing disk, that is as good as a kill
# It may define
#	prepare    once: the inputs, the world and what is wanted
#	begin      before each point
#	walk_attempt WALK...    the command under walk, where something has to go on beside it; with walk's code
#	wants      after the fault, where what is wanted depends on what was accepted
#	held       what a code of 0 promises
#	go_on      the same command again
#	look       writes the lines that are there into `got`
#	tidy       nothing is left that somebody would have to mend
#	finish     at the end of all, well or not

# FAULT:WHEN, where a fault has one. EINTR for ever would be no fault to survive, and with one byte at a time a walk
# takes hours: `alternate` is every second call from there on.
scenario_faults='KILL TERM EIO:once EIO:forever ENOSPC:once ENOSPC:forever EINTR:once EINTR:alternate
	EMFILE:once EMFILE:forever short:once short:alternate'

# The number of each in tests/fault/FAULTS.
scenario_number () {
	case $1 in
	KILL) echo 1 ;;
	TERM|INT|HUP) echo 11 ;;
	EIO) echo 5 ;;
	ENOSPC|EDQUOT) echo 45 ;;
	EINTR|short) echo 7 ;;
	EMFILE|ENFILE) echo 8 ;;
	EROFS) echo 18 ;;
	ENOLCK) echo 19 ;;
	ABRT) echo 199 ;;
	*) test_bug "no such fault: $1" ;;
	esac
}

scenario_read () {
	unset walk_input walk_pipe walk_path walk_spare walk_max needs wanted secrets signals
	faults=$scenario_faults stops= points=12 engine=
	prepare () { push_world; }
	begin () { fresh; }
	walk_attempt () { "$@"; }
	wants () { :; }
	held () { look && "$checker" $wanted --quiet --got got; }
	look () { read_lake; }
	tidy () { receipts_agree && nothing_left; }
	finish () { :; }
	. "$1"
}

# What a scenario started ends with it, also when the script is stopped in the middle.
scenario=
scenario_finish () {
	test -z "$scenario" || finish
}
test_atexit scenario_finish

scenario_hand () {
	tally_hand=$((tally_hand + 1))
	echo "$1"
}

scenario_code () {
	tally_codes=$((tally_codes + 1))
	echo "$1"
}

# A message names a path, or what it is called that the fault was on.
scenario_says_where () {
	grep -q '/\|standard output' walk.err ||
	grep -qF -e "$(sed -n '1s,.*/\([^/]*\)$,\1,p' walk.report)" walk.err ||
	{ test -n "$engine" && grep -q "$engine" walk.report; }
}

# The code of a run under $how, which it got.
scenario_judge () {
	if test -n "$engine" && test $walk_code -eq 134 && grep -q "terminate called .*'duckdb::" walk.err
	then
		return
	fi
	# a crash that was asked for
	test "$how $walk_code" != 'ABRT 134' || return 0
	if walk_is_crash
	then
		scenario_code "a crash or a hang"
		return
	fi
	case $how in
	KILL)
		case $walk_code in
		0|90) ;;
		*) scenario_code "killed, and yet it ended with $walk_code" ;;
		esac
		;;
	TERM|INT|HUP)
		case $how in
		TERM) scenario_stop=143 ;;
		INT) scenario_stop=130 ;;
		HUP) scenario_stop=129 ;;
		esac
		! walk_is_early $scenario_stop || return 0
		case " ${stops:-0 $scenario_stop} " in
		*" $walk_code "*) ;;
		*) scenario_code "ended with $walk_code" ;;
		esac
		;;
	EINTR|short|ABRT)
		test $walk_code -eq 0 || scenario_code "ended with $walk_code for what is no error"
		;;
	*)
		case $walk_code in
		0) ;;
		1|3|5|6|7|8|9|10|11|12)
			if test ! -s walk.err
			then
				scenario_code "$walk_code without a word"
			elif ! scenario_says_where
			then
				scenario_code "$walk_code, and the message does not say where"
			fi
			;;
		*) scenario_code "ended with $walk_code, which is none of the contract" ;;
		esac
		;;
	esac
}

scenario_secrets () {
	test -z "$secrets" || test -n "$scenario_leaked" || check_secrets || scenario_leaked=t
}

# What is there after the fault and the same command again.
scenario_check () {
	scenario_leaked=
	scenario_secrets
	wants || scenario_hand "what was accepted is not known"
	if test $walk_code -eq 0
	then
		held || scenario_code "ended with 0, and what that promises is not so"
	fi
	go_on || scenario_hand "the same command again does not do"
	if look
	then
		check_records $wanted --got got
	else
		scenario_hand "what is there cannot be read"
	fi
	tidy || scenario_hand "something is left"
	scenario_secrets
}

# scenario_point WALK-VERB...: 1 when the fault was not reached
scenario_point () {
	begin || { scenario_hand "no beginning"; return; }
	walk_run "$@" -- $command
	# before main forbids cores, what is in one is the environment that the kernel gave
	test "$how" != ABRT || ! walk_is_early 134 || rm -f core core.*
	scenario_before=$(tally_all)
	scenario_judge
	scenario_check
	if test "$(tally_all)" -ne "$scenario_before"
	then
		scenario_bad=$((scenario_bad + 1))
		walk_show "$fault"
	fi
	grep -q '^killed\|^reached' walk.report || return 1
	walk_points=$((walk_points + 1))
}

# All points of $fault. Three bad ones tell what the others would. What crashes may leave a core, as far as this
# machine leaves any: whether it does is what is asked.
scenario_points () {
	how=${fault%%:*} when=${fault#*:}
	ulimit -S -c "$(ulimit -H -c)"
	case $how in
	KILL) walk_max=$points scenario_count=count ;;
	TERM|INT|HUP|ABRT) walk_max=${signals:-$((points / 4))} scenario_count=count ;;
	*) walk_max=$((points / 4)) scenario_count="fail able $how 1000000000" ;;
	esac
	test -z "$engine" || unset walk_spare
	test $how != EINTR || walk_spare=${engine:-$walk_spare}
	scenario_bad=0 walk_setup=begin
	walk_measure $scenario_count -- $command && test $walk_code -eq 0 || {
		scenario_hand "a run without a fault ends with $walk_code"
		return 1
	}
	while walk_next && test $scenario_bad -lt 3
	do
		test -n "$test_deep" || test $walk_n -le $walk_total || break
		case $how in
		KILL) scenario_point kill $walk_n || break ;;
		TERM|INT|HUP|ABRT) scenario_point signal $how $walk_n || break ;;
		*) scenario_point fail able $how $walk_n $when || break ;;
		esac
	done
	test $walk_points -gt 0 || scenario_hand "no point was reached"
	test "$(tally_all)" -eq 0
}

# One fault, and its row: what the table says of it is what this saw.
scenario_cell () {
	fault=$1
	cd "$TRASH_DIRECTORY/$scenario" || return 1
	tally_clear
	scenario_points
	scenario_ret=$?
	echo "$fault: $walk_points points of $walk_total"
	walk_row "$scenario" "$(echo "$fault" | tr : ' ')"
	return $scenario_ret
}

scenario_undisturbed () {
	mkdir "$TRASH_DIRECTORY/$scenario" && cd "$TRASH_DIRECTORY/$scenario" && tally_clear &&
	prepare && test_holds_secret $secrets && begin && walk_run count -- $command && how=EINTR &&
	scenario_judge && scenario_check && test "$(tally_all)" -eq 0 || {
		cat walk.err
		return 1
	}
	scenario_ready=t
}

scenario_walk () {
	scenario=$(basename "$1")
	scenario_read "$1"
	shift
	test $# -eq 0 || faults=$*
	if test "$needs" = duckdb && ! river query 'select 1' >/dev/null 2>&1
	then
		test_expect_success NO_DUCKDB "$scenario: no DuckDB here: make deps" :
		printf '%s\tskipped\n' "$scenario" >>"$walk_rows"
		return
	fi
	scenario_ready= scenario_failed=$test_failed
	test_expect_success "$scenario: $title that nobody disturbs" scenario_undisturbed
	for scenario_fault in $faults
	do
		test_expect_success "$(scenario_number "${scenario_fault%%:*}"): $scenario: $scenario_fault at every call" '
			test -n "$scenario_ready" && scenario_cell "$scenario_fault"
		'
	done
	cd "$TRASH_DIRECTORY/$scenario" 2>/dev/null && finish
	cd "$TRASH_DIRECTORY" || test_bug "the scratch folder is gone"
	test "$test_failed" -ne "$scenario_failed" || rm -rf "${TRASH_DIRECTORY:?}/$scenario"
}

scenario_walk_all () {
	for scenario_file in "$RIVER_SOURCE/tests/fault/$1"/*
	do
		case " ${WALK_SCENARIOS:-${scenario_file##*/}} " in
		*" ${scenario_file##*/} "*) scenario_walk "$scenario_file" $WALK_FAULTS ;;
		esac
	done
}
