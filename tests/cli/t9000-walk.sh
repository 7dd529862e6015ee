#!/bin/sh
test_description='walk: counts, kills and fails the call it was asked to'
. "$(dirname "$0")/../lib/test-lib.sh"

walk=$RIVER_BUILD/tests/fault/walk
target=$RIVER_BUILD/tests/fault/walk_target
test_no_leak_check

test -x "$walk" && test -x "$target" || test_bug "walk is not built: make check builds it"

# The dd here: open, 8 x (read, write), close, and every write is 4 bytes.
printf 'aaaabbbbccccddddeeeeffffgggghhhh' >in

test_expect_success 'classes count what a program does' '
	"$walk" --report r --path /dir count -- sh -c "
		mkdir dir && echo x >dir/a && mv dir/a dir/b && ln dir/b dir/c && rm dir/b" &&
	for class in mkdir create write rename link unlink
	do
		test_grep "^$class 1\$" r || return 1
	done
'

test_expect_success 'the total is the sum of its classes, and the same each time' '
	"$walk" --report r1 count -- dd if=in of=copy bs=4 2>/dev/null &&
	"$walk" --report r2 count -- dd if=in of=copy bs=4 2>/dev/null &&
	test_cmp in copy &&
	test_cmp r1 r2 &&
	sum=$(sed 1d r1 | while read -r class n; do echo "$n +"; done) &&
	echo "completed $(($sum 0))" >want &&
	head -n 1 r1 >got &&
	test_cmp want got &&
	"$walk" --report r --path /copy count -- dd if=in of=copy bs=4 2>/dev/null &&
	test_grep "^write 8\$" r
'

test_expect_success 'codes and signals of the command are passed on' '
	test_expect_code 0 "$walk" --report r count -- true &&
	test_expect_code 7 "$walk" --report r count -- sh -c "exit 7" &&
	test_expect_code 143 "$walk" --report r count -- sh -c "kill -TERM \$\$" &&
	{ "$walk" --report r count -- no-such-command 2>err; code=$?; } &&
	test $code -eq 127 &&
	test_grep "no-such-command" err &&
	test_grep "^not-started" r
'

test_expect_success 'what walk cannot do is code 125' '
	test_expect_code 125 "$walk" count 2>err &&
	test_expect_code 125 "$walk" kill 0 -- true 2>err &&
	test_expect_code 125 "$walk" kill x -- true 2>err &&
	test_expect_code 125 "$walk" fail nothing EIO 1 -- true 2>err &&
	test_expect_code 125 "$walk" fail write ENOTHING 1 -- true 2>err &&
	test_expect_code 125 "$walk" --report no/such/file count -- true 2>err
'

test_expect_success 'standard input, output and error pass through' '
	printf "one\ntwo\n" | "$walk" --report r count -- sh -c "cat; echo three >&2" >out 2>err &&
	printf "one\ntwo\n" >want && test_cmp want out &&
	echo three >want && test_cmp want err
'

test_expect_success 'killed at N: all that came before is there, and nothing after' '
	last=none &&
	for k in 1 2 3 4 5 6 7 8
	do
		rm -f copy &&
		n=$("$walk" --report r --log log count -- dd if=in of=copy bs=4 2>/dev/null &&
			awk "\$3 == \"write\" && \$4 ~ /copy/ && ++k == $k { print \$1 }" log) &&
		rm -f copy &&
		test_expect_code 90 "$walk" --report r kill $n -- dd if=in of=copy bs=4 2>/dev/null &&
		test_grep "^killed $n write .*/copy\$" r &&
		head -c $((4 * (k - 1))) in >want &&
		test_cmp want copy || return 1
	done
'

test_expect_success 'killed at every call, then not reached: the command ends by itself' '
	n=0 code=90 short=0 &&
	while test $code -eq 90
	do
		n=$((n + 1)) &&
		rm -f copy &&
		{ "$walk" --report r --file-ops kill $n -- dd if=in of=copy bs=4 2>/dev/null; code=$?; } &&
		if test $code -eq 90
		then
			{ test ! -e copy || head -c $(wc -c <copy) in | cmp - copy; } || return 1
		fi
	done &&
	test $code -eq 0 &&
	test $n -gt 10 &&
	test_cmp in copy &&
	test_grep "^completed $((n - 1))\$" r
