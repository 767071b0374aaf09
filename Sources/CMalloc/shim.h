// The tuning functions of the C library's allocator, where it has them.
#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
