/*
 * Policy documents, built from lists of actions and of places. A place is a part of the lake; a
 * resource is its ARN. Stars within names are escaped: a lake called "a*" is no pattern.
 */
#include "aws/policy.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "format/arn.h"

struct maker {
	const struct rv_policy_params *p;
	struct rv_str partition, account;
	struct rv_strbuf root; /* "arn:aws:s3:::bucket/prefix/" */
};

static bool knows_account(const struct rv_policy_params *params)
{
	struct rv_arn arn;

	return params->role_arn && rv_arn_parse(params->role_arn, &arn) && arn.account.len > 0;
}

/* In a policy * ? and $ mean something unless they stand in ${} (IAM User Guide, policy variables). */
static void add_literal(struct rv_strbuf *sb, const char *text)
{
	for (; *text; text++) {
		if (*text == '*' || *text == '?' || *text == '$')
			rv_strbuf_printf(sb, "${%c}", *text);
		else
			rv_strbuf_putc(sb, *text);
	}
}

static void maker_init(struct maker *m, const struct rv_policy_params *p)
{
	struct rv_arn arn;

	*m = (struct maker){ .p = p, .root = RV_STRBUF_INIT };
	m->account = rv_str_of("*");
	m->partition = rv_str_of(rv_arn_partition(p->region ? p->region : ""));
	if (knows_account(p) && rv_arn_parse(p->role_arn, &arn)) {
		m->account = arn.account;
		m->partition = arn.partition;
	}
	rv_strbuf_printf(&m->root, "arn:%.*s:s3:::%s/", (int)m->partition.len, m->partition.p, p->bucket);
	add_literal(&m->root, p->lake_prefix);
	if (p->lake_prefix[0])
		rv_strbuf_putc(&m->root, '/');
}

/* ---- parts of documents ----------------------------------------------------------------------- */

/* "a b c" as an array, or "a" as a string. */
static json_t *words(const char *list)
{
	json_t *array = json_array();

	for (const char *p = list; *p;) {
		size_t len = strcspn(p, " ");

		json_array_append_new(array, json_stringn(p, len));
		p += len + strspn(p + len, " ");
	}
	return array;
}

static json_t *document(void)
{
	return json_pack("{s:s, s:[]}", "Version", "2012-10-17", "Statement");
}

/* Adds a statement, and returns it (borrowed). `resources` is taken. */
static json_t *allow(json_t *policy, const char *sid, const char *actions, json_t *resources)
{
	json_t *statement = json_pack("{s:s, s:s, s:o, s:o}", "Sid", sid, "Effect", "Allow", "Action",
				      words(actions), "Resource", resources);

	json_array_append_new(json_object_get(policy, "Statement"), statement);
	return statement;
}

static json_t *text_json(struct rv_strbuf *sb)
{
	json_t *json = json_stringn(sb->bytes, sb->len);

	rv_strbuf_release(sb);
	return json;
}

/* "data/@/" with the stream's business and name for the @. */
static void add_place(struct rv_strbuf *sb, const struct maker *m, const char *place)
{
	for (; *place; place++) {
		if (*place == '@')
			rv_strbuf_printf(sb, "%s/%s", m->p->business, m->p->name);
		else
			rv_strbuf_putc(sb, *place);
	}
}

/* Places of the lake as ARNs of objects: "data/@/\*". */
static json_t *objects(const struct maker *m, const char *const *places)
{
	json_t *array = json_array();

	for (size_t i = 0; places[i]; i++) {
		struct rv_strbuf sb = RV_STRBUF_INIT;

		rv_strbuf_add(&sb, m->root.bytes, m->root.len);
		add_place(&sb, m, places[i]);
		json_array_append_new(array, text_json(&sb));
	}
	return array;
}

static json_t *bucket(const struct maker *m)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_strbuf_printf(&sb, "arn:%.*s:s3:::%s", (int)m->partition.len, m->partition.p, m->p->bucket);
	return text_json(&sb);
}

/* Who writes large objects also looks for uploads in parts that a killed run left behind. */
#define LIST "s3:ListBucket"
#define LIST_UPLOADS "s3:ListBucket s3:ListBucketMultipartUploads"

