/*
 * Loading on Snowflake. Who decides what is to be loaded is the ledger, not the memory of a pipe: that
 * lasts 14 days, skips what failed, and is gone with the pipe (semantics.md 6.5, 6.6).
 *
 * Every file is in the ledger as submitted before its name is sent. Killed in between, the next one finds
 * it there and nothing that shows it, and sends it again, which a pipe that has it ignores. The other way
 * round, a file that was sent and of which nobody knew would be asked about by its age alone.
 */
#include "warehouse/snowflake_load.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "snowflake/snowpipe.h"
#include "warehouse/snowflake_follow.h"
#include "warehouse/snowflake_look.h"

static const struct rv_load_params no_params;

/* ---- statements ---- */

/* The UPDATE locks the rows until the transaction ends: of two who copy the same files at once the second
 * one waits there, and then COPY knows them. LOAD_UNCERTAIN_FILES is for files older than its memory of 64
 * days: that they are not loaded is for the ledger to say. */
void snow_copy_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
		   const struct rv_stream *stream, struct rv_load *const *items, size_t count)
{
	rv_strbuf_puts(sql, "BEGIN TRANSACTION;\nUPDATE ");
	snow_add_house(sql, w, SNOW_LEDGER);
	rv_strbuf_printf(sql, " SET VIA = 'copy' WHERE STREAM_ID = '%s' AND FILE_NAME IN (", stream->id);
	for (size_t i = 0; i < count; i++) {
		rv_strbuf_puts(sql, i ? ", " : "");
		snow_add_literal(sql, items[i]->object);
	}
	rv_strbuf_puts(sql, ");\n");
	snow_add_copy(sql, w, stream);
	rv_strbuf_puts(sql, " FILES = (");
	for (size_t i = 0; i < count; i++) {
		rv_strbuf_puts(sql, i ? ", " : "");
		snow_add_literal(sql, snow_relative(stream, items[i]->object));
	}
	rv_strbuf_puts(sql, ") ON_ERROR = CONTINUE LOAD_UNCERTAIN_FILES = TRUE;\nCOMMIT");
}

void snow_pipe_refresh_sql(struct rv_strbuf *sql, const struct rv_snowflake_warehouse *w,
			   const struct rv_stream *stream, int64_t modified_after_ms)
{
	char time[RV_TIME_TEXT];

	rv_strbuf_puts(sql, "ALTER PIPE ");
	snow_add_object(sql, w, stream, SNOW_PIPE);
	rv_strbuf_printf(sql, " REFRESH MODIFIED_AFTER = '%s'", rv_format_time(modified_after_ms, time));
}

/* ---- items ---- */

static int by_object(const void *a, const void *b)
{
	return strcmp((*(struct rv_load *const *)a)->object, (*(struct rv_load *const *)b)->object);
}

size_t snow_find(const struct snow_loading *l, const char *object)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(l->items[middle]->object, object) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool snow_is(const struct snow_loading *l, size_t at, const char *object)
{
	return at < l->count && strcmp(l->items[at]->object, object) == 0;
}

bool snow_is_open(const struct rv_load *item)
{
	return item->state == RV_LOAD_QUEUED || item->state == RV_LOAD_PENDING;
}

/* What was loaded before this call is KNOWN, whatever became of it; `now`: it has been since. */
void snow_learn(struct snow_loading *l, size_t at, const struct rv_load *settled, bool now)
{
	struct rv_load *item = l->items[at];

	item->state = settled->state;
	if (settled->state == RV_LOAD_PENDING)
		return;
	if (settled->state == RV_LOAD_KNOWN)
		item->state = now ? RV_LOAD_LOADED : RV_LOAD_KNOWN;
	else if (settled->state == RV_LOAD_PARTIAL)
		item->state = now ? RV_LOAD_PARTIAL : RV_LOAD_KNOWN;
	item->bytes = settled->bytes ? settled->bytes : item->bytes;
	item->rows = settled->rows;
	item->rejected = settled->rejected;
	item->retired = settled->retired;
	item->submitted_ms = settled->submitted_ms;
	item->loaded_ms = settled->loaded_ms;
	item->error_line = settled->error_line;
	item->error_character = settled->error_character;
	free(rv_take(item->message));
	if (settled->message)
		rv_load_say(item, "%s", settled->message);
	if (now && (item->state == RV_LOAD_LOADED || item->state == RV_LOAD_PARTIAL)) {
		l->rows += item->rows;
		l->bytes += item->bytes;
		l->loaded++;
	}
}

