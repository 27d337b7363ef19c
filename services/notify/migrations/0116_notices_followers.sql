CREATE INDEX documents_following ON directory.documents USING gin ((document -> 'follows'))
    WHERE kind = 'person' AND NOT retired;
COMMENT ON INDEX directory.documents_following IS 'Finds the followers of a queue to whom a trigger sends a mail.';
