/*
 * A child that inflates members, and does with the memory and the channel that it shares with its parent what the bytes
 * say: counts wildly, tells lengths that are none, writes again over what it gave, ends as nobody ends, says anything,
 * hangs up. What the parent hands on is what stands in the slot, never more than the member has; a member ends well
 * with all its bytes and their CRC-32 alone; what has failed stays so, in words.
 *
 * The child does its next step whenever its parent has to wait, and before each read: the parent's memory is its own in
 * between. lib/source/sandbox.c is not here: there is no process. A step is a byte, and what it takes:
 *   0 N N  so many right bytes into the next slot      1 N N  wrong ones
 *   2 LLLL the next slot has this length               3 N    so many slots more are filled
 *   4 LLLL emptied is that                             5 N    ended
 *   6 N .. these are its words                         7      a byte into the channel
 *   8      it hangs up                                 9 N    who waits
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "source/zip_child.h"

#define BYTES 300000
#define MEMBERS 3

static const uint64_t sizes[MEMBERS] = { BYTES, 5, 0 };
static unsigned char content[BYTES];
static int archive = -1;

/* Not the library that river has it from. */
static uint32_t crc_of(const void *p, size_t len)
{
	static uint32_t table[256];
	uint32_t crc = 0xffffffff;

	for (uint32_t i = 0; i < 256 && !table[255]; i++) {
		uint32_t c = i;

		for (unsigned k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
		table[i] = c;
	}
	for (size_t i = 0; i < len; i++)
		crc = table[(crc ^ ((const unsigned char *)p)[i]) & 255] ^ crc >> 8;
	return ~crc;
}

/* ---- the child ---- */

static struct {
	const uint8_t *p;
	size_t len;
	struct rv_zip_shared *shared;
	int channel;               /* the child's end; -1: it has hung up */
	size_t given;              /* right bytes, of the member at hand */
	unsigned started, ended;
} child = { .channel = -1 };

static uint32_t take(unsigned bytes)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < bytes; i++) {
		n = n << 8 | (child.len ? *child.p : 0);
		child.p += child.len > 0;
		child.len -= child.len > 0;
	}
	return n;
}

static void give(uint32_t n, bool right)
{
	struct rv_zip_shared *s = child.shared;
	uint32_t slot = atomic_load(&s->filled) % RV_ZIP_SLOTS;

	if (n > RV_ZIP_SLOT_BYTES)
		n = RV_ZIP_SLOT_BYTES;
	if (right && n > BYTES - child.given)
		n = (uint32_t)(BYTES - child.given);
	if (right)
		memcpy(s->slots[slot], content + child.given, n);
	else
		memset(s->slots[slot], 'x', n);
	child.given += right ? n : 0;
	s->lens[slot] = n;
	atomic_fetch_add(&s->filled, 1);
}

static void hang_up(void)
{
	if (child.channel >= 0)
		close(child.channel);
	child.channel = -1;
}

static void step(void)
{
	struct rv_zip_shared *s = child.shared;
	uint32_t n;
	char byte;

	if (!s || !child.len)
		return;
	switch (take(1) % 10) {
	case 0: give(take(2) * 5, true); break;
	case 1: give(take(2) * 5, false); break;
	case 2: s->lens[atomic_load(&s->filled) % RV_ZIP_SLOTS] = take(4); break;
	case 3: atomic_fetch_add(&s->filled, take(1)); break;
	case 4: atomic_store(&s->emptied, take(4)); break;
	case 5: atomic_store(&s->ended, take(1)); break;
	case 6:
		n = take(1);
		for (uint32_t i = 0; i < n && i < sizeof(s->fault); i++)
			s->fault[i] = (char)take(1);
		break;
	case 7:
		if (child.channel >= 0) {
			CHECK(send(child.channel, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) <= 1);
			while (recv(child.channel, &byte, 1, MSG_DONTWAIT) > 0)
				;
		}
		break;
	case 8: hang_up(); break;
	default:
		n = take(1);
		atomic_store(&s->parent_waits, n & 1);
		atomic_store(&s->child_waits, n & 2);
	}
}

/* ---- in place of lib/source/sandbox.c ---- */

enum rv_status rv_sandbox_start(const struct rv_sandbox_params *params, struct rv_sandbox *ret,
				struct rv_error *err RV_UNUSED)
{
	int pair[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	hang_up();
	*ret = (struct rv_sandbox){ .pid = 1, .channel = pair[0] };
	child.channel = pair[1];
	child.shared = params->arg;
	child.started++;
	return RV_OK;
}

void rv_sandbox_allow_cpu(struct rv_sandbox *sandbox RV_UNUSED, uint64_t seconds RV_UNUSED)
{
}

const char *rv_sandbox_fate(struct rv_sandbox *sandbox RV_UNUSED, int patience_ms RV_UNUSED)
{
	CHECK(child.channel < 0);
	return "hung up";
}

void rv_sandbox_end(struct rv_sandbox *sandbox)
{
	if (sandbox->channel < 0)
		return;
	close(sandbox->channel);
	sandbox->channel = -1;
	/* its memory goes next */
	child.shared = NULL;
	child.ended++;
}

enum rv_status rv_sandbox_probe(struct rv_sandbox_state *ret RV_UNUSED, struct rv_error *err)
{
	return rv_fail(err, RV_FAILED, "there is none");
}

const char *rv_sandbox_state_text(const struct rv_sandbox_state *state RV_UNUSED, char *buf, size_t size)
{
	snprintf(buf, size, "none");
	return buf;
}

/* ---- the archive ---- */

static void put(struct rv_strbuf *out, uint64_t n, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++, n >>= 8)
		rv_strbuf_putc(out, (char)n);
}

