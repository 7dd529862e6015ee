/* A map as a whole: what is read, which rows are of which kind, and the second files. */
#include "config/map_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "format/json_path.h"
#include "format/yaml.h"

void rv_map_init(struct rv_map *map)
{
	*map = (struct rv_map){
		.csv = RV_CSV_DIALECT_INIT,
		.session = RV_MAP_NONE,
		.time = RV_MAP_NONE,
	};
}

void rv_map_release(struct rv_map *map)
{
	free(map->file);
	for (size_t i = 0; i < map->csv.names_count; i++)
		free(map->csv.names[i]);
	free(map->csv.names);
	for (size_t i = 0; i < map->csv.nulls_count; i++)
		free(map->csv.nulls[i]);
	free(map->csv.nulls);
	rv_string_list_release(&map->columns);
	for (size_t i = 0; i < map->lookups_count; i++) {
		free(map->lookups[i].name);
		free(map->lookups[i].file);
		free(map->lookups[i].key);
		rv_string_list_release(&map->lookups[i].columns);
	}
	free(map->lookups);
	for (size_t i = 0; i < map->kinds_count; i++) {
		free(map->kinds[i].name);
		for (size_t j = 0; j < map->kinds[i].conditions_count; j++)
			rv_string_list_release(&map->kinds[i].conditions[j].values);
		free(map->kinds[i].conditions);
	}
	free(map->kinds);
	for (size_t i = 0; i < map->fields_count; i++)
		rv_map_field_release(&map->fields[i]);
	free(map->fields);
	*map = (struct rv_map){ 0 };
}

bool rv_map_is_number(const char *p, size_t len)
{
	const char *end = p + len;

	if (p < end && *p == '-')
		p++;
	if (p == end || *p < '0' || *p > '9')
		return false;
	if (*p == '0')
		p++;
	else
		while (p < end && *p >= '0' && *p <= '9')
			p++;
	if (p < end && *p == '.') {
		const char *first = ++p;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == first)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		const char *first = p;

		while (p < end && *p >= '0' && *p <= '9')
			p++;
		if (p == first)
			return false;
	}
	return p == end;
}

enum rv_status rv_map_column(struct rv_def *p, struct rv_map *map, const struct rv_yaml_node *node,
			     const char *path, size_t *ret)
{
	struct rv_json_paths *paths = NULL;
	struct rv_error why = RV_ERROR_INIT;
	const char *const text[] = { node->text };

	if (rv_def_check_kind(p, node, RV_YAML_SCALAR, path) != RV_OK)
		return p->err->status;
	for (size_t i = 0; i < map->columns.count; i++)
		if (strcmp(map->columns.items[i], node->text) == 0) {
			*ret = i;
			return RV_OK;
		}
	if (strlen(node->text) > 1024)
		return rv_def_bad(p, node, "%s: a column's name of more than 1,024 bytes", path);
	if (rv_json_paths_new(text, 1, &paths, &why) != RV_OK) {
		rv_def_bad(p, node, "%s: %s", path, why.message);
		if (why.hint[0])
			rv_hint(p->err, "%s", why.hint);
		return p->err->status;
	}
	rv_json_paths_free(paths);
	*ret = map->columns.count;
	rv_string_list_add(&map->columns, node->text, strlen(node->text));
	return RV_OK;
}

enum rv_status rv_map_parse_time(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				 enum rv_map_time *ret)
{
	static const char *const words[] = { "ms", "s", "rfc3339", NULL };
	int choice;

	if (rv_def_parse_choice(p, node, path, words, &choice) != RV_OK)
		return p->err->status;
	*ret = (enum rv_map_time)choice;
	return RV_OK;
}

/* ---- input, session, time ---- */

/* The empty text is a value here. */
static enum rv_status parse_values(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				   struct rv_string_list *ret)
{
	bool is_list = node->kind == RV_YAML_SEQUENCE;
	size_t count = is_list ? node->count : 1;

	if (!count)
		return rv_def_bad(p, node, "%s: no value", path);
	for (size_t i = 0; i < count; i++) {
		const struct rv_yaml_node *item = is_list ? node->items[i] : node;

		if (rv_def_check_kind(p, item, RV_YAML_SCALAR, path) != RV_OK)
			return p->err->status;
		rv_string_list_add(ret, item->text, strlen(item->text));
	}
	return RV_OK;
}

static char **copy_list(const struct rv_string_list *list, size_t *ret_count)
{
	char **copy = list->count ? rv_calloc(list->count, sizeof(*copy)) : NULL;

	for (size_t i = 0; i < list->count; i++)
		copy[i] = rv_strdup(list->items[i]);
	*ret_count = list->count;
	return copy;
}

