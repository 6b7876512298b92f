-- +goose NO TRANSACTION

-- +goose Up
-- TEXT holds 65,535 bytes, MEDIUMTEXT 16 MiB. MODIFY sets all of a column anew, so what the column has is said again: its
-- character set and collation, which would fall back to the table's, and its comment. There is no ALGORITHM or LOCK clause,
-- because the servers differ in what they can do here, and one that cannot would refuse.
-- +goose StatementBegin
ALTER TABLE `{{table}}` MODIFY `value` MEDIUMTEXT CHARACTER SET {{charset}} COLLATE {{collation}} NOT NULL{{comment}};
-- +goose StatementEnd

-- +goose Down
-- Nothing: a narrower column would lose values.
