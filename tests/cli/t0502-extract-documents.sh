#!/bin/sh
test_description='extract-load: nested documents of an extract, into the lake'
. "$(dirname "$0")/../lib/test-lib.sh"

make_zip=$RIVER_BUILD/tests/lib/make_zip
RIVER_STATE_DIR=$PWD/state
export RIVER_STATE_DIR

cat >river.yaml <<\YAML
profiles:
  local: { lake: ./lake, warehouse: { type: none } }
YAML
cat >shop.yaml <<\YAML
source: { path: shop.zip }
tables:
  customers: { member: customers.csv, key: [customer_id], columns: { customer_id: string, name: string } }
  orders:
    member: orders.csv
    key: [order_id]
    columns: { order_id: integer, customer_id: string, placed: date, total: "decimal(18,2)" }
  lines:
    member: "lines*.csv"
    key: [order_id, line_no]
    columns: { order_id: integer, line_no: integer, sku: string }
  returns: { member: returns.csv, key: [return_id], columns: { return_id: string, order_id: integer, line_no: integer } }
documents:
  order:
    root: orders
    scope: extract
    complete: true
    target: { lake: true }
    nest:
      customer: { table: customers, on: [customer_id] }
      lines:
        many: true
        on: [order_id]
        order_by: [line_no]
        nest: { returns: { many: true, on: [order_id, line_no] } }
YAML
pack () {
	"$make_zip" --pack shop.zip customers.csv orders.csv "$@" returns.csv
}
fresh () {
	rm -rf lake state
}
documents () {
	zstd -qdc lake/loads/shop/*/documents-order-*.zst | sort
}

test_expect_success 'orders with their customer, lines in order, and returns' '
	printf "customer_id,name\nC1,Ada \"\"A\"\"\nC2,Bob\n" | sed "s/Ada.*/\"&\"/" >customers.csv &&
	printf "order_id,customer_id,placed,total\n10,C1,2024-01-02,1.50\n2,C2,2024-01-01,3\n3,,2024-01-03,\n" >orders.csv &&
	printf "order_id,line_no,sku\n10,10,x\n10,9,y\n" >lines1.csv &&
	printf "order_id,line_no,sku\n2,1,z\n" >lines2.csv &&
	printf "return_id,order_id,line_no\nR1,10,9\nR2,10,9\n" >returns.csv &&
	pack lines1.csv lines2.csv &&
	river extract-load shop.yaml >out 2>err && test_must_be_empty out && test_must_be_empty err &&
	documents >have &&
	cat >want <<-\JSON &&
	{"order_id":10,"customer_id":"C1","placed":"2024-01-02","total":1.50,"customer":{"name":"Ada \"A\""},"lines":[{"line_no":9,"sku":"y","returns":[{"return_id":"R1"},{"return_id":"R2"}]},{"line_no":10,"sku":"x","returns":[]}]}
	{"order_id":2,"customer_id":"C2","placed":"2024-01-01","total":3,"customer":{"name":"Bob"},"lines":[{"line_no":1,"sku":"z","returns":[]}]}
	{"order_id":3,"customer_id":null,"placed":"2024-01-03","total":null,"customer":null,"lines":[]}
	JSON
	test_cmp want have &&
	grep documents-order-0001 lake/loads/shop/*/documents-order.manifest
'

test_expect_success 'columns of on are not repeated in nested objects; one that is wanted there is kept under two names' '
	documents >have && ! grep "\"lines\":.*\"order_id\"" have && ! grep "\"customer\":{\"customer_id\"" have &&
	sed "s/columns: { order_id: integer, line_no: integer, sku: string }/columns: { order_id: integer, of: { type: integer, from: order_id }, line_no: integer }/" shop.yaml >twice.yaml &&
	river extract-load twice.yaml && zstd -qdc lake/loads/twice/*/documents-order-*.zst >have &&
	grep "\"lines\":\[{\"of\":2,\"line_no\":1,\"returns\":\[\]}\]" have
'

test_expect_success 'again changes nothing' '
	river extract-load shop.yaml --output json >out && grep "\"known\":1" out
'

test_expect_success '145: the order of members and rows changes no byte' '
	zstd -qdc lake/loads/shop/*/documents-order-*.zst >want &&
	for round in 1 2 3
	do
		fresh &&
		for table in customers orders lines1 lines2 returns
		do
			{ head -n 1 $table.csv && tail -n +2 $table.csv | shuf; } >$table.new && mv $table.new $table.csv || return 1
		done &&
		"$make_zip" --pack shop.zip returns.csv lines2.csv lines1.csv orders.csv customers.csv &&
		river extract-load shop.yaml --threads $round &&
		zstd -qdc lake/loads/shop/*/documents-order-*.zst >have && test_cmp want have || return 1
	done
'

test_expect_success '139: orphans, missing parents and several where one may be are told, with the first' '
	fresh &&
	printf "order_id,line_no,sku\n99,1,lost\n10,1,a\n" >lines1.csv && pack lines1.csv &&
	printf "customer_id,name\nC1,Ada\nC1,Eve\n" >customers.csv && pack lines1.csv &&
	river extract-load shop.yaml --output json >out 2>err &&
	grep "documents.order: 1 rows without parent in lines, the first: 99" err &&
	grep "documents.order: 1 keys with several rows where one may be in customer, the first: C1" err &&
	grep "documents.order: 1 that found no row in customer, the first: C2" err &&
	grep "\"lines\":{\"orphans\":1," out && grep "\"documents\":3" out
'

test_expect_success 'extract without complete, history without tables: refused' '
	sed "/complete/d" shop.yaml >slip.yaml &&
	test_expect_code 3 river extract-load slip.yaml 2>err && grep "needs .complete: true" err &&
	sed "/complete/d; s/scope: extract/scope: history/" shop.yaml >slip.yaml &&
	test_expect_code 3 river extract-load slip.yaml 2>err
'

test_done
