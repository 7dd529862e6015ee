/*
 * Documents to a model of DynamoDB in this process, which throttles, refuses, loses answers and carries out
 * late what was given up on. Afterwards each root holds its newest version, and each document was settled once
 * (faults 154, 155, 156 and 157).
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
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/dynamodb_crew.h"

#define ROOTS 2000
#define NOW_MS INT64_C(1795968000000) /* 2026-11-29T16:00:00Z */

enum mood {
	TAKE,
	LEAVE_SOME,    /* unprocessed, at random */
	LEAVE_ALL,     /* all unprocessed */
	THROTTLE,      /* the call */
	LOSE_ANSWER,   /* carried out, and nobody heard it */
	ARRIVE_LATE,   /* carried out later, and nobody heard it */
	MIXED,
	DENY, MISSING,
};

struct late {
	unsigned root;
	uint64_t version;
	bool versioned;
	int64_t at_ms;
	struct late *next;
};
/* An attempt that nobody heard of again arrives within this, if ever; less than doubt_ms. */
#define LATE_MS 40
struct world {
	pthread_mutex_t lock;
	uint64_t stored[ROOTS];       /* version; 0: none */
	bool foreign[ROOTS];          /* an item without one is there */
	bool tombstone[ROOTS];
	unsigned flying[ROOTS];
	enum rv_document_fate fates[ROOTS * 4];
	unsigned settled[ROOTS * 4];  /* times, by tag */
	char reason[256];             /* the last one */
	struct late *late;
	enum mood mood;
	unsigned mood_for;            /* calls, then TAKE; 0: for good */
	const char *hot;              /* of this root nothing is ever taken */
	const char *poison;           /* a ValidationException for a request that holds this */
	_Atomic unsigned calls, batches, singles;
	_Atomic size_t most_items;
	_Atomic bool twice_in_flight;
	_Atomic bool hold;            /* calls wait until it is taken back */
	double units;
	int64_t began_ms;
	unsigned stop_after;          /* calls */
	uint32_t seed;
	struct rv_documents *documents;
	struct rv_documents_dynamodb_params params;
	struct rv_dynamodb_service service;
	struct rv_documents_counts counts;
	struct rv_error err;
};
static struct world *world;
static const struct rv_dynamodb_schema schema = { .fields = { { "id", 'S' } }, .count = 1 };

