package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/url"

	"omnibus/bus/engine"
	"omnibus/internal/origin"
	"omnibus/view/web"
)

// uiPath is where the page of -ui is: no queue's path, which begins with an account or
// a region.
const uiPath = "/ui/"

// newUI returns the page of the service's queues, nil without -ui. It keeps the guard's
// rules itself, more strictly, since -cors does not let other pages use it; and where
// not everybody may use the endpoint, or others reach it, it asks for a token.
func (c *config) newUI(s *service, remote bool) *web.Handler {
	if !c.ui && !c.uiReadOnly {
		return nil
	}
	if c.uiToken == "" && (remote || c.keys != nil) {
		c.uiToken = rand.Text()
	}
	return web.New(web.Options{
		Source: web.Engine(func() *engine.Engine { return s.server.Load().Engine() }),
		Title:  "sqsd", Token: c.uiToken, ReadOnly: c.uiReadOnly,
		Hosts: origin.Hosts{Names: c.hosts, Addresses: remote},
	})
}

// printUI prints the address of the page.
func (c *config) printUI(stdout io.Writer, address string) {
	if c.ui || c.uiReadOnly {
		token := ""
		if c.uiToken != "" {
			token = "#token=" + url.PathEscape(c.uiToken)
		}
		fmt.Fprintf(stdout, "sqsd: page at %s%s%s\n", address, uiPath, token)
	}
}
