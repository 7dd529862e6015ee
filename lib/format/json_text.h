/*
 * Small help around jansson for what river writes itself: journals, checkpoints, receipts. Never
 * for records.
 */
#ifndef RV_FORMAT_JSON_TEXT_H
#define RV_FORMAT_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

/*
 * From now on jansson ends the process where there is no memory, as rv_malloc does. On its own it hands back
 * NULL: a member that is not set, an object that is not written whole, and a line that was read whole counts as
 * damaged. Nobody asks at every json_object_set_new. Before the first value is made.
 */
void rv_json_memory(void);

/* Append `value` on one line, keys in insertion order. */
void rv_json_dump(struct rv_strbuf *sb, const json_t *value);
/* A line that notices damage: 8 hex digits of CRC-32C, a blank, `value` on one line, a line end.
 * Takes the reference. */
void rv_json_line(struct rv_strbuf *sb, json_t *value);
/* The way back, without the line end; NULL when the sum or the JSON is wrong. New reference. */
json_t *rv_json_line_parse(const char *line, size_t len);

/* Bytes that may not be UTF-8 (file names): a string if they are, else {"hex":"..."}. */
json_t *rv_json_bytes(const char *s);
/* The way back; NULL when it is neither. Caller frees. */
char *rv_json_bytes_value(const json_t *value);

/* 64-bit hashes are written as 16 hex digits: JSON numbers would lose bits in other programs. */
json_t *rv_json_hex64(uint64_t v);
bool rv_json_get_hex64(const json_t *object, const char *key, uint64_t *ret);
/* 0 when absent or not a number from 0. */
uint64_t rv_json_get_u64(const json_t *object, const char *key);

#endif
