/* Documents out of rows: every shape, against a composer that is as simple as can be; no order of rows, no
 * amount of memory and no number of threads changes a byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "flow/compose.h"
#include "flow/compose_impl.h"
#include "format/packed_row.h"

#define MIB ((uint64_t)1 << 20)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- rows and documents ---- */

struct row {
	size_t table;
	char *bytes;
	size_t len;
};
struct rows {
	struct row *items;
	size_t count, capacity;
};
struct documents {
	char **items;
	size_t count, capacity;
	size_t fail_at;              /* 0: never */
};

static void rows_release(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->items[i].bytes);
	free(rows->items);
}

static void documents_release(struct documents *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		free(documents->items[i]);
	free(documents->items);
	*documents = (struct documents){ 0 };
}

/* "1,a,~": cells with commas between, ~ is null; which are literals the table says. */
static void add(struct rows *rows, const struct rv_compose_table *tables, size_t table, const char *text)
{
	struct rv_strbuf row = RV_STRBUF_INIT;
	const char *p = text;

	for (size_t i = 0; i < tables[table].columns_count; i++) {
		size_t len = strcspn(p, ",");

		if (len == 1 && *p == '~')
			rv_packed_put_null(&row);
		else if (tables[table].columns[i].literal)
			rv_packed_put_literal(&row, p, len);
		else
			rv_packed_put_text(&row, p, len);
		p += len;
		assert_true(i + 1 < tables[table].columns_count ? *p == ',' : *p == '\0');
		p += *p == ',';
	}
	RV_GROW(rows->items, rows->count, rows->capacity);
	rows->items[rows->count] = (struct row){ .table = table, .len = row.len };
	rows->items[rows->count++].bytes = rv_strbuf_take(&row);
}

static enum rv_status keep(void *arg, const struct rv_compose_document *document, struct rv_error *err)
{
	struct documents *documents = arg;

	if (documents->fail_at && documents->count + 1 == documents->fail_at)
		return rv_fail(err, RV_CONFLICT, "no more of them");
	RV_GROW(documents->items, documents->count, documents->capacity);
	documents->items[documents->count++] = rv_strndup(document->json, document->len);
	return RV_OK;
}

static enum rv_status count_only(void *arg, const struct rv_compose_document *document,
				 struct rv_error *err RV_UNUSED)
{
	uint64_t *bytes = arg;

	*bytes += document->len;
	return RV_OK;
}

static struct rv_compose *composer(const struct rv_compose_spec *spec, uint64_t memory, unsigned threads)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_compose *compose = NULL;
	struct rv_compose_params params = {
		.max_memory_bytes = memory,
		.spill_folder = ".",
		.threads = threads,
	};

	if (rv_compose_new(spec, &params, &compose, &err) != RV_OK)
		fail_msg("%s", err.message);
	return compose;
}

static void feed(struct rv_compose *compose, const struct rows *rows)
{
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < rows->count; i++)
		if (rv_compose_row(compose, rows->items[i].table, rows->items[i].bytes, rows->items[i].len,
				   &err) != RV_OK)
			fail_msg("%s", err.message);
}

