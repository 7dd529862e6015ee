/* What every warehouse shares. */
#include "warehouse/warehouse.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "warehouse/parquet.h"

void rv_load_release(struct rv_load *load)
{
	free(load->object);
	free(load->message);
	load->object = load->message = NULL;
}

void rv_load_say(struct rv_load *load, const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	free(load->message); /* only now: it may be among the arguments */
	load->message = rv_strbuf_take(&text);
}

void rv_extract_kind(const struct rv_extract *extract, struct rv_strbuf *ret)
{
	size_t len = strlen(extract->order), behind = strlen(extract->name) + RV_EXTRACT_ORDER_DIGITS + 1;

	if (strcmp(extract->order, extract->name) == 0)
		rv_strbuf_putc(ret, strchr(extract->name, '/') ? '/' : '=');
	else
		rv_strbuf_add(ret, extract->order, len > behind ? len - behind : 0);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void rv_extract_key_text(const struct rv_extract_table *t, struct rv_strbuf *ret)
{
	RV_CLEANUP(rv_free_p) char **columns = rv_calloc(t->key->count + 1, sizeof(*columns));

	for (size_t i = 0; i < t->key->count; i++)
		columns[i] = t->key->items[i];
	qsort(columns, t->key->count, sizeof(*columns), by_text);
	for (size_t i = 0; i < t->key->count; i++)
		rv_strbuf_printf(ret, "%s%s", i ? ", " : "", columns[i]);
}

enum rv_status rv_extract_other_key(const struct rv_extract_document *document, const char *column,
				    struct rv_error *err)
{
	rv_fail(err, RV_CONFLICT, "documents.%s: its root had another key so far, without %s", document->name, column);
	rv_hint(err, "give the document another name, and take the extracts anew with --since, so that all rows are "
		     "told apart by the new key");
	return err->status;
}

void rv_warehouse_free(struct rv_warehouse *warehouse)
{
	if (warehouse)
		warehouse->ops->free(warehouse);
}

void rv_warehouse_free_p(struct rv_warehouse **warehouse)
{
	rv_warehouse_free(*warehouse);
	*warehouse = NULL;
}

void rv_parquet_free(struct rv_parquet *parquet)
{
	if (parquet)
		parquet->ops->free(parquet);
}
