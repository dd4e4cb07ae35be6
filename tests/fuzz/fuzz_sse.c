/* Event streams: whole and in small pieces the same is told. The first byte chooses the pieces. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/message_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct message_script whole = { .kind = SCRIPT_SSE, .max_message_bytes = 16 }, pieces = whole;

    if (len == 0)
        return 0;
    pieces.piece_bytes = 1 + data[0] % 8;
    message_script_run(&whole, span_make(data + 1, len - 1));
    message_script_run(&pieces, span_make(data + 1, len - 1));
    if (!span_eq(strbuf_span(&whole.text), strbuf_span(&pieces.text)))
        abort();
    strbuf_clear(&whole.text);
    strbuf_clear(&pieces.text);
    return 0;
}
