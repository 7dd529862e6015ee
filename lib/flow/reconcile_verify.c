/* Reading lake objects again: what is in them, record by record, against what their names say. */
#include <inttypes.h>

#include "base/number.h"
#include "flow/object_read.h"
#include "flow/reconcile_impl.h"

bool rc_go_on(void *arg, const struct rv_object_content *so_far RV_UNUSED)
{
	const struct reconcile *r = arg;
	return !r->params->should_stop || !r->params->should_stop();
}

static enum rv_status verify(struct reconcile *r, const struct rc_object *o, struct rv_error *err)
{
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT];
	struct rv_object_content content;
	enum rv_status status = rv_object_read(r->params->lake, o->name, rc_go_on, r, &content, err);
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
	if (status == RV_NOT_FOUND)
		rc_find(r, &f, "%s went while this was looking", o->name);
	else if (status == RV_BAD_DATA)
		rc_find(r, &f, "%s cannot be read to its end: %s", o->name, err->message);
	else if (status != RV_OK)
		return rv_context(err, "read %s", o->name);
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
	return RV_OK;
}