bool snow_go_on(struct snow_loading *l)
{
	if (l->w->params.stop && l->w->params.stop())
		l->stop = true;
	if (!l->stop && l->params->progress && !l->params->progress(l->params->arg, l->rows, l->bytes))
		l->stop = true;
	return !l->stop;
}

static enum rv_status see_known(void *arg, const struct snow_file *file, const struct rv_load *settled,
				struct rv_error *err RV_UNUSED)
{
	struct snow_loading *l = arg;

	for (size_t at = snow_find(l, settled->object); snow_is(l, at, settled->object); at++) {
		l->wanted[at].known = settled->state != RV_LOAD_PENDING;
		l->wanted[at].state = settled->state;
		l->wanted[at].by_copy = file->by_copy;
		l->wanted[at].submitted_ms = settled->submitted_ms;
		snow_learn(l, at, settled, false);
	}
	return RV_OK;
}

enum rv_status snow_see_news(void *arg, const struct snow_file *file, const struct rv_load *settled,
			     struct rv_error *err RV_UNUSED)
{
	struct snow_loading *l = arg;

	for (size_t at = snow_find(l, settled->object); snow_is(l, at, settled->object); at++) {
		l->marks[at] |= file->history == SNOW_HISTORY_GOES_ON ? SNOW_MARK_GOES_ON : 0;
		if (snow_is_open(l->items[at]) && settled->state != RV_LOAD_PENDING) {
			snow_learn(l, at, settled, true);
			l->marks[at] &= ~SNOW_MARK_NEWS; /* the ledger has it from the same look */
		}
	}
	return RV_OK;
}

/* ---- the pipe ---- */

/* Nothing is given to a pipe that does not run: it would be queued, look like success, and be dropped when
 * the pipe stands still for two weeks. Whoever may not look at it may still give it names. */
static enum rv_status check_pipe(struct snow_loading *l, struct rv_error *err)
{
	struct rv_warehouse_pipe pipe;
	enum rv_status status = snow_pipe(&l->w->base, l->stream, &pipe, err);

	if (status == RV_AUTH || status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK)
		return status;
	if (pipe.runs || !pipe.state[0])
		return RV_OK;
	return snow_pipe_stands(l, &pipe, err);
}

enum rv_status snow_pipe_stands(struct snow_loading *l, const struct rv_warehouse_pipe *pipe,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf name = RV_STRBUF_INIT;
	bool paused = strcmp(pipe->state, "PAUSED") == 0;

	snow_add_object(&name, l->w, l->stream, SNOW_PIPE);
	rv_fail(err, RV_FAILED, "pipe %s %s%s%s%s", name.bytes, paused ? "is paused" : "does not run: ",
		paused ? "" : pipe->state, pipe->error[0] ? ": " : "", pipe->error);
	if (paused)
		rv_hint(err, "its owner resumes it: river query --write 'alter pipe %s set "
			"pipe_execution_paused = false'", name.bytes);
	else
		rv_hint(err, "'river stream apply' makes it again when its table, stage or grants are in order");
	return RV_FAILED;
}

/* What was found by a name may have gone since, and a pipe remembers a path that was not there. */
static enum rv_status look_for(struct snow_loading *l, size_t at, struct rv_error *err)
{
	struct rv_load *item = l->items[at];
	struct rv_store_object object;

	if (item->modified_ms)
		return RV_OK;
	enum rv_status status = l->w->lake->ops->head(l->w->lake, item->object, &object, err);

	if (status == RV_NOT_FOUND) {
		item->state = RV_LOAD_FAILED;
		rv_load_say(item, "it is not in the lake");
		return RV_OK;
	}
	if (status != RV_OK)
		return rv_context(err, "look for %s", item->object);
	item->bytes = object.bytes;
	item->modified_ms = object.modified_ms;
	return RV_OK;
}

