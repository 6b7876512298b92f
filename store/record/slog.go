package record

import (
	"context"
	"log/slog"
)

// Slog returns a recorder that logs: each operation at debug level, under the name of Laravel's event where it has one and a line for each
// key, and each repeat of a statement at info level. Errors are debug too, because the caller gets them. Keys are logged, values never.
func Slog(logger *slog.Logger) Recorder { return slogger{logger} }

type slogger struct{ log *slog.Logger }

func (s slogger) Operation(ctx context.Context, o Operation) {
	if !s.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	told := false
	for e := range o.Events() {
		told = true
		s.line(ctx, string(e.Name), o, e.Key)
	}
	if !told {
		s.line(ctx, "cache "+string(o.Name), o, o.Key)
	}
}

func (s slogger) line(ctx context.Context, message string, o Operation, key string) {
	attrs := make([]slog.Attr, 0, 6)
	attrs = append(attrs, slog.String("operation", string(o.Name)), slog.String("outcome", string(o.Outcome)))
	if key != "" {
		attrs = append(attrs, slog.String("key", key))
	}
	attrs = append(attrs, slog.Int64("rows", o.Rows), slog.Duration("duration", o.Duration))
	if o.Err != nil {
		attrs = append(attrs, slog.String("err", o.Err.Error()))
	}
	s.log.LogAttrs(ctx, slog.LevelDebug, message, attrs...)
}

func (s slogger) Retry(ctx context.Context, r Retry) {
	s.log.LogAttrs(ctx, slog.LevelInfo, "cache statement is repeated",
		slog.String("cause", string(r.Cause)), slog.Int("attempt", r.Attempt), slog.String("err", r.Err.Error()))
}
