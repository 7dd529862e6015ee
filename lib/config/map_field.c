/* The fields of a map's events. */
#include "config/map_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"

static void text_release(struct rv_map_text *text)
{
	for (size_t i = 0; i < text->count; i++) {
		free(text->pieces[i].text);
		free(text->pieces[i].json);
	}
	free(text->pieces);
	*text = (struct rv_map_text){ 0 };
}

void rv_map_field_release(struct rv_map_field *field)
{
	free(field->name);
	text_release(&field->text);
	free(field->literal);
	free(field->empty);
	free(field->absent);
	rv_string_list_release(&field->cases);
	rv_string_list_release(&field->choices);
	*field = (struct rv_map_field){ 0 };
}

/* ---- text with columns ---- */

static struct rv_map_piece *add_piece(struct rv_map_text *text)
{
	text->pieces = rv_realloc_array(text->pieces, text->count + 1, sizeof(*text->pieces));
	text->pieces[text->count] = (struct rv_map_piece){ .column = RV_MAP_NONE };
	return &text->pieces[text->count++];
}

static void add_words(struct rv_map_text *text, struct rv_strbuf *words)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf json = RV_STRBUF_INIT;

	if (!words->len)
		return;
	struct rv_map_piece *piece = add_piece(text);

	rv_strbuf_json(&json, words->bytes, words->len);
	piece->json_len = json.len - 2;
	piece->json = rv_strndup(json.bytes + 1, piece->json_len);
	piece->len = words->len;
	piece->text = rv_strbuf_take(words);
}

static enum rv_status add_column(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
				 const char *path, char *name, struct rv_map_text *text)
{
	struct rv_yaml_node named = *node;
	size_t column;

	named.text = name;
	if (rv_map_column(p, map, &named, path, &column) != RV_OK)
		return p->err->status;
	add_piece(text)->column = column;
	return RV_OK;
}

/* "a{column}b"; doubled braces are braces. */
static enum rv_status parse_template(struct rv_def *p, struct rv_map *map,
				     const struct rv_yaml_node *node, const char *path,
				     struct rv_map_text *text)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf words = RV_STRBUF_INIT;

	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	for (const char *s = node->text; *s;) {
		if ((*s == '{' || *s == '}') && s[1] == *s) {
			rv_strbuf_putc(&words, *s);
			s += 2;
		} else if (*s == '{') {
			size_t len = strcspn(s + 1, "{}");
			RV_CLEANUP(rv_free_p) char *name = rv_strndup(s + 1, len);

			if (s[1 + len] != '}' || !len) {
				rv_def_bad(p, node, "%s: '{' without the name of a column and '}'", path);
				rv_hint(p->err, "write {{ for a brace");
				return p->err->status;
			}
			add_words(text, &words);
			if (add_column(p, map, node, path, name, text) != RV_OK)
				return p->err->status;
			s += len + 2;
		} else if (*s == '}') {
			rv_def_bad(p, node, "%s: '}' without '{'", path);
			rv_hint(p->err, "write }} for a brace");
			return p->err->status;
		} else {
			rv_strbuf_putc(&words, *s++);
		}
	}
	add_words(text, &words);
	return RV_OK;
}

/* Where a column is usual: its name alone, or a text with columns. */
static enum rv_status parse_of(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
			       const char *path, struct rv_map_text *text)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	if (strpbrk(node->text, "{}"))
		return parse_template(p, map, node, path, text);
	return add_column(p, map, node, path, node->text, text);
}

/* ---- values ---- */

static enum rv_status parse_value(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
				  const char *path, struct rv_map_field *field)
{
	static const struct {
		const char *word;
		enum rv_map_from from;
	} words[] = { { "now", RV_MAP_NOW }, { "uuid4", RV_MAP_UUID4 }, { "row", RV_MAP_ROW } };
	const char *s = node->text;

	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	for (size_t i = 0; !node->quoted && i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(s, words[i].word) == 0) {
			field->from = words[i].from;
			return RV_OK;
		}
	if (!node->quoted && (rv_map_is_number(s, strlen(s)) || strcmp(s, "true") == 0 ||
			      strcmp(s, "false") == 0 || strcmp(s, "null") == 0)) {
		field->from = RV_MAP_LITERAL;
		field->literal = rv_strdup(s);
		return RV_OK;
	}
	field->from = RV_MAP_TEXT;
	return parse_template(p, map, node, path, &field->text);
}

