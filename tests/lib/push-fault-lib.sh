# A lake, a state folder and a stream that faults are let loose on, and the questions asked afterwards; for
# scripts in tests/fault, after test-lib.sh and fault-lib.sh:
#
#	push_world                 # ./river.yaml with the lake w/lake and the state w/state, stream web/clicks
#	test_expect_success '1: SIGKILL at every call of a push' '
#		walk_kills fresh "again_push in && all_there in" river push web/clicks in
#	'
#
# A body begins with new_world; keep_world keeps what it has done since, and `fresh` brings that back. Nothing
# of the inputs is in it.
# Every check prints what it missed and fails; all of them look at files alone, never through river.

push_world () {
	mkdir -p w/lake &&
	cat >river.yaml <<-\EOS &&
	profiles:
	  local:
	    lake: ./w/lake
	    state: ./w/state
	    warehouse:
	      type: none
	EOS
	river stream create web/clicks --key event_id >created 2>&1 || {
		cat created
		test_bug "no world"
	}
	cp -a w w.new && keep_world
}

new_world () {
	chmod -R u+rwx w 2>/dev/null
	rm -rf w && cp -a w.new w && keep_world
}

keep_world () {
	rm -rf w.kept && cp -a w w.kept
}

fresh () {
	chmod -R u+rwx w 2>/dev/null
	rm -rf w && cp -a w.kept w
}

# The plain re-run must do, whatever happened before: again CODE ARGUMENTS...
again () {
	again_code=$1
	shift
	river "$@" >again.out 2>again.err </dev/null
	again_got=$?
	test $again_got -eq "$again_code" && return 0
	echo "the re-run ended with $again_got, not $again_code: river $*"
	cat again.err
	return 1
}

# The same with standard input: again_pipe CODE INPUT ARGUMENTS...
again_pipe () {
	again_code=$1 again_input=$2
	shift 2
	cat "$again_input" | river "$@" >again.out 2>again.err
	again_got=$?
	test $again_got -eq "$again_code" && return 0
	echo "the re-run ended with $again_got, not $again_code: river $* <$again_input"
	cat again.err
	return 1
}

# All records of the lake, in the file `got`.
read_lake () {
	: >got
	find w/lake/data -type f -name '*.zst' 2>/dev/null | sort >objects
	while read -r object
	do
		zstd -dqc "$object" >>got || { echo "cannot read $object"; return 1; }
	done <objects
}

# Exactly these records: none missing, doubled or altered.
lake_holds () {
	read_lake && check_records "$@" --got got
}

# Whole lines from the start of the input, none missing in between, none twice.
lake_holds_start_of () {
	read_lake &&
	test_code=$(($(wc -l <got))) &&
	head -n "$test_code" "$1" >start &&
	check_records start --got got
}

# These rejects, byte for byte and once each: the argument is a file of base64 lines.
rejects_are () {
	find w/lake/_river/rejects -type f 2>/dev/null | sort >objects
	while read -r object
	do
		sed -n 's/.*"bytes":"\([^"]*\)".*/\1/p' "$object"
	done <objects | sort >rejected.got
	sort "$1" >rejected.wanted
	test_cmp rejected.wanted rejected.got
}

# Receipts: every run closed, and together they say what the lake holds.
receipts_agree () {
	find w/lake/_river/receipts -type f 2>/dev/null >receipts
	test_grep ! -e "-open.json" receipts &&
	said=$(sed -n 's/.*-a\([0-9]*\)-x[0-9]*-b[0-9]*-h[0-9a-f]*\.json$/\1/p' receipts |
		awk '{ n += $1 } END { print n + 0 }') &&
	objects_said=$(sed -n 's/.*-b\([0-9]*\)-h[0-9a-f]*\.json$/\1/p' receipts |
		awk '{ n += $1 } END { print n + 0 }') &&
	there=$(($(wc -l <got))) &&
	objects_there=$(find w/lake/data -type f 2>/dev/null | wc -l) &&
	if test "$said" -ne "$there" || test "$objects_said" -ne "$objects_there"
	then
		echo "receipts say $said records in $objects_said objects; $there in $objects_there are there"
		cat receipts
		return 1
	fi
}

# Nothing is left of what was under way: no temporary file, no run, no spooled batch.
nothing_left () {
	find w -name '.tmp-*' >left
	find w/state -path '*/runs/*' >>left
	find w/state -path '*/damaged*' >>left
	test_must_be_empty left
}

# all_there RECORDS...: the whole promise
all_there () {
	lake_holds "$@" && receipts_agree && nothing_left
}

# How many records the journals say are promised: what was accepted when the process died.
promised () {
	find w/state -path '*/runs/*/journal' -exec cat {} + 2>/dev/null |
	sed -n 's/.*"records":\([0-9]*\).*/\1/p' | awk '{ n += $1 } END { print n + 0 }'
}

# An injected failure ends in a code of the contract, and the message says where.
code_is_known () {
	case $walk_code in
	0) return 0 ;;
	1|3|5|6|7|8|9|10|11|12) ;;
	*) tally_codes=$((tally_codes + 1)); echo "the code $walk_code is none of river's"; return 1 ;;
	esac
	test -s walk.err || { tally_codes=$((tally_codes + 1)); echo "code $walk_code without a word"; return 1; }
	case $1 in
	'') ;;
	*) test_grep -e "$1" walk.err ;;
	esac
}

# work_or_wait PID...: of those that were started at once each has worked, one at least, or says that another one holds
# what it needs; what they said is in out.*
work_or_wait () {
	worked=0
	for pid
	do
		wait $pid
		case $? in
		0) worked=$((worked + 1)) ;;
		11) ;;
		*) cat out.*; return 1 ;;
		esac
	done
	test $worked -gt 0
}

# spool_all ARGUMENTS...: a push of standard input into the spool, of which nothing lands on the way, whatever its
# pace: there is a file where the folder of the objects should be.
spool_all () {
	test_path_is_missing w/lake/data && : >w/lake/data || return 1
	river push web/clicks --wait spooled "$@"
	spool_code=$?
	rm w/lake/data && return $spool_code
}

# The same lake with the embedded warehouse.
duckdb_world () {
	cat >river.yaml <<-\EOS
	profiles:
	  local:
	    lake: ./w/lake
	    state: ./w/state
	    warehouse:
	      type: duckdb
	      path: ./w/warehouse.duckdb
	EOS
}
