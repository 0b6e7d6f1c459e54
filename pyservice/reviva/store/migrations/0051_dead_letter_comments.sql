-- What the columns hold, said more exactly.
ALTER TABLE dead_letters{local} {on_cluster}
    COMMENT COLUMN payload 'the original bytes; of an event_too_large only as many as an event may have';

ALTER TABLE dead_letter_replays{local} {on_cluster}
    COMMENT COLUMN is_accepted 'false: refused again, and still the letter that it was';
