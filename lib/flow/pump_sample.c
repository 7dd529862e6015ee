/* Rows out of a generator of numbers; nothing of the real data is in it but its proportions. */
#include "flow/pump_sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

#define BUFFER_BYTES (256u << 10)
#define EPOCH_MS INT64_C(1547510400000) /* early in 2019, as there */

struct sample {
	uint64_t state;
	uint64_t rows, products;
	struct rv_pump_sample *ret;
	struct rv_new_file file;
	struct rv_strbuf out;
	const char *path;
	int64_t now_ms;
};

/* splitmix64 */
static uint64_t next(struct sample *s)
{
	uint64_t z = s->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(struct sample *s, uint64_t n)
{
	return next(s) % n;
}

/* 64 hexadecimal digits that stand for a number of a kind. */
static void put_hash(struct rv_strbuf *out, uint64_t kind, uint64_t number)
{
	struct sample s = { .state = kind << 56 ^ number };

	for (unsigned i = 0; i < 4; i++)
		rv_strbuf_printf(out, "%016" PRIx64, next(&s));
}

enum { SESSION = 1, PRODUCT, URL, CATEGORY };

static enum rv_status flush(struct sample *s, size_t at_least, struct rv_error *err)
{
	if (s->out.len < at_least)
		return RV_OK;
	enum rv_status status = rv_write_all(s->file.fd, s->out.bytes, s->out.len, s->path, err);

	rv_strbuf_clear(&s->out);
	return status;
}

/* ---- the catalog ---- */

static void put_vector(struct sample *s)
{
	rv_strbuf_puts(&s->out, "\"[");
	for (unsigned i = 0; i < 50; i++)
		rv_strbuf_printf(&s->out, "%s%.6f", i ? ", " : "", (double)below(s, 2000000) / 1e6 - 1);
	rv_strbuf_puts(&s->out, "]\"");
}

/* Half of the products have neither category nor price. */
static bool is_known(uint64_t product)
{
	struct sample s = { .state = product };

	return below(&s, 100) < 48;
}

static void put_product(struct sample *s, uint64_t product)
{
	bool known = is_known(product);
	uint64_t category = below(s, 170);

	put_hash(&s->out, PRODUCT, product);
	rv_strbuf_putc(&s->out, ',');
	if (known && below(s, 2))
		put_vector(s);
	rv_strbuf_putc(&s->out, ',');
	if (known) {
		put_hash(&s->out, CATEGORY, category % 12);
		rv_strbuf_putc(&s->out, '/');
		put_hash(&s->out, CATEGORY, 100 + category);
	}
	rv_strbuf_putc(&s->out, ',');
	if (known && below(s, 2))
		put_vector(s);
	rv_strbuf_putc(&s->out, ',');
	if (known)
		rv_strbuf_printf(&s->out, "%" PRIu64 ".0", 1 + below(s, 10));
	rv_strbuf_putc(&s->out, '\n');
}

static enum rv_status write_catalog(struct sample *s, struct rv_error *err)
{
	rv_strbuf_puts(&s->out,
		       "product_sku_hash,description_vector,category_hash,image_vector,price_bucket\n");
	for (uint64_t i = 0; i < s->products; i++) {
		put_product(s, i);
		if (flush(s, BUFFER_BYTES, err) != RV_OK)
			return err->status;
	}
	return flush(s, 0, err);
}

/* ---- browsing ---- */

static void put_row(struct sample *s, uint64_t session, const char *type, const char *action,
		    uint64_t product, uint64_t url)
{
	put_hash(&s->out, SESSION, session);
	rv_strbuf_printf(&s->out, ",%s,%s,", type, action);
	if (*action)
		put_hash(&s->out, PRODUCT, product);
	rv_strbuf_printf(&s->out, ",%" PRId64 ",", s->now_ms);
	put_hash(&s->out, URL, url);
	rv_strbuf_putc(&s->out, '\n');
	s->ret->rows++;
	*(*action == 'd'   ? &s->ret->details
	  : *action == 'a' ? &s->ret->adds
	  : *action == 'r' ? &s->ret->removes
	  : *action == 'p' ? &s->ret->purchases
			   : &s->ret->pageviews) += 1;
}

/* One page or deed of a visitor: a row, or two of the same moment. */
static void put_step(struct sample *s, uint64_t session)
{
	/* as often as there */
	uint64_t what = below(s, 100000), product = below(s, s->products);
	uint64_t url = below(s, s->products * 4);

	/* what was ever looked at has both */
	while (what < 37750 && !is_known(product))
		product = below(s, s->products);
	/* one in 500 is a few seconds out of order */
	s->now_ms += below(s, 500) ? (int64_t)below(s, 60000) : -(int64_t)below(s, 5000);
	if (what < 36500) {
		put_row(s, session, "event_product", "detail", product, url);
		if (s->ret->rows < s->rows)
			put_row(s, session, "pageview", "", 0, url);
	} else if (what < 37750) {
		put_row(s, session, "event_product", "add", product, url);
	} else if (what < 38950) {
		/* also of products that were never in the catalog */
		put_row(s, session, "event_product", "remove",
			below(s, 10) ? product : s->products + product, url);
	} else if (what < 39250) {
		put_row(s, session, "event_product", "purchase", product, url);
	} else {
		put_row(s, session, "pageview", "", 0, url);
	}
}

static enum rv_status write_browsing(struct sample *s, struct rv_error *err)
{
	rv_strbuf_puts(&s->out, "session_id_hash,event_type,product_action,product_sku_hash,"
				"server_timestamp_epoch_ms,hashed_url\n");
	while (s->ret->rows < s->rows) {
		/* most visits are short */
		uint64_t steps = 1 + below(s, 4), session = s->ret->sessions++;
		size_t row = s->out.len;

		if (below(s, 8) == 0)
			steps += below(s, 40);
		s->now_ms = EPOCH_MS + (int64_t)(session * 1500);
		for (uint64_t i = 0; i < steps && s->ret->rows < s->rows; i++) {
			row = s->out.len;
			put_step(s, session);
		}
		/* now and then a row is there twice */
		if (below(s, 500) == 0 && s->ret->rows < s->rows) {
			RV_CLEANUP(rv_free_p)
			char *last = rv_strndup(s->out.bytes + row, s->out.len - row);
			char *line = last;
			const char *end = strchr(line, '\n');

			if (end[1] == '\0' && strstr(line, ",pageview,")) {
				rv_strbuf_puts(&s->out, line);
				s->ret->rows++;
				s->ret->pageviews++;
			}
		}
		if (flush(s, BUFFER_BYTES, err) != RV_OK)
			return err->status;
	}
	return flush(s, 0, err);
}

/* ---- both ---- */

static enum rv_status write_file(struct sample *s, const char *folder, const char *name,
				 enum rv_status (*write)(struct sample *, struct rv_error *),
				 struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, name);
	struct stat st;

	s->path = path;
	if (stat(path, &st) == 0) {
		rv_fail(err, RV_CONFLICT, "%s is there already", path);
		rv_hint(err, "name another folder, or remove it");
		return err->status;
	}
	if (rv_new_file_open(&s->file, folder, 0, err) != RV_OK)
		return err->status;
	enum rv_status status = write(s, err);

	if (status == RV_OK)
		status = rv_new_file_publish(&s->file, path, false, err);
	rv_new_file_discard(&s->file);
	return status;
}

enum rv_status rv_pump_sample(const char *folder, uint64_t rows, uint64_t seed,
			      struct rv_pump_sample *ret, struct rv_error *err)
{
	struct sample s = {
		.state = seed,
		.rows = rows,
		.ret = ret,
		.file = RV_NEW_FILE_INIT,
		.out = RV_STRBUF_INIT,
	};

	*ret = (struct rv_pump_sample){ .rows = 0 };
	/* as many products to a row as there, up to as many as there */
	s.products = ret->products = rows / 500 < 50 ? 50 : rows / 500 > 66000 ? 66000 : rows / 500;
	enum rv_status status = rv_make_folders(folder, 0, err);

	if (status == RV_OK)
		status = write_file(&s, folder, "sku_to_content.csv", write_catalog, err);
	if (status == RV_OK)
		status = write_file(&s, folder, "browsing_train.csv", write_browsing, err);
	rv_strbuf_release(&s.out);
	return status;
}
