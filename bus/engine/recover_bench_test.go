package engine

import (
	"strings"
	"testing"

	"omnibus/bus/spec"
)

// BenchmarkRecover opens a directory with 1,000,000 messages of 200 bytes. The log has
// how far it is.
func BenchmarkRecover(b *testing.B) {
	const messages = 1_000_000
	dir := b.TempDir()
	e, err := Open(dir, &Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	q, err := e.Create("donors", spec.QueueSettings{})
	if err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("x", 200)
	for range messages / 1000 {
		err := q.Batch(func(batch *Batch) {
			for range 1000 {
				if _, err := batch.Send(Message{Body: body}); err != nil {
					b.Fatal(err)
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := Open(dir, &Options{Report: func(line string) { b.Log(line) }})
		if err != nil {
			b.Fatal(err)
		}
		q, err := e.Queue("donors")
		if err != nil {
			b.Fatal(err)
		}
		if a, err := q.Attributes(); err != nil || a.Visible != messages {
			b.Fatalf("%d messages are back, %v", a.Visible, err)
		}
		if err := e.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(messages*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
