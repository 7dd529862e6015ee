/*
 * Hostile YAML must cost no more than reading it: every limit is checked at the event that crosses
 * it, before the next one is asked for, and nothing that libyaml spends more than linear time or
 * memory on (tag directives, aliases, depth) is ever let that far.
 */
#include "format/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/file.h"
#include "base/memory.h"

struct open_node {
	struct rv_yaml_node *node;
	struct rv_yaml_node *key; /* MAPPING: read, its value still to come */
	size_t items_capacity, keys_capacity;
};
struct builder {
	const char *file;
	yaml_parser_t parser;
	struct rv_yaml_documents documents;
	size_t roots_capacity;
	struct open_node stack[RV_YAML_MAX_DEPTH];
	size_t depth;
	size_t nodes;
	struct rv_error *err;
};

static void free_node(struct rv_yaml_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->count; i++) {
		free_node(node->items[i]);
		if (node->keys)
			free_node(node->keys[i]);
	}
	free(node->items);
	free(node->keys);
	free(node->text);
	free(node);
}

void rv_yaml_release(struct rv_yaml_documents *documents)
{
	for (size_t i = 0; i < documents->count; i++)
		free_node(documents->roots[i]);
	free(documents->roots);
	free(documents->file);
	*documents = (struct rv_yaml_documents){ 0 };
}

/* Whatever is open hangs from its parent already, but for a key that waits for its value. */
static void release_builder(struct builder *b)
{
	for (size_t i = 0; i < b->depth; i++)
		free_node(b->stack[i].key);
	rv_yaml_release(&b->documents);
	yaml_parser_delete(&b->parser);
}

static enum rv_status fail_at(struct builder *b, yaml_mark_t mark, const char *problem)
{
	rv_fail(b->err, RV_BAD_CONFIG, "%s", problem);
	rv_error_at(b->err, b->file, mark.line + 1, mark.column + 1);
	return b->err->status;
}

/* A reader's error knows only the offset; only a failure pays for finding the line. */
static void place_of(const char *text, size_t len, size_t offset, yaml_mark_t *ret)
{
	*ret = (yaml_mark_t){ 0 };
	for (size_t i = 0; i < offset && i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\n') {
			ret->line++;
			ret->column = 0;
		} else if ((c & 0xC0) != 0x80) {
			ret->column++;
		}
	}
}

/* A pattern like *.zip is meant far more often than an alias. */
static enum rv_status hint_at_star(struct builder *b)
{
	rv_hint(b->err, "a value that begins with * has to stand in quotes, as in \"*.zip\"");
	return b->err->status;
}

static enum rv_status parser_error(struct builder *b, const char *text, size_t len)
{
	const yaml_parser_t *p = &b->parser;
	const char *problem = p->problem ? p->problem : "not YAML";
	yaml_mark_t mark = p->problem_mark;
	if (p->error == YAML_MEMORY_ERROR)
		rv_out_of_memory(0); /* nothing is wrong with the file */
	if (p->error == YAML_READER_ERROR) {
		place_of(text, len, p->problem_offset, &mark);
		if (p->problem_value >= 0)
			rv_fail(b->err, RV_BAD_CONFIG, "%s (byte 0x%02X)", problem,
				(unsigned)p->problem_value);
		else
			rv_fail(b->err, RV_BAD_CONFIG, "%s", problem);
	} else if (p->context && p->context_mark.line != mark.line) {
		rv_fail(b->err, RV_BAD_CONFIG, "%s, %s that starts at line %zu", problem,
			p->context, p->context_mark.line + 1);
	} else if (p->context) {
		rv_fail(b->err, RV_BAD_CONFIG, "%s, %s", problem, p->context);
	} else {
		rv_fail(b->err, RV_BAD_CONFIG, "%s", problem);
	}
	rv_error_at(b->err, b->file, mark.line + 1, mark.column + 1);
	if (mark.index < len && text[mark.index] == '\t')
		rv_hint(b->err, "indent with blanks: YAML does not allow tabs there");
	else if (p->context && strcmp(p->context, "while scanning an alias") == 0)
		return hint_at_star(b);
	return RV_BAD_CONFIG;
}

/* Behind one of the line breaks of YAML 1.1: LF, CR, NEL, LS and PS. */
static bool is_line_start(const char *text, size_t at)
{
	const char *p = text + at;
	return at == 0 || p[-1] == '\n' || p[-1] == '\r' ||
	       (at >= 2 && memcmp(p - 2, "\xC2\x85", 2) == 0) ||
	       (at >= 3 && (memcmp(p - 3, "\xE2\x80\xA8", 3) == 0 || memcmp(p - 3, "\xE2\x80\xA9", 3) == 0));
}

/* Tag directives are compared with all before them: 50,000 take libyaml six seconds. They are of no
 * use without tags. A directive stands in column 0 wherever libyaml looks for one. */
