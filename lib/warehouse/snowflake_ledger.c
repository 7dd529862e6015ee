/* The ledger and its witnesses; see the header. One statement joins all three, so that they are of one
 * moment and a look costs one round trip. */
#include "warehouse/snowflake_ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "flow/object_name.h"

/* So long a load in several transactions may take: rows that are fewer than they should be, and of
 * which no history speaks, are final then. */
#define LOAD_LASTS_MS (INT64_C(24) * 3600 * 1000)
/* Rows of the ledger in one statement: with names of a hundred bytes about half a megabyte of it. */
#define ROWS_AT_ONCE 5000
/* What is asked when the time is up may take so long. */
#define BEYOND_MS 10000

/* ---- deciding ---- */

static void take_history(const struct snow_file *f, struct rv_load *ret)
{
	ret->bytes = f->bytes ? f->bytes : ret->bytes;
	ret->rows = f->rows;
	ret->rejected = f->errors;
	ret->loaded_ms = f->loaded_ms;
	ret->error_line = f->error_line;
	ret->error_character = f->error_character;
	free(rv_take(ret->message));
	if (!f->error[0])
		return;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (f->error_line)
		rv_strbuf_printf(&text, "line %" PRIu64, f->error_line);
	if (f->error_character)
		rv_strbuf_printf(&text, "%scharacter %" PRIu64, text.len ? ", " : "", f->error_character);
	if (f->error_column[0])
		rv_strbuf_printf(&text, "%scolumn %s", text.len ? ", " : "", f->error_column);
	rv_load_say(ret, "%s%s%s", text.bytes, text.len ? ": " : "", f->error);
}

/* Nobody but raw knows of it: it was loaded longer than two weeks ago, or the table was made anew. */
static void take_raw(const struct snow_file *f, int64_t now_ms, struct rv_load *ret)
{
	struct rv_object_name name;
	bool own = rv_object_name_parse(f->ledger.object, &name);

	if (own && f->raw_rows < name.records && now_ms - f->raw_ms < LOAD_LASTS_MS) {
		ret->state = RV_LOAD_QUEUED;
		return;
	}
	ret->rows = f->raw_rows;
	ret->rejected = own && f->raw_rows < name.records ? name.records - f->raw_rows : 0;
	ret->state = ret->rejected ? RV_LOAD_PARTIAL : RV_LOAD_KNOWN;
	ret->loaded_ms = f->raw_ms;
	free(rv_take(ret->message));
	if (ret->rejected)
		rv_load_say(ret, "the table has %" PRIu64 " of its %" PRIu64 " records", f->raw_rows,
			    name.records);
}

bool snow_settle(const struct snow_file *f, int64_t now_ms, struct rv_load *ret)
{
	const struct rv_load *ledger = &f->ledger;
	enum rv_load_state before = f->in_ledger ? ledger->state : RV_LOAD_PENDING;

	*ret = *ledger;
	ret->state = before;
	ret->object = rv_strdup(ledger->object);
	ret->message = ledger->message ? rv_strdup(ledger->message) : NULL;
	if (before == RV_LOAD_KNOWN || before == RV_LOAD_PARTIAL)
		return false;
	switch (f->history) {
	case SNOW_HISTORY_LOADED:
		take_history(f, ret);
		ret->state = f->errors ? RV_LOAD_PARTIAL : RV_LOAD_KNOWN;
		return true;
	case SNOW_HISTORY_FAILED:
		/* What failed before it was submitted again is an older story. */
		if (f->raw_rows) {
			take_raw(f, now_ms, ret);
		} else if (before != RV_LOAD_QUEUED || !f->loaded_ms ||
			   f->loaded_ms >= ledger->submitted_ms) {
			take_history(f, ret);
			ret->rows = 0;
			ret->state = RV_LOAD_FAILED;
		}
		break;
	case SNOW_HISTORY_GOES_ON:
		ret->state = RV_LOAD_QUEUED;
		break;
	case SNOW_HISTORY_NONE:
		if (f->raw_rows)
			take_raw(f, now_ms, ret);
		break;
	}
	return ret->state != before;
}

