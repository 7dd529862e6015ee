/*
 * Events to an address. A session belongs to a lane, so its order is that of its lane. Which rows are
 * settled is known one by one; the journal is told up to where all are.
 */
#include "flow/pump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

/* Rows from the first one that is not settled; a power of two. */
#define RING_ROWS (1u << 20)
#define TELL_MS 60000
#define QUIET_MS 2000
#define SETTLED_MS 100
#define SYNCED_MS 1000
#define BATCH_AGE_US 1000000
#define TROUBLE_US 1000000
#define WHY_REFUSED "look at one with --dry-run --count 1, and at what the address wants"
#define HOPELESS_EVENTS 100 /* all refused: it will not become better */

/* A body that waits: rows and their sessions' lane. */
struct batch {
	struct rv_strbuf body;
	uint64_t *rows;
	size_t count, capacity;
	int64_t opened_us;
};
struct rv_pump_poster {
	struct rv_pump_post_params params;
	struct rv_pump_line *line;
	struct rv_pump_post_result *result;
	struct batch *lanes;       /* the open one of each */
	/* those that were handed over; their index is the tag */
	struct batch *flying;
	size_t flying_count, flying_capacity;
	size_t *idle;              /* of flying, to be used again */
	size_t idle_count, idle_capacity;
	uint64_t *ring;            /* a bit a row: settled */
	uint64_t base, top;        /* all before base are settled; top: behind the last one handed out */
	uint64_t told_base, synced_base;
	bool over;                 /* the rows have come to their end, behind others that were taken */
	/* an event that was rendered when there was no room */
	struct rv_strbuf held;
	unsigned held_lane;
	uint64_t held_row;
	int64_t settled_ms, synced_ms, told_ms, progress_ms;
	uint64_t seen_taken;       /* and since when it has not been more */
	int64_t quiet_ms;
};

struct rv_pump_poster *rv_pump_poster_new(const struct rv_pump_post_params *params)
{
	struct rv_pump_poster *p = rv_calloc(1, sizeof(*p));

	p->params = *params;
	p->params.batch = params->batch ? params->batch : 1;
	p->params.patience_ms = params->patience_ms ? params->patience_ms : 10000;
	p->line = params->line;
	p->held = (struct rv_strbuf)RV_STRBUF_INIT;
	p->base = p->top = p->told_base = p->synced_base = params->line->params.from;
	p->ring = rv_calloc(RING_ROWS / 64, sizeof(*p->ring));
	p->lanes = rv_calloc(params->lanes, sizeof(*p->lanes));
	for (unsigned i = 0; i < params->lanes; i++)
		p->lanes[i].body = (struct rv_strbuf)RV_STRBUF_INIT;
	return p;
}

void rv_pump_poster_free(struct rv_pump_poster *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->params.lanes; i++) {
		rv_strbuf_release(&p->lanes[i].body);
		free(p->lanes[i].rows);
	}
	for (size_t i = 0; i < p->flying_count; i++)
		free(p->flying[i].rows);
	rv_strbuf_release(&p->held);
	free(p->lanes);
	free(p->flying);
	free(p->idle);
	free(p->ring);
	free(p);
}

/* ---- what is settled ---- */

static void settle_row(struct rv_pump_poster *p, uint64_t row)
{
	p->ring[row % RING_ROWS / 64] |= UINT64_C(1) << (row & 63);
	while (p->base < p->top && p->ring[p->base % RING_ROWS / 64] >> (p->base & 63) & 1) {
		p->ring[p->base % RING_ROWS / 64] &= ~(UINT64_C(1) << (p->base & 63));
		p->base++;
	}
}

/* A row that no body holds. */
static void pass_row(struct rv_pump_poster *p, uint64_t row)
{
	if (row < p->base)
		return;
	p->top = row + 1;
	settle_row(p, row);
}

void rv_pump_poster_settled(void *poster, const struct rv_post_result *r)
{
	struct rv_pump_poster *p = poster;
	struct rv_pump_post_result *result = p->result;
	uint64_t events = 1;

	if (p->params.batch == 1) {
		settle_row(p, r->tag);
	} else {
		struct batch *batch = &p->flying[r->tag];

		events = batch->count;
		for (size_t i = 0; i < batch->count; i++)
			settle_row(p, batch->rows[i]);
		batch->count = 0;
		RV_GROW(p->idle, p->idle_count, p->idle_capacity);
		p->idle[p->idle_count++] = (size_t)r->tag;
	}
	result->bodies++;
	*(r->fate == RV_POST_TAKEN ? &result->taken : &result->refused) += events;
	result->maybe_twice += r->maybe_twice ? events : 0;
	result->unsettled -= events;
	if (r->status >= 0 && r->status < RV_PUMP_STATUSES)
		result->statuses[r->status]++;
	rv_latency_add(&result->latency, r->answer_us);
}

