/*
 * A tree from expat's events. Nodes and texts live in one arena: a page of a list has thousands of
 * them, and all go at once.
 */
#include "format/xml.h"

#include <expat.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define CHUNK_BYTES (64u << 10)

struct chunk {
	struct chunk *next;
	size_t used, size;
	char bytes[] __attribute__((aligned(sizeof(void *))));
};

struct rv_xml_document {
	struct chunk *chunks;
	struct rv_xml *root;
};

struct open_element {
	struct rv_xml *node, *last_child;
	size_t text_start; /* in `text` */
};

struct parsing {
	struct rv_xml_document *document;
	XML_Parser parser;
	struct open_element open[RV_XML_DEPTH_MAX];
	size_t depth, nodes;
	size_t skipped;        /* blanks in front, which expat does not see */
	struct rv_strbuf text; /* of the open elements, one behind the other */
	const char *refused;   /* why parsing was stopped */
};

static void *arena_take(struct rv_xml_document *document, size_t size)
{
	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	struct chunk *chunk = document->chunks;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
		chunk = rv_malloc(sizeof(*chunk) + room);
		*chunk = (struct chunk){ .next = document->chunks, .size = room };
		document->chunks = chunk;
	}
	void *p = chunk->bytes + chunk->used;
	chunk->used += size;
	return p;
}

static const char *arena_text(struct rv_xml_document *document, const char *text, size_t len)
{
	if (len == 0)
		return "";
	char *copy = arena_take(document, len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static void refuse(struct parsing *p, const char *why)
{
	if (!p->refused)
		p->refused = why;
	XML_StopParser(p->parser, XML_FALSE);
}

static void start_element(void *arg, const XML_Char *name, const XML_Char **attributes RV_UNUSED)
{
	struct parsing *p = arg;
	if (p->refused)
		return;
	if (p->depth == RV_XML_DEPTH_MAX) {
		refuse(p, "is nested too deeply");
		return;
	}
	if (++p->nodes > RV_XML_NODES_MAX) {
		refuse(p, "has too many elements");
		return;
	}
	const char *colon = strrchr(name, ':');
	const char *local = colon ? colon + 1 : name;
	if (!*local) {
		refuse(p, "has an element without a name");
		return;
	}
	struct rv_xml *node = arena_take(p->document, sizeof(*node));
	*node = (struct rv_xml){
		.name = arena_text(p->document, local, strlen(local)),
		.text = "",
		.begin = p->skipped + (size_t)XML_GetCurrentByteIndex(p->parser),
	};
	if (p->depth == 0) {
		p->document->root = node;
	} else {
		struct open_element *parent = &p->open[p->depth - 1];
		if (parent->last_child)
			parent->last_child->next = node;
		else
			parent->node->child = node;
		parent->last_child = node;
	}
	p->open[p->depth++] = (struct open_element){ .node = node, .text_start = p->text.len };
}

static void end_element(void *arg, const XML_Char *name RV_UNUSED)
{
	struct parsing *p = arg;
	if (p->refused || p->depth == 0)
		return;
	struct open_element *element = &p->open[--p->depth];
	element->node->text = arena_text(p->document, p->text.bytes + element->text_start,
					 p->text.len - element->text_start);
	/* of <a/> expat tells the end as a place behind it, of </a> as the tag */
	element->node->end = p->skipped + (size_t)XML_GetCurrentByteIndex(p->parser) +
			     (size_t)XML_GetCurrentByteCount(p->parser);
	rv_strbuf_truncate(&p->text, element->text_start);
}

static void character_data(void *arg, const XML_Char *text, int len)
{
	struct parsing *p = arg;
	/* Indentation between children is nobody's text. */
	if (!p->refused && p->depth > 0 && !p->open[p->depth - 1].last_child)
		rv_strbuf_add(&p->text, text, (size_t)len);
}

static void start_doctype(void *arg, const XML_Char *name RV_UNUSED, const XML_Char *system RV_UNUSED,
			  const XML_Char *public RV_UNUSED, int has_internal RV_UNUSED)
{
	refuse(arg, "has a document type");
}

static void processing_instruction(void *arg, const XML_Char *target RV_UNUSED,
				   const XML_Char *data RV_UNUSED)
{
	refuse(arg, "has a processing instruction");
}

static enum rv_status parse(struct parsing *p, const char *what, const char *bytes, size_t len,
			    struct rv_error *err)
{
	while (len > 0 && (*bytes == ' ' || *bytes == '\t' || *bytes == '\r' || *bytes == '\n'))
		bytes++, len--, p->skipped++;
	if (len == 0)
		return rv_fail(err, RV_BAD_DATA, "%s is empty", what);
	if (len > INT32_MAX)
		return rv_fail(err, RV_BAD_DATA, "%s is too large", what);
	XML_SetUserData(p->parser, p);
	XML_SetElementHandler(p->parser, start_element, end_element);
	XML_SetCharacterDataHandler(p->parser, character_data);
	XML_SetStartDoctypeDeclHandler(p->parser, start_doctype);
	XML_SetProcessingInstructionHandler(p->parser, processing_instruction);
	enum XML_Status status = XML_Parse(p->parser, bytes, (int)len, 1);
	uint64_t line = XML_GetCurrentLineNumber(p->parser);
	uint64_t column = XML_GetCurrentColumnNumber(p->parser) + 1;
	if (p->refused)
		return rv_fail(err, RV_BAD_DATA, "%s %s (line %llu)", what, p->refused,
			       (unsigned long long)line);
	if (status != XML_STATUS_OK)
		return rv_fail(err, RV_BAD_DATA, "%s is not XML: %s (line %llu, column %llu)", what,
			       XML_ErrorString(XML_GetErrorCode(p->parser)), (unsigned long long)line,
			       (unsigned long long)column);
	return RV_OK;
}

enum rv_status rv_xml_parse(const char *what, const char *bytes, size_t len,
			    struct rv_xml_document **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_xml_free_p)
	struct rv_xml_document *document = rv_calloc(1, sizeof(*document));
	struct parsing p = { .document = document, .text = RV_STRBUF_INIT };
	/* Without memory it would call an answer no XML. */
	const XML_Memory_Handling_Suite memory = { rv_malloc, rv_realloc, free };
	p.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!p.parser)
		rv_out_of_memory(0);
	enum rv_status status = parse(&p, what, bytes, len, err);
	XML_ParserFree(p.parser);
	rv_strbuf_release(&p.text);
	if (status == RV_OK)
		*ret = rv_take(document);
	return status;
}

