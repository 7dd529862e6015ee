/* What the warehouse says: its ledger, its rows, its layers, in one state for all questions. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "flow/reconcile_impl.h"

static enum rv_status see_ledger(void *arg, const struct rv_load *load, struct rv_error *err)
{
	struct reconcile *r = arg;
	const struct rc_place place = rc_place_of(r, load->object);
	bool failed = load->state == RV_LOAD_FAILED;
	if (rc_stop_or_go(r, err) != RV_OK)
		return err->status;
	r->asked = true;
	/* What a pipe has in its queue is as pending as what nobody has told it of. */
	if (load->state == RV_LOAD_QUEUED || load->state == RV_LOAD_PENDING)
		return RV_OK;
	if (place.former)
		return RV_OK;
	if (place.older) {
		r->older.loaded_objects += !failed;
		r->older.failed_objects += failed;
		r->older.failed_records += failed && place.own ? place.name.records : 0;
		r->older.firehose.records += place.firehose ? load->rows + load->rejected : 0;
		r->older.rows += load->rows;
		r->older.retired += load->retired;
		r->older.load_rejected += load->rejected;
		return RV_OK;
	}
	struct rc_object *o = rc_enter_object(r, load->object, place.own ? &place.name : NULL);
	o->firehose = place.firehose;
	o->in_ledger = true;
	o->load_failed = failed;
	o->ledger_rows = load->rows;
	o->ledger_retired = load->retired;
	o->ledger_rejected = load->rejected;
	o->ledger_hash = load->set_hash;
	o->ledger_bytes = load->bytes;
	o->loaded_ms = load->loaded_ms;
	if (load->loaded_ms > r->last_load_ms)
		r->last_load_ms = load->loaded_ms;
	if (load->message)
		o->load_message = rv_strdup(load->message);
	return RV_OK;
}

static enum rv_status see_rows(void *arg, const struct rv_load *load, struct rv_error *err)
{
	struct reconcile *r = arg;
	const struct rc_place place = rc_place_of(r, load->object);
	if (rc_stop_or_go(r, err) != RV_OK)
		return err->status;
	if (place.former)
		return RV_OK;
	if (place.older) {
		r->older.present += load->rows;
		return RV_OK;
	}
	struct rc_object *o = rc_enter_object(r, load->object, place.own ? &place.name : NULL);
	o->firehose = place.firehose;
	o->raw_rows = load->rows;
	o->raw_hash = load->set_hash;
	o->raw_whole_hash = load->whole_hash;
	return RV_OK;
}

/* The layers of a service follow raw by themselves, after a while: only then do they have to agree. */
static enum rv_status count_tables(struct reconcile *r, struct rv_warehouse *w, struct rv_error *err)
{
	struct rv_warehouse_counts *t = &r->report->tables;
	const struct rv_load_params params = { .wait = true };
	if (w->ops->count(w, r->stream, t, err) != RV_OK)
		return err->status;
	if (!w->ops->remote || !r->params->refresh || !t->has_clean ||
	    t->raw == t->clean + t->duplicates + t->refused)
		return RV_OK;
	if (w->ops->load(w, r->stream, NULL, 0, &params, err) != RV_OK)
		return err->status;
	return w->ops->count(w, r->stream, t, err);
}

/* One state of the warehouse for all questions. */
static enum rv_status ask_warehouse(struct reconcile *r, struct rv_warehouse *w, struct rv_error *err)
{
	if (w->ops->history(w, r->stream, see_ledger, r, err) != RV_OK)
		return err->status;
	r->asked = true;
	if (rc_ask_stamps(r, w, err) != RV_OK)
		return err->status;
	if (w->ops->refused &&
	    w->ops->refused(w, r->stream, r->params->quick, &r->report->refused, err) != RV_OK)
		return err->status;
	if (r->params->quick)
		return RV_OK;
	bool hash = r->params->verify && r->report->has_hashes;
	if (w->ops->present(w, r->stream, hash, see_rows, r, err) != RV_OK || count_tables(r, w, err) != RV_OK)
		return err->status;
	r->report->has_tables = true;
	return RV_OK;
}

enum rv_status rc_look_at_warehouse(struct reconcile *r, struct rv_error *err)
{
	struct rv_warehouse *w = r->params->warehouse;
	struct rv_error stopped = RV_ERROR_INIT;
	if (!w)
		return RV_OK;
	enum rv_status status = w->ops->begin(w, false, err);
	if (status == RV_OK) {
		r->report->has_warehouse = true;
		r->report->has_hashes = !w->ops->remote;
		status = ask_warehouse(r, w, err);
		w->ops->end(w);
		/* A service says no only when it is asked. Half an answer compares with nothing. */
		if (status == RV_OK || !w->ops->remote || r->asked || rc_stop_or_go(r, &stopped) != RV_OK)
			return status;
		r->report->has_warehouse = false;
	} else if (status != RV_NOT_FOUND && status != RV_LOCKED) {
		return status;
	}
	r->report->warehouse_error = *err;
	return RV_OK;
}
