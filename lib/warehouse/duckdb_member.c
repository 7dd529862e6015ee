/*
 * One member of an archive as a table function: lines cut into fields, fields handed over as texts. CSV is
 * as read_csv takes it: empty fields are null, quoted or not; lines without anything are none, except of
 * one column. What does not fit is an error with its line, never another number of fields.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/json_scan.h"
#include "format/text_copy.h"
#include "warehouse/duckdb_archive.h"

#define BLOCK_BYTES (1u << 20)
#define ROW_BYTES_MAX (64u << 20)
#define JSON_PADDING 64 /* the scanner may look behind the end of its text */

/* One scan of the table. */
struct scan {
	const struct duck_member *member;
	struct rv_source *source;
	char *buf;
	size_t len, at, capacity;
	bool ended;             /* nothing comes behind what is in buf */
	bool begun, failed;
	uint64_t line;          /* of the row at `at`, from 1 */
	struct rv_strbuf field; /* of a quoted field, without its quotes */
	size_t *place;          /* of column i in the output; SIZE_MAX: not asked for */
};

static void scan_free(void *p)
{
	struct scan *s = p;

	rv_source_free(s->source);
	rv_strbuf_release(&s->field);
	free(s->buf);
	free(s->place);
	free(s);
}

/* Also for whoever ran the query: DuckDB keeps only the text. */
static void fail_scan(struct scan *s, const struct rv_error *err, duck_function_info info)
{
	struct duck_archive *archive = s->member->archive;

	s->failed = true;
	pthread_mutex_lock(&archive->mutex);
	if (archive->error.status == RV_OK)
		archive->error = *err;
	pthread_mutex_unlock(&archive->mutex);
	rv_duckdb_loaded()->function_set_error(info, err->message);
}

static enum rv_status bad_line(const struct scan *s, struct rv_error *err, const char *what)
{
	rv_fail(err, RV_BAD_DATA, "%s: line %llu: %s", s->source->label, (unsigned long long)s->line, what);
	rv_error_at(err, s->source->label, s->line, 0);
	return RV_BAD_DATA;
}

/* ---- bytes ---- */

/* More bytes behind those that are there. */
static enum rv_status fill(struct scan *s, struct rv_error *err)
{
	if (s->at > 0) {
		memmove(s->buf, s->buf + s->at, s->len - s->at);
		s->len -= s->at;
		s->at = 0;
	}
	if (s->capacity - s->len < BLOCK_BYTES) {
		if (s->len > ROW_BYTES_MAX)
			return bad_line(s, err, "it is longer than 64 MiB");
		s->capacity = s->capacity ? s->capacity * 2 : 2 * BLOCK_BYTES;
		s->buf = rv_realloc(s->buf, s->capacity + JSON_PADDING);
	}
	enum rv_source_state state = RV_SOURCE_WAIT;
	size_t n = 0;

	while (state == RV_SOURCE_WAIT)
		if (s->source->ops->read(s->source, s->buf + s->len, BLOCK_BYTES, -1, &n, &state, err) !=
		    RV_OK)
			return err->status;
	s->ended = state == RV_SOURCE_END;
	s->len += n;
	return RV_OK;
}

/* The end of the line at `at`, without its line end; *ret_next where the next one begins. False: more
 * bytes are needed. */
static bool line_end(const struct scan *s, size_t at, size_t *ret_end, size_t *ret_next)
{
	const char *p = memchr(s->buf + at, '\n', s->len - at);

	if (!p && !s->ended)
		return false;
	*ret_end = p ? (size_t)(p - s->buf) : s->len;
	*ret_next = p ? *ret_end + 1 : s->len;
	if (*ret_end > at && s->buf[*ret_end - 1] == '\r')
		--*ret_end;
	return true;
}

/* ---- CSV ---- */

struct output {
	const struct rv_duckdb_api *api;
	duck_vector *vectors;    /* of the columns asked for */
	duck_idx row;
};

static enum rv_status put_field(struct scan *s, const struct output *out, size_t column, const char *p,
				size_t len, struct rv_error *err)
{
	if (column >= s->member->columns_count || s->place[column] == SIZE_MAX || !out)
		return RV_OK;
	duck_vector vector = out->vectors[s->place[column]];

	if (len == 0) {
		out->api->vector_ensure_validity_writable(vector);
		out->api->vector_get_validity(vector)[out->row / 64] &= ~(UINT64_C(1) << out->row % 64);
		return RV_OK;
	}
	if (rv_utf8_check(p, len) != len)
		return bad_line(s, err, "it is not UTF-8");
	if (out->api->assign_checked_text)
		out->api->assign_checked_text(vector, out->row, p, len);
	else
		out->api->vector_assign_string_element_len(vector, out->row, p, len);
	return RV_OK;
}

