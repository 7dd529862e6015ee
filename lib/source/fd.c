/*
 * A read that can be interrupted: poll first wherever bytes may be long in coming. A blocking read
 * is restarted by the kernel after a signal whose handler says SA_RESTART; poll never is, so a
 * signal always gets its turn.
 */
#include "source/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

enum rv_status rv_fd_init(struct rv_fd *f, int fd, const char *label, struct rv_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		enum rv_status status = rv_fail_errno(err, RV_LOCAL_IO, "cannot read %s", label);
		if (errno == EBADF)
			rv_hint(err, "it is closed: give a file, or pipe something in");
		return status;
	}
	if (S_ISDIR(st.st_mode)) {
		rv_fail(err, RV_LOCAL_IO, "cannot read %s: it is a folder", label);
		rv_hint(err, "name the files in it instead");
		return err->status;
	}
	*f = (struct rv_fd){ .fd = fd, .label = label };
	f->trickles = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
	if (S_ISFIFO(st.st_mode)) /* fewer, larger reads; a refusal costs nothing */
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
	if (S_ISREG(st.st_mode))
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return RV_OK;
}

enum rv_status rv_fd_read(struct rv_fd *f, void *buf, size_t size, int64_t timeout_ms,
			  size_t *ret_n, enum rv_source_state *ret_state, struct rv_error *err)
{
	bool wait = f->trickles;

	for (;;) {
		if (wait) {
			struct pollfd p = { .fd = f->fd, .events = POLLIN };
			int ms = timeout_ms < 0 ? -1
				 : timeout_ms > INT_MAX ? INT_MAX
							: (int)timeout_ms;
			int n = poll(&p, 1, ms);

			if (n == 0 || (n < 0 && errno == EINTR)) {
				*ret_n = 0;
				*ret_state = RV_SOURCE_WAIT;
				return RV_OK;
			}
			if (n < 0)
				return rv_fail_errno(err, RV_LOCAL_IO, "cannot wait for %s",
						     f->label);
		}
		ssize_t n = read(f->fd, buf, size);

		if (n >= 0) {
			f->offset += (uint64_t)n;
			*ret_n = (size_t)n;
			*ret_state = n ? RV_SOURCE_BYTES : RV_SOURCE_END;
			return RV_OK;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK) {
			/* Non-blocking, and somebody else was quicker: wait (again). */
			wait = true;
			continue;
		}
		if (errno == EINTR) {
			*ret_n = 0;
			*ret_state = RV_SOURCE_WAIT;
			return RV_OK;
		}
		return rv_fail_errno(err, RV_LOCAL_IO, "cannot read %s at byte %llu", f->label,
				     (unsigned long long)f->offset);
	}
}
