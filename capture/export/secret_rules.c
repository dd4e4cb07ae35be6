#include "capture/export/secret_rules.h"

/* A name in lower case without '-', '_', '.', ' ' and what else is no letter or digit. */
#define MAX_NAME 48
struct folded {
    char text[MAX_NAME + 1];
    size_t len;
};

static void fold(struct span name, struct folded *out)
{
    out->len = 0;
    for (size_t i = 0; i < name.len && out->len < MAX_NAME; i++) {
        char c = name.ptr[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out->text[out->len++] = c;
    }
    out->text[out->len] = '\0';
}

enum where { ANYWHERE, WHOLE, AT_END };

static const struct name_rule {
    struct span word;
    enum where where;
    enum secret_kind kind;
} name_rules[] = {
    { SPAN("passw"), ANYWHERE, SECRET_PASSWORD },
    { SPAN("passphrase"), ANYWHERE, SECRET_PASSWORD },
    { SPAN("pwd"), AT_END, SECRET_PASSWORD },
    { SPAN("pass"), WHOLE, SECRET_PASSWORD },
    { SPAN("apikey"), ANYWHERE, SECRET_KEY },
    { SPAN("accesskey"), ANYWHERE, SECRET_KEY },
    { SPAN("privatekey"), ANYWHERE, SECRET_KEY },
    { SPAN("subscriptionkey"), ANYWHERE, SECRET_KEY },
    { SPAN("secretkey"), ANYWHERE, SECRET_KEY },
    { SPAN("key"), WHOLE, SECRET_KEY },
    { SPAN("token"), ANYWHERE, SECRET_TOKEN },
    { SPAN("secret"), ANYWHERE, SECRET_TOKEN },
    { SPAN("session"), ANYWHERE, SECRET_TOKEN },
    { SPAN("signature"), ANYWHERE, SECRET_SIGNATURE },
    { SPAN("sig"), WHOLE, SECRET_SIGNATURE },
    { SPAN("csrf"), ANYWHERE, SECRET_TOKEN },
    { SPAN("xsrf"), ANYWHERE, SECRET_TOKEN },
    { SPAN("clientassertion"), WHOLE, SECRET_TOKEN },
    { SPAN("assertion"), WHOLE, SECRET_TOKEN },
    { SPAN("samlresponse"), WHOLE, SECRET_TOKEN },
    { SPAN("samlrequest"), WHOLE, SECRET_TOKEN },
    { SPAN("authorization"), ANYWHERE, SECRET_TOKEN },
    { SPAN("credential"), ANYWHERE, SECRET_TOKEN },
    { SPAN("credentials"), WHOLE, SECRET_TOKEN },
    { SPAN("jwt"), ANYWHERE, SECRET_TOKEN },
    { SPAN("bearer"), ANYWHERE, SECRET_TOKEN },
    { SPAN("sid"), WHOLE, SECRET_TOKEN },
    { SPAN("sessid"), AT_END, SECRET_TOKEN },
    { SPAN("code"), WHOLE, SECRET_TOKEN },
    { SPAN("codeverifier"), WHOLE, SECRET_TOKEN },
    { SPAN("otp"), AT_END, SECRET_PIN },
    { SPAN("otpcode"), WHOLE, SECRET_PIN },
    { SPAN("mfa"), WHOLE, SECRET_PIN },
    { SPAN("mfacode"), WHOLE, SECRET_PIN },
    { SPAN("totp"), WHOLE, SECRET_PIN },
    { SPAN("pin"), WHOLE, SECRET_PIN },
    { SPAN("pincode"), WHOLE, SECRET_PIN },
    { SPAN("cvv"), WHOLE, SECRET_PIN },
    { SPAN("cvc"), WHOLE, SECRET_PIN },
    { SPAN("securitycode"), WHOLE, SECRET_PIN },
};

/* What a name that speaks of a secret says about it instead of being it. */
static const struct span about[] = {
    SPAN("type"),     SPAN("name"),       SPAN("expires"),   SPAN("expiresin"), SPAN("expiresat"),
    SPAN("expiry"),   SPAN("expiration"), SPAN("expired"),   SPAN("count"),     SPAN("limit"),
    SPAN("length"),   SPAN("url"),        SPAN("uri"),       SPAN("endpoint"),  SPAN("algorithm"),
    SPAN("method"),   SPAN("alg"),        SPAN("version"),   SPAN("enabled"),   SPAN("required"),
    SPAN("ttl"),      SPAN("lifetime"),   SPAN("field"),     SPAN("policy"),    SPAN("status"),
    SPAN("duration"), SPAN("timeout"),    SPAN("hint"),      SPAN("label"),     SPAN("placeholder"),
    SPAN("strength"), SPAN("createdat"),  SPAN("updatedat"), SPAN("issuedat"),  SPAN("scope"),
    SPAN("scopes"),   SPAN("usage"),      SPAN("tokens"),    SPAN("message"),   SPAN("error"),
    SPAN("headers"),  SPAN("maxage"),     SPAN("rules"),     SPAN("supported"),
};

static bool is_beginning(const struct folded *name, size_t at, const struct name_rule *rule)
{
    size_t len = rule->word.len;

    return name->len - at >= len && memcmp(name->text + at, rule->word.ptr, len) == 0 &&
           (rule->where == ANYWHERE || (at + len == name->len && (rule->where == AT_END || at == 0)));
}

#define L(letter) (1u << ((letter) - 'a'))

/* The first rule that takes the name. Every leaf of every body comes here, and most names have no two letters
 * that a word begins with. */
static const struct name_rule *find_rule(const struct folded *name)
{
    static const uint32_t seconds[256] = { /* of each first letter of a word */
                                           ['a'] = L('p') | L('c') | L('s') | L('u'),
                                           ['b'] = L('e'),
                                           ['c'] = L('s') | L('l') | L('r') | L('o') | L('v'),
                                           ['j'] = L('w'),
                                           ['k'] = L('e'),
                                           ['m'] = L('f'),
                                           ['o'] = L('t'),
                                           ['p'] = L('a') | L('w') | L('r') | L('i'),
                                           ['s'] = L('u') | L('e') | L('i') | L('a'),
                                           ['t'] = L('o'),
                                           ['x'] = L('s')
    };
    const size_t count = sizeof(name_rules) / sizeof(name_rules[0]);
    size_t best = count;

    for (size_t at = 0; at + 1 < name->len; at++) {
        char second = name->text[at + 1];

        if (second < 'a' || (seconds[(unsigned char)name->text[at]] & L(second)) == 0)
            continue;
        for (size_t i = 0; i < best; i++)
            if (name_rules[i].word.ptr[0] == name->text[at] && is_beginning(name, at, &name_rules[i]))
                best = i;
    }
    return best < count ? &name_rules[best] : NULL;
}

static bool is_about(const struct folded *name)
{
    for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
        if (span_ends(span_make(name->text, name->len), about[i]))
            return true;
    return false;
}

/* What stands beside a pair: a form of many codes is not searched whole for each. */
#define BESIDE_BYTES 2048

static struct span beside(struct span text, struct span leaf)
{
    size_t at = leaf.ptr >= text.ptr && leaf.ptr < text.ptr + text.len ? (size_t)(leaf.ptr - text.ptr) : 0;
    size_t begin = at > BESIDE_BYTES ? at - BESIDE_BYTES : 0;
    size_t end = text.len - at > BESIDE_BYTES ? at + BESIDE_BYTES : text.len;

    return span_sub(text, begin, end - begin);
}

static bool has(struct span text, struct span word)
{
    return memmem(text.ptr, text.len, word.ptr, word.len) != NULL;
}

/* "code" is a secret of OAuth (RFC 6749 §4.1.2), and everybody's word for a country, a coupon, an error. */
static bool is_grant(const struct secret_text *text, const struct secret_leaf *leaf)
{
    struct span near = beside(text->text, leaf->spelled);

    return leaf->place == SECRET_PLACE_PAIR && leaf->value.len >= 6 &&
           (text->kind == SECRET_TEXT_FIELD || text->record == NULL || has(near, SPAN("state=")) ||
            has(near, SPAN("grant_type=")) || has(text->record->path, SPAN("callback")));
}

/* --- how far ------------------------------------------------------------------------------------------- */

enum class { LOWER = 1, UPPER = 2, DIGIT = 4, OTHER = 8 };

static unsigned classes_of(struct span value)
{
    unsigned classes = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        classes |= c >= 'a' && c <= 'z'   ? LOWER
                   : c >= 'A' && c <= 'Z' ? UPPER
                   : c >= '0' && c <= '9' ? DIGIT
                                          : OTHER;
    }
    return classes;
}

