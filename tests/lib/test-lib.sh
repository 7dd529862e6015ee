# A small test library for shell tests; every script speaks TAP, so prove(1) runs them all.
#
#	#!/bin/sh
#	test_description='push refuses what it cannot read'
#	. "$(dirname "$0")/../lib/test-lib.sh"
#
#	test_expect_success 'a missing file is named' '
#		test_expect_code 5 river push web/clicks nothing.ndjson 2>err &&
#		test_grep "nothing.ndjson" err
#	'
#	test_done
#
# A script runs under dash and bash in an empty folder of its own ($TRASH_DIRECTORY, current when a body
# starts) with its own HOME, both below $RIVER_BUILD/tests/trash; they are removed when every test passed.
# A body is evaluated in the script's shell, so variables last; what it prints is shown when it fails.
# Commands of a body are joined with &&; a chain that is broken fails the test.
#
# Options of a script, or words in RIVER_TEST_OPTS:
#	-v, --verbose     show what the bodies print, as it happens, on standard error
#	-i, --immediate   stop at the first failure
#	-x                trace the commands of the bodies (implies nothing else)
#	--run=3,5-7       run these tests only
#	--root=DIR        put the scratch folders below DIR
#	--keep            keep the scratch folder even when all is well
#
# Every secret of a test (keys, tokens, passwords) has riverCanaryBird in it. No file that a test leaves may
# hold one, in whatever coding, nor a signature, a token or a private key: not what river printed, not its
# state, not its lake. Files that hold one because the test put it there are named to test_holds_secret.
#
# An option for one command goes through env(1): `test_expect_code 3 env RIVER_LAKE=x river ...`, because
# shells disagree on `VAR=x function`.

# ---- options ------------------------------------------------------------------------------------
verbose= immediate= trace= run_list= trash_root= keep=
for opt in $RIVER_TEST_OPTS "$@"
do
	case "$opt" in
	-v|--verbose) verbose=t ;;
	-i|--immediate) immediate=t ;;
	-x) trace=t ;;
	--keep) keep=t ;;
	--run=*) run_list=${opt#--run=} ;;
	--root=*) trash_root=${opt#--root=} ;;
	*)
		echo "# fatal: unknown option '$opt'"
		exit 2
		;;
	esac
done

# ---- surroundings -------------------------------------------------------------------------------
TEST_DIRECTORY=$(cd "$(dirname "$0")" && pwd -P) || exit 1
TEST_NAME=$(basename "$0" .sh)
RIVER_SOURCE=${RIVER_SOURCE:-$(cd "$TEST_DIRECTORY/../.." && pwd -P)}
RIVER_BUILD=$(cd "${RIVER_BUILD:-$RIVER_SOURCE/build}" && pwd -P) || {
	echo "# fatal: no build folder: run make first"
	exit 1
}
test_deep=$RIVER_DEEP
# how many points a walk tries then: RIVER_DEEP=N so many, RIVER_DEEP=1 and RIVER_DEEP=all every one
case $test_deep in
''|1|*[!0-9]*) test_deep_most=1000000 ;;
*) test_deep_most=$test_deep ;;
esac

for name in $(env | sed -n -E \
	's/^((RIVER|AWS|SNOWFLAKE|XDG|LC|DUCKDB|ZSTD|MALLOC)_[A-Za-z0-9_]*|[A-Za-z0-9_]*_(proxy|PROXY)|LANG|LANGUAGE|CDPATH|GREP_OPTIONS|GREP_COLORS|NO_COLOR|SOURCE_DATE_EPOCH)=.*/\1/p')
do
	case "$name" in
	RIVER_SOURCE|RIVER_BUILD) ;;
	*) unset "$name" ;;
	esac
done
unset name opt

