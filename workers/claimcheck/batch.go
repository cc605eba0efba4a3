package claimcheck

import (
	"context"
	"fmt"

	"gocloud.dev/pubsub"

	"omnibus/workers"
)

// RestoreBatch is [Bodies.Restore] for a Consumer.BatchHandler. A message whose body
// cannot be had fails alone, and the handler does not see it.
func (b *Bodies) RestoreBatch() workers.BatchMiddleware {
	return func(next workers.BatchHandler) workers.BatchHandler {
		return func(ctx context.Context, ms []*pubsub.Message) []error {
			errs := make([]error, len(ms))
			keys := make([]string, len(ms))
			var whole []*pubsub.Message
			var places []int
			handle := func() error {
				got := next(ctx, whole)
				if got != nil && len(got) != len(whole) {
					return fmt.Errorf("claimcheck: the batch handler returned %d errors for %d messages; it must return one for each, or nil", len(got), len(whole))
				}
				for i, err := range got {
					errs[places[i]] = err
				}
				return nil
			}
			for i, m := range ms {
				if isReference(m) {
					r, body, err := b.fetch(ctx, m)
					if errs[i] = err; err != nil {
						continue
					}
					keys[i] = r.key
					inner := handle
					handle = func() error { return b.with(m, body, inner) }
				}
				whole, places = append(whole, m), append(places, i)
			}
			if len(whole) == 0 {
				return errs
			}
			if err := handle(); err != nil {
				for _, at := range places {
					errs[at] = err
				}
			}
			for i, m := range ms {
				if keys[i] != "" && b.Remove && settles(errs[i]) {
					b.removeAfterAck(m, keys[i])
				}
			}
			return errs
		}
	}
}
