#!/bin/sh
test_description='scenarios under faults: what is broken is red, in the right column; the table tells what was seen'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"
. "$RIVER_SOURCE/tests/lib/walk-table.sh"
. "$RIVER_SOURCE/tests/lib/power-lib.sh"
. "$RIVER_SOURCE/tests/lib/collect-lib.sh"
unset test_deep

# Programs that copy `in` to `store`, in the ways programs do. What go_on does is the program again.
cat >common <<'EOS'
title='a copy'
command='sh copy.sh'
wanted=in
points=12
prepare () {
	"$gen_events" 12 >in && cp ../copy.sh .
}
begin () {
	rm -f store store.new
}
go_on () {
	sh copy.sh
}
look () {
	cat store >got
}
tidy () {
	test ! -e store.new
}
EOS
cat >safe.sh <<'EOS'
{ dd if=in of=store.new bs=1k status=none && mv store.new store; } 2>err || {
	echo "copy: $PWD/store: $(cat err)" >&2
	exit 10
}
EOS

# cell PROGRAM FAULT [LINES OF THE SCENARIO]: one cell of it; its row in `row`, and the code of the cell
cell () {
	cp "$1" copy.sh && { cat common && printf '%s\n' "$3"; } >broken && rm -rf "$TRASH_DIRECTORY/broken.d" &&
	scenario=broken.d && scenario_read ./broken && walk_rows=$TRASH_DIRECTORY/row && : >"$walk_rows" &&
	mkdir broken.d && (cd broken.d && prepare) && scenario_cell "$2"
	cell_ret=$?
	cd "$TRASH_DIRECTORY" && cat row
	return $cell_ret
}

# row_has COLUMN: the only one of the six that is not zero
row_has () {
	awk -F '\t' -v wanted="$1" '
		BEGIN { split("x x x x lost doubled altered hand codes secrets", name, " ") }
		{ for (i = 5; i <= 10; i++) if (($i > 0) != (name[i] == wanted)) bad = 1 }
		END { exit bad || NR != 1 }' row || { echo "not $1 alone:"; cat row; return 1; }
}

for fault in KILL TERM EIO:once EIO:forever ENOSPC:once ENOSPC:forever EMFILE:once
do
	# faults of the shell and of dd themselves are none of the program
	test_expect_success "a program that does it right has a row of zeros: $fault" '
		cell safe.sh "$fault" "walk_path=/store" && row_has none && awk -F "\t" "\$3 < 1 || \$4 < \$3 { exit 1 }" row
	'
done

test_expect_success 'lost: what is there already is not done again, though it was cut' '
	echo "test -e store && exit; while read -r line; do echo \"\$line\" >>store; done <in" >lossy.sh &&
	test_must_fail cell lossy.sh KILL && row_has lost
'

test_expect_success 'doubled: the same again is appended' '
	echo "dd if=in bs=1k of=store oflag=append conv=notrunc status=none || exit 10; : >>mark" >doubling.sh &&
	test_must_fail cell doubling.sh TERM "begin () { rm -f store mark; }; go_on () { sh copy.sh; }" && row_has doubled
'

test_expect_success 'altered: a half line that another one is joined to' '
	cat >altering.sh <<-\EOS &&
	test -e store && sed "s/\"n\":/\"m\":/" in >store && exit 0
	cp in store
	EOS
	test_must_fail cell altering.sh KILL "held () { :; }" && row_has altered
'

test_expect_success 'by hand: the same command again does not do' '
	cat >locked.sh <<-\EOS &&
	mkdir lock || exit 11
	dd if=in of=store bs=8k status=none || exit 10
	rmdir lock
	EOS
	test_must_fail cell locked.sh KILL "begin () { rm -rf store lock; }; held () { :; }
		go_on () { cp in store; test ! -e lock; }" && row_has hand &&
	test_must_fail cell safe.sh KILL "tidy () { test ! -e store; }" && row_has hand
