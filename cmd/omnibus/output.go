package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// output takes what a command prints. After a write has failed, all others fail with
// the same error, and the command is stopped: nobody hears it any more.
type output struct {
	w        io.Writer
	stopping <-chan struct{} // closed when the command is to end
	stop     func()          // closes stopping
	patience time.Duration   // how long a write may take then, since nobody may be reading the pipe

	mu  sync.Mutex // guards err, and keeps lines in one piece
	err error
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	if o.err = o.write(slices.Clone(p)); o.err != nil {
		o.stop()
		return 0, o.err
	}
	return len(p), nil
}

// write writes p. It may return before p is written, and then keeps it.
func (o *output) write(p []byte) error {
	done := make(chan error, 1)
	go func() {
		_, err := o.w.Write(p)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-o.stopping:
	}
	select {
	case err := <-done:
		return err
	case <-time.After(o.patience):
		return errors.New("the output is not read")
	}
}

// failure returns the error that ended the output, or nil.
func (o *output) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// printer writes a command's output, either for people or as one JSON object a
// line.
type printer struct {
	w    io.Writer
	json bool
}

// print writes the line for people, or v. Strings and bytes in args are made
// visible, and so is what v holds.
func (p printer) print(v any, format string, args ...any) error {
	if p.json {
		return p.object(v)
	}
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = visible(a)
		case []byte:
			args[i] = visible(string(a))
		}
	}
	_, err := fmt.Fprintf(p.w, format+"\n", args...)
	return err
}

// object writes v, a struct of plain fields, as a line of JSON.
func (p printer) object(v any) error {
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	_, err := fmt.Fprintln(p.w, visibleJSON(line.String()[:line.Len()-1]))
	return err
}