static uint32_t chance(struct world *w, uint32_t n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

static bool holds(const struct rv_dynamodb_write *write, const char *text)
{
	return text && memmem(write->item, write->len, text, strlen(text));
}

static unsigned root_of(const struct rv_dynamodb_write *write)
{
	unsigned root = 0;

	/* 'S', four bytes of length, digits */
	for (size_t i = 5; i < write->key.len; i++)
		root = root * 10 + (unsigned)(write->key.p[i] - '0');
	return root;
}

/* Carried out. */
static enum rv_dynamodb_fate store(struct world *w, const struct rv_dynamodb_write *write, bool versioned)
{
	unsigned root = root_of(write);

	assert_true(root < ROOTS);
	if (versioned && w->foreign[root])
		return RV_DYNAMODB_FOREIGN;
	if (versioned && w->stored[root] > write->version)
		return RV_DYNAMODB_NEWER;
	w->stored[root] = write->remove ? 0 : write->version;
	w->tombstone[root] = holds(write, "\"_deleted\"");
	return RV_DYNAMODB_TAKEN;
}

/* What was given up on arrives, as far as it has until `now_ms`. */
static void let_arrive(struct world *w, int64_t now_ms)
{
	struct late **at = &w->late;

	while (*at) {
		struct late *late = *at;

		if (late->at_ms > now_ms) {
			at = &late->next;
			continue;
		}
		*at = late->next;
		if (!late->versioned || w->stored[late->root] <= late->version)
			w->stored[late->root] = late->version;
		free(late);
	}
}

static enum rv_status whole(enum rv_dynamodb_fate fate, size_t count, enum rv_dynamodb_fate *fates,
			    struct rv_error *err)
{
	for (size_t i = 0; i < count; i++)
		fates[i] = fate;
	return err->status;
}

static enum rv_status answer(struct world *w, const struct rv_dynamodb_write *writes, size_t count,
			     unsigned number, bool single, bool versioned, enum rv_dynamodb_fate *fates,
			     struct rv_dynamodb_result *ret, struct rv_error *err)
{
	enum mood mood = w->mood;

	let_arrive(w, rv_clock_monotonic_ms());
	if (w->mood_for && number > w->mood_for)
		mood = TAKE;
	if (mood == MIXED)
		mood = (enum mood)chance(w, MIXED);
	for (size_t i = 0; i < count; i++)
		if (holds(&writes[i], w->poison)) {
			rv_fail(err, RV_FAILED, "it is bad");
			snprintf(err->service_code, sizeof(err->service_code), "ValidationException");
			snprintf(ret->message, sizeof(ret->message), "it is bad");
			if (!single)
				return whole(RV_DYNAMODB_LEFT, count, fates, err);
			*err = (struct rv_error)RV_ERROR_INIT;
			return whole(RV_DYNAMODB_REFUSED, count, fates, err);
		}
	switch (mood) {
	case DENY:
		rv_fail(err, RV_AUTH, "dynamodb answers 400 AccessDeniedException");
		return whole(RV_DYNAMODB_LEFT, count, fates, err);
	case MISSING:
		rv_fail(err, RV_NOT_FOUND, "dynamodb answers 400 ResourceNotFoundException");
		return whole(RV_DYNAMODB_LEFT, count, fates, err);
	case LOSE_ANSWER:
	case ARRIVE_LATE:
		for (size_t i = 0; i < count; i++) {
			if (mood == LOSE_ANSWER) {
				store(w, &writes[i], versioned);
				continue;
			}
			struct late *late = rv_calloc(1, sizeof(*late));
			*late = (struct late){ .root = root_of(&writes[i]), .version = writes[i].version,
					       .versioned = versioned,
					       .at_ms = rv_clock_monotonic_ms() + LATE_MS, .next = w->late };
			w->late = late;
		}
		rv_fail(err, RV_FAILED, "dynamodb closed the connection without an answer");
		err->transient = true;
		return whole(RV_DYNAMODB_UNKNOWN, count, fates, err);
	case THROTTLE:
		rv_fail(err, RV_FAILED, "dynamodb answers 400 ProvisionedThroughputExceededException");
		err->transient = true;
		return whole(RV_DYNAMODB_LEFT, count, fates, err);
	default:
		break;
	}
	for (size_t i = 0; i < count; i++) {
		fates[i] = RV_DYNAMODB_LEFT;
		if (mood == LEAVE_ALL || (mood == LEAVE_SOME && chance(w, 3) == 0) || holds(&writes[i], w->hot))
			continue;
		fates[i] = store(w, &writes[i], versioned);
	}
	if (single && fates[0] == RV_DYNAMODB_LEFT) {
		rv_fail(err, RV_FAILED, "dynamodb answers 400 ThrottlingException");
		err->transient = true;
		return err->status;
	}
	ret->units = (double)count;
	w->units += (double)count;
	return RV_OK;
}

static enum rv_status call(const struct rv_dynamodb_write *writes, size_t count, bool single, bool versioned,
			   enum rv_dynamodb_fate *fates, struct rv_dynamodb_result *ret, struct rv_error *err)
{
	struct world *w = world;

	*ret = (struct rv_dynamodb_result){ .units = -1 };
	pthread_mutex_lock(&w->lock);
	unsigned number = ++w->calls;
	*(single ? &w->singles : &w->batches) += 1;
	if (count > w->most_items)
		w->most_items = count;
	for (size_t i = 0; i < count; i++)
		if (w->flying[root_of(&writes[i])]++)
			w->twice_in_flight = true;
	pthread_mutex_unlock(&w->lock);
	while (w->hold)
		usleep(1000);
	sched_yield();
	pthread_mutex_lock(&w->lock);
	enum rv_status status = answer(w, writes, count, number, single, versioned, fates, ret, err);
	for (size_t i = 0; i < count; i++)
		w->flying[root_of(&writes[i])]--;
	pthread_mutex_unlock(&w->lock);
	return status;
}

static enum rv_status service_batch(void *arg, const char *table, const struct rv_dynamodb_schema *by,
				    const struct rv_dynamodb_write *writes, size_t count,
				    struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fates,
				    struct rv_dynamodb_result *ret, struct rv_error *err)
{
	(void)arg, (void)by, (void)room;
	assert_string_equal(table, "orders");
	return call(writes, count, false, false, fates, ret, err);
}

static enum rv_status service_one(void *arg, const char *table, const struct rv_dynamodb_schema *by,
				  const struct rv_dynamodb_write *write, bool versioned,
				  struct rv_dynamodb_room *room, enum rv_dynamodb_fate *fate,
				  struct rv_dynamodb_result *ret, struct rv_error *err)
{
	(void)arg, (void)by, (void)room, (void)table;
	return call(write, 1, true, versioned, fate, ret, err);
}

static void on_settled(void *arg, const struct rv_document_result *result)
{
	struct world *w = arg;

	assert_true(result->tag < ROOTS * 4);
	w->settled[result->tag]++;
	w->fates[result->tag] = result->fate;
	if (*result->reason)
		snprintf(w->reason, sizeof(w->reason), "%.255s", result->reason);
}

static bool stop_now(void)
{
	return world->stop_after && world->calls >= world->stop_after;
}

static int set_up(void **state)
{
	struct world *w = world = rv_calloc(1, sizeof(*w));

	pthread_mutex_init(&w->lock, NULL);
	w->err = (struct rv_error)RV_ERROR_INIT;
	w->seed = 1;
	w->params = (struct rv_documents_dynamodb_params){
		.table = "orders", .give_up_after_ms = 60000, .settled = on_settled, .arg = w,
		.should_stop = stop_now,
	};
	w->service = (struct rv_dynamodb_service){ .batch = service_batch, .write_one = service_one,
						   .pause_max_ms = 2, .doubt_ms = 100 };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	rv_documents_free(w->documents);
	let_arrive(w, INT64_MAX);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static void begin(struct world *w)
{
	w->documents = rv_documents_dynamodb_with(&w->params, &schema, NOW_MS, &w->service);
}

/* As if nothing had been written yet. */
static void begin_again(struct world *w)
{
	rv_documents_free_p(&w->documents);
	let_arrive(w, INT64_MAX);
	memset(w->settled, 0, sizeof(w->settled));
	memset(w->stored, 0, sizeof(w->stored));
	w->calls = w->singles = w->batches = 0;
	w->err = (struct rv_error)RV_ERROR_INIT;
}

static enum rv_status put_text(struct world *w, const char *json, uint64_t version, uint64_t tag, bool remove)
{
	const struct rv_document document = { .json = json, .len = strlen(json), .version = version,
					      .tag = tag, .remove = remove, .extract_ms = NOW_MS };

	return w->documents->ops->put(w->documents, &document, &w->err);
}

static enum rv_status put(struct world *w, unsigned root, uint64_t version, uint64_t tag)
{
	char json[128];

	snprintf(json, sizeof(json), "{\"id\":\"%u\",\"name\":\"root-%u-\",\"total\":12.50}", root, root);
	return put_text(w, json, version, tag, false);
}

static enum rv_status flush(struct world *w)
{
	enum rv_status status = w->documents->ops->flush(w->documents, &w->err);

	w->documents->ops->counts(w->documents, &w->counts);
	return status;
}

static void finish(struct world *w)
{
	if (flush(w) != RV_OK)
		fail_msg("%s", w->err.message);
}

static void put_all(struct world *w, uint64_t version)
{
	for (unsigned i = 0; i < ROOTS; i++)
		if (put(w, i, version, (version - 1) * ROOTS + i) != RV_OK)
			fail_msg("%s", w->err.message);
}

static void assert_all(struct world *w, uint64_t version)
{
	for (unsigned i = 0; i < ROOTS; i++)
		if (w->stored[i] != version)
			fail_msg("root %u has version %" PRIu64, i, w->stored[i]);
	assert_false(w->twice_in_flight);
}

static void assert_settled(struct world *w, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (w->settled[i] != 1)
			fail_msg("document %zu was settled %u times", i, w->settled[i]);
}

/* ---- */

static void documents_are_written_one_by_one(void **state)
{
	struct world *w = *state;

	begin(w);
	put_all(w, 1);
	finish(w);
	assert_all(w, 1);
	assert_settled(w, ROOTS);
	assert_int_equal(w->counts.written, ROOTS);
	assert_int_equal(w->counts.requests, ROOTS);
	assert_int_equal(w->batches, 0);
}

static void exclusive_ones_go_in_batches(void **state)
{
	struct world *w = *state;

	w->params.exclusive = true;
	/* it finds a full queue */
	w->params.in_flight = 1;
	w->hold = true;
	begin(w);
	put_all(w, 1);
	w->hold = false;
	finish(w);
	assert_all(w, 1);
	assert_settled(w, ROOTS);
	assert_int_equal(w->most_items, RV_DYNAMODB_BATCH_ITEMS);
	assert_int_equal(w->singles, 0);
}

static void moods(struct world *w, bool exclusive, enum mood mood, unsigned mood_for)
{
	w->params.exclusive = exclusive;
	w->mood = mood;
	w->mood_for = mood_for;
	begin(w);
	put_all(w, 1);
	finish(w);
	assert_all(w, 1);
	assert_settled(w, ROOTS);
	assert_true(w->counts.again > 0);
}

static void unprocessed_items_alone_are_sent_again_154(void **state)
{
	struct world *w = *state;

	moods(w, true, LEAVE_SOME, 40);
	assert_int_equal(w->counts.maybe_twice, 0);
	assert_int_equal(w->counts.written, ROOTS);
}

static void all_unprocessed_passes_154(void **state)
{
	moods(*state, true, LEAVE_ALL, 4);
}

static void throttling_passes_154(void **state)
{
	moods(*state, false, THROTTLE, 10);
}

static void unprocessed_for_ever_ends_with_the_rest_in_place_154(void **state)
{
	struct world *w = *state;

	w->params.exclusive = true;
	w->params.give_up_after_ms = 500;
	w->mood = LEAVE_ALL;
	w->service.pause_max_ms = 50;
	begin(w);
	put_all(w, 1);
	assert_int_equal(flush(w), RV_FAILED);
	assert_true(w->err.transient);
	assert_non_null(strstr(w->err.message, "2000 are left"));
	assert_non_null(strstr(w->err.message, "write to the table orders"));
	/* nothing is settled that was not written */
	for (size_t i = 0; i < ROOTS; i++)
		assert_int_equal(w->settled[i], 0);
	assert_int_not_equal(put(w, 1, 2, 1), RV_OK);
}

static void a_hot_key_does_not_keep_the_others_155(void **state)
{
	struct world *w = *state;

	w->hot = "\"root-77-\"";
	/* where the machine is so busy that the others take a pause as well, it gets longer */
	for (int64_t ms = 500;; ms *= 4) {
		w->params.give_up_after_ms = ms;
		begin(w);
		put_all(w, 1);
		assert_int_equal(flush(w), RV_FAILED);
		if (strstr(w->err.message, " 1 are left") || ms > 30000)
			break;
		begin_again(w);
	}
	assert_non_null(strstr(w->err.message, " 1 are left"));
	assert_int_equal(w->counts.written, ROOTS - 1);
	for (size_t i = 0; i < ROOTS; i++)
		assert_int_equal(w->settled[i], i != 77);
}

static void a_bad_item_is_found_and_the_others_of_its_batch_go_on_155(void **state)
{
	struct world *w = *state;

	w->params.exclusive = true;
	w->poison = "\"root-77-\"";
	begin(w);
	put_all(w, 1);
	finish(w);
	assert_settled(w, ROOTS);
	assert_int_equal(w->counts.written, ROOTS - 1);
	assert_int_equal(w->counts.refused, 1);
	assert_int_equal(w->fates[77], RV_DOCUMENT_REFUSED);
	assert_string_equal(w->reason, "id 77: it is bad");
}

static void duplicates_are_merged_and_the_last_one_wins_155(void **state)
{
	struct world *w = *state;

	w->params.exclusive = true;
	w->params.in_flight = 1;
	w->hold = true;
	begin(w);
	for (uint64_t version = 1; version <= 4; version++)
		put_all(w, version);
	w->hold = false;
	finish(w);
	assert_all(w, 4);
	assert_settled(w, ROOTS * 4);
	assert_int_equal(w->counts.written + w->counts.merged, ROOTS * 4);
	/* but for those that were under way */
	assert_true(w->counts.merged >= 3 * (ROOTS - RV_DYNAMODB_BATCH_ITEMS));
	assert_int_equal(w->counts.superseded, 0);
}

static void an_older_one_is_superseded_wherever_it_meets_the_newer_156(void **state)
{
	struct world *w = *state;

	for (int exclusive = 0; exclusive < 2; exclusive++) {
		w->params.exclusive = exclusive;
		begin(w);
		memset(w->settled, 0, sizeof(w->settled));
		memset(w->stored, 0, sizeof(w->stored));
		/* while the newer one waits or flies */
		for (unsigned i = 0; i < ROOTS; i++) {
			assert_int_equal(put(w, i, 2, i), RV_OK);
			assert_int_equal(put(w, i, 1, ROOTS + i), RV_OK);
		}
		finish(w);
		if (!exclusive)
			assert_all(w, 2);
		assert_settled(w, ROOTS * 2);
		rv_documents_free_p(&w->documents);
	}
	/* and when it is there already */
	w->params.exclusive = false;
	begin(w);
	put_all(w, 3);
	finish(w);
	put_all(w, 1);
	finish(w);
	assert_all(w, 3);
	assert_int_equal(w->counts.superseded, ROOTS);
	assert_int_equal(w->counts.written, ROOTS);
}

static void lost_answers_are_written_again_under_the_same_version(void **state)
{
	struct world *w = *state;

	moods(w, false, LOSE_ANSWER, 20);
	assert_true(w->counts.maybe_twice > 0);
	assert_int_equal(w->counts.written, ROOTS);
}

static void what_arrives_late_changes_nothing_under_conditions(void **state)
{
	struct world *w = *state;

	w->mood = ARRIVE_LATE;
	w->mood_for = 50;
	begin(w);
	put_all(w, 1);
	put_all(w, 2);
	finish(w);
	let_arrive(w, INT64_MAX);
	assert_all(w, 2);
}

static void the_next_version_waits_an_attempt_out_where_there_are_no_conditions(void **state)
{
	struct world *w = *state;

	w->params.exclusive = true;
	w->mood = ARRIVE_LATE;
	w->mood_for = 3;
	for (;; w->service.doubt_ms *= 4) {
		begin(w);
		put_all(w, 1);
		finish(w);
		assert_true(w->counts.maybe_twice > 0);
		assert_int_equal(w->singles, 0);
		/* these are settled, and some of their attempts are still on their way */
		put_all(w, 2);
		finish(w);
		/* a machine that is so busy that they were waited out before: more time for them */
		if (w->singles || w->service.doubt_ms > 20000)
			break;
		begin_again(w);
	}
	assert_true(w->singles > 0);
	assert_int_equal(w->counts.written, ROOTS * 2);
	assert_null(w->late);
	assert_all(w, 2);
}

static void a_version_that_waits_is_not_given_up_on_for_what_is_over(void **state)
{
	struct world *w = *state;

	w->params.exclusive = true;
	w->params.give_up_after_ms = 600;
	w->service.doubt_ms = 1500;
	w->mood = LOSE_ANSWER;
	w->mood_for = 1;
	begin(w);
	assert_int_equal(put(w, 0, 1, 0), RV_OK);
	finish(w);
	assert_int_equal(w->counts.maybe_twice, 1);
	/* the first attempt of the first version may still arrive */
	assert_int_equal(put(w, 0, 2, 1), RV_OK);
	finish(w);
	assert_int_equal(w->counts.written, 2);
	assert_int_equal(w->stored[0], 2);
}

static void everything_at_once_ends_well(void **state)
{
	struct world *w = *state;

	for (int exclusive = 0; exclusive < 2; exclusive++)
		for (uint32_t seed = 1; seed < 6; seed++) {
			memset(w->settled, 0, sizeof(w->settled));
			memset(w->stored, 0, sizeof(w->stored));
			w->params.exclusive = exclusive;
			w->params.max_bytes = 20000;
			w->seed = seed;
			w->calls = 0;
			w->mood = MIXED;
			w->mood_for = 200;
			begin(w);
			for (uint64_t version = 1; version <= 3; version++)
				put_all(w, version);
			finish(w);
			let_arrive(w, INT64_MAX);
			assert_all(w, 3);
			assert_settled(w, ROOTS * 3);
			rv_documents_free_p(&w->documents);
		}
}

static void what_does_not_pass_ends_the_run_159(void **state)
{
	struct world *w = *state;

	w->mood = DENY;
	begin(w);
	assert_int_equal(put(w, 1, 1, 1), RV_OK);
	assert_int_equal(flush(w), RV_AUTH);
	assert_int_equal(w->settled[1], 0);
	rv_documents_free_p(&w->documents);
	w->mood = MISSING;
	begin(w);
	assert_int_equal(put(w, 1, 1, 1), RV_OK);
	assert_int_equal(flush(w), RV_NOT_FOUND);
	assert_non_null(strstr(w->err.message, "ResourceNotFoundException"));
}

static void it_stops_when_told_to(void **state)
{
	struct world *w = *state;

	w->stop_after = 20;
	begin(w);
	for (unsigned i = 0; i < ROOTS && w->err.status == RV_OK; i++)
		if (put(w, i, 1, i) != RV_OK)
			break;
	assert_int_equal(flush(w), RV_FAILED);
	assert_non_null(strstr(w->err.message, "stopped before every document was written"));
	/* what was written was told, and nothing else */
	for (unsigned i = 0; i < ROOTS; i++)
		assert_int_equal(w->settled[i], w->stored[i] != 0);
}

static void removals_leave_tombstones_or_remove(void **state)
{
	struct world *w = *state;

	begin(w);
	assert_int_equal(put(w, 1, 1, 0), RV_OK);
	finish(w);
	assert_int_equal(put_text(w, "{\"id\":\"1\",\"x\":1e999}", 2, 1, true), RV_OK);
	finish(w);
	assert_true(w->tombstone[1]);
	assert_int_equal(w->stored[1], 2);
	assert_int_equal(w->counts.removed, 1);
	/* an older document does not come back */
	assert_int_equal(put(w, 1, 1, 2), RV_OK);
	finish(w);
	assert_int_equal(w->fates[2], RV_DOCUMENT_SUPERSEDED);
	assert_true(w->tombstone[1]);
	/* a newer one does */
	assert_int_equal(put(w, 1, 3, 3), RV_OK);
	finish(w);
	assert_false(w->tombstone[1]);
	rv_documents_free_p(&w->documents);
	w->params.exclusive = true;
	begin(w);
	assert_int_equal(put_text(w, "{\"id\":\"1\"}", 4, 4, true), RV_OK);
	finish(w);
	assert_int_equal(w->stored[1], 0);
}

static void items_of_others_are_left_alone(void **state)
{
	struct world *w = *state;

	w->foreign[5] = true;
	begin(w);
	assert_int_equal(put(w, 5, 1, 0), RV_OK);
	finish(w);
	assert_int_equal(w->fates[0], RV_DOCUMENT_REFUSED);
	assert_string_equal(w->reason, "id 5: an item without _v is there, which river has not written");
}

static void the_time_to_live_counts_from_the_document_157(void **state)
{
	static const struct {
		const char *json;
		enum rv_document_fate fate;
		const char *reason;
	} cases[] = {
		{ "{\"id\":\"1\",\"placed\":\"2026-11-20\"}", RV_DOCUMENT_WRITTEN, "" },
		{ "{\"id\":\"2\",\"placed\":\"2026-02-28T16:00:01Z\"}", RV_DOCUMENT_EXPIRED, "" },
		{ "{\"id\":\"3\",\"placed\":\"2026-03-01T00:00:00Z\"}", RV_DOCUMENT_WRITTEN, "" },
		{ "{\"id\":\"4\",\"placed\":\"2028-01-01\"}", RV_DOCUMENT_REFUSED,
		  "id 4: placed: 2028-01-01T00:00:00.000Z is more than a year ahead, and the time to live counts from it" },
		{ "{\"id\":\"5\",\"placed\":\"1900-01-01\"}", RV_DOCUMENT_REFUSED,
		  "id 5: placed: 1900-01-01T00:00:00.000Z is before 1970, and the time to live counts from it" },
		{ "{\"id\":\"6\",\"placed\":null}", RV_DOCUMENT_REFUSED,
		  "id 6: placed: there is none, and the time to live counts from it" },
		{ "{\"id\":\"7\",\"placed\":\"soon\"}", RV_DOCUMENT_REFUSED,
		  "id 7: placed: \"soon\" is no date, and the time to live counts from it" },
		{ "{\"id\":\"8\",\"placed\":\"2026-11-20\",\"expires_at\":1}", RV_DOCUMENT_REFUSED,
		  "id 8: expires_at: the document has a member of this name, which river writes itself" },
	};
	struct world *w = *state;

	w->params.ttl_attribute = "expires_at";
	w->params.ttl_from = "placed";
	w->params.ttl_count = 9;
	w->params.ttl_unit = RV_JOB_MONTHS;
	begin(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		*w->reason = '\0';
		assert_int_equal(put_text(w, cases[i].json, 1, i, false), RV_OK);
		finish(w);
		if (w->fates[i] != cases[i].fate || strcmp(w->reason, cases[i].reason) != 0)
			fail_msg("case %zu: %d %s", i, (int)w->fates[i], w->reason);
	}
	assert_int_equal(w->counts.expired, 1);
	assert_int_equal(w->counts.refused, 5);
}

static void the_budget_is_kept(void **state)
{
	struct rv_dynamodb_budget budget;

	(void)state;
	rv_dynamodb_budget_init(&budget, 100, 1000);
	assert_int_equal(rv_dynamodb_budget_due(&budget, 1000), 1000);
	/* a request may cost more than there is; the next ones wait for it */
	rv_dynamodb_budget_spend(&budget, 300);
	assert_int_equal(rv_dynamodb_budget_due(&budget, 1000), 3001);
	assert_int_equal(rv_dynamodb_budget_due(&budget, 2000), 3001);
	assert_int_equal(rv_dynamodb_budget_due(&budget, 3001), 3001);
	/* nothing is saved up beyond a second's worth */
	assert_int_equal(rv_dynamodb_budget_due(&budget, 1000000), 1000000);
	rv_dynamodb_budget_spend(&budget, 101);
	assert_int_equal(rv_dynamodb_budget_due(&budget, 1000000), 1000011);
	rv_dynamodb_budget_init(&budget, 0, 0);
	rv_dynamodb_budget_spend(&budget, 1e9);
	assert_int_equal(rv_dynamodb_budget_due(&budget, 5), 5);
}

static void the_budget_slows_a_run_down(void **state)
{
	struct world *w = *state;

	/* a second's worth at once, and the rest at its pace */
	w->params.max_wcu = 4000;
	w->params.exclusive = true;
	begin(w);
	int64_t began_ms = rv_clock_monotonic_ms();
	for (uint64_t version = 1; version <= 3; version++) {
		put_all(w, version);
		finish(w);
	}
	assert_true(rv_clock_monotonic_ms() - began_ms >= (3 * ROOTS - 4000 - 8 * 25) * 1000 / 4000);
	assert_true(w->counts.units == 3 * ROOTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(documents_are_written_one_by_one),
		TEST(exclusive_ones_go_in_batches),
		TEST(unprocessed_items_alone_are_sent_again_154),
		TEST(all_unprocessed_passes_154),
		TEST(throttling_passes_154),
		TEST(unprocessed_for_ever_ends_with_the_rest_in_place_154),
		TEST(a_hot_key_does_not_keep_the_others_155),
		TEST(a_bad_item_is_found_and_the_others_of_its_batch_go_on_155),
		TEST(duplicates_are_merged_and_the_last_one_wins_155),
		TEST(an_older_one_is_superseded_wherever_it_meets_the_newer_156),
		TEST(lost_answers_are_written_again_under_the_same_version),
		TEST(what_arrives_late_changes_nothing_under_conditions),
		TEST(the_next_version_waits_an_attempt_out_where_there_are_no_conditions),
		TEST(a_version_that_waits_is_not_given_up_on_for_what_is_over),
		TEST(everything_at_once_ends_well),
		TEST(what_does_not_pass_ends_the_run_159),
		TEST(it_stops_when_told_to),
		TEST(removals_leave_tombstones_or_remove),
		TEST(items_of_others_are_left_alone),
		TEST(the_time_to_live_counts_from_the_document_157),
		TEST(the_budget_is_kept),
		TEST(the_budget_slows_a_run_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