static enum rv_status parse_input(struct rv_def *p, const struct rv_yaml_node *node, struct rv_map *map)
{
	static const char *const known[] = { "format", "delimiter", "quote", "names", "null", NULL };
	static const char *const formats[] = { "auto", "ndjson", "json", "csv", NULL }; /* enum rv_format */
	struct rv_string_list list = { 0 };
	const struct rv_yaml_node *n;
	int choice;

	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "input") != RV_OK ||
	    rv_def_check_keys(p, node, "input", known) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(node, "format"))) {
		if (rv_def_parse_choice(p, n, "input.format", formats, &choice) != RV_OK)
			return p->err->status;
		map->format = (enum rv_format)choice;
	}
	if ((n = rv_def_get(node, "delimiter"))) {
		if (rv_def_parse_character(p, n, "input.delimiter", &map->csv.delimiter) != RV_OK)
			return p->err->status;
		map->csv_given = map->csv.delimiter_given = true;
	}
	if ((n = rv_def_get(node, "quote"))) {
		if (rv_def_parse_character(p, n, "input.quote", &map->csv.quote) != RV_OK)
			return p->err->status;
		map->csv_given = true;
	}
	if (map->csv.quote == map->csv.delimiter)
		return rv_def_bad(p, node, "input: delimiter and quote are the same");
	if ((n = rv_def_get(node, "names"))) {
		if (rv_def_parse_list(p, n, "input.names", &list) != RV_OK) {
			rv_string_list_release(&list);
			return p->err->status;
		}
		map->csv.names = copy_list(&list, &map->csv.names_count);
		map->csv.no_header = map->csv_given = true;
		rv_string_list_release(&list);
	}
	if ((n = rv_def_get(node, "null"))) {
		if (parse_values(p, n, "input.null", &list) != RV_OK) {
			rv_string_list_release(&list);
			return p->err->status;
		}
		map->csv.nulls = copy_list(&list, &map->csv.nulls_count);
		map->csv_given = true;
		rv_string_list_release(&list);
	}
	return RV_OK;
}

static enum rv_status parse_time(struct rv_def *p, const struct rv_yaml_node *node, struct rv_map *map)
{
	static const char *const known[] = { "column", "as", NULL };
	const struct rv_yaml_node *n;

	if (node->kind == RV_YAML_SCALAR)
		return rv_map_column(p, map, node, "time", &map->time);
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "time") != RV_OK ||
	    rv_def_check_keys(p, node, "time", known) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(node, "column")))
		return rv_def_bad(p, node, "time: its column is missing");
	if (rv_map_column(p, map, n, "time.column", &map->time) != RV_OK)
		return p->err->status;
	return (n = rv_def_get(node, "as")) ? rv_map_parse_time(p, n, "time.as", &map->time_as) : RV_OK;
}

/* ---- second files ---- */

static bool is_word(const char *s)
{
	size_t len = strlen(s);

	return len >= 1 && len <= 63 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static enum rv_status check_word(struct rv_def *p, const struct rv_yaml_node *node, const char *path)
{
	if (is_word(node->text))
		return RV_OK;
	rv_def_bad(p, node, "%s: '%.100s' is not a name", path, node->text);
	rv_hint(p->err, "letters, digits, _ and -, at most 63");
	return p->err->status;
}

static enum rv_status parse_lookup(struct rv_def *p, const struct rv_yaml_node *name,
				   const struct rv_yaml_node *node, struct rv_map *map)
{
	static const char *const known[] = { "file", "key", "by", NULL };
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("lookup.%.64s", name->text);
	const struct rv_yaml_node *n;

	if (check_word(p, name, "lookup") != RV_OK ||
	    rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK ||
	    rv_def_check_keys(p, node, path, known) != RV_OK)
		return p->err->status;
	struct rv_map_lookup *lookup = &map->lookups[map->lookups_count++];

	lookup->name = rv_strdup(name->text);
	if (!(n = rv_def_get(node, "file")))
		return rv_def_bad(p, node, "%s: its file is missing", path);
	if (rv_def_parse_text(p, n, path, 4096, &lookup->file) != RV_OK)
		return p->err->status;
	if (!(n = rv_def_get(node, "key")))
		return rv_def_bad(p, node, "%s: key, the column of the file, is missing", path);
	if (rv_def_parse_text(p, n, path, 1024, &lookup->key) != RV_OK)
		return p->err->status;
	/* What they are called by is often the same in both. */
	n = rv_def_get(node, "by") ? rv_def_get(node, "by") : n;
	return rv_map_column(p, map, n, path, &lookup->by);
}

static enum rv_status parse_lookups(struct rv_def *p, const struct rv_yaml_node *node,
				    struct rv_map *map)
{
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "lookup") != RV_OK)
		return p->err->status;
	if (node->count > RV_MAP_LOOKUPS_MAX)
		return rv_def_bad(p, node, "lookup: more than %d files", RV_MAP_LOOKUPS_MAX);
	map->lookups = rv_calloc(node->count, sizeof(*map->lookups));
	for (size_t i = 0; i < node->count; i++)
		if (parse_lookup(p, node->keys[i], node->items[i], map) != RV_OK)
			return p->err->status;
	return RV_OK;
}

