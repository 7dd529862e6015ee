/* The flow of a pump against a target in memory: order, batches, refusals, journals, and the way on after
 * an end in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "flow/pump.h"

#define EVENTS_MAX 100000

struct world {
	char folder[64];
	char *data;
	struct rv_map map;
	struct rv_error err;
	const char *target;             /* of the journal; NULL: the usual one */
	/* the target */
	unsigned long asked, fail_at;   /* the end of everything; 0: never */
	unsigned hold_every, refuse_every;
	unsigned long hold_first;       /* so often all is kept waiting */
	char **events;                  /* taken, in order */
	unsigned *lanes;
	size_t events_count;
	/* clocks */
	int64_t us, wall_ms;
	/* of the last run */
	struct rv_pump_counts counts;
	struct rv_pump_post_result *result;
	unsigned warnings;
	bool stop_after;
};

static struct world *stop_world;

static void put_file(const char *path, const char *text)
{
	struct rv_error err = RV_ERROR_INIT;

	assert_int_equal(rv_replace_file(path, text, strlen(text), 0, &err), RV_OK);
}

static void open_world(struct world *w, const char *map, const char *data)
{
	*w = (struct world){ .err = RV_ERROR_INIT, .us = 1000000, .wall_ms = 1795193931123 };
	snprintf(w->folder, sizeof(w->folder), "%s/river-pump-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	w->data = rv_path_join(w->folder, "data.ndjson");
	put_file(w->data, data);
	if (rv_map_parse("map", map, strlen(map), &w->map, &w->err) != RV_OK)
		fail_msg("%s", w->err.message);
	w->events = rv_calloc(EVENTS_MAX, sizeof(*w->events));
	w->lanes = rv_calloc(EVENTS_MAX, sizeof(*w->lanes));
	w->result = rv_calloc(1, sizeof(*w->result));
}

static void forget_events(struct world *w)
{
	for (size_t i = 0; i < w->events_count; i++)
		free(w->events[i]);
	w->events_count = 0;
}

static void close_world(struct world *w)
{
	forget_events(w);
	free(w->events);
	free(w->lanes);
	free(w->result);
	free(w->data);
	rv_map_release(&w->map);
	assert_int_equal(rv_remove_tree(w->folder, &w->err), RV_OK);
}

/* `rows` rows of `sessions` sessions, in turn. */
static char *make_rows(int rows, int sessions)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;

	for (int i = 0; i < rows; i++)
		rv_strbuf_printf(&sb, "{\"s\":\"s%d\",\"n\":%d}\n", i * 7 % sessions, i);
	return rv_strbuf_take(&sb);
}

static int answer(void *arg, unsigned lane, uint64_t tag, const char *p, size_t len)
{
	struct world *w = arg;

	(void)tag;
	w->us += 10;
	if (w->fail_at && w->asked + 1 >= w->fail_at)
		return -1;
	w->asked++;
	if (w->asked <= w->hold_first)
		return 0;
	if (w->hold_every && w->asked % w->hold_every == 0)
		return 0;
	if (w->refuse_every && w->asked % w->refuse_every == 0)
		return 400;
	assert_true(w->events_count < EVENTS_MAX);
	w->lanes[w->events_count] = lane;
	w->events[w->events_count++] = rv_strndup(p, len);
	return 200;
}

static int64_t clock_us(void *arg)
{
	return ((struct world *)arg)->us;
}

static int64_t wall_ms(void *arg)
{
	struct world *w = arg;

	return w->wall_ms += 1;
}

static void count_warning(void *arg, const char *text)
{
	(void)text;
	((struct world *)arg)->warnings++;
}

static bool should_stop(void)
{
	return stop_world && stop_world->events_count > 100;
}

struct run {
	unsigned lanes;
	uint64_t batch, count, passes;
	bool batch_lines;
	struct rv_pump_state *state;
	uint64_t max_rejects;
	bool stoppable;
};

