/*
 * Reading lake objects again: what is in them, record by record, against what their names say.
 *
 * An object that does not come as it should is read once more: what the network garbled is right the
 * second time, and what is not is wrong where it lies. One that cannot be had is named and the others are
 * read all the same, until several in a row cannot be: then it is the store that is away.
 */
#include <inttypes.h>

#include "base/number.h"
#include "flow/object_read.h"
#include "flow/reconcile_impl.h"

#define ATTEMPTS 2
#define UNREAD_IN_A_ROW_MAX 5

bool rc_go_on(void *arg, const struct rv_object_content *so_far RV_UNUSED)
{
	const struct reconcile *r = arg;
	return !r->params->should_stop || !r->params->should_stop();
}

static void keep_unread(struct reconcile *r, const struct rc_object *o, const struct rv_error *why)
{
	struct rv_finding f = { .code = RV_FINDING_OBJECT_UNREAD, .level = RV_FINDING_WRONG,
				.object = o->name, .age_ms = -1 };
	struct rv_reconcile *report = r->report;
	rc_find(r, &f, "%s could not be read, so nothing is known of what it holds: %s", o->name, why->message);
	report->unread++;
	r->unread_in_a_row++;
	if (rv_status_gravity(why->status) > rv_status_gravity(report->unread_error.status)) {
		report->unread_error = *why;
		rv_context(&report->unread_error, "%s", o->name);
	}
}

enum rv_status rc_read_object(struct reconcile *r, const struct rc_object *o, const struct rc_expected *expected,
			      struct rv_stamp_set *stamps, struct rv_object_content *ret, bool *ret_read,
			      struct rv_error *err)
{
	enum rv_status status = RV_OK;
	*ret_read = false;
	if (r->unread_in_a_row >= UNREAD_IN_A_ROW_MAX) {
		r->report->unread++;
		r->unread_passed_over++;
		return RV_OK;
	}
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (stamps)
			rv_stamp_set_release(stamps);
		status = rv_object_read_stamps(r->params->lake, o->name, rc_go_on, r, stamps, ret, err);
		if (status != RV_OK && rc_stop_or_go(r, err) != RV_OK)
			return err->status;
		if (status == RV_NOT_FOUND ||
		    (status == RV_OK &&
		     (!expected || rv_object_content_is(ret, expected->records, expected->set_hash))))
			break;
	}
	/* What came twice and is no whole object is what lies there. */
	if (status != RV_OK && status != RV_NOT_FOUND && status != RV_BAD_DATA && status != RV_DAMAGED) {
		keep_unread(r, o, err);
		return RV_OK;
	}
	r->unread_in_a_row = 0;
	*ret_read = true;
	return status;
}

static enum rv_status verify(struct reconcile *r, const struct rc_object *o, struct rv_error *err)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	const struct rc_expected expected = { o->records, o->set_hash };
	struct rv_object_content content = { .records = 0 };
	bool read;
	enum rv_status status = rc_read_object(r, o, &expected, NULL, &content, &read, err);
	struct rv_finding f = {
		.code = status == RV_NOT_FOUND ? RV_FINDING_OBJECT_MISSING : RV_FINDING_OBJECT_ALTERED,
		.level = RV_FINDING_WRONG,
		.object = o->name,
		.run = rc_run_at(r, o->run)->name,
		.has_seq = true,
		.seq = o->seq,
		.has_counts = true,
		.expected = o->records,
		.found = content.records,
		.age_ms = -1,
	};
	if (!read)
		return status;
	if (status == RV_NOT_FOUND)
		rc_find(r, &f, "%s went while this was looking", o->name);
	else if (status != RV_OK)
		rc_find(r, &f, "%s cannot be read to its end: %s", o->name, err->message);
	else if (content.records != o->records)
		rc_find(r, &f, "%s holds %s records, not the %s its name says", o->name,
			rv_format_count(content.records, a), rv_format_count(o->records, b));
	else if (!rv_object_content_is(&content, o->records, o->set_hash))
		rc_find(r, &f, "%s holds records of the set hash %016" PRIx64
			", not the one its name says", o->name, content.set_hash);
	return RV_OK;
}

enum rv_status rc_verify_objects(struct reconcile *r, struct rv_error *err)
{
	uint64_t total = 0, done = 0;
	char more[RV_NUMBER_TEXT];
	for (size_t i = 0; i < r->ordered_count; i++)
		total += rc_object_at(r, r->ordered[i])->bytes;
	for (size_t i = 0; i < r->ordered_count; i++) {
		const struct rc_object *o = rc_object_at(r, r->ordered[i]);
		if (verify(r, o, err) != RV_OK)
			return err->status;
		done += o->bytes;
		if (r->params->progress)
			r->params->progress(r->params->arg, done, total);
	}
	struct rv_finding f = { .code = RV_FINDING_OBJECT_UNREAD, .level = RV_FINDING_WRONG, .age_ms = -1 };
	if (r->unread_passed_over)
		rc_find(r, &f, "%s more object%s %s not read, since %d in a row could not be",
			rv_format_count(r->unread_passed_over, more), r->unread_passed_over == 1 ? "" : "s",
			r->unread_passed_over == 1 ? "was" : "were", UNREAD_IN_A_ROW_MAX);
	return RV_OK;
}