# Nothing outside of this machine is asked, not even for credentials.
AWS_EC2_METADATA_DISABLED=true
export AWS_EC2_METADATA_DISABLED
LC_ALL=C LANG=C TZ=UTC PAGER=cat TERM=dumb COLUMNS=80
PATH=$RIVER_BUILD:$PATH
test -z "$test_deep" || RIVER_DEEP=$test_deep
export LC_ALL LANG TZ PAGER TERM COLUMNS PATH RIVER_SOURCE RIVER_BUILD
test -z "$test_deep" || export RIVER_DEEP
# A push does not try on for a minute; the tests of outages say how long.
RIVER_PUSH_RETRY_FOR=0 RIVER_EXTRACT_LOAD_RETRY_FOR=0
export RIVER_PUSH_RETRY_FOR RIVER_EXTRACT_LOAD_RETRY_FOR
umask 022

# A sanitizer's report ends with code 99, which no helper below takes for an ordinary failure.
test_leaks=1
test_sanitizers () {
	ASAN_OPTIONS=exitcode=99:abort_on_error=0:detect_leaks=$test_leaks:allocator_may_return_null=1
	LSAN_OPTIONS=exitcode=99
	UBSAN_OPTIONS=exitcode=99:halt_on_error=1:print_stacktrace=1
	TSAN_OPTIONS=exitcode=99:halt_on_error=1:suppressions=$RIVER_SOURCE/tests/lib/tsan.suppressions
	export ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
}
test_sanitizers
# The leak checker needs ptrace for itself: call this before running anything under walk.
test_no_leak_check () {
	test_leaks=0
	test_sanitizers
}

TRASH_ROOT=${trash_root:-$RIVER_BUILD/tests/trash}/$TEST_NAME
TRASH_DIRECTORY=$TRASH_ROOT/trash
test_log=$TRASH_ROOT/log
HOME=$TRASH_ROOT/home
TMPDIR=$TRASH_ROOT/tmp
XDG_CONFIG_HOME=$HOME/.config
XDG_DATA_HOME=$HOME/.local/share
XDG_STATE_HOME=$HOME/.local/state
XDG_CACHE_HOME=$HOME/.cache
XDG_RUNTIME_DIR=$TRASH_ROOT/run
export HOME TMPDIR XDG_CONFIG_HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME XDG_RUNTIME_DIR
export TRASH_DIRECTORY

test_remove_trash () {
	rm -rf "$TRASH_ROOT" 2>/dev/null || {
		# a test took permissions away from a folder and died before it gave them back
		chmod -R u+rwx "$TRASH_ROOT" 2>/dev/null
		rm -rf "$TRASH_ROOT"
	}
}
test_remove_trash && mkdir -p "$TRASH_DIRECTORY" "$HOME" "$TMPDIR" &&
mkdir -m 700 "$XDG_RUNTIME_DIR" && cd "$TRASH_DIRECTORY" || {
	echo "# fatal: cannot make the scratch folder $TRASH_ROOT"
	exit 1
}

# 3 is where a body reads from and 4 where TAP goes, whatever a body does with 0, 1 and 2.
exec 3</dev/null 4>&1 5>&2 6>&2

# ---- secrets ------------------------------------------------------------------------------------
# The bird as it is, in base64 (three ways, by where it begins), in hex; then what river makes of secrets:
# signatures of AWS in headers and URLs, JSON web tokens; and keys in PEM. Basic regular expressions, so
# that lines of base64 stand for themselves.
test_canary=riverCanaryBird
test_secrets=$TRASH_ROOT/secrets test_holders=$TRASH_ROOT/secret-holders
cat >"$test_secrets" <<\EOT
riverCanaryBird
cml2ZXJDYW5hcnlCaXJk
JpdmVyQ2FuYXJ5QmlyZ
yaXZlckNhbmFyeUJpcm
726976657243616e61727942697264
Signature=[0-9a-f]\{64\}
eyJ[A-Za-z0-9_-]\{10,\}\.eyJ
^-----BEGIN [A-Z ]*PRIVATE KEY-----$
EOT
printf '%s\n' "$test_secrets" "$test_holders" "$TRASH_ROOT/found" >"$test_holders" && : >"$test_holders.below"

