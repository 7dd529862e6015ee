/*
 * Reads the end records, then the directory, then every local header in the order of the file. See
 * the header for why so strictly. Numbers in brackets are sections of APPNOTE.
 */
#include "format/zip_directory.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "format/zip_impl.h"

#define DIRECTORY_BYTES_MAX (96u << 20)
#define DEFAULT_MAX_BYTES (1ull << 40)
#define DEFAULT_MAX_RATIO 1000
#define DEFAULT_MAX_ENTRIES 100000
#define DEFAULT_MAX_NAME_BYTES 1024

/* While being read: also folders, and what the local header has to say. */
struct raw {
	struct rv_zip_entry e;
	size_t name, shown;      /* into names */
	size_t name_len;         /* of the name used, which a Unicode field may have replaced */
	const unsigned char *stored_name;
	size_t stored_name_len;
	uint32_t crc;
	bool folder;
};

struct reading {
	const struct rv_zip_input *input;
	const char *label;
	struct rv_zip_limits limits;
	struct rv_zip_end end;
	unsigned char *central;
	struct raw *raws;
	size_t count;
	struct rv_strbuf names;
};

static void reading_release(struct reading *r)
{
	free(r->central);
	free(r->raws);
	rv_strbuf_release(&r->names);
}

static const char *shown(const struct reading *r, const struct raw *raw)
{
	return r->names.bytes + raw->shown;
}

static unsigned long long wide(uint64_t n)
{
	return (unsigned long long)n;
}

static const struct {
	unsigned method;
	const char *name;
	bool readable;
} methods[] = {
	{ RV_ZIP_STORED, "stored", true }, { RV_ZIP_DEFLATE, "deflate", true },
	{ RV_ZIP_BZIP2, "bzip2", true },   { RV_ZIP_LZMA, "lzma", true },
	{ RV_ZIP_ZSTD, "zstd", true },	   { RV_ZIP_XZ, "xz", true },
	{ RV_ZIP_PPMD, "ppmd", true },	   { 1, "shrink", false },
	{ 2, "reduce 1", false },	   { 3, "reduce 2", false },
	{ 4, "reduce 3", false },	   { 5, "reduce 4", false },
	{ 6, "implode", false },	   { 9, "deflate64", false },
	{ 10, "dcl implode", false },	   { 16, "cmpsc", false },
	{ 18, "terse", false },		   { 19, "lz77", false },
	{ 20, "old zstd", false },	   { 94, "mp3", false },
	{ 96, "jpeg", false },		   { 97, "wavpack", false },
};
#define METHODS (sizeof(methods) / sizeof(*methods))

static bool can_read(unsigned method)
{
	for (size_t i = 0; i < METHODS; i++)
		if (methods[i].method == method)
			return methods[i].readable;
	return false;
}

const char *rv_zip_method_name(unsigned method)
{
	for (size_t i = 0; i < METHODS; i++)
		if (methods[i].method == method)
			return methods[i].name;
	return "unknown";
}

/* ---- extra fields [4.5] ---- */

/* The next field; false at the end, or where they are no fields any more: then the rest is ignored, as
 * everybody does, since nothing river believes may stand there. */
static bool next_extra(struct rv_str *rest, unsigned *ret_id, struct rv_str *ret_data)
{
	if (rest->len < 4)
		return false;
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t len = rv_zip_16(p + 2);

	if (len > rest->len - 4)
		return false;
	*ret_id = rv_zip_16(p);
	*ret_data = (struct rv_str){ rest->p + 4, len };
	rest->p += 4 + len;
	rest->len -= 4 + len;
	return true;
}

/* 32-bit fields of a header that are all ones stand in the field zip64 instead, in this order [4.5.3]. */
struct sizes {
	uint64_t bytes, packed_bytes, header_offset, disk;
};