static struct rv_compose *composed(const struct rv_compose_spec *spec, const struct rows *rows, uint64_t memory,
				   unsigned threads, struct documents *documents)
{
	struct rv_compose *compose = composer(spec, memory, threads);
	struct rv_error err = RV_ERROR_INIT;

	feed(compose, rows);
	if (rv_compose_finish(compose, keep, documents, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(rv_compose_totals(compose)->documents, documents->count);
	assert_int_equal(compose->memory.waiting, 0);
	return compose;
}

static void assert_same(const struct documents *a, const struct documents *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		assert_string_equal(a->items[i], b->items[i]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_documents(struct documents *documents)
{
	qsort(documents->items, documents->count, sizeof(*documents->items), by_text);
}

/* ---- shops: customers, their addresses and orders, lines with products, payments, returns of lines ---- */

enum { CUSTOMERS, ADDRESSES, ORDERS, LINES, PRODUCTS, INVOICES, RETURNS, TABLES };
#define NUM(n) { .name = n, .literal = true, .number = true }
#define TXT(n) { .name = n }
static const struct rv_compose_column customer_columns[] = { NUM("id"), TXT("name") };
static const struct rv_compose_column address_columns[] = { NUM("id"), NUM("customer"), TXT("city") };
static const struct rv_compose_column order_columns[] = { NUM("id"), NUM("customer"), TXT("note") };
static const struct rv_compose_column line_columns[] = { NUM("id"), NUM("order"), NUM("product"), NUM("amount") };
static const struct rv_compose_column product_columns[] = { NUM("id"), TXT("name") };
static const struct rv_compose_column invoice_columns[] = { TXT("no"), NUM("order") };
static const struct rv_compose_column return_columns[] = { NUM("id"), NUM("line"), TXT("why") };
static const size_t first[] = { 0 };
#define TABLE(n, c) { .name = n, .columns = c, .columns_count = COUNT(c), .key = first, .key_count = 1 }
static const struct rv_compose_table shop_tables[] = {
	TABLE("customers", customer_columns), TABLE("addresses", address_columns),
	TABLE("orders", order_columns),	      TABLE("lines", line_columns),
	TABLE("products", product_columns),   TABLE("invoices", invoice_columns),
	TABLE("returns", return_columns),
};
static const struct rv_compose_on on_customer[] = { { .child = 1, .parent = 0 } };
static const struct rv_compose_on on_first[] = { { .child = 1, .parent = 0 } };
static const struct rv_compose_on on_product[] = { { .child = 0, .parent = 2 } };
static const struct rv_compose_order by_amount[] = { { .column = 3, .descending = true } };
static const struct rv_compose_nest line_nests[] = {
	{ .field = "product_data", .table = PRODUCTS, .on = on_product, .on_count = 1 },
	{ .field = "returns", .table = RETURNS, .on = on_first, .on_count = 1, .many = true, .hide_on = true },
};
static const struct rv_compose_nest order_nests[] = {
	{ .field = "lines", .table = LINES, .on = on_first, .on_count = 1, .many = true, .hide_on = true,
	  .order_by = by_amount, .order_by_count = 1, .nests = line_nests, .nests_count = 2 },
	{ .field = "invoice", .table = INVOICES, .on = on_first, .on_count = 1, .hide_on = true },
};
static const struct rv_compose_nest customer_nests[] = {
	{ .field = "addresses", .table = ADDRESSES, .on = on_customer, .on_count = 1, .many = true },
	{ .field = "orders", .table = ORDERS, .on = on_customer, .on_count = 1, .many = true, .hide_on = true,
	  .nests = order_nests, .nests_count = 2 },
};
static const struct rv_compose_spec shop = {
	.tables = shop_tables,
	.tables_count = TABLES,
	.root = CUSTOMERS,
	.nests = customer_nests,
	.nests_count = 2,
};

static void test_every_shape(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents documents = { 0 };

	/* Children before their parents, grandchildren before those. */
	add(&rows, shop_tables, RETURNS, "1,2,too small");
	add(&rows, shop_tables, LINES, "1,10,7,9");
	add(&rows, shop_tables, LINES, "2,10,7,10");
	add(&rows, shop_tables, LINES, "3,10,~,~");
	add(&rows, shop_tables, LINES, "4,10,8,10");
	add(&rows, shop_tables, INVOICES, "a\"1,10");
	add(&rows, shop_tables, ORDERS, "10,1,~");
	add(&rows, shop_tables, ORDERS, "9,1,x");
	add(&rows, shop_tables, ADDRESSES, "1,1,Here");
	add(&rows, shop_tables, CUSTOMERS, "1,Ann");
	add(&rows, shop_tables, CUSTOMERS, "2,B\\b");
	add(&rows, shop_tables, PRODUCTS, "7,Lamp");
	/* Of nobody. */
	add(&rows, shop_tables, ORDERS, "11,3,x");
	add(&rows, shop_tables, ORDERS, "12,3,x");
	add(&rows, shop_tables, ORDERS, "13,~,x");
	add(&rows, shop_tables, LINES, "5,99,7,1");
	add(&rows, shop_tables, INVOICES, "b,98");
	add(&rows, shop_tables, RETURNS, "2,77,x");
	add(&rows, shop_tables, CUSTOMERS, "~,nobody");
	struct rv_compose *compose = composed(&shop, &rows, 16 * MIB, 1, &documents);
	const struct rv_compose_totals *totals = rv_compose_totals(compose);

	sort_documents(&documents);
	assert_int_equal(documents.count, 2);
	assert_string_equal(
		documents.items[0],
		"{\"id\":1,\"name\":\"Ann\",\"addresses\":[{\"id\":1,\"customer\":1,\"city\":\"Here\"}],\"orders\":["
		"{\"id\":9,\"note\":\"x\",\"lines\":[],\"invoice\":null},"
		"{\"id\":10,\"note\":null,\"lines\":["
		"{\"id\":2,\"product\":7,\"amount\":10,\"product_data\":{\"id\":7,\"name\":\"Lamp\"},"
		"\"returns\":[{\"id\":1,\"why\":\"too small\"}]},"
		"{\"id\":4,\"product\":8,\"amount\":10,\"product_data\":null,\"returns\":[]},"
		"{\"id\":1,\"product\":7,\"amount\":9,\"product_data\":{\"id\":7,\"name\":\"Lamp\"},\"returns\":[]},"
		"{\"id\":3,\"product\":null,\"amount\":null,\"product_data\":null,\"returns\":[]}],"
		"\"invoice\":{\"no\":\"a\\\"1\"}}]}");
	assert_string_equal(documents.items[1],
			    "{\"id\":2,\"name\":\"B\\\\b\",\"addresses\":[],\"orders\":[]}");
	assert_int_equal(totals->keyless_roots, 1);
	assert_int_equal(totals->rows, rows.count);
	assert_int_equal(totals->nests_count, 6);
	assert_string_equal(totals->nests[1].path, "orders");
	assert_int_equal(totals->nests[1].orphans, 3);
	assert_int_equal(totals->nests[1].orphan.count, 1);
	assert_string_equal(totals->nests[1].orphan.text[0], "3");
	assert_string_equal(totals->nests[2].path, "orders.lines");
	assert_int_equal(totals->nests[2].orphans, 1);
	assert_string_equal(totals->nests[2].orphan.text[0], "99");
	assert_string_equal(totals->nests[3].path, "orders.lines.product_data");
	assert_int_equal(totals->nests[3].orphans, 0);
	assert_int_equal(totals->nests[3].missing, 1);
	assert_string_equal(totals->nests[3].missed.text[0], "8");
	assert_string_equal(totals->nests[4].path, "orders.lines.returns");
	assert_int_equal(totals->nests[4].orphans, 1);
	assert_string_equal(totals->nests[5].path, "orders.invoice");
	assert_int_equal(totals->nests[5].orphans, 1);
	assert_int_equal(totals->nests[5].missing, 0);
	assert_int_equal(totals->spilled_bytes, 0);
	rv_compose_free(compose);
	documents_release(&documents);
	rows_release(&rows);
}

static void test_no_rows(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents documents = { 0 };
	struct rv_compose *compose = composed(&shop, &rows, 16 * MIB, 3, &documents);

	assert_int_equal(documents.count, 0);
	rv_compose_free(compose);
}

static void test_several_where_one_may_be(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents documents = { 0 };

	add(&rows, shop_tables, CUSTOMERS, "1,b");
	add(&rows, shop_tables, CUSTOMERS, "1,a");
	add(&rows, shop_tables, CUSTOMERS, "1,c");
	add(&rows, shop_tables, ORDERS, "5,1,z");
	add(&rows, shop_tables, ORDERS, "5,1,y");
	add(&rows, shop_tables, INVOICES, "q,5");
	add(&rows, shop_tables, INVOICES, "p,5");
	add(&rows, shop_tables, LINES, "1,5,7,1");
	add(&rows, shop_tables, PRODUCTS, "7,two");
	add(&rows, shop_tables, PRODUCTS, "7,one");
	add(&rows, shop_tables, PRODUCTS, "7,six");
	struct rv_compose *compose = composed(&shop, &rows, 16 * MIB, 1, &documents);
	const struct rv_compose_totals *totals = rv_compose_totals(compose);

	assert_int_equal(documents.count, 1);
#define LINE "\"lines\":[{\"id\":1,\"product\":7,\"amount\":1,\"product_data\":{\"id\":7,\"name\":\"one\"},\"returns\":[]}]"
	assert_string_equal(documents.items[0],
			    "{\"id\":1,\"name\":\"a\",\"addresses\":[],\"orders\":["
			    "{\"id\":5,\"note\":\"y\"," LINE ",\"invoice\":{\"no\":\"p\"}},"
			    "{\"id\":5,\"note\":\"z\"," LINE ",\"invoice\":{\"no\":\"p\"}}]}");
	assert_int_equal(totals->repeated_roots, 2);
	assert_string_equal(totals->repeated.text[0], "1");
	assert_int_equal(totals->nests[2].repeated_parents, 1);
	assert_string_equal(totals->nests[2].repeated.text[0], "5");
	assert_int_equal(totals->nests[3].several, 1);
	assert_string_equal(totals->nests[3].severals.text[0], "7");
	assert_int_equal(totals->nests[5].several, 1);
	rv_compose_free(compose);
	documents_release(&documents);
	rows_release(&rows);
}

/* ---- random shops, and the simplest composer ---- */

static uint64_t seed;
static unsigned any(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)((seed >> 11) % n);
}

static void random_shop(struct rows *rows, unsigned customers, unsigned padding)
{
	RV_CLEANUP(rv_free_p) char *pad = rv_malloc(padding + 1);
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	memset(pad, 'p', padding);
	pad[padding] = '\0';
#define ADD(table, ...) (rv_strbuf_clear(&sb), rv_strbuf_printf(&sb, __VA_ARGS__), add(rows, shop_tables, table, sb.bytes))
	for (unsigned i = 0; i < customers; i++)
		ADD(CUSTOMERS, "%u,name \"%u\"%s", i, any(50), pad);
	for (unsigned i = 0; i < customers * 2; i++)
		ADD(ADDRESSES, "%u,%u,town\t%u%s", i, any(customers + 3), any(9), pad);
	for (unsigned i = 0; i < customers * 3; i++)
		ADD(ORDERS, "%u,%u,%s%s", i, any(customers + 3), any(4) ? "fine" : "\\", pad);
	for (unsigned i = 0; i < customers * 8; i++) {
		char amount[32];

		snprintf(amount, sizeof(amount), any(9) ? "%u.%02u" : "%u", any(30), any(100));
		ADD(LINES, "%u,%u,%u,%s", i, any(customers * 3 + 2), any(customers + 2), any(12) ? amount : "~");
	}
	for (unsigned i = 0; i < customers; i++)
		ADD(PRODUCTS, "%u,thing %u%s", i, any(1000), pad);
	for (unsigned i = 0; i < customers * 3; i += 2)
		ADD(INVOICES, "R%04u%s,%u", any(10000), pad, i);
	for (unsigned i = 0; i < customers * 2; i++)
		ADD(RETURNS, "%u,%u,why%s", i, any(customers * 8), pad);
}

static void shuffle(struct rows *rows)
{
	for (size_t i = rows->count; i > 1; i--) {
		size_t k = any((unsigned)i);
		struct row row = rows->items[k];

		rows->items[k] = rows->items[i - 1];
		rows->items[i - 1] = row;
	}
}

static struct rv_packed_cell cell(const struct row *row, size_t column)
{
	struct rv_packed_cursor cursor = rv_packed_cursor_of(row->bytes, row->len);
	struct rv_packed_cell ret;

	for (size_t i = 0; i <= column; i++)
		assert_true(rv_packed_next(&cursor, &ret));
	return ret;
}

static double number(const struct row *row, size_t column)
{
	struct rv_packed_cell c = cell(row, column);
	char text[64];

	snprintf(text, sizeof(text), "%.*s", (int)c.len, c.p);
	return strtod(text, NULL);
}

static const struct rv_compose_nest *sorting;
static int by_nest(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	for (size_t i = 0; i < sorting->order_by_count; i++) {
		size_t column = sorting->order_by[i].column;
		bool x_null = cell(x, column).null, y_null = cell(y, column).null;

		if (x_null || y_null) {
			if (x_null != y_null)
				return x_null ? 1 : -1;
			continue;
		}
		double d = number(x, column) - number(y, column);

		if (d != 0)
			return (d > 0) == sorting->order_by[i].descending ? -1 : 1;
	}
	if (shop_tables[x->table].columns[0].number)
		return (int)(number(x, 0) - number(y, 0));
	return memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
}

static void naive(const struct rows *rows, const struct row *row, const struct rv_compose_nest *self,
		  const struct rv_compose_nest *nests, size_t count, struct rv_strbuf *out)
{
	const struct rv_compose_table *table = &shop_tables[row->table];
	bool comma = false;

	rv_strbuf_putc(out, '{');
	for (size_t i = 0; i < table->columns_count; i++) {
		struct rv_packed_cell c = cell(row, i);

		if (self && self->hide_on && self->on[0].child == i)
			continue;
		rv_strbuf_printf(out, "%s\"%s\":", comma ? "," : "", table->columns[i].name);
		rv_packed_cell_json(&c, table->columns[i].literal, out);
		comma = true;
	}
	for (size_t n = 0; n < count; n++) {
		const struct rv_compose_nest *nest = &nests[n];
		struct rv_packed_cell parent = cell(row, nest->on[0].parent);
		const struct row **found = rv_calloc(rows->count + 1, sizeof(*found));
		size_t found_count = 0;

		for (size_t i = 0; i < rows->count; i++) {
			if (rows->items[i].table != nest->table)
				continue;
			struct rv_packed_cell child = cell(&rows->items[i], nest->on[0].child);

			if (!child.null && !parent.null && child.len == parent.len &&
			    memcmp(child.p, parent.p, child.len) == 0)
				found[found_count++] = &rows->items[i];
		}
		sorting = nest;
		qsort(found, found_count, sizeof(*found), by_nest);
		rv_strbuf_printf(out, "%s\"%s\":%s", comma ? "," : "", nest->field, nest->many ? "[" : "");
		comma = true;
		if (!nest->many && found_count > 1)
			found_count = 1;
		for (size_t i = 0; i < found_count; i++) {
			rv_strbuf_puts(out, i ? "," : "");
			naive(rows, found[i], nest, nest->nests, nest->nests_count, out);
		}
		rv_strbuf_puts(out, nest->many ? "]" : found_count ? "" : "null");
		free(found);
	}
	rv_strbuf_putc(out, '}');
}

static void test_as_the_simplest_composer(void **state RV_UNUSED)
{
	for (unsigned round = 1; round <= 12; round++) {
		struct rows rows = { 0 };
		struct documents expected = { 0 }, documents = { 0 };

		seed = round * 7919;
		random_shop(&rows, 1 + round * 2, round);
		for (size_t i = 0; i < rows.count; i++) {
			struct rv_strbuf out = RV_STRBUF_INIT;

			if (rows.items[i].table != CUSTOMERS)
				continue;
			naive(&rows, &rows.items[i], NULL, customer_nests, 2, &out);
			RV_GROW(expected.items, expected.count, expected.capacity);
			expected.items[expected.count++] = rv_strbuf_take(&out);
		}
		shuffle(&rows);
		struct rv_compose *compose = composed(&shop, &rows, 16 * MIB, 1 + round % 3, &documents);

		sort_documents(&expected);
		sort_documents(&documents);
		assert_same(&expected, &documents);
		rv_compose_free(compose);
		documents_release(&expected);
		documents_release(&documents);
		rows_release(&rows);
	}
}

static void test_any_order_of_rows(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents expected = { 0 };

	seed = 4711;
	random_shop(&rows, 40, 3);
	add(&rows, shop_tables, CUSTOMERS, "3,again");
	add(&rows, shop_tables, ORDERS, "3,3,again");
	add(&rows, shop_tables, PRODUCTS, "3,again");
	add(&rows, shop_tables, LINES, "3,3,3,1e1");
	add(&rows, shop_tables, LINES, "3,3,3,10.0");
	rv_compose_free(composed(&shop, &rows, 16 * MIB, 1, &expected));
	assert_int_equal(expected.count, 40);
	for (unsigned round = 0; round < 100; round++) {
		struct documents documents = { 0 };

		shuffle(&rows);
		rv_compose_free(composed(&shop, &rows, 16 * MIB, 1 + round % 4, &documents));
		assert_same(&expected, &documents);
		documents_release(&documents);
	}
	documents_release(&expected);
	rows_release(&rows);
}

/* Far more than the memory: it is spilled, groups are split, what is looked up is joined instead. */
static void test_little_memory(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents expected = { 0 }, documents = { 0 };

	seed = 99;
	random_shop(&rows, 9000, 500);
	struct rv_compose *compose = composed(&shop, &rows, 1024 * MIB, 1, &expected);
	struct rv_compose_totals full = *rv_compose_totals(compose);
	struct rv_compose_nest_totals nests[6];

	assert_non_null(compose->nodes[4]->lookup);
	assert_int_equal(full.spilled_bytes, 0);
	memcpy(nests, full.nests, sizeof(nests));
	rv_compose_free(compose);
	for (unsigned threads = 1; threads <= 3; threads += 2) {
		compose = composed(&shop, &rows, RV_COMPOSE_MEMORY_MIN, threads, &documents);
		const struct rv_compose_totals *totals = rv_compose_totals(compose);

		assert_null(compose->nodes[4]->lookup);
		assert_true(totals->spilled_bytes > 40 * MIB);
		assert_true(totals->peak_bytes <= RV_COMPOSE_MEMORY_MIN);
		assert_same(&expected, &documents);
		for (size_t i = 0; i < 6; i++) {
			assert_int_equal(totals->nests[i].orphans, nests[i].orphans);
			assert_int_equal(totals->nests[i].missing, nests[i].missing);
			assert_int_equal(totals->nests[i].several, nests[i].several);
			assert_int_equal(totals->nests[i].repeated_parents, nests[i].repeated_parents);
			for (size_t k = 0; k < nests[i].orphan.count; k++)
				assert_string_equal(totals->nests[i].orphan.text[k], nests[i].orphan.text[k]);
			for (size_t k = 0; k < nests[i].missed.count; k++)
				assert_string_equal(totals->nests[i].missed.text[k], nests[i].missed.text[k]);
		}
		assert_true(totals->nests[2].orphans > 0 && totals->nests[3].missing > 0);
		rv_compose_free(compose);
		documents_release(&documents);
	}
	documents_release(&expected);
	rows_release(&rows);
}

struct feeder {
	struct rv_compose *compose;
	const struct rows *rows;
	size_t table;
};
static void *feed_table(void *arg)
{
	const struct feeder *feeder = arg;
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < feeder->rows->count; i++) {
		const struct row *row = &feeder->rows->items[i];

		if (row->table == feeder->table &&
		    rv_compose_row(feeder->compose, row->table, row->bytes, row->len, &err) != RV_OK)
			return arg;
	}
	return NULL;
}

/* Each table from a thread of its own, while memory is short. */
static void test_tables_from_several_threads(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents expected = { 0 }, documents = { 0 };
	struct feeder feeders[TABLES];
	pthread_t threads[TABLES];
	struct rv_error err = RV_ERROR_INIT;

	seed = 31;
	random_shop(&rows, 1500, 500);
	rv_compose_free(composed(&shop, &rows, 256 * MIB, 1, &expected));
	struct rv_compose *compose = composer(&shop, RV_COMPOSE_MEMORY_MIN, 2);

	for (size_t i = 0; i < TABLES; i++) {
		feeders[i] = (struct feeder){ compose, &rows, i };
		assert_int_equal(pthread_create(&threads[i], NULL, feed_table, &feeders[i]), 0);
	}
	for (size_t i = 0; i < TABLES; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(rv_compose_finish(compose, keep, &documents, &err), RV_OK);
	assert_true(rv_compose_totals(compose)->spilled_bytes > 0);
	assert_same(&expected, &documents);
	rv_compose_free(compose);
	documents_release(&expected);
	documents_release(&documents);
	rows_release(&rows);
}

/* Many nests do not take more: there are fewer groups instead. */
static void test_many_nests(void **state RV_UNUSED)
{
	enum { MANY = 100 };
	static char names[MANY][8];
	struct rv_compose_nest nests[MANY];
	struct rv_compose_spec spec = shop;
	struct rows rows = { 0 };
	struct documents documents = { 0 };
	char text[64];

	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		nests[i] = customer_nests[0];
		nests[i].field = names[i];
	}
	spec.nests = nests;
	spec.nests_count = MANY;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%u,Ann", i);
		add(&rows, shop_tables, CUSTOMERS, text);
		snprintf(text, sizeof(text), "%u,%u,Here", i, i);
		add(&rows, shop_tables, ADDRESSES, text);
	}
	struct rv_compose *compose = composed(&spec, &rows, RV_COMPOSE_MEMORY_MIN, 8, &documents);

	assert_int_equal(documents.count, 500);
	assert_true(strlen(documents.items[0]) > MANY * strlen("{\"id\":1,\"customer\":1,\"city\":\"Here\"}"));
	assert_true(rv_compose_totals(compose)->peak_bytes <= RV_COMPOSE_MEMORY_MIN);
	rv_compose_free(compose);
	documents_release(&documents);
	rows_release(&rows);
}

/* Shards are the whole, one behind the other. */
static void test_shards(void **state RV_UNUSED)
{
	struct rows rows = { 0 };
	struct documents expected = { 0 }, documents = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	seed = 5;
	random_shop(&rows, 300, 5);
	rv_compose_free(composed(&shop, &rows, 16 * MIB, 1, &expected));
	for (unsigned shard = 0; shard < 3; shard++) {
		struct rv_compose_params params = {
			.max_memory_bytes = 16 * MIB, .spill_folder = ".", .shard = shard, .shards = 3
		};
		struct rv_compose *compose;
		size_t before = documents.count;

		assert_int_equal(rv_compose_new(&shop, &params, &compose, &err), RV_OK);
		feed(compose, &rows);
		assert_int_equal(rv_compose_finish(compose, keep, &documents, &err), RV_OK);
		assert_true(documents.count > before + 60);
		rv_compose_free(compose);
	}
	assert_same(&expected, &documents);
	documents_release(&documents);
	documents_release(&expected);
	rows_release(&rows);
}

/* ---- keys and orders ---- */

static void test_keys_of_several_columns(void **state RV_UNUSED)
{
	static const struct rv_compose_column a[] = { TXT("x"), TXT("y"), NUM("v") };
	static const struct rv_compose_column b[] = { TXT("y2"), TXT("x2"), NUM("v") };
	static const size_t key[] = { 1, 0 };
	static const struct rv_compose_table tables[] = {
		{ .name = "a", .columns = a, .columns_count = 3, .key = key, .key_count = 2 },
		{ .name = "b", .columns = b, .columns_count = 3 },
	};
	static const struct rv_compose_on on[] = { { .child = 0, .parent = 1 }, { .child = 1, .parent = 0 } };
	static const struct rv_compose_nest nests[] = {
		{ .field = "bs", .table = 1, .on = on, .on_count = 2, .many = true, .hide_on = true },
	};
	static const struct rv_compose_spec spec = { .tables = tables, .tables_count = 2, .nests = nests,
						     .nests_count = 1 };
	struct rows rows = { 0 };
	struct documents documents = { 0 };

	/* Columns are not glued together, and have their place. */
	add(&rows, tables, 0, "ab,c,1");
	add(&rows, tables, 0, "a,bc,2");
	add(&rows, tables, 0, "c,ab,3");
	add(&rows, tables, 0, ",abc,4");
	add(&rows, tables, 1, "c,ab,10");
	add(&rows, tables, 1, "bc,a,20");
	add(&rows, tables, 1, "ab,c,30");
	add(&rows, tables, 1, "abc,,40");
	add(&rows, tables, 1, "abc,~,50");
	struct rv_compose *compose = composed(&spec, &rows, 16 * MIB, 1, &documents);

	sort_documents(&documents);
	assert_int_equal(documents.count, 4);
	assert_string_equal(documents.items[0], "{\"x\":\"\",\"y\":\"abc\",\"v\":4,\"bs\":[{\"v\":40}]}");
	assert_string_equal(documents.items[1], "{\"x\":\"a\",\"y\":\"bc\",\"v\":2,\"bs\":[{\"v\":20}]}");
	assert_string_equal(documents.items[2], "{\"x\":\"ab\",\"y\":\"c\",\"v\":1,\"bs\":[{\"v\":10}]}");
	assert_string_equal(documents.items[3], "{\"x\":\"c\",\"y\":\"ab\",\"v\":3,\"bs\":[{\"v\":30}]}");
	assert_int_equal(rv_compose_totals(compose)->nests[0].orphans, 1);
	rv_compose_free(compose);
	documents_release(&documents);
	rows_release(&rows);
}

static void test_order_of_children(void **state RV_UNUSED)
{
	static const struct rv_compose_column a[] = { NUM("id") };
	static const struct rv_compose_column b[] = { NUM("id"), NUM("n"), TXT("t") };
	static const struct rv_compose_table tables[] = {
		{ .name = "a", .columns = a, .columns_count = 1, .key = first, .key_count = 1 },
		{ .name = "b", .columns = b, .columns_count = 3 },
	};
	static const struct rv_compose_on on[] = { { .child = 0, .parent = 0 } };
	static const struct rv_compose_order by_text_number[] = { { .column = 2 }, { .column = 1, .descending = true } };
	static const struct rv_compose_order by_number_text[] = { { .column = 1 }, { .column = 2, .descending = true } };
	static const struct rv_compose_nest nests[] = {
		{ .field = "t", .table = 1, .on = on, .on_count = 1, .many = true, .hide_on = true,
		  .order_by = by_text_number, .order_by_count = 2 },
		{ .field = "n", .table = 1, .on = on, .on_count = 1, .many = true, .hide_on = true,
		  .order_by = by_number_text, .order_by_count = 2 },
	};
	static const struct rv_compose_spec spec = { .tables = tables, .tables_count = 2, .nests = nests,
						     .nests_count = 2 };
	struct rows rows = { 0 };
	struct documents documents = { 0 };

	add(&rows, tables, 0, "1");
	add(&rows, tables, 1, "1,10,9");
	add(&rows, tables, 1, "1,9,10");
	add(&rows, tables, 1, "1,~,10");
	add(&rows, tables, 1, "1,9,~");
	add(&rows, tables, 1, "1,-1.5,aaaaaaaab");
	add(&rows, tables, 1, "1,-1.25,aaaaaaaaa");
	add(&rows, tables, 1, "1,9,9");
	rv_compose_free(composed(&spec, &rows, 16 * MIB, 1, &documents));
	assert_int_equal(documents.count, 1);
#define E(n, t) "{\"n\":" n ",\"t\":" t "}"
	assert_string_equal(documents.items[0],
			    "{\"id\":1,\"t\":[" E("9", "\"10\"") "," E("null", "\"10\"") "," E("10", "\"9\"") "," E(
				    "9", "\"9\"") "," E("-1.25", "\"aaaaaaaaa\"") "," E("-1.5",
											"\"aaaaaaaab\"") "," E("9", "null")
			    "],\"n\":[" E("-1.5", "\"aaaaaaaab\"") "," E("-1.25", "\"aaaaaaaaa\"") "," E("9", "\"9\"") "," E(
				    "9", "\"10\"") "," E("9", "null") "," E("10", "\"9\"") "," E("null", "\"10\"") "]}");
	documents_release(&documents);
	rows_release(&rows);
}

static void test_numbers_exactly(void **state RV_UNUSED)
{
	/* In their order. */
	static const char *const sorted[] = {
		"-1e400", "-99999999999999999999", "-12345678901234567890.2", "-12345678901234567890.1", "-10", "-2",
		"-1.5", "-1.25", "-1e-5", "0", "1e-400", "0.00009", "1E-4", "0.5", "1", "1.0000000000000000000000001",
		"2", "10", "1e2", "101", "9007199254740992", "9007199254740993", "999999999999999999",
		"1000000000000000000", "1000000000000000000.5", "12345678901234567890.1", "12345678901234567890.2",
		"1e400",
	};
	static const char *const equal[][2] = {
		{ "0", "-0" }, { "1", "1.0" }, { "1e2", "100" }, { "0.10", "1e-1" }, { "0", "0e9" }, { "007", "7" },
		{ "123e-2", "1.23" },
	};
	static const struct rv_compose_by up = { .number = true }, down = { .number = true, .descending = true };

	for (size_t i = 0; i < COUNT(sorted); i++)
		for (size_t k = 0; k < COUNT(sorted); k++) {
			RV_CLEANUP(rv_strbuf_release) struct rv_strbuf a = RV_STRBUF_INIT, b = RV_STRBUF_INIT;
			int expected = (i > k) - (i < k);

			assert_int_equal(rv_compose_number_order(sorted[i], strlen(sorted[i]), sorted[k],
								 strlen(sorted[k])),
					 expected);
			rv_packed_put_literal(&a, sorted[i], strlen(sorted[i]));
			rv_packed_put_literal(&b, sorted[k], strlen(sorted[k]));
			if (i < k) {
				assert_true(rv_compose_prefix(&up, 1, a.bytes, a.len) <=
					    rv_compose_prefix(&up, 1, b.bytes, b.len));
				assert_true(rv_compose_prefix(&down, 1, a.bytes, a.len) >=
					    rv_compose_prefix(&down, 1, b.bytes, b.len));
			}
		}
	for (size_t i = 0; i < COUNT(equal); i++)
		assert_int_equal(rv_compose_number_order(equal[i][0], strlen(equal[i][0]), equal[i][1],
							 strlen(equal[i][1])),
				 0);
	assert_int_equal(rv_compose_number_order("x", 1, "5", 1), 1);
	assert_int_equal(rv_compose_number_order("5", 1, "", 0), -1);
	assert_int_equal(rv_compose_number_order("x", 1, "y", 1), -1);
	assert_int_equal(rv_compose_number_order("1e", 2, "1", 1), 1);
}

/* ---- what does not fit ---- */

static const struct rv_compose_nest orders_only[] = {
	{ .field = "orders", .table = ORDERS, .on = on_customer, .on_count = 1, .many = true, .hide_on = true },
};
static const struct rv_compose_spec small_shop = {
	.tables = shop_tables, .tables_count = TABLES, .root = CUSTOMERS, .nests = orders_only, .nests_count = 1
};

static enum rv_status add_order(struct rv_compose *compose, unsigned id, unsigned customer, const char *note,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf row = RV_STRBUF_INIT;
	char text[32];

	rv_packed_put_literal(&row, text, (size_t)snprintf(text, sizeof(text), "%u", id));
	rv_packed_put_literal(&row, text, (size_t)snprintf(text, sizeof(text), "%u", customer));
	rv_packed_put_text(&row, note, strlen(note));
	return rv_compose_row(compose, ORDERS, row.bytes, row.len, err);
}

static void add_customers(struct rv_compose *compose, unsigned count)
{
	struct rows rows = { 0 };
	char text[64];

	for (unsigned i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%u,Ann", i);
		add(&rows, shop_tables, CUSTOMERS, text);
	}
	feed(compose, &rows);
	rows_release(&rows);
}

/* One customer has a million orders, the others have one each. */
static void test_a_million_children(void **state RV_UNUSED)
{
	struct rv_compose *compose = composer(&small_shop, 1024 * MIB, 2);
	struct rv_error err = RV_ERROR_INIT;
	uint64_t bytes = 0;

	add_customers(compose, 100);
	for (unsigned i = 0; i < 1000000; i++)
		assert_int_equal(add_order(compose, i, i % 10000 ? 7 : i / 10000, "n", &err), RV_OK);
	assert_int_equal(rv_compose_finish(compose, count_only, &bytes, &err), RV_OK);
	assert_int_equal(rv_compose_totals(compose)->documents, 100);
	assert_true(bytes > 1000000 * strlen("{\"id\":999999,\"note\":\"n\"}"));
	rv_compose_free(compose);

	/* In little memory this one is too much, and is named. */
	compose = composer(&small_shop, RV_COMPOSE_MEMORY_MIN, 2);
	add_customers(compose, 100);
	for (unsigned i = 0; i < 1000000; i++)
		assert_int_equal(add_order(compose, i, i % 10000 ? 7 : i / 10000, "n", &err), RV_OK);
	assert_int_equal(rv_compose_finish(compose, count_only, &bytes, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "orders 7: what belongs to it takes"));
	assert_non_null(strstr(err.hint, "allow more memory"));
	rv_compose_free(compose);
}

/* A million rows that look the same one up are nothing special, in any memory. */
static void test_a_million_lookups_of_one(void **state RV_UNUSED)
{
	static const struct rv_compose_on on[] = { { .child = 0, .parent = 1 } };
	static const struct rv_compose_nest nests[] = {
		{ .field = "by", .table = CUSTOMERS, .on = on, .on_count = 1 },
	};
	static const struct rv_compose_spec spec = {
		.tables = shop_tables, .tables_count = TABLES, .root = ORDERS, .nests = nests, .nests_count = 1
	};
	struct rv_compose *compose = composer(&spec, RV_COMPOSE_MEMORY_MIN, 2);
	struct rv_error err = RV_ERROR_INIT;
	uint64_t bytes = 0;

	/* More of them than can be held. */
	add_customers(compose, 60000);
	for (unsigned i = 0; i < 600000; i++)
		assert_int_equal(add_order(compose, i, 7, "n", &err), RV_OK);
	assert_int_equal(rv_compose_finish(compose, count_only, &bytes, &err), RV_OK);
	assert_null(compose->nodes[1]->lookup);
	assert_int_equal(rv_compose_totals(compose)->documents, 600000);
	assert_int_equal(rv_compose_totals(compose)->nests[0].missing, 0);
	assert_true(rv_compose_totals(compose)->peak_bytes <= RV_COMPOSE_MEMORY_MIN);
	rv_compose_free(compose);
}

/* As the allocator counts it, not the composer: 100 MB of rows in 16 MiB. */
static void test_memory_is_bounded(void **state RV_UNUSED)
{
#if defined(__SANITIZE_ADDRESS__)
	/* The sanitizer's allocator is not asked; the composer's own count is. */
	const bool asked = false;
#else
	const bool asked = true;
#endif
	struct mallinfo2 start = mallinfo2();
	size_t before = start.uordblks + start.hblkhd, most = 0;
	struct rv_compose *compose = composer(&small_shop, 16 * MIB, 2);
	struct rv_error err = RV_ERROR_INIT;
	uint64_t bytes = 0;
	char note[201];

	memset(note, 'x', 200);
	note[200] = '\0';
	add_customers(compose, 10000);
	for (unsigned i = 0; i < 500000; i++) {
		assert_int_equal(add_order(compose, i, i % 10000, note, &err), RV_OK);
		if (i % 1000 == 0) {
			struct mallinfo2 now = mallinfo2();

			if (now.uordblks + now.hblkhd > most)
				most = now.uordblks + now.hblkhd;
		}
	}
	assert_int_equal(rv_compose_finish(compose, count_only, &bytes, &err), RV_OK);
	assert_true(rv_compose_totals(compose)->spilled_bytes > 80 * MIB);
	assert_true(rv_compose_totals(compose)->peak_bytes <= 16 * MIB);
	if (asked)
		assert_true(most - before < 16 * MIB);
	rv_compose_free(compose);
}

static void test_too_large_a_row(void **state RV_UNUSED)
{
	struct rv_compose *compose = composer(&small_shop, RV_COMPOSE_MEMORY_MIN, 1);
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *note = rv_malloc(MIB + 1);

	memset(note, 'x', MIB);
	note[MIB] = '\0';
	assert_int_equal(add_order(compose, 1, 1, note, &err), RV_BAD_DATA);
	assert_non_null(strstr(err.message, "a row takes"));
	rv_compose_free(compose);
}

static void test_rows_that_are_none(void **state RV_UNUSED)
{
	const struct row rows[] = {
		{ ORDERS, (char[]){ 3, 'a', 3, 'b' }, 4 },           /* two columns */
		{ ORDERS, (char[]){ 3, 'a', 3, 'b', 0, 0 }, 6 },     /* four */
		{ ORDERS, (char[]){ 3, 'a', 3, 'b', 9, 'c' }, 6 },   /* cut off */
		{ ORDERS, (char[]){ 0 }, 0 },
	};
	struct rv_compose *compose = composer(&small_shop, RV_COMPOSE_MEMORY_MIN, 1);
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < COUNT(rows); i++) {
		/* Exactly as long as they are, for the sanitizer. */
		RV_CLEANUP(rv_free_p) char *bytes = rv_malloc(rows[i].len);

		memcpy(bytes, rows[i].bytes, rows[i].len);
		assert_int_equal(rv_compose_row(compose, ORDERS, bytes, rows[i].len, &err), RV_BAD_DATA);
		assert_non_null(strstr(err.message, "none of 3 columns"));
	}
	rv_compose_free(compose);
}

