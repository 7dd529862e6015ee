#!/bin/sh
test_description='businesses with a lake of their own: list, spool, rejects and landing look into all of them'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/emul-lib.sh"

emul_need
emul_start || test_bug 'the emulator does not start'
emul_env

# The account is nobody's: none of these verbs asks a warehouse. `one` and `two` are the lakes alone, to make
# streams in them without it.
cat >"$TRASH_ROOT/river.yaml" <<YAML
default_profile: both
profiles:
  both:
    lake: s3://lake/river
    warehouse: { type: snowflake, connection: main, database: RIVER, storage_integration: RIVER_S3 }
    businesses:
      vista: { connection: vista, database: VISTA, lake: "s3://vista/v" }
      acme: { connection: vista, database: ACME, lake: "s3://vista/v" }
      near: { connection: vista, database: NEAR }
  one: { lake: "s3://lake/river", warehouse: { type: none } }
  two: { lake: "s3://vista/v", warehouse: { type: none } }
YAML
RIVER_CONFIG=$TRASH_ROOT/river.yaml
export RIVER_CONFIG

fresh () {
	rm -rf "$HOME/.local" &&
	emul_post reset "" >/dev/null && emul_delete log >/dev/null &&
	emul_post bucket "{\"name\":\"lake\"}" >/dev/null && emul_post bucket "{\"name\":\"vista\"}" >/dev/null &&
	for name in clicks web/clicks near/x vista/left web_shop/a
	do
		river --profile one stream create $name >/dev/null || return 1
	done &&
	for name in vista/clicks vista/old acme/clicks web/theirs
	do
		river --profile two stream create $name >/dev/null || return 1
	done
}
# Nothing of the second lake can be had: $1 is the status, $2 the code.
away () {
	emul_script "{\"match\":{\"bucket\":\"$1\",\"count\":\"all\"},\"do\":\"status\",\"status\":403,\"code\":\"AccessDenied\"}" >/dev/null
}
in_bucket () {
	emul_get "objects?bucket=$1" | jq -r ".. | .key? // empty" | grep "$2"
}

test_expect_success 'list: all lakes, each name once and in order, and only what is a business'\''s own' '
	fresh && river stream list >out 2>err && test_must_be_empty err &&
	printf "%s\n" acme/clicks main/clicks near/x vista/clicks vista/old web/clicks web_shop/a >expected &&
	test_cmp expected out &&
	river stream list --limit 4 >out && head -n 4 expected >some && test_cmp some out &&
	river stream list --after near/x >out && tail -n 4 expected >some && test_cmp some out &&
	river stream list --after vista/clicks --limit 2 >out && printf "%s\n" vista/old web/clicks >some && test_cmp some out &&
	river stream list v >out && printf "%s\n" vista/clicks vista/old >some && test_cmp some out &&
	river stream list vista/o >out && echo vista/old >some && test_cmp some out &&
	river stream list web >out && printf "%s\n" web/clicks web_shop/a >some && test_cmp some out &&
	river stream list --long >out && sed 1d out | cut -d" " -f1 >names && test_cmp expected names &&
	river --output json stream list | jq -r .stream >names && test_cmp expected names
'

test_expect_success 'list: a lake that is out of reach is named and hides no other; one of whose nothing is asked is not missed' '
	fresh && away vista &&
	test_expect_code 4 river stream list >out 2>err &&
	printf "%s\n" main/clicks near/x web/clicks web_shop/a >expected && test_cmp expected out &&
	test_grep "^river: .*lake s3://vista/v" err &&
	test_expect_code 4 river -v stream list --limit 2 >out 2>err &&
	printf "%s\n" main/clicks near/x >expected && test_cmp expected out &&
	test_grep "^river: .*lake s3://vista/v" err && test_grep "there are more: --after near/x" err &&
	river stream list web >out 2>err && printf "%s\n" web/clicks web_shop/a >expected && test_cmp expected out &&
	emul_no_script && away lake &&
	test_expect_code 4 river stream list >out 2>err &&
	printf "%s\n" acme/clicks vista/clicks vista/old >expected && test_cmp expected out &&
	test_grep "lake s3://lake/river" err && test_grep ! "s3://vista" err &&
	river stream list vista/ >out && printf "%s\n" vista/clicks vista/old >expected && test_cmp expected out &&
	emul_no_script && away lake && away vista &&
	test_expect_code 4 river stream list >out 2>err && test_must_be_empty out &&
	test_grep "lake s3://lake/river" err && test_grep "lake s3://vista/v" err &&
	emul_no_script