/* NULL, or what is wrong. `local` headers have no offset and no disk. */
static const char *widen(struct sizes *s, struct rv_str extra, bool local)
{
	uint64_t *const values[] = { &s->bytes, &s->packed_bytes, &s->header_offset, &s->disk };
	bool wanted[] = { s->bytes == UINT32_MAX, s->packed_bytes == UINT32_MAX,
			  !local && s->header_offset == UINT32_MAX, !local && s->disk == UINT16_MAX };
	bool any = wanted[0] || wanted[1] || wanted[2] || wanted[3], seen = false;
	struct rv_str data;
	unsigned id;

	while (next_extra(&extra, &id, &data)) {
		if (id != 1)
			continue;
		if (seen)
			return "has two zip64 fields";
		seen = true;
		for (unsigned i = 0; i < 4; i++) {
			size_t size = i == 3 ? 4 : 8;
			const unsigned char *p = (const unsigned char *)data.p;

			if (!wanted[i])
				continue;
			if (data.len < size)
				return "has a zip64 field that is too short";
			*values[i] = i == 3 ? rv_zip_32(p) : rv_zip_64(p);
			data.p += size;
			data.len -= size;
		}
	}
	return any && !seen ? "has no zip64 field, which its sizes need" : NULL;
}

/* Extended timestamp, whose first time is the modification's in UTC. */
static void take_time(struct raw *raw, struct rv_str data)
{
	const unsigned char *p = (const unsigned char *)data.p;

	if (data.len >= 5 && (p[0] & 1))
		raw->e.modified_s = (int32_t)rv_zip_32(p + 1);
}

/* Fields that say what an entry is or is called. */
static enum rv_status take_extra(struct reading *r, struct raw *raw, struct rv_str extra,
				 struct rv_str *name, struct rv_error *err)
{
	struct rv_str data;
	unsigned id;

	while (next_extra(&extra, &id, &data)) {
		const unsigned char *p = (const unsigned char *)data.p;

		if (id == 0x5455) {
			take_time(raw, data);
		} else if (id == 0x9901) {
			raw->e.flags |= RV_ZIP_ENCRYPTED;
		} else if (id == 0x000d && data.len > 12) {
			return rv_zip_refuse(r->label, err,
					     "entry '%s' is a link or a device, not a regular file",
					     shown(r, raw));
		} else if (id == 0x7075 && data.len > 5 && p[0] == 1 &&
			   rv_zip_32(p + 1) == rv_zip_crc(0, name->p, name->len)) {
			struct rv_str unicode = { data.p + 5, data.len - 5 };

			if (!rv_utf8_valid(unicode.p, unicode.len) || rv_str_eq(unicode, *name))
				continue;
			if (rv_utf8_valid(name->p, name->len))
				return rv_zip_refuse(r->label, err, "entry '%s' has another name "
						     "in its Unicode field", shown(r, raw));
			*name = unicode;
		}
	}
	return RV_OK;
}

/* ---- the central directory [4.3.12] ---- */