'

test_expect_success 'codes: 2 for a full disk, none for a word, 0 for what is not so, a hang' '
	echo "dd if=in of=store bs=8k 2>/dev/null || { echo no /disk >&2; exit 2; }" >usage.sh &&
	test_must_fail cell usage.sh ENOSPC:once && row_has codes &&
	echo "dd if=in of=store bs=8k 2>/dev/null || exit 10" >mute.sh &&
	test_must_fail cell mute.sh ENOSPC:once && row_has codes &&
	echo "dd if=in of=store bs=8k || { echo no disk >&2; exit 10; }" >vague.sh &&
	test_must_fail cell vague.sh ENOSPC:once "go_on () { cp in store; }; walk_attempt () { \"\$@\" 2>/dev/null; code=\$?;
		test \$code -ne 10 || echo no disk >&2; return \$code; }" && row_has codes &&
	echo "dd if=in of=store bs=8k 2>/dev/null || :" >lying.sh &&
	test_must_fail cell lying.sh ENOSPC:once && row_has codes &&
	echo "dd if=in of=store bs=8k 2>/dev/null || kill -SEGV \$\$" >crashing.sh &&
	test_must_fail cell crashing.sh ENOSPC:once && row_has codes &&
	echo "cp in store; trap \"exit 3\" TERM" >odd.sh &&
	test_must_fail cell odd.sh TERM "stops=0" && row_has codes
'

# What a killed one has left is gone when it is done again, and what one that is done leaves was not there before.
test_expect_success 'secrets: in a file of a program that was killed, of one that is done, of one that crashed' '
	echo "echo $test_canary >store.new; cat in >store.new; mv store.new store" >leaky.sh &&
	test_holds_secret leaky.sh copy.sh broken.d/copy.sh "$TRASH_DIRECTORY/below/" &&
	test_must_fail cell leaky.sh KILL "secrets=copy.sh" && row_has secrets && cell leaky.sh KILL && row_has none &&
	echo "cp in store.new; mv store.new store; echo $test_canary >\"\$HOME/history\"" >telling.sh && test_holds_secret telling.sh &&
	test_must_fail cell telling.sh TERM "secrets=copy.sh" && row_has secrets && rm "$HOME/history" &&
	cell safe.sh KILL "secrets=copy.sh" && row_has none &&
	cell safe.sh ABRT "secrets=copy.sh" && row_has none &&
	echo "trap \"exit 9\" ABRT; cp in store" >other.sh && test_must_fail cell other.sh ABRT && row_has codes
'

# Where this machine leaves cores, as a file in the folder.
test_lazy_prereq CORES 'ulimit -S -c "$(ulimit -H -c)" && { sh -c "kill -ABRT \$\$"; rm core*; }'
test_expect_success CORES 'secrets: in the core of a program that crashed' '
	printf "secret=river; secret=\${secret}Canary; secret=\${secret}Bird; cp in store\n" >crashing.sh &&
	test_must_fail cell crashing.sh ABRT "secrets=copy.sh" && row_has secrets &&
	ls broken.d/core* && rm -f broken.d/core* &&
	{ echo "ulimit -c 0" && cat crashing.sh; } >careful.sh && cell careful.sh ABRT "secrets=copy.sh" && row_has none
'

# told NAME FAULT COMMAND...: its row in `row`
told () {
	walk_rows=$TRASH_DIRECTORY/row && : >"$walk_rows"
	walk_told "$@"
	told_ret=$?
	cat row
	return $told_ret
}
copied_twice () {
	walk_points=2 walk_total=9
	cat in in >twice && check_records in --got twice
}
fails_alone () {
	walk_points=1 walk_total=1
	false
}
passes () {
	walk_points=3 walk_total=4
}
test_expect_success 'a fault that walk does not give has a row of what its check says, and of what it does not say' '
	"$gen_events" 3 >in && test_must_fail told copy spoiled copied_twice && row_has doubled &&
	test_grep "^copy	spoiled	2	9	0	3	0	0	0	0$" row &&
	test_must_fail told copy spoiled fails_alone && row_has hand &&
	told copy spoiled passes && row_has none && test_grep "^copy	spoiled	3	4	" row &&
	told copy spoiled : && walk_wrong copy row >out && test_line_count = 1 out
