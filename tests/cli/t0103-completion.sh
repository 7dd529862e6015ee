#!/bin/sh
test_description='completion: what a word can become, and the three shells that ask'
. "$(dirname "$0")/../lib/test-lib.sh"

# offers INDEX WORD... : what is offered for the word at INDEX, sorted, on standard output
offers () {
	river __complete "$@" >offered && sort offered
}

test_expect_success 'commands, their second words, and topics' '
	offers 1 >out &&
	test_grep -x init out &&
	test_grep ! " " out &&
	test_line_count = "$(sort -u out | wc -l)" out &&
	offers 1 hel >out &&
	echo help >want &&
	test_cmp want out &&
	offers 2 config "" >out &&
	printf "%s\n" check get list >want &&
	test_cmp want out &&
	offers 3 -q config l >out &&
	echo list >want &&
	test_cmp want out &&
	offers 2 help exi >out &&
	echo exit-codes >want &&
	test_cmp want out &&
	offers 3 help config g >out &&
	echo get >want &&
	test_cmp want out
'

test_expect_success 'options: of the command and global, not behind --' '
	offers 3 config list --show >out &&
	echo --show-origin >want &&
	test_cmp want out &&
	offers 1 --prof >out &&
	echo --profile >want &&
	test_cmp want out &&
	offers 4 config list -- -- >out &&
	test_must_be_empty out
'

test_expect_success 'values: choices, also behind =; files and folders are left to the shell' '
	offers 2 --output "" >out &&
	printf "%s\n" csv json text >want &&
	test_cmp want out &&
	offers 4 config list --color a >out &&
	printf "%s\n" always auto >want &&
	test_cmp want out &&
	offers 1 --color=al >out &&
	echo --color=always >want &&
	test_cmp want out &&
	offers 2 -C "" >out &&
	echo :folders >want &&
	test_cmp want out &&
	offers 3 config check "" >out &&
	echo :files >want &&
	test_cmp want out
'

test_expect_success 'profiles come from river.yaml' '
	printf "%s\n" "profiles:" "  here: { lake: ./lake }" "  there: { lake: ./other }" >river.yaml &&
	chmod 600 river.yaml &&
	offers 2 --profile "" >out &&
	printf "%s\n" here there >want &&
	test_cmp want out &&
	offers 4 config list --profile t >out &&
	echo there >want &&
	test_cmp want out &&
	mkdir -p elsewhere &&
	mv river.yaml elsewhere &&
	offers 4 -C elsewhere --profile t >out &&
	test_cmp want out &&
	env RIVER_OUTPUT=nonsense river __complete 4 -C elsewhere --profile t >out &&
	test_cmp want out
'

test_expect_success 'streams come from the catalog of the lake' '
	rm -rf shop && mkdir shop &&
	river -C shop init >/dev/null &&
	for stream in web/clicks web/views orders
	do
		river -C shop -q stream create $stream || return 1
	done &&
	offers 5 -C shop stream show "" >out &&
	printf "%s\n" orders web/clicks web/views >want &&
	test_cmp want out &&
	offers 5 -C shop stream show web/c >out &&
	echo web/clicks >want &&
	test_cmp want out &&
	offers 5 -C shop stream show main/ >out &&
	echo main/orders >want &&
	test_cmp want out &&
	river __complete 3 stream show "" >out 2>err &&
	test_must_be_empty err
'

test_expect_success 'what cannot be completed offers nothing and says nothing' '
	: >want &&
	for words in "1 zzz" "2 nonsense x" "3 config nonsense x" "3 --nonsense config l"
	do
		river __complete $words >out 2>err &&
		test_must_be_empty err || return 1
	done &&
	echo "not: [yaml" >river.yaml &&
	test_when_finished "rm river.yaml" &&
	river __complete 2 --profile "" >out 2>err &&
	test_must_be_empty out &&
	test_must_be_empty err
'

test_expect_success 'river completion prints the files of completions/' '
	for shell in bash zsh fish
	do
		river completion $shell >out &&
		test_cmp "$RIVER_SOURCE/completions/river.$shell" out || return 1
	done &&
	test_expect_code 2 river completion csh 2>err &&
	test_grep "bash, zsh and fish" err &&
	test_expect_code 2 river completion 2>err
'

for shell in bash zsh fish
do
	test_lazy_prereq "$(echo $shell | tr a-z A-Z)" "command -v $shell"
done

test_expect_success BASH 'bash asks and gets' '
	cat >ask.bash <<-\EOF &&
	source "$RIVER_SOURCE/completions/river.bash"
	ask () {
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_river
		printf "%s\n" "${COMPREPLY[@]}"
	}
	ask river conf
	ask river config l
	ask river --profile ""
	ask river help exi
	EOF
	printf "%s\n" "profiles:" "  here: { lake: ./lake }" >river.yaml &&
	chmod 600 river.yaml &&
	bash ask.bash >out 2>err &&
	test_must_be_empty err &&
	printf "%s\n" config list here exit-codes >want &&
	test_cmp want out
'

test_expect_success FISH 'fish asks and gets' '
	fish -N -c "source $RIVER_SOURCE/completions/river.fish; complete -C \"river conf\";
		complete -C \"river config l\"; complete -C \"river --color=al\"" >out 2>err &&
	test_must_be_empty err &&
	printf "%s\n" config list --color=always >want &&
	test_cmp want out
'

test_expect_success ZSH 'zsh reads its script' '
	zsh -n "$RIVER_SOURCE/completions/river.zsh"
'

test_done