static enum rv_status run(struct world *w, struct run r)
{
	char *files[] = { w->data };
	struct rv_pump_feed *feed = NULL;
	struct rv_pump_mapper *mapper = NULL;
	struct rv_pump_pace pace = { .per_s = 0 };
	struct rv_pump_line line;
	struct rv_pump_mapper_params mapper_params = { .map = &w->map, .folder = "/" };
	const struct rv_pump_feed_params feed_params = {
		.files = files,
		.files_count = 1,
		.map = &w->map,
		.passes = r.passes ? r.passes : 1,
		.from = r.state ? rv_pump_state_place(r.state) : NULL,
	};

	w->asked = 0;
	if (r.state)
		memcpy(mapper_params.seed, rv_pump_state_seed(r.state), sizeof(mapper_params.seed));
	assert_int_equal(rv_pump_feed_new(&feed_params, &feed, &w->err), RV_OK);
	assert_int_equal(rv_pump_mapper_new(&mapper_params, &mapper, &w->err), RV_OK);
	const struct rv_pump_line_params line_params = {
		.feed = feed,
		.mapper = mapper,
		.map = &w->map,
		.pace = &pace,
		.state = r.state,
		.count = r.count,
		.from = r.state ? rv_pump_state_done(r.state) : 0,
		.max_rejects = r.max_rejects ? r.max_rejects : UINT64_MAX,
		.warn = count_warning,
		.wall_ms = wall_ms,
		.clock_us = clock_us,
		.arg = w,
	};
	rv_pump_line_init(&line, &line_params);
	const struct rv_pump_post_params params = {
		.line = &line,
		.lanes = r.lanes ? r.lanes : 4,
		.batch = r.batch,
		.batch_lines = r.batch_lines,
		.should_stop = r.stoppable ? should_stop : NULL,
	};
	struct rv_pump_poster *poster = rv_pump_poster_new(&params);
	const struct rv_post_mem_params mem = {
		.settled = rv_pump_poster_settled,
		.settled_arg = poster,
		.answer = answer,
		.arg = w,
		.room = 20,
	};
	struct rv_post *post = rv_post_mem_new(&mem);
	enum rv_status status = rv_pump_post(poster, post, w->result, &w->err);

	w->counts = line.counts;
	rv_post_free(post);
	rv_pump_poster_free(poster);
	rv_pump_line_release(&line);
	rv_pump_mapper_free(mapper);
	rv_pump_feed_free(feed);
	return status;
}

static int number_in(const char *event, const char *key)
{
	const char *p = strstr(event, key);

	assert_non_null(p);
	return atoi(p + strlen(key));
}

static const char plain_map[] = "session: s\nfields: { s: \"{s}\", n: { column: n }, z: uuid4, tm: now }\n";

/* Each session's numbers rise. */
static void check_order(const struct world *w, int sessions)
{
	RV_CLEANUP(rv_free_p) int *last = rv_calloc((size_t)sessions, sizeof(*last));

	for (size_t i = 0; i < w->events_count; i++) {
		int s = number_in(w->events[i], "\"s\":\"s"), n = number_in(w->events[i], "\"n\":");

		assert_true(n >= last[s]);
		last[s] = n + 1;
	}
}

static void test_order_of_a_session(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(5000, 37);
	struct world w;

	open_world(&w, plain_map, rows);
	w.hold_every = 3; /* a third is kept waiting */
	assert_int_equal(run(&w, (struct run){ .lanes = 8 }), RV_OK);
	assert_int_equal(w.events_count, 5000);
	assert_int_equal(w.result->taken, 5000);
	assert_int_equal(w.counts.events, 5000);
	check_order(&w, 37);
	close_world(&w);
}

static void test_batches(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(1003, 5);
	struct world w;
	size_t events = 0;

	open_world(&w, plain_map, rows);
	assert_int_equal(run(&w, (struct run){ .lanes = 3, .batch = 50 }), RV_OK);
	assert_int_equal(w.result->taken, 1003);
	assert_in_range(w.result->bodies, 21, 24);
	for (size_t i = 0; i < w.events_count; i++) {
		const char *p = w.events[i];

		assert_int_equal(p[0], '[');
		assert_int_equal(p[strlen(p) - 1], ']');
		for (; (p = strstr(p, "\"z\":")); p++)
			events++;
	}
	assert_int_equal(events, 1003);
	forget_events(&w);
	assert_int_equal(run(&w, (struct run){ .lanes = 1, .batch = 1000, .batch_lines = true }), RV_OK);
	assert_int_equal(w.events_count, 2);
	assert_int_equal(w.events[0][0], '{');
	assert_int_equal(w.events[0][strlen(w.events[0]) - 1], '\n');
	close_world(&w);
}