'

# River is not asked for what a collector took: here is what it would say.
collected () {
	{ echo z-9 && seq -f z-%g 100 119 && echo other; } | sed "$mutation"
}
of_a_collector () {
	walk_points=1 walk_total=20
	collected_once 100 20
}
test_expect_success 'events of a collector: one that is gone is lost, one more is doubled' '
	mutation= && told collect KILL of_a_collector && row_has none &&
	mutation=/z-107/d && test_must_fail told collect KILL of_a_collector && row_has lost &&
	test_grep "^collect	KILL	1	20	1	0	0	0	0	0$" row && walk_wrong "" row >out && test_line_count = 1 out &&
	mutation=s/z-9\$/z-107/ && test_must_fail told collect KILL of_a_collector && row_has doubled &&
	mutation=s/z-107/z-107.5/ && test_must_fail told collect KILL of_a_collector && walk_wrong "" row >out &&
	test_line_count = 1 out
'
collector_died () {
	: >collector.err && walk_points=1 walk_total=1
	sh -c "exit 139" & collector_pid=$!
	wait $collector_pid || collector_code=$?
	collector_pid=
	collector_ended_with 137
}
test_expect_success 'a collector that ended before it was killed has a code of its own' '
	test_must_fail told collect KILL collector_died && row_has codes
'

# of_a_soak MUTATION: of the lines that the lake of a soak has
of_a_soak () {
	soak_client=$RIVER_BUILD/tests/lib/soak_client
	"$soak_client" lines 0 100 0 | sed "$1" | "$soak_client" count 100 >lake.count
	figures >found && tally_figures <found
}
test_expect_success 'a soak: what the lake or the warehouse lacks, what is there twice, and what river says of itself' '
	. "$RIVER_SOURCE/tests/lib/soak-figures.sh" &&
	faults=3 made=100 got=100,100,0,99 flush_code=0 status_code=0 spool_code=0 kill_code=0 crashes=0 client_code=0 &&
	told collect soak of_a_soak "" && row_has none && test_grep "^collect	soak	3	100	" row &&
	test_must_fail told collect soak of_a_soak 50d && row_has lost &&
	test_grep "^collect	soak	3	100	1	0	0	0	0	0$" row &&
	test_must_fail told collect soak of_a_soak 50p && row_has doubled &&
	got=99,99,0,99 && test_must_fail told collect soak of_a_soak "" && row_has lost &&
	got=101,100,0,99 && test_must_fail told collect soak of_a_soak "" && row_has doubled &&
	got="no such table" && test_must_fail told collect soak of_a_soak "" && row_has lost && got=100,100,0,99 &&
	spool_code=12 && test_must_fail told collect soak of_a_soak "" && row_has hand && spool_code=0 &&
	crashes=1 && test_must_fail told collect soak of_a_soak "" && row_has codes &&
	test_must_fail told collect soak tally_figures </dev/null && row_has hand
'

# Once it is said that it is there, it has to be. Only programs of that name are noted.
power_copied () {
	power_case "rm -rf w && mkdir w && : >w/store" "test \$power_exit = - || check_records in --got w/store" \
		copying/river if=in of=w/store conv=notrunc$synced status=none
}
test_expect_success !SANITIZER 'a power cut: zeros for what was synced, lost for what was not' '
	mkdir copying && cp "$(command -v dd)" copying/river && test_when_finished "rm -r copying" &&
	"$gen_events" 3 >in && synced=,fsync && told copied "power cut" power_scenario copied && row_has none &&
	synced= && test_must_fail told copied "power cut" power_scenario copied && row_has lost &&
	test_grep "^copied	power cut	" row
