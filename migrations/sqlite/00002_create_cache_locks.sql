-- +goose Up
-- The table as Laravel 13 makes it, with the same comment as the cache table.
CREATE TABLE IF NOT EXISTS "{{table}}" ( /* {{mark}} */
	"key" varchar not null,
	"owner" varchar not null,
	"expiration" integer not null,
	primary key ("key")
);

-- +goose Down
-- Runs for a table that carries the comment above, and for no other.
DROP TABLE IF EXISTS "{{table}}";
