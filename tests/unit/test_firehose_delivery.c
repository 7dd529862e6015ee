/*
 * The Firehose delivery against a model of the service in this process: everything it is given is
 * stored, some of it on purpose badly, and afterwards nothing may be missing, nothing altered, and
 * no record twice that was not counted as possibly so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/firehose_crew.h"
#include "delivery/firehose_impl.h"
#include "flow/object_name.h"
#include "format/unpack.h"

enum mood {
	TAKE,
	REFUSE_SOME,        /* record by record, at random */
	REFUSE_ALL,         /* record by record */
	FAIL_INSIDE_SOME,   /* InternalFailure: half of those were written */
	THROTTLE,           /* the call */
	LOSE_ANSWER,        /* written, and nobody heard it */
	LOSE_REQUEST,       /* nothing written, and nobody knows */
	MIXED,              /* any of the above, by chance */
	DENY, MISSING, BROKEN,
};

struct world {
	pthread_mutex_t lock;
	struct rv_stream stream;
	struct rv_store *lake;
	struct rv_delivery *delivery;
	struct rv_delivery_firehose_params params;
	struct rv_firehose_service service;
	struct rv_error err;
	struct rv_delivery_result result;
	struct rv_strbuf text;      /* of the batch */
	struct rv_delivery_batch batch;
	uint32_t *stored;           /* times, by the number in the line */
	size_t lines;
	enum mood mood;
	_Atomic unsigned calls;
	unsigned mood_for;          /* 0: for good; else TAKE after so many calls */
	unsigned stop_at;           /* should_stop says yes from this call on; 0: never */
	unsigned ready_after;       /* describes until ACTIVE */
	const char *state;          /* of the delivery stream; NULL: not there */
	const char *poison;         /* lines that hold this are refused */
	uint32_t seed;
	unsigned flying, most_flying;
	size_t most_records, most_bytes, longest;
	unsigned describes;
	bool gate;                  /* calls wait until as many as may fly are there */
};
static struct world *world;

static uint32_t chance(struct world *w, uint32_t n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

static void store_record(struct world *w, const struct rv_firehose_record *record)
{
	const char *p = record->bytes, *end = p + record->len;
	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));
		char *behind;
		assert_non_null(newline);
		assert_memory_equal(p, "{\"n\":", 5);
		unsigned long n = strtoul(p + 5, &behind, 10);
		assert_int_equal(*behind, ',');
		assert_true(n < w->lines);
		w->stored[n]++;
		p = newline + 1;
	}
}

static bool holds(const struct rv_firehose_record *record, const char *text)
{
	return text && memmem(record->bytes, record->len, text, strlen(text));
}

static enum rv_status whole(enum rv_firehose_fate fate, size_t count, enum rv_firehose_fate *fates,
			    struct rv_firehose_result *ret, struct rv_error *err)
{
	for (size_t i = 0; i < count; i++)
		fates[i] = fate;
	*ret = (struct rv_firehose_result){ .refused = fate == RV_FIREHOSE_REFUSED ? count : 0,
					    .unknown = fate == RV_FIREHOSE_UNKNOWN ? count : 0 };
	return err->status;
}

