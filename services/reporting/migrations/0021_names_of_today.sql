CREATE INDEX documents_by_name ON directory.documents USING gin (to_tsvector('simple', document ->> 'name'))
 WHERE kind IN ('person', 'company');
COMMENT ON INDEX directory.documents_by_name IS
    'Finds people and companies by the words of their names of today, which the search index does not have.';
