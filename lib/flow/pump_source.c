/* Events as a source: what push reads when a pump goes straight into a stream. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "flow/pump.h"

#define AHEAD_BYTES 65536
#define SLEEP_US 1000000

struct pump_source {
	struct rv_source source;
	struct rv_pump_line *line;
	struct rv_strbuf bytes;
	size_t at;
};

/* Waits for `us`; false: a signal came. */
static bool sleep_us(int64_t us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	return us <= 0 || nanosleep(&t, NULL) == 0;
}

/* One step: an event more, or a wait. *ret_wait: nothing comes before the time is over. */
static enum rv_status step(struct pump_source *s, int64_t left_us, bool *ret_over, bool *ret_wait,
			   struct rv_error *err)
{
	enum rv_pump_ready ready;
	uint64_t row;
	const char *event;
	size_t len;
	int64_t us;

	if (rv_pump_line_next(s->line, s->bytes.len > s->at ? 0 : left_us / 1000, &ready, &row, err) !=
	    RV_OK)
		return err->status;
	switch (ready) {
	case RV_PUMP_READY:
		if (rv_pump_line_take(s->line, &event, &len, err) != RV_OK)
			return err->status;
		if (len) {
			rv_strbuf_add(&s->bytes, event, len);
			rv_strbuf_putc(&s->bytes, '\n');
		}
		break;
	case RV_PUMP_LATER:
		us = s->line->due_us - rv_pump_line_now_us(s->line);
		/* what is there already goes first */
		*ret_wait = s->bytes.len > s->at || !sleep_us(us < left_us ? us : left_us);
		break;
	case RV_PUMP_OVER:
		*ret_over = true;
		break;
	case RV_PUMP_NOTHING:
		*ret_wait = s->bytes.len > s->at;
		break;
	case RV_PUMP_PASSED:
		break;
	}
	return RV_OK;
}

static enum rv_status source_read(struct rv_source *source, void *buf, size_t size, int64_t timeout_ms,
				  size_t *ret_n, enum rv_source_state *ret_state, struct rv_error *err)
{
	struct pump_source *s = (struct pump_source *)source;
	bool over = false, wait = false;
	int64_t end_us = rv_pump_line_now_us(s->line) +
			 (timeout_ms < 0 || timeout_ms > SLEEP_US / 1000 ? SLEEP_US : timeout_ms * 1000);

	*ret_n = 0;
	s->line->rough_us = 0; /* time has passed */
	if (s->at == s->bytes.len) {
		rv_strbuf_clear(&s->bytes);
		s->at = 0;
	}
	for (unsigned turns = 0; !over && !wait && s->bytes.len - s->at < AHEAD_BYTES; turns++) {
		int64_t left_us = turns % 64 ? SLEEP_US : end_us - rv_pump_line_now_us(s->line);

		if (s->bytes.len == s->at)
			left_us = end_us - rv_pump_line_now_us(s->line);
		if (left_us <= 0 && turns)
			break;
		if (step(s, left_us < 0 ? 0 : left_us, &over, &wait, err) != RV_OK)
			return err->status;
	}
	size_t n = s->bytes.len - s->at;

	if (n > size)
		n = size;
	memcpy(buf, s->bytes.bytes + s->at, n);
	s->at += n;
	*ret_n = n;
	*ret_state = n ? RV_SOURCE_BYTES : over ? RV_SOURCE_END : RV_SOURCE_WAIT;
	return RV_OK;
}

static void source_free(struct rv_source *source)
{
	struct pump_source *s = (struct pump_source *)source;

	rv_strbuf_release(&s->bytes);
	free(s);
}

static const struct rv_source_ops source_ops = {
	.name = "pump",
	.read = source_read,
	.free = source_free,
};

struct rv_source *rv_pump_source_new(struct rv_pump_line *line)
{
	struct pump_source *s = rv_calloc(1, sizeof(*s));

	s->source.ops = &source_ops;
	s->source.label = "pump";
	s->line = line;
	s->bytes = (struct rv_strbuf)RV_STRBUF_INIT;
	return &s->source;
}
