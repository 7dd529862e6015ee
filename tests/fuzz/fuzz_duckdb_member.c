/*
 * Any bytes as the member of an archive that DuckDB asks rows of, under several dialects, a few rows at a time,
 * of some of its columns or all: what comes is what a second reader, slow and of one piece, finds, up to the line
 * that both refuse; and it does not depend on the pieces. The engine is left out: what would call it is caught here.
 *
 * The first byte chooses the dialect, the second the columns and the pieces.
 */
#include "fuzz.h"

#include "base/strbuf.h"
#include "format/json_scan.h"
#include "format/text_copy.h"
#include "warehouse/duckdb_archive.h"

static const struct rv_duckdb_api *fake_loaded(void);
static enum rv_status fake_unpacked(struct rv_zip *zip, size_t i, struct rv_source **ret, struct rv_error *err);
#define rv_duckdb_loaded fake_loaded
#define rv_zip_member_unpacked fake_unpacked
#include "warehouse/duckdb_member.c"

#define COLUMNS_MAX 4
#define ROWS_A_CHUNK 3 /* few, so that most members have several */

/* ---- the engine ---- */

static struct {
	const char *p;
	size_t len, piece;
	unsigned columns;          /* bits of those asked for */
	size_t order[COLUMNS_MAX]; /* which column is the i-th asked for */
	size_t order_count;
	struct scan *scan;
	struct rv_strbuf cells[COLUMNS_MAX][ROWS_A_CHUNK];
	bool has[COLUMNS_MAX][ROWS_A_CHUNK]; /* a text was put there */
	uint64_t valid[COLUMNS_MAX];
	duck_idx rows;
	char error[1200];
} engine;

static enum rv_status fake_unpacked(struct rv_zip *zip RV_UNUSED, size_t i RV_UNUSED, struct rv_source **ret,
				    struct rv_error *err RV_UNUSED)
{
	*ret = rv_source_mem_new(engine.p, engine.len, engine.piece, UINT64_MAX);
	return RV_OK;
}

static void *the_scan(duck_function_info info RV_UNUSED)
{
	return engine.scan;
}

static void take_error(duck_function_info info RV_UNUSED, const char *text)
{
	CHECK(text[0] && !engine.error[0]);
	snprintf(engine.error, sizeof(engine.error), "%s", text);
}

static duck_idx rows_a_chunk(void)
{
	return ROWS_A_CHUNK;
}

/* A vector is its number, from 1. */
static duck_vector the_vector(duck_chunk chunk RV_UNUSED, duck_idx i)
{
	CHECK(i < engine.order_count);
	return (duck_vector)(uintptr_t)(i + 1);
}

static size_t number_of(duck_vector vector)
{
	CHECK(vector && (uintptr_t)vector <= engine.order_count);
	return (uintptr_t)vector - 1;
}

static void set_size(duck_chunk chunk RV_UNUSED, duck_idx rows)
{
	CHECK(rows <= ROWS_A_CHUNK);
	engine.rows = rows;
}

static uint64_t *the_validity(duck_vector vector)
{
	return &engine.valid[number_of(vector)];
}

static void make_validity(duck_vector vector)
{
	(void)number_of(vector);
}

static void put_text(duck_vector vector, duck_idx row, const char *p, duck_idx len)
{
	size_t i = number_of(vector);

	CHECK(row < ROWS_A_CHUNK && len > 0 && rv_utf8_check(p, len) == len);
	rv_strbuf_clear(&engine.cells[i][row]);
	rv_strbuf_add(&engine.cells[i][row], p, len);
	engine.has[i][row] = true;
}

static void *the_member(duck_init_info info)
{
	return info;
}

static duck_idx count_asked(duck_init_info info RV_UNUSED)
{
	return engine.order_count;
}

static duck_idx column_asked(duck_init_info info RV_UNUSED, duck_idx i)
{
	return engine.order[i];
}

static void keep_scan(duck_init_info info RV_UNUSED, void *scan, void (*release)(void *) RV_UNUSED)
{
	engine.scan = scan;
}

static void one_thread(duck_init_info info RV_UNUSED, duck_idx most)
{
	CHECK(most == 1);
}

static const struct rv_duckdb_api *fake_loaded(void)
{
	static const struct rv_duckdb_api api = {
		.function_get_init_data = the_scan,
		.function_set_error = take_error,
		.vector_size = rows_a_chunk,
		.data_chunk_get_vector = the_vector,
		.data_chunk_set_size = set_size,
		.vector_get_validity = the_validity,
		.vector_ensure_validity_writable = make_validity,
		.vector_assign_string_element_len = put_text,
		.init_get_extra_info = the_member,
		.init_get_column_count = count_asked,
		.init_get_column_index = column_asked,
		.init_set_init_data = keep_scan,
		.init_set_max_threads = one_thread,
	};

	return &api;
}

/* ---- what is compared: a line a row, cells of all columns asked for ---- */

