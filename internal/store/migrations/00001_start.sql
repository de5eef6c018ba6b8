-- +goose Up
-- Facts of the installation: small values that every process of it agrees on.
CREATE TABLE IF NOT EXISTS facts (
    name  VARCHAR(64) NOT NULL PRIMARY KEY,
    value TEXT        NOT NULL
) {{.Table}};
