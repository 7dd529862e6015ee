/* The sending thread: what it does in order, what it remembers, and that one failure is the last word. */
#include "run_world.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "delivery/delivery.h"
#include "flow/deliver.h"
#include "flow/sender.h"

/* A delivery that fails from one send to another, and is direct otherwise. */
struct bad_delivery {
	struct rv_delivery base;
	struct rv_delivery *direct;
	unsigned sends, fail_from, fail_to;
};

static enum rv_status bad_send(struct rv_delivery *base, const struct rv_delivery_batch *batch,
			       struct rv_delivery_result *ret, struct rv_error *err)
{
	struct bad_delivery *bad = (struct bad_delivery *)base;

	bad->sends++;
	if (bad->sends >= bad->fail_from && bad->sends < bad->fail_to)
		return rv_fail(err, RV_LOCAL_IO, "send %u: failure on purpose", bad->sends);
	return bad->direct->ops->send(bad->direct, batch, ret, err);
}

static const struct rv_delivery_ops bad_ops = { .name = "bad", .names_objects = true, .send = bad_send };

struct world {
	struct run_world run;
	struct bad_delivery delivery;
	struct rv_deliver deliver;
	struct rv_batcher *batcher;
	struct rv_sender *sender;
	struct rv_sender_totals totals;
};

static void open_sender(struct world *w, unsigned fail_from, unsigned fail_to, int64_t pause_ms)
{
	open_world(&w->run, true);
	w->delivery = (struct bad_delivery){ { &bad_ops }, rv_delivery_direct_new(w->run.lake), 0,
					     fail_from, fail_to };
	w->deliver = (struct rv_deliver){ .stream = &w->run.stream, .state = &w->run.state,
					  .lake = w->run.lake, .delivery = &w->delivery.base,
					  .loss = RV_ERROR_INIT };
	w->batcher = make_batcher(&w->run);
	const struct rv_sender_params params = {
		.deliver = &w->deliver,
		.retry = { .pause_ms = pause_ms, .pause_max_ms = pause_ms },
		.spooled = true,
	};
	assert_ok(&w->run, rv_sender_new(&params, &w->sender, &w->run.err));
}

static enum rv_status finish(struct world *w)
{
	enum rv_status status = rv_sender_finish(w->sender, NULL, NULL, &w->run.err);
	rv_sender_totals(w->sender, &w->totals);
	return status;
}

