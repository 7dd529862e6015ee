/* Somebody else's configuration stays as it is, byte for byte; ours goes in, once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "aws/notification.h"
#include "base/memory.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NS "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define QUEUE "arn:aws:sqs:eu-west-1:123456789012:loads"
#define TOPIC "arn:aws:sns:eu-west-1:123456789012:others"
#define LAMBDA "arn:aws:lambda:eu-west-1:123456789012:function:load"
#define RULE(name, value)                                                                          \
	"<FilterRule><Name>" name "</Name><Value>" value "</Value></FilterRule>"
#define OURS(kind, element, arn)                                                                   \
	"<" kind "><Id>river-581cb63ab7cdbc01</Id><" element ">" arn "</" element ">"              \
	"<Event>s3:ObjectCreated:*</Event><Filter><S3Key>" RULE("prefix", "river/data/")           \
	"</S3Key></Filter></" kind ">"
#define OUR_QUEUE OURS("QueueConfiguration", "Queue", QUEUE)

static const struct rv_notification data = { "river/data/", QUEUE };
static struct rv_error err;

/* The merged text; caller frees. */
static char *merged(const char *xml, const struct rv_notification *wanted,
		    enum rv_notification_outcome outcome)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;
	enum rv_notification_outcome got;

	if (rv_notification_merge(xml, strlen(xml), wanted, &sb, &got, NULL, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_int_equal(got, outcome);
	return rv_strbuf_take(&sb);
}

static void becomes(const char *xml, const struct rv_notification *wanted,
		    enum rv_notification_outcome outcome, const char *expected)
{
	RV_CLEANUP(rv_free_p) char *text = merged(xml, wanted, outcome);

	assert_string_equal(text, expected);
	/* and then it is there */
	RV_CLEANUP(rv_free_p) char *again = merged(text, wanted, RV_NOTIFICATION_THERE);

	assert_string_equal(again, text);
}

static void refused(const char *xml, const struct rv_notification *wanted, enum rv_status status,
		    const char *says)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	enum rv_notification_outcome outcome;

	assert_int_equal(rv_notification_merge(xml, strlen(xml), wanted, &sb, &outcome, NULL, &err),
			 status);
	if (!strstr(err.message, says))
		fail_msg("'%s' does not say '%s'", err.message, says);
}

static void test_into_an_empty_one(void **state RV_UNUSED)
{
	const struct rv_notification topic = { "river/data/", TOPIC }, function = { "river/data/", LAMBDA };
	const struct rv_notification bridge = { "river/data/", "eventbridge" };

	becomes(HEAD "<NotificationConfiguration " NS "/>", &data, RV_NOTIFICATION_ADDED,
		HEAD "<NotificationConfiguration " NS ">" OUR_QUEUE "</NotificationConfiguration>");
	becomes("<NotificationConfiguration></NotificationConfiguration>\n", &data,
		RV_NOTIFICATION_ADDED,
		"<NotificationConfiguration>" OUR_QUEUE "</NotificationConfiguration>\n");
	becomes("<NotificationConfiguration />", &topic, RV_NOTIFICATION_ADDED,
		"<NotificationConfiguration >" OURS("TopicConfiguration", "Topic", TOPIC)
		"</NotificationConfiguration>");
	becomes("<NotificationConfiguration/>", &function, RV_NOTIFICATION_ADDED,
		"<NotificationConfiguration>"
		OURS("CloudFunctionConfiguration", "CloudFunction", LAMBDA)
		"</NotificationConfiguration>");
	becomes("<NotificationConfiguration/>", &bridge, RV_NOTIFICATION_ADDED,
		"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>");
}

