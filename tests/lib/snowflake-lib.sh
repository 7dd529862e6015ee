# A lake on S3 and a warehouse on Snowflake, both of the emulator. Sourced after emul-lib.sh:
#
#	snow_begin               the emulator, an account, the bucket lake and $TRASH_ROOT/river.yaml
#	snow_end
#	snow_ask SQL             the rows of a query by river, as CSV without its header
#	push_file STREAM ID...   pushes one object of records {"id":ID}
#	put_object NAME          puts standard input into the lake
#	newest_object STREAM     the name in the lake of the object that was put last
#	s3_event KEY...          what S3 says of objects with these keys
#	sf_jwt                   a token of the account's user, made without river
#	sf_insert PIPE PATH      tells a pipe ("web.clicks$pipe") of a path, without river

snow_begin () {
	emul_need
	emul_start || test_bug 'the emulator does not start'
	emul_env
	sf_start && sf_env || test_bug 'no account'
	emul_post bucket '{"name":"lake"}' >/dev/null
	cat >"$TRASH_ROOT/river.yaml" <<-YAML
	default_profile: prod
	profiles:
	  prod:
	    lake: s3://lake/river
	    warehouse:
	      type: snowflake
	      database: RIVER
	      warehouse: WH
	      storage_integration: RIVER_S3
	      storage_role_arn: "arn:aws:iam::123456789012:role/river"
	YAML
	RIVER_CONFIG=$TRASH_ROOT/river.yaml
	export RIVER_CONFIG
}
snow_end () {
	emul_stop
}
snow_ask () {
	river --output csv query "$1" | sed 1d
}
push_file () {
	snow_stream=$1
	shift
	printf '{"id":%s}\n' "$@" >"$TRASH_ROOT/pushed.ndjson" &&
	river push "$snow_stream" --again "$TRASH_ROOT/pushed.ndjson"
}
put_object () {
	curl -sS --noproxy '*' --fail-with-body -X PUT --data-binary @- "$emul_url/_emul/object?bucket=lake&key=river/$1" >/dev/null
}
newest_object () {
	emul_get "objects?bucket=lake&prefix=river/data/$1/dt" | jq -r .key | sort | tail -n 1 | sed 's#^river/##'
}
s3_event () {
	for snow_key
	do
		jq -cn --arg key "$snow_key" '{eventSource: "aws:s3", eventName: "ObjectCreated:Put",
			s3: {bucket: {name: "lake"}, object: {key: ($key | gsub("="; "%3D")), size: 1}}}'
	done | jq -cs '{Records: .}'
}
snow_base64url () {
	openssl base64 -A | tr '+/' '-_' | tr -d '='
}
sf_jwt () {
	snow_print=$(printf %s "$sf_public" | openssl base64 -d -A | openssl dgst -sha256 -binary | openssl base64 -A)
	snow_now=$(date +%s)
	snow_head=$(printf '{"alg":"RS256","typ":"JWT"}' | snow_base64url)
	snow_claims=$(printf '{"iss":"%s.%s.SHA256:%s","sub":"%s.%s","iat":%d,"exp":%d}' "$sf_account" "$sf_user" \
		"$snow_print" "$sf_account" "$sf_user" "$snow_now" $((snow_now + 3600)) | snow_base64url)
	printf '%s.%s.%s' "$snow_head" "$snow_claims" \
		"$(printf '%s.%s' "$snow_head" "$snow_claims" | openssl dgst -sha256 -sign "$sf_key" -binary | snow_base64url)"
}
sf_insert () {
	jq -cn --arg path "$2" '{files: [{path: $path}]}' |
	curl -sS --noproxy '*' --fail-with-body -H "Authorization: Bearer $(sf_jwt)" -H 'Content-Type: application/json' \
		--data @- "$emul_url/v1/data/pipes/river.$(printf %s "$1" | sed 's/[$]/%24/g')/insertFiles?requestId=$(cat /proc/sys/kernel/random/uuid)"
}
