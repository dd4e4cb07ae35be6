/* origins: what is remembered of origins while weir runs: what they speak, and which clients pin them.
 *
 * What an origin chose by ALPN is remembered, so that the next client can be answered before the origin is
 * dialled. A wrong memory costs a translation between versions, never a failure, and the next upstream
 * connection puts it right.
 *
 * A pin is learned per client (its address without the port) and host (the SNI, else what was dialled):
 *
 *              refused            again within 60 s              1 h has passed
 *     nothing ---------> struck --------------------> sealed -------------------> probed: opened again
 *        ^                 |                            ^                             |       |
 *        |  60 s, or used  |                            '------- refused, once -------'       |
 *        '-----------------'<------------------------------------ used -----------------------'
 *
 * Closes of connections that were open at the same time are one refusal: a browser drops all that it has when
 * it takes the network for another one. Only a client that has accepted a leaf of ours counts: one that has
 * not does not trust the CA yet, which is said once, and its first accepted leaf clears what was noted of it.
 * "Used" is the first byte inside TLS: a leaf can be accepted in the handshake and still be refused, since
 * many clients compare pins when the handshake is done. It takes back a close, which may have been a browser
 * that changed its mind, but not an alert, which says "certificate": another app of the same device may be
 * the one that pins. A refused probe seals for the same time again, not for longer: a probe costs the client
 * one connection an hour, while a growing time would go on hiding a host long after the app has stopped
 * pinning it.
 *
 * Any thread; one short lock, taken a few times a connection. Bounded: the longest unused are forgotten.
 * Times by clock_mono_us(). */
#ifndef WEIR_LIVE_ORIGINS_H
#define WEIR_LIVE_ORIGINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/base/span.h"
#include "proxy/live/devices.h"

struct origins;

/* 0 is the default of each. */
struct origins_options {
    uint64_t alpn_us;   /* how long a choice is remembered: 1 h */
    uint64_t window_us; /* in which two refusals seal: 60 s */
    uint64_t seal_us;   /* how long a host is sealed: 1 h */
    size_t max_entries; /* of choices, and of pins: 4096 */
};

/* devices is borrowed until origins_free: it knows who has accepted a leaf. */
struct origins *origins_new(const struct origins_options *options, struct devices *devices);
void origins_free(struct origins *origins); /* NULL is fine */

/* --- what an origin speaks ----------------------------------------------------------------------------- */

struct origin_key {
    const char *host; /* dialled */
    uint16_t port;
    const char *sni;    /* "" none */
    uint64_t mirror_id; /* of the mirrored ClientHello: another offer may be answered otherwise; 0: none */
};

/* RFC 8441: may a WebSocket go as a stream? Known once the origin's SETTINGS are there. */
enum extended_connect { EXTENDED_CONNECT_UNKNOWN, EXTENDED_CONNECT_NO, EXTENDED_CONNECT_YES };

struct origin_choice {
    char alpn[256]; /* "" it chose none */
    enum extended_connect extended_connect;
};

/* False: not known, or too long ago. */
bool origins_alpn_get(struct origins *origins, const struct origin_key *key,
                      struct origin_choice *out_choice);
/* EXTENDED_CONNECT_UNKNOWN leaves what is known of it, unless the protocol is another now. */
void origins_alpn_put(struct origins *origins, const struct origin_key *key, struct span alpn,
                      enum extended_connect extended_connect);

/* --- who pins what ------------------------------------------------------------------------------------- */

enum refusal {
    REFUSAL_NONE,  /* an end that says nothing about our certificate */
    REFUSAL_ALERT, /* an alert about the certificate: see refusal_of_end */
    REFUSAL_CLOSE, /* no word, but gone as soon as it had seen the certificate */
};

/* What the end of a client's TLS connection says. alert: the fatal alert that it sent, 0 for none.
 * after_leaf_us: the time since our certificate was sent, UINT64_MAX when it was not; has_used: bytes came
 * inside TLS. */
enum refusal refusal_of_end(unsigned alert, uint64_t after_leaf_us, bool has_used);

struct pin {
    enum refusal how; /* REFUSAL_ALERT if one of the refusals was */
    unsigned alert;   /* 0: closed without a word */
    bool is_again;    /* refused once more when it was probed */
    uint64_t seal_us; /* how long it is sealed */
};

enum refused_news {
    REFUSED_NOTED,     /* nothing to say */
    REFUSED_UNTRUSTED, /* told once a client: it does not trust the CA */
    REFUSED_SEALED,    /* from now on the host is sealed for this client; *out_pin says why */
};

/* The end of one connection. */
struct refused {
    enum refusal how; /* what refusal_of_end took it for; REFUSAL_NONE is noted as nothing */
    unsigned alert;   /* 0: none */
    uint64_t leaf_us; /* when our certificate was sent */
};

/* may_seal: nobody has said --open or --no-auto-seal. */
enum refused_news origins_refused(struct origins *origins, const char *client, const char *host,
                                  const struct refused *refused, bool may_seal, struct pin *out_pin);
/* A handshake with one of our leaves is done: the client trusts the CA. Tells devices, too. */
void origins_accepted(struct origins *origins, const char *client);
/* The first byte inside TLS came. */
void origins_used(struct origins *origins, const char *client, const char *host);

/* Is the host sealed for this client now? *out_pin says why. */
bool origins_is_sealed(struct origins *origins, const char *client, const char *host, struct pin *out_pin);
/* True the first time for a client and host that are sealed because a person said so. */
bool origins_seal_is_news(struct origins *origins, const char *client, const char *host);

#endif