void rv_xml_free(struct rv_xml_document *document)
{
	if (!document)
		return;
	for (struct chunk *chunk = document->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(document);
}

void rv_xml_free_p(struct rv_xml_document **document)
{
	rv_xml_free(*document);
	*document = NULL;
}

const struct rv_xml *rv_xml_root(const struct rv_xml_document *document)
{
	return document->root;
}

bool rv_xml_is(const struct rv_xml *node, const char *name)
{
	return node && strcmp(node->name, name) == 0;
}

static const struct rv_xml *find(const struct rv_xml *node, const char *name)
{
	while (node && strcmp(node->name, name) != 0)
		node = node->next;
	return node;
}

const struct rv_xml *rv_xml_child(const struct rv_xml *parent, const char *name)
{
	return parent ? find(parent->child, name) : NULL;
}

const struct rv_xml *rv_xml_next(const struct rv_xml *node, const char *name)
{
	return node ? find(node->next, name) : NULL;
}

const char *rv_xml_text(const struct rv_xml *parent, const char *name)
{
	const struct rv_xml *child = rv_xml_child(parent, name);
	return child ? child->text : "";
}

void rv_xml_escape(struct rv_strbuf *out, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		switch (*p) {
		case '&': rv_strbuf_puts(out, "&amp;"); break;
		case '<': rv_strbuf_puts(out, "&lt;"); break;
		case '>': rv_strbuf_puts(out, "&gt;"); break;
		case '"': rv_strbuf_puts(out, "&quot;"); break;
		default:
			if (*p < 0x20 || *p == 0x7f)
				rv_strbuf_printf(out, "&#x%X;", *p);
			else
				rv_strbuf_putc(out, (char)*p);
		}
	}
}
