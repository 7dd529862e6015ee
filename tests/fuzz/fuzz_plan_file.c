/*
 * Any bytes as a plan that was kept of `river stream apply`: refused with a reason, or its definitions are those of
 * streams, which are the same when they are written and read again; and what is told of how it differs from another
 * one says it in words. Most bytes have a wrong fingerprint, so they are given the right one first. A byte 0xff
 * stands between two plans, the second of which is compared with.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "stream_plan.h"

static void fuzz_note(const char *fmt, ...) RV_PRINTF(1, 2);
#define rv_note fuzz_note
#include "stream_plan_file.c"

static size_t notes;

static void fuzz_note(const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	CHECK(text.len > 0 && !strstr(text.bytes, "(null)"));
	notes++;
}

/* ---- of cmd/: a plan of this file has no steps ---- */

static struct rv_stream streams[64];
static size_t streams_count;

void river_definitions_add(struct river_definitions *definitions, struct rv_stream *stream)
{
	definitions->count++;
	if (streams_count == sizeof(streams) / sizeof(*streams))
		return;
	streams[streams_count++] = *stream;
	rv_stream_init(stream);
}

json_t *river_step_json(const struct river_step *step RV_UNUSED, bool dry_run RV_UNUSED)
{
	abort();
}

json_t *river_tables_json(const struct river_place *place RV_UNUSED, const struct rv_stream *stream RV_UNUSED)
{
	abort();
}

/* ---- */

static int file = -1;
static char path[40];

/* The plan in `text`; false: it is none. */
static bool load(const char *text, size_t len, json_t **ret)
{
	struct river_definitions definitions = { 0 };
	struct river_plan_params params = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	CHECK(ftruncate(file, 0) == 0 && pwrite(file, text, len, 0) == (ssize_t)len);
	while (streams_count)
		rv_stream_release(&streams[--streams_count]);
	*ret = NULL;
	if (river_plan_load(path, &definitions, &params, ret, &err) == RV_OK) {
		CHECK(json_is_object(*ret));
		CHECK(definitions.count == json_array_size(json_object_get(*ret, "definitions")));
		return true;
	}
	CHECK(err.message[0] && !*ret && err.status != RV_INTERNAL);
	return false;
}

/* The text with the fingerprint that it has to have; NULL: it is no JSON object. Caller frees. */
static char *sealed(const char *p, size_t len)
{
	json_t *json = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);
	char *text = NULL;

	if (json_is_object(json)) {
		RV_CLEANUP(rv_free_p) char *fingerprint = fingerprint_of(json);

		json_object_set_new(json, "fingerprint", json_string(fingerprint));
		text = json_dumps(json, JSON_COMPACT);
	}
	json_decref(json);
	return text;
}

/* Definitions that were taken are taken again as they are written. */
static void check_definitions(void)
{
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < streams_count; i++) {
		struct rv_stream *stream = &streams[i], again;

		memcpy(stream->nonce, stream->id, sizeof(stream->nonce));
		json_t *json = rv_definition_json(stream);
		RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_COMPACT);

		rv_stream_init(&again);
		CHECK(text && rv_definition_from_json("it", text, strlen(text), &again, &err) == RV_OK);
		json_t *second = rv_definition_json(&again);

		CHECK(json_equal(json_object_get(json, "stream"), json_object_get(second, "stream")));
		json_decref(json);
		json_decref(second);
		rv_stream_release(&again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *split = memchr(data, 0xff, size);
	size_t first = split ? (size_t)(split - data) : size;
	struct river_plan plan = { 0 };
	const struct river_plan_params params = { 0 };
	struct rv_profile profile = { .name = (char *)(uintptr_t)"local" };
	struct rv_command_context cx = { .profile = &profile };
	struct rv_error err = RV_ERROR_INIT;
	json_t *saved, *other = NULL;

	if (size > 16 << 10)
		return 0;
	if (file < 0) {
		file = memfd_create("plan", MFD_CLOEXEC);
		CHECK(file >= 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	if (load((const char *)data, first, &saved))
		json_decref(saved);
	RV_CLEANUP(rv_free_p) char *text = sealed((const char *)data, first);

	if (!text || memmem(data, size, "(null)", 6) || !load(text, strlen(text), &saved))
		return 0;
	check_definitions();
	notes = 0;
	/* nothing is planned now: what was planned differs, or was nothing */
	enum rv_status status = river_plan_check(&cx, &plan, &params, saved, &err);

	CHECK(status == (notes ? RV_CONFLICT : RV_OK));
	if (split)
		other = json_loadb((const char *)split + 1, size - first - 1, 0, NULL);
	for (int i = 0; i < 2; i++) {
		const json_t *a = i ? other : saved, *b = i ? saved : other;

		/* one note for each that is counted, or those of its own changes */
		notes = 0;
		size_t count = tell_places(json_object_get(a, "places"), json_object_get(b, "places")) +
			       tell_steps(json_object_get(a, "steps"), json_object_get(b, "steps"));

		CHECK(!count == !notes);
	}
	json_decref(other);
	json_decref(saved);
	return 0;
}
