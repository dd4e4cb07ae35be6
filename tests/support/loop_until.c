#include "tests/support/loop_until.h"

#include <stddef.h>

#include "proxy/net/loop.h"

#define GIVE_UP_US (60 * 1000000ULL)

static void is_late(void *arg)
{
    *(int *)arg = 1;
}

bool loop_until(struct loop *loop, const volatile int *flag)
{
    struct loop_timer timer;
    int late = 0;

    loop_timer_init(&timer, loop, is_late, &late);
    loop_timer_set(&timer, GIVE_UP_US);
    while (*flag == 0 && late == 0)
        loop_turn(loop);
    loop_timer_clear(&timer);
    return *flag != 0;
}

void loop_for(struct loop *loop, uint64_t us)
{
    struct loop_timer timer;
    int late = 0;

    loop_timer_init(&timer, loop, is_late, &late);
    loop_timer_set(&timer, us);
    while (late == 0)
        loop_turn(loop);
    loop_timer_clear(&timer);
}
