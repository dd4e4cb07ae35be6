#include "proxy/http/headers.h"

#include "proxy/base/mem.h"
#include "proxy/base/plain.h"
#include "proxy/http/token.h"

/* Most heads fit into these, so that they cost one allocation each. */
#define FIRST_BLOCK_BYTES 1024
#define FIRST_COUNT       16

/* Offsets are 32 bits, names 16. */
#define MAX_BLOCK_BYTES ((size_t)INT32_MAX) /* half of what fits, so that no sum has to be looked at */
#define MAX_NAME_BYTES  ((size_t)UINT16_MAX)

void headers_init(struct headers *headers, size_t max_count, size_t max_bytes)
{
    *headers = (struct headers){ .max_count = max_count, .max_bytes = max_bytes };
}

void headers_clear(struct headers *headers)
{
    mem_free(headers->block);
    mem_free(headers->items);
    headers_init(headers, headers->max_count, headers->max_bytes);
}

static bool check_bytes(const struct headers *headers, size_t more, struct err *err)
{
    if (headers->max_bytes != 0 && more > headers->max_bytes - headers->bytes)
        return err_set(err, ERR_LIMIT, "header fields of more than %zu bytes", headers->max_bytes);
    if (more > MAX_BLOCK_BYTES - headers->block_len)
        return err_set(err, ERR_LIMIT, "header fields of more than %zu bytes", MAX_BLOCK_BYTES);
    return true;
}

static void grow_block(struct headers *headers, size_t more)
{
    size_t need = headers->block_len + more;
    size_t cap = headers->block_cap != 0 ? headers->block_cap * 2 : FIRST_BLOCK_BYTES;

    if (need <= headers->block_cap)
        return;
    headers->block_cap = cap < need ? need : cap;
    headers->block = mem_realloc(headers->block, headers->block_cap);
}

static struct header *add_item(struct headers *headers)
{
    if (headers->count == headers->cap) {
        headers->cap = headers->cap != 0 ? headers->cap * 2 : FIRST_COUNT;
        headers->items = mem_realloc(headers->items, headers->cap * sizeof *headers->items);
    }
    return &headers->items[headers->count++];
}

static void append(struct headers *headers, struct span bytes)
{
    if (bytes.len != 0)
        memcpy(headers->block + headers->block_len, bytes.ptr, bytes.len);
    headers->block_len += bytes.len;
}

/* Room for a line of len bytes and its ending, all limits looked at. */
static bool begin_line(struct headers *headers, size_t len, size_t name_len, struct err *err)
{
    if (headers->max_count != 0 && headers->count >= headers->max_count)
        return err_set(err, ERR_LIMIT, "more than %zu header fields", headers->max_count);
    if (name_len > MAX_NAME_BYTES)
        return err_set(err, ERR_LIMIT, "a header name of more than %zu bytes", MAX_NAME_BYTES);
    if (!check_bytes(headers, len, err))
        return false;
    grow_block(headers, len + 2);
    return true;
}

/* The line that stands at the block's end since line_off becomes a field. */
static void end_line(struct headers *headers, size_t line_off, size_t name_len, size_t value_off,
                     size_t value_len)
{
    struct header *item = add_item(headers);

    *item = (struct header){ .line_off = (uint32_t)line_off,
                             .line_len = (uint32_t)(headers->block_len - line_off),
                             .value_off = (uint32_t)(line_off + value_off),
                             .value_len = (uint32_t)value_len,
                             .name_len = (uint16_t)name_len,
                             .is_plain = plain_is_all(
                                 span_make(headers->block + line_off, headers->block_len - line_off)) };
    headers->names |= headers_name_bit(span_make(headers->block + line_off, name_len));
    headers->bytes += item->line_len;
    append(headers, SPAN("\r\n"));
}

bool headers_add_line(struct headers *headers, struct span line, size_t name_len, size_t value_off,
                      size_t value_len, struct err *err)
{
    size_t line_off = headers->block_len;

    if (!begin_line(headers, line.len, name_len, err))
        return false;
    append(headers, line);
    end_line(headers, line_off, name_len, value_off, value_len);
    return true;
}

bool headers_extend_last(struct headers *headers, struct span more, struct err *err)
{
    struct header *last = &headers->items[headers->count - 1];
    struct span value;

    if (!check_bytes(headers, more.len + 1, err))
        return false;
    grow_block(headers, more.len + 1);
    headers->block_len -= 2; /* over the line's ending, which comes again behind what is added */
    append(headers, SPAN(" "));
    append(headers, more);
    headers->bytes += more.len + 1;
    last->line_len = (uint32_t)(headers->block_len - last->line_off);
    value = span_trim(span_make(headers->block + last->value_off, headers->block_len - last->value_off));
    last->value_off = (uint32_t)(value.ptr - headers->block);
    last->value_len = (uint32_t)value.len;
    last->is_plain = last->is_plain && plain_is_all(more);
    append(headers, SPAN("\r\n"));
    return true;
}

/* NUL counts as one: some take it for the end. */
static bool has_line_break(struct span value)
{
    return span_find(value, '\r') < value.len || span_find(value, '\n') < value.len ||
           span_find(value, '\0') < value.len;
}

bool headers_add(struct headers *headers, struct span name, struct span value, struct err *err)
{
    size_t line_off = headers->block_len;

    if (!token_is_valid(name))
        return err_set(err, ERR_PROTO, "'%.*s' is not a header name", SPAN_ARG(name));
    if (!plain_is_all(value) && has_line_break(value))
        return err_set(err, ERR_PROTO, "NUL, CR or LF in the value of '%.*s'", SPAN_ARG(name));
    value = span_trim(value);
    if (!begin_line(headers, name.len + 2 + value.len, name.len, err))
        return false;
    append(headers, name);
    append(headers, SPAN(": "));
    append(headers, value);
    end_line(headers, line_off, name.len, name.len + 2, value.len);
    return true;
}

bool headers_find(const struct headers *headers, struct span name, struct span *out_value)
{
    size_t i = headers_next(headers, name, 0);

    if (i == headers->count)
        return false;
    *out_value = headers_value(headers, i);
    return true;
}

size_t headers_seek(const struct headers *headers, struct span name, size_t from)
{
    size_t i;

    for (i = from; i < headers->count; i++) {
        const struct header *item = &headers->items[i];
        if (item->name_len == name.len && ((headers->block[item->line_off] ^ name.ptr[0]) & 0xdf) == 0 &&
            span_ieq(headers_name(headers, i), name))
            break;
    }
    return i;
}

bool headers_has_token(const struct headers *headers, struct span name, struct span token)
{
    for (size_t i = headers_next(headers, name, 0); i < headers->count;
         i = headers_next(headers, name, i + 1)) {
        struct span list = headers_value(headers, i);
        struct span element;
        while (token_next(&list, &element)) {
            if (span_ieq(element, token))
                return true;
        }
    }
    return false;
}