/* Also what stands for a secret already, in a session that was imported. */
static bool is_trivial(struct span value)
{
    static const char *const words[] = { "true", "false", "null", "undefined", "none",
                                         "0",    "1",     "yes",  "no",        "nil" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (span_ieq(value, span_of(words[i])))
            return true;
    return value.len == 0 || span_starts(value, SPAN("REDACTED_")) ||
           (span_starts(value, SPAN("{{")) && span_ends(value, SPAN("}}")));
}

static bool is_made_of(struct span value, const char *letters, bool with_digits, bool with_letters)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool is_digit = c >= '0' && c <= '9', is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!(is_digit && with_digits) && !(is_letter && with_letters) &&
            (c == '\0' || strchr(letters, c) == NULL))
            return false;
    }
    return true;
}

/* Text that a document is full of anyway: URLs, paths, hosts, dates, numbers, words. */
static bool is_ordinary(struct span value, const struct record *record)
{
    unsigned char c = (unsigned char)value.ptr[0];

    if (memmem(value.ptr, value.len, "://", 3) != NULL || c == '/')
        return true;
    if (record != NULL && record->host.len != 0 && span_ends(record->host, value))
        return true;
    if (is_made_of(value, "-:/.,+TZ ", true, false) && value.len <= 32 && (classes_of(value) & OTHER) != 0)
        return true;                                                     /* dates, times, versions, prices */
    return is_made_of(value, "-_.,;=/ ", false, true) && value.len < 32; /* words, locales, media types */
}