enum snow_way snow_choose_way(const struct snow_wanted *wanted, bool is_auto,
			      const struct rv_load_params *params, int64_t now_ms)
{
	bool force = params && params->force;
	enum rv_load_state state = wanted->known ? wanted->state : RV_LOAD_PENDING;

	if (state == RV_LOAD_KNOWN || state == RV_LOAD_PARTIAL)
		return SNOW_WAY_NONE;
	if (state == RV_LOAD_FAILED)
		return SNOW_WAY_COPY;
	/* COPY has a memory of its own: what it has loaded, killed before it could say so, it skips. */
	if (state == RV_LOAD_QUEUED && wanted->by_copy)
		return SNOW_WAY_COPY;
	/* The history may have forgotten what became of it. */
	int64_t since_ms = state == RV_LOAD_QUEUED ? wanted->submitted_ms : wanted->modified_ms;

	if (since_ms && now_ms - since_ms > SNOW_REMEMBERED_MS)
		return force ? SNOW_WAY_COPY : SNOW_WAY_OLD;
	if (!is_auto)
		return SNOW_WAY_SUBMIT;
	if (!params || !params->by_hand)
		return SNOW_WAY_FOLLOW;
	/* REFRESH looks back seven days. Older ones may still be in the pipe's queue. */
	if (wanted->modified_ms && now_ms - wanted->modified_ms > SNOW_REMEMBERED_MS / 2)
		return force ? SNOW_WAY_COPY : SNOW_WAY_OLD;
	return SNOW_WAY_REFRESH;
}

/* ---- statements ---- */

/* COPY_HISTORY names a file below its stage or below the location that was copied from. */
static void add_history_name(struct rv_strbuf *sql, const struct rv_stream *stream)
{
	rv_strbuf_printf(sql,
			 "CASE WHEN CONTAINS(FILE_NAME, 'data/%s/%s/') THEN "
			 "SUBSTR(FILE_NAME, POSITION('data/%s/%s/', FILE_NAME)) "
			 "WHEN STARTSWITH(FILE_NAME, '%s/%s/') THEN 'data/' || FILE_NAME "
			 "ELSE 'data/%s/%s/' || FILE_NAME END",
			 stream->business, stream->name, stream->business, stream->name,
			 stream->business, stream->name, stream->business, stream->name);
}

/* A name for COPY_HISTORY and SYSTEM$PIPE_STATUS: quoted, in a literal. */
static void add_history_of(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_stream *stream)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf table = RV_STRBUF_INIT;

	snow_add_object(&table, w, stream, SNOW_RAW);
	rv_strbuf_puts(sql, "TABLE(");
	rv_snowflake_identifier(sql, w->params.database);
	rv_strbuf_puts(sql, ".INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => ");
	snow_add_literal(sql, table.bytes);
	/* 14 days and no minute more: else it is an error. */
	rv_strbuf_puts(sql, ", START_TIME => DATEADD(hour, -335, CURRENT_TIMESTAMP())))");
}

