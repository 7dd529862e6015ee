#!/bin/sh
test_description='which configuration files are read, and which profile is chosen'
. "$(dirname "$0")/../lib/test-lib.sh"

# value KEY VALUE [ORIGIN]: what river says is in force
value () {
	river config get "$1" --show-origin >actual &&
	printf '%s\t%s\n' "$2" "${3-default}" >expected &&
	test_cmp expected actual
}

test_lazy_prereq NO_SYSTEM_FILE 'test ! -e /etc/river/config.yaml'

test_expect_success NO_SYSTEM_FILE 'without any file the profile is local, below the data folder' '
	value profile local &&
	value lake "$HOME/.local/share/river/lake" &&
	value warehouse.path "$HOME/.local/share/river/warehouse.duckdb" &&
	value warehouse.memory_limit 1GiB &&
	value delivery direct &&
	value state "$HOME/.local/state/river" &&
	river config check 2>err &&
	test_grep "the defaults hold" err
'

test_expect_success 'XDG folders are honoured when absolute' '
	env XDG_DATA_HOME=/d XDG_STATE_HOME=/s river config get lake >lake &&
	echo /d/river/lake >expected &&
	test_cmp expected lake &&
	env XDG_DATA_HOME=d river config get lake >lake &&
	echo "$HOME/.local/share/river/lake" >expected &&
	test_cmp expected lake
'

test_expect_success 'the user file is read' '
	mkdir -p "$XDG_CONFIG_HOME/river" &&
	cat >"$XDG_CONFIG_HOME/river/config.yaml" <<-\YAML &&
	default_profile: mine
	profiles:
	  mine:
	    lake: ~/mine
	    max_memory: 1GiB
	  local:
	    lake: here
	    max_memory: 2GiB
	YAML
	value profile mine "file:$XDG_CONFIG_HOME/river/config.yaml:1" &&
	value lake "$HOME/mine" "file:$XDG_CONFIG_HOME/river/config.yaml:4" &&
	river --profile local config get lake >actual &&
	echo "$XDG_CONFIG_HOME/river/here" >expected &&
	test_cmp expected actual
'

test_expect_success 'the nearest river.yaml upwards wins, and its profile is whole' '
	mkdir -p project/a/b &&
	cat >project/river.yaml <<-\YAML &&
	profiles:
	  mine:
	    lake: ./lake
	YAML
	(
		cd project/a/b &&
		value profile mine "file:$XDG_CONFIG_HOME/river/config.yaml:1" &&
		value lake "$TRASH_DIRECTORY/project/lake" \
			"file:$TRASH_DIRECTORY/project/river.yaml:3" &&
		value max_memory 256MiB &&
		value warehouse.path "$TRASH_DIRECTORY/project/warehouse.duckdb" &&
		river --profile local config get max_memory >actual &&
		echo 2GiB >expected &&
		test_cmp expected actual
	)
'

test_expect_success 'two lakes share no database unless that is said' '
	cat >two.yaml <<-\YAML &&
	profiles:
	  local: { lake: ./la }
	  other: { lake: "./l b" }
	YAML
	(
		RIVER_CONFIG=$PWD/two.yaml && export RIVER_CONFIG &&
		value warehouse.path "$PWD/la.warehouse.duckdb" &&
		river --profile other config get warehouse.path >actual && echo "$PWD/l%20b.warehouse.duckdb" >expected &&
		test_cmp expected actual &&
		river stream create web/clicks >/dev/null && river --profile other stream create web/clicks >/dev/null &&
		echo "{\"n\":1}" | river push web/clicks && echo "{\"n\":2}" | river --profile other push web/clicks &&
		river --profile other --output csv query "select record from web.clicks" | tail -n +2 >actual &&
		test_line_count = 1 actual && test_grep 2 actual &&
		river status --check && river --profile other status --check
	)
'

test_expect_success 'one nearer hides the one above' '
	echo "default_profile: local" >project/a/river.yaml &&
	test_when_finished "rm project/a/river.yaml" &&
	river -C project/a/b config get max_memory >actual &&
	echo 2GiB >expected &&
	test_cmp expected actual
'

test_expect_success '-C is where the search begins' '
	river -C project/a/b config get lake >actual &&
	river -C project -C a config get lake >again &&
	echo "$TRASH_DIRECTORY/project/lake" >expected &&
	test_cmp expected actual &&
	test_cmp expected again
'

