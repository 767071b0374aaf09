// Libraries that are loaded when they are needed: a program that needs none of them starts without them
// (GMime alone brings twenty others), and one that is not installed stops only what needs it.
#ifndef DYNAMIC_LIBRARY_H
#define DYNAMIC_LIBRARY_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

// For a list of the used functions, F(name) F(name) …: their pointers with the types of the header's
// declarations, and their names.
#define DYNAMIC_LIBRARY_MEMBER(name) __typeof__(name) *name;
#define DYNAMIC_LIBRARY_NAME(name) #name,

/// Loads a library for the rest of the process's life and finds its functions; false where it is not
/// installed or does not have all of them.
static inline bool dynamic_library_load(
    const char *file, const char *const *names, size_t count, void **functions) {
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    if (!library) return false;
    for (size_t i = 0; i < count; i++) {
        functions[i] = dlsym(library, names[i]);
        if (!functions[i]) return false;
    }
    return true;
}

/// Declares `struct TYPE` of the functions of a list, and `TYPE_load`.
#define DYNAMIC_LIBRARY(TYPE, FILE, FUNCTIONS)                                                        \
    struct TYPE {                                                                                     \
        FUNCTIONS(DYNAMIC_LIBRARY_MEMBER)                                                             \
    };                                                                                                \
    static inline bool TYPE##_load(struct TYPE *functions) {                                          \
        static const char *const names[] = {FUNCTIONS(DYNAMIC_LIBRARY_NAME)};                         \
        return dynamic_library_load(                                                                  \
            FILE, names, sizeof names / sizeof *names, (void **)functions);                           \
    }

#endif