void snow_ledger_look_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			  const struct rv_stream *stream)
{
	rv_strbuf_puts(sql, "WITH L AS (SELECT FILE_NAME, STATE, VIA, BYTES, ROWS_LOADED, ERRORS, "
			    "FIRST_ERROR, FIRST_ERROR_LINE, SUBMITTED_AT, LOADED_AT, RETIRED_ROWS FROM ");
	snow_add_house(sql, w, SNOW_LEDGER);
	rv_strbuf_printf(sql, " WHERE STREAM_ID = '%s'), H AS (SELECT ", stream->id);
	add_history_name(sql, stream);
	rv_strbuf_puts(sql, " AS FILE_NAME, STATUS, FILE_SIZE, ROW_COUNT, ROW_PARSED, ERROR_COUNT, "
			    "FIRST_ERROR_MESSAGE, FIRST_ERROR_LINE_NUMBER, FIRST_ERROR_CHARACTER_POS, "
			    "FIRST_ERROR_COLUMN_NAME, LAST_LOAD_TIME FROM ");
	add_history_of(sql, w, stream);
	/* The ledger knows all that was in raw when it learned last; two weeks more than that are for
	 * rows that were loaded then and not seen. */
	rv_strbuf_puts(sql, " WHERE STATUS <> 'Load skipped' QUALIFY ROW_NUMBER() OVER (PARTITION BY "
			    "FILE_NAME ORDER BY LAST_LOAD_TIME DESC NULLS LAST) = 1), "
			    "R AS (SELECT FILE_NAME, COUNT(*) AS ROW_COUNT, MAX(LOADED_AT) AS LOADED_AT "
			    "FROM ");
	snow_add_object(sql, w, stream, SNOW_RAW);
	rv_strbuf_puts(sql, " WHERE LOADED_AT >= COALESCE((SELECT DATEADD(day, -15, MAX(LOADED_AT)) FROM "
			    "L WHERE STATE IN ('loaded', 'partial')), '1970-01-01'::TIMESTAMP_LTZ) "
			    "GROUP BY FILE_NAME) "
			    "SELECT COALESCE(L.FILE_NAME, H.FILE_NAME, R.FILE_NAME) AS FILE_NAME, L.STATE, "
			    "L.VIA, L.BYTES, L.ROWS_LOADED, L.ERRORS, L.FIRST_ERROR, L.FIRST_ERROR_LINE, "
			    "L.SUBMITTED_AT, L.LOADED_AT, L.RETIRED_ROWS, H.STATUS, H.FILE_SIZE, "
			    "H.ROW_COUNT, H.ROW_PARSED, H.ERROR_COUNT, H.FIRST_ERROR_MESSAGE, "
			    "H.FIRST_ERROR_LINE_NUMBER, H.FIRST_ERROR_CHARACTER_POS, "
			    "H.FIRST_ERROR_COLUMN_NAME, H.LAST_LOAD_TIME, R.ROW_COUNT AS RAW_ROWS, "
			    "R.LOADED_AT AS RAW_LOADED_AT FROM L "
			    "FULL OUTER JOIN H ON H.FILE_NAME = L.FILE_NAME "
			    "FULL OUTER JOIN R ON R.FILE_NAME = COALESCE(L.FILE_NAME, H.FILE_NAME) "
			    "ORDER BY 1");
}
enum column {
	FILE_NAME, STATE, VIA, BYTES, ROWS_LOADED, ERRORS, FIRST_ERROR, FIRST_ERROR_LINE, SUBMITTED_AT,
	LOADED_AT, RETIRED_ROWS, STATUS, FILE_SIZE, ROW_COUNT, ROW_PARSED, ERROR_COUNT,
	FIRST_ERROR_MESSAGE, FIRST_ERROR_LINE_NUMBER, FIRST_ERROR_CHARACTER_POS,
	FIRST_ERROR_COLUMN_NAME, LAST_LOAD_TIME, RAW_ROWS, RAW_LOADED_AT
};
/* Of these; where in a file an error is is only said. */
#define COLUMNS "tttnnntttt" "nt" "nnnn" "ttttt" "nt"

/* When it was submitted is told by Snowflake's clock, as is when its load failed: what is older than the
 * submission was an earlier try. Submitted once more, a file keeps its first time. */
