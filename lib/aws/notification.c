/*
 * The text is parsed to find out what is there and where it stands, and then edited as text: what a
 * parser and a writer of our own would make of elements we do not know is not to be found out in
 * somebody else's bucket.
 */
#include "aws/notification.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#include "base/memory.h"
#include "format/arn.h"
#include "format/xml.h"

#define WHAT "the bucket's notification configuration"
#define CREATED "s3:ObjectCreated:"

/* One configuration of the text. */
struct entry {
	const struct rv_xml *node;
	const char *id, *arn, *prefix, *suffix; /* of the tree */
};

const char *rv_notification_id(const char *prefix, char buf[RV_NOTIFICATION_ID_TEXT])
{
	snprintf(buf, RV_NOTIFICATION_ID_TEXT, "river-%016" PRIx64,
		 (uint64_t)XXH3_64bits(prefix, strlen(prefix)));
	return buf;
}

/* ---- reading ---------------------------------------------------------------------------------- */

/* What river puts in is UTF-8, so the rest has to be. */
static bool other_encoding(const char *xml, size_t len)
{
	size_t head = len < 200 ? len : 200;
	RV_CLEANUP(rv_free_p) char *text = rv_strndup(xml, head);
	const char *end = strstr(text, "?>");
	const char *encoding = strstr(text, "encoding");

	if (memchr(xml, '\0', len) != NULL)
		return true;
	return encoding && end && encoding < end && !strcasestr(encoding, "utf-8");
}

static enum rv_status parse(const char *xml, size_t len, struct rv_xml_document **ret,
			    struct rv_error *err)
{
	if (rv_xml_parse(WHAT, xml, len, ret, err) != RV_OK)
		return err->status;
	if (rv_xml_is(rv_xml_root(*ret), "NotificationConfiguration") && !other_encoding(xml, len))
		return RV_OK;
	return rv_fail(err, RV_BAD_DATA, WHAT " is none that river can read");
}

/* Where it goes: Queue, Topic, CloudFunction, or what will come: the child that holds an ARN. */
static const char *destination_of(const struct rv_xml *node)
{
	for (const struct rv_xml *child = node->child; child; child = child->next)
		if (!rv_xml_is(child, "Id") && rv_starts_with(child->text, "arn:"))
			return child->text;
	return "";
}

/* Names of rules come as they were put: prefix, Prefix. */
static const char *rule_of(const struct rv_xml *node, const char *name)
{
	const struct rv_xml *key = rv_xml_child(rv_xml_child(node, "Filter"), "S3Key");

	for (const struct rv_xml *rule = rv_xml_child(key, "FilterRule"); rule;
	     rule = rv_xml_next(rule, "FilterRule"))
		if (strcasecmp(rv_xml_text(rule, "Name"), name) == 0)
			return rv_xml_text(rule, "Value");
	return "";
}

/* False: not a configuration of events, for instance EventBridge's. */
static bool read_entry(const struct rv_xml *node, struct entry *ret)
{
	if (!rv_xml_child(node, "Event"))
		return false;
	*ret = (struct entry){
		.node = node,
		.id = rv_xml_text(node, "Id"),
		.arn = destination_of(node),
		.prefix = rule_of(node, "prefix"),
		.suffix = rule_of(node, "suffix"),
	};
	return true;
}

static bool has_event(const struct entry *entry, const char *event, size_t len)
{
	for (const struct rv_xml *node = rv_xml_child(entry->node, "Event"); node;
	     node = rv_xml_next(node, "Event"))
		if (strncmp(node->text, event, len) == 0)
			return true;
	return false;
}

static bool has_all_created(const struct entry *entry)
{
	return has_event(entry, CREATED "*", sizeof(CREATED "*"));
}

/* S3 lets no two configurations hear of the same event at the same place ("Configurations
 * overlap"). river's has no suffix, so only prefixes tell places apart. */
static bool overlaps(const struct entry *entry, const char *prefix)
{
	return has_event(entry, CREATED, strlen(CREATED)) &&
	       (rv_starts_with(entry->prefix, prefix) || rv_starts_with(prefix, entry->prefix));
}

static bool covers(const struct entry *entry, const struct rv_notification *wanted)
{
	return strcmp(entry->arn, wanted->arn) == 0 && has_all_created(entry) && !entry->suffix[0] &&
	       rv_starts_with(wanted->prefix, entry->prefix);
}