static enum rv_status answer(struct world *w, enum mood mood,
			     const struct rv_firehose_record *records, size_t count,
			     enum rv_firehose_fate *fates, struct rv_firehose_result *ret,
			     struct rv_error *err)
{
	switch (mood) {
	case THROTTLE:
		rv_fail(err, RV_FAILED, "firehose answers 503 ServiceUnavailableException: Slow down.");
		err->transient = true;
		return whole(RV_FIREHOSE_REFUSED, count, fates, ret, err);
	case LOSE_ANSWER:
	case LOSE_REQUEST:
		for (size_t i = 0; mood == LOSE_ANSWER && i < count; i++)
			store_record(w, &records[i]);
		rv_fail(err, RV_FAILED, "firehose closed the connection without an answer");
		err->transient = true;
		return whole(RV_FIREHOSE_UNKNOWN, count, fates, ret, err);
	case DENY:
		rv_fail(err, RV_AUTH, "firehose answers 400 AccessDeniedException");
		return whole(RV_FIREHOSE_REFUSED, count, fates, ret, err);
	case BROKEN:
		rv_fail(err, RV_FAILED, "firehose answers 400 InvalidArgumentException: no");
		return whole(RV_FIREHOSE_REFUSED, count, fates, ret, err);
	case MISSING:
		rv_fail(err, RV_NOT_FOUND, "firehose answers 400 ResourceNotFoundException");
		return whole(RV_FIREHOSE_REFUSED, count, fates, ret, err);
	default:
		break;
	}
	*ret = (struct rv_firehose_result){ 0 };
	for (size_t i = 0; i < count; i++) {
		fates[i] = RV_FIREHOSE_TAKEN;
		if (holds(&records[i], w->poison) || mood == REFUSE_ALL ||
		    (mood == REFUSE_SOME && chance(w, 3) == 0))
			fates[i] = RV_FIREHOSE_REFUSED;
		else if (mood == FAIL_INSIDE_SOME && chance(w, 3) == 0)
			fates[i] = RV_FIREHOSE_UNKNOWN;
		if (fates[i] == RV_FIREHOSE_TAKEN ||
		    (fates[i] == RV_FIREHOSE_UNKNOWN && chance(w, 2)))
			store_record(w, &records[i]);
		ret->taken += fates[i] == RV_FIREHOSE_TAKEN;
		ret->refused += fates[i] == RV_FIREHOSE_REFUSED;
		ret->unknown += fates[i] == RV_FIREHOSE_UNKNOWN;
	}
	if (ret->taken < count) {
		snprintf(ret->code, sizeof(ret->code), "ServiceUnavailableException");
		snprintf(ret->message, sizeof(ret->message), "Slow down.");
	}
	return RV_OK;
}

static enum rv_status model_put(void *arg, const char *stream,
				const struct rv_firehose_record *records, size_t count,
				struct rv_firehose_room *room RV_UNUSED, enum rv_firehose_fate *fates,
				struct rv_firehose_result *ret, struct rv_error *err)
{
	struct world *w = arg;
	size_t bytes = 0;

	pthread_mutex_lock(&w->lock);
	assert_string_equal(stream, "river-web-clicks");
	assert_true(count >= 1 && count <= RV_FIREHOSE_BATCH_RECORDS);
	for (size_t i = 0; i < count; i++) {
		assert_true(records[i].len >= 1 && records[i].len <= RV_FIREHOSE_RECORD_MAX);
		assert_int_equal(records[i].bytes[records[i].len - 1], '\n');
		bytes += records[i].len;
		if (records[i].len > w->longest)
			w->longest = records[i].len;
	}
	assert_true(bytes <= RV_FIREHOSE_BATCH_BYTES);
	if (bytes > w->most_bytes)
		w->most_bytes = bytes;
	if (count > w->most_records)
		w->most_records = count;
	if (++w->flying > w->most_flying)
		w->most_flying = w->flying;
	unsigned call = ++w->calls;
	enum mood mood = w->mood_for && call > w->mood_for ? TAKE : w->mood;
	if (mood == MIXED)
		mood = (enum mood)chance(w, MIXED);
	while (w->gate && w->most_flying < w->params.in_flight) {
		pthread_mutex_unlock(&w->lock);
		usleep(1000);
		pthread_mutex_lock(&w->lock);
	}
	*err = (struct rv_error)RV_ERROR_INIT;
	enum rv_status status = answer(w, mood, records, count, fates, ret, err);
	w->flying--;
	pthread_mutex_unlock(&w->lock);
	return status;
}

static enum rv_status model_describe(void *arg, const char *stream RV_UNUSED,
				     struct rv_firehose_stream *ret, struct rv_error *err)
{
	struct world *w = arg;

	w->describes++;
	*ret = (struct rv_firehose_stream){ 0 };
	if (!w->state)
		return rv_fail(err, RV_NOT_FOUND, "no such delivery stream");
	if (w->ready_after && w->describes >= w->ready_after) {
		w->state = "ACTIVE";
		w->mood = TAKE;
	}
	ret->status = rv_strdup(w->state);
	if (strcmp(w->state, "CREATING_FAILED") == 0)
		ret->failure = rv_strdup("KMS_ACCESS_DENIED: no");
	return RV_OK;
}

