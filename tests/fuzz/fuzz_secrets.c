/* What kind of text the first byte says, then the text: its pieces are the text, what is told as nothing
 * secret has no value in it, and text without secrets stays as it is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "capture/export/secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct checking {
    const struct secrets *secrets;
    struct strbuf joined;
};

static void check_piece(void *self, const struct secret_piece *piece)
{
    struct checking *checking = self;

    strbuf_add(&checking->joined, piece->text);
    if (piece->secret != NULL)
        return;
    for (size_t i = 0; i < secrets_count(checking->secrets); i++) {
        const struct secret *secret = secrets_at(checking->secrets, i);

        if (secret->is_everywhere &&
            memmem(piece->text.ptr, piece->text.len, secret->ptr, secret->len) != NULL)
            abort();
    }
}

static void check(struct secrets *secrets, const struct secret_text *text)
{
    struct checking checking = { secrets, STRBUF_EMPTY };
    struct strbuf masked = STRBUF_EMPTY;

    secrets_split(secrets, text, check_piece, &checking);
    if (!span_eq(strbuf_span(&checking.joined), text->text))
        abort();
    secrets_replace(secrets, text, SECRET_STYLE_MASK, &masked);
    if (!secrets_are_in(secrets, text) && !span_eq(strbuf_span(&masked), text->text))
        abort();
    strbuf_clear(&checking.joined);
    strbuf_clear(&masked);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const struct span names[] = { SPAN("Cookie"), SPAN("Authorization"), SPAN("Location"),
                                         SPAN("X-Token"), SPAN("multipart/form-data; boundary=B") };
    struct secrets *secrets = secrets_new();
    struct secret_text text = { .kind = SECRET_TEXT_PLAIN };
    struct err err; /* of so small a text there are never too many */

    if (size != 0) {
        text.kind = (enum secret_text_kind)(bytes[0] % (SECRET_TEXT_HTML + 1));
        text.name = names[bytes[0] / 16 % 5];
        text.is_response = bytes[0] >= 128;
        text.text = span_make(bytes + 1, size - 1);
        if (!secrets_add_text(secrets, &text, &err))
            abort();
        secrets_seal(secrets, NULL, NULL);
        check(secrets, &text);
    }
    secrets_free(secrets);
    return 0;
}
