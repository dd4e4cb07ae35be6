-- Version 2: what is said inside an exchange.

-- WebSocket messages, server-sent events, gRPC messages: one row each, in the order in which they passed.
-- (Rows in order of arrival and the key as an index: beside a table ordered by its key that is a sixth more
-- for tiny messages, but several connections at once are written up to three times as fast.)
CREATE TABLE message (
    exchange INTEGER NOT NULL,               -- exchange.id
    n INTEGER NOT NULL,                      -- its number in the exchange, from 1, both directions together
    time_us INTEGER NOT NULL,                -- when its last byte had come
    direction INTEGER NOT NULL,              -- 0 to the origin, 1 from it
    kind TEXT NOT NULL,                      -- text, binary, ping, pong, close, event, grpc, trailers, fault
    payload BLOB,                            -- unmasked and decoded; NULL: not kept. Of close its reason, of fault what was wrong
    size INTEGER NOT NULL,                   -- of the whole payload, also of what was not kept
    wire_size INTEGER NOT NULL,              -- the same as it came: masked, compressed; without frames and prefixes
    -- 1 the payload is only the beginning, 2 the stream ended before the message did, 4 it came compressed, 8 and still is,
    -- 16 not all of it is UTF-8
    flags INTEGER NOT NULL DEFAULT 0,
    close_code INTEGER,                      -- of close; NULL: none was given
    event_type TEXT,                         -- of event
    event_id TEXT,                           -- of event: the last id given up to here; NULL: none
    retry_ms INTEGER,                        -- of event: a reconnection time that came with it
    note TEXT,                               -- what could not be decoded or counted, in words
    PRIMARY KEY (exchange, n)
) STRICT;

ALTER TABLE exchange ADD COLUMN messages INTEGER NOT NULL DEFAULT 0; -- how many rows of message are its
ALTER TABLE exchange ADD COLUMN protocol TEXT; -- :protocol of an extended CONNECT (RFC 8441); NULL: none

-- exchange.flags has two more: 256 sealed: TLS that was passed through unopened, 512 Alt-Svc went on without its offers
-- of HTTP/3. With 32 (upgraded), what follows a WebSocket's head is in message.
