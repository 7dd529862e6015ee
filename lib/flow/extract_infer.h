/*
 * A first job file for an archive: what its members look like, as a job says it, with the reason for each
 * guess beside it. Members are read through the reader that a run reads them with; a type is said only when
 * every value that was read has it, keys and relations are what holds in the rows that were read. It is a
 * guess about files that are not there yet: a person reads it before cron does.
 *
 * The same archive gives the same text. Memory is bounded, whatever the archive holds: values are compared by
 * their hashes, in sets that keep an even sample of them once they are full.
 */
#ifndef RV_FLOW_EXTRACT_INFER_H
#define RV_FLOW_EXTRACT_INFER_H

#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "source/zip.h"

struct rv_extract_infer_params {
	const char *file;       /* Required: the archive, as the job is to name it */
	uint64_t member_bytes;  /* text read of each member at most; 0: 64 MiB */
	uint64_t table_bytes;   /* and of all members of a table; 0: 256 MiB */
};

/* Appends the job file, which rv_job_parse takes. RV_BAD_DATA: no member is a table, or one is damaged;
 * fails as reading a member does. */
enum rv_status rv_extract_infer(struct rv_zip *zip, const struct rv_extract_infer_params *params,
				struct rv_strbuf *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
