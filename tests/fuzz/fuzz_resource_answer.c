/*
 * Any bytes as what AWS answers about what a stream needs: Firehose about its delivery stream, S3 about the bucket's
 * notification. What is called the same is the same as jansson reads it, ready is what says ACTIVE, nothing is deleted
 * or changed that is not this lake's, and gone is what was said not to be there. The first byte chooses what is asked;
 * the rest is answers (answers.h).
 */
#include "fuzz.h"

#include <jansson.h>

#include "answers.h"
#include "aws/firehose.h"
#include "base/clock.h"
#include "resource/resource.h"

#define QUEUE "arn:aws:sqs:us-east-1:123456789012:loads"
#define ROLE "arn:aws:iam::123456789012:role/firehose"
#define PREFIX "river/data/web/clicks/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/"
#define ERRORS "river/_river/firehose-errors/web/clicks/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/"

static struct rv_resource *firehose, *notification;
static struct rv_stream stream;

/* ---- what was heard ---- */

static struct {
	bool described;           /* the last description is of something */
	bool ours;                /* and that delivers below this lake's data of the stream */
	bool same;                /* and as river would have it */
	bool active, missing, created, conflict;
	unsigned deletes, updates;
	struct rv_strbuf xml;     /* the last configuration */
	bool has_xml;
} heard;

static bool text_is(const json_t *object, const char *key, const char *wanted)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && strcmp(text, wanted) == 0;
}

static bool number_is(const json_t *object, const char *key, json_int_t wanted)
{
	return json_is_integer(json_object_get(object, key)) && json_integer_value(json_object_get(object, key)) == wanted;
}

static void hear_description(const struct rv_http_response *response)
{
	RV_CLEANUP(json_decrefp) json_t *json = json_loadb(response->body.bytes, response->body.len, 0, NULL);
	const json_t *of = json_object_get(json, "DeliveryStreamDescription");
	const json_t *s3 = json_object_get(json_array_get(json_object_get(of, "Destinations"), 0),
					   "ExtendedS3DestinationDescription");
	const json_t *hints = json_object_get(s3, "BufferingHints");
	const char *prefix = json_string_value(json_object_get(s3, "Prefix"));

	heard.described = json_is_string(json_object_get(of, "DeliveryStreamStatus"));
	heard.active = text_is(of, "DeliveryStreamStatus", "ACTIVE");
	heard.ours = text_is(s3, "BucketARN", "arn:aws:s3:::lake") && prefix &&
		     strncmp(prefix, "river/data/web/clicks/", strlen("river/data/web/clicks/")) == 0;
	heard.same = heard.ours && strcmp(prefix, PREFIX) == 0 && text_is(s3, "ErrorOutputPrefix", ERRORS) &&
		     text_is(s3, "RoleARN", ROLE) && text_is(s3, "CompressionFormat", "GZIP") &&
		     text_is(s3, "FileExtension", ".ndjson.gz") && number_is(hints, "SizeInMBs", 5) &&
		     number_is(hints, "IntervalInSeconds", 60);
}

static void hear(const struct rv_http_request *request, const struct rv_http_response *response)
{
	const char *target = request->headers ? rv_http_headers_get(request->headers, "X-Amz-Target") : NULL;
	const char *call = target ? strrchr(target, '.') + 1 : "";
	bool good = response->status / 100 == 2;

	if (target) {
		json_t *in = json_loadb(request->body.bytes, request->body.len, JSON_REJECT_DUPLICATES, NULL);

		CHECK(json_is_string(json_object_get(in, "DeliveryStreamName")));
		json_decref(in);
	}
	if (strcmp(call, "DescribeDeliveryStream") == 0) {
		heard.missing = !good;
		if (good)
			hear_description(response);
	} else if (strcmp(call, "DeleteDeliveryStream") == 0) {
		heard.deletes++;
	} else if (strcmp(call, "UpdateDestination") == 0) {
		CHECK(heard.ours);
		heard.updates++;
	} else if (strcmp(call, "CreateDeliveryStream") == 0) {
		heard.created |= good;
		heard.conflict |= !good;
	} else if (strcmp(request->method, "GET") == 0 && good) {
		rv_strbuf_clear(&heard.xml);
		rv_strbuf_add(&heard.xml, response->body.bytes, response->body.len);
		heard.has_xml = true;
	} else if (strcmp(request->method, "PUT") == 0) {
		CHECK(heard.has_xml && memmem(request->body.bytes, request->body.len, QUEUE, strlen(QUEUE)));
	}
}

/* ---- what is asked ---- */

static bool check_refusal(enum rv_status status, const struct rv_error *err)
{
	CHECK(memchr(err->message, '\0', sizeof(err->message)) && memchr(err->hint, '\0', sizeof(err->hint)));
	CHECK(status == RV_OK || (status == err->status && err->message[0]));
	return status == RV_OK;
}

static enum rv_status look(struct rv_resource *resource, struct rv_resource_view *view, struct rv_error *err)
{
	enum rv_status status = resource->ops->look(resource, resource->ops->of_lake ? NULL : &stream, view, err);

