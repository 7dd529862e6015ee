#!/bin/sh
test_description='query: members of a ZIP archive as tables, read without unpacking them to disk'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip

test_expect_success 'members are tables, named by their file names' '
	mkdir EXPORT &&
	printf "id,customer,placed\n1,7,2026-01-02\n2,8,2026-01-03\n" >EXPORT/Orders-2026.csv &&
	printf "{\"id\":7,\"name\":\"x\"}\n{\"id\":8,\"name\":null}\n" >customers.ndjson &&
	printf "not a table\n" >README.md &&
	"$make_zip" --pack extract.zip README.md EXPORT/Orders-2026.csv customers.ndjson &&
	river --output csv query --from extract.zip \
		"select o.id, c.name, placed + 1 as day from orders_2026 o join customers c on c.id = o.customer order by 1" >out &&
	printf "id,name,day\n1,x,2026-01-03\n2,,2026-01-04\n" >want &&
	test_cmp want out &&
	river --output csv query --from extract.zip "show tables" >out &&
	printf "name\ncustomers\norders_2026\nt\n" >want &&
	test_cmp want out
'

test_expect_success 'the first one is t; with files and operands too' '
	river --output csv query --from extract.zip "select count(*) n from t" >out &&
	printf "n\n2\n" >want &&
	test_cmp want out &&
	printf "id,what\n7,file\n" >notes.csv &&
	river --output csv query --from notes.csv extract.zip \
		"select name, what from customers join notes using (id)" >out &&
	printf "name,what\nx,file\n" >want &&
	test_cmp want out
'

test_expect_success 'tables of one name in two folders have the names of their folders' '
	mkdir -p jan feb &&
	printf "a\n1\n" >jan/x.csv && printf "a\n2\n" >feb/x.csv &&
	"$make_zip" --pack two.zip jan/x.csv feb/x.csv &&
	river --output csv query --from two.zip "select x.a, y.a from x, feb_x y" >out &&
	printf "a,a\n1,2\n" >want &&
	test_cmp want out
'

test_expect_success 'an archive by what it begins with' '
	cp extract.zip download &&
	river --output csv query --from download "select count(*) n from orders_2026" >out &&
	printf "n\n2\n" >want &&
	test_cmp want out
'

