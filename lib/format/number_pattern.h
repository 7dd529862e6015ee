/*
 * Texts with a number in them, by an example: "ext-{number}*.zip", "T|{count}". The word in braces stands for
 * digits, all that there are at its place, * for anything, all else for itself. Bytes, not characters.
 */
#ifndef RV_FORMAT_NUMBER_PATTERN_H
#define RV_FORMAT_NUMBER_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether {word} is in it exactly once. */
bool rv_number_pattern_is_good(const char *pattern, const char *word);
/* Whether `text` is one of those, and its number: at most 2^64 - 1. The pattern is a good one. */
bool rv_number_pattern_match(const char *pattern, const char *word, const char *text, size_t len, uint64_t *ret);

#endif