void snow_ledger_write_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_stream *stream)
{
	rv_strbuf_puts(sql, "MERGE INTO ");
	snow_add_house(sql, w, SNOW_LEDGER);
	rv_strbuf_printf(sql, " AS L USING (SELECT 'data/%s/%s/' || V.VALUE:f::VARCHAR AS FILE_NAME, ",
			 stream->business, stream->name);
	rv_strbuf_puts(sql, "V.VALUE:s::VARCHAR AS STATE, V.VALUE:v::VARCHAR AS VIA, "
			    "V.VALUE:b::NUMBER(38,0) AS BYTES, V.VALUE:r::NUMBER(38,0) AS ROWS_LOADED, "
			    "V.VALUE:p::NUMBER(38,0) AS ROWS_PARSED, V.VALUE:e::NUMBER(38,0) AS ERRORS, "
			    "V.VALUE:m::VARCHAR AS FIRST_ERROR, "
			    "V.VALUE:n::NUMBER(38,0) AS FIRST_ERROR_LINE, "
			    "V.VALUE:l::TIMESTAMP_LTZ AS LOADED_AT "
			    "FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?))) AS V) AS S ");
	rv_strbuf_printf(sql, "ON L.STREAM_ID = '%s' AND L.FILE_NAME = S.FILE_NAME ", stream->id);
	rv_strbuf_puts(sql, "WHEN MATCHED AND L.STATE IN ('submitted', 'failed') THEN UPDATE SET "
			    "STATE = S.STATE, VIA = COALESCE(S.VIA, L.VIA), "
			    "BYTES = COALESCE(S.BYTES, L.BYTES), ROWS_LOADED = S.ROWS_LOADED, "
			    "ROWS_PARSED = S.ROWS_PARSED, ERRORS = S.ERRORS, FIRST_ERROR = S.FIRST_ERROR, "
			    "FIRST_ERROR_LINE = S.FIRST_ERROR_LINE, "
			    "SUBMITTED_AT = IFF(S.STATE = 'submitted' AND L.STATE = 'failed', "
			    "CURRENT_TIMESTAMP(), L.SUBMITTED_AT), "
			    "LOADED_AT = S.LOADED_AT "
			    "WHEN NOT MATCHED THEN INSERT (STREAM_ID, STREAM, FILE_NAME, STATE, VIA, BYTES, "
			    "ROWS_LOADED, ROWS_PARSED, ERRORS, FIRST_ERROR, FIRST_ERROR_LINE, SUBMITTED_AT, "
			    "LOADED_AT, RETIRED_ROWS) ");
	rv_strbuf_printf(sql, "VALUES ('%s', '%s/%s', ", stream->id, stream->business, stream->name);
	rv_strbuf_puts(sql, "S.FILE_NAME, S.STATE, S.VIA, S.BYTES, S.ROWS_LOADED, S.ROWS_PARSED, S.ERRORS, "
			    "S.FIRST_ERROR, S.FIRST_ERROR_LINE, "
			    "IFF(S.STATE = 'submitted', CURRENT_TIMESTAMP(), NULL), S.LOADED_AT, 0)");
}

static const char *state_text(enum rv_load_state state)
{
	switch (state) {
	case RV_LOAD_LOADED:
	case RV_LOAD_KNOWN:
		return "loaded";
	case RV_LOAD_PARTIAL:
		return "partial";
	case RV_LOAD_FAILED:
		return "failed";
	default:
		return "submitted";
	}
}

void snow_ledger_rows(struct rv_strbuf *json, const struct rv_stream *stream,
		      struct rv_load *const *items, size_t count, const char *via)
{
	char time[RV_TIME_TEXT];

	rv_strbuf_putc(json, '[');
	for (size_t i = 0; i < count; i++) {
		const struct rv_load *item = items[i];
		const char *path = snow_relative(stream, item->object);
		bool done = item->state != RV_LOAD_QUEUED && item->state != RV_LOAD_PENDING;

		if (!path)
			rv_bug("%s is no file of %s/%s", item->object, stream->business, stream->name);
		rv_strbuf_puts(json, i ? ",{\"f\":" : "{\"f\":");
		rv_strbuf_json(json, path, strlen(path));
		rv_strbuf_printf(json, ",\"s\":\"%s\"", state_text(item->state));
		if (via)
			rv_strbuf_printf(json, ",\"v\":\"%s\"", via);
		if (item->bytes)
			rv_strbuf_printf(json, ",\"b\":%" PRIu64, item->bytes);
		if (done)
			rv_strbuf_printf(json, ",\"r\":%" PRIu64 ",\"p\":%" PRIu64 ",\"e\":%" PRIu64,
					 item->rows, item->rows + item->rejected, item->rejected);
		if (done && item->message) {
			rv_strbuf_puts(json, ",\"m\":");
			rv_strbuf_json(json, item->message, strlen(item->message));
		}
		if (done && item->error_line)
			rv_strbuf_printf(json, ",\"n\":%" PRIu64, item->error_line);
		if (done && item->loaded_ms)
			rv_strbuf_printf(json, ",\"l\":\"%s\"", rv_format_time(item->loaded_ms, time));
		rv_strbuf_putc(json, '}');
	}
	rv_strbuf_putc(json, ']');
}

