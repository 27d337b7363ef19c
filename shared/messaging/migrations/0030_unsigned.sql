CREATE TABLE messaging.unsigned (
    topic     text    NOT NULL,
    partition integer NOT NULL,
    until     bigint,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE messaging.unsigned IS
    'Up to which offset a record without a signature is believed: where the topic ended when an installation from before signatures was '
    'updated. NULL: not known yet, the next consumer looks. No row: every record is signed.';

INSERT INTO messaging.unsigned (topic, partition)
SELECT DISTINCT topic, partition FROM messaging.checkpoints;

GRANT SELECT, UPDATE, DELETE ON messaging.unsigned TO {{app}};