static void test_count_and_passes(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(10, 2);
	struct world w;

	open_world(&w, plain_map, rows);
	assert_int_equal(run(&w, (struct run){ .passes = 3 }), RV_OK);
	assert_int_equal(w.events_count, 30);
	/* new ids in each pass */
	for (size_t i = 0; i < 30; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(strstr(w.events[i], "\"z\""), strstr(w.events[j], "\"z\""));
	forget_events(&w);
	assert_int_equal(run(&w, (struct run){ .passes = 5, .count = 25 }), RV_OK);
	assert_int_equal(w.events_count, 25);
	close_world(&w);
}

static void test_rejected_rows(void **state RV_UNUSED)
{
	struct world w;

	open_world(&w, "kinds: { a: { k: a } }\nfields: { n: { column: n, as: number } }\n",
		   "{\"k\":\"a\",\"n\":1}\n{\"k\":\"b\",\"n\":2}\nnot json\n{\"k\":\"a\",\"n\":\"x\"}\n{\"k\":\"a\",\"n\":5}\n");
	assert_int_equal(run(&w, (struct run){ .lanes = 2 }), RV_PARTIAL);
	assert_int_equal(w.events_count, 2);
	assert_int_equal(w.counts.rejected, 3);
	assert_int_equal(w.counts.rows, 5);
	assert_int_equal(w.warnings, 3);
	assert_non_null(strstr(w.counts.first_reject, "data.ndjson:2: it is of no kind"));
	assert_int_equal(run(&w, (struct run){ .max_rejects = 1 }), RV_BAD_DATA);
	close_world(&w);
	open_world(&w, "kinds: { a: { k: a } }\n", "{}\n{}\n");
	assert_int_equal(run(&w, (struct run){ .lanes = 1 }), RV_BAD_DATA);
	close_world(&w);
}

static void test_refused_events(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(300, 3);
	struct world w;

	open_world(&w, plain_map, rows);
	w.refuse_every = 10;
	assert_int_equal(run(&w, (struct run){ .lanes = 3 }), RV_PARTIAL);
	assert_int_equal(w.result->taken, 270);
	assert_int_equal(w.result->refused, 30);
	assert_int_equal(w.result->statuses[400], 30);
	/* an address that wants none of it is left alone soon */
	w.refuse_every = 1;
	assert_int_equal(run(&w, (struct run){ .lanes = 3 }), RV_BAD_DATA);
	assert_in_range(w.result->refused, 100, 200);
	close_world(&w);
}

static struct rv_pump_state *open_state(struct world *w, const char *of, bool restart,
					enum rv_status expected)
{
	char *files[] = { w->data };
	json_t *json = json_loads(of, 0, NULL);
	struct rv_pump_state *state = NULL;
	const struct rv_pump_state_params params = {
		.state_dir = w->folder,
		.target = w->target ? w->target : "http://127.0.0.1/",
		.shown = "http://127.0.0.1/",
		.files = files,
		.files_count = 1,
		.of = json,
		.restart = restart,
	};

	assert_int_equal(rv_pump_state_open(&params, &state, &w->err), expected);
	json_decref(json);
	return state;
}

static void expect_done(struct world *w, const char *target, const char *of, uint64_t done)
{
	w->target = target;
	struct rv_pump_state *s = open_state(w, of, false, RV_OK);

	assert_int_equal(rv_pump_state_done(s), done);
	rv_pump_state_free(s);
}

/* Targets that differ in the query alone are two; what was kept of one under the name of both is its. */
static void test_queries_are_other_targets(void **state RV_UNUSED)
{
	static const char one[] = "http://127.0.0.1/?k=1", two[] = "http://127.0.0.1/?k=2";
	struct world w;

	open_world(&w, plain_map, "{}\n");
	struct rv_pump_state *s = open_state(&w, "{\"target\":\"1\"}", false, RV_OK);

	assert_int_equal(rv_pump_state_settled(s, 7, true, &w.err), RV_OK);
	rv_pump_state_free(s);
	expect_done(&w, two, "{\"target\":\"2\"}", 0);
	expect_done(&w, one, "{\"target\":\"1\"}", 7);
	w.target = two;
	s = open_state(&w, "{\"target\":\"2\"}", true, RV_OK);
	assert_int_equal(rv_pump_state_settled(s, 3, true, &w.err), RV_OK);
	rv_pump_state_free(s);
	expect_done(&w, one, "{\"target\":\"1\"}", 7);
	expect_done(&w, two, "{\"target\":\"2\"}", 3);
	expect_done(&w, NULL, "{\"target\":\"3\"}", 0);
	close_world(&w);
}

/* 66: ended at any body, gone on from the journal: each row is there, and what is there twice is the same
 * bytes under the same id. */
static void test_66_goes_on_anywhere(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(400, 11);
	struct world w;

	for (unsigned long at = 1; at < 400; at += 13)
		for (uint64_t batch = 1; batch <= 7; batch += 6) {
			open_world(&w, plain_map, rows);
			w.hold_every = 5;
			w.fail_at = at;
			struct rv_pump_state *s = open_state(&w, "{}", false, RV_OK);
			enum rv_status status = run(&w, (struct run){ .lanes = 3, .batch = batch, .state = s });

			rv_pump_state_free(s);
			w.fail_at = 0;
			w.us += 5000000;
			w.wall_ms += 5000;
			if (status != RV_OK)
				assert_int_equal(status, RV_LOCAL_IO);
			s = open_state(&w, "{}", false, RV_OK);
			if (!rv_pump_state_ended(s))
				assert_int_equal(run(&w, (struct run){ .lanes = 3, .batch = batch, .state = s }),
						 RV_OK);
			assert_true(rv_pump_state_ended(s));
			assert_int_equal(rv_pump_state_done(s), 400);
			rv_pump_state_free(s);
			/* by number */
			RV_CLEANUP(rv_free_p) char **seen = rv_calloc(400, sizeof(*seen));
			size_t distinct = 0;

			for (size_t i = 0; i < w.events_count; i++)
				for (char *p = strstr(w.events[i], "{\"s\":"); p; p = strstr(p + 1, "{\"s\":")) {
					char *end = strchr(p, '}');
					int n = number_in(p, "\"n\":");

					if (!seen[n]) {
						seen[n] = p;
						distinct++;
					} else if (strncmp(seen[n], p, (size_t)(end - p)) != 0) {
						fail_msg("at %lu: %.200s and %.200s", at, seen[n], p);
					}
				}
			assert_int_equal(distinct, 400);
			close_world(&w);
		}
}

static void test_74_a_stop_is_noted(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(5000, 11);
	struct world w;

	open_world(&w, plain_map, rows);
	stop_world = &w;
	struct rv_pump_state *s = open_state(&w, "{}", false, RV_OK);

	assert_int_equal(run(&w, (struct run){ .lanes = 3, .state = s, .stoppable = true }), RV_FAILED);
	stop_world = NULL;
	assert_true(w.result->stopped);
	assert_int_equal(w.result->unsettled, 0);
	assert_int_equal(rv_pump_state_done(s), w.events_count);
	size_t before = w.events_count;

	rv_pump_state_free(s);
	s = open_state(&w, "{}", false, RV_OK);
	assert_int_equal(rv_pump_state_done(s), before);
	assert_int_equal(run(&w, (struct run){ .lanes = 3, .state = s }), RV_OK);
	assert_int_equal(w.events_count, 5000);
	check_order(&w, 11);
	rv_pump_state_free(s);
	close_world(&w);
}

/* A target that takes nothing is mended, and then everything is sent; what one refuses beside what it takes is
 * settled, also where it is all that was left. */
static void test_all_refused_is_not_settled(void **state RV_UNUSED)
{
	for (int count = 50; count <= 300; count += 250) {
		RV_CLEANUP(rv_free_p) char *rows = make_rows(count, 3);
		struct world w;

		open_world(&w, plain_map, rows);
		w.refuse_every = 1;
		for (int round = 0; round < 3; round++) {
			struct rv_pump_state *s = open_state(&w, "{}", false, RV_OK);

			assert_false(rv_pump_state_ended(s));
			assert_int_equal(rv_pump_state_done(s), 0);
			w.refuse_every = round < 2;
			assert_int_equal(run(&w, (struct run){ .lanes = 3, .state = s }),
					 round < 2 ? RV_BAD_DATA : RV_OK);
			assert_int_equal(w.result->taken, round < 2 ? 0 : count);
			rv_pump_state_free(s);
		}
		struct rv_pump_state *s = open_state(&w, "{}", false, RV_OK);

		assert_true(rv_pump_state_ended(s));
		rv_pump_state_free(s);
		/* taken, then broken: what is refused from there on is not behind it */
		s = open_state(&w, "{}", true, RV_OK);
		assert_int_equal(run(&w, (struct run){ .lanes = 3, .count = 10, .state = s }), RV_OK);
		w.refuse_every = 1;
		rv_pump_state_free(s);
		s = open_state(&w, "{}", false, RV_OK);
		assert_int_equal(run(&w, (struct run){ .lanes = 3, .state = s }), RV_BAD_DATA);
		assert_int_equal(rv_pump_state_done(s), count == 50 ? 50 : 10);
		assert_int_equal(rv_pump_state_ended(s), count == 50);
		rv_pump_state_free(s);
		close_world(&w);
	}
}

/* Rows that are no events run ahead of one that has no answer, but not so far that its place in the ring
 * is theirs. */
static void test_rows_that_are_no_events(void **state RV_UNUSED)
{
	static const char map[] = "session: n\nkinds: { a: { k: a } }\nothers: skip\nfields: { n: { column: n } }\n";
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf rows = RV_STRBUF_INIT;
	struct world w;

	/* more than the post has room for */
	for (int i = 0; i < 30; i++)
		rv_strbuf_printf(&rows, "{\"k\":\"a\",\"n\":%d}\n", i);
	for (unsigned i = 0; i < (1u << 20) + 1000; i++)
		rv_strbuf_puts(&rows, "{}\n");
	rv_strbuf_puts(&rows, "{\"k\":\"a\",\"n\":30}\n");
	open_world(&w, map, rows.bytes);
	for (uint64_t batch = 1; batch <= 7; batch += 6) {
		w.hold_first = 1000000;
		w.fail_at = 1000000;
		struct rv_pump_state *s = open_state(&w, "{}", true, RV_OK);

		assert_int_equal(run(&w, (struct run){ .lanes = 40, .batch = batch, .state = s }), RV_LOCAL_IO);
		assert_int_equal(w.events_count, 0);
		assert_int_equal(rv_pump_state_done(s), 0);
		rv_pump_state_free(s);
		w.hold_first = 500000;
		w.fail_at = 0;
		s = open_state(&w, "{}", false, RV_OK);
		assert_int_equal(run(&w, (struct run){ .lanes = 40, .batch = batch, .state = s }), RV_OK);
		assert_int_equal(w.result->taken, 31);
		assert_int_equal(rv_pump_state_done(s), 31 + (1u << 20) + 1000);
		rv_pump_state_free(s);
		forget_events(&w);
	}
	close_world(&w);
}

static void test_journal(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_free_p) char *rows = make_rows(3000, 2);
	struct world w;
	uint8_t seed[RV_PUMP_SEED_BYTES];

	open_world(&w, plain_map, rows);
	struct rv_pump_state *s = open_state(&w, "{\"a\":1}", false, RV_OK);
	RV_CLEANUP(rv_free_p)
	char *path = rv_asprintf("%s/pump/%s", w.folder, rv_pump_state_name(s));

	memcpy(seed, rv_pump_state_seed(s), sizeof(seed));
	/* one pump at a time */
	assert_null(open_state(&w, "{\"a\":1}", false, RV_LOCKED));
	w.fail_at = 2500;
	assert_int_equal(run(&w, (struct run){ .lanes = 2, .state = s }), RV_LOCAL_IO);
	rv_pump_state_free(s);
	/* another way */
	assert_null(open_state(&w, "{\"a\":2}", false, RV_CONFLICT));
	assert_non_null(strstr(w.err.message, "1 then, 2 now"));
	assert_null(open_state(&w, "{\"a\":1,\"sources\":[{\"path\":\"x\",\"bytes\":7,\"head\":\"ab\"}]}", false,
			       RV_CONFLICT));
	/* a line that was torn by a kill is as if it were not there */
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	assert_int_equal(rv_read_file(path, 1 << 20, &text, &w.err), RV_OK);
	assert_int_equal(truncate(path, (off_t)text.len - 5), 0);
	s = open_state(&w, "{\"a\":1}", false, RV_OK);
	assert_memory_equal(seed, rv_pump_state_seed(s), sizeof(seed));
	rv_pump_state_free(s);
	/* any other damage is seen */
	for (size_t i = 0; i < text.len; i += text.len / 61) {
		if (text.bytes[i] == '\n')
			continue;
		text.bytes[i] ^= 1;
		put_file(path, text.bytes);
		text.bytes[i] ^= 1;
		assert_null(open_state(&w, "{\"a\":1}", false, RV_DAMAGED));
	}
	s = open_state(&w, "{\"a\":1}", true, RV_OK);
	assert_int_equal(rv_pump_state_done(s), 0);
	assert_memory_not_equal(seed, rv_pump_state_seed(s), sizeof(seed));
	rv_pump_state_free(s);
	close_world(&w);
}

