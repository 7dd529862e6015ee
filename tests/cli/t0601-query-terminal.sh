#!/bin/sh
test_description='query on a terminal: tables fit it, whatever their size'
. "$(dirname "$0")/../lib/test-lib.sh"

command -v script >/dev/null || test_skip_all 'no script(1), which makes a terminal (package bsdutils)'

# on_terminal COLUMNS COMMAND...: what a terminal that wide shows, in `out`; the status is the command's
on_terminal () {
	printf "%s\n" "stty cols $1 rows 24 && $2" >shown.sh &&
	script -qec "sh shown.sh" /dev/null </dev/null >typed
	on_terminal_status=$?
	tr -d "\r" <typed >out
	return $on_terminal_status
}

test_expect_success 'there is a terminal' '
	on_terminal 40 "test -t 1 && stty size" &&
	test_grep "24 40" out
'

test_expect_success 'one row' '
	on_terminal 80 "river query \"select 1 as n\"" &&
	printf "n\n1\n" >want &&
	test_cmp want out
'

test_expect_success 'no row, and a statement without a result' '
	on_terminal 80 "river query \"select 1 as n, 2 as text where false\"" &&
	printf "n  text\n" >want &&
	test_cmp want out &&
	on_terminal 80 "river -c warehouse.path=./w.duckdb query --write \"create schema s\"" &&
	test_must_be_empty out
'

test_expect_success 'an error is said, with its code' '
	test_expect_code 2 on_terminal 80 "river query \"selec 1\"" &&
	test_grep "syntax error" out
'

test_expect_success 'several results, each as wide as it is' '
	on_terminal 80 "river query \"select 1 as n; select \\\$\\\$abc\\\$\\\$ as t, 2 as m; select 3 as z where false\"" &&
	printf "n\n1\n\nt    m\nabc  2\n\nz\n" >want &&
	test_cmp want out
'

test_expect_success 'more rows than are measured' '
	for rows in 999 1000 1001 2500
	do
		on_terminal 80 "river query \"select range as n, range::varchar as s from range($rows)\"" &&
		test_line_count -eq $((rows + 1)) out || return 1
	done &&
	tail -n 1 out >last &&
	test_grep "2499  2499" last
'

test_expect_success 'a result wider than the terminal is cut to fit' '
	on_terminal 40 "river query \"select repeat(\\\$\\\$x\\\$\\\$, 100) as a, repeat(chr(233), 100) as b, 7 as c\"" &&
	test_line_count -eq 2 out &&
	tail -n 1 out | LC_ALL=C sed "s/[\\x80-\\xbf]//g" >row &&
	test "$(LC_ALL=C awk "{ print length(\$0) }" row)" = 40 &&
	test_grep " 7$" row
'

test_expect_success 'a terminal too narrow for the columns, and one of unknown width' '
	on_terminal 10 "river query \"select repeat(\\\$\\\$x\\\$\\\$, 100) as a, repeat(\\\$\\\$y\\\$\\\$, 100) as b\"" &&
	test_grep "^xxxxxxxxxxxxxxx" out &&
	on_terminal 0 "river query \"select 1 as n\"" &&
	printf "n\n1\n" >want &&
	test_cmp want out
'

test_expect_success 'later rows that are wider have more room, as far as there is any' '
	on_terminal 40 "river query \"select case when range > 1500 then repeat(\\\$\\\$w\\\$\\\$, 90) else \\\$\\\$v\\\$\\\$ end as a, 1 as n from range(1600)\"" &&
	test_line_count -eq 1601 out &&
	sed -n 2p out >row && test_grep "^v  1$" row &&
	tail -n 1 out >row && test_grep "^w\{36\}[^w]*  1$" row
'

test_expect_success 'csv and json are the same on a terminal' '
	on_terminal 80 "river --output csv query \"select 1 as n\"" &&
	printf "n\n1\n" >want &&
	test_cmp want out &&
	on_terminal 80 "river --output json query \"select 1 as n\"" &&
	printf "{\"n\":1}\n" >want &&
	test_cmp want out
'

test_done