/*
 * Listing below places. IfExists, because a get or head of an object that is not there is answered
 * 404 only to who may list the bucket, and 403 to others; such a request has no prefix to compare.
 */
static void allow_listing(json_t *policy, const struct maker *m, const char *actions,
			  const char *const *places)
{
	json_t *statement = allow(policy, "List", actions, bucket(m));
	json_t *prefixes = json_array();

	for (size_t i = 0; places[i]; i++) {
		struct rv_strbuf sb = RV_STRBUF_INIT;

		add_literal(&sb, m->p->lake_prefix);
		if (m->p->lake_prefix[0])
			rv_strbuf_putc(&sb, '/');
		add_place(&sb, m, places[i]);
		json_array_append_new(prefixes, text_json(&sb));
	}
	json_object_set_new(statement, "Condition",
			    json_pack("{s:{s:o}}", "StringLikeIfExists", "s3:prefix", prefixes));
}

static json_t *firehose_named(const struct maker *m, const char *name)
{
	struct rv_strbuf sb = RV_STRBUF_INIT;

	rv_strbuf_printf(&sb, "arn:%.*s:firehose:%s:%.*s:deliverystream/%s", (int)m->partition.len,
			 m->partition.p, m->p->region ? m->p->region : "*", (int)m->account.len,
			 m->account.p, name);
	return text_json(&sb);
}

static json_t *firehose_stream(const struct maker *m)
{
	return firehose_named(m, m->p->firehose);
}

/* ---- the policies ----------------------------------------------------------------------------- */

static json_t *push_policy(const struct maker *m)
{
	static const char *const definition[] = { "_river/format.json", "_river/streams/@.json", NULL };
	static const char *const written[] = { "data/@/*", "_river/receipts/@/*", "_river/rejects/@/*",
					       "_river/runs/@/*", "_river/landing/@/*", NULL };
	static const char *const open[] = { "_river/receipts/@/*-open.json", NULL };
	json_t *policy = document();

	allow(policy, "Definition", "s3:GetObject", objects(m, definition));
	allow(policy, "Write", "s3:PutObject s3:GetObject s3:AbortMultipartUpload",
	      objects(m, written));
	allow(policy, "CloseReceipts", "s3:DeleteObject", objects(m, open));
	allow_listing(policy, m, LIST_UPLOADS, written);
	if (m->p->firehose)
		allow(policy, "Send", "firehose:PutRecordBatch firehose:DescribeDeliveryStream",
		      firehose_stream(m));
	return policy;
}

/* Of all streams: a query first loads what is pending, whatever it is about. */
static json_t *load_policy(const struct maker *m)
{
	static const char *const read[] = { "_river/format.json", "_river/streams/*", "data/*",
					    "_river/receipts/*", "_river/rejects/*", NULL };
	static const char *const listed[] = { "_river/streams/*", "data/*", "_river/receipts/*",
					      "_river/rejects/*", "_river/landing/*", NULL };
	json_t *policy = document();

	allow(policy, "Read", "s3:GetObject", objects(m, read));
	allow_listing(policy, m, LIST, listed);
	return policy;
}

static json_t *landing_policy(const struct maker *m)
{
	static const char *const definition[] = { "_river/format.json", "_river/streams/*", NULL };
	static const char *const uploads[] = { "_river/landing/@/*", NULL };
	static const char *const written[] = { "data/@/*", "_river/rejects/@/*", "_river/receipts/@/*",
					       "_river/runs/@/*", NULL };
	static const char *const open[] = { "_river/receipts/@/*-open.json", NULL };
	static const char *const listed[] = { "_river/streams/*", "_river/landing/@/*", "data/@/*",
					      "_river/rejects/@/*", "_river/receipts/@/*",
					      "_river/runs/@/*", NULL };
	json_t *policy = document();

	allow(policy, "Definition", "s3:GetObject", objects(m, definition));
	allow(policy, "Take", "s3:GetObject s3:DeleteObject", objects(m, uploads));
	allow(policy, "Publish", "s3:PutObject s3:GetObject s3:AbortMultipartUpload",
	      objects(m, written));
	allow(policy, "CloseReceipts", "s3:DeleteObject", objects(m, open));
	allow_listing(policy, m, LIST_UPLOADS, listed);
	return policy;
}

