/* What a run tells the lake about itself. */
#include "flow/receipt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "flow/name_parts.h"
#include "format/json_text.h"

void rv_receipt_prefix(const struct rv_stream *stream, char ret[RV_OBJECT_NAME_MAX])
{
	snprintf(ret, RV_OBJECT_NAME_MAX, "_river/receipts/%s/%s/", stream->business, stream->name);
}

void rv_receipt_name_format(const struct rv_receipt_name *name, char ret[RV_OBJECT_NAME_MAX])
{
	if (name->open)
		snprintf(ret, RV_OBJECT_NAME_MAX, "_river/receipts/%s/%s/%s/%s-open.json",
			 name->business, name->stream, name->day, name->run);
	else
		snprintf(ret, RV_OBJECT_NAME_MAX,
			 "_river/receipts/%s/%s/%s/%s-a%" PRIu64 "-x%" PRIu64 "-b%" PRIu64
			 "-h%016" PRIx64 ".json",
			 name->business, name->stream, name->day, name->run, name->accepted,
			 name->rejected, name->batches, name->set_hash);
}

bool rv_receipt_name_parse(const char *text, struct rv_receipt_name *ret)
{
	struct rv_receipt_name name = { .open = false };
	const char *p = text;
	if (!rv_starts_with(p, "_river/receipts/"))
		return false;
	p += strlen("_river/receipts/");
	if (!rv_name_take_folder(&p, name.business, sizeof(name.business)) ||
	    !rv_name_take_folder(&p, name.stream, sizeof(name.stream)) ||
	    !rv_name_take_folder(&p, name.day, sizeof(name.day)) || !rv_ends_with(p, ".json"))
		return false;
	size_t len = strlen(p) - strlen(".json");
	if (len > 5 && memcmp(p + len - 5, "-open", 5) == 0) {
		name.open = true;
		len -= 5;
	} else if (!rv_name_take_hash(p, &len, &name.set_hash) ||
		   !rv_name_take_count(p, &len, 'b', &name.batches) ||
		   !rv_name_take_count(p, &len, 'x', &name.rejected) ||
		   !rv_name_take_count(p, &len, 'a', &name.accepted)) {
		return false;
	}
	if (!rv_name_take_run(p, len, name.run))
		return false;
	char again[RV_OBJECT_NAME_MAX];
	rv_receipt_name_format(&name, again);
	if (strcmp(again, text) != 0)
		return false;
	*ret = name;
	return true;
}

json_t *rv_receipt_json(const struct rv_stream *stream, struct rv_run *run, const char *state)
{
	struct rv_run_totals totals;
	char text[RV_TIME_TEXT], stream_text[RV_STREAM_TEXT];
	rv_run_totals(run, &totals);
	json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s}", "v", RV_RECEIPT_VERSION, "run", run->name,
			      "stream", rv_stream_text(stream, stream_text), "stream_id", stream->id,
			      "state", state);
	json_object_set_new(o, "host", rv_json_bytes(run->host));
	json_object_set_new(o, "source", rv_json_bytes(run->source));
	json_object_set_new(o, "started", json_string(rv_format_time(run->started_ms, text)));
	if (strcmp(state, "open") == 0)
		return o;
	json_object_set_new(o, "ended", json_string(rv_format_time(rv_clock_ms(), text)));
	json_object_set_new(o, "read", json_integer((json_int_t)(totals.records + totals.rejected)));
	json_object_set_new(o, "accepted", json_integer((json_int_t)totals.records));
	json_object_set_new(o, "rejected", json_integer((json_int_t)totals.rejected));
	json_object_set_new(o, "record_bytes", json_integer((json_int_t)totals.record_bytes));
	json_object_set_new(o, "bytes", json_integer((json_int_t)totals.bytes));
	json_object_set_new(o, "hash", rv_json_hex64(totals.set_hash));
	json_object_set_new(o, "rejects_hash", rv_json_hex64(totals.rejects_hash));
	json_t *objects = json_array(), *rejects = json_array(), *batches = NULL;
	/* A service names its objects itself: those named here landed by another way. */
	if (run->delivery[0]) {
		const struct {
			const char *key;
			uint64_t value;
		} counts[] = {
			{ "sent", totals.sent_records },
			{ "maybe_twice", totals.counts.maybe_twice },
			{ "requests", totals.counts.requests },
			{ "refused", totals.counts.refused },
			{ "sent_bytes", totals.counts.record_bytes },
			{ "billed_bytes", totals.counts.billed_bytes },
		};
		json_object_set_new(o, "delivery", json_string(run->delivery));
		for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
			json_object_set_new(o, counts[i].key, json_integer((json_int_t)counts[i].value));
		json_object_set_new(o, "batches", batches = json_array());
	}
	for (size_t i = 0; i < run->batches_count; i++) {
		if (run->batches[i].state == RV_BATCH_DROPPED)
			continue; /* not accepted after all: the totals leave it out too */
		if (run->batches[i].records && batches)
			json_array_append_new(batches, json_string(run->batches[i].name));
		if (run->batches[i].records && run->batches[i].state != RV_BATCH_SENT)
			json_array_append_new(objects, json_string(run->batches[i].name));
		if (run->batches[i].rejected)
			json_array_append_new(rejects, json_string(run->batches[i].rejects_name));
	}
	json_object_set_new(o, "objects", objects);
	json_object_set_new(o, "rejects", rejects);
	return o;
}

