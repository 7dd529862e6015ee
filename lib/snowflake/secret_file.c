/* As Snowflake's own command line has it: what others may write is never read. */
#include "snowflake/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"

#define SKIP "SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION"

static enum rv_status check_mode(const char *path, mode_t mode, struct rv_error *err)
{
	const char *skip = getenv(SKIP);
	bool may_be_read = skip && strcasecmp(skip, "true") == 0;
	if (mode & 022) {
		rv_fail(err, RV_AUTH, "%s can be written by others (mode %04o)", path,
			(unsigned)mode & 07777);
		rv_hint(err, "chmod 600 %s", path);
		return err->status;
	}
	if ((mode & 044) && !may_be_read) {
		rv_fail(err, RV_AUTH, "%s can be read by others (mode %04o)", path,
			(unsigned)mode & 07777);
		rv_hint(err, "chmod 600 %s; where that cannot be, set " SKIP "=true", path);
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_snowflake_secret_file(const char *path, size_t max_bytes, struct rv_strbuf *ret,
					struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	struct stat st;
	size_t n;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return rv_fail(err, RV_NOT_FOUND, "no file %s", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "open %s", path);
	if (!S_ISREG(st.st_mode))
		return rv_fail(err, RV_LOCAL_IO, "%s is not a file", path);
	if (check_mode(path, st.st_mode, err) != RV_OK)
		return err->status;
	if ((uintmax_t)st.st_size > max_bytes)
		return rv_fail(err, RV_AUTH, "%s is larger than %zu bytes", path, max_bytes);
	rv_strbuf_reserve(ret, (size_t)st.st_size + 1);
	if (rv_pread_full(fd, ret->bytes + ret->len, (size_t)st.st_size, 0, &n, path, err) != RV_OK)
		return err->status;
	ret->len += n;
	ret->bytes[ret->len] = '\0';
	return RV_OK;
}

void rv_snowflake_wipe(struct rv_strbuf *text)
{
	if (text->capacity)
		explicit_bzero(text->bytes, text->capacity);
	rv_strbuf_release(text);
}
