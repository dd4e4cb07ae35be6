#include <qrencode.h>

#include "tools/qr.h"

#define QUIET_ZONE 4

static bool is_dark(const QRcode *code, int x, int y)
{
    if (x < 0 || y < 0 || x >= code->width || y >= code->width)
        return false;
    return (code->data[y * code->width + x] & 1) != 0;
}

bool qr_add(struct strbuf *out, const char *text)
{
    QRcode *code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);

    if (code == NULL)
        return false;
    for (int y = -QUIET_ZONE; y < code->width + QUIET_ZONE; y += 2) {
        strbuf_add_str(out, "\x1b[30;107m");
        for (int x = -QUIET_ZONE; x < code->width + QUIET_ZONE; x++) {
            bool upper = is_dark(code, x, y), lower = is_dark(code, x, y + 1);
            strbuf_add_str(out, upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ");
        }
        strbuf_add_str(out, "\x1b[0m\n");
    }
    QRcode_free(code);
    return true;
}
