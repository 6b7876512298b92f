-- +goose NO TRANSACTION

-- +goose Up
-- INT ends at 2038-01-19 03:14:07, and for a row stored "forever", which is ten years, from 2028-01-22 on. It comes before the
-- index, so that the copy which the server makes has one index less to build.
-- +goose StatementBegin
ALTER TABLE `{{table}}` MODIFY `expiration` BIGINT NOT NULL{{comment}};
-- +goose StatementEnd

-- +goose Down
-- Nothing: a narrower column would lose dates.
