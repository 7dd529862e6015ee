/*
 * Names of a ZIP's entries: which may be, how they are shown, which count as the same. They are bytes of
 * a stranger; river only matches them against patterns, and still refuses those that an extractor would
 * have to fear, because an archive that has them was not made by an export.
 */
#ifndef RV_FORMAT_ZIP_NAME_H
#define RV_FORMAT_ZIP_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* NULL when the name may be, else why not: "leads out of the archive". A folder's ends in a slash. */
const char *rv_zip_name_fault(const char *name, size_t len);
bool rv_utf8_valid(const char *p, size_t len);
/* Appends the name for messages: control characters, backslashes and what is no UTF-8 as \xNN. At most
 * `max` bytes of it, then "...". */
void rv_zip_name_show(struct rv_strbuf *sb, const char *name, size_t len, size_t max);
/* Appends what the name has in common with those that some file systems take for the same: letters
 * without case, composed characters taken apart (NFD), folders without their slash. */
void rv_zip_name_fold(struct rv_strbuf *sb, const char *name, size_t len);

#endif
