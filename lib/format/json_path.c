/*
 * Cutting values out of valid JSON without building a tree.
 *
 * All paths of a set are compiled into one trie, so a record is walked once however many columns
 * are cut from it, and a value no path leads into is skipped over: to skip, only quotes and
 * brackets matter. The text is known to be valid, so nothing is checked twice; invalid text gives
 * nonsense, but every step is bounded by the end.
 */
#include "format/json_path.h"

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/json_scan.h"

/* ---- walking ----------------------------------------------------------------- */

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* The first quote or backslash; `end` if there is none. */
static inline const char *find_quote_or_slash(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		int hits = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
							  _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

		if (hits)
			return p + __builtin_ctz((unsigned)hits);
	}
#endif
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* The first bracket or quote; `end` if there is none. */
static inline const char *find_bracket_or_quote(const char *p, const char *end)
{
#ifdef __SSE2__
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i folded = _mm_or_si128(v, _mm_set1_epi8(0x20)); /* [ to {, ] to } */
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(folded, _mm_set1_epi8('{')),
					   _mm_cmpeq_epi8(folded, _mm_set1_epi8('}')));
		int hits = _mm_movemask_epi8(
			_mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('"'))));

		if (hits)
			return p + __builtin_ctz((unsigned)hits);
	}
#endif
	while (p < end && *p != '"' && *p != '{' && *p != '[' && *p != '}' && *p != ']')
		p++;
	return p;
}

/* `p` behind the opening quote; returns the closing one, or `end`. */
static inline const char *find_quote(const char *p, const char *end, bool *ret_escaped)
{
	for (;;) {
		p = find_quote_or_slash(p, end);
		if (p >= end || *p == '"')
			return p;
		*ret_escaped = true;
		if (end - p < 2)
			return end;
		p += 2;
	}
}

/* `p` at '{' or '['; returns what is behind its closing bracket, or `end`. In valid text brackets
 * match, so one counter serves both kinds. */
static const char *skip_container(const char *p, const char *end)
{
	size_t depth = 0;
	bool escaped;

	for (; (p = find_bracket_or_quote(p, end)) < end; p++) {
		if (*p == '"') {
			p = find_quote(p + 1, end, &escaped);
			if (p == end)
				return end;
		} else if (*p == '{' || *p == '[') {
			depth++;
		} else if (--depth == 0) {
			return p + 1;
		}
	}
	return end;
}

/* The value at `p`, which is not blank. With `lazy`, the extent of a container is left open (len 0)
 * and `p` itself returned, for a caller that walks it anyway. */
static const char *take_value(const char *p, const char *end, bool lazy,
			      struct rv_json_value *value)
{
	const char *start = p;

	value->escaped = false;
	switch (*p) {
	case '"':
		value->type = RV_JSON_STRING;
		p = find_quote(p + 1, end, &value->escaped);
		if (p < end)
			p++;
		break;
	case '{':
	case '[':
		value->type = *p == '{' ? RV_JSON_OBJECT : RV_JSON_ARRAY;
		if (!lazy)
			p = skip_container(p, end);
		break;
	default:
		value->type = *p == 't' ? RV_JSON_TRUE :
			      *p == 'f' ? RV_JSON_FALSE :
			      *p == 'n' ? RV_JSON_NULL :
					  RV_JSON_NUMBER_VALUE;
		/* Everything of a number or word is above a comma but '+'. */
		while (p < end && ((unsigned char)*p > ',' || *p == '+') && *p != '}' && *p != ']')
			p++;
		if (p == start)
			p++; /* not JSON; go on rather than round */
	}
	value->p = start;
	value->len = (size_t)(p - start);
	return p;
}

void rv_json_iter_init(struct rv_json_iter *it, const char *p, size_t len)
{
	const char *end = p + len;

	p = skip_blank(p, end);
	if (p < end && (*p == '{' || *p == '[')) {
		it->in_array = *p == '[';
		p++;
	} else {
		it->in_array = false;
		p = end;
	}
	it->p = p;
	it->end = end;
}

