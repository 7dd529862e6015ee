/*
 * Which of the ways to do something with vectors this processor can go. Code for them is compiled where
 * RV_X86 is 1.
 */
#ifndef RV_BASE_PROCESSOR_H
#define RV_BASE_PROCESSOR_H

#include <stddef.h>

#ifdef __x86_64__
#define RV_X86 1
#else
#define RV_X86 0
#endif

/* How many ways there are, each of which needs what the one before it needs: 1, portable; 2, AVX2 with BMI, BMI2,
 * POPCNT and PCLMUL; 3, AVX-512 F and BW. Cheap enough for every call; any thread. */
size_t rv_processor_ways(void);

#endif
