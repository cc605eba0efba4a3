package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"omnibus/bus/engine"
	"omnibus/bus/spec"
)

const receiveTen = "Action=ReceiveMessage&MaxNumberOfMessages=10&VisibilityTimeout=0"

// fill has the queue hold ten messages of the largest size, whose characters take
// six bytes each in an answer.
func (b *bubble) fill() {
	b.t.Helper()
	q, err := b.server.Engine().Queue("q")
	if err != nil {
		b.t.Fatal(err)
	}
	body := strings.Repeat(`"`, spec.MaxMessageBytes)
	for range 10 {
		if _, err := q.Send(engine.Message{Body: body}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// heap returns the bytes that are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// waitClosed returns when the server has closed the connection, reading nothing of
// what it sent: a write is what tells.
func waitClosed(conn net.Conn) {
	for {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestClientsThatDoNotReadHoldNextToNothingAndNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		b.fill()
		const clients = 60 // who ask for 60 MiB each
		before := heap()
		begun := time.Now()
		var conns []net.Conn
		for range clients {
			conn := b.connect()
			ask(conn, receiveTen)
			conns = append(conns, conn)
		}
		synctest.Wait()
		if grown := (heap() - before) / clients; grown > 512<<10 {
			t.Errorf("each holds %d KiB", grown>>10)
		}
		if got := b.post(b.connect(), "Action=GetQueueAttributes"); !strings.Contains(got, "GetQueueAttributesResponse") || time.Since(begun) != 0 {
			t.Errorf("another client was answered after %v: %s", time.Since(begun), got)
		}
		for _, conn := range conns {
			waitClosed(conn)
		}
		if took := time.Since(begun); took > writeTimeout+time.Second {
			t.Errorf("they were waited for %v", took)
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestClientsThatDoNotReadDoNotHoldUpTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		b.fill()
		for range 150 {
			conn := b.connect()
			ask(conn, receiveTen)
			defer conn.Close()
		}
		synctest.Wait()
		begun := time.Now()
		b.stop()
		if err := <-b.ended; err != nil || time.Since(begun) > drainWriteTimeout+time.Second {
			t.Errorf("ended after %v: %v", time.Since(begun), err)
		}
	})
}

func TestASlowReaderGetsAllOfALongAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		b.fill()
		conn := b.connect()
		defer conn.Close()
		ask(conn, receiveTen)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]byte, 64<<10)
		total := 0
		for {
			n, err := io.ReadFull(resp.Body, part)
			total += n
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				break
			}
			if err != nil {
				t.Fatalf("after %d bytes: %v", total, err)
			}
			time.Sleep(time.Second) // a quarter of an hour in all
		}
		if total < 60<<20 {
			t.Errorf("%d bytes arrived", total)
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestBodiesThatStopShortHoldABoundedAmountAndNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		const clients, size = 300, 3 << 20
		body := make([]byte, size-1)
		before := heap()
		answers := make(chan string, clients)
		for range clients {
			conn := b.connect()
			defer conn.Close()
			go func() {
				fmt.Fprintf(conn, "POST /000000000000/q HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size)
				_, _ = conn.Write(body) // until the server has had enough
			}()
			go func() {
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					answers <- err.Error()
					return
				}
				answer, _ := io.ReadAll(resp.Body) // what is cut off shows
				answers <- resp.Status + string(answer)
			}()
		}
		synctest.Wait()
		held := clients - len(answers)
		if want := maxIntake / size; held > want || held < want/2 {
			t.Errorf("%d bodies were taken; want %d", held, want)
		}
		for range clients - held {
			if got := <-answers; !strings.HasPrefix(got, "503 ") || !strings.Contains(got, "<Code>ServiceUnavailable</Code>") {
				t.Errorf("past the bound: %s", got)
			}
		}
		if grown := heap() - before; grown > maxIntake*3/2 {
			t.Errorf("they hold %d MiB", grown>>20)
		}
		begun := time.Now()
		if got := b.post(b.connect(), "Action=SendMessage&MessageBody="+strings.Repeat("x", smallBody/2)); !strings.Contains(got, "<MessageId>") || time.Since(begun) != 0 {
			t.Errorf("another client was answered after %v: %.300s", time.Since(begun), got)
		}
		for range held {
			<-answers
		}
		if took := time.Since(begun); took > readTimeout+time.Second {
			t.Errorf("the rest of the bodies was waited for %v", took)
		}
		if got := b.post(b.connect(), "Action=SendMessage&MessageBody="+strings.Repeat("x", 1<<20)); !strings.Contains(got, "<MessageId>") {
			t.Errorf("a large message after that: %.300s", got)
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestABodyOfUnknownLengthCountsAsTheLargest(t *testing.T) {
	i := &intake{next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {})}
	i.used.Store(maxIntake - 1<<20)
	for length, want := range map[int64]int{-1: 503, 2 << 20: 503, 1 << 20: 200, 0: 200, smallBody: 200, 1 << 40: 503} {
		r := &http.Request{ContentLength: length}
		w := &recorder{status: 200}
		i.ServeHTTP(w, r)
		if w.status != want || i.used.Load() != maxIntake-1<<20 {
			t.Errorf("a length of %d: %d, %d bytes in use", length, w.status, i.used.Load())
		}
	}
}

// recorder keeps the status of an answer.
type recorder struct{ status int }

func (r *recorder) Header() http.Header         { return http.Header{} }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

func TestIdleConnectionsGiveWayToNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4
		b := serveAtMost(t, most)
		var conns []net.Conn
		for range 3 * most { // as clients that keep their connections
			conn := b.connect()
			begun := time.Now()
			if got := b.post(conn, "Action=GetQueueAttributes"); !strings.Contains(got, "GetQueueAttributesResponse") || time.Since(begun) > 2*spareAfter {
				t.Errorf("answered after %v: %s", time.Since(begun), got)
			}
			conns = append(conns, conn)
			time.Sleep(100 * time.Millisecond)
		}
		for _, conn := range conns[:2*most] { // the oldest went first
			if _, err := conn.Write([]byte("x")); err == nil {
				t.Error("an old connection is still open")
			}
		}
		for _, conn := range conns[2*most:] {
			if got := b.post(conn, "Action=GetQueueAttributes"); !strings.Contains(got, "GetQueueAttributesResponse") {
				t.Errorf("a new connection: %s", got)
			}
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestConnectionsInUseDoNotGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveAtMost(t, 2)
		polls := make(chan string)
		for range 2 {
			conn := b.connect()
			go func() { polls <- b.post(conn, "Action=ReceiveMessage&WaitTimeSeconds=20") }()
		}
		synctest.Wait()
		begun := time.Now()
		answered := make(chan string)
		go func() { answered <- b.post(b.connect(), "Action=GetQueueAttributes") }()
		for range 2 {
			if got := <-polls; !strings.Contains(got, "ReceiveMessageResponse") {
				t.Error(got)
			}
		}
		if <-answered; time.Since(begun) < 20*time.Second || time.Since(begun) > 20*time.Second+2*spareAfter {
			t.Errorf("the third was answered after %v", time.Since(begun))
		}
		go func() { _, _ = b.dial(t.Context(), "", "") }() // one that waits for room
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAnIdleConnectionIsClosedInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := serveInBubble(t)
		conn := b.connect()
		b.post(conn, "Action=GetQueueAttributes")
		begun := time.Now()
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || time.Since(begun) != idleTimeout {
			t.Errorf("after %v: %d, %v", time.Since(begun), n, err)
		}
		b.stop()
		if err := <-b.ended; err != nil {
			t.Error(err)
		}
	})
}
