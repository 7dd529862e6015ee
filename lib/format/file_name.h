/*
 * What the name of a file says about what is in it, also when log rotation or a compressor have put something
 * behind it: app.log.1, app.csv-20261129.gz.
 */
#ifndef RV_FORMAT_FILE_NAME_H
#define RV_FORMAT_FILE_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* The length without one .gz, .zst, .bz2 or .xz. */
size_t rv_name_unpacked(const char *name, size_t len);
/* Whether s[0..len) is what rotation puts behind a name: a number or a time, as ".1" or "-2026-11-29T10". */
bool rv_name_is_counter(const char *s, size_t len);
/* The length without such a counter. */
size_t rv_name_uncounted(const char *name, size_t len);
/* In either case of letters; a name that is nothing but the ending does not count. */
bool rv_name_ends_with(const char *name, size_t len, const char *ending);

#endif