/* To the next key and value; leaves it->p at the value. */
static bool next_member(struct rv_json_iter *it, struct rv_json_key *key)
{
	const char *p = it->p, *end = it->end;

	while (p < end && (*p == ',' || *p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	if (p >= end || *p == '}' || *p == ']') {
		it->p = p;
		return false;
	}
	key->p = p;
	key->len = 0;
	key->escaped = false;
	if (!it->in_array) {
		key->p = ++p;
		p = find_quote(p, end, &key->escaped);
		key->len = (size_t)(p - key->p);
		while (p < end && *p != ':')
			p++;
		p = skip_blank(p < end ? p + 1 : end, end);
		if (p >= end) {
			it->p = end;
			return false;
		}
	}
	it->p = p;
	return true;
}

bool rv_json_iter_next(struct rv_json_iter *it, struct rv_json_key *key,
		       struct rv_json_value *value)
{
	struct rv_json_key own_key;
	struct rv_json_value own_value;

	if (!next_member(it, key ? key : &own_key)) {
		it->end = it->p;
		return false;
	}
	it->p = take_value(it->p, it->end, false, value ? value : &own_value);
	return true;
}

/* ---- strings ----------------------------------------------------------------- */

static unsigned hex4(const char *p)
{
	unsigned code = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];

		code = code << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return code & 0xffff;
}

static size_t put_utf8(unsigned code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3f));
		out[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3f));
	out[2] = (char)(0x80 | (code >> 6 & 0x3f));
	out[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

size_t rv_json_unescape(const char *p, size_t len, char *out)
{
	const char *end = p + len;
	size_t n = 0;

	while (p < end) {
		const char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t plain = (size_t)((slash ? slash : end) - p);

		if (plain)
			memmove(out + n, p, plain);
		n += plain;
		p += plain;
		if (end - p < 2)
			break;
		if (p[1] == 'u') {
			unsigned code;

			if (end - p < 6)
				break;
			code = hex4(p + 2);
			p += 6;
			if (code >= 0xd800 && code < 0xdc00 && end - p >= 6) {
				code = 0x10000 + ((code & 0x3ff) << 10 | (hex4(p + 2) & 0x3ff));
				p += 6;
			}
			n += put_utf8(code, out + n);
			continue;
		}
		switch (p[1]) {
		case 'b':
			out[n++] = '\b';
			break;
		case 'f':
			out[n++] = '\f';
			break;
		case 'n':
			out[n++] = '\n';
			break;
		case 'r':
			out[n++] = '\r';
			break;
		case 't':
			out[n++] = '\t';
			break;
		default: /* the quote, the backslash, the slash */
			out[n++] = p[1];
		}
		p += 2;
	}
	return n;
}

/* ---- paths ------------------------------------------------------------------- */

#define NOT_AN_INDEX SIZE_MAX

/* One piece of a path. Children are few (the columns of a contract), so a list will do. */
struct node {
	char *name;
	size_t len;
	size_t index;     /* as an array index, or NOT_AN_INDEX */
	size_t *wanted;   /* the paths that end here */
	size_t wanted_count, wanted_capacity;
	size_t first, count; /* its span in rv_json_paths.below: every path that ends here or deeper */
	struct node *children, *next;
};

struct rv_json_paths {
	struct node root;
	size_t *below; /* path numbers in the order of the trie */
	size_t n;
};

/* Eighteen digits cannot overflow, and no record has so many elements. */
static size_t parse_index(const char *name, size_t len)
{
	size_t index = 0;

	if (len == 0 || len > 18 || (len > 1 && name[0] == '0'))
		return NOT_AN_INDEX;
	for (size_t i = 0; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return NOT_AN_INDEX;
		index = index * 10 + (size_t)(name[i] - '0');
	}
	return index;
}

static struct node *node_child(struct node *parent, const char *name, size_t len)
{
	struct node **link = &parent->children, *node;

	for (; *link; link = &(*link)->next)
		if ((*link)->len == len && memcmp((*link)->name, name, len) == 0)
			return *link;
	node = rv_calloc(1, sizeof(*node));
	node->name = rv_strndup(name, len);
	node->len = len;
	node->index = parse_index(name, len);
	*link = node;
	return node;
}

static enum rv_status add_dotted(struct node **node, const char *path, struct rv_error *err)
{
	for (const char *p = path;;) {
		size_t len = strcspn(p, ".");

		if (len == 0) {
			rv_fail(err, RV_USAGE, "the path \"%s\" has an empty piece", path);
			rv_hint(err, "write a key that is empty or holds a dot as a JSON Pointer: "
				     "/payload/a.b");
			return RV_USAGE;
		}
		*node = node_child(*node, p, len);
		if (!p[len])
			return RV_OK;
		p += len + 1;
	}
}

static enum rv_status add_pointer(struct node **node, const char *path, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf piece = RV_STRBUF_INIT;

	for (const char *p = path + 1;; p++) {
		if (*p == '/' || !*p) {
			*node = node_child(*node, piece.bytes, piece.len);
			rv_strbuf_clear(&piece);
			if (!*p)
				return RV_OK;
		} else if (*p == '~') {
			p++;
			if (*p != '0' && *p != '1')
				return rv_fail(err, RV_USAGE,
					       "the path \"%s\" has a \"~\" that is neither ~0 nor ~1",
					       path);
			rv_strbuf_putc(&piece, *p == '0' ? '~' : '/');
		} else {
			rv_strbuf_putc(&piece, *p);
		}
	}
}

static size_t count_pieces(const char *path)
{
	char separator = *path == '/' ? '/' : '.';
	size_t n = separator == '.';

	for (; *path; path++)
		n += *path == separator;
	return n;
}

static void number_nodes(struct rv_json_paths *paths, struct node *node, size_t *count)
{
	node->first = *count;
	for (size_t i = 0; i < node->wanted_count; i++)
		paths->below[(*count)++] = node->wanted[i];
	for (struct node *child = node->children; child; child = child->next)
		number_nodes(paths, child, count);
	node->count = *count - node->first;
}

enum rv_status rv_json_paths_new(const char *const *texts, size_t n, struct rv_json_paths **ret,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_json_paths_freep)
	struct rv_json_paths *paths = rv_calloc(1, sizeof(*paths));
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		struct node *node = &paths->root;
		enum rv_status status;

		if (!*texts[i])
			return rv_fail(err, RV_USAGE, "a path is empty");
		if (count_pieces(texts[i]) > RV_JSON_MAX_DEPTH)
			return rv_fail(err, RV_USAGE, "a path of %zu pieces: at most %d can match",
				       count_pieces(texts[i]), RV_JSON_MAX_DEPTH);
		status = *texts[i] == '/' ? add_pointer(&node, texts[i], err) :
					    add_dotted(&node, texts[i], err);
		if (status != RV_OK)
			return status;
		RV_GROW(node->wanted, node->wanted_count, node->wanted_capacity);
		node->wanted[node->wanted_count++] = i;
	}
	paths->n = n;
	paths->below = rv_calloc(n, sizeof(*paths->below));
	number_nodes(paths, &paths->root, &count);
	*ret = rv_take(paths);
	return RV_OK;
}

