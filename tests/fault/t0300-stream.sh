#!/bin/sh
test_description='stream create, apply and delete, killed and failed at every call'
. "$(dirname "$0")/../lib/test-lib.sh"
. "$RIVER_SOURCE/tests/lib/fault-lib.sh"

cat >river.yaml <<\EOF
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
EOF
printf "stream: web/clicks\nkey: id\nbatch: { size: 1MiB }\n---\nstream: web/new\n" >both.yaml

nothing () {
	rm -rf lake
}
# Whatever a run left: lists and reads well, and the same command again ends it.
whole () {
	river stream list >names &&
	if test -s names
	then
		river stream show $(cat names) >shown || return 1
	fi
}
created () {
	whole &&
	river stream create web/clicks --key id >out &&
	echo web/clicks >expected &&
	river stream list >names &&
	test_cmp expected names &&
	test -z "$(find lake/_river/streams -type f ! -name "*.json" ! -name ".tmp-*")"
}
one () {
	rm -rf lake &&
	river stream create web/clicks --key id >out
}
# Each stream is as it was or as it shall be.
applied () {
	whole &&
	river stream show web/clicks >shown &&
	test_grep "size: \(64\|1\)MiB" shown &&
	river stream apply -f both.yaml >out &&
	river stream diff -f both.yaml &&
	river stream list >names &&
	test_line_count = 2 names
}
with_data () {
	one &&
	mkdir -p lake/data/web/clicks/dt=2026-01-01/hr=00 lake/data/web/other &&
	for i in 1 2 3 4 5
	do
		echo "{}" >lake/data/web/clicks/dt=2026-01-01/hr=00/$i || return 1
	done &&
	echo "{}" >lake/data/web/other/1
}
# Nothing is left but another stream's object, or all of the rest can still be removed.
deleted () {
	whole &&
	{
		river stream delete web/clicks --data --yes >out 2>err
		case $? in
		0|5) ;;
		*) return 1 ;;
		esac
	} &&
	test -z "$(find lake/data/web/clicks lake/_river/streams/web -type f ! -name ".tmp-*" 2>/dev/null)" &&
	test_path_is_file lake/data/web/other/1
}

test_expect_success '173: create, killed anywhere' '
	walk_kills nothing created river stream create web/clicks --key id
'

test_expect_success 'apply, killed anywhere' '
	walk_kills one applied river stream apply -f both.yaml
'

test_expect_success 'delete --data, killed anywhere' '
	walk_kills with_data deleted river stream delete web/clicks --data --yes
'

for fault in "write ENOSPC" "write EIO" "write short" "fsync EIO" "mkdir EACCES" "link EIO"
do
	set -- $fault
	test_expect_success "create and apply with $fault" "
		walk_fails $1 $2 once nothing created river stream create web/clicks --key id &&
		walk_fails $1 $2 once one applied river stream apply -f both.yaml
	"
done

test_done
