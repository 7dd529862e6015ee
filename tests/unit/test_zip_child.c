/*
 * In which order the child that inflates says things: the end of a member comes last. A parent that sees it has
 * seen all bytes before a fault, and may have the next member inflated there. The time in between is too short for
 * another thread to look into, so each store is looked at where it is made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "source/zip_child.h"

static void before_store(uintptr_t place);
#undef atomic_store
#define atomic_store(place, value)                                                                 \
	(before_store((uintptr_t)(place)), atomic_store_explicit(place, value, memory_order_seq_cst))
#include "source/zip_child.c"

static struct rv_zip_shared *shared;
static int file, channels[2];
static unsigned stores_behind_the_end;

static void before_store(uintptr_t place)
{
	if (place != (uintptr_t)&shared->ended && atomic_load(&shared->ended) != RV_ZIP_RUNS)
		stores_behind_the_end++;
}

static void *run_child(void *arg)
{
	(void)arg;
	rv_zip_child_run(shared, file, channels[1]);
	return NULL;
}

static int set_up(void **state)
{
	pthread_t thread;

	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	file = memfd_create("archive.zip", MFD_CLOEXEC);
	return shared == MAP_FAILED || file < 0 ||
	       socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channels) ||
	       pthread_create(&thread, NULL, run_child, NULL) || pthread_detach(thread);
}

/* How it ended; *ret_len is what stands in the only slot. */
static uint32_t inflate(unsigned method, const void *p, size_t len, uint64_t bytes, uint32_t *ret_len)
{
	char byte;

	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(pwrite(file, p, len, 0), len);
	shared->data_offset = 0;
	shared->packed_bytes = len;
	shared->bytes = bytes;
	shared->method = method;
	shared->fault[0] = '\0';
	atomic_store_explicit(&shared->filled, 0, memory_order_seq_cst);
	atomic_store_explicit(&shared->emptied, 0, memory_order_seq_cst);
	atomic_store_explicit(&shared->ended, RV_ZIP_RUNS, memory_order_seq_cst);
	/* it is woken when all has been said */
	atomic_store_explicit(&shared->parent_waits, 1, memory_order_seq_cst);
	atomic_fetch_add(&shared->order, 1);
	assert_int_equal(write(channels[0], "", 1), 1);
	assert_int_equal(read(channels[0], &byte, 1), 1);
	assert_int_equal(atomic_load(&shared->filled), 1);
	*ret_len = shared->lens[0];
	return atomic_load(&shared->ended);
}

static void the_end_comes_last(void **state)
{
	/* a stored block of "1,2\n", the last one; and behind it one that is none */
	static const char whole[] = "\x01\x04\x00\xfb\xff" "1,2\n", wrong[] = "\x00\x04\x00\xfb\xff" "1,2\n\x07";
	uint32_t len = 0;

	(void)state;
	assert_int_equal(inflate(RV_ZIP_STORED, "1,2\n", 4, 4, &len), RV_ZIP_DONE);
	assert_int_equal(len, 4);
	assert_int_equal(inflate(RV_ZIP_STORED, "1,2\n", 4, 3, &len), RV_ZIP_DAMAGED);
	assert_int_equal(len, 3); /* the one too many is not handed over */
	assert_string_equal(shared->fault, "it inflates to more than the 3 bytes its directory says");
	assert_int_equal(inflate(RV_ZIP_DEFLATE, whole, 9, 4, &len), RV_ZIP_DONE);
	assert_int_equal(len, 4);
	assert_int_equal(inflate(RV_ZIP_DEFLATE, wrong, 10, 100, &len), RV_ZIP_DAMAGED);
	assert_int_equal(len, 4);
	assert_string_equal(shared->fault, "its packed data is damaged after 4 inflated bytes: a block that is none");
	assert_int_equal(inflate(RV_ZIP_DEFLATE, wrong, 9, 100, &len), RV_ZIP_DAMAGED);
	assert_int_equal(len, 4);
	assert_string_equal(shared->fault, "its packed data ends early, after 4 inflated bytes");
	assert_int_equal(stores_behind_the_end, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_comes_last),
	};

	return cmocka_run_group_tests_name("what a child says last", tests, set_up, NULL);
}