static void test_wrong_specs(void **state RV_UNUSED)
{
	struct rv_compose_params params = { .max_memory_bytes = 1024, .spill_folder = "." };
	struct rv_compose_nest twice[] = { orders_only[0], orders_only[0] };
	struct rv_compose_nest deep[RV_COMPOSE_DEPTH_MAX + 1];
	struct rv_compose_spec spec = small_shop;
	struct rv_compose *compose = NULL;
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(rv_compose_new(&spec, &params, &compose, &err), RV_BAD_CONFIG);
	assert_string_equal(err.message, "1.00 KiB of memory is too little for documents, the least is 8.00 MiB");
	params.max_memory_bytes = 16 * MIB;
	spec.nests = twice;
	spec.nests_count = 2;
	assert_int_equal(rv_compose_new(&spec, &params, &compose, &err), RV_BAD_CONFIG);
	assert_string_equal(err.message, "field orders is there twice in what is made of customers");
	twice[1].field = "name";
	assert_int_equal(rv_compose_new(&spec, &params, &compose, &err), RV_BAD_CONFIG);
	for (size_t i = 0; i < COUNT(deep); i++) {
		deep[i] = orders_only[0];
		deep[i].nests = i + 1 < COUNT(deep) ? &deep[i + 1] : NULL;
		deep[i].nests_count = i + 1 < COUNT(deep);
	}
	spec.nests = deep;
	spec.nests_count = 1;
	assert_int_equal(rv_compose_new(&spec, &params, &compose, &err), RV_BAD_CONFIG);
	deep[RV_COMPOSE_DEPTH_MAX - 1].nests_count = 0;
	assert_int_equal(rv_compose_new(&spec, &params, &compose, &err), RV_OK);
	rv_compose_free(compose);
}

