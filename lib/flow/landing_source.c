/*
 * A store pushes an object's bytes, a reader pulls them: a thread and a pipe stand between. The pipe
 * holds little, so memory stays flat whatever the object's size.
 */
#include "flow/landing_source.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "source/fd.h"
#include "source/prepend.h"

struct feed {
	struct rv_source base;
	struct rv_store *lake;
	const char *name;
	int from, to;             /* the pipe's ends */
	struct rv_fd fd;
	bool joined;
	pthread_t thread;
	enum rv_status status;    /* of the reading; looked at when the thread is over */
	struct rv_error err;
};

static enum rv_status feed_sink(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct feed *feed = arg;
	return rv_write_all(feed->to, p, len, "a pipe", err);
}

static void *feed_work(void *arg)
{
	struct feed *feed = arg;
	feed->status = feed->lake->ops->read(feed->lake, feed->name, feed_sink, feed, &feed->err);
	rv_close_p(&feed->to);
	return NULL;
}

static void feed_join(struct feed *feed)
{
	if (!feed->joined)
		pthread_join(feed->thread, NULL);
	feed->joined = true;
}

static enum rv_status feed_read(struct rv_source *base, void *buf, size_t size, int64_t timeout_ms,
				size_t *ret_n, enum rv_source_state *ret_state, struct rv_error *err)
{
	struct feed *feed = (struct feed *)base;
	if (rv_fd_read(&feed->fd, buf, size, timeout_ms, ret_n, ret_state, err) != RV_OK)
		return err->status;
	if (*ret_state != RV_SOURCE_END)
		return RV_OK;
	feed_join(feed);
	if (feed->status == RV_OK)
		return RV_OK;
	*err = feed->err;
	return err->status;
}

static void feed_free(struct rv_source *base)
{
	struct feed *feed = (struct feed *)base;
	/* A thread that still writes is told so by the pipe. */
	rv_close_p(&feed->from);
	feed_join(feed);
	free(feed);
}

static const struct rv_source_ops feed_ops = {
	.name = "object",
	.read = feed_read,
	.free = feed_free,
};

static enum rv_status feed_new(struct rv_store *lake, const char *name, struct rv_source **ret,
			       struct rv_error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open a pipe");
	struct feed *feed = rv_calloc(1, sizeof(*feed));
	feed->base = (struct rv_source){ .ops = &feed_ops, .label = name };
	feed->lake = lake;
	feed->name = name;
	feed->from = ends[0];
	feed->to = ends[1];
	feed->err = (struct rv_error)RV_ERROR_INIT;
	int r = 0;
	enum rv_status status = rv_fd_init(&feed->fd, feed->from, name, err);
	if (status == RV_OK) {
		/* Signals are for the thread that reads; SIGPIPE then is a failing write. */
		sigset_t all, before;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		r = pthread_create(&feed->thread, NULL, feed_work, feed);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (status != RV_OK || r) {
		rv_close_p(&feed->from);
		rv_close_p(&feed->to);
		free(feed);
		return r ? rv_fail(err, RV_LOCAL_IO, "start a thread: %s", strerror(r)) : status;
	}
	*ret = &feed->base;
	return RV_OK;
}

/* ---- damage ----------------------------------------------------------------------------------- */

struct guard {
	struct rv_source base;
	struct rv_source *inner;
	struct rv_error *damage;
};

static enum rv_status guard_read(struct rv_source *base, void *buf, size_t size, int64_t timeout_ms,
				 size_t *ret_n, enum rv_source_state *ret_state, struct rv_error *err)
{
	struct guard *guard = (struct guard *)base;
	enum rv_status status = RV_OK;
	if (guard->damage->status == RV_OK)
		status = guard->inner->ops->read(guard->inner, buf, size, timeout_ms, ret_n, ret_state,
						 err);
	if (status != RV_OK && status != RV_BAD_DATA)
		return status;
	if (status == RV_BAD_DATA)
		*guard->damage = *err;
	if (guard->damage->status != RV_OK) {
		*err = (struct rv_error)RV_ERROR_INIT;
		*ret_n = 0;
		*ret_state = RV_SOURCE_END;
	}
	return RV_OK;
}

static void guard_free(struct rv_source *base)
{
	struct guard *guard = (struct guard *)base;
	rv_source_free(guard->inner);
	free(guard);
}

static const struct rv_source_ops guard_ops = {
	.name = "guard",
	.read = guard_read,
	.free = guard_free,
};

/* ---- the whole -------------------------------------------------------------------------------- */

enum rv_status rv_landing_source_new(struct rv_store *lake, const char *name,
				     struct rv_error *ret_damage, struct rv_source **ret,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_source_free_p) struct rv_source *raw = NULL;
	unsigned char magic[8];
	size_t have = 0;
	enum rv_source_state state = RV_SOURCE_BYTES;
	if (feed_new(lake, name, &raw, err) != RV_OK)
		return err->status;
	while (have < sizeof(magic) && state != RV_SOURCE_END) {
		size_t n;
		if (raw->ops->read(raw, magic + have, sizeof(magic) - have, -1, &n, &state, err) != RV_OK)
			return err->status;
		have += n;
	}
	enum rv_compression compression = rv_compression_detect(magic, have);
	if (compression == RV_COMPRESSION_NONE) {
		*ret = rv_source_prepend_new(magic, have, rv_take(raw));
		return RV_OK;
	}
	struct rv_source *plain;
	if (rv_source_decompress_new(rv_take(raw), compression, magic, have, &plain, err) != RV_OK)
		return err->status;
	struct guard *guard = rv_calloc(1, sizeof(*guard));
	guard->base = (struct rv_source){ .ops = &guard_ops, .label = name };
	guard->inner = plain;
	guard->damage = ret_damage;
	*ret = &guard->base;
	return RV_OK;
}