/* ---- bodies ---- */

static bool hand_over_batch(struct rv_pump_poster *p, struct rv_post *post, unsigned lane)
{
	struct batch *open = &p->lanes[lane];
	size_t tag;

	if (!p->idle_count) {
		RV_GROW(p->flying, p->flying_count, p->flying_capacity);
		p->flying[p->flying_count] = (struct batch){ .count = 0 };
		RV_GROW(p->idle, p->idle_count, p->idle_capacity);
		p->idle[p->idle_count++] = p->flying_count++;
	}
	tag = p->idle[p->idle_count - 1];
	size_t len = open->body.len;

	if (!p->params.batch_lines)
		rv_strbuf_putc(&open->body, ']');
	if (!post->ops->add(post, lane, tag, open->body.bytes, open->body.len)) {
		rv_strbuf_truncate(&open->body, len);
		return false;
	}
	p->idle_count--;
	/* the rows change places, so that neither list is made anew */
	struct batch *flying = &p->flying[tag];
	uint64_t *rows = flying->rows;
	size_t capacity = flying->capacity;

	flying->rows = open->rows;
	flying->count = open->count;
	flying->capacity = open->capacity;
	open->rows = rows;
	open->capacity = capacity;
	open->count = 0;
	rv_strbuf_clear(&open->body);
	return true;
}

static void add_to_batch(struct rv_pump_poster *p, unsigned lane, uint64_t row, const char *event,
			 size_t len)
{
	struct batch *open = &p->lanes[lane];

	if (!open->count)
		open->opened_us = rv_pump_line_now_us(p->line);
	if (p->params.batch_lines) {
		rv_strbuf_add(&open->body, event, len);
		rv_strbuf_putc(&open->body, '\n');
	} else {
		rv_strbuf_putc(&open->body, open->count ? ',' : '[');
		rv_strbuf_add(&open->body, event, len);
	}
	RV_GROW(open->rows, open->count, open->capacity);
	open->rows[open->count++] = row;
}

/* The event that there was no room for. False: there still is none. */
static bool hand_over_held(struct rv_pump_poster *p, struct rv_post *post)
{
	if (!p->held.len)
		return true;
	if (!post->ops->add(post, p->held_lane, p->held_row, p->held.bytes, p->held.len))
		return false;
	rv_strbuf_clear(&p->held);
	return true;
}

/* Open bodies that are old, or all of them. False: no room for one. */
static bool hand_over_old(struct rv_pump_poster *p, struct rv_post *post, bool all)
{
	int64_t now_us = all ? 0 : rv_pump_line_now_us(p->line);

	for (unsigned i = 0; p->params.batch > 1 && i < p->params.lanes; i++)
		if (p->lanes[i].count && (all || now_us - p->lanes[i].opened_us >= BATCH_AGE_US) &&
		    !hand_over_batch(p, post, i))
			return false;
	return true;
}

/* The event that is due. *ret false: there is no room yet. */
static enum rv_status send_event(struct rv_pump_poster *p, struct rv_post *post, bool *ret,
				 struct rv_error *err)
{
	unsigned lane = (unsigned)(p->line->row.session % p->params.lanes);
	uint64_t row = p->line->row.number;
	const char *event;
	size_t len;

	*ret = false;
	if (p->params.batch > 1 && p->lanes[lane].count >= p->params.batch &&
	    !hand_over_batch(p, post, lane))
		return RV_OK;
	/* asked before it is rendered: an event that was is as good as sent */
	if (!hand_over_held(p, post))
		return RV_OK;
	*ret = true;
	if (rv_pump_line_take(p->line, &event, &len, err) != RV_OK)
		return err->status;
	if (!len) {
		pass_row(p, row);
		return RV_OK;
	}
	p->top = row + 1;
	p->result->unsettled++;
	if (p->params.batch > 1) {
		add_to_batch(p, lane, row, event, len);
		return RV_OK;
	}
	if (!post->ops->add(post, lane, row, event, len)) {
		rv_strbuf_add(&p->held, event, len);
		p->held_lane = lane;
		p->held_row = row;
	}
	return RV_OK;
}

/* ---- the run ---- */