static void add_cell(struct rv_strbuf *out, const char *p, size_t len)
{
	rv_strbuf_printf(out, len ? "%zu:" : "-", len);
	rv_strbuf_add(out, p, len);
	rv_strbuf_putc(out, ';');
}

/* The rows of all chunks, as the engine gets them. */
static void read_by_scan(struct duck_member *member, size_t piece, struct rv_strbuf *out)
{
	engine.piece = piece;
	engine.error[0] = '\0';
	member_init((duck_init_info)(void *)member);
	do {
		memset(engine.has, 0, sizeof(engine.has));
		memset(engine.valid, 0xff, sizeof(engine.valid));
		engine.rows = ROWS_A_CHUNK + 1;
		member_rows(NULL, NULL);
		CHECK(engine.rows <= ROWS_A_CHUNK && (!engine.error[0] || !engine.rows));
		for (size_t row = 0; row < engine.rows; row++) {
			for (size_t i = 0; i < engine.order_count; i++) {
				bool valid = engine.valid[i] >> row & 1;
				const struct rv_strbuf *cell = &engine.cells[i][row];

				CHECK(valid == engine.has[i][row]);
				add_cell(out, cell->bytes, valid ? cell->len : 0);
			}
			rv_strbuf_putc(out, '\n');
		}
	} while (engine.rows);
	if (engine.error[0]) { /* it has ended */
		char said[sizeof(engine.error)];

		memcpy(said, engine.error, sizeof(said));
		member_rows(NULL, NULL);
		CHECK(engine.rows == 0 && strcmp(said, engine.error) == 0);
	}
	scan_free(engine.scan);
}

/* ---- the second reader ---- */

struct text {
	const char *p;
	size_t len, at;
	uint64_t line;
	const struct duck_member *member;
};

static bool is_end(const struct text *t, size_t at)
{
	return at >= t->len || t->p[at] == '\n' ||
	       (t->p[at] == '\r' && (at + 1 == t->len || t->p[at + 1] == '\n'));
}

static void pass_line_end(struct text *t)
{
	if (t->at < t->len && t->p[t->at] == '\r')
		t->at++;
	if (t->at < t->len) {
		t->at++;
		t->line++;
	}
}

static void pass_line(struct text *t)
{
	while (!is_end(t, t->at))
		t->at++;
	pass_line_end(t);
}

static bool is_asked(size_t column)
{
	return column < COLUMNS_MAX && engine.columns >> column & 1;
}

/* A field at `at`; false: it is wrong. */
static bool read_field(struct text *t, struct rv_strbuf *field, uint64_t *lines)
{
	const struct duck_dialect *d = &t->member->dialect;

	if (t->at >= t->len || t->p[t->at] != d->quote) {
		while (!is_end(t, t->at) && t->p[t->at] != d->delimiter)
			rv_strbuf_putc(field, t->p[t->at++]);
		return true;
	}
	for (t->at++;; t->at++) {
		if (t->at >= t->len)
			return false;
		char c = t->p[t->at], next = t->at + 1 < t->len ? t->p[t->at + 1] : '\0';

		if (t->at + 1 < t->len && c == d->escape && (next == d->quote || next == d->escape)) {
			c = next;
			t->at++;
		} else if (c == d->quote) {
			t->at++;
			return is_end(t, t->at) || t->p[t->at] == d->delimiter;
		}
		*lines += c == '\n';
		rv_strbuf_putc(field, c);
	}
}

/* False: it is wrong. *ret_row: there was one. `out` NULL: cells are not wanted. */
static bool read_row(struct text *t, struct rv_strbuf *out, bool *ret_row)
{
	const struct duck_dialect *d = &t->member->dialect;
	size_t wanted = t->member->columns_count, fields = 0;
	struct rv_strbuf cells[COLUMNS_MAX] = { RV_STRBUF_INIT, RV_STRBUF_INIT, RV_STRBUF_INIT, RV_STRBUF_INIT };
	uint64_t lines = 0;
	bool good = true;

	*ret_row = !((is_end(t, t->at) && wanted > 1) || (d->comment && t->p[t->at] == d->comment));
	if (!*ret_row) {
		pass_line(t);
		return true;
	}
	for (; good; t->at++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf field = RV_STRBUF_INIT;

		good = read_field(t, &field, &lines);
		if (good && out && fields < wanted && is_asked(fields))
			good = rv_utf8_check(field.bytes, field.len) == field.len;
		if (good && fields < COLUMNS_MAX)
			rv_strbuf_add(&cells[fields], field.bytes, field.len);
		fields++;
		if (!good || is_end(t, t->at))
			break;
	}
	good = good && fields == wanted;
	if (good && out) {
		for (size_t i = 0; i < engine.order_count; i++)
			add_cell(out, cells[engine.order[i]].bytes, cells[engine.order[i]].len);
		rv_strbuf_putc(out, '\n');
	}
	for (size_t i = 0; i < COLUMNS_MAX; i++)
		rv_strbuf_release(&cells[i]);
	if (good) {
		t->line += lines;
		pass_line_end(t);
	}
	return good;
}

