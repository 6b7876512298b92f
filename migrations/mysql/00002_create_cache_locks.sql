-- +goose NO TRANSACTION

-- +goose Up
-- The table as Laravel 13 makes it; the reasons for its options are those of the cache table.
CREATE TABLE IF NOT EXISTS `{{table}}` (
	`key` VARCHAR(255) NOT NULL,
	`owner` VARCHAR(255) NOT NULL,
	`expiration` BIGINT NOT NULL,
	PRIMARY KEY (`key`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT='{{mark}}';

-- +goose Down
-- Runs for a table that carries the comment above, and for no other.
DROP TABLE IF EXISTS `{{table}}`;