static json_t *create_policy(const struct maker *m)
{
	/* the probe finds out what the store can do, when the lake is new */
	static const char *const written[] = { "_river/format.json", "_river/streams/@.json",
					       "_river/probe/*", NULL };
	static const char *const removed[] = { "_river/streams/@.json", "_river/probe/*", NULL };
	static const char *const listed[] = { "_river/streams/*", "data/@/*", NULL };
	json_t *policy = document();

	allow(policy, "Definition", "s3:GetObject s3:PutObject", objects(m, written));
	allow(policy, "Remove", "s3:DeleteObject", objects(m, removed));
	allow_listing(policy, m, LIST, listed);
	if (m->p->notify_arn || m->p->notify_landing_arn)
		allow(policy, "Notification", "s3:GetBucketNotification s3:PutBucketNotification",
		      bucket(m));
	if (!m->p->firehose)
		return policy;
	allow(policy, "DeliveryStream",
	      "firehose:DescribeDeliveryStream firehose:CreateDeliveryStream firehose:UpdateDestination "
	      "firehose:DeleteDeliveryStream",
	      firehose_stream(m));
	json_t *pass = allow(policy, "PassRole", "iam:PassRole",
			     json_string(m->p->role_arn ? m->p->role_arn : "*"));

	json_object_set_new(pass, "Condition", json_pack("{s:{s:s}}", "StringEquals",
							 "iam:PassedToService", "firehose.amazonaws.com"));
	return policy;
}

static json_t *delete_policy(const struct maker *m)
{
	static const char *const gone[] = { "data/@/*", "_river/receipts/@/*", "_river/rejects/@/*",
					    "_river/landing/@/*", "_river/runs/@/*",
					    "_river/streams/@.json", NULL };
	static const char *const read[] = { "_river/format.json", "_river/streams/@.json", NULL };
	static const char *const listed[] = { "_river/streams/*", "data/@/*", "_river/receipts/@/*",
					      "_river/rejects/@/*", "_river/landing/@/*",
					      "_river/runs/@/*", NULL };
	json_t *policy = document();

	allow(policy, "Definition", "s3:GetObject", objects(m, read));
	allow(policy, "Remove", "s3:DeleteObject", objects(m, gone));
	allow_listing(policy, m, LIST, listed);
	if (m->p->firehose)
		allow(policy, "DeliveryStream",
		      "firehose:DescribeDeliveryStream firehose:DeleteDeliveryStream",
		      firehose_stream(m));
	return policy;
}

/* What `river doctor` tries beyond what a push and a load do: an object of its own, and all streams. */
static json_t *doctor_policy(const struct maker *m)
{
	static const char *const format[] = { "_river/format.json", NULL };
	static const char *const probes[] = { "_river/probe-*", NULL };
	static const char *const listed[] = { "", "_river/streams/*", NULL };
	json_t *policy = document();

	allow(policy, "Format", "s3:GetObject", objects(m, format));
	allow(policy, "Probe", "s3:PutObject s3:GetObject s3:DeleteObject", objects(m, probes));
	allow_listing(policy, m, LIST_UPLOADS, listed);
	if (m->p->firehose)
		allow(policy, "DeliveryStreams", "firehose:DescribeDeliveryStream",
		      firehose_named(m, "river-*"));
	return policy;
}

/* "Grant Firehose access to an Amazon S3 destination", Developer Guide, narrowed to its places. One
 * role serves every stream of the lake: what Firehose may not write is lost after a day. */
static json_t *role_policy(const struct maker *m)
{
	static const char *const written[] = { "data/*", "_river/firehose-errors/*", NULL };
	json_t *policy = document();

	allow(policy, "Objects", "s3:PutObject s3:GetObject s3:AbortMultipartUpload",
	      objects(m, written));
	allow(policy, "Bucket", "s3:GetBucketLocation s3:ListBucket s3:ListBucketMultipartUploads",
	      bucket(m));
	return policy;
}

