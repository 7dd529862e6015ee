/* A post in memory that answers as a test says. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "delivery/post_impl.h"

struct body {
	unsigned lane;
	uint64_t tag;
	char *bytes;
	size_t len;
};
struct mem {
	struct rv_post post;
	struct rv_post_mem_params params;
	struct body *bodies; /* in the order of arrival */
	size_t count, capacity;
};

static bool mem_add(struct rv_post *post, unsigned lane, uint64_t tag, const char *p, size_t len)
{
	struct mem *m = (struct mem *)post;

	if (m->count >= m->params.room)
		return false;
	RV_GROW(m->bodies, m->count, m->capacity);
	m->bodies[m->count++] = (struct body){ lane, tag, rv_strndup(p, len), len };
	post->waiting++;
	return true;
}

/* One of a lane at a time: what is asked for later holds up what is behind it. */
static bool is_held(const struct mem *m, size_t i, const int *statuses)
{
	for (size_t j = 0; j < i; j++)
		if (!statuses[j] && m->bodies[j].lane == m->bodies[i].lane)
			return true;
	return false;
}

static enum rv_status mem_step(struct rv_post *post, int64_t timeout_us RV_UNUSED, struct rv_error *err)
{
	struct mem *m = (struct mem *)post;
	RV_CLEANUP(rv_free_p) int *statuses = rv_calloc(m->count + 1, sizeof(*statuses));
	size_t kept = 0, count = m->count;

	for (size_t i = 0; i < count; i++) {
		struct body b = m->bodies[i];

		if (!is_held(m, i, statuses))
			statuses[i] = m->params.answer(m->params.arg, b.lane, b.tag, b.bytes, b.len);
		if (statuses[i] < 0)
			return rv_fail(err, RV_LOCAL_IO, "the memory takes no events");
	}
	for (size_t i = 0; i < count; i++) {
		struct body b = m->bodies[i];

		if (!statuses[i]) {
			m->bodies[kept++] = b;
			continue;
		}
		const struct rv_post_result result = {
			.tag = b.tag,
			.fate = statuses[i] < 300 ? RV_POST_TAKEN : RV_POST_REFUSED,
			.status = statuses[i],
			.attempts = 1,
		};

		free(b.bytes);
		post->waiting--;
		m->params.settled(m->params.settled_arg, &result);
	}
	m->count = kept;
	return RV_OK;
}

static void mem_free(struct rv_post *post)
{
	struct mem *m = (struct mem *)post;

	for (size_t i = 0; i < m->count; i++)
		free(m->bodies[i].bytes);
	free(m->bodies);
	free(m);
}

static const struct rv_post_ops mem_ops = {
	.name = "mem",
	.add = mem_add,
	.step = mem_step,
	.free = mem_free,
};

struct rv_post *rv_post_mem_new(const struct rv_post_mem_params *params)
{
	struct mem *m = rv_calloc(1, sizeof(*m));

	m->post.ops = &mem_ops;
	m->params = *params;
	return &m->post;
}