static void see_skipped(void *arg, const char *path)
{
	struct snow_loading *l = arg;
	char prefix[RV_STREAM_PLACE_MAX];
	RV_CLEANUP(rv_free_p)
	char *object = rv_asprintf("%s%s", rv_stream_data_prefix(l->stream, prefix), path);

	for (size_t at = snow_find(l, object); snow_is(l, at, object); at++) {
		l->marks[at] |= SNOW_MARK_SKIPPED;
		l->skipped++;
	}
}

/* At most RV_SNOWPIPE_FILES_MAX of them, one request. */
static enum rv_status submit_some(struct snow_loading *l, const size_t *picked, size_t count,
				  struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_load **fresh = rv_calloc(count, sizeof(*fresh));
	RV_CLEANUP(rv_free_p) struct rv_snowpipe_file *files = rv_calloc(count, sizeof(*files));
	struct rv_snowpipe pipe;
	struct snow_pipe_names names;
	size_t n = 0, sent = 0;

	snow_pipe_of(l, &names, &pipe);
	for (size_t i = 0; i < count; i++) {
		struct rv_load *item = l->items[picked[i]];

		files[i] = (struct rv_snowpipe_file){ snow_relative(l->stream, item->object), item->bytes };
		item->state = RV_LOAD_QUEUED;
		if (!l->wanted[picked[i]].known)
			fresh[n++] = item;
	}
	enum rv_status status = snow_ledger_write(l->w, l->stream, fresh, n, "pipe", err);

	if (status == RV_OK)
		status = rv_snowpipe_insert(&pipe, files, count, &sent, see_skipped, l, err);
	for (size_t i = sent; status != RV_OK && i < count; i++)
		l->items[picked[i]]->state = RV_LOAD_PENDING;
	return status;
}

static enum rv_status submit(struct snow_loading *l, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) size_t *picked = rv_calloc(RV_SNOWPIPE_FILES_MAX, sizeof(*picked));
	size_t n = 0;

	for (size_t i = 0; i < l->count && snow_go_on(l); i++) {
		if (l->ways[i] != SNOW_WAY_SUBMIT || (i && snow_is(l, i - 1, l->items[i]->object)))
			continue;
		if (look_for(l, i, err) != RV_OK)
			return err->status;
		if (l->items[i]->state == RV_LOAD_FAILED)
			continue;
		picked[n++] = i;
		if (n < RV_SNOWPIPE_FILES_MAX)
			continue;
		if (submit_some(l, picked, n, err) != RV_OK)
			return err->status;
		n = 0;
	}
	return n && !l->stop ? submit_some(l, picked, n, err) : RV_OK;
}

/* For a pipe that is auto and was not told, or did not listen. It knows by itself what it had. */
static enum rv_status refresh_pipe(struct snow_loading *l, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) struct rv_load **fresh = rv_calloc(l->count + 1, sizeof(*fresh));
	int64_t oldest_ms = INT64_MAX;
	size_t n = 0, wanted = 0;

	for (size_t i = 0; i < l->count; i++) {
		struct rv_load *item = l->items[i];

		if (l->ways[i] != SNOW_WAY_REFRESH)
			continue;
		if (look_for(l, i, err) != RV_OK)
			return err->status;
		if (item->state == RV_LOAD_FAILED)
			continue;
		wanted++;
		item->state = RV_LOAD_QUEUED;
		if (item->modified_ms < oldest_ms)
			oldest_ms = item->modified_ms;
		if (!l->wanted[i].known)
			fresh[n++] = item;
	}
	if (!wanted)
		return RV_OK;
	snow_pipe_refresh_sql(&sql, l->w, l->stream, oldest_ms - 1000);
	if (snow_ledger_write(l->w, l->stream, fresh, n, "auto", err) != RV_OK)
		return err->status;
	return snow_ask(l->w, sql.bytes, NULL, NULL, NULL, err) == RV_OK
		       ? RV_OK
		       : rv_context(err, "have the pipe look at its folder again");
}

/*
 * A pipe skips a path that it has, and one that it failed on or that was not there when it heard of it
 * first. It has nothing any more, and neither the history nor raw shows the file: the latter, then, which
 * it would skip for 14 days. Asked in this order, for what it finishes in between has been seen by then.
 */
static enum rv_status settle_skipped(struct snow_loading *l, struct rv_error *err)
{
	struct rv_warehouse_pipe pipe;