/* ---- pages ---- */

static enum rv_status not_what_was_asked_for(struct rv_error *err)
{
	rv_hint(err, "something may stand in between: 'river doctor' looks further");
	return err->status;
}

enum rv_status snow_check_page(const struct rv_snowflake_page *page, const char *columns, struct rv_error *err)
{
	size_t wanted = strlen(columns);

	if (page->columns_count != wanted) {
		rv_fail(err, RV_FAILED, "Snowflake answers %zu columns where %zu were asked for", page->columns_count,
			wanted);
		return not_what_was_asked_for(err);
	}
	for (size_t i = 0; i < page->count * wanted; i++) {
		const struct rv_str *value = &page->values[i];
		char kind = columns[i % wanted];
		uint64_t n;

		if (!value->p && (kind == 'T' || kind == 'N')) {
			rv_fail(err, RV_FAILED, "Snowflake answers nothing in column %s", page->columns[i % wanted].name);
			return not_what_was_asked_for(err);
		}
		if (value->p && (kind == 'n' || kind == 'N') && !rv_parse_u64(value->p, value->len, &n)) {
			rv_fail(err, RV_FAILED, "Snowflake answers '%.100s' in column %s, which is of numbers",
				value->p, page->columns[i % wanted].name);
			return not_what_was_asked_for(err);
		}
	}
	return RV_OK;
}

struct rv_str snow_text(const struct rv_snowflake_page *page, size_t row, size_t column)
{
	struct rv_str value = page->values[row * page->columns_count + column];

	return value.p ? value : RV_STR("");
}

uint64_t snow_u64(const struct rv_snowflake_page *page, size_t row, size_t column)
{
	struct rv_str value = snow_text(page, row, column);
	uint64_t n = 0;

	return rv_parse_u64(value.p, value.len, &n) ? n : 0;
}

/* What is beyond could not be written back into the ledger as a time. */
#define YEAR_10000_S UINT64_C(253402300800)

/* "1700000000.123000000", with an offset behind it for TIMESTAMP_TZ */
int64_t snow_ms(const struct rv_snowflake_page *page, size_t row, size_t column)
{
	struct rv_str value = snow_text(page, row, column);
	size_t whole = strcspn(value.p, ". ");
	uint64_t seconds, ms = 0, unit = 100;

	if (!rv_parse_u64(value.p, whole, &seconds) || seconds >= YEAR_10000_S)
		return 0;
	for (size_t i = whole + 1; value.p[whole] == '.' && unit && value.p[i] >= '0' && value.p[i] <= '9';
	     i++, unit /= 10)
		ms += (uint64_t)(value.p[i] - '0') * unit;
	return (int64_t)(seconds * 1000 + ms);
}

enum rv_status snow_ask(struct rv_snowflake_warehouse *w, const char *sql, const char *bound,
			rv_snowflake_sink *sink, void *arg, struct rv_error *err)
{
	const struct rv_snowflake_binding binding = { "TEXT", bound };
	const struct rv_snowflake_statement statement = {
		.sql = sql,
		.bindings = &binding,
		.bindings_count = bound != NULL,
		.database = w->params.database,
		.warehouse = w->params.warehouse,
		.role = w->params.role,
		.deadline_ms = w->base.deadline_ms ? w->base.deadline_ms + BEYOND_MS : 0,
	};

	enum rv_status status = rv_snowflake_execute(w->params.snowflake, &statement, sink, arg, NULL, err);

	/* Snowflake has ended it at the limit that it was given here. */
	if (status != RV_OK && statement.deadline_ms && strcmp(err->service_code, "000630") == 0)
		err->transient = true;
	return status;
}