static bool read_object(struct text *t, struct rv_strbuf *out)
{
	size_t at = t->at, end;
	struct rv_json_scan found;

	while (t->at < t->len && t->p[t->at] != '\n')
		t->at++;
	end = t->at;
	if (end > at && t->p[end - 1] == '\r')
		end--;
	while (at < end && strchr(" \t", t->p[at]) && t->p[at])
		at++;
	while (end > at && strchr(" \t", t->p[end - 1]) && t->p[end - 1])
		end--;
	if (at < end) {
		RV_CLEANUP(rv_free_p) char *copy = rv_calloc(1, end - at + JSON_PADDING);

		memcpy(copy, t->p + at, end - at);
		if (rv_json_scan_object(copy, end - at, 0, RV_JSON_LINE_MODE, &found) != RV_JSON_OK ||
		    found.end != end - at)
			return false;
		if (is_asked(0))
			add_cell(out, t->p + at, end - at);
		rv_strbuf_putc(out, '\n');
	}
	if (t->at < t->len) {
		t->at++;
		t->line++;
	}
	return true;
}

/* False: it ends at a line that is wrong. */
static bool read_slowly(struct text *t, struct rv_strbuf *out)
{
	const struct duck_dialect *d = &t->member->dialect;
	bool row = false, good = true;

	if (t->len >= 3 && memcmp(t->p, "\xef\xbb\xbf", 3) == 0)
		t->at = 3;
	for (uint64_t i = 0; i < d->skip_lines; i++) {
		uint64_t line = t->line;

		pass_line(t);
		t->line = line + 1;
	}
	while (d->header && good && !row && t->at < t->len)
		good = read_row(t, NULL, &row);
	while (good && t->at < t->len)
		good = d->json ? read_object(t, out) : read_row(t, out, &row);
	return good;
}

static void choose_columns(const struct duck_member *member, unsigned how)
{
	engine.columns = 0;
	engine.order_count = 0;
	/* from the last one on, each second time */
	for (size_t i = 0; i < member->columns_count; i++) {
		size_t column = how & 1 ? member->columns_count - 1 - i : i;

		if (how >> 1 & 1 && (how >> 2 & 3) == column)
			continue;
		engine.columns |= 1u << column;
		engine.order[engine.order_count++] = column;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct duck_dialect dialects[] = {
		{ .delimiter = ',', .quote = '"', .escape = '"', .header = true },
		{ .delimiter = '\t', .quote = '"', .escape = '\\' },
		{ .delimiter = ';', .quote = '\'', .escape = '\'', .comment = '#', .skip_lines = 2, .header = true },
		{ .json = true },
	};
	static char names[COLUMNS_MAX][2] = { "a", "b", "c", "d" };
	static char *columns[COLUMNS_MAX] = { names[0], names[1], names[2], names[3] };
	static struct duck_archive archive;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf whole = RV_STRBUF_INIT, pieces = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf slow = RV_STRBUF_INIT;

	if (size < 2 || size > 8 << 10)
		return 0;
	if (!engine.cells[0][0].bytes) {
		pthread_mutex_init(&archive.mutex, NULL);
		for (size_t i = 0; i < COLUMNS_MAX; i++)
			for (size_t k = 0; k < ROWS_A_CHUNK; k++)
				engine.cells[i][k] = (struct rv_strbuf)RV_STRBUF_INIT;
	}
	struct duck_member member = { .archive = &archive, .dialect = dialects[data[0] & 3], .columns = columns };

	member.columns_count = member.dialect.json ? 1 : 1 + (data[1] & 3);
	choose_columns(&member, data[1] >> 2 & 15);
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 2, size - 2);

	engine.p = p;
	engine.len = size - 2;
	archive.error = (struct rv_error)RV_ERROR_INIT;
	struct text text = { .p = p, .len = size - 2, .line = 1, .member = &member };
	bool good = read_slowly(&text, &slow);
	char line[40];

	read_by_scan(&member, 0, &whole);
	CHECK(good == !engine.error[0] && (archive.error.status == RV_OK) == good);
	/* rows of the chunk that the fault is in are not given */
	CHECK(whole.len <= slow.len && memcmp(whole.bytes, slow.bytes, whole.len) == 0);
	CHECK(!good || whole.len == slow.len);
	if (!good) {
		CHECK(archive.error.status == RV_BAD_DATA && archive.error.line == text.line);
		snprintf(line, sizeof(line), ": line %llu: ", (unsigned long long)text.line);
		CHECK(strstr(engine.error, line));
	}
	read_by_scan(&member, 1 + (data[1] >> 6), &pieces);
	CHECK(good == !engine.error[0]);
	CHECK(pieces.len == whole.len && memcmp(pieces.bytes, whole.bytes, whole.len) == 0);
	return 0;
}