static void tell(struct rv_pump_poster *p, struct rv_post *post, int64_t now_ms)
{
	/* One failure among many is nothing to speak of. */
	if (p->result->taken != p->seen_taken || !post->trouble[0]) {
		p->seen_taken = p->result->taken;
		p->quiet_ms = now_ms;
	}
	if (now_ms - p->quiet_ms >= QUIET_MS && p->params.warn &&
	    (!p->told_ms || now_ms - p->told_ms >= TELL_MS)) {
		p->told_ms = now_ms;
		p->params.warn(p->params.arg, post->trouble);
		post->trouble[0] = '\0';
	}
	if (p->params.progress && now_ms - p->progress_ms >= 100) {
		p->progress_ms = now_ms;
		p->params.progress(p->params.arg, &p->line->counts);
	}
}

/* Nothing but refusals so far: it may be the target, or how it is spoken to, and once that is mended the
 * same events are to be sent. */
static bool is_in_vain(const struct rv_pump_poster *p)
{
	return p->result->refused && !p->result->taken && !p->over;
}

static enum rv_status note_settled(struct rv_pump_poster *p, bool sync, struct rv_error *err)
{
	struct rv_pump_state *state = p->line->params.state;

	if (is_in_vain(p))
		return RV_OK;
	if (!state || (p->base == p->told_base && p->base == p->synced_base))
		return RV_OK;
	if (!sync && p->base == p->told_base)
		return RV_OK;
	if (sync)
		p->synced_base = p->base;
	p->told_base = p->base;
	return rv_pump_state_settled(state, p->base, sync, err);
}

/* What is refused most often is answered with. */
static unsigned usual_refusal(const struct rv_pump_post_result *r)
{
	unsigned usual = 0;

	for (unsigned i = 0; i < RV_PUMP_STATUSES; i++)
		if (i / 100 != 2 && r->statuses[i] && (!usual || r->statuses[i] > r->statuses[usual]))
			usual = i;
	return usual;
}

static enum rv_status between(struct rv_pump_poster *p, struct rv_post *post, struct rv_error *err)
{
	int64_t now_ms = rv_pump_line_now_us(p->line) / 1000;

	p->line->rough_us = 0; /* time has passed */
	tell(p, post, now_ms);
	if (!p->result->taken && p->result->refused >= HOPELESS_EVENTS) {
		rv_fail(err, RV_BAD_DATA, "the first %" PRIu64 " events were all refused (it answers %u)",
			p->result->refused, usual_refusal(p->result));
		rv_hint(err, WHY_REFUSED);
		return err->status;
	}
	if (now_ms - p->synced_ms >= SYNCED_MS) {
		p->synced_ms = p->settled_ms = now_ms;
		return note_settled(p, true, err);
	}
	/* What a kill leaves behind is in the journal also without being synced. */
	if (now_ms - p->settled_ms >= SETTLED_MS) {
		p->settled_ms = now_ms;
		return note_settled(p, false, err);
	}
	return RV_OK;
}

/* Everything that was made is answered, or the patience is over. */
static enum rv_status drain(struct rv_pump_poster *p, struct rv_post *post, bool stopping,
			    struct rv_error *err)
{
	int64_t now_us = rv_pump_line_now_us(p->line);
	int64_t end_us = now_us + p->params.patience_ms * 1000, trouble_us = now_us + TROUBLE_US;

	while (p->result->unsettled) {
		if (hand_over_old(p, post, true))
			(void)!hand_over_held(p, post);
		/* what is being tried again need not come to an end now */
		if (stopping && post->trouble[0] && end_us > trouble_us)
			end_us = trouble_us;
		if (stopping && rv_pump_line_now_us(p->line) >= end_us)
			return RV_OK;
		if (post->ops->step(post, 100000, err) != RV_OK || between(p, post, err) != RV_OK)
			return err->status;
		if (!stopping && p->params.should_stop && p->params.should_stop()) {
			p->result->stopped = true;
			return drain(p, post, true, err);
		}
	}
	return RV_OK;
}

/* Until the rows are over, or somebody says stop. */
static enum rv_status run(struct rv_pump_poster *p, struct rv_post *post, struct rv_error *err)
{
	unsigned turns = 0;

