/*
 * XML as S3 and STS answer it: a small tree over expat, for bodies that were read whole.
 *
 * Input is hostile until checked: document types (and with them entities), processing
 * instructions, depth beyond RV_XML_DEPTH_MAX and more than RV_XML_NODES_MAX elements are refused;
 * the size of the body is limited by whoever read it. Attributes are skipped, and prefixes of
 * namespaces left out: services agree on element names, not on their namespaces.
 *
 * Blanks in front of the declaration are fine: S3 keeps long answers alive with them.
 */
#ifndef RV_FORMAT_XML_H
#define RV_FORMAT_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/strbuf.h"

#define RV_XML_DEPTH_MAX 32
#define RV_XML_NODES_MAX 200000

struct rv_xml {
	const char *name;            /* "Contents", without a prefix */
	const char *text;            /* what stands in it, children left out; "" when nothing does */
	const struct rv_xml *child;  /* the first */
	const struct rv_xml *next;   /* of the same parent */
	size_t begin, end;           /* where it stands in the bytes, tags included */
};

struct rv_xml_document; /* owns its nodes */
/* RV_BAD_DATA with line and column when it is not well-formed, or refused. `what` is for the
 * message. */
enum rv_status rv_xml_parse(const char *what, const char *bytes, size_t len,
			    struct rv_xml_document **ret, struct rv_error *err) RV_MUST_CHECK;
void rv_xml_free(struct rv_xml_document *document);
void rv_xml_free_p(struct rv_xml_document **document);
const struct rv_xml *rv_xml_root(const struct rv_xml_document *document);

/* The first child of that name, and the next sibling of that name; NULL: there is none. A NULL
 * parent has no children, so looks can be chained. */
const struct rv_xml *rv_xml_child(const struct rv_xml *parent, const char *name);
const struct rv_xml *rv_xml_next(const struct rv_xml *node, const char *name);
/* The text of the first child of that name, "" when there is none. Never NULL. */
const char *rv_xml_text(const struct rv_xml *parent, const char *name);
bool rv_xml_is(const struct rv_xml *node, const char *name);

/* Text as it goes into an element. Characters XML 1.0 cannot say become references, as S3 takes
 * them. */
void rv_xml_escape(struct rv_strbuf *out, const char *text);

#endif
