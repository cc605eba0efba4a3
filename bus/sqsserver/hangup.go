package sqsserver

import (
	"context"
	"net"
	"syscall"
)

// A poll whose client has hung up takes nothing. net/http ends a request's context
// when the goroutine that reads on the connection has seen its end, which can be
// after a message that was sent at the same moment has been handed to the poll. So
// before one that has waited takes messages, the socket itself is asked.

type connKey struct{}

// ConnContext is for the [http.Server] that serves a server, as its ConnContext. With
// it a poll whose client has hung up takes no message that is sent at that very
// moment, on systems of the Unix kind, where the connection is a socket's. Without
// it the poll may take one for its visibility timeout.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return ctx
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, connKey{}, raw)
}

// hungUp returns what reports that the client of a request has hung up, nil if only
// the context can tell.
func hungUp(ctx context.Context) func() bool {
	raw, ok := ctx.Value(connKey{}).(syscall.RawConn)
	if !ok {
		return nil
	}
	return func() bool { return ctx.Err() != nil || ended(raw) }
}