	if (!l->skipped)
		return RV_OK;
	enum rv_status status = snow_pipe(&l->w->base, l->stream, &pipe, err);

	if (status == RV_AUTH || status == RV_NOT_FOUND)
		return RV_OK;
	if (status != RV_OK || !pipe.runs || pipe.pending)
		return status;
	if (snow_ledger_look(l->w, l->stream, snow_see_news, l, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < l->count; i++)
		if (snow_is_open(l->items[i]) && (l->marks[i] & SNOW_MARK_SKIPPED) &&
		    !(l->marks[i] & SNOW_MARK_GOES_ON))
			l->ways[i] = SNOW_WAY_COPY;
	return RV_OK;
}

/* ---- COPY ---- */

struct copying {
	struct snow_loading *l;
	struct rv_load **done;
	size_t count;
};

static size_t column_of(const struct rv_snowflake_page *page, const char *name)
{
	size_t i = 0;

	while (i < page->columns_count && strcasecmp(page->columns[i].name, name) != 0)
		i++;
	return i;
}

static struct rv_str named(const struct rv_snowflake_page *page, size_t row, const char *name)
{
	size_t column = column_of(page, name);

	return column < page->columns_count ? snow_text(page, row, column) : RV_STR("");
}

/* Of what is loaded these are the counts: they say so. */
static bool counts_are_there(const struct rv_snowflake_page *page, size_t row)
{
	struct rv_str rows = named(page, row, "rows_loaded"), errors = named(page, row, "errors_seen");
	uint64_t n;

	return rv_parse_u64(rows.p, rows.len, &n) && rv_parse_u64(errors.p, errors.len, &n);
}

static uint64_t named_u64(const struct rv_snowflake_page *page, size_t row, const char *name)
{
	size_t column = column_of(page, name);

	return column < page->columns_count ? snow_u64(page, row, column) : 0;
}

/* COPY names a file by its URL, or below the location it copies from. */
static char *object_of(const struct rv_stream *stream, const char *file)
{
	char prefix[RV_STREAM_PLACE_MAX];
	const char *at = strstr(file, rv_stream_data_prefix(stream, prefix));

	return at ? rv_strdup(at) : rv_asprintf("%s%s", prefix, file);
}

static enum rv_status see_copied(void *arg, const struct rv_snowflake_page *page,
				 struct rv_error *err RV_UNUSED)
{
	struct copying *c = arg;
	struct snow_loading *l = c->l;

	if (page->statement != SNOW_COPY_RESULT || column_of(page, "file") == page->columns_count)
		return RV_OK;
	for (size_t row = 0; row < page->count; row++) {
		RV_CLEANUP(rv_free_p)
		char *object = object_of(l->stream, named(page, row, "file").p);
		struct rv_str status = named(page, row, "status");
		bool failed = rv_str_is(status, "LOAD_FAILED");

		/* In other words it may not be loaded: the history will tell. */
		if (!failed && ((!rv_str_is(status, "LOADED") && !rv_str_is(status, "PARTIALLY_LOADED")) ||
				!counts_are_there(page, row)))
			continue;
		struct snow_file file = {
			.ledger = { .object = object },
			.history = failed ? SNOW_HISTORY_FAILED : SNOW_HISTORY_LOADED,
			.rows = named_u64(page, row, "rows_loaded"),
			.errors = named_u64(page, row, "errors_seen"),
			.loaded_ms = rv_snowflake_clock_ms(l->w->params.snowflake),
			.error_line = named_u64(page, row, "first_error_line"),
			.error_character = named_u64(page, row, "first_error_character"),
			.error = named(page, row, "first_error").p,
			.error_column = named(page, row, "first_error_column_name").p,
		};
		struct rv_load settled;

		snow_settle(&file, file.loaded_ms, &settled);
		for (size_t at = snow_find(l, object); snow_is(l, at, object); at++) {
			if (!snow_is_open(l->items[at]))
				continue;
			snow_learn(l, at, &settled, true);
			if (!at || !snow_is(l, at - 1, object))
				c->done[c->count++] = l->items[at];
		}
		rv_load_release(&settled);
	}
	return RV_OK;
}

/* Not the statement is wrong, nor the service, but what lies in a file. */
static bool is_about_data(const struct rv_error *err)
{
	return strlen(err->service_code) == 6 && rv_starts_with(err->service_code, "100") &&
	       strcmp(err->service_code, "100132") != 0 && !err->transient;
}

static enum rv_status copy_some(struct snow_loading *l, struct rv_load **items, size_t count,
				struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sql = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) struct rv_load **done = rv_calloc(l->count + 1, sizeof(*done));
	struct copying copying = { .l = l, .done = done };