/* ---- editing ---------------------------------------------------------------------------------- */

/* "ns:" when the document says its names so. */
static struct rv_str name_prefix(const char *xml, const struct rv_xml *root)
{
	const char *name = xml + root->begin + 1;
	size_t len = strcspn(name, " \t\r\n/>");
	const char *colon = memchr(name, ':', len);

	return (struct rv_str){ name, colon ? (size_t)(colon - name) + 1 : 0 };
}

static void open_tag(struct rv_strbuf *out, struct rv_str ns, const char *name)
{
	rv_strbuf_printf(out, "<%.*s%s>", (int)ns.len, ns.p, name);
}

static void close_tag(struct rv_strbuf *out, struct rv_str ns, const char *name)
{
	rv_strbuf_printf(out, "</%.*s%s>", (int)ns.len, ns.p, name);
}

static void element(struct rv_strbuf *out, struct rv_str ns, const char *name, const char *text)
{
	open_tag(out, ns, name);
	rv_xml_escape(out, text);
	close_tag(out, ns, name);
}

static void write_entry(struct rv_strbuf *out, struct rv_str ns, const struct rv_notification *wanted)
{
	/* The elements are not called as the shapes of the API are. */
	static const char *const kinds[][3] = {
		{ "sqs", "QueueConfiguration", "Queue" },
		{ "sns", "TopicConfiguration", "Topic" },
		{ "lambda", "CloudFunctionConfiguration", "CloudFunction" },
	};
	char id[RV_NOTIFICATION_ID_TEXT];
	struct rv_arn arn;
	size_t kind = 0;

	if (strcmp(wanted->arn, "eventbridge") == 0) {
		rv_strbuf_printf(out, "<%.*sEventBridgeConfiguration/>", (int)ns.len, ns.p);
		return;
	}
	if (!rv_arn_parse(wanted->arn, &arn))
		rv_bug("'%s' was checked before", wanted->arn);
	while (kind < 3 && !rv_str_is(arn.service, kinds[kind][0]))
		kind++;
	if (kind == 3)
		rv_bug("'%s' was checked before", wanted->arn);
	open_tag(out, ns, kinds[kind][1]);
	element(out, ns, "Id", rv_notification_id(wanted->prefix, id));
	element(out, ns, kinds[kind][2], wanted->arn);
	element(out, ns, "Event", CREATED "*");
	open_tag(out, ns, "Filter");
	open_tag(out, ns, "S3Key");
	open_tag(out, ns, "FilterRule");
	element(out, ns, "Name", "prefix");
	element(out, ns, "Value", wanted->prefix);
	close_tag(out, ns, "FilterRule");
	close_tag(out, ns, "S3Key");
	close_tag(out, ns, "Filter");
	close_tag(out, ns, kinds[kind][1]);
}

/* Behind the last one; `<NotificationConfiguration/>` is opened for it. */
static void append(struct rv_strbuf *out, const char *xml, size_t len, const struct rv_xml *root,
		   struct rv_str ns, const struct rv_notification *wanted)
{
	size_t end = root->end;
	bool empty = xml[end - 2] == '/';

	if (empty) {
		rv_strbuf_add(out, xml, end - 2);
		rv_strbuf_putc(out, '>');
	} else {
		while (xml[end - 1] != '<') /* of the closing tag, which holds no other */
			end--;
		rv_strbuf_add(out, xml, --end);
	}
	write_entry(out, ns, wanted);
	if (empty)
		close_tag(out, ns, "NotificationConfiguration");
	else
		rv_strbuf_add(out, xml + end, root->end - end);
	rv_strbuf_add(out, xml + root->end, len - root->end);
}

static enum rv_status refuse_overlap(const struct entry *entry, const struct rv_notification *wanted,
				     struct rv_error *err)
{
	rv_fail(err, RV_CONFLICT,
		"the bucket already tells %s of new objects below '%.200s'%s%.100s%s%s%.64s%s, which overlaps "
		"with '%.200s'", entry->arn[0] ? entry->arn : "somebody", entry->prefix,
		entry->suffix[0] ? " that end in '" : "", entry->suffix, entry->suffix[0] ? "'" : "",
		entry->id[0] ? " (notification " : "", entry->id, entry->id[0] ? ")" : "", wanted->prefix);
	rv_hint(err, "S3 takes one notification for each place: set notify.arn to eventbridge, or to a "
		     "topic that both hear, or narrow the other one");
	return err->status;
}

