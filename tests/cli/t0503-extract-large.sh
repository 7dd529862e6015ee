#!/bin/sh
test_description='extract-load of a large archive: every row and every cent of it, in bounded memory'
. "$(dirname "$0")/../lib/test-lib.sh"

RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR
bench=$RIVER_BUILD/tests/bench
tables='customers addresses products orders order_lines payments shipments'

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML
sed '/^documents:/,$d; s/^job: .*/job: tables/' "$RIVER_SOURCE/tests/bench/documents.yaml" >tables.yaml
echo loads: >>tables.yaml
for table in $tables
do
	echo "  $table: { to: lake, compression: zstd }" >>tables.yaml
done
cp "$RIVER_SOURCE/tests/bench/documents.yaml" documents.yaml

make_zip=$RIVER_BUILD/tests/lib/make_zip
test_lazy_prereq ZIP 'command -v zip'

# generate CUSTOMERS PACK...: the generator reports what it wrote: rows of each table, and sums in cents
generate () {
	rm -rf csv lake state extract.zip && mkdir csv &&
	"$bench/gen_warehouse" csv "$1" >counts.json && shift &&
	(cd csv && "$@" ../extract.zip *.csv) &&
	bytes=$(cat csv/*.csv | wc -c) && rm -rf csv
}
said () {
	sed "s/.*\"$1\":\([0-9]*\).*/\1/" counts.json
}
# peak_of COMMAND...: MiB that its process and those it started have had resident, each at its most, together
peak_of () {
	"$@" >out 2>err &
	peak=$!
	: >peaks
	while kill -0 "$peak" 2>/dev/null
	do
		for process in $peak $(cat /proc/$peak/task/*/children 2>/dev/null)
		do
			sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/$process \1/p" "/proc/$process/status" 2>/dev/null
		done >>peaks
		sleep 0.05
	done
	wait "$peak" &&
	awk '$2 > most[$1] { most[$1] = $2 } END { for (p in most) kib += most[p]; printf "%d\n", kib / 1024 }' peaks >mib
}
# cents FIELD: of a number with two decimals in each line of standard input: their sum, and the lines
cents () {
	awk -F "\"$1\":" '{ sum += int($2 * 100 + 0.5); n++ } END { printf "%.0f %d\n", sum, n }'
}
rows_are_there () {
	for table in $tables
	do
		test "$(cat lake/loads/tables/*/"$table"-*.zst | zstd -qdc | wc -l)" -eq "$(said $table)" || return 1
	done
	cat lake/loads/tables/*/order_lines-*.zst | zstd -qdc | cents amount >have &&
	echo "$(said line_cents) $(said order_lines)" >want && test_cmp want have &&
	cat lake/loads/tables/*/payments-*.zst | zstd -qdc | cents amount >have &&
	echo "$(said payment_cents) $(said payments)" >want && test_cmp want have
}
# Each of a document's lists has its own marks.
documents_are_there () {
	cat lake/loads/documents/*/documents-customer-*.zst | zstd -qdc |
		grep -oE '^\{"customer_id":|"(order|line|payment|shipment|address)_id":|"sku":' |
		awk '{ n[$0]++ } END { for (mark in n) printf "%s %d\n", mark, n[mark] }' | sort >have &&
	cat >want <<-EOW &&
	"address_id": $(said addresses)
	"line_id": $(said order_lines)
	"order_id": $(said orders)
	"payment_id": $(said payments)
	"shipment_id": $(said shipments)
	"sku": $(said order_lines)
	{"customer_id": $(said customers)
	EOW
	test_cmp want have
}
taken () {
	peak_of river extract-load "$@" && test_must_be_empty out && test_must_be_empty err
}

test_expect_success 'all rows of an archive, in tables and in documents' '
	generate 2000 "$make_zip" --pack && taken tables.yaml extract.zip && rows_are_there &&
	taken documents.yaml extract.zip --max-memory 8MiB && documents_are_there
'

test_expect_success 'a row that is missing would be noticed' '
	sed "s/\(\"order_lines\":\)\([0-9]*\)/\11\2/" counts.json >counts.new && cp counts.json counts.old &&
	mv counts.new counts.json && ! rows_are_there && ! documents_are_there && mv counts.old counts.json
'

test_expect_success DEEP,ZIP,!SANITIZER '4 GiB of rows, in less than 256 MiB' '
	generate 2750000 zip -q -1 && test "$bytes" -gt 4294967296 &&
	taken tables.yaml extract.zip && test "$(cat mib)" -le 256 && rows_are_there && rm -rf lake
'

test_expect_success DEEP,ZIP,!SANITIZER 'documents of them, under 512 MiB' '
	taken documents.yaml extract.zip --max-memory 512MiB && test "$(cat mib)" -le 768 && documents_are_there
'

test_done
