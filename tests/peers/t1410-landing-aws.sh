#!/bin/sh
test_description='push --presign and landing process on S3'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env

cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: prod
profiles:
  prod:
    lake: s3://lake/river
    warehouse: none
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

fresh () {
	rm -rf "$HOME/.local" &&
	emul_post reset "" >/dev/null && emul_delete log >/dev/null &&
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null &&
	river stream create web/clicks >/dev/null
}
# Uploads $2 as the printed JSON $1 tells, with curl; $3...: more of curl's options. Prints the status.
upload () {
	printed=$1 sent=$2
	shift 2
	jq -r '.headers | to_entries[] | select(.key | ascii_downcase != "content-length") |
		"header = \"" + .key + ": " + .value + "\""' <"$printed" >curlrc &&
	jq -r '"url = \"" + .url + "\""' <"$printed" >>curlrc &&
	curl -sS --noproxy "*" -K curlrc -o answer -w "%{http_code}\n" -T "$sent" "$@"
}
keys () {
	emul_get "objects?bucket=lake" | jq -r ".. | .key? // empty" | sort
}
waiting () {
	keys | grep -c _river/landing/
}
# The records that landed.
records () {
	keys | grep "^river/data/" | while read -r key
	do
		emul_get "object?bucket=lake&key=$key" | zstd -qdc || exit 1
	done
}

# a signed URL is a secret
test_holds_secret url bare curlrc keys.json signed told command

test_expect_success 'a file: its length and checksum are signed; once' '
	fresh && printf "{\"n\":1}\n{\"n\":2}\n" >in &&
	river push web/clicks in --presign --output json >url &&
	test "$(jq .bytes url)" = 16 &&
	jq -e ".headers[\"If-None-Match\"] == \"*\" and .headers[\"Content-Length\"] == \"16\"" url &&
	test "$(upload url in)" = 200 &&
	test "$(upload url in)" = 412 &&
	test "$(waiting)" = 1 &&
	river landing process && test "$(waiting)" = 0 &&
	records >got && test_cmp in got && river status --check
'

test_expect_success '61: another length, another content, a header left out: refused' '
	fresh && printf "{\"n\":1}\n" >in && printf "{\"n\":2}\n" >other && echo "{\"n\":10}" >longer &&
	river push web/clicks in --presign --output json >url &&
	test "$(upload url longer)" != 200 &&
	test "$(upload url other)" != 200 &&
	jq "del(.headers[\"If-None-Match\"])" url >bare && test "$(upload bare in)" != 200 &&
	test "$(waiting)" = 0 && test "$(upload url in)" = 200
'

test_expect_success 'only a length; text is the URL; -v is a command that works' '
	fresh && printf "{\"n\":1}\n" >FILE &&
	river -v push web/clicks --presign --size 8 --expires 10m >signed 2>told &&
	test_line_count = 1 signed && test_grep "^http.*X-Amz-Expires=600" signed &&
	grep "^curl " told >command &&
	sh -c "$(cat command) --noproxy \"*\" -sS" && test "$(waiting)" = 1 &&
	river landing process && records >got && test_cmp FILE got
'

test_expect_success 'the command of -v for a name that curl would take for a pattern' '
	for name in "a[1].json" "{b,c}.json"
	do
		fresh && printf "{\"n\":1}\n" >"$name" &&
		river -v push web/clicks "$name" --presign >signed 2>told && grep "^curl " told >command &&
		sh -c "$(cat command) --noproxy \"*\" -sS" && test "$(waiting)" = 1 || return 1
	done
'

test_expect_success '61: used again after it was published: nothing twice, the other one is kept' '
	fresh && printf "{\"n\":1}\n" >in && printf "{\"n\":2}\n" >other &&
	river push web/clicks --presign --size 8 --run delivery-7 --output json >url &&
	test "$(upload url in)" = 200 && river landing process &&
	test "$(upload url in)" = 200 && river landing process &&
	test "$(upload url other)" = 200 && test_expect_code 7 river landing process 2>err &&
	test_grep "delivery-7-000001: another upload has landed" err &&
	test "$(waiting)" = 0 && records >got && test_cmp in got &&
	river rejects show web/clicks --raw >got && test_cmp other got &&
	river status --check
'