enum rv_status rv_notification_merge(const char *xml, size_t len, const struct rv_notification *wanted,
				     struct rv_strbuf *ret, enum rv_notification_outcome *ret_outcome,
				     char **ret_was, struct rv_error *err)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = NULL;
	struct entry entry, own = { 0 };
	char id[RV_NOTIFICATION_ID_TEXT];
	size_t count = 0;
	bool there = false;

	rv_strbuf_clear(ret);
	if (parse(xml, len, &document, err) != RV_OK)
		return err->status;
	const struct rv_xml *root = rv_xml_root(document);
	bool bridge = strcmp(wanted->arn, "eventbridge") == 0;

	rv_notification_id(wanted->prefix, id);
	for (const struct rv_xml *node = root->child; node; node = node->next) {
		there |= bridge && rv_xml_is(node, "EventBridgeConfiguration");
		if (!read_entry(node, &entry))
			continue;
		count++;
		if (strcmp(entry.id, id) == 0)
			own = entry;
		there |= !bridge && covers(&entry, wanted);
	}
	for (const struct rv_xml *node = root->child; node && !there && !bridge; node = node->next)
		if (read_entry(node, &entry) && strcmp(entry.id, id) != 0 &&
		    overlaps(&entry, wanted->prefix))
			return refuse_overlap(&entry, wanted, err);
	if (there && !(bridge && own.node)) {
		rv_strbuf_add(ret, xml, len);
		*ret_outcome = RV_NOTIFICATION_THERE;
		return RV_OK;
	}
	struct rv_str ns = name_prefix(xml, root);

	if (own.node) {
		rv_strbuf_add(ret, xml, own.node->begin);
		if (!there) /* EventBridge is told already */
			write_entry(ret, ns, wanted);
		rv_strbuf_add(ret, xml + own.node->end, len - own.node->end);
		*ret_outcome = RV_NOTIFICATION_CHANGED;
		if (ret_was)
			*ret_was = rv_strdup(own.arn);
		return RV_OK;
	}
	if (!bridge && count >= RV_NOTIFICATION_MAX) {
		rv_fail(err, RV_CONFLICT, "the bucket has %zu notification configurations, and S3 takes %d",
			count, RV_NOTIFICATION_MAX);
		rv_hint(err, "set notify.arn to eventbridge, which does not count, or remove one");
		return err->status;
	}
	append(ret, xml, len, root, ns, wanted);
	*ret_outcome = RV_NOTIFICATION_ADDED;
	return RV_OK;
}

/* ---- comparing -------------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An element as text, its children in order of bytes. As deep as RV_XML_DEPTH_MAX. */
static char *canonical(const struct rv_xml *node)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	size_t count = 0, n = 0;

	for (const struct rv_xml *child = node->child; child; child = child->next)
		count++;
	RV_CLEANUP(rv_free_p) char **parts = rv_calloc(count + 1, sizeof(*parts));

	for (const struct rv_xml *child = node->child; child; child = child->next)
		parts[n++] = canonical(child);
	qsort(parts, n, sizeof(*parts), by_bytes);
	rv_strbuf_printf(&sb, "%s=", node->name);
	rv_strbuf_json(&sb, node->text, count ? 0 : strlen(node->text));
	rv_strbuf_putc(&sb, '(');
	for (size_t i = 0; i < n; i++) {
		rv_strbuf_printf(&sb, "%s,", parts[i]);
		free(parts[i]);
	}
	rv_strbuf_putc(&sb, ')');
	return rv_strbuf_take(&sb);
}

enum rv_status rv_notification_same(const char *a, size_t a_len, const char *b, size_t b_len,
				    bool *ret, struct rv_error *err)
{
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *first = NULL;
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *second = NULL;

	if (parse(a, a_len, &first, err) != RV_OK || parse(b, b_len, &second, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *x = canonical(rv_xml_root(first));
	RV_CLEANUP(rv_free_p) char *y = canonical(rv_xml_root(second));

	*ret = strcmp(x, y) == 0;
	return RV_OK;
}
