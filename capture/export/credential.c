#include "capture/export/credential.h"

#include <xxhash.h>

#include "capture/export/hidden.h"
#include "capture/export/links.h"
#include "capture/export/text.h"
#include "proxy/base/base64.h"
#include "proxy/base/mem.h"

/* A shorter value of "?key=" is a word, not a key. */
#define MIN_KEY_BYTES 12

static struct strbuf *attribute(struct credential *credential, const char *key)
{
    credential->attributes[credential->count].key = key;
    return &credential->attributes[credential->count++].value;
}

static void add_plain(struct credential *credential, const char *key, struct secrets *secrets,
                      struct span value)
{
    struct hidden hidden;

    hidden_init_plain(&hidden, secrets, value);
    hidden_add(&hidden, value, text_add_bytes, attribute(credential, key));
    hidden_clear(&hidden);
}

/* --- the schemes of Authorization ---------------------------------------------------------------------- */

struct authorization {
    const struct record *record;
    struct secrets *secrets;
    struct hidden hidden; /* of the field's value */
    struct span value;    /* what follows the scheme */
};

static bool make_bearer(struct credential *credential, struct authorization *from)
{
    credential->kind = CREDENTIAL_BEARER;
    hidden_add(&from->hidden, from->value, text_add_bytes, attribute(credential, "token"));
    return true;
}

static bool make_basic(struct credential *credential, struct authorization *from)
{
    struct strbuf pair = STRBUF_EMPTY, again = STRBUF_EMPTY;
    const struct secret *secret;
    struct span text, password;
    size_t colon;
    bool ok = base64_read(&pair, from->value);

    text = strbuf_span(&pair);
    colon = span_find(text, ':');
    if (ok)
        base64_add(&again, text);
    /* Only what a client makes in the same way again. */
    ok = ok && colon < text.len && utf8_is_valid(text) && span_eq(strbuf_span(&again), from->value);
    if (ok) {
        credential->kind = CREDENTIAL_BASIC;
        add_plain(credential, "username", from->secrets, span_sub(text, 0, colon));
        password = span_from(text, colon + 1);
        secret = from->secrets != NULL ? secrets_find(from->secrets, password) : NULL;
        if (secret != NULL)
            hidden_add_value(from->secrets, secret, attribute(credential, "password"));
        else
            add_plain(credential, "password", from->secrets, password);
    }
    strbuf_clear(&pair);
    strbuf_clear(&again);
    return ok;
}

/* The value of name=value in a list with commas; quotes are taken off. */
static bool find_parameter(struct span list, struct span name, struct span *out_value)
{
    struct span rest = list, one;

    while (span_split(&rest, ',', &one)) {
        size_t equals;

        one = span_trim(one);
        equals = span_find(one, '=');
        if (equals == one.len || !span_ieq(span_trim(span_sub(one, 0, equals)), name))
            continue;
        one = span_trim(span_from(one, equals + 1));
        if (one.len >= 2 && one.ptr[0] == '"' && one.ptr[one.len - 1] == '"')
            one = span_sub(one, 1, one.len - 2);
        *out_value = one;
        return true;
    }
    return false;
}

static bool make_aws(struct credential *credential, struct authorization *from)
{
    struct span scope, token, parts[5];
    size_t count = 0;

    if (!find_parameter(from->value, SPAN("Credential"), &scope))
        return false;
    while (count < 5 && span_split(&scope, '/', &parts[count]))
        count++;
    if (count != 5)
        return false;
    credential->kind = CREDENTIAL_AWS;
    add_plain(credential, "accessKey", from->secrets, parts[0]);
    strbuf_add_str(attribute(credential, "secretKey"), "{{" CREDENTIAL_AWS_VARIABLE "}}");
    add_plain(credential, "region", from->secrets, parts[2]);
    add_plain(credential, "service", from->secrets, parts[3]);
    if (record_find(&from->record->request_headers, SPAN("X-Amz-Security-Token"), &token))
        add_plain(credential, "sessionToken", from->secrets, token);
    credential->note =
        "A request is signed when it is sent: `" CREDENTIAL_AWS_VARIABLE "` has to be filled in.";
    return true;
}

