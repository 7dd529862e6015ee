/* `river landing process`: uploads that wait in the lake are validated and published. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "context.h"
#include "delivery/delivery.h"
#include "flow/catalog.h"
#include "flow/landing.h"
#include "format/json_text.h"
#include "format/s3_event.h"
#include "lakes.h"

struct landing_options {
	const char *event;
	uint64_t max_size, max_record;
	bool dry_run;
};

static const struct rv_opt landing_options_table[] = {
	OPT_STRING(struct landing_options, 0, "event", event, "file",
		   "only the uploads that this S3 event names; - is standard input",
		   .complete = RV_COMPLETE_FILE),
	OPT_SIZE(struct landing_options, 0, "max-size", max_size, "bytes",
		 "leave uploads that are larger", .def = "5GiB"),
	OPT_SIZE(struct landing_options, 0, "max-record", max_record, "bytes",
		 "longest record, up to 128MiB", .def = "16MiB"),
	OPT_FLAG(struct landing_options, 'n', "dry-run", dry_run,
		 "say what would be processed and change nothing"),
	OPT_END
};

struct names {
	char **items;
	size_t count, capacity;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static void add_name(struct names *names, const char *name)
{
	RV_GROW(names->items, names->count, names->capacity);
	names->items[names->count++] = rv_strdup(name);
}

/* What is to be processed in one lake. */
struct part {
	const struct rv_profile *profile;
	struct rv_store *lake;
	struct names names;
};
struct work {
	struct river_lakes lakes;
	struct part *parts;
	size_t count, capacity;
	uint64_t astray;          /* uploads that lie in a lake their business has left */
	bool all;                 /* whatever waits */
};

static void work_release(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		names_release(&work->parts[i].names);
	free(work->parts);
}

/* That of the lake which was entered. */
static struct part *part_here(struct work *work)
{
	const struct rv_command_context *cx = work->lakes.cx;
	for (size_t i = 0; i < work->count; i++)
		if (work->parts[i].lake == cx->lake)
			return &work->parts[i];
	RV_GROW(work->parts, work->count, work->capacity);
	work->parts[work->count] = (struct part){ .profile = cx->profile, .lake = cx->lake };
	return &work->parts[work->count++];
}

static enum rv_status listed(void *arg, const struct rv_store_object *object,
			     struct rv_error *err RV_UNUSED)
{
	struct work *work = arg;
	struct rv_landing_name name;
	/* A lake may be another profile's as well, and what is in it of others is theirs. */
	if (work->all && rv_landing_name_parse(object->name, &name) &&
	    !river_lakes_has(&work->lakes, name.business)) {
		work->astray += work->lakes.cx->profile == work->lakes.home;
		return RV_OK;
	}
	add_name(&part_here(work)->names, object->name);
	return RV_OK;
}

/* ---- an event --------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The name in this lake; NULL: it is in another one, or no upload. Whose event names a lake in a folder
 * has copied it from somewhere, with a prefix that nothing here knows. */
static const char *upload_in(const struct rv_profile *profile, const struct rv_s3_event *event)
{
	const char *key = event->key;
	if (!profile->lake_is_folder) {
		size_t len = strlen(profile->lake_prefix);
		if ((*event->bucket && strcmp(event->bucket, profile->bucket) != 0) ||
		    !rv_starts_with(key, profile->lake_prefix) || (len && key[len] != '/'))
			return NULL;
		key += len + (len > 0);
		return rv_starts_with(key, RV_LANDING_PREFIX) ? key : NULL;
	}
	const char *p = rv_starts_with(key, RV_LANDING_PREFIX) ? key
							       : strstr(key, "/" RV_LANDING_PREFIX);
	return p && *p == '/' ? p + 1 : p;
}

/* Are the uploads of these streams alone asked for? */
static bool asked_for(char *const *streams, int count, const char *object)
{
	struct rv_landing_name name;
	char text[RV_STREAM_TEXT];
	if (count == 0 || !rv_landing_name_parse(object, &name))
		return count == 0;
	snprintf(text, sizeof(text), "%s/%s", name.business, name.stream);
	for (int i = 0; i < count; i++)
		if (strcmp(strchr(streams[i], '/') ? streams[i] : "", text) == 0 ||
		    (!strchr(streams[i], '/') && strcmp(name.business, "main") == 0 &&
		     strcmp(streams[i], name.stream) == 0))
			return true;
	return false;
}

