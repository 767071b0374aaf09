// RapidJSON's SAX reader behind a C interface.
#include "CRapidJSON.h"

#include <cstdint>
#include <cstring>

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace {

struct Handler {
    const json_handler &call;
    void *context;

    bool Null() { return call.null_value(context) != 0; }
    bool Bool(bool value) { return call.bool_value(context, value) != 0; }
    bool Int(int value) { return call.integer_value(context, value) != 0; }
    bool Uint(unsigned value) { return call.integer_value(context, value) != 0; }
    bool Int64(int64_t value) { return call.integer_value(context, value) != 0; }
    // The reader reports every positive number beyond 32 bits here.
    bool Uint64(uint64_t value) {
        return value <= INT64_MAX ? call.integer_value(context, static_cast<int64_t>(value)) != 0
                                  : call.unsigned_value(context, value) != 0;
    }
    bool Double(double value) { return call.double_value(context, value) != 0; }
    bool RawNumber(const char *, rapidjson::SizeType, bool) { return false; }
    bool String(const char *bytes, rapidjson::SizeType count, bool) {
        return call.string_value(context, bytes, count) != 0;
    }
    bool StartObject() { return call.object_start(context) != 0; }
    bool Key(const char *bytes, rapidjson::SizeType count, bool) {
        return call.object_key(context, bytes, count) != 0;
    }
    bool EndObject(rapidjson::SizeType) { return call.object_end(context) != 0; }
    bool StartArray() { return call.array_start(context) != 0; }
    bool EndArray(rapidjson::SizeType) { return call.array_end(context) != 0; }
};

}  // namespace

int json_parse(const char *bytes, size_t count, const json_handler *handler, void *context,
               size_t *offset, const char **reason) {
    constexpr unsigned flags = rapidjson::kParseIterativeFlag |
                               rapidjson::kParseValidateEncodingFlag |
                               rapidjson::kParseFullPrecisionFlag;
    rapidjson::MemoryStream stream(bytes, count);
    rapidjson::Reader reader;
    Handler events{*handler, context};
    const rapidjson::ParseResult result = reader.Parse<flags>(stream, events);
    *offset = result.Offset();
    *reason = rapidjson::GetParseError_En(result.Code());
    switch (result.Code()) {
    case rapidjson::kParseErrorNone:
        break;
    case rapidjson::kParseErrorTermination:
        return json_stopped;
    case rapidjson::kParseErrorStringInvalidEncoding:
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
        return json_bad_encoding;
    default:
        return json_malformed;
    }
    // The reader takes a NUL byte for the end of its input.
    if (stream.Tell() < count) {
        *offset = stream.Tell();
        *reason = "The document root must not be followed by other values.";
        return json_malformed;
    }
    return json_ok;
}