# test_secret_file FILE: its lines are secrets as well (a key in PEM, a token), and it may hold them
test_secret_file () {
	grep -v -e -----BEGIN -e -----END "$1" | grep '^.\{16,\}' >>"$test_secrets"
	test_holds_secret "$1"
}

# test_holds_secret FILE...: the test itself put one there; with a / at its end, a folder
test_holds_secret () {
	for test_one
	do
		case "$test_one" in
		/*) ;;
		*) test_one=$PWD/$test_one ;;
		esac
		case "$test_one" in
		*/) printf '%s\n' "$test_one" >>"$test_holders.below" ;;
		*) printf '%s\n' "$test_one" >>"$test_holders" ;;
		esac
	done
}

# Names of files, one a line, to what is found in them; fails when anything is.
test_no_secrets_in () {
	test_found=$(grep -vxF -f "$test_holders" | grep -vF -f "$test_holders.below")
	test -n "$test_found" || return 0
	printf '%s\n' "$test_found" | while read -r test_one
	do
		# said once
		test "$test_one" = "$test_log" || printf '%s\n' "$test_one" >>"$test_holders"
		echo "a secret is in $test_one:"
		grep -aof "$test_secrets" "$test_one" | head -n 3
	done
	return 1
}

# What a body printed, and the files that the next body is likely to write anew; the whole folder is for
# test_done. What -x shows are the words of the test.
test_body_kept_secrets () {
	set -- "$TRASH_DIRECTORY"
	test -n "$trace$verbose" || set -- "$test_log" "$@"
	find "$@" -maxdepth 1 -type f -size -2048 ! -name '*.p8' ! -name '*.pem' ! -name '*.key' \
		-exec grep -salf "$test_secrets" {} + | test_no_secrets_in
}
# A file of more than 2 GiB is one with holes.
test_script_kept_secrets () {
	find "$TRASH_ROOT" -type f -size -4194304 ! -name '*.p8' ! -name '*.pem' ! -name '*.key' \
		! -path "$test_log" -exec grep -salf "$test_secrets" {} + | test_no_secrets_in
}

test_count=0 test_failed=0 test_skipped=0 test_finished= test_mounts= test_body_runs=
test_prereqs=' ' test_no_prereqs=' ' test_lazy=' '
# functions that libraries want called when all tests ran
test_before_done=

# test_atexit COMMAND: when the script ends, however it does; the last one first
test_ends=
test_atexit () {
	test_ends="$1; $test_ends"
}

test_ended () {
	test_code=$?
	trap - EXIT
	eval "$test_ends"
	for test_mount in $test_mounts
	do
		umount "$test_mount" 2>/dev/null
	done
	test -n "$test_finished" && exit "$test_code"
	if test -n "$test_body_runs"
	then
		sed 's/^/#	/' "$test_log" >&5 2>/dev/null
		echo "not ok $test_count - $test_title" >&4
	fi
	echo "# fatal: $TEST_NAME ended with code $test_code before test_done" >&4
	exit 1
}
trap test_ended EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# A mistake in the test script itself.
test_bug () {
	echo "# fatal: bug in $TEST_NAME: $*" >&4
	test_finished=t
	exit 1
}

# ---- prerequisites ------------------------------------------------------------------------------
# test_set_prereq NAME
test_set_prereq () {
	test_prereqs="$test_prereqs$1 "
}

# test_lazy_prereq NAME 'script': asked once, when a test first wants it
test_lazy_prereq () {
	eval "test_lazy_$1=\$2"
	test_lazy="$test_lazy$1 "
}