static void test_a_sink_that_fails(void **state RV_UNUSED)
{
	for (unsigned threads = 1; threads <= 3; threads++) {
		struct documents documents = { .fail_at = 1234 };
		struct rv_compose *compose = composer(&small_shop, 16 * MIB, threads);
		struct rv_error err = RV_ERROR_INIT;

		add_customers(compose, 5000);
		assert_int_equal(rv_compose_finish(compose, keep, &documents, &err), RV_CONFLICT);
		assert_string_equal(err.message, "no more of them");
		assert_int_equal(documents.count, 1233);
		rv_compose_free(compose);
		documents_release(&documents);
	}
}

static bool stop_now(void)
{
	return true;
}

static void test_stops(void **state RV_UNUSED)
{
	struct rv_compose_params params = { .max_memory_bytes = 16 * MIB, .spill_folder = ".",
					    .should_stop = stop_now };
	struct rv_compose *compose;
	struct rv_error err = RV_ERROR_INIT;
	uint64_t bytes = 0;

	assert_int_equal(rv_compose_new(&small_shop, &params, &compose, &err), RV_OK);
	add_customers(compose, 10);
	assert_int_equal(rv_compose_finish(compose, count_only, &bytes, &err), RV_FAILED);
	assert_int_equal(bytes, 0);
	rv_compose_free(compose);
}

