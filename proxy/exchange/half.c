#include "proxy/exchange/half.h"

#include <stdint.h>

static const uint8_t half_next[HALF_COUNT][HEV_COUNT] = {
    /* a cell left out is 0: refused */
    [HALF_IDLE] = { [HEV_INTERIM] = HALF_IDLE, [HEV_HEAD] = HALF_BODY, [HEV_ABORT] = HALF_FAILED },
    [HALF_BODY] = { [HEV_DATA] = HALF_BODY, [HEV_END] = HALF_DONE, [HEV_ABORT] = HALF_FAILED },
};

static const char *const half_names[HALF_COUNT] = { "refused", "idle", "body", "done", "failed" };

bool half_step(enum half *half, enum half_event event)
{
    enum half next = (enum half)half_next[*half][event];

    if (next == HALF_REFUSED)
        return false;
    *half = next;
    return true;
}

const char *half_name(enum half half)
{
    return half_names[half];
}