'

test_expect_success 'a killed tree is wholly dead' '
	cat >tree.sh <<-\EOS &&
	"$1" threads 4 "$2" &
	echo $$ >>pids
	sleep 300 &
	echo $! >>pids
	sleep 300 &
	echo $! >>pids
	wait %1
	: >killme
	wait
	EOS
	mkdir -p t &&
	test_expect_code 90 "$walk" --report r --path /killme kill 1 -- sh tree.sh "$target" t &&
	test_line_count -eq 3 pids &&
	while read -r pid
	do
		test_path_is_missing /proc/$pid || return 1
	done <pids &&
	test_path_is_missing killme
'

test_expect_success 'ENOSPC hits the write it was meant for, once' '
	test_expect_code 1 "$walk" --report r --path /copy fail write ENOSPC 3 -- \
		dd if=in of=copy bs=4 2>err &&
	test_grep "No space left" err &&
	test_grep "^reached 1 of 3 write .*/copy\$" r &&
	printf aaaabbbb >want &&
	test_cmp want copy
'

test_expect_success 'a fault that was not reached is told' '
	"$walk" --report r --path /copy fail write ENOSPC 9 -- dd if=in of=copy bs=4 2>err &&
	test_grep "^not-reached 8\$" r &&
	test_cmp in copy
'

test_expect_success 'once, forever and alternate are what they say' '
	cat >many.sh <<-\EOS &&
	for i in 1 2 3 4 5 6
	do
		mkdir t/$i 2>/dev/null
	done
	ls t | tr "\n" " "
	EOS
	for when in once:1,3,4,5,6, forever:1, alternate:1,3,5,
	do
		rm -rf t && mkdir t &&
		"$walk" --report r fail mkdir EIO 2 ${when%%:*} -- sh many.sh >out &&
		echo "$(tr " " , <out)" >got &&
		echo "${when#*:}" >want &&
		test_cmp want got || return 1
	done
'

test_expect_success 'classes that fail: rename, link, unlink, open, fsync, mmap, file' '
	: >a &&
	test_must_fail "$walk" --report r --path /a fail rename EXDEV 1 forever -- mv -T a b/c 2>err &&
	test_must_fail "$walk" --report r fail link EMLINK 1 -- ln a b 2>err &&
	test_grep "Too many links" err && test_path_is_missing b &&
	test_must_fail "$walk" --report r --path /a fail unlink EROFS 1 -- rm a 2>err &&
	test_grep "Read-only" err && test_path_is_file a &&
	test_must_fail "$walk" --report r --path /a fail open EMFILE 1 -- cat a 2>err &&
	test_grep "Too many open" err &&
	test_must_fail "$walk" --report r fail fsync EIO 1 -- dd if=in of=copy conv=fsync 2>err &&
	test_grep "Input/output" err &&
	{ "$walk" --report r --path libc fail mmap ENOMEM 1 -- cat in 2>err; code=$?; } &&
	test $code -eq 127 &&
	test_grep "libc" err &&
	test_must_fail "$walk" --report r --path /new fail file EDQUOT 1 -- touch new 2>err &&
	test_grep "quota" err && test_path_is_missing new
'

test_expect_success 'able: the calls that can give the error, on disks alone, and not what is said of it' '
	"$walk" --report r fail able ENOSPC 1000 -- dd if=in of=copy bs=4 2>err &&
	test_grep "^not-reached 9\$" r &&
	"$walk" --report r --spare /copy fail able ENOSPC 1 -- dd if=in of=copy bs=4 2>err &&
	test_grep "^not-reached 0\$" r && test_cmp in copy &&
	test_must_fail "$walk" --report r fail able ENOSPC 9 -- dd if=in of=copy bs=4 2>err &&
	test_grep "^reached 1 of 9 write .*/copy\$" r && test_grep "No space" err &&
	cat in | "$walk" --report r --path pipe: fail able EIO 1 -- cat >copy && test_cmp in copy &&
	cat in | "$walk" --report r --path pipe: fail able short 1 forever -- dd bs=4 2>err >copy && test_cmp in copy &&
	test_grep "^reached 3[0-9] of" r &&
	"$walk" --report r --path /dev/ fail able EIO 1 -- sh -c "cat </dev/null"