static int64_t days_from_civil(int64_t y, unsigned m, unsigned d)
{
	y -= m <= 2;
	int64_t era = y / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

/* [4.4.6]; 0 for what is no time. */
static int64_t dos_time(unsigned time, unsigned date)
{
	unsigned month = date >> 5 & 15, day = date & 31, hour = time >> 11, minute = time >> 5 & 63,
		 second = (time & 31) * 2;

	if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
		return 0;
	return ((days_from_civil(1980 + (date >> 9), month, day) * 24 + hour) * 60 + minute) * 60 +
	       second;
}

static enum rv_status check_kind(struct reading *r, struct raw *raw, unsigned host, uint32_t attributes,
				 struct rv_error *err)
{
	const struct rv_zip_entry *e = &raw->e;
	uint32_t kind = attributes >> 16 & 0170000;

	if (e->flags & (RV_ZIP_ENCRYPTED | RV_ZIP_ENCRYPTED_STRONGLY | RV_ZIP_MASKED) || e->method == 99) {
		rv_zip_refuse(r->label, err, "entry '%s' is encrypted", shown(r, raw));
		rv_hint(err, "have it sent without a password, over a channel that is encrypted");
		return RV_BAD_DATA;
	}
	if (e->flags & RV_ZIP_PATCHED)
		return rv_zip_refuse(r->label, err, "entry '%s' holds a patch, not a file",
				     shown(r, raw));
	/* Unix's kind of file [4.4.2.2: 3 is UNIX, 19 OS X]. */
	if ((host == 3 || host == 19) && kind && kind != 0100000 && !(kind == 0040000 && raw->folder))
		return rv_zip_refuse(r->label, err, "entry '%s' is a %s, not a regular file",
				     shown(r, raw),
				     kind == 0120000   ? "symbolic link"
				     : kind == 0040000 ? "folder by its mode"
				     : kind == 0010000 ? "FIFO"
				     : kind == 0140000 ? "socket"
						       : "device");
	if (raw->folder) {
		if (e->bytes || e->crc)
			return rv_zip_refuse(r->label, err, "folder '%s' holds %llu bytes",
					     shown(r, raw), wide(e->bytes));
		return RV_OK;
	}
	if (attributes & 0x10)
		return rv_zip_refuse(r->label, err, "entry '%s' is a folder by its attributes",
				     shown(r, raw));
	if (!can_read(e->method))
		return rv_zip_refuse(r->label, err, "entry '%s' is packed by method %u (%s), which "
				     "river cannot read", shown(r, raw), e->method,
				     rv_zip_method_name(e->method));
	return RV_OK;
}

static enum rv_status check_sizes(struct reading *r, struct raw *raw, uint64_t *total,
				  struct rv_error *err)
{
	const struct rv_zip_entry *e = &raw->e;
	char has[RV_NUMBER_TEXT], may[RV_NUMBER_TEXT];

	if (e->method == RV_ZIP_STORED && e->bytes != e->packed_bytes)
		return rv_zip_refuse(r->label, err, "entry '%s' is stored, but its sizes differ: "
				     "%llu and %llu bytes", shown(r, raw), wide(e->bytes),
				     wide(e->packed_bytes));
	if (e->bytes > r->limits.max_bytes || __builtin_add_overflow(*total, e->bytes, total) ||
	    *total > r->limits.max_bytes) {
		rv_zip_refuse(r->label, err, "with entry '%s' of %s it holds more than %s",
			      shown(r, raw), rv_format_size(e->bytes, has),
			      rv_format_size(r->limits.max_bytes, may));
		rv_hint(err, "a small file that claims to hold very much is a trap; the limits of a job "
			     "(max_bytes) may allow more");
		return RV_BAD_DATA;
	}
	if (e->bytes > RV_ZIP_RATIO_FREE_BYTES && e->bytes / r->limits.max_ratio >= e->packed_bytes) {
		rv_zip_refuse(r->label, err,
			      "entry '%s' claims to be packed more than %llu : 1, %llu bytes into %llu",
			      shown(r, raw), wide(r->limits.max_ratio), wide(e->bytes),
			      wide(e->packed_bytes));
		rv_hint(err, "if it is meant so, the limits of a job (max_ratio) may allow more");
		return RV_BAD_DATA;
	}
	return RV_OK;
}

/* The record at p, of which `left` bytes are there; *ret_size is what it takes of them. */
static enum rv_status take_record(struct reading *r, size_t i, const unsigned char *p, size_t left,
				  size_t *ret_size, struct rv_error *err)
{
	struct raw *raw = &r->raws[i];
	struct rv_zip_entry *e = &raw->e;

	if (left < RV_ZIP_RECORD_BYTES || rv_zip_32(p) != RV_ZIP_RECORD)
		return rv_zip_refuse(r->label, err, "its directory holds %zu entries, its end record "
				     "says %llu", i, wide(r->end.count));
	size_t name_len = rv_zip_16(p + 28), extra_len = rv_zip_16(p + 30);
	size_t size = RV_ZIP_RECORD_BYTES + name_len + extra_len + rv_zip_16(p + 32);

	if (size > left)
		return rv_zip_refuse(r->label, err, "entry %zu of its directory goes beyond the "
				     "directory's end", i + 1);
	struct rv_str name = { (const char *)p + RV_ZIP_RECORD_BYTES, name_len };
	struct rv_str extra = { name.p + name_len, extra_len };
	struct sizes sizes = { rv_zip_32(p + 24), rv_zip_32(p + 20), rv_zip_32(p + 42),
			       rv_zip_16(p + 34) };

	raw->stored_name = p + RV_ZIP_RECORD_BYTES;
	raw->stored_name_len = name_len;
	raw->shown = r->names.len;
	rv_zip_name_show(&r->names, name.p, name.len, 200);
	rv_strbuf_putc(&r->names, '\0');
	if (name_len > r->limits.max_name_bytes)
		return rv_zip_refuse(r->label, err, "entry '%s' has a name of %zu bytes, allowed are "
				     "%llu", shown(r, raw), name_len, wide(r->limits.max_name_bytes));
	e->flags = rv_zip_16(p + 8);
	e->method = rv_zip_16(p + 10);
	e->crc = rv_zip_32(p + 16);
	e->modified_s = dos_time(rv_zip_16(p + 12), rv_zip_16(p + 14));
	const char *fault = widen(&sizes, extra, false);

	if (fault)
		return rv_zip_refuse(r->label, err, "entry '%s' %s", shown(r, raw), fault);
	if (sizes.disk != 0)
		return rv_zip_refuse(r->label, err, "entry '%s' begins on disk %llu of several",
				     shown(r, raw), wide(sizes.disk + 1));
	e->bytes = sizes.bytes;
	e->packed_bytes = sizes.packed_bytes;
	e->header_offset = sizes.header_offset;
	if ((e->flags & RV_ZIP_UTF8) && !rv_utf8_valid(name.p, name.len))
		return rv_zip_refuse(r->label, err, "the name of entry '%s' is not the UTF-8 it is "
				     "said to be", shown(r, raw));
	fault = rv_zip_name_fault(name.p, name.len);
	if (!fault && take_extra(r, raw, extra, &name, err) != RV_OK)
		return err->status;
	if (!fault)
		fault = rv_zip_name_fault(name.p, name.len);
	if (fault)
		return rv_zip_refuse(r->label, err, "entry %zu has the name '%s', which %s", i + 1,
				     shown(r, raw), fault);
	if (name.p != (const char *)raw->stored_name) {
		raw->shown = r->names.len;
		rv_zip_name_show(&r->names, name.p, name.len, 200);
		rv_strbuf_putc(&r->names, '\0');
	}
	raw->name = r->names.len;
	raw->name_len = name.len;
	raw->folder = name.p[name.len - 1] == '/';
	rv_strbuf_add(&r->names, name.p, name.len);
	rv_strbuf_putc(&r->names, '\0');
	*ret_size = size;
	return check_kind(r, raw, p[5], rv_zip_32(p + 38), err);
}

static enum rv_status read_central(struct reading *r, struct rv_error *err)
{
	const struct rv_zip_end *end = &r->end;
	uint64_t total = 0;

	if (end->count > r->limits.max_entries) {
		rv_zip_refuse(r->label, err, "it has %llu entries, allowed are %llu", wide(end->count),
			      wide(r->limits.max_entries));
		rv_hint(err, "is it the right file? an extract has a few large entries");
		return RV_BAD_DATA;
	}
	if (end->directory_bytes > DIRECTORY_BYTES_MAX)
		return rv_zip_refuse(r->label, err, "its directory takes %llu bytes, which is too much "
				     "for %llu entries", wide(end->directory_bytes), wide(end->count));
	/* Checked before memory is taken for them. */
	if (end->count > end->directory_bytes / RV_ZIP_RECORD_BYTES)
		return rv_zip_refuse(r->label, err, "its directory of %llu bytes cannot hold the %llu "
				     "entries its end record says", wide(end->directory_bytes),
				     wide(end->count));
	r->central = rv_malloc(end->directory_bytes);
	r->raws = rv_calloc(end->count, sizeof(*r->raws));
	if (end->directory_bytes &&
	    r->input->read(r->input->arg, r->central, end->directory_bytes, end->directory_offset,
			   err) != RV_OK)
		return err->status;
	size_t at = 0;

	while (r->count < end->count) {
		size_t size = 0;

		if (take_record(r, r->count, r->central + at, end->directory_bytes - at, &size, err) !=
			    RV_OK ||
		    check_sizes(r, &r->raws[r->count], &total, err) != RV_OK)
			return err->status;
		at += size;
		r->count++;
	}
	if (at < end->directory_bytes && end->directory_bytes - at >= 4 &&
	    rv_zip_32(r->central + at) == RV_ZIP_RECORD)
		return rv_zip_refuse(r->label, err, "its directory holds more entries than the %llu its "
				     "end record says", wide(end->count));
	if (at != end->directory_bytes)
		return rv_zip_refuse(r->label, err, "%llu bytes of its directory belong to no entry",
				     wide(end->directory_bytes - at));
	return RV_OK;
}

/* ---- names that are the same ---- */

struct folded {
	size_t key, len, raw;
};

static int by_key(const void *a, const void *b, void *arg)
{
	const struct folded *x = a, *y = b;
	const struct rv_strbuf *keys = arg;
	size_t least = x->len < y->len ? x->len : y->len;
	int order = memcmp(keys->bytes + x->key, keys->bytes + y->key, least);

	if (order == 0)
		order = x->len < y->len ? -1 : x->len > y->len;
	return order ? order : x->raw < y->raw ? -1 : x->raw > y->raw;
}

static enum rv_status check_names(const struct reading *r, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf keys = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) struct folded *all = rv_calloc(r->count, sizeof(*all));

	for (size_t i = 0; i < r->count; i++) {
		all[i] = (struct folded){ .key = keys.len, .raw = i };
		rv_zip_name_fold(&keys, r->names.bytes + r->raws[i].name, r->raws[i].name_len);
		all[i].len = keys.len - all[i].key;
	}
	qsort_r(all, r->count, sizeof(*all), by_key, &keys);
	for (size_t i = 1; i < r->count; i++) {
		const struct raw *a = &r->raws[all[i - 1].raw], *b = &r->raws[all[i].raw];

		if (all[i].len != all[i - 1].len ||
		    memcmp(keys.bytes + all[i].key, keys.bytes + all[i - 1].key, all[i].len) != 0)
			continue;
		if (strcmp(shown(r, a), shown(r, b)) == 0)
			return rv_zip_refuse(r->label, err, "two entries are called '%s', at bytes %llu "
					     "and %llu", shown(r, a), wide(a->e.header_offset),
					     wide(b->e.header_offset));
		return rv_zip_refuse(r->label, err, "entries '%s' and '%s', at bytes %llu and %llu, have "
				     "the same name to some file systems", shown(r, a), shown(r, b),
				     wide(a->e.header_offset), wide(b->e.header_offset));
	}
	return RV_OK;
}

