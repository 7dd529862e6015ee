/*
 * Any bytes under the names of river's own documents in a lake: the record of a run, a closed receipt, a
 * definition of the catalog, the lake's format, the name of a claimed batch. Whoever reads them says what is
 * wrong, or goes by them. The first byte chooses.
 */
#include "fuzz.h"

#include <jansson.h>

#include "flow/catalog.h"
#include "flow/object_name.h"
#include "flow/receipt.h"
#include "flow/run_record.h"
#include "store/store.h"

static void put(struct rv_store *lake, const char *name, const char *p, size_t len)
{
	const struct rv_store_put any = { .if_absent = false };
	struct rv_error err = RV_ERROR_INIT;

	CHECK(rv_store_put_bytes(lake, name, p, len, &any, &err) == RV_OK);
}

static bool is_said(enum rv_status status, const struct rv_error *err)
{
	return (status == RV_DAMAGED || status == RV_BAD_CONFIG || status == RV_CONFLICT || status == RV_BAD_DATA) &&
	       err->status == status && err->message[0];
}

static void try_record(struct rv_store *lake, const struct rv_stream *stream, const char *p, size_t len)
{
	struct rv_run_record record, again;
	struct rv_error err = RV_ERROR_INIT;

	put(lake, "_river/runs/web/clicks/r.json", p, len);
	enum rv_status status = rv_run_record_fix(lake, stream, "r", 1 << 20, 0, 0, 1795193931123, &record, &err);

	if (status != RV_OK) {
		CHECK(is_said(status, &err));
		return;
	}
	CHECK(rv_object_folder_valid(record.folder) && record.batch_record_bytes > 0);
	CHECK(rv_run_record_fix(lake, stream, "r", 1, 1, 1, 0, &again, &err) == RV_OK);
	CHECK(strcmp(record.folder, again.folder) == 0 && record.compression == again.compression &&
	      record.batch_record_bytes == again.batch_record_bytes);
}

static void try_claim(struct rv_store *lake, const struct rv_stream *stream, const char *p, size_t len)
{
	struct rv_error err = RV_ERROR_INIT;

	put(lake, "_river/runs/web/clicks/r/000001", p, len);
	enum rv_status status = rv_run_record_claim(lake, stream, "r", 1, "data/x", &err);

	CHECK(status == RV_OK || is_said(status, &err));
	/* nobody else's is ours */
	CHECK(status != RV_OK || (len >= 6 && memcmp(p, "data/x", 6) == 0));
}

static void try_receipt(struct rv_store *lake, const struct rv_stream *stream, const char *p, size_t len)
{
	const struct rv_run run = { .name = "r", .lake_folder = "dt=2026-11-20/hr=14", .named = true };
	struct rv_error err = RV_ERROR_INIT;
	json_t *json = NULL;

	put(lake, "_river/receipts/web/clicks/2026-11-20/r-a1-x0-b1-h0123456789abcdef.json", p, len);
	enum rv_status status = rv_receipt_find_closed(lake, stream, &run, &json, &err);

	CHECK(status == RV_OK ? json != NULL : is_said(status, &err));
	json_decref(json);
}

static void try_catalog(struct rv_store *lake, const char *p, size_t len)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_stream stream;
	char etag[RV_ETAG_TEXT];

	put(lake, "_river/streams/web/clicks.json", p, len);
	rv_stream_init(&stream);
	enum rv_status status = rv_catalog_get(lake, "web/clicks", &stream, etag, &err);

	CHECK(status == RV_OK || is_said(status, &err));
	if (status == RV_OK)
		CHECK(strcmp(stream.business, "web") == 0 && strcmp(stream.name, "clicks") == 0 && etag[0]);
	rv_stream_release(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rv_stream stream;
	struct rv_error err = RV_ERROR_INIT;

	if (size < 1 || size > 16 << 10)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);
	struct rv_store *lake = rv_store_mem_new();
	enum rv_status status;

	rv_stream_init(&stream);
	snprintf(stream.business, sizeof(stream.business), "web");
	snprintf(stream.name, sizeof(stream.name), "clicks");
	snprintf(stream.id, sizeof(stream.id), "01arz3ndektsv4rrffq69g5fav");
	switch (data[0] % 5) {
	case 0: try_record(lake, &stream, p, size - 1); break;
	case 1: try_claim(lake, &stream, p, size - 1); break;
	case 2: try_receipt(lake, &stream, p, size - 1); break;
	case 3: try_catalog(lake, p, size - 1); break;
	default:
		put(lake, "_river/format.json", p, size - 1);
		status = rv_catalog_check_lake(lake, &err);
		CHECK(status == RV_OK || is_said(status, &err));
	}
	rv_stream_release(&stream);
	lake->ops->free(lake);
	return 0;
}
