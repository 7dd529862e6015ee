/* What is in Snowflake's tables and ledger, asked for in SQL and never by difference. */
#include "warehouse/snowflake_look.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "format/stamp.h"
#include "warehouse/snowflake_contract.h"

/* ---- the ledger ---- */

struct passing {
	enum rv_status (*each)(void *arg, const struct rv_load *load, struct rv_error *err);
	enum rv_status (*name)(void *arg, const char *object, enum rv_load_state state,
			       struct rv_error *err);
	void *arg;
};

static enum rv_status pass_load(void *arg, const struct snow_file *file RV_UNUSED,
				const struct rv_load *settled, struct rv_error *err)
{
	const struct passing *p = arg;

	return settled->state == RV_LOAD_PENDING ? RV_OK : p->each(p->arg, settled, err);
}

static enum rv_status pass_name(void *arg, const struct snow_file *file RV_UNUSED,
				const struct rv_load *settled, struct rv_error *err)
{
	const struct passing *p = arg;
	bool queued = settled->state == RV_LOAD_QUEUED;

	if (settled->state == RV_LOAD_PENDING || settled->state == RV_LOAD_FAILED)
		return RV_OK;
	return p->name(p->arg, settled->object, queued ? RV_LOAD_QUEUED : RV_LOAD_KNOWN, err);
}

enum rv_status snow_history_op(struct rv_warehouse *w, const struct rv_stream *stream,
			       enum rv_status (*each)(void *arg, const struct rv_load *,
						      struct rv_error *err),
			       void *arg, struct rv_error *err)
{
	struct passing passing = { .each = each, .arg = arg };

	return snow_ledger_look((struct rv_snowflake_warehouse *)w, stream, pass_load, &passing, err);
}

enum rv_status snow_loaded(struct rv_warehouse *w, const struct rv_stream *stream,
			   enum rv_status (*each)(void *arg, const char *object,
						  enum rv_load_state state, struct rv_error *err),
			   void *arg, struct rv_error *err)
{
	struct passing passing = { .name = each, .arg = arg };

	return snow_ledger_look((struct rv_snowflake_warehouse *)w, stream, pass_name, &passing, err);
}

/* ---- rows ---- */

void snow_present_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		      const struct rv_stream *stream)
{
	rv_strbuf_puts(sql, "SELECT FILE_NAME, COUNT(*) AS ROW_COUNT FROM ");
	snow_add_object(sql, w, stream, SNOW_RAW);
	rv_strbuf_puts(sql, " GROUP BY FILE_NAME ORDER BY FILE_NAME");
}

static enum rv_status see_present(void *arg, const struct rv_snowflake_page *page,
				  struct rv_error *err)
{
	const struct passing *p = arg;

