-- The store of weir, version 1. A public format: read it with sqlite3, write it with weir only.
-- Text that came over the network is stored one code point a byte (ISO 8859-1 to UTF-8): valid text, bytes recoverable.
-- Times are µs: *_us since 1970, t_* after the exchange's started_us (negative: before it; NULL: did not happen).

-- A session that records holds a lock on byte id of the file STORE.lock: one that says so and has no lock was
-- interrupted.
CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL UNIQUE,                -- UUIDv7
    name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('recording', 'paused', 'ended', 'interrupted', 'deleted')),
    started_us INTEGER NOT NULL,
    ended_us INTEGER,                        -- while it records: when it was last written
    filter TEXT NOT NULL DEFAULT '',
    options TEXT NOT NULL DEFAULT '{}',      -- JSON
    incomplete TEXT,                         -- what is missing, in words; NULL: nothing
    exchanges INTEGER NOT NULL DEFAULT 0,    -- rows in exchange that readers see
    seen INTEGER NOT NULL DEFAULT 0,         -- all that passed
    filtered INTEGER NOT NULL DEFAULT 0,     -- those of them that the filter left out
    errors INTEGER NOT NULL DEFAULT 0,       -- aborted ones of all that passed
    request_bytes INTEGER NOT NULL DEFAULT 0,  -- of the bodies of all that passed
    response_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The hosts that a session's exchanges went to, once each.
CREATE TABLE host (
    session INTEGER NOT NULL,
    host TEXT NOT NULL,
    PRIMARY KEY (session, host)
) STRICT, WITHOUT ROWID;

-- TLS facts, once a handshake: version, cipher, ALPN, SNI, certificate.
CREATE TABLE tls (
    id INTEGER PRIMARY KEY,                  -- session * 4294967296 + a number
    session INTEGER NOT NULL,
    facts TEXT NOT NULL                      -- JSON
) STRICT;

CREATE TABLE exchange (
    id INTEGER PRIMARY KEY,                  -- session * 4294967296 + seq: a session's exchanges lie together, in order
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,                    -- its number in the session, from 1
    uid BLOB NOT NULL,                       -- UUIDv7, 16 bytes
    state INTEGER NOT NULL,                  -- 0 open, 1 done, 2 aborted
    provisional INTEGER NOT NULL DEFAULT 0,  -- 1: the filter has not decided yet; readers skip it
    started_us INTEGER NOT NULL,
    t_accepted INTEGER, t_dns_start INTEGER, t_dns_end INTEGER, t_connect_start INTEGER, t_connect_end INTEGER,
    t_tls_start INTEGER, t_tls_end INTEGER, t_sent_first INTEGER, t_sent_last INTEGER, t_received_first INTEGER,
    t_received_last INTEGER, t_done INTEGER,
    client_addr TEXT NOT NULL,
    origin_addr TEXT NOT NULL DEFAULT '',
    method TEXT NOT NULL,
    scheme TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    path TEXT NOT NULL,                      -- exactly as sent
    query TEXT,                              -- without the '?'; NULL: there was none
    request_version INTEGER NOT NULL,        -- 10, 11, 20
    response_version INTEGER NOT NULL DEFAULT 0,
    status INTEGER,                          -- NULL: no final response
    reason TEXT,
    request_headers TEXT NOT NULL,           -- JSON: [[name, value], ...] in order
    response_headers TEXT,
    request_trailers TEXT,
    response_trailers TEXT,
    interim TEXT,                            -- JSON: [[status, [[name, value], ...]], ...]
    request_type TEXT,                       -- media type, lower case, without parameters
    response_type TEXT,
    request_body INTEGER,                    -- body.id; NULL: no bytes kept
    response_body INTEGER,
    request_bytes INTEGER NOT NULL DEFAULT 0,     -- of the body, after transfer decoding, as passed
    response_bytes INTEGER NOT NULL DEFAULT 0,
    request_kept INTEGER NOT NULL DEFAULT 0,      -- how many of them are in the store
    response_kept INTEGER NOT NULL DEFAULT 0,
    request_wire_bytes INTEGER NOT NULL DEFAULT 0, -- head, framing, body and trailers
    response_wire_bytes INTEGER NOT NULL DEFAULT 0,
    tunnel_sent_bytes INTEGER NOT NULL DEFAULT 0,
    tunnel_received_bytes INTEGER NOT NULL DEFAULT 0,
    client_tls INTEGER,                      -- tls.id
    origin_tls INTEGER,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    -- 1 on a connection used before, 2 sent again, 4 Host is not what was dialled, 8 the origin left out close_notify,
    -- 16 tunnel, 32 upgraded, 64 the response is weir's own, 128 the origin asked for a client certificate
    flags INTEGER NOT NULL DEFAULT 0
) STRICT;
-- What is to be mended when weir was killed.
CREATE INDEX exchange_unsettled ON exchange (session) WHERE state = 0 OR provisional = 1;

-- A body is one row with its bytes, or, above 256 KiB or when it came slowly, a list of such rows in body_piece.
CREATE TABLE body (
    id INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,                   -- how many exchanges and lists use it
    hash INTEGER,                            -- XXH3 of bytes that may be shared: a candidate, never a proof
    size INTEGER NOT NULL,
    bytes BLOB                               -- NULL: see body_piece
) STRICT;
CREATE INDEX body_hash ON body (hash) WHERE hash IS NOT NULL;

CREATE TABLE body_piece (
    body INTEGER NOT NULL,                   -- the list
    offset INTEGER NOT NULL,                 -- of the piece in it; pieces leave no gap
    piece INTEGER NOT NULL,                  -- body.id of a row with bytes
    PRIMARY KEY (body, offset)
) STRICT, WITHOUT ROWID;

CREATE TABLE cookie (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,                    -- its exchange; 0: one that the filter left out
    source INTEGER NOT NULL,                 -- 0 Set-Cookie, 1 Cookie (when it differs from the last seen of that client)
    time_us INTEGER NOT NULL,
    scheme TEXT NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    path TEXT NOT NULL,
    name BLOB NOT NULL,
    value BLOB NOT NULL,
    line BLOB                                -- the whole Set-Cookie value
) STRICT;
CREATE INDEX cookie_session ON cookie (session, time_us);

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    client_addr TEXT NOT NULL DEFAULT '',
    host TEXT NOT NULL DEFAULT '',
    text TEXT NOT NULL
) STRICT;
CREATE INDEX event_session ON event (session, id);