/* A journal that this river wrote once: it is to be read for ever; a newer one is named. */
static void test_20_golden_journal(void **state RV_UNUSED)
{
	static const char golden[] =
		"9c17dd27 {\"v\":1,\"target\":\"http://127.0.0.1/\",\"of\":{},\"seed\":\"000102030405060708090a0b0c0d0e0f\"}\n"
		"b1158838 {\"row\":0,\"time\":1795193931123,\"place\":{\"row\":0,\"pass\":0,\"file\":0,\"offset\":0,\"line\":1,\"in_array\":0,\"format\":\"auto\"}}\n"
		"87a0cf2f {\"row\":1024,\"time\":1795193931223,\"place\":{\"row\":1000,\"pass\":0,\"file\":0,\"offset\":70000,\"line\":1001,\"in_array\":0,\"format\":\"csv\",\"csv_header\":\"a,b\"}}\n"
		"0c2661cb {\"done\":1030}\n";
	static const char newer[] =
		"6b764d3a {\"v\":2,\"target\":\"http://127.0.0.1/\",\"of\":{},\"seed\":\"000102030405060708090a0b0c0d0e0f\"}\n";
	RV_CLEANUP(rv_free_p) char *rows = make_rows(1, 1);
	struct world w;
	int64_t ms;

	open_world(&w, plain_map, rows);
	struct rv_pump_state *s = open_state(&w, "{}", false, RV_OK);
	RV_CLEANUP(rv_free_p)
	char *path = rv_asprintf("%s/pump/%s", w.folder, rv_pump_state_name(s));

	rv_pump_state_free(s);
	put_file(path, golden);
	s = open_state(&w, "{}", false, RV_OK);
	assert_int_equal(rv_pump_state_done(s), 1030);
	assert_int_equal(rv_pump_state_seed(s)[15], 15);
	assert_int_equal(rv_pump_state_place(s)->offset, 70000);
	assert_int_equal(rv_pump_state_place(s)->row, 1000);
	assert_string_equal(rv_pump_state_place(s)->csv_header, "a,b");
	assert_int_equal(rv_pump_state_place(s)->format, RV_FORMAT_CSV);
	assert_true(rv_pump_state_time(s, 2047, &ms) && ms == 1795193931223);
	assert_false(rv_pump_state_time(s, 2048, &ms));
	rv_pump_state_free(s);
	put_file(path, newer);
	assert_null(open_state(&w, "{}", false, RV_BAD_CONFIG));
	assert_non_null(strstr(w.err.message, "version 2"));
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_a_session),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_count_and_passes),
		cmocka_unit_test(test_rejected_rows),
		cmocka_unit_test(test_refused_events),
		cmocka_unit_test(test_queries_are_other_targets),
		cmocka_unit_test(test_66_goes_on_anywhere),
		cmocka_unit_test(test_74_a_stop_is_noted),
		cmocka_unit_test(test_all_refused_is_not_settled),
		cmocka_unit_test(test_rows_that_are_no_events),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_20_golden_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
