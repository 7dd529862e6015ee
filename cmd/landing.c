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

static enum rv_status listed(void *arg, const struct rv_store_object *object,
			     struct rv_error *err RV_UNUSED)
{
	add_name(arg, object->name);
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

static enum rv_status read_event(const struct rv_profile *profile, const char *file,
				 char *const *streams, int count, struct names *names,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_s3_events_release) struct rv_s3_events events = { 0 };
	bool standard = strcmp(file, "-") == 0;
	uint64_t elsewhere = 0;
	if (rv_read_file(standard ? "/dev/stdin" : file, RV_S3_EVENTS_MAX_BYTES, &text, err) != RV_OK ||
	    rv_s3_events_parse(text.bytes, text.len, &events, err) != RV_OK)
		return standard ? rv_context(err, "standard input") : rv_context(err, "%s", file);
	for (size_t i = 0; i < events.count; i++) {
		const char *name = upload_in(profile, &events.items[i]);
		if (!name || !rv_store_name_valid(name) || !asked_for(streams, count, name)) {
			if (!elsewhere++)
				rv_note("%s is no upload of what is asked for: ignored",
					events.items[i].key);
			continue;
		}
		add_name(names, name);
	}
	if (elsewhere > 1)
		rv_note("%" PRIu64 " keys are no uploads of what is asked for: ignored", elsewhere);
	if (events.test)
		rv_note("a test event names no object");
	/* One stream's together, and an object that is named twice once. */
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), by_text);
	size_t kept = 0;
	for (size_t i = 0; i < names->count; i++) {
		if (kept && strcmp(names->items[kept - 1], names->items[i]) == 0)
			free(names->items[i]);
		else
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
	return RV_OK;
}

/* ---- what is said ----------------------------------------------------------------------------- */

struct teller {
	struct rv_command_context *cx;
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
		    json_pack("{s:o, s:s, s:I, s:I, s:I, s:o, s:o}", "object",
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
		rv_out_printf(teller->cx->out, "%s  %s\n", result->object,
			      rv_format_size(result->bytes, size));
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

static bool should_stop(void)
{
	return rv_stop_signal() != 0;
}

static enum rv_status list_streams(struct rv_command_context *cx, int count, char **operands,
				   struct names *names, struct rv_error *err)
{
	for (int i = 0; i < count; i++) {
		RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
		rv_stream_init(&stream);
		if (rv_catalog_get(cx->lake, operands[i], &stream, NULL, err) != RV_OK ||
		    rv_landing_each(cx->lake, &stream, listed, names, err) != RV_OK)
			return err->status;
	}
	if (count)
		return RV_OK;
	if (rv_catalog_check_lake(cx->lake, err) != RV_OK)
		return err->status;
	return rv_landing_each(cx->lake, NULL, listed, names, err);
}

static enum rv_status landing_run(struct rv_command_context *cx, void *options, int count,
				  char **operands, struct rv_error *err)
{
	const struct landing_options *o = options;
	RV_CLEANUP(names_release) struct names names = { .items = NULL };
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	if (o->max_record == 0 || o->max_record > (128u << 20))
		return rv_fail(err, RV_USAGE, "--max-record is from 1 byte to 128MiB");
	enum rv_status status = o->event ? read_event(cx->profile, o->event, operands, count, &names, err)
					 : list_streams(cx, count, operands, &names, err);
	if (status != RV_OK)
		return status;
	rv_wire_direct(cx->lake, &delivery);
	struct teller teller = { .cx = cx, .dry_run = o->dry_run };
	const struct rv_landing_params params = {
		.lake = cx->lake,
		.delivery = delivery,
		.state_dir = cx->profile->state_dir,
		.max_bytes = o->max_size,
		.max_record_bytes = o->max_record,
		.spool_max_bytes = cx->profile->spool_max_bytes,
		.lock_timeout_ms = rv_lock_timeout_ms(cx),
		.threads = 2,
		.dry_run = o->dry_run,
		.should_stop = should_stop,
		.each = tell,
		.note = say,
		.arg = &teller,
	};
	status = rv_landing_process(&params, names.items, names.count, err);
	summary(&teller);
	if (status != RV_OK && teller.told) {
		/* Each has been told of; what is left to say is the hint of the gravest. */
		char hint[sizeof(err->hint)];
		memcpy(hint, err->hint, sizeof(hint));
		rv_fail(err, status, "%" PRIu64 " of %" PRIu64 " uploads did not land whole", teller.told,
			teller.uploads);
		if (hint[0])
			rv_hint(err, "%s", hint);
	}
	return status;
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
