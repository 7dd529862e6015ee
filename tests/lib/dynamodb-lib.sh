# DynamoDB on the loopback for shell tests (tests/emul/dynamodb.mjs has what it is). Sourced after test-lib.sh and
# emul-lib.sh:
#
#	dynamodb_need               skips the script where node, the emulator's packages or the tool are missing
#	dynamodb_start              starts one and exports AWS_* so that a client finds it: $dynamodb_url, $dynamodb_bare
#	dynamodb_stop               ends it
#	dynamodb_script JSON        one rule or a list of them     dynamodb_no_script    none any more
#	dynamodb_items TABLE        all items, one JSON a line
#	dynamodb_count OP FIELD     requests, items or most (in one request)     dynamodb_no_counts    from zero again
#	$dynamodb_day               a day of this month, and in seconds the one nine months later: $dynamodb_due
#	dynamodb_write TABLE ...    documents of standard input, as tests/perf/dynamodb_write.c says

# A day of this month, and nine months later: the service's clock says what has expired.
dynamodb_day=$(date -u +%Y-%m-01)
dynamodb_due=$(date -u -d "$dynamodb_day +9 months" +%s)

dynamodb_need () {
	emul_need
	test -d "$emul_home/node_modules/dynalite" ||
		test_skip_all 'the packages of tests/emul are older than it is: make deps-peers'
	test -x "$RIVER_BUILD/tests/perf/dynamodb_write" || test_skip_all 'dynamodb_write is not built: make perf'
}

dynamodb_start () {
	dynamodb_dir=$TRASH_ROOT/dynamodb
	rm -rf "$dynamodb_dir" && mkdir -p "$dynamodb_dir" || return 1
	"$emul_node" "$emul_home/dynamodb.mjs" --ready "$dynamodb_dir/ready" --parent $$ \
		</dev/null >"$dynamodb_dir/out" 2>&1 3<&- 4>&- 5>&- 6>&- &
	dynamodb_pid=$!
	test_wait_until 30 dynamodb_is_ready || return 1
	test -f "$dynamodb_dir/ready" || { cat "$dynamodb_dir/out" >&6; return 1; }
	dynamodb_url=http://127.0.0.1:$(jq -r .port "$dynamodb_dir/ready")
	dynamodb_bare=http://127.0.0.1:$(jq -r .bare "$dynamodb_dir/ready")
	AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=$test_canary AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
	AWS_ENDPOINT_URL_DYNAMODB=$dynamodb_url AWS_EC2_METADATA_DISABLED=true
	export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL_DYNAMODB \
		AWS_EC2_METADATA_DISABLED
}
dynamodb_is_ready () {
	test -f "$dynamodb_dir/ready" || ! kill -0 "$dynamodb_pid" 2>/dev/null
}
dynamodb_stop () {
	kill "$dynamodb_pid" 2>/dev/null
	wait "$dynamodb_pid" 2>/dev/null
	# what it complained about is a bug of its own
	! grep -n '^emul: ' "$dynamodb_dir/out" >&6
}

dynamodb_call () {
	dynamodb_method=$1 dynamodb_path=$2
	shift 2
	curl -sS --noproxy '*' --fail-with-body -X "$dynamodb_method" "$@" "$dynamodb_url/_emul/$dynamodb_path"
}
dynamodb_script () {
	dynamodb_call POST script --data-binary "$1"
}
dynamodb_no_script () {
	dynamodb_call DELETE script
}
dynamodb_items () {
	dynamodb_call GET "items?table=$1"
}
dynamodb_count () {
	dynamodb_call GET counts | jq --arg op "$1" --arg field "$2" '.[$op][$field] // 0'
}
dynamodb_no_counts () {
	dynamodb_call DELETE counts >/dev/null
}
dynamodb_write () {
	"$RIVER_BUILD/tests/perf/dynamodb_write" "$@"
}
