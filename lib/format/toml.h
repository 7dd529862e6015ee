/*
 * TOML 1.0, as far as configuration files of other programs use it: tables, dotted and quoted keys,
 * all kinds of strings, numbers, booleans, dates (kept as text), arrays, inline tables and arrays of
 * tables. A strict reader of small files: what is not TOML is refused with its line. Never written.
 *
 * A tree is not changed once it is read. Texts may be secrets and are wiped when it is freed.
 * Source: toml.io, "TOML v1.0.0".
 */
#ifndef RV_FORMAT_TOML_H
#define RV_FORMAT_TOML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum rv_toml_type {
	RV_TOML_TABLE,
	RV_TOML_ARRAY,
	RV_TOML_STRING,
	RV_TOML_INTEGER,
	RV_TOML_FLOAT,
	RV_TOML_BOOLEAN,
	RV_TOML_TIME,              /* a date, a time, or both: their form is looked at, not their sense */
};
struct rv_toml {
	enum rv_toml_type type;
	char *name;                /* in its table; "" for the root and the elements of arrays */
	char *text;                /* of strings their value, of other scalars as written, "_" left out */
	size_t line;               /* from 1 */
	struct rv_toml **items;    /* of tables and arrays, in the order of the file */
	size_t count, capacity;
	/* The reader's: may it still be added to, and by what? */
	bool has_header, is_closed, by_dots;
};

/* RV_BAD_CONFIG with `name` and line when it is not TOML. */
enum rv_status rv_toml_parse(const char *name, const char *text, size_t len, struct rv_toml **ret,
			     struct rv_error *err) RV_MUST_CHECK;
void rv_toml_free(struct rv_toml *toml);
void rv_toml_free_p(struct rv_toml **toml);
/* A member of a table; NULL: there is none, or `table` is none (NULL included). */
const struct rv_toml *rv_toml_get(const struct rv_toml *table, const char *name);

#endif
