package snsserver

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"omnibus/bus/topics"
)

// A poster takes deliveries to endpoints over HTTP, each in a goroutine of its
// own, and tries those that fail again, as their delivery policy says. It goes to
// loopback addresses only.
type poster struct {
	client *http.Client
	bury   func(topics.Post)
	ctx    context.Context // of all deliveries
	cancel context.CancelFunc
	posts  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	room   int // bytes that further deliveries under way may take
}

const (
	// postTimeout is how long an endpoint may take to answer.
	postTimeout = 15 * time.Second

	// maxPending bounds what deliveries that wait hold in memory: some ten thousand
	// small ones. What is over it is given up at once.
	maxPending = 128 << 20

	// postBytes is what a delivery takes beside its body, as measured: 13 KiB while it
	// waits for a connection or an answer, most of it the stack of its goroutine and the
	// request, and 7 KiB until it is tried again.
	postBytes = 13 << 10
)

// size returns how much memory a delivery takes.
func size(post topics.Post) int { return postBytes + len(post.Body) }

func newPoster(transport http.RoundTripper) *poster {
	if transport == nil {
		transport = newTransport()
	}
	p := &poster{client: &http.Client{
		Transport:     transport,
		Timeout:       postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, room: maxPending}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

func newTransport() http.RoundTripper {
	return &http.Transport{
		DialContext: (&net.Dialer{Timeout: postTimeout, Control: dialLoopback}).DialContext,
		// Nobody has a certificate for a loopback address.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		MaxConnsPerHost: 32,
		IdleConnTimeout: time.Minute,
	}
}

// dialLoopback refuses a connection to another address than a loopback one, of
// whatever name.
func dialLoopback(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("snsserver: %s is not a loopback address", address)
	}
	return nil
}

// isLoopback reports whether a URL has a loopback address, or the name localhost.
func isLoopback(u string) bool {
	parsed, err := url.Parse(u)
	if err != nil {
		return false
	}
	host := parsed.Hostname()
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// Post takes a delivery. It does not wait.
func (p *poster) Post(post topics.Post) {
	p.mu.Lock()
	taken := !p.closed && isLoopback(post.URL) && size(post) <= p.room
	if taken {
		p.room -= size(post)
		p.posts.Add(1)
	}
	p.mu.Unlock()
	if !taken {
		p.bury(post)
		return
	}
	go func() {
		defer p.posts.Done()
		if !p.deliver(post) {
			p.bury(post)
		}
		p.mu.Lock()
		p.room += size(post)
		p.mu.Unlock()
	}()
}

// deliver tries until the endpoint has taken the delivery, or refuses it for good,
// or the tries are used up.
func (p *poster) deliver(post topics.Post) bool {
	for i := 0; ; i++ {
		done, again := p.try(post)
		if done || !again || i == len(post.Delays) {
			return done
		}
		select {
		case <-time.After(post.Delays[i]):
		case <-p.ctx.Done():
			return false
		}
	}
}

// try makes one request. again says that a failure may be a passing one: all are
// but the status codes 3xx and 4xx, except 429.
func (p *poster) try(post topics.Post) (done, again bool) {
	r, err := http.NewRequestWithContext(p.ctx, http.MethodPost, post.URL, strings.NewReader(post.Body))
	if err != nil {
		return false, false
	}
	r.Header.Set("Content-Type", post.ContentType)
	r.Header.Set("User-Agent", "Amazon Simple Notification Service Agent")
	r.Header.Set("X-Amz-Sns-Message-Type", post.MessageType)
	r.Header.Set("X-Amz-Sns-Message-Id", post.MessageID)
	r.Header.Set("X-Amz-Sns-Topic-Arn", post.TopicARN)
	if post.SubscriptionARN != "" {
		r.Header.Set("X-Amz-Sns-Subscription-Arn", post.SubscriptionARN)
	}
	if post.Raw {
		r.Header.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return false, true
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10) // for the connection to be used again; what it says is of no interest
	_ = answer.Body.Close()
	switch status := answer.StatusCode; {
	case status/100 == 2:
		return true, false
	case status == http.StatusTooManyRequests:
		return false, true
	default:
		return false, status >= 500
	}
}

// close ends all deliveries and waits for them.
func (p *poster) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.cancel()
	p.posts.Wait()
	p.client.CloseIdleConnections()
}