static void sort_names(struct names *names)
{
	size_t kept = 0;
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
	for (size_t i = 0; i < names->count; i++) {
		if (kept && strcmp(names->items[kept - 1], names->items[i]) == 0)
			free(names->items[i]);
		else
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
}

/* One stream's together, and an object that is named twice once. */
static void put_in_order(struct work *work)
{
	for (size_t i = 0; i < work->count; i++)
		sort_names(&work->parts[i].names);
}

struct event_look {
	struct work *work;
	const struct rv_s3_events *events;
	bool *known;              /* of each event: a lake has taken it */
	char *const *streams;
	int count;
};

static enum rv_status take_events(void *arg, struct rv_error *err RV_UNUSED)
{
	struct event_look *look = arg;
	const struct rv_command_context *cx = look->work->lakes.cx;
	for (size_t i = 0; i < look->events->count; i++) {
		const char *name = upload_in(cx->profile, &look->events->items[i]);
		if (look->known[i] || !name || !rv_store_name_valid(name) ||
		    !asked_for(look->streams, look->count, name))
			continue;
		look->known[i] = true;
		add_name(&part_here(look->work)->names, name);
	}
	return RV_OK;
}

static enum rv_status read_event(struct work *work, const char *file, char *const *streams, int count,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
	bool standard = strcmp(file, "-") == 0;
	uint64_t elsewhere = 0;
	if (rv_read_file(standard ? "/dev/stdin" : file, RV_S3_EVENTS_MAX_BYTES, &text, err) != RV_OK ||
	    rv_s3_events_parse(text.bytes, text.len, &events, err) != RV_OK)
		return standard ? rv_context(err, "standard input") : rv_context(err, "%s", file);
	RV_CLEANUP(rv_free_p) bool *known = rv_calloc(events.count + 1, sizeof(*known));
	struct event_look look = { work, &events, known, streams, count };
	if (river_lakes_each(&work->lakes, take_events, &look, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < events.count; i++)
		if (!known[i] && !elsewhere++)
			rv_note("%s is no upload of what is asked for: ignored", events.items[i].key);
	if (elsewhere > 1)
		rv_note("%" PRIu64 " keys are no uploads of what is asked for: ignored", elsewhere);
	if (events.test)
		rv_note("a test event names no object");
	if (events.other)
		rv_note("%" PRIu64 " records of the events tell of something else than a new object: ignored",
			events.other);
	put_in_order(work);
	return RV_OK;
}

/* ---- what is said ----------------------------------------------------------------------------- */

struct teller {
	struct rv_command_context *cx;
	const struct rv_store *lake;  /* whose turn it is */
	bool dry_run;
	uint64_t uploads, landed, rejected, left, waiting, records, bytes;
	uint64_t told;            /* of them, with something wrong */
};

static void tell(void *arg, const struct rv_landing_result *result)
{
	static const char *const outcomes[] = { "landed", "rejected", "gone", "left", "waiting" };
	struct teller *teller = arg;
	char size[RV_NUMBER_TEXT];
	const char *why = result->why.status == RV_OK ? NULL : result->why.message;
	rv_out_json(teller->cx->out,
		    json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:o, s:o}", "lake", teller->lake->url, "object",
			      rv_json_bytes(result->object), "outcome", outcomes[result->outcome],
			      "bytes", (json_int_t)result->bytes, "accepted",
			      (json_int_t)result->accepted, "rejected", (json_int_t)result->rejected,
			      "message", rv_out_text(why), "hint",
			      rv_out_text(why && result->why.hint[0] ? result->why.hint : NULL)));
	teller->uploads++;
	teller->told += why != NULL;
	if (why)
		rv_warn("%s: %s", result->object, why);
	if (result->outcome == RV_LANDING_WAITING)
		rv_out_line(teller->cx->out, "%s  %s", result->object, rv_format_size(result->bytes, size));
	else
		rv_verbose("%s: %s", result->object, outcomes[result->outcome]);
	teller->landed += result->outcome == RV_LANDING_LANDED;
	teller->rejected += result->outcome == RV_LANDING_REJECTED;
	teller->left += result->outcome == RV_LANDING_LEFT;
	teller->waiting += result->outcome == RV_LANDING_WAITING;
	teller->records += result->accepted;
	teller->bytes += result->bytes;
}

static void say(void *arg RV_UNUSED, const char *text)
{
	rv_verbose("%s", text);
}

static void summary(const struct teller *teller)
{
	char records[RV_NUMBER_TEXT], size[RV_NUMBER_TEXT];
	if (!rv_messages_terminal() && !teller->cx->verbose)
		return;
	if (teller->dry_run)
		rv_note("%" PRIu64 " upload%s (%s) would be processed", teller->waiting,
			teller->waiting == 1 ? "" : "s", rv_format_size(teller->bytes, size));
	else if (teller->landed + teller->rejected + teller->left == 0)
		rv_note("no upload waits");
	else
		rv_note("%" PRIu64 " upload%s with %s records landed, %" PRIu64 " set aside, %" PRIu64
			" left where they are", teller->landed, teller->landed == 1 ? "" : "s",
			rv_format_count(teller->records, records), teller->rejected, teller->left);
}

/* ---- the command ------------------------------------------------------------------------------ */

