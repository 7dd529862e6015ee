/* Bytes in memory as a source, in pieces of any size and with a failure where a test wants it. */
#include "source/source.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct mem_source {
	struct rv_source source;
	const char *p;
	size_t len, piece;
	uint64_t offset, fail_at;
};

static enum rv_status mem_read(struct rv_source *source, void *buf, size_t size,
			       int64_t timeout_ms RV_UNUSED, size_t *ret_n,
			       enum rv_source_state *ret_state, struct rv_error *err)
{
	struct mem_source *s = (struct mem_source *)source;
	size_t n = s->len - (size_t)s->offset;

	if (s->offset == s->fail_at)
		return rv_fail(err, RV_LOCAL_IO, "cannot read %s at byte %llu: told to fail",
			       source->label, (unsigned long long)s->offset);
	if (n > size)
		n = size;
	if (s->piece && n > s->piece)
		n = s->piece;
	if (s->fail_at > s->offset && n > s->fail_at - s->offset)
		n = (size_t)(s->fail_at - s->offset);
	if (n)
		memcpy(buf, s->p + s->offset, n);
	s->offset += n;
	*ret_n = n;
	*ret_state = n ? RV_SOURCE_BYTES : RV_SOURCE_END;
	return RV_OK;
}

static enum rv_status mem_seek(struct rv_source *source, uint64_t offset, struct rv_error *err)
{
	struct mem_source *s = (struct mem_source *)source;

	if (offset > s->len)
		return rv_fail(err, RV_LOCAL_IO, "cannot go to byte %llu of %s: it has %zu",
			       (unsigned long long)offset, source->label, s->len);
	s->offset = offset;
	return RV_OK;
}

static void mem_free(struct rv_source *source)
{
	free(source);
}

static const struct rv_source_ops mem_ops = {
	.name = "mem",
	.read = mem_read,
	.seek = mem_seek,
	.free = mem_free,
};

struct rv_source *rv_source_mem_new(const void *p, size_t len, size_t piece, uint64_t fail_at)
{
	struct mem_source *s = rv_calloc(1, sizeof(*s));

	s->source.ops = &mem_ops;
	s->source.label = "memory";
	s->p = p;
	s->len = len;
	s->piece = piece;
	s->fail_at = fail_at;
	return &s->source;
}
