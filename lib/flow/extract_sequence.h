/*
 * Numbers of extracts that follow each other: which ones are missing.
 *
 * _river/extracts/<job>/sequence.json says which number is the highest that was taken, and which ones below it were
 * not: {"v":1,"last":123,"missing":[[120,121]]}. It follows the ledger, and can only be behind it: a run that finds
 * an extract taken counts its number too.
 *
 * A number that is in the source is not missing, whatever became of its extract: one that is refused or not whole
 * yet does not hold the others.
 */
#ifndef RV_FLOW_EXTRACT_SEQUENCE_H
#define RV_FLOW_EXTRACT_SEQUENCE_H

#include "flow/extract_impl.h"

struct extract_range {
	uint64_t first, last;
};
struct extract_sequence {
	bool begun;                    /* an extract was taken, and this is the highest number: */
	uint64_t last;
	struct extract_range *missing; /* below it, ascending */
	size_t missing_count, missing_capacity;
};

/* The number in a file's name. False: it has none, or one above 2^63 - 1. */
bool extract_sequence_number(const struct rv_job *job, const char *name, uint64_t *ret);
/* Fills archives->numbers: there may be a hundred thousand, and each is asked what is missing before it. */
void extract_sequence_find(const struct rv_job *job, struct extract_archives *archives);
/* What is known, and where numbers begin if nothing is: with the lowest one found. RV_BAD_CONFIG: the declared order
 * is not that of the numbers. Released by extract_sequence_release. */
enum rv_status extract_sequence_read(const struct rv_extract_params *params,
				     const struct extract_archives *archives, struct extract_sequence *ret,
				     struct rv_error *err) RV_MUST_CHECK;
/* The first numbers between those taken and this one that are neither taken nor in the source. */
bool extract_sequence_gap(const struct extract_sequence *sequence, const struct extract_archives *archives,
			  uint64_t number, struct extract_range *ret);
/* The extract of this number was taken. */
enum rv_status extract_sequence_took(const struct rv_extract_params *params, struct extract_sequence *sequence,
				     uint64_t number, struct rv_error *err) RV_MUST_CHECK;
/* Pairs of first and last. New reference. */
json_t *extract_sequence_missing(const struct extract_sequence *sequence);
/* "12", "12 and 13", "12 to 15" */
#define EXTRACT_RANGE_TEXT 64
const char *extract_range_text(const struct extract_range *range, char ret[EXTRACT_RANGE_TEXT]);
void extract_sequence_release(struct extract_sequence *sequence);

#endif