/* Until the courier has come that far; it always does. */
static void wait_for(struct world *w, uint64_t landed_records, bool failing)
{
	for (;;) {
		rv_sender_totals(w->sender, &w->totals);
		if (w->totals.landed_records >= landed_records &&
		    (w->totals.delivery.status != RV_OK) == failing)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

static void close_sender(struct world *w)
{
	rv_sender_free(w->sender);
	rv_batcher_free(w->batcher);
	rv_delivery_free(w->delivery.direct);
	close_world(&w->run);
}

static enum rv_status send_batch(struct world *w, struct rv_run *run, uint64_t seq, const char *text)
{
	struct rv_finished done;

	assert_ok(&w->run, rv_batcher_begin(w->batcher, run, seq, &w->run.err));
	add_records(&w->run, w->batcher, text, seq + 1);
	assert_ok(&w->run, rv_batcher_finish(w->batcher, &done, &w->run.err));
	done.entry.input_to = 100 * (seq + 1);
	enum rv_status status = rv_sender_batch(w->sender, run, &done, &w->run.err);

	/* taken or released: nothing is left to the caller either way */
	rv_finished_release(&done);
	return status;
}

static enum rv_status join_names(void *arg, const struct rv_store_object *object,
				 struct rv_error *err RV_UNUSED)
{
	rv_strbuf_printf(arg, "%s|", object->name);
	return RV_OK;
}

static void expect_lake(struct world *w, const char *prefix, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;

	assert_ok(&w->run, w->run.lake->ops->list(w->run.lake, &(struct rv_store_list){ .prefix = prefix },
						  join_names, &got, &w->run.err));
	assert_string_equal(got.bytes, want);
}

static enum rv_status count_one(void *arg, const char *run RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	++*(unsigned *)arg;
	return RV_OK;
}

static unsigned runs_left(struct world *w)
{
	unsigned count = 0;

	assert_ok(&w->run, rv_run_each(&w->run.state, count_one, &count, &w->run.err));
	return count;
}

#define DATA "data/web/clicks/dt=2026-11-20/hr=16/"
#define OBJECT(run, seq, n, hash) DATA run "-00000" #seq "-r" #n "-h000000000000000" #hash ".ndjson|"
#define RECEIPTS "_river/receipts/web/clicks/2026-11-20/"

static void test_in_order(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 0, 0, 1);
	for (int pipe = 0; pipe < 2; pipe++) {
		struct rv_run *run = begin_run(&w.run, pipe ? "p1" : "f1", pipe, false);

		for (uint64_t seq = 0; seq < 5; seq++) /* more than the queue holds */
			assert_ok(&w.run, send_batch(&w, run, seq, "{}\n{}\n"));
		assert_ok(&w.run, rv_sender_end_run(w.sender, run, true, &w.run.err));
		assert_ok(&w.run, finish(&w));
		assert_int_equal(w.totals.promised_records, 10 * (pipe + 1));
		assert_int_equal(w.totals.landed_records, 10 * (pipe + 1));
		assert_int_equal(w.totals.promised_bytes, 30 * (pipe + 1));
		assert_int_equal(w.totals.landed_bytes, 30 * (pipe + 1));
		assert_int_equal(w.totals.promised_batches, 5 * (pipe + 1));
		assert_int_equal(w.totals.landed_batches, 5 * (pipe + 1));
		assert_int_equal(w.totals.waiting_spool_bytes, 0);
		assert_int_equal(w.totals.input_to, 500);
		assert_int_equal(w.totals.delivery.status, RV_OK);
		assert_int_equal(runs_left(&w), 0);
	}
	expect_lake(&w, DATA "f1", OBJECT("f1", 0, 2, 1) OBJECT("f1", 1, 2, 2) OBJECT("f1", 2, 2, 3)
					   OBJECT("f1", 3, 2, 4) OBJECT("f1", 4, 2, 5));
	expect_lake(&w, RECEIPTS, RECEIPTS "f1-a10-x0-b5-h000000000000000f.json|"
				  RECEIPTS "p1-a10-x0-b5-h000000000000000f.json|");
	close_sender(&w);
}

/* A file is its own spool: the first failure ends it, and is told by every call from then on. */
static void test_failure_is_sticky(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 2, 3, 1); /* only the second send fails; a third would not */
	struct rv_run *run = begin_run(&w.run, "f1", false, false);

	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n"));
	assert_ok(&w.run, rv_sender_drain(w.sender, &w.run.err));
	assert_ok(&w.run, send_batch(&w, run, 1, "{}\n"));
	assert_int_equal(rv_sender_drain(w.sender, &w.run.err), RV_LOCAL_IO);
	assert_string_equal(w.run.err.message,
			    "deliver batch 1 of run f1: send 2: failure on purpose");
	for (uint64_t seq = 2; seq < 6; seq++) {
		w.run.err = (struct rv_error)RV_ERROR_INIT;
		assert_int_equal(send_batch(&w, run, seq, "{}\n"), RV_LOCAL_IO);
		assert_non_null(strstr(w.run.err.message, "send 2"));
	}
	assert_int_equal(rv_sender_end_run(w.sender, run, true, &w.run.err), RV_LOCAL_IO);
	assert_int_equal(rv_sender_drain(w.sender, &w.run.err), RV_LOCAL_IO);
	assert_int_equal(w.delivery.sends, 2); /* nothing was taken any more */
	rv_sender_totals(w.sender, &w.totals);
	assert_int_equal(w.totals.promised_records, 2);
	assert_int_equal(w.totals.landed_records, 1);
	expect_lake(&w, "data/", OBJECT("f1", 0, 1, 1));
	expect_lake(&w, RECEIPTS, RECEIPTS "f1-open.json|"); /* for the next push to finish */
	assert_int_equal(runs_left(&w), 1);
	close_sender(&w);
}