static enum rv_status refuse_tag_directives(struct builder *b, const char *text, size_t len)
{
	static const char directive[] = "%TAG";
	const char *end = text + len;
	for (const char *p = text; (p = memmem(p, (size_t)(end - p), directive, 4)); p += 4) {
		size_t at = (size_t)(p - text);
		yaml_mark_t mark = { 0 };
		if (!is_line_start(text, at))
			continue;
		for (size_t i = 1; i <= at; i++)
			mark.line += is_line_start(text, i) && !(text[i - 1] == '\r' && text[i] == '\n');
		return fail_at(b, mark, "tag directives are not used here");
	}
	return RV_OK;
}

static struct rv_yaml_node *new_node(enum rv_yaml_kind kind, yaml_mark_t mark)
{
	struct rv_yaml_node *node = rv_calloc(1, sizeof(*node));
	node->kind = kind;
	node->line = mark.line + 1;
	node->column = mark.column + 1;
	return node;
}

/* Hangs a finished scalar or a just opened collection where it belongs; takes it over. */
static enum rv_status place(struct builder *b, struct rv_yaml_node *node, yaml_mark_t mark)
{
	if (b->depth == 0) {
		RV_GROW(b->documents.roots, b->documents.count, b->roots_capacity);
		b->documents.roots[b->documents.count++] = node;
		return RV_OK;
	}
	struct open_node *top = &b->stack[b->depth - 1];
	if (top->node->kind == RV_YAML_MAPPING && !top->key) {
		const char *problem = NULL;
		if (node->kind != RV_YAML_SCALAR)
			problem = "a key must be a plain word, not a list or a mapping";
		else if (!node->quoted && strcmp(node->text, "<<") == 0)
			problem = "merge keys are not allowed";
		if (problem) {
			free_node(node);
			return fail_at(b, mark, problem);
		}
		top->key = node;
		return RV_OK;
	}
	if (top->key) {
		RV_GROW(top->node->keys, top->node->count, top->keys_capacity);
		top->node->keys[top->node->count] = rv_take(top->key);
	}
	RV_GROW(top->node->items, top->node->count, top->items_capacity);
	top->node->items[top->node->count++] = node;
	return RV_OK;
}

static enum rv_status add_node(struct builder *b, struct rv_yaml_node *node, yaml_mark_t mark)
{
	if (++b->nodes > RV_YAML_MAX_NODES) {
		free_node(node);
		fail_at(b, mark, "too many values");
		rv_hint(b->err,
			"at most %d values are read from one file; many documents may also lie in "
			"several files of one folder",
			RV_YAML_MAX_NODES);
		return b->err->status;
	}
	return place(b, node, mark);
}

static enum rv_status open_collection(struct builder *b, enum rv_yaml_kind kind, yaml_mark_t mark,
				      bool tagged)
{
	if (tagged)
		return fail_at(b, mark, "tags (!...) are not allowed");
	if (b->depth == RV_YAML_MAX_DEPTH) {
		fail_at(b, mark, "nested too deeply");
		rv_hint(b->err, "at most %d levels are read", RV_YAML_MAX_DEPTH);
		return b->err->status;
	}
	struct rv_yaml_node *node = new_node(kind, mark);
	if (add_node(b, node, mark) != RV_OK)
		return b->err->status;
	b->stack[b->depth++] = (struct open_node){ .node = node };
	return RV_OK;
}

static int by_text_then_place(const void *a, const void *b)
{
	const struct rv_yaml_node *x = *(struct rv_yaml_node *const *)a;
	const struct rv_yaml_node *y = *(struct rv_yaml_node *const *)b;
	int d = strcmp(x->text, y->text);
	if (d == 0)
		d = x->line < y->line ? -1 : x->line > y->line;
	if (d == 0)
		d = x->column < y->column ? -1 : x->column > y->column;
	return d;
}

/* Sorted once when the mapping ends: looking back at every key would be quadratic. */
static enum rv_status refuse_duplicates(struct builder *b, const struct rv_yaml_node *map)
{
	if (map->count < 2)
		return RV_OK;
	RV_CLEANUP(rv_free_p) struct rv_yaml_node **sorted =
		rv_malloc(map->count * sizeof(struct rv_yaml_node *));
	memcpy(sorted, map->keys, map->count * sizeof(struct rv_yaml_node *));
	qsort(sorted, map->count, sizeof(struct rv_yaml_node *), by_text_then_place);
	const struct rv_yaml_node *first = NULL, *again = NULL;
	for (size_t i = 1; i < map->count; i++) {
		if (strcmp(sorted[i - 1]->text, sorted[i]->text) != 0)
			continue;
		if (!again || sorted[i]->line < again->line ||
		    (sorted[i]->line == again->line && sorted[i]->column < again->column)) {
			first = sorted[i - 1];
			again = sorted[i];
		}
	}
	if (!again)
		return RV_OK;
	rv_fail(b->err, RV_BAD_CONFIG, "the key %s is there twice, first at line %llu", again->text,
		(unsigned long long)first->line);
	rv_error_at(b->err, b->file, again->line, again->column);
	return b->err->status;
}

