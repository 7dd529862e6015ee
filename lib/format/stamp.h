/*
 * Stamps (semantics.md 3.4): what a record carries so that it can be told twice landed from twice
 * sent, spliced in front of its closing brace:
 *
 *   {"a":1,"_river":{"id":"<run>-<seq %06u>-<n>"}}       n counts the records of a batch from 1
 *   {"a":1,"_river":{"id":"...","at":"...","host":"...","source":"..."}}          stamp: full
 *
 * Cutting it off gives back the very bytes it was put on. That works because the bytes are JSON: the
 * text of a stamp can stand only where a stamp is, for inside of a string its quotes are escaped, and
 * what ends with it and one more brace is the outermost object. A record of a stamped stream has no
 * "_river" of its own (the reader refuses it).
 */
#ifndef RV_FORMAT_STAMP_H
#define RV_FORMAT_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define RV_STAMP_RUN_MAX 64
/* "<run>-<seq>-<n>" with its end */
#define RV_STAMP_ID_TEXT (RV_STAMP_RUN_MAX + 1 + 20 + 1 + 20 + 1)
/* No stamp is longer, the comma in front of it included. */
#define RV_STAMP_MAX_BYTES 8192
/* Nor one that has an id only. */
#define RV_STAMP_ID_MAX_BYTES 128

struct rv_stamp_id {
	struct rv_str run;   /* points into what was parsed */
	uint64_t seq, n;
};
/* False for anything that rv_stamp_id_format would not give. */
bool rv_stamp_id_parse(const char *p, size_t len, struct rv_stamp_id *ret);
void rv_stamp_id_format(const struct rv_stamp_id *id, char ret[RV_STAMP_ID_TEXT]);

/* Stamps the records of one batch after another. */
struct rv_stamper {
	struct rv_strbuf head;   /* ,"_river":{"id":"<run>-<seq>- */
	struct rv_strbuf tail;   /* "}} and a newline, with what `full` adds */
	uint64_t n;              /* of the last record */
};
#define RV_STAMPER_INIT { .head = RV_STRBUF_INIT, .tail = RV_STRBUF_INIT }
struct rv_stamper_params {
	const char *run;
	uint64_t seq;
	bool full;
	int64_t at_ms;             /* full only: the run's start, */
	const char *host, *source; /* and where it is; cut to 500 bytes */
};
void rv_stamper_begin(struct rv_stamper *stamper, const struct rv_stamper_params *params);
void rv_stamper_release(struct rv_stamper *stamper);
/* The most a stamp of this batch adds to a record, whatever its number. */
size_t rv_stamper_max_bytes(const struct rv_stamper *stamper);
/* Appends records to `out`, stamped. Each is valid JSON, an object, and followed by one newline. */
void rv_stamper_lines(struct rv_stamper *stamper, const char *p, size_t len, struct rv_strbuf *out);

/*
 * Finds the stamp of a record (without its newline; valid JSON). False: it has none. Otherwise the
 * record without it is p[0..*ret_keep) and a '}': a caller that may write into its bytes puts the
 * brace at p[*ret_keep] and has it in one piece.
 */
bool rv_stamp_cut(const char *p, size_t len, size_t *ret_keep, struct rv_stamp_id *ret);

#endif