/* ---- local headers [4.3.7] and data descriptors [4.3.9] ---- */

static enum rv_status differ(const struct reading *r, const struct raw *raw, const char *what,
			     uint64_t local, uint64_t central, struct rv_error *err)
{
	return rv_zip_refuse(r->label, err, "entry '%s' has two values for its %s: %llu before its data, "
			     "%llu in the directory", shown(r, raw), what, wide(local), wide(central));
}

/* With a descriptor behind the data, the header may also say nothing. */
static bool says_other(const struct raw *raw, uint64_t local, uint64_t central)
{
	return local != central && !((raw->e.flags & RV_ZIP_DESCRIPTOR) && local == 0);
}

static enum rv_status check_local(struct reading *r, struct raw *raw, struct rv_error *err)
{
	struct rv_zip_entry *e = &raw->e;
	unsigned char near[1024];
	RV_CLEANUP(rv_free_p) unsigned char *far = NULL;
	const unsigned char *p = near;
	uint64_t left = r->end.directory_offset - e->header_offset;
	size_t n = left < sizeof(near) ? (size_t)left : sizeof(near);

	if (r->input->read(r->input->arg, near, n, e->header_offset, err) != RV_OK)
		return err->status;
	if (n < RV_ZIP_LOCAL_BYTES || rv_zip_32(p) != RV_ZIP_LOCAL)
		return rv_zip_refuse(r->label, err, "entry '%s' is not where the directory says, at byte "
				     "%llu", shown(r, raw), wide(e->header_offset));
	size_t name_len = rv_zip_16(p + 26), extra_len = rv_zip_16(p + 28);
	size_t size = RV_ZIP_LOCAL_BYTES + name_len + extra_len;