# test_have_prereq A,!B: 0 when all hold
test_have_prereq () {
	test_missing=
	for test_one in $(echo "$1" | tr , ' ')
	do
		test_want=t
		case "$test_one" in
		!*) test_want= test_one=${test_one#!} ;;
		esac
		case "$test_prereqs$test_no_prereqs" in
		*" $test_one "*) ;;
		*)
			case "$test_lazy" in
			*" $test_one "*)
				eval "test_script=\$test_lazy_$test_one"
				if (eval "$test_script") <&3 >/dev/null 2>&1
				then
					test_prereqs="$test_prereqs$test_one "
				else
					test_no_prereqs="$test_no_prereqs$test_one "
				fi
				;;
			esac
			;;
		esac
		case "$test_prereqs" in
		*" $test_one "*) test -n "$test_want" || test_missing="$test_missing !$test_one" ;;
		*) test -z "$test_want" || test_missing="$test_missing $test_one" ;;
		esac
	done
	test -z "$test_missing"
}

test "$(id -u)" -ne 0 || test_set_prereq ROOT
test -z "$test_deep" || test_set_prereq DEEP
! grep -q -e -fsanitize "$RIVER_BUILD/flags" 2>/dev/null || test_set_prereq SANITIZER
test_lazy_prereq TMPFS '
	dir=$(mktemp -d) || exit 1
	mount -t tmpfs -o size=64k none "$dir" && umount "$dir"
	ret=$?
	rmdir "$dir"
	exit $ret
'

# ---- running tests ------------------------------------------------------------------------------
test_eval_inner () {
	test -z "$trace" || set -x
	eval "$*"
}

# A return in a body leaves the inner function, so the tracing is always turned off again. 6 is where
# helpers say what they missed, also when a body sends their output elsewhere.
test_eval_body () {
	test_eval_inner "$@"
	{ test_inner_ret=$?; set +x; } 2>/dev/null
	return $test_inner_ret
}

# Leaves the code of the body in eval_ret.
test_eval () {
	test_body_runs=t
	if test -n "$verbose"
	then
		test_eval_body "$@" <&3 >&5 2>&5 6>&5
	else
		test_eval_body "$@" <&3 >>"$test_log" 2>&1 6>&1
	fi
	eval_ret=$?
	test_body_runs=
	return $eval_ret
}

test_selected () {
	test -n "$run_list" || return 0
	for test_one in $(echo "$run_list" | tr , ' ')
	do
		test "$test_count" -ge "${test_one%%-*}" && test "$test_count" -le "${test_one##*-}" &&
		return 0
	done
	return 1
}

# test_expect_success [PREREQ,...] 'title' 'body'; a body of - is read from standard input
test_expect_success () {
	test_need=
	case $# in
	3) test_need=$1; shift ;;
	2) ;;
	*) test_bug "test_expect_success takes 2 or 3 arguments, not $#" ;;
	esac
	test -z "$test_finished" || test_bug "test after test_done"
	test_title=$1
	test_body=$2
	test "$test_body" != - || test_body=$(cat)
	test_count=$((test_count + 1))
	if ! test_selected
	then
		echo "ok $test_count # SKIP not in --run=$run_list" >&4
		return
	fi
	if test -n "$test_need" && ! test_have_prereq "$test_need"
	then
		test_skipped=$((test_skipped + 1))
		echo "ok $test_count # SKIP $test_title (missing$test_missing)" >&4
		return
	fi
	: >"$test_log"
	test -z "$verbose" || echo "expecting success of $test_count '$test_title': $test_body" >&5

	# The first link of the chain fails with a code of its own. Where it does not come out at the
	# end, some link was not joined to the ones before it.
	test_cleanup=:
	test_eval "(exit 117) && $test_body"
	test_chain=$eval_ret
	if test "$test_chain" -ne 117
	then
		echo "broken && chain (code $test_chain)" >>"$test_log"
		eval_ret=1
	else
		cd "$TRASH_DIRECTORY" || test_bug "the scratch folder is gone"
		test_cleanup=:
		test_eval "$test_body"
	fi
	cd "$TRASH_DIRECTORY" || test_bug "the scratch folder is gone"
	test_body_ret=$eval_ret
	test "$test_cleanup" = : || test_eval "$test_cleanup"
	test "$test_body_ret" -eq 0 || eval_ret=$test_body_ret
	cd "$TRASH_DIRECTORY" || test_bug "the scratch folder is gone"
	test_body_kept_secrets >"$TRASH_ROOT/found" || {
		cat "$TRASH_ROOT/found" >>"$test_log"
		test "$eval_ret" -ne 0 || eval_ret=1
	}

	if test "$eval_ret" -eq 0
	then
		echo "ok $test_count - $test_title" >&4
		return
	fi
	test_failed=$((test_failed + 1))
	echo "not ok $test_count - $test_title" >&4
	{
		echo "# $TEST_NAME.$test_count failed with code $eval_ret: $test_title"
		printf '%s\n' "$test_body" | sed 's/^/#	/'
		test -n "$verbose" || sed 's/^/# > /' "$test_log"
		test "$test_chain" -eq 117 || echo "# > broken && chain"
	} >&5
	test -z "$immediate" || {
		echo "# fatal: stopped at the first failure; see $TRASH_ROOT" >&4
		test_finished=t
		exit 1
	}
}

