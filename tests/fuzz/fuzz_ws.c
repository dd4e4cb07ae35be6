/* WebSocket frames: whole and in small pieces the same is told, and never more than the limit of a message.
 * The first byte chooses the direction and the extensions. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/message_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const answers[] = { "",
                                           "permessage-deflate",
                                           "permessage-deflate; server_no_context_takeover",
                                           "permessage-deflate; server_max_window_bits=9",
                                           "x-other",
                                           "x-other, permessage-deflate",
                                           "permessage-deflate; client_max_window_bits=8" };
    struct message_script whole = { .kind = SCRIPT_WS, .max_message_bytes = 64 }, pieces;

    if (len == 0)
        return 0;
    whole.direction = data[0] & 1 ? HTTP_RESPONSE : HTTP_REQUEST;
    whole.extensions =
        ws_extensions_parse(span_of(answers[data[0] / 2 % (sizeof answers / sizeof answers[0])]));
    pieces = whole;
    pieces.piece_bytes = 1 + data[0] / 32;
    message_script_run(&whole, span_make(data + 1, len - 1));
    message_script_run(&pieces, span_make(data + 1, len - 1));
    if (!span_eq(strbuf_span(&whole.text), strbuf_span(&pieces.text)))
        abort();
    strbuf_clear(&whole.text);
    strbuf_clear(&pieces.text);
    ws_extensions_parse(span_make(data, len));
    return 0;
}
