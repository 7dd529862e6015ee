#!/bin/sh
test_description='init writes a configuration that says what river does anyway'
. "$(dirname "$0")/../lib/test-lib.sh"

test_expect_success 'init is silent, and makes a configuration git does not see the data of' '
	mkdir here && cd here &&
	river init >out 2>err &&
	test_must_be_empty out &&
	test_must_be_empty err &&
	test_path_is_file river.yaml &&
	echo "*" >expected &&
	test_cmp expected .river/.gitignore
'

test_expect_success 'it parses, and sets the places only' '
	cd here &&
	river config check >out &&
	river config list --show-origin >actual &&
	test_grep "^lake  *$TRASH_DIRECTORY/here/.river/lake  *file:" actual &&
	test_grep "^warehouse.path  *$TRASH_DIRECTORY/here/.river/warehouse.duckdb  *file:" actual &&
	(cd / && env RIVER_CONFIG= XDG_CONFIG_HOME=/nonexistent river config list) >defaults &&
	river config list >actual &&
	grep -v -e "^lake " -e "^warehouse.path " -e "^key " defaults | tr -s " " >expected &&
	grep -v -e "^lake " -e "^warehouse.path " -e "^key " actual | tr -s " " >got &&
	test_cmp expected got
'

# What is commented out is right when it is not, and changes nothing.
test_expect_success 'the lines commented out are the defaults' '
	cd here &&
	river config list | tr -s " " >expected &&
	sed -E "s/^( +)# ([a-z_]+: )/\1\2/" river.yaml >all.yaml &&
	for key in memory_limit threads delivery spool state max_memory
	do
		test_grep "^ *$key: " all.yaml || return 1
	done &&
	RIVER_CONFIG=all.yaml river config list | tr -s " " >actual &&
	test_cmp expected actual
'

test_expect_success 'the AWS profile is right when it is not commented out' '
	cd here &&
	sed -E "s/^  # (prod:|  )/  \1/" river.yaml >all.yaml &&
	RIVER_CONFIG=all.yaml river --profile prod config list | tr -s " " >actual &&
	test_grep "^lake s3://bucket/prefix$" actual &&
	test_grep "^delivery.buffer.size 64MiB$" actual &&
	test_grep "^notify.arn arn:aws:sqs:" actual &&
	RIVER_CONFIG=all.yaml river config list >actual &&
	river config list >expected &&
	sed "s/all.yaml/river.yaml/" actual | tr -s " " >got && tr -s " " <expected >want &&
	test_cmp want got
'

test_expect_success 'it never overwrites' '
	cd here &&
	cp river.yaml before &&
	test_expect_code 6 river init 2>err &&
	test_grep "$TRASH_DIRECTORY/here/river.yaml is already there" err &&
	test_cmp before river.yaml &&
	test_expect_code 6 river init -n 2>err &&
	mkdir ../dangling && cd ../dangling &&
	ln -s nowhere river.yaml &&
	test_expect_code 6 river init 2>err &&
	test_path_is_missing .river
'

test_expect_success 'a .river that is there already is used as it is' '
	mkdir -p kept/.river && cd kept &&
	echo mine >.river/.gitignore &&
	river -v init 2>err &&
	test_grep "exists .*gitignore" err &&
	test_grep "created .*river.yaml" err &&
	echo mine >expected &&
	test_cmp expected .river/.gitignore
'

test_expect_success '-n says what would be made and makes nothing' '
	mkdir dry && cd dry &&
	river init -n >out &&
	test_grep "would create $TRASH_DIRECTORY/dry/river.yaml" out &&
	test_grep "would create $TRASH_DIRECTORY/dry/.river/.gitignore" out &&
	test_path_is_missing river.yaml &&
	test_path_is_missing .river &&
	river --output json init -n >out &&
	test_grep "{\"v\":1,\"path\":\"$TRASH_DIRECTORY/dry/river.yaml\",\"action\":\"would create\"}" out
'

test_expect_success 'whatever the umask, others cannot write to it' '
	mkdir loose && cd loose &&
	(umask 0 && river init) &&
	river config list >out &&
	mkdir ../tight && cd ../tight &&
	(umask 077 && river init) &&
	ls -l river.yaml >mode &&
	test_grep "^-rw------- " mode
'

test_expect_success '--user writes the one for all folders' '
	river init --user &&
	test_path_is_file "$XDG_CONFIG_HOME/river/config.yaml" &&
	test_path_is_missing .river &&
	river config check >out &&
	test_grep "config.yaml: ok" out &&
	river config get lake >actual &&
	echo "$HOME/.local/share/river/lake" >expected &&
	test_cmp expected actual &&
	sed -E "s/^( +)# ([a-z_]+: )/\1\2/" "$XDG_CONFIG_HOME/river/config.yaml" >all.yaml &&
	test_grep "^    lake: ~/" all.yaml &&
	river config list | tr -s " " >expected &&
	RIVER_CONFIG=all.yaml river config list | tr -s " " >actual &&
	test_cmp expected actual &&
	test_expect_code 6 river init --user 2>err
'

test_expect_success '-C chooses the folder, an operand is a mistake' '
	mkdir there &&
	river -C there init &&
	test_path_is_file there/river.yaml &&
	test_expect_code 2 river init there 2>err &&
	test_grep "river -C there init" err
'

test_expect_success !ROOT 'a folder that cannot be written is 10' '
	mkdir locked && chmod 555 locked &&
	test_when_finished "chmod 755 locked" &&
	test_expect_code 10 river -C locked init 2>err
'

test_done
