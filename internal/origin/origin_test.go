package origin

import (
	"net/http"
	"testing"
)

// What sqsd's guard makes of these rules is tested there, with requests as browsers
// send them.

func TestNamesThatStrangersMayOwnAreRefused(t *testing.T) {
	h := Hosts{Names: []string{"wall", ".build.example"}}
	for host, allowed := range map[string]bool{
		"": true, "localhost:80": true, "a.localhost": true, "127.0.0.1:9324": true, "[::1]:9324": true, "0.0.0.0": true, "WALL.": true, "a.build.example": true,
		"evil.example": false, "localhost.evil.example": false, "build.example": false, "10.0.0.7": false, "[2001:db8::1]:80": false, "]": false,
	} {
		if h.Allow(host) != allowed {
			t.Errorf("Host %q is allowed: %t", host, !allowed)
		}
	}
	h.Addresses = true
	if !h.Allow("10.0.0.7:9324") || h.Allow("evil.example") {
		t.Error("in a network, addresses are to be allowed and names are not")
	}
}

func TestABrowsersWordForThePageCounts(t *testing.T) {
	for _, test := range []struct {
		name, value string
		other       bool
	}{
		{"Sec-Fetch-Site", "cross-site", true}, {"Sec-Fetch-Site", "same-site", true}, {"Sec-Fetch-Site", "same-origin", false},
		{"Sec-Fetch-Site", "none", false}, {"User-Agent", "Mozilla/5.0", true}, {"User-Agent", "curl/8", false},
	} {
		if why := OtherSite(http.Header{test.name: {test.value}}); (why != "") != test.other {
			t.Errorf("%s: %s: %q", test.name, test.value, why)
		}
	}
	for origin, same := range map[string]bool{
		"http://127.0.0.1:9324": true, "http://127.0.0.1:3000": false, "null": false, "http://127.0.0.1:9324.evil.example": false, "": false,
	} {
		if Same(origin, "127.0.0.1:9324") != same {
			t.Errorf("origin %q is the same: %t", origin, !same)
		}
	}
}
