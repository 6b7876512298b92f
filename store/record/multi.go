package record

import "context"

// Multi returns a recorder that tells all of the given ones, in their order.
func Multi(recorders ...Recorder) Recorder { return multi(recorders) }

type multi []Recorder

func (m multi) Operation(ctx context.Context, o Operation) {
	for _, r := range m {
		r.Operation(ctx, o)
	}
}

func (m multi) Retry(ctx context.Context, retry Retry) {
	for _, r := range m {
		r.Retry(ctx, retry)
	}
}
