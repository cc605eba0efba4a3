package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/spec"
	"omnibus/bus/sqsserver"
)

// pipes is a listener whose connections are pipes, which a synctest bubble knows
// how to wait for.
type pipes struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.conns <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// bubble is sqsd in a synctest bubble, with an empty queue q.
type bubble struct {
	*pipes
	t      *testing.T
	server *sqsserver.Server
	stop   context.CancelFunc
	ended  chan error
}

func serveInBubble(t *testing.T) *bubble {
	t.Helper()
	return serveAtMost(t, maxConns)
}

// serveAtMost is serveInBubble with so many connections at most.
func serveAtMost(t *testing.T, most int) *bubble {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	b := &bubble{
		pipes: &pipes{conns: make(chan net.Conn), closed: make(chan struct{})},
		t:     t, server: sqsserver.New(nil), stop: stop, ended: make(chan error, 1),
	}
	if _, err := b.server.Engine().Create("q", spec.QueueSettings{}); err != nil {
		t.Fatal(err)
	}
	go func() { b.ended <- serve(ctx, newConnections(b.pipes, most), &intake{next: b.server}, b.server.Drain) }()
	return b
}

func (b *bubble) connect() net.Conn {
	b.t.Helper()
	conn, err := b.dial(b.t.Context(), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// ask sends a form on a connection.
func ask(conn net.Conn, form string) {
	fmt.Fprintf(conn, "POST /000000000000/q HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(form), form)
}

// post sends a form on a connection and returns the answer.
func (b *bubble) post(conn net.Conn, form string) string {
	b.t.Helper()
	ask(conn, form)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(answer)
}

// drip sends a request that arrives by one byte a second, and returns a channel
// that is closed when the server has had enough.
func (b *bubble) drip() <-chan struct{} {
	conn := b.connect()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, conn) // whatever ends it
	}()
	go func() {
		_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
		for err == nil {
			select {
			case <-done:
				return
			case <-time.After(time.Second):
				_, err = io.WriteString(conn, "x")
			}
		}
	}()
	return done
}

func TestSlowRequestIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		begun := time.Now()
		<-b.drip()
		if took := time.Since(begun); took > readTimeout+time.Second {
			t.Errorf("a request was waited for %v", took)
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestSlowRequestDoesNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		done := b.drip()
		time.Sleep(1500 * time.Millisecond)
		begun := time.Now()
		b.stop()
		if err := <-b.ended; err != nil || time.Since(begun) > readTimeout {
			t.Errorf("ended after %v: %v", time.Since(begun), err)
		}
		<-done
	})
}

func TestLongPollIsNotCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		conn := b.connect()
		for range 2 {
			begun := time.Now()
			if got := b.post(conn, "Action=ReceiveMessage&WaitTimeSeconds=20"); !strings.Contains(got, "ReceiveMessageResponse") || time.Since(begun) != 20*time.Second {
				t.Errorf("answered after %v: %s", time.Since(begun), got)
			}
			time.Sleep(idleTimeout - time.Second) // and the connection stays
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

// TestSignalUnderLoadLosesNothing stops the program while clients send as fast
// as they can: the queue has every message whose sending was answered, and no
// other than those whose senders got an error.
func TestSignalUnderLoadLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		const clients, stopAt = 8, 200
		var mu sync.Mutex
		answered, failed := 0, 0
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				transport := &http.Transport{DialContext: b.dial}
				defer transport.CloseIdleConnections()
				client := &http.Client{Transport: transport}
				for {
					resp, err := client.Post("http://h/000000000000/q", "application/x-www-form-urlencoded", strings.NewReader("Action=SendMessage&MessageBody=m"))
					var answer []byte
					if err == nil {
						answer, err = io.ReadAll(resp.Body)
						_ = resp.Body.Close()
					}
					mu.Lock()
					if err != nil {
						failed++
						mu.Unlock()
						return
					}
					if !strings.Contains(string(answer), "<MessageId>") {
						t.Errorf("answered %s", answer)
					}
					answered++
					if answered == stopAt {
						b.stop()
					}
					mu.Unlock()
				}
			})
		}
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
		wg.Wait()
		q, err := b.server.Engine().Queue("q")
		if err != nil {
			t.Fatal(err)
		}
		a, err := q.Attributes()
		if err != nil {
			t.Fatal(err)
		}
		if a.Visible < answered || a.Visible > answered+failed || answered < stopAt {
			t.Errorf("%d messages are there; %d were answered, %d failed", a.Visible, answered, failed)
		}
	})
}
