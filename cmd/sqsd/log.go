package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// requestLog writes a line for each request: what it asked for, and how and when
// it was answered. Bodies are not in it.
type requestLog struct {
	next http.Handler
	log  *slog.Logger
}

// newLogger returns a logger that writes in a format of -log.
func newLogger(format string, w io.Writer) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if a.Key == slog.LevelKey || a.Key == slog.MessageKey { // the same in each line
			return slog.Attr{}
		}
		return a
	}}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("-log %s: want text or json", format)
}

// statusGone is the status of a request whose client hung up before its answer, as
// nginx has it.
const statusGone = 499

func (l *requestLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	a := &loggedAnswer{ResponseWriter: w, status: statusGone}
	defer func() { // of a handler that gave up, too
		took := time.Since(begun)
		l.log.LogAttrs(context.Background(), slog.LevelInfo, "",
			slog.String("account", a.account), slog.String("region", a.region),
			slog.String("action", a.action), slog.String("queue", a.queue),
			slog.Int("status", a.status), slog.Int64("bytes", a.bytes),
			slog.Float64("ms", float64(took.Microseconds())/1e3))
	}()
	l.next.ServeHTTP(a, r)
}

// loggedAnswer is an answer of which a line is to be written.
type loggedAnswer struct {
	http.ResponseWriter
	account, region, action, queue string
	status                         int
	bytes                          int64
}

// Describe makes it a sqsserver.Describer.
func (a *loggedAnswer) Describe(account, region, action, queue string) {
	const most = 80 // as long as names are; a client may send anything
	a.account, a.region, a.action, a.queue = account, region, action, queue[:min(len(queue), most)]
}

func (a *loggedAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *loggedAnswer) Write(b []byte) (int, error) {
	if a.status == statusGone {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (a *loggedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
