#!/bin/sh
test_description='words and options: what is understood, and what is said when it is not'
. "$(dirname "$0")/../lib/test-lib.sh"

test_expect_success '--version, before or behind a command' '
	river --version >out 2>err &&
	grep -E "^river [^ ]+\$" out &&
	test_must_be_empty err &&
	river help --version >out2 &&
	test_cmp out out2
'

test_expect_success 'no command: 2, and what there is on standard error' '
	test_expect_code 2 river >out 2>err &&
	test_must_be_empty out &&
	test_grep "a command is missing" err &&
	test_grep "see .river -h." err &&
	test_expect_code 2 river --quiet -- 2>err &&
	test_grep "a command is missing" err
'

test_expect_success 'the first of two words alone: 2 with its verbs; with -h 0 on standard output' '
	test_expect_code 2 river config >out 2>err &&
	test_must_be_empty out &&
	test_grep "river config.: list, get, check" err &&
	river config -h >out 2>err &&
	test_must_be_empty err &&
	test_grep "config list" out &&
	river help config >out2 &&
	test_cmp out out2 &&
	river -h config >out2 &&
	test_cmp out out2
'

test_expect_success 'an unknown command names the nearest' '
	test_expect_code 2 river hepl >out 2>err &&
	test_must_be_empty out &&
	cat >want <<-\EOF &&
	river: '\''hepl'\'' is not a river command
	hint: did you mean '\''river help'\''?
	EOF
	test_cmp want err &&
	test_expect_code 2 river config lst 2>err &&
	test_grep "did you mean .river config list.?" err &&
	test_expect_code 2 river ./help 2>err &&
	test_grep "is not a river command" err &&
	test_expect_code 2 river "" 2>err &&
	test_expect_code 2 river zzzzzzzzzzzz 2>err &&
	test_grep "see .river -h." err
'

test_expect_success 'a usage error says what is wrong and where to read on, not the manual' '
	test_expect_code 2 river config list --show-orign >out 2>err &&
	test_must_be_empty out &&
	test_line_count = 2 err &&
	test_grep "unknown option .--show-orign." err &&
	test_grep "did you mean .--show-origin.?" err &&
	test_expect_code 2 river config get 2>err &&
	test_grep "see .river config get -h." err
'

test_expect_success 'long options are not abbreviated' '
	test_expect_code 2 river --vers 2>err &&
	test_grep "did you mean .--version.?" err
'

test_expect_success 'globals stand before the command, between its words, and behind' '
	mkdir -p sub &&
	(cd sub && river init >/dev/null) &&
	for words in "-C sub config get lake" "config -C sub get lake" "config get lake -C sub" \
		"config get -Csub lake" "config get -C sub -- lake" "-C . -C sub config get lake"
	do
		river $words >out || return 1
		grep "/sub/.river/lake\$" out || return 1
	done
'

test_expect_success '-C: a folder that is not there is 5' '
	test_expect_code 5 river -C nowhere config get lake 2>err &&
	test_grep "nowhere" err
'

test_expect_success 'behind -- nothing is an option' '
	test_expect_code 2 river help -- -h 2>err &&
	test_grep "no help about .-h." err
'

test_expect_success 'a value that is missing is named' '
	test_expect_code 2 river --output 2>err &&
	test_grep "option .--output. needs a value: <format>" err &&
	test_expect_code 2 river config get -c 2>err &&
	test_grep "option .-c. needs a value: <key=value>" err
'

test_expect_success 'environment: a bad value is an error that names the variable' '
	test_expect_code 2 env RIVER_COLOR=blue river config list 2>err &&
	test_grep "environment variable RIVER_COLOR: .blue. is not one of auto, always, never" err &&
	test_expect_code 2 env RIVER_CONFIG_LIST_SHOW_ORIGIN=2 river config list 2>err &&
	test_grep "RIVER_CONFIG_LIST_SHOW_ORIGIN" err
'

test_expect_success 'environment: an option as a variable, weaker than the same one typed' '
	env RIVER_CONFIG_LIST_SHOW_ORIGIN=yes river config list >out &&
	test_grep default out &&
	env RIVER_CONFIG_LIST_SHOW_ORIGIN=yes river config list --no-show-origin >out &&
	test_grep ! "default" out &&
	env RIVER_OUTPUT=json river config get lake >out &&
	test_grep "^{\"v\":1," out &&
	env RIVER_OUTPUT=json river config get lake --output text >out &&
	test_grep ! "^{" out &&
	env RIVER_OUTPUT= river config get lake >out &&
	test_grep ! "^{" out
'

test_expect_success 'csv is refused where there is none' '
	test_expect_code 2 river config list --output csv 2>err &&
	test_grep "river config list. has no csv output" err