/* `list` false: only whether they are there, for a slip of the fingers would ignore every upload. */
static enum rv_status look_at_streams(struct work *work, int count, char **operands, bool list,
				      struct rv_error *err)
{
	struct rv_command_context *cx = work->lakes.cx;
	for (int i = 0; i < count; i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		rv_stream_init(&stream);
		if (rv_wire_business(cx, operands[i], err) != RV_OK ||
		    rv_catalog_get(cx->lake, operands[i], &stream, NULL, err) != RV_OK ||
		    (list && rv_landing_each(cx->lake, &stream, listed, work, err) != RV_OK))
			return err->status;
	}
	put_in_order(work);
	return rv_wire_business(cx, "", err);
}

static enum rv_status list_lake(void *arg, struct rv_error *err)
{
	struct work *work = arg;
	struct rv_store *lake = work->lakes.cx->lake;
	if (rv_catalog_check_lake(lake, err) != RV_OK)
		return err->status;
	return rv_landing_each(lake, NULL, listed, work, err);
}

/* A lake that cannot be listed does not keep what waits in the others from being published. */
static enum rv_status list_all(struct work *work, struct rv_error *ret_unlisted, struct rv_error *err)
{
	work->all = true;
	if (river_lakes_each(&work->lakes, list_lake, work, err) != RV_OK) {
		if (!work->count || rv_should_stop())
			return err->status;
		*ret_unlisted = *err;
	}
	if (work->astray)
		rv_warn("%" PRIu64 " upload%s in lake %s: of businesses that have a lake of their own, where "
			"nobody looks for them", work->astray, work->astray == 1 ? " waits" : "s wait",
			work->lakes.cx->lake->url);
	return RV_OK;
}

static enum rv_status process_part(struct rv_command_context *cx, const struct landing_options *o,
				   const struct part *part, struct teller *teller, struct rv_error *err)
{
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	rv_wire_direct(part->lake, &delivery);
	teller->lake = part->lake;
	const struct rv_landing_params params = {
		.lake = part->lake,
		.delivery = delivery,
		.state_dir = part->profile->state_dir,
		.max_bytes = o->max_size,
		.max_record_bytes = o->max_record,
		.spool_max_bytes = part->profile->spool_max_bytes,
		.lock_timeout_ms = rv_lock_timeout_ms(cx),
		.threads = 2,
		.dry_run = o->dry_run,
		.should_stop = rv_should_stop,
		.each = tell,
		.note = say,
		.arg = teller,
	};
	return rv_landing_process(&params, part->names.items, part->names.count, err);
}

static enum rv_status landing_run(struct rv_command_context *cx, void *options, int count,
				  char **operands, struct rv_error *err)
{
	const struct landing_options *o = options;
	RV_CLEANUP(work_release) struct work work = { .parts = NULL };
	struct rv_error worst = RV_ERROR_INIT, unlisted = RV_ERROR_INIT;
	struct teller teller = { .cx = cx, .dry_run = o->dry_run };
	if (o->max_record == 0 || o->max_record > (128u << 20))
		return rv_fail(err, RV_USAGE, "--max-record is from 1 byte to 128MiB");
	river_lakes_init(&work.lakes, cx);
	enum rv_status status = look_at_streams(&work, count, operands, !o->event, err);
	if (status == RV_OK && o->event)
		status = read_event(&work, o->event, operands, count, err);
	else if (status == RV_OK && count == 0)
		status = list_all(&work, &unlisted, err);
	if (status != RV_OK)
		return status;
	for (size_t i = 0; i < work.count; i++)
		if (process_part(cx, o, &work.parts[i], &teller, err) != RV_OK &&
		    rv_status_gravity(err->status) > rv_status_gravity(worst.status))
			worst = *err;
	summary(&teller);
	if (worst.status != RV_OK && teller.told) {
		/* Each has been told of; what is left to say is the hint of the gravest. */
		char hint[sizeof(worst.hint)];
		memcpy(hint, worst.hint, sizeof(hint));
		rv_fail(&worst, worst.status, "%" PRIu64 " of %" PRIu64 " uploads did not land whole",
			teller.told, teller.uploads);
		if (hint[0])
			rv_hint(&worst, "%s", hint);
	}
	if (unlisted.status != RV_OK && worst.status != RV_OK) {
		bool graver = rv_status_gravity(unlisted.status) > rv_status_gravity(worst.status);
		rv_warn("%s", graver ? worst.message : unlisted.message);
		*err = graver ? unlisted : worst;
		return err->status;
	}
	*err = worst.status != RV_OK ? worst : unlisted;
	return err->status;
}

static const struct rv_example landing_examples[] = {
	{ "river landing process", "publish whatever waits, of all streams" },
	{ "river landing process web/clicks -n", "what waits for one stream?" },
	{ "river landing process --event event.json", "what an S3 event tells of" },
	{ NULL, NULL },
};

const struct rv_command cmd_landing_process = {
	.name = "landing process",
	.group = RV_GROUP_DELIVER,
	.summary = "validate and publish files that were uploaded into the lake",
	.operands = "[<stream>...]",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_STREAM },
	.options = landing_options_table,
	.options_size = sizeof(struct landing_options),
	.examples = landing_examples,
	.run = landing_run,
};
