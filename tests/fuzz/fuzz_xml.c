/*
 * Bodies as a service might send them: the tree that comes out stays within its limits, every text in
 * it ends, and what was escaped is read back as it was.
 */
#include "fuzz.h"

#include "base/strbuf.h"
#include "format/xml.h"

static size_t walk(const struct rv_xml *node, unsigned depth, size_t *bytes)
{
	size_t nodes = 0;

	for (; node; node = node->next) {
		CHECK(depth <= RV_XML_DEPTH_MAX);
		CHECK(node->name[0]);
		CHECK(!strchr(node->name, ':'));
		*bytes += strlen(node->name) + strlen(node->text);
		nodes += 1 + walk(node->child, depth + 1, bytes);
	}
	return nodes;
}

/* Any text, put into an element, comes back. What XML cannot carry at all is left out before. */
static void round_trip(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT, body = RV_STRBUF_INIT;
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_error err = RV_ERROR_INIT;

	for (size_t i = 0; i < size; i++)
		if ((data[i] >= 0x20 && data[i] < 0x80) || data[i] == '\n' || data[i] == '\r')
			rv_strbuf_putc(&text, (char)data[i]);
	rv_strbuf_puts(&body, "<a><b>");
	rv_xml_escape(&body, text.bytes);
	rv_strbuf_puts(&body, "</b></a>");
	CHECK(rv_xml_parse("x", body.bytes, body.len, &document, &err) == RV_OK);
	CHECK(strcmp(rv_xml_text(rv_xml_root(document), "b"), text.bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct rv_error err = RV_ERROR_INIT;
	size_t bytes = 0;

	/* Exactly the bytes that may be read, so that one more is seen. */
	RV_CLEANUP(rv_free_p) char *copy = rv_malloc(size);
	if (size)
		memcpy(copy, data, size);
	if (rv_xml_parse("the input", copy, size, &document, &err) == RV_OK) {
		CHECK(rv_xml_root(document));
		CHECK(walk(rv_xml_root(document), 1, &bytes) <= RV_XML_NODES_MAX);
		/* No entity, no inflation; a byte of UTF-16 or Latin-1 becomes two at most. */
		CHECK(bytes <= 2 * size);
	} else {
		CHECK(!document);
		CHECK(err.status == RV_BAD_DATA && err.message[0]);
	}
	if (size < 4096)
		round_trip(data, size);
	return 0;
}