static enum secret_reach reach_of(struct span value, enum secret_kind kind, const struct record *record)
{
    unsigned classes = classes_of(value);
    bool is_sure =
        kind == SECRET_PASSWORD || kind == SECRET_BEARER || kind == SECRET_BASIC || kind == SECRET_KEY;
    bool is_one = (classes & (classes - 1)) == 0;

    if (value.len < (kind == SECRET_PASSWORD ? 6 : 8))
        return SECRET_HERE;
    if (is_one)
        return value.len >= (is_sure || classes == DIGIT ? 12 : 20) ? SECRET_EVERYWHERE : SECRET_HERE;
    if (is_sure && (classes & (DIGIT | OTHER)) != 0 && (classes & (LOWER | UPPER)) != 0 &&
        memmem(value.ptr, value.len, "://", 3) == NULL && value.ptr[0] != '/')
        return SECRET_EVERYWHERE;
    return is_ordinary(value, record) ? SECRET_HERE : SECRET_EVERYWHERE;
}

static bool judge_auth(const struct secret_leaf *leaf, enum secret_kind *out_kind)
{
    *out_kind = span_ieq(leaf->name, SPAN("Basic"))    ? SECRET_BASIC
                : span_ieq(leaf->name, SPAN("Bearer")) ? SECRET_BEARER
                                                       : SECRET_TOKEN;
    return leaf->value.len != 0;
}

static bool judge_name(const struct secret_text *text, const struct secret_leaf *leaf,
                       enum secret_kind *out_kind)
{
    const struct name_rule *rule;
    struct folded name;