	for (;;) {
		enum rv_pump_ready ready;
		uint64_t row = 0;
		int64_t wait_us = 0;
		bool sent;

		if (p->params.should_stop && p->params.should_stop()) {
			p->result->stopped = true;
			return RV_OK;
		}
		/* Also rows that are no events: a bit that is set for one would be taken for that of the row
		 * a ring before it, which may be on its way. */
		if (p->top - p->base >= RING_ROWS) {
			if (hand_over_old(p, post, true))
				(void)!hand_over_held(p, post);
			if (post->ops->step(post, 100000, err) != RV_OK || between(p, post, err) != RV_OK)
				return err->status;
			continue;
		}
		/* input that trickles is looked at between answers */
		if (rv_pump_line_next(p->line, post->waiting ? 1 : 100, &ready, &row, err) != RV_OK)
			return err->status;
		switch (ready) {
		case RV_PUMP_OVER:
			return RV_OK;
		case RV_PUMP_PASSED:
			pass_row(p, row);
			break;
		case RV_PUMP_NOTHING:
			break;
		case RV_PUMP_LATER:
			wait_us = p->line->due_us - rv_pump_line_now_us(p->line);
			wait_us = wait_us < 0 ? 0 : wait_us > 100000 ? 100000 : wait_us;
			break;
		case RV_PUMP_READY:
			if (send_event(p, post, &sent, err) != RV_OK)
				return err->status;
			if (sent && ++turns % 64)
				continue;
			wait_us = sent ? 0 : 100000;
			break;
		}
		if (ready != RV_PUMP_READY && ready != RV_PUMP_LATER && ++turns % 64)
			continue;
		if (!hand_over_old(p, post, false))
			wait_us = 100000;
		if (post->ops->step(post, wait_us, err) != RV_OK || between(p, post, err) != RV_OK)
			return err->status;
	}
}

static enum rv_status verdict(const struct rv_pump_poster *p, struct rv_error *err)
{
	const struct rv_pump_counts *c = &p->line->counts;
	const struct rv_pump_post_result *r = p->result;
	uint64_t wrong = c->rejected + r->refused;

	if (r->stopped) {
		rv_fail(err, RV_FAILED, "stopped after %" PRIu64 " events", r->taken);
		if (r->unsettled)
			rv_hint(err, "of %" PRIu64 " more nobody heard whether they were taken",
				r->unsettled);
		return err->status;
	}
	if (!wrong)
		return RV_OK;
	if (c->rejected)
		rv_fail(err, RV_PARTIAL, "%" PRIu64 " of %" PRIu64 " rows %s rejected, the first: %s",
			c->rejected, c->rows, c->rejected == 1 ? "is" : "are", c->first_reject);
	if (r->refused && c->rejected)
		rv_context(err, "%" PRIu64 " of %" PRIu64 " events %s refused (it answers %u), and",
			   r->refused, c->events, r->refused == 1 ? "was" : "were", usual_refusal(r));
	else if (r->refused)
		rv_fail(err, RV_PARTIAL, "%" PRIu64 " of %" PRIu64 " events %s refused (it answers %u)",
			r->refused, c->events, r->refused == 1 ? "was" : "were", usual_refusal(r));
	if (r->refused)
		rv_hint(err, WHY_REFUSED);
	if (!r->taken)
		err->status = RV_BAD_DATA;
	return err->status;
}

enum rv_status rv_pump_post(struct rv_pump_poster *p, struct rv_post *post,
			    struct rv_pump_post_result *ret, struct rv_error *err)
{
	struct rv_error later = RV_ERROR_INIT;

	*ret = (struct rv_pump_post_result){ .taken = 0 };
	p->result = ret;
	p->settled_ms = p->synced_ms = p->quiet_ms = rv_pump_line_now_us(p->line) / 1000;
	enum rv_status status = run(p, post, err);

	/* What was made before the data turned out to be wrong is sent all the same. */
	if (status == RV_OK || status == RV_BAD_DATA || status == RV_BAD_CONFIG)
		if (drain(p, post, ret->stopped, &later) != RV_OK && status == RV_OK) {
			*err = later;
			status = err->status;
		}
	ret->retries = post->retries;
	ret->connects = post->connects;
	p->over = status == RV_OK && !ret->stopped && p->line->params.from > 0;
	if (note_settled(p, true, &later) != RV_OK && status == RV_OK) {
		*err = later;
		status = err->status;
	}
	if (status != RV_OK) {
		if (!*err->hint && ret->taken)
			rv_hint(err, "%" PRIu64 " events were taken before%s", ret->taken,
				p->line->params.state ? "; the same command goes on behind them"
						      : ", and with --resume it would go on behind them");
		return status;
	}
	if (!ret->stopped && p->line->data_ended && p->line->params.state && !is_in_vain(p) &&
	    rv_pump_state_end(p->line->params.state, rv_pump_feed_place(p->line->params.feed)->pass + 1, err) !=
		    RV_OK)
		return err->status;
	return verdict(p, err);
}