enum row { ROW, MORE, EMPTY_ROW };

/* Where the field's bytes end; `at` is behind its opening quote. False: more bytes are needed, or with
 * *ret_open there is no closing quote. */
static bool take_quoted(struct scan *s, size_t *at, bool *ret_open)
{
	const struct duck_dialect *d = &s->member->dialect;

	*ret_open = false;
	rv_strbuf_clear(&s->field);
	for (;;) {
		size_t from = *at;

		while (*at < s->len && s->buf[*at] != d->quote && s->buf[*at] != d->escape)
			++*at;
		rv_strbuf_add(&s->field, s->buf + from, *at - from);
		/* What a quote means shows by what follows it. */
		if (*at + 1 >= s->len && !s->ended)
			return false;
		if (*at == s->len) {
			*ret_open = true;
			return false;
		}
		char c = s->buf[*at], next = *at + 1 < s->len ? s->buf[*at + 1] : '\0';

		if (c == d->escape && (next == d->quote || next == d->escape) && *at + 1 < s->len) {
			rv_strbuf_putc(&s->field, next);
			*at += 2;
		} else if (c == d->quote) {
			++*at;
			return true;
		} else { /* an escape before anything else is itself */
			rv_strbuf_putc(&s->field, c);
			++*at;
		}
	}
}

static uint64_t count_lines(const char *p, size_t len)
{
	uint64_t n = 0;

	for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		n++;
	return n;
}

/* Reads the row at s->at; `out` NULL: drops it. */
static enum rv_status take_row(struct scan *s, const struct output *out, enum row *ret,
			       struct rv_error *err)
{
	const struct duck_dialect *d = &s->member->dialect;
	size_t at = s->at, end, next, field = 0;

	if (!line_end(s, at, &end, &next)) {
		*ret = MORE;
		return RV_OK;
	}
	if ((end == at && s->member->columns_count > 1) || (d->comment && s->buf[at] == d->comment)) {
		s->at = next;
		s->line++;
		*ret = EMPTY_ROW;
		return RV_OK;
	}
	for (;; field++) {
		if (at < s->len && s->buf[at] == d->quote) {
			bool open = false;

			at++;
			if (!take_quoted(s, &at, &open)) {
				if (open)
					return bad_line(s, err, "a quoted field does not end");
				*ret = MORE;
				return RV_OK;
			}
			if (put_field(s, out, field, s->field.bytes, s->field.len, err) != RV_OK)
				return err->status;
			/* Its line may be a later one. */
			if (!line_end(s, at, &end, &next)) {
				*ret = MORE;
				return RV_OK;
			}
			if (at < end && s->buf[at] != d->delimiter)
				return bad_line(s, err, "a quoted field goes on behind its quote");
		} else {
			const char *p = memchr(s->buf + at, d->delimiter, end - at);
			size_t stop = p ? (size_t)(p - s->buf) : end;

			if (put_field(s, out, field, s->buf + at, stop - at, err) != RV_OK)
				return err->status;
			at = stop;
		}
		if (at >= end)
			break;
		at++;
	}
	if (field + 1 != s->member->columns_count) {
		char what[96];

		snprintf(what, sizeof(what), "it has %zu fields, and there are %zu columns", field + 1,
			 s->member->columns_count);
		return bad_line(s, err, what);
	}
	s->line += count_lines(s->buf + s->at, next - s->at);
	s->at = next;
	*ret = ROW;
	return RV_OK;
}

/* ---- JSON ---- */

static enum rv_status take_object(struct scan *s, const struct output *out, enum row *ret,
				  struct rv_error *err)
{
	size_t end, next;
	struct rv_json_scan found;

	if (!line_end(s, s->at, &end, &next)) {
		*ret = MORE;
		return RV_OK;
	}
	size_t at = s->at;

	while (at < end && (s->buf[at] == ' ' || s->buf[at] == '\t'))
		at++;
	while (end > at && (s->buf[end - 1] == ' ' || s->buf[end - 1] == '\t'))
		end--;
	if (at == end) {
		s->at = next;
		s->line++;
		*ret = EMPTY_ROW;
		return RV_OK;
	}
	if (rv_json_scan_object(s->buf + at, end - at, 0, RV_JSON_LINE_MODE, &found) != RV_JSON_OK ||
	    found.end != end - at)
		return bad_line(s, err, "it is no JSON object");
	if (put_field(s, out, 0, s->buf + at, end - at, err) != RV_OK)
		return err->status;
	s->at = next;
	s->line++;
	*ret = ROW;
	return RV_OK;
}

/* ---- rows ---- */