test_expect_success 'an event of S3 names it' '
	fresh && printf "{\"n\":1}\n" >in &&
	river push web/clicks in --presign --output json >url && test "$(upload url in)" = 200 &&
	key=river/$(jq -r .name url) &&
	printf "{\"Records\":[{\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"lake\"},\"object\":{\"key\":\"%s\"}}}]}" "$key" >event &&
	sed "s|\"river/|\"other/|" <event >elsewhere && sed "s|\"lake\"|\"lake2\"|" <event >>elsewhere &&
	river landing process --event - <elsewhere --output json >out 2>err &&
	test_must_be_empty out && test_grep "2 keys are no uploads" err &&
	river landing process --event - <event && records >got && test_cmp in got
'

test_expect_success 'temporary credentials end before the URL: said' '
	fresh &&
	emul_post keys "{\"life_s\":600}" >keys.json &&
	AWS_ACCESS_KEY_ID=$(jq -r .id keys.json) AWS_SECRET_ACCESS_KEY=$(jq -r .secret keys.json) \
	AWS_SESSION_TOKEN=$(jq -r .token keys.json) \
		river push web/clicks --presign --size 8 --output json >url 2>err &&
	test_grep "warning.*temporary credentials" err &&
	printf "{\"n\":1}\n" >in && test "$(upload url in)" = 200
'

test_expect_success 'where Firehose delivers, an upload goes into the lake' '
	fresh && river -c delivery=firehose -c delivery.role_arn=arn:aws:iam::123456789012:role/f \
		stream create web/hose >/dev/null &&
	printf "{\"n\":1}\n" >in &&
	river -c delivery=firehose push web/hose in --presign --output json >url &&
	test "$(upload url in)" = 200 &&
	river -c delivery=firehose landing process &&
	test "$(emul_count firehose.PutRecordBatch)" = 0 &&
	records >got && test_grep "^{\"n\":1,\"_river\":{\"id\":\".*-000001-000000-1\"" got
'

test_expect_success 'what waits for Firehose goes on waiting for it' '
	fresh && river -c delivery=firehose -c delivery.role_arn=arn:aws:iam::123456789012:role/f \
		stream create web/hose >/dev/null &&
	printf "{\"n\":1}\n" >in && printf "{\"n\":2}\n" >later &&
	emul_script "{\"match\":{\"op\":\"PutRecordBatch\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDeniedException\"}" &&
	test_must_fail river -c delivery=firehose push web/hose <later 2>err &&
	emul_no_script >/dev/null &&
	river -c delivery=firehose push web/hose in --presign --output json >url &&
	test "$(upload url in)" = 200 && river -c delivery=firehose landing process &&
	records >got && test_line_count = 1 got && test_grep "^{\"n\":1" got &&
	river -c delivery=firehose spool flush &&
	test "$(emul_count firehose.PutRecordBatch accepted)" = 1
'

test_expect_success 'the lake takes nothing: it stays, and lands the next time' '
	fresh && seq 1 20000 | sed "s/.*/{\"n\":&}/" >in &&
	river push web/clicks in --presign --output json >url && test "$(upload url in)" = 200 &&
	emul_script "{\"match\":{\"service\":\"s3\",\"op\":\"PutObject\",\"key\":\"/data/\",\"count\":\"all\"},\"do\":\"status\",\"status\":403}" &&
	test_must_fail river landing process 2>err &&
	emul_no_script >/dev/null &&
	test "$(waiting)" = 1 && river landing process && test "$(waiting)" = 0 &&
	records >got && test_cmp in got && river status --check
'

test_expect_success 'what cannot be signed' '
	fresh && : >empty &&
	test_expect_code 2 river push web/clicks --presign 2>err && test_grep "needs the file, or --size" err &&
	test_expect_code 2 river push web/clicks --presign --size 6GiB 2>err &&
	test_expect_code 2 river push web/clicks --presign --size 0 2>err &&
	test_expect_code 2 river push web/clicks --presign --size 8 --expires 8d 2>err &&
	test_expect_code 2 river push web/clicks --presign - 2>err &&
	test_expect_code 2 river push web/clicks --presign empty 2>err &&
	test_expect_code 2 river push web/clicks --presign empty --size 8 2>err &&
	test_expect_code 2 river push web/clicks --size 8 2>err &&
	test_expect_code 5 river push web/clicks --presign nosuch 2>err &&
	test_expect_code 5 river push web/none --presign --size 8 2>err &&
	test_expect_code 2 river -c lake=./lake push web/clicks --presign --size 8 2>err &&
	test_grep "a lake in a folder has no URLs" err
'

emul_stop
test_done
