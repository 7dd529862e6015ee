#!/bin/sh
test_description='what surrounds a push changes nothing of it: languages, and a state folder that was copied'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, state: ./state, warehouse: { type: duckdb, path: ./w.duckdb } }
YAML

fresh () {
	rm -rf lake state w.duckdb* && river stream create web/clicks --key id --column id=integer \
		--column "price=decimal(10,2)" --column "seen=timestamp" >/dev/null
}
landed () {
	find lake/data -name '*.ndjson.zst' | sort | while read -r object
	do
		zstd -qdc "$object" || exit 1
	done
}

# look: everything that formats numbers, times and words, into one file; what differs from run to run is cut off
look () {
	fresh && river push --format json web/clicks <in &&
	{
		landed && river query --output csv "select id, price, seen from web.clicks_clean order by id" &&
		river query "select id, price from web.clicks_clean order by id" &&
		river status web/clicks && river stream show web/clicks && river help push && river help formats &&
		test_expect_code 2 river push --output XML web/clicks 2>&1 && test_expect_code 2 river push WEB/İI in 2>&1
	} >raw && sed -e "s/[0-9a-z]\{26\}/RUN/g" -e "s/[0-9]\{4\}-[0-9][0-9]-[0-9][0-9]T[0-9:.]*Z/TIME/g" -e "/^last run /d" raw
}

test_lazy_prereq LANGUAGES '
	command -v localedef && test -f /usr/share/i18n/locales/tr_TR && test -f /usr/share/i18n/locales/de_DE
'

# The languages are made here; a dotless i and a comma are what hurts.
test_expect_success LANGUAGES '22: the bytes are the same in Turkish and German' '
	printf "[{\"id\":1,\"price\":1234.50,\"seen\":\"2026-11-20T10:00:00Z\"},{\"id\":2,\"price\":0.07,\"seen\":\"2026-11-20T10:00:01Z\"}]" >in &&
	look >expected && test_grep "1234.50" expected &&
	mkdir locales &&
	for language in tr_TR de_DE
	do
		localedef -i $language -f UTF-8 "$PWD/locales/$language.UTF-8" &&
		(
			LOCPATH=$PWD/locales LC_ALL=$language.UTF-8 LANG=$language.UTF-8 LC_NUMERIC=$language.UTF-8 &&
			export LOCPATH LC_ALL LANG LC_NUMERIC && look >actual
		) && test_cmp expected actual || return 1
	done
'

# A machine that was cloned: both go on with the same state.
test_expect_success '56: a copied state folder: what waited lands once, what comes new lands all' '
	fresh && rm -rf clone && echo "{\"id\":1}" >one && echo "{\"id\":2}" >two && echo "{\"id\":3}" >three &&
	: "with a file in the way of its object it is sure to wait" && : >lake/data &&
	river push --wait spooled web/clicks <one && rm lake/data && cp -a state clone &&
	river push web/clicks <two && RIVER_STATE_DIR=$PWD/clone river push web/clicks <three &&
	landed | sort >got && cat one two three >expected && test_cmp expected got &&
	river spool list --output json >left && test_must_be_empty left &&
	RIVER_STATE_DIR=$PWD/clone river spool list --output json >left && test_must_be_empty left &&
	river status --check web/clicks >out
'
no_core () {
	grep -q "^Max core file size  *[01] " "/proc/$1/limits"
}
test_expect_success '199: no core is left of a process that knows keys' '
	fresh && mkfifo pipe &&
	{ (ulimit -S -c "$(ulimit -H -c)" && exec river push web/clicks <pipe >/dev/null 2>&1) & } && pid=$! &&
	test_when_finished "kill $pid 2>/dev/null; wait $pid 2>/dev/null; :" &&
	exec 9>pipe && echo "{\"id\":1}" >&9 && test_wait_until 30 no_core $pid && exec 9>&- && wait $pid
'

test_done
