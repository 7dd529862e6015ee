/*
 * Following files through a pipe. insertReport is cheap and forgets after ten minutes, loadHistoryScan
 * knows two weeks and may be asked every few minutes, COPY_HISTORY and raw are the truth and cost a
 * warehouse: they are asked in this order of patience, and each of them may be the first to know.
 */
#include "warehouse/snowflake_follow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "warehouse/snowflake_look.h"

/* A load takes a minute or so. */
#define PAUSE_FIRST_MS 1000
#define PAUSE_MOST_MS 30000
#define SLICE_MS 100
/* A look at the tables wakes a warehouse, which is paid for by the minute: soon, and then ever less often. */
#define TABLES_FIRST_MS 3000
#define TABLES_MOST_MS (INT64_C(5) * 60 * 1000)
/* "We recommend ... a 10 minute range every 8 minutes" (Snowpipe REST endpoints, loadHistoryScan). */
#define SCAN_EVERY_MS (INT64_C(8) * 60 * 1000)
#define SCAN_LASTS_MS 10000
/* The clock here, and Snowflake's. */
#define CLOCKS_DIFFER_MS (INT64_C(5) * 60 * 1000)

struct following {
	struct snow_loading *l;
	struct rv_snowpipe pipe;
	struct snow_pipe_names names;
	char mark[64];
	bool no_reports;           /* nobody may ask for them */
	bool missed;               /* and some are lost */
	int64_t began_ms, scanned_ms; /* monotonic; 0: the history was not asked yet */
	int64_t tables_ms, tables_every_ms; /* monotonic, when they were asked; and how often they are */
	struct rv_error trouble;   /* what did not work the last time */
};

void snow_pipe_of(const struct snow_loading *l, struct snow_pipe_names *names, struct rv_snowpipe *ret)
{
	*ret = (struct rv_snowpipe){
		.snowflake = l->w->params.snowflake,
		.database = l->w->params.database,
		.schema = snow_schema_name(l->stream, names->schema),
		.name = snow_object_name(l->stream, SNOW_PIPE, names->pipe),
	};
}

static size_t count_open(const struct snow_loading *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		n += snow_is_open(l->items[i]) && l->ways[i] != SNOW_WAY_OLD;
	return n;
}

/* ---- reports ---- */

static enum rv_status see_report(void *arg, const struct rv_snowpipe_report *report,
				 struct rv_error *err RV_UNUSED)
{
	struct following *f = arg;
	struct snow_loading *l = f->l;
	char prefix[RV_STREAM_PLACE_MAX];

	if (report->state == RV_SNOWPIPE_IN_PROGRESS || !report->complete)
		return RV_OK;
	RV_CLEANUP(rv_free_p)
	char *object = rv_asprintf("%s%s", rv_stream_data_prefix(l->stream, prefix), report->path);
	size_t at = snow_find(l, object);

	if (!snow_is(l, at, object))
		return RV_OK;
	int64_t their_ms = rv_snowflake_clock_ms(l->w->params.snowflake);
	struct snow_file file = {
		.ledger = { .object = object, .submitted_ms = l->items[at]->submitted_ms },
		.history = report->state == RV_SNOWPIPE_FAILED ? SNOW_HISTORY_FAILED : SNOW_HISTORY_LOADED,
		.bytes = report->bytes,
		.rows = report->rows_inserted,
		.errors = report->rows_parsed > report->rows_inserted
				  ? report->rows_parsed - report->rows_inserted
				  : report->errors,
		.loaded_ms = report->inserted_ms > 0 ? report->inserted_ms : their_ms,
		.error_line = report->first_error_line,
		.error_character = report->first_error_character,
		.error = report->first_error[0] ? report->first_error : report->system_error,
		.error_column = report->first_error_column,
	};
	struct rv_load settled;

	snow_settle(&file, their_ms, &settled);
	for (; snow_is(l, at, object); at++) {
		/* What COPY is to load has failed in the pipe before: that is no news. */
		if (!snow_is_open(l->items[at]) || l->ways[at] == SNOW_WAY_COPY)
			continue;
		snow_learn(l, at, &settled, true);
		l->marks[at] |= SNOW_MARK_NEWS;
	}
	rv_load_release(&settled);
	return RV_OK;
}

/* Whoever may not look at the pipe waits for the tables alone; weather passes. */
static enum rv_status not_reported(struct following *f, struct rv_error *err)
{
	if (err->status == RV_AUTH || err->status == RV_NOT_FOUND) {
		f->no_reports = true;
		return RV_OK;
	}
	f->trouble = *err;
	return err->transient ? RV_OK : err->status;
}

static enum rv_status ask_reports(struct following *f, struct rv_error *err)
{
	bool complete = true;

