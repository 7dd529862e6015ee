#!/bin/sh
test_description='streams by the hundred: one file, a folder, pages, tables made in one go'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\EOF
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
  tables: { lake: ./tables-lake, warehouse: { type: duckdb, path: ./w.duckdb } }
EOF
test_lazy_prereq DUCKDB 'river --profile tables stream create any -n --sql'

# definitions FROM TO: one document each, numbered so that they sort
definitions () {
	i=$1
	while test $i -le $2
	do
		printf -- "---\nstream: web/s%04d\nkey: [id]\ncolumns: { id: integer }\n" $i &&
		i=$((i + 1)) || return 1
	done
}

test_expect_success 'one file of 600 definitions, and the same as 600 files' '
	definitions 1 600 >all.yaml &&
	river stream apply -f all.yaml >out 2>err &&
	test_must_be_empty err &&
	test_line_count = 600 out &&
	grep ": created$" out >created &&
	test_line_count = 600 created &&
	mkdir folder &&
	for n in $(seq 1 600)
	do
		definitions $n $n >folder/s$n.yaml || return 1
	done &&
	river stream apply -f folder >out &&
	grep ": unchanged$" out >unchanged &&
	test_line_count = 600 unchanged &&
	river stream diff -f folder >out &&
	test_must_be_empty out
'

test_expect_success 'pages of the list are the list' '
	river stream list >whole &&
	seq -f "web/s%04g" 1 600 >expected &&
	test_cmp expected whole &&
	: >pages &&
	after= &&
	for page in 1 2 3 4 5
	do
		river stream list --limit 130 ${after:+--after $after} >page &&
		cat page >>pages &&
		after=$(tail -n 1 page) || return 1
	done &&
	test_line_count = 80 page &&
	test_cmp expected pages &&
	river stream list --limit 130 --after $after >page &&
	test_must_be_empty page
'

test_expect_success 'pruning finds the one without a definition among many' '
	definitions 1 300 >most.yaml &&
	definitions 302 600 >>most.yaml &&
	river stream apply -f most.yaml --prune >out &&
	grep -v ": unchanged$" out >rest &&
	echo "web/s0301: deleted" >expected &&
	test_cmp expected rest &&
	river stream list >out &&
	test_line_count = 599 out
'

test_expect_success 'a file that is too large says that a folder may be larger' '
	{
		definitions 1 1 &&
		awk "BEGIN { for (i = 0; i < 40000; i++) print \"# filler filler filler filler\" }"
	} >large.yaml &&
	test_expect_code 3 river stream apply -f large.yaml >out 2>err &&
	test_must_be_empty out &&
	test_grep "larger than 1048576 bytes" err &&
	test_grep "several files of one folder" err
'

test_expect_success DUCKDB 'apply makes the tables of all that were created or changed' '
	definitions 1 60 >some.yaml &&
	river --profile tables stream apply -f some.yaml >out 2>err &&
	test_must_be_empty err &&
	test_line_count = 60 out &&
	river --profile tables query --output csv \
		"select count(*) as n from information_schema.tables
		 where table_schema = '\''web'\'' and table_name like '\''s00%_clean'\''" >out &&
	printf "n\n60\n" >expected &&
	test_cmp expected out &&
	sed "s/id: integer/id: integer, n: integer/" some.yaml >changed.yaml &&
	river --profile tables stream apply -f changed.yaml >out 2>err &&
	test_must_be_empty err &&
	grep ": updated$" out >updated &&
	test_line_count = 60 updated &&
	river --profile tables query --output csv \
		"select count(*) as n from information_schema.columns
		 where table_schema = '\''web'\'' and table_name like '\''s00%_clean'\''
		 and column_name = '\''n'\''" >out &&
	test_cmp expected out
'

test_expect_success DUCKDB 'one table that cannot be made is named, the others are made' '
	river --profile tables query --write "create view web.s0102_clean as select 1 as one" >out &&
	definitions 101 103 >three.yaml &&
	river --profile tables stream apply -f three.yaml >out 2>err &&
	test_line_count = 3 out &&
	test_grep "the tables of web/s0102 follow at the next load" err &&
	test_line_count = 1 err &&
	river --profile tables query --output csv \
		"select table_name from information_schema.tables where table_schema = '\''web'\''
		 and table_name like '\''s010_'\'' order by 1" >out &&
	printf "table_name\ns0101\ns0103\n" >expected &&
	test_cmp expected out
'

test_done