	if (size > left)
		return rv_zip_refuse(r->label, err, "entry '%s' goes beyond the beginning of the "
				     "directory", shown(r, raw));
	if (size > n) {
		p = far = rv_malloc(size);
		if (r->input->read(r->input->arg, far, size, e->header_offset, err) != RV_OK)
			return err->status;
	}
	if (name_len != raw->stored_name_len ||
	    memcmp(p + RV_ZIP_LOCAL_BYTES, raw->stored_name, name_len) != 0) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf other = RV_STRBUF_INIT;

		rv_zip_name_show(&other, (const char *)p + RV_ZIP_LOCAL_BYTES, name_len, 200);
		return rv_zip_refuse(r->label, err, "entry '%s' has two names: '%s' before its data",
				     shown(r, raw), other.bytes);
	}
	struct rv_str extra = { (const char *)p + RV_ZIP_LOCAL_BYTES + name_len, extra_len };
	struct sizes sizes = { .bytes = rv_zip_32(p + 22), .packed_bytes = rv_zip_32(p + 18) };
	unsigned flags = rv_zip_16(p + 6), mask = RV_ZIP_ENCRYPTED | RV_ZIP_DESCRIPTOR |
						  RV_ZIP_ENCRYPTED_STRONGLY | RV_ZIP_MASKED;
	const char *fault = widen(&sizes, extra, true);

	if ((flags & mask) != (e->flags & mask))
		return differ(r, raw, "flags", flags, e->flags, err);
	if (rv_zip_16(p + 8) != e->method)
		return differ(r, raw, "method", rv_zip_16(p + 8), e->method, err);
	if (fault)
		return rv_zip_refuse(r->label, err, "entry '%s' %s", shown(r, raw), fault);
	if (says_other(raw, rv_zip_32(p + 14), e->crc)) {
		rv_zip_refuse(r->label, err, "entry '%s' has two values for its CRC-32: %08x before its "
			      "data, %08x in the directory", shown(r, raw), rv_zip_32(p + 14), e->crc);
		return RV_BAD_DATA;
	}
	if (says_other(raw, sizes.bytes, e->bytes))
		return differ(r, raw, "size", sizes.bytes, e->bytes, err);
	if (says_other(raw, sizes.packed_bytes, e->packed_bytes))
		return differ(r, raw, "packed size", sizes.packed_bytes, e->packed_bytes, err);
	e->data_offset = e->header_offset + size;
	return RV_OK;
}