static void name_of(const struct rv_stream *stream, const struct rv_run *run,
		    struct rv_receipt_name *ret)
{
	*ret = (struct rv_receipt_name){ .open = true };
	snprintf(ret->business, sizeof(ret->business), "%s", stream->business);
	snprintf(ret->stream, sizeof(ret->stream), "%s", stream->name);
	/* The day of the run's folder, so that a re-run of a named run finds it. */
	snprintf(ret->day, sizeof(ret->day), "%.10s", run->lake_folder + 3);
	snprintf(ret->run, sizeof(ret->run), "%s", run->name);
}

static enum rv_status put_document(struct rv_store *lake, const char *name, json_t *document,
				   bool *ret_there, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_json_dump(&text, document);
	json_decref(document);
	rv_strbuf_putc(&text, '\n');
	const struct rv_store_body body = { .bytes = text.bytes, .len = text.len, .fd = -1 };
	return rv_store_put_once(lake, name, &body, ret_there, err);
}

enum rv_status rv_receipt_put_open(struct rv_store *lake, const struct rv_stream *stream,
				   struct rv_run *run, bool *ret_there, struct rv_error *err)
{
	struct rv_receipt_name name;
	char text[RV_OBJECT_NAME_MAX];
	name_of(stream, run, &name);
	rv_receipt_name_format(&name, text);
	return put_document(lake, text, rv_receipt_json(stream, run, "open"), ret_there, err);
}

struct closed_search {
	const char *run;
	char *name;
};

static enum rv_status see_closed(void *arg, const struct rv_store_object *object,
				 struct rv_error *err RV_UNUSED)
{
	struct closed_search *search = arg;
	struct rv_receipt_name there;
	if (!search->name && rv_receipt_name_parse(object->name, &there) && !there.open &&
	    strcmp(there.run, search->run) == 0)
		search->name = rv_strdup(object->name);
	return RV_OK;
}

enum rv_status rv_receipt_find_closed(struct rv_store *lake, const struct rv_stream *stream,
				      const struct rv_run *run, json_t **ret, struct rv_error *err)
{
	struct rv_receipt_name name;
	name_of(stream, run, &name);
	RV_CLEANUP(rv_free_p)
	char *prefix = rv_asprintf("_river/receipts/%s/%s/%s/%s-a", name.business, name.stream, name.day,
				   name.run);
	struct closed_search search = { .run = run->name };
	struct rv_store_list list = { .prefix = prefix };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	char etag[RV_ETAG_TEXT];
	*ret = NULL;
	enum rv_status status = lake->ops->list(lake, &list, see_closed, &search, err);
	if (status == RV_OK && search.name)
		status = lake->ops->get(lake, search.name, RV_RECEIPT_MAX_BYTES, &text, etag, err);
	if (status == RV_OK && search.name) {
		json_error_t at;
		*ret = json_loadb(text.bytes, text.len, JSON_REJECT_DUPLICATES, &at);
		if (!*ret)
			status = rv_fail(err, RV_DAMAGED, "%s is not a receipt", search.name);
	}
	free(search.name);
	return status;
}

enum rv_status rv_receipt_remove_open(struct rv_store *lake, const struct rv_stream *stream,
				      const struct rv_run *run, struct rv_error *err)
{
	struct rv_receipt_name name;
	char text[RV_OBJECT_NAME_MAX];
	name_of(stream, run, &name);
	rv_receipt_name_format(&name, text);
	return lake->ops->remove(lake, text, NULL, err);
}

struct find_closed {
	struct rv_receipt_name mine;
	bool other;
};

static enum rv_status compare_closed(void *arg, const struct rv_store_object *object,
				     struct rv_error *err RV_UNUSED)
{
	struct find_closed *find = arg;
	struct rv_receipt_name there;
	if (rv_receipt_name_parse(object->name, &there) && !there.open &&
	    strcmp(there.run, find->mine.run) == 0 &&
	    (there.accepted != find->mine.accepted || there.rejected != find->mine.rejected ||
	     there.set_hash != find->mine.set_hash || there.batches != find->mine.batches))
		find->other = true;
	return RV_OK;
}

enum rv_status rv_receipt_put_closed(struct rv_store *lake, const struct rv_stream *stream,
				     struct rv_run *run, struct rv_error *err)
{
	struct rv_run_totals totals;
	struct rv_receipt_name name;
	char text[RV_OBJECT_NAME_MAX], open_text[RV_OBJECT_NAME_MAX];
	rv_run_totals(run, &totals);
	name_of(stream, run, &name);
	rv_receipt_name_format(&name, open_text);
	name.open = false;
	name.accepted = totals.records;
	name.rejected = totals.rejected;
	name.batches = totals.batches;
	name.set_hash = totals.set_hash;
	rv_receipt_name_format(&name, text);
	if (run->named) {
		struct find_closed find = { .mine = name };
		RV_CLEANUP(rv_free_p)
		char *prefix = rv_asprintf("_river/receipts/%s/%s/%s/%s-a", name.business, name.stream,
					   name.day, name.run);
		struct rv_store_list list = { .prefix = prefix };
		if (lake->ops->list(lake, &list, compare_closed, &find, err) != RV_OK)
			return err->status;
		if (find.other)
			return rv_fail(err, RV_CONFLICT,
				       "run %s was closed before with another number of records",
				       run->name);
	}
	if (put_document(lake, text, rv_receipt_json(stream, run, "closed"), NULL, err) != RV_OK)
		return err->status;
	return lake->ops->remove(lake, open_text, NULL, err);
}