	snow_copy_sql(&sql, l->w, l->stream, items, count);
	const struct rv_snowflake_statement statement = {
		.sql = sql.bytes,
		.count = SNOW_COPY_STATEMENTS,
		.database = l->w->params.database,
		.warehouse = l->w->params.warehouse,
		.role = l->w->params.role,
	};
	enum rv_status status = rv_snowflake_execute(l->w->params.snowflake, &statement, see_copied,
						     &copying, NULL, err);

	if (status != RV_OK && is_about_data(err)) {
		/* One of them spoils it for all, and COPY does not always say which. */
		if (count > 1) {
			status = copy_some(l, items, count / 2, err);
			return status != RV_OK ? status
					       : copy_some(l, items + count / 2, count - count / 2, err);
		}
		items[0]->state = RV_LOAD_FAILED;
		rv_load_say(items[0], "%s", err->message);
		done[copying.count++] = items[0];
		status = RV_OK;
	}
	if (status == RV_OK && copying.count)
		status = snow_ledger_write(l->w, l->stream, done, copying.count, "copy", err);
	return status == RV_OK ? RV_OK : rv_context(err, "copy %zu files", count);
}

static enum rv_status copy(struct snow_loading *l, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_load **picked = rv_calloc(SNOW_COPY_FILES_MAX, sizeof(*picked));
	size_t n = 0;
	bool silent = false;

	for (size_t i = 0; i < l->count && snow_go_on(l); i++) {
		struct rv_load *item = l->items[i];

		if (l->ways[i] == SNOW_WAY_COPY && !(i && snow_is(l, i - 1, item->object)) &&
		    look_for(l, i, err) != RV_OK)
			return err->status;
		if (l->ways[i] == SNOW_WAY_COPY && !(i && snow_is(l, i - 1, item->object)) &&
		    item->modified_ms) {
			free(rv_take(item->message));
			item->state = RV_LOAD_QUEUED;
			picked[n++] = item;
		}
		if (!n || (n < SNOW_COPY_FILES_MAX && i + 1 < l->count))
			continue;
		if (snow_ledger_write(l->w, l->stream, picked, n, "copy", err) != RV_OK ||
		    copy_some(l, picked, n, err) != RV_OK)
			return err->status;
		for (size_t k = 0; k < n; k++)
			silent |= snow_is_open(picked[k]);
		n = 0;
	}
	/* What COPY says nothing of it has loaded before. */
	return silent ? snow_ledger_look(l->w, l->stream, snow_see_news, l, err) : RV_OK;
}

/* ---- all of it ---- */

static void choose_ways(struct snow_loading *l)
{
	char age[RV_NUMBER_TEXT];

	/* It has answered by now. What it forgets, and when an object came, is by clocks that are not ours. */
	l->now_ms = rv_snowflake_clock_ms(l->w->params.snowflake);
	for (size_t i = 0; i < l->count; i++) {
		struct rv_load *item = l->items[i];

		l->ways[i] = snow_choose_way(&l->wanted[i], !l->stream->pipe_notify, l->params, l->now_ms);
		l->uses_pipe |= l->ways[i] == SNOW_WAY_SUBMIT || l->ways[i] == SNOW_WAY_REFRESH ||
				(l->ways[i] == SNOW_WAY_FOLLOW && l->params->wait);
		if (l->ways[i] != SNOW_WAY_OLD)
			continue;
		int64_t since_ms = item->modified_ms ? item->modified_ms : item->submitted_ms;

		item->state = RV_LOAD_PENDING;
		rv_load_say(item, "it is %s old: nothing tells any more whether it was loaded",
			    rv_format_duration(l->now_ms - since_ms, age));
	}
}

static bool any(const struct snow_loading *l, enum snow_way way)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->ways[i] == way)
			return true;
	return false;
}