	CHECK(view->name);
	for (size_t i = 0; i < view->count; i++)
		CHECK(view->changes[i].key && (!view->changes[i].from || !view->changes[i].to ||
					       strcmp(view->changes[i].from, view->changes[i].to) != 0));
	if (!check_refusal(status, err))
		return status;
	CHECK((view->action == RV_RESOURCE_UPDATE) == (view->count > 0) || view->action == RV_RESOURCE_REPLACE ||
	      view->action == RV_RESOURCE_CREATE);
	return status;
}

static void try_look(void)
{
	RV_CLEANUP(rv_resource_view_release) struct rv_resource_view view = { .name = NULL };
	struct rv_error err = RV_ERROR_INIT;

	if (look(firehose, &view, &err) != RV_OK)
		return;
	CHECK(!heard.deletes && !heard.updates && !heard.created);
	CHECK(view.action != RV_RESOURCE_UNCHANGED || (heard.same && heard.active));
	CHECK(view.action != RV_RESOURCE_UPDATE || (heard.ours && !heard.same));
	CHECK(view.action != RV_RESOURCE_REPLACE || heard.ours);
}

static void try_settle(void)
{
	struct rv_error err = RV_ERROR_INIT;
	int64_t deadline_ms = rv_clock_monotonic_ms() + 60000;

	if (check_refusal(firehose->ops->settle(firehose, &stream, deadline_ms, &err), &err))
		CHECK(heard.active && !heard.missing);
}

static void try_make(void)
{
	RV_CLEANUP(rv_resource_view_release) struct rv_resource_view view = { .name = NULL };
	struct rv_error err = RV_ERROR_INIT;
	int64_t deadline_ms = rv_clock_monotonic_ms() + 60000;

	if (look(firehose, &view, &err) != RV_OK || view.action == RV_RESOURCE_UNCHANGED)
		return;
	enum rv_resource_action action = view.action;
	bool was_ours = heard.ours;

	if (!check_refusal(firehose->ops->make(firehose, &stream, &view, deadline_ms, &err), &err))
		return;
	CHECK(!heard.deletes || (action == RV_RESOURCE_REPLACE && was_ours));
	if (action == RV_RESOURCE_CREATE || action == RV_RESOURCE_REPLACE)
		CHECK(heard.created || heard.conflict);
	if (action == RV_RESOURCE_UPDATE)
		CHECK(heard.updates || heard.same);
}

static void try_remove(void)
{
	struct rv_error err = RV_ERROR_INIT;
	bool removed = false;
	int64_t deadline_ms = rv_clock_monotonic_ms() + 60000;
	enum rv_status status = firehose->ops->remove(firehose, &stream, deadline_ms, &removed, &err);

	CHECK(!heard.updates && !heard.created);
	if (check_refusal(status, &err) && removed)
		CHECK(heard.missing);
	CHECK(!heard.deletes || removed || status != RV_OK);
}

static bool has_ours(void)
{
	return strstr(heard.xml.bytes, QUEUE) != NULL;
}

static void try_notification(bool make)
{
	RV_CLEANUP(rv_resource_view_release) struct rv_resource_view view = { .name = NULL };
	struct rv_error err = RV_ERROR_INIT;

	if (look(notification, &view, &err) != RV_OK)
		return;
	/* an ARN has no other spelling here than in references */
	bool plain = !strchr(heard.xml.bytes, '&') && !strstr(heard.xml.bytes, "<!");

	CHECK(view.action != RV_RESOURCE_UNCHANGED || has_ours() || !plain);
	if (!make || view.action == RV_RESOURCE_UNCHANGED)
		return;
	err = (struct rv_error)RV_ERROR_INIT;
	if (check_refusal(notification->ops->make(notification, NULL, &view, 0, &err), &err))
		CHECK(has_ours() || strchr(heard.xml.bytes, '&') || strstr(heard.xml.bytes, "<!"));
}

static void set_up(void)
{
	struct rv_firehose_stream_params of_firehose = { .bucket = "lake", .lake_prefix = "river", .role_arn = ROLE,
							 .buffer_mib = 5, .buffer_s = 60 };
	struct rv_notification_params of_notification = { .bucket = "lake", .lake_prefix = "river", .arn = QUEUE };
	struct rv_error err = RV_ERROR_INIT;

	answers_set_up();
	of_firehose.aws = of_notification.aws = answers_aws;
	CHECK(rv_resource_firehose_new(&of_firehose, &firehose, &err) == RV_OK);
	CHECK(rv_resource_notification_new(&of_notification, &notification, &err) == RV_OK);
	rv_stream_init(&stream);
	CHECK(rv_stream_parse_name("web/clicks", &stream, &err) == RV_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 16 << 10)
		return 0;
	if (!firehose)
		set_up();
	RV_CLEANUP(rv_free_p) char *p = exact_text(data + 1, size - 1);

	memset(&script, 0, sizeof(script));
	memset(&heard, 0, sizeof(heard));
	heard.xml = (struct rv_strbuf)RV_STRBUF_INIT;
	script.p = p;
	script.len = size - 1;
	script.piece = 1 << 16;
	script.heard = hear;
	switch (data[0] % 6) {
	case 0: try_look(); break;
	case 1: try_settle(); break;
	case 2: try_make(); break;
	case 3: try_remove(); break;
	case 4: try_notification(false); break;
	default: try_notification(true);
	}
	rv_strbuf_release(&heard.xml);
	return 0;
}
