#include "../CDynamicLibrary/dynamic_library.h"
// Another BLAS may have put its header in the common place.
#if __has_include(<openblas-pthread/cblas.h>)
#include <openblas-pthread/cblas.h>
#elif __has_include(<openblas/cblas.h>)
#include <openblas/cblas.h>
#else
#include <cblas.h>
#endif

#define OPENBLAS_FUNCTIONS(F) \
    F(cblas_sgemm) F(cblas_sgemv) F(openblas_get_config) F(openblas_get_corename) \
    F(openblas_set_num_threads)
DYNAMIC_LIBRARY(openblas_functions, "libopenblas.so.0", OPENBLAS_FUNCTIONS)
