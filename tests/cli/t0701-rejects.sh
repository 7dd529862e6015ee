#!/bin/sh
test_description='rejects list, show and replay'
. "$(dirname "$0")/../lib/test-lib.sh"
test_no_leak_check # some of it runs under ptrace, where the leak checker does not work

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML

landed () {
	find lake/data -name '*.ndjson.zst' 2>/dev/null | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}
fresh () {
	rm -rf lake "$HOME/.local" &&
	river stream create web/clicks >/dev/null
}
# One record is good, one too long for now, one never will be.
some () {
	fresh &&
	printf "{\"n\":1}\nbad\\001 \\377\\t\n{\"long\":\"aaaaaaaaaaaaaaaaaaaa\"}\n" >in &&
	test_expect_code 7 river push --max-record 20 web/clicks <in 2>err
}

test_expect_success 'a stream without rejects' '
	fresh &&
	river rejects list web/clicks >out && test_line_count = 1 out &&
	river rejects show web/clicks >out && test_must_be_empty out &&
	river rejects show web/clicks --raw >out && test_must_be_empty out &&
	river rejects replay web/clicks >out && test_must_be_empty out &&
	test_expect_code 5 river rejects list web/none 2>err &&
	test_expect_code 2 river rejects show 2>err && test_grep "river rejects list" err &&
	river rejects list >out && test_line_count = 1 out &&
	test_expect_code 5 river rejects show web/clicks --run nosuch 2>err &&
	test_grep "no rejects" err
'

test_expect_success 'list' '
	some &&
	river rejects list web/clicks >out && test_line_count = 2 out &&
	test_grep "^20[0-9-]*  *[0-9a-z]*  *0  *2 " out &&
	river rejects list web/clicks --since 7d >out && test_line_count = 2 out &&
	river rejects list web/clicks --output json >out &&
	test_grep "\"seq\":0,\"rejected\":2," out &&
	mkdir -p lake/_river/rejects/web/clicks/2001-01-01 &&
	cp lake/_river/rejects/web/clicks/20[2-9]*/* lake/_river/rejects/web/clicks/2001-01-01 &&
	river rejects list web/clicks >out && test_line_count = 3 out &&
	river rejects list web/clicks --since 7d >out && test_line_count = 2 out
'

test_expect_success 'list without a stream: all that have some' '
	some &&
	test_expect_code 9 river push web/clicks <<-\IN 2>err &&
	worse
	IN
	river stream create shop/none >/dev/null && river stream create app/log >/dev/null &&
	echo bad | test_expect_code 9 river push app/log 2>err &&
	river rejects list >out && test_line_count = 3 out &&
	test_grep "^app/log  *1  *1 .* 20[0-9-]*\$" out &&
	test_grep "^web/clicks  *3  *2 .* 20[0-9-]*\$" out &&
	river rejects list --output json >out && test_line_count = 2 out &&
	test_grep "\"stream\":\"web/clicks\",\"rejected\":3,\"batches\":2," out &&
	mkdir -p lake/_river/rejects/a/old/2001-01-01 &&
	cp lake/_river/rejects/app/log/*/* lake/_river/rejects/a/old/2001-01-01 &&
	river rejects list >out && test_line_count = 4 out &&
	river rejects list --since 7d >out && test_line_count = 3 out
'

test_expect_success 'show: reason, place, and what it begins with, made visible' '
	some &&
	river rejects show web/clicks >out &&
	test_line_count = 4 out &&
	test_grep "^standard input:2: not a JSON object (not_object) at byte 8; bytes 8 to 16, 8 B" out &&
	test_grep "^    bad.x01 .xff.t\$" out &&
	test_grep "^standard input:3: longer than the limit of 20 bytes" out &&
	river rejects show web/clicks --limit 1 >out && test_line_count = 2 out &&
	river rejects show web/clicks --limit 0 >out && test_must_be_empty out &&
	river rejects show web/clicks --output json >out && test_line_count = 2 out &&
	test_grep "\"number\":1,\"code\":\"not_object\"" out &&
	test_grep "\"line\":2,\"offset\":8,\"fault\":8,\"length\":8" out
'

test_expect_success '--raw gives the bytes, with a newline each, to be mended and pushed' '
	some &&
	river rejects show web/clicks --raw >out &&
	tail -n +2 in >expected && test_cmp expected out &&
	river rejects show web/clicks --raw --limit 1 >out && test_line_count = 1 out &&
	fresh &&
	printf "{\"n\":1}\n{\"n\":2;\n{\"n\":3" >in &&
	test_expect_code 7 river push web/clicks <in 2>err &&
	river rejects show web/clicks --raw >out &&
	printf "{\"n\":2;\n{\"n\":3\n" >expected && test_cmp expected out &&
	sed "s/;*\$/}/" out | river push web/clicks &&
	landed | sort >got && printf "{\"n\":%d}\n" 1 2 3 >expected && test_cmp expected got
'

