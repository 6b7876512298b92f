-- +goose Up
-- The table as Laravel 13 makes it. SQLite keeps the statement's text with the table, and so the comment by which Down knows
-- that larder made it.
CREATE TABLE IF NOT EXISTS "{{table}}" ( /* {{mark}} */
	"key" varchar not null,
	"value" text not null,
	"expiration" integer not null,
	primary key ("key")
);

-- +goose Down
-- Runs for a table that carries the comment above, and for no other.
DROP TABLE IF EXISTS "{{table}}";
