package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// origins are those whose pages may use the endpoint, as a browser writes them:
// http://localhost:3000. The one element * stands for all.
type origins []string

// allow reports whether a request with these Origin headers comes from such a
// page.
func (o origins) allow(origin []string) bool {
	return len(origin) == 1 && (slices.Contains(o, origin[0]) || slices.Contains(o, "*"))
}

// handle lets a page read the answer, and answers the preflight that a browser
// sends before a request with headers of an SDK's, and reports whether it was one.
// Of a page that is not allowed it does neither.
func (o origins) handle(w http.ResponseWriter, r *http.Request) (preflight bool) {
	origin := r.Header["Origin"]
	if !o.allow(origin) {
		return false
	}
	h := w.Header()
	h["Access-Control-Allow-Origin"] = origin
	h["Access-Control-Expose-Headers"] = []string{"x-amzn-RequestId, x-amzn-query-error"}
	h["Vary"] = []string{"Origin"}
	if r.Method != http.MethodOptions {
		return false
	}
	h["Access-Control-Allow-Methods"] = []string{"GET, POST"}
	if asked := r.Header["Access-Control-Request-Headers"]; asked != nil {
		h["Access-Control-Allow-Headers"] = asked
	}
	if r.Header["Access-Control-Request-Private-Network"] != nil {
		h["Access-Control-Allow-Private-Network"] = []string{"true"}
	}
	h["Access-Control-Max-Age"] = []string{"600"}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// checkOrigin reports a value of -cors that is not an origin.
func checkOrigin(origin string) error {
	if origin == "*" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != origin || origin != strings.ToLower(origin) {
		return fmt.Errorf("-cors %s is not an origin; want one as a browser writes it, such as http://localhost:3000, or * for all", origin)
	}
	return nil
}