/* ---- the disk ---- */

static enum rv_status fill(struct rv_compose *compose, unsigned orders, struct rv_error *err)
{
	char note[501];

	memset(note, 'x', 500);
	note[500] = '\0';
	for (unsigned i = 0; i < orders; i++)
		if (add_order(compose, i, i % 1000, note, err) != RV_OK)
			return err->status;
	return RV_OK;
}

static void test_a_full_disk(void **state RV_UNUSED)
{
	struct rv_compose *compose = composer(&small_shop, RV_COMPOSE_MEMORY_MIN, 1);
	struct rv_error err = RV_ERROR_INIT;
	struct rlimit before, limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	enum rv_status status = fill(compose, 40000, &err);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(status, RV_LOCAL_IO);
	assert_non_null(strstr(err.message, "spill rows of documents to ."));
	assert_non_null(strstr(err.hint, "make room"));
	rv_compose_free(compose);
}

static void test_a_folder_that_is_not_there(void **state RV_UNUSED)
{
	struct rv_compose_params params = { .max_memory_bytes = RV_COMPOSE_MEMORY_MIN,
					    .spill_folder = "./not-there" };
	struct rv_compose *compose;
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(rv_compose_new(&small_shop, &params, &compose, &err), RV_OK);
	assert_int_not_equal(fill(compose, 40000, &err), RV_OK);
	assert_non_null(strstr(err.message, "not-there"));
	rv_compose_free(compose);
}

