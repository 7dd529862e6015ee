/*
 * Trees that do not come from YAML: from the catalog's JSON and from flags of `stream create`, so
 * that definition.c has one kind of input.
 */
#include "config/definition_parse.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct rv_yaml_node *rv_def_node_of_json(const json_t *json)
{
	struct rv_yaml_node *node;

	if (json_is_object(json)) {
		const char *key;
		json_t *value;

		node = rv_definition_node(RV_YAML_MAPPING);
		/* jansson's macro casts the const away for writers; nothing is written */
		for (void *it = json_object_iter((json_t *)(uintptr_t)json); it;
		     it = json_object_iter_next((json_t *)(uintptr_t)json, it)) {
			key = json_object_iter_key(it);
			value = json_object_iter_value(it);
			rv_definition_put(node, key, rv_def_node_of_json(value));
		}
		return node;
	}
	if (json_is_array(json)) {
		node = rv_definition_node(RV_YAML_SEQUENCE);
		for (size_t i = 0; i < json_array_size(json); i++)
			rv_definition_put(node, NULL, rv_def_node_of_json(json_array_get(json, i)));
		return node;
	}
	if (json_is_string(json))
		return rv_definition_scalar(json_string_value(json));
	RV_CLEANUP(rv_free_p) char *text = json_dumps(json, JSON_ENCODE_ANY);

	node = rv_definition_scalar(text ? text : "null");
	node->quoted = false;
	return node;
}

struct rv_yaml_node *rv_definition_node(enum rv_yaml_kind kind)
{
	struct rv_yaml_node *node = rv_calloc(1, sizeof(*node));

	node->kind = kind;
	return node;
}

struct rv_yaml_node *rv_definition_scalar(const char *text)
{
	struct rv_yaml_node *node = rv_definition_node(RV_YAML_SCALAR);

	node->text = rv_strdup(text);
	node->quoted = true;
	return node;
}

void rv_definition_put(struct rv_yaml_node *parent, const char *key, struct rv_yaml_node *value)
{
	parent->items = rv_realloc_array(parent->items, parent->count + 1, sizeof(*parent->items));
	parent->items[parent->count] = value;
	if (parent->kind == RV_YAML_MAPPING) {
		parent->keys =
			rv_realloc_array(parent->keys, parent->count + 1, sizeof(*parent->keys));
		parent->keys[parent->count] = rv_definition_scalar(key);
	}
	parent->count++;
}

void rv_definition_node_free(struct rv_yaml_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->count; i++) {
		rv_definition_node_free(node->items[i]);
		if (node->keys)
			rv_definition_node_free(node->keys[i]);
	}
	free(node->items);
	free(node->keys);
	free(node->text);
	free(node);
}

void rv_definition_node_free_p(struct rv_yaml_node **node)
{
	rv_definition_node_free(*node);
	*node = NULL;
}

/* The next word behind blanks; false at the end. Blanks inside parentheses belong to the word, so
 * "decimal(18, 4)" is one. */
static bool next_word(const char **s, struct rv_str *ret)
{
	const char *p = rv_def_skip_spaces(*s);
	const char *start = p;
	int depth = 0;

	for (; *p && (*p != ' ' || depth > 0); p++)
		depth += (*p == '(') - (*p == ')');
	*s = p;
	*ret = (struct rv_str){start, (size_t)(p - start)};
	return p > start;
}

enum rv_status rv_definition_put_column(struct rv_yaml_node *columns, const char *text,
					struct rv_error *err)
{
	static const char *const usage =
		"write 'price=decimal(18,4) from payload.price required'; format and timezone work alike";
	const char *equals = strchr(text, '=');
	struct rv_str word;

	if (!equals || equals == text) {
		rv_fail(err, RV_USAGE, "--column '%.200s' has no type", text);
		rv_hint(err, "%s", usage);
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *name = rv_strndup(text, (size_t)(equals - text));
	RV_CLEANUP(rv_definition_node_free_p)
	struct rv_yaml_node *column = rv_definition_node(RV_YAML_MAPPING);
	const char *s = equals + 1;

	if (rv_yaml_get(columns, name))
		return rv_fail(err, RV_USAGE, "--column %s is given twice", name);
	if (next_word(&s, &word)) {
		RV_CLEANUP(rv_free_p) char *type = rv_strndup(word.p, word.len);

		rv_definition_put(column, "type", rv_definition_scalar(type));
	}
	while (next_word(&s, &word)) {
		RV_CLEANUP(rv_free_p) char *key = rv_strndup(word.p, word.len);
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf value = RV_STRBUF_INIT;

		if (strcmp(key, "required") == 0) {
			rv_strbuf_puts(&value, "true");
		} else if (strcmp(key, "from") == 0 || strcmp(key, "timezone") == 0) {
			if (next_word(&s, &word))
				rv_strbuf_add(&value, word.p, word.len);
		} else if (strcmp(key, "format") == 0) {
			/* a format may hold blanks: all up to the next word that is a key */
			const char *ahead = s;

			while (next_word(&ahead, &word) && !rv_str_is(word, "timezone") &&
			       !rv_str_is(word, "required") && !rv_str_is(word, "from")) {
				if (value.len)
					rv_strbuf_putc(&value, ' ');
				rv_strbuf_add(&value, word.p, word.len);
				s = ahead;
			}
		} else {
			rv_fail(err, RV_USAGE, "--column %s: '%.200s' is not understood", name,
				key);
			rv_hint(err, "%s", usage);
			return err->status;
		}
		if (!value.len)
			return rv_fail(err, RV_USAGE, "--column %s: %s has no value", name, key);
		if (rv_yaml_get(column, key))
			return rv_fail(err, RV_USAGE, "--column %s: %s is given twice", name, key);
		rv_definition_put(column, key, rv_definition_scalar(value.bytes));
	}
	rv_definition_put(columns, name, rv_take(column));
	return RV_OK;
}