/* ---- kinds ---- */

static enum rv_status parse_kind(struct rv_def *p, const struct rv_yaml_node *name,
				 const struct rv_yaml_node *node, struct rv_map *map)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("kinds.%.64s", name->text);

	if (check_word(p, name, "kinds") != RV_OK)
		return p->err->status;
	struct rv_map_kind *kind = &map->kinds[map->kinds_count++];

	kind->name = rv_strdup(name->text);
	if (rv_yaml_is_null(node)) /* all that is left */
		return RV_OK;
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, path) != RV_OK)
		return p->err->status;
	kind->conditions = rv_calloc(node->count, sizeof(*kind->conditions));
	for (size_t i = 0; i < node->count; i++) {
		struct rv_map_condition *condition = &kind->conditions[kind->conditions_count++];

		if (rv_map_column(p, map, node->keys[i], path, &condition->column) != RV_OK ||
		    parse_values(p, node->items[i], path, &condition->values) != RV_OK)
			return p->err->status;
	}
	return RV_OK;
}

static enum rv_status parse_kinds(struct rv_def *p, const struct rv_yaml_node *node, struct rv_map *map)
{
	if (rv_def_check_kind(p, node, RV_YAML_MAPPING, "kinds") != RV_OK)
		return p->err->status;
	if (node->count == 0 || node->count > RV_MAP_KINDS_MAX)
		return rv_def_bad(p, node, "kinds: 1 to %d of them, not %zu", RV_MAP_KINDS_MAX, node->count);
	map->kinds = rv_calloc(node->count, sizeof(*map->kinds));
	for (size_t i = 0; i < node->count; i++)
		if (parse_kind(p, node->keys[i], node->items[i], map) != RV_OK)
			return p->err->status;
	return RV_OK;
}

/* ---- the whole ---- */

static enum rv_status parse_map(struct rv_def *p, const struct rv_yaml_node *root, struct rv_map *map)
{
	static const char *const known[] = { "input", "session", "time", "lookup", "kinds", "others",
					     "fields", NULL };
	static const char *const others[] = { "reject", "skip", NULL };
	const struct rv_yaml_node *n;
	int choice;

	if (rv_def_check_kind(p, root, RV_YAML_MAPPING, "a map") != RV_OK ||
	    rv_def_check_keys(p, root, "", known) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "input")) && parse_input(p, n, map) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "session")) &&
	    rv_map_column(p, map, n, "session", &map->session) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "time")) && parse_time(p, n, map) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "lookup")) && parse_lookups(p, n, map) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "kinds")) && parse_kinds(p, n, map) != RV_OK)
		return p->err->status;
	if ((n = rv_def_get(root, "others"))) {
		if (!map->kinds_count)
			return rv_def_bad(p, n, "others: without kinds there are none");
		if (rv_def_parse_choice(p, n, "others", others, &choice) != RV_OK)
			return p->err->status;
		map->skip_others = choice == 1;
	}
	return (n = rv_def_get(root, "fields")) ? rv_map_parse_fields(p, n, map) : RV_OK;
}

enum rv_status rv_map_parse(const char *file, const char *text, size_t len, struct rv_map *ret,
			    struct rv_error *err)
{
	struct rv_yaml_documents documents = { 0 };
	struct rv_def p = { .file = file, .err = err };
	RV_CLEANUP(rv_map_release) struct rv_map map;

	rv_map_init(&map);
	map.file = rv_strdup(file);
	if (rv_yaml_parse(file, text, len, &documents, err) != RV_OK)
		return err->status;
	enum rv_status status;

	if (documents.count != 1)
		status = rv_def_bad(&p, documents.count ? documents.roots[1] : NULL,
				    "a map is one document, not %zu", documents.count);
	else
		status = parse_map(&p, documents.roots[0], &map);
	rv_yaml_release(&documents);
	if (status != RV_OK)
		return status;
	*ret = map;
	map = (struct rv_map){ 0 };
	return RV_OK;
}

enum rv_status rv_map_read(const char *file, struct rv_map *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (rv_read_file(file, RV_YAML_MAX_BYTES, &text, err) != RV_OK) {
		if (err->status == RV_BAD_DATA)
			err->status = RV_BAD_CONFIG;
		return err->status;
	}
	return rv_map_parse(file, text.bytes, text.len, ret, err);
}