/* A bit that flips on the disk, anywhere in a piece, and a file that lost its end. */
static void test_damage_is_seen(void **state RV_UNUSED)
{
	for (unsigned round = 0; round < 6; round++) {
		struct rv_compose *compose = composer(&small_shop, RV_COMPOSE_MEMORY_MIN, 1 + round % 2);
		struct rv_error err = RV_ERROR_INIT;
		struct documents documents = { 0 };
		char byte;

		add_customers(compose, 1000);
		assert_int_equal(fill(compose, 40000, &err), RV_OK);
		int fd = compose->nodes[1]->deal.fd;
		/* The checksum, the group, where the one before is, and the rows. */
		static const off_t places[] = { 0, 5, 9, 17, 1000 };

		assert_true(fd >= 0);
		if (round < COUNT(places)) {
			assert_int_equal(pread(fd, &byte, 1, places[round]), 1);
			byte ^= 4;
			assert_int_equal(pwrite(fd, &byte, 1, places[round]), 1);
		} else {
			assert_int_equal(ftruncate(fd, (off_t)compose->nodes[1]->deal.file_bytes - 1), 0);
		}
		assert_int_equal(rv_compose_finish(compose, keep, &documents, &err), RV_DAMAGED);
		assert_non_null(strstr(err.message, round < COUNT(places) ? "checksum is wrong" : "cut off"));
		rv_compose_free(compose);
		documents_release(&documents);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_shape),
		cmocka_unit_test(test_no_rows),
		cmocka_unit_test(test_several_where_one_may_be),
		cmocka_unit_test(test_as_the_simplest_composer),
		cmocka_unit_test(test_any_order_of_rows),
		cmocka_unit_test(test_little_memory),
		cmocka_unit_test(test_tables_from_several_threads),
		cmocka_unit_test(test_many_nests),
		cmocka_unit_test(test_shards),
		cmocka_unit_test(test_keys_of_several_columns),
		cmocka_unit_test(test_order_of_children),
		cmocka_unit_test(test_numbers_exactly),
		cmocka_unit_test(test_a_million_children),
		cmocka_unit_test(test_a_million_lookups_of_one),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_too_large_a_row),
		cmocka_unit_test(test_rows_that_are_none),
		cmocka_unit_test(test_wrong_specs),
		cmocka_unit_test(test_a_sink_that_fails),
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_a_full_disk),
		cmocka_unit_test(test_a_folder_that_is_not_there),
		cmocka_unit_test(test_damage_is_seen),
	};

	return cmocka_run_group_tests_name("compose", tests, NULL, NULL);
}
