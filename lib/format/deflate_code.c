/* Huffman's codes with a limit, and the run lengths that a deflate block tells them by. */
#include "format/deflate_code.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SYMBOLS RV_DEFLATE_LITERALS
#define MAX_BITS 15
#define KIND_BITS 7

const uint8_t rv_deflate_kind_order[19] = { 16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					    11, 4,  12, 3, 13, 2, 14, 1, 15 };

static int by_times(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* How many codes there are of each length, for weights that ascend. */
static void count_lengths(const uint64_t *sorted, size_t n, unsigned max_bits, uint32_t *counts)
{
	uint32_t weight[2 * MAX_SYMBOLS];
	uint16_t parent[2 * MAX_SYMBOLS], depth[2 * MAX_SYMBOLS];
	for (size_t i = 0; i < n; i++)
		weight[i] = (uint32_t)(sorted[i] >> 16);
	/* Leaves ascend, and so do the nodes made of them: the two smallest stand at the heads. */
	size_t leaf = 0, node = n;
	for (size_t made = n; made < 2 * n - 1; made++) {
		size_t pair[2];
		for (size_t i = 0; i < 2; i++) {
			bool take_leaf = leaf < n && (node >= made || weight[leaf] <= weight[node]);
			pair[i] = take_leaf ? leaf++ : node++;
		}
		weight[made] = weight[pair[0]] + weight[pair[1]];
		parent[pair[0]] = parent[pair[1]] = (uint16_t)made;
	}
	depth[2 * n - 2] = 0;
	for (size_t i = 2 * n - 2; i-- > 0;) {
		depth[i] = (uint16_t)(depth[parent[i]] + 1);
		if (i < n)
			counts[depth[i] < max_bits ? depth[i] : max_bits]++;
	}
	/* What was cut off to the limit takes more room than there is: one of the longest codes goes below a
	 * shorter one, until all have room. */
	uint64_t room = 0;
	for (unsigned bits = 1; bits <= max_bits; bits++)
		room += (uint64_t)counts[bits] << (max_bits - bits);
	for (; room > (uint64_t)1 << max_bits; room--) {
		unsigned bits = max_bits - 1;
		while (!counts[bits])
			bits--;
		counts[max_bits]--;
		counts[bits]--;
		counts[bits + 1] += 2;
	}
}

void rv_deflate_code(const uint32_t *times, size_t count, unsigned max_bits, uint8_t *ret_bits,
		     uint16_t *ret_codes)
{
	uint64_t sorted[MAX_SYMBOLS];
	size_t n = 0;
	memset(ret_bits, 0, count);
	for (size_t i = 0; i < count; i++)
		if (times[i])
			sorted[n++] = (uint64_t)times[i] << 16 | i;
	/* a symbol that does not occur, so that there are two */
	for (size_t i = 0; n < 2; i++)
		if (!times[i])
			sorted[n++] = i;
	qsort(sorted, n, sizeof(*sorted), by_times);
	uint32_t counts[MAX_BITS + 1] = { 0 };
	count_lengths(sorted, n, max_bits, counts);
	size_t at = 0;
	for (unsigned bits = max_bits; bits > 0; bits--)
		for (uint32_t i = 0; i < counts[bits]; i++)
			ret_bits[sorted[at++] & 0xffff] = (uint8_t)bits;

	/* RFC 1951, 3.2.2 */
	uint32_t next[MAX_BITS + 2] = { 0 };
	for (unsigned bits = 1; bits <= max_bits; bits++)
		next[bits + 1] = (next[bits] + counts[bits]) << 1;
	for (size_t i = 0; i < count; i++) {
		uint32_t code = ret_bits[i] ? next[ret_bits[i]]++ : 0, turned = 0;
		for (unsigned bit = 0; bit < ret_bits[i]; bit++)
			turned |= (code >> bit & 1) << (ret_bits[i] - 1 - bit);
		ret_codes[i] = (uint16_t)turned;
	}
}

unsigned rv_deflate_step_extra(unsigned kind)
{
	return kind == 16 ? 2 : kind == 17 ? 3 : kind == 18 ? 7 : 0;
}

void rv_deflate_head_make(struct rv_deflate_head *head, const uint8_t *literal_bits,
			  const uint8_t *distance_bits)
{
	uint8_t all[RV_DEFLATE_LITERALS + RV_DEFLATE_DISTANCES];
	uint32_t times[19] = { 0 };
	size_t literals = RV_DEFLATE_LITERALS, distances = RV_DEFLATE_DISTANCES;
	while (literals > RV_DEFLATE_END_OF_BLOCK + 1 && !literal_bits[literals - 1])
		literals--;
	while (distances > 1 && !distance_bits[distances - 1])
		distances--;
	memcpy(all, literal_bits, literals);
	memcpy(all + literals, distance_bits, distances);
	head->literals = (uint16_t)literals;
	head->distances = (uint16_t)distances;
	head->step_count = 0;
	for (size_t i = 0, n = literals + distances; i < n;) {
		size_t run = 1;
		unsigned kind = all[i], extra = 0;
		while (i + run < n && all[i + run] == all[i])
			run++;
		if (kind == 0 && run >= 11) {
			run = run < 138 ? run : 138;
			kind = 18;
			extra = (unsigned)run - 11;
		} else if (kind == 0 && run >= 3) {
			kind = 17;
			extra = (unsigned)run - 3;
		} else if (i > 0 && all[i - 1] == kind && run >= 3) {
			run = run < 6 ? run : 6;
			kind = 16;
			extra = (unsigned)run - 3;
		} else {
			run = 1;
		}
		times[kind]++;
		head->steps[head->step_count++] = (uint16_t)(kind | extra << 5);
		i += run;
	}
	rv_deflate_code(times, 19, KIND_BITS, head->kind_bits, head->kind_codes);
	head->kinds = 19;
	while (head->kinds > 4 && !head->kind_bits[rv_deflate_kind_order[head->kinds - 1]])
		head->kinds--;
	head->bits = 5 + 5 + 4 + 3u * head->kinds;
	for (unsigned kind = 0; kind < 19; kind++)
		head->bits += (uint64_t)times[kind] *
			      (head->kind_bits[kind] + rv_deflate_step_extra(kind));
}
