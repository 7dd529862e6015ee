/* What the files of extract_infer share. */
#ifndef RV_FLOW_EXTRACT_INFER_IMPL_H
#define RV_FLOW_EXTRACT_INFER_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/definition.h"
#include "config/job.h"
#include "flow/extract_infer.h"

#define RV_INFER_NONE SIZE_MAX

/* ---- sets of hashes (extract_infer_set.c) ---- */

/* Hashes up to a threshold, which is halved whenever there are more than `most` of them: what is kept is the
 * same in whatever order they came, and two sets can be compared below the lower of their thresholds. */
struct rv_infer_set {
	uint64_t *slots;        /* 0: free */
	size_t room, count, most;
	uint64_t threshold;
};
void rv_infer_set_init(struct rv_infer_set *set, size_t most);
void rv_infer_set_release(struct rv_infer_set *set);
/* False: it was there already. A hash above the threshold is passed over, and is none that was there. */
bool rv_infer_set_add(struct rv_infer_set *set, uint64_t hash);
/* Keeps no more than so many, and no more memory than they need. */
void rv_infer_set_shrink(struct rv_infer_set *set, size_t most);
bool rv_infer_set_has(const struct rv_infer_set *set, uint64_t hash);
/* How many different ones came, about: exact as long as the threshold is UINT64_MAX. */
double rv_infer_set_distinct(const struct rv_infer_set *set);
/* Of the hashes of `part` below both thresholds, how many there are, and how many `whole` has; with
 * `only_all` no more of them are compared once one is missing. */
size_t rv_infer_set_within(const struct rv_infer_set *part, const struct rv_infer_set *whole,
			   bool only_all, size_t *ret_compared);

/* ---- types (extract_infer_type.c) ---- */

#define RV_INFER_SHOWN 48
/* What the values of a column have been so far. */
struct rv_infer_type {
	bool integer, number, boolean; /* every value was one */
	uint64_t formats;              /* of dates and times that every value fits */
	unsigned whole, scale, scale_least; /* digits of numbers before and behind the point, at most */
	bool zoneless;                 /* some time does not say its zone */
	uint64_t values;
	char other[RV_INFER_SHOWN];    /* the value that left nothing but string */
	uint64_t other_row;
	const char *other_why;
};
void rv_infer_type_init(struct rv_infer_type *type);
void rv_infer_type_add(struct rv_infer_type *type, const char *p, size_t len, uint64_t row);
/* Fills type, precision, scale, format (borrowed, NULL: the type's own) of `ret`, and `why`. */
void rv_infer_type_say(const struct rv_infer_type *type, struct rv_column *ret, struct rv_strbuf *why);
/* Whether these are times of which each says its zone. */
bool rv_infer_type_has_zone(const struct rv_infer_type *type);
/* Whether this text, alone, looks like a number, a date or a time. */
bool rv_infer_type_is_typed(const char *p, size_t len);

/* ---- the dialect of a member (extract_infer_dialect.c) ---- */

struct rv_infer_cell {
	const char *p;          /* without its quotes; what stands doubled is still so */
	size_t len;
	bool quoted;
};
/* The first bytes of a member, and what they look like. */
struct rv_infer_head {
	struct rv_strbuf text;  /* UTF-8, whole rows */
	bool ascii;             /* nothing above it was seen: the encoding is open */
	bool table;             /* it is one at all */
	const char *why_not;
	struct rv_job_dialect dialect; /* its names are those of the columns; nulls as seen */
	const char *line_end;   /* in words */
	const char *header_why;
	size_t rows, good;      /* how many were looked at, how many are as wide as most */
};
/* `bytes` are the first ones, all there are if `whole`. */
void rv_infer_head_read(const char *bytes, size_t len, bool whole, struct rv_infer_head *ret);
void rv_infer_head_release(struct rv_infer_head *head);

/* ---- tables ---- */

