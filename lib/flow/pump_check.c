/* What a data set would become, without anybody hearing of it. */
#include <stdlib.h>

#include "base/memory.h"
#include "flow/pump.h"

/*
 * Distinct sessions by their hashes: all of them up to a million, above that an even sample (those with
 * ever more zeros at their ends), which stands for the others. So memory stays at 16 MiB.
 */
#define SLOTS (1u << 21)
#define KEPT_MAX (1u << 20)

struct sessions {
	uint64_t *slots; /* 0: empty */
	uint64_t kept, mask, last;
};

static bool put(uint64_t *slots, uint64_t hash)
{
	size_t i = (hash >> 40) & (SLOTS - 1);

	while (slots[i] && slots[i] != hash)
		i = (i + 1) & (SLOTS - 1);
	if (slots[i])
		return false;
	slots[i] = hash;
	return true;
}

static void thin_out(struct sessions *s)
{
	uint64_t *fewer = rv_calloc(SLOTS, sizeof(*fewer));

	s->mask = s->mask * 2 + 1;
	s->kept = 0;
	for (size_t i = 0; i < SLOTS; i++)
		if (s->slots[i] && !(s->slots[i] & s->mask))
			s->kept += put(fewer, s->slots[i]);
	free(s->slots);
	s->slots = fewer;
}

static void see(struct sessions *s, uint64_t hash)
{
	if (hash == s->last) /* rows of a session follow each other */
		return;
	s->last = hash;
	if (!hash)
		hash = UINT64_C(1) << 63;
	if (hash & s->mask)
		return;
	if (s->kept == KEPT_MAX)
		thin_out(s);
	if (!(hash & s->mask))
		s->kept += put(s->slots, hash);
}

enum rv_status rv_pump_check(struct rv_pump_line *line, bool (*should_stop)(void),
			     bool (*out)(void *arg, const char *p, size_t len), void *arg,
			     struct rv_pump_check *ret, struct rv_error *err)
{
	bool has_sessions = line->params.map->session != RV_MAP_NONE;
	struct sessions sessions = { .slots = rv_calloc(SLOTS, sizeof(*sessions.slots)) };
	enum rv_status status = RV_OK;

	*ret = (struct rv_pump_check){ .sessions = 0 };
	for (unsigned turns = 1; status == RV_OK; turns++) {
		enum rv_pump_ready ready;
		uint64_t row;
		const char *event;
		size_t len;

		if (turns % 1024 == 0 && should_stop && should_stop()) {
			status = rv_fail(err, RV_FAILED, "stopped");
			break;
		}
		status = rv_pump_line_next(line, 100, &ready, &row, err);
		if (status != RV_OK || ready == RV_PUMP_OVER)
			break;
		if (ready != RV_PUMP_READY)
			continue;
		if (has_sessions)
			see(&sessions, line->row.session);
		if (line->row.has_time) {
			int64_t ms = line->row.time_ms;

			ret->first_ms = !ret->has_time || ms < ret->first_ms ? ms : ret->first_ms;
			ret->last_ms = !ret->has_time || ms > ret->last_ms ? ms : ret->last_ms;
			ret->has_time = true;
		}
		status = rv_pump_line_take(line, &event, &len, err);
		if (status == RV_OK && len && out && !out(arg, event, len))
			break;
	}
	ret->sessions = sessions.kept * (sessions.mask + 1);
	ret->sessions_estimated = sessions.mask != 0;
	free(sessions.slots);
	return status;
}
