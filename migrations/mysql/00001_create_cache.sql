-- +goose NO TRANSACTION
-- MySQL commits at every DDL statement: a transaction around one would promise what it cannot keep.

-- +goose Up
-- The table as Laravel 13 makes it. Engine, character set and collation are named because a server's own defaults may be
-- others (MyISAM, latin1, utf8mb4_0900_ai_ci). The comment is how Down knows that larder made the table: it comes into being
-- and goes with the table, so no crash and no DROP by somebody else can make larder drop a table that is not its own.
CREATE TABLE IF NOT EXISTS `{{table}}` (
	`key` VARCHAR(255) NOT NULL,
	`value` MEDIUMTEXT NOT NULL,
	`expiration` BIGINT NOT NULL,
	PRIMARY KEY (`key`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT='{{mark}}';

-- +goose Down
-- Runs for a table that carries the comment above, and for no other.
DROP TABLE IF EXISTS `{{table}}`;
