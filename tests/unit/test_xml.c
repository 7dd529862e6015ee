/* What services answer, and what somebody in between might. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/memory.h"
#include "format/xml.h"

static struct rv_error err;

static struct rv_xml_document *parse(const char *text)
{
	struct rv_xml_document *document = NULL;
	if (rv_xml_parse("the answer", text, strlen(text), &document, &err) != RV_OK)
		fail_msg("%s", err.message);
	return document;
}

static void refused(const char *text, const char *why)
{
	struct rv_xml_document *document = NULL;
	assert_int_equal(rv_xml_parse("the answer", text, strlen(text), &document, &err), RV_BAD_DATA);
	assert_null(document);
	if (!strstr(err.message, why))
		fail_msg("'%s' does not say '%s'", err.message, why);
}

static void test_a_list(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_xml_free_p)
	struct rv_xml_document *document = parse(
		"\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
		"  <IsTruncated>true</IsTruncated>\n"
		"  <Contents><Key>a&amp;b</Key><ETag>&quot;x&quot;</ETag></Contents>\n"
		"  <CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>\n"
		"  <Contents><Key>\xc3\xa9 &lt;</Key><Size/></Contents>\n"
		"</ListBucketResult>\n");
	const struct rv_xml *root = rv_xml_root(document);
	assert_true(rv_xml_is(root, "ListBucketResult"));
	assert_string_equal(rv_xml_text(root, "IsTruncated"), "true");
	const struct rv_xml *contents = rv_xml_child(root, "Contents");
	assert_string_equal(rv_xml_text(contents, "Key"), "a&b");
	assert_string_equal(rv_xml_text(contents, "ETag"), "\"x\"");
	assert_string_equal(rv_xml_text(contents, "Size"), "");
	contents = rv_xml_next(contents, "Contents");
	assert_string_equal(rv_xml_text(contents, "Key"), "\xc3\xa9 <");
	assert_string_equal(rv_xml_text(contents, "Size"), "");
	assert_null(rv_xml_next(contents, "Contents"));
	assert_null(rv_xml_next(NULL, "Contents"));
	assert_false(rv_xml_is(NULL, "Contents"));
	assert_false(rv_xml_is(root, "Contents"));
	assert_string_equal(rv_xml_text(rv_xml_child(root, "nothing"), "Key"), "");
}

static void test_names_without_prefix_and_keep_alive_blanks(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_xml_free_p)
	struct rv_xml_document *document =
		parse(" \r\n\t \n<?xml version=\"1.0\"?><s:Error xmlns:s=\"u\"><s:Code>InternalError</s:Code>"
		      "<Message>a<![CDATA[<b>]]>&#x63;</Message></s:Error>");
	assert_true(rv_xml_is(rv_xml_root(document), "Error"));
	assert_string_equal(rv_xml_text(rv_xml_root(document), "Code"), "InternalError");
	assert_string_equal(rv_xml_text(rv_xml_root(document), "Message"), "a<b>c");
}

static void test_what_is_refused(void **state RV_UNUSED)
{
	refused("", "empty");
	refused("  \n ", "empty");
	refused("{\"a\":1}", "not XML");
	refused("<a><b></a>", "line 1, column");
	refused("<a>", "not XML");
	refused("<a/><b/>", "not XML");
	refused("<a>\xff</a>", "not XML");
	refused("<a>&nbsp;</a>", "not XML");
	refused("<a>&#0;</a>", "not XML");
	refused("<!DOCTYPE html><html></html>", "document type");
	refused("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "document type");
	refused("<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x.dtd\"><a/>", "document type");
	refused("<a><?php x ?></a>", "processing instruction");
	refused("<a><s3:></s3:></a>", "element without a name");
	refused("<a><s3:/></a>", "element without a name");
	/* of its bytes the first alone is looked at */
	struct rv_xml_document *document = NULL;
	assert_int_equal(rv_xml_parse("the answer", "<", (size_t)INT32_MAX + 1, &document, &err), RV_BAD_DATA);
	assert_string_equal(err.message, "the answer is too large");
}

static void test_depth_and_number_are_limited(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	for (int i = 0; i < RV_XML_DEPTH_MAX; i++)
		rv_strbuf_puts(&text, "<a>");
	for (int i = 0; i < RV_XML_DEPTH_MAX; i++)
		rv_strbuf_puts(&text, "</a>");
	rv_xml_free(parse(text.bytes));
	rv_strbuf_clear(&text);
	for (int i = 0; i <= RV_XML_DEPTH_MAX; i++)
		rv_strbuf_puts(&text, "<a>");
	refused(text.bytes, "nested too deeply");
	rv_strbuf_clear(&text);
	rv_strbuf_puts(&text, "<a>");
	for (int i = 0; i < RV_XML_NODES_MAX; i++)
		rv_strbuf_puts(&text, "<b/>");
	rv_strbuf_puts(&text, "</a>");
	refused(text.bytes, "too many elements");
}

static void test_large_texts(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_strbuf_puts(&text, "<a><b>");
	for (int i = 0; i < 200000; i++)
		rv_strbuf_putc(&text, 'x');
	rv_strbuf_puts(&text, "</b><c>y</c></a>");
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = parse(text.bytes);
	assert_int_equal(strlen(rv_xml_text(rv_xml_root(document), "b")), 200000);
	assert_string_equal(rv_xml_text(rv_xml_root(document), "c"), "y");
}

static void stands(const struct rv_xml *node, const char *all, const char *part)
{
	assert_int_equal(node->end - node->begin, strlen(part));
	assert_memory_equal(all + node->begin, part, strlen(part));
}

static void test_where_elements_stand(void **state RV_UNUSED)
{
	static const char text[] = "\n <?xml version='1.0'?>\n<r x='>'> <a/><n:b >\xc3\xa9&amp;<c y='1' /></n:b\n> </r>";
	RV_CLEANUP(rv_xml_free_p) struct rv_xml_document *document = parse(text);
	const struct rv_xml *root = rv_xml_root(document);
	const struct rv_xml *b = rv_xml_child(root, "b");

	stands(root, text, strstr(text, "<r"));
	stands(rv_xml_child(root, "a"), text, "<a/>");
	stands(b, text, "<n:b >\xc3\xa9&amp;<c y='1' /></n:b\n>");
	stands(rv_xml_child(b, "c"), text, "<c y='1' />");
}

static void test_escaping(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_xml_escape(&text, "a<b>&\"c\"\r\x01\x7f\xc3\xa9");
	assert_string_equal(text.bytes, "a&lt;b&gt;&amp;&quot;c&quot;&#xD;&#x1;&#x7F;\xc3\xa9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_list),
		cmocka_unit_test(test_names_without_prefix_and_keep_alive_blanks),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_depth_and_number_are_limited),
		cmocka_unit_test(test_large_texts),
		cmocka_unit_test(test_where_elements_stand),
		cmocka_unit_test(test_escaping),
	};
	return cmocka_run_group_tests_name("xml", tests, NULL, NULL);
}
