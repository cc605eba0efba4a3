package sqsserver

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

func (c *call) base() string { return c.server.Base(c.req) }

// Base returns what the URLs of queues begin with in the answer to a request,
// scheme, host and a path if any, without a final slash: Options.ExternalURL, or
// else what the client sent its request to. A proxy says what that was in X-Forwarded-Proto, -Host and
// -Prefix. A client of HTTP/1.0 need not say it; then it is where the request
// arrived.
func (s *Server) Base(r *http.Request) string {
	if s.external != "" {
		return s.external
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if host == "" {
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			host = a.String()
		}
	}
	h := r.Header
	if proto := forwarded(h, "X-Forwarded-Proto"); strings.EqualFold(proto, "http") || strings.EqualFold(proto, "https") {
		scheme = strings.ToLower(proto)
	}
	if name := forwarded(h, "X-Forwarded-Host"); isURLHost(name) {
		host = name
	}
	prefix := strings.TrimRight(forwarded(h, "X-Forwarded-Prefix"), "/")
	if u, err := url.Parse(prefix); err != nil || u.Path != prefix || !strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, "//") {
		prefix = ""
	}
	return scheme + "://" + host + prefix
}

// forwarded returns what the proxy that is nearest to the client says.
func forwarded(h http.Header, name string) string {
	v := h[name]
	if len(v) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(v[0], ",")
	return strings.TrimSpace(first)
}

func isURLHost(host string) bool {
	u, err := url.Parse("http://" + host)
	return err == nil && host != "" && u.Host == host
}

// checkExternalURL reports a URL that queue URLs cannot begin with.
func checkExternalURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("sqsserver: external URL %q is not one that queue URLs can begin with; want http or https, a host, and a path if need be", s)
	}
	return nil
}