static enum rv_status close_collection(struct builder *b)
{
	const struct rv_yaml_node *node = b->stack[--b->depth].node;
	return node->kind == RV_YAML_MAPPING ? refuse_duplicates(b, node) : RV_OK;
}

static enum rv_status add_scalar(struct builder *b, const yaml_event_t *event)
{
	const yaml_mark_t mark = event->start_mark;
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	if (event->data.scalar.tag)
		return fail_at(b, mark, "tags (!...) are not allowed");
	if (event->data.scalar.anchor)
		return fail_at(b, mark, "anchors (&...) are not allowed");
	if (len > RV_YAML_MAX_SCALAR_BYTES) {
		fail_at(b, mark, "value too long");
		rv_hint(b->err, "at most %d bytes are read", RV_YAML_MAX_SCALAR_BYTES);
		return b->err->status;
	}
	if (memchr(text, '\0', len))
		return fail_at(b, mark, "a value must not hold a NUL");
	struct rv_yaml_node *node = new_node(RV_YAML_SCALAR, mark);
	node->text = rv_strndup(text, len);
	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return add_node(b, node, mark);
}

static enum rv_status take_event(struct builder *b, const yaml_event_t *event)
{
	const yaml_mark_t mark = event->start_mark;
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		fail_at(b, mark, "aliases (*...) are not allowed");
		return hint_at_star(b);
	case YAML_SCALAR_EVENT:
		return add_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		if (event->data.sequence_start.anchor)
			return fail_at(b, mark, "anchors (&...) are not allowed");
		return open_collection(b, RV_YAML_SEQUENCE, mark, event->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		if (event->data.mapping_start.anchor)
			return fail_at(b, mark, "anchors (&...) are not allowed");
		return open_collection(b, RV_YAML_MAPPING, mark, event->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_collection(b);
	default:
		return RV_OK;
	}
}

enum rv_status rv_yaml_parse(const char *file, const char *text, size_t len,
			     struct rv_yaml_documents *ret, struct rv_error *err)
{
	if (len > RV_YAML_MAX_BYTES) {
		rv_fail(err, RV_BAD_CONFIG, "larger than %d bytes", RV_YAML_MAX_BYTES);
		rv_hint(err, "many documents may also lie in several files of one folder");
		rv_error_at(err, file, 0, 0);
		return err->status;
	}
	RV_CLEANUP(release_builder) struct builder b = { .file = file, .err = err };
	b.documents.file = rv_strdup(file);
	if (refuse_tag_directives(&b, text, len) != RV_OK)
		return err->status;
	if (!yaml_parser_initialize(&b.parser))
		rv_out_of_memory(0);
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, len);
	for (bool more = true; more;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&b.parser, &event))
			return parser_error(&b, text, len);
		enum rv_status status = take_event(&b, &event);
		more = event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (status != RV_OK)
			return status;
	}
	*ret = b.documents;
	b.documents = (struct rv_yaml_documents){ 0 };
	return RV_OK;
}

enum rv_status rv_yaml_read(const char *path, struct stat *ret_stat, struct rv_yaml_documents *ret,
			    struct rv_error *err)
{
	/* Not blocking: a FIFO would make the open wait for a writer. */
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	struct stat st;
	if (fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			rv_fail(err, RV_NOT_FOUND, "no file %s", path);
		else
			rv_fail_errno(err, RV_BAD_CONFIG, "open %s", path);
		rv_error_at(err, path, 0, 0);
		return err->status;
	}
	if (fstat(fd, &st) != 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "look at %s", path);
	if (ret_stat)
		*ret_stat = st;
	if (!S_ISREG(st.st_mode)) {
		rv_fail(err, RV_BAD_CONFIG, "%s %s", path,
			S_ISDIR(st.st_mode) ? "is a folder, not a file" : "is not a regular file");
		rv_error_at(err, path, 0, 0);
		return err->status;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	/* A size that lies (proc, a file that grows) still ends after one byte too many. */
	for (size_t n = 1; n > 0 && text.len <= RV_YAML_MAX_BYTES; text.len += n) {
		rv_strbuf_reserve(&text, 1 << 16);
		if (rv_read_some(fd, text.bytes + text.len, 1 << 16, &n, path, err) != RV_OK)
			return err->status;
	}
	return rv_yaml_parse(path, text.bytes, text.len, ret, err);
}

const struct rv_yaml_node *rv_yaml_get(const struct rv_yaml_node *map, const char *key)
{
	if (!map || map->kind != RV_YAML_MAPPING)
		return NULL;
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	return NULL;
}

bool rv_yaml_is_null(const struct rv_yaml_node *node)
{
	if (node->kind != RV_YAML_SCALAR || node->quoted)
		return false;
	return node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
	       strcmp(node->text, "null") == 0;
}
