/* What a power cut has left of DuckDB's log. */
#include "warehouse/duckdb_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum { PIECE_BYTES = 1 << 16 };

/* Where the last byte ends that is not zero; -1 when that cannot be known. */
static off_t end_of_bytes(int fd, off_t end, const char *path)
{
	RV_CLEANUP(rv_free_p) char *piece = rv_malloc(PIECE_BYTES);
	while (end > 0) {
		struct rv_error ignored = RV_ERROR_INIT;
		size_t n, want = end < PIECE_BYTES ? (size_t)end : PIECE_BYTES;
		if (rv_pread_full(fd, piece, want, (uint64_t)end - want, &n, path, &ignored) != RV_OK ||
		    n != want)
			return -1;
		while (want > 0 && !piece[want - 1])
			want--;
		if (want > 0)
			return end - (off_t)(n - want);
		end -= (off_t)n;
	}
	return 0;
}

bool duck_log_cut_zeros(const char *path)
{
	RV_CLEANUP(rv_free_p) char *log = rv_asprintf("%s.wal", path);
	RV_CLEANUP(rv_close_p) int fd = rv_open(log, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	off_t end = end_of_bytes(fd, st.st_size, log);
	return end >= 0 && end < st.st_size && ftruncate(fd, end) == 0;
}
