#include "proxy/live/upstream_key.h"

#include <string.h>

static unsigned hash_text(unsigned hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) /* FNV-1a: short keys, looked up once a request */
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return hash;
}

void upstream_key_make(struct upstream_key *key, const struct target *target, const char *name,
                       struct span alpn)
{
    size_t host_len = strlen(target->host), name_len = strlen(name);

    memset(key, 0, sizeof *key); /* compared as bytes */
    memcpy(key->target.host, target->host, host_len);
    key->target.port = target->port;
    key->target.is_tls = target->is_tls;
    memcpy(key->name, name, name_len);
    if (alpn.len != 0 && alpn.len <= sizeof key->alpn) {
        memcpy(key->alpn, alpn.ptr, alpn.len);
        key->alpn_len = (uint8_t)alpn.len;
    }
    key->hash = hash_text(2166136261u, key->target.host, host_len);
    key->hash = hash_text(key->hash, key->name, name_len);
    key->hash = (key->hash ^ key->target.port) * 16777619u + key->target.is_tls + key->alpn_len;
}

bool upstream_key_offers_h2(const struct upstream_key *key)
{
    for (unsigned i = 0; i < key->alpn_len; i += 1u + (unsigned char)key->alpn[i])
        if (span_eq(span_make(key->alpn + i, key->alpn_len - i < 3 ? 0 : 3), SPAN("\x02h2")))
            return true;
    return false;
}

void upstream_key_without_h2(struct upstream_key *out_key, const struct upstream_key *key)
{
    upstream_key_make(out_key, &key->target, key->name, key->target.is_tls ? SPAN("\x08http/1.1") : SPAN(""));
    out_key->reach = key->reach;
    out_key->mirror = key->mirror;
    upstream_key_set_hop(out_key, key->hop);
}

void upstream_key_set_hop(struct upstream_key *key, const struct via_hop *hop)
{
    key->hash += (hop != NULL ? hop->id : 0) - (key->hop != NULL ? key->hop->id : 0);
    key->hop = hop;
}

bool upstream_key_eq(const struct upstream_key *a, const struct upstream_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}
