/*
 * The rows of a data set, one after the other: files, or standard input, once or again and again. Knows
 * where each row is, so that a later process can go on there.
 *
 * One thread uses a feed. What a row points to is valid until the next call.
 */
#ifndef RV_FLOW_PUMP_FEED_H
#define RV_FLOW_PUMP_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/map.h"

/* A place between two rows that reading can begin at. */
struct rv_pump_place {
	uint64_t row;          /* number of the next row, over all passes */
	uint64_t pass, file;   /* from 0 */
	uint64_t offset, line; /* of the file's text */
	unsigned in_array;
	enum rv_format format; /* AUTO at offset 0 */
	char *csv_header;      /* Optional; owned */
};
void rv_pump_place_release(struct rv_pump_place *place);
void rv_pump_place_copy(const struct rv_pump_place *from, struct rv_pump_place *to); /* to: released */

struct rv_pump_feed_params {
	char *const *files;    /* "-": standard input, alone */
	size_t files_count;
	const struct rv_map *map;
	uint64_t passes;       /* 0: for ever */
	const struct rv_pump_place *from; /* Optional */
};
enum rv_pump_what {
	RV_PUMP_ROW,
	RV_PUMP_BAD,           /* a line that is no row; `reason` says why */
	RV_PUMP_WAIT,          /* time is over, or a signal came */
	RV_PUMP_AGAIN,         /* the data begins anew */
	RV_PUMP_END,
};
struct rv_pump_next {
	enum rv_pump_what what;
	uint64_t number;       /* ROW, BAD: from 0 */
	const char *record;    /* ROW */
	size_t len;
	const char *file;      /* ROW, BAD: for messages, with the line (of the row, roughly of a ROW) */
	uint64_t line;
	const char *reason;
};
struct rv_pump_feed;
/* Files are looked for now, so that a slip is found before anything is sent. */
enum rv_status rv_pump_feed_new(const struct rv_pump_feed_params *params, struct rv_pump_feed **ret,
				struct rv_error *err) RV_MUST_CHECK;
void rv_pump_feed_free(struct rv_pump_feed *feed);
void rv_pump_feed_free_p(struct rv_pump_feed **feed);
enum rv_status rv_pump_feed_next(struct rv_pump_feed *feed, int64_t timeout_ms,
				 struct rv_pump_next *ret, struct rv_error *err) RV_MUST_CHECK;
/* A place at or before the row that was given last; borrowed, until the next call. */
const struct rv_pump_place *rv_pump_feed_place(const struct rv_pump_feed *feed);
/* Input bytes read in this pass and of all its files, for progress; 0: not known. */
void rv_pump_feed_progress(const struct rv_pump_feed *feed, uint64_t *ret_done, uint64_t *ret_total);

#endif