static enum rv_status parse_namespace(struct rv_def *p, const struct rv_yaml_node *node,
				      const char *path, uint8_t ret[RV_UUID_BYTES])
{
	static const struct {
		const char *name;
		const uint8_t *id;
	} known[] = { { "dns", rv_uuid_dns }, { "url", rv_uuid_url }, { "oid", rv_uuid_oid },
		      { "x500", rv_uuid_x500 } };

	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(node->text, known[i].name) == 0) {
			memcpy(ret, known[i].id, RV_UUID_BYTES);
			return RV_OK;
		}
	if (rv_uuid_parse(node->text, strlen(node->text), ret))
		return RV_OK;
	return rv_def_bad(p, node, "%s: '%.100s' is neither dns, url, oid, x500 nor a UUID", path,
			  node->text);
}

static enum rv_status parse_lookup(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
				   const char *path, struct rv_map_field *field)
{
	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	size_t len = strcspn(node->text, ".");

	if (!len || !node->text[len] || !node->text[len + 1]) {
		rv_def_bad(p, node, "%s: '%.100s' is not the name of a lookup, a dot and a column", path,
			   node->text);
		rv_hint(p->err, "write catalog.price");
		return p->err->status;
	}
	for (size_t i = 0; i < map->lookups_count; i++) {
		struct rv_map_lookup *lookup = &map->lookups[i];
		const char *column = node->text + len + 1;

		if (strlen(lookup->name) != len || memcmp(lookup->name, node->text, len) != 0)
			continue;
		field->lookup = i;
		for (field->lookup_column = 0; field->lookup_column < lookup->columns.count;
		     field->lookup_column++)
			if (strcmp(lookup->columns.items[field->lookup_column], column) == 0)
				return RV_OK;
		rv_string_list_add(&lookup->columns, column, strlen(column));
		return RV_OK;
	}
	return rv_def_bad(p, node, "%s: there is no lookup '%.*s'", path, (int)(len > 64 ? 64 : len),
			  node->text);
}

static enum rv_status parse_cases(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				  struct rv_map_field *field)
{
	const struct rv_yaml_node *cases = rv_def_get(node, "cases");