/* The external id of Firehose is the account it works for ("Allow Firehose to assume an IAM role"). */
static json_t *trust_policy(const struct maker *m)
{
	json_t *policy = document();
	json_t *statement = json_pack("{s:s, s:s, s:{s:s}, s:s}", "Sid", "Firehose", "Effect", "Allow",
				      "Principal", "Service", "firehose.amazonaws.com", "Action",
				      "sts:AssumeRole");

	if (knows_account(m->p))
		json_object_set_new(statement, "Condition",
				    json_pack("{s:{s:s%}}", "StringEquals", "sts:ExternalId",
					      m->account.p, m->account.len));
	json_array_append_new(json_object_get(policy, "Statement"), statement);
	return policy;
}

/* For the queue, topic or function: S3 may tell it of this bucket ("Granting permissions to publish
 * event notification messages to a destination", Amazon S3 User Guide). */
static json_t *notify_policy(const struct maker *m, const char *to)
{
	static const char *const actions[][2] = { { "sqs", "sqs:SendMessage" },
						  { "sns", "sns:Publish" },
						  { "lambda", "lambda:InvokeFunction" } };
	struct rv_arn arn;
	json_t *policy = document();
	const char *action = NULL;

	if (!rv_arn_parse(to, &arn))
		rv_bug("'%s' was checked before", to);
	for (size_t i = 0; i < 3; i++)
		if (rv_str_is(arn.service, actions[i][0]))
			action = actions[i][1];
	if (!action)
		rv_bug("'%s' was checked before", to);
	json_t *statement = json_pack(
		"{s:s, s:s, s:{s:s}, s:s, s:s, s:{s:{s:o}}}", "Sid", "RiverLake", "Effect", "Allow",
		"Principal", "Service", "s3.amazonaws.com", "Action", action, "Resource", to,
		"Condition", "ArnEquals", "aws:SourceArn", bucket(m));

	if (knows_account(m->p))
		json_object_set_new(json_object_get(statement, "Condition"), "StringEquals",
				    json_pack("{s:s%}", "aws:SourceAccount", m->account.p,
					      m->account.len));
	json_array_append_new(json_object_get(policy, "Statement"), statement);
	return policy;
}

/* "Configuring a Snowflake storage integration to access Amazon S3", Snowflake's user guide, for reading
 * alone. Whom the role trusts is known once the integration is made. */
static json_t *snowflake_policy(const struct maker *m)
{
	static const char *const read[] = { "data/*", "loads/*", NULL }; /* streams, and extracts */
	json_t *policy = document();

	allow(policy, "Read", "s3:GetObject s3:GetObjectVersion", objects(m, read));
	allow(policy, "Location", "s3:GetBucketLocation", bucket(m));
	allow_listing(policy, m, LIST, read);
	return policy;
}

json_t *rv_policy_json(const struct rv_policy_params *params)
{
	struct maker m;
	json_t *all = json_object();

	maker_init(&m, params);
	json_object_set_new(all, "push", push_policy(&m));
	json_object_set_new(all, "load", load_policy(&m));
	json_object_set_new(all, "landing", landing_policy(&m));
	json_object_set_new(all, "create", create_policy(&m));
	json_object_set_new(all, "delete", delete_policy(&m));
	json_object_set_new(all, "doctor", doctor_policy(&m));
	if (params->firehose) {
		json_object_set_new(all, "firehose_role", role_policy(&m));
		json_object_set_new(all, "firehose_trust", trust_policy(&m));
	}
	if (params->snowflake)
		json_object_set_new(all, "snowflake_role", snowflake_policy(&m));
	if (params->notify_arn && strcmp(params->notify_arn, "eventbridge") != 0)
		json_object_set_new(all, "notify", notify_policy(&m, params->notify_arn));
	if (params->notify_landing_arn && strcmp(params->notify_landing_arn, "eventbridge") != 0)
		json_object_set_new(all, "notify_landing", notify_policy(&m, params->notify_landing_arn));
	rv_strbuf_release(&m.root);
	return all;
}
