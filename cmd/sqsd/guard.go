package main

import (
	"fmt"
	"net/http"
	"strings"

	"omnibus/internal/origin"
)

// guard refuses what a page in a browser makes it send to an endpoint that asks
// nobody who they are, by the rules of package origin: a request's Host must be a
// name that nobody else can point here; and what a browser says of the page that a
// request comes from must be this very origin, or one that -cors names. Programs say
// nothing of that kind, and pass.
type guard struct {
	next  http.Handler
	hosts origin.Hosts
	cors  origins
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.hosts.Allow(r.Host) {
		accessDenied.answer(w, r, fmt.Sprintf("The Host %.200q is not a name of this machine; sqsd -host %.200s allows it.", r.Host, origin.Hostname(r.Host)))
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

// foreign returns why a request is taken for one of a foreign page, or "".
func (g *guard) foreign(r *http.Request) string {
	h := r.Header
	if from := h["Origin"]; from != nil {
		if g.cors.allow(from) {
			return ""
		}
		if len(from) != 1 || !origin.Same(from[0], r.Host) {
			return fmt.Sprintf("The page's origin, %.200q, is not allowed; sqsd -cors ORIGIN allows one.", from)
		}
	}
	if why := origin.OtherSite(h); why != "" {
		return why
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
