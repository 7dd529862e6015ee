/*
 * Documents into objects of the lake, a line each.
 *
 * Those of an extract are made anew with it, and replaced when it is. Those of a history are versions: what an
 * extract changed, each with its _v, and what it took away, with _deleted. Nothing that comes later changes or
 * removes them, not even taking the extract anew, which writes higher versions; so their names hold the version.
 */
#include "flow/extract_documents_impl.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "format/compress.h"

#define PART_BYTES ((uint64_t)1 << 30)
#define BLOCK_BYTES (64u << 10)
/* A document of so many goes to zstd as it is: that copies it anyway, and takes it in small pieces as well. */
#define DIRECT_BYTES 1024

struct extract_lake_writer {
	struct extract_reading *reading;
	size_t document;
	uint64_t version;
	char *folder;             /* of files of ours */
	struct rv_compressor *compressor;
	struct rv_strbuf block;
	struct extract_object object;
	uint64_t text_bytes;
	unsigned part;
	bool open, direct;
};

static enum rv_status write_staged(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct extract_lake_writer *w = arg;

	w->object.bytes += len;
	return rv_write_all(w->object.fd, p, len, w->object.name, err);
}

static enum rv_status open_part(struct extract_lake_writer *w, struct rv_error *err)
{
	static const char *const endings[] = { ".zst", ".gz", ".gz", "" };
	const struct rv_extract_params *params = w->reading->params;
	const struct rv_job_document *document = &params->job->documents[w->document];
	RV_CLEANUP(rv_free_p)
	char *folder = rv_asprintf("loads/%s/%.16s", params->job->name, w->reading->identity);

	w->object = (struct extract_object){ .load = EXTRACT_DOCUMENTS + w->document, .fd = -1 };
	RV_CLEANUP(rv_free_p) char *stem = extract_documents_stem(params->job, w->document, w->version, &params->shard);

	w->object.name = rv_asprintf("%s/%s-%04u.ndjson%s", folder, stem, ++w->part,
				     endings[document->compression]);
	w->open = true;
	w->text_bytes = 0;
	rv_compressor_begin(w->compressor, write_staged, w);
	return extract_stage(w->reading, w->folder, folder, &w->object, err);
}

static enum rv_status flush_block(struct extract_lake_writer *w, struct rv_error *err)
{
	if (w->block.len && rv_compressor_write(w->compressor, w->block.bytes, w->block.len, err) != RV_OK)
		return err->status;
	rv_strbuf_clear(&w->block);
	return RV_OK;
}

static enum rv_status close_part(struct extract_lake_writer *w, struct rv_error *err)
{
	if (flush_block(w, err) != RV_OK || rv_compressor_end(w->compressor, err) != RV_OK)
		return err->status;
	extract_add_object(&w->reading->objects, &w->object);
	w->open = false;
	return RV_OK;
}

char *extract_documents_stem(const struct rv_job *job, size_t document, uint64_t version,
			     const struct rv_extract_shard *shard)
{
	const char *name = job->documents[document].name;

	if (!version)
		return rv_asprintf("documents-%s", name);
	if (shard->of < 2)
		return rv_asprintf("documents-%s-v%09" PRIu64, name, version);
	return rv_asprintf("documents-%s-v%09" PRIu64 "-%uof%u", name, version, shard->number, shard->of);
}

enum rv_status extract_lake_writer_new(struct extract_reading *reading, size_t document, uint64_t version,
				       struct extract_lake_writer **ret, struct rv_error *err)
{
	const struct rv_extract_params *params = reading->params;
	struct extract_lake_writer *w = rv_calloc(1, sizeof(*w));

	*w = (struct extract_lake_writer){ .reading = reading, .document = document, .version = version,
					   .block = RV_STRBUF_INIT };
	if (extract_folder(params, &w->folder, err) != RV_OK ||
	    rv_compressor_new_for_rows(params->job->documents[document].compression, params->threads,
				       &w->compressor, err) != RV_OK ||
	    (!version && open_part(w, err) != RV_OK)) {
		extract_lake_writer_free(w);
		return err->status;
	}
	w->direct = params->job->documents[document].compression == RV_OUTPUT_ZSTD;
	*ret = w;
	return RV_OK;
}

enum rv_status extract_lake_write(struct extract_lake_writer *w, const char *json, size_t len, bool removed,
				  struct rv_error *err)
{
	size_t before = w->block.len;

	if (!w->open) {
		if (open_part(w, err) != RV_OK)
			return err->status;
		before = w->block.len;
	}
	if (w->version) {
		/* in front of its last brace */
		rv_strbuf_add(&w->block, json, len - 1);
		rv_strbuf_printf(&w->block, ",\"_v\":%" PRIu64 "%s}", w->version, removed ? ",\"_deleted\":true" : "");
	} else if (w->direct && len >= DIRECT_BYTES) {
		if (flush_block(w, err) != RV_OK || rv_compressor_write(w->compressor, json, len, err) != RV_OK)
			return err->status;
		w->text_bytes += len;
		before = 0;
	} else {
		rv_strbuf_add(&w->block, json, len);
	}
	rv_strbuf_putc(&w->block, '\n');
	w->object.rows++;
	w->text_bytes += w->block.len - before;
	if (w->block.len >= BLOCK_BYTES && flush_block(w, err) != RV_OK)
		return err->status;
	return w->text_bytes >= PART_BYTES ? close_part(w, err) : RV_OK;
}

enum rv_status extract_lake_writer_finish(struct extract_lake_writer *w, struct rv_error *err)
{
	return w->open ? close_part(w, err) : RV_OK;
}

void extract_lake_writer_free(struct extract_lake_writer *w)
{
	if (!w)
		return;
	if (w->open)
		extract_drop_object(w->reading, &w->object);
	rv_compressor_free(w->compressor);
	rv_strbuf_release(&w->block);
	free(w->folder);
	free(w);
}
