package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// guard refuses what a page in a browser makes it send to an endpoint that asks
// nobody who they are. Any page can have its visitor's browser send requests to
// loopback: an image's address is a GET, and a form or a script can POST. The
// page cannot read the answers, but a purge needs no reader. A page whose name
// its owner points at loopback after it was loaded (DNS rebinding) reads them
// too, with that name as the Host.
//
// So a request's Host must be a name that nobody else can point here; and what a
// browser says of the page that a request comes from must be this very origin, or
// one that -cors names. Programs say nothing of that kind, and pass.
type guard struct {
	next      http.Handler
	hosts     []string // names other than loopback's, in lower case; ".name" for all below one
	addresses bool     // any address as Host, as in a network
	cors      origins
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.allowsHost(r.Host) {
		accessDenied.answer(w, r, fmt.Sprintf("The Host %.200q is not a name of this machine; sqsd -host %.200s allows it.", r.Host, hostname(r.Host)))
		return
	}
	if r.Header["Origin"] != nil && g.cors.handle(w, r) {
		return // a preflight
	}
	if why := g.foreign(r); why != "" {
		accessDenied.answer(w, r, why)
		return
	}
	g.next.ServeHTTP(w, r)
}

// allowsHost reports whether a Host cannot be a name that a stranger owns. An
// address is no name, and none at all is what HTTP/1.0 sends.
func (g *guard) allowsHost(host string) bool {
	if host == "" {
		return true
	}
	name := hostname(host)
	if isLoopbackName(name) {
		return true
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return g.addresses || isLoopback(ip) || ip.IsUnspecified() // 0.0.0.0 is this machine
	}
	for _, h := range g.hosts {
		if h[0] == '.' && hasSuffixFold(name, h) || strings.EqualFold(name, h) {
			return true
		}
	}
	return false
}

// foreign returns why a request is taken for one of a foreign page, or "".
//
// Browsers tell the origin with what a page POSTs, and Sec-Fetch-Site with all
// that goes to loopback or by https. Old ones do not, and none does over plain
// http to another machine; those are known by the name that all browsers have, and
// a page cannot change.
func (g *guard) foreign(r *http.Request) string {
	h := r.Header
	origin, site := h["Origin"], h["Sec-Fetch-Site"]
	if origin != nil {
		if g.cors.allow(origin) {
			return ""
		}
		if len(origin) != 1 || !sameOrigin(origin[0], r.Host) {
			return fmt.Sprintf("The page's origin, %.200q, is not allowed; sqsd -cors ORIGIN allows one.", origin)
		}
	}
	for _, s := range site {
		if s != "same-origin" && s != "none" {
			return "A page of another site sent this request."
		}
	}
	if origin == nil && site == nil {
		if agent := h["User-Agent"]; len(agent) > 0 && strings.HasPrefix(agent[0], "Mozilla/") {
			return "A browser sent this request, and does not say for which page."
		}
	}
	if h["X-Amz-Target"] == nil && r.Method == http.MethodPost {
		if t := h["Content-Type"]; len(t) > 0 && isPageType(t[0]) {
			return fmt.Sprintf("The Content-Type %.80q is not one of SQS's; pages of other sites could send it.", t[0])
		}
	}
	return ""
}

// isPageType reports a type that a page can POST to anywhere and no client of SQS
// sends. The third of that kind is the Query protocol's own.
func isPageType(t string) bool {
	t, _, _ = strings.Cut(t, ";")
	t = strings.TrimSpace(t)
	return strings.EqualFold(t, "text/plain") || strings.EqualFold(t, "multipart/form-data")
}

// sameOrigin reports whether an origin is the one that the request was sent to.
func sameOrigin(origin, host string) bool {
	_, originHost, found := strings.Cut(origin, "://")
	return found && host != "" && strings.EqualFold(originHost, host)
}

// hostname returns a Host without port, brackets and final dot.
func hostname(host string) string {
	if inner, port, found := strings.Cut(host, "]"); found && strings.HasPrefix(inner, "[") && (port == "" || port[0] == ':') {
		return inner[1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.IndexByte(host, ':') == i {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// isLoopbackName reports a name that the public DNS cannot have: localhost and
// all below it (RFC 6761), and what containers call the machine that they run on.
func isLoopbackName(name string) bool {
	return strings.EqualFold(name, "localhost") || hasSuffixFold(name, ".localhost") ||
		strings.EqualFold(name, "host.docker.internal") || strings.EqualFold(name, "host.containers.internal")
}

func isLoopback(ip netip.Addr) bool { return ip.Unmap().IsLoopback() }

// hasSuffixFold is strings.HasSuffix without regard to case.
func hasSuffixFold(s, suffix string) bool {
	return len(s) > len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// checkHost reports a value of -host that no Host can match.
func checkHost(name string) error {
	u, err := url.Parse("http://" + strings.TrimPrefix(name, ".") + "/")
	if err != nil || u.Host == "" || u.Path != "/" || u.Port() != "" || strings.ContainsAny(name, ":*@?#") {
		return fmt.Errorf("-host %s is not the name of a host; want one as in a URL, without scheme and port, or .name for all names below it", name)
	}
	return nil
}