/* 12 or 20 bytes, or with a signature before them 16 or 24. */
static enum rv_status check_descriptor(struct reading *r, const struct raw *raw, uint64_t gap,
				       struct rv_error *err)
{
	const struct rv_zip_entry *e = &raw->e;
	unsigned char bytes[24], *p = bytes;

	if (gap != 12 && gap != 16 && gap != 20 && gap != 24)
		return rv_zip_refuse(r->label, err, "%llu bytes stand behind the data of entry '%s', where "
				     "a data descriptor should be", wide(gap), shown(r, raw));
	if (r->input->read(r->input->arg, bytes, gap, e->data_offset + e->packed_bytes, err) != RV_OK)
		return err->status;
	if (gap == 16 || gap == 24) {
		if (rv_zip_32(p) != RV_ZIP_DESCRIPTOR_SIGNATURE)
			return rv_zip_refuse(r->label, err, "the data descriptor of entry '%s' has no "
					     "signature", shown(r, raw));
		p += 4;
	}
	uint64_t packed = gap >= 20 ? rv_zip_64(p + 4) : rv_zip_32(p + 4);
	uint64_t bytes_said = gap >= 20 ? rv_zip_64(p + 12) : rv_zip_32(p + 8);

	if (rv_zip_32(p) != e->crc)
		return rv_zip_refuse(r->label, err, "entry '%s' has two values for its CRC-32: %08x behind "
				     "its data, %08x in the directory", shown(r, raw), rv_zip_32(p),
				     e->crc);
	if (packed != e->packed_bytes || bytes_said != e->bytes)
		return rv_zip_refuse(r->label, err, "entry '%s' has two values for its sizes: %llu and "
				     "%llu behind its data, %llu and %llu in the directory",
				     shown(r, raw), wide(packed), wide(bytes_said),
				     wide(e->packed_bytes), wide(e->bytes));
	return RV_OK;
}

