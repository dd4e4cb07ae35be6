/* half: one direction of an exchange as a state machine.
 *
 * Both halves run this machine, each at its own pace: an origin may answer before the request has ended
 * (RFC 9110 §7.5), and either half may fail alone. Interim responses leave a half where it is.
 *
 *          INTERIM (1xx)      DATA
 *            .--.            .--.
 *            v  |    HEAD    v  |    END
 *            IDLE ---------> BODY --------> DONE        ABORT from IDLE or BODY leads to FAILED
 */
#ifndef WEIR_EXCHANGE_HALF_H
#define WEIR_EXCHANGE_HALF_H

#include <stdbool.h>

enum half { HALF_REFUSED = 0, HALF_IDLE, HALF_BODY, HALF_DONE, HALF_FAILED, HALF_COUNT };
enum half_event { HEV_INTERIM, HEV_HEAD, HEV_DATA, HEV_END, HEV_ABORT, HEV_COUNT };

/* Makes the step; false, and nothing changed, when the event may not come in this state. */
bool half_step(enum half *half, enum half_event event);
const char *half_name(enum half half);

static inline bool half_is_over(enum half half)
{
    return half == HALF_DONE || half == HALF_FAILED;
}

#endif