    fold(leaf->name, &name);
    rule = find_rule(&name);
    if (rule == NULL || is_about(&name))
        return false;
    *out_kind = rule->kind;
    if (leaf->place == SECRET_PLACE_FIELD && rule->where == WHOLE && rule->kind == SECRET_KEY)
        return false; /* "Key: value" is no way to send one */
    if (span_eq(rule->word, SPAN("code")))
        return is_grant(text, leaf);
    if (rule->where == WHOLE && rule->kind == SECRET_KEY) /* of a map, an object, an i18n text; of an API? */
        return leaf->place == SECRET_PLACE_PAIR && leaf->value.len >= 16;
    if (leaf->place == SECRET_PLACE_NUMBER)
        return rule->kind == SECRET_PIN || rule->kind == SECRET_PASSWORD;
    return !text->is_response || leaf->place == SECRET_PLACE_COOKIE ||
           span_find(leaf->value, ' ') == leaf->value.len;
}

enum secret_reach secret_rules_judge(const struct secret_text *text, const struct secret_leaf *leaf,
                                     enum secret_kind *out_kind)
{
    bool is_secret;

    if (leaf->place == SECRET_PLACE_COOKIE) {
        *out_kind = SECRET_COOKIE;
        is_secret = true;
    } else if (leaf->place == SECRET_PLACE_AUTH) {
        is_secret = judge_auth(leaf, out_kind);
    } else {
        is_secret = judge_name(text, leaf, out_kind);
    }
    return is_secret && !is_trivial(leaf->value) ? reach_of(leaf->value, *out_kind, text->record)
                                                 : SECRET_NOT;
}

/* --- by what it looks like ----------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token_char(char c)
{
    return is_word(c) || c == '_' || c == '-';
}

static size_t run(struct span text, bool (*is)(char c))
{
    size_t len = 0;

    while (len < text.len && is(text.ptr[len]))
        len++;
    return len;
}

/* Three parts of base64url, of which the first two are JSON objects: '{"' is "eyJ". The signature may be
 * empty (RFC 7519 §6). */
static size_t jwt_len(struct span text)
{
    size_t head = run(text, is_token_char), claims, signature;

    if (!span_starts(text, SPAN("eyJ")) || head < 16 || head == text.len || text.ptr[head] != '.')
        return 0;
    claims = run(span_from(text, head + 1), is_token_char);
    if (claims < 4 || head + 1 + claims >= text.len || text.ptr[head + 1 + claims] != '.')
        return 0;
    signature = run(span_from(text, head + claims + 2), is_token_char);
    return signature >= 16 || (signature == 0 && span_starts(span_from(text, head + 1), SPAN("eyJ")))
               ? head + claims + 2 + signature
               : 0;
}

static size_t pem_len(struct span text)
{
    static const char begin[] = "-----BEGIN ", key[] = "PRIVATE KEY";
    const char *label, *end;

    if (!span_starts(text, SPAN("-----BEGIN ")))
        return 0;
    label = memmem(text.ptr, text.len < 64 ? text.len : 64, key, sizeof key - 1);
    if (label == NULL)
        return 0;
    text.len = text.len < 16384 ? text.len : 16384;
    end = memmem(text.ptr, text.len, "-----END ", 9);
    if (end == NULL)
        return text.len > sizeof begin ? text.len : 0; /* cut off: as far as it goes */
    end = memmem(end + 9, text.len - (size_t)(end + 9 - text.ptr), "-----", 5);
    return end != NULL ? (size_t)(end + 5 - text.ptr) : text.len;
}