'

test_expect_success 'completion knows the streams of all lakes, and of those that answer' '
	river __complete 3 stream show v >out && printf "%s\n" vista/clicks vista/old >expected && test_cmp expected out &&
	away lake && river __complete 3 stream show v >out 2>err && test_cmp expected out && test_must_be_empty err &&
	emul_no_script
'

test_expect_success 'spool: what waits for either lake is listed, checked, exported and flushed' '
	fresh && emul_script "{\"match\":{\"op\":\"PutObject\",\"key\":\"/data/\",\"count\":\"all\"},\"do\":\"status\",\"status\":503}" >/dev/null &&
	{ echo "{\"id\":1}" | test_expect_code 8 river push web/clicks --retry-for 0 2>err; } &&
	{ printf "{\"id\":2}\n{\"id\":3}\n" | test_expect_code 8 river push vista/clicks --retry-for 0 2>err; } &&
	river --output json spool list | jq -r "[.stream, .waiting] | @tsv" | sort >out &&
	printf "vista/clicks\t2\nweb/clicks\t1\n" >expected && test_cmp expected out &&
	river --output json spool list vista/clicks | jq -r .stream >out && echo vista/clicks >expected && test_cmp expected out &&
	river spool list vista/old >out && test_line_count = 1 out &&
	test_expect_code 5 river spool list vista/none 2>err && test_grep "vista/none does not exist in lake s3://vista/v" err &&
	river -v spool check 2>err && test_grep "looked at 2 runs" err &&
	river spool export --to copies >out && test_line_count = 2 out &&
	test_expect_code 8 river spool flush >out 2>err && test_grep "^vista/clicks: 1 run still waiting" out &&
	emul_no_script && away lake &&
	test_expect_code 4 river spool flush >out 2>err && test_grep "vista/clicks: 1 run finished, 2 records delivered" out &&
	test_grep "web/clicks" err && test "$(in_bucket vista "^v/data/vista/clicks/" | wc -l)" = 1 &&
	emul_no_script &&
	river spool flush web/clicks >out && test_grep "web/clicks: 1 run finished" out &&
	river spool list >out && test_line_count = 1 out && river spool flush
'

test_expect_success 'spool: what was taken for a lake that the business has left is still listed, and flushed there' '
	fresh && emul_script "{\"match\":{\"op\":\"PutObject\",\"key\":\"/data/\",\"count\":\"all\"},\"do\":\"status\",\"status\":503}" >/dev/null &&
	{ echo "{\"id\":1}" | test_expect_code 8 river --profile one push vista/left --retry-for 0 2>err; } &&
	river --output json spool list vista/left | jq -r .waiting >out && echo 1 >expected && test_cmp expected out &&
	emul_no_script && river spool flush vista/left >out && test_grep "1 record delivered" out &&
	test "$(in_bucket lake "^river/data/vista/left/" | wc -l)" = 1
'

