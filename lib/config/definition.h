/*
 * A stream's definition as text: YAML and flags in, YAML and JSON out, and what differs.
 *
 * Everything comes through one tree (struct rv_yaml_node), whether it was YAML, the catalog's JSON
 * or flags of `stream create`, so there is one set of rules. Problems found in a file are
 * RV_BAD_CONFIG with file, line and column; a tree without a file is the command line's and its
 * problems are RV_USAGE. Messages name the key ("columns.price.type: ...").
 *
 * What is not said but follows is filled in: key columns that are not declared become required
 * strings, in front; layers are raw, with columns clean
 * too, with a key all three; `csv:` alone means format csv.
 *
 * Arguments are borrowed for the call; `ret_` belongs to the caller.
 */
#ifndef RV_CONFIG_DEFINITION_H
#define RV_CONFIG_DEFINITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/stream.h"
#include "format/yaml.h"

/* Version 1 writes "," between the fields of csv where nobody asked for one; 2 is written where somebody did. */
#define RV_DEFINITION_VERSION 2
/* Of the catalog's form, with what the catalog adds; longer definitions are refused when parsed. */
#define RV_DEFINITION_MAX_BYTES (1 << 20)
#define RV_COLUMNS_MAX 1000

/* `file` NULL: the tree was made from flags. `ret` is initialised and untouched on failure. */
enum rv_status rv_definition_parse(const char *file, const struct rv_yaml_node *root,
				   struct rv_stream *ret, struct rv_error *err) RV_MUST_CHECK;
/* The catalog's form; `object` is its name, for messages. A newer version is refused by name. */
enum rv_status rv_definition_from_json(const char *object, const char *text, size_t len,
				       struct rv_stream *ret, struct rv_error *err) RV_MUST_CHECK;
/* The catalog's form: {"v":1,"stream":...}, every setting said out, id, creation and `since` only
 * where the stream has them. Caller decrefs. */
json_t *rv_definition_json(const struct rv_stream *stream);
/* What -f reads; id and creation time as comments. Appends. */
void rv_definition_yaml(const struct rv_stream *stream, struct rv_strbuf *sb);

/* One call of `each` (Optional) for each setting that differs; a side that does not have it is
 * NULL. Order of columns and who made the stream when are no difference. Returns how many. */
size_t rv_definition_diff(const struct rv_stream *from, const struct rv_stream *to,
			  void (*each)(void *arg, const char *key, const char *from, const char *to),
			  void *arg);
/* Whether rows already in clean and latest would differ under `to`, so that both are made again from
 * raw. A new column alone does not: it is back-filled. */
bool rv_definition_rebuilds(const struct rv_stream *from, const struct rv_stream *to);

const char *rv_column_type_name(enum rv_column_type type); /* "decimal" without its numbers */
/* "decimal(18,4)", "string" into buf of RV_COLUMN_TYPE_TEXT bytes; returns buf. */
#define RV_COLUMN_TYPE_TEXT 24
const char *rv_column_type_text(const struct rv_column *column, char *buf);

/* Trees made by hand, for flags; file positions are 0. */
struct rv_yaml_node *rv_definition_scalar(const char *text);
struct rv_yaml_node *rv_definition_node(enum rv_yaml_kind kind);
/* `key` NULL for sequences. Takes `value`. */
void rv_definition_put(struct rv_yaml_node *parent, const char *key, struct rv_yaml_node *value);
void rv_definition_node_free(struct rv_yaml_node *node);
void rv_definition_node_free_p(struct rv_yaml_node **node);
/* `NAME=TYPE [from PATH] [required] [format FORMAT] [timezone ZONE]` (the value of --column), put
 * into a mapping of columns; format takes the rest of its words up to `timezone` or `required`. */
enum rv_status rv_definition_put_column(struct rv_yaml_node *columns, const char *text,
					struct rv_error *err) RV_MUST_CHECK;

#endif