	if (!cases)
		return rv_def_bad(p, node, "%s: its cases are missing", path);
	if (rv_def_check_kind(p, cases, RV_YAML_MAPPING, path) != RV_OK)
		return p->err->status;
	if (!cases->count)
		return rv_def_bad(p, cases, "%s: no cases to choose from", path);
	for (size_t i = 0; i < cases->count; i++) {
		const struct rv_yaml_node *item = cases->items[i];

		if (rv_def_check_kind(p, item, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		rv_string_list_add(&field->cases, cases->keys[i]->text, strlen(cases->keys[i]->text));
		rv_string_list_add(&field->choices, item->text, strlen(item->text));
	}
	return RV_OK;
}

static enum rv_status parse_pick(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
				 const struct rv_yaml_node *value, const char *path,
				 struct rv_map_field *field)
{
	const struct rv_yaml_node *by = rv_def_get(node, "by");

	if (rv_def_check_kind(p, value, RV_YAML_SEQUENCE, path) != RV_OK)
		return p->err->status;
	if (!value->count)
		return rv_def_bad(p, value, "%s: nothing to pick from", path);
	if (!by)
		return rv_def_bad(p, node, "%s: by, the column that decides, is missing", path);
	for (size_t i = 0; i < value->count; i++) {
		if (rv_def_check_kind(p, value->items[i], RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		rv_string_list_add(&field->choices, value->items[i]->text,
				   strlen(value->items[i]->text));
	}
	return parse_of(p, map, by, path, &field->text);
}

static enum rv_status parse_from(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
				 const struct rv_yaml_node *value, const char *path,
				 struct rv_map_field *field)
{
	static const char *const hashes[] = { "xxh3", "sha1", "crc32c", "fnv1a", NULL };
	const struct rv_yaml_node *n;
	int choice;

	if ((n = rv_def_get(node, "hash")) && field->from == RV_MAP_PICK) {
		if (rv_def_parse_choice(p, n, path, hashes, &choice) != RV_OK)
			return p->err->status;
		field->hash = (enum rv_map_hash)choice;
	}
	switch (field->from) {
	case RV_MAP_COLUMN:
		return rv_map_column(p, map, value, path, &field->column);
	case RV_MAP_UUID5:
		n = rv_def_get(node, "namespace");
		if (n && parse_namespace(p, n, path, field->name_space) != RV_OK)
			return p->err->status;
		if (!n)
			memcpy(field->name_space, rv_uuid_dns, RV_UUID_BYTES);
		return parse_of(p, map, value, path, &field->text);
	case RV_MAP_HASH:
		if ((n = rv_def_get(node, "with"))) {
			if (rv_def_parse_choice(p, n, path, hashes, &choice) != RV_OK)
				return p->err->status;
			field->hash = (enum rv_map_hash)choice;
		}
		return parse_of(p, map, value, path, &field->text);
	case RV_MAP_PICK:
		return parse_pick(p, map, node, value, path, field);
	case RV_MAP_LOOKUP:
		return parse_lookup(p, map, value, path, field);
	case RV_MAP_SWITCH:
		if (parse_of(p, map, value, path, &field->text) != RV_OK)
			return p->err->status;
		return parse_cases(p, node, path, field);
	case RV_MAP_NOW:
		return rv_map_parse_time(p, value, path, &field->time);
	default:
		return parse_value(p, map, value, path, field);
	}
}

static enum rv_status parse_kinds_of(struct rv_def *p, const struct rv_map *map,
				     const struct rv_yaml_node *node, const char *path, uint64_t *ret)
{
	struct rv_string_list names = { 0 };
	enum rv_status status = rv_def_parse_list(p, node, path, &names);

	for (size_t i = 0; status == RV_OK && i < names.count; i++) {
		size_t kind = 0;

		while (kind < map->kinds_count && strcmp(map->kinds[kind].name, names.items[i]) != 0)
			kind++;
		if (kind == map->kinds_count)
			status = rv_def_bad(p, node, "%s: there is no kind '%.100s'", path,
					    names.items[i]);
		else
			*ret |= UINT64_C(1) << kind;
	}
	rv_string_list_release(&names);
	return status;
}

static enum rv_status parse_modifiers(struct rv_def *p, const struct rv_map *map,
				      const struct rv_yaml_node *node, const char *path,
				      struct rv_map_field *field)
{
	static const char *const ways[] = { "is", "string", "number", NULL }; /* enum rv_map_as */
	const struct rv_yaml_node *n;
	int choice;

	if ((n = rv_def_get(node, "as"))) {
		if (rv_def_parse_choice(p, n, path, ways, &choice) != RV_OK)
			return p->err->status;
		field->as = (enum rv_map_as)choice;
	}
	if ((n = rv_def_get(node, "omit_empty")) &&
	    rv_def_parse_bool(p, n, path, &field->omit_empty) != RV_OK)
		return p->err->status;
	if ((n = rv_yaml_get(node, "empty"))) {
		if (rv_def_check_kind(p, n, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		field->empty = rv_strdup(n->text);
	}
	if ((n = rv_yaml_get(node, "absent"))) {
		if (field->from != RV_MAP_LOOKUP && field->from != RV_MAP_SWITCH)
			return rv_def_bad(p, n, "%s: absent is for lookup and switch", path);
		if (rv_def_check_kind(p, n, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		field->absent = rv_strdup(n->text);
	}
	for (unsigned i = 0; field->as == RV_MAP_AS_NUMBER && i < 2; i++) {
		const char *text = i ? field->absent : field->empty;

		if (text && !rv_map_is_number(text, strlen(text)))
			return rv_def_bad(p, node, "%s: '%.100s' is no number", path, text);
	}
	for (size_t i = 0; field->as == RV_MAP_AS_NUMBER && i < field->choices.count; i++)
		if (!rv_map_is_number(field->choices.items[i], strlen(field->choices.items[i])))
			return rv_def_bad(p, node, "%s: '%.100s' is no number", path,
					  field->choices.items[i]);
	if ((n = rv_def_get(node, "kinds")))
		return parse_kinds_of(p, map, n, path, &field->kinds);
	return RV_OK;
}

static enum rv_status parse_field(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *name,
				  const struct rv_yaml_node *node)
{
	static const struct {
		const char *word;
		enum rv_map_from from;
		const char *also;   /* a key that only this one takes */
	} ways[] = {
		{ "value", RV_MAP_TEXT, NULL }, { "column", RV_MAP_COLUMN, NULL },
		{ "uuid5", RV_MAP_UUID5, "namespace" }, { "pick", RV_MAP_PICK, "by" },
		{ "lookup", RV_MAP_LOOKUP, NULL }, { "switch", RV_MAP_SWITCH, "cases" },
		{ "now", RV_MAP_NOW, NULL }, { "hash", RV_MAP_HASH, "with" },
	};
	static const char *const known[] = { "value", "column", "uuid5", "pick", "lookup", "switch", "now",
					     "hash", "namespace", "by", "cases", "with", "as", "empty",
					     "absent", "omit_empty", "kinds", NULL };
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("fields.%.64s", name->text);
	struct rv_map_field *field = &map->fields[map->fields_count++];
	const struct rv_yaml_node *value = NULL;
	const char *way = NULL;

	field->name = rv_strdup(name->text);
	field->line = name->line;
	field->line_column = name->column;
	if (strlen(name->text) > 1024)
		return rv_def_bad(p, name, "fields: a name of more than 1,024 bytes");
	if (node->kind == RV_YAML_SCALAR)
		return parse_value(p, map, node, path, field);
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK ||
	    rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct rv_yaml_node *n = rv_yaml_get(node, ways[i].word);

		/* `hash` of a pick is how it picks */
		if (!n || (ways[i].from == RV_MAP_HASH && way && field->from == RV_MAP_PICK))
			continue;
		if (way)
			return rv_def_bad(p, n, "%s: either %s or %s", path, way, ways[i].word);
		way = ways[i].word;
		value = n;
		field->from = ways[i].from;
	}
	if (!way) {
		rv_def_bad(p, node, "%s: where its value comes from is missing", path);
		rv_hint(p->err, "one of value, column, uuid5, hash, pick, lookup, switch and now");
		return p->err->status;
	}
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct rv_yaml_node *n = ways[i].also ? rv_yaml_get(node, ways[i].also) : NULL;

		if (n && ways[i].from != field->from)
			return rv_def_bad(p, n, "%s.%s: goes with %s, not with %s", path, ways[i].also,
					  ways[i].word, way);
	}
	if (parse_from(p, map, node, value, path, field) != RV_OK)
		return p->err->status;
	return parse_modifiers(p, map, node, path, field);
}

enum rv_status rv_map_parse_fields(struct rv_def *p, const struct rv_yaml_node *node, struct rv_map *map)
{
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "fields") != RV_OK)
		return p->err->status;
	if (node->count == 0 || node->count > RV_MAP_FIELDS_MAX)
		return rv_def_bad(p, node, "fields: 1 to %d of them, not %zu", RV_MAP_FIELDS_MAX,
				  node->count);
	map->fields = rv_calloc(node->count, sizeof(*map->fields));
	for (size_t i = 0; i < node->count; i++)
		if (parse_field(p, map, node->keys[i], node->items[i]) != RV_OK)
			return p->err->status;
	return RV_OK;
}
