/*
 * YAML from outside as a small tree that remembers where everything stood.
 *
 * Over libyaml's events, with limits checked per event: file at most 1 MiB, depth at most 32,
 * 100,000 nodes, 64 KiB a scalar; anchors, aliases, tags and merge keys are refused, duplicate keys
 * too. Hostile input is refused in milliseconds. Errors are RV_BAD_CONFIG with file, line, column.
 */
#ifndef RV_FORMAT_YAML_H
#define RV_FORMAT_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"

#define RV_YAML_MAX_BYTES (1 << 20)
#define RV_YAML_MAX_DEPTH 32
#define RV_YAML_MAX_NODES 100000
#define RV_YAML_MAX_SCALAR_BYTES (64 << 10)

enum rv_yaml_kind { RV_YAML_SCALAR, RV_YAML_SEQUENCE, RV_YAML_MAPPING };
struct rv_yaml_node {
	enum rv_yaml_kind kind;
	uint64_t line, column;           /* from 1 */
	char *text;                      /* SCALAR: never NULL, no NUL inside */
	bool quoted;                     /* SCALAR: was quoted or a block, so never null or a number */
	struct rv_yaml_node **items;     /* SEQUENCE: items; MAPPING: values */
	struct rv_yaml_node **keys;      /* MAPPING: scalars, one per item */
	size_t count;
};
struct rv_yaml_documents {
	char *file;
	struct rv_yaml_node **roots;
	size_t count;                    /* 0 for an empty file */
};

/* Parse all documents of `text`; `file` is for messages and copied. */
enum rv_status rv_yaml_parse(const char *file, const char *text, size_t len,
			     struct rv_yaml_documents *ret, struct rv_error *err) RV_MUST_CHECK;
/* The same from a regular file: a missing one is RV_NOT_FOUND, a folder, FIFO or device
 * RV_BAD_CONFIG, never a wait. `ret_stat` (Optional) is of the very file that was opened, filled also
 * when what is in it is refused. */
enum rv_status rv_yaml_read(const char *path, struct stat *ret_stat, struct rv_yaml_documents *ret,
			    struct rv_error *err) RV_MUST_CHECK;
void rv_yaml_release(struct rv_yaml_documents *documents);

/* MAPPING lookup; NULL when absent. */
const struct rv_yaml_node *rv_yaml_get(const struct rv_yaml_node *map, const char *key);
/* A plain (not quoted) empty, ~ or null scalar. */
bool rv_yaml_is_null(const struct rv_yaml_node *node);

#endif