/* Comments, blanks, entities, attributes and elements nobody knows yet. */
static void test_others_stay_byte_for_byte(void **state RV_UNUSED)
{
#define OTHERS                                                                                     \
	"\n  <!-- by hand --><QueueConfiguration a='1'>\n<Id>a &amp; b</Id><Queue>" QUEUE              \
	"</Queue><Event>s3:ObjectRemoved:*</Event></QueueConfiguration>\n"                         \
	"  <CloudFunctionConfiguration><CloudFunction>" LAMBDA "</CloudFunction>"                  \
	"<Event>s3:ObjectCreated:Put</Event><Filter><S3Key>" RULE("Prefix", "images/")             \
	RULE("Suffix", ".jpg") "</S3Key></Filter></CloudFunctionConfiguration>"                    \
	"<FutureConfiguration><Id>f</Id><Deep><x y=\"z\"/></Deep></FutureConfiguration>"           \
	"<EventBridgeConfiguration></EventBridgeConfiguration>\n"
	becomes(HEAD "<NotificationConfiguration " NS ">" OTHERS "</NotificationConfiguration >", &data,
		RV_NOTIFICATION_ADDED,
		HEAD "<NotificationConfiguration " NS ">" OTHERS OUR_QUEUE
		     "</NotificationConfiguration >");
	becomes("<n:NotificationConfiguration xmlns:n='x'><n:A/></n:NotificationConfiguration>", &data,
		RV_NOTIFICATION_ADDED,
		"<n:NotificationConfiguration xmlns:n='x'><n:A/><n:QueueConfiguration>"
		"<n:Id>river-581cb63ab7cdbc01</n:Id><n:Queue>" QUEUE "</n:Queue>"
		"<n:Event>s3:ObjectCreated:*</n:Event><n:Filter><n:S3Key><n:FilterRule>"
		"<n:Name>prefix</n:Name><n:Value>river/data/</n:Value></n:FilterRule></n:S3Key>"
		"</n:Filter></n:QueueConfiguration></n:NotificationConfiguration>");
}

/* A lake may lie below any prefix. */
static void test_odd_prefixes(void **state RV_UNUSED)
{
	const struct rv_notification odd = { "a&b<\xc3\xa9>/data/", QUEUE };
	RV_CLEANUP(rv_free_p)
	char *text = merged("<NotificationConfiguration/>", &odd, RV_NOTIFICATION_ADDED);

	assert_non_null(strstr(text, "<Value>a&amp;b&lt;\xc3\xa9&gt;/data/</Value>"));
	free(merged(text, &odd, RV_NOTIFICATION_THERE));
	char a[RV_NOTIFICATION_ID_TEXT], b[RV_NOTIFICATION_ID_TEXT];

	assert_string_not_equal(rv_notification_id("a/data/", a), rv_notification_id("b/data/", b));
}

static void test_ours_follows_the_profile(void **state RV_UNUSED)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf sb = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) char *was = NULL;
	const struct rv_notification topic = { "river/data/", TOPIC };
	const struct rv_notification bridge = { "river/data/", "eventbridge" };
	const char xml[] = "<NotificationConfiguration><A/>" OUR_QUEUE "<B/></NotificationConfiguration>";
	enum rv_notification_outcome outcome;

	becomes(xml, &topic, RV_NOTIFICATION_CHANGED,
		"<NotificationConfiguration><A/>" OURS("TopicConfiguration", "Topic", TOPIC)
		"<B/></NotificationConfiguration>");
	becomes(xml, &bridge, RV_NOTIFICATION_CHANGED,
		"<NotificationConfiguration><A/><EventBridgeConfiguration/><B/></NotificationConfiguration>");
	becomes("<NotificationConfiguration><EventBridgeConfiguration/>" OUR_QUEUE
		"</NotificationConfiguration>", &bridge, RV_NOTIFICATION_CHANGED,
		"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>");
	assert_int_equal(rv_notification_merge(xml, strlen(xml), &topic, &sb, &outcome, &was, &err),
			 RV_OK);
	assert_string_equal(was, QUEUE);
}

#define OTHER(event, rules)                                                                        \
	"<NotificationConfiguration><TopicConfiguration><Id>theirs</Id><Topic>" TOPIC "</Topic>"   \
	"<Event>" event "</Event><Filter><S3Key>" rules "</S3Key></Filter></TopicConfiguration>"   \
	"</NotificationConfiguration>"

