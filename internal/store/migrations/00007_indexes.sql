-- +goose Up
-- What clients look for by name, and lists that are sorted by it.
CREATE INDEX IF NOT EXISTS load_balancers_name ON load_balancers (name, created_at, id);
CREATE INDEX IF NOT EXISTS listeners_name ON listeners (name, created_at, id);
CREATE INDEX IF NOT EXISTS pools_name ON pools (name, created_at, id);