test_expect_success 'rejects: those of all lakes, and of one stream in its own' '
	fresh &&
	{ printf "{\"id\":1}\nbad\n" | test_expect_code 7 river push web/clicks 2>err; } &&
	{ printf "{\"id\":1}\nworse\n{\"id\":2}\nworst\n" | test_expect_code 7 river push vista/clicks 2>err; } &&
	{ printf "{\"id\":1}\nleft\n" | test_expect_code 7 river --profile one push vista/left 2>err; } &&
	{ printf "{\"id\":1}\ntheirs\n" | test_expect_code 7 river --profile two push web/theirs 2>err; } &&
	river --output json rejects list | jq -r "[.stream, .rejected] | @tsv" >out &&
	printf "vista/clicks\t2\nweb/clicks\t1\n" >expected && test_cmp expected out &&
	river rejects list vista/clicks >out && test_line_count = 2 out &&
	river rejects show vista/clicks --raw >out && printf "worse\nworst\n" >expected && test_cmp expected out &&
	river rejects replay vista/clicks --format text >out && test_grep "2 landed, 0 rejected again" out &&
	test "$(in_bucket vista "^v/data/vista/clicks/" | wc -l)" = 2 &&
	away lake && test_expect_code 4 river rejects list >out 2>err && test_grep "^vista/clicks  *2 " out &&
	test_grep "s3://lake/river" err &&
	river rejects show vista/clicks --raw >out && test_cmp expected out &&
	emul_no_script
'

# a signed URL is a secret
test_holds_secret printed curlrc

# Uploads $2 for stream $1 with the URL that profile $3 prints.
upload () {
	river --output json --profile "$3" push "$1" "$2" --presign >printed &&
	jq -r ".headers | to_entries[] | select(.key | ascii_downcase != \"content-length\") |
		\"header = \\\"\" + .key + \": \" + .value + \"\\\"\"" <printed >curlrc &&
	jq -r "\"url = \\\"\" + .url + \"\\\"\"" <printed >>curlrc &&
	curl -sS --fail --noproxy "*" -K curlrc -T "$2"
}

test_expect_success 'landing: uploads of all lakes are published in theirs; the events of both' '
	fresh && printf "{\"n\":1}\n" >in && printf "{\"n\":2}\n" >other &&
	upload web/clicks in both && upload vista/clicks other both && upload web/theirs other two &&
	in_bucket vista v/_river/landing/vista/ && in_bucket lake river/_river/landing/web/ &&
	river landing process -n >out && test_line_count = 2 out &&
	river --output json landing process >out &&
	jq -r "[.lake, .outcome] | @tsv" out | sort >got &&
	printf "s3://lake/river\tlanded\ns3://vista/v\tlanded\n" >expected && test_cmp expected got &&
	test "$(in_bucket vista "^v/data/vista/clicks/" | wc -l)" = 1 && test "$(in_bucket lake "^river/data/web/clicks/" | wc -l)" = 1 &&
	in_bucket vista v/_river/landing/web/theirs && test_expect_code 1 in_bucket lake /landing/ &&
	upload web/clicks in both && upload vista/clicks other both &&
	river landing process vista/clicks && test_expect_code 1 in_bucket vista v/_river/landing/vista/ && in_bucket lake /landing/ &&
	upload vista/clicks other both &&
	for key in "lake $(in_bucket lake /landing/)" "vista $(in_bucket vista /landing/vista/)" "vista $(in_bucket vista /landing/vista/)" "vista v/data/x"
	do
		echo "{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"${key% *}\"},\"object\":{\"key\":\"${key#* }\",\"size\":8}}}"
	done | jq -cs "{Records: .}" >event &&
	river --output json landing process --event event >out 2>err && test_line_count = 2 out && test_grep "v/data/x is no upload" err &&
	test_expect_code 1 in_bucket lake /landing/
'

test_expect_success 'landing: a lake that is out of reach keeps no upload of the others; what lies in a lake that was left is told of' '
	fresh && printf "{\"n\":1}\n" >in &&
	upload vista/clicks in both && upload web/clicks in both && upload vista/left in one && away lake &&
	test_expect_code 4 river landing process 2>err && test_grep "lake s3://lake/river" err &&
	test "$(in_bucket vista "^v/data/vista/clicks/" | wc -l)" = 1 && emul_no_script &&
	river landing process 2>err && test_grep "1 upload waits in lake s3://lake/river: of businesses that have a lake of their own" err &&
	test "$(in_bucket lake "^river/data/web/clicks/" | wc -l)" = 1
'

test_expect_success 'the emulator had no errors of its own' '
	emul_stop
'
test_done
