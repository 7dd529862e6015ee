/*
 * Reading a descriptor that may trickle: shared by the standard input and the file source.
 */
#ifndef RV_SOURCE_FD_H
#define RV_SOURCE_FD_H

#include "source/source.h"

struct rv_fd {
	int fd;
	bool trickles;   /* pipe, socket, terminal: poll before reading */
	const char *label;
	uint64_t offset; /* bytes read so far, for messages */
};

/* Looks what kind of thing the descriptor is; a folder is refused. */
enum rv_status rv_fd_init(struct rv_fd *f, int fd, const char *label,
			  struct rv_error *err) RV_MUST_CHECK;
/* As rv_source_ops.read. */
enum rv_status rv_fd_read(struct rv_fd *f, void *buf, size_t size, int64_t timeout_ms,
			  size_t *ret_n, enum rv_source_state *ret_state,
			  struct rv_error *err) RV_MUST_CHECK;

#endif