static const struct prefix_rule {
    struct span prefix;
    size_t least; /* characters that follow */
    const char *name;
} prefixes[] = {
    { SPAN("AKIA"), 16, "AwsKeyId" },
    { SPAN("ASIA"), 16, "AwsKeyId" },
    { SPAN("ghp_"), 30, "GithubToken" },
    { SPAN("gho_"), 30, "GithubToken" },
    { SPAN("ghu_"), 30, "GithubToken" },
    { SPAN("ghs_"), 30, "GithubToken" },
    { SPAN("ghr_"), 30, "GithubToken" },
    { SPAN("github_pat_"), 30, "GithubToken" },
    { SPAN("glpat-"), 16, "GitlabToken" },
    { SPAN("xoxa-"), 10, "SlackToken" },
    { SPAN("xoxb-"), 10, "SlackToken" },
    { SPAN("xoxp-"), 10, "SlackToken" },
    { SPAN("xoxr-"), 10, "SlackToken" },
    { SPAN("xoxs-"), 10, "SlackToken" },
    { SPAN("sk_live_"), 16, "StripeKey" },
    { SPAN("rk_live_"), 16, "StripeKey" },
    { SPAN("sk_test_"), 16, "StripeKey" },
    { SPAN("sk-"), 20, "ApiKey" },
    { SPAN("AIza"), 30, "GoogleKey" },
    { SPAN("PMAK-"), 24, "PostmanKey" },
    { SPAN("shpat_"), 24, "ShopifyToken" },
    { SPAN("npm_"), 30, "NpmToken" },
    { SPAN("dop_v1_"), 32, "DigitaloceanToken" },
    { SPAN("ya29."), 20, "GoogleToken" },
    { SPAN("SG."), 30, "SendgridKey" },
};

static bool is_dotted_char(char c)
{
    return is_token_char(c) || c == '.';
}

/* A word alone does not make "sk-" a key: there is a digit, or both cases. */
static size_t prefix_len(struct span text, const char **out_name)
{
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        const struct prefix_rule *rule = &prefixes[i];
        struct span rest;
        size_t len;

        if (text.ptr[0] != rule->prefix.ptr[0] || !span_starts(text, rule->prefix))
            continue;
        rest = span_from(text, rule->prefix.len);
        len = run(rest, rule->prefix.ptr[rule->prefix.len - 1] == '.' ? is_dotted_char : is_token_char);
        if (len < rule->least || (classes_of(span_sub(rest, 0, len)) & DIGIT) == 0)
            continue;
        *out_name = rule->name;
        return rule->prefix.len + len;
    }
    return 0;
}