static int by_offset(const void *a, const void *b, void *arg)
{
	const struct raw *raws = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	uint64_t x = raws[i].e.header_offset, y = raws[k].e.header_offset;

	return x < y ? -1 : x > y ? 1 : i < k ? -1 : i > k;
}

static enum rv_status overlap(const struct reading *r, const struct raw *a, const struct raw *b,
			      struct rv_error *err)
{
	return rv_zip_refuse(r->label, err, "entries '%s' at byte %llu and '%s' at byte %llu overlap",
			     shown(r, a), wide(a->e.header_offset), shown(r, b),
			     wide(b->e.header_offset));
}

/* Bytes of the file that the directory knows nothing of. */
static enum rv_status stray(const struct reading *r, uint64_t offset, uint64_t bytes,
			    struct rv_error *err)
{
	unsigned char first[4] = "";

	if (bytes >= 4 && r->input->read(r->input->arg, first, 4, offset, err) != RV_OK)
		return err->status;
	return rv_zip_refuse(r->label, err, "%llu bytes at byte %llu belong to no entry%s", wide(bytes),
			     wide(offset),
			     rv_zip_32(first) == RV_ZIP_LOCAL
				     ? ": an entry that the directory does not have"
				     : "");
}

static enum rv_status read_locals(struct reading *r, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) size_t *order = rv_calloc(r->count, sizeof(*order));
	uint64_t stop = r->end.directory_offset, at = 0;

	for (size_t i = 0; i < r->count; i++)
		order[i] = i;
	qsort_r(order, r->count, sizeof(*order), by_offset, r->raws);
	for (size_t i = 0; i < r->count; i++) {
		struct raw *raw = &r->raws[order[i]];
		struct raw *next = i + 1 < r->count ? &r->raws[order[i + 1]] : NULL;
		struct rv_zip_entry *e = &raw->e;

		if (e->header_offset >= stop)
			return rv_zip_refuse(r->label, err, "entry '%s' is said to be at byte %llu, in "
					     "or behind the directory", shown(r, raw),
					     wide(e->header_offset));
		if (e->header_offset > at)
			return stray(r, at, e->header_offset - at, err);
		if (next && next->e.header_offset == e->header_offset)
			return overlap(r, raw, next, err);
		if (check_local(r, raw, err) != RV_OK)
			return err->status;
		uint64_t limit = next && next->e.header_offset < stop ? next->e.header_offset : stop;
		bool over = e->data_offset > limit || e->packed_bytes > limit - e->data_offset;

		if (over && next)
			return overlap(r, raw, next, err);
		if (over)
			return rv_zip_refuse(r->label, err, "the data of entry '%s' goes beyond the "
					     "beginning of the directory", shown(r, raw));
		at = e->data_offset + e->packed_bytes;
		if (e->flags & RV_ZIP_DESCRIPTOR) {
			if (check_descriptor(r, raw, limit - at, err) != RV_OK)
				return err->status;
			at = limit;
		}
	}
	return at == stop ? RV_OK : stray(r, at, stop - at, err);
}