test_expect_success 'a reject of many pieces comes back whole' '
	fresh &&
	{ printf "{\"x\":\"" && head -c 5000001 /dev/zero | tr "\\0" "y" && echo; echo "{\"n\":1}"; } >in &&
	test_expect_code 7 river push --max-record 1MiB web/clicks <in 2>err &&
	river rejects show web/clicks --raw >out &&
	head -n 1 in >expected && cmp expected out &&
	river rejects show web/clicks >out && test_grep "^    {\"x\":\"yyy.*\.\.\.\$" out &&
	test $(wc -c <out) -lt 600
'

test_expect_success 'a reader that leaves early is no failure' '
	{ river rejects show web/clicks --raw; echo $? >code; } | head -c 10 >out &&
	echo 0 >expected && test_cmp expected code
'

test_expect_success 'replay -n changes nothing' '
	some &&
	find lake "$HOME" -type f | sort >before &&
	test_expect_code 7 river rejects replay -n web/clicks >out 2>err &&
	test_grep "1 would land, 1 would be rejected again" out &&
	find lake "$HOME" -type f | sort >after && test_cmp before after
'

test_expect_success 'replay: what is good now lands, once' '
	some &&
	test_expect_code 7 river rejects replay web/clicks >out 2>err &&
	test_grep "batch 0: 1 landed, 1 rejected again" out &&
	landed | sort >got && sed -n "1p;3p" in | sort >expected && test_cmp expected got &&
	river rejects list web/clicks >out && test_line_count = 3 out &&
	test_grep "1 landed, 1 again" out &&
	test_expect_code 9 river rejects replay web/clicks >out 2>err &&
	test_expect_code 9 river rejects replay web/clicks >out 2>err &&
	landed | sort >got && test_cmp expected got &&
	river rejects list web/clicks >out && test_line_count = 3 out &&
	river rejects show web/clicks --run "$(sed -n "s/.*\(replay-[0-9a-z-]*\).*/\1/p" out | head -n 1)" --raw >raw &&
	sed -n 2p in >expected && test_cmp expected raw
'

test_expect_success 'replay in another format; replays of replays keep their names short' '
	fresh &&
	printf "{\"n\":1}\nplain\n" | test_expect_code 7 river push --run "$(printf %064d 7)" web/clicks 2>err &&
	river rejects replay web/clicks --format text --output json >out &&
	test_grep "\"replay_run\":\"replay-[0-9a-f]\{32\}\",\"landed\":1,\"rejected\":0" out &&
	landed | sort >got && printf "%s\n" "{\"n\":1}" "{\"text\":\"plain\"}" >expected && test_cmp expected got &&
	river rejects replay web/clicks --format text >out && test_must_be_empty out &&
	landed | sort >got && test_cmp expected got
'

csv_fresh () {
	rm -rf lake "$HOME/.local" *.csv &&
	river stream create web/clicks --format csv >/dev/null
}

test_expect_success 'replay: csv rows keep the header they were read with' '
	csv_fresh &&
	printf "id,txt\n1,a\n2,b,extra\n3,c\n4,%032d\n5,\"e\"\"\n6\"\n" 4 >w.csv &&
	test_expect_code 7 river push --max-record 30 web/clicks w.csv 2>err &&
	test_expect_code 7 river rejects replay -n web/clicks >out 2>err &&
	test_grep "1 would land, 1 would be rejected again" out &&
	test_expect_code 7 river rejects replay web/clicks >out 2>err &&
	test_grep "1 landed, 1 rejected again" out &&
	landed | sort >got &&
	printf "{\"id\":\"%s\",\"txt\":\"%s\"}\n" 1 a 3 c 4 $(printf %032d 4) 5 "e\\\"\\n6" >expected &&
	test_cmp expected got &&
	test_expect_code 9 river rejects replay web/clicks >out 2>err &&
	landed | sort >got && test_cmp expected got
'

test_expect_success 'replay: files with other headers and dialects in one batch' '
	csv_fresh &&
	printf "a;\"b\"\"c\"\n1;%032d\n2;3;4\n" 1 >one.csv &&
	printf "x;y z\n5;%032d\n" 2 >two.csv &&
	test_expect_code 9 river push --csv-delimiter ";" --max-record 30 web/clicks one.csv two.csv 2>err &&
	test_expect_code 7 river rejects replay -n web/clicks >out 2>err &&
	test_grep "2 would land, 1 would be rejected again" out &&
	test_expect_code 7 river rejects replay web/clicks >out 2>err &&
	test_grep "2 landed, 1 rejected again" out &&
	landed | sort >got &&
	printf "{\"a\":\"1\",\"b\\\"c\":\"%032d\"}\n{\"x\":\"5\",\"y z\":\"%032d\"}\n" 1 2 >expected &&
	test_cmp expected got &&
	river rejects list web/clicks >out && test_grep "2 landed, 1 again" out &&
	test_expect_code 9 river rejects replay web/clicks >out 2>err &&
	landed | sort >got && test_cmp expected got
'