static const char *model_region(void *arg)
{
	(void)arg;
	return "eu-west-1";
}

static bool should_stop(void)
{
	return world->stop_at && world->calls >= world->stop_at;
}

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	world = w;
	*state = w;
	pthread_mutex_init(&w->lock, NULL);
	rv_stream_init(&w->stream);
	w->err = (struct rv_error)RV_ERROR_INIT;
	assert_int_equal(rv_stream_parse_name("web/clicks", &w->stream, &w->err), RV_OK);
	w->lake = rv_store_mem_new();
	w->text = (struct rv_strbuf)RV_STRBUF_INIT;
	w->seed = 7;
	w->params = (struct rv_delivery_firehose_params){ .lake = w->lake, .in_flight = 3,
							  .give_up_after_ms = 20000,
							  .should_stop = should_stop };
	w->service = (struct rv_firehose_service){ .put = model_put, .describe = model_describe,
						   .region = model_region, .arg = w,
						   .pause_max_ms = 2 };
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	rv_delivery_free_p(&w->delivery);
	if (w->batch.body.fd > 0)
		close(w->batch.body.fd);
	rv_store_free_p(&w->lake);
	rv_stream_release(&w->stream);
	rv_strbuf_release(&w->text);
	free(w->batch.acknowledged);
	free(w->stored);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static void add_line(struct world *w, size_t len)
{
	size_t start = w->text.len;
	rv_strbuf_printf(&w->text, "{\"n\":%zu,\"x\":\"", w->lines++);
	size_t more = len - 3 - (w->text.len - start);
	rv_strbuf_reserve(&w->text, more);
	memset(w->text.bytes + w->text.len, 'x', more);
	w->text.len += more;
	rv_strbuf_puts(&w->text, "\"}\n");
}

static void make_batch(struct world *w, size_t lines, size_t len)
{
	for (size_t i = 0; i < lines; i++)
		add_line(w, len + i % 50);
	w->stored = rv_calloc(w->lines + 1, sizeof(*w->stored));
	w->batch = (struct rv_delivery_batch){
		.stream = &w->stream,
		.name = "data/web/clicks/dt=2026-11-20/hr=14/run-000001-r1-h1.ndjson",
		.body = { .bytes = w->text.bytes, .len = w->text.len, .fd = -1 },
		.records = w->lines,
		.acknowledged = rv_calloc(w->lines / 8 + 1, 1),
	};
}

static void into_file(struct world *w)
{
	char path[] = "/tmp/test_firehose_XXXXXX";
	w->batch.body.fd = mkstemp(path);
	assert_true(w->batch.body.fd > 0);
	unlink(path);
	assert_int_equal(write(w->batch.body.fd, w->text.bytes, w->text.len), (ssize_t)w->text.len);
	w->batch.body.bytes = NULL;
}

static enum rv_status send_batch(struct world *w)
{
	if (!w->delivery)
		w->delivery = rv_delivery_firehose_with(&w->params, &w->service);
	w->err = (struct rv_error)RV_ERROR_INIT;
	enum rv_status status =
		w->delivery->ops->send(w->delivery, &w->batch, &w->result, &w->err);
	assert_int_equal(w->flying, 0);
	assert_int_equal(w->result.requests, w->calls);
	return status;
}

static uint64_t count_acknowledged(const struct world *w)
{
	uint64_t n = 0;
	for (size_t i = 0; i < w->lines; i++)
		n += w->batch.acknowledged[i / 8] >> (i % 8) & 1;
	return n;
}

/* Whatever happened: acknowledged records are stored, and what is stored twice was announced. */
static void assert_honest(struct world *w)
{
	uint64_t twice = 0;
	for (size_t i = 0; i < w->lines; i++) {
		if (w->batch.acknowledged[i / 8] >> (i % 8) & 1)
			assert_true(w->stored[i] >= 1);
		twice += w->stored[i] > 1;
	}
	assert_true(twice <= w->result.maybe_twice);
}

