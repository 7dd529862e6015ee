#!/bin/sh
test_description='every command: help, manual, completion and environment agree with its table'
. "$(dirname "$0")/../lib/test-lib.sh"

# options_of FILE: the long options a text names at the beginning of an entry, sorted
options_in_help () {
	sed -n 's/^  \(-., \|    \)--\([a-z0-9-]*\).*/\2/p' "$1" | sort
}
options_in_page () {
	sed -n 's/^\.It\( Fl . ,\)\{0,1\} Fl \\-\([a-z0-9-]*\).*/\2/p' "$1" | sort
}

test_lazy_prereq MANDOC "command -v mandoc"

test_expect_success 'the tables keep the rules' '
	river __check >out 2>err &&
	test_must_be_empty out &&
	test_must_be_empty err
'

test_expect_success 'the list of commands is not empty and has no hidden ones' '
	river __commands >commands &&
	test_grep "^help$" commands &&
	test_grep ! "^__" commands
'

river __commands >"$TRASH_DIRECTORY/commands"
while IFS= read -r command
do
	page=river-$(echo "$command" | tr ' ' -)

	test_expect_success "$command: -h and help say the same, on standard output, within 80 columns" '
		river $command -h >help 2>err &&
		test_must_be_empty err &&
		river help $command >help2 &&
		test_cmp help help2 &&
		head -n 1 help | grep "^usage: river $command" &&
		test -n "$(sed -n 3p help)" &&
		! grep -E "^.{81}" help &&
		! grep -E " $" help
	'

	test_expect_success "$command: help needs no configuration, no folder and no valid environment" '
		test_when_finished "rm -f river.yaml" &&
		echo "not: [a configuration" >river.yaml &&
		env RIVER_OUTPUT=nonsense HOME=/nonexistent river $command --nonsense -h >help3 2>err &&
		test_cmp help help3 &&
		test_must_be_empty err
	'

	test_expect_success "$command: the manual has a page with the same options" '
		test_path_is_file "$RIVER_BUILD/man/$page.1" &&
		! grep "^@" "$RIVER_BUILD/man/$page.1" &&
		grep "^\.Sh EXIT STATUS" "$RIVER_BUILD/man/$page.1" &&
		sed -n "/^\.Sh OPTIONS/,/^\.Sh ENV/p" "$RIVER_BUILD/man/$page.1" >part &&
		options_in_page part >in-page &&
		options_in_help help >in-help &&
		test_cmp in-help in-page
	'

	test_expect_success MANDOC "$command: the page renders without a complaint" '
		mandoc -Tlint -Wwarning "$RIVER_BUILD/man/$page.1" >complaints 2>&1 &&
		test_must_be_empty complaints &&
		mandoc -Tutf8 "$RIVER_BUILD/man/$page.1" >rendered &&
		test -s rendered
	'

	test_expect_success "$command: completion knows its words and every option" '
		set -- $command &&
		river __complete $# "$@" >words &&
		eval "last=\${$#}" &&
		test_grep -x "$last" words &&
		river __complete $(($# + 1)) "$@" -- >words &&
		for option in $(cat in-help)
		do
			grep -x -e "--$option" words || return 1
		done
	'

	test_expect_success "$command: the environment topic has the variable of every option" '
		river help environment >environment &&
		for option in $(cat in-help)
		do
			variable=RIVER_$(echo "$command-$option" | tr "a-z -" A-Z__) &&
			test_grep "^  $variable\$\|^  $variable " environment || return 1
		done
	'
done <"$TRASH_DIRECTORY/commands"

test_expect_success 'the comparison of pages with tables notices what is missing and what is too much' '
	river help config list >help && options_in_help help >in-help &&
	page=$RIVER_BUILD/man/river-config-list.1 &&
	options_in_page "$page" >in-page && test_cmp in-help in-page &&
	sed "/^\.It.*show/d" "$page" | options_in_page - >in-page && ! cmp -s in-help in-page &&
	{ cat "$page" && echo ".It Fl x , Fl \\-invented Ar \"n\"" ; } | options_in_page - >in-page &&
	test_grep -x invented in-page && ! cmp -s in-help in-page
'

test_expect_success 'the environment topic names every variable that is read by name' '
	grep -rhoE "\((\"[A-Z]+_[A-Z_]+\")" "$RIVER_SOURCE/lib" "$RIVER_SOURCE/cmd" --include="*.c" |
		tr -d "(\"" | grep -E "^(RIVER|STATE|XDG|NO)_" | sort -u >variables &&
	test_line_count -gt 3 variables &&
	river help environment >environment &&
	for variable in $(cat variables)
	do
		test_grep "^  $variable\$\|^  $variable " environment || return 1
	done
'

test_expect_success 'no page without a command' '
	for page in "$RIVER_SOURCE"/man/river-*.1.in
	do
		name=$(basename "$page" .1.in) &&
		tr " " - <commands >pages &&
		test_grep -x "${name#river-}" pages || return 1
	done
'

test_expect_success 'the overview lists every command and every global option within 80 columns' '
	river help >overview &&
	river -h >overview2 &&
	test_cmp overview overview2 &&
	! grep -E "^.{81}" overview &&
	while IFS= read -r command
	do
		grep -E "^  $command( |\$)" overview || return 1
	done <commands
'

for topic in aws concepts environment exit-codes formats snowflake
do
	test_expect_success "topic $topic: on standard output within 80 columns" '
		river help $topic >out 2>err &&
		test_must_be_empty err &&
		test_line_count -gt 5 out &&
		! grep -E "^.{81}" out &&
		! grep -E " $" out
	'
done

test_expect_success 'exit-codes lists every code of status.def' '
	river help exit-codes >out &&
	sed -n "s/^RV_STATUS([A-Z_]*, \([0-9]*\), .*/\1/p" "$RIVER_SOURCE/lib/base/status.def" >codes &&
	test_line_count -gt 10 codes &&
	for code in $(cat codes)
	do
		grep -E "^ +$code  " out || return 1
	done
'

test_expect_success 'river.yaml(5) and the environment topic have every key' '
	sed -n "s/^RV_KEY(\"\([^\"]*\)\".*/\1/p" "$RIVER_SOURCE/lib/config/keys.def" >keys &&
	test_line_count -gt 5 keys &&
	river help environment >environment &&
	while IFS= read -r key
	do
		grep -Fx ".It Cm $key" "$RIVER_BUILD/man/river.yaml.5" || return 1
		case "$key" in
		*\**) continue ;;
		esac
		variable=RIVER_$(echo "$key" | tr a-z. A-Z_)
		test_grep "^  $variable\$\|^  ${variable%_TYPE} \|^  $variable " environment || return 1
	done <keys
'

test_expect_success MANDOC 'river(1) and river.yaml(5) render without a complaint' '
	mandoc -Tlint -Wwarning "$RIVER_BUILD/man/river.1" "$RIVER_BUILD/man/river.yaml.5" >complaints 2>&1 &&
	test_must_be_empty complaints
'

test_done
