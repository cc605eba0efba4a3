// Package metrics shows numbers in the form in which Prometheus reads them, the text
// format of version 0.0.4:
// https://prometheus.io/docs/instrumenting/exposition_formats/.
//
// A [Family] is a metric with all its series; [Handler] answers requests with the
// families that a function collects. [Queues] makes families of samples of queues, and
// [Scale] of what an autoscaler wants to know.
//
// This package uses the standard library only, so that an endpoint can be measured
// without what a client library brings.
package metrics

import (
	"bufio"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Kind says how a metric behaves.
type Kind string

// The kinds of metrics.
const (
	Counter   Kind = "counter" // only rises, from 0 at the start of the process
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// A Family is a metric with its series, which differ in their labels.
type Family struct {
	Name   string // letters, digits and underscores
	Help   string
	Kind   Kind
	Series []Series
}

// A Series is one value of a metric, or for a histogram one distribution.
type Series struct {
	Labels Labels
	Value  float64

	// Of a histogram: the upper bounds of its buckets, rising, without +Inf; how many
	// values are in each bucket, and above the last bound; and the sum of all.
	Bounds []float64
	Counts []uint64
	Sum    float64
}

// Labels are names and values, by turns. Values may be any text.
type Labels []string

// Add adds a series, and returns f.
func (f *Family) Add(value float64, labels ...string) *Family {
	f.Series = append(f.Series, Series{Value: value, Labels: labels})
	return f
}

// Write writes families in their order. Those without a series are left out.
func Write(w io.Writer, families []Family) error {
	b := bufio.NewWriter(w)
	for _, f := range families {
		if len(f.Series) == 0 {
			continue
		}
		b.WriteString("# HELP " + f.Name + " " + helpEscapes.Replace(f.Help) + "\n# TYPE " + f.Name + " " + string(f.Kind) + "\n")
		for _, s := range f.Series {
			if f.Kind == Histogram {
				s.writeHistogram(b, f.Name)
			} else {
				writeLine(b, f.Name, s.Labels, s.Value)
			}
		}
	}
	return b.Flush()
}

func (s *Series) writeHistogram(b *bufio.Writer, name string) {
	var sum uint64
	for i, n := range s.Counts {
		sum += n
		bound := math.Inf(1)
		if i < len(s.Bounds) {
			bound = s.Bounds[i]
		}
		writeLine(b, name+"_bucket", append(slices.Clip(s.Labels), "le", number(bound)), float64(sum))
	}
	writeLine(b, name+"_sum", s.Labels, s.Sum)
	writeLine(b, name+"_count", s.Labels, float64(sum))
}

func writeLine(b *bufio.Writer, name string, labels Labels, value float64) {
	b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		if i == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(labels[i] + `="` + valueEscapes.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	b.WriteString(" " + number(value) + "\n")
}

var (
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	valueEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// number writes a number as Prometheus reads it.
func number(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "+Inf"
	case math.IsInf(v, -1):
		return "-Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