	if (snow_check_page(page, "tN", err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++) {
		struct rv_str name = snow_text(page, row, 0);
		RV_CLEANUP(rv_free_p) char *object = rv_strndup(name.p, name.len);
		const struct rv_load load = { .object = object, .state = RV_LOAD_KNOWN,
					      .rows = snow_u64(page, row, 1) };

		if (p->each(p->arg, &load, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status snow_present(struct rv_warehouse *warehouse, const struct rv_stream *stream,
			    bool hash RV_UNUSED,
			    enum rv_status (*each)(void *arg, const struct rv_load *,
						   struct rv_error *err),
			    void *arg, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct passing passing = { .each = each, .arg = arg };

	snow_present_sql(&sql, w, stream);
	return snow_ask(w, sql.bytes, NULL, see_present, &passing, err);
}

static void add_term(struct rv_strbuf *sql, const char *term, const char *from)
{
	rv_strbuf_printf(sql, "%sSELECT '%s' AS TERM, COUNT(*) AS N FROM %s",
			 sql->len ? "\nUNION ALL " : "", term, from);
}

/* One row a term. Duplicates are counted by the contract, not taken from what is left. */
void snow_count_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		    const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf from = RV_STRBUF_INIT;

	snow_add_object(&raw, w, stream, SNOW_RAW);
	add_term(sql, "raw", raw.bytes);
	if (snow_has_clean(stream)) {
		snow_add_object(&from, w, stream, SNOW_CLEAN);
		add_term(sql, "clean", from.bytes);
		rv_strbuf_clear(&from);
		rv_strbuf_putc(&from, '(');
		if (snow_add_duplicates(&from, stream, raw.bytes)) {
			rv_strbuf_puts(&from, ") AS D");
			add_term(sql, "duplicates", from.bytes);
		}
	}
	if (snow_has_layers(stream)) {
		rv_strbuf_clear(&from);
		snow_add_object(&from, w, stream, SNOW_REFUSED);
		add_term(sql, "refused", from.bytes);
	}
	if (snow_has_latest(stream)) {
		rv_strbuf_clear(&from);
		snow_add_object(&from, w, stream, SNOW_NEWEST);
		rv_strbuf_puts(&from, " WHERE NOT \"" SNOW_DELETED "\"");
		add_term(sql, "latest", from.bytes);
		rv_strbuf_clear(&from);
		snow_add_object(&from, w, stream, SNOW_NEWEST);
		rv_strbuf_puts(&from, " WHERE \"" SNOW_DELETED "\"");
		add_term(sql, "tombstones", from.bytes);
	}
}

static enum rv_status see_count(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct rv_warehouse_counts *counts = arg;
	const struct {
		const char *term;
		uint64_t *ret;
	} terms[] = {
		{ "raw", &counts->raw },	 { "clean", &counts->clean },
		{ "duplicates", &counts->duplicates }, { "refused", &counts->refused },
		{ "latest", &counts->latest },	 { "tombstones", &counts->tombstones },
	};

	if (snow_check_page(page, "TN", err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++)
		for (size_t i = 0; i < sizeof(terms) / sizeof(*terms); i++)
			if (rv_str_is(snow_text(page, row, 0), terms[i].term))
				*terms[i].ret = snow_u64(page, row, 1);
	return RV_OK;
}

enum rv_status snow_count(struct rv_warehouse *warehouse, const struct rv_stream *stream,
			  struct rv_warehouse_counts *ret, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct rv_warehouse_counts counts = {
		.has_clean = snow_has_clean(stream),
		.has_latest = snow_has_latest(stream),
	};

	snow_count_sql(&sql, w, stream);
	if (snow_ask(w, sql.bytes, NULL, see_count, &counts, err) != RV_OK)
		return rv_context(err, "count the rows of %s/%s", stream->business, stream->name);
	*ret = counts;
	return RV_OK;
}

/* ---- stamps ---- */

/* Neighbouring numbers of one batch are one row. A record that an object holds twice begins a range of its
 * own, so ranges overlap there and the sum of them is how many records there are. */
void snow_stamps_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		     const struct rv_stream *stream)
{
	rv_strbuf_puts(sql, "SELECT FILE_NAME, RUN, SEQ, MIN(N) AS N_FROM, MAX(N) AS N_TO FROM ("
			    "SELECT FILE_NAME, RUN, SEQ, N, TIMES, N - ROW_NUMBER() OVER (PARTITION BY "
			    "FILE_NAME, RUN, SEQ, TIMES ORDER BY N) AS ISLAND FROM ("
			    "SELECT FILE_NAME, RUN, SEQ, N, ROW_NUMBER() OVER (PARTITION BY FILE_NAME, "
			    "RUN, SEQ, N ORDER BY FILE_ROW) AS TIMES FROM ("
			    "SELECT FILE_NAME, FILE_ROW, "
			    "REGEXP_SUBSTR(ID, '^(.+)-([0-9]+)-([0-9]+)$', 1, 1, 'e', 1) AS RUN, "
			    "TRY_TO_NUMBER(REGEXP_SUBSTR(ID, '^(.+)-([0-9]+)-([0-9]+)$', 1, 1, 'e', 2), "
			    "20, 0) AS SEQ, "
			    "TRY_TO_NUMBER(REGEXP_SUBSTR(ID, '^(.+)-([0-9]+)-([0-9]+)$', 1, 1, 'e', 3), "
			    "20, 0) AS N FROM ("
			    "SELECT FILE_NAME, FILE_ROW, RECORD:\"_river\":\"id\"::VARCHAR AS ID FROM ");
	snow_add_object(sql, w, stream, SNOW_RAW);
	rv_strbuf_puts(sql, ") WHERE ID IS NOT NULL) WHERE RUN IS NOT NULL AND SEQ IS NOT NULL AND N IS NOT "
			    "NULL)) GROUP BY FILE_NAME, RUN, SEQ, TIMES, ISLAND");
}

struct stamping {
	enum rv_status (*each)(void *arg, const struct rv_loaded_stamps *stamps, struct rv_error *err);
	void *arg;
};

static bool take_range(const struct rv_snowflake_page *page, size_t row, struct rv_stamp_range *ret)
{
	struct rv_str seq = snow_text(page, row, 2), from = snow_text(page, row, 3), to = snow_text(page, row, 4);

	return rv_parse_u64(seq.p, seq.len, &ret->seq) && rv_parse_u64(from.p, from.len, &ret->from) &&
	       rv_parse_u64(to.p, to.len, &ret->to) && ret->from <= ret->to;
}

static enum rv_status see_stamps(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	const struct stamping *s = arg;

	if (snow_check_page(page, "ttttt", err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++) {
		struct rv_str name = snow_text(page, row, 0), run = snow_text(page, row, 1);
		RV_CLEANUP(rv_free_p) char *object = rv_strndup(name.p, name.len);
		RV_CLEANUP(rv_free_p) char *run_name = rv_strndup(run.p, run.len);
		struct rv_loaded_stamps stamps = { .object = object, .run = run_name };

		/* Somebody's own "_river" may look like a stamp and be none; its numbers have twenty digits. */
		if (!take_range(page, row, &stamps.range) || run.len > RV_STAMP_RUN_MAX || !stamps.range.from)
			continue;
		if (s->each(s->arg, &stamps, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status snow_stamps(struct rv_warehouse *warehouse, const struct rv_stream *stream,
			   enum rv_status (*each)(void *arg, const struct rv_loaded_stamps *,
						  struct rv_error *err),
			   void *arg, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct stamping stamping = { each, arg };

	snow_stamps_sql(&sql, w, stream);
	return snow_ask(w, sql.bytes, NULL, see_stamps, &stamping, err);
}

/* ---- what the contract refuses ---- */

void snow_refused_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		      const struct rv_stream *stream, bool quick)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf raw = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf refused = RV_STRBUF_INIT;

	snow_add_object(&raw, w, stream, SNOW_RAW);
	snow_add_object(&refused, w, stream, SNOW_REFUSED);
	rv_strbuf_printf(sql, "SELECT 'count' AS TERM, COUNT(*) AS N, NULL AS COLUMN_NAME, NULL AS REASON "
			      "FROM %s", refused.bytes);
	if (quick)
		return;
	rv_strbuf_printf(sql,
			 " UNION ALL SELECT 'last_rows', COUNT(*), NULL, NULL FROM %s WHERE LOADED_AT = "
			 "(SELECT MAX(LOADED_AT) FROM %s)"
			 " UNION ALL SELECT 'last_refused', COUNT(*), NULL, NULL FROM %s WHERE LOADED_AT = "
			 "(SELECT MAX(LOADED_AT) FROM %s)"
			 " UNION ALL SELECT 'commonest', N, COLUMN_NAME, REASON FROM (SELECT COUNT(*) AS N, "
			 "COLUMN_NAME, REASON FROM %s GROUP BY COLUMN_NAME, REASON ORDER BY N DESC, "
			 "COLUMN_NAME, REASON LIMIT 1) AS C",
			 raw.bytes, raw.bytes, refused.bytes, raw.bytes, refused.bytes);
}

static enum rv_status see_refused(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct rv_warehouse_refused *refused = arg;

	if (snow_check_page(page, "TNtt", err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++) {
		struct rv_str term = snow_text(page, row, 0);
		uint64_t n = snow_u64(page, row, 1);

		if (rv_str_is(term, "count"))
			refused->count = n;
		else if (rv_str_is(term, "last_rows"))
			refused->last_rows = n;
		else if (rv_str_is(term, "last_refused"))
			refused->last_refused = n;
		else if (rv_str_is(term, "commonest")) {
			refused->commonest = n;
			snprintf(refused->column, sizeof(refused->column), "%s",
				 snow_text(page, row, 2).p);
			snprintf(refused->reason, sizeof(refused->reason), "%s",
				 snow_text(page, row, 3).p);
		}
	}
	return RV_OK;
}

enum rv_status snow_refused(struct rv_warehouse *warehouse, const struct rv_stream *stream, bool quick,
			    struct rv_warehouse_refused *ret, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct rv_warehouse_refused refused = { 0 };

	if (snow_has_layers(stream)) {
		snow_refused_sql(&sql, w, stream, quick);
		if (snow_ask(w, sql.bytes, NULL, see_refused, &refused, err) != RV_OK)
			return rv_context(err, "what the contract refuses");
	}
	if (!refused.count)
		refused = (struct rv_warehouse_refused){ 0 };
	*ret = refused;
	return RV_OK;
}

/* ---- streams ---- */

/* Those that have loads, and those that have tables: river's own are marked in their comments. */
void snow_streams_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w)
{
	rv_strbuf_puts(sql, "SELECT DISTINCT STREAM FROM (SELECT STREAM FROM ");
	snow_add_house(sql, w, SNOW_LEDGER);
	rv_strbuf_puts(sql, " UNION ALL SELECT TRY_PARSE_JSON(COMMENT):stream::VARCHAR FROM ");
	rv_snowflake_identifier(sql, w->params.database);
	rv_strbuf_puts(sql, ".INFORMATION_SCHEMA.TABLES WHERE COMMENT LIKE '{\"river\":1,%') WHERE STREAM IS "
			    "NOT NULL ORDER BY STREAM");
}

struct naming {
	enum rv_status (*each)(void *arg, const char *name, struct rv_error *err);
	void *arg;
};

static enum rv_status see_streams(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	const struct naming *n = arg;

	if (snow_check_page(page, "T", err) != RV_OK)
		return err->status;
	for (size_t row = 0; row < page->count; row++) {
		struct rv_str text = snow_text(page, row, 0);
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(text.p, text.len);

		if (n->each(n->arg, name, err) != RV_OK)
			return err->status;
	}
	return RV_OK;
}

enum rv_status snow_streams(struct rv_warehouse *warehouse,
			    enum rv_status (*each)(void *arg, const char *name, struct rv_error *err),
			    void *arg, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	struct naming naming = { each, arg };

	snow_streams_sql(&sql, w);
	enum rv_status status = snow_ask(w, sql.bytes, NULL, see_streams, &naming, err);

	/* No ledger: nothing of river's is there, or may be seen. */
	return status == RV_NOT_FOUND ? RV_OK : status;
}

/* ---- the pipe ---- */

void snow_pipe_status_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf pipe = RV_STRBUF_INIT;

	snow_add_object(&pipe, w, stream, SNOW_PIPE);
	rv_strbuf_puts(sql, "SELECT SYSTEM$PIPE_STATUS(");
	snow_add_literal(sql, pipe.bytes);
	rv_strbuf_puts(sql, ") AS STATUS");
}

static int64_t json_time(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));
	int64_t ms;

	return text && rv_parse_time(text, strlen(text), &ms) ? ms : -1;
}

static void json_text(const json_t *o, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(o, key));

	snprintf(ret, size, "%s", text ? text : "");
}

bool snow_pipe_status_parse(const char *text, size_t len, struct rv_warehouse_pipe *ret)
{
	struct rv_warehouse_pipe pipe = { .state = "" };
	json_t *o = json_loadb(text, len, 0, NULL);
	json_int_t pending = json_integer_value(json_object_get(o, "pendingFileCount"));

	json_text(o, "executionState", pipe.state, sizeof(pipe.state));
	json_text(o, "notificationChannelName", pipe.channel, sizeof(pipe.channel));
	json_text(o, "error", pipe.error, sizeof(pipe.error));
	if (!pipe.error[0])
		json_text(o, "fault", pipe.error, sizeof(pipe.error));
	pipe.runs = strcmp(pipe.state, "RUNNING") == 0;
	pipe.pending = pending > 0 ? (uint64_t)pending : 0;
	pipe.oldest_ms = json_time(o, "oldestFileTimestamp");
	pipe.last_loaded_ms = json_time(o, "lastIngestedTimestamp");
	pipe.last_notified_ms = json_time(o, "lastReceivedMessageTimestamp");
	bool ok = json_is_object(o) && pipe.state[0];

	json_decref(o);
	if (ok)
		*ret = pipe;
	return ok;
}

static enum rv_status see_pipe(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	if (!page->count)
		return RV_OK;
	struct rv_str text = snow_text(page, 0, 0);

	if (!snow_pipe_status_parse(text.p, text.len, arg))
		return rv_fail(err, RV_FAILED, "SYSTEM$PIPE_STATUS says '%.200s'", text.p);
	return RV_OK;
}

enum rv_status snow_pipe(struct rv_warehouse *warehouse, const struct rv_stream *stream,
			 struct rv_warehouse_pipe *ret, struct rv_error *err)
{
	struct rv_snowflake_warehouse *w = (struct rv_snowflake_warehouse *)warehouse;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	char name[RV_STREAM_PLACE_MAX];

	*ret = (struct rv_warehouse_pipe){ .oldest_ms = -1, .last_loaded_ms = -1, .last_notified_ms = -1 };
	snow_pipe_status_sql(&sql, w, stream);
	if (snow_ask(w, sql.bytes, NULL, see_pipe, ret, err) != RV_OK)
		return rv_context(err, "pipe %s", snow_object_name(stream, SNOW_PIPE, name));
	return RV_OK;
}