'

test_expect_success 'errors as JSON: one object on standard error, also of the command line itself' '
	test_expect_code 2 river --output json config get nothing >out 2>err &&
	test_must_be_empty out &&
	test_line_count = 1 err &&
	grep "^{\"v\":1,\"error\":\"RV_USAGE\",\"code\":2,\"message\":\"" err &&
	test_expect_code 2 river confg --output=json 2>err &&
	grep "^{\"v\":1,\"error\":\"RV_USAGE\".*\"hint\":\"did you mean .river config.?\"}\$" err &&
	test_expect_code 2 env RIVER_OUTPUT=json river --nonsense 2>err &&
	grep "^{\"v\":1," err
'

test_expect_success 'colors: never into a file, always when asked, and NO_COLOR only rules auto' '
	test_expect_code 2 river --color=always config get nothing 2>err &&
	grep "$(printf "\033")" err &&
	test_expect_code 2 env NO_COLOR=1 river --color=always config get nothing 2>err &&
	grep "$(printf "\033")" err &&
	test_expect_code 2 river config get nothing 2>err &&
	! grep "$(printf "\033")" err
'

test_expect_success 'control characters of the command line do not reach the terminal' '
	test_expect_code 2 river "$(printf "a\033[31mb")" 2>err &&
	! grep "$(printf "\033")" err &&
	test_grep "a?\[31mb" err
'

# ---- river-NAME -----------------------------------------------------------------------------------
mkdir "$TRASH_DIRECTORY/bin"
cat >"$TRASH_DIRECTORY/bin/river-hello" <<'EOF'
#!/bin/sh
echo "$0" | sed 's,.*/,,'
for word
do
	echo "[$word]"
done
pwd
env | grep -E '^RIVER_(OUTPUT|QUIET|WAREHOUSE_PATH|PROFILE)=' | sort
sh -c 'kill -PIPE $$; echo survived'
exit 23
EOF
chmod +x "$TRASH_DIRECTORY/bin/river-hello"
PATH=$TRASH_DIRECTORY/bin:$PATH

test_expect_success 'an unknown command runs river-NAME with its words and the globals as variables' '
	mkdir -p elsewhere &&
	test_expect_code 23 river -q -C elsewhere -c warehouse.path=/w.db --profile=p hello -x --output json "a b" \
		>out 2>err &&
	cat >want <<-EOF &&
	river-hello
	[-x]
	[--output]
	[json]
	[a b]
	$TRASH_DIRECTORY/elsewhere
	RIVER_PROFILE=p
	RIVER_QUIET=1
	RIVER_WAREHOUSE_PATH=/w.db
	EOF
	test_cmp want out
'

test_expect_success 'what -c says in front of river-NAME holds there, whatever the variables say' '
	printf "#!/bin/sh\nfor key in state warehouse aws.endpoint_url; do river config get \$key; done\n" >bin/river-values &&
	chmod +x bin/river-values && test_when_finished "rm bin/river-values" && mkdir -p elsewhere &&
	(
		RIVER_STATE_DIR=/a RIVER_WAREHOUSE_TYPE=none RIVER_ENDPOINT_URL=https://a &&
		export RIVER_STATE_DIR RIVER_WAREHOUSE_TYPE RIVER_ENDPOINT_URL &&
		river -c state=st -C elsewhere -c warehouse=duckdb -c aws.endpoint_url=https://b values >actual &&
		printf "%s\n" "$TRASH_DIRECTORY/elsewhere/st" duckdb https://b >expected && test_cmp expected actual &&
		river --endpoint-url https://c -c aws.endpoint_url=https://b values >actual && test_grep https://c actual
	) &&
	test_expect_code 2 river -c businesses.web.lake=/l values >out 2>err && test_must_be_empty out &&
	test_grep "businesses.web.lake does not go on" err &&
	test_expect_code 2 river -c lake= values >out 2>err && test_must_be_empty out && test_grep "the value is empty" err &&
	test_expect_code 2 river -c =x values 2>err && test_grep "not key=value" err
'

test_expect_success 'whoever asks for help in front of river-NAME does not run it' '
	for help in -h --help
	do
		test_expect_code 2 river $help hello >out 2>err && test_must_be_empty out &&
		test_grep "river hello -h" err || return 1
	done &&
	test_expect_code 23 river hello -h >out && test_grep "\[-h\]" out
'

test_expect_success 'a command of its own always comes first' '
	cp bin/river-hello bin/river-help &&
	test_when_finished "rm bin/river-help" &&
	river help >out &&
	test_grep "usage: river" out
'

test_done
