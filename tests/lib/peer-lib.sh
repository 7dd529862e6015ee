# Real S3 servers for shell tests (tests/peers/radosgw.sh, swift.sh), and clients that are not river. Sourced
# after test-lib.sh:
#
#	peer_need radosgw|swift     skips the script where its packages are missing
#	peer_start radosgw|swift    starts one: $peer_url; AWS_* are exported, so that every client finds it
#	peer_stop                   ends it; it ends with the script in any case
#	peer_aws ARGS...            awscli
#	peer_rclone ARGS...         rclone, the server as "peer:"
#	peer_s3cmd ARGS...          s3cmd
#	peer_lake BUCKET [PREFIX]   a river.yaml here whose lake is there, and the bucket
#
# One server a script.

peer_home=$RIVER_SOURCE/tests/peers
peer_kind= peer_dir= peer_url=

peer_need () {
	case "$1" in
	radosgw) peer_wanted='radosgw ceph-mon ceph-osd radosgw-admin' ;;
	swift) peer_wanted='swift-proxy-server swift-account-server swift-container-server swift-object-server swift-ring-builder memcached' ;;
	esac
	for peer_tool in $peer_wanted python3 curl /usr/bin/aws rclone s3cmd zstd jq
	do
		command -v "$peer_tool" >/dev/null 2>&1 || test_skip_all "$peer_tool is not installed: make deps-peers"
	done
}

peer_start () {
	peer_kind=$1 peer_dir=$TRASH_ROOT/$1
	# 4 and 5 are the script's own TAP and messages: who holds them open keeps prove waiting
	"$peer_home/$peer_kind.sh" start "$peer_dir" </dev/null >"$TRASH_ROOT/$peer_kind.out" 2>&1 4>&- 5>&- 6>&- || {
		cat "$TRASH_ROOT/$peer_kind.out" >&6
		"$peer_home/$peer_kind.sh" stop "$peer_dir"
		return 1
	}
	# whatever ends this script, the servers end as well
	(
		trap '' HUP INT TERM
		while kill -0 $$ 2>/dev/null && test -d "$peer_dir/run"
		do
			sleep 1
		done
		"$peer_home/$peer_kind.sh" stop "$peer_dir"
	) </dev/null >/dev/null 2>&1 3<&- 4>&- 5>&- 6>&- &
	peer_url=$(sed -n 's/^URL=//p' "$peer_dir/env")
	AWS_ACCESS_KEY_ID=$(sed -n 's/^ACCESS_KEY=//p' "$peer_dir/env")
	AWS_SECRET_ACCESS_KEY=$(sed -n 's/^SECRET_KEY=//p' "$peer_dir/env")
	AWS_REGION=$(sed -n 's/^REGION=//p' "$peer_dir/env")
	AWS_DEFAULT_REGION=$AWS_REGION AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
	export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION AWS_DEFAULT_REGION AWS_EC2_METADATA_DISABLED AWS_PAGER
	test_holds_secret "$peer_dir/" "$HOME/.s3cfg"
	cat >"$HOME/.s3cfg" <<-EOL
	[default]
	access_key = $AWS_ACCESS_KEY_ID
	secret_key = $AWS_SECRET_ACCESS_KEY
	bucket_location = $AWS_REGION
	host_base = ${peer_url#http://}
	host_bucket = ${peer_url#http://}
	use_https = False
	EOL
}

peer_stop () {
	test -z "$peer_kind" || "$peer_home/$peer_kind.sh" stop "$peer_dir"
	peer_kind=
}

peer_aws () {
	/usr/bin/aws --endpoint-url "$peer_url" "$@"
}
peer_rclone () {
	RCLONE_CONFIG_PEER_TYPE=s3 RCLONE_CONFIG_PEER_PROVIDER=Other RCLONE_CONFIG_PEER_ENV_AUTH=true \
	RCLONE_CONFIG_PEER_REGION=$AWS_REGION RCLONE_CONFIG_PEER_ENDPOINT=$peer_url rclone -q "$@"
}
peer_s3cmd () {
	s3cmd -q -c "$HOME/.s3cfg" "$@"
}

peer_lake () {
	peer_aws s3 ls "s3://$1" >/dev/null 2>&1 || peer_aws s3 mb "s3://$1" >/dev/null || return 1
	cat >river.yaml <<-EOL
	profiles:
	  local:
	    lake: s3://$1${2:+/$2}
	    aws: { endpoint_url: "$peer_url" }
	    warehouse: { type: duckdb, path: ./warehouse.duckdb }
	EOL
}