static bool make_digest(struct credential *credential, struct authorization *from)
{
    struct span value;

    if (!find_parameter(from->value, SPAN("username"), &value))
        return false;
    credential->kind = CREDENTIAL_DIGEST;
    add_plain(credential, "username", from->secrets, value);
    strbuf_add_str(attribute(credential, "password"), "{{" CREDENTIAL_DIGEST_VARIABLE "}}");
    if (find_parameter(from->value, SPAN("realm"), &value))
        add_plain(credential, "realm", from->secrets, value);
    if (find_parameter(from->value, SPAN("algorithm"), &value))
        add_plain(credential, "algorithm", from->secrets, value);
    credential->note = "The password was never sent: `" CREDENTIAL_DIGEST_VARIABLE "` has to be filled in.";
    return true;
}

static const struct scheme {
    const char *name;
    bool (*make)(struct credential *credential, struct authorization *from);
    const char *spent; /* why it can't be sent again */
} schemes[] = {
    { "Bearer", make_bearer, NULL },
    { "Basic", make_basic, NULL },
    { "AWS4-HMAC-SHA256", make_aws, NULL },
    { "Digest", make_digest, NULL },
    { "NTLM", NULL, "NTLM proves who calls for one connection: it can't be sent again." },
    { "Negotiate", NULL, "Negotiate proves who calls for one connection: it can't be sent again." },
    { "DPoP", NULL, "The token is bound to a proof that the client signs for each request." },
    { "Signature", NULL, "The client signs each request: the captured signature is of no use again." },
    { "Hawk", NULL, "The client signs each request: the captured signature is of no use again." },
};

static void take_authorization(struct credential *credential, const struct record *record,
                               struct secrets *secrets, const struct links *links,
                               const struct record_field *field)
{
    struct authorization from = { .record = record, .secrets = secrets };
    size_t blank = span_find(field->value, ' ');
    struct span name = span_sub(field->value, 0, blank);
    struct secret_text text = secret_text_of_field(record, HTTP_REQUEST, field);

    if (blank == field->value.len)
        return;
    from.value = span_trim(span_from(field->value, blank + 1));
    hidden_init(&from.hidden, secrets, &text);
    links_mark(links, &text, &from.hidden);
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (!span_ieq(name, span_of(schemes[i].name)))
            continue;
        credential->field = field->name;
        credential->note = schemes[i].spent;
        credential->is_spent = schemes[i].make == NULL;
        if (schemes[i].make != NULL && !schemes[i].make(credential, &from))
            credential->field = SPAN_NONE;
        break;
    }
    hidden_clear(&from.hidden);
}

/* --- keys ---------------------------------------------------------------------------------------------- */

static void make_key(struct credential *credential, struct span name, const char *in)
{
    credential->kind = CREDENTIAL_API_KEY;
    text_add_bytes(attribute(credential, "key"), name);
    strbuf_add_str(attribute(credential, "in"), in);
}

static bool take_key_field(struct credential *credential, const struct record *record,
                           struct secrets *secrets, const struct links *links)
{
    static const char *const names[] = { "x-api-key",
                                         "api-key",
                                         "apikey",
                                         "x-apikey",
                                         "x-auth-token",
                                         "x-access-token",
                                         "ocp-apim-subscription-key",
                                         "private-token",
                                         "x-goog-api-key" };

    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        for (size_t i = 0; i < record->request_headers.count; i++) {
            const struct record_field *field = &record->request_headers.items[i];
            struct secret_text text;
            struct hidden hidden;

            if (!span_ieq(field->name, span_of(names[n])) || field->value.len == 0)
                continue;
            text = secret_text_of_field(record, HTTP_REQUEST, field);
            credential->field = field->name;
            make_key(credential, field->name, "header");
            hidden_init(&hidden, secrets, &text);
            links_mark(links, &text, &hidden);
            hidden_add(&hidden, field->value, text_add_bytes, attribute(credential, "value"));
            hidden_clear(&hidden);
            return true;
        }
    }
    return false;
}