test_expect_success 'RIVER_CONFIG replaces all, also what is broken' '
	echo "profiles: { local: { lake: /elsewhere } }" >other.yaml &&
	echo "broken: [" >river.yaml &&
	test_when_finished "rm river.yaml" &&
	test_expect_code 3 river config get lake &&
	env RIVER_CONFIG=other.yaml river config get lake --show-origin >actual &&
	printf "/elsewhere\tfile:%s/other.yaml:1\n" "$TRASH_DIRECTORY" >expected &&
	test_cmp expected actual &&
	env RIVER_CONFIG=other.yaml river config check >actual &&
	test_line_count = 1 actual
'

test_expect_success 'RIVER_CONFIG must name a file' '
	test_expect_code 3 env RIVER_CONFIG=nothing.yaml river config list 2>err &&
	test_grep "RIVER_CONFIG names no file: nothing.yaml" err
'

test_expect_success '--profile over RIVER_PROFILE over default_profile' '
	cat >three.yaml <<-\YAML &&
	default_profile: a
	profiles:
	  a:
	  b:
	  c:
	YAML
	for ask in "a config get profile" "b config get profile" "c --profile c config get profile"
	do
		set -- $ask &&
		want=$1 &&
		shift &&
		if test $want = a
		then
			RIVER_CONFIG=three.yaml river "$@" >actual
		else
			env RIVER_CONFIG=three.yaml RIVER_PROFILE=b river "$@" >actual
		fi &&
		echo $want >expected &&
		test_cmp expected actual || return 1
	done
'

test_expect_success 'a profile that is nowhere is refused with the nearest name' '
	test_expect_code 3 river --profile mien config list 2>err &&
	test_grep "no profile mien" err &&
	test_grep "did you mean mine?" err &&
	test_expect_code 3 env RIVER_PROFILE=zzzzzz river config list 2>err &&
	test_grep "RIVER_PROFILE: no profile zzzzzz" err &&
	printf "\n\ndefault_profile: x\n" >bad.yaml &&
	test_expect_code 3 env RIVER_CONFIG=bad.yaml river config list 2>err &&
	test_grep "bad.yaml:3" err
'

test_expect_success 'profiles without a default and without local are not guessed' '
	echo "profiles: { prod: { lake: x } }" >prod.yaml &&
	test_expect_code 3 env RIVER_CONFIG=prod.yaml river config list 2>err &&
	test_grep "default_profile is not set" err &&
	test_grep "there is: prod" err
'

test_expect_success '18: without HOME the passwd entry is asked' '
	(
		unset HOME XDG_DATA_HOME XDG_STATE_HOME XDG_CONFIG_HOME &&
		RIVER_CONFIG=three.yaml river config get state >actual
	) &&
	home=$(getent passwd $(id -u) | cut -d: -f6) &&
	echo "$home/.local/state/river" >expected &&
	test_cmp expected actual
'

test_expect_success 'the state folder: -c, RIVER_STATE_DIR, the file, STATE_DIRECTORY' '
	echo "profiles: { local: { state: st } }" >state.yaml &&
	RIVER_CONFIG=state.yaml && export RIVER_CONFIG &&
	test_when_finished "unset RIVER_CONFIG" &&
	value state "$TRASH_DIRECTORY/st" "file:$TRASH_DIRECTORY/state.yaml:1" &&
	env RIVER_STATE_DIR=/own STATE_DIRECTORY=/sys river config get state --show-origin >actual &&
	printf "/own\tenvironment RIVER_STATE_DIR\n" >expected &&
	test_cmp expected actual &&
	test_expect_code 3 env RIVER_STATE=own river config get state 2>err &&
	test_grep "RIVER_STATE is .own., not an absolute path" err &&
	env RIVER_STATE=/a RIVER_STATE_DIR=/own river config get state >actual && echo /own >expected && test_cmp expected actual &&
	env RIVER_STATE="~/a" river config get state >actual && echo "$HOME/a" >expected && test_cmp expected actual &&
	test_expect_code 3 env RIVER_STATE_DIR=own river config get state 2>err &&
	test_grep "not an absolute path" err &&
	env RIVER_STATE_DIR=own river -c state=/c config get state >actual &&
	echo /c >expected &&
	test_cmp expected actual &&
	env STATE_DIRECTORY=/sys:/other river -c state=auto config get state --show-origin >actual &&
	printf "/sys\tenvironment STATE_DIRECTORY\n" >expected &&
	test_cmp expected actual
'

# Its files are not those of the root.
test_expect_success 'a working folder that was removed is said, and nothing is done in another place' '
	mkdir gone && cd gone && rmdir ../gone && echo "{}" >"$TRASH_DIRECTORY/in" &&
	test_expect_code 5 river push web/clicks "$TRASH_DIRECTORY/in" 2>"$TRASH_DIRECTORY/err" &&
	test_grep "^river: the working folder: No such file" "$TRASH_DIRECTORY/err" &&
	river -C "$TRASH_DIRECTORY" config list >/dev/null
'

test_done
