CREATE SCHEMA clocks;
COMMENT ON SCHEMA clocks IS 'What is needed to count working time.';

CREATE TABLE clocks.calendars (
    id       uuid    NOT NULL,
    version  integer NOT NULL,
    document json    NOT NULL,
    PRIMARY KEY (id, version)
);
COMMENT ON TABLE clocks.calendars IS
    'Every version of every calendar, for ever. The consumer of the directory topic fills it; reading the topic again from its beginning '
    'fills it again (decision 0114).';

GRANT USAGE ON SCHEMA clocks TO {{app}};
GRANT SELECT, INSERT ON clocks.calendars TO {{app}};
