#!/bin/sh
test_description='standard output that is full, closed or left; closed descriptors; nothing is opened in vain'
. "$(dirname "$0")/../lib/test-lib.sh"

test_expect_success 'a full disk is exit 10' '
	test -c /dev/full &&
	test_expect_code 10 river help >/dev/full 2>err &&
	test_grep "cannot write standard output: No space left on device" err &&
	test_expect_code 10 river --version >/dev/full 2>err &&
	test_expect_code 10 river help -h >/dev/full 2>err
'

test_expect_success 'a closed standard output is exit 10, but not where there is nothing to say' '
	test_expect_code 10 river help >&- 2>err &&
	test_grep "cannot write standard output" err &&
	river __complete 1 zzz >&-
'

test_expect_success 'closed descriptors: nothing meant for them lands in a file that is opened' '
	mkdir -p open closed &&
	river -C open init -v --color=never &&
	{ river -C closed init -v --color=never 0<&- 1>&- 2>&-; code=$?; } &&
	test "$code" = 0 -o "$code" = 10 &&
	test_cmp open/river.yaml closed/river.yaml &&
	test_expect_code 2 river -C closed -c lake=s3:// config list 1>&- 2>&- &&
	test_cmp open/river.yaml closed/river.yaml
'

test_expect_success 'paths that are not UTF-8 do not break JSON' '
	bad=$(printf "x\377y") &&
	test_expect_code 5 river config check "$bad" --output json >out 2>err &&
	grep "^{\"v\":1,\"file\":\"x$(printf "\357\277\275")y\",\"ok\":false" out &&
	mkdir -p "$bad" &&
	river -C "$bad" init --output json >out &&
	test_line_count = 2 out &&
	river -C "$bad" config list --output json >out &&
	test_grep "^{\"v\":1,\"key\":\"lake\"" out
'

# a reader takes one line of what river prints and goes; river must have more to say than a pipe holds
leave_reader () {
	{
		"$@" 2>err
		echo $? >code
	} | head -n 1 >line
}

test_expect_success 'a reader that left is no failure' '
	: >code &&
	leave_reader river help environment &&
	echo 0 >want &&
	test_cmp want code &&
	test_must_be_empty err &&
	test_line_count = 1 line
'

test_lazy_prereq STRACE 'command -v strace && strace -o /dev/null true'
test_expect_success STRACE,!SANITIZER 'start-up opens nothing but the loader'\''s files' '
	strace -f -e trace=openat,open,socket,connect -o calls river --version &&
	{ grep -E "open(at)?\(" calls | grep -v -E "/etc/ld.so|/lib|ENOENT|[.]profraw" >others || :; } &&
	test_must_be_empty others &&
	test_grep ! -E "duckdb|libcurl|libcrypto|locale|socket|connect" calls
'

test_expect_success '!SANITIZER' 'the program is linked to no library that is slow to load' '
	if command -v ldd >/dev/null
	then
		ldd "$RIVER_BUILD/river" >libs &&
		test_grep ! -E "duckdb|libcurl|libcrypto|libssl" libs
	fi
'

test_done
