/* What this host knows of a stream that is not in the catalog; see the header. */
#include "stream_gone.h"

#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "flow/catalog.h"
#include "spool/intake.h"
#include "spool/run.h"
#include "spool/state.h"

struct search {
	const struct rv_stream *stream;
	const struct rv_state *state;
	struct river_gone *gone;
	uint64_t left_runs;
};

static enum rv_status see_run(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct search *search = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	struct rv_run_totals totals;
	struct rv_intake_totals intake = { .files = 0 };
	struct rv_error why = RV_ERROR_INIT;
	enum rv_status status = rv_run_open(search->state, name, false, &run, &why);

	if (status == RV_NOT_FOUND)
		return RV_OK;
	search->left_runs++;
	if (status != RV_OK || rv_run_intake_totals(run, &intake, &why) != RV_OK) {
		search->gone->runs++;
		search->gone->unread++;
		return RV_OK;
	}
	rv_run_totals(run, &totals);
	search->gone->runs += totals.waiting + intake.files > 0;
	search->gone->records += totals.waiting_records + intake.records;
	return RV_OK;
}

static enum rv_status see_state(void *arg, const struct rv_state *state, struct rv_error *err)
{
	struct search *search = arg;
	struct river_gone *gone = search->gone;

	if (strcmp(state->business, search->stream->business) != 0 ||
	    strcmp(state->stream, search->stream->name) != 0)
		return RV_OK;
	gone->known = true;
	search->state = state;
	search->left_runs = 0;
	if (rv_run_each(state, see_run, search, err) != RV_OK)
		return err->status;
	/* Identifiers begin with the time they were made at. */
	if (search->left_runs && strcmp(state->stream_id, gone->id) > 0)
		memcpy(gone->id, state->stream_id, sizeof(gone->id));
	return RV_OK;
}

enum rv_status river_gone_find(const struct rv_profile *profile, const struct rv_store *lake,
			       const struct rv_stream *stream, struct river_gone *ret,
			       struct rv_error *err)
{
	struct search search = { .stream = stream, .gone = ret };

	*ret = (struct river_gone){ .known = false };
	return rv_state_each(profile->state_dir, lake->url, see_state, &search, err);
}

/* "3 accepted records and 1 run that cannot be read" */
static char *what_waits(const struct river_gone *gone, bool *ret_one)
{
	char records[RV_NUMBER_TEXT], unread[RV_NUMBER_TEXT];
	RV_CLEANUP(rv_free_p)
	char *first = gone->records || !gone->unread
			      ? rv_asprintf("%s accepted record%s", rv_format_count(gone->records, records),
					    gone->records == 1 ? "" : "s")
			      : rv_strdup("");

	*ret_one = gone->records + gone->unread == 1;
	if (!gone->unread)
		return rv_take(first);
	return rv_asprintf("%s%s%s run%s that cannot be read", first, *first ? " and " : "",
			   rv_format_count(gone->unread, unread), gone->unread == 1 ? "" : "s");
}

enum rv_status river_gone_refuse(const struct rv_profile *profile, const struct rv_store *lake,
				 const struct rv_stream *stream, struct rv_error *err)
{
	struct rv_state state;
	struct river_gone gone = { .known = false };
	struct search search = { .stream = stream, .state = &state, .gone = &gone };

	enum rv_status status;

	if (stream->id[0]) {
		rv_state_locate(&state, profile->state_dir, lake->url, stream);
		status = rv_run_each(&state, see_run, &search, err);
		rv_state_release(&state);
	} else {
		status = river_gone_find(profile, lake, stream, &gone, err);
	}
	if (status != RV_OK || !gone.runs)
		return status;
	bool one;
	RV_CLEANUP(rv_free_p) char *what = what_waits(&gone, &one);

	rv_fail(err, RV_CONFLICT, "%s of %s/%s %s not in the lake yet", what, stream->business, stream->name,
		one ? "is" : "are");
	rv_hint(err, "'river spool flush' delivers them; 'river spool export' copies them; "
		     "'river stream delete %s/%s --abandon-spool' deletes the stream all the same",
		stream->business, stream->name);
	return err->status;
}

/* Not a definition has gone then, but all of it. */
static bool lake_is_empty(struct rv_store *lake)
{
	struct rv_store_object format;
	struct rv_error ignored = RV_ERROR_INIT;

	return lake->ops->head(lake, RV_LAKE_FORMAT_NAME, &format, &ignored) == RV_NOT_FOUND;
}

void river_gone_explain(const struct rv_command_context *cx, const char *name, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	struct rv_error ignored = RV_ERROR_INIT;
	struct river_gone gone;
	char text[RV_STREAM_TEXT], object[RV_STREAM_PLACE_MAX];
	bool one;

	rv_stream_init(&stream);
	/* A bucket that is not there says so itself. */
	if (err->status != RV_NOT_FOUND || err->service_code[0] || err->http_status ||
	    rv_stream_parse_name(name, &stream, &ignored) != RV_OK ||
	    river_gone_find(cx->profile, cx->lake, &stream, &gone, &ignored) != RV_OK || !gone.known)
		return;
	rv_stream_text(&stream, text);
	rv_stream_catalog_name(&stream, object);
	RV_CLEANUP(rv_free_p) char *what = what_waits(&gone, &one);
	RV_CLEANUP(rv_free_p)
	char *waits = gone.runs ? rv_asprintf("; %s of it wait%s on this host and %s kept", what,
					      one ? "s" : "", one ? "is" : "are")
				: rv_strdup("");

	if (lake_is_empty(cx->lake)) {
		rv_fail(err, RV_NOT_FOUND, "stream %s is not in lake %s, in which nothing is river's%s", text,
			cx->lake->url, waits);
		rv_hint(err, "this host has pushed to it: is it the right lake, and is it mounted?");
		return;
	}
	rv_fail(err, RV_NOT_FOUND, "stream %s does not exist in lake %s any more: %s was deleted or has gone%s", text,
		cx->lake->url, object, waits);
	rv_hint(err, "unless that was on purpose, put the object back as it was (an earlier version of it), or run "
		     "'river stream create %s --adopt' with its columns: %s", text,
		gone.runs ? "then the next push or 'river spool flush' delivers what waits"
			  : "what is in the lake is its own again");
}
