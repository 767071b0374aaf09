/// What Swift has no word for: the processor's features and its cache hints.
#ifndef CPROCESSOR_H
#define CPROCESSOR_H

#include <stdbool.h>

/// Whether the processor and the system run AVX2 and fused multiply-add.
static inline bool processor_has_avx2_fma(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/// Asks for a cache line that will be read soon.
static inline void processor_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }

/// Tells the processor that this thread only waits.
static inline void processor_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