static bool check_digit_fits(const char *digits, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0');

        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* The lengths that the big issuers use for their ranges. 13 digits are bar codes by now; 19 in one piece are
 * an id of some social network. */
static bool is_issued(const char *d, size_t count, bool is_grouped)
{
    unsigned two = (unsigned)(d[0] - '0') * 10 + (unsigned)(d[1] - '0');
    unsigned four = two * 100 + (unsigned)(d[2] - '0') * 10 + (unsigned)(d[3] - '0');

    switch (count) {
    case 14:
        return two == 36 || two == 38 || (four >= 3000 && four <= 3059);
    case 15:
        return two == 34 || two == 37;
    case 16:
        return d[0] == '4' || (two >= 51 && two <= 55) || (four >= 2221 && four <= 2720) || four == 6011 ||
               two == 65 || (four >= 3528 && four <= 3589) || two == 62;
    default:
        return count == 19 && is_grouped && (d[0] == '4' || two == 62);
    }
}

/* In one piece, or in groups as it stands on the card: blanks or hyphens, always the same, after each four
 * digits (American Express: after 4 and 10). before: the two characters in front. */
static size_t card_len(struct span text, char before, char before_that)
{
    char digits[19], separator = '\0';
    size_t count = 0, at = 0, group = 0;

    if (is_word(before) || before == '_' || ((before == '.' || before == '-') && is_word(before_that)))
        return 0;
    for (; at < text.len; at++) {
        char c = text.ptr[at];

        if (c >= '0' && c <= '9') {
            if (count == sizeof digits)
                return 0;
            digits[count++] = c;
            group++;
            continue;
        }
        if ((c != ' ' && c != '-') || at + 1 >= text.len || text.ptr[at + 1] < '0' || text.ptr[at + 1] > '9')
            break;
        if ((separator != '\0' && separator != c) || (count < 4) || (group != 4 && group != 6))
            break;
        separator = c;
        group = 0;
    }
    if (at < text.len &&
        (is_word(text.ptr[at]) || text.ptr[at] == '_' ||
         ((text.ptr[at] == '.' || text.ptr[at] == '-') && at + 1 < text.len && is_word(text.ptr[at + 1]))))
        return 0;
    return count >= 13 && is_issued(digits, count, separator != '\0') && check_digit_fits(digits, count) ? at
                                                                                                         : 0;
}

/* The next place at or after at whose two bytes begin anything that is looked for; text.len: there is none.
 * Of each first byte, or the digits, a bit for the bytes that may follow; of it as a first one the same bit,
 * 16 higher. All bodies come through here. */
static size_t next_possible(struct span text, size_t at)
{
    enum { E = 1, DASH = 2, DIGITS = 4, A = 8, G = 16, X = 32, S = 64, R = 128 };
    enum { P = 256, N = 512, Y = 1024, D = 2048, BIG_S = 4096 };
    static const uint32_t bits[256] = {
        ['-'] = DASH << 16 | DASH,
        ['0'] = DIGITS,
        ['1'] = DIGITS,
        ['2'] = DIGITS << 16 | DIGITS,
        ['3'] = DIGITS << 16 | DIGITS,
        ['4'] = DIGITS << 16 | DIGITS,
        ['5'] = DIGITS << 16 | DIGITS,
        ['6'] = DIGITS << 16 | DIGITS,
        ['7'] = DIGITS,
        ['8'] = DIGITS,
        ['9'] = DIGITS,
        ['A'] = A << 16,
        ['G'] = BIG_S,
        ['I'] = A,
        ['K'] = A,
        ['M'] = P,
        ['P'] = P << 16,
        ['S'] = BIG_S << 16 | A,
        ['a'] = Y,
        ['d'] = D << 16,
        ['e'] = E << 16,
        ['g'] = G << 16,
        ['h'] = G | S,
        ['i'] = G,
        ['k'] = S | R,
        ['l'] = G,
        ['n'] = N << 16,
        ['o'] = X | D,
        ['p'] = N,
        ['r'] = R << 16,
        ['s'] = S << 16,
        ['x'] = X << 16,
        ['y'] = Y << 16 | E,
    };
    const unsigned char *bytes = (const unsigned char *)text.ptr;

    for (; at + 5 <= text.len; at += 4) {
        uint32_t a = bits[bytes[at]], b = bits[bytes[at + 1]], c = bits[bytes[at + 2]];
        uint32_t d = bits[bytes[at + 3]], e = bits[bytes[at + 4]];

        if (((a >> 16 & b) | (b >> 16 & c) | (c >> 16 & d) | (d >> 16 & e)) != 0)
            break;
    }
    for (; at + 1 < text.len; at++)
        if ((bits[bytes[at]] >> 16 & bits[bytes[at + 1]]) != 0)
            return at;
    return text.len;
}

bool secret_rules_look(struct span text, size_t from, struct secret_look *out_look)
{
    for (size_t at = next_possible(text, from); at < text.len; at = next_possible(text, at + 1)) {
        char c = text.ptr[at], before = at != 0 ? text.ptr[at - 1] : ' ';
        struct span rest;
        const char *name = NULL;
        enum secret_kind kind = SECRET_TOKEN;
        size_t len = 0;

        /* An escape ends in a letter: "\nghp_..." */
        if (is_word(before) &&
            !(at >= 2 && (text.ptr[at - 2] == '\\' || (at >= 3 && text.ptr[at - 3] == '%'))))
            continue;
        rest = span_from(text, at);
        if (c == 'e') {
            len = jwt_len(rest);
            kind = SECRET_JWT;
            name = "Jwt";
        } else if (c == '-') {
            len = pem_len(rest);
            kind = SECRET_PRIVATE_KEY;
            name = "PrivateKey";
        } else if (c >= '2' && c <= '6') {
            len = card_len(rest, before, at > 1 ? text.ptr[at - 2] : ' ');
            kind = SECRET_CARD;
            name = "CardNumber";
        } else {
            len = prefix_len(rest, &name);
        }
        if (len != 0) {
            *out_look = (struct secret_look){ .text = span_sub(rest, 0, len), .kind = kind, .name = name };
            return true;
        }
    }
    return false;
}
