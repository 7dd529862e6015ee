#!/bin/sh
test_description='walks over every call find the program that loses data, and pass the one that does not'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"

# Two programs that replace a file by a new version of it.
cat >safe.sh <<'EOS'
set -e
dd of=store.new bs=4k status=none
mv store.new store
EOS
cat >unsafe.sh <<'EOS'
set -e
dd of=store bs=4k status=none
EOS
"$gen_events" 20 >old
"$gen_events" 20 --start 100 >new
setup='cp old store && rm -f store.new'
either='cmp -s store old || cmp -s store new'
again='{ sh safe.sh <new && cmp store new; }'

test_expect_success 'a program that replaces atomically passes at every kill' '
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_input=new &&
	walk_kills "$setup" "$either && $again" sh safe.sh &&
	test $walk_points -gt 3
'

test_expect_success 'one that writes in place does not, and the call is named' '
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_input=new &&
	test_must_fail walk_kills "$setup" "$either" sh unsafe.sh >said &&
	test_grep "the walk failed: the check at call" said &&
	test_grep "^killed" said
'

test_expect_success 'input through a pipe' '
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_pipe=new &&
	walk_kills "$setup" "$either" sh safe.sh &&
	test $walk_points -gt 3 &&
	test_cmp new store
'

test_expect_success 'failed writes: every one is hit, the old version stays' '
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_input=new walk_path=/store &&
	codes= &&
	walk_fails file ENOSPC once "$setup" "codes=\"\$codes \$walk_code\"; $either" sh safe.sh &&
	# creating it, three writes, the rename, and then none left to fail
	test $walk_points -ge 5 &&
	case "$codes" in *[1-9]*" 0") ;; *) false ;; esac &&
	test_must_fail walk_fails write EIO forever "$setup" "$either" sh unsafe.sh >said &&
	test_grep "^reached 1 of 1 write .*/store$" said
'

test_expect_success 'short reads and writes change nothing' '
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_input=new &&
	walk_fails write short forever "$setup" "cmp store new" sh safe.sh &&
	test $walk_points -ge 3
'

test_expect_success 'signals: a program may end, and must not leave half a file' '
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_input=new &&
	walk_signals TERM "$setup" "$either && $again" sh safe.sh &&
	test $walk_points -gt 3
'

test_expect_success 'a crash fails a walk even when the check is content' '
	cat >crash.sh <<-\EOS &&
	echo x >out.1 || kill -SEGV $$
	EOS
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_path=/out.1 &&
	test_must_fail walk_fails create EIO once : : sh -c ". ./crash.sh" >said &&
	test_grep "a crash or a hang" said
'

test_expect_success 'few points are spread from the first call to the last' '
	cat >many.sh <<-\EOS &&
	i=0
	while test $i -lt 100
	do
		echo $i >>many || exit 1
		i=$((i + 1))
	done
	EOS
	test_when_finished "unset walk_input walk_pipe walk_path walk_max" &&
	walk_max=10 walk_path=/many &&
	seen= &&
	walk_kills "rm -f many" "seen=\"\$seen \$walk_n\"" sh many.sh &&
	{ test -n "$test_deep" || test $walk_points -le 12; } &&
	case "$seen" in " 1 "*" $walk_total "*) ;; *) false ;; esac
'

test_done
