/* Protobuf: any bytes as a message, with names and without, and any bytes as a schema that the same bytes are
 * then shown by. The text keeps to its limit. */
#include <stdint.h>
#include <stdlib.h>

#include "capture/protobuf.h"
#include "tests/support/shop_descriptors.h"

#define MAX_TEXT_BYTES ((size_t)16 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void dump(const struct protobuf_schema *schema, const char *name, struct span message)
{
    const struct protobuf_type *type = protobuf_schema_find(schema, span_of(name));
    struct strbuf out;

    if (type == NULL || type->is_enum)
        return;
    strbuf_init(&out, MAX_TEXT_BYTES);
    protobuf_dump_named(schema, type, message, &out);
    if (out.len > MAX_TEXT_BYTES)
        abort();
    strbuf_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct protobuf_schema *shop;
    struct protobuf_schema *own = NULL;
    struct span message = span_make(data, len);
    struct err err = { 0 };
    struct strbuf out;

    if (shop == NULL && !protobuf_schema_parse(shop_descriptors_span(), &shop, &err))
        abort();
    strbuf_init(&out, MAX_TEXT_BYTES);
    protobuf_dump_wire(message, &out);
    strbuf_clear(&out);
    dump(shop, "shop.Order", message);
    dump(shop, "google.protobuf.Duration", message);
    if (protobuf_schema_parse(message, &own, &err)) {
        dump(own, "shop.Order", message);
        dump(own, "shop.Order", shop_order_span());
        protobuf_schema_free(own);
    }
    return 0;
}
