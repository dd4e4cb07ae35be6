#include "tools/pace.h"

void pace_ask(struct pace *pace)
{
    pace->is_asked = true;
}

uint64_t pace_due_us(const struct pace *pace)
{
    return pace->is_asked ? pace->rested_us : UINT64_MAX;
}

void pace_begin(struct pace *pace)
{
    pace->is_asked = false;
}

void pace_end(struct pace *pace, uint64_t began_us, uint64_t now_us)
{
    uint64_t rest_us = (now_us - began_us) * pace->factor;

    pace->rested_us = now_us + (rest_us > pace->least_us ? rest_us : pace->least_us);
}