#define RV_INFER_PAIRS 4
struct rv_infer_column {
	char *header;           /* as the header says it; "" for none */
	char *name;             /* NULL: it cannot be kept, why_not says why */
	const char *why_not;
	bool from;              /* the name is not the header's */
	struct rv_infer_type seen;
	uint64_t nulls;
	bool unique;            /* so far, without nulls; the set has them all */
	bool tracked;           /* distinct values are counted at all */
	struct rv_infer_set all;    /* while it is unique */
	struct rv_infer_set sample; /* of its distinct values */
	struct rv_column type;  /* once the rows are read */
	struct rv_strbuf why;
	size_t parent;          /* a table whose key has its values, or NONE */
	size_t within, compared;
};
struct rv_infer_pair {
	size_t a, b;
	bool unique;
	struct rv_infer_set all;
};
struct rv_infer_table {
	char *name;
	char *glob;             /* of its members */
	char *pattern;          /* their names without digits */
	const char *also;       /* a member it matches that is not of the table */
	size_t *members;        /* entries of the archive, ordered by name */
	size_t members_count, members_room;
	struct rv_job_dialect dialect;
	bool ascii;             /* the encoding is open */
	const char *line_end, *header_why;
	struct rv_infer_column *columns;
	size_t columns_count;
	struct rv_infer_pair pairs[RV_INFER_PAIRS];
	size_t pairs_count;
	uint64_t rows, rejected;
	char reject[256];       /* the first one */
	bool whole;             /* every member was read to its end */
	size_t key[2];
	size_t key_count;
	struct rv_strbuf key_why;
	/* of the reading */
	uint64_t *first;        /* hashes of the first rows, columns_tracked each; 0: null */
	size_t first_rows;
	bool elected;
};

/* Keys (extract_infer_key.c): before the rows, for each row (a hash a column, 0 null), behind them. */
void rv_infer_key_start(struct rv_infer_table *table);
void rv_infer_key_row(struct rv_infer_table *table, const uint64_t *hashes);
/* `kept` values of the key stay for rv_infer_relate. */
void rv_infer_key_end(struct rv_infer_table *table, size_t kept);
/* How much a column is called like a key: 0 not at all. */
unsigned rv_infer_key_name(const char *table, const char *column);

struct rv_infer {
	const struct rv_extract_infer_params *params;
	struct rv_zip *zip;
	struct rv_infer_table *tables;
	size_t tables_count;
	struct rv_strbuf others; /* comments on members that are no tables */
	struct rv_job_dialect dialect; /* of most tables; not owned */
	bool timezone;           /* some times have none */
};
/* Which column refers to which key; types of both are made the same (extract_infer_key.c). */
void rv_infer_relate(struct rv_infer *infer);
/* "order" of "orders". Returns its length. */
size_t rv_infer_singular(const char *name);

/* Members (extract_infer_group.c): which of them are one table, and what they have in common. */
/* Adds entry `i` to a table, or says in infer->others why it is none. */
enum rv_status rv_infer_add_member(struct rv_infer *infer, size_t i, struct rv_error *err) RV_MUST_CHECK;
/* Names, globs and columns, once all members are there. */
void rv_infer_name_tables(struct rv_infer *infer);
/* A name with ? and [0-9]* for what changes. Appends. */
void rv_infer_glob_of(const char *name, struct rv_strbuf *sb);
/* "orders" of "ORDERS_2026-11-20.csv.gz", or `otherwise`; caller frees. */
char *rv_infer_name(const char *file, const char *otherwise);

/* The text (extract_infer_print.c, extract_infer_tree.c). */
void rv_infer_print(const struct rv_infer *infer, struct rv_strbuf *sb);
void rv_infer_print_documents(const struct rv_infer *infer, struct rv_strbuf *sb);
/* In double quotes, good for YAML and in a comment of it. */
void rv_infer_quote(struct rv_strbuf *sb, const char *p, size_t len);

#endif