static void assert_sent(struct world *w)
{
	if (send_batch(w) != RV_OK)
		fail_msg("%s", w->err.message);
	assert_int_equal(w->result.level, RV_DELIVERED_SENT);
	assert_int_equal(count_acknowledged(w), w->lines);
	assert_int_equal(w->result.record_bytes, w->text.len);
	assert_true(w->result.billed_bytes >= w->text.len);
	assert_honest(w);
}

static void assert_landed(struct world *w)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	if (send_batch(w) != RV_OK)
		fail_msg("%s", w->err.message);
	assert_int_equal(w->result.level, RV_DELIVERED_LANDED);
	assert_int_equal(w->lake->ops->get(w->lake, w->batch.name, 100 << 20, &got, etag, &w->err), RV_OK);
	assert_int_equal(got.len, w->text.len);
	assert_memory_equal(got.bytes, w->text.bytes, got.len);
	assert_honest(w);
}

static enum rv_status note_name(void *arg, const struct rv_store_object *object, struct rv_error *err RV_UNUSED)
{
	struct rv_strbuf *names = arg;
	rv_strbuf_printf(names, "%s\n", object->name);
	return RV_OK;
}

/* What Firehose did not take: one object, named as its own are, and nothing else is in the lake. */
static void read_rest(struct world *w, struct rv_strbuf *ret)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf names = RV_STRBUF_INIT, packed = RV_STRBUF_INIT;
	RV_CLEANUP(rv_unpack_free_p) struct rv_unpack *unpack = rv_unpack_new(RV_PACKING_GZIP);
	const struct rv_store_list all = { .prefix = "" };
	struct rv_firehose_name name;
	char etag[RV_ETAG_TEXT], text[4096];
	size_t len;

	assert_int_equal(w->result.level, RV_DELIVERED_SENT);
	assert_int_equal(w->lake->ops->list(w->lake, &all, note_name, &names, &w->err), RV_OK);
	assert_ptr_equal(strchr(names.bytes, '\n'), names.bytes + names.len - 1);
	names.bytes[names.len - 1] = '\0';
	assert_true(rv_firehose_name_parse(names.bytes, &w->stream, &name));
	assert_string_equal(name.folder, "dt=2026-11-20/hr=14");
	assert_true(name.gzip);
	assert_int_equal(w->lake->ops->get(w->lake, names.bytes, 1 << 20, &packed, etag, &w->err), RV_OK);
	struct rv_str input = { packed.bytes, packed.len };
	do {
		assert_int_equal(rv_unpack_step(unpack, &input, text, sizeof(text), &len, &w->err), RV_OK);
		rv_strbuf_add(ret, text, len);
	} while (len || input.len);
	assert_int_equal(rv_unpack_end(unpack, &w->err), RV_OK);
	assert_honest(w);
}

static void assert_rest(struct world *w, const char *expected)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	read_rest(w, &text);
	assert_string_equal(text.bytes, expected);
}

static void assert_fails(struct world *w, enum rv_status status, bool transient, const char *message)
{
	assert_int_equal(send_batch(w), status);
	assert_int_equal(w->err.transient, transient);
	if (!strstr(w->err.message, message))
		fail_msg("'%s' does not say '%s'", w->err.message, message);
	if (!strstr(w->err.message, "river-web-clicks"))
		fail_msg("'%s' does not name the delivery stream", w->err.message);
	assert_int_equal(w->result.level, RV_DELIVERED_NONE);
	assert_honest(w);
}

/* ---- all is well ------------------------------------------------------------- */

static void all_records_are_sent_once(void **state)
{
	struct world *w = *state;
	make_batch(w, 5003, 400);
	assert_sent(w);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
	assert_int_equal(w->result.requests, 11);
	assert_int_equal(w->most_records, 500);
	assert_int_equal(w->result.refused, 0);
	assert_int_equal(w->result.maybe_twice, 0);
	assert_int_equal(w->result.billed_bytes, 5003 * 5120);
	assert_string_equal(w->delivery->ops->name, "firehose");
	assert_int_equal(w->delivery->ops->max_record_bytes, 1024000);
	assert_true(w->delivery->ops->plain_bodies);
	assert_false(w->delivery->ops->names_objects);
}

