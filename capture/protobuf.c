#include "capture/protobuf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "capture/protobuf_wire.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/base/utf8.h"

/* Of bytes that nothing is known of, so many are shown by number. */
#define HEX_BYTES 32

/* What length-delimited bytes look like. */
enum guess { GUESS_TEXT, GUESS_MESSAGE, GUESS_BYTES };

static void add_indent(struct strbuf *out, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        strbuf_add_str(out, "  ");
}

/* As a JSON string; what is no UTF-8 becomes U+FFFD, a byte each. */
static void add_string(struct strbuf *out, struct span text)
{
    static const char escapes[] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };

    strbuf_add_char(out, '"');
    while (text.len != 0 && !out->is_full) {
        unsigned char c = (unsigned char)text.ptr[0];
        size_t len = utf8_front(text);

        if (len == 0)
            strbuf_add_str(out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c < sizeof escapes && escapes[c] != 0)
            strbuf_printf(out, "\\%c", escapes[c]);
        else if (c < ' ' || c == 0x7f)
            strbuf_printf(out, "\\u%04x", c);
        else
            strbuf_add(out, span_sub(text, 0, len));
        text = span_from(text, len != 0 ? len : 1);
    }
    strbuf_add_char(out, '"');
}

/* With as few digits as bring the same number back: 9 and 17 always do. */
static void add_float(struct strbuf *out, double value, bool is_single)
{
    char text[40] = "nan"; /* which has a sign that means nothing */

    for (int digits = is_single ? 6 : 15; !isnan(value) && digits <= (is_single ? 9 : 17); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (is_single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    strbuf_add_str(out, text);
}

static float float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;

    memcpy(&value, &low, sizeof value);
    return value;
}

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static int64_t zigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

/* Nearly every message has control characters, in its tags or its lengths, and nearly no text has: so text
 * that could also be read as fields, as "8A" can, stays text. */
static enum guess guess(struct span bytes)
{
    bool has_controls = false;

    for (size_t i = 0; i < bytes.len && !has_controls; i++)
        has_controls = (unsigned char)bytes.ptr[i] < ' ' || bytes.ptr[i] == 0x7f;
    if (!has_controls && utf8_is_valid(bytes))
        return GUESS_TEXT;
    if (protobuf_parses(bytes))
        return GUESS_MESSAGE;
    return utf8_is_valid(bytes) ? GUESS_TEXT : GUESS_BYTES;
}

/* The dump without a schema. */

static void add_hex(struct strbuf *out, struct span bytes)
{
    size_t shown = bytes.len <= HEX_BYTES ? bytes.len : HEX_BYTES;

    strbuf_add_char(out, '<');
    for (size_t i = 0; i < shown; i++)
        strbuf_printf(out, i == 0 ? "%02x" : " %02x", (unsigned char)bytes.ptr[i]);
    if (shown < bytes.len)
        strbuf_printf(out, " ... %zu bytes", bytes.len);
    strbuf_add_char(out, '>');
}

static void add_varint(struct strbuf *out, uint64_t value)
{
    strbuf_printf(out, "%" PRIu64, value);
    if (value > INT64_MAX)
        strbuf_printf(out, " (int %" PRId64 ")", (int64_t)value);
    else if (value != 0)
        strbuf_printf(out, " (sint %" PRId64 ")", zigzag(value));
}

static bool dump_wire(struct strbuf *out, struct span message, unsigned level);

static bool dump_nested(struct strbuf *out, struct span inside, unsigned level)
{
    bool is_clean;

    strbuf_add_str(out, " {\n");
    is_clean = dump_wire(out, inside, level + 1);
    add_indent(out, level);
    strbuf_add_char(out, '}');
    return is_clean;
}

static bool dump_bytes(struct strbuf *out, struct span bytes, unsigned level)
{
    enum guess looks = guess(bytes);

    if (looks == GUESS_MESSAGE && level + 1 < PROTOBUF_DEPTH_MAX)
        return dump_nested(out, bytes, level);
    strbuf_add_str(out, ": ");
    if (looks == GUESS_TEXT)
        add_string(out, bytes);
    else
        add_hex(out, bytes);
    return true;
}

static bool dump_item(struct strbuf *out, const struct protobuf_item *item, unsigned level)
{
    strbuf_printf(out, "%" PRIu32, item->number);
    switch (item->wire) {
    case PROTOBUF_WIRE_VARINT:
        strbuf_add_str(out, ": ");
        add_varint(out, item->value);
        return true;
    case PROTOBUF_WIRE_FIXED32:
        strbuf_printf(out, ": 0x%08" PRIx64 " (float ", item->value);
        add_float(out, (double)float_of(item->value), true);
        strbuf_printf(out, ", int %" PRId32 ")", (int32_t)item->value);
        return true;
    case PROTOBUF_WIRE_FIXED64:
        strbuf_printf(out, ": 0x%016" PRIx64 " (double ", item->value);
        add_float(out, double_of(item->value), false);
        strbuf_printf(out, ", int %" PRId64 ")", (int64_t)item->value);
        return true;
    case PROTOBUF_WIRE_GROUP:
        strbuf_add_str(out, " group");
        if (level + 1 < PROTOBUF_DEPTH_MAX)
            return dump_nested(out, item->bytes, level);
        strbuf_add_str(out, ": ");
        add_hex(out, item->bytes);
        return true;
    case PROTOBUF_WIRE_BYTES:
        return dump_bytes(out, item->bytes, level);
    }
    return true;
}

static bool dump_wire(struct strbuf *out, struct span message, unsigned level)
{
    struct protobuf_item item;
    bool is_clean = true;

    while (!out->is_full && protobuf_next(&message, &item)) {
        add_indent(out, level);
        is_clean = dump_item(out, &item, level) && is_clean;
        strbuf_add_char(out, '\n');
    }
    if (message.len == 0 || out->is_full)
        return is_clean;
    add_indent(out, level);
    strbuf_add_str(out, "no field: ");
    add_hex(out, message);
    strbuf_add_char(out, '\n');
    return false;
}

bool protobuf_dump_wire(struct span message, struct strbuf *out)
{
    return dump_wire(out, message, 0);
}

/* The dump by name. */

struct named {
    const struct protobuf_schema *schema;
    struct strbuf *out;
    bool is_clean;
};

static void add_message(struct named *named, const struct protobuf_type *type, struct span message,
                        unsigned level);

static bool is_type(const struct protobuf_type *type, const char *full_name)
{
    return type != NULL && strcmp(type->full_name, full_name) == 0;
}

static enum protobuf_wire wire_of(enum protobuf_field_kind kind)
{
    switch (kind) {
    case PROTOBUF_DOUBLE:
    case PROTOBUF_FIXED64:
    case PROTOBUF_SFIXED64:
        return PROTOBUF_WIRE_FIXED64;
    case PROTOBUF_FLOAT:
    case PROTOBUF_FIXED32:
    case PROTOBUF_SFIXED32:
        return PROTOBUF_WIRE_FIXED32;
    case PROTOBUF_STRING:
    case PROTOBUF_MESSAGE:
    case PROTOBUF_BYTES:
        return PROTOBUF_WIRE_BYTES;
    case PROTOBUF_GROUP:
        return PROTOBUF_WIRE_GROUP;
    default:
        return PROTOBUF_WIRE_VARINT;
    }
}

/* Whether the item is several of the field's numbers in one: each reader has to take both forms. */
static bool is_packed(const struct protobuf_field *field, const struct protobuf_item *item)
{
    enum protobuf_wire wire = wire_of(field->kind);

    return field->is_repeated && item->wire == PROTOBUF_WIRE_BYTES && wire != PROTOBUF_WIRE_BYTES &&
           wire != PROTOBUF_WIRE_GROUP;
}

static bool fits(const struct protobuf_field *field, const struct protobuf_item *item)
{
    return item->number == field->number && (item->wire == wire_of(field->kind) || is_packed(field, item));
}

/* A set of other hands may call something a map entry that has no key or no value. */
static bool is_map(const struct protobuf_field *field)
{
    const struct protobuf_type *type = field->type;

    return field->is_repeated && field->kind == PROTOBUF_MESSAGE && type != NULL && type->is_map_entry &&
           protobuf_type_field(type, 1) != NULL && protobuf_type_field(type, 2) != NULL;
}

static void add_real(struct strbuf *out, double value, bool is_single)
{
    if (isnan(value))
        strbuf_add_str(out, "\"NaN\"");
    else if (isinf(value))
        strbuf_add_str(out, value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    else
        add_float(out, value, is_single);
}

static void add_enum(struct strbuf *out, const struct protobuf_type *type, int32_t number)
{
    for (size_t i = 0; type != NULL && i < type->value_count; i++) {
        if (type->values[i].number == number) {
            add_string(out, type->values[i].name);
            return;
        }
    }
    strbuf_printf(out, "%" PRId32, number);
}

static void add_number(struct strbuf *out, const struct protobuf_field *field, uint64_t value)
{
    switch (field->kind) {
    case PROTOBUF_DOUBLE:
        add_real(out, double_of(value), false);
        break;
    case PROTOBUF_FLOAT:
        add_real(out, (double)float_of(value), true);
        break;
    case PROTOBUF_INT64:
    case PROTOBUF_SFIXED64:
        strbuf_printf(out, "%" PRId64, (int64_t)value);
        break;
    case PROTOBUF_INT32:
    case PROTOBUF_SFIXED32:
        strbuf_printf(out, "%" PRId32, (int32_t)value);
        break;
    case PROTOBUF_UINT32:
        strbuf_printf(out, "%" PRIu32, (uint32_t)value);
        break;
    case PROTOBUF_SINT32:
        strbuf_printf(out, "%" PRId32, (int32_t)zigzag((uint32_t)value));
        break;
    case PROTOBUF_SINT64:
        strbuf_printf(out, "%" PRId64, zigzag(value));
        break;
    case PROTOBUF_BOOL:
        strbuf_add_str(out, value != 0 ? "true" : "false");
        break;
    case PROTOBUF_ENUM:
        add_enum(out, field->type, (int32_t)value);
        break;
    default:
        strbuf_printf(out, "%" PRIu64, value);
        break;
    }
}

static void add_base64(struct strbuf *out, struct span bytes)
{
    strbuf_add_char(out, '"');
    base64_add(out, bytes);
    strbuf_add_char(out, '"');
}

/* Bytes that no type is known of. */
static void add_guessed(struct named *named, struct span bytes, unsigned level)
{
    enum guess looks = guess(bytes);

    if (looks == GUESS_MESSAGE && level < PROTOBUF_DEPTH_MAX)
        add_message(named, NULL, bytes, level);
    else if (looks == GUESS_TEXT)
        add_string(named->out, bytes);
    else
        add_base64(named->out, bytes);
}

static void add_unknown(struct named *named, const struct protobuf_item *item, unsigned level)
{
    if (item->wire == PROTOBUF_WIRE_BYTES)
        add_guessed(named, item->bytes, level);
    else if (item->wire != PROTOBUF_WIRE_GROUP)
        strbuf_printf(named->out, "%" PRIu64, item->value);
    else if (level < PROTOBUF_DEPTH_MAX)
        add_message(named, NULL, item->bytes, level);
    else
        add_base64(named->out, item->bytes);
}

/* Seconds and nanoseconds: fields 1 and 2 of Timestamp and Duration. False: something else is in it. */
static bool read_time(struct span message, int64_t *out_seconds, int32_t *out_nanos)
{
    struct protobuf_item item;

    *out_seconds = 0;
    *out_nanos = 0;
    while (protobuf_next(&message, &item)) {
        if (item.wire != PROTOBUF_WIRE_VARINT || item.number > 2)
            return false;
        if (item.number == 1)
            *out_seconds = (int64_t)item.value;
        else
            *out_nanos = (int32_t)item.value;
    }
    return message.len == 0;
}

/* As protobuf's JSON mapping writes it: none, 3, 6 or 9 digits. */
static void add_nanos(struct strbuf *out, int32_t nanos)
{
    if (nanos % 1000000 == 0 && nanos != 0)
        strbuf_printf(out, ".%03" PRId32, nanos / 1000000);
    else if (nanos % 1000 == 0 && nanos != 0)
        strbuf_printf(out, ".%06" PRId32, nanos / 1000);
    else if (nanos != 0)
        strbuf_printf(out, ".%09" PRId32, nanos);
}

/* False: it is in no form that the mapping has; from the year 1 to 9999. */
static bool add_timestamp(struct strbuf *out, struct span message)
{
    int64_t seconds;
    int32_t nanos;
    time_t when;
    struct tm tm;

    if (!read_time(message, &seconds, &nanos) || seconds < INT64_C(-62135596800) ||
        seconds > INT64_C(253402300799) || nanos < 0 || nanos > 999999999)
        return false;
    when = (time_t)seconds;
    gmtime_r(&when, &tm);
    strbuf_printf(out, "\"%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec);
    add_nanos(out, nanos);
    strbuf_add_str(out, "Z\"");
    return true;
}

/* False: as above; up to 10,000 years, and both parts have one sign. */
static bool add_duration(struct strbuf *out, struct span message)
{
    int64_t seconds;
    int32_t nanos;
    bool is_negative;

    if (!read_time(message, &seconds, &nanos) || seconds < INT64_C(-315576000000) ||
        seconds > INT64_C(315576000000) || nanos < -999999999 || nanos > 999999999 ||
        (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return false;
    is_negative = seconds < 0 || nanos < 0;
    strbuf_printf(out, "\"%s%" PRId64, is_negative ? "-" : "", is_negative ? -seconds : seconds);
    add_nanos(out, is_negative ? -nanos : nanos);
    strbuf_add_str(out, "s\"");
    return true;
}

static void add_typed(struct named *named, const struct protobuf_type *type, struct span message,
                      unsigned level)
{
    if (is_type(type, ".google.protobuf.Timestamp") && add_timestamp(named->out, message))
        return;
    if (is_type(type, ".google.protobuf.Duration") && add_duration(named->out, message))
        return;
    if (level >= PROTOBUF_DEPTH_MAX)
        add_base64(named->out, message);
    else
        add_message(named, type, message, level);
}

/* One value of a field that it fits. */
static void add_value(struct named *named, const struct protobuf_field *field,
                      const struct protobuf_item *item, unsigned level)
{
    switch (field->kind) {
    case PROTOBUF_STRING:
        add_string(named->out, item->bytes);
        break;
    case PROTOBUF_BYTES:
        add_base64(named->out, item->bytes);
        break;
    case PROTOBUF_GROUP:
    case PROTOBUF_MESSAGE:
        if (field->type != NULL)
            add_typed(named, field->type, item->bytes, level);
        else
            add_guessed(named, item->bytes, level);
        break;
    default:
        add_number(named->out, field, item->value);
        break;
    }
}

/* Begins a new line for an element. */
static void begin_element(struct strbuf *out, bool *is_first, unsigned level)
{
    strbuf_add_str(out, *is_first ? "\n" : ",\n");
    *is_first = false;
    add_indent(out, level);
}

static void end_elements(struct strbuf *out, bool is_first, unsigned level, char bracket)
{
    if (!is_first) {
        strbuf_add_char(out, '\n');
        add_indent(out, level);
    }
    strbuf_add_char(out, bracket);
}

/* The elements of one packed item. */
static void add_packed(struct named *named, const struct protobuf_field *field, struct span bytes,
                       bool *is_first, unsigned level)
{
    uint64_t value;

    while (!named->out->is_full && protobuf_next_packed(&bytes, wire_of(field->kind), &value)) {
        begin_element(named->out, is_first, level);
        add_number(named->out, field, value);
    }
    named->is_clean = named->is_clean && bytes.len == 0;
}

/* All values of a field, from its first one on. */
static void add_array(struct named *named, const struct protobuf_field *field, struct span rest,
                      unsigned level)
{
    struct protobuf_item item;
    bool is_first = true;

    strbuf_add_char(named->out, '[');
    while (!named->out->is_full && protobuf_next(&rest, &item)) {
        if (!fits(field, &item))
            continue;
        if (is_packed(field, &item)) {
            add_packed(named, field, item.bytes, &is_first, level + 1);
        } else {
            begin_element(named->out, &is_first, level + 1);
            add_value(named, field, &item, level + 1);
        }
    }
    end_elements(named->out, is_first, level, ']');
}

/* The last item of a map entry that is its key, or its value; where there is none, 0 or "" is meant. */
static void find_item(const struct protobuf_field *field, struct span entry, struct protobuf_item *out_item)
{
    struct protobuf_item item;

    *out_item = (struct protobuf_item){ .number = field->number, .wire = wire_of(field->kind) };
    while (protobuf_next(&entry, &item)) {
        if (fits(field, &item))
            *out_item = item;
    }
}

static void add_entry(struct named *named, const struct protobuf_type *type, struct span entry,
                      unsigned level)
{
    const struct protobuf_field *key = protobuf_type_field(type, 1), *value = protobuf_type_field(type, 2);
    struct protobuf_item item;

    find_item(key, entry, &item);
    if (key->kind == PROTOBUF_STRING) {
        add_string(named->out, item.bytes);
    } else {
        strbuf_add_char(named->out, '"');
        add_number(named->out, key, item.value);
        strbuf_add_char(named->out, '"');
    }
    strbuf_add_str(named->out, ": ");
    find_item(value, entry, &item);
    add_value(named, value, &item, level);
    named->is_clean = named->is_clean && protobuf_parses(entry);
}

static void add_map(struct named *named, const struct protobuf_field *field, struct span rest, unsigned level)
{
    struct protobuf_item item;
    bool is_first = true;

    strbuf_add_char(named->out, '{');
    while (!named->out->is_full && protobuf_next(&rest, &item)) {
        if (!fits(field, &item))
            continue;
        begin_element(named->out, &is_first, level + 1);
        add_entry(named, field->type, item.bytes, level + 1);
    }
    end_elements(named->out, is_first, level, '}');
}

/* Any's value is a message of the type whose name ends its type_url. NULL: that is not known here. */
static const struct protobuf_type *any_type(const struct named *named, struct span message)
{
    struct span url = SPAN_NONE;
    struct protobuf_item item;
    size_t slash;

    while (protobuf_next(&message, &item))
        if (item.number == 1 && item.wire == PROTOBUF_WIRE_BYTES)
            url = item.bytes;
    while ((slash = span_find(url, '/')) < url.len)
        url = span_from(url, slash + 1);
    return named->schema != NULL ? protobuf_schema_find(named->schema, url) : NULL;
}

/* Whether rest has more than one value of a field that should have one. */
static bool comes_again(const struct protobuf_field *field, struct span rest)
{
    struct protobuf_item item;
    unsigned count = 0;

    while (count < 2 && protobuf_next(&rest, &item))
        count += fits(field, &item);
    return count == 2;
}

/* A field of the type; rest begins with its first value, item. */
static void add_field(struct named *named, const struct protobuf_type *type,
                      const struct protobuf_field *field, struct span message, struct span rest,
                      const struct protobuf_item *item, unsigned level)
{
    const struct protobuf_type *any = NULL;

    add_string(named->out, field->name);
    strbuf_add_str(named->out, ": ");
    if (is_type(type, ".google.protobuf.Any") && field->number == 2)
        any = any_type(named, message);
    if (any != NULL && !any->is_enum && item->wire == PROTOBUF_WIRE_BYTES)
        add_typed(named, any, item->bytes, level);
    else if (is_map(field))
        add_map(named, field, rest, level);
    else if (field->is_repeated || comes_again(field, rest))
        add_array(named, field, rest, level);
    else
        add_value(named, field, item, level);
}

/* type may be NULL. */
static void add_message(struct named *named, const struct protobuf_type *type, struct span message,
                        unsigned level)
{
    bool *has_come = type != NULL ? mem_array(bool, type->field_count + 1) : NULL;
    struct strbuf *out = named->out;
    struct span rest = message, from = message;
    struct protobuf_item item;
    bool is_first = true;

    strbuf_add_char(out, '{');
    for (; !out->is_full && protobuf_next(&rest, &item); from = rest) {
        const struct protobuf_field *field = type != NULL ? protobuf_type_field(type, item.number) : NULL;

        if (field != NULL && !fits(field, &item))
            field = NULL;
        if (field != NULL && has_come[field - type->fields])
            continue;
        begin_element(out, &is_first, level + 1);
        if (field != NULL) {
            has_come[field - type->fields] = true;
            add_field(named, type, field, message, from, &item, level + 1);
        } else {
            strbuf_printf(out, "\"%" PRIu32 "\": ", item.number);
            add_unknown(named, &item, level + 1);
        }
    }
    if (rest.len != 0 && !out->is_full) {
        begin_element(out, &is_first, level + 1);
        strbuf_add_str(out, "\"no field\": ");
        add_base64(out, rest);
        named->is_clean = false;
    }
    end_elements(out, is_first, level, '}');
    mem_free(has_come);
}

bool protobuf_dump_named(const struct protobuf_schema *schema, const struct protobuf_type *type,
                         struct span message, struct strbuf *out)
{
    struct named named = { .schema = schema, .out = out, .is_clean = true };

    add_typed(&named, type, message, 0);
    return named.is_clean;
}
