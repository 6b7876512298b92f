-- +goose NO TRANSACTION

-- +goose Up
-- Pruning reads the expired rows in this order. The index is a step of its own, also for a table made a moment ago, because
-- an adopted table needs it alone, and MySQL then builds it without blocking writers. MySQL knows no IF NOT EXISTS here: the
-- step runs only where no index starts with expiration.
CREATE INDEX `{{index}}` ON `{{table}}` (`expiration`);

-- +goose Down
-- Nothing: Laravel has this index too.
