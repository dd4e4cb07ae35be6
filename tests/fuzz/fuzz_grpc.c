/* gRPC messages: whole and in small pieces the same is told. The first byte chooses the form and the
 * encoding. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/message_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const encodings[] = { "", "gzip", "deflate", "identity", "snappy" };
    struct message_script whole = { .kind = SCRIPT_GRPC, .max_message_bytes = 64 }, pieces;

    if (len == 0)
        return 0;
    whole.form = (enum grpc_form)(data[0] % 3);
    whole.encoding = span_of(encodings[data[0] / 3 % (sizeof encodings / sizeof encodings[0])]);
    pieces = whole;
    pieces.piece_bytes = 1 + data[0] / 32;
    message_script_run(&whole, span_make(data + 1, len - 1));
    message_script_run(&pieces, span_make(data + 1, len - 1));
    if (!span_eq(strbuf_span(&whole.text), strbuf_span(&pieces.text)))
        abort();
    strbuf_clear(&whole.text);
    strbuf_clear(&pieces.text);
    return 0;
}
