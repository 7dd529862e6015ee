#!/bin/sh
test_description='a file that is not what the stream takes is named, and nothing of it lands'
. "$(dirname "$0")/../lib/test-lib.sh"

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML

refused () {
	test_expect_code 9 river push shop/csv "$1" 2>err &&
	test_grep "$2" err && test_grep "$3" err &&
	! find lake/data -type f 2>/dev/null | grep .
}

test_expect_success 'a delimiter, JSON, a workbook' '
	river stream create shop/csv --format csv >/dev/null &&
	printf "id;text\n1;a,b\n" >semicolon.csv &&
	refused semicolon.csv "separated by .;." "csv-delimiter .;." &&
	printf "id\ttext\n1\ta\n" >tab.csv && refused tab.csv "by tabs" "csv-delimiter tab" &&
	printf "sep=;\nid;text\n1;a\n" >excel.csv && refused excel.csv "sep=;" "tail -n +2" &&
	printf "{\"id\":1}\n{\"id\":2}\n" >x.ndjson && refused x.ndjson "looks like JSON" "format ndjson" &&
	printf "PK\003\004\024" >book.xlsx && refused book.xlsx "zip archive" "as CSV"
'

test_expect_success 'with what the hints say they land' '
	river push shop/csv --csv-delimiter ";" semicolon.csv &&
	river push shop/csv --csv-delimiter tab tab.csv &&
	tail -n +2 excel.csv | river push shop/csv --csv-delimiter ";" &&
	river push shop/csv --format ndjson x.ndjson &&
	find lake/data -type f >objects && test_line_count = 4 objects
'

test_done
