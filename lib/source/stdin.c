/* Standard input as a source. Descriptor 0 stays open: it is not ours. */
#include "source/fd.h"
#include "base/memory.h"

#include <stdlib.h>
#include <unistd.h>

struct stdin_source {
	struct rv_source source;
	struct rv_fd fd;
};

static enum rv_status stdin_read(struct rv_source *source, void *buf, size_t size,
				 int64_t timeout_ms, size_t *ret_n,
				 enum rv_source_state *ret_state, struct rv_error *err)
{
	struct stdin_source *s = (struct stdin_source *)source;

	return rv_fd_read(&s->fd, buf, size, timeout_ms, ret_n, ret_state, err);
}

static void stdin_free(struct rv_source *source)
{
	free(source);
}

static const struct rv_source_ops stdin_ops = {
	.name = "stdin",
	.read = stdin_read,
	.free = stdin_free,
};

enum rv_status rv_source_stdin_new(struct rv_source **ret, struct rv_error *err)
{
	struct rv_fd fd;

	if (rv_fd_init(&fd, STDIN_FILENO, "standard input", err) != RV_OK)
		return err->status;
	struct stdin_source *s = rv_calloc(1, sizeof(*s));

	s->source.ops = &stdin_ops;
	s->source.label = "standard input";
	s->fd = fd;
	*ret = &s->source;
	return RV_OK;
}