test_expect_success 'replay: csv of which no header is known is refused, and says what to do' '
	fresh &&
	printf "{\"n\":1}\n1,2\n3,4\n" >in &&
	test_expect_code 7 river push web/clicks <in 2>err &&
	landed >before &&
	test_expect_code 9 river rejects replay --format csv web/clicks >out 2>err &&
	test_grep "without a csv header" err && test_grep "show web/clicks --raw | river push" err &&
	test_grep "csv-names" err &&
	landed >got && test_cmp before got &&
	river rejects show web/clicks --raw |
		river push web/clicks --format csv --csv-no-header --csv-names a,b >out 2>err &&
	landed | sort >got && printf "%s\n" "{\"a\":\"1\",\"b\":\"2\"}" "{\"a\":\"3\",\"b\":\"4\"}" "{\"n\":1}" >expected &&
	test_cmp expected got
'

test_expect_success 'replay: a row that is not UTF-8 is rejected again, in its own columns' '
	csv_fresh &&
	printf "a,b\n1,caf\351\n2,%032d\n" 1 >w.csv &&
	test_expect_code 9 river push --max-record 30 web/clicks w.csv 2>err &&
	test_expect_code 7 river rejects replay web/clicks >out 2>err &&
	test_grep "1 landed, 1 rejected again" out &&
	river rejects list web/clicks >list &&
	river rejects show web/clicks --run "$(sed -n "s/.* \(replay-[0-9a-z-]*\).*/\1/p" list)" >out &&
	test_grep "byte 6 of the row is not UTF-8" out
'

test_expect_success 'a replay that is killed is finished by the same command' '
	some &&
	cp -r lake lake.0 && cp -r "$HOME/.local" local.0 &&
	n=1 &&
	while :
	do
		rm -rf lake "$HOME/.local" && cp -r lake.0 lake && cp -r local.0 "$HOME/.local" || return 1
		"$RIVER_BUILD/tests/fault/walk" --file-ops --report report kill $n -- \
			river rejects replay web/clicks >out 2>err
		code=$?
		test $code = 90 || break
		river rejects replay web/clicks >out 2>err
		case $? in
		7|9) ;;
		*) cat err; return 1 ;;
		esac
		landed | sort >got && sed -n "1p;3p" in | sort >expected && test_cmp expected got || return 1
		n=$((n + 3))
	done &&
	rm -rf lake.0 local.0 &&
	test $code = 7 && test $n -gt 10
'

test_expect_success 'kept in the spool: 8, and it lands later' '
	some &&
	mv lake/data kept && : >lake/data &&
	test_expect_code 8 river rejects replay web/clicks >out 2>err &&
	test_grep "not in the lake" err &&
	rm lake/data && mv kept lake/data &&
	river spool flush >out &&
	landed | sort >got && sed -n "1p;3p" in | sort >expected && test_cmp expected got &&
	test_expect_code 9 river rejects replay web/clicks >out 2>err &&
	landed | sort >got && test_cmp expected got
'

test_expect_success 'kept in the spool: 8, also where another part of the rejects is rejected again' '
	csv_fresh &&
	printf "x,y\n2,3,4\n" >one.csv &&
	printf "a,b\n1,%032d\n" 1 >two.csv &&
	test_expect_code 9 river push --max-record 30 web/clicks one.csv two.csv 2>err &&
	: >lake/data &&
	test_expect_code 8 river rejects replay web/clicks >out 2>err &&
	test_grep "0 landed, 1 rejected again" out && test_grep "^river: 1 record is accepted and spooled" err &&
	rm lake/data &&
	river spool flush >out && landed >got &&
	printf "{\"a\":\"1\",\"b\":\"%032d\"}\n" 1 >expected && test_cmp expected got
'

test_expect_success 'a damaged object is named, the others go on' '
	some &&
	object=$(ls lake/_river/rejects/web/clicks/*/*) &&
	echo "worse" | test_expect_code 9 river push web/clicks 2>err &&
	chmod u+w "$object" && sed "s/\"length\":8/\"length\":9/" "$object" >x && cat x >"$object" &&
	test_expect_code 12 river rejects show web/clicks >out 2>err &&
	test_grep "damaged at line 1: its length is not that of its bytes" err &&
	test_grep "^    worse" out &&
	test_expect_code 12 river rejects show web/clicks --raw >out 2>err && test_grep worse out &&
	test_expect_code 12 river rejects replay --format text web/clicks >out 2>err &&
	test_grep "damaged at line 1" err && test_grep "1 landed, 0 rejected" out &&
	head -c 50 x >"$object" &&
	test_expect_code 12 river rejects show web/clicks >out 2>err && test_grep "in the middle" err &&
	head -n 1 x | sed "s/:9}/:8}/" >"$object" &&
	test_expect_code 12 river rejects show web/clicks >out 2>err && test_grep "are 1, not 2" err &&
	sed "s/\"v\":1/\"v\":2/" x >"$object" &&
	test_expect_code 3 river rejects show web/clicks >out 2>err && test_grep "newer river" err
'

test_done
