#!/bin/sh
test_description='every fault of tests/fault/FAULTS has a test of that name, or a reason'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/scenario-lib.sh"

table=$RIVER_SOURCE/tests/fault/FAULTS

scenario_faults_of () {
	(scenario_read "$RIVER_SOURCE/$1" && printf '%s\n' $faults) 2>/dev/null
}

# untrue TABLE: lines of it that name what is not there
untrue () {
	grep -v -e '^#' -e '^$' "$1" | while read -r number file words
	do
		test "$file" != - || { test -n "$words" || echo "$number: no reason"; continue; }
		# of a scenario a fault is named, and its number is not the only one it stands for
		case $file in
		tests/fault/scenarios/*|tests/fault/warehouse/*|tests/fault/clouds/*)
			scenario_faults_of "$file" | grep -qxF -e "$words" ||
				echo "$number: $file is not walked with '$words'"
			continue
			;;
		esac
		echo "$words" | grep -Eq "(^|[^0-9])0*$number([^0-9]|\$)" ||
			echo "$number: '$words' does not have the number"
		case $file in
		# one that no list of the file has does not compile
		tests/lib/make_zip.c) grep -Fqs "{ \"$words\"" "$RIVER_SOURCE/$file" ;;
		tests/unit/*) grep -Eqs "^static void $words\(" "$RIVER_SOURCE/$file" ;;
		*) grep -F "$words" "$RIVER_SOURCE/$file" 2>/dev/null | grep -q "test_expect_success" ;;
		esac || echo "$number: $file has no test '$words'"
	done
}

test_expect_success 'every number from 1 to 203 is there, in order, and no other' '
	grep -v -e "^#" -e "^\$" "$table" | awk "{ print \$1 }" >numbers && sort -n -c numbers &&
	uniq numbers >actual && seq 1 203 >expected && test_cmp expected actual
'

test_expect_success 'every test that is named is there' '
	untrue "$table" >actual && test_must_be_empty actual
'

test_expect_success 'what is not true is noticed' '
	printf "1 tests/cli/t9012-faults.sh 1: nowhere\n2 tests/none.sh 2: x\n3 -\n5 tests/unit/test_stop.c test_5_nothing\n" >table &&
	echo "7 tests/fault/t0400-push-file.sh of several files in one batch" >>table &&
	echo "1 tests/fault/scenarios/push-file ENOTHING:once" >>table && echo "1 tests/fault/scenarios/none KILL" >>table &&
	untrue table >actual && test_line_count = 7 actual && test_grep "does not have the number" actual
'

test_done
