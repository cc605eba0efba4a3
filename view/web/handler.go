package web

import (
	"context"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strings"
	"time"

	"omnibus/bus/spec"
	"omnibus/internal/origin"
)

//go:embed page
var page embed.FS

// Options configure a page.
type Options struct {
	Source   Source        // required
	Workers  Workers       // who work on the queues; nil if nobody knows
	Title    string        // what the page calls the place of the queues
	Hosts    origin.Hosts  // that requests may be for
	Token    string        // what callers must show; "" lets all in
	ReadOnly bool          // refuse all that changes something
	Every    time.Duration // from one sample of the counts to the next; 0 means a second
}

// A Handler serves the page and what it calls, with paths below the one that it is
// mounted at: see [Mount].
type Handler struct {
	o       Options
	mux     http.ServeMux
	samples samples
	tasks   tasks
	ended   context.Context
	end     context.CancelFunc
}

// New returns a handler. It runs a goroutine only while a redrive is under way, which
// Close ends.
func New(o Options) *Handler {
	if o.Every == 0 {
		o.Every = time.Second
	}
	h := &Handler{o: o, samples: samples{source: o.Source, every: o.Every}}
	h.ended, h.end = context.WithCancel(context.Background())
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the name is a constant
	}
	h.mux.Handle("GET /", cached(http.FileServerFS(files)))
	h.mux.HandleFunc("GET /api/live", h.live)
	h.mux.HandleFunc("GET /api/history", h.history)
	h.mux.HandleFunc("GET /api/queue", h.queue)
	h.mux.HandleFunc("GET /api/messages", h.messages)
	h.mux.HandleFunc("GET /api/message", h.message)
	h.handle("send", h.send)
	h.handle("purge", h.purge)
	h.handle("delete", h.remove)
	h.handle("redrive", h.redrive)
	h.handle("cancel", h.cancel)
	h.handle("work", h.work)
	return h
}

// Close ends the streams of all who watch, and a redrive that is under way. A server
// that drains would wait for them.
func (h *Handler) Close() { h.end() }

// Mount returns a handler that serves h below a path, which begins and ends with a
// slash, and all else with next. The path without its last slash leads there.
func Mount(path string, h *Handler, next http.Handler) http.Handler {
	below := http.StripPrefix(strings.TrimSuffix(path, "/"), h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, path):
			below.ServeHTTP(w, r)
		case r.URL.Path+"/" == path:
			http.Redirect(w, r, path, http.StatusMovedPermanently)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	if !h.o.Hosts.Allow(r.Host) {
		refuse(w, http.StatusForbidden, fmt.Sprintf("The Host %.200q is not a name of this machine, nor one that the program was given.", r.Host))
		return
	}
	// The page itself tells nothing, and may be opened from a link elsewhere.
	if strings.HasPrefix(r.URL.Path, "/api/") {
		header.Set("Cache-Control", "no-store")
		if why := h.foreign(r); why != "" {
			refuse(w, http.StatusForbidden, why)
			return
		}
		if !h.knows(r) {
			refuse(w, http.StatusUnauthorized, "This page needs its token, which is in the address that the program printed.")
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

// foreign returns why a call is taken for one of another site's page, or "".
func (h *Handler) foreign(r *http.Request) string {
	if from := r.Header["Origin"]; from != nil && (len(from) != 1 || !origin.Same(from[0], r.Host)) {
		return fmt.Sprintf("The page's origin, %.200q, is not this page's.", from)
	}
	if h.o.Token != "" && r.Header["Sec-Fetch-Site"] == nil {
		return "" // by plain http from another machine no browser tells, and the token does
	}
	return origin.OtherSite(r.Header)
}

// knows reports whether a request has the token. It comes in a header, which browsers
// add to nothing by themselves.
func (h *Handler) knows(r *http.Request) bool {
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return h.o.Token == "" || bearer && subtle.ConstantTimeCompare([]byte(token), []byte(h.o.Token)) == 1
}

// cached has browsers ask each time whether a file has changed.
func cached(files http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}

// maxBody bounds a call: a message of the greatest size, each byte escaped.
const maxBody = 8 << 20

// handle has a call answered that changes something: a POST of a JSON document, which
// do reads and whose result is the answer.
func (h *Handler) handle(name string, do func(r *http.Request, decode func(any) error) (any, error)) {
	h.mux.HandleFunc("POST /api/"+name, func(w http.ResponseWriter, r *http.Request) {
		if h.o.ReadOnly {
			refuse(w, http.StatusForbidden, "This page is for looking only.")
			return
		}
		// Of a page of another site a browser would ask first.
		if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
			refuse(w, http.StatusUnsupportedMediaType, "The Content-Type must be application/json.")
			return
		}
		body := http.MaxBytesReader(w, r.Body, maxBody)
		result, err := do(r, func(to any) error {
			d := json.NewDecoder(body)
			d.DisallowUnknownFields()
			if err := d.Decode(to); err != nil {
				return badCall{err}
			}
			if _, err := d.Token(); err != io.EOF {
				return badCall{errors.New("there is more than one JSON document")}
			}
			return nil
		})
		answer(w, result, err)
	})
}

// badCall is a call that makes no sense.
type badCall struct{ error }

// answer answers a result, or an error with the status that says whose fault it is.
func answer(w http.ResponseWriter, result any, err error) {
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(result) // an error is that the client has gone
	case errors.As(err, new(badCall)):
		refuse(w, http.StatusBadRequest, err.Error())
	case errors.Is(err, spec.QueueDoesNotExist):
		refuse(w, http.StatusNotFound, err.Error())
	case errors.Is(err, errors.ErrUnsupported):
		refuse(w, http.StatusNotImplemented, err.Error())
	default:
		refuse(w, http.StatusUnprocessableEntity, err.Error())
	}
}

// refuse answers why a call fails.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why}) // an error is that the client has gone
}
