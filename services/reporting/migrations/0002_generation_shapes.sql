ALTER TABLE projections.generations ADD COLUMN shape text NOT NULL DEFAULT '';
COMMENT ON COLUMN projections.generations.shape IS
    'A fingerprint of the tables'' definition; empty: made before it was kept. Code fills and reads only generations of its own shape.';
