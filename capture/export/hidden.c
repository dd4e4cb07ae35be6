#include "capture/export/hidden.h"

#include "proxy/base/mem.h"

static void push(struct hidden *hidden, const struct hidden_piece *piece)
{
    if (hidden->count == hidden->cap) {
        hidden->cap = hidden->cap != 0 ? hidden->cap * 2 : 8;
        hidden->pieces = mem_realloc(hidden->pieces, hidden->cap * sizeof(*hidden->pieces));
    }
    hidden->pieces[hidden->count++] = *piece;
}

static void add_piece(void *self, const struct secret_piece *piece)
{
    push(self, &(struct hidden_piece){ .piece = *piece });
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
    if (hidden->cursor >= hidden->count || hidden->pieces[hidden->cursor].piece.text.ptr > part.ptr)
        hidden->cursor = 0;
    while (hidden->cursor < hidden->count &&
           hidden->pieces[hidden->cursor].piece.text.ptr + hidden->pieces[hidden->cursor].piece.text.len <=
               part.ptr)
        hidden->cursor++;
    return hidden->cursor;
}

/* What of piece lies in part; false: nothing. */
static bool clip(const struct hidden_piece *piece, struct span part, struct hidden_piece *out_piece)
{
    const char *begin = piece->piece.text.ptr, *end = begin + piece->piece.text.len;

    begin = begin > part.ptr ? begin : part.ptr;
    end = end < part.ptr + part.len ? end : part.ptr + part.len;
    if (begin >= end)
        return false;
    *out_piece = *piece;
    out_piece->piece.text = span_make(begin, (size_t)(end - begin));
    return true;
}

static bool is_variable(const struct hidden_piece *piece)
{
    return piece->variable != NULL || piece->piece.secret != NULL;
}

/* The pieces within part become one. */
void hidden_put(struct hidden *hidden, struct span part, const struct hidden_variable *variable)
{
    struct hidden before = *hidden;
    const char *end = part.ptr + part.len;
    struct hidden_piece clipped;

    for (size_t i = first_piece(hidden, part); i < hidden->count && hidden->pieces[i].piece.text.ptr < end;
         i++)
        if (is_variable(&hidden->pieces[i]) && clip(&hidden->pieces[i], part, &clipped) &&
            clipped.piece.text.len != hidden->pieces[i].piece.text.len)
            return;
    hidden->pieces = NULL;
    hidden->count = hidden->cap = hidden->cursor = 0;
    for (size_t i = 0; i < before.count; i++)
        if (clip(&before.pieces[i], span_make(hidden->text.ptr, (size_t)(part.ptr - hidden->text.ptr)),
                 &clipped))
            push(hidden, &clipped);
    push(hidden, &(struct hidden_piece){ .piece = { .text = part }, .variable = variable });
    for (size_t i = 0; i < before.count; i++)
        if (clip(&before.pieces[i], span_make(end, (size_t)(hidden->text.ptr + hidden->text.len - end)),
                 &clipped))
            push(hidden, &clipped);
    mem_free(before.pieces);
}

/* Whether what stands there is the value of its variable, unchanged by any encoding. */
static bool is_raw(const struct hidden_piece *piece)
{
    return piece->variable != NULL ? strcmp(piece->variable->spelling, piece->variable->value) == 0
                                   : span_eq(piece->piece.text, secret_value(piece->piece.secret));
}

enum hidden_kind hidden_kind_of(struct hidden *hidden, struct span part)
{
    enum hidden_kind kind = HIDDEN_NOTHING;
    struct hidden_piece piece;

    for (size_t i = first_piece(hidden, part); i < hidden->count; i++) {
        if (!clip(&hidden->pieces[i], part, &piece))
            break;
        if (!is_variable(&piece))
            continue;
        if (!is_raw(&piece))
            return HIDDEN_ENCODED;
        kind = HIDDEN_RAW;
    }
    return kind;
}

/* NULL: part is no piece, or more than one. */
static const struct hidden_piece *piece_of(struct hidden *hidden, struct span part)
{
    size_t i = first_piece(hidden, part);

    if (i == hidden->count || hidden->pieces[i].piece.text.ptr != part.ptr ||
        hidden->pieces[i].piece.text.len != part.len)
        return NULL;
    return &hidden->pieces[i];
}

bool hidden_is_whole(struct hidden *hidden, struct span part, struct span value)
{
    const struct hidden_piece *piece = piece_of(hidden, part);

    if (piece == NULL || !is_variable(piece))
        return false;
    return piece->variable != NULL || span_eq(secret_value(piece->piece.secret), value);
}

void hidden_add_whole(struct hidden *hidden, struct span part, struct strbuf *out)
{
    const struct hidden_piece *piece = piece_of(hidden, part);

    if (piece->variable != NULL)
        strbuf_printf(out, "{{%s}}", piece->variable->value);
    else
        hidden_add_value(hidden->secrets, piece->piece.secret, out);
}

void hidden_add(struct hidden *hidden, struct span part, void (*add)(struct strbuf *out, struct span bytes),
                struct strbuf *out)
{
    struct hidden_piece piece;

    for (size_t i = first_piece(hidden, part); i < hidden->count; i++) {
        if (!clip(&hidden->pieces[i], part, &piece))
            break;
        if (piece.variable != NULL)
            strbuf_printf(out, "{{%s}}", piece.variable->spelling);
        else if (piece.piece.secret != NULL)
            strbuf_printf(out, "{{%s}}", secrets_variable(hidden->secrets, &piece.piece));
        else if (add != NULL)
            add(out, piece.piece.text);
        else
            strbuf_add(out, piece.piece.text);
    }
}

void hidden_add_value(struct secrets *secrets, const struct secret *secret, struct strbuf *out)
{
    struct secret_piece piece = { .text = secret_value(secret), .secret = secret, .form = SECRET_RAW };

    strbuf_printf(out, "{{%s}}", secrets_variable(secrets, &piece));
}
