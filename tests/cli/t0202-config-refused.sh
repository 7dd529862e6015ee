#!/bin/sh
test_description='what is refused in a configuration, where it stands, and what it costs'
. "$(dirname "$0")/../lib/test-lib.sh"

test_expect_success 'an unknown key is named with file, line, column and the nearest' '
	cat >river.yaml <<-\YAML &&
	profiles:
	  local:
	    lake: ./lake
	    warehose: duckdb
	YAML
	test_when_finished "rm river.yaml" &&
	test_expect_code 3 river config list >out 2>err &&
	test_must_be_empty out &&
	test_grep "river.yaml:4:5" err &&
	test_grep "unknown key warehose in profile local" err &&
	test_grep "did you mean warehouse?" err &&
	test_expect_code 3 river --output json config list 2>err &&
	test_grep "\"file\":\"$TRASH_DIRECTORY/river.yaml\",\"line\":4" err
'

test_expect_success '14: check reports everything, in every file' '
	cat >river.yaml <<-\YAML &&
	profiles:
	  local:
	    lakes: ./lake
	    spool: { max: lots }
	other: 1
	YAML
	mkdir -p "$XDG_CONFIG_HOME/river" &&
	printf "profiles:\n  local: 1\n" >"$XDG_CONFIG_HOME/river/config.yaml" &&
	test_when_finished "rm river.yaml \"\$XDG_CONFIG_HOME/river/config.yaml\"" &&
	test_expect_code 3 river config check >out 2>err &&
	test_must_be_empty out &&
	grep -c "^river: " err >count &&
	echo 4 >expected &&
	test_cmp expected count &&
	for place in river.yaml:3:5 river.yaml:4:19 river.yaml:5:1 config.yaml:2:10
	do
		test_grep "$place" err || return 1
	done &&
	test_expect_code 3 river --output json config check >out 2>err &&
	test_line_count = 2 out &&
	test_line_count = 4 err &&
	test_grep "\"ok\":false,\"problems\":3" out
'

test_expect_success 'check says of every profile what does not go together, also of those not chosen' '
	cat >profiles.yaml <<-\YAML &&
	default_profile: right
	profiles:
	  right: { lake: ./lake }
	  folder:
	    lake: ./lake
	    delivery: firehose
	  sizes:
	    lake: s3://bucket/lake
	    delivery: { type: firehose, buffer: { size: 1GiB } }
	    notify: { arn: nobody }
	  elsewhere: { delivery: firehose }
	YAML
	test_expect_code 3 river config check profiles.yaml >out 2>err &&
	test_must_be_empty out &&
	grep -c "^river: " err >count && echo 3 >expected && test_cmp expected count &&
	test_grep "profile folder: firehose needs a lake on S3, .*profiles.yaml:6.*profiles.yaml:5" err &&
	test_grep "profile sizes: delivery.buffer.size .1GiB. is not 1MiB to 128MiB" err &&
	test_grep "profile sizes: notify.arn .nobody. is not" err &&
	test_expect_code 3 river --output json config check profiles.yaml >out 2>err &&
	test_grep "\"ok\":false,\"problems\":3" out &&
	RIVER_CONFIG=profiles.yaml river config list >out
'

test_expect_success 'check says what every command would refuse the profile for, of a file and of the surroundings' '
	cat >apart.yaml <<-\YAML &&
	profiles:
	  local: { lake: ./lake }
	  businesses:
	    lake: s3://bucket/lake
	    businesses: { vista: { database: V } }
	  both:
	    lake: s3://bucket/lake
	    warehouse: { type: snowflake, database: D, storage_integration: I, stage: a.b.c }
	  business:
	    lake: s3://bucket/lake
	    warehouse: { type: snowflake, database: D }
	    businesses: { vista: { storage_role_arn: "arn:aws:iam::123456789012:role/x" } }
	YAML
	test_expect_code 3 river config check apart.yaml >out 2>err && test_must_be_empty out &&
	grep -c "^river: " err >count && echo 3 >expected && test_cmp expected count &&
	test_grep "profile businesses names businesses with accounts of their own" err &&
	test_grep "profile both: either storage_integration or stage" err &&
	test_grep "profile business, business vista: storage_role_arn is of a storage integration" err &&
	test_expect_code 3 river config check -c businesses.vista.database=V >out 2>err &&
	test_grep "profile local names businesses" err && river config check >out