static void free_children(struct node *node)
{
	for (struct node *child = node->children, *next; child; child = next) {
		next = child->next;
		free_children(child);
		rv_free_p(&child->name);
		rv_free_p(&child->wanted);
		rv_free_p(&child);
	}
}

void rv_json_paths_free(struct rv_json_paths *paths)
{
	if (!paths)
		return;
	free_children(&paths->root);
	rv_free_p(&paths->root.wanted);
	rv_free_p(&paths->below);
	rv_free_p(&paths);
}

void rv_json_paths_freep(struct rv_json_paths **paths)
{
	rv_json_paths_free(*paths);
	*paths = NULL;
}

/* A decoded key longer than any path's piece cannot match, so a small buffer is enough for most. */
static const struct node *find_escaped(const struct node *parent, const struct rv_json_key *key)
{
	char small[256];
	RV_CLEANUP(rv_free_p) char *large = NULL;
	char *name = small;
	size_t len;

	if (key->len > sizeof(small))
		name = large = rv_malloc(key->len);
	len = rv_json_unescape(key->p, key->len, name);
	for (const struct node *child = parent->children; child; child = child->next)
		if (child->len == len && memcmp(child->name, name, len) == 0)
			return child;
	return NULL;
}

static const struct node *find_child(const struct node *parent, const struct rv_json_iter *it,
				     const struct rv_json_key *key, size_t index)
{
	if (it->in_array) {
		for (const struct node *child = parent->children; child; child = child->next)
			if (child->index == index)
				return child;
		return NULL;
	}
	if (key->escaped)
		return find_escaped(parent, key);
	for (const struct node *child = parent->children; child; child = child->next)
		if (child->len == key->len && memcmp(child->name, key->p, key->len) == 0)
			return child;
	return NULL;
}

/* Walks the container at `p`, which has paths below it; returns what is behind it. Depth of the
 * recursion is that of the paths, not of the record. */
static const char *extract(const struct rv_json_paths *paths, const struct node *node,
			   const char *p, const char *end, struct rv_json_value *values)
{
	struct rv_json_iter it;
	struct rv_json_key key;

	rv_json_iter_init(&it, p, (size_t)(end - p));
	for (size_t index = 0; next_member(&it, &key); index++) {
		const struct node *child = find_child(node, &it, &key, index);
		struct rv_json_value value;

		if (!child) {
			it.p = take_value(it.p, it.end, false, &value);
			continue;
		}
		/* An earlier duplicate loses all it had. */
		for (size_t i = 0; i < child->count; i++)
			values[paths->below[child->first + i]] = (struct rv_json_value){ 0 };
		it.p = take_value(it.p, it.end, child->children != NULL, &value);
		if (child->children && (value.type == RV_JSON_OBJECT || value.type == RV_JSON_ARRAY)) {
			it.p = extract(paths, child, value.p, it.end, values);
			value.len = (size_t)(it.p - value.p);
		}
		for (size_t i = 0; i < child->wanted_count; i++)
			values[child->wanted[i]] = value;
	}
	return it.p < it.end ? it.p + 1 : it.p;
}

void rv_json_paths_extract(const struct rv_json_paths *paths, const char *p, size_t len,
			   struct rv_json_value *values)
{
	for (size_t i = 0; i < paths->n; i++)
		values[i] = (struct rv_json_value){ 0 };
	extract(paths, &paths->root, p, p + len, values);
}
