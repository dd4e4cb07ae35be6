#include "capture/seen_cookies.h"

#include <string.h>

#include "capture/store/store_write.h"

/* Slots that one name may be in. */
#define WAYS 4

static struct span address_of(const char *client_addr)
{
    const char *colon = strrchr(client_addr, ':');

    return span_make(client_addr, colon != NULL ? (size_t)(colon - client_addr) : strlen(client_addr));
}

bool seen_cookies_note(struct seen_cookies *seen, unsigned session, const char *client_addr, const char *host,
                       struct span name, struct span value)
{
    uint64_t key = (store_hash(address_of(client_addr)) + session) * 31 + store_hash(span_of(host));
    uint64_t slot_value;
    _Atomic uint64_t *set;
    unsigned way = 0;

    key = key * 31 + store_hash(name);
    key ^= key >> 29;
    slot_value =
        (key & UINT64_C(0xffffffff00000000)) | (store_hash(value) >> 32 | 1); /* 0 is an empty slot */
    set = &seen->slots[key % (SEEN_COOKIES / WAYS) * WAYS];
    for (; way < WAYS; way++) {
        uint64_t before = atomic_load_explicit(&set[way], memory_order_relaxed);
        if (before == slot_value)
            return true;
        if (before == 0 || before >> 32 == slot_value >> 32)
            break;
    }
    if (way == WAYS)
        way = (unsigned)(slot_value & (WAYS - 1));
    atomic_store_explicit(&set[way], slot_value, memory_order_relaxed);
    return false;
}
