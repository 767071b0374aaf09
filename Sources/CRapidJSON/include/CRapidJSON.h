#ifndef CRAPIDJSON_H
#define CRAPIDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a parse calls back with, in document order. Each returns 0 to stop the parse.
typedef struct {
    int (*null_value)(void *context);
    int (*bool_value)(void *context, int value);
    int (*integer_value)(void *context, int64_t value);
    int (*unsigned_value)(void *context, uint64_t value);
    int (*double_value)(void *context, double value);
    int (*string_value)(void *context, const char *bytes, size_t count);
    int (*object_start)(void *context);
    int (*object_key)(void *context, const char *bytes, size_t count);
    int (*object_end)(void *context);
    int (*array_start)(void *context);
    int (*array_end)(void *context);
} json_handler;

enum {
    json_ok = 0,
    json_stopped = 1,      ///< a callback returned 0
    json_bad_encoding = 2, ///< bytes that are not UTF-8, or an escaped lone surrogate
    json_malformed = 3,    ///< anything else that is not JSON
};

/// Parses one JSON text of `count` bytes with no recursion; nothing but white space may follow it.
/// On failure `offset` is the byte where the parse stopped and `reason` a constant English phrase.
int json_parse(const char *bytes, size_t count, const json_handler *handler, void *context,
               size_t *offset, const char **reason);

#ifdef __cplusplus
}
#endif
#endif