static void put_common(struct rv_strbuf *out, unsigned i)
{
	put(out, 20, 2); /* version */
	put(out, 0, 4);  /* flags, stored */
	put(out, 0, 4);  /* time */
	put(out, crc_of(content, sizes[i]), 4);
	put(out, sizes[i], 4);
	put(out, sizes[i], 4);
	put(out, 5, 2);
	put(out, 0, 2);
}

static void set_up(void)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf out = RV_STRBUF_INIT;
	uint64_t at[MEMBERS];

	for (size_t i = 0; i < BYTES; i++)
		content[i] = (unsigned char)(i * 7 + (i >> 8));
	for (unsigned i = 0; i < MEMBERS; i++) {
		at[i] = out.len;
		put(&out, 0x04034b50, 4);
		put_common(&out, i);
		rv_strbuf_printf(&out, "%u.csv", i);
		rv_strbuf_add(&out, (const char *)content, sizes[i]);
	}
	uint64_t directory = out.len;

	for (unsigned i = 0; i < MEMBERS; i++) {
		put(&out, 0x02014b50, 4);
		put(&out, 20, 2);
		put_common(&out, i);
		put(&out, 0, 10); /* comment, disk, attributes */
		put(&out, at[i], 4);
		rv_strbuf_printf(&out, "%u.csv", i);
	}
	uint64_t end = out.len;

	put(&out, 0x06054b50, 4);
	put(&out, 0, 4);
	put(&out, MEMBERS, 2);
	put(&out, MEMBERS, 2);
	put(&out, end - directory, 4);
	put(&out, directory, 4);
	put(&out, 0, 2);
	archive = memfd_create("archive.zip", MFD_CLOEXEC);
	CHECK(archive >= 0 && write(archive, out.bytes, out.len) == (ssize_t)out.len);
}

/* ---- the parent ---- */

/* One read. What it gave is what stood in the slot behind what was taken of it before. */
static enum rv_source_state read_once(struct rv_source *source, size_t size, size_t *at, struct rv_strbuf *got,
				      struct rv_error *err)
{
	struct rv_zip_shared *s = child.shared;
	enum rv_source_state state = RV_SOURCE_WAIT;
	RV_CLEANUP(rv_free_p) char *buf = rv_malloc(size);
	uint32_t slot = s ? atomic_load(&s->emptied) % RV_ZIP_SLOTS : 0, len = s ? s->lens[slot] : 0;
	bool wild = s && atomic_load(&s->filled) - atomic_load(&s->emptied) > RV_ZIP_SLOTS;
	size_t n = 77;

	*err = (struct rv_error)RV_ERROR_INIT;
	if (source->ops->read(source, buf, size, 0, &n, &state, err) != RV_OK) {
		CHECK(n == 0 && err->message[0] && memchr(err->message, '\0', sizeof(err->message)));
		CHECK(err->status == RV_BAD_DATA || err->status == RV_LOCAL_IO || err->status == RV_NOT_FOUND);
		return RV_SOURCE_END;
	}
	CHECK((state == RV_SOURCE_BYTES) == (n > 0));
	if (!n)
		return state;
	CHECK(s && !wild && n <= size && *at + n <= len && len <= RV_ZIP_SLOT_BYTES);
	CHECK(memcmp(buf, s->slots[slot] + *at, n) == 0);
	*at = *at + n == len ? 0 : *at + n;
	rv_strbuf_add(got, buf, n);
	return state;
}

static void read_member(struct rv_zip *zip, size_t i, size_t size)
{
	struct rv_source *source = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf got = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT, again;
	size_t at = 0;
	enum rv_source_state state;

	child.given = 0;
	CHECK(rv_zip_member(zip, i, &source, &err) == RV_OK);
	do {
		size_t left = child.len;

		step();
		state = read_once(source, size, &at, &got, &err);
		CHECK(got.len <= sizes[i]);
		/* a child that says nothing more, and will not */
		if (state == RV_SOURCE_WAIT && !left)
			break;
	} while (state != RV_SOURCE_END);
	if (state == RV_SOURCE_END && err.status == RV_OK) {
		CHECK(got.len == sizes[i]);
		CHECK(crc_of(got.bytes, got.len) == crc_of(content, sizes[i]));
	}
	if (state == RV_SOURCE_END) {
		step();
		at = got.len;
		CHECK(read_once(source, size, &at, &got, &again) == RV_SOURCE_END && got.len == at);
		CHECK(again.status == err.status && strcmp(again.message, err.message) == 0);
	}
	rv_source_free(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t pieces[] = { BYTES + 1, 100000, 4096, 1 };
	struct rv_zip *zip = NULL;
	struct rv_error err = RV_ERROR_INIT;

	if (size < 1 || size > 4096)
		return 0;
	if (archive < 0)
		set_up();
	child.p = data + 1;
	child.len = size - 1;
	child.started = child.ended = 0;
	CHECK(rv_zip_open(dup(archive), "a.zip", NULL, &zip, &err) == RV_OK && rv_zip_count(zip) == MEMBERS);
	/* byte by byte what is short alone: the first member is left out */
	for (size_t i = (data[0] & 3) == 3; i < MEMBERS; i++)
		read_member(zip, data[0] & 4 ? MEMBERS - 1 - i : i, pieces[data[0] & 3]);
	rv_zip_free(zip);
	CHECK(child.started == child.ended && !child.shared);
	hang_up();
	return 0;
}