/* ---- looking ---- */

struct looking {
	struct rv_snowflake_warehouse *w;
	const struct rv_stream *stream;
	snow_ledger_each *each;
	void *arg;
	struct rv_load *news;      /* what the ledger does not know yet */
	size_t count, capacity;
};

static void looking_release(struct looking *l)
{
	for (size_t i = 0; i < l->count; i++)
		rv_load_release(&l->news[i]);
	free(l->news);
}

static enum snow_history parse_history(struct rv_str text)
{
	if (rv_str_is(text, "Loaded") || rv_str_is(text, "Partially loaded"))
		return SNOW_HISTORY_LOADED;
	if (rv_str_is(text, "Load failed"))
		return SNOW_HISTORY_FAILED;
	return text.len ? SNOW_HISTORY_GOES_ON : SNOW_HISTORY_NONE;
}

static enum rv_load_state parse_state(struct rv_str text)
{
	if (rv_str_is(text, "submitted"))
		return RV_LOAD_QUEUED;
	if (rv_str_is(text, "partial"))
		return RV_LOAD_PARTIAL;
	return rv_str_is(text, "failed") ? RV_LOAD_FAILED : RV_LOAD_KNOWN;
}

/* Of these alone it is known whether the file is loaded. */
static enum rv_status check_state(struct rv_str state, const char *object, struct rv_error *err)
{
	static const char *const states[] = { "", "submitted", "loaded", "partial", "failed", "retired" };

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (rv_str_is(state, states[i]))
			return RV_OK;
	rv_fail(err, RV_BAD_CONFIG, "the ledger says '%.40s' of %s, and this river does not know what that means",
		state.p, object);
	rv_hint(err, "a newer river wrote it: use that one");
	return err->status;
}

/* Texts of a page end with NUL; the file borrows them. */
static void read_file(const struct rv_snowflake_page *page, size_t row, char **texts,
		      struct snow_file *f)
{
	struct rv_str state = snow_text(page, row, STATE);
	uint64_t parsed = snow_u64(page, row, ROW_PARSED);

	*f = (struct snow_file){
		.ledger = {
			.object = texts[0],
			.message = texts[1],
			.bytes = snow_u64(page, row, BYTES),
			.state = parse_state(state),
			.rows = snow_u64(page, row, ROWS_LOADED),
			.rejected = snow_u64(page, row, ERRORS),
			.retired = snow_u64(page, row, RETIRED_ROWS),
			.error_line = snow_u64(page, row, FIRST_ERROR_LINE),
			.submitted_ms = snow_ms(page, row, SUBMITTED_AT),
			.loaded_ms = snow_ms(page, row, LOADED_AT),
		},
		.in_ledger = state.len > 0,
		.by_copy = rv_str_is(snow_text(page, row, VIA), "copy"),
		.history = parse_history(snow_text(page, row, STATUS)),
		.bytes = snow_u64(page, row, FILE_SIZE),
		.rows = snow_u64(page, row, ROW_COUNT),
		.errors = snow_u64(page, row, ERROR_COUNT),
		.loaded_ms = snow_ms(page, row, LAST_LOAD_TIME),
		.error_line = snow_u64(page, row, FIRST_ERROR_LINE_NUMBER),
		.error_character = snow_u64(page, row, FIRST_ERROR_CHARACTER_POS),
		.error = snow_text(page, row, FIRST_ERROR_MESSAGE).p,
		.error_column = snow_text(page, row, FIRST_ERROR_COLUMN_NAME).p,
		.raw_rows = snow_u64(page, row, RAW_ROWS),
		.raw_ms = snow_ms(page, row, RAW_LOADED_AT),
	};
	if (f->history == SNOW_HISTORY_LOADED && parsed > f->rows && parsed - f->rows > f->errors)
		f->errors = parsed - f->rows;
}

static enum rv_status see_page(void *arg, const struct rv_snowflake_page *page, struct rv_error *err)
{
	struct looking *l = arg;

