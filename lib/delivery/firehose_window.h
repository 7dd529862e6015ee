/*
 * A window: the lines of a batch, or of a piece of a large one, and what became of each. Requests
 * are cut from what is still waiting, and their answers entered by position. Nothing here sends or
 * waits; one thread at a time.
 */
#ifndef RV_DELIVERY_FIREHOSE_WINDOW_H
#define RV_DELIVERY_FIREHOSE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/firehose.h"

/* So much of a batch is looked at together: bounds memory, whatever the batch. */
#define RV_FIREHOSE_WINDOW_BYTES (8u << 20)
#define RV_FIREHOSE_WINDOW_LINES (256u << 10)

struct rv_firehose_window {
	const char *bytes;      /* borrowed */
	uint32_t *ends;         /* line i is bytes[ends[i - 1]..ends[i]), with its newline */
	uint8_t *state;         /* RV_FIREHOSE_LINE_... */
	uint8_t *past;          /* times refused, and RV_FIREHOSE_LINE_DOUBTED */
	size_t count, capacity;
	size_t first_waiting;   /* no line before it is waiting */
	size_t left;            /* lines that are not taken yet */
	bool begun_before;      /* some were taken by an earlier attempt */
	bool too_long;          /* a line is over RV_FIREHOSE_RECORD_MAX; it is not among the lines */
};
#define RV_FIREHOSE_WINDOW_INIT { 0 }
enum { RV_FIREHOSE_LINE_WAITING, RV_FIREHOSE_LINE_FLYING, RV_FIREHOSE_LINE_TAKEN };
#define RV_FIREHOSE_LINE_DOUBTED 0x80u

void rv_firehose_window_release(struct rv_firehose_window *window);
/* Cuts as many lines as a window takes from the front of `bytes`, which stay borrowed until the
 * next open; returns the bytes of those lines. What is left without a newline is no line. */
size_t rv_firehose_window_open(struct rv_firehose_window *window, const char *bytes, size_t len);
/* Bits of an earlier attempt, from bit `first` on, belong to the lines in order. */
void rv_firehose_window_mark(struct rv_firehose_window *window, const uint8_t *acknowledged,
			     uint64_t first);

struct rv_firehose_limits {
	size_t records;      /* 1..RV_FIREHOSE_BATCH_RECORDS */
	size_t bytes;        /* of a request; the first record goes in whatever its size */
	size_t record_bytes; /* 0: a line is a record; else lines that follow each other are packed
			      * into records of at most so many bytes, a longer line alone */
};
/* Lines that are sent together, and the records they make. */
struct rv_firehose_load {
	size_t count;
	struct rv_firehose_record records[RV_FIREHOSE_BATCH_RECORDS];
	struct {
		uint32_t first, lines;
	} spans[RV_FIREHOSE_BATCH_RECORDS];
	size_t lines;
	bool all_refused_before; /* every line in it was refused while others got through */
};
/* Takes waiting lines into `load`; false when none is waiting. They fly until they are settled. */
bool rv_firehose_window_claim(struct rv_firehose_window *window,
			      const struct rv_firehose_limits *limits,
			      struct rv_firehose_load *load);

struct rv_firehose_settled {
	uint64_t taken_lines, taken_bytes, billed_bytes;
	uint64_t refused_lines; /* wait again */
	uint64_t doubted_lines; /* wait again, and for the first time it is unknown whether they were
				 * taken */
	unsigned most_refusals; /* of one line, while others got through */
};
/* Enters what became of a load. `answered`: record by record; otherwise the call as a whole failed,
 * which is held against none of them. `acknowledged` Optional: the bits of lines that were taken
 * are set, bit `first` for the window's first line. */
void rv_firehose_window_settle(struct rv_firehose_window *window, const struct rv_firehose_load *load,
			       const enum rv_firehose_fate *fates, bool answered,
			       uint8_t *acknowledged, uint64_t first,
			       struct rv_firehose_settled *ret);

#endif