'

test_expect_success 'check refuses what the collector would not take, in a file and by -c' '
	cat >collect.yaml <<-\YAML &&
	profiles:
	  body: { lake: ./lake, collect: { max_body: 5MiB } }
	  many: { lake: ./lake, collect: { max_connections: 2000000 } }
	  none: { lake: ./lake, collect: { max_connections: 0 } }
	  rate: { lake: ./lake, collect: { rate: 2000000000 } }
	  known: { lake: ./lake, collect: { remember: 200000000 } }
	  stage: { lake: ./lake, collect: { stage: /x } }
	  piece: { lake: ./lake, collect: { stage: "a b" } }
	YAML
	test_expect_code 3 river config check collect.yaml >out 2>err && test_must_be_empty out &&
	grep -c "^river: " err >count && echo 7 >expected && test_cmp expected count &&
	test_grep "profile body: collect.max_body .5MiB. is too much" err && test_grep "4MiB at most" err &&
	cat >values.yaml <<-\YAML &&
	profiles:
	  listen: { lake: ./lake, collect: { listen: nonsense } }
	  port: { lake: ./lake, collect: { listen: "127.0.0.1:99999" } }
	  name: { lake: ./lake, collect: { listen: "host.example:80" } }
	  origin: { lake: ./lake, collect: { origins: shop.example } }
	  nobody: { lake: ./lake, collect: { origins: "," } }
	YAML
	test_expect_code 3 river config check values.yaml >out 2>err && test_must_be_empty out &&
	grep -c "values.yaml:[2-6]" err >count && echo 5 >expected && test_cmp expected count &&
	test_grep "collect.listen: .nonsense. is no address to listen on" err &&
	for wrong in max_body=5MiB max_connections=0 rate=2000000000 remember=200000000 stage=/x stage=x/
	do
		test_expect_code 3 river config check -c "collect.$wrong" >out 2>err || return 1
	done &&
	for wrong in listen=nonsense origins=shop.example origins=,
	do
		test_expect_code 2 river config check -c "collect.$wrong" >out 2>err || return 1
	done &&
	test_expect_code 3 env RIVER_COLLECT_LISTEN=nonsense river config check >out 2>err &&
	for right in listen=:0 "listen=*:8080" "listen=[::1]:0" listen=localhost:1 max_body=4MiB stage=a/b \
		max_connections=1 rate=1000000000 remember=0 "origins=https://a.example, http://b.example:8443"
	do
		river config check -c "collect.$right" >out || return 1
	done
'

test_expect_success 'check of named files reads only them' '
	echo "profiles:" >good.yaml &&
	echo "profiles: 1" >bad.yaml &&
	river config check good.yaml >out &&
	echo "good.yaml: ok" >expected &&
	test_cmp expected out &&
	test_expect_code 3 river config check bad.yaml good.yaml missing.yaml >out 2>err &&
	test_cmp expected out &&
	test_grep "no file .*missing.yaml" err &&
	test_expect_code 5 river config check missing.yaml 2>err
'

test_expect_success '203: a file others may write to is refused' '
	for mode in 664 646 666
	do
		echo "profiles:" >river.yaml &&
		chmod $mode river.yaml &&
		test_expect_code 3 river config list 2>err &&
		test_grep "river.yaml" err &&
		test_grep "others may write to it (mode 0$mode)" err &&
		test_grep "chmod go-w" err || return 1
	done &&
	chmod 600 river.yaml &&
	river config list >out &&
	rm river.yaml
'

test_expect_success ROOT '203: a file that is another user'\''s is refused' '
	echo "profiles:" >river.yaml &&
	test_when_finished "rm river.yaml" &&
	chown 12345 river.yaml &&
	test_expect_code 3 river config list 2>err &&
	test_grep "belongs to user 12345" err
'

test_expect_success !ROOT 'a file that cannot be read is refused' '
	echo "profiles:" >river.yaml &&
	test_when_finished "rm -f river.yaml" &&
	chmod 0 river.yaml &&
	test_expect_code 3 river config list 2>err &&
	test_grep "Permission denied" err