/* ---- together ---- */

static void hand_over(struct reading *r, struct rv_zip_directory *ret)
{
	struct rv_zip_directory d = { .entries = rv_calloc(r->count, sizeof(*d.entries)) };

	d.names = rv_strbuf_take(&r->names);
	for (size_t i = 0; i < r->count; i++) {
		struct rv_zip_entry e = r->raws[i].e;

		if (r->raws[i].folder) {
			d.folders++;
			continue;
		}
		e.name = d.names + r->raws[i].name;
		e.shown = d.names + r->raws[i].shown;
		d.bytes += e.bytes;
		d.packed_bytes += e.packed_bytes;
		d.entries[d.count++] = e;
	}
	*ret = d;
}

struct rv_zip_limits rv_zip_limits_with_defaults(const struct rv_zip_limits *limits)
{
	struct rv_zip_limits l = { 0 };

	if (limits)
		l = *limits;
	if (!l.max_bytes)
		l.max_bytes = DEFAULT_MAX_BYTES;
	if (!l.max_ratio)
		l.max_ratio = DEFAULT_MAX_RATIO;
	if (!l.max_entries)
		l.max_entries = DEFAULT_MAX_ENTRIES;
	if (!l.max_name_bytes)
		l.max_name_bytes = DEFAULT_MAX_NAME_BYTES;
	return l;
}

enum rv_status rv_zip_directory_read(const struct rv_zip_input *input, const char *label,
				     const struct rv_zip_limits *limits,
				     struct rv_zip_directory *ret, struct rv_error *err)
{
	RV_CLEANUP(reading_release) struct reading r = { .input = input, .label = label,
							 .names = RV_STRBUF_INIT };

	r.limits = rv_zip_limits_with_defaults(limits);
	if (rv_zip_find_end(input, label, &r.end, err) != RV_OK || read_central(&r, err) != RV_OK ||
	    check_names(&r, err) != RV_OK || read_locals(&r, err) != RV_OK)
		return err->status;
	hand_over(&r, ret);
	return RV_OK;
}

void rv_zip_directory_release(struct rv_zip_directory *directory)
{
	free(directory->entries);
	free(directory->names);
	*directory = (struct rv_zip_directory){ 0 };
}

static int by_name(const void *a, const void *b)
{
	const struct rv_zip_entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

enum rv_status rv_zip_directory_identity(const struct rv_zip_directory *directory,
					 char ret[RV_ZIP_IDENTITY_TEXT], struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) const struct rv_zip_entry **order =
		rv_calloc(directory->count, sizeof(const struct rv_zip_entry *));

	for (size_t i = 0; i < directory->count; i++)
		order[i] = &directory->entries[i];
	qsort(order, directory->count, sizeof(*order), by_name);
	for (size_t i = 0; i < directory->count; i++) /* names have neither NUL nor newline */
		rv_strbuf_printf(&text, "%s\n%llu\n%08x\n", order[i]->name, wide(order[i]->bytes),
				 order[i]->crc);
	return rv_sha256_hex(text.bytes, text.len, ret, err);
}
