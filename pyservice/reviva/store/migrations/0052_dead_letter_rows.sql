-- What the store refuses of the other tables becomes a dead letter as well.
ALTER TABLE dead_letters{local} {on_cluster}
    COMMENT COLUMN format 'of payload: proto, json, segment, or segment/track and the like for single calls; record; of row_refused, the table that the payload, a Native block, was for';
