package workers_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"gocloud.dev/pubsub"

	"omnibus/workers"
)

// A service that takes orders by HTTP and handles them, until it is sent a signal. What
// is in hand then is finished: the request first, and the message last.
func ExampleRun() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	q := open("mem://example-run")
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = q.Topic.Send(r.Context(), &pubsub.Message{Body: body})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Println("accepted")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go order(l.Addr().String())
	err = workers.Run(ctx,
		&workers.HTTPServer{Server: &http.Server{Handler: orders}, Listener: l},
		&workers.Consumer{Queue: q, Handler: func(ctx context.Context, m *pubsub.Message) error {
			fmt.Printf("handled %s\n", m.Body)
			stop() // as a signal would
			return nil
		}},
	)
	if err != nil { // nil after a stop
		log.Fatal(err)
	}
	if err := q.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Unordered output:
	// accepted
	// handled order 17
}

// order is a customer.
func order(address string) {
	answer, err := http.Post("http://"+address+"/orders", "text/plain", strings.NewReader("order 17"))
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
}
