// RapidJSON's SAX reader behind a C interface.
#include "CRapidJSON.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace {

struct Handler {
    const json_handler &call;
    void *context;
    bool isNumberTooBig = false;

    bool Null() { return call.null_value(context) != 0; }
    bool Bool(bool value) { return call.bool_value(context, value) != 0; }
    // Numbers come as text, see RawNumber.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(int64_t) { return false; }
    bool Uint64(uint64_t) { return false; }
    bool Double(double) { return false; }
    // The reader's own conversion rounds to infinity, or to garbage, near the largest double.
    bool RawNumber(const char *bytes, rapidjson::SizeType count, bool) {
        const char *end = bytes + count;
        if (!std::any_of(bytes, end, [](char c) { return c == '.' || c == 'e' || c == 'E'; })) {
            int64_t integer = 0;
            if (std::from_chars(bytes, end, integer).ec == std::errc()) {
                // A double has a negative zero, an integer has none.
                if (integer == 0 && *bytes == '-') return call.double_value(context, -0.0) != 0;
                return call.integer_value(context, integer) != 0;
            }
            uint64_t natural = 0;
            if (std::from_chars(bytes, end, natural).ec == std::errc())
                return call.unsigned_value(context, natural) != 0;
        }
        // from_chars does not tell too large from too small; strtod does.
        double value = 0;
        if (std::from_chars(bytes, end, value).ec != std::errc())
            value = std::strtod(std::string(bytes, count).c_str(), nullptr);
        if (!std::isfinite(value)) return !(isNumberTooBig = true);
        return call.double_value(context, value) != 0;
    }
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
                               rapidjson::kParseNumbersAsStringsFlag;
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
        if (events.isNumberTooBig) {
            *reason = rapidjson::GetParseError_En(rapidjson::kParseErrorNumberTooBig);
            return json_malformed;
        }
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
