package sigv4

import (
	"net/http"
	"net/url"
	"strings"
)

// A Scope is what a request's Credential says: whose key it is signed with, and
// for which region and service.
type Scope struct {
	KeyID, Region, Service string
}

// ScopeOf reads the scope of a request's signature, which is not checked, in the
// header Authorization or in the query of a presigned URL. It reports false for a
// request that has none.
func ScopeOf(r *http.Request) (Scope, bool) {
	credential := ""
	if authorization := r.Header["Authorization"]; len(authorization) > 0 {
		_, credential, _ = strings.Cut(authorization[0], "Credential=")
		credential, _, _ = strings.Cut(credential, ",")
	} else if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		query, _ := url.ParseQuery(r.URL.RawQuery) // what can be read of it will do
		credential = query.Get("X-Amz-Credential")
	}
	parts := strings.Split(strings.TrimSpace(credential), "/") // key, date, region, service, terminator
	if len(parts) != 5 || parts[4] != terminator {
		return Scope{}, false
	}
	return Scope{parts[0], parts[2], parts[3]}, true
}

// Account returns the account whose key it is by the convention of local
// endpoints, where an access key of twelve digits is the account's id. It is "" for
// any other key.
func (s Scope) Account() string {
	if len(s.KeyID) != 12 || strings.Trim(s.KeyID, "0123456789") != "" {
		return ""
	}
	return s.KeyID
}