static void test_overlaps(void **state RV_UNUSED)
{
	static const char *const wrong[] = {
		OTHER("s3:ObjectCreated:*", RULE("prefix", "river/data/")),
		OTHER("s3:ObjectCreated:Put", RULE("Prefix", "river/")),
		OTHER("s3:ObjectCreated:CompleteMultipartUpload", ""),
		OTHER("s3:ObjectRemoved:*</Event><Event>s3:ObjectCreated:*", RULE("prefix", "r")),
		OTHER("s3:ObjectCreated:*", RULE("prefix", "river/data/web/") RULE("suffix", ".gz")),
		OTHER("s3:ObjectCreated:*", RULE("suffix", ".jpg")),
	};
	static const char *const fine[] = {
		OTHER("s3:ObjectRemoved:*", RULE("prefix", "river/data/")),
		OTHER("s3:ObjectCreated:*", RULE("prefix", "river/_river/landing/")),
		OTHER("s3:ObjectCreated:*", RULE("prefix", "river/data_of_others/")),
		OTHER("s3:ObjectCreated:*", RULE("prefix", "images/") RULE("suffix", ".jpg")),
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refused(wrong[i], &data, RV_CONFLICT, "which overlaps with 'river/data/'");
	refused(wrong[1], &data, RV_CONFLICT, TOPIC " of new objects below 'river/' (notification theirs)");
	assert_non_null(strstr(err.hint, "eventbridge"));
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		free(merged(fine[i], &data, RV_NOTIFICATION_ADDED));
	/* EventBridge hears of everything anyway */
	const struct rv_notification bridge = { "river/data/", "eventbridge" };

	free(merged(wrong[0], &bridge, RV_NOTIFICATION_ADDED));
}

/* The same, put there by somebody else. */
static void test_covered(void **state RV_UNUSED)
{
	const struct rv_notification topic = { "river/data/", TOPIC };

	free(merged(OTHER("s3:ObjectCreated:*", RULE("Prefix", "river/data/")), &topic,
		    RV_NOTIFICATION_THERE));
	free(merged(OTHER("s3:ObjectCreated:*", ""), &topic, RV_NOTIFICATION_THERE));
	refused(OTHER("s3:ObjectCreated:Put", RULE("prefix", "river/data/")), &topic, RV_CONFLICT,
		"overlaps");
	refused(OTHER("s3:ObjectCreated:*", RULE("prefix", "river/data/") RULE("suffix", ".gz")), &topic,
		RV_CONFLICT, "that end in '.gz'");
}

static char *with_many(unsigned count)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_strbuf_puts(&sb, "<NotificationConfiguration><EventBridgeConfiguration/>");
	for (unsigned i = 0; i < count; i++)
		rv_strbuf_printf(&sb, "<QueueConfiguration><Queue>" QUEUE "</Queue>"
				      "<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule>"
				      "<Name>prefix</Name><Value>%u/</Value></FilterRule></S3Key></Filter>"
				      "</QueueConfiguration>", i);
	rv_strbuf_puts(&sb, "</NotificationConfiguration>");
	return rv_strbuf_take(&sb);
}

static void test_limit(void **state RV_UNUSED)
{
	const struct rv_notification bridge = { "river/data/", "eventbridge" };
	RV_CLEANUP(rv_free_p) char *few = with_many(RV_NOTIFICATION_MAX - 1);
	RV_CLEANUP(rv_free_p) char *full = merged(few, &data, RV_NOTIFICATION_ADDED);
	RV_CLEANUP(rv_free_p) char *many = with_many(RV_NOTIFICATION_MAX);

	free(merged(full, &data, RV_NOTIFICATION_THERE));
	refused(many, &data, RV_CONFLICT, "has 100 notification configurations, and S3 takes 100");
	free(merged(many, &bridge, RV_NOTIFICATION_THERE));
}

static void test_what_is_none(void **state RV_UNUSED)
{
	refused("", &data, RV_BAD_DATA, "is empty");
	refused("<html/>", &data, RV_BAD_DATA, "none that river can read");
	refused("<NotificationConfiguration>", &data, RV_BAD_DATA, "not XML");
	refused("<?xml version='1.0' encoding='ISO-8859-1'?><NotificationConfiguration/>", &data,
		RV_BAD_DATA, "none that river can read");
}

static bool same(const char *a, const char *b)
{
	bool ret = false;

	if (rv_notification_same(a, strlen(a), b, strlen(b), &ret, &err) != RV_OK)
		fail_msg("%s", err.message);
	return ret;
}

static void test_same(void **state RV_UNUSED)
{
	assert_true(same("<NotificationConfiguration><A><x/><y>1</y></A><B/></NotificationConfiguration>",
			 "<NotificationConfiguration " NS ">\n<B></B>\n<A><y>1</y><x/></A></NotificationConfiguration>"));
	assert_false(same("<NotificationConfiguration><A/></NotificationConfiguration>",
			  "<NotificationConfiguration><A/><A/></NotificationConfiguration>"));
	assert_false(same("<NotificationConfiguration><A>1</A></NotificationConfiguration>",
			  "<NotificationConfiguration><A>2</A></NotificationConfiguration>"));
	assert_false(same("<NotificationConfiguration><A>(B=)</A></NotificationConfiguration>",
			  "<NotificationConfiguration><A><B/></A></NotificationConfiguration>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_into_an_empty_one),
		cmocka_unit_test(test_others_stay_byte_for_byte),
		cmocka_unit_test(test_odd_prefixes),
		cmocka_unit_test(test_ours_follows_the_profile),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_same),
	};
	return cmocka_run_group_tests_name("notification", tests, NULL, NULL);
}
