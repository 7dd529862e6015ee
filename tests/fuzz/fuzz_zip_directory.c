/*
 * Any bytes as a ZIP archive: a readable refusal, or a directory whose entries lie one behind the other
 * in the file, with names that may be shown and are told apart.
 */
#include "fuzz.h"

#include "base/strbuf.h"
#include "format/zip_directory.h"
#include "format/zip_name.h"

struct given {
	const uint8_t *p;
	size_t len;
};

static enum rv_status read_given(void *arg, void *p, size_t len, uint64_t offset, struct rv_error *err)
{
	const struct given *g = arg;

	(void)err;
	CHECK(offset <= g->len && len <= g->len - offset);
	memcpy(p, g->p + offset, len);
	return RV_OK;
}

static void check_text(const char *text)
{
	size_t len = strlen(text);

	CHECK(rv_utf8_valid(text, len));
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void check_directory(const struct rv_zip_directory *d, size_t size)
{
	uint64_t bytes = 0, packed = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct rv_zip_entry *e = &d->entries[i];
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf key = RV_STRBUF_INIT;

		CHECK(e->name[0] && !rv_zip_name_fault(e->name, strlen(e->name)));
		check_text(e->shown);
		CHECK(strcmp(rv_zip_method_name(e->method), "unknown") != 0);
		CHECK(e->data_offset > e->header_offset && e->data_offset <= size);
		CHECK(e->packed_bytes <= size - e->data_offset);
		for (size_t k = 0; k < i && i < 50; k++) {
			const struct rv_zip_entry *o = &d->entries[k];

			CHECK(strcmp(o->name, e->name) != 0);
			CHECK(o->header_offset >= e->data_offset + e->packed_bytes ||
			      e->header_offset >= o->data_offset + o->packed_bytes);
		}
		rv_zip_name_fold(&key, e->name, strlen(e->name));
		CHECK(key.len > 0);
		bytes += e->bytes;
		packed += e->packed_bytes;
	}
	CHECK(bytes == d->bytes && packed == d->packed_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct given given = { data, size };
	struct rv_zip_input input = { size, read_given, &given };
	struct rv_zip_directory d = { 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (rv_zip_directory_read(&input, "fuzz.zip", NULL, &d, &err) == RV_OK) {
		check_directory(&d, size);
	} else {
		CHECK(err.status == RV_BAD_DATA && err.message[0]);
		check_text(err.message);
	}
	rv_zip_directory_release(&d);
	return 0;
}