# test_when_finished 'commands': done when the body ends, well or not, last one first. A cleanup that
# fails fails the test.
test_when_finished () {
	test_cleanup="{ $*
	} && (exit \"\$eval_ret\"); eval_ret=\$?; $test_cleanup; (exit \"\$eval_ret\")"
}

# test_skip_all 'reason': leaves the whole script, before its first test
test_skip_all () {
	test "$test_count" -eq 0 || test_bug "test_skip_all after a test"
	echo "1..0 # SKIP $*" >&4
	test_finished=t
	cd / && test_remove_trash
	exit 0
}

test_done () {
	test_finished=t
	for test_one in $test_before_done
	do
		$test_one || test_failed=$((test_failed + 1))
	done
	test_script_kept_secrets >&5 || {
		test_count=$((test_count + 1)) test_failed=$((test_failed + 1))
		echo "not ok $test_count - no secret is left anywhere" >&4
	}
	echo "1..$test_count" >&4
	if test "$test_failed" -ne 0
	then
		echo "# $test_failed of $test_count failed; look into $TRASH_ROOT" >&5
		exit 1
	fi
	for test_mount in $test_mounts
	do
		umount "$test_mount" 2>/dev/null
	done
	test_mounts=
	test -n "$keep" || { cd / && test_remove_trash; }
	exit 0
}

# ---- codes --------------------------------------------------------------------------------------
# A crash is never what a test wants: not found, not runnable, a sanitizer's report, SIGILL, SIGTRAP,
# SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
test_is_crash () {
	case "$1" in
	99|126|127|132|133|134|135|136|139|159) return 0 ;;
	esac
	return 1
}

# test_expect_code CODE COMMAND...: 128+n for a command that ends by signal n
test_expect_code () {
	test_wanted=$1
	shift
	! test_is_crash "$test_wanted" || test_bug "test_expect_code $test_wanted would take a crash for a pass"
	"$@"
	test_code=$?
	test "$test_code" -ne "$test_wanted" || return 0
	echo "test_expect_code: wanted $test_wanted, got $test_code from: $*" >&6
	return 1
}

# test_must_fail COMMAND...: any ordinary failure, 1..125 but for a sanitizer's 99
test_must_fail () {
	"$@"
	test_code=$?
	if test "$test_code" -eq 0
	then
		echo "test_must_fail: succeeded: $*" >&6
		return 1
	elif test "$test_code" -ge 126 || test_is_crash "$test_code"
	then
		echo "test_must_fail: crashed or was killed (code $test_code): $*" >&6
		return 1
	fi
	return 0
}

