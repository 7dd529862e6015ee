/*
 * Shared by the files that turn a tree into a stream (definition.c, definition_columns.c,
 * definition_tree.c); nobody else includes this.
 */
#ifndef RV_CONFIG_DEFINITION_PARSE_H
#define RV_CONFIG_DEFINITION_PARSE_H

#include "config/definition.h"

struct rv_def {
	const char *file; /* NULL: flags */
	bool catalog;     /* id, created and the like are known keys */
	uint64_t version; /* of the catalog's form */
	struct rv_stream *stream;
	struct rv_error *err;
};

/* Fails with the message at the node's place: RV_BAD_CONFIG, or RV_USAGE for flags. */
enum rv_status rv_def_bad(struct rv_def *p, const struct rv_yaml_node *node, const char *fmt, ...)
	RV_PRINTF(3, 4);
/* Lookup; absent and null are the same: the setting keeps its default. */
const struct rv_yaml_node *rv_def_get(const struct rv_yaml_node *map, const char *key);
enum rv_status rv_def_check_kind(struct rv_def *p, const struct rv_yaml_node *node,
				 enum rv_yaml_kind kind, const char *path) RV_MUST_CHECK;
/* Refuses keys that are not in `known` (NULL-terminated), with the nearest one. */
enum rv_status rv_def_check_keys(struct rv_def *p, const struct rv_yaml_node *map, const char *path,
				 const char *const *known) RV_MUST_CHECK;
enum rv_status rv_def_parse_choice(struct rv_def *p, const struct rv_yaml_node *node,
				   const char *path, const char *const *words, int *ret) RV_MUST_CHECK;
enum rv_status rv_def_parse_bool(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, bool *ret) RV_MUST_CHECK;
enum rv_status rv_def_parse_text(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, size_t max, char **ret) RV_MUST_CHECK;
/* A list of scalars; one scalar stands for a list of one. Nothing twice. */
enum rv_status rv_def_parse_list(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, struct rv_string_list *ret) RV_MUST_CHECK;
enum rv_status rv_def_parse_duration(struct rv_def *p, const struct rv_yaml_node *node,
				     const char *path, int64_t max_ms, int64_t *ret) RV_MUST_CHECK;
/* A delimiter or quote of csv. */
enum rv_status rv_def_parse_character(struct rv_def *p, const struct rv_yaml_node *node,
				      const char *path, char *ret) RV_MUST_CHECK;
/* Fills type, precision and scale. */
enum rv_status rv_def_parse_type(struct rv_def *p, const struct rv_yaml_node *node,
				 const char *path, struct rv_column *column) RV_MUST_CHECK;
/* `has_time`: the hour counts, as it does not for a date. */
enum rv_status rv_def_check_time_format(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
					const char *format, bool has_time) RV_MUST_CHECK;
bool rv_def_is_zone(const char *s); /* "UTC", "+02:00" */
bool rv_def_is_column_name(const char *s);
/* "decimal(18", which flow style makes of decimal(18,4). */
bool rv_def_is_cut_type(const struct rv_yaml_node *node);

enum rv_status rv_def_check_column_name(struct rv_def *p, const struct rv_yaml_node *node,
					const char *path, const char *name) RV_MUST_CHECK;
/* A mapping by name (files), or a list of mappings with names (the catalog, where order matters). */
enum rv_status rv_def_parse_columns(struct rv_def *p, const struct rv_yaml_node *node) RV_MUST_CHECK;
/* Adds key columns that are not declared, and makes all of them required. `key`: where a problem is. */
enum rv_status rv_def_imply_key_columns(struct rv_def *p, const struct rv_yaml_node *key) RV_MUST_CHECK;
/* Whether a schema of that name is, or could not be told from, something else of a warehouse (stream.c). */
#define RV_DEF_SCHEMAS_TAKEN                                                                       \
	"river, temp, system, memory, information_schema and pg_catalog name other things in a warehouse"
bool rv_def_schema_is_taken(const char *schema);
/* Digits up to 1000; moves *s behind them. */
bool rv_def_take_number(const char **s, unsigned *ret);
const char *rv_def_skip_spaces(const char *s);

/* Caller frees with rv_definition_node_free. */
struct rv_yaml_node *rv_def_node_of_json(const json_t *json);

#endif
