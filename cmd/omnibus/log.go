package main

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"gocloud.dev/pubsub"

	"omnibus/bus"
	"omnibus/workers"
)

// logFlags say what is logged, and how. Logs go to standard error.
type logFlags struct {
	flags         *flagSet
	level, format string
}

// addLog adds the flags -log-level and -log-format.
func (f *flagSet) addLog() {
	f.logging = &logFlags{flags: f}
	f.StringVar(&f.logging.level, "log-level", "info", "least `level` of what is logged to standard error: debug, info, warn or error; the\nbodies of messages are logged by debug only")
	f.StringVar(&f.logging.format, "log-format", "", "`format` of the log: text or json (default: text on a terminal, json elsewhere)")
}

// apply makes the logger that the flags say.
func (l *logFlags) apply() error {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[strings.ToLower(l.level)]
	if !ok {
		return usagef("-log-level is %q; allowed are debug, info, warn and error", l.level)
	}
	a := l.flags.app
	var h slog.Handler
	switch opts := (&slog.HandlerOptions{Level: level}); {
	case l.format == "json" || l.format == "" && !a.errTerminal:
		h = slog.NewJSONHandler(harmless{a.stderr}, opts)
	case l.format == "text" || l.format == "":
		h = slog.NewTextHandler(a.stderr, opts)
	default:
		return usagef("-log-format is %q; allowed are text and json", l.format)
	}
	a.logger = slog.New(h)
	if a.setLogger != nil {
		a.setLogger(a.logger)
	}
	return nil
}

// log returns the command's logger.
func (a *app) log() *slog.Logger {
	if a.logger == nil {
		return slog.Default()
	}
	return a.logger
}

// logBody logs a message with its body, for those who look for errors.
func logBody(ctx context.Context, log *slog.Logger, text string, m *pubsub.Message) {
	if log.Enabled(ctx, slog.LevelDebug) {
		body := plain(m.Body, m.Metadata[workers.ContentType])
		log.LogAttrs(ctx, slog.LevelDebug, text, append(describe(m), slog.String("body", string(body)))...)
	}
}

// logDone logs what came of a delivery, for those who look for errors: of what goes wrong
// the output or the command's end tells, and of lost leases and burials the consumer.
func logDone(log *slog.Logger, d workers.Done) {
	attrs := append(describe(d.Message), slog.Duration("took", d.Took))
	if d.Err != nil {
		log.LogAttrs(context.Background(), slog.LevelDebug, "a message was not handled", append(attrs, slog.String("error", d.Err.Error()))...)
		return
	}
	log.LogAttrs(context.Background(), slog.LevelDebug, "a message was handled", attrs...)
}

// describe returns what a log says of a message; not its body.
func describe(m *pubsub.Message) []slog.Attr {
	d := bus.Details(m)
	attrs := []slog.Attr{slog.String("id", d.ID), slog.Int("receive_count", d.ReceiveCount)}
	if d.Group != "" {
		attrs = append(attrs, slog.String("group", d.Group))
	}
	return attrs
}

// harmless makes what a terminal would obey visible in lines of JSON. The format text
// does so itself.
type harmless struct{ w io.Writer }

func (h harmless) Write(line []byte) (int, error) {
	if _, err := io.WriteString(h.w, visibleJSON(strings.TrimSuffix(string(line), "\n"))+"\n"); err != nil {
		return 0, err
	}
	return len(line), nil
}