/* A failure with batches queued behind it: they are released, not sent. */
static void test_failure_before_queued(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 1, 2, 1);
	struct rv_run *run = begin_run(&w.run, "f1", false, false);
	enum rv_status status = RV_OK;

	for (uint64_t seq = 0; seq < 8 && status == RV_OK; seq++)
		status = send_batch(&w, run, seq, "{}\n");
	if (status == RV_OK)
		status = rv_sender_drain(w.sender, &w.run.err);
	assert_int_equal(status, RV_LOCAL_IO);
	assert_int_equal(rv_sender_end_run(w.sender, run, true, &w.run.err), RV_LOCAL_IO);
	assert_int_equal(w.delivery.sends, 1);
	expect_lake(&w, "data/", "");
	close_sender(&w);
}

/* A pipe's batch is in the spool: reading goes on, the reason is kept, a later success clears it. */
static void test_pipe_goes_on(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 2, 6, 1);
	struct rv_run *run = begin_run(&w.run, "p1", true, false);

	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n"));
	wait_for(&w, 1, false);
	assert_ok(&w.run, send_batch(&w, run, 1, "{}\n{}\n"));
	assert_ok(&w.run, send_batch(&w, run, 2, "{}\n{}\n{}\n"));
	wait_for(&w, 6, false); /* tried on its own until it went */
	assert_int_equal(w.delivery.sends, 7);
	assert_ok(&w.run, send_batch(&w, run, 3, "{}\n"));
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, true, &w.run.err));
	assert_ok(&w.run, finish(&w));
	assert_int_equal(w.totals.promised_records, 7);
	assert_int_equal(w.totals.landed_records, 7);
	assert_int_equal(w.totals.waiting_spool_bytes, 0);
	assert_int_equal(w.totals.input_to, 400);
	assert_int_equal(w.totals.delivery.status, RV_OK);
	expect_lake(&w, "data/", OBJECT("p1", 0, 1, 1) OBJECT("p1", 1, 2, 2) OBJECT("p1", 2, 3, 3)
					 OBJECT("p1", 3, 1, 4));
	assert_int_equal(runs_left(&w), 0);
	close_sender(&w);
}

/* Promises do not wait for a delivery that pauses. */
static void test_promises_go_on(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 1, 2, 3600000);
	struct rv_run *run = begin_run(&w.run, "p1", true, false);

	for (uint64_t seq = 0; seq < 50; seq++) {
		assert_ok(&w.run, send_batch(&w, run, seq, "{}\n"));
		/* however far the worker has come: what was handed over counts */
		rv_sender_totals(w.sender, &w.totals);
		assert_int_equal(w.totals.waiting_spool_bytes + w.totals.queued_spool_bytes, 3 * (seq + 1));
	}
	assert_ok(&w.run, rv_sender_drain(w.sender, &w.run.err));
	wait_for(&w, 0, true);
	assert_int_equal(w.delivery.sends, 1);
	assert_int_equal(w.totals.promised_records, 50);
	assert_int_equal(w.totals.waiting_spool_bytes, 150);
	assert_int_equal(w.totals.queued_spool_bytes, 0);
	assert_int_equal(w.totals.delivery.status, RV_LOCAL_IO);
	assert_true(w.totals.failing_since_ms > 0);
	/* the end of the input ends the pause */
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, true, &w.run.err));
	assert_ok(&w.run, finish(&w));
	assert_int_equal(w.totals.landed_records, 50);
	assert_int_equal(w.totals.failing_since_ms, 0);
	assert_int_equal(runs_left(&w), 0);
	close_sender(&w);
}

/* A lake that stays away: the run stays in the spool, and no call fails. */
static void test_pipe_stays_spooled(void **state RV_UNUSED)
{
	struct world w = { 0 };
	uint64_t spooled = 0;

	open_sender(&w, 1, 1000, 1);
	struct rv_run *run = begin_run(&w.run, "p1", true, false);

	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n"));
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, true, &w.run.err));
	assert_ok(&w.run, finish(&w));
	assert_int_equal(w.totals.delivery.status, RV_LOCAL_IO);
	assert_int_equal(w.totals.landed_batches, 0);
	assert_int_equal(runs_left(&w), 1);
	assert_ok(&w.run, rv_spool_bytes(&w.run.state, &spooled, &w.run.err));
	assert_int_equal(spooled, 3);
	close_sender(&w);
}

