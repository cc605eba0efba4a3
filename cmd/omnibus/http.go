package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"omnibus/bus"
	"omnibus/internal/origin"
	"omnibus/view/web"
	"omnibus/view/web/queues"
)

// pageFlags are the flags of a command that serves a page.
type pageFlags struct {
	app      *app
	addr     string
	readOnly bool
}

// addPage adds the flags.
func (f *flagSet) addPage() *pageFlags {
	p := &pageFlags{app: f.app}
	f.StringVar(&p.addr, "http", "", "`address` of a page that shows the queues live in a browser, such as :8080. Without a\nhost it is on loopback; beyond loopback the page needs the token in the address that\nis printed")
	f.BoolVar(&p.readOnly, "http-read-only", false, "let that page look only")
	return p
}

// on reports whether a page is asked for.
func (p *pageFlags) on() bool { return p.addr != "" }

// check reports flags that make no sense.
func (p *pageFlags) check() error {
	if p.on() {
		if _, _, err := net.SplitHostPort(p.addr); err != nil {
			return usagef("-http %s is not an address: %v; want one such as :8080 or 127.0.0.1:8080", p.addr, err)
		}
		return nil
	}
	if p.readOnly {
		return usagef("-http-read-only is for a page; -http ADDRESS serves one")
	}
	return nil
}

// serve serves the page until stop is called, and prints its address.
func (p *pageFlags) serve(o web.Options) (h *web.Handler, stop func() error, err error) {
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return nil, nil, err // check has taken it
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, nil, err
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	token := ""
	if !origin.IsLoopback(at.Addr()) {
		o.Token = rand.Text()
		o.Hosts.Addresses = true
		token = "#token=" + o.Token
	}
	shown := netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
	if _, err := netip.ParseAddr(host); err != nil { // a name
		o.Hosts.Names = []string{strings.ToLower(host)}
		shown = net.JoinHostPort(host, fmt.Sprint(at.Port()))
	} else if at.Addr().IsUnspecified() {
		shown = fmt.Sprintf("127.0.0.1:%d", at.Port())
	}
	o.ReadOnly = p.readOnly
	h = web.New(o)
	server := &http.Server{Handler: h, ReadTimeout: pageTime, IdleTimeout: 10 * time.Minute, MaxHeaderBytes: 64 << 10}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	fmt.Fprintf(p.app.stderr, "page at http://%s/%s\n", shown, token)
	return h, func() error {
		h.Close()
		ctx, cancel := context.WithTimeout(context.Background(), pageTime)
		defer cancel()
		err := server.Shutdown(ctx)
		if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
			err = errors.Join(err, served)
		}
		return err
	}, nil
}

// serveQueues serves a page of queues until ctx ends.
func (p *pageFlags) serveQueues(ctx context.Context, qs []*bus.Queue, every time.Duration) error {
	_, stop, err := p.serve(web.Options{Source: queues.New(qs...), Title: "omnibus watch", Every: every})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return stop()
}

// pageTime is how long a request of the page may take to arrive, and all of them to end.
const pageTime = 5 * time.Second