	if (snow_check_page(page, COLUMNS, err) != RV_OK)
		return err->status;
	int64_t now_ms = rv_snowflake_clock_ms(l->w->params.snowflake);

	for (size_t row = 0; row < page->count; row++) {
		struct rv_str error = snow_text(page, row, FIRST_ERROR);
		struct rv_str name = snow_text(page, row, FILE_NAME);
		RV_CLEANUP(rv_free_p) char *object = rv_strndup(name.p, name.len);
		RV_CLEANUP(rv_free_p) char *message = error.len ? rv_strndup(error.p, error.len) : NULL;
		char *texts[] = { object, message };
		struct snow_file file;
		struct rv_load settled;

		/* Somebody else's rows, or a table that is shared: not the stream's. */
		if (!snow_relative(l->stream, object))
			continue;
		if (check_state(snow_text(page, row, STATE), object, err) != RV_OK)
			return err->status;
		read_file(page, row, texts, &file);
		bool news = snow_settle(&file, now_ms, &settled);
		enum rv_status status = l->each(l->arg, &file, &settled, err);

		if (news && status == RV_OK) {
			RV_GROW(l->news, l->count, l->capacity);
			l->news[l->count++] = settled;
		} else {
			rv_load_release(&settled);
		}
		if (status != RV_OK)
			return status;
	}
	return RV_OK;
}

static enum rv_status write_news(struct looking *l, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_load **items = rv_calloc(l->count + 1, sizeof(struct rv_load *));

	for (size_t i = 0; i < l->count; i++)
		items[i] = &l->news[i];
	enum rv_status status = snow_ledger_write(l->w, l->stream, items, l->count, NULL, err);

	if (status == RV_AUTH || status == RV_NOT_FOUND) {
		if (l->w->params.note)
			l->w->params.note("the ledger of %s/%s could not be brought up to date: %s",
					  l->stream->business, l->stream->name, err->message);
		return RV_OK;
	}
	return status;
}

static const char *asking_role(const struct rv_snowflake_warehouse *w)
{
	const char *role = w->params.role ? w->params.role : rv_snowflake_role(w->params.snowflake);

	return role ? role : "the user's default role";
}

enum rv_status snow_ledger_look(struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
				snow_ledger_each *each, void *arg, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(looking_release) struct looking l = {
		.w = w, .stream = stream, .each = each, .arg = arg };

	snow_ledger_look_sql(&sql, w, stream);
	enum rv_status status = snow_ask(w, sql.bytes, NULL, see_page, &l, err);

	if (status == RV_NOT_FOUND)
		rv_hint(err, "'river stream apply' makes what a stream needs in Snowflake; of what is there, "
			"grants.push of its definition, and grants.admin where columns are masked, let %s see "
			"enough", asking_role(w));
	if (status != RV_OK)
		return rv_context(err, "what is loaded of %s/%s", stream->business, stream->name);
	return l.count ? write_news(&l, err) : RV_OK;
}

enum rv_status snow_ledger_write(struct rv_snowflake_warehouse *w, const struct rv_stream *stream,
				 struct rv_load *const *items, size_t count, const char *via,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf rows = RV_STRBUF_INIT;

	/* What was learned is written also when the looks have used up the time. */
	int64_t deadline_ms = w->base.deadline_ms, now_ms = rv_clock_monotonic_ms();

	snow_ledger_write_sql(&sql, w, stream);
	for (size_t at = 0; at < count; at += ROWS_AT_ONCE) {
		size_t n = count - at < ROWS_AT_ONCE ? count - at : ROWS_AT_ONCE;

		rv_strbuf_clear(&rows);
		snow_ledger_rows(&rows, stream, items + at, n, via);
		if (deadline_ms && deadline_ms < now_ms)
			w->base.deadline_ms = now_ms;
		enum rv_status status = snow_ask(w, sql.bytes, rows.bytes, NULL, NULL, err);

		w->base.deadline_ms = deadline_ms;
		if (status != RV_OK)
			return rv_context(err, "write the ledger");
	}
	return RV_OK;
}
