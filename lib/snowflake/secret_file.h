/* Files that hold secrets: read only when nobody else can, and wiped after use. */
#ifndef RV_SNOWFLAKE_SECRET_FILE_H
#define RV_SNOWFLAKE_SECRET_FILE_H

#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

/* The whole file. RV_NOT_FOUND: it is not there. RV_AUTH: others may write it, or read it and
 * SF_SKIP_TOKEN_FILE_PERMISSIONS_VERIFICATION is not true; it is too large. RV_LOCAL_IO: it cannot
 * be read. */
enum rv_status rv_snowflake_secret_file(const char *path, size_t max_bytes, struct rv_strbuf *ret,
					struct rv_error *err) RV_MUST_CHECK;
/* Overwrites and frees it. Its memory was reserved at once where it holds a secret: growing leaves
 * copies behind. */
void rv_snowflake_wipe(struct rv_strbuf *text);

#endif