static void packing_bills_little(void **state)
{
	struct world *w = *state;
	w->params.pack = true;
	make_batch(w, 10000, 400);
	assert_sent(w);
	assert_true(w->longest > 200000);
	assert_true(w->result.billed_bytes < w->text.len + w->text.len / 50);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
}

static void requests_fly_together(void **state)
{
	struct world *w = *state;
	w->gate = true;
	make_batch(w, 4000, 100);
	assert_sent(w);
	assert_int_equal(w->most_flying, 3);
}

static void an_empty_batch_is_sent(void **state)
{
	struct world *w = *state;
	make_batch(w, 0, 0);
	assert_sent(w);
	assert_int_equal(w->calls, 0);
}

static void bodies_in_files_come_in_slices(void **state)
{
	struct world *w = *state;
	make_batch(w, 20000, 900);
	assert_true(w->text.len > 2 * (size_t)RV_FIREHOSE_WINDOW_BYTES);
	into_file(w);
	assert_sent(w);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
}

static void the_next_batch_goes_with_the_same_crew(void **state)
{
	struct world *w = *state;
	make_batch(w, 700, 100);
	assert_sent(w);
	memset(w->batch.acknowledged, 0, w->lines / 8 + 1);
	memset(w->stored, 0, w->lines * sizeof(*w->stored));
	w->calls = 0;
	assert_sent(w);
}

static void acknowledged_records_are_left_out(void **state)
{
	struct world *w = *state;
	make_batch(w, 20000, 600);
	into_file(w);
	for (size_t i = 0; i < w->lines; i++)
		if (i % 3 == 0)
			w->batch.acknowledged[i / 8] |= (uint8_t)(1u << (i % 8));
	assert_int_equal(send_batch(w), RV_OK);
	assert_int_equal(count_acknowledged(w), w->lines);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], i % 3 != 0);
}

static void without_a_bitmap(void **state)
{
	struct world *w = *state;
	make_batch(w, 600, 100);
	uint8_t *bits = w->batch.acknowledged;
	w->batch.acknowledged = NULL;
	assert_int_equal(send_batch(w), RV_OK);
	w->batch.acknowledged = bits;
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
}

/* ---- into the lake ----------------------------------------------------------- */

static void compressed_bodies_land(void **state)
{
	struct world *w = *state;
	make_batch(w, 10, 100);
	w->batch.name = "data/web/clicks/dt=2026-11-20/hr=14/run-000001-r1-h1.ndjson.zst";
	assert_landed(w);
	assert_int_equal(w->calls, 0);
	assert_string_equal(w->result.diverted, "");
	/* again: it is there */
	assert_landed(w);
}

static void t0038_too_long_a_record_lands_the_batch(void **state)
{
	struct world *w = *state;
	add_line(w, RV_FIREHOSE_RECORD_MAX + 1);
	make_batch(w, 2, 100);
	assert_landed(w);
	assert_int_equal(w->calls, 0);
	w->batch.name = "data/web/clicks/dt=2026-11-20/hr=14/run-000002-r1-h1.ndjson";
	into_file(w);
	assert_landed(w);
}

static void t0038_the_longest_record_is_sent(void **state)
{
	struct world *w = *state;
	add_line(w, RV_FIREHOSE_RECORD_MAX);
	make_batch(w, 2, 100);
	assert_sent(w);
	assert_int_equal(w->longest, RV_FIREHOSE_RECORD_MAX);
}

/* Line `n` of the batch, with its newline. */
static char *line_of(const struct world *w, size_t n)
{
	const char *p = w->text.bytes;
	while (n--)
		p = strchr(p, '\n') + 1;
	return rv_strndup(p, (size_t)(strchr(p, '\n') + 1 - p));
}