struct refreshing {
	struct snow_loading *l;
	struct rv_error *err;
	enum rv_status status;
};

static void refresh_layer(void *arg, const char *sql)
{
	struct refreshing *r = arg;

	if (r->status == RV_OK)
		r->status = snow_ask(r->l->w, sql, NULL, NULL, NULL, r->err);
}

/* Who waits has no more time, and that is why it failed. */
static bool is_over(const struct snow_loading *l, const struct rv_error *err)
{
	return l->params->wait && l->params->deadline_ms && err->transient &&
	       rv_clock_monotonic_ms() >= l->params->deadline_ms;
}

/* They would follow by themselves, within their lag: who waits for rows wants to see them, also those that
 * were loaded before anybody looked. */
static void refresh_layers(struct snow_loading *l)
{
	struct rv_error err = RV_ERROR_INIT;
	struct refreshing refreshing = { l, &err, RV_OK };

	bool over = l->params->deadline_ms && rv_clock_monotonic_ms() >= l->params->deadline_ms;

	if ((!l->loaded && (!l->params->wait || over)) || !snow_has_layers(l->stream) || l->stop)
		return;
	snow_refresh(l->w, l->stream, refresh_layer, &refreshing);
	if (refreshing.status != RV_OK && l->w->params.note)
		l->w->params.note("the rows are in the raw table, and its layers follow by themselves: %s",
				  err.message);
}

static enum rv_status load_sorted(struct snow_loading *l, struct rv_error *err)
{
	if (snow_ledger_look(l->w, l->stream, see_known, l, err) != RV_OK)
		return err->status;
	choose_ways(l);
	if (l->uses_pipe && check_pipe(l, err) != RV_OK)
		return err->status;
	if (any(l, SNOW_WAY_SUBMIT) && submit(l, err) != RV_OK)
		return err->status;
	if (any(l, SNOW_WAY_REFRESH) && refresh_pipe(l, err) != RV_OK)
		return err->status;
	if (settle_skipped(l, err) != RV_OK)
		return err->status;
	if (any(l, SNOW_WAY_COPY) && copy(l, err) != RV_OK)
		return err->status;
	return l->params->wait ? snow_follow(l, err) : RV_OK;
}

enum rv_status snow_load(struct rv_warehouse *warehouse, const struct rv_stream *stream,
			 struct rv_load *items, size_t count, const struct rv_load_params *params,
			 struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_load **sorted = rv_calloc(count + 1, sizeof(*sorted));
	RV_CLEANUP(rv_free_p) struct snow_wanted *wanted = rv_calloc(count + 1, sizeof(*wanted));
	RV_CLEANUP(rv_free_p) enum snow_way *ways = rv_calloc(count + 1, sizeof(*ways));
	RV_CLEANUP(rv_free_p) unsigned char *marks = rv_calloc(count + 1, 1);
	struct snow_loading l = {
		.w = (struct rv_snowflake_warehouse *)warehouse, .stream = stream,
		.params = params ? params : &no_params, .items = sorted, .wanted = wanted,
		.ways = ways, .marks = marks, .count = count,
	};

	for (size_t i = 0; i < count; i++) {
		sorted[i] = &items[i];
		items[i].state = RV_LOAD_PENDING;
	}
	if (!count) {
		refresh_layers(&l);
		return RV_OK;
	}
	qsort(sorted, count, sizeof(*sorted), by_object);
	for (size_t i = 0; i < count; i++)
		wanted[i].modified_ms = sorted[i]->modified_ms;
	enum rv_status status = load_sorted(&l, err);

	if (status != RV_OK && is_over(&l, err)) {
		if (l.w->params.note)
			l.w->params.note("the last look did not work: %s", err->message);
		status = RV_OK;
	}
	refresh_layers(&l);
	if (status != RV_OK)
		return rv_context(err, "load %s/%s", stream->business, stream->name);
	/* The second of two of the same name became what the first did. */
	for (size_t i = 1; i < count; i++)
		if (snow_is(&l, i - 1, sorted[i]->object) && snow_is_open(sorted[i]))
			sorted[i]->state = sorted[i - 1]->state == RV_LOAD_LOADED ? RV_LOAD_KNOWN
										  : sorted[i - 1]->state;
	return RV_OK;
}
