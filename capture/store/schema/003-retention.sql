-- Version 3: old exchanges that are taken out of a session.

ALTER TABLE session ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0; -- how many exchanges were taken out; exchanges is without them
ALTER TABLE session ADD COLUMN pruned_seq INTEGER NOT NULL DEFAULT 0; -- the highest number among them: none is given twice
-- Cookies of exchanges that were taken out stay for the jar's sake, with seq 0 from the next sweep on, and until later ones
-- have made them needless.

-- What is still to be taken out of exchanges that are gone: large ones go over several batches.
CREATE TABLE leftover (
    exchange INTEGER PRIMARY KEY,            -- exchange.id, as it was: its messages may still be there
    request_body INTEGER,                    -- body.id; NULL: none
    response_body INTEGER
) STRICT;