static void t0024_poison_alone_goes_around(void **state)
{
	struct world *w = *state;
	make_batch(w, 3000, 100);
	RV_CLEANUP(rv_free_p) char *poison = line_of(w, 1234);
	w->poison = "{\"n\":1234,";
	assert_int_equal(send_batch(w), RV_OK);
	assert_rest(w, poison);
	assert_int_equal(count_acknowledged(w), w->lines - 1);
	assert_int_equal(w->stored[1234], 0);
	assert_int_equal(w->result.maybe_twice, 0);
	assert_int_equal(w->result.refused, RV_FIREHOSE_REFUSALS_MAX);
	assert_string_equal(w->result.diverted,
			    "refused 10 times: 1 of 1 records were refused: "
			    "ServiceUnavailableException: Slow down.");
}

/* Killed in the middle and begun again: the rest alone is refused, and nothing else is left. */
static void t0024_poison_is_found_by_a_second_attempt(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	for (size_t i = 0; i < 99; i++) {
		w->batch.acknowledged[i / 8] |= (uint8_t)(1u << (i % 8));
		w->stored[i] = 1;
	}
	w->poison = "{\"n\":99,";
	RV_CLEANUP(rv_free_p) char *poison = line_of(w, 99);
	assert_int_equal(send_batch(w), RV_OK);
	assert_rest(w, poison);
	assert_int_equal(w->stored[98], 1);
	/* killed before that was noted: the same again */
	w->calls = 0;
	assert_int_equal(send_batch(w), RV_OK);
	assert_rest(w, poison);
	/* from a file as well, and it is the same object */
	w->calls = 0;
	into_file(w);
	assert_int_equal(send_batch(w), RV_OK);
	assert_rest(w, poison);
}

/* Nobody keeps what was acknowledged: then only all of it is known to be there. */
static void t0024_poison_without_a_bitmap_lands_the_batch(void **state)
{
	struct world *w = *state;
	make_batch(w, 600, 100);
	uint8_t *bits = w->batch.acknowledged;
	w->batch.acknowledged = NULL;
	w->poison = "{\"n\":5,";
	assert_int_equal(send_batch(w), RV_OK);
	assert_int_equal(w->result.level, RV_DELIVERED_LANDED);
	w->batch.acknowledged = bits;
}

static void what_cannot_land_stays(void **state)
{
	struct world *w = *state;
	make_batch(w, 600, 100);
	w->poison = "{\"n\":5,";
	rv_store_mem_fail(w->lake, 1, true, RV_AUTH);
	assert_int_equal(send_batch(w), RV_AUTH);
	assert_int_equal(w->result.level, RV_DELIVERED_NONE);
	assert_int_equal(count_acknowledged(w), w->lines - 1);
}

/* ---- failures that pass ------------------------------------------------------ */

static void t0023_only_refused_records_are_sent_again(void **state)
{
	struct world *w = *state;
	make_batch(w, 5000, 100);
	w->mood = REFUSE_SOME;
	w->mood_for = 40;
	assert_sent(w);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
	assert_true(w->result.refused > 1000);
	assert_int_equal(w->result.maybe_twice, 0);
}

static void t0026_lost_answers_are_counted(void **state)
{
	struct world *w = *state;
	make_batch(w, 400, 100);
	w->mood = LOSE_ANSWER;
	w->mood_for = 3;
	assert_sent(w);
	assert_int_equal(w->result.maybe_twice, 400);
	assert_int_equal(w->result.refused, 0);
	assert_int_equal(w->stored[7], 4);
}

static void t0029_throttled_calls_are_repeated(void **state)
{
	struct world *w = *state;
	make_batch(w, 2000, 100);
	w->mood = THROTTLE;
	w->mood_for = 30;
	assert_sent(w);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
	assert_true(w->result.refused >= 30);
	assert_int_equal(w->result.maybe_twice, 0);
}

static void t0029_throttled_records_do_not_count_as_poison(void **state)
{
	struct world *w = *state;
	make_batch(w, 500, 100);
	w->params.in_flight = 1;
	w->mood = REFUSE_ALL;
	w->mood_for = 60;
	assert_sent(w);
}

