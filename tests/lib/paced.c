/*
 * paced RATE SECONDS [BYTES]: a producer that does not wait. RATE x SECONDS numbered JSON records of
 * about BYTES (200) go to standard output, as many a second, and what the reader was too slow to take
 * in time is given behind it. Its end says on standard error how long the reader kept it waiting at
 * worst: {"records":N,"seconds":S,"longest_wait_ms":M}.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 20
#define PIECE_BYTES 32768
#define RECORD_MAX 4096

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void write_all(const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(1, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			perror("paced");
			exit(1);
		}
		p += n;
		len -= (size_t)n;
	}
}

int main(int argc, char **argv)
{
	int64_t rate = argc > 2 ? strtoll(argv[1], NULL, 10) : 0;
	int64_t seconds = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;
	int64_t bytes = argc > 3 ? strtoll(argv[3], NULL, 10) : 200;
	if (rate <= 0 || seconds <= 0 || bytes < 0 || bytes > RECORD_MAX / 2) {
		fputs("usage: paced RATE SECONDS [BYTES]\n", stderr);
		return 129;
	}
	static char piece[PIECE_BYTES + RECORD_MAX], filler[RECORD_MAX];
	int64_t start = now_ms(), made = 0, all = rate * seconds, longest = 0;
	while (made < all) {
		int64_t owed = (now_ms() - start) * rate / 1000;
		owed = owed < all ? owed : all;
		while (made < owed) {
			size_t len = 0;
			while (made < owed && len < PIECE_BYTES) {
				made++;
				/* letters that differ, so that it is no smaller than it should be */
				uint64_t x = (uint64_t)made * 0x9e3779b97f4a7c15u;
				int64_t fill = bytes > 40 ? bytes - 40 : 0;
				for (int64_t i = 0; i < fill; i++) {
					x ^= x << 13;
					x ^= x >> 7;
					x ^= x << 17;
					filler[i] = (char)('a' + (x & 15));
				}
				filler[fill] = 0;
				len += (size_t)snprintf(piece + len, RECORD_MAX,
							"{\"n\":%" PRId64 ",\"what\":\"%s\"}\n", made,
							filler);
			}
			int64_t before = now_ms();
			write_all(piece, len);
			int64_t waited = now_ms() - before;
			longest = waited > longest ? waited : longest;
		}
		nanosleep(&(struct timespec){ .tv_nsec = TICK_MS * 1000000 }, NULL);
	}
	fprintf(stderr, "{\"records\":%" PRId64 ",\"seconds\":%.1f,\"longest_wait_ms\":%" PRId64 "}\n", made,
		(double)(now_ms() - start) / 1000, longest);
	return 0;
}
