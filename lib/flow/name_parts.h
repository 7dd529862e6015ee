/*
 * The pieces that names in the lake are made of, taken apart without copying. Folders are taken
 * from the left; counts from the right, for a run's own name may hold dashes.
 */
#ifndef RV_FLOW_NAME_PARTS_H
#define RV_FLOW_NAME_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text up to the next '/' into `field`, *p moves behind it; false when it is empty or too long. */
bool rv_name_take_folder(const char **p, char *field, size_t size);
/* Takes "-h" and 16 hex digits off the end of p[0..*len). */
bool rv_name_take_hash(const char *p, size_t *len, uint64_t *ret);
/* Takes '-', the letter and a number off the end. */
bool rv_name_take_count(const char *p, size_t *len, char letter, uint64_t *ret);
/* Takes '-' and a number of at least six digits off the end. */
bool rv_name_take_seq(const char *p, size_t *len, uint64_t *ret);
/* What is left is the run: into ret of RV_RUN_MAX + 1 bytes, when it is a run's name. */
bool rv_name_take_run(const char *p, size_t len, char *ret);

#endif
