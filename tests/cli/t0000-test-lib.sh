#!/bin/sh
test_description='the test library itself: what fails is seen, and what crashes is no pass'
. "$(dirname "$0")/../lib/test-lib.sh"

# run_sub SHELL NAME [option...] <body: a test script without its head; leaves out, err and code
run_sub () {
	sub_shell=$1 sub_name=$2
	shift 2
	{
		printf '%s\n' '#!/bin/sh' "test_description='$sub_name'" \
			'. "$RIVER_SOURCE/tests/lib/test-lib.sh"'
		cat
	} >"$sub_name.sh" &&
	{
		"$sub_shell" "$sub_name.sh" --root="$TRASH_DIRECTORY/below" "$@" >out 2>err
		code=$?
	}
}

test "$(command -v bash)" && test_set_prereq BASH

for sh in sh bash
do
	need=
	test $sh = sh || need=BASH

	test_expect_success $need "$sh: a passing script ends with 0 and removes its scratch folder" '
		run_sub $sh passes <<-\EOS &&
		test_expect_success "one" "echo hello >file && test_path_is_file file"
		test_expect_success "two sees what one left" "test_grep hello file"
		test_done
		EOS
		test "$code" = 0 &&
		printf "%s\n" "ok 1 - one" "ok 2 - two sees what one left" "1..2" >want &&
		test_cmp want out &&
		test_must_be_empty err &&
		test_path_is_missing below/passes
	'

	test_expect_success $need "$sh: a failing test fails, is shown, and keeps the scratch folder" '
		run_sub $sh fails <<-\EOS &&
		test_expect_success "good" "true"
		test_expect_success "bad" "echo some words && false"
		test_expect_success "good again" "true"
		test_done
		EOS
		test "$code" = 1 &&
		printf "%s\n" "ok 1 - good" "not ok 2 - bad" "ok 3 - good again" "1..3" >want &&
		test_cmp want out &&
		test_grep "^# > some words" err &&
		test_path_is_dir below/fails
	'

	test_expect_success $need "$sh: a broken chain is noticed" '
		run_sub $sh chain <<-\EOS &&
		test_expect_success "whole" "true && true"
		test_expect_success "broken" "
			false
			true
		"
		test_expect_success "or" "false || true"
		test_expect_success "grouped or" "{ false || true; }"
		test_done
		EOS
		test "$code" = 1 &&
		printf "%s\n" "ok 1 - whole" "not ok 2 - broken" "not ok 3 - or" "ok 4 - grouped or" 1..4 >want &&
		test_cmp want out &&
		test_grep "broken && chain" err
	'

	test_expect_success $need "$sh: test_must_fail takes failures, no success and no crash" '
		run_sub $sh must-fail <<-\EOS &&
		test_expect_success "code 1" "test_must_fail false"
		test_expect_success "code 70" "test_must_fail sh -c \"exit 70\""
		test_expect_success "success" "test_must_fail true"
		test_expect_success "sanitizer" "test_must_fail sh -c \"exit 99\""
		test_expect_success "not runnable" "test_must_fail sh -c \"exit 126\""
		test_expect_success "not found" "test_must_fail no-such-command"
		test_expect_success "abort" "test_must_fail sh -c \"kill -6 \\\$\\\$\""
		test_expect_success "segmentation fault" "test_must_fail sh -c \"kill -11 \\\$\\\$\""
		test_expect_success "killed" "test_must_fail sh -c \"kill -9 \\\$\\\$\""
		test_done
		EOS
		test "$code" = 1 &&
		grep -c "^not ok [3-9] " out >count &&
		grep -c "^ok [12] " out >>count &&
		printf "%s\n" 7 2 >want &&
		test_cmp want count
	'

	test_expect_success $need "$sh: test_expect_code wants exactly that code" '
		run_sub $sh code <<-\EOS &&
		test_expect_success "7" "test_expect_code 7 sh -c \"exit 7\""
		test_expect_success "143" "test_expect_code 143 sh -c \"kill -15 \\\$\\\$\""
		test_expect_success "7 is not 8" "test_expect_code 8 sh -c \"exit 7\" >swallowed"
		test_expect_success "crash" "test_expect_code 1 sh -c \"kill -11 \\\$\\\$\""
		test_done
		EOS
		test "$code" = 1 &&
		printf "%s\n" "ok 1 - 7" "ok 2 - 143" "not ok 3 - 7 is not 8" "not ok 4 - crash" 1..4 >want &&
		test_cmp want out &&
		test_grep "wanted 8, got 7" err
	'

	test_expect_success $need "$sh: a crash cannot be asked for" '
		run_sub $sh ask-crash <<-\EOS &&
		test_expect_success "99" "test_expect_code 99 sh -c \"exit 99\""
		test_done
		EOS
		test "$code" = 1 &&
		test_grep "# fatal: bug in ask-crash" out
	'

	test_expect_success $need "$sh: exit in a body, or no test_done, is a failure" '
		run_sub $sh leaves <<-\EOS &&
		test_expect_success "leaves" "exit 0"
		test_done
		EOS
		test "$code" = 1 &&
		test_grep "^not ok 1 - leaves" out &&
		test_grep "^# fatal:" out &&
		run_sub $sh no-done <<-\EOS &&
		test_expect_success "fine" "true"
		EOS
		test "$code" = 1 &&
		test_grep "^# fatal:" out
	'

	test_expect_success $need "$sh: a failure is one also where a library ends what it started" '
		run_sub $sh with-library <<-\EOS &&
		. "$RIVER_SOURCE/tests/lib/capture-lib.sh"
		test_expect_success "bad" "capture_start && false"
		test_done
		EOS
		test "$code" = 1 && test_grep "^not ok 1 - bad" out
	'

	test_expect_success $need "$sh: test_atexit, the last one first, whatever the end, and the code stays" '
		for end in "test_done" "exit 0" "test_expect_success leaves \"exit 7\"" "kill -TERM \$\$"
		do
			rm -f ended && run_sub $sh ends <<-EOS &&
			test_atexit "echo one >>\"$PWD/ended\"; false"
			test_atexit "echo two >>\"$PWD/ended\"; (exit 9)"
			test_expect_success "fine" true
			$end
			EOS
			echo two >want && echo one >>want && test_cmp want ended || return 1
			case "$end" in
			test_done) test "$code" = 0 ;;
			*) test "$code" = 1 && test_grep "^# fatal" out ;;
			esac || return 1
		done &&
		# a trap of its own would take the end from the library
		! grep -rn "^[[:blank:]]*trap .* EXIT" "$RIVER_SOURCE/tests/cli" "$RIVER_SOURCE/tests/emul" \
			"$RIVER_SOURCE/tests/peers" "$RIVER_SOURCE/tests/fault" "$RIVER_SOURCE"/tests/lib/*-lib.sh --include="*.sh" |
			grep -v -e "trap test_ended EXIT" -e "trap - EXIT"
	'

	test_expect_success $need "$sh: return in a body ends the body only" '
		run_sub $sh returns -x <<-\EOS &&
		test_expect_success "early" "return 0 && false"
		test_expect_success "early and bad" "return 3"
		test_expect_success "variables last" "kept=yes && cd /"
		test_expect_success "and the folder is back" "test \"\$kept\" = yes && test_path_is_file returns.here"
		test_done
		EOS
		mkdir -p below/returns/trash &&
		test "$code" = 1 &&
		test_grep "^not ok 2 " out &&
		test_grep "^ok 3 " out &&
		test_grep "^not ok 4 " out &&
		test_grep "not a file: returns.here" err
	'

	test_expect_success $need "$sh: cleanups run backwards, after failures too, and count" '
		run_sub $sh cleanup <<-\EOS &&
		test_expect_success "order" "
			test_when_finished \"echo first >>\\\"$TRASH_DIRECTORY/../said\\\"\" &&
			test_when_finished \"echo second >>\\\"$TRASH_DIRECTORY/../said\\\"\"
		"
		test_expect_success "after failure" "
			test_when_finished \"echo third >>\\\"$TRASH_DIRECTORY/../said\\\"\" &&
			false
		"
		test_expect_success "failing cleanup" "test_when_finished false"
		test_expect_success "a good one" "test_when_finished true"
		test_done
		EOS
		test "$code" = 1 &&
		printf "%s\n" "ok 1 - order" "not ok 2 - after failure" "not ok 3 - failing cleanup" \
			"ok 4 - a good one" 1..4 >want &&
		test_cmp want out &&
		printf "%s\n" second first third >want &&
		test_cmp want below/cleanup/said
	'

	test_expect_success $need "$sh: prerequisites skip, and say so" '
		run_sub $sh prereq <<-\EOS &&
		test_set_prereq HERE
		test_lazy_prereq YES "true"
		test_lazy_prereq NO "false"
		test_expect_success HERE,YES "runs" "true"
		test_expect_success NO "skipped" "false"
		test_expect_success !NO "negated runs" "true"
		test_expect_success HERE,!YES,NOWHERE "skipped too" "false"
		test_done
		EOS
		test "$code" = 0 &&
		printf "%s\n" "ok 1 - runs" "ok 2 # SKIP skipped (missing NO)" "ok 3 - negated runs" \
			"ok 4 # SKIP skipped too (missing !YES NOWHERE)" 1..4 >want &&
		test_cmp want out
	'

	test_expect_success $need "$sh: --run and --immediate" '
		run_sub $sh stops --immediate <<-\EOS &&
		test_expect_success "one" "false"
		test_expect_success "two" "true"
		test_done
		EOS
		test "$code" = 1 &&
		test_grep "^not ok 1" out &&
		test_grep ! "^ok 2" out
	'

	test_expect_success $need "$sh: --run runs what it was told" '
		run_sub $sh told --run=2,4-5 --keep <<-\EOS &&
		for i in 1 2 3 4 5 6
		do
			test_expect_success "$i" "echo $i >>ran"
		done
		test_done
		EOS
		test "$code" = 0 &&
		printf "%s\n" 2 4 5 >want &&
		test_cmp want below/told/trash/ran
	'

	test_expect_success $need "$sh: a body may come from a here-document" '
		run_sub $sh heredoc <<-\EOS &&
		test_expect_success "quotes" - <<\EOT
			echo "it'"'"'s" >file &&
			test_grep "it'"'"'s" file
		EOT
		test_done
		EOS
		test "$code" = 0 &&
		test_grep "^ok 1 - quotes" out
	'

	test_expect_success $need "$sh: surroundings are clean" '
		run_sub_env () {
			RIVER_LAKE=/x AWS_PROFILE=y SNOWFLAKE_HOME=z https_proxy=w NO_PROXY=v LC_NUMERIC=de_DE
			XDG_DATA_HOME=u TZ=Asia/Kolkata
			export RIVER_LAKE AWS_PROFILE SNOWFLAKE_HOME https_proxy NO_PROXY LC_NUMERIC
			export XDG_DATA_HOME TZ
			run_sub "$@"
		} &&
		(
			run_sub_env $sh clean <<-\EOS &&
			test_expect_success "env" "env >seen &&
				test_grep ! -E \"^(RIVER_LAKE|AWS_PROFILE|SNOWFLAKE_|https_proxy|NO_PROXY|LC_NUMERIC)\" seen &&
				test_grep \"^AWS_EC2_METADATA_DISABLED=true\" seen && test_grep \"^TZ=UTC\" seen && test_grep \"^LC_ALL=C\" seen &&
				test_grep \"^XDG_DATA_HOME=\$HOME/\" seen &&
				test \"\$PWD\" = \"\$TRASH_DIRECTORY\" && test \"\$(umask)\" -eq 22"
			test_done
			EOS
			test "$code" = 0
		)
	'
done

test_expect_success 'helpers that look at files tell good from bad' '
	printf "%s\n" a b c >three && : >nothing &&
	test_line_count -eq 3 three && test_line_count = 0 nothing && test_must_be_empty nothing &&
	! test_line_count -gt 3 three && ! test_must_be_empty three && ! test_must_be_empty absent &&
	test_grep -i B three && test_grep ! x three && ! test_grep x three && ! test_grep ! a three &&
	! test_grep x absent && ! test_grep ! x absent &&
	test_cmp three three && ! test_cmp three nothing && ! test_cmp three absent &&
	test_path_is_missing absent && ! test_path_is_missing three &&
	ln -s absent dangling && ! test_path_is_missing dangling &&
	test_path_is_dir . && ! test_path_is_dir three && ! test_path_is_file .
'

test_expect_success 'test_wait_until_read waits for the reader of a pipe' '
	mkfifo pipe go && { (exec 7<pipe && read -r go <go && read -r line <&7 && read -r end <&7) & } && reader=$! &&
	exec 9>pipe && echo x >&9 && ! test_pipe_is_empty 9 &&
	echo now >go && test_wait_until_read 9 && exec 9>&- && { wait $reader || :; }
'

test_expect_success 'test_wait_until waits for another process and gives up in the end' '
	{ (sleep 0.2 && : >arrived) & } &&
	test_wait_until 20 test -f arrived &&
	! test_wait_until 1 test -f never
'

test_expect_success TMPFS 'a small file system is full when it is full, and gone afterwards' '
	run_sub sh small <<-\EOS &&
	test_expect_success TMPFS "full" "
		test_small_tmpfs disk 16k &&
		head -c 16384 /dev/zero >disk/a &&
		test_must_fail sh -c \"echo x >disk/b\" && cd disk
	"
	test_expect_success TMPFS "inodes" "
		test_path_is_missing disk/a &&
		test_small_tmpfs disk 1m nr_inodes=3 &&
		: >disk/a && : >disk/b && test_must_fail sh -c \": >disk/c\"
	"
	test_done
	EOS
	test "$code" = 0 &&
	test_path_is_missing below/small
'

test_expect_success 'a secret that is left anywhere fails, however it is written' '
	run_sub sh leaks <<-\EOS &&
	test_expect_success "none" "echo riverCanary >file"
	test_expect_success "printed" "echo x$test_canary"
	test_expect_success "in a file" "echo $test_canary >said"
	test_expect_success "held on purpose" "rm said && test_holds_secret keys below/ && mkdir below &&
		echo $test_canary | tee keys below/keys"
	test_expect_success "held" "cp keys below/ && : >hold1"
	test_expect_success "as a password of HTTP" "printf river:$test_canary | base64 >hold2"
	test_expect_success "at another place" "printf r:$test_canary:x | base64 >hold3"
	test_expect_success "and another" "printf ri:$test_canary:x | base64 >hold4"
	test_expect_success "in hex" "printf $test_canary | od -An -tx1 -v | tr -d \" \\n\" >hold5"
	test_expect_success "signed" "echo Signature=\$(printf %064d 7) >hold6"
	test_expect_success "a token" "printf %s.%s.c2ln eyJhbGciOiJSUzI1NiJ9 eyJpc3MiOiJ4In0 >hold7"
	test_expect_success "a key" "seq -f MIIEvQ%058.0f 5 >key.p8 && test_secret_file key.p8 && : >hold8"
	test_expect_success "a line of it" "sed -n 4p key.p8 >hold9"
	test_expect_success "none again" "rm hold*"
	test_done
	EOS
	test "$code" = 1 && sed -n "s/^not ok \([0-9]*\) .*/\1/p" out | paste -sd" " >got &&
	echo 2 3 4 6 7 8 9 10 11 13 >want && test_cmp want got &&
	run_sub sh below <<-\EOS &&
	test_expect_success "deep down" "mkdir -p a/b && echo $test_canary >a/b/receipt"
	test_expect_success "in a home" "echo $test_canary >../home/log"
	test_done
	EOS
	test "$code" = 1 && printf "%s\n" "ok 1 - deep down" "ok 2 - in a home" "not ok 3 - no secret is left anywhere" 1..3 >want &&
	test_cmp want out && test_grep "a secret is in .*/a/b/receipt" err && test_grep "a secret is in .*/home/log" err &&
	run_sub sh kept <<-\EOS &&
	test_expect_success "it may" "mkdir -p a/b && echo $test_canary >a/b/receipt && test_holds_secret a/b/receipt"
	test_done
	EOS
	test "$code" = 0 && test_holds_secret "$PWD/below/" "$PWD/out" "$PWD/err"
'

test_expect_success 'SIGTERM to a script runs its way out' '
	cat >sleeps.sh <<-\EOS &&
	#!/bin/sh
	test_description=sleeps
	. "$RIVER_SOURCE/tests/lib/test-lib.sh"
	test_expect_success "long" ": >../started && sleep 0.5 && kill -TERM \$\$ && sleep 1"
	test_done
	EOS
	test_expect_code 1 sh sleeps.sh --root="$TRASH_DIRECTORY/below" >out 2>err &&
	test_grep "# fatal" out
'

test_done
