// Package origin tells requests that a page of another site may have sent from those
// of programs and of pages of the server's own.
//
// Any page can have its visitor's browser send requests to loopback: an image's
// address is a GET, and a form or a script can POST. The page cannot read the
// answers, but a purge needs no reader. A page whose name its owner points at
// loopback after it was loaded (DNS rebinding) reads them too, with that name as the
// Host. So a server that asks nobody who they are checks two things of a request:
// that its Host is a name that nobody else can point here, with [Hosts.Allow]; and
// what a browser says of the page that it comes from, with [Same] and [OtherSite].
// Programs say nothing of that kind.
package origin

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Hosts are the names that requests may be for, besides those of loopback.
type Hosts struct {
	Names     []string // in lower case; ".name" for all below one
	Addresses bool     // any address, as in a network
}

// Allow reports whether a Host cannot be a name that a stranger owns. An address
// is no name, and none at all is what HTTP/1.0 sends.
func (h Hosts) Allow(host string) bool {
	if host == "" {
		return true
	}
	name := Hostname(host)
	if isLoopbackName(name) {
		return true
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return h.Addresses || IsLoopback(ip) || ip.IsUnspecified() // 0.0.0.0 is this machine
	}
	for _, n := range h.Names {
		if n[0] == '.' && hasSuffixFold(name, n) || strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// OtherSite returns why a request is taken for one of another site's page, or "",
// by what else than the Origin a browser says.
//
// Browsers tell the origin with what a page POSTs, and Sec-Fetch-Site with all
// that goes to loopback or by https. Old ones do not, and none does over plain
// http to another machine; those are known by the name that all browsers have, and
// a page cannot change.
func OtherSite(h http.Header) string {
	site := h["Sec-Fetch-Site"]
	for _, s := range site {
		if s != "same-origin" && s != "none" {
			return "A page of another site sent this request."
		}
	}
	if h["Origin"] == nil && site == nil {
		if agent := h["User-Agent"]; len(agent) > 0 && strings.HasPrefix(agent[0], "Mozilla/") {
			return "A browser sent this request, and does not say for which page."
		}
	}
	return ""
}

// Same reports whether an origin is the one that the request was sent to.
func Same(origin, host string) bool {
	_, originHost, found := strings.Cut(origin, "://")
	return found && host != "" && strings.EqualFold(originHost, host)
}

// Hostname returns a Host without port, brackets and final dot.
func Hostname(host string) string {
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

// IsLoopback reports whether an address is this machine's own, also as IPv6 writes
// those of IPv4.
func IsLoopback(ip netip.Addr) bool { return ip.Unmap().IsLoopback() }

// hasSuffixFold is strings.HasSuffix without regard to case.
func hasSuffixFold(s, suffix string) bool {
	return len(s) > len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// CheckHost reports a name for [Hosts] that no Host can match.
func CheckHost(name string) error {
	u, err := url.Parse("http://" + strings.TrimPrefix(name, ".") + "/")
	if err != nil || u.Host == "" || u.Path != "/" || u.Port() != "" || strings.ContainsAny(name, ":*@?#") {
		return fmt.Errorf("%s is not the name of a host; want one as in a URL, without scheme and port, or .name for all names below it", name)
	}
	return nil
}
