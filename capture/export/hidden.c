#include "capture/export/hidden.h"

#include "proxy/base/mem.h"

static void add_piece(void *self, const struct secret_piece *piece)
{
    struct hidden *hidden = self;

    if (hidden->count == hidden->cap) {
        hidden->cap = hidden->cap != 0 ? hidden->cap * 2 : 8;
        hidden->pieces = mem_realloc(hidden->pieces, hidden->cap * sizeof(*hidden->pieces));
    }
    hidden->pieces[hidden->count++] = *piece;
}

void hidden_init(struct hidden *out_hidden, struct secrets *secrets, const struct secret_text *text)
{
    *out_hidden = (struct hidden){ .secrets = secrets, .text = text->text };
    if (secrets != NULL)
        secrets_split(secrets, text, add_piece, out_hidden);
    else
        add_piece(out_hidden, &(struct secret_piece){ .text = text->text });
}

void hidden_init_plain(struct hidden *out_hidden, struct secrets *secrets, struct span text)
{
    hidden_init(out_hidden, secrets, &(struct secret_text){ .kind = SECRET_TEXT_PLAIN, .text = text });
}

void hidden_clear(struct hidden *hidden)
{
    mem_free(hidden->pieces);
    *hidden = (struct hidden){ .pieces = NULL };
}

/* The first piece that reaches into part. */
static size_t first_piece(struct hidden *hidden, struct span part)
{
    if (hidden->cursor >= hidden->count || hidden->pieces[hidden->cursor].text.ptr > part.ptr)
        hidden->cursor = 0;
    while (hidden->cursor < hidden->count &&
           hidden->pieces[hidden->cursor].text.ptr + hidden->pieces[hidden->cursor].text.len <= part.ptr)
        hidden->cursor++;
    return hidden->cursor;
}

/* What of piece lies in part; false: nothing. */
static bool clip(const struct secret_piece *piece, struct span part, struct secret_piece *out_piece)
{
    const char *begin = piece->text.ptr, *end = begin + piece->text.len;

    begin = begin > part.ptr ? begin : part.ptr;
    end = end < part.ptr + part.len ? end : part.ptr + part.len;
    if (begin >= end)
        return false;
    *out_piece = *piece;
    out_piece->text = span_make(begin, (size_t)(end - begin));
    return true;
}

enum hidden_kind hidden_kind_of(struct hidden *hidden, struct span part)
{
    enum hidden_kind kind = HIDDEN_NOTHING;
    struct secret_piece piece;

    for (size_t i = first_piece(hidden, part); i < hidden->count; i++) {
        if (!clip(&hidden->pieces[i], part, &piece))
            break;
        if (piece.secret == NULL)
            continue;
        if (!span_eq(piece.text, secret_value(piece.secret)))
            return HIDDEN_ENCODED;
        kind = HIDDEN_RAW;
    }
    return kind;
}

const struct secret *hidden_whole(struct hidden *hidden, struct span part)
{
    size_t i = first_piece(hidden, part);

    if (i == hidden->count || hidden->pieces[i].text.ptr != part.ptr ||
        hidden->pieces[i].text.len != part.len)
        return NULL;
    return hidden->pieces[i].secret;
}

void hidden_add(struct hidden *hidden, struct span part, void (*add)(struct strbuf *out, struct span bytes),
                struct strbuf *out)
{
    struct secret_piece piece;

    for (size_t i = first_piece(hidden, part); i < hidden->count; i++) {
        if (!clip(&hidden->pieces[i], part, &piece))
            break;
        if (piece.secret != NULL)
            strbuf_printf(out, "{{%s}}", secrets_variable(hidden->secrets, &piece));
        else if (add != NULL)
            add(out, piece.text);
        else
            strbuf_add(out, piece.text);
    }
}

void hidden_add_value(struct secrets *secrets, const struct secret *secret, struct strbuf *out)
{
    struct secret_piece piece = { .text = secret_value(secret), .secret = secret, .form = SECRET_RAW };

    strbuf_printf(out, "{{%s}}", secrets_variable(secrets, &piece));
}
