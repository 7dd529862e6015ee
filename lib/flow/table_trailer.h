/*
 * The last row of a member that says how many rows it has, where the dialect declares one: what was cut off
 * before it was packed, or lost on the way, is noticed by nothing else.
 */
#ifndef RV_FLOW_TABLE_TRAILER_H
#define RV_FLOW_TABLE_TRAILER_H

#include "base/error.h"
#include "config/job.h"

struct rv_table_trailer {
	bool found;
	uint64_t line, count;
};

/* A row, without its line end; *ret_is: it is the trailer, and no row of the table. RV_BAD_DATA: it stands behind
 * the trailer. */
enum rv_status rv_table_trailer_row(struct rv_table_trailer *trailer, const struct rv_job_dialect *dialect,
				    const char *label, uint64_t line, const char *row, size_t len, bool *ret_is,
				    struct rv_error *err) RV_MUST_CHECK;
/* The member has ended, with so many rows of the table, good or not. RV_BAD_DATA: its trailer says something
 * else, or is not there. Fine where none is declared. */
enum rv_status rv_table_trailer_end(const struct rv_table_trailer *trailer, const struct rv_job_dialect *dialect,
				    const char *label, uint64_t rows, struct rv_error *err) RV_MUST_CHECK;

#endif