'

test_expect_success 'a fault that reaches nothing is no pass' '
	test_must_fail cell safe.sh ENOLCK:once && row_has hand
'

test_expect_success 'a whole scenario: a test for each fault, and its rows, good and bad' '
	cat >whole.sh <<-\EOS &&
	test_description=whole
	. "$RIVER_SOURCE/tests/lib/test-lib.sh"
	. "$RIVER_SOURCE/tests/lib/fault-lib.sh"
	. "$RIVER_SOURCE/tests/lib/push-fault-lib.sh"
	. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"
	rm -f "$walk_rows"
	walk_rows=$rows
	scenario_walk ./../../../copying KILL ENOSPC:once
	test_done
	EOS
	test_when_finished "rm -rf below" && rows=$TRASH_DIRECTORY/rows && export rows &&
	for program in safe lossy
	do
		sed "s,cp ../copy.sh,cp $TRASH_DIRECTORY/$program.sh copy.sh #," common >copying &&
		: >rows && { sh whole.sh --root="$TRASH_DIRECTORY/below" >out 2>err; code=$?; } &&
		test_line_count = 2 rows && test_line_count = 4 out && awk -F "\t" "\$3 < 1 { exit 1 }" rows || { cat out err; return 1; }
		test $program != safe || { test $code -eq 0 && test_grep "^ok 2 - 1: copying: KILL" out; } || return 1
	done &&
	test $code -eq 1 && test_grep "^not ok 2 - 1: copying: KILL" out && walk_wrong copying rows >wrong &&
	test_line_count -ge 1 wrong
'

test_expect_success 'the table adds up walks of one name, and shows what was left out' '
	printf "a\tKILL\t3\t10\t0\t0\t0\t0\t0\t0\nb\tTERM\t1\t5\t2\t1\t0\t0\t3\t4\na\tKILL\t4\t20\t0\t0\t0\t0\t0\t0\nc\tskipped\n" >rows &&
	walk_table rows >out &&
	test_grep "^a  *KILL  *7  *30  *0  *0  *0  *0  *0  *0$" out && test_grep "^b  *TERM  *1  *5  *2  *1  *0  *0  *3  *4$" out &&
	test_grep "^c  *skipped  *-" out && test_grep "^all  *8  *35  *2  *1  *0  *0  *3  *4$" out && test_line_count = 5 out
'

test_expect_success 'what is wrong in it, what is missing, and a row that is none' '
	walk_wrong a rows >out && test_must_be_empty out && walk_wrong b rows >out && test_line_count = 1 out &&
	walk_missing a rows KILL TERM:once >out && echo "a TERM once: was not walked" >want && test_cmp want out &&
	walk_missing c rows KILL >out && test_must_be_empty out &&
	walk_wrong "" rows >out && echo "b TERM 1 5 2 1 0 0 3 4" >want && test_cmp want out &&
	printf "d\tKILL\t0\t9\t0\t0\t0\t0\t0\t0\n" >rows && walk_wrong d rows >out && test_line_count = 1 out &&
	printf "d\tKILL\t1\t9\t0\t0\t0\t0\t0\t1\n" >rows && walk_wrong d rows >out && test_line_count = 1 out &&
	printf "d\tKILL\t1\t9\t0\t0\t0\t0\t0\n" >rows && walk_wrong "" rows >out && test_line_count = 1 out &&
	mkdir walks && printf "t1-all\tskipped\n" >walks/t1-all && walk_missing d walks/t1-all KILL >out && test_must_be_empty out &&
	cp walks/t1-all walks/t2-other && walk_missing d walks/t2-other KILL >out && test_line_count = 1 out &&
	: >walks/t3-none && walk_missing d walks/t3-none "power cut" >out && test_line_count = 1 out
'

test_done
