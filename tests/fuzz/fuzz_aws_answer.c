/*
 * Any bytes as the body of an answer of AWS: a refusal, an answer to PutRecordBatch (its quick way and its slow
 * one agree), credentials, or a bucket's notification configuration, of which all that is not ours is kept.
 * The first byte chooses.
 */
#include "fuzz.h"

#include "aws/credentials_impl.h"
#include "aws/failure.h"
#include "aws/firehose.h"
#include "aws/notification.h"

#define QUEUE "arn:aws:sqs:eu-west-1:123456789012:loads"

static void try_failure(const char *p, size_t len, unsigned how)
{
	static const int statuses[] = { 200, 301, 400, 403, 404, 409, 500, 503 };
	RV_CLEANUP(rv_http_response_release) struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_aws_failure failure = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	response.status = statuses[how & 7];
	rv_strbuf_add(&response.body, p, len);
	if (response.status != 200)
		rv_aws_failure_read(&response, &failure);
	else if (!rv_aws_failure_in_200(&response, &failure))
		return;
	CHECK(memchr(failure.code, '\0', sizeof(failure.code)));
	CHECK(memchr(failure.message, '\0', sizeof(failure.message)));
	CHECK(memchr(failure.region, '\0', sizeof(failure.region)));
	CHECK(memchr(failure.request_id, '\0', sizeof(failure.request_id)));
	CHECK(rv_aws_failure_tell(&failure, "host", &err) != RV_OK);
	CHECK(err.status != RV_OK && err.message[0] && memchr(err.message, '\0', sizeof(err.message)));
	(void)rv_aws_failure_is_clock(&failure);
	(void)rv_aws_failure_is_expired(&failure);
}

static void try_firehose(const char *p, size_t len, size_t count)
{
	enum rv_firehose_fate fates[16], slow_fates[16];
	struct rv_firehose_result result, slow;
	struct rv_error err = RV_ERROR_INIT, slow_err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *blank = rv_malloc(len + 1);

	/* what begins with a blank is not as Firehose writes it, and means the same */
	blank[0] = ' ';
	memcpy(blank + 1, p, len);
	enum rv_status status = rv_firehose_read_answer(p, len, count, fates, &result, &err);

	CHECK(rv_firehose_read_answer(blank, len + 1, count, slow_fates, &slow, &slow_err) == status);
	CHECK(result.taken == slow.taken && result.refused == slow.refused && result.unknown == slow.unknown);
	CHECK(memcmp(fates, slow_fates, count * sizeof(*fates)) == 0);
	CHECK(result.taken + result.refused + result.unknown == count);
	CHECK(memchr(result.code, '\0', sizeof(result.code)) && memchr(result.message, '\0', sizeof(result.message)));
	CHECK(strcmp(result.code, slow.code) == 0 && strcmp(result.message, slow.message) == 0);
	if (status != RV_OK)
		CHECK(status == RV_FAILED && err.transient && err.message[0] && result.unknown == count);
}

static void try_credentials(const char *p, size_t len)
{
	struct rv_aws_credentials c = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (rv_aws_read_credentials("it", p, len, "Token", &c, &err) != RV_OK) {
		CHECK(err.status == RV_AUTH && err.message[0] && !c.access_key_id);
	} else {
		CHECK(c.access_key_id[0] && c.secret_access_key[0] && rv_http_value_valid(c.access_key_id));
		CHECK(!c.session_token || rv_http_value_valid(c.session_token));
		rv_aws_credentials_release(&c);
	}
	RV_CLEANUP(rv_free_p) char *text = exact_text(p, len);
	int64_t ms = 0;

	CHECK(rv_aws_read_expiration("it", text, &ms, &err) == RV_OK || err.status == RV_AUTH);
}

/* All of `was` in its order is in `is`, with one piece put in, taken out or exchanged; "/>" may be opened. */
static void check_kept(const char *was, size_t was_len, const struct rv_strbuf *is, size_t most_lost)
{
	size_t front = 0, back = 0;

	while (front < was_len && front < is->len && was[front] == is->bytes[front])
		front++;
	while (back < was_len - front && back < is->len - front &&
	       was[was_len - 1 - back] == is->bytes[is->len - 1 - back])
		back++;
	CHECK(was_len - front - back <= most_lost);
}

static void try_notification(const char *p, size_t len, const char *arn)
{
	const struct rv_notification wanted = { "river/data/", arn };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf merged = RV_STRBUF_INIT, again = RV_STRBUF_INIT;
	enum rv_notification_outcome outcome, second;
	RV_CLEANUP(rv_free_p) char *from = NULL;
	struct rv_error err = RV_ERROR_INIT;
	bool same = false;

	if (rv_notification_merge(p, len, &wanted, &merged, &outcome, &from, &err) != RV_OK) {
		CHECK((err.status == RV_BAD_DATA || err.status == RV_CONFLICT) && err.message[0]);
		return;
	}
	CHECK((outcome == RV_NOTIFICATION_CHANGED) == (from != NULL));
	CHECK(rv_notification_same(p, len, p, len, &same, &err) == RV_OK && same);
	if (outcome == RV_NOTIFICATION_THERE) {
		CHECK(merged.len == len && memcmp(merged.bytes, p, len) == 0);
		return;
	}
	if (outcome == RV_NOTIFICATION_ADDED)
		check_kept(p, len, &merged, 1);
	CHECK(rv_notification_same(p, len, merged.bytes, merged.len, &same, &err) == RV_OK);
	CHECK(outcome == RV_NOTIFICATION_CHANGED || !same);
	/* of an id that stands there twice each is exchanged in its turn */
	if (outcome == RV_NOTIFICATION_CHANGED)
		return;
	CHECK(rv_notification_merge(merged.bytes, merged.len, &wanted, &again, &second, NULL, &err) == RV_OK);
	CHECK(second == RV_NOTIFICATION_THERE && again.len == merged.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 16 << 10)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);

	switch (data[0] & 3) {
	case 0: try_failure(p, size - 1, data[0] >> 2); break;
	case 1: try_firehose(p, size - 1, (data[0] >> 2) % 4 + 1); break;
	case 2: try_credentials(p, size - 1); break;
	default: try_notification(p, size - 1, data[0] & 4 ? "eventbridge" : QUEUE);
	}
	return 0;
}