/* Every mixture of failures: nothing is lost, and only what was announced is there twice. */
static void any_mixture_of_failures(void **state)
{
	struct world *w = *state;
	for (uint32_t seed = 1; seed <= 40; seed++) {
		w->seed = seed;
		w->params.in_flight = 1 + seed % 5;
		w->params.pack = seed % 4 == 0;
		w->mood = MIXED;
		w->mood_for = 8 + seed % 50;
		w->calls = 0;
		w->lines = 0;
		rv_strbuf_clear(&w->text);
		make_batch(w, seed % 7 ? 3000 : 300, 80 + seed);
		if (seed % 3 == 0)
			into_file(w);
		enum rv_status status = send_batch(w);
		if (status != RV_OK)
			fail_msg("seed %u: %s", seed, w->err.message);
		assert_honest(w);
		/* A few records may be unlucky ten times: then those are in the lake. */
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf rest = RV_STRBUF_INIT;
		if (w->result.level == RV_DELIVERED_SENT && w->result.diverted[0])
			read_rest(w, &rest);
		for (size_t i = 0; w->result.level == RV_DELIVERED_SENT && i < w->lines; i++) {
			RV_CLEANUP(rv_free_p) char *line = w->stored[i] ? NULL : line_of(w, i);
			assert_true(!line || (rest.len && strstr(rest.bytes, line)));
		}
		/* A batch may be, too. */
		if (w->result.level != RV_DELIVERED_SENT)
			assert_int_equal(w->result.level, RV_DELIVERED_LANDED);
		rv_delivery_free_p(&w->delivery);
		rv_store_free_p(&w->lake);
		w->lake = w->params.lake = rv_store_mem_new();
		if (w->batch.body.fd > 0)
			close(w->batch.body.fd);
		w->batch.body.fd = -1;
		free(w->batch.acknowledged);
		free(w->stored);
		w->batch.acknowledged = NULL;
		w->stored = NULL;
	}
}

/* ---- failures that do not ---------------------------------------------------- */

static void t0037_denied_is_fast_and_keeps_all(void **state)
{
	struct world *w = *state;
	make_batch(w, 3000, 100);
	w->mood = DENY;
	assert_fails(w, RV_AUTH, false, "AccessDeniedException");
	assert_true(w->calls <= 3);
	assert_int_equal(count_acknowledged(w), 0);
	assert_int_equal(w->result.maybe_twice, 0);
	assert_int_equal(w->result.refused, 0);
	/* mended: the same batch again */
	w->mood = TAKE;
	w->calls = 0;
	assert_sent(w);
}

static void t0037_denied_in_the_middle(void **state)
{
	struct world *w = *state;
	make_batch(w, 3000, 100);
	w->params.in_flight = 1;
	w->mood = TAKE;
	assert_int_equal(send_batch(w), RV_OK);
	rv_delivery_free_p(&w->delivery);
	memset(w->stored, 0, w->lines * sizeof(*w->stored));
	memset(w->batch.acknowledged, 0, w->lines / 8 + 1);
	w->calls = 0;
	w->poison = "{\"n\":2000,";
	w->mood = TAKE;
	w->stop_at = 5;
	assert_fails(w, RV_FAILED, true, "stopped");
	uint64_t before = count_acknowledged(w);
	assert_true(before >= 1999 && before < 3000);
	/* the rest alone */
	w->stop_at = 0;
	w->calls = 0;
	w->poison = NULL;
	assert_int_equal(send_batch(w), RV_OK);
	assert_int_equal(count_acknowledged(w), w->lines);
	for (size_t i = 0; i < w->lines; i++)
		assert_int_equal(w->stored[i], 1);
}

static void refused_arguments_are_no_weather(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	w->mood = BROKEN;
	assert_fails(w, RV_FAILED, false, "InvalidArgumentException");
	assert_int_equal(w->calls, 1);
}

static void a_missing_stream_says_what_to_do(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	w->mood = MISSING;
	assert_fails(w, RV_NOT_FOUND, false, "ResourceNotFoundException");
	assert_non_null(strstr(w->err.hint, "river stream create"));
	assert_non_null(strstr(w->err.hint, "eu-west-1"));
	assert_int_equal(w->describes, 1);
}

static void a_stream_being_made_is_waited_for(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	w->mood = MISSING;
	w->state = "CREATING";
	w->ready_after = 4;
	assert_sent(w);
	assert_int_equal(w->describes, 4);
}

