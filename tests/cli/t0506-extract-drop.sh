#!/bin/sh
test_description='extract-load: where archives are put down: folders of days, many, forbidden ones, other lakes'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: duckdb, path: ./w.duckdb } }
  other: { lake: ./other, warehouse: { type: duckdb, path: ./o.duckdb } }
default_profile: local
YAML
cat >days.yaml <<\YAML
source: { path: "drop/*/ext.zip" }
tables:
  orders: { member: O.csv, key: [id], mode: merge, columns: { id: string, v: integer } }
loads: { orders: { to: table dw.orders } }
YAML
cat >flat.yaml <<\YAML
source: { path: drop }
tables:
  orders: { member: O.csv, columns: { id: string, v: string } }
loads: { orders: { to: lake, compression: none } }
YAML

fresh () {
	rm -rf lake other drop state ./*.duckdb*
}
# put ARCHIVE ROW...
put () {
	archive=$1 && shift &&
	mkdir -p "$(dirname "$archive")" &&
	printf "id,v\n" >O.csv && printf "%s\n" "$@" >>O.csv &&
	"$make_zip" --pack new.zip O.csv && mv new.zip "$archive"
}
days () {
	put drop/2026-11-20/ext.zip k1,1 all,1 &&
	put drop/2026-11-21/ext.zip k2,2 all,2 &&
	put drop/2026-11-22/ext.zip k3,3 all,3
}
orders () {
	river query "$@" --output csv "SELECT id, v FROM dw.orders ORDER BY id"
}
cat >all <<\CSV
id,v
all,3
k1,1
k2,2
k3,3
CSV

test_expect_success '79: archives of one name in a folder for each day are extracts of their own' '
	fresh && days && river extract-load days.yaml && orders >out && test_cmp all out &&
	river extract-load days.yaml --since 2026-11-20 --output json >out && grep "\"taken\":3" out &&
	orders >out && test_cmp all out &&
	river extract-load days.yaml --date 2026-11-20 --output json >out && grep "\"taken\":1" out &&
	grep "\"name\":\"2026-11-20/ext.zip\"" out &&
	orders >out && test_cmp all out
'

test_expect_success '79: one of them that was written anew replaces its own, named by itself too' '
	put drop/2026-11-21/ext.zip k4,4 all,2 &&
	river extract-load days.yaml --date 2026-11-21 drop/2026-11-21/ext.zip &&
	orders >out && sed "s/k2,2/k4,4/" all | LC_ALL=C sort >expected && LC_ALL=C sort out >got &&
	test_cmp expected got
'

test_expect_success '80: of folders for each day the order is that of the days' '
	fresh && days && river extract-load days.yaml drop/2026-11-22/ext.zip &&
	river extract-load days.yaml && orders >out && test_cmp all out
'

test_expect_success 'sequences count names of files, whatever folders they are in' '
	fresh && put drop/b/ext-1.zip a,1 && put drop/a/ext-2.zip a,2 &&
	sed "s|^source.*|source: { path: \"drop/*/*.zip\", sequence: \"ext-{number}.zip\", order: number }|" \
		days.yaml >numbers.yaml &&
	river extract-load numbers.yaml && orders >out && grep "^a,2" out
'

test_expect_success 'what came by name is older than what comes by number, whatever folder it was in' '
	fresh && put drop/zone/ext-1.zip a,1 && sed "s|order: number|order: name|" numbers.yaml >byname.yaml && echo "job: numbers" >>byname.yaml &&
	river extract-load byname.yaml && put drop/alpha/ext-2.zip a,2 && river extract-load numbers.yaml && orders >out && grep "^a,2" out
'

test_expect_success 'folders that a job did not have so far are refused where they are older than names alone' '
	fresh && put drop/ext-1.zip a,1 && sed "s|drop/./ext.zip|drop/*.zip|" days.yaml >plain.yaml && echo "job: days" >>plain.yaml &&
	river extract-load plain.yaml && put drop/2026-11-23/ext.zip a,2 &&
	test_expect_code 6 river extract-load days.yaml 2>err && grep "2026-11-23/ext.zip would be older than ext-1.zip, which came by another" err && orders >out && grep "^a,1" out
'

test_expect_success 'an archive from outside the folders of the job has no place among the others' '
	fresh && days && put away/ext.zip all,9 &&
	test_expect_code 6 river extract-load days.yaml away/ext.zip 2>err && grep "away/ext.zip is not below the folders of the job" err && grep "put it where" err &&
	sed "s|ext.zip\"|&, order: time|" days.yaml >timed.yaml && river extract-load timed.yaml away/ext.zip && orders >out && grep "^all,9" out &&
	sed "s|drop/2.*|drop/*/ext.zip|; s|^source.*|source: { path: \"drop/*/ext.zip\" }|" flat.yaml >flats.yaml && river extract-load flats.yaml away/ext.zip
'

test_expect_success 'what was taken into one lake is not there in another one' '
	fresh && days && river extract-load days.yaml && river extract-load days.yaml --profile other &&
	orders --profile other >out && test_cmp all out &&
	river extract-load days.yaml --output json >out && grep "\"known\":3" out &&
	river extract-load days.yaml --profile other --output json >out && grep "\"known\":3" out
'

test_expect_success 'a lake that was emptied is filled again' '
	rm -rf lake w.duckdb && river extract-load days.yaml --output json >out && grep "\"taken\":3" out &&
	orders >out && test_cmp all out
'

test_expect_success 'an archive that is named does not make the others be forgotten' '
	put drop/2026-11-23/ext.zip all,3 k3,3 && river extract-load days.yaml drop/2026-11-23/ext.zip &&
	grep -h -o "drop/[^\"]*" state/extracts/days/seen-*.ndjson | sort -u >out && test_line_count = 4 out
'

test_expect_success 'a memory that is damaged or too long is only a memory' '
	for seen in state/extracts/days/seen-*.ndjson
	do
		printf "junk without an end" >>"$seen" || return 1
	done &&
	river extract-load days.yaml --output json >out && grep "\"taken\":0" out &&
	for seen in state/extracts/days/seen-*.ndjson
	do
		printf "\n\0\0\0\0\n" >zeros && cat zeros "$seen" >new && cp new "$seen" || return 1
	done &&
	river extract-load days.yaml --output json >out && grep "\"taken\":0" out &&
	put drop/2026-11-24/ext.zip k9,9 && river extract-load days.yaml --output json >out && grep "\"taken\":1" out &&
	for seen in state/extracts/days/seen-*.ndjson
	do
		truncate -s 65M "$seen" || return 1
	done &&
	river extract-load days.yaml --output json >out && grep "\"taken\":0" out && grep "\"known\":5" out
'

test_expect_success '83: a thousand archives are seen to be there as fast as they are listed' '
	fresh && put drop/00000.zip a,1 &&
	( cd drop && for a in 0 1 2 3 4 5 6 7 8 9
	  do
		mkdir $a && for b in 0 1 2 3 4 5 6 7 8 9
		do
			for c in 0 1 2 3 4 5 6 7 8 9
			do
				ln 00000.zip $a/$b$c.zip || exit 1
			done
		done
	  done ) &&
	sed "s,path: drop,path: \"drop/*/*.zip\"," flat.yaml >many.yaml &&
	river extract-load many.yaml --output json >out && grep "\"found\":1000" out && grep "\"taken\":1," out &&
	river extract-load many.yaml --output json >out && grep "\"known\":1000" out
'

test_expect_success '80: --check of a thousand numbers says before which ones others are missing' '
	fresh && put drop/e-1.zip a,1 &&
	( cd drop && i=2 && while test $i -le 1000; do ln e-1.zip e-$i.zip && i=$((i + 1)) || exit 1; done ) &&
	rm drop/e-500.zip drop/e-700.zip drop/e-701.zip &&
	sed "s|^source.*|source: { path: drop, sequence: \"e-{number}.zip\", order: number }|" flat.yaml >numbers.yaml &&
	timeout 60 "$RIVER_BUILD/river" extract-load numbers.yaml --check >out &&
	! grep "e-499.zip: .*missing" out && grep "e-501.zip: 500 before it is missing" out &&
	grep "e-1000.zip: 500 before it is missing" out &&
	river extract-load numbers.yaml --allow-gaps --output json >out 2>err &&
	grep "\"missing\":\[\[500,500\],\[700,701\]\]" out && grep "e-702.zip is taken, and 700 and 701 before it" err
'

test_expect_success '81: a damaged archive with a time to come is not waited for' '
	fresh && put good.zip a,1 && mkdir drop && head -c 60 good.zip >drop/cut.zip &&
	touch -d "next year" drop/cut.zip &&
	test_expect_code 9 river extract-load flat.yaml 2>err && grep "truncated" err &&
	touch drop/cut.zip && river extract-load flat.yaml --output json >out && grep "\"waiting\":1" out
'

test_expect_success 'an archive that cannot be looked at is not nothing to do' '
	fresh && mkdir drop && ln -s loop.zip drop/loop.zip &&
	test_expect_code 10 river extract-load flat.yaml 2>err && grep "loop.zip" err &&
	ln -sf gone.zip drop/loop.zip && river extract-load flat.yaml
'

# As root nothing is forbidden, so there a user without rights is asked to.
as_nobody () {
	if test "$(id -u)" -ne 0
	then
		"$@"
	else
		setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
	fi
}
test_lazy_prereq NOBODY '
	cp "$RIVER_BUILD/river" ./nobodys && as_nobody ./nobodys --version
'

test_expect_success NOBODY '81: folders that may not be read or searched are told of' '
	fresh && days && put drop/flat.zip a,1 && mkdir -p state lake && cp "$RIVER_BUILD/river" nobodys &&
	if test "$(id -u)" -eq 0; then chown -R 65534:65534 state lake || return 1; fi &&
	test_when_finished "chmod -R u+rwx drop; rm -rf state lake" &&
	chmod a-rwx drop/2026-11-21 && chmod a+rX drop &&
	test_expect_code 10 as_nobody ./nobodys extract-load days.yaml 2>err && test_grep "cannot be searched" err &&
	chmod u+rwx drop/2026-11-21 && chmod 444 drop &&
	test_expect_code 10 as_nobody ./nobodys extract-load flat.yaml 2>err &&
	test_grep "flat.zip: Permission denied" err &&
	chmod 000 drop &&
	test_expect_code 10 as_nobody ./nobodys extract-load days.yaml 2>err
'

test_expect_success '119: a row of nothing but delimiters takes little memory' '
	fresh && { printf "id,v\n" && head -c 15000000 /dev/zero | tr "\\0" , && printf "\na,1\n"; } >O.csv &&
	mkdir drop && "$make_zip" --pack drop/e.zip O.csv &&
	( { test_have_prereq SANITIZER || ulimit -v 400000; } && test_expect_code 7 river extract-load flat.yaml --max-rejects 1 --max-ratio 100000 2>err ) &&
	test_grep "more fields than a row may have" err && grep "\"v\":\"1\"" lake/loads/flat/*/*.ndjson
'

test_expect_success '130: rows that are set aside have their characters whole, and a bound in all' '
	fresh && mkdir drop && cat >bad.yaml <<-\YAML &&
	source: { path: drop }
	tables: { t: { member: "T*.csv", columns: { n: integer, s: string } } }
	loads: { t: { to: lake } }
	YAML
	a=$(printf "%059d" 0 | tr 0 a) && printf "n,s\n%s\303\251,1\n1,1\n" "$a" >T1.csv &&
	"$make_zip" --pack drop/1.zip T1.csv &&
	test_expect_code 7 river extract-load bad.yaml --max-rejects 1 2>err &&
	grep "\"reason\":\"n is not a number: .$a.\"" lake/_river/extracts/bad/*.rejects.ndjson &&
	{ printf "n,s\n" && yes "bad,$a$a$a$a$a$a$a$a" | head -n 60000; } >T1.csv && cp T1.csv T2.csv &&
	rm drop/1.zip && "$make_zip" --pack drop/2.zip T1.csv T2.csv &&
	test_expect_code 9 river extract-load bad.yaml --max-rejects 1000000 --max-ratio 100000 2>err &&
	test_grep "more than 64 MiB can hold; T[12].csv, line 2" err
'

test_done
