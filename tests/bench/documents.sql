-- What documents.yaml says, in SQL: @ is the folder of the extract. The view is what river's documents are
-- compared with, and what DuckDB is measured with.
CREATE VIEW documents AS
WITH l AS (
	SELECT order_id, list({'line_id': line_id, 'position': position, 'product_id': l.product_id, 'quantity': quantity,
		'price': l.price, 'discount': discount, 'amount': amount,
		'product': CASE WHEN p.product_id IS NULL THEN NULL ELSE {'sku': sku, 'title': title} END} ORDER BY position) AS lines
	FROM read_csv('@/order_lines.csv', types = {'price': 'DECIMAL(18,2)', 'amount': 'DECIMAL(18,2)'}) l
	LEFT JOIN read_csv('@/products.csv', types = {'sku': 'VARCHAR', 'title': 'VARCHAR'}) p USING (product_id) GROUP BY order_id),
p AS (
	SELECT order_id, list({'payment_id': payment_id, 'method': method, 'amount': amount, 'currency': currency,
		'state': state, 'receipt': receipt, 'paid_at': paid_at} ORDER BY payment_id) AS payments
	FROM read_csv('@/payments.csv', types = {'amount': 'DECIMAL(18,2)'}) GROUP BY order_id),
s AS (
	SELECT order_id, list({'shipment_id': shipment_id, 'carrier': carrier, 'tracking': tracking, 'state': state,
		'sent_at': sent_at, 'arrived_at': arrived_at} ORDER BY shipment_id) AS shipments
	FROM read_csv('@/shipments.csv', types = {'tracking': 'VARCHAR'}) GROUP BY order_id),
o AS (
	SELECT customer_id, list({'order_id': o.order_id, 'reference': reference, 'state': state, 'channel': channel,
		'currency': currency, 'net': net, 'vat': vat, 'gross': gross, 'remark': remark, 'ordered_at': ordered_at,
		'changed_at': changed_at, 'lines': coalesce(lines, []), 'payments': coalesce(payments, []),
		'shipments': coalesce(shipments, [])} ORDER BY o.order_id) AS orders
	FROM read_csv('@/orders.csv', types = {'net': 'DECIMAL(18,2)', 'vat': 'DECIMAL(18,2)', 'gross': 'DECIMAL(18,2)'}) o
	LEFT JOIN l USING (order_id) LEFT JOIN p USING (order_id) LEFT JOIN s USING (order_id) GROUP BY customer_id),
a AS (
	SELECT customer_id, list({'address_id': address_id, 'purpose': purpose, 'street': street, 'zip': zip, 'town': town,
		'country': country, 'since': since, 'preferred': preferred} ORDER BY address_id) AS addresses
	FROM read_csv('@/addresses.csv', types = {'zip': 'VARCHAR'}) GROUP BY customer_id)
SELECT c.*, coalesce(addresses, []) AS addresses, coalesce(orders, []) AS orders
FROM read_csv('@/customers.csv', types = {'credit': 'DECIMAL(18,2)', 'tax_no': 'VARCHAR', 'phone': 'VARCHAR'}) c
LEFT JOIN a USING (customer_id) LEFT JOIN o USING (customer_id)