/* *ret_more false: there are no more rows. */
static enum rv_status next_row(struct scan *s, const struct output *out, bool *ret_more,
			       struct rv_error *err)
{
	for (;;) {
		enum row row = MORE;

		*ret_more = s->at < s->len || !s->ended;
		if (!*ret_more)
			return RV_OK;
		if (s->at < s->len && (s->member->dialect.json ? take_object(s, out, &row, err)
							       : take_row(s, out, &row, err)) != RV_OK)
			return err->status;
		if (row == ROW)
			return RV_OK;
		if (row == MORE && fill(s, err) != RV_OK)
			return err->status;
	}
}

static enum rv_status begin(struct scan *s, struct rv_error *err)
{
	const struct duck_dialect *d = &s->member->dialect;
	struct duck_archive *archive = s->member->archive;
	bool more;

	s->begun = true;
	s->line = 1;
	if (rv_zip_member_unpacked(archive->zip, s->member->entry, &s->source, err) != RV_OK ||
	    fill(s, err) != RV_OK)
		return err->status;
	while (s->len < 3 && !s->ended)
		if (fill(s, err) != RV_OK)
			return err->status;
	if (s->len >= 3 && memcmp(s->buf, "\xef\xbb\xbf", 3) == 0)
		s->at = 3;
	for (uint64_t i = 0; i < d->skip_lines; i++, s->line++) {
		size_t end, next;

		while (!line_end(s, s->at, &end, &next))
			if (fill(s, err) != RV_OK)
				return err->status;
		s->at = next;
	}
	return d->header ? next_row(s, NULL, &more, err) : RV_OK;
}

static void member_rows(duck_function_info info, duck_chunk output)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	struct scan *s = api->function_get_init_data(info);
	size_t columns = s->member->columns_count;
	RV_CLEANUP(rv_free_p) duck_vector *vectors = rv_calloc(columns, sizeof(duck_vector));
	struct output out = { .api = api, .vectors = vectors };
	struct rv_error err = RV_ERROR_INIT;
	bool more = !s->failed;
	duck_idx most = api->vector_size();

	for (size_t i = 0; i < columns; i++)
		if (s->place[i] != SIZE_MAX)
			vectors[s->place[i]] = api->data_chunk_get_vector(output, s->place[i]);
	if (more && !s->begun && begin(s, &err) != RV_OK)
		more = false;
	while (more && out.row < most) {
		if (next_row(s, &out, &more, &err) != RV_OK)
			break;
		out.row += more;
	}
	if (err.status != RV_OK)
		fail_scan(s, &err, info);
	api->data_chunk_set_size(output, err.status == RV_OK ? out.row : 0);
}

/* ---- DuckDB's side ---- */

static void member_bind(duck_bind_info info)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	const struct duck_member *member = api->bind_get_extra_info(info);
	duck_type text = api->create_logical_type(DUCK_VARCHAR);

	/* JSON is text under another name; so nothing casts, nothing parses. */
	if (member->dialect.json)
		api->logical_type_set_alias(text, "JSON");
	for (size_t i = 0; i < member->columns_count; i++)
		api->bind_add_result_column(info, member->columns[i], text);
	api->destroy_logical_type(&text);
}

static void member_init(duck_init_info info)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	const struct duck_member *member = api->init_get_extra_info(info);
	struct scan *s = rv_calloc(1, sizeof(*s));

	s->member = member;
	s->field = (struct rv_strbuf)RV_STRBUF_INIT;
	s->place = rv_calloc(member->columns_count, sizeof(*s->place));
	for (size_t i = 0; i < member->columns_count; i++)
		s->place[i] = SIZE_MAX;
	for (duck_idx i = 0; i < api->init_get_column_count(info); i++) {
		duck_idx column = api->init_get_column_index(info, i);

		/* Beyond them: a column of nothing, for counting. */
		if (column < member->columns_count)
			s->place[column] = i;
	}
	api->init_set_max_threads(info, 1);
	api->init_set_init_data(info, s, scan_free);
}

enum rv_status duck_member_register(struct rv_duckdb *d, struct duck_member *member,
				    struct rv_error *err)
{
	const struct rv_duckdb_api *api = d->api;
	duck_table_function function = api->create_table_function();

	api->table_function_set_name(function, member->function);
	api->table_function_set_extra_info(function, member, NULL);
	api->table_function_set_bind(function, member_bind);
	api->table_function_set_init(function, member_init);
	api->table_function_set_function(function, member_rows);
	api->table_function_supports_projection_pushdown(function, true);
	bool failed = api->register_table_function(d->connection, function) != 0;

	api->destroy_table_function(&function);
	return failed ? rv_fail(err, RV_FAILED, "DuckDB takes no table function") : RV_OK;
}