	if (f->no_reports)
		return RV_OK;
	if (rv_snowpipe_recent(&f->pipe, f->mark, sizeof(f->mark), &complete, see_report, f, err) != RV_OK)
		return not_reported(f, err);
	f->missed |= !complete;
	int64_t now_ms = rv_clock_monotonic_ms();
	int64_t last_ms = f->scanned_ms ? f->scanned_ms : f->began_ms;

	if (now_ms - last_ms < SCAN_EVERY_MS && !(f->missed && !f->scanned_ms))
		return RV_OK;
	f->scanned_ms = now_ms;
	/* It is refused to those who ask too often, and the tables know as well: not for long, then. */
	int64_t until_ms = now_ms + SCAN_LASTS_MS, deadline_ms = f->l->params->deadline_ms;

	if (deadline_ms && deadline_ms < until_ms)
		until_ms = deadline_ms;
	int64_t their_ms = rv_snowflake_clock_ms(f->l->w->params.snowflake);

	if (rv_snowpipe_history(&f->pipe, f->l->now_ms - CLOCKS_DIFFER_MS, their_ms + CLOCKS_DIFFER_MS, until_ms,
				see_report, f, err) != RV_OK)
		return not_reported(f, err);
	f->missed = false;
	return RV_OK;
}

/* ---- tables ---- */

static enum rv_status ask_tables(struct following *f, struct rv_error *err)
{
	struct snow_loading *l = f->l;
	struct rv_warehouse_pipe pipe;
	enum rv_status status = snow_ledger_look(l->w, l->stream, snow_see_news, l, err);

	f->tables_ms = rv_clock_monotonic_ms();
	f->tables_every_ms = f->tables_every_ms * 2 < TABLES_MOST_MS ? f->tables_every_ms * 2 : TABLES_MOST_MS;
	if (status == RV_OK && count_open(l)) {
		status = snow_pipe(&l->w->base, l->stream, &pipe, err);
		if (status == RV_OK && pipe.state[0] && !pipe.runs)
			return snow_pipe_stands(l, &pipe, err);
		if (status == RV_AUTH || status == RV_NOT_FOUND)
			status = RV_OK;
	}
	if (status == RV_OK || !err->transient)
		return status;
	f->trouble = *err;
	return RV_OK;
}

/* ---- waiting ---- */

static bool pass(struct snow_loading *l, int64_t ms)
{
	int64_t deadline_ms = l->params->deadline_ms, end_ms = rv_clock_monotonic_ms() + ms;
	bool last = deadline_ms && end_ms >= deadline_ms;

	if (last)
		end_ms = deadline_ms;
	while (snow_go_on(l) && rv_clock_monotonic_ms() < end_ms) {
		struct timespec slice = { 0, SLICE_MS * 1000000L };

		nanosleep(&slice, NULL);
	}
	return !last;
}

static enum rv_status write_news(struct snow_loading *l, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) struct rv_load **items = rv_calloc(l->count + 1, sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++)
		if ((l->marks[i] & SNOW_MARK_NEWS) && !(i && snow_is(l, i - 1, l->items[i]->object)))
			items[n++] = l->items[i];
	return n ? snow_ledger_write(l->w, l->stream, items, n, NULL, err) : RV_OK;
}

enum rv_status snow_follow(struct snow_loading *l, struct rv_error *err)
{
	struct following f = { .l = l, .trouble = RV_ERROR_INIT, .tables_every_ms = TABLES_FIRST_MS };
	struct rv_error told = RV_ERROR_INIT;
	int64_t pause_ms = PAUSE_FIRST_MS;
	enum rv_status status = RV_OK;

	snow_pipe_of(l, &f.names, &f.pipe);
	f.began_ms = f.tables_ms = rv_clock_monotonic_ms();
	while (count_open(l) && !l->stop) {
		bool goes_on = pass(l, pause_ms);

		if (l->stop)
			break;
		f.trouble = (struct rv_error)RV_ERROR_INIT;
		status = ask_reports(&f, err);
		if (status == RV_OK && count_open(l) &&
		    (!goes_on || f.no_reports || f.missed ||
		     rv_clock_monotonic_ms() - f.tables_ms >= f.tables_every_ms))
			status = ask_tables(&f, err);
		if (status != RV_OK || !goes_on)
			break;
		pause_ms = pause_ms * 3 / 2 < PAUSE_MOST_MS ? pause_ms * 3 / 2 : PAUSE_MOST_MS;
	}
	if (f.trouble.status != RV_OK && status == RV_OK && count_open(l) && l->w->params.note)
		l->w->params.note("the last look did not work: %s", f.trouble.message);
	/* What was learned is worth more than why it ended. */
	if (write_news(l, &told) != RV_OK && status == RV_OK) {
		*err = told;
		status = told.status;
	}
	return status;
}