static void test_only_promise(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 0, 0, 1);
	struct rv_run *run = begin_run(&w.run, "p1", true, false);

	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n"));
	wait_for(&w, 1, false);
	rv_sender_only_promise(w.sender);
	assert_ok(&w.run, send_batch(&w, run, 1, "{}\n"));
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, true, &w.run.err));
	assert_ok(&w.run, finish(&w));
	assert_int_equal(w.totals.promised_records, 2);
	assert_int_equal(w.totals.landed_records, 1);
	assert_int_equal(w.totals.waiting_spool_bytes, 3);
	assert_int_equal(w.delivery.sends, 1);
	assert_int_equal(runs_left(&w), 1);
	close_sender(&w);
}

/* A spooled batch that has been damaged waits no longer, but it has not landed either. */
static void test_damaged_is_not_landed(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 1, 2, 3600000);
	struct rv_run *run = begin_run(&w.run, "p1", true, false);
	RV_CLEANUP(rv_free_p) char *body = rv_run_body_path(run, 0);

	assert_ok(&w.run, send_batch(&w, run, 0, "{\"a\":1}\n"));
	wait_for(&w, 0, true);
	int fd = open(body, O_WRONLY);

	assert_int_equal(pwrite(fd, "X", 1, 3), 1);
	close(fd);
	assert_ok(&w.run, send_batch(&w, run, 1, "{}\n"));
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, true, &w.run.err));
	assert_ok(&w.run, finish(&w));
	assert_int_equal(w.totals.promised_records, 2);
	assert_int_equal(w.totals.landed_records, 1);
	assert_int_equal(w.totals.landed_bytes, 3);
	assert_int_equal(w.totals.landed_batches, 1);
	assert_int_equal(w.totals.waiting_spool_bytes, 0);
	assert_int_equal(w.totals.loss.status, RV_DAMAGED);
	assert_non_null(strstr(w.totals.loss.hint, "/damaged"));
	expect_lake(&w, "data/", OBJECT("p1", 1, 1, 2));
	expect_lake(&w, RECEIPTS, RECEIPTS "p1-a1-x0-b1-h0000000000000002.json|");
	close_sender(&w);
}

/* A named run whose input did not come to its end is not closed: it is to be given again. */
static void test_named_run_cut_short(void **state RV_UNUSED)
{
	struct world w = { 0 };

	open_sender(&w, 0, 0, 1);
	struct rv_run *run = begin_run(&w.run, "nightly", false, true);

	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n"));
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, false, &w.run.err));
	assert_ok(&w.run, rv_sender_drain(w.sender, &w.run.err));
	expect_lake(&w, RECEIPTS, RECEIPTS "nightly-open.json|");
	assert_int_equal(runs_left(&w), 0);
	/* again: the same first batch is fine, another one under its number is not */
	run = begin_run(&w.run, "nightly", false, true);
	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n"));
	assert_ok(&w.run, rv_sender_drain(w.sender, &w.run.err));
	assert_ok(&w.run, rv_sender_end_run(w.sender, run, false, &w.run.err));
	assert_ok(&w.run, rv_sender_drain(w.sender, &w.run.err));
	run = begin_run(&w.run, "nightly", false, true);
	assert_ok(&w.run, send_batch(&w, run, 0, "{}\n{}\n"));
	assert_int_equal(rv_sender_drain(w.sender, &w.run.err), RV_CONFLICT);
	assert_non_null(strstr(w.run.err.message, "has sent other data as its batch 0"));
	assert_int_equal(rv_sender_end_run(w.sender, run, false, &w.run.err), RV_CONFLICT);
	close_sender(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_failure_is_sticky),
		cmocka_unit_test(test_failure_before_queued),
		cmocka_unit_test(test_pipe_goes_on),
		cmocka_unit_test(test_promises_go_on),
		cmocka_unit_test(test_pipe_stays_spooled),
		cmocka_unit_test(test_only_promise),
		cmocka_unit_test(test_damaged_is_not_landed),
		cmocka_unit_test(test_named_run_cut_short),
	};
	rv_sender_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
