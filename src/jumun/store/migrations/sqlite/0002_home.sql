-- Whose books these are: written at the first start, compared at each later one, never changed (I-55).

CREATE TABLE home (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    environment TEXT NOT NULL,            -- sim, paper or live
    broker TEXT NOT NULL
) STRICT;

CREATE TRIGGER home_is_written_once BEFORE INSERT ON home WHEN EXISTS (SELECT 1 FROM home)
BEGIN SELECT RAISE(ABORT, 'home: a store belongs where it began'); END;
CREATE TRIGGER home_is_never_edited BEFORE UPDATE ON home
BEGIN SELECT RAISE(ABORT, 'home: a store belongs where it began'); END;
CREATE TRIGGER home_is_never_deleted BEFORE DELETE ON home
BEGIN SELECT RAISE(ABORT, 'home: a store belongs where it began'); END;
