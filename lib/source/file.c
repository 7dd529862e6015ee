/*
 * A file, or an extent of one, as a source. Also takes FIFOs and devices, which have no offsets to
 * go to: seek fails there and says why.
 */
#include "source/fd.h"
#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

struct file_source {
	struct rv_source source;
	struct rv_fd fd; /* fd.offset is the position in the file */
	char *label;
	uint64_t end_offset;
};

static enum rv_status file_read(struct rv_source *source, void *buf, size_t size,
				int64_t timeout_ms, size_t *ret_n,
				enum rv_source_state *ret_state, struct rv_error *err)
{
	struct file_source *s = (struct file_source *)source;
	uint64_t left = s->end_offset > s->fd.offset ? s->end_offset - s->fd.offset : 0;

	if (left == 0) {
		*ret_n = 0;
		*ret_state = RV_SOURCE_END;
		return RV_OK;
	}
	return rv_fd_read(&s->fd, buf, size < left ? size : (size_t)left, timeout_ms, ret_n,
			  ret_state, err);
}

static enum rv_status file_seek(struct rv_source *source, uint64_t offset, struct rv_error *err)
{
	struct file_source *s = (struct file_source *)source;

	if (offset > INT64_MAX || lseek(s->fd.fd, (off_t)offset, SEEK_SET) < 0) {
		if (offset > INT64_MAX)
			errno = EOVERFLOW;
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot go to byte %llu of %s",
				     (unsigned long long)offset, s->label);
	}
	s->fd.offset = offset;
	return RV_OK;
}

static void file_free(struct rv_source *source)
{
	struct file_source *s = (struct file_source *)source;

	rv_close_p(&s->fd.fd);
	free(s->label);
	free(s);
}

static const struct rv_source_ops file_ops = {
	.name = "file",
	.read = file_read,
	.seek = file_seek,
	.free = file_free,
};

enum rv_status rv_source_file_new(int fd, const char *label, uint64_t end_offset,
				  struct rv_source **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int owned = fd;
	RV_CLEANUP(rv_free_p) char *name = rv_strdup(label);
	struct rv_fd f;

	if (rv_fd_init(&f, owned, name, err) != RV_OK)
		return err->status;
	off_t at = lseek(owned, 0, SEEK_CUR);

	f.offset = at > 0 ? (uint64_t)at : 0;
	struct file_source *s = rv_calloc(1, sizeof(*s));

	s->source.ops = &file_ops;
	s->source.label = name;
	s->label = rv_take(name);
	s->fd = f;
	s->end_offset = end_offset;
	owned = -1;
	*ret = &s->source;
	return RV_OK;
}