'

test_expect_success 'short reads and writes are survived, and happen' '
	"$walk" --report r --path /in fail read short 1 forever -- dd if=in of=copy bs=4 2>err &&
	test_cmp in copy &&
	test_grep "^32+0\|^0+32" err &&
	"$walk" --report r --path /copy fail write short 1 forever -- dd if=in of=copy bs=4 2>err &&
	test_cmp in copy &&
	test_grep "^reached 32 of 32 write" r &&
	"$walk" --report r fail read short 1 alternate -- sh -c "read -r x <in; echo \"\$x\"" >out &&
	test "$(cat out)" = "$(cat in)" &&
	"$walk" --report r --path /copy fail copy short 1 forever -- cp in copy &&
	test_cmp in copy
'

test_expect_success 'what is no stream of bytes is not cut' '
	"$walk" --report r fail able short 1 forever -- "$target" datagram >out &&
	echo "5 bytes" >want && test_cmp want out &&
	"$walk" --report r fail send short 1 -- "$target" datagram >out &&
	echo "1 bytes" >want && test_cmp want out
'

test_expect_success 'vectors are cut to a byte too, and EINTR is given' '
	"$target" writev want &&
	"$walk" --report r --path /vec fail write short 1 forever -- "$target" writev vec &&
	test_cmp want vec &&
	test_grep "^reached 3000 of 3000" r &&
	"$walk" --report r --path /vec fail write EINTR 1 alternate -- "$target" writev vec &&
	test_cmp want vec &&
	test_grep "^reached 1 of 2 writev" r
'

test_expect_success 'threads are counted, and killed at any point' '
	mkdir -p t && rm -rf t/* &&
	"$walk" --report r --path /t/t count -- "$target" threads 8 t >out &&
	test_grep joined out &&
	test_grep "^write 80\$" r &&
	test_grep "^create 8\$" r &&
	for n in 1 10 33 79 80
	do
		rm -rf t/* &&
		test_expect_code 90 "$walk" --report r --path /t/t --file-ops kill $n -- \
			"$target" threads 8 t >out &&
		test_must_be_empty out &&
		# n - 1 calls were let through; creating and closing are calls as well
		lines=$(cat t/* | wc -l) &&
		test "$lines" -lt "$n" || return 1
	done &&
	test_must_fail "$walk" --report r --path /t/t fail write EIO 41 -- "$target" threads 8 t 2>err &&
	test_grep "^reached 1 of" r
'

test_expect_success 'children by posix_spawn, and a thread that executes, are followed' '
	test_expect_code 1 "$walk" --report r --path /made fail create EACCES 1 -- \
		"$target" spawn touch made 2>err &&
	test_path_is_missing made &&
	test_expect_code 5 "$walk" --report r count -- "$target" spawn sh -c "exit 5" &&
	"$walk" --report r --path /made count -- "$target" exec-thread touch made &&
	test_path_is_file made &&
	test_grep "^create 1\$" r
'

test_expect_success 'signals reach the program, stops stop it' '
	"$walk" --report r count -- "$target" signals >out &&
	test "$(cat out)" = "100 signals" &&
	"$walk" --report r count -- "$target" stop >out &&
	test "$(cat out)" = continued
'

test_expect_success 'a signal is sent at the call asked for' '
	cat >traps.sh <<-\EOS &&
	trap "echo caught >t/caught; exit 9" TERM
	mkdir t/1
	mkdir t/2
	mkdir t/3
	echo end >t/end
	EOS
	rm -rf t && mkdir t &&
	test_expect_code 9 "$walk" --report r --path t/2 signal TERM 1 -- sh traps.sh &&
	test_grep "^reached 1 of" r &&
	test_path_is_file t/caught &&
	test_path_is_missing t/3
'

test_expect_success 'what hangs is ended' '
	test_expect_code 124 "$walk" --report r --timeout 1 count -- "$target" sleep &&
	test_grep "^timeout" r
'

test_done