# ---- looking at results -------------------------------------------------------------------------
# test_cmp EXPECTED ACTUAL
test_cmp () {
	test $# -eq 2 || test_bug "test_cmp takes 2 files, not $#"
	cmp -s "$1" "$2" && return 0
	diff -u "$1" "$2" | head -n 200
	# a difference in bytes that diff does not show
	cmp "$1" "$2"
	return 1
}

# test_grep [!] [grep options] PATTERN FILE: shows FILE when it disagrees
test_grep () {
	test_negate=
	test "$1" != ! || { test_negate=t; shift; }
	test $# -ge 2 || test_bug "test_grep needs a pattern and a file"
	eval "test_last=\${$#}"
	test -f "$test_last" || {
		echo "test_grep: no such file: $test_last" >&6
		return 1
	}
	grep "$@" >/dev/null 2>&1
	test_code=$?
	test "$test_code" -le 1 || test_bug "grep $* ended with code $test_code"
	if test -n "$test_negate"
	then
		test "$test_code" -eq 1 && return 0
		echo "test_grep: unwanted match of grep $*:" >&6
	else
		test "$test_code" -eq 0 && return 0
		echo "test_grep: no match of grep $*:" >&6
	fi
	head -c 20000 "$test_last"
	return 1
}

# test_must_be_empty FILE
test_must_be_empty () {
	test_path_is_file "$1" || return 1
	test ! -s "$1" && return 0
	echo "not empty: $1"
	head -c 20000 "$1"
	return 1
}

# test_line_count OP NUMBER FILE: test_line_count -eq 3 out (= != -lt -le -gt -ge as well)
test_line_count () {
	test $# -eq 3 || test_bug "test_line_count takes 3 arguments, not $#"
	test_path_is_file "$3" || return 1
	test_code=$(($(wc -l <"$3")))
	test "$test_code" "$1" "$2" && return 0
	echo "test_line_count: wanted lines $1 $2, $3 has $test_code:"
	head -n 50 "$3"
	return 1
}

test_path_is_file () {
	test -f "$1" && return 0
	echo "not a file: $1"
	ls -ld "$1" 2>&1
	return 1
}

test_path_is_dir () {
	test -d "$1" && return 0
	echo "not a folder: $1"
	ls -ld "$1" 2>&1
	return 1
}

test_path_is_missing () {
	test ! -e "$1" && test ! -L "$1" && return 0
	echo "should not be there: $1"
	ls -ld "$1"
	return 1
}

# test_wait_until SECONDS COMMAND...: asks again and again; for things done by another process
test_wait_until () {
	test_tries=$(($1 * 50))
	shift
	while ! "$@"
	do
		test_tries=$((test_tries - 1))
		test "$test_tries" -gt 0 || {
			echo "test_wait_until: waited in vain for: $*" >&6
			return 1
		}
		sleep 0.02
	done
}

# test_wait_until_read FD: all that was written to the pipe of FD has been read
test_pipe_is_empty () {
	"$RIVER_BUILD/tests/lib/pipe_is_empty" <&"$1"
}
test_wait_until_read () {
	test_wait_until 30 test_pipe_is_empty "$1"
}

# ---- full disks ---------------------------------------------------------------------------------
# test_small_tmpfs DIR SIZE [mount options]: DIR (made) is a file system of SIZE until the body ends.
# Sizes go in pages of 4 KiB; nr_inodes=N runs out of inodes. Such a test has the prerequisite TMPFS.
test_small_tmpfs () {
	test_have_prereq TMPFS || test_bug "test_small_tmpfs in a test without the prerequisite TMPFS"
	mkdir -p "$1" && mount -t tmpfs -o "size=$2${3:+,$3}" none "$1" || return 1
	test_tmpfs=$(cd "$1" && pwd -P) || return 1
	# by name, as the body may still sit in it; the exit trap gets what a body left behind by exit
	test_mounts="$test_mounts $test_tmpfs"
	test_when_finished "cd \"\$TRASH_DIRECTORY\" && umount \"$test_tmpfs\""
}