'

# hostile NAME WORDS: the file NAME is refused with 3 and these words, in little memory and not after
# a wait. A sanitizer reserves address space, so the limit is left off there.
hostile () {
	(
		test_have_prereq SANITIZER || ulimit -v 200000
		RIVER_CONFIG=$1 timeout 20 river config list >out 2>err
		code=$?
		test $code -eq 3 && exit 0
		echo "$1: code $code"
		exit 1
	) &&
	test_must_be_empty out &&
	test_grep "$2" err &&
	test_grep "$1" err
}

# many TEXT TIMES
many () {
	awk -v text="$1" -v times="$2" "BEGIN { for (i = 0; i < times; i++) printf \"%s\", text }"
}

test_expect_success '15: hostile shapes' '
	many "{a: " 50000 >braces.yaml && hostile braces.yaml "nested too deeply" &&
	many "{" 200000 >open.yaml && hostile open.yaml "key must be" &&
	many "[" 200000 >brackets.yaml && hostile brackets.yaml "nested too deeply" &&
	many "- " 20000 >dashes.yaml && hostile dashes.yaml "nested too deeply" &&
	many "? " 20000 >questions.yaml && hostile questions.yaml "key must be" &&
	awk "BEGIN { for (i = 0; i < 400; i++) printf \"%*sa:\n\", i, \"\" }" >indents.yaml &&
	hostile indents.yaml "nested too deeply" &&
	{ echo "a: &a [x,x]" && many "b: &b [*a,*a,*a,*a]
" 1000; } >laughs.yaml && hostile laughs.yaml "anchors" &&
	{ printf "a: " && many x 1000000; } >scalar.yaml && hostile scalar.yaml "too long" &&
	{ printf "a: |\n" && many " xxxxxxxxxxxxxxx
" 60000; } >block.yaml && hostile block.yaml "too long" &&
	many "x: 1
" 40000 >again.yaml && hostile again.yaml "twice"
'

test_expect_success '15: hostile sizes' '
	many "# 34567890123456789012345678901
" 40000 >large.yaml && hostile large.yaml "larger than 1048576 bytes" &&
	truncate -s 1T sparse.yaml && hostile sparse.yaml "larger than" &&
	many "- 
" 200000 >items.yaml && hostile items.yaml "too many values" &&
	many "---
" 200000 >documents.yaml && hostile documents.yaml "too many values" &&
	awk "BEGIN { for (i = 0; i < 40000; i++) printf \"%%TAG !a%d! t:x\n\", i }" >tags.yaml &&
	hostile tags.yaml "tag directives"
'

test_expect_success '14: hostile bytes' '
	printf "profiles:\n\tlocal:\n" >tab.yaml && hostile tab.yaml "cannot start any token" &&
	test_grep "tabs" err &&
	printf "profiles:\n  a\000b:\n" >nul.yaml && hostile nul.yaml "control characters" &&
	test_grep "nul.yaml:2:4" err &&
	printf "profiles: \"\\\\0\"\n" >escaped.yaml && hostile escaped.yaml "NUL" &&
	printf "profiles:\n  \377:\n" >latin.yaml && hostile latin.yaml "UTF-8" &&
	printf "\377\376p\000:\000" >utf16.yaml && hostile utf16.yaml "UTF-8" &&
	printf "profiles: !!python/object:os.system\n" >tag.yaml && hostile tag.yaml "tags" &&
	printf "profiles: {\n" >half.yaml && hostile half.yaml "half.yaml:2" &&
	printf "a: \033[31mred\n" >escape.yaml && hostile escape.yaml "control" &&
	head -c 100000 "$RIVER_BUILD/river" >binary.yaml && hostile binary.yaml "binary.yaml:1"
'

test_expect_success '17: what is not a file' '
	mkdir folder.yaml && hostile folder.yaml "folder.yaml is a folder, not a file" &&
	mkfifo fifo.yaml && hostile fifo.yaml "not a regular file" &&
	ln -s /dev/zero zero.yaml && hostile zero.yaml "not a regular file" &&
	ln -s loop.yaml loop.yaml && hostile loop.yaml "symbolic links"
'

test_done