static bool is_key_name(struct span name)
{
    static const char *const names[] = { "api_key", "apikey", "key", "access_token", "token" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (span_ieq(name, span_of(names[i])))
            return true;
    return false;
}

/* How often a name occurs: of two, a helper could stand for one only. */
static size_t count_pairs(struct span query, struct span name)
{
    struct span pair;
    size_t count = 0;

    while (span_split(&query, '&', &pair))
        count += span_eq(span_sub(pair, 0, span_find(pair, '=')), name);
    return count;
}

static void take_key_pair(struct credential *credential, const struct record *record, struct secrets *secrets,
                          const struct links *links)
{
    struct secret_text text = secret_text_of_query(record);
    struct span rest = record->query, pair;
    struct hidden hidden;

    while (span_split(&rest, '&', &pair)) {
        size_t equals = span_find(pair, '=');
        struct span name = span_sub(pair, 0, equals), value;

        if (equals == pair.len || !is_key_name(name))
            continue;
        value = span_from(pair, equals + 1);
        if (value.len < MIN_KEY_BYTES || count_pairs(record->query, name) != 1)
            continue;
        credential->pair = name;
        make_key(credential, name, "query");
        hidden_init(&hidden, secrets, &text);
        links_mark(links, &text, &hidden);
        hidden_add(&hidden, value, text_add_bytes, attribute(credential, "value"));
        hidden_clear(&hidden);
        return;
    }
}

/* --- all of them --------------------------------------------------------------------------------------- */

void credential_init(struct credential *out_credential, const struct record *record, struct secrets *secrets,
                     const struct links *links)
{
    *out_credential = (struct credential){ .kind = CREDENTIAL_NONE };
    for (size_t i = 0; i < record->request_headers.count; i++) {
        const struct record_field *field = &record->request_headers.items[i];

        if (!span_ieq(field->name, SPAN("Authorization")))
            continue;
        take_authorization(out_credential, record, secrets, links, field);
        return;
    }
    if (!take_key_field(out_credential, record, secrets, links))
        take_key_pair(out_credential, record, secrets, links);
}

void credential_clear(struct credential *credential)
{
    for (size_t i = 0; i < credential->count; i++)
        strbuf_clear(&credential->attributes[i].value);
    *credential = (struct credential){ .kind = CREDENTIAL_NONE };
}

uint64_t credential_hash(const struct credential *credential)
{
    XXH64_hash_t hash = credential->kind;

    if (credential->kind == CREDENTIAL_NONE)
        return 0;
    for (size_t i = 0; i < credential->count; i++)
        hash = XXH3_64bits_withSeed(strbuf_text(&credential->attributes[i].value),
                                    credential->attributes[i].value.len, hash);
    return hash | 1;
}

void credential_write(const struct credential *credential, struct json_out *json)
{
    static const char *const types[] = { "noauth", "bearer", "basic", "apikey", "awsv4", "digest" };

    jout_key(json, "auth");
    jout_open_object(json);
    jout_member_str(json, "type", types[credential->kind]);
    if (credential->kind != CREDENTIAL_NONE) {
        jout_key(json, types[credential->kind]);
        jout_open_array(json);
        for (size_t i = 0; i < credential->count; i++) {
            jout_open_object(json);
            jout_member_str(json, "key", credential->attributes[i].key);
            jout_member_text(json, "value", strbuf_span(&credential->attributes[i].value));
            jout_member_str(json, "type", "string");
            jout_close(json);
        }
        jout_close(json);
    }
    jout_close(json);
}

bool credential_takes_field(const struct credential *credential, struct span name)
{
    if (credential->kind == CREDENTIAL_NONE)
        return false;
    if (credential->kind == CREDENTIAL_AWS &&
        (span_ieq(name, SPAN("X-Amz-Date")) || span_ieq(name, SPAN("X-Amz-Security-Token"))))
        return true;
    return credential->field.ptr != NULL && span_ieq(name, credential->field);
}

bool credential_takes_pair(const struct credential *credential, struct span name)
{
    return credential->kind != CREDENTIAL_NONE && credential->pair.ptr != NULL &&
           span_eq(name, credential->pair);
}
