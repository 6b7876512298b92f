-- +goose Up
-- Pruning reads the expired rows in this order. Nothing else ever needs to change: SQLite's text and integer columns have
-- no width.
CREATE INDEX IF NOT EXISTS "{{index}}" ON "{{table}}" ("expiration");

-- +goose Down
-- Nothing: Laravel has this index too.
