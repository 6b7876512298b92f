-- +goose NO TRANSACTION

-- +goose Up
-- INT ends at 2038-01-19 03:14:07.
-- +goose StatementBegin
ALTER TABLE `{{table}}` MODIFY `expiration` BIGINT NOT NULL{{comment}};
-- +goose StatementEnd

-- +goose Down
-- Nothing: a narrower column would lose dates.