static void a_stream_that_is_never_ready(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	w->mood = MISSING;
	w->state = "CREATING";
	w->params.give_up_after_ms = 30;
	assert_fails(w, RV_FAILED, true, "not active but CREATING");
	w->state = "CREATING_FAILED";
	w->calls = 0;
	w->describes = 0;
	assert_fails(w, RV_FAILED, true, "not active but CREATING_FAILED: KMS_ACCESS_DENIED");
	assert_non_null(strstr(w->err.hint, "make it again"));
	assert_int_equal(w->describes, 1);
}

static void outages_end_transient(void **state)
{
	static const enum mood moods[] = { THROTTLE, REFUSE_ALL, LOSE_REQUEST, LOSE_ANSWER };
	struct world *w = *state;
	make_batch(w, 3000, 100);
	w->params.give_up_after_ms = 60;
	for (size_t i = 0; i < 4; i++) {
		w->mood = moods[i];
		w->calls = 0;
		assert_fails(w, RV_FAILED, true, "no record was taken for");
		assert_int_equal(count_acknowledged(w), 0);
		assert_int_equal(w->result.maybe_twice > 0, i >= 2);
		assert_non_null(strstr(w->err.hint, "spool flush"));
	}
}

static void it_stops_when_told_to(void **state)
{
	struct world *w = *state;
	make_batch(w, 3000, 100);
	w->mood = THROTTLE;
	w->stop_at = 3;
	w->service.pause_max_ms = 60000;
	assert_fails(w, RV_FAILED, true, "stopped");
}

/* ---- bodies that are not what was promised ----------------------------------- */

static void other_counts_are_damage(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	w->batch.records = 101;
	assert_fails(w, RV_DAMAGED, false, "has 101 records, and 100 lines");
	w->batch.records = 99;
	assert_fails(w, RV_DAMAGED, false, "has 99 records");
	assert_int_equal(w->calls, 0);
	w->batch.records = 100;
	w->batch.body.len--;
	assert_fails(w, RV_DAMAGED, false, "has 100 records, and 99 lines");
}

static void a_spooled_body_that_was_cut(void **state)
{
	struct world *w = *state;
	make_batch(w, 100, 100);
	into_file(w);
	assert_int_equal(ftruncate(w->batch.body.fd, 50), 0);
	assert_fails(w, RV_DAMAGED, false, "ends at byte 50");
	assert_int_equal(w->calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_records_are_sent_once),
		TEST(packing_bills_little),
		TEST(requests_fly_together),
		TEST(an_empty_batch_is_sent),
		TEST(bodies_in_files_come_in_slices),
		TEST(the_next_batch_goes_with_the_same_crew),
		TEST(acknowledged_records_are_left_out),
		TEST(without_a_bitmap),
		TEST(compressed_bodies_land),
		TEST(t0038_too_long_a_record_lands_the_batch),
		TEST(t0038_the_longest_record_is_sent),
		TEST(t0024_poison_alone_goes_around),
		TEST(t0024_poison_without_a_bitmap_lands_the_batch),
		TEST(t0024_poison_is_found_by_a_second_attempt),
		TEST(what_cannot_land_stays),
		TEST(t0023_only_refused_records_are_sent_again),
		TEST(t0026_lost_answers_are_counted),
		TEST(t0029_throttled_calls_are_repeated),
		TEST(t0029_throttled_records_do_not_count_as_poison),
		TEST(any_mixture_of_failures),
		TEST(t0037_denied_is_fast_and_keeps_all),
		TEST(t0037_denied_in_the_middle),
		TEST(refused_arguments_are_no_weather),
		TEST(a_missing_stream_says_what_to_do),
		TEST(a_stream_being_made_is_waited_for),
		TEST(a_stream_that_is_never_ready),
		TEST(outages_end_transient),
		TEST(it_stops_when_told_to),
		TEST(other_counts_are_damage),
		TEST(a_spooled_body_that_was_cut),
	};
	return cmocka_run_group_tests_name("firehose delivery", tests, NULL, NULL);
}
