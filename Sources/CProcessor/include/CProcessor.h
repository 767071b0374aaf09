/// What Swift has no word for: the processor's features and its cache hints.
#ifndef CPROCESSOR_H
#define CPROCESSOR_H

#include <stdbool.h>

#pragma clang assume_nonnull begin

/// Whether the processor and the system run AVX2 and fused multiply-add.
static inline bool processor_has_avx2_fma(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/// The same for the vectors of AVX-512 (F, VL, DQ and BW).
static inline bool processor_has_avx512(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return processor_has_avx2_fma() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw");
#else
    return false;
#endif
}

/// Asks for a cache line that will be read soon, into the second cache: that can wait for many more
/// lines at a time than the first.
static inline void processor_prefetch(const void *address) { __builtin_prefetch(address, 0, 2); }

/// The same address, of which the compiler knows nothing: it keeps it in a register and does not compute
/// it anew from others.
static inline const float *processor_keep(const float *address) {
    __asm__("" : "+r"(address));
    return address;
}

/// Tells the processor that this thread only waits.
static inline void processor_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#pragma clang assume_nonnull end

#endif