# one table each, hard to read
make_files () {
	mkdir -p files &&
	perl -e "
		print qq(id,text,amount,day,at,yes\r\n);
		for (1 .. 30000) {
			my \$t = \$_ % 5 == 0 ? qq(\"say \"\"\$_\"\", twice\r\nand on\") : \$_ % 7 == 0 ? q() : \$_ % 11 == 0 ? q(\"\") : qq(plain \$_);
			printf qq(%d,%s,%.2f,2026-%02d-%02d,2026-01-01 %02d:00:00,%s\r\n), \$_, \$t, \$_ / 7, 1 + \$_ % 12, 1 + \$_ % 28, \$_ % 24, \$_ % 2 ? q(true) : q(false);
		}" >files/hard.csv &&
	perl -e "print qq(day;what\n); printf qq(%02d.%02d.2026;\"x;%d\"\n), 1 + \$_ % 28, 1 + \$_ % 12, \$_ for 1 .. 3000" >files/german.csv &&
	perl -e "print qq(a\tb\n); print qq(\$_\tx \$_\n) for 1 .. 300" >files/tabs.tsv &&
	printf "\357\273\277name,n\nJosé,1\n" >files/bom.csv &&
	printf "only\n1\n\n3\n" >files/single.csv &&
	printf "a,b\n1,2\n\n3,4" >files/blank.csv &&
	printf "a,b\n" >files/header.csv &&
	printf "a|b\n%sx%s%sy%s|2\n" "\047" "\047" "\047" "\047" >files/pipes.csv &&
	perl -e "for (1 .. 5000) { printf qq({\"id\":%d,\"o\":{\"k\":[%d,2],\"s\":\"x\"},\"at\":\"2026-01-02T03:04:05Z\",\"f\":%s,\"z\":null}\n), \$_, \$_, \$_ % 2 ? \$_ : \$_ / 8 }" >files/deep.ndjson
}

test_expect_success 'rows and types are those of the same files' '
	make_files &&
	(cd files && "$make_zip" --pack ../files.zip *) &&
	for file in files/*
	do
		name=$(basename ${file%.*}) &&
		for sql in "select * from $name" "select count(*) from $name" "describe $name"
		do
			river --output csv query --from $file "$sql" >want &&
			river --output csv query --from files.zip "$sql" >out &&
			# in JSON a column without a value has no type, and times in the ISO form are texts or times alike
			{ test $name = deep && test "$sql" = "describe deep" || test_cmp want out; } || return 1
		done || return 1
	done &&
	river --output csv query --from files.zip "select count(*) n, sum(id) s, count(distinct text) t from hard" >out &&
	printf "n,s,t\n30000,450015000,24702\n" >want &&
	test_cmp want out
'

test_expect_success 'JSON: columns that come late, values of several kinds, dates' '
	perl -e "
		printf qq({\"a\":%d,\"day\":\"2026-01-02\",\"n\":{\"x\":%d}}\n), \$_, \$_ for 1 .. 25000;
		print qq({\"late\":\"here\",\"a\":1.5,\"n\":{\"x\":\"text\",\"y\":1}}\n), qq( \n), qq({\"NULL\":null}\n);
	" >mixed.ndjson &&
	"$make_zip" --pack mixed.zip mixed.ndjson &&
	river --output csv query --from mixed.zip \
		"select count(late) l, sum(a) s, max(day) + 1 d, count(n) n, max(n.y) y, count(*) c from mixed" >out &&
	printf "l,s,d,n,y,c\n1,312512501.5,2026-01-03,25001,1,25002\n" >want &&
	test_cmp want out
'

test_expect_success 'members packed once more' '
	gzip -k -c files/german.csv >german.csv.gz && zstd -q files/deep.ndjson -o deep.ndjson.zst &&
	"$make_zip" --pack packed.zip german.csv.gz deep.ndjson.zst &&
	river --output csv query --from packed.zip "select (select count(*) from german) g, (select count(*) from deep) d" >out &&
	printf "g,d\n3000,5000\n" >want &&
	test_cmp want out
'

test_expect_success 'a query may stop early, and read a table twice' '
	river --output csv query --from files.zip "select id from hard limit 1" >out &&
	printf "id\n1\n" >want &&
	test_cmp want out &&
	river --output csv query --from files.zip "select count(*) n from hard a join hard b using (id)" >out &&
	printf "n\n30000\n" >want &&
	test_cmp want out
'

test_lazy_prereq STRACE 'command -v strace && strace -o /dev/null true'

test_expect_success STRACE 'nothing is unpacked to disk' '
	ASAN_OPTIONS=detect_leaks=0 strace -f -e trace=openat,open,creat,mkdir,mkdirat -o trace river --output csv query \
		--from files.zip "select count(*) n from hard" >out &&
	{ grep -E "O_CREAT|O_WRONLY|O_RDWR|creat\(|mkdir" trace | grep -v -E "\"/dev/null\"|EEXIST|[.]profraw" >written || :; } &&
	test_must_be_empty written &&
	printf "n\n30000\n" >want &&
	test_cmp want out
'

test_expect_success 'of very many members those are read that the SQL mentions' '
	mkdir many && (cd many && for i in $(seq 100); do printf "a\n$i\n" >m$i.csv || return 1; done) &&
	(cd many && "$make_zip" --pack ../many.zip *.csv) &&
	river --output csv query --from many.zip "select a from M77" >out &&
	printf "a\n77\n" >want &&
	test_cmp want out &&
	test_expect_code 2 river query --from many.zip "select a from m101" 2>err
'

test_expect_success 'a line that does not fit is an error with its place' '
	printf "a,b\n1,2\n3\n" >ragged.csv &&
	perl -e "print qq(a,b\n); print qq(1,\"x\ny\"\n) for 1 .. 500000; print qq(1,2,3\n)" >late.csv &&
	perl -e "print qq(a,b\n); print qq(1,2\n) for 1 .. 1200000; print qq(1,\"open\n)" >open.csv &&
	perl -e "print qq(a,b\n); print qq(1,2\n) for 1 .. 1200000; print qq(1,caf\xe9\n)" >latin.csv &&
	printf "{\"a\":1}\nnot json\n" >lines.ndjson &&
	"$make_zip" --pack bad.zip late.csv open.csv latin.csv lines.ndjson &&
	test_expect_code 9 river query --from bad.zip "select count(b) from late" 2>err &&
	test_grep "bad.zip: late.csv: line 1000002: it has 3 fields, and there are 2 columns" err &&
	test_expect_code 9 river query --from bad.zip "select count(b) from open" 2>err &&
	test_grep "bad.zip: open.csv: line 1200002: a quoted field does not end" err &&
	test_expect_code 9 river query --from bad.zip "select count(b) from latin" 2>err &&
	test_grep "bad.zip: latin.csv: line 1200002: it is not UTF-8" err &&
	test_expect_code 9 river query --from bad.zip "select count(*) from lines" 2>err &&
	test_grep "bad.zip: lines.ndjson: line 2: it is no JSON object" err
'

test_expect_success 'a value that does not fit its type says so; as_text has it' '
	perl -e "print qq(a,b\n); print qq(1,2\n) for 1 .. 1200000; print qq(n/a,2\n)" >types.csv &&
	"$make_zip" --pack types.zip types.csv &&
	test_expect_code 1 river query --from types.zip "select sum(a) from types" 2>err &&
	test_grep "Could not convert string .n/a. to INT64" err &&
	test_grep "as_text" err &&
	river --output csv query --from types.zip "select a, count(*) n from as_text.types group by 1 order by 1" >out &&
	printf "a,n\n1,1200000\nn/a,1\n" >want &&
	test_cmp want out
'

# number in the name: the row of the catalogue of faults
for case in 87-truncated 88-end-missing 90-crc 91-name 92-smaller 94-hidden 95-two 96-same 97-up 98-link 100-one \
	101-implode 102-bomb 103-quoted 104-in-gzip 105-missing 107-nothing 107-empty 107-page 109-disks
do
	test_expect_success "fault $case: refused, naming the archive" '
		if test $case = 87-truncated
		then
			head -c 300 files.zip >x.zip
		else
			"$make_zip" $case x.zip
		fi &&
		test_expect_code 9 river --output csv query --from x.zip \
			"select (select count(*) from a), (select count(*) from b)" >out 2>err &&
		test_must_be_empty out &&
		test_grep "^river: .*x.zip: " err
	'
done

test_expect_success 'archives that hold no table, files that are none' '
	"$make_zip" --pack none.zip README.md &&
	test_expect_code 9 river query --from none.zip "select 1" 2>err &&
	test_grep "none.zip: it holds no table" err &&
	test_grep "\.csv, \.tsv, \.txt, \.ndjson or \.jsonl" err &&
	: >empty.csv &&
	"$make_zip" --pack empty.zip empty.csv &&
	test_expect_code 9 river query --from empty.zip "select 1" 2>err &&
	test_expect_code 5 river query --from gone.zip "select 1" 2>err &&
	test_grep "gone.zip" err
'

test_expect_success 'SQL reads no files beside the archive' '
	test_expect_code 2 river query --from extract.zip "select * from read_csv(\$\$$PWD/notes.csv\$\$)" 2>err &&
	test_grep "neither reads nor writes files" err
'

test_done
